/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device: its storage, its queues, and the path of requests through slots.
 *
 *     FREE --fetch--> PARSED --memory is there--> BUSY --complete--> FREE
 *
 * The step out of PARSED consumes the chain from the ring: to BUSY, or at once
 * to FREE if the device itself answers. At most one slot of a queue is PARSED:
 * it waits for memory, and the queue waits with it.
 */
#include "inflight.h"
#include "ring.h"

_Static_assert(VBLK_MAX_QUEUES >= 1 && VBLK_MAX_QUEUES <= 64, "1..64");
_Static_assert(VBLK_MAX_SEGS >= 1 && VBLK_MAX_SEGS <= 1024, "1..1024");
_Static_assert(VBLK_MAX_DESCS >= 18 && VBLK_MAX_DESCS <= 4096, "18..4096");
_Static_assert(VBLK_MAX_ATTEMPTS >= 1 && VBLK_MAX_ATTEMPTS <= 16, "1..16");
_Static_assert(sizeof(struct vblk) <= VBLK_SIZE_DEVICE, "VBLK_STORAGE");
_Static_assert(sizeof(struct queue) <= VBLK_SIZE_QUEUE, "VBLK_STORAGE");
_Static_assert(sizeof(struct slot) <= VBLK_SIZE_SLOT, "VBLK_STORAGE");
_Static_assert(sizeof(struct mem) <= VBLK_SIZE_REGION, "VBLK_STORAGE");
_Static_assert(sizeof(struct range) <= 16, "VBLK_STORAGE");
_Static_assert(sizeof(struct vblk_seg) <= sizeof(struct range), "in place");
_Static_assert(sizeof(struct vblk_desc) == 16, "wire");
_Static_assert(sizeof(struct vblk_header) == 16, "wire");
_Static_assert(sizeof(struct vblk_extent) == 16, "wire");

/* --- storage -------------------------------------------------------------- */

struct carve {
	uint8_t *base;
	size_t used;
};

/* base NULL: only counts. Sizes are bounded by the configuration's limits. */
static void *take(struct carve *c, size_t each, size_t n)
{
	size_t at = c->used;

	c->used += (each * n + (VBLK_STORAGE_ALIGN - 1u)) &
		   ~(size_t)(VBLK_STORAGE_ALIGN - 1u);
	return c->base ? c->base + at : NULL;
}

static void carve_queue(struct carve *c, const struct vblk_config *cfg,
			struct vblk *dev, uint16_t index)
{
	uint32_t *refs = take(c, sizeof(*refs), cfg->regions);
	uint8_t *taken = take(c, 1, (cfg->queue_size + 7u) / 8u);
	struct slot *s = take(c, sizeof(*s), cfg->slots);
	uint32_t each = cfg->segs + 1u;
	struct range *range = take(c, each * sizeof(*range), cfg->slots);
	uint16_t *region = take(c, each * sizeof(*region), cfg->slots);
	struct queue *q;

	if (!dev)
		return;
	q = &dev->queue[index];
	q->dev = dev;
	q->slot = s;
	q->refs = refs;
	q->taken = taken;
	q->parsed = VBLK_NONE;
	q->first = VBLK_NONE;
	for (uint16_t i = 0; i < cfg->slots; i++, s++) {
		s->range = range;
		s->req.seg = s->seg;
		s->req.queue = index;
		s->req.tag = i;
		s->region = region;
		s->next = (uint16_t)(i + 1u);
		range += each;
		region += each;
	}
	s[-1].next = VBLK_NONE;
}

static size_t carve(uint8_t *base, const struct vblk_config *cfg)
{
	struct carve c = { base, 0 };
	struct vblk *dev = take(&c, sizeof(*dev), 1);
	struct mem *mem = take(&c, sizeof(*mem), cfg->regions);
	uint16_t *order = take(&c, sizeof(*order), cfg->regions);
	struct queue *queue = take(&c, sizeof(*queue), cfg->num_queues);

	if (dev) {
		dev->cfg = *cfg;
		dev->mem = mem;
		dev->order = order;
		dev->queue = queue;
	}
	for (uint16_t i = 0; i < cfg->num_queues; i++)
		carve_queue(&c, cfg, dev, i);
	return c.used;
}

size_t vblk_sizeof(const struct vblk_config *cfg)
{
	struct vblk_config c = *cfg;

	return vblk_config_default(&c) == VBLK_OK ? carve(NULL, &c) : 0;
}

int vblk_init(struct vblk **dev, void *storage, size_t size,
	      const struct vblk_config *cfg)
{
	struct vblk_config c = *cfg;
	size_t need;

	if (vblk_config_default(&c) != VBLK_OK || !storage ||
	    (uintptr_t)storage % VBLK_STORAGE_ALIGN != 0)
		return VBLK_EINVAL;
	need = carve(NULL, &c);
	if (size < need)
		return VBLK_ENOSPC;
	vblk_zero(storage, need);
	(void)carve(storage, &c);
	*dev = storage;
	(*dev)->writeback = true;
	return VBLK_OK;
}

/* --- the ring of a queue -------------------------------------------------- */

#define RING(q, call, ...) \
	(is_packed(q) ? vblk_packed_##call(__VA_ARGS__) \
		      : vblk_split_##call(__VA_ARGS__))

static VBLK_HOT int ring_begin(struct queue *q)
{
	return RING(q, begin, q);
}

static VBLK_HOT int ring_fetch(struct queue *q, struct slot *s, struct chain *c)
{
	return RING(q, fetch, q, s, c);
}

static VBLK_HOT void ring_take(struct queue *q, struct slot *s)
{
	RING(q, take, q, s);
}

static VBLK_HOT void ring_put(struct queue *q, struct slot *s, uint32_t len)
{
	RING(q, put, q, s, len);
}

/* True: the driver wants to know. */
static VBLK_HOT bool ring_publish(struct queue *q)
{
	bool tell = q->tell;

	if (!q->attached)
		return false;
	q->tell = false;
	if (q->published == q->next_used)
		return tell;
	return RING(q, publish, q) || tell;
}

/*
 * With EVENT_IDX a stale event does the same, and a split ring's flags stay 0
 * (2.7.10).
 */
static VBLK_HOT void ring_quiet(struct queue *q)
{
	if (q->quiet || has(q->dev, VBLK_F_EVENT_IDX))
		return;
	RING(q, quiet, q);
	q->quiet = true;
}

static VBLK_HOT bool ring_arm(struct queue *q)
{
	return RING(q, arm, q);
}

/* --- queues --------------------------------------------------------------- */

/* NULL: no such queue. */
static VBLK_HOT struct queue *queue_of(const struct vblk *dev, uint16_t n)
{
	return n < dev->cfg.num_queues ? &dev->queue[n] : NULL;
}

static VBLK_HOT void stop_asking(const struct queue *q)
{
	struct vblk *dev = q->dev;
	if (on_demand(dev) && dev->asking == q)
		dev->asking = NULL;
}

/* The ring cannot be trusted: the queue stops, the device needs a reset. */
int vblk_distrust(struct queue *q, const char *section)
{
	q->section = section;
	vblk_shared_store(&q->faulted, 1);
	stop_asking(q);
	return VBLK_EGUEST;
}

static bool negotiated_packed(const struct vblk *dev)
{
	return HAS_PACKED && has(dev, VBLK_F_RING_PACKED);
}

int vblk_queue_check(const struct vblk *dev, uint16_t queue,
		     const struct vblk_queue_addr *a)
{
	bool packed = negotiated_packed(dev);
	uint32_t odd = packed ? 3u : 1u;

	if (queue >= dev->cfg.num_queues)
		return VBLK_EINVAL;
	if (a->size == 0 || (!packed && (a->size & (a->size - 1u))) ||
	    a->size > dev->cfg.queue_size || a->desc % 16u != 0 ||
	    (a->driver & odd) != 0 || a->device % 4u != 0)
		return VBLK_EGUEST;
	return VBLK_OK;
}

/* False: from is no position in such a queue. */
static bool stand_at(struct queue *q, const struct vblk_queue_pos *from)
{
	uint16_t fresh = is_packed(q) ? VBLK_WRAP : 0;

	q->next_avail = from ? from->avail : fresh;
	q->next_used = from ? from->used : fresh;
	q->used_from_ring = from && from->used_from_ring;
	if (is_packed(q) && q->used_from_ring)
		q->next_used = q->next_avail;
	return !is_packed(q) || vblk_packed_valid(q);
}

int vblk_queue_start(struct vblk *dev, uint16_t queue,
		     const struct vblk_queue_addr *a,
		     const struct vblk_queue_pos *from,
		     struct vblk_inflight *log)
{
	int r = vblk_queue_check(dev, queue, a);
	struct queue *q;
	bool again;

	if (r != VBLK_OK)
		return r;
	q = &dev->queue[queue];
	if (q->state != QUEUE_STOPPED)
		return VBLK_ESTATE;
	q->packed = negotiated_packed(dev);
	q->log = log;
	/* GCOVR_EXCL_START: only in a build without logs */
	if (log && !log_of(q))
		return VBLK_EINVAL;
	/* GCOVR_EXCL_STOP */
	again = log_goes_on(q);
	if (again && !vblk_log_fits(log, a->size))
		return VBLK_EGUEST;
	q->area[AREA_DESC].gpa = a->desc;
	q->area[AREA_AVAIL].gpa = a->driver;
	q->area[AREA_USED].gpa = a->device;
	vblk_zero(q->taken, (dev->cfg.queue_size + 7u) / 8u);
	q->size = a->size;
	q->replay = 0;
	q->replay_after = 0;
	if (!stand_at(q, from))
		return VBLK_EGUEST;
	/* A life before this one may have died before it told the driver */
	q->tell = from || again;
	q->quiet = false;
	q->attempts = 0;
	q->absent = false;
	q->miss.len = 0;
	q->section = NULL;
	q->state = QUEUE_STARTED;
	return VBLK_OK;
}

static void free_slot(struct queue *q, struct slot *s)
{
	s->state = SLOT_FREE;
	s->next = q->free;
	q->free = s->req.tag;
}

/* A chain that waits for memory never left the ring. */
void vblk_unfetch(struct queue *q)
{
	if (!on_demand(q->dev))
		return;
	if (q->parsed != VBLK_NONE)
		free_slot(q, &q->slot[q->parsed]);
	q->parsed = VBLK_NONE;
	q->miss.len = 0;
	stop_asking(q);
}

int vblk_queue_stop(struct vblk *dev, uint16_t queue, struct vblk_queue_pos *at)
{
	struct queue *q = queue_of(dev, queue);

	if (!q)
		return VBLK_EINVAL;
	if (q->state == QUEUE_STARTED) {
		q->state = QUEUE_STOPPING;
		vblk_unfetch(q);
	}
	if (q->in_flight > 0)
		return VBLK_EBUSY;
	if (q->state == QUEUE_STOPPING) {
		(void)ring_publish(q);
		vblk_mem_detach(q);
		q->log = NULL;
		q->state = QUEUE_STOPPED;
		vblk_shared_store(&q->faulted, 0);
	}
	if (at) {
		at->avail = q->next_avail;
		at->used = q->next_used;
		at->used_from_ring = q->used_from_ring; /* never read */
	}
	return VBLK_OK;
}

bool vblk_queue_started(const struct vblk *dev, uint16_t queue)
{
	const struct queue *q = queue_of(dev, queue);

	return q && q->state != QUEUE_STOPPED;
}

int vblk_reset(struct vblk *dev)
{
	int r = VBLK_OK;

	dev->stopping = true;
	for (uint16_t i = 0; i < dev->cfg.num_queues; i++) {
		if (vblk_queue_stop(dev, i, NULL) != VBLK_OK)
			r = VBLK_EBUSY;
		dev->queue[i].section = NULL;
	}
	if (r != VBLK_OK)
		return r;
	dev->accepted = 0;
	dev->writeback = true;
	dev->stopping = false;
	return VBLK_OK;
}

bool vblk_kick(struct vblk *dev, uint32_t queue)
{
	struct queue *q;

	if (queue >= dev->cfg.num_queues)
		return false;
	q = &dev->queue[queue];
	if (q->state != QUEUE_STARTED)
		return false;
	q->stats.kicks++;
	return true;
}

/* --- requests ------------------------------------------------------------- */

static int attach(struct queue *q)
{
	int r = vblk_mem_attach(q);

	if (r == VBLK_EGUEST)
		return vblk_distrust(q, is_packed(q) ? "2.8" : "2.7");
	if (r != VBLK_OK)
		return r;
	q->miss.len = 0;
	q->absent = false;
	return ring_begin(q);
}

static VBLK_HOT void put_used(struct queue *q, struct slot *s, uint32_t len)
{
	ring_put(q, s, len);
	q->stats.completed++;
	free_slot(q, s);
}

static bool in_order_of(const struct vblk *dev)
{
	return HAS_ORDER && has(dev, VBLK_F_IN_ORDER);
}

/* 2.7.14, IN_ORDER: what is done waits until all before it are. */
static VBLK_APART void put_in_order(struct queue *q, struct slot *s,
				    uint32_t len)
{
	s->state = SLOT_DONE;
	s->in_bytes = len;
	while (q->first != VBLK_NONE && q->slot[q->first].state == SLOT_DONE) {
		s = &q->slot[q->first];
		q->first = s->next;
		put_used(q, s, (uint32_t)s->in_bytes);
	}
}

static void give_back(struct queue *q, struct slot *s, uint32_t len)
{
	if (in_order_of(q->dev))
		put_in_order(q, s, len);
	else
		put_used(q, s, len);
}

static void answer(struct queue *q, struct slot *s, uint8_t status,
		   uint64_t bytes)
{
	uint32_t len = vblk_request_finish(q, s, status, bytes);

	if (status == VBLK_S_IOERR)
		q->stats.errors++;
	if (status == VBLK_S_UNSUPP)
		q->stats.unsupported++;
	give_back(q, s, len);
}

/* The chain leaves the ring; what was said of its memory is settled. */
static void consume(struct queue *q, struct slot *s)
{
	ring_take(q, s);
	if (in_order_of(q->dev)) {
		if (q->first == VBLK_NONE)
			q->first = s->req.tag;
		else
			q->slot[q->last].next = s->req.tag;
		q->last = s->req.tag;
		s->next = VBLK_NONE;
	}
	stop_asking(q);
	q->parsed = VBLK_NONE;
	q->miss.len = 0;
	q->attempts = 0;
	q->absent = false;
}

/* No status byte can be found, but the head is valid (spec/trust.md). */
static int contain(struct queue *q, struct slot *s, const char *section)
{
	if (q->dev->cfg.fault_policy == VBLK_STOP) {
		q->parsed = VBLK_NONE;
		free_slot(q, s);
		return vblk_distrust(q, section);
	}
	consume(q, s);
	q->section = section;
	q->stats.contained++;
	give_back(q, s, 0);
	return VBLK_OK;
}

/*
 * A fetch that missed memory is not repeated before that memory came, and not
 * more than VBLK_MAX_ATTEMPTS times: a guest could let it miss for ever.
 */
static bool fetch_again(struct queue *q)
{
	if (!on_demand(q->dev) || q->miss.len == 0 || q->absent)
		return true;
	if (!vblk_mem_search(q, q->miss.gpa))
		return false;
	if (++q->attempts >= VBLK_MAX_ATTEMPTS)
		q->absent = true;
	return true;
}

/*
 * The next chain as a slot in PARSED. 1: *out; 2: contained; 0: none; or
 * negative.
 */
static int next_slot(struct queue *q, struct slot **out)
{
	struct vblk *dev = q->dev;
	struct chain c;
	struct slot *s;
	int r;

	if (on_demand(dev) && q->parsed != VBLK_NONE) {
		*out = &q->slot[q->parsed];
		return 1;
	}
	if (q->free == VBLK_NONE)
		return 0;
	if (!fetch_again(q))
		return VBLK_EUNMAPPED;
	s = &q->slot[q->free];
	q->miss.len = 0;
	r = ring_fetch(q, s, &c);
	if (r != 1)
		return r;
	q->free = s->next;
	q->parsed = s->req.tag;
	s->state = SLOT_PARSED;
	if (on_demand(dev) && dev->asking == q)
		vblk_mem_unpromise(dev); /* header and table were read */
	vblk_chain_parse(dev, s, &c);
	*out = s;
	if (!c.broken)
		return 1;
	r = contain(q, s, c.broken);
	return r == VBLK_OK ? 2 : r;
}

/* One chain further. 1: *out filled; 2: answered here; 0: none; negative. */
static int step(struct queue *q, struct vblk_req *out)
{
	struct slot *s;
	int r = next_slot(q, &s);

	if (r != 1)
		return r;
	r = vblk_request_ready(q, s);
	if (r == VBLK_EUNMAPPED)
		return r;
	if (r != VBLK_OK) {
		r = contain(q, s, "5.2.6");
		return r == VBLK_OK ? 2 : r;
	}
	consume(q, s);
	if (s->answer != ANSWER_STORE) {
		answer(q, s,
		       s->answer == ANSWER_ID ? (uint8_t)VBLK_S_OK : s->answer,
		       0);
		return 2;
	}
	s->state = SLOT_BUSY;
	q->in_flight++;
	q->stats.requests[s->req.op]++;
	if (s->req.op <= VBLK_OP_WRITE)
		q->stats.bytes += s->req.bytes;
	*out = s->req;
	return 1;
}

int vblk_poll(struct vblk *dev, uint16_t queue, struct vblk_req *out,
	      size_t max)
{
	struct queue *q = queue_of(dev, queue);
	int n = 0, r = VBLK_OK;

	if (!q || max > INT16_MAX)
		return VBLK_EINVAL;
	if (q->state != QUEUE_STARTED)
		return 0;
	if (q->faulted)
		return VBLK_EGUEST;
	if (!q->attached)
		r = attach(q);
	if (r == VBLK_OK)
		ring_quiet(q);
	/* chains answered here count too, or a guest could keep us here */
	for (size_t i = 0; i < max && r >= 0; i++) {
		r = step(q, &out[n]);
		if (r == 0) {
			stop_asking(q);
			break;
		}
		n += r == 1;
	}
	return n == 0 && r < 0 ? r : n;
}

bool vblk_queue_idle(const struct vblk *dev, uint16_t queue)
{
	const struct queue *q = queue_of(dev, queue);

	return !q || q->in_flight == 0;
}

bool vblk_idle(const struct vblk *dev)
{
	for (uint32_t i = 0; i < dev->cfg.num_queues; i++)
		if (dev->queue[i].in_flight > 0)
			return false;
	return true;
}

bool vblk_full(const struct vblk *dev, uint16_t queue)
{
	const struct queue *q = queue_of(dev, queue);

	return q && q->free == VBLK_NONE && q->in_flight > 0;
}

bool vblk_in_flight(const struct vblk *dev, uint16_t queue, vblk_tag tag)
{
	const struct queue *q = queue_of(dev, queue);

	return q && tag < dev->cfg.slots && q->slot[tag].state == SLOT_BUSY;
}

int vblk_complete(struct vblk *dev, uint16_t queue, vblk_tag tag,
		  enum vblk_status status, uint64_t bytes)
{
	struct queue *q;

	if (!vblk_in_flight(dev, queue, tag))
		return VBLK_EINVAL;
	q = &dev->queue[queue];
	q->in_flight--;
	answer(q, &q->slot[tag], (uint8_t)status, bytes);
	return VBLK_OK;
}

bool vblk_irq(struct vblk *dev, uint16_t queue)
{
	struct queue *q = queue_of(dev, queue);

	if (!q || !ring_publish(q) || dev->stopping)
		return false;
	q->stats.irqs++;
	return true;
}

bool vblk_poll_idle(struct vblk *dev, uint16_t queue)
{
	struct queue *q = queue_of(dev, queue);

	if (!q || q->state != QUEUE_STARTED || q->faulted)
		return true;
	if (!q->attached || q->parsed != VBLK_NONE || q->replay > 0)
		return false;
	return ring_arm(q);
}

/* --- looking in ----------------------------------------------------------- */

#define STATS (sizeof(struct vblk_stats) / sizeof(uint64_t)) /* all alike */

void vblk_stats(const struct vblk *dev, struct vblk_stats *out)
{
	uint64_t *sum = (uint64_t *)out;

	vblk_zero(out, sizeof(*out));
	for (uint32_t i = 0; i < dev->cfg.num_queues; i++) {
		const uint64_t *n = (const uint64_t *)&dev->queue[i].stats;

		for (unsigned k = 0; k < STATS; k++)
			sum[k] += n[k];
	}
}

const char *vblk_queue_fault(const struct vblk *dev, uint16_t queue)
{
	const struct queue *q = queue_of(dev, queue);

	return q && vblk_shared_load(&q->faulted) ? q->section : NULL;
}

bool vblk_needs_reset(const struct vblk *dev)
{
	for (uint32_t i = 0; i < dev->cfg.num_queues; i++)
		if (vblk_shared_load(&dev->queue[i].faulted))
			return true;
	return false;
}

const char *vblk_guest_fault(const struct vblk *dev)
{
	for (uint32_t i = 0; i < dev->cfg.num_queues; i++)
		if (dev->queue[i].section)
			return dev->queue[i].section;
	return NULL;
}

const char *vblk_strerror(int err)
{
	switch (err) {
	case VBLK_OK: return "no error";
	case VBLK_EINVAL: return "argument out of range";
	case VBLK_ESTATE: return "not allowed in this state";
	case VBLK_ENOSPC: return "a limit or a buffer is too small";
	case VBLK_EGUEST: return "the guest broke the specification";
	case VBLK_EBUSY: return "requests are in flight";
	case VBLK_EUNMAPPED: return "guest memory is not mapped";
	default: return "unknown error";
	}
}

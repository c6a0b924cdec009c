/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lane: events in, batches out. The one core file that knows the HAL.
 *
 * A lane holds two things back: the tail of a batch that submit refused,
 * offered again when a request is DONE, and register accesses that wait for
 * requests in flight, answered once when the last is.
 */
#include "vblk/hal.h"

#include "bytes.h"

_Static_assert(VBLK_BATCH >= 1 && VBLK_BATCH <= 256, "1..256");
_Static_assert(VBLK_MAX_HELD >= 1 && VBLK_MAX_HELD <= 64, "1..64");

#define QUEUE_NOTIFY 0x050u
#define ROUNDS       4u         /* of all queues in one drain */

int vblk_lane_init(struct vblk_lane *lane, struct vblk *dev,
		   struct vblk_mmio *mmio, uint64_t queues,
		   const struct vblk_hal *hal, void *ctx)
{
	const struct vblk_config *cfg = vblk_configuration(dev);

	vblk_zero(lane, sizeof(*lane));
	if (!hal->submit || !hal->signal || (mmio && !hal->reply) ||
	    (cfg->on_demand && (!hal->map || !hal->unmap)))
		return VBLK_EINVAL;
	lane->dev = dev;
	lane->mmio = mmio;
	lane->queues = queues & (UINT64_MAX >> (64u - cfg->num_queues));
	lane->hal = hal;
	lane->ctx = ctx;
	return VBLK_OK;
}

static void trace(struct vblk_lane *lane, enum vblk_trace id, uint64_t a,
		  uint64_t b)
{
	if (lane->hal->trace)
		lane->hal->trace(lane->ctx, id, a, b);
}

static uint64_t tag_of(uint16_t queue, vblk_tag tag)
{
	return (uint32_t)queue << 16 | tag;
}

/* --- sets of queues ------------------------------------------------------- */

static bool in(uint64_t set, uint32_t queue)
{
	return set >> queue & 1u;
}

static VBLK_HOT void mark(uint64_t *set, uint32_t queue, bool on)
{
	uint64_t bit = UINT64_C(1) << queue;

	*set = on ? *set | bit : *set & ~bit;
}

/* Poll it, if it is one of ours. */
static void kick(struct vblk_lane *lane, uint32_t queue)
{
	if (in(lane->queues, queue))
		mark(&lane->kicked, queue, true);
}

/* --- telling the driver --------------------------------------------------- */

static void signal(struct vblk_lane *lane, uint16_t source, bool up)
{
	trace(lane, VBLK_TRACE_SIGNAL, source, up);
	lane->hal->signal(lane->ctx, source, up);
}

/* A suspended driver is told when it resumes: its line is down. */
static void announce(struct vblk_lane *lane)
{
	if (!lane->mmio || vblk_mmio_line(lane->mmio))
		signal(lane, VBLK_SOURCE_CONFIG, true);
}

/* After an acknowledgement; another lane may raise at the same time. */
static void line_fell(struct vblk_lane *lane)
{
	if (vblk_mmio_line(lane->mmio))
		return;
	signal(lane, VBLK_SOURCE_LINE, false);
	announce(lane);
}

static void publish(struct vblk_lane *lane)
{
	uint64_t todo = lane->publish;

	for (uint16_t q = 0; todo != 0; q++, todo >>= 1) {
		if (!(todo & 1u) || !vblk_irq(lane->dev, q))
			continue;
		if (lane->mmio)
			vblk_mmio_raise(lane->mmio, q);
		signal(lane, q, true);
	}
	lane->publish = 0;
}

static void fault(struct vblk_lane *lane, uint16_t queue)
{
	mark(&lane->kicked, queue, false);
	if (in(lane->faulted, queue))
		return;
	mark(&lane->faulted, queue, true);
	trace(lane, VBLK_TRACE_FAULT, queue, 0);
	announce(lane);
}

/* --- accesses ------------------------------------------------------------- */

bool vblk_mmio_notifies(const struct vblk_mmio *m, const struct vblk_access *a,
			uint16_t *queue)
{
	uint32_t n = vblk_mmio_notified(m, (uint32_t)a->value);

	if (!a->write || a->offset != QUEUE_NOTIFY || a->size != 4 ||
	    n > UINT16_MAX)
		return false;
	*queue = (uint16_t)n;
	return true;
}

static void save(struct vblk_lane *lane)
{
	if (lane->hal->save)
		lane->hal->save(lane->ctx);
}

static int done(struct vblk_lane *lane, uint16_t queue, vblk_tag tag,
		uint8_t status, uint64_t bytes)
{
	int r = vblk_complete(lane->dev, queue, tag,
			      status == VBLK_S_OK	? VBLK_S_OK
			      : status == VBLK_S_UNSUPP ? VBLK_S_UNSUPP
							: VBLK_S_IOERR,
			      bytes);

	if (r != VBLK_OK)
		return r;
	trace(lane, VBLK_TRACE_DONE, tag_of(queue, tag), status);
	mark(&lane->publish, queue, true);
	return VBLK_OK;
}

static bool given_up(const struct vblk_lane *lane, uint32_t q)
{
	return lane->mmio->resetting || lane->mmio->queue[q].stopping;
}

/* The driver gave up queues: end what was refused, cancel what was not. */
static VBLK_APART void abandon(struct vblk_lane *lane)
{
	const struct vblk_config *cfg = vblk_configuration(lane->dev);
	uint16_t kept = lane->offered;

	for (uint32_t i = lane->offered; i < lane->refused; i++) {
		const struct vblk_req *r = &lane->batch[i];

		if (given_up(lane, r->queue))
			(void)done(lane, r->queue, r->tag, VBLK_S_IOERR, 0);
		else
			lane->batch[kept++] = *r;
	}
	lane->refused = kept;
	for (uint16_t q = 0; q < cfg->num_queues; q++) {
		if (!lane->hal->cancel || !in(lane->queues, q) ||
		    !given_up(lane, q))
			continue;
		for (uint16_t t = 0; t < cfg->slots; t++)
			if (vblk_in_flight(lane->dev, q, t))
				lane->hal->cancel(lane->ctx, q, t);
	}
}

static void unmap(struct vblk_lane *lane, const struct vblk_region *r)
{
	trace(lane, VBLK_TRACE_UNMAP, r->gpa, r->len);
	lane->hal->unmap(lane->ctx, r);
}

/*
 * What is idle goes before the driver learns that it is: a grant that is still
 * mapped cannot be ended.
 */
static void reap(struct vblk_lane *lane)
{
	struct vblk_region gone;

	while (lane->queues & 1u && lane->hal->unmap &&
	       vblk_mem_reap(lane->dev, &gone))
		unmap(lane, &gone);
}

/* Finish resets and queue stops; answer who waits for them. */
static void settle(struct vblk_lane *lane)
{
	unsigned before;
	bool done;

	if (!lane->mmio || !(lane->queues & 1u))
		return;
	before = vblk_mmio_waits(lane->mmio);
	done = vblk_mmio_settle(lane->mmio);
	reap(lane);
	if (vblk_mmio_waits(lane->mmio) != before)
		save(lane);
	if (!done)
		return;
	for (uint32_t i = 0; i < lane->held_n; i++)
		lane->hal->reply(lane->ctx, &lane->held[i], 0);
	if (lane->held_n > 0)
		line_fell(lane);
	lane->held_n = 0;
}

static void write(struct vblk_lane *lane, const struct vblk_access *a)
{
	unsigned fx = vblk_mmio_write(lane->mmio, a->offset, a->size, a->value);

	if (fx & VBLK_FX_KICK)
		kick(lane, vblk_mmio_notified(lane->mmio, (uint32_t)a->value));
	if (fx & VBLK_FX_START)
		lane->kicked |= lane->queues;
	if (fx & (VBLK_FX_START | VBLK_FX_HOLD))
		lane->faulted = 0;
	if (fx & VBLK_FX_SAVE)
		save(lane);
	if (fx & VBLK_FX_HOLD && lane->held_n < VBLK_MAX_HELD) {
		lane->held[lane->held_n++] = *a;
		abandon(lane);
		settle(lane);
		return;
	}
	if (fx & VBLK_FX_SAVE)
		reap(lane);     /* of a queue that is stopped */
	lane->hal->reply(lane->ctx, a, 0);
	if (fx & VBLK_FX_LINE)
		line_fell(lane);
	if (fx & VBLK_FX_CHANGED)
		signal(lane, VBLK_SOURCE_CONFIG, true);
}

static void access(struct vblk_lane *lane, const struct vblk_access *a)
{
	trace(lane, VBLK_TRACE_ACCESS, a->offset,
	      (a->value & UINT32_MAX) | (uint64_t)a->write << 63);
	if (a->write)
		write(lane, a);
	else
		lane->hal->reply(
			lane->ctx, a,
			vblk_mmio_read(lane->mmio, a->offset, a->size));
}

/* --- events --------------------------------------------------------------- */

int vblk_lane_event(struct vblk_lane *lane, const struct vblk_event *e)
{
	switch (e->kind) {
	case VBLK_EV_ACCESS:
		if (!lane->mmio)
			return VBLK_EINVAL;
		access(lane, &e->u.access);
		return VBLK_OK;
	case VBLK_EV_KICK:
		if (vblk_kick(lane->dev, e->u.kick.queue))
			kick(lane, e->u.kick.queue);
		return VBLK_OK;
	case VBLK_EV_DONE:
		return done(lane, e->u.done.queue, e->u.done.tag,
			    e->u.done.status, e->u.done.bytes);
	case VBLK_EV_UNMAP:
		(void)vblk_mem_revoke(lane->dev, e->u.unmap.gpa,
				      e->u.unmap.len);
		/* a queue whose ring was there has faulted: poll finds it */
		lane->kicked |= lane->queues;
		return VBLK_OK;
	case VBLK_EV_STOP: lane->stop = true; return VBLK_OK;
	default: return VBLK_EINVAL;
	}
}

/* --- draining ------------------------------------------------------------- */

static bool make_room(struct vblk_lane *lane)
{
	struct vblk_region old;

	if (!vblk_mem_evict(lane->dev, &old))
		return false;
	unmap(lane, &old);
	return true;
}

/*
 * One mapping. Each turn gives up one region, of which there are cfg.regions.
 */
static int map_one(struct vblk_lane *lane, const struct vblk_range *want)
{
	struct vblk_region r;
	int err;

	if (vblk_mem_full(lane->dev) && !make_room(lane))
		return VBLK_EBUSY;
	do
		err = lane->hal->map(lane->ctx, want, &r);
	while (err == VBLK_EBUSY && make_room(lane));
	if (err != VBLK_OK)
		return err;
	trace(lane, VBLK_TRACE_MAP, r.gpa, r.len);
	err = vblk_mem_add(lane->dev, &r);
	if (err == VBLK_OK)
		return VBLK_OK;
	/* it overlaps what still drains: later */
	unmap(lane, &r);
	return VBLK_EBUSY;
}

/*
 * Nothing is in flight that could make room: what lies in the cache in pieces
 * goes, to be mapped whole.
 */
static bool start_over(struct vblk_lane *lane, uint16_t queue)
{
	if (in(lane->again, queue) || !vblk_idle(lane->dev))
		return false;
	mark(&lane->again, queue, true); /* once, until a poll gets through */
	vblk_mem_unpromise(lane->dev);
	while (make_room(lane))
		;
	return true;
}

/* True: poll again at once. False: wait for a DONE or an unmap. */
static VBLK_APART bool map_missing(struct vblk_lane *lane, uint16_t queue)
{
	uint16_t most = vblk_configuration(lane->dev)->regions;
	bool some = false;

	for (uint32_t i = 0; i < most; i++) {
		struct vblk_range want;
		int r;

		if (vblk_missing(lane->dev, queue, &want, 1) != 1)
			return some;
		r = map_one(lane, &want);
		some = some || r == VBLK_OK;
		if (r == VBLK_OK ||
		    (r == VBLK_EBUSY && start_over(lane, queue)))
			continue;
		if (r == VBLK_EUNMAPPED ||
		    (r == VBLK_EBUSY && !vblk_idle(lane->dev)))
			return false;
		/* no such memory, or never enough room for it */
		vblk_absent(lane->dev, queue);
		return true;
	}
	return true;
}

/* Offer what waits. True: all of it was taken. */
static bool submit(struct vblk_lane *lane)
{
	const struct vblk_req *r = &lane->batch[lane->offered];
	int n;

	if (lane->offered == lane->refused)
		return true;
	n = lane->hal->submit(lane->ctx, r,
			      (size_t)(lane->refused - lane->offered));
	for (int i = 0; i < n; i++)
		trace(lane, VBLK_TRACE_SUBMIT, tag_of(r[i].queue, r[i].tag),
		      (uint64_t)r[i].op << 56 | r[i].sector);
	if (n > 0)
		lane->offered = (uint16_t)(lane->offered + n);
	return lane->offered == lane->refused;
}

/* True: there may be more at once. *waits: not for want of requests. */
static bool serve(struct vblk_lane *lane, uint16_t queue, bool *waits)
{
	int n = vblk_poll(lane->dev, queue, lane->batch, VBLK_BATCH);

	mark(&lane->publish, queue, true);
	*waits = n == VBLK_EUNMAPPED;
	if (*waits)
		return map_missing(lane, queue);
	mark(&lane->again, queue, false);
	if (n < 0) {
		fault(lane, queue);
		return false;
	}
	lane->offered = 0;
	lane->refused = (uint16_t)n;
	if (!submit(lane))
		return false;
	if (n > 0)
		return true;
	if (lane->no_rearm)
		return false;
	if (!vblk_poll_idle(lane->dev, queue))
		return !vblk_full(lane->dev, queue);
	mark(&lane->kicked, queue, false);
	return false;
}

static void next_turn(struct vblk_lane *lane, uint16_t total)
{
	lane->next = (uint16_t)(lane->next + 1u < total ? lane->next + 1u : 0);
}

static bool round_robin(struct vblk_lane *lane)
{
	uint16_t total = vblk_configuration(lane->dev)->num_queues;
	bool more = false, waited = false;

	for (uint32_t i = 0; i < total; i++) {
		uint16_t q = lane->next;
		bool waits;

		next_turn(lane, total);
		if (!in(lane->kicked, q))
			continue;
		more = serve(lane, q, &waits) || more;
		/* one that got through may have been who the others wait for */
		more = more || (waited && !waits);
		waited = waited || waits;
		if (lane->offered < lane->refused)
			return false; /* the store is full */
	}
	next_turn(lane, total);
	return more;
}

bool vblk_lane_stopped(const struct vblk_lane *lane)
{
	uint16_t total = vblk_configuration(lane->dev)->num_queues;

	for (uint16_t q = 0; lane->stop && q < total; q++)
		if (in(lane->queues, q) && !vblk_queue_idle(lane->dev, q))
			return false;
	return lane->stop;
}

bool vblk_lane_drain(struct vblk_lane *lane)
{
	bool more = true;

	reap(lane);
	publish(lane);
	settle(lane);
	if (!submit(lane) || lane->stop)
		return false;
	for (unsigned i = 0; i < ROUNDS && more; i++)
		more = round_robin(lane);
	reap(lane);
	publish(lane);
	return more;
}

/* Apart: an event lies on the stack, but not under a drain. */
static VBLK_APART int pull(struct vblk_lane *lane, uint64_t wait_ns)
{
	struct vblk_event e;    /* one at a time */
	int n = 0, r;

	do {
		r = lane->hal->events(lane->ctx, &e, 1,
				      n > 0 || lane->more ? 0 : wait_ns);
		if (r == 1)
			(void)vblk_lane_event(lane, &e);
	} while (r == 1 && ++n < (int)VBLK_BATCH);
	return r < 0 ? r : n;
}

int vblk_lane_step(struct vblk_lane *lane, uint64_t wait_ns)
{
	int n;

	if (!lane->hal->events)
		return VBLK_EINVAL;
	n = pull(lane, wait_ns);
	lane->more = vblk_lane_drain(lane);
	return n;
}

void vblk_lane_resume(struct vblk_lane *lane)
{
	lane->publish = lane->queues;
	lane->kicked = lane->queues;
	lane->faulted = 0;
	settle(lane);
	announce(lane);
}

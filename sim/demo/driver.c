/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio 1.4 from the driver's side: 3.1.1 and 4.2.3.1 in probe, 2.7.13 in
 * send and kick, 2.7.14 in interrupt. A request of up to DIRECT descriptors
 * lies in the descriptor table itself, a longer one in an indirect table, so
 * that both are seen.
 */
#include "driver.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define DIRECT 4u

/* Offsets in a request's page */
#define PAGE_HEADER 0u
#define PAGE_STATUS 16u
#define PAGE_TABLE  64u         /* DRIVER_SEGS + 2 descriptors */

enum reg {                      /* 4.2.2 */
	MAGIC = 0x000, VERSION = 0x004, DEVICE_ID = 0x008, VENDOR_ID = 0x00c,
	DEV_FEATURES = 0x010, DEV_FEATURES_SEL = 0x014, DRV_FEATURES = 0x020,
	DRV_FEATURES_SEL = 0x024, QUEUE_SEL = 0x030, QUEUE_MAX = 0x034,
	QUEUE_SIZE = 0x038, QUEUE_READY = 0x044, QUEUE_NOTIFY = 0x050,
	INT_STATUS = 0x060, INT_ACK = 0x064, STATUS = 0x070,
	QUEUE_DESC = 0x080, QUEUE_DRIVER = 0x090, QUEUE_DEVICE = 0x0a0,
	GENERATION = 0x0fc, CONFIG = 0x100
};

#define WANTED (VBLK_F_SIZE_MAX | VBLK_F_SEG_MAX | VBLK_F_RO | \
		VBLK_F_BLK_SIZE | VBLK_F_FLUSH | VBLK_F_TOPOLOGY | \
		VBLK_F_CONFIG_WCE | VBLK_F_MQ | VBLK_F_DISCARD | \
		VBLK_F_WRITE_ZEROES | VBLK_F_INDIRECT_DESC | \
		VBLK_F_EVENT_IDX | VBLK_F_VERSION_1)

uint64_t driver_now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* --- registers ------------------------------------------------------------ */

static uint32_t in(struct driver *d, uint64_t offset)
{
	d->accesses++;
	return (uint32_t)hv_read(d->hv, offset, 4);
}

static void out(struct driver *d, uint64_t offset, uint32_t v)
{
	d->accesses++;
	hv_write(d->hv, offset, 4, v);
}

static void out64(struct driver *d, uint64_t offset, uint64_t v)
{
	out(d, offset, (uint32_t)v);
	out(d, offset + 4u, (uint32_t)(v >> 32));
}

static void add_status(struct driver *d, uint32_t bits)
{
	out(d, STATUS, in(d, STATUS) | bits);
}

/* 4.2.2.2: fields of up to 4 bytes in one access; 2.5.1: and all of one age. */
static uint64_t config(struct driver *d, uint32_t offset, unsigned size)
{
	uint32_t before, after;
	uint64_t v;

	do {
		before = in(d, GENERATION);
		d->accesses += 1u + (size == 8);
		v = hv_read(d->hv, CONFIG + offset, size == 8 ? 4 : size);
		if (size == 8)
			v |= hv_read(d->hv, CONFIG + offset + 4u, 4) << 32;
		after = in(d, GENERATION);
	} while (before != after);
	return v;
}

#define CONFIG_FIELD(d, field) \
	config(d, offsetof(struct vblk_config_space, field), \
	       sizeof(((struct vblk_config_space *)NULL)->field))

/* --- the ring ------------------------------------------------------------- */

static uint16_t load16(const uint8_t *p)
{
	const struct vblk_le16 *w = (const void *)p;
	struct vblk_le16 v = { __atomic_load_n(&w->raw, __ATOMIC_ACQUIRE) };

	return vblk_le16_get(v);
}

static void store16(uint8_t *p, uint16_t v)
{
	struct vblk_le16 *w = (void *)p;

	__atomic_store_n(&w->raw, vblk_le16_make(v).raw, __ATOMIC_RELEASE);
}

static void put_desc(struct vblk_desc *d, vblk_gpa gpa, uint32_t len,
		     unsigned flags, uint16_t next)
{
	d->addr = vblk_le64_make(gpa);
	d->len = vblk_le32_make(len);
	d->flags = vblk_le16_make((uint16_t)flags);
	d->next = vblk_le16_make(next);
}

static uint16_t next_of(const struct vblk_desc *d)
{
	return vblk_le16_get(d->next);
}

/* Descriptor i of all of a request: header, data, status. */
static struct driver_seg part(const struct driver_req *r, unsigned i,
			      unsigned *flags)
{
	bool to_guest = r->type == VBLK_T_IN || r->type == VBLK_T_GET_ID;
	struct driver_seg s = { r->page + PAGE_HEADER,
				sizeof(struct vblk_header) };

	*flags = i <= r->segs ? VBLK_DESC_NEXT : VBLK_DESC_WRITE;
	if (i > r->segs) {
		s.gpa = r->page + PAGE_STATUS;
		s.len = 1;
	} else if (i > 0) {
		s = r->seg[i - 1u];
		if (to_guest)
			*flags |= VBLK_DESC_WRITE;
	}
	return s;
}

static void put_header(struct driver *d, const struct driver_req *r)
{
	struct vblk_header *h = hv_memory(d->hv, r->page + PAGE_HEADER);

	h->type = vblk_le32_make(r->type);
	h->reserved = vblk_le32_make(0);
	h->sector = vblk_le64_make(r->sector);
	*(uint8_t *)hv_memory(d->hv, r->page + PAGE_STATUS) = 0xff;
}

static uint16_t put_direct(struct driver_queue *q, const struct driver_req *r)
{
	uint16_t i = q->free;
	unsigned flags;

	for (unsigned k = 0; k < r->segs + 2u; k++) {
		struct driver_seg s = part(r, k, &flags);

		/* free ones are chained by next: it stays */
		put_desc(&q->desc[i], s.gpa, s.len, flags,
			 next_of(&q->desc[i]));
		i = next_of(&q->desc[i]);
	}
	return (uint16_t)(r->segs + 2u);
}

static uint16_t put_indirect(struct driver *d, struct driver_queue *q,
			     const struct driver_req *r)
{
	struct vblk_desc *table = hv_memory(d->hv, r->page + PAGE_TABLE);
	uint16_t i = q->free;
	unsigned flags, n = r->segs + 2u;

	for (unsigned k = 0; k < n; k++) {
		struct driver_seg s = part(r, k, &flags);

		put_desc(&table[k], s.gpa, s.len, flags, (uint16_t)(k + 1u));
	}
	put_desc(&q->desc[i], r->page + PAGE_TABLE, 16u * n, VBLK_DESC_INDIRECT,
		 next_of(&q->desc[i]));
	return 1;
}

bool driver_send(struct driver *d, unsigned queue, struct driver_req *r)
{
	struct driver_queue *q = &d->queue[queue];
	bool table = (d->features & VBLK_F_INDIRECT_DESC) &&
		     r->segs + 2u > DIRECT;
	uint16_t head = q->free, n;

	if (q->num_free < (table ? 1u : r->segs + 2u))
		return false;
	put_header(d, r);
	n = table ? put_indirect(d, q, r) : put_direct(q, r);
	q->owner[head] = r;
	q->chained[head] = n;
	q->num_free = (uint16_t)(q->num_free - n);
	for (uint16_t i = 0; i < n; i++)
		q->free = next_of(&q->desc[q->free]);
	r->done = false;
	r->sent_ns = driver_now();
	store16(q->avail + VBLK_AVAIL_RING +
			2u * (q->next_avail & (q->size - 1u)),
		head);
	/* a release store: what the device finds is complete, 2.7.13.3.1 */
	store16(q->avail + VBLK_AVAIL_IDX, ++q->next_avail);
	q->added++;
	return true;
}

void driver_kick(struct driver *d, unsigned queue)
{
	struct driver_queue *q = &d->queue[queue];
	uint16_t event;
	bool wanted;

	if (q->added == 0)
		return;
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* 2.7.13.4.1 */
	event = load16(q->used + VBLK_USED_RING + 8u * q->size);
	wanted = d->features & VBLK_F_EVENT_IDX
			 ? (uint16_t)(q->next_avail - event - 1u) < q->added
			 : !(load16(q->used + VBLK_USED_FLAGS) &
			     VBLK_USED_NO_NOTIFY);
	q->added = 0;
	if (!wanted)
		return;
	d->kicks++;
	out(d, QUEUE_NOTIFY, queue);
}

/* --- completions ---------------------------------------------------------- */

static void give_back(struct driver_queue *q, uint16_t head)
{
	uint16_t last = head;

	for (uint16_t i = 1; i < q->chained[head]; i++)
		last = next_of(&q->desc[last]);
	q->desc[last].next = vblk_le16_make(q->free);
	q->free = head;
	q->num_free = (uint16_t)(q->num_free + q->chained[head]);
	q->owner[head] = NULL;
}

static unsigned take_used(struct driver *d, struct driver_queue *q)
{
	unsigned n = 0;

	while (q->last_used != load16(q->used + VBLK_USED_IDX)) {
		const struct vblk_le32 *e =
			(const void *)(q->used + VBLK_USED_RING +
				       8u * (q->last_used & (q->size - 1u)));
		uint32_t head = vblk_le32_get(e[0]);
		struct driver_req *r;

		if (head >= q->size || !(r = q->owner[head])) {
			d->broken = "it gave back what it was not given";
			return n;
		}
		r->status = *(uint8_t *)hv_memory(d->hv, r->page + PAGE_STATUS);
		r->came_ns = driver_now();
		r->done = true;
		give_back(q, (uint16_t)head);
		q->last_used++;
		n++;
	}
	return n;
}

/* As Linux: no interrupts while looking; on again, and a last look. */
static unsigned serve(struct driver *d, struct driver_queue *q)
{
	uint8_t *used_event = q->avail + VBLK_AVAIL_RING + 2u * q->size;
	/* with EVENT_IDX flags stays 0, and the old used_event says the same */
	uint16_t quiet = d->features & VBLK_F_EVENT_IDX
				 ? 0
				 : (uint16_t)VBLK_AVAIL_NO_INTERRUPT;
	unsigned n = 0;

	do {
		store16(q->avail + VBLK_AVAIL_FLAGS, quiet);
		n += take_used(d, q);
		store16(q->avail + VBLK_AVAIL_FLAGS, 0);
		store16(used_event, q->last_used);
		__atomic_thread_fence(__ATOMIC_SEQ_CST); /* 2.7.14 */
	} while (!d->broken && q->last_used != load16(q->used + VBLK_USED_IDX));
	return n;
}

unsigned driver_interrupt(struct driver *d)
{
	unsigned n = 0;
	uint32_t why;

	if (!hv_line(d->hv))
		return 0;
	d->interrupts++;
	why = in(d, INT_STATUS);
	out(d, INT_ACK, why);
	if ((why & 2u) && (in(d, STATUS) & VBLK_STATUS_NEEDS_RESET))
		d->broken = "it says that it needs a reset";
	for (unsigned i = 0; (why & 1u) && i < d->queues; i++)
		n += serve(d, &d->queue[i]);
	return n;
}

/* --- probe ---------------------------------------------------------------- */

vblk_gpa driver_alloc(struct driver *d, uint64_t bytes, uint64_t align)
{
	vblk_gpa at = (d->next + align - 1u) & ~(align - 1u);

	if (bytes > HV_RAM_BASE + HV_RAM_BYTES - at)
		return 0;
	d->next = at + bytes;
	return at;
}

static const char *negotiate(struct driver *d)
{
	uint64_t offered;

	out(d, DEV_FEATURES_SEL, 1);
	offered = (uint64_t)in(d, DEV_FEATURES) << 32;
	out(d, DEV_FEATURES_SEL, 0);
	offered |= in(d, DEV_FEATURES);
	if (!(offered & VBLK_F_VERSION_1))
		return "it does not offer VERSION_1";
	d->features = offered & WANTED;
	out(d, DRV_FEATURES_SEL, 1);
	out(d, DRV_FEATURES, (uint32_t)(d->features >> 32));
	out(d, DRV_FEATURES_SEL, 0);
	out(d, DRV_FEATURES, (uint32_t)d->features);
	add_status(d, VBLK_STATUS_FEATURES_OK);
	if (!(in(d, STATUS) & VBLK_STATUS_FEATURES_OK))
		return "it refused the features that it offers";
	return NULL;
}

static const char *make_ring(struct driver *d, struct driver_queue *q,
			     uint32_t size)
{
	vblk_gpa desc = driver_alloc(d, 16u * size, 4096);
	vblk_gpa avail = driver_alloc(d, 6u + 2u * size, 4096);
	vblk_gpa used = driver_alloc(d, 6u + 8u * size, 4096);

	if (!desc || !avail || !used)
		return "there is no guest memory for its rings";
	q->desc_gpa = desc;
	q->desc = hv_memory(d->hv, desc);
	q->avail = hv_memory(d->hv, avail);
	q->used = hv_memory(d->hv, used);
	q->size = q->num_free = (uint16_t)size;
	for (uint16_t i = 0; i < q->size; i++)
		q->desc[i].next = vblk_le16_make((uint16_t)(i + 1u));
	out(d, QUEUE_SIZE, size);
	out64(d, QUEUE_DESC, desc);
	out64(d, QUEUE_DRIVER, avail);
	out64(d, QUEUE_DEVICE, used);
	out(d, QUEUE_READY, 1);
	return in(d, QUEUE_READY) == 1 ? NULL : "it refused a queue";
}

static const char *make_queue(struct driver *d, unsigned index)
{
	uint32_t most;

	out(d, QUEUE_SEL, index);
	if (in(d, QUEUE_READY) != 0)
		return "a queue is ready before it was set up";
	most = in(d, QUEUE_MAX);
	if (most == 0)
		return "it has fewer queues than it says";
	return make_ring(d, &d->queue[index],
			 most < HV_QUEUE_SIZE ? most : HV_QUEUE_SIZE);
}

static const char *start(struct driver *d)
{
	const char *wrong;

	if (in(d, MAGIC) != 0x74726976u || in(d, VERSION) != 2)
		return "there is no virtio-mmio device";
	if (in(d, DEVICE_ID) != 2)
		return "it is not a block device";
	(void)in(d, VENDOR_ID);
	out(d, STATUS, 0);
	add_status(d, VBLK_STATUS_ACKNOWLEDGE);
	add_status(d, VBLK_STATUS_DRIVER);
	wrong = negotiate(d);
	if (wrong)
		return wrong;
	d->seg_max = d->features & VBLK_F_SEG_MAX
			     ? (uint32_t)CONFIG_FIELD(d, seg_max)
			     : 1;
	d->queues = d->features & VBLK_F_MQ
			    ? (unsigned)CONFIG_FIELD(d, num_queues)
			    : 1;
	if (d->queues > DRIVER_QUEUES)
		d->queues = DRIVER_QUEUES;
	for (unsigned i = 0; i < d->queues && !wrong; i++)
		wrong = make_queue(d, i);
	if (wrong)
		return wrong;
	d->capacity = CONFIG_FIELD(d, capacity);
	add_status(d, VBLK_STATUS_DRIVER_OK);
	return d->seg_max ? NULL : "its seg_max is 0";
}

int driver_probe(struct driver *d, struct hypervisor *hv, char *why,
		 size_t why_size)
{
	const char *wrong;

	memset(d, 0, sizeof(*d));
	d->hv = hv;
	d->next = HV_RAM_BASE + 4096u;
	wrong = start(d);
	if (!wrong)
		return 0;
	add_status(d, VBLK_STATUS_FAILED);
	snprintf(why, why_size, "the guest cannot use the device: %s", wrong);
	return -1;
}

void driver_remove(struct driver *d)
{
	out(d, STATUS, 0);
	for (unsigned i = 0; i < d->queues; i++) {
		out(d, QUEUE_SEL, i);
		out(d, QUEUE_READY, 0);
	}
}

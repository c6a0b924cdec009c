/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtio-blk drivers on guest CPUs, written from the specification's driver
 * side and sharing no code with the device: bring-up over virtio-mmio (3.1,
 * 4.2.3), requests in any arrangement of descriptors, notifications suppressed
 * either way (2.7.7, 2.7.10), interrupts acknowledged before the used rings are
 * read.
 *
 * A CPU does one small thing a turn, so that the device can come between any
 * two: build, publish the index, look at the event word, kick. An access stops
 * the CPU until the hypervisor answers it.
 */
#include <string.h>

#include "sim.h"

enum { BUILD, PUBLISH, CHECK };

enum reg {
	FEATURES = 0x10, FEATURES_SEL = 0x14, ACCEPT = 0x20, ACCEPT_SEL = 0x24,
	QUEUE_SEL = 0x30, SIZE_MAX_ = 0x34, QUEUE_SIZE = 0x38, READY = 0x44,
	NOTIFY = 0x50, INTERRUPT = 0x60, ACK = 0x64, STATUS = 0x70,
	DESC_LOW = 0x80, DRIVER_LOW = 0x90, DEVICE_LOW = 0xa0
};

/* --- memory --------------------------------------------------------------- */

uint32_t guest_alloc(struct world *w, uint32_t bytes, uint32_t align)
{
	uint32_t at = (w->top + align - 1u) / align * align;

	w->top = at + bytes;
	if (w->top > bus.size)
		sim_fail("the simulated RAM is large enough", "%u bytes more",
			 w->top - bus.size);
	return at;
}

static uint64_t gpa(uint32_t off)
{
	return ram_base() + off;
}

static uint32_t high(uint32_t off)
{
	return (uint32_t)(gpa(off) >> 32);
}

static void write_desc(uint32_t at, uint32_t off, uint32_t len, uint16_t flags,
		       uint16_t next)
{
	struct vblk_desc d;

	d.addr = vblk_le64_make(gpa(off));
	d.len = vblk_le32_make(len);
	d.flags = vblk_le16_make(flags);
	d.next = vblk_le16_make(next);
	bus_write(at, &d, sizeof(d));
}

uint32_t guest_sector(const struct request *r, uint32_t i)
{
	return r->mem + 16u + i * (SECTOR + r->gap);
}

/* Memory is given out once; a restart uses it again. */
static void lay_out(struct world *w, unsigned disk)
{
	struct driver *d = &w->driver[disk];

	for (unsigned i = 0; i < w->k.queues; i++) {
		struct driver_queue *q = &d->q[i];
		uint32_t n = q->size = (uint16_t)w->k.qsize;
		uint32_t pad = rng_below(&w->rng, 64) * 16u;

		q->desc = guest_alloc(w, 16u * n + pad, 16) + pad;
		q->avail = guest_alloc(w, 6u + 2u * n, 2);
		q->used = guest_alloc(w, 6u + 8u * n,
				      rng_one_in(&w->rng, 2) ? 4096 : 4);
		q->depth = w->k.depth < n ? w->k.depth : n;
		for (unsigned k = 0; k < q->depth; k++)
			q->req[k].mem = guest_alloc(w, SLOT_BYTES, 16) +
					rng_below(&w->rng, 16);
	}
}

static void forget_requests(struct driver_queue *q)
{
	q->frees = 0;
	for (uint16_t i = q->size; i > 0; i--)
		q->free[q->frees++] = (uint16_t)(i - 1u);
	memset(q->by_head, 0xff, sizeof(q->by_head));
	for (unsigned i = 0; i < q->depth; i++)
		q->req[i].state = R_FREE;
	q->avail_idx = q->used_seen = q->kicked = 0;
	q->there = 0;
	q->phase = BUILD;
	q->reaping = false;
}

/*
 * The device was reset or the guest is new: rings are as a driver makes them.
 */
static void clear_rings(struct world *w, struct driver *d)
{
	static const uint8_t zero[6u + 16u * SIM_QSIZE];

	for (unsigned i = 0; i < w->k.queues; i++) {
		struct driver_queue *q = &d->q[i];

		forget_requests(q);
		bus_write(q->desc, zero, 16u * q->size);
		bus_write(q->avail, zero, 6u + 2u * q->size);
		bus_write(q->used, zero, 6u + 8u * q->size);
	}
	memset(d->lock, 0, sizeof(d->lock));
	memset(d->readers, 0, sizeof(d->readers));
}

void guest_restart(struct driver *d)
{
	d->phase = D_INIT;
	d->step = 0;
	d->cpu = -1;
	d->stuck = 0;
	d->next_act = -1;
}

void guest_start(struct world *w, unsigned disk)
{
	struct driver *d = &w->driver[disk];

	d->disk = disk;
	d->base = w->k.machine.base[disk];
	d->irq_number = w->k.machine.irq[disk];
	d->irq_cpu = -1;
	lay_out(w, disk);
	clear_rings(w, d);
	guest_restart(d);
}

/* --- accesses ------------------------------------------------------------- */

void guest_access(struct world *w, unsigned cpu, unsigned disk, bool write,
		  uint32_t offset, unsigned size, uint64_t value)
{
	struct vblk_event e = { .kind = VBLK_EV_ACCESS };

	e.u.access.value = value;
	e.u.access.who = cpu;
	e.u.access.size = (uint8_t)size;
	e.u.access.write = write;
	if (!machine_decode(&w->k, w->driver[disk].base + offset, &disk,
			    &e.u.access.offset)) {
		w->cpu[cpu].value = UINT64_MAX; /* nobody is there */
		return;
	}
	w->cpu[cpu].waiting = true;
	w->access[cpu] = e.u.access;
	w->access_disk[cpu] = disk;
	w->n.accesses++;
	hyper_push(w, disk, &e, w->k.simple ? 0 : 300);
}

static void rd(struct world *w, unsigned cpu, struct driver *d, uint32_t reg)
{
	guest_access(w, cpu, d->disk, false, reg, 4, 0);
}

static void wr(struct world *w, unsigned cpu, struct driver *d, uint32_t reg,
	       uint32_t v)
{
	guest_access(w, cpu, d->disk, true, reg, 4, v);
}

/* --- bring-up ------------------------------------------------------------- */

#define PER_QUEUE 10u
#define QUEUES_AT 14u

static uint64_t wanted(const struct world *w, const struct driver *d)
{
	uint64_t f = d->features &
		     (VBLK_F_VERSION_1 | VBLK_F_FLUSH | VBLK_F_CONFIG_WCE |
		      VBLK_F_MQ | VBLK_F_DISCARD | VBLK_F_WRITE_ZEROES |
		      VBLK_F_SEG_MAX | VBLK_F_RING_RESET);

	if (w->k.event_idx)
		f |= d->features & VBLK_F_EVENT_IDX;
	if (w->k.indirect)
		f |= d->features & VBLK_F_INDIRECT_DESC;
	return f;
}

static void bring_up_queue(struct world *w, unsigned cpu, struct driver *d,
			   unsigned i, unsigned step)
{
	const struct driver_queue *q = &d->q[i];

	switch (step) {
	case 0: wr(w, cpu, d, QUEUE_SEL, i); break;
	case 1: wr(w, cpu, d, QUEUE_SIZE, q->size); break;
	case 2: wr(w, cpu, d, DESC_LOW, (uint32_t)gpa(q->desc)); break;
	case 3: wr(w, cpu, d, DESC_LOW + 4, high(q->desc)); break;
	case 4: wr(w, cpu, d, DRIVER_LOW, (uint32_t)gpa(q->avail)); break;
	case 5: wr(w, cpu, d, DRIVER_LOW + 4, high(q->avail)); break;
	case 6: wr(w, cpu, d, DEVICE_LOW, (uint32_t)gpa(q->used)); break;
	case 7: wr(w, cpu, d, DEVICE_LOW + 4, high(q->used)); break;
	case 8: wr(w, cpu, d, READY, 1); break;
	default: rd(w, cpu, d, READY); break;
	}
}

static void expect(const struct world *w, const struct driver *d, bool right,
		   const char *what, uint64_t came)
{
	const char *fault = vblk_guest_fault(w->be[d->disk].dev);

	if (!right && !d->hostile)
		sim_fail(what, "disk %u step %u: 0x%llx, fault %s", d->disk,
			 d->step, (unsigned long long)came,
			 fault ? fault : "none");
}

static void bring_up(struct world *w, unsigned cpu, struct driver *d)
{
	uint64_t v = w->cpu[cpu].value;
	unsigned s = d->step++;
	unsigned last = QUEUES_AT + PER_QUEUE * w->k.queues;

	switch (s) {
	case 0: wr(w, cpu, d, STATUS, 0); return;
	case 1:
		if (w->disk[d->disk].in_flight > 0)
			sim_fail("a reset is answered when nothing is in "
				 "flight",
				 "disk %u: %u requests", d->disk,
				 w->disk[d->disk].in_flight);
		rd(w, cpu, d, STATUS);
		return;
	case 2:
		expect(w, d, v == 0, "Status is 0 after a reset", v);
		clear_rings(w, d);
		d->irq = false;
		wr(w, cpu, d, STATUS, VBLK_STATUS_ACKNOWLEDGE);
		return;
	case 3:
		wr(w, cpu, d, STATUS,
		   VBLK_STATUS_ACKNOWLEDGE | VBLK_STATUS_DRIVER);
		return;
	case 4: wr(w, cpu, d, FEATURES_SEL, 0); return;
	case 5: rd(w, cpu, d, FEATURES); return;
	case 6:
		d->features = v;
		wr(w, cpu, d, FEATURES_SEL, 1);
		return;
	case 7: rd(w, cpu, d, FEATURES); return;
	case 8:
		d->features |= v << 32;
		d->accepted = wanted(w, d);
		wr(w, cpu, d, ACCEPT_SEL, 0);
		return;
	case 9: wr(w, cpu, d, ACCEPT, (uint32_t)d->accepted); return;
	case 10: wr(w, cpu, d, ACCEPT_SEL, 1); return;
	case 11: wr(w, cpu, d, ACCEPT, (uint32_t)(d->accepted >> 32)); return;
	case 12:
		wr(w, cpu, d, STATUS,
		   VBLK_STATUS_ACKNOWLEDGE | VBLK_STATUS_DRIVER |
			   VBLK_STATUS_FEATURES_OK);
		return;
	case 13: rd(w, cpu, d, STATUS); return;
	default: break;
	}
	if (s == QUEUES_AT)
		expect(w, d, v & VBLK_STATUS_FEATURES_OK,
		       "a subset of the features is accepted", v);
	else if (s <= last && (s - QUEUES_AT) % PER_QUEUE == 0)
		expect(w, d, v == 1, "the queue is ready", v);
	if (s < last) {
		bring_up_queue(w, cpu, d, (s - QUEUES_AT) / PER_QUEUE,
			       (s - QUEUES_AT) % PER_QUEUE);
	} else if (s == last) {
		wr(w, cpu, d, STATUS,
		   VBLK_STATUS_ACKNOWLEDGE | VBLK_STATUS_DRIVER |
			   VBLK_STATUS_FEATURES_OK | VBLK_STATUS_DRIVER_OK);
	} else {
		d->wce = d->accepted & VBLK_F_FLUSH;
		d->phase = D_RUN;
		d->cpu = -1;
	}
}

/* --- requests ------------------------------------------------------------- */

struct piece { uint32_t off, len; bool write; };

static unsigned add_piece(struct piece *p, unsigned n, uint32_t off,
			  uint32_t len, bool write)
{
	p[n].off = off;
	p[n].len = len;
	p[n].write = write;
	return n + 1u;
}

/* Header, data and status, one piece each or a sector each. */
static unsigned pieces(const struct request *r, struct piece *p)
{
	bool in = r->type == VBLK_T_IN;
	unsigned n = add_piece(p, 0, r->mem, 16, false);

	for (uint32_t i = 0;
	     i < r->count && r->gap > 0 && (in || r->type == VBLK_T_OUT); i++)
		n = add_piece(p, n, guest_sector(r, i), SECTOR, in);
	if (r->gap == 0 && (in || r->type == VBLK_T_OUT))
		n = add_piece(p, n, guest_sector(r, 0), r->count * SECTOR, in);
	else if (r->type == VBLK_T_DISCARD || r->type == VBLK_T_WRITE_ZEROES)
		n = add_piece(p, n, guest_sector(r, 0), 16, false);
	else if (r->type == VBLK_T_GET_ID)
		n = add_piece(p, n, guest_sector(r, 0), VBLK_ID_BYTES, true);
	return add_piece(p, n, r->status, 1, true);
}

/* 2.7.4: a device makes no assumptions, so cut and join as the seed says. */
static unsigned rearrange(struct world *w, struct piece *p, unsigned n,
			  unsigned most)
{
	for (unsigned i = 0; i + 1u < n; i++) {
		if (p[i].off + p[i].len != p[i + 1u].off ||
		    p[i].write != p[i + 1u].write || rng_one_in(&w->rng, 2))
			continue;
		p[i].len += p[i + 1u].len;
		n--;
		memmove(&p[i + 1u], &p[i + 2u], (n - i - 1u) * sizeof(*p));
	}
	for (unsigned i = 0; i < n && n < most; i++) {
		uint32_t at;

		if (p[i].len < 2 || !rng_one_in(&w->rng, 4))
			continue;
		at = rng_range(&w->rng, 1, p[i].len - 1u);
		memmove(&p[i + 1u], &p[i], (n - i) * sizeof(*p));
		p[i].len = at;
		p[i + 1u].off += at;
		p[i + 1u].len -= at;
		n++;
	}
	return n;
}

static bool locked(const struct driver *d, uint32_t sector, uint32_t count,
		   bool write)
{
	for (uint32_t i = sector; i < sector + count; i++)
		if (d->lock[i] || (write && d->readers[i] > 0))
			return true;
	return false;
}

static void lock(struct driver *d, const struct request *r, bool take)
{
	bool write = r->type != VBLK_T_IN;

	if (r->type == VBLK_T_FLUSH || r->type == VBLK_T_GET_ID)
		return;
	for (uint32_t i = r->sector; i < r->sector + r->count; i++) {
		if (write)
			d->lock[i] = take;
		else
			d->readers[i] = (uint16_t)(d->readers[i] +
						   (take ? 1 : -1));
	}
}

static bool choose(struct world *w, struct driver *d, struct request *r)
{
	static const uint8_t mix[16] = {
		VBLK_T_IN,    VBLK_T_IN,      VBLK_T_IN,	   VBLK_T_IN,
		VBLK_T_IN,    VBLK_T_IN,      VBLK_T_OUT,	   VBLK_T_OUT,
		VBLK_T_OUT,   VBLK_T_OUT,     VBLK_T_OUT,	   VBLK_T_FLUSH,
		VBLK_T_FLUSH, VBLK_T_DISCARD, VBLK_T_WRITE_ZEROES, VBLK_T_GET_ID
	};

	r->type = mix[rng_below(&w->rng, w->k.simple ? 11 : 16)];
	if (r->type == VBLK_T_FLUSH && !(d->accepted & VBLK_F_FLUSH))
		r->type = VBLK_T_IN;
	r->count = rng_range(&w->rng, 1, w->k.simple ? 1 : MAX_COUNT);
	r->sector = rng_below(&w->rng, DISK_SECTORS - r->count + 1u);
	if (locked(d, r->sector, r->count, r->type != VBLK_T_IN))
		return false;
	r->gap = w->k.simple || rng_one_in(&w->rng, 2)
			 ? 0
			 : rng_range(&w->rng, 1, MAX_GAP);
	r->status = guest_sector(r, r->type == VBLK_T_IN ? r->count - 1u : 1) +
		    (r->type == VBLK_T_IN ? SECTOR : 0);
	if (r->type == VBLK_T_OUT || r->type == VBLK_T_DISCARD)
		r->status = guest_sector(r, MAX_COUNT - 1u) + SECTOR;
	r->bad = false;
	r->flags = r->type == VBLK_T_WRITE_ZEROES && rng_one_in(&w->rng, 2);
	return true;
}

/* The buffers as the device will find them. */
static void fill(struct world *w, struct driver *d, struct request *r)
{
	struct vblk_header h;
	struct vblk_extent e;
	uint8_t sector[SECTOR], never = 0xff;

	h.type = vblk_le32_make(r->type);
	h.reserved = vblk_le32_make(0);
	h.sector = vblk_le64_make(
		r->type == VBLK_T_IN || r->type == VBLK_T_OUT ? r->sector : 0);
	bus_write(r->mem, &h, sizeof(h));
	bus_write(r->status, &never, 1);
	r->covers = d->completions;
	if (r->type == VBLK_T_OUT) {
		r->stamp = oracle_stamp(&w->oracle[d->disk]);
		w->oracle[d->disk].stamp += r->count;
		for (uint32_t i = 0; i < r->count; i++) {
			oracle_fill(r->stamp + i, sector);
			memcpy(bus.ram + guest_sector(r, i), sector, SECTOR);
		}
	} else if (r->type == VBLK_T_DISCARD ||
		   r->type == VBLK_T_WRITE_ZEROES) {
		e.sector = vblk_le64_make(r->sector);
		e.num_sectors = vblk_le32_make(r->count);
		e.flags = vblk_le32_make(r->flags);
		bus_write(guest_sector(r, 0), &e, sizeof(e));
	}
}

/* Descriptors for the pieces; returns the head, or 0xffff: none are free. */
static uint16_t describe(struct world *w, struct driver_queue *q,
			 struct request *r, bool indirect)
{
	struct piece p[MAX_CUTS + 2u];
	unsigned n = pieces(r, p);
	uint32_t table = r->mem + TABLE_AT;

	if (!w->k.simple)
		n = rearrange(w, p, n, MAX_CUTS);
	r->table = 0;
	if (indirect) {
		if (q->frees < 1)
			return 0xffff;
		for (unsigned i = 0; i < n; i++)
			write_desc(table + 16u * i, p[i].off, p[i].len,
				   (uint16_t)((p[i].write ? 2u : 0u) |
					      (i + 1u < n ? 1u : 0u)),
				   (uint16_t)(i + 1u));
		r->table = (uint16_t)n;
		r->descs = 1;
		r->desc[0] = q->free[--q->frees];
		write_desc(q->desc + 16u * r->desc[0], table, 16u * n, 4, 0);
		return r->desc[0];
	}
	if (q->frees < n)
		return 0xffff;
	for (unsigned i = 0; i < n; i++)
		r->desc[i] = q->free[--q->frees];
	r->descs = (uint16_t)n;
	for (unsigned i = 0; i < n; i++)
		write_desc(q->desc + 16u * r->desc[i], p[i].off, p[i].len,
			   (uint16_t)((p[i].write ? 2u : 0u) |
				      (i + 1u < n ? 1u : 0u)),
			   i + 1u < n ? r->desc[i + 1u] : 0);
	return r->desc[0];
}

static bool build(struct world *w, struct driver *d, struct driver_queue *q,
		  unsigned ahead)
{
	struct request *r = q->req;
	uint16_t head;

	while (r->state != R_FREE)
		r++;
	if (!choose(w, d, r))
		return false;
	head = describe(w, q, r,
			(d->accepted & VBLK_F_INDIRECT_DESC) &&
				rng_one_in(&w->rng, 2));
	if (head == 0xffff)
		return false;
	fill(w, d, r);
	if (rng_one_in(&w->rng, d->hostile ? w->k.hostile : 0))
		hostile_spoil(w, q, r, head);
	r->state = R_BUILT;
	q->by_head[head] = (uint16_t)(r - q->req);
	q->there++;
	lock(d, r, true);
	if (!d->hostile)
		oracle_submit(w, d, r);
	bus_write16(q->avail + 4u +
			    2u * ((q->avail_idx + ahead) & (q->size - 1u)),
		    head);
	return true;
}

static bool need_kick(const struct driver *d, struct driver_queue *q)
{
	uint16_t old = q->kicked, now = q->avail_idx;

	q->kicked = now;
	if (d->accepted & VBLK_F_EVENT_IDX) {
		uint16_t event = bus_read16(q->used + 4u + 8u * q->size);

		return (uint16_t)(now - event - 1u) < (uint16_t)(now - old);
	}
	return !(bus_read16(q->used) & VBLK_USED_NO_NOTIFY);
}

static void kick(struct world *w, unsigned cpu, struct driver *d, unsigned i)
{
	struct vblk_event e = { .kind = VBLK_EV_KICK };

	w->n.kicks++;
	if (!w->k.doorbell) {
		wr(w, cpu, d, NOTIFY, i);
		return;
	}
	e.u.kick.queue = (uint16_t)i;
	hyper_push(w, d->disk, &e, 200);
}

static bool submit(struct world *w, unsigned cpu, struct driver *d, unsigned i)
{
	struct driver_queue *q = &d->q[i];
	unsigned n = 0, most;

	switch (q->phase) {
	case BUILD:
		if (w->quiet)
			return false;
		most = rng_range(&w->rng, 1, w->k.burst);
		while (n < most && q->there < q->depth && build(w, d, q, n))
			n++;
		q->avail_idx = (uint16_t)(q->avail_idx + n);
		if (n > 0)
			q->phase = PUBLISH;
		return n > 0;
	case PUBLISH:
		bus_write16(q->avail + 2u, q->avail_idx);
		q->phase = CHECK;
		return true;
	default:
		q->phase = BUILD;
		if (need_kick(d, q))
			kick(w, cpu, d, i);
		return true;
	}
}

/* --- completions ---------------------------------------------------------- */

static void finish(struct world *w, struct driver *d, struct driver_queue *q,
		   uint32_t head, uint32_t len)
{
	struct request *r;
	uint8_t status;

	if (head >= q->size || q->by_head[head] == 0xffff) {
		if (!d->hostile)
			sim_fail("each head completes exactly once",
				 "disk %u: head %u came again", d->disk, head);
		return;
	}
	r = &q->req[q->by_head[head]];
	status = bus.ram[r->status];
	q->by_head[head] = 0xffff;
	q->there--;
	lock(d, r, false);
	for (unsigned i = r->descs; i > 0; i--)
		q->free[q->frees++] = r->desc[i - 1u];
	if (d->hostile) {
		d->completions++;
		w->n.hostile_done++;
		w->n.hostile_ok += status == VBLK_S_OK;
	} else {
		oracle_done(w, d, r, status, len);
	}
	r->state = R_FREE;
	w->n.requests++;
	w->n.ok += status == VBLK_S_OK;
	w->n.ioerr += status == VBLK_S_IOERR;
	w->n.unsupp += status == VBLK_S_UNSUPP;
	w->n.bytes += r->type == VBLK_T_IN || r->type == VBLK_T_OUT
			      ? r->count * SECTOR
			      : 0;
	d->stuck = 0;
}

/*
 * A few used elements; true: there may be more, or notifications are re-armed.
 */
static bool reap(struct world *w, struct driver *d, struct driver_queue *q)
{
	bool event = d->accepted & VBLK_F_EVENT_IDX;

	for (unsigned i = 0; i < 4; i++) {
		uint32_t at = q->used + 4u +
			      8u * (q->used_seen & (q->size - 1u));
		uint32_t head = bus_read32(at), len = bus_read32(at + 4u);

		if (bus_read16(q->used + 2u) == q->used_seen)
			break;
		q->used_seen++;
		finish(w, d, q, head, len);
		q->reaping = false;
	}
	if (bus_read16(q->used + 2u) != q->used_seen)
		return true;
	if (q->reaping)
		return false;
	/* re-arm now, look again next turn: 2.7.14 */
	q->reaping = true;
	if (event)
		bus_write16(q->avail + 4u + 2u * q->size, q->used_seen);
	else
		bus_write16(q->avail, 0);
	return true;
}

static void interrupt(struct world *w, unsigned cpu, struct driver *d)
{
	uint64_t v = w->cpu[cpu].value;

	switch (d->irq_step++) {
	case 0:
		d->irq = false;
		rd(w, cpu, d, INTERRUPT);
		return;
	case 1:
		d->irq_status = (uint32_t)v;
		if (v == 0)
			break;          /* not ours, or already handled */
		wr(w, cpu, d, ACK, (uint32_t)v);
		return;
	case 2:
		for (unsigned i = 0; i < w->k.queues; i++) {
			d->q[i].reaping = false;
			if (!(d->accepted & VBLK_F_EVENT_IDX))
				bus_write16(d->q[i].avail,
					    VBLK_AVAIL_NO_INTERRUPT);
		}
		d->irq_queue = 0;
		if (d->irq_status & 2u)
			rd(w, cpu, d, STATUS);
		else
			w->cpu[cpu].value = 0;
		return;
	default:
		if (v & VBLK_STATUS_NEEDS_RESET) {
			w->n.faults++;
			expect(w, d, w->k.revoke != 0,
			       "a good driver's device needs no reset", v);
			d->irq_cpu = -1;
			guest_restart(d);
			return;
		}
		w->cpu[cpu].value = 0;
		if (reap(w, d, &d->q[d->irq_queue]))
			return;
		if (++d->irq_queue < w->k.queues)
			return;
		break;
	}
	d->irq_cpu = -1;
}

/* --- turns ---------------------------------------------------------------- */

static bool pending(const struct world *w, const struct driver *d)
{
	return d->phase == D_RUN && d->irq_cpu < 0 &&
	       (d->irq || (w->k.level && w->line[d->disk]));
}

/* What a CPU is in the middle of. */
static bool go_on(struct world *w, unsigned cpu)
{
	for (unsigned i = 0; i < w->disks; i++) {
		struct driver *d = &w->driver[i];

		if (d->irq_cpu == (int)cpu) {
			interrupt(w, cpu, d);
			return true;
		}
		if (d->phase == D_INIT && d->cpu == (int)cpu) {
			bring_up(w, cpu, d);
			return true;
		}
	}
	return false;
}

static bool take_up(struct world *w, unsigned cpu)
{
	for (unsigned i = 0; i < w->disks; i++) {
		struct driver *d = &w->driver[i];

		if (d->phase == D_INIT && d->cpu < 0 && d->irq_cpu < 0) {
			d->cpu = (int)cpu;
			bring_up(w, cpu, d);
			return true;
		}
		if (pending(w, d) && (w->quiet || !rng_one_in(&w->rng, 4))) {
			d->irq_cpu = (int)cpu;
			d->irq_step = 0;
			interrupt(w, cpu, d);
			return true;
		}
	}
	return false;
}

bool guest_turn(struct world *w, unsigned cpu)
{
	unsigned n = w->disks * w->k.queues;

	if (w->cpu[cpu].waiting)
		return false;
	if (go_on(w, cpu) || take_up(w, cpu))
		return true;
	for (unsigned k = 0; k < n; k++) {
		unsigned turn = w->cpu[cpu].queue_turn++ % n;
		struct driver *d = &w->driver[turn % w->disks];
		unsigned i = turn / w->disks;

		if (turn % w->cpus != cpu || d->phase != D_RUN)
			continue;
		if (d->hostile && !w->quiet && hostile_turn(w, d, cpu))
			return true;
		if (submit(w, cpu, d, i))
			return true;
	}
	return false;
}

/* Called between two accesses of the device: another CPU runs. */
void guest_hook(void *ctx)
{
	struct world *w = ctx;
	unsigned cpu = rng_below(&w->rng, w->cpus);

	for (unsigned i = 0; i < w->disks; i++)
		if (w->driver[i].hostile && i == bus.device)
			hostile_mutate(w, &w->driver[i]);
	(void)guest_turn(w, cpu);
}

/* Is there anything a CPU would do without a new event? */
bool guest_waits(const struct world *w)
{
	for (unsigned i = 0; i < w->disks; i++) {
		const struct driver *d = &w->driver[i];

		if (d->phase == D_INIT || d->irq_cpu >= 0 || pending(w, d))
			return true;
		for (unsigned k = 0; k < w->k.queues; k++)
			if (d->q[k].phase != BUILD)
				return true;
	}
	return false;
}

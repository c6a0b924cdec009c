/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtio-blk drivers on guest CPUs, written from the specification's driver
 * side and sharing no code with the device: bring-up over virtio-mmio (3.1,
 * 4.2.3), requests (guest_request.c) on split or packed rings (guest_ring.c),
 * suspension (guest_suspend.c), interrupts acknowledged before the rings are
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

#define INT_USED   1u
#define INT_CONFIG 2u

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

/* Memory is given out once; a restart uses it again. */
static void lay_out(struct world *w, unsigned disk)
{
	struct driver *d = &w->driver[disk];

	for (unsigned i = 0; i < w->k.queues; i++) {
		struct driver_queue *q = &d->q[i];
		uint32_t n = q->size = (uint16_t)w->k.qsize;
		uint32_t pad = rng_below(&w->rng, 64) * 16u;

		q->desc = guest_alloc(w, 16u * n + pad, 16) + pad;
		q->avail = guest_alloc(w, 6u + 2u * n, w->k.packed ? 4 : 2);
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
	for (unsigned i = 0; i < q->depth; i++)
		q->req[i].state = R_FREE;
	q->there = 0;
	q->phase = BUILD;
	q->reaping = false;
}

/*
 * The device was reset or the guest is new: rings are as a driver makes them.
 */
static void clear_rings(struct world *w, struct driver *d)
{
	bool packed = d->accepted & VBLK_F_RING_PACKED;
	uint32_t odd = packed ? w->k.odd % (w->k.qsize / 2u) : 0;

	for (unsigned i = 0; i < w->k.queues; i++) {
		struct driver_queue *q = &d->q[i];

		q->size = (uint16_t)(w->k.qsize - odd);
		q->packed = packed;
		q->in_order = d->accepted & VBLK_F_IN_ORDER;
		q->event_idx = d->accepted & VBLK_F_EVENT_IDX;
		forget_requests(q);
		guest_ring_clear(q);
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
	d->suspended = d->owed = false;
	bus.frozen[d->disk] = false;
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

static uint64_t wanted(struct world *w, const struct driver *d)
{
	uint64_t f = d->features &
		     (VBLK_F_VERSION_1 | VBLK_F_FLUSH | VBLK_F_CONFIG_WCE |
		      VBLK_F_MQ | VBLK_F_DISCARD | VBLK_F_WRITE_ZEROES |
		      VBLK_F_SEG_MAX | VBLK_F_RING_RESET);

	if (w->k.packed == 1 || (w->k.packed == 2 && rng_one_in(&w->rng, 2)))
		f |= d->features & VBLK_F_RING_PACKED;
	if (w->k.in_order)
		f |= d->features & VBLK_F_IN_ORDER;
	if (w->k.suspend)
		f |= d->features & VBLK_F_SUSPEND;
	if (w->k.erase)
		f |= d->features & VBLK_F_SECURE_ERASE;
	if (w->k.notify_data)
		f |= d->features & VBLK_F_NOTIFICATION_DATA;
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
		clear_rings(w, d);
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

static void kick(struct world *w, unsigned cpu, struct driver *d, unsigned i)
{
	struct vblk_event e = { .kind = VBLK_EV_KICK };

	w->n.kicks++;
	if (!w->k.doorbell) {
		uint32_t at = guest_ring_position(&d->q[i]);

		/* 4.2.3.3 */
		if (d->accepted & VBLK_F_NOTIFICATION_DATA)
			i |= at << 16;
		wr(w, cpu, d, NOTIFY, i);
		return;
	}
	e.u.kick.queue = (uint16_t)i;
	hyper_push(w, d->disk, &e, 200);
}

static bool submit(struct world *w, unsigned cpu, struct driver *d, unsigned i)
{
	struct driver_queue *q = &d->q[i];
	unsigned most;

	switch (q->phase) {
	case BUILD:
		if (w->quiet)
			return false;
		most = rng_range(&w->rng, 1, w->k.burst);
		q->whole = q->packed && (w->k.simple || rng_one_in(&w->rng, 2));
		while (q->built < most && q->there < q->depth &&
		       guest_build(w, d, q))
			;
		if (q->built > 0)
			q->phase = PUBLISH;
		return q->built > 0;
	case PUBLISH:
		if (!guest_ring_show(q))
			q->phase = CHECK;
		return true;
	default:
		q->phase = BUILD;
		if (guest_ring_wants_kick(q))
			kick(w, cpu, d, i);
		return true;
	}
}

/* --- completions ---------------------------------------------------------- */

/*
 * A few used elements; true: there may be more, or notifications are re-armed.
 */
static bool reap(struct world *w, struct driver *d, struct driver_queue *q)
{
	struct used u;

	for (unsigned i = 0; i < 4; i++) {
		if (!guest_ring_used(q, &u))
			break;
		guest_finish(w, d, q, &u);
		q->reaping = false;
	}
	if (guest_ring_used(q, &u))
		return true;
	if (q->reaping)
		return false;
	/* re-arm now, look again next turn: 2.7.14 */
	q->reaping = true;
	guest_ring_arm(w, q);
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
		if (d->irq_status & INT_CONFIG)
			d->owed = false; /* what changed is read from here on */
		for (unsigned i = 0;
		     (d->irq_status & INT_USED) && i < w->k.queues; i++) {
			d->q[i].reaping = false;
			guest_ring_quiet(w, &d->q[i]);
		}
		d->irq_queue = 0;
		if (d->irq_status & INT_CONFIG)
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
		if (!(d->irq_status & INT_USED))
			break;
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
		if (d->phase == D_SUSPEND && d->cpu == (int)cpu) {
			guest_suspend_step(w, cpu, d);
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
		if (d->phase == D_SUSPEND && d->cpu < 0) {
			d->cpu = (int)cpu;
			guest_suspend_step(w, cpu, d);
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

		if (d->phase != D_RUN || d->irq_cpu >= 0 || pending(w, d))
			return true;
		for (unsigned k = 0; k < w->k.queues; k++)
			if (d->q[k].phase != BUILD)
				return true;
	}
	return false;
}

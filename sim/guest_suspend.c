/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A driver that suspends its device and resumes it, virtio 1.4, 3.4, with
 * requests in flight. From when it sees SUSPEND until it asks for DRIVER_OK the
 * device is frozen: it neither writes to guest memory (bus.c) nor signals
 * (hyper.c), and no store is at work for it. Now and then the driver resets
 * instead of resuming.
 */
#include "sim.h"

#define STATUS 0x70u
#define RUNS   (VBLK_STATUS_ACKNOWLEDGE | VBLK_STATUS_DRIVER | \
	        VBLK_STATUS_FEATURES_OK | VBLK_STATUS_DRIVER_OK)
#define POLLS  20000u           /* of Status, at most */
#define NAP    40u              /* turns of it suspended, at most */

enum { ASK, READ, LOOK, SLEEP, READ_AGAIN, LOOK_AGAIN };

bool guest_may_suspend(const struct driver *d)
{
	return d->phase == D_RUN && d->irq_cpu < 0 && !d->hostile &&
	       (d->accepted & VBLK_F_SUSPEND);
}

void guest_suspend(struct driver *d)
{
	d->phase = D_SUSPEND;
	d->step = ASK;
	d->cpu = -1;
	d->polls = 0;
}

static void poll(struct world *w, unsigned cpu, struct driver *d)
{
	if (d->polls++ == POLLS)
		sim_fail(d->step == READ ? "a device suspends"
					 : "a device resumes",
			 "disk %u: Status 0x%llx for %u reads", d->disk,
			 (unsigned long long)w->cpu[cpu].value, POLLS);
	guest_access(w, cpu, d->disk, false, STATUS, 4, 0);
	d->step++;
}

static void is_suspended(struct world *w, struct driver *d, uint64_t v)
{
	if (v & VBLK_STATUS_DRIVER_OK)
		sim_fail("SUSPEND takes the place of DRIVER_OK",
			 "disk %u: Status 0x%llx", d->disk,
			 (unsigned long long)v);
	if (w->disk[d->disk].in_flight > 0)
		sim_fail("a suspended device has nothing in flight",
			 "disk %u: %u requests", d->disk,
			 w->disk[d->disk].in_flight);
	w->n.suspends++;
	d->suspended = bus.frozen[d->disk] = true;
	d->polls = rng_below(&w->rng, NAP);
	d->step = SLEEP;
}

static bool may_die(const struct world *w)
{
	return w->k.kill || w->k.kill_fence || w->k.kill_hal || w->k.kill_log ||
	       w->k.kill_access;
}

static void wake(struct world *w, unsigned cpu, struct driver *d)
{
	if (d->polls > 0) {
		d->polls--;
		return;
	}
	d->suspended = bus.frozen[d->disk] = false;
	if (rng_one_in(&w->rng, 8)) {
		guest_restart(d);
		return;
	}
	/*
	 * With SUSPEND still in it, it is also the request to suspend: if the
	 * back end dies, it may not come twice (spec/hal.md, SAV-3).
	 */
	guest_access(w, cpu, d->disk, true, STATUS, 4,
		     RUNS | (rng_one_in(&w->rng, 2) && !may_die(w)
				     ? VBLK_STATUS_SUSPEND
				     : 0u));
	d->step = READ_AGAIN;
}

/* One thing of it. */
void guest_suspend_step(struct world *w, unsigned cpu, struct driver *d)
{
	uint64_t v = w->cpu[cpu].value;
	bool ended = d->step == LOOK ? (v & VBLK_STATUS_SUSPEND)
				     : (v & VBLK_STATUS_DRIVER_OK);

	switch (d->step) {
	case ASK:
		guest_access(w, cpu, d->disk, true, STATUS, 4,
			     RUNS | VBLK_STATUS_SUSPEND);
		d->step = READ;
		return;
	case READ:
	case READ_AGAIN: poll(w, cpu, d); return;
	case SLEEP: wake(w, cpu, d); return;
	default: break;         /* LOOK, LOOK_AGAIN */
	}
	if (v & VBLK_STATUS_NEEDS_RESET) {
		if (w->k.revoke == 0)
			sim_fail("a good driver's device needs no reset",
				 "disk %u: Status 0x%llx", d->disk,
				 (unsigned long long)v);
		w->n.faults++;
		guest_restart(d);
	} else if (!ended) {
		d->step--;
	} else if (d->step == LOOK) {
		is_suspended(w, d, v);
	} else {
		if (v & VBLK_STATUS_SUSPEND)
			sim_fail("DRIVER_OK takes the place of SUSPEND",
				 "disk %u: Status 0x%llx", d->disk,
				 (unsigned long long)v);
		d->phase = D_RUN;
		d->cpu = -1;
	}
}

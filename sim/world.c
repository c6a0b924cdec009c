/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One run: build a world from the knobs, give everybody turns in an order that
 * the seed decides, break things when the profile says so, and now and then let
 * all of it come to rest, when nothing may be left over.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define REST_TURNS   400000u    /* to come to rest, at most */
#define REST_EVERY   600u       /* turns between rests, about */
#define SIMPLE_REST  20000u

struct world *world;

_Noreturn void sim_fail(const char *expected, const char *came, ...)
{
	va_list ap;

	snprintf(world->expected, sizeof(world->expected), "%s", expected);
	va_start(ap, came);
	vsnprintf(world->came, sizeof(world->came), came, ap);
	va_end(ap);
	longjmp(*world->failed, 1);
}

/* --- making --------------------------------------------------------------- */

uint32_t world_ram(const struct knobs *k)
{
	uint32_t queue = 26u * SIM_QSIZE + 8192u +
			 k->depth * (SLOT_BYTES + 32u);

	return (k->disks * (k->queues * queue + 65536u) + 65535u) &
	       ~UINT32_C(65535);
}

static void make(struct world *w, const struct knobs *k)
{
	w->k = *k;
	w->rng.s = k->seed * UINT64_C(0x2545f4914f6cdd1d) + 1u;
	w->disks = k->disks;
	w->cpus = k->cpus;
	bus_make(world_ram(k), k->seed ^ 0x5eedu);
	bus.weak = k->weak;
	bus.no_rmb = k->no_rmb;
	bus.no_wmb = k->no_wmb;
	bus.no_mb = k->no_mb;
	bus.once = k->hostile == 0;
	bus.restarts = k->regime == DEMAND;
	bus.mean = k->weak ? 6 : 0;
	bus.countdown = bus.mean;
	bus.hook = guest_hook;
	bus.ctx = w;
	bus.killed = &w->killed;
	bus.kill_at = k->kill_access;
	w->granule = BUS_PAGE << (2u * rng_below(&w->rng, 2));
	w->cap = (8u * k->queues + 8u) * (w->granule / BUS_PAGE) +
		 rng_below(&w->rng, 17);
	if (k->machine.cap != 0)
		w->cap = k->machine.cap;
	w->cuts = k->regime == WHOLE ? rng_below(&w->rng, 4) : 0;
	w->slots = k->simple ? SIM_SLOTS : rng_range(&w->rng, 1, SIM_SLOTS);
	for (unsigned i = 0; i < w->disks; i++) {
		w->top = (w->top + 16383u) & ~UINT32_C(16383);
		w->low[i] = w->top;
		w->driver[i].hostile = k->hostile != 0 && i == 0;
		oracle_start(&w->oracle[i]);
		disk_start(&w->disk[i], &w->rng);
		if (k->simple)
			w->disk[i].limit = SIM_QUEUES * SIM_SLOTS;
		guest_start(w, i);
		w->top = (w->top + 16383u) & ~UINT32_C(16383);
		w->high[i] = w->top;
	}
}

/* --- turns ---------------------------------------------------------------- */

static uint64_t next_due(const struct world *w)
{
	uint64_t due = UINT64_MAX;

	for (unsigned i = 0; i < w->events; i++)
		if (w->event[i].due < due)
			due = w->event[i].due;
	for (unsigned d = 0; d < w->disks; d++)
		for (unsigned i = 0;
		     w->disk[d].in_flight > 0 && i < SIM_QUEUES * SIM_SLOTS;
		     i++)
			if (w->disk[d].op[i].busy && w->disk[d].op[i].due < due)
				due = w->disk[d].op[i].due;
	return due;
}

static bool one(struct world *w, unsigned who)
{
	switch (who) {
	case 0: return hyper_turn(w);
	case 1: return disk_turn(w);
	default: return guest_turn(w, rng_below(&w->rng, w->cpus));
	}
}

/* Somebody's turn; false: nobody has anything to do, now or later. */
static bool turn(struct world *w)
{
	unsigned first = rng_below(&w->rng, 5);

	w->step++;
	w->now += 20;
	if (one(w, first))
		return true;
	for (unsigned who = 0; who < 2u + w->cpus; who++)
		if (who < 2 ? one(w, who) : guest_turn(w, who - 2u))
			return true;
	if (next_due(w) == UINT64_MAX)
		return false;
	if (next_due(w) > w->now)
		w->now = next_due(w);
	return true;
}

/* --- rest ----------------------------------------------------------------- */

static void check_rest(struct world *w)
{
	for (unsigned i = 0; i < w->disks; i++) {
		struct driver *d = &w->driver[i];
		bool left = false;

		for (unsigned k = 0; k < w->k.queues; k++) {
			struct driver_queue *q = &d->q[k];
			struct used u;

			left = left || q->there > 0;
			if (d->hostile || q->there == 0)
				continue;
			sim_fail(guest_ring_used(q, &u)
					 ? "an interrupt is never lost"
					 : "a kick is never lost",
				 "disk %u queue %u: %u requests left, seen %u "
				 "used, available up to 0x%x",
				 i, k, q->there, q->used_seen,
				 guest_ring_position(q));
		}
		if (d->owed && !d->hostile)
			sim_fail("a change of configuration is announced",
				 "disk %u: nothing came", i);
		if (left)
			guest_restart(d);
	}
	oracle_quiet(w);
}

static bool at_rest(const struct world *w)
{
	for (unsigned c = 0; c < w->cpus; c++)
		if (w->cpu[c].waiting)
			return false;
	return !guest_waits(w) && !hyper_waits(w) && !disk_waits(w);
}

static void rest(struct world *w)
{
	w->quiet = true;
	for (unsigned i = 0; !at_rest(w); i++) {
		if (i == REST_TURNS)
			sim_fail("all comes to rest",
				 "after %u turns: %u "
				 "events, %u in flight",
				 i, w->events, w->disk[0].in_flight);
		if (!turn(w) && !at_rest(w))
			sim_fail("an access is answered", "cpu 0 %s, cpu 1 %s",
				 w->cpu[0].waiting ? "waits" : "runs",
				 w->cpu[1].waiting ? "waits" : "runs");
	}
	check_rest(w);
	w->quiet = false;
}

static void trouble(struct world *w)
{
	if (rng_one_in(&w->rng, w->k.revoke))
		hyper_revoke(w);
	if (rng_one_in(&w->rng, w->k.kill))
		hyper_kill(w);
	if (rng_one_in(&w->rng, w->k.change))
		hyper_change(w);
	if (rng_one_in(&w->rng, w->k.suspend)) {
		struct driver *d = &w->driver[rng_below(&w->rng, w->disks)];

		if (guest_may_suspend(d))
			guest_suspend(d);
	}
	if (rng_one_in(&w->rng, w->k.crash))
		hyper_crash(w);
	if (rng_one_in(&w->rng, w->k.reset)) {
		struct driver *d = &w->driver[rng_below(&w->rng, w->disks)];

		if (d->phase == D_RUN && d->irq_cpu < 0) {
			w->n.resets++;
			guest_restart(d);
		}
	}
}

static bool goes_on(const struct world *w)
{
	return w->step < w->k.steps &&
	       (w->k.requests == 0 || w->n.requests < w->k.requests);
}

static void live(struct world *w)
{
	uint32_t every = w->k.simple ? SIMPLE_REST : REST_EVERY;

	while (goes_on(w)) {
		/*
		 * the back end may die in here: it starts again where we were
		 */
		if (setjmp(w->killed) != 0)
			hyper_kill(w);
		while (goes_on(w)) {
			(void)turn(w);
			trouble(w);
			if (rng_one_in(&w->rng, every))
				rest(w);
		}
	}
	if (setjmp(w->killed) != 0)
		hyper_kill(w);
	rest(w);
	hyper_end(w);
}

bool world_run(const struct knobs *k, struct counts *n, FILE *trace,
	       char *why, size_t why_size)
{
	jmp_buf failed;
	volatile bool ok = false;

	world = calloc(1, sizeof(*world));
	world->failed = &failed;
	world->trace = trace;
	if (setjmp(failed) == 0) {
		make(world, k);
		hyper_start(world);
		live(world);
		ok = true;
	} else {
		snprintf(why, why_size,
			 "step %llu\n  expected  %s\n  came      %s",
			 (unsigned long long)world->step, world->expected,
			 world->came);
	}
	if (trace)
		trace_end(world);
	world->n.steps = world->step;
	*n = world->n;
	hyper_stop(world);
	bus_free();
	free(world);
	return ok;
}

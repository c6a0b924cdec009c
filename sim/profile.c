/* SPDX-License-Identifier: BSD-2-Clause */
#include "profile.h"

#include <string.h>

static void plain(struct knobs *k, struct rng *r)
{
	(void)k;
	(void)r;
}

static void bursty(struct knobs *k, struct rng *r)
{
	(void)r;
	k->burst = 16;
	k->depth = SIM_DEPTH;
}

static void queues(struct knobs *k, struct rng *r)
{
	k->disks = rng_range(r, 2, MAX_DISKS);
	k->queues = rng_range(r, 2, SIM_QUEUES);
	k->cpus = rng_range(r, 2, MAX_CPUS);
}

static void demand(struct knobs *k, struct rng *r)
{
	k->regime = DEMAND;
	k->disks = rng_range(r, 1, 2);
	k->queues = rng_range(r, 1, 3);
}

static void grants(struct knobs *k, struct rng *r)
{
	demand(k, r);
	k->transient = true;
}

static void window(struct knobs *k, struct rng *r)
{
	(void)r;
	k->regime = WINDOW;
}

static void faults(struct knobs *k, struct rng *r)
{
	k->fail = rng_range(r, 3, 40);
}

static void revoke(struct knobs *k, struct rng *r)
{
	demand(k, r);
	k->transient = rng_one_in(r, 3);
	k->revoke = rng_range(r, 20, 200);
}

static void reset(struct knobs *k, struct rng *r)
{
	k->regime = (enum regime)rng_below(r, 3);
	k->reset = rng_range(r, 50, 400);
}

static void dies(struct knobs *k, struct rng *r)
{
	k->regime = (enum regime)rng_below(r, 3);
	k->disks = rng_range(r, 1, 2);
	k->kill = rng_range(r, 20, 400);
	k->kill_fence = rng_one_in(r, 2) ? rng_range(r, 20, 400) : 0;
}

static void crash(struct knobs *k, struct rng *r)
{
	k->regime = (enum regime)rng_below(r, 3);
	k->crash = rng_range(r, 100, 1000);
	k->kill = rng_one_in(r, 2) ? 300 : 0;
	k->kill_fence = k->kill;
}

/* Disk 0 belongs to a hostile guest, disk 1 to a good one beside it. */
static void hostile(struct knobs *k, struct rng *r)
{
	k->disks = 2;
	k->cpus = rng_range(r, 2, MAX_CPUS);
	k->queues = rng_range(r, 1, 2);
	k->regime = (enum regime)rng_below(r, 3);
	k->transient = rng_one_in(r, 4);
	k->hostile = 12;
	k->fault_policy = rng_below(r, 2);
}

/* For speed: the shortest way through everything. */
static void fast(struct knobs *k, struct rng *r)
{
	(void)r;
	k->simple = true;
	k->weak = false;
	k->disks = k->cpus = k->queues = 1;
	k->qsize = SIM_QSIZE;
	k->depth = SIM_DEPTH;
	k->burst = 16;
	k->event_idx = true;
	k->indirect = false;
	k->doorbell = true;
	k->level = k->in_order = k->erase = false;
	k->packed = k->odd = k->suspend = k->change = 0;
}

const struct profile profiles[] = {
	{ "smooth", "one good driver, all memory mapped", 4000, plain },
	{ "bursty", "bursts at full depth", 4000, bursty },
	{ "queues", "several disks, queues and CPUs", 6000, queues },
	{ "demand", "memory mapped when missed, under a cap", 4000, demand },
	{ "grants", "the same, unmapped as soon as idle", 4000, grants },
	{ "window", "one shared window of memory", 4000, window },
	{ "faults", "a store that fails", 4000, faults },
	{ "revoke", "memory that goes away", 4000, revoke },
	{ "reset", "drivers that reset with requests in flight", 4000, reset },
	{ "kill", "a back end that is killed and started again", 4000, dies },
	{ "crash", "a host that loses what was not flushed", 6000, crash },
	{ "hostile", "a hostile guest beside a good one", 6000, hostile },
	{ "fast", "no faults, no model of ordering: for speed", 400000, fast },
};

const unsigned num_profiles = sizeof(profiles) / sizeof(profiles[0]);

const struct profile *profile_find(const char *name)
{
	for (unsigned i = 0; i < num_profiles; i++)
		if (strcmp(profiles[i].name, name) == 0)
			return &profiles[i];
	return NULL;
}

/* Other numbers than the profile has: it stays as it is with split rings. */
static void newer(struct knobs *k, uint64_t seed)
{
	struct rng r = { seed ^ UINT64_C(0x7061636b6564) };
	uint32_t ring = rng_below(&r, 4);

	k->packed = ring == 3 ? 2 : ring > 0;
	k->odd = rng_one_in(&r, 2) ? rng_below(&r, k->qsize) : 0;
	k->in_order = rng_one_in(&r, 3);
	k->erase = rng_one_in(&r, 2);
	k->notify_data = rng_one_in(&r, 2);
	k->suspend = rng_one_in(&r, 2) ? rng_range(&r, 60, 600) : 0;
	k->change = rng_one_in(&r, 2) ? rng_range(&r, 60, 600) : 0;
}

void profile_knobs(const struct profile *p, uint64_t seed, uint64_t steps,
		   struct knobs *k)
{
	struct rng r = { seed ^ UINT64_C(0x7072f11e) };

	memset(k, 0, sizeof(*k));
	k->profile = p->name;
	k->seed = seed;
	k->steps = steps ? steps : p->steps;
	k->disks = 1;
	k->queues = 1;
	k->cpus = rng_range(&r, 1, 2);
	k->qsize = 1u << rng_range(&r, 3, 7);
	k->depth = rng_range(&r, 1, SIM_DEPTH);
	k->burst = rng_range(&r, 1, 8);
	k->doorbell = rng_one_in(&r, 3);
	k->level = rng_one_in(&r, 2);
	k->event_idx = rng_one_in(&r, 2);
	k->indirect = rng_one_in(&r, 2);
	k->weak = true;
	k->acts = (UINT64_C(1) << ACTS) - 1u;
	machine_default(&k->machine);
	newer(k, seed);
	p->shape(k, &r);
}

#define KNOB(name, field, what) \
	{ name, what, offsetof(struct knobs, field), \
	  sizeof(((struct knobs *)0)->field) }

const struct knob knobs[] = {
	KNOB("disks", disks, "disks behind the event source, 1..3"),
	KNOB("cpus", cpus, "guest CPUs, 1..4"),
	KNOB("queues", queues, "queues of a disk, 1..4"),
	KNOB("queue-size", qsize, "entries, a power of two up to 128"),
	KNOB("depth", depth, "requests in flight per queue, 1..32"),
	KNOB("burst", burst, "requests published at once, 1..32"),
	KNOB("requests", requests, "end after so many; 0: steps decide"),
	KNOB("indirect", indirect, "0 or 1: INDIRECT_DESC"),
	KNOB("event-idx", event_idx, "0 or 1: EVENT_IDX"),
	KNOB("packed", packed, "0: split, 1: packed, 2: either, at bring-up"),
	KNOB("odd", odd, "packed: so many entries less, below half"),
	KNOB("in-order", in_order, "0 or 1: IN_ORDER"),
	KNOB("erase", erase, "0 or 1: SECURE_ERASE"),
	KNOB("notify-data", notify_data, "0 or 1: NOTIFICATION_DATA"),
	KNOB("doorbell", doorbell, "0 or 1: kicks are not trapped"),
	KNOB("level", level, "0 or 1: level interrupts"),
	KNOB("weak", weak, "0 or 1: store buffer and stale loads"),
	KNOB("fail", fail, "one store error in so many; 0: none"),
	KNOB("revoke", revoke, "one revocation in so many steps; 0: none"),
	KNOB("reset", reset, "one reset in so many steps; 0: none"),
	KNOB("suspend", suspend, "one suspension in so many steps; 0: none"),
	KNOB("change", change, "one news of configuration, likewise"),
	KNOB("kill", kill, "one kill in so many steps; 0: none"),
	KNOB("crash", crash, "one host crash in so many steps; 0: none"),
	KNOB("kill-hal", kill_hal, "kill at this HAL call, each counts twice"),
	KNOB("kill-access", kill_access, "kill at this access to memory"),
	KNOB("kill-fence", kill_fence, "one kill in so many fences of a log"),
	KNOB("kill-log", kill_log, "kill at this fence of a log"),
	KNOB("kill-lose", kill_lose, "1: all stores since the last are lost"),
	KNOB("hostile", hostile, "one spoiled request in so many; 0: none"),
	KNOB("acts", acts, "mask of hostile acts"),
	KNOB("policy", fault_policy, "0: contain, 1: stop"),
	KNOB("no-log", no_log, "1: run without in-flight logs (must fail)"),
	KNOB("no-flush", no_flush, "1: a store that never flushes (must fail)"),
	KNOB("no-order", no_order, "1: signals order nothing (must fail)"),
	KNOB("no-ev2", no_ev2, "1: events overtake stores (must fail)"),
	KNOB("no-rmb", no_rmb, "1: leave out that fence (must fail)"),
	KNOB("no-wmb", no_wmb, "1: leave out that fence (must fail)"),
	KNOB("no-mb", no_mb, "1: leave out that fence (must fail)"),
};

const unsigned num_knobs = sizeof(knobs) / sizeof(knobs[0]);

uint64_t knob_get(const struct knobs *k, const struct knob *o)
{
	const uint8_t *p = (const uint8_t *)k + o->offset;
	uint64_t v = 0;

	for (size_t i = 0; i < o->size; i++)
		v |= (uint64_t)p[i] << (8u * i);
	return v;
}

void knob_set(struct knobs *k, const struct knob *o, uint64_t v)
{
	uint8_t *p = (uint8_t *)k + o->offset;

	for (size_t i = 0; i < o->size; i++)
		p[i] = (uint8_t)(v >> (8u * i));
}

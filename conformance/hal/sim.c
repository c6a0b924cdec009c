/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The simulator as a port: its hypervisor (sim/hyper.c) with its HAL, its disk
 * (sim/store.c) and its memory between two sides (sim/bus.c), without its
 * drivers and its scheduler: who runs when is said by pump. Guest memory is
 * weakly ordered for the back end, whatever the host.
 *
 * Everything happens on one thread. A check of the simulator's own that fails
 * ends the run of the back end: BROKEN.
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "sim.h"

#define RAM_BYTES ((uint32_t)FIXTURE_RAM)
#define TURNS     256u          /* in one pump */
#define CAP       24u           /* pages mapped at once, on demand */
#define HOLE      (UINT64_C(16) << 20)  /* beyond the beginning of RAM */
#define DISK      0u

static struct sim {
	bool there, in_pump, die, dead;
	bool hold, last_first;
	uint64_t fails;
	uint8_t bytes[DISK_SECTORS * SECTOR]; /* of the disk, over resets */
	jmp_buf failed;
} sim;

static int broken(struct fixture *f)
{
	sim.dead = true;
	snprintf(f->why, sizeof(f->why), "the simulator expected: %s; came: %s",
		 world->expected, world->came);
	return FIXTURE_BROKEN;
}

/* --- making --------------------------------------------------------------- */

static void end(void)
{
	if (!sim.there)
		return;
	memcpy(sim.bytes, world->disk[DISK].cur, sizeof(sim.bytes));
	hyper_stop(world);
	bus_free();
	free(world);
	world = NULL;
	sim.there = false;
}

static struct knobs knobs(uint32_t want)
{
	struct knobs k = { .profile = "conformance",
			   .seed = 1,
			   .disks = 1,
			   .cpus = 2,
			   .queues = FIXTURE_QUEUES,
			   .regime = want & FIXTURE_ON_DEMAND ? DEMAND : WHOLE,
			   .level = true,
			   .simple = true,
			   .weak = true,
			   .cancel = true,
			   .pull = (want & FIXTURE_PULL) != 0 };

	machine_default(&k.machine);
	return k;
}

static void make(uint32_t want)
{
	struct world *w = calloc(1, sizeof(*w));

	if (!w)
		abort();
	world = w;
	w->failed = &sim.failed;
	w->k = knobs(want);
	w->rng.s = w->k.seed;
	w->disks = w->k.disks;
	w->cpus = w->k.cpus;
	w->granule = BUS_PAGE;
	w->cap = CAP;
	w->slots = SIM_SLOTS;
	w->top = w->high[DISK] = RAM_BYTES;
	bus_make(RAM_BYTES, w->k.seed);
	bus.weak = true;
	bus.killed = &w->killed;
	disk_start(&w->disk[DISK], &w->rng);
	w->disk[DISK].limit = SIM_QUEUES * SIM_SLOTS;
	memcpy(w->disk[DISK].cur, sim.bytes, sizeof(sim.bytes));
	memcpy(w->disk[DISK].stable, sim.bytes, sizeof(sim.bytes));
	w->driver[DISK].disk = DISK;
	w->driver[DISK].base = w->k.machine.base[DISK];
	w->driver[DISK].irq_number = w->k.machine.irq[DISK];
}

static int sim_reset(struct fixture *f, uint32_t want)
{
	end();
	make(want);
	sim.there = true;
	sim.in_pump = sim.die = sim.dead = sim.hold = sim.last_first = false;
	sim.fails = 0;
	if (setjmp(sim.failed))
		return broken(f);
	hyper_start(world);
	return FIXTURE_OK;
}

/* --- the guest ------------------------------------------------------------ */

static bool inside(const struct fixture *f, uint64_t gpa, uint32_t len)
{
	return sim.there && gpa >= f->ram_gpa &&
	       gpa - f->ram_gpa <= RAM_BYTES &&
	       len <= RAM_BYTES - (gpa - f->ram_gpa);
}

static int outside(struct fixture *f, uint64_t gpa)
{
	snprintf(f->why, sizeof(f->why), "0x%llx is not in the guest's memory",
		 (unsigned long long)gpa);
	return FIXTURE_BROKEN;
}

static int sim_read(struct fixture *f, uint64_t gpa, void *out, uint32_t len)
{
	if (!inside(f, gpa, len))
		return outside(f, gpa);
	memcpy(out, bus.ram + (gpa - f->ram_gpa), len);
	return FIXTURE_OK;
}

static int sim_write(struct fixture *f, uint64_t gpa, const void *in,
		     uint32_t len)
{
	if (!inside(f, gpa, len))
		return outside(f, gpa);
	bus_write((uint32_t)(gpa - f->ram_gpa), in, len);
	return FIXTURE_OK;
}

static int sim_access_start(struct fixture *f, unsigned cpu,
			    const struct vblk_access *a)
{
	(void)f;
	guest_access(world, cpu, DISK, a->write, (uint32_t)a->offset, a->size,
		     a->value);
	return FIXTURE_OK;
}

static int sim_access_poll(struct fixture *f, unsigned cpu, uint64_t *value)
{
	(void)f;
	*value = world->cpu[cpu].value;
	return !world->cpu[cpu].waiting;
}

/* A doorbell that does not trap. */
static int sim_kick(struct fixture *f, uint16_t queue)
{
	struct vblk_event e = { .kind = VBLK_EV_KICK, .u.kick.queue = queue };

	(void)f;
	hyper_push(world, DISK, &e, 0);
	return FIXTURE_OK;
}

static int sim_signals(struct fixture *f, struct fixture_signals *out)
{
	(void)f;
	out->queues = world->n.irqs;
	out->config = 0;
	out->line = world->line[DISK];
	return FIXTURE_OK;
}

/* --- faults --------------------------------------------------------------- */

/* In the order in which the store has them, or the other way round. */
static void release(void)
{
	struct disk *d = &world->disk[DISK];
	const unsigned n = SIM_QUEUES * SIM_SLOTS;

	for (unsigned i = 0; i < n && sim.last_first; i++)
		if (d->op[i].busy)
			d->op[i].due = world->now + 1000u * (n - i);
}

/* What need not be durable is gone. */
static void cut(void)
{
	struct disk *d = &world->disk[DISK];

	for (uint32_t s = 0; s < DISK_SECTORS; s++)
		if (d->dirty[s])
			memcpy(d->cur + s * SECTOR, d->stable + s * SECTOR,
			       SECTOR);
	disk_lose(world, DISK, true);
	sim.dead = true;
}

static int sim_fault(struct fixture *f, enum fixture_fault what,
		     uint64_t value)
{
	(void)f;
	switch (what) {
	case FIXTURE_HOLD:
		sim.hold = value != 0;
		world->k.cancel = value != 2; /* it was begun: too late */
		if (!sim.hold)
			release();
		return FIXTURE_OK;
	case FIXTURE_DEPTH:
		world->disk[DISK].limit = (unsigned)value;
		return FIXTURE_OK;
	case FIXTURE_LAST_FIRST: sim.last_first = value != 0; return FIXTURE_OK;
	case FIXTURE_FAIL: sim.fails = value; return FIXTURE_OK;
	case FIXTURE_CUT: cut(); return FIXTURE_OK;
	}
	return FIXTURE_CANNOT;
}

static int sim_platform(struct fixture *f, enum fixture_event what,
			uint64_t gpa, uint64_t len)
{
	struct vblk_event e = { .kind = VBLK_EV_STOP };

	(void)f;
	switch (what) {
	case FIXTURE_STOP: break;
	case FIXTURE_REVOKE:
		e.kind = VBLK_EV_UNMAP;
		e.u.unmap = (struct vblk_range){ .gpa = gpa, .len = len };
		break;
	case FIXTURE_DIE:
		if (sim.in_pump) {
			bus_settle();
			longjmp(world->killed, 1);
		}
		sim.die = true;
		return FIXTURE_OK;
	}
	hyper_push(world, DISK, &e, 0);
	return FIXTURE_OK;
}

/* --- turns ---------------------------------------------------------------- */

static bool disk_has_a_turn(void)
{
	bool some;

	if (sim.hold)
		return false;
	world->k.fail = sim.fails > 0;
	some = disk_turn(world);
	if (some && sim.fails > 0)
		sim.fails--;
	world->k.fail = 0;
	return some;
}

static uint64_t next_due(void)
{
	const struct disk *d = &world->disk[DISK];
	uint64_t due = UINT64_MAX;

	for (unsigned i = 0; i < world->events; i++)
		if (world->event[i].due < due)
			due = world->event[i].due;
	for (unsigned i = 0; i < SIM_QUEUES * SIM_SLOTS && !sim.hold; i++)
		if (d->op[i].busy && d->op[i].due < due)
			due = d->op[i].due;
	return due;
}

static void turns(void)
{
	for (unsigned i = 0; i < TURNS; i++) {
		bool some;

		if (sim.die) {
			sim.die = false;
			hyper_kill(world);
		}
		some = hyper_turn(world);
		some = disk_has_a_turn() || some;
		if (some)
			continue;
		if (next_due() == UINT64_MAX)
			return;
		if (next_due() > world->now)
			world->now = next_due();
	}
}

static int sim_pump(struct fixture *f)
{
	if (sim.dead)
		return FIXTURE_OK;
	if (setjmp(sim.failed))
		return broken(f);
	if (setjmp(world->killed))
		sim.die = true;         /* it starts again where we were */
	sim.in_pump = true;
	turns();
	sim.in_pump = false;
	return FIXTURE_OK;
}

/* --- life ----------------------------------------------------------------- */

int fixture_open(struct fixture *f)
{
	struct machine m;

	machine_default(&m);
	*f = (struct fixture){ .name = "sim",
			       .can = FIXTURE_REGISTERS | FIXTURE_LINE,
			       .patience = 400,
			       .ram_gpa = m.ram,
			       .ram_bytes = RAM_BYTES,
			       .hole_gpa = m.ram + HOLE,
			       .sectors = DISK_SECTORS,
			       .queues = FIXTURE_QUEUES,
			       .cap = CAP,
			       .reset = sim_reset,
			       .guest_read = sim_read,
			       .guest_write = sim_write,
			       .guest_access_start = sim_access_start,
			       .guest_access_poll = sim_access_poll,
			       .guest_kick = sim_kick,
			       .guest_signals = sim_signals,
			       .store_fault = sim_fault,
			       .platform = sim_platform,
			       .pump = sim_pump };
	return 0;
}

void fixture_close(struct fixture *f)
{
	(void)f;
	end();
}

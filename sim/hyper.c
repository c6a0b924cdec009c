/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hypervisor and the back end's process: one thread with a lane for each
 * disk, one source of events, three ways to reach guest memory, edge or level
 * interrupts, trapped or doorbell kicks. The functions of struct vblk_hal are
 * here; each checks its caller's clauses.
 */
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define GRANULE_MAX 16384u
#define PULL_NS     100u

/* --- the HAL -------------------------------------------------------------- */

static unsigned disk_of(const void *ctx)
{
	return (unsigned)((const struct backend *)ctx - world->be);
}

/* Each call counts twice, before and after: the back end may die at either. */
static void hal_call(void)
{
	if (++world->n.hal_calls == world->k.kill_hal) {
		bus_settle();
		longjmp(world->killed, 1);
	}
}

static int hal_submit(void *ctx, const struct vblk_req *req, size_t n)
{
	int r;

	hal_call();
	r = disk_submit(world, disk_of(ctx), req, n);
	hal_call();
	return r;
}

static void hal_signal(void *ctx, uint16_t source, bool up)
{
	unsigned disk = disk_of(ctx);
	struct driver *d = machine_handler(world, world->k.machine.irq[disk]);

	hal_call();
	if (up && d->suspended)
		sim_fail("a suspended device does not signal", "disk %u", disk);
	if (!up && source != VBLK_SOURCE_LINE)
		sim_fail("SIG-3: down comes for the line", "source %u", source);
	if (!world->k.no_order)
		bus_settle();   /* SIG-1 */
	if (up) {
		d->irq = true;
		world->n.irqs++;
	} else if (vblk_mmio_line(&world->be[disk].mmio)) {
		sim_fail("SIG-3: down only when all is acknowledged",
			 "disk %u: InterruptStatus is not 0", disk);
	}
	world->line[d->disk] = up;
	hal_call();
}

static void hal_reply(void *ctx, const struct vblk_access *a, uint64_t value)
{
	struct cpu *cpu = &world->cpu[a->who];

	hal_call();
	if (a->who >= world->cpus || !cpu->waiting ||
	    world->access_disk[a->who] != disk_of(ctx))
		sim_fail("ACC-1: an access is answered exactly once",
			 "cpu %u does not wait for disk %u", (unsigned)a->who,
			 disk_of(ctx));
	if (!world->k.no_order)
		bus_settle();   /* ACC-2 */
	cpu->waiting = false;
	cpu->value = value;
	hal_call();
}

static int hal_map(void *ctx, const struct vblk_range *want,
		   struct vblk_region *out)
{
	unsigned disk = disk_of(ctx);
	uint64_t lo, hi, g = world->granule;

	hal_call();
	if (want->len == 0 || want->len - 1u > ~want->gpa)
		sim_fail("a range that is asked for does not wrap", "disk %u",
			 disk);
	if (want->gpa < ram_base() + world->low[disk] ||
	    want->gpa - ram_base() >= world->high[disk] ||
	    want->len > world->high[disk] - (want->gpa - ram_base()))
		return VBLK_EGUEST;
	lo = (want->gpa - ram_base()) / g * g;
	hi = (want->gpa - ram_base() + want->len + g - 1u) / g * g;
	if (world->mapped[disk] + (hi - lo) / BUS_PAGE > world->cap)
		return VBLK_EBUSY;
	for (uint64_t p = lo; p < hi; p += BUS_PAGE)
		if (bus.mapped[disk][p / BUS_PAGE])
			sim_fail("a range that is asked for is not mapped",
				 "disk %u: offset 0x%llx", disk,
				 (unsigned long long)p);
	bus_map(disk, (uint32_t)lo, (uint32_t)(hi - lo), 1);
	world->mapped[disk] += (uint32_t)((hi - lo) / BUS_PAGE);
	if (world->mapped[disk] > world->n.most_mapped)
		world->n.most_mapped = world->mapped[disk];
	world->n.maps++;
	out->gpa = ram_base() + lo;
	out->len = hi - lo;
	out->host = bus.ram + lo;
	out->dirty = NULL;
	out->perm = VBLK_RW | (world->k.transient ? VBLK_TRANSIENT : 0u);
	hal_call();
	return VBLK_OK;
}

static void hal_unmap(void *ctx, const struct vblk_region *r)
{
	unsigned disk = disk_of(ctx);
	uint32_t off = (uint32_t)(r->gpa - ram_base());

	hal_call();
	if (!bus_mapped(disk, off, (uint32_t)r->len))
		sim_fail("MAP-4: unmap names what is mapped, once",
			 "disk %u: offset 0x%x", disk, off);
	bus_map(disk, off, (uint32_t)r->len, -1);
	world->mapped[disk] -= (uint32_t)(r->len / BUS_PAGE);
	world->n.unmaps++;
	hal_call();
}

static void hal_save(void *ctx)
{
	struct kept *k = &world->kept[disk_of(ctx)];
	unsigned other = k->valid == 1 ? 1 : 0; /* never the one in force */

	hal_call();
	k->len[other] = vblk_mmio_save(&world->be[disk_of(ctx)].mmio,
				       k->blob[other], sizeof(k->blob[other]));
	if (k->len[other] < 0)
		sim_fail("VBLK_MMIO_STATE_BYTES suffices", "%d", k->len[other]);
	k->valid = other + 1u;
	hal_call();
}

static void hal_cancel(void *ctx, uint16_t queue, vblk_tag tag)
{
	if (!world->k.cancel)
		return;
	hal_call();
	disk_cancel(world, disk_of(ctx), queue, tag);
	hal_call();
}

static int hal_events(void *ctx, struct vblk_event *out, size_t max,
		      uint64_t wait_ns)
{
	struct world *w = world;
	size_t n = 0;

	hal_call();
	for (unsigned i = 0; i < w->events && n < max;) {
		if (w->event[i].disk != disk_of(ctx) ||
		    w->event[i].due > w->now) {
			i++;
			continue;
		}
		out[n++] = w->event[i].e;
		w->events--;
		memmove(&w->event[i], &w->event[i + 1],
			(w->events - i) * sizeof(w->event[0]));
	}
	if (n == 0)
		w->now += wait_ns;
	else if (!w->k.no_ev2)
		bus.stales = 0; /* EV-2 */
	return (int)n;
}

static void hal_trace(void *ctx, unsigned id, uint64_t a, uint64_t b)
{
	if (world->trace)
		trace_event(world, disk_of(ctx), id, a, b);
}

static const struct vblk_hal hal_all = {
	.submit = hal_submit, .signal = hal_signal, .reply = hal_reply,
	.map = hal_map, .unmap = hal_unmap, .cancel = hal_cancel,
	.save = hal_save, .events = hal_events, .trace = hal_trace,
};

/* --- the process ---------------------------------------------------------- */

static struct vblk_config configuration(const struct world *w)
{
	struct vblk_config c = {
		.capacity = DISK_SECTORS,
		.features = VBLK_F_SEG_MAX | VBLK_F_BLK_SIZE | VBLK_F_FLUSH |
			    VBLK_F_CONFIG_WCE | VBLK_F_MQ | VBLK_F_DISCARD |
			    VBLK_F_WRITE_ZEROES | VBLK_F_INDIRECT_DESC |
			    VBLK_F_EVENT_IDX | VBLK_F_RING_RESET |
			    VBLK_F_TOPOLOGY | VBLK_F_SIZE_MAX |
			    VBLK_F_RING_PACKED | VBLK_F_IN_ORDER |
			    VBLK_F_SUSPEND | VBLK_F_SECURE_ERASE |
			    /* a doorbell carries no data */
			    (w->k.doorbell ? 0 : VBLK_F_NOTIFICATION_DATA),
		.max_discard_sectors = DISK_SECTORS,
		.max_zeroes_sectors = DISK_SECTORS,
		.num_queues = (uint16_t)w->k.queues,
		.queue_size = SIM_QSIZE,
		.slots = (uint16_t)w->slots,
		.segs = SIM_SEGS,
		.regions = 64,
		.on_demand = w->k.regime == DEMAND,
		.fault_policy = (uint8_t)w->k.fault_policy,
		.serial = "vblk-sim",
	};

	return c;
}

static void must(int r, const char *what)
{
	if (r != VBLK_OK)
		sim_fail(what, "%s", vblk_strerror(r));
}

/* All memory in advance: as one region or cut into several. */
static void map_all(struct world *w, unsigned disk)
{
	uint32_t at = w->low[disk];

	memset(bus.mapped[disk], 0,
	       bus.size / BUS_PAGE * sizeof(*bus.mapped[disk]));
	w->mapped[disk] = 0;
	for (unsigned i = 0; i <= w->cuts && w->k.regime != DEMAND; i++) {
		uint32_t end = i < w->cuts ? w->cut[disk][i] : w->high[disk];
		struct vblk_region r = { .gpa = ram_base() + at,
					 .len = end - at,
					 .host = bus.ram + at,
					 .perm = VBLK_RW };

		must(vblk_mem_add(w->be[disk].dev, &r), "memory is added");
		bus_map(disk, at, end - at, 1);
		at = end;
	}
}

/* SAV-3: before the new life goes on where the old one ended. */
static void answer_waiting(struct world *w, unsigned disk)
{
	bus.device = disk;
	for (unsigned c = 0; c < w->cpus; c++) {
		struct vblk_event e = { .kind = VBLK_EV_ACCESS };

		if (!w->cpu[c].waiting)
			continue;
		if (w->access_disk[c] != disk)
			continue;
		e.u.access = w->access[c];
		must(vblk_lane_event(&w->be[disk].lane, &e),
		     "an access is taken in again");
	}
}

static void boot(struct world *w, unsigned disk)
{
	struct backend *b = &w->be[disk];
	struct kept *k = &w->kept[disk];
	struct vblk_config c = configuration(w);

	memset(b->storage, 0xa5, b->storage_size);
	memset(&b->mmio, 0xa5, sizeof(b->mmio));
	memset(&b->lane, 0xa5, sizeof(b->lane));
	must(vblk_init(&b->dev, b->storage, b->storage_size, &c),
	     "a device is made");
	map_all(w, disk);
	vblk_mmio_init(&b->mmio, b->dev, 0x73696d, w->k.no_log ? NULL : k->log);
	must(vblk_lane_init(&b->lane, b->dev, &b->mmio, UINT64_MAX, &hal_all,
			    b),
	     "a lane is made");
	b->drain = true;
	if (k->valid == 0) {
		answer_waiting(w, disk);
		return;
	}
	must(vblk_mmio_load(&b->mmio, k->blob[k->valid - 1u],
			    (size_t)k->len[k->valid - 1u]),
	     "the control state is taken up again");
	answer_waiting(w, disk);
	vblk_lane_resume(&b->lane);
}

void hyper_start(struct world *w)
{
	struct vblk_config c = configuration(w);

	for (unsigned i = 0; i < w->disks; i++) {
		w->be[i].storage_size = vblk_sizeof(&c);
		w->be[i].storage = malloc(w->be[i].storage_size);
		for (unsigned q = 0; q < w->k.queues; q++)
			w->kept[i].log[q] = calloc(1, SIM_LOG_BYTES);
		for (unsigned n = 0; n < w->cuts; n++)
			w->cut[i][n] = w->low[i] +
				       BUS_PAGE * ((n + 1u) *
						   ((w->high[i] - w->low[i]) /
						    BUS_PAGE) /
						   (w->cuts + 1u));
		boot(w, i);
	}
}

void hyper_stop(struct world *w)
{
	for (unsigned i = 0; i < w->disks; i++) {
		free(w->be[i].storage);
		for (unsigned q = 0; q < w->k.queues; q++)
			free(w->kept[i].log[q]);
	}
}

/* --- events --------------------------------------------------------------- */

void hyper_push(struct world *w, unsigned disk, const struct vblk_event *e,
		uint32_t delay)
{
	struct hyper_event *x;

	for (unsigned i = 0; i < w->events && e->kind == VBLK_EV_KICK; i++)
		if (w->event[i].disk == disk &&
		    w->event[i].e.kind == VBLK_EV_KICK &&
		    w->event[i].e.u.kick.queue == e->u.kick.queue)
			return;         /* as an eventfd: coalesced */
	if (w->events == HYPER_EVENTS)
		sim_fail("HYPER_EVENTS suffices", "%u events", w->events);
	x = &w->event[w->events++];
	x->disk = disk;
	x->e = *e;
	x->due = w->now + (delay == 0 ? 0 : rng_below(&w->rng, delay));
}

static bool deliver(struct world *w)
{
	unsigned start = w->events == 0 || w->k.simple
				 ? 0
				 : rng_below(&w->rng, w->events);

	for (unsigned k = 0; k < w->events; k++) {
		unsigned i = (k + start) % w->events;
		struct hyper_event x = w->event[i];

		if (x.due > w->now)
			continue;
		w->event[i] = w->event[--w->events];
		bus.device = x.disk;
		if (!w->k.no_ev2)
			bus.stales = 0; /* EV-2 */
		w->be[x.disk].drain = true;
		if (vblk_lane_event(&w->be[x.disk].lane, &x.e) != VBLK_OK)
			sim_fail("an event is taken in", "disk %u kind %d",
				 x.disk, (int)x.e.kind);
		return true;
	}
	return false;
}

/* EV-1: the lanes wait themselves, a little. */
static bool pull(struct world *w)
{
	bool some = false;

	for (unsigned i = 0; i < w->disks; i++) {
		int n;

		bus.device = i;
		n = vblk_lane_step(&w->be[i].lane, PULL_NS);
		if (n < 0)
			sim_fail("events is no error", "%s", vblk_strerror(n));
		some = some || n > 0 || w->be[i].lane.more;
	}
	return some;
}

bool hyper_turn(struct world *w)
{
	unsigned start;

	if (w->k.pull)
		return pull(w);
	if (!rng_one_in(&w->rng, w->k.simple ? 0 : 3) && deliver(w))
		return true;
	start = rng_below(&w->rng, w->disks);
	for (unsigned k = 0; k < w->disks; k++) {
		unsigned i = (k + start) % w->disks;

		if (!w->be[i].drain)
			continue;
		bus.device = i;
		w->be[i].drain = vblk_lane_drain(&w->be[i].lane);
		return true;
	}
	return deliver(w);
}

bool hyper_waits(const struct world *w)
{
	for (unsigned i = 0; i < w->disks; i++)
		if (w->be[i].drain)
			return true;
	return w->events > 0;
}

/* LIFE-1, at the end of a run: after STOP and the last DONE, silence. */
void hyper_end(struct world *w)
{
	struct vblk_event e = { .kind = VBLK_EV_STOP };
	struct vblk_event kick = { .kind = VBLK_EV_KICK };
	uint64_t calls;

	for (unsigned i = 0; i < w->disks; i++) {
		bus.device = i;
		must(vblk_lane_event(&w->be[i].lane, &e), "STOP is taken in");
		while (vblk_lane_drain(&w->be[i].lane))
			;
		if (!vblk_lane_stopped(&w->be[i].lane))
			sim_fail("LIFE-1: a lane stops", "disk %u does not", i);
		calls = w->n.hal_calls;
		(void)vblk_lane_event(&w->be[i].lane, &kick);
		(void)vblk_lane_drain(&w->be[i].lane);
		if (w->n.hal_calls != calls)
			sim_fail("LIFE-1: no HAL call after STOP",
				 "disk %u: "
				 "%u calls",
				 i, (unsigned)(w->n.hal_calls - calls));
	}
}

/* --- what goes wrong ------------------------------------------------------ */

static bool over_rings(const struct world *w, unsigned disk, uint32_t lo,
		       uint32_t hi)
{
	for (unsigned i = 0; i < w->k.queues; i++) {
		const struct driver_queue *q = &w->driver[disk].q[i];

		/* the three lie one after the other */
		if (lo < q->used + 6u + 8u * q->size && q->desc < hi)
			return true;
	}
	return false;
}

/* Memory goes, now and then a ring's; the driver does not know. */
void hyper_revoke(struct world *w)
{
	unsigned disk = rng_below(&w->rng, w->disks);
	uint32_t pages = (w->high[disk] - w->low[disk]) / w->granule;
	uint32_t lo = w->low[disk] + rng_below(&w->rng, pages) * w->granule;
	struct vblk_event e = { .kind = VBLK_EV_UNMAP };

	if (over_rings(w, disk, lo, lo + w->granule) && !rng_one_in(&w->rng, 8))
		return;
	e.u.unmap.gpa = ram_base() + lo;
	e.u.unmap.len = w->granule;
	w->n.revokes++;
	hyper_push(w, disk, &e, 100);
}

/* As after vblk_resize; the capacity stays. */
void hyper_change(struct world *w)
{
	unsigned disk = rng_below(&w->rng, w->disks);
	struct driver *d = &w->driver[disk];

	w->n.changes++;
	d->owed = d->phase != D_INIT;
	bus.device = disk;
	if (vblk_mmio_config_changed(&w->be[disk].mmio))
		hal_signal(&w->be[disk], VBLK_SOURCE_CONFIG, true);
}

static void drop_events(struct world *w, bool all)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->events; i++)
		if (!all && (w->event[i].e.kind == VBLK_EV_KICK ||
			     w->event[i].e.kind == VBLK_EV_UNMAP))
			w->event[n++] = w->event[i];
	w->events = n;
}

/*
 * The process dies at once; guest, store, blob and logs stay; another starts.
 */
void hyper_kill(struct world *w)
{
	w->n.kills++;
	w->log_kept = false;
	bus_settle();
	bus_forget();
	bus.in_hook = false;
	bus.replays = true;
	drop_events(w, false);
	for (unsigned i = 0; i < w->disks; i++)
		disk_lose(w, i, false);
	for (unsigned i = 0; i < w->disks; i++)
		boot(w, i);
}

/* The whole host dies: only what the stores made durable is left. */
void hyper_crash(struct world *w)
{
	w->n.crashes++;
	bus_settle();
	bus_forget();
	drop_events(w, true);
	memset(w->cpu, 0, sizeof(w->cpu));
	for (unsigned i = 0; i < w->disks; i++) {
		struct driver *d = &w->driver[i];

		disk_lose(w, i, true);
		oracle_crash(w, i);
		d->irq_cpu = -1;
		d->irq = false;
		w->line[i] = false;
		guest_restart(d);
		w->kept[i].valid = 0;
		for (unsigned q = 0; q < w->k.queues; q++)
			memset(w->kept[i].log[q], 0, SIM_LOG_BYTES);
	}
	for (unsigned i = 0; i < w->disks; i++)
		boot(w, i);
}

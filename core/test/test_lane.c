/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lane: the clauses of hal.h that bind it, and what it does with events.
 * The platform here is a recorder: it writes down each call as one letter and
 * keeps the arguments; a test says what submit accepts and what map finds.
 *
 *     s submit   r reply   u signal up   d line down   v save   m map
 *     x unmap    c cancel
 */
#include "util.h"

#include "vblk/hal.h"

#define SECTOR 512u
#define PAGE   4096u

enum { SEL = 0x030, READY = 0x044, NOTIFY = 0x050, INT_STATUS = 0x060,
	INT_ACK = 0x064, STATUS = 0x070, QRESET = 0x0c0 };

static struct vblk_lane lane;

static struct {
	char log[4096];         /* the letters */
	size_t n;
	int accept;             /* what submit takes at most; -1: all */
	struct vblk_req req[256];
	unsigned taken;
	uintptr_t replied[64];
	uint64_t value[64];
	unsigned replies;
	uint16_t source[64];
	unsigned signals;
	int map_says;
	uint64_t map_span;      /* size and alignment of what map gives */
	unsigned busy;          /* map says EBUSY so many times first */
	unsigned mapped, most;  /* regions out now; at the most */
	uint32_t perm;
	bool map_bad;
	uint32_t status_at_save;
	struct vblk_event event[32];
	unsigned events;
	uint64_t waited;        /* by the first call of a step */
	unsigned waits;
	unsigned traces;
} hal;

static void note(char c)
{
	check_that(hal.n + 1 < sizeof(hal.log), "expected fewer HAL calls");
	hal.log[hal.n++] = c;
	hal.log[hal.n] = 0;
}

/* Forget the calls so far. */
static void quiet(void)
{
	hal.n = hal.signals = hal.replies = 0;
	hal.log[0] = 0;
}

static void calls(const char *wanted)
{
	check_that(strcmp(hal.log, wanted) == 0,
		   "HAL calls: expected \"%s\", came \"%s\"", wanted, hal.log);
	quiet();
}

static int hal_submit(void *ctx, const struct vblk_req *req, size_t n)
{
	size_t k = hal.accept < 0 || (size_t)hal.accept > n
			   ? n
			   : (size_t)hal.accept;

	ck_assert_ptr_eq(ctx, &hal);
	check_that(n > 0 && n <= VBLK_BATCH, "submit of %zu", n);
	note('s');
	for (size_t i = 0; i < k; i++)
		hal.req[hal.taken++ % 256] = req[i];
	if (hal.accept > 0)
		hal.accept -= (int)k;
	return (int)k;
}

static void hal_signal(void *ctx, uint16_t source, bool up)
{
	ck_assert_ptr_eq(ctx, &hal);
	note(up ? 'u' : 'd');
	expect(source == VBLK_SOURCE_LINE, !up);
	if (!up)
		expect(vblk_mmio_line(&rig.mm), false); /* SIG-3 */
	hal.source[hal.signals++ % 64] = source;
}

static void hal_reply(void *ctx, const struct vblk_access *a, uint64_t value)
{
	ck_assert_ptr_eq(ctx, &hal);
	note('r');
	hal.replied[hal.replies % 64] = a->who;
	hal.value[hal.replies++ % 64] = value;
}

static int hal_map(void *ctx, const struct vblk_range *want,
		   struct vblk_region *out)
{
	uint64_t span = hal.map_span;

	ck_assert_ptr_eq(ctx, &hal);
	check_that(want->len > 0 && want->len - 1 <= ~want->gpa,
		   "map: expected a range");
	note('m');
	if (hal.map_says != VBLK_OK)
		return hal.map_says;
	if (hal.busy > 0) {
		hal.busy--;
		return VBLK_EBUSY;
	}
	if (ram_left(want->gpa) == 0)
		return VBLK_EGUEST;
	out->gpa = want->gpa & ~(span - 1);
	out->len = span;
	out->host = ram_at(out->gpa);
	out->dirty = NULL;
	out->perm = hal.perm;
	if (hal.map_bad)
		out->len = 1;
	if (++hal.mapped > hal.most)
		hal.most = hal.mapped;
	return VBLK_OK;
}

static void hal_unmap(void *ctx, const struct vblk_region *r)
{
	ck_assert_ptr_eq(ctx, &hal);
	ck_assert_ptr_eq(r->host, ram_at(r->gpa));
	note('x');
	hal.mapped--;
}

static void hal_cancel(void *ctx, uint16_t queue, vblk_tag tag)
{
	ck_assert_ptr_eq(ctx, &hal);
	expect(vblk_in_flight(rig.dev, queue, tag), true);
	note('c');
}

static void hal_save(void *ctx)
{
	ck_assert_ptr_eq(ctx, &hal);
	hal.status_at_save = rd(STATUS);
	note('v');
}

static int hal_events(void *ctx, struct vblk_event *out, size_t max,
		      uint64_t wait_ns)
{
	unsigned n = hal.events < max ? hal.events : (unsigned)max;

	ck_assert_ptr_eq(ctx, &hal);
	if (hal.waits++ == 0)
		hal.waited = wait_ns;
	memcpy(out, hal.event, n * sizeof(*out));
	memmove(hal.event, hal.event + n, (hal.events - n) * sizeof(*out));
	hal.events -= n;
	return n ? (int)n : wait_ns == 7 ? -5 : 0;
}

static void hal_trace(void *ctx, unsigned id, uint64_t a, uint64_t b)
{
	(void)a;
	(void)b;
	ck_assert_ptr_eq(ctx, &hal);
	check_that(id >= 1 && id <= 7, "trace %u", id);
	hal.traces |= 1u << id;
}

static const struct vblk_hal full = {
	hal_submit, hal_signal, hal_reply, hal_map, hal_unmap, hal_cancel,
	hal_save, hal_events, hal_trace
};
static const struct vblk_hal least = {
	hal_submit, hal_signal, NULL, NULL, NULL, NULL, NULL, NULL, NULL
};

static void recorder(void)
{
	memset(&hal, 0, sizeof(hal));
	hal.accept = -1;
	hal.map_span = PAGE;
	hal.perm = VBLK_RW;
}

static struct vblk_config queues(uint16_t n)
{
	struct vblk_config c = plain();

	c.num_queues = n;
	c.features |= VBLK_F_RING_RESET;
	return c;
}

/* A device in DRIVER_OK behind a lane that has seen all of it. */
static void lane_up(const struct vblk_config *c)
{
	recorder();
	mmio_up(c);
	expect(vblk_lane_init(&lane, rig.dev, &rig.mm, UINT64_MAX, &full, &hal),
	       VBLK_OK);
	vblk_lane_resume(&lane);
	(void)vblk_lane_drain(&lane);
	quiet();
}

static void access_(bool write, uint64_t at, uint64_t value, uintptr_t who)
{
	struct vblk_event e;

	memset(&e, 0, sizeof(e));
	e.kind = VBLK_EV_ACCESS;
	e.u.access.offset = at;
	e.u.access.value = value;
	e.u.access.size = 4;
	e.u.access.write = write;
	e.u.access.who = who;
	expect(vblk_lane_event(&lane, &e), VBLK_OK);
}

static void guest_wr(uint64_t at, uint32_t value)
{
	access_(true, at, value, 1);
}

static uint64_t guest_rd(uint64_t at)
{
	unsigned n = hal.replies;

	access_(false, at, 0, 1);
	expect(hal.replies, n + 1);
	return hal.value[n % 64];
}

static int say_done(uint16_t queue, vblk_tag tag, uint8_t status)
{
	struct vblk_event e;

	memset(&e, 0, sizeof(e));
	e.kind = VBLK_EV_DONE;
	e.u.done.queue = queue;
	e.u.done.tag = tag;
	e.u.done.status = status;
	return vblk_lane_event(&lane, &e);
}

static void all_done(void)
{
	for (unsigned i = 0; i < hal.taken; i++)
		if (vblk_in_flight(rig.dev, hal.req[i].queue, hal.req[i].tag))
			expect(say_done(hal.req[i].queue, hal.req[i].tag, 0),
			       VBLK_OK);
}

static void unmap_event(uint64_t gpa, uint64_t len)
{
	struct vblk_event e;

	memset(&e, 0, sizeof(e));
	e.kind = VBLK_EV_UNMAP;
	e.u.unmap.gpa = gpa;
	e.u.unmap.len = len;
	expect(vblk_lane_event(&lane, &e), VBLK_OK);
}

static void stop_event(void)
{
	struct vblk_event e;

	memset(&e, 0, sizeof(e));
	e.kind = VBLK_EV_STOP;
	expect(vblk_lane_event(&lane, &e), VBLK_OK);
}

/* --- what a lane needs --------------------------------------------------- */

START_TEST(hal__required_functions)
{
	struct vblk_config c = queues(2);
	struct vblk_hal h;

	mmio_up(&c);
#define NEEDS(field, mm) \
	do { \
		h = full; \
		h.field = NULL; \
		expect(vblk_lane_init(&lane, rig.dev, mm, 3, &h, &hal), \
		       VBLK_EINVAL); \
	} while (0)
	NEEDS(submit, NULL);
	NEEDS(signal, NULL);
	NEEDS(reply, &rig.mm);
	expect(vblk_lane_init(&lane, rig.dev, NULL, 3, &least, &hal), VBLK_OK);
	expect(lane.queues, 3);
	expect(vblk_lane_init(&lane, rig.dev, &rig.mm, UINT64_MAX, &full, &hal),
	       VBLK_OK);
	expect(lane.queues, 3);
	c.on_demand = true;
	c.regions = 20;
	rig_open_bare(&c);
	NEEDS(map, NULL);
	NEEDS(unmap, NULL);
	expect(vblk_lane_init(&lane, rig.dev, NULL, 1, &full, &hal), VBLK_OK);
#undef NEEDS
}
END_TEST

static int step_lane(uint64_t wait_ns)
{
	hal.waits = 0;
	return vblk_lane_step(&lane, wait_ns);
}

START_TEST(hal_EV_1__step)
{
	struct vblk_config c = queues(1);

	lane_up(&c);
	for (unsigned i = 0; i < 20; i++) {
		hal.event[i].kind = VBLK_EV_KICK;
		hal.event[i].u.kick.queue = 0;
	}
	hal.events = 20;
	(void)ask(0, VBLK_T_FLUSH, 0, 0);
	expect(step_lane(99), VBLK_BATCH);
	expect(hal.waited, 99);
	calls("s");
	expect(step_lane(99), 20 - VBLK_BATCH);
	expect(step_lane(99), 0);
	expect(step_lane(7), -5);
	expect(vblk_lane_init(&lane, rig.dev, NULL, 1, &least, &hal), VBLK_OK);
	expect(vblk_lane_step(&lane, 1), VBLK_EINVAL);
}
END_TEST

START_TEST(hal__malformed_events)
{
	struct vblk_config c = queues(1);
	struct vblk_event e;

	lane_up(&c);
	memset(&e, 0, sizeof(e));
	e.kind = (enum vblk_event_kind)99;
	expect(vblk_lane_event(&lane, &e), VBLK_EINVAL);
	expect(say_done(0, 0, 0), VBLK_EINVAL);
	expect(say_done(7, 0, 0), VBLK_EINVAL);
	expect(say_done(0, 999, 0), VBLK_EINVAL);
	e.kind = VBLK_EV_KICK;
	e.u.kick.queue = 70;
	expect(vblk_lane_event(&lane, &e), VBLK_OK);
	expect(vblk_lane_drain(&lane), false);
	calls("");
	expect(vblk_lane_init(&lane, rig.dev, NULL, 1, &least, &hal), VBLK_OK);
	e.kind = VBLK_EV_ACCESS;
	expect(vblk_lane_event(&lane, &e), VBLK_EINVAL);
}
END_TEST

/* --- SUB ----------------------------------------------------------------- */

START_TEST(hal_SUB_1__refused_tail_is_offered_again_in_order)
{
	struct vblk_config c = queues(2);
	unsigned next[2] = { 0, 0 };

	lane_up(&c);
	for (unsigned i = 0; i < 5; i++)
		(void)ask(0, VBLK_T_IN, i, SECTOR);
	for (unsigned i = 0; i < 5; i++)
		(void)ask(1, VBLK_T_IN, 100 + i, SECTOR);
	hal.accept = 2;
	guest_wr(NOTIFY, 0);
	guest_wr(NOTIFY, 1);
	quiet();
	expect(vblk_lane_drain(&lane), false);
	calls("s");
	expect(hal.taken, 2);
	/* nothing more is asked for while it waits */
	expect(vblk_lane_drain(&lane), false);
	calls("s");
	hal.accept = 1;
	expect(say_done(hal.req[0].queue, hal.req[0].tag, 0), VBLK_OK);
	expect(vblk_lane_drain(&lane), false);
	calls("us");
	expect(hal.taken, 3);
	hal.accept = -1;
	expect(say_done(hal.req[1].queue, hal.req[1].tag, 0), VBLK_OK);
	while (vblk_lane_drain(&lane))
		;
	expect(hal.taken, 10);
	for (unsigned i = 0; i < 10; i++) {
		uint16_t q = hal.req[i].queue;

		expect(hal.req[i].sector, 100u * q + next[q]++);
	}
	all_done();
	while (vblk_lane_drain(&lane))
		;
}
END_TEST

/* A lane that got 0 of the first batch offers it, not the next. */
START_TEST(hal_SUB_1__nothing_accepted)
{
	struct vblk_config c = queues(1);

	lane_up(&c);
	(void)ask(0, VBLK_T_IN, 3, SECTOR);
	hal.accept = 0;
	guest_wr(NOTIFY, 0);
	expect(vblk_lane_drain(&lane), false);
	expect(hal.taken, 0);
	(void)ask(0, VBLK_T_IN, 4, SECTOR);
	guest_wr(NOTIFY, 0);
	expect(vblk_lane_drain(&lane), false);
	hal.accept = -1;
	while (vblk_lane_drain(&lane))
		;
	expect(hal.taken, 2);
	expect(hal.req[0].sector, 3);
	expect(hal.req[1].sector, 4);
}
END_TEST

START_TEST(hal_SUB_1__stop_of_one_queue_spares_the_other)
{
	struct vblk_config c = queues(2);
	struct op o[3], p;

	lane_up(&c);
	p = ask(1, VBLK_T_IN, 50, SECTOR);
	guest_wr(NOTIFY, 1);
	(void)vblk_lane_drain(&lane);
	for (unsigned i = 0; i < 3; i++)
		o[i] = ask(0, VBLK_T_IN, i, SECTOR);
	hal.accept = 1;
	guest_wr(NOTIFY, 0);
	(void)vblk_lane_drain(&lane);
	expect(hal.taken, 2);
	quiet();
	guest_wr(SEL, 1);
	guest_wr(READY, 0);
	hal.accept = -1;
	expect(say_done(1, hal.req[0].tag, 0), VBLK_OK);
	(void)vblk_lane_drain(&lane);
	expect(status_of(p), 0);
	expect(hal.taken, 4);
	all_done();
	(void)vblk_lane_drain(&lane);
	for (unsigned i = 0; i < 3; i++)
		expect(status_of(o[i]), VBLK_S_OK);
}
END_TEST

START_TEST(hal_SUB_3__status_of_a_done)
{
	static const struct {
		uint8_t says, comes;
	} t[] = {
		{ 0, 0 }, { 1, 1 }, { 2, 2 }, { 3, 1 }, { 255, 1 },
	};
	struct vblk_config c = queues(1);

	lane_up(&c);
	for (unsigned i = 0; i < COUNT(t); i++) {
		struct op o = ask(0, VBLK_T_FLUSH, 0, 0);

		hal.taken = 0;
		guest_wr(NOTIFY, 0);
		(void)vblk_lane_drain(&lane);
		expect(say_done(0, hal.req[0].tag, t[i].says), VBLK_OK);
		expect(say_done(0, hal.req[0].tag, t[i].says), VBLK_EINVAL);
		(void)vblk_lane_drain(&lane);
		used_is(0, o.head, 1);
		expect(status_of(o), t[i].comes);
	}
	expect(hal.traces & 0x1e, 0x1e);
}
END_TEST

START_TEST(bound__drain_is_fair_and_ends)
{
	struct vblk_config c = queues(3);
	unsigned n = 0;

	c.queue_size = 64;
	c.slots = 2;
	lane_up(&c);
	for (unsigned i = 0; i < 12; i++)
		for (uint16_t q = 0; q < 3; q++)
			(void)ask(q, VBLK_T_FLUSH, 0, 0);
	for (uint16_t q = 0; q < 3; q++)
		guest_wr(NOTIFY, q);
	for (; hal.taken < 36; n++) {
		check_that(n < 100, "expected 36 requests, came %u", hal.taken);
		(void)vblk_lane_drain(&lane);
		all_done();
	}
	/* the slots bound what each queue gets at once */
	for (unsigned i = 0; i + 6 <= 36; i += 6)
		for (uint16_t q = 0; q < 3; q++) {
			unsigned mine = 0;

			for (unsigned k = i; k < i + 6; k++)
				mine += hal.req[k].queue == q;
			expect(mine, 2);
		}
	/* a queue of chains that the device answers itself: steps end */
	for (unsigned i = 0; i < 20; i++)
		(void)ask(0, 99, 0, 0);
	guest_wr(NOTIFY, 0);
	while (vblk_lane_drain(&lane))
		check_that(n++ < 200, "expected an end of draining");
	expect(get16(rig.ring[0].used + 2), 32);
}
END_TEST

/* With more made available than four rounds of a batch take, drain says so. */
START_TEST(bound__drain_says_that_there_is_more)
{
	struct vblk_config c = queues(1);
	unsigned n = 0;

	c.queue_size = 256;
	lane_up(&c);
	for (unsigned i = 0; i < 100; i++)
		(void)ask(0, VBLK_T_FLUSH, 0, 0);
	guest_wr(NOTIFY, 0);
	expect(vblk_lane_drain(&lane), true);
	expect(hal.taken, 64);
	hal.events = 0;
	(void)step_lane(50);        /* more was not asked by step */
	expect(hal.waited, 50);
	while (vblk_lane_drain(&lane))
		check_that(n++ < 9, "expected an end of draining");
	expect(hal.taken, 100);
	all_done();
	for (unsigned i = 0; i < 80; i++)
		(void)ask(0, VBLK_T_FLUSH, 0, 0);
	guest_wr(NOTIFY, 0);
	(void)step_lane(50);
	(void)step_lane(50);
	expect(hal.waited, 0);
}
END_TEST

/* vhost-user: no registers, and a platform that cannot cancel. */
START_TEST(hal__least_platform)
{
	struct vblk_config c = queues(2);
	struct op o;

	recorder();
	rig_start(&c);
	expect(vblk_lane_init(&lane, rig.dev, NULL, 2, &least, &hal), VBLK_OK);
	o = ask(1, VBLK_T_IN, 0, SECTOR);
	(void)ask(0, VBLK_T_IN, 0, SECTOR);
	expect(poll_queue(0), 1);       /* somebody else serves queue 0 */
	vblk_lane_resume(&lane);
	(void)vblk_lane_drain(&lane);
	calls("us");
	stop_event();
	expect(vblk_lane_stopped(&lane), false);
	all_done();
	expect(vblk_lane_drain(&lane), false);
	calls("u");
	expect(vblk_lane_stopped(&lane), true);
	used_is(1, o.head, 513);
}
END_TEST

START_TEST(hal__platform_that_cannot_cancel)
{
	struct vblk_config c = queues(1);
	struct vblk_hal h = full;

	lane_up(&c);
	h.cancel = NULL;
	expect(vblk_lane_init(&lane, rig.dev, &rig.mm, 1, &h, &hal), VBLK_OK);
	(void)ask(0, VBLK_T_IN, 0, SECTOR);
	guest_wr(NOTIFY, 0);
	(void)vblk_lane_drain(&lane);
	quiet();
	guest_wr(STATUS, 0);
	calls("v");
	all_done();
	(void)vblk_lane_drain(&lane);
	calls("vrd");
}
END_TEST

/* --- SIG ----------------------------------------------------------------- */

START_TEST(hal_SIG_2__up_for_each_obligation)
{
	struct vblk_config c = queues(2);

	lane_up(&c);
	for (unsigned i = 0; i < 3; i++) {
		(void)ask(0, VBLK_T_FLUSH, 0, 0);
		hal.taken = 0;
		guest_wr(NOTIFY, 0);
		(void)vblk_lane_drain(&lane);
		quiet();
		all_done();
		(void)vblk_lane_drain(&lane);
		calls("u");             /* though not yet acknowledged */
		expect(hal.source[0], 0);
		expect(rd(INT_STATUS), 1);
	}
	/* suppressed by the driver: none */
	put16(rig.ring[1].avail, 1);
	(void)ask(1, VBLK_T_FLUSH, 0, 0);
	guest_wr(NOTIFY, 1);
	(void)vblk_lane_drain(&lane);
	quiet();
	hal.taken = 0;
	expect(say_done(1, 0, 0), VBLK_OK);
	(void)vblk_lane_drain(&lane);
	calls("");
	/* one for a batch */
	put16(rig.ring[1].avail, 0);
	for (unsigned i = 0; i < 5; i++)
		(void)ask(1, VBLK_T_FLUSH, 0, 0);
	hal.taken = 0;
	guest_wr(NOTIFY, 1);
	(void)vblk_lane_drain(&lane);
	quiet();
	all_done();
	(void)vblk_lane_drain(&lane);
	calls("u");
	expect(hal.source[0], 1);
}
END_TEST

START_TEST(hal_SIG_2__fault_is_signalled_once)
{
	struct vblk_config c = queues(2);

	lane_up(&c);
	offer(0, 99);
	offer(1, 99);
	guest_wr(NOTIFY, 0);
	quiet();
	(void)vblk_lane_drain(&lane);
	calls("u");
	expect(hal.source[0], VBLK_SOURCE_CONFIG);
	expect(rd(STATUS), 15 | 64);
	ck_assert_str_eq(vblk_queue_fault(rig.dev, 0), "2.7.6");
	ck_assert_ptr_null(vblk_queue_fault(rig.dev, 1));
	ck_assert_ptr_null(vblk_queue_fault(rig.dev, 2));
	guest_wr(NOTIFY, 0);
	(void)vblk_lane_drain(&lane);
	calls("r");
	guest_wr(INT_ACK, 2);
	calls("rd");
	/* the second queue's fault: announced already and acknowledged */
	guest_wr(NOTIFY, 1);
	(void)vblk_lane_drain(&lane);
	calls("r");
	expect(hal.traces >> VBLK_TRACE_FAULT & 1, 1);
	/* after a reset anew */
	guest_wr(STATUS, 0);
	fill(RAM, 0, 0x20000);
	rig.ring[0].avail_idx = 0;
	guest_wr(STATUS, 3);
	guest_wr(0x024, 1);
	guest_wr(0x020, 1);
	guest_wr(STATUS, 11);
	mmio_queue(0);
	guest_wr(STATUS, 15);
	(void)vblk_lane_drain(&lane);
	offer(0, 99);
	guest_wr(NOTIFY, 0);
	quiet();
	(void)vblk_lane_drain(&lane);
	calls("u");
	/* without registers the port tells the driver */
	rig_start(&c);
	expect(vblk_lane_init(&lane, rig.dev, NULL, 3, &least, &hal), VBLK_OK);
	vblk_lane_resume(&lane);
	(void)vblk_lane_drain(&lane);
	quiet();
	offer(0, 99);
	vblk_lane_resume(&lane);
	(void)vblk_lane_drain(&lane);
	calls("uu");
}
END_TEST

START_TEST(hal_SIG_3__down_after_all_is_acknowledged)
{
	struct vblk_config c = queues(1);

	lane_up(&c);
	vblk_mmio_config_changed(&rig.mm);
	vblk_mmio_raise(&rig.mm, 0);
	guest_wr(INT_ACK, 1);
	calls("r");
	expect(guest_rd(INT_STATUS), 2);
	quiet();
	guest_wr(INT_ACK, 2);
	calls("rd");
	/* a reset that is done at once lowers it too */
	vblk_mmio_raise(&rig.mm, 0);
	guest_wr(STATUS, 0);
	calls("vrd");
}
END_TEST

/* Another lane raises while this one lowers: seen again, not lost. */
static void racing_signal(void *ctx, uint16_t source, bool up)
{
	static unsigned races;

	(void)ctx;
	(void)source;
	note(up ? 'u' : 'd');
	if (!up && races++ == 0)
		vblk_mmio_raise(&rig.mm, 0);
}

START_TEST(hal_SIG_3__raise_while_lowering)
{
	struct vblk_config c = queues(1);
	struct vblk_hal h = full;

	lane_up(&c);
	h.signal = racing_signal;
	expect(vblk_lane_init(&lane, rig.dev, &rig.mm, 1, &h, &hal), VBLK_OK);
	vblk_mmio_raise(&rig.mm, 0);
	guest_wr(INT_ACK, 3);
	calls("rdu");
}
END_TEST

/* --- ACC ----------------------------------------------------------------- */

START_TEST(hal_ACC_1__every_access_once)
{
	struct vblk_config c = queues(2);

	lane_up(&c);
	for (uint32_t at = 0; at < 0x210; at++) {
		access_(false, at, 0, at);
		expect(hal.replies, 1);
		expect(hal.replied[0], at);
		quiet();
		if (at != STATUS && at != READY && at != QRESET) {
			access_(true, at, 0, at);
			expect(hal.replies, 1);
			expect(hal.replied[0], at);
			quiet();
		}
	}
	expect(guest_rd(0), 0x74726976);
}
END_TEST

START_TEST(hal_ACC_1__upper_half_of_value)
{
	struct vblk_config c = queues(2);

	lane_up(&c);
	(void)ask(0, VBLK_T_FLUSH, 0, 0);
	access_(true, NOTIFY, UINT64_C(0x100000000), 1);
	calls("r");
	(void)vblk_lane_drain(&lane);
	calls("s");
}
END_TEST

START_TEST(hal_ACC_1__held_accesses_are_answered_once)
{
	struct vblk_config c = queues(2);
	struct op o;

	lane_up(&c);
	o = ask(0, VBLK_T_IN, 0, SECTOR);
	guest_wr(NOTIFY, 0);
	(void)vblk_lane_drain(&lane);
	quiet();
	access_(true, STATUS, 0, 100);
	calls("vc");                    /* stored, cancelled, not answered */
	access_(true, STATUS, 0, 101);
	expect(hal.replies, 0);
	quiet();
	/* others are answered at once, and nothing else happens */
	expect(guest_rd(STATUS), 15);
	guest_wr(NOTIFY, 0);
	guest_wr(SEL, 1);
	calls("rrr");
	(void)vblk_lane_drain(&lane);
	calls("");
	expect(say_done(0, hal.req[0].tag, 1), VBLK_OK);
	(void)vblk_lane_drain(&lane);
	calls("vrrd");
	expect(rd(STATUS), 0);
	expect(hal.status_at_save, 0);
	(void)vblk_lane_drain(&lane);
	calls("");
	used_is(0, o.head, 0);
}
END_TEST

START_TEST(hal_ACC_1__more_held_than_there_is_room_for)
{
	struct vblk_config c = queues(1);

	lane_up(&c);
	(void)ask(0, VBLK_T_IN, 0, SECTOR);
	guest_wr(NOTIFY, 0);
	(void)vblk_lane_drain(&lane);
	quiet();
	for (uintptr_t i = 0; i < VBLK_MAX_HELD; i++)
		access_(true, STATUS, 0, i);
	expect(hal.replies, 0);
	access_(true, STATUS, 0, 77);
	expect(hal.replies, 1);
	expect(hal.replied[0], 77);
	quiet();
	expect(say_done(0, 0, 0), VBLK_OK);
	(void)vblk_lane_drain(&lane);
	expect(hal.replies, VBLK_MAX_HELD);
	for (uintptr_t i = 0; i < VBLK_MAX_HELD; i++)
		expect(hal.replied[i], i);
}
END_TEST

START_TEST(hal_ACC_1__queue_stop_ends_what_was_refused)
{
	struct vblk_config c = queues(1);
	struct op o[4];

	lane_up(&c);
	for (unsigned i = 0; i < 4; i++)
		o[i] = ask(0, VBLK_T_IN, i, SECTOR);
	hal.accept = 1;
	guest_wr(NOTIFY, 0);
	(void)vblk_lane_drain(&lane);
	quiet();
	guest_wr(READY, 0);
	calls("vc");
	expect(say_done(0, hal.req[0].tag, 0), VBLK_OK);
	hal.accept = -1;
	(void)vblk_lane_drain(&lane);
	expect(hal.replies, 1);
	expect(hal.taken, 1);           /* never started */
	expect(rd(READY), 0);
	expect(status_of(o[0]), 0);
	for (unsigned i = 1; i < 4; i++)
		expect(status_of(o[i]), VBLK_S_IOERR);
	/* all refused: settled in the same access */
	mmio_queue(0);
	fill(RAM, 0, 0x8000);
	rig.ring[0].avail_idx = rig.ring[0].used_idx = 0;
	(void)ask(0, VBLK_T_IN, 0, SECTOR);
	hal.accept = 0;
	guest_wr(NOTIFY, 0);
	(void)vblk_lane_drain(&lane);
	quiet();
	guest_wr(READY, 0);
	expect(hal.replies, 1);
	expect(rd(READY), 0);
}
END_TEST

START_TEST(hal_ACC_4__kick_is_answered_first)
{
	struct vblk_config c = queues(1);

	lane_up(&c);
	(void)ask(0, VBLK_T_IN, 0, SECTOR);
	guest_wr(NOTIFY, 0);
	calls("r");
	(void)vblk_lane_drain(&lane);
	calls("s");
}
END_TEST

START_TEST(hal_SAV_1__save_before_the_answer)
{
	struct vblk_config c = queues(1);
	struct vblk_hal h = full;

	lane_up(&c);
	guest_wr(STATUS, 0x80);
	expect(hal.status_at_save, 0x8f);       /* after the change */
	calls("vr");
	guest_wr(SEL, 0);
	calls("vr");
	guest_wr(NOTIFY, 0);
	guest_wr(INT_ACK, 3);
	expect(hal.n, 3);
	quiet();
	guest_wr(STATUS, 0);
	expect(hal.status_at_save, 0);
	calls("vrd");
	/* optional */
	h.save = NULL;
	expect(vblk_lane_init(&lane, rig.dev, &rig.mm, 1, &h, &hal), VBLK_OK);
	guest_wr(STATUS, 1);
	calls("r");
}
END_TEST

/* --- several lanes ------------------------------------------------------- */

START_TEST(hal__lanes_serve_their_queues)
{
	struct vblk_config c = queues(2);
	struct vblk_access a = { NOTIFY, 1, 0, 4, true };
	static struct vblk_lane other;
	struct vblk_event e;
	uint16_t q = 9;

	lane_up(&c);
	expect(vblk_lane_init(&lane, rig.dev, &rig.mm, 1, &full, &hal),
	       VBLK_OK);
	expect(vblk_lane_init(&other, rig.dev, &rig.mm, 2, &full, &hal),
	       VBLK_OK);
	expect(vblk_mmio_notifies(&rig.mm, &a, &q), true);
	expect(q, 1);
	a.value = 0x10000;
	expect(vblk_mmio_notifies(&rig.mm, &a, &q), false);
	a.value = 1;
	a.size = 2;
	expect(vblk_mmio_notifies(&rig.mm, &a, &q), false);
	a.size = 4;
	a.write = false;
	expect(vblk_mmio_notifies(&rig.mm, &a, &q), false);
	a.write = true;
	a.offset = 0x54;
	expect(vblk_mmio_notifies(&rig.mm, &a, &q), false);
	(void)ask(1, VBLK_T_FLUSH, 0, 0);
	guest_wr(NOTIFY, 1);            /* not this lane's queue */
	(void)vblk_lane_drain(&lane);
	calls("r");
	memset(&e, 0, sizeof(e));
	e.kind = VBLK_EV_KICK;
	e.u.kick.queue = 1;
	expect(vblk_lane_event(&other, &e), VBLK_OK);
	(void)vblk_lane_drain(&other);
	calls("s");
	/* only the lane with queue 0 answers what was held */
	guest_wr(STATUS, 0);
	calls("v");
	expect(vblk_complete(rig.dev, 1, hal.req[0].tag, VBLK_S_OK, 0),
	       VBLK_OK);
	(void)vblk_lane_drain(&other);
	calls("");
	(void)vblk_lane_drain(&lane);
	calls("vrd");
}
END_TEST

/* --- MAP ----------------------------------------------------------------- */

static struct vblk_config on_demand(void)
{
	struct vblk_config c = plain();

	c.on_demand = true;
	c.segs = 4;
	c.regions = 9;
	return c;
}

/* perm: of what map gives. */
static void demand_up_as(const struct vblk_config *c, uint32_t perm)
{
	recorder();
	hal.perm = perm;
	rig_open_bare(c);
	(void)ram_new(RAM, RAM_LEN);
	vblk_mmio_init(&rig.mm, rig.dev, 0, NULL);
	expect(vblk_lane_init(&lane, rig.dev, &rig.mm, UINT64_MAX, &full, &hal),
	       VBLK_OK);
	expect(mmio_negotiate(vblk_features(rig.dev)), 11);
	mmio_queue(0);
	guest_wr(STATUS, 15);
	while (vblk_lane_drain(&lane))
		;
	quiet();
}

static void demand_up(const struct vblk_config *c)
{
	demand_up_as(c, VBLK_RW);
}

/* 2.7.10: while the platform drains all the time the driver need not notify. */
START_TEST(hal__no_rearm_while_it_is_polled)
{
	struct vblk_config c = queues(1);

	lane_up(&c);
	lane.no_rearm = true;
	(void)ask(0, VBLK_T_FLUSH, 0, 0);
	guest_wr(NOTIFY, 0);
	(void)vblk_lane_drain(&lane);
	expect(hal.taken, 1);
	expect(get16(rig.ring[0].used), VBLK_USED_NO_NOTIFY);
	/* found without a notification, again and again */
	for (unsigned i = 2; i < 5; i++) {
		(void)ask(0, VBLK_T_FLUSH, 0, 0);
		expect(vblk_lane_drain(&lane), false);
		expect(hal.taken, i);
	}
	lane.no_rearm = false;
	(void)vblk_lane_drain(&lane);
	expect(get16(rig.ring[0].used), 0);
	(void)ask(0, VBLK_T_FLUSH, 0, 0);
	expect(vblk_lane_drain(&lane), false);
	expect(hal.taken, 4);
}
END_TEST

START_TEST(hal_MAP_1__on_demand_within_the_cap)
{
	struct vblk_config c = on_demand();

	demand_up(&c);
	expect(hal.mapped, 3);
	for (unsigned i = 0; i < 60; i++) {
		struct op o;
		unsigned n = 0;

		rig.next_buf = DATA + PAGE * (3u * i % 50u) + PAGE - 700;
		o = ask(0, i % 2 ? VBLK_T_IN : VBLK_T_OUT, i, 2 * SECTOR);
		hal.taken = 0;
		guest_wr(NOTIFY, 0);
		while (vblk_lane_drain(&lane))
			check_that(n++ < 50, "expected an end of draining");
		expect(hal.taken, 1);
		expect(hal.req[0].sector, i);
		expect(hal.req[0].num_segs, 2);
		all_done();
		(void)vblk_lane_drain(&lane);
		used_is(0, o.head, i % 2 ? 1025 : 1);
		expect(status_of(o), 0);
		quiet();
	}
	check_that(hal.most <= 9, "mapped: expected at most 9, came %u",
		   hal.most);
	expect(hal.traces >> VBLK_TRACE_MAP & 3, 3);
}
END_TEST

/* Whichever has requests is served, whatever the other waits for. */
START_TEST(hal_MAP_1__queues_do_not_wait_for_each_other)
{
	struct vblk_config c = on_demand();
	uint16_t q = (uint16_t)_i;
	struct op o;

	c.num_queues = 2;
	c.regions = 12;
	recorder();
	rig_open_bare(&c);
	(void)ram_new(RAM, RAM_LEN);
	vblk_mmio_init(&rig.mm, rig.dev, 0, NULL);
	expect(vblk_lane_init(&lane, rig.dev, &rig.mm, 3, &full, &hal),
	       VBLK_OK);
	expect(mmio_negotiate(vblk_features(rig.dev)), 11);
	mmio_queue(0);
	mmio_queue(1);
	guest_wr(STATUS, 15);
	for (unsigned i = 0; i < 20; i++)
		(void)vblk_lane_drain(&lane);
	for (unsigned i = 0; i < 5; i++) {
		rig.next_buf = DATA + 0x4000 * i;
		o = ask(q, VBLK_T_IN, 0, SECTOR);
		guest_wr(NOTIFY, q);
		hal.taken = 0;
		for (unsigned k = 0; k < 20; k++)
			(void)vblk_lane_drain(&lane);
		expect(hal.taken, 1);
		all_done();
		(void)vblk_lane_drain(&lane);
		used_is(q, o.head, 513);
	}
}
END_TEST

/* Queue 0 asks first; queue 1 must not be forgotten when 0 got through. */
START_TEST(hal_MAP_1__who_had_to_wait_is_served)
{
	struct vblk_config c = on_demand();
	struct op o;

	c.num_queues = 2;
	c.regions = 12;
	recorder();
	rig_open_bare(&c);
	(void)ram_new(RAM, RAM_LEN);
	vblk_mmio_init(&rig.mm, rig.dev, 0, NULL);
	expect(vblk_lane_init(&lane, rig.dev, &rig.mm, 3, &full, &hal),
	       VBLK_OK);
	expect(mmio_negotiate(vblk_features(rig.dev)), 11);
	mmio_queue(0);
	mmio_queue(1);
	o = ask(1, _i ? 99 : VBLK_T_FLUSH, 0, 0);
	guest_wr(STATUS, 15);
	/* only as long as the lane itself says that there is more */
	while (vblk_lane_drain(&lane))
		;
	expect(lane.kicked, 0);
	if (_i)
		used_is(1, o.head, 1);
	else
		expect(hal.taken, 1);
}
END_TEST

/*
 * A QueueReset that ends later is stored, so that a restart does not repeat it.
 */
START_TEST(hal_SAV_1__end_of_a_queue_reset_is_stored)
{
	struct vblk_config c = plain();

	c.features |= VBLK_F_RING_RESET;
	lane_up(&c);
	(void)ask(0, VBLK_T_IN, 0, SECTOR);
	guest_wr(NOTIFY, 0);
	(void)vblk_lane_drain(&lane);
	guest_wr(0x030, 0);
	guest_wr(0x0c0, 1);
	expect(vblk_mmio_waits(&rig.mm), 1);
	quiet();
	all_done();
	(void)vblk_lane_drain(&lane);
	expect(vblk_mmio_waits(&rig.mm), 0);
	check_that(strchr(hal.log, 'v') != NULL,
		   "HAL calls: expected a save among them, came \"%s\"",
		   hal.log);
}
END_TEST

START_TEST(hal_MAP_2__no_such_memory)
{
	struct vblk_config c = on_demand();
	struct op o;

	demand_up(&c);
	o = ask(0, VBLK_T_IN, 0, SECTOR);
	put64(rig.ring[0].desc + 16u * (o.head + 1u), 0x7000);
	guest_wr(NOTIFY, 0);
	while (vblk_lane_drain(&lane))
		;
	expect(hal.taken, 0);
	used_is(0, o.head, 0);
	expect(status_of(o), VBLK_S_IOERR);
}
END_TEST

START_TEST(hal_MAP_2__asked_for_elsewhere)
{
	struct vblk_config c = on_demand();
	struct op o;

	demand_up(&c);
	o = ask(0, VBLK_T_IN, 0, SECTOR);
	hal.map_says = VBLK_EUNMAPPED;
	guest_wr(NOTIFY, 0);
	quiet();
	/* nothing is in flight, and yet it is not taken for no memory */
	for (unsigned i = 0; i < 20; i++)
		expect(vblk_lane_drain(&lane), false);
	expect(hal.taken, 0);
	hal.map_says = VBLK_OK;
	while (vblk_lane_drain(&lane))
		;
	expect(hal.taken, 1);
	all_done();
	(void)vblk_lane_drain(&lane);
	used_is(0, o.head, SECTOR + 1);
	expect(status_of(o), VBLK_S_OK);
}
END_TEST

START_TEST(hal_MAP_2__busy_gives_up_regions_then_waits)
{
	struct vblk_config c = on_demand();
	struct op o;

	demand_up(&c);
	/* something idle to give up */
	o = ask(0, VBLK_T_FLUSH, 0, 0);
	guest_wr(NOTIFY, 0);
	while (vblk_lane_drain(&lane))
		;
	all_done();
	(void)vblk_lane_drain(&lane);
	quiet();
	rig.next_buf = DATA + 0x10000;
	o = ask(0, VBLK_T_FLUSH, 0, 0);
	hal.busy = 1;
	hal.taken = 0;
	guest_wr(NOTIFY, 0);
	quiet();
	while (vblk_lane_drain(&lane))
		;
	expect(hal.taken, 1);
	check_that(strncmp(hal.log, "mxm", 3) == 0,
		   "expected map, unmap, map; came %s", hal.log);
	/* nothing idle: waits for a DONE, then asks again */
	rig.next_buf = DATA + 0x20000;
	o = ask(0, VBLK_T_FLUSH, 0, 0);
	hal.busy = 1000;
	guest_wr(NOTIFY, 0);
	quiet();
	expect(vblk_lane_drain(&lane), false);
	calls("m");
	hal.busy = 0;
	all_done();
	while (vblk_lane_drain(&lane))
		;
	expect(hal.taken, 2);
	(void)o;
}
END_TEST

/* Regions so small that the rings alone fill the table: it ends. */
START_TEST(bound__mapping_that_gets_nowhere)
{
	struct vblk_config c = on_demand();
	unsigned n = 0;

	recorder();
	rig_open_bare(&c);
	(void)ram_new(RAM, RAM_LEN);
	hal.map_span = 16;
	vblk_mmio_init(&rig.mm, rig.dev, 0, NULL);
	expect(vblk_lane_init(&lane, rig.dev, &rig.mm, 1, &full, &hal),
	       VBLK_OK);
	expect(mmio_negotiate(vblk_features(rig.dev)), 11);
	mmio_queue(0);
	guest_wr(STATUS, 15);
	while (vblk_lane_drain(&lane))
		check_that(n++ < 20, "expected an end of draining");
	check_that(hal.most <= 9, "mapped: expected at most 9, came %u",
		   hal.most);
	guest_wr(STATUS, 0);
	expect(rd(STATUS), 0);
}
END_TEST

START_TEST(hal_MAP_1__a_region_that_is_none_is_given_back)
{
	struct vblk_config c = on_demand();
	struct vblk_stats st;

	demand_up(&c);
	(void)ask(0, VBLK_T_FLUSH, 0, 0);
	hal.map_bad = true;
	guest_wr(NOTIFY, 0);
	quiet();
	expect(vblk_lane_drain(&lane), false);
	/* once more with an empty cache, then it counts as no memory */
	calls("mxmxu");
	vblk_stats(rig.dev, &st);
	expect(st.contained, 1);
	expect(hal.taken, 0);
}
END_TEST

/* A held QueueReady = 0 may be over before the lane comes to look. */
START_TEST(hal_ACC_1__held_access_settled_by_another)
{
	struct vblk_config c = queues(2);

	lane_up(&c);
	(void)ask(0, VBLK_T_IN, 0, SECTOR);
	guest_wr(NOTIFY, 0);
	(void)vblk_lane_drain(&lane);
	guest_wr(0x030, 0);
	hal.replies = 0;
	guest_wr(0x044, 0);
	expect(hal.replies, 0);
	all_done();
	guest_wr(STATUS, 0);
	while (vblk_lane_drain(&lane))
		;
	expect(hal.replies, 2);
}
END_TEST

/* A store that is always full must not serve one queue only. */
START_TEST(hal_SUB_1__full_store_serves_all_queues)
{
	struct vblk_config c = queues(2);
	unsigned served[2] = { 0, 0 };

	c.queue_size = 16;
	lane_up(&c);
	for (unsigned i = 0; i < 6; i++) {
		(void)ask(0, VBLK_T_FLUSH, 0, 0);
		(void)ask(1, VBLK_T_FLUSH, 0, 0);
	}
	guest_wr(NOTIFY, 0);
	guest_wr(NOTIFY, 1);
	for (unsigned i = 0; i < 60; i++) {
		uint16_t q;

		hal.accept = 1;
		hal.taken = 0;
		(void)vblk_lane_drain(&lane);
		expect(hal.taken, 1);
		q = hal.req[0].queue;
		served[q]++;
		all_done();
		/* both are kept full */
		(void)ask(q, VBLK_T_FLUSH, 0, 0);
		guest_wr(NOTIFY, q);
	}
	check_that(served[0] > 10 && served[1] > 10,
		   "expected both queues served, came %u and %u", served[0],
		   served[1]);
}
END_TEST

START_TEST(hal_MAP_4__unmap_once_when_the_last_request_is_done)
{
	struct vblk_config c = on_demand();
	struct op o;

	demand_up(&c);
	o = ask(0, VBLK_T_IN, 0, SECTOR);
	guest_wr(NOTIFY, 0);
	while (vblk_lane_drain(&lane))
		;
	quiet();
	unmap_event(o.data, 1);
	(void)vblk_lane_drain(&lane);
	calls("");
	/* what comes now waits behind it */
	(void)ask(0, VBLK_T_FLUSH, 0, 0);
	guest_wr(NOTIFY, 0);
	(void)vblk_lane_drain(&lane);
	calls("r");
	all_done();
	while (vblk_lane_drain(&lane))
		;
	calls("xums");
	/* idle: at once; and a ring's region faults its queue */
	all_done();
	while (vblk_lane_drain(&lane))
		;
	quiet();
	unmap_event(o.data, 1);
	(void)vblk_lane_drain(&lane);
	calls("x");
	unmap_event(rig.ring[0].avail, 1);
	(void)vblk_lane_drain(&lane);
	calls("xu");
	expect(rd(STATUS), 15 | 64);
	(void)vblk_lane_drain(&lane);
	calls("");
}
END_TEST

/* A grant that is mapped cannot be ended: Linux gives up a device for that. */
START_TEST(hal_MAP_4__transient_goes_before_the_driver_knows)
{
	struct vblk_config c = on_demand();

	demand_up_as(&c, VBLK_RW | VBLK_TRANSIENT);
	(void)ask(0, VBLK_T_IN, 0, SECTOR);
	guest_wr(NOTIFY, 0);
	while (vblk_lane_drain(&lane))
		;
	quiet();
	all_done();
	while (vblk_lane_drain(&lane))
		;
	calls("xu");
	/* the rings, by a reset: before its answer */
	guest_wr(STATUS, 0);
	calls("vxxxrd");
	expect(hal.mapped, 0);
}
END_TEST

START_TEST(hal_MAP_4__transient_regions)
{
	struct vblk_config c = on_demand();
	struct op o;

	demand_up(&c);
	hal.perm = VBLK_RW | VBLK_TRANSIENT;
	for (unsigned i = 0; i < 4; i++) {
		rig.next_buf = DATA + 0x10000 * i;
		o = ask(0, VBLK_T_IN, 0, SECTOR);
		guest_wr(NOTIFY, 0);
		while (vblk_lane_drain(&lane))
			;
		expect(hal.mapped, 4);
		all_done();
		while (vblk_lane_drain(&lane))
			;
		expect(hal.mapped, 3);
		used_is(0, o.head, 513);
		quiet();
	}
}
END_TEST

/* --- LIFE ---------------------------------------------------------------- */

START_TEST(hal_LIFE_1__silence_after_stop)
{
	struct vblk_config c = queues(1);

	lane_up(&c);
	for (unsigned i = 0; i < 3; i++)
		(void)ask(0, VBLK_T_FLUSH, 0, 0);
	guest_wr(NOTIFY, 0);
	(void)vblk_lane_drain(&lane);
	expect(hal.taken, 3);
	expect(vblk_lane_stopped(&lane), false);
	stop_event();
	expect(vblk_lane_stopped(&lane), false);
	/* no new requests */
	(void)ask(0, VBLK_T_FLUSH, 0, 0);
	guest_wr(NOTIFY, 0);
	expect(vblk_lane_drain(&lane), false);
	expect(hal.taken, 3);
	all_done();
	expect(vblk_lane_stopped(&lane), true);
	quiet();
	expect(vblk_lane_drain(&lane), false);  /* tells of the last ones */
	calls("u");
	for (unsigned i = 0; i < 3; i++)
		expect(vblk_lane_drain(&lane), false);
	calls("");
}
END_TEST

/* What was refused is finished, not failed. */
START_TEST(hal_LIFE_1__stop_finishes_what_was_refused)
{
	struct vblk_config c = queues(1);
	struct op o[3];

	lane_up(&c);
	for (unsigned i = 0; i < 3; i++)
		o[i] = ask(0, VBLK_T_IN, i, SECTOR);
	hal.accept = 1;
	guest_wr(NOTIFY, 0);
	(void)vblk_lane_drain(&lane);
	stop_event();
	expect(vblk_lane_stopped(&lane), false);
	hal.accept = -1;
	for (unsigned i = 0; i < 4; i++) {
		all_done();
		(void)vblk_lane_drain(&lane);
	}
	expect(vblk_lane_stopped(&lane), true);
	for (unsigned i = 0; i < 3; i++)
		expect(status_of(o[i]), VBLK_S_OK);
}
END_TEST

static void add(TCase *tc)
{
	tcase_add_test(tc, hal__required_functions);
	tcase_add_test(tc, hal_EV_1__step);
	tcase_add_test(tc, hal__malformed_events);
	tcase_add_test(tc, hal_SUB_1__refused_tail_is_offered_again_in_order);
	tcase_add_test(tc, hal_SUB_1__nothing_accepted);
	tcase_add_test(tc, hal_SUB_1__stop_of_one_queue_spares_the_other);
	tcase_add_test(tc, hal_SUB_3__status_of_a_done);
	tcase_add_test(tc, bound__drain_is_fair_and_ends);
	tcase_add_test(tc, bound__drain_says_that_there_is_more);
	tcase_add_test(tc, hal__least_platform);
	tcase_add_test(tc, hal__platform_that_cannot_cancel);
	tcase_add_test(tc, hal_SIG_2__up_for_each_obligation);
	tcase_add_test(tc, hal_SIG_2__fault_is_signalled_once);
	tcase_add_test(tc, hal_SIG_3__down_after_all_is_acknowledged);
	tcase_add_test(tc, hal_SIG_3__raise_while_lowering);
	tcase_add_test(tc, hal_ACC_1__every_access_once);
	tcase_add_test(tc, hal_ACC_1__upper_half_of_value);
	tcase_add_test(tc, hal_ACC_1__held_accesses_are_answered_once);
	tcase_add_test(tc, hal_ACC_1__more_held_than_there_is_room_for);
	tcase_add_test(tc, hal_ACC_1__queue_stop_ends_what_was_refused);
	tcase_add_test(tc, hal_ACC_4__kick_is_answered_first);
	tcase_add_test(tc, hal_SAV_1__save_before_the_answer);
	tcase_add_test(tc, hal__lanes_serve_their_queues);
	tcase_add_test(tc, hal_MAP_1__on_demand_within_the_cap);
	tcase_add_loop_test(tc, hal_MAP_1__queues_do_not_wait_for_each_other, 0,
			    2);
	tcase_add_loop_test(tc, hal_MAP_1__who_had_to_wait_is_served, 0, 2);
	tcase_add_test(tc, hal_ACC_1__held_access_settled_by_another);
	tcase_add_test(tc, hal_SUB_1__full_store_serves_all_queues);
	tcase_add_test(tc, hal_SAV_1__end_of_a_queue_reset_is_stored);
	tcase_add_test(tc, hal_MAP_2__no_such_memory);
	tcase_add_test(tc, hal_MAP_2__asked_for_elsewhere);
	tcase_add_test(tc, hal__no_rearm_while_it_is_polled);
	tcase_add_test(tc, hal_MAP_2__busy_gives_up_regions_then_waits);
	tcase_add_test(tc, bound__mapping_that_gets_nowhere);
	tcase_add_test(tc, hal_MAP_1__a_region_that_is_none_is_given_back);
	tcase_add_test(tc, hal_MAP_4__unmap_once_when_the_last_request_is_done);
	tcase_add_test(tc, hal_MAP_4__transient_goes_before_the_driver_knows);
	tcase_add_test(tc, hal_MAP_4__transient_regions);
	tcase_add_test(tc, hal_LIFE_1__silence_after_stop);
	tcase_add_test(tc, hal_LIFE_1__stop_finishes_what_was_refused);
}

int main(void)
{
	return run_suite("lane", add);
}

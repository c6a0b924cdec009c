/* SPDX-License-Identifier: BSD-2-Clause */
/* SUSPEND, virtio 1.4, 3.4, and NOTIFICATION_DATA, 4.2.3.3, behind mmio. */
#include "util.h"
#include "vblk/hal.h"

#define SECTOR   512u
#define RUNNING  15u
#define SUSPEND  16u
#define ASLEEP   27u            /* SUSPEND instead of DRIVER_OK */

enum { SEL = 0x030, SIZE = 0x038, READY = 0x044, NOTIFY = 0x050,
	INT_STATUS = 0x060, INT_ACK = 0x064, STATUS = 0x070, QRESET = 0x0c0,
	GENERATION = 0x0fc, CONFIG = 0x100 };

static struct vblk_config sleeper(void)
{
	struct vblk_config c = plain();

	c.num_queues = 2;
	c.features |= VBLK_F_MQ | VBLK_F_SUSPEND | VBLK_F_RING_RESET |
		      VBLK_F_CONFIG_WCE;
	return c;
}

static void up(void)
{
	struct vblk_config c = sleeper();

	mmio_up(&c);
}

static void to_sleep(void)
{
	(void)wr(STATUS, RUNNING | SUSPEND);
	expect(vblk_mmio_settle(&rig.mm), true);
	expect(rd(STATUS), ASLEEP);
}

static void wake(void)
{
	expect(wr(STATUS, RUNNING), VBLK_FX_SAVE | VBLK_FX_START);
	expect(rd(STATUS), RUNNING);
}

static void there_and_back(uint16_t queue)
{
	struct op o = ask(queue, VBLK_T_IN, 1, SECTOR);

	expect(poll_queue(queue), 1);
	done(queue, 0, VBLK_S_OK);
	(void)vblk_irq(rig.dev, queue);
	used_is(queue, o.head, SECTOR + 1);
}

/* --- suspend -------------------------------------------------------------- */

/* Buffers in work are used first; those after are left for later. */
START_TEST(spec_3_4__suspends_when_all_is_used)
{
	struct op o[2];

	up();
	there_and_back(0);
	o[0] = ask(0, VBLK_T_IN, 2, SECTOR);
	expect(poll_queue(0), 1);
	expect(wr(STATUS, RUNNING | SUSPEND), VBLK_FX_SAVE);
	expect(vblk_mmio_waits(&rig.mm), 1);
	expect(vblk_mmio_settle(&rig.mm), true); /* nobody waits for it */
	expect(rd(STATUS), RUNNING);
	o[1] = ask(0, VBLK_T_IN, 3, SECTOR);
	expect(wr(NOTIFY, 0), 0);
	expect(vblk_poll(rig.dev, 0, &rig.req[1], 1), 0);
	(void)wr(STATUS, RUNNING | SUSPEND);
	(void)wr(STATUS, RUNNING);      /* too early to resume */
	expect(rd(STATUS), RUNNING);
	done(0, 0, VBLK_S_OK);
	expect(vblk_irq(rig.dev, 0), true);
	expect(vblk_mmio_settle(&rig.mm), true);
	expect(vblk_mmio_waits(&rig.mm), 0);
	expect(rd(STATUS), ASLEEP);
	used_is(0, o[0].head, SECTOR + 1);
	wake();
	expect(poll_queue(0), 1);
	expect(rig.req[0].sector, 3);
	done(0, 0, VBLK_S_OK);
	(void)vblk_irq(rig.dev, 0);
	used_is(0, o[1].head, SECTOR + 1);
	there_and_back(0);
	there_and_back(1);
}
END_TEST

/* A queue that the driver does not use stays so. */
START_TEST(spec_3_4__queue_that_is_not_enabled)
{
	struct vblk_config c = sleeper();

	rig_open(&c);
	vblk_mmio_init(&rig.mm, rig.dev, 1, NULL);
	expect(mmio_negotiate(vblk_features(rig.dev)), 11);
	mmio_queue(1);
	(void)wr(STATUS, RUNNING);
	there_and_back(1);
	to_sleep();
	wake();
	expect(vblk_queue_started(rig.dev, 0), false);
	there_and_back(1);
}
END_TEST

START_TEST(spec_3_4__suspended_device_touches_nothing)
{
	uint8_t *before = malloc(RAM_LEN);

	ck_assert_ptr_nonnull(before);
	up();
	there_and_back(1);
	to_sleep();
	(void)ask(0, VBLK_T_IN, 0, SECTOR);
	(void)ask(1, VBLK_T_IN, 0, SECTOR);
	memcpy(before, ram_at(RAM), RAM_LEN);
	for (uint16_t q = 0; q < 2; q++) {
		expect(wr(NOTIFY, q), 0);
		expect(poll_queue(q), 0);
		expect(vblk_irq(rig.dev, q), false);
		expect(vblk_poll_idle(rig.dev, q), true);
	}
	expect(memcmp(before, ram_at(RAM), RAM_LEN), 0);
	free(before);
	expect(vblk_mem_idle(rig.dev, RAM, RAM_LEN), true);
}
END_TEST

/* Configuration space and queues are as they were, whatever is written. */
START_TEST(spec_3_4__writes_while_suspended)
{
	up();
	to_sleep();
	expect(vblk_mmio_read(&rig.mm, CONFIG + 32, 1), 1);
	expect(vblk_mmio_write(&rig.mm, CONFIG + 32, 1, 0), 0);
	expect(vblk_mmio_read(&rig.mm, CONFIG + 32, 1), 1);
	(void)wr(SEL, 1);
	expect(rd(READY), 1);
	expect(wr(READY, 0), 0);
	expect(wr(QRESET, 1), 0);
	expect(wr(SIZE, 4), 0);
	expect(rd(READY), 1);
	/* no bit but DRIVER_OK means anything */
	expect(wr(STATUS, ASLEEP | 128), 0);
	expect(rd(STATUS), ASLEEP);
	wake();
	there_and_back(1);
	/* DRIVER_OK beside SUSPEND resumes as well */
	to_sleep();
	expect(wr(STATUS, ASLEEP | 4), VBLK_FX_SAVE | VBLK_FX_START);
	expect(rd(STATUS), RUNNING);
	there_and_back(0);
}
END_TEST

START_TEST(spec_3_4__ignored_before_it_runs_or_if_not_negotiated)
{
	struct vblk_config c = sleeper();

	rig_open(&c);
	vblk_mmio_init(&rig.mm, rig.dev, 1, NULL);
	expect(mmio_negotiate(vblk_features(rig.dev)), 11);
	(void)wr(STATUS, 11 | SUSPEND);
	(void)vblk_mmio_settle(&rig.mm);
	expect(rd(STATUS), 11);
	/* DRIVER_OK with it: the device runs */
	(void)wr(STATUS, RUNNING | SUSPEND);
	(void)vblk_mmio_settle(&rig.mm);
	expect(rd(STATUS), RUNNING);
	c.features &= ~VBLK_F_SUSPEND;
	mmio_up(&c);
	(void)wr(STATUS, RUNNING | SUSPEND);
	(void)vblk_mmio_settle(&rig.mm);
	expect(rd(STATUS), RUNNING);
	there_and_back(0);
}
END_TEST

START_TEST(spec_3_4__changes_are_announced_on_resume)
{
	uint32_t generation;

	up();
	to_sleep();
	generation = rd(GENERATION);
	vblk_resize(rig.dev, 2048);
	expect(vblk_mmio_config_changed(&rig.mm), false);
	expect(rd(INT_STATUS), 0);
	expect(vblk_mmio_line(&rig.mm), false);
	expect(rd(CONFIG), 2048);
	expect(rd(GENERATION) != generation, true);
	expect(wr(STATUS, RUNNING),
	       VBLK_FX_SAVE | VBLK_FX_START | VBLK_FX_CHANGED);
	expect(rd(INT_STATUS), 2);
	(void)wr(INT_ACK, 2);
	to_sleep();
	wake();                 /* once */
	expect(rd(INT_STATUS), 0);
	expect(vblk_mmio_config_changed(&rig.mm), true);
	expect(rd(INT_STATUS), 2);
}
END_TEST

START_TEST(spec_3_4__reset_while_suspended)
{
	up();
	if (_i == 0) {
		to_sleep();
	} else {
		(void)ask(0, VBLK_T_IN, 0, SECTOR);
		expect(poll_queue(0), 1);
		(void)wr(STATUS, RUNNING | SUSPEND);
		(void)vblk_mmio_settle(&rig.mm);
		(void)vblk_mmio_config_changed(&rig.mm);
		expect(wr(STATUS, 0) & VBLK_FX_HOLD, VBLK_FX_HOLD);
		done(0, 0, VBLK_S_OK);
		expect(vblk_mmio_settle(&rig.mm), true);
	}
	if (_i == 0)
		(void)wr(STATUS, 0);
	expect(rd(STATUS), 0);
	expect(rd(INT_STATUS), 0);
	expect(vblk_mmio_waits(&rig.mm), 0);
	expect(mmio_negotiate(vblk_features(rig.dev)), 11);
	for (uint16_t q = 0; q < 2; q++) {
		struct ring *r = &rig.ring[q];

		r->avail_idx = r->used_idx = 0;
		fill(r->avail, 0, 512);
		fill(r->used, 0, 512);
		mmio_queue(q);
	}
	(void)wr(STATUS, RUNNING);
	expect(rd(STATUS), RUNNING);
	there_and_back(0);
}
END_TEST

/* A queue that faults on the way: the device needs a reset, and says so. */
START_TEST(spec_3_4__fault_while_suspending)
{
	up();
	(void)ask(0, VBLK_T_IN, 0, SECTOR);
	put16(rig.ring[0].avail + 2, 999);
	expect(poll_queue(0), VBLK_EGUEST);
	(void)wr(STATUS, RUNNING | SUSPEND);
	(void)vblk_mmio_settle(&rig.mm);
	expect(rd(STATUS), ASLEEP | VBLK_STATUS_NEEDS_RESET);
}
END_TEST

/* --- with a log; saved and loaded ----------------------------------------- */

static uint8_t log_[2][16 + 16 * 16] __attribute__((aligned(8)));
static struct vblk_inflight *logs[2];

static void logged_device(void)
{
	struct vblk_config c = sleeper();

	rig_again(&c);
	give(RAM, RAM_LEN);
	vblk_mmio_init(&rig.mm, rig.dev, 1, logs);
}

static void up_with_logs(void)
{
	struct vblk_config c = sleeper();

	memset(log_, 0, sizeof(log_));
	for (unsigned q = 0; q < 2; q++)
		logs[q] = (struct vblk_inflight *)(void *)log_[q];
	rig_open(&c);
	vblk_mmio_init(&rig.mm, rig.dev, 1, logs);
	expect(mmio_negotiate(vblk_features(rig.dev)), 11);
	for (uint16_t q = 0; q < 2; q++)
		mmio_queue(q);
	(void)wr(STATUS, RUNNING);
}

/* A log that somebody else spoiled meanwhile: it cannot resume, and says so. */
START_TEST(spec_3_4__failure_to_resume)
{
	up_with_logs();
	there_and_back(0);
	to_sleep();
	log_[0][10] ^= 1;       /* its size */
	expect(wr(STATUS, RUNNING),
	       VBLK_FX_SAVE | VBLK_FX_START | VBLK_FX_CHANGED);
	expect(rd(STATUS), RUNNING | VBLK_STATUS_NEEDS_RESET);
	expect(rd(INT_STATUS) & 2, 2);
}
END_TEST

START_TEST(life__saved_while_suspended)
{
	uint8_t blob[VBLK_MMIO_STATE_BYTES];
	int n;

	up_with_logs();
	there_and_back(0);
	there_and_back(0);
	if (_i == 0) {
		to_sleep();
		(void)vblk_mmio_config_changed(&rig.mm);
	} else {
		(void)ask(0, VBLK_T_IN, 5, SECTOR);
		expect(poll_queue(0), 1);
		(void)wr(STATUS, RUNNING | SUSPEND);
		(void)vblk_mmio_settle(&rig.mm);
	}
	n = vblk_mmio_save(&rig.mm, blob, sizeof(blob));
	expect(n > 0, true);
	logged_device();
	expect(vblk_mmio_load(&rig.mm, blob, (size_t)n), VBLK_OK);
	if (_i == 0) {
		expect(rd(STATUS), ASLEEP);
		expect(rd(INT_STATUS), 0);
		expect(wr(STATUS, RUNNING),
		       VBLK_FX_SAVE | VBLK_FX_START | VBLK_FX_CHANGED);
	} else {
		expect(rd(STATUS), RUNNING);
		(void)vblk_mmio_settle(&rig.mm);
		expect(rd(STATUS), ASLEEP);
		(void)wr(STATUS, RUNNING);
		expect(poll_queue(0), 1);
		expect(rig.req[0].sector, 5);
		done(0, 0, VBLK_S_OK);
		(void)vblk_irq(rig.dev, 0);
		rig.ring[0].used_idx++;
	}
	expect(rd(STATUS), RUNNING);
	there_and_back(0);
	there_and_back(1);
}
END_TEST

START_TEST(life__blob_that_is_half_suspended)
{
	static const struct {
		unsigned at;
		uint8_t is, xor;
	} t[] = {
		{ 4, 0, 4 },            /* SUSPEND and DRIVER_OK */
		{ 32, 0, 1 },           /* suspending, and suspended */
		{ 4, 1, 4 | 16 },       /* suspending, and suspended */
		{ 4, 0, 8 },            /* suspended, nothing negotiated */
	};
	uint8_t blob[VBLK_MMIO_STATE_BYTES];
	int n;

	for (unsigned i = 0; i < COUNT(t); i++) {
		up_with_logs();
		there_and_back(0);
		if (t[i].is == 0)
			to_sleep();
		else
			(void)wr(STATUS, RUNNING | SUSPEND);
		n = vblk_mmio_save(&rig.mm, blob, sizeof(blob));
		blob[t[i].at] ^= t[i].xor ;
		logged_device();
		expect(vblk_mmio_load(&rig.mm, blob, (size_t)n), VBLK_EINVAL);
	}
	/* nor if it was not negotiated */
	up_with_logs();
	to_sleep();
	n = vblk_mmio_save(&rig.mm, blob, sizeof(blob));
	blob[48 + 2 * 32 + 8 + 5] ^= 8; /* bit 43 of what was accepted */
	logged_device();
	expect(vblk_mmio_load(&rig.mm, blob, (size_t)n), VBLK_EINVAL);
}
END_TEST

/* --- in a lane ------------------------------------------------------------ */

static struct vblk_lane lane;
static char seen[64];           /* u: told of a queue, c: of the config */
static uint32_t status_then;    /* when the driver was told of a queue */

static int hal_submit(void *ctx, const struct vblk_req *r, size_t n)
{
	(void)ctx;
	rig.req[0] = r[0];
	return (int)n;
}

static void hal_signal(void *ctx, uint16_t source, bool up)
{
	size_t n = strlen(seen);

	(void)ctx;
	if (up && n + 1 < sizeof(seen))
		seen[n] = source == VBLK_SOURCE_CONFIG ? 'c' : 'u';
	if (source < 2)
		status_then = rd(STATUS);
}

static void hal_reply(void *ctx, const struct vblk_access *a, uint64_t value)
{
	(void)ctx;
	(void)a;
	(void)value;
}

static void say(uint64_t offset, uint32_t value)
{
	struct vblk_event e;

	memset(&e, 0, sizeof(e));
	e.kind = VBLK_EV_ACCESS;
	e.u.access.write = true;
	e.u.access.offset = offset;
	e.u.access.size = 4;
	e.u.access.value = value;
	expect(vblk_lane_event(&lane, &e), VBLK_OK);
}

/* The DONE and the wish to suspend in one batch of events. */
START_TEST(spec_3_4__used_buffers_are_announced_first)
{
	static const struct vblk_hal hal = { .submit = hal_submit,
					     .signal = hal_signal,
					     .reply = hal_reply };
	struct vblk_event e;

	memset(seen, 0, sizeof(seen));
	up();
	expect(vblk_lane_init(&lane, rig.dev, &rig.mm, 3, &hal, NULL), VBLK_OK);
	(void)ask(0, VBLK_T_IN, 0, SECTOR);
	say(NOTIFY, 0);
	while (vblk_lane_drain(&lane))
		;
	memset(&e, 0, sizeof(e));
	e.kind = VBLK_EV_DONE;
	e.u.done.tag = rig.req[0].tag;
	e.u.done.bytes = SECTOR;
	expect(vblk_lane_event(&lane, &e), VBLK_OK);
	say(STATUS, RUNNING | SUSPEND);
	while (vblk_lane_drain(&lane))
		;
	ck_assert_str_eq(seen, "u");
	expect(status_then, RUNNING);
	expect(rd(STATUS), ASLEEP);
	/* what changes while it sleeps is announced as it wakes */
	(void)vblk_mmio_config_changed(&rig.mm);
	say(INT_ACK, 1);
	ck_assert_str_eq(seen, "u");
	vblk_lane_resume(&lane);
	ck_assert_str_eq(seen, "u");
	say(STATUS, RUNNING);
	ck_assert_str_eq(seen, "uc");
	while (vblk_lane_drain(&lane))
		;
	expect(rd(STATUS), RUNNING);
}
END_TEST

/* --- 4.2.3.3: where the driver stands comes with the notification --------- */

START_TEST(spec_4_2_3_3__notification_data)
{
	struct vblk_config c = sleeper();
	struct vblk_access a;
	uint16_t q = 77;

	c.features |= VBLK_F_NOTIFICATION_DATA;
	mmio_up(&c);
	memset(&a, 0, sizeof(a));
	a.write = true;
	a.offset = NOTIFY;
	a.size = 4;
	a.value = 0xabcd0001u;
	expect(wr(NOTIFY, 0xabcd0001u), VBLK_FX_KICK);
	expect(vblk_mmio_notified(&rig.mm, 0xabcd0001u), 1);
	expect(vblk_mmio_notifies(&rig.mm, &a, &q), true);
	expect(q, 1);
	expect(wr(NOTIFY, 0x80000002u), 0); /* no such queue */
	/* not negotiated: the value is a number, of no queue there is */
	c.features &= ~VBLK_F_NOTIFICATION_DATA;
	mmio_up(&c);
	expect(wr(NOTIFY, 0xabcd0001u), 0);
	expect(vblk_mmio_notifies(&rig.mm, &a, &q), false);
	expect(wr(NOTIFY, 1), VBLK_FX_KICK);
}
END_TEST

static void add(TCase *tc)
{
	tcase_add_test(tc, spec_3_4__suspends_when_all_is_used);
	tcase_add_test(tc, spec_3_4__queue_that_is_not_enabled);
	tcase_add_test(tc, spec_3_4__suspended_device_touches_nothing);
	tcase_add_test(tc, spec_3_4__writes_while_suspended);
	tcase_add_test(tc,
		       spec_3_4__ignored_before_it_runs_or_if_not_negotiated);
	tcase_add_test(tc, spec_3_4__changes_are_announced_on_resume);
	tcase_add_loop_test(tc, spec_3_4__reset_while_suspended, 0, 2);
	tcase_add_test(tc, spec_3_4__fault_while_suspending);
	tcase_add_test(tc, spec_3_4__failure_to_resume);
	tcase_add_loop_test(tc, life__saved_while_suspended, 0, 2);
	tcase_add_test(tc, life__blob_that_is_half_suspended);
	tcase_add_test(tc, spec_3_4__used_buffers_are_announced_first);
	tcase_add_test(tc, spec_4_2_3_3__notification_data);
}

int main(void)
{
	return run_suite("suspend", add);
}

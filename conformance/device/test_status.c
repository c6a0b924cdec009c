/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Device status and reset: 2.1, 2.4, 3.1.
 */
#include "lib.h"
#include "tests.h"

#define ACK    VIRTIO_S_ACKNOWLEDGE
#define DRIVER VIRTIO_S_DRIVER
#define OK     VIRTIO_S_FEATURES_OK
#define LIVE   VIRTIO_S_DRIVER_OK

static void reset_reads_zero(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);

	alive(r, "before the reset");
	expect(s, status(s) == (ACK | DRIVER | OK | LIVE),
	       "status is %u after initialization", status(s));
	reset(s);
	/* and again, of a device that is reset */
	reset(s);
}

static void bits_stay(struct suite *s)
{
	expect(s, status(s) == 0, "status is %u after a reset, not 0",
	       status(s));
	set_status(s, ACK);
	expect(s, status(s) == ACK, "status is %u after ACKNOWLEDGE",
	       status(s));
	set_status(s, ACK | DRIVER);
	expect(s, status(s) == (ACK | DRIVER), "status is %u after DRIVER",
	       status(s));
	set_status(s, ACK | DRIVER | VIRTIO_S_FAILED);
	expect(s, status(s) & VIRTIO_S_FAILED, "FAILED does not stay: %u",
	       status(s));
}

static void failed_then_reset(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);

	alive(r, "before FAILED");
	set_status(s, status(s) | VIRTIO_S_FAILED);
	restart(r);
	alive(r, "after FAILED, a reset and a new start");
}

static void before_driver_ok(struct suite *s)
{
	struct ring *r;
	struct req q;

	negotiate(s, ALL_FEATURES, 0);
	r = add_ring(s, 0, 16);
	ring_loud(r);
	req_make(s, &q, BLK_T_IN, 0, SECTOR);
	req_add(r, &q);
	ring_show(r);
	settle(s);
	expect(s, !ring_used(r), "a buffer was used before DRIVER_OK");
	expect(s, !irq_used(s, 0), "an interrupt came before DRIVER_OK");
	expect(s, span(&q.data, LIB_POISON) == SECTOR,
	       "data was written before DRIVER_OK");
	/* 3.1.1 allows to fill queues before; now it goes */
	driver_ok(s);
	ring_notify(r);
	expect(s, req_end(r, &q) == BLK_S_OK,
	       "a buffer from before DRIVER_OK fails with status %u",
	       s->over ? 0u : *q.status.host);
}

static void notified_before_driver_ok(struct suite *s)
{
	struct ring *r;
	struct req q;

	negotiate(s, ALL_FEATURES, 0);
	r = add_ring(s, 0, 16);
	ring_loud(r);
	req_make(s, &q, BLK_T_IN, 0, SECTOR);
	req_add(r, &q);
	ring_go(r);             /* which no driver may */
	settle(s);
	expect(s, !ring_used(r) && !irq_used(s, 0),
	       "a notification before DRIVER_OK was acted upon");
	driver_ok(s);
	ring_notify(r);
	expect(s, req_end(r, &q) == BLK_S_OK, "the buffer is not served");
}

/* An available index no driver can have: the ring is not to be trusted. */
static void spoil(struct ring *r)
{
	if (r->packed) {
		struct piece p = { r->desc.addr, 16, DESC_NEXT };

		for (uint32_t i = 0; i < r->size; i++)
			raw_packed(r, p.addr, p.len, 0, DESC_NEXT);
		ring_go(r);
		return;
	}
	raw_avail_idx(r, 0x4000);
	ring_notify(r);
}

static void needs_reset_set(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);

	forget_irqs(s);
	spoil(r);
	await_status(s, VIRTIO_S_NEEDS_RESET, VIRTIO_S_NEEDS_RESET,
		     "an available index far ahead");
	restart(r);
	expect(s, !(status(s) & VIRTIO_S_NEEDS_RESET),
	       "NEEDS_RESET stays after a reset");
	alive(r, "after NEEDS_RESET, a reset and a new start");
}

static void needs_reset_told(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);

	forget_irqs(s);
	spoil(r);
	settle(s);
	if (!(status(s) & VIRTIO_S_NEEDS_RESET)) {
		skip(s, "the device does not set NEEDS_RESET for a ring that "
			"cannot be");
		return;
	}
	await_config_irq(s, "NEEDS_RESET was set");
}

static void needs_reset_stays(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);

	spoil(r);
	await_status(s, VIRTIO_S_NEEDS_RESET, VIRTIO_S_NEEDS_RESET,
		     "an available index far ahead");
	set_status(s, ACK | DRIVER | OK | LIVE);
	expect(s, status(s) & VIRTIO_S_NEEDS_RESET,
	       "a write to status cleared NEEDS_RESET: it is %u", status(s));
	ring_notify(r);
	settle(s);
	expect(s, status(s) & VIRTIO_S_NEEDS_RESET,
	       "NEEDS_RESET went by itself");
}

static void silent_after_reset(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct req q;

	alive(r, "before the reset");
	ring_loud(r);
	reset(s);
	forget_irqs(s);
	req_make(s, &q, BLK_T_IN, 0, SECTOR);
	req_add(r, &q);
	ring_show(r);
	settle(s);
	expect(s, !ring_used(r), "a buffer was used after a reset");
	ring_notify(r);
	settle(s);
	expect(s, !ring_used(r),
	       "a buffer was used after a reset and a notification");
	expect(s, !irq_used(s, 0) && !irq_config(s),
	       "an interrupt came after a reset");
	expect(s, span(&q.data, LIB_POISON) == SECTOR,
	       "data was written after a reset");
}

/* What is in flight when a reset begins may finish, but only before it ends. */
static void reset_in_flight(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct req q[4];
	bool over;

	event(s, DUT_EVENT_HOLD, 1);
	for (uint32_t i = 0; i < 4; i++) {
		req_make(s, &q[i], BLK_T_IN, i, SECTOR);
		if (r->free >= 3)
			req_add(r, &q[i]);
	}
	ring_go(r);
	settle(s);
	set_status(s, 0);
	settle(s);
	over = status(s) == 0;
	if (over) {             /* then it must have let go of them */
		for (uint32_t i = 0; i < 4 && !s->over; i++)
			*q[i].status.host = LIB_POISON;
		event(s, DUT_EVENT_HOLD, 0);
		settle(s);
		for (uint32_t i = 0; i < 4; i++)
			expect(s, s->over || *q[i].status.host == LIB_POISON,
			       "status read 0, and then request %u was written",
			       i);
		return;
	}
	event(s, DUT_EVENT_HOLD, 0);
	await_status(s, ~0u, 0, "a reset with requests in flight");
	s->last_irq_used = 0;
	forget_irqs(s);
	settle(s);
	expect(s, !irq_used(s, 0), "an interrupt came after the reset");
	expect(s, accepts(s, s->features), "the features are refused now");
	ring_clear(r);
	ring_set(r);
	ring_enable(r);
	driver_ok(s);
	alive(r, "after a reset with requests in flight");
}

static void clears_a_bit(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);

	alive(r, "before");
	set_status(s, ACK | DRIVER);
	set_status(s, ACK);
	settle(s);
	expect(s, status(s) & ACK, "status is %u after bits were cleared",
	       status(s));
	restart(r);
	alive(r, "after bits of status were cleared, and a reset");
}

static void unknown_bits(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES & ~VIRTIO_F_SUSPEND, 0);

	set_status(s, 0x20 | ACK | DRIVER | OK | LIVE);
	alive(r, "after bit 32 of status, which has no meaning");
	set_status(s, ACK | DRIVER | OK | LIVE | VIRTIO_S_NEEDS_RESET);
	expect(s, !(status(s) & VIRTIO_S_NEEDS_RESET),
	       "the driver set NEEDS_RESET, which is the device's");
	alive(r, "after the driver wrote NEEDS_RESET");
}

static void many_times(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);

	for (uint32_t i = 0; i < 20; i++) {
		alive(r, "one of 20 lives");
		restart(r);
	}
}

const struct suite_test tests_status[] = {
	{ "status.reset_reads_zero", "CORE-D008 CORE-G010",
	  "status is 0 after a reset", SUITE_MUST, DUT_STATUS, 0, 0,
	  reset_reads_zero },
	{ "status.bits_stay", "CORE-G001",
	  "what the driver sets in status is read back", SUITE_POLICY,
	  DUT_STATUS, 0, SUITE_ANYBODY, bits_stay },
	{ "status.failed_then_reset", "CORE-G003 GENERALINIT-G013",
	  "a driver that gave up may start again", SUITE_POLICY, 0, 0,
	  SUITE_ANYBODY, failed_then_reset },
	{ "status.before_driver_ok", "CORE-D001 GENERALINIT-G010",
	  "nothing is used and nobody is told before DRIVER_OK", SUITE_MUST,
	  DUT_REGS, 0, SUITE_SPLIT | SUITE_PACKED, before_driver_ok },
	{ "status.notified_before_driver_ok", "CORE-D001 GENERALINIT-G015",
	  "a notification before DRIVER_OK changes nothing", SUITE_MUST,
	  DUT_REGS, 0, SUITE_SPLIT | SUITE_PACKED, notified_before_driver_ok },
	{ "status.needs_reset_set", "CORE-D002 CORE-G004",
	  "NEEDS_RESET is set when the ring cannot be trusted", SUITE_SHOULD,
	  DUT_STATUS, 0, SUITE_SPLIT, needs_reset_set },
	{ "status.needs_reset_told", "CORE-D003",
	  "NEEDS_RESET is told by a configuration change", SUITE_MUST,
	  DUT_STATUS | DUT_IRQ_CONFIG, 0, SUITE_SPLIT, needs_reset_told },
	{ "status.needs_reset_stays", "POL-RING-STAYS",
	  "NEEDS_RESET stays until the reset", SUITE_POLICY, DUT_STATUS, 0,
	  SUITE_SPLIT, needs_reset_stays },
	{ "status.silent_after_reset", "CORE-D009",
	  "after a reset no queue is touched and nobody is told", SUITE_MUST, 0,
	  0, SUITE_SPLIT | SUITE_PACKED, silent_after_reset },
	{ "status.reset_in_flight", "CORE-D009 CORE-D008 POL-RESET-HOLD",
	  "a reset is over only when requests in flight are", SUITE_MUST,
	  DUT_HOLD | DUT_STATUS, 0, SUITE_SPLIT | SUITE_PACKED,
	  reset_in_flight },
	{ "status.clears_a_bit", "CORE-G002",
	  "a driver that clears bits of status harms nobody", SUITE_POLICY,
	  DUT_STATUS, 0, SUITE_ANYBODY, clears_a_bit },
	{ "status.unknown_bits", "CORE-G001",
	  "bits that are not the driver's are ignored", SUITE_POLICY,
	  DUT_REGS, 0, 0, unknown_bits },
	{ "status.many_times", "CORE-D007 GENERALINIT-G001 GENERALINIT-G002",
	  "20 lives, each with the same features", SUITE_SHOULD, 0, 0,
	  SUITE_SPLIT | SUITE_PACKED, many_times },
};
TESTS(tests_status);

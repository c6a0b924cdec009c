/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Queues by registers: 4.2.2, 4.2.3.2.
 */
#include "lib.h"
#include "mmio_driver.h"
#include "tests.h"

static uint32_t ready(struct suite *s, uint32_t queue)
{
	set_reg(s, REG_QUEUE_SEL, queue);
	return reg(s, REG_QUEUE_READY);
}

static void not_ready(struct suite *s)
{
	struct ring *r;

	negotiate(s, ALL_FEATURES, 0);
	r = add_ring(s, 0, 16);
	set_reg(s, REG_QUEUE_SEL, 0);
	set_reg(s, REG_QUEUE_READY, 0);
	expect(s, ready(s, 0) == 0, "QueueReady reads 1 after 0 was written");
	driver_ok(s);
	not_served(r, "a queue that is not ready");
}

static void stopped(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct req q;

	alive(r, "before");
	set_reg(s, REG_QUEUE_SEL, 0);
	set_reg(s, REG_QUEUE_READY, 0);
	expect(s, ready(s, 0) == 0, "QueueReady reads 1 after 0 was written");
	forget_irqs(s);
	req_make(s, &q, BLK_T_IN, 0, SECTOR);
	req_add(r, &q);
	ring_go(r);
	settle(s);
	expect(s, !ring_used(r) || s->over,
	       "a queue was served that the "
	       "driver had stopped with QueueReady");
	expect(s, s->over || span(&q.data, LIB_POISON) == SECTOR,
	       "data was written");
	/* from the start again, as if it had never run */
	ring_clear(r);
	ring_set(r);
	ring_enable(r);
	expect(s, ready(s, 0) == 1, "QueueReady does not come back");
	alive(r, "the queue was stopped and started");
}

static void stop_in_flight(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct req q;

	one_in_work(r, &q, 0);
	set_reg(s, REG_QUEUE_SEL, 0);
	set_reg(s, REG_QUEUE_READY, 0);
	settle(s);
	if (reg(s, REG_QUEUE_READY) == 0) {
		/* then the device has let go of it */
		*q.status.host = LIB_POISON;
		event(s, DUT_EVENT_HOLD, 0);
		settle(s);
		expect(s, *q.status.host == LIB_POISON,
		       "QueueReady read 0, and then a request was written");
		return;
	}
	event(s, DUT_EVENT_HOLD, 0);
	settle(s);
	expect(s, ready(s, 0) == 0,
	       "QueueReady stays 1 after the last request was complete");
	expect(s, s->over || *q.status.host == BLK_S_OK,
	       "the request in flight did not finish");
}

static void no_such_queue(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	static const uint32_t queue[] = { 64, 1000, 0xffff, 0x10000,
					  0xffffffffu };

	for (uint32_t i = 0; i < 5; i++) {
		set_reg(s, REG_QUEUE_SEL, queue[i]);
		expect(s, reg(s, REG_QUEUE_MAX) == 0,
		       "queue %u has QueueSizeMax %u", queue[i],
		       reg(s, REG_QUEUE_MAX));
		set_reg(s, REG_QUEUE_SIZE, 16);
		set_reg(s, REG_QUEUE_READY, 1);
		expect(s, reg(s, REG_QUEUE_READY) == 0,
		       "queue %u, which there is not, is ready", queue[i]);
		set_reg(s, REG_NOTIFY, queue[i]);
	}
	alive(r, "registers of queues that do not exist");
}

static void sizes(struct suite *s)
{
	uint32_t max, bad[4];
	struct ring *r;

	negotiate(s, ALL_FEATURES, 0);
	max = queue_max(s, 0);
	bad[0] = 0;
	bad[1] = max + 1u;
	bad[2] = 2u * max;
	bad[3] = 0x10000u + max;
	r = add_ring(s, 0, 8);
	set_reg(s, REG_QUEUE_READY, 0);
	for (uint32_t i = 0; i < 4; i++) {
		set_reg(s, REG_QUEUE_SIZE, bad[i]);
		set_reg(s, REG_QUEUE_READY, 1);
		expect(s, reg(s, REG_QUEUE_READY) == 0,
		       "a queue of %u is ready; the most is %u", bad[i], max);
	}
	if (!s->packed) {
		set_reg(s, REG_QUEUE_SIZE, 3);
		set_reg(s, REG_QUEUE_READY, 1);
		expect(s, reg(s, REG_QUEUE_READY) == 0,
		       "a split queue of 3 is ready");
	}
	ring_set(r);
	ring_enable(r);
	driver_ok(s);
	alive(r, "sizes that cannot be");
}

static void alignment(struct suite *s)
{
	const uint32_t of[] = { 16, s->packed ? 4 : 2, 4 };
	struct ring *r;

	negotiate(s, ALL_FEATURES, 0);
	r = add_ring(s, 0, 8);
	for (uint32_t i = 0; i < 3; i++) {
		struct part *p[] = { &r->desc, &r->driver, &r->device };

		set_reg(s, REG_QUEUE_READY, 0);
		ring_set(r);
		set_reg(s, REG_DESC + 16u * i,
			(uint32_t)p[i]->addr + of[i] / 2u);
		set_reg(s, REG_QUEUE_READY, 1);
		expect(s, reg(s, REG_QUEUE_READY) == 0,
		       "area %u of a queue is not aligned to %u, and it is "
		       "ready",
		       i, of[i]);
	}
	ring_set(r);
	ring_enable(r);
	driver_ok(s);
	alive(r, "areas that are not aligned");
}

static void changed_while_ready(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);

	set_reg(s, REG_QUEUE_SEL, 0);
	set_reg(s, REG_QUEUE_SIZE, 2);
	set_reg(s, REG_DESC, 0x1000);
	set_reg(s, REG_DRIVER, 0x2000);
	set_reg(s, REG_DEVICE_AREA, 0x3000);
	alive(r, "areas of a live queue were written");
	set_reg(s, REG_QUEUE_READY, 1);
	alive(r, "QueueReady was written again");
}

static void ready_after_driver_ok(struct suite *s)
{
	struct ring *r;

	negotiate(s, ALL_FEATURES, 0);
	driver_ok(s);
	r = add_ring(s, 0, 16);
	alive(r, "a queue was made after DRIVER_OK");
}

static void resets_to_max(struct suite *s)
{
	uint32_t max = queue_max(s, 0);
	struct ring *r = start(s, ALL_FEATURES, 0);

	alive(r, "before");
	reset(s);
	expect(s, queue_max(s, 0) == max,
	       "QueueSizeMax was %u, and %u after a reset", max,
	       queue_max(s, 0));
}

const struct suite_test tests_mmio_queue[] = {
	{ "mmio.not_ready", "MMIO-D007",
	  "a queue that is not ready is left alone", SUITE_MUST, DUT_REGS, 0,
	  SUITE_SPLIT | SUITE_PACKED, not_ready },
	{ "mmio.stopped", "MMIO-D007 MMIO-G011",
	  "a queue that was stopped is left alone, and can start again",
	  SUITE_MUST, DUT_REGS, 0, SUITE_SPLIT | SUITE_PACKED, stopped },
	{ "mmio.stop_in_flight", "MMIO-D007 POL-RESET-QUEUE",
	  "QueueReady reads 0 only when nothing is in flight", SUITE_MUST,
	  DUT_REGS | DUT_HOLD, 0, SUITE_SPLIT | SUITE_PACKED,
	  stop_in_flight },
	{ "mmio.no_such_queue", "MMIO-G001 POL-REG-QUEUE",
	  "registers of a queue that does not exist do nothing",
	  SUITE_POLICY, DUT_REGS, 0, SUITE_ANYBODY, no_such_queue },
	{ "mmio.sizes", "MMIO-G009 POL-REG-SIZE",
	  "a queue of a size that cannot be is not ready", SUITE_POLICY,
	  DUT_REGS, 0, SUITE_SPLIT | SUITE_PACKED, sizes },
	{ "mmio.alignment", "SPLITRING-G001 PACKEDRING-G001 "
	  "POL-REG-SIZE",
	  "a queue that is not aligned is not ready", SUITE_POLICY, DUT_REGS,
	  0, SUITE_SPLIT | SUITE_PACKED, alignment },
	{ "mmio.changed_while_ready", "MMIO-G010",
	  "the areas of a live queue do not change", SUITE_POLICY, DUT_REGS, 0,
	  SUITE_SPLIT | SUITE_PACKED, changed_while_ready },
	{ "mmio.ready_after_driver_ok", "MMIO-G015",
	  "a queue may be made after DRIVER_OK", SUITE_POLICY, DUT_REGS, 0,
	  SUITE_SPLIT | SUITE_PACKED, ready_after_driver_ok },
	{ "mmio.resets_to_max", "TEXT-QUEUE-SIZE",
	  "the largest queue is the same after a reset", SUITE_MUST, DUT_REGS,
	  0, 0, resets_to_max },
};
TESTS(tests_mmio_queue);

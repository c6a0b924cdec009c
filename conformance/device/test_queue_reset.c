/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reset of one queue: 2.6.1, 4.2.2.
 */
#include "lib.h"
#include "lib_internal.h"
#include "mmio_driver.h"
#include "tests.h"

static bool resetting(struct ring *r)
{
	bool ongoing = false;

	if (!r->s->over)
		(void)lib_ok(r->s,
			     r->s->d->ops->queue_resetting(r->s->d, r->queue,
							   &ongoing),
			     "asking for the reset of a queue");
	return ongoing;
}

static void begin(struct ring *r)
{
	if (r->s->over)
		return;
	note(r->s, "queue %u is reset", r->queue);
	(void)lib_ok(r->s, r->s->d->ops->queue_reset(r->s->d, r->queue),
		     "resetting a queue");
}

static bool is_over(void *arg)
{
	return !resetting(arg);
}

static void finish(struct ring *r)
{
	if (!await(r->s, is_over, r))
		fail(r->s, "waited %u ms for the reset of queue %u to end",
		     r->s->d->wait_ms, r->queue);
}

static void again(struct ring *r)
{
	ring_clear(r);
	ring_set(r);
	ring_enable(r);
}

static void silent(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, VIRTIO_F_RING_RESET);

	alive(r, "before");
	begin(r);
	finish(r);
	forget_irqs(s);
	not_served(r, "a queue after its reset");
}

static void state_is_new(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, VIRTIO_F_RING_RESET);

	for (uint32_t life = 0; life < 4; life++) {
		for (uint32_t i = 0; i < 1u + 5u * life; i++)
			alive(r, "a queue that was reset");
		begin(r);
		finish(r);
		again(r);
	}
	alive(r, "a queue that was reset");
}

static void other_parameters(struct suite *s)
{
	struct ring *r, *a;

	negotiate(s, ALL_FEATURES, VIRTIO_F_RING_RESET);
	r = add_ring(s, 0, 16);
	driver_ok(s);
	alive(r, "before");
	begin(r);
	finish(r);
	/* another size, in another place */
	a = add_ring(s, 0, 8);
	for (uint32_t i = 0; i < 20; i++)
		alive(a, "a queue that was reset and is smaller now");
	expect(s, a->completed == 20 || s->over, "%u of 20 came back",
	       a->completed);
}

static void others_go_on(struct suite *s)
{
	struct ring *a, *b;

	negotiate(s, ALL_FEATURES, VIRTIO_F_RING_RESET | BLK_F_MQ);
	a = add_ring(s, 0, 16);
	b = add_ring(s, 1, 16);
	driver_ok(s);
	alive(a, "before");
	begin(a);
	finish(a);
	alive(b, "another queue was reset");
	again(a);
	alive(a, "a queue that was reset");
	alive(b, "another queue came back");
}

static void in_flight(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, VIRTIO_F_RING_RESET);
	struct req q;

	one_in_work(r, &q, 0);
	begin(r);
	settle(s);
	if (!resetting(r) && !s->over) {
		*q.status.host = LIB_POISON;
		event(s, DUT_EVENT_HOLD, 0);
		settle(s);
		expect(s, *q.status.host == LIB_POISON,
		       "the reset of the queue was over, and then a request "
		       "was written");
		return;
	}
	event(s, DUT_EVENT_HOLD, 0);
	finish(r);
	forget_irqs(s);
	settle(s);
	expect(s, !irq_used(s, 0), "an interrupt came after the reset");
	again(r);
	alive(r, "a queue that was reset with a request in flight");
}

/* --- registers ------------------------------------------------------------ */

static void reads_zero(struct suite *s)
{
	struct ring *r;

	set_reg(s, REG_QUEUE_SEL, 0);
	expect(s, reg(s, REG_QUEUE_RESET) == 0,
	       "QueueReset is %u after a reset", reg(s, REG_QUEUE_RESET));
	r = start(s, ALL_FEATURES, VIRTIO_F_RING_RESET);
	expect(s, !resetting(r), "QueueReset is 1 after QueueReady");
	alive(r, "before");
	reset(s);
	set_reg(s, REG_QUEUE_SEL, 0);
	expect(s, reg(s, REG_QUEUE_RESET) == 0,
	       "QueueReset is %u after a reset", reg(s, REG_QUEUE_RESET));
}

static void zero_when_done(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, VIRTIO_F_RING_RESET);

	alive(r, "before");
	begin(r);
	finish(r);
	expect(s, reg(s, REG_QUEUE_RESET) == 0 && reg(s, REG_QUEUE_READY) == 0,
	       "after the reset of a queue QueueReset is %u, QueueReady %u",
	       reg(s, REG_QUEUE_RESET), reg(s, REG_QUEUE_READY));
	again(r);
	expect(s, reg(s, REG_QUEUE_RESET) == 0 && reg(s, REG_QUEUE_READY) == 1,
	       "after it was enabled again QueueReset is %u, QueueReady %u",
	       reg(s, REG_QUEUE_RESET), reg(s, REG_QUEUE_READY));
	alive(r, "after");
}

static void one_while_ongoing(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, VIRTIO_F_RING_RESET);
	struct req q;

	one_in_work(r, &q, 0);
	begin(r);
	for (uint32_t i = 0; i < 3; i++) {
		settle(s);
		expect(s, resetting(r) || *q.status.host != LIB_POISON,
		       "QueueReset reads 0 while a request of the queue is in "
		       "flight");
	}
	event(s, DUT_EVENT_HOLD, 0);
	finish(r);
	expect(s, reg(s, REG_QUEUE_READY) == 0, "QueueReady is still 1");
}

static void not_negotiated(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES & ~VIRTIO_F_RING_RESET, 0);

	alive(r, "before");
	set_reg(s, REG_QUEUE_SEL, 0);
	set_reg(s, REG_QUEUE_RESET, 1);
	settle(s);
	alive(r, "QueueReset, which was not negotiated");
}

static void of_no_queue(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, VIRTIO_F_RING_RESET);

	set_reg(s, REG_QUEUE_SEL, 5);
	set_reg(s, REG_QUEUE_RESET, 1);
	expect(s, reg(s, REG_QUEUE_RESET) == 0,
	       "QueueReset of a queue that is not ready is %u",
	       reg(s, REG_QUEUE_RESET));
	alive(r, "QueueReset of another queue");
}

#define BOTH (SUITE_SPLIT | SUITE_PACKED)

const struct suite_test tests_queue_reset[] = {
	{ "queue_reset.silent", "VIRTQUEUERESET-D001 VIRTQUEUERESET-G002",
	  "a queue that was reset is left alone", SUITE_MUST, DUT_QUEUE_RESET,
	  VIRTIO_F_RING_RESET, BOTH, silent },
	{ "queue_reset.state_is_new", "VIRTQUEUERESET-D002",
	  "a queue that was reset starts from 0", SUITE_MUST, DUT_QUEUE_RESET,
	  VIRTIO_F_RING_RESET, BOTH, state_is_new },
	{ "queue_reset.other_parameters", "VIRTQUEUERESET-D003 "
	  "VIRTQUEUERESET-G003 MMIO-G016",
	  "a queue that was reset may have another size and place",
	  SUITE_MUST, DUT_QUEUE_RESET, VIRTIO_F_RING_RESET, BOTH,
	  other_parameters },
	{ "queue_reset.others_go_on", "VIRTQUEUERESET-D001",
	  "the reset of a queue leaves the others alone", SUITE_MUST,
	  DUT_QUEUE_RESET, VIRTIO_F_RING_RESET | BLK_F_MQ, BOTH,
	  others_go_on },
	{ "queue_reset.in_flight", "VIRTQUEUERESET-D001 MMIO-D011 "
	  "POL-RESET-QUEUERESET",
	  "a reset of a queue is over when its requests are", SUITE_MUST,
	  DUT_QUEUE_RESET | DUT_HOLD, VIRTIO_F_RING_RESET, BOTH, in_flight },
	{ "queue_reset.reads_zero", "MMIO-D008 MMIO-D009",
	  "QueueReset is 0 after a reset and after QueueReady", SUITE_MUST,
	  DUT_REGS, VIRTIO_F_RING_RESET, BOTH, reads_zero },
	{ "queue_reset.zero_when_done", "MMIO-D010 MMIO-D012 MMIO-G014",
	  "QueueReset and QueueReady are 0 once the queue is reset",
	  SUITE_MUST, DUT_REGS, VIRTIO_F_RING_RESET, BOTH, zero_when_done },
	{ "queue_reset.one_while_ongoing", "MMIO-D011",
	  "QueueReset is 1 as long as it takes", SUITE_MUST,
	  DUT_REGS | DUT_HOLD, VIRTIO_F_RING_RESET, BOTH,
	  one_while_ongoing },
	{ "queue_reset.not_negotiated", "POL-REG-QUEUERESET",
	  "QueueReset that was not negotiated does nothing", SUITE_POLICY,
	  DUT_REGS, 0, BOTH, not_negotiated },
	{ "queue_reset.of_no_queue", "POL-REG-QUEUERESET VIRTQUEUERESET-G001",
	  "QueueReset of a queue that is not ready does nothing",
	  SUITE_POLICY, DUT_REGS, VIRTIO_F_RING_RESET, 0, of_no_queue },
};
TESTS(tests_queue_reset);

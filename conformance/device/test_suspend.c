/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SUSPEND, which is new in 1.4: 2.1, 3.4.
 */
#include <string.h>

#include "lib.h"
#include "tests.h"

#define START (VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER | VIRTIO_S_FEATURES_OK)
#define LIVE  (START | VIRTIO_S_DRIVER_OK)

static void suspend(struct suite *s)
{
	set_status(s, LIVE | VIRTIO_S_SUSPEND);
}

/* Suspended, or in need of a reset: then the rest does not apply. */
static bool is_suspended(struct suite *s)
{
	if (status(s) & VIRTIO_S_NEEDS_RESET) {
		skip(s, "the device cannot suspend and says NEEDS_RESET");
		return false;
	}
	await_status(s, VIRTIO_S_SUSPEND | VIRTIO_S_DRIVER_OK, VIRTIO_S_SUSPEND,
		     "SUSPEND was written");
	return !s->over;
}

static void resume(struct suite *s)
{
	set_status(s, START | VIRTIO_S_DRIVER_OK);
	await_status(s, VIRTIO_S_SUSPEND | VIRTIO_S_DRIVER_OK,
		     VIRTIO_S_DRIVER_OK, "DRIVER_OK was written to resume");
}

static void too_early(struct suite *s)
{
	struct ring *r;

	set_status(s, VIRTIO_S_ACKNOWLEDGE);
	set_status(s, VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_SUSPEND);
	expect(s, !(status(s) & VIRTIO_S_SUSPEND),
	       "SUSPEND stays before DRIVER");
	reset(s);
	negotiate(s, ALL_FEATURES, VIRTIO_F_SUSPEND);
	set_status(s, START | VIRTIO_S_SUSPEND);
	expect(s, !(status(s) & VIRTIO_S_SUSPEND),
	       "SUSPEND stays before DRIVER_OK");
	expect(s, !(status(s) & VIRTIO_S_NEEDS_RESET),
	       "SUSPEND before DRIVER_OK is not ignored: NEEDS_RESET");
	r = add_ring(s, 0, 16);
	driver_ok(s);
	alive(r, "SUSPEND before DRIVER_OK");
}

static void not_negotiated(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES & ~VIRTIO_F_SUSPEND, 0);

	suspend(s);
	settle(s);
	expect(s, !(status(s) & VIRTIO_S_SUSPEND),
	       "SUSPEND stays and was not negotiated");
	set_status(s, LIVE);
	alive(r, "SUSPEND, which was not negotiated");
}

static void suspends(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, VIRTIO_F_SUSPEND);

	alive(r, "before");
	suspend(s);
	await_status(s, VIRTIO_S_SUSPEND, VIRTIO_S_SUSPEND,
		     "SUSPEND was written; it may say NEEDS_RESET instead");
	expect(s, !(status(s) & VIRTIO_S_DRIVER_OK),
	       "DRIVER_OK still reads 1 beside SUSPEND");
}

static void resumes(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, VIRTIO_F_SUSPEND);

	for (uint32_t i = 0; i < 5; i++) {
		alive(r, "between suspensions");
		suspend(s);
		if (!is_suspended(s))
			return;
		resume(s);
	}
	alive(r, "five suspensions");
}

static void queues_rest(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, VIRTIO_F_SUSPEND);
	struct req q;

	ring_loud(r);
	alive(r, "before");
	suspend(s);
	if (!is_suspended(s))
		return;
	settle(s);
	forget_irqs(s);
	req_make(s, &q, BLK_T_IN, 0, SECTOR);
	req_add(r, &q);
	ring_go(r);             /* which no driver may */
	settle(s);
	expect(s, !ring_used(r) || s->over, "a suspended device used a chain");
	expect(s, !irq_used(s, 0), "a suspended device interrupts");
	expect(s, s->over || span(&q.data, LIB_POISON) == SECTOR,
	       "a suspended device wrote data");
	resume(s);
	ring_notify(r);
	expect(s, req_end(r, &q) == BLK_S_OK,
	       "what came during the suspension fails");
}

static void config_writes_ignored(struct suite *s)
{
	uint8_t before, after, v;

	(void)start(s, ALL_FEATURES,
		    VIRTIO_F_SUSPEND | BLK_F_CONFIG_WCE | BLK_F_FLUSH);
	config(s, 32, &before, 1);
	suspend(s);
	if (!is_suspended(s))
		return;
	v = !before;
	set_config(s, 32, &v, 1);
	config(s, 32, &after, 1);
	expect(s, after == before,
	       "a suspended device took a write to its configuration");
	resume(s);
	config(s, 32, &after, 1);
	expect(s, after == before, "the write had its effect later");
}

static void change_is_told_later(struct suite *s)
{
	uint64_t sectors;

	(void)start(s, ALL_FEATURES, VIRTIO_F_SUSPEND);
	suspend(s);
	if (!is_suspended(s))
		return;
	settle(s);
	forget_irqs(s);
	sectors = capacity(s);
	event(s, DUT_EVENT_RESIZE, sectors + 8u);
	settle(s);
	expect(s, !irq_config(s),
	       "a suspended device tells of a configuration change");
	resume(s);
	await_config_irq(s, "the capacity changed during the suspension");
	expect(s, capacity(s) == sectors + 8u,
	       "the disk grew by 8 sectors from %llu while suspended; capacity "
	       "reads %llu after it",
	       sectors + 0ull, capacity(s) + 0ull);
}

static void config_stays(struct suite *s)
{
	uint8_t before[60], after[60];

	(void)start(s, ALL_FEATURES, VIRTIO_F_SUSPEND);
	suspend(s);
	if (!is_suspended(s))
		return;
	config(s, 0, before, sizeof(before));
	event(s, DUT_EVENT_RESIZE, capacity(s) + 8u);
	settle(s);
	config(s, 0, after, sizeof(after));
	expect(s, memcmp(before, after, sizeof(before)) == 0,
	       "the configuration of a suspended device changes");
}

/* What was in flight is used, and told, before SUSPEND reads 1. */
static void waits_for_requests(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, VIRTIO_F_SUSPEND);
	struct req q;

	ring_loud(r);
	settle(s);
	forget_irqs(s);
	one_in_work(r, &q, 0);
	suspend(s);
	settle(s);
	expect(s, !(status(s) & VIRTIO_S_SUSPEND),
	       "SUSPEND reads 1 while a request is in flight");
	event(s, DUT_EVENT_HOLD, 0);
	if (!is_suspended(s))
		return;
	expect(s, ring_used(r),
	       "SUSPEND reads 1, and what was in flight was "
	       "not used");
	expect(s, irq_used(s, 0),
	       "what was in flight was used, and the driver not told");
	expect(s, req_end(r, &q) == BLK_S_OK, "what was in flight fails");
	resume(s);
	alive(r, "a suspension with a request in flight");
}

static void reset_while_suspended(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, VIRTIO_F_SUSPEND);

	alive(r, "before");
	suspend(s);
	if (!is_suspended(s))
		return;
	restart(r);
	alive(r, "a reset while suspended");
}

static void twice(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, VIRTIO_F_SUSPEND);

	suspend(s);
	if (!is_suspended(s))
		return;
	set_status(s, START | VIRTIO_S_SUSPEND);
	settle(s);
	expect(s, status(s) & VIRTIO_S_SUSPEND,
	       "SUSPEND written again ends the suspension");
	resume(s);
	alive(r, "SUSPEND was written twice");
}

#define NEED DUT_SUSPEND
#define BOTH (SUITE_SPLIT | SUITE_PACKED)
#define F    VIRTIO_F_SUSPEND

const struct suite_test tests_suspend[] = {
	{ "suspend.too_early", "GENERALINIT-D001 GENERALINIT-G018",
	  "SUSPEND before DRIVER_OK is ignored", SUITE_MUST, NEED, F, BOTH,
	  too_early },
	{ "suspend.not_negotiated", "GENERALINIT-D001 GENERALINIT-G018",
	  "SUSPEND that was not negotiated is ignored", SUITE_MUST, NEED, 0,
	  0, not_negotiated },
	{ "suspend.suspends", "GENERALINIT-D006 GENERALINIT-D008 "
	  "GENERALINIT-G019",
	  "SUSPEND reads 1 and DRIVER_OK 0 once suspended", SUITE_MUST, NEED,
	  F, BOTH, suspends },
	{ "suspend.resumes", "GENERALINIT-D007 GENERALINIT-G023",
	  "DRIVER_OK resumes", SUITE_MUST, NEED, F, BOTH, resumes },
	{ "suspend.queues_rest", "GENERALINIT-D003 GENERALINIT-D009 "
	  "GENERALINIT-G020 GENERALINIT-G021",
	  "a suspended device leaves its queues alone", SUITE_MUST, NEED, F,
	  BOTH, queues_rest },
	{ "suspend.config_writes_ignored", "GENERALINIT-D002 "
	  "GENERALINIT-G022",
	  "a suspended device takes no configuration", SUITE_SHOULD, NEED,
	  F | BLK_F_CONFIG_WCE | BLK_F_FLUSH, 0, config_writes_ignored },
	{ "suspend.config_stays", "GENERALINIT-D003",
	  "no field changes while suspended", SUITE_MUST, NEED | DUT_RESIZE, F,
	  0, config_stays },
	{ "suspend.change_is_told_later", "GENERALINIT-D004 GENERALINIT-D005",
	  "a change while suspended is told once resumed", SUITE_MUST,
	  NEED | DUT_RESIZE | DUT_IRQ_CONFIG, F, 0, change_is_told_later },
	{ "suspend.waits_for_requests", "GENERALINIT-D010 GENERALINIT-D011 "
	  "GENERALINIT-D008",
	  "what is in flight is used and told before", SUITE_SHOULD,
	  NEED | DUT_HOLD, F, BOTH, waits_for_requests },
	{ "suspend.reset_while_suspended", "CORE-D008 GENERALINIT-D006",
	  "a suspended device can be reset", SUITE_MUST, NEED, F, BOTH,
	  reset_while_suspended },
	{ "suspend.twice", "GENERALINIT-D007",
	  "SUSPEND written again changes nothing", SUITE_POLICY, NEED, F, 0,
	  twice },
};
TESTS(tests_suspend);

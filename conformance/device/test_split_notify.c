/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Notifications both ways, split ring: 2.7.7, 2.7.10.
 */
#include "lib.h"
#include "tests.h"

static void one_read(struct ring *r)
{
	struct req q;

	req_make(r->s, &q, BLK_T_IN, 0, SECTOR);
	req_ok(r, &q);
}

static void quiet_start(struct ring *r)
{
	settle(r->s);
	forget_irqs(r->s);
}

static void used_event_ignored(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES & ~VIRTIO_F_EVENT_IDX, 0);

	quiet_start(r);
	for (uint32_t i = 0; i < 4; i++) {
		if (s->over)
			return;
		/* a used_event that would ask for silence, if it counted */
		ring_loud(r);
		*(uint16_t *)(void *)(r->driver.host + 4 + 2u * r->size) = le16(
			(uint16_t)(r->seen + 0x4000u));
		one_read(r);
		await_irq(s, 0, "without EVENT_IDX used_event means nothing");
	}
}

static void flag_1(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES & ~VIRTIO_F_EVENT_IDX, 0);

	quiet_start(r);
	ring_quiet(r);
	for (uint32_t i = 0; i < 4; i++)
		one_read(r);
	settle(s);
	expect(s, !irq_used(s, 0), "an interrupt came, and flags is 1");
}

static void flag_0(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES & ~VIRTIO_F_EVENT_IDX, 0);

	quiet_start(r);
	for (uint32_t i = 0; i < 6; i++) {
		ring_loud(r);
		one_read(r);
		await_irq(s, 0, "flags is 0 and a chain was used");
	}
	ring_quiet(r);
	one_read(r);
	settle(s);
	forget_irqs(s);
	ring_loud(r);
	one_read(r);
	await_irq(s, 0, "flags is 0 again");
}

static void event_ignores_flags(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, VIRTIO_F_EVENT_IDX);

	quiet_start(r);
	for (uint32_t i = 0; i < 4; i++) {
		if (s->over)
			return;
		ring_loud(r);
		*(uint16_t *)(void *)r->driver.host = le16(1);
		one_read(r);
		await_irq(s, 0,
			  "with EVENT_IDX the flag that asks for silence means "
			  "nothing");
	}
}

/* n chains one by one; the interrupt comes with the one that was named. */
static void event_at(struct suite *s, struct ring *r, uint16_t after)
{
	quiet_start(r);
	ring_event(r, after);
	for (uint32_t i = 1; i < after; i++)
		one_read(r);
	one_read(r);
	await_irq(s, 0, "the index that used_event names was reached");
}

static void event_sends(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, VIRTIO_F_EVENT_IDX);

	for (uint16_t after = 1; after < 6; after++)
		event_at(s, r, after);
}

static void event_quiet(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, VIRTIO_F_EVENT_IDX);

	quiet_start(r);
	ring_event(r, 6);
	for (uint32_t i = 0; i < 5; i++)
		one_read(r);
	settle(s);
	expect(s, !irq_used(s, 0),
	       "an interrupt came before the index that used_event names");
	one_read(r);
	await_irq(s, 0, "the index that used_event names was reached");
	quiet_start(r);
	one_read(r);            /* it is behind now */
	settle(s);
	expect(s, !irq_used(s, 0),
	       "an interrupt came after the index that used_event names");
}

/* Several at once that step over the event: ids, which a device may answer in
 * one go. */
static void event_in_batch(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, VIRTIO_F_EVENT_IDX);

	for (uint32_t round = 0; round < 4; round++) {
		struct req q;

		quiet_start(r);
		ring_event(r, 2);
		for (uint32_t n = 0; n < 4 && r->free >= 3 && !s->over; n++) {
			req_make(s, &q, BLK_T_GET_ID, 0, BLK_ID_BYTES);
			req_add(r, &q);
		}
		ring_go(r);
		ring_await_all(r, "four ids at once");
		await_irq(s, 0,
			  "a batch passed the index that used_event names");
	}
}

/* The library looks at the flags whenever it looks at the used ring. */
static void busy(struct ring *r)
{
	struct suite *s = r->s;
	bool flush = s->features & BLK_F_FLUSH; /* more chains in a ring */

	for (uint32_t round = 0; round < 8 && !s->over; round++) {
		struct req q;

		while (r->free >= (flush ? 2 : 3) && !s->over) {
			req_make(s, &q, flush ? BLK_T_FLUSH : BLK_T_IN, 0,
				 flush ? 0 : SECTOR);
			req_add(r, &q);
		}
		ring_go(r);
		ring_await_all(r, "a ring full of reads");
		(void)ring_used(r);
	}
	settle(s);
	(void)ring_used(r);
}

static void used_flags(struct suite *s)
{
	busy(start(s, ALL_FEATURES & ~VIRTIO_F_EVENT_IDX, 0));
}

static void used_flags_event(struct suite *s)
{
	busy(start(s, ALL_FEATURES, VIRTIO_F_EVENT_IDX));
}

static void device_flag(struct suite *s)
{
	notify_as_asked(start(s, ALL_FEATURES & ~VIRTIO_F_EVENT_IDX, 0), 300);
}

static void device_event(struct suite *s)
{
	notify_as_asked(start(s, ALL_FEATURES, VIRTIO_F_EVENT_IDX), 300);
}

static void spurious(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);

	for (uint32_t i = 0; i < 50; i++)
		ring_notify(r);
	settle(s);
	expect(s, !ring_used(r) || s->over,
	       "something was used, and nothing was available");
	alive(r, "50 notifications of nothing");
	for (uint32_t i = 0; i < 50; i++)
		ring_notify(r);
	alive(r, "50 more");
}

/* The device's own words overwritten: it must not read them back. */
static void used_ring_overwritten(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct req q;

	alive(r, "before");
	req_make(s, &q, BLK_T_IN, 0, SECTOR);
	if (s->over)
		return;
	*(uint16_t *)(void *)(r->device.host + 2) = le16(0x7777);
	req_add(r, &q);
	ring_show(r);
	ring_notify(r);
	settle(s);
	expect(s, raw_used_idx(r) == (uint16_t)(r->seen + 1u),
	       "the driver overwrote the used index with 30583; the device "
	       "made it %u, not %u",
	       raw_used_idx(r), r->seen + 1u);
	expect(s, req_end(r, &q) == BLK_S_OK, "the read fails");
}

/* A driver that did not clear the used ring's flags before. */
static void used_flags_not_cleared(struct suite *s)
{
	struct ring *r;

	negotiate(s, ALL_FEATURES, 0);
	r = add_ring(s, 0, 16);
	if (s->over)
		return;
	*(uint16_t *)(void *)r->device.host = 0xffff;
	driver_ok(s);
	ring_notify(r);
	settle(s);
	expect(s, raw_used_flags(r) == 0,
	       "flags of a used ring that were 65535 at its start are %u",
	       raw_used_flags(r));
	alive(r, "a used ring whose flags were not cleared");
}

const struct suite_test tests_split_notify[] = {
	{ "split.used_event_ignored", "SPLITRING-D005 SPLITRING-D007",
	  "without EVENT_IDX used_event means nothing", SUITE_MUST, 0, 0,
	  SUITE_SPLIT, used_event_ignored },
	{ "split.flag_1", "SPLITRING-D006 SPLITRING-G011",
	  "no interrupt while flags is 1", SUITE_SHOULD, 0, 0, SUITE_SPLIT,
	  flag_1 },
	{ "split.flag_0", "SPLITRING-D007 SPLITRING-G014",
	  "an interrupt while flags is 0", SUITE_MUST, 0, 0, SUITE_SPLIT,
	  flag_0 },
	{ "split.event_ignores_flags", "SPLITRING-D008 SPLITRING-G012",
	  "with EVENT_IDX flags mean nothing", SUITE_MUST, 0,
	  VIRTIO_F_EVENT_IDX, SUITE_SPLIT, event_ignores_flags },
	{ "split.event_sends", "SPLITRING-D009 SPLITRING-G013",
	  "an interrupt when used_event is reached", SUITE_MUST, 0,
	  VIRTIO_F_EVENT_IDX, SUITE_SPLIT, event_sends },
	{ "split.event_in_batch", "SPLITRING-D009",
	  "an interrupt when used_event is passed in a batch", SUITE_MUST, 0,
	  VIRTIO_F_EVENT_IDX, SUITE_SPLIT, event_in_batch },
	{ "split.event_quiet", "SPLITRING-D010",
	  "no interrupt before or behind used_event", SUITE_SHOULD, 0,
	  VIRTIO_F_EVENT_IDX, SUITE_SPLIT, event_quiet },
	{ "split.used_flags", "SPLITRING-D014 SPLITRING-G018",
	  "used flags are 0 or 1", SUITE_MUST, 0, 0, SUITE_SPLIT,
	  used_flags },
	{ "split.used_flags_event", "SPLITRING-D016 SPLITRING-G020",
	  "used flags are 0 with EVENT_IDX", SUITE_MUST, 0,
	  VIRTIO_F_EVENT_IDX, SUITE_SPLIT, used_flags_event },
	{ "split.device_flag", "SPLITRING-D015 SPLITRING-G019",
	  "a driver that notifies as flags say is served", SUITE_MAY, 0, 0,
	  SUITE_SPLIT, device_flag },
	{ "split.device_event", "SPLITRING-D017 SPLITRING-G021 "
	  "SPLITRING-G022",
	  "a driver that notifies as avail_event says is served", SUITE_MAY, 0,
	  VIRTIO_F_EVENT_IDX, SUITE_SPLIT, device_event },
	{ "split.spurious", "SPLITRING-D018 PACKEDRING-G005",
	  "notifications of nothing harm nobody", SUITE_MUST, 0, 0,
	  SUITE_SPLIT | SUITE_PACKED, spurious },
	{ "split.used_flags_not_cleared", "SPLITRING-G016",
	  "the device sets the used flags when it begins", SUITE_POLICY, 0, 0,
	  SUITE_SPLIT, used_flags_not_cleared },
	{ "split.used_ring_overwritten", "POL-RING-USED",
	  "the device does not read its used index back", SUITE_POLICY, 0, 0,
	  SUITE_SPLIT, used_ring_overwritten },
};
TESTS(tests_split_notify);

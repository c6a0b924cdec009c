/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Event suppression of packed rings: 2.8.10, 2.8.14.
 */
#include "lib.h"
#include "lib_internal.h"
#include "tests.h"

static void one(struct ring *r)
{
	struct piece p[2];
	struct part t;
	struct req q;

	/* one descriptor each, so that positions are easy to count */
	req_make(r->s, &q, BLK_T_FLUSH, 0, 0);
	(void)req_pieces(&q, p);
	if (r->s->over)
		return;
	*q.status.host = LIB_POISON;
	t = make_table(r, p, 2);
	p[0] = (struct piece){ t.addr, t.bytes, DESC_INDIRECT };
	q.id = ring_add(r, p, 1);
	r->room[q.id] = 1;
	ring_go(r);
	(void)req_end(r, &q);
}

static void quiet_start(struct ring *r)
{
	settle(r->s);
	forget_irqs(r->s);
}

static void disabled(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, VIRTIO_F_INDIRECT);

	quiet_start(r);
	ring_quiet(r);
	for (uint32_t i = 0; i < 40; i++)
		one(r);
	settle(s);
	expect(s, !irq_used(s, 0),
	       "an interrupt came, and the driver disabled them");
}

static void enabled(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, VIRTIO_F_INDIRECT);

	quiet_start(r);
	for (uint32_t i = 0; i < 40; i++) {
		ring_loud(r);
		one(r);
		await_irq(s, 0, "interrupts are enabled and a list was used");
	}
}

static void event_sends(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES,
			       VIRTIO_F_INDIRECT | VIRTIO_F_EVENT_IDX);

	for (uint16_t after = 1; after < 40; after += 5) {
		quiet_start(r);
		ring_event(r, after);
		for (uint32_t i = 0; i < after; i++)
			one(r);
		await_irq(s, 0,
			  "the descriptor that the driver named was "
			  "used");
	}
}

static void event_quiet(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES,
			       VIRTIO_F_INDIRECT | VIRTIO_F_EVENT_IDX);

	for (uint32_t lap = 0; lap < 5; lap++) {
		quiet_start(r);
		ring_event(r, 10);
		for (uint32_t i = 0; i < 9; i++)
			one(r);
		settle(s);
		expect(s, !irq_used(s, 0),
		       "an interrupt came before the descriptor that the "
		       "driver named");
		one(r);
		await_irq(s, 0,
			  "the descriptor that the driver named was "
			  "used");
	}
}

static void device_area(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, VIRTIO_F_INDIRECT);

	for (uint32_t i = 0; i < 40; i++) {
		uint32_t flags;

		one(r);
		if (s->over)
			return;
		flags = get16(r->device.host + 2);
		expect(s,
		       flags <= ((s->features & VIRTIO_F_EVENT_IDX) ? 2u : 1u),
		       "the device's event flags are %u", flags);
	}
}

static void only_if_asked(struct suite *s)
{
	notify_as_asked(start(s, ALL_FEATURES, 0), 200);
}

/* Values that no driver may write: the ring goes on. */
static void odd_values(struct suite *s)
{
	static const uint32_t flags[] = { 3, 4, 0xffff, 2 };
	struct ring *r = start(s, ALL_FEATURES, 0);

	for (uint32_t i = 0; i < 4; i++) {
		if (s->over)
			return;
		put16(r->driver.host, 0x7fff);
		put16(r->driver.host + 2, flags[i]);
		for (uint32_t k = 0; k < 30; k++)
			alive(r, "event flags that mean nothing");
	}
}

const struct suite_test tests_packed_notify[] = {
	{ "packed.disabled", "TEXT-EVENTS-DRIVER",
	  "no interrupt while disabled",
	  SUITE_SHOULD, 0, VIRTIO_F_INDIRECT, SUITE_PACKED, disabled },
	{ "packed.enabled", "TEXT-EVENTS-DRIVER", "an interrupt while enabled",
	  SUITE_MUST, 0, VIRTIO_F_INDIRECT, SUITE_PACKED, enabled },
	{ "packed.event_sends", "TEXT-EVENTS-DRIVER",
	  "an interrupt when the named descriptor is used", SUITE_MUST, 0,
	  VIRTIO_F_INDIRECT | VIRTIO_F_EVENT_IDX, SUITE_PACKED,
	  event_sends },
	{ "packed.event_quiet", "TEXT-EVENTS-DRIVER",
	  "no interrupt before the named descriptor", SUITE_SHOULD, 0,
	  VIRTIO_F_INDIRECT | VIRTIO_F_EVENT_IDX, SUITE_PACKED,
	  event_quiet },
	{ "packed.device_area", "TEXT-EVENTS-DEVICE",
	  "the device's event flags mean something", SUITE_MUST, 0,
	  VIRTIO_F_INDIRECT, SUITE_PACKED, device_area },
	{ "packed.only_if_asked", "TEXT-EVENTS-DEVICE",
	  "a driver that notifies as the device asks is served", SUITE_MUST,
	  0, 0, SUITE_PACKED, only_if_asked },
	{ "packed.odd_values", "POL-PACKED-EVENT",
	  "event flags without a meaning harm nobody", SUITE_POLICY, 0, 0,
	  SUITE_PACKED | SUITE_ANYBODY, odd_values },
};
TESTS(tests_packed_notify);

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reserved feature bits that bind device and driver: IN_ORDER (2.7.14, 2.8.21),
 * NOTIFICATION_DATA (2.9).
 */
#include "lib.h"
#include "tests.h"

#define N 6u

/* Sectors whose completion the store turns round: they come in order still. */
static void in_order(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, VIRTIO_F_IN_ORDER);
	struct req q[N];
	uint16_t seen = 0;
	uint32_t n;

	if (s->d->can & DUT_REORDER)
		event(s, DUT_EVENT_REORDER, 1);
	for (uint32_t round = 0; round < 6; round++) {
		for (n = 0; n < N && r->free >= 3 && !s->over; n++) {
			req_make(s, &q[n], BLK_T_IN, n, SECTOR);
			req_add(r, &q[n]);
		}
		ring_go(r);
		/* take_in of the library fails if one overtakes another */
		ring_await_all(r, "requests in order");
		for (uint32_t i = 0; i < n && !s->over; i++) {
			expect(s, *q[i].status.host == BLK_S_OK,
			       "request %u of %u was used with status %u", i, n,
			       *q[i].status.host);
			seen++;
		}
	}
	expect(s, r->completed == seen, "%u came back of %u", r->completed,
	       seen);
}

static void in_order_errors(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, VIRTIO_F_IN_ORDER);
	struct req q[4];
	uint32_t n = 0;

	/* those that the device answers itself among those of the store */
	event(s, DUT_EVENT_HOLD, 1);
	for (; n < 4 && r->free >= 3 && !s->over; n++) {
		req_make(s, &q[n], n & 1u ? BLK_T_GET_ID : BLK_T_IN, 0,
			 n & 1u ? BLK_ID_BYTES : SECTOR);
		req_add(r, &q[n]);
	}
	ring_go(r);
	settle(s);
	expect(s, !ring_used(r) || s->over,
	       "a request overtook one that the store had not finished");
	event(s, DUT_EVENT_HOLD, 0);
	ring_await_all(r, "requests of both kinds");
	for (uint32_t i = 0; i < n && !s->over; i++)
		expect(s, *q[i].status.host == BLK_S_OK,
		       "request %u of %u was used with status %u", i, n,
		       *q[i].status.host);
}

static void in_order_not_taken(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES & ~VIRTIO_F_IN_ORDER, 0);

	for (uint32_t i = 0; i < 8; i++)
		alive(r, "IN_ORDER was offered and not accepted");
}

static void notify_data(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, VIRTIO_F_NOTIFY_DATA);

	for (uint32_t i = 0; i < 100; i++)
		alive(r, "notifications with data");
}

static void notify_data_of_queues(struct suite *s)
{
	struct ring *a, *b;

	negotiate(s, ALL_FEATURES, VIRTIO_F_NOTIFY_DATA | BLK_F_MQ);
	a = add_ring(s, 0, 16);
	b = add_ring(s, 1, 16);
	driver_ok(s);
	for (uint32_t i = 0; i < 20; i++) {
		alive(a, "notifications with data");
		alive(b, "notifications with data");
	}
}

/* The position in it is advice: a driver may lie. */
static void notify_data_lies(struct suite *s)
{
	static const uint32_t lie[] = { 0, 0x7fff0000u, 0xffff0000u,
					0x80000000u, 0x12340000u };
	struct ring *r = start(s, ALL_FEATURES, VIRTIO_F_NOTIFY_DATA);

	for (uint32_t i = 0; i < 5; i++) {
		struct req q;

		req_make(s, &q, BLK_T_IN, 0, SECTOR);
		req_add(r, &q);
		ring_show(r);
		if (s->over)
			return;
		note(s, "notify with %x", lie[i]);
		if (s->d->ops->notify_data(s->d, 0, lie[i]) != DUT_OK)
			return;
		settle(s);
		ring_notify(r);
		expect(s, req_end(r, &q) == BLK_S_OK,
		       "a notification with wrong data spoils a request");
	}
	/* and for queues that there are not */
	if (!s->over) {
		(void)s->d->ops->notify_data(s->d, 0, 0xffffffffu);
		(void)s->d->ops->notify_data(s->d, 0, 0x0001ffffu);
	}
	alive(r, "notifications of queues that do not exist");
}

#define BOTH (SUITE_SPLIT | SUITE_PACKED)

const struct suite_test tests_reserved[] = {
	{ "reserved.in_order", "RESERVEDFEATURES-D005 SPLITRING-G003",
	  "with IN_ORDER buffers are used in order", SUITE_MUST, 0,
	  VIRTIO_F_IN_ORDER, BOTH, in_order },
	{ "reserved.in_order_answered", "RESERVEDFEATURES-D005",
	  "what the device answers itself does not overtake", SUITE_MUST,
	  DUT_HOLD, VIRTIO_F_IN_ORDER, BOTH, in_order_errors },
	{ "reserved.in_order_not_taken", "CORE-D005",
	  "IN_ORDER need not be accepted", SUITE_SHOULD, 0,
	  VIRTIO_F_IN_ORDER, BOTH, in_order_not_taken },
	{ "reserved.notify_data", "TEXT-NOTIFICATION",
	  "notifications with data are understood", SUITE_MUST,
	  DUT_NOTIFY_DATA, VIRTIO_F_NOTIFY_DATA, BOTH, notify_data },
	{ "reserved.notify_data_of_queues", "TEXT-NOTIFICATION",
	  "each names its queue", SUITE_MUST, DUT_NOTIFY_DATA,
	  VIRTIO_F_NOTIFY_DATA | BLK_F_MQ, BOTH, notify_data_of_queues },
	{ "reserved.notify_data_lies", "PACKEDRING-G004 POL-REG-NOTIFY",
	  "a position that is wrong harms nobody", SUITE_POLICY,
	  DUT_NOTIFY_DATA, VIRTIO_F_NOTIFY_DATA, BOTH | SUITE_ANYBODY,
	  notify_data_lies },
};
TESTS(tests_reserved);

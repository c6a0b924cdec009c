/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages and kicks in the midst of a load, which must not notice. */
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "client_hostile.h"

#define CALLS    200u
#define TOGGLES  1000u
#define STOPS    60u
#define MESSAGES 400u
#define FAULTS   60u
#define FLOOD_MS 300u
#define QUIET_NS (2 * NS_PER_MS)
#define LEAST    200u           /* requests of a load that is one */

static bool running(struct hostile *h)
{
	return hostile_run(h) && hostile_load(h);
}

/* It has got somewhere, and is stopped and judged. */
static void judge(struct hostile *h)
{
	uint64_t end = now_ns() + h->timeout_ms * NS_PER_MS;

	while (h->load && !load_failed(h->load) && now_ns() < end &&
	       load_done(h->load) < LEAST)
		sleep_ns(NS_PER_MS);
	if (h->load && !load_failed(h->load))
		(void)hostile_check(h, load_done(h->load) >= LEAST,
				    "the load stands still");
	hostile_unload(h);
}

static unsigned some_queue(struct hostile *h)
{
	return 1 + (unsigned)rng_below(&h->rng, h->queues - 1);
}

/* --- descriptors ---------------------------------------------------------- */

/* A completion before the change, or after it: the new one says so. */
static void call_once(struct hostile *h)
{
	struct virtio_desc d[2] = {
		{ guest_header(h, 0, BLK_T_FLUSH, 0), 16, 0, 0 },
		{ guest_addr(h, ARENA_STATUS), 1, DESC_WRITE, 0 }
	};
	struct vring *q = guest_queue(h);
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct vring_used u;

	if (fd < 0)
		hostile_stop("eventfd");
	guest_offer(h, guest_put(h, d, 2));
	sleep_ns(rng_below(&h->rng, 100000));
	if (front_set_vring_call(&h->s.front, 0, fd))
		(void)hostile_fail(h, "SET_VRING_CALL: %s", h->s.front.why);
	(void)close(q->call);
	q->call = fd;
	(void)hostile_check(h, poll(&p, 1, (int)h->timeout_ms) == 1,
			    "a call descriptor that was changed with a request "
			    "in flight says nothing");
	(void)hostile_check(h, guest_wait(h, &u) == GUEST_DONE,
			    "a request does not complete");
}

static void call_changed(struct hostile *h)
{
	if (!running(h))
		return;
	for (unsigned i = 0; i < CALLS && !h->bad; i++)
		call_once(h);
	judge(h);
}

static void flood(struct hostile *h)
{
	uint64_t end = now_ns() + FLOOD_MS * NS_PER_MS;
	uint64_t most = UINT64_MAX - 1, got;
	const struct vring *q;

	if (!running(h))
		return;
	q = guest_queue(h);
	while (now_ns() < end)
		for (unsigned i = 0; i < h->queues; i++)
			(void)vring_notify(&h->s.queue[i]);
	(void)guest_served(h, "a flood of kicks");
	while (read(q->kick, &got, sizeof(got)) < 0 &&
	       write(q->kick, &most, sizeof(most)) < 0)
		;
	(void)hostile_check(
		h, write(q->kick, &most, sizeof(most)) > 0 || hostile_talks(h),
		"a kick of 2^64 - 2: %s", h->s.front.why);
	sleep_ns(QUIET_NS);
	(void)!read(q->kick, &got, sizeof(got));
	(void)guest_served(h, "a kick of 2^64 - 2");
	judge(h);
}

/* No kick comes, so it polls; no call goes, so we do. */
static void polled(struct hostile *h)
{
	struct front *f = &h->s.front;

	if (!running(h))
		return;
	if (front_set_vring_kick(f, 0, -1))
		(void)hostile_fail(h, "no kick descriptor: %s", f->why);
	(void)guest_served(h, "no kick descriptor");
	if (front_set_vring_call(f, 0, -1) || front_set_vring_err(f, 0, -1))
		(void)hostile_fail(h, "no other descriptor: %s", f->why);
	(void)guest_served(h, "no descriptor at all");
	if (!h->bad && guest_restart(h))
		(void)guest_served(h, "descriptors again");
	judge(h);
}

/* --- messages ------------------------------------------------------------- */

static void toggled(struct hostile *h)
{
	if (h->queues < 2 || !running(h))
		return;
	for (unsigned i = 0; i < TOGGLES && !h->bad; i++)
		if (front_set_vring_enable(&h->s.front, some_queue(h),
					   rng_below(&h->rng, 2)))
			(void)hostile_fail(h, "SET_VRING_ENABLE: %s",
					   h->s.front.why);
	for (unsigned i = 1; i < h->queues && !h->bad; i++)
		(void)front_set_vring_enable(&h->s.front, i, true);
	judge(h);
}

/* Where it stopped is where it is, and it stays there. */
static bool stop_one(struct hostile *h, unsigned i)
{
	const struct vring *q = &h->s.queue[i];
	unsigned base;

	if (front_get_vring_base(&h->s.front, i, &base))
		return hostile_fail(h, "GET_VRING_BASE: %s", h->s.front.why);
	if (!hostile_check(h, base == vring_used_idx(q),
			   "queue %u stopped at %u with used index %u", i, base,
			   vring_used_idx(q)))
		return false;
	(void)vring_notify(q);
	sleep_ns(QUIET_NS);
	return hostile_check(h, base == vring_used_idx(q),
			     "queue %u stopped at %u goes on, to %u", i, base,
			     vring_used_idx(q)) &&
	       guest_start_queue(h, i, base);
}

static void stopped(struct hostile *h)
{
	if (h->queues < 2 || !running(h))
		return;
	for (unsigned i = 0; i < STOPS && !h->bad; i++) {
		unsigned queue = some_queue(h);

		if (stop_one(h, queue))
			(void)vring_notify(&h->s.queue[queue]);
	}
	judge(h);
}

static void say_something(struct hostile *h)
{
	static const uint32_t request[] = { FRONT_GET_FEATURES,
					    FRONT_SET_OWNER,
					    FRONT_SET_MEM_TABLE,
					    FRONT_SET_FEATURES,
					    FRONT_GET_CONFIG,
					    FRONT_GET_STATUS,
					    FRONT_SET_STATUS,
					    FRONT_GET_QUEUE_NUM,
					    FRONT_RESET_OWNER,
					    FRONT_GET_INFLIGHT_FD,
					    FRONT_SET_PROTOCOL_FEATURES,
					    FRONT_GET_MAX_MEM_SLOTS,
					    FRONT_SET_VRING_ENDIAN,
					    255 };
	uint32_t r = request[rng_below(&h->rng, 14)];
	struct hostile_message m;

	if (!hostile_valid(h, r, &m))
		hostile_put(&m, r, NULL, 0);
	m.flags |= FRONT_NEED_REPLY;
	(void)hostile_send_message(h, &m);
	(void)hostile_check(h, hostile_answer(h, r) != ANSWER_NONE,
			    "request %u under load: no answer", r);
}

static void talked_to(struct hostile *h)
{
	if (!running(h))
		return;
	for (unsigned i = 0; i < MESSAGES && !h->bad; i++)
		say_something(h);
	(void)guest_served(h, "messages under load");
	judge(h);
}

/* --- faults --------------------------------------------------------------- */

/* Of every fault it is told, even if somebody stops all queues just then. */
static void faults(struct hostile *h)
{
	if (!running(h))
		return;
	for (unsigned i = 0; i < FAULTS && !h->bad; i++) {
		struct vring *q = guest_queue(h);

		vring_set_avail_idx(q, (uint16_t)(vring_avail_idx(q) + 1000));
		(void)vring_notify(q);
		sleep_ns(rng_below(&h->rng, 60000));
		if (i % 2)
			(void)front_set_features(&h->s.front, h->s.features);
		(void)guest_told(h, "a ring fault under load");
		if (!h->bad && guest_restart(h) && i % 8 == 0)
			(void)guest_served(h, "a ring fault under load");
	}
	judge(h);
}

/* Requests of all queues in flight: when it is answered, none is. */
static void reset(struct hostile *h)
{
	struct vring_used u;

	for (unsigned i = 0; i < 20 && !h->bad; i++) {
		struct front *f = &h->s.front;
		struct vring *q;
		uint16_t used;
		int err;

		if (!h->open && !hostile_run(h))
			return;
		q = guest_queue(h);
		if (!(f->protocol & FRONT_PF_RESET_DEVICE))
			return;
		for (unsigned k = 0; k < 16; k++) {
			struct virtio_desc d[3] = {
				{ guest_header(h, k, BLK_T_IN, guest_sector(h)),
				  16, 0, 0 },
				{ guest_addr(h, ARENA_DATA), 65536, DESC_WRITE,
				  0 },
				{ guest_addr(h, ARENA_STATUS), 1, DESC_WRITE,
				  0 }
			};

			guest_offer(h, guest_put(h, d, 3));
		}
		err = i % 2 ? front_reset_device(f) : front_set_status(f, 0);
		used = vring_used_idx(q);
		(void)vring_notify(q);
		sleep_ns(QUIET_NS);
		(void)hostile_check(h, !err && used == vring_used_idx(q),
				    "a reset with requests in flight: used "
				    "index %u, then %u; %s",
				    used, vring_used_idx(q), f->why);
		while (vring_pop(q, &u) > 0)
			;
		if (!h->bad && guest_restart(h))
			(void)guest_served(h, "a reset");
	}
}

const struct hostile_test hostile_load_tests[] = {
	{ "load__call_descriptor_changed", call_changed },
	{ "load__flood_of_kicks", flood },
	{ "load__no_descriptors", polled },
	{ "load__enabled_and_disabled", toggled },
	{ "load__stopped_and_started", stopped },
	{ "load__messages", talked_to },
	{ "load__ring_faults_beside_it", faults },
	{ "load__reset_with_requests_in_flight", reset },
	{ NULL, NULL }
};

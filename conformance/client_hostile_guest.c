/* SPDX-License-Identifier: BSD-2-Clause */
/* The hostile guest's queue: descriptors by hand, and what became of them. */
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client_hostile.h"
#include "stamp.h"

#define HEADER_SLOT 64u         /* bytes; between headers there is filling */
#define GOOD_SLOT   1000u       /* of guest_served */
#define GOOD_DATA   (ARENA_DATA + (2u << 20))
#define GOOD_STATUS (ARENA_STATUS + 0x8000u)
#define GOOD_BYTES  4096u
#define QUIET_MS    20u

struct vring *guest_queue(struct hostile *h)
{
	return &h->s.queue[0];
}

uint64_t guest_addr(const struct hostile *h, uint64_t in_arena)
{
	return h->s.mem.region[MEM_ARENA].at.gpa + in_arena;
}

void *guest_host(const struct hostile *h, uint64_t in_arena)
{
	return h->s.mem.region[MEM_ARENA].host + in_arena;
}

/* "reserved" is not zero: nothing here reads as a header from another place. */
uint64_t guest_header(struct hostile *h, unsigned slot, uint32_t type,
		      uint64_t sector)
{
	struct blk_header *to = guest_host(h,
					   ARENA_HEADERS + slot * HEADER_SLOT);

	to->type = le32(type);
	to->reserved = UINT32_MAX / 0xff * ARENA_FILL;
	to->sector = le64(sector);
	return guest_addr(h, ARENA_HEADERS + slot * HEADER_SLOT);
}

uint64_t guest_sector(const struct hostile *h)
{
	return h->capacity / 2;
}

uint16_t guest_put(struct hostile *h, const struct virtio_desc *d, unsigned n)
{
	struct vring *q = guest_queue(h);
	uint16_t head = h->next;

	for (unsigned i = 0; i < n; i++) {
		struct virtio_desc one = d[i];

		if (i + 1 < n && !(one.flags & DESC_NEXT)) {
			one.flags |= DESC_NEXT;
			one.next = (uint16_t)((head + i + 1) & q->mask);
		}
		vring_put_raw(q, (uint16_t)(head + i), &one, 1);
	}
	h->next = (uint16_t)((head + n) & q->mask);
	return head;
}

void guest_offer(struct hostile *h, uint16_t head)
{
	struct vring *q = guest_queue(h);

	vring_post_raw(q, head);
	(void)vring_arm(q);
	(void)vring_publish(q);
	(void)vring_notify(q);
}

enum guest_end guest_wait(struct hostile *h, struct vring_used *u)
{
	uint64_t end = now_ns() + h->timeout_ms * NS_PER_MS;
	struct vring *q = guest_queue(h);
	struct pollfd p[2] = { { .fd = q->call, .events = POLLIN },
			       { .fd = q->error, .events = POLLIN } };
	uint64_t drop;
	int got;

	do {
		got = vring_pop(q, u);
		if (got)
			return got > 0 ? GUEST_DONE : GUEST_ODD;
		if (poll(p, 2, 20) < 0)
			continue;
		if (p[0].revents & POLLIN && read(q->call, &drop, 8) < 0)
			continue;
		if (p[1].revents & POLLIN)
			return GUEST_FAULT;
	} while (now_ns() < end);
	return GUEST_SILENT;
}

/* --- served --------------------------------------------------------------- */

static bool good_request(struct hostile *h, uint32_t type, const char *after)
{
	uint8_t *status = guest_host(h, GOOD_STATUS);
	struct virtio_desc d[3] = {
		{ guest_header(h, GOOD_SLOT, type, guest_sector(h) + 64), 16, 0,
		  0 },
		{ guest_addr(h, GOOD_DATA), GOOD_BYTES,
		  type == BLK_T_IN ? DESC_WRITE : 0, 0 },
		{ guest_addr(h, GOOD_STATUS), 1, DESC_WRITE, 0 }
	};
	uint16_t head = guest_put(h, d, 3);
	struct vring_used u = { 0, 0, 0 };
	enum guest_end end;

	*status = 0xff;
	guest_offer(h, head);
	end = guest_wait(h, &u);
	return hostile_check(h, end == GUEST_DONE, "after %s the queue %s%s",
			     after,
			     end == GUEST_FAULT ? "has faulted"
			     : end == GUEST_ODD ? "is disorderly: "
						: "serves nothing",
			     end == GUEST_ODD ? guest_queue(h)->why : "") &&
	       hostile_check(h, u.head == head && *status == BLK_S_OK,
			     "after %s a request: head %u instead of %u, "
			     "status %u",
			     after, u.head, head, *status);
}

bool guest_served(struct hostile *h, const char *after)
{
	uint8_t *data = guest_host(h, GOOD_DATA);
	bool same = true;

	h->acts++;
	for (unsigned i = 0; i < GOOD_BYTES / SECTOR; i++)
		stamp_fill(data + i * SECTOR, 2, i,
			   STAMP_FIRST + (uint32_t)h->acts);
	if (!(h->offered & BLK_F_RO) && !good_request(h, BLK_T_OUT, after))
		return false;
	memset(data, ARENA_FILL, GOOD_BYTES);
	if (!good_request(h, BLK_T_IN, after))
		return false;
	for (unsigned i = 0; i < GOOD_BYTES / SECTOR; i++)
		same = same && stamp_check(data + i * SECTOR, 2, i,
					   STAMP_FIRST + (uint32_t)h->acts);
	memset(data, ARENA_FILL, GOOD_BYTES);
	return hostile_check(h, same || h->offered & BLK_F_RO,
			     "after %s data reads back differently", after);
}

/* --- faulted -------------------------------------------------------------- */

static bool told_by_event(struct hostile *h, const char *after)
{
	struct vring *q = guest_queue(h);
	struct pollfd p = { .fd = q->error, .events = POLLIN };
	uint64_t drop;

	return hostile_check(h,
			     poll(&p, 1, (int)h->timeout_ms) == 1 &&
				     read(q->error, &drop, 8) == 8,
			     "after %s nothing comes from the error descriptor",
			     after);
}

static bool told_by_status(struct hostile *h, const char *after)
{
	uint64_t status = 0;

	if (!(h->s.front.protocol & FRONT_PF_STATUS))
		return true;
	if (front_get_status(&h->s.front, &status))
		return hostile_fail(h, "after %s GET_STATUS: %s", after,
				    h->s.front.why);
	return hostile_check(h, status & 64,
			     "after %s the status is %llu, without NEEDS_RESET",
			     after, (unsigned long long)status);
}

/* 2.1.2: a driver in DRIVER_OK gets a notification of a change. */
static bool told_by_message(struct hostile *h, const char *after)
{
	const uint64_t both = FRONT_PF_BACKEND_REQ | FRONT_PF_CONFIG;
	struct front *f = &h->s.front;
	struct front_message m;
	int err;

	if ((f->protocol & both) != both)
		return true;
	err = front_back_receive(f, &m, 1000);
	if (err)
		return hostile_fail(h, "after %s no CONFIG_CHANGE: %s", after,
				    f->why);
	front_message_close(&m);
	return hostile_check(h, m.request == FRONT_BACK_CONFIG_CHANGE,
			     "after %s message %u of the back end", after,
			     m.request);
}

bool guest_told(struct hostile *h, const char *after)
{
	return told_by_event(h, after) && told_by_status(h, after) &&
	       told_by_message(h, after);
}

bool guest_faulted(struct hostile *h, const char *after)
{
	const struct vring *q = guest_queue(h);
	uint16_t used;

	if (!guest_told(h, after))
		return false;
	used = vring_used_idx(q);
	(void)vring_notify(q);
	sleep_ns(QUIET_MS * NS_PER_MS);
	return hostile_check(h, used == vring_used_idx(q),
			     "after %s the faulted queue goes on", after);
}

/* --- starting ------------------------------------------------------------- */

bool guest_start_queue(struct hostile *h, unsigned queue, unsigned base)
{
	const struct vring *q = &h->s.queue[queue];
	struct front *f = &h->s.front;
	int err = front_set_vring_num(f, queue, q->size);

	if (!err)
		err = front_set_vring_base(f, queue, base);
	if (!err)
		err = session_set_vring_addr(&h->s, queue);
	if (!err)
		err = front_set_vring_err(f, queue, q->error);
	if (!err)
		err = front_set_vring_kick(f, queue, q->kick);
	if (!err)
		err = front_set_vring_call(f, queue, q->call);
	if (!err && h->s.features & VHOST_F_PROTOCOL)
		err = front_set_vring_enable(f, queue, true);
	return hostile_check(h, !err, "a queue's start: %s", f->why);
}

/* What was told of the past, and not yet read. */
static void hear(struct hostile *h)
{
	struct front_message m;

	while (h->s.front.back_fd >= 0 &&
	       front_back_receive(&h->s.front, &m, 0) == 0)
		front_message_close(&m);
}

bool guest_restart(struct hostile *h)
{
	struct vring *q = guest_queue(h);
	struct vring_options o = { .size = q->size,
				   .event_idx = q->event_idx,
				   .desc = q->part[0],
				   .avail = q->part[1],
				   .used = q->part[2] };
	unsigned base;

	if (front_get_vring_base(&h->s.front, 0, &base))
		return hostile_fail(h, "GET_VRING_BASE: %s", h->s.front.why);
	vring_free(q);
	if (vring_init(q, &o))
		hostile_stop("a queue");
	hear(h);
	h->next = 0;
	return guest_start_queue(h, 0, 0);
}

/* --- memory that goes away ------------------------------------------------ */

static uint8_t *guarded[2];

static void on_sigbus(int number, siginfo_t *info, void *context)
{
	uint8_t *at = (uint8_t *)info->si_addr;

	(void)context;
	for (unsigned i = 0; i < 2; i++) {
		uint8_t *page = at - (uintptr_t)at % MEM_PAGE;

		if (at >= guarded[i] && at < guarded[i] + ARENA_BYTES &&
		    mmap(page, MEM_PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
			 0) != MAP_FAILED)
			return;
	}
	(void)signal(number, SIG_DFL);
}

void guest_guard(const struct hostile *h)
{
	struct sigaction a = { .sa_sigaction = on_sigbus,
			       .sa_flags = SA_SIGINFO };

	guarded[0] = h->s.mem.region[MEM_RINGS].host;
	guarded[1] = h->s.mem.region[MEM_ARENA].host;
	(void)sigaction(SIGBUS, &a, NULL);
}

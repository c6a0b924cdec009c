/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptors that the front end goes on to use: it can make them block, and it
 * can have the back end hold the front end's own end of their connection, which
 * then never ends.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "client_hostile.h"

#define KICKS      4000u
#define LONGEST_NS 30000u       /* until a kick is taken back */

static void shut(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

static void make_pipe(int end[2])
{
	if (pipe2(end, O_CLOEXEC | O_NONBLOCK))
		hostile_stop("pipe");
}

/* Requests, so that it is kicked and called; then a fault. */
void hostile_use_events(struct hostile *h)
{
	struct virtio_desc d[2] = {
		{ guest_header(h, 0, BLK_T_FLUSH, 0), 16, 0, 0 },
		{ guest_addr(h, ARENA_STATUS), 1, DESC_WRITE, 0 }
	};
	struct vring *q = guest_queue(h);

	for (unsigned i = 0; i < 8; i++)
		guest_offer(h, guest_put(h, d, 2));
	sleep_ns(NS_PER_MS);
	vring_set_avail_idx(q, (uint16_t)(vring_avail_idx(q) + 1000));
	(void)vring_notify(q);
	sleep_ns(NS_PER_MS);
}

/* --- the other owner ------------------------------------------------------ */

/*
 * Flags belong to the open file, which two processes share: what the back end
 * made nonblocking the front end can make blocking again. A write to a full one
 * then waits for as long as the front end pleases, and longer than it lives.
 */
static void block(int fd)
{
	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
}

static void blocking(struct hostile *h, uint32_t request, bool event)
{
	struct hostile_message m;
	uint64_t most = UINT64_MAX - 1;
	int end[2] = { -1, -1 };

	if (!hostile_run(h) || !hostile_valid(h, request, &m))
		return;
	if (event)
		end[1] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	else
		make_pipe(end);
	m.fd[0] = end[1];
	(void)hostile_send_message(h, &m);
	(void)hostile_talks(h);
	/* It may have been signalled already. */
	if (event && read(end[1], &most, sizeof(most)) > 0)
		most = UINT64_MAX - 1;
	if (event && write(end[1], &most, sizeof(most)) < 0)
		hostile_stop("eventfd");
	while (!event && write(end[1], "x", 1) == 1)
		;
	block(end[1]);
	hostile_use_events(h);
	(void)hostile_over(h, "a full %s, made blocking again, for request %u",
			   event ? "eventfd" : "pipe", request);
	/* Whoever waits for it is let go. */
	if (event && read(end[1], &most, sizeof(most)) < 0)
		hostile_stop("eventfd");
	shut(end[0]);
	shut(end[1]);
}

static void call_blocks(struct hostile *h)
{
	blocking(h, FRONT_SET_VRING_CALL, true);
	blocking(h, FRONT_SET_VRING_CALL, false);
}

static void err_blocks(struct hostile *h)
{
	blocking(h, FRONT_SET_VRING_ERR, true);
	blocking(h, FRONT_SET_VRING_ERR, false);
}

/* Kicks that are taken back at once: who reads them then waits. */
static void kicks_back(struct hostile *h, bool event)
{
	uint64_t word = 1;
	struct iovec v = { &word, sizeof(word) };
	struct hostile_message m;
	int end[2] = { -1, -1 };

	if (!hostile_run(h) || !hostile_valid(h, FRONT_SET_VRING_KICK, &m))
		return;
	if (event)
		end[0] = end[1] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	else
		make_pipe(end);
	m.fd[0] = end[0];
	(void)hostile_send_message(h, &m);
	(void)hostile_talks(h);
	block(end[0]);
	for (unsigned i = 0; i < KICKS; i++) {
		word = 1;
		if (write(end[1], &word, sizeof(word)) < 0)
			break;
		sleep_ns(rng_below(&h->rng, LONGEST_NS));
		if (preadv2(end[0], &v, 1, -1, RWF_NOWAIT) < 0)
			continue;       /* it was quicker */
	}
	(void)hostile_over(h, "kicks taken back from %s, made blocking again",
			   event ? "an eventfd" : "a pipe");
	if (write(end[1], &word, sizeof(word)) < 0)
		hostile_stop("a last kick");
	shut(end[1]);
	if (!event)
		shut(end[0]);
}

static void kick_blocks(struct hostile *h)
{
	kicks_back(h, true);
	kicks_back(h, false);
}

/* --- its own socket ------------------------------------------------------- */

static void end_own(struct hostile *h, const char *how)
{
	(void)hostile_over(h, "its own socket, kept %s,", how);
}

static void as_event(struct hostile *h, uint32_t request)
{
	struct hostile_message m;

	if (!hostile_run(h) || !hostile_valid(h, request, &m))
		return;
	m.fd[0] = h->s.front.fd;
	(void)hostile_send_message(h, &m);
	sleep_ns(5 * NS_PER_MS);
	end_own(h, "for an event");
}

static void own_as_event(struct hostile *h)
{
	as_event(h, FRONT_SET_VRING_KICK);
	as_event(h, FRONT_SET_VRING_CALL);
	as_event(h, FRONT_SET_VRING_ERR);
	as_event(h, FRONT_SET_BACKEND_REQ_FD);
}

static void own_in_part(struct hostile *h)
{
	struct front back = { .fd = -1 };
	int fd;

	if (!hostile_run(h))
		return;
	back = h->s.front;
	back.fd = h->s.front.back_fd;
	fd = h->s.front.fd;
	if (back.fd >= 0) {
		(void)front_send_raw(&back, "", 1, &fd, 1);
		(void)hostile_talks(h);
		end_own(h, "in half a message on the back-end channel");
	}
	if (!hostile_open(h))
		return;
	fd = h->s.front.fd;
	(void)hostile_send(h, "", 1, 1, &fd, 1);
	sleep_ns(5 * NS_PER_MS);
	end_own(h, "in half a message");
}

const struct hostile_test hostile_own[] = {
	{ "own__call_made_blocking_again", call_blocks },
	{ "own__err_made_blocking_again", err_blocks },
	{ "own__kick_made_blocking_again", kick_blocks },
	{ "own__socket_as_event", own_as_event },
	{ "own__socket_in_half_a_message", own_in_part },
	{ NULL, NULL }
};

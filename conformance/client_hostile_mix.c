/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Everything at random: connections of random length, made of messages that are
 * nearly right and of a guest that is not. Connection i of a run is that of
 * --seed=SEED+i, whatever the clock said; of a failure the seed is printed that
 * makes it the first one.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client_hostile.h"

#define LONGEST 60u             /* acts of a connection */
#define MOST    46u             /* requests, with some that there are not */

static uint64_t odd_number(struct hostile *h)
{
	switch (rng_below(&h->rng, 8)) {
	case 0: return 0;
	case 1: return rng_below(&h->rng, 8);
	case 2: return UINT64_MAX - rng_below(&h->rng, 8192);
	case 3: return UINT64_C(1) << rng_below(&h->rng, 64);
	case 4: return (UINT64_C(1) << rng_below(&h->rng, 64)) - 1;
	case 5: return rng_next(&h->rng) >> rng_below(&h->rng, 64);
	case 6:
		return h->s.mem.region[MEM_RINGS].at.uva +
		       rng_below(&h->rng, ARENA_BYTES);
	default: return rng_below(&h->rng, 65536);
	}
}

/* --- messages ------------------------------------------------------------- */

static void spoil_payload(struct hostile *h, struct hostile_message *m)
{
	uint64_t n = m->bytes / 4, v = odd_number(h);

	if (!n)
		return;
	if (n > 1 && rng_below(&h->rng, 2))
		memcpy(m->payload + rng_below(&h->rng, n - 1) * 4, &v, 8);
	else
		memcpy(m->payload + rng_below(&h->rng, n) * 4, &v, 4);
}

static int any_descriptor(struct hostile *h)
{
	int pair[2];

	switch (rng_below(&h->rng, 7)) {
	case 0: return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	case 1: return eventfd(3, EFD_SEMAPHORE | EFD_CLOEXEC);
	case 2: return open("/dev/null", O_RDWR | O_CLOEXEC);
	case 3: return open("/", O_RDONLY | O_CLOEXEC);
	case 4: return hostile_memfd(rng_below(&h->rng, 3) * MEM_PAGE);
	case 5:
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
			hostile_stop("socketpair");
		(void)close(pair[0]);
		return pair[1];
	default:
		return fcntl(h->s.mem.region[MEM_ARENA].fd, F_DUPFD_CLOEXEC, 3);
	}
}

/* Those of good messages are kept, these are to be closed. */
static unsigned spoil_descriptors(struct hostile *h, struct hostile_message *m)
{
	unsigned more = 0;

	if (rng_below(&h->rng, 2) && m->fds)
		m->fds--;
	else
		more = 1 + (unsigned)rng_below(&h->rng, 3);
	for (unsigned i = 0; i < more; i++)
		m->fd[m->fds++] = any_descriptor(h);
	return more;
}

static void spoil_header(struct hostile *h, struct hostile_message *m)
{
	switch (rng_below(&h->rng, 3)) {
	case 0: m->flags ^= 1u << rng_below(&h->rng, 5); break;
	case 1: m->size = (uint32_t)odd_number(h); break;
	default:
		m->bytes = rng_below(&h->rng, m->bytes + 1);
		if (rng_below(&h->rng, 2))
			m->size = (uint32_t)m->bytes;
		break;
	}
}

/* The replies that are there; nobody waits for them. */
static void drain(struct hostile *h)
{
	uint8_t bytes[4096];
	struct pollfd p = { .fd = h->s.front.fd, .events = POLLIN };

	while (poll(&p, 1, 0) > 0 &&
	       recv(p.fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

static bool send_one(struct hostile *h)
{
	uint32_t r = (uint32_t)rng_below(&h->rng, MOST);
	uint64_t dice = rng_below(&h->rng, 16);
	struct hostile_message m;
	unsigned more = 0;
	bool sent;

	if (!hostile_valid(h, r, &m)) {
		const uint64_t junk = odd_number(h);

		hostile_put(&m, r, &junk, rng_below(&h->rng, 9));
	}
	if (rng_below(&h->rng, 4))
		m.flags |= FRONT_NEED_REPLY;
	if (dice < 6)
		spoil_payload(h, &m);
	if (dice == 6 || dice == 7)
		more = spoil_descriptors(h, &m);
	if (dice == 8 && rng_below(&h->rng, 4) == 0)
		spoil_header(h, &m);
	sent = hostile_send_message(h, &m);
	while (more && m.fds)
		if (more--)
			(void)close(m.fd[--m.fds]);
	drain(h);
	return sent;
}

/* --- the guest, and its memory -------------------------------------------- */

static void random_chain(struct hostile *h)
{
	static const uint32_t type[] = { BLK_T_IN,	BLK_T_OUT,
					 BLK_T_FLUSH,	BLK_T_GET_ID,
					 BLK_T_DISCARD, BLK_T_WRITE_ZEROES };
	struct virtio_desc d[4] = {
		{ guest_header(h, 0, type[rng_below(&h->rng, 6)],
			       guest_sector(h) + rng_below(&h->rng, 2048)),
		  16, 0, 0 },
		{ guest_addr(h, ARENA_DATA), 4096,
		  rng_below(&h->rng, 2) ? DESC_WRITE : 0, 0 },
		{ guest_addr(h, ARENA_STATUS), 1, DESC_WRITE, 0 }
	};
	unsigned i = (unsigned)rng_below(&h->rng, 3);

	switch (rng_below(&h->rng, 6)) {
	case 0: d[i].addr = odd_number(h); break;
	case 1: d[i].len = (uint32_t)odd_number(h); break;
	case 2: d[i].flags = (uint16_t)rng_below(&h->rng, 8); break;
	case 3: d[i].addr += odd_number(h); break;
	default: break;
	}
	guest_offer(h, guest_put(h, d, 3));
}

static void random_ring(struct hostile *h)
{
	struct vring *q = guest_queue(h);
	uint8_t *at = h->s.mem.region[MEM_RINGS].host;

	switch (rng_below(&h->rng, 4)) {
	case 0: vring_set_avail_idx(q, (uint16_t)rng_next(&h->rng)); break;
	case 1: vring_post_raw(q, (uint16_t)odd_number(h)); break;
	default:
		for (unsigned i = 0; i < 64; i++)
			at[rng_below(&h->rng, 4 * MEM_PAGE)] = (uint8_t)
				rng_next(&h->rng);
		break;
	}
	(void)vring_publish(q);
	(void)vring_notify(q);
}

static void random_file(struct hostile *h)
{
	unsigned region = MEM_RINGS + (unsigned)rng_below(&h->rng, 2);
	int fd = h->s.mem.region[region].fd;
	uint64_t size = ARENA_BYTES + h->s.mem.region[region].at.offset;

	if (rng_below(&h->rng, 2) &&
	    fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
		      1 << 16))
		hostile_stop("fallocate");
	else if (ftruncate(fd, (off_t)(rng_below(&h->rng, 3) * size / 2)))
		hostile_stop("ftruncate");
}

static void say_back(struct hostile *h)
{
	uint8_t junk[40];

	if (h->s.front.back_fd < 0)
		return;
	for (unsigned i = 0; i < sizeof(junk); i++)
		junk[i] = (uint8_t)rng_below(&h->rng, 6);
	(void)send(h->s.front.back_fd, junk, rng_below(&h->rng, sizeof(junk)),
		   MSG_DONTWAIT | MSG_NOSIGNAL);
}

static bool act(struct hostile *h)
{
	switch (rng_below(&h->rng, 16)) {
	case 0:
	case 1:
	case 2:
	case 3: random_chain(h); break;
	case 4:
	case 5: random_ring(h); break;
	case 6:
		if (rng_below(&h->rng, 4) == 0)
			random_file(h);
		break;
	case 7: say_back(h); break;
	case 8: sleep_ns(rng_below(&h->rng, 200000)); break;
	default: return send_one(h);
	}
	return true;
}

/* --- connections ---------------------------------------------------------- */

static void one_connection(struct hostile *h, uint64_t seed)
{
	unsigned n;

	h->rng.state = mix64(~seed);
	n = 1 + (unsigned)rng_below(&h->rng, LONGEST);
	if (!(rng_below(&h->rng, 4) ? hostile_run(h) : hostile_make(h)))
		return;
	guest_guard(h);
	h->s.front.ask_ack = rng_below(&h->rng, 2);
	while (n-- && act(h))
		;
	(void)hostile_over(h, "connection --seed=%llu --only=mix__*",
			   (unsigned long long)seed);
}

static void mix(struct hostile *h)
{
	uint64_t until = now_ns() + h->o->seconds * NS_PER_S, n = 0;

	while (now_ns() < until && !h->bad)
		one_connection(h, h->o->seed + n++);
	tap_note("%llu random connections", (unsigned long long)n);
}

const struct hostile_test hostile_mix[] = {
	{ "mix__random_connections", mix },
	{ NULL, NULL }
};

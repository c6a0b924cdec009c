/* SPDX-License-Identifier: BSD-2-Clause */
/* The two memories beside the guest's: the dirty log and the in-flight log. */
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client_hostile.h"

#define BEFORE_MS  20u
#define AFTER_MS   100u
#define MUTATE_MS  300u
#define GARBAGES   8u
#define LOG_HEADER 16u          /* bytes, as the protocol suggests: */
#define LOG_ENTRY  16u          /* of each descriptor */

static bool logs(const struct hostile *h)
{
	return h->offered & VHOST_F_LOG_ALL &&
	       h->offered_protocol & FRONT_PF_LOG_SHMFD;
}

static bool remembers(const struct hostile *h)
{
	return h->offered_protocol & FRONT_PF_INFLIGHT_SHMFD;
}

/* --- dirty pages ---------------------------------------------------------- */

static const struct {
	uint64_t size, offset;  /* of a file of 1 MiB */
} bad_logs[] = {
	{ 0, 0 },
	{ (1u << 20) + 1, 0 },
	{ 1u << 20, 1 },
	{ 4096, 1u << 20 },
	{ UINT64_MAX, 0 },
	{ UINT64_C(1) << 63, 0 },
	{ 4096, UINT64_MAX - 4095 },
	{ UINT64_MAX - 4095, 8192 },
	{ UINT64_C(1) << 40, 0 }
};

static void bad_dirty(struct hostile *h)
{
	struct hostile_message m;

	for (unsigned i = 0; i < 9 && logs(h) && !h->bad; i++) {
		const uint64_t log[2] = { bad_logs[i].size,
					  bad_logs[i].offset };

		if (!h->open && !hostile_open(h))
			return;
		(void)hostile_valid(h, FRONT_SET_LOG_BASE, &m);
		memcpy(m.payload, log, sizeof(log));
		(void)hostile_refused(h, &m, "a dirty log that is not there");
	}
}

/* It ends before the memory: nothing beyond its end may be written. */
static void short_dirty(struct hostile *h)
{
	static const uint64_t bytes[] = { 1, 8, 4096, 40000 };

	for (unsigned i = 0; i < 4 && logs(h) && !h->bad; i++) {
		if (!hostile_make(h))
			return;
		if (session_make_log(&h->s))
			hostile_stop("dirty log");
		h->s.log_bytes = bytes[i];
		h->s.logging = true;
		(void)hostile_start(h);
		(void)hostile_check(
			h, hostile_talks(h), "a dirty log of %llu bytes: %s",
			(unsigned long long)bytes[i], h->s.front.why);
		h->s.log_bytes = MEM_PAGE; /* to be unmapped */
		(void)hostile_over(h, "a dirty log of %llu bytes",
				   (unsigned long long)bytes[i]);
	}
}

static void shrunk_dirty(struct hostile *h)
{
	for (unsigned i = 0; i < 2 && logs(h) && !h->bad; i++) {
		if (!hostile_make(h))
			return;
		if (session_make_log(&h->s))
			hostile_stop("dirty log");
		h->s.logging = true;
		if (!hostile_start(h) || !hostile_load(h))
			return;
		sleep_ns(BEFORE_MS * NS_PER_MS);
		if (ftruncate(h->s.log_fd, i ? MEM_PAGE : 0))
			hostile_stop("ftruncate");
		sleep_ns(AFTER_MS * NS_PER_MS);
		(void)guest_served(h, "its dirty log is gone");
		hostile_unload(h);
		(void)hostile_over(h, "its dirty log is gone");
	}
}

/* --- what is in flight ---------------------------------------------------- */

static const struct front_inflight bad_inflights[] = {
	{ 1u << 20, 0, 0, 64, { 0 } },
	{ 1u << 20, 0, 1, 0, { 0 } },
	{ 0, 0, 1, 64, { 0 } },
	{ 64, 0, 1, 64, { 0 } },
	{ 1u << 20, 0, 65535, 65535, { 0 } },
	{ UINT64_MAX, 0, 1, 64, { 0 } },
	{ UINT64_MAX - 4095, 8192, 1, 64, { 0 } },
	{ 1u << 20, 4096, 1, 64, { 0 } },
	{ 4096, 1u << 20, 1, 64, { 0 } },
	{ 4096, UINT64_MAX - 4095, 1, 64, { 0 } },
	{ 1u << 20, UINT64_C(1) << 63, 1, 64, { 0 } },
	{ 1u << 19, 1, 1, 64, { 0 } }
};

static void bad_inflight(struct hostile *h)
{
	struct hostile_message m;

	for (unsigned i = 0; i < 12 && remembers(h) && !h->bad; i++) {
		if (!h->open && !hostile_open(h))
			return;
		(void)hostile_valid(h, FRONT_SET_INFLIGHT_FD, &m);
		memcpy(m.payload, &bad_inflights[i], sizeof(bad_inflights[i]));
		(void)hostile_refused(h, &m, "a bad in-flight log");
	}
	for (unsigned i = 0; i < 5 && remembers(h) && !h->bad; i++) {
		const struct front_inflight ask[] = {
			{ .queues = 0, .queue_size = 64 },
			{ .queues = 1, .queue_size = 0 },
			{ .queues = 65535, .queue_size = 64 },
			{ .queues = 1, .queue_size = 65535 },
			{ .queues = 65535, .queue_size = 65535 }
		};

		if (!h->open && !hostile_open(h))
			return;
		hostile_put(&m, FRONT_GET_INFLIGHT_FD, &ask[i], sizeof(ask[i]));
		(void)hostile_refused(h, &m, "an in-flight log of that size");
	}
}

/* A session with an in-flight log in a file of ours; where it is here. */
static uint8_t *own_log(struct hostile *h)
{
	uint8_t *at;
	int fd;

	if (!hostile_make(h))
		return NULL;
	if (session_fresh_inflight(&h->s)) {
		(void)hostile_fail(h, "%s", h->s.why);
		return NULL;
	}
	fd = hostile_memfd(h->s.inflight.size);
	(void)close(h->s.inflight_fd);
	h->s.inflight_fd = fd;
	h->s.inflight.offset = 0;
	at = mmap(NULL, h->s.inflight.size, PROT_READ | PROT_WRITE, MAP_SHARED,
		  fd, 0);
	if (at == MAP_FAILED)
		hostile_stop("in-flight log");
	return at;
}

/* Bytes of queue 0's part. */
static uint64_t part(const struct hostile *h)
{
	return h->s.inflight.size / h->s.inflight.queues;
}

static void shrunk_inflight(struct hostile *h)
{
	for (unsigned i = 0; i < 2 && remembers(h) && !h->bad; i++) {
		uint8_t *at = own_log(h);

		if (!at || !hostile_start(h) || !hostile_load(h))
			return;
		sleep_ns(BEFORE_MS * NS_PER_MS);
		if (ftruncate(h->s.inflight_fd, 0))
			hostile_stop("ftruncate");
		sleep_ns(AFTER_MS * NS_PER_MS);
		(void)guest_served(h, "its in-flight log is gone");
		hostile_unload(h);
		(void)munmap(at, h->s.inflight.size);
		(void)hostile_over(h, "its in-flight log is gone");
	}
}

static void put16(uint8_t *at, uint16_t v)
{
	memcpy(at, &v, sizeof(v));
}

/* The header is believable in half of them. */
static void fill_garbage(struct hostile *h, uint8_t *at, unsigned kind)
{
	for (uint64_t i = 0; i < part(h); i++)
		at[i] = kind == 0 ? 0xff : (uint8_t)rng_next(&h->rng);
	if (kind % 2)
		return;
	put16(at + 8, 1);               /* version */
	put16(at + 10, HOSTILE_RING);
	put16(at + 14, (uint16_t)rng_below(&h->rng, kind < 4 ? 65536 : 80));
	for (unsigned i = 0; i < HOSTILE_RING; i++) {
		uint8_t *e = at + LOG_HEADER + i * LOG_ENTRY;

		*e = kind == 6 || rng_below(&h->rng, 2);
		put16(e + 6, (uint16_t)rng_below(&h->rng, 70));
	}
}

static void garbage(struct hostile *h)
{
	for (unsigned i = 0; i < GARBAGES && remembers(h) && !h->bad; i++) {
		uint8_t *at = own_log(h);

		if (!at)
			return;
		fill_garbage(h, at, i);
		if (!hostile_start(h) || !hostile_load(h))
			return;
		(void)vring_notify(guest_queue(h));
		sleep_ns(BEFORE_MS * NS_PER_MS);
		(void)hostile_check(h, hostile_talks(h),
				    "in-flight log full of garbage: %s",
				    h->s.front.why);
		hostile_unload(h);
		(void)munmap(at, h->s.inflight.size);
		(void)hostile_over(h, "in-flight log full of garbage %u", i);
	}
}

/* trust.md: a log that contradicts the ring is a ring fault. */
static void contradiction(struct hostile *h)
{
	uint8_t *at = remembers(h) ? own_log(h) : NULL;

	if (!at)
		return;
	put16(at + 8, 1);
	put16(at + 10, HOSTILE_RING);
	put16(at + 14, 1000);           /* used: 0 - 1000 in the last batch */
	if (hostile_start(h) && hostile_load(h)) {
		(void)guest_told(h, "a log that contradicts the ring");
		put16(at + 8, 0);
		if (!h->bad && guest_restart(h))
			(void)guest_served(h, "a log that contradicted it");
	}
	hostile_unload(h);
	(void)munmap(at, h->s.inflight.size);
}

struct writer {
	uint8_t *at;
	uint64_t bytes;
	struct rng rng;
	bool stop;
};

static void *write_garbage(void *arg)
{
	struct writer *w = arg;

	while (!__atomic_load_n(&w->stop, __ATOMIC_ACQUIRE)) {
		uint64_t i = rng_below(&w->rng, w->bytes);

		if (rng_below(&w->rng, 4) == 0)
			i %= LOG_HEADER;
		__atomic_store_n(&w->at[i], (uint8_t)rng_next(&w->rng),
				 __ATOMIC_RELAXED);
	}
	return NULL;
}

static void garbage_under_load(struct hostile *h)
{
	struct writer w = { .rng = h->rng };
	uint64_t end = now_ns() + MUTATE_MS * NS_PER_MS;
	struct vring_used u;
	pthread_t thread;

	w.at = remembers(h) ? own_log(h) : NULL;
	if (!w.at || !hostile_start(h) || !hostile_load(h))
		return;
	w.bytes = part(h);
	if (pthread_create(&thread, NULL, write_garbage, &w))
		hostile_stop("a thread");
	for (unsigned i = 0; now_ns() < end; i++) {
		struct virtio_desc d[2] = {
			{ guest_header(h, 0, BLK_T_FLUSH, 0), 16, 0, 0 },
			{ guest_addr(h, ARENA_STATUS), 1, DESC_WRITE, 0 }
		};

		guest_offer(h, guest_put(h, d, 2));
		while (vring_pop(guest_queue(h), &u) != 0)
			;
		/* Stopped and started, so that the log is looked at. */
		if (i % 16 == 15 && !hostile_talks(h))
			break;
		if (i % 16 == 15 && !guest_restart(h))
			break;
	}
	__atomic_store_n(&w.stop, true, __ATOMIC_RELEASE);
	(void)pthread_join(thread, NULL);
	hostile_unload(h);
	(void)munmap(w.at, h->s.inflight.size);
}

const struct hostile_test hostile_log[] = {
	{ "log__dirty_log_that_is_not_there", bad_dirty },
	{ "log__dirty_log_too_short", short_dirty },
	{ "log__dirty_log_shrunk_under_load", shrunk_dirty },
	{ "log__bad_inflight_logs", bad_inflight },
	{ "log__inflight_log_shrunk_under_load", shrunk_inflight },
	{ "log__inflight_log_full_of_garbage", garbage },
	{ "log__inflight_log_contradicts_the_ring", contradiction },
	{ "log__inflight_log_written_under_load", garbage_under_load },
	{ NULL, NULL }
};

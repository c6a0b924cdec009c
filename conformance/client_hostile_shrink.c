/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files of guest memory that end sooner than they did. The back end must not
 * die of SIGBUS; a queue that loses its rings faults; the other ones, whose
 * memory is in other files, must not notice.
 */
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client_hostile.h"

#define BEFORE_MS 20u           /* of load, */
#define AFTER_MS  60u           /* of more of it */
#define IN_FLIGHT 16u
#define READ      65536u
#define HUGE      (UINT64_C(2) << 20)

/* Reads, one after the other, until it is told to stop. Not judged. */
struct reader {
	struct hostile *h;
	bool stop;
	pthread_t thread;
};

static void offer_read(struct hostile *h, unsigned i)
{
	struct virtio_desc d[3] = {
		{ guest_header(h, i, i % 4 == 3 ? BLK_T_GET_ID : BLK_T_IN,
			       guest_sector(h)),
		  16, 0, 0 },
		{ guest_addr(h, ARENA_DATA + i * READ),
		  i % 4 == 3 ? BLK_ID_BYTES : READ, DESC_WRITE, 0 },
		{ guest_addr(h, ARENA_STATUS + i * 16), 1, DESC_WRITE, 0 }
	};

	guest_offer(h, guest_put(h, d, 3));
}

static void *read_on(void *arg)
{
	struct reader *r = arg;
	struct vring *q = guest_queue(r->h);
	struct vring_used u;
	unsigned n = 0;

	while (!__atomic_load_n(&r->stop, __ATOMIC_ACQUIRE)) {
		while (q->in_flight < IN_FLIGHT)
			offer_read(r->h, n++ % IN_FLIGHT);
		while (vring_pop(q, &u) > 0)
			;
		/* It shall look, whatever became of the ring here. */
		(void)vring_notify(q);
		sleep_ns(NS_PER_MS / 10);
	}
	return NULL;
}

static void reads_start(struct reader *r, struct hostile *h)
{
	r->h = h;
	r->stop = false;
	guest_guard(h);
	if (pthread_create(&r->thread, NULL, read_on, r))
		hostile_stop("a thread");
	sleep_ns(BEFORE_MS * NS_PER_MS);
}

static void reads_stop(struct reader *r)
{
	sleep_ns(AFTER_MS * NS_PER_MS);
	__atomic_store_n(&r->stop, true, __ATOMIC_RELEASE);
	(void)pthread_join(r->thread, NULL);
}

static void shrink(struct hostile *h, unsigned region, uint64_t to)
{
	if (ftruncate(h->s.mem.region[region].fd, (off_t)to))
		hostile_stop("ftruncate");
}

static void lose(struct hostile *h, unsigned region, uint64_t to, bool faults,
		 const char *what)
{
	struct reader r;

	if (h->bad || !hostile_run(h) || !hostile_load(h))
		return;
	reads_start(&r, h);
	shrink(h, region, to);
	reads_stop(&r);
	if (faults)
		(void)guest_told(h, what);
	else
		(void)hostile_check(h, hostile_talks(h), "after %s: %s", what,
				    h->s.front.why);
	hostile_unload(h);
	(void)hostile_over(h, "%s", what);
}

static void rings(struct hostile *h)
{
	lose(h, MEM_RINGS, 0, true, "its rings are gone");
	lose(h, MEM_RINGS, 0x3000 + MEM_PAGE, true, "its rings are cut off");
	lose(h, MEM_RINGS, 0x3000 + 2 * MEM_PAGE, true,
	     "its available ring is gone");
	lose(h, MEM_RINGS, 0x3000 + 3 * MEM_PAGE, true,
	     "its used ring is gone");
}

static void data(struct hostile *h)
{
	lose(h, MEM_ARENA, 0x5000 + ARENA_DATA, false, "its data is gone");
	lose(h, MEM_ARENA, 0x5000 + ARENA_DATA + IN_FLIGHT * READ / 2, false,
	     "half of its data is gone");
	lose(h, MEM_ARENA, 0x5000 + ARENA_STATUS, false,
	     "its status bytes are gone");
	lose(h, MEM_ARENA, 0, false, "all but its rings is gone");
}

/* And back: what was lost stays lost, or is there again; no harm either way. */
static void to_and_fro(struct hostile *h)
{
	uint64_t size = ARENA_BYTES + 0x5000;
	struct reader r;

	if (!hostile_run(h) || !hostile_load(h))
		return;
	reads_start(&r, h);
	for (unsigned i = 0; i < 50; i++) {
		unsigned region = i % 2 ? MEM_RINGS : MEM_ARENA;

		shrink(h, region, rng_below(&h->rng, 2) ? 0 : size / 2);
		sleep_ns(rng_below(&h->rng, 2 * NS_PER_MS));
		shrink(h, region, size);
		if (i % 8 == 7)
			(void)session_set_memory(&h->s);
	}
	reads_stop(&r);
	(void)hostile_check(h, hostile_talks(h), "memory shrinks and grows: %s",
			    h->s.front.why);
	hostile_unload(h);
	(void)hostile_over(h, "memory that shrinks and grows");
}

/* Zeroes, as if the guest had written them: a chain without a status byte. */
static void holes(struct hostile *h)
{
	struct reader r;

	if (!hostile_run(h) || !hostile_load(h))
		return;
	reads_start(&r, h);
	for (unsigned i = 0; i < 50; i++) {
		unsigned region = i % 2 ? MEM_RINGS : MEM_ARENA;

		if (fallocate(h->s.mem.region[region].fd,
			      FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			      (off_t)ARENA_BYTES))
			hostile_stop("fallocate");
		sleep_ns(rng_below(&h->rng, NS_PER_MS));
	}
	reads_stop(&r);
	(void)hostile_check(h, hostile_talks(h), "holes in memory: %s",
			    h->s.front.why);
	hostile_unload(h);
	(void)hostile_over(h, "holes in memory");
}

/* While nobody touches it: found when the next table comes, or a kick. */
static void idle(struct hostile *h)
{
	for (unsigned i = 0; i < 3 && !h->bad && hostile_run(h); i++) {
		/* A table that is refused leaves no memory to the load. */
		if (i != 1)
			(void)hostile_load(h);
		(void)guest_served(h, "a start");
		shrink(h, MEM_RINGS, 0);
		shrink(h, MEM_ARENA, 0);
		if (i == 0) {
			(void)vring_notify(guest_queue(h));
			(void)guest_told(h, "its memory is gone, then a kick");
		} else if (i == 1) {
			(void)session_set_memory(&h->s);
		}
		(void)hostile_check(h, i == 1 || hostile_talks(h),
				    "its memory is gone: %s", h->s.front.why);
		hostile_unload(h);
		(void)hostile_over(h, "its memory is gone, idle, %u", i);
	}
}

/* --- huge pages ----------------------------------------------------------- */

/*
 * A file of huge pages of which there are none: it can be mapped, but every
 * access is a SIGBUS, and nothing smaller than a huge page can be mapped over
 * it.
 */
static void huge_pages(struct hostile *h)
{
	struct front_region r = { UINT64_C(0x5500000000), HUGE * 2,
				  UINT64_C(0x440000000000), 0 };
	int fd = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB);
	const struct front_vring_addr at[] = {
		{ 0, 0, r.uva + 0x1000, r.uva + 0x3000, r.uva + 0x2000, 0 },
		{ 0, 0, r.uva, r.uva + 0x3000, r.uva + 0x2000, 0 },
		{ 0, 0, r.uva + HUGE + 0x5000, r.uva + 0x3000,
		  r.uva + HUGE + 0x2000, 0 }
	};

	if (fd < 0 || ftruncate(fd, (off_t)r.size))
		tap_note("there is no file of huge pages here");
	for (unsigned i = 0; i < 3 && fd >= 0 && !h->bad && hostile_run(h);
	     i++) {
		const struct mem_region *m = h->s.mem.region;
		struct front_region all[4] = { m[0].at, m[1].at, m[2].at, r };
		int fds[4] = { m[0].fd, m[1].fd, m[2].fd, fd };
		unsigned base;

		(void)hostile_load(h);
		(void)front_get_vring_base(&h->s.front, 0, &base);
		if (!front_set_mem_table(&h->s.front, all, fds, 4)) {
			(void)front_set_vring_addr(&h->s.front, &at[i]);
			(void)front_set_vring_kick(&h->s.front, 0,
						   guest_queue(h)->kick);
			(void)vring_notify(guest_queue(h));
			(void)guest_told(h, "huge pages that there are not");
			(void)hostile_check(h, hostile_talks(h),
					    "rings in huge pages that there "
					    "are not: %s",
					    h->s.front.why);
		}
		hostile_unload(h);
		(void)hostile_over(h, "huge pages that there are not, %u", i);
	}
	if (fd >= 0)
		(void)close(fd);
}

const struct hostile_test hostile_shrink[] = {
	{ "shrink__rings_under_load", rings },
	{ "shrink__data_under_load", data },
	{ "shrink__to_and_fro_under_load", to_and_fro },
	{ "shrink__holes_under_load", holes },
	{ "shrink__idle", idle },
	{ "shrink__huge_pages_that_there_are_not", huge_pages },
	{ NULL, NULL }
};

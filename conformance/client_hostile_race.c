/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rings and descriptors that change while the back end reads them. Beside a
 * load the hostile guest writes only what cannot harm that: addresses in its
 * own memory or in none, sectors that the load does not use, no header of a
 * write. Without one it writes anything anywhere.
 */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "client_hostile.h"

#define RACE_MS    1500u
#define HEADERS    64u
#define TABLE_DESC 64u          /* descriptors of the one indirect table */

struct race {
	struct hostile *h;
	struct rng rng;
	bool stop;
	bool anything;
	/* The ring, which stays where it is when the queue is made anew. */
	struct virtio_desc *desc;
	uint16_t *avail_ring, *used_event;
};

static uint64_t pick(struct rng *r, const uint64_t *from, unsigned n)
{
	return from[rng_below(r, n)];
}

/* --- what may be written beside a load ------------------------------------ */

static uint64_t some_address(struct race *w)
{
	const struct hostile *h = w->h;
	uint64_t slot = rng_below(&w->rng, HEADERS) * 64;
	const uint64_t any[] = { guest_addr(h, ARENA_HEADERS + slot),
				 guest_addr(h, ARENA_HEADERS + slot),
				 guest_addr(h, ARENA_DATA + slot * 64),
				 guest_addr(h, ARENA_STATUS + slot),
				 guest_addr(h, ARENA_TABLES),
				 guest_addr(h, ARENA_BYTES - slot),
				 guest_addr(h, 0) - slot,
				 NOWHERE,
				 UINT64_MAX - slot };

	return pick(&w->rng, any, 9);
}

static uint32_t some_length(struct race *w)
{
	static const uint64_t any[] = {
		0,   1,	   15,	  16,	17, 20,		511,	   512,
		513, 4096, 65536, 1024, 32, 0xfffffff0, 0xffffffff
	};

	return (uint32_t)pick(&w->rng, any, 15);
}

static void write_desc(struct race *w, struct virtio_desc *d)
{
	uint16_t flags = (uint16_t)rng_below(&w->rng, 8);

	switch (rng_below(&w->rng, 4)) {
	case 0:
		__atomic_store_n(&d->addr, le64(some_address(w)),
				 __ATOMIC_RELAXED);
		break;
	case 1:
		__atomic_store_n(&d->len, le32(some_length(w)),
				 __ATOMIC_RELAXED);
		break;
	case 2:
		__atomic_store_n(&d->flags, le16(flags), __ATOMIC_RELAXED);
		break;
	default:
		__atomic_store_n(&d->next,
				 le16((uint16_t)rng_below(&w->rng, 66)),
				 __ATOMIC_RELAXED);
		break;
	}
}

/* No write, no extent: the disk is the load's, too. */
static void write_header(struct race *w)
{
	static const uint64_t types[] = { BLK_T_IN,  BLK_T_FLUSH, BLK_T_GET_ID,
					  2,	     3,		  5,
					  0xffffffff };
	const uint64_t sectors[] = { guest_sector(w->h), guest_sector(w->h) + 1,
				     w->h->capacity, w->h->capacity - 1,
				     UINT64_MAX };

	(void)guest_header(w->h, (unsigned)rng_below(&w->rng, HEADERS),
			   (uint32_t)pick(&w->rng, types, 7),
			   pick(&w->rng, sectors, 5));
}

static void write_something(struct race *w)
{
	struct virtio_desc *table = guest_host(w->h, ARENA_TABLES);

	switch (rng_below(&w->rng, 8)) {
	case 0:
	case 1:
	case 2:
		write_desc(w, &w->desc[rng_below(&w->rng, HOSTILE_RING)]);
		break;
	case 3:
	case 4: write_desc(w, &table[rng_below(&w->rng, TABLE_DESC)]); break;
	case 5: write_header(w); break;
	case 6:
		__atomic_store_n(
			&w->avail_ring[rng_below(&w->rng, HOSTILE_RING)],
			le16((uint16_t)rng_below(&w->rng, HOSTILE_RING)),
			__ATOMIC_RELAXED);
		break;
	default:
		__atomic_store_n(w->used_event, (uint16_t)rng_next(&w->rng),
				 __ATOMIC_RELAXED);
		break;
	}
}

/* Rings and arena, byte by byte or as a whole. */
static void write_anything(struct race *w)
{
	unsigned region = MEM_RINGS + (unsigned)rng_below(&w->rng, 2);
	uint8_t *at = w->h->s.mem.region[region].host;
	uint64_t i = rng_below(&w->rng, 4) ? rng_below(&w->rng, 4 * MEM_PAGE)
					   : rng_below(&w->rng, ARENA_BYTES);

	__atomic_store_n(&at[i], (uint8_t)rng_next(&w->rng), __ATOMIC_RELAXED);
}

static void *write_on(void *arg)
{
	struct race *w = arg;

	while (!__atomic_load_n(&w->stop, __ATOMIC_ACQUIRE))
		if (w->anything && rng_below(&w->rng, 2))
			write_anything(w);
		else
			write_something(w);
	return NULL;
}

/* --- the queue meanwhile -------------------------------------------------- */

/* Any head at all, now and then one that there is not. False: it faulted. */
static bool offer_any(struct hostile *h)
{
	struct vring *q = guest_queue(h);
	uint16_t head = (uint16_t)rng_below(&h->rng, HOSTILE_RING);
	unsigned n = 1 + (unsigned)rng_below(&h->rng, 16);
	uint64_t drop;

	if (rng_below(&h->rng, 500) == 0)
		head = (uint16_t)rng_next(&h->rng);
	for (unsigned i = 0; i < n; i++)
		vring_post_raw(q, (uint16_t)((head + i) %
					     (head < HOSTILE_RING ? HOSTILE_RING
								  : 65536)));
	(void)vring_publish(q);
	(void)vring_notify(q);
	/* As many as fit: the driver waits for room. */
	for (unsigned i = 0; i < 20; i++) {
		if (read(q->error, &drop, sizeof(drop)) > 0)
			return false;
		if ((uint16_t)(vring_avail_idx(q) - vring_used_idx(q)) <=
		    HOSTILE_RING - 16)
			return true;
		sleep_ns(NS_PER_MS / 20);
	}
	return false;
}

static void begin(struct race *w, struct hostile *h, pthread_t *thread)
{
	w->h = h;
	w->desc = guest_queue(h)->desc;
	w->avail_ring = guest_queue(h)->avail_ring;
	w->used_event = guest_queue(h)->used_event;
	w->rng.state = rng_next(&h->rng);
	w->stop = false;
	/* Nothing that is read into it may look like the header of a write. */
	memset(guest_host(h, 0), ARENA_FILL, ARENA_BYTES);
	for (unsigned i = 0; i < HEADERS; i++)
		write_header(w);
	if (pthread_create(thread, NULL, write_on, w))
		hostile_stop("a thread");
}

static void end(struct race *w, pthread_t thread)
{
	__atomic_store_n(&w->stop, true, __ATOMIC_RELEASE);
	(void)pthread_join(thread, NULL);
}

static void drive(struct hostile *h, unsigned ms)
{
	uint64_t until = now_ns() + ms * NS_PER_MS;
	unsigned restarts = 0;

	while (now_ns() < until && !h->bad)
		if (!offer_any(h) && guest_restart(h))
			restarts++;
	if (h->o->verbose)
		tap_note("%u restarts of the queue", restarts);
}

static void beside_a_load(struct hostile *h)
{
	struct race w = { .anything = false };
	pthread_t thread;

	if (!hostile_run(h) || !hostile_load(h))
		return;
	begin(&w, h, &thread);
	drive(h, RACE_MS);
	end(&w, thread);
	if (!h->bad && guest_restart(h)) {
		memset(guest_host(h, 0), ARENA_FILL, ARENA_BYTES);
		(void)guest_served(h, "descriptors that changed");
	}
}

static void of_anything(struct hostile *h)
{
	struct race w = { .anything = true };
	pthread_t thread;

	if (!hostile_run(h))
		return;
	begin(&w, h, &thread);
	drive(h, RACE_MS);
	end(&w, thread);
	if (!h->bad && guest_restart(h))
		(void)guest_served(h, "memory that changed");
}

/* The used ring is the guest's to spoil; statuses come all the same. */
static void of_used_ring(struct hostile *h)
{
	uint64_t until = now_ns() + RACE_MS / 2 * NS_PER_MS;
	uint8_t *status;

	if (!hostile_run(h) || !hostile_load(h))
		return;
	status = guest_host(h, ARENA_STATUS);
	while (now_ns() < until && !h->bad) {
		struct vring *q = guest_queue(h);
		uint64_t late = now_ns() + h->timeout_ms * NS_PER_MS;
		struct virtio_desc d[2] = {
			{ guest_header(h, 0, BLK_T_FLUSH, 0), 16, 0, 0 },
			{ guest_addr(h, ARENA_STATUS), 1, DESC_WRITE, 0 }
		};

		__atomic_store_n(status, 0xff, __ATOMIC_RELAXED);
		vring_post_raw(q, guest_put(h, d, 2));
		(void)vring_publish(q);
		(void)vring_notify(q);
		while (__atomic_load_n(status, __ATOMIC_RELAXED) == 0xff &&
		       now_ns() < late) {
			uint64_t i = rng_below(&h->rng, 4 + 8 * HOSTILE_RING);
			uint8_t *used = (void *)q->used_flags;

			/* Its flags and its wish for kicks, too. */
			__atomic_store_n(&used[i], (uint8_t)i,
					 __ATOMIC_RELAXED);
		}
		(void)hostile_check(h, *status == BLK_S_OK,
				    "a used ring that is overwritten: status "
				    "%u",
				    *status);
	}
}

const struct hostile_test hostile_race[] = {
	{ "race__descriptors_beside_a_load", beside_a_load },
	{ "race__used_ring_beside_a_load", of_used_ring },
	{ "race__anything", of_anything },
	{ NULL, NULL }
};

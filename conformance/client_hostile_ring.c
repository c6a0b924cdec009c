/* SPDX-License-Identifier: BSD-2-Clause */
/* Queues that are described wrongly. */
#include <string.h>
#include <unistd.h>

#include "client_hostile.h"

/* --- numbers -------------------------------------------------------------- */

static void sizes(struct hostile *h)
{
	static const uint32_t bad[] = {
		0,     3,	 63,	   100,	       65535,	       65536,
		65537, 1u << 30, 1u << 31, UINT32_MAX, (1u << 16) + 64
	};
	struct hostile_message m;

	for (unsigned i = 0; i < sizeof(bad) / 4 && !h->bad; i++) {
		hostile_put_state(&m, FRONT_SET_VRING_NUM, 0, bad[i]);
		(void)hostile_refused(h, &m, "a ring of an odd size");
	}
}

/* While the queue runs, and once it has stopped. */
static void larger_than_offered(struct hostile *h)
{
	struct hostile_message m;

	for (uint32_t n = 32768; n > 1024 && !h->bad; n /= 2) {
		if (!hostile_run(h) || !hostile_load(h))
			return;
		hostile_put_state(&m, FRONT_SET_VRING_NUM, 0, n);
		m.flags |= FRONT_NEED_REPLY;
		(void)hostile_send_message(h, &m);
		/* Refused, or else it is a ring that is not all there. */
		if (hostile_answer(h, m.request) == ANSWER_ACK)
			(void)guest_told(h, "a ring of too many entries");
		hostile_unload(h);
		(void)hostile_over(h, "a ring of %u", n);
	}
}

static void indices(struct hostile *h)
{
	static const uint32_t state[] = { FRONT_SET_VRING_NUM,
					  FRONT_SET_VRING_BASE,
					  FRONT_GET_VRING_BASE,
					  FRONT_SET_VRING_ENABLE };
	uint32_t most, bad[6];
	struct hostile_message m;

	if (!hostile_open(h))
		return;
	most = h->s.max_queues ? (uint32_t)h->s.max_queues : 1;
	bad[0] = most;
	bad[1] = most + 1;
	bad[2] = 255;
	bad[3] = 256;
	bad[4] = 1u << 31;
	bad[5] = UINT32_MAX;
	for (unsigned i = 0; i < 6; i++) {
		for (unsigned k = 0; k < 4 && !h->bad; k++) {
			hostile_put_state(&m, state[k], bad[i], 1);
			(void)hostile_refused(h, &m, "no such queue");
		}
		if (h->bad || !hostile_valid(h, FRONT_SET_VRING_ADDR, &m))
			return;
		memcpy(m.payload, &bad[i], 4);
		(void)hostile_refused(h, &m, "no such queue");
		for (uint32_t r = FRONT_SET_VRING_KICK;
		     r <= FRONT_SET_VRING_ERR && bad[i] < 256 && !h->bad; r++) {
			uint64_t word = bad[i];

			(void)hostile_valid(h, r, &m);
			memcpy(m.payload, &word, sizeof(word));
			(void)hostile_refused(h, &m, "no such queue");
		}
	}
}

static void values(struct hostile *h)
{
	static const uint32_t bad[] = { 65536, 65537, 1u << 31, UINT32_MAX };
	struct hostile_message m;

	for (unsigned i = 0; i < 4 && !h->bad; i++) {
		hostile_put_state(&m, FRONT_SET_VRING_BASE, 0, bad[i]);
		(void)hostile_refused(h, &m, "a base of more than 16 bits");
		hostile_put_state(&m, FRONT_SET_VRING_ENABLE, 0, bad[i] - 1);
		(void)hostile_refused(h, &m, "enabled by neither 0 nor 1");
	}
}

/* --- addresses ------------------------------------------------------------ */

enum what_of { DESC, AVAIL, USED };

static const struct {
	const char *what;
	enum what_of area;
	uint64_t at;            /* in the region, or added to where it is */
	enum { PLACE, ADD, ABSOLUTE } how;
} bad_areas[] = {
	{ "descriptors outside memory", DESC, NOWHERE, ABSOLUTE },
	{ "an available ring outside memory", AVAIL, NOWHERE, ABSOLUTE },
	{ "a used ring outside memory", USED, NOWHERE, ABSOLUTE },
	{ "descriptors at 0", DESC, 0, ABSOLUTE },
	{ "an available ring at 0", AVAIL, 0, ABSOLUTE },
	{ "a used ring at 0", USED, 0, ABSOLUTE },
	{ "descriptors at the end of all", DESC, UINT64_MAX - 15, ABSOLUTE },
	{ "an available ring at the end of all", AVAIL, UINT64_MAX - 1,
	  ABSOLUTE },
	{ "a used ring at the end of all", USED, UINT64_MAX - 3, ABSOLUTE },
	{ "descriptors misaligned by 8", DESC, 8, ADD },
	{ "descriptors misaligned by 1", DESC, 1, ADD },
	{ "an available ring misaligned by 1", AVAIL, 1, ADD },
	{ "a used ring misaligned by 2", USED, 2, ADD },
	{ "a used ring misaligned by 1", USED, 1, ADD },
	{ "descriptors beyond the region's end", DESC,
	  ARENA_BYTES - 16 * HOSTILE_RING + 16, PLACE },
	{ "an available ring beyond the region's end", AVAIL,
	  ARENA_BYTES - 2 * HOSTILE_RING - 2, PLACE },
	{ "a used ring beyond the region's end", USED,
	  ARENA_BYTES - 8 * HOSTILE_RING, PLACE },
	{ "descriptors that begin before the region", DESC,
	  UINT64_MAX - 15, PLACE }
};

#define BAD_AREAS (sizeof(bad_areas) / sizeof(bad_areas[0]))

static void good_addr(const struct hostile *h, struct front_vring_addr *a)
{
	const struct vring *q = &h->s.queue[0];

	*a = (struct front_vring_addr){
		.desc = mem_uva(&h->s.mem, q->part[0].addr, 1),
		.avail = mem_uva(&h->s.mem, q->part[1].addr, 1),
		.used = mem_uva(&h->s.mem, q->part[2].addr, 1)
	};
}

static void spoil(const struct hostile *h, unsigned i,
		  struct front_vring_addr *a)
{
	uint64_t *to = bad_areas[i].area == DESC    ? &a->desc
		       : bad_areas[i].area == AVAIL ? &a->avail
						    : &a->used;

	switch (bad_areas[i].how) {
	case PLACE:
		*to = h->s.mem.region[MEM_RINGS].at.uva + bad_areas[i].at;
		break;
	case ADD: *to += bad_areas[i].at; break;
	case ABSOLUTE: *to = bad_areas[i].at; break;
	}
}

/* It is refused, or the queue faults when it starts; a good one is served. */
static void areas(struct hostile *h)
{
	struct front_vring_addr a;
	unsigned base;

	if (!hostile_run(h) || !hostile_load(h))
		return;
	for (unsigned i = 0; i < BAD_AREAS && !h->bad; i++) {
		struct front *f = &h->s.front;
		int err;

		if (front_get_vring_base(f, 0, &base)) {
			(void)hostile_fail(h, "GET_VRING_BASE: %s", f->why);
			break;
		}
		good_addr(h, &a);
		spoil(h, i, &a);
		err = front_set_vring_addr(f, &a);
		if (err == FRONT_OK) {
			(void)front_set_vring_kick(f, 0, guest_queue(h)->kick);
			(void)guest_told(h, bad_areas[i].what);
		}
		(void)hostile_check(h, !err || err == FRONT_REFUSED, "%s: %s",
				    bad_areas[i].what, f->why);
		if (!h->bad && guest_restart(h))
			(void)guest_served(h, bad_areas[i].what);
	}
}

/* New addresses while it runs. */
static void areas_while_running(struct hostile *h)
{
	struct front_vring_addr a;

	if (!hostile_run(h) || !hostile_load(h))
		return;
	for (unsigned i = 0; i < BAD_AREAS && !h->bad; i++) {
		good_addr(h, &a);
		spoil(h, i, &a);
		if (front_set_vring_addr(&h->s.front, &a) == FRONT_OK)
			(void)guest_told(h, bad_areas[i].what);
		if (!h->bad && guest_restart(h))
			(void)guest_served(h, bad_areas[i].what);
	}
}

/* Two regions that touch are still two: a ring lies in one. */
static void across(struct hostile *h)
{
	struct front_region *r;
	struct front_vring_addr a;
	unsigned base;

	if (!hostile_make(h))
		return;
	r = &h->s.mem.region[MEM_ARENA].at;
	r->uva = h->s.mem.region[MEM_RINGS].at.uva + ARENA_BYTES;
	if (!hostile_start(h) || !hostile_load(h) ||
	    front_get_vring_base(&h->s.front, 0, &base))
		return;
	good_addr(h, &a);
	a.desc = r->uva - 64;
	if (!front_set_vring_addr(&h->s.front, &a)) {
		(void)front_set_vring_kick(&h->s.front, 0,
					   guest_queue(h)->kick);
		(void)guest_told(h, "descriptors across two regions");
	}
	if (!h->bad && guest_restart(h))
		(void)guest_served(h, "descriptors across two regions");
}

/* All three areas in one place: nothing forbids it. */
static void on_top(struct hostile *h)
{
	struct front_vring_addr a;
	unsigned base;

	if (!hostile_run(h) || !hostile_load(h) ||
	    front_get_vring_base(&h->s.front, 0, &base))
		return;
	good_addr(h, &a);
	a.used = a.avail = a.desc;
	for (unsigned i = 0; i < 40 && !h->bad; i++) {
		uint16_t *word = (void *)h->s.mem.region[MEM_RINGS].host;

		(void)front_set_vring_addr(&h->s.front, &a);
		(void)front_set_vring_kick(&h->s.front, 0,
					   guest_queue(h)->kick);
		for (unsigned k = 0; k < MEM_PAGE; k++)
			word[k] = (uint16_t)rng_below(&h->rng, 70);
		(void)vring_notify(guest_queue(h));
		sleep_ns(NS_PER_MS / 2);
		(void)hostile_check(h, hostile_talks(h),
				    "areas on top of each other: %s",
				    h->s.front.why);
		(void)front_get_vring_base(&h->s.front, 0, &base);
	}
}

/* --- order ---------------------------------------------------------------- */

static void bases(struct hostile *h)
{
	static const unsigned bad[] = { 1, 100, 32768, 65535 - HOSTILE_RING };
	unsigned base;

	if (!hostile_run(h) || !hostile_load(h))
		return;
	for (unsigned i = 0; i < 4 && !h->bad; i++) {
		if (front_get_vring_base(&h->s.front, 0, &base) ||
		    !guest_start_queue(h, 0, bad[i]))
			return;
		(void)vring_notify(guest_queue(h));
		(void)guest_faulted(h, "a base that the ring is not at");
		if (!h->bad && guest_restart(h))
			(void)guest_served(h, "a base that it was not at");
	}
}

static void no_address(struct hostile *h)
{
	struct front *f = &h->s.front;
	const struct vring *q;

	if (!hostile_make(h))
		return;
	q = guest_queue(h);
	if (front_set_features(f, h->s.features) || session_set_memory(&h->s) ||
	    front_set_vring_kick(f, 0, q->kick) ||
	    front_set_vring_call(f, 0, q->call) ||
	    front_set_vring_enable(f, 0, true))
		(void)hostile_fail(h, "a queue without an address: %s", f->why);
	(void)vring_notify(q);
	(void)hostile_check(h, hostile_talks(h), "a kick without an address");
	if (front_set_vring_num(f, 0, q->size) ||
	    front_set_vring_base(f, 0, 0) || session_set_vring_addr(&h->s, 0))
		(void)hostile_fail(h, "an address after the kick: %s", f->why);
	(void)guest_served(h, "an address after the kick");
}

const struct hostile_test hostile_ring[] = {
	{ "ring__odd_sizes", sizes },
	{ "ring__larger_than_offered", larger_than_offered },
	{ "ring__no_such_queue", indices },
	{ "ring__values_out_of_range", values },
	{ "ring__bad_addresses", areas },
	{ "ring__bad_addresses_while_running", areas_while_running },
	{ "ring__across_two_regions", across },
	{ "ring__areas_on_top_of_each_other", on_top },
	{ "ring__base_that_the_ring_is_not_at", bases },
	{ "ring__kick_before_address", no_address },
	{ NULL, NULL }
};

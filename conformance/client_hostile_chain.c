/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Chains and rings that a driver must not make, each with what it costs: a
 * status, a completion without one, or the queue. Whatever it costs, the next
 * request of the queue is served, and the load beside it does not notice.
 */
#include "client_hostile_chain.h"

#include <string.h>

#define PIECES 300u             /* more ranges than any request has */

static const struct hostile_chain *find(const char *name)
{
	const struct hostile_chain *c = hostile_chains;

	while (c->name && strcmp(c->name, name) != 0)
		c++;
	return c;
}

/* --- one of the list ------------------------------------------------------ */

static uint64_t address(const struct hostile *h, const struct hostile_chain *c,
			unsigned i)
{
	static const uint64_t in_arena[] = {
		0,	    ARENA_HEADERS, ARENA_DATA,
		ARENA_DATA, ARENA_STATUS,  ARENA_TABLES + 0x8000
	};

	switch (c->d[i].place) {
	case GOOD: return guest_addr(h, in_arena[c->d[i].kind]);
	case UNMAPPED: return NOWHERE;
	case WRAPS: return UINT64_MAX - 15;
	case EDGE: break;
	}
	return guest_addr(h, ARENA_BYTES - c->d[i].len / 2);
}

static uint64_t sector(const struct hostile *h, const struct hostile_chain *c)
{
	switch (c->sector) {
	case ON_DISK: break;
	case BEYOND: return h->capacity;
	case LAST: return h->capacity - 1;
	case TOP_BIT: return UINT64_C(1) << 63 | guest_sector(h);
	case WRAPS_IN_BYTES: return UINT64_MAX / SECTOR + 1 + guest_sector(h);
	}
	return guest_sector(h);
}

static uint16_t flags(const struct hostile_chain *c, unsigned i, bool more)
{
	unsigned f = c->d[i].flags | (more ? DESC_NEXT : 0u);

	if (c->d[i].kind == WRITE || c->d[i].kind == STATUS)
		f |= DESC_WRITE;
	if (c->d[i].kind == INDIRECT)
		f |= DESC_INDIRECT;
	return (uint16_t)f;
}

/* Relative to the head, or out of the table as it is. */
static uint16_t next(const struct hostile *h, const struct hostile_chain *c,
		     unsigned to)
{
	if (to >= HOSTILE_RING || c->table)
		return (uint16_t)to;
	return (uint16_t)((h->next + to) % HOSTILE_RING);
}

static unsigned describe(struct hostile *h, const struct hostile_chain *c,
			 struct virtio_desc *d)
{
	unsigned n = 0;

	for (; n < CHAIN_MOST && c->d[n].kind != END; n++) {
		bool more = n + 1 < CHAIN_MOST && c->d[n + 1].kind != END;
		bool odd = c->d[n].flags & DESC_NEXT;

		d[n].addr = address(h, c, n);
		d[n].len = c->d[n].len;
		d[n].flags = flags(c, n, more);
		d[n].next = next(h, c, odd ? c->d[n].next : n + 1);
	}
	return n;
}

/* d, n become one that names an indirect table. */
static void to_table(struct hostile *h, struct virtio_desc *d, unsigned n,
		     uint32_t bytes)
{
	struct virtio_desc *to = guest_host(h, ARENA_TABLES);

	for (unsigned i = 0; i < n; i++)
		to[i] = (struct virtio_desc){ le64(d[i].addr), le32(d[i].len),
					      le16(d[i].flags),
					      le16(d[i].next) };
	/* 2.7.5.3.2: DESC_WRITE means nothing here. */
	d[0] = (struct virtio_desc){ guest_addr(h, ARENA_TABLES), bytes,
				     DESC_INDIRECT | DESC_WRITE, 0 };
}

static bool costs(enum chain_cost cost, uint8_t status, uint32_t len)
{
	switch (cost) {
	case OK: return status == BLK_S_OK;
	case IOERR: return status == BLK_S_IOERR;
	case UNSUPP: return status == BLK_S_UNSUPP;
	case CONTAINED: return status == 0xff && len == 0;
	case EITHER: break;
	}
	return status == BLK_S_IOERR || status == BLK_S_UNSUPP;
}

static bool untouched(const uint8_t *at, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (at[i] != ARENA_FILL)
			return false;
	return true;
}

/* Offers what is described, and waits, and judges what it costs. */
static void offer(struct hostile *h, const struct virtio_desc *d, unsigned n,
		  enum chain_cost cost, const char *what)
{
	static const char *const name[] = { "OK", "IOERR", "UNSUPP",
					    "no status and length 0",
					    "IOERR or UNSUPP" };
	uint8_t *status = guest_host(h, ARENA_STATUS);
	uint16_t head = guest_put(h, d, n);
	struct vring_used u = { 0, 0, 0 };
	enum guest_end end;

	*status = 0xff;
	guest_offer(h, head);
	end = guest_wait(h, &u);
	if (!hostile_check(h, end == GUEST_DONE, "%s: %s", what,
			   end == GUEST_FAULT ? "the queue has faulted"
					      : "not completed"))
		return;
	(void)hostile_check(h, u.head == head && costs(cost, *status, u.len),
			    "%s: status %u, length %u, head %u of %u, instead "
			    "of %s",
			    what, *status, u.len, u.head, head, name[cost]);
}

static void one(struct hostile *h, const struct hostile_chain *c)
{
	struct virtio_desc d[CHAIN_MOST];
	unsigned n;

	(void)guest_header(h, 0, c->type, sector(h, c));
	memset(guest_host(h, ARENA_DATA), ARENA_FILL, 2 * CHAIN_DATA);
	n = describe(h, c, d);
	if (c->table) {
		to_table(h, d, n, c->odd_table ? c->odd_table : n * 16);
		n = 1;
	}
	offer(h, d, n, c->cost, c->name);
	(void)hostile_check(
		h,
		c->cost == OK ||
			untouched(guest_host(h, ARENA_DATA), 2 * CHAIN_DATA),
		"%s: its data was written", c->name);
	if (!h->bad)
		(void)guest_served(h, c->name);
}

/* Twice, the second time after requests that were good. */
static void listed(struct hostile *h)
{
	const struct hostile_chain *c = find(h->test->name);

	if (!hostile_run(h) || !hostile_load(h))
		return;
	one(h, c);
	if (!h->bad)
		one(h, c);
}

/* --- beside the list ------------------------------------------------------ */

static void all_without_indirect(struct hostile *h)
{
	struct virtio_desc d[2] = { { 0, 16, DESC_NEXT, 1 },
				    { 0, 1, DESC_WRITE, 0 } };

	h->without = VIRTIO_F_INDIRECT;
	if (!hostile_run(h) || !hostile_load(h))
		return;
	d[0].addr = guest_header(h, 0, BLK_T_FLUSH, 0);
	d[1].addr = guest_addr(h, ARENA_STATUS);
	to_table(h, d, 2, 32);
	offer(h, d, 1, CONTAINED, "an indirect table that is not negotiated");
	(void)guest_served(h, "an indirect table that is not negotiated");
}

static void types(struct hostile *h)
{
	static const uint32_t known[] = { BLK_T_IN,	 BLK_T_OUT,
					  BLK_T_FLUSH,	 BLK_T_GET_ID,
					  BLK_T_DISCARD, BLK_T_WRITE_ZEROES };

	if (!hostile_run(h) || !hostile_load(h))
		return;
	for (unsigned i = 0; i < 96 && !h->bad; i++) {
		uint32_t type = i < 32	 ? i
				: i < 64 ? UINT32_C(1) << (i - 32)
					 : UINT32_MAX - (i - 64);
		bool is_known = false;
		struct virtio_desc d[3] = {
			{ guest_header(h, 0, type, guest_sector(h)), 16, 0, 0 },
			{ guest_addr(h, ARENA_DATA), 512, DESC_WRITE, 0 },
			{ guest_addr(h, ARENA_STATUS), 1, DESC_WRITE, 0 }
		};

		for (unsigned k = 0; k < 6; k++)
			is_known = is_known || type == known[k];
		if (is_known)
			continue;
		offer(h, d, 3, UNSUPP, "an unknown type");
	}
	(void)guest_served(h, "unknown types");
}

/* An indirect table as long as there may be one, each piece for itself. */
static void many_pieces(struct hostile *h)
{
	static struct virtio_desc d[PIECES + 2];

	if (!hostile_run(h) || !hostile_load(h))
		return;
	for (unsigned i = 0; i < PIECES + 2; i++)
		d[i] = (struct virtio_desc){
			guest_addr(h, ARENA_DATA + i * 2048), SECTOR,
			DESC_NEXT | DESC_WRITE, (uint16_t)(i + 1)
		};
	d[0] = (struct virtio_desc){
		guest_header(h, 0, BLK_T_IN, guest_sector(h)), 16, DESC_NEXT, 1
	};
	d[PIECES + 1] = (struct virtio_desc){ guest_addr(h, ARENA_STATUS), 1,
					      DESC_WRITE, 0 };
	to_table(h, d, PIECES + 2, (PIECES + 2) * 16);
	offer(h, d, 1, IOERR, "300 pieces");
	(void)guest_served(h, "300 pieces");
}

/* --- the ring ------------------------------------------------------------- */

static void avail_index(struct hostile *h)
{
	static const uint16_t by[] = {
		HOSTILE_RING + 1, 1000, 32767, 32768, 65535, 65000
	};

	if (!hostile_run(h) || !hostile_load(h))
		return;
	for (unsigned i = 0; i < 6 && !h->bad; i++) {
		struct vring *q = guest_queue(h);

		vring_set_avail_idx(q, (uint16_t)(vring_avail_idx(q) + by[i]));
		(void)vring_notify(q);
		(void)guest_faulted(h, "an available index too far ahead");
		if (!h->bad && guest_restart(h))
			(void)guest_served(h, "an index too far ahead");
	}
}

static void heads(struct hostile *h)
{
	static const uint16_t head[] = { HOSTILE_RING, HOSTILE_RING + 1, 255,
					 32768, 65535 };

	if (!hostile_run(h) || !hostile_load(h))
		return;
	for (unsigned i = 0; i < 5 && !h->bad; i++) {
		guest_offer(h, head[i]);
		(void)guest_faulted(h, "a head out of range");
		if (!h->bad && guest_restart(h))
			(void)guest_served(h, "a head out of range");
	}
}

/* In one batch: the first is in flight when the second is seen. */
static void same_head(struct hostile *h)
{
	unsigned faults = 0;
	struct virtio_desc d[3];
	struct vring_used u;

	if (!hostile_run(h) || !hostile_load(h))
		return;
	for (unsigned i = 0; i < 20 && !h->bad; i++) {
		struct vring *q = guest_queue(h);
		enum guest_end end;
		uint16_t head;

		d[0] = (struct virtio_desc){
			guest_header(h, 0, BLK_T_IN, guest_sector(h)), 16, 0, 0
		};
		d[1] = (struct virtio_desc){ guest_addr(h, ARENA_DATA), 1 << 20,
					     DESC_WRITE, 0 };
		d[2] = (struct virtio_desc){ guest_addr(h, ARENA_STATUS), 1,
					     DESC_WRITE, 0 };
		head = guest_put(h, d, 3);
		for (unsigned k = 0; k < 5; k++)
			vring_post_raw(q, head);
		guest_offer(h, head);
		/* Or the first was complete by then: no fault can be seen. */
		do {
			end = guest_wait(h, &u);
		} while (end == GUEST_DONE && vring_used_idx(q) < 6);
		faults += end == GUEST_FAULT;
		(void)hostile_check(h, hostile_talks(h),
				    "a head that is in flight: %s",
				    h->s.front.why);
		if (!h->bad && guest_restart(h))
			(void)guest_served(h, "a head that is in flight");
	}
	(void)hostile_check(h, faults, "a head that is in flight: no fault");
}

/* 2.7.8: the device never reads it back. */
static void used_index(struct hostile *h)
{
	uint16_t *used, was;

	if (!hostile_run(h) || !hostile_load(h))
		return;
	used = guest_queue(h)->used_idx;
	for (unsigned i = 0; i < 50 && !h->bad; i++) {
		struct vring *q = guest_queue(h);
		uint64_t end = now_ns() + h->timeout_ms * NS_PER_MS;
		struct virtio_desc d[2] = {
			{ guest_header(h, 0, BLK_T_FLUSH, 0), 16, 0, 0 },
			{ guest_addr(h, ARENA_STATUS), 1, DESC_WRITE, 0 }
		};
		struct vring_used u;

		was = vring_used_idx(q);
		memset(used, (int)rng_below(&h->rng, 256),
		       USED_BYTES(HOSTILE_RING) - 4);
		__atomic_store_n(used, (uint16_t)rng_next(&h->rng),
				 __ATOMIC_RELAXED);
		guest_offer(h, guest_put(h, d, 2));
		while (vring_used_idx(q) != (uint16_t)(was + 1) &&
		       now_ns() < end)
			sleep_ns(NS_PER_MS / 20);
		(void)hostile_check(h, vring_pop(q, &u) > 0,
				    "a used ring that was overwritten: %s",
				    q->why);
	}
	(void)guest_served(h, "a used ring that was overwritten");
}

static const struct hostile_test beside[] = {
	{ "chain__indirect_not_negotiated", all_without_indirect },
	{ "chain__unknown_types", types },
	{ "chain__more_pieces_than_there_may_be", many_pieces },
	{ "guest__available_index_too_far_ahead", avail_index },
	{ "guest__head_out_of_range", heads },
	{ "guest__head_in_flight", same_head },
	{ "guest__used_ring_overwritten", used_index }
};

#define BESIDE (sizeof(beside) / sizeof(beside[0]))

struct hostile_test hostile_chain[HOSTILE_CHAINS];

void hostile_list_chains(void)
{
	unsigned n = 0;

	for (const struct hostile_chain *c = hostile_chains; c->name; c++)
		hostile_chain[n++] = (struct hostile_test){ c->name, listed };
	for (unsigned i = 0; i < BESIDE; i++)
		hostile_chain[n++] = beside[i];
}

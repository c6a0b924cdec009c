/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The packed ring: 2.8. Many tests of split rings run on packed ones too; here
 * is what only packed rings have.
 */
#include <string.h>

#include "lib.h"
#include "lib_internal.h"
#include "tests.h"

static uint8_t *desc(struct ring *r, uint32_t i)
{
	return r->desc.host + 16u * i;
}

static void readable_stays(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct part copy = take(s, 16, 16);
	struct req q;

	req_make(s, &q, BLK_T_OUT, 1, 2 * SECTOR);
	if (s->over)
		return;
	fill(&q.data, 5);
	memcpy(copy.host, q.head.host, 16);
	(void)req_run(r, &q);
	expect(s, s->over || filled(&q.data, 5),
	       "the data of a write was changed");
	expect(s, s->over || memcmp(copy.host, q.head.host, 16) == 0,
	       "the header of a write was changed");
}

/* A descriptor whose AVAIL bit has not turned is not there. */
static void not_available(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct part was;
	struct req q;

	settle(s);              /* a back end may interrupt when it begins */
	forget_irqs(s);
	req_make(s, &q, BLK_T_IN, 0, SECTOR);
	req_add(r, &q);         /* the first flags are still the old ones */
	was = take(s, 16u * r->size, 16);
	if (s->over)
		return;
	memcpy(was.host, r->desc.host, 16u * r->size);
	fence();
	ring_notify(r);
	settle(s);
	expect(s, memcmp(was.host, r->desc.host, 16u * r->size) == 0,
	       "the ring was written, and nothing was available");
	expect(s, span(&q.data, LIB_POISON) == SECTOR && !irq_used(s, 0),
	       "a descriptor was used that was not available");
	ring_go(r);
	expect(s, req_end(r, &q) == BLK_S_OK, "and then it was not served");
}

/* The same with both bits as they were a lap ago. */
static void not_available_lap(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);

	if (s->over)
		return;
	for (uint32_t i = 0; i < 2u * r->size; i++) {
		alive(r, "around a packed ring");
		ring_notify(r);
		settle(s);
		expect(s, !ring_used(r) || s->over,
		       "something was used after %u reads that was not "
		       "available",
		       i + 1u);
	}
}

static void used_stays(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	uint8_t was[16];
	struct req q;

	for (uint32_t i = 0; i < 5; i++) {
		uint32_t at = r->seen;

		req_make(s, &q, BLK_T_IN, 0, SECTOR);
		req_ok(r, &q);
		if (s->over)
			return;
		memcpy(was, desc(r, at), 16);
		settle(s);
		alive(r, "after it");
		settle(s);
		expect(s, memcmp(was, desc(r, at), 16) == 0,
		       "a used descriptor was changed later");
	}
}

/* Used: AVAIL and USED both as the lap is; and one descriptor for a chain. */
static void used_flags(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct req q;

	for (uint32_t i = 0; i < 40; i++) {
		uint32_t at = r->seen, flags;
		bool wrap = r->seen_wrap;

		req_make(s, &q, BLK_T_IN, 0, SECTOR);
		req_ok(r, &q);
		if (s->over)
			return;
		flags = get16(desc(r, at) + 14);
		expect(s,
		       !!(flags & PDESC_AVAIL) == wrap &&
			       !!(flags & PDESC_USED) == wrap,
		       "a used descriptor has flags %x in a lap of %u", flags,
		       wrap);
		expect(s, get16(desc(r, at) + 12) == q.id,
		       "a used descriptor has id %u, not %u",
		       get16(desc(r, at) + 12), q.id);
		expect(s, (flags & DESC_WRITE) || q.used == 0,
		       "a used descriptor has a length without WRITE");
		expect(s,
		       q.used >= SECTOR + 1 || !(flags & DESC_WRITE) ||
			       q.used <= SECTOR,
		       "a read has length %u", q.used);
	}
}

static void read_says_written(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	uint32_t at = r->seen;
	struct req q;

	req_make(s, &q, BLK_T_IN, 0, SECTOR);
	req_ok(r, &q);
	expect(s, s->over || (get16(desc(r, at) + 14) & DESC_WRITE),
	       "a read wrote its buffers and its used descriptor has no WRITE");
}

static void chain_order(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct piece p[6];
	struct req q;

	/* four sectors, last in memory first */
	put_sectors(r, 40, 4, 90);
	req_make(s, &q, BLK_T_IN, 40, 4 * SECTOR);
	if (s->over)
		return;
	p[0] = (struct piece){ q.head.addr, 16, 0 };
	for (uint32_t i = 0; i < 4; i++)
		p[i + 1] = (struct piece){ q.data.addr + (3u - i) * SECTOR,
					   SECTOR, DESC_WRITE };
	p[5] = (struct piece){ q.status.addr, 1, DESC_WRITE };
	expect(s, req_run_pieces(r, &q, p, 6) == BLK_S_OK, "the read fails");
	for (uint32_t i = 0; i < 2 && !s->over; i++) {
		uint8_t *a = q.data.host + i * SECTOR;
		uint8_t *b = q.data.host + (3u - i) * SECTOR;

		for (uint32_t k = 0; k < SECTOR; k++) {
			uint8_t t = a[k];

			a[k] = b[k];
			b[k] = t;
		}
	}
	expect(s, s->over || filled(&q.data, 90),
	       "the descriptors of a list were not used in its order");
}

/* Any size is allowed, not only powers of two (2.8.10.1). */
static void odd_sizes(struct suite *s)
{
	static const uint32_t size[] = { 3, 5, 7, 13, 31, 100 };

	for (uint32_t i = 0; i < 6; i++) {
		struct ring *r;
		uint32_t max = queue_max(s, 0);

		if (size[i] > max)
			break;
		negotiate(s, ALL_FEATURES, 0);
		r = add_ring(s, 0, size[i]);
		driver_ok(s);
		for (uint32_t k = 0; k < 2u * size[i]; k++)
			alive(r, "a packed ring of odd size");
		reset(s);
	}
}

/* What completes is written in the order in which it completes. */
static void completes_in_turn(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct req q[4];
	uint32_t n;

	event(s, DUT_EVENT_REORDER, 1);
	for (uint32_t round = 0; round < 12; round++) {
		for (n = 0; n < 4 && r->free >= 3 && !s->over; n++) {
			req_make(s, &q[n], BLK_T_IN, n, SECTOR);
			req_add(r, &q[n]);
		}
		ring_go(r);
		ring_await_all(r, "reads that complete out of order");
		for (uint32_t i = 0; i < n && !s->over; i++)
			expect(s, *q[i].status.host == BLK_S_OK,
			       "read %u was used with status %u", i,
			       *q[i].status.host);
	}
}

static void indirect(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, VIRTIO_F_INDIRECT);

	for (uint32_t i = 0; i < 70; i++) {
		struct piece p[3];
		struct req q;
		uint32_t n;

		req_make(s, &q, BLK_T_IN, i % 8, SECTOR);
		n = req_pieces(&q, p);
		if (s->over)
			return;
		*q.status.host = LIB_POISON;
		q.id = ring_add_table(r, p, n);
		ring_go(r);
		expect(s, req_end(r, &q) == BLK_S_OK,
		       "an indirect read fails with status %u",
		       s->over ? 0u : *q.status.host);
	}
}

/* Only the id of a list's last descriptor counts (2.8.6). */
static void id_of_the_last(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct req q;

	req_make(s, &q, BLK_T_IN, 0, SECTOR);
	req_add(r, &q);
	if (s->over)
		return;
	put16(desc(r, 0) + 12, 0xffff);
	put16(desc(r, 1) + 12, 0x1234);
	ring_go(r);
	expect(s, req_end(r, &q) == BLK_S_OK, "the read fails");
}

static void full(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);

	for (uint32_t lap = 0; lap < 3 && !s->over; lap++) {
		struct req q;

		while (r->free >= 2 && !s->over) {
			req_make(s, &q, BLK_T_FLUSH, 0, 0);
			req_add(r, &q);
		}
		ring_go(r);
		ring_await_all(r, "every descriptor of the ring in use");
	}
}

const struct suite_test tests_packed[] = {
	{ "packed.readable_stays", "PACKEDRING-D004",
	  "a device-readable buffer is not written", SUITE_MUST, 0, 0,
	  SUITE_PACKED, readable_stays },
	{ "packed.not_available", "PACKEDRING-D005",
	  "a descriptor is used once its AVAIL bit has turned", SUITE_MUST, 0,
	  0, SUITE_PACKED, not_available },
	{ "packed.not_available_lap", "PACKEDRING-D005",
	  "the same in each lap", SUITE_MUST, 0, 0, SUITE_PACKED,
	  not_available_lap },
	{ "packed.used_stays", "PACKEDRING-D006",
	  "a used descriptor does not change", SUITE_MUST, 0, 0, SUITE_PACKED,
	  used_stays },
	{ "packed.used_flags", "PACKEDRING-D006 PACKEDRING-D002",
	  "AVAIL and USED of a used descriptor are those of its lap",
	  SUITE_MUST, 0, 0, SUITE_PACKED, used_flags },
	{ "packed.read_says_written", "PACKEDRING-D004",
	  "a used descriptor says whether anything was written", SUITE_POLICY,
	  0, 0, SUITE_PACKED | SUITE_ANYBODY, read_says_written },
	{ "packed.chain_order", "PACKEDRING-D007",
	  "the descriptors of a list are used in its order", SUITE_MUST, 0, 0,
	  SUITE_PACKED | SUITE_WRITABLE, chain_order },
	{ "packed.odd_sizes", "TEXT-PACKED-SIZE",
	  "a ring need not be a power of two", SUITE_MUST, 0, 0, SUITE_PACKED,
	  odd_sizes },
	{ "packed.completes_in_turn", "PACKEDRING-D002 PACKEDRING-D003",
	  "lists that complete out of order come back", SUITE_MUST,
	  DUT_REORDER, 0, SUITE_PACKED, completes_in_turn },
	{ "packed.indirect", "PACKEDRING-D007", "indirect tables", SUITE_MUST,
	  0, VIRTIO_F_INDIRECT, SUITE_PACKED, indirect },
	{ "packed.id_of_the_last", "TEXT-BUFFER-ID",
	  "the id of a list's last descriptor counts", SUITE_MUST, 0, 0,
	  SUITE_PACKED, id_of_the_last },
	{ "packed.full", "PACKEDRING-D001 PACKEDRING-D002",
	  "a ring whose descriptors are all in use is served", SUITE_MUST, 0,
	  0, SUITE_PACKED, full },
};
TESTS(tests_packed);

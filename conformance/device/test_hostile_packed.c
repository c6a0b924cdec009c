/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packed rings of a driver that breaks 2.8. What ours does with each is in
 * spec/trust.md; of every device: no hang, and a reset makes it good.
 */
#include "hostile.h"
#include "lib_internal.h"
#include "tests.h"

static void id_out(struct suite *s)
{
	static const uint32_t id[] = { 0, 0x7fff, 0xffff };
	struct ring *r = start(s, ALL_FEATURES, 0);

	for (uint32_t i = 0; i < 3 && !s->over; i++) {
		struct piece p[3];
		struct req q;
		uint32_t n;

		req_make(s, &q, BLK_T_IN, 0, SECTOR);
		n = req_pieces(&q, p);
		for (uint32_t k = 0; k < n; k++)
			raw_packed(r, p[k].addr, p[k].len,
				   id[i] ? id[i] : r->size,
				   p[k].flags | (k + 1u < n ? DESC_NEXT : 0u));
		ring_go(r);
		settle(s);
		expect_sane(r, "an id that is not below the ring's size");
	}
}

static void id_in_flight(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct piece p[3];
	struct req q;
	uint32_t n;

	event(s, DUT_EVENT_HOLD, 1);
	req_make(s, &q, BLK_T_IN, 0, SECTOR);
	n = req_pieces(&q, p);
	for (uint32_t twice = 0; twice < 2; twice++)
		for (uint32_t k = 0; k < n; k++)
			raw_packed(r, p[k].addr, p[k].len, 3,
				   p[k].flags | (k + 1u < n ? DESC_NEXT : 0u));
	ring_go(r);
	settle(s);
	event(s, DUT_EVENT_HOLD, 0);
	settle(s);
	expect_sane(r, "the same id twice");
}

static void endless(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct part p = take(s, SECTOR, 16);

	if (s->over)
		return;
	for (uint32_t i = 0; i < r->size; i++)
		raw_packed(r, p.addr, 1, 0, DESC_NEXT);
	ring_go(r);
	settle(s);
	expect_sane(r, "a list as long as the ring that does not end");
}

/* NEXT, and what is next is not available. */
static void half_a_list(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct req q;

	req_make(s, &q, BLK_T_IN, 0, SECTOR);
	raw_packed(r, q.head.addr, 16, 0, DESC_NEXT);
	ring_go(r);
	settle(s);
	settle(s);
	expect(s, s->over || span(&q.data, LIB_POISON) == SECTOR,
	       "half a list was carried out");
	expect_sane(r, "a list whose rest is not available");
}

static void both_flags(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);

	/* every combination in the next descriptor: available, used, neither */
	for (uint32_t f = 0; f < 0x10000 && !s->over; f += 0x1357) {
		put64(r->desc.host, s->d->bad_addr);
		put32(r->desc.host + 8, 16);
		put16(r->desc.host + 12, 0);
		put16(r->desc.host + 14, f);
		fence();
		ring_notify(r);
		settle(s);
		expect_sane(r, "flags that mean nothing");
	}
}

static void indirect_and_next(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, VIRTIO_F_INDIRECT);
	struct piece p[3];
	struct part t;
	struct req q;

	req_make(s, &q, BLK_T_IN, 0, SECTOR);
	t = make_table(r, p, req_pieces(&q, p));
	raw_packed(r, t.addr, t.bytes, 0, DESC_INDIRECT | DESC_NEXT);
	raw_packed(r, q.status.addr, 1, 0, DESC_WRITE);
	ring_go(r);
	settle(s);
	expect_sane(r, "INDIRECT in a list");
}

static void table_flags(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, VIRTIO_F_INDIRECT);

	for (uint32_t f = 1; f < 0x10000 && !s->over; f <<= 1) {
		struct piece p[3];
		struct part t;
		struct req q;

		if (f == DESC_WRITE)
			continue;
		req_make(s, &q, BLK_T_IN, 0, SECTOR);
		(void)req_pieces(&q, p);
		p[0].flags |= f;
		t = make_table(r, p, 3);
		raw_packed(r, t.addr, t.bytes, 0, DESC_INDIRECT);
		ring_go(r);
		settle(s);
		expect_sane(r, "a flag in a table other than WRITE");
	}
}

static void table_length(struct suite *s)
{
	static const uint32_t len[] = { 0, 1, 15, 17, 0x7fffffff, 0xfffffff0 };
	struct ring *r = start(s, ALL_FEATURES, VIRTIO_F_INDIRECT);
	struct piece p[3];
	struct part t;
	struct req q;

	req_make(s, &q, BLK_T_IN, 0, SECTOR);
	t = make_table(r, p, req_pieces(&q, p));
	for (uint32_t i = 0; i < 6 && !s->over; i++) {
		raw_packed(r, t.addr, len[i], 0, DESC_INDIRECT);
		ring_go(r);
		settle(s);
		expect_sane(r, "a table of a length that cannot be");
	}
}

static void changed_later(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct req q;

	one_in_work(r, &q, 0);
	if (s->over)
		return;
	/* what it was told is what counts, not what stands there now */
	for (uint32_t i = 0; i < 3; i++) {
		put64(r->desc.host + 16u * i, s->d->bad_addr);
		put32(r->desc.host + 16u * i + 8, 0xffffffffu);
	}
	event(s, DUT_EVENT_HOLD, 0);
	expect(s, req_end(r, &q) == BLK_S_OK,
	       "descriptors that changed while in flight were read again");
}

static void random_rings(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	uint32_t v = 12345;

	for (uint32_t round = 0; round < 12 && !s->over; round++) {
		for (uint32_t i = 0; i < 16u * r->size; i++) {
			v = v * 1664525u + 1013904223u;
			r->desc.host[i] = (uint8_t)(v >> 24);
		}
		for (uint32_t i = 0; i < r->size; i++) {
			r->desc.host[16u * i + 6] |= 0x40;
			r->desc.host[16u * i + 14] |= 0x80;
			r->desc.host[16u * i + 15] &= 0x7f;
		}
		fence();
		ring_notify(r);
		settle(s);
		expect_sane(r, "descriptors of random bytes");
	}
}

#define P (SUITE_PACKED | SUITE_ANYBODY)

const struct suite_test tests_hostile_packed[] = {
	{ "hostile.packed_id_out", "POL-PACKED-ID",
	  "an id that is not below the ring's size", SUITE_POLICY, 0, 0, P,
	  id_out },
	{ "hostile.packed_id_in_flight", "POL-PACKED-ID", "the same id twice",
	  SUITE_POLICY, DUT_HOLD, 0, P, id_in_flight },
	{ "hostile.packed_endless", "POL-PACKED-LIST PACKEDRING-G007",
	  "a list that does not end", SUITE_POLICY, 0, 0, P, endless },
	{ "hostile.packed_half_a_list", "POL-PACKED-LIST PACKEDRING-G011 "
	  "PACKEDRING-G010",
	  "a list whose rest is not available", SUITE_POLICY, 0, 0, P,
	  half_a_list },
	{ "hostile.packed_flags", "POL-PACKED-LIST PACKEDRING-G002",
	  "flags that mean nothing", SUITE_POLICY, 0, 0, P, both_flags },
	{ "hostile.packed_indirect_and_next", "POL-PACKED-INDIRECT "
	  "PACKEDRING-G015 PACKEDRING-G012",
	  "INDIRECT in a list", SUITE_POLICY, 0, VIRTIO_F_INDIRECT, P,
	  indirect_and_next },
	{ "hostile.packed_table_flags", "POL-PACKED-INDIRECT PACKEDRING-G013",
	  "flags in a table other than WRITE", SUITE_POLICY, 0,
	  VIRTIO_F_INDIRECT, P, table_flags },
	{ "hostile.packed_table_length", "POL-PACKED-INDIRECT "
	  "PACKEDRING-G014",
	  "tables of a length that cannot be", SUITE_POLICY, 0,
	  VIRTIO_F_INDIRECT, P, table_length },
	{ "hostile.packed_changed_later", "PACKEDRING-G003 PACKEDRING-D007",
	  "what was available is read once", SUITE_POLICY, DUT_HOLD, 0,
	  SUITE_PACKED, changed_later },
	{ "hostile.packed_random", "PACKEDRING-G002 PACKEDRING-G003",
	  "descriptors of random bytes", SUITE_POLICY, 0, 0, P,
	  random_rings },
};
TESTS(tests_hostile_packed);

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Chains whose status byte cannot be found: "the chain" of spec/trust.md. The
 * id of a chain is its head, so that what comes back can be told.
 */
#include "hostile.h"
#include "lib_internal.h"
#include "tests.h"

/* Split: descriptors as d has them from 0 on, head 0. */
struct raw {
	uint64_t addr;
	uint32_t len, flags, next;
};

static uint16_t put_raw(struct ring *r, const struct raw *d, uint32_t n)
{
	if (r->s->over)
		return 0;
	for (uint32_t i = 0; i < n; i++)
		raw_desc(r, i, d[i].addr, d[i].len, d[i].flags, d[i].next);
	raw_avail(r, 0);
	for (uint32_t i = 0; i < n; i++)
		r->taken[i] = true;
	r->busy[0] = true;
	r->done[0] = false;
	r->count[0] = 1;
	r->link[0] = 0;
	r->room[0] = UINT32_MAX;
	r->fifo[r->fifo_first % LIB_RING_MAX] = 0;
	r->in_flight = 1;
	r->free_hint = (uint16_t)n;
	r->free = (uint16_t)(r->free - n);
	return 0;
}

static void bad(struct suite *s, struct ring *r, const struct raw *d,
		uint32_t n, const char *what)
{
	uint16_t id = put_raw(r, d, n);

	ring_go(r);
	expect_bad_chain(r, id, what);
	(void)s;
}

static void loops(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct part p = take(s, SECTOR, 16);
	struct raw self[] = { { p.addr, 16, DESC_NEXT, 0 } };
	struct raw pair[] = { { p.addr, 16, DESC_NEXT, 1 },
			      { p.addr, 16, DESC_NEXT | DESC_WRITE, 0 } };
	struct raw empty[] = { { p.addr, 0, DESC_NEXT, 1 },
			       { p.addr, 0, DESC_NEXT, 0 } };

	bad(s, r, self, 1, "a descriptor whose next is itself");
	bad(s, r, pair, 2, "two descriptors in a loop");
	bad(s, r, empty, 2, "empty descriptors in a loop");
}

static void next_out(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct part p = take(s, SECTOR, 16);
	static const uint32_t next[] = { 0, 0xffff, 0x8000 };

	for (uint32_t i = 0; i < 3; i++) {
		struct raw d[] = { { p.addr, 16, DESC_NEXT,
				     next[i] ? next[i] : r->size } };

		bad(s, r, d, 1, "next out of the table");
	}
}

static void long_chain(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct part p = take(s, SECTOR, 16);

	if (s->over)
		return;
	/* every descriptor of the ring, and the last one leads back to 1 */
	for (uint32_t i = 0; i < r->size; i++)
		raw_desc(r, i, p.addr, 1, DESC_NEXT,
			 i + 1u < r->size ? i + 1u : 1u);
	raw_avail(r, 0);
	ring_go(r);
	settle(s);
	expect_sane(r, "a chain longer than the ring");
}

static void indirect_not_taken(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES & ~VIRTIO_F_INDIRECT, 0);
	struct piece p[3];
	struct part t;
	struct req q;
	struct raw d[1];

	req_make(s, &q, BLK_T_IN, 0, SECTOR);
	t = make_table(r, p, req_pieces(&q, p));
	d[0] = (struct raw){ t.addr, t.bytes, DESC_INDIRECT, 0 };
	bad(s, r, d, 1, "INDIRECT, which was not negotiated");
}

static void indirect_and_next(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, VIRTIO_F_INDIRECT);
	struct piece p[3];
	struct part t;
	struct req q;
	struct raw d[2];

	req_make(s, &q, BLK_T_IN, 0, SECTOR);
	t = make_table(r, p, req_pieces(&q, p));
	d[0] = (struct raw){ t.addr, t.bytes, DESC_INDIRECT | DESC_NEXT, 1 };
	d[1] = (struct raw){ q.status.addr, 1, DESC_WRITE, 0 };
	bad(s, r, d, 2, "INDIRECT with NEXT");
}

static void indirect_nested(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, VIRTIO_F_INDIRECT);
	struct piece p[3], in[1];
	struct part t, outer;
	struct req q;
	struct raw d[1];

	req_make(s, &q, BLK_T_IN, 0, SECTOR);
	t = make_table(r, p, req_pieces(&q, p));
	in[0] = (struct piece){ t.addr, t.bytes, DESC_INDIRECT | LIB_DESC };
	outer = make_table(r, in, 1);
	d[0] = (struct raw){ outer.addr, 16, DESC_INDIRECT, 0 };
	bad(s, r, d, 1, "a table in a table");
	/* and one that names itself */
	if (s->over)
		return;
	put64(outer.host, outer.addr);
	d[0] = (struct raw){ outer.addr, 16, DESC_INDIRECT, 0 };
	bad(s, r, d, 1, "a table that names itself");
}

static void table_length(struct suite *s)
{
	static const uint32_t len[] = {
		0, 1, 15, 17, 47, 0x7fffffff, 0xfffffff0, 0xffffffff
	};
	struct ring *r = start(s, ALL_FEATURES, VIRTIO_F_INDIRECT);
	struct piece p[3];
	struct part t;
	struct req q;

	req_make(s, &q, BLK_T_IN, 0, SECTOR);
	t = make_table(r, p, req_pieces(&q, p));
	for (uint32_t i = 0; i < 8; i++) {
		struct raw d[] = { { t.addr, len[i], DESC_INDIRECT, 0 } };

		bad(s, r, d, 1, "a table of a length that cannot be");
	}
}

static void table_loop(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, VIRTIO_F_INDIRECT);
	struct part t = take_zero(s, 32, 16), p = take(s, SECTOR, 16);
	struct raw d[] = { { t.addr, 32, DESC_INDIRECT, 0 } };

	if (s->over)
		return;
	for (uint32_t i = 0; i < 2; i++) {
		put64(t.host + 16u * i, p.addr);
		put32(t.host + 16u * i + 8, 16);
		put16(t.host + 16u * i + 12, DESC_NEXT);
		put16(t.host + 16u * i + 14, 1u - i);
	}
	bad(s, r, d, 1, "a loop in a table");
	if (s->over)
		return;
	put16(t.host + 14, 2);
	bad(s, r, d, 1, "next out of a table");
	if (s->over)
		return;
	put16(t.host + 14, 0xffff);
	bad(s, r, d, 1, "next far out of a table");
}

static void table_nowhere(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, VIRTIO_F_INDIRECT);
	struct raw d[] = { { s->d->bad_addr, 48, DESC_INDIRECT, 0 } };

	if (!s->d->bad_bytes)
		skip(s, "no address is known to be without memory");
	bad(s, r, d, 1, "a table where no memory is");
	d[0].addr = UINT64_MAX - 15u;
	bad(s, r, d, 1, "a table across 2^64");
}

/* --- on both kinds of ring ------------------------------------------------ */

static void chain(struct ring *r, const struct piece *p, uint32_t n,
		  const char *what)
{
	uint16_t id = ring_add(r, p, n);

	ring_go(r);
	expect_bad_chain(r, id, what);
}

static void wrong_order(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct piece p[3];
	struct req q;

	req_make(s, &q, BLK_T_IN, 0, SECTOR);
	p[0] = (struct piece){ q.data.addr, SECTOR, DESC_WRITE };
	p[1] = (struct piece){ q.head.addr, 16, 0 };
	p[2] = (struct piece){ q.status.addr, 1, DESC_WRITE };
	chain(r, p, 3, "a readable descriptor behind a writable one");
}

static void across_64_bits(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct piece p[3];
	struct req q;

	for (uint32_t i = 0; i < 2; i++) {
		req_make(s, &q, BLK_T_IN, 0, SECTOR);
		(void)req_pieces(&q, p);
		p[1].addr = UINT64_MAX - 255u;
		p[1].flags = i ? 0 : DESC_WRITE;
		chain(r, p, 3, "a buffer across 2^64");
	}
}

static void no_status(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct piece p[3];
	struct req q;

	req_make(s, &q, BLK_T_OUT, 0, SECTOR);
	(void)req_pieces(&q, p);
	if (s->over)
		return;
	chain(r, p, 2, "a request without a writable byte");
	p[2].len = 0;
	chain(r, p, 3, "a request whose status has length 0");
	p[0].len = 0;
	chain(r, p, 1, "one empty descriptor");
}

static void status_nowhere(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct piece p[3];
	struct req q;

	if (!s->d->bad_bytes)
		skip(s, "no address is known to be without memory");
	req_make(s, &q, BLK_T_IN, 0, SECTOR);
	(void)req_pieces(&q, p);
	p[2].addr = s->d->bad_addr;
	chain(r, p, 3, "a status byte where no memory is");
}

#define SPLIT (SUITE_SPLIT | SUITE_ANYBODY)
#define BOTH  (SUITE_SPLIT | SUITE_PACKED | SUITE_ANYBODY)

const struct suite_test tests_hostile_chain[] = {
	{ "hostile.loops", "POL-CHAIN-LOOP SPLITRING-G002",
	  "descriptors in a loop", SUITE_POLICY, 0, 0, SPLIT, loops },
	{ "hostile.next_out", "POL-CHAIN-INDEX", "next out of the table",
	  SUITE_POLICY, 0, 0, SPLIT, next_out },
	{ "hostile.long_chain", "POL-CHAIN-LOOP SPLITRING-G006",
	  "a chain longer than the ring", SUITE_POLICY, 0, 0, SPLIT,
	  long_chain },
	{ "hostile.indirect_not_taken", "POL-CHAIN-NOINDIRECT SPLITRING-G004",
	  "INDIRECT that was not negotiated", SUITE_POLICY, 0, 0, SPLIT,
	  indirect_not_taken },
	{ "hostile.indirect_and_next", "POL-CHAIN-INDNEXT SPLITRING-G007",
	  "INDIRECT with NEXT", SUITE_POLICY, 0, VIRTIO_F_INDIRECT, SPLIT,
	  indirect_and_next },
	{ "hostile.indirect_nested", "POL-CHAIN-NESTED SPLITRING-G005",
	  "a table in a table", SUITE_POLICY, 0, VIRTIO_F_INDIRECT, SPLIT,
	  indirect_nested },
	{ "hostile.table_length", "POL-CHAIN-TABLELEN",
	  "tables of a length that cannot be", SUITE_POLICY, 0,
	  VIRTIO_F_INDIRECT, SPLIT, table_length },
	{ "hostile.table_loop", "POL-CHAIN-TABLELOOP SPLITRING-G008",
	  "loops in a table", SUITE_POLICY, 0, VIRTIO_F_INDIRECT, SPLIT,
	  table_loop },
	{ "hostile.table_nowhere", "POL-CHAIN-TABLEMEM",
	  "a table where no memory is", SUITE_POLICY, 0, VIRTIO_F_INDIRECT,
	  SPLIT, table_nowhere },
	{ "hostile.wrong_order", "POL-CHAIN-ORDER MESSAGEFRAMING-G001 "
	  "PACKEDRING-G008",
	  "readable behind writable", SUITE_POLICY, 0, 0, BOTH, wrong_order },
	{ "hostile.across_64_bits", "POL-CHAIN-WRAP SPLITRING-G002",
	  "a buffer across 2^64", SUITE_POLICY, 0, 0, BOTH, across_64_bits },
	{ "hostile.no_status", "POL-CHAIN-NOSTATUS PACKEDRING-G009",
	  "a request without a writable byte", SUITE_POLICY, 0, 0, BOTH,
	  no_status },
	{ "hostile.status_nowhere", "POL-CHAIN-STATUSMEM",
	  "a status byte where no memory is", SUITE_POLICY, 0, 0, BOTH,
	  status_nowhere },
};
TESTS(tests_hostile_chain);

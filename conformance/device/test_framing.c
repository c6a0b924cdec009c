/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A request in any arrangement of descriptors: 2.7.4.
 */
#include "lib.h"
#include "tests.h"

#define MANY 24u

/* Cuts a part into descriptors of step bytes; returns how many were added. */
static uint32_t cut(struct piece *to, const struct part *p, uint32_t step,
		    uint32_t flags)
{
	uint32_t n = 0;

	for (uint32_t at = 0; at < p->bytes; at += step) {
		uint32_t len = p->bytes - at < step ? p->bytes - at : step;

		to[n++] = (struct piece){ p->addr + at, len, flags };
	}
	return n;
}

/* A read with header and data in such pieces must bring what is there. */
static void read_cut(struct ring *r, uint32_t head, uint32_t data,
		     const char *what)
{
	struct suite *s = r->s;
	struct req whole, q;
	struct piece p[64];
	uint32_t n;

	req_make(s, &whole, BLK_T_IN, 2, 2 * SECTOR);
	req_ok(r, &whole);
	req_make(s, &q, BLK_T_IN, 2, 2 * SECTOR);
	n = cut(p, &q.head, head, 0);
	n += cut(p + n, &q.data, data, DESC_WRITE);
	p[n++] = (struct piece){ q.status.addr, 1, DESC_WRITE };
	if (s->over)
		return;
	if (n > r->free) {
		skip(s, "a ring of %u is too small for it", r->size);
		return;
	}
	expect(s, req_run_pieces(r, &q, p, n) == BLK_S_OK, "%s: status %u",
	       what, s->over ? 0u : *q.status.host);
	for (uint32_t i = 0; i < 2 * SECTOR; i++)
		expect(s, q.data.host[i] == whole.data.host[i],
		       "%s: byte %u of the data differs", what, i);
}

static void header_in_two(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);

	read_cut(r, 8, 2 * SECTOR, "a header in two descriptors");
}

static void header_in_bytes(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);

	read_cut(r, 1, 2 * SECTOR, "a header of 16 descriptors");
}

static void data_in_odd_pieces(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);

	read_cut(r, 16, 333, "data in pieces of 333 bytes");
	read_cut(r, 5, 511, "header in 5s, data in 511s");
	read_cut(r, 16, 512, "data in sectors");
}

static void status_with_data(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct part all = take(s, SECTOR + 1, 16);
	struct req q;
	struct piece p[2];

	req_make(s, &q, BLK_T_IN, 0, SECTOR);
	if (s->over)
		return;
	q.status = (struct part){ all.host + SECTOR, all.addr + SECTOR, 1 };
	p[0] = (struct piece){ q.head.addr, 16, 0 };
	p[1] = (struct piece){ all.addr, SECTOR + 1, DESC_WRITE };
	expect(s, req_run_pieces(r, &q, p, 2) == BLK_S_OK,
	       "data and status in one descriptor: status %u",
	       s->over ? 0u : *q.status.host);
	expect(s,
	       s->over || span(&all, LIB_POISON) == 0 ||
		       all.host[1] != LIB_POISON,
	       "no data came");
}

/* Header and data of a write in one descriptor. */
static void header_with_data(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct part all = take(s, 16 + SECTOR, 16), data;
	struct req q;
	struct piece p[2];

	req_make(s, &q, BLK_T_OUT, 5, 0);
	if (s->over)
		return;
	for (uint32_t i = 0; i < 16; i++)
		all.host[i] = q.head.host[i];
	data = (struct part){ all.host + 16, all.addr + 16, SECTOR };
	fill(&data, 77);
	p[0] = (struct piece){ all.addr, 16 + SECTOR, 0 };
	p[1] = (struct piece){ q.status.addr, 1, DESC_WRITE };
	expect(s, req_run_pieces(r, &q, p, 2) == BLK_S_OK,
	       "header and data of a write in one descriptor: status %u",
	       s->over ? 0u : *q.status.host);
	expect(s, sectors_are(r, 5, 1, 77), "something else was written");
}

/* The write that is cut: what lands on the disk is what was given. */
static void write_in_pieces(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);

	for (uint32_t step = 200; step < 1100; step += 311) {
		struct piece p[32];
		struct req q;
		uint32_t n;

		req_make(s, &q, BLK_T_OUT, 8, 2 * SECTOR);
		if (s->over)
			return;
		fill(&q.data, step);
		n = cut(p, &q.head, 9, 0);
		n += cut(p + n, &q.data, step, 0);
		p[n++] = (struct piece){ q.status.addr, 1, DESC_WRITE };
		if (n > r->free)
			continue;
		expect(s, req_run_pieces(r, &q, p, n) == BLK_S_OK,
		       "a write in pieces of %u: status %u", step,
		       s->over ? 0u : *q.status.host);
		expect(s, sectors_are(r, 8, 2, step),
		       "a write in pieces of %u put something else there",
		       step);
	}
}

static void in_table(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, VIRTIO_F_INDIRECT);
	struct req q;
	struct piece p[64];
	uint32_t n;

	for (uint32_t step = 1; step <= 16; step += 5) {
		req_make(s, &q, BLK_T_IN, 0, SECTOR);
		n = cut(p, &q.head, step, 0);
		n += cut(p + n, &q.data, 200, DESC_WRITE);
		p[n++] = (struct piece){ q.status.addr, 1, DESC_WRITE };
		if (s->over)
			return;
		*q.status.host = LIB_POISON;
		q.id = ring_add_table(r, p, n);
		ring_go(r);
		expect(s, req_end(r, &q) == BLK_S_OK,
		       "an indirect request with its header in pieces of %u: "
		       "status %u",
		       step, s->over ? 0u : *q.status.host);
	}
}

static void odd_addresses(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);

	for (uint32_t off = 1; off < 16; off += 2) {
		struct part room = take(s, SECTOR + 64, 64);
		struct req q;
		struct piece p[3];

		req_make(s, &q, BLK_T_IN, 0, SECTOR);
		if (s->over)
			return;
		p[0] = (struct piece){ q.head.addr, 16, 0 };
		p[1] = (struct piece){ room.addr + off, SECTOR, DESC_WRITE };
		p[2] = (struct piece){ q.status.addr, 1, DESC_WRITE };
		expect(s, req_run_pieces(r, &q, p, 3) == BLK_S_OK,
		       "data at an address that ends in %u: status %u", off,
		       s->over ? 0u : *q.status.host);
		for (uint32_t i = 0; i < off && !s->over; i++)
			expect(s, room.host[i] == LIB_POISON,
			       "the byte %u before the buffer was written",
			       off - i);
	}
}

/* More descriptors than any device must take: an error or not, but an end. */
static void long_chain(struct suite *s)
{
	struct ring *r;
	struct req q;
	struct piece p[LIB_RING_MAX];
	uint32_t n;

	negotiate(s, ALL_FEATURES, 0);
	r = add_ring(s, 0, LIB_RING_MAX);
	driver_ok(s);
	req_make(s, &q, BLK_T_IN, 0, SECTOR);
	if (s->over)
		return;
	p[0] = (struct piece){ q.head.addr, 16, 0 };
	n = r->size - 2u > 512 ? 512 : r->size - 2u;
	for (uint32_t i = 0; i < n; i++)
		p[i + 1] = (struct piece){ q.data.addr +
						   (n - 1u - i) * (SECTOR / n),
					   SECTOR / n, DESC_WRITE };
	p[n + 1] = (struct piece){ q.status.addr, 1, DESC_WRITE };
	*q.status.host = LIB_POISON;
	q.id = ring_add(r, p, n + 2u);
	ring_go(r);
	ring_await(r, q.id, "a chain as long as the ring");
	note(s, "it ends with status %u", s->over ? 0u : *q.status.host);
	restart(r);
	alive(r, "a chain as long as the ring");
}

/* Data on both sides of the boundary between two regions. */
static void other_region(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct dut_region *m = &s->d->region[1];
	struct req q;
	struct piece p[3];

	if (s->d->regions < 2)
		skip(s, "there is one region of memory");
	req_make(s, &q, BLK_T_IN, 0, SECTOR);
	if (s->over)
		return;
	m->host[0] = m->host[SECTOR] = LIB_POISON;
	p[0] = (struct piece){ q.head.addr, 16, 0 };
	p[1] = (struct piece){ m->addr, SECTOR, DESC_WRITE };
	p[2] = (struct piece){ q.status.addr, 1, DESC_WRITE };
	expect(s, req_run_pieces(r, &q, p, 3) == BLK_S_OK,
	       "data in another region of memory: status %u",
	       s->over ? 0u : *q.status.host);
	expect(s, s->over || m->host[SECTOR] == LIB_POISON,
	       "the byte behind the buffer was written");
}

const struct suite_test tests_framing[] = {
	{ "framing.header_in_two", "MESSAGEFRAMING-D001",
	  "a header in two descriptors", SUITE_MUST, 0, 0,
	  SUITE_SPLIT | SUITE_PACKED, header_in_two },
	{ "framing.header_in_bytes", "MESSAGEFRAMING-D001",
	  "a header in 16 descriptors", SUITE_MUST, 0, 0,
	  SUITE_SPLIT | SUITE_PACKED, header_in_bytes },
	{ "framing.data_in_odd_pieces", "MESSAGEFRAMING-D001",
	  "data in pieces that are no sectors", SUITE_MUST, 0, 0,
	  SUITE_SPLIT | SUITE_PACKED, data_in_odd_pieces },
	{ "framing.status_with_data", "MESSAGEFRAMING-D001",
	  "data and status in one descriptor", SUITE_MUST, 0, 0,
	  SUITE_SPLIT | SUITE_PACKED, status_with_data },
	{ "framing.header_with_data", "MESSAGEFRAMING-D001",
	  "header and data of a write in one descriptor", SUITE_MUST, 0, 0,
	  SUITE_SPLIT | SUITE_PACKED | SUITE_WRITABLE, header_with_data },
	{ "framing.write_in_pieces", "MESSAGEFRAMING-D001",
	  "a write in pieces writes what it has", SUITE_MUST, 0, 0,
	  SUITE_SPLIT | SUITE_PACKED | SUITE_WRITABLE, write_in_pieces },
	{ "framing.in_table", "MESSAGEFRAMING-D001",
	  "the same in an indirect table", SUITE_MUST, 0, VIRTIO_F_INDIRECT,
	  SUITE_SPLIT | SUITE_PACKED, in_table },
	{ "framing.odd_addresses", "MESSAGEFRAMING-D001",
	  "data at odd addresses", SUITE_MUST, 0, 0,
	  SUITE_SPLIT | SUITE_PACKED, odd_addresses },
	{ "framing.long_chain", "MESSAGEFRAMING-D002 MESSAGEFRAMING-G002 "
	  "PACKEDRING-D008 PACKEDRING-G006",
	  "a chain as long as the ring ends, well or not", SUITE_MAY, 0, 0,
	  SUITE_SPLIT | SUITE_PACKED, long_chain },
	{ "framing.other_region", "MESSAGEFRAMING-D001",
	  "data in another region of memory", SUITE_MUST, 0, 0,
	  SUITE_SPLIT | SUITE_PACKED, other_region },
};
TESTS(tests_framing);

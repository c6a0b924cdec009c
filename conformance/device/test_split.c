/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The split ring: what the device does to descriptors, buffers and the used
 * ring (2.7.5, 2.7.8).
 */
#include <string.h>

#include "lib.h"
#include "tests.h"

/* A copy beside, and whether the original still equals it. */
static struct part keep(struct suite *s, const struct part *p)
{
	struct part c = take(s, p->bytes, 16);

	if (!s->over)
		memcpy(c.host, p->host, p->bytes);
	return c;
}

static bool kept(const struct part *p, const struct part *copy)
{
	return !copy->host || memcmp(p->host, copy->host, p->bytes) == 0;
}

static void readable_stays(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct part head, data;
	struct req q;

	req_make(s, &q, BLK_T_OUT, 1, 2 * SECTOR);
	if (s->over)
		return;
	fill(&q.data, 5);
	head = keep(s, &q.head);
	data = keep(s, &q.data);
	(void)req_run(r, &q);
	expect(s, kept(&q.head, &head), "the header of a write was changed");
	expect(s, kept(&q.data, &data), "the data of a write was changed");
	/* a read's header, an id's, one of a type that does not exist */
	req_make(s, &q, 0x1000, 0, SECTOR);
	head = keep(s, &q.head);
	data = keep(s, &q.data);
	(void)req_run(r, &q);
	expect(s, kept(&q.head, &head) && kept(&q.data, &data),
	       "a readable buffer of an unknown request was changed");
}

static void table_stays(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct part desc, avail;
	struct req q;

	for (uint32_t i = 0; i < 3; i++) {
		req_make(s, &q, i ? BLK_T_IN : BLK_T_GET_ID, 0,
			 i ? SECTOR : BLK_ID_BYTES);
		req_add(r, &q);
		desc = keep(s, &r->desc);
		ring_show(r);
		avail = keep(s, &r->driver);
		ring_notify(r);
		(void)req_end(r, &q);
		expect(s, kept(&r->desc, &desc),
		       "the descriptor table was changed");
		expect(s, kept(&r->driver, &avail),
		       "the available ring was changed");
	}
}

static void indirect_write_flag(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, VIRTIO_F_INDIRECT);
	struct piece p[3], one;
	struct part t;
	struct req q;
	uint32_t n;

	req_make(s, &q, BLK_T_IN, 0, SECTOR);
	n = req_pieces(&q, p);
	t = make_table(r, p, n);
	one = (struct piece){ t.addr, t.bytes, DESC_INDIRECT | DESC_WRITE };
	if (s->over)
		return;
	*q.status.host = LIB_POISON;
	q.id = ring_add(r, &one, 1);
	r->room[q.id] = SECTOR + 1;
	ring_go(r);
	expect(s, req_end(r, &q) == BLK_S_OK,
	       "WRITE beside INDIRECT makes the request fail with status %u",
	       s->over ? 0u : *q.status.host);
	expect(s, span(&t, LIB_POISON) == 0, "the table was written");
}

static void indirect_last(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, VIRTIO_F_INDIRECT);

	for (uint32_t split = 0; split < 3; split++) {
		struct piece p[3], c[4];
		struct part t;
		struct req q;
		uint32_t n;

		req_make(s, &q, BLK_T_IN, 3, SECTOR);
		n = req_pieces(&q, p);
		if (s->over)
			return;
		memcpy(c, p, sizeof(p));
		t = make_table(r, p + split, n - split);
		c[split] = (struct piece){ t.addr, t.bytes, DESC_INDIRECT };
		*q.status.host = LIB_POISON;
		q.id = ring_add(r, c, split + 1u);
		r->room[q.id] = SECTOR + 1;
		ring_go(r);
		expect(s, req_end(r, &q) == BLK_S_OK,
		       "%u descriptors and then a table: status %u", split,
		       s->over ? 0u : *q.status.host);
	}
}

static void indirect_long(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, VIRTIO_F_INDIRECT);
	uint32_t segs = s->offered & BLK_F_SEG_MAX ? config32(s, 12) : 1u;
	struct piece p[130];
	struct req q;

	if (segs > 128)
		segs = 128;
	req_make(s, &q, BLK_T_IN, 0, segs * SECTOR);
	for (uint32_t i = 0; i < segs; i++)
		/* last ones first, so that no two are neighbours */
		p[i + 1] = (struct piece){ q.data.addr +
						   (segs - 1u - i) * SECTOR,
					   SECTOR, DESC_WRITE };
	p[0] = (struct piece){ q.head.addr, 16, 0 };
	p[segs + 1] = (struct piece){ q.status.addr, 1, DESC_WRITE };
	if (s->over)
		return;
	*q.status.host = LIB_POISON;
	q.id = ring_add_table(r, p, segs + 2u);
	ring_go(r);
	expect(s, req_end(r, &q) == BLK_S_OK,
	       "a table of seg_max + 2 = %u descriptors: status %u", segs + 2u,
	       s->over ? 0u : *q.status.host);
}

/* What len counts was written: no poison is left in it. */
static void len_is_written(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct req q;

	if (s->offered & BLK_F_RO)
		skip(s, "the disk is read-only");
	put_sectors(r, 7, 4, 11);
	req_make(s, &q, BLK_T_IN, 7, 4 * SECTOR);
	req_ok(r, &q);
	expect(s, q.used <= 4 * SECTOR + 1,
	       "a read of 2048 bytes was used with length %u", q.used);
	if (!s->over && q.used < 4 * SECTOR)
		q.data.bytes = q.used;
	expect(s, s->over || filled(&q.data, 11),
	       "the used length is %u, but not all of it was written", q.used);
}

/* Of a request that fails len must not count what was not written. */
static void len_of_failures(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct req q;
	uint32_t n;

	for (uint32_t i = 0; i < 3; i++) {
		static const uint32_t type[] = { BLK_T_IN, 0x1000,
						 BLK_T_GET_LIFETIME };

		req_make(s, &q, type[i], i ? 0 : capacity(s), 2 * SECTOR);
		q.in = true;
		expect(s, req_run(r, &q) != BLK_S_OK || s->over,
		       "a request of type %u that cannot be succeeds", type[i]);
		if (s->over)
			return;
		n = q.used > q.data.bytes ? q.data.bytes : q.used;
		q.data.bytes = n;
		expect(s, n == 0 || span(&q.data, LIB_POISON) == 0,
		       "a failed request was used with length %u, but its "
		       "first %u bytes were not written",
		       q.used, span(&q.data, LIB_POISON));
	}
}

static void len_of_write(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct req q;

	req_make(s, &q, BLK_T_OUT, 9, SECTOR);
	req_ok(r, &q);
	expect(s, q.used <= 1,
	       "a write was used with length %u; only the status byte is "
	       "writable",
	       q.used);
}

static void used_once(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct req q[8];
	uint32_t n;

	for (uint32_t round = 0; round < 8; round++) {
		for (n = 0; n < 8 && r->free >= 3 && !s->over; n++) {
			req_make(s, &q[n], BLK_T_IN, n, SECTOR);
			req_add(r, &q[n]);
		}
		ring_go(r);
		ring_await_all(r, "eight reads at once");
		for (uint32_t i = 0; i < n && !s->over; i++)
			expect(s, *q[i].status.host == BLK_S_OK,
			       "read %u of 8 fails with status %u", i,
			       *q[i].status.host);
		settle(s);
		expect(s, !ring_used(r) || s->over,
		       "a chain was used a second time");
	}
}

static void full(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct req q;
	uint32_t n = 0;

	if (s->over)
		return;
	while (r->free >= 3 && !s->over) {
		req_make(s, &q, BLK_T_IN, n++, SECTOR);
		req_add(r, &q);
	}
	ring_go(r);
	ring_await_all(r, "every descriptor of the ring in use");
	expect(s, r->completed == n, "%u of %u came back", r->completed, n);
}

/* 65536 times around, through the end of the 16-bit index. */
static void index_wraps(struct suite *s)
{
	struct ring *r = start(s, VIRTIO_F_EVENT_IDX, 0);
	struct req q;
	uint32_t sum = 0;

	req_make(s, &q, BLK_T_FLUSH, 0, 0);
	if (s->over)
		return;
	note(s, "66000 requests of no bytes");
	ring_quiet(r);
	while (sum < 66000 && !s->over) {
		struct piece p[2] = { { q.head.addr, 16, 0 },
				      { q.status.addr, 1, DESC_WRITE } };
		uint32_t n = r->free / 2u;

		for (uint32_t i = 0; i < n; i++)
			(void)ring_add(r, p, 2);
		ring_go(r);
		ring_await_all(r, "requests around the ring");
		sum += n;
	}
	alive(r, "66000 requests");
}

const struct suite_test tests_split[] = {
	{ "split.readable_stays", "SPLITRING-D001",
	  "a device-readable buffer is not written", SUITE_MUST, 0, 0,
	  SUITE_SPLIT, readable_stays },
	{ "split.table_stays", "SPLITRING-D002",
	  "descriptors and available ring are not written", SUITE_MUST, 0, 0,
	  SUITE_SPLIT, table_stays },
	{ "split.indirect_write_flag", "SPLITRING-D003",
	  "WRITE beside INDIRECT means nothing", SUITE_MUST, 0,
	  VIRTIO_F_INDIRECT, SUITE_SPLIT, indirect_write_flag },
	{ "split.indirect_last", "SPLITRING-D004",
	  "descriptors, and then one with a table", SUITE_MUST, 0,
	  VIRTIO_F_INDIRECT, SUITE_SPLIT, indirect_last },
	{ "split.indirect_long", "SPLITRING-D004 MESSAGEFRAMING-D002",
	  "a table of seg_max data descriptors", SUITE_MAY, 0,
	  VIRTIO_F_INDIRECT, SUITE_SPLIT | SUITE_PACKED, indirect_long },
	{ "split.len_is_written", "SPLITRING-D012 SPLITRING-D013 "
	  "SPLITRING-D011",
	  "as many bytes as len says were written", SUITE_MUST, 0, 0,
	  SUITE_SPLIT | SUITE_PACKED, len_is_written },
	{ "split.len_of_failures", "SPLITRING-D012",
	  "len of a failed request counts only what was written", SUITE_MUST,
	  0, 0, SUITE_SPLIT | SUITE_PACKED, len_of_failures },
	{ "split.len_of_write", "SPLITRING-D012",
	  "len of a write counts at most the status", SUITE_MUST, 0, 0,
	  SUITE_SPLIT | SUITE_PACKED | SUITE_WRITABLE, len_of_write },
	{ "split.used_once", "SPLITRING-D011 SPLITRING-G015",
	  "each chain is used once", SUITE_MUST, 0, 0,
	  SUITE_SPLIT | SUITE_PACKED, used_once },
	{ "split.full", "TEXT-SLOTS",
	  "a ring whose descriptors are all in use is served", SUITE_MUST, 0,
	  0, SUITE_SPLIT | SUITE_PACKED, full },
	{ "split.index_wraps", "TEXT-INDICES SPLITRING-D009 SPLITRING-G009",
	  "the 16-bit indices wrap", SUITE_MUST, 0, 0, SUITE_SPLIT,
	  index_wraps },
};
TESTS(tests_split);

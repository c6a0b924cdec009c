/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads, writes, flushes, ids: 5.2.6.
 */
#include "lib.h"
#include "tests.h"

static void write_then_read(struct suite *s)
{
	static const uint32_t sectors[] = { 1, 2, 8, 16, 64 };
	struct ring *r = start(s, ALL_FEATURES, 0);

	for (uint32_t i = 0; i < 5; i++) {
		put_sectors(r, 100u * i, sectors[i], 40 + i);
		expect(s, sectors_are(r, 100u * i, sectors[i], 40 + i),
		       "%u sectors at %u are not what was written", sectors[i],
		       100u * i);
	}
	/* and none of them disturbed another */
	for (uint32_t i = 0; i < 5; i++)
		expect(s, sectors_are(r, 100u * i, sectors[i], 40 + i),
		       "%u sectors at %u were changed by later writes",
		       sectors[i], 100u * i);
}

static void neighbours(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);

	put_sectors(r, 20, 1, 1);
	put_sectors(r, 21, 1, 2);
	put_sectors(r, 22, 1, 3);
	put_sectors(r, 21, 1, 4);
	expect(s, sectors_are(r, 20, 1, 1) && sectors_are(r, 22, 1, 3),
	       "a write of one sector changed its neighbours");
	expect(s, sectors_are(r, 21, 1, 4), "the write itself is not there");
}

static void last_sector(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	uint64_t last = capacity(s) - 1u;
	struct req q;

	req_make(s, &q, BLK_T_IN, last, SECTOR);
	req_ok(r, &q);
	if (s->offered & BLK_F_RO)
		return;
	put_sectors(r, last, 1, 9);
	expect(s, sectors_are(r, last, 1, 9),
	       "the last sector is not what was written");
}

static void many_at_once(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct req q[8];
	uint32_t n;

	for (n = 0; n < 8 && r->free >= 3 && !s->over; n++) {
		req_make(s, &q[n], BLK_T_OUT, 200 + n, SECTOR);
		if (!s->over)
			fill(&q[n].data, 300 + n);
		req_add(r, &q[n]);
	}
	ring_go(r);
	ring_await_all(r, "writes at once");
	for (uint32_t i = 0; i < n && !s->over; i++)
		expect(s, sectors_are(r, 200 + i, 1, 300 + i),
		       "sector %u is not what one of %u writes at once wrote",
		       200 + i, n);
}

static void read_is_whole(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct req q;

	if (!(s->offered & BLK_F_RO))
		put_sectors(r, 30, 4, 6);
	req_make(s, &q, BLK_T_IN, 30, 4 * SECTOR);
	req_ok(r, &q);
	for (uint32_t i = 0; i < 4 && !s->over; i++) {
		struct part p = { q.data.host + SECTOR * i, 0, SECTOR };

		expect(s, span(&p, LIB_POISON) != SECTOR,
		       "sector %u of a read was not written", i);
	}
}

static void status_is_a_byte(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct part room = take(s, 64, 64);
	struct req q;

	for (uint32_t at = 1; at < 60; at += 7) {
		req_make(s, &q, BLK_T_IN, 0, SECTOR);
		if (s->over)
			return;
		q.status.host = room.host + at;
		q.status.addr = room.addr + at;
		req_ok(r, &q);
		expect(s,
		       room.host[at - 1] == LIB_POISON &&
			       room.host[at + 1] == LIB_POISON,
		       "a byte beside the status byte was written");
		room.host[at] = LIB_POISON;
	}
}

static void get_id(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct req q, again;

	req_make(s, &q, BLK_T_GET_ID, 0, BLK_ID_BYTES);
	req_ok(r, &q);
	req_make(s, &again, BLK_T_GET_ID, 0, BLK_ID_BYTES);
	req_ok(r, &again);
	for (uint32_t i = 0, end = 0; i < BLK_ID_BYTES && !s->over; i++) {
		uint8_t c = q.data.host[i];

		end |= c == 0;
		expect(s, end ? c == 0 || i == 0 || end : c >= 32 && c < 127,
		       "byte %u of the id is %x", i, c);
		expect(s, c == again.data.host[i],
		       "two GET_ID give two ids, at byte %u", i);
	}
}

static void get_id_odd(struct suite *s)
{
	static const uint32_t bytes[] = { 1, 19, 21, SECTOR };
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct req q;

	for (uint32_t i = 0; i < 4; i++) {
		req_make(s, &q, BLK_T_GET_ID, 0, bytes[i]);
		(void)req_run(r, &q);
		expect(s, q.used <= bytes[i] + 1u,
		       "GET_ID into %u bytes has length %u", bytes[i], q.used);
		alive(r, "GET_ID into a buffer of another size");
	}
}

static void flush_works(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, BLK_F_FLUSH);
	struct req q;

	req_make(s, &q, BLK_T_FLUSH, 0, 0);
	req_ok(r, &q);
	expect(s, q.used <= 1, "a flush has length %u", q.used);
}

static void flush_odd(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, BLK_F_FLUSH);
	struct req q;

	req_make(s, &q, BLK_T_FLUSH, UINT64_MAX, 0);
	(void)req_run(r, &q);
	alive(r, "a flush with a sector");
	req_make(s, &q, BLK_T_FLUSH, 0, SECTOR);
	if (s->over)
		return;
	fill(&q.data, 3);
	(void)req_run(r, &q);
	expect(s, s->over || filled(&q.data, 3),
	       "data beside a flush was written");
	alive(r, "a flush with data");
}

static void priority(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct req q;

	for (uint32_t i = 0; i < 3; i++) {
		req_make(s, &q, BLK_T_IN, 0, SECTOR);
		if (s->over)
			return;
		q.head.host[4 + i] = 0xff;
		req_ok(r, &q);
	}
}

static void no_bytes(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct req q;

	req_make(s, &q, BLK_T_IN, 0, 0);
	(void)req_run(r, &q);
	alive(r, "a read of no bytes");
	req_make(s, &q, BLK_T_OUT, 0, 0);
	(void)req_run(r, &q);
	alive(r, "a write of no bytes");
}

static void every_queue(struct suite *s)
{
	struct ring *r[4];
	uint32_t n = 0;

	negotiate(s, ALL_FEATURES, BLK_F_MQ);
	while (n < 4 && queue_max(s, n) != 0) {
		r[n] = add_ring(s, n, 16);
		n++;
	}
	driver_ok(s);
	if (s->offered & BLK_F_RO)
		skip(s, "the disk is read-only");
	for (uint32_t i = 0; i < n && !s->over; i++)
		put_sectors(r[i], 400 + i, 1, 50 + i);
	for (uint32_t i = 0; i < n && !s->over; i++)
		expect(s, sectors_are(r[n - 1u - i], 400 + i, 1, 50 + i),
		       "queue %u does not read what queue %u wrote", n - 1u - i,
		       i);
}

static void store_error(struct suite *s)
{
	static const uint32_t type[] = { BLK_T_IN, BLK_T_OUT, BLK_T_FLUSH };
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct req q;

	for (uint32_t i = 0; i < 3; i++) {
		event(s, DUT_EVENT_STORE_ERROR, 1);
		req_make(s, &q, type[i], 0, i < 2 ? SECTOR : 0);
		req_is(r, &q, BLK_S_IOERR, "the store failed");
		alive(r, "a failure of the store");
	}
}

const struct suite_test tests_block[] = {
	{ "block.write_then_read", "TEXT-READ TEXT-WRITE",
	  "what was written is read", SUITE_MUST, 0, 0,
	  SUITE_SPLIT | SUITE_PACKED | SUITE_WRITABLE, write_then_read },
	{ "block.neighbours", "TEXT-WRITE", "a write changes its sectors only",
	  SUITE_MUST, 0, 0, SUITE_SPLIT | SUITE_PACKED | SUITE_WRITABLE,
	  neighbours },
	{ "block.last_sector", "BLK-G012", "the last sector is there",
	  SUITE_MUST, 0, 0, SUITE_SPLIT | SUITE_PACKED, last_sector },
	{ "block.many_at_once", "TEXT-ORDER",
	  "writes at once reach their sectors", SUITE_MUST, 0, 0,
	  SUITE_SPLIT | SUITE_PACKED | SUITE_WRITABLE, many_at_once },
	{ "block.read_is_whole", "SPLITRING-D012 PACKEDRING-D004",
	  "a read that succeeds wrote all its data", SUITE_MUST, 0, 0,
	  SUITE_SPLIT | SUITE_PACKED, read_is_whole },
	{ "block.status_is_a_byte", "TEXT-STATUS",
	  "the status is one byte", SUITE_MUST, 0, 0,
	  SUITE_SPLIT | SUITE_PACKED, status_is_a_byte },
	{ "block.get_id", "TEXT-GET-ID", "the id is text, padded with 0",
	  SUITE_POLICY, 0, 0, SUITE_ANYBODY, get_id },
	{ "block.get_id_odd", "BLK-G018",
	  "GET_ID into another size harms nobody", SUITE_POLICY, 0, 0,
	  SUITE_ANYBODY, get_id_odd },
	{ "block.flush", "TEXT-FLUSH", "a flush succeeds", SUITE_MUST, 0,
	  BLK_F_FLUSH, SUITE_SPLIT | SUITE_PACKED, flush_works },
	{ "block.flush_odd", "BLK-G014 BLK-G015",
	  "a flush with a sector or with data harms nobody", SUITE_POLICY, 0,
	  BLK_F_FLUSH, SUITE_ANYBODY, flush_odd },
	{ "block.priority", "TEXT-RESERVED",
	  "the reserved word of a header is not looked at", SUITE_POLICY, 0,
	  0, SUITE_ANYBODY, priority },
	{ "block.no_bytes", "BLK-G016",
	  "a request of no bytes harms nobody", SUITE_POLICY, 0, 0,
	  SUITE_ANYBODY | SUITE_WRITABLE, no_bytes },
	{ "block.every_queue", "TEXT-QUEUES",
	  "all queues lead to the same disk", SUITE_MUST, 0, BLK_F_MQ,
	  SUITE_SPLIT | SUITE_PACKED, every_queue },
	{ "block.store_error", "TEXT-STATUS",
	  "an error of the store is IOERR, and the queue goes on",
	  SUITE_POLICY, DUT_STORE_ERROR, 0, SUITE_SPLIT | SUITE_WRITABLE,
	  store_error },
};
TESTS(tests_block);

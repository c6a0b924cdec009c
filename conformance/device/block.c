/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Block requests, 5.2.6, in the arrangement that every driver uses: header,
 * data, status, a descriptor each.
 */
#include <string.h>

#include "lib.h"
#include "lib_internal.h"

static bool device_writes(uint32_t type)
{
	return type == BLK_T_IN || type == BLK_T_GET_ID ||
	       type == BLK_T_GET_LIFETIME || type == BLK_T_ZONE_REPORT;
}

void req_make(struct suite *s, struct req *q, uint32_t type, uint64_t sector,
	      uint32_t bytes)
{
	memset(q, 0, sizeof(*q));
	q->type = type;
	q->sector = sector;
	q->bytes = bytes;
	q->in = device_writes(type);
	q->head = take(s, 16, 16);
	if (bytes)
		q->data = take(s, bytes, 16);
	q->status = take(s, 1, 1);
	if (s->over)
		return;
	put32(q->head.host, type);
	put32(q->head.host + 4, 0);
	put64(q->head.host + 8, sector);
}

uint32_t req_pieces(const struct req *q, struct piece *p)
{
	uint32_t n = 0;

	p[n++] = (struct piece){ q->head.addr, q->head.bytes, 0 };
	if (q->bytes)
		p[n++] = (struct piece){ q->data.addr, q->bytes,
					 q->in ? DESC_WRITE : 0 };
	p[n++] = (struct piece){ q->status.addr, 1, DESC_WRITE };
	return n;
}

static void describe(struct ring *r, const struct req *q)
{
	note(r->s, "queue %u: request type %u, sector %llu, %u bytes", r->queue,
	     q->type, q->sector + 0ull, q->bytes);
}

void req_add(struct ring *r, struct req *q)
{
	struct piece p[3];

	if (r->s->over)
		return;
	describe(r, q);
	if (q->status.host)
		*q->status.host = LIB_POISON;
	q->id = ring_add(r, p, req_pieces(q, p));
	if (!r->s->over)
		r->status[q->id] = q->status.host;
}

uint8_t req_end(struct ring *r, struct req *q)
{
	struct suite *s = r->s;

	ring_await(r, q->id, "a request");
	if (s->over)
		return 0;
	q->used = r->len[q->id];
	expect(s, *q->status.host != LIB_POISON,
	       "a request of type %u was used, but its status byte was not "
	       "written",
	       q->type);
	note(s, "status %u, length %u", *q->status.host, q->used);
	return *q->status.host;
}

uint8_t req_run(struct ring *r, struct req *q)
{
	req_add(r, q);
	ring_go(r);
	return req_end(r, q);
}

uint8_t req_run_pieces(struct ring *r, struct req *q, const struct piece *p,
		       uint32_t n)
{
	if (r->s->over)
		return 0;
	describe(r, q);
	*q->status.host = LIB_POISON;
	q->id = ring_add(r, p, n);
	if (!r->s->over)
		r->status[q->id] = q->status.host;
	ring_go(r);
	return req_end(r, q);
}

void req_is(struct ring *r, struct req *q, uint8_t want, const char *what)
{
	uint8_t got = req_run(r, q);

	expect(r->s, got == want, "%s: status %u was expected, %u came", what,
	       want, got);
}

void req_ok(struct ring *r, struct req *q)
{
	uint8_t got = req_run(r, q);

	expect(r->s, got == BLK_S_OK,
	       "a request of type %u at sector %llu, %u bytes: status 0 was "
	       "expected, %u came",
	       q->type, q->sector + 0ull, q->bytes, got);
}

void extent(struct req *q, uint32_t i, uint64_t sector, uint32_t sectors,
	    uint32_t flags)
{
	if (!q->data.host)
		return;
	put64(q->data.host + 16u * i, sector);
	put32(q->data.host + 16u * i + 8, sectors);
	put32(q->data.host + 16u * i + 12, flags);
}

/* --- what is on the disk -------------------------------------------------- */

/* The memory of helpers is given back: tests may call them often. */
struct mark {
	uint64_t taken;
	uint32_t parts;
};

static struct mark mark(struct suite *s)
{
	return (struct mark){ s->taken, s->parts };
}

static void give_back(struct suite *s, struct mark m)
{
	lib_check_guards(s);
	if (s->over)
		return;
	s->taken = m.taken;
	s->parts = m.parts;
}

void put_sectors(struct ring *r, uint64_t sector, uint32_t sectors,
		 uint32_t seed)
{
	struct mark m = mark(r->s);
	struct req q;

	req_make(r->s, &q, BLK_T_OUT, sector, SECTOR * sectors);
	if (r->s->over)
		return;
	fill(&q.data, seed);
	req_ok(r, &q);
	give_back(r->s, m);
}

static void read_back(struct ring *r, struct req *q, uint64_t sector,
		      uint32_t sectors)
{
	req_make(r->s, q, BLK_T_IN, sector, SECTOR * sectors);
	req_ok(r, q);
}

bool sectors_are(struct ring *r, uint64_t sector, uint32_t sectors,
		 uint32_t seed)
{
	struct mark m = mark(r->s);
	struct req q;
	bool same;

	read_back(r, &q, sector, sectors);
	if (r->s->over)
		return true;
	same = filled(&q.data, seed);
	give_back(r->s, m);
	return same;
}

bool sectors_zero(struct ring *r, uint64_t sector, uint32_t sectors)
{
	struct mark m = mark(r->s);
	struct req q;
	bool same;

	read_back(r, &q, sector, sectors);
	if (r->s->over)
		return true;
	same = span(&q.data, 0) == q.data.bytes;
	give_back(r->s, m);
	return same;
}

void alive(struct ring *r, const char *after)
{
	struct mark m = mark(r->s);
	struct req q;

	req_make(r->s, &q, BLK_T_IN, 0, SECTOR);
	req_is(r, &q, BLK_S_OK, after);
	give_back(r->s, m);
}

void not_served(struct ring *r, const char *what)
{
	struct suite *s = r->s;
	struct req q;

	ring_loud(r);
	req_make(s, &q, BLK_T_IN, 0, SECTOR);
	req_add(r, &q);
	ring_go(r);
	settle(s);
	expect(s, !ring_used(r) || s->over, "%s was served", what);
	expect(s, !irq_used(s, r->queue), "%s interrupts", what);
	expect(s, s->over || span(&q.data, LIB_POISON) == SECTOR,
	       "data was written");
}

void one_in_work(struct ring *r, struct req *q, uint64_t sector)
{
	event(r->s, DUT_EVENT_HOLD, 1);
	req_make(r->s, q, BLK_T_IN, sector, SECTOR);
	req_add(r, q);
	ring_go(r);
	settle(r->s);
}

void notify_as_asked(struct ring *r, uint32_t n)
{
	struct suite *s = r->s;
	uint32_t told = 0;

	for (uint32_t i = 0; i < n && !s->over; i++) {
		struct req q;

		req_make(s, &q, BLK_T_IN, i % 64, SECTOR);
		req_add(r, &q);
		ring_show(r);
		if (ring_wants(r)) {
			ring_notify(r);
			told++;
		}
		(void)req_end(r, &q);
		if (i % 16 == 0)
			settle(s);
	}
	note(s, "%u notifications for %u requests", told, n);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests whose memory is not there, and memory that changes under the device:
 * the last groups of spec/trust.md.
 */
#include "hostile.h"
#include "lib_internal.h"
#include "tests.h"

static bool bad_known(struct suite *s)
{
	if (!s->d->bad_bytes)
		skip(s, "no address is known to be without memory");
	return !s->over;
}

static void ends_with(struct ring *r, struct req *q, const struct piece *p,
		      uint32_t n, const char *what)
{
	struct suite *s = r->s;

	if (s->d->policy == DUT_POLICY_UNKNOWN) {
		q->id = ring_add(r, p, n);
		ring_go(r);
		settle(s);
		expect_sane(r, what);
		return;
	}
	expect(s, req_run_pieces(r, q, p, n) == BLK_S_IOERR,
	       "%s: IOERR was expected, status %u came", what,
	       s->over ? 0u : *q->status.host);
	alive(r, what);
}

static void data_nowhere(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);

	if (!bad_known(s))
		return;
	for (uint32_t i = 0; i < 3; i++) {
		struct piece p[4];
		struct req q;

		req_make(s, &q, i == 1 ? BLK_T_OUT : BLK_T_IN, 0, SECTOR);
		(void)req_pieces(&q, p);
		p[1].addr = s->d->bad_addr + 64u;
		if (i == 2) {   /* half of it is there */
			p[3] = p[2];
			p[2] = (struct piece){ q.data.addr, SECTOR,
					       DESC_WRITE };
		}
		ends_with(r, &q, p, i == 2 ? 4 : 3, "data where no memory is");
	}
}

static void header_nowhere(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct piece p[3];
	struct req q;

	if (!bad_known(s))
		return;
	req_make(s, &q, BLK_T_IN, 0, SECTOR);
	(void)req_pieces(&q, p);
	p[0].addr = s->d->bad_addr;
	ends_with(r, &q, p, 3, "a header where no memory is");
}

/* A buffer that begins in memory and ends outside. */
static void over_the_edge(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct dut_region *m = &s->d->region[s->d->regions - 1u];
	struct piece p[3];
	struct req q;

	if (s->d->regions < 2)
		skip(s, "the end of memory is not known");
	req_make(s, &q, BLK_T_IN, 0, SECTOR);
	(void)req_pieces(&q, p);
	p[1].addr = m->addr + m->bytes - 256u;
	ends_with(r, &q, p, 3, "data that runs over the end of memory");
}

static void huge(struct suite *s)
{
	static const uint32_t len[] = { 0x7ffffe00, 0xfffffe00, 0x80000000 };
	struct ring *r = start(s, ALL_FEATURES, 0);

	for (uint32_t i = 0; i < 3; i++) {
		struct piece p[3];
		struct req q;

		req_make(s, &q, BLK_T_IN, 0, SECTOR);
		(void)req_pieces(&q, p);
		p[1].len = len[i];
		ends_with(r, &q, p, 3, "gigabytes in one descriptor");
	}
}

/* Sums of lengths beyond 32 bits. */
static void huge_sum(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct piece p[6];
	struct req q;

	if (!bad_known(s))
		return;
	req_make(s, &q, BLK_T_IN, 0, SECTOR);
	p[0] = (struct piece){ q.head.addr, 16, 0 };
	for (uint32_t i = 1; i < 4; i++)
		p[i] = (struct piece){ q.data.addr, 0x80000000u, DESC_WRITE };
	p[4] = (struct piece){ q.status.addr, 1, DESC_WRITE };
	if (s->over)
		return;
	*q.status.host = LIB_POISON;
	q.id = ring_add(r, p, 5);
	r->room[q.id] = UINT32_MAX;     /* it is more than 32 bits can say */
	ring_go(r);
	if (s->d->policy != DUT_POLICY_UNKNOWN) {
		expect(s, req_end(r, &q) == BLK_S_IOERR,
		       "a sum beyond 2^32: status %u",
		       s->over ? 0u : *q.status.host);
		alive(r, "a sum beyond 2^32");
	}
	expect_sane(r, "a sum beyond 2^32");
}

/* What the device was shown counts, whatever stands there by now. */
static void changed_in_flight(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct req q;

	put_sectors(r, 3, 1, 60);
	one_in_work(r, &q, 3);
	if (s->over)
		return;
	for (uint32_t i = 0; i < 3; i++) {
		put64(r->desc.host + 16u * i, 0);
		put32(r->desc.host + 16u * i + 8, 0xffffffffu);
	}
	put32(q.head.host, 0xffffffffu);
	put64(q.head.host + 8, UINT64_MAX);
	event(s, DUT_EVENT_HOLD, 0);
	expect(s, req_end(r, &q) == BLK_S_OK,
	       "a request that changed while in flight ends with %u",
	       s->over ? 0u : *q.status.host);
	expect(s, s->over || filled(&q.data, 60),
	       "a request that changed while in flight read something else");
}

/* Two requests with one buffer: each ends, whatever is in it. */
static void shared_buffer(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct req a, b;
	struct piece p[3];

	req_make(s, &a, BLK_T_IN, 0, SECTOR);
	req_make(s, &b, BLK_T_IN, 1, SECTOR);
	if (s->over)
		return;
	if (r->free < 6)
		skip(s, "the ring is too small");
	req_add(r, &a);
	(void)req_pieces(&b, p);
	p[1].addr = a.data.addr;
	*b.status.host = LIB_POISON;
	b.id = ring_add(r, p, 3);
	ring_go(r);
	expect(s, req_end(r, &a) == BLK_S_OK, "the first fails");
	expect(s, req_end(r, &b) == BLK_S_OK, "the second fails");
}

/* Data and rings in one place: the driver spoils its own ring, no more. */
static void read_onto_the_ring(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct piece p[3];
	struct req q;

	req_make(s, &q, BLK_T_IN, 0, SECTOR);
	(void)req_pieces(&q, p);
	p[1].addr = r->desc.addr;
	if (s->over || r->desc.bytes < SECTOR) {
		skip(s, "the ring is smaller than a sector");
		return;
	}
	q.id = ring_add(r, p, 3);
	ring_go(r);
	settle(s);
	expect_sane(r, "a read onto the descriptor table");
}

#define BOTH (SUITE_SPLIT | SUITE_PACKED | SUITE_ANYBODY)

const struct suite_test tests_hostile_request[] = {
	{ "hostile.data_nowhere", "POL-DATA-MEM", "data where no memory is",
	  SUITE_POLICY, 0, 0, BOTH | SUITE_WRITABLE, data_nowhere },
	{ "hostile.header_nowhere", "POL-REQ-HEADERMEM",
	  "a header where no memory is", SUITE_POLICY, 0, 0, BOTH,
	  header_nowhere },
	{ "hostile.over_the_edge", "POL-DATA-MEM",
	  "data that runs over the end of memory", SUITE_POLICY, 0, 0, BOTH,
	  over_the_edge },
	{ "hostile.huge", "POL-DATA-MEM SPLITRING-G002",
	  "gigabytes in one descriptor", SUITE_POLICY, 0, 0, BOTH, huge },
	{ "hostile.huge_sum", "POL-DATA-MEM SPLITRING-G002",
	  "lengths whose sum is beyond 2^32", SUITE_POLICY, 0, 0, BOTH,
	  huge_sum },
	{ "hostile.changed_in_flight", "POL-CHANGE-LATER GENERALINIT-G016 "
	  "GENERALINIT-G017",
	  "what was read counts, not what stands there now", SUITE_POLICY,
	  DUT_HOLD, 0, SUITE_SPLIT | SUITE_PACKED | SUITE_WRITABLE,
	  changed_in_flight },
	{ "hostile.shared_buffer", "POL-CHANGE-LATER",
	  "two requests with one buffer", SUITE_POLICY, 0, 0, BOTH,
	  shared_buffer },
	{ "hostile.read_onto_the_ring", "POL-CHANGE-LATER GENERALINIT-G016",
	  "a read onto the ring's own memory", SUITE_POLICY, 0, 0, BOTH,
	  read_onto_the_ring },
};
TESTS(tests_hostile_request);

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests that a device has to refuse: 5.2.6.2, and the rows "the request" of
 * spec/trust.md.
 */
#include "lib.h"
#include "tests.h"

static void refused(struct ring *r, uint32_t type, uint32_t bytes, bool in,
		    uint8_t want, const char *what)
{
	struct suite *s = r->s;
	struct req q;
	uint8_t got;

	req_make(s, &q, type, 0, bytes);
	if (s->over)
		return;
	q.in = in;
	if (in)
		fill(&q.data, 8);
	got = req_run(r, &q);
	expect(s, got == want, "%s (type %u): status %u was expected, %u came",
	       what, type, want, got);
}

static void read_only_write(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, BLK_F_RO);
	struct req before, q, after;

	req_make(s, &before, BLK_T_IN, 3, SECTOR);
	req_ok(r, &before);
	req_make(s, &q, BLK_T_OUT, 3, SECTOR);
	if (s->over)
		return;
	fill(&q.data, 1);
	req_is(r, &q, BLK_S_IOERR, "a write to a read-only disk");
	req_make(s, &after, BLK_T_IN, 3, SECTOR);
	req_ok(r, &after);
	for (uint32_t i = 0; i < SECTOR && !s->over; i++)
		expect(s, before.data.host[i] == after.data.host[i],
		       "a write that was refused changed byte %u", i);
}

/* The offer alone counts, whatever the driver accepted. */
static void read_only_not_accepted(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES & ~BLK_F_RO, 0);

	if (!(s->offered & BLK_F_RO))
		skip(s, "RO is not offered");
	refused(r, BLK_T_OUT, SECTOR, false, BLK_S_IOERR,
		"a write to a read-only disk, RO not accepted");
}

static void read_only_extents(struct suite *s)
{
	static const uint32_t type[] = { BLK_T_DISCARD, BLK_T_WRITE_ZEROES,
					 BLK_T_SECURE_ERASE };
	struct ring *r = start(s, ALL_FEATURES, BLK_F_RO);

	for (uint32_t i = 0; i < 3; i++) {
		struct req q;

		req_make(s, &q, type[i], 0, 16);
		extent(&q, 0, 0, 8, 0);
		expect(s, req_run(r, &q) != BLK_S_OK || s->over,
		       "type %u succeeds on a read-only disk", type[i]);
	}
	alive(r, "extents for a read-only disk");
}

static void zone_commands(struct suite *s)
{
	static const uint32_t type[] = { BLK_T_ZONE_REPORT,   BLK_T_ZONE_OPEN,
					 BLK_T_ZONE_CLOSE,    BLK_T_ZONE_FINISH,
					 BLK_T_ZONE_APPEND,   BLK_T_ZONE_RESET,
					 BLK_T_ZONE_RESET_ALL };
	struct ring *r = start(s, ALL_FEATURES, 0);

	if (s->offered & BLK_F_ZONED)
		skip(s, "ZONED is offered");
	for (uint32_t i = 0; i < 7; i++) {
		refused(r, type[i],
			type[i] == BLK_T_ZONE_REPORT ||
					type[i] == BLK_T_ZONE_APPEND
				? SECTOR
				: 0,
			type[i] == BLK_T_ZONE_REPORT, BLK_S_UNSUPP,
			"a zone command without ZONED");
		alive(r, "a zone command without ZONED");
	}
}

static void lifetime(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct req q;

	if (s->offered & BLK_F_LIFETIME)
		skip(s, "LIFETIME is offered");
	req_make(s, &q, BLK_T_GET_LIFETIME, 0, 8);
	expect(s, req_run(r, &q) == BLK_S_UNSUPP,
	       "GET_LIFETIME without LIFETIME: status %u",
	       s->over ? 0u : *q.status.host);
	expect(s, s->over || span(&q.data, LIB_POISON) == 8,
	       "GET_LIFETIME that was refused wrote something");
}

static void unknown_types(struct suite *s)
{
	/* of legacy devices, of nobody, and with a bit of legacy barriers */
	static const uint32_t type[] = {
		2,   3,	     5,	 6,  7,	     9,		 12,	    17,
		100, 0x8000, 30, 99, 0x1000, 0x80000000, UINT32_MAX
	};
	struct ring *r = start(s, ALL_FEATURES, 0);

	for (uint32_t i = 0; i < 15; i++)
		refused(r, type[i], SECTOR, false, BLK_S_UNSUPP,
			"a type that does not exist");
	alive(r, "types that do not exist");
}

static void not_negotiated(struct suite *s)
{
	static const uint32_t type[] = { BLK_T_DISCARD, BLK_T_WRITE_ZEROES,
					 BLK_T_SECURE_ERASE };
	struct ring *r = start(s, BLK_F_FLUSH, 0);

	for (uint32_t i = 0; i < 3; i++) {
		struct req q;

		put_sectors(r, 0, 8, 4);
		req_make(s, &q, type[i], 0, 16);
		extent(&q, 0, 0, 8, 0);
		req_is(r, &q, BLK_S_UNSUPP,
		       "a command whose feature was not negotiated");
		expect(s, sectors_are(r, 0, 8, 4),
		       "type %u was not negotiated, and changed the disk",
		       type[i]);
	}
}

static void beyond(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	uint64_t end = capacity(s);
	const uint64_t at[] = { end,
				end - 1u,
				UINT64_MAX,
				UINT64_MAX - 1u,
				UINT64_MAX / 512u,
				UINT64_C(1) << 55 };

	for (uint32_t i = 0; i < 12; i++) {
		struct req q;

		req_make(s, &q, i < 6 ? BLK_T_IN : BLK_T_OUT, at[i % 6],
			 2 * SECTOR);
		if ((s->offered & BLK_F_RO) && i >= 6)
			break;
		req_is(r, &q, BLK_S_IOERR, "a request beyond the disk");
	}
	alive(r, "requests beyond the disk");
}

static void beyond_is_untouched(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	uint64_t last = capacity(s) - 1u;
	struct req q;

	put_sectors(r, last, 1, 17);
	req_make(s, &q, BLK_T_OUT, last, 2 * SECTOR);
	if (s->over)
		return;
	fill(&q.data, 18);
	req_is(r, &q, BLK_S_IOERR, "a write that runs over the end");
	expect(s, sectors_are(r, last, 1, 17),
	       "a write that was refused changed the last sector");
}

static void odd_length(struct suite *s)
{
	static const uint32_t bytes[] = { 1, 511, 513, 1000 };
	struct ring *r = start(s, ALL_FEATURES, 0);
	uint32_t types = s->offered & BLK_F_RO ? 1 : 2;

	for (uint32_t i = 0; i < 4u * types; i++)
		refused(r, i < 4 ? BLK_T_IN : BLK_T_OUT, bytes[i % 4], i < 4,
			BLK_S_IOERR, "data that is not whole sectors");
	alive(r, "data that is not whole sectors");
}

static void wrong_direction(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct piece p[3];
	struct req q;

	req_make(s, &q, BLK_T_IN, 0, SECTOR);   /* with data to be read */
	if (s->over)
		return;
	fill(&q.data, 21);
	p[0] = (struct piece){ q.head.addr, 16, 0 };
	p[1] = (struct piece){ q.data.addr, SECTOR, 0 };
	p[2] = (struct piece){ q.status.addr, 1, DESC_WRITE };
	(void)req_run_pieces(r, &q, p, 3);
	expect(s, s->over || filled(&q.data, 21),
	       "a read wrote to a buffer that is device-readable");
	req_make(s, &q, BLK_T_OUT, 0, SECTOR);
	p[0].addr = q.head.addr;
	p[1] = (struct piece){ q.data.addr, SECTOR, DESC_WRITE };
	p[2].addr = q.status.addr;
	if (s->over)
		return;
	fill(&q.data, 22);
	(void)req_run_pieces(r, &q, p, 3);
	alive(r, "data in the wrong direction");
}

/* The same with the statuses that are our policy. */
static void wrong_direction_ours(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct piece p[3];
	struct req q;

	req_make(s, &q, BLK_T_IN, 0, SECTOR);
	p[0] = (struct piece){ q.head.addr, 16, 0 };
	p[1] = (struct piece){ q.data.addr, SECTOR, 0 };
	p[2] = (struct piece){ q.status.addr, 1, DESC_WRITE };
	expect(s, req_run_pieces(r, &q, p, 3) == BLK_S_IOERR,
	       "a read with readable data: status %u",
	       s->over ? 0u : *q.status.host);
	req_make(s, &q, BLK_T_GET_ID, 0, BLK_ID_BYTES);
	p[0].addr = q.head.addr;
	p[1] = (struct piece){ q.data.addr, BLK_ID_BYTES, 0 };
	p[2].addr = q.status.addr;
	expect(s, req_run_pieces(r, &q, p, 3) == BLK_S_IOERR,
	       "GET_ID with readable data: status %u",
	       s->over ? 0u : *q.status.host);
}

static void short_header(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct piece p[2];
	struct req q;

	for (uint32_t bytes = 1; bytes < 16; bytes += 7) {
		req_make(s, &q, BLK_T_IN, 0, 0);
		p[0] = (struct piece){ q.head.addr, bytes, 0 };
		p[1] = (struct piece){ q.status.addr, 1, DESC_WRITE };
		expect(s, req_run_pieces(r, &q, p, 2) == BLK_S_IOERR,
		       "a header of %u bytes: status %u", bytes,
		       s->over ? 0u : *q.status.host);
	}
	alive(r, "short headers");
}

static void too_many_segments(struct suite *s)
{
	struct ring *r;
	struct piece p[LIB_RING_MAX];
	struct req q;
	uint32_t n;

	negotiate(s, ALL_FEATURES, BLK_F_SEG_MAX);
	n = config32(s, 12) + 1u;
	r = add_ring(s, 0, LIB_RING_MAX);
	driver_ok(s);
	if (n + 2u > r->size) {
		skip(s, "a ring of %u is too small for %u segments", r->size,
		     n);
		return;
	}
	req_make(s, &q, BLK_T_IN, 0, n * SECTOR);
	if (s->over)
		return;
	p[0] = (struct piece){ q.head.addr, 16, 0 };
	for (uint32_t i = 0; i < n; i++)
		p[i + 1] = (struct piece){ q.data.addr + (n - 1u - i) * SECTOR,
					   SECTOR, DESC_WRITE };
	p[n + 1] = (struct piece){ q.status.addr, 1, DESC_WRITE };
	/* a device may be able to do more than it promises */
	expect(s, req_run_pieces(r, &q, p, n + 2u) <= BLK_S_IOERR,
	       "%u segments, one more than seg_max: status %u", n,
	       s->over ? 0u : *q.status.host);
	alive(r, "more segments than seg_max");
}

#define BOTH (SUITE_SPLIT | SUITE_PACKED)

const struct suite_test tests_refuse[] = {
	{ "refuse.read_only", "BLK-D020 BLK-G013",
	  "a write to a read-only disk is IOERR and writes nothing",
	  SUITE_MUST, 0, BLK_F_RO, BOTH, read_only_write },
	{ "refuse.read_only_not_accepted", "BLK-D020",
	  "the same if the driver did not accept RO", SUITE_MUST, 0, BLK_F_RO,
	  BOTH, read_only_not_accepted },
	{ "refuse.read_only_extents", "BLK-D020 POL-REQ-RO",
	  "discard and write zeroes too", SUITE_POLICY, 0, BLK_F_RO,
	  BOTH | SUITE_ANYBODY, read_only_extents },
	{ "refuse.zone_commands", "BLK-D033",
	  "zone commands without ZONED are UNSUPP", SUITE_MUST, 0, 0, BOTH,
	  zone_commands },
	{ "refuse.lifetime", "BLK-D032",
	  "GET_LIFETIME without LIFETIME is UNSUPP", SUITE_MUST, 0, 0, BOTH,
	  lifetime },
	{ "refuse.unknown_types", "POL-REQ-TYPE",
	  "a type that does not exist is UNSUPP", SUITE_POLICY, 0, 0,
	  BOTH | SUITE_ANYBODY, unknown_types },
	{ "refuse.not_negotiated", "POL-REQ-NOTNEG",
	  "a command whose feature was not negotiated is UNSUPP",
	  SUITE_POLICY, 0, 0, BOTH | SUITE_WRITABLE, not_negotiated },
	{ "refuse.beyond", "BLK-G012 POL-REQ-RANGE",
	  "a request beyond the disk is IOERR", SUITE_POLICY, 0, 0,
	  BOTH | SUITE_ANYBODY, beyond },
	{ "refuse.beyond_is_untouched", "BLK-G012 POL-REQ-RANGE",
	  "a write that runs over the end writes nothing", SUITE_POLICY, 0, 0,
	  BOTH | SUITE_ANYBODY | SUITE_WRITABLE, beyond_is_untouched },
	{ "refuse.odd_length", "BLK-G016 POL-REQ-LENGTH",
	  "data that is not whole sectors is IOERR", SUITE_POLICY, 0, 0,
	  BOTH | SUITE_ANYBODY, odd_length },
	{ "refuse.wrong_direction", "SPLITRING-D001 PACKEDRING-D004 "
	  "POL-REQ-DIRECTION",
	  "data in the wrong direction stays as it is", SUITE_MUST, 0, 0,
	  BOTH | SUITE_WRITABLE, wrong_direction },
	{ "refuse.wrong_direction_ours", "POL-REQ-DIRECTION "
	  "POL-REQ-IDREADABLE",
	  "data in the wrong direction is IOERR", SUITE_POLICY, 0, 0, BOTH,
	  wrong_direction_ours },
	{ "refuse.short_header", "POL-REQ-SHORT",
	  "a header of fewer than 16 bytes is IOERR", SUITE_POLICY, 0, 0,
	  BOTH, short_header },
	{ "refuse.too_many_segments", "POL-REQ-SEGS",
	  "more segments than seg_max end well or as IOERR", SUITE_POLICY, 0,
	  BLK_F_SEG_MAX, BOTH, too_many_segments },
};
TESTS(tests_refuse);

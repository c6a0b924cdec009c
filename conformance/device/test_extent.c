/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Discard, write zeroes, secure erase: 5.2.6.1, 5.2.6.2.
 */
#include "lib.h"
#include "tests.h"

static uint8_t run_extent(struct ring *r, uint32_t type, uint64_t sector,
			  uint32_t sectors, uint32_t flags)
{
	struct req q;

	req_make(r->s, &q, type, 0, 16);
	extent(&q, 0, sector, sectors, flags);
	return req_run(r, &q);
}

static void unknown_flags(struct suite *s, uint32_t type, uint64_t feature,
			  uint32_t known)
{
	struct ring *r = start(s, ALL_FEATURES, feature);

	for (uint32_t bit = 0; bit < 32; bit++) {
		uint32_t flag = UINT32_C(1) << bit;
		uint8_t got;

		if (flag & known)
			continue;
		got = run_extent(r, type, 0, 8, flag);
		expect(s, got == BLK_S_UNSUPP,
		       "type %u with flags %x: UNSUPP was expected, status %u "
		       "came",
		       type, flag, got);
	}
	/* an unknown flag beside a known one */
	if (known) {
		uint8_t got = run_extent(r, type, 0, 8, known | 4u);

		expect(s, got == BLK_S_UNSUPP,
		       "type %u with flags %x: UNSUPP was expected, status %u "
		       "came",
		       type, known | 4u, got);
	}
}

static void discard_flags(struct suite *s)
{
	unknown_flags(s, BLK_T_DISCARD, BLK_F_DISCARD, BLK_EXTENT_UNMAP);
}

static void zeroes_flags(struct suite *s)
{
	unknown_flags(s, BLK_T_WRITE_ZEROES, BLK_F_WRITE_ZEROES,
		      BLK_EXTENT_UNMAP);
}

static void erase_flags(struct suite *s)
{
	unknown_flags(s, BLK_T_SECURE_ERASE, BLK_F_SECURE_ERASE,
		      BLK_EXTENT_UNMAP);
}

static void discard_unmap(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, BLK_F_DISCARD);
	uint8_t got;

	put_sectors(r, 64, 8, 5);
	got = run_extent(r, BLK_T_DISCARD, 64, 8, BLK_EXTENT_UNMAP);
	expect(s, got == BLK_S_UNSUPP,
	       "a discard with the unmap flag: UNSUPP was expected, status %u "
	       "came",
	       got);
	expect(s, sectors_are(r, 64, 8, 5),
	       "a discard that was refused changed its sectors");
}

/* A range of 8 sectors between two that must stay. */
static void between(struct ring *r, uint32_t type, uint32_t flags,
		    const char *what)
{
	struct suite *s = r->s;
	uint8_t got;

	put_sectors(r, 120, 24, 70);
	got = run_extent(r, type, 128, 8, flags);
	expect(s, got == BLK_S_OK, "%s: status %u", what, got);
	expect(s, sectors_are(r, 120, 8, 70),
	       "%s changed the sectors before its own", what);
}

/* The pattern of sectors depends on where a write began. */
static void after_it(struct ring *r, uint32_t type, uint32_t flags,
		     const char *what)
{
	struct suite *s = r->s;
	uint8_t got;

	put_sectors(r, 136, 8, 71);
	got = run_extent(r, type, 128, 8, flags);
	expect(s, got == BLK_S_OK, "%s: status %u", what, got);
	expect(s, sectors_are(r, 136, 8, 71),
	       "%s changed the sectors behind its own", what);
}

static void discard_works(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, BLK_F_DISCARD);

	between(r, BLK_T_DISCARD, 0, "a discard");
	after_it(r, BLK_T_DISCARD, 0, "a discard");
	put_sectors(r, 128, 8, 72);
	expect(s, sectors_are(r, 128, 8, 72),
	       "what was written after a discard is not there");
}

static void zeroes_work(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, BLK_F_WRITE_ZEROES);

	between(r, BLK_T_WRITE_ZEROES, 0, "write zeroes");
	expect(s, sectors_zero(r, 128, 8),
	       "sectors are not 0 after write zeroes");
	after_it(r, BLK_T_WRITE_ZEROES, 0, "write zeroes");
}

static void zeroes_unmap(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, BLK_F_WRITE_ZEROES);

	between(r, BLK_T_WRITE_ZEROES, BLK_EXTENT_UNMAP,
		"write zeroes with unmap");
	expect(s, sectors_zero(r, 128, 8),
	       "sectors are not 0 after write zeroes with unmap");
	after_it(r, BLK_T_WRITE_ZEROES, BLK_EXTENT_UNMAP,
		 "write zeroes with unmap");
}

static void erase_works(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, BLK_F_SECURE_ERASE);
	uint32_t align = config32(s, 68);

	if (align > 8)
		skip(s, "erases %u sectors at a time", align);
	between(r, BLK_T_SECURE_ERASE, 0, "a secure erase");
	expect(s, !sectors_are(r, 128, 8, 70) || s->over,
	       "what was erased can still be read");
	after_it(r, BLK_T_SECURE_ERASE, 0, "a secure erase");
}

static void all_of(struct suite *s, void (*one)(struct ring *r, uint32_t type))
{
	struct ring *r = start(s, ALL_FEATURES, 0);

	if (s->features & BLK_F_DISCARD)
		one(r, BLK_T_DISCARD);
	if (s->features & BLK_F_WRITE_ZEROES)
		one(r, BLK_T_WRITE_ZEROES);
	if (s->features & BLK_F_SECURE_ERASE)
		one(r, BLK_T_SECURE_ERASE);
	if (!s->over && !(s->features & (BLK_F_DISCARD | BLK_F_WRITE_ZEROES |
					 BLK_F_SECURE_ERASE)))
		skip(s, "neither discard nor write zeroes is offered");
}

static uint32_t limit_at(uint32_t type)
{
	return type == BLK_T_DISCARD	    ? 36
	       : type == BLK_T_WRITE_ZEROES ? 48
					    : 60;
}

static void beyond_one(struct ring *r, uint32_t type)
{
	struct suite *s = r->s;
	uint64_t end = capacity(s);
	const uint64_t at[] = { end, end - 4u, UINT64_MAX - 7u, UINT64_MAX };

	for (uint32_t i = 0; i < 4; i++) {
		uint8_t got = run_extent(r, type, at[i], 8, 0);

		expect(s, got == BLK_S_IOERR,
		       "type %u, 8 sectors at %llu of a disk of %llu: IOERR "
		       "was expected, status %u came",
		       type, at[i] + 0ull, end + 0ull, got);
	}
	alive(r, "extents beyond the disk");
}

static void beyond(struct suite *s)
{
	all_of(s, beyond_one);
}

static void too_large_one(struct ring *r, uint32_t type)
{
	struct suite *s = r->s;
	uint32_t max = config32(s, limit_at(type));
	uint8_t got;

	if (max == UINT32_MAX || max >= capacity(s))
		return;         /* then it is beyond the disk */
	got = run_extent(r, type, 0, max + 1u, 0);
	expect(s, got == BLK_S_IOERR,
	       "type %u, %u sectors, one more than the limit: IOERR was "
	       "expected, status %u came",
	       type, max + 1u, got);
	got = run_extent(r, type, 0, max, 0);
	expect(s, got == BLK_S_OK,
	       "type %u, %u sectors, which is the limit: status %u", type, max,
	       got);
}

static void too_large(struct suite *s)
{
	all_of(s, too_large_one);
}

static void no_sectors_one(struct ring *r, uint32_t type)
{
	uint8_t got = run_extent(r, type, 8, 0, 0);

	note(r->s, "an extent of no sectors ends with %u", got);
	alive(r, "an extent of no sectors");
}

static void no_sectors(struct suite *s)
{
	all_of(s, no_sectors_one);
}

static void odd_length_one(struct ring *r, uint32_t type)
{
	static const uint32_t bytes[] = { 0, 1, 15, 17, 24 };
	struct suite *s = r->s;
	struct req q;

	for (uint32_t i = 0; i < 5; i++) {
		uint8_t got;

		req_make(s, &q, type, 0, bytes[i]);
		if (bytes[i] >= 16)
			extent(&q, 0, 8, 8, 0);
		got = req_run(r, &q);
		expect(s, got != BLK_S_OK || s->over || bytes[i] == 0,
		       "type %u with %u bytes of extents succeeds", type,
		       bytes[i]);
	}
	alive(r, "extents that are not whole");
}

static void odd_length(struct suite *s)
{
	all_of(s, odd_length_one);
}

static void too_many_one(struct ring *r, uint32_t type)
{
	struct suite *s = r->s;
	uint32_t max = config32(s, limit_at(type) + 4u);
	struct req q;

	if (max > 64)
		return;
	req_make(s, &q, type, 0, 16u * (max + 1u));
	for (uint32_t i = 0; i <= max; i++)
		extent(&q, i, 8u * i, 8, 0);
	expect(s, req_run(r, &q) != BLK_S_OK || s->over,
	       "type %u with %u extents succeeds; the limit is %u", type,
	       max + 1u, max);
	alive(r, "more extents than the limit");
	req_make(s, &q, type, 0, 16u * max);
	for (uint32_t i = 0; i < max; i++)
		extent(&q, i, 8u * i, 8, 0);
	req_is(r, &q, BLK_S_OK, "as many extents as the limit");
}

static void too_many(struct suite *s)
{
	all_of(s, too_many_one);
}

static void in_pieces_one(struct ring *r, uint32_t type)
{
	struct suite *s = r->s;
	struct piece p[7];
	struct req q;

	req_make(s, &q, type, 0, 16);
	extent(&q, 0, 16, 8, 0);
	if (s->over)
		return;
	p[0] = (struct piece){ q.head.addr, 16, 0 };
	p[1] = (struct piece){ q.data.addr, 5, 0 };
	p[2] = (struct piece){ q.data.addr + 5, 6, 0 };
	p[3] = (struct piece){ q.data.addr + 11, 5, 0 };
	p[4] = (struct piece){ q.status.addr, 1, DESC_WRITE };
	expect(s, req_run_pieces(r, &q, p, 5) == BLK_S_OK,
	       "type %u with its extent in three pieces: status %u", type,
	       s->over ? 0u : *q.status.host);
}

static void in_pieces(struct suite *s)
{
	all_of(s, in_pieces_one);
}

#define BOTH (SUITE_SPLIT | SUITE_PACKED | SUITE_WRITABLE)

const struct suite_test tests_extent[] = {
	{ "extent.discard_flags", "BLK-D021",
	  "a discard with an unknown flag is UNSUPP", SUITE_MUST, 0,
	  BLK_F_DISCARD, BOTH, discard_flags },
	{ "extent.zeroes_flags", "BLK-D021",
	  "write zeroes with an unknown flag is UNSUPP", SUITE_MUST, 0,
	  BLK_F_WRITE_ZEROES, BOTH, zeroes_flags },
	{ "extent.erase_flags", "BLK-D021",
	  "a secure erase with an unknown flag is UNSUPP", SUITE_MUST, 0,
	  BLK_F_SECURE_ERASE, BOTH, erase_flags },
	{ "extent.discard_unmap", "BLK-D022 BLK-G024",
	  "a discard with the unmap flag is UNSUPP", SUITE_MUST, 0,
	  BLK_F_DISCARD, BOTH, discard_unmap },
	{ "extent.discard", "BLK-D023 BLK-G025",
	  "a discard touches its sectors only", SUITE_MUST, 0, BLK_F_DISCARD,
	  BOTH, discard_works },
	{ "extent.zeroes", "BLK-D025", "sectors read 0 after write zeroes",
	  SUITE_MUST, 0, BLK_F_WRITE_ZEROES, BOTH, zeroes_work },
	{ "extent.zeroes_unmap", "BLK-D024 BLK-D025",
	  "sectors read 0 after write zeroes with unmap", SUITE_MUST, 0,
	  BLK_F_WRITE_ZEROES, BOTH, zeroes_unmap },
	{ "extent.erase", "TEXT-SECURE-ERASE",
	  "what was erased cannot be read, the rest can", SUITE_MUST, 0,
	  BLK_F_SECURE_ERASE, BOTH, erase_works },
	{ "extent.beyond", "BLK-G012 POL-EXT-RANGE",
	  "an extent beyond the disk is IOERR", SUITE_POLICY, 0, 0,
	  SUITE_WRITABLE | SUITE_ANYBODY, beyond },
	{ "extent.too_large", "POL-EXT-RANGE",
	  "an extent above its limit is IOERR", SUITE_POLICY, 0, 0,
	  SUITE_WRITABLE, too_large },
	{ "extent.no_sectors", "POL-EXT-RANGE",
	  "an extent of no sectors harms nobody", SUITE_POLICY, 0, 0,
	  SUITE_WRITABLE | SUITE_ANYBODY, no_sectors },
	{ "extent.odd_length", "BLK-G017 POL-REQ-EXTENTLEN",
	  "extents that are not whole are refused", SUITE_POLICY, 0, 0,
	  SUITE_WRITABLE | SUITE_ANYBODY, odd_length },
	{ "extent.too_many", "BLK-G019 BLK-G020 BLK-G021 POL-REQ-EXTENTLEN",
	  "more extents than the limit are refused, as many are not",
	  SUITE_POLICY, 0, 0, SUITE_WRITABLE | SUITE_ANYBODY, too_many },
	{ "extent.in_pieces", "MESSAGEFRAMING-D001",
	  "an extent in three descriptors", SUITE_MUST, 0, 0, BOTH,
	  in_pieces },
};
TESTS(tests_extent);

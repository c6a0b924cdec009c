/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What survives a power cut: 5.2.5.2, 5.2.6.2. A write is stable once it is
 * complete without a volatile cache, or once a flush after it is.
 */
#include "lib.h"
#include "tests.h"

#define AT 600u

static void cut_and_check(struct suite *s, uint64_t features, bool stable,
			  const char *what)
{
	struct ring *r;

	event(s, DUT_EVENT_CUT, 0);
	forget_irqs(s);
	s->rings = 0;
	r = start(s, features, 0);
	if (stable)
		expect(s, sectors_are(r, AT, 4, 31),
		       "%s, and the power was cut: the write is lost", what);
}

static void zero_first(struct ring *r)
{
	struct req q;

	put_sectors(r, AT, 4, 30);
	req_make(r->s, &q, BLK_T_FLUSH, 0, 0);
	(void)req_run(r, &q);
}

static void flushed(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, BLK_F_FLUSH);
	struct req q;

	zero_first(r);
	put_sectors(r, AT, 4, 31);
	req_make(s, &q, BLK_T_FLUSH, 0, 0);
	req_ok(r, &q);
	cut_and_check(s, ALL_FEATURES, true, "a write and a flush completed");
}

static void no_flush_negotiated(struct suite *s)
{
	struct ring *r = start(
		s, ALL_FEATURES & ~(BLK_F_FLUSH | BLK_F_CONFIG_WCE), 0);

	put_sectors(r, AT, 4, 30);
	put_sectors(r, AT, 4, 31);
	cut_and_check(s, ALL_FEATURES, true, "without FLUSH a write completed");
}

static void write_through(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, BLK_F_FLUSH | BLK_F_CONFIG_WCE);
	uint8_t off = 0;

	zero_first(r);
	set_config(s, 32, &off, 1);
	put_sectors(r, AT, 4, 31);
	cut_and_check(s, ALL_FEATURES, true,
		      "writeback was set to 0 and a write completed");
}

static void write_through_from_start(struct suite *s)
{
	struct ring *r = start(s, BLK_F_CONFIG_WCE, BLK_F_CONFIG_WCE);

	put_sectors(r, AT, 4, 30);
	put_sectors(r, AT, 4, 31);
	cut_and_check(s, ALL_FEATURES, true,
		      "CONFIG_WCE without FLUSH, and a write completed");
}

/* Not a demand: that the cut really loses something shows that the tests above
 * can fail at all. */
static void cut_can_lose(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES & ~BLK_F_CONFIG_WCE,
			       BLK_F_FLUSH);

	zero_first(r);
	put_sectors(r, AT, 4, 31);
	event(s, DUT_EVENT_CUT, 0);
	s->rings = 0;
	r = start(s, ALL_FEATURES, 0);
	note(s, "a write that was not flushed %s the cut",
	     sectors_are(r, AT, 4, 31) ? "survived" : "did not survive");
	alive(r, "a power cut");
}

static void flush_covers_queues(struct suite *s)
{
	struct ring *a, *b;
	struct req q;

	negotiate(s, ALL_FEATURES, BLK_F_FLUSH | BLK_F_MQ);
	a = add_ring(s, 0, 16);
	b = add_ring(s, 1, 16);
	driver_ok(s);
	zero_first(a);
	put_sectors(b, AT, 4, 31);
	req_make(s, &q, BLK_T_FLUSH, 0, 0);
	req_ok(a, &q);
	cut_and_check(s, ALL_FEATURES, true,
		      "a write of one queue and a flush of another completed");
}

const struct suite_test tests_cache[] = {
	{ "cache.flushed", "BLK-D028 BLK-G003",
	  "a write is stable once a flush after it completes", SUITE_MUST,
	  DUT_CUT, BLK_F_FLUSH, SUITE_SPLIT | SUITE_PACKED | SUITE_WRITABLE,
	  flushed },
	{ "cache.no_flush", "BLK-D028 BLK-G002",
	  "without FLUSH a write is stable once it completes", SUITE_MUST,
	  DUT_CUT, 0, SUITE_WRITABLE, no_flush_negotiated },
	{ "cache.write_through", "BLK-D028 BLK-G022 BLK-G023",
	  "with writeback 0 a write is stable once it completes", SUITE_MUST,
	  DUT_CUT, BLK_F_FLUSH | BLK_F_CONFIG_WCE, SUITE_WRITABLE,
	  write_through },
	{ "cache.write_through_from_start", "BLK-D028 BLK-D002",
	  "CONFIG_WCE without FLUSH starts write-through", SUITE_MUST, DUT_CUT,
	  BLK_F_CONFIG_WCE, SUITE_WRITABLE, write_through_from_start },
	{ "cache.cut_can_lose", "BLK-D029",
	  "a write that is not flushed may be lost, or not", SUITE_MAY,
	  DUT_CUT, BLK_F_FLUSH, SUITE_WRITABLE, cut_can_lose },
	{ "cache.flush_covers_queues", "BLK-D028",
	  "a flush counts for the writes of all queues", SUITE_MUST, DUT_CUT,
	  BLK_F_FLUSH | BLK_F_MQ, SUITE_WRITABLE, flush_covers_queues },
};
TESTS(tests_cache);

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Split rings that cannot be trusted: "the ring" of spec/trust.md.
 */
#include "hostile.h"
#include "lib_internal.h"
#include "tests.h"

/* Two queues if there are two, so that one can be seen to go on. */
static struct ring *start_two(struct suite *s)
{
	struct ring *r;

	negotiate(s, ALL_FEATURES, 0);
	r = add_ring(s, 0, 16);
	if ((s->features & BLK_F_MQ) && queue_max(s, 1) != 0)
		(void)add_ring(s, 1, 16);
	driver_ok(s);
	if (s->rings > 1)
		alive(&s->ring[1], "before");
	alive(r, "before");
	return r;
}

static void index_ahead(struct suite *s)
{
	struct ring *r = start_two(s);

	if (s->over)
		return;
	raw_avail_idx(r, r->next + r->size + 1u);
	ring_notify(r);
	expect_bad_ring(r, "an available index 1 more than the ring ahead");
}

static void index_far(struct suite *s)
{
	struct ring *r = start_two(s);

	raw_avail_idx(r, r->next + 0x8000u);
	ring_notify(r);
	expect_bad_ring(r, "an available index 32768 ahead");
}

static void index_back(struct suite *s)
{
	struct ring *r = start_two(s);

	raw_avail_idx(r, r->next - 1u);
	ring_notify(r);
	expect_bad_ring(r, "an available index that went back");
}

static void head(struct suite *s, uint32_t h, const char *what)
{
	struct ring *r = start_two(s);

	raw_avail(r, h == 0 ? r->size : h);
	ring_go(r);
	expect_bad_ring(r, what);
}

static void head_next(struct suite *s)
{
	head(s, 0, "a head that is the ring's size");
}

static void head_far(struct suite *s)
{
	head(s, 0xffff, "a head of 65535");
}

static void head_in_flight(struct suite *s)
{
	struct ring *r = start_two(s);
	struct req q;

	one_in_work(r, &q, 0);
	raw_avail(r, q.id);
	ring_go(r);
	settle(s);
	event(s, DUT_EVENT_HOLD, 0);
	expect(s, req_end(r, &q) == BLK_S_OK,
	       "the request in flight did not finish");
	expect_bad_ring(r, "a head that is in flight");
}

static void memory(struct suite *s, uint32_t area, uint64_t addr,
		   const char *what)
{
	struct ring *r;
	struct part *p[3], was;

	s->rings = 0;
	negotiate(s, ALL_FEATURES, 0);
	r = add_ring(s, 0, 16);
	if (s->over)
		return;
	p[0] = &r->desc;
	p[1] = &r->driver;
	p[2] = &r->device;
	was = *p[area];
	if (s->d->can & DUT_REGS) {     /* it is on; off again */
		set_reg(s, 0x030, 0);
		set_reg(s, 0x044, 0);
	}
	p[area]->addr = addr;
	ring_set(r);
	ring_enable(r);
	driver_ok(s);
	*p[area] = was;
	ring_notify(r);
	settle(s);
	expect_bad_ring(r, what);
}

static void no_memory(struct suite *s)
{
	static const char *const what[] = {
		"a descriptor table where no memory is",
		"an available ring where no memory is",
		"a used ring where no memory is"
	};

	if (!s->d->bad_bytes)
		skip(s, "no address is known to be without memory");
	for (uint32_t i = 0; i < 3 && !s->over; i++) {
		memory(s, i, s->d->bad_addr, what[i]);
		reset(s);
	}
}

static void beyond_64_bits(struct suite *s)
{
	for (uint32_t i = 0; i < 3 && !s->over; i++) {
		memory(s, i, ~UINT64_C(15), "a ring that ends beyond 2^64");
		reset(s);
	}
}

static void avail_flags(struct suite *s)
{
	struct ring *r = start_two(s);

	for (uint32_t f = 2; f < 0x10000; f = 2 * f + 1) {
		if (s->over)
			return;
		put16(r->driver.host, f);
		alive(r, "flags of the available ring that mean nothing");
	}
}

/* A ring of descriptors that lead nowhere, all made available. */
static void garbage(struct suite *s)
{
	struct ring *r = start_two(s);

	for (uint32_t seed = 1; seed < 12 && !s->over; seed++) {
		uint32_t v = seed * 2654435761u;

		for (uint32_t i = 0; i < 16u * r->size; i++) {
			v = v * 1664525u + 1013904223u;
			r->desc.host[i] = (uint8_t)(v >> 24);
		}
		/* no address of ours among them */
		for (uint32_t i = 0; i < r->size; i++)
			r->desc.host[16u * i + 6] |= 0x40;
		for (uint32_t i = 0; i < r->size; i++)
			raw_avail(r, i);
		ring_go(r);
		settle(s);
		expect_sane(r, "descriptors of random bytes");
	}
}

#define ONE SUITE_SPLIT

const struct suite_test tests_hostile_ring[] = {
	{ "hostile.index_ahead", "POL-RING-INDEX SPLITRING-G009",
	  "an available index 1 more than the ring ahead", SUITE_POLICY, 0, 0,
	  ONE | SUITE_ANYBODY, index_ahead },
	{ "hostile.index_far", "POL-RING-INDEX SPLITRING-G009",
	  "an available index far ahead", SUITE_POLICY, 0, 0,
	  ONE | SUITE_ANYBODY, index_far },
	{ "hostile.index_back", "POL-RING-INDEX SPLITRING-G009",
	  "an available index that goes back", SUITE_POLICY, 0, 0,
	  ONE | SUITE_ANYBODY, index_back },
	{ "hostile.head_next", "POL-RING-HEAD POL-RING-OTHER",
	  "a head that is the ring's size", SUITE_POLICY, 0, 0,
	  ONE | SUITE_ANYBODY, head_next },
	{ "hostile.head_far", "POL-RING-HEAD", "a head of 65535",
	  SUITE_POLICY, 0, 0, ONE | SUITE_ANYBODY, head_far },
	{ "hostile.head_in_flight", "POL-RING-INFLIGHT GENERALINIT-G016",
	  "a head that is in flight", SUITE_POLICY, DUT_HOLD, 0, ONE,
	  head_in_flight },
	{ "hostile.ring_no_memory", "POL-RING-MEM",
	  "rings where no memory is", SUITE_POLICY, DUT_REGS, 0, ONE,
	  no_memory },
	{ "hostile.ring_beyond_64_bits", "POL-RING-2-64",
	  "rings that end beyond 2^64", SUITE_POLICY, DUT_REGS, 0, ONE,
	  beyond_64_bits },
	{ "hostile.avail_flags", "SPLITRING-G010",
	  "flags of the available ring that mean nothing", SUITE_POLICY, 0, 0,
	  ONE | SUITE_ANYBODY, avail_flags },
	{ "hostile.garbage", "GENERALINIT-G016 SPLITRING-G002",
	  "descriptors of random bytes", SUITE_POLICY, 0, 0,
	  ONE | SUITE_ANYBODY, garbage },
};
TESTS(tests_hostile_ring);

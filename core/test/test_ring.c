/* SPDX-License-Identifier: BSD-2-Clause */
/* The split virtqueue, virtio 1.4, 2.7. */
#include "util.h"

#define SECTOR 512u

static struct vblk_config with(uint64_t features)
{
	struct vblk_config c = plain();

	c.features |= features;
	return c;
}

/* One flush there and back; checks the element. */
static void round_trip(void)
{
	struct op o = ask(0, VBLK_T_FLUSH, 0, 0);

	expect(poll_queue(0), 1);
	done(0, 0, VBLK_S_OK);
	(void)vblk_irq(rig.dev, 0);
	used_is(0, o.head, 1);
}

/* The queue has faulted for good. */
static void faulted(const char *section)
{
	expect(poll_queue(0), VBLK_EGUEST);
	expect(poll_queue(0), VBLK_EGUEST);
	expect(vblk_needs_reset(rig.dev), true);
	check_that(vblk_guest_fault(rig.dev) != NULL,
		   "expected section %s, came none", section);
	ck_assert_str_eq(vblk_guest_fault(rig.dev), section);
	used_none(0);
}

/* --- order and indices --------------------------------------------------- */

START_TEST(spec_2_7_13__requests_come_in_order_and_go_in_any)
{
	struct vblk_config c = plain();
	struct op o[5];
	vblk_tag tag[5];

	rig_start(&c);
	for (unsigned i = 0; i < 5; i++)
		o[i] = ask(0, VBLK_T_IN, i, SECTOR);
	expect(poll_queue(0), 5);
	for (unsigned i = 0; i < 5; i++) {
		expect(rig.req[i].sector, i);
		tag[i] = rig.req[i].tag;
	}
	for (unsigned k = 0; k < 5; k++) {
		unsigned i = (k * 3 + 1) % 5;

		expect(vblk_complete(rig.dev, 0, tag[i], VBLK_S_OK, 512),
		       VBLK_OK);
		(void)vblk_irq(rig.dev, 0);
		used_is(0, o[i].head, 513);
	}
	used_none(0);
}
END_TEST

START_TEST(spec_2_7_8__indices_wrap)
{
	struct vblk_config c = plain();
	struct vblk_queue_pos at = { 65000, 65000, false };
	struct vblk_queue_addr a;

	c.queue_size = 4;
	c.slots = 2;
	rig_open(&c);
	a = addr_of(0);
	rig.ring[0].avail_idx = rig.ring[0].used_idx = at.avail;
	put16(a.driver + 2, at.avail);
	put16(a.device + 2, at.used);
	expect(vblk_queue_start(rig.dev, 0, &a, &at, NULL), VBLK_OK);
	for (uint32_t i = 0; i < 2000; i++)
		round_trip();
	expect(get16(rig.ring[0].used + 2), (65000 + 2000) & 0xffff);
}
END_TEST

START_TEST(spec_2_7__sizes_from_1_to_32768)
{
	struct vblk_config c = plain();

	for (uint32_t size = 2; size <= 32768; size *= 4) {
		c.queue_size = (uint16_t)size;
		c.slots = 2;
		rig_open_bare(&c);
		rig.ring[0].avail = RAM + 0x80000;
		rig.ring[0].used = RAM + 0x92000;
		rig.next_buf = RAM + 0xe0000;
		(void)ram_new(RAM, RAM_LEN);
		give(RAM, RAM_LEN);
		start_queue(0);
		/* last entries first */
		rig.ring[0].next_desc = (uint16_t)(size - 2);
		for (unsigned i = 0; i < 6; i++)
			round_trip();
	}
	c.queue_size = 1;
	c.slots = 0;
	c.features |= VBLK_F_INDIRECT_DESC;
	rig_start(&c);
	for (unsigned i = 0; i < 5; i++) {
		struct buf b[] = { OUT(DATA, 16), IN(DATA + 64, 1) };
		uint16_t head = chain_indirect(0, DATA + 0x100, b, 2);

		put_header(DATA, VBLK_T_FLUSH, 0);
		offer(0, head);
		expect(poll_queue(0), 1);
		expect(poll_queue(0), 0);
		done(0, 0, VBLK_S_OK);
		(void)vblk_irq(rig.dev, 0);
		used_is(0, 0, 1);
	}
}
END_TEST

START_TEST(spec_2_7_13__resume_at_a_position)
{
	struct vblk_config c = plain();
	struct vblk_queue_addr a;
	struct vblk_queue_pos at = { 65534, 65533, false };

	rig_open(&c);
	a = addr_of(0);
	rig.ring[0].avail_idx = 65534;
	rig.ring[0].used_idx = 65533;
	put16(a.device + 2, 65533);
	put16(a.driver + 2, 65534);
	expect(vblk_queue_start(rig.dev, 0, &a, &at, NULL), VBLK_OK);
	expect(vblk_queue_start(rig.dev, 0, &a, &at, NULL), VBLK_ESTATE);
	expect(vblk_queue_started(rig.dev, 0), true);
	expect(poll_queue(0), 0);
	/* the driver may have missed an interrupt of the last life */
	expect(vblk_irq(rig.dev, 0), true);
	expect(vblk_irq(rig.dev, 0), false);
	for (unsigned i = 0; i < 5; i++)
		round_trip();
	expect(vblk_queue_stop(rig.dev, 0, &at), VBLK_OK);
	expect(vblk_queue_started(rig.dev, 0), false);
	expect(at.avail, 3);
	expect(at.used, 2);
	/* used->idx is read back once, here */
	at.used = 77;
	at.used_from_ring = true;
	expect(vblk_queue_start(rig.dev, 0, &a, &at, NULL), VBLK_OK);
	/* stopped before it was polled: still to be read */
	expect(vblk_queue_stop(rig.dev, 0, &at), VBLK_OK);
	expect(at.used_from_ring, true);
	expect(vblk_queue_start(rig.dev, 0, &a, &at, NULL), VBLK_OK);
	round_trip();
	/* and never after: what the driver writes there is not believed */
	put16(a.device + 2, 0x4444);
	(void)ask(0, VBLK_T_FLUSH, 0, 0);
	expect(poll_queue(0), 1);
	done(0, 0, VBLK_S_OK);
	(void)vblk_irq(rig.dev, 0);
	expect(get16(a.device + 2), 4);
}
END_TEST

START_TEST(spec_2_7__bad_areas)
{
	struct vblk_config c = plain();
	struct vblk_queue_addr good, a;

	rig_open(&c);
	good = addr_of(0);
	expect(vblk_queue_check(rig.dev, 0, &good), VBLK_OK);
	expect(vblk_queue_check(rig.dev, 1, &good), VBLK_EINVAL);
#define BAD(field, value) \
	do { \
		a = good; \
		a.field = (value); \
		expect(vblk_queue_check(rig.dev, 0, &a), VBLK_EGUEST); \
		expect(vblk_queue_start(rig.dev, 0, &a, NULL, NULL), \
		       VBLK_EGUEST); \
	} while (0)
	BAD(size, 0);
	BAD(size, 3);
	BAD(size, 12);
	BAD(size, 32);
	BAD(size, 32768);
	BAD(size, 65535);
	BAD(desc, good.desc + 8);
	BAD(driver, good.driver + 1);
	BAD(device, good.device + 2);
#undef BAD
	a = good;
	a.size = 1;
	expect(vblk_queue_check(rig.dev, 0, &a), VBLK_OK);
	a.size = 16;
	a.desc = UINT64_MAX - 255;
	a.driver = UINT64_MAX - 37;
	a.device = UINT64_MAX - 135;
	expect(vblk_queue_check(rig.dev, 0, &a), VBLK_OK);
	expect(vblk_queue_started(rig.dev, 0), false);
	expect(vblk_queue_started(rig.dev, 1), false);
	expect(vblk_poll(rig.dev, 0, rig.req, 1), 0);
	expect(vblk_poll(rig.dev, 1, rig.req, 1), VBLK_EINVAL);
	expect(vblk_poll(rig.dev, 0, rig.req, 32768), VBLK_EINVAL);
	expect(vblk_queue_stop(rig.dev, 0, NULL), VBLK_OK);
	expect(vblk_queue_stop(rig.dev, 1, NULL), VBLK_EINVAL);
	expect(vblk_irq(rig.dev, 1), false);
	expect(vblk_irq(rig.dev, 0), false);
	expect(vblk_poll_idle(rig.dev, 1), true);
	expect(vblk_poll_idle(rig.dev, 0), true);
	expect(vblk_full(rig.dev, 1), false);
	expect(vblk_in_flight(rig.dev, 1, 0), false);
	expect(vblk_in_flight(rig.dev, 0, 16), false);
	expect(vblk_in_flight(rig.dev, 0, 15), false);
	expect(vblk_complete(rig.dev, 0, 15, VBLK_S_OK, 0), VBLK_EINVAL);
	expect(vblk_kick(rig.dev, 0), false);
	expect(vblk_kick(rig.dev, 1), false);
	expect(vblk_missing(rig.dev, 1, NULL, 0), VBLK_EINVAL);
	expect(vblk_missing(rig.dev, 0, NULL, 0), 0);
	vblk_absent(rig.dev, 9);
}
END_TEST

/* Refused at once, or when it is looked at; memory does not go round. */
START_TEST(spec_2_7__ring_beyond_2_64)
{
	struct vblk_config c = plain();
	uint64_t top = UINT64_MAX - 0xfff;

	for (unsigned i = 0; i < 3; i++) {
		struct vblk_queue_addr a;
		int r;

		rig_open(&c);
		(void)ram_new(top, 0x1000);
		(void)ram_new(0, 0x1000);
		give(top, 0x1000);
		give(0, 0x1000);
		a = addr_of(0);
		if (i == 0)
			a.desc = UINT64_MAX - 239;
		else if (i == 1)
			a.driver = UINT64_MAX - 35;
		else
			a.device = UINT64_MAX - 131;
		r = vblk_queue_start(rig.dev, 0, &a, NULL, NULL);
		if (r == VBLK_OK)
			r = poll_queue(0);
		expect(r, VBLK_EGUEST);
	}
}
END_TEST

START_TEST(spec_2_7__slots_bound_what_is_in_flight)
{
	struct vblk_config c = plain();
	struct op o[5];

	c.slots = 2;
	rig_start(&c);
	for (unsigned i = 0; i < 5; i++)
		o[i] = ask(0, VBLK_T_FLUSH, 0, 0);
	expect(vblk_full(rig.dev, 0), false);
	expect(poll_queue(0), 2);
	expect(vblk_full(rig.dev, 0), true);
	expect(poll_queue(0), 0);
	expect(vblk_poll_idle(rig.dev, 0), false);
	expect(vblk_in_flight(rig.dev, 0, 1), true);
	expect(vblk_complete(rig.dev, 0, 1, VBLK_S_OK, 0), VBLK_OK);
	expect(vblk_complete(rig.dev, 0, 1, VBLK_S_OK, 0), VBLK_EINVAL);
	expect(vblk_in_flight(rig.dev, 0, 1), false);
	expect(poll_queue(0), 1);
	expect(vblk_complete(rig.dev, 0, 0, VBLK_S_OK, 0), VBLK_OK);
	expect(vblk_complete(rig.dev, 0, 1, VBLK_S_OK, 0), VBLK_OK);
	expect(poll_queue(0), 2);
	done(0, 0, VBLK_S_OK);
	expect(vblk_queue_stop(rig.dev, 0, NULL), VBLK_EBUSY);
	expect(vblk_kick(rig.dev, 0), false);
	expect(vblk_poll(rig.dev, 0, rig.req, 1), 0);
	expect(vblk_queue_started(rig.dev, 0), true);
	done(0, 1, VBLK_S_OK);
	used_none(0);
	/* the end of a queue publishes what is left */
	expect(vblk_queue_stop(rig.dev, 0, NULL), VBLK_OK);
	used_is(0, o[1].head, 1);
	used_is(0, o[0].head, 1);
	used_is(0, o[2].head, 1);
	used_is(0, o[3].head, 1);
	used_is(0, o[4].head, 1);
}
END_TEST

/* Chains the device answers by itself count as steps too. */
START_TEST(bound__poll_ends_after_max_steps)
{
	struct vblk_config c = plain();

	rig_start(&c);
	for (unsigned i = 0; i < 5; i++)
		(void)ask(0, 99, 0, 0);
	expect(vblk_poll(rig.dev, 0, rig.req, 0), 0);
	expect(vblk_poll(rig.dev, 0, rig.req, 2), 0);
	(void)vblk_irq(rig.dev, 0);
	expect(get16(rig.ring[0].used + 2), 2);
	expect(vblk_poll_idle(rig.dev, 0), false);
	expect(vblk_poll(rig.dev, 0, rig.req, 9), 0);
	(void)vblk_irq(rig.dev, 0);
	expect(get16(rig.ring[0].used + 2), 5);
	expect(vblk_poll_idle(rig.dev, 0), true);
}
END_TEST

/* --- a ring that cannot be trusted --------------------------------------- */

START_TEST(spec_2_7_13_3__index_too_far_ahead)
{
	static const uint16_t ahead[] = { 17, 18, 0x7fff, 0x8000, 0xffff };
	struct vblk_config c = plain();

	for (unsigned i = 0; i < COUNT(ahead); i++) {
		rig_start(&c);
		put16(rig.ring[0].avail + 2, ahead[i]);
		faulted("2.7.13.3");
	}
	/* exactly a ring full is allowed */
	rig_start(&c);
	for (uint16_t i = 0; i < 16; i++) {
		put_desc(rig.ring[0].desc, i, DATA, 16, 0, 0);
		offer(0, i);
	}
	expect(poll_queue(0), 0);
	expect(vblk_needs_reset(rig.dev), false);
	(void)vblk_irq(rig.dev, 0);
	for (uint16_t i = 0; i < 16; i++)
		used_is(0, i, 0);
}
END_TEST

START_TEST(spec_2_7_6__head_out_of_range)
{
	static const uint16_t head[] = { 16, 17, 0x8000, 0xffff };
	struct vblk_config c = plain();

	for (unsigned i = 0; i < COUNT(head); i++) {
		rig_start(&c);
		offer(0, head[i]);
		faulted("2.7.6");
		expect(vblk_reset(rig.dev), VBLK_OK);
		expect(vblk_needs_reset(rig.dev), false);
	}
}
END_TEST

START_TEST(spec_2_7_13_1__head_in_flight_offered_again)
{
	struct vblk_config c = plain();
	struct op o;

	rig_start(&c);
	o = ask(0, VBLK_T_FLUSH, 0, 0);
	offer(0, o.head);
	expect(poll_queue(0), 1);
	faulted("2.7.13.1");
	expect(vblk_complete(rig.dev, 0, 0, VBLK_S_OK, 0), VBLK_OK);
	/* given back, it may come again */
	rig_start(&c);
	o = ask(0, VBLK_T_FLUSH, 0, 0);
	for (unsigned i = 0; i < 20; i++) {
		expect(poll_queue(0), 1);
		done(0, 0, VBLK_S_OK);
		(void)vblk_irq(rig.dev, 0);
		used_is(0, o.head, 1);
		offer(0, o.head);
	}
}
END_TEST

START_TEST(trust__fault_of_one_queue_spares_the_other)
{
	struct vblk_config c = with(VBLK_F_MQ);
	struct op o;

	c.num_queues = 2;
	rig_start(&c);
	offer(0, 99);
	o = ask(1, VBLK_T_FLUSH, 0, 0);
	faulted("2.7.6");
	expect(poll_queue(1), 1);
	done(1, 0, VBLK_S_OK);
	expect(vblk_irq(rig.dev, 1), true);
	used_is(1, o.head, 1);
	/* stop and start make the queue good again */
	expect(vblk_queue_stop(rig.dev, 0, NULL), VBLK_OK);
	expect(vblk_needs_reset(rig.dev), false);
}
END_TEST

/* --- chains -------------------------------------------------------------- */

/* The head completes once, with length 0; the queue lives. */
static void contained(uint16_t head, const char *section)
{
	offer(0, head);
	expect(poll_queue(0), 0);
	expect(poll_queue(0), 0);       /* not tried for ever */
	(void)vblk_irq(rig.dev, 0);
	used_is(0, head, 0);
	ck_assert_str_eq(vblk_guest_fault(rig.dev), section);
	expect(vblk_needs_reset(rig.dev), false);
}

START_TEST(spec_2_7_5__loops)
{
	struct vblk_config c = plain();
	uint64_t d;

	rig_start(&c);
	d = rig.ring[0].desc;
	put_header(DATA, VBLK_T_FLUSH, 0);
	/* to itself; with bytes, and empty */
	put_desc(d, 3, DATA, 16, NEXT, 3);
	contained(3, "2.7.5");
	put_desc(d, 3, DATA, 0, NEXT, 3);
	contained(3, "2.7.5");
	/* of two, writable */
	put_desc(d, 4, DATA, 16, NEXT | WRITE, 5);
	put_desc(d, 5, DATA, 0xffffffff, NEXT | WRITE, 4);
	contained(4, "2.7.5");
	/* the longest chain that is none */
	for (uint16_t i = 0; i < 16; i++)
		put_desc(d, i, DATA + 16u * i, i < 15 ? 16 : 1,
			 (uint16_t)(i < 15 ? NEXT : WRITE), (uint16_t)(i + 1u));
	offer(0, 0);
	expect(poll_queue(0), 1);
	done(0, 0, VBLK_S_OK);
	(void)vblk_irq(rig.dev, 0);
	used_is(0, 0, 1);
	put_desc(d, 15, DATA + 0x500, 16, WRITE | NEXT, 0);
	contained(0, "2.7.5");
}
END_TEST

START_TEST(spec_2_7_5__next_out_of_range)
{
	static const uint16_t next[] = { 16, 17, 0xffff };
	struct vblk_config c = plain();

	rig_start(&c);
	for (unsigned i = 0; i < COUNT(next); i++) {
		put_desc(rig.ring[0].desc, 2, DATA, 16, NEXT, next[i]);
		contained(2, "2.7.5");
	}
	round_trip();
}
END_TEST

START_TEST(spec_2_7_5_3__indirect)
{
	struct vblk_config c = with(VBLK_F_INDIRECT_DESC);
	struct buf b[] = { OUT(DATA, 16), OUT(DATA + 0x100, SECTOR),
			   IN(DATA + 0x1000, 1) };
	uint64_t d, table = DATA + 0x2000;
	uint16_t head;

	rig_start(&c);
	d = rig.ring[0].desc;
	put_header(DATA, VBLK_T_OUT, 0);
	/* with the write-only flag, which means nothing there (2.7.5.3.2) */
	head = chain_indirect(0, table, b, 3);
	put_desc(d, head, table, 48, INDIRECT | WRITE, 0);
	offer(0, head);
	expect(poll_queue(0), 1);
	expect(rig.req[0].bytes, SECTOR);
	done(0, 0, VBLK_S_OK);
	(void)vblk_irq(rig.dev, 0);
	used_is(0, head, 1);
	/* after ordinary ones (2.7.5.3.2), out of order, table unaligned */
	put_desc(d, 0, DATA, 16, NEXT, 1);
	put_desc(d, 1, table + 3, 48, INDIRECT, 0);
	put_desc(table + 3, 0, DATA + 0x100, SECTOR, NEXT, 2);
	put_desc(table + 3, 1, DATA, 0, 0, 0);
	put_desc(table + 3, 2, DATA + 0x1000, 1, WRITE, 0);
	offer(0, 0);
	expect(poll_queue(0), 1);
	expect(rig.req[0].bytes, SECTOR);
	done(0, 0, VBLK_S_OK);
	(void)vblk_irq(rig.dev, 0);
	used_is(0, 0, 1);
}
END_TEST

START_TEST(spec_2_7_5_3_1__bad_tables)
{
	struct vblk_config c = with(VBLK_F_INDIRECT_DESC);
	struct buf b[] = { OUT(DATA, 16), IN(DATA + 0x1000, 1) };
	uint64_t d, table = DATA + 0x2000;

	rig_start(&c);
	d = rig.ring[0].desc;
	put_header(DATA, VBLK_T_FLUSH, 0);
	(void)chain_indirect(0, table, b, 2);
	/* length */
	put_desc(d, 0, table, 0, INDIRECT, 0);
	contained(0, "2.7.5.3.1");
	put_desc(d, 0, table, 17, INDIRECT, 0);
	contained(0, "2.7.5.3.1");
	put_desc(d, 0, table, 8, INDIRECT, 0);
	contained(0, "2.7.5.3.1");
	put_desc(d, 0, table, 40, INDIRECT, 0);
	contained(0, "2.7.5.3.1");
	put_desc(d, 0, table, 0xfffffff0, INDIRECT, 0);
	contained(0, "2.7.5.3.1");
	put_desc(d, 0, table, 16 * (VBLK_MAX_DESCS + 1), INDIRECT, 0);
	contained(0, "2.7.5.3.1");
	/* a table that chains on in the ring */
	put_desc(d, 0, table, 32, INDIRECT | NEXT, 1);
	contained(0, "2.7.5");
	/* tables in tables */
	put_desc(d, 0, table, 32, INDIRECT, 0);
	put_desc(table, 1, table, 32, INDIRECT, 0);
	contained(0, "2.7.5.3.1");
	put_desc(table, 0, table, 32, INDIRECT, 0);
	contained(0, "2.7.5.3.1");
	/* loop, index beyond, readable after writable */
	put_desc(table, 0, DATA, 0, NEXT, 0);
	contained(0, "2.7.5.3.1");
	put_desc(table, 0, DATA, 16, NEXT, 2);
	contained(0, "2.7.5.3.1");
	put_desc(table, 0, DATA, 16, NEXT | WRITE, 1);
	put_desc(table, 1, DATA, 16, 0, 0);
	contained(0, "2.7.4.2");
	/* no memory, or a table that ends behind it */
	put_desc(d, 0, 0x1000, 32, INDIRECT, 0);
	contained(0, "2.7.5.3.1");
	put_desc(d, 0, RAM + RAM_LEN - 16, 32, INDIRECT, 0);
	put_desc(RAM + RAM_LEN - 16, 0, DATA, 16, NEXT, 1);
	contained(0, "2.7.5.3.1");
	round_trip();
}
END_TEST

START_TEST(spec_2_7_5_3__longest_table)
{
	struct vblk_config c = with(VBLK_F_INDIRECT_DESC);
	static struct buf b[VBLK_MAX_DESCS];
	uint16_t head;

	rig_start(&c);
	put_header(DATA, VBLK_T_FLUSH, 0);
	b[0] = (struct buf)OUT(DATA, 16);
	for (unsigned i = 1; i < VBLK_MAX_DESCS; i++)
		b[i] = (struct buf)IN(DATA + 0x100, 0);
	b[VBLK_MAX_DESCS - 1] = (struct buf)IN(DATA + 0x100, 1);
	head = chain_indirect(0, DATA + 0x1000, b, VBLK_MAX_DESCS);
	offer(0, head);
	expect(poll_queue(0), 1);
	done(0, 0, VBLK_S_OK);
	(void)vblk_irq(rig.dev, 0);
	used_is(0, head, 1);
}
END_TEST

START_TEST(spec_2_7_5_3__indirect_not_negotiated)
{
	struct vblk_config c = with(VBLK_F_INDIRECT_DESC);
	struct buf b[] = { OUT(DATA, 16), IN(DATA + 0x1000, 1) };

	rig_open(&c);
	expect(vblk_accept(rig.dev, VBLK_F_VERSION_1), VBLK_OK);
	start_queue(0);
	contained(chain_indirect(0, DATA + 0x2000, b, 2), "2.7.5");
}
END_TEST

/* --- interrupts, 2.7.7 --------------------------------------------------- */

START_TEST(spec_2_7_7__flag_suppresses)
{
	struct vblk_config c = plain();

	rig_start(&c);
	for (uint16_t flags = 0; flags < 4; flags++) {
		put16(rig.ring[0].avail, flags);
		/* without EVENT_IDX used_event means nothing */
		put16(rig.ring[0].avail + 4 + 32, 0x5555);
		(void)ask(0, VBLK_T_FLUSH, 0, 0);
		expect(poll_queue(0), 1);
		expect(vblk_irq(rig.dev, 0), false);    /* nothing yet */
		done(0, 0, VBLK_S_OK);
		expect(vblk_irq(rig.dev, 0), !(flags & 1));
		expect(vblk_irq(rig.dev, 0), false);
	}
}
END_TEST

START_TEST(spec_2_7_7__event_index)
{
	struct vblk_config c = with(VBLK_F_EVENT_IDX);
	struct vblk_stats s;
	uint64_t seed = 12345, wanted = 0;

	c.queue_size = 8;
	rig_start(&c);
	for (uint32_t i = 0; i < 20000; i++) {
		uint16_t old = get16(rig.ring[0].used + 2), event;
		unsigned n = (unsigned)(chance(&seed) % 4);
		bool crossed = false;

		event = (uint16_t)(old + chance(&seed) % 9 - 4);
		put16(rig.ring[0].avail + 4 + 16, event);
		put16(rig.ring[0].avail, (uint16_t)(chance(&seed) & 1));
		for (unsigned k = 0; k < n; k++) {
			(void)ask(0, VBLK_T_FLUSH, 0, 0);
			/* spelt out: did an element land at event? */
			crossed = crossed || (uint16_t)(old + k) == event;
		}
		expect(poll_queue(0), n);
		for (unsigned k = 0; k < n; k++)
			done(0, (int)k, VBLK_S_OK);
		check_that(vblk_irq(rig.dev, 0) == crossed,
			   "from %u by %u, event %u: expected %d", old, n,
			   event, crossed);
		wanted += crossed;
	}
	vblk_stats(rig.dev, &s);
	expect(s.irqs, wanted);
}
END_TEST

/* After a restart the first one is sent whatever the driver suppressed. */
START_TEST(spec_2_7_7__first_interrupt_after_a_restart)
{
	struct vblk_config c = with(_i ? VBLK_F_EVENT_IDX : 0);
	struct vblk_queue_pos at = { 0, 0, false };
	struct vblk_queue_addr a;

	rig_open(&c);
	a = addr_of(0);
	expect(vblk_accept(rig.dev, vblk_features(rig.dev)), VBLK_OK);
	expect(vblk_queue_start(rig.dev, 0, &a, &at, NULL), VBLK_OK);
	put16(rig.ring[0].avail, 1);
	put16(rig.ring[0].avail + 4 + 32, 0x4444);
	for (unsigned i = 0; i < 3; i++) {
		(void)ask(0, VBLK_T_FLUSH, 0, 0);
		expect(poll_queue(0), 1);
		done(0, 0, VBLK_S_OK);
		expect(vblk_irq(rig.dev, 0), i == 0);
	}
}
END_TEST

/* The bit is a mask, and taken by the driver, not only offered. */
START_TEST(spec_2_7_7__event_index_only_if_negotiated)
{
	struct vblk_config c = with(VBLK_F_EVENT_IDX);

	rig_open(&c);
	expect(vblk_accept(rig.dev, VBLK_F_VERSION_1 | VBLK_F_FLUSH), VBLK_OK);
	start_queue(0);
	put16(rig.ring[0].avail + 4 + 32, 0x5555);
	(void)ask(0, VBLK_T_FLUSH, 0, 0);
	expect(poll_queue(0), 1);
	done(0, 0, VBLK_S_OK);
	expect(vblk_irq(rig.dev, 0), true);
}
END_TEST

/* --- notifications, 2.7.10 ----------------------------------------------- */

START_TEST(spec_2_7_10__flag_while_polling)
{
	struct vblk_config c = plain();
	uint64_t used;

	rig_start(&c);
	used = rig.ring[0].used;
	put16(used, 0xffff);
	expect(vblk_poll_idle(rig.dev, 0), false); /* rings not looked at yet */
	expect(poll_queue(0), 0);
	expect(get16(used), 1);
	expect(vblk_poll_idle(rig.dev, 0), true);
	expect(get16(used), 0);
	expect(vblk_poll_idle(rig.dev, 0), true);
	expect(get16(used), 0);
	/* came between the poll and the wish: not lost */
	expect(poll_queue(0), 0);
	(void)ask(0, VBLK_T_FLUSH, 0, 0);
	expect(vblk_poll_idle(rig.dev, 0), false);
	expect(vblk_kick(rig.dev, 0), true);
	expect(vblk_kick(rig.dev, 0), true); /* once too often is harmless */
	expect(poll_queue(0), 1);
	expect(get16(used), 1);
	expect(poll_queue(0), 0);
}
END_TEST

START_TEST(spec_2_7_10__event_index_of_notifications)
{
	struct vblk_config c = with(VBLK_F_EVENT_IDX);
	uint64_t used, event;

	rig_start(&c);
	used = rig.ring[0].used;
	event = used + 4 + 8 * 16;
	put16(event, 0x7777);
	expect(poll_queue(0), 0);
	expect(get16(used), 0);         /* flags stay 0 */
	expect(vblk_poll_idle(rig.dev, 0), true);
	expect(get16(event), 0);
	for (uint16_t i = 1; i < 40; i++) {
		round_trip();
		expect(get16(event), i - 1);
		expect(vblk_poll_idle(rig.dev, 0), true);
		expect(get16(event), i);
	}
	(void)ask(0, VBLK_T_FLUSH, 0, 0);
	expect(vblk_poll_idle(rig.dev, 0), false);
	expect(get16(used), 0);
}
END_TEST

/* --- memory of the ring -------------------------------------------------- */

START_TEST(spec_2_7__device_writes_only_the_used_ring)
{
	struct vblk_config c = plain();
	static uint8_t before[0x5000];

	rig_start(&c);
	for (unsigned i = 0; i < 40; i++) {
		(void)ask(0, i % 3 ? VBLK_T_IN : VBLK_T_OUT, 0, SECTOR);
		memcpy(before, ram_at(RAM), sizeof(before));
		expect(poll_queue(0), 1);
		done(0, 0, VBLK_S_OK);
		(void)vblk_irq(rig.dev, 0);
		(void)vblk_poll_idle(rig.dev, 0);
		ck_assert_mem_eq(ram_at(RAM), before, sizeof(before));
		all_are(rig.ring[0].used + 6 + 8 * 16, 0, 64);
	}
}
END_TEST

/* Ring areas cut across regions that lie apart in host memory. */
START_TEST(spec_2_7__ring_spans_regions)
{
	struct vblk_config c = with(_i ? VBLK_F_EVENT_IDX : 0);
	struct vblk_queue_pos pos;
	struct vblk_queue_addr a;

	c.regions = 40;
	rig_open_bare(&c);
	/* 16 bytes each for the first ones, then the rest */
	for (uint64_t at = 0; at < 96; at += 32) {
		(void)ram_new(RAM + at, 32);
		give(RAM + at, 32);
	}
	(void)ram_new(RAM + 96, 0x4010 - 96);
	give(RAM + 96, 0x4010 - 96);    /* into avail */
	(void)ram_new(RAM + 0x4010, 0x1000);
	give(RAM + 0x4010, 0x1000);     /* into used */
	for (uint64_t at = 0x5010; at < 0x5090; at += 16) {
		(void)ram_new(RAM + at, 16);
		give(RAM + at, 16);
	}
	(void)ram_new(RAM + 0x5090, 0x10000);
	give(RAM + 0x5090, 0x10000);
	rig.next_buf = RAM + 0x6000;
	expect(vblk_accept(rig.dev, vblk_features(rig.dev)), VBLK_OK);
	start_queue(0);
	for (unsigned i = 0; i < 50; i++) {
		round_trip();
		expect(vblk_poll_idle(rig.dev, 0), true);
	}
	expect(vblk_mem_idle(rig.dev, RAM + 16, 1), false);
	expect(vblk_queue_stop(rig.dev, 0, &pos), VBLK_OK);
	expect(vblk_mem_idle(rig.dev, RAM, RAM_LEN), true);
	/* and where it stood is found again */
	a = addr_of(0);
	pos.used = 0;
	pos.used_from_ring = true;
	expect(vblk_queue_start(rig.dev, 0, &a, &pos, NULL), VBLK_OK);
	round_trip();
}
END_TEST

START_TEST(spec_2_7__ring_where_no_memory_is)
{
	static const struct {
		unsigned which;
		uint32_t perm;
	} t[] = {
		{ 0, 0 },	   { 1, 0 },	      { 2, 0 },
		{ 0, VBLK_WRITE }, { 1, VBLK_WRITE }, { 2, VBLK_READ },
	};
	struct vblk_config c = plain();

	for (unsigned i = 0; i < COUNT(t); i++) {
		rig_open_bare(&c);
		for (unsigned k = 0; k < 3; k++) {
			uint64_t gpa = RAM + (k == 0 ? 0 : 0x3000 + 0x1000 * k);

			(void)ram_new(gpa, 0x1000);
			if (k != t[i].which)
				give(gpa, 0x1000);
			else if (t[i].perm != 0)
				expect(give_as(gpa, 0x1000, t[i].perm, NULL),
				       VBLK_OK);
		}
		start_queue(0);
		faulted("2.7");
		expect(vblk_mem_idle(rig.dev, RAM, RAM_LEN), true);
		expect(vblk_reset(rig.dev), VBLK_OK);
	}
}
END_TEST

static void add(TCase *tc)
{
	tcase_add_test(tc, spec_2_7_13__requests_come_in_order_and_go_in_any);
	tcase_add_test(tc, spec_2_7_8__indices_wrap);
	tcase_add_test(tc, spec_2_7__sizes_from_1_to_32768);
	tcase_add_test(tc, spec_2_7_13__resume_at_a_position);
	tcase_add_test(tc, spec_2_7__bad_areas);
	tcase_add_test(tc, spec_2_7__ring_beyond_2_64);
	tcase_add_test(tc, spec_2_7__slots_bound_what_is_in_flight);
	tcase_add_test(tc, bound__poll_ends_after_max_steps);
	tcase_add_test(tc, spec_2_7_13_3__index_too_far_ahead);
	tcase_add_test(tc, spec_2_7_6__head_out_of_range);
	tcase_add_test(tc, spec_2_7_13_1__head_in_flight_offered_again);
	tcase_add_test(tc, trust__fault_of_one_queue_spares_the_other);
	tcase_add_test(tc, spec_2_7_5__loops);
	tcase_add_test(tc, spec_2_7_5__next_out_of_range);
	tcase_add_test(tc, spec_2_7_5_3__indirect);
	tcase_add_test(tc, spec_2_7_5_3_1__bad_tables);
	tcase_add_test(tc, spec_2_7_5_3__longest_table);
	tcase_add_test(tc, spec_2_7_5_3__indirect_not_negotiated);
	tcase_add_test(tc, spec_2_7_7__flag_suppresses);
	tcase_add_test(tc, spec_2_7_7__event_index);
	tcase_add_test(tc, spec_2_7_7__event_index_only_if_negotiated);
	tcase_add_loop_test(tc, spec_2_7_7__first_interrupt_after_a_restart, 0,
			    2);
	tcase_add_test(tc, spec_2_7_10__flag_while_polling);
	tcase_add_test(tc, spec_2_7_10__event_index_of_notifications);
	tcase_add_test(tc, spec_2_7__device_writes_only_the_used_ring);
	tcase_add_loop_test(tc, spec_2_7__ring_spans_regions, 0, 2);
	tcase_add_test(tc, spec_2_7__ring_where_no_memory_is);
}

int main(void)
{
	return run_suite("ring", add);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The packed virtqueue, virtio 1.4, 2.8, with a driver of its own; IN_ORDER on
 * both rings; and the packed ring's in-flight log over crashes.
 */
#include "util.h"

#define AVAIL  0x80u
#define USED   0x8000u
#define SECTOR 512u
#define F_ALL  (VBLK_F_RING_PACKED | VBLK_F_INDIRECT_DESC)

/* --- a driver of packed rings --------------------------------------------- */

static struct {
	uint64_t desc, mine, its; /* ring, driver's and device's events */
	uint16_t size;
	uint16_t next, used;    /* indices */
	bool     next_wrap, used_wrap;
	uint16_t len[65536];    /* descriptors of the buffer with this id */
	uint16_t id;            /* of the next buffer */
} drv;

static void drv_reset(void)
{
	const struct ring *r = &rig.ring[0];

	memset(&drv, 0, sizeof(drv));
	drv.desc = r->desc;
	drv.mine = r->avail;
	drv.its = r->used;
	drv.size = r->size;
	drv.next_wrap = drv.used_wrap = true;
}

static struct vblk_config packed(uint64_t more)
{
	struct vblk_config c = plain();

	c.features |= F_ALL | more;
	return c;
}

/* Driver and device at the beginning, the ring of `size` entries. */
static void up(const struct vblk_config *c, uint16_t size)
{
	rig_open(c);
	rig.ring[0].size = size;
	expect(vblk_accept(rig.dev, vblk_features(rig.dev)), VBLK_OK);
	start_queue(0);
	drv_reset();
}

static uint16_t fresh(bool wrap)
{
	return wrap ? AVAIL : USED;
}

static void put_packed(uint64_t at, uint64_t gpa, uint32_t len, uint16_t id,
		       uint16_t flags)
{
	put64(at, gpa);
	put32(at + 8, len);
	put16(at + 12, id);
	put16(at + 14, flags);
}

struct place { uint16_t i, flags; };

static struct place step_next(void)
{
	struct place p = { drv.next, fresh(drv.next_wrap) };

	if (++drv.next == drv.size) {
		drv.next = 0;
		drv.next_wrap = !drv.next_wrap;
	}
	return p;
}

/* The first descriptor's flags make it available. */
static void show(struct place first, uint16_t flags)
{
	put16(drv.desc + 16u * first.i + 14, first.flags | flags);
}

/* A chain with the id in its last descriptor only; not available yet. */
static uint16_t build(const struct buf *b, size_t n, struct place *first,
		      uint16_t *flags)
{
	uint16_t id = drv.id++;

	for (size_t k = 0; k < n; k++) {
		struct place p = step_next();
		uint16_t f = (uint16_t)((k + 1 < n ? NEXT : 0u) |
					(b[k].in ? WRITE : 0u));

		if (k == 0) {
			*first = p;
			*flags = f;
		}
		put_packed(drv.desc + 16u * p.i, b[k].gpa, b[k].len,
			   k + 1 < n ? 0x5555 : id,
			   k == 0 ? get16(drv.desc + 16u * p.i + 14)
				  : p.flags | f);
	}
	drv.len[id] = (uint16_t)n;
	return id;
}

static uint16_t offer_packed(const struct buf *b, size_t n)
{
	struct place first = { 0, 0 };
	uint16_t flags = 0, id = build(b, n, &first, &flags);

	show(first, flags);
	return id;
}

/* A read of one sector, or a FLUSH for len 0; head is the id. */
static struct op ask_packed(uint64_t sector, uint32_t len)
{
	struct op o = { .len = len };
	struct buf b[3];
	size_t n = 0;

	o.header = rig.next_buf;
	o.data = o.header + 32;
	o.status = o.data + len + 16;
	rig.next_buf = o.status + 16;
	if (rig.next_buf > RAM + RAM_LEN - 0x1000)
		rig.next_buf = DATA;
	put_header(o.header, len ? VBLK_T_IN : VBLK_T_FLUSH, sector);
	put8(o.status, 0xaa);
	b[n++] = (struct buf)OUT(o.header, 16);
	if (len > 0)
		b[n++] = (struct buf)IN(o.data, len);
	b[n++] = (struct buf)IN(o.status, 1);
	o.head = offer_packed(b, n);
	return o;
}

/* Takes the next used descriptor, if there is one. */
static bool used_packed(uint16_t *id, uint32_t *len, bool *wrote)
{
	uint64_t at = drv.desc + 16u * drv.used;
	uint16_t flags = get16(at + 14);
	bool a = flags & AVAIL, u = flags & USED;

	if (a != u || u != drv.used_wrap)
		return false;
	*id = get16(at + 12);
	*len = get32(at + 8);
	*wrote = flags & WRITE;
	drv.used = (uint16_t)(drv.used + drv.len[*id]);
	if (drv.used >= drv.size) {
		drv.used = (uint16_t)(drv.used - drv.size);
		drv.used_wrap = !drv.used_wrap;
	}
	return true;
}

static void is_used(uint16_t id, uint32_t len)
{
	uint16_t i = 0;
	uint32_t n = 0;
	bool wrote = false, some = used_packed(&i, &n, &wrote);

	check_that(some && i == id && n == len && wrote == (len > 0),
		   "used descriptor: expected id %u len %u, came %s %u len %u "
		   "flag WRITE %d",
		   id, len, some ? "id" : "none,", i, n, wrote);
}

static void none_used(void)
{
	uint16_t i = 0;
	uint32_t n = 0;
	bool wrote = false;

	check_that(!used_packed(&i, &n, &wrote),
		   "expected no used descriptor, came id %u", i);
}

static void there_and_back(void)
{
	struct op o = ask_packed(1, SECTOR);

	expect(poll_queue(0), 1);
	expect(rig.req[0].sector, 1);
	expect(rig.req[0].bytes, SECTOR);
	none_used();
	done(0, 0, VBLK_S_OK);
	none_used();
	(void)vblk_irq(rig.dev, 0);
	is_used(o.head, SECTOR + 1);
	expect(status_of(o), VBLK_S_OK);
}

/* --- 2.8 ------------------------------------------------------------------ */

/* Sizes that are no power of two, and chains across the end. */
START_TEST(spec_2_8_1__wrap_counters)
{
	struct vblk_config c = packed(0);

	for (uint16_t size = 3; size <= 16; size++) {
		up(&c, size);
		for (unsigned i = 0; i < 3u * size + 1u; i++)
			there_and_back();
	}
}
END_TEST

START_TEST(spec_2_8_5__sizes_from_1_to_32768)
{
	static const uint16_t sizes[] = { 1, 2, 5, 4095, 32767, 32768 };
	struct vblk_config c = packed(0);

	for (unsigned k = 0; k < COUNT(sizes); k++) {
		c.queue_size = 32768;
		c.slots = 2;
		rig_open_bare(&c);
		(void)ram_new(RAM, RAM_LEN);
		give(RAM, RAM_LEN);
		rig.ring[0].avail = RAM + 0x80000;
		rig.ring[0].used = RAM + 0x80010;
		rig.ring[0].size = sizes[k];
		rig.next_buf = RAM + 0xe0000;
		expect(vblk_accept(rig.dev, vblk_features(rig.dev)), VBLK_OK);
		start_queue(0);
		drv_reset();
		for (unsigned i = 0; i < 70000u / 8; i++) {
			struct buf t = OUT(DATA + 0x50000, 32);
			struct place first;
			uint16_t f = 0, id;

			put_packed(t.gpa, DATA + 0x51000, 16, 0, 0);
			put_packed(t.gpa + 16, DATA + 0x52000, 1, 0, WRITE);
			put_header(DATA + 0x51000, VBLK_T_FLUSH, 0);
			id = build(&t, 1, &first, &f);
			show(first, INDIRECT);
			expect(poll_queue(0), 1);
			done(0, 0, VBLK_S_OK);
			(void)vblk_irq(rig.dev, 0);
			is_used(id, 1);
			/* ids are the driver's; the next lap is far */
			if (sizes[k] > 8 && i == 20)
				break;
		}
	}
}
END_TEST

START_TEST(spec_2_8__requests_come_in_order_and_go_in_any)
{
	struct vblk_config c = packed(0);
	struct op o[5];

	up(&c, 16);
	for (unsigned i = 0; i < 5; i++)
		o[i] = ask_packed(i, SECTOR);
	expect(poll_queue(0), 5);
	for (unsigned i = 0; i < 5; i++)
		expect(rig.req[i].sector, i);
	done(0, 3, VBLK_S_OK);
	done(0, 0, VBLK_S_OK);
	done(0, 4, VBLK_S_IOERR);
	none_used();            /* the batch shows as a whole */
	(void)vblk_irq(rig.dev, 0);
	is_used(o[3].head, SECTOR + 1);
	is_used(o[0].head, SECTOR + 1);
	/* of an error nothing is known, the length least of all */
	is_used(o[4].head, SECTOR + 1);
	expect(status_of(o[4]), VBLK_S_IOERR);
	none_used();
	done(0, 1, VBLK_S_OK);
	done(0, 2, VBLK_S_OK);
	(void)vblk_irq(rig.dev, 0);
	is_used(o[1].head, SECTOR + 1);
	is_used(o[2].head, SECTOR + 1);
	none_used();
	for (unsigned i = 0; i < 40; i++)
		there_and_back();
}
END_TEST

/* An id need not be below the queue size, and may come again at once. */
START_TEST(spec_2_8_9__any_buffer_id)
{
	struct vblk_config c = packed(0);

	up(&c, 4);
	drv.id = 65533;
	for (unsigned i = 0; i < 8; i++)
		there_and_back();
	drv.id = 0xffff;
	there_and_back();
}
END_TEST

START_TEST(spec_2_8_6__chain_without_an_end)
{
	struct vblk_config c = packed(0);

	up(&c, 8);
	for (unsigned i = 0; i < 8; i++) {
		struct place p = step_next();

		put_packed(
			drv.desc + 16u * p.i, DATA, 16, 1,
			(uint16_t)(p.flags | (i == 7 && _i == 1 ? 0u : NEXT)));
	}
	if (_i == 0) {
		expect(poll_queue(0), VBLK_EGUEST);
		ck_assert_str_eq(vblk_guest_fault(rig.dev), "2.8.6");
		expect(vblk_needs_reset(rig.dev), true);
	} else {
		/* one as long as the ring; of which nothing can be written */
		drv.len[1] = 8;
		expect(poll_queue(0), 0);
		(void)vblk_irq(rig.dev, 0);
		is_used(1, 0);
		expect(vblk_needs_reset(rig.dev), false);
		there_and_back();
	}
}
END_TEST

/* A broken chain costs its driver that chain, whatever its length. */
START_TEST(trust__broken_chain_is_contained)
{
	struct vblk_config c = packed(0);
	struct buf late[] = { OUT(DATA, 16), IN(DATA + 64, 512),
			      OUT(DATA + 1024, 16), IN(DATA + 2048, 1) };
	uint16_t id;

	c.fault_policy = (uint8_t)_i;
	up(&c, 16);
	for (unsigned i = 0; i < 4; i++) {
		id = offer_packed(late, 4);
		if (_i == VBLK_STOP) {
			expect(poll_queue(0), VBLK_EGUEST);
			expect(vblk_needs_reset(rig.dev), true);
			return;
		}
		expect(poll_queue(0), 0);
		(void)vblk_irq(rig.dev, 0);
		is_used(id, 0);
		ck_assert_str_eq(vblk_guest_fault(rig.dev), "2.7.4.2");
		there_and_back();
	}
}
END_TEST

/* What is ours cannot be made available again. */
START_TEST(spec_2_8_1__driver_that_laps)
{
	struct vblk_config c = packed(0);
	struct op o[2];

	up(&c, 6);
	o[0] = ask_packed(0, SECTOR);
	o[1] = ask_packed(1, SECTOR);
	expect(poll_queue(0), 2);
	/* all six look available for the next lap */
	for (unsigned i = 0; i < 6; i++)
		put16(drv.desc + 16u * i + 14,
		      (uint16_t)(fresh(false) | WRITE));
	expect(poll_queue(0), 0);
	expect(vblk_poll_idle(rig.dev, 0), true);
	done(0, 0, VBLK_S_OK);
	done(0, 1, VBLK_S_OK);
	(void)vblk_irq(rig.dev, 0);
	expect(vblk_needs_reset(rig.dev), false);
	(void)o;
}
END_TEST

/* --- 2.8.8: indirect ------------------------------------------------------ */

static uint16_t offer_table(uint64_t table, uint32_t len, uint16_t flags)
{
	struct buf t = OUT(table, len);
	struct place first = { 0, 0 };
	uint16_t f = 0, id = build(&t, 1, &first, &f);

	show(first, (uint16_t)(INDIRECT | flags));
	return id;
}

/* Order is the table's; flags other than WRITE are reserved there. */
START_TEST(spec_2_8_8__table)
{
	struct vblk_config c = packed(0);
	uint64_t t = DATA + 0x2000;
	uint16_t id;

	up(&c, 4);
	for (unsigned i = 0; i < 6; i++) {
		put_header(DATA, VBLK_T_IN, 3);
		put_packed(t, DATA, 16, 77, i & 1 ? NEXT : 0);
		put_packed(t + 16, DATA + 512, 512, 78,
			   i & 2 ? INDIRECT | WRITE : WRITE);
		put_packed(t + 32, DATA + 2048, 1, 79,
			   WRITE | (i & 1 ? NEXT : 0u));
		/* WRITE of the descriptor itself is ignored */
		id = offer_table(t, 48, i & 1 ? WRITE : 0);
		expect(poll_queue(0), 1);
		expect(rig.req[0].sector, 3);
		expect(rig.req[0].bytes, 512);
		done(0, 0, VBLK_S_OK);
		(void)vblk_irq(rig.dev, 0);
		is_used(id, 513);
	}
}
END_TEST

START_TEST(spec_2_8_8__bad_tables)
{
	static const struct {
		uint64_t at;
		uint32_t len;
	} bad[] = { { DATA, 0 },
		    { DATA, 8 },
		    { DATA, 40 },
		    { DATA, 16u * (VBLK_MAX_DESCS + 1u) },
		    { UINT64_MAX - 15, 48 },
		    { RAM + RAM_LEN, 32 },
		    { RAM + RAM_LEN - 16, 32 } };
	struct vblk_config c = packed(0);

	up(&c, 4);
	for (unsigned i = 0; i < COUNT(bad); i++) {
		uint16_t id = offer_table(bad[i].at, bad[i].len, 0);

		expect(poll_queue(0), 0);
		(void)vblk_irq(rig.dev, 0);
		is_used(id, 0);
	}
	there_and_back();
}
END_TEST

/* Neither after NEXT nor before it, nor if it was not negotiated. */
START_TEST(spec_2_8_8__indirect_where_it_may_not_be)
{
	struct vblk_config c = packed(0);
	struct buf b[] = { OUT(DATA, 16), IN(DATA + 512, 512),
			   IN(DATA + 2048, 1) };
	struct place first = { 0, 0 };
	uint16_t flags = 0, id, second;

	if (_i == 2)
		c.features &= ~VBLK_F_INDIRECT_DESC;
	up(&c, 16);
	put_header(DATA, VBLK_T_IN, 0);
	if (_i == 2) {
		id = offer_table(DATA + 0x1000, 32, 0);
	} else {
		second = drv.next;
		id = build(b, 3, &first, &flags);
		if (_i == 0)
			flags |= INDIRECT;
		else
			put16(drv.desc + 16u * (second + 1u) + 14,
			      fresh(true) | INDIRECT | NEXT);
		show(first, flags);
	}
	expect(poll_queue(0), 0);
	(void)vblk_irq(rig.dev, 0);
	is_used(id, 0);
	ck_assert_str_eq(vblk_guest_fault(rig.dev), "2.8.8");
	there_and_back();
}
END_TEST

/* --- 2.8.10: notifications ------------------------------------------------ */

static bool told(void)
{
	(void)ask_packed(0, 0);
	expect(poll_queue(0), 1);
	done(0, 0, VBLK_S_OK);
	return vblk_irq(rig.dev, 0);
}

START_TEST(spec_2_8_10__driver_flags)
{
	struct vblk_config c = packed(0);

	up(&c, 8);
	expect(told(), true);
	put16(drv.mine + 2, 1);
	expect(told(), false);
	put16(drv.mine + 2, 0);
	expect(told(), true);
	/* without EVENT_IDX there are no descriptor events; 3 is reserved */
	put16(drv.mine + 2, 2);
	put16(drv.mine, 7);
	expect(told(), true);
	put16(drv.mine + 2, 3);
	expect(told(), true);
}
END_TEST

/* Against a model that counts descriptors without end. */
START_TEST(spec_2_8_10__descriptor_event)
{
	struct vblk_config c = packed(VBLK_F_EVENT_IDX);
	uint64_t seed = 0x9a11u + (unsigned)_i, total = 0;
	uint16_t size = (uint16_t)(5 + _i % 7);

	up(&c, size);
	for (unsigned k = 0; k < 200; k++) {
		/* an event up to a lap ahead of what was seen used */
		uint64_t event = total + chance(&seed) % size;
		unsigned n = (unsigned)(chance(&seed) % (size / 2u)) + 1u;
		bool wrap = (event / size) % 2 == 0;

		put16(drv.mine, (uint16_t)(event % size | (wrap ? USED : 0u)));
		put16(drv.mine + 2, 2);
		for (unsigned i = 0; i < n; i++)
			(void)ask_packed(0, 0);
		expect(poll_queue(0), n);
		for (unsigned i = 0; i < n; i++)
			done(0, (int)i, VBLK_S_OK);
		total += 2u * n;
		check_that(vblk_irq(rig.dev, 0) ==
				   (event >= total - 2u * n && event < total),
			   "seed 0x%x, step %u: event %" PRIu64
			   ", used %" PRIu64 " to %" PRIu64,
			   0x9a11u + (unsigned)_i, k, event, total - 2u * n,
			   total);
	}
	put16(drv.mine + 2, 0);
	expect(told(), true);
	put16(drv.mine + 2, 1);
	expect(told(), false);
}
END_TEST

START_TEST(spec_2_8_10__device_flags_while_polling)
{
	struct vblk_config c = packed(0);

	up(&c, 8);
	expect(poll_queue(0), 0);
	expect(get16(drv.its + 2), 1);
	expect(vblk_poll_idle(rig.dev, 0), true);
	expect(get16(drv.its + 2), 0);
	expect(vblk_poll_idle(rig.dev, 0), true);
	(void)ask_packed(0, 0);
	expect(vblk_poll_idle(rig.dev, 0), false);
	expect(poll_queue(0), 1);
	expect(get16(drv.its + 2), 1);
	done(0, 0, VBLK_S_OK);
}
END_TEST

START_TEST(spec_2_8_10__device_event)
{
	struct vblk_config c = packed(VBLK_F_EVENT_IDX);

	up(&c, 5);
	for (unsigned i = 0; i < 12; i++) {
		expect(poll_queue(0), 0);
		expect(vblk_poll_idle(rig.dev, 0), true);
		expect(get16(drv.its + 2), 2);
		expect(get16(drv.its), drv.next | (drv.next_wrap ? USED : 0u));
		there_and_back();
	}
}
END_TEST

START_TEST(spec_2_8__first_interrupt_after_a_restart)
{
	struct vblk_config c = packed(0);
	struct vblk_queue_addr a;
	struct vblk_queue_pos at;

	up(&c, 6);
	for (unsigned i = 0; i < 3; i++)
		there_and_back();
	a = addr_of(0);
	expect(vblk_queue_stop(rig.dev, 0, &at), VBLK_OK);
	expect(at.avail, 9 % 6);        /* second lap: counter 0 */
	expect(at.used, 9 % 6);
	put16(drv.mine + 2, 1);
	expect(vblk_queue_start(rig.dev, 0, &a, &at, NULL), VBLK_OK);
	expect(poll_queue(0), 0);
	expect(vblk_irq(rig.dev, 0), true);
	expect(vblk_irq(rig.dev, 0), false);
	for (unsigned i = 0; i < 7; i++)
		there_and_back();
	/* used is not in the ring: then it is where avail is */
	expect(vblk_queue_stop(rig.dev, 0, &at), VBLK_OK);
	at.used = 0x7777;
	at.used_from_ring = true;
	expect(vblk_queue_start(rig.dev, 0, &a, &at, NULL), VBLK_OK);
	there_and_back();
}
END_TEST

START_TEST(spec_2_8__positions_that_cannot_be)
{
	static const uint16_t bad[][2] = {
		{ 6, 0 },	    { 0, 6 },	   { 0x8006, 0x8000 },
		{ 0x8000, 0x8001 }, { 1, 0x8000 }, { 5, 0x8004 },
		{ 0xffff, 0xffff }
	};
	struct vblk_config c = packed(0);
	struct vblk_queue_addr a;
	struct vblk_queue_pos at = { 0, 0, false };

	up(&c, 6);
	a = addr_of(0);
	expect(vblk_queue_stop(rig.dev, 0, NULL), VBLK_OK);
	for (unsigned i = 0; i < COUNT(bad); i++) {
		at.avail = bad[i][0];
		at.used = bad[i][1];
		check_that(vblk_queue_start(rig.dev, 0, &a, &at, NULL) ==
				   VBLK_EGUEST,
			   "avail 0x%x, used 0x%x: expected EGUEST", at.avail,
			   at.used);
		expect(vblk_queue_started(rig.dev, 0), false);
	}
	/* a full lap in flight is one */
	at.avail = 3;
	at.used = 0x8003;
	expect(vblk_queue_start(rig.dev, 0, &a, &at, NULL), VBLK_OK);
	expect(poll_queue(0), 0);
}
END_TEST

/* --- memory --------------------------------------------------------------- */

START_TEST(spec_2_8_10__bad_areas)
{
	struct vblk_config c = packed(0);
	struct vblk_queue_addr a;

	up(&c, 6);
	expect(vblk_queue_stop(rig.dev, 0, NULL), VBLK_OK);
	for (unsigned i = 0; i < 3; i++) {
		a = addr_of(0);
		*(i == 0   ? &a.desc
		  : i == 1 ? &a.driver
			   : &a.device) += i == 0 ? 8 : 2;
		expect(vblk_queue_start(rig.dev, 0, &a, NULL, NULL),
		       VBLK_EGUEST);
	}
	a = addr_of(0);
	a.size = 0;
	expect(vblk_queue_start(rig.dev, 0, &a, NULL, NULL), VBLK_EGUEST);
	a.size = 17;
	expect(vblk_queue_start(rig.dev, 0, &a, NULL, NULL), VBLK_EGUEST);
	/* the device writes into the ring and its own events */
	a = addr_of(0);
	rig_open_bare(&c);
	(void)ram_new(RAM, RAM_LEN);
	expect(give_as(RAM, 0x4000, VBLK_READ, NULL), VBLK_OK);
	give(RAM + 0x4000, RAM_LEN - 0x4000);
	expect(vblk_accept(rig.dev, vblk_features(rig.dev)), VBLK_OK);
	expect(vblk_queue_start(rig.dev, 0, &a, NULL, NULL), VBLK_OK);
	expect(poll_queue(0), VBLK_EGUEST);
	ck_assert_str_eq(vblk_guest_fault(rig.dev), "2.8");
}
END_TEST

/* The ring across regions, and the dirty bits of what is written there. */
START_TEST(spec_2_8__ring_spans_regions)
{
	struct vblk_config c = packed(0);
	uint8_t dirty[2][8] = { { 0 }, { 0 } };

	rig_open_bare(&c);
	(void)ram_new(RAM, RAM_LEN);
	rig.ring[0].size = 8;
	rig.ring[0].desc = RAM + 0x1000 - 64;
	expect(give_as(RAM, 0x1000, VBLK_RW, dirty[0]), VBLK_OK);
	expect(give_as(RAM + 0x1000, RAM_LEN - 0x1000, VBLK_RW, NULL), VBLK_OK);
	expect(vblk_accept(rig.dev, vblk_features(rig.dev)), VBLK_OK);
	start_queue(0);
	drv_reset();
	expect(poll_queue(0), 0);
	expect(dirty[0][0], 0);
	for (unsigned i = 0; i < 9; i++)
		there_and_back();
	expect(dirty[0][0], 1);
}
END_TEST

/* Besides data and status: id, len, flags of used descriptors, its events. */
START_TEST(spec_2_8__device_writes_only_used_descriptors)
{
	struct vblk_config c = packed(0);
	uint8_t *before = malloc(RAM_LEN);
	struct op o;

	ck_assert_ptr_nonnull(before);
	up(&c, 8);
	for (unsigned lap = 0; lap < 6; lap++) {
		uint64_t at = drv.desc + 16u * drv.used;

		o = ask_packed(lap, SECTOR);
		memcpy(before, ram_at(RAM), RAM_LEN);
		expect(poll_queue(0), 1);
		done(0, 0, VBLK_S_OK);
		(void)vblk_irq(rig.dev, 0);
		for (uint64_t i = 0; i < RAM_LEN; i++) {
			uint64_t gpa = RAM + i;
			bool ours = (gpa >= at + 8 && gpa < at + 16) ||
				    (gpa >= drv.its && gpa < drv.its + 4) ||
				    gpa == o.status;

			check_that(ours || before[i] == *ram_at(gpa),
				   "lap %u: 0x%" PRIx64 " was written", lap,
				   gpa);
		}
		is_used(o.head, SECTOR + 1);
	}
	free(before);
}
END_TEST

/* Header, table and data come when they are missed; the ring stays as it is. */
START_TEST(trust__fetch_on_demand)
{
	struct vblk_config c = packed(0);
	unsigned maps = 0;
	struct op o;
	int n;

	c.on_demand = true;
	c.regions = 16;
	c.slots = 1;
	rig_open_bare(&c);
	(void)ram_new(RAM, RAM_LEN);
	rig.ring[0].size = 8;
	expect(vblk_accept(rig.dev, vblk_features(rig.dev)), VBLK_OK);
	start_queue(0);
	drv_reset();
	o = ask_packed(9, SECTOR);
	while ((n = poll_queue(0)) == VBLK_EUNMAPPED && maps < 20) {
		/* the one slot waits for memory, not for the store */
		expect(vblk_full(rig.dev, 0), false);
		expect(give_missing(0), true);
		maps++;
	}
	expect(n, 1);
	expect(rig.req[0].sector, 9);
	check_that(maps >= 5, "expected 5 mappings at least, came %u", maps);
	done(0, 0, VBLK_S_OK);
	(void)vblk_irq(rig.dev, 0);
	is_used(o.head, SECTOR + 1);
}
END_TEST

/* --- 6, IN_ORDER ---------------------------------------------------------- */

START_TEST(spec_6__in_order)
{
	struct vblk_config c = packed(VBLK_F_IN_ORDER);
	static const uint8_t order[] = { 2, 0, 3, 1, 4 };
	static const uint8_t used_after[] = { 0, 1, 1, 4, 5 };
	struct op o[5];
	unsigned seen = 0;

	if (_i == 1)
		c.features &= ~VBLK_F_RING_PACKED;
	up(&c, 16);
	for (unsigned i = 0; i < 5; i++)
		o[i] = _i ? ask(0, VBLK_T_IN, i, SECTOR)
			  : ask_packed(i, SECTOR);
	expect(poll_queue(0), 5);
	for (unsigned i = 0; i < 5; i++) {
		done(0, order[i], VBLK_S_OK);
		/* the status byte is there; the buffer is not */
		expect(status_of(o[order[i]]), VBLK_S_OK);
		(void)vblk_irq(rig.dev, 0);
		for (; seen < used_after[i]; seen++)
			_i ? used_is(0, o[seen].head, SECTOR + 1)
			   : is_used(o[seen].head, SECTOR + 1);
		_i ? used_none(0) : none_used();
	}
}
END_TEST

/* What the device answers by itself waits too, and slots are all in use. */
START_TEST(spec_6__in_order_behind_a_slow_one)
{
	struct vblk_config c = packed(VBLK_F_IN_ORDER);
	struct buf id[] = { OUT(DATA + 0x8000, 16), IN(DATA + 0x8200, 20),
			    IN(DATA + 0x8400, 1) };
	struct op slow;
	uint16_t ids[2];

	c.slots = 3;
	up(&c, 16);
	slow = ask_packed(0, SECTOR);
	put_header(DATA + 0x8000, VBLK_T_GET_ID, 0);
	ids[0] = offer_packed(id, 3);
	ids[1] = offer_packed(id, 3);
	expect(poll_queue(0), 1);
	(void)vblk_irq(rig.dev, 0);
	none_used();
	expect(vblk_full(rig.dev, 0), true);
	(void)ask_packed(0, 0);
	expect(poll_queue(0), 0);
	done(0, 0, VBLK_S_OK);
	expect(vblk_full(rig.dev, 0), false);
	(void)vblk_irq(rig.dev, 0);
	is_used(slow.head, SECTOR + 1);
	is_used(ids[0], 21);
	is_used(ids[1], 21);
	expect(poll_queue(0), 1);
	done(0, 0, VBLK_S_OK);
	expect(vblk_queue_stop(rig.dev, 0, NULL), VBLK_OK);
}
END_TEST

/* --- the log -------------------------------------------------------------- */

#define QSIZE 12u

static struct {                 /* as vhost-user has it */
	uint64_t features;
	uint16_t version, desc_num, free_head, old_free_head;
	uint16_t used_idx, old_used_idx;
	uint8_t  used_wrap, old_used_wrap, padding[10];
	struct {
		uint8_t  inflight, padding;
		uint16_t next, last, num;
		uint64_t counter;
		uint16_t id, flags;
		uint32_t len;
		uint64_t addr;
	} e[QSIZE];
} log_, saved_log;

#define LOG ((struct vblk_inflight *)(void *)&log_)

static struct op op[64];

static struct vblk_config logged(void)
{
	struct vblk_config c = packed(0);

	c.queue_size = 16;
	c.slots = 8;
	return c;
}

static void start_with_log(void)
{
	struct vblk_queue_addr a = addr_of(0);

	expect(vblk_queue_start(rig.dev, 0, &a, NULL, LOG), VBLK_OK);
}

static void first_life(unsigned requests)
{
	struct vblk_config c = logged();

	memset(&log_, 0, sizeof(log_));
	rig_open(&c);
	rig.ring[0].size = QSIZE;
	expect(vblk_accept(rig.dev, vblk_features(rig.dev)), VBLK_OK);
	start_with_log();
	drv_reset();
	for (unsigned i = 0; i < requests; i++)
		op[i] = ask_packed(i, SECTOR);
}

/* The back end is gone; guest memory and log stay. */
static void crash(void)
{
	struct vblk_config c = logged();

	rig_again(&c);
	give(RAM, RAM_LEN);
	expect(vblk_accept(rig.dev, vblk_features(rig.dev)), VBLK_OK);
}

/* Executes these sectors, in this order, and no other; all come back once. */
static void second_life(const char *sectors, unsigned from, unsigned to)
{
	int n;

	start_with_log();
	n = poll_queue(0);
	expect(n, strlen(sectors));
	for (int i = 0; i < n; i++)
		check_that(rig.req[i].sector == (uint64_t)(sectors[i] - '0'),
			   "request %d: expected sector %c, came %" PRIu64, i,
			   sectors[i], rig.req[i].sector);
	for (int i = n; i-- > 0;)
		done(0, i, VBLK_S_OK);
	(void)vblk_irq(rig.dev, 0);
	for (unsigned i = from; i < to; i++) {
		uint16_t id = 0;
		uint32_t len = 0;
		bool wrote;

		check_that(used_packed(&id, &len, &wrote),
			   "expected %u buffers back, came %u", to - from,
			   i - from);
		expect(len, SECTOR + 1);
		drv.len[id] |= 0x4000;  /* not twice: the driver would see */
		expect(drv.used < drv.size, true);
		drv.len[id] &= 0x3fff;
	}
	none_used();
	for (unsigned i = 0; i < QSIZE; i++)
		expect(log_.e[i].inflight, 0);
	for (unsigned i = 0; i < 2u * QSIZE; i++)
		there_and_back();
}

START_TEST(life__log_layout)
{
	first_life(0);
	expect(vblk_inflight_size(QSIZE, VBLK_F_RING_PACKED), sizeof(log_));
	expect(vblk_inflight_size(32768, VBLK_F_RING_PACKED), 32 + 32 * 32768);
	expect(poll_queue(0), 0);
	expect(log_.version, 1);
	expect(log_.desc_num, QSIZE);
	expect(log_.used_wrap, 1);
	op[0] = ask_packed(0, SECTOR);
	op[1] = ask_packed(1, SECTOR);
	expect(vblk_poll(rig.dev, 0, rig.req, 1), 1);
	expect(log_.e[0].inflight, 1);
	expect(log_.e[0].num, 3);
	expect(log_.e[0].last, 2);
	expect(log_.e[0].addr, op[0].header);
	expect(log_.e[1].addr, op[0].data);
	expect(log_.e[1].len, SECTOR);
	expect(log_.e[1].flags & 3, NEXT | WRITE);
	expect(log_.e[2].id, op[0].head);
	expect(log_.free_head, 3);
	expect(log_.old_free_head, 3);
	expect(vblk_poll(rig.dev, 0, &rig.req[1], 1), 1);
	expect(log_.e[3].counter > log_.e[0].counter, true);
	done(0, 1, VBLK_S_OK);
	expect(log_.used_idx, 0);
	expect(log_.e[3].inflight, 1);
	(void)vblk_irq(rig.dev, 0);
	expect(log_.used_idx, 3);
	expect(log_.old_used_idx, 3);
	expect(log_.e[3].inflight, 0);
	expect(log_.free_head, 3);
	expect(log_.e[5].next, 6);
	done(0, 0, VBLK_S_OK);
	expect(vblk_queue_stop(rig.dev, 0, NULL), VBLK_OK);
	expect(vblk_inflight_empty(LOG, QSIZE, VBLK_F_RING_PACKED), true);
}
END_TEST

START_TEST(life__crash_while_in_flight)
{
	first_life(4);
	expect(vblk_poll(rig.dev, 0, rig.req, (size_t)_i), _i);
	crash();
	second_life("0123", 0, 4);
}
END_TEST

/* Elements of a batch that was not shown lie in the ring: not to be found. */
START_TEST(life__crash_before_the_batch_is_shown)
{
	first_life(4);
	expect(poll_queue(0), 4);
	done(0, 2, VBLK_S_OK);
	done(0, 0, VBLK_S_OK);
	done(0, 3, VBLK_S_OK);
	crash();
	none_used();
	start_with_log();
	expect(poll_queue(0), 4);
	done(0, 1, VBLK_S_OK);
	(void)vblk_irq(rig.dev, 0);
	is_used(op[1].head, SECTOR + 1);
	none_used();
	crash();
	second_life("023", 1, 4);
}
END_TEST

/* Entries from free_head on. */
static unsigned free_entries(void)
{
	unsigned n = 0;

	for (uint16_t i = log_.free_head; i < QSIZE && n <= QSIZE; n++)
		i = log_.e[i].next;
	return n;
}

/* The third of three requests waits for the memory of its data. */
static uint64_t one_waits(void)
{
	struct vblk_config c = logged();
	uint64_t there;

	c.on_demand = true;
	c.regions = 16;
	memset(&log_, 0, sizeof(log_));
	rig_open_bare(&c);
	(void)ram_new(RAM, RAM_LEN);
	rig.ring[0].size = QSIZE;
	expect(vblk_accept(rig.dev, vblk_features(rig.dev)), VBLK_OK);
	start_with_log();
	drv_reset();
	for (unsigned i = 0; i < 3; i++)
		op[i] = ask_packed(i, SECTOR);
	there = (op[2].data - RAM) & ~UINT64_C(15);
	give(RAM, there);
	expect(poll_queue(0), 2);
	done(0, 0, VBLK_S_OK);
	(void)vblk_irq(rig.dev, 0);
	is_used(op[0].head, SECTOR + 1);
	return there;
}

/* Its copy lies among the free entries that batches come in front of. */
START_TEST(life__batch_is_shown_while_a_chain_waits_for_memory)
{
	uint64_t there = one_waits();

	expect(free_entries(), QSIZE - 3u);
	if (_i == 1) {
		done(0, 1, VBLK_S_OK);
		(void)vblk_irq(rig.dev, 0);
		is_used(op[1].head, SECTOR + 1);
		expect(free_entries(), QSIZE);
	}
	give(RAM + there, RAM_LEN - there);
	expect(vblk_poll(rig.dev, 0, &rig.req[2], 1), 1);
	expect(rig.req[2].sector, 2);
	expect(free_entries(), QSIZE - (_i == 1 ? 3u : 6u));
	done(0, 2, VBLK_S_OK);
	if (_i == 0)
		done(0, 1, VBLK_S_OK);
	(void)vblk_irq(rig.dev, 0);
	is_used(op[2].head, SECTOR + 1);
	if (_i == 0)
		is_used(op[1].head, SECTOR + 1);
	expect(free_entries(), QSIZE);
	for (unsigned i = 0; i < 2u * QSIZE; i++)
		there_and_back();
}
END_TEST

/* The free entries lead nowhere, or round: that life goes on none the less. */
START_TEST(trust__log_is_spoiled_while_a_chain_waits_for_memory)
{
	uint64_t there = one_waits();

	if (_i == 0)
		log_.free_head = QSIZE;
	else
		log_.e[log_.free_head].next = log_.free_head;
	give(RAM + there, RAM_LEN - there);
	expect(vblk_poll(rig.dev, 0, &rig.req[2], 1), 1);
	expect(rig.req[2].sector, 2);
	done(0, 2, VBLK_S_OK);
	(void)vblk_irq(rig.dev, 0);
	is_used(op[2].head, SECTOR + 1);
}
END_TEST

/* After each store of publishing, in the order of inflight_packed.c. */
START_TEST(life__crash_while_the_batch_is_shown)
{
	unsigned step = (unsigned)_i % 9;
	unsigned laps = (unsigned)_i / 9;
	uint16_t first;
	uint64_t at;

	first_life(0);
	for (unsigned i = 0; i < laps; i++)
		there_and_back();
	for (unsigned i = 0; i < 4; i++)
		op[i] = ask_packed(i, SECTOR);
	expect(poll_queue(0), 4);
	done(0, 2, VBLK_S_OK);
	done(0, 0, VBLK_S_OK);
	at = drv.desc + 16u * drv.used + 14;
	first = get16(at);
	saved_log = log_;
	(void)vblk_irq(rig.dev, 0);
	/* back to how it was after `step` stores */
	if (step < 1) /* the link behind the batch, which nobody reads */
		memcpy(log_.e, saved_log.e, sizeof(log_.e));
	if (step < 2)
		log_.free_head = saved_log.free_head;
	if (step < 3) {
		log_.used_idx = saved_log.used_idx;
		log_.used_wrap = saved_log.used_wrap;
		memcpy(&log_.padding[2], &saved_log.padding[2], 2);
	}
	if (step < 4)
		put16(at, first);
	for (unsigned i = 0; i < QSIZE; i++)
		if (step < 5 || (step < 6 && i == saved_log.e[i].last - 2u))
			log_.e[i].inflight = saved_log.e[i].inflight;
	if (step < 7)
		log_.old_free_head = saved_log.old_free_head;
	if (step < 8) {
		log_.old_used_idx = saved_log.old_used_idx;
		log_.old_used_wrap = saved_log.old_used_wrap;
		memcpy(&log_.padding[4], &saved_log.padding[4], 2);
	}
	crash();
	second_life(step < 4 ? "0123" : "13", 0, 4);
}
END_TEST

/* The driver has taken the batch and filled the ring again. */
START_TEST(life__crash_after_the_driver_went_on)
{
	first_life(4);
	expect(poll_queue(0), 4);
	done(0, 0, VBLK_S_OK);
	done(0, 1, VBLK_S_OK);
	saved_log = log_;
	(void)vblk_irq(rig.dev, 0);
	log_.old_free_head = saved_log.old_free_head;
	log_.old_used_idx = saved_log.old_used_idx;
	memcpy(&log_.padding[4], &saved_log.padding[4], 2);
	is_used(op[0].head, SECTOR + 1);
	is_used(op[1].head, SECTOR + 1);
	op[4] = ask_packed(4, SECTOR);
	op[5] = ask_packed(5, SECTOR);
	crash();
	second_life("2345", 2, 6);
}
END_TEST

/* Random steps, random crashes; each buffer comes back exactly once. */
START_TEST(life__crash_anywhere)
{
	uint64_t seed = 0xbac0000u + (unsigned)_i;
	unsigned asked = 0, back = 0, ended[64] = { 0 };

	first_life(0);
	for (unsigned life = 0; life < 8; life++) {
		int tag[8], n = 0;

		for (uint64_t left = chance(&seed) % 16 + 1; left > 0; left--) {
			uint64_t r = chance(&seed);
			uint16_t id;
			uint32_t len;
			bool wrote;

			if (r % 5 == 0 && asked < 64 &&
			    3u * (asked - back + 1u) <= QSIZE) {
				op[asked] = ask_packed(asked, SECTOR);
				asked++;
			} else if (r % 5 == 1) {
				int m = vblk_poll(rig.dev, 0, rig.req, 1);

				check_that(m >= 0, "seed 0x%x: poll %d",
					   0xbac0000u + (unsigned)_i, m);
				if (m == 1)
					tag[n++] = rig.req[0].tag;
			} else if (r % 5 == 2 && n > 0) {
				int k = (int)(r >> 8 & 7) % n;

				expect(vblk_complete(rig.dev, 0,
						     (vblk_tag)tag[k],
						     VBLK_S_OK, 512),
				       VBLK_OK);
				tag[k] = tag[--n];
			} else if (r % 5 == 3) {
				(void)vblk_irq(rig.dev, 0);
			} else if (used_packed(&id, &len, &wrote)) {
				check_that(id < asked, "seed 0x%x: id %u",
					   0xbac0000u + (unsigned)_i, id);
				ended[id]++;
				back++;
			}
		}
		crash();
		start_with_log();
	}
	for (int m; (m = poll_queue(0)) != 0;) {
		check_that(m > 0, "seed 0x%x: poll %d",
			   0xbac0000u + (unsigned)_i, m);
		while (m > 0)
			done(0, --m, VBLK_S_OK);
		(void)vblk_irq(rig.dev, 0);
	}
	for (uint16_t id; asked > back;) {
		uint32_t len;
		bool wrote;

		if (!used_packed(&id, &len, &wrote))
			break;
		ended[id]++;
		back++;
	}
	none_used();
	for (unsigned i = 0; i < asked; i++)
		check_that(ended[i] == 1,
			   "seed 0x%x: request %u of %u: expected 1 "
			   "completion, came %u",
			   0xbac0000u + (unsigned)_i, i, asked, ended[i]);
}
END_TEST

/* --- a log that lies ------------------------------------------------------ */

START_TEST(life__log_that_contradicts_itself)
{
	first_life(3);
	expect(poll_queue(0), 3);
	done(0, 1, VBLK_S_OK);
	(void)vblk_irq(rig.dev, 0);
	switch (_i) {
	case 0: log_.e[log_.free_head].next = log_.free_head; break;
	case 1: log_.e[0].num = 0; break;
	case 2: log_.e[0].num = QSIZE; break;
	case 3: log_.old_free_head = log_.free_head = 0xffff; break;
	case 4: memset(&log_.padding[2], 0xff, 4); break;
	case 5: log_.e[2].inflight = 1; break;
	case 6:
		log_.padding[2] = log_.padding[4] = (uint8_t)(QSIZE + 1u);
		break;
	case 7: /* shown, and then goes on outside */
		log_.padding[2] = (uint8_t)(QSIZE + 1u);
		log_.padding[4] = 0;
		break;
	default: log_.e[6].inflight = 0; break;
	}
	crash();
	start_with_log();
	expect(poll_queue(0), VBLK_EGUEST);
	ck_assert_str_eq(vblk_guest_fault(rig.dev), "2.8");
}
END_TEST

START_TEST(life__idle_before_all_is_replayed)
{
	first_life(3);
	expect(poll_queue(0), 3);
	crash();
	start_with_log();
	expect(vblk_poll(rig.dev, 0, rig.req, 1), 1);
	expect(vblk_poll_idle(rig.dev, 0), false);
	expect(vblk_poll(rig.dev, 0, &rig.req[1], 2), 2);
	expect(vblk_poll_idle(rig.dev, 0), true);
}
END_TEST

START_TEST(life__chain_of_the_log_leads_outside)
{
	first_life(2);
	expect(poll_queue(0), 2);
	log_.e[0].next = 0xffff;
	crash();
	start_with_log();
	expect(poll_queue(0), VBLK_EGUEST);
	ck_assert_str_eq(vblk_guest_fault(rig.dev), "2.8.6");
}
END_TEST

/* Cleared by somebody while the first of two waits for its memory. */
START_TEST(life__log_that_forgets_what_is_replayed)
{
	struct vblk_config c = logged();

	first_life(2);
	expect(poll_queue(0), 2);
	c.on_demand = true;
	c.regions = 16;
	rig_again(&c);
	expect(vblk_accept(rig.dev, vblk_features(rig.dev)), VBLK_OK);
	start_with_log();
	give(RAM, DATA - RAM);          /* the rings */
	expect(poll_queue(0), VBLK_EUNMAPPED);
	give(DATA, 16);                 /* the header */
	expect(poll_queue(0), VBLK_EUNMAPPED);
	log_.e[0].inflight = log_.e[3].inflight = 0;
	while (give_missing(0))
		;
	expect(vblk_poll(rig.dev, 0, rig.req, 1), 1);
	expect(poll_queue(0), VBLK_EGUEST);
	ck_assert_str_eq(vblk_guest_fault(rig.dev), "2.8");
}
END_TEST

/* What links the entries of a batch is another's, before and after put. */
START_TEST(life__batch_is_spoiled)
{
	first_life(3);
	expect(poll_queue(0), 3);
	if (_i == 0)
		log_.e[0].last = 0xffff;
	done(0, 0, VBLK_S_OK);
	done(0, 1, VBLK_S_OK);
	switch (_i) {
	case 1: log_.e[3].last = 0xffff; break;
	case 2: log_.e[5].next = 0xffff; break;
	case 3: /* round and round */
		log_.e[3].last = 4;
		log_.e[4].next = 3;
		break;
	case 4: log_.e[6].last = 0xffff; break;
	default: break;
	}
	(void)vblk_irq(rig.dev, 0);
	is_used(op[0].head, SECTOR + 1);
	is_used(op[1].head, SECTOR + 1);
	done(0, 2, VBLK_S_OK);
	(void)vblk_irq(rig.dev, 0);
	is_used(op[2].head, SECTOR + 1);
}
END_TEST

/* Spoiled between the look at a chain and its being taken. */
START_TEST(life__last_is_spoiled_while_a_chain_waits)
{
	struct vblk_config c = logged();

	memset(&log_, 0, sizeof(log_));
	c.on_demand = true;
	c.regions = 16;
	rig_open_bare(&c);
	(void)ram_new(RAM, RAM_LEN);
	rig.ring[0].size = QSIZE;
	expect(vblk_accept(rig.dev, vblk_features(rig.dev)), VBLK_OK);
	start_with_log();
	drv_reset();
	give(RAM, DATA - RAM);
	op[0] = ask_packed(0, SECTOR);
	expect(poll_queue(0), VBLK_EUNMAPPED);
	give(DATA, 16);
	expect(poll_queue(0), VBLK_EUNMAPPED);
	log_.e[0].last = 0xffff;
	while (give_missing(0))
		;
	expect(poll_queue(0), 1);
	done(0, 0, VBLK_S_OK);
	(void)vblk_irq(rig.dev, 0);
	is_used(op[0].head, SECTOR + 1);
}
END_TEST

/* Who else maps it may write it at any time; we stay inside it. */
START_TEST(life__log_changed_under_us)
{
	uint64_t seed = 0x10600u + (unsigned)_i;

	first_life(0);
	for (unsigned k = 0; k < 300; k++) {
		uint64_t r = chance(&seed);
		int n;

		if (r % 3 == 0 && drv.id < 60000)
			(void)ask_packed(0, SECTOR);
		((uint8_t *)&log_)[r / 8 % sizeof(log_)] = (uint8_t)(r >> 32);
		n = vblk_poll(rig.dev, 0, rig.req, RIG_REQS);
		if (n == VBLK_EGUEST || r % 16 == 1) {
			for (uint16_t t = 0; t < 8; t++)
				(void)vblk_complete(rig.dev, 0, t, VBLK_S_OK,
						    0);
			crash();
			log_.version = 1;
			log_.desc_num = QSIZE;
			start_with_log();
			continue;
		}
		for (int i = 0; i < n; i++)
			done(0, i, VBLK_S_OK);
		(void)vblk_irq(rig.dev, 0);
	}
}
END_TEST

static void add(TCase *tc)
{
	tcase_add_test(tc, spec_2_8_1__wrap_counters);
	tcase_add_test(tc, spec_2_8_5__sizes_from_1_to_32768);
	tcase_add_test(tc, spec_2_8__requests_come_in_order_and_go_in_any);
	tcase_add_test(tc, spec_2_8_9__any_buffer_id);
	tcase_add_loop_test(tc, spec_2_8_6__chain_without_an_end, 0, 2);
	tcase_add_loop_test(tc, trust__broken_chain_is_contained, 0, 2);
	tcase_add_test(tc, spec_2_8_1__driver_that_laps);
	tcase_add_test(tc, spec_2_8_8__table);
	tcase_add_test(tc, spec_2_8_8__bad_tables);
	tcase_add_loop_test(tc, spec_2_8_8__indirect_where_it_may_not_be, 0, 3);
	tcase_add_test(tc, spec_2_8_10__driver_flags);
	tcase_add_loop_test(tc, spec_2_8_10__descriptor_event, 0, 14);
	tcase_add_test(tc, spec_2_8_10__device_flags_while_polling);
	tcase_add_test(tc, spec_2_8_10__device_event);
	tcase_add_test(tc, spec_2_8__first_interrupt_after_a_restart);
	tcase_add_test(tc, spec_2_8__positions_that_cannot_be);
	tcase_add_test(tc, spec_2_8_10__bad_areas);
	tcase_add_test(tc, spec_2_8__ring_spans_regions);
	tcase_add_test(tc, spec_2_8__device_writes_only_used_descriptors);
	tcase_add_test(tc, trust__fetch_on_demand);
	tcase_add_loop_test(tc, spec_6__in_order, 0, 2);
	tcase_add_test(tc, spec_6__in_order_behind_a_slow_one);
	tcase_add_test(tc, life__log_layout);
	tcase_add_loop_test(tc, life__crash_while_in_flight, 0, 5);
	tcase_add_test(tc, life__crash_before_the_batch_is_shown);
	tcase_add_loop_test(
		tc, life__batch_is_shown_while_a_chain_waits_for_memory, 0, 2);
	tcase_add_loop_test(
		tc, trust__log_is_spoiled_while_a_chain_waits_for_memory, 0, 2);
	tcase_add_loop_test(tc, life__crash_while_the_batch_is_shown, 0, 45);
	tcase_add_test(tc, life__crash_after_the_driver_went_on);
	tcase_add_loop_test(tc, life__crash_anywhere, 0, 200);
	tcase_add_loop_test(tc, life__log_that_contradicts_itself, 0, 9);
	tcase_add_test(tc, life__idle_before_all_is_replayed);
	tcase_add_test(tc, life__last_is_spoiled_while_a_chain_waits);
	tcase_add_test(tc, life__chain_of_the_log_leads_outside);
	tcase_add_test(tc, life__log_that_forgets_what_is_replayed);
	tcase_add_loop_test(tc, life__batch_is_spoiled, 0, 5);
	tcase_add_loop_test(tc, life__log_changed_under_us, 0, 50);
}

int main(void)
{
	return run_suite("packed", add);
}

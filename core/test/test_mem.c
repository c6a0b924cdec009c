/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest memory: regions that come and go, dirty bitmaps, mapping on demand. */
#include "util.h"

#define SECTOR 512u
#define PAGE   4096u

static struct vblk_config on_demand(void)
{
	struct vblk_config c = plain();

	c.features |= VBLK_F_INDIRECT_DESC;
	c.on_demand = true;
	c.segs = 4;
	c.regions = 9;          /* 3 rings, 4 data, status, header */
	return c;
}

/* Guest memory is there; the device knows none of it. */
static void demand_start(const struct vblk_config *c)
{
	rig_open_bare(c);
	(void)ram_new(RAM, RAM_LEN);
	expect(vblk_accept(rig.dev, vblk_features(rig.dev)), VBLK_OK);
	for (uint16_t i = 0; i < vblk_configuration(rig.dev)->num_queues; i++)
		start_queue(i);
}

static void page_in(uint64_t gpa)
{
	expect(give_as(gpa & ~(uint64_t)(PAGE - 1), PAGE, VBLK_RW, NULL),
	       VBLK_OK);
}

static void rings_in(void)
{
	expect(poll_queue(0), VBLK_EUNMAPPED);
	page_in(RAM);
	page_in(RAM + 0x4000);
	page_in(RAM + 0x5000);
	expect(poll_queue(0), 0);
}

/* What is missing, page by page, as a port would. Returns how many maps. */
static int map_all(uint16_t queue)
{
	struct vblk_range r;
	int n = 0;

	for (; vblk_missing(rig.dev, queue, &r, 1) == 1; n++) {
		struct vblk_region old;
		int e;

		check_that(n < 64, "expected an end of what is missing");
		check_that(r.len > 0 && r.len - 1 <= ~r.gpa,
			   "missing: expected a range, came 0x%" PRIx64
			   " + 0x%" PRIx64,
			   r.gpa, r.len);
		e = give_as(r.gpa & ~(uint64_t)(PAGE - 1), PAGE, VBLK_RW, NULL);
		if (e == VBLK_ENOSPC) {
			expect(vblk_mem_evict(rig.dev, &old), true);
			e = give_as(r.gpa & ~(uint64_t)(PAGE - 1), PAGE,
				    VBLK_RW, NULL);
		}
		expect(e, VBLK_OK);
	}
	return n;
}

/* --- adding -------------------------------------------------------------- */

START_TEST(mem__bad_regions)
{
	struct vblk_config c = plain();
	struct vblk_region good, r;

	rig_open(&c);
	(void)ram_new(0x10000, 0x10000);
	good.gpa = 0x10000;
	good.len = 0x1000;
	good.host = ram_at(0x10000);
	good.dirty = NULL;
	good.perm = VBLK_RW;
#define BAD(field, value, err) \
	do { \
		r = good; \
		r.field = (value); \
		expect(vblk_mem_add(rig.dev, &r), err); \
	} while (0)
	BAD(len, 0, VBLK_EINVAL);
	BAD(len, 8, VBLK_EINVAL);
	BAD(gpa, 0x10008, VBLK_EINVAL);
	BAD(host, ram_at(0x10004), VBLK_EINVAL);
	BAD(host, NULL, VBLK_EINVAL);
	BAD(host, (void *)(UINTPTR_MAX - 15), VBLK_EINVAL); /* its end wraps */
	BAD(perm, 0, VBLK_EINVAL);
	BAD(perm, VBLK_TRANSIENT, VBLK_EINVAL);
	BAD(gpa, UINT64_MAX - 0xffe, VBLK_EINVAL);
	BAD(gpa, UINT64_MAX - 0xfef, VBLK_EINVAL); /* wraps by 16 */
	BAD(len, UINT64_MAX - 15, VBLK_EINVAL);
	BAD(gpa, RAM, VBLK_EINVAL);
	BAD(gpa, RAM + RAM_LEN - 16, VBLK_EINVAL);
	BAD(gpa, RAM - 16, VBLK_EINVAL);
	BAD(len, RAM, VBLK_EINVAL);     /* overlaps from below */
#undef BAD
	expect(vblk_mem_add(rig.dev, &good), VBLK_OK);
	expect(vblk_mem_add(rig.dev, &good), VBLK_EINVAL);
	good.gpa = UINT64_MAX - 0xfff;
	expect(vblk_mem_add(rig.dev, &good), VBLK_OK);
	good.gpa = RAM - 0x1000;
	expect(vblk_mem_add(rig.dev, &good), VBLK_OK);
	good.gpa = RAM + RAM_LEN;
	expect(vblk_mem_add(rig.dev, &good), VBLK_OK);
	for (unsigned i = 0; i < 3; i++) {      /* 8 in all */
		good.gpa = 0x100000 + 0x1000 * i;
		expect(vblk_mem_add(rig.dev, &good), VBLK_OK);
	}
	good.gpa = 0x200000;
	expect(vblk_mem_add(rig.dev, &good), VBLK_ENOSPC);
}
END_TEST

START_TEST(mem__empty_range_overlaps_nothing)
{
	struct vblk_config c = plain();
	struct vblk_region r;

	rig_start(&c);
	(void)ask(0, VBLK_T_IN, 0, SECTOR);
	expect(poll_queue(0), 1);
	expect(vblk_mem_revoke(rig.dev, RAM + 0x1000, 0), VBLK_OK);
	expect(vblk_mem_idle(rig.dev, RAM + 0x1000, 0), true);
	expect(vblk_mem_reap(rig.dev, &r), false);
	expect(vblk_needs_reset(rig.dev), false);
}
END_TEST

/* A table in any order finds each byte's host address. */
START_TEST(mem__translation_through_many_regions)
{
	struct vblk_config c = plain();
	struct buf b[3];
	uint64_t at = DATA, sum = 0;

	c.regions = 40;
	c.segs = 40;
	rig_open(&c);
	/* 33 pages behind RAM in shuffled order; each with its own host page */
	for (unsigned i = 0; i < 33; i++) {
		uint64_t gpa = RAM + RAM_LEN + PAGE * ((i * 10u) % 33u);

		(void)ram_new(gpa, PAGE);
		give(gpa, PAGE);
	}
	start_queue(0);
	put_header(at, VBLK_T_IN, 0);
	b[0] = (struct buf)OUT(at, 16);
	/* offset in the first page, so that a page more than len/4096 is hit */
	b[1] = (struct buf)IN(RAM + RAM_LEN + 100, 32 * PAGE);
	b[2] = (struct buf)IN(at + 16, 1);
	offer(0, chain(0, b, 3));
	expect(poll_queue(0), 1);
	expect(rig.req[0].num_segs, 33);
	for (unsigned i = 0; i < 33; i++) {
		const struct vblk_seg *s = &rig.req[0].seg[i];

		ck_assert_ptr_eq(s->host, ram_at(RAM + RAM_LEN + 100 + sum));
		expect(s->len, i == 0 ? PAGE - 100 : i == 32 ? 100 : PAGE);
		sum += s->len;
	}
	expect(sum, 32 * PAGE);
	done(0, 0, VBLK_S_OK);
	/* one byte more than is there */
	b[1].gpa++;
	b[1].gpa += 4096 - 100;
	offer(0, chain(0, b, 3));
	expect(poll_queue(0), 0);
	expect(get8(at + 16), VBLK_S_IOERR);
}
END_TEST

/* Segments run out while the ranges did not. */
START_TEST(mem__more_mappings_than_segments)
{
	struct vblk_config c = plain();
	struct buf b[3];

	c.segs = 2;
	rig_open(&c);
	for (unsigned i = 0; i < 3; i++) {
		(void)ram_new(RAM + RAM_LEN + i * PAGE, PAGE);
		give(RAM + RAM_LEN + i * PAGE, PAGE);
	}
	start_queue(0);
	put_header(DATA, VBLK_T_IN, 0);
	b[0] = (struct buf)OUT(DATA, 16);
	b[1] = (struct buf)IN(RAM + RAM_LEN + 2048, 2 * PAGE);
	b[2] = (struct buf)IN(DATA + 16, 1);
	offer(0, chain(0, b, 3));
	expect(poll_queue(0), 0);
	expect(get8(DATA + 16), VBLK_S_IOERR);
	expect(vblk_mem_idle(rig.dev, RAM + RAM_LEN, 3 * PAGE), true);
}
END_TEST

/* Header and status astride regions. */
START_TEST(mem__header_across_regions)
{
	struct vblk_config c = plain();
	uint64_t edge = RAM + RAM_LEN;
	struct buf b[] = { OUT(edge - 5, 16), OUT(DATA, SECTOR),
			   IN(edge + 0x100, 1) };

	rig_open(&c);
	(void)ram_new(edge, PAGE);
	give(edge, PAGE);
	start_queue(0);
	put_header(edge - 5, VBLK_T_OUT, 77);
	offer(0, chain(0, b, 3));
	expect(poll_queue(0), 1);
	expect(rig.req[0].sector, 77);
	done(0, 0, VBLK_S_OK);
	expect(get8(edge + 0x100), 0);
}
END_TEST

/* --- going --------------------------------------------------------------- */

START_TEST(hal_MAP_4__revoked_region_drains)
{
	struct vblk_config c = plain();
	struct vblk_region r;
	struct op a, b;
	uint64_t extra = RAM + RAM_LEN;

	rig_start(&c);
	(void)ram_new(extra, PAGE);
	give(extra, PAGE);
	rig.next_buf = extra + 16;
	a = ask(0, VBLK_T_IN, 0, SECTOR);
	expect(poll_queue(0), 1);
	expect(vblk_mem_idle(rig.dev, extra, PAGE), false);
	expect(vblk_mem_idle(rig.dev, extra + PAGE, PAGE), true);
	expect(vblk_mem_revoke(rig.dev, extra + 8, 1), VBLK_EBUSY);
	expect(vblk_mem_revoke(rig.dev, extra + 8, 1), VBLK_EBUSY);
	expect(vblk_mem_reap(rig.dev, &r), false);
	expect(vblk_mem_evict(rig.dev, &r), false);
	expect(give_as(extra, PAGE, VBLK_RW, NULL), VBLK_EBUSY);
	/* nothing new uses it */
	rig.next_buf = DATA;
	b = ask(0, VBLK_T_IN, 0, SECTOR);
	put64(rig.ring[0].desc + 16u * (b.head + 1u), extra);
	expect(vblk_poll(rig.dev, 0, &rig.req[1], 1), 0);
	expect(status_of(b), VBLK_S_IOERR);
	done(0, 0, VBLK_S_OK);
	expect(vblk_mem_idle(rig.dev, extra, PAGE), true);
	expect(vblk_mem_reap(rig.dev, &r), true);
	expect(r.gpa, extra);
	expect(r.len, PAGE);
	ck_assert_ptr_eq(r.host, ram_at(extra));
	expect(vblk_mem_reap(rig.dev, &r), false);
	expect(give_as(extra, PAGE, VBLK_RW, NULL), VBLK_OK);
	(void)a;
	/* idle: at once */
	expect(vblk_mem_revoke(rig.dev, extra, PAGE), VBLK_OK);
	expect(vblk_mem_reap(rig.dev, &r), true);
}
END_TEST

START_TEST(hal_MAP_4__revoked_ring_faults_its_queue)
{
	struct vblk_config c = plain();
	struct vblk_region r;
	struct op o;

	c.num_queues = 2;
	rig_open_bare(&c);
	/*
	 * queue 0's areas in three regions of their own; revoke one each time
	 */
	(void)ram_new(RAM, 0x4000);
	(void)ram_new(RAM + 0x4000, 0x1000);
	(void)ram_new(RAM + 0x5000, 0x1000);
	(void)ram_new(RAM + 0x8000, 0x80000);
	give(RAM, 0x4000);
	give(RAM + 0x4000, 0x1000);
	give(RAM + 0x5000, 0x1000);
	give(RAM + 0x8000, 0x80000);
	start_queue(0);
	start_queue(1);
	o = ask(0, VBLK_T_IN, 0, SECTOR);
	expect(poll_queue(0), 1);
	expect(vblk_poll(rig.dev, 1, &rig.req[1], 1), 0);
	expect(vblk_mem_revoke(rig.dev,
			       RAM + (_i == 0	? 0
				      : _i == 1 ? 0x4000
						: 0x5000),
			       16),
	       VBLK_OK);
	expect(vblk_mem_reap(rig.dev, &r), true);
	expect(vblk_poll(rig.dev, 0, &rig.req[1], 1), VBLK_EGUEST);
	expect(vblk_needs_reset(rig.dev), true);
	ck_assert_str_eq(vblk_guest_fault(rig.dev), "2.7");
	/* what is in flight ends, but the ring is not touched */
	fill(r.gpa, 0x99, r.len);
	done(0, 0, VBLK_S_OK);
	expect(vblk_irq(rig.dev, 0), false);
	expect(status_of(o), VBLK_S_OK);
	all_are(r.gpa, 0x99, r.len);
	expect(vblk_queue_stop(rig.dev, 0, NULL), VBLK_OK);
	/* the other queue lives */
	(void)ask(1, VBLK_T_FLUSH, 0, 0);
	expect(poll_queue(1), 1);
}
END_TEST

START_TEST(hal_MAP_4__uses_do_not_wrap)
{
	struct vblk_config c = plain();
	static struct buf b[256];
	struct vblk_region r;
	uint64_t table = RAM + RAM_LEN;

	c.features |= VBLK_F_INDIRECT_DESC;
	c.queue_size = 512;
	c.segs = 254;
	rig_start(&c);
	(void)ram_new(table, 0x2000);
	give(table, 0x2000);
	put_header(DATA, VBLK_T_IN, 0);
	b[0] = (struct buf)OUT(DATA, 16);
	for (unsigned i = 0; i < 254; i++)
		b[1 + i] = (struct buf)IN(DATA + 0x1000 + 1024u * (i % 400),
					  SECTOR);
	b[255] = (struct buf)IN(DATA + 0x400, 1);
	/* rings 3, 256 requests of 255 and one of 253: 65536 uses */
	for (unsigned i = 0; i < 256; i++) {
		offer(0, chain_indirect(0, table, b, 256));
		expect(vblk_poll(rig.dev, 0, rig.req, 1), 1);
	}
	b[253] = b[255];
	offer(0, chain_indirect(0, table, b, 254));
	expect(vblk_poll(rig.dev, 0, rig.req, 1), 1);
	expect(vblk_mem_idle(rig.dev, RAM, RAM_LEN), false);
	expect(vblk_queue_stop(rig.dev, 0, NULL), VBLK_EBUSY);
	expect(vblk_mem_revoke(rig.dev, RAM, RAM_LEN), VBLK_EBUSY);
	expect(vblk_mem_reap(rig.dev, &r), false);
}
END_TEST

/* --- dirty bitmaps ------------------------------------------------------- */

START_TEST(mem__dirty_pages)
{
	struct vblk_config c = plain();
	uint8_t *dirty = calloc(1, 64);
	struct op o;

	ck_assert_ptr_nonnull(dirty);
	rig_open_bare(&c);
	(void)ram_new(RAM, RAM_LEN);
	expect(give_as(RAM, RAM_LEN, VBLK_RW, dirty), VBLK_OK);
	start_queue(0);
	expect(poll_queue(0), 0);
	memset(dirty, 0, 64);
#define DIRTY(gpa) (dirty[((gpa)-RAM) >> 15] >> (((gpa) >> 12) & 7) & 1)
	/* a read of 3 sectors over a page's end */
	rig.next_buf = DATA + 0x2000 - 16 - 16 - 1024;
	o = ask(0, VBLK_T_IN, 0, 3 * SECTOR);
	expect(poll_queue(0), 1);
	expect(DIRTY(o.data), 0);       /* not before it is done */
	done(0, 0, VBLK_S_OK);
	expect(DIRTY(o.data), 1);
	expect(DIRTY(o.data + 3 * SECTOR - 1), 1);
	expect(DIRTY(DATA + 0x3000), 0);
	expect(DIRTY(DATA), 0);
	expect(DIRTY(rig.ring[0].used), 1);     /* the element */
	expect(DIRTY(rig.ring[0].avail), 0);
	expect(DIRTY(rig.ring[0].desc), 0);
	memset(dirty, 0, 64);
	(void)vblk_irq(rig.dev, 0);
	expect(DIRTY(rig.ring[0].used), 1);     /* the index */
	/* a write dirties its status byte alone */
	memset(dirty, 0, 64);
	rig.next_buf = DATA + 0x8000 - 16 - 16 - 16 - 512 - 16;
	o = ask(0, VBLK_T_OUT, 0, SECTOR);
	expect(poll_queue(0), 1);
	done(0, 0, VBLK_S_OK);
	for (uint64_t p = RAM; p < RAM + RAM_LEN; p += PAGE)
		check_that(DIRTY(p) == (p == (o.status & ~(uint64_t)0xfff) ||
					p == rig.ring[0].used),
			   "page 0x%" PRIx64 " dirty %d", p, DIRTY(p));
	/* GET_ID */
	memset(dirty, 0, 64);
	rig.next_buf = DATA + 0x20000;
	o = ask(0, VBLK_T_GET_ID, 0, 20);
	expect(poll_queue(0), 0);
	expect(DIRTY(o.data), 1);
#undef DIRTY
	rig_close();
	free(dirty);
}
END_TEST

/* The bitmap's first byte is that of the region's own first pages. */
START_TEST(mem__dirty_of_a_region_in_the_middle)
{
	struct vblk_config c = plain();
	uint8_t dirty[3] = { 0, 0, 0 };
	uint64_t base = RAM + RAM_LEN + 0x5000; /* page 5 of its byte */
	struct op o;

	rig_start(&c);
	(void)ram_new(base, 4 * PAGE);
	expect(give_as(base, 4 * PAGE, VBLK_RW, dirty), VBLK_OK);
	o = ask(0, VBLK_T_IN, 0, 4 * PAGE);
	put64(rig.ring[0].desc + 16u * (o.head + 1u), base);
	expect(poll_queue(0), 1);
	done(0, 0, VBLK_S_OK);
	expect(dirty[0], 0xe0);
	expect(dirty[1], 0x01);
	expect(dirty[2], 0);
}
END_TEST

/* --- on demand ----------------------------------------------------------- */

START_TEST(mem__rings_on_demand)
{
	struct vblk_config c = on_demand();
	struct vblk_range r[4];

	demand_start(&c);
	expect(vblk_missing(rig.dev, 0, r, 4), 0);
	expect(poll_queue(0), VBLK_EUNMAPPED);
	expect(vblk_poll_idle(rig.dev, 0), false);
	expect(vblk_missing(rig.dev, 0, r, 4), 3);
	expect(r[0].gpa, rig.ring[0].desc);
	expect(r[0].len, 256);
	expect(r[0].perm, VBLK_READ);
	expect(r[1].gpa, rig.ring[0].avail);
	expect(r[1].len, 4 + 32 + 2);
	expect(r[1].perm, VBLK_READ);
	expect(r[2].gpa, rig.ring[0].used);
	expect(r[2].len, 4 + 128 + 2);
	expect(r[2].perm, VBLK_WRITE);
	page_in(RAM + 0x4000);
	expect(poll_queue(0), VBLK_EUNMAPPED);
	expect(vblk_missing(rig.dev, 0, r, 1), 1);
	expect(vblk_missing(rig.dev, 0, r, 4), 2);
	expect(r[1].gpa, rig.ring[0].used);
	page_in(RAM);
	page_in(RAM + 0x5000);
	expect(poll_queue(0), 0);
	expect(vblk_missing(rig.dev, 0, r, 4), 0);
	/* rings stay */
	{
		struct vblk_region old;

		expect(vblk_mem_evict(rig.dev, &old), false);
	}
	/* none such: the queue faults */
	demand_start(&c);
	expect(poll_queue(0), VBLK_EUNMAPPED);
	vblk_absent(rig.dev, 0);
	expect(poll_queue(0), VBLK_EGUEST);
	ck_assert_str_eq(vblk_guest_fault(rig.dev), "2.7");
}
END_TEST

START_TEST(mem__data_on_demand_reads_nothing_again)
{
	struct vblk_config c = on_demand();
	struct vblk_range r[8];
	struct op o;

	demand_start(&c);
	rings_in();
	rig.next_buf = DATA + PAGE - 16;
	o = ask(0, VBLK_T_IN, 5, 4 * SECTOR);
	expect(poll_queue(0), VBLK_EUNMAPPED);
	expect(vblk_missing(rig.dev, 0, r, 8), 1);
	expect(r[0].gpa, o.header);
	expect(r[0].len, 16);
	expect(r[0].perm, VBLK_READ);
	expect(poll_queue(0), VBLK_EUNMAPPED);  /* nothing came: no new fetch */
	page_in(o.header);
	expect(poll_queue(0), VBLK_EUNMAPPED);
	/* now it is parsed: what the guest changes makes no difference */
	put_header(o.header, VBLK_T_OUT, 900);
	put_desc(rig.ring[0].desc, o.head, 0, 0, 0, 0);
	expect(vblk_missing(rig.dev, 0, r, 8), 2);
	expect(r[0].gpa, o.data);
	expect(r[0].len, 4 * SECTOR);
	expect(r[0].perm, VBLK_WRITE);
	expect(r[1].gpa, o.status);
	expect(r[1].len, 1);
	page_in(o.data);
	expect(poll_queue(0), 1);
	expect(rig.req[0].op, VBLK_OP_READ);
	expect(rig.req[0].sector, 5);
	expect(rig.req[0].bytes, 4 * SECTOR);
	done(0, 0, VBLK_S_OK);
	(void)vblk_irq(rig.dev, 0);
	used_is(0, o.head, 2049);
}
END_TEST

START_TEST(mem__table_on_demand)
{
	struct vblk_config c = on_demand();
	uint64_t table = DATA + 2 * PAGE - 24;
	struct buf b[] = { OUT(DATA, 16), IN(DATA + 0x100, 1) };
	struct vblk_range r;

	demand_start(&c);
	rings_in();
	put_header(DATA, VBLK_T_FLUSH, 0);
	offer(0, chain_indirect(0, table, b, 2));
	expect(poll_queue(0), VBLK_EUNMAPPED);
	expect(vblk_missing(rig.dev, 0, &r, 1), 1);
	expect(r.gpa, table);
	page_in(DATA + PAGE);
	expect(poll_queue(0), VBLK_EUNMAPPED);  /* the header */
	expect(vblk_missing(rig.dev, 0, &r, 1), 1);
	expect(r.gpa, DATA);
	page_in(DATA);
	expect(poll_queue(0), VBLK_EUNMAPPED);  /* the table's second page */
	expect(vblk_missing(rig.dev, 0, &r, 1), 1);
	expect(r.gpa, DATA + 2 * PAGE);
	page_in(DATA + 2 * PAGE);
	expect(poll_queue(0), 1);
}
END_TEST

/* A chain that misses again and again is not fetched for ever. */
START_TEST(bound__attempts)
{
	struct vblk_config c = on_demand();
	struct vblk_range r;
	unsigned n = 0;
	int e;

	c.regions = 40;
	demand_start(&c);
	rings_in();
	/* 16 header bytes, each in another page */
	for (uint16_t i = 0; i < 15; i++)
		put_desc(rig.ring[0].desc, i, DATA + PAGE * (2u * i), 1, NEXT,
			 (uint16_t)(i + 1u));
	put_desc(rig.ring[0].desc, 15, DATA + PAGE * 30, 1, WRITE, 0);
	offer(0, 0);
	while ((e = poll_queue(0)) == VBLK_EUNMAPPED) {
		expect(vblk_missing(rig.dev, 0, &r, 1), 1);
		check_that(n++ < VBLK_MAX_ATTEMPTS,
			   "expected an end after %u attempts, came %u",
			   VBLK_MAX_ATTEMPTS, n);
		page_in(r.gpa);
	}
	expect(e, 0);
	(void)vblk_irq(rig.dev, 0);
	used_is(0, 0, 0);
	expect(vblk_needs_reset(rig.dev), false);
	/* the next chain has all its attempts again */
	rig.ring[0].next_desc = 0;
	(void)ask(0, VBLK_T_FLUSH, 0, 0);
	n = 0;
	while ((e = poll_queue(0)) == VBLK_EUNMAPPED) {
		(void)map_all(0);
		check_that(n++ < 4, "expected a request");
	}
	expect(e, 1);
}
END_TEST

START_TEST(trust__absent_memory)
{
	struct vblk_config c = on_demand();
	struct op o;

	demand_start(&c);
	rings_in();
	/* header */
	o = ask(0, VBLK_T_FLUSH, 0, 0);
	page_in(o.status);
	put64(rig.ring[0].desc + 16u * o.head, 0x7000);
	expect(poll_queue(0), VBLK_EUNMAPPED);
	vblk_absent(rig.dev, 0);
	expect(poll_queue(0), 0);
	expect(status_of(o), VBLK_S_IOERR);
	(void)vblk_irq(rig.dev, 0);
	used_is(0, o.head, 1);
	/* data */
	o = ask(0, VBLK_T_IN, 0, SECTOR);
	put64(rig.ring[0].desc + 16u * (o.head + 1u), 0x7000);
	expect(poll_queue(0), VBLK_EUNMAPPED);
	vblk_absent(rig.dev, 0);
	expect(poll_queue(0), 0);
	expect(status_of(o), VBLK_S_IOERR);
	(void)vblk_irq(rig.dev, 0);
	used_is(0, o.head, 0);
	/* status */
	o = ask(0, VBLK_T_FLUSH, 0, 0);
	put64(rig.ring[0].desc + 16u * (o.head + 1u), 0x7000);
	expect(poll_queue(0), VBLK_EUNMAPPED);
	vblk_absent(rig.dev, 0);
	expect(poll_queue(0), 0);
	(void)vblk_irq(rig.dev, 0);
	used_is(0, o.head, 0);
	/* table */
	put_desc(rig.ring[0].desc, rig.ring[0].next_desc, 0x7000, 32, INDIRECT,
		 0);
	offer(0, rig.ring[0].next_desc);
	expect(poll_queue(0), VBLK_EUNMAPPED);
	vblk_absent(rig.dev, 0);
	expect(poll_queue(0), 0);
	(void)vblk_irq(rig.dev, 0);
	used_is(0, rig.ring[0].next_desc, 0);
	expect(vblk_needs_reset(rig.dev), false);
	/* none of this sticks */
	(void)ask(0, VBLK_T_FLUSH, 0, 0);
	expect(poll_queue(0), 1);
}
END_TEST

START_TEST(spec_2_7_5__missing_never_wraps)
{
	struct vblk_config c = on_demand();
	struct buf b[] = { OUT(DATA, 16), OUT(DATA + PAGE, SECTOR),
			   OUT(UINT64_MAX - 255, SECTOR), IN(DATA + 64, 1) };
	struct vblk_range r[4];
	int n;

	demand_start(&c);
	rings_in();
	page_in(DATA);
	put_header(DATA, VBLK_T_OUT, 0);
	offer(0, chain(0, b, 4));
	(void)poll_queue(0);
	n = vblk_missing(rig.dev, 0, r, 4);
	for (int i = 0; i < n; i++)
		check_that(r[i].len - 1 <= ~r[i].gpa,
			   "expected a range, "
			   "came 0x%" PRIx64 " + 0x%" PRIx64,
			   r[i].gpa, r[i].len);
}
END_TEST

START_TEST(spec_5_2_6__resize_while_waiting)
{
	struct vblk_config c = on_demand();
	struct op o;
	int n;

	demand_start(&c);
	rings_in();
	o = ask(0, VBLK_T_IN, 1000, 1 * SECTOR);
	put64(rig.ring[0].desc + 16u * (o.head + 1u), DATA + 0x10000);
	page_in(o.header);
	expect(poll_queue(0), VBLK_EUNMAPPED);
	vblk_resize(rig.dev, 100);
	page_in(DATA + 0x10000);
	n = poll_queue(0);
	check_that(n == 0 || rig.req[0].sector < 100,
		   "sector: expected below 100, came %" PRIu64,
		   rig.req[0].sector);
	expect(status_of(o), VBLK_S_IOERR);
}
END_TEST

/* The longest unused goes first; never a ring, never what was just mapped. */
START_TEST(mem__eviction)
{
	struct vblk_config c = on_demand();
	struct vblk_region old;
	struct op o;

	demand_start(&c);
	rings_in();
	for (unsigned i = 0; i < 6; i++) {
		page_in(DATA + PAGE * i);
		/* used in this order: 0, 1, .. */
		rig.next_buf = DATA + PAGE * i;
		o = ask(0, VBLK_T_FLUSH, 0, 0);
		expect(poll_queue(0), 1);
		done(0, 0, VBLK_S_OK);
		/* a miss lets time pass */
		put_desc(rig.ring[0].desc, rig.ring[0].next_desc, 0x7000, 16, 0,
			 0);
		offer(0, rig.ring[0].next_desc);
		expect(poll_queue(0), VBLK_EUNMAPPED);
		{
			struct vblk_range r;

			expect(vblk_missing(rig.dev, 0, &r, 1), 1);
		}
		vblk_absent(rig.dev, 0);
		expect(poll_queue(0), 0);
	}
	expect(give_as(DATA + PAGE * 7, PAGE, VBLK_RW, NULL), VBLK_ENOSPC);
	/* 0 is used once more, 1 is in use */
	rig.next_buf = DATA + PAGE;
	o = ask(0, VBLK_T_FLUSH, 0, 0);
	expect(poll_queue(0), 1);
	rig.next_buf = DATA;
	o = ask(0, VBLK_T_FLUSH, 0, 0);
	expect(vblk_poll(rig.dev, 0, &rig.req[1], 1), 1);
	done(0, 1, VBLK_S_OK);
	for (unsigned i = 2; i < 6; i++) {
		expect(vblk_mem_evict(rig.dev, &old), true);
		expect(old.gpa, DATA + PAGE * i);
	}
	expect(vblk_mem_evict(rig.dev, &old), true);
	expect(old.gpa, DATA);
	expect(vblk_mem_evict(rig.dev, &old), false);
	done(0, 0, VBLK_S_OK);
	expect(vblk_mem_evict(rig.dev, &old), true);
	expect(old.gpa, DATA + PAGE);
	expect(vblk_mem_evict(rig.dev, &old), false);
	(void)o;
}
END_TEST

/*
 * The smallest cache that a configuration may have serves the largest request.
 */
START_TEST(mem__smallest_cache_suffices)
{
	struct vblk_config c = on_demand();
	struct buf b[6];
	unsigned n = 0;
	int e;

	c.regions = 8;
	expect(vblk_sizeof(&c), 0);
	c.regions = 9;
	demand_start(&c);
	while ((e = poll_queue(0)) == VBLK_EUNMAPPED)
		(void)map_all(0);
	expect(e, 0);
	for (uint64_t k = 0; k < 30; k++) {
		uint64_t at = DATA + PAGE * (k % 3);

		b[0] = (struct buf)OUT(at, 16);
		for (unsigned i = 0; i < 4; i++)
			b[1 + i] = (struct buf)IN(
				at + 0x10000 + PAGE * (2 * i + k % 2), SECTOR);
		b[5] = (struct buf)IN(at + 0x30000, 1);
		put_header(at, VBLK_T_IN, 0);
		offer(0, chain(0, b, 6));
		for (n = 0; (e = poll_queue(0)) == VBLK_EUNMAPPED; n++) {
			check_that(n < 3, "expected an end");
			(void)map_all(0);
		}
		expect(e, 1);
		expect(rig.req[0].num_segs, 4);
		done(0, 0, VBLK_S_OK);
	}
}
END_TEST

START_TEST(mem__transient_region_goes_when_idle)
{
	struct vblk_config c = on_demand();
	uint32_t perm = VBLK_RW | VBLK_TRANSIENT;
	struct vblk_region r;
	struct vblk_range want;
	struct op o;

	demand_start(&c);
	rings_in();
	o = ask(0, VBLK_T_IN, 0, SECTOR);
	page_in(o.header);
	put64(rig.ring[0].desc + 16u * (o.head + 1u), DATA + 0x10000);
	expect(poll_queue(0), VBLK_EUNMAPPED);
	expect(vblk_missing(rig.dev, 0, &want, 1), 1);
	expect(give_as(DATA + 0x10000, PAGE, perm, NULL), VBLK_OK);
	/* promised to the poll that follows: stays */
	expect(vblk_mem_reap(rig.dev, &r), false);
	expect(vblk_mem_evict(rig.dev, &r), true); /* the page of the header */
	page_in(o.header);
	expect(poll_queue(0), 1);
	expect(vblk_mem_reap(rig.dev, &r), false);
	done(0, 0, VBLK_S_OK);
	expect(vblk_mem_reap(rig.dev, &r), true);
	expect(r.gpa, DATA + 0x10000);
	expect(r.perm, perm);
	expect(vblk_mem_reap(rig.dev, &r), false);
	/* evicted or revoked it is counted once */
	expect(give_as(DATA + 0x10000, PAGE, perm, NULL), VBLK_OK);
	expect(vblk_mem_revoke(rig.dev, DATA + 0x10000, PAGE), VBLK_OK);
	expect(vblk_mem_reap(rig.dev, &r), true);
	expect(vblk_mem_reap(rig.dev, &r), false);
	expect(give_as(DATA + 0x10000, PAGE, perm, NULL), VBLK_OK);
	for (unsigned i = 0; i < 2; i++)        /* either page may be older */
		expect(vblk_mem_evict(rig.dev, &r), true);
	expect(vblk_mem_reap(rig.dev, &r), false);
}
END_TEST

/* A region in the way that still drains is not missing; it is waited for. */
START_TEST(mem__missing_behind_a_revoked_region)
{
	struct vblk_config c = on_demand();
	struct vblk_range r[8];
	struct vblk_region old;
	struct op a;

	demand_start(&c);
	rings_in();
	page_in(DATA);
	a = ask(0, VBLK_T_IN, 0, SECTOR);
	expect(poll_queue(0), 1);
	expect(vblk_mem_revoke(rig.dev, DATA, PAGE), VBLK_EBUSY);
	(void)ask(0, VBLK_T_FLUSH, 0, 0);
	expect(vblk_poll(rig.dev, 0, &rig.req[1], 1), VBLK_EUNMAPPED);
	expect(vblk_missing(rig.dev, 0, r, 8), 0);
	expect(vblk_poll(rig.dev, 0, &rig.req[1], 1), VBLK_EUNMAPPED);
	done(0, 0, VBLK_S_OK);
	expect(status_of(a), VBLK_S_OK);
	expect(vblk_mem_reap(rig.dev, &old), true);
	expect(vblk_missing(rig.dev, 0, r, 8), 1);
	page_in(DATA);
	expect(poll_queue(0), 1);
}
END_TEST

START_TEST(mem__stop_forgets_what_was_missing)
{
	struct vblk_config c = on_demand();
	struct vblk_queue_pos at;
	struct vblk_range r;
	struct op o;

	demand_start(&c);
	rings_in();
	o = ask(0, VBLK_T_IN, 0, SECTOR);
	page_in(o.header);
	put64(rig.ring[0].desc + 16u * (o.head + 1u), DATA + 0x10000);
	expect(poll_queue(0), VBLK_EUNMAPPED);
	expect(vblk_poll_idle(rig.dev, 0), false);
	expect(vblk_missing(rig.dev, 0, &r, 1), 1);
	/* never left the ring: it is there after a restart */
	expect(vblk_queue_stop(rig.dev, 0, &at), VBLK_OK);
	expect(at.avail, 0);
	expect(at.used, 0);
	expect(vblk_missing(rig.dev, 0, &r, 1), 0);
	expect(vblk_mem_idle(rig.dev, RAM, RAM_LEN), true);
	start_queue(0);
	expect(poll_queue(0), VBLK_EUNMAPPED);
	page_in(DATA + 0x10000);
	expect(poll_queue(0), 1);
}
END_TEST

/* Two queues wait; one asks at a time, each for its own. */
START_TEST(mem__queues_wait_apart)
{
	struct vblk_config c = on_demand();
	struct vblk_range r;

	c.num_queues = 2;
	c.regions = 12;
	demand_start(&c);
	expect(poll_queue(0), VBLK_EUNMAPPED);
	expect(poll_queue(1), VBLK_EUNMAPPED);
	expect(vblk_missing(rig.dev, 1, &r, 1), 1);
	expect(r.gpa, rig.ring[1].desc);
	expect(vblk_missing(rig.dev, 0, &r, 1), 0);
	expect(vblk_queue_stop(rig.dev, 1, NULL), VBLK_OK);
	expect(vblk_missing(rig.dev, 0, &r, 1), 1);
	expect(r.gpa, rig.ring[0].desc);
	(void)map_all(0);
	expect(poll_queue(0), 0);
}
END_TEST

/* What another queue touches meanwhile is not promised to the one that asks. */
START_TEST(mem__other_queues_go_on)
{
	struct vblk_config c = on_demand();
	struct vblk_region old;
	struct vblk_range r;

	c.num_queues = 2;
	c.regions = 12;
	demand_start(&c);
	expect(poll_queue(1), VBLK_EUNMAPPED);
	page_in(RAM + 0x8000);
	page_in(RAM + 0xc000);
	page_in(RAM + 0xd000);
	expect(poll_queue(1), 0);
	page_in(DATA);
	expect(poll_queue(0), VBLK_EUNMAPPED);
	expect(vblk_missing(rig.dev, 0, &r, 1), 1);
	(void)ask(1, VBLK_T_IN, 0, SECTOR);
	expect(poll_queue(1), 1);
	done(1, 0, VBLK_S_OK);
	expect(vblk_mem_evict(rig.dev, &old), true);
	expect(old.gpa, DATA);
	/* even its rings, looked at for the first time */
	expect(vblk_queue_stop(rig.dev, 1, NULL), VBLK_OK);
	fill(RAM + 0x8000, 0, 0x8000);
	start_queue(1);
	expect(poll_queue(1), 0);
}
END_TEST

/* Pages that were there before the miss, and pages long unused: all serve. */
START_TEST(mem__old_pages_beside_new_ones)
{
	struct vblk_config c = on_demand();
	struct buf b[] = { OUT(DATA, 8), OUT(DATA + PAGE, 8),
			   IN(DATA + 2 * PAGE, SECTOR),
			   IN(DATA + 3 * PAGE + PAGE - 1, 1) };
	struct vblk_range r;

	demand_start(&c);
	page_in(RAM + 0x4000);
	page_in(RAM + 0x5000);
	expect(poll_queue(0), VBLK_EUNMAPPED);
	expect(vblk_missing(rig.dev, 0, &r, 1), 1);
	expect(r.gpa, RAM);
	page_in(RAM);
	expect(poll_queue(0), 0);
	page_in(DATA);
	page_in(DATA + 2 * PAGE);
	page_in(DATA + 3 * PAGE);
	put32(DATA, VBLK_T_IN);
	put64(DATA + PAGE, 5);
	offer(0, chain(0, b, 4));
	expect(poll_queue(0), VBLK_EUNMAPPED);
	expect(vblk_missing(rig.dev, 0, &r, 1), 1);
	expect(r.gpa, DATA + PAGE);
	page_in(DATA + PAGE);
	expect(poll_queue(0), 1);
	expect(rig.req[0].sector, 5);
	done(0, 0, VBLK_S_OK);
	/* another miss lets time pass */
	put_desc(rig.ring[0].desc, 9, 0x7000, 16, 0, 0);
	offer(0, 9);
	expect(poll_queue(0), VBLK_EUNMAPPED);
	expect(vblk_missing(rig.dev, 0, &r, 1), 1);
	vblk_absent(rig.dev, 0);
	expect(poll_queue(0), 0);
	offer(0, chain(0, b, 4));
	expect(poll_queue(0), 1);
	done(0, 0, VBLK_S_OK);
	expect(vblk_queue_stop(rig.dev, 0, NULL), VBLK_OK);
	fill(RAM, 0, 0x8000);
	start_queue(0);
	expect(poll_queue(0), 0);
}
END_TEST

/* Part of a range is there; a write asks for memory to read. */
START_TEST(mem__missing_is_only_what_is_missing)
{
	struct vblk_config c = on_demand();
	struct vblk_range r[4];
	struct buf b[] = { OUT(DATA, 16), OUT(DATA + PAGE - 512, 1024),
			   OUT(DATA + 3 * PAGE, 512), IN(DATA + 64, 1) };

	demand_start(&c);
	rings_in();
	page_in(DATA);
	put_header(DATA, VBLK_T_OUT, 0);
	offer(0, chain(0, b, 4));
	expect(poll_queue(0), VBLK_EUNMAPPED);
	expect(vblk_missing(rig.dev, 0, r, 4), 2);
	expect(r[0].gpa, DATA + PAGE);
	expect(r[0].len, 512);
	expect(r[0].perm, VBLK_READ);
	expect(r[1].gpa, DATA + 3 * PAGE);
	expect(r[1].perm, VBLK_READ);
	page_in(DATA + PAGE);
	page_in(DATA + 3 * PAGE);
	expect(poll_queue(0), 1);
	done(0, 0, VBLK_S_OK);
	/* a table at the end of all memory */
	put_desc(rig.ring[0].desc, 9, UINT64_MAX - 7, 32, INDIRECT, 0);
	offer(0, 9);
	expect(poll_queue(0), 0);
	expect(vblk_missing(rig.dev, 0, r, 4), 0);
}
END_TEST

/* Revoked before its rings were ever looked at: nothing to fault yet. */
START_TEST(hal_MAP_4__revoke_before_the_first_poll)
{
	struct vblk_config c = plain();
	struct vblk_region r;

	rig_start(&c);
	expect(vblk_mem_revoke(rig.dev, RAM, RAM_LEN), VBLK_OK);
	expect(vblk_needs_reset(rig.dev), false);
	expect(vblk_mem_reap(rig.dev, &r), true);
	expect(poll_queue(0), VBLK_EGUEST);
}
END_TEST

/* STOP policy: the request whose status is nowhere stops its queue. */
START_TEST(trust__stop_while_waiting)
{
	struct vblk_config c = on_demand();
	struct op o;

	c.fault_policy = VBLK_STOP;
	demand_start(&c);
	rings_in();
	o = ask(0, VBLK_T_FLUSH, 0, 0);
	page_in(o.header);
	put64(rig.ring[0].desc + 16u * (o.head + 1u), 0x7000);
	expect(poll_queue(0), VBLK_EUNMAPPED);
	vblk_absent(rig.dev, 0);
	expect(poll_queue(0), VBLK_EGUEST);
	expect(vblk_needs_reset(rig.dev), true);
	expect(vblk_reset(rig.dev), VBLK_OK);
}
END_TEST

static void add(TCase *tc)
{
	tcase_add_test(tc, mem__bad_regions);
	tcase_add_test(tc, mem__empty_range_overlaps_nothing);
	tcase_add_test(tc, mem__translation_through_many_regions);
	tcase_add_test(tc, mem__more_mappings_than_segments);
	tcase_add_test(tc, mem__header_across_regions);
	tcase_add_test(tc, hal_MAP_4__revoked_region_drains);
	tcase_add_loop_test(tc, hal_MAP_4__revoked_ring_faults_its_queue, 0, 3);
	tcase_add_test(tc, hal_MAP_4__uses_do_not_wrap);
	tcase_add_test(tc, mem__dirty_pages);
	tcase_add_test(tc, mem__dirty_of_a_region_in_the_middle);
	tcase_add_test(tc, mem__rings_on_demand);
	tcase_add_test(tc, mem__data_on_demand_reads_nothing_again);
	tcase_add_test(tc, mem__table_on_demand);
	tcase_add_test(tc, bound__attempts);
	tcase_add_test(tc, trust__absent_memory);
	tcase_add_test(tc, spec_2_7_5__missing_never_wraps);
	tcase_add_test(tc, spec_5_2_6__resize_while_waiting);
	tcase_add_test(tc, mem__eviction);
	tcase_add_test(tc, mem__smallest_cache_suffices);
	tcase_add_test(tc, mem__transient_region_goes_when_idle);
	tcase_add_test(tc, mem__missing_behind_a_revoked_region);
	tcase_add_test(tc, mem__stop_forgets_what_was_missing);
	tcase_add_test(tc, mem__queues_wait_apart);
	tcase_add_test(tc, mem__other_queues_go_on);
	tcase_add_test(tc, mem__old_pages_beside_new_ones);
	tcase_add_test(tc, mem__missing_is_only_what_is_missing);
	tcase_add_test(tc, hal_MAP_4__revoke_before_the_first_poll);
	tcase_add_test(tc, trust__stop_while_waiting);
}

int main(void)
{
	return run_suite("mem", add);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Block requests, virtio 1.4, 5.2.6: layouts, checks, status byte, used.len. */
#include "util.h"

#define SECTOR 512u

static struct vblk_config everything(void)
{
	struct vblk_config c = plain();

	c.features |= VBLK_F_DISCARD | VBLK_F_WRITE_ZEROES |
		      VBLK_F_INDIRECT_DESC;
	c.max_discard_sectors = 64;
	c.max_zeroes_sectors = 32;
	return c;
}

/* The device answers by itself: status, used.len, and nothing handed out. */
static void answered(const struct op *o, uint8_t status, uint32_t len)
{
	expect(poll_queue(0), 0);
	(void)vblk_irq(rig.dev, 0);
	used_is(0, o->head, len);
	expect(status_of(*o), status);
}

/* --- what reaches the store ---------------------------------------------- */

START_TEST(spec_5_2_6__read_reaches_the_store)
{
	struct vblk_config c = everything();
	struct op o;

	rig_start(&c);
	o = ask(0, VBLK_T_IN, 7, 2 * SECTOR);
	expect(poll_queue(0), 1);
	expect(rig.req[0].op, VBLK_OP_READ);
	expect(rig.req[0].sector, 7);
	expect(rig.req[0].bytes, 1024);
	expect(rig.req[0].num_segs, 1);
	expect(rig.req[0].seg[0].len, 1024);
	expect(rig.req[0].queue, 0);
	expect(rig.req[0].flags, 0);
	ck_assert_ptr_eq(rig.req[0].seg[0].host, ram_at(o.data));
	done(0, 0, VBLK_S_OK);
	used_none(0);           /* not before vblk_irq */
	expect(vblk_irq(rig.dev, 0), true);
	used_is(0, o.head, 1025);
	expect(status_of(o), VBLK_S_OK);
}
END_TEST

START_TEST(spec_5_2_6__write_reaches_the_store)
{
	struct vblk_config c = everything();
	struct op o;

	rig_start(&c);
	o = ask(0, VBLK_T_OUT, 1022, 2 * SECTOR);
	expect(poll_queue(0), 1);
	expect(rig.req[0].op, VBLK_OP_WRITE);
	expect(rig.req[0].sector, 1022);
	expect(rig.req[0].bytes, 1024);
	ck_assert_ptr_eq(rig.req[0].seg[0].host, ram_at(o.data));
	done(0, 0, VBLK_S_OK);
	(void)vblk_irq(rig.dev, 0);
	used_is(0, o.head, 1);  /* the status byte alone */
	expect(status_of(o), VBLK_S_OK);
}
END_TEST

START_TEST(spec_5_2_6__flush_has_no_data)
{
	struct vblk_config c = everything();
	struct op o;

	rig_start(&c);
	o = ask(0, VBLK_T_FLUSH, 0, 0);
	expect(poll_queue(0), 1);
	expect(rig.req[0].op, VBLK_OP_FLUSH);
	expect(rig.req[0].bytes, 0);
	expect(rig.req[0].num_segs, 0);
	done(0, 0, VBLK_S_OK);
	(void)vblk_irq(rig.dev, 0);
	used_is(0, o.head, 1);

	/* data that a driver adds all the same is left alone */
	o = ask(0, VBLK_T_FLUSH, 0, 40);
	expect(poll_queue(0), 1);
	expect(rig.req[0].op, VBLK_OP_FLUSH);
	expect(rig.req[0].num_segs, 0);
	done(0, 0, VBLK_S_IOERR);
	(void)vblk_irq(rig.dev, 0);
	used_is(0, o.head, 1);
	expect(status_of(o), VBLK_S_IOERR);
}
END_TEST

START_TEST(spec_5_2_6__every_kind_completes_with_what_the_store_said)
{
	static const uint32_t type[] = { VBLK_T_IN, VBLK_T_OUT, VBLK_T_FLUSH };
	static const enum vblk_status said[] = { VBLK_S_OK, VBLK_S_IOERR,
						 VBLK_S_UNSUPP };
	struct vblk_config c = everything();
	struct vblk_stats s;

	rig_start(&c);
	for (unsigned i = 0; i < COUNT(type); i++)
		for (unsigned k = 0; k < COUNT(said); k++) {
			struct op o = ask(0, type[i], 0,
					  type[i] == VBLK_T_FLUSH ? 0 : SECTOR);

			expect(poll_queue(0), 1);
			done(0, 0, said[k]);
			(void)vblk_irq(rig.dev, 0);
			used_is(0, o.head, type[i] == VBLK_T_IN ? 513 : 1);
			expect(status_of(o), said[k]);
		}
	vblk_stats(rig.dev, &s);
	expect(s.completed, 9);
	expect(s.errors, 3);
	expect(s.unsupported, 3);
	expect(s.requests[VBLK_OP_READ], 3);
	expect(s.requests[VBLK_OP_WRITE], 3);
	expect(s.requests[VBLK_OP_FLUSH], 3);
	expect(s.bytes, 6 * SECTOR);
}
END_TEST

/* --- layouts, 2.7.4 ------------------------------------------------------ */

/* Bit i of cut: a descriptor ends after byte i of the readable part. */
static size_t cut_up(struct buf *b, uint64_t gpa, uint32_t len, uint64_t cut,
		     bool in)
{
	uint32_t from = 0;
	size_t n = 0;

	for (uint32_t i = 0; i < len; i++)
		if (i + 1u == len || (i < 64 && (cut >> i & 1u))) {
			b[n++] = (struct buf){ gpa + from, i + 1u - from, in };
			from = i + 1u;
		}
	return n;
}

static void one_write(const struct buf *b, size_t n, bool indirect,
		      uint64_t header, uint64_t status)
{
	uint64_t sum = 0;
	uint16_t head;

	put_header(header, VBLK_T_OUT, 3);
	put8(status, 0xaa);
	head = indirect ? chain_indirect(0, RAM + 0x30000, b, n)
			: chain(0, b, n);
	offer(0, head);
	expect(poll_queue(0), 1);
	expect(rig.req[0].op, VBLK_OP_WRITE);
	expect(rig.req[0].sector, 3);
	expect(rig.req[0].bytes, SECTOR);
	for (uint16_t i = 0; i < rig.req[0].num_segs; i++) {
		ck_assert_ptr_eq(rig.req[0].seg[i].host,
				 ram_at(header + 16 + sum));
		sum += rig.req[0].seg[i].len;
	}
	expect(sum, SECTOR);
	done(0, 0, VBLK_S_OK);
	(void)vblk_irq(rig.dev, 0);
	used_is(0, head, 1);
	expect(get8(status), VBLK_S_OK);
}

START_TEST(spec_2_7_4__header_in_pieces)
{
	struct vblk_config c = everything();
	struct buf b[600];

	c.queue_size = 64;
	rig_start(&c);
	/* 16 descriptors of one byte each */
	for (unsigned indirect = 0; indirect < 2; indirect++) {
		size_t n = cut_up(b, DATA, 16 + SECTOR, 0xffff, false);

		b[n++] = (struct buf)IN(DATA + 0x1000, 1);
		expect(n, 18);
		one_write(b, n, indirect, DATA, DATA + 0x1000);
	}
	/* header and data in one */
	b[0] = (struct buf)OUT(DATA, 16 + SECTOR);
	b[1] = (struct buf)IN(DATA + 0x1000, 1);
	one_write(b, 2, false, DATA, DATA + 0x1000);
	/* any cut of the first 40 bytes */
	for (uint64_t seed = 0x9e3779b97f4a7c15; seed % 300 != 7;) {
		uint64_t cut = chance(&seed) & chance(&seed) & 0xffffffffff;
		size_t n = cut_up(b, DATA, 16 + SECTOR, cut, false);

		b[n++] = (struct buf)IN(DATA + 0x1000, 1);
		one_write(b, n, chance(&seed) & 1u, DATA, DATA + 0x1000);
	}
}
END_TEST

START_TEST(spec_2_7_4__status_anywhere)
{
	/* data and status in one, apart, and status behind a gap */
	struct buf joined[] = { OUT(DATA, 16), IN(DATA + 16, SECTOR + 1) };
	struct buf apart[] = { OUT(DATA, 16), IN(DATA + 16, SECTOR),
			       IN(DATA + 16 + SECTOR, 1) };
	struct buf mixed[] = { OUT(DATA, 16), IN(DATA + 16, 100),
			       IN(DATA + 0x800, SECTOR - 99) };
	struct {
		struct buf *b;
		size_t n;
		uint64_t status;
	} t[] = {
		{ joined, 2, DATA + 16 + SECTOR },
		{ apart, 3, DATA + 16 + SECTOR },
		{ mixed, 3, DATA + 0x800 + SECTOR - 100 },
	};
	struct vblk_config c = everything();

	rig_start(&c);
	for (unsigned i = 0; i < COUNT(t); i++) {
		uint16_t head;
		uint64_t sum = 0;

		put_header(DATA, VBLK_T_IN, 9);
		put8(t[i].status, 0xaa);
		put8(t[i].status + 1, 0xbb);
		head = chain(0, t[i].b, t[i].n);
		offer(0, head);
		expect(poll_queue(0), 1);
		expect(rig.req[0].bytes, SECTOR);
		for (unsigned k = 0; k < rig.req[0].num_segs; k++)
			sum += rig.req[0].seg[k].len;
		expect(sum, SECTOR);
		done(0, 0, VBLK_S_UNSUPP);
		(void)vblk_irq(rig.dev, 0);
		used_is(0, head, SECTOR + 1);
		expect(get8(t[i].status), VBLK_S_UNSUPP);
		expect(get8(t[i].status + 1), 0xbb);
	}
}
END_TEST

START_TEST(spec_2_7_5__empty_descriptors_count_for_nothing)
{
	struct buf b[] = { OUT(DATA, 0),
			   OUT(DATA, 16),
			   IN(DATA, 0),
			   OUT(DATA + 16, SECTOR),
			   IN(DATA + 0x1000, 1),
			   OUT(0, 0),
			   IN(0, 0) };
	struct vblk_config c = everything();

	rig_start(&c);
	one_write(b, COUNT(b), false, DATA, DATA + 0x1000);
}
END_TEST

START_TEST(spec_2_7_4__neighbours_count_as_one_segment)
{
	struct vblk_config c = everything();
	struct buf b[16];

	c.segs = 1;
	rig_start(&c);
	b[0] = (struct buf)OUT(DATA, 16);
	for (uint32_t i = 0; i < 8; i++)
		b[1 + i] = (struct buf)OUT(DATA + 16 + 64 * i, 64);
	b[9] = (struct buf)IN(DATA + 0x1000, 1);
	one_write(b, 10, false, DATA, DATA + 0x1000);
	expect(rig.req[0].num_segs, 1);
}
END_TEST

START_TEST(spec_2_7_4__too_many_segments)
{
	struct vblk_config c = everything();
	struct op o = { 0 };
	struct buf b[16];

	c.segs = 4;
	rig_start(&c);
	o.status = DATA + 0x1000;
	for (uint32_t n = 4; n <= 7; n++) {
		b[0] = (struct buf)OUT(DATA, 16);
		for (uint32_t i = 0; i < n; i++)
			b[1 + i] = (struct buf)OUT(
				DATA + 0x2000 + SECTOR * 2 * i, SECTOR);
		b[1 + n] = (struct buf)IN(o.status, 1);
		put_header(DATA, VBLK_T_OUT, 0);
		put8(o.status, 0xaa);
		o.head = chain(0, b, n + 2);
		offer(0, o.head);
		if (n == 4) {
			expect(poll_queue(0), 1);
			done(0, 0, VBLK_S_OK);
			(void)vblk_irq(rig.dev, 0);
			used_is(0, o.head, 1);
		} else {
			answered(&o, VBLK_S_IOERR, 1);
		}
	}
	/* as many as fit to read, the status apart: one more than fit */
	b[0] = (struct buf)OUT(DATA, 16);
	for (uint32_t i = 0; i < 5; i++)
		b[1 + i] = (struct buf)IN(DATA + 0x2000 + SECTOR * 2 * i,
					  SECTOR);
	b[6] = (struct buf)IN(o.status, 1);
	put_header(DATA, VBLK_T_IN, 0);
	o.head = chain(0, b, 7);
	offer(0, o.head);
	answered(&o, VBLK_S_IOERR, 0);
	/* the fifth is the status's neighbour: still too many */
	b[5] = (struct buf)IN(o.status - SECTOR, SECTOR);
	o.head = chain(0, b, 7);
	offer(0, o.head);
	answered(&o, VBLK_S_IOERR, 0);
}
END_TEST

/* However many there are: nothing of another request is overwritten. */
START_TEST(trust__segments_of_another_request_stay)
{
	struct vblk_config c = everything();
	struct op o = { 0 }, first;
	struct buf b[48];
	void *host;

	c.queue_size = 64;
	c.slots = 2;
	c.segs = 4;
	rig_start(&c);
	first = ask(0, VBLK_T_IN, 0, SECTOR);
	expect(vblk_poll(rig.dev, 0, rig.req, 1), 1);
	host = rig.req[0].seg[0].host;
	b[0] = (struct buf)OUT(DATA + 0x1000, 16);
	for (uint32_t i = 1; i < 47; i++)
		b[i] = (struct buf)OUT(DATA + 0x2000 + 64 * i, 32);
	b[47] = (struct buf)IN(DATA + 0x1100, 1);
	put_header(DATA + 0x1000, VBLK_T_OUT, 0);
	o.status = DATA + 0x1100;
	o.head = chain(0, b, 48);
	offer(0, o.head);
	expect(vblk_poll(rig.dev, 0, &rig.req[1], 1), 0);
	expect(status_of(o), VBLK_S_IOERR);
	expect(vblk_in_flight(rig.dev, 0, rig.req[0].tag), true);
	ck_assert_ptr_eq(rig.req[0].seg[0].host, host);
	expect(rig.req[0].seg[0].len, SECTOR);
	done(0, 0, VBLK_S_OK);
	(void)vblk_irq(rig.dev, 0);
	used_is(0, o.head, 1);
	used_is(0, first.head, 513);
}
END_TEST

/* --- bad requests whose status byte can be found ------------------------- */

START_TEST(spec_5_2_6__short_header)
{
	struct vblk_config c = everything();

	rig_start(&c);
	for (uint32_t n = 0; n < 16; n++) {
		struct buf b[] = { OUT(DATA, n), IN(DATA + 0x1000, 1) };
		struct op o = { 0 };

		put_header(DATA, VBLK_T_FLUSH, 0);
		o.status = DATA + 0x1000;
		put8(o.status, 0xaa);
		o.head = chain(0, b, 2);
		offer(0, o.head);
		answered(&o, VBLK_S_IOERR, 1);
	}
}
END_TEST

START_TEST(spec_5_2_6__header_where_no_memory_is)
{
	struct vblk_config c = everything();
	struct buf b[] = { OUT(0x1000, 16), IN(DATA + 0x1000, 1) };
	struct buf half[] = { OUT(DATA, 8), OUT(RAM + RAM_LEN - 4, 8),
			      IN(DATA + 0x1000, 1) };
	struct op o = { 0 };

	rig_start(&c);
	o.status = DATA + 0x1000;
	o.head = chain(0, b, 2);
	offer(0, o.head);
	answered(&o, VBLK_S_IOERR, 1);
	o.head = chain(0, half, 3);
	offer(0, o.head);
	answered(&o, VBLK_S_IOERR, 1);
	expect(vblk_needs_reset(rig.dev), false);
}
END_TEST

START_TEST(spec_5_2_6__data_where_no_memory_is)
{
	static const uint64_t bad[] = { 0,
					RAM - SECTOR,
					RAM - 1,
					RAM + RAM_LEN - 1,
					RAM + RAM_LEN,
					UINT64_MAX - 511 };
	struct vblk_config c = everything();

	rig_start(&c);
	for (unsigned i = 0; i < COUNT(bad); i++) {
		struct buf b[] = { OUT(DATA, 16), OUT(DATA + 16, SECTOR),
				   OUT(bad[i], SECTOR), IN(DATA + 0x1000, 1) };
		struct op o = { 0 };

		put_header(DATA, VBLK_T_OUT, 0);
		o.status = DATA + 0x1000;
		put8(o.status, 0xaa);
		o.head = chain(0, b, 4);
		offer(0, o.head);
		answered(&o, VBLK_S_IOERR, 1);
	}
	expect(vblk_mem_revoke(rig.dev, RAM + RAM_LEN, 16), VBLK_OK);
	expect(vblk_mem_idle(rig.dev, DATA, 1), false); /* its rings */
	expect(vblk_queue_stop(rig.dev, 0, NULL), VBLK_OK);
	expect(vblk_mem_idle(rig.dev, RAM, RAM_LEN), true);
}
END_TEST

/* The first of several ranges is nowhere: nothing of the rest is used. */
START_TEST(spec_5_2_6__first_data_where_no_memory_is)
{
	struct vblk_config c = everything();
	struct buf b[] = { OUT(DATA, 16), OUT(0x1000, SECTOR),
			   OUT(DATA + 0x100, SECTOR), IN(DATA + 0x1000, 1) };
	struct op o = { 0 };

	rig_start(&c);
	put_header(DATA, VBLK_T_OUT, 0);
	o.status = DATA + 0x1000;
	o.head = chain(0, b, 4);
	offer(0, o.head);
	answered(&o, VBLK_S_IOERR, 1);
}
END_TEST

START_TEST(spec_2_7_5__readable_wrap)
{
	struct vblk_config c = everything();
	uint64_t top = UINT64_MAX - 0xfff;
	struct buf b[] = { OUT(DATA, 16), OUT(UINT64_MAX - 255, SECTOR),
			   IN(DATA + 0x1000, 1) };
	uint32_t head, len;

	rig_start(&c);
	(void)ram_new(top, 0x1000);
	(void)ram_new(0, 0x1000);
	give(top, 0x1000);
	give(0, 0x1000);
	put_header(DATA, VBLK_T_OUT, 0);
	put8(DATA + 0x1000, 0xaa);
	offer(0, chain(0, b, 3));
	expect(poll_queue(0), 0);       /* memory does not go round */
	(void)vblk_irq(rig.dev, 0);
	expect(used_next(0, &head, &len), true);
	check_that(get8(DATA + 0x1000) != VBLK_S_OK,
		   "status: expected no success, came 0");
}
END_TEST

START_TEST(spec_5_2_6_2__sector_range)
{
	static const struct {
		uint64_t sector;
		uint32_t n;
		bool good;
	} t[] = {
		{ 1023, 1, true },
		{ 1022, 2, true },
		{ 0, 1, true },
		{ 1023, 2, false },
		{ 1024, 1, false },
		{ 1025, 1, false },
		{ UINT64_MAX, 1, false },
		{ UINT64_MAX - 1, 2, false },
		{ UINT64_MAX / 512, 1, false },
		{ (UINT64_C(1) << 55) - 1, 2, false },
		{ UINT64_C(1) << 55, 1, false },
		{ UINT64_C(1) << 32, 1, false },
		{ 1024, 0, true },
		{ 1025, 0, false },
	};
	struct vblk_config c = everything();

	rig_start(&c);
	for (unsigned i = 0; i < COUNT(t); i++)
		for (unsigned w = 0; w < 2; w++) {
			struct op o = ask(0, w ? VBLK_T_OUT : VBLK_T_IN,
					  t[i].sector, t[i].n * SECTOR);
			int n = poll_queue(0);

			check_that(n == (t[i].good && t[i].n > 0),
				   "sector %" PRIu64 " + %u: handed out %d",
				   t[i].sector, t[i].n, n);
			if (n == 1)
				done(0, 0, VBLK_S_OK);
			(void)vblk_irq(rig.dev, 0);
			used_is(0, o.head,
				!w && t[i].n > 0
					? (t[i].good ? t[i].n * SECTOR + 1 : 0)
					: 1);
			expect(status_of(o),
			       t[i].good ? VBLK_S_OK : VBLK_S_IOERR);
		}
}
END_TEST

START_TEST(spec_5_2_6__length_is_whole_sectors)
{
	static const uint32_t len[] = { 1, 511, 513, 1023 };
	struct vblk_config c = everything();

	rig_start(&c);
	for (unsigned i = 0; i < COUNT(len); i++) {
		struct op o = ask(0, VBLK_T_IN, 0, len[i]);

		answered(&o, VBLK_S_IOERR, 0);
		o = ask(0, VBLK_T_OUT, 0, len[i]);
		answered(&o, VBLK_S_IOERR, 1);
	}
}
END_TEST

START_TEST(spec_5_2_6__data_in_the_wrong_direction)
{
	struct buf read[] = { OUT(DATA, 16 + SECTOR),
			      IN(DATA + 0x1000, SECTOR + 1) };
	struct vblk_config c = everything();
	struct op o = { 0 };

	rig_start(&c);
	o.status = DATA + 0x1000 + SECTOR;
	put_header(DATA, VBLK_T_IN, 0);
	o.head = chain(0, read, 2);
	offer(0, o.head);
	answered(&o, VBLK_S_IOERR, 0);
	put_header(DATA, VBLK_T_OUT, 0);
	fill(DATA + 0x1000, 0x77, SECTOR);
	o.head = chain(0, read, 2);
	offer(0, o.head);
	answered(&o, VBLK_S_IOERR, 0);
	all_are(DATA + 0x1000, 0x77, SECTOR);
}
END_TEST

START_TEST(spec_5_2_6_2__readonly_by_offer_alone)
{
	struct vblk_config c = everything();
	struct op o;

	c.features |= VBLK_F_RO;
	rig_open(&c);
	/* the driver did not take RO: that must make no difference */
	expect(vblk_accept(rig.dev, c.features & ~VBLK_F_RO), VBLK_OK);
	start_queue(0);
	o = ask(0, VBLK_T_OUT, 0, SECTOR);
	answered(&o, VBLK_S_IOERR, 1);
	o = ask_extent(0, VBLK_T_DISCARD, 0, 8, 0);
	answered(&o, VBLK_S_IOERR, 1);
	o = ask_extent(0, VBLK_T_WRITE_ZEROES, 0, 8, 0);
	answered(&o, VBLK_S_IOERR, 1);
	o = ask(0, VBLK_T_IN, 0, SECTOR);
	expect(poll_queue(0), 1);
	done(0, 0, VBLK_S_OK);
}
END_TEST

START_TEST(spec_5_2_6_2__unknown_type)
{
	static const uint32_t type[] = {
		2,  3,	5,  6,	   7,	    9,		10,
		12, 14, 15, 16,	   17,	    18,		20,
		22, 24, 26, 0x100, 0x10000, 0x80000000, UINT32_MAX
	};
	struct vblk_config c = everything();
	struct vblk_stats s;

	rig_start(&c);
	for (unsigned i = 0; i < COUNT(type); i++) {
		struct op o = ask(0, type[i], 0, SECTOR);

		answered(&o, VBLK_S_UNSUPP, 1);
	}
	vblk_stats(rig.dev, &s);
	expect(s.unsupported, COUNT(type));
}
END_TEST

START_TEST(spec_5_2_6__status_is_one_byte)
{
	struct vblk_config c = everything();

	rig_start(&c);
	for (uint32_t type = 0; type < 16; type++) {
		struct op o = ask(0, type, 0, type == VBLK_T_GET_ID ? 20 : 512);

		fill(o.status - 3, 0xcc, 8);
		if (poll_queue(0) == 1)
			done(0, 0, VBLK_S_OK);
		all_are(o.status - 3, 0xcc, 3);
		all_are(o.status + 1, 0xcc, 4);
		check_that(status_of(o) <= 2, "type %u: no status", type);
	}
}
END_TEST

/* --- used.len, 2.7.8.2 --------------------------------------------------- */

START_TEST(spec_2_7_8_2__len_of_a_read_cut_short)
{
	static const struct {
		uint64_t bytes;
		enum vblk_status s;
		uint32_t len;
	} t[] = {
		{ 0, VBLK_S_IOERR, 0 },
		{ 1, VBLK_S_IOERR, 1 },
		{ 511, VBLK_S_IOERR, 511 },
		{ 1024, VBLK_S_IOERR, 1025 },
		{ 9999, VBLK_S_IOERR, 1025 },
		{ UINT64_MAX, VBLK_S_IOERR, 1025 },
		{ 0, VBLK_S_OK, 1025 },
		{ 1024, VBLK_S_OK, 1025 },
	};
	struct vblk_config c = everything();

	rig_start(&c);
	for (unsigned i = 0; i < COUNT(t); i++) {
		struct op o = ask(0, VBLK_T_IN, 0, 1024);

		expect(poll_queue(0), 1);
		expect(vblk_complete(rig.dev, 0, rig.req[0].tag, t[i].s,
				     t[i].bytes),
		       VBLK_OK);
		(void)vblk_irq(rig.dev, 0);
		used_is(0, o.head, t[i].len);
		expect(status_of(o), t[i].s);
	}
}
END_TEST

/* A read of more than 4 GiB: the length saturates, it does not wrap. */
START_TEST(spec_2_7_8_2__len_saturates)
{
	struct vblk_config c = everything();
	struct vblk_region big;
	struct buf b[4];
	uint16_t head;

	c.capacity = UINT64_C(1) << 40;
	rig_start(&c);
	/* never touched by the core: only its address is used */
	memset(&big, 0, sizeof(big));
	big.gpa = UINT64_C(1) << 40;
	big.len = UINT64_C(1) << 33;
	big.host = ram_at(RAM);
	big.perm = VBLK_RW;
	if (sizeof(void *) == 4) {
		/* no such memory fits a 32-bit host, and none is taken */
		expect(vblk_mem_add(rig.dev, &big), VBLK_EINVAL);
		return;
	}
	expect(vblk_mem_add(rig.dev, &big), VBLK_OK);
	put_header(DATA, VBLK_T_IN, 0);
	b[0] = (struct buf)OUT(DATA, 16);
	b[1] = (struct buf)IN(big.gpa, 0xfffffe00);
	b[2] = (struct buf)IN(big.gpa + 0xfffffe00, 0xfffffe00);
	b[3] = (struct buf)IN(DATA + 0x1000, 1);
	head = chain(0, b, 4);
	offer(0, head);
	expect(poll_queue(0), 1);
	expect(rig.req[0].bytes, UINT64_C(0x1fffffc00));
	expect(rig.req[0].num_segs, 2);
	done(0, 0, VBLK_S_OK);
	(void)vblk_irq(rig.dev, 0);
	used_is(0, head, UINT32_MAX);
}
END_TEST

/* --- GET_ID -------------------------------------------------------------- */

START_TEST(spec_5_2_6__get_id)
{
	static const uint32_t len[] = { 20, 21, 64, 19, 1 };
	struct vblk_config c = everything();

	rig_start(&c);
	for (unsigned i = 0; i < COUNT(len); i++) {
		struct op o = ask(0, VBLK_T_GET_ID, 0, len[i]);
		uint32_t n = len[i] < 20 ? len[i] : 20;

		fill(o.data, 0xee, len[i] + 1);
		answered(&o, VBLK_S_OK, n == len[i] ? n + 1 : n);
		for (uint32_t k = 0; k < n; k++)
			expect(get8(o.data + k), (uint8_t)c.serial[k]);
		all_are(o.data + n, 0xee, len[i] + 1 - n);
	}
}
END_TEST

START_TEST(spec_5_2_6__get_id_without_room)
{
	struct vblk_config c = everything();
	struct op o;

	rig_start(&c);
	o = ask(0, VBLK_T_GET_ID, 0, 0);
	answered(&o, VBLK_S_OK, 1);
}
END_TEST

START_TEST(spec_5_2_6__get_id_in_pieces)
{
	struct vblk_config c = everything();
	struct buf b[] = { OUT(DATA, 16),	 IN(DATA + 0x100, 7),
			   IN(DATA + 0x200, 1),	 IN(DATA + 0x300, 30),
			   IN(DATA + 0x400, 30), IN(DATA + 0x1000, 1) };
	struct op o = { 0 };

	memset(c.serial, 0, sizeof(c.serial));
	memcpy(c.serial, "short", 5);
	rig_start(&c);
	put_header(DATA, VBLK_T_GET_ID, 0);
	fill(DATA + 0x100, 0xee, 0x400);
	o.status = DATA + 0x1000;
	o.head = chain(0, b, COUNT(b));
	offer(0, o.head);
	answered(&o, VBLK_S_OK, 20);
	ck_assert_mem_eq(ram_at(DATA + 0x100), "short\0\0\xee", 8);
	ck_assert_mem_eq(ram_at(DATA + 0x200), "\0\xee", 2);
	all_are(DATA + 0x300, 0, 12);
	all_are(DATA + 0x300 + 12, 0xee, 0x1f0);
}
END_TEST

START_TEST(spec_2_7_5__get_id_spares_readable_buffer)
{
	struct vblk_config c = everything();
	struct buf b[] = { OUT(DATA, 16), OUT(DATA + 0x100, 64),
			   IN(DATA + 0x200, 20), IN(DATA + 0x1000, 1) };
	uint32_t head, len;

	rig_start(&c);
	put_header(DATA, VBLK_T_GET_ID, 0);
	fill(DATA + 0x100, 0xee, 64);
	put8(DATA + 0x1000, 0xaa);
	offer(0, chain(0, b, COUNT(b)));
	expect(poll_queue(0), 0);
	(void)vblk_irq(rig.dev, 0);
	expect(used_next(0, &head, &len), true);
	all_are(DATA + 0x100, 0xee, 64);        /* not ours to write */
	if (get8(DATA + 0x1000) == VBLK_S_OK)
		ck_assert_mem_eq(ram_at(DATA + 0x200), c.serial, 20);
	else
		expect(get8(DATA + 0x1000), VBLK_S_IOERR);
}
END_TEST

/* --- discard and write zeroes -------------------------------------------- */

START_TEST(spec_5_2_6_2__extents)
{
	static const struct {
		uint32_t type, sectors, flags;
		uint64_t sector;
		int status;             /* or -1: handed out */
	} t[] = {
		{ VBLK_T_DISCARD, 64, 0, 0, -1 },
		{ VBLK_T_DISCARD, 64, 0, 960, -1 },
		{ VBLK_T_DISCARD, 64, 0, 961, VBLK_S_IOERR },
		{ VBLK_T_DISCARD, 65, 0, 0, VBLK_S_IOERR },
		{ VBLK_T_DISCARD, 1, 0, 1024, VBLK_S_IOERR },
		{ VBLK_T_DISCARD, 2, 0, UINT64_MAX, VBLK_S_IOERR },
		{ VBLK_T_DISCARD, UINT32_MAX, 0, 1, VBLK_S_IOERR },
		{ VBLK_T_DISCARD, 8, 1, 0, VBLK_S_UNSUPP },
		{ VBLK_T_DISCARD, 8, 2, 0, VBLK_S_UNSUPP },
		{ VBLK_T_DISCARD, 8, 0x80000000, 0, VBLK_S_UNSUPP },
		{ VBLK_T_DISCARD, 0, 0, 0, VBLK_S_OK },
		{ VBLK_T_WRITE_ZEROES, 32, 0, 992, -1 },
		{ VBLK_T_WRITE_ZEROES, 32, 1, 0, -1 },
		{ VBLK_T_WRITE_ZEROES, 33, 0, 0, VBLK_S_IOERR },
		{ VBLK_T_WRITE_ZEROES, 32, 0, 993, VBLK_S_IOERR },
		{ VBLK_T_WRITE_ZEROES, 1, 0, UINT64_MAX - 1, VBLK_S_IOERR },
		{ VBLK_T_WRITE_ZEROES, 8, 2, 0, VBLK_S_UNSUPP },
		{ VBLK_T_WRITE_ZEROES, 8, 3, 0, VBLK_S_UNSUPP },
		{ VBLK_T_WRITE_ZEROES, 0, 0, 1024, VBLK_S_OK },
	};
	struct vblk_config c = everything();

	rig_start(&c);
	for (unsigned i = 0; i < COUNT(t); i++) {
		struct op o = ask_extent(0, t[i].type, t[i].sector,
					 t[i].sectors, t[i].flags);

		if (t[i].status >= 0) {
			answered(&o, (uint8_t)t[i].status, 1);
			continue;
		}
		expect(poll_queue(0), 1);
		expect(rig.req[0].op, t[i].type == VBLK_T_DISCARD
					      ? VBLK_OP_DISCARD
					      : VBLK_OP_WRITE_ZEROES);
		expect(rig.req[0].sector, t[i].sector);
		expect(rig.req[0].bytes, UINT64_C(512) * t[i].sectors);
		expect(rig.req[0].num_segs, 0);
		expect(rig.req[0].flags, t[i].flags ? VBLK_REQ_UNMAP : 0);
		done(0, 0, VBLK_S_OK);
		(void)vblk_irq(rig.dev, 0);
		used_is(0, o.head, 1);
		expect(status_of(o), VBLK_S_OK);
	}
	expect(vblk_queue_stop(rig.dev, 0, NULL), VBLK_OK);
	expect(vblk_mem_idle(rig.dev, RAM, RAM_LEN), true);
}
END_TEST

START_TEST(spec_5_2_6_2__extent_not_negotiated)
{
	struct vblk_config c = everything();
	struct op o;

	rig_open(&c);
	expect(vblk_accept(rig.dev, VBLK_F_VERSION_1), VBLK_OK);
	start_queue(0);
	o = ask_extent(0, VBLK_T_DISCARD, 0, 1, 0);
	answered(&o, VBLK_S_UNSUPP, 1);
	o = ask_extent(0, VBLK_T_WRITE_ZEROES, 0, 1, 0);
	answered(&o, VBLK_S_UNSUPP, 1);
}
END_TEST

/* In pieces, the first of which is no memory; and no queue is idle. */
START_TEST(trust__extent_that_is_no_memory)
{
	struct vblk_config c = everything();
	struct buf b[] = { OUT(DATA, 16), OUT(RAM + RAM_LEN, 8),
			   OUT(DATA + 0x100, 8), IN(DATA + 0x200, 1) };
	struct op o = { .status = DATA + 0x200 };

	rig_start(&c);
	put_header(DATA, VBLK_T_DISCARD, 0);
	o.head = chain(0, b, 4);
	offer(0, o.head);
	answered(&o, VBLK_S_IOERR, 1);
	expect(vblk_queue_idle(rig.dev, 0), true);
	expect(vblk_queue_idle(rig.dev, 77), true);
	(void)ask(0, VBLK_T_FLUSH, 0, 0);
	expect(poll_queue(0), 1);
	expect(vblk_queue_idle(rig.dev, 0), false);
	done(0, 0, VBLK_S_OK);
}
END_TEST

START_TEST(spec_5_2_6_2__extent_of_another_length)
{
	static const uint32_t len[] = { 0, 1, 15, 17, 32, 512 };
	struct vblk_config c = everything();
	struct buf b[] = { OUT(DATA, 32), IN(DATA + 0x1000, 17) };
	struct op o;

	rig_start(&c);
	for (unsigned i = 0; i < COUNT(len); i++) {
		o = ask(0, VBLK_T_DISCARD, 0, len[i]);
		answered(&o, VBLK_S_IOERR, 1);
	}
	/* and one with writable data beside it */
	put_header(DATA, VBLK_T_DISCARD, 0);
	o.head = chain(0, b, 2);
	o.status = DATA + 0x1010;
	offer(0, o.head);
	answered(&o, VBLK_S_IOERR, 0);
}
END_TEST

START_TEST(spec_2_7_4__extent_in_pieces)
{
	struct vblk_config c = everything();
	struct buf b[] = { OUT(DATA, 16), OUT(DATA + 0x100, 3),
			   OUT(DATA + 0x200, 8), OUT(DATA + 0x300, 5),
			   IN(DATA + 0x1000, 1) };

	rig_start(&c);
	put_header(DATA, VBLK_T_WRITE_ZEROES, 0);
	/* sector 5, 9 sectors, UNMAP: 05 00 00 | 00.. | 00 00 00 01 .. */
	put8(DATA + 0x100, 5);
	put8(DATA + 0x205, 9);
	put8(DATA + 0x301, 1);
	offer(0, chain(0, b, COUNT(b)));
	expect(poll_queue(0), 1);
	expect(rig.req[0].sector, 5);
	expect(rig.req[0].bytes, 9 * SECTOR);
	expect(rig.req[0].flags, VBLK_REQ_UNMAP);
	done(0, 0, VBLK_S_OK);
}
END_TEST

/* --- durability, 5.2.6.2 ------------------------------------------------- */

START_TEST(spec_5_2_6_2__write_through)
{
	struct vblk_config c = everything();
	uint8_t off = 0;

	/* no FLUSH negotiated: a write is durable when it is complete */
	rig_open(&c);
	expect(vblk_accept(rig.dev, c.features & ~VBLK_F_FLUSH), VBLK_OK);
	start_queue(0);
	(void)ask(0, VBLK_T_OUT, 0, SECTOR);
	(void)ask_extent(0, VBLK_T_WRITE_ZEROES, 0, 8, 1);
	(void)ask_extent(0, VBLK_T_DISCARD, 0, 8, 0);
	(void)ask(0, VBLK_T_IN, 0, SECTOR);
	expect(poll_queue(0), 4);
	expect(rig.req[0].flags, VBLK_REQ_FUA);
	expect(rig.req[1].flags, VBLK_REQ_FUA | VBLK_REQ_UNMAP);
	expect(rig.req[2].flags, VBLK_REQ_FUA);
	expect(rig.req[3].flags, 0);

	/* CONFIG_WCE: as the driver sets it */
	c.features |= VBLK_F_CONFIG_WCE;
	rig_start(&c);
	(void)ask(0, VBLK_T_OUT, 0, SECTOR);
	expect(poll_queue(0), 1);
	expect(rig.req[0].flags, 0);
	vblk_config_write(rig.dev, 32, &off, 1);
	(void)ask(0, VBLK_T_OUT, 0, SECTOR);
	expect(poll_queue(0), 1);
	expect(rig.req[0].flags, VBLK_REQ_FUA);
}
END_TEST

/* --- no status byte: by fault policy ------------------------------------- */

struct broken {
	const char *section;
	struct buf b[4];
	size_t n;
};

static const struct broken broken[] = {
	/* no writable byte at all */
	{ "5.2.6", { OUT(DATA, 16) }, 1 },
	{ "5.2.6", { OUT(DATA, 16), IN(DATA, 0) }, 2 },
	{ "5.2.6", { OUT(DATA, 0) }, 1 },
	/* readable after writable */
	{ "2.7.4.2", { OUT(DATA, 16), IN(DATA + 0x100, 1), OUT(DATA, 16) }, 3 },
	/* writable beyond 2^64 */
	{ "2.7.5", { OUT(DATA, 16), IN(UINT64_MAX, 2) }, 2 },
	{ "2.7.5", { OUT(DATA, 16), IN(UINT64_MAX - 9, 0xffffffff) }, 2 },
	/* readable beyond it */
	{ "2.7.5", { OUT(DATA, 16), OUT(UINT64_MAX, 2), IN(DATA + 64, 1) }, 3 },
	/* status where no memory is */
	{ "5.2.6", { OUT(DATA, 16), IN(0x1000, 1) }, 2 },
	{ "5.2.6", { OUT(DATA, 16), IN(RAM + RAM_LEN - 4, 5) }, 2 },
};

START_TEST(trust__contain_completes_with_length_0)
{
	struct vblk_config c = everything();
	struct vblk_stats s;
	struct op o;
	uint16_t head;

	rig_start(&c);
	put_header(DATA, VBLK_T_OUT, 0);
	/* more often than there are slots: none may leak */
	for (unsigned i = 0; i < 5 * COUNT(broken); i++) {
		const struct broken *b = &broken[i % COUNT(broken)];

		head = chain(0, b->b, b->n);
		offer(0, head);
		expect(poll_queue(0), 0);
		(void)vblk_irq(rig.dev, 0);
		used_is(0, head, 0);
		ck_assert_str_eq(vblk_guest_fault(rig.dev), b->section);
		expect(vblk_needs_reset(rig.dev), false);
	}
	vblk_stats(rig.dev, &s);
	expect(s.contained, 5 * COUNT(broken));
	o = ask(0, VBLK_T_IN, 0, SECTOR);
	expect(poll_queue(0), 1);
	done(0, 0, VBLK_S_OK);
	(void)vblk_irq(rig.dev, 0);
	used_is(0, o.head, 513);
}
END_TEST

START_TEST(trust__status_not_writable)
{
	struct vblk_config c = everything();
	struct buf b[] = { OUT(DATA, 16), IN(0x1000, 1) };
	struct buf d[] = { OUT(DATA, 16), IN(0x1000, SECTOR),
			   IN(DATA + 0x1000, 1) };
	struct op o = { 0 };
	uint16_t head;

	rig_start(&c);
	(void)ram_new(0x1000, 0x1000);
	expect(give_as(0x1000, 0x1000, VBLK_READ, NULL), VBLK_OK);
	put_header(DATA, VBLK_T_IN, 0);
	head = chain(0, b, 2);
	offer(0, head);
	expect(poll_queue(0), 0);
	(void)vblk_irq(rig.dev, 0);
	used_is(0, head, 0);
	expect(get8(0x1000), 0);
	/* data in it: the request fails, nothing is handed out */
	o.head = chain(0, d, 3);
	o.status = DATA + 0x1000;
	offer(0, o.head);
	answered(&o, VBLK_S_IOERR, 0);
}
END_TEST

START_TEST(trust__write_only_memory_is_not_read)
{
	struct vblk_config c = everything();
	struct buf b[] = { OUT(0x1000, 16), IN(DATA, 1) };
	struct buf d[] = { OUT(DATA, 16), OUT(0x1000, SECTOR),
			   IN(DATA + 64, 1) };
	struct op o = { 0 };

	rig_start(&c);
	(void)ram_new(0x1000, 0x1000);
	expect(give_as(0x1000, 0x1000, VBLK_WRITE, NULL), VBLK_OK);
	o.head = chain(0, b, 2);
	o.status = DATA;
	offer(0, o.head);
	answered(&o, VBLK_S_IOERR, 1);
	put_header(DATA, VBLK_T_OUT, 0);
	o.head = chain(0, d, 3);
	o.status = DATA + 64;
	offer(0, o.head);
	answered(&o, VBLK_S_IOERR, 1);
}
END_TEST

START_TEST(trust__stop_asks_for_a_reset)
{
	const struct broken *b = &broken[_i];
	struct vblk_config c = everything();

	c.fault_policy = VBLK_STOP;
	rig_start(&c);
	put_header(DATA, VBLK_T_OUT, 0);
	(void)ask(0, VBLK_T_IN, 0, SECTOR);
	offer(0, chain(0, b->b, b->n));
	expect(poll_queue(0), 1);       /* the good one before it */
	expect(poll_queue(0), VBLK_EGUEST);
	expect(poll_queue(0), VBLK_EGUEST);
	expect(vblk_needs_reset(rig.dev), true);
	expect(vblk_poll_idle(rig.dev, 0), true);
	ck_assert_str_eq(vblk_guest_fault(rig.dev), b->section);
	used_none(0);
	expect(vblk_reset(rig.dev), VBLK_EBUSY);
	expect(vblk_complete(rig.dev, 0, 0, VBLK_S_OK, 0), VBLK_OK);
	expect(vblk_reset(rig.dev), VBLK_OK);
	expect(vblk_needs_reset(rig.dev), false);
	ck_assert_ptr_null(vblk_guest_fault(rig.dev));
	expect(vblk_mem_idle(rig.dev, RAM, RAM_LEN), true);
}
END_TEST

static void add(TCase *tc)
{
	tcase_add_test(tc, spec_5_2_6__read_reaches_the_store);
	tcase_add_test(tc, spec_5_2_6__write_reaches_the_store);
	tcase_add_test(tc, spec_5_2_6__flush_has_no_data);
	tcase_add_test(
		tc, spec_5_2_6__every_kind_completes_with_what_the_store_said);
	tcase_add_test(tc, spec_2_7_4__header_in_pieces);
	tcase_add_test(tc, spec_2_7_4__status_anywhere);
	tcase_add_test(tc, spec_2_7_5__empty_descriptors_count_for_nothing);
	tcase_add_test(tc, spec_2_7_4__neighbours_count_as_one_segment);
	tcase_add_test(tc, spec_2_7_4__too_many_segments);
	tcase_add_test(tc, trust__segments_of_another_request_stay);
	tcase_add_test(tc, spec_5_2_6__short_header);
	tcase_add_test(tc, spec_5_2_6__header_where_no_memory_is);
	tcase_add_test(tc, spec_5_2_6__data_where_no_memory_is);
	tcase_add_test(tc, spec_5_2_6__first_data_where_no_memory_is);
	tcase_add_test(tc, spec_2_7_5__readable_wrap);
	tcase_add_test(tc, spec_5_2_6_2__sector_range);
	tcase_add_test(tc, spec_5_2_6__length_is_whole_sectors);
	tcase_add_test(tc, spec_5_2_6__data_in_the_wrong_direction);
	tcase_add_test(tc, spec_5_2_6_2__readonly_by_offer_alone);
	tcase_add_test(tc, spec_5_2_6_2__unknown_type);
	tcase_add_test(tc, spec_5_2_6__status_is_one_byte);
	tcase_add_test(tc, spec_2_7_8_2__len_of_a_read_cut_short);
	tcase_add_test(tc, spec_2_7_8_2__len_saturates);
	tcase_add_test(tc, spec_5_2_6__get_id);
	tcase_add_test(tc, spec_5_2_6__get_id_without_room);
	tcase_add_test(tc, spec_5_2_6__get_id_in_pieces);
	tcase_add_test(tc, spec_2_7_5__get_id_spares_readable_buffer);
	tcase_add_test(tc, spec_5_2_6_2__extents);
	tcase_add_test(tc, spec_5_2_6_2__extent_not_negotiated);
	tcase_add_test(tc, trust__extent_that_is_no_memory);
	tcase_add_test(tc, spec_5_2_6_2__extent_of_another_length);
	tcase_add_test(tc, spec_2_7_4__extent_in_pieces);
	tcase_add_test(tc, spec_5_2_6_2__write_through);
	tcase_add_test(tc, trust__contain_completes_with_length_0);
	tcase_add_test(tc, trust__status_not_writable);
	tcase_add_test(tc, trust__write_only_memory_is_not_read);
	tcase_add_loop_test(tc, trust__stop_asks_for_a_reset, 0, COUNT(broken));
}

int main(void)
{
	return run_suite("request", add);
}

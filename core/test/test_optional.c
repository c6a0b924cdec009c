/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a driver has only if it negotiated it: SECURE_ERASE (virtio 1.4, 5.2.6),
 * IN_ORDER on a split ring (2.7.9), and a packed ring whose driver changes what
 * it gave away (2.8.16).
 */
#include "util.h"

#define SECTOR 512u

/* --- SECURE_ERASE --------------------------------------------------------- */

static struct vblk_config erasing(uint64_t features)
{
	struct vblk_config c = plain();

	c.features |= VBLK_F_SECURE_ERASE | features;
	c.max_erase_sectors = 64;
	return c;
}

/* The device answers by itself. */
static void answered(struct op o, uint8_t status)
{
	expect(poll_queue(0), 0);
	(void)vblk_irq(rig.dev, 0);
	used_is(0, o.head, 1);
	expect(status_of(o), status);
}

START_TEST(spec_5_2_6_2__secure_erase)
{
	static const struct {
		uint32_t sectors, flags;
		uint64_t sector;
		int status;             /* or -1: handed out */
	} t[] = {
		{ 64, 0, 0, -1 },
		{ 64, 0, 960, -1 },
		{ 1, 0, 1023, -1 },
		{ 64, 0, 961, VBLK_S_IOERR },
		{ 65, 0, 0, VBLK_S_IOERR },
		{ 1, 0, 1024, VBLK_S_IOERR },
		{ 2, 0, UINT64_MAX, VBLK_S_IOERR },
		{ UINT32_MAX, 0, 1, VBLK_S_IOERR },
		{ 8, 1, 0, VBLK_S_UNSUPP },
		{ 8, 2, 0, VBLK_S_UNSUPP },
		{ 8, 0x80000000, 0, VBLK_S_UNSUPP },
	};
	struct vblk_config c = erasing(0);

	rig_start(&c);
	for (unsigned i = 0; i < COUNT(t); i++) {
		struct op o = ask_extent(0, VBLK_T_SECURE_ERASE, t[i].sector,
					 t[i].sectors, t[i].flags);

		if (t[i].status >= 0) {
			answered(o, (uint8_t)t[i].status);
			continue;
		}
		expect(poll_queue(0), 1);
		expect(rig.req[0].op, VBLK_OP_SECURE_ERASE);
		expect(rig.req[0].sector, t[i].sector);
		expect(rig.req[0].bytes, UINT64_C(512) * t[i].sectors);
		expect(rig.req[0].num_segs, 0);
		expect(rig.req[0].flags, 0);
		done(0, 0, VBLK_S_OK);
		(void)vblk_irq(rig.dev, 0);
		used_is(0, o.head, 1);
		expect(status_of(o), VBLK_S_OK);
	}
}
END_TEST

START_TEST(spec_5_2_6_2__secure_erase_refused)
{
	struct vblk_config c = erasing(0);
	struct op o;

	/* two extents, max_secure_erase_seg is 1; half a one */
	rig_start(&c);
	answered(ask(0, VBLK_T_SECURE_ERASE, 0, 32), VBLK_S_IOERR);
	answered(ask(0, VBLK_T_SECURE_ERASE, 0, 8), VBLK_S_IOERR);
	answered(ask(0, VBLK_T_SECURE_ERASE, 0, 0), VBLK_S_IOERR);
	/* not negotiated */
	rig_open(&c);
	expect(vblk_accept(rig.dev, VBLK_F_VERSION_1), VBLK_OK);
	start_queue(0);
	o = ask_extent(0, VBLK_T_SECURE_ERASE, 0, 8, 0);
	answered(o, VBLK_S_UNSUPP);
	/* a disk that is only read */
	c = erasing(VBLK_F_RO);
	rig_start(&c);
	o = ask_extent(0, VBLK_T_SECURE_ERASE, 0, 8, 0);
	answered(o, VBLK_S_IOERR);
}
END_TEST

/* --- IN_ORDER, split ------------------------------------------------------ */

/*
 * next and tables out of sequence, which IN_ORDER forbids (2.7.5.2, 2.7.5.3.1):
 * followed as they are; and used in the order in which they came.
 */
START_TEST(spec_2_7_9__next_out_of_sequence)
{
	struct vblk_config c = plain();
	uint64_t table = DATA + 0x2000, d;

	c.features |= VBLK_F_IN_ORDER | VBLK_F_INDIRECT_DESC;
	rig_start(&c);
	d = rig.ring[0].desc;
	put_header(DATA, VBLK_T_IN, 3);
	put_desc(d, 9, DATA, 16, NEXT, 2);
	put_desc(d, 2, DATA + 0x1000, SECTOR, NEXT | WRITE, 15);
	put_desc(d, 15, DATA + 0x1800, 1, WRITE, 0);
	put_desc(d, 0, table, 48, INDIRECT, 0);
	put_desc(table, 0, DATA, 16, NEXT, 2);
	put_desc(table, 2, DATA + 0x1000, SECTOR, NEXT | WRITE, 1);
	put_desc(table, 1, DATA + 0x1801, 1, WRITE, 0);
	offer(0, 9);
	offer(0, 0);
	expect(poll_queue(0), 2);
	for (unsigned i = 0; i < 2; i++) {
		expect(rig.req[i].op, VBLK_OP_READ);
		expect(rig.req[i].sector, 3);
		expect(rig.req[i].bytes, SECTOR);
	}
	done(0, 1, VBLK_S_OK);
	(void)vblk_irq(rig.dev, 0);
	used_none(0);
	done(0, 0, VBLK_S_OK);
	(void)vblk_irq(rig.dev, 0);
	used_is(0, 9, SECTOR + 1);
	used_is(0, 0, SECTOR + 1);
	expect(get8(DATA + 0x1800), VBLK_S_OK);
	expect(get8(DATA + 0x1801), VBLK_S_OK);
}
END_TEST

/* --- a packed ring whose driver does not keep still ----------------------- */

#define AVAIL VBLK_DESC_AVAIL
#define USED  VBLK_DESC_USED

static void packed_up(void)
{
	struct vblk_config c = plain();
	struct vblk_queue_addr a = { RAM, RAM + 0x4000, RAM + 0x5000, 8 };

	c.features |= VBLK_F_RING_PACKED;
	rig_open(&c);
	expect(vblk_accept(rig.dev, vblk_features(rig.dev)), VBLK_OK);
	expect(vblk_queue_start(rig.dev, 0, &a, NULL, NULL), VBLK_OK);
}

static void packed_desc(unsigned i, uint64_t gpa, uint32_t len, unsigned id,
			unsigned flags)
{
	put64(RAM + 16u * i, gpa);
	put32(RAM + 16u * i + 8, len);
	put16(RAM + 16u * i + 12, (uint16_t)id);
	put16(RAM + 16u * i + 14, (uint16_t)flags);
}

/* A read of one sector in descriptors i to i + 2 of the first lap. */
static void packed_read(unsigned i, unsigned id, uint64_t sector)
{
	put_header(DATA + 0x1000u * id, VBLK_T_IN, sector);
	packed_desc(i + 1, DATA + 0x1000u * id + 0x200, SECTOR, 0,
		    AVAIL | NEXT | WRITE);
	packed_desc(i + 2, DATA + 0x1000u * id + 0x800, 1, id, AVAIL | WRITE);
	packed_desc(i, DATA + 0x1000u * id, 16, 0, AVAIL | NEXT);
}

/* 2.8.16: of what is available nothing is read twice, and all is used once. */
START_TEST(spec_2_8_16__changed_after_it_was_available)
{
	packed_up();
	packed_read(0, 3, 7);
	expect(poll_queue(0), 1);
	for (unsigned i = 0; i < 3; i++)        /* and the header */
		packed_desc(i, UINT64_MAX, UINT32_MAX, 0xffff, 0xffff);
	fill(DATA + 0x3000, 0xff, 16);
	expect(rig.req[0].sector, 7);
	expect(rig.req[0].bytes, SECTOR);
	done(0, 0, VBLK_S_OK);
	(void)vblk_irq(rig.dev, 0);
	expect(get16(RAM + 12), 3);
	expect(get32(RAM + 8), SECTOR + 1);
	expect(get16(RAM + 14), AVAIL | USED | WRITE);
	expect(get8(DATA + 0x3800), VBLK_S_OK);
	/* the rest of the chain is the driver's, as it left it */
	expect(get64(RAM + 16), UINT64_MAX);
	expect(get16(RAM + 32 + 14), 0xffff);
	packed_read(3, 4, 8);
	expect(poll_queue(0), 1);
	expect(rig.req[0].sector, 8);
	expect(vblk_needs_reset(rig.dev), false);
}
END_TEST

/*
 * 2.8.17, 2.8.21.1.1: the first descriptor came before the rest, which is what
 * was there. Without a status byte it costs that chain.
 */
START_TEST(spec_2_8_17__first_descriptor_before_the_rest)
{
	packed_up();
	put_header(DATA, VBLK_T_IN, 0);
	packed_desc(0, DATA, 16, 0, AVAIL | NEXT);
	expect(poll_queue(0), 0);       /* descriptor 1 is all zero */
	(void)vblk_irq(rig.dev, 0);
	expect(get32(RAM + 8), 0);
	expect(get16(RAM + 12), 0);
	expect(get16(RAM + 14), AVAIL | USED);
	expect(vblk_needs_reset(rig.dev), false);
	packed_read(2, 5, 9);
	expect(poll_queue(0), 1);
	expect(rig.req[0].sector, 9);
	done(0, 0, VBLK_S_OK);
	(void)vblk_irq(rig.dev, 0);
	expect(get16(RAM + 32 + 12), 5);
}
END_TEST

START_TEST(spec_2_8_16__notified_for_nothing)
{
	packed_up();
	for (unsigned i = 0; i < 3; i++) {
		expect(vblk_kick(rig.dev, 0), true);
		expect(poll_queue(0), 0);
		expect(vblk_poll_idle(rig.dev, 0), true);
	}
	packed_read(0, 3, 7);
	expect(vblk_kick(rig.dev, 0), true);
	expect(poll_queue(0), 1);
	expect(vblk_kick(rig.dev, 0), true);
	expect(poll_queue(0), 0);
}
END_TEST

static void add(TCase *tc)
{
	tcase_add_test(tc, spec_5_2_6_2__secure_erase);
	tcase_add_test(tc, spec_5_2_6_2__secure_erase_refused);
	tcase_add_test(tc, spec_2_7_9__next_out_of_sequence);
	tcase_add_test(tc, spec_2_8_16__changed_after_it_was_available);
	tcase_add_test(tc, spec_2_8_17__first_descriptor_before_the_rest);
	tcase_add_test(tc, spec_2_8_16__notified_for_nothing);
}

int main(void)
{
	return run_suite("optional", add);
}

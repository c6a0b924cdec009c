/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a driver may leave out or do out of turn (virtio 1.4, driver
 * requirements), where the device must neither suffer nor insist.
 */
#include "util.h"

#define SECTOR 512u

enum { SEL = 0x030, READY = 0x044, NOTIFY = 0x050, STATUS = 0x070,
	QRESET = 0x0c0, WRITEBACK = 0x120 };

static struct vblk_config ring_reset(void)
{
	struct vblk_config c = plain();

	c.features |= VBLK_F_RING_RESET;
	return c;
}

static void fresh(const struct vblk_config *c)
{
	rig_open(c);
	vblk_mmio_init(&rig.mm, rig.dev, 0x1234, NULL);
}

/* One request there and back, by a driver that is up. */
static void served(void)
{
	struct op o = ask(0, VBLK_T_FLUSH, 0, 0);

	expect(poll_queue(0), 1);
	done(0, 0, VBLK_S_OK);
	(void)vblk_irq(rig.dev, 0);
	used_is(0, o.head, 1);
	expect(status_of(o), VBLK_S_OK);
}

/* --- status -------------------------------------------------------------- */

/* Bits of its own that say nothing to the device: 3.1.1, steps 2 and 3. */
START_TEST(spec_3_1_1__neither_ACKNOWLEDGE_nor_DRIVER)
{
	struct vblk_config c = plain();

	fresh(&c);
	(void)wr(0x024, 1);
	(void)wr(0x020, VBLK_F_VERSION_1 >> 32);
	(void)wr(STATUS, 8);
	expect(rd(STATUS), 8);
	mmio_queue(0);
	(void)wr(STATUS, 4);
	expect(rd(STATUS), 12);
	served();
}
END_TEST

/* A second driver that does not reset finds what the first one agreed. */
START_TEST(spec_3_1_1__no_reset_first)
{
	struct vblk_config c = ring_reset();

	mmio_up(&c);
	served();
	expect(mmio_negotiate(VBLK_F_VERSION_1), 15);
	expect(vblk_accepted(rig.dev), vblk_features(rig.dev));
	served();
	/* and after a reset its own */
	(void)wr(STATUS, 0);
	expect(mmio_negotiate(VBLK_F_VERSION_1), 11);
	expect(vblk_accepted(rig.dev), VBLK_F_VERSION_1);
}
END_TEST

/* 2.1.1: FAILED is the driver's word to whom it concerns, not an order. */
START_TEST(spec_2_1_1__goes_on_after_FAILED)
{
	struct vblk_config c = plain();

	mmio_up(&c);
	(void)wr(STATUS, 0x80 | 15);
	expect(rd(STATUS), 0x80 | 15);
	served();
	(void)wr(STATUS, 15);
	expect(rd(STATUS), 0x80 | 15);
	(void)wr(STATUS, 0);
	expect(rd(STATUS), 0);
}
END_TEST

/* --- configuration -------------------------------------------------------- */

/* 5.2.5.3: bits of the status leave the cache mode alone. */
START_TEST(spec_5_2_5_3__status_bits_leave_writeback)
{
	struct vblk_config c = plain();

	c.features |= VBLK_F_CONFIG_WCE;
	for (uint32_t mode = 0; mode < 2; mode++) {
		mmio_up(&c);
		(void)vblk_mmio_write(&rig.mm, WRITEBACK, 1, mode);
		for (unsigned i = 0; i < 32; i++) {
			(void)wr(STATUS, UINT32_C(1) << i);
			expect(vblk_mmio_read(&rig.mm, WRITEBACK, 1), mode);
		}
	}
}
END_TEST

/* 2.5.1: a field has a value also where its feature is not offered. */
START_TEST(spec_2_5_1__fields_without_their_feature)
{
	struct vblk_config c = plain();
	uint8_t all[60];

	c.features = 0;
	fresh(&c);
	vblk_config_read(rig.dev, 0, all, sizeof(all));
	for (uint32_t at = 0; at < sizeof(all); at++)
		expect(vblk_mmio_read(&rig.mm, 0x100 + at, 1), all[at]);
	/* limits are none that a driver could trip over */
	expect(vblk_mmio_read(&rig.mm, 0x114, 4), SECTOR); /* blk_size */
	check_that(vblk_mmio_read(&rig.mm, 0x108, 4) > 0, "size_max: 0");
	check_that(vblk_mmio_read(&rig.mm, 0x10c, 4) > 0, "seg_max: 0");
	expect(vblk_mmio_read(&rig.mm, 0x122, 2), 1);   /* num_queues */
}
END_TEST

/* --- queue reset --------------------------------------------------------- */

/* 4.2.2.1: a reset of the device while that of a queue goes on. */
START_TEST(spec_4_2_2_1__queue_reset_reads_0_after_a_reset)
{
	struct vblk_config c = ring_reset();

	mmio_up(&c);
	(void)ask(0, VBLK_T_IN, 0, SECTOR);
	expect(poll_queue(0), 1);
	(void)wr(SEL, 0);
	(void)wr(QRESET, 1);
	expect(rd(QRESET), 1);
	expect(wr(STATUS, 0), VBLK_FX_SAVE | VBLK_FX_HOLD);
	expect(rd(QRESET), 1);
	done(0, 0, VBLK_S_OK);
	expect(vblk_mmio_settle(&rig.mm), true);
	(void)wr(SEL, 0);
	expect(rd(QRESET), 0);
	expect(rd(READY), 0);
	expect(rd(STATUS), 0);
}
END_TEST

/* 2.6.1.1.2: while the reset goes on, nothing that the driver does counts. */
START_TEST(spec_2_6_1__driver_does_not_wait_for_the_reset)
{
	struct vblk_config c = ring_reset();
	struct op o;

	mmio_up(&c);
	o = ask(0, VBLK_T_IN, 0, SECTOR);
	expect(poll_queue(0), 1);
	(void)wr(SEL, 0);
	(void)wr(QRESET, 1);
	expect(wr(READY, 1), 0);
	expect(wr(READY, 0), 0);
	expect(wr(QRESET, 1), VBLK_FX_SAVE | VBLK_FX_LINE);
	expect(wr(0x080, 8), 0);        /* unaligned: would never be ready */
	expect(wr(0x038, 3), 0);
	expect(rd(QRESET), 1);
	(void)ask(0, VBLK_T_FLUSH, 0, 0);
	expect(wr(NOTIFY, 0), 0);
	expect(poll_queue(0), 0);
	expect(vblk_complete(rig.dev, 0, 0, VBLK_S_OK, SECTOR), VBLK_OK);
	expect(vblk_mmio_settle(&rig.mm), true);
	expect(rd(QRESET), 0);
	expect(rd(READY), 0);
	used_is(0, o.head, SECTOR + 1);
	used_none(0);
	expect(wr(READY, 1), VBLK_FX_SAVE | VBLK_FX_START);
	expect(rd(READY), 1);
}
END_TEST

/* --- requests ------------------------------------------------------------ */

/* 5.2.6.1: the sector of a FLUSH is to be 0; whatever it is, it is flushed. */
START_TEST(spec_5_2_6_1__flush_with_a_sector)
{
	static const uint64_t sector[] = { 1, 1023, 1024, 1025, UINT64_MAX };
	struct vblk_config c = plain();

	rig_start(&c);
	for (unsigned i = 0; i < COUNT(sector); i++) {
		struct op o = ask(0, VBLK_T_FLUSH, sector[i], 0);

		expect(poll_queue(0), 1);
		expect(rig.req[0].op, VBLK_OP_FLUSH);
		/* what vblk.h says of every request */
		check_that(rig.req[0].sector + rig.req[0].bytes / SECTOR <=
				   1024,
			   "sector %" PRIu64 " of a flush: expected at most "
			   "the capacity, came %" PRIu64,
			   sector[i], rig.req[0].sector);
		done(0, 0, VBLK_S_OK);
		(void)vblk_irq(rig.dev, 0);
		used_is(0, o.head, 1);
		expect(status_of(o), VBLK_S_OK);
	}
}
END_TEST

/* 5.2.6: bytes 4 to 7 of the header were a priority once. */
START_TEST(spec_5_2_6__reserved_word_means_nothing)
{
	static const uint32_t word[] = { 1, 0x80000000, UINT32_MAX };
	struct vblk_config c = plain();

	rig_start(&c);
	for (unsigned i = 0; i < COUNT(word); i++) {
		struct op o = ask(0, VBLK_T_IN, 7, SECTOR);

		put32(o.header + 4, word[i]);
		expect(poll_queue(0), 1);
		expect(rig.req[0].op, VBLK_OP_READ);
		expect(rig.req[0].sector, 7);
		expect(rig.req[0].flags, 0);
		done(0, 0, VBLK_S_OK);
		(void)vblk_irq(rig.dev, 0);
		used_is(0, o.head, SECTOR + 1);
	}
}
END_TEST

static void add(TCase *tc)
{
	tcase_add_test(tc, spec_3_1_1__neither_ACKNOWLEDGE_nor_DRIVER);
	tcase_add_test(tc, spec_3_1_1__no_reset_first);
	tcase_add_test(tc, spec_2_1_1__goes_on_after_FAILED);
	tcase_add_test(tc, spec_5_2_5_3__status_bits_leave_writeback);
	tcase_add_test(tc, spec_2_5_1__fields_without_their_feature);
	tcase_add_test(tc, spec_4_2_2_1__queue_reset_reads_0_after_a_reset);
	tcase_add_test(tc, spec_2_6_1__driver_does_not_wait_for_the_reset);
	tcase_add_test(tc, spec_5_2_6_1__flush_with_a_sector);
	tcase_add_test(tc, spec_5_2_6__reserved_word_means_nothing);
}

int main(void)
{
	return run_suite("sloppy", add);
}

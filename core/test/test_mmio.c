/* SPDX-License-Identifier: BSD-2-Clause */
/* The register file, virtio 1.4, 4.2.2, and the device status, 2.1. */
#include "util.h"

#define SECTOR 512u
#define NEEDS_RESET 64u

enum { SEL = 0x030, SIZE_MAX_ = 0x034, SIZE = 0x038, READY = 0x044,
	NOTIFY = 0x050, INT_STATUS = 0x060, INT_ACK = 0x064, STATUS = 0x070,
	QRESET = 0x0c0, GENERATION = 0x0fc };

static struct vblk_config two_queues(void)
{
	struct vblk_config c = plain();

	c.num_queues = 2;
	c.features |= VBLK_F_MQ | VBLK_F_RING_RESET | VBLK_F_CONFIG_WCE;
	return c;
}

static void fresh(const struct vblk_config *c)
{
	rig_open(c);
	vblk_mmio_init(&rig.mm, rig.dev, 0x1234, NULL);
}

/* --- identification and features ----------------------------------------- */

START_TEST(spec_4_2_2__identification)
{
	struct vblk_config c = two_queues();

	fresh(&c);
	expect(rd(0x000), 0x74726976);
	expect(rd(0x004), 2);
	expect(rd(0x008), 2);
	expect(rd(0x00c), 0x1234);
	expect(rd(STATUS), 0);
	expect(rd(INT_STATUS), 0);
	for (uint32_t i = 0x0b0; i <= 0x0bc; i += 4)
		expect(rd(i), UINT32_MAX);
}
END_TEST

START_TEST(spec_4_2_2__feature_windows)
{
	struct vblk_config c = two_queues();

	fresh(&c);
	expect(rd(0x010), (uint32_t)vblk_features(rig.dev));
	(void)wr(0x014, 1);
	expect(rd(0x010), vblk_features(rig.dev) >> 32);
	expect(rd(0x010), (VBLK_F_VERSION_1 | VBLK_F_RING_RESET) >> 32);
	for (uint32_t sel = 2; sel != 0; sel *= 2) {
		(void)wr(0x014, sel);
		expect(rd(0x010), 0);
		(void)wr(0x024, sel);   /* and what is taken there is nothing */
		(void)wr(0x020, UINT32_MAX);
	}
	expect(mmio_negotiate(vblk_features(rig.dev)), 11);
	expect(vblk_accepted(rig.dev), vblk_features(rig.dev));
	/* settled */
	(void)wr(0x024, 0);
	expect(wr(0x020, 0), 0);
	(void)wr(STATUS, 15);
	expect(vblk_accepted(rig.dev), vblk_features(rig.dev));
}
END_TEST

START_TEST(spec_2_2__features_never_offered_are_refused)
{
	struct vblk_config c = two_queues();

	for (unsigned i = 0; i < 64; i++) {
		uint64_t bit = UINT64_C(1) << i;
		bool good = vblk_features(rig.dev ? rig.dev
						  : (fresh(&c), rig.dev)) &
			    bit;

		fresh(&c);
		expect(mmio_negotiate(VBLK_F_VERSION_1 | bit), good ? 11 : 3);
		expect(vblk_accepted(rig.dev),
		       good ? VBLK_F_VERSION_1 | bit : 0);
		/* DRIVER_OK needs FEATURES_OK */
		(void)wr(STATUS, 7);
		expect(rd(STATUS), good ? 15 : 3);
	}
}
END_TEST

START_TEST(spec_6_2__version_1_is_a_must)
{
	struct vblk_config c = two_queues();

	fresh(&c);
	expect(mmio_negotiate(vblk_features(rig.dev) & ~VBLK_F_VERSION_1), 3);
	expect(vblk_accepted(rig.dev), 0);
	/* the driver may think again */
	expect(mmio_negotiate(vblk_features(rig.dev)), 11);
}
END_TEST

/* --- status -------------------------------------------------------------- */

START_TEST(spec_2_1__bits_only_come)
{
	struct vblk_config c = two_queues();

	fresh(&c);
	expect(wr(STATUS, 1), VBLK_FX_SAVE);
	(void)wr(STATUS, 2);
	expect(rd(STATUS), 3);
	(void)wr(STATUS, 0xffffff70);   /* none of these is a bit to set */
	expect(rd(STATUS), 3);
	(void)wr(STATUS, 0x80);
	expect(rd(STATUS), 0x83);
	expect(wr(STATUS, 0), VBLK_FX_SAVE | VBLK_FX_LINE);
	expect(rd(STATUS), 0);
}
END_TEST

START_TEST(spec_2_1__nothing_before_driver_ok)
{
	struct vblk_config c = two_queues();

	fresh(&c);
	(void)ask(0, VBLK_T_FLUSH, 0, 0);
	expect(mmio_negotiate(VBLK_F_VERSION_1), 11);
	mmio_queue(0);
	expect(rd(READY), 1);
	expect(vblk_queue_started(rig.dev, 0), false);
	expect(wr(NOTIFY, 0), 0);
	expect(poll_queue(0), 0);
	vblk_mmio_config_changed(&rig.mm);
	expect(rd(INT_STATUS), 0);
	expect(wr(STATUS, 15), VBLK_FX_SAVE | VBLK_FX_START);
	expect(vblk_queue_started(rig.dev, 0), true);
	expect(vblk_queue_started(rig.dev, 1), false);
	expect(wr(STATUS, 15), VBLK_FX_SAVE);
	expect(poll_queue(0), 1);
	/* a queue made ready later starts at once */
	(void)ask(1, VBLK_T_FLUSH, 0, 0);
	mmio_queue(1);
	expect(vblk_queue_started(rig.dev, 1), true);
	expect(wr(NOTIFY, 1), VBLK_FX_KICK);
	expect(poll_queue(1), 1);
}
END_TEST

START_TEST(spec_2_1_2__needs_reset_is_announced)
{
	struct vblk_config c = two_queues();

	mmio_up(&c);
	offer(0, 99);
	expect(rd(INT_STATUS), 0);
	expect(poll_queue(0), VBLK_EGUEST);
	expect(rd(STATUS), 15 | NEEDS_RESET);
	expect(rd(INT_STATUS), 2);
	expect(vblk_mmio_line(&rig.mm), true);
	expect(wr(INT_ACK, 2), VBLK_FX_LINE);
	expect(rd(INT_STATUS), 0);
	expect(rd(STATUS), 15 | NEEDS_RESET);
	/* neither QueueReady = 0 nor QueueReset heals it */
	(void)wr(SEL, 0);
	(void)wr(READY, 0);
	expect(rd(READY), 0);
	expect(rd(STATUS), 15 | NEEDS_RESET);
	expect(rd(INT_STATUS), 0);
	(void)wr(STATUS, 0);
	expect(rd(STATUS), 0);
	/* not yet acknowledged when the queue goes: still announced */
	mmio_up(&c);
	offer(0, 99);
	expect(poll_queue(0), VBLK_EGUEST);
	(void)wr(SEL, 0);
	(void)wr(QRESET, 1);
	expect(rd(QRESET), 0);
	expect(rd(STATUS), 15 | NEEDS_RESET);
	expect(rd(INT_STATUS), 2);
	(void)wr(INT_ACK, 2);
	expect(rd(INT_STATUS), 0);
}
END_TEST

/* A fault before the driver runs is not announced (2.1.2). */
START_TEST(spec_2_1_2__no_notice_before_driver_ok)
{
	struct vblk_config c = two_queues();

	fresh(&c);
	start_queue(0);
	offer(0, 99);
	expect(poll_queue(0), VBLK_EGUEST);
	expect(rd(STATUS), NEEDS_RESET);
	expect(rd(INT_STATUS), 0);
	(void)wr(INT_ACK, 2);
	(void)wr(STATUS, 0);
	expect(rd(STATUS), 0);
}
END_TEST

START_TEST(spec_4_2_2__two_queues_stop)
{
	struct vblk_config c = two_queues();

	mmio_up(&c);
	for (uint16_t q = 0; q < 2; q++) {
		(void)ask(q, VBLK_T_IN, 0, SECTOR);
		expect(poll_queue(q), 1);
		(void)wr(SEL, q);
		expect(wr(READY, 0), VBLK_FX_SAVE | VBLK_FX_HOLD);
	}
	expect(vblk_mmio_settle(&rig.mm), false);
	done(1, 0, VBLK_S_OK);
	expect(vblk_mmio_settle(&rig.mm), false);
	expect(rd(READY), 0);
	expect(vblk_complete(rig.dev, 0, 0, VBLK_S_OK, 0), VBLK_OK);
	expect(vblk_mmio_settle(&rig.mm), true);
}
END_TEST

START_TEST(spec_2_4__reset_forgets_all)
{
	struct vblk_config c = two_queues();

	mmio_up(&c);
	(void)wr(0x014, 1);
	vblk_mmio_raise(&rig.mm, 1);
	vblk_mmio_config_changed(&rig.mm);
	expect(rd(INT_STATUS), 3);
	expect(wr(STATUS, 0), VBLK_FX_SAVE | VBLK_FX_LINE);
	expect(rd(STATUS), 0);
	expect(rd(INT_STATUS), 0);
	expect(vblk_accepted(rig.dev), 0);
	expect(rd(0x010), (uint32_t)vblk_features(rig.dev));
	for (uint32_t i = 0; i < 2; i++) {
		(void)wr(SEL, i);
		expect(rd(READY), 0);
		expect(vblk_queue_started(rig.dev, (uint16_t)i), false);
	}
	/* again, as if nothing had been */
	rig.ring[0] = rig.ring[1] = (struct ring){ 0 };
	fill(RAM, 0, 0x20000);
	rig.ring[0] = (struct ring){
		RAM, RAM + 0x4000, RAM + 0x5000, 8, 0, 0, 0
	};
	expect(mmio_negotiate(VBLK_F_VERSION_1), 11);
	mmio_queue(0);
	(void)wr(STATUS, 15);
	(void)ask(0, VBLK_T_FLUSH, 0, 0);
	expect(poll_queue(0), 1);
}
END_TEST

/* The reply to 0 waits for requests; meanwhile others are answered. */
START_TEST(spec_4_2_2__reset_holds_until_drained)
{
	struct vblk_config c = two_queues();
	struct op o;

	mmio_up(&c);
	o = ask(1, VBLK_T_IN, 0, SECTOR);
	expect(poll_queue(1), 1);
	expect(wr(STATUS, 0), VBLK_FX_SAVE | VBLK_FX_HOLD);
	expect(rd(STATUS), 15);
	expect(vblk_mmio_settle(&rig.mm), false);
	expect(wr(STATUS, 0), VBLK_FX_HOLD);    /* another CPU */
	expect(wr(STATUS, 15), 0);
	expect(wr(SEL, 1), 0);
	expect(wr(NOTIFY, 1), 0);
	expect(wr(NOTIFY, 0), 0);
	expect(wr(0x120, 0), 0);
	expect(poll_queue(0), 0);
	done(1, 0, VBLK_S_OK);
	expect(vblk_irq(rig.dev, 1), false);    /* nobody is to be told */
	expect(rd(STATUS), 15);
	expect(vblk_mmio_settle(&rig.mm), true);
	expect(rd(STATUS), 0);
	used_is(1, o.head, 513);
	expect(vblk_mem_idle(rig.dev, RAM, RAM_LEN), true);
	expect(vblk_mmio_settle(&rig.mm), true);
}
END_TEST

/* --- queues -------------------------------------------------------------- */

START_TEST(spec_4_2_2__queue_registers)
{
	struct vblk_config c = two_queues();
	uint32_t sel[] = { 2, 16, 0xffff, 0x10000, UINT32_MAX };

	fresh(&c);
	for (uint32_t i = 0; i < 2; i++) {
		(void)wr(SEL, i);
		expect(rd(SIZE_MAX_), 16);
		expect(rd(READY), 0);
		expect(rd(QRESET), 0);
	}
	for (unsigned i = 0; i < COUNT(sel); i++) {
		(void)wr(SEL, sel[i]);
		expect(rd(SIZE_MAX_), 0);
		expect(wr(SIZE, 8), 0);
		expect(wr(READY, 1), 0);
		expect(rd(READY), 0);
		expect(wr(QRESET, 1), 0);
		expect(wr(NOTIFY, sel[i]), 0);
	}
}
END_TEST

START_TEST(spec_4_2_2__queue_ready_checks)
{
	struct vblk_config c = two_queues();
	uint32_t size[] = { 0, 3, 17, 32, 0x10010, 0x10000, UINT32_MAX };

	fresh(&c);
	for (unsigned i = 0; i < COUNT(size); i++) {
		mmio_queue(0);
		expect(rd(READY), 1);
		(void)wr(READY, 0);
		expect(rd(READY), 0);
		expect(wr(SIZE, size[i]), VBLK_FX_SAVE);
		expect(wr(READY, 1), 0);
		expect(rd(READY), 0);
	}
	mmio_queue(0);
	expect(wr(READY, 1), 0);        /* is already */
	expect(wr(READY, 2), 0);
	expect(wr(READY, 3), 0);
	expect(rd(READY), 1);
	/* addresses and size of a ready queue do not change */
	expect(wr(SIZE, 4), 0);
	expect(wr(0x080, 8), 0);
	(void)wr(READY, 0);
	(void)wr(0x080, 8);             /* unaligned */
	expect(wr(READY, 1), 0);
	expect(rd(READY), 0);
}
END_TEST

/* Written twice, the second counts alone, half by half. */
START_TEST(spec_4_2_2__addresses_are_not_ored)
{
	struct vblk_config c = two_queues();
	static const uint32_t reg[] = { 0x080, 0x090, 0x0a0 };

	fresh(&c);
	(void)wr(SEL, 0);
	for (unsigned i = 0; i < COUNT(reg); i++) {
		(void)wr(reg[i], UINT32_MAX);
		(void)wr(reg[i] + 4, UINT32_MAX);
	}
	expect(mmio_negotiate(VBLK_F_VERSION_1), 11);
	mmio_queue(0);
	expect(rd(READY), 1);
	(void)wr(STATUS, 15);
	(void)ask(0, VBLK_T_FLUSH, 0, 0);
	expect(poll_queue(0), 1);
	/* both halves count: memory above 4 GiB */
	fresh(&c);
	for (unsigned i = 0; i < 3; i++) {
		struct ring *r = &rig.ring[0];

		(void)ram_new(UINT64_C(0x100000000) * (i + 1), 0x1000);
		give(UINT64_C(0x100000000) * (i + 1), 0x1000);
		*(i == 0   ? &r->desc
		  : i == 1 ? &r->avail
			   : &r->used) = UINT64_C(0x100000000) * (i + 1);
	}
	expect(mmio_negotiate(VBLK_F_VERSION_1), 11);
	mmio_queue(0);
	(void)wr(STATUS, 15);
	(void)ask(0, VBLK_T_FLUSH, 0, 0);
	expect(poll_queue(0), 1);
}
END_TEST

START_TEST(spec_4_2_2__queue_ready_0_holds_until_drained)
{
	struct vblk_config c = two_queues();
	struct op o;

	mmio_up(&c);
	o = ask(0, VBLK_T_IN, 0, SECTOR);
	expect(poll_queue(0), 1);
	(void)wr(SEL, 0);
	expect(wr(READY, 0), VBLK_FX_SAVE | VBLK_FX_HOLD);
	expect(rd(READY), 1);
	expect(wr(READY, 0), VBLK_FX_HOLD);
	expect(wr(READY, 1), 0);
	expect(wr(QRESET, 1), 0);
	expect(wr(NOTIFY, 0), 0);
	expect(vblk_mmio_settle(&rig.mm), false);
	/* the other queue goes on */
	(void)ask(1, VBLK_T_FLUSH, 0, 0);
	expect(wr(NOTIFY, 1), VBLK_FX_KICK);
	expect(vblk_poll(rig.dev, 1, &rig.req[1], 1), 1);
	expect(vblk_complete(rig.dev, 0, rig.req[0].tag, VBLK_S_OK, 512),
	       VBLK_OK);
	expect(vblk_mmio_settle(&rig.mm), true);
	expect(rd(READY), 0);
	used_is(0, o.head, 513);
	expect(rd(STATUS), 15);
	/* and the queue comes back, from 0 */
	fill(RAM, 0, 0x8000);
	rig.ring[0].avail_idx = rig.ring[0].used_idx = 0;
	mmio_queue(0);
	expect(rd(READY), 1);
	o = ask(0, VBLK_T_FLUSH, 0, 0);
	expect(poll_queue(0), 1);
}
END_TEST

START_TEST(spec_4_2_2__stop_and_reset_at_once)
{
	struct vblk_config c = two_queues();

	mmio_up(&c);
	(void)ask(0, VBLK_T_IN, 0, SECTOR);
	expect(poll_queue(0), 1);
	(void)wr(SEL, 0);
	expect(wr(READY, 0), VBLK_FX_SAVE | VBLK_FX_HOLD);
	expect(wr(STATUS, 0), VBLK_FX_SAVE | VBLK_FX_HOLD);
	done(0, 0, VBLK_S_OK);
	expect(vblk_mmio_settle(&rig.mm), true);
	expect(rd(STATUS), 0);
	expect(rd(READY), 0);
}
END_TEST

START_TEST(spec_2_6_1__ring_reset)
{
	struct vblk_config c = two_queues();
	struct op o;

	mmio_up(&c);
	o = ask(0, VBLK_T_IN, 0, SECTOR);
	expect(poll_queue(0), 1);
	(void)wr(SEL, 0);
	expect(wr(QRESET, 0), 0);
	expect(wr(QRESET, 2), 0);
	/* polled by the driver, not held */
	expect(wr(QRESET, 1), VBLK_FX_SAVE | VBLK_FX_LINE);
	expect(rd(QRESET), 1);
	expect(wr(READY, 0), 0);
	expect(vblk_mmio_settle(&rig.mm), true); /* nobody waits */
	expect(rd(QRESET), 1);
	expect(wr(NOTIFY, 0), 0);
	expect(vblk_complete(rig.dev, 0, rig.req[0].tag, VBLK_S_OK, 512),
	       VBLK_OK);
	expect(vblk_mmio_settle(&rig.mm), true);
	expect(rd(QRESET), 0);
	expect(rd(READY), 0);
	expect(vblk_irq(rig.dev, 0), false);
	used_is(0, o.head, 513);
	expect(wr(QRESET, 1), 0);       /* not ready: nothing to reset */
	/* another size, as 2.6.1 allows */
	fill(RAM, 0, 0x8000);
	rig.ring[0].avail_idx = rig.ring[0].used_idx = 0;
	rig.ring[0].next_desc = 0;
	rig.ring[0].size = 4;
	mmio_queue(0);
	expect(rd(QRESET), 0);
	o = ask(0, VBLK_T_FLUSH, 0, 0);
	expect(poll_queue(0), 1);
	done(0, 0, VBLK_S_OK);
	(void)vblk_irq(rig.dev, 0);
	used_is(0, o.head, 1);
}
END_TEST

START_TEST(spec_2_6_1__ring_reset_not_negotiated)
{
	struct vblk_config c = two_queues();

	fresh(&c);
	expect(mmio_negotiate(VBLK_F_VERSION_1), 11);
	mmio_queue(0);
	(void)wr(STATUS, 15);
	(void)wr(SEL, 0);
	expect(wr(QRESET, 1), 0);
	expect(rd(QRESET), 0);
	expect(rd(READY), 1);
}
END_TEST

/* --- interrupts ---------------------------------------------------------- */

START_TEST(spec_4_2_2__interrupt_status_stays_until_acknowledged)
{
	struct vblk_config c = two_queues();

	mmio_up(&c);
	expect(vblk_mmio_line(&rig.mm), false);
	vblk_mmio_raise(&rig.mm, 1);
	vblk_mmio_raise(&rig.mm, 99);
	for (unsigned i = 0; i < 3; i++)
		expect(rd(INT_STATUS), 1);      /* reading clears nothing */
	expect(vblk_mmio_line(&rig.mm), true);
	expect(wr(INT_ACK, 2), VBLK_FX_LINE);
	expect(rd(INT_STATUS), 1);
	vblk_mmio_config_changed(&rig.mm);
	expect(rd(INT_STATUS), 3);
	(void)wr(INT_ACK, 1);
	expect(rd(INT_STATUS), 2);
	(void)wr(INT_ACK, UINT32_MAX);
	expect(rd(INT_STATUS), 0);
	/* both queues at once, one acknowledgement */
	vblk_mmio_raise(&rig.mm, 0);
	vblk_mmio_raise(&rig.mm, 1);
	(void)wr(INT_ACK, 1);
	expect(rd(INT_STATUS), 0);
}
END_TEST

/* --- configuration space ------------------------------------------------- */

START_TEST(spec_4_2_2__config_generation)
{
	struct vblk_config c = two_queues();
	uint32_t before;

	mmio_up(&c);
	before = rd(GENERATION);
	expect(rd(GENERATION), before);
	vblk_resize(rig.dev, UINT64_C(0x123456789));
	vblk_mmio_config_changed(&rig.mm);
	check_that(rd(GENERATION) != before,
		   "ConfigGeneration: expected a change from %u", before);
	expect(rd(0x100), 0x23456789);
	expect(rd(0x104), 1);
	expect(rd(INT_STATUS), 2);
	before = rd(GENERATION);
	(void)wr(GENERATION, 77);
	expect(rd(GENERATION), before);
}
END_TEST

START_TEST(spec_4_2_2__config_by_bytes)
{
	struct vblk_config c = two_queues();
	uint8_t all[0x100];

	mmio_up(&c);
	vblk_config_read(rig.dev, 0, all, sizeof(all));
	for (uint32_t i = 0; i < 0x100; i++)
		for (unsigned size = 1; size <= 8; size *= 2) {
			uint64_t want = 0;

			for (unsigned k = 0; k < size && i + k < 0x100; k++)
				want |= (uint64_t)all[i + k] << (8u * k);
			expect(vblk_mmio_read(&rig.mm, 0x100 + i, size), want);
		}
	expect(all[32], 1);
	/* writeback by each size that reaches it */
	expect(vblk_mmio_write(&rig.mm, 0x120, 1, 0), VBLK_FX_SAVE);
	expect(vblk_mmio_read(&rig.mm, 0x120, 1), 0);
	(void)vblk_mmio_write(&rig.mm, 0x11c, 8, UINT64_C(1) << 32);
	expect(vblk_mmio_read(&rig.mm, 0x120, 1), 1);
	(void)vblk_mmio_write(&rig.mm, 0x120, 4, 0x100);
	expect(vblk_mmio_read(&rig.mm, 0x120, 1), 0);
	/* capacity is not the driver's to write */
	(void)vblk_mmio_write(&rig.mm, 0x100, 8, 1);
	expect(vblk_mmio_read(&rig.mm, 0x100, 8), 1024);
}
END_TEST

/* --- whatever a guest may do --------------------------------------------- */

START_TEST(spec_4_2_2_2__unaligned_access_is_ignored)
{
	struct vblk_config c = two_queues();
	struct vblk_mmio before;

	fresh(&c);
	for (uint64_t at = 0; at < 0x100; at++)
		for (unsigned size = 0; size <= 8; size++) {
			if (size == 4 && at % 4 == 0)
				continue;
			before = rig.mm;
			expect(vblk_mmio_read(&rig.mm, at, size), 0);
			check_that(vblk_mmio_write(&rig.mm, at, size,
						   0x01010101) == 0,
				   "write at 0x%x of %u: expected no effect",
				   (unsigned)at, size);
			check_that(memcmp(&before, &rig.mm, sizeof(before)) ==
					   0,
				   "write at 0x%x of %u changed registers",
				   (unsigned)at, size);
		}
}
END_TEST

START_TEST(spec_4_2_2__offsets_that_name_nothing)
{
	static const uint32_t none[] = { 0x018, 0x01c, 0x028, 0x02c, 0x03c,
					 0x040, 0x048, 0x04c, 0x054, 0x058,
					 0x05c, 0x068, 0x06c, 0x074, 0x078,
					 0x07c, 0x088, 0x08c, 0x098, 0x09c,
					 0x0a8, 0x0ac, 0x0c4, 0x0c8, 0x0d0,
					 0x0e0, 0x0f0, 0x0f8 };
	static const uint64_t far[] = { 0x200,
					0x201,
					0x1000,
					UINT32_MAX,
					UINT64_C(0x100000000),
					UINT64_C(0x100000070),
					UINT64_C(0x100000100),
					UINT64_MAX - 7,
					UINT64_MAX };
	struct vblk_config c = two_queues();
	struct vblk_mmio before;

	fresh(&c);
	before = rig.mm;
	for (unsigned i = 0; i < COUNT(none); i++) {
		expect(rd(none[i]), 0);
		expect(wr(none[i], 1), 0);
	}
	for (unsigned i = 0; i < COUNT(far); i++)
		for (unsigned size = 1; size <= 8; size *= 2) {
			expect(vblk_mmio_read(&rig.mm, far[i], size), 0);
			expect(vblk_mmio_write(&rig.mm, far[i], size, 0), 0);
		}
	/* read-only and write-only ones */
	for (uint32_t i = 0; i < 0x10; i += 4)
		expect(wr(i, 0), 0);
	expect(wr(0x010, 0), 0);
	expect(wr(INT_STATUS, 3), 0);
	expect(rd(INT_ACK), 0);
	expect(rd(NOTIFY), 0);
	expect(rd(0x020), 0);
	expect(rd(0x080), 0);
	ck_assert_mem_eq(&before, &rig.mm, sizeof(before));
}
END_TEST

/* Every offset, size and a choice of values, in any order: defined, bounded. */
START_TEST(trust__every_access_is_total)
{
	static const uint64_t value[] = { 0,	      1,
					  2,	      3,
					  8,	      15,
					  16,	      0x80,
					  0xffff,     0x10000,
					  0x7fffffff, 0x80000000,
					  UINT32_MAX, UINT64_C(0x100000000),
					  UINT64_MAX };
	struct vblk_config c = two_queues();
	uint64_t seed = 0x5eed0000u + (unsigned)_i;

	mmio_up(&c);
	for (uint64_t at = 0; at < 0x210; at++)
		for (unsigned size = 0; size < 10; size++)
			for (unsigned v = 0; v < COUNT(value); v++) {
				(void)vblk_mmio_read(&rig.mm, at, size);
				(void)vblk_mmio_write(&rig.mm, at, size,
						      value[v]);
			}
	mmio_up(&c);
	for (unsigned i = 0; i < 60000; i++) {
		uint64_t r = chance(&seed), at = r % 0x210, v = chance(&seed);
		unsigned size = 1u << (r >> 20 & 3u);

		if (r >> 32 & 7u) {             /* mostly registers */
			at = at % 0x100 & ~UINT64_C(3);
			size = 4;
			v = value[v % COUNT(value)];
		}
		if (r >> 40 & 1u)
			(void)vblk_mmio_write(&rig.mm, at, size, v);
		else
			(void)vblk_mmio_read(&rig.mm, at, size);
		if ((r >> 48) % 8 == 0)
			mmio_queue((uint16_t)(r >> 56 & 1u));
		if ((r >> 48) % 64 == 1) {
			(void)mmio_negotiate(vblk_features(rig.dev));
			(void)wr(STATUS, 15);
		}
		for (uint16_t q = 0; q < 2; q++) {
			struct vblk_req req;

			if (vblk_poll(rig.dev, q, &req, 1) == 1)
				(void)vblk_complete(rig.dev, q, req.tag,
						    VBLK_S_OK, 0);
			(void)vblk_irq(rig.dev, q);
		}
		(void)vblk_mmio_settle(&rig.mm);
	}
	/* and still a device, seed as in the loop's number */
	(void)wr(STATUS, 0);
	check_that(rd(STATUS) == 0, "seed 0x%" PRIx64 ": no reset", seed);
}
END_TEST

/* --- with a log ---------------------------------------------------------- */

START_TEST(life__driver_begins_anew_whatever_the_log_holds)
{
	struct vblk_config c = two_queues();
	uint64_t bytes[40] = { 0 };
	struct vblk_inflight *log[2];

	/* version 1, of another size */
	((uint16_t *)(void *)bytes)[4] = 1;
	((uint16_t *)(void *)bytes)[5] = 8;
	log[0] = (struct vblk_inflight *)(void *)bytes;
	log[1] = NULL;
	rig_open(&c);
	vblk_mmio_init(&rig.mm, rig.dev, 0, log);
	expect(mmio_negotiate(VBLK_F_VERSION_1), 11);
	mmio_queue(0);
	mmio_queue(1);
	(void)wr(STATUS, 15);
	(void)wr(SEL, 0);
	expect(rd(READY), 1);
	(void)wr(SEL, 1);
	expect(rd(READY), 1);
	expect(vblk_queue_started(rig.dev, 0), true);
	expect(vblk_queue_started(rig.dev, 1), true);
}
END_TEST

static void add(TCase *tc)
{
	tcase_add_test(tc, spec_4_2_2__identification);
	tcase_add_test(tc, spec_4_2_2__feature_windows);
	tcase_add_test(tc, spec_2_2__features_never_offered_are_refused);
	tcase_add_test(tc, spec_6_2__version_1_is_a_must);
	tcase_add_test(tc, spec_2_1__bits_only_come);
	tcase_add_test(tc, spec_2_1__nothing_before_driver_ok);
	tcase_add_test(tc, spec_2_1_2__needs_reset_is_announced);
	tcase_add_test(tc, spec_2_1_2__no_notice_before_driver_ok);
	tcase_add_test(tc, spec_4_2_2__two_queues_stop);
	tcase_add_test(tc, spec_2_4__reset_forgets_all);
	tcase_add_test(tc, spec_4_2_2__reset_holds_until_drained);
	tcase_add_test(tc, spec_4_2_2__queue_registers);
	tcase_add_test(tc, spec_4_2_2__queue_ready_checks);
	tcase_add_test(tc, spec_4_2_2__addresses_are_not_ored);
	tcase_add_test(tc, spec_4_2_2__queue_ready_0_holds_until_drained);
	tcase_add_test(tc, spec_4_2_2__stop_and_reset_at_once);
	tcase_add_test(tc, spec_2_6_1__ring_reset);
	tcase_add_test(tc, spec_2_6_1__ring_reset_not_negotiated);
	tcase_add_test(tc,
		       spec_4_2_2__interrupt_status_stays_until_acknowledged);
	tcase_add_test(tc, spec_4_2_2__config_generation);
	tcase_add_test(tc, spec_4_2_2__config_by_bytes);
	tcase_add_test(tc, spec_4_2_2_2__unaligned_access_is_ignored);
	tcase_add_test(tc, spec_4_2_2__offsets_that_name_nothing);
	tcase_add_loop_test(tc, trust__every_access_is_total, 0, 4);
	tcase_add_test(tc, life__driver_begins_anew_whatever_the_log_holds);
}

int main(void)
{
	return run_suite("mmio", add);
}

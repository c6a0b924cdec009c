/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A driver that initializes in another order than 3.1.1 has it. Nothing is
 * said of what a device does then; it does not hang, and a reset makes it good.
 */
#include "lib.h"
#include "lib_internal.h"
#include "tests.h"

static void good_after(struct suite *s, const char *what)
{
	reset(s);
	s->rings = 0;
	s->features = 0;
	alive(start(s, ALL_FEATURES, 0), what);
}

static void driver_ok_at_once(struct suite *s)
{
	set_status(s, VIRTIO_S_DRIVER_OK);
	settle(s);
	(void)status(s);
	good_after(s, "DRIVER_OK as the first bit");
}

static void driver_ok_without_features(struct suite *s)
{
	struct ring *r;

	set_status(s, VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER);
	r = add_ring(s, 0, 16);
	set_status(s,
		   VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER | VIRTIO_S_DRIVER_OK);
	ring_notify(r);
	settle(s);
	good_after(s, "DRIVER_OK without FEATURES_OK");
}

static void all_at_once(struct suite *s)
{
	set_status(s, 0x0f);
	settle(s);
	set_status(s, 0xff);
	settle(s);
	good_after(s, "all bits of status at once");
}

static void all_values(struct suite *s)
{
	for (uint32_t v = 255; v > 0 && !s->over; v--)
		set_status(s, v);
	set_status(s, 0xffffff00u);
	settle(s);
	good_after(s, "every value of status");
}

static void queue_before_driver(struct suite *s)
{
	struct ring *r = add_ring(s, 0, 16);

	ring_notify(r);
	settle(s);
	good_after(s, "a queue before ACKNOWLEDGE");
}

static void random_registers(struct suite *s)
{
	uint32_t v = 99;

	for (uint32_t i = 0; i < 3000 && !s->over; i++) {
		uint32_t at;

		v = v * 1664525u + 1013904223u;
		at = (v >> 8) % 0x80u * 4u;
		v = v * 1664525u + 1013904223u;
		/* never an address that is ours: areas above 2^62 */
		if (at >= 0x80 && at < 0xb0)
			set_reg(s, at, (v >> 3) | 0x40000000u);
		else
			set_reg(s, at, i % 3 ? (v >> 16) & 0xfu : v);
		(void)reg(s, at);
	}
	settle(s);
	good_after(s, "3000 random writes to registers");
}

static void many_resets(struct suite *s)
{
	for (uint32_t i = 0; i < 200; i++) {
		set_status(s, i & 1u ? 0 : VIRTIO_S_ACKNOWLEDGE);
		set_status(s, 0);
	}
	good_after(s, "200 resets");
}

const struct suite_test tests_hostile_driver[] = {
	{ "hostile.driver_ok_at_once", "GENERALINIT-G003 GENERALINIT-G004 "
	  "GENERALINIT-G011",
	  "DRIVER_OK as the first bit", SUITE_POLICY, DUT_REGS, 0,
	  SUITE_ANYBODY, driver_ok_at_once },
	{ "hostile.driver_ok_without_features", "GENERALINIT-G007 "
	  "GENERALINIT-G009 GENERALINIT-G014",
	  "DRIVER_OK without FEATURES_OK", SUITE_POLICY, DUT_REGS, 0,
	  SUITE_ANYBODY, driver_ok_without_features },
	{ "hostile.all_at_once", "GENERALINIT-G001 GENERALINIT-G005",
	  "all bits of status at once", SUITE_POLICY, DUT_REGS, 0,
	  SUITE_ANYBODY, all_at_once },
	{ "hostile.all_values", "CORE-G001 CORE-G002",
	  "every value of status", SUITE_POLICY, DUT_REGS, 0, SUITE_ANYBODY,
	  all_values },
	{ "hostile.queue_before_driver", "MMIO-G020 GENERALINIT-G010",
	  "a queue before ACKNOWLEDGE", SUITE_POLICY, DUT_REGS, 0,
	  SUITE_ANYBODY, queue_before_driver },
	{ "hostile.random_registers", "MMIO-G001 MMIO-G008",
	  "random writes to registers", SUITE_POLICY, DUT_REGS, 0,
	  SUITE_ANYBODY, random_registers },
	{ "hostile.many_resets", "GENERALINIT-G002", "200 resets",
	  SUITE_POLICY, 0, 0, SUITE_ANYBODY, many_resets },
};
TESTS(tests_hostile_driver);

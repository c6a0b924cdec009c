/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The register file of virtio-mmio: 4.2.2.
 */
#include "lib.h"
#include "mmio_driver.h"
#include "tests.h"

#define LIVE \
	(VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER | VIRTIO_S_FEATURES_OK | \
	 VIRTIO_S_DRIVER_OK)

static void magic(struct suite *s)
{
	expect(s, reg(s, REG_MAGIC) == REG_MAGIC_VALUE, "MagicValue is %x",
	       reg(s, REG_MAGIC));
}

static void version(struct suite *s)
{
	expect(s, reg(s, REG_VERSION) == 2, "Version is %u",
	       reg(s, REG_VERSION));
}

static void device_id(struct suite *s)
{
	expect(s, reg(s, REG_DEVICE) == 2, "DeviceID is %u, not 2",
	       reg(s, REG_DEVICE));
}

static void irq_until_ack(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	struct req q;

	settle(s);
	forget_irqs(s);
	ring_loud(r);
	req_make(s, &q, BLK_T_IN, 0, SECTOR);
	req_ok(r, &q);
	settle(s);
	for (uint32_t i = 0; i < 3; i++)
		expect(s, reg(s, REG_IRQ_STATUS) & REG_IRQ_USED,
		       "a chain was used and bit 0 of InterruptStatus is not "
		       "set: %x (look %u)",
		       reg(s, REG_IRQ_STATUS), i + 1u);
	set_reg(s, REG_IRQ_ACK, REG_IRQ_CONFIG);
	expect(s, reg(s, REG_IRQ_STATUS) & REG_IRQ_USED,
	       "acknowledging bit 1 cleared bit 0");
	set_reg(s, REG_IRQ_ACK, REG_IRQ_USED);
	expect(s, !(reg(s, REG_IRQ_STATUS) & REG_IRQ_USED),
	       "bit 0 stays after it was acknowledged");
}

static void irq_config_until_ack(struct suite *s)
{
	(void)start(s, ALL_FEATURES, 0);
	settle(s);
	forget_irqs(s);
	event(s, DUT_EVENT_RESIZE, capacity(s) + 8u);
	expect(s, reg(s, REG_IRQ_STATUS) & REG_IRQ_CONFIG,
	       "the capacity changed and bit 1 of InterruptStatus is not set");
	set_reg(s, REG_IRQ_ACK, REG_IRQ_USED);
	expect(s, reg(s, REG_IRQ_STATUS) & REG_IRQ_CONFIG,
	       "acknowledging bit 0 cleared bit 1");
	set_reg(s, REG_IRQ_ACK, REG_IRQ_CONFIG);
	expect(s, reg(s, REG_IRQ_STATUS) == 0,
	       "InterruptStatus is %x after all was acknowledged",
	       reg(s, REG_IRQ_STATUS));
}

static void irq_nothing(struct suite *s)
{
	struct ring *r;

	expect(s, reg(s, REG_IRQ_STATUS) == 0,
	       "InterruptStatus is %x after a reset", reg(s, REG_IRQ_STATUS));
	r = start(s, ALL_FEATURES, 0);
	settle(s);
	expect(s, reg(s, REG_IRQ_STATUS) == 0,
	       "InterruptStatus is %x, and nothing happened",
	       reg(s, REG_IRQ_STATUS));
	ring_quiet(r);
	alive(r, "quiet");
	settle(s);
	expect(s, !(reg(s, REG_IRQ_STATUS) & ~(REG_IRQ_USED | REG_IRQ_CONFIG)),
	       "InterruptStatus has bits without a meaning: %x",
	       reg(s, REG_IRQ_STATUS));
	expect(s, !(reg(s, REG_IRQ_STATUS) & REG_IRQ_CONFIG),
	       "a configuration change is told, and there was none");
}

static void ack_unknown_bits(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);

	set_reg(s, REG_IRQ_ACK, 0xfffffffcu);
	set_reg(s, REG_IRQ_ACK, 0);
	alive(r, "unknown bits were acknowledged");
}

static void reset_clears(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);

	ring_loud(r);
	alive(r, "before");
	settle(s);
	expect(s, reg(s, REG_IRQ_STATUS) != 0, "no interrupt came");
	reset(s);
	expect(s, reg(s, REG_IRQ_STATUS) == 0,
	       "InterruptStatus is %x after a reset", reg(s, REG_IRQ_STATUS));
	for (uint32_t i = 0; i < 4; i++) {
		set_reg(s, REG_QUEUE_SEL, i);
		expect(s, reg(s, REG_QUEUE_READY) == 0,
		       "QueueReady of queue %u is %u after a reset", i,
		       reg(s, REG_QUEUE_READY));
	}
}

static void widths(struct suite *s)
{
	static const uint32_t width[] = { 1, 2, 8 };
	struct ring *r = start(s, ALL_FEATURES, 0);

	for (uint32_t i = 0; i < 3; i++) {
		for (uint32_t at = 0; at < 0x100; at += width[i]) {
			(void)reg_wide(s, at, width[i]);
			if (at != REG_STATUS && at != REG_QUEUE_READY)
				continue;
			set_reg_wide(s, at, width[i], 0);
		}
	}
	expect(s, status(s) == LIVE,
	       "writes to Status of another width than 4 made it %u",
	       status(s));
	alive(r, "accesses of other widths");
}

static void unaligned(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);

	for (uint32_t at = 1; at < 0x100; at++)
		if (at % 4)
			(void)reg_wide(s, at, 4);
	set_reg_wide(s, REG_STATUS + 1, 4, 0);
	set_reg_wide(s, REG_STATUS - 2, 4, 0);
	expect(s, status(s) == LIVE,
	       "unaligned writes beside Status made it %u", status(s));
	alive(r, "unaligned accesses");
}

static bool known(uint32_t at)
{
	return at == REG_MAGIC || at == REG_VERSION || at == REG_DEVICE ||
	       at == REG_VENDOR || at == REG_FEATURES || at == REG_QUEUE_MAX ||
	       at == REG_QUEUE_READY || at == REG_IRQ_STATUS ||
	       at == REG_STATUS ||
	       (at >= REG_SHM_LEN && at < REG_SHM_LEN + 16) ||
	       at == REG_QUEUE_RESET || at == REG_GENERATION;
}

static void nowhere(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);

	for (uint32_t at = 0; at < 0x100; at += 4) {
		if (known(at))
			continue;
		expect(s, reg(s, at) == 0,
		       "offset %x, which names nothing readable, reads %x", at,
		       reg(s, at));
	}
	/* what is read-only, and what names nothing, written */
	for (uint32_t at = 0; at < 0x100; at += 4)
		if (at <= REG_FEATURES || at == REG_QUEUE_MAX ||
		    at == REG_IRQ_STATUS || at == REG_GENERATION ||
		    at == 0x18 || at == 0x1c || at == 0x54 || at >= 0xc4)
			set_reg(s, at, 0xffffffffu);
	expect(s, reg(s, REG_MAGIC) == REG_MAGIC_VALUE && status(s) == LIVE,
	       "writes to read-only registers had an effect");
	alive(r, "writes to what names nothing");
}

static void behind(struct suite *s)
{
	for (uint32_t at = 0x100 + 96; at < 0x200; at += 4)
		expect(s, reg(s, at) == 0,
		       "offset %x, behind the configuration, reads %x", at,
		       reg(s, at));
}

static void config_widths(struct suite *s)
{
	uint64_t wide = reg_wide(s, REG_CONFIG, 4) |
			reg_wide(s, REG_CONFIG + 4, 4) << 32;

	for (uint32_t i = 0; i < 8; i++)
		expect(s,
		       reg_wide(s, REG_CONFIG + i, 1) ==
			       ((wide >> (8u * i)) & 0xffu),
		       "byte %u of the capacity reads %x, and %x as part of a "
		       "word",
		       i, (unsigned)reg_wide(s, REG_CONFIG + i, 1),
		       (unsigned)((wide >> (8u * i)) & 0xffu));
}

static void shared_memory(struct suite *s)
{
	for (uint32_t id = 0; id < 4; id++) {
		set_reg(s, REG_SHM_SEL, id);
		expect(s,
		       reg(s, REG_SHM_LEN) == UINT32_MAX &&
			       reg(s, REG_SHM_LEN + 4) == UINT32_MAX,
		       "there is a shared memory region %u", id);
		expect(s,
		       reg(s, REG_SHM_BASE) == UINT32_MAX &&
			       reg(s, REG_SHM_BASE + 4) == UINT32_MAX,
		       "shared memory region %u, which there is not, has a "
		       "base",
		       id);
	}
}

const struct suite_test tests_mmio[] = {
	{ "mmio.magic", "MMIO-D001 MMIO-G004 MMIO-G017",
	  "MagicValue is 0x74726976", SUITE_MUST, DUT_REGS, 0, 0, magic },
	{ "mmio.version", "MMIO-D002 MMIO-G005", "Version is 2", SUITE_MUST,
	  DUT_REGS, 0, 0, version },
	{ "mmio.device_id", "MMIO-G006 MMIO-G018", "DeviceID is 2",
	  SUITE_POLICY, DUT_REGS, 0, SUITE_ANYBODY, device_id },
	{ "mmio.irq_until_ack", "MMIO-D003 MMIO-G021 MMIO-G023",
	  "a used buffer is shown until it is acknowledged", SUITE_MUST,
	  DUT_REGS, 0, SUITE_SPLIT | SUITE_PACKED, irq_until_ack },
	{ "mmio.irq_config_until_ack", "MMIO-D003",
	  "a changed configuration is shown until it is acknowledged",
	  SUITE_MUST, DUT_REGS | DUT_RESIZE, 0, 0, irq_config_until_ack },
	{ "mmio.irq_nothing", "MMIO-D004 MMIO-G012",
	  "no bit is set for what did not happen", SUITE_MUST, DUT_REGS, 0,
	  SUITE_SPLIT | SUITE_PACKED, irq_nothing },
	{ "mmio.ack_unknown_bits", "MMIO-G013",
	  "acknowledging what is not set harms nobody", SUITE_POLICY,
	  DUT_REGS, 0, SUITE_ANYBODY, ack_unknown_bits },
	{ "mmio.reset_clears", "MMIO-D005",
	  "a reset clears InterruptStatus and every QueueReady", SUITE_MUST,
	  DUT_REGS, 0, SUITE_SPLIT | SUITE_PACKED, reset_clears },
	{ "mmio.widths", "MMIO-G002 POL-REG-WIDTH",
	  "control registers are 32 bits wide or nothing", SUITE_POLICY,
	  DUT_REGS, 0, 0, widths },
	{ "mmio.unaligned", "MMIO-G002 POL-REG-WIDTH",
	  "unaligned accesses change nothing", SUITE_POLICY, DUT_REGS, 0, 0,
	  unaligned },
	{ "mmio.nowhere", "MMIO-G001 POL-REG-NOWHERE",
	  "what is not a register reads 0 and ignores writes", SUITE_POLICY,
	  DUT_REGS, 0, 0, nowhere },
	{ "mmio.behind", "MMIO-G001 POL-REG-NOWHERE",
	  "behind the configuration is nothing", SUITE_POLICY, DUT_REGS, 0, 0,
	  behind },
	{ "mmio.config_widths", "MMIO-G003",
	  "a field reads the same in bytes and in words", SUITE_POLICY,
	  DUT_REGS, 0, SUITE_ANYBODY, config_widths },
	{ "mmio.shared_memory", "SHAREDMEMORY-D001 MMIO-G019",
	  "there is no shared memory", SUITE_MUST, DUT_REGS, 0, 0,
	  shared_memory },
};
TESTS(tests_mmio);

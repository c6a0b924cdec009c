/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration space: 2.5, 5.2.4, 5.2.5.
 */
#include <string.h>

#include "lib.h"
#include "tests.h"

#define BYTES 96u               /* all of 5.2.4 */

static void before_features_ok(struct suite *s)
{
	uint8_t b[BYTES];
	uint64_t sectors;

	sectors = capacity(s);  /* before ACKNOWLEDGE even */
	config(s, 0, b, sizeof(b));
	set_status(s, VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER);
	expect(s, sectors != 0, "the capacity reads 0 before FEATURES_OK");
	negotiate(s, ALL_FEATURES, 0);
	expect(s, capacity(s) == sectors,
	       "the capacity is %llu, and was %llu before FEATURES_OK",
	       capacity(s) + 0ull, sectors + 0ull);
}

static void padding(struct suite *s)
{
	uint8_t b[BYTES];

	config(s, 0, b, sizeof(b));
	expect(s, b[33] == 0, "unused0 is %x", b[33]);
	expect(s, b[57] == 0 && b[58] == 0 && b[59] == 0, "unused1 is %x %x %x",
	       b[57], b[58], b[59]);
}

static void padding_zoned(struct suite *s)
{
	uint8_t b[BYTES];

	config(s, 0, b, sizeof(b));
	expect(s, b[93] == 0 && b[94] == 0 && b[95] == 0, "unused2 is %x %x %x",
	       b[93], b[94], b[95]);
}

static void constant(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	uint8_t a[BYTES], b[BYTES];

	config(s, 0, a, sizeof(a));
	alive(r, "between two readings");
	config(s, 0, b, sizeof(b));
	for (uint32_t i = 0; i < BYTES; i++)
		expect(s, a[i] == b[i],
		       "byte %u was %x and is %x, and nothing happened", i,
		       a[i], b[i]);
}

static void limits(struct suite *s)
{
	uint32_t block = config32(s, 20);

	if (s->offered & BLK_F_BLK_SIZE)
		expect(s, block >= SECTOR && !(block & (block - 1u)),
		       "blk_size is %u", block);
	if (s->offered & BLK_F_SEG_MAX)
		expect(s, config32(s, 12) != 0, "seg_max is 0");
	if (s->offered & BLK_F_SIZE_MAX)
		expect(s, config32(s, 8) >= SECTOR, "size_max is %u",
		       config32(s, 8));
	if (s->offered & BLK_F_DISCARD)
		expect(s, config32(s, 36) && config32(s, 40),
		       "DISCARD with limits %u and %u", config32(s, 36),
		       config32(s, 40));
	if (s->offered & BLK_F_WRITE_ZEROES)
		expect(s, config32(s, 48) && config32(s, 52),
		       "WRITE_ZEROES with limits %u and %u", config32(s, 48),
		       config32(s, 52));
	if (s->offered & BLK_F_SECURE_ERASE)
		expect(s, config32(s, 60) && config32(s, 64),
		       "SECURE_ERASE with limits %u and %u", config32(s, 60),
		       config32(s, 64));
}

/* As many as it says, and each can be used. */
static void num_queues(struct suite *s)
{
	uint32_t n, i;
	struct ring *r[DUT_QUEUES];

	negotiate(s, ALL_FEATURES, BLK_F_MQ);
	n = config16(s, 34);
	expect(s, n >= 1, "num_queues is 0");
	if (n > DUT_QUEUES)
		n = DUT_QUEUES;
	for (i = 0; i < n; i++) {
		expect(s, queue_max(s, i) != 0,
		       "num_queues is %u, but there is no queue %u", n, i);
		r[i] = add_ring(s, i, 8);
	}
	driver_ok(s);
	for (i = 0; i < n; i++)
		alive(r[i], "each queue of num_queues");
}

static void may_unmap(struct suite *s)
{
	uint8_t v;

	config(s, 56, &v, 1);
	expect(s, v <= 1, "write_zeroes_may_unmap is %u", v);
}

/* Also after a driver that had set it to 1. */
static void writeback_0(struct suite *s)
{
	uint8_t v = 1;

	if (s->offered & BLK_F_FLUSH) {
		negotiate(s, BLK_F_CONFIG_WCE | BLK_F_FLUSH, BLK_F_CONFIG_WCE);
		driver_ok(s);
		set_config(s, 32, &v, 1);
		reset(s);
	}
	negotiate(s, BLK_F_CONFIG_WCE, BLK_F_CONFIG_WCE);
	config(s, 32, &v, 1);
	expect(s, v == 0,
	       "writeback starts as %u with CONFIG_WCE and without FLUSH", v);
}

static void writeback_switch(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, BLK_F_CONFIG_WCE | BLK_F_FLUSH);

	for (uint32_t i = 0; i < 4; i++) {
		uint8_t want = i & 1u, v = 9;

		set_config(s, 32, &want, 1);
		config(s, 32, &v, 1);
		expect(s, v == want, "writeback was set to %u and reads %u",
		       want, v);
		alive(r, "after writeback was switched");
	}
}

static void writeback_odd(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, BLK_F_CONFIG_WCE | BLK_F_FLUSH);
	uint8_t odd = 0xff, v;

	set_config(s, 32, &odd, 1);
	config(s, 32, &v, 1);
	expect(s, v <= 1, "writeback reads %u after 255 was written", v);
	alive(r, "255 was written to writeback");
}

static void read_only_fields(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	uint8_t before[BYTES], after[BYTES], junk[BYTES];

	memset(junk, 0x5a, sizeof(junk));
	config(s, 0, before, sizeof(before));
	for (uint32_t i = 0; i < BYTES; i += 4)
		if (i != 32)
			set_config(s, i, junk, 4);
	set_config(s, 33, junk, 1);
	set_config(s, 34, junk, 2);
	config(s, 0, after, sizeof(after));
	for (uint32_t i = 0; i < BYTES; i++)
		expect(s, before[i] == after[i],
		       "byte %u of the configuration was %x and a driver made "
		       "it %x",
		       i, before[i], after[i]);
	alive(r, "after writes to fields that are not writable");
}

static void early_write(struct suite *s)
{
	uint8_t v = 1;

	set_status(s, VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER);
	set_config(s, 32, &v, 1);
	reset(s);
	alive(start(s, ALL_FEATURES, 0), "a write before FEATURES_OK");
}

static void resize_is_told(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES, 0);
	uint64_t sectors = capacity(s);
	struct req q;

	alive(r, "before");
	forget_irqs(s);
	event(s, DUT_EVENT_RESIZE, sectors + 64u);
	await_config_irq(s, "the capacity changed");
	expect(s, capacity(s) == sectors + 64u,
	       "the disk grew by 64 sectors from %llu; capacity reads %llu",
	       sectors + 0ull, capacity(s) + 0ull);
	req_make(s, &q, BLK_T_IN, sectors + 60u, SECTOR);
	req_is(r, &q, BLK_S_OK, "a read of what came anew");
	event(s, DUT_EVENT_RESIZE, sectors - 64u);
	await_config_irq(s, "the capacity changed again");
	req_make(s, &q, BLK_T_IN, sectors - 1u, SECTOR);
	req_is(r, &q, BLK_S_IOERR, "a read of what is gone");
}

static void generation_changes(struct suite *s)
{
	uint32_t before = 0, still = 0, after = 0;

	(void)start(s, ALL_FEATURES, 0);
	if (s->over)
		return;
	(void)s->d->ops->config_generation(s->d, &before);
	(void)capacity(s);
	(void)s->d->ops->config_generation(s->d, &still);
	expect(s, before == still,
	       "the generation was %u and is %u, and nothing changed", before,
	       still);
	event(s, DUT_EVENT_RESIZE, capacity(s) + 8u);
	(void)s->d->ops->config_generation(s->d, &after);
	expect(s, after != before,
	       "the capacity changed and the generation is still %u", after);
}

const struct suite_test tests_config[] = {
	{ "config.before_features_ok", "CORE-D010 GENERALINIT-G006 BLK-G004",
	  "every field can be read before FEATURES_OK", SUITE_MUST, 0, 0, 0,
	  before_features_ok },
	{ "config.padding", "BLK-D003", "unused0 and unused1 are 0",
	  SUITE_MUST, 0, 0, 0, padding },
	{ "config.padding_zoned", "BLK-D017", "unused2 is 0", SUITE_MUST, 0, 0,
	  0, padding_zoned },
	{ "config.constant", "CORE-G011",
	  "what nobody changes reads the same", SUITE_POLICY, 0, 0,
	  SUITE_ANYBODY, constant },
	{ "config.limits", "BLK-G019 BLK-G020 BLK-G021 CORE-G012",
	  "limits that go with a feature make sense", SUITE_POLICY, 0, 0,
	  SUITE_ANYBODY, limits },
	{ "config.num_queues", "CORE-G012", "there are num_queues queues",
	  SUITE_POLICY, 0, BLK_F_MQ, SUITE_ANYBODY, num_queues },
	{ "config.may_unmap", "BLK-D026 BLK-D027",
	  "write_zeroes_may_unmap is 0 or 1", SUITE_SHOULD, 0,
	  BLK_F_WRITE_ZEROES, 0, may_unmap },
	{ "config.writeback_0", "BLK-D002",
	  "writeback starts as 0 with CONFIG_WCE and without FLUSH",
	  SUITE_MUST, 0, BLK_F_CONFIG_WCE, 0, writeback_0 },
	{ "config.writeback_switch", "BLK-G022",
	  "a driver may switch the cache's mode", SUITE_MUST, 0,
	  BLK_F_CONFIG_WCE | BLK_F_FLUSH, 0, writeback_switch },
	{ "config.writeback_odd", "BLK-G022",
	  "writeback is 0 or 1 whatever is written", SUITE_POLICY, 0,
	  BLK_F_CONFIG_WCE | BLK_F_FLUSH, 0, writeback_odd },
	{ "config.read_only_fields", "MMIO-G001",
	  "other fields are not the driver's to write", SUITE_POLICY, DUT_REGS,
	  0, 0, read_only_fields },
	{ "config.early_write", "GENERALINIT-G006",
	  "a write before FEATURES_OK harms nobody", SUITE_POLICY, DUT_REGS, 0,
	  SUITE_ANYBODY, early_write },
	{ "config.resize_is_told", "BLK-D018 BLK-D019 BLK-G011",
	  "another capacity is told, and counts", SUITE_SHOULD,
	  DUT_RESIZE | DUT_IRQ_CONFIG, 0, 0, resize_is_told },
	{ "config.generation", "MMIO-D006 CORE-G011",
	  "the generation changes with the configuration, and only then",
	  SUITE_MUST, DUT_GENERATION | DUT_RESIZE, 0, 0, generation_changes },
};
TESTS(tests_config);

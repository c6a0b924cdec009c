/* SPDX-License-Identifier: BSD-2-Clause */
/* Configuration, features (2.2, 6) and configuration space (5.2.4). */
#include "util.h"

static struct vblk_config valid;

static size_t size_with(void) { return vblk_sizeof(&valid); }

START_TEST(config__defaults)
{
	struct vblk_config c;
	const struct vblk_config *d;

	memset(&c, 0, sizeof(c));
	c.capacity = 16 * 63 * 10;
	rig_open(&c);
	d = vblk_configuration(rig.dev);
	expect(d->block_size, 512);
	expect(d->size_max, 1 << 20);
	expect(d->max_discard_sectors, 1 << 21);
	expect(d->max_zeroes_sectors, 1 << 21);
	expect(d->discard_align, 1);
	expect(d->num_queues, 1);
	expect(d->queue_size, 128);
	expect(d->slots, 128);
	expect(d->segs, 32);
	expect(d->seg_max, 32);
	expect(d->regions, 8);
	expect(d->features, VBLK_F_VERSION_1);
	expect(vblk_features(rig.dev), VBLK_F_VERSION_1);
	expect(vblk_accepted(rig.dev), 0);
	c.queue_size = 16;
	c.segs = 3;
	rig_open(&c);
	expect(vblk_configuration(rig.dev)->slots, 16);
	expect(vblk_configuration(rig.dev)->seg_max, 3);
}
END_TEST

START_TEST(config__bad_values)
{
	struct vblk_config good = plain();

	good.features = VBLK_F_FLUSH;
#define BAD(field, value) \
	do { \
		struct vblk *dev = NULL; \
		uint64_t storage[8]; \
		valid = good; \
		check_that(size_with() > 0, #field ": the base is bad"); \
		valid.field = (value); \
		check_that(size_with() == 0, \
			   #field " = " #value ": expected 0, came %zu", \
			   size_with()); \
		expect(vblk_init(&dev, storage, sizeof(storage), &valid), \
		       VBLK_EINVAL); \
	} while (0)
#define GOOD(field, value) \
	do { \
		valid = good; \
		valid.field = (value); \
		check_that(size_with() > 0, \
			   #field " = " #value ": expected a size, came 0"); \
	} while (0)
	BAD(capacity, UINT64_MAX);
	BAD(capacity, UINT64_MAX / 512 + 1);
	GOOD(capacity, UINT64_MAX / 512);
	GOOD(capacity, 0);
	BAD(features, VBLK_F_CONFIG_WCE);
	GOOD(features, VBLK_F_CONFIG_WCE | VBLK_F_FLUSH);
	for (unsigned i = 0; i < 64; i++) {
		static const uint64_t ours =
			VBLK_F_SIZE_MAX | VBLK_F_SEG_MAX | VBLK_F_GEOMETRY |
			VBLK_F_RO | VBLK_F_BLK_SIZE | VBLK_F_FLUSH |
			VBLK_F_TOPOLOGY | VBLK_F_CONFIG_WCE | VBLK_F_MQ |
			VBLK_F_DISCARD | VBLK_F_WRITE_ZEROES |
			VBLK_F_INDIRECT_DESC | VBLK_F_EVENT_IDX |
			VBLK_F_VERSION_1 | VBLK_F_ACCESS_PLATFORM |
			VBLK_F_ORDER_PLATFORM | VBLK_F_RING_RESET |
			VBLK_F_SECURE_ERASE | VBLK_F_RING_PACKED |
			VBLK_F_IN_ORDER | VBLK_F_NOTIFICATION_DATA |
			VBLK_F_SUSPEND;

		valid = good;
		valid.features |= UINT64_C(1) << i;
		check_that((size_with() > 0) == (ours >> i & 1),
			   "feature %u: expected %s", i,
			   ours >> i & 1 ? "a size" : "0");
	}
	BAD(block_size, 256);
	BAD(block_size, 513);
	BAD(block_size, 768);
	BAD(block_size, 131072);
	BAD(block_size, 1);
	GOOD(block_size, 65536);
	GOOD(block_size, 512);
	BAD(queue_size, 3);
	BAD(queue_size, 65535);
	GOOD(queue_size, 1);
	GOOD(queue_size, 32768);
	BAD(num_queues, VBLK_MAX_QUEUES + 1);
	BAD(num_queues, 65535);
	GOOD(num_queues, VBLK_MAX_QUEUES);
	BAD(slots, 17);
	GOOD(slots, 16);
	BAD(segs, VBLK_MAX_SEGS + 1);
	GOOD(segs, VBLK_MAX_SEGS);
	BAD(seg_max, 9);
	GOOD(seg_max, 8);
	BAD(regions, 65535);
	GOOD(regions, 65534);
	BAD(fault_policy, 2);
	GOOD(fault_policy, VBLK_STOP);
	/* rings of two queues, header, four segments, status */
	good.on_demand = true;
	good.num_queues = 2;
	good.segs = 4;
	good.regions = 12;
	BAD(regions, 11);
	BAD(segs, 5);
	BAD(num_queues, 3);
	GOOD(regions, 13);
#undef BAD
#undef GOOD
}
END_TEST

START_TEST(config__storage)
{
	struct vblk_config c = plain();
	uint64_t *storage;
	struct vblk *dev;
	size_t n = vblk_sizeof(&c);

	storage = malloc(n + 8);
	ck_assert_ptr_nonnull(storage);
	expect(vblk_init(&dev, storage, n - 1, &c), VBLK_ENOSPC);
	expect(vblk_init(&dev, NULL, n, &c), VBLK_EINVAL);
	expect(vblk_init(&dev, (char *)storage + 4, n, &c), VBLK_EINVAL);
	expect(vblk_init(&dev, storage, n, &c), VBLK_OK);
	free(storage);
}
END_TEST

/* The constant for static arrays is enough, and not wasteful. */
START_TEST(config__storage_macro_is_an_upper_bound)
{
	uint64_t seed = 4711;

	for (unsigned i = 0; i < 2000; i++) {
		struct vblk_config c = plain();
		size_t n, most;

		c.num_queues = (uint16_t)(1 + chance(&seed) % VBLK_MAX_QUEUES);
		c.queue_size = (uint16_t)(1u << chance(&seed) % 11);
		c.slots = (uint16_t)(1 + chance(&seed) % c.queue_size);
		c.segs = (uint16_t)(1 + chance(&seed) % VBLK_MAX_SEGS);
		c.seg_max = 0;
		c.regions = (uint16_t)(1 + chance(&seed) % 200);
		n = vblk_sizeof(&c);
		most = VBLK_STORAGE(c.num_queues, c.queue_size, c.slots, c.segs,
				    c.regions);
		check_that(n > 0 && n <= most,
			   "%u queues of %u, %u slots, "
			   "%u segs, %u regions: expected at most %zu, "
			   "came %zu",
			   c.num_queues, c.queue_size, c.slots, c.segs,
			   c.regions, most, n);
	}
}
END_TEST

START_TEST(config__small_device_in_1_KiB)
{
	struct vblk_config c;

	memset(&c, 0, sizeof(c));
	c.queue_size = 16;
	c.slots = 1;
	c.segs = 8;
	c.regions = 1;
	check_that(vblk_sizeof(&c) <= 1024, "expected at most 1024, came %zu",
		   vblk_sizeof(&c));
}
END_TEST

/* --- features, 2.2 and 6 ------------------------------------------------- */

START_TEST(spec_2_2_2__valid_subsets_only)
{
	struct vblk_config c = plain();
	uint64_t f;

	c.features |= VBLK_F_RO | VBLK_F_EVENT_IDX;
	rig_open(&c);
	f = vblk_features(rig.dev);
	expect(vblk_accept(rig.dev, f & ~VBLK_F_RO), VBLK_OK);
	expect(vblk_accepted(rig.dev), f & ~VBLK_F_RO);
	for (unsigned i = 0; i < 64; i++) {
		uint64_t bit = UINT64_C(1) << i;

		expect(vblk_accept(rig.dev, bit),
		       f & bit ? VBLK_OK : VBLK_EGUEST);
	}
	expect(vblk_accept(rig.dev, f), VBLK_OK);
	expect(vblk_accept(rig.dev, f | VBLK_F_MQ), VBLK_EGUEST);
	expect(vblk_accepted(rig.dev), f);      /* nothing changed */
	expect(vblk_reset(rig.dev), VBLK_OK);
	expect(vblk_accepted(rig.dev), 0);
	expect(vblk_accept(rig.dev, f), VBLK_OK); /* 2.2.2: and again */
}
END_TEST

/* --- configuration space, 5.2.4 ------------------------------------------ */

static struct vblk_config full(void)
{
	struct vblk_config c = plain();

	c.features = VBLK_F_SIZE_MAX | VBLK_F_SEG_MAX | VBLK_F_GEOMETRY |
		     VBLK_F_BLK_SIZE | VBLK_F_FLUSH | VBLK_F_TOPOLOGY |
		     VBLK_F_CONFIG_WCE | VBLK_F_MQ | VBLK_F_DISCARD |
		     VBLK_F_WRITE_ZEROES;
	c.capacity = UINT64_C(0x0011223344556677);
	c.size_max = 0x01020304;
	c.seg_max = 7;
	c.cylinders = 0x1122;
	c.heads = 0x33;
	c.sectors = 0x44;
	c.block_size = 4096;
	c.physical_exp = 3;
	c.align_offset = 5;
	c.min_io_size = 0x6677;
	c.opt_io_size = 0x8899aabb;
	c.num_queues = 3;
	c.max_discard_sectors = 0xccddeeff;
	c.discard_align = 0x10;
	c.max_zeroes_sectors = 0x12345678;
	return c;
}

/* Offset, bytes, value. */
static const struct { uint32_t at, n; uint64_t v; } field[] = {
	{ 0, 8, UINT64_C(0x0011223344556677) },
	{ 8, 4, 0x01020304 },
	{ 12, 4, 7 },
	{ 16, 2, 0x1122 },
	{ 18, 1, 0x33 },
	{ 19, 1, 0x44 },
	{ 20, 4, 4096 },
	{ 24, 1, 3 },
	{ 25, 1, 5 },
	{ 26, 2, 0x6677 },
	{ 28, 4, 0x8899aabb },
	{ 32, 1, 1 },
	{ 33, 1, 0 },                                /* padding */
	{ 34, 2, 3 },
	{ 36, 4, 0xccddeeff },
	{ 40, 4, 1 },
	{ 44, 4, 0x10 },
	{ 48, 4, 0x12345678 },
	{ 52, 4, 1 },
	{ 56, 1, 1 },
	{ 57, 3, 0 },                                /* padding */
};

static uint64_t config_field(uint32_t at, uint32_t n)
{
	uint8_t b[8];
	uint64_t v = 0;

	vblk_config_read(rig.dev, at, b, n);
	for (uint32_t i = 0; i < n; i++)
		v |= (uint64_t)b[i] << (8u * i);
	return v;
}

START_TEST(spec_5_2_4__fields)
{
	struct vblk_config c = full();

	rig_open(&c);           /* 2.5: readable before FEATURES_OK */
	for (unsigned i = 0; i < COUNT(field); i++)
		expect(config_field(field[i].at, field[i].n), field[i].v);
	/* a limit of 0 would be a trap for the driver */
	c = plain();
	c.features |= VBLK_F_DISCARD | VBLK_F_WRITE_ZEROES;
	rig_open(&c);
	for (unsigned i = 0; i < COUNT(field); i++)
		if (field[i].at >= 36 && field[i].v != 0)
			check_that(config_field(field[i].at, field[i].n) > 0,
				   "field at %u: expected a limit, came 0",
				   field[i].at);
}
END_TEST

START_TEST(spec_5_2_4__any_offset_and_length)
{
	struct vblk_config c = full();
	uint8_t all[72], *b;

	rig_open(&c);
	vblk_config_read(rig.dev, 0, all, 72);
	for (uint32_t at = 0; at < 80; at++)
		for (uint32_t n = 0; n < 80; n++) {
			b = malloc(n + 1u);     /* exact, for a sanitizer */
			ck_assert_ptr_nonnull(b);
			memset(b, 0xee, n + 1u);
			vblk_config_read(rig.dev, at, b, n);
			for (uint32_t i = 0; i < n; i++)
				expect(b[i], at + i < 72 ? all[at + i] : 0);
			expect(b[n], 0xee);
			free(b);
		}
	memset(all, 0xee, sizeof(all));
	vblk_config_read(rig.dev, UINT32_MAX, all, 60);
	for (unsigned i = 0; i < 60; i++)
		expect(all[i], 0);
}
END_TEST

START_TEST(spec_5_2_5__only_writeback_is_writable)
{
	struct vblk_config c = full();
	uint8_t before[60], after[60], v[64];

	rig_open(&c);
	memset(v, 0, sizeof(v));
	/* not before it is negotiated */
	vblk_config_write(rig.dev, 32, v, 1);
	expect(config_field(32, 1), 1);
	expect(vblk_accept(rig.dev, vblk_features(rig.dev)), VBLK_OK);
	expect(config_field(32, 1), 1); /* 5.2.5.2: FLUSH is there */
	vblk_config_read(rig.dev, 0, before, 60);
	for (uint32_t at = 0; at < 80; at++)
		for (uint32_t n = 0; n < 64; n++) {
			bool hit = at <= 32 && n > 32 - at;
			uint8_t *b = malloc(n + 1u);

			ck_assert_ptr_nonnull(b);
			memset(b, 0, n + 1u);
			vblk_config_write(rig.dev, at, b, n);
			free(b);
			expect(config_field(32, 1), !hit);
			v[0] = 1;
			vblk_config_write(rig.dev, 32, v, 1);
			vblk_config_read(rig.dev, 0, after, 60);
			ck_assert_mem_eq(before, after, 60);
		}
	vblk_config_write(rig.dev, UINT32_MAX, v, 8);
	/* neither 0 nor 1: ignored */
	for (unsigned k = 2; k < 256; k++) {
		v[0] = (uint8_t)k;
		vblk_config_write(rig.dev, 32, v, 1);
		expect(config_field(32, 1), 1);
		v[0] = 0;
		vblk_config_write(rig.dev, 32, v, 1);
		v[0] = (uint8_t)k;
		vblk_config_write(rig.dev, 32, v, 1);
		expect(config_field(32, 1), 0);
		v[0] = 1;
		vblk_config_write(rig.dev, 32, v, 1);
	}
}
END_TEST

START_TEST(spec_5_2_5_2__writeback_starts_as_0_without_flush)
{
	struct vblk_config c = full();

	rig_open(&c);
	expect(vblk_accept(rig.dev, VBLK_F_VERSION_1 | VBLK_F_CONFIG_WCE),
	       VBLK_OK);
	expect(config_field(32, 1), 0);
	expect(vblk_reset(rig.dev), VBLK_OK);
	expect(config_field(32, 1), 1);
	expect(vblk_accept(rig.dev, VBLK_F_VERSION_1), VBLK_OK);
	expect(config_field(32, 1), 1);
}
END_TEST

START_TEST(spec_5_2_6_1__resize)
{
	struct vblk_config c = full();

	rig_open(&c);
	vblk_resize(rig.dev, 5);
	expect(config_field(0, 8), 5);
	start_queue(0);
	(void)ask(0, VBLK_T_IN, 5, 512);
	expect(poll_queue(0), 0);
	vblk_resize(rig.dev, 6);
	(void)ask(0, VBLK_T_IN, 5, 512);
	expect(poll_queue(0), 1);
}
END_TEST

START_TEST(vblk__strerror)
{
	for (int i = -40; i <= 3; i++) {
		ck_assert_ptr_nonnull(vblk_strerror(i));
		check_that(strlen(vblk_strerror(i)) > 3,
			   "error %d: expected words", i);
	}
	ck_assert_str_eq(vblk_strerror(7), vblk_strerror(-7));
	ck_assert_str_ne(vblk_strerror(VBLK_OK), vblk_strerror(-7));
}
END_TEST

static void add(TCase *tc)
{
	tcase_add_test(tc, config__defaults);
	tcase_add_test(tc, config__bad_values);
	tcase_add_test(tc, config__storage);
	tcase_add_test(tc, config__storage_macro_is_an_upper_bound);
	tcase_add_test(tc, config__small_device_in_1_KiB);
	tcase_add_test(tc, spec_2_2_2__valid_subsets_only);
	tcase_add_test(tc, spec_5_2_4__fields);
	tcase_add_test(tc, spec_5_2_4__any_offset_and_length);
	tcase_add_test(tc, spec_5_2_5__only_writeback_is_writable);
	tcase_add_test(tc, spec_5_2_5_2__writeback_starts_as_0_without_flush);
	tcase_add_test(tc, spec_5_2_6_1__resize);
	tcase_add_test(tc, vblk__strerror);
}

int main(void)
{
	return run_suite("config", add);
}

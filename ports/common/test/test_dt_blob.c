/* SPDX-License-Identifier: BSD-2-Clause */
/* The blob as a whole, errors as text, and what nobody thought of. */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz/dt_check.h"
#include "test_dt.h"

#define MUTATIONS 100000u       /* of the good trees */
#define ROOT      "/virtio@2000000"
#define MALFORMED "malformed: fdt_check_full refuses it"
#define STRUCTURE "malformed: a tag or a length in its structure"

/* --- the blob ------------------------------------------------------------- */

/* Both functions, without a copy of it. */
static void refused_here(const void *blob, size_t size, const char *reason)
{
	struct dt_disk d[4];
	struct vblk_range r[4];
	struct dt_error why;

	ck_assert_int_eq(dt_disks(blob, size, d, 4, &why), -1);
	ck_assert_str_eq(why.reason, reason);
	ck_assert_str_eq(why.path, "");
	ck_assert_ptr_null(why.property);
	ck_assert_int_eq(dt_memory(blob, size, r, 4, &why), -1);
	ck_assert_str_eq(why.reason, reason);
}

START_TEST(binding__truncated)
{
	struct tree t = tree_load("good");
	size_t cut = fdt_off_dt_struct(t.blob) + fdt_size_dt_struct(t.blob);

	for (size_t n = 0; n < t.size; n++) {
		struct tree less = tree_copy(t.blob, n);

		refused_here(less.blob, n, "truncated");
		/* one that says so of itself: its blocks are cut */
		if (n >= sizeof(struct fdt_header)) {
			fdt_set_totalsize(less.blob, (uint32_t)n);
			refused_here(less.blob, n,
				     n < cut ? "its structure lies outside it"
					     : "its strings lie outside it");
		}
		tree_free(&less);
	}
	tree_free(&t);
}
END_TEST

START_TEST(binding__magic)
{
	void *blob = tree_open();

	fdt_set_magic(blob, FDT_MAGIC + 1u);
	refused_here(blob, ROOM, "wrong magic: not a device tree");
}
END_TEST

START_TEST(binding__version)
{
	void *blob = tree_open();

	fdt_set_version(blob, 16);
	refused_here(blob, ROOM, "not of version 17");
	fdt_set_version(blob, 18);
	fdt_set_last_comp_version(blob, 18);
	refused_here(blob, ROOM, "not of version 17");
}
END_TEST

START_TEST(binding__alignment)
{
	struct tree t = tree_load("good");
	void *moved = malloc(t.size + 8u), *blob = tree_open();

	memcpy((char *)moved + 4, t.blob, t.size);
	refused_here((char *)moved + 4, t.size,
		     "the blob does not lie at a multiple of 8");
	fdt_set_off_dt_struct(blob, fdt_off_dt_struct(blob) + 2u);
	refused_here(blob, ROOM, "a block is not aligned");
	blob = tree_open();
	fdt_set_off_mem_rsvmap(blob, fdt_off_mem_rsvmap(blob) + 4u);
	refused_here(blob, ROOM, "a block is not aligned");
	free(moved);
	tree_free(&t);
}
END_TEST

START_TEST(binding__sizes)
{
	uint32_t size = DT_BLOB_MAX + 8u;
	void *large = malloc(size);
	struct vblk_range r[4];
	struct dt_error why;

	memset(large, 0, size);
	memcpy(large, tree_open(), ROOM);
	fdt_set_totalsize(large, DT_BLOB_MAX);
	ck_assert_int_eq(dt_memory(large, size, r, 4, &why), 1);
	fdt_set_totalsize(large, size);
	refused_here(large, size, "larger than DT_BLOB_MAX");
	fdt_set_totalsize(large, DT_BLOB_MAX);
	fdt_set_size_dt_struct(large, DT_STRUCT_MAX + 4u);
	refused_here(large, size, "larger than DT_STRUCT_MAX");
	free(large);
}
END_TEST

START_TEST(binding__long_name)
{
	char name[DT_NAME_MAX + 1u];
	void *blob = tree_open();
	struct dt_disk d[DT_DISKS_MAX];

	memset(name, 'n', sizeof(name));
	name[DT_NAME_MAX - 1u] = '\0';
	tree_set(blob, ROOT, name, "", 0);
	ck_assert_int_eq(tree_disks(blob, ROOM, d), 3);
	name[DT_NAME_MAX - 1u] = 'n';
	name[DT_NAME_MAX] = '\0';
	tree_set(blob, ROOT, name, "", 0);
	refused_here(blob, ROOM,
		     "a property's name is longer than DT_NAME_MAX");
}
END_TEST

/* The word at the end of the structure block, or the nth from its beginning. */
static uint32_t *word(void *blob, int n)
{
	uint32_t at = fdt_off_dt_struct(blob);

	at += n < 0 ? fdt_size_dt_struct(blob) : 0;
	return (uint32_t *)((char *)blob + at) + n;
}

START_TEST(binding__malformed)
{
	void *blob = tree_open();

	*word(blob, -1) = cpu_to_fdt32(FDT_NOP);        /* no end */
	refused_here(blob, ROOM, STRUCTURE);
	blob = tree_open();
	*word(blob, -2) = cpu_to_fdt32(FDT_NOP);        /* root left open */
	refused_here(blob, ROOM, MALFORMED);
	blob = tree_open();
	*word(blob, -2) = cpu_to_fdt32(FDT_PROP);       /* nothing follows */
	refused_here(blob, ROOM, STRUCTURE);
	blob = tree_open();
	*word(blob, -2) = cpu_to_fdt32(FDT_BEGIN_NODE); /* endless name */
	*word(blob, -1) = cpu_to_fdt32(0x6e6e6e6e);
	refused_here(blob, ROOM, STRUCTURE);
	blob = tree_open();
	*word(blob, 4) = cpu_to_fdt32(0x7fffffff);      /* its name's offset */
	refused_here(blob, ROOM, MALFORMED);
	blob = tree_open();
	*word(blob, 0) = cpu_to_fdt32(5);               /* no such tag */
	refused_here(blob, ROOM, STRUCTURE);
}
END_TEST

/*
 * Lengths that lead out of the block, or back in it: with -12 fdt_check_full
 * of 1.6.1 does not return.
 */
START_TEST(binding__property_length)
{
	void *blob = tree_open();
	uint32_t n = fdt_size_dt_struct(blob);

	ck_assert_uint_eq(fdt32_to_cpu(*word(blob, 2)), FDT_PROP);
	for (uint32_t len = 0xffffffff; len > 0xffffff00; len--) {
		*word(blob, 3) = cpu_to_fdt32(len);
		refused_here(blob, ROOM, STRUCTURE);
	}
	blob = tree_open();
	*word(blob, -2) = cpu_to_fdt32(FDT_PROP); /* its name is cut off */
	for (uint32_t len = 0xffffffff; len > 0xffffff00; len--) {
		*word(blob, -1) = cpu_to_fdt32(len);
		refused_here(blob, ROOM, STRUCTURE);
	}
	blob = tree_open();
	/* up to n - 20 it ends in the block, but the tree's end is in it */
	for (uint32_t len = n - 23u; len < n + 23u; len++) {
		*word(blob, 3) = cpu_to_fdt32(len);
		refused_here(blob, ROOM, STRUCTURE);
	}
}
END_TEST

/* fdt_check_full lets it pass, other functions of libfdt stumble. */
START_TEST(binding__root_not_first)
{
	void *blob = tree_open();
	uint32_t n = fdt_size_dt_struct(blob);

	/* the strings are behind it, and behind them there is room */
	memmove(word(blob, 1), word(blob, 0),
		ROOM - 4u - fdt_off_dt_struct(blob));
	*word(blob, 0) = cpu_to_fdt32(FDT_NOP);
	fdt_set_size_dt_struct(blob, n + 4u);
	fdt_set_off_dt_strings(blob, fdt_off_dt_strings(blob) + 4u);
	ck_assert_int_eq(fdt_check_full(blob, ROOM), 0);
	refused_here(blob, ROOM,
		     "malformed: the root is not the first thing in it");
}
END_TEST

/* --- errors as text ------------------------------------------------------- */

START_TEST(binding__error_line)
{
	struct dt_error e = { .path = "/soc/virtio@2000000",
			      .property = "interrupts",
			      .reason = "no such" };
	char line[DT_LINE], small[12];

	ck_assert_str_eq(dt_strerror(&e, line, sizeof(line)),
			 "/soc/virtio@2000000: interrupts: no such");
	ck_assert_str_eq(dt_strerror(&e, small, sizeof(small)), "/soc/virtio");
	ck_assert_ptr_eq(dt_strerror(&e, small, 0), small);
	e.property = NULL;
	snprintf(e.path, sizeof(e.path), "/a\n\033[2Jb\377");
	ck_assert_str_eq(dt_strerror(&e, line, sizeof(line)),
			 "/a??[2Jb?: no such");
	e.path[0] = '\0';
	ck_assert_str_eq(dt_strerror(&e, line, sizeof(line)),
			 "device tree: no such");
	refused("long_path", ".../virtio@123456789", "reg", "missing");
}
END_TEST

/* --- what nobody thought of ----------------------------------------------- */

static uint64_t draw;

static uint64_t random_below(uint64_t n)
{
	uint64_t z = draw += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (z ^ z >> 31) % n;
}

/* One change; words more than bytes, since cells and tags are words. */
static size_t mutate(uint8_t *blob, size_t size)
{
	static const uint32_t words[] = {
		0, 1, 2, 3, 4, 9, 0x200, 0x7fffffff, 0x80000000, 0xffffffff
	};
	size_t word = random_below(size / 4u) * 4u;
	uint32_t v = words[random_below(sizeof(words) / sizeof(words[0]))];
	size_t from = random_below(size / 4u) * 4u;

	switch (random_below(6)) {
	case 0:
		blob[random_below(size)] ^= (uint8_t)(1u << random_below(8));
		break;
	case 1: blob[random_below(size)] = (uint8_t)random_below(256); break;
	case 2:
		v = cpu_to_fdt32(v);
		memcpy(blob + word, &v, 4);
		break;
	case 3: memmove(blob + word, blob + from, 4); break;
	case 4:
		v = cpu_to_fdt32((uint32_t)random_below(size));
		memcpy(blob + word, &v, 4);
		break;
	default: return size - (random_below(64) ? 0 : random_below(size));
	}
	return size;
}

START_TEST(binding__mutations)
{
	struct tree good[2] = { tree_load("good"), tree_load("example") };
	unsigned accepted = 0;

	draw = seed;
	for (unsigned i = 0; i < MUTATIONS; i++) {
		struct tree *from = &good[i % 2u];
		struct tree t = tree_copy(from->blob, from->size);
		uint64_t n = 1u + random_below(6);
		const char *wrong;
		struct dt_disk d[DT_DISKS_MAX];
		struct dt_error why;

		while (n-- > 0 && t.size > 64)
			t.size = mutate(t.blob, t.size);
		if (t.size < from->size) { /* so that ASan knows its end */
			struct tree less = tree_copy(t.blob, t.size);

			tree_free(&t);
			t = less;
		}
		wrong = dt_check(t.blob, t.size);
		if (wrong)
			ck_abort_msg(
				"expected: %s; mutation %u of DT_SEED=%llu",
				wrong, i, (unsigned long long)seed);
		accepted += dt_disks(t.blob, t.size, d, DT_DISKS_MAX, &why) > 0;
		tree_free(&t);
	}
	/* a mutator that only breaks headers shows nothing */
	ck_assert_uint_gt(accepted, MUTATIONS / 100u);
	ck_assert_uint_lt(accepted, MUTATIONS - MUTATIONS / 4u);
	tree_free(&good[0]);
	tree_free(&good[1]);
}
END_TEST

void add_blob_tests(Suite *suite)
{
	TCase *tc = tcase_create("blob"), *loop = tcase_create("loop");

	tcase_set_timeout(tc, 240);
	tcase_add_test(tc, binding__truncated);
	tcase_add_test(tc, binding__magic);
	tcase_add_test(tc, binding__version);
	tcase_add_test(tc, binding__alignment);
	tcase_add_test(tc, binding__sizes);
	tcase_add_test(tc, binding__long_name);
	tcase_add_test(tc, binding__malformed);
	tcase_add_test(tc, binding__root_not_first);
	tcase_set_timeout(loop, 20);
	tcase_add_test(loop, binding__property_length);
	tcase_add_test(tc, binding__error_line);
	tcase_add_test(tc, binding__mutations);
	suite_add_tcase(suite, tc);
	suite_add_tcase(suite, loop);
}

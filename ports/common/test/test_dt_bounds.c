/* SPDX-License-Identifier: BSD-2-Clause */
/* Each bound of dt.h: what reaches it is accepted, one more is not. */
#include <stdio.h>

#include "test_dt.h"

#define ROOT "/virtio@2000000"

START_TEST(binding__too_deep)
{
	const char *at = "/n1/n2/n3/n4/n5/n6/n7/n8/n9/n10/n11/n12/n13/n14/n15"
			 "/n16";
	const char *reason = "more levels below it than DT_DEPTH_MAX";

	refused("too_deep", at, NULL, reason);
	memory_refused("too_deep", at, NULL, reason);
}
END_TEST

START_TEST(binding__too_many_disks)
{
	const uint32_t window[4] = { 0, 0, 0, cpu_to_fdt32(0x200) };
	struct tree t = tree_load("good");
	struct dt_disk d[DT_DISKS_MAX + 1u];
	struct dt_error why;
	void *blob = tree_open();
	char name[32];

	for (size_t max = 0; max < 3; max++) {
		ck_assert_int_eq(dt_disks(t.blob, t.size, d, max, &why), -1);
		ck_assert_str_eq(why.reason,
				 "more disks than there is room for");
	}
	ck_assert_int_eq(dt_disks(t.blob, t.size, d, 3, &why), 3);
	for (unsigned i = 3; i <= DT_DISKS_MAX; i++) {
		uint32_t reg[4],
			irq[3] = { 0, cpu_to_fdt32(i + 8u), cpu_to_fdt32(1) };

		memcpy(reg, window, sizeof(reg));
		reg[1] = cpu_to_fdt32(0x3000000 + i * 0x200u);
		snprintf(name, sizeof(name), "/virtio@%x",
			 0x3000000 + i * 0x200u);
		ck_assert_int_gt(fdt_add_subnode(blob, 0, name + 1), 0);
		tree_set(blob, name, "reg", reg, sizeof(reg));
		tree_set(blob, name, "interrupts", irq, sizeof(irq));
		tree_set(blob, name, "compatible", "virtio,mmio", 12);
		ck_assert_int_eq(
			dt_disks(blob, ROOM, d, DT_DISKS_MAX + 1u, &why),
			i < DT_DISKS_MAX ? (int)i + 1 : -1);
	}
	ck_assert_str_eq(why.reason, "more disks than there is room for");
	tree_free(&t);
}
END_TEST

START_TEST(binding__too_many_properties)
{
	void *blob = tree_open();
	struct dt_disk d[DT_DISKS_MAX];
	char name[32];

	for (unsigned i = 4; i <= DT_PROPS_MAX; i++) { /* it has four */
		ck_assert_int_eq(tree_disks(blob, ROOM, d), 3);
		snprintf(name, sizeof(name), "acme,%u", i);
		tree_set(blob, ROOT, name, "", 0);
	}
	blob_refused(blob, ROOM, ROOT, NULL,
		     "more properties than DT_PROPS_MAX");
}
END_TEST

START_TEST(binding__too_many_children)
{
	void *blob = tree_open();
	struct dt_disk d[DT_DISKS_MAX];
	char name[32];

	for (unsigned i = 0; i <= DT_CHILDREN_MAX; i++) {
		ck_assert_int_eq(tree_disks(blob, ROOM, d), 3);
		snprintf(name, sizeof(name), "partition-%u", i);
		ck_assert_int_gt(fdt_add_subnode(blob,
						 fdt_path_offset(blob, ROOT),
						 name),
				 0);
	}
	blob_refused(blob, ROOM, ROOT, NULL,
		     "more nodes below it than DT_CHILDREN_MAX");
}
END_TEST

/* Entries of soc's ranges: only the last one is where its disk is. */
START_TEST(binding__too_many_ranges)
{
	uint32_t entry[(DT_RANGES_MAX + 1u) * 4u] = { 0 };
	struct dt_disk d[DT_DISKS_MAX];
	void *blob = tree_open();

	for (unsigned n = DT_RANGES_MAX; n <= DT_RANGES_MAX + 1u; n++) {
		uint32_t *last = &entry[4u * (n - 1u)];

		memset(entry, 0, sizeof(entry));
		last[2] = cpu_to_fdt32(0x2100000);
		last[3] = cpu_to_fdt32(0x100000);
		tree_set(blob, "/soc@2100000", "ranges", entry, 16u * n);
		if (n > DT_RANGES_MAX)
			break;
		ck_assert_int_eq(tree_disks(blob, ROOM, d), 3);
		ck_assert_uint_eq(d[2].base, 0x2100600);
	}
	blob_refused(blob, ROOM, "/soc@2100000", "ranges",
		     "not 1 to DT_RANGES_MAX whole entries");
}
END_TEST

START_TEST(binding__too_many_memory)
{
	uint32_t entry[(DT_MEMORY_MAX + 1u) * 4u];
	const char *ram = "/memory@40000000", *more = "/memory@50000000";
	const char *many = "too many ranges of RAM";
	struct vblk_range r[DT_MEMORY_MAX + 1u];
	struct tree t = tree_load("example");
	struct dt_error why;
	void *blob = tree_open();

	for (unsigned i = 0; i <= DT_MEMORY_MAX; i++) {
		entry[4u * i] = entry[4u * i + 2u] = 0;
		entry[4u * i + 1u] = cpu_to_fdt32(0x40000000 + i * DT_PAGE);
		entry[4u * i + 3u] = cpu_to_fdt32(DT_PAGE);
	}
	tree_set(blob, ram, "reg", entry, 16u * DT_MEMORY_MAX);
	ck_assert_int_eq(dt_memory(blob, ROOM, r, DT_MEMORY_MAX + 1u, &why),
			 DT_MEMORY_MAX);
	ck_assert_int_ge(fdt_add_subnode(blob, 0, more + 1), 0);
	tree_set(blob, more, "device_type", "memory", 7);
	tree_set(blob, more, "reg", &entry[4u * DT_MEMORY_MAX], 16);
	ck_assert_int_eq(dt_memory(blob, ROOM, r, DT_MEMORY_MAX + 1u, &why),
			 -1);
	ck_assert_str_eq(why.reason, many);
	ck_assert_int_eq(fdt_del_node(blob, fdt_path_offset(blob, more)), 0);
	tree_set(blob, ram, "reg", entry, sizeof(entry));
	blob_memory_refused(blob, ROOM, ram, "reg", many);
	ck_assert_int_eq(dt_memory(t.blob, t.size, r, 1, &why), -1);
	ck_assert_str_eq(why.reason, many);
	ck_assert_int_eq(dt_memory(t.blob, t.size, r, 0, &why), -1);
	tree_free(&t);
}
END_TEST

void add_bound_tests(Suite *suite)
{
	TCase *tc = tcase_create("bounds");

	tcase_add_test(tc, binding__too_deep);
	tcase_add_test(tc, binding__too_many_disks);
	tcase_add_test(tc, binding__too_many_properties);
	tcase_add_test(tc, binding__too_many_children);
	tcase_add_test(tc, binding__too_many_ranges);
	tcase_add_test(tc, binding__too_many_memory);
	suite_add_tcase(suite, tc);
}

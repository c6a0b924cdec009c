/* SPDX-License-Identifier: BSD-2-Clause */
/* What spec/binding.md says of disks and RAM: trees with one fault each. */
#include "test_dt.h"

#define ROOT  "/virtio@2000000"
#define GRANT "/virtio@2000200"
#define SOC   "/soc@2100000"
#define BUSED "/soc@2100000/virtio@600"
#define POOL  "/reserved-memory/pool@48000000"
#define GIC   "/interrupt-controller@3001000"
#define RAM   "/memory@40000000"

/* --- one fault each ------------------------------------------------------- */

START_TEST(binding__unknown_property)
{
	refused("unknown_property", ROOT, "vblk,read_only", "unknown");
}
END_TEST

START_TEST(binding__strings)
{
	refused("string_empty", ROOT, "vblk,image", "is an empty string");
	refused("string_unterminated", ROOT, "vblk,image",
		"is not a terminated string");
	refused("string_two", ROOT, "vblk,image", "is more than one string");
	refused("string_compatible", ROOT, "compatible",
		"is not a terminated string");
	refused("string_status", ROOT, "status", "is not a terminated string");
	refused("string_device_type", RAM, "device_type",
		"is not a terminated string");
	memory_refused("string_device_type", RAM, "device_type",
		       "is not a terminated string");
}
END_TEST

START_TEST(binding__flag_with_value)
{
	refused("flag_with_value", ROOT, "vblk,read-only",
		"has a value: it is yes if it is there");
}
END_TEST

START_TEST(binding__not_one_cell)
{
	refused("not_one_cell_short", ROOT, "vblk,queues", "is not one cell");
	refused("not_one_cell_long", ROOT, "vblk,queues", "is not one cell");
}
END_TEST

START_TEST(binding__values)
{
	const char *range = "out of range", *power = "not a power of two";

	refused("value_serial", ROOT, "vblk,serial",
		"longer than DT_SERIAL_MAX");
	refused("value_block_size", ROOT, "vblk,block-size", power);
	refused("value_block_size_large", ROOT, "vblk,block-size", range);
	refused("value_queues_none", ROOT, "vblk,queues", range);
	refused("value_queues_many", ROOT, "vblk,queues", range);
	refused("value_queue_size", ROOT, "vblk,queue-size", power);
	refused("value_queue_size_large", ROOT, "vblk,queue-size", range);
	refused("value_foreign_pages", GRANT, "vblk,foreign-pages", range);
	refused("value_notify", ROOT, "vblk,notify",
		"neither trap nor doorbell");
}
END_TEST

START_TEST(binding__image_on_another_kind)
{
	refused("image_on_another_kind", ROOT, "vblk,image",
		"of a node that holds another kind of device");
}
END_TEST

START_TEST(binding__cells)
{
	const char *wrong = "is neither 1 nor 2";

	refused("cells_none", SOC, "#address-cells", wrong);
	refused("cells_three", SOC, "#size-cells", wrong);
	refused("cells_root", "/", "#address-cells", wrong);
	memory_refused("cells_root", "/", "#address-cells", wrong);
	refused("cells_not_a_cell", SOC, "#address-cells", "is not one cell");
}
END_TEST

START_TEST(binding__reg)
{
	const char *cells = "not of #address-cells + #size-cells cells";

	refused("reg_missing", ROOT, "reg", "missing");
	refused("reg_short", ROOT, "reg", cells);
	refused("reg_nothing", ROOT, "reg", cells);
	refused("reg_two", ROOT, "reg", "more than one window");
	refused("reg_empty", ROOT, "reg", "is empty or wraps");
	refused("reg_empty_at_0", ROOT, "reg", "is empty or wraps");
	refused("reg_wraps", ROOT, "reg", "is empty or wraps");
}
END_TEST

START_TEST(binding__window_size)
{
	const char *size = "its size is not a multiple of 0x200";

	refused("window_size_small", ROOT, "reg", size);
	refused("window_size_odd", ROOT, "reg", size);
	refused("window_size_unaligned", ROOT, "reg",
		"registers are 4 bytes wide and aligned");
}
END_TEST

START_TEST(binding__windows_overlap)
{
	const char *overlaps = "overlaps another disk's";

	refused("windows_same", GRANT, "reg", overlaps);
	refused("windows_overlap", GRANT, "reg", overlaps);
	refused("windows_through_bus", BUSED, "reg", overlaps);
}
END_TEST

START_TEST(binding__window_in_ram)
{
	refused("window_in_ram", ROOT, "reg", "overlaps RAM");
}
END_TEST

START_TEST(binding__ranges)
{
	refused("ranges_missing", SOC, "ranges",
		"missing: what is below has no addresses");
	refused("ranges_odd", SOC, "ranges",
		"not 1 to DT_RANGES_MAX whole entries");
	refused("ranges_outside", BUSED, "reg",
		"not in one of the ranges of a bus above");
	refused("ranges_wraps", SOC, "ranges", "wraps");
	refused("ranges_wraps_far", SOC, "ranges", "wraps");
}
END_TEST

START_TEST(binding__interrupts)
{
	const char *cells = "is not one interrupt of three cells";
	const char *flags = "flags neither 1 (rising edge) nor 4 (high level)";

	refused("interrupts_missing", ROOT, "interrupts", cells);
	refused("interrupts_short", ROOT, "interrupts", cells);
	refused("interrupts_two", ROOT, "interrupts", cells);
	refused("interrupts_type", ROOT, "interrupts",
		"its type is neither 0 (SPI) nor 1 (PPI)");
	refused("interrupts_spi", ROOT, "interrupts", "no SPI has this number");
	refused("interrupts_spi_huge", ROOT, "interrupts",
		"no SPI has this number");
	refused("interrupts_ppi", ROOT, "interrupts", "no PPI has this number");
	refused("interrupts_falling", ROOT, "interrupts", flags);
	refused("interrupts_flags", ROOT, "interrupts", flags);
}
END_TEST

START_TEST(binding__interrupt_parent)
{
	const char *dangling = "no node has this phandle";
	void *blob = tree_open();

	refused("interrupts_extended", ROOT, "interrupts-extended",
		"not supported, use interrupts");
	refused("interrupt_parent_missing", ROOT, "interrupt-parent",
		"neither here nor above");
	refused("interrupt_parent_dangling", "/", "interrupt-parent", dangling);
	refused("interrupt_parent_none", "/", "interrupt-parent", dangling);
	refused("interrupt_parent_no_controller", GIC, "interrupt-controller",
		"missing, but it is an interrupt-parent");
	refused("interrupt_parent_no_gic", GIC, "#interrupt-cells",
		"is not 3: not a GIC");
	/* dtc does not survive this one */
	tree_set(blob, "/", "interrupt-parent", "\0\0\0\0\0\0\0\1", 8);
	blob_refused(blob, ROOM, "/", "interrupt-parent", "is not one cell");
}
END_TEST

START_TEST(binding__same_interrupt)
{
	refused("same_interrupt", BUSED, "interrupts", "is another disk's");
}
END_TEST

START_TEST(binding__iommus)
{
	refused("iommus_short", GRANT, "iommus", "not a phandle and a domain");
	refused("iommus_dangling", GRANT, "iommus", "no node has this phandle");
	refused("iommus_other", GRANT, "iommus",
		"not xen,grant-dma: nobody here translates for it");
	refused("iommus_cells", "/xen_iommu", "#iommu-cells", "is not 1");
	refused("iommus_domain", GRANT, "iommus", "no domain has this number");
}
END_TEST

START_TEST(binding__window)
{
	const char *node = "not a node of /reserved-memory";

	refused("window_long", BUSED, "memory-region", "is not one phandle");
	refused("window_dangling", BUSED, "memory-region",
		"no node has this phandle");
	refused("window_not_reserved", BUSED, "memory-region", node);
	refused("window_below", BUSED, "memory-region", node);
	refused("window_disabled", BUSED, "memory-region",
		"its node is disabled");
	refused("window_two", POOL, "reg", "more than one range");
	refused("window_no_reg", POOL, "reg", "missing");
	refused("window_pages", POOL, "reg", "not whole pages");
}
END_TEST

START_TEST(binding__regimes)
{
	refused("regime_unknown", ROOT, "vblk,memory",
		"not whole, on-demand, grants or window");
	refused("regime_grants", GRANT, "vblk,memory",
		"iommus says that addresses are grants");
	refused("regime_window", ROOT, "vblk,memory",
		"a window needs memory-region");
	refused("regime_both", GRANT, "memory-region",
		"beside iommus: an address cannot be both");
	refused("regime_cap", ROOT, "vblk,foreign-pages",
		"for on-demand and grants only");
}
END_TEST

START_TEST(binding__guests)
{
	refused("guest_nobody", SOC, "vblk,guest", "no domain has this number");
	refused("guest_cell", SOC, "vblk,guest", "is not one cell");
	refused("guests_and_memory", BUSED, "vblk,guest",
		"two guests, and one has the memory");
}
END_TEST

START_TEST(binding__memory)
{
	memory_refused("memory_pages", RAM, "reg", "not whole pages");
	memory_refused("memory_twice", RAM, "reg", "RAM that is there already");
	memory_refused("memory_short", RAM, "reg",
		       "not of #address-cells + #size-cells cells");
}
END_TEST

void add_disk_tests(Suite *suite)
{
	TCase *tc = tcase_create("disk");

	tcase_add_test(tc, binding__unknown_property);
	tcase_add_test(tc, binding__strings);
	tcase_add_test(tc, binding__flag_with_value);
	tcase_add_test(tc, binding__not_one_cell);
	tcase_add_test(tc, binding__values);
	tcase_add_test(tc, binding__image_on_another_kind);
	tcase_add_test(tc, binding__cells);
	tcase_add_test(tc, binding__reg);
	tcase_add_test(tc, binding__window_size);
	tcase_add_test(tc, binding__windows_overlap);
	tcase_add_test(tc, binding__window_in_ram);
	tcase_add_test(tc, binding__ranges);
	tcase_add_test(tc, binding__interrupts);
	tcase_add_test(tc, binding__interrupt_parent);
	tcase_add_test(tc, binding__same_interrupt);
	tcase_add_test(tc, binding__iommus);
	tcase_add_test(tc, binding__window);
	tcase_add_test(tc, binding__regimes);
	tcase_add_test(tc, binding__guests);
	tcase_add_test(tc, binding__memory);
	suite_add_tcase(suite, tc);
}

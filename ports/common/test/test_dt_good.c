/* SPDX-License-Identifier: BSD-2-Clause */
/* Good trees: every field is what the tree says. */
#include "test_dt.h"

static void text(const char *what, const char *expected, const char *came)
{
	if (!expected || !came ? expected != came : strcmp(expected, came) != 0)
		ck_abort_msg("%s: expected %s, came %s", what,
			     expected ? expected : "none",
			     came ? came : "none");
}

static void equal(const struct dt_disk *want, const struct dt_disk *d)
{
	text("name", want->name, d->name);
	text("image", want->image, d->image);
	text("serial", want->serial, d->serial);
	ck_assert_int_eq(want->read_only, d->read_only);
	ck_assert_uint_eq(want->block_size, d->block_size);
	ck_assert_uint_eq(want->queues, d->queues);
	ck_assert_uint_eq(want->queue_size, d->queue_size);
	ck_assert_str_eq(dt_regime_name(want->memory),
			 dt_regime_name(d->memory));
	ck_assert_uint_eq(want->guest, d->guest);
	ck_assert_uint_eq(want->backend, d->backend);
	ck_assert_uint_eq(want->foreign_pages, d->foreign_pages);
	ck_assert_uint_eq(want->window.gpa, d->window.gpa);
	ck_assert_uint_eq(want->window.len, d->window.len);
	ck_assert_uint_eq(want->window.perm, d->window.perm);
	ck_assert_int_eq(want->coherent, d->coherent);
	ck_assert_uint_eq(want->base, d->base);
	ck_assert_uint_eq(want->bytes, d->bytes);
	ck_assert_int_eq(want->doorbell, d->doorbell);
	ck_assert_uint_eq(want->irq, d->irq);
	ck_assert_int_eq(want->level, d->level);
}

START_TEST(binding__example)
{
	const struct dt_disk want[] = {
		{ .name = "virtio@2000000",
		  .memory = DT_GRANTS,
		  .guest = 5,
		  .backend = 0,
		  .coherent = true,
		  .base = 0x2000000,
		  .bytes = 0x200,
		  .irq = 33 },
		{ .name = "virtio@2000200",
		  .image = "/srv/root.img",
		  .serial = "root",
		  .queues = 4,
		  .queue_size = 256,
		  .memory = DT_WHOLE,
		  .guest = 5,
		  .backend = DT_NOBODY,
		  .coherent = true,
		  .base = 0x2000200,
		  .bytes = 0x200,
		  .irq = 34 },
		{ .name = "virtio@2000400",
		  .image = "/srv/data.img",
		  .read_only = true,
		  .block_size = 4096,
		  .memory = DT_ON_DEMAND,
		  .foreign_pages = 1024,
		  .guest = 5,
		  .backend = DT_NOBODY,
		  .coherent = true,
		  .base = 0x2000400,
		  .bytes = 0x200,
		  .doorbell = true,
		  .irq = 35,
		  .level = true },
		{ .name = "virtio@600",
		  .image = "scratch",
		  .memory = DT_WINDOW,
		  .window = { 0x48000000, 0x400000, VBLK_RW },
		  .guest = 5,
		  .backend = DT_NOBODY,
		  .coherent = true,
		  .base = 0x2100600,
		  .bytes = 0x200,
		  .irq = 20,
		  .level = true },
	};
	struct tree t = tree_load("example");
	struct dt_disk d[DT_DISKS_MAX];

	ck_assert_int_eq(tree_disks(t.blob, t.size, d), 4);
	for (unsigned i = 0; i < 4; i++) {
		equal(&want[i], &d[i]);
		/* node is good for libfdt, and strings lie in the blob */
		ck_assert_ptr_eq(fdt_get_name(t.blob, d[i].node, NULL),
				 d[i].name);
		ck_assert(d[i].name > (char *)t.blob &&
			  d[i].name < (char *)t.blob + t.size);
	}
	tree_free(&t);
}
END_TEST

START_TEST(binding__example_memory)
{
	struct tree t = tree_load("example");
	struct vblk_range r[4];
	struct dt_error why;

	ck_assert_int_eq(dt_memory(t.blob, t.size, r, 4, &why), 2);
	ck_assert_uint_eq(r[0].gpa, 0x40000000);
	ck_assert_uint_eq(r[0].len, 0x10000000);
	ck_assert_uint_eq(r[1].gpa, UINT64_C(0x200000000));
	ck_assert_uint_eq(r[1].len, 0x40000000);
	ck_assert_uint_eq(r[1].perm, VBLK_RW);
	tree_free(&t);
}
END_TEST

/* Their addresses and interrupts are the same; the tree has no memory. */
START_TEST(binding__several_guests)
{
	struct tree t = tree_load("several_guests");
	struct dt_disk d[DT_DISKS_MAX];
	struct vblk_range r[1];
	struct dt_error why;

	ck_assert_int_eq(tree_disks(t.blob, t.size, d), 2);
	ck_assert_uint_eq(d[0].guest, 1);
	ck_assert_uint_eq(d[1].guest, 3);       /* the nearest */
	ck_assert_uint_eq(d[0].irq, DT_IRQ_MAX);
	ck_assert_uint_eq(d[1].irq, DT_IRQ_MAX);
	ck_assert_int_eq(d[0].memory, DT_GRANTS);
	ck_assert_uint_eq(d[0].backend, DT_NOBODY);
	ck_assert_int_eq(d[0].coherent, true);
	ck_assert_int_eq(d[1].coherent, false); /* the nearest */
	ck_assert_int_eq(dt_memory(t.blob, t.size, r, 1, &why), 0);
	tree_free(&t);
}
END_TEST

START_TEST(binding__memory_elsewhere)
{
	struct tree t = tree_load("memory_elsewhere");
	struct dt_disk d[DT_DISKS_MAX];
	struct vblk_range r[4];
	struct dt_error why;

	ck_assert_int_eq(dt_memory(t.blob, t.size, r, 4, &why), 1);
	ck_assert_int_eq(tree_disks(t.blob, t.size, d), 3);
	tree_free(&t);
}
END_TEST

void add_good_tests(Suite *suite)
{
	TCase *tc = tcase_create("good");

	tcase_add_test(tc, binding__example);
	tcase_add_test(tc, binding__example_memory);
	tcase_add_test(tc, binding__several_guests);
	tcase_add_test(tc, binding__memory_elsewhere);
	suite_add_tcase(suite, tc);
}

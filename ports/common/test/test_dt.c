/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests of spec/binding.md. DT_SEED repeats a run. The trees are found from the
 * top of the source tree.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "test_dt.h"

uint64_t seed;

/* --- trees ---------------------------------------------------------------- */

struct tree tree_copy(const void *blob, size_t size)
{
	struct tree t = { malloc(size ? size : 1), size };

	ck_assert_ptr_nonnull(t.blob);
	memcpy(t.blob, blob, size);
	return t;
}

struct tree tree_load(const char *name)
{
	static _Alignas(8) uint8_t buffer[ROOM];
	char path[256];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), TREES "%s.dtb", name);
	f = fopen(path, "rb");
	if (!f)
		ck_abort_msg("%s: missing; run from the top, by make", path);
	n = fread(buffer, 1, sizeof(buffer), f);
	fclose(f);
	ck_assert_uint_lt(n, sizeof(buffer));
	return tree_copy(buffer, n);
}

void tree_free(struct tree *t)
{
	free(t->blob);
}

void *tree_open(void)
{
	static _Alignas(8) uint8_t buffer[ROOM];
	struct tree t = tree_load("good");

	ck_assert_int_eq(fdt_open_into(t.blob, buffer, ROOM), 0);
	tree_free(&t);
	return buffer;
}

void tree_set(void *blob, const char *path, const char *property,
	      const void *value, size_t len)
{
	int node = fdt_path_offset(blob, path);

	ck_assert_int_ge(node, 0);
	ck_assert_int_eq(fdt_setprop(blob, node, property, value, (int)len), 0);
}

/* --- verdicts ------------------------------------------------------------- */

int tree_disks(const void *blob, size_t size, struct dt_disk *out)
{
	struct dt_error why;
	int n = dt_disks(blob, size, out, DT_DISKS_MAX, &why);
	char line[DT_LINE];

	if (n < 0)
		ck_abort_msg("expected: accepted; came: %s",
			     dt_strerror(&why, line, sizeof(line)));
	return n;
}

static void same(int n, const struct dt_error *why, const char *path,
		 const char *property, const char *reason)
{
	struct dt_error expected = { .property = property, .reason = reason };
	char want[DT_LINE], came[DT_LINE];

	snprintf(expected.path, sizeof(expected.path), "%s", path);
	dt_strerror(&expected, want, sizeof(want));
	dt_strerror(why, came, sizeof(came));
	if (n >= 0)
		ck_abort_msg("expected: %s; came: accepted", want);
	if (strcmp(want, came) != 0)
		ck_abort_msg("expected: %s; came: %s", want, came);
}

void blob_refused(const void *blob, size_t size, const char *path,
		  const char *property, const char *reason)
{
	struct tree t = tree_copy(blob, size);
	struct dt_disk out[DT_DISKS_MAX];
	struct dt_error why;
	int n = dt_disks(t.blob, t.size, out, DT_DISKS_MAX, &why);

	same(n, &why, path, property, reason);
	tree_free(&t);
}

void blob_memory_refused(const void *blob, size_t size, const char *path,
			 const char *property, const char *reason)
{
	struct tree t = tree_copy(blob, size);
	struct vblk_range out[DT_MEMORY_MAX];
	struct dt_error why;
	int n = dt_memory(t.blob, t.size, out, DT_MEMORY_MAX, &why);

	same(n, &why, path, property, reason);
	tree_free(&t);
}

void refused(const char *name, const char *path, const char *property,
	     const char *reason)
{
	struct tree t = tree_load(name);

	blob_refused(t.blob, t.size, path, property, reason);
	tree_free(&t);
}

void memory_refused(const char *name, const char *path, const char *property,
		    const char *reason)
{
	struct tree t = tree_load(name);

	blob_memory_refused(t.blob, t.size, path, property, reason);
	tree_free(&t);
}

int main(void)
{
	Suite *suite = suite_create("dt");
	const char *given = getenv("DT_SEED");
	SRunner *runner;
	int failed, run;

	seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
	printf("DT_SEED=%llu\n", (unsigned long long)seed);
	fflush(stdout);         /* before a test dies */
	add_good_tests(suite);
	add_disk_tests(suite);
	add_bound_tests(suite);
	add_blob_tests(suite);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	run = srunner_ntests_run(runner);
	srunner_free(runner);
	printf("dt: %d run, %d failed\n", run, failed);
	if (failed)
		printf("replay: DT_SEED=%llu build/<variant>/test_dt\n",
		       (unsigned long long)seed);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

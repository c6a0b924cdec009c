/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests of the stores, on real files, file systems and loop devices. Tests run
 * in each variant: io_uring or threads, buffered or direct. STORE_SEED repeats
 * a run; TMPDIR says where the images go; run as root, or the tests that mount
 * and attach are skipped. More than a failure, a skip has to be noticed: their
 * number is in the last line.
 */
#include <stdio.h>
#include <stdlib.h>

#include "store_fixture.h"

int main(void)
{
	Suite *suite = suite_create("store");
	SRunner *runner;
	int failed, run;

	fixture_global();
	add_hal_tests(suite);
	add_random_tests(suite);
	add_file_tests(suite);
	add_open_tests(suite);
	add_share_tests(suite);
	runner = srunner_create(suite);
	printf("STORE_SEED=%llu\n", (unsigned long long)seed);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	run = srunner_ntests_run(runner);
	srunner_free(runner);
	fixture_remove();
	printf("store: %d run, %d failed, %u skipped\n", run, failed, skips());
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The files of tests: each has one table, and registry.c lists the tables.
 */
#ifndef TESTS_H
#define TESTS_H

#include "suite.h"

struct suite_area {
	const struct suite_test *test;
	const uint32_t *n;
};

extern const struct suite_area suite_area[];
extern const uint32_t suite_areas;

#define AREA(name) \
	extern const struct suite_test name[]; \
	extern const uint32_t name##_n

AREA(tests_status);
AREA(tests_features);
AREA(tests_config);
AREA(tests_split);
AREA(tests_split_notify);
AREA(tests_packed);
AREA(tests_packed_notify);
AREA(tests_framing);
AREA(tests_block);
AREA(tests_extent);
AREA(tests_cache);
AREA(tests_refuse);
AREA(tests_mmio);
AREA(tests_mmio_queue);
AREA(tests_queue_reset);
AREA(tests_suspend);
AREA(tests_reserved);
AREA(tests_hostile_ring);
AREA(tests_hostile_chain);
AREA(tests_hostile_packed);
AREA(tests_hostile_request);
AREA(tests_hostile_driver);

/* At the end of a file of tests. */
#define TESTS(name) \
	const uint32_t name##_n = sizeof(name) / sizeof((name)[0])

#endif

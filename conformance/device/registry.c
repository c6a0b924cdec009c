/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tables of tests, in the order in which they run: what a device must have
 * for anything to work comes first.
 */
#include "tests.h"

#define IN(name) { name, &name##_n }

const struct suite_area suite_area[] = {
	IN(tests_mmio),		  IN(tests_status),
	IN(tests_features),	  IN(tests_config),
	IN(tests_mmio_queue),	  IN(tests_split),
	IN(tests_split_notify),	  IN(tests_packed),
	IN(tests_packed_notify),  IN(tests_framing),
	IN(tests_block),	  IN(tests_extent),
	IN(tests_cache),	  IN(tests_refuse),
	IN(tests_queue_reset),	  IN(tests_suspend),
	IN(tests_reserved),	  IN(tests_hostile_ring),
	IN(tests_hostile_chain),  IN(tests_hostile_packed),
	IN(tests_hostile_request), IN(tests_hostile_driver),
};

const uint32_t suite_areas = sizeof(suite_area) / sizeof(suite_area[0]);

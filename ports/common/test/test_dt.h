/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of the device-tree parser share: trees of
 * ports/common/test/dt/, compiled by dtc, and changes to them that dtc does not
 * make. A blob is parsed in memory of exactly its size.
 */
#ifndef TEST_DT_H
#define TEST_DT_H

#include <check.h>

#include "dt_internal.h"

#define TREES "build/ports/common/test/dt/"
#define ROOM  65536u            /* for a tree that is changed */

extern uint64_t seed;           /* DT_SEED, or made up and printed */

struct tree { void *blob; size_t size; };

struct tree tree_load(const char *name);
struct tree tree_copy(const void *blob, size_t size);
void tree_free(struct tree *t);

/* The good tree in a buffer of ROOM bytes, to be changed by libfdt. */
void *tree_open(void);
void tree_set(void *blob, const char *path, const char *property,
	      const void *value, size_t len);

/* Both functions, on a copy; into out, or refused with this. */
int tree_disks(const void *blob, size_t size, struct dt_disk *out);
void blob_refused(const void *blob, size_t size, const char *path,
		  const char *property, const char *reason);
void blob_memory_refused(const void *blob, size_t size, const char *path,
			 const char *property, const char *reason);
void refused(const char *name, const char *path, const char *property,
	     const char *reason);
void memory_refused(const char *name, const char *path, const char *property,
		    const char *reason);

void add_good_tests(Suite *suite);      /* test_dt_good.c */
void add_disk_tests(Suite *suite);      /* test_dt_disk.c */
void add_bound_tests(Suite *suite);     /* test_dt_bounds.c */
void add_blob_tests(Suite *suite);      /* test_dt_blob.c */

#endif

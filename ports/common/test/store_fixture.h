/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of the stores share: images in all the places an image may be
 * (a directory on disk, tmpfs, ramfs, a loop device), a log that can be looked
 * at, single requests. Mounts live in the test process's own namespace and
 * loop devices clear themselves, so that nothing outlives a test that died.
 */
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H

#include <check.h>

#include "store_internal.h"

#define VARIANTS   6            /* engine x direct */
#define LOG_LINES  32u
#define WAIT_NS    UINT64_C(20000000000) /* a request that takes more is lost */
#define PAGE       4096u

extern uint64_t seed;           /* STORE_SEED, or made up and printed */

/* Each failure says how to have it again. */
#define EXPECT(cond, ...) do { \
	if (!(cond)) { \
		char text_[2 * STORE_LINE]; \
		(void)snprintf(text_, sizeof(text_), __VA_ARGS__); \
		ck_abort_msg("%s [variant %s, STORE_SEED=%llu]", text_, \
			     variant_name(), (unsigned long long)seed); \
	} \
} while (0)
#define EXPECT_EQ(what, expected, came) do { \
	unsigned long long e_ = (unsigned long long)(expected); \
	unsigned long long c_ = (unsigned long long)(came); \
	EXPECT(e_ == c_, "%s: expected %llu, came %llu", what, e_, c_); \
} while (0)

struct fixture {
	struct store *s;
	struct store_file_options o;
	char dir[64];           /* of this test, removed after it */
	char path[128];         /* of the image: in dir, or a device */
	char backing[128];      /* of a loop device */
	char why[STORE_LINE];
	unsigned lines;
	char line[LOG_LINES][STORE_LINE];
};

extern struct fixture fx;

/* Loop index of a test to engine and direct. Called first. */
void variant(int i);
const char *variant_name(void);

/* Says so on stderr, and in the sum at the end. The test returns after it. */
void skipped(const char *why);
unsigned skips(void);
void fixture_global(void);      /* once, before the first test */
void fixture_remove(void);      /* and after the last */

void fixture_setup(void);       /* a directory */
void fixture_teardown(void);

void image_make(const char *name, uint64_t bytes); /* sparse; sets fx.path */
bool mount_here(const char *type, const char *what, const char *options);
				/* on fx.dir */
bool loop_make(uint64_t bytes, unsigned block, uint32_t flags); /* LO_FLAGS_;
				 * fx.backing -> fx.path */

/* False: skipped, since this file system refuses direct I/O. */
bool image_open_or_skip(void);
void image_must_open(void);

uint64_t random_next(void);
uint64_t random_below(uint64_t n);
void fill(void *at, size_t len, uint64_t what); /* what decides each byte */
size_t differs(const void *a, const void *b, size_t len); /* len: not */

/* One request, alone, to its end. */
struct store_done one(enum vblk_op op, uint64_t sector, void *data,
		      uint64_t bytes, uint8_t flags);
void must(enum vblk_op op, uint64_t sector, void *data, uint64_t bytes,
	  uint8_t flags);
void must_fail(enum vblk_op op, uint64_t sector, void *data, uint64_t bytes,
	       uint8_t flags);
unsigned logged(const char *part); /* lines that contain it */
void read_file(const char *path, uint64_t off, void *out, size_t len);
void must_be_zero(uint64_t sector, uint64_t bytes);

void add_hal_tests(Suite *suite);       /* test_store_hal.c */
void add_random_tests(Suite *suite);    /* test_store_random.c */
void add_file_tests(Suite *suite);      /* test_store_file.c */
void add_open_tests(Suite *suite);      /* test_store_open.c */
void add_share_tests(Suite *suite);     /* test_store_share.c */

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stores of several lanes on one image, an image that changes its size or is
 * let go of late, and the store that keeps nothing.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "store_fixture.h"

#define IMAGE (1u << 20)

static struct store *other;

static int share(void)
{
	return store_file_share(&other, fx.s, &fx.o, fx.why, sizeof(fx.why));
}

static void end_other(void)
{
	store_close(other);
	other = NULL;
}

/* The fixture's requests go to fx.s. */
static void exchange(void)
{
	struct store *s = fx.s;

	fx.s = other;
	other = s;
}

START_TEST(store_share__what_one_writes_the_other_reads)
{
	uint8_t data[PAGE], came[PAGE];

	variant(_i);
	image_make("image", IMAGE);
	if (!image_open_or_skip())
		return;
	if (share()) {
		skipped("direct I/O in large blocks here");
		return;
	}
	fill(data, sizeof(data), seed);
	must(VBLK_OP_WRITE, 8, data, sizeof(data), 0);
	exchange();
	must(VBLK_OP_FLUSH, 0, NULL, 0, 0);
	must(VBLK_OP_READ, 8, came, sizeof(came), 0);
	EXPECT_EQ("first byte that differs", sizeof(data),
		  differs(data, came, sizeof(data)));
	end_other();
	must(VBLK_OP_READ, 8, came, sizeof(came), 0);
}
END_TEST

/* The locks of an image last as long as one of its stores. */
START_TEST(store_share__the_last_one_gives_up_the_locks)
{
	struct store *third;

	variant(_i);
	image_make("image", IMAGE);
	if (!image_open_or_skip() || share())
		return;
	exchange();
	end_other();
	EXPECT(store_file_open(&third, &fx.o, fx.why, sizeof(fx.why)) == -1 &&
		       strstr(fx.why, "in use"),
	       "expected the image in use, came an open store");
	store_close(fx.s);
	fx.s = NULL;
	image_must_open();
}
END_TEST

/* store_file.c says why. */
START_TEST(store_share__not_with_large_direct_blocks)
{
	variant(3 + _i);
	if (!loop_make(IMAGE, 4096, 0))
		return;
	if (!image_open_or_skip())
		return;
	EXPECT(share() == -1 && strstr(fx.why, "is for one thread only"),
	       "expected a refusal, came %s", fx.why);
}
END_TEST

START_TEST(store_refresh__sees_another_size)
{
	uint8_t data[512] = { 1 };

	variant(_i);
	image_make("image", IMAGE);
	if (!image_open_or_skip())
		return;
	EXPECT(!store_refresh(fx.s), "expected no change, came one");
	must_fail(VBLK_OP_WRITE, IMAGE / 512, data, 512, 0);
	EXPECT(truncate(fx.path, 2 * IMAGE) == 0, "truncate");
	EXPECT(store_refresh(fx.s), "expected a change, came none");
	EXPECT_EQ("sectors", 2 * IMAGE / 512, store_sectors(fx.s));
	must(VBLK_OP_WRITE, IMAGE / 512, data, 512, 0);
	/* part of a block is not there */
	EXPECT(truncate(fx.path, 2 * IMAGE + 100) == 0, "truncate");
	EXPECT(!store_refresh(fx.s), "expected no change, came one");
	EXPECT(truncate(fx.path, 0) == 0, "truncate");
	EXPECT(!store_refresh(fx.s), "expected no change, came one");
}
END_TEST

/* A killed process whose requests are in flight holds its locks for a while. */
START_TEST(store_file__waits_for_who_is_leaving)
{
	const struct timespec moment = { .tv_nsec = 300000000 };
	int ready[2];
	char c;
	pid_t pid;

	variant(0);
	image_make("image", IMAGE);
	EXPECT(pipe(ready) == 0, "pipe");
	pid = fork();
	if (pid == 0) {
		if (store_file_open(&other, &fx.o, fx.why, sizeof(fx.why)) ||
		    write(ready[1], "x", 1) != 1)
			_exit(1);
		(void)nanosleep(&moment, NULL);
		_exit(0);
	}
	EXPECT(pid > 0 && read(ready[0], &c, 1) == 1, "a holder");
	EXPECT_EQ("at once", -1,
		  store_file_open(&fx.s, &fx.o, fx.why, sizeof(fx.why)));
	fx.o.lock_wait_ms = 10000;
	image_must_open();
	EXPECT_EQ("the holder", pid, waitpid(pid, NULL, 0));
}
END_TEST

START_TEST(store_file__auto_calls_where_the_image_is_in_memory)
{
	if (!mount_here("tmpfs", "none", "size=4m"))
		return;
	image_make("image", IMAGE);
	image_must_open();
	EXPECT(((struct file *)fx.s)->engine == &engine_inline,
	       "expected calls in submit, came %s",
	       ((struct file *)fx.s)->engine->name);
	EXPECT_EQ("fd", -1, store_fd(fx.s));
}
END_TEST

START_TEST(store_null__keeps_nothing)
{
	uint8_t data[512];

	EXPECT_EQ("empty", -1, store_null_open(&fx.s, 0, 0));
	EXPECT_EQ("odd size", -1, store_null_open(&fx.s, 511, 0));
	EXPECT_EQ("good", 0, store_null_open(&fx.s, 1024, 0));
	memset(data, 7, sizeof(data));
	must(VBLK_OP_WRITE, 1, data, sizeof(data), 0);
	memset(data, 9, sizeof(data));
	EXPECT_EQ("bytes that came", 512,
		  one(VBLK_OP_READ, 1, data, 512, 0).bytes);
	EXPECT_EQ("left as it was", 9, data[0]);
	must_fail(VBLK_OP_READ, 2, data, 512, 0);
	EXPECT(!store_refresh(fx.s), "expected no change, came one");
}
END_TEST

void add_share_tests(Suite *suite)
{
	TCase *t = tcase_create("share");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, fixture_setup, fixture_teardown);
	tcase_add_loop_test(t, store_share__what_one_writes_the_other_reads, 0,
			    VARIANTS);
	tcase_add_loop_test(t, store_share__the_last_one_gives_up_the_locks, 0,
			    VARIANTS);
	tcase_add_loop_test(t, store_share__not_with_large_direct_blocks, 0, 3);
	tcase_add_loop_test(t, store_refresh__sees_another_size, 0, VARIANTS);
	tcase_add_test(t, store_file__waits_for_who_is_leaving);
	tcase_add_test(t, store_file__auto_calls_where_the_image_is_in_memory);
	tcase_add_test(t, store_null__keeps_nothing);
	suite_add_tcase(suite, t);
}

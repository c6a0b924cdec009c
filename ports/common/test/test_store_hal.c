/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clauses SUB-1 to SUB-6 of vblk/hal.h, as the stores keep them. SUB-3, and
 * with it SUB-5, is in test_store_random.c.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "store_fixture.h"

#define DEPTH 4u
#define MANY  10u

static void submit_more_than_depth(void)
{
	static _Alignas(PAGE) uint8_t data[MANY][512];
	struct vblk_seg seg[MANY];
	struct vblk_req req[MANY];
	struct store_done done[MANY];
	bool seen[MANY] = { false };
	unsigned accepted = 0, finished = 0;
	int n;

	memset(req, 0, sizeof(req));
	for (unsigned i = 0; i < MANY; i++) {
		fill(data[i], 512, i);
		seg[i].host = data[i];
		seg[i].len = 512;
		req[i].sector = i;
		req[i].bytes = 512;
		req[i].seg = &seg[i];
		req[i].num_segs = 1;
		req[i].tag = (vblk_tag)i;
		req[i].op = VBLK_OP_WRITE;
	}
	n = store_submit(fx.s, req, MANY);
	EXPECT_EQ("accepted", DEPTH, n);
	EXPECT_EQ("accepted when full", 0, store_submit(fx.s, req + n, 1));
	for (accepted = DEPTH; finished < MANY;) {
		n = store_reap(fx.s, done, 1, WAIT_NS);
		EXPECT_EQ("reaped at max 1", 1, n);
		EXPECT(done[0].tag < accepted && !seen[done[0].tag],
		       "expected a new tag below %u, came %u", accepted,
		       done[0].tag);
		seen[done[0].tag] = true;
		finished++;
		n = store_submit(fx.s, req + accepted, MANY - accepted);
		EXPECT_EQ("accepted after one was reaped",
			  accepted < MANY ? 1 : 0, n);
		accepted += (unsigned)n;
	}
	EXPECT_EQ("nothing left", 0, store_reap(fx.s, done, MANY, WAIT_NS));
}

START_TEST(hal_SUB_1__accepts_up_to_depth)
{
	variant(_i);
	fx.o.depth = DEPTH;
	image_make("image", 1u << 20);
	if (image_open_or_skip())
		submit_more_than_depth();
}
END_TEST

START_TEST(hal_SUB_1__accepts_up_to_depth_in_memory)
{
	static uint8_t memory[1u << 16];

	ck_assert_int_eq(store_ram_open(&fx.s, memory, sizeof(memory), DEPTH),
			 0);
	submit_more_than_depth();
}
END_TEST

static bool readable(void)
{
	struct pollfd fd = { .fd = store_fd(fx.s), .events = POLLIN };

	return poll(&fd, 1, 0) == 1;
}

/*
 * What is known at once comes out of reap all the same, in any order, and the
 * descriptor stays readable while something is left.
 */
START_TEST(hal_SUB_2__results_wait_for_reap)
{
	struct vblk_req req[3];
	struct store_done d;
	struct pollfd fd;

	variant(_i);
	image_make("image", 1u << 20);
	if (!image_open_or_skip())
		return;
	EXPECT(!readable(), "expected fd not readable when idle, it is");
	memset(req, 0, sizeof(req));
	for (unsigned i = 0; i < 3; i++) {
		req[i].sector = 4096;   /* past the end */
		req[i].bytes = 512;
		req[i].op = VBLK_OP_WRITE_ZEROES;
		req[i].tag = (vblk_tag)i;
	}
	EXPECT_EQ("accepted", 3, store_submit(fx.s, req, 3));
	for (unsigned i = 0; i < 3; i++) {
		fd.fd = store_fd(fx.s);
		fd.events = POLLIN;
		EXPECT(fd.fd < 0 || poll(&fd, 1, 5000) == 1,
		       "%u reaped: expected fd "
		       "readable, it is not",
		       i);
		EXPECT_EQ("reaped", 1, store_reap(fx.s, &d, 1, 0));
		EXPECT_EQ("status", VBLK_S_IOERR, d.status);
	}
	EXPECT(!readable(), "expected fd not readable in the end, it is");
}
END_TEST

/*
 * A loop device's writes stay in its page cache until a flush brings them to
 * the backing file: there we can see what a flush did.
 */
START_TEST(hal_SUB_4__flush_orders_writes)
{
	static _Alignas(PAGE) uint8_t data[65536], came[65536];
	size_t at;

	variant(_i);
	if (!loop_make(8u << 20, 512, 0))
		return;
	image_must_open();
	fill(data, sizeof(data), seed);
	must(VBLK_OP_WRITE, 100, data, sizeof(data), 0);
	must(VBLK_OP_FLUSH, 0, NULL, 0, 0);
	read_file(fx.backing, 100 * 512, came, sizeof(came));
	at = differs(data, came, sizeof(data));
	EXPECT(at == sizeof(data),
	       "byte %zu after a flush: expected %u on the "
	       "disk beneath, came %u",
	       at, data[at], came[at]);
}
END_TEST

/* Variants 4..7: the kernel has no RWF_DSYNC. */
START_TEST(hal_SUB_4__fua_is_durable_itself)
{
	static _Alignas(PAGE) uint8_t data[65536], came[65536];
	size_t at;

	variant(_i % VARIANTS);
	store_test_no_dsync = _i >= VARIANTS;
	if (!loop_make(8u << 20, 512, 0))
		return;
	image_must_open();
	fill(data, sizeof(data), seed);
	/* the store learns of it here, and the next goes the other way */
	must(VBLK_OP_WRITE, 8192, data, 512, VBLK_REQ_FUA);
	must(VBLK_OP_WRITE, 100, data, sizeof(data), VBLK_REQ_FUA);
	read_file(fx.backing, 100 * 512, came, sizeof(came));
	at = differs(data, came, sizeof(data));
	EXPECT(at == sizeof(data),
	       "byte %zu after a FUA write: expected %u on "
	       "the disk beneath, came %u",
	       at, data[at], came[at]);
	must(VBLK_OP_WRITE_ZEROES, 100, NULL, sizeof(data), VBLK_REQ_FUA);
	read_file(fx.backing, 100 * 512, came, sizeof(came));
	memset(data, 0, sizeof(data));
	at = differs(data, came, sizeof(data));
	EXPECT(at == sizeof(data),
	       "byte %zu after FUA zeroes: expected 0 on "
	       "the disk beneath, came %u",
	       at, came[at]);
}
END_TEST

/*
 * A disk that takes writes into its cache but cannot store them: the flush must
 * say so, and each one after it, since the kernel has forgotten those pages.
 */
START_TEST(hal_SUB_4__failed_flush_stays_failed)
{
	static _Alignas(PAGE) uint8_t data[4u << 20];
	int fd;

	variant(_i);
	if (!mount_here("tmpfs", "none", "size=1m") ||
	    !loop_make(16u << 20, 512, 0))
		return;
	image_must_open();
	fill(data, sizeof(data), seed);
	if (fx.o.direct) {
		must_fail(VBLK_OP_WRITE, 0, data, sizeof(data), 0);
		must(VBLK_OP_FLUSH, 0, NULL, 0, 0);
		return;
	}
	must(VBLK_OP_WRITE, 0, data, sizeof(data), 0);
	/* As the kernel's own write-back does, sooner or later */
	fd = open(fx.path, O_RDWR | O_CLOEXEC);
	EXPECT(fsync(fd), "expected the disk beneath to be full, it is not");
	(void)close(fd);
	/* It does not cover the lost pages, nor may it swallow their news */
	(void)one(VBLK_OP_WRITE, 0, data, 512, VBLK_REQ_FUA);
	must_fail(VBLK_OP_FLUSH, 0, NULL, 0, 0);
	must_fail(VBLK_OP_FLUSH, 0, NULL, 0, 0);
	EXPECT_EQ("lines about the flush", 1, logged("flush failed"));
}
END_TEST

START_TEST(hal_SUB_6__segments_are_let_go)
{
	static _Alignas(PAGE) uint8_t data[3][65536 + 1];
	struct timespec t = { .tv_nsec = 20000000 };
	int odd = _i >= VARIANTS;

	variant(_i % VARIANTS);
	image_make("image", 1u << 20);
	if (!image_open_or_skip())
		return;
	fill(data[0], sizeof(data[0]), seed);
	must(VBLK_OP_WRITE, 0, data[0] + odd, 65536, 0);
	memcpy(data[1], data[0], sizeof(data[0]));
	fill(data[0], sizeof(data[0]), ~seed);  /* the guest goes on */
	must(VBLK_OP_READ, 0, data[2] + odd, 65536, 0);
	EXPECT(!memcmp(data[2] + odd, data[1] + odd, 65536),
	       "expected what was there before DONE, came something else");
	memset(data[2], 7, sizeof(data[2]));
	(void)nanosleep(&t, NULL);
	for (size_t i = 0; i < sizeof(data[2]); i++)
		EXPECT(data[2][i] == 7,
		       "byte %zu after DONE: expected 7, came "
		       "%u",
		       i, data[2][i]);
}
END_TEST

void add_hal_tests(Suite *suite)
{
	TCase *t = tcase_create("hal");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, fixture_setup, fixture_teardown);
	tcase_add_loop_test(t, hal_SUB_1__accepts_up_to_depth, 0, VARIANTS);
	tcase_add_test(t, hal_SUB_1__accepts_up_to_depth_in_memory);
	tcase_add_loop_test(t, hal_SUB_2__results_wait_for_reap, 0, VARIANTS);
	tcase_add_loop_test(t, hal_SUB_4__flush_orders_writes, 0, VARIANTS);
	tcase_add_loop_test(t, hal_SUB_4__fua_is_durable_itself, 0,
			    2 * VARIANTS);
	tcase_add_loop_test(t, hal_SUB_4__failed_flush_stays_failed, 0,
			    VARIANTS);
	tcase_add_loop_test(t, hal_SUB_6__segments_are_let_go, 0, 2 * VARIANTS);
	suite_add_tcase(suite, t);
}

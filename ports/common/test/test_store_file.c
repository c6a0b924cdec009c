/* SPDX-License-Identifier: BSD-2-Clause */
/* The file store at work: each operation, and each way a disk can fail. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "store_fixture.h"

#define IMAGE (4u << 20)

static _Alignas(PAGE) uint8_t data[1u << 20], came[1u << 20];

static uint64_t blocks_used(void)
{
	struct stat st;

	EXPECT(!stat(fx.path, &st), "%s: %s", fx.path, strerror(errno));
	return (uint64_t)st.st_blocks;
}

/* data at sector 0, written and flushed. */
static bool filled_image(void)
{
	image_make("image", IMAGE);
	if (!image_open_or_skip())
		return false;
	fill(data, sizeof(data), seed);
	must(VBLK_OP_WRITE, 0, data, sizeof(data), 0);
	must(VBLK_OP_FLUSH, 0, NULL, 0, 0);
	return true;
}

static void must_be_data(uint64_t sector, uint64_t bytes)
{
	size_t at;

	must(VBLK_OP_READ, sector, came, bytes, 0);
	at = differs(data + sector * 512, came, bytes);
	EXPECT(at == bytes, "sector %llu + byte %zu: expected %u, came %u",
	       (unsigned long long)sector, at, data[sector * 512 + at],
	       came[at]);
}

START_TEST(store_file__discard_frees_space)
{
	uint64_t before;

	variant(_i);
	if (!filled_image())
		return;
	before = blocks_used();
	must(VBLK_OP_DISCARD, 0, NULL, 512 * 1024, 0);
	EXPECT(blocks_used() + 1000 < before,
	       "expected about 1024 blocks less "
	       "than %llu, came %llu",
	       (unsigned long long)before, (unsigned long long)blocks_used());
	must_be_data(1024, 512 * 1024);
	must_be_data(1024 + 7, 512);
}
END_TEST

START_TEST(store_file__discard_ignored_is_ok_and_said_once)
{
	variant(_i);
	fx.o.direct = false;            /* ramfs has none */
	if (!mount_here("ramfs", "none", NULL) || !filled_image())
		return;
	for (int i = 0; i < 3; i++)
		must(VBLK_OP_DISCARD, 0, NULL, 65536, 0);
	must_be_data(0, 65536);
	EXPECT_EQ("lines about discard", 1, logged("discard has no effect"));
}
END_TEST

START_TEST(store_file__zeroes_keep_or_free_space)
{
	uint64_t before;

	variant(_i);
	if (!filled_image())
		return;
	before = blocks_used();
	must(VBLK_OP_WRITE_ZEROES, 8, NULL, 65536, 0);
	must_be_zero(8, 65536);
	EXPECT(blocks_used() >= before,
	       "without UNMAP: expected at least %llu "
	       "blocks, came %llu",
	       (unsigned long long)before, (unsigned long long)blocks_used());
	must(VBLK_OP_WRITE_ZEROES, 1024, NULL, 512 * 1024, VBLK_REQ_UNMAP);
	must_be_zero(1024, 512 * 1024);
	EXPECT(blocks_used() + 1000 < before,
	       "with UNMAP: expected about 1024 "
	       "blocks less than %llu, came %llu",
	       (unsigned long long)before, (unsigned long long)blocks_used());
	must_be_data(0, 4096);
	must_be_data(136, 8192);
	must(VBLK_OP_WRITE_ZEROES, 3, NULL, 512, VBLK_REQ_FUA);
	must_be_zero(3, 512);
	must_be_data(4, 512);
	EXPECT_EQ("lines in the log", 0, fx.lines);
}
END_TEST

/* tmpfs has no ZERO_RANGE, ramfs not even PUNCH_HOLE. */
START_TEST(store_file__zeroes_are_written_if_need_be)
{
	const char *type = _i < VARIANTS ? "tmpfs" : "ramfs";
	uint64_t most = (uint64_t)STORE_ZERO_BYTES * STORE_ZERO_IOVS;

	variant(_i % VARIANTS);
	if (!mount_here(type, "none", NULL))
		return;
	image_make("image", IMAGE);
	if (!image_open_or_skip())
		return;
	for (uint64_t at = 0; at < IMAGE; at += sizeof(data)) {
		fill(data, sizeof(data), seed);
		must(VBLK_OP_WRITE, at / 512, data, sizeof(data), 0);
	}
	/* three calls' worth, and a rest */
	must(VBLK_OP_WRITE_ZEROES, 1, NULL, 3 * most + 1536, VBLK_REQ_FUA);
	for (uint64_t s = 0; s < 3; s++)
		must_be_zero(1 + s * most / 512, most);
	must_be_zero(1 + 3 * most / 512, 1536);
	must_be_data(0, 512);
	must(VBLK_OP_READ, 4 + 3 * most / 512, came, 512, 0);
	EXPECT(!memcmp(came, data + 4 * 512, 512),
	       "expected the sector after "
	       "the extent untouched, it is not");
	must(VBLK_OP_WRITE_ZEROES, 0, NULL, 512, VBLK_REQ_UNMAP);
	must_be_zero(0, 512);
}
END_TEST

START_TEST(store_file__short_io_is_continued)
{
	static const uint64_t limits[] = { 1, 511, 513, 4096, 100000 };
	size_t len = 16384, at;

	variant(_i % VARIANTS);
	image_make("image", IMAGE);
	if (!image_open_or_skip())
		return;
	store_test_max_io = limits[_i / VARIANTS];
	if (store_test_max_io > 1000)
		len = sizeof(data);
	fill(data, len, seed);
	must(VBLK_OP_WRITE, 1, data, len, VBLK_REQ_FUA);
	must(VBLK_OP_READ, 1, came, len, 0);
	at = differs(data, came, len);
	EXPECT(at == len, "byte %zu: expected %u, came %u", at, data[at],
	       came[at]);
}
END_TEST

START_TEST(store_file__fua_without_kernel_support)
{
	variant(_i);
	store_test_no_dsync = true;
	image_make("image", IMAGE);
	if (!image_open_or_skip())
		return;
	fill(data, sizeof(data), seed);
	must(VBLK_OP_WRITE, 0, data, sizeof(data), VBLK_REQ_FUA);
	must(VBLK_OP_WRITE, 0, data, sizeof(data), VBLK_REQ_FUA);
	must_be_data(0, sizeof(data));
	EXPECT_EQ("lines in the log", 0, fx.lines);
}
END_TEST

/* As many pieces as there may be, none of a friendly length or address. */
START_TEST(store_file__every_segment_misaligned)
{
	static struct vblk_seg seg[VBLK_MAX_SEGS];
	struct vblk_req r = { .seg = seg,
			      .num_segs = VBLK_MAX_SEGS,
			      .op = VBLK_OP_WRITE };
	struct store_done d;
	uint64_t sum = 0;

	variant(_i);
	image_make("image", IMAGE);
	if (!image_open_or_skip())
		return;
	fill(data, sizeof(data), seed);
	for (unsigned i = 0; i < VBLK_MAX_SEGS; i++) {
		seg[i].host = data + 1 + sum;
		seg[i].len = 1 + i * 7;
		sum += seg[i].len;
	}
	seg[VBLK_MAX_SEGS - 1].len += (uint32_t)(512 - sum % 512);
	r.bytes = sum + 512 - sum % 512;
	EXPECT_EQ("accepted", 1, store_submit(fx.s, &r, 1));
	EXPECT_EQ("reaped", 1, store_reap(fx.s, &d, 1, WAIT_NS));
	EXPECT_EQ("status", VBLK_S_OK, d.status);
	read_file(fx.path, 0, came, r.bytes);
	EXPECT(!memcmp(came, data + 1, r.bytes), "expected what the segments "
						 "hold, came something else");
}
END_TEST

/* --- what a guest must not do --------------------------------------------- */

START_TEST(store_file__outside_is_ioerr)
{
	uint64_t end = IMAGE / 512;

	variant(_i);
	image_make("image", IMAGE);
	if (!image_open_or_skip())
		return;
	must_fail(VBLK_OP_READ, end, data, 512, 0);
	must_fail(VBLK_OP_WRITE, end - 1, data, 1024, 0);
	must_fail(VBLK_OP_DISCARD, UINT64_MAX, NULL, 512, 0);
	must_fail(VBLK_OP_WRITE_ZEROES, 0, NULL, UINT64_MAX - 511, 0);
	EXPECT_EQ("status of an unknown operation", VBLK_S_UNSUPP,
		  one((enum vblk_op)9, 0, NULL, 0, 0).status);
	must(VBLK_OP_READ, end - 1, data, 512, 0);
	EXPECT_EQ("bytes of nothing", 0,
		  one(VBLK_OP_READ, 0, NULL, 0, 0).bytes);
}
END_TEST

START_TEST(store_file__read_only_is_not_written)
{
	static const uint8_t zero[512];

	variant(_i);
	image_make("image", IMAGE);
	fx.o.read_only = true;
	if (!image_open_or_skip())
		return;
	EXPECT_EQ("features", VBLK_F_RO | VBLK_F_FLUSH | VBLK_F_BLK_SIZE,
		  store_features(fx.s));
	fill(data, 512, seed);
	must_fail(VBLK_OP_WRITE, 0, data, 512, 0);
	must_fail(VBLK_OP_WRITE_ZEROES, 0, NULL, 512, 0);
	must_fail(VBLK_OP_DISCARD, 0, NULL, 512, 0);
	must(VBLK_OP_FLUSH, 0, NULL, 0, 0);
	must(VBLK_OP_READ, 0, data, 512, 0);
	EXPECT(!memcmp(data, zero, 512), "expected zeroes, came a write");
	EXPECT_EQ("lines in the log", 0, fx.lines);
}
END_TEST

/* --- what a disk may do --------------------------------------------------- */

START_TEST(store_file__shrunk_file_is_ioerr)
{
	variant(_i);
	if (!filled_image())
		return;
	/* not even in the middle of a sector: 1000 bytes of it are left */
	EXPECT(!truncate(fx.path, 65536 + 1000), "truncate: %s",
	       strerror(errno));
	must_be_data(0, 65536);
	for (int i = 0; i < 3; i++)
		must_fail(VBLK_OP_READ, 128, data, 4096, 0);
	must_fail(VBLK_OP_READ, 1000, data, 512, 0);
	EXPECT_EQ("lines about it", 1, logged("truncated while in use"));
	store_close(fx.s);
	fx.s = NULL;
	EXPECT_EQ("lines with the count", 1, logged("in all 4 reads failed"));
	EXPECT_EQ("lines in the log", 2, fx.lines);
}
END_TEST

START_TEST(store_file__no_space_is_ioerr)
{
	variant(_i);
	if (!mount_here("tmpfs", "none", "size=1m"))
		return;
	image_make("image", IMAGE);
	if (!image_open_or_skip())
		return;
	fill(data, sizeof(data), seed);
	must(VBLK_OP_WRITE, 0, data, 4096, 0);
	must_fail(VBLK_OP_WRITE, 8, data, sizeof(data), 0);
	must_fail(VBLK_OP_WRITE, 4096, data, 65536, 0);
	must_fail(VBLK_OP_WRITE_ZEROES, 4096, NULL, 65536, 0);
	EXPECT_EQ("lines about writes", 1, logged(": write at sector"));
	EXPECT_EQ("lines about space", 2, logged("No space left on device"));
	must_be_data(0, 4096);
	must(VBLK_OP_DISCARD, 8, NULL, IMAGE - 4096, 0);
	must(VBLK_OP_WRITE, 8, data + 4096, 4096, 0);
	must_be_data(8, 4096);
}
END_TEST

START_TEST(store_file__file_size_limit_is_ioerr)
{
	struct rlimit limit = { 65536, 65536 };

	variant(_i);
	image_make("image", IMAGE);
	if (!image_open_or_skip())
		return;
	(void)signal(SIGXFSZ, SIG_IGN);
	EXPECT(!setrlimit(RLIMIT_FSIZE, &limit), "%s", strerror(errno));
	fill(data, sizeof(data), seed);
	must_fail(VBLK_OP_WRITE, 64, data, 65536, 0);   /* after half of it */
	must(VBLK_OP_WRITE, 0, data, 65536, 0);
	must_be_data(0, 65536);
	EXPECT_EQ("lines about it", 1, logged("File too large"));
}
END_TEST

/* A loop device whose file has lost its end answers EIO, as a bad disk does. */
START_TEST(store_file__disk_error_is_ioerr)
{
	variant(_i);
	if (!loop_make(8u << 20, 512, 0))
		return;
	image_must_open();
	fill(data, sizeof(data), seed);
	must(VBLK_OP_WRITE, 0, data, 65536, VBLK_REQ_FUA);
	EXPECT(!truncate(fx.backing, 1u << 20), "truncate: %s",
	       strerror(errno));
	for (int i = 0; i < 5; i++)
		must_fail(VBLK_OP_READ, 8192, came, 65536, 0);
	must_be_data(0, 65536);
	EXPECT_EQ("lines about it", 1, logged("Input/output error"));
	store_close(fx.s);
	fx.s = NULL;
	EXPECT_EQ("lines with the count", 1, logged("in all 5 reads failed"));
}
END_TEST

/* --- closing and waiting -------------------------------------------------- */

START_TEST(store_file__close_waits_for_writes)
{
	enum { N = 64, EACH = 16384 };
	static struct vblk_req req[N];
	static struct vblk_seg seg[N];

	variant(_i);
	image_make("image", IMAGE);
	if (!image_open_or_skip())
		return;
	fill(data, sizeof(data), seed);
	for (unsigned i = 0; i < N; i++) {
		seg[i].host = data + (size_t)i * EACH;
		seg[i].len = EACH;
		req[i].sector = i * (EACH / 512u);
		req[i].bytes = EACH;
		req[i].seg = &seg[i];
		req[i].num_segs = 1;
		req[i].op = VBLK_OP_WRITE;
		req[i].flags = i & 1 ? VBLK_REQ_FUA : 0;
	}
	EXPECT_EQ("accepted", N, store_submit(fx.s, req, N));
	store_close(fx.s);
	fx.s = NULL;
	read_file(fx.path, 0, came, sizeof(data));
	EXPECT(!memcmp(data, came, sizeof(data)),
	       "expected all that was "
	       "submitted to be there after close, it is not");
}
END_TEST

START_TEST(store_file__reap_of_nothing_returns)
{
	struct store_done d;

	variant(_i);
	image_make("image", IMAGE);
	if (!image_open_or_skip())
		return;
	EXPECT_EQ("reaped", 0, store_reap(fx.s, &d, 1, UINT64_MAX));
	EXPECT_EQ("reaped at max 0", 0, store_reap(fx.s, &d, 0, UINT64_MAX));
}
END_TEST

static void on_alarm(int number)
{
	(void)number;
}

/* A flush of much data takes its time; neither that nor signals lose it. */
START_TEST(store_file__reap_gives_up_and_goes_on)
{
	enum { MUCH = 64 };     /* MiB */
	struct itimerval often = { { 0, 1000 }, { 0, 1000 } }, never = { 0 };
	struct vblk_req flush = { .op = VBLK_OP_FLUSH, .tag = 9 };
	struct sigaction action = { .sa_handler = on_alarm };
	unsigned gave_up = 0;
	struct store_done d;

	variant(_i);
	image_make("image", (uint64_t)MUCH << 20);
	fx.o.direct = false;
	if (!image_open_or_skip())
		return;
	fill(data, sizeof(data), seed);
	for (uint64_t i = 0; i < MUCH; i++)
		must(VBLK_OP_WRITE, i * 2048, data, sizeof(data), 0);
	(void)sigaction(SIGALRM, &action, NULL);
	(void)setitimer(ITIMER_REAL, &often, NULL);
	EXPECT_EQ("accepted", 1, store_submit(fx.s, &flush, 1));
	if (!store_reap(fx.s, &d, 1, 1000))
		for (gave_up = 1; !store_reap(fx.s, &d, 1, WAIT_NS);)
			gave_up++;
	(void)setitimer(ITIMER_REAL, &never, NULL);
	EXPECT_EQ("tag", 9, d.tag);
	EXPECT_EQ("status", VBLK_S_OK, d.status);
	EXPECT_EQ("reaped afterwards", 0, store_reap(fx.s, &d, 1, WAIT_NS));
	must_be_data(0, sizeof(data));
	if (!gave_up)
		skipped("the disk is too fast to wait for");
}
END_TEST

void add_file_tests(Suite *suite)
{
	TCase *t = tcase_create("file");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, fixture_setup, fixture_teardown);
	tcase_add_loop_test(t, store_file__discard_frees_space, 0, VARIANTS);
	tcase_add_loop_test(t, store_file__discard_ignored_is_ok_and_said_once,
			    0, 2);
	tcase_add_loop_test(t, store_file__zeroes_keep_or_free_space, 0,
			    VARIANTS);
	tcase_add_loop_test(t, store_file__zeroes_are_written_if_need_be, 0,
			    2 * VARIANTS);
	tcase_add_loop_test(t, store_file__short_io_is_continued, 0,
			    5 * VARIANTS);
	tcase_add_loop_test(t, store_file__fua_without_kernel_support, 0,
			    VARIANTS);
	tcase_add_loop_test(t, store_file__every_segment_misaligned, 0,
			    VARIANTS);
	tcase_add_loop_test(t, store_file__outside_is_ioerr, 0, VARIANTS);
	tcase_add_loop_test(t, store_file__read_only_is_not_written, 0,
			    VARIANTS);
	tcase_add_loop_test(t, store_file__shrunk_file_is_ioerr, 0, VARIANTS);
	tcase_add_loop_test(t, store_file__no_space_is_ioerr, 0, VARIANTS);
	tcase_add_loop_test(t, store_file__file_size_limit_is_ioerr, 0,
			    VARIANTS);
	tcase_add_loop_test(t, store_file__disk_error_is_ioerr, 0, VARIANTS);
	tcase_add_loop_test(t, store_file__close_waits_for_writes, 0, VARIANTS);
	tcase_add_loop_test(t, store_file__reap_gives_up_and_goes_on, 0, 2);
	tcase_add_loop_test(t, store_file__reap_of_nothing_returns, 0,
			    VARIANTS);
	suite_add_tcase(suite, t);
}

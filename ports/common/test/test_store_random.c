/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SUB-3 of vblk/hal.h, and SUB-5 with it: a random mixture of all operations,
 * in segments of any length at any address, in flight together; each comes back
 * once, with what a shadow copy says. What overlaps is not in flight at the
 * same time, since then any result would be right.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store_fixture.h"

#define RANDOM_SECTORS 8192u
#define RANDOM_ROUNDS  1500u
#define RANDOM_DEPTH   16u
#define MOST_SECTORS   700u     /* of one request: three bounce buffers */
#define GUARD          0xa5u
#define GAP            64u      /* most guard bytes after a segment */

struct flight {
	bool busy;
	struct vblk_req req;
	struct vblk_seg seg[VBLK_MAX_SEGS];
	uint8_t *arena;         /* segments, each followed by guard bytes */
};

#define ARENA (MOST_SECTORS * 512u + VBLK_MAX_SEGS * GAP + PAGE)

static uint8_t *shadow;
static bool *known;             /* sector by sector; a discard forgets */
static struct flight *flight;

static bool in_the_way(const struct vblk_req *r)
{
	for (unsigned i = 0; i < RANDOM_DEPTH; i++) {
		const struct vblk_req *o = &flight[i].req;

		if (!flight[i].busy || o->op == VBLK_OP_FLUSH)
			continue;
		if (o->op == VBLK_OP_READ && r->op == VBLK_OP_READ)
			continue;
		if (r->sector < o->sector + o->bytes / 512 &&
		    o->sector < r->sector + r->bytes / 512)
			return true;
	}
	return false;
}

/* Pieces of any length at any address: the guest decides that. */
static void scatter(struct flight *f, bool aligned)
{
	uint64_t left = f->req.bytes, unit = aligned ? 512 : 1;
	uint8_t *at = f->arena;
	uint16_t n = 0;

	memset(f->arena, GUARD, ARENA);
	while (left) {
		uint64_t len = left, gap = aligned ? 0 : random_below(GAP);

		if (n < VBLK_MAX_SEGS - 1 && random_below(4))
			len = unit * (1 + random_below(left / unit));
		at += gap;
		f->seg[n].host = at;
		f->seg[n++].len = (uint32_t)len;
		at += len;
		left -= len;
	}
	f->req.seg = f->seg;
	f->req.num_segs = n;
}

static void scatter_data(struct flight *f, uint8_t *image)
{
	for (unsigned i = 0; i < f->req.num_segs; i++) {
		fill(f->seg[i].host, f->seg[i].len, random_next());
		memcpy(image, f->seg[i].host, f->seg[i].len);
		image += f->seg[i].len;
	}
}

static bool prepare(struct flight *f, uint16_t tag, unsigned unit)
{
	static const uint8_t ops[] = { VBLK_OP_READ,	VBLK_OP_READ,
				       VBLK_OP_WRITE,	VBLK_OP_WRITE,
				       VBLK_OP_WRITE,	VBLK_OP_WRITE_ZEROES,
				       VBLK_OP_DISCARD, VBLK_OP_FLUSH };
	struct vblk_req *r = &f->req;
	uint64_t most = random_below(8) ? 16 : MOST_SECTORS, n;

	memset(r, 0, sizeof(*r));
	r->op = ops[random_below(sizeof(ops))];
	r->flags = (uint8_t)random_below(4);
	r->queue = (uint16_t)(tag % 3);
	r->tag = tag;
	if (r->op == VBLK_OP_FLUSH)
		return true;
	n = (1 + random_below(most / unit)) * unit;
	r->bytes = n * 512;
	r->sector = random_below((RANDOM_SECTORS - n) / unit + 1) * unit;
	if (in_the_way(r))
		return false;
	if (r->op == VBLK_OP_READ || r->op == VBLK_OP_WRITE)
		scatter(f, random_below(2));
	if (r->op == VBLK_OP_WRITE)
		scatter_data(f, shadow + r->sector * 512);
	if (r->op == VBLK_OP_WRITE_ZEROES)
		memset(shadow + r->sector * 512, 0, r->bytes);
	if (r->op != VBLK_OP_READ)
		for (uint64_t i = 0; i < n; i++)
			known[r->sector + i] = r->op != VBLK_OP_DISCARD;
	return true;
}

static void judge_read(const struct flight *f)
{
	uint64_t pos = f->req.sector * 512;
	const uint8_t *end = f->arena;

	for (unsigned i = 0; i < f->req.num_segs; i++) {
		const uint8_t *host = f->seg[i].host;

		for (; end < host; end++)
			EXPECT(*end == GUARD,
			       "a guard byte before segment %u "
			       "of a read: expected %u, came %u",
			       i, GUARD, *end);
		for (uint32_t b = 0; b < f->seg[i].len; b++, pos++)
			EXPECT(!known[pos / 512] || host[b] == shadow[pos],
			       "byte %llu of the image: expected %u, came %u",
			       (unsigned long long)pos, shadow[pos], host[b]);
		end = host + f->seg[i].len;
	}
	for (; end < f->arena + ARENA; end++)
		EXPECT(*end == GUARD,
		       "a guard byte after a read: expected "
		       "%u, came %u",
		       GUARD, *end);
}

static void judge(const struct store_done *d)
{
	struct flight *f = &flight[d->tag % RANDOM_DEPTH];

	EXPECT(d->tag < RANDOM_DEPTH && f->busy,
	       "expected a tag in flight, "
	       "came %u",
	       d->tag);
	EXPECT_EQ("queue", f->req.queue, d->queue);
	EXPECT(d->status == VBLK_S_OK,
	       "op %u at sector %llu: expected status "
	       "0, came %u; log: %s",
	       f->req.op, (unsigned long long)f->req.sector, d->status,
	       fx.line[0]);
	if (f->req.op == VBLK_OP_READ) {
		EXPECT_EQ("bytes read", f->req.bytes, d->bytes);
		judge_read(f);
	}
	f->busy = false;
}

/* Not to be seen from outside until it destroys data, see store_file.c. */
static void one_path_at_a_time(void)
{
	const struct file *f = (const struct file *)fx.s;

	if (!*fx.path)
		return;                 /* a store in memory */
	EXPECT(!f->running[PATH_MAIN] || !f->running[PATH_SIDE],
	       "expected "
	       "direct and buffered data not at the same time, came %u and %u",
	       f->running[PATH_MAIN], f->running[PATH_SIDE]);
}

/* Waits only when it finds nothing more to send. */
static void fly(unsigned unit)
{
	unsigned busy = 0, sent = 0, tries = 0;
	struct store_done done[4];

	while (sent < RANDOM_ROUNDS || busy) {
		uint16_t tag = (uint16_t)random_below(RANDOM_DEPTH);
		bool go = sent < RANDOM_ROUNDS && !flight[tag].busy &&
			  prepare(&flight[tag], tag, unit);
		bool wait = !go && (sent == RANDOM_ROUNDS || tries++ > 8);
		int n;

		if (go) {
			n = store_submit(fx.s, &flight[tag].req, 1);
			EXPECT(n == 1, "submit: expected 1, came %d", n);
			flight[tag].busy = true;
			busy++;
			sent++;
			tries = 0;
			one_path_at_a_time();
		}
		if (!wait && random_below(4))
			continue;
		n = store_reap(fx.s, done, 1 + random_below(4),
			       wait ? WAIT_NS : 0);
		EXPECT(n || !wait || !busy,
		       "%u requests in flight: expected "
		       "one to finish, none did",
		       busy);
		for (int k = 0; k < n; k++, busy--)
			judge(&done[k]);
		one_path_at_a_time();
	}
}

/* One store, RANDOM_ROUNDS requests, then everything once more. */
static void random_mixture(unsigned unit)
{
	size_t bytes = (size_t)RANDOM_SECTORS * 512;
	uint8_t *came = malloc(bytes);
	struct store_done d;
	int n;

	shadow = calloc(1, bytes);
	known = malloc(RANDOM_SECTORS);
	memset(known, 1, RANDOM_SECTORS);
	flight = calloc(RANDOM_DEPTH, sizeof(*flight));
	for (unsigned i = 0; i < RANDOM_DEPTH; i++)
		flight[i].arena = aligned_alloc(PAGE, (ARENA + PAGE - 1) /
							      PAGE * PAGE);
	fly(unit);
	n = store_reap(fx.s, &d, 1, 1000000);
	EXPECT(n == 0, "expected no more completions, came %d", n);
	for (size_t at = 0; at < bytes; at += bytes / 4)
		must(VBLK_OP_READ, at / 512, came + at, bytes / 4, 0);
	for (size_t i = 0; i < bytes; i++)
		EXPECT(!known[i / 512] || came[i] == shadow[i],
		       "at the end, "
		       "byte %zu: expected %u, came %u",
		       i, shadow[i], came[i]);
	for (unsigned i = 0; i < RANDOM_DEPTH; i++)
		free(flight[i].arena);
	free(flight);
	free(known);
	free(shadow);
	free(came);
}

START_TEST(hal_SUB_3__exactly_once)
{
	variant(_i);
	image_make("image", RANDOM_SECTORS * 512u);
	if (image_open_or_skip())
		random_mixture(1);
}
END_TEST

/* The same when each system call does only a part: limits odd and even. */
START_TEST(hal_SUB_3__exactly_once_in_short_steps)
{
	static const uint64_t limits[] = { 1000, 5000, 8192 };

	variant(_i % VARIANTS);
	image_make("image", RANDOM_SECTORS * 512u);
	store_test_max_io = limits[_i / VARIANTS];
	store_test_no_dsync = _i & 4;
	if (image_open_or_skip())
		random_mixture(1);
}
END_TEST

START_TEST(hal_SUB_3__exactly_once_on_ramfs)
{
	variant(_i);
	if (!mount_here("ramfs", "none", NULL))
		return;
	image_make("image", RANDOM_SECTORS * 512u);
	if (image_open_or_skip())
		random_mixture(1);
}
END_TEST

START_TEST(hal_SUB_3__exactly_once_on_tmpfs)
{
	variant(_i);
	if (!mount_here("tmpfs", "none", "size=64m"))
		return;
	image_make("image", RANDOM_SECTORS * 512u);
	if (image_open_or_skip())
		random_mixture(1);
}
END_TEST

/* Blocks of 512 and 4096; on the latter many requests are not aligned. */
START_TEST(hal_SUB_3__exactly_once_on_block_device)
{
	variant(_i % VARIANTS);
	if (!loop_make(RANDOM_SECTORS * 512u, _i < VARIANTS ? 512 : 4096, 0))
		return;
	image_must_open();
	random_mixture(1);
}
END_TEST

/* The system said 512, or nothing, and the disk wants 4096. */
START_TEST(hal_SUB_3__exactly_once_when_alignment_is_wrong)
{
	struct file *f;

	variant(_i);
	if (!loop_make(RANDOM_SECTORS * 512u, 4096, 0))
		return;
	image_must_open();
	f = (struct file *)fx.s;
	f->mem_align = f->off_align = fx.o.direct ? 512 : 1;
	random_mixture(1);
}
END_TEST

START_TEST(hal_SUB_3__exactly_once_in_memory)
{
	uint8_t *memory = calloc(RANDOM_SECTORS, 512);

	variant(_i);
	ck_assert_int_eq(store_ram_open(&fx.s, memory, RANDOM_SECTORS * 512u,
					RANDOM_DEPTH),
			 0);
	random_mixture(1);
	store_close(fx.s);
	fx.s = NULL;
	free(memory);
}
END_TEST

void add_random_tests(Suite *suite)
{
	TCase *t = tcase_create("random");

	tcase_set_timeout(t, 240);
	tcase_add_checked_fixture(t, fixture_setup, fixture_teardown);
	tcase_add_loop_test(t, hal_SUB_3__exactly_once, 0, VARIANTS);
	tcase_add_loop_test(t, hal_SUB_3__exactly_once_in_short_steps, 0,
			    3 * VARIANTS);
	tcase_add_loop_test(t, hal_SUB_3__exactly_once_on_ramfs, 0, VARIANTS);
	tcase_add_loop_test(t, hal_SUB_3__exactly_once_on_tmpfs, 0, VARIANTS);
	tcase_add_loop_test(t, hal_SUB_3__exactly_once_on_block_device, 0,
			    2 * VARIANTS);
	tcase_add_loop_test(t, hal_SUB_3__exactly_once_when_alignment_is_wrong,
			    2, VARIANTS);
	tcase_add_loop_test(t, hal_SUB_3__exactly_once_in_memory, 0, 1);
	suite_add_tcase(suite, t);
}

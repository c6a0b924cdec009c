/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/loop.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store_fixture.h"

#define LOOP_ATTEMPTS 16        /* others may take the free one first */

uint64_t seed;
struct fixture fx;
static uint64_t random_state;
static unsigned *skip_count;    /* shared with the tests' processes */
static char base[48];           /* holds the directories of all tests */

/* --- variants and skips -------------------------------------------------- */

static const enum store_engine engines[] = { STORE_URING, STORE_THREADS,
					     STORE_INLINE };

void variant(int i)
{
	fx.o.engine = engines[i % 3];
	fx.o.direct = i >= 3;
	random_state = seed + (uint64_t)i;
}

const char *variant_name(void)
{
	static const char *const names[VARIANTS] = {
		"io_uring",	   "threads",	     "inline",
		"io_uring direct", "threads direct", "inline direct"
	};
	unsigned i = 0;

	while (i < 2 && engines[i] != fx.o.engine)
		i++;
	return names[i + (fx.o.direct ? 3u : 0)];
}

void skipped(const char *why)
{
	fprintf(stderr, "SKIPPED: %s: %s\n", variant_name(), why);
	__atomic_fetch_add(skip_count, 1, __ATOMIC_RELAXED);
}

unsigned skips(void)
{
	return *skip_count;
}

void fixture_global(void)
{
	const char *given = getenv("STORE_SEED"), *where = getenv("TMPDIR");
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	seed = given ? strtoull(given, NULL, 0)
		     : (uint64_t)t.tv_sec * 1000u +
			       (uint64_t)t.tv_nsec / 1000000u;
	skip_count = mmap(NULL, sizeof(*skip_count), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	(void)snprintf(base, sizeof(base), "%.28s/store-test-XXXXXX",
		       where ? where : "/var/tmp");
	if (skip_count == MAP_FAILED || !mkdtemp(base) || chmod(base, 0755)) {
		perror(base);
		exit(EXIT_FAILURE);
	}
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

/* A test that failed did not tidy up behind itself. */
void fixture_remove(void)
{
	(void)nftw(base, remove_one, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* --- places -------------------------------------------------------------- */

static void keep_line(void *ctx, const char *line)
{
	(void)ctx;
	if (fx.lines < LOG_LINES)
		(void)snprintf(fx.line[fx.lines], STORE_LINE, "%s", line);
	fx.lines++;
}

void fixture_setup(void)
{
	memset(&fx, 0, sizeof(fx));
	(void)snprintf(fx.dir, sizeof(fx.dir), "%s/XXXXXX", base);
	ck_assert_msg(mkdtemp(fx.dir) != NULL, "%s: %s", fx.dir,
		      strerror(errno));
	fx.o.path = fx.path;
	fx.o.log = keep_line;
	store_test_max_io = UINT64_MAX;
	store_test_no_dsync = false;
}

void fixture_teardown(void)
{
	store_close(fx.s);
	fx.s = NULL;
	(void)umount2(fx.dir, MNT_DETACH);
	if (*fx.path && strncmp(fx.path, "/dev/", 5))
		(void)unlink(fx.path);
	if (*fx.backing)
		(void)unlink(fx.backing);
	(void)rmdir(fx.dir);
}

void image_make(const char *name, uint64_t bytes)
{
	int fd;

	(void)snprintf(fx.path, sizeof(fx.path), "%s/%s", fx.dir, name);
	fd = open(fx.path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ck_assert_msg(fd >= 0, "%s: %s", fx.path, strerror(errno));
	ck_assert_msg(!ftruncate(fd, (off_t)bytes), "%s: %s", fx.path,
		      strerror(errno));
	(void)close(fd);
}

bool mount_here(const char *type, const char *what, const char *options)
{
	if (!unshare(CLONE_NEWNS) &&
	    !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	    !mount(what, fx.dir, type, 0, options))
		return true;
	skipped("may not mount");
	return false;
}

static int loop_attach(int control, int backing, unsigned block, uint32_t flags)
{
	struct loop_config config;
	int n = ioctl(control, LOOP_CTL_GET_FREE);
	int fd;

	memset(&config, 0, sizeof(config));
	config.fd = (uint32_t)backing;
	config.block_size = block;
	config.info.lo_flags = LO_FLAGS_AUTOCLEAR | flags;
	if (n < 0)
		return -1;
	(void)snprintf(fx.path, sizeof(fx.path), "/dev/loop%d", n);
	fd = open(fx.path, O_RDWR | O_CLOEXEC);
	if (fd >= 0 && ioctl(fd, LOOP_CONFIGURE, &config)) {
		(void)close(fd);
		fd = -1;
	}
	return fd;
}

/* The open descriptor keeps the device until the test's process ends. */
bool loop_make(uint64_t bytes, unsigned block, uint32_t flags)
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int backing, fd = -1;

	image_make("backing", bytes);
	memcpy(fx.backing, fx.path, sizeof(fx.backing));
	backing = open(fx.backing, O_RDWR | O_CLOEXEC);
	for (int i = 0; control >= 0 && fd < 0 && i < LOOP_ATTEMPTS; i++)
		fd = loop_attach(control, backing, block, flags);
	(void)close(backing);
	if (control >= 0)
		(void)close(control);
	if (fd >= 0)
		return true;
	memcpy(fx.path, fx.backing, sizeof(fx.path));
	skipped("there are no loop devices");
	return false;
}

void image_must_open(void)
{
	int err = store_file_open(&fx.s, &fx.o, fx.why, sizeof(fx.why));

	EXPECT(!err, "expected %s to open, came: %s", fx.path, fx.why);
}

bool image_open_or_skip(void)
{
	int fd;

	if (fx.o.direct) {
		fd = open(fx.path, O_RDONLY | O_DIRECT | O_CLOEXEC);
		if (fd < 0) {
			skipped("no direct I/O on this file system");
			return false;
		}
		(void)close(fd);
	}
	image_must_open();
	fx.lines = 0;           /* perhaps what it said of the alignment */
	return true;
}

/* --- bytes --------------------------------------------------------------- */

uint64_t random_next(void)
{
	uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

uint64_t random_below(uint64_t n)
{
	return random_next() % n;
}

void fill(void *at, size_t len, uint64_t what)
{
	uint8_t *p = at;

	for (size_t i = 0; i < len; i++) {
		what = what * UINT64_C(6364136223846793005) +
		       1442695040888963407u;
		p[i] = (uint8_t)(what >> 56) | 1u;      /* never zero */
	}
}

size_t differs(const void *a, const void *b, size_t len)
{
	const uint8_t *p = a, *q = b;
	size_t i = 0;

	if (!memcmp(a, b, len))
		return len;
	while (i < len && p[i] == q[i])
		i++;
	return i;
}

void read_file(const char *path, uint64_t off, void *out, size_t len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = pread(fd, out, len, (off_t)off);

	(void)close(fd);
	EXPECT(n == (ssize_t)len, "%s: expected %zu bytes, came %zd", path, len,
	       n);
}

/* --- requests ------------------------------------------------------------ */

struct store_done one(enum vblk_op op, uint64_t sector, void *data,
		      uint64_t bytes, uint8_t flags)
{
	struct vblk_seg seg = { data, (uint32_t)bytes };
	struct vblk_req req = { .sector = sector,
				.bytes = bytes,
				.seg = &seg,
				.num_segs = data ? 1 : 0,
				.queue = 3,
				.tag = 77,
				.op = (uint8_t)op,
				.flags = flags };
	struct store_done d = { 0 };
	int n = store_submit(fx.s, &req, 1);

	EXPECT(n == 1, "submit: expected 1 accepted, came %d", n);
	n = store_reap(fx.s, &d, 1, WAIT_NS);
	EXPECT(n == 1, "reap: expected 1 done, came %d", n);
	EXPECT(d.queue == 3 && d.tag == 77,
	       "expected queue 3 tag 77, came %u %u", d.queue, d.tag);
	return d;
}

void must(enum vblk_op op, uint64_t sector, void *data, uint64_t bytes,
	  uint8_t flags)
{
	struct store_done d = one(op, sector, data, bytes, flags);

	EXPECT(d.status == VBLK_S_OK,
	       "op %d sector %llu bytes %llu: expected "
	       "status 0, came %u; log: %s",
	       (int)op, (unsigned long long)sector, (unsigned long long)bytes,
	       d.status, fx.line[0]);
	if (op == VBLK_OP_READ)
		EXPECT_EQ("bytes read", bytes, d.bytes);
}

void must_fail(enum vblk_op op, uint64_t sector, void *data, uint64_t bytes,
	       uint8_t flags)
{
	struct store_done d = one(op, sector, data, bytes, flags);

	EXPECT(d.status == VBLK_S_IOERR,
	       "op %d sector %llu: expected status "
	       "1, came %u",
	       (int)op, (unsigned long long)sector, d.status);
}

unsigned logged(const char *part)
{
	unsigned n = 0;

	for (unsigned i = 0; i < fx.lines && i < LOG_LINES; i++)
		n += strstr(fx.line[i], part) != NULL;
	return n;
}

void must_be_zero(uint64_t sector, uint64_t bytes)
{
	uint8_t *zero = calloc(1, bytes), *came = malloc(bytes);
	size_t at;

	must(VBLK_OP_READ, sector, came, bytes, 0);
	at = differs(zero, came, bytes);
	EXPECT(at == bytes, "sector %llu + byte %zu: expected 0, came %u",
	       (unsigned long long)sector, at, came[at]);
	free(zero);
	free(came);
}

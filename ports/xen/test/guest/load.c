/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load DEVICE [OPTION...]: reads and writes a disk at random and knows, of each
 * sector, what it has to hold. Ends with all of it read again. Direct I/O by
 * io_uring; of the requests in flight no two touch a sector that one of them
 * writes, so there is one right answer to each read.
 *
 *   --depth=N        requests in flight, 1-256 (8)
 *   --sizes=N,N..    bytes of a request, picked at random (512,4096,65536)
 *   --mix=R:W:F      shares of reads, writes and flushes (50:45:5)
 *   --count=N        requests (2000), or
 *   --seconds=N      how long
 *   --mib=N          of the disk, from its start (all, 256 at most)
 *   --seed=N         of all that is random (1)
 *   --zeros          what was not written is zeros
 *   --name=WORD      begins each line that is printed (load)
 *   --bench          no verification, but a rate
 *   --sequential     one request after the other, without --zeros
 *
 * A sector holds its number, the generation of the write, the seed, and words
 * that follow from these. No request may fail. Exit status 0 if all is well.
 */
#define _GNU_SOURCE			/* O_DIRECT */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/fs.h>
#include <time.h>
#include <unistd.h>

#include <liburing.h>

#define SECTOR 512u
#define WORDS (SECTOR / 8)
#define MAX_DEPTH 256u
#define MAX_SIZES 16u
#define MAX_SIZE (1u << 20)
#define MAX_MIB 256u
#define TRIES 64			/* to find sectors nobody uses */
#define SHOWN 5				/* mismatches that are printed */

enum kind { READ, WRITE, FLUSH, KINDS };

struct request {
	enum kind kind;
	bool busy;
	uint32_t sector, sectors;	/* none of a flush */
	uint64_t since;			/* ns */
	uint64_t *data;
};

static const char *name = "load";
static uint32_t depth = 8, sizes[MAX_SIZES] = {512, 4096, 65536}, n_sizes = 3;
static uint32_t mix[KINDS] = {50, 45, 5}, mib;
static uint64_t count = 2000, seconds, seed = 1;
static bool zeros, bench, sequential;

static int fd;
static struct io_uring ring;
static struct request requests[MAX_DEPTH];
static uint32_t sectors;		/* of the disk that are used */
static uint32_t *generation;		/* of each sector's last write; 0: none */
static uint16_t *users;			/* requests in flight; WRITER */
#define WRITER 0x8000u

static uint64_t done[KINDS], bytes, slowest, wrong, failed, dice;

static void die(const char *what)
{
	printf("%s: %s: %s\n", name, what, strerror(errno));
	exit(2);
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* xorshift64*: the same seed, the same requests */
static uint32_t roll(uint32_t sides)
{
	dice ^= dice >> 12;
	dice ^= dice << 25;
	dice ^= dice >> 27;
	return (uint32_t)((dice * 0x2545f4914f6cdd1du) >> 32) % sides;
}

static uint64_t word(uint32_t sector, uint32_t gen)
{
	uint64_t w = seed * 0x9e3779b97f4a7c15u ^ (uint64_t)sector << 32 ^ gen;

	w = (w ^ w >> 31) * 0xbf58476d1ce4e5b9u;
	return w ^ w >> 29;
}

static void stamp(uint64_t *p, uint32_t sector, uint32_t gen)
{
	uint64_t w = word(sector, gen);

	p[0] = sector;
	p[1] = gen;
	p[2] = seed;
	for (uint32_t i = 3; i < WORDS; i++)
		p[i] = w += 0xd1342543de82ef95u;
}

static bool intact(const uint64_t *p, uint32_t sector)
{
	uint64_t w, gen = generation[sector];

	if (gen == 0) {
		for (uint32_t i = 0; zeros && i < WORDS; i++)
			if (p[i])
				return false;
		return true;
	}
	if (p[0] != sector || p[1] != gen || p[2] != seed)
		return false;
	w = word(sector, (uint32_t)gen);
	for (uint32_t i = 3; i < WORDS; i++)
		if (p[i] != (w += 0xd1342543de82ef95u))
			return false;
	return true;
}

static void verify(const struct request *r)
{
	const uint64_t *p = r->data;

	for (uint32_t i = 0; i < r->sectors; i++, p += WORDS) {
		uint32_t s = r->sector + i;

		if (intact(p, s) || wrong++ >= SHOWN)
			continue;
		printf("%s: sector %u of %u+%u: expected generation %u, came "
		       "%016" PRIx64 " %016" PRIx64 " %016" PRIx64 "\n", name, s,
		       r->sector, r->sectors, generation[s], p[0], p[1], p[2]);
	}
}

/* Sectors for a request: ones that no other request minds */
static bool find(struct request *r)
{
	static uint32_t next;

	for (int t = 0; t < TRIES; t++) {
		uint32_t s = roll(sectors - r->sectors + 1), i;

		if (sequential) {
			s = next + r->sectors > sectors ? 0 : next;
			next = s + r->sectors;
		} else {	/* most file systems keep to 4 KiB */
			s -= r->sectors >= 8 ? s % 8 : 0;
		}
		for (i = 0; i < r->sectors && !bench; i++)
			if (users[s + i] & WRITER ||
			    (r->kind == WRITE && users[s + i]))
				break;
		if (bench || i == r->sectors) {
			r->sector = s;
			return true;
		}
	}
	return false;
}

static void start(struct request *r, enum kind kind, uint32_t size)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	r->kind = kind;
	r->sectors = kind == FLUSH ? 0 : size / SECTOR;
	if (kind != FLUSH && !find(r)) {
		r->kind = FLUSH;	/* too little room: something else */
		r->sectors = 0;
	}
	for (uint32_t i = 0; i < r->sectors && !bench; i++) {
		uint32_t s = r->sector + i;

		if (kind == WRITE) {
			users[s] = WRITER;
			stamp(r->data + i * WORDS, s, ++generation[s]);
		} else {
			users[s]++;
		}
	}
	r->busy = true;
	r->since = now();
	if (r->kind == FLUSH)
		io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
	else if (r->kind == READ)
		io_uring_prep_read(sqe, fd, r->data, r->sectors * SECTOR,
				   (uint64_t)r->sector * SECTOR);
	else
		io_uring_prep_write(sqe, fd, r->data, r->sectors * SECTOR,
				    (uint64_t)r->sector * SECTOR);
	io_uring_sqe_set_data(sqe, r);
}

/* Waits for one request, takes all that are complete */
static void finish(void)
{
	struct io_uring_cqe *cqe;
	int rc = io_uring_submit_and_wait(&ring, 1);

	if (rc < 0) {
		errno = -rc;
		die("io_uring");
	}
	while (io_uring_peek_cqe(&ring, &cqe) == 0) {
		struct request *r = io_uring_cqe_get_data(cqe);
		uint64_t took = now() - r->since;
		int want = (int)(r->sectors * SECTOR);

		if (cqe->res != want && failed++ < SHOWN)
			printf("%s: %s of sectors %u+%u: expected %d, came %d\n",
			       name, r->kind == READ ? "read" :
			       r->kind == WRITE ? "write" : "flush",
			       r->sector, r->sectors, want, cqe->res);
		else if (r->kind == READ && !bench)
			verify(r);
		for (uint32_t i = 0; i < r->sectors && !bench; i++) {
			uint16_t *u = &users[r->sector + i];

			*u = r->kind == WRITE ? 0 : (uint16_t)(*u - 1);
		}
		slowest = took > slowest ? took : slowest;
		done[r->kind]++;
		bytes += r->sectors * SECTOR;
		r->busy = false;
		io_uring_cqe_seen(&ring, cqe);
	}
}

static bool any_busy(void)
{
	for (uint32_t i = 0; i < depth; i++)
		if (requests[i].busy)
			return true;
	return false;
}

static enum kind pick(void)
{
	uint32_t r = roll(mix[READ] + mix[WRITE] + mix[FLUSH]);

	return r < mix[READ] ? READ : r < mix[READ] + mix[WRITE] ? WRITE : FLUSH;
}

static void load(void)
{
	uint64_t begun = now(), end = begun + seconds * 1000000000u, n = 0, took;

	while (seconds ? now() < end : n < count) {
		for (uint32_t i = 0; i < depth && (seconds || n < count); i++)
			if (!requests[i].busy) {
				start(&requests[i], pick(), sizes[roll(n_sizes)]);
				n++;
			}
		finish();
	}
	while (any_busy())
		finish();
	took = (now() - begun) / 1000 + 1;
	printf("%s: %" PRIu64 " reads %" PRIu64 " writes %" PRIu64 " flushes, "
	       "%" PRIu64 " ms, %" PRIu64 " IOPS, %" PRIu64 " KiB/s, slowest "
	       "%" PRIu64 " us\n", name, done[READ], done[WRITE], done[FLUSH],
	       took / 1000,
	       (done[READ] + done[WRITE] + done[FLUSH]) * 1000000 / took,
	       bytes * 1000000 / 1024 / took, slowest / 1000);
}

/* All that was written, once more and in order */
static void reread(void)
{
	uint32_t size = 128 * 1024;

	sequential = true;
	for (uint32_t at = 0; at < sectors; at += size / SECTOR) {
		struct request *r = &requests[0];

		if (size / SECTOR > sectors - at)
			size = (sectors - at) * SECTOR;
		start(r, READ, size);
		while (r->busy)
			finish();
	}
}

static uint64_t number(const char *s, char **rest, uint64_t most)
{
	uint64_t v;

	errno = 0;
	v = strtoull(s, rest, 0);
	if (errno || *rest == s || v > most) {
		errno = EINVAL;
		die(s);
	}
	return v;
}

static void option(const char *arg)
{
	const char *v = strchr(arg, '=');
	char *rest = "";

	v = v ? v + 1 : "";
	if (!strncmp(arg, "--depth=", 8)) {
		depth = (uint32_t)number(v, &rest, MAX_DEPTH);
	} else if (!strncmp(arg, "--sizes=", 8)) {
		for (n_sizes = 0; n_sizes < MAX_SIZES && *v; v = rest + (*rest == ','))
			sizes[n_sizes++] = (uint32_t)number(v, &rest, MAX_SIZE);
	} else if (!strncmp(arg, "--mix=", 6)) {
		for (int k = 0; k < KINDS; k++, v = rest + (*rest == ':'))
			mix[k] = (uint32_t)number(v, &rest, 1000);
	} else if (!strncmp(arg, "--count=", 8)) {
		count = number(v, &rest, UINT64_MAX);
	} else if (!strncmp(arg, "--seconds=", 10)) {
		seconds = number(v, &rest, 1000000);
	} else if (!strncmp(arg, "--mib=", 6)) {
		mib = (uint32_t)number(v, &rest, MAX_MIB);
	} else if (!strncmp(arg, "--seed=", 7)) {
		seed = number(v, &rest, UINT64_MAX);
	} else if (!strncmp(arg, "--name=", 7)) {
		name = v;
	} else if (!strcmp(arg, "--zeros")) {
		zeros = true;
	} else if (!strcmp(arg, "--bench")) {
		bench = true;
	} else if (!strcmp(arg, "--sequential")) {
		sequential = true;
	} else {
		rest = "?";
	}
	if (*rest || !depth) {
		errno = EINVAL;
		die(arg);
	}
}

static void prepare(const char *path)
{
	uint64_t size, most = (mib ? mib : MAX_MIB) * (1u << 20);

	fd = open(path, O_RDWR | O_DIRECT);
	if (fd < 0 && mix[WRITE] == 0)
		fd = open(path, O_RDONLY | O_DIRECT);
	if (fd < 0 || ioctl(fd, BLKGETSIZE64, &size))
		die(path);
	sectors = (uint32_t)((size < most ? size : most) / SECTOR);
	generation = calloc(sectors, sizeof *generation);
	users = calloc(sectors, sizeof *users);
	if (!generation || !users)
		die("memory");
	for (uint32_t i = 0; i < n_sizes; i++)
		if (sizes[i] % SECTOR || !sizes[i] || sizes[i] / SECTOR > sectors) {
			errno = EINVAL;
			die("--sizes");
		}
	for (uint32_t i = 0; i < depth; i++) {
		requests[i].data = aligned_alloc(4096, MAX_SIZE);
		if (!requests[i].data)
			die("memory");
	}
	dice = seed * 0x9e3779b97f4a7c15u | 1;
	if ((errno = -io_uring_queue_init(depth, &ring, 0)))
		die("io_uring");
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: load DEVICE [OPTION...]\n");
		return 64;
	}
	for (int i = 2; i < argc; i++)
		option(argv[i]);
	prepare(argv[1]);
	load();
	if (!bench)
		reread();
	printf("%s: %s, seed %" PRIu64 ", %" PRIu64 " failed, %" PRIu64
	       " sectors wrong\n", name, failed || wrong ? "FAILED" : "ok", seed,
	       failed, wrong);
	return failed || wrong;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vblk-demo: a guest on a disk image. It reads the whole disk through the
 * device, and what it saw must be what is in the file. See --help.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sha256.h"
#include "trial.h"

#define CHUNK (1u << 20)        /* of the file, read at once */

enum { EXIT_USAGE = 2, EXIT_INTERRUPTED = 130 };

struct options {
	const char *path;
	bool write, breaks, direct;
	enum store_engine engine;
};

struct demo {
	struct options o;
	struct store *store;
	char engine[80];
	struct hypervisor hv;
	struct driver driver;
	struct report report;
	struct work work;
};

static volatile sig_atomic_t stop;

static const char usage[] =
	"usage: vblk-demo [--write] [--break] [--direct]\n"
	"                 [--engine=auto|io_uring|threads] [--help] IMAGE\n";

static const char help[] =
	"\n"
	"A simulated guest with a virtio-mmio block driver of its own reads\n"
	"the whole disk IMAGE through the vblk device: 2 queues, 32 requests\n"
	"in flight, of mixed sizes and several segments. The SHA-256 of what\n"
	"came is compared with that of the file. A table at the end says what\n"
	"it cost.\n"
	"\n"
	"IMAGE is a raw image file or a block device; its size must be a\n"
	"multiple of 512 bytes. Without --write it is opened read-only.\n"
	"\n"
	"  --write    then the guest also writes: it saves the last 8 MiB of\n"
	"             the disk (half of it, if small) and a few sectors\n"
	"             elsewhere, writes a pattern, flushes, reads it back,\n"
	"             discards, writes zeroes, reads them back, and restores\n"
	"             what was there. Ctrl-C restores too; SIGKILL or a crash\n"
	"             of the machine does not. Not on a disk that is in use.\n"
	"  --break    flip one byte of one read on its way to the guest, to\n"
	"             see the comparison fail\n"
	"  --direct   O_DIRECT: past the page cache\n"
	"  --engine=auto|io_uring|threads\n"
	"             how the file is accessed; auto, the default: io_uring\n"
	"             where the kernel allows it, else threads\n"
	"  --help     this\n"
	"\n"
	"Exit status: 0 the guest saw what is in the file; 1 it did not, or\n"
	"something failed; 2 wrong usage; 130 interrupted (SIGINT, SIGTERM or\n"
	"SIGHUP: nothing new is sent, what is in flight finishes and is\n"
	"flushed).\n";

/* --- arguments and signals ------------------------------------------------ */

static bool engine_of(const char *name, enum store_engine *out)
{
	static const char *const names[] = { [STORE_AUTO] = "auto",
					     [STORE_URING] = "io_uring",
					     [STORE_THREADS] = "threads" };

	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (strcmp(name, names[i]) == 0) {
			*out = (enum store_engine)i;
			return true;
		}
	}
	fprintf(stderr, "vblk-demo: no engine is called '%s'\n", name);
	return false;
}

/* -1: go on; else the status to exit with. */
static int parse(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "write", no_argument, NULL, 'w' },
		{ "break", no_argument, NULL, 'b' },
		{ "direct", no_argument, NULL, 'd' },
		{ "engine", required_argument, NULL, 'e' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	bool bad = false;
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'w': o->write = true; break;
		case 'b': o->breaks = true; break;
		case 'd': o->direct = true; break;
		case 'e': bad = !engine_of(optarg, &o->engine) || bad; break;
		case 'h': printf("%s%s", usage, help); return EXIT_SUCCESS;
		default: bad = true; break;
		}
	}
	if (!bad && optind + 1 == argc) {
		o->path = argv[optind];
		return -1;
	}
	if (!bad)
		fprintf(stderr, "vblk-demo: %s\n",
			optind == argc ? "which image?"
				       : "one image at a time");
	fputs(usage, stderr);
	return EXIT_USAGE;
}

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

/* No SA_RESTART: a wait for the disk ends. */
static void catch_signals(void)
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP };
	static const int harmless[] = { SIGPIPE, SIGXFSZ };
	struct sigaction a = { .sa_handler = on_signal };

	for (unsigned i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		(void)sigaction(ends[i], &a, NULL);
	/* with a pattern on the disk, dying of a closed pipe would be unkind */
	a.sa_handler = SIG_IGN;
	for (unsigned i = 0; i < sizeof(harmless) / sizeof(*harmless); i++)
		(void)sigaction(harmless[i], &a, NULL);
}

/* --- the file ------------------------------------------------------------- */

static int complain(struct demo *d, const char *why)
{
	report_end(&d->report);
	fprintf(stderr, "vblk-demo: %s\n", why);
	return EXIT_FAILURE;
}

static void from_store(void *ctx, const char *line)
{
	(void)complain(ctx, line);
}

/*
 * Automatic choice is made here and not by the store, so that the table can
 * name the engine.
 */
static int open_store(struct demo *d)
{
	struct store_file_options o = { .path = d->o.path,
					.read_only = !d->o.write,
					.direct = d->o.direct,
					.engine = STORE_URING,
					.log = from_store,
					.log_ctx = d };
	char why[STORE_LINE];

	if (d->o.engine != STORE_THREADS &&
	    store_file_open(&d->store, &o, why, sizeof(why)) == 0) {
		snprintf(d->engine, sizeof(d->engine), "io_uring");
		return 0;
	}
	if (d->o.engine == STORE_URING)
		return complain(d, why);
	o.engine = STORE_THREADS;
	if (store_file_open(&d->store, &o, why, sizeof(why)) != 0)
		return complain(d, why);
	snprintf(d->engine, sizeof(d->engine), "%u threads%s",
		 STORE_THREADS_DEFAULT,
		 d->o.engine == STORE_AUTO ? " (no io_uring)" : "");
	return 0;
}

/* As read(2) has it. WORK_STOPPED: the user does not want to wait. */
static enum work_result sum_file(struct demo *d, int fd, uint8_t *buffer,
				 char text[SHA256_TEXT])
{
	uint64_t all = store_sectors(d->store) * VBLK_SECTOR_SIZE, at = 0;
	struct sha256 sum;

	sha256_begin(&sum);
	report_begin(&d->report);
	for (;;) {
		ssize_t n;

		if (stop)
			return WORK_STOPPED;
		n = read(fd, buffer, CHUNK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return WORK_FAILED;
		if (n == 0)
			break;
		sha256_add(&sum, buffer, (size_t)n);
		at += (uint64_t)n;
		report_progress(&d->report, "reading the file itself", at, all);
	}
	sha256_end(&sum, text);
	return WORK_OK;
}

static enum work_result hash_file(struct demo *d, char text[SHA256_TEXT])
{
	int fd = open(d->o.path, O_RDONLY | O_CLOEXEC);
	uint8_t *buffer = malloc(CHUNK);
	enum work_result r = WORK_FAILED;

	if (fd >= 0 && buffer)
		r = sum_file(d, fd, buffer, text);
	if (r == WORK_FAILED)
		snprintf(d->work.why, sizeof(d->work.why), "%.100s: %s",
			 d->o.path, strerror(errno));
	report_end(&d->report);
	free(buffer);
	if (fd >= 0)
		close(fd);
	return r;
}

/* --- the guest ------------------------------------------------------------ */

static bool add_to_sum(struct work *w, void *ctx, uint64_t sector,
		       uint8_t *data, uint32_t bytes)
{
	(void)w;
	(void)sector;
	sha256_add(ctx, data, bytes);
	return true;
}

static enum work_result hash_guest(struct demo *d, char text[SHA256_TEXT])
{
	struct sha256 sum;
	enum work_result r;

	sha256_begin(&sum);
	r = work_pass(&d->work, "guest reads the disk", VBLK_T_IN, 0,
		      d->driver.capacity, add_to_sum, &sum);
	sha256_end(&sum, text);
	return r;
}

/* *sum: of the file, as it is now. */
static enum work_result compare(struct demo *d, char sum[SHA256_TEXT])
{
	char guest[SHA256_TEXT];
	enum work_result r = hash_guest(d, guest);

	if (r != WORK_OK)
		return r;
	printf("sha256  %s  %s (as the guest read it)\n", guest, d->o.path);
	r = hash_file(d, sum);
	if (r != WORK_OK)
		return r;
	printf("sha256  %s  %s (as it is in the file)\n", sum, d->o.path);
	if (strcmp(guest, sum) == 0) {
		printf("match\n");
		return WORK_OK;
	}
	printf("MISMATCH\n");
	snprintf(d->work.why, sizeof(d->work.why),
		 "the guest did not see what is in the file%s",
		 d->hv.broke ? ", as --break wanted" : "");
	return WORK_FAILED;
}

static enum work_result writes(struct demo *d, const char *before)
{
	enum work_result r = trial_run(&d->work);
	char after[SHA256_TEXT];

	if (r == WORK_OK)
		r = hash_file(d, after);
	if (r != WORK_OK)
		return r;
	if (strcmp(before, after) == 0) {
		printf("the file is as before\n");
		return WORK_OK;
	}
	printf("MISMATCH\n");
	snprintf(d->work.why, sizeof(d->work.why),
		 "the file is not as before: its sum is now %s", after);
	return WORK_FAILED;
}

static void announce(const struct demo *d)
{
	char size[REPORT_SIZE];

	printf("a simulated guest %s %s, %s, through vblk: %u queues, %u "
	       "requests in flight\n",
	       d->o.write ? "reads and writes" : "reads", d->o.path,
	       report_bytes(d->driver.capacity * VBLK_SECTOR_SIZE, size),
	       d->driver.queues, WORK_DEPTH);
	if (d->o.breaks)
		printf("--break: a byte of sector %" PRIu64 " is flipped on "
		       "its way\n",
		       d->hv.break_sector);
}

static enum work_result whole(struct demo *d)
{
	char sum[SHA256_TEXT], id[VBLK_ID_BYTES + 1u];
	enum work_result r = compare(d, sum);

	if (r == WORK_OK)
		r = work_id(&d->work, id);
	if (r != WORK_OK)
		return r;
	printf("GET_ID says '%s'\n", id);
	return d->o.write ? writes(d, sum) : WORK_OK;
}

/* --- all of it ------------------------------------------------------------ */

static int start_guest(struct demo *d)
{
	char why[STORE_LINE];

	if (hv_open(&d->hv, d->store,
		    d->o.breaks ? store_sectors(d->store) / 2u : HV_NOWHERE,
		    why, sizeof(why)) != 0)
		return complain(d, why);
	if (driver_probe(&d->driver, &d->hv, why, sizeof(why)) != 0)
		return complain(d, why);
	if (work_open(&d->work, &d->driver, &d->report) != 0)
		return complain(d, "the guest has too little memory");
	d->work.stop = &stop;
	return 0;
}

static int conclude(struct demo *d, enum work_result r)
{
	struct report_totals t = { .kicks = d->driver.kicks,
				   .interrupts = d->driver.interrupts,
				   .accesses = d->driver.accesses,
				   .engine = d->engine };

	if (r == WORK_FAILED)
		return complain(d, d->work.why);
	if (r == WORK_STOPPED || stop) {
		/* nothing is in flight; restore has flushed, but be sure */
		if (d->o.write && work_flush(&d->work) != WORK_OK)
			return complain(d, d->work.why);
		printf("interrupted\n");
		return EXIT_INTERRUPTED;
	}
	report_table(&d->report, &t);
	return EXIT_SUCCESS;
}

static int run(struct demo *d)
{
	int status = open_store(d);

	if (status != 0)
		return status;
	status = start_guest(d);
	if (status == 0) {
		announce(d);
		status = conclude(d, whole(d));
		driver_remove(&d->driver);
	}
	hv_close(&d->hv);
	store_close(d->store);
	return status;
}

int main(int argc, char **argv)
{
	static struct demo d;   /* its histograms are large for a stack */
	int status = parse(&d.o, argc, argv);

	if (status >= 0)
		return status;
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	catch_signals();
	report_open(&d.report);
	return run(&d);
}

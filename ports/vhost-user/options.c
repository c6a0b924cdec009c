/* SPDX-License-Identifier: BSD-2-Clause */
#include "options.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "values.h"
#include "vblk/vblk.h"

#define PROGRAM    "vblk-vhost-user"
#define QUEUE_SIZE 1024u      /* what QEMU tells virtio-mmio drivers */
#define QUEUE_SIZE_MAX 32768u
#define POLL_US_MAX    1000000u
#define JITTER_US_MAX  1000000u
#define STATS_S_MAX    86400u

#ifndef VERSION
#define VERSION "0"
#endif

/* --- of a disk ------------------------------------------------------------ */

enum key {
	SOCKET_PATH, FD, BLK_FILE, NULL_SIZE, READ_ONLY, SERIAL, BLOCK_SIZE,
	NUM_QUEUES, QUEUE_SIZE_KEY, THREADS, CACHE, AIO, POLL_US, MEMORY_LIMIT,
	IOMMU, INFLIGHT, PACKED, IN_ORDER, JITTER_US, DISK_KEYS,
	/* of the program */
	EXPORT = DISK_KEYS, STATS, LOG_LEVEL, SANDBOX, CAPABILITIES, HELP,
	VERSION_KEY, KEYS
};

static const struct value_key keys[KEYS] = {
	[SOCKET_PATH] = { "socket-path", "PATH", "listen on this UNIX socket; "
			  "one that nobody listens on\nis replaced" },
	[FD] = { "fd", "N", "use an inherited socket, listening or "
		 "connected" },
	[BLK_FILE] = { "blk-file", "FILE", "the image: a regular file or a "
		       "block device" },
	[NULL_SIZE] = { "null-size", "SIZE", "no image: writes are dropped, "
			"reads change nothing\n(benchmarks)" },
	[READ_ONLY] = { "read-only", NULL, "the guest cannot write" },
	[SERIAL] = { "serial", "TEXT", "up to 20 bytes, what the guest sees as "
		     "serial number" },
	[BLOCK_SIZE] = { "block-size", "N", "logical block, 512 to 65536 "
			 "bytes (512)" },
	[NUM_QUEUES] = { "num-queues", "N", "virtqueues, 1 to 16 (processors "
			 "of this machine)" },
	[QUEUE_SIZE_KEY] = { "queue-size", "N", "entries of a virtqueue at "
			     "most, to 32768 (1024)" },
	[THREADS] = { "threads", "N", "threads that serve the queues (one "
		      "each)" },
	[CACHE] = { "cache", "MODE", "writeback, writethrough, or none: past "
		    "the page cache\n(writeback)" },
	[AIO] = { "aio", "ENGINE", "io_uring, threads, or auto (auto: io_uring "
		  "if it is there)" },
	[POLL_US] = { "poll-us", "N", "spin for so long before sleeping, if "
		      "the guest is\nas quick (0: never)" },
	[MEMORY_LIMIT] = { "memory-limit", "SIZE", "guest memory that the VMM "
			   "may share at most\n(no limit)" },
	[IOMMU] = { "iommu", "on|off", "the guest's IOMMU translates the "
		    "disk's addresses\n(off)" },
	[INFLIGHT] = { "inflight", "on|off", "keep what is in flight where it "
		       "outlives a crash (on)" },
	[PACKED] = { "packed", "on|off", "offer packed virtqueues (on)" },
	[IN_ORDER] = { "in-order", "on|off", "offer to use buffers in order, "
		       "which makes the quick\nwait for the slow (off)" },
	[JITTER_US] = { "jitter-us", "N", "testing: hold each completion for "
			"up to N microseconds" },
	[EXPORT] = { "export", "KEY[=VALUE],...", "a disk; repeat for several. "
		     "Keys are the options above,\nwhich are the defaults of "
		     "all when given outside.\nA comma in a value is written "
		     "twice" },
	[STATS] = { "stats", "SECONDS", "print statistics so often (only on "
		    "SIGUSR1)" },
	[LOG_LEVEL] = { "log-level", "LEVEL", "error, warning, info or debug "
			"(info)" },
	[SANDBOX] = { "sandbox", "on|off", "give up what serving does not need "
		      "(on)" },
	[CAPABILITIES] = { "print-capabilities", NULL, "what this back end "
			   "can do, as JSON" },
	[HELP] = { "help", NULL, "this" },
	[VERSION_KEY] = { "version", NULL, "print the version" }
};

static enum verdict serial(struct disk_options *d, const char *v)
{
	if (strlen(v) > SERIAL_BYTES)
		return value_bad(keys[SERIAL].name, v,
				 "is longer than %u bytes", SERIAL_BYTES);
	d->serial = v;
	return GOOD;
}

static enum verdict mode(struct disk_options *d, const char *v)
{
	static const char *const words[] = { "writeback", "writethrough",
					     "none" };
	unsigned n = 0;

	if (value_word(keys[CACHE].name, v, words, 3, &n) == BAD)
		return BAD;
	d->cache = (enum cache_mode)n;
	return GOOD;
}

static enum verdict engine(struct disk_options *d, const char *v)
{
	static const char *const words[] = { "auto", "io_uring", "threads" };
	unsigned n = 0;

	if (value_word(keys[AIO].name, v, words, 3, &n) == BAD)
		return BAD;
	d->aio = (enum store_engine)n;
	return GOOD;
}

static enum verdict set_disk(struct disk_options *d, enum key k, const char *v)
{
	const char *name = keys[k].name;
	unsigned n = 0;

	switch ((int)k) {
	case SOCKET_PATH: d->socket_path = v; return GOOD;
	case FD:
		if (value_small(name, v, 0, INT32_MAX, &n) == BAD)
			return BAD;
		d->fd = (int)n;
		return GOOD;
	case BLK_FILE: d->blk_file = v; return GOOD;
	case NULL_SIZE: return value_size(name, v, &d->null_size);
	case READ_ONLY: d->read_only = true; return GOOD;
	case SERIAL: return serial(d, v);
	case BLOCK_SIZE:
		return value_power(name, v, STORE_BLOCK_MIN, STORE_BLOCK_MAX,
				   &d->block_size);
	case NUM_QUEUES:
		return value_small(name, v, 1, VBLK_MAX_QUEUES, &d->num_queues);
	case QUEUE_SIZE_KEY:
		return value_power(name, v, 1, QUEUE_SIZE_MAX, &d->queue_size);
	case THREADS:
		return value_small(name, v, 1, VBLK_MAX_QUEUES, &d->threads);
	case CACHE: return mode(d, v);
	case AIO: return engine(d, v);
	case POLL_US: return value_small(name, v, 0, POLL_US_MAX, &d->poll_us);
	case MEMORY_LIMIT: return value_size(name, v, &d->memory_limit);
	case IOMMU: return value_on_off(name, v, &d->iommu);
	case INFLIGHT: return value_on_off(name, v, &d->inflight);
	case PACKED: return value_on_off(name, v, &d->packed);
	case IN_ORDER: return value_on_off(name, v, &d->in_order);
	default: return value_small(name, v, 0, JITTER_US_MAX, &d->jitter_us);
	}
}

/* text holds the values from now on. */
static enum verdict set_export(struct disk_options *d, const char *list,
			       char text[EXPORT_BYTES])
{
	enum verdict r = GOOD;

	if (strlen(list) >= EXPORT_BYTES - 1u)
		return value_bad(keys[EXPORT].name, NULL,
				 "is longer than %u bytes", EXPORT_BYTES);
	(void)values_place((struct values_place){ .list = keys[EXPORT].name });
	while (r == GOOD && *list) {
		const char *v;
		unsigned k;

		r = key_of(keys, 0, DISK_KEYS, key_part(&list, &text), &k, &v);
		if (r == GOOD)
			r = set_disk(d, (enum key)k, v);
	}
	(void)values_place((struct values_place){ .list = NULL });
	return r;
}

/* --- the program ---------------------------------------------------------- */

static void help(void)
{
	puts("usage: " PROGRAM " --socket-path=PATH --blk-file=FILE "
	     "[OPTION...]\n"
	     "       " PROGRAM " --export=KEY[=VALUE],... [--export=...] "
	     "[OPTION...]\n\n"
	     "Serves disk images to virtual machines over vhost-user.\n\n"
	     "A disk:");
	key_rows(keys, 0, DISK_KEYS, "--");
	puts("\nThe program:");
	key_rows(keys, DISK_KEYS, KEYS, "--");
	puts("\nSIGTERM, SIGINT  finish what is in flight, flush, exit 0\n"
	     "SIGUSR1          print statistics\n"
	     "SIGHUP           look at the sizes of the images again\n\n"
	     "Exit status: 0; 1: it cannot be done, one line says why; 2: "
	     "usage.");
}

static void capabilities(void)
{
	puts("{\n  \"type\": \"block\",\n"
	     "  \"features\": [\n    \"read-only\",\n    \"blk-file\"\n  ]\n}");
}

static enum verdict set_program(struct options *o, enum key k, const char *v)
{
	unsigned n = 0;

	switch ((int)k) {
	case STATS:
		return value_small(keys[k].name, v, 1, STATS_S_MAX,
				   &o->stats_s);
	case LOG_LEVEL:
		if (value_word(keys[k].name, v, log_names, LOG_LEVELS, &n) ==
		    BAD)
			return BAD;
		o->level = (enum log_level)n;
		return GOOD;
	case SANDBOX: return value_on_off(keys[k].name, v, &o->sandbox);
	default: return GOOD;   /* EXPORT: the second pass */
	}
}

/* Twice: first the defaults, then the disks that have them. */
static enum verdict pass(struct options *o, struct disk_options *common,
			 int argc, char **argv, bool exports, int *status)
{
	for (int i = 1; i < argc; i++) {
		const char *v;
		unsigned k;

		if (key_of_word(keys, 0, KEYS, argc, argv, &i, &k, &v) == BAD)
			return BAD;
		if (exports) {
			if (k != EXPORT)
				continue;
			if (o->disks == DISKS_MAX)
				return values_bad("more than %u disks",
						  DISKS_MAX);
			o->disk[o->disks] = *common;
			if (set_export(&o->disk[o->disks], v,
				       o->text[o->disks]) == BAD)
				return BAD;
			o->disks++;
			continue;
		}
		if (k == HELP || k == VERSION_KEY || k == CAPABILITIES) {
			*status = 0;
			if (k == HELP)
				help();
			else if (k == CAPABILITIES)
				capabilities();
			else
				puts(PROGRAM " " VERSION);
			return GOOD;
		}
		if ((k < DISK_KEYS ? set_disk(common, (enum key)k, v)
				   : set_program(o, (enum key)k, v)) == BAD)
			return BAD;
	}
	return GOOD;
}

static enum verdict check(const struct disk_options *d)
{
	if (!d->socket_path == (d->fd < 0))
		return values_bad("a disk needs either --socket-path or --fd");
	if (!d->blk_file == !d->null_size)
		return values_bad(
			"a disk needs either --blk-file or --null-size");
	if (d->null_size % VBLK_SECTOR_SIZE)
		return values_bad("--null-size: must be a multiple of 512");
	return GOOD;
}

static unsigned processors(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > VBLK_MAX_QUEUES ? VBLK_MAX_QUEUES : (unsigned)n;
}

int options_parse(struct options *o, int argc, char **argv)
{
	struct disk_options common = { .fd = -1,
				       .block_size = STORE_BLOCK_MIN,
				       .num_queues = processors(),
				       .queue_size = QUEUE_SIZE,
				       .inflight = true,
				       .packed = true };
	int status = -1;

	values_program(PROGRAM);
	memset(o, 0, sizeof(*o));
	o->level = LOG_INFO;
	o->sandbox = true;
	if (pass(o, &common, argc, argv, false, &status) == BAD)
		return 2;
	if (status >= 0)
		return status;
	if (pass(o, &common, argc, argv, true, &status) == BAD)
		return 2;
	if (o->disks == 0)
		o->disk[o->disks++] = common;
	for (unsigned i = 0; i < o->disks; i++)
		if (check(&o->disk[i]) == BAD)
			return 2;
	return -1;
}

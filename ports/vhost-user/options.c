/* SPDX-License-Identifier: BSD-2-Clause */
#include "options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

enum verdict { GOOD, BAD };

static enum verdict bad(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

static enum verdict bad(const char *format, ...)
{
	va_list ap;

	fputs(PROGRAM ": ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputs("; see " PROGRAM " --help\n", stderr);
	return BAD;
}

/* --- values --------------------------------------------------------------- */

static enum verdict number(const char *name, const char *v, uint64_t least,
			   uint64_t most, uint64_t *out)
{
	char *end;
	uint64_t n = 0;

	errno = 0;
	n = strtoull(v, &end, 10);
	if (*v < '0' || *v > '9' || *end || errno || n < least || n > most)
		return bad("--%s=%s: must be a number from %" PRIu64
			   " to %" PRIu64,
			   name, v, least, most);
	*out = n;
	return GOOD;
}

static enum verdict small(const char *name, const char *v, unsigned least,
			  unsigned most, unsigned *out)
{
	uint64_t n = 0;

	if (number(name, v, least, most, &n) == BAD)
		return BAD;
	*out = (unsigned)n;
	return GOOD;
}

static enum verdict power(const char *name, const char *v, unsigned least,
			  unsigned most, unsigned *out)
{
	if (small(name, v, least, most, out) == BAD)
		return BAD;
	if (*out & (*out - 1u))
		return bad("--%s=%s: must be a power of two", name, v);
	return GOOD;
}

/* Bytes, or with a suffix K, M, G, T. */
static enum verdict size(const char *name, const char *v, uint64_t *out)
{
	static const char units[] = "KMGT";
	const char *unit;
	unsigned shift = 0;
	char *end;
	uint64_t n = 0;

	errno = 0;
	n = strtoull(v, &end, 10);
	unit = *end ? strchr(units, *end) : NULL;
	if (unit) {
		shift = 10u * (unsigned)(unit - units + 1);
		end++;
	}
	if (*v < '0' || *v > '9' || *end || errno || n == 0 ||
	    n > (UINT64_MAX >> 1 >> shift))
		return bad("--%s=%s: must be a size, such as 512M or 2G", name,
			   v);
	*out = n << shift;
	return GOOD;
}

/* Which of the words it is. */
static enum verdict word(const char *name, const char *v,
			 const char *const *words, unsigned n, unsigned *out)
{
	char list[128] = "";

	for (unsigned i = 0; i < n; i++) {
		if (strcmp(v, words[i]) == 0) {
			*out = i;
			return GOOD;
		}
		(void)snprintf(list + strlen(list), sizeof(list) - strlen(list),
			       "%s%s", i ? ", " : "", words[i]);
	}
	return bad("--%s=%s: must be one of %s", name, v, list);
}

static enum verdict on_off(const char *name, const char *v, bool *out)
{
	static const char *const words[] = { "off", "on" };
	unsigned n = 0;

	if (word(name, v, words, 2, &n) == BAD)
		return BAD;
	*out = n;
	return GOOD;
}

/* --- of a disk ------------------------------------------------------------ */

enum key {
	SOCKET_PATH, FD, BLK_FILE, NULL_SIZE, READ_ONLY, SERIAL, BLOCK_SIZE,
	NUM_QUEUES, QUEUE_SIZE_KEY, THREADS, CACHE, AIO, POLL_US, MEMORY_LIMIT,
	IOMMU, INFLIGHT, PACKED, IN_ORDER, JITTER_US, DISK_KEYS,
	/* of the program */
	EXPORT = DISK_KEYS, STATS, LOG_LEVEL, SANDBOX, CAPABILITIES, HELP,
	VERSION_KEY, KEYS
};

static const struct {
	const char *name, *value; /* NULL: takes none */
	const char *help;
} keys[KEYS] = {
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
		return bad("--serial=%s: is longer than %u bytes", v,
			   SERIAL_BYTES);
	d->serial = v;
	return GOOD;
}

static enum verdict mode(struct disk_options *d, const char *v)
{
	static const char *const words[] = { "writeback", "writethrough",
					     "none" };
	unsigned n = 0;

	if (word(keys[CACHE].name, v, words, 3, &n) == BAD)
		return BAD;
	d->cache = (enum cache_mode)n;
	return GOOD;
}

static enum verdict engine(struct disk_options *d, const char *v)
{
	static const char *const words[] = { "auto", "io_uring", "threads" };
	unsigned n = 0;

	if (word(keys[AIO].name, v, words, 3, &n) == BAD)
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
		if (small(name, v, 0, INT32_MAX, &n) == BAD)
			return BAD;
		d->fd = (int)n;
		return GOOD;
	case BLK_FILE: d->blk_file = v; return GOOD;
	case NULL_SIZE: return size(name, v, &d->null_size);
	case READ_ONLY: d->read_only = true; return GOOD;
	case SERIAL: return serial(d, v);
	case BLOCK_SIZE:
		return power(name, v, STORE_BLOCK_MIN, STORE_BLOCK_MAX,
			     &d->block_size);
	case NUM_QUEUES:
		return small(name, v, 1, VBLK_MAX_QUEUES, &d->num_queues);
	case QUEUE_SIZE_KEY:
		return power(name, v, 1, QUEUE_SIZE_MAX, &d->queue_size);
	case THREADS: return small(name, v, 1, VBLK_MAX_QUEUES, &d->threads);
	case CACHE: return mode(d, v);
	case AIO: return engine(d, v);
	case POLL_US: return small(name, v, 0, POLL_US_MAX, &d->poll_us);
	case MEMORY_LIMIT: return size(name, v, &d->memory_limit);
	case IOMMU: return on_off(name, v, &d->iommu);
	case INFLIGHT: return on_off(name, v, &d->inflight);
	case PACKED: return on_off(name, v, &d->packed);
	case IN_ORDER: return on_off(name, v, &d->in_order);
	default: return small(name, v, 0, JITTER_US_MAX, &d->jitter_us);
	}
}

/* --- lists ---------------------------------------------------------------- */

/* The option named by the first len bytes of text, below most. */
static enum key find(const char *text, size_t len, enum key most)
{
	for (enum key k = 0; k < most; k++)
		if (strlen(keys[k].name) == len &&
		    strncmp(keys[k].name, text, len) == 0)
			return k;
	return KEYS;
}

/*
 * One KEY[=VALUE] from *at, to its comma, to *to; doubled commas are halved, so
 * it is never longer than it was.
 */
static char *item(const char **at, char **to)
{
	char *start = *to;

	for (; **at; (*at)++) {
		if (**at == ',' && *++*at != ',')
			break;
		*(*to)++ = **at;
	}
	*(*to)++ = '\0';
	return start;
}

static enum verdict set_item(struct disk_options *d, char *text)
{
	char *eq = strchr(text, '=');
	size_t len = eq ? (size_t)(eq - text) : strlen(text);
	enum key k = find(text, len, DISK_KEYS);

	if (k == KEYS)
		return bad("--export: %.*s: there is no such key", (int)len,
			   text);
	if (!eq != !keys[k].value)
		return bad("--export: %s: %s", keys[k].name,
			   eq ? "takes no value" : "needs a value");
	return set_disk(d, k, eq ? eq + 1 : "");
}

/* text holds the values from now on. */
static enum verdict set_export(struct disk_options *d, const char *list,
			       char text[EXPORT_BYTES])
{
	if (strlen(list) >= EXPORT_BYTES - 1u)
		return bad("--export: is longer than %u bytes", EXPORT_BYTES);
	while (*list)
		if (set_item(d, item(&list, &text)) == BAD)
			return BAD;
	return GOOD;
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
	for (enum key k = 0; k < KEYS; k++) {
		const char *h = keys[k].help;
		char left[40];
		int n;

		if (k == EXPORT)
			puts("\nThe program:");
		(void)snprintf(left, sizeof(left), "--%s%s%s", keys[k].name,
			       keys[k].value ? "=" : "",
			       keys[k].value ? keys[k].value : "");
		for (; *h; h += n + (h[n] == '\n')) {
			n = (int)strcspn(h, "\n");
			printf("  %-24s  %.*s\n", left, n, h);
			left[0] = '\0';
		}
	}
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

/* The next option's key and value; argv[*i] is its last word. */
static enum verdict next(int argc, char **argv, int *i, enum key *k,
			 const char **v)
{
	const char *text = argv[*i];
	const char *eq = strchr(text, '=');
	size_t len = eq ? (size_t)(eq - text) : strlen(text);

	*v = eq ? eq + 1 : "";
	if (len < 3 || strncmp(text, "--", 2) != 0)
		return bad("%s: is not an option", text);
	*k = find(text + 2, len - 2u, KEYS);
	if (*k == KEYS)
		return bad("%.*s: there is no such option", (int)len, text);
	if (eq && !keys[*k].value)
		return bad("--%s: takes no value", keys[*k].name);
	if (eq || !keys[*k].value)
		return GOOD;
	if (++*i == argc)
		return bad("--%s: needs a value", keys[*k].name);
	*v = argv[*i];
	return GOOD;
}

static enum verdict set_program(struct options *o, enum key k, const char *v)
{
	unsigned n = 0;

	switch ((int)k) {
	case STATS: return small(keys[k].name, v, 1, STATS_S_MAX, &o->stats_s);
	case LOG_LEVEL:
		if (word(keys[k].name, v, log_names, LOG_LEVELS, &n) == BAD)
			return BAD;
		o->level = (enum log_level)n;
		return GOOD;
	case SANDBOX: return on_off(keys[k].name, v, &o->sandbox);
	default: return GOOD;   /* EXPORT: the second pass */
	}
}

/* Twice: first the defaults, then the disks that have them. */
static enum verdict pass(struct options *o, struct disk_options *common,
			 int argc, char **argv, bool exports, int *status)
{
	for (int i = 1; i < argc; i++) {
		const char *v;
		enum key k = KEYS;

		if (next(argc, argv, &i, &k, &v) == BAD)
			return BAD;
		if (exports) {
			if (k != EXPORT)
				continue;
			if (o->disks == DISKS_MAX)
				return bad("more than %u disks", DISKS_MAX);
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
		if ((k < DISK_KEYS ? set_disk(common, k, v)
				   : set_program(o, k, v)) == BAD)
			return BAD;
	}
	return GOOD;
}

static enum verdict check(const struct disk_options *d)
{
	if (!d->socket_path == (d->fd < 0))
		return bad("a disk needs either --socket-path or --fd");
	if (!d->blk_file == !d->null_size)
		return bad("a disk needs either --blk-file or --null-size");
	if (d->null_size % VBLK_SECTOR_SIZE)
		return bad("--null-size: must be a multiple of 512");
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

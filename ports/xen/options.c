/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

#define PROGRAM    "vblk-xen"
#define STATE_DIR  "/run/vblk-xen"
#define QUEUE_SIZE 256u
#define LINE       8192u        /* of a configuration file, with its newline */
#define DOMAIN_MAX 0x7fefu      /* DOMID_FIRST_RESERVED - 1 */

#ifndef VERSION
#define VERSION "0"
#endif

enum verdict { GOOD, BAD };

struct place {                  /* of what is read, for messages */
	const char *file;       /* NULL: the command line */
	unsigned line;
};

static struct place here;

static enum verdict bad(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

static enum verdict bad(const char *format, ...)
{
	va_list ap;

	fputs(PROGRAM ": ", stderr);
	if (here.file)
		fprintf(stderr, "%s:%u: ", here.file, here.line);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputs("; see " PROGRAM " --help\n", stderr);
	return BAD;
}

/* --- values --------------------------------------------------------------- */

/* Decimal, or hexadecimal after 0x. */
static enum verdict number(const char *name, const char *v, uint64_t least,
			   uint64_t most, uint64_t *out)
{
	bool hex = v[0] == '0' && (v[1] == 'x' || v[1] == 'X');
	uint64_t n;
	char *end;

	errno = 0;
	n = strtoull(v, &end, hex ? 16 : 10);
	if (*v < '0' || *v > '9' || *end || errno || n < least || n > most)
		return bad("%s=%s: must be a number from %" PRIu64
			   " to %" PRIu64, name, v, least, most);
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
		return bad("%s=%s: must be a power of two", name, v);
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
	return bad("%s=%s: must be one of %s", name, v, list);
}

static enum verdict text(const char *name, const char *v, char *out,
			 size_t size)
{
	if (!*v || strlen(v) >= size)
		return bad("%s=%s: must have 1 to %zu bytes", name, v,
			   size - 1u);
	memcpy(out, v, strlen(v) + 1u);
	return GOOD;
}

/* --- keys ----------------------------------------------------------------- */

enum key {
	BASE, IRQ, IMAGE, RAM, READ_ONLY, SERIAL, MEMORY, FOREIGN_PAGES, QUEUES,
	QUEUE_SIZE_KEY, BLOCK_SIZE, CACHE, AIO, DISK_KEYS,
	GUEST = DISK_KEYS, DISK, DEVICE_TREE, CONFIG_FILE, XENSTORE, STATE,
	HELP, VERSION_KEY, KEYS
};

#define FIRST_DEFAULT READ_ONLY /* from here on, an option is every disk's */

static const struct {
	const char *name, *value; /* NULL: takes none */
	const char *help;
} keys[KEYS] = {
	[BASE] = { "base", "ADDRESS", "of its registers in the guest, 512 bytes"
		   " of them" },
	[IRQ] = { "irq", "N", "its interrupt, 32 to 1019: number of the SPI + "
		  "32" },
	[IMAGE] = { "image", "FILE", "a regular file or a block device" },
	[RAM] = { "ram", "BASE:SIZE", "where the guest's RAM is, for "
		  "memory=whole; repeat for\nseveral (it is looked for)" },
	[READ_ONLY] = { "read-only", NULL, "the guest cannot write" },
	[SERIAL] = { "serial", "TEXT", "up to 20 bytes, what the guest sees as "
		     "serial number" },
	[MEMORY] = { "memory", "REGIME", "whole: map the guest's memory "
		     "beforehand; on-demand:\nits pages as they are used; "
		     "grants: what it grants, for\nas long as a request takes;"
		     " auto: grants if the guest\nis told to use them, else "
		     "whole, else on-demand (auto)" },
	[FOREIGN_PAGES] = { "foreign-pages", "N", "of the guest mapped at a "
			    "time at most, on demand and by\ngrants (8192)" },
	[QUEUES] = { "queues", "N", "virtqueues, 1 to 16 (1)" },
	[QUEUE_SIZE_KEY] = { "queue-size", "N", "entries of a virtqueue at "
			     "most, to 1024 (256)" },
	[BLOCK_SIZE] = { "block-size", "N", "logical block, 512 to 65536 "
			 "bytes (512)" },
	[CACHE] = { "cache", "MODE", "writeback, writethrough, or none: past "
		    "the page cache\n(writeback)" },
	[AIO] = { "aio", "ENGINE", "io_uring, threads, inline or auto (auto)" },
	[GUEST] = { "guest", "DOMID", "of the --disk= and --device-tree= that "
		    "follow" },
	[DISK] = { "disk", "KEY[=VALUE],...", "a disk of that guest. A comma in"
		   " a value is written twice" },
	[DEVICE_TREE] = { "device-tree", "FILE", "disks as in spec/binding.md; "
			  "vblk,guest in it or --guest\nnames the domain" },
	[CONFIG_FILE] = { "config", "FILE", "more options, one a line without "
			  "its dashes; # begins a\ncomment" },
	[XENSTORE] = { "xenstore", "on|off", "serve what the toolstack asks for"
		       " in Xenstore (on, if no\ndisk was named)" },
	[STATE] = { "state-dir", "DIR", "where what a restart needs is kept, in"
		    " memory; none: not\nkept (" STATE_DIR ")" },
	[HELP] = { "help", NULL, "this" },
	[VERSION_KEY] = { "version", NULL, "print the version" }
};

static enum verdict ram(struct disk_config *d, const char *v)
{
	const char *colon = strchr(v, ':');
	char first[32];
	uint64_t base = 0, bytes = 0;
	size_t n = colon ? (size_t)(colon - v) : sizeof(first);

	if (n >= sizeof(first))
		return bad("ram=%s: must be BASE:SIZE, both in bytes", v);
	memcpy(first, v, n);
	first[n] = '\0';
	if (number("ram", first, 0, UINT64_MAX >> 1, &base) == BAD ||
	    number("ram", colon + 1, XEN_PAGE, UINT64_MAX >> 2, &bytes) == BAD)
		return BAD;
	if ((base | bytes) % XEN_PAGE)
		return bad("ram=%s: must be multiples of %u", v, XEN_PAGE);
	if (d->banks == MEMORY_BANKS)
		return bad("ram=%s: more than %u ranges", v, MEMORY_BANKS);
	d->ram[d->banks++] = (struct vblk_range){ base, bytes, VBLK_RW };
	return GOOD;
}

static enum verdict choice(struct disk_config *d, enum key k, const char *v)
{
	static const char *const caches[] = { "writeback", "writethrough",
					      "none" };
	static const char *const engines[] = { "auto", "io_uring", "threads",
					       "inline" };
	unsigned n = 0;

	if (k == MEMORY) {
		if (word(keys[k].name, v, regime_names, 4, &n) == BAD)
			return BAD;
		d->memory = (enum regime)n;
		return GOOD;
	}
	if (word(keys[k].name, v, k == CACHE ? caches : engines,
		 k == CACHE ? 3 : 4, &n) == BAD)
		return BAD;
	if (k == CACHE)
		d->cache = (enum cache_mode)n;
	else
		d->aio = (enum store_engine)n;
	return GOOD;
}

static enum verdict set_disk(struct disk_config *d, enum key k, const char *v)
{
	const char *name = keys[k].name;

	switch ((int)k) {
	case BASE: return number(name, v, 0, UINT64_MAX >> 1, &d->base);
	case IRQ: return small(name, v, 32, 1019, &d->irq);
	case IMAGE: return text(name, v, d->image, sizeof(d->image));
	case RAM: return ram(d, v);
	case READ_ONLY: d->read_only = true; return GOOD;
	case SERIAL: return text(name, v, d->serial, sizeof(d->serial));
	case FOREIGN_PAGES:
		return small(name, v, 1, MEMORY_CAP_MAX, &d->cap);
	case QUEUES: return small(name, v, 1, VBLK_MAX_QUEUES, &d->queues);
	case QUEUE_SIZE_KEY: return power(name, v, 1, 1024, &d->queue_size);
	case BLOCK_SIZE:
		return power(name, v, STORE_BLOCK_MIN, STORE_BLOCK_MAX,
			     &d->block_size);
	default: return choice(d, k, v);
	}
}

/* The option named by the first len bytes, in [from, to). */
static enum key find(const char *name, size_t len, enum key from, enum key to)
{
	for (enum key k = from; k < to; k++)
		if (strlen(keys[k].name) == len &&
		    strncmp(keys[k].name, name, len) == 0)
			return k;
	return KEYS;
}

/* --- a disk --------------------------------------------------------------- */

/* One KEY[=VALUE] from *at, to its comma, into item; doubled commas halved. */
static void next_item(const char **at, char *item)
{
	for (; **at; (*at)++) {
		if (**at == ',' && *++*at != ',')
			break;
		*item++ = **at;
	}
	*item = '\0';
}

static enum verdict set_item(struct disk_config *d, char *item)
{
	char *eq = strchr(item, '=');
	size_t len = eq ? (size_t)(eq - item) : strlen(item);
	enum key k = find(item, len, BASE, DISK_KEYS);

	if (k == KEYS)
		return bad("disk: %.*s: there is no such key", (int)len, item);
	if (!eq != !keys[k].value)
		return bad("disk: %s: %s", keys[k].name,
			   eq ? "takes no value" : "needs a value");
	return set_disk(d, k, eq ? eq + 1 : "");
}

static enum verdict add_disk(struct config *c, const char *list)
{
	struct disk_config *d;
	char item[LINE];
	const char *wrong;

	if (c->common.domain == CONFIG_NOBODY)
		return bad("disk: whose? guest=DOMID must come before");
	if (c->disks == CONFIG_DISKS)
		return bad("more than %u disks", CONFIG_DISKS);
	if (strlen(list) >= sizeof(item))
		return bad("disk: is longer than %u bytes", LINE - 1u);
	d = &c->disk[c->disks];
	*d = c->common;
	while (*list) {
		next_item(&list, item);
		if (set_item(d, item) == BAD)
			return BAD;
	}
	if (!*d->image)
		return bad("disk: image=FILE is missing");
	if (!config_check(d, &wrong))
		return bad("disk: %s: %s", d->image, wrong);
	c->disks++;
	return GOOD;
}

bool config_check(const struct disk_config *d, const char **what)
{
	*what = NULL;
	if (d->base == 0 || d->base % VBLK_MMIO_BYTES)
		*what = "base must be a multiple of 512 and not 0";
	else if (d->bytes < VBLK_MMIO_BYTES)
		*what = "there must be 512 bytes of registers";
	else if (d->irq < 32 || d->irq > 1019)
		*what = "irq must be 32 to 1019";
	return !*what;
}

/* --- the program ---------------------------------------------------------- */

static void row(enum key k)
{
	const char *h = keys[k].help;
	char left[40];
	int n;

	(void)snprintf(left, sizeof(left), "%s%s%s%s",
		       k >= FIRST_DEFAULT ? "--" : "  ", keys[k].name,
		       keys[k].value ? "=" : "",
		       keys[k].value ? keys[k].value : "");
	for (; *h; h += n + (h[n] == '\n')) {
		n = (int)strcspn(h, "\n");
		printf("  %-24s  %.*s\n", left, n, h);
		left[0] = '\0';
	}
}

static void help(void)
{
	puts("usage: " PROGRAM " [OPTION...]\n"
	     "       " PROGRAM " --guest=DOMID --disk=base=ADDRESS,irq=N,"
	     "image=FILE[,...] [OPTION...]\n"
	     "       " PROGRAM " [--guest=DOMID] --device-tree=FILE "
	     "[OPTION...]\n\n"
	     "Serves virtio-mmio disks to Xen guests: those that the toolstack "
	     "asks for in\nXenstore (specification=virtio,backendtype="
	     "standalone), or those named here.\n\nA disk:");
	for (enum key k = 0; k < FIRST_DEFAULT; k++)
		row(k);
	puts("\nA disk, or outside of --disk= every disk:");
	for (enum key k = FIRST_DEFAULT; k < DISK_KEYS; k++)
		row(k);
	puts("\nThe program:");
	for (enum key k = DISK_KEYS; k < KEYS; k++)
		row(k);
	puts("\nSIGTERM, SIGINT  finish what is in flight, flush, say Closed, "
	     "exit 0\n"
	     "SIGUSR2          finish what is in flight, leave all else to a "
	     "successor, exit 0\n"
	     "SIGUSR1          print statistics\n\n"
	     "After SIGTERM, SIGUSR2 or a crash a new " PROGRAM " takes over "
	     "the guests.\n\n"
	     "Exit status: 0; 1: it cannot be done, one line says why; 2: "
	     "usage.");
}

static enum verdict set(struct config *c, const char *name, size_t len,
			const char *v, int *status);

static enum verdict read_file(struct config *c, const char *path, int *status)
{
	struct place before = here;
	enum verdict r = GOOD;
	char line[LINE];
	FILE *f;

	if (here.file)
		return bad("config=%s: a file cannot name another", path);
	f = fopen(path, "r");
	if (!f)
		return bad("config=%s: %s", path, strerror(errno));
	here.file = path;
	here.line = 0;
	while (r == GOOD && *status < 0 && fgets(line, sizeof(line), f)) {
		char *at = line + strspn(line, " \t");
		char *eq;

		here.line++;
		if (!strchr(line, '\n') && !feof(f)) {
			r = bad("is longer than %u bytes", LINE - 2u);
			break;
		}
		at[strcspn(at, "\r\n")] = '\0';
		if (!*at || *at == '#')
			continue;
		eq = strchr(at, '=');
		r = set(c, at, eq ? (size_t)(eq - at) : strlen(at),
			eq ? eq + 1 : NULL, status);
	}
	if (r == GOOD && ferror(f))
		r = bad("cannot be read: %s", strerror(errno));
	(void)fclose(f);
	here = before;
	return r;
}

static enum verdict on_off(enum key k, const char *v, bool *out)
{
	static const char *const words[] = { "off", "on" };
	unsigned n = 0;

	if (word(keys[k].name, v, words, 2, &n) == BAD)
		return BAD;
	*out = n;
	return GOOD;
}

static enum verdict set_program(struct config *c, enum key k, const char *v,
				int *status)
{
	char why[CONFIG_LINE];

	switch ((int)k) {
	case GUEST:
		return small(keys[k].name, v, 0, DOMAIN_MAX, &c->common.domain);
	case DISK: return add_disk(c, v);
	case DEVICE_TREE:
		return tree_read(c, v, why, sizeof(why)) ? bad("%s", why)
							  : GOOD;
	case CONFIG_FILE: return read_file(c, v, status);
	case XENSTORE: return on_off(k, v, &c->xenstore);
	case STATE:
		if (here.file)
			return bad("state-dir: only on the command line");
		c->state_dir = strcmp(v, "none") == 0 ? NULL : v;
		return GOOD;
	case HELP: help(); break;
	default: puts(PROGRAM " " VERSION); break;
	}
	*status = 0;
	return GOOD;
}

/* v: NULL if there was none. */
static enum verdict set(struct config *c, const char *name, size_t len,
			const char *v, int *status)
{
	enum key k = find(name, len, FIRST_DEFAULT, KEYS);

	if (k == KEYS)
		return bad("%.*s: there is no such option", (int)len, name);
	if (!v != !keys[k].value)
		return bad("%s: %s", keys[k].name,
			   v ? "takes no value" : "needs a value");
	if (k < DISK_KEYS)
		return set_disk(&c->common, k, v);
	return set_program(c, k, v, status);
}

int options_parse(struct config *c, int argc, char **argv)
{
	static struct disk_config disks[CONFIG_DISKS];
	int status = -1;
	bool told = false;

	memset(c, 0, sizeof(*c));
	c->disk = disks;
	c->common.domain = CONFIG_NOBODY;
	c->common.bytes = VBLK_MMIO_BYTES;
	c->common.cap = MEMORY_CAP;
	c->common.queues = 1;
	c->common.queue_size = QUEUE_SIZE;
	c->common.block_size = STORE_BLOCK_MIN;
	c->state_dir = STATE_DIR;
	for (int i = 1; i < argc && status < 0; i++) {
		const char *name = argv[i];
		const char *eq = strchr(name, '=');
		size_t len = eq ? (size_t)(eq - name) : strlen(name);
		const char *v = eq ? eq + 1 : NULL;

		if (len < 3 || strncmp(name, "--", 2) != 0)
			return bad("%s: is not an option", name), 2;
		/* the value may be the next word */
		if (!v && i + 1 < argc) {
			enum key k = find(name + 2, len - 2u, 0, KEYS);

			if (k < KEYS && keys[k].value)
				v = argv[++i];
		}
		told = told || strncmp(name, "--xenstore", 10) == 0;
		if (set(c, name + 2, len - 2u, v, &status) == BAD)
			return 2;
	}
	if (status >= 0)
		return status;
	if (!told)
		c->xenstore = c->disks == 0;
	if (!c->xenstore && c->disks == 0)
		return bad("nothing to serve: --disk, --device-tree or "
			   "--xenstore=on"), 2;
	return -1;
}

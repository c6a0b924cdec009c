/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "values.h"

#define PROGRAM    "vblk-xen"
#define STATE_DIR  "/run/vblk-xen"
#define QUEUE_SIZE 256u
#define LINE       8192u        /* of a configuration file, with its newline */
#define DOMAIN_MAX 0x7fefu      /* DOMID_FIRST_RESERVED - 1 */

#ifndef VERSION
#define VERSION "0"
#endif

enum key {
	BASE, IRQ, IMAGE, RAM, READ_ONLY, SERIAL, MEMORY, FOREIGN_PAGES, QUEUES,
	QUEUE_SIZE_KEY, BLOCK_SIZE, CACHE, AIO, DISK_KEYS,
	GUEST = DISK_KEYS, DISK, DEVICE_TREE, CONFIG_FILE, XENSTORE, STATE,
	HELP, VERSION_KEY, KEYS
};

#define FIRST_DEFAULT READ_ONLY /* from here on, an option is every disk's */

static const struct value_key keys[KEYS] = {
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
	const char *name = keys[RAM].name, *colon = strchr(v, ':');
	char first[32];
	uint64_t base = 0, bytes = 0;
	size_t n = colon ? (size_t)(colon - v) : sizeof(first);

	if (n >= sizeof(first))
		return value_bad(name, v, "must be BASE:SIZE, both in bytes");
	memcpy(first, v, n);
	first[n] = '\0';
	if (value_number(name, first, 0, UINT64_MAX >> 1, &base) == BAD ||
	    value_number(name, colon + 1, XEN_PAGE, UINT64_MAX >> 2, &bytes) ==
		    BAD)
		return BAD;
	if ((base | bytes) % XEN_PAGE)
		return value_bad(name, v, "must be multiples of %u", XEN_PAGE);
	if (d->banks == MEMORY_BANKS)
		return value_bad(name, v, "more than %u ranges", MEMORY_BANKS);
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
		if (value_word(keys[k].name, v, regime_names, 4, &n) == BAD)
			return BAD;
		d->memory = (enum regime)n;
		return GOOD;
	}
	if (value_word(keys[k].name, v, k == CACHE ? caches : engines,
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
	case BASE: return value_number(name, v, 0, UINT64_MAX >> 1, &d->base);
	case IRQ: return value_small(name, v, 32, 1019, &d->irq);
	case IMAGE: return value_text(name, v, d->image, sizeof(d->image));
	case RAM: return ram(d, v);
	case READ_ONLY: d->read_only = true; return GOOD;
	case SERIAL: return value_text(name, v, d->serial, sizeof(d->serial));
	case FOREIGN_PAGES:
		return value_small(name, v, 1, MEMORY_CAP_MAX, &d->cap);
	case QUEUES:
		return value_small(name, v, 1, VBLK_MAX_QUEUES, &d->queues);
	case QUEUE_SIZE_KEY:
		return value_power(name, v, 1, 1024, &d->queue_size);
	case BLOCK_SIZE:
		return value_power(name, v, STORE_BLOCK_MIN, STORE_BLOCK_MAX,
				   &d->block_size);
	default: return choice(d, k, v);
	}
}

/* --- a disk --------------------------------------------------------------- */

static enum verdict set_list(struct disk_config *d, const char *list)
{
	char item[LINE];
	enum verdict r = GOOD;

	if (strlen(list) >= sizeof(item))
		return values_bad("is longer than %u bytes", LINE - 1u);
	while (r == GOOD && *list) {
		char *to = item;
		const char *v;
		unsigned k;

		r = key_of(keys, BASE, DISK_KEYS, key_part(&list, &to), &k, &v);
		if (r == GOOD)
			r = set_disk(d, (enum key)k, v);
	}
	return r;
}

static enum verdict add_disk(struct config *c, const char *list)
{
	const char *name = keys[DISK].name;
	struct values_place place = values_here();
	struct disk_config *d;
	const char *wrong;
	enum verdict r;

	if (c->common.domain == CONFIG_NOBODY)
		return value_bad(name, NULL,
				 "whose? guest=DOMID must come before");
	if (c->disks == CONFIG_DISKS)
		return value_bad(name, NULL, "more than %u disks",
				 CONFIG_DISKS);
	d = &c->disk[c->disks];
	*d = c->common;
	place.list = name;
	place = values_place(place);
	r = set_list(d, list);
	(void)values_place(place);
	if (r == BAD)
		return BAD;
	if (!*d->image)
		return value_bad(name, NULL, "image=FILE is missing");
	if (!config_check(d, &wrong))
		return value_bad(name, NULL, "%s: %s", d->image, wrong);
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
	key_rows(keys, 0, FIRST_DEFAULT, "  ");
	puts("\nA disk, or outside of --disk= every disk:");
	key_rows(keys, FIRST_DEFAULT, DISK_KEYS, "--");
	puts("\nThe program:");
	key_rows(keys, DISK_KEYS, KEYS, "--");
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

static enum verdict set(struct config *c, unsigned k, const char *v,
			int *status);

static enum verdict set_line(struct config *c, char *line, int *status)
{
	const char *v;
	unsigned k;

	line += strspn(line, " \t");
	line[strcspn(line, "\r\n")] = '\0';
	if (!*line || *line == '#')
		return GOOD;
	if (key_of(keys, FIRST_DEFAULT, KEYS, line, &k, &v) == BAD)
		return BAD;
	return set(c, k, v, status);
}

static enum verdict read_file(struct config *c, const char *path, int *status)
{
	const char *name = keys[CONFIG_FILE].name;
	struct values_place place = { .file = path };
	enum verdict r = GOOD;
	char line[LINE];
	FILE *f;

	if (values_here().file)
		return value_bad(name, path, "a file cannot name another");
	f = fopen(path, "r");
	if (!f)
		return value_bad(name, path, "%s", strerror(errno));
	while (r == GOOD && *status < 0 && fgets(line, sizeof(line), f)) {
		place.line++;
		(void)values_place(place);
		if (!strchr(line, '\n') && !feof(f))
			r = values_bad("is longer than %u bytes", LINE - 2u);
		else
			r = set_line(c, line, status);
	}
	(void)values_place((struct values_place){ .file = NULL });
	if (r == GOOD && ferror(f))
		r = value_bad(name, path, "cannot be read: %s",
			      strerror(errno));
	(void)fclose(f);
	return r;
}

static enum verdict set_program(struct config *c, enum key k, const char *v,
				int *status)
{
	const char *name = keys[k].name;
	char why[CONFIG_LINE];

	switch ((int)k) {
	case GUEST:
		return value_small(name, v, 0, DOMAIN_MAX, &c->common.domain);
	case DISK: return add_disk(c, v);
	case DEVICE_TREE:
		return tree_read(c, v, why, sizeof(why)) ? values_bad("%s", why)
							 : GOOD;
	case CONFIG_FILE: return read_file(c, v, status);
	case XENSTORE:
		c->told = true;
		return value_on_off(name, v, &c->xenstore);
	case STATE:
		if (values_here().file)
			return value_bad(name, NULL,
					 "only on the command line");
		c->state_dir = strcmp(v, "none") == 0 ? NULL : v;
		return GOOD;
	case HELP: help(); break;
	default: puts(PROGRAM " " VERSION); break;
	}
	*status = 0;
	return GOOD;
}

static enum verdict set(struct config *c, unsigned k, const char *v,
			int *status)
{
	if (k < DISK_KEYS)
		return set_disk(&c->common, (enum key)k, v);
	return set_program(c, (enum key)k, v, status);
}

int options_parse(struct config *c, int argc, char **argv)
{
	static struct disk_config disks[CONFIG_DISKS];
	int status = -1;

	values_program(PROGRAM);
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
		const char *v;
		unsigned k;

		if (key_of_word(keys, FIRST_DEFAULT, KEYS, argc, argv, &i, &k,
				&v) == BAD ||
		    set(c, k, v, &status) == BAD)
			return 2;
	}
	if (status >= 0)
		return status;
	if (!c->told)
		c->xenstore = c->disks == 0;
	if (!c->xenstore && c->disks == 0)
		return values_bad("nothing to serve: --disk, --device-tree or "
				  "--xenstore=on"),
		       2;
	return -1;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is to be served, from whichever source it came: the command line or a
 * file (options.c), a device tree (tree.c), Xenstore (toolstack.c).
 */
#ifndef CONFIG_H
#define CONFIG_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "memory.h"
#include "store.h"
#include "vblk/mmio.h"

#define CONFIG_DISKS  64u       /* that are named beforehand */
#define CONFIG_SERIAL 20u       /* bytes, 5.2.6: GET_ID */
#define CONFIG_LINE   (PATH_MAX + 512) /* of an error, with its NUL */
#define CONFIG_NOBODY UINT32_MAX /* no domain was named */

enum cache_mode { CACHE_WRITEBACK, CACHE_WRITETHROUGH, CACHE_NONE };

struct disk_config {
	uint32_t domain;        /* the guest, or CONFIG_NOBODY */
	uint64_t base;          /* of the registers, guest-physical */
	uint64_t bytes;         /* of address space, VBLK_MMIO_BYTES or more */
	uint32_t irq;           /* of the GIC, 32..1019 */
	char     image[PATH_MAX];
	char     serial[CONFIG_SERIAL + 1];
	bool     read_only;
	enum regime memory;
	uint32_t cap;           /* foreign pages mapped at a time */
	unsigned queues, queue_size, block_size;
	enum cache_mode cache;
	enum store_engine aio;
	struct vblk_range ram[MEMORY_BANKS]; /* where the guest's RAM is */
	unsigned banks;         /* 0: to be looked for */
};

struct config {
	struct disk_config common; /* what a source does not say */
	struct disk_config *disk;  /* [CONFIG_DISKS] */
	unsigned disks;
	bool     xenstore;      /* serve what libxl asks for there */
	bool     told;          /* that, or not, by an option */
	const char *state_dir;  /* NULL: nothing is kept, a crash is final */
};

/* True if an address and interrupt make sense; else *what is wrong. */
bool config_check(const struct disk_config *d, const char **what);

/*
 * The command line. -1: serve; else the exit status (0: --help; 2: usage, one
 * line was printed). Strings point into argv.
 */
int options_parse(struct config *c, int argc, char **argv);

/* The disks of a device tree in a file. -1 and one line in why. */
int tree_read(struct config *c, const char *path, char *why, size_t size)
	__attribute__((warn_unused_result));

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line. Options outside --export are the defaults of every disk; a
 * program with no --export serves one disk with just these.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "log.h"
#include "store.h"

#define DISKS_MAX     64u
#define DISK_NAME     64u       /* bytes, with the NUL */
#define DISK_REGIONS  512u      /* of the core's table: MEMORY_SLOTS and more */
#define SERIAL_BYTES  20u
#define EXPORT_BYTES  8192u    /* of one --export */

enum cache_mode { CACHE_WRITEBACK, CACHE_WRITETHROUGH, CACHE_NONE };

struct disk_options {
	const char *socket_path; /* or NULL */
	int      fd;            /* or -1 */
	const char *blk_file;   /* or NULL: null_size */
	uint64_t null_size;     /* bytes */
	bool     read_only;
	const char *serial;
	unsigned block_size;
	unsigned num_queues, queue_size;
	unsigned threads;       /* lanes; 0: one a queue */
	enum cache_mode cache;
	enum store_engine aio;
	unsigned poll_us;
	uint64_t memory_limit;  /* bytes; 0: none */
	bool     iommu;
	bool     inflight;
	bool     packed;
	bool     in_order;
	unsigned jitter_us;
};

struct options {
	struct disk_options disk[DISKS_MAX];
	char     text[DISKS_MAX][EXPORT_BYTES]; /* where their values lie */
	unsigned disks;
	unsigned stats_s;       /* 0: only when asked */
	enum log_level level;
	bool     sandbox;
};

/*
 * -1: serve. Else the exit status: --help and the like were printed, or what is
 * wrong, in one line.
 */
int options_parse(struct options *o, int argc, char **argv);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the bytes of a disk are: the stores a port puts behind its HAL's
 * submit. A store takes batches of struct vblk_req and says later which are
 * done; between store_submit and store_reap stand clauses SUB-1 to SUB-6 of
 * vblk/hal.h.
 *
 * A store never calls back with a completion: results wait until store_reap
 * asks for them, even those known at once. It allocates only when it is opened.
 * The file store may call options.log, from open, submit, reap and close, with
 * one line of text for the operator.
 *
 * Threads: one thread, the lane, calls store_submit and store_reap, and lives
 * until what it submitted was reaped (io_uring cancels the requests of a thread
 * that ends). Another one may open, and close afterwards. Stores share nothing.
 *
 * Trust: the core validated the requests. A store still answers IOERR to one
 * that does not lie within it, since the core may be late to hear of a new
 * size. The bytes behind the segments are the guest's and may change any time.
 *
 * A process that sets RLIMIT_FSIZE must ignore SIGXFSZ.
 */
#ifndef STORE_H
#define STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vblk/vblk.h"

#ifdef __cplusplus
extern "C" {
#endif

#define STORE_DEPTH_DEFAULT   128u  /* requests in flight */
#define STORE_DEPTH_MAX       4096u
#define STORE_THREADS_DEFAULT 4u
#define STORE_THREADS_MAX     64u
#define STORE_BLOCK_MIN       512u  /* logical block; powers of two */
#define STORE_BLOCK_MAX       65536u
#define STORE_LINE            512u  /* bytes of a log line, with its NUL */

struct store;

struct store_done {             /* one request is finished */
	uint16_t queue;
	vblk_tag tag;
	uint8_t  status;        /* enum vblk_status */
	uint64_t bytes;         /* READ: how many came, from the start */
};

enum store_engine {
	STORE_AUTO, /* what is best here: INLINE where the image is in memory
		     * (tmpfs), io_uring, else threads */
	STORE_URING,            /* io_uring, or opening fails */
	STORE_THREADS,
	STORE_INLINE            /* submit makes the call and waits for it */
};

struct store_file_options {
	const char *path;       /* regular file or block device; copied */
	bool read_only;         /* open it so, and offer VBLK_F_RO */
	bool direct;            /* O_DIRECT: past the page cache. Requests that
				 * do not suit the device's alignment are still
				 * served, more slowly */
	enum store_engine engine;
	unsigned depth;         /* in flight, to DEPTH_MAX; 0: DEPTH_DEFAULT */
	unsigned threads;       /* of STORE_THREADS; 0: THREADS_DEFAULT */
	unsigned block_size;    /* logical block the guest is told of; the size
				 * of the image must be a multiple. 0: 512 */
	unsigned lock_wait_ms;  /* how long another user of the image may take
				 * to let go of it: a killed one that had
				 * requests in flight does so a little after
				 * it is gone */
	void (*log)(void *ctx, const char *line); /* NULL: silent. No newline;
				 * line is valid during the call */
	void *log_ctx;
};

/* --- life --------------------------------------------------------------- */

/*
 * 0, or -1 with one line in why: which file, what is wrong, what to do. Takes
 * QEMU's image locks, so that neither a QEMU tool nor another store has the
 * image open in a way that conflicts.
 */
int store_file_open(struct store **out, const struct store_file_options *o,
		    char *why, size_t why_size)
	__attribute__((warn_unused_result));

/*
 * The same image for another lane: with its own engine, and the open files and
 * locks of with, which is open and idle or runs on its lane. o as for the
 * first. What one of them reports durable is so for all; a lost write fails the
 * flushes of all. -1 also where several lanes cannot share it: why says so.
 */
int store_file_share(struct store **out, const struct store *with,
		     const struct store_file_options *o, char *why,
		     size_t why_size) __attribute__((warn_unused_result));

/*
 * A disk of bytes (multiple of 512) in memory that stays the caller's. Every
 * request is executed in submit. -1: no memory for the bookkeeping, or an
 * argument is out of range.
 */
int store_ram_open(struct store **out, void *memory, uint64_t bytes,
		   unsigned depth) __attribute__((warn_unused_result));

/*
 * A disk of bytes (multiple of 512) that keeps nothing: writes are dropped, a
 * read leaves the segments as they are and says that all came. For benchmarks
 * of what is above a store. -1: as store_ram_open.
 */
int store_null_open(struct store **out, uint64_t bytes, unsigned depth)
	__attribute__((warn_unused_result));

/*
 * Waits for what is in flight and drops its completions, so reap first what the
 * guest must hear of. What was reported durable stays so; nothing else is
 * flushed. NULL is allowed.
 */
void store_close(struct store *s);

/* --- the lane ----------------------------------------------------------- */

/*
 * Starts requests from the front; returns how many, 0..n (SUB-1). Less than n:
 * depth is reached, offer the rest after a reap. Never waits for the disk,
 * except that the kernel may. A request's segments stay the store's until it
 * is reaped.
 */
int store_submit(struct store *s, const struct vblk_req *req, size_t n)
	__attribute__((warn_unused_result));

/*
 * Up to max completions; returns how many. 0: wait_ns passed, a signal came, or
 * nothing is in flight. wait_ns 0 never waits, UINT64_MAX is for ever. It also
 * carries on requests that need several steps, so reap while any is in flight.
 */
int store_reap(struct store *s, struct store_done *out, size_t max,
	       uint64_t wait_ns) __attribute__((warn_unused_result));

/*
 * Poll it for POLLIN, level-triggered: then store_reap has something, perhaps
 * only a step of a request (reap returns 0). -1: none, reap after each submit,
 * until it returns 0 (RAM, an image in memory). The descriptor is the store's:
 * neither read nor close it.
 */
int store_fd(struct store *s);

/* --- what it offers ------------------------------------------------------ */

uint64_t store_sectors(const struct store *s);  /* of 512 bytes */

/*
 * Looks at the size of the image again. True: it changed, and store_sectors
 * tells the new one. Not while the store's lane is inside one of its calls.
 */
bool store_refresh(struct store *s);

/*
 * VBLK_F_ masks for vblk_config.features that it can honour: BLK_SIZE, FLUSH
 * and, read-only, RO; else CONFIG_WCE, DISCARD, WRITE_ZEROES.
 */
uint64_t store_features(const struct store *s);

unsigned store_block_size(const struct store *s); /* bytes */

#ifdef __cplusplus
}
#endif
#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A disk in a regular file or a block device: what the lane calls. A request
 * takes an op from the free list, runs through the states of store_op.c, and
 * gives the op back when it is reaped:
 *
 *     submit   free -> op_begin -> run -> engine
 *     reap     engine -> op_step -> finished: reported, free
 *                                -> not yet:  run -> engine
 *
 * Direct I/O and the page cache do not mix well. A request whose offset or
 * length is not aligned for direct I/O (a guest may count in 512 whatever the
 * disk's blocks are) goes through side_fd, which is buffered; one whose memory
 * is not aligned is copied through a bounce buffer. The kernel keeps the two
 * descriptors coherent when they are used one after the other, but not at the
 * same time: a page that a buffered write holds may lie across the blocks of a
 * direct one beside it, and then be written back with what they were before.
 * So data moves through one descriptor at a time; ops for the other path wait
 * until it is idle, and later ones wait behind them. The alternative, reading
 * a block, changing it and writing it back by direct I/O, needs the same waits
 * and would do by hand what the page cache does. A guest that honours blk_size
 * never pays for this.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store_internal.h"

#define NS_PER_S  UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)
#define BEHIND_NS (10u * NS_PER_MS)     /* until the engine is pushed again */
#define CLOSE_BATCH 32u

void file_say(struct file *f, const char *format, ...)
{
	char line[STORE_LINE];
	va_list ap;

	if (!f->log)
		return;
	va_start(ap, format);
	(void)vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	f->log(f->log_ctx, line);
}

/* --- running ------------------------------------------------------------- */

static enum op_path other(enum op_path path)
{
	return path == PATH_MAIN ? PATH_SIDE : PATH_MAIN;
}

static void release(struct file *f, struct op *op)
{
	if (op->held != PATH_NONE)
		f->running[op->held]--;
	op->held = PATH_NONE;
}

static void enter(struct file *f, struct op *op)
{
	if (op->want != PATH_NONE)
		f->running[op->want]++;
	op->held = op->want;
}

/* The op's next system call; it waits if its path is not free. */
static void run(struct file *f, struct op *op)
{
	op_plan(f, op);
	if (op->held != op->want) {
		release(f, op);
		if (op->want != PATH_NONE &&
		    (f->waiting || f->running[other(op->want)])) {
			op->next = NULL;
			*f->waiting_end = op;
			f->waiting_end = &op->next;
			return;
		}
		enter(f, op);
	}
	f->engine->start(f, op);
}

/* A path may have fallen idle. */
static void wake(struct file *f)
{
	struct op *op;

	while ((op = f->waiting) && !f->running[other(op->want)]) {
		f->waiting = op->next;
		if (!f->waiting)
			f->waiting_end = &f->waiting;
		enter(f, op);
		f->engine->start(f, op);
	}
}

static int file_submit(struct store *s, const struct vblk_req *req, size_t n)
{
	struct file *f = (struct file *)s;
	struct op *op;
	size_t i;

	for (i = 0; i < n && (op = f->free); i++) {
		f->free = op->next;
		f->in_use++;
		op_begin(f, op, &req[i]);
		run(f, op);
	}
	(void)f->engine->push(f);       /* else reap does */
	return (int)i;
}

/* One pass over what the engine has; *behind: it holds back something. */
static size_t collect(struct file *f, struct store_done *out, size_t max,
		      bool *behind)
{
	struct op *op;
	size_t n = 0;

	while (n < max && (op = f->engine->next(f))) {
		if (op_step(f, op)) {
			release(f, op);
			out[n].queue = op->queue;
			out[n].tag = op->tag;
			out[n].status = op->status;
			out[n].bytes = op->kind == VBLK_OP_READ ? op->moved : 0;
			n++;
			op->next = f->free;
			f->free = op;
			f->in_use--;
		} else {
			run(f, op);
		}
		wake(f);
	}
	*behind = !f->engine->push(f);
	return n;
}

static uint64_t now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/* False: a signal came. */
static bool wait_for(struct file *f, uint64_t ns)
{
	struct pollfd fd = { .fd = f->engine->fd(f), .events = POLLIN };
	struct timespec t = { .tv_sec = (time_t)(ns / NS_PER_S),
			      .tv_nsec = (long)(ns % NS_PER_S) };

	return ppoll(&fd, 1, &t, NULL) >= 0 || errno != EINTR;
}

static int file_reap(struct store *s, struct store_done *out, size_t max,
		     uint64_t wait_ns)
{
	struct file *f = (struct file *)s;
	uint64_t start = 0, passed = 0;
	bool behind;
	size_t n;

	for (;;) {
		n = collect(f, out, max, &behind);
		if (n || !max || !f->in_use || !wait_ns)
			return (int)n;
		if (!start)
			start = now();
		else
			passed = now() - start;
		if (passed >= wait_ns)
			return 0;
		if (!wait_for(f, behind && wait_ns - passed > BEHIND_NS
					 ? BEHIND_NS
					 : wait_ns - passed))
			return 0;
	}
}

static int file_fd(struct store *s)
{
	struct file *f = (struct file *)s;

	return f->engine->fd(f);
}

/* --- life ---------------------------------------------------------------- */

static void tell_counts(struct file *f)
{
	static const char *const kinds[STORE_KINDS] = {
		[VBLK_OP_READ] = "reads",
		[VBLK_OP_WRITE] = "writes",
		[VBLK_OP_FLUSH] = "flushes",
		[VBLK_OP_DISCARD] = "discards",
		[VBLK_OP_WRITE_ZEROES] = "writes of zeroes"
	};
	static const char *const troubles[TROUBLES] = {
		[TROUBLE_END] = "at the end of the file",
		[TROUBLE_SPACE] = "for lack of space",
		[TROUBLE_DEVICE] = "with an error of the disk",
		[TROUBLE_OTHER] = "for other reasons"
	};

	for (unsigned k = 0; k < STORE_KINDS; k++)
		for (unsigned t = 0; t < TROUBLES; t++)
			if (f->troubles[k][t] > 1)
				file_say(f, "%s: in all %u %s failed %s",
					 f->path, f->troubles[k][t], kinds[k],
					 troubles[t]);
}

static void dismantle(struct file *f)
{
	image_close(f);
	free(f->bounce);
	free(f->ops);
	free(f->path);
	free(f);
}

static void file_close(struct store *s)
{
	struct file *f = (struct file *)s;
	struct store_done drop[CLOSE_BATCH];

	while (f->in_use)       /* the kernel answers every call in the end */
		(void)file_reap(s, drop, CLOSE_BATCH, NS_PER_S);
	tell_counts(f);
	f->engine->close(f);
	dismantle(f);
}

static bool file_refresh(struct store *s)
{
	struct file *f = (struct file *)s;
	uint64_t bytes = image_bytes(f->fd);

	bytes -= bytes % f->store.block_size;
	if (!bytes || bytes == f->bytes)
		return false;
	f->bytes = bytes;
	f->store.sectors = bytes / VBLK_SECTOR_SIZE;
	return true;
}

static const struct store_ops file_ops = {
	.submit = file_submit, .reap = file_reap, .fd = file_fd,
	.close = file_close, .refresh = file_refresh
};

static bool make_ops(struct file *f)
{
	f->ops = calloc(f->depth, sizeof(*f->ops));
	if (f->direct)
		f->bounce = aligned_alloc(STORE_ALIGN_MAX,
					  (size_t)f->depth * STORE_BOUNCE);
	if (!f->ops || (f->direct && !f->bounce))
		return false;
	for (unsigned i = f->depth; i-- > 0;) {
		if (f->direct)
			f->ops[i].bounce = (uint8_t *)f->bounce +
					   (size_t)i * STORE_BOUNCE;
		f->ops[i].next = f->free;
		f->free = &f->ops[i];
	}
	f->waiting_end = &f->waiting;
	return true;
}

/* What to try, in this order; NULL ends the list. */
static void choose(const struct file *f, enum store_engine wanted,
		   const struct engine *list[4])
{
	unsigned n = 0;

	if (wanted == STORE_INLINE ||
	    (wanted == STORE_AUTO && image_in_memory(f->side_fd)))
		list[n++] = &engine_inline;
	if (wanted == STORE_AUTO || wanted == STORE_URING)
		list[n++] = &engine_uring;
	if (wanted == STORE_AUTO || wanted == STORE_THREADS)
		list[n++] = &engine_threads;
	list[n] = NULL;
}

static int start_engine(struct file *f, const struct store_file_options *o,
			char *why, size_t why_size)
{
	unsigned threads = o->threads ? o->threads : STORE_THREADS_DEFAULT;
	const struct engine *list[4];
	int err = 0;

	choose(f, o->engine, list);
	for (unsigned i = 0; list[i]; i++) {
		f->engine = list[i];
		err = f->engine->open(f, threads);
		if (!err)
			return 0;
		if (list[i] == &engine_uring && list[i + 1])
			file_say(f,
				 "%s: no io_uring here (%s): using %u "
				 "threads",
				 f->path, strerror(-err), threads);
	}
	(void)snprintf(why, why_size, "%s: cannot start %s: %s%s", o->path,
		       f->engine->name, strerror(-err),
		       o->engine == STORE_URING ? "; choose threads" : "");
	return -1;
}

static bool power_of_two(unsigned n)
{
	return n && !(n & (n - 1u));
}

static int check_options(const struct store_file_options *o, char *why,
			 size_t why_size)
{
	const char *wrong = NULL;

	if (o->block_size &&
	    (!power_of_two(o->block_size) || o->block_size < STORE_BLOCK_MIN ||
	     o->block_size > STORE_BLOCK_MAX))
		wrong = "block_size must be a power of two, 512 to 65536";
	if (o->depth > STORE_DEPTH_MAX)
		wrong = "depth must be at most 4096";
	if (o->threads > STORE_THREADS_MAX)
		wrong = "threads must be at most 64";
	if (!o->path || !*o->path)
		wrong = "no path was given";
	if (!wrong)
		return 0;
	(void)snprintf(why, why_size, "%s: %s", o->path ? o->path : "image",
		       wrong);
	return -1;
}

static uint64_t features(const struct file *f)
{
	uint64_t both = VBLK_F_BLK_SIZE | VBLK_F_FLUSH;

	return f->read_only ? both | VBLK_F_RO
			    : both | VBLK_F_CONFIG_WCE | VBLK_F_DISCARD |
				      VBLK_F_WRITE_ZEROES;
}

static int build(struct store **out, struct file *f,
		 const struct store_file_options *o, char *why, size_t why_size)
{
	if (!make_ops(f)) {
		(void)snprintf(why, why_size,
			       "%s: no memory for %u requests "
			       "in flight",
			       o->path, f->depth);
	} else if (start_engine(f, o, why, why_size) == 0) {
		*out = &f->store;
		return 0;
	}
	dismantle(f);
	return -1;
}

int store_file_open(struct store **out, const struct store_file_options *o,
		    char *why, size_t why_size)
{
	struct file *f;

	if (check_options(o, why, why_size))
		return -1;
	f = calloc(1, sizeof(*f));
	if (!f || !(f->path = strdup(o->path))) {
		free(f);
		(void)snprintf(why, why_size, "%s: out of memory", o->path);
		return -1;
	}
	f->image = calloc(1, sizeof(*f->image));
	if (!f->image) {
		(void)snprintf(why, why_size, "%s: out of memory", o->path);
		goto undo;
	}
	f->image->users = 1;
	f->image->fd = f->image->side_fd = -1;
	f->log = o->log;
	f->log_ctx = o->log_ctx;
	f->depth = o->depth ? o->depth : STORE_DEPTH_DEFAULT;
	f->direct = o->direct;
	f->read_only = o->read_only;
	f->store.ops = &file_ops;
	f->store.block_size = o->block_size ? o->block_size : STORE_BLOCK_MIN;
	f->store.features = features(f);
	if (image_open(f, o, why, why_size))
		goto undo;
	f->store.sectors = f->bytes / VBLK_SECTOR_SIZE;
	return build(out, f, o, why, why_size);
undo:
	dismantle(f);
	return -1;
}

/*
 * Data of one image must not go through two descriptors at the same time (see
 * above), and one lane does not know what the others do. Where every request
 * suits direct I/O there is nothing to know.
 */
int store_file_share(struct store **out, const struct store *with,
		     const struct store_file_options *o, char *why,
		     size_t why_size)
{
	const struct file *of = (const struct file *)with;
	struct file *f;

	if (of->direct && of->off_align > VBLK_SECTOR_SIZE) {
		(void)snprintf(why, why_size,
			       "%s: direct I/O in blocks of %u bytes is for "
			       "one thread only",
			       o->path, of->off_align);
		return -1;
	}
	f = malloc(sizeof(*f));
	if (!f || !(*f = *of, f->path = strdup(of->path))) {
		free(f);
		(void)snprintf(why, why_size, "%s: out of memory", o->path);
		return -1;
	}
	f->ops = f->free = f->waiting = NULL;
	f->bounce = NULL;
	f->in_use = 0;
	memset(f->running, 0, sizeof(f->running));
	memset(f->troubles, 0, sizeof(f->troubles));
	(void)atomic_fetch_add(&f->image->users, 1);
	return build(out, f, o, why, why_size);
}

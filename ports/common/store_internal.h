/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside the file store. One request is one struct op from submit to reap; it
 * takes one system call at a time:
 *
 *     store_file.c     submit: op_begin, then file_run; reap: the way back
 *     store_op.c       plans the next system call of an op, judges its result
 *     store_uring.c    an engine: performs system calls, asynchronously
 *     store_threads.c  where there is no io_uring
 *     store_inline.c   where there is nothing to wait for
 *     store_image.c    opening: descriptors, size, alignment
 *     store_lock.c     opening: who else has the image
 *
 * All of it but the system calls themselves runs on the lane, so that no field
 * here is shared between threads but struct image, which the stores of several
 * lanes have in common; an engine hands ops over by its own means.
 */
#ifndef STORE_INTERNAL_H
#define STORE_INTERNAL_H

#include <stdatomic.h>
#include <sys/uio.h>

#include "store.h"

struct store_ops {
	int  (*submit)(struct store *s, const struct vblk_req *req, size_t n);
	int  (*reap)(struct store *s, struct store_done *out, size_t max,
		     uint64_t wait_ns);
	int  (*fd)(struct store *s);
	void (*close)(struct store *s);
	bool (*refresh)(struct store *s);       /* NULL: never changes */
};

struct store {                  /* first member of each kind of store */
	const struct store_ops *ops;
	uint64_t sectors;
	uint64_t features;
	unsigned block_size;
};

#define STORE_IO_MAX     (1u << 30) /* bytes of one read or write call */
#define STORE_BOUNCE     (1u << 17) /* bytes of an op's bounce buffer */
#define STORE_ZERO_BYTES (1u << 16) /* of the buffer of zeroes */
#define STORE_ZERO_IOVS  16u        /* times it is written in one call */
#define STORE_ALIGN_MAX  (1u << 16) /* alignment of direct I/O we can meet */
#define STORE_RETRIES    64u        /* EINTR or EAGAIN without progress */
#define STORE_IOVS \
	(VBLK_MAX_SEGS > STORE_ZERO_IOVS ? VBLK_MAX_SEGS : STORE_ZERO_IOVS)

enum io_kind { IO_NONE, IO_READ, IO_WRITE, IO_SYNC, IO_ALLOCATE };

struct io {                     /* one system call */
	enum io_kind kind;      /* NONE: comes back with result 0 */
	int      fd;
	int      flags;         /* RWF_, or the mode of fallocate */
	unsigned iovs;
	struct iovec *iov;
	uint64_t off, len;      /* bytes */
};

enum op_phase {
	OP_ANSWER,              /* status is known already */
	OP_DATA,                /* READ, WRITE */
	OP_ALLOCATE,            /* DISCARD, WRITE_ZEROES by fallocate */
	OP_ZERO,                /* WRITE_ZEROES by writing them */
	OP_SYNC                 /* FLUSH, or what makes FUA true */
};

/*
 * Which descriptor data goes through. With direct I/O the two must not be used
 * at the same time, see file_run.
 */
enum op_path { PATH_NONE, PATH_MAIN, PATH_SIDE, PATHS };

struct op {
	struct op *next;        /* free, waiting, or in an engine's list */
	const struct vblk_seg *seg; /* the request's */
	uint64_t pos, left;     /* bytes in the image: next, to go */
	uint64_t moved;         /* bytes done */
	uint32_t seg_off;       /* seg[seg_at] + seg_off is where pos lies */
	uint16_t seg_at, num_segs;
	uint16_t queue;
	vblk_tag tag;
	uint8_t  status;        /* enum vblk_status */
	enum vblk_op kind;
	enum op_phase phase;
	enum op_path want, held;
	bool     fua, unmap;
	bool     sync_after;    /* FUA by a sync once all is written */
	bool     bounced;       /* this call uses the bounce buffer */
	bool     force_bounce;  /* the kernel did not like the alignment */
	bool     force_side;    /* not even then */
	unsigned retries;
	int      result;        /* of the system call, or -errno */
	void    *bounce;        /* STORE_BOUNCE bytes with direct, else NULL */
	struct iovec bounce_iov;
	struct io io;
	struct iovec iov[STORE_IOVS];
};

enum trouble { TROUBLE_END, TROUBLE_SPACE, TROUBLE_DEVICE, TROUBLE_OTHER,
	       TROUBLES };
#define STORE_KINDS 5u          /* enum vblk_op */

struct engine;

struct image {                  /* open files, and what is true of all lanes */
	atomic_uint users;
	atomic_bool cached; /* something was written through the page cache */
	atomic_bool lost;       /* and a sync of it failed */
	int fd;                 /* data; O_DIRECT with direct */
	int side_fd;            /* buffered: syncs, and what direct cannot do */
};

struct file {
	struct store store;
	const struct engine *engine;
	void    *engine_state;
	struct image *image;
	int      fd, side_fd;   /* the image's */
	bool     direct, read_only;
	uint32_t mem_align;     /* of a buffer of direct I/O */
	uint32_t off_align;     /* of its offset and length */
	bool     no_punch, no_zero_range, no_dsync; /* learnt: not supported */
	unsigned depth, in_use;
	struct op *ops, *free;
	struct op *waiting, **waiting_end; /* for the other path to fall idle */
	unsigned running[PATHS];
	void    *bounce;
	uint64_t bytes;
	unsigned troubles[STORE_KINDS][TROUBLES];
	bool     said_no_discard;
	char    *path;
	void   (*log)(void *ctx, const char *line);
	void    *log_ctx;
};

struct engine {
	const char *name;
	/* 0, or -errno: it cannot be had here. */
	int  (*open)(struct file *f, unsigned threads);
	void (*close)(struct file *f);          /* nothing is in flight */
	int  (*fd)(const struct file *f);       /* readable: next has one */
	void (*start)(struct file *f, struct op *op); /* op->io; at push */
	bool (*push)(struct file *f);           /* false: not all, push again */
	struct op *(*next)(struct file *f);     /* result is set; NULL: none */
};

extern const struct engine engine_uring, engine_threads, engine_inline;

/* One system call, waited for: how many bytes, or -errno. */
int io_perform(const struct io *io);

/* store_image.c: fills descriptors, sizes, alignment; -1 and why. */
int image_open(struct file *f, const struct store_file_options *o, char *why,
	       size_t why_size);
void image_close(struct file *f);

/* Its bytes are in memory, not on a disk. */
bool image_in_memory(int fd);

/* The size as it is now; 0: the file does not tell. */
uint64_t image_bytes(int fd);

/* store_lock.c: 0, or -1 and why. *unlocked: there are no locks there. */
int image_lock(int fd, const char *path, bool read_only, unsigned wait_ms,
	       bool *unlocked, char *why, size_t why_size);

/* store_op.c */
void op_begin(struct file *f, struct op *op, const struct vblk_req *req);
void op_plan(struct file *f, struct op *op);
bool op_step(struct file *f, struct op *op); /* true: finished */

/* store_file.c */
void file_say(struct file *f, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Seams for tests: the kernel seldom moves less than it was asked to, and never
 * refuses RWF_DSYNC, so tests of what we do then need help.
 */
#ifdef STORE_TEST
extern uint64_t store_test_max_io;      /* bytes of one call */
extern bool     store_test_no_dsync;    /* as a kernel without it */
#else
#define store_test_max_io   UINT64_MAX
#define store_test_no_dsync false
#endif

#endif

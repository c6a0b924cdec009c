/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The engine of choice: system calls through io_uring, one submission queue
 * entry per op, no lock and no allocation. The ring has room for every op the
 * store has, so a queue entry is always to be had. Even an answer known at once
 * goes through the ring, as a no-op: so the ring's own descriptor is readable
 * exactly when there is something to reap.
 *
 * A ring is a way around seccomp: it can open files and make sockets for who
 * took over a process that may not. So ours is made to do only what follows.
 */
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "store_internal.h"

struct uring {
	struct io_uring ring;
	bool behind;            /* the kernel did not take all yet */
};

static struct uring *state(const struct file *f)
{
	return f->engine_state;
}

static const uint8_t needed[] = { IORING_OP_NOP,    IORING_OP_READ,
				  IORING_OP_WRITE,  IORING_OP_READV,
				  IORING_OP_WRITEV, IORING_OP_FSYNC,
				  IORING_OP_FALLOCATE };

#define NEEDED (sizeof(needed) / sizeof(*needed))

static bool knows(struct io_uring *ring)
{
	struct io_uring_probe *probe = io_uring_get_probe_ring(ring);
	bool all = probe != NULL;

	for (size_t i = 0; all && i < NEEDED; i++)
		all = io_uring_opcode_supported(probe, needed[i]);
	io_uring_free_probe(probe);
	return all;
}

/*
 * For good: a ring that runs takes no restrictions, nor loses them. (liburing
 * 2.3 declares functions for this and does not export them.)
 */
static int confine(struct io_uring *ring)
{
	struct io_uring_restriction r[NEEDED];

	memset(r, 0, sizeof(r));
	for (size_t i = 0; i < NEEDED; i++) {
		r[i].opcode = IORING_RESTRICTION_SQE_OP;
		r[i].sqe_op = needed[i];
	}
	if (syscall(SYS_io_uring_register, ring->ring_fd,
		    IORING_REGISTER_RESTRICTIONS, r, NEEDED) ||
	    syscall(SYS_io_uring_register, ring->ring_fd,
		    IORING_REGISTER_ENABLE_RINGS, NULL, 0))
		return -errno;
	return 0;
}

static int make_ring(struct file *f, struct io_uring *ring)
{
	bool confined = true;
	int err = io_uring_queue_init(f->depth, ring, IORING_SETUP_R_DISABLED);

	if (err == -EINVAL) {           /* before Linux 5.10 */
		confined = false;
		err = io_uring_queue_init(f->depth, ring, 0);
	}
	if (err)
		return err;
	err = !knows(ring) ? -EOPNOTSUPP : confined ? confine(ring) : 0;
	if (err)
		io_uring_queue_exit(ring);
	else if (!confined)
		file_say(f, "%s: this kernel cannot confine its io_uring",
			 f->path);
	return err;
}

static int uring_open(struct file *f, unsigned threads)
{
	struct uring *u = calloc(1, sizeof(*u));
	int err;

	(void)threads;
	if (!u)
		return -ENOMEM;
	err = make_ring(f, &u->ring);
	if (err) {
		free(u);
		return err;
	}
	f->engine_state = u;
	return 0;
}

static void uring_close(struct file *f)
{
	io_uring_queue_exit(&state(f)->ring);
	free(f->engine_state);
}

static int uring_fd(const struct file *f)
{
	return state(f)->ring.ring_fd;
}

static void uring_start(struct file *f, struct op *op)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&state(f)->ring);
	const struct io *io = &op->io;

	switch (io->kind) {
	case IO_NONE: io_uring_prep_nop(sqe); break;
	case IO_READ:
		if (io->iovs == 1) {
			io_uring_prep_read(sqe, io->fd, io->iov->iov_base,
					   (unsigned)io->iov->iov_len, io->off);
			break;
		}
		io_uring_prep_readv2(sqe, io->fd, io->iov, io->iovs, io->off,
				     io->flags);
		break;
	case IO_WRITE:
		if (io->iovs == 1) {
			io_uring_prep_write(sqe, io->fd, io->iov->iov_base,
					    (unsigned)io->iov->iov_len,
					    io->off);
			sqe->rw_flags = io->flags;
			break;
		}
		io_uring_prep_writev2(sqe, io->fd, io->iov, io->iovs, io->off,
				      io->flags);
		break;
	case IO_SYNC:
		io_uring_prep_fsync(sqe, io->fd, IORING_FSYNC_DATASYNC);
		break;
	case IO_ALLOCATE:
		io_uring_prep_fallocate(sqe, io->fd, io->flags, (off_t)io->off,
					(off_t)io->len);
		break;
	}
	io_uring_sqe_set_data(sqe, op);
	state(f)->behind = true;
}

/*
 * An error (EAGAIN: the kernel is short of memory, EINTR) leaves the entries in
 * the queue; the lane pushes again at its next submit or reap.
 */
static bool uring_push(struct file *f)
{
	struct uring *u = state(f);

	if (u->behind && io_uring_submit(&u->ring) >= 0)
		u->behind = io_uring_sq_ready(&u->ring) != 0;
	return !u->behind;
}

static struct op *uring_next(struct file *f)
{
	struct io_uring *ring = &state(f)->ring;
	struct io_uring_cqe *cqe;
	struct op *op;

	if (io_uring_peek_cqe(ring, &cqe))
		return NULL;
	op = io_uring_cqe_get_data(cqe);
	op->result = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	return op;
}

const struct engine engine_uring = {
	.name = "io_uring", .open = uring_open, .close = uring_close,
	.fd = uring_fd, .start = uring_start, .push = uring_push,
	.next = uring_next
};

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The engine for files that lie in memory (tmpfs): the lane makes the call
 * itself. There is no disk to wait for, and handing it to somebody else costs
 * more than the copy; io_uring would, since tmpfs has no calls that never wait.
 * What is swapped out holds up the lane.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "store_internal.h"

struct made { struct op *first, **end; };

int io_perform(const struct io *io)
{
	ssize_t n = 0;

	switch (io->kind) {
	case IO_NONE: return 0;
	case IO_READ:
		if (io->iovs == 1) { /* most are: a tenth less to do */
			n = pread(io->fd, io->iov->iov_base, io->iov->iov_len,
				  (off_t)io->off);
			break;
		}
		n = preadv2(io->fd, io->iov, (int)io->iovs, (off_t)io->off,
			    io->flags);
		break;
	case IO_WRITE:
		if (io->iovs == 1 && !io->flags) {
			n = pwrite(io->fd, io->iov->iov_base, io->iov->iov_len,
				   (off_t)io->off);
			break;
		}
		n = pwritev2(io->fd, io->iov, (int)io->iovs, (off_t)io->off,
			     io->flags);
		break;
	case IO_SYNC: n = fdatasync(io->fd); break;
	case IO_ALLOCATE:
		n = fallocate(io->fd, io->flags, (off_t)io->off,
			      (off_t)io->len);
		break;
	}
	return n < 0 ? -errno : (int)n;         /* at most STORE_IO_MAX */
}

static struct made *state(const struct file *f)
{
	return f->engine_state;
}

static int inline_open(struct file *f, unsigned threads)
{
	struct made *m = calloc(1, sizeof(*m));

	(void)threads;
	if (!m)
		return -ENOMEM;
	m->end = &m->first;
	f->engine_state = m;
	return 0;
}

static void inline_close(struct file *f)
{
	free(f->engine_state);
}

static int inline_fd(const struct file *f)
{
	(void)f;
	return -1;
}

static void inline_start(struct file *f, struct op *op)
{
	struct made *m = state(f);

	op->result = io_perform(&op->io);
	op->next = NULL;
	*m->end = op;
	m->end = &op->next;
}

static bool inline_push(struct file *f)
{
	(void)f;
	return true;
}

static struct op *inline_next(struct file *f)
{
	struct made *m = state(f);
	struct op *op = m->first;

	if (!op)
		return NULL;
	m->first = op->next;
	if (!m->first)
		m->end = &m->first;
	return op;
}

const struct engine engine_inline = {
	.name = "calls of its own", .open = inline_open, .close = inline_close,
	.fd = inline_fd, .start = inline_start, .push = inline_push,
	.next = inline_next
};

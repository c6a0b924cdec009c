/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One request as a series of system calls. op_begin takes it in, op_plan says
 * which call is next, op_step judges what came of it:
 *
 *     READ, WRITE    DATA ... DATA, then SYNC if FUA needs it
 *     FLUSH          SYNC
 *     DISCARD        ALLOCATE, then SYNC if FUA
 *     WRITE_ZEROES   ALLOCATE (punch, zero range), else ZERO ... ZERO; as above
 *     ANSWER         no call at all: the result was known at once
 *
 * DATA and ZERO repeat until nothing is left: a call may move less than asked.
 *
 * Durability (SUB-4). A FLUSH is fdatasync, and the kernel tells of a failed
 * write-back once per open file: a write with RWF_DSYNC could swallow the
 * report of somebody else's lost page. So all syncs go to side_fd, on which
 * RWF_DSYNC is never used, and after one failed no later FLUSH may succeed: the
 * kernel has marked the lost pages clean and would say yes.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/falloc.h>
#include <string.h>
#include <unistd.h>

#include "store_internal.h"

#ifdef STORE_TEST
uint64_t store_test_max_io = UINT64_MAX;
bool store_test_no_dsync;
#endif

/* As aligned as any direct I/O that image_open agrees to. */
static const _Alignas(STORE_ALIGN_MAX) uint8_t zeroes[STORE_ZERO_BYTES];

static const char *const op_names[STORE_KINDS] = {
	[VBLK_OP_READ] = "read", [VBLK_OP_WRITE] = "write",
	[VBLK_OP_FLUSH] = "flush", [VBLK_OP_DISCARD] = "discard",
	[VBLK_OP_WRITE_ZEROES] = "write zeroes"
};

static void answer(struct op *op, enum vblk_status status)
{
	op->phase = OP_ANSWER;
	op->status = (uint8_t)status;
}

void op_begin(struct file *f, struct op *op, const struct vblk_req *req)
{
	uint64_t sectors = req->bytes / VBLK_SECTOR_SIZE;
	bool fits = req->sector <= f->store.sectors &&
		    sectors <= f->store.sectors - req->sector;

	op->seg = req->seg;
	op->num_segs = req->num_segs;
	op->seg_at = 0;
	op->seg_off = 0;
	op->left = req->bytes;
	op->moved = 0;
	op->queue = req->queue;
	op->tag = req->tag;
	op->status = VBLK_S_OK;
	op->fua = req->flags & VBLK_REQ_FUA;
	op->unmap = req->flags & VBLK_REQ_UNMAP;
	op->sync_after = false;
	op->bounced = op->force_bounce = op->force_side = false;
	op->retries = 0;
	op->held = PATH_NONE;
	if (req->op >= STORE_KINDS) {
		answer(op, VBLK_S_UNSUPP);
		return;
	}
	op->kind = (enum vblk_op)req->op;
	if (!fits || req->num_segs > VBLK_MAX_SEGS) {
		answer(op, VBLK_S_IOERR);
		return;
	}
	op->pos = req->sector * VBLK_SECTOR_SIZE;
	if (op->kind == VBLK_OP_FLUSH) {
		op->phase = OP_SYNC;
		if (atomic_load(&f->image->lost))
			answer(op, VBLK_S_IOERR);
	} else if (f->read_only && op->kind != VBLK_OP_READ) {
		answer(op, VBLK_S_IOERR);       /* 5.2.6.2 */
	} else if (!op->left || (op->kind == VBLK_OP_DISCARD && f->no_punch)) {
		answer(op, VBLK_S_OK);
	} else if (op->kind == VBLK_OP_READ || op->kind == VBLK_OP_WRITE) {
		op->phase = OP_DATA;
	} else {
		op->phase = OP_ALLOCATE;
		op->sync_after = op->fua;
	}
}

/* --- planning ------------------------------------------------------------ */

/* Seldom a store: lanes share the line. */
static void note_cached(struct file *f, const struct op *op)
{
	if ((!f->direct || op->want == PATH_SIDE) &&
	    !atomic_load_explicit(&f->image->cached, memory_order_relaxed))
		atomic_store(&f->image->cached, true);
}

/* How much of what is left to move now, and through which descriptor. */
static uint64_t choose(struct file *f, struct op *op, uint64_t most)
{
	uint64_t mask = f->off_align - 1u;
	uint64_t len = op->left < most ? op->left : most;

	if (len > store_test_max_io)
		len = store_test_max_io;
	op->want = PATH_MAIN;
	if (f->direct) {
		if (op->force_side || ((op->pos | op->left) & mask))
			op->want = PATH_SIDE;
		else
			len = len & ~mask ? len & ~mask : mask + 1;
	}
	if (op->phase != OP_DATA || op->kind == VBLK_OP_WRITE)
		note_cached(f, op);
	op->io.fd = op->want == PATH_SIDE ? f->side_fd : f->fd;
	op->io.off = op->pos;
	op->io.len = len;
	return len;
}

/*
 * The next len bytes of the segments as an iovec. Returns whether each piece
 * is aligned for direct I/O, which asks for both address and length.
 */
static bool gather_iov(const struct file *f, struct op *op, uint64_t len)
{
	uint32_t skip = op->seg_off;
	uint64_t addresses = 0, lengths = 0;
	unsigned n = 0;

	for (unsigned i = op->seg_at; i < op->num_segs && len; i++) {
		uint32_t here = op->seg[i].len - skip;

		if (here > len)
			here = (uint32_t)len;
		if (here) {
			op->iov[n].iov_base = (uint8_t *)op->seg[i].host + skip;
			op->iov[n].iov_len = here;
			addresses |= (uintptr_t)op->iov[n].iov_base;
			lengths |= here;
			n++;
		}
		len -= here;
		skip = 0;
	}
	op->io.iov = op->iov;
	op->io.iovs = n;
	return !(addresses & (f->mem_align - 1u)) &&
	       !(lengths & (f->off_align - 1u));
}

/* Between the bounce buffer and what gather_iov found. */
static void bounce_copy(struct op *op, uint64_t len, bool to_guest)
{
	uint8_t *at = op->bounce;

	for (unsigned i = 0; len && i < STORE_IOVS; i++) {
		size_t here = op->iov[i].iov_len;

		if (here > len)
			here = (size_t)len;
		if (to_guest)
			memcpy(op->iov[i].iov_base, at, here);
		else
			memcpy(at, op->iov[i].iov_base, here);
		at += here;
		len -= here;
	}
}

static void plan_data(struct file *f, struct op *op)
{
	uint64_t len = choose(f, op, STORE_IO_MAX);
	bool write = op->kind == VBLK_OP_WRITE;
	bool aligned = gather_iov(f, op, len);

	op->bounced = f->direct && op->want == PATH_MAIN &&
		      (!aligned || op->force_bounce);
	if (op->bounced) {
		if (len > STORE_BOUNCE)
			len = STORE_BOUNCE;
		if (write)
			bounce_copy(op, len, false);
		op->bounce_iov.iov_base = op->bounce;
		op->bounce_iov.iov_len = (size_t)len;
		op->io.iov = &op->bounce_iov;
		op->io.iovs = 1;
		op->io.len = len;
	}
	op->io.kind = write ? IO_WRITE : IO_READ;
	op->io.flags = 0;
	if (!write || !op->fua)
		return;
	/* One sync is cheaper than many, and side_fd never takes RWF_DSYNC */
	if (f->no_dsync || op->want == PATH_SIDE || len < op->left)
		op->sync_after = true;
	if (!op->sync_after)
		op->io.flags = RWF_DSYNC;
}

static void plan_zero(struct file *f, struct op *op)
{
	uint64_t len = choose(f, op,
			      (uint64_t)STORE_ZERO_BYTES * STORE_ZERO_IOVS);
	unsigned n;

	for (n = 0; len && n < STORE_ZERO_IOVS; n++) {
		size_t here = len < STORE_ZERO_BYTES ? (size_t)len
						     : STORE_ZERO_BYTES;

		/* writev only reads; its iovec has no way to say so */
		op->iov[n].iov_base = (void *)(uintptr_t)zeroes;
		op->iov[n].iov_len = here;
		len -= here;
	}
	op->io.kind = IO_WRITE;
	op->io.flags = 0;
	op->io.iov = op->iov;
	op->io.iovs = n;
}

/* True: there is a call of fallocate worth trying. */
static bool plan_allocate(const struct file *f, struct op *op)
{
	bool punch = op->kind == VBLK_OP_DISCARD || op->unmap;

	if (punch && !f->no_punch)
		op->io.flags = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	else if (op->kind == VBLK_OP_WRITE_ZEROES && !f->no_zero_range)
		op->io.flags = FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;
	else
		return false;
	op->io.kind = IO_ALLOCATE;
	op->io.fd = f->fd;
	op->io.off = op->pos;
	op->io.len = op->left;
	return true;
}

void op_plan(struct file *f, struct op *op)
{
	op->want = PATH_NONE;
	if (op->phase == OP_ALLOCATE && !plan_allocate(f, op))
		op->phase = OP_ZERO;
	switch (op->phase) {
	case OP_ANSWER: op->io.kind = IO_NONE; return;
	case OP_DATA: plan_data(f, op); return;
	case OP_ALLOCATE: return;
	case OP_ZERO: plan_zero(f, op); return;
	case OP_SYNC:
		op->io.kind = IO_SYNC;
		op->io.fd = f->side_fd;
		return;
	}
}

/* --- judging ------------------------------------------------------------- */

/* First of its kind in full; store_close says how many more there were. */
static bool complain(struct file *f, const struct op *op, int err)
{
	enum vblk_op kind = op->phase == OP_SYNC ? VBLK_OP_FLUSH : op->kind;
	enum trouble trouble = TROUBLE_OTHER;
	const char *hint = "";

	if (!err) {
		trouble = TROUBLE_END;
	} else if (err == ENOSPC || err == EDQUOT || err == EFBIG) {
		trouble = TROUBLE_SPACE;
		hint = "; make room for the image where it is stored";
	} else if (err == EIO) {
		trouble = TROUBLE_DEVICE;
		hint = "; the kernel's log says more of the disk beneath";
	}
	if (f->troubles[kind][trouble]++)
		return true;
	if (kind == VBLK_OP_FLUSH)
		file_say(f, "%s: flush failed: %s%s%s", f->path, strerror(err),
			 hint,
			 atomic_load(&f->image->cached)
				 ? "; what was written since the last "
				   "flush may be lost; flushes fail until the "
				   "image is opened again"
				 : "");
	else if (err)
		file_say(f, "%s: %s at sector %" PRIu64 " failed: %s%s",
			 f->path, op_names[kind], op->pos / VBLK_SECTOR_SIZE,
			 strerror(err), hint);
	else
		file_say(f,
			 "%s: %s at sector %" PRIu64 " found the end of "
			 "the file at byte %" PRIu64 " of %" PRIu64
			 ": it was truncated while in use; restore its size",
			 f->path, op_names[kind], op->pos / VBLK_SECTOR_SIZE,
			 (uint64_t)lseek(f->side_fd, 0, SEEK_END), f->bytes);
	return true;
}

/* err 0: the end of the file. */
static bool fail(struct file *f, struct op *op, int err)
{
	if (op->phase == OP_SYNC && atomic_load(&f->image->cached))
		atomic_store(&f->image->lost, true);
	op->status = VBLK_S_IOERR;
	return complain(f, op, err);
}

static bool finished(struct op *op)
{
	if (!op->sync_after)
		return true;
	op->sync_after = false;
	op->phase = OP_SYNC;
	return false;
}

/* n bytes of READ or WRITE or zeroes have moved. */
static bool moved(struct op *op, uint64_t n)
{
	op->retries = 0;
	if (op->bounced && op->kind == VBLK_OP_READ)
		bounce_copy(op, n, true);
	op->pos += n;
	op->left -= n;
	op->moved += n;
	while (op->phase == OP_DATA && n) {
		uint32_t here = op->seg[op->seg_at].len - op->seg_off;

		if (n < here) {
			op->seg_off += (uint32_t)n;
			break;
		}
		n -= here;
		op->seg_at++;
		op->seg_off = 0;
	}
	return op->left ? false : finished(op);
}

/* True: the same request may still succeed in another way, which is set up. */
static bool other_way(struct file *f, struct op *op, int err)
{
	if (err == EOPNOTSUPP && (op->io.flags & RWF_DSYNC)) {
		f->no_dsync = true;
		return true;
	}
	/* We were told a wrong alignment, or the image moved under us. */
	if (err == EINVAL && f->direct && op->want == PATH_MAIN) {
		if (op->bounced || op->phase == OP_ZERO)
			op->force_side = true;
		else
			op->force_bounce = true;
		return true;
	}
	return false;
}

static bool allocate_failed(struct file *f, struct op *op, int err)
{
	bool punch = op->io.flags & FALLOC_FL_PUNCH_HOLE;
	bool never = err == EOPNOTSUPP || err == ENOSYS;

	/* EINVAL: a block device whose blocks are larger than this extent */
	if (!never && err != EINVAL && err != ENOSPC)
		return fail(f, op, err);
	if (never && punch)
		f->no_punch = true;
	else if (never)
		f->no_zero_range = true;
	if (op->kind == VBLK_OP_WRITE_ZEROES) {
		if (!never)
			op->phase = OP_ZERO;
		return false;
	}
	if (!f->said_no_discard)
		file_say(f, "%s: discard has no effect here: %s", f->path,
			 strerror(err));
	f->said_no_discard = true;
	return true;    /* a discard is a hint, and nothing there changed */
}

bool op_step(struct file *f, struct op *op)
{
	int err;

	if (store_test_no_dsync && op->io.kind == IO_WRITE &&
	    (op->io.flags & RWF_DSYNC))
		op->result = -EOPNOTSUPP;
	err = op->result < 0 ? -op->result : 0;
	if ((err == EINTR || err == EAGAIN) && op->retries++ < STORE_RETRIES)
		return false;
	switch (op->phase) {
	case OP_ANSWER: return true;
	case OP_DATA:
	case OP_ZERO:
		if (op->result > 0)
			return moved(op, (uint64_t)op->result);
		if (err && other_way(f, op, err))
			return false;
		if (!err && op->io.kind == IO_WRITE)
			err = EIO; /* it took nothing and does not say why */
		return fail(f, op, err);
	case OP_ALLOCATE:
		return err ? allocate_failed(f, op, err) : finished(op);
	case OP_SYNC: return err ? fail(f, op, err) : true;
	}
	return true;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A write goes to `now`; a flush copies everything to `stable`, a write that
 * must be durable its own sectors. A power cut is `stable` again.
 */
#include "disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES ((size_t)2 * DISK_SECTORS * VBLK_SECTOR_SIZE)

int disk_open(struct disk *d)
{
	memset(d, 0, sizeof(*d));
	d->now = calloc(1, BYTES);
	d->stable = calloc(1, BYTES);
	d->sectors = DISK_SECTORS;
	return d->now && d->stable ? 0 : -1;
}

void disk_close(struct disk *d)
{
	free(d->now);
	free(d->stable);
	memset(d, 0, sizeof(*d));
}

int disk_submit(struct disk *d, const struct vblk_req *req, size_t n)
{
	size_t i = 0;

	for (; i < n && d->waiting < DISK_DEPTH; i++)
		d->req[d->waiting++] = req[i];
	return (int)i;
}

static void stabilize(struct disk *d, uint64_t at, uint64_t bytes)
{
	memcpy(d->stable + at, d->now + at, bytes);
}

static void dirty(struct disk *d, uint64_t at, uint64_t bytes)
{
	if (d->dirty == d->dirty_end)
		d->dirty = d->dirty_end = at;
	if (at < d->dirty)
		d->dirty = at;
	if (at + bytes > d->dirty_end)
		d->dirty_end = at + bytes;
}

static void flush(struct disk *d)
{
	stabilize(d, d->dirty, d->dirty_end - d->dirty);
	d->dirty = d->dirty_end = 0;
}

static void transfer(struct disk *d, const struct vblk_req *r, uint64_t at)
{
	for (uint16_t i = 0; i < r->num_segs; i++) {
		if (r->op == VBLK_OP_READ)
			memcpy(r->seg[i].host, d->now + at, r->seg[i].len);
		else
			memcpy(d->now + at, r->seg[i].host, r->seg[i].len);
		at += r->seg[i].len;
	}
}

static bool sound(struct disk *d, const struct vblk_req *r)
{
	uint64_t sum = 0;

	if (r->op == VBLK_OP_FLUSH)     /* has no sectors */
		return true;

	for (uint16_t i = 0; i < r->num_segs; i++)
		sum += r->seg[i].len;
	if (r->sector <= d->sectors &&
	    r->bytes / VBLK_SECTOR_SIZE <= d->sectors - r->sector &&
	    (r->op > VBLK_OP_WRITE || sum == r->bytes))
		return true;
	snprintf(d->broken, sizeof(d->broken),
		 "the core handed out an operation %u of %llu bytes at sector "
		 "%llu of a disk of %llu",
		 r->op, (unsigned long long)r->bytes,
		 (unsigned long long)r->sector, (unsigned long long)d->sectors);
	return false;
}

static uint8_t carry_out(struct disk *d, const struct vblk_req *r)
{
	uint64_t at = r->sector * VBLK_SECTOR_SIZE;

	if (!sound(d, r))
		return VBLK_S_IOERR;
	if (d->fail) {
		d->fail--;
		return VBLK_S_IOERR;
	}
	if (r->op != VBLK_OP_READ && r->op != VBLK_OP_FLUSH)
		dirty(d, at, r->bytes);
	switch ((int)r->op) {
	case VBLK_OP_READ: transfer(d, r, at); break;
	case VBLK_OP_WRITE: transfer(d, r, at); break;
	case VBLK_OP_FLUSH: flush(d); break;
	case VBLK_OP_DISCARD:   /* anything may be read then */
		memset(d->now + at, 0xdd, r->bytes);
		break;
	default:                /* write zeroes, secure erase */
		memset(d->now + at, 0, r->bytes);
		break;
	}
	if (r->flags & VBLK_REQ_FUA)
		stabilize(d, at, r->bytes);
	return VBLK_S_OK;
}

bool disk_step(struct disk *d, struct disk_done *done)
{
	unsigned i;
	struct vblk_req r;

	if (d->waiting == 0 || d->hold)
		return false;
	i = d->reverse ? d->waiting - 1u : 0u;
	r = d->req[i];
	d->waiting--;
	memmove(&d->req[i], &d->req[i + 1u],
		(d->waiting - i) * sizeof(d->req[0]));
	done->queue = r.queue;
	done->tag = r.tag;
	done->status = carry_out(d, &r);
	done->bytes = done->status == VBLK_S_OK ? r.bytes : 0;
	return true;
}

void disk_cut(struct disk *d)
{
	d->waiting = 0;
	memcpy(d->now + d->dirty, d->stable + d->dirty,
	       d->dirty_end - d->dirty);
	d->dirty = d->dirty_end = 0;
}

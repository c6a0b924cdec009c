/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A disk with a volatile cache. Requests take their time and finish in any
 * order; a transfer may stand half done for a while; some fail, after part of
 * it was done. A crash of the host keeps for each sector what was last made
 * durable or anything later.
 */
#include <string.h>

#include "sim.h"

#define CLOSE_NS 2000u
#define FAR_NS   200000u

void disk_start(struct disk *d, struct rng *r)
{
	memset(d, 0, sizeof(*d));
	d->limit = rng_range(r, 1, SIM_QUEUES * SIM_SLOTS);
}

static struct op *free_op(struct disk *d)
{
	for (unsigned i = 0; i < SIM_QUEUES * SIM_SLOTS; i++)
		if (!d->op[i].busy)
			return &d->op[i];
	return NULL;
}

int disk_submit(struct world *w, unsigned disk, const struct vblk_req *req,
		size_t n)
{
	struct disk *d = &w->disk[disk];
	size_t i;

	for (i = 0; i < n; i++) {
		struct op *op;

		if (d->in_flight >= d->limit)
			break;
		op = free_op(d);
		op->busy = true;
		op->req = req[i];
		op->moved = 0;
		op->due = w->now +
			  (w->k.simple ? 100u
				       : rng_range(&w->rng, CLOSE_NS,
						   rng_one_in(&w->rng, 16)
							   ? FAR_NS
							   : 4u * CLOSE_NS));
		op->flush_seq = d->seq;
		d->in_flight++;
	}
	return (int)i;
}

/* --- the transfer --------------------------------------------------------- */

/* Bytes [at, at + SECTOR) of the request's segments, to or from a sector. */
static void move_sector(unsigned disk, const struct op *op, uint32_t index,
			uint8_t *sector, bool in)
{
	uint32_t skip = index * SECTOR, left = SECTOR;

	for (uint16_t i = 0; i < op->req.num_segs && left > 0; i++) {
		const struct vblk_seg *s = &op->req.seg[i];
		uint8_t *host = s->host;
		uint32_t n;

		if (skip >= s->len) {
			skip -= s->len;
			continue;
		}
		n = s->len - skip < left ? s->len - skip : left;
		if (!bus_mapped(disk, (uint32_t)(host + skip - bus.ram), n))
			sim_fail("a segment stays mapped until DONE",
				 "disk %u: segment at offset 0x%zx is not",
				 disk, (size_t)(host + skip - bus.ram));
		if (in)
			memcpy(host + skip, sector, n);
		else
			memcpy(sector, host + skip, n);
		sector += n;
		left -= n;
		skip = 0;
	}
	if (left > 0)
		sim_fail("segments hold the request's bytes",
			 "disk %u: %u bytes short", disk, left);
}

static void one_sector(struct world *w, unsigned disk, struct op *op)
{
	struct disk *d = &w->disk[disk];
	uint32_t s = (uint32_t)op->req.sector + op->moved;
	uint8_t *at = d->cur + s * SECTOR;

	if (s >= DISK_SECTORS)
		sim_fail("requests lie inside the disk", "disk %u: sector %u",
			 disk, s);
	switch ((enum vblk_op)op->req.op) {
	case VBLK_OP_READ: move_sector(disk, op, op->moved, at, true); break;
	case VBLK_OP_WRITE:
		move_sector(disk, op, op->moved, at, false);
		d->dirty[s] = true;
		break;
	case VBLK_OP_DISCARD:
		if (rng_one_in(&w->rng, 2))
			break;          /* a hint */
		memset(at, 0, SECTOR);
		d->dirty[s] = true;
		break;
	case VBLK_OP_WRITE_ZEROES:
	case VBLK_OP_SECURE_ERASE:
		memset(at, 0, SECTOR);
		d->dirty[s] = true;
		break;
	case VBLK_OP_FLUSH: break;
	}
	op->moved++;
}

static void make_durable(struct disk *d, uint32_t s)
{
	memcpy(d->stable + s * SECTOR, d->cur + s * SECTOR, SECTOR);
	d->dirty[s] = false;
	d->done_seq[s] = 0;
}

/* What it wrote is in the cache: the next FLUSH is for that, too. */
static void happened(struct disk *d, const struct op *op)
{
	uint32_t first = (uint32_t)op->req.sector;

	d->seq++;
	for (uint32_t i = 0; op->req.op != VBLK_OP_READ && i < op->moved; i++)
		if (d->done_seq[first + i] == 0)
			d->done_seq[first + i] = d->seq;
}

static void finish(struct world *w, unsigned disk, struct op *op, bool ok)
{
	struct disk *d = &w->disk[disk];
	uint32_t first = (uint32_t)op->req.sector;
	struct vblk_event e = { .kind = VBLK_EV_DONE };

	happened(d, op);
	if (ok && op->req.flags & VBLK_REQ_FUA)
		for (uint32_t i = 0; i < op->moved; i++)
			make_durable(d, first + i);
	if (ok && op->req.op == VBLK_OP_FLUSH && !w->k.no_flush)
		for (uint32_t s = 0; s < DISK_SECTORS; s++)
			if (d->done_seq[s] != 0 &&
			    d->done_seq[s] <= op->flush_seq)
				make_durable(d, s);
	e.u.done.queue = op->req.queue;
	e.u.done.tag = op->req.tag;
	e.u.done.status = ok ? VBLK_S_OK : VBLK_S_IOERR;
	e.u.done.bytes = (uint64_t)op->moved * SECTOR;
	op->busy = false;
	d->in_flight--;
	hyper_push(w, disk, &e, w->k.simple ? 0 : CLOSE_NS);
}

/* One disk gets one thing further. False: nothing is due. */
static bool turn(struct world *w, unsigned disk)
{
	struct disk *d = &w->disk[disk];
	unsigned start = w->k.simple ? 0 : rng_below(&w->rng, 16);

	if (d->in_flight == 0)
		return false;
	for (unsigned k = 0; k < SIM_QUEUES * SIM_SLOTS; k++) {
		struct op *op = &d->op[(k + start) % (SIM_QUEUES * SIM_SLOTS)];
		uint32_t count = op->req.op == VBLK_OP_FLUSH
					 ? 0
					 : (uint32_t)(op->req.bytes / SECTOR);

		if (!op->busy || op->due > w->now)
			continue;
		while (op->moved < count) {
			one_sector(w, disk, op);
			/* it stands half done, or fails so */
			if (rng_one_in(&w->rng, w->k.simple ? 0 : 12))
				break;
		}
		if (rng_one_in(&w->rng, w->k.fail))
			finish(w, disk, op, false);
		else if (op->moved == count)
			finish(w, disk, op, true);
		return true;
	}
	return false;
}

bool disk_turn(struct world *w)
{
	bool some = false;

	for (unsigned i = 0; i < w->disks; i++)
		some = turn(w, i) || some;
	return some;
}

bool disk_waits(const struct world *w)
{
	for (unsigned i = 0; i < w->disks; i++)
		if (w->disk[i].in_flight > 0)
			return true;
	return false;
}

/* Of what was not begun. It is DONE all the same. */
void disk_cancel(struct world *w, unsigned disk, uint16_t queue, vblk_tag tag)
{
	for (unsigned i = 0; i < SIM_QUEUES * SIM_SLOTS; i++) {
		struct op *op = &w->disk[disk].op[i];

		if (op->busy && op->moved == 0 && op->req.queue == queue &&
		    op->req.tag == tag)
			finish(w, disk, op, false);
	}
}

/* --- losses --------------------------------------------------------------- */

/*
 * The back end died: what was in flight happened, or part of it, or nothing.
 * With the host, the cache is gone too.
 */
void disk_lose(struct world *w, unsigned disk, bool host)
{
	struct disk *d = &w->disk[disk];

	for (unsigned i = 0; i < SIM_QUEUES * SIM_SLOTS; i++) {
		struct op *op = &d->op[i];
		uint32_t count = (uint32_t)(op->req.bytes / SECTOR);

		if (!op->busy)
			continue;
		while (op->req.op != VBLK_OP_READ &&
		       op->req.op != VBLK_OP_FLUSH && op->moved < count &&
		       !rng_one_in(&w->rng, 6))
			one_sector(w, disk, op);
		happened(d, op);
		op->busy = false;
	}
	d->in_flight = 0;
	for (uint32_t s = 0; host && s < DISK_SECTORS; s++) {
		if (!d->dirty[s])
			continue;
		if (rng_one_in(&w->rng, 2))
			memcpy(d->cur + s * SECTOR, d->stable + s * SECTOR,
			       SECTOR);
		make_durable(d, s);
	}
}

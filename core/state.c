/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Control state as bytes: little-endian, no addresses of ours, so that another
 * process, build or host can take it up.
 *
 *      0 "vblk"   4 version   6 queues   8 accepted   16 writeback   17 zero
 *     32 each queue: desc 8, driver 8, device 8, size 2, avail 2, used 2,
 *        started 1, zero 1
 */
#include "bytes.h"
#include "dev.h"

#define MAGIC   0x6b6c6276u
#define VERSION 1u
#define HEAD    32u
#define EACH    32u

struct head {
	uint32_t magic;
	uint16_t version, queues;
	uint64_t accepted;
	uint8_t  writeback;
};

static const struct vblk_field head_fields[] = {
	VBLK_FIELD(0, head, magic),
	VBLK_FIELD(4, head, version),
	VBLK_FIELD(6, head, queues),
	VBLK_FIELD(8, head, accepted),
	VBLK_FIELD(16, head, writeback),
	{ 0 }
};

struct entry {
	struct vblk_queue_addr addr;
	struct vblk_queue_pos at;
	uint8_t started;        /* 2: used_from_ring */
};

static const struct vblk_field entry_fields[] = {
	VBLK_FIELD(0, entry, addr.desc),
	VBLK_FIELD(8, entry, addr.driver),
	VBLK_FIELD(16, entry, addr.device),
	VBLK_FIELD(24, entry, addr.size),
	VBLK_FIELD(26, entry, at.avail),
	VBLK_FIELD(28, entry, at.used),
	VBLK_FIELD(30, entry, started),
	{ 0 }
};

int vblk_save(const struct vblk *dev, void *out, size_t size)
{
	size_t n = HEAD + (size_t)EACH * dev->cfg.num_queues;
	struct head h = { MAGIC, VERSION, dev->cfg.num_queues, dev->accepted,
			  dev->writeback };
	uint8_t *b = out;

	if (size < n)
		return VBLK_ENOSPC;
	vblk_zero(b, n);
	vblk_pack(b, &h, head_fields);
	for (uint16_t i = 0; i < dev->cfg.num_queues; i++) {
		const struct queue *q = &dev->queue[i];
		struct entry e;

		if (q->state == QUEUE_STOPPED)
			continue;
		e.addr.desc = q->area[AREA_DESC].gpa;
		e.addr.driver = q->area[AREA_AVAIL].gpa;
		e.addr.device = q->area[AREA_USED].gpa;
		e.addr.size = q->size;
		e.at.avail = q->next_avail;
		e.at.used = q->next_used;
		e.started = q->used_from_ring ? 2 : 1;
		vblk_pack(b + HEAD + (size_t)EACH * i, &e, entry_fields);
	}
	return (int)n;
}

static int load_queue(struct vblk *dev, uint16_t i, const uint8_t *b,
		      struct vblk_inflight *log)
{
	struct entry e;

	vblk_unpack(&e, b, entry_fields);
	if (e.started == 0)
		return VBLK_OK;
	e.at.used_from_ring = e.started == 2;
	return vblk_queue_start(dev, i, &e.addr, &e.at, log);
}

int vblk_load(struct vblk *dev, const void *in, size_t size,
	      struct vblk_inflight *const *log)
{
	const uint8_t *b = in;
	struct head h;
	int r = VBLK_OK;

	if (size < HEAD + (size_t)EACH * dev->cfg.num_queues)
		return VBLK_EINVAL;
	vblk_unpack(&h, b, head_fields);
	if (h.magic != MAGIC || h.version != VERSION ||
	    h.queues != dev->cfg.num_queues || h.writeback > 1 ||
	    vblk_accept(dev, h.accepted) != VBLK_OK)
		return VBLK_EINVAL;
	dev->writeback = h.writeback;
	for (uint16_t i = 0; i < dev->cfg.num_queues && r == VBLK_OK; i++)
		r = load_queue(dev, i, b + HEAD + (size_t)EACH * i,
			       log ? log[i] : NULL);
	if (r == VBLK_OK)
		return VBLK_OK;
	r = vblk_reset(dev);    /* OK: nothing is in flight */
	(void)r;
	return VBLK_EINVAL;
}

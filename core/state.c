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
#define STARTED 30u

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
};

#define FIELDS(type, desc, driver, device, size, avail, used) \
	{ VBLK_FIELD(0, type, desc), VBLK_FIELD(8, type, driver), \
	  VBLK_FIELD(16, type, device), VBLK_FIELD(24, type, size), \
	  VBLK_FIELD(26, type, avail), VBLK_FIELD(28, type, used), { 0 } }

static const struct vblk_field entry_fields[] =
	FIELDS(entry, addr.desc, addr.driver, addr.device, addr.size, at.avail,
	       at.used);
static const struct vblk_field queue_fields[] =
	FIELDS(queue, area[AREA_DESC].gpa, area[AREA_AVAIL].gpa,
	       area[AREA_USED].gpa, size, next_avail, next_used);

int vblk_save(const struct vblk *dev, void *out, size_t size)
{
	size_t n = HEAD + (size_t)EACH * dev->cfg.num_queues;
	struct head h = { MAGIC, VERSION, dev->cfg.num_queues, dev->accepted,
			  dev->writeback };
	uint8_t *b = out, *e = b + HEAD;

	if (size < n)
		return VBLK_ENOSPC;
	vblk_zero(b, n);
	vblk_pack(b, &h, head_fields);
	for (uint32_t i = 0; i < dev->cfg.num_queues; i++, e += EACH) {
		const struct queue *q = &dev->queue[i];

		if (q->state == QUEUE_STOPPED)
			continue;
		vblk_pack(e, q, queue_fields);
		e[STARTED] = q->used_from_ring ? 2 : 1;
	}
	return (int)n;
}

static int load_queue(struct vblk *dev, uint16_t i, const uint8_t *b,
		      struct vblk_inflight *log)
{
	struct entry e;

	if (b[STARTED] == 0)
		return VBLK_OK;
	vblk_unpack(&e, b, entry_fields);
	e.at.used_from_ring = b[STARTED] == 2;
	return vblk_queue_start(dev, i, &e.addr, &e.at, log);
}

int vblk_load(struct vblk *dev, const void *in, size_t size,
	      struct vblk_inflight *const *log)
{
	const uint8_t *b = in, *e = b + HEAD;
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
	for (uint16_t i = 0; i < dev->cfg.num_queues && r == VBLK_OK;
	     i++, e += EACH)
		r = load_queue(dev, i, e, log ? log[i] : NULL);
	if (r == VBLK_OK)
		return VBLK_OK;
	r = vblk_reset(dev);    /* OK: nothing is in flight */
	(void)r;
	return VBLK_EINVAL;
}

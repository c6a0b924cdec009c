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

int vblk_save(const struct vblk *dev, void *out, size_t size)
{
	size_t n = HEAD + (size_t)EACH * dev->cfg.num_queues;
	uint8_t *b = out;

	if (size < n)
		return VBLK_ENOSPC;
	vblk_zero(b, n);
	vblk_put(b, MAGIC, 4);
	vblk_put(b + 4, VERSION, 2);
	vblk_put(b + 6, dev->cfg.num_queues, 2);
	vblk_put(b + 8, dev->accepted, 8);
	b[16] = dev->writeback;
	for (uint16_t i = 0; i < dev->cfg.num_queues; i++) {
		const struct queue *q = &dev->queue[i];
		uint8_t *e = b + HEAD + (size_t)EACH * i;

		if (q->state == QUEUE_STOPPED)
			continue;
		vblk_put(e, q->area[AREA_DESC].gpa, 8);
		vblk_put(e + 8, q->area[AREA_AVAIL].gpa, 8);
		vblk_put(e + 16, q->area[AREA_USED].gpa, 8);
		vblk_put(e + 24, q->size, 2);
		vblk_put(e + 26, q->next_avail, 2);
		vblk_put(e + 28, q->next_used, 2);
		e[30] = q->used_from_ring ? 2 : 1;
	}
	return (int)n;
}

static int load_queue(struct vblk *dev, uint16_t i, const uint8_t *e,
		      struct vblk_inflight *log)
{
	struct vblk_queue_addr a;
	struct vblk_queue_pos at;

	if (e[30] == 0)
		return VBLK_OK;
	a.desc = vblk_get(e, 8);
	a.driver = vblk_get(e + 8, 8);
	a.device = vblk_get(e + 16, 8);
	a.size = (uint16_t)vblk_get(e + 24, 2);
	at.avail = (uint16_t)vblk_get(e + 26, 2);
	at.used = (uint16_t)vblk_get(e + 28, 2);
	at.used_from_ring = e[30] == 2;
	return vblk_queue_start(dev, i, &a, &at, log);
}

int vblk_load(struct vblk *dev, const void *in, size_t size,
	      struct vblk_inflight *const *log)
{
	const uint8_t *b = in;
	int r = VBLK_OK;

	if (size < HEAD || vblk_get(b, 4) != MAGIC ||
	    vblk_get(b + 4, 2) != VERSION ||
	    vblk_get(b + 6, 2) != dev->cfg.num_queues ||
	    size < HEAD + (size_t)EACH * dev->cfg.num_queues || b[16] > 1 ||
	    vblk_accept(dev, vblk_get(b + 8, 8)) != VBLK_OK)
		return VBLK_EINVAL;
	dev->writeback = b[16];
	for (uint16_t i = 0; i < dev->cfg.num_queues && r == VBLK_OK; i++)
		r = load_queue(dev, i, b + HEAD + (size_t)EACH * i,
			       log ? log[i] : NULL);
	if (r == VBLK_OK)
		return VBLK_OK;
	r = vblk_reset(dev);    /* OK: nothing is in flight */
	(void)r;
	return VBLK_EINVAL;
}

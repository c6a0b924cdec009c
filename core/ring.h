/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The seam between requests and a ring format: what device.c asks of a ring.
 * ring_split.c answers for the split virtqueue (virtio 1.4, 2.7), ring_packed.c
 * for the packed one (2.8).
 *
 * fetch reads one chain into a slot and leaves the ring as it was; take
 * consumes that chain; put writes its used element; publish shows the driver
 * what was put. Between fetch and take nothing has happened, so a fetch may be
 * repeated.
 */
#ifndef VBLK_RING_H
#define VBLK_RING_H

#include "bytes.h"
#include "dev.h"

/* Rings are mapped now: recover from the log, read used->idx if need be. */
int vblk_split_begin(struct queue *q);
/*
 * The next chain into s and c. 1: here it is, perhaps c->broken; 0: none;
 * EUNMAPPED: q->miss; EGUEST: the queue has faulted.
 */
int vblk_split_fetch(struct queue *q, struct slot *s, struct chain *c);
void vblk_split_take(struct queue *q, struct slot *s);
void vblk_split_put(struct queue *q, struct slot *s, uint32_t len);
/* What was put becomes visible; true: the driver asked to be told. */
bool vblk_split_publish(struct queue *q);
/* Notifications off while polling; on, and look again: true: nothing there. */
void vblk_split_quiet(struct queue *q);
bool vblk_split_arm(struct queue *q);

bool vblk_packed_valid(const struct queue *q);
int vblk_packed_begin(struct queue *q);
int vblk_packed_fetch(struct queue *q, struct slot *s, struct chain *c);
void vblk_packed_take(struct queue *q, struct slot *s);
void vblk_packed_put(struct queue *q, struct slot *s, uint32_t len);
bool vblk_packed_publish(struct queue *q);
void vblk_packed_quiet(struct queue *q);
bool vblk_packed_arm(struct queue *q);

/*
 * A word of an attached area, and its region: aligned, so that it never
 * straddles regions, which are 16-aligned. Inlined where code is to be fast;
 * where it is to be small, ring.c has the one copy of each.
 */
#ifdef VBLK_SMALL
uint8_t *vblk_ring_at(struct queue *q, unsigned kind, uint32_t off);
uint16_t vblk_ring_load16(struct queue *q, unsigned kind, uint32_t off);
void vblk_ring_desc(struct queue *q, uint32_t i, struct vblk_desc *d);
void vblk_ring_store16(struct queue *q, unsigned kind, uint32_t off,
		       uint16_t v);
void vblk_ring_store32(struct queue *q, unsigned kind, uint32_t off,
		       uint32_t v);
void vblk_ring_wrote(struct queue *q, unsigned kind, const uint8_t *p,
		     uint32_t len);
#define RING_WORD
#else
#define RING_WORD static inline __attribute__((always_inline))
#endif

#if !defined(VBLK_SMALL) || defined(VBLK_RING_HERE)
RING_WORD uint8_t *vblk_ring_at(struct queue *q, unsigned kind, uint32_t off)
{
	const struct area *a = &q->area[kind];

	if (a->host)
		return a->host + off;
	return host_at(&vblk_mem_search(q, a->gpa + off)->r, a->gpa + off);
}

RING_WORD uint16_t vblk_ring_load16(struct queue *q, unsigned kind,
				    uint32_t off)
{
	uint8_t *p = vblk_ring_at(q, kind, off);

	return vblk_le16_get(vblk_load16((struct vblk_le16 *)(void *)p));
}

/* Descriptor i, as it lies there. */
RING_WORD void vblk_ring_desc(struct queue *q, uint32_t i, struct vblk_desc *d)
{
	uint8_t *p = vblk_ring_at(q, AREA_DESC, 16u * i);

	vblk_snapshot(d, __builtin_assume_aligned(p, 16), 16);
}

/* Where vblk_ring_at has just been, which left its region in q->hint. */
RING_WORD void vblk_ring_wrote(struct queue *q, unsigned kind, const uint8_t *p,
			       uint32_t len)
{
	uint16_t id = q->area[kind].host ? q->home[kind] : q->hint;

	mem_mark(&q->dev->mem[id], p, len);
}

RING_WORD void vblk_ring_store16(struct queue *q, unsigned kind, uint32_t off,
				 uint16_t v)
{
	uint8_t *p = vblk_ring_at(q, kind, off);

	vblk_store16((struct vblk_le16 *)(void *)p, vblk_le16_make(v));
	vblk_ring_wrote(q, kind, p, 2);
}

RING_WORD void vblk_ring_store32(struct queue *q, unsigned kind, uint32_t off,
				 uint32_t v)
{
	uint8_t *p = vblk_ring_at(q, kind, off);

	vblk_store32((struct vblk_le32 *)(void *)p, vblk_le32_make(v));
	vblk_ring_wrote(q, kind, p, 4);
}
#endif

#endif

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

int vblk_split_begin(struct vblk *dev, struct queue *q);
int vblk_split_fetch(struct vblk *dev, struct queue *q, struct slot *s,
		     struct chain *c);
void vblk_split_take(struct queue *q, struct slot *s);
void vblk_split_put(struct vblk *dev, struct queue *q, struct slot *s,
		    uint32_t len);
bool vblk_split_publish(struct vblk *dev, struct queue *q);
void vblk_split_quiet(struct vblk *dev, struct queue *q);
bool vblk_split_arm(struct vblk *dev, struct queue *q);

bool vblk_packed_valid(const struct queue *q);
int vblk_packed_begin(struct vblk *dev, struct queue *q);
int vblk_packed_fetch(struct vblk *dev, struct queue *q, struct slot *s,
		      struct chain *c);
void vblk_packed_take(struct queue *q, struct slot *s);
void vblk_packed_put(struct vblk *dev, struct queue *q, struct slot *s,
		     uint32_t len);
bool vblk_packed_publish(struct vblk *dev, struct queue *q);
void vblk_packed_quiet(struct vblk *dev, struct queue *q);
bool vblk_packed_arm(struct vblk *dev, struct queue *q);

#define RING(q, call, ...) \
	(is_packed(q) ? vblk_packed_##call(__VA_ARGS__) \
		      : vblk_split_##call(__VA_ARGS__))

/* Rings are mapped now: recover from the log, read used->idx if need be. */
static inline int ring_begin(struct vblk *dev, struct queue *q)
{
	return RING(q, begin, dev, q);
}

/*
 * The next chain into s and c. 1: here it is, perhaps c->broken; 0: none;
 * EUNMAPPED: q->miss; EGUEST: the queue has faulted.
 */
static inline int ring_fetch(struct vblk *dev, struct queue *q, struct slot *s,
			     struct chain *c)
{
	return RING(q, fetch, dev, q, s, c);
}

static inline void ring_take(struct queue *q, struct slot *s)
{
	RING(q, take, q, s);
}

static inline void ring_put(struct vblk *dev, struct queue *q, struct slot *s,
			    uint32_t len)
{
	RING(q, put, dev, q, s, len);
}

/* Used elements become visible; true: the driver wants to know. */
static inline bool ring_publish(struct vblk *dev, struct queue *q)
{
	return RING(q, publish, dev, q);
}

/* Notifications off while polling; on, and look again: true: nothing there. */
static inline void ring_quiet(struct vblk *dev, struct queue *q)
{
	RING(q, quiet, dev, q);
}

static inline bool ring_arm(struct vblk *dev, struct queue *q)
{
	return RING(q, arm, dev, q);
}

/*
 * A word of an attached area, and its region: aligned, so that it never
 * straddles regions, which are 16-aligned.
 */
static VBLK_HOT uint8_t *ring_at(struct vblk *dev, struct queue *q,
				 unsigned kind, uint32_t off, struct mem **m)
{
	const struct area *a = &q->area[kind];

	if (a->host) {
		*m = &dev->mem[q->home[kind]];
		return a->host + off;
	}
	*m = vblk_mem_search(dev, q, a->gpa + off);
	return host_at(&(*m)->r, a->gpa + off);
}

static VBLK_HOT uint16_t ring_load16(struct vblk *dev, struct queue *q,
				     unsigned kind, uint32_t off)
{
	struct mem *m;
	uint8_t *p = ring_at(dev, q, kind, off, &m);

	return vblk_le16_get(vblk_load16((struct vblk_le16 *)(void *)p));
}

static VBLK_HOT void ring_store16(struct vblk *dev, struct queue *q,
				  unsigned kind, uint32_t off, uint16_t v)
{
	struct mem *m;
	uint8_t *p = ring_at(dev, q, kind, off, &m);

	vblk_store16((struct vblk_le16 *)(void *)p, vblk_le16_make(v));
	mem_mark(m, p, 2);
}

static VBLK_HOT void ring_store32(struct vblk *dev, struct queue *q,
				  unsigned kind, uint32_t off, uint32_t v)
{
	struct mem *m;
	uint8_t *p = ring_at(dev, q, kind, off, &m);

	vblk_store32((struct vblk_le32 *)(void *)p, vblk_le32_make(v));
	mem_mark(m, p, 4);
}

#endif

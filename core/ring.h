/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The seam between requests and a ring format: what device.c asks of a ring.
 * ring_split.c answers for the split ring (virtio 1.4, 2.7); another format
 * adds a file and a choice here.
 *
 * fetch reads one chain into a slot and leaves the ring as it was; take
 * consumes that chain; put writes its used element; publish shows the driver
 * what was put. Between fetch and take nothing has happened, so a fetch may be
 * repeated.
 */
#ifndef VBLK_RING_H
#define VBLK_RING_H

#include "dev.h"

/* Rings are mapped now: recover from the log, read used->idx if need be. */
int vblk_split_begin(struct vblk *dev, struct queue *q);

/*
 * The next chain into s and c. 1: here it is, perhaps c->broken; 0: none;
 * EUNMAPPED: q->miss; EGUEST: the queue has faulted.
 */
int vblk_split_fetch(struct vblk *dev, struct queue *q, struct slot *s,
		     struct chain *c);
void vblk_split_take(struct queue *q, uint16_t head);
void vblk_split_put(struct vblk *dev, struct queue *q, uint16_t head,
		    uint32_t len);

/* Used elements become visible; true: the driver wants to know. */
bool vblk_split_publish(struct vblk *dev, struct queue *q);

/* Notifications off while polling; on, and look again: true: nothing there. */
void vblk_split_quiet(struct vblk *dev, struct queue *q);
bool vblk_split_arm(struct vblk *dev, struct queue *q);

#endif

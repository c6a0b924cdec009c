/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The in-flight log of a packed ring. Entries are linked: those of a chain from
 * its head on, and the free ones. Where false or EGUEST comes back, the log was
 * tampered with. A struct vblk_desc here has the buffer's id in next.
 */
#ifndef VBLK_INFLIGHT_PACKED_H
#define VBLK_INFLIGHT_PACKED_H

#include "inflight.h"

/* Empty, and stands where the queue does. */
void vblk_plog_begin(struct queue *q);

/*
 * After a crash: q->next_used, q->out, q->replay. shown: the driver has seen
 * the batch that was being published, which begins at vblk_plog_used.
 */
bool vblk_plog_recover(struct queue *q, bool shown);
uint16_t vblk_plog_used(const struct queue *q);

/* The entry that the next chain's head will have. */
static inline uint16_t vblk_plog_free(const struct queue *q)
{
	return q->log->free_head;
}

/* Keeps descriptor n (from 1) of the chain of s in entry. Returns the next. */
int vblk_plog_note(struct queue *q, const struct slot *s, uint16_t entry,
		   uint32_t n, const struct vblk_desc *d);
void vblk_plog_taken(struct queue *q, uint16_t head);

/* To execute again: what entry keeps. Returns the next. */
int vblk_plog_read(const struct queue *q, uint16_t entry, struct vblk_desc *d);

/* How many there are. */
static inline uint16_t vblk_plog_length(const struct queue *q, uint16_t head)
{
	return log_at(q->log, true, head)->num;
}

/* first: of a batch. publish before the driver sees it, published after. */
void vblk_plog_put(struct queue *q, uint16_t head, bool first);
void vblk_plog_publish(struct queue *q);
void vblk_plog_published(struct queue *q);

#endif

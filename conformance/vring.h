/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The driver's side of a virtqueue, split (virtio 1.x, 2.7) or packed (2.8):
 * chains of descriptors, direct or through an indirect table, what comes back,
 * and both ways of suppressing notifications.
 *
 * Nothing is allocated after vring_init. One thread at a time uses a queue;
 * different queues share nothing.
 *
 * What the device does is not trusted: an id that is not in flight, a second
 * completion of one, or a used index that runs ahead of the available one is
 * reported, and the queue stays usable enough to say so. What the driver needs
 * to know about its own chains is kept outside guest memory.
 *
 * Descriptors are reused in the order in which they came back, that is, as late
 * as possible: a device that completes a chain twice then names one that is not
 * in flight, instead of somebody else's.
 */
#ifndef VRING_H
#define VRING_H

#include <stdbool.h>
#include <stdint.h>

#include "virtio.h"

#define VRING_WHY   120u
#define VRING_PARTS 40u         /* descriptors of a chain in a packed ring */

struct vring_part {             /* a piece of guest memory */
	void *host;
	uint64_t addr;          /* as the device is told */
};

struct vring_options {
	uint16_t size;          /* to 32768; split: a power of two */
	bool packed;            /* was negotiated */
	bool event_idx;         /* was negotiated */
	uint16_t table;         /* descriptors in an indirect table; 0: none */
	struct vring_part desc, avail, used; /* packed: ring, driver's and
				 * device's event suppression */
	struct vring_part tables; /* size * table descriptors, or nothing */
};

struct vring_buffer {
	uint64_t addr;
	uint32_t len;
	bool device_writes;
};

struct vring_used {             /* a completion */
	uint16_t head;          /* or the id of a buffer */
	uint32_t len;           /* as the device says */
	uint32_t cookie;
};

struct vring_at {               /* in a packed ring */
	uint16_t index;
	bool wrap;
};

struct vring {
	uint16_t size, mask;
	bool event_idx;
	bool keep;              /* chains outlive their completion */
	uint16_t table;
	struct virtio_desc *desc;
	struct vring_part tables;
	uint16_t *avail_flags, *avail_idx, *avail_ring, *used_event;
	uint16_t *used_flags, *used_idx, *avail_event;
	uint8_t *used_ring;
	struct vring_part part[3]; /* desc, avail, used, for SET_VRING_ADDR */

	uint16_t next_avail;    /* what avail_idx will be once published */
	uint16_t published;
	uint16_t seen;          /* of used_idx */
	uint16_t in_flight;     /* chains */
	uint16_t free, free_first, free_last;
	uint16_t *link;         /* free list, and the rest of a chain */
	uint16_t *chain;        /* descriptors of the chain that starts here */
	bool *busy;             /* a chain that starts here is in flight */
	uint32_t *cookie;

	/* packed; next_avail, published and seen count chains, free ids */
	bool packed;
	struct virtio_pdesc *ring;
	uint32_t *driver_event, *device_event;
	struct vring_at put, shown, get; /* next to fill, to show, to take */
	uint16_t first_flags;   /* of the descriptor at shown */
	uint16_t posted;        /* descriptors not yet shown */
	uint16_t room;          /* descriptors free */
	struct virtio_pdesc *parts; /* of each id, until it is posted */

	int kick, call, error;  /* eventfds, nonblocking */
	uint64_t kicks;         /* by vring_flush */
	char why[VRING_WHY];
};

/* 0, or -1 with errno. The parts stay the caller's; their bytes are zeroed. */
int vring_init(struct vring *q, const struct vring_options *o);
void vring_free(struct vring *q);

/* --- submitting ----------------------------------------------------------- */

/*
 * Makes a chain of n buffers available, not yet visible: the head, or -1 if the
 * queue has no room. indirect: one descriptor and a table; falls back if the
 * buffers do not fit into one.
 */
int vring_add(struct vring *q, const struct vring_buffer *b, unsigned n,
	      bool indirect, uint32_t cookie);

/*
 * For a driver that keeps its chains (set q->keep): builds one without making
 * it available. Each vring_post does that; vring_pop leaves the chain as it is.
 */
int vring_build(struct vring *q, const struct vring_buffer *b, unsigned n,
		bool indirect, uint32_t cookie);
void vring_post(struct vring *q, uint16_t head);

/* Shows the device what was added. True: it wants to be notified. */
bool vring_publish(struct vring *q);

/* Publish, and notify if it wants that. */
void vring_flush(struct vring *q);

/* Notifies, wanted or not; any thread may. */
bool vring_notify(const struct vring *q);

/* --- completions ---------------------------------------------------------- */

/* Something is in the used ring. */
bool vring_pending(const struct vring *q);

/* 1: a completion. 0: none. -1: the device broke the rules, see q->why. */
int vring_pop(struct vring *q, struct vring_used *u);

/*
 * Asks for a notification of the next completion; false: there is one by now,
 * look at the ring instead of waiting.
 */
bool vring_arm(struct vring *q);
void vring_disarm(struct vring *q);

/* --- for a front end ------------------------------------------------------ */

/* Where a device begins, or goes on after all was given back: a ring base. */
uint32_t vring_base(const struct vring *q);

/*
 * As they are in memory; of a packed ring, which has no such thing, the number
 * of buffers taken back and shown.
 */
uint16_t vring_used_idx(const struct vring *q);
uint16_t vring_avail_idx(const struct vring *q);
uint16_t vring_avail_entry(const struct vring *q, uint16_t idx);

/* --- for hostile tests, split only ---------------------------------------- */

/*
 * Writes n descriptors, in host byte order and whatever they say, from index
 * at (modulo the size), and puts any head into the available ring. The queue's
 * own bookkeeping of descriptors is bypassed: do not mix with vring_add.
 */
void vring_put_raw(struct vring *q, uint16_t at, const struct virtio_desc *d,
		   unsigned n);
void vring_post_raw(struct vring *q, uint16_t head);

/* Makes the available index anything. */
void vring_set_avail_idx(struct vring *q, uint16_t idx);

#endif

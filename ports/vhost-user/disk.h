/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One disk: the core's device, its lanes and their stores, and what the front
 * end said of memory and queues. What was said is only written down (struct
 * ring, struct memory); disk_go makes it true:
 *
 *     disk_pause    nothing is in flight, no queue runs, lanes sleep
 *     ...           change anything
 *     disk_go       memory to the core, start the queues that are ready
 *
 * So every change of memory, features, logs or rings under load is one and the
 * same case. A queue goes on where it stood.
 */
#ifndef DISK_H
#define DISK_H

#include "iotlb.h"
#include "lane.h"
#include "memory.h"
#include "notify.h"
#include "options.h"

#define DISK_LOCK_WAIT_MS 2000u /* for the locks of who was killed */

struct ring {                   /* a queue, as the front end describes it */
	uint32_t size;
	struct msg_vring_addr addr;
	bool     has_addr;
	uint32_t base;          /* where it begins if pos is unknown: of a
				 * packed ring used in the high half */
	bool     has_pos;
	struct vblk_queue_pos pos;
	int      kick, call, err; /* ours; -1: none */
	bool     started;       /* between SET_VRING_KICK and GET_VRING_BASE */
	bool     enabled;
	bool     faulted;       /* not again before it was stopped or reset */
};

struct window {                 /* the dirty bits of a region on demand */
	bool     used;
	uint8_t  bits;          /* of eight pages */
	uint64_t gpa[8];        /* where those are */
};

struct disk {
	const struct disk_options *options;
	char     name[DISK_NAME];
	struct vblk *dev;
	void    *storage;
	size_t   storage_size;
	struct vblk_config config;
	struct lane *lane[VBLK_MAX_QUEUES];
	unsigned lanes;
	int      event;         /* eventfd: disk_attend has something to do */
	struct notify notify;   /* the control thread's */
	bool     running;
	pthread_mutex_t lock;   /* of dev, which is made anew, against who reads
				 * statistics; of iotlb against the lane */

	/* what the front end said */
	uint64_t features;      /* virtio's and vhost's */
	struct memory memory;
	struct ring ring[VBLK_MAX_QUEUES];
	struct shared log;      /* bitmap of dirty pages */
	struct shared inflight;
	uint16_t inflight_queues, inflight_size; /* size: entries of a queue */
	struct iotlb iotlb;
	struct window window[DISK_REGIONS];

	/* asks the front end for a translation (session.c) */
	void   (*ask)(void *ctx, uint64_t iova, uint32_t perm);
	void    *ask_ctx;
	bool     news;          /* the device needs a reset since it was told */
	bool     told_fault, told_unlogged; /* in the log, of this connection */
};

/* Stores, device and lanes; 0, or -1 and one line in why. */
int disk_open(struct disk *d, const struct disk_options *o, char *why,
	      size_t why_size);

/* Drains, flushes, frees. */
void disk_close(struct disk *d);

void disk_pause(struct disk *d);
void disk_go(struct disk *d);

/* What disk_go will serve with: features (2.2) as SET_FEATURES has them. */
uint64_t disk_features(const struct disk *d);
bool disk_accept(struct disk *d, uint64_t features);

/* The rings are packed ones, 2.8. */
bool disk_packed(const struct disk *d);

/* GET_VRING_BASE: the ring stops; where it stood. Paused. */
uint32_t disk_stop_ring(struct disk *d, uint16_t queue);

/* The driver begins anew. Paused. */
void disk_reset(struct disk *d);

/* Forgets all that the front end said. */
void disk_forget(struct disk *d);

/* A translation came: running or paused. False: it is refused. */
bool disk_translate(struct disk *d, const struct msg_iotlb *u);

/* The answer to the oldest question. */
void disk_translated(struct disk *d, bool refused);

/* A descriptor of a ring: closes the one that is there. Paused. */
void ring_exchange(int *fd, int to);

/* Bytes of a queue's part of the shared in-flight region. */
uint64_t disk_inflight_stride(uint64_t features, uint16_t queue_size);

/* After event: memory was lost, a queue faulted. True: newly needs a reset. */
bool disk_attend(struct disk *d);
bool disk_needs_reset(const struct disk *d);

/* Looks at the image again. True: the size changed. */
bool disk_refresh(struct disk *d);

#endif

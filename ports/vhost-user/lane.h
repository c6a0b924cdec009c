/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A lane: one thread that serves some queues of one disk, with its own store.
 * It sleeps on the queues' kick descriptors, its store's and one to be woken.
 * On its path from kick to completion it takes no lock and allocates nothing.
 *
 * The control thread starts lanes and pauses them; everything else it does to
 * the device happens while they are paused:
 *
 *     PAUSED --lane_go--> RUNNING --lane_pause--> PAUSED (nothing in flight)
 */
#ifndef LANE_H
#define LANE_H

#include <pthread.h>
#include <stdatomic.h>

#include "store.h"
#include "vblk/hal.h"

#define LATENCY_BUCKETS 32u     /* bucket i: below 2^i microseconds */

struct lane_counts {            /* of one lane; read by anybody, any time */
	_Atomic(uint64_t) latency[LATENCY_BUCKETS];
	_Atomic(uint64_t) requests, total_ns, wakeups;
};

struct lane_config {
	struct store *store;    /* becomes the lane's, which closes it */
	uint16_t queues;        /* of the disk */
	uint16_t slots;         /* of a queue */
	unsigned poll_us;       /* spin so long before sleeping; 0: never */
	unsigned jitter_us;     /* testing: hold back completions at random */
	int      fault_event;   /* eventfd: a queue of ours has faulted */
	void    *owner;
};

struct lane;

/* A paused lane with its thread; NULL and why. */
struct lane *lane_start(const struct lane_config *c, const char **why);

/* Flushes the store if asked, ends the thread. The lane is paused. */
void lane_end(struct lane *l, bool flush);

/* --- while paused --------------------------------------------------------- */

struct lane_queue { int kick, call; }; /* -1: none; stay the caller's */

/*
 * Serve these queues (bit q) of dev from now on. port[q]: descriptors of queue
 * q. polled: queues whose driver never kicks.
 */
void lane_go(struct lane *l, struct vblk *dev, const struct vblk_hal *hal,
	     void *ctx, uint64_t queues, uint64_t polled,
	     const struct lane_queue *port);

struct store *lane_store(struct lane *l);

/* What the configuration named. */
void *lane_owner(const struct lane *l);

/* --- while running -------------------------------------------------------- */

/* What its queues wait for may be there: it looks again. */
void lane_wake(struct lane *l);

/* Asks for a pause; the lane finishes what is in flight. */
void lane_pause(struct lane *l);

/* Waits for it. */
void lane_paused(struct lane *l);

/* --- any time ------------------------------------------------------------- */

const struct lane_counts *lane_counts(const struct lane *l);

/* HAL functions for a lane as ctx */
int lane_submit(void *ctx, const struct vblk_req *req, size_t n);
void lane_signal(void *ctx, uint16_t source, bool up);

#endif

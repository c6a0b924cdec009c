/* SPDX-License-Identifier: BSD-2-Clause */
/* Between load.c (threads, queues) and load_op.c (one request). */
#ifndef LOAD_INTERNAL_H
#define LOAD_INTERNAL_H

#include <pthread.h>

#include "load.h"
#include "util.h"

struct load_queue {             /* by the load's number; its worker's */
	bool awake;             /* not armed: it is being looked at */
	uint64_t silent_ns;     /* since when it has had something to tell, 0 */
};

struct worker {
	struct load *load;
	unsigned id;
	pthread_t thread;
	struct rng rng;
	uint64_t first, sectors;        /* its part of the disk */
	uint32_t *generation;           /* of each sector */
	bool *taken;                    /* a request in flight concerns it */
	uint32_t next_generation;
	uint64_t next_serial;
	uint64_t oldest;                /* in flight; next_serial: none */
	uint64_t completed;
	unsigned in_flight;
	bool sweeping;
	uint64_t sweep_at;
	bool id_known;
	uint8_t id_bytes[BLK_ID_BYTES];
	struct load_slot *slot;
	unsigned slots;
	int epoll;
	struct load_counts counts;
};

struct load {
	struct session *session;
	struct load_options options;
	uint64_t features;              /* copies: a session that connects */
	struct blk_config config;       /* again writes to its own */
	struct worker *worker;
	struct load_queue *queue;
	uint32_t unit;                  /* sectors in a logical block */
	unsigned pieces;                /* most pieces of data in a request */
	bool started, stop, failed;
	uint64_t stop_at;               /* completions per thread; 0: none */
	pthread_mutex_t lock;           /* of why */
	char why[LOAD_WHY];
};

/*
 * Counts one failure of a kind; the first failure of all is described. s: the
 * request that it is about, or NULL.
 */
void load_fail(struct worker *w, uint64_t *count, const struct load_slot *s,
	       const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The session's queue that the load calls so. */
struct vring *load_queue_at(const struct load *l, unsigned queue);

/* Chooses a request for the slot and builds its memory; false: none can be. */
bool load_op_choose(struct worker *w, struct load_slot *s);

/* Makes it available; false: the queue has no room. */
bool load_op_submit(struct worker *w, struct load_slot *s, uint32_t cookie);

/* Judges the result and remembers what the disk must hold now. */
void load_op_complete(struct worker *w, struct load_slot *s, uint32_t len);

/* Forgets a request that will not be made. */
void load_op_cancel(struct worker *w, struct load_slot *s);

/* A request, for messages. */
void load_op_describe(const struct load_slot *s, char *text, size_t size);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The load of the benchmark. Chains are built once and only get a new sector,
 * what has been completed is submitted again in one batch with one
 * notification, and a thread without anything to do sleeps on the call
 * descriptors, so that the client weighs little beside the back end.
 */
#ifndef BENCH_H
#define BENCH_H

#include <pthread.h>

#include "client.h"
#include "util.h"

#define BENCH_EXTRA 4096u       /* bytes of a slot beside its data */

enum bench_op { RANDREAD, RANDWRITE, READ128K, IDLE, STARTUP, OPS };

struct bench_slot {
	struct blk_header *header;
	uint8_t *status;
	uint16_t head;
};

struct bench;

struct bench_thread {
	struct bench *bench;
	unsigned id;
	pthread_t thread;
	int epoll;
	struct rng rng;
	struct bench_slot *slot;        /* by queue, then by depth */
	uint64_t done, errors, waits;
	unsigned in_flight;
	char why[VRING_WHY];
};

struct bench {
	struct client_options *o;
	enum bench_op op;
	uint32_t block;
	uint64_t blocks;
	struct session session;
	struct bench_thread thread[LOAD_THREADS_MAX];
	unsigned threads;
	bool stop;
};

/*
 * Memory, queues and chains in an open session, and the queues started; -1
 * after a line on stderr.
 */
int bench_make(struct bench *b);

/* The body of a thread: until b->stop, and then what is in flight. */
void *bench_work(void *thread);

#endif

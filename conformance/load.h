/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random requests whose results are known: reads, writes, flushes, discards,
 * writes of zeroes, identities, of random sizes at random places, cut into
 * random pieces, direct or in indirect tables. Every sector written carries a
 * stamp; the load remembers what was acknowledged for each and compares what is
 * read. A sector that a request in flight concerns is left alone by the others,
 * so there is never a doubt what it must contain.
 *
 * Each thread owns a part of the disk and some of the queues, and uses all of
 * its queues for all of its part. Failures are counted by kind; the first one
 * is described. After a failure the load stops submitting.
 *
 * The device's notifications are what wakes a thread, and nothing else: one
 * that never comes is a failure, even if the used ring is in order.
 */
#ifndef LOAD_H
#define LOAD_H

#include "session.h"

#define LOAD_RANGES      4u     /* of a discard or a write of zeroes */
#define LOAD_WHY         512u
#define LOAD_THREADS_MAX 64u

struct load_slot {              /* a request in flight, or room for one */
	unsigned queue;         /* of the load's, from 0 */
	bool busy;
	uint64_t serial, since_ns;
	uint32_t type;
	struct {
		uint64_t sector;
		uint32_t sectors, generation;
	} range[LOAD_RANGES];
	unsigned ranges;
	struct vring_part header;       /* and extents; driver's */
	struct vring_part out;          /* data to write; pages of its own */
	struct vring_part in;           /* data read, status; likewise */
	uint64_t pages;                 /* bytes of out, and of in */
	uint32_t offset;                /* of the data in out or in */
	uint32_t reads, writes;         /* bytes, by the device, of data */
};

struct load_options {
	unsigned first, queues; /* of the session's */
	unsigned threads;       /* not more than queues */
	unsigned depth;         /* requests in flight per queue */
	uint64_t seed;
	uint64_t span;          /* sectors from 0 that it uses; 0: all */
	uint32_t max_sectors;   /* of one request */
	unsigned timeout_ms;    /* until a request counts as lost */
	uint64_t ops;           /* submit about as many, 0: until stopped */
	bool guards;            /* look for writes beside the buffers */
	bool discard;           /* after one, contents are not known */
	void (*before)(void *ctx, struct load_slot *s); /* it is filled next;
				 * called by the slot's thread. NULL: none */
	void *ctx;
};

struct load_counts {
	uint64_t reads, writes, flushes, discards, zeroes, ids;
	uint64_t checked;       /* sectors compared with what they must be */
	uint64_t mismatches;    /* sectors */
	uint64_t errors;        /* status other than OK */
	uint64_t broken;        /* completions of what was not in flight */
	uint64_t lost;          /* not completed in time */
	uint64_t silent;        /* completed without a notification */
	uint64_t strays;        /* writes beside or into the wrong buffers */
	uint64_t short_len;     /* used length less than was written: allowed,
				 * but a device should know better */
	uint64_t kicks, waits;
};

struct load;

/* NULL with s->why. Takes its memory from the session's. */
struct load *load_new(struct session *s, const struct load_options *o);
void load_free(struct load *l);

/* Threads run from start until stop, which waits for what is in flight. */
int load_start(struct load *l);
void load_stop(struct load *l);

/* Reads all that is known and compares; between stop and free. */
void load_sweep(struct load *l);

/* While it runs, and after. */
bool load_failed(const struct load *l);
bool load_finished(const struct load *l); /* options.ops are done */
uint64_t load_done(const struct load *l);  /* completions */

/* After load_stop: the sum over the threads, and the first failure or "". */
void load_total(const struct load *l, struct load_counts *sum);
const char *load_why(const struct load *l);
bool load_read_only(const struct load *l);

/* All that was submitted before the mark has been completed. */
struct load_mark {
	uint64_t serial[LOAD_THREADS_MAX];
};
void load_set_mark(const struct load *l, struct load_mark *m);
bool load_passed(const struct load *l, const struct load_mark *m);

#endif

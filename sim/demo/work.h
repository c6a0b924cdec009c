/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the guest does with its disk: passes over a range of it in requests of
 * mixed sizes and several segments, WORK_DEPTH of them in flight, whose data is
 * made or taken in disk order; and single requests.
 */
#ifndef DEMO_WORK_H
#define DEMO_WORK_H

#include <signal.h>

#include "driver.h"
#include "report.h"

#define WORK_DEPTH    32u
#define WORK_SLOTS    64u       /* in flight, or waiting for their turn */
#define WORK_BYTES    (512u << 10)      /* of the largest request */
#define WORK_WHY      160u

enum work_result {
	WORK_OK,
	WORK_STOPPED,           /* the user wants to stop; nothing in flight */
	WORK_FAILED             /* why says why; nothing in flight */
};

struct work_slot {
	struct driver_req req;
	vblk_gpa area;          /* WORK_BYTES of guest memory */
	uint32_t sectors;
};

struct work {
	struct driver *driver;
	struct report *report;
	const volatile sig_atomic_t *stop; /* set: end the pass; may be NULL */
	struct work_slot slot[WORK_SLOTS];
	struct driver_req lone;
	uint64_t seed;
	uint64_t sizes;         /* chosen so far */
	char why[WORK_WHY];
};

/* 0, or -1: no guest memory. */
int work_open(struct work *w, struct driver *d, struct report *r);

/*
 * Bytes of the disk from sector on: to be filled (OUT) or taken (IN). They come
 * in disk order. False: they are wrong, w->why says how.
 */
typedef bool (*work_bytes)(struct work *w, void *ctx, uint64_t sector,
			   uint8_t *data, uint32_t bytes);

/* VBLK_T_IN or VBLK_T_OUT; what: for the progress bar. */
enum work_result work_pass(struct work *w, const char *what, uint32_t type,
			   uint64_t sector, uint64_t sectors, work_bytes fn,
			   void *ctx);

/* VBLK_T_FLUSH; VBLK_T_DISCARD and WRITE_ZEROES with an extent. */
enum work_result work_flush(struct work *w);
enum work_result work_extent(struct work *w, uint32_t type, uint64_t sector,
			     uint32_t sectors, uint32_t flags);

/* A number below `below`; the same ones in each run. */
uint32_t work_pick(struct work *w, uint32_t below);

/* GET_ID; a string. */
enum work_result work_id(struct work *w, char id[VBLK_ID_BYTES + 1u]);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The simulated device's disk: sectors in memory with a volatile cache before
 * them, completions in an order that the test decides. Deterministic: it does
 * one thing a step and knows no clock. What it is handed was validated by the
 * core; an operation that is not inside the disk is a bug of the core and is
 * reported as such.
 */
#ifndef DISK_H
#define DISK_H

#include "vblk/vblk.h"

#define DISK_SECTORS 4096u      /* at first; at most twice that */
#define DISK_DEPTH   512u

struct disk_done {
	uint16_t queue;
	vblk_tag tag;
	uint8_t status;
	uint64_t bytes;
};

struct disk {
	uint8_t *now, *stable;  /* what reads see; what survives a power cut */
	uint64_t sectors;
	uint64_t dirty, dirty_end; /* bytes of now that may not be stable */
	struct vblk_req req[DISK_DEPTH]; /* accepted, not done; segments are
					  * the core's */
	unsigned waiting;
	bool hold, reverse;
	unsigned fail;          /* so many more operations fail */
	char broken[120];       /* the core's bug, if there was one */
};

int disk_open(struct disk *d); /* 0, or -1: no memory */
void disk_close(struct disk *d);

/* As SUB-1; nothing is carried out before disk_step. */
int disk_submit(struct disk *d, const struct vblk_req *req, size_t n);
/* Carries one operation out: true, *done is it. */
bool disk_step(struct disk *d, struct disk_done *done);

void disk_cut(struct disk *d); /* what is waiting is dropped */

#endif

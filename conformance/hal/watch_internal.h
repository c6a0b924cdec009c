/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside the observer: its state, and what its three files have in common.
 *
 *	watch.c       what was noted, and what tests ask of it
 *	watch_hal.c   the HAL functions that stand in front of the port's
 *	watch_wrap.c  what the linker puts in place of the core's functions
 */
#ifndef WATCH_INTERNAL_H
#define WATCH_INTERNAL_H

#include "vblk/arch.h"
#include "watch.h"
#include "watch_wrap.h"

#define LANES   8u
#define SEGS    256u

struct seen {                   /* an accepted request */
	bool there;
	struct vblk_req req;
	struct vblk_seg seg[SEGS];
};

struct watched {                /* a lane */
	struct vblk_lane *lane;
	const struct vblk_hal *hal;
	void *ctx;
	struct vblk_hal mine;
};

struct watch_state {
	bool locked;
	struct fixture *f;
	struct watched lane[LANES];
	unsigned lanes;
	struct watch_entry entry[WATCH_ENTRIES];
	size_t entries;
	struct seen seen[FIXTURE_QUEUES][WATCH_TAGS];
	unsigned in_flight;
	struct vblk_region region[WATCH_REGIONS];
	size_t regions;
	uint64_t marker;
	bool mark;
	unsigned cpu, marked, expected;
	uint32_t mark_value, expect_value;
	bool expect;
	void (*on_done)(void *, const struct vblk_req *, uint8_t);
	void *on_done_ctx;
	enum watch_death death;
	unsigned death_in;
	bool killed;
	bool is_broken;
	char clause[16], why[200];
};

extern struct watch_state watch_state;
extern _Thread_local unsigned watch_inside; /* HAL functions, this thread */

void watch_lock(void);
void watch_unlock(void);
void watch_note(struct watch_entry e);

/* Kills the back end, if this is the place. */
void watch_die_if(enum watch_death where);

/* On the way in: is there what the guest stored before the event? */
void watch_look_for_guest(void);

#endif

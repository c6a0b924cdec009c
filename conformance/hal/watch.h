/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The observer between a lane and its port. By the linker's --wrap it takes the
 * place of vblk_lane_init and puts functions of its own into the lane, which
 * note each call, check what of the clauses can be seen at once, and go on to
 * the port's. Events are noted the same way on their way in.
 *
 * What it does beyond looking, when a test asks for it:
 *
 *   marker   stores a counter into guest memory right before the port's signal
 *            or reply, and looks right after whether the guest sees it; loads
 *            what the guest stored before an event, as the event comes in;
 *   death    kills the back end at one place.
 *
 * Any thread of the port may be in here. What a check found stands in
 * watch_broken: the first one, with its clause.
 */
#ifndef WATCH_H
#define WATCH_H

#include "fixture.h"

#define WATCH_ENTRIES 16384u
#define WATCH_TAGS    512u
#define WATCH_REGIONS 1024u

enum watch_kind {
	WATCH_SUBMIT,           /* a: offered, b: the answer */
	WATCH_ACCEPTED,         /* queue, tag, op; a: sector, b: bytes */
	WATCH_DONE,             /* queue, tag, op = status */
	WATCH_SIGNAL,           /* queue: source, a: up */
	WATCH_REPLY,            /* a: offset, b: value; op: write */
	WATCH_MAP,              /* a: gpa, b: len; op: 0, or minus the error */
	WATCH_UNMAP,            /* a: gpa, b: len */
	WATCH_GONE,             /* the core gave it back: a: gpa, b: len */
	WATCH_CANCEL,           /* queue, tag */
	WATCH_SAVE,
	WATCH_ACCESS,           /* a: offset, b: value; op: write */
	WATCH_KICK,             /* queue */
	WATCH_EV_UNMAP,         /* a: gpa, b: len */
	WATCH_STOP,
	WATCH_EVENTS            /* a: max, b: the answer */
};

struct watch_entry {
	enum watch_kind kind;
	uint16_t queue;
	vblk_tag tag;
	uint8_t op;
	uint64_t a, b;
};

enum watch_death {              /* where the back end is to die */
	WATCH_NO_DEATH,
	WATCH_AT_ACCESS,        /* an access came in, nothing was done yet */
	WATCH_IN_SAVE           /* half of the blob is stored */
};

/* Begins anew; marker: guest address of 4 bytes, 4-aligned. */
void watch_start(struct fixture *f, uint64_t marker);

/* --- what was seen -------------------------------------------------------- */

size_t watch_count(void);               /* entries so far */
bool watch_at(size_t i, struct watch_entry *out);

/* The first entry of a kind from i on; SIZE_MAX: none. */
size_t watch_find(size_t i, enum watch_kind kind);

/* How many of a kind from i on. */
unsigned watch_sum(size_t i, enum watch_kind kind);

unsigned watch_in_flight(void);         /* accepted and not DONE */

/* Oldest region live now, or false. i counts from 0. */
bool watch_region(size_t i, struct vblk_region *out);

/* Does the port have this HAL function? */
bool watch_has_cancel(void);
bool watch_has_save(void);
bool watch_has_unmap(void);

/* False: nothing broken so far. Copies clause and words. */
bool watch_broken(char *clause, size_t clause_size, char *why, size_t why_size);

/* Something is broken, says a test's own look from inside. */
void watch_break(const char *clause, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* --- what it does --------------------------------------------------------- */

/* From now on: markers before signals and answers. cpu: whose access it is. */
void watch_mark(bool on, unsigned cpu);
unsigned watch_marked(void);            /* times it was looked at */

/* The guest wrote v to the marker: the next event must find it. */
void watch_expect(uint32_t v);
unsigned watch_expected(void);          /* events at which it was looked at */

/* Called as a DONE comes in, before the core has it; NULL: nobody. */
void watch_on_done(void (*look)(void *ctx, const struct vblk_req *req,
				uint8_t status),
		   void *ctx);

/* At the n-th such place from now on, 1 is the next. */
void watch_kill(enum watch_death where, unsigned n);
bool watch_killed(void);                /* it was reached */

/* The back end is another one: what was in flight will not be DONE. */
void watch_died(void);

#endif

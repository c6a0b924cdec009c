/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the in-flight log of a stopped or dead back end says, if it has the
 * form that the protocol suggests. It is only read, and only to choose moments
 * and to report: whether a back end recovers is judged by what its guest sees.
 */
#ifndef CRASH_LOG_H
#define CRASH_LOG_H

#include "session.h"

struct crash_log {
	const struct session *session;
	const uint8_t *at;      /* NULL: not mapped, or of another form */
	uint64_t bytes, each;
};

/* Maps the session's log; again after the session has got a fresh one. */
void crash_log_open(struct crash_log *l, const struct session *s);
void crash_log_close(struct crash_log *l);

/* It has been written in the form that we know. */
bool crash_log_known(const struct crash_log *l);

/* Requests that were fetched and not completed. */
unsigned crash_log_fetched(const struct crash_log *l);

/* In between the used ring's index and the log's copy of it. */
bool crash_log_in_batch(const struct crash_log *l);

/*
 * The requests that are open are not the last ones of the available ring, so
 * that nothing but the log says which they are.
 */
bool crash_log_disordered(const struct crash_log *l);

#endif

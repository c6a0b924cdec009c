/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For tests: holds each completion back for a random time, so that requests
 * finish out of order and a crash finds many of them in flight.
 */
#ifndef JITTER_H
#define JITTER_H

#include "store.h"

struct jitter;

/* NULL: no memory. most: completions held at once. */
struct jitter *jitter_make(size_t most, unsigned max_us);
void jitter_free(struct jitter *j);

/* Takes n of them in; they come back from jitter_take, n at most max. */
void jitter_put(struct jitter *j, const struct store_done *done, size_t n,
		uint64_t now_ns);
size_t jitter_take(struct jitter *j, struct store_done *out, size_t max,
		   uint64_t now_ns);
size_t jitter_held(const struct jitter *j);

#endif

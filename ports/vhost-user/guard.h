/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory that another process shares with us and may take away: a file shrunk
 * under its mapping raises SIGBUS on access. The handler puts zeroes in place
 * of what is gone, so that the access ends, marks the mapping as lost and tells
 * its owner, who then stops using it.
 */
#ifndef GUARD_H
#define GUARD_H

#include <stdbool.h>
#include <stddef.h>

struct guard;

/* Once, before any mapping is guarded. False: no handler can be set. */
bool guard_install(void);

/*
 * unit: of pages, which a huge page's mapping cannot be cut below; len is a
 * multiple. event is an eventfd that is written when the mapping is lost; it
 * stays the caller's. NULL: too many mappings.
 */
struct guard *guard_add(void *base, size_t len, size_t unit, int event);

/* Before it is unmapped, when no thread accesses it. NULL is allowed. */
void guard_remove(struct guard *g);

bool guard_lost(const struct guard *g);

#endif

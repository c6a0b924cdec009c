/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What may come of a driver that breaks the rules. Of every device: it does not
 * hang or write where it may not, and after a reset it is as good as new. Of
 * ours also what spec/trust.md says.
 */
#ifndef HOSTILE_H
#define HOSTILE_H

#include "lib.h"

/*
 * A chain whose status byte cannot be found, made available by the caller (id
 * is its head): it comes back with length 0 and the queue goes on (CONTAIN), or
 * the device asks for a reset (STOP).
 */
void expect_bad_chain(struct ring *r, uint16_t id, const char *what);

/* A ring that cannot be trusted: the device asks for a reset. */
void expect_bad_ring(struct ring *r, const char *what);

/* Whatever came: another queue goes on, and a reset makes it good. */
void expect_sane(struct ring *r, const char *what);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What ring.c asks of the two kinds of ring.
 */
#ifndef RING_H
#define RING_H

#include "lib.h"

uint16_t split_add(struct ring *r, const struct piece *p, uint32_t n);
bool split_wants(struct ring *r);
bool split_used(struct ring *r);
void split_read(struct ring *r, uint32_t *id, uint32_t *len);
void split_free(struct ring *r, uint16_t id);

uint16_t packed_add(struct ring *r, const struct piece *p, uint32_t n);
void packed_show(struct ring *r);
bool packed_wants(struct ring *r);
bool packed_used(struct ring *r);
void packed_read(struct ring *r, uint32_t *id, uint32_t *len);
void packed_step(struct ring *r, uint16_t id);

/* The place in the used ring behind that of id. */
static inline void packed_or_split_step(struct ring *r, uint16_t id)
{
	if (r->packed)
		packed_step(r, id);
	else
		r->seen++;
}

#endif

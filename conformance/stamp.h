/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sectors that say what they are: 512 bytes that follow from sector number,
 * generation and seed, no two of which have a byte pattern in common. A sector
 * that was stored in the wrong place, or is older than what was acknowledged,
 * says so.
 */
#ifndef STAMP_H
#define STAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STAMP_UNKNOWN 0u        /* generations: contents not known, */
#define STAMP_ZERO    1u        /* zeroes, */
#define STAMP_FIRST   2u        /* and those that stamps have */

/* to: 512 bytes, aligned or not. generation: STAMP_FIRST or more. */
void stamp_fill(void *to, uint64_t seed, uint64_t sector, uint32_t generation);

/* True if it is what it should be; UNKNOWN accepts anything. */
bool stamp_check(const void *from, uint64_t seed, uint64_t sector,
		 uint32_t generation);

/* What the 512 bytes look like, in words. */
void stamp_describe(const void *from, uint64_t seed, char *text, size_t size);

#endif

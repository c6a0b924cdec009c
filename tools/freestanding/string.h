/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All that the core wants of a C library: two functions. The builds that judge
 * the core (tools/size, tools/symbols) find no other header of one, so that a
 * third function cannot slip in.
 */
#ifndef VBLK_FREESTANDING_STRING_H
#define VBLK_FREESTANDING_STRING_H

#include <stddef.h>

void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memset(void *dst, int c, size_t n);

#endif

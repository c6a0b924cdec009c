/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes of our own: little-endian integers in images (configuration space,
 * state blobs), and the two functions that a freestanding compiler itself
 * relies on.
 */
#ifndef VBLK_BYTES_H
#define VBLK_BYTES_H

#include <stdint.h>

/* A freestanding <string.h> need not exist. */
#define vblk_copy(dst, src, n) __builtin_memcpy(dst, src, n)
#define vblk_zero(dst, n)      __builtin_memset(dst, 0, n)

/* On every request's path: inlined, unless code is to be small. */
#if defined(__OPTIMIZE_SIZE__) || !defined(__OPTIMIZE__)
#define VBLK_HOT
#else
#define VBLK_HOT inline __attribute__((always_inline))
#endif

/* Seldom called: its locals stay off its caller's stack. */
#define VBLK_APART __attribute__((noinline))

static inline void vblk_put(uint8_t *at, uint64_t v, uint32_t bytes)
{
	for (uint32_t i = 0; i < bytes; i++)
		at[i] = (uint8_t)(v >> (8u * i));
}

static inline uint64_t vblk_get(const uint8_t *at, uint32_t bytes)
{
	uint64_t v = 0;

	for (uint32_t i = 0; i < bytes; i++)
		v |= (uint64_t)at[i] << (8u * i);
	return v;
}

#endif

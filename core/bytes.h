/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes of our own: structures as images (configuration space, state blobs),
 * and the two functions that a freestanding compiler itself relies on.
 */
#ifndef VBLK_BYTES_H
#define VBLK_BYTES_H

#include <stddef.h>
#include <stdint.h>

/* A freestanding <string.h> need not exist. */
#define vblk_copy(dst, src, n) __builtin_memcpy(dst, src, n)
#define vblk_zero(dst, n)      __builtin_memset(dst, 0, n)

/* On every request's path: inlined, unless code is to be small. */
#if defined(__OPTIMIZE_SIZE__) || !defined(__OPTIMIZE__)
#define VBLK_SMALL
#define VBLK_HOT __attribute__((noinline))
#else
#define VBLK_HOT inline __attribute__((always_inline))
#endif

/* Seldom called: its locals stay off its caller's stack. */
#define VBLK_APART __attribute__((noinline))

/*
 * A field of a structure and where it lies in an image, of the same size and
 * little-endian there. A table of them ends with one of no bytes.
 */
struct vblk_field {
	uint8_t  at;            /* in the image */
	uint8_t  bytes;
	uint16_t offset;        /* in the structure */
};

#define VBLK_FIELD(at, type, member) \
	{ at, sizeof(((struct type *)0)->member), \
	  offsetof(struct type, member) }

/* One loop for all of them: an image is on no request's path. bytes.c */
void vblk_pack(uint8_t *image, const void *object, const struct vblk_field *f);
void vblk_unpack(void *object, const uint8_t *image,
		 const struct vblk_field *f);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SHA-256, FIPS 180-4. Uses the processor's instructions where x86 has them
 * (over 1 GB/s), else portable C.
 */
#ifndef DEMO_SHA256_H
#define DEMO_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_BLOCK 64u
#define SHA256_BYTES 32u
#define SHA256_TEXT  (2u * SHA256_BYTES + 1u)   /* hexadecimal, with its NUL */

struct sha256 {
	uint32_t h[8];
	uint64_t bytes;                 /* taken in so far */
	uint8_t  rest[SHA256_BLOCK];    /* bytes % 64 of them wait here */
	void   (*blocks)(uint32_t h[8], const uint8_t *p, size_t n);
};

void sha256_begin(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *data, size_t n);

/* Ends it; text is the sum in hexadecimal. Begin again before more. */
void sha256_end(struct sha256 *s, char text[SHA256_TEXT]);

#endif

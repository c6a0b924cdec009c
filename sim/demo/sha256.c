/* SPDX-License-Identifier: BSD-2-Clause */
/* SHA-256; the names of variables and functions are those of FIPS 180-4. */
#include "sha256.h"

#include <stdio.h>
#include <string.h>

#if defined(__x86_64__) || defined(__i386__)
#define HAVE_X86 1
#include <cpuid.h>
#include <immintrin.h>
#endif

/* 4.2.2: fractions of the cube roots of the first 64 primes */
static const uint32_t K[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5,
	0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
	0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
	0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
	0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
	0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5,
	0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
	0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2
};

/* 5.3.3 */
static const uint32_t H0[8] = {
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
	0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19
};

/* --- portable ------------------------------------------------------------- */

static uint32_t rotr(uint32_t x, unsigned n)
{
	return x >> n | x << (32u - n);
}

static uint32_t big_endian(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

static void schedule(uint32_t w[64], const uint8_t *p)
{
	for (unsigned t = 0; t < 16; t++)
		w[t] = big_endian(p + 4u * t);
	for (unsigned t = 16; t < 64; t++) {
		uint32_t s0 = rotr(w[t - 15], 7) ^ rotr(w[t - 15], 18) ^
			      w[t - 15] >> 3;
		uint32_t s1 = rotr(w[t - 2], 17) ^ rotr(w[t - 2], 19) ^
			      w[t - 2] >> 10;

		w[t] = s1 + w[t - 7] + s0 + w[t - 16];
	}
}

/* Rounds t..t+7 in turn: each renames the variables instead of moving them. */
#define ROUND(a, b, c, d, e, f, g, h, t) \
	do { \
		h += (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) + \
		     (g ^ (e & (f ^ g))) + K[t] + w[t]; \
		d += h; \
		h += (rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) + \
		     ((a & b) | (c & (a | b))); \
	} while (0)

static void portable(uint32_t s[8], const uint8_t *p, size_t n)
{
	uint32_t w[64];

	for (; n > 0; n--, p += SHA256_BLOCK) {
		uint32_t a = s[0], b = s[1], c = s[2], d = s[3];
		uint32_t e = s[4], f = s[5], g = s[6], h = s[7];

		schedule(w, p);
		for (unsigned t = 0; t < 64; t += 8) {
			ROUND(a, b, c, d, e, f, g, h, t);
			ROUND(h, a, b, c, d, e, f, g, t + 1);
			ROUND(g, h, a, b, c, d, e, f, t + 2);
			ROUND(f, g, h, a, b, c, d, e, t + 3);
			ROUND(e, f, g, h, a, b, c, d, t + 4);
			ROUND(d, e, f, g, h, a, b, c, t + 5);
			ROUND(c, d, e, f, g, h, a, b, t + 6);
			ROUND(b, c, d, e, f, g, h, a, t + 7);
		}
		s[0] += a, s[1] += b, s[2] += c, s[3] += d;
		s[4] += e, s[5] += f, s[6] += g, s[7] += h;
	}
}

/* --- x86 ------------------------------------------------------------------ */

#ifdef HAVE_X86
#define SHA_TARGET __attribute__((target("sha,sse4.1,ssse3")))

/*
 * The instructions want the state as two registers, ABEF and CDGH, and do two
 * rounds each. m holds the last 16 words of the schedule, oldest first from
 * m[i % 4]; four rounds later its place takes the four words that follow.
 */
SHA_TARGET static void x86_block(__m128i *abef, __m128i *cdgh,
				 const uint8_t *p)
{
	const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0bLL,
					    0x0405060700010203LL);
	__m128i m[4], a = *abef, c = *cdgh;

	for (unsigned i = 0; i < 4; i++)
		m[i] = _mm_shuffle_epi8(
			_mm_loadu_si128(
				(const __m128i *)(const void *)(p + 16u * i)),
			swap);
#pragma GCC unroll 16
	for (unsigned i = 0; i < 16; i++) {
		__m128i w = m[i % 4], k;

		k = _mm_add_epi32(
			w, _mm_loadu_si128((
				   const __m128i *)(const void *)(K + 4u * i)));
		c = _mm_sha256rnds2_epu32(c, a, k);
		a = _mm_sha256rnds2_epu32(a, c, _mm_shuffle_epi32(k, 0x0e));
		if (i >= 12)
			continue;
		w = _mm_add_epi32(
			_mm_sha256msg1_epu32(w, m[(i + 1) % 4]),
			_mm_alignr_epi8(m[(i + 3) % 4], m[(i + 2) % 4], 4));
		m[i % 4] = _mm_sha256msg2_epu32(w, m[(i + 3) % 4]);
	}
	*abef = _mm_add_epi32(*abef, a);
	*cdgh = _mm_add_epi32(*cdgh, c);
}

SHA_TARGET static void x86(uint32_t h[8], const uint8_t *p, size_t n)
{
	__m128i *at = (__m128i *)(void *)h;
	__m128i dcba = _mm_shuffle_epi32(_mm_loadu_si128(at), 0xb1);
	__m128i hgfe = _mm_shuffle_epi32(_mm_loadu_si128(at + 1), 0x1b);
	__m128i abef = _mm_alignr_epi8(dcba, hgfe, 8);
	__m128i cdgh = _mm_blend_epi16(hgfe, dcba, 0xf0);

	for (; n > 0; n--, p += SHA256_BLOCK)
		x86_block(&abef, &cdgh, p);
	dcba = _mm_shuffle_epi32(abef, 0x1b);
	hgfe = _mm_shuffle_epi32(cdgh, 0xb1);
	_mm_storeu_si128(at, _mm_blend_epi16(dcba, hgfe, 0xf0));
	_mm_storeu_si128(at + 1, _mm_alignr_epi8(hgfe, dcba, 8));
}

/* gcc before 14 has no name for it in __builtin_cpu_supports. */
static int has_sha(void)
{
	unsigned a, b, c, d;

	return __builtin_cpu_supports("sse4.1") &&
	       __builtin_cpu_supports("ssse3") &&
	       __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & 1u << 29);
}
#endif

/* --- both ----------------------------------------------------------------- */

void sha256_begin(struct sha256 *s)
{
	memcpy(s->h, H0, sizeof(s->h));
	s->bytes = 0;
	s->blocks = portable;
#ifdef HAVE_X86
	if (has_sha())
		s->blocks = x86;
#endif
}

void sha256_add(struct sha256 *s, const void *data, size_t n)
{
	const uint8_t *p = data;
	size_t have = s->bytes % SHA256_BLOCK;

	s->bytes += n;
	if (have > 0) {
		size_t want = SHA256_BLOCK - have;

		if (want > n)
			want = n;
		memcpy(s->rest + have, p, want);
		p += want;
		n -= want;
		if (have + want < SHA256_BLOCK)
			return;
		s->blocks(s->h, s->rest, 1);
	}
	s->blocks(s->h, p, n / SHA256_BLOCK);
	memcpy(s->rest, p + n / SHA256_BLOCK * SHA256_BLOCK, n % SHA256_BLOCK);
}

void sha256_end(struct sha256 *s, char text[SHA256_TEXT])
{
	uint64_t bits = s->bytes * 8u;
	uint8_t pad[SHA256_BLOCK + 8u] = { 0x80 };
	size_t n = 1u + (119u - s->bytes % SHA256_BLOCK) % SHA256_BLOCK;

	for (unsigned i = 0; i < 8; i++)        /* 5.1.1 */
		pad[n + i] = (uint8_t)(bits >> (56u - 8u * i));
	sha256_add(s, pad, n + 8u);
	for (unsigned i = 0; i < 8; i++)
		(void)snprintf(text + 8u * i, 9, "%08x", (unsigned)s->h[i]);
}

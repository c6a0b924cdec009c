/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The clock and the random numbers of the front end's programs. Both are used
 * in inner loops, so they are here to be inlined.
 */
#ifndef UTIL_H
#define UTIL_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define NS_PER_S  UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)

static inline uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static inline void sleep_ns(uint64_t ns)
{
	struct timespec t = { .tv_sec = (time_t)(ns / NS_PER_S),
			      .tv_nsec = (long)(ns % NS_PER_S) };

	(void)nanosleep(&t, NULL);
}

/* A bijection of 64-bit numbers that leaves no pattern to be seen. */
static inline uint64_t mix64(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* Counter and bijection: every seed is good, zero too. One thread's. */
struct rng {
	uint64_t state;
};

static inline uint64_t rng_next(struct rng *r)
{
	r->state += UINT64_C(0x9e3779b97f4a7c15);
	return mix64(r->state);
}

/* 0..n-1; n is not 0 and less than 2^32. No division. */
static inline uint64_t rng_below(struct rng *r, uint64_t n)
{
	return ((rng_next(r) >> 32) * n) >> 32;
}

#endif

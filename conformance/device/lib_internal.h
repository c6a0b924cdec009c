/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the files of the library; tests include lib.h only.
 */
#ifndef LIB_INTERNAL_H
#define LIB_INTERNAL_H

#include "lib.h"

/* Fails if the device wrote between the pieces of memory it was given. */
void lib_check_guards(struct suite *s);

/* True if r is DUT_OK; else the run is over, with doing in its reason. */
bool lib_ok(struct suite *s, int r, const char *doing);

/* Shared memory: the device may read and write it any time. */
static inline uint16_t get16(const void *at)
{
	return le16(__atomic_load_n((const uint16_t *)at, __ATOMIC_RELAXED));
}

static inline uint32_t get32(const void *at)
{
	return le32(__atomic_load_n((const uint32_t *)at, __ATOMIC_RELAXED));
}

static inline void put16(void *at, uint32_t v)
{
	__atomic_store_n((uint16_t *)at, le16((uint16_t)v), __ATOMIC_RELAXED);
}

static inline void put32(void *at, uint32_t v)
{
	__atomic_store_n((uint32_t *)at, le32(v), __ATOMIC_RELAXED);
}

static inline void put64(void *at, uint64_t v)
{
	*(uint64_t *)at = le64(v);
}

/* The driver's stores before it are visible before those after it; also a
 * full barrier before it reads what the device wants (2.7.13.3.1). */
static inline void fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

#endif

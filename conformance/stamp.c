/* SPDX-License-Identifier: BSD-2-Clause */
/* Three words in clear, mixed with the seed; then 61 that follow from them. */
#include "stamp.h"

#include <stdio.h>
#include <string.h>

#include "util.h"
#include "virtio.h"

#define WORDS 64u
#define MARK  UINT64_C(0x7374616d70656421)

static void make(uint64_t *w, uint64_t seed, uint64_t sector, uint64_t gen)
{
	uint64_t x = mix64(mix64(seed ^ sector) + gen);

	w[0] = MARK ^ seed;
	w[1] = sector;
	w[2] = gen;
	for (unsigned i = 3; i < WORDS; i++) {
		x += UINT64_C(0x9e3779b97f4a7c15);
		w[i] = x ^ (x >> 29);
	}
}

void stamp_fill(void *to, uint64_t seed, uint64_t sector, uint32_t generation)
{
	uint64_t w[WORDS];

	make(w, seed, sector, generation);
	memcpy(to, w, sizeof(w));
}

bool stamp_check(const void *from, uint64_t seed, uint64_t sector,
		 uint32_t generation)
{
	uint64_t w[WORDS] = { 0 };

	if (generation == STAMP_UNKNOWN)
		return true;
	if (generation >= STAMP_FIRST)
		make(w, seed, sector, generation);
	return !memcmp(from, w, sizeof(w));
}

void stamp_describe(const void *from, uint64_t seed, char *text, size_t size)
{
	uint64_t w[WORDS];

	if (stamp_check(from, seed, 0, STAMP_ZERO)) {
		(void)snprintf(text, size, "zeroes");
		return;
	}
	memcpy(w, from, sizeof(w));
	if (w[0] != (MARK ^ seed)) {
		(void)snprintf(text, size, "no stamp of this run (%016llx...)",
			       (unsigned long long)le64(w[0]));
		return;
	}
	(void)snprintf(text, size, "sector %llu, generation %llu%s",
		       (unsigned long long)w[1], (unsigned long long)w[2],
		       stamp_check(from, seed, w[1], (uint32_t)w[2])
			       ? ""
			       : ", damaged");
}

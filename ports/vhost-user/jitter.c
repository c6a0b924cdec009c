/* SPDX-License-Identifier: BSD-2-Clause */
#include "jitter.h"

#include <stdlib.h>

struct late { struct store_done done; uint64_t due_ns; };

struct jitter {
	size_t most, n;
	uint64_t max_ns, random;
	struct late late[];
};

struct jitter *jitter_make(size_t most, unsigned max_us)
{
	struct jitter *j = calloc(1, sizeof(*j) + most * sizeof(j->late[0]));

	if (!j)
		return NULL;
	j->most = most;
	j->max_ns = (uint64_t)max_us * 1000u;
	j->random = UINT64_C(0x9e3779b97f4a7c15);
	return j;
}

void jitter_free(struct jitter *j)
{
	free(j);
}

static uint64_t next(struct jitter *j)  /* xorshift64 */
{
	j->random ^= j->random << 13;
	j->random ^= j->random >> 7;
	j->random ^= j->random << 17;
	return j->random;
}

void jitter_put(struct jitter *j, const struct store_done *done, size_t n,
		uint64_t now_ns)
{
	for (size_t i = 0; i < n && j->n < j->most; i++) {
		j->late[j->n].done = done[i];
		j->late[j->n].due_ns = now_ns + next(j) % (j->max_ns + 1u);
		j->n++;
	}
}

size_t jitter_take(struct jitter *j, struct store_done *out, size_t max,
		   uint64_t now_ns)
{
	size_t taken = 0;

	for (size_t i = 0; i < j->n && taken < max;) {
		if (j->late[i].due_ns > now_ns) {
			i++;
			continue;
		}
		out[taken++] = j->late[i].done;
		j->late[i] = j->late[--j->n];
	}
	return taken;
}

size_t jitter_held(const struct jitter *j)
{
	return j->n;
}

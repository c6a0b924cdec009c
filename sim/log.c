/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The in-flight logs when the back end dies between two stores of one. The
 * core's log code calls vblk_log_fence wherever the order of its stores counts;
 * what it stores from one fence to the next a compiler may put in any order. So
 * a death at a fence leaves none, or any part of the stores since the fence
 * before.
 */
#include <string.h>

#include "sim.h"
#include "sim_arch.h"

#define LOG_WORDS (SIM_LOG_BYTES / 2u)

static void keep(struct world *w)
{
	for (unsigned i = 0; i < w->disks; i++)
		for (unsigned q = 0; q < w->k.queues; q++)
			memcpy(w->log_was[i][q], w->kept[i].log[q],
			       SIM_LOG_BYTES);
	w->log_kept = true;
}

/* Of n words that changed since, one is as it was. */
static void lose(struct world *w, uint32_t n)
{
	for (unsigned i = 0; i < w->disks; i++)
		for (unsigned q = 0; q < w->k.queues; q++) {
			uint16_t *now = (uint16_t *)(void *)w->kept[i].log[q];

			for (unsigned k = 0; k < LOG_WORDS; k++)
				if (now[k] != w->log_was[i][q][k] &&
				    rng_one_in(&w->rng, n))
					now[k] = w->log_was[i][q][k];
		}
}

static bool dies(struct world *w)
{
	uint64_t n = ++w->n.fences;

	if (w->log_kept)
		return true;
	if (n + 1u == w->k.kill_log || rng_one_in(&w->rng, w->k.kill_fence))
		keep(w);
	return n == w->k.kill_log; /* the first of all */
}

void vblk_log_fence(void)
{
	if (!dies(world))
		return;
	if (world->log_kept)
		lose(world,
		     world->k.kill_lose ? 1u : rng_range(&world->rng, 1, 2));
	world->log_kept = false;
	bus_settle();
	longjmp(world->killed, 1);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Named kinds of run, and the knobs that a command line may set. */
#ifndef SIM_PROFILE_H
#define SIM_PROFILE_H

#include "sim.h"

struct profile {
	const char *name, *what;
	uint64_t steps;         /* default of one run */
	void (*shape)(struct knobs *k, struct rng *r);
};

extern const struct profile profiles[];
extern const unsigned num_profiles;

const struct profile *profile_find(const char *name);

/* What the seed makes of a profile. */
void profile_knobs(const struct profile *p, uint64_t seed, uint64_t steps,
		   struct knobs *k);

/* A knob as the command line names it, for overriding and for shrinking. */
struct knob {
	const char *name, *what;
	size_t offset, size;    /* of its field in struct knobs */
};

extern const struct knob knobs[];
extern const unsigned num_knobs;

uint64_t knob_get(const struct knobs *k, const struct knob *o);
void knob_set(struct knobs *k, const struct knob *o, uint64_t v);

#endif

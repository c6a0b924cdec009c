/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine that a device tree describes; spec/binding.md. */
#ifndef SIM_TREE_H
#define SIM_TREE_H

#include "sim.h"

struct tree {
	const char *file;
	struct machine machine;
	unsigned disks, queues, qsize;  /* the last two 0: not said */
	enum regime regime;
	bool transient, doorbell, level;
};

/*
 * False, with one line in why: it cannot be read, the parser refuses it, or
 * there is something in it that is not simulated.
 */
bool tree_load(struct tree *t, const char *file, char *why, size_t size);

/* What the tree says, in place of what the seed chose. */
void tree_shape(const struct tree *t, struct knobs *k);

#endif

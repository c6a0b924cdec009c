/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A flattened device tree, walked from its first node to its last without
 * building anything (Devicetree Specification 0.4, chapter 5). Every read is
 * checked against the blob's own size: a broken one ends the walk early.
 */
#ifndef DT_H
#define DT_H

#include <stdbool.h>
#include <stdint.h>

#define DT_DEPTH 16u            /* nodes below are passed over */
#define DT_PATH  256u

struct dt_prop {
	const uint8_t *value;
	uint32_t bytes;
};

struct dt_level {               /* what a node says of its children */
	uint32_t address_cells, size_cells;
	struct dt_prop ranges;
	bool has_ranges;
	uint32_t path;          /* length, up to here */
};

struct dt_walk {
	const uint8_t *structs;
	uint32_t struct_bytes;
	const char *strings;
	uint32_t string_bytes;

	uint32_t at;            /* next token */
	uint32_t props;         /* first property of this node */
	uint32_t depth;         /* of this node; the root has 0 */
	bool started;
	struct dt_level level[DT_DEPTH + 1];
	char path[DT_PATH];
};

/* NULL, or what is wrong. */
const char *dt_open(struct dt_walk *w, const void *blob);

/* To the next node; false at the end. */
bool dt_next(struct dt_walk *w);

bool dt_prop(const struct dt_walk *w, const char *name, struct dt_prop *p);

/* A property that is a string, ended; NULL if there is none. */
const char *dt_string(const struct dt_walk *w, const char *name);

/* Does the node's list "compatible" have this? */
bool dt_is(const struct dt_walk *w, const char *compatible);

/* Is it not disabled? */
bool dt_enabled(const struct dt_walk *w);

/* Range i of "reg", as an address of the CPU; false if there is none. */
bool dt_reg(const struct dt_walk *w, uint32_t i, uint64_t *base,
	    uint64_t *bytes);

/* Cell i of a property; 0 beyond its end. */
uint32_t dt_cell(const struct dt_prop *p, uint32_t i);

#endif

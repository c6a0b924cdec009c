/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parts of the parser, each a file:
 *
 *   dt.c        the tree as a whole: its disks, its memory
 *   dt_disk.c   one disk's node: what it serves, where its memory is
 *   dt_notify.c registers and interrupt of one
 *   dt_tree.c   trees in general
 *   dt_blob.c   the blob as a whole
 *
 * Functions that return int: negative is refused, *why is filled.
 */
#ifndef DT_INTERNAL_H
#define DT_INTERNAL_H

#include <libfdt.h>

#include "dt.h"

/* --- dt_tree.c ------------------------------------------------------------ */

/* A place in the tree, and the way there: up[depth] is the node. */
struct dt_walk {
	const void *blob;
	int      up[DT_DEPTH_MAX + 1u];
	int      depth;         /* 0: the root; negative: past the last node */
	struct dt_error *why;
};

/* Always -1. property lives as long as the blob, reason for ever. */
int dt_refuse(const struct dt_walk *w, int node, const char *property,
	      const char *reason);

/* dt_blob.c: checks the whole blob, and stands at the root. */
int dt_open(struct dt_walk *w, const void *blob, size_t size,
	    struct dt_error *why);

int dt_next(struct dt_walk *w); /* 1: at a node; 0: that was the last */

/* Stands at the node whose phandle is in cell, which from's property holds. */
int dt_follow(struct dt_walk *to, const struct dt_walk *from, int node,
	      const char *property, const uint8_t *cell);

static inline int dt_here(const struct dt_walk *w)
{
	return w->up[w->depth];
}

/* Properties of node. Length, or -1 if there is none: refuses nothing. */
int dt_bytes(const struct dt_walk *w, int node, const char *name,
	     const uint8_t **at);

/* 1: *out is set; 0: there is none and *out stays. */
int dt_u32(const struct dt_walk *w, int node, const char *name, uint32_t *out);
int dt_flag(const struct dt_walk *w, int node, const char *name, bool *out);
int dt_string(const struct dt_walk *w, int node, const char *name,
	      const char **out);

/* 1: node's compatible has name; 0: no. */
int dt_compatible(const struct dt_walk *w, int node, const char *name);

/* 1: neither this node nor one above it is switched off by status. */
int dt_available(const struct dt_walk *w);

/*
 * Entry number `entry` of this node's reg, as an address of the root's; this is
 * not the root. 0: reg has fewer. Not empty, does not wrap.
 */
int dt_reg(const struct dt_walk *w, unsigned entry, struct vblk_range *out);

int dt_whole_pages(const struct dt_walk *w, const struct vblk_range *r);

/* --- dt_disk.c ------------------------------------------------------------ */

/* 1: this node is a disk of ours. */
int dt_is_disk(const struct dt_walk *w);
int dt_read_disk(const struct dt_walk *w, struct dt_disk *out);

/* dt_notify.c: this part of it */
int dt_read_notification(const struct dt_walk *w, struct dt_disk *d);

/* --- small things --------------------------------------------------------- */

/* libfdt needs strlen and memcmp of a platform, but not strcmp */
static inline bool dt_same(const char *a, const char *b)
{
	return strlen(a) == strlen(b) && memcmp(a, b, strlen(a)) == 0;
}

static inline uint32_t dt_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

static inline bool dt_overlap(uint64_t a, uint64_t a_len, uint64_t b,
			      uint64_t b_len)
{
	return a < b ? b - a < a_len : a - b < b_len;
}

#endif

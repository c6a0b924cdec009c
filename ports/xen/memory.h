/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest's memory for one disk, in one of three regimes (docs/design.md):
 *
 *     WHOLE      all RAM mapped beforehand, in chunks side by side
 *     ON_DEMAND  granules of guest pages, mapped when the core misses them; the
 *                core's region table is the cache and evicts
 *     GRANTS     addresses with bit 63 are grant references; mapped for a
 *                request and unmapped before its completion is published
 *
 * No more than `cap` foreign pages are mapped at a time on demand and by
 * grants; in WHOLE the guest's RAM is the bound.
 */
#ifndef MEMORY_H
#define MEMORY_H

#include <sys/uio.h>

#include "vblk/vblk.h"
#include "xen.h"

#define MEMORY_BANKS      8u    /* ranges of RAM */
#define MEMORY_REGIONS    64u   /* runs of present pages in WHOLE */
#define MEMORY_CAP        8192u /* pages: 32 MiB, unless the operator says */
#define MEMORY_CAP_MAX    (1u << 22)
#define MEMORY_GRANULE    64u   /* pages mapped at a time, at most */

enum regime { REGIME_AUTO, REGIME_WHOLE, REGIME_ON_DEMAND, REGIME_GRANTS };

extern const char *const regime_names[4];

struct memory {
	struct xen *xen;
	uint32_t domain;
	enum regime regime;     /* never AUTO once it is open */
	uint32_t cap;           /* pages */
	uint32_t mapped, most;  /* pages now, and ever */
	uint32_t granule;       /* pages, power of two */
	/* WHOLE: RAM that was given, or found */
	struct vblk_range ram[MEMORY_BANKS];
	unsigned banks;
	struct vblk_region region[MEMORY_REGIONS];
	unsigned regions;
	struct iovec reserved[MEMORY_BANKS]; /* addresses of ours, one a bank */
	unsigned reservations;
};

/*
 * WHOLE: maps all of ram (banks 0: the RAM is looked for where Xen puts an Arm
 * guest's). -1 with one line in why; nothing stays mapped then.
 */
int memory_map_all(struct memory *m, char *why, size_t size)
	__attribute__((warn_unused_result));

/* Everything that memory_map_all mapped. */
void memory_unmap_all(struct memory *m);

/*
 * ON_DEMAND and GRANTS: the regions that the core's cache may have, and the
 * granule that keeps so many within the cap. 0: the cap is too small for a disk
 * of so many queues and segments; *least is the cap it needs.
 */
uint16_t memory_plan(struct memory *m, unsigned queues, unsigned segs,
		     uint32_t *least);

/* The HAL's map and unmap (MAP-1 to MAP-4). ring: part of a queue's areas. */
int memory_map(struct memory *m, const struct vblk_range *want, bool ring,
	       struct vblk_region *out);
void memory_unmap(struct memory *m, const struct vblk_region *r);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the driver's addresses go through an IOMMU that the front end plays
 * (ACCESS_PLATFORM): translations it gave us, and misses it was told of. The
 * control thread adds to it while the lane looks up and asks, under the disk's
 * lock, and takes away while the lane is paused.
 */
#ifndef IOTLB_H
#define IOTLB_H

#include "memory.h"
#include "vblk/vblk.h"

#define IOTLB_ENTRIES 2048u
#define IOTLB_MISSES  64u       /* asked for and not answered */

struct translation {
	uint64_t iova, size;
	uint64_t gpa;           /* for the log of dirty pages */
	uint8_t *host;
	uint32_t perm;          /* VBLK_READ, VBLK_WRITE */
};

struct miss { uint64_t iova; uint32_t perm; bool refused; };

struct iotlb {
	unsigned n, misses;
	struct translation entry[IOTLB_ENTRIES]; /* sorted by iova */
	struct miss miss[IOTLB_MISSES]; /* in the order they were sent */
};

/* False: it lies outside the front end's memory, or the table is full. */
bool iotlb_update(struct iotlb *t, const struct memory *m,
		  const struct msg_iotlb *u);
void iotlb_invalidate(struct iotlb *t, uint64_t iova, uint64_t size);
void iotlb_clear(struct iotlb *t);

/*
 * As HAL's map, at most most bytes: OK and *out (without dirty) and *gpa; else
 * EUNMAPPED and *ask: whether the front end must be told; EGUEST: it said that
 * there is none.
 */
int iotlb_map(struct iotlb *t, const struct vblk_range *want, uint64_t window,
	      struct vblk_region *out, bool *ask);

/* The real address behind iova; it is mapped. */
uint64_t iotlb_gpa(const struct iotlb *t, uint64_t iova);

/* The oldest miss was answered: refused or not. */
void iotlb_answered(struct iotlb *t, bool refused);

#endif

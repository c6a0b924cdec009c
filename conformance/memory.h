/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest memory: regions with three addresses each, none of which follows from
 * the others: where the guest sees it (gpa), where the front end claims to have
 * it (uva), and where it is in its memfd (offset). The uva is an invented
 * number, which is all that a back end can use it as; host is where it really
 * is. A back end that mixes any two of them up finds no memory there.
 *
 * Memory is handed out from the front of a region and never returned.
 */
#ifndef MEMORY_H
#define MEMORY_H

#include <stdint.h>

#include "front.h"

#define MEM_REGIONS FRONT_REGIONS_MAX
#define MEM_PAGE    4096u
#define MEM_NONE    UINT64_MAX

struct mem_region {
	struct front_region at;
	int fd;
	uint8_t *host;
	uint64_t used;          /* bytes handed out */
};

struct mem {
	struct mem_region region[MEM_REGIONS];
	unsigned regions;
};

/* A region of fresh zeroes; 0, or -1 with errno. All four of *at count. */
int mem_add(struct mem *m, const struct front_region *at);
void mem_free(struct mem *m);

/* A guest address, or MEM_NONE if the region is full. align: power of two. */
uint64_t mem_alloc(struct mem *m, unsigned region, uint64_t bytes,
		   uint64_t align);

/* NULL and MEM_NONE if len bytes at gpa are not all in one region. */
uint8_t *mem_host(const struct mem *m, uint64_t gpa, uint64_t len);
uint64_t mem_uva(const struct mem *m, uint64_t gpa, uint64_t len);

/* One past the last guest address. */
uint64_t mem_end(const struct mem *m);

#endif

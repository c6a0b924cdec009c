/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The front end's memory as mapped here. Each slot has three addresses: the
 * guest's (gpa, what descriptors hold), the front end's (user, what ring
 * addresses and IOTLB entries hold) and ours (host). One control thread owns a
 * table; the lanes only see the regions that disk.c hands to the core.
 */
#ifndef MEMORY_H
#define MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guard.h"
#include "message.h"

struct slot {
	uint64_t gpa, size, user;
	uint8_t *host;          /* where gpa lies */
	bool     lost;          /* its file was shrunk, do not use it */
	void    *base;          /* what is unmapped, larger than the slot */
	size_t   len;
	struct guard *guard;
};

struct memory {
	uint64_t limit;         /* bytes in all slots; 0: none */
	uint64_t bytes;
	int      event;         /* eventfd: a slot may be lost */
	unsigned n;
	struct slot slot[MEMORY_SLOTS];
};

/*
 * Maps a slot from fd, which stays the caller's. False: *why, and nothing
 * changed.
 */
bool memory_add(struct memory *m, const struct msg_region *r, int fd,
		const char **why);

/* False: there is no such slot. */
bool memory_remove(struct memory *m, const struct msg_region *r);

void memory_clear(struct memory *m);

/* Notes what was lost since the last call; true: something was. */
bool memory_check(struct memory *m);

/* The slot with all of [user, user + len), or NULL. */
const struct slot *memory_user(const struct memory *m, uint64_t user,
			       uint64_t len);

/* --- other shared mappings ------------------------------------------------ */

/* The in-flight logs, the bitmap of dirty pages. */
struct shared {
	uint8_t *at;            /* NULL: none */
	uint64_t size;
	void    *base;
	size_t   len;
	struct guard *guard;
};

bool shared_map(struct shared *s, int fd, uint64_t offset, uint64_t size,
		int event, const char **why);
void shared_unmap(struct shared *s);

#endif

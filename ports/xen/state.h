/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a successor needs to go on with a disk: a file in memory (tmpfs), mapped
 * by whoever serves the disk. Two blobs of control state, of which one is in
 * force, and the in-flight logs of its queues, updated in place. A process that
 * is killed at any moment leaves the old blob or the new (SAV-2).
 *
 * The file is named after domain and register base, and goes when the guest
 * does. It is as trusted as its directory, which only its owner may enter;
 * garbage in it still gives no more than an error.
 */
#ifndef STATE_H
#define STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vblk/mmio.h"

/* What the guest was told when the state began; a successor tells the same. */
struct state_shape {
	uint64_t features;
	uint32_t queues, queue_size, segs, seg_max, size_max, slots, regime;
};

struct state {
	struct state_file *file; /* NULL: nothing is kept */
	size_t bytes;
	struct vblk_inflight *log[VBLK_MAX_QUEUES];
	char path[256];
};

/*
 * Is there a state of this disk, and of what shape? False: none; or of another
 * version or damaged, and then *why says so and is else empty.
 */
bool state_find(const char *dir, uint32_t domain, uint64_t base,
		struct state_shape *shape, char *why, size_t size);

/*
 * Maps the state of that shape: the one there is (take_over), or a fresh one.
 * dir NULL: nothing is kept, logs are NULL. -1 and one line in why.
 */
int state_open(struct state *s, const char *dir, uint32_t domain,
	       uint64_t base, const struct state_shape *shape, bool take_over,
	       char *why, size_t size) __attribute__((warn_unused_result));

/* HAL: save. */
void state_save(struct state *s, const struct vblk_mmio *m);

/* VBLK_OK; or as vblk_mmio_load says. m is fresh, with s->log as its logs. */
int state_load(const struct state *s, struct vblk_mmio *m)
	__attribute__((warn_unused_result));

/* remove: the guest is gone, or nobody is to go on. */
void state_close(struct state *s, bool remove);

#endif

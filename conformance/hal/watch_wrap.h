/* SPDX-License-Identifier: BSD-2-Clause */
/* Between watch.c and watch_wrap.c, which has what the linker puts in place of
 * the core's functions. */
#ifndef WATCH_WRAP_H
#define WATCH_WRAP_H

#include "vblk/hal.h"

/* The observer's functions for a lane that was made; NULL: too many lanes. */
const struct vblk_hal *watch_lane(struct vblk_lane *lane, uint64_t *ctx);

void watch_event_in(struct vblk_lane *lane, const struct vblk_event *e);
void watch_mapped(const struct vblk_region *r);
void watch_unmapped(const struct vblk_region *r);

/* False: the back end died in here, and yet came back: nothing was stored. */
bool watch_in_save(uint8_t *out, size_t size, const uint8_t *blob, int n);

#endif

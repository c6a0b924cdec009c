/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The recording accessors: what core/vblk/arch.h declares, for a core that runs
 * in the simulator. Each call is a point at which the guest may run; stores
 * wait in a store buffer, loads may be stale until a fence. See bus.h.
 */
#ifndef SIM_ARCH_H
#define SIM_ARCH_H

#include "vblk/wire.h"

struct vblk_le16 vblk_load16(const struct vblk_le16 *p);
struct vblk_le32 vblk_load32(const struct vblk_le32 *p);
void vblk_store16(struct vblk_le16 *p, struct vblk_le16 v);
void vblk_store32(struct vblk_le32 *p, struct vblk_le32 v);
void vblk_store8(uint8_t *p, uint8_t v);
void vblk_snapshot(void *dst, const void *src, uint32_t n);
void vblk_scatter(void *dst, const void *src, uint32_t n);
void vblk_rmb(void);
void vblk_wmb(void);
void vblk_mb(void);

/* In place of the in-flight log's own: the back end may die there, log.c. */
void vblk_log_fence(void);
#define vblk_log_fence vblk_log_fence

/* One thread: our own words need no care. */
static inline uint32_t vblk_shared_load(const uint32_t *p) { return *p; }
static inline void vblk_shared_store(uint32_t *p, uint32_t v) { *p = v; }
static inline void vblk_dirty_or(uint8_t *p, uint8_t bits)
{
	*p = (uint8_t)(*p | bits);
}

#endif

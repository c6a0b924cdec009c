/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arch.h for test_access.c: each access to guest memory and each fence is told
 * to the test before it happens (a load: after, so that a hostile guest can
 * change the bytes behind it at once).
 */
#ifndef VBLK_PROBE_ARCH_H
#define VBLK_PROBE_ARCH_H

#include <string.h>

#include "vblk/wire.h"

enum probe_kind { PROBE_LOAD, PROBE_STORE, PROBE_RMB, PROBE_WMB, PROBE_MB };

void probe(enum probe_kind kind, const void *at, uint32_t n);

static inline struct vblk_le16 vblk_load16(const struct vblk_le16 *p)
{
	struct vblk_le16 v = *p;

	probe(PROBE_LOAD, p, 2);
	return v;
}

static inline struct vblk_le32 vblk_load32(const struct vblk_le32 *p)
{
	struct vblk_le32 v = *p;

	probe(PROBE_LOAD, p, 4);
	return v;
}

static inline void vblk_store16(struct vblk_le16 *p, struct vblk_le16 v)
{
	probe(PROBE_STORE, p, 2);
	*p = v;
}

static inline void vblk_store32(struct vblk_le32 *p, struct vblk_le32 v)
{
	probe(PROBE_STORE, p, 4);
	*p = v;
}

static inline void vblk_store8(uint8_t *p, uint8_t v)
{
	probe(PROBE_STORE, p, 1);
	*p = v;
}

static inline void vblk_snapshot(void *dst, const void *src, uint32_t n)
{
	memcpy(dst, src, n);
	probe(PROBE_LOAD, src, n);
}

static inline void vblk_scatter(void *dst, const void *src, uint32_t n)
{
	probe(PROBE_STORE, dst, n);
	memcpy(dst, src, n);
}

static inline void vblk_rmb(void) { probe(PROBE_RMB, NULL, 0); }
static inline void vblk_wmb(void) { probe(PROBE_WMB, NULL, 0); }
static inline void vblk_mb(void) { probe(PROBE_MB, NULL, 0); }

static inline uint32_t vblk_shared_load(const uint32_t *p) { return *p; }
static inline void vblk_shared_store(uint32_t *p, uint32_t v) { *p = v; }

static inline void vblk_dirty_or(uint8_t *p, uint8_t bits)
{
	*p = (uint8_t)(*p | bits);
}

#endif

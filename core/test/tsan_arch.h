/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The names of vblk/arch.h for a build with ThreadSanitizer, which does not
 * model fences: every access to guest memory acquires or releases by itself, so
 * that the order the fences give is the order that the tool sees. Stronger than
 * the default, therefore: it shows that what needs an order goes through here,
 * not that the fences suffice.
 *
 * -DVBLK_ARCH_H='"tsan_arch.h"' -Icore/test
 */
#ifndef TSAN_ARCH_H
#define TSAN_ARCH_H

#include "vblk/wire.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef uintptr_t __attribute__((may_alias)) vblk_word;

static inline struct vblk_le16 vblk_load16(const struct vblk_le16 *p)
{
	struct vblk_le16 v;

	v.raw = __atomic_load_n(&p->raw, __ATOMIC_ACQUIRE);
	return v;
}

static inline struct vblk_le32 vblk_load32(const struct vblk_le32 *p)
{
	struct vblk_le32 v;

	v.raw = __atomic_load_n(&p->raw, __ATOMIC_ACQUIRE);
	return v;
}

static inline void vblk_store16(struct vblk_le16 *p, struct vblk_le16 v)
{
	__atomic_store_n(&p->raw, v.raw, __ATOMIC_RELEASE);
}

static inline void vblk_store32(struct vblk_le32 *p, struct vblk_le32 v)
{
	__atomic_store_n(&p->raw, v.raw, __ATOMIC_RELEASE);
}

static inline void vblk_store8(uint8_t *p, uint8_t v)
{
	__atomic_store_n(p, v, __ATOMIC_RELEASE);
}

static inline void vblk_snapshot(void *dst, const void *src, uint32_t n)
{
	const uint8_t *s = (const uint8_t *)src;
	uint8_t *d = (uint8_t *)dst;
	uint32_t i;

	if ((((uintptr_t)src | n) & (sizeof(vblk_word) - 1)) == 0) {
		for (i = 0; i < n; i += (uint32_t)sizeof(vblk_word)) {
			vblk_word w = __atomic_load_n(
				(const vblk_word *)(const void *)(s + i),
				__ATOMIC_ACQUIRE);

			__builtin_memcpy(d + i, &w, sizeof(w));
		}
		return;
	}
	for (i = 0; i < n; i++)
		d[i] = __atomic_load_n(s + i, __ATOMIC_ACQUIRE);
}

static inline void vblk_scatter(void *dst, const void *src, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		__atomic_store_n((uint8_t *)dst + i, ((const uint8_t *)src)[i],
				 __ATOMIC_RELEASE);
}

/* The acquire loads and release stores above are these two. */
static inline void vblk_rmb(void) { __atomic_signal_fence(__ATOMIC_ACQUIRE); }

static inline void vblk_wmb(void) { __atomic_signal_fence(__ATOMIC_RELEASE); }

/*
 * A store before a load of something else: neither acquire nor release orders
 * them, so this one stays a fence. The tool executes it and learns nothing from
 * it, and it has nothing to learn: no data is handed over by this order, only
 * the certainty that one of two sides sees the other's wish.
 */
static inline void vblk_mb(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

static inline uint32_t vblk_shared_load(const uint32_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline void vblk_shared_store(uint32_t *p, uint32_t v)
{
	__atomic_store_n(p, v, __ATOMIC_RELEASE);
}

static inline void vblk_dirty_or(uint8_t *p, uint8_t bits)
{
	(void)__atomic_fetch_or(p, bits, __ATOMIC_RELAXED);
}

#ifdef __cplusplus
}
#endif
#endif

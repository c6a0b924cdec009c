/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Single-copy-atomic access to memory the guest writes at the same time as us,
 * the three orderings a virtqueue needs, and the few words that two threads of
 * the same backend share. Header-only: each function is one or two
 * instructions and must stay inlined.
 *
 * A port with unusual hardware or compiler supplies its own file of the same
 * names: -DVBLK_ARCH_H='"my_arch.h"'. Memory that is not coherent with the
 * guest's CPUs: see spec/hal.md, "Memory that is not coherent".
 */
#ifndef VBLK_ARCH_DEFAULT_H
#define VBLK_ARCH_DEFAULT_H

#include "vblk/wire.h"

#ifdef VBLK_ARCH_H
#include VBLK_ARCH_H
#else

#ifdef __cplusplus
extern "C" {
#endif

typedef uintptr_t __attribute__((may_alias)) vblk_word;

/* --- guest memory: each is one load or one store, never torn or repeated -- */

static inline struct vblk_le16 vblk_load16(const struct vblk_le16 *p)
{
	struct vblk_le16 v;

	v.raw = __atomic_load_n(&p->raw, __ATOMIC_RELAXED);
	return v;
}

static inline struct vblk_le32 vblk_load32(const struct vblk_le32 *p)
{
	struct vblk_le32 v;

	v.raw = __atomic_load_n(&p->raw, __ATOMIC_RELAXED);
	return v;
}

static inline void vblk_store16(struct vblk_le16 *p, struct vblk_le16 v)
{
	__atomic_store_n(&p->raw, v.raw, __ATOMIC_RELAXED);
}

static inline void vblk_store32(struct vblk_le32 *p, struct vblk_le32 v)
{
	__atomic_store_n(&p->raw, v.raw, __ATOMIC_RELAXED);
}

static inline void vblk_store8(uint8_t *p, uint8_t v)
{
	__atomic_store_n(p, v, __ATOMIC_RELAXED);
}

/*
 * Copy n bytes the guest may be changing. Each byte is read once: by words
 * where src and n allow (a descriptor is two 64-bit loads), else by bytes.
 */
static inline void vblk_snapshot(void *dst, const void *src, uint32_t n)
{
	uint32_t i;

	if ((((uintptr_t)src | n) & (sizeof(vblk_word) - 1)) == 0) {
		for (i = 0; i < n; i += (uint32_t)sizeof(vblk_word)) {
			vblk_word w = *(
				const volatile vblk_word *)((const char *)src +
							    i);

			__builtin_memcpy((char *)dst + i, &w, sizeof(w));
		}
		return;
	}
	for (i = 0; i < n; i++)
		((uint8_t *)dst)[i] = ((const volatile uint8_t *)src)[i];
}

/* Copy n of our own bytes to the guest. */
static inline void vblk_scatter(void *dst, const void *src, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		((volatile uint8_t *)dst)[i] = ((const uint8_t *)src)[i];
}

/*
 * avail->idx was read; now its ring entries and descriptors may be. Pairs with
 * the driver's write barrier before it moves avail->idx (2.7.13.3.1).
 */
static inline void vblk_rmb(void) { __atomic_thread_fence(__ATOMIC_ACQUIRE); }

/*
 * Data, status and used elements were written; now used->idx may be. Pairs with
 * the driver's read barrier after it reads used->idx (2.7.14).
 */
static inline void vblk_wmb(void) { __atomic_thread_fence(__ATOMIC_RELEASE); }

/*
 * used->idx or avail_event was written; now the driver's index may be read.
 * Pairs with the driver's full barriers of 2.7.13.4.1 and 2.7.7.2: without it a
 * kick or an interrupt is lost.
 */
static inline void vblk_mb(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

/* --- our own memory, shared between lanes --------------------------------- */

/* Words with one writer and any readers; what came before a store is seen. */
static inline uint32_t vblk_shared_load(const uint32_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline void vblk_shared_store(uint32_t *p, uint32_t v)
{
	__atomic_store_n(p, v, __ATOMIC_RELEASE);
}

/* Set bits in a dirty bitmap that several lanes and the VMM share. */
static inline void vblk_dirty_or(uint8_t *p, uint8_t bits)
{
#ifdef __GCC_HAVE_SYNC_COMPARE_AND_SWAP_1
	__atomic_fetch_or(p, bits, __ATOMIC_RELAXED);
#else                           /* Armv6-M: one core, one lane */
	*(volatile uint8_t *)p |= bits;
#endif
}

#ifdef __cplusplus
}
#endif
#endif
#endif

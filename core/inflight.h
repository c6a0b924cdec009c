/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The in-flight log in the two layouts that vhost-user gives: a header and an
 * entry for each descriptor, of 16 bytes for a split ring and 32 for a packed
 * one. They have in common what inflight.c reads; inflight_packed.c knows the
 * rest.
 *
 * The log is written by this core but lies in memory that outlives it and that
 * others may share (a VMM), so what is read from it is checked like anything
 * else, at any time.
 */
#ifndef VBLK_INFLIGHT_H
#define VBLK_INFLIGHT_H

#include "dev.h"

struct vblk_inflight {          /* our own byte order: same host */
	uint64_t counter;       /* vhost-user: features; ours to use */
	uint16_t version;
	uint16_t size;
	union {
		uint16_t last_batch_head; /* split */
		uint16_t free_head; /* packed */
	};
	union {
		uint16_t used_idx; /* split */
		uint16_t old_free_head; /* packed */
	};
};

struct log_entry {
	uint8_t inflight;
	uint8_t padding;
	uint16_t link;          /* packed: the next of its list */
	uint16_t last;          /* packed: of the chain */
	union {
		uint16_t next;  /* split: the head before it in its batch */
		uint16_t num;   /* packed: descriptors in the chain */
	};
	uint64_t counter;
};

_Static_assert(sizeof(struct vblk_inflight) == 16, "log header");
_Static_assert(sizeof(struct log_entry) == 16, "log entry");

static inline size_t log_stride(bool packed)
{
	return packed ? 32 : 16;
}

/* The header takes the room of one entry. */
static inline struct log_entry *log_at(const struct vblk_inflight *log,
				       bool packed, uint32_t i)
{
	return (struct log_entry *)(void *)((uint8_t *)(uintptr_t)log +
					    (i + 1u) * log_stride(packed));
}

/*
 * What another process reads after a crash must be there in program order;
 * compiler order is enough, the kernel or hypervisor orders the rest. The
 * simulator's arch.h has another, which is where it kills.
 */
#ifndef vblk_log_fence
#define vblk_log_fence() __atomic_signal_fence(__ATOMIC_SEQ_CST)
#endif

static inline __attribute__((always_inline)) void in_order(void)
{
	vblk_log_fence();
}

/* The entry that a word names; a log whose word names none was tampered with.
 */
static inline bool log_names(const struct queue *q, const uint16_t *word,
			     uint16_t *entry)
{
	*entry = __atomic_load_n(word, __ATOMIC_RELAXED);
	return *entry < q->size;
}

/* The queue has a log, and an earlier life has begun it. */
static inline bool log_goes_on(const struct queue *q)
{
	return log_of(q) && log_of(q)->version != 0;
}

/* inflight.c */
void vblk_log_fresh_start(struct queue *q);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-mmio register file, version 2 (virtio 1.4, 4.2), in front of a vblk.
 * A client of vblk.h like any other: vhost-user and PCI do without it.
 *
 * Every offset, size and value has a defined result: what 4.2.2 does not name
 * reads 0 and ignores writes, as do accesses of a size it does not allow.
 *
 * Threads: vblk_mmio_raise may be called by the lane that serves the queue, all
 * else by one thread; with the device's other lanes parked for writes to any
 * register but QueueNotify and InterruptACK, and for vblk_mmio_settle while
 * vblk_mmio_waits.
 */
#ifndef VBLK_MMIO_H
#define VBLK_MMIO_H

#include "vblk/vblk.h"

#ifdef __cplusplus
extern "C" {
#endif

#define VBLK_MMIO_BYTES 0x200u  /* of address space: registers and config */

struct vblk_mmio_queue {
	bool     ready;         /* QueueReady */
	bool     stopping; /* QueueReady = 0 waits for requests in flight */
	bool     resetting;     /* QueueReset likewise */
	bool     used_from_ring; /* where a suspended queue stood: */
	uint16_t avail, used;
	struct vblk_queue_addr addr; /* QueueDesc, Driver, Device, Size */
	uint32_t raised, acked; /* one writer each: lane, register file */
};

/* Fields are private; vblk_mmio_init fills them. */
struct vblk_mmio {
	struct vblk *dev;
	struct vblk_inflight *const *log; /* num_queues pointers, or NULL */
	bool     resetting;     /* Status = 0 waits for requests in flight */
	bool     suspending;    /* SUSPEND likewise */
	bool     unannounced;   /* configuration changed while suspended */
	uint16_t num_queues, queue_size; /* the device's configuration */
	uint32_t vendor;        /* VendorID */
	uint32_t features_sel, driver_features_sel, queue_sel;
	uint32_t status; /* Status; a fault adds NEEDS_RESET on reading */
	uint32_t generation;
	uint32_t changed, changed_acked;        /* configuration changes */
	uint32_t fault_acked;
	uint64_t driver_features;
	struct vblk_mmio_queue queue[VBLK_MAX_QUEUES];
};

/* What a write obliges the caller to do next. */
enum vblk_effect {
	VBLK_FX_KICK = 1,       /* poll queue vblk_mmio_notified(value) */
	VBLK_FX_SAVE = 2, /* control state changed: store it, then answer */
	VBLK_FX_HOLD = 4, /* answer only when vblk_mmio_settle says true */
	VBLK_FX_LINE = 8,       /* vblk_mmio_line may have fallen */
	VBLK_FX_START = 16,     /* queues were started: poll them all */
	VBLK_FX_CHANGED = 32    /* a configuration change is to be announced */
};

/*
 * Reset state. log: NULL, or one pointer a queue (each may be NULL) for
 * vblk_queue_start; the array and the logs stay the caller's.
 */
void vblk_mmio_init(struct vblk_mmio *m, struct vblk *dev, uint32_t vendor,
		    struct vblk_inflight *const *log);

/* 4.2.2. size in bytes. */
uint64_t vblk_mmio_read(const struct vblk_mmio *m, uint64_t offset,
			unsigned size);

/* 4.2.2. Returns enum vblk_effect bits. */
unsigned vblk_mmio_write(struct vblk_mmio *m, uint64_t offset, unsigned size,
			 uint64_t value);

/*
 * The queue that a value written to QueueNotify names: all of it, or with
 * NOTIFICATION_DATA its low half (4.2.3.3). vblk_kick judges it.
 */
uint32_t vblk_mmio_notified(const struct vblk_mmio *m, uint32_t value);

/*
 * How many resets, QueueReady = 0, QueueReset and SUSPEND wait for requests in
 * flight.
 */
unsigned vblk_mmio_waits(const struct vblk_mmio *m);

/*
 * After completions: finishes resets, queue stops and SUSPEND that waited for
 * them. True: no access waits for its answer any more.
 */
bool vblk_mmio_settle(struct vblk_mmio *m);

/* vblk_irq said true for queue: set InterruptStatus bit 0. */
void vblk_mmio_raise(struct vblk_mmio *m, uint16_t queue);

/*
 * After vblk_resize: bump ConfigGeneration, set InterruptStatus bit 1. True:
 * the driver must be told; else it does not run, or is told when it resumes
 * (3.4).
 */
bool vblk_mmio_config_changed(struct vblk_mmio *m);

/* Is InterruptStatus non-zero? For level-triggered platforms. */
bool vblk_mmio_line(const struct vblk_mmio *m);

#define VBLK_MMIO_STATE_BYTES \
	(48u + VBLK_MAX_QUEUES * 32u + VBLK_STATE_BYTES)

/*
 * vblk_save and vblk_load with the registers. load wants a fresh device and
 * a fresh register file; every interrupt counts as raised afterwards.
 */
int vblk_mmio_save(const struct vblk_mmio *m, void *out, size_t size)
	__attribute__((warn_unused_result));
int vblk_mmio_load(struct vblk_mmio *m, const void *in, size_t size)
	__attribute__((warn_unused_result));

#ifdef __cplusplus
}
#endif
#endif

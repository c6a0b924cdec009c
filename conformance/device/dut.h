/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device under test, as the tests see it: one struct of operations that an
 * attachment fills (the simulator in this process, a vhost-user socket, the
 * registers of a bare-metal guest). Tests know nothing else of a device, and
 * nothing here knows how a device is made.
 *
 * Freestanding: no libc beyond memcpy, memset and memcmp, no allocation. Shares
 * no code and no header with the core, so that a mistake there is seen here.
 *
 * The device is not trusted. An operation returns within a bound whatever the
 * device does: DUT_OK, or DUT_LOST once it hangs, dies or breaks the protocol
 * (dut.why says what was awaited), or DUT_CANNOT where the transport has no way
 * to say it. After DUT_LOST every operation says DUT_LOST until the next open.
 *
 * One thread uses a struct dut. Integers are in host byte order; bytes in guest
 * memory are the library's business.
 */
#ifndef DUT_H
#define DUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DUT_WHY     160u        /* bytes, with the end */
#define DUT_REGIONS 4u
#define DUT_QUEUES  32u         /* that the suite looks at */

enum dut_result {
	DUT_OK = 0,
	DUT_LOST = -1,          /* see dut.why */
	DUT_CANNOT = -2         /* not with this transport */
};

/* What the transport or the platform can do: dut.can. */
#define DUT_REGS        (1u << 0) /* reg_read, reg_write: virtio-mmio */
#define DUT_STATUS      (1u << 1) /* status_read is the device's own answer */
#define DUT_GENERATION  (1u << 2) /* config_generation */
#define DUT_NOTIFY_DATA (1u << 3) /* notify carries data */
#define DUT_QUEUE_RESET (1u << 4) /* queue_reset: one queue alone */
#define DUT_QUEUE_READY (1u << 5) /* queue_ready is the device's answer */
#define DUT_IRQ_QUEUE   (1u << 6) /* dut_irq.used says which queue */
#define DUT_IRQ_CONFIG  (1u << 7) /* configuration changes are told */
#define DUT_IRQ_ERROR   (1u << 8) /* dut_irq.error is filled */
#define DUT_SUSPEND     (1u << 9) /* the SUSPEND bit of status is carried */
/* What can be done to the device from behind, with event(). */
#define DUT_RESIZE      (1u << 16)
#define DUT_HOLD        (1u << 17)
#define DUT_CUT         (1u << 18)
#define DUT_STORE_ERROR (1u << 19)
#define DUT_REORDER     (1u << 20)

enum dut_event {
	DUT_EVENT_RESIZE,       /* capacity becomes value sectors */
	DUT_EVENT_HOLD,         /* 1: the store completes nothing; 0: goes on */
	DUT_EVENT_CUT,          /* power fails: what is not stable is lost; the
				 * device is as after open, memory as it was */
	DUT_EVENT_STORE_ERROR,  /* the store fails its next value operations */
	DUT_EVENT_REORDER       /* 1: the store completes last first; 0: not */
};

/* What the tests may expect beyond the standard: dut.policy. */
enum dut_policy {
	DUT_POLICY_UNKNOWN,     /* somebody else's device */
	DUT_POLICY_CONTAIN,     /* spec/trust.md: a bad chain fails alone */
	DUT_POLICY_STOP         /* spec/trust.md: it stops the device */
};

/* What has been raised since irq_take was called last. */
struct dut_irq {
	uint32_t used;          /* bit per queue; without DUT_IRQ_QUEUE all bits
				 * or none */
	uint32_t error;         /* bit per queue: error descriptor */
	bool config;
};

struct dut_region {             /* memory that driver and device share */
	uint8_t *host;
	uint64_t addr;          /* as the device is told */
	uint64_t bytes;
};

struct dut_queue {
	uint32_t size;
	uint64_t desc, driver, device; /* guest addresses of the three areas */
};

struct dut;

struct dut_ops {
	/*
	 * A device after reset and before ACKNOWLEDGE, whatever state it was
	 * left in, with every queue off, events undone, nothing pending. Shared
	 * memory is as it was. Also the way back after DUT_LOST.
	 */
	int (*open)(struct dut *d);

	/* --- device status, features, configuration ----------------------- */

	int (*status_read)(struct dut *d, uint32_t *status);
	/* Writing 0 is a reset; it returns once the write was answered, not
	 * once the reset is over. */
	int (*status_write)(struct dut *d, uint32_t status);

	int (*features_read)(struct dut *d, uint64_t *bits);
	int (*features_write)(struct dut *d, uint64_t bits);

	/* n bytes at offset of the block device's configuration, each field by
	 * an access of its own width. */
	int (*config_read)(struct dut *d, uint32_t offset, void *to,
			   uint32_t n);
	int (*config_write)(struct dut *d, uint32_t offset, const void *from,
			    uint32_t n);
	int (*config_generation)(struct dut *d, uint32_t *generation);

	/* --- queues ------------------------------------------------------- */

	/* The largest size; 0: there is no such queue. */
	int (*queue_max)(struct dut *d, uint32_t queue, uint32_t *size);
	/* Where the queue is; it is not on yet. */
	int (*queue_set)(struct dut *d, uint32_t queue,
			 const struct dut_queue *q);
	int (*queue_enable)(struct dut *d, uint32_t queue);
	int (*queue_ready)(struct dut *d, uint32_t queue, bool *ready);
	/* Begins the reset of one queue (RING_RESET); ongoing is then asked
	 * by queue_resetting. queue_set and queue_enable turn it on again. */
	int (*queue_reset)(struct dut *d, uint32_t queue);
	int (*queue_resetting)(struct dut *d, uint32_t queue, bool *ongoing);

	int (*notify)(struct dut *d, uint32_t queue);
	/* data: the whole word with NOTIFICATION_DATA, the queue's index in
	 * its low half. */
	int (*notify_data)(struct dut *d, uint32_t queue, uint32_t data);

	/* --- what the device does ----------------------------------------- */

	/* What was raised since the last call; it is acknowledged. */
	int (*irq_take)(struct dut *d, struct dut_irq *irq);

	/*
	 * Lets the device run until ready(arg), or until ms have passed (of
	 * the device's time). *came: what ready said last.
	 */
	int (*wait)(struct dut *d, bool (*ready)(void *arg), void *arg,
		    uint32_t ms, bool *came);

	/* Lets it run as long as it takes to be sure that what it has not done
	 * by now it is not going to do. */
	int (*settle)(struct dut *d);

	/* --- virtio-mmio registers, with DUT_REGS ------------------------- */

	/* One access of width 1, 2, 4 or 8 bytes, as wide as it says. */
	int (*reg_read)(struct dut *d, uint32_t offset, uint32_t width,
			uint64_t *value);
	int (*reg_write)(struct dut *d, uint32_t offset, uint32_t width,
			 uint64_t value);

	/* --- from behind -------------------------------------------------- */

	/* DUT_CANNOT unless can says so. */
	int (*event)(struct dut *d, enum dut_event e, uint64_t value);

	/* --- for people --------------------------------------------------- */

	/* One line without its end; valid during the call only. May be NULL. */
	void (*log)(struct dut *d, const char *line);
};

struct dut {
	const struct dut_ops *ops;
	void *self;             /* the attachment's */
	const char *name;       /* for people: what it is, where, how set up */
	uint32_t can;           /* DUT_ bits */
	enum dut_policy policy;
	uint32_t wait_ms;       /* a well-behaved answer takes less */

	/* Set by open. Region 0 has at least 1 MiB. */
	struct dut_region region[DUT_REGIONS];
	uint32_t regions;
	/* Guest addresses at which there is no memory; 0 bytes: not known. */
	uint64_t bad_addr, bad_bytes;

	char why[DUT_WHY];      /* of DUT_LOST */
};

#endif

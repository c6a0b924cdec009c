/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hardware abstraction layer: what a platform supplies to a lane.
 *
 * A lane is one thread of execution that serves some queues of one device. The
 * platform pushes what happened into it (vblk_lane_event) or lets it pull
 * (events), then drains it: the lane polls the core, submits batches, answers
 * held accesses and signals the driver.
 *
 *   Xen        the IOREQ thread routes each access by address to a disk's lane
 *   vhost-user one lane per queue and thread, no register file
 *   EL2        the trap handler pushes and drains on the trapping CPU
 *   RTOS       one task, one lane, a mailbox filled by interrupt handlers
 *
 * Of the core only run.c includes this file. Each clause binds one party to one
 * obligation and has one test named after it; spec/hal.md gives each clause's
 * reason. No function may call back into the device or the lane, but save,
 * which reads it. "Bounded": no waiting for the guest. The port is trusted, the
 * guest is not.
 */
#ifndef VBLK_HAL_H
#define VBLK_HAL_H

#include "vblk/mmio.h"

#ifdef __cplusplus
extern "C" {
#endif

#define VBLK_HAL_VERSION 1u

#ifndef VBLK_BATCH
#define VBLK_BATCH 16u          /* requests handed to submit at once, 1..256 */
#endif
#ifndef VBLK_MAX_HELD
#define VBLK_MAX_HELD 8u /* guest CPUs that may wait in one access, 1..64 */
#endif

/* Signal sources that are not queues */
#define VBLK_SOURCE_CONFIG 0xffffu /* NEEDS_RESET; a resize the port signals */
#define VBLK_SOURCE_LINE   0xfffeu /* down only: all is acknowledged */

struct vblk_access {            /* one trapped register access */
	uint64_t  offset;       /* from the start of the register file */
	uint64_t  value;        /* what a write carries */
	uintptr_t who; /* names the waiting CPU; handed back untouched */
	uint8_t   size;         /* bytes */
	bool      write;
};

enum vblk_event_kind {
	VBLK_EV_ACCESS,         /* the guest touched a register */
	VBLK_EV_KICK,           /* the guest notified a queue by other means */
	VBLK_EV_DONE,           /* the store finished a request */
	VBLK_EV_UNMAP,          /* guest memory is about to go */
	VBLK_EV_STOP            /* no new requests; finish what is in flight */
};

struct vblk_event {             /* something happened on the platform */
	enum vblk_event_kind kind;
	union {
		struct vblk_access access;
		struct { uint16_t queue; } kick;
		struct {
			uint64_t bytes; /* READ: how many came */
			uint16_t queue;
			vblk_tag tag;
			uint8_t  status; /* enum vblk_status */
		} done;
		struct vblk_range unmap;
	} u;
};

struct vblk_hal {
	/*
	 * Start up to n requests, from the front. Bounded.
	 * SUB-1 Returns how many were accepted, 0..n, and 0 only while some
	 *       accepted request is not DONE (a negative number counts as
	 *       0); the lane offers the rest at the next drain, in the same
	 *       order.
	 * SUB-2 Accepted requests may finish in any order, even before return.
	 * SUB-3 Each accepted request is reported DONE exactly once.
	 * SUB-4 A FLUSH is DONE only when every write DONE before the flush was
	 *       submitted is durable; a write with FUA when it is itself.
	 * SUB-5 Data read is visible in the segments before DONE.
	 * SUB-6 Segments are not touched after DONE.
	 */
	int (*submit)(void *ctx, const struct vblk_req *req, size_t n);

	/*
	 * Tell the driver: source is a queue number or VBLK_SOURCE_CONFIG; down
	 * comes with VBLK_SOURCE_LINE. Bounded.
	 * SIG-1 What this thread stored before the call is visible when the
	 *       driver is told.
	 * SIG-2 (lane) up is called for each new obligation, even when already
	 *       up: an edge platform pulses, a level platform ignores the
	 *       repeat.
	 * SIG-3 (lane) down is called only after the driver acknowledged all.
	 */
	void (*signal)(void *ctx, uint16_t source, bool up);

	/*
	 * Let the CPU that made this access go on; value answers a read. NULL
	 * where there is no register file. Bounded.
	 * ACC-1 (lane) Called exactly once per access, reads and writes,
	 *       perhaps later, in any order.
	 * ACC-2 The driver sees value, and what this thread stored before the
	 *       call, before its next instruction.
	 * ACC-3 An access that is held never blocks other accesses, of this
	 *       device or others.
	 * ACC-4 (lane) A kick's access is answered before its requests are
	 *       worked off.
	 */
	void (*reply)(void *ctx, const struct vblk_access *access,
		      uint64_t value);

	/*
	 * OPTIONAL (NULL: all memory was added beforehand). Make a guest range
	 * reachable. Bounded.
	 * MAP-1 VBLK_OK: *out covers the range or its beginning (the rest is
	 *       asked for next), with every permission that the guest gives
	 *       on it and at least those asked, and overlaps nothing that is
	 *       mapped. It may be larger.
	 * MAP-2 VBLK_EGUEST: there is no such memory. VBLK_EBUSY: no room
	 *       beside what this device has mapped; asked again at a later
	 *       drain. With nothing in flight and nothing left to give up
	 *       the range counts as no memory: room that devices share is
	 *       parted beforehand. VBLK_EUNMAPPED: it was asked for
	 *       elsewhere and is not there yet; the port drains when it is.
	 * MAP-3 The mapping stays valid until unmap names it.
	 * MAP-4 (lane) After VBLK_EV_UNMAP nothing new uses the range, and
	 *       unmap is called once for each region in it, when the last
	 *       request there is complete. A region also goes to make room,
	 *       or, if TRANSIENT, when it is idle: before the driver learns
	 *       that it is, by a used index or the answer to a reset.
	 */
	int  (*map)(void *ctx, const struct vblk_range *want,
		    struct vblk_region *out);
	void (*unmap)(void *ctx, const struct vblk_region *region);

	/*
	 * OPTIONAL. Abandon a request if that is possible: the driver gave up
	 * its queue. May be called more than once for a request. Bounded.
	 * CAN-1 DONE still follows, once.
	 */
	void (*cancel)(void *ctx, uint16_t queue, vblk_tag tag);

	/*
	 * OPTIONAL. Control state changed: store vblk_mmio_save's blob.
	 * SAV-1 (lane) Called after the change, before its access is answered.
	 *       A resize is the port's own change, and its own to store.
	 * SAV-2 What was stored outlives the backend; a crash in the middle of
	 *       it leaves the old blob or the new.
	 * SAV-3 An access that was not answered before a crash is delivered
	 *       again after it.
	 */
	void (*save)(void *ctx);

	/*
	 * OPTIONAL (NULL: the platform pushes). Up to max events, oldest first.
	 * EV-1 Returns the count, 0 when wait_ns passed, or a negative error.
	 * EV-2 What the driver stored before it caused an event is visible.
	 */
	int (*events)(void *ctx, struct vblk_event *out, size_t max,
		      uint64_t wait_ns);

	/* OPTIONAL. One fact, no formatting: id is enum vblk_trace. */
	void (*trace)(void *ctx, unsigned id, uint64_t a, uint64_t b);
};

enum vblk_trace {               /* id            a              b */
	VBLK_TRACE_ACCESS = 1,  /* register      offset         value, 63: w */
	VBLK_TRACE_SUBMIT = 2,  /* accepted      queue<<16|tag  op<<56|sector */
	VBLK_TRACE_DONE   = 3,  /* finished      queue<<16|tag  status */
	VBLK_TRACE_SIGNAL = 4,  /* driver told   source         up */
	VBLK_TRACE_MAP    = 5,  /* mapped        gpa            len */
	VBLK_TRACE_UNMAP  = 6,  /* unmapped      gpa            len */
	VBLK_TRACE_FAULT  = 7   /* queue faulted queue          0 */
};

struct vblk_lane {
	struct vblk           *dev;
	struct vblk_mmio      *mmio;    /* NULL: no register file */
	uint64_t               queues;  /* bit q: this lane serves queue q */
	const struct vblk_hal *hal;
	void                  *ctx; /* first argument of each HAL function */

	/* private */
	uint64_t kicked;                /* queues to poll */
	uint64_t publish;               /* queues with something to publish */
	uint64_t faulted;               /* queues whose fault was signalled */
	uint64_t again;                 /* queues that mapped all over again */
	uint16_t next;                  /* queue to begin with */
	uint16_t refused, offered;      /* batch[offered..refused) waits */
	uint16_t held_n;
	bool     stop, more;

	/*
	 * Public: the platform drains all the time, so the driver need not
	 * notify (2.7.10). May change between drains; drain once more after it
	 * became false, before sleeping.
	 */
	bool     no_rearm;

	/* private */
	struct vblk_access held[VBLK_MAX_HELD];
	struct vblk_req    batch[VBLK_BATCH];
};

/*
 * The first five fields; everything else zero. EINVAL: a required function is
 * missing (submit, signal; reply with mmio; map and unmap with on_demand).
 */
int vblk_lane_init(struct vblk_lane *lane, struct vblk *dev,
		   struct vblk_mmio *mmio, uint64_t queues,
		   const struct vblk_hal *hal, void *ctx)
	__attribute__((warn_unused_result));

/*
 * Take in one event; bounded. Then drain. Of several lanes of one device the
 * one with queue 0 gets every ACCESS but a QueueNotify of another lane's queue,
 * which the port routes there as KICK (vblk_mmio_notifies); it also finishes
 * resets and gives regions back. The others are parked for its UNMAP and for
 * writes to registers other than QueueNotify and InterruptACK, and for its
 * drains while vblk_mmio_waits or after an UNMAP; it is to be drained after
 * their DONEs then. EINVAL: DONE for nothing in flight, or a malformed event.
 */
int vblk_lane_event(struct vblk_lane *lane, const struct vblk_event *event);

/*
 * Work off what there is, in a bounded number of steps. True: there may be more
 * at once, call again; false: wait for an event.
 * LIFE-1 (lane) After VBLK_EV_STOP, the last DONE and the drain that follows
 * it,
 *        drain returns false and calls no HAL function.
 */
bool vblk_lane_drain(struct vblk_lane *lane);

/* events, vblk_lane_event for each, drain. Negative: what events returned. */
int vblk_lane_step(struct vblk_lane *lane, uint64_t wait_ns);

/*
 * After vblk_mmio_load or vblk_load: signals VBLK_SOURCE_CONFIG, and each queue
 * after its next poll, whatever the driver asked for. Then drain.
 */
void vblk_lane_resume(struct vblk_lane *lane);

/* VBLK_EV_STOP was taken in and nothing is in flight. */
bool vblk_lane_stopped(const struct vblk_lane *lane);

/* Is this access a QueueNotify? Then *queue is the number it names. */
bool vblk_mmio_notifies(const struct vblk_mmio *mmio,
			const struct vblk_access *access, uint16_t *queue);

#ifdef __cplusplus
}
#endif
#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-blk device, host side.
 *
 * This library performs no I/O. It does not allocate, block, log, read a clock
 * or call you back. You tell it what happened:
 *
 *     vblk_mmio_write (mmio.h)            the guest touched a register
 *     vblk_kick                           the guest notified a queue
 *     vblk_complete                       the store finished a request
 *     vblk_mem_add, vblk_mem_revoke       guest memory came or went
 *
 * and you ask it what to do next:
 *
 *     vblk_poll                           hand me block requests to submit
 *     vblk_irq                            publish; must the driver be told?
 *
 * Every call finishes in a number of steps bounded by its arguments and by the
 * limits below. Calls that name the same queue must not overlap; different
 * queues may be served from different threads. Control calls (life, memory,
 * features, queue start and stop, state) need every lane of the device parked.
 * Devices share nothing.
 *
 * The guest is the adversary: nothing it writes to a register or to memory
 * makes a function here crash, loop, or touch memory outside a live region.
 * The caller is trusted: breaking a MUST below is a bug, answered by a code of
 * the caller's band. Sections are those of virtio 1.4.
 */
#ifndef VBLK_H
#define VBLK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vblk/wire.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Limits. Override on the command line; ranges are checked in device.c. */
#ifndef VBLK_MAX_QUEUES
#define VBLK_MAX_QUEUES 16u     /* virtqueues, 1..64 */
#endif
#ifndef VBLK_MAX_SEGS
#define VBLK_MAX_SEGS 254u      /* data segments in one request, 1..1024 */
#endif
#ifndef VBLK_MAX_DESCS
#define VBLK_MAX_DESCS 512u     /* descriptors in an indirect table, 18..4096 */
#endif
#ifndef VBLK_MAX_ATTEMPTS
#define VBLK_MAX_ATTEMPTS 8u /* fetches of a chain that is not mapped, 1..16 */
#endif

#define VBLK_REGION_ALIGN   16u /* of a region's gpa, len and host */
#define VBLK_STORAGE_ALIGN  8u  /* of what vblk_init is given */

typedef uint64_t vblk_gpa;      /* guest-physical address */
typedef uint16_t vblk_tag;      /* names one request in flight on its queue */

struct vblk;                    /* a device; the caller provides the storage */

/* Negative, so that a function can return a count or one of these. */
enum vblk_err {
	VBLK_OK        = 0,

	/* the caller broke a MUST: fix the port */
	VBLK_EINVAL    = -1,    /* argument out of range */
	VBLK_ESTATE    = -2,    /* not allowed in this state */
	VBLK_ENOSPC    = -3,    /* a limit or a buffer is too small */

	/* the guest broke the virtio specification (vblk_guest_fault) */
	VBLK_EGUEST    = -16,

	/* nobody is wrong */
	VBLK_EBUSY     = -32,   /* in flight: retry after vblk_complete */
	VBLK_EUNMAPPED = -33    /* see vblk_missing: map it and poll again */
};

/* --- life ----------------------------------------------------------------- */

/* What a chain costs the guest when its status byte cannot be found. */
enum vblk_fault_policy {
	VBLK_CONTAIN = 0, /* its head completes, length 0; the queue goes on */
	VBLK_STOP    = 1 /* NEEDS_RESET, as for a ring not to be trusted */
};

/* Zero is a sensible value wherever a default is named. Copied by vblk_init. */
struct vblk_config {
	uint64_t capacity;      /* in sectors of 512 bytes */
	uint64_t features;      /* VBLK_F_ masks to offer; VERSION_1 always is.
				 * CONFIG_WCE needs FLUSH (5.2.5.2), MQ needs
				 * num_queues > 1 to be useful. Some need a
				 * transport: NOTIFICATION_DATA and SUSPEND
				 * mmio.h. SECURE_ERASE needs a store. */
	uint32_t block_size;    /* logical block: power of two, 512..64 KiB;
				 * 0: 512. A hint: requests count in 512 */
	uint32_t size_max;      /* bytes in a segment (SIZE_MAX); 0: 1 MiB */
	uint32_t max_discard_sectors;   /* in one request; 0: 1 GiB */
	uint32_t max_zeroes_sectors;    /* in one request; 0: 1 GiB */
	uint32_t max_erase_sectors; /* in one SECURE_ERASE; 0: 1 GiB */
	uint32_t discard_align; /* sectors, what the store likes; 0: 1. Also
				 * of SECURE_ERASE */
	uint32_t opt_io_size;   /* logical blocks (TOPOLOGY) */
	uint16_t min_io_size;   /* logical blocks (TOPOLOGY) */
	uint8_t  physical_exp;  /* log2 of logical blocks in a physical one */
	uint8_t  align_offset;  /* logical blocks to the first aligned one */
	uint16_t cylinders;     /* GEOMETRY, for drivers that ask for it */
	uint8_t  heads, sectors;

	uint16_t num_queues;    /* 1..VBLK_MAX_QUEUES; 0: 1 */
	uint16_t queue_size;    /* the most a driver may choose, power of two,
				 * 1..32768; 0: 128 */
	uint16_t slots;         /* requests in flight per queue, 1..queue_size;
				 * 0: queue_size */
	uint16_t segs;          /* host segments of a request, 1..VBLK_MAX_SEGS;
				 * 0: 32 */
	uint16_t seg_max;       /* what the driver is told (SEG_MAX), 1..segs;
				 * 0: segs. Smaller than segs where a guest
				 * segment may lie across mappings. */
	uint16_t regions;       /* live mappings, 1..65534; on demand: the size
				 * of the cache. 0: 8 */
	bool     on_demand;     /* memory is mapped when it is missed: one lane
				 * serves all queues, and regions must hold all
				 * rings and one largest request */
	uint8_t  fault_policy;  /* enum vblk_fault_policy, spec/trust.md */
	char     serial[20]; /* GET_ID; NUL-padded, not terminated when full */
};

/* Bytes of storage a device with this configuration needs; 0: bad config. */
size_t vblk_sizeof(const struct vblk_config *cfg);

/*
 * The same as a constant, for static arrays. All arguments are those of the
 * configuration, none of them 0.
 */
#define VBLK_ROUND(bytes) (((size_t)(bytes) + 7u) / 8u * 8u)
#define VBLK_STORAGE(queues, queue_size, slots, segs, regions) \
	(VBLK_SIZE_DEVICE + VBLK_SIZE_REGION * (size_t)(regions) + \
	 VBLK_ROUND((size_t)(regions) * 2u) + \
	 (size_t)(queues) * (VBLK_SIZE_QUEUE + \
		VBLK_ROUND((size_t)(regions) * 4u) + \
		VBLK_ROUND(((size_t)(queue_size) + 7u) / 8u) + \
		(size_t)(slots) * (VBLK_SIZE_SLOT + \
			((size_t)(segs) + 1u) * 16u + \
			VBLK_ROUND(((size_t)(segs) + 1u) * 2u))))
#define VBLK_SIZE_DEVICE (sizeof(void *) == 8 ? (size_t)144 : (size_t)128)
#define VBLK_SIZE_REGION (sizeof(void *) == 8 ? (size_t)48 : (size_t)40)
#define VBLK_SIZE_QUEUE  (sizeof(void *) == 8 ? (size_t)280 : (size_t)256)
#define VBLK_SIZE_SLOT   (sizeof(void *) == 8 ? (size_t)88 : (size_t)80)

/*
 * Makes a device in storage, which must be VBLK_STORAGE_ALIGN-aligned and stays
 * the caller's; *dev points into it. EINVAL: a field of cfg is out of range or
 * features contradict each other. ENOSPC: size < vblk_sizeof(cfg).
 */
int vblk_init(struct vblk **dev, void *storage, size_t size,
	      const struct vblk_config *cfg)
	__attribute__((warn_unused_result));

/*
 * 2.4. Stops every queue and forgets what was negotiated. EBUSY: requests are
 * in flight; no new ones are handed out; complete them and call again.
 */
int vblk_reset(struct vblk *dev) __attribute__((warn_unused_result));

/*
 * 5.2.6.1: the store has another size, in sectors. The caller then tells the
 * driver (vblk_mmio_config_changed). Requests that were
 * handed out finish as they were.
 */
void vblk_resize(struct vblk *dev, uint64_t capacity);

/* --- guest memory --------------------------------------------------------- */

enum vblk_perm {
	VBLK_READ      = 1,     /* the device may read it */
	VBLK_WRITE     = 2,     /* the device may write it */
	VBLK_RW        = 3,
	VBLK_TRANSIENT = 4      /* unmap as soon as no request uses it */
};

/* Guest memory the caller has mapped; the mapping stays the caller's. */
struct vblk_region {
	vblk_gpa gpa;           /* multiple of VBLK_REGION_ALIGN, as is len */
	uint64_t len;           /* bytes; gpa + len at most 2^64 */
	void    *host;          /* VBLK_REGION_ALIGN-aligned */
	uint8_t *dirty;         /* NULL, or one bit a 4 KiB page we wrote; the
				 * byte of gpa is dirty[0]: page p is bit p % 8
				 * of dirty[p / 8 - gpa / 32768] */
	uint32_t perm;          /* enum vblk_perm */
};

struct vblk_range { vblk_gpa gpa; uint64_t len; uint32_t perm; };

/*
 * region is now live. EINVAL: alignment, wrap, or overlap with a live region.
 * ENOSPC: cfg.regions are live already (see vblk_mem_evict). EBUSY: a revoked
 * region in the way still drains.
 */
int vblk_mem_add(struct vblk *dev, const struct vblk_region *region)
	__attribute__((warn_unused_result));

/* cfg.regions are live: vblk_mem_add will say ENOSPC. */
bool vblk_mem_full(const struct vblk *dev);

/*
 * No new request uses a region that overlaps [gpa, gpa + len). A ring there is
 * gone: its queue faults, now or when it is polled. Collect the regions with
 * vblk_mem_reap, now or, if EBUSY, when their last requests are complete.
 */
int vblk_mem_revoke(struct vblk *dev, vblk_gpa gpa, uint64_t len);

/* Nothing in flight touches [gpa, gpa + len). */
bool vblk_mem_idle(const struct vblk *dev, vblk_gpa gpa, uint64_t len);

/*
 * The next region that is revoked or TRANSIENT and idle: it is no longer the
 * device's, unmap *out. False: none.
 */
bool vblk_mem_reap(struct vblk *dev, struct vblk_region *out);

/*
 * Gives up the idle region that was unused longest, to make room: unmap *out.
 * Never one that holds a ring or that the last vblk_missing counted on. False:
 * none can be spared.
 */
bool vblk_mem_evict(struct vblk *dev, struct vblk_region *out);

/* The last vblk_missing counts on nothing any more: all idle may be evicted. */
void vblk_mem_unpromise(struct vblk *dev);

/*
 * After EUNMAPPED: up to max ranges that queue waits for; returns how many.
 * Each lies between live regions and overlaps none. 0: what it waits for still
 * drains, or another queue asked first; poll again after a vblk_complete, or
 * when that queue's poll got through.
 */
int vblk_missing(struct vblk *dev, uint16_t queue, struct vblk_range *out,
		 size_t max);

/*
 * Some range that vblk_missing named for queue does not exist: the next
 * vblk_poll treats it as the guest's fault (spec/trust.md).
 */
void vblk_absent(struct vblk *dev, uint16_t queue);

/* --- transport side: what mmio.h, vhost-user or PCI call ------------------ */

/*
 * Guest-physical; of a split virtqueue (2.7) and of a packed one (2.8), which
 * it is once RING_PACKED was accepted.
 */
struct vblk_queue_addr {
	vblk_gpa desc;          /* descriptor table or ring, 16-aligned */
	vblk_gpa driver;        /* available ring, 2-aligned; or the driver's
				 * event suppression, 4-aligned */
	vblk_gpa device;        /* used ring, or the device's event suppression;
				 * 4-aligned */
	uint16_t size;          /* entries, up to queue_size; split: a power of
				 * two */
};

/*
 * Where to resume. Split: free-running indices. Packed: index in the ring, and
 * the wrap counter in bit 15; both 0x8000 when fresh.
 */
struct vblk_queue_pos {
	uint16_t avail, used;
	bool     used_from_ring; /* ignore used. Split: read used->idx once;
				  * packed: nothing was in flight */
};

/*
 * What is in flight, in caller memory that outlives a crash: updated in place,
 * in the layout and order that vhost-user gives for its logs, of which packed
 * rings have another than split ones. All zero: fresh. features: those
 * accepted, of which only RING_PACKED counts; before that is known, those
 * offered give a size that will do for either.
 */
struct vblk_inflight;           /* 8-aligned */
size_t vblk_inflight_size(uint16_t queue_size, uint64_t features);

/* The driver begins anew: the next start with this log is a fresh one. */
void vblk_inflight_reset(struct vblk_inflight *log);

/* Nothing is left to replay. The queue is stopped; queue_size: its entries. */
bool vblk_inflight_empty(const struct vblk_inflight *log, uint16_t queue_size,
			 uint64_t features);

/* 2.2: what is offered, and what the driver took. */
uint64_t vblk_features(const struct vblk *dev);
uint64_t vblk_accepted(const struct vblk *dev);

/* 2.2.2. EGUEST: not a valid subset; nothing changes. */
int vblk_accept(struct vblk *dev, uint64_t features)
	__attribute__((warn_unused_result));

/*
 * EGUEST: size or alignment of these areas break 2.7 or 2.8, whichever was
 * negotiated. One that ends beyond 2^64 makes the queue fault when it is first
 * polled.
 */
int vblk_queue_check(const struct vblk *dev, uint16_t queue,
		     const struct vblk_queue_addr *addr)
	__attribute__((warn_unused_result));

/*
 * Serve queue from now on. from: NULL or where to go on. log: NULL or
 * vblk_inflight_size(addr->size, accepted) bytes that stay the caller's until
 * the queue stops. A log that was begun says itself where to go on: from is
 * ignored, and what it holds of an earlier life is executed first
 * (vblk_inflight_reset makes it a fresh one). EINVAL: no such queue, or a log
 * in a build without; ESTATE: started already; EGUEST: see vblk_queue_check,
 * the log is not of this queue, or from is no position in it. The rings need
 * not be mapped yet.
 */
int vblk_queue_start(struct vblk *dev, uint16_t queue,
		     const struct vblk_queue_addr *addr,
		     const struct vblk_queue_pos *from,
		     struct vblk_inflight *log)
	__attribute__((warn_unused_result));

/*
 * 2.6.1. No new requests; EBUSY until the last one is complete (call again).
 * OK: the queue no longer touches guest memory and *at (may be NULL) says where
 * it stood. Its log holds that too, and what could not be replayed or given
 * back: a start with it goes on from there. EINVAL: no such queue.
 */
int vblk_queue_stop(struct vblk *dev, uint16_t queue, struct vblk_queue_pos *at)
	__attribute__((warn_unused_result));

/* Between vblk_queue_start and the OK of vblk_queue_stop. */
bool vblk_queue_started(const struct vblk *dev, uint16_t queue);

/* 5.2.4; any offset and length. Past the end reads 0 and ignores writes. */
void vblk_config_read(const struct vblk *dev, uint32_t offset, void *out,
		      uint32_t len);
void vblk_config_write(struct vblk *dev, uint32_t offset, const void *in,
		       uint32_t len);

/*
 * The driver notified queue (any number): true, poll it. False: no such queue,
 * or it is not started.
 */
bool vblk_kick(struct vblk *dev, uint32_t queue);

/* --- requests ------------------------------------------------------------- */

enum vblk_op {
	VBLK_OP_READ, VBLK_OP_WRITE, VBLK_OP_FLUSH, VBLK_OP_DISCARD,
	VBLK_OP_WRITE_ZEROES, VBLK_OP_SECURE_ERASE
};

#define VBLK_OPS 6u


enum vblk_req_flags {
	VBLK_REQ_FUA   = 1, /* durable before it is complete (write-through) */
	VBLK_REQ_UNMAP = 2      /* write zeroes may deallocate */
};

enum vblk_status { VBLK_S_OK = 0, VBLK_S_IOERR = 1, VBLK_S_UNSUPP = 2 };

struct vblk_seg { void *host; uint32_t len; };

/*
 * One validated request. Offsets and lengths were copied out of guest memory
 * once and checked; only the bytes behind seg[].host can still change.
 */
struct vblk_req {
	uint64_t sector;        /* sector + bytes / 512 <= capacity holds */
	uint64_t bytes;         /* sum of seg[].len, multiple of 512, for READ
				 * and WRITE; 0 for FLUSH; the extent for all
				 * others, which have no segments */
	const struct vblk_seg *seg; /* the device's, until vblk_complete */
	uint16_t num_segs;
	uint16_t queue;
	vblk_tag tag;           /* below cfg.slots */
	uint8_t  op;            /* enum vblk_op */
	uint8_t  flags;         /* enum vblk_req_flags */
};

/*
 * Up to max requests of queue, in the order the driver made them available;
 * they are the caller's to complete. Returns how many; 0: none, or no slot is
 * free. EUNMAPPED: see vblk_missing. EGUEST: the ring cannot be trusted, the
 * queue has faulted and hands out nothing more. EINVAL: no such queue, or max
 * above 32767.
 */
int vblk_poll(struct vblk *dev, uint16_t queue, struct vblk_req *out,
	      size_t max) __attribute__((warn_unused_result));

/*
 * The request is done. bytes: how many data bytes from the start were read into
 * the segments (READ; ignored otherwise). What came is only published by
 * vblk_irq. EINVAL: no such request is in flight.
 */
int vblk_complete(struct vblk *dev, uint16_t queue, vblk_tag tag,
		  enum vblk_status status, uint64_t bytes);

/*
 * Publishes what was completed since the last call (2.7.8), then: must the
 * driver be told (2.7.7)? Call it after each batch of vblk_complete, and after
 * vblk_poll, which answers some requests by itself.
 */
bool vblk_irq(struct vblk *dev, uint16_t queue);

/*
 * Re-arms the driver's notifications and looks once more (2.7.7.2, 2.7.10):
 * true: nothing there, wait for a kick. False: poll again, or complete
 * something first.
 */
bool vblk_poll_idle(struct vblk *dev, uint16_t queue);

/* Nothing is handed out, on this queue. */
bool vblk_queue_idle(const struct vblk *dev, uint16_t queue);

/* Nor on any. */
bool vblk_idle(const struct vblk *dev);

/* Every slot is handed out: complete one before polling again. */
bool vblk_full(const struct vblk *dev, uint16_t queue);

/* Is this tag handed out and not complete? */
bool vblk_in_flight(const struct vblk *dev, uint16_t queue, vblk_tag tag);

/* --- crash and migration -------------------------------------------------- */

#define VBLK_STATE_BYTES (32u + VBLK_MAX_QUEUES * 32u)

/*
 * Control state as a blob without addresses of ours: what was negotiated, which
 * queues run where. Data-path state is in the logs; in a blob taken while
 * nothing is in flight the positions are exact. Returns its length, at most
 * VBLK_STATE_BYTES; ENOSPC.
 */
int vblk_save(const struct vblk *dev, void *out, size_t size)
	__attribute__((warn_unused_result));

/*
 * The state of such a blob, into a device fresh from vblk_init with a
 * configuration that offers the same. log: NULL, or cfg.num_queues pointers
 * (each may be NULL). Tell every queue's driver and poll every queue
 * afterwards. EINVAL: not a blob of ours, or does not fit the configuration;
 * the device is then as fresh. Any bytes give one of the two.
 */
int vblk_load(struct vblk *dev, const void *in, size_t size,
	      struct vblk_inflight *const *log)
	__attribute__((warn_unused_result));

/* --- looking in ----------------------------------------------------------- */

struct vblk_stats {
	uint64_t requests[VBLK_OPS]; /* by enum vblk_op, handed out */
	uint64_t bytes;         /* of reads and writes handed out */
	uint64_t completed;     /* heads given back, of any kind */
	uint64_t errors;        /* completed IOERR */
	uint64_t unsupported;   /* completed UNSUPP */
	uint64_t contained;     /* chains without a status byte: completed, 0 */
	uint64_t kicks, irqs;   /* notifications each way */
};

/* Sums over queues; exact while the lanes are parked. */
void vblk_stats(const struct vblk *dev, struct vblk_stats *out);

/* A queue has faulted: its ring cannot be trusted (2.1.2, NEEDS_RESET). */
bool vblk_needs_reset(const struct vblk *dev);

/*
 * The section that the guest broke, if this one has; else NULL. Until it is
 * stopped. Any thread, also while its lane runs.
 */
const char *vblk_queue_fault(const struct vblk *dev, uint16_t queue);

/*
 * A section that the guest broke, as "2.7.5.3.1": the last of the first queue
 * that has one since it was started; NULL: none.
 */
const char *vblk_guest_fault(const struct vblk *dev);

/* One short line for any enum vblk_err; static. */
const char *vblk_strerror(int err);

/* The configuration in force, defaults filled in; the device's. */
const struct vblk_config *vblk_configuration(const struct vblk *dev);

#ifdef __cplusplus
}
#endif
#endif

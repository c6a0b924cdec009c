/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a port supplies to be judged by the HAL tests (conformance/hal): its own
 * back end, started and stopped, and a hand on the guest's side of it. That is
 * all a porter writes; the tests, the driver and the observer are the suite's.
 * conformance/hal/sim.c is a fixture to copy from.
 *
 * The port runs as it is. Nothing is asked of its struct vblk_hal: the program
 * is linked with -Wl,--wrap=... of the calls in FIXTURE_WRAPS, so that the
 * observer (hal/watch.h) sits between the lane and the port's functions, on
 * whatever thread the port has its lane. Who links with another tool calls
 * __wrap_vblk_lane_init and so on by macros of that name.
 *
 * The guest: at least two CPUs if there is a register file, one disk, and
 * memory of its own, ram_bytes from ram_gpa, all of which it lets the device
 * read and write, and which nobody else uses. No operating system runs: a
 * bare-metal loop, or no code at all where the host can act for it.
 *
 * What each function does, in the order in which you will want them:
 *
 *   reset         A new back end with a new device, a guest without a driver,
 *                 nothing in flight, no faults set in the store. want: FIXTURE_
 *                 ON_DEMAND and _PULL; CANNOT what the port has not. Bytes of
 *                 the disk stay as they are (after a CUT: as they are then).
 *   guest_read    Copies guest memory as the guest's CPU sees it now. Never
 *   guest_write   through the back end's mapping. May be called on any thread,
 *                 also inside a HAL function. Order: what one call wrote is
 *                 before what the next call wrote, as for one CPU with release
 *                 stores. Not in ram: BROKEN.
 *   guest_access_start   CPU cpu begins one load or store of a->size bytes at
 *                 a->offset in the register file. Returns at once; the access
 *                 may by then be answered or not. One at a time on each CPU.
 *   guest_access_poll    1: it was answered, *value is what a load got. 0: the
 *                 CPU still waits. Answers the same until the next start. May
 *                 be called inside a HAL function. Does nothing else.
 *   guest_queue   Only where there is no register file: the transport's way to
 *                 start queue with this ring, after reset, in the order of
 *                 their numbers. flush: the driver accepts FLUSH.
 *   guest_kick    Notifies queue by a way that is not a register. NULL: there
 *                 is none, the tests write QueueNotify.
 *   guest_signals How often the guest was told, since reset, and whether the
 *                 line is up (a level) now. May be called inside a HAL
 *                 function.
 *   store_fault   The disk under the store, see enum fixture_fault.
 *   platform      What a hypervisor does to a back end, see enum fixture_event.
 *   pump          Lets the back end run: until nothing moves any more, or about
 *                 a millisecond has passed. Where the port has threads of its
 *                 own it sleeps. The tests call it up to `patience` times while
 *                 they wait for one thing.
 *
 * All of them are bounded: they wait for no guest and no store. Each returns
 * FIXTURE_OK or one of enum fixture_result. MISSING, of a function that is not
 * written, makes the clauses that need it "not implemented", which fails; NULL
 * means the same. BROKEN: the back end died or went mad, why says how; the next
 * reset begins anew.
 *
 * A clause that does not apply, because the platform has no such thing, is
 * named in by_construction with the reason. It is reported so, and not tried.
 * Clauses of functions that are still to be written stand in unfinished.
 */
#ifndef FIXTURE_H
#define FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vblk/hal.h"

#define FIXTURE_VERSION 1u
#define FIXTURE_WHY     400u
#define FIXTURE_QUEUES  2u      /* as many as are used, at most */
#define FIXTURE_RAM     (UINT64_C(2) << 20)     /* at least; of 4 KiB pages */
#define FIXTURE_SECTORS 512u                    /* of the disk, at least */

/* Linker options: -Wl,--wrap=NAME for each */
#define FIXTURE_WRAPS \
	"vblk_lane_init vblk_lane_event vblk_mem_add vblk_mem_reap " \
	"vblk_mem_evict vblk_mmio_save"

enum fixture_result {
	FIXTURE_OK = 0,
	FIXTURE_MISSING = -1,   /* to be written */
	FIXTURE_CANNOT = -2,    /* there is no such thing here */
	FIXTURE_BROKEN = -3     /* see why */
};

enum fixture_want {
	FIXTURE_ON_DEMAND = 1,  /* memory is mapped when it is missed */
	FIXTURE_PULL = 2        /* the HAL has events */
};

enum fixture_fault {
	/*
	 * 1: takes requests and finishes none but those that are cancelled. 2:
	 * not even those. 0: goes on.
	 */
	FIXTURE_HOLD,
	/* so many requests at a time, not more */
	FIXTURE_DEPTH,
	/* value != 0: of what it has, the latest is finished first */
	FIXTURE_LAST_FIRST,
	/* the next so many reads or writes fail */
	FIXTURE_FAIL,
	/*
	 * Power loss: the adversary among disks. All is lost that need not have
	 * been durable. The back end is gone; reset follows.
	 */
	FIXTURE_CUT
};

enum fixture_event {
	/* the port ends: VBLK_EV_STOP, or what it has for it. Begins it */
	FIXTURE_STOP,
	/* len bytes at gpa are taken away: VBLK_EV_UNMAP. Begins it */
	FIXTURE_REVOKE,
	/*
	 * The back end dies, here and now, as by SIGKILL; guest and disk stay.
	 * Called inside a HAL function or the lane, it does not return there.
	 * The next pump starts it again, as the platform would.
	 */
	FIXTURE_DIE
};

struct fixture_signals {
	uint64_t queues;        /* times told of used buffers; or of anything,
				 * where all share a line */
	uint64_t config;        /* times told of the rest; 0 with one line */
	bool line;              /* FIXTURE_LINE: it is up */
};

enum fixture_can {
	FIXTURE_REGISTERS = 1,  /* the virtio-mmio register file */
	FIXTURE_LINE = 2        /* the interrupt is a level */
};

struct fixture_clause {         /* "SIG-3", and why */
	const char *clause, *why;
};

struct fixture {
	/* --- filled in by the porter, before the first call --- */
	const char *name;
	uint32_t can;           /* enum fixture_can */
	uint32_t patience;      /* pumps that one wait may take */
	uint64_t ram_gpa, ram_bytes;
	uint64_t hole_gpa;      /* a page where there is no memory; 0: none */
	uint32_t sectors;       /* of the disk; 512 bytes each */
	unsigned queues;        /* to be used; at most FIXTURE_QUEUES */
	uint32_t cap;           /* on demand: pages mapped at once; 0: no cap */
	const struct fixture_clause *by_construction; /* ends with NULL */
	const struct fixture_clause *unfinished;      /* ends with NULL */
	void *self;

	int (*reset)(struct fixture *f, uint32_t want);
	int (*guest_read)(struct fixture *f, uint64_t gpa, void *out,
			  uint32_t len);
	int (*guest_write)(struct fixture *f, uint64_t gpa, const void *in,
			   uint32_t len);
	int (*guest_access_start)(struct fixture *f, unsigned cpu,
				  const struct vblk_access *a);
	int (*guest_access_poll)(struct fixture *f, unsigned cpu,
				 uint64_t *value);
	int (*guest_queue)(struct fixture *f, uint16_t queue,
			   const struct vblk_queue_addr *a, bool flush);
	int (*guest_kick)(struct fixture *f, uint16_t queue);
	int (*guest_signals)(struct fixture *f, struct fixture_signals *out);
	int (*store_fault)(struct fixture *f, enum fixture_fault what,
			   uint64_t value);
	int (*platform)(struct fixture *f, enum fixture_event what,
			uint64_t gpa, uint64_t len);
	int (*pump)(struct fixture *f);

	/* --- said by the port --- */
	char why[FIXTURE_WHY];  /* of BROKEN */
};

/*
 * The port's: fills in f. 0, or -1 with f->why. Called once, before anything.
 * fixture_close is the last call.
 */
int fixture_open(struct fixture *f);
void fixture_close(struct fixture *f);

#endif

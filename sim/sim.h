/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The simulator: one seed decides the guests, the hypervisor, the stores, every
 * delay and every fault. The parts, each a file:
 *
 *   world.c    scheduler: whose turn it is; kill and resume; quiescence
 *   guest.c    drivers on guest CPUs, from well-behaved to hostile; with
 *              guest_ring.c, guest_request.c, guest_suspend.c
 *   hostile.c  what a hostile driver does, act by act
 *   hyper.c    the hypervisor: events, memory regimes, interrupts; the HAL
 *   store.c    a disk that reorders, delays, tears, fails, forgets
 *   oracle.c   what each sector may hold, and how requests may end
 *   bus.c      guest memory between the two sides
 *   log.c      in-flight logs, and death between two stores of one
 *   machine.c  addresses and interrupt numbers
 *   trace.c    a timeline to look at
 *   tree.c     the machine that a device tree describes
 *
 * The core below is the real one, built with the recording accessors.
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "bus.h"
#include "rng.h"
#include "vblk/hal.h"

#define MAX_DISKS    3u         /* devices behind one event source */
#define MAX_CPUS     4u
#define SIM_QUEUES   4u         /* of one device */
#define SIM_QSIZE    128u       /* entries of a queue, at most */
#define SIM_DEPTH    32u        /* requests a driver has in flight per queue */
#define SIM_SLOTS    32u
#define SIM_SEGS     40u
#define SIM_LOG_BYTES (32u * (SIM_QSIZE + 1u)) /* of a packed ring's log */
#define MAX_COUNT    8u         /* sectors in a request */
#define MAX_CUTS     24u        /* descriptors of a request, at most */
#define DISK_SECTORS 512u
#define SECTOR       512u
#define MAX_GAP      16u        /* bytes between a request's sectors */
#define TABLE_AT     (32u + MAX_COUNT * (SECTOR + MAX_GAP))
#define SLOT_BYTES   (TABLE_AT + 16u * (MAX_CUTS + 2u))

enum regime { WHOLE, DEMAND, WINDOW };

/* What guest and hypervisor know of each other; a device tree may say. */
struct machine {
	uint64_t ram, ram_bytes;        /* where it lies; room there */
	uint64_t base[MAX_DISKS], bytes[MAX_DISKS]; /* registers */
	uint32_t irq[MAX_DISKS];
	uint32_t cap;   /* pages mapped on demand; 0: the seed decides */
};

struct tree;                    /* tree.h */

/* What a run is like; a profile fixes some, the seed chooses the rest. */
struct knobs {
	const char *profile;
	uint64_t seed, steps;
	uint32_t requests; /* stop after so many completed; 0: steps decide */
	unsigned disks, cpus, queues, qsize, depth, burst;
	enum regime regime;
	bool transient, doorbell, level, event_idx, indirect, simple, weak;
	bool in_order, erase, notify_data;
	unsigned packed;        /* 0: split, 1: packed, 2: either */
	uint32_t odd;           /* packed: entries less than a power of two */
	bool no_log, no_rmb, no_wmb, no_mb, no_flush, no_order, no_ev2;
	bool cancel;            /* the store lets go of what cancel names */
	bool pull;              /* the lane pulls its events, oldest first */
	uint32_t hostile;       /* one bad act in so many requests; 0: never */
	uint64_t acts;          /* bit per enum act that may happen */
	uint32_t fail;          /* one store error in so many operations */
	uint32_t revoke;        /* one revocation in so many steps */
	uint32_t reset;         /* one reset by the driver in so many steps */
	uint32_t suspend;       /* one suspension in so many steps */
	uint32_t change;        /* one change of configuration, likewise */
	uint32_t kill;          /* one kill of the back end in so many steps */
	uint32_t kill_fence;    /* one in so many fences of a log */
	uint32_t crash;         /* one crash of the host in so many steps */
	uint64_t kill_hal;      /* kill at this HAL call; 0: no */
	uint64_t kill_access;   /* kill at this access to guest memory */
	uint64_t kill_log;      /* kill at this fence of a log */
	bool kill_lose;         /* and lose all that it may, not some */
	unsigned fault_policy;
	struct machine machine;
	const struct tree *tree; /* that the machine is from, or NULL */
};

/* --- oracle --------------------------------------------------------------- */

#define MAX_VALUES 6u

struct values { uint64_t v[MAX_VALUES]; unsigned n; bool any; };

struct oracle {
	struct values now[DISK_SECTORS];     /* what a read may find */
	struct values durable[DISK_SECTORS]; /* what a crash may leave */
	uint64_t changed[DISK_SECTORS];      /* when it last was, completions */
	uint64_t stamp;                      /* last one used */
};

void oracle_start(struct oracle *o);
uint64_t oracle_stamp(struct oracle *o);
void oracle_fill(uint64_t stamp, uint8_t *sector);
/* The stamp, or ~0 if it is no sector that was ever written whole. */
uint64_t oracle_stamp_of(const uint8_t *sector);

/* --- stores --------------------------------------------------------------- */

struct op {
	bool busy;
	struct vblk_req req;
	uint64_t due, flush_seq;
	uint32_t moved;         /* sectors transferred so far */
};

struct disk {
	uint8_t  cur[DISK_SECTORS * SECTOR], stable[DISK_SECTORS * SECTOR];
	uint64_t done_seq[DISK_SECTORS]; /* first DONE since durable; or 0 */
	bool     dirty[DISK_SECTORS];
	struct op op[SIM_QUEUES * SIM_SLOTS];
	unsigned in_flight, limit;
	uint64_t seq;
};

/* --- guest ---------------------------------------------------------------- */

enum act {
	/* between two reads of the device */
	ACT_DESC, ACT_HEADER, ACT_AVAIL, ACT_USED, ACT_TABLE,
	/* to a ring: split; packed */
	ACT_BAD_HEAD, ACT_SAME_HEAD, ACT_IDX_AHEAD,
	ACT_FLAGS, ACT_WRAP_LIE, ACT_LAP, ACT_EVENT,
	/* built into a request; the last two only of a packed ring */
	ACT_LOOP, ACT_ZERO_LOOP, ACT_NESTED, ACT_TABLE_LEN, ACT_NO_MEMORY,
	ACT_WRAP, ACT_NO_STATUS, ACT_SHORT_HEADER, ACT_TYPE, ACT_BEYOND,
	ACT_ODD_LENGTH, ACT_ORDER, ACT_EXTENT, ACT_LONG, ACT_SAME_ID,
	ACT_ENDLESS,
	/* to registers */
	ACT_REGISTER, ACT_KICK, ACT_RESET, ACT_QUEUE_OFF, ACT_QUEUE_RESET,
	ACT_SUSPEND, ACTS
};

extern const char *const act_name[ACTS];

enum request_state { R_FREE, R_BUILT };

struct request {
	uint8_t  state;
	uint8_t  type;          /* VBLK_T_ */
	bool     bad;           /* a hostile act is in it: any end will do */
	uint32_t sector, count;
	uint32_t flags;
	uint64_t stamp;
	uint64_t covers;        /* FLUSH: completions before it */
	uint16_t desc[MAX_CUTS + 2u], descs; /* indices in the ring */
	uint16_t head;          /* or buffer id */
	uint32_t nth;           /* of its queue's, as they were built */
	uint32_t mem;           /* its buffers, offset in RAM: header, sectors,
				 * status; at TABLE_AT an indirect table */
	uint32_t gap;
	uint32_t status;        /* offset in RAM */
	uint16_t table;         /* descriptors in the table; 0: direct */
};

struct piece { uint32_t off, len; bool write; }; /* of RAM; a descriptor */

struct used { uint32_t id, len; bool wrote; };

struct driver_queue {
	uint16_t size;
	/* offsets in RAM; packed: ring, driver's and device's events */
	uint32_t desc, avail, used;
	bool packed, in_order, event_idx;
	bool whole;             /* packed: the batch is shown by one store */
	uint16_t free[SIM_QSIZE], frees; /* packed: only how many */
	uint16_t avail_idx;     /* split */
	uint16_t next;          /* packed: position; split, IN_ORDER: index */
	uint16_t used_seen;     /* index, or position */
	uint16_t kicked;        /* likewise: looked whether to kick */
	uint16_t id;            /* packed: last one given */
	uint16_t by_head[SIM_QSIZE];    /* request, or 0xffff */
	struct { uint16_t at, flags; } show[SIM_DEPTH]; /* packed, not shown */
	unsigned shows, shown;
	unsigned built;                 /* chains, not shown */
	uint32_t made, done;            /* chains so far */
	struct request req[SIM_DEPTH];
	unsigned there, depth;          /* outstanding; most of it */
	uint8_t  phase;                 /* of submitting */
	bool     reaping;
};

enum driver_phase { D_INIT, D_RUN, D_SUSPEND };

struct driver {
	unsigned disk;
	enum driver_phase phase;
	unsigned step;
	unsigned polls;                 /* of Status; or turns to sleep */
	bool     suspended;             /* it saw SUSPEND */
	bool     owed;                  /* the news of a changed configuration */
	int      cpu;                   /* that runs the script, or -1 */
	int      irq_cpu;               /* that handles an interrupt, or -1 */
	unsigned irq_step, irq_queue;
	uint32_t irq_status;
	uint64_t base;                  /* of its device's registers */
	uint32_t irq_number;            /* of its device's interrupt */
	bool     irq;                   /* pending latch (edge) */
	bool     hostile, wce;
	uint64_t features, accepted;
	uint64_t completions;
	struct driver_queue q[SIM_QUEUES];
	unsigned stuck;
	int      next_act; /* second half of a hostile act, or -1 */
	bool     lock[DISK_SECTORS];    /* a write or discard is outstanding */
	uint16_t readers[DISK_SECTORS];
};

struct cpu {
	bool     waiting;               /* in an access */
	uint64_t value;
	unsigned queue_turn;
};

/* --- world ---------------------------------------------------------------- */

#define HYPER_EVENTS 512u

struct hyper_event { unsigned disk; uint64_t due; struct vblk_event e; };

struct counts {
	uint64_t requests, ok, ioerr, unsupp, bytes, kicks, irqs, accesses;
	uint64_t acts[ACTS], hostile_done, hostile_ok, kills, crashes, resets;
	uint64_t suspends, changes, fences;
	uint64_t revokes, maps, unmaps, most_mapped, faults, hal_calls;
	uint64_t steps;
};

struct backend {                /* what dies with the process */
	struct vblk *dev;
	struct vblk_mmio mmio;
	struct vblk_lane lane;
	bool drain;
	void *storage;
	size_t storage_size;
};

struct kept {                   /* what survives it */
	uint8_t blob[2][VBLK_MMIO_STATE_BYTES];
	int     len[2];
	unsigned valid;
	struct vblk_inflight *log[SIM_QUEUES];
};

struct world {
	struct knobs k;
	struct rng rng;
	uint64_t now, step;             /* virtual ns; scheduler turns */
	unsigned disks, cpus;
	struct backend be[MAX_DISKS];
	struct kept kept[MAX_DISKS];
	uint16_t log_was[MAX_DISKS][SIM_QUEUES][SIM_LOG_BYTES / 2u];
	bool log_kept;          /* there; the next fence kills */
	struct disk disk[MAX_DISKS];
	struct oracle oracle[MAX_DISKS];
	struct driver driver[MAX_DISKS];
	struct cpu cpu[MAX_CPUS];
	bool line[MAX_DISKS];
	struct hyper_event event[HYPER_EVENTS];
	unsigned events;
	struct vblk_access access[MAX_CPUS]; /* unanswered, by CPU */
	unsigned access_disk[MAX_CPUS];
	uint32_t top;                   /* of RAM given out */
	uint32_t low[MAX_DISKS], high[MAX_DISKS]; /* a disk's guest memory */
	uint32_t granule, cap;          /* on demand: bytes; pages of a disk */
	uint32_t mapped[MAX_DISKS];     /* pages, on demand */
	uint32_t cut[MAX_DISKS][3];     /* where regions part, offsets in RAM */
	unsigned cuts, slots;
	bool quiet;                     /* no new requests */
	struct counts n;
	jmp_buf *failed, killed;
	FILE *trace;
	bool trace_more;
	char expected[160], came[160];
};

extern struct world *world;     /* the one that runs; for bus.c's sake */

static inline uint64_t ram_base(void)   /* where RAM lies for the guest */
{
	return world->k.machine.ram;
}

/* Ends the run: what was expected, and what came. */
_Noreturn void sim_fail(const char *expected, const char *came, ...)
	__attribute__((format(printf, 2, 3)));

/* guest.c */
void guest_start(struct world *w, unsigned disk);
bool guest_turn(struct world *w, unsigned cpu);
void guest_hook(void *ctx);
bool guest_waits(const struct world *w);
void guest_access(struct world *w, unsigned cpu, unsigned disk, bool write,
		  uint32_t offset, unsigned size, uint64_t value);
void guest_restart(struct driver *d);
uint32_t guest_alloc(struct world *w, uint32_t bytes, uint32_t align);

/* guest_request.c */
uint32_t guest_sector(const struct request *r, uint32_t i);
bool guest_build(struct world *w, struct driver *d, struct driver_queue *q);
void guest_finish(struct world *w, struct driver *d, struct driver_queue *q,
		  const struct used *u);

/* guest_ring.c */
void guest_ring_clear(struct driver_queue *q);
uint16_t guest_ring_position(const struct driver_queue *q);
bool guest_ring_add(struct driver_queue *q, struct request *r,
		    const struct piece *p, unsigned n, bool indirect);
void guest_ring_flags(struct driver_queue *q, uint32_t at, uint16_t set,
		      uint16_t clear);
bool guest_ring_show(struct driver_queue *q);
bool guest_ring_wants_kick(struct driver_queue *q);
bool guest_ring_used(const struct driver_queue *q, struct used *u);
struct request *guest_ring_owner(struct driver_queue *q, uint32_t id);
void guest_ring_pass(struct driver_queue *q, struct request *r);
void guest_ring_quiet(struct world *w, struct driver_queue *q);
void guest_ring_arm(struct world *w, struct driver_queue *q);

/* guest_suspend.c */
bool guest_may_suspend(const struct driver *d);
void guest_suspend(struct driver *d);
void guest_suspend_step(struct world *w, unsigned cpu, struct driver *d);

/*
 * hostile.c: corrupts a request just built; or does something else that is bad
 */
void hostile_spoil(struct world *w, struct driver_queue *q, struct request *r);
bool hostile_turn(struct world *w, struct driver *d, unsigned cpu);
void hostile_mutate(struct world *w, struct driver *d);
bool hostile_applies(enum act a, unsigned packed);

/* hyper.c */
void hyper_start(struct world *w);
void hyper_stop(struct world *w);
void hyper_end(struct world *w);
void hyper_push(struct world *w, unsigned disk, const struct vblk_event *e,
		uint32_t delay);
bool hyper_turn(struct world *w);
bool hyper_waits(const struct world *w);
void hyper_revoke(struct world *w);
void hyper_change(struct world *w);
void hyper_kill(struct world *w);
void hyper_crash(struct world *w);

/* store.c */
void disk_start(struct disk *d, struct rng *r);
int disk_submit(struct world *w, unsigned disk, const struct vblk_req *req,
		size_t n);
bool disk_turn(struct world *w);
bool disk_waits(const struct world *w);
void disk_cancel(struct world *w, unsigned disk, uint16_t queue, vblk_tag tag);
void disk_lose(struct world *w, unsigned disk, bool host);

/* oracle.c */
void oracle_submit(struct world *w, struct driver *d, struct request *r);
void oracle_done(struct world *w, struct driver *d, struct driver_queue *q,
		 struct request *r, uint8_t status, const struct used *u);
void oracle_crash(struct world *w, unsigned disk);
void oracle_quiet(struct world *w);

/* trace.c */
void trace_event(struct world *w, unsigned disk, unsigned id, uint64_t a,
		 uint64_t b);
void trace_end(struct world *w);

/* machine.c */
void machine_default(struct machine *m);
bool machine_decode(const struct knobs *k, uint64_t address, unsigned *disk,
		    uint64_t *offset);
struct driver *machine_handler(struct world *w, uint32_t irq);

/* world.c: bytes of RAM that such a run takes; true: all was well */
uint32_t world_ram(const struct knobs *k);
bool world_run(const struct knobs *k, struct counts *n, FILE *trace,
	       char *why, size_t why_size);

#endif

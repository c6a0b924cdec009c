/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What tests are written with: verdicts, guest memory, the two kinds of ring,
 * block requests. A driver that follows the rules unless a test breaks them.
 *
 * The first failure (or skip) of a run decides it. From then on every function
 * here does nothing and returns zero, and whoever waits returns at once: a test
 * is straight-line code without checks of its own, and its loops, which are all
 * bounded, run empty.
 *
 * Nothing that the device says is believed: an id that is not in flight, a used
 * index that runs ahead, a length beyond the buffer end the run. After each run
 * the memory around every buffer is looked at: a device that wrote there fails.
 */
#ifndef LIB_H
#define LIB_H

#include "suite.h"
#include "virtio.h"

#define LIB_RING_MAX  256u      /* entries of a ring that the library makes */
#define LIB_RINGS     DUT_QUEUES
#define LIB_PARTS     3000u     /* pieces of memory that a test may take */
#define LIB_GUARD     32u       /* bytes around each */
#define LIB_POISON    0xa5u     /* what the device has not written */
#define LIB_LINE      200u
#define LIB_DESC      0x10000u  /* ring_raw: flags that are taken as they are */

struct part {                   /* a piece of guest memory */
	uint8_t *host;
	uint64_t addr;
	uint32_t bytes;
};

struct piece {                  /* of a chain */
	uint64_t addr;
	uint32_t len;
	uint32_t flags;         /* DESC_WRITE, DESC_INDIRECT; NEXT is added */
};

struct ring {
	struct suite *s;
	uint32_t queue;
	uint16_t size;
	bool packed, event_idx, in_order, data;
	struct part desc, driver, device;

	uint16_t next;          /* free-running (split) or slot (packed) */
	uint16_t shown;         /* what the device was shown of it */
	bool wrap;              /* packed: of next */
	uint16_t pending;       /* packed: first slot not shown, its flags */
	uint16_t pending_flags;
	bool any_pending;
	uint16_t seen;          /* of the used ring, likewise */
	bool seen_wrap;
	uint16_t skip;          /* in order: still to come out of a batch */

	uint16_t free_hint, in_flight, free;
	uint16_t last_id;       /* of the chain that was added last */
	uint16_t fifo[LIB_RING_MAX], fifo_first; /* ids in the order added */
	uint16_t count[LIB_RING_MAX]; /* descriptors of the chain of an id */
	uint16_t link[LIB_RING_MAX];
	uint32_t room[LIB_RING_MAX]; /* its device-writable bytes */
	bool busy[LIB_RING_MAX], done[LIB_RING_MAX];
	bool taken[LIB_RING_MAX]; /* split: descriptors in use */
	uint32_t len[LIB_RING_MAX]; /* as the device said */
	uint8_t *status[LIB_RING_MAX]; /* NULL, or a byte that must have been
					* written when the chain is used */
	uint32_t completed;
};

struct req {
	uint32_t type;
	uint64_t sector;
	uint32_t bytes;
	bool in;                /* the device writes the data */
	struct part head, data, status;
	uint16_t id;
	uint32_t used;          /* length that the device gave */
};

struct suite {
	struct dut *d;
	const struct suite_test *test;
	struct suite_result *result;
	bool over, failed;
	bool packed;            /* which ring this run is about */
	uint64_t offered, features;
	uint32_t last_irq_used; /* bits not yet asked for */
	bool last_irq_config;
	uint32_t last_irq_error;
	uint32_t queues, rings;
	struct ring ring[LIB_RINGS];

	uint64_t taken;         /* bytes of region 0 */
	uint32_t parts, guard[LIB_PARTS]; /* offsets in region 0 */
	uint32_t seed;
	uint8_t config[128];
};

/* --- verdicts and notes --------------------------------------------------- */

#define LIB_PRINTF(a, b) __attribute__((format(printf, a, b)))

/* %u %x %d %s %c, ll before u or x; no widths. */
void lib_format(char *to, size_t size, const char *format, ...)
	LIB_PRINTF(3, 4);
void note(struct suite *s, const char *format, ...) LIB_PRINTF(2, 3);
void fail(struct suite *s, const char *format, ...) LIB_PRINTF(2, 3);
void skip(struct suite *s, const char *format, ...) LIB_PRINTF(2, 3);

/* Unless ok, the run has failed for the reason that follows. */
#define expect(s, ok, ...) \
	do { \
		if (!(s)->over && !(ok)) \
			fail((s), __VA_ARGS__); \
	} while (0)

/* --- memory --------------------------------------------------------------- */

/* Filled with LIB_POISON. */
struct part take(struct suite *s, uint32_t bytes, uint32_t align);
struct part take_zero(struct suite *s, uint32_t bytes, uint32_t align);

/* A different pattern for each seed. */
void fill(const struct part *p, uint32_t seed);
bool filled(const struct part *p, uint32_t seed);
/* Index of the first byte that is not v, or p->bytes. */
uint32_t span(const struct part *p, uint8_t v);

/* --- transport ------------------------------------------------------------ */

uint32_t status(struct suite *s);
void set_status(struct suite *s, uint32_t v);
/* Waits for (status & mask) == want; fails with what. */
void await_status(struct suite *s, uint32_t mask, uint32_t want,
		  const char *what);
void reset(struct suite *s);    /* writes 0 and waits for it */

void config(struct suite *s, uint32_t offset, void *to, uint32_t n);
void set_config(struct suite *s, uint32_t offset, const void *from,
		uint32_t n);
uint16_t config16(struct suite *s, uint32_t offset);
uint32_t config32(struct suite *s, uint32_t offset);
uint64_t config64(struct suite *s, uint32_t offset);
uint64_t capacity(struct suite *s);

uint32_t queue_max(struct suite *s, uint32_t queue);
void event(struct suite *s, enum dut_event e, uint64_t value);
void settle(struct suite *s);

/* Registers, 32 bits wide unless said. */
uint32_t reg(struct suite *s, uint32_t offset);
void set_reg(struct suite *s, uint32_t offset, uint32_t v);
uint64_t reg_wide(struct suite *s, uint32_t offset, uint32_t width);
void set_reg_wide(struct suite *s, uint32_t offset, uint32_t width,
		  uint64_t v);

/* What came since the last of these; waits, or does not. */
bool irq_used(struct suite *s, uint32_t queue);
bool irq_config(struct suite *s);
bool irq_error(struct suite *s);
void await_irq(struct suite *s, uint32_t queue, const char *what);
void await_config_irq(struct suite *s, const char *what);
void forget_irqs(struct suite *s);

/* Until ready(arg) or the bound: false. */
bool await(struct suite *s, bool (*ready)(void *arg), void *arg);

/* --- initialization ------------------------------------------------------- */

/* What a driver of this kind can take of what is offered, but for IN_ORDER. */
#define ALL_FEATURES (~UINT64_C(0))

/* ACKNOWLEDGE, DRIVER, features, FEATURES_OK; skips if one of must is not
 * offered. VERSION_1 and, on a packed ring, RING_PACKED are added. */
void negotiate(struct suite *s, uint64_t want, uint64_t must);
bool accepts(struct suite *s, uint64_t features); /* exactly these */
struct ring *add_ring(struct suite *s, uint32_t queue, uint32_t size);
void driver_ok(struct suite *s);

/* All of it, with one ring of a moderate size on queue 0. */
struct ring *start(struct suite *s, uint64_t want, uint64_t must);
/* Again after a reset: the same features, all rings where they were. */
void restart(struct ring *r);

/* --- rings ---------------------------------------------------------------- */

void ring_clear(struct ring *r);        /* as fresh from add_ring */
void ring_set(struct ring *r);          /* tell the device where it is */
void ring_enable(struct ring *r);

/* A chain; the device does not see it before ring_show. Returns its id. */
uint16_t ring_add(struct ring *r, const struct piece *p, uint32_t n);
/* One descriptor that names an indirect table with these pieces. */
uint16_t ring_add_table(struct ring *r, const struct piece *p, uint32_t n);
/* The table only; flags of p as ring_add has them. */
struct part make_table(struct ring *r, const struct piece *p, uint32_t n);
void ring_show(struct ring *r);
bool ring_wants(struct ring *r);        /* a notification, since last shown */
void ring_notify(struct ring *r);
void ring_go(struct ring *r);           /* show and notify */

void ring_reap(struct ring *r);         /* take in what was used */
bool ring_used(struct ring *r);         /* something waits to be reaped */
bool ring_done(struct ring *r, uint16_t id);
void ring_await(struct ring *r, uint16_t id, const char *what);
void ring_await_all(struct ring *r, const char *what);
/* False after the bound; no failure. */
bool ring_comes(struct ring *r, uint16_t id);

/* Interrupts: off, on, or only when `after` more chains were used. */
void ring_quiet(struct ring *r);
void ring_loud(struct ring *r);
void ring_event(struct ring *r, uint16_t after);

/* Fields of the rings, for who breaks the rules. Split: */
void raw_desc(struct ring *r, uint32_t i, uint64_t addr, uint32_t len,
	      uint32_t flags, uint32_t next);
void raw_avail(struct ring *r, uint32_t head); /* puts it; see ring_show */
void raw_avail_idx(struct ring *r, uint32_t idx);
uint16_t raw_used_idx(struct ring *r);
uint16_t raw_used_flags(struct ring *r);
uint16_t raw_avail_event(struct ring *r);
/* Packed: flags without AVAIL and USED, which are those of now. */
void raw_packed(struct ring *r, uint64_t addr, uint32_t len, uint32_t id,
		uint32_t flags);
/* Either: a chain as the pieces say, NEXT only where flags has it. */
uint16_t raw_chain(struct ring *r, const struct piece *p, uint32_t n);

/* --- block requests ------------------------------------------------------- */

void req_make(struct suite *s, struct req *q, uint32_t type, uint64_t sector,
	      uint32_t bytes);
/* Into p[0..]: header, data if any, status. Returns how many. */
uint32_t req_pieces(const struct req *q, struct piece *p);
void req_add(struct ring *r, struct req *q);
uint8_t req_end(struct ring *r, struct req *q); /* waits; its status */
uint8_t req_run(struct ring *r, struct req *q); /* add, go, end */
uint8_t req_run_pieces(struct ring *r, struct req *q, const struct piece *p,
		       uint32_t n);
void req_ok(struct ring *r, struct req *q);
void req_is(struct ring *r, struct req *q, uint8_t want, const char *what);

/* Write zeroes and discard take one extent as their data. */
void extent(struct req *q, uint32_t i, uint64_t sector, uint32_t sectors,
	    uint32_t flags);

/* A pattern onto the disk, and whether it is there. */
void put_sectors(struct ring *r, uint64_t sector, uint32_t sectors,
		 uint32_t seed);
bool sectors_are(struct ring *r, uint64_t sector, uint32_t sectors,
		 uint32_t seed);
bool sectors_zero(struct ring *r, uint64_t sector, uint32_t sectors);

/* A read of sector 0 that must succeed: the queue is alive. */
void alive(struct ring *r, const char *after);

/* A read is offered; neither it nor an interrupt may come of it. */
void not_served(struct ring *r, const char *what);

/* The store holds what it gets (DUT_HOLD): a read of this sector is there. */
void one_in_work(struct ring *r, struct req *q, uint64_t sector);

/* n reads, and notifications only when asked to: nothing may be left lying. */
void notify_as_asked(struct ring *r, uint32_t n);

#endif

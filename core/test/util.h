/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the unit tests share: guest memory, a driver of split rings, and a
 * driver of the register file. It knows the wire format by itself and takes
 * nothing of it from the core, so that both must agree with the specification.
 *
 * One rig is open at a time: rig_open makes a device in storage of exactly the
 * size it asked for, so that a sanitizer sees the first byte too far.
 */
#ifndef VBLK_TEST_UTIL_H
#define VBLK_TEST_UTIL_H

#include <check.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vblk/mmio.h"
#include "vblk/vblk.h"

/* clang-format off */
/* A test in an if is cheap; libcheck writes down each assertion it passes. */
#define check_that(ok, ...) do { \
	if (!(ok)) \
		ck_abort_msg(__VA_ARGS__); \
} while (0)

#define expect(came, wanted) do { \
	uint64_t came_ = (uint64_t)(came), wanted_ = (uint64_t)(wanted); \
	check_that(came_ == wanted_, "%s: expected %" PRId64 " (0x%" PRIx64 \
		   "), came %" PRId64 " (0x%" PRIx64 ")", #came, \
		   (int64_t)wanted_, wanted_, (int64_t)came_, came_); \
} while (0)
/* clang-format on */

/* --- guest memory -------------------------------------------------------- */

#define RAM    UINT64_C(0x40000000) /* rig_open's one region */
#define RAM_LEN UINT64_C(0x100000)
#define DATA   (RAM + 0x40000)      /* buffers begin here */

/* Guest memory comes to be; every call has its own host memory. */
uint8_t *ram_new(uint64_t gpa, uint64_t len);
/* Host address of a guest byte; fails the test where there is none. */
uint8_t *ram_at(uint64_t gpa);
/* Bytes of memory from gpa on without a gap in host memory; 0: none. */
uint64_t ram_left(uint64_t gpa);
void put8(uint64_t gpa, uint8_t v);
void put16(uint64_t gpa, uint16_t v);
void put32(uint64_t gpa, uint32_t v);
void put64(uint64_t gpa, uint64_t v);
uint8_t get8(uint64_t gpa);
uint16_t get16(uint64_t gpa);
uint32_t get32(uint64_t gpa);
uint64_t get64(uint64_t gpa);
void fill(uint64_t gpa, uint8_t v, uint64_t len);
/* Fails unless all len bytes are v. */
void all_are(uint64_t gpa, uint8_t v, uint64_t len);

/* --- the device under test ----------------------------------------------- */

struct ring {                   /* as its driver sees it */
	uint64_t desc, avail, used;
	uint16_t size;
	uint16_t avail_idx;     /* next entry to offer */
	uint16_t used_idx;      /* next element to look at */
	uint16_t next_desc;     /* next descriptor to fill */
};

#define RIG_QUEUES 4u
#define RIG_REQS   64u

struct rig {
	struct vblk *dev;
	void *storage;
	struct vblk_mmio mm;
	struct ring ring[RIG_QUEUES];
	struct vblk_req req[RIG_REQS]; /* of the last poll_queue */
	uint64_t next_buf;      /* of ask() */
};
extern struct rig rig;

/* One queue of 16, 1024 sectors, FLUSH offered: a start for a test's own. */
struct vblk_config plain(void);

/* Device and ring addresses, no memory. */
void rig_open_bare(const struct vblk_config *cfg);
/* The same with RAM as one region. */
void rig_open(const struct vblk_config *cfg);
/* And all offered features accepted and all queues started. */
void rig_start(const struct vblk_config *cfg);
/* Another device after a crash: guest memory and rings stay, none is given. */
void rig_again(const struct vblk_config *cfg);
void rig_close(void);

/* Adds guest memory to the device. */
int give_as(uint64_t gpa, uint64_t len, uint32_t perm, uint8_t *dirty);
void give(uint64_t gpa, uint64_t len);

/* Gives one range that the queue waits for; false: there is none. */
bool give_missing(uint16_t queue);

struct vblk_queue_addr addr_of(uint16_t queue);
void start_queue(uint16_t queue);
/* vblk_poll into rig.req. */
int poll_queue(uint16_t queue);
/* vblk_complete of the newest poll's request i, all bytes. */
void done(uint16_t queue, int i, enum vblk_status status);

/* --- a driver of rings --------------------------------------------------- */

#define NEXT     1u
#define WRITE    2u
#define INDIRECT 4u

struct buf {
	uint64_t gpa;
	uint32_t len;
	bool in;                /* the device writes it */
};

#define OUT(gpa, len) { (gpa), (len), false }
#define IN(gpa, len)  { (gpa), (len), true }
#define COUNT(a)      (sizeof(a) / sizeof((a)[0]))

void put_desc(uint64_t table, uint16_t i, uint64_t gpa, uint32_t len,
	      uint16_t flags, uint16_t next);
/* A chain in the ring's table; returns its head. */
uint16_t chain(uint16_t queue, const struct buf *b, size_t n);
/* A table at `table` for one INDIRECT descriptor; returns that one's index. */
uint16_t chain_indirect(uint16_t queue, uint64_t table, const struct buf *b,
			size_t n);
/* Makes head available. */
void offer(uint16_t queue, uint16_t head);
/* Is there a used element? Takes it. */
bool used_next(uint16_t queue, uint32_t *head, uint32_t *len);
/* The next element is this one. */
void used_is(uint16_t queue, uint32_t head, uint32_t len);
void used_none(uint16_t queue);

struct op {                     /* a request in three descriptors */
	uint16_t head;
	uint64_t header, data, status;
	uint32_t len;
};

void put_header(uint64_t gpa, uint32_t type, uint64_t sector);
/* Header, len bytes of data in the direction of type, status 0xaa; offered. */
struct op ask(uint16_t queue, uint32_t type, uint64_t sector, uint32_t len);
/* A discard or write zeroes of one extent. */
struct op ask_extent(uint16_t queue, uint32_t type, uint64_t sector,
		     uint32_t sectors, uint32_t flags);
/* The status byte that came. */
#define status_of(o) get8((o).status)

/* --- a driver of registers ----------------------------------------------- */

uint32_t rd(uint32_t offset);
unsigned wr(uint32_t offset, uint32_t value);
/* To FEATURES_OK with these features, or as far as it goes; then Status. */
uint32_t mmio_negotiate(uint64_t features);
/* Areas and size of a queue, QueueReady = 1. */
void mmio_queue(uint16_t queue);
/* rig_open and all of the above to DRIVER_OK with what is offered. */
void mmio_up(const struct vblk_config *cfg);

/* --- chance -------------------------------------------------------------- */

/* xorshift64; a test prints its seed in every failure. */
uint64_t chance(uint64_t *state);

/* One suite, one case; 0 when all passed. */
int run_suite(const char *name, void (*add)(TCase *tc));

#endif

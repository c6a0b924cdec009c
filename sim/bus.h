/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest memory as two parties see it.
 *
 * The guest reads and writes RAM at once and in order. The device, through the
 * accessors of sim_arch.h, is a weakly ordered CPU:
 *
 *   stores wait in a buffer and reach RAM later, in any order, except that
 *     vblk_wmb keeps those before it ahead of those after it, and vblk_mb
 *     waits for all of them;
 *   loads may return what was there before the guest's latest stores, until
 *     vblk_rmb or vblk_mb;
 *   between any two accesses the guest may run (hook).
 *
 * So a fence that is missing from the core fails a test on any host. The bus
 * also checks: every access lies in memory mapped for the device at work; no
 * byte that decides something is read twice for one chain; reads of a chain are
 * bounded. A chain begins with a load of a split ring's words, or of a packed
 * descriptor's flags.
 */
#ifndef SIM_BUS_H
#define SIM_BUS_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

#include "rng.h"

#define BUS_PAGE      4096u
#define BUS_BUFFER    48u
#define BUS_STALE     24u
#define BUS_DEVICES   4u
#define BUS_WORD      8u

/* Most guest reads of one chain: a full ring, a table, header and extent. */
#define BUS_MOST_READS (2u * (128u + 512u) + 64u)

struct bus {
	uint8_t  *ram;
	uint32_t  size;                 /* bytes, whole pages */
	uint16_t *mapped[BUS_DEVICES];  /* [page] mappings a device holds */
	unsigned  device;               /* at work now */
	struct rng rng;

	/* schedule */
	uint32_t countdown, mean; /* accesses to the next hook; 0: never */
	void (*hook)(void *ctx);
	void *ctx;
	bool in_hook;

	/* model */
	bool weak;                      /* buffer and stale loads are on */
	bool no_rmb, no_wmb, no_mb;     /* that fence is missing */
	bool once;                      /* check for double fetches */
	bool replays;                   /* chains begin without a ring word:
					 * neither check can tell them apart */
	struct { uint32_t off; uint8_t len, epoch, b[BUS_WORD]; }
		buffer[BUS_BUFFER];
	unsigned buffered;
	uint8_t  epoch;
	struct { uint32_t off; uint8_t len, b[BUS_WORD]; } stale[BUS_STALE];
	unsigned stales;
	uint32_t *seen;                 /* [word] chain that read it */
	uint8_t  *packed;               /* [16 bytes] of a packed ring? */
	bool restarts;                  /* a fetch may begin again */
	bool frozen[BUS_DEVICES];       /* it may write nothing */
	uint32_t chain, reads;

	/* counts, and death at one of them */
	uint64_t accesses, kill_at;
	jmp_buf *killed;
};

extern struct bus bus;

void bus_make(uint32_t size, uint64_t seed);
void bus_free(void);
void bus_map(unsigned device, uint32_t off, uint32_t len, int by);
bool bus_mapped(unsigned device, uint32_t off, uint32_t len);

/* The guest's side: at once. */
void bus_write(uint32_t off, const void *src, uint32_t len);
void bus_write16(uint32_t off, uint16_t v);
uint16_t bus_read16(uint32_t off);
uint32_t bus_read32(uint32_t off);

/* A descriptor ring is new there: its flags words begin chains, if packed. */
void bus_ring(uint32_t off, uint32_t len, bool packed);

/* The device's stores so far reach RAM. */
void bus_settle(void);

/* The device at work was killed or moved on: forget what it read. */
void bus_forget(void);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The smallest hypervisor a block backend can live in: 64 MiB of guest memory,
 * mapped as a whole; a register file whose every access traps; one interrupt
 * line; one lane on the calling thread, with a store behind it. The guest's
 * side is hv_read, hv_write, hv_memory and hv_line; hv_turn is the time the
 * guest's CPU leaves to others.
 *
 * One thread. The guest here is well-behaved; the device does not rely on it.
 */
#ifndef DEMO_HYPERVISOR_H
#define DEMO_HYPERVISOR_H

#include "store.h"
#include "vblk/hal.h"

#define HV_RAM_BASE   UINT64_C(0x80000000)      /* guest-physical */
#define HV_RAM_BYTES  (UINT64_C(64) << 20)
#define HV_QUEUES     2u
#define HV_QUEUE_SIZE 128u
#define HV_NOWHERE    UINT64_MAX                /* break no sector */

struct hypervisor {
	uint8_t *ram;
	struct store *store;            /* the caller's */
	void *storage;
	struct vblk *dev;
	struct vblk_mmio mmio;
	struct vblk_lane lane;

	/* the guest's CPU waits in an access */
	bool answered;
	uint64_t answer;

	bool line;                      /* interrupt line of the device */

	/* one byte of this sector is flipped on its way to the guest */
	uint64_t break_sector;
	uint8_t *break_at;
	uint16_t break_queue;
	vblk_tag break_tag;
	bool broke;
};

/* 0, or -1 with a line in why. break_sector: HV_NOWHERE, or as said above. */
int hv_open(struct hypervisor *hv, struct store *store, uint64_t break_sector,
	    char *why, size_t why_size);

/* Nothing may be in flight: the driver has reset the device. */
void hv_close(struct hypervisor *hv);

/* --- the guest's CPU ------------------------------------------------------ */

uint64_t hv_read(struct hypervisor *hv, uint64_t offset, unsigned size);
void hv_write(struct hypervisor *hv, uint64_t offset, unsigned size,
	      uint64_t value);

/* The guest's own memory, from inside; gpa is one of it. */
void *hv_memory(struct hypervisor *hv, vblk_gpa gpa);

/* Is an interrupt pending? */
bool hv_line(const struct hypervisor *hv);

/* --- everybody else ------------------------------------------------------- */

/*
 * The device works and takes completions from the store; up to wait_ns for the
 * first of them if no interrupt is pending.
 */
void hv_turn(struct hypervisor *hv, uint64_t wait_ns);

#endif

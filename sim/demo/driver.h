/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest: a virtio-mmio block driver that touches the registers in the order
 * in which Linux's does, and knows of the device only what the specification
 * says. It shares vblk/wire.h with the device and nothing else.
 *
 * Requests are the caller's: driver_send makes one available, driver_kick tells
 * the device, and driver_interrupt sets `done` in those that came back.
 */
#ifndef DEMO_DRIVER_H
#define DEMO_DRIVER_H

#include "hypervisor.h"

#define DRIVER_SEGS   8u        /* data segments of a request */
#define DRIVER_QUEUES HV_QUEUES

struct driver_seg { vblk_gpa gpa; uint32_t len; };

struct driver_req {
	uint32_t type;          /* VBLK_T_ */
	uint64_t sector;
	struct driver_seg seg[DRIVER_SEGS];
	unsigned segs;
	vblk_gpa page;          /* 4 KiB, all zero at first: header, status, and
				 * from DRIVER_SPARE on the caller's */
	/* the driver's */
	bool done;
	uint8_t status;         /* enum vblk_status */
	uint64_t sent_ns, came_ns;
};

#define DRIVER_SPARE 2048u      /* offset in a request's page */

struct driver_queue {
	vblk_gpa desc_gpa;
	struct vblk_desc *desc;
	uint8_t *avail, *used;
	uint16_t size, num_free;
	uint16_t free;          /* head of the list of free descriptors */
	uint16_t next_avail;    /* published as avail->idx */
	uint16_t last_used;
	uint16_t added;         /* since the last look at avail_event */
	struct driver_req *owner[HV_QUEUE_SIZE]; /* by head */
	uint16_t chained[HV_QUEUE_SIZE];        /* descriptors of a head */
};

struct driver {
	struct hypervisor *hv;
	vblk_gpa next;          /* guest memory is given out from here */
	uint64_t features;
	uint64_t capacity;      /* sectors */
	uint32_t seg_max;
	unsigned queues;
	struct driver_queue queue[DRIVER_QUEUES];
	const char *broken;     /* NULL, or what the device did wrong */
	uint64_t accesses, kicks, interrupts;   /* counted for the table */
};

/* Finds the device and brings it to DRIVER_OK. 0, or -1 with a line in why. */
int driver_probe(struct driver *d, struct hypervisor *hv, char *why,
		 size_t why_size);

/* Reset: the device lets go of the guest's memory. */
void driver_remove(struct driver *d);

/* Guest memory, zero, for good; 0: there is no more. */
vblk_gpa driver_alloc(struct driver *d, uint64_t bytes, uint64_t align);

/* False: no descriptor is free. */
bool driver_send(struct driver *d, unsigned queue, struct driver_req *r);

/* The device is told if it wants to be (2.7.10). */
void driver_kick(struct driver *d, unsigned queue);

/* The interrupt handler, if the line is up. Returns how many requests came. */
unsigned driver_interrupt(struct driver *d);

/* Nanoseconds of the guest's clock. */
uint64_t driver_now(void);

#endif

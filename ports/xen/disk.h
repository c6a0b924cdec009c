/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One disk of a guest: device, register file, lane, memory, store and what is
 * kept for a successor. The lane's HAL is in disk.c; the thread is the
 * process's only one.
 */
#ifndef DISK_H
#define DISK_H

#include "config.h"
#include "memory.h"
#include "state.h"
#include "store.h"
#include "vblk/hal.h"

struct guest;

struct disk {
	struct disk *next;      /* of the same guest */
	struct guest *guest;
	struct disk_config config;
	char name[48];          /* for messages: domain and address */
	char *node;             /* in Xenstore, or NULL; the disk's, malloced */
	struct store *store;
	struct memory memory;
	struct state state;
	void *storage;
	struct vblk *dev;
	struct vblk_mmio mmio;
	struct vblk_lane lane;
	uint32_t in_flight;     /* in the store */
	bool due;               /* something happened: work */
	bool submitted;         /* since the last look at the store */
	bool raised;            /* a pulse was sent and not acknowledged */
	bool resumed;           /* state was loaded: tell the driver at start */
};

/*
 * take_over: a vCPU may wait in this disk, and its state is there. NULL and one
 * line in why.
 */
struct disk *disk_open(struct guest *g, const struct disk_config *c,
		       bool take_over, char *why, size_t size);

/* A register access; its answer comes by guest_reply, perhaps later. */
void disk_access(struct disk *d, const struct vblk_access *a);

/* After disk_open with take_over and the accesses that waited. */
void disk_resume(struct disk *d);

/* In a bounded number of steps. True: there is more at once. */
bool disk_work(struct disk *d);

/* No new requests; then disk_stopped says when nothing is in flight. */
void disk_stop(struct disk *d);
bool disk_stopped(const struct disk *d);

/* What was written is durable. The disk is stopped. */
void disk_flush(struct disk *d);

/* gone: its state goes, too; else that stays for a successor. */
void disk_close(struct disk *d, bool gone);

#endif

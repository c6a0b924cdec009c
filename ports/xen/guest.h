/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guests of this process, each with one IOREQ server for all its disks.
 * Every vCPU has a slot in the server's page and an event channel: Xen puts an
 * access to a disk's registers into the slot and sends an event, we answer
 * there and send one back.
 *
 * A server outlives its process. The next one finds it with a vCPU that may be
 * waiting in it, and adopts it (docs/xen.md, "A backend that comes back"). It
 * is never destroyed while a vCPU may wait: that crashes the domain.
 *
 * One thread for all of it.
 */
#ifndef GUEST_H
#define GUEST_H

#include "disk.h"
#include "xen.h"

#include <xen/hvm/ioreq.h>

#define GUEST_VCPUS (XEN_PAGE / sizeof(ioreq_t)) /* slots in the page: 128 */

struct guest {
	struct guest *next;
	struct guests *all;
	uint32_t domain;
	ioservid_t server;
	bool adopted;           /* the server was there */
	bool started;
	xenforeignmemory_resource_handle *resource;
	ioreq_t *slot;          /* [vcpus] */
	unsigned vcpus;
	evtchn_port_t port[GUEST_VCPUS]; /* ours; 0: not bound */
	struct disk *disks;
};

struct port {                   /* what an event channel belongs to */
	struct guest *guest;    /* NULL: nothing */
	unsigned vcpu;
};

struct guests {
	struct xen xen;
	int epoll;              /* where stores' descriptors are watched */
	const char *state_dir;
	struct guest *first;
	struct port *port;      /* [ports] by local port number */
	size_t ports;
};

struct guest *guest_find(const struct guests *all, uint32_t domain);

/*
 * The guest that is to have a disk at base: its server is created, or adopted
 * if one without a process has that range. NULL and one line in why.
 */
struct guest *guest_open(struct guests *all, uint32_t domain, uint64_t base,
			 uint64_t bytes, char *why, size_t size);

/* Its registers reach disk from now on, if the guest was started. */
int guest_add(struct guest *g, const struct disk_config *c, struct disk **out,
	      char *why, size_t size) __attribute__((warn_unused_result));

/*
 * Enables the server and takes in events. Of one that was adopted: answers
 * every vCPU that waits, then resumes the disks. -1 and one line in why.
 */
int guest_start(struct guest *g, char *why, size_t size)
	__attribute__((warn_unused_result));

/* The disk is gone from the guest: its range, memory and state go. */
void guest_remove(struct guest *g, struct disk *d);

/*
 * Forgets the guest. gone: it ended, or has no disk left; its mappings and
 * state go. Else server and state stay for a successor.
 */
void guest_close(struct guest *g, bool gone);

/* Is the server still there? A guest that is dying has lost it. */
bool guest_alive(const struct guest *g);

/* Answer an access of vcpu (HAL: reply). */
void guest_reply(struct guest *g, unsigned vcpu, uint64_t value);

/* Everything that is pending on event channels. */
void guests_take_events(struct guests *all);

/* Work off what there is. True: there is more at once. */
bool guests_work(struct guests *all);

/* Something is in flight in some store. */
bool guests_busy(const struct guests *all);

#endif

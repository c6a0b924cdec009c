/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Xenstore as a source of disks: the directory backend/virtio_disk of our own
 * domain, as libxl writes it, one node a disk. The node's state tells libxl how
 * far we are, and it us when to end:
 *
 *     1 Initialising  written by libxl: a disk is wanted
 *     2 InitWait      ours: registers are served, the guest may run
 *     5 Closing       libxl's: the disk is to go
 *     6 Closed        ours: nothing is mapped any more; or it was refused
 *
 * Whatever stands in a node, the worst it does is that the disk is refused,
 * with one line of log.
 */
#ifndef TOOLSTACK_H
#define TOOLSTACK_H

#include "guest.h"

struct toolstack;

/* NULL and one line in why. common: what nodes do not say. */
struct toolstack *toolstack_open(struct guests *all,
			       const struct disk_config *common, char *why,
			       size_t size);

int toolstack_fd(const struct toolstack *x);

/* The descriptor is readable: looks at all nodes, guests come and go. */
void toolstack_ready(struct toolstack *x);

/* A disk is served no more (SIGTERM): its node says Closed. */
void toolstack_closed(struct toolstack *x, const struct disk *d);

void toolstack_close(struct toolstack *x);

#endif

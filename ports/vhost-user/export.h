/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A disk on its socket: the control thread that accepts one front end after the
 * other and works off its messages.
 */
#ifndef EXPORT_H
#define EXPORT_H

#include "disk.h"

struct export;

/*
 * Listens, or takes the inherited descriptor. Before the sandbox. NULL and one
 * line in why.
 */
struct export *export_listen(const struct disk_options *o, char *why,
			     size_t why_size);

/* Opens image and lanes. -1 and why. */
int export_open(struct export *e, char *why, size_t why_size);

/* Starts the thread. -1 and why. */
int export_run(struct export *e, char *why, size_t why_size);

/* Any thread: look at the image again. */
void export_refresh(struct export *e);

/* Asks for the end; export_end waits for it. */
void export_quit(struct export *e);

/*
 * Drains, flushes, ends the thread, removes the socket. e is freed. Also of an
 * export that was only listened, or opened.
 */
void export_end(struct export *e);

/* For statistics; any thread. */
const char *export_name(const struct export *e);
void export_stats(struct export *e, struct vblk_stats *out,
		  struct lane_counts *sum);

#endif

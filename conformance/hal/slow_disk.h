/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A disk with faults under the file store: the system calls of the store, by
 * the linker's --wrap, pass through here. What was not synced is lost in a
 * power loss, all of it. For stores of engine THREADS on one image.
 */
#ifndef SLOW_DISK_H
#define SLOW_DISK_H

#include <stdbool.h>
#include <stdint.h>

#define SLOW_DISK_BYTES (1u << 19)

/* fd: the image, of SLOW_DISK_BYTES; as it is, it is durable. */
void slow_disk_open(int fd);

/* Takes calls and finishes none, until false. */
void slow_disk_hold(bool hold);
void slow_disk_last_first(bool on);     /* of those that wait */
void slow_disk_fail(unsigned n);        /* the next reads and writes */

/*
 * Power loss: from now on nothing becomes durable; slow_disk_lose, once nobody
 * uses the image, makes it what the disk has kept.
 */
void slow_disk_cut(void);
void slow_disk_lose(void);

#endif

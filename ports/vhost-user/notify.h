/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing to an eventfd that a front end shares. It is non-blocking, but that
 * is a property of the open file: who shares it can undo it and fill the
 * counter, and then a write waits for ever. A signal ends the wait: a lane's is
 * sent by who waits for the lane (lane_paused), a control thread's by a timer.
 */
#ifndef NOTIFY_H
#define NOTIFY_H

#include <pthread.h>
#include <stdbool.h>

/* Once, before there are threads. False: no handler can be set. */
bool notify_install(void);

/* The thread's, for notify; false: no timer can be had. */
struct notify { bool armed; void *timer; };
bool notify_open(struct notify *n);
void notify_close(struct notify *n);

/* 1 to fd, -1 for none. Waits for a tenth of a second at most. */
void notify(struct notify *n, int fd);

/* Ends a thread's wait in a system call. */
void notify_poke(pthread_t thread);

#endif

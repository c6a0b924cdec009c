/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One connection of a front end: its messages, in the order of the protocol's
 * description (QEMU, docs/interop/vhost-user.rst), and ours to it.
 *
 * What is refused is said in one line. Where the front end asked for an
 * answer (REPLY_ACK) it is told and the connection goes on; else there is no
 * way to tell but to close it.
 */
#ifndef SESSION_H
#define SESSION_H

#include "channel.h"
#include "disk.h"

struct session {
	struct disk *disk;
	struct channel front;
	struct channel back;    /* our requests; fd -1: none */
	uint64_t protocol;      /* features */
	uint8_t  status;
};

/* fd becomes the session's. */
void session_open(struct session *s, struct disk *d, int fd);

/* Drains, and forgets what the front end said. */
void session_close(struct session *s);

/* A number of what is there to read. False: the connection is over. */
bool session_front(struct session *s);  /* front.fd is readable */
void session_back(struct session *s);   /* back.fd is readable */

/* The configuration space or the status changed: tells the front end. */
void session_config_changed(struct session *s);

#endif

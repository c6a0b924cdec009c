/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One connection: bytes into whole messages with their descriptors, and back.
 * Nothing here waits for the peer: a message may come in pieces.
 */
#ifndef CHANNEL_H
#define CHANNEL_H

#include <stdbool.h>
#include <stddef.h>

#include "message.h"

struct message {
	struct header head;
	union payload body;     /* zeroed beyond head.size */
	int      fds[MESSAGE_FDS]; /* the receiver's; -1 where it took it */
	unsigned num_fds;
};

struct channel {
	int    fd;
	size_t have;            /* bytes of the message so far */
	struct message in;
};

void channel_open(struct channel *c, int fd);
void channel_close(struct channel *c);

enum channel_result {
	CHANNEL_MESSAGE,        /* c->in is whole */
	CHANNEL_MORE,           /* wait for POLLIN */
	CHANNEL_CLOSED,         /* by the peer, between messages */
	CHANNEL_BROKEN          /* *why says how */
};

enum channel_result channel_receive(struct channel *c, const char **why);

/* Done with c->in: descriptors that nobody took are closed. */
void channel_next(struct channel *c);

/* Takes the i-th descriptor out of the message. */
int message_take_fd(struct message *m, unsigned i);

/*
 * False: the peer is gone or does not read. fd: -1 or one to send along, which
 * stays the caller's. Any thread; messages are small enough to go in one piece.
 */
bool channel_send(int socket, uint32_t request, uint32_t flags,
		  const void *body, uint32_t size, int fd);

#endif

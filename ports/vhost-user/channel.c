/* SPDX-License-Identifier: BSD-2-Clause */
#include "channel.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SEND_MS 1000            /* a peer that reads nothing for so long */

void channel_open(struct channel *c, int fd)
{
	memset(c, 0, sizeof(*c));
	c->fd = fd;
}

int message_take_fd(struct message *m, unsigned i)
{
	int fd = m->fds[i];

	m->fds[i] = -1;
	return fd;
}

void channel_next(struct channel *c)
{
	for (unsigned i = 0; i < c->in.num_fds; i++)
		if (c->in.fds[i] >= 0)
			(void)close(c->in.fds[i]);
	memset(&c->in, 0, sizeof(c->in));
	c->have = 0;
}

void channel_close(struct channel *c)
{
	channel_next(c);
	if (c->fd >= 0)
		(void)close(c->fd);
	c->fd = -1;
}

/*
 * The end of a connection to a socket with a name: ours, as the front end holds
 * it. If we held it, too, the connection would outlive the front end.
 */
static bool is_connection(int fd)
{
	struct sockaddr_un a;
	socklen_t len = sizeof(a);

	return getpeername(fd, (struct sockaddr *)&a, &len) == 0 &&
	       len > offsetof(struct sockaddr_un, sun_path);
}

/* False: one that no message may carry, or too many. None of them is lost. */
static bool keep_fds(struct channel *c, struct msghdr *h)
{
	bool fits = !(h->msg_flags & MSG_CTRUNC);

	for (struct cmsghdr *m = CMSG_FIRSTHDR(h); m; m = CMSG_NXTHDR(h, m)) {
		size_t n = (m->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (m->cmsg_level != SOL_SOCKET || m->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(m) + i * sizeof(int), sizeof(fd));
			if (c->in.num_fds < MESSAGE_FDS && !is_connection(fd)) {
				c->in.fds[c->in.num_fds++] = fd;
			} else {
				(void)close(fd);
				fits = false;
			}
		}
	}
	return fits;
}

/* One read of at most len bytes to at. */
static enum channel_result pull(struct channel *c, void *at, size_t len,
				const char **why)
{
	union {
		char space[CMSG_SPACE(MESSAGE_FDS * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { .iov_base = at, .iov_len = len };
	struct msghdr h = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(c->fd, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return CHANNEL_MORE;
		*why = strerror(errno);
		return CHANNEL_BROKEN;
	}
	if (!keep_fds(c, &h)) {
		*why = "more descriptors than a message has, or a connection";
		return CHANNEL_BROKEN;
	}
	if (n == 0) {
		*why = "it ended in the middle of a message";
		return c->have ? CHANNEL_BROKEN : CHANNEL_CLOSED;
	}
	c->have += (size_t)n;
	return CHANNEL_MESSAGE;
}

enum channel_result channel_receive(struct channel *c, const char **why)
{
	struct message *m = &c->in;
	enum channel_result r;

	while (c->have < sizeof(m->head)) {
		r = pull(c, (char *)&m->head + c->have,
			 sizeof(m->head) - c->have, why);
		if (r != CHANNEL_MESSAGE)
			return r;
	}
	if (m->head.size > sizeof(m->body)) {
		*why = "a message larger than any there is";
		return CHANNEL_BROKEN;
	}
	while (c->have < sizeof(m->head) + m->head.size) {
		size_t got = c->have - sizeof(m->head);

		r = pull(c, (char *)&m->body + got, m->head.size - got, why);
		if (r != CHANNEL_MESSAGE)
			return r;
	}
	return CHANNEL_MESSAGE;
}

bool channel_send(int socket, uint32_t request, uint32_t flags,
		  const void *body, uint32_t size, int fd)
{
	struct header head = { request, flags, size };
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	/* sendmsg only reads; its iovec has no way to say so */
	struct iovec iov[] = { { .iov_base = &head, .iov_len = sizeof(head) },
			       { .iov_base = (void *)(uintptr_t)body,
				 .iov_len = size } };
	struct msghdr h = { .msg_iov = iov, .msg_iovlen = size ? 2 : 1 };
	struct pollfd p = { .fd = socket, .events = POLLOUT };
	ssize_t n;

	if (fd >= 0) {
		struct cmsghdr *m;

		memset(&control, 0, sizeof(control));
		h.msg_control = &control;
		h.msg_controllen = sizeof(control);
		m = CMSG_FIRSTHDR(&h);
		m->cmsg_level = SOL_SOCKET;
		m->cmsg_type = SCM_RIGHTS;
		m->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(m), &fd, sizeof(fd));
	}
	do {
		n = sendmsg(socket, &h, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while ((n < 0 && errno == EINTR) ||
		 (n < 0 && errno == EAGAIN && poll(&p, 1, SEND_MS) == 1));
	return n == (ssize_t)(sizeof(head) + size);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes and descriptors to the back end and back, each with a deadline. What
 * the messages mean is in front_calls.c.
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "front_internal.h"
#include "util.h"

union control {
	struct cmsghdr align;
	char room[CMSG_SPACE(FRONT_FDS_MAX * sizeof(int))];
};

const char *front_error_name(int error)
{
	static const char *const name[] = {
		"no error", "timeout",	       "connection closed",
		"refused",  "malformed reply", "local failure"
	};

	return error <= 0 && error >= FRONT_LOCAL ? name[-error] : "unknown";
}

int front_fail(struct front *f, int error, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(f->why, sizeof(f->why), format, ap);
	va_end(ap);
	return error;
}

static int fail_errno(struct front *f, const char *what)
{
	int error = errno == EPIPE || errno == ECONNRESET ? FRONT_CLOSED
							  : FRONT_LOCAL;

	return front_fail(f, error, "%s: %s", what, strerror(errno));
}

/* --- connection ----------------------------------------------------------- */

int front_adopt(struct front *f, int fd, unsigned timeout_ms)
{
	memset(f, 0, sizeof(*f));
	f->fd = fd;
	f->back_fd = -1;
	f->timeout_ms = timeout_ms;
	f->ask_ack = true;
	if (pthread_mutex_init(&f->lock, NULL))
		return front_fail(f, FRONT_LOCAL, "no mutex");
	return FRONT_OK;
}

int front_connect(struct front *f, const char *path, unsigned timeout_ms)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)front_adopt(f, fd, timeout_ms);
	if (fd < 0)
		return fail_errno(f, "socket");
	if (strlen(path) >= sizeof(to.sun_path)) {
		front_close(f);
		return front_fail(f, FRONT_LOCAL, "%s: path is too long", path);
	}
	memcpy(to.sun_path, path, strlen(path) + 1);
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to))) {
		(void)front_fail(f, FRONT_LOCAL, "%s: %s", path,
				 strerror(errno));
		front_close(f);
		return FRONT_LOCAL;
	}
	return FRONT_OK;
}

void front_close(struct front *f)
{
	if (f->fd >= 0)
		(void)close(f->fd);
	if (f->back_fd >= 0)
		(void)close(f->back_fd);
	f->fd = f->back_fd = -1;
	f->protocol = 0;
}

/* --- bytes ---------------------------------------------------------------- */

static int wait_for(struct front *f, int fd, short events, uint64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = events };
	uint64_t t;
	int n;

	for (;;) {
		t = now_ns();
		n = poll(&p, 1,
			 t < deadline ? (int)((deadline - t) / NS_PER_MS) + 1
				      : 0);
		if (n > 0)
			return FRONT_OK;
		if (!n)
			return front_fail(f, FRONT_TIMEOUT,
					  events == POLLIN
						  ? "no answer in time"
						  : "it takes no message");
		if (errno != EINTR)
			return fail_errno(f, "poll");
	}
}

static uint64_t deadline_in(unsigned ms)
{
	return now_ns() + (uint64_t)ms * NS_PER_MS;
}

static void attach(struct msghdr *h, union control *c, const int *fd,
		   unsigned fds)
{
	struct cmsghdr *m;

	if (!fds)
		return;
	memset(c, 0, sizeof(*c));
	h->msg_control = c->room;
	h->msg_controllen = CMSG_SPACE(fds * sizeof(int));
	m = CMSG_FIRSTHDR(h);
	m->cmsg_level = SOL_SOCKET;
	m->cmsg_type = SCM_RIGHTS;
	m->cmsg_len = CMSG_LEN(fds * sizeof(int));
	memcpy(CMSG_DATA(m), fd, fds * sizeof(int));
}

static int send_all(struct front *f, int socket, const void *bytes, size_t n,
		    const int *fd, unsigned fds)
{
	uint64_t deadline = deadline_in(f->timeout_ms);
	const uint8_t *at = bytes;
	union control control;
	ssize_t sent;
	int err;

	if (fds > FRONT_FDS_MAX)
		return front_fail(f, FRONT_LOCAL, "too many descriptors");
	while (n) {
		struct iovec v = { .iov_base = (void *)(uintptr_t)at,
				   .iov_len = n };
		struct msghdr h = { .msg_iov = &v, .msg_iovlen = 1 };

		attach(&h, &control, fd, fds);
		sent = sendmsg(socket, &h, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno == EAGAIN) {
			err = wait_for(f, socket, POLLOUT, deadline);
			if (err)
				return err;
			continue;
		}
		if (sent < 0 && errno != EINTR)
			return fail_errno(f, "send");
		if (sent > 0) {
			at += sent;
			n -= (size_t)sent;
			fds = 0;
		}
	}
	return FRONT_OK;
}

int front_send_raw(struct front *f, const void *bytes, size_t n, const int *fd,
		   unsigned fds)
{
	return send_all(f, f->fd, bytes, n, fd, fds);
}

static void collect(struct front_message *m, struct msghdr *h)
{
	unsigned n;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		for (unsigned i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int),
			       sizeof(int));
			if (m->fds < FRONT_FDS_MAX)
				m->fd[m->fds++] = fd;
			else
				(void)close(fd);
		}
	}
}

static int receive_all(struct front *f, int socket, void *to, size_t n,
		       struct front_message *m, uint64_t deadline)
{
	uint8_t *at = to;
	ssize_t got;
	int err;

	while (n) {
		union control c;
		struct iovec v = { .iov_base = at, .iov_len = n };
		struct msghdr h = { .msg_iov = &v,
				    .msg_iovlen = 1,
				    .msg_control = c.room,
				    .msg_controllen = sizeof(c.room) };

		got = recvmsg(socket, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (got > 0) {
			collect(m, &h);
			at += got;
			n -= (size_t)got;
			continue;
		}
		if (!got)
			return front_fail(f, FRONT_CLOSED,
					  "the back end closed");
		if (errno == EAGAIN) {
			err = wait_for(f, socket, POLLIN, deadline);
			if (err)
				return err;
		} else if (errno != EINTR) {
			return fail_errno(f, "receive");
		}
	}
	return FRONT_OK;
}

static int receive(struct front *f, int socket, struct front_message *m,
		   uint64_t deadline)
{
	uint32_t header[3];
	int err;

	m->fds = 0;
	err = receive_all(f, socket, header, sizeof(header), m, deadline);
	if (err)
		goto undo;
	m->request = header[0];
	m->flags = header[1];
	m->size = header[2];
	if (m->size > sizeof(m->payload)) {
		err = front_fail(f, FRONT_MALFORMED,
				 "message %u has a payload of %u bytes",
				 m->request, m->size);
		goto undo;
	}
	err = receive_all(f, socket, m->payload, m->size, m, deadline);
	if (!err)
		return FRONT_OK;
undo:
	front_message_close(m);
	return err;
}

int front_receive(struct front *f, struct front_message *m)
{
	return receive(f, f->fd, m, deadline_in(f->timeout_ms));
}

void front_message_close(struct front_message *m)
{
	while (m->fds)
		(void)close(m->fd[--m->fds]);
}

/* --- messages ------------------------------------------------------------- */

static int send_message(struct front *f, int socket, uint32_t request,
			uint32_t flags, const void *payload, size_t size,
			const int *fd, unsigned fds)
{
	uint8_t bytes[FRONT_HEADER + FRONT_PAYLOAD_MAX];
	uint32_t header[3] = { request, flags, (uint32_t)size };

	if (size > FRONT_PAYLOAD_MAX)
		return front_fail(f, FRONT_LOCAL, "the payload is too long");
	memcpy(bytes, header, sizeof(header));
	if (size)
		memcpy(bytes + sizeof(header), payload, size);
	return send_all(f, socket, bytes, sizeof(header) + size, fd, fds);
}

static int take_reply(struct front *f, uint32_t request,
		      struct front_message *m)
{
	int err = front_receive(f, m);

	if (err)
		return err;
	if (m->request == request &&
	    (m->flags & 7u) == (FRONT_VERSION | FRONT_REPLY))
		return FRONT_OK;
	front_message_close(m);
	return front_fail(f, FRONT_MALFORMED,
			  "reply %u with flags 0x%x to request %u", m->request,
			  m->flags, request);
}

int front_transact(struct front *f, uint32_t request, uint32_t flags,
		   const void *payload, size_t size, const int *fd,
		   unsigned fds, struct front_message *reply)
{
	int err;

	(void)pthread_mutex_lock(&f->lock);
	err = send_message(f, f->fd, request, FRONT_VERSION | flags, payload,
			   size, fd, fds);
	if (!err && reply)
		err = take_reply(f, request, reply);
	(void)pthread_mutex_unlock(&f->lock);
	return err;
}

bool front_closed_within(struct front *f, unsigned ms)
{
	uint64_t deadline = deadline_in(ms);
	struct front_message m;
	int err;

	do {
		m.fds = 0;
		err = receive(f, f->fd, &m, deadline);
		if (!err)
			front_message_close(&m);
	} while (!err);
	return err == FRONT_CLOSED;
}

/* --- the back-end channel ------------------------------------------------- */

int front_back_open(struct front *f)
{
	int pair[2], err;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return fail_errno(f, "socketpair");
	err = front_command(f, FRONT_SET_BACKEND_REQ_FD, NULL, 0, &pair[1], 1);
	(void)close(pair[1]);
	if (err)
		(void)close(pair[0]);
	else
		f->back_fd = pair[0];
	return err;
}

int front_back_receive(struct front *f, struct front_message *m, unsigned ms)
{
	return receive(f, f->back_fd, m, deadline_in(ms));
}

int front_back_answer(struct front *f, const struct front_message *m,
		      uint64_t value)
{
	return send_message(f, f->back_fd, m->request,
			    FRONT_VERSION | FRONT_REPLY, &value, sizeof(value),
			    NULL, 0);
}

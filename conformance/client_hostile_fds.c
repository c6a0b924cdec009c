/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptors: too many, none, and of kinds that nobody would send. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "client_hostile.h"

#define GONE_MS 2000u           /* until a copy must have been closed */

static void shut(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

static void make_pipe(int end[2])
{
	if (pipe2(end, O_CLOEXEC | O_NONBLOCK))
		hostile_stop("pipe");
}

/* All copies of the end that is written have been closed. */
static bool all_closed(struct hostile *h, int end[2], const char *what)
{
	struct pollfd p = { .fd = end[0] };
	bool gone;

	shut(end[1]);
	gone = poll(&p, 1, (int)GONE_MS) == 1 && p.revents & POLLHUP;
	shut(end[0]);
	return hostile_check(h, gone, "%s: not all descriptors are closed",
			     what);
}

/* --- number --------------------------------------------------------------- */

static void too_many(struct hostile *h)
{
	static const uint32_t request[] = {
		FRONT_GET_FEATURES,	  FRONT_SET_OWNER,
		FRONT_SET_MEM_TABLE,	  FRONT_SET_VRING_KICK,
		FRONT_ADD_MEM_REG,	  FRONT_SET_VRING_NUM,
		FRONT_SET_BACKEND_REQ_FD, 200
	};
	static const unsigned count[] = { 2, 3, 8, 9, 16, 33, 100, 253 };
	struct hostile_message m;
	int end[2];

	for (unsigned r = 0; r < 8; r++) {
		for (unsigned i = 0; i < 8 && !h->bad && hostile_open(h); i++) {
			if (!hostile_valid(h, request[r], &m))
				hostile_put(&m, request[r], NULL, 0);
			make_pipe(end);
			m.fds = count[i];
			for (unsigned k = 0; k < m.fds; k++)
				m.fd[k] = end[1];
			(void)hostile_refused_or_closed(h, &m,
							"many descriptors");
			(void)all_closed(h, end, "many descriptors");
		}
	}
}

static void with_every_byte(struct hostile *h)
{
	static const unsigned each[] = { 1, 3, 8, 253 };
	struct hostile_message m;
	uint32_t word[5];
	int end[2];

	for (unsigned i = 0; i < 4 && !h->bad && hostile_open(h); i++) {
		(void)hostile_valid(h, FRONT_SET_VRING_NUM, &m);
		word[0] = m.request;
		word[1] = m.flags;
		word[2] = m.size;
		memcpy(word + 3, m.payload, 8);
		make_pipe(end);
		for (unsigned k = 0; k < each[i]; k++)
			m.fd[k] = end[1];
		for (unsigned at = 0; at < sizeof(word); at++)
			if (!hostile_send(h, (uint8_t *)word + at, 1, 1, m.fd,
					  each[i]))
				break;
		(void)hostile_check(
			h, front_closed_within(&h->s.front, h->timeout_ms),
			"descriptors with every byte: not refused");
		(void)hostile_over(h, "%u descriptors with every byte",
				   each[i]);
		(void)all_closed(h, end, "descriptors with every byte");
	}
}

static void missing(struct hostile *h)
{
	struct hostile_message m;

	for (uint32_t r = 0; r < 64 && !h->bad; r++) {
		if ((!h->open && !hostile_open(h)) ||
		    !hostile_valid(h, r, &m) || !m.fds ||
		    hostile_needs(r) & ~h->s.front.protocol)
			continue;
		m.fds = 0;
		(void)hostile_refused(h, &m, "without its descriptor");
	}
}

static void contradiction(struct hostile *h)
{
	static const uint32_t request[] = { FRONT_SET_VRING_KICK,
					    FRONT_SET_VRING_CALL,
					    FRONT_SET_VRING_ERR };
	static const uint64_t word[] = { FRONT_NO_FD,	    0x200,     0xff, 16,
					 UINT64_C(1) << 32, UINT64_MAX };
	struct hostile_message m;

	for (unsigned r = 0; r < 3; r++) {
		for (unsigned i = 0; i < 6 && !h->bad; i++) {
			if ((!h->open && !hostile_open(h)) ||
			    !hostile_valid(h, request[r], &m))
				return;
			memcpy(m.payload, &word[i], 8);
			(void)hostile_refused(h, &m, "a descriptor of none");
		}
	}
}

/* --- kind ----------------------------------------------------------------- */

enum kind {
	PIPE_WITHOUT_WRITER, PIPE_WITHOUT_READER, FULL_PIPE, NULL_DEVICE,
	ZERO_DEVICE, DIRECTORY, PATH_ONLY, REGULAR_FILE, READ_ONLY_FILE,
	EMPTY_MEMORY, STREAM_SOCKET, CLOSED_SOCKET, LONE_SOCKET, LISTENER,
	DATAGRAM_SOCKET, EPOLL, NESTED_EPOLL, TIMER, SIGNALS,
	INOTIFY, SEMAPHORE, FULL_EVENT, KINDS
};

static int pipe_end(bool write_end, bool fill)
{
	char bytes[4096] = { 0 };
	int end[2];

	make_pipe(end);
	while (fill && write(end[1], bytes, sizeof(bytes)) > 0)
		;
	if (!fill || write_end == false)
		shut(end[write_end ? 0 : 1]);
	return end[write_end ? 1 : 0];  /* of a full one the reader stays */
}

static int socket_of(enum kind k)
{
	int type = k == DATAGRAM_SOCKET ? SOCK_DGRAM : SOCK_STREAM, pair[2];

	if (k == LONE_SOCKET || k == LISTENER) {
		int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
		sa_family_t any = AF_UNIX;

		if (k == LISTENER &&
		    (bind(fd, (const void *)&any, sizeof(any)) ||
		     listen(fd, 1)))
			hostile_stop("listen");
		return fd;
	}
	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair))
		hostile_stop("socketpair");
	if (k == CLOSED_SOCKET)
		shut(pair[0]);
	return pair[1];
}

static int epoll_of(struct hostile *h, enum kind k)
{
	struct epoll_event e = { .events = EPOLLIN };
	int fd = epoll_create1(EPOLL_CLOEXEC), in;

	(void)epoll_ctl(fd, EPOLL_CTL_ADD, h->s.front.fd, &e);
	for (unsigned depth = 0; k == NESTED_EPOLL && depth < 4; depth++) {
		in = fd;
		fd = epoll_create1(EPOLL_CLOEXEC);
		(void)epoll_ctl(fd, EPOLL_CTL_ADD, in, &e);
		shut(in);
	}
	return fd;
}

static int timer(void)
{
	const struct itimerspec often = { .it_interval = { 0, 1 },
					  .it_value = { 0, 1 } };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

	(void)timerfd_settime(fd, 0, &often, NULL);
	return fd;
}

static int signals(void)
{
	sigset_t all;

	(void)sigfillset(&all);
	return signalfd(-1, &all, SFD_CLOEXEC);
}

static int full_event(void)
{
	uint64_t most = UINT64_MAX - 1;
	int fd = eventfd(0, EFD_CLOEXEC);

	if (write(fd, &most, sizeof(most)) < 0)
		hostile_stop("eventfd");
	return fd;
}

/* No default: the compiler counts. */
static int odd(struct hostile *h, enum kind k)
{
	switch (k) {
	case PIPE_WITHOUT_WRITER: return pipe_end(false, false);
	case PIPE_WITHOUT_READER: return pipe_end(true, false);
	case FULL_PIPE: return pipe_end(true, true);
	case NULL_DEVICE: return open("/dev/null", O_RDWR | O_CLOEXEC);
	case ZERO_DEVICE: return open("/dev/zero", O_RDWR | O_CLOEXEC);
	case DIRECTORY: return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	case PATH_ONLY: return open("/", O_PATH | O_CLOEXEC);
	case REGULAR_FILE: return hostile_memfd(1 << 20);
	case READ_ONLY_FILE:
		return open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	case EMPTY_MEMORY: return hostile_memfd(0);
	case STREAM_SOCKET:
	case CLOSED_SOCKET:
	case LONE_SOCKET:
	case LISTENER:
	case DATAGRAM_SOCKET: return socket_of(k);
	case EPOLL:
	case NESTED_EPOLL: return epoll_of(h, k);
	case TIMER: return timer();
	case SIGNALS: return signals();
	case INOTIFY: return inotify_init1(IN_CLOEXEC);
	case SEMAPHORE: return eventfd(3, EFD_SEMAPHORE | EFD_CLOEXEC);
	case FULL_EVENT: return full_event();
	case KINDS: break;
	}
	return -1;
}

static void nothing(struct hostile *h)
{
	(void)h;
}

static const struct {
	uint32_t request;
	bool running;           /* queue 0 uses it, and the others go on */
	void (*use)(struct hostile *h);
} targets[] = {
	{ FRONT_SET_VRING_KICK, true, hostile_use_events },
	{ FRONT_SET_VRING_CALL, true, hostile_use_events },
	{ FRONT_SET_VRING_ERR, true, hostile_use_events },
	{ FRONT_SET_BACKEND_REQ_FD, true, hostile_use_events },
	{ FRONT_SET_MEM_TABLE, false, nothing },
	{ FRONT_ADD_MEM_REG, false, nothing },
	{ FRONT_SET_LOG_BASE, false, nothing },
	{ FRONT_SET_INFLIGHT_FD, false, nothing }
};

static void one_kind(struct hostile *h, unsigned target, enum kind k)
{
	uint32_t r = targets[target].request;
	struct hostile_message m;
	int fd;

	if (!(targets[target].running ? hostile_run(h) : hostile_open(h)) ||
	    hostile_needs(r) & ~h->s.front.protocol || !hostile_valid(h, r, &m))
		return;
	fd = odd(h, k);
	m.fd[0] = fd;
	m.fds = 1;
	m.flags |= FRONT_NEED_REPLY;
	if (targets[target].running)
		(void)hostile_load(h);
	(void)hostile_send_message(h, &m);
	(void)hostile_check(h, hostile_answer(h, r) != ANSWER_NONE,
			    "request %u with a descriptor of kind %u: "
			    "no answer",
			    r, k);
	targets[target].use(h);
	hostile_unload(h);
	shut(fd);
	(void)hostile_over(h, "request %u with a descriptor of kind %u", r, k);
}

static void kinds_of_events(struct hostile *h)
{
	for (unsigned t = 0; t < 4; t++)
		for (unsigned k = 0; k < KINDS && !h->bad; k++)
			one_kind(h, t, (enum kind)k);
}

static void kinds_of_memory(struct hostile *h)
{
	for (unsigned t = 4; t < 8; t++)
		for (unsigned k = 0; k < KINDS && !h->bad; k++)
			one_kind(h, t, (enum kind)k);
}

const struct hostile_test hostile_fds[] = {
	{ "fds__too_many", too_many },
	{ "fds__with_every_byte", with_every_byte },
	{ "fds__missing", missing },
	{ "fds__flag_and_descriptor_contradict", contradiction },
	{ "fds__odd_kinds_for_events", kinds_of_events },
	{ "fds__odd_kinds_for_memory", kinds_of_memory },
	{ NULL, NULL }
};

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libFuzzer: a front end that sends anything. The input is a list of messages;
 * each goes through the real socket to the real session, disk and lane, on a
 * null store.
 *
 *     byte  request         GET_FEATURES ... ; above 127: 255 - request
 *     byte  flags           0: those of the protocol; 1: those, need_reply;
 *                           else as they are
 *     byte  descriptors     two bits each kind, low first, of up to 4: end,
 *                           memory, eventfd, a file that is neither
 *     byte  size            payload bytes that follow; at 255 the message says
 *                           1 MiB and the stream ends
 *     ...   payload
 *
 * The memory is one memfd of MEMORY bytes that holds the whole input again and
 * again, so that rings in it are fuzzed too; a session starts with protocol
 * features negotiated, or hardly an input would get anywhere.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../guard.h"
#include "log.h"
#include "../session.h"

#define MEMORY   65536u
#define MESSAGES 64u
#define KINDS    4u

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct disk disk;
static struct session session;
static uint8_t *memory;
static int fds[KINDS];          /* by kind; 0 unused */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const struct disk_options options = { .fd = -1,
						     .null_size = 1u << 20,
						     .block_size = 512,
						     .num_queues = 2,
						     .queue_size = 16,
						     .threads = 1,
						     .iommu = true,
						     .inflight = true,
						     .packed = true };
	char why[512];

	(void)argc;
	(void)argv;
	log_set_level(LOG_ERROR);
	(void)signal(SIGPIPE, SIG_IGN);
	fds[1] = memfd_create("fuzz", MFD_CLOEXEC);
	fds[2] = eventfd(0, EFD_CLOEXEC);
	fds[3] = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	if (!guard_install() || fds[1] < 0 || ftruncate(fds[1], MEMORY))
		abort();
	memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, fds[1],
		      0);
	if (memory == MAP_FAILED ||
	    disk_open(&disk, &options, why, sizeof(why)))
		abort();
	return 0;
}

static bool send_raw(int socket, const struct header *h, const void *body,
		     size_t len, const int *give, unsigned n)
{
	union {
		char space[CMSG_SPACE(4 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov[] = {
		{ .iov_base = (void *)(uintptr_t)h, .iov_len = sizeof(*h) },
		{ .iov_base = (void *)(uintptr_t)body, .iov_len = len }
	};
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };

	if (n > 0) {
		struct cmsghdr *c;

		memset(&control, 0, sizeof(control));
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(n * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(c), give, n * sizeof(int));
	}
	return sendmsg(socket, &m, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

/* Answers are not wanted, but must not fill the socket. */
static void discard(int socket)
{
	char drop[4096];
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { drop, sizeof(drop) };
	struct msghdr m;

	do {
		memset(&m, 0, sizeof(m));
		m.msg_iov = &iov;
		m.msg_iovlen = 1;
		m.msg_control = &control;
		m.msg_controllen = sizeof(control);
		if (recvmsg(socket, &m, MSG_DONTWAIT) <= 0)
			return;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c;
		     c = CMSG_NXTHDR(&m, c)) {
			int fd;

			memcpy(&fd, CMSG_DATA(c), sizeof(fd));
			(void)close(fd);
		}
	} while (1);
}

/* One message of the input. False: there is no more, or it was the last. */
static bool one(int socket, const uint8_t **at, const uint8_t *end)
{
	const uint8_t *p = *at;
	struct header h = { 0, MSG_VERSION, 0 };
	int give[4];
	unsigned n = 0;
	size_t len;
	bool last;

	if (end - p < 4)
		return false;
	h.request = p[0] > 127 ? 255u - p[0] : p[0];
	h.flags = p[1] == 0   ? MSG_VERSION
		  : p[1] == 1 ? MSG_VERSION | MSG_NEED_REPLY
			      : p[1];
	for (unsigned i = 0; i < 4 && (p[2] >> 2 * i & 3u); i++)
		give[n++] = fds[p[2] >> 2 * i & 3u];
	last = p[3] == 255;
	len = last ? 0 : p[3];
	p += 4;
	if (len > (size_t)(end - p))
		len = (size_t)(end - p);
	h.size = last ? 1u << 20 : (uint32_t)len;
	*at = p + len;
	return send_raw(socket, &h, p, len, give, n) && !last;
}

static void greet(int socket)
{
	static const struct header h = { SET_PROTOCOL_FEATURES, MSG_VERSION,
					 8 };
	static const uint64_t all = UINT64_C(0x1b22b);

	(void)send_raw(socket, &h, &all, sizeof(all), NULL, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *at = data, *end = data + size;
	bool on, more = true;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		abort();
	for (size_t i = 0; size > 0 && i < MEMORY; i += size)
		memcpy(memory + i, data, size < MEMORY - i ? size : MEMORY - i);
	session_open(&session, &disk, pair[1]);
	greet(pair[0]);
	on = session_front(&session);
	for (unsigned i = 0; on && more && i < MESSAGES; i++) {
		more = one(pair[0], &at, end);
		on = session_front(&session);
		if (on && disk_attend(&disk))
			session_config_changed(&session);
		discard(pair[0]);
	}
	(void)close(pair[0]);
	session_close(&session);
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages of the hostile tests: bytes, well-formed ones to be spoilt, and what
 * came of them. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client_hostile.h"

#define SCRATCH_BYTES (UINT64_C(1) << 20)
#define SCRATCH_GPA   UINT64_C(0x5500000000)
#define SCRATCH_UVA   UINT64_C(0x440000000000)

union control {
	struct cmsghdr align;
	char room[CMSG_SPACE(HOSTILE_FDS * sizeof(int))];
};

int hostile_memfd(uint64_t bytes)
{
	int fd = memfd_create("hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, (off_t)bytes))
		hostile_stop("memfd");
	return fd;
}

static int scratch_memory(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = hostile_memfd(SCRATCH_BYTES);
	return fd;
}

static int scratch_event(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (fd < 0)
		hostile_stop("eventfd");
	return fd;
}

/* The other end stays open, and nobody reads it. */
static int scratch_socket(void)
{
	static int pair[2] = { -1, -1 };

	if (pair[0] < 0 &&
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		hostile_stop("socketpair");
	return pair[1];
}

/* --- bytes ---------------------------------------------------------------- */

static void attach(struct msghdr *to, union control *c, const int *fd,
		   unsigned fds)
{
	struct cmsghdr *m;

	if (!fds)
		return;
	memset(c, 0, sizeof(*c));
	to->msg_control = c->room;
	to->msg_controllen = CMSG_SPACE(fds * sizeof(int));
	m = CMSG_FIRSTHDR(to);
	m->cmsg_level = SOL_SOCKET;
	m->cmsg_type = SCM_RIGHTS;
	m->cmsg_len = CMSG_LEN(fds * sizeof(int));
	memcpy(CMSG_DATA(m), fd, fds * sizeof(int));
}

bool hostile_send(struct hostile *h, const void *bytes, size_t n, size_t piece,
		  const int *fd, unsigned fds)
{
	uint64_t end = now_ns() + h->timeout_ms * NS_PER_MS;
	struct pollfd p = { .fd = h->s.front.fd, .events = POLLOUT };
	const uint8_t *at = bytes;
	union control control;

	while (n) {
		struct iovec v = { (void *)(uintptr_t)at,
				   n < piece ? n : piece };
		struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
		ssize_t sent;

		attach(&m, &control, fd, fds);
		sent = sendmsg(p.fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent > 0) {
			at += sent;
			n -= (size_t)sent;
			fds = 0;
		} else if (sent < 0 && errno == EAGAIN) {
			if (now_ns() > end)
				return hostile_fail(h, "it takes no message");
			(void)poll(&p, 1, 20);
		} else if (sent < 0 && errno == ETOOMANYREFS) {
			sleep_ns(NS_PER_MS); /* in flight between sockets */
		} else if (sent < 0 && errno != EINTR) {
			return false;
		}
	}
	return true;
}

bool hostile_send_message(struct hostile *h, const struct hostile_message *m)
{
	uint8_t bytes[FRONT_HEADER + sizeof(m->payload)];
	uint32_t header[3] = { m->request, m->flags, m->size };

	memcpy(bytes, header, sizeof(header));
	memcpy(bytes + sizeof(header), m->payload, m->bytes);
	return hostile_send(h, bytes, sizeof(header) + m->bytes, SIZE_MAX,
			    m->fd, m->fds);
}

/* --- answers -------------------------------------------------------------- */

enum hostile_answer hostile_answer(struct hostile *h, uint32_t request)
{
	struct front_message m;
	uint64_t value;
	int err = front_receive(&h->s.front, &m);

	if (err)
		return err == FRONT_TIMEOUT ? ANSWER_NONE : ANSWER_CLOSED;
	front_message_close(&m);
	(void)hostile_check(h,
			    m.request == request &&
				    (m.flags & 7u) ==
					    (FRONT_VERSION | FRONT_REPLY),
			    "the answer to request %u was %u, flags 0x%x",
			    request, m.request, m.flags);
	if (m.size != sizeof(value))
		return ANSWER_OTHER;
	memcpy(&value, m.payload, sizeof(value));
	return value ? ANSWER_NAK : ANSWER_ACK;
}

const char *hostile_answer_name(enum hostile_answer a)
{
	static const char *const name[] = { "silence", "the connection's end",
					    "an acknowledgement", "a refusal",
					    "another reply" };

	return name[a];
}

bool hostile_talks(struct hostile *h)
{
	uint64_t bits;

	return front_get_features(&h->s.front, &bits) == FRONT_OK;
}

/* Without an acknowledgement there must be an end of it, no silence. */
bool hostile_closes(struct hostile *h, struct hostile_message *m,
		    const char *what)
{
	if (!h->open && !hostile_open(h))
		return false;
	m->flags &= ~FRONT_NEED_REPLY;
	(void)hostile_send_message(h, m);
	if (hostile_check(h, front_closed_within(&h->s.front, h->timeout_ms),
			  "%s (request %u): neither refused nor the "
			  "connection closed",
			  what, m->request))
		return hostile_over(h, "%s", what);
	return false;
}

bool hostile_refused(struct hostile *h, struct hostile_message *m,
		     const char *what)
{
	enum hostile_answer a;

	if (!h->open && !hostile_open(h))
		return false;
	if (h->s.front.protocol & FRONT_PF_REPLY_ACK) {
		m->flags |= FRONT_NEED_REPLY;
		(void)hostile_send_message(h, m);
		a = hostile_answer(h, m->request);
		if (!hostile_check(h, a == ANSWER_NAK,
				   "%s (request %u): %s instead of a refusal",
				   what, m->request, hostile_answer_name(a)) ||
		    !hostile_check(h, hostile_talks(h),
				   "%s (request %u): refused, but then the "
				   "connection does not go on",
				   what, m->request))
			return false;
	}
	return hostile_closes(h, m, what) && hostile_open(h);
}

bool hostile_refused_or_closed(struct hostile *h, struct hostile_message *m,
			       const char *what)
{
	enum hostile_answer a;

	if (!h->open && !hostile_open(h))
		return false;
	m->flags |= FRONT_NEED_REPLY;
	(void)hostile_send_message(h, m);
	a = hostile_answer(h, m->request);
	return hostile_check(h, a == ANSWER_NAK || a == ANSWER_CLOSED,
			     "%s (request %u, %u bytes): %s", what, m->request,
			     m->size, hostile_answer_name(a)) &&
	       hostile_over(h, "%s (request %u, %u bytes)", what, m->request,
			    m->size);
}

/* --- well-formed ---------------------------------------------------------- */

uint64_t hostile_needs(uint32_t request)
{
	switch (request) {
	case FRONT_SET_LOG_BASE: return FRONT_PF_LOG_SHMFD;
	case FRONT_GET_QUEUE_NUM: return FRONT_PF_MQ;
	case FRONT_SET_BACKEND_REQ_FD:
	case FRONT_IOTLB_MSG: return FRONT_PF_BACKEND_REQ;
	case FRONT_GET_CONFIG:
	case FRONT_SET_CONFIG: return FRONT_PF_CONFIG;
	case FRONT_GET_INFLIGHT_FD:
	case FRONT_SET_INFLIGHT_FD: return FRONT_PF_INFLIGHT_SHMFD;
	case FRONT_RESET_DEVICE: return FRONT_PF_RESET_DEVICE;
	case FRONT_GET_MAX_MEM_SLOTS:
	case FRONT_ADD_MEM_REG:
	case FRONT_REM_MEM_REG: return FRONT_PF_CONFIGURE_MEM_SLOTS;
	case FRONT_SET_STATUS:
	case FRONT_GET_STATUS: return FRONT_PF_STATUS;
	default: return 0;
	}
}

void hostile_put(struct hostile_message *m, uint32_t request,
		 const void *payload, size_t bytes)
{
	m->request = request;
	m->flags = FRONT_VERSION;
	m->size = (uint32_t)bytes;
	m->bytes = bytes;
	m->fds = 0;
	if (bytes)
		memcpy(m->payload, payload, bytes);
}

void hostile_put_state(struct hostile_message *m, uint32_t request,
		       uint32_t index, uint32_t num)
{
	uint32_t state[2] = { index, num };

	hostile_put(m, request, state, sizeof(state));
}

static void put_u64(struct hostile_message *m, uint32_t request, uint64_t v)
{
	hostile_put(m, request, &v, sizeof(v));
}

static void put_file(struct hostile_message *m, uint32_t request,
		     uint64_t value, size_t bytes, int fd)
{
	hostile_put(m, request, &value, bytes);
	m->fd[0] = fd;
	m->fds = 1;
}

static void put_memory(struct hostile *h, struct hostile_message *m)
{
	struct {
		uint32_t regions, padding;
		struct front_region region[FRONT_REGIONS_MAX];
	} t = { .regions = 1 };
	const struct mem *mem = &h->s.mem;

	t.region[0] = (struct front_region){ SCRATCH_GPA, SCRATCH_BYTES,
					     SCRATCH_UVA, 0 };
	m->fd[0] = scratch_memory();
	for (unsigned i = 0; i < mem->regions; i++) {
		t.regions = i + 1;
		t.region[i] = mem->region[i].at;
		m->fd[i] = mem->region[i].fd;
	}
	hostile_put(m, FRONT_SET_MEM_TABLE, &t,
		    8 + t.regions * sizeof(t.region[0]));
	m->fds = t.regions;
}

static void put_slot(struct hostile_message *m, uint32_t request)
{
	struct {
		uint64_t padding;
		struct front_region region;
	} slot = { .region = { SCRATCH_GPA, SCRATCH_BYTES, SCRATCH_UVA, 0 } };

	hostile_put(m, request, &slot, sizeof(slot));
	m->fd[0] = scratch_memory();
	m->fds = request == FRONT_ADD_MEM_REG;
}

static void put_addr(struct hostile *h, struct hostile_message *m)
{
	struct front_vring_addr a = { .index = 0,
				      .desc = SCRATCH_UVA,
				      .avail = SCRATCH_UVA + 0x10000,
				      .used = SCRATCH_UVA + 0x20000 };

	if (h->s.queue) {
		const struct vring *q = &h->s.queue[0];

		a.desc = mem_uva(&h->s.mem, q->part[0].addr, 1);
		a.avail = mem_uva(&h->s.mem, q->part[1].addr, 1);
		a.used = mem_uva(&h->s.mem, q->part[2].addr, 1);
	}
	hostile_put(m, FRONT_SET_VRING_ADDR, &a, sizeof(a));
}

static void put_inflight(struct hostile_message *m, uint32_t request)
{
	struct front_inflight f = { .size = SCRATCH_BYTES,
				    .queues = 1,
				    .queue_size = HOSTILE_RING };

	hostile_put(m, request, &f, sizeof(f));
	m->fd[0] = scratch_memory();
	m->fds = request == FRONT_SET_INFLIGHT_FD;
}

static void put_config(struct hostile_message *m, uint32_t request)
{
	uint32_t c[4] = { BLK_CONFIG_WRITEBACK, 1, 0, 1 };

	hostile_put(m, request, c, 13);
}

/* Those with a queue: of it, or the back end's only state that matters. */
static bool put_simple(struct hostile *h, uint32_t request,
		       struct hostile_message *m)
{
	const uint64_t log[2] = { SCRATCH_BYTES, 0 };
	uint32_t size = HOSTILE_RING;

	switch (request) {
	case FRONT_SET_FEATURES: put_u64(m, request, h->s.features); break;
	case FRONT_SET_PROTOCOL_FEATURES:
		put_u64(m, request, h->s.front.protocol);
		break;
	case FRONT_SET_STATUS: put_u64(m, request, 15); break;
	case FRONT_SET_LOG_BASE:
		hostile_put(m, request, log, sizeof(log));
		m->fd[m->fds++] = scratch_memory();
		break;
	case FRONT_SET_VRING_NUM: hostile_put_state(m, request, 0, size); break;
	case FRONT_SET_VRING_BASE:
	case FRONT_GET_VRING_BASE: hostile_put_state(m, request, 0, 0); break;
	case FRONT_SET_VRING_ENABLE: hostile_put_state(m, request, 0, 1); break;
	case FRONT_SET_VRING_KICK:
	case FRONT_SET_VRING_CALL:
	case FRONT_SET_VRING_ERR:
		put_file(m, request, 0, 8, scratch_event());
		break;
	case FRONT_SET_BACKEND_REQ_FD:
		put_file(m, request, 0, 0, scratch_socket());
		break;
	default: return false;
	}
	return true;
}

bool hostile_valid(struct hostile *h, uint32_t request,
		   struct hostile_message *m)
{
	struct front_iotlb u = { .iova = 0,
				 .size = MEM_PAGE,
				 .type = FRONT_IOTLB_INVALIDATE };

	if (put_simple(h, request, m))
		return true;
	switch (request) {
	case FRONT_GET_FEATURES:
	case FRONT_SET_OWNER:
	case FRONT_RESET_OWNER:
	case FRONT_GET_PROTOCOL_FEATURES:
	case FRONT_GET_QUEUE_NUM:
	case FRONT_RESET_DEVICE:
	case FRONT_GET_MAX_MEM_SLOTS:
	case FRONT_GET_STATUS: hostile_put(m, request, NULL, 0); break;
	case FRONT_SET_MEM_TABLE: put_memory(h, m); break;
	case FRONT_ADD_MEM_REG:
	case FRONT_REM_MEM_REG: put_slot(m, request); break;
	case FRONT_SET_VRING_ADDR: put_addr(h, m); break;
	case FRONT_GET_CONFIG:
	case FRONT_SET_CONFIG: put_config(m, request); break;
	case FRONT_GET_INFLIGHT_FD:
	case FRONT_SET_INFLIGHT_FD: put_inflight(m, request); break;
	case FRONT_IOTLB_MSG: hostile_put(m, request, &u, sizeof(u)); break;
	default: return false;
	}
	return true;
}

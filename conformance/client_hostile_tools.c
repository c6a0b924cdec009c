/* SPDX-License-Identifier: BSD-2-Clause */
/* Connections of the hostile tests, and whether the next one is served. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client_hostile.h"
#include "stamp.h"

#define SPAN       (UINT64_C(8) << 20)  /* of the load */
#define LOAD_DEPTH 8u
#define LOAD_MAX   32768u
#define GOOD_BYTES 4096u
#define SETTLE_MS  1500u

bool hostile_fail(struct hostile *h, const char *format, ...)
{
	va_list ap;

	if (h->bad)
		return false;
	h->bad = true;
	va_start(ap, format);
	(void)vsnprintf(h->why, sizeof(h->why), format, ap);
	va_end(ap);
	for (char *p = h->why; *p; p++)
		if (*p == '\n' || *p == '#')
			*p = ' ';
	return false;
}

bool hostile_check(struct hostile *h, bool good, const char *format, ...)
{
	char text[HOSTILE_WHY];
	va_list ap;

	if (good)
		return true;
	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	return hostile_fail(h, "%s", text);
}

void hostile_stop(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(EXIT_TEST);
}

/* --- the good connection -------------------------------------------------- */

/* A back end that hangs does not accept: connect would wait for ever. */
int hostile_connect(struct hostile *h)
{
	uint64_t end = now_ns() + h->timeout_ms * NS_PER_MS;
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)snprintf(to.sun_path, sizeof(to.sun_path), "%s",
		       h->o->socket_path);
	if (fd < 0)
		hostile_stop("socket");
	while (connect(fd, (const struct sockaddr *)&to, sizeof(to))) {
		if (errno != EAGAIN || now_ns() > end) {
			(void)close(fd);
			return -1;
		}
		sleep_ns(NS_PER_MS);
	}
	(void)fcntl(fd, F_SETFL, 0);
	return fd;
}

/* session_open, but the connection is made here. */
static int open_session(struct hostile *h, struct session *s,
			struct session_options *so)
{
	so->path = NULL;
	so->fd = hostile_connect(h);
	if (so->fd >= 0)
		return session_open(s, so);
	memset(s, 0, sizeof(*s));
	(void)snprintf(s->why, sizeof(s->why), "connect: %s", strerror(errno));
	return FRONT_LOCAL;
}

static struct session_options options(const struct hostile *h, unsigned queues)
{
	struct session_options so = client_session(h->o);

	so.timeout_ms = h->timeout_ms;
	so.queues = queues;
	so.ring_size = HOSTILE_RING;
	so.slots = queues * LOAD_DEPTH + 1;
	so.slot_bytes = LOAD_MAX;
	return so;
}

static int write_and_read(struct session *s, const struct vring_part *m,
			  uint64_t sector, uint32_t generation)
{
	uint8_t *data = (uint8_t *)m->host + SESSION_DATA, status = 0;
	int err = 0;

	for (unsigned i = 0; i < GOOD_BYTES / SECTOR; i++)
		stamp_fill(data + i * SECTOR, 1, sector + i,
			   STAMP_FIRST + generation);
	if (!(s->features & BLK_F_RO))
		err = session_request(s, 0, BLK_T_OUT, sector, m, GOOD_BYTES,
				      &status);
	memset(data, 0, GOOD_BYTES);
	if (!err && !status)
		err = session_request(s, 0, BLK_T_IN, sector, m, GOOD_BYTES,
				      &status);
	if (err)
		return err;
	(void)snprintf(s->why, sizeof(s->why), "status %u", status);
	if (status)
		return FRONT_REFUSED;
	(void)snprintf(s->why, sizeof(s->why), "it reads back differently");
	for (unsigned i = 0; i < GOOD_BYTES / SECTOR; i++)
		if (!(s->features & BLK_F_RO) &&
		    !stamp_check(data + i * SECTOR, 1, sector + i,
				 STAMP_FIRST + generation))
			return FRONT_MALFORMED;
	return 0;
}

static bool serves(struct hostile *h, const char *after)
{
	struct session_options so = options(h, 1);
	struct vring_part m;
	struct session s;
	int err = open_session(h, &s, &so);

	if (err)
		return hostile_fail(h,
				    "after %s a connection is not served: "
				    "%s",
				    after, s.why);
	err = session_make(&s);
	if (!err && !session_take(&s, MEM_DEVICE, SESSION_DATA + 2 * GOOD_BYTES,
				  16, &m))
		err = FRONT_LOCAL;
	if (!err)
		err = session_start(&s);
	if (!err)
		err = write_and_read(&s, &m,
				     h->capacity - 2 * GOOD_BYTES / SECTOR,
				     (uint32_t)h->acts);
	if (err)
		(void)hostile_fail(h, "after %s the next guest: %s", after,
				   s.why);
	session_close(&s);
	return !err;
}

static void count_descriptors(struct hostile *h, const char *after)
{
	uint64_t end = now_ns() + SETTLE_MS * NS_PER_MS;
	struct process_usage u;

	while (h->pid && h->fds && process_usage(h->pid, &u) &&
	       u.fds > h->fds) {
		if (now_ns() > end) {
			(void)hostile_fail(h,
					   "after %s it has %u descriptors "
					   "instead of %u",
					   after, u.fds, h->fds);
			h->fds = u.fds;
			return;
		}
		sleep_ns(NS_PER_MS / 5);
	}
}

bool hostile_over(struct hostile *h, const char *format, ...)
{
	char after[128];
	va_list ap;
	bool good;

	va_start(ap, format);
	(void)vsnprintf(after, sizeof(after), format, ap);
	va_end(ap);
	hostile_close(h);
	h->acts++;
	good = serves(h, after);
	if (good)
		count_descriptors(h, after);
	return good;
}

/* --- the connection of a test --------------------------------------------- */

bool hostile_open_with(struct hostile *h, uint64_t protocol)
{
	struct session_options so = options(h, h->queues);

	hostile_close(h);
	so.protocol &= protocol;
	so.features &= ~h->without;
	if (open_session(h, &h->s, &so))
		return hostile_fail(h, "a new connection: %s", h->s.why);
	h->open = true;
	h->next = 0;
	return true;
}

bool hostile_open(struct hostile *h)
{
	return hostile_open_with(h, UINT64_MAX);
}

void hostile_close(struct hostile *h)
{
	hostile_unload(h);
	if (h->open)
		session_close(&h->s);
	h->open = false;
}

static void add_region(struct session *s, uint64_t gpa, uint64_t uva,
		       uint64_t offset)
{
	struct front_region r = { gpa, ARENA_BYTES, uva, offset };

	if (mem_add(&s->mem, &r))
		hostile_stop("guest memory");
}

static void take(struct session *s, uint64_t bytes, uint64_t align,
		 struct vring_part *out)
{
	if (!session_take(s, MEM_RINGS, bytes, align, out))
		hostile_stop("memory of a ring");
}

/* Queue 0 moves to a region of its own, its areas far apart. */
static void move_queue(struct hostile *h)
{
	struct vring_options o = { .size = HOSTILE_RING,
				   .event_idx = h->s.features &
						VIRTIO_F_EVENT_IDX };
	struct vring_part skip;

	take(&h->s, MEM_PAGE, MEM_PAGE, &skip);
	take(&h->s, HOSTILE_RING * sizeof(struct virtio_desc), MEM_PAGE,
	     &o.desc);
	take(&h->s, AVAIL_BYTES(HOSTILE_RING), MEM_PAGE, &o.avail);
	take(&h->s, USED_BYTES(HOSTILE_RING), MEM_PAGE, &o.used);
	vring_free(&h->s.queue[0]);
	if (vring_init(&h->s.queue[0], &o))
		hostile_stop("a queue");
}

bool hostile_make(struct hostile *h)
{
	if (!hostile_open(h))
		return false;
	if (session_make(&h->s))
		hostile_stop(h->s.why);
	add_region(&h->s, UINT64_C(0x600000000), UINT64_C(0x77700000b000),
		   0x3000);
	add_region(&h->s, UINT64_C(0xa00001000), UINT64_C(0x333000007000),
		   0x5000);
	move_queue(h);
	return true;
}

bool hostile_start(struct hostile *h)
{
	struct front *f = &h->s.front;

	if (f->protocol & FRONT_PF_BACKEND_REQ && front_back_open(f))
		return hostile_fail(h, "SET_BACKEND_REQ_FD: %s", f->why);
	if (session_start(&h->s))
		return hostile_fail(h, "a good start: %s", h->s.why);
	return true;
}

bool hostile_run(struct hostile *h)
{
	return hostile_make(h) && hostile_start(h);
}

/* --- the well-behaved guest beside it ------------------------------------- */

bool hostile_load(struct hostile *h)
{
	struct load_options lo = { .first = 1,
				   .queues = h->queues - 1,
				   .threads = 1,
				   .depth = LOAD_DEPTH,
				   .seed = h->o->seed,
				   .span = SPAN / SECTOR,
				   .max_sectors = LOAD_MAX / SECTOR,
				   .timeout_ms = h->timeout_ms,
				   .guards = true,
				   .discard = true };

	if (h->queues < 2)
		return true;
	if (lo.span > h->capacity / 4)
		lo.span = h->capacity / 4;
	h->load = load_new(&h->s, &lo);
	if (!h->load || load_start(h->load))
		hostile_stop("load");
	return true;
}

void hostile_unload(struct hostile *h)
{
	if (!h->load)
		return;
	load_stop(h->load);
	if (h->s.front.fd >= 0)
		load_sweep(h->load);
	if (load_failed(h->load))
		(void)hostile_fail(h, "the guest beside it: %s",
				   load_why(h->load));
	load_free(h->load);
	h->load = NULL;
}

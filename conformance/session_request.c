/* SPDX-License-Identifier: BSD-2-Clause */
/* One request and the wait for it. */
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "session.h"
#include "util.h"

static int complain(struct session *s, int error, const char *why)
{
	(void)snprintf(s->why, sizeof(s->why), "request: %s", why);
	return error;
}

static bool device_writes(uint32_t type)
{
	return type == BLK_T_IN || type == BLK_T_GET_ID;
}

static int add(struct vring *q, uint32_t type, uint64_t sector,
	       const struct vring_part *m, uint32_t bytes)
{
	struct blk_header *h = m->host;
	struct vring_buffer c[3];
	unsigned n = 0;

	h->type = le32(type);
	h->reserved = 0;
	h->sector = le64(sector);
	((uint8_t *)m->host)[SESSION_DATA + bytes] = 0xff;
	c[n++] = (struct vring_buffer){ m->addr, sizeof(*h), false };
	if (bytes)
		c[n++] = (struct vring_buffer){ m->addr + SESSION_DATA, bytes,
						device_writes(type) };
	c[n++] = (struct vring_buffer){ m->addr + SESSION_DATA + bytes, 1,
					true };
	if (vring_add(q, c, n, false, 0) < 0)
		return -1;
	(void)vring_arm(q);
	vring_flush(q);
	return 0;
}

int session_request(struct session *s, unsigned queue, uint32_t type,
		    uint64_t sector, const struct vring_part *memory,
		    uint32_t bytes, uint8_t *status)
{
	uint64_t end = now_ns() + s->options.timeout_ms * NS_PER_MS;
	struct vring *q = &s->queue[queue];
	struct pollfd p = { .fd = q->call, .events = POLLIN };
	struct vring_used u;
	uint64_t calls;
	int got;

	if (add(q, type, sector, memory, bytes))
		return complain(s, FRONT_LOCAL, "the queue is full");
	for (;;) {
		got = vring_pop(q, &u);
		if (got < 0)
			return complain(s, FRONT_MALFORMED, q->why);
		if (got > 0)
			break;
		if (now_ns() > end)
			return complain(s, FRONT_TIMEOUT, "not completed");
		/* Not longer than this: a connection may be gone. */
		if (poll(&p, 1, 20) > 0 &&
		    read(q->call, &calls, sizeof(calls)) < 0)
			return complain(s, FRONT_LOCAL, "call descriptor");
	}
	*status = ((uint8_t *)memory->host)[SESSION_DATA + bytes];
	return FRONT_OK;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections that come and go. Some are used for one request, others end in
 * the middle of a message, at each stage of a session: just connected,
 * negotiated, running, with requests in flight. After each the back end must
 * serve the next one, and none may leave a descriptor or memory behind.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client.h"
#include "util.h"

#define READ_BYTES   4096u
#define IN_FLIGHT    8u
#define RSS_SLACK_KB 2048u
#define SETTLE_MS    2000u

struct connects {
	struct client_options *o;
	struct session_options so;
	struct rng rng;
	uint64_t served, cut;
	char why[SESSION_WHY];
};

static int start(struct session *s, struct vring_part *m)
{
	int err = session_make(s);

	if (!err)
		err = session_start(s);
	if (!err &&
	    !session_take(s, MEM_DEVICE, SESSION_DATA + 2 * READ_BYTES, 16, m))
		err = FRONT_LOCAL;
	return err;
}

static int use(struct session *s)
{
	struct vring_part m;
	uint8_t status = 0;
	int err = start(s, &m);

	if (!err)
		err = session_request(s, 0, BLK_T_IN, 0, &m, READ_BYTES,
				      &status);
	if (!err && status != BLK_S_OK) {
		strcpy(s->why, "the read failed");
		err = FRONT_REFUSED;
	}
	return err;
}

/* Reads that nobody will wait for. */
static void leave_requests(struct session *s, const struct vring_part *m)
{
	struct blk_header *h = m->host;
	struct vring_buffer c[3] = {
		{ m->addr, sizeof(*h), false },
		{ m->addr + SESSION_DATA, READ_BYTES, true },
		{ m->addr + SESSION_DATA + READ_BYTES, 1, true }
	};

	h->type = le32(BLK_T_IN);
	h->reserved = 0;
	h->sector = 0;
	for (unsigned i = 0; i < IN_FLIGHT; i++)
		(void)vring_add(&s->queue[0], c, 3, false, i);
	vring_flush(&s->queue[0]);
}

/* A well-formed beginning of any message, with or without descriptors. */
static void send_part(struct connects *c, struct session *s)
{
	uint8_t bytes[FRONT_HEADER + 8 + 32];
	uint32_t word[3] = { 1 + (uint32_t)rng_below(&c->rng, 44),
			     FRONT_VERSION, sizeof(bytes) - FRONT_HEADER };
	bool with_fd = rng_below(&c->rng, 2);
	int fd = memfd_create("part", MFD_CLOEXEC);
	size_t n;

	memset(bytes, 0, sizeof(bytes));
	if (!rng_below(&c->rng, 3))
		word[0] = FRONT_SET_MEM_TABLE;
	memcpy(bytes, word, sizeof(word));
	bytes[FRONT_HEADER] = 1;        /* a region, a queue */
	n = 1 + rng_below(&c->rng, sizeof(bytes) - 1);
	(void)front_send_raw(&s->front, bytes, n, &fd,
			     with_fd && fd >= 0 ? 1 : 0);
	if (fd >= 0)
		(void)close(fd);
}

static int cut(struct connects *c, struct session *s)
{
	unsigned stage = (unsigned)rng_below(&c->rng, 3);
	struct vring_part m;
	int err;

	if (stage > 0) {
		err = start(s, &m);
		if (err)
			return err;
	}
	if (stage > 1)
		leave_requests(s, &m);
	if (rng_below(&c->rng, 4))
		send_part(c, s);
	return FRONT_OK;
}

static int cut_at_once(struct connects *c)
{
	struct session s;
	int err = front_connect(&s.front, c->so.path, c->so.timeout_ms);

	if (err) {
		memcpy(c->why, s.front.why, sizeof(s.front.why));
		return err;
	}
	if (rng_below(&c->rng, 4))
		send_part(c, &s);
	front_close(&s.front);
	return err;
}

static int one(struct connects *c)
{
	bool whole = rng_below(&c->rng, 2);
	struct session s;
	int err;

	if (!whole)
		c->cut++;
	else
		c->served++;
	if (!whole && !rng_below(&c->rng, 4))
		return cut_at_once(c);
	err = session_open(&s, &c->so);
	if (!err) {
		err = whole ? use(&s) : cut(c, &s);
		session_close(&s);
	}
	if (err)
		memcpy(c->why, s.why, sizeof(c->why));
	return err;
}

static int several(struct connects *c, uint64_t n)
{
	int err = 0;

	for (uint64_t i = 0; i < n && !err; i++)
		err = one(c);
	return err;
}

/* The back end may take a moment to notice that a connection is gone. */
static bool settled(const struct client_options *o, struct process_usage *u,
		    unsigned fds)
{
	uint64_t end = now_ns() + SETTLE_MS * NS_PER_MS;

	do {
		if (!process_usage((int)o->pid, u))
			return false;
		sleep_ns(20 * NS_PER_MS);
	} while ((!fds || u->fds > fds) && now_ns() < end);
	return true;
}

int client_connects(struct client_options *o)
{
	struct connects c = { .o = o, .rng = { .state = mix64(o->seed) } };
	struct process_usage before = { 0 }, after = { 0 };
	uint64_t warm = o->count / 10 + 5;
	struct tap t = { 0 };
	int err;

	o->queues = o->depth = 1;
	o->max_io = READ_BYTES;
	c.so = client_session(o);
	c.so.slots = IN_FLIGHT;
	tap_note("replay: vblk-vhost-user-client connects --socket-path=%s "
		 "--count=%llu --seed=%llu",
		 o->socket_path, (unsigned long long)o->count,
		 (unsigned long long)o->seed);
	err = several(&c, warm);
	if (o->pid && !err && !settled(o, &before, 0))
		tap_ok(&t, false, "process %llu is not there",
		       (unsigned long long)o->pid);
	if (!err)
		err = several(&c, o->count > warm ? o->count - warm : 0);
	tap_ok(&t, !err, "%llu connections served, %llu cut off%s%s",
	       (unsigned long long)c.served, (unsigned long long)c.cut,
	       err ? ": " : "", err ? c.why : "");
	if (o->pid && settled(o, &after, before.fds)) {
		tap_ok(&t, after.fds <= before.fds,
		       "descriptors: %u, at the end %u", before.fds, after.fds);
		tap_ok(&t, after.rss_kb <= before.rss_kb + RSS_SLACK_KB,
		       "resident: %llu KiB, at the end %llu KiB",
		       (unsigned long long)before.rss_kb,
		       (unsigned long long)after.rss_kb);
		tap_ok(&t, after.threads <= before.threads,
		       "threads: %u, at the end %u", before.threads,
		       after.threads);
	}
	return tap_end(&t);
}

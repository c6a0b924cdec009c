/* SPDX-License-Identifier: BSD-2-Clause */
/* The threads of the benchmark, and what they need. */
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "bench.h"

#define DRAIN_MS 10000u

/* --- a thread ------------------------------------------------------------- */

static struct vring *queue_at(const struct bench_thread *t, unsigned i)
{
	return &t->bench->session.queue[t->id + i * t->bench->threads];
}

static unsigned queues_of(const struct bench_thread *t)
{
	unsigned queues = (unsigned)t->bench->o->queues;

	return (queues - t->id + t->bench->threads - 1) / t->bench->threads;
}

static void again(struct bench_thread *t, struct vring *q,
		  struct bench_slot *s)
{
	uint64_t block = rng_below(&t->rng, t->bench->blocks);

	s->header->sector = le64(block * (t->bench->block / SECTOR));
	*s->status = 0xff;
	vring_post(q, s->head);
	t->in_flight++;
}

/* Takes all that is there and submits as much. */
static unsigned turn(struct bench_thread *t, struct vring *q, bool more)
{
	struct vring_used u;
	unsigned n = 0;
	int got;

	while ((got = vring_pop(q, &u)) > 0) {
		struct bench_slot *s = &t->slot[u.cookie];

		n++;
		t->in_flight--;
		if (*s->status != BLK_S_OK)
			t->errors++;
		if (more)
			again(t, q, s);
	}
	if (got < 0) {
		t->errors++;
		memcpy(t->why, q->why, sizeof(t->why));
	}
	vring_flush(q);
	return n;
}

static void sleep_until_call(struct bench_thread *t)
{
	unsigned n = queues_of(t);
	struct epoll_event e[8];
	bool quiet = true;

	for (unsigned i = 0; i < n; i++)
		quiet = vring_arm(queue_at(t, i)) && quiet;
	if (quiet) {
		t->waits++;
		(void)epoll_wait(t->epoll, e, 8, 100);
	}
	for (unsigned i = 0; i < n; i++)
		vring_disarm(queue_at(t, i));
}

void *bench_work(void *arg)
{
	struct bench_thread *t = arg;
	struct bench *b = t->bench;
	unsigned n = queues_of(t), depth = (unsigned)b->o->depth;
	uint64_t end = 0;
	bool stop = false;

	for (unsigned i = 0; i < n; i++) {
		for (unsigned d = 0; d < depth; d++)
			again(t, queue_at(t, i), &t->slot[i * depth + d]);
		vring_flush(queue_at(t, i));
	}
	while (t->in_flight && (!end || now_ns() < end)) {
		unsigned done = 0;

		for (unsigned i = 0; i < n; i++)
			done += turn(t, queue_at(t, i), !stop);
		if (done)
			__atomic_store_n(&t->done, t->done + done,
					 __ATOMIC_RELAXED);
		else if (!b->o->spin)
			sleep_until_call(t);
		if (!stop && __atomic_load_n(&b->stop, __ATOMIC_RELAXED)) {
			stop = true;
			end = now_ns() + DRAIN_MS * NS_PER_MS;
		}
	}
	return NULL;
}

/* --- making --------------------------------------------------------------- */

static int make_slot(struct bench *b, struct vring *q, struct bench_slot *s,
		     uint32_t cookie)
{
	bool writes = b->op == RANDWRITE;
	struct vring_part header, data, status;
	struct vring_buffer c[3];
	int head;

	if (!session_take(&b->session, MEM_DRIVER, sizeof(struct blk_header),
			  16, &header) ||
	    !session_take(&b->session, writes ? MEM_DRIVER : MEM_DEVICE,
			  b->block, MEM_PAGE, &data) ||
	    !session_take(&b->session, MEM_DEVICE, 1, 1, &status))
		return -1;
	s->header = header.host;
	s->status = status.host;
	s->header->type = le32(writes ? BLK_T_OUT : BLK_T_IN);
	c[0] = (struct vring_buffer){ header.addr, sizeof(*s->header), false };
	c[1] = (struct vring_buffer){ data.addr, b->block, !writes };
	c[2] = (struct vring_buffer){ status.addr, 1, true };
	head = vring_build(q, c, 3, true, cookie);
	s->head = (uint16_t)head;
	return head < 0 ? -1 : 0;
}

static int make_thread(struct bench *b, struct bench_thread *t)
{
	unsigned depth = (unsigned)b->o->depth, n;
	struct epoll_event e = { .events = EPOLLIN | EPOLLET };

	t->bench = b;
	t->rng.state = mix64(b->o->seed + t->id);
	t->epoll = epoll_create1(EPOLL_CLOEXEC);
	n = queues_of(t);
	t->slot = calloc((size_t)n * depth, sizeof(*t->slot));
	if (t->epoll < 0 || !t->slot)
		return -1;
	for (unsigned i = 0; i < n; i++) {
		struct vring *q = queue_at(t, i);

		q->keep = true;
		if (epoll_ctl(t->epoll, EPOLL_CTL_ADD, q->call, &e))
			return -1;
		for (unsigned d = 0; d < depth; d++)
			if (make_slot(b, q, &t->slot[i * depth + d],
				      i * depth + d))
				return -1;
	}
	return 0;
}

int bench_make(struct bench *b)
{
	struct session *s = &b->session;
	uint64_t span = b->o->span < s->config.capacity * SECTOR
				? b->o->span
				: s->config.capacity * SECTOR;

	b->blocks = span / b->block;
	if (!b->blocks || (s->features & BLK_F_RO && b->op == RANDWRITE)) {
		client_say("the disk is too small, or read-only");
		return -1;
	}
	if (s->max_queues && b->o->queues > s->max_queues) {
		client_say("%llu queues, the back end has %llu",
			   (unsigned long long)b->o->queues,
			   (unsigned long long)s->max_queues);
		return -1;
	}
	if (session_make(s)) {
		client_say("%s", s->why);
		return -1;
	}
	for (unsigned i = 0; i < b->threads; i++)
		if (make_thread(b, &b->thread[i])) {
			client_say("no room for the requests: a smaller "
				   "--depth, or a larger --ring-size");
			return -1;
		}
	if (session_start(s)) {
		client_say("%s", s->why);
		return -1;
	}
	return 0;
}

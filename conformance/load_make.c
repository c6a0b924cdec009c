/* SPDX-License-Identifier: BSD-2-Clause */
/* The load before its threads run: what the device allows, memory, slots. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "load_internal.h"
#include "stamp.h"

#define PIECES 16u              /* of the data of a request, at most */
#define HEADER 256u             /* bytes: header and extents */

static bool make_slot(struct load *l, struct load_slot *s, unsigned queue)
{
	uint64_t data = (uint64_t)l->options.max_sectors * SECTOR;

	s->queue = queue;
	s->pages = (data + 1024 + MEM_PAGE) & ~(uint64_t)(MEM_PAGE - 1);
	return session_take(l->session, MEM_DRIVER, HEADER, 16, &s->header) &&
	       session_take(l->session, MEM_DRIVER, s->pages, MEM_PAGE,
			    &s->out) &&
	       session_take(l->session, MEM_DEVICE, s->pages, MEM_PAGE, &s->in);
}

/* Queue q of the load is thread q % threads's. */
static bool make_worker(struct load *l, struct worker *w)
{
	const struct load_options *o = &l->options;
	struct epoll_event e = { .events = EPOLLIN | EPOLLET };
	uint64_t part = o->span / o->threads / l->unit * l->unit;
	unsigned n = 0;

	w->load = l;
	w->rng.state = mix64(o->seed + w->id);
	w->first = part * w->id;
	w->sectors = part;
	w->next_generation = STAMP_FIRST;
	w->generation = calloc(part, sizeof(*w->generation));
	w->taken = calloc(part, sizeof(*w->taken));
	w->slot = calloc((size_t)o->queues * o->depth, sizeof(*w->slot));
	w->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!w->generation || !w->taken || !w->slot || w->epoll < 0)
		return false;
	for (unsigned q = w->id; q < o->queues; q += o->threads) {
		e.data.u32 = q;
		if (epoll_ctl(w->epoll, EPOLL_CTL_ADD,
			      load_queue_at(l, q)->call, &e))
			return false;
		for (unsigned i = 0; i < o->depth; i++)
			if (!make_slot(l, &w->slot[n++], q))
				return false;
	}
	w->slots = n;
	return true;
}

static void settle(struct load *l)
{
	const struct blk_config *c = &l->config;
	struct load_options *o = &l->options;
	uint64_t has = l->features, most;
	uint32_t cap = UINT32_MAX;

	l->unit = has & BLK_F_BLK_SIZE && c->blk_size >= SECTOR
			  ? c->blk_size / SECTOR
			  : 1;
	l->pieces = PIECES;
	if (has & BLK_F_SEG_MAX && c->seg_max < PIECES)
		l->pieces = c->seg_max ? c->seg_max : 1;
	if (has & BLK_F_SIZE_MAX && c->size_max)
		cap = c->size_max;
	if (!o->span || o->span > c->capacity)
		o->span = c->capacity;
	if (o->threads > o->queues)
		o->threads = o->queues;
	/* A piece may not be larger than size_max, nor are there many. */
	most = (uint64_t)cap * l->pieces / SECTOR;
	if (o->max_sectors > most) {
		o->max_sectors = (uint32_t)most;
		l->pieces = 1;
	}
	if (o->max_sectors > o->span / o->threads)
		o->max_sectors = (uint32_t)(o->span / o->threads);
	o->max_sectors -= o->max_sectors % l->unit;
}

struct load *load_new(struct session *s, const struct load_options *o)
{
	struct load *l = calloc(1, sizeof(*l));

	if (!l)
		goto memory;
	l->session = s;
	l->options = *o;
	l->features = s->features;
	l->config = s->config;
	(void)pthread_mutex_init(&l->lock, NULL);
	settle(l);
	if (!l->options.max_sectors) {
		(void)snprintf(s->why, sizeof(s->why),
			       "a disk of %llu sectors is too small",
			       (unsigned long long)s->config.capacity);
		free(l);
		return NULL;
	}
	l->worker = calloc(l->options.threads, sizeof(*l->worker));
	l->queue = calloc(l->options.queues, sizeof(*l->queue));
	if (!l->worker || !l->queue)
		goto memory;
	for (unsigned i = 0; i < l->options.queues; i++)
		l->queue[i].awake = true;
	for (unsigned i = 0; i < l->options.threads; i++)
		l->worker[i].epoll = -1;
	for (unsigned i = 0; i < l->options.threads; i++) {
		l->worker[i].id = i;
		if (!make_worker(l, &l->worker[i]))
			goto memory;
	}
	return l;
memory:
	(void)snprintf(s->why, sizeof(s->why), "no memory for the load: %s",
		       strerror(errno));
	if (l)
		load_free(l);
	return NULL;
}

void load_free(struct load *l)
{
	for (unsigned i = 0; l->worker && i < l->options.threads; i++) {
		free(l->worker[i].generation);
		free(l->worker[i].taken);
		free(l->worker[i].slot);
		if (l->worker[i].epoll >= 0)
			(void)close(l->worker[i].epoll);
	}
	free(l->worker);
	free(l->queue);
	free(l);
}

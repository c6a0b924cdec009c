/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads and queues of the load. A thread fills its queues to the depth, takes
 * what has been completed, and sleeps on the call descriptors when there is
 * nothing of that; so the queues stay full but for what is being judged.
 */
#include "load.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "load_internal.h"
#include "stamp.h"

#define NAP_MS     100          /* how often a sleeper looks at the clock */
#define EVENTS     16
#define FEW        8u           /* completions before the next submission */

void load_fail(struct worker *w, uint64_t *count, const struct load_slot *s,
	       const char *format, ...)
{
	struct load *l = w->load;
	char request[96] = "", text[256];
	va_list ap;

	(*count)++;
	(void)pthread_mutex_lock(&l->lock);
	if (!l->why[0]) {
		va_start(ap, format);
		(void)vsnprintf(text, sizeof(text), format, ap);
		va_end(ap);
		if (s)
			load_op_describe(s, request, sizeof(request));
		(void)snprintf(l->why, sizeof(l->why), "%s%s%s", text,
			       s ? "; request: " : "", request);
		if (s) {
			size_t at = strlen(l->why);

			(void)snprintf(l->why + at, sizeof(l->why) - at,
				       ", queue %u",
				       l->options.first + s->queue);
		}
	}
	(void)pthread_mutex_unlock(&l->lock);
	__atomic_store_n(&l->failed, true, __ATOMIC_RELEASE);
}

/* --- a thread ------------------------------------------------------------- */

struct vring *load_queue_at(const struct load *l, unsigned queue)
{
	return &l->session->queue[l->options.first + queue];
}

static bool may_submit(const struct worker *w)
{
	const struct load *l = w->load;

	return !__atomic_load_n(&l->stop, __ATOMIC_ACQUIRE) &&
	       !__atomic_load_n(&l->failed, __ATOMIC_ACQUIRE) &&
	       (w->sweeping || !l->stop_at || w->next_serial < l->stop_at);
}

/* False: nothing can be submitted now. */
static bool submit(struct worker *w, struct load_slot *s)
{
	if (!load_op_choose(w, s))
		return false;
	if (!load_op_submit(w, s, (uint32_t)(s - w->slot))) {
		load_op_cancel(w, s);
		return false;
	}
	s->busy = true;
	s->serial = w->next_serial;
	__atomic_store_n(&w->next_serial, w->next_serial + 1, __ATOMIC_RELEASE);
	s->since_ns = now_ns();
	w->in_flight++;
	return true;
}

static void fill_queues(struct worker *w)
{
	const struct load_options *o = &w->load->options;

	for (unsigned i = 0; i < w->slots && may_submit(w); i++)
		if (!w->slot[i].busy && !submit(w, &w->slot[i]) && w->sweeping)
			break;
	for (unsigned q = w->id; q < o->queues; q += o->threads)
		vring_flush(load_queue_at(w->load, q));
}

static void take(struct worker *w, unsigned q, struct vring_used *u, int got)
{
	struct vring *v = load_queue_at(w->load, q);

	if (got < 0) {
		load_fail(w, &w->counts.broken, NULL, "queue %u: %s",
			  w->load->options.first + q, v->why);
		return;
	}
	load_op_complete(w, &w->slot[u->cookie], u->len);
	w->slot[u->cookie].busy = false;
	w->in_flight--;
	__atomic_store_n(&w->completed, w->completed + 1, __ATOMIC_RELAXED);
}

/*
 * A few from each queue that is awake: to judge all at once would leave the
 * device idle. A queue without any falls asleep. False: they all are asleep.
 */
static bool take_completed(struct worker *w)
{
	const struct load_options *o = &w->load->options;
	bool awake = false;
	struct vring_used u;
	int got = 0;

	for (unsigned q = w->id; q < o->queues; q += o->threads) {
		struct vring *v = load_queue_at(w->load, q);
		uint64_t few = 1 + rng_below(&w->rng, FEW);

		if (!w->load->queue[q].awake)
			continue;
		for (; few && (got = vring_pop(v, &u)); few--)
			take(w, q, &u, got);
		if (few && vring_arm(v))
			w->load->queue[q].awake = false;
		else
			awake = true;
	}
	return awake;
}

/* Each queue that was notified wakes up; no other does. */
static void wait(struct worker *w, bool block)
{
	struct epoll_event e[EVENTS];
	int n = epoll_wait(w->epoll, e, EVENTS, block ? NAP_MS : 0);

	w->counts.waits += block;
	for (int i = 0; i < n; i++) {
		struct load_queue *q = &w->load->queue[e[i].data.u32];

		if (!q->awake)
			vring_disarm(load_queue_at(w->load, e[i].data.u32));
		q->awake = true;
		q->silent_ns = 0;
	}
}

/* A queue that sleeps and has had something in its used ring for too long. */
static void look_for_silence(struct worker *w)
{
	const struct load_options *o = &w->load->options;

	for (unsigned i = w->id; i < o->queues; i += o->threads) {
		struct load_queue *q = &w->load->queue[i];

		if (q->awake || !vring_pending(load_queue_at(w->load, i))) {
			q->silent_ns = 0;
		} else if (!q->silent_ns) {
			q->silent_ns = now_ns();
		} else if (now_ns() - q->silent_ns >
			   o->timeout_ms * NS_PER_MS / 2) {
			load_fail(w, &w->counts.silent, NULL,
				  "queue %u: the used ring moved on and no "
				  "notification came",
				  o->first + i);
			q->awake = true;
		}
	}
}

/* Publishes the oldest request; complains about one that is too old. */
static bool look_at_ages(struct worker *w)
{
	uint64_t limit = w->load->options.timeout_ms * NS_PER_MS;
	uint64_t oldest = w->next_serial, now = now_ns();
	unsigned late = 0;

	for (unsigned i = 0; i < w->slots; i++) {
		const struct load_slot *s = &w->slot[i];

		if (!s->busy)
			continue;
		if (s->serial < oldest)
			oldest = s->serial;
		if (now - s->since_ns > limit) {
			late++;
			load_fail(w, &w->counts.lost, s,
				  "not completed after %u ms",
				  w->load->options.timeout_ms);
		}
	}
	__atomic_store_n(&w->oldest, oldest, __ATOMIC_RELEASE);
	return !late;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	uint64_t looked = now_ns();

	for (;;) {
		fill_queues(w);
		if (!w->in_flight && (!may_submit(w) || w->sweeping))
			break;
		wait(w, !take_completed(w) && w->in_flight);
		if (now_ns() - looked > NS_PER_MS) {
			looked = now_ns();
			look_for_silence(w);
			if (!look_at_ages(w))
				break;
		}
	}
	__atomic_store_n(&w->oldest, w->next_serial, __ATOMIC_RELEASE);
	return NULL;
}

/* --- all of them ---------------------------------------------------------- */

static void join(struct load *l, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		(void)pthread_join(l->worker[i].thread, NULL);
	l->started = false;
}

static int run(struct load *l, bool sweeping)
{
	const struct load_options *o = &l->options;

	l->stop = false;
	l->stop_at = o->ops ? o->ops / o->threads + 1 : 0;
	for (unsigned i = 0; i < o->threads; i++) {
		struct worker *w = &l->worker[i];

		w->sweeping = sweeping;
		w->sweep_at = 0;
		if (!pthread_create(&w->thread, NULL, work, w))
			continue;
		__atomic_store_n(&l->stop, true, __ATOMIC_RELEASE);
		join(l, i);
		(void)snprintf(l->session->why, sizeof(l->session->why),
			       "cannot start thread %u", i);
		return -1;
	}
	l->started = true;
	return 0;
}

int load_start(struct load *l)
{
	return run(l, false);
}

void load_stop(struct load *l)
{
	__atomic_store_n(&l->stop, true, __ATOMIC_RELEASE);
	if (l->started)
		join(l, l->options.threads);
}

void load_sweep(struct load *l)
{
	if (!load_failed(l) && !run(l, true))
		join(l, l->options.threads);
}

bool load_failed(const struct load *l)
{
	return __atomic_load_n(&l->failed, __ATOMIC_ACQUIRE);
}

uint64_t load_done(const struct load *l)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < l->options.threads; i++)
		n += __atomic_load_n(&l->worker[i].completed, __ATOMIC_RELAXED);
	return n;
}

bool load_finished(const struct load *l)
{
	return l->options.ops && load_done(l) >= l->options.ops;
}

void load_total(const struct load *l, struct load_counts *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (unsigned i = 0; i < l->options.threads; i++) {
		const uint64_t *from = (const void *)&l->worker[i].counts;
		uint64_t *to = (void *)sum;

		for (size_t k = 0; k < sizeof(*sum) / sizeof(*to); k++)
			to[k] += from[k];
	}
	for (unsigned q = 0; q < l->options.queues; q++)
		sum->kicks += l->session->queue[l->options.first + q].kicks;
}

const char *load_why(const struct load *l)
{
	return l->why;
}

bool load_read_only(const struct load *l)
{
	return l->features & BLK_F_RO;
}

void load_set_mark(const struct load *l, struct load_mark *m)
{
	for (unsigned i = 0; i < l->options.threads; i++)
		m->serial[i] = __atomic_load_n(&l->worker[i].next_serial,
					       __ATOMIC_ACQUIRE);
}

bool load_passed(const struct load *l, const struct load_mark *m)
{
	for (unsigned i = 0; i < l->options.threads; i++)
		if (__atomic_load_n(&l->worker[i].oldest, __ATOMIC_ACQUIRE) <
		    m->serial[i])
			return false;
	return true;
}

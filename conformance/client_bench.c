/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * As many requests per second as the back end can take, and what they cost it.
 * Its CPU time is its processor clock, in nanoseconds and for all its threads,
 * those that have ended included.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define SMALL 4096u
#define LARGE 131072u

static const char *const op_name[OPS] = { "randread", "randwrite", "read128k",
					  "idle", "startup" };

/* --- measuring ------------------------------------------------------------ */

struct sample {
	uint64_t at_ns, done, client_ns;
	struct process_usage daemon;
};

static void take_sample(const struct bench *b, struct sample *s)
{
	struct timespec t;

	memset(s, 0, sizeof(*s));
	s->at_ns = now_ns();
	for (unsigned i = 0; i < b->threads; i++)
		s->done += __atomic_load_n(&b->thread[i].done,
					   __ATOMIC_RELAXED);
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	s->client_ns = (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
	if (b->o->pid)
		(void)process_usage((int)b->o->pid, &s->daemon);
}

static void report(const struct bench *b, const struct sample *x,
		   const struct sample *y, uint64_t waits)
{
	double seconds = (double)(y->at_ns - x->at_ns) / 1e9;
	double n = (double)(y->done - x->done), per = n > 0 ? n : 1;
	double daemon = (double)(y->daemon.cpu_ns - x->daemon.cpu_ns) / 1e3;
	double client = (double)(y->client_ns - x->client_ns) / 1e3;
	double switches = (double)y->daemon.switches -
			  (double)x->daemon.switches;

	if (b->op == IDLE)
		per = 1;
	if (b->o->tsv) {
		printf("%s\t%llu\t%llu\t%.3f\t%.0f\t%.1f\t%.3f\t%.3f\t%.3f\t"
		       "%llu\n",
		       op_name[b->op], (unsigned long long)b->o->depth,
		       (unsigned long long)b->o->queues, seconds, n,
		       n / seconds, daemon / per, client / per, switches / per,
		       (unsigned long long)y->daemon.rss_kb);
		return;
	}
	printf("%s, depth %llu, %llu queues: %.0f requests in %.2f s, "
	       "%.0f per second\n",
	       op_name[b->op], (unsigned long long)b->o->depth,
	       (unsigned long long)b->o->queues, n, seconds, n / seconds);
	printf("client: %.3f us of CPU %s, %llu waits\n", client / per,
	       b->op == IDLE ? "in all" : "per request",
	       (unsigned long long)waits);
	if (b->o->pid)
		printf("back end: %.3f us of CPU and %.3f context switches %s; "
		       "%llu KiB resident, %u threads, %u descriptors\n",
		       daemon / per, switches / per,
		       b->op == IDLE ? "in all" : "per request",
		       (unsigned long long)y->daemon.rss_kb, y->daemon.threads,
		       y->daemon.fds);
}

/* One round of requests, then nothing. */
static void idle_thread(struct bench *b)
{
	__atomic_store_n(&b->stop, true, __ATOMIC_RELAXED);
	(void)bench_work(&b->thread[0]);
	__atomic_store_n(&b->stop, false, __ATOMIC_RELAXED);
}

static int finish(struct bench *b)
{
	int status = 0;

	for (unsigned i = 0; i < b->threads; i++) {
		struct bench_thread *t = &b->thread[i];

		if (t->errors || t->in_flight) {
			client_say("%llu requests failed, %u were not "
				   "completed %s",
				   (unsigned long long)t->errors, t->in_flight,
				   t->why);
			status = EXIT_TEST;
		}
		free(t->slot);
		if (t->epoll >= 0)
			(void)close(t->epoll);
	}
	return status;
}

static int measure(struct bench *b)
{
	struct sample x, y;
	uint64_t waits = 0;

	if (b->op == IDLE)
		idle_thread(b);
	for (unsigned i = 0; i < b->threads && b->op != IDLE; i++)
		if (pthread_create(&b->thread[i].thread, NULL, bench_work,
				   &b->thread[i])) {
			client_say("cannot start a thread");
			exit(EXIT_TEST);
		}
	sleep_ns(b->o->warmup_ms * NS_PER_MS);
	take_sample(b, &x);
	sleep_ns(b->o->seconds * NS_PER_S);
	take_sample(b, &y);
	__atomic_store_n(&b->stop, true, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < b->threads && b->op != IDLE; i++) {
		(void)pthread_join(b->thread[i].thread, NULL);
		waits += b->thread[i].waits;
	}
	report(b, &x, &y, waits);
	return finish(b);
}

/* From exec to the first completed request. */
static int startup(struct bench *b, const struct session_options *so)
{
	struct process daemon = { 0 };
	struct process_usage u = { 0 };
	uint64_t start = now_ns(), ns;
	int status;

	if (process_start(&daemon, b->o->command))
		return EXIT_TEST;
	if (client_open_patiently(&b->session, so, &daemon)) {
		client_say("%s", b->session.why);
		process_kill(&daemon);
		return EXIT_TEST;
	}
	status = bench_make(b) ? EXIT_TEST : 0;
	if (!status) {
		idle_thread(b);
		ns = now_ns() - start;
		(void)process_usage(daemon.pid, &u);
		printf(b->o->tsv ? "startup\t%.1f\t%llu\n"
				 : "startup: %.1f us, %llu KiB resident\n",
		       (double)ns / 1e3, (unsigned long long)u.rss_kb);
	}
	if (finish(b))
		status = EXIT_TEST;
	session_close(&b->session);
	(void)process_end(&daemon, (unsigned)b->o->timeout * 1000u);
	return status;
}

int client_bench(struct client_options *o)
{
	static struct bench b;
	struct session_options so;
	int status = EXIT_TEST;

	b.o = o;
	for (b.op = 0; b.op < OPS && (!o->op || strcmp(o->op, op_name[b.op]));)
		b.op++;
	if (b.op == OPS || (b.op == STARTUP) != (o->command != NULL)) {
		client_say("bench: --op must be randread, randwrite, read128k, "
			   "idle, or startup and then -- COMMAND");
		return EXIT_USAGE;
	}
	if (b.op == IDLE || b.op == STARTUP)
		o->threads = o->depth = 1;
	b.threads = (unsigned)(o->threads < o->queues ? o->threads : o->queues);
	b.block = o->block	     ? (uint32_t)o->block
		  : b.op == READ128K ? LARGE
				     : SMALL;
	b.block -= b.block % SECTOR;
	for (unsigned i = 0; i < b.threads; i++) {
		b.thread[i].id = i;
		b.thread[i].epoll = -1;
	}
	so = client_session(o);
	so.slot_bytes = b.block + BENCH_EXTRA;
	if (b.op == STARTUP)
		return startup(&b, &so);
	if (session_open(&b.session, &so)) {
		client_say("%s", b.session.why);
		return EXIT_TEST;
	}
	status = bench_make(&b) ? EXIT_TEST : measure(&b);
	session_close(&b.session);
	return status;
}

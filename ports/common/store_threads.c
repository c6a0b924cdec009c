/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The engine where io_uring is missing or forbidden (old kernels, containers):
 * a few threads, each making one blocking system call at a time.
 *
 *     lane    start: fresh -> push: todo            under the lock
 *     thread  todo -> system call -> done           under the lock
 *     lane    next: done                            under the lock
 *
 * The eventfd is readable while done is not empty: raised by who makes it so,
 * lowered by who takes the last. The lock orders what a thread read into a
 * guest's memory before the lane's report of it (SUB-5).
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "store_internal.h"

struct list {
	struct op *head, **end;
};

struct pool {
	struct list fresh;      /* the lane's */
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct list todo, done; /* under the lock, with stop */
	bool stop;
	int event;
	unsigned threads;
	pthread_t thread[STORE_THREADS_MAX];
};

static struct pool *state(const struct file *f)
{
	return f->engine_state;
}

static void clear(struct list *l)
{
	l->head = NULL;
	l->end = &l->head;
}

static void put(struct list *l, struct op *op)
{
	op->next = NULL;
	*l->end = op;
	l->end = &op->next;
}

static struct op *take(struct list *l)
{
	struct op *op = l->head;

	if (op) {
		l->head = op->next;
		if (!l->head)
			l->end = &l->head;
	}
	return op;
}

/*
 * The counter of an eventfd cannot overflow here, and a signal cannot come:
 * the calls below neither block nor fail.
 */
static void raise_event(struct pool *p)
{
	if (eventfd_write(p->event, 1))
		abort();
}

static void lower_event(struct pool *p)
{
	eventfd_t count;

	(void)eventfd_read(p->event, &count);
}

static void put_done(struct pool *p, struct op *op)
{
	if (!p->done.head)
		raise_event(p);
	put(&p->done, op);
}

static void *serve(void *arg)
{
	struct pool *p = arg;
	struct op *op;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		while (!p->stop && !p->todo.head)
			pthread_cond_wait(&p->work, &p->lock);
		op = take(&p->todo);
		if (!op)
			break;
		pthread_mutex_unlock(&p->lock);
		op->result = io_perform(&op->io);
		pthread_mutex_lock(&p->lock);
		put_done(p, op);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* Ends what was started of it: all threads, or fewer if opening failed. */
static void pool_close(struct file *f)
{
	struct pool *p = state(f);

	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->threads; i++)
		pthread_join(p->thread[i], NULL);
	pthread_cond_destroy(&p->work);
	pthread_mutex_destroy(&p->lock);
	if (p->event >= 0)
		close(p->event);
	free(p);
	f->engine_state = NULL;
}

/*
 * Signals are for the program's threads, not for these; but for SIGSYS, which
 * says that this thread made a call that a filter forbids, and which.
 */
static int spawn(struct pool *p, unsigned threads)
{
	sigset_t all, old;
	int err = 0;

	sigfillset(&all);
	sigdelset(&all, SIGSYS);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (!err && p->threads < threads) {
		err = pthread_create(&p->thread[p->threads], NULL, serve, p);
		if (!err)
			p->threads++;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return p->threads ? 0 : -err;           /* fewer threads are enough */
}

static int pool_open(struct file *f, unsigned threads)
{
	struct pool *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	f->engine_state = p;
	clear(&p->fresh);
	clear(&p->todo);
	clear(&p->done);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->work, NULL);
	p->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = p->event < 0 ? -errno : spawn(p, threads);
	if (err)
		pool_close(f);
	return err;
}

static int pool_fd(const struct file *f)
{
	return state(f)->event;
}

static void pool_start(struct file *f, struct op *op)
{
	put(&state(f)->fresh, op);
}

static bool pool_push(struct file *f)
{
	struct pool *p = state(f);
	struct op *op;

	if (!p->fresh.head)
		return true;
	pthread_mutex_lock(&p->lock);
	while ((op = take(&p->fresh))) {
		if (op->io.kind != IO_NONE) {
			put(&p->todo, op);
			pthread_cond_signal(&p->work);
			continue;
		}
		op->result = 0;
		put_done(p, op);
	}
	pthread_mutex_unlock(&p->lock);
	return true;
}

static struct op *pool_next(struct file *f)
{
	struct pool *p = state(f);
	struct op *op;

	pthread_mutex_lock(&p->lock);
	op = take(&p->done);
	if (op && !p->done.head)
		lower_event(p);
	pthread_mutex_unlock(&p->lock);
	return op;
}

const struct engine engine_threads = {
	.name = "threads", .open = pool_open, .close = pool_close,
	.fd = pool_fd, .start = pool_start, .push = pool_push,
	.next = pool_next
};

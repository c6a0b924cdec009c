/* SPDX-License-Identifier: BSD-2-Clause */
#include "notify.h"

#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define POKE      SIGUSR2
#define PATIENCE_NS 100000000

static void on_poke(int number)
{
	(void)number;           /* the call it interrupts returns EINTR */
}

bool notify_install(void)
{
	struct sigaction a = { .sa_handler = on_poke };

	(void)sigemptyset(&a.sa_mask);
	return sigaction(POKE, &a, NULL) == 0;
}

bool notify_open(struct notify *n)
{
	struct sigevent e;
	timer_t t;

	n->armed = false;
	memset(&e, 0, sizeof(e));
	e.sigev_notify = SIGEV_THREAD_ID;
	e.sigev_signo = POKE;
	e._sigev_un._tid = gettid();
	if (timer_create(CLOCK_MONOTONIC, &e, &t))
		return false;
	n->timer = t;
	n->armed = true;
	return true;
}

void notify_close(struct notify *n)
{
	if (n->armed)
		(void)timer_delete(n->timer);
	n->armed = false;
}

/* It goes on ticking until the write is over: one tick may come before it. */
static void arm(struct notify *n, long ns)
{
	const struct itimerspec when = { .it_interval.tv_nsec = ns,
					 .it_value.tv_nsec = ns };

	if (n->armed)
		(void)timer_settime(n->timer, 0, &when, NULL);
}

void notify(struct notify *n, int fd)
{
	const uint64_t one = 1;

	if (fd < 0)
		return;
	arm(n, PATIENCE_NS);
	if (write(fd, &one, sizeof(one)) < 0)
		fd = -1;        /* full: it was told */
	arm(n, 0);
}

void notify_poke(pthread_t thread)
{
	(void)pthread_kill(thread, POKE);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "guard.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#define GUARDS 16384u           /* slots of some tens of front ends */

struct guard {
	_Atomic(uintptr_t) base; /* 0: free; stored last */
	uintptr_t end, unit;
	int event;
	atomic_bool lost;
};

static struct guard guards[GUARDS];
static atomic_uint used;        /* entries below may be in use */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct guard *find(uintptr_t at)
{
	unsigned n = atomic_load(&used);

	for (unsigned i = 0; i < n; i++) {
		uintptr_t base = atomic_load(&guards[i].base);

		if (base && at >= base && at < guards[i].end)
			return &guards[i];
	}
	return NULL;
}

/*
 * The rest of the mapping goes too: what lies behind the hole is gone as well,
 * since a file ends once. Only calls that POSIX allows in a handler, and mmap,
 * which is one system call.
 */
static void on_sigbus(int number, siginfo_t *info, void *context)
{
	uintptr_t at = (uintptr_t)info->si_addr;
	struct guard *g = find(at);
	const uint64_t one = 1;
	int saved = errno;

	(void)context;
	if (g)
		at -= (at - atomic_load(&g->base)) & (g->unit - 1u);
	if (!g || mmap((void *)at, g->end - at, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE,
		       -1, 0) == MAP_FAILED) {
		(void)signal(number, SIG_DFL); /* it happens again */
		return;
	}
	atomic_store(&g->lost, true);
	if (write(g->event, &one, sizeof(one)) < 0)
		errno = saved;
	errno = saved;
}

bool guard_install(void)
{
	struct sigaction a = { .sa_sigaction = on_sigbus,
			       .sa_flags = SA_SIGINFO };

	(void)sigemptyset(&a.sa_mask);
	return sigaction(SIGBUS, &a, NULL) == 0;
}

struct guard *guard_add(void *base, size_t len, size_t unit, int event)
{
	struct guard *g = NULL;

	(void)pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < GUARDS && !g; i++) {
		if (atomic_load(&guards[i].base))
			continue;
		g = &guards[i];
		g->end = (uintptr_t)base + len;
		g->unit = unit;
		g->event = event;
		atomic_store(&g->lost, false);
		atomic_store(&g->base, (uintptr_t)base);
		if (i >= atomic_load(&used))
			atomic_store(&used, i + 1u);
	}
	(void)pthread_mutex_unlock(&lock);
	return g;
}

void guard_remove(struct guard *g)
{
	if (!g)
		return;
	(void)pthread_mutex_lock(&lock);
	atomic_store(&g->base, 0);
	(void)pthread_mutex_unlock(&lock);
}

bool guard_lost(const struct guard *g)
{
	return g && atomic_load(&g->lost);
}

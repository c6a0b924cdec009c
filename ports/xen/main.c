/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vblk-xen: serves virtio-mmio disks to Xen guests.
 *
 *     main.c       life: sources, the loop, signals
 *     toolstack.c   disks that a toolstack asks for; options.c, tree.c: others
 *     guest.c      a guest's IOREQ server: vCPUs' accesses to its disks
 *     disk.c       a disk: the lane's HAL, store, completions
 *     memory.c     the guest's pages: all, on demand, or what it grants
 *     state.c      what a successor needs
 *
 * An access passes guest.c, disk.c, the core, the store, and comes back the
 * same way: an answer in the vCPU's slot, an interrupt.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"
#include "log.h"
#include "toolstack.h"

#define EVENTS   16
#define RETRY_MS 100            /* until a store is asked again */
#define ALIVE_MS 1000           /* between two looks at guests without a
				 * toolstack to tell us of their end */
#define DRAIN_S  30             /* for requests in flight at the end */

struct program {
	struct config config;
	struct guests guests;
	struct toolstack *toolstack;
	int signals;            /* signalfd */
	int end;                /* the signal that ends us, 0: none yet */
	char why[CONFIG_LINE];
};

/* What an epoll event may point to, beside a disk */
static char from_events, from_toolstack, from_signals;

static int fail(struct program *p)
{
	log_line(LOG_ERROR, NULL, "%s", p->why);
	return 1;
}

/* --- signals -------------------------------------------------------------- */

static int take_signals(struct program *p)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR ||
	    signal(SIGXFSZ, SIG_IGN) == SIG_ERR ||
	    sigprocmask(SIG_BLOCK, &set, NULL))
		return -1;
	p->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return p->signals < 0 ? -1 : 0;
}

static void print_counts(const struct xen_counts *n)
{
	log_line(LOG_INFO, NULL,
		 "requests=%llu accesses=%llu events=%llu notifies=%llu "
		 "interrupts=%llu maps=%llu unmaps=%llu grant-maps=%llu "
		 "grant-unmaps=%llu",
		 (unsigned long long)n->requests,
		 (unsigned long long)n->accesses, (unsigned long long)n->events,
		 (unsigned long long)n->notifies,
		 (unsigned long long)n->interrupts, (unsigned long long)n->maps,
		 (unsigned long long)n->unmaps,
		 (unsigned long long)n->grant_maps,
		 (unsigned long long)n->grant_unmaps);
}

static void print_statistics(const struct program *p)
{
	print_counts(&p->guests.xen.counts);
	for (const struct guest *g = p->guests.first; g; g = g->next)
		for (const struct disk *d = g->disks; d; d = d->next) {
			struct vblk_stats s;

			vblk_stats(d->dev, &s);
			log_line(LOG_INFO, d->name,
				 "reads=%llu writes=%llu flushes=%llu "
				 "bytes=%llu errors=%llu kicks=%llu "
				 "foreign-pages=%u most=%u",
				 (unsigned long long)s.requests[VBLK_OP_READ],
				 (unsigned long long)s.requests[VBLK_OP_WRITE],
				 (unsigned long long)s.requests[VBLK_OP_FLUSH],
				 (unsigned long long)s.bytes,
				 (unsigned long long)s.errors,
				 (unsigned long long)s.kicks, d->memory.mapped,
				 d->memory.most);
		}
}

static void on_signal(struct program *p)
{
	struct signalfd_siginfo s;

	while (read(p->signals, &s, sizeof(s)) == (ssize_t)sizeof(s)) {
		if (s.ssi_signo == SIGUSR1)
			print_statistics(p);
		else
			p->end = (int)s.ssi_signo;
	}
}

/* --- starting ------------------------------------------------------------- */

static int watch(struct program *p, int fd, void *what)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = what };

	if (fd >= 0 && epoll_ctl(p->guests.epoll, EPOLL_CTL_ADD, fd, &e) == 0)
		return 0;
	(void)snprintf(p->why, sizeof(p->why), "epoll: %s", strerror(errno));
	return -1;
}

/* Disks that were named: all of them, or we do not begin. */
static int add_named(struct program *p)
{
	for (unsigned i = 0; i < p->config.disks; i++) {
		const struct disk_config *c = &p->config.disk[i];
		struct guest *g = guest_find(&p->guests, c->domain);

		if (!g)
			g = guest_open(&p->guests, c->domain, c->base, c->bytes,
				       p->why, sizeof(p->why));
		if (!g || guest_add(g, c, NULL, p->why, sizeof(p->why)))
			return -1;
	}
	for (struct guest *g = p->guests.first; g; g = g->next)
		if (guest_start(g, p->why, sizeof(p->why)))
			return -1;
	return 0;
}

static int start(struct program *p)
{
	p->guests.state_dir = p->config.state_dir;
	p->guests.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (p->guests.epoll < 0 || take_signals(p)) {
		(void)snprintf(p->why, sizeof(p->why),
			       "descriptors cannot be set up: %s",
			       strerror(errno));
		return -1;
	}
	if (xen_open(&p->guests.xen, p->why, sizeof(p->why)) ||
	    watch(p, xenevtchn_fd(p->guests.xen.events), &from_events) ||
	    watch(p, p->signals, &from_signals) || add_named(p))
		return -1;
	if (!p->config.xenstore)
		return 0;
	p->toolstack = toolstack_open(&p->guests, &p->config.common, p->why,
				      sizeof(p->why));
	if (!p->toolstack ||
	    watch(p, toolstack_fd(p->toolstack), &from_toolstack))
		return -1;
	toolstack_ready(p->toolstack);
	return 0;
}

/* --- serving -------------------------------------------------------------- */

/* Guests that no node in Xenstore tells us of. */
static bool look_for_the_dead(struct program *p)
{
	bool named = false;

	for (struct guest *g = p->guests.first, *next; g; g = next) {
		next = g->next;
		if (!g->disks || g->disks->node)
			continue;
		named = true;
		if (guest_alive(g))
			continue;
		log_line(LOG_INFO, g->disks->name, "its domain is gone");
		guest_close(g, true);
	}
	return named;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u;
}

static void turn(struct program *p, int timeout_ms)
{
	struct epoll_event e[EVENTS];
	int n = epoll_wait(p->guests.epoll, e, EVENTS, timeout_ms);
	bool store = false;

	for (int i = 0; i < n; i++) {
		const void *from = e[i].data.ptr;

		if (from == &from_events)
			guests_take_events(&p->guests);
		else if (from == &from_signals)
			on_signal(p);
		else if (from == &from_toolstack)
			store = true;
		else
			((struct disk *)e[i].data.ptr)->due = true;
	}
	/* last: a disk may go, and others of this round's events name it */
	if (store)
		toolstack_ready(p->toolstack);
}

static void serve(struct program *p)
{
	bool named = p->config.disks > 0;
	uint64_t next = 0;

	while (!p->end && (p->guests.first || p->toolstack)) {
		bool more = guests_work(&p->guests);

		uint64_t now = now_ms();

		if (named && now >= next) {
			named = look_for_the_dead(p);
			next = now + ALIVE_MS;
		}
		turn(p, more			  ? 0
			: guests_busy(&p->guests) ? RETRY_MS
			: named			  ? (int)(next - now)
						  : -1);
	}
}

/* --- the end -------------------------------------------------------------- */

static bool all_stopped(const struct guests *all)
{
	for (const struct guest *g = all->first; g; g = g->next)
		for (const struct disk *d = g->disks; d; d = d->next)
			if (!disk_stopped(d))
				return false;
	return true;
}

/* What is in flight is finished and told. Then nobody is served any more. */
static void drain(struct program *p)
{
	uint64_t until = now_ms() + DRAIN_S * 1000u;

	for (struct guest *g = p->guests.first; g; g = g->next)
		for (struct disk *d = g->disks; d; d = d->next)
			disk_stop(d);
	do {
		(void)guests_work(&p->guests);
		if (all_stopped(&p->guests))
			break;
		turn(p, RETRY_MS);
	} while (now_ms() < until);
	(void)guests_work(&p->guests);
	for (struct guest *g = p->guests.first; g; g = g->next)
		for (struct disk *d = g->disks; d; d = d->next) {
			disk_flush(d);
			if (p->toolstack && p->end != SIGUSR2)
				toolstack_closed(p->toolstack, d);
		}
}

/* Servers and states stay: a vCPU at a disk waits for a successor. */
static void finish(struct program *p)
{
	while (p->guests.first)
		guest_close(p->guests.first, false);
	toolstack_close(p->toolstack);
	xen_close(&p->guests.xen);
	free(p->guests.port);
	if (p->guests.epoll >= 0)
		(void)close(p->guests.epoll);
	if (p->signals >= 0)
		(void)close(p->signals);
}

int main(int argc, char **argv)
{
	static struct program p;
	int status = options_parse(&p.config, argc, argv);

	if (status >= 0)
		return status;
	log_set_program("vblk-xen");
	p.signals = p.guests.epoll = -1;
	status = start(&p) ? fail(&p) : 0;
	if (status == 0) {
		serve(&p);
		drain(&p);
		print_statistics(&p);
	}
	finish(&p);
	return status;
}

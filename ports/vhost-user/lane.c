/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The thread of a lane. Its kick descriptors are edge-triggered, so that a kick
 * costs no read: whatever the counter says, a write to it wakes us, and what
 * was written before we looked at the ring is found there.
 */
#include "lane.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "jitter.h"
#include "notify.h"

#define EVENTS   (VBLK_MAX_QUEUES + 2u)
#define BATCH    64u            /* completions at a time */
#define ROUNDS   16u            /* of work between two looks at the kicks */
#define EMPTY    1024u          /* kicks until a descriptor is read */
#define RETRY_MS 100            /* until a store is asked again */
#define PATIENCE_S 1            /* with a lane that is to pause */
#define NS_PER_S UINT64_C(1000000000)

#define SOURCE_WAKE  (VBLK_MAX_QUEUES + 0u)
#define SOURCE_STORE (VBLK_MAX_QUEUES + 1u)

struct lane {
	/* the thread's, while it runs */
	struct vblk_lane core;
	struct store *store;
	int epoll;
	struct lane_queue port[VBLK_MAX_QUEUES];
	unsigned kicks[VBLK_MAX_QUEUES];
	bool submitted;         /* since the last look at the store */
	unsigned in_flight;     /* in the store, or held by jitter */
	bool never_sleeps;      /* serves a queue whose driver does not kick */
	bool spinning;
	uint64_t spin_until_ns;
	struct jitter *jitter;
	uint64_t *started_ns;   /* [queues * slots] */
	struct lane_counts counts;

	/* fixed */
	struct lane_config config;
	pthread_t thread;
	int wake;

	/* between the thread and who controls it */
	atomic_bool pause;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool paused, quit, flush;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/* --- what the core calls -------------------------------------------------- */

static uint64_t *started(struct lane *l, uint16_t queue, vblk_tag tag)
{
	return &l->started_ns[(size_t)queue * l->config.slots + tag];
}

int lane_submit(void *ctx, const struct vblk_req *req, size_t n)
{
	struct lane *l = ctx;
	uint64_t now = now_ns();
	int taken;

	for (size_t i = 0; i < n; i++)
		*started(l, req[i].queue, req[i].tag) = now;
	taken = store_submit(l->store, req, n);
	/* a full store says itself when to ask again */
	l->submitted = l->submitted || taken > 0;
	l->in_flight += (unsigned)taken;
	return taken;
}

/*
 * The write is a full barrier (SIG-1). It does not block, unless the front end
 * wants that (notify.h); a full counter means that the driver was told.
 */
void lane_signal(void *ctx, uint16_t source, bool up)
{
	struct lane *l = ctx;
	const uint64_t one = 1;
	int fd = source < l->config.queues ? l->port[source].call
					   : l->config.fault_event;

	(void)up;
	if (fd >= 0 && write(fd, &one, sizeof(one)) < 0)
		return;
}

/* --- work ----------------------------------------------------------------- */

static void add(_Atomic(uint64_t) *count, uint64_t n)
{
	/* one writer: no locked instruction */
	atomic_store_explicit(
		count, atomic_load_explicit(count, memory_order_relaxed) + n,
		memory_order_relaxed);
}

static unsigned bucket(uint64_t ns)
{
	uint64_t us = ns / 1000u;
	unsigned b = us ? 64u - (unsigned)__builtin_clzll(us) : 0;

	return b < LATENCY_BUCKETS ? b : LATENCY_BUCKETS - 1u;
}

static void report(struct lane *l, const struct store_done *d, size_t n,
		   uint64_t now)
{
	uint64_t total = 0;

	for (size_t i = 0; i < n; i++) {
		struct vblk_event e = { .kind = VBLK_EV_DONE };
		uint64_t ns = now - *started(l, d[i].queue, d[i].tag);

		e.u.done.bytes = d[i].bytes;
		e.u.done.queue = d[i].queue;
		e.u.done.tag = d[i].tag;
		e.u.done.status = d[i].status;
		(void)vblk_lane_event(&l->core, &e);
		add(&l->counts.latency[bucket(ns)], 1);
		total += ns;
	}
	l->in_flight -= (unsigned)n;
	add(&l->counts.requests, n);
	add(&l->counts.total_ns, total);
}

static size_t reap(struct lane *l)
{
	struct store_done done[BATCH];
	uint64_t now;
	size_t n = (size_t)store_reap(l->store, done, BATCH, 0);

	if (n == 0 && !l->jitter)
		return 0;
	now = now_ns();
	if (l->jitter) {
		jitter_put(l->jitter, done, n, now);
		n = jitter_take(l->jitter, done, BATCH, now);
	}
	report(l, done, n, now);
	return n;
}

/* True: there may be more at once. *busy: something was done. */
static bool work(struct lane *l, bool *busy)
{
	bool more = true;

	*busy = false;
	for (unsigned i = 0; i < ROUNDS && more; i++) {
		size_t n = reap(l);

		l->submitted = false;
		more = vblk_lane_drain(&l->core) || n > 0 || l->submitted;
		*busy = *busy || n > 0 || l->submitted;
	}
	return more;
}

/* --- sleeping ------------------------------------------------------------- */

/* An eventfd's counter must not fill up. */
static void empty(int fd)
{
	uint64_t drop;

	if (read(fd, &drop, sizeof(drop)) < 0)
		return;
}

static void take_in(struct lane *l, const struct epoll_event *from)
{
	uint32_t source = from->data.u32;
	struct vblk_event e = { .kind = VBLK_EV_KICK };

	if (source >= l->config.queues) {
		if (source == SOURCE_WAKE)
			empty(l->wake);
		return;
	}
	if (++l->kicks[source] % EMPTY == 0)
		empty(l->port[source].kick);
	e.u.kick.queue = (uint16_t)source;
	(void)vblk_lane_event(&l->core, &e);
}

static void wait_for(struct lane *l, int timeout_ms)
{
	struct epoll_event from[EVENTS];
	int n = epoll_wait(l->epoll, from, EVENTS, timeout_ms);

	for (int i = 0; i < n; i++)
		take_in(l, &from[i]);
}

/*
 * Spins only if the last sleep would have been shorter than the spin: a guest
 * that pauses for longer costs nothing.
 */
static bool keep_spinning(struct lane *l, bool busy)
{
	uint64_t now;

	if (!l->spinning)
		return false;
	now = now_ns();
	if (busy)
		l->spin_until_ns = now + (uint64_t)l->config.poll_us * 1000u;
	if (now < l->spin_until_ns)
		return true;
	l->spinning = false;
	l->core.no_rearm = l->never_sleeps;
	return true;            /* once more, to re-arm */
}

static void sleep_until_kicked(struct lane *l)
{
	uint64_t before;
	/* a store may hold back what the kernel has no memory for just now */
	int timeout = l->jitter && jitter_held(l->jitter) ? 1
		      : l->in_flight			  ? RETRY_MS
							  : -1;

	add(&l->counts.wakeups, 1);
	if (!l->config.poll_us) {
		wait_for(l, timeout);
		return;
	}
	before = now_ns();
	wait_for(l, timeout);
	if (now_ns() - before < (uint64_t)l->config.poll_us * 1000u) {
		l->spinning = true;
		l->spin_until_ns = 0;
		l->core.no_rearm = true;
	}
}

/* Until it is paused and nothing is in flight. */
static void run(struct lane *l)
{
	const struct vblk_event stop = { .kind = VBLK_EV_STOP };
	bool more, busy, stopping = false;

	for (;;) {
		if (!stopping && atomic_load(&l->pause)) {
			stopping = true;
			(void)vblk_lane_event(&l->core, &stop);
		}
		more = work(l, &busy);
		if (stopping && vblk_lane_stopped(&l->core))
			return;
		if (keep_spinning(l, busy))
			continue;
		if (more || l->never_sleeps)
			wait_for(l, 0);
		else
			sleep_until_kicked(l);
	}
}

/* --- the thread ----------------------------------------------------------- */

static void flush(struct lane *l)
{
	struct vblk_req r = { .op = VBLK_OP_FLUSH };
	struct store_done done;

	if (store_submit(l->store, &r, 1) != 1)
		return;
	while (store_reap(l->store, &done, 1, NS_PER_S) == 0)
		;
}

static void *serve(void *arg)
{
	struct lane *l = arg;

	(void)pthread_mutex_lock(&l->lock);
	for (;;) {
		while (l->paused && !l->quit)
			(void)pthread_cond_wait(&l->changed, &l->lock);
		if (l->quit)
			break;
		(void)pthread_mutex_unlock(&l->lock);
		run(l);
		(void)pthread_mutex_lock(&l->lock);
		l->paused = true;
		(void)pthread_cond_broadcast(&l->changed);
	}
	(void)pthread_mutex_unlock(&l->lock);
	if (l->flush)
		flush(l);
	return NULL;
}

static bool watch(struct lane *l, int fd, uint32_t events, uint32_t source)
{
	struct epoll_event e = { .events = events, .data.u32 = source };

	return epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &e) == 0;
}

static void dismantle(struct lane *l)
{
	if (l->epoll >= 0)
		(void)close(l->epoll);
	if (l->wake >= 0)
		(void)close(l->wake);
	jitter_free(l->jitter);
	free(l->started_ns);
	free(l);
}

static bool build(struct lane *l, const struct lane_config *c)
{
	size_t slots = (size_t)c->queues * c->slots;

	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	l->started_ns = calloc(slots, sizeof(*l->started_ns));
	if (c->jitter_us)
		l->jitter = jitter_make(slots, c->jitter_us);
	if (l->epoll < 0 || l->wake < 0 || !l->started_ns ||
	    (c->jitter_us && !l->jitter) ||
	    !watch(l, l->wake, EPOLLIN, SOURCE_WAKE))
		return false;
	return store_fd(c->store) < 0 ||
	       watch(l, store_fd(c->store), EPOLLIN, SOURCE_STORE);
}

struct lane *lane_start(const struct lane_config *c, const char **why)
{
	struct lane *l = calloc(1, sizeof(*l));

	*why = "no memory or no descriptors for a thread's queues";
	if (!l)
		return NULL;
	l->config = *c;
	l->store = c->store;
	l->paused = true;
	for (unsigned q = 0; q < VBLK_MAX_QUEUES; q++)
		l->port[q].kick = l->port[q].call = -1;
	if (!build(l, c)) {
		dismantle(l);
		return NULL;
	}
	(void)pthread_mutex_init(&l->lock, NULL);
	(void)pthread_cond_init(&l->changed, NULL);
	if (pthread_create(&l->thread, NULL, serve, l)) {
		*why = "no thread can be started";
		dismantle(l);
		return NULL;
	}
	return l;
}

void lane_end(struct lane *l, bool flush_store)
{
	(void)pthread_mutex_lock(&l->lock);
	l->quit = true;
	l->flush = flush_store;
	(void)pthread_cond_broadcast(&l->changed);
	(void)pthread_mutex_unlock(&l->lock);
	(void)pthread_join(l->thread, NULL);
	store_close(l->store);
	(void)pthread_cond_destroy(&l->changed);
	(void)pthread_mutex_destroy(&l->lock);
	dismantle(l);
}

/* --- control -------------------------------------------------------------- */

/* Before they are closed: the front end may hold them open still. */
static void forget_kicks(struct lane *l)
{
	for (uint16_t q = 0; q < l->config.queues; q++) {
		if (l->port[q].kick >= 0)
			(void)epoll_ctl(l->epoll, EPOLL_CTL_DEL,
					l->port[q].kick, NULL);
		l->port[q].kick = l->port[q].call = -1;
	}
}

void lane_go(struct lane *l, struct vblk *dev, const struct vblk_hal *hal,
	     void *ctx, uint64_t queues, uint64_t polled,
	     const struct lane_queue *port)
{
	if (queues == 0 ||
	    vblk_lane_init(&l->core, dev, NULL, queues, hal, ctx) != VBLK_OK)
		return;
	l->spinning = false;
	l->never_sleeps = (queues & polled) != 0;
	l->core.no_rearm = l->never_sleeps;
	for (uint16_t q = 0; q < l->config.queues; q++) {
		const struct vblk_event e = { .kind = VBLK_EV_KICK,
					      .u.kick.queue = q };

		if (!(queues >> q & 1u))
			continue;
		l->port[q] = port[q];
		(void)vblk_lane_event(&l->core, &e);
		/* what cannot be waited for was refused when it came */
		if (port[q].kick >= 0)
			(void)watch(l, port[q].kick, EPOLLIN | EPOLLET, q);
	}
	atomic_store(&l->pause, false);
	(void)pthread_mutex_lock(&l->lock);
	l->paused = false;
	(void)pthread_cond_broadcast(&l->changed);
	(void)pthread_mutex_unlock(&l->lock);
}

struct store *lane_store(struct lane *l)
{
	return l->store;
}

void *lane_owner(const struct lane *l)
{
	return l->config.owner;
}

void lane_wake(struct lane *l)
{
	const uint64_t one = 1;

	if (write(l->wake, &one, sizeof(one)) < 0)
		return;         /* it is awake */
}

void lane_pause(struct lane *l)
{
	atomic_store(&l->pause, true);
	lane_wake(l);
}

void lane_paused(struct lane *l)
{
	struct timespec until;

	(void)pthread_mutex_lock(&l->lock);
	while (!l->paused) {
		(void)clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += PATIENCE_S;
		if (pthread_cond_timedwait(&l->changed, &l->lock, &until))
			notify_poke(l->thread); /* it may hang in a write */
	}
	(void)pthread_mutex_unlock(&l->lock);
	forget_kicks(l);
}

const struct lane_counts *lane_counts(const struct lane *l)
{
	return &l->counts;
}

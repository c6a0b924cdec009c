/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's IOMMU: rings and buffers are at I/O virtual addresses, which the
 * back end asks for one miss at a time. A thread answers, with entries of a
 * page up to a few; what only the driver writes may only be read.
 *
 * Under load, entries are taken back at random although they would still be
 * right, so that the back end has to ask again. And a request's buffers move:
 * the same I/O virtual addresses then lead to other pages, from the moment on
 * at which the invalidation is acknowledged. A back end that uses a stale
 * entry writes where nobody looks, or stores what an earlier request said.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "util.h"

#define ENTRY_PAGES 16u         /* largest entry */
#define MOVE_ONE_IN 8u          /* requests */
#define PAUSE_MS    4u          /* longest, between invalidations */
#define ALIAS_GPA   UINT64_C(0xd00000000)
#define ALIAS_UVA   UINT64_C(0x661000007000)

enum { MEM_ALIAS = MEM_SPARE + 1 };

/* Where the pages of a region are when they have moved. */
static const unsigned other[] = { [MEM_DRIVER] = MEM_SPARE,
				  [MEM_DEVICE] = MEM_ALIAS };

struct iotlb {
	struct client_options *o;
	struct session session;
	struct load *load;
	struct rng rng, move_rng;
	pthread_t thread;
	pthread_mutex_t lock;   /* of all below, and of entries on their way */
	bool *moved[2];         /* by region, by page */
	bool stop;
	uint64_t misses, moves, invalidations, forbidden, unknown, fails;
	int error;
	char why[FRONT_WHY];
};

static void note_error(struct iotlb *t, int err)
{
	if (!err || t->error)
		return;
	t->error = err;
	memcpy(t->why, t->session.front.why, sizeof(t->why));
}

/* --- answering ------------------------------------------------------------ */

/* The region of an IOVA; *page: of it. False: it is in none. */
static bool locate(const struct iotlb *t, uint64_t iova, unsigned *region,
		   uint64_t *page)
{
	for (unsigned i = MEM_DRIVER; i <= MEM_DEVICE; i++) {
		const struct front_region *r = &t->session.mem.region[i].at;
		uint64_t at = iova - SESSION_IOVA - r->gpa;

		if (iova >= SESSION_IOVA && at < r->size) {
			*region = i;
			*page = at / MEM_PAGE;
			return true;
		}
	}
	return false;
}

static void answer_miss(struct iotlb *t, const struct front_iotlb *miss)
{
	struct front_iotlb entry = { .type = FRONT_IOTLB_UPDATE };
	const struct mem *m = &t->session.mem;
	uint64_t page, pages, n = 1, most;
	unsigned region, in;

	t->misses++;
	if (!locate(t, miss->iova, &region, &page)) {
		t->unknown++;
		return;
	}
	if (region == MEM_DRIVER && miss->permission & FRONT_IOTLB_WRITE) {
		t->forbidden++;
		return;
	}
	in = t->moved[region][page] ? other[region] : region;
	pages = m->region[region].at.size / MEM_PAGE;
	most = 1 + rng_below(&t->rng, ENTRY_PAGES);
	while (n < most && page + n < pages &&
	       t->moved[region][page + n] == t->moved[region][page])
		n++;
	entry.iova = SESSION_IOVA + m->region[region].at.gpa + page * MEM_PAGE;
	entry.size = n * MEM_PAGE;
	entry.uva = m->region[in].at.uva + page * MEM_PAGE;
	entry.permission = region == MEM_DRIVER
				   ? FRONT_IOTLB_READ
				   : FRONT_IOTLB_READ | FRONT_IOTLB_WRITE;
	note_error(t, front_iotlb(&t->session.front, &entry));
}

static void *answer(void *arg)
{
	struct iotlb *t = arg;
	struct front *f = &t->session.front;
	struct front_message m;
	struct front_iotlb miss;

	while (!__atomic_load_n(&t->stop, __ATOMIC_ACQUIRE)) {
		int err = front_back_receive(f, &m, 20);

		if (err == FRONT_TIMEOUT)
			continue;
		if (err)
			break;
		front_message_close(&m);
		(void)pthread_mutex_lock(&t->lock);
		memset(&miss, 0, sizeof(miss));
		memcpy(&miss, m.payload,
		       m.size < sizeof(miss) ? m.size : sizeof(miss));
		if (m.request == FRONT_BACK_IOTLB_MSG &&
		    miss.type == FRONT_IOTLB_MISS)
			answer_miss(t, &miss);
		else if (m.request == FRONT_BACK_IOTLB_MSG)
			t->fails++;
		(void)pthread_mutex_unlock(&t->lock);
		if (m.flags & FRONT_NEED_REPLY)
			(void)front_back_answer(f, &m, 0);
	}
	return NULL;
}

/* --- taking back ---------------------------------------------------------- */

static void invalidate(struct iotlb *t, uint64_t iova, uint64_t size)
{
	struct front_iotlb m = { .iova = iova,
				 .size = size,
				 .type = FRONT_IOTLB_INVALIDATE };

	t->invalidations++;
	note_error(t, front_iotlb(&t->session.front, &m));
}

static void move(struct iotlb *t, unsigned region, struct vring_part *part,
		 uint64_t bytes)
{
	const struct mem *m = &t->session.mem;
	uint64_t at = part->addr - SESSION_IOVA - m->region[region].at.gpa;
	bool to = !t->moved[region][at / MEM_PAGE];

	for (uint64_t i = 0; i < bytes / MEM_PAGE; i++)
		t->moved[region][at / MEM_PAGE + i] = to;
	part->host = m->region[to ? other[region] : region].host + at;
	invalidate(t, part->addr, bytes);
}

/* In a thread of the load, before the slot is filled again. */
static void before(void *ctx, struct load_slot *s)
{
	struct iotlb *t = ctx;

	(void)pthread_mutex_lock(&t->lock);
	if (!t->error && !rng_below(&t->move_rng, MOVE_ONE_IN)) {
		t->moves++;
		move(t, MEM_DRIVER, &s->out, s->pages);
		move(t, MEM_DEVICE, &s->in, s->pages);
	}
	(void)pthread_mutex_unlock(&t->lock);
}

/* Any range of a region, rings included; sometimes everything. */
static void take_back(struct iotlb *t)
{
	unsigned i = rng_below(&t->move_rng, 2) ? MEM_DRIVER : MEM_DEVICE;
	const struct front_region *r = &t->session.mem.region[i].at;
	uint64_t pages = r->size / MEM_PAGE, from, n;

	from = rng_below(&t->move_rng, pages);
	n = 1 + rng_below(&t->move_rng, pages - from);
	if (!rng_below(&t->move_rng, 8)) {
		from = 0;
		n = pages;
	}
	invalidate(t, SESSION_IOVA + r->gpa + from * MEM_PAGE, n * MEM_PAGE);
}

/* --- the test ------------------------------------------------------------- */

static void run(struct tap *tap, struct iotlb *t)
{
	uint64_t end = now_ns() + t->o->seconds * NS_PER_S;
	struct rng pause = { .state = t->o->seed };
	int err = load_start(t->load);

	while (!err && !load_failed(t->load) && now_ns() < end) {
		(void)pthread_mutex_lock(&t->lock);
		take_back(t);
		err = t->error;
		(void)pthread_mutex_unlock(&t->lock);
		sleep_ns(rng_below(&pause, PAUSE_MS * NS_PER_MS));
	}
	load_stop(t->load);
	load_sweep(t->load);
	tap_note("%llu misses, %llu invalidations, %llu times buffers moved",
		 (unsigned long long)t->misses,
		 (unsigned long long)t->invalidations,
		 (unsigned long long)t->moves);
	tap_did(tap, t->error, "updates and invalidations are acknowledged",
		t->why);
	tap_ok(tap, t->misses > 0 && t->moves > 0,
	       "the back end asked, and buffers moved");
	tap_ok(tap, !t->forbidden,
	       "%llu times it asked to write where it must only read",
	       (unsigned long long)t->forbidden);
	tap_ok(tap, !t->unknown && !t->fails,
	       "%llu misses of addresses that nobody told it, %llu access "
	       "failures",
	       (unsigned long long)t->unknown, (unsigned long long)t->fails);
	tap_load(tap, t->load);
	if (!load_failed(t->load))
		tap_did(tap, session_stop(&t->session), "stop the queues",
			t->session.why);
}

static int prepare(struct iotlb *t)
{
	struct session *s = &t->session;
	struct load_options lo = client_load(t->o);
	struct front_region alias = { .gpa = ALIAS_GPA, .uva = ALIAS_UVA };

	lo.before = before;
	lo.ctx = t;
	if (session_make(s))
		return -1;
	alias.size = s->mem.region[MEM_DEVICE].at.size;
	if (mem_add(&s->mem, &alias))
		return -1;
	for (unsigned i = MEM_DRIVER; i <= MEM_DEVICE; i++) {
		t->moved[i] = calloc(alias.size / MEM_PAGE, sizeof(bool));
		if (!t->moved[i])
			return -1;
	}
	t->load = load_new(s, &lo);
	if (!t->load)
		return -1;
	if (front_back_open(&s->front)) {
		memcpy(s->why, s->front.why, sizeof(s->front.why));
		return -1;
	}
	return 0;
}

static void test(struct tap *tap, struct iotlb *t)
{
	struct session *s = &t->session;

	if (!tap_did(tap, prepare(t), "memory, queues and back-end channel",
		     s->why))
		return;
	if (pthread_create(&t->thread, NULL, answer, t)) {
		tap_did(tap, -1, "a thread that answers", "cannot be started");
		return;
	}
	if (tap_did(tap, session_start(s), "start the queues", s->why))
		run(tap, t);
	__atomic_store_n(&t->stop, true, __ATOMIC_RELEASE);
	(void)pthread_join(t->thread, NULL);
}

int client_iotlb(struct client_options *o)
{
	struct iotlb t = { .o = o,
			   .rng = { .state = mix64(~o->seed) },
			   .move_rng = { .state = mix64(o->seed + 77) } };
	struct session_options so = client_session(o);
	struct tap tap = { 0 };

	(void)pthread_mutex_init(&t.lock, NULL);
	so.features |= VIRTIO_F_ACCESS_PLATFORM;
	client_replay("iotlb", o);
	if (!tap_did(&tap, session_open(&t.session, &so),
		     "connect and negotiate", t.session.why))
		return tap_end(&tap);
	if (!(t.session.features & VIRTIO_F_ACCESS_PLATFORM) ||
	    !(t.session.front.protocol & FRONT_PF_BACKEND_REQ))
		tap_skip(&tap, "IOTLB",
			 "ACCESS_PLATFORM or BACKEND_REQ is "
			 "not offered");
	else
		test(&tap, &t);
	if (t.load)
		load_free(t.load);
	free(t.moved[0]);
	free(t.moved[1]);
	session_close(&t.session);
	return tap_end(&tap);
}

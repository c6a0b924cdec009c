/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One device, four queues, four lanes on four threads, four guest threads: what
 * vblk.h says of queues and threads, for ThreadSanitizer (with tsan_arch.h) and
 * natively. Stores finish out of order and refuse; guests verify every byte
 * they read; guest 0 touches registers while the lanes run. Between rounds the
 * lanes are parked: counters, and a reset that waits for every lane's requests.
 *
 *     mq_threads            exit status 0: all as promised
 *     mq_threads --share    lane 1 serves queue 0 as well, which is forbidden:
 *                           ThreadSanitizer must complain
 *
 * Threads tell each other of kicks and interrupts by relaxed counters with
 * fences around them, which order the hardware but which ThreadSanitizer does
 * not see: an acquire there would make every missing order in the core look
 * right.
 */
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vblk/arch.h"
#include "vblk/hal.h"

#define QUEUES      4u
#define QUEUE_SIZE  128u
#define SLOTS       24u         /* of the device; fewer than the guest uses */
#define DEPTH       32u         /* requests of a guest, 3 descriptors each */
#define STORE_DEPTH 10u
#define REQUESTS    10000u      /* per queue and round */
#define LAST        8u          /* in flight at the reset, per queue */
#define DATA        4096u       /* bytes of a request */
#define SECTORS     (DATA / VBLK_SECTOR_SIZE)
#define GPA         UINT64_C(0x40000000)
#define HANG_S      10

/* One queue's guest memory. */
struct page {                   /* a request; 16-aligned parts */
	struct vblk_header header;
	struct vblk_desc table[3];
	uint8_t status, pad[63];
	uint64_t data[DATA / 8u];
};

struct memory {
	struct vblk_desc desc[QUEUE_SIZE];
	struct vblk_le16 avail[4u + QUEUE_SIZE]; /* 16-aligned, as all here */
	uint8_t pad0[8];
	struct vblk_le16 used[4u + 4u * QUEUE_SIZE];
	uint8_t pad1[8];
	struct page page[DEPTH];
};

#define AVAIL_IDX    1u         /* in 16-bit words */
#define AVAIL_RING   2u
#define USED_IDX     1u
#define USED_RING    2u
#define USED_EVENT   (AVAIL_RING + QUEUE_SIZE)
#define AVAIL_EVENT  (USED_RING + 4u * QUEUE_SIZE)

struct slot { bool busy; uint32_t type; uint64_t age; };

struct guest {
	uint16_t queue;
	struct memory *m;
	struct slot slot[DEPTH];
	uint64_t age[DEPTH];            /* of what the disk holds; 0: zeroes */
	uint64_t writes;                /* ever: the age of the last one */
	uint16_t next_avail, kicked, last_used;
	unsigned sent, came;
	uint32_t seen;                  /* interrupts */
	uint64_t seed;
};

/* Own cache lines would be kinder; what is shared should be seen to be. */
struct bell { uint32_t kicks, irqs, finished; };

struct lane {
	struct vblk_lane lane;
	unsigned index;
	uint32_t seen[QUEUES];          /* kicks */
	struct vblk_req pending[STORE_DEPTH];
	unsigned pending_n;
	uint64_t seed;
};

/* A register access of guest 0, on its way to lane 0's thread and back. */
enum { BOX_EMPTY, BOX_FULL, BOX_ANSWERED };
struct box { uint32_t state; struct vblk_access access; uint64_t value; };

static struct memory *memory;           /* QUEUES of them */
static uint8_t disk[QUEUES * DEPTH * DATA];
static uint8_t dirty[(QUEUES * sizeof(struct memory) >> 15) + 2u];
static struct vblk *dev;
static struct vblk_mmio mmio;
static struct guest guests[QUEUES];
static struct lane lanes[QUEUES];
static struct bell bells[QUEUES];
static struct box box;
static bool event_idx;
static bool share;
static unsigned held_answers;

/* --- small things --------------------------------------------------------- */

static void fail(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fputs("mq_threads: ", stderr);
	vfprintf(stderr, format, ap);
	fprintf(stderr,
		"\nmq_threads: %s EVENT_IDX; run it again to replay, "
		"the schedule is the machine's\n",
		event_idx ? "with" : "without");
	va_end(ap);
	(void)fflush(stdout);
	_Exit(1);
}

static void expect(uint64_t expected, uint64_t came, const char *what)
{
	if (expected != came)
		fail("%s: expected %llu, came %llu", what,
		     (unsigned long long)expected, (unsigned long long)came);
}

static uint32_t pick(uint64_t *seed, uint32_t below)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((*seed >> 33) % below);
}

static void ring(uint32_t *counter)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static bool rang(const uint32_t *counter, uint32_t *seen)
{
	uint32_t now = __atomic_load_n(counter, __ATOMIC_RELAXED);

	if (now == *seen)
		return false;
	*seen = now;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return true;
}

static uint16_t load(const struct vblk_le16 *p)
{
	struct vblk_le16 v = { __atomic_load_n(&p->raw, __ATOMIC_ACQUIRE) };

	return vblk_le16_get(v);
}

static void store(struct vblk_le16 *p, uint16_t v)
{
	__atomic_store_n(&p->raw, vblk_le16_make(v).raw, __ATOMIC_RELEASE);
}

static vblk_gpa gpa_of(const void *p)
{
	return GPA + (uint64_t)((const uint8_t *)p - (const uint8_t *)memory);
}

/* --- the store and the lane: one thread each ------------------------------ */

static int submit(void *ctx, const struct vblk_req *req, size_t n)
{
	struct lane *l = ctx;
	size_t i;

	for (i = 0; i < n && l->pending_n < STORE_DEPTH; i++)
		l->pending[l->pending_n++] = req[i];
	return (int)i;
}

static void signal_guest(void *ctx, uint16_t source, bool up)
{
	(void)ctx;
	if (source < QUEUES && up)
		ring(&bells[source].irqs);
}

static void reply(void *ctx, const struct vblk_access *access, uint64_t value)
{
	(void)ctx;
	if (access->who == 0) {         /* main, lanes parked */
		held_answers++;
		return;
	}
	box.value = value;
	__atomic_store_n(&box.state, BOX_ANSWERED, __ATOMIC_RELEASE);
}

static const struct vblk_hal hal = {
	.submit = submit, .signal = signal_guest, .reply = reply
};

static void event(struct lane *l, const struct vblk_event *e)
{
	int r = vblk_lane_event(&l->lane, e);

	if (r != VBLK_OK)
		fail("event %d on lane %u: expected OK, came %s", (int)e->kind,
		     l->index, vblk_strerror(r));
}

static void transfer(const struct vblk_req *r)
{
	uint8_t *at = disk + r->sector * VBLK_SECTOR_SIZE;

	for (unsigned i = 0; i < r->num_segs; i++) {
		if (r->op == VBLK_OP_READ)
			memcpy(r->seg[i].host, at, r->seg[i].len);
		else if (r->op == VBLK_OP_WRITE)
			memcpy(at, r->seg[i].host, r->seg[i].len);
		at += r->seg[i].len;
	}
}

/* Some that the store holds, in any order. */
static void finish(struct lane *l, unsigned n)
{
	for (; n > 0; n--) {
		unsigned i = pick(&l->seed, l->pending_n);
		struct vblk_req r = l->pending[i];
		struct vblk_event e = { .kind = VBLK_EV_DONE };

		l->pending[i] = l->pending[--l->pending_n];
		transfer(&r);
		e.u.done.queue = r.queue;
		e.u.done.tag = r.tag;
		e.u.done.bytes = r.bytes;
		e.u.done.status = VBLK_S_OK;
		event(l, &e);
	}
}

static bool kicked(struct lane *l)
{
	struct vblk_event e = { .kind = VBLK_EV_KICK };
	bool some = false;

	for (uint16_t q = 0; q < QUEUES; q++) {
		if (!(l->lane.queues >> q & 1u) ||
		    !rang(&bells[q].kicks, &l->seen[q]))
			continue;
		e.u.kick.queue = q;
		event(l, &e);
		some = true;
	}
	return some;
}

static bool accessed(struct lane *l)
{
	struct vblk_event e = { .kind = VBLK_EV_ACCESS };

	if (l->index != 0 ||
	    __atomic_load_n(&box.state, __ATOMIC_ACQUIRE) != BOX_FULL)
		return false;
	e.u.access = box.access;
	event(l, &e);
	return true;
}

static void *lane_main(void *arg)
{
	struct lane *l = arg;

	for (;;) {
		bool busy = kicked(l), more;

		busy = accessed(l) || busy;
		finish(l, pick(&l->seed, l->pending_n + 1u));
		more = vblk_lane_drain(&l->lane);
		if (busy || more || l->pending_n > 0)
			continue;
		if (__atomic_load_n(&bells[l->index].finished,
				    __ATOMIC_RELAXED))
			return NULL;
		sched_yield();
	}
}

/* --- the guest: one thread per queue -------------------------------------- */

static uint64_t word(const struct guest *g, unsigned slot, uint64_t age,
		     unsigned i)
{
	uint64_t v = age << 20 | (uint64_t)g->queue << 16 | slot << 9 | i;

	return age == 0 ? 0 : v * 0x9e3779b97f4a7c15u;
}

static void put(struct vblk_desc *d, const void *at, uint32_t len,
		uint32_t flags, uint16_t next)
{
	d->addr = vblk_le64_make(gpa_of(at));
	d->len = vblk_le32_make(len);
	d->flags = vblk_le16_make((uint16_t)flags);
	d->next = vblk_le16_make(next);
}

/* Slot i has descriptors 3 i to 3 i + 2; odd slots use an indirect table. */
static void describe(struct guest *g, unsigned i)
{
	struct page *p = &g->m->page[i];
	uint16_t head = (uint16_t)(3u * i), first = i & 1u ? 0 : head;
	struct vblk_desc *d = i & 1u ? p->table : &g->m->desc[head];
	uint32_t in = g->slot[i].type == VBLK_T_IN ? VBLK_DESC_WRITE : 0;

	put(&d[0], &p->header, 16, VBLK_DESC_NEXT, (uint16_t)(first + 1u));
	put(&d[1], p->data, g->slot[i].type == VBLK_T_FLUSH ? 0 : DATA,
	    VBLK_DESC_NEXT | in, (uint16_t)(first + 2u));
	put(&d[2], &p->status, 1, VBLK_DESC_WRITE, 0);
	if (i & 1u)
		put(&g->m->desc[head], p->table, sizeof(p->table),
		    VBLK_DESC_INDIRECT, 0);
}

static void send(struct guest *g, unsigned i)
{
	struct slot *s = &g->slot[i];
	struct page *p = &g->m->page[i];
	uint32_t what = pick(&g->seed, 16);

	s->busy = true;
	s->type = what == 0 ? VBLK_T_FLUSH : what & 1u ? VBLK_T_IN : VBLK_T_OUT;
	s->age = g->age[i];
	if (s->type == VBLK_T_OUT) {
		s->age = ++g->writes;
		for (unsigned k = 0; k < DATA / 8u; k++)
			p->data[k] = word(g, i, s->age, k);
	} else {
		memset(p->data, 0xee, DATA);
	}
	p->header.type = vblk_le32_make(s->type);
	p->header.sector = vblk_le64_make((uint64_t)(g->queue * DEPTH + i) *
					  SECTORS);
	p->status = 0xff;
	describe(g, i);
	store(&g->m->avail[AVAIL_RING + g->next_avail % QUEUE_SIZE],
	      (uint16_t)(3u * i));
	store(&g->m->avail[AVAIL_IDX], ++g->next_avail);
	g->sent++;
}

static void kick(struct guest *g)
{
	uint16_t added = (uint16_t)(g->next_avail - g->kicked), event_at;
	bool wanted;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);        /* 2.7.13.4.1 */
	event_at = load(&g->m->used[AVAIL_EVENT]);
	wanted = event_idx ? (uint16_t)(g->next_avail - event_at - 1u) < added
			   : !(load(&g->m->used[0]) & VBLK_USED_NO_NOTIFY);
	g->kicked = g->next_avail;
	if (wanted)
		ring(&bells[g->queue].kicks);
}

static void check(struct guest *g, uint32_t head, uint32_t len)
{
	unsigned i = head / 3u;
	struct slot *s = &g->slot[i];
	struct page *p = &g->m->page[i];

	if (head % 3u != 0 || i >= DEPTH || !s->busy)
		fail("queue %u: head %u came back, which is not in flight",
		     g->queue, head);
	expect(VBLK_S_OK, p->status, "status");
	expect(s->type == VBLK_T_IN ? DATA + 1u : 1u, len, "length");
	for (unsigned k = 0; s->type == VBLK_T_IN && k < DATA / 8u; k++)
		if (p->data[k] != word(g, i, s->age, k))
			fail("queue %u slot %u word %u: expected %016llx, came "
			     "%016llx",
			     g->queue, i, k,
			     (unsigned long long)word(g, i, s->age, k),
			     (unsigned long long)p->data[k]);
	g->age[i] = s->age;
	s->busy = false;
	g->came++;
}

static void take(struct guest *g)
{
	while (g->last_used != load(&g->m->used[USED_IDX])) {
		const struct vblk_le32 *e =
			(const void *)&g->m
				->used[USED_RING +
				       4u * (g->last_used % QUEUE_SIZE)];

		/* relaxed: the order is that of the index */
		struct vblk_le32 id = { __atomic_load_n(&e[0].raw,
							__ATOMIC_RELAXED) },
				 len = { __atomic_load_n(&e[1].raw,
							 __ATOMIC_RELAXED) };

		check(g, vblk_le32_get(id), vblk_le32_get(len));
		g->last_used++;
	}
}

static void serve(struct guest *g)
{
	do {
		store(&g->m->avail[0], event_idx ? 0 : 1);
		take(g);
		store(&g->m->avail[0], 0);
		store(&g->m->avail[USED_EVENT], g->last_used);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);        /* 2.7.7.2 */
	} while (g->last_used != load(&g->m->used[USED_IDX]));
}

static uint64_t touch(uint64_t offset, bool write, uint64_t value)
{
	box.access = (struct vblk_access){ .offset = offset,
					   .value = value,
					   .who = 1,
					   .size = 4,
					   .write = write };
	__atomic_store_n(&box.state, BOX_FULL, __ATOMIC_RELEASE);
	while (__atomic_load_n(&box.state, __ATOMIC_ACQUIRE) != BOX_ANSWERED)
		sched_yield();
	return box.value;
}

static void await(struct guest *g)
{
	struct timespec began, now;

	clock_gettime(CLOCK_MONOTONIC, &began);
	while (!rang(&bells[g->queue].irqs, &g->seen)) {
		sched_yield();
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec - began.tv_sec > HANG_S)
			fail("queue %u: no interrupt for %d s with %u requests "
			     "in flight",
			     g->queue, HANG_S, g->sent - g->came);
	}
	if (g->queue == 0) {    /* a register file that is busy meanwhile */
		uint64_t isr = touch(0x060, false, 0);

		(void)touch(0x064, true, isr);
		expect(0xf, touch(0x070, false, 0), "Status");
	}
	serve(g);
}

static void fill(struct guest *g, unsigned depth, unsigned total)
{
	bool some = false;

	for (unsigned i = 0; i < depth && g->sent < total; i++) {
		if (g->slot[i].busy)
			continue;
		send(g, i);
		some = true;
	}
	if (some)
		kick(g);
}

static void *guest_main(void *arg)
{
	struct guest *g = arg;

	while (g->came < REQUESTS) {
		fill(g, DEPTH, REQUESTS);
		await(g);
	}
	__atomic_store_n(&bells[g->queue].finished, 1, __ATOMIC_RELAXED);
	return NULL;
}

/* --- control: one thread, lanes parked ------------------------------------ */

static void out(uint64_t offset, uint32_t v)
{
	(void)vblk_mmio_write(&mmio, offset, 4, v);
}

static void start_queue(uint16_t q)
{
	struct guest *g = &guests[q];
	vblk_gpa at[3];

	g->queue = q;
	g->m = &memory[q];
	g->seed = q + 1u;
	memset(g->m, 0, sizeof(*g->m));
	/* what the reset found in flight reached the disk before its answer */
	for (unsigned i = 0; i < DEPTH; i++)
		if (g->slot[i].busy)
			g->age[i] = g->slot[i].age;
	memset(g->slot, 0, sizeof(g->slot));
	g->next_avail = g->kicked = g->last_used = 0;
	g->sent = g->came = 0;
	at[0] = gpa_of(g->m->desc);
	at[1] = gpa_of(g->m->avail);
	at[2] = gpa_of(g->m->used);
	out(0x030, q);
	out(0x038, QUEUE_SIZE);
	for (unsigned i = 0; i < 3; i++) {
		out(0x080 + 0x10u * i, (uint32_t)at[i]);
		out(0x084 + 0x10u * i, (uint32_t)(at[i] >> 32));
	}
	out(0x044, 1);
}

static void start(void)
{
	uint64_t f = VBLK_F_VERSION_1 | VBLK_F_FLUSH | VBLK_F_MQ |
		     VBLK_F_INDIRECT_DESC | (event_idx ? VBLK_F_EVENT_IDX : 0);

	out(0x070, 1);
	out(0x070, 3);
	out(0x024, 0);
	out(0x020, (uint32_t)f);
	out(0x024, 1);
	out(0x020, (uint32_t)(f >> 32));
	out(0x070, 0xb);
	for (uint16_t q = 0; q < QUEUES; q++)
		start_queue(q);
	out(0x070, 0xf);
	expect(0xf, vblk_mmio_read(&mmio, 0x070, 4), "Status after DRIVER_OK");
}

static void make_lane(unsigned i)
{
	struct lane *l = &lanes[i];
	uint64_t queues = UINT64_C(1) << i | (share && i == 1);

	memset(&bells[i], 0, sizeof(bells[i]));
	memset(l, 0, sizeof(*l));
	guests[i].seen = 0;
	l->index = i;
	l->seed = 100u + i;
	if (vblk_lane_init(&l->lane, dev, &mmio, queues, &hal, l) != VBLK_OK)
		fail("vblk_lane_init: expected OK");
}

static void run_threads(void)
{
	pthread_t lane[QUEUES], guest[QUEUES];

	for (unsigned i = 0; i < QUEUES; i++)
		if (pthread_create(&lane[i], NULL, lane_main, &lanes[i]) ||
		    pthread_create(&guest[i], NULL, guest_main, &guests[i]))
			fail("no threads");
	for (unsigned i = 0; i < QUEUES; i++)
		pthread_join(guest[i], NULL);
	for (unsigned i = 0; i < QUEUES; i++)
		pthread_join(lane[i], NULL);
}

static void check_counters(uint64_t all)
{
	struct vblk_stats s;
	uint64_t handed = 0, kicks = 0, irqs = 0;

	vblk_stats(dev, &s);
	for (unsigned i = 0; i < 5; i++)
		handed += s.requests[i];
	for (unsigned i = 0; i < QUEUES; i++) {
		kicks += bells[i].kicks;
		irqs += bells[i].irqs;
	}
	expect(all, handed, "requests handed out");
	expect(all, s.completed, "heads given back");
	expect(0, s.errors + s.unsupported + s.contained, "errors");
	expect(0, vblk_needs_reset(dev), "vblk_needs_reset");
	printf("%s EVENT_IDX: %u queues, %u requests each, %llu kicks, %llu "
	       "interrupts\n",
	       event_idx ? "with" : "without", QUEUES, REQUESTS,
	       (unsigned long long)kicks, (unsigned long long)irqs);
}

/* Requests of every lane are in flight; the answer comes after the last. */
static void reset(void)
{
	struct vblk_event e = { .kind = VBLK_EV_ACCESS };
	unsigned last = 0;

	for (unsigned q = 0; q < QUEUES; q++) {
		fill(&guests[q], LAST, guests[q].sent + LAST);
		(void)kicked(&lanes[q]);
		(void)vblk_lane_drain(&lanes[q].lane);
		expect(LAST, lanes[q].pending_n, "requests in the store");
	}
	e.u.access = (struct vblk_access){ .offset = 0x070,
					   .size = 4,
					   .write = true };
	held_answers = 0;
	event(&lanes[0], &e);
	for (unsigned q = QUEUES; q-- > 0; last = q) {
		expect(0, held_answers, "answers to a reset that must wait");
		finish(&lanes[q], lanes[q].pending_n);
		(void)vblk_lane_drain(&lanes[q].lane);
	}
	(void)vblk_lane_drain(&lanes[last].lane);
	expect(1, held_answers, "answers to the reset");
	expect(0, vblk_mmio_read(&mmio, 0x070, 4), "Status after reset");
}

static void check_dirty(void)
{
	for (unsigned q = 0; q < QUEUES; q++) {
		uint64_t page = gpa_of(&memory[q].used) >> 12;
		unsigned byte = (unsigned)((page >> 3) - (GPA >> 15));

		expect(1, dirty[byte] >> (page & 7u) & 1u,
		       "dirty bit of a used ring");
	}
}

static void make_device(void)
{
	struct vblk_config cfg = { .capacity = sizeof(disk) / VBLK_SECTOR_SIZE,
				   .features = VBLK_F_FLUSH | VBLK_F_MQ |
					       VBLK_F_INDIRECT_DESC |
					       VBLK_F_EVENT_IDX,
				   .num_queues = QUEUES,
				   .queue_size = QUEUE_SIZE,
				   .slots = SLOTS,
				   .segs = 4 };
	struct vblk_region all = { .gpa = GPA,
				   .len = QUEUES * sizeof(*memory),
				   .dirty = dirty,
				   .perm = VBLK_RW };
	void *storage = malloc(vblk_sizeof(&cfg));

	memory = aligned_alloc(4096, (all.len + 4095u) & ~UINT64_C(4095));
	if (!storage || !memory)
		fail("no memory");
	all.host = memory;
	if (vblk_init(&dev, storage, vblk_sizeof(&cfg), &cfg) != VBLK_OK ||
	    vblk_mem_add(dev, &all) != VBLK_OK)
		fail("vblk_init, vblk_mem_add: expected OK");
	vblk_mmio_init(&mmio, dev, 0, NULL);
}

int main(int argc, char **argv)
{
	uint64_t all = 0;

	share = argc > 1 && strcmp(argv[1], "--share") == 0;
	make_device();
	for (unsigned round = 0; round < 2; round++) {
		event_idx = round == 0;
		start();
		for (unsigned i = 0; i < QUEUES; i++)
			make_lane(i);
		run_threads();
		all += QUEUES * REQUESTS;
		check_counters(all);
		reset();
		all += QUEUES * LAST;
	}
	check_dirty();
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a request costs the core: nanoseconds per 4 KiB read and write, with a
 * store that is done at once and moves nothing. Only the device's part is
 * timed, a batch at a time; the guest fills and empties the ring between.
 * Beside it, on the same ring and in the same run:
 *
 *     floor    a device that checks nothing: it reads index, entry, descriptors
 *              and header, writes status, used element and index
 *     memcpy   4 KiB, what a real store pays at least
 *
 * The same on a packed ring, beside the split one's figure.
 *
 * All variants take turns, REPEATS times; the table has medians and quartiles.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "vblk/arch.h"
#include "vblk/hal.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define REPEATS    15u
#define REQUESTS   32768u       /* of one variant in one repeat */
#define QUEUES     2u
#define QUEUE_SIZE 512u
#define DEPTH      128u         /* the most */
#define BATCH      VBLK_BATCH
#define DATA       4096u
#define GPA        UINT64_C(0x40000000)

struct page {                   /* the guest's part of a request */
	struct vblk_header header;
	struct vblk_desc table[3];
	uint8_t status, pad[63];
};

struct memory {
	struct vblk_desc desc[QUEUE_SIZE];
	struct vblk_le16 avail[8u + QUEUE_SIZE];
	struct vblk_le16 used[8u + 4u * QUEUE_SIZE];
	struct page page[DEPTH];
	uint8_t data[DEPTH][DATA];
};

#define AVAIL_IDX   1u          /* in 16-bit words */
#define AVAIL_RING  2u
#define USED_IDX    1u
#define USED_RING   2u
#define USED_EVENT  (AVAIL_RING + QUEUE_SIZE)
#define AVAIL_EVENT (USED_RING + 4u * QUEUE_SIZE)

struct side {                   /* the guest's side of a queue */
	struct memory *m;
	uint16_t queue, next_avail, last_used;
	bool indirect, packed;
	uint16_t next, used;    /* packed: descriptors since the beginning */
	uint16_t first_flags;
	uint32_t type;
};

/* What a variant is; run by measure(). */
enum device { CORE, LANE, FLOOR };
struct variant {
	const char *name;
	enum device device;
	uint32_t type;
	bool indirect;
	unsigned depth, queues;
	double ns[REPEATS];
	bool packed;
};

static struct memory *memory;
static struct vblk *dev, *split_dev, *packed_dev;
static struct side split_sides[QUEUES], packed_sides[QUEUES];
static struct side *sides = split_sides;
static double ns_per_tick, tick_cost;

/* --- time ----------------------------------------------------------------- */

static double seconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline uint64_t ticks(void)
{
#if defined(__x86_64__)
	uint64_t t;

	_mm_lfence();
	t = __builtin_ia32_rdtsc();
	_mm_lfence();
	return t;
#else
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
#endif
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* How long a tick is, and how many two readings in a row are apart. */
static void calibrate(void)
{
	double s = seconds(), pairs[1001];
	uint64_t t = ticks();

	while (seconds() - s < 0.1)
		;
	ns_per_tick = (seconds() - s) * 1e9 / (double)(ticks() - t);
	for (unsigned i = 0; i < 1001; i++) {
		t = ticks();
		pairs[i] = (double)(ticks() - t);
	}
	qsort(pairs, 1001, sizeof(*pairs), by_value);
	tick_cost = pairs[500];
}

/*
 * Nanoseconds of a batch: the mean without the slowest tenth, in which others
 * on this machine ran. (A median would show the steps of the timer.)
 */
static double undisturbed(double *batch, unsigned n)
{
	double sum = 0;

	qsort(batch, n, sizeof(*batch), by_value);
	n -= n / 10u;
	for (unsigned i = 0; i < n; i++)
		sum += batch[i];
	return sum * ns_per_tick / n;
}

static void die(const char *what)
{
	fprintf(stderr, "bench: %s\n", what);
	exit(1);
}

/* --- the guest's side, not timed ------------------------------------------ */

static vblk_gpa gpa_of(const void *p)
{
	return GPA + (uint64_t)((const uint8_t *)p - (const uint8_t *)memory);
}

static void put(struct vblk_desc *d, const void *at, uint32_t len,
		uint32_t flags, unsigned next)
{
	d->addr = vblk_le64_make(gpa_of(at));
	d->len = vblk_le32_make(len);
	d->flags = vblk_le16_make((uint16_t)flags);
	d->next = vblk_le16_make((uint16_t)next);
}

static void describe(struct side *s, uint32_t type, bool indirect)
{
	uint32_t in = type == VBLK_T_IN ? VBLK_DESC_WRITE : 0;

	s->indirect = indirect;
	for (unsigned i = 0; i < DEPTH; i++) {
		struct page *p = &s->m->page[i];
		unsigned first = indirect ? 0 : 3u * i;
		struct vblk_desc *d = indirect ? p->table : &s->m->desc[3u * i];

		put(&d[0], &p->header, 16, VBLK_DESC_NEXT, first + 1u);
		put(&d[1], s->m->data[i], DATA, VBLK_DESC_NEXT | in,
		    first + 2u);
		put(&d[2], &p->status, 1, VBLK_DESC_WRITE, 0);
		if (indirect)
			put(&s->m->desc[3u * i], p->table, sizeof(p->table),
			    VBLK_DESC_INDIRECT, 0);
		p->header.type = vblk_le32_make(type);
	}
}

static void offer(struct side *s, unsigned i)
{
	struct page *p = &s->m->page[i];

	p->header.sector = vblk_le64_make(8u * i);
	p->status = 0xff;
	vblk_store16(&s->m->avail[AVAIL_RING + s->next_avail++ % QUEUE_SIZE],
		     vblk_le16_make((uint16_t)(3u * i)));
}

/* --- the same with a packed ring ------------------------------------------ */

/* Its lap decides what available and used look like. */
static uint16_t lap_flags(uint16_t n, bool used)
{
	bool first = n / QUEUE_SIZE % 2u == 0;

	if (used)
		return first ? VBLK_DESC_AVAIL | VBLK_DESC_USED : 0;
	return first ? VBLK_DESC_AVAIL : VBLK_DESC_USED;
}

static void put_packed(struct side *s, const void *at, uint32_t len,
		       uint32_t flags, bool first)
{
	struct vblk_packed_desc *d = (void *)&s->m->desc[s->next % QUEUE_SIZE];
	uint16_t all = (uint16_t)(flags | lap_flags(s->next, false));

	d->addr = vblk_le64_make(gpa_of(at));
	d->len = vblk_le32_make(len);
	d->id = vblk_le16_make(7);
	if (first)
		s->first_flags = all;
	else
		vblk_store16(&d->flags, vblk_le16_make(all));
	s->next++;
}

static void offer_packed(struct side *s, unsigned i)
{
	struct page *p = &s->m->page[i];
	uint16_t head = s->next % QUEUE_SIZE;
	uint32_t in = s->type == VBLK_T_IN ? VBLK_DESC_WRITE : 0;
	struct vblk_packed_desc *d = (void *)&s->m->desc[head];

	p->header.sector = vblk_le64_make(8u * i);
	p->status = 0xff;
	if (s->indirect) {
		put_packed(s, p->table, sizeof(p->table), VBLK_DESC_INDIRECT,
			   true);
	} else {
		put_packed(s, &p->header, 16, VBLK_DESC_NEXT, true);
		put_packed(s, s->m->data[i], DATA, VBLK_DESC_NEXT | in, false);
		put_packed(s, &p->status, 1, VBLK_DESC_WRITE, false);
	}
	vblk_wmb();
	vblk_store16(&d->flags, vblk_le16_make(s->first_flags));
}

/* A table's descriptors have flags where a split one's have next. */
static void describe_packed(struct side *s, uint32_t type, bool indirect)
{
	s->type = type;
	s->indirect = indirect;
	for (unsigned i = 0; i < DEPTH; i++) {
		struct page *p = &s->m->page[i];
		uint32_t in = type == VBLK_T_IN ? VBLK_DESC_WRITE : 0;

		put(&p->table[0], &p->header, 16, 0, 0);
		put(&p->table[1], s->m->data[i], DATA, 0, in);
		put(&p->table[2], &p->status, 1, 0, VBLK_DESC_WRITE);
		p->header.type = vblk_le32_make(type);
	}
}

static void empty_packed(struct side *s, unsigned n)
{
	unsigned each = s->indirect ? 1 : 3;
	uint16_t event;

	for (unsigned i = 0; i < n; i++) {
		struct vblk_packed_desc *d =
			(void *)&s->m->desc[s->used % QUEUE_SIZE];
		uint16_t flags = vblk_le16_get(vblk_load16(&d->flags));

		if ((flags & (VBLK_DESC_AVAIL | VBLK_DESC_USED)) !=
		    lap_flags(s->used, true))
			die("requests are missing");
		if (s->m->page[i].status != VBLK_S_OK)
			die("a request failed");
		s->used = (uint16_t)(s->used + each);
	}
	event = (uint16_t)(s->used % QUEUE_SIZE |
			   (s->used / QUEUE_SIZE % 2u ? 0u : VBLK_WRAP));
	vblk_store16(&s->m->avail[0], vblk_le16_make(event));
	vblk_store16(&s->m->avail[1], vblk_le16_make(VBLK_EVENT_DESC));
}

/* --- either --------------------------------------------------------------- */

static void show(struct side *s)
{
	vblk_wmb();
	vblk_store16(&s->m->avail[AVAIL_IDX], vblk_le16_make(s->next_avail));
}

/* Nothing is in flight: the first n requests. */
static void fill(struct side *s, unsigned n)
{
	for (unsigned i = 0; i < n && s->packed; i++)
		offer_packed(s, i);
	for (unsigned i = 0; i < n && !s->packed; i++)
		offer(s, i);
	if (!s->packed)
		show(s);
}

static void empty(struct side *s, unsigned n)
{
	if (s->packed) {
		empty_packed(s, n);
		return;
	}
	if ((uint16_t)(vblk_le16_get(vblk_load16(&s->m->used[USED_IDX])) -
		       s->last_used) != n)
		die("requests are missing");
	for (unsigned i = 0; i < n; i++)
		if (s->m->page[i].status != VBLK_S_OK)
			die("a request failed");
	s->last_used = (uint16_t)(s->last_used + n);
	vblk_store16(&s->m->avail[USED_EVENT], vblk_le16_make(s->last_used));
}

/* --- the device's side, timed --------------------------------------------- */

static void core_device(uint16_t queue)
{
	struct vblk_req r[BATCH];
	int n;

	do {
		while ((n = vblk_poll(dev, queue, r, BATCH)) > 0) {
			for (int i = 0; i < n; i++)
				(void)vblk_complete(dev, queue, r[i].tag,
						    VBLK_S_OK, r[i].bytes);
			(void)vblk_irq(dev, queue);
		}
	} while (!vblk_poll_idle(dev, queue));
}

/* The same through run.c and a HAL: the store is done when it is asked. */
struct null_store { struct vblk_lane lane; struct vblk_event e[64]; int n; };

static int null_submit(void *ctx, const struct vblk_req *req, size_t n)
{
	struct null_store *s = ctx;

	for (size_t i = 0; i < n; i++) {
		if (s->n == 64)
			return (int)i;
		s->e[s->n].kind = VBLK_EV_DONE;
		s->e[s->n].u.done.queue = req[i].queue;
		s->e[s->n].u.done.tag = req[i].tag;
		s->e[s->n].u.done.status = VBLK_S_OK;
		s->e[s->n].u.done.bytes = req[i].bytes;
		s->n++;
	}
	return (int)n;
}

static void null_signal(void *ctx, uint16_t source, bool up)
{
	(void)ctx;
	(void)source;
	(void)up;
}

static const struct vblk_hal null_hal = {
	.submit = null_submit, .signal = null_signal
};

static struct null_store lanes[QUEUES];

static void lane_device(uint16_t queue)
{
	struct null_store *s = &lanes[queue];
	struct vblk_event kick = { .kind = VBLK_EV_KICK };
	bool more;

	kick.u.kick.queue = queue;
	(void)vblk_lane_event(&s->lane, &kick);
	do {
		more = vblk_lane_drain(&s->lane);
		for (int i = 0; i < s->n; i++)
			(void)vblk_lane_event(&s->lane, &s->e[i]);
		more = more || s->n > 0;
		s->n = 0;
	} while (more);
}

/* No checks, no slots; where the queue stands is handed over from the core. */
static struct vblk_queue_pos floor_at[QUEUES];
static volatile uint64_t sink;

static void *host(vblk_gpa gpa)
{
	return (uint8_t *)memory + (gpa - GPA);
}

static void floor_device(uint16_t queue)
{
	struct memory *m = sides[queue].m;
	struct vblk_queue_pos *at = &floor_at[queue];
	uint16_t idx = vblk_le16_get(vblk_load16(&m->avail[AVAIL_IDX]));
	uint64_t sum = 0;

	vblk_rmb();
	while (at->avail != idx) {
		uint16_t head = vblk_le16_get(vblk_load16(
			&m->avail[AVAIL_RING + at->avail++ % QUEUE_SIZE]));
		struct vblk_desc *table = m->desc, d[3];
		struct vblk_le32 *e =
			(void *)&m->used[USED_RING +
					 4u * (at->used++ % QUEUE_SIZE)];
		struct vblk_header h;
		uint16_t i = head;

		vblk_snapshot(&d[0], &table[i], 16);
		if (vblk_le16_get(d[0].flags) & VBLK_DESC_INDIRECT) {
			table = host(vblk_le64_get(d[0].addr));
			vblk_snapshot(&d[0], &table[0], 16);
		}
		for (unsigned k = 1; k < 3; k++)
			vblk_snapshot(&d[k],
				      &table[vblk_le16_get(d[k - 1u].next)],
				      16);
		vblk_snapshot(&h, host(vblk_le64_get(d[0].addr)), 16);
		sum += vblk_le64_get(h.sector) + vblk_le32_get(h.type) +
		       vblk_le64_get(d[1].addr) + vblk_le32_get(d[1].len);
		vblk_store8(host(vblk_le64_get(d[2].addr)), VBLK_S_OK);
		vblk_store32(&e[0], vblk_le32_make(head));
		vblk_store32(&e[1], vblk_le32_make(DATA + 1u));
	}
	vblk_wmb();
	vblk_store16(&m->used[USED_IDX], vblk_le16_make(at->used));
	vblk_store16(&m->used[AVAIL_EVENT], vblk_le16_make(at->avail));
	vblk_mb();
	sink = sum + vblk_le16_get(vblk_load16(&m->avail[USED_EVENT]));
}

static void device(enum device which, uint16_t queue)
{
	switch (which) {
	case CORE: core_device(queue); return;
	case LANE: lane_device(queue); return;
	case FLOOR: floor_device(queue); return;
	}
}

/* --- one variant, once ---------------------------------------------------- */

static struct vblk_queue_addr addr_of(unsigned q)
{
	struct memory *m = sides[q].m;
	struct vblk_queue_addr a = { .desc = gpa_of(m->desc),
				     .driver = gpa_of(m->avail),
				     .device = gpa_of(m->used),
				     .size = QUEUE_SIZE };

	return a;
}

/* The ring passes from the core to the floor's device, or back. */
static void hand_over(bool to_floor)
{
	for (uint16_t q = 0; q < QUEUES; q++) {
		struct vblk_queue_addr a = addr_of(q);
		int r = to_floor ? vblk_queue_stop(dev, q, &floor_at[q])
				 : vblk_queue_start(dev, q, &a, &floor_at[q],
						    NULL);

		if (r != VBLK_OK)
			die(vblk_strerror(r));
	}
}

static double measure(const struct variant *v)
{
	static double batch[REQUESTS];
	unsigned each = v->depth * v->queues, batches = REQUESTS / each;

	sides = v->packed ? packed_sides : split_sides;
	dev = v->packed ? packed_dev : split_dev;
	for (unsigned q = 0; q < v->queues && v->packed; q++)
		describe_packed(&sides[q], v->type, v->indirect);
	for (unsigned q = 0; q < v->queues && !v->packed; q++)
		describe(&sides[q], v->type, v->indirect);
	if (v->device == FLOOR)
		hand_over(true);
	for (unsigned b = 0; b < batches; b++) {
		uint64_t t;

		for (unsigned q = 0; q < v->queues; q++)
			fill(&sides[q], v->depth);
		vblk_mb();      /* its stores are not for us to wait for */
		t = ticks();
		for (uint16_t q = 0; q < v->queues; q++)
			device(v->device, q);
		batch[b] = (double)(ticks() - t) - tick_cost;
		for (unsigned q = 0; q < v->queues; q++)
			empty(&sides[q], v->depth);
	}
	if (v->device == FLOOR)
		hand_over(false);
	sides = split_sides;
	dev = split_dev;
	return undisturbed(batch, batches) / each;
}

static double copy_4k(void)
{
	static double batch[REQUESTS / 32u];

	for (unsigned b = 0; b < REQUESTS / 32u; b++) {
		uint64_t t = ticks();

		for (unsigned i = 0; i < 32; i++) {
			unsigned k = (32u * b + i) % DEPTH;

			memcpy(memory[0].data[k], memory[1].data[k], DATA);
			__asm__ volatile("" : : "r"(memory) : "memory");
		}
		batch[b] = (double)(ticks() - t) - tick_cost;
	}
	return undisturbed(batch, REQUESTS / 32u) / 32.0;
}

/* --- threads: guest and device of a queue on each, everything timed ------- */

static pthread_barrier_t line_up;

static void *both_sides(void *arg)
{
	struct side *s = arg;

	describe(s, VBLK_T_IN, false);
	pthread_barrier_wait(&line_up);
	for (unsigned b = 0; b < 4u * REQUESTS / 32u; b++) {
		fill(s, 32);
		core_device(s->queue);
		empty(s, 32);
	}
	pthread_barrier_wait(&line_up);
	return NULL;
}

/* Million requests a second, of all threads. */
static double throughput(unsigned threads)
{
	pthread_t t[QUEUES];
	double began;

	pthread_barrier_init(&line_up, NULL, threads + 1u);
	for (unsigned i = 0; i < threads; i++)
		if (pthread_create(&t[i], NULL, both_sides, &sides[i]))
			die("no thread");
	pthread_barrier_wait(&line_up);
	began = seconds();
	pthread_barrier_wait(&line_up);
	began = seconds() - began;
	for (unsigned i = 0; i < threads; i++)
		pthread_join(t[i], NULL);
	pthread_barrier_destroy(&line_up);
	return 4.0 * REQUESTS * threads / began / 1e6;
}

/* --- notifications: a guest keeps 32 in flight, asleep until interrupted -- */

struct traffic { double kicks, irqs; };

static bool wants_kick(const struct side *s, uint16_t added)
{
	uint16_t event;

	vblk_mb();
	event = vblk_le16_get(vblk_load16(&s->m->used[AVAIL_EVENT]));
	return (uint16_t)(s->next_avail - event - 1u) < added;
}

/* Takes what came back; if `again`, sends it again and kicks if need be. */
static unsigned turn_round(struct side *s, bool again, struct traffic *t)
{
	uint16_t now = vblk_le16_get(vblk_load16(&s->m->used[USED_IDX]));
	unsigned n = (uint16_t)(now - s->last_used);

	for (; s->last_used != now; s->last_used++) {
		const struct vblk_le32 *e =
			(const void *)&s->m
				->used[USED_RING +
				       4u * (s->last_used % QUEUE_SIZE)];
		unsigned i = vblk_le32_get(e[0]) / 3u;

		if (i >= DEPTH || s->m->page[i].status != VBLK_S_OK)
			die("a request failed");
		if (again)
			offer(s, i);
	}
	vblk_store16(&s->m->avail[USED_EVENT], vblk_le16_make(now));
	show(s);
	if (again && wants_kick(s, (uint16_t)n))
		t->kicks++;
	return n;
}

/* The oldest `most` of r go back, the rest moves up. Returns how many stay. */
static unsigned complete_some(struct vblk_req *r, unsigned have, unsigned most)
{
	unsigned n = most < have ? most : have;

	for (unsigned i = 0; i < n; i++)
		(void)vblk_complete(dev, 0, r[i].tag, VBLK_S_OK, DATA);
	memmove(r, r + n, (have - n) * sizeof(*r));
	return have - n;
}

/*
 * The store finishes up to `together` requests, oldest first, then the core
 * publishes. It polls each time: whether it was kicked is only counted.
 */
static struct traffic notifications(unsigned together)
{
	struct side *s = &sides[0];
	struct traffic t = { 0, 0 };
	struct vblk_req r[32];
	unsigned done = 0, have = 0, flying = 32;

	describe(s, VBLK_T_IN, false);
	fill(s, flying);
	while (flying > 0) {
		int n = vblk_poll(dev, 0, r + have, 32u - have);
		bool again = done < REQUESTS;

		if (n < 0)
			die(vblk_strerror(n));
		(void)vblk_poll_idle(dev, 0);
		have = complete_some(r, have + (unsigned)n, together);
		if (!vblk_irq(dev, 0))
			continue;
		t.irqs++;
		n = (int)turn_round(s, again, &t);
		done += (unsigned)n;
		if (!again)
			flying -= (unsigned)n;
	}
	t.kicks /= done;
	t.irqs /= done;
	return t;
}

/* --- all of it ------------------------------------------------------------ */

#define ROW(what, type, indirect, depth, queues) \
	{ what, CORE, type, indirect, depth, queues, { 0 }, false }, \
	{ what, FLOOR, type, indirect, depth, queues, { 0 }, false }
#define PACKED(what, type, indirect, depth) \
	{ what ", packed", CORE, type, indirect, depth, 1, { 0 }, true }

static struct variant variants[] = {
	ROW("read   direct", VBLK_T_IN, false, 1, 1),
	ROW("read   direct", VBLK_T_IN, false, 32, 1),
	ROW("read   direct", VBLK_T_IN, false, 128, 1),
	ROW("read   indirect", VBLK_T_IN, true, 1, 1),
	ROW("read   indirect", VBLK_T_IN, true, 32, 1),
	ROW("read   indirect", VBLK_T_IN, true, 128, 1),
	ROW("write  direct", VBLK_T_OUT, false, 1, 1),
	ROW("write  direct", VBLK_T_OUT, false, 32, 1),
	ROW("write  direct", VBLK_T_OUT, false, 128, 1),
	ROW("write  indirect", VBLK_T_OUT, true, 1, 1),
	ROW("write  indirect", VBLK_T_OUT, true, 32, 1),
	ROW("write  indirect", VBLK_T_OUT, true, 128, 1),
	ROW("read   direct", VBLK_T_IN, false, 32, 2),
	{ "read   direct, lane", LANE, VBLK_T_IN, false, 32, 1, { 0 }, false },
	{ "write  direct, lane", LANE, VBLK_T_OUT, false, 32, 1, { 0 }, false },
	PACKED("read   direct", VBLK_T_IN, false, 1),
	PACKED("read   direct", VBLK_T_IN, false, 32),
	PACKED("read   direct", VBLK_T_IN, false, 128),
	PACKED("read   indirect", VBLK_T_IN, true, 1),
	PACKED("read   indirect", VBLK_T_IN, true, 32),
	PACKED("read   indirect", VBLK_T_IN, true, 128),
	PACKED("write  direct", VBLK_T_OUT, false, 32),
	PACKED("write  indirect", VBLK_T_OUT, true, 32),
};

#define VARIANTS (sizeof(variants) / sizeof(*variants))

static double copies[REPEATS], thread_rate[QUEUES][REPEATS];

/* One of two devices, on one half of the memory. */
static struct vblk *make_device(bool packed)
{
	struct vblk_config cfg = { .capacity = 1u << 20,
				   .features = VBLK_F_FLUSH | VBLK_F_MQ |
					       VBLK_F_INDIRECT_DESC |
					       VBLK_F_EVENT_IDX,
				   .num_queues = QUEUES,
				   .queue_size = QUEUE_SIZE,
				   .slots = DEPTH,
				   .segs = 8 };
	struct vblk_region all = { .gpa = GPA,
				   .len = 2u * QUEUES * sizeof(*memory),
				   .host = memory,
				   .perm = VBLK_RW };
	void *storage;

	cfg.features |= packed ? VBLK_F_RING_PACKED : 0u;
	storage = aligned_alloc(64, (vblk_sizeof(&cfg) + 63u) & ~63u);
	if (!storage)
		die("no memory");
	if (vblk_init(&dev, storage, vblk_sizeof(&cfg), &cfg) != VBLK_OK ||
	    vblk_mem_add(dev, &all) != VBLK_OK ||
	    vblk_accept(dev, vblk_features(dev)) != VBLK_OK)
		die("the device was refused");
	sides = packed ? packed_sides : split_sides;
	for (uint16_t q = 0; q < QUEUES; q++) {
		struct vblk_queue_addr a;

		sides[q].m = &memory[q + (packed ? QUEUES : 0u)];
		sides[q].queue = q;
		sides[q].packed = packed;
		a = addr_of(q);
		if (vblk_queue_start(dev, q, &a, NULL, NULL) != VBLK_OK)
			die("a queue was refused");
		if (!packed &&
		    vblk_lane_init(&lanes[q].lane, dev, NULL, UINT64_C(1) << q,
				   &null_hal, &lanes[q]) != VBLK_OK)
			die("the lane was refused");
	}
	return dev;
}

static void make_devices(void)
{
	size_t bytes = 2u * QUEUES * sizeof(*memory);

	memory = aligned_alloc(4096, (bytes + 4095u) & ~(size_t)4095u);
	if (!memory)
		die("no memory");
	memset(memory, 0, bytes);
	packed_dev = make_device(true);
	split_dev = make_device(false);
}

static void machine(const char *command)
{
	char line[256], model[256] = "unknown";
	FILE *f = fopen("/proc/cpuinfo", "r");
	double load = 0;

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, "model name", 10) == 0 && strchr(line, ':')) {
			snprintf(model, sizeof(model), "%s",
				 strchr(line, ':') + 2);
			model[strcspn(model, "\n")] = 0;
			break;
		}
	if (f)
		fclose(f);
	if (getloadavg(&load, 1) != 1)
		load = 0;
	printf("command   %s\nCPU       %s, %ld online, load average %.1f\n"
	       "compiler  %s\n",
	       command, model, sysconf(_SC_NPROCESSORS_ONLN), load,
	       __VERSION__);
	printf("method    %u repeats in turn of %u requests, timed by batches; "
	       "the slowest tenth\n          left out, timer of %.0f ns "
	       "subtracted\n",
	       REPEATS, REQUESTS, tick_cost * ns_per_tick);
	printf("          median (quartiles), ns per request of 4 KiB\n\n");
}

static double median(double *ns, double *low, double *high)
{
	qsort(ns, REPEATS, sizeof(*ns), by_value);
	*low = ns[REPEATS / 4u];
	*high = ns[REPEATS - 1u - REPEATS / 4u];
	return ns[REPEATS / 2u];
}

static double cell(double *ns)
{
	double low, high, mid = median(ns, &low, &high);

	printf("%9.1f (%5.1f-%5.1f)", mid, low, high);
	return mid;
}

/* The split ring's figure, in the same place of the table. */
static double of_split(const struct variant *v)
{
	for (unsigned i = 0; i < VARIANTS; i++) {
		struct variant *w = &variants[i];
		double low, high;

		if (!w->packed && w->device == CORE && w->type == v->type &&
		    w->indirect == v->indirect && w->depth == v->depth &&
		    w->queues == v->queues)
			return median(w->ns, &low, &high);
	}
	return 0;
}

static void table(void)
{
	printf("%-24s%6s%7s%23s%23s%8s\n", "", "depth", "queues", "core",
	       "floor", "ratio");
	for (unsigned i = 0; i < VARIANTS; i++) {
		struct variant *v = &variants[i];
		double core, low;

		printf("%-24s%6u%7u", v->name, v->depth, v->queues);
		core = cell(v->ns);
		if (v->packed) {
			printf("%23s%8.2f",
			       "of the split ring's:", core / of_split(v));
		} else if (v->device == CORE) {
			low = cell(variants[++i].ns);
			printf("%8.1f", core / low);
		}
		putchar('\n');
	}
	printf("%-37s", "memcpy");
	(void)cell(copies);
	putchar('\n');
}

static void rates(unsigned threads)
{
	double low, high;

	printf("\nguest and device of a queue on one thread, depth 32, million "
	       "requests a second:\n");
	for (unsigned i = 0; i < threads; i++) {
		double mid = median(thread_rate[i], &low, &high);

		printf("  %u thread%s%9.1f (%5.1f-%5.1f)\n", i + 1u,
		       i ? "s" : " ", mid, low, high);
	}
}

static void traffic(void)
{
	static const unsigned together[] = { 32, 8, 1 };

	printf("\nEVENT_IDX, 32 in flight, each repeated when an interrupt "
	       "brings it back; per request:\n");
	for (unsigned i = 0; i < 3; i++) {
		struct traffic t = notifications(together[i]);

		printf("  store finishes %2u at a time: %.3f kicks + %.3f "
		       "interrupts = %.3f\n",
		       together[i], t.kicks, t.irqs, t.kicks + t.irqs);
	}
}

int main(int argc, char **argv)
{
	unsigned threads = sysconf(_SC_NPROCESSORS_ONLN) >= 2 ? QUEUES : 1;

	calibrate();
	machine(argc > 0 ? argv[0] : "bench");
	make_devices();
	for (unsigned i = 0; i < VARIANTS; i++)
		(void)measure(&variants[i]);    /* warm */
	for (unsigned r = 0; r < REPEATS; r++) {
		for (unsigned i = 0; i < VARIANTS; i++)
			variants[i].ns[r] = measure(&variants[i]);
		copies[r] = copy_4k();
		for (unsigned i = 0; i < threads; i++)
			thread_rate[i][r] = throughput(i + 1u);
	}
	table();
	rates(threads);
	traffic();
	return 0;
}

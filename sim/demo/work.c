/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A pass is a window of slots in disk order: head is the next to send, tail the
 * next whose data is taken. Requests finish in any order; a slot is used again
 * when all before it were taken. Requests are sent in bunches of half the
 * depth, as a block layer's plugging does, so that one kick serves many; the
 * bunches go to the queues in turn.
 */
#include "work.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BUNCH   (WORK_DEPTH / 2u)
#define WAIT_NS UINT64_C(50000000)      /* then look at the stop flag again */

int work_open(struct work *w, struct driver *d, struct report *r)
{
	memset(w, 0, sizeof(*w));
	w->driver = d;
	w->report = r;
	w->seed = 0x9e3779b97f4a7c15u;
	w->lone.page = driver_alloc(d, 4096, 4096);
	for (unsigned i = 0; i < WORK_SLOTS; i++) {
		w->slot[i].req.page = driver_alloc(d, 4096, 4096);
		w->slot[i].area = driver_alloc(d, WORK_BYTES, 4096);
		if (w->slot[i].req.page == 0 || w->slot[i].area == 0)
			return -1;
	}
	return w->lone.page == 0 ? -1 : 0;
}

uint32_t work_pick(struct work *w, uint32_t below)
{
	w->seed ^= w->seed << 13;
	w->seed ^= w->seed >> 7;
	w->seed ^= w->seed << 17;
	return (uint32_t)((w->seed >> 32) % below);
}

static const char *name_of(uint32_t type)
{
	switch (type) {
	case VBLK_T_IN: return "read";
	case VBLK_T_OUT: return "write";
	case VBLK_T_FLUSH: return "flush";
	case VBLK_T_DISCARD: return "discard";
	case VBLK_T_WRITE_ZEROES: return "write zeroes";
	default: return "GET_ID";
	}
}

/* What the device said of a request that came back. */
static bool good(struct work *w, const struct driver_req *r)
{
	if (r->status == VBLK_S_OK)
		return true;
	snprintf(w->why, sizeof(w->why),
		 "%s at sector %" PRIu64 ": the device answered %s",
		 name_of(r->type), r->sector,
		 r->status == VBLK_S_IOERR    ? "IOERR"
		 : r->status == VBLK_S_UNSUPP ? "UNSUPP"
					      : "nonsense");
	return false;
}

/* --- one request ---------------------------------------------------------- */

/* Mixed, and the small ones add up to 4 KiB again, as direct I/O likes it. */
static uint32_t next_size(struct work *w, uint64_t left)
{
	static const uint32_t sizes[] = {
		8, 1024, 256, 1, 7, 512, 64, 1024, 32, 3, 13, 1024, 128, 1024
	};
	uint32_t n = sizes[w->sizes++ % (sizeof(sizes) / sizeof(*sizes))];

	return n < left ? n : (uint32_t)left;
}

/*
 * Cuts the request into segments. They stand in memory from the top down, so
 * that no two are neighbours in the order of the data.
 */
static void cut(struct work *w, struct work_slot *s)
{
	struct driver_req *r = &s->req;
	uint32_t most = w->driver->seg_max, unit, units;
	vblk_gpa at = s->area + WORK_BYTES;

	if (most > DRIVER_SEGS)
		most = DRIVER_SEGS;
	r->segs = 1u + work_pick(w, most);
	if (r->segs > s->sectors)
		r->segs = s->sectors;
	unit = s->sectors % 8u == 0 && s->sectors / 8u >= r->segs ? 8 : 1;
	units = s->sectors / unit;
	for (unsigned i = 0; i < r->segs; i++) {
		uint32_t n = units / r->segs + (i < units % r->segs);

		r->seg[i].len = n * unit * VBLK_SECTOR_SIZE;
		at -= r->seg[i].len;
		r->seg[i].gpa = at;
	}
}

static bool each(struct work *w, const struct work_slot *s, work_bytes fn,
		 void *ctx)
{
	uint64_t sector = s->req.sector;

	for (unsigned i = 0; i < s->req.segs; i++) {
		const struct driver_seg *g = &s->req.seg[i];

		if (!fn(w, ctx, sector, hv_memory(w->driver->hv, g->gpa),
			g->len))
			return false;
		sector += g->len / VBLK_SECTOR_SIZE;
	}
	return true;
}

/* --- a pass --------------------------------------------------------------- */

struct pass {
	const char *what;
	uint32_t type;
	uint64_t first, next, end;      /* sectors; next is to be sent */
	uint64_t taken;                 /* sectors */
	uint64_t head, tail;            /* slots, free-running */
	unsigned in_flight;
	unsigned queue;                 /* of the next bunch */
	work_bytes fn;
	void *ctx;
	enum work_result result;
};

static bool stopped(const struct work *w)
{
	return w->stop && *w->stop;
}

static void fill(struct work *w, struct pass *p)
{
	uint64_t room = WORK_SLOTS - (p->head - p->tail);

	if (room > WORK_DEPTH - p->in_flight)
		room = WORK_DEPTH - p->in_flight;
	if (room < BUNCH || p->result != WORK_OK)
		return;
	for (; room > 0 && p->next < p->end; room--) {
		struct work_slot *s = &w->slot[p->head % WORK_SLOTS];

		s->req.type = p->type;
		s->req.sector = p->next;
		s->sectors = next_size(w, p->end - p->next);
		cut(w, s);
		if (p->type == VBLK_T_OUT && !each(w, s, p->fn, p->ctx)) {
			p->result = WORK_FAILED;
			break;
		}
		if (!driver_send(w->driver, p->queue, &s->req))
			break;
		p->next += s->sectors;
		p->head++;
		p->in_flight++;
	}
	driver_kick(w->driver, p->queue);
	p->queue = (p->queue + 1u) % w->driver->queues;
}

/* The oldest request, if it has come back. */
static void take(struct work *w, struct pass *p)
{
	struct work_slot *s = &w->slot[p->tail % WORK_SLOTS];
	struct report *r = w->report;

	if (p->tail == p->head || !s->req.done)
		return;
	p->tail++;
	report_request(p->type == VBLK_T_IN ? &r->reads : &r->writes,
		       (uint64_t)s->sectors * VBLK_SECTOR_SIZE,
		       s->req.came_ns - s->req.sent_ns);
	if (p->result != WORK_OK)
		return;
	if (!good(w, &s->req) ||
	    (p->type == VBLK_T_IN && !each(w, s, p->fn, p->ctx)))
		p->result = WORK_FAILED;
	p->taken += s->sectors;
	report_progress(r, p->what, p->taken * VBLK_SECTOR_SIZE,
			(p->end - p->first) * VBLK_SECTOR_SIZE);
}

/* Some turns of the machine. False: the device broke its word. */
static bool turn(struct work *w, unsigned *in_flight, bool wait)
{
	hv_turn(w->driver->hv, wait ? WAIT_NS : 0);
	*in_flight -= driver_interrupt(w->driver);
	if (!w->driver->broken)
		return true;
	snprintf(w->why, sizeof(w->why), "the device broke its word: %s",
		 w->driver->broken);
	return false;
}

enum work_result work_pass(struct work *w, const char *what, uint32_t type,
			   uint64_t sector, uint64_t sectors, work_bytes fn,
			   void *ctx)
{
	struct pass p = { .what = what,
			  .type = type,
			  .first = sector,
			  .next = sector,
			  .end = sector + sectors,
			  .fn = fn,
			  .ctx = ctx };
	struct report_class *c = type == VBLK_T_IN ? &w->report->reads
						   : &w->report->writes;
	uint64_t began = driver_now();

	report_begin(w->report);
	while (p.tail != p.head || (p.next < p.end && p.result == WORK_OK)) {
		const struct driver_req *oldest =
			&w->slot[p.tail % WORK_SLOTS].req;

		if (stopped(w) && p.result == WORK_OK)
			p.result = WORK_STOPPED;
		fill(w, &p);
		if (!turn(w, &p.in_flight, p.tail != p.head && !oldest->done)) {
			p.result = WORK_FAILED;
			break;
		}
		take(w, &p);
	}
	report_end(w->report);
	c->busy_ns += driver_now() - began;
	return p.result;
}

/* --- single requests ------------------------------------------------------ */

static enum work_result lone(struct work *w)
{
	unsigned in_flight = 1;

	/* nothing is in flight: there are descriptors */
	(void)driver_send(w->driver, 0, &w->lone);
	driver_kick(w->driver, 0);
	while (in_flight > 0)
		if (!turn(w, &in_flight, true))
			return WORK_FAILED;
	w->report->others++;
	return good(w, &w->lone) ? WORK_OK : WORK_FAILED;
}

enum work_result work_flush(struct work *w)
{
	w->lone.type = VBLK_T_FLUSH;
	w->lone.sector = 0;
	w->lone.segs = 0;
	return lone(w);
}

static void spare(struct work *w, uint32_t len)
{
	w->lone.segs = 1;
	w->lone.seg[0].gpa = w->lone.page + DRIVER_SPARE;
	w->lone.seg[0].len = len;
}

enum work_result work_extent(struct work *w, uint32_t type, uint64_t sector,
			     uint32_t sectors, uint32_t flags)
{
	struct vblk_extent *e = hv_memory(w->driver->hv,
					  w->lone.page + DRIVER_SPARE);

	e->sector = vblk_le64_make(sector);
	e->num_sectors = vblk_le32_make(sectors);
	e->flags = vblk_le32_make(flags);
	w->lone.type = type;
	w->lone.sector = 0;
	spare(w, sizeof(*e));
	return lone(w);
}

enum work_result work_id(struct work *w, char id[VBLK_ID_BYTES + 1u])
{
	w->lone.type = VBLK_T_GET_ID;
	w->lone.sector = 0;
	spare(w, VBLK_ID_BYTES);
	if (lone(w) != WORK_OK)
		return WORK_FAILED;
	memcpy(id, hv_memory(w->driver->hv, w->lone.page + DRIVER_SPARE),
	       VBLK_ID_BYTES);
	id[VBLK_ID_BYTES] = 0;
	return WORK_OK;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What both kinds of ring have in common: ids, completions, waiting.
 */
#include <string.h>

#include "lib.h"
#include "lib_internal.h"
#include "ring.h"

void ring_clear(struct ring *r)
{
	if (r->s->over)
		return;
	memset(r->desc.host, 0, r->desc.bytes);
	memset(r->driver.host, 0, r->driver.bytes);
	memset(r->device.host, 0, r->device.bytes);
	/* a driver clears flags and idx only: elements are the device's */
	if (!r->packed)
		memset(r->device.host + 4, LIB_POISON, 8u * r->size);
	r->next = r->shown = r->seen = r->skip = 0;
	r->wrap = r->seen_wrap = true;
	r->any_pending = false;
	r->free_hint = r->in_flight = r->fifo_first = 0;
	r->free = r->size;
	r->completed = 0;
	memset(r->busy, 0, sizeof(r->busy));
	memset(r->done, 0, sizeof(r->done));
	memset(r->taken, 0, sizeof(r->taken));
	fence();
}

uint16_t ring_add(struct ring *r, const struct piece *p, uint32_t n)
{
	struct suite *s = r->s;
	uint16_t id;

	if (s->over)
		return 0;
	if (n == 0 || n > r->free) {
		skip(s, "a ring of %u has no room for %u descriptors", r->size,
		     n);
		return 0;
	}
	id = r->packed ? packed_add(r, p, n) : split_add(r, p, n);
	r->room[id] = 0;
	for (uint32_t i = 0; i < n; i++)
		if ((p[i].flags & DESC_WRITE) && !(p[i].flags & DESC_INDIRECT))
			r->room[id] += p[i].len;
	r->busy[id] = true;
	r->done[id] = false;
	r->status[id] = NULL;
	r->count[id] = (uint16_t)n;
	r->fifo[(uint16_t)(r->fifo_first + r->in_flight) % LIB_RING_MAX] = id;
	r->free = (uint16_t)(r->free - n);
	r->in_flight++;
	r->last_id = id;
	return id;
}

struct part make_table(struct ring *r, const struct piece *p, uint32_t n)
{
	struct part t = take_zero(r->s, 16u * n, 16);

	for (uint32_t i = 0; i < n && !r->s->over; i++) {
		uint8_t *d = t.host + 16u * i;
		uint32_t flags = p[i].flags & 0xffffu;

		put64(d, p[i].addr);
		put32(d + 8, p[i].len);
		if (r->packed) {
			put16(d + 14, flags);
			continue;
		}
		if (!(p[i].flags & LIB_DESC) && i + 1u < n)
			flags |= DESC_NEXT;
		put16(d + 12, flags);
		put16(d + 14, i + 1u < n ? i + 1u : 0u);
	}
	return t;
}

uint16_t ring_add_table(struct ring *r, const struct piece *p, uint32_t n)
{
	struct part t = make_table(r, p, n);
	struct piece one = { t.addr, t.bytes, DESC_INDIRECT };
	uint16_t id = ring_add(r, &one, 1);

	for (uint32_t i = 0; i < n; i++)
		if (p[i].flags & DESC_WRITE)
			r->room[id] += p[i].len;
	return id;
}

void ring_show(struct ring *r)
{
	if (r->s->over)
		return;
	fence();
	if (r->packed)
		packed_show(r);
	else
		put16(r->driver.host + 2, r->next);
	fence();
}

void ring_notify(struct ring *r)
{
	struct suite *s = r->s;
	uint32_t data;

	if (s->over)
		return;
	note(s, "notify queue %u", r->queue);
	if (!r->data) {
		(void)lib_ok(s, s->d->ops->notify(s->d, r->queue), "notifying");
		return;
	}
	/* 2.9: where the next descriptor will be, and its wrap counter */
	data = r->queue | (uint32_t)r->next << 16;
	if (r->packed)
		data |= r->wrap ? UINT32_C(1) << 31 : 0u;
	(void)lib_ok(s, s->d->ops->notify_data(s->d, r->queue, data),
		     "notifying with data");
}

void ring_go(struct ring *r)
{
	ring_show(r);
	ring_notify(r);
}

bool ring_wants(struct ring *r)
{
	bool wants = false;

	if (!r->s->over)
		wants = r->packed ? packed_wants(r) : split_wants(r);
	r->shown = r->next;
	return wants;
}

/* --- completions ---------------------------------------------------------- */

static void finish(struct ring *r, uint16_t id, uint32_t len)
{
	expect(r->s, !r->status[id] || *r->status[id] != LIB_POISON,
	       "queue %u: id %u was used, but its status byte was not written",
	       r->queue, id);
	r->busy[id] = false;
	r->done[id] = true;
	r->len[id] = len;
	r->completed++;
	r->in_flight--;
	r->free = (uint16_t)(r->free + r->count[id]);
	if (r->fifo[r->fifo_first % LIB_RING_MAX] == id)
		r->fifo_first++;
	else    /* out of order: close the gap */
		for (uint16_t i = 0, found = 0; i <= r->in_flight; i++) {
			uint16_t at = (uint16_t)(r->fifo_first + i);

			found |= r->fifo[at % LIB_RING_MAX] == id;
			if (found)
				r->fifo[at % LIB_RING_MAX] =
					r->fifo[(at + 1u) % LIB_RING_MAX];
		}
	if (!r->packed)
		split_free(r, id);
}

bool ring_used(struct ring *r)
{
	if (r->s->over)
		return true;    /* nobody waits any more */
	return r->packed ? packed_used(r) : split_used(r);
}

/* With IN_ORDER the device may name only the last of a batch, 2.7.14. */
static void take_in(struct ring *r, uint16_t id, uint32_t len)
{
	uint16_t front = r->fifo[r->fifo_first % LIB_RING_MAX];
	uint32_t bound = r->in_flight;

	while (r->in_order && front != id && bound-- > 1) {
		packed_or_split_step(r, front);
		finish(r, front, 0);
		front = r->fifo[r->fifo_first % LIB_RING_MAX];
	}
	packed_or_split_step(r, id);
	finish(r, id, len);
}

void ring_reap(struct ring *r)
{
	struct suite *s = r->s;

	for (uint32_t i = 0; i < 2u * r->size && !s->over && ring_used(r);
	     i++) {
		uint32_t id, len;

		fence();
		if (r->packed)
			packed_read(r, &id, &len);
		else
			split_read(r, &id, &len);
		if (id >= r->size || !r->busy[id]) {
			fail(s, "queue %u: used id %u, which is not in flight",
			     r->queue, id);
			return;
		}
		expect(s, len <= r->room[id],
		       "queue %u: id %u was used with length %u; it has only "
		       "%u bytes that the device may write",
		       r->queue, id, len, r->room[id]);
		take_in(r, (uint16_t)id, len);
	}
}

bool ring_done(struct ring *r, uint16_t id)
{
	ring_reap(r);
	return !r->s->over && r->done[id];
}

struct want_id {
	struct ring *r;
	uint16_t id;
};

static bool id_done(void *arg)
{
	struct want_id *w = arg;

	return ring_done(w->r, w->id) || w->r->s->over;
}

bool ring_comes(struct ring *r, uint16_t id)
{
	struct want_id w = { r, id };

	return await(r->s, id_done, &w) && !r->s->over;
}

void ring_await(struct ring *r, uint16_t id, const char *what)
{
	if (!ring_comes(r, id))
		fail(r->s, "%s: waited %u ms for queue %u to use id %u", what,
		     r->s->d->wait_ms, r->queue, id);
}

static bool all_done(void *arg)
{
	struct ring *r = arg;

	ring_reap(r);
	return r->in_flight == 0 || r->s->over;
}

void ring_await_all(struct ring *r, const char *what)
{
	if (!await(r->s, all_done, r))
		fail(r->s,
		     "%s: waited %u ms for queue %u; %u chains are still in "
		     "flight",
		     what, r->s->d->wait_ms, r->queue, r->in_flight);
}

uint16_t raw_chain(struct ring *r, const struct piece *p, uint32_t n)
{
	struct piece q[64];

	for (uint32_t i = 0; i < n && i < 64; i++) {
		q[i] = p[i];
		q[i].flags |= LIB_DESC;
	}
	return ring_add(r, q, n < 64 ? n : 64);
}

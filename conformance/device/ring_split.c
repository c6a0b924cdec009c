/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The driver's side of a split virtqueue, 2.7. Descriptors are taken in the
 * order of the table, which is also what IN_ORDER asks for (2.7.14).
 */
#include "lib.h"
#include "lib_internal.h"
#include "ring.h"

#define DESC(r, i)  ((r)->desc.host + 16u * (i))
#define AVAIL(r, i) ((r)->driver.host + 4u + 2u * (i))
#define USED(r, i)  ((r)->device.host + 4u + 8u * (i))

void raw_desc(struct ring *r, uint32_t i, uint64_t addr, uint32_t len,
	      uint32_t flags, uint32_t next)
{
	uint8_t *d;

	if (r->s->over)
		return;
	note(r->s, "desc[%u] = %llx + %x, flags %x, next %u", i, addr + 0ull,
	     len, flags, next);
	d = DESC(r, i % r->size);
	put64(d, addr);
	put32(d + 8, len);
	put16(d + 12, flags);
	put16(d + 14, next);
}

void raw_avail(struct ring *r, uint32_t head)
{
	if (r->s->over)
		return;
	note(r->s, "avail[%u] = %u", r->next % r->size, head);
	put16(AVAIL(r, r->next % r->size), head);
	r->next++;
}

void raw_avail_idx(struct ring *r, uint32_t idx)
{
	if (r->s->over)
		return;
	note(r->s, "avail idx = %u", idx);
	fence();
	put16(r->driver.host + 2, idx);
	fence();
}

uint16_t raw_used_idx(struct ring *r)
{
	return r->s->over ? 0 : get16(r->device.host + 2);
}

uint16_t raw_used_flags(struct ring *r)
{
	return r->s->over ? 0 : get16(r->device.host);
}

uint16_t raw_avail_event(struct ring *r)
{
	return r->s->over ? 0 : get16(r->device.host + 4 + 8u * r->size);
}

static uint16_t free_desc(struct ring *r)
{
	uint16_t i = r->free_hint;

	while (r->taken[i])
		i = (uint16_t)((i + 1u) % r->size);
	r->taken[i] = true;
	r->free_hint = (uint16_t)((i + 1u) % r->size);
	return i;
}

uint16_t split_add(struct ring *r, const struct piece *p, uint32_t n)
{
	uint16_t first = free_desc(r), at = first;

	for (uint32_t i = 0; i < n; i++) {
		uint16_t next = i + 1u < n ? free_desc(r) : 0;
		uint32_t flags = p[i].flags & 0xffffu;

		if (!(p[i].flags & LIB_DESC) && i + 1u < n)
			flags |= DESC_NEXT;
		raw_desc(r, at, p[i].addr, p[i].len, flags, next);
		r->link[at] = next;
		at = next;
	}
	raw_avail(r, first);
	return first;
}

void split_free(struct ring *r, uint16_t id)
{
	uint16_t at = id;

	for (uint16_t i = 0; i < r->count[id]; i++) {
		r->taken[at] = false;
		at = r->link[at];
	}
}

bool split_wants(struct ring *r)
{
	uint16_t event;

	if (!r->event_idx)
		return !(raw_used_flags(r) & USED_NO_NOTIFY);
	event = raw_avail_event(r);
	return (uint16_t)(r->next - event - 1u) <
	       (uint16_t)(r->next - r->shown);
}

bool split_used(struct ring *r)
{
	uint16_t ahead = (uint16_t)(raw_used_idx(r) - r->seen);

	/* whenever it is looked at, 2.7.10 */
	expect(r->s, raw_used_flags(r) <= (r->event_idx ? 0u : 1u),
	       "queue %u: used flags are %u%s", r->queue, raw_used_flags(r),
	       r->event_idx ? ", and EVENT_IDX was negotiated" : "");
	if (ahead > r->in_flight) {
		fail(r->s,
		     "queue %u: the used index is %u, %u ahead, with %u chains "
		     "in flight",
		     r->queue, raw_used_idx(r), ahead, r->in_flight);
		return false;
	}
	return ahead != 0;
}

void split_read(struct ring *r, uint32_t *id, uint32_t *len)
{
	const uint8_t *e = USED(r, r->seen % r->size);

	*id = get32(e);
	*len = get32(e + 4);
	note(r->s, "used[%u]: id %u, len %u", r->seen % r->size, *id, *len);
}

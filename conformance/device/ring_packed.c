/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The driver's side of a packed virtqueue, 2.8. The first descriptor of the
 * first chain that the device has not been shown keeps its old flags until
 * packed_show: until then nothing behind it is available either (2.8.6).
 */
#include "lib.h"
#include "lib_internal.h"
#include "ring.h"

#define DESC(r, i) ((r)->desc.host + 16u * (i))

static uint16_t avail_flags(const struct ring *r)
{
	return r->wrap ? PDESC_AVAIL : PDESC_USED;
}

static void advance(const struct ring *r, uint16_t *at, bool *wrap)
{
	if (++*at < r->size)
		return;
	*at = 0;
	*wrap = !*wrap;
}

void raw_packed(struct ring *r, uint64_t addr, uint32_t len, uint32_t id,
		uint32_t flags)
{
	uint8_t *d;

	if (r->s->over)
		return;
	flags = (flags & 0xffffu) | avail_flags(r);
	note(r->s, "desc[%u] = %llx + %x, id %u, flags %x", r->next,
	     addr + 0ull, len, id, flags);
	d = DESC(r, r->next);
	put64(d, addr);
	put32(d + 8, len);
	put16(d + 12, id);
	if (!r->any_pending) {
		r->any_pending = true;
		r->pending = r->next;
		r->pending_flags = (uint16_t)flags;
	} else {
		put16(d + 14, flags);
	}
	advance(r, &r->next, &r->wrap);
}

static uint16_t free_id(struct ring *r)
{
	uint16_t id = r->free_hint;

	while (r->busy[id])
		id = (uint16_t)((id + 1u) % r->size);
	r->free_hint = (uint16_t)((id + 1u) % r->size);
	return id;
}

uint16_t packed_add(struct ring *r, const struct piece *p, uint32_t n)
{
	uint16_t id = free_id(r);

	for (uint32_t i = 0; i < n; i++) {
		uint32_t flags = p[i].flags;

		if (!(flags & LIB_DESC) && i + 1u < n)
			flags |= DESC_NEXT;
		raw_packed(r, p[i].addr, p[i].len, id, flags);
	}
	return id;
}

void packed_show(struct ring *r)
{
	if (!r->any_pending)
		return;
	put16(DESC(r, r->pending) + 14, r->pending_flags);
	r->any_pending = false;
}

/* 2.8.10, 2.8.14: does the Device Area ask to be told? */
bool packed_wants(struct ring *r)
{
	uint16_t flags = get16(r->device.host + 2);
	uint16_t off_wrap = get16(r->device.host);
	uint16_t event = off_wrap & 0x7fffu;
	uint16_t added;

	if (flags != PEVENT_DESC)
		return flags != PEVENT_DISABLE;
	/* positions counted back from next, which is not shown yet */
	if (!(off_wrap & PEVENT_WRAP) != !r->wrap)
		event = (uint16_t)(event - r->size);
	added = (uint16_t)(r->next - r->shown +
			   (r->next < r->shown ? r->size : 0));
	return (uint16_t)(r->next - event - 1u) < added;
}

bool packed_used(struct ring *r)
{
	uint16_t flags = get16(DESC(r, r->seen) + 14);
	bool avail = flags & PDESC_AVAIL, used = flags & PDESC_USED;

	return r->in_flight != 0 && avail == used && used == r->seen_wrap &&
	       !(r->any_pending && r->pending == r->seen);
}

void packed_read(struct ring *r, uint32_t *id, uint32_t *len)
{
	const uint8_t *d = DESC(r, r->seen);

	*id = get16(d + 12);
	*len = get32(d + 8);
	/* 2.8.5: without WRITE the length means nothing */
	if (!(get16(d + 14) & DESC_WRITE))
		*len = 0;
	note(r->s, "used[%u]: id %u, len %u", r->seen, *id, *len);
}

void packed_step(struct ring *r, uint16_t id)
{
	for (uint16_t i = 0; i < r->count[id]; i++)
		advance(r, &r->seen, &r->seen_wrap);
}

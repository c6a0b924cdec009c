/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The driver's side of a packed virtqueue, virtio 1.4, 2.8. A chain that is
 * built waits outside of guest memory, since where in the ring it goes is known
 * when it is posted. All of what was posted becomes visible by the flags of its
 * first descriptor.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vring_internal.h"

static uint16_t load16(const uint16_t *p)
{
	return le16(__atomic_load_n(p, __ATOMIC_ACQUIRE));
}

static void store16(uint16_t *p, uint16_t v)
{
	__atomic_store_n(p, le16(v), __ATOMIC_RELEASE);
}

static void advance(const struct vring *q, struct vring_at *at, unsigned n)
{
	at->index = (uint16_t)(at->index + n);
	if (at->index >= q->size) {
		at->index = (uint16_t)(at->index - q->size);
		at->wrap = !at->wrap;
	}
}

static uint16_t word(const struct vring_at *at)
{
	return (uint16_t)(at->index | (at->wrap ? PEVENT_WRAP : 0u));
}

static uint16_t fresh(const struct vring_at *at)
{
	return at->wrap ? PDESC_AVAIL : PDESC_USED;
}

static bool used_at(const struct vring *q, const struct vring_at *at)
{
	uint16_t flags = load16(&q->ring[at->index].flags);
	bool avail = flags & PDESC_AVAIL, used = flags & PDESC_USED;

	return avail == used && used == at->wrap;
}

/* --- life ----------------------------------------------------------------- */

int packed_init(struct vring *q, const struct vring_options *o)
{
	q->ring = o->desc.host;
	q->driver_event = o->avail.host;
	q->device_event = o->used.host;
	q->put.wrap = q->get.wrap = true;
	q->shown = q->put;
	memset(o->desc.host, 0, o->size * sizeof(*q->ring));
	memset(o->avail.host, 0, sizeof(*q->driver_event));
	memset(o->used.host, 0, sizeof(*q->device_event));
	q->room = o->size;
	q->parts = calloc((size_t)o->size * VRING_PARTS, sizeof(*q->parts));
	return q->parts ? 0 : -1;
}

/* What the device gave back and we did not take yet is behind it. */
uint32_t packed_base(const struct vring *q)
{
	struct vring_at at = q->get;

	for (unsigned n = 0; n < q->in_flight && used_at(q, &at); n++) {
		uint16_t id = le16(q->ring[at.index].id);

		advance(q, &at,
			id < q->size && q->chain[id] ? q->chain[id] : 1u);
	}
	return (uint32_t)word(&at) << 16 | word(&at);
}

/* --- submitting ----------------------------------------------------------- */

static void describe(struct virtio_pdesc *d, const struct vring_buffer *b,
		     bool more)
{
	d->addr = le64(b->addr);
	d->len = le32(b->len);
	d->flags = (uint16_t)((b->device_writes ? DESC_WRITE : 0u) |
			      (more ? DESC_NEXT : 0u));
	d->id = 0;
}

/* One descriptor that names a table; flags there are only WRITE, 2.8.8. */
static void build_table(struct vring *q, uint16_t id,
			const struct vring_buffer *b, unsigned n)
{
	size_t at = (size_t)id * q->table * sizeof(struct virtio_pdesc);
	struct virtio_pdesc *t;

	t = (struct virtio_pdesc *)(void *)((uint8_t *)q->tables.host + at);
	for (unsigned i = 0; i < n; i++) {
		describe(&t[i], &b[i], false);
		t[i].flags = le16(t[i].flags);
	}
	q->parts[(size_t)id * VRING_PARTS] = (struct virtio_pdesc){
		.addr = le64(q->tables.addr + at),
		.len = le32((uint32_t)(n * sizeof(*t))),
		.flags = DESC_INDIRECT
	};
}

int packed_build(struct vring *q, const struct vring_buffer *b, unsigned n,
		 bool indirect, uint32_t cookie)
{
	uint16_t id = q->free_first;
	unsigned need;

	indirect = indirect && n <= q->table;
	need = indirect ? 1 : n;
	if (!n || need > VRING_PARTS || need > q->room || !q->free)
		return -1;
	if (indirect)
		build_table(q, id, b, n);
	for (unsigned i = 0; i < n && !indirect; i++)
		describe(&q->parts[(size_t)id * VRING_PARTS + i], &b[i],
			 i + 1 < n);
	q->free_first = q->link[id];
	q->free--;
	q->room = (uint16_t)(q->room - need);
	q->chain[id] = (uint16_t)need;
	q->cookie[id] = cookie;
	return id;
}

void packed_post(struct vring *q, uint16_t id)
{
	const struct virtio_pdesc *from = &q->parts[(size_t)id * VRING_PARTS];

	q->busy[id] = true;
	q->in_flight++;
	for (unsigned i = 0; i < q->chain[id]; i++) {
		struct virtio_pdesc *to = &q->ring[q->put.index];
		uint16_t flags = (uint16_t)(from[i].flags | fresh(&q->put));

		to->addr = from[i].addr;
		to->len = from[i].len;
		to->id = le16(id);
		if (word(&q->put) == word(&q->shown))
			q->first_flags = flags; /* publish writes them */
		else
			store16(&to->flags, flags);
		advance(q, &q->put, 1);
		q->posted++;
	}
	q->next_avail++;
}

static bool wanted(const struct vring *q, unsigned n)
{
	uint32_t v = le32(__atomic_load_n(q->device_event, __ATOMIC_ACQUIRE));
	unsigned flags = v >> 16 & 3u, event = v & (PEVENT_WRAP - 1u);
	unsigned passed;

	if (flags != PEVENT_DESC || !q->event_idx)
		return flags != PEVENT_DISABLE;
	/* descriptors from the event's to the next one to be filled */
	passed = q->put.index +
		 (q->put.wrap != !!(v & PEVENT_WRAP) ? q->size : 0u) - event;
	return passed - 1u < n;
}

bool packed_publish(struct vring *q)
{
	unsigned n = q->posted;

	if (!n)
		return false;
	store16(&q->ring[q->shown.index].flags, q->first_flags);
	q->shown = q->put;
	q->posted = 0;
	__atomic_store_n(&q->published, q->next_avail, __ATOMIC_RELAXED);
	/* The flags before the device's wish; it does the reverse. 2.8.21 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return wanted(q, n);
}

/* --- completions ---------------------------------------------------------- */

bool packed_pending(const struct vring *q)
{
	return used_at(q, &q->get);
}

static int broken(struct vring *q, const char *what, unsigned a, unsigned b)
{
	(void)snprintf(q->why, sizeof(q->why), what, a, b);
	return -1;
}

int packed_pop(struct vring *q, struct vring_used *u)
{
	const struct virtio_pdesc *d = &q->ring[q->get.index];
	uint16_t id, flags;

	if (!packed_pending(q))
		return 0;
	id = le16(d->id);
	flags = le16(d->flags);
	u->len = flags & DESC_WRITE ? le32(d->len) : 0;
	if (id >= q->size || !q->busy[id]) {
		advance(q, &q->get, 1);
		return broken(q,
			      "id %u was completed (at index %u) and is not "
			      "in flight: completed twice, or never submitted",
			      id, q->get.index);
	}
	advance(q, &q->get, q->chain[id]);
	__atomic_store_n(&q->seen, (uint16_t)(q->seen + 1u), __ATOMIC_RELAXED);
	u->head = id;
	u->cookie = q->cookie[id];
	q->busy[id] = false;
	q->in_flight--;
	if (q->keep)
		return 1;
	q->room = (uint16_t)(q->room + q->chain[id]);
	if (q->free)
		q->link[q->free_last] = id;
	else
		q->free_first = id;
	q->free_last = id;
	q->free++;
	return 1;
}

static void wish(struct vring *q, unsigned flags, uint16_t at)
{
	__atomic_store_n(q->driver_event, le32(flags << 16 | at),
			 __ATOMIC_RELEASE);
}

bool packed_arm(struct vring *q)
{
	if (q->event_idx)
		wish(q, PEVENT_DESC, word(&q->get));
	else
		wish(q, PEVENT_ENABLE, 0);
	/* Our wish before the device's flags; it does the reverse. 2.8.10 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return !packed_pending(q);
}

void packed_disarm(struct vring *q)
{
	wish(q, PEVENT_DISABLE, 0);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver's side of a split virtqueue, and what it shares with a packed one.
 */
#include "vring_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define USED_RING_AT 4u         /* bytes */
#define USED_ENTRY   8u

static uint16_t load16(const uint16_t *p)
{
	return le16(__atomic_load_n(p, __ATOMIC_ACQUIRE));
}

static void store16(uint16_t *p, uint16_t v)
{
	__atomic_store_n(p, le16(v), __ATOMIC_RELEASE);
}

/* --- life ----------------------------------------------------------------- */

static void place(struct vring *q, const struct vring_options *o)
{
	uint16_t *avail = o->avail.host, *used = o->used.host;

	q->desc = o->desc.host;
	q->avail_flags = avail;
	q->avail_idx = avail + 1;
	q->avail_ring = avail + 2;
	q->used_event = avail + 2 + o->size;
	q->used_flags = used;
	q->used_idx = used + 1;
	q->used_ring = (uint8_t *)o->used.host + USED_RING_AT;
	q->avail_event = used + 2 + 4u * o->size;
	q->part[0] = o->desc;
	q->part[1] = o->avail;
	q->part[2] = o->used;
	q->tables = o->tables;
}

static int split_init(const struct vring_options *o)
{
	memset(o->desc.host, 0, o->size * sizeof(struct virtio_desc));
	memset(o->avail.host, 0, AVAIL_BYTES(o->size));
	memset(o->used.host, 0, USED_BYTES(o->size));
	return 0;
}

int vring_init(struct vring *q, const struct vring_options *o)
{
	memset(q, 0, sizeof(*q));
	q->size = o->size;
	q->mask = (uint16_t)(o->size - 1u);
	q->event_idx = o->event_idx;
	q->table = o->table;
	q->packed = o->packed;
	q->kick = q->call = q->error = -1;
	place(q, o);
	if (q->packed ? packed_init(q, o) : split_init(o)) {
		vring_free(q);
		return -1;
	}
	q->link = calloc(o->size, sizeof(*q->link));
	q->chain = calloc(o->size, sizeof(*q->chain));
	q->busy = calloc(o->size, sizeof(*q->busy));
	q->cookie = calloc(o->size, sizeof(*q->cookie));
	q->kick = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	q->call = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	q->error = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (!q->link || !q->chain || !q->busy || !q->cookie || q->kick < 0 ||
	    q->call < 0 || q->error < 0) {
		vring_free(q);
		return -1;
	}
	for (unsigned i = 0; i < o->size; i++)
		q->link[i] = (uint16_t)(i + 1u);
	q->free = o->size;
	q->free_last = (uint16_t)(o->size - 1u);
	return 0;
}

void vring_free(struct vring *q)
{
	free(q->parts);
	free(q->link);
	free(q->chain);
	free(q->busy);
	free(q->cookie);
	if (q->kick >= 0)
		(void)close(q->kick);
	if (q->call >= 0)
		(void)close(q->call);
	if (q->error >= 0)
		(void)close(q->error);
	memset(q, 0, sizeof(*q));
	q->kick = q->call = q->error = -1;
}

/* --- submitting ----------------------------------------------------------- */

static void describe(struct virtio_desc *d, const struct vring_buffer *b,
		     bool more, uint16_t next)
{
	unsigned flags = (b->device_writes ? DESC_WRITE : 0u) |
			 (more ? DESC_NEXT : 0u);

	d->addr = le64(b->addr);
	d->len = le32(b->len);
	d->flags = le16((uint16_t)flags);
	d->next = le16(next);
}

static void build_table(struct vring *q, uint16_t head,
			const struct vring_buffer *b, unsigned n)
{
	size_t at = (size_t)head * q->table * sizeof(struct virtio_desc);
	struct virtio_desc *t;

	t = (struct virtio_desc *)(void *)((uint8_t *)q->tables.host + at);
	for (unsigned i = 0; i < n; i++)
		describe(&t[i], &b[i], i + 1 < n, (uint16_t)(i + 1u));
	q->desc[head].addr = le64(q->tables.addr + at);
	q->desc[head].len = le32((uint32_t)(n * sizeof(*t)));
	q->desc[head].flags = le16(DESC_INDIRECT);
	q->desc[head].next = 0;
}

/* Descriptors come from the front of the free list, already linked. */
static int split_build(struct vring *q, const struct vring_buffer *b,
		       unsigned n, bool indirect, uint32_t cookie)
{
	unsigned need;
	uint16_t head = q->free_first, at = head;

	indirect = indirect && n <= q->table;
	need = indirect ? 1 : n;
	if (!n || need > q->free)
		return -1;
	if (indirect)
		build_table(q, head, b, n);
	for (unsigned i = 0; i < need; i++) {
		if (!indirect)
			describe(&q->desc[at], &b[i], i + 1 < n, q->link[at]);
		at = q->link[at];
	}
	q->free_first = at;
	q->free = (uint16_t)(q->free - need);
	q->chain[head] = (uint16_t)need;
	q->cookie[head] = cookie;
	return head;
}

int vring_build(struct vring *q, const struct vring_buffer *b, unsigned n,
		bool indirect, uint32_t cookie)
{
	return q->packed ? packed_build(q, b, n, indirect, cookie)
			 : split_build(q, b, n, indirect, cookie);
}

static void make_available(struct vring *q, uint16_t head)
{
	/* Atomic: a front end may be looking, see vring_avail_entry. */
	__atomic_store_n(&q->avail_ring[q->next_avail & q->mask], le16(head),
			 __ATOMIC_RELAXED);
	q->next_avail++;
}

static void split_post(struct vring *q, uint16_t head)
{
	q->busy[head] = true;
	q->in_flight++;
	make_available(q, head);
}

void vring_post(struct vring *q, uint16_t head)
{
	if (q->packed)
		packed_post(q, head);
	else
		split_post(q, head);
}

int vring_add(struct vring *q, const struct vring_buffer *b, unsigned n,
	      bool indirect, uint32_t cookie)
{
	int head = vring_build(q, b, n, indirect, cookie);

	if (head < 0)
		return -1;
	vring_post(q, (uint16_t)head);
	return head;
}

static bool split_publish(struct vring *q)
{
	uint16_t old = q->published, new = q->next_avail;

	if (old == new)
		return false;
	store16(q->avail_idx, new);
	q->published = new;
	/* The index before the device's wish; it does the reverse. 2.7.13.4 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (q->event_idx)
		return (uint16_t)(new - load16(q->avail_event) - 1u) <
		       (uint16_t)(new - old);
	return !(load16(q->used_flags) & USED_NO_NOTIFY);
}

bool vring_publish(struct vring *q)
{
	return q->packed ? packed_publish(q) : split_publish(q);
}

bool vring_notify(const struct vring *q)
{
	uint64_t one = 1;

	/* It fails only after 2^64 that nobody has read. */
	return write(q->kick, &one, sizeof(one)) == sizeof(one);
}

void vring_flush(struct vring *q)
{
	if (vring_publish(q) && vring_notify(q))
		q->kicks++;
}

/* --- completions ---------------------------------------------------------- */

static void give_back(struct vring *q, uint16_t head)
{
	uint16_t last = head;

	for (unsigned i = 1; i < q->chain[head]; i++)
		last = q->link[last];
	if (q->free)
		q->link[q->free_last] = head;
	else
		q->free_first = head;
	q->free_last = last;
	q->free = (uint16_t)(q->free + q->chain[head]);
	q->chain[head] = 0;
}

static bool split_pending(const struct vring *q)
{
	return load16(q->used_idx) != q->seen;
}

bool vring_pending(const struct vring *q)
{
	return q->packed ? packed_pending(q) : split_pending(q);
}

static int broken(struct vring *q, const char *what, unsigned a, unsigned b)
{
	(void)snprintf(q->why, sizeof(q->why), what, a, b);
	return -1;
}

/* The entry at q->seen, to *u. */
static int take(struct vring *q, struct vring_used *u)
{
	const uint8_t *e = q->used_ring +
			   (size_t)(q->seen & q->mask) * USED_ENTRY;
	uint32_t id;

	memcpy(&id, e, sizeof(id));
	memcpy(&u->len, e + sizeof(id), sizeof(u->len));
	id = le32(id);
	u->len = le32(u->len);
	q->seen++;
	if (id >= q->size)
		return broken(q, "used id %u in a queue of %u", id, q->size);
	if (!q->busy[id])
		return broken(
			q,
			"head %u was completed (used index %u) and is not "
			"in flight: completed twice, or never submitted",
			id, (uint16_t)(q->seen - 1u));
	u->head = (uint16_t)id;
	u->cookie = q->cookie[id];
	q->busy[id] = false;
	q->in_flight--;
	return 1;
}

static int split_pop(struct vring *q, struct vring_used *u)
{
	uint16_t idx = load16(q->used_idx);
	int got;

	if (idx == q->seen)
		return 0;
	if ((uint16_t)(idx - q->seen) > (uint16_t)(q->published - q->seen)) {
		got = broken(q, "used index %u is beyond the available one, %u",
			     idx, q->published);
		q->seen = idx;
		return got;
	}
	got = take(q, u);
	if (got > 0 && !q->keep && q->chain[u->head])
		give_back(q, u->head);
	return got;
}

int vring_pop(struct vring *q, struct vring_used *u)
{
	return q->packed ? packed_pop(q, u) : split_pop(q, u);
}

static bool split_arm(struct vring *q)
{
	if (q->event_idx)
		store16(q->used_event, q->seen);
	else
		store16(q->avail_flags, 0);
	/* Our wish before the device's index; it does the reverse. 2.7.7 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return !vring_pending(q);
}

bool vring_arm(struct vring *q)
{
	return q->packed ? packed_arm(q) : split_arm(q);
}

static void split_disarm(struct vring *q)
{
	if (q->event_idx)       /* half a ring away: not soon */
		store16(q->used_event, (uint16_t)(q->seen - 1u));
	else
		store16(q->avail_flags, AVAIL_NO_INTERRUPT);
}

void vring_disarm(struct vring *q)
{
	if (q->packed)
		packed_disarm(q);
	else
		split_disarm(q);
}

/* --- for a front end, and for hostile tests ------------------------------- */

uint32_t vring_base(const struct vring *q)
{
	return q->packed ? packed_base(q) : load16(q->used_idx);
}

uint16_t vring_used_idx(const struct vring *q)
{
	return q->packed ? __atomic_load_n(&q->seen, __ATOMIC_RELAXED)
			 : load16(q->used_idx);
}

uint16_t vring_avail_idx(const struct vring *q)
{
	return q->packed ? __atomic_load_n(&q->published, __ATOMIC_RELAXED)
			 : load16(q->avail_idx);
}

uint16_t vring_avail_entry(const struct vring *q, uint16_t idx)
{
	return load16(&q->avail_ring[idx & q->mask]);
}

void vring_put_raw(struct vring *q, uint16_t at, const struct virtio_desc *d,
		   unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct virtio_desc *to = &q->desc[(at + i) & q->mask];

		to->addr = le64(d[i].addr);
		to->len = le32(d[i].len);
		to->flags = le16(d[i].flags);
		to->next = le16(d[i].next);
	}
}

void vring_post_raw(struct vring *q, uint16_t head)
{
	if (head < q->size && !q->busy[head]) {
		q->busy[head] = true;
		q->in_flight++;
		q->cookie[head] = head;
	}
	make_available(q, head);
}

void vring_set_avail_idx(struct vring *q, uint16_t idx)
{
	q->next_avail = q->published = idx;
	store16(q->avail_idx, idx);
}

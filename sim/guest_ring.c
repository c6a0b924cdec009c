/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The driver's side of a virtqueue: split (virtio 1.4, 2.7) and packed (2.8).
 * A packed ring's positions count to twice its size and then from 0: the wrap
 * counter is 1 in the first half, 0 in the second.
 *
 * Chains are built first, then shown one store at a time, so that the device
 * can come between any two.
 */
#include <string.h>

#include "sim.h"

#define AVAIL_USED (VBLK_DESC_AVAIL | VBLK_DESC_USED)

static uint64_t gpa(uint32_t off)
{
	return ram_base() + off;
}

void guest_ring_clear(struct driver_queue *q)
{
	static const uint8_t zero[6u + 16u * SIM_QSIZE];

	q->frees = q->size;
	for (uint16_t i = 0; i < q->size; i++)
		q->free[i] = (uint16_t)(q->size - 1u - i);
	memset(q->by_head, 0xff, sizeof(q->by_head));
	q->avail_idx = q->used_seen = q->kicked = q->next = 0;
	q->built = q->shows = q->shown = 0;
	q->made = q->done = 0;
	bus_write(q->desc, zero, 16u * q->size);
	bus_write(q->avail, zero, 6u + 2u * q->size);
	bus_write(q->used, zero, 6u + 8u * q->size);
	bus_ring(q->desc, 16u * q->size, q->packed);
}

/* --- packed positions ----------------------------------------------------- */

static uint16_t index_of(const struct driver_queue *q, uint16_t pos)
{
	return pos < q->size ? pos : (uint16_t)(pos - q->size);
}

static uint16_t ahead(const struct driver_queue *q, uint16_t pos, uint32_t n)
{
	return (uint16_t)((pos + n) % (2u * q->size));
}

/* With the wrap counter in bit 15, as events and notifications have it. */
static uint16_t word_of(const struct driver_queue *q, uint16_t pos)
{
	return (uint16_t)(index_of(q, pos) | (pos < q->size ? VBLK_WRAP : 0u));
}

static uint16_t fresh(const struct driver_queue *q, uint16_t pos)
{
	return pos < q->size ? VBLK_DESC_AVAIL : VBLK_DESC_USED;
}

static uint32_t flags_at(const struct driver_queue *q, uint16_t i)
{
	return q->desc + 16u * i + 14u;
}

uint16_t guest_ring_position(const struct driver_queue *q)
{
	return q->packed ? word_of(q, q->next) : q->avail_idx;
}

/* --- chains --------------------------------------------------------------- */

static uint16_t kind(const struct piece *p, bool more)
{
	return (uint16_t)((p->write ? VBLK_DESC_WRITE : 0u) |
			  (more ? VBLK_DESC_NEXT : 0u));
}

/* Also a table's: there a packed ring has neither NEXT nor next. */
static void write_desc(uint32_t at, const struct piece *p, uint16_t flags,
		       uint16_t next)
{
	struct vblk_desc d;

	d.addr = vblk_le64_make(gpa(p->off));
	d.len = vblk_le32_make(p->len);
	d.flags = vblk_le16_make(flags);
	d.next = vblk_le16_make(next);
	bus_write(at, &d, sizeof(d));
}

static void write_packed(uint32_t at, const struct piece *p, uint16_t id,
			 uint16_t flags)
{
	struct vblk_packed_desc d;

	d.addr = vblk_le64_make(gpa(p->off));
	d.len = vblk_le32_make(p->len);
	d.id = vblk_le16_make(id);
	d.flags = vblk_le16_make(flags);
	bus_write(at, &d, 14);
	bus_write(at + 14u, &d.flags, 2);
}

static struct piece write_table(const struct driver_queue *q,
				const struct request *r, const struct piece *p,
				unsigned n)
{
	uint32_t table = r->mem + TABLE_AT;

	for (unsigned i = 0; i < n; i++) {
		uint32_t at = table + 16u * i;

		if (q->packed)
			write_packed(at, &p[i], 0, kind(&p[i], false));
		else
			write_desc(at, &p[i], kind(&p[i], i + 1u < n),
				   (uint16_t)(i + 1u));
	}
	return (struct piece){ table, 16u * n, false };
}

static uint16_t next_free(struct driver_queue *q)
{
	uint16_t i = q->next;

	q->frees--;
	if (!q->in_order)
		return q->free[q->frees];
	/* as they lie in the table, 2.7.5.1 */
	q->next = (uint16_t)((i + 1u) & (q->size - 1u));
	return i;
}

static void add_split(struct driver_queue *q, struct request *r,
		      const struct piece *p, unsigned n)
{
	uint32_t slot = (q->avail_idx + q->built) & (q->size - 1u);

	for (unsigned i = 0; i < n; i++)
		r->desc[i] = next_free(q);
	for (unsigned i = 0; i < n; i++)
		write_desc(q->desc + 16u * r->desc[i], &p[i],
			   r->table ? VBLK_DESC_INDIRECT
				    : kind(&p[i], i + 1u < n),
			   i + 1u < n ? r->desc[i + 1u] : 0);
	r->head = r->desc[0];
	bus_write16(q->avail + VBLK_AVAIL_RING + 2u * slot, r->head);
}

/* Any id will do, 2.8.9; one that is not outstanding. */
static uint16_t next_id(struct driver_queue *q)
{
	do
		q->id++;
	while (q->by_head[q->id % SIM_QSIZE] != 0xffff);
	return q->id;
}

/*
 * The first descriptor's flags are shown later; in a batch that is shown as a
 * whole only those of its first chain.
 */
static void add_packed(struct driver_queue *q, struct request *r,
		       const struct piece *p, unsigned n)
{
	r->head = next_id(q);
	q->frees = (uint16_t)(q->frees - n);
	for (unsigned i = 0; i < n; i++) {
		uint16_t k = r->desc[i] = index_of(q, q->next);
		uint16_t id = i + 1u < n ? (uint16_t)~r->head : r->head;
		uint16_t flags = (uint16_t)(fresh(q, q->next) |
					    (r->table ? VBLK_DESC_INDIRECT
						      : kind(&p[i],
							     i + 1u < n)));

		q->next = ahead(q, q->next, 1);
		if (i == 0 && (q->shows == 0 || !q->whole)) {
			q->show[q->shows].at = k;
			q->show[q->shows++].flags = flags;
			flags = bus_read16(flags_at(q, k));
		}
		write_packed(q->desc + 16u * k, &p[i], id, flags);
	}
}

/* False: there is no room. */
bool guest_ring_add(struct driver_queue *q, struct request *r,
		    const struct piece *p, unsigned n, bool indirect)
{
	struct piece table;

	if (q->frees < (indirect ? 1u : n))
		return false;
	r->table = 0;
	if (indirect) {
		table = write_table(q, r, p, n);
		r->table = (uint16_t)n;
		p = &table;
		n = 1;
	}
	r->descs = (uint16_t)n;
	if (q->packed)
		add_packed(q, r, p, n);
	else
		add_split(q, r, p, n);
	r->nth = q->made++;
	q->built++;
	q->by_head[r->head % SIM_QSIZE] = (uint16_t)(r - q->req);
	return true;
}

/* The flags word of the descriptor at that place, shown or not. */
void guest_ring_flags(struct driver_queue *q, uint32_t at, uint16_t set,
		      uint16_t clear)
{
	uint32_t word = at + (q->packed ? 14u : 12u);

	for (unsigned i = q->shown; i < q->shows; i++)
		if (word == flags_at(q, q->show[i].at)) {
			q->show[i].flags = (uint16_t)((q->show[i].flags | set) &
						      ~(uint32_t)clear);
			return;
		}
	bus_write16(word,
		    (uint16_t)((bus_read16(word) | set) & ~(uint32_t)clear));
}

/* One store; true: there are more. */
bool guest_ring_show(struct driver_queue *q)
{
	if (!q->packed) {
		q->avail_idx = (uint16_t)(q->avail_idx + q->built);
		q->built = 0;
		bus_write16(q->avail + VBLK_AVAIL_IDX, q->avail_idx);
		return false;
	}
	q->built = 0;
	bus_write16(flags_at(q, q->show[q->shown].at), q->show[q->shown].flags);
	if (++q->shown < q->shows)
		return true;
	q->shows = q->shown = 0;
	return false;
}

/* 2.7.10, 2.8.10: does the device want to hear of what was shown? */
static bool wants_packed(struct driver_queue *q)
{
	uint32_t v = bus_read32(q->used), lap = 2u * q->size;
	uint32_t n = (q->next + lap - q->kicked) % lap, event;

	q->kicked = q->next;
	if (v >> 16 != VBLK_EVENT_DESC)
		return v >> 16 != VBLK_EVENT_DISABLE;
	event = (v & (VBLK_WRAP - 1u)) + (v & VBLK_WRAP ? 0u : q->size);
	return (q->next + 2u * lap - event - 1u) % lap < n;
}

bool guest_ring_wants_kick(struct driver_queue *q)
{
	uint16_t old = q->kicked, now = q->avail_idx;

	if (q->packed)
		return wants_packed(q);
	q->kicked = now;
	if (q->event_idx) {
		uint16_t event = bus_read16(q->used + VBLK_USED_RING +
					    8u * q->size);

		return (uint16_t)(now - event - 1u) < (uint16_t)(now - old);
	}
	return !(bus_read16(q->used) & VBLK_USED_NO_NOTIFY);
}

/* --- used ----------------------------------------------------------------- */

/* The next used buffer, which stays there. */
bool guest_ring_used(const struct driver_queue *q, struct used *u)
{
	uint32_t at = q->used + VBLK_USED_RING +
		      8u * (q->used_seen & (q->size - 1u));
	uint16_t flags;

	if (!q->packed) {
		u->id = bus_read32(at);
		u->len = bus_read32(at + 4u);
		u->wrote = u->len > 0;
		return bus_read16(q->used + VBLK_USED_IDX) != q->used_seen;
	}
	at = q->desc + 16u * index_of(q, q->used_seen);
	flags = bus_read16(at + 14u);
	u->len = bus_read32(at + 8u);
	u->id = bus_read16(at + 12u);
	u->wrote = flags & VBLK_DESC_WRITE;
	return (flags & AVAIL_USED) ==
	       (q->used_seen < q->size ? AVAIL_USED : 0);
}

struct request *guest_ring_owner(struct driver_queue *q, uint32_t id)
{
	uint16_t i = q->by_head[id % SIM_QSIZE];

	return i == 0xffff || q->req[i].head != id ? NULL : &q->req[i];
}

/* On to the next one; r: whose it was, or NULL. */
void guest_ring_pass(struct driver_queue *q, struct request *r)
{
	unsigned n = r ? r->descs : 1u;

	q->used_seen = q->packed ? ahead(q, q->used_seen, n)
				 : (uint16_t)(q->used_seen + 1u);
	if (!r)
		return;
	q->by_head[r->head % SIM_QSIZE] = 0xffff;
	for (unsigned i = r->descs; i > 0; i--)
		q->free[q->frees++] = r->desc[i - 1u];
}

/* Interrupts off; with an event index they go off by themselves. */
void guest_ring_quiet(struct world *w, struct driver_queue *q)
{
	if (q->event_idx && (!q->packed || !rng_one_in(&w->rng, 2)))
		return;
	if (q->packed)
		bus_write16(q->avail + 2u, VBLK_EVENT_DISABLE);
	else
		bus_write16(q->avail, VBLK_AVAIL_NO_INTERRUPT);
}

/* On, from the next one: 2.7.10, 2.8.10. Then look again. */
void guest_ring_arm(struct world *w, struct driver_queue *q)
{
	if (q->packed && q->event_idx && !rng_one_in(&w->rng, 4)) {
		bus_write16(q->avail, word_of(q, q->used_seen));
		bus_write16(q->avail + 2u, VBLK_EVENT_DESC);
	} else if (q->packed) {
		bus_write16(q->avail + 2u, VBLK_EVENT_ENABLE);
	} else if (q->event_idx) {
		bus_write16(q->avail + VBLK_AVAIL_RING + 2u * q->size,
			    q->used_seen);
	} else {
		bus_write16(q->avail, 0);
	}
}

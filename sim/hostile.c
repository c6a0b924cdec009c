/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a hostile driver does, act by act: some are built into a request, some
 * happen to memory between any two reads of the device, some are register
 * accesses at the worst time. Each is counted.
 */
#include <string.h>

#include "sim.h"

const char *const act_name[ACTS] = {
	[ACT_DESC] = "descriptor changed between reads",
	[ACT_HEADER] = "header changed between reads",
	[ACT_AVAIL] = "driver area changed between reads",
	[ACT_USED] = "device area overwritten",
	[ACT_TABLE] = "indirect table changed between reads",
	[ACT_FLAGS] = "available flags anywhere",
	[ACT_WRAP_LIE] = "flags of the wrong lap",
	[ACT_LAP] = "whole ring made available",
	[ACT_EVENT] = "event words of no sense",
	[ACT_BAD_HEAD] = "head outside the queue",
	[ACT_SAME_HEAD] = "head offered while in flight",
	[ACT_IDX_AHEAD] = "available index too far ahead",
	[ACT_LOOP] = "chain that loops",
	[ACT_ZERO_LOOP] = "loop of empty descriptors",
	[ACT_NESTED] = "indirect inside indirect",
	[ACT_TABLE_LEN] = "indirect table of odd length",
	[ACT_NO_MEMORY] = "buffer that is no memory",
	[ACT_WRAP] = "buffer across 2^64",
	[ACT_NO_STATUS] = "no status byte",
	[ACT_SHORT_HEADER] = "short header",
	[ACT_TYPE] = "unknown type",
	[ACT_BEYOND] = "sector beyond the disk",
	[ACT_ODD_LENGTH] = "length of no whole sectors",
	[ACT_ORDER] = "writable before readable",
	[ACT_EXTENT] = "wild discard or write zeroes",
	[ACT_LONG] = "very long chain",
	[ACT_SAME_ID] = "id of a buffer in flight",
	[ACT_ENDLESS] = "chain without an end",
	[ACT_REGISTER] = "wild register access",
	[ACT_KICK] = "spurious kick",
	[ACT_RESET] = "reset with requests in flight",
	[ACT_QUEUE_OFF] = "queue disabled with requests in flight",
	[ACT_QUEUE_RESET] = "queue reset with requests in flight",
	[ACT_SUSPEND] = "suspended or resumed, and no care taken",
};

#define TURNS_TO_ACT   120u     /* of a hostile CPU between two acts */
#define HOOKS_TO_ACT   60u
#define PATIENCE       3000u    /* turns without a completion */

static bool may(const struct world *w, enum act a)
{
	return w->k.acts >> a & 1u;
}

static bool within(enum act a, enum act first, enum act last)
{
	return a >= first && a <= last;
}

/* To a ring of this kind; 2: either. */
bool hostile_applies(enum act a, unsigned packed)
{
	if (within(a, ACT_BAD_HEAD, ACT_IDX_AHEAD))
		return packed != 1;
	if (within(a, ACT_FLAGS, ACT_EVENT) ||
	    within(a, ACT_SAME_ID, ACT_ENDLESS))
		return packed != 0;
	return true;
}

static void did(struct world *w, enum act a)
{
	w->n.acts[a]++;
}

/* Where descriptor i of a request lies. */
static uint32_t desc_at(const struct driver_queue *q, const struct request *r,
			unsigned i)
{
	return r->table ? r->mem + TABLE_AT + 16u * i
			: q->desc + 16u * r->desc[i];
}

static unsigned descs(const struct request *r)
{
	return r->table ? r->table : r->descs;
}

static void put64(uint32_t at, uint64_t v)
{
	struct vblk_le64 x = vblk_le64_make(v);

	bus_write(at, &x, 8);
}

static void put32(uint32_t at, uint32_t v)
{
	struct vblk_le32 x = vblk_le32_make(v);

	bus_write(at, &x, 4);
}

/* Also the first descriptor's, before the device can see it. */
static void or_flags(struct driver_queue *q, uint32_t at, unsigned set,
		     unsigned clear)
{
	guest_ring_flags(q, at, (uint16_t)set, (uint16_t)clear);
}

/* From here on to the end of the ring, or further, as the seed says. */
static void endless(struct world *w, struct driver_queue *q,
		    const struct request *r)
{
	unsigned n = rng_range(&w->rng, 1, 2u * q->size);

	for (unsigned i = 0; i < n; i++)
		or_flags(q, q->desc + 16u * ((r->desc[0] + i) % q->size),
			 VBLK_DESC_NEXT, 0);
}

static void spoil(struct world *w, struct driver_queue *q, struct request *r,
		  enum act a)
{
	unsigned n = descs(r), any = rng_below(&w->rng, n);
	uint32_t at = desc_at(q, r, any), first = desc_at(q, r, 0);
	uint32_t last = desc_at(q, r, n - 1u),
		 ring = q->desc + 16u * r->desc[0];

	switch ((int)a) {
	case ACT_LOOP:
		or_flags(q, last, VBLK_DESC_NEXT, 0);
		if (!q->packed)
			bus_write16(last + 14u, r->table ? 0 : r->head);
		break;
	case ACT_ZERO_LOOP:
		put32(last + 8u, 0);
		or_flags(q, last, VBLK_DESC_NEXT, 0);
		if (!q->packed)
			bus_write16(last + 14u, r->table ? (uint16_t)(n - 1u)
							 : r->desc[n - 1u]);
		break;
	case ACT_NESTED: or_flags(q, at, VBLK_DESC_INDIRECT, 0); break;
	case ACT_TABLE_LEN:
		or_flags(q, ring, VBLK_DESC_INDIRECT, VBLK_DESC_NEXT);
		put32(ring + 8u, rng_below(&w->rng, 64u));
		break;
	case ACT_NO_MEMORY:
		put64(at, rng_one_in(&w->rng, 2) ? rng_next(&w->rng)
						 : ram_base() + bus.size);
		break;
	case ACT_WRAP: put64(at, ~UINT64_C(0) - rng_below(&w->rng, 16)); break;
	case ACT_NO_STATUS: or_flags(q, last, 0, VBLK_DESC_WRITE); break;
	case ACT_SHORT_HEADER: put32(first + 8u, rng_below(&w->rng, 16)); break;
	case ACT_TYPE: put32(r->mem, (uint32_t)rng_next(&w->rng)); break;
	case ACT_BEYOND: put64(r->mem + 8u, rng_next(&w->rng)); break;
	case ACT_ODD_LENGTH:
		put32(at + 8u,
		      (uint32_t)(rng_next(&w->rng) >> rng_below(&w->rng, 32)));
		break;
	case ACT_ORDER: or_flags(q, first, VBLK_DESC_WRITE, 0); break;
	case ACT_EXTENT:
		put32(r->mem, rng_one_in(&w->rng, 2) ? VBLK_T_DISCARD
						     : VBLK_T_WRITE_ZEROES);
		put64(guest_sector(r, 0),
		      rng_next(&w->rng) >> rng_below(&w->rng, 64));
		put32(guest_sector(r, 0) + 8u, (uint32_t)rng_next(&w->rng));
		break;
	case ACT_SAME_ID:
		at = q->desc + 16u * r->desc[r->descs - 1u];
		bus_write16(at + 12u,
			    q->req[rng_below(&w->rng, q->depth)].head);
		break;
	case ACT_ENDLESS: endless(w, q, r); break;
	default:        /* ACT_LONG */
		or_flags(q, ring, VBLK_DESC_INDIRECT, VBLK_DESC_NEXT);
		put64(ring, ram_base() + q->desc);
		put32(ring + 8u, 16u * rng_range(&w->rng, 500, 520));
		break;
	}
}

void hostile_spoil(struct world *w, struct driver_queue *q, struct request *r)
{
	enum act a = (enum act)rng_range(&w->rng, ACT_LOOP, ACT_ENDLESS);

	if (!may(w, a) || !hostile_applies(a, q->packed))
		return;
	spoil(w, q, r, a);
	r->bad = true;
	did(w, a);
}

/* --- between two reads ---------------------------------------------------- */

static void flip(struct world *w, uint32_t at, uint32_t len)
{
	uint8_t b = (uint8_t)rng_next(&w->rng);

	bus_write(at + rng_below(&w->rng, len), &b, 1);
}

void hostile_mutate(struct world *w, struct driver *d)
{
	struct driver_queue *q = &d->q[rng_below(&w->rng, w->k.queues)];
	const struct request *r = &q->req[rng_below(&w->rng, q->depth)];
	enum act a = (enum act)rng_below(&w->rng, ACT_TABLE + 1u);

	if (d->phase != D_RUN || !rng_one_in(&w->rng, HOOKS_TO_ACT) ||
	    !may(w, a))
		return;
	switch ((int)a) {
	case ACT_DESC: flip(w, q->desc, 16u * q->size); break;
	case ACT_HEADER: flip(w, r->mem, 16); break;
	case ACT_AVAIL:
		flip(w, q->avail, q->packed ? 4u : 6u + 2u * q->size);
		break;
	case ACT_USED:
		flip(w, q->used, q->packed ? 4u : 6u + 8u * q->size);
		break;
	default: flip(w, r->mem + TABLE_AT, 16u * MAX_CUTS); break;
	}
	did(w, a);
}

/* --- instead of a request ------------------------------------------------- */

#define QUEUE_SEL   0x30u
#define READY       0x44u
#define NOTIFY      0x50u
#define STATUS      0x70u
#define QUEUE_RESET 0xc0u

static void wild_register(struct world *w, struct driver *d, unsigned cpu)
{
	static const uint8_t sizes[] = { 1, 2, 4, 4, 4, 4, 8, 3 };
	uint32_t offset = rng_below(&w->rng, 0x208);

	if (rng_one_in(&w->rng, 2))
		offset &= ~3u;
	/* a reset is another act: this one would only be a quieter one */
	if (offset == STATUS)
		offset = 0x60;
	guest_access(w, cpu, d->disk, rng_one_in(&w->rng, 2), offset,
		     sizes[rng_below(&w->rng, sizeof(sizes))],
		     rng_next(&w->rng) >> rng_below(&w->rng, 64));
}

/* One descriptor of the ring says that it is available, or was used. */
static void wild_flags(struct world *w, struct driver_queue *q, enum act a)
{
	static const uint16_t any[] = { VBLK_DESC_AVAIL, VBLK_DESC_USED, 0,
					VBLK_DESC_AVAIL | VBLK_DESC_USED };
	uint16_t at = guest_ring_position(q), flags;
	uint32_t i = rng_below(&w->rng, q->size);

	flags = (uint16_t)(any[rng_below(&w->rng, 4)] |
			   (rng_next(&w->rng) & 7u));
	if (a == ACT_WRAP_LIE) {
		i = at & (VBLK_WRAP - 1u);
		flags = at & VBLK_WRAP ? VBLK_DESC_USED : VBLK_DESC_AVAIL;
	}
	bus_write16(q->desc + 16u * i + 14u, flags);
}

/* All descriptors, those in flight too, from the next one on. */
static void lap(struct driver_queue *q)
{
	uint16_t at = guest_ring_position(q);
	bool wrap = at & VBLK_WRAP;
	uint32_t i = at & (VBLK_WRAP - 1u);

	for (unsigned n = 0; n < q->size; n++) {
		or_flags(q, q->desc + 16u * i,
			 wrap ? VBLK_DESC_AVAIL : VBLK_DESC_USED,
			 wrap ? VBLK_DESC_USED : VBLK_DESC_AVAIL);
		if (++i == q->size) {
			i = 0;
			wrap = !wrap;
		}
	}
}

static void do_packed(struct world *w, struct driver *d, unsigned cpu,
		      enum act a, unsigned i)
{
	struct driver_queue *q = &d->q[i];

	switch ((int)a) {
	case ACT_LAP: lap(q); break;
	case ACT_EVENT: put32(q->avail, (uint32_t)rng_next(&w->rng)); break;
	default: wild_flags(w, q, a); break;
	}
	guest_access(w, cpu, d->disk, true, NOTIFY, 4, i);
}

static bool in_flight(const struct world *w, const struct driver *d)
{
	return w->disk[d->disk].in_flight > 0;
}

static bool do_act(struct world *w, struct driver *d, unsigned cpu, enum act a)
{
	unsigned i = rng_below(&w->rng, w->k.queues);
	struct driver_queue *q = &d->q[i];
	uint32_t slot = q->avail + 4u + 2u * (q->avail_idx & (q->size - 1u));

	if (!hostile_applies(a, q->packed))
		return false;
	switch ((int)a) {
	case ACT_BAD_HEAD:
	case ACT_SAME_HEAD:
		if (q->phase != 0 || q->there == 0)
			return false;
		/* one entry more than the driver knows of */
		bus_write16(
			slot,
			a == ACT_BAD_HEAD
				? (uint16_t)(q->size + rng_below(&w->rng, 9))
				: bus_read16(q->avail + 4u +
					     2u * ((q->avail_idx - 1u) &
						   (q->size - 1u))));
		bus_write16(q->avail + 2u, ++q->avail_idx);
		guest_access(w, cpu, d->disk, true, NOTIFY, 4, i);
		return true;
	case ACT_IDX_AHEAD:
		bus_write16(q->avail + 2u,
			    (uint16_t)(q->avail_idx + q->size +
				       rng_range(&w->rng, 1, 30000)));
		guest_access(w, cpu, d->disk, true, NOTIFY, 4, i);
		return true;
	case ACT_FLAGS:
	case ACT_WRAP_LIE:
	case ACT_LAP:
	case ACT_EVENT: do_packed(w, d, cpu, a, i); return true;
	case ACT_KICK:
		guest_access(w, cpu, d->disk, true, NOTIFY, 4,
			     rng_below(&w->rng, 70000));
		return true;
	case ACT_RESET:
		if (!in_flight(w, d))
			return false;
		guest_restart(d);
		return true;
	case ACT_SUSPEND:
		guest_access(w, cpu, d->disk, true, STATUS, 4,
			     rng_one_in(&w->rng, 2)
				     ? VBLK_STATUS_DRIVER_OK
				     : VBLK_STATUS_SUSPEND | 15u);
		return true;
	case ACT_QUEUE_OFF:
	case ACT_QUEUE_RESET:
		if (!in_flight(w, d))
			return false;
		d->next_act = (int)a;
		guest_access(w, cpu, d->disk, true, QUEUE_SEL, 4, i);
		return true;
	default: wild_register(w, d, cpu); return true;
	}
}

/* The second half of ACT_QUEUE_OFF or _RESET; the driver then starts anew. */
static void second_half(struct world *w, struct driver *d, unsigned cpu)
{
	bool off = d->next_act == ACT_QUEUE_OFF;

	guest_access(w, cpu, d->disk, true, off ? READY : QUEUE_RESET, 4, !off);
	d->next_act = -1;
	d->stuck = PATIENCE;
}

/* True: the turn was used. */
bool hostile_turn(struct world *w, struct driver *d, unsigned cpu)
{
	enum act a;

	if (d->next_act >= 0) {
		second_half(w, d, cpu);
		return true;
	}
	if (d->stuck++ > PATIENCE && d->irq_cpu < 0) {
		guest_restart(d);
		return true;
	}
	if (!rng_one_in(&w->rng, TURNS_TO_ACT))
		return false;
	a = (enum act)rng_below(&w->rng, ACTS);
	if (within(a, ACT_DESC, ACT_TABLE) ||
	    within(a, ACT_LOOP, ACT_ENDLESS) || !may(w, a) || d->irq_cpu >= 0 ||
	    !do_act(w, d, cpu, a))
		return false;
	did(w, a);
	return true;
}

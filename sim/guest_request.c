/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What drivers ask for: requests in any arrangement of descriptors, that do not
 * overlap while one of them writes; and what becomes of them.
 */
#include <string.h>

#include "sim.h"

uint32_t guest_sector(const struct request *r, uint32_t i)
{
	return r->mem + 16u + i * (SECTOR + r->gap);
}

/* --- requests ------------------------------------------------------------- */

static unsigned add_piece(struct piece *p, unsigned n, uint32_t off,
			  uint32_t len, bool write)
{
	p[n].off = off;
	p[n].len = len;
	p[n].write = write;
	return n + 1u;
}

/* Does it name its sectors in an extent, 5.2.6? */
static bool extents(const struct request *r)
{
	return r->type == VBLK_T_DISCARD || r->type == VBLK_T_WRITE_ZEROES ||
	       r->type == VBLK_T_SECURE_ERASE;
}

/* Header, data and status, one piece each or a sector each. */
static unsigned pieces(const struct request *r, struct piece *p)
{
	bool in = r->type == VBLK_T_IN;
	unsigned n = add_piece(p, 0, r->mem, 16, false);

	for (uint32_t i = 0;
	     i < r->count && r->gap > 0 && (in || r->type == VBLK_T_OUT); i++)
		n = add_piece(p, n, guest_sector(r, i), SECTOR, in);
	if (r->gap == 0 && (in || r->type == VBLK_T_OUT))
		n = add_piece(p, n, guest_sector(r, 0), r->count * SECTOR, in);
	else if (extents(r))
		n = add_piece(p, n, guest_sector(r, 0), 16, false);
	else if (r->type == VBLK_T_GET_ID)
		n = add_piece(p, n, guest_sector(r, 0), VBLK_ID_BYTES, true);
	return add_piece(p, n, r->status, 1, true);
}

/* 2.7.4: a device makes no assumptions, so cut and join as the seed says. */
static unsigned rearrange(struct world *w, struct piece *p, unsigned n,
			  unsigned most)
{
	for (unsigned i = 0; i + 1u < n; i++) {
		if (p[i].off + p[i].len != p[i + 1u].off ||
		    p[i].write != p[i + 1u].write || rng_one_in(&w->rng, 2))
			continue;
		p[i].len += p[i + 1u].len;
		n--;
		memmove(&p[i + 1u], &p[i + 2u], (n - i - 1u) * sizeof(*p));
	}
	for (unsigned i = 0; i < n && n < most; i++) {
		uint32_t at;

		if (p[i].len < 2 || !rng_one_in(&w->rng, 4))
			continue;
		at = rng_range(&w->rng, 1, p[i].len - 1u);
		memmove(&p[i + 1u], &p[i], (n - i) * sizeof(*p));
		p[i].len = at;
		p[i + 1u].off += at;
		p[i + 1u].len -= at;
		n++;
	}
	return n;
}

static bool locked(const struct driver *d, uint32_t sector, uint32_t count,
		   bool write)
{
	for (uint32_t i = sector; i < sector + count; i++)
		if (d->lock[i] || (write && d->readers[i] > 0))
			return true;
	return false;
}

static void lock(struct driver *d, const struct request *r, bool take)
{
	bool write = r->type != VBLK_T_IN;

	if (r->type == VBLK_T_FLUSH || r->type == VBLK_T_GET_ID)
		return;
	for (uint32_t i = r->sector; i < r->sector + r->count; i++) {
		if (write)
			d->lock[i] = take;
		else
			d->readers[i] = (uint16_t)(d->readers[i] +
						   (take ? 1 : -1));
	}
}

static bool choose(struct world *w, struct driver *d, struct request *r)
{
	static const uint8_t mix[16] = {
		VBLK_T_IN,    VBLK_T_IN,      VBLK_T_IN,	   VBLK_T_IN,
		VBLK_T_IN,    VBLK_T_IN,      VBLK_T_OUT,	   VBLK_T_OUT,
		VBLK_T_OUT,   VBLK_T_OUT,     VBLK_T_OUT,	   VBLK_T_FLUSH,
		VBLK_T_FLUSH, VBLK_T_DISCARD, VBLK_T_WRITE_ZEROES, VBLK_T_GET_ID
	};

	r->type = mix[rng_below(&w->rng, w->k.simple ? 11 : 16)];
	if (r->type == VBLK_T_FLUSH && !(d->accepted & VBLK_F_FLUSH))
		r->type = VBLK_T_IN;
	if (r->type == VBLK_T_WRITE_ZEROES &&
	    d->accepted & VBLK_F_SECURE_ERASE && rng_one_in(&w->rng, 2))
		r->type = VBLK_T_SECURE_ERASE;
	r->count = rng_range(&w->rng, 1, w->k.simple ? 1 : MAX_COUNT);
	r->sector = rng_below(&w->rng, DISK_SECTORS - r->count + 1u);
	if (locked(d, r->sector, r->count, r->type != VBLK_T_IN))
		return false;
	r->gap = w->k.simple || rng_one_in(&w->rng, 2)
			 ? 0
			 : rng_range(&w->rng, 1, MAX_GAP);
	r->status = guest_sector(r, r->type == VBLK_T_IN ? r->count - 1u : 1) +
		    (r->type == VBLK_T_IN ? SECTOR : 0);
	if (r->type == VBLK_T_OUT || r->type == VBLK_T_DISCARD)
		r->status = guest_sector(r, MAX_COUNT - 1u) + SECTOR;
	r->bad = false;
	r->flags = r->type == VBLK_T_WRITE_ZEROES && rng_one_in(&w->rng, 2);
	return true;
}

/* The buffers as the device will find them. */
static void fill(struct world *w, struct driver *d, struct request *r)
{
	struct vblk_header h;
	struct vblk_extent e;
	uint8_t sector[SECTOR], never = 0xff;

	h.type = vblk_le32_make(r->type);
	h.reserved = vblk_le32_make(0);
	h.sector = vblk_le64_make(
		r->type == VBLK_T_IN || r->type == VBLK_T_OUT ? r->sector : 0);
	bus_write(r->mem, &h, sizeof(h));
	bus_write(r->status, &never, 1);
	r->covers = d->completions;
	if (r->type == VBLK_T_OUT) {
		r->stamp = oracle_stamp(&w->oracle[d->disk]);
		w->oracle[d->disk].stamp += r->count;
		for (uint32_t i = 0; i < r->count; i++) {
			oracle_fill(r->stamp + i, sector);
			memcpy(bus.ram + guest_sector(r, i), sector, SECTOR);
		}
	} else if (extents(r)) {
		e.sector = vblk_le64_make(r->sector);
		e.num_sectors = vblk_le32_make(r->count);
		e.flags = vblk_le32_make(r->flags);
		bus_write(guest_sector(r, 0), &e, sizeof(e));
	}
}

/* The next chain of a batch; false: not now. */
bool guest_build(struct world *w, struct driver *d, struct driver_queue *q)
{
	struct piece p[MAX_CUTS + 2u];
	struct request *r = q->req;
	unsigned n;

	while (r->state != R_FREE)
		r++;
	if (!choose(w, d, r))
		return false;
	n = pieces(r, p);
	if (!w->k.simple)
		n = rearrange(w, p, n, MAX_CUTS);
	if (!guest_ring_add(q, r, p, n,
			    (d->accepted & VBLK_F_INDIRECT_DESC) &&
				    rng_one_in(&w->rng, 2)))
		return false;
	fill(w, d, r);
	if (rng_one_in(&w->rng, d->hostile ? w->k.hostile : 0))
		hostile_spoil(w, q, r);
	r->state = R_BUILT;
	q->there++;
	lock(d, r, true);
	if (!d->hostile)
		oracle_submit(w, d, r);
	return true;
}

/* --- completions ---------------------------------------------------------- */

static void count(struct world *w, const struct request *r, uint8_t status)
{
	w->n.requests++;
	w->n.ok += status == VBLK_S_OK;
	w->n.ioerr += status == VBLK_S_IOERR;
	w->n.unsupp += status == VBLK_S_UNSUPP;
	w->n.bytes += r->type == VBLK_T_IN || r->type == VBLK_T_OUT
			      ? r->count * SECTOR
			      : 0;
}

void guest_finish(struct world *w, struct driver *d, struct driver_queue *q,
		  const struct used *u)
{
	struct request *r = guest_ring_owner(q, u->id);
	uint8_t status;

	guest_ring_pass(q, r);
	if (!r) {
		if (!d->hostile)
			sim_fail("each head completes exactly once",
				 "disk %u: head %u came again", d->disk, u->id);
		return;
	}
	status = bus.ram[r->status];
	q->there--;
	lock(d, r, false);
	if (d->hostile) {
		d->completions++;
		w->n.hostile_done++;
		w->n.hostile_ok += status == VBLK_S_OK;
	} else {
		oracle_done(w, d, q, r, status, u);
	}
	r->state = R_FREE;
	count(w, r, status);
	d->stuck = 0;
}

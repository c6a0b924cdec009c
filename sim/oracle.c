/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the driver of a disk may find. A sector that was written whole carries a
 * stamp in every word; the oracle keeps, for each sector, the stamps that a
 * read may return now and those that a crash of the host may leave. Drivers do
 * not overlap writes with other requests, so a completed write leaves one
 * value.
 */
#include <string.h>

#include "sim.h"

void oracle_start(struct oracle *o)
{
	memset(o, 0, sizeof(*o));
	for (unsigned i = 0; i < DISK_SECTORS; i++)
		o->now[i].n = o->durable[i].n = 1;
}

uint64_t oracle_stamp(struct oracle *o)
{
	return ++o->stamp;
}

/* Stamp 0 is a sector of zeroes. */
void oracle_fill(uint64_t stamp, uint8_t *sector)
{
	for (unsigned i = 0; i < SECTOR / 8u; i++) {
		uint64_t v = stamp == 0 ? 0 : stamp * 64u + i;

		memcpy(sector + i * 8u, &v, 8);
	}
}

uint64_t oracle_stamp_of(const uint8_t *sector)
{
	uint64_t first, v;

	memcpy(&first, sector, 8);
	for (unsigned i = 1; i < SECTOR / 8u; i++) {
		memcpy(&v, sector + i * 8u, 8);
		if (v != (first == 0 ? 0 : first + i))
			return UINT64_MAX;
	}
	return first % 64u == 0 ? first / 64u : UINT64_MAX;
}

static bool among(const struct values *s, uint64_t v)
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->v[i] == v)
			return true;
	return s->any;
}

static void add(struct values *s, uint64_t v)
{
	if (among(s, v))
		return;
	if (s->n == MAX_VALUES)
		s->any = true;
	else
		s->v[s->n++] = v;
}

static void only(struct values *s, uint64_t v)
{
	s->any = false;
	s->n = 1;
	s->v[0] = v;
}

static bool writes(const struct request *r)
{
	return r->type == VBLK_T_OUT || r->type == VBLK_T_DISCARD ||
	       r->type == VBLK_T_WRITE_ZEROES || r->type == VBLK_T_SECURE_ERASE;
}

/* From now on the new value may be there. */
void oracle_submit(struct world *w, struct driver *d, struct request *r)
{
	struct oracle *o = &w->oracle[d->disk];

	for (uint32_t i = 0; writes(r) && i < r->count; i++) {
		uint64_t v = r->type == VBLK_T_OUT ? r->stamp + i : 0;

		add(&o->now[r->sector + i], v);
		add(&o->durable[r->sector + i], v);
	}
}

static void wrote(struct oracle *o, const struct driver *d,
		  const struct request *r)
{
	for (uint32_t i = 0; i < r->count; i++) {
		uint32_t s = r->sector + i;

		o->changed[s] = d->completions;
		if (r->type == VBLK_T_DISCARD)
			continue;       /* old or zero */
		only(&o->now[s], r->type == VBLK_T_OUT ? r->stamp + i : 0);
		if (!d->wce)
			o->durable[s] = o->now[s];
	}
}

static void was_read(struct world *w, struct driver *d, const struct request *r)
{
	struct oracle *o = &w->oracle[d->disk];

	for (uint32_t i = 0; i < r->count; i++) {
		const uint8_t *at = bus.ram + guest_sector(r, i);
		uint64_t v = oracle_stamp_of(at);

		if (!among(&o->now[r->sector + i], v))
			sim_fail("a read returns what was last written",
				 "disk %u sector %u: stamp %llu, not %llu "
				 "(or %u more)",
				 d->disk, r->sector + i, (unsigned long long)v,
				 (unsigned long long)o->now[r->sector + i].v[0],
				 o->now[r->sector + i].n - 1u);
		only(&o->now[r->sector + i], v);
	}
}

static void flushed(struct oracle *o, const struct request *r)
{
	for (unsigned s = 0; s < DISK_SECTORS; s++)
		if (o->changed[s] <= r->covers)
			o->durable[s] = o->now[s];
}

/* 5.2.6, 2.7.8.2 */
static void check_len(const struct driver *d, const struct request *r,
		      uint8_t status, uint32_t len)
{
	uint32_t in = r->type == VBLK_T_IN	 ? r->count * SECTOR
		      : r->type == VBLK_T_GET_ID ? VBLK_ID_BYTES
						 : 0;

	if (status == VBLK_S_OK ? len != in + 1u : len > in + 1u)
		sim_fail("the used length is what was written",
			 "disk %u: type %u status %u: %u bytes, not %u",
			 d->disk, r->type, status, len, in + 1u);
}

/* 2.7.14, 2.8: IN_ORDER; 2.8.9: the flag says whether there is a length */
static void check_used(const struct driver *d, struct driver_queue *q,
		       const struct request *r, const struct used *u)
{
	if (q->in_order && r->nth != q->done)
		sim_fail("buffers are used in the order they came",
			 "disk %u: buffer %u before buffer %u", d->disk, r->nth,
			 q->done);
	q->done++;
	if (u->wrote != (u->len > 0))
		sim_fail("WRITE is set where bytes were written",
			 "disk %u: it is %d, length %u", d->disk, u->wrote,
			 u->len);
}

void oracle_done(struct world *w, struct driver *d, struct driver_queue *q,
		 struct request *r, uint8_t status, const struct used *u)
{
	struct oracle *o = &w->oracle[d->disk];
	const char *fault = vblk_guest_fault(w->be[d->disk].dev);

	d->completions++;
	check_used(d, q, r, u);
	check_len(d, r, status, u->len);
	if (status == VBLK_S_UNSUPP ||
	    (status != VBLK_S_OK && w->k.fail == 0) || status > VBLK_S_UNSUPP)
		sim_fail("a valid request succeeds",
			 "disk %u: type %u sector "
			 "%u count %u: status %u, fault %s",
			 d->disk, r->type, r->sector, r->count, status,
			 fault ? fault : "none");
	if (status != VBLK_S_OK) {
		for (uint32_t i = 0; writes(r) && i < r->count; i++)
			o->changed[r->sector + i] = d->completions;
		return;
	}
	if (writes(r))
		wrote(o, d, r);
	else if (r->type == VBLK_T_IN)
		was_read(w, d, r);
	else if (r->type == VBLK_T_FLUSH)
		flushed(o, r);
	else if (memcmp(bus.ram + guest_sector(r, 0), "vblk-sim", 9) != 0)
		sim_fail("GET_ID writes the serial", "disk %u: other bytes",
			 d->disk);
}

/* The store forgot what was not durable; nothing else was lost. */
void oracle_crash(struct world *w, unsigned disk)
{
	struct oracle *o = &w->oracle[disk];

	for (unsigned s = 0; s < DISK_SECTORS; s++) {
		uint64_t v = oracle_stamp_of(w->disk[disk].cur + s * SECTOR);

		if (!w->driver[disk].hostile && !among(&o->durable[s], v))
			sim_fail("a crash loses nothing that was flushed",
				 "disk %u sector %u: stamp %llu, not %llu",
				 disk, s, (unsigned long long)v,
				 (unsigned long long)o->durable[s].v[0]);
		only(&o->now[s], v);
		o->durable[s] = o->now[s];
	}
}

/* Nothing is outstanding: every sector holds what the oracle says. */
void oracle_quiet(struct world *w)
{
	for (unsigned disk = 0; disk < w->disks; disk++) {
		struct oracle *o = &w->oracle[disk];

		if (w->driver[disk].hostile)
			continue;
		for (unsigned s = 0; s < DISK_SECTORS; s++) {
			uint64_t v = oracle_stamp_of(w->disk[disk].cur +
						     s * SECTOR);

			if (!among(&o->now[s], v))
				sim_fail("the disk holds what was written",
					 "disk %u sector %u: stamp %llu, "
					 "not %llu",
					 disk, s, (unsigned long long)v,
					 (unsigned long long)o->now[s].v[0]);
		}
	}
}

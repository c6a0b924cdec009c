/* SPDX-License-Identifier: BSD-2-Clause */
/* One request of the load: chosen, built, judged. */
#include <stdio.h>
#include <string.h>

#include "load_internal.h"
#include "stamp.h"

#define TRIES       8u          /* to find sectors nobody is using */
#define POISON      0xa5u
#define GUARD       0x5au
#define GUARD_BYTES 32u
#define OFFSET      512u        /* of data in its pages, mostly */

/* --- choosing ------------------------------------------------------------- */

static bool is_free(const struct worker *w, uint64_t at, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (w->taken[at + i])
			return false;
	return true;
}

static void set_taken(struct worker *w, const struct load_slot *s, bool to)
{
	for (unsigned r = 0; r < s->ranges; r++)
		memset(&w->taken[s->range[r].sector - w->first], to,
		       s->range[r].sectors);
}

/* A range nobody uses, of at most max sectors; multiples of unit. */
static bool add_range(struct worker *w, struct load_slot *s, uint32_t max,
		      uint32_t unit)
{
	uint32_t blocks = max / unit;
	uint64_t at;
	uint32_t n;

	if (!blocks || w->sectors < max)
		return false;
	for (unsigned i = 0; i < TRIES; i++) {
		/* Small ones are as likely as large ones. */
		n = (uint32_t)(1 + rng_below(&w->rng,
					     1 + rng_below(&w->rng, blocks)));
		at = rng_below(&w->rng, w->sectors / unit - n + 1) * unit;
		if (!is_free(w, at, n * unit))
			continue;
		s->range[s->ranges].sector = w->first + at;
		s->range[s->ranges].sectors = n * unit;
		s->range[s->ranges].generation = w->next_generation++;
		memset(&w->taken[at], true, n * unit);
		s->ranges++;
		return true;
	}
	return false;
}

static uint32_t choose_type(struct worker *w)
{
	const struct load *l = w->load;
	uint64_t has = l->features, dice = rng_below(&w->rng, 100);

	if (has & BLK_F_RO)
		return dice < 98 ? BLK_T_IN : BLK_T_GET_ID;
	if (dice < 3 && has & BLK_F_FLUSH)
		return BLK_T_FLUSH;
	if (dice < 4)
		return BLK_T_GET_ID;
	if (dice < 9 && has & BLK_F_DISCARD && l->options.discard)
		return BLK_T_DISCARD;
	if (dice < 15 && has & BLK_F_WRITE_ZEROES)
		return BLK_T_WRITE_ZEROES;
	return dice < 57 ? BLK_T_OUT : BLK_T_IN;
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static bool choose_extents(struct worker *w, struct load_slot *s)
{
	const struct blk_config *c = &w->load->config;
	bool discard = s->type == BLK_T_DISCARD;
	uint32_t limit = discard ? c->max_discard_sectors
				 : c->max_write_zeroes_sectors;
	uint32_t segments = discard ? c->max_discard_seg
				    : c->max_write_zeroes_seg;
	uint32_t max = least(limit, w->load->options.max_sectors);
	uint32_t unit = w->load->unit;
	uint64_t n;

	if (discard && c->discard_sector_alignment > unit)
		unit = c->discard_sector_alignment;
	n = 1 + rng_below(&w->rng, least(segments ? segments : 1, LOAD_RANGES));
	while (n-- && add_range(w, s, max, unit))
		;
	return s->ranges > 0;
}

/* The next piece of its part; nothing else is in flight but such. */
static bool choose_sweep(struct worker *w, struct load_slot *s)
{
	uint64_t left = w->sectors - w->sweep_at;

	if (!left)
		return false;
	s->type = BLK_T_IN;
	s->ranges = 1;
	s->range[0].sector = w->first + w->sweep_at;
	s->range[0].sectors = left < w->load->options.max_sectors
				      ? (uint32_t)left
				      : w->load->options.max_sectors;
	w->sweep_at += s->range[0].sectors;
	return true;
}

bool load_op_choose(struct worker *w, struct load_slot *s)
{
	s->ranges = 0;
	if (w->sweeping)
		return choose_sweep(w, s);
	s->type = choose_type(w);
	switch (s->type) {
	case BLK_T_FLUSH:
	case BLK_T_GET_ID: return true;
	case BLK_T_DISCARD:
	case BLK_T_WRITE_ZEROES: return choose_extents(w, s);
	default:
		return add_range(w, s, w->load->options.max_sectors,
				 w->load->unit);
	}
}

void load_op_cancel(struct worker *w, struct load_slot *s)
{
	set_taken(w, s, false);
	if (w->sweeping)
		w->sweep_at -= s->range[0].sectors;
}

/* --- building ------------------------------------------------------------- */

static void fill_extents(struct worker *w, struct load_slot *s)
{
	const struct blk_config *c = &w->load->config;
	struct blk_extent *e;

	e = (struct blk_extent *)(void *)((uint8_t *)s->header.host +
					  sizeof(struct blk_header));
	for (unsigned i = 0; i < s->ranges; i++) {
		bool unmap = s->type == BLK_T_WRITE_ZEROES &&
			     c->write_zeroes_may_unmap && rng_below(&w->rng, 2);

		e[i].sector = le64(s->range[i].sector);
		e[i].sectors = le32(s->range[i].sectors);
		e[i].flags = le32(unmap ? BLK_EXTENT_UNMAP : 0);
	}
}

/* Header, data, poison; s->reads and s->writes. */
static void fill(struct worker *w, struct load_slot *s)
{
	struct blk_header *h = s->header.host;
	uint8_t *in = s->in.host, *out = s->out.host;

	s->offset = rng_below(&w->rng, 4)
			    ? OFFSET
			    : (uint32_t)(64 + rng_below(&w->rng, 512));
	h->type = le32(s->type);
	h->reserved = 0;
	h->sector = 0;
	s->reads = s->writes = 0;
	if (s->type == BLK_T_IN || s->type == BLK_T_OUT)
		h->sector = le64(s->range[0].sector);
	if (s->type == BLK_T_IN)
		s->writes = s->range[0].sectors * SECTOR;
	else if (s->type == BLK_T_GET_ID)
		s->writes = BLK_ID_BYTES;
	else if (s->type == BLK_T_OUT)
		s->reads = s->range[0].sectors * SECTOR;
	else
		fill_extents(w, s);
	for (uint32_t i = 0; i < s->reads / SECTOR; i++)
		stamp_fill(out + s->offset + (size_t)i * SECTOR,
			   w->load->options.seed, s->range[0].sector + i,
			   s->range[0].generation);
	memset(in + s->offset, POISON, s->writes);
	in[s->offset + s->writes] = 0xff;
	if (w->load->options.guards) {
		memset(in + s->offset - GUARD_BYTES, GUARD, GUARD_BYTES);
		memset(in + s->offset + s->writes + 1, GUARD, GUARD_BYTES);
	}
}

struct chain {
	struct vring_buffer b[SESSION_TABLE];
	unsigned n;
};

/* len bytes at addr in at most max pieces; mostly at sector boundaries. */
static void cut(struct worker *w, struct chain *c, uint64_t addr, uint32_t len,
		uint32_t max, bool writes)
{
	const struct load *l = w->load;
	uint32_t cap = l->features & BLK_F_SIZE_MAX && l->config.size_max
			       ? l->config.size_max
			       : UINT32_MAX;
	uint32_t pieces = 1 + (uint32_t)rng_below(&w->rng, max);
	bool any = !rng_below(&w->rng, 8);

	if (rng_below(&w->rng, 2))
		pieces = 1;
	while (len) {
		uint32_t take = least(len, cap);

		if (pieces > 1) {
			take = 1 + (uint32_t)rng_below(&w->rng, take);
			if (!any && take > SECTOR)
				take &= ~(SECTOR - 1u);
			else if (!any)
				take = least(len, SECTOR);
			pieces--;
		}
		c->b[c->n++] = (struct vring_buffer){ addr, take, writes };
		addr += take;
		len -= take;
	}
}

/* The pieces may be cut anywhere: 2.7.4 knows no framing. */
static void build(struct worker *w, struct load_slot *s, struct chain *c)
{
	uint32_t head = sizeof(struct blk_header);
	bool status_apart = rng_below(&w->rng, 4);

	c->n = 0;
	if (s->type == BLK_T_DISCARD || s->type == BLK_T_WRITE_ZEROES) {
		uint32_t more = s->ranges * (uint32_t)sizeof(struct blk_extent);

		c->b[c->n++] = (struct vring_buffer){ s->header.addr, head,
						      false };
		c->b[c->n++] = (struct vring_buffer){ s->header.addr + head,
						      more, false };
	} else if (rng_below(&w->rng, 16)) {
		c->b[c->n++] = (struct vring_buffer){ s->header.addr, head,
						      false };
	} else {
		c->b[c->n++] = (struct vring_buffer){ s->header.addr, 5,
						      false };
		c->b[c->n++] = (struct vring_buffer){ s->header.addr + 5,
						      head - 5, false };
	}
	cut(w, c, s->out.addr + s->offset, s->reads, w->load->pieces, false);
	cut(w, c, s->in.addr + s->offset, s->writes + (status_apart ? 0 : 1u),
	    w->load->pieces, true);
	if (status_apart)
		c->b[c->n++] = (struct vring_buffer){
			s->in.addr + s->offset + s->writes, 1, true
		};
}

bool load_op_submit(struct worker *w, struct load_slot *s, uint32_t cookie)
{
	const struct load_options *o = &w->load->options;
	struct vring *q = &w->load->session->queue[o->first + s->queue];
	struct chain c;

	if (o->before)
		o->before(o->ctx, s);
	fill(w, s);
	build(w, s, &c);
	return vring_add(q, c.b, c.n, rng_below(&w->rng, 4), cookie) >= 0 ||
	       vring_add(q, c.b, c.n, true, cookie) >= 0;
}

/* --- judging -------------------------------------------------------------- */

void load_op_describe(const struct load_slot *s, char *text, size_t size)
{
	const char *what = "unknown";

	switch (s->type) {
	case BLK_T_IN: what = "read"; break;
	case BLK_T_OUT: what = "write"; break;
	case BLK_T_FLUSH: what = "flush"; break;
	case BLK_T_GET_ID: what = "get id"; break;
	case BLK_T_DISCARD: what = "discard"; break;
	case BLK_T_WRITE_ZEROES: what = "write zeroes"; break;
	default: break;
	}
	if (s->ranges)
		(void)snprintf(text, size, "%s of %u sectors at %llu%s", what,
			       s->range[0].sectors,
			       (unsigned long long)s->range[0].sector,
			       s->ranges > 1 ? " and others" : "");
	else
		(void)snprintf(text, size, "%s", what);
}

static void compare(struct worker *w, const struct load_slot *s)
{
	uint64_t seed = w->load->options.seed;
	const uint8_t *in = (const uint8_t *)s->in.host + s->offset;

	for (uint32_t i = 0; i < s->range[0].sectors; i++) {
		uint64_t sector = s->range[0].sector + i;
		uint32_t gen = w->generation[sector - w->first];
		char text[96];

		if (gen == STAMP_UNKNOWN)
			continue;
		w->counts.checked++;
		if (stamp_check(in + (size_t)i * SECTOR, seed, sector, gen))
			continue;
		stamp_describe(in + (size_t)i * SECTOR, seed, text,
			       sizeof(text));
		load_fail(w, &w->counts.mismatches, s,
			  "sector %llu must hold %s %u and holds: %s",
			  (unsigned long long)sector,
			  gen == STAMP_ZERO ? "zeroes, generation"
					    : "generation",
			  gen, text);
	}
}

static bool all(const uint8_t *p, uint8_t value, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != value)
			return false;
	return true;
}

/* Writes to what the device may only read, or beside what it may write. */
static void look_for_strays(struct worker *w, const struct load_slot *s)
{
	const uint8_t *in = (const uint8_t *)s->in.host + s->offset;
	const uint8_t *out = (const uint8_t *)s->out.host + s->offset;

	if (w->load->options.guards &&
	    (!all(in - GUARD_BYTES, GUARD, GUARD_BYTES) ||
	     !all(in + s->writes + 1, GUARD, GUARD_BYTES)))
		load_fail(w, &w->counts.strays, s,
			  "memory beside the buffer was written");
	for (uint32_t i = 0; i < s->reads / SECTOR; i++)
		if (!stamp_check(out + (size_t)i * SECTOR,
				 w->load->options.seed, s->range[0].sector + i,
				 s->range[0].generation)) {
			load_fail(w, &w->counts.strays, s,
				  "the data to write was changed");
			break;
		}
}

static void check_id(struct worker *w, const struct load_slot *s)
{
	const uint8_t *in = (const uint8_t *)s->in.host + s->offset;

	if (!w->id_known)
		memcpy(w->id_bytes, in, BLK_ID_BYTES);
	else if (memcmp(w->id_bytes, in, BLK_ID_BYTES))
		load_fail(w, &w->counts.mismatches, s,
			  "not the same as before");
	w->id_known = true;
}

/* After an error nobody knows what a write left behind. */
static void remember(struct worker *w, const struct load_slot *s, bool good)
{
	for (unsigned r = 0; r < s->ranges; r++) {
		uint64_t at = s->range[r].sector - w->first;
		uint32_t gen = STAMP_UNKNOWN;

		if (good && s->type == BLK_T_OUT)
			gen = s->range[r].generation;
		else if (good && s->type == BLK_T_WRITE_ZEROES)
			gen = STAMP_ZERO;
		for (uint32_t i = 0; i < s->range[r].sectors; i++)
			w->generation[at + i] = gen;
	}
}

static void count(struct load_counts *c, uint32_t type)
{
	switch (type) {
	case BLK_T_IN: c->reads++; break;
	case BLK_T_OUT: c->writes++; break;
	case BLK_T_FLUSH: c->flushes++; break;
	case BLK_T_DISCARD: c->discards++; break;
	case BLK_T_WRITE_ZEROES: c->zeroes++; break;
	default: c->ids++; break;
	}
}

void load_op_complete(struct worker *w, struct load_slot *s, uint32_t len)
{
	uint8_t status = ((uint8_t *)s->in.host)[s->offset + s->writes];

	count(&w->counts, s->type);
	if (status != BLK_S_OK)
		load_fail(w, &w->counts.errors, s, "status %u%s", status,
			  status == 0xff ? ", none was written" : "");
	if (len > s->writes + 1)
		load_fail(w, &w->counts.strays, s,
			  "used length %u with %u bytes to write", len,
			  s->writes + 1);
	else if (len < s->writes + 1 && status == BLK_S_OK)
		w->counts.short_len++;
	if (status == BLK_S_OK && s->type == BLK_T_IN)
		compare(w, s);
	if (status == BLK_S_OK && s->type == BLK_T_GET_ID)
		check_id(w, s);
	look_for_strays(w, s);
	if (s->type != BLK_T_IN)
		remember(w, s, status == BLK_S_OK);
	set_taken(w, s, false);
}

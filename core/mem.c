/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest memory: a table of regions sorted by address, and the ways from a guest
 * address to a host pointer. A region is live, or revoked and waiting for its
 * last request, or free. Who uses a region is counted per queue, so that lanes
 * on different threads share no counter.
 */
#include "dev.h"

static uint16_t first_above(const struct vblk *dev, vblk_gpa gpa)
{
	uint16_t lo = 0, hi = dev->num_mem;

	while (lo < hi) {
		uint16_t mid = (uint16_t)((lo + hi) / 2u);

		if (dev->mem[dev->order[mid]].gpa > gpa)
			hi = mid;
		else
			lo = (uint16_t)(mid + 1u);
	}
	return lo;
}

/* The region, live or revoked, that holds gpa. */
static struct mem *holder(const struct vblk *dev, vblk_gpa gpa)
{
	uint16_t i = first_above(dev, gpa);
	struct mem *m;

	if (i == 0)
		return NULL;
	m = &dev->mem[dev->order[i - 1u]];
	return gpa - m->gpa < m->len ? m : NULL;
}

struct mem *vblk_mem_search(struct vblk *dev, struct queue *q, vblk_gpa gpa)
{
	struct mem *m = holder(dev, gpa);

	if (!m || m->state != MEM_LIVE)
		return NULL;
	q->hint = mem_id(dev, m);
	return m;
}

static uint64_t left_in(const struct mem *m, vblk_gpa gpa)
{
	return m->len - (gpa - m->gpa);
}

static bool allows(const struct mem *m, uint32_t perm)
{
	return (m->perm & perm) == perm;
}

/* Nothing live at gpa, or not for this. */
static int missed(struct vblk *dev, struct queue *q, const struct mem *m,
		  vblk_gpa gpa, uint64_t len, uint32_t perm)
{
	if (m || !dev->cfg.on_demand || q->absent || len - 1u > ~gpa)
		return VBLK_EGUEST;
	q->miss.gpa = gpa;
	q->miss.len = len;
	q->miss.perm = perm;
	return VBLK_EUNMAPPED;
}

static void hold(struct vblk *dev, struct queue *q, struct mem *m)
{
	q->refs[mem_id(dev, m)]++;
	if (dev->cfg.on_demand)
		m->used = dev->tick;
}

void vblk_mem_release(struct vblk *dev, struct queue *q, uint16_t id)
{
	(void)dev;
	q->refs[id]--;
}

void vblk_mem_mark(const struct mem *m, const uint8_t *host, uint64_t len)
{
	vblk_gpa gpa = m->gpa + (uint64_t)(host - m->host);
	uint64_t page, last;

	if (!m->dirty || len == 0)
		return;
	last = (gpa + (len - 1u)) >> VBLK_PAGE_SHIFT;
	for (page = gpa >> VBLK_PAGE_SHIFT; page <= last; page++)
		vblk_dirty_or(&m->dirty[(page >> 3) -
					(m->gpa >> (VBLK_PAGE_SHIFT + 3u))],
			      (uint8_t)(1u << (page & 7u)));
}

/* Each byte once; len is that of a descriptor, header or extent. */
int vblk_mem_snapshot(struct vblk *dev, struct queue *q, vblk_gpa gpa,
		      uint32_t len, void *dst)
{
	uint8_t *to = dst;

	while (len > 0) {
		struct mem *m = mem_find(dev, q, gpa);
		uint32_t n = len;

		if (!m || !allows(m, VBLK_READ))
			return missed(dev, q, m, gpa, len, VBLK_READ);
		if (n > left_in(m, gpa))
			n = (uint32_t)left_in(m, gpa);
		vblk_snapshot(to, m->host + (gpa - m->gpa), n);
		if (dev->cfg.on_demand)
			m->used = dev->tick;
		to += n;
		gpa += n;
		len -= n;
	}
	return VBLK_OK;
}

int vblk_mem_status(struct vblk *dev, struct queue *q, struct slot *s)
{
	struct mem *m = mem_find(dev, q, s->status_gpa);

	if (!m || !allows(m, VBLK_WRITE))
		return missed(dev, q, m, s->status_gpa, 1, VBLK_WRITE);
	s->status = m->host + (s->status_gpa - m->gpa);
	s->region[dev->cfg.segs] = mem_id(dev, m);
	hold(dev, q, m);
	return VBLK_OK;
}

/* One guest range as host segments, appended to s. */
static int translate_range(struct vblk *dev, struct queue *q, struct slot *s,
			   const struct range *r, uint32_t perm)
{
	vblk_gpa gpa = r->gpa;
	uint32_t len = r->len;

	while (len > 0) {
		struct mem *m = mem_find(dev, q, gpa);
		uint32_t n = len;

		if (!m || !allows(m, perm))
			return missed(dev, q, m, gpa, len, perm);
		if (s->num_segs == dev->cfg.segs)
			return VBLK_ENOSPC;
		if (n > left_in(m, gpa))
			n = (uint32_t)left_in(m, gpa);
		s->seg[s->num_segs].host = m->host + (gpa - m->gpa);
		s->seg[s->num_segs].len = n;
		s->region[s->num_segs] = mem_id(dev, m);
		s->num_segs++;
		hold(dev, q, m);
		gpa += n;
		len -= n;
	}
	return VBLK_OK;
}

/*
 * All data ranges, or none. EUNMAPPED, EGUEST (no such memory), ENOSPC: more
 * mappings than segments.
 */
int vblk_mem_translate(struct vblk *dev, struct queue *q, struct slot *s)
{
	int r = VBLK_OK;

	s->num_segs = 0;
	for (uint16_t i = 0; i < s->num_ranges && r == VBLK_OK; i++)
		r = translate_range(dev, q, s, &s->range[i],
				    i < s->num_out ? VBLK_READ : VBLK_WRITE);
	if (r != VBLK_OK)
		while (s->num_segs > 0)
			vblk_mem_release(dev, q, s->region[--s->num_segs]);
	return r;
}

/* --- rings ----------------------------------------------------------------- */

static int area_mapped(struct vblk *dev, struct queue *q, const struct area *a,
		       uint32_t perm)
{
	vblk_gpa gpa = a->gpa;
	uint64_t len = a->len;

	while (len > 0) {
		struct mem *m = mem_find(dev, q, gpa);
		uint64_t n;

		if (!m || !allows(m, perm))
			return missed(dev, q, m, gpa, len, perm);
		n = left_in(m, gpa) < len ? left_in(m, gpa) : len;
		gpa += n;
		len -= n;
	}
	return VBLK_OK;
}

/* Take or give back a use of each region under the area. */
static void area_hold(struct vblk *dev, struct queue *q, struct area *a,
		      bool take)
{
	vblk_gpa gpa = a->gpa;
	uint64_t len = a->len;

	a->mem = NULL;
	a->host = NULL;
	while (len > 0) {
		struct mem *m = holder(dev, gpa);
		uint64_t n = left_in(m, gpa) < len ? left_in(m, gpa) : len;

		if (take)
			hold(dev, q, m);
		else
			vblk_mem_release(dev, q, mem_id(dev, m));
		if (take && n == a->len) {
			a->mem = m;
			a->host = m->host + (gpa - m->gpa);
		}
		gpa += n;
		len -= n;
	}
}

/* The rings are held until detach: not evicted, not reaped. */
int vblk_mem_attach(struct vblk *dev, struct queue *q)
{
	int r = area_mapped(dev, q, &q->desc, VBLK_READ);

	if (r == VBLK_OK)
		r = area_mapped(dev, q, &q->avail, VBLK_READ);
	if (r == VBLK_OK)
		r = area_mapped(dev, q, &q->used, VBLK_WRITE);
	if (r != VBLK_OK)
		return r;
	area_hold(dev, q, &q->desc, true);
	area_hold(dev, q, &q->avail, true);
	area_hold(dev, q, &q->used, true);
	q->attached = true;
	return VBLK_OK;
}

void vblk_mem_detach(struct vblk *dev, struct queue *q)
{
	if (!q->attached)
		return;
	area_hold(dev, q, &q->desc, false);
	area_hold(dev, q, &q->avail, false);
	area_hold(dev, q, &q->used, false);
	q->attached = false;
}

/* --- what the caller says and asks ------------------------------------------ */

static bool idle(const struct vblk *dev, uint16_t id)
{
	for (uint16_t i = 0; i < dev->cfg.num_queues; i++)
		if (dev->queue[i].refs[id] != 0)
			return false;
	return true;
}

static bool overlaps(vblk_gpa a, uint64_t a_len, vblk_gpa b, uint64_t b_len)
{
	return a < b ? b - a < a_len : a - b < b_len;
}

int vblk_mem_add(struct vblk *dev, const struct vblk_region *r)
{
	uint64_t odd = r->gpa | r->len | (uintptr_t)r->host;
	uint16_t at, id = 0;

	if (r->len == 0 || odd % VBLK_REGION_ALIGN != 0 ||
	    r->len - 1u > ~r->gpa || !r->host || !(r->perm & VBLK_RW))
		return VBLK_EINVAL;
	at = first_above(dev, r->gpa);
	for (uint16_t i = at > 0 ? (uint16_t)(at - 1u) : 0;
	     i < dev->num_mem && i <= at; i++) {
		const struct mem *m = &dev->mem[dev->order[i]];

		if (overlaps(m->gpa, m->len, r->gpa, r->len))
			return m->state == MEM_LIVE ? VBLK_EINVAL : VBLK_EBUSY;
	}
	if (dev->num_mem == dev->cfg.regions)
		return VBLK_ENOSPC;
	while (dev->mem[id].state != MEM_FREE)
		id++;
	for (uint16_t i = dev->num_mem; i > at; i--)
		dev->order[i] = dev->order[i - 1u];
	dev->order[at] = id;
	dev->num_mem++;
	dev->mem[id].gpa = r->gpa;
	dev->mem[id].len = r->len;
	dev->mem[id].host = r->host;
	dev->mem[id].dirty = r->dirty;
	dev->mem[id].used = dev->tick;
	dev->mem[id].perm = (uint8_t)r->perm;
	dev->mem[id].state = MEM_LIVE;
	if (r->perm & VBLK_TRANSIENT)
		dev->leaving++;
	return VBLK_OK;
}

static void forget(struct vblk *dev, uint16_t at, struct vblk_region *out)
{
	struct mem *m = &dev->mem[dev->order[at]];

	out->gpa = m->gpa;
	out->len = m->len;
	out->host = m->host;
	out->dirty = m->dirty;
	out->perm = m->perm;
	m->state = MEM_FREE;
	m->len = 0;
	dev->num_mem--;
	for (uint16_t i = at; i < dev->num_mem; i++)
		dev->order[i] = dev->order[i + 1u];
}

static bool under_ring(const struct queue *q, const struct mem *m)
{
	return q->attached &&
	       (overlaps(q->desc.gpa, q->desc.len, m->gpa, m->len) ||
		overlaps(q->avail.gpa, q->avail.len, m->gpa, m->len) ||
		overlaps(q->used.gpa, q->used.len, m->gpa, m->len));
}

int vblk_mem_revoke(struct vblk *dev, vblk_gpa gpa, uint64_t len)
{
	int r = VBLK_OK;

	for (uint16_t i = 0; i < dev->num_mem; i++) {
		uint16_t id = dev->order[i];
		struct mem *m = &dev->mem[id];

		if (!overlaps(m->gpa, m->len, gpa, len))
			continue;
		for (uint16_t k = 0; k < dev->cfg.num_queues; k++) {
			struct queue *q = &dev->queue[k];

			if (under_ring(q, m)) {
				vblk_mem_detach(dev, q);
				(void)vblk_distrust(q, "2.7");
			}
		}
		if (m->state == MEM_LIVE && !(m->perm & VBLK_TRANSIENT))
			dev->leaving++;
		m->state = MEM_REVOKED;
		if (!idle(dev, id))
			r = VBLK_EBUSY;
	}
	return r;
}

bool vblk_mem_idle(const struct vblk *dev, vblk_gpa gpa, uint64_t len)
{
	for (uint16_t i = 0; i < dev->num_mem; i++) {
		const struct mem *m = &dev->mem[dev->order[i]];

		if (overlaps(m->gpa, m->len, gpa, len) &&
		    !idle(dev, dev->order[i]))
			return false;
	}
	return true;
}

/* Mapped for a poll that has not come yet. */
static bool promised(const struct vblk *dev, const struct mem *m)
{
	return dev->asking && m->used == dev->tick;
}

bool vblk_mem_reap(struct vblk *dev, struct vblk_region *out)
{
	if (dev->leaving == 0)
		return false;
	for (uint16_t i = 0; i < dev->num_mem; i++) {
		const struct mem *m = &dev->mem[dev->order[i]];

		if (m->state == MEM_LIVE &&
		    (!(m->perm & VBLK_TRANSIENT) || promised(dev, m)))
			continue;
		if (!idle(dev, dev->order[i]))
			continue;
		dev->leaving--;
		forget(dev, i, out);
		return true;
	}
	return false;
}

bool vblk_mem_evict(struct vblk *dev, struct vblk_region *out)
{
	uint16_t best = VBLK_NONE;
	uint32_t age = 0;

	for (uint16_t i = 0; i < dev->num_mem; i++) {
		const struct mem *m = &dev->mem[dev->order[i]];

		if (m->state != MEM_LIVE || promised(dev, m) ||
		    !idle(dev, dev->order[i]))
			continue;
		if (best == VBLK_NONE || dev->tick - m->used > age) {
			best = i;
			age = dev->tick - m->used;
		}
	}
	if (best == VBLK_NONE)
		return false;
	if (dev->mem[dev->order[best]].perm & VBLK_TRANSIENT)
		dev->leaving--;
	forget(dev, best, out);
	return true;
}

struct gaps { struct vblk_range *out; size_t max, n; };

/* The parts of a range that no region holds, and a promise of those that do. */
static void add_gaps(struct vblk *dev, struct gaps *g, vblk_gpa gpa,
		     uint64_t len, uint32_t perm)
{
	while (len > 0 && g->n < g->max) {
		struct mem *m = holder(dev, gpa);
		uint16_t above = first_above(dev, gpa);
		uint64_t n = len;

		if (m) {
			m->used = dev->tick;
			n = left_in(m, gpa) < n ? left_in(m, gpa) : n;
		} else {
			if (above < dev->num_mem) {
				uint64_t to = dev->mem[dev->order[above]].gpa -
					      gpa;

				n = to < n ? to : n;
			}
			g->out[g->n].gpa = gpa;
			g->out[g->n].len = n;
			g->out[g->n].perm = perm;
			g->n++;
		}
		gpa += n;
		len -= n;
	}
}

int vblk_missing(struct vblk *dev, uint16_t queue, struct vblk_range *out,
		 size_t max)
{
	struct gaps g = { out, max, 0 };
	struct queue *q;

	if (queue >= dev->cfg.num_queues)
		return VBLK_EINVAL;
	q = &dev->queue[queue];
	if (q->miss.len == 0)
		return 0;
	dev->tick++;
	dev->asking = q;
	if (q->parsed != VBLK_NONE) {
		const struct slot *s = &q->slot[q->parsed];

		for (uint16_t i = 0; i < s->num_ranges; i++)
			add_gaps(dev, &g, s->range[i].gpa, s->range[i].len,
				 i < s->num_out ? VBLK_READ : VBLK_WRITE);
		add_gaps(dev, &g, s->status_gpa, 1, VBLK_WRITE);
	} else if (!q->attached) {
		add_gaps(dev, &g, q->desc.gpa, q->desc.len, VBLK_READ);
		add_gaps(dev, &g, q->avail.gpa, q->avail.len, VBLK_READ);
		add_gaps(dev, &g, q->used.gpa, q->used.len, VBLK_WRITE);
	} else {
		add_gaps(dev, &g, q->miss.gpa, q->miss.len, q->miss.perm);
	}
	return (int)g.n;
}

void vblk_absent(struct vblk *dev, uint16_t queue)
{
	if (queue < dev->cfg.num_queues)
		dev->queue[queue].absent = true;
}

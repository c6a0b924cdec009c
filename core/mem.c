/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest memory: a table of regions sorted by address, and the ways from a guest
 * address to a host pointer. A region is live, or revoked and waiting for its
 * last request, or free. Who uses a region is counted per queue, so that lanes
 * on different threads share no counter.
 */
#include "bytes.h"
#include "dev.h"

/* The region, live or revoked, that holds gpa; *above: of the next one. */
static struct mem *holder(const struct vblk *dev, vblk_gpa gpa, uint32_t *above)
{
	uint32_t lo = 0, hi = dev->num_mem;
	struct mem *m;

	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2u;

		if (dev->mem[dev->order[mid]].r.gpa > gpa)
			hi = mid;
		else
			lo = mid + 1u;
	}
	*above = lo;
	if (lo == 0)
		return NULL;
	m = &dev->mem[dev->order[lo - 1u]];
	return gpa - m->r.gpa < m->r.len ? m : NULL;
}

struct mem *vblk_mem_search(struct queue *q, vblk_gpa gpa)
{
	uint32_t above;
	struct mem *m = holder(q->dev, gpa, &above);

	if (!m || m->state != MEM_LIVE)
		return NULL;
	q->hint = q->dev->order[above - 1u];
	return m;
}

/* From gpa, which no region holds, to the next one. */
static uint64_t gap(const struct vblk *dev, uint32_t above, vblk_gpa gpa)
{
	return above == dev->num_mem ? UINT64_MAX
				     : dev->mem[dev->order[above]].r.gpa - gpa;
}

/*
 * One step along the guest range q->miss: what of it lies in one region, at
 * *host, is taken off its front. It does not wrap: whoever read it from the
 * guest has checked. Returns the region, q->hint; or EUNMAPPED, and q->miss is
 * what is missing; or EGUEST: no such memory, or not for this.
 */
static VBLK_HOT int piece(struct queue *q, uint8_t **host)
{
	struct vblk *dev = q->dev;
	struct vblk_range *r = &q->miss;
	struct mem *m = mem_find(q, r->gpa);
	uint64_t off, left;

	if (!m && on_demand(dev) && !q->absent)
		return VBLK_EUNMAPPED;
	if (!m || (m->r.perm & r->perm) != r->perm) {
		r->len = 0;
		return VBLK_EGUEST;
	}
	off = r->gpa - m->r.gpa;
	*host = (uint8_t *)m->r.host + off;
	left = m->r.len - off;
	if (left > r->len)
		left = r->len;
	r->gpa += left;
	r->len -= left;
	if (on_demand(dev) && m->used != dev->tick)
		m->used = dev->tick - (dev->asking && dev->asking != q);
	return q->hint;
}

static inline void walk_range(struct queue *q, vblk_gpa gpa, uint32_t len,
		       uint32_t perm)
{
	q->miss.gpa = gpa;
	q->miss.len = len;
	q->miss.perm = perm;
}

void vblk_mem_dirty(const struct mem *m, const uint8_t *host, uint64_t len)
{
	/* from the first page that the bitmap has a bit for */
	uint64_t at = (m->r.gpa & ((8u << VBLK_PAGE_SHIFT) - 1u)) +
		      ((uintptr_t)host - (uintptr_t)m->r.host);
	size_t page = (size_t)(at >> VBLK_PAGE_SHIFT);
	size_t last = (size_t)((at + (len - 1u)) >> VBLK_PAGE_SHIFT);

	for (; page <= last; page++)
		vblk_dirty_or(&m->r.dirty[page / 8u],
			      (uint8_t)(1u << (page % 8u)));
}

/* Each byte once; len is that of a descriptor, header or extent. */
int vblk_mem_snapshot(struct queue *q, vblk_gpa gpa, uint32_t len, void *dst)
{
	uint8_t *to = dst, *host;

	walk_range(q, gpa, len, VBLK_READ);
	while (len > 0) {
		int id = piece(q, &host);
		uint32_t left = (uint32_t)q->miss.len;

		if (id < 0)
			return id;
		vblk_snapshot(to, host, len - left);
		to += len - left;
		len = left;
	}
	return VBLK_OK;
}

int vblk_mem_status(struct queue *q, struct slot *s)
{
	int id;

	walk_range(q, s->status_gpa, 1, VBLK_WRITE);
	id = piece(q, &s->status);
	if (id < 0)
		return id;
	s->region[q->dev->cfg.segs] = (uint16_t)id;
	q->refs[id]++;
	return VBLK_OK;
}

/* What is left of range i after its first piece becomes range i + 1. */
static bool split(const struct vblk *dev, struct slot *s, uint32_t i,
		  const struct vblk_range *rest)
{
	if (s->num_ranges == dev->cfg.segs)
		return false;
	for (uint32_t k = s->num_ranges++; k > i + 1u; k--)
		s->range[k] = s->range[k - 1u];
	if (i < s->num_out)
		s->num_out++;
	s->range[i + 1u].gpa = rest->gpa;
	s->range[i + 1u].len = (uint32_t)rest->len;
	return true;
}

/*
 * Segments are ranges again, from the last: a range is the larger of the two.
 */
static void undo(struct queue *q, struct slot *s)
{
	while (s->req.num_segs > 0) {
		uint16_t i = --s->req.num_segs;
		struct vblk_seg seg = s->seg[i];
		const struct vblk_region *r = &q->dev->mem[s->region[i]].r;

		q->refs[s->region[i]]--;
		if (!on_demand(q->dev))
			continue;       /* it is not tried again */
		s->range[i].gpa = r->gpa +
				  ((uintptr_t)seg.host - (uintptr_t)r->host);
		s->range[i].len = seg.len;
	}
}

/*
 * All data ranges to segments, in place, or none. EUNMAPPED, EGUEST (no such
 * memory), ENOSPC: more mappings than segments.
 */
int vblk_mem_translate(struct queue *q, struct slot *s)
{
	for (uint32_t i = 0; i < s->num_ranges; i++) {
		struct vblk_seg seg;
		uint8_t *host;
		int id;

		walk_range(q, s->range[i].gpa, s->range[i].len,
			   i < s->num_out ? VBLK_READ : VBLK_WRITE);
		id = piece(q, &host);
		seg.len = s->range[i].len - (uint32_t)q->miss.len;
		if (id >= 0 && q->miss.len > 0 &&
		    !split(q->dev, s, i, &q->miss))
			id = VBLK_ENOSPC;
		if (id < 0) {
			undo(q, s);
			return id;
		}
		seg.host = host;
		s->seg[i] = seg;
		s->region[i] = (uint16_t)id;
		s->req.num_segs = (uint16_t)(i + 1u);
		q->refs[id]++;
	}
	return VBLK_OK;
}

/* --- rings ---------------------------------------------------------------- */

static uint32_t area_perm(const struct queue *q, unsigned kind)
{
	if (kind == AREA_USED)
		return VBLK_WRITE;
	return kind == AREA_DESC && is_packed(q) ? VBLK_RW : VBLK_READ;
}

/* Every region under an area, its count of uses changed by `uses`. */
static int area_walk(struct queue *q, unsigned kind, int uses)
{
	struct area *a = &q->area[kind];
	uint32_t len = area_len(q, kind), left = len;
	uint8_t *host;

	a->host = NULL;
	if (len - 1u > ~a->gpa)
		return VBLK_EGUEST;     /* memory does not go round */
	walk_range(q, a->gpa, len, area_perm(q, kind));
	while (left > 0) {
		int id = piece(q, &host);

		if (id < 0)
			return id;
		q->refs[id] += (uint32_t)uses;
		if (left == len && q->miss.len == 0) {
			q->home[kind] = (uint16_t)id;
			a->host = host;
		}
		left = (uint32_t)q->miss.len;
	}
	return VBLK_OK;
}

static int rings_walk(struct queue *q, int uses)
{
	int r = VBLK_OK;

	for (unsigned k = 0; k < AREAS && r == VBLK_OK; k++)
		r = area_walk(q, k, uses);
	return r;
}

/* The rings are held until detach: not evicted, not reaped. */
int vblk_mem_attach(struct queue *q)
{
	int r = rings_walk(q, 0);

	if (r != VBLK_OK)
		return r;
	q->attached = true;
	return rings_walk(q, 1);
}

void vblk_mem_detach(struct queue *q)
{
	if (q->attached)
		(void)rings_walk(q, -1);
	q->attached = false;
}

/* --- what the caller says and asks ---------------------------------------- */

static VBLK_APART bool idle(const struct vblk *dev, uint32_t id)
{
	for (uint32_t i = 0; i < dev->cfg.num_queues; i++)
		if (dev->queue[i].refs[id] != 0)
			return false;
	return true;
}

static VBLK_APART bool overlaps(const struct mem *m, vblk_gpa gpa, uint64_t len)
{
	return len != 0 && (m->r.gpa < gpa ? gpa - m->r.gpa < m->r.len
					   : m->r.gpa - gpa < len);
}

bool vblk_mem_full(const struct vblk *dev)
{
	return dev->num_mem == dev->cfg.regions;
}

static int add_check(const struct vblk *dev, const struct vblk_region *r,
		     uint32_t *at)
{
	uint64_t odd = r->gpa | r->len | (uintptr_t)r->host;
	const struct mem *m = holder(dev, r->gpa, at);

	if (r->len == 0 || odd % VBLK_REGION_ALIGN != 0 ||
	    r->len - 1u > ~r->gpa || !r->host ||
	    r->len - 1u > UINTPTR_MAX - (uintptr_t)r->host ||
	    !(r->perm & VBLK_RW))
		return VBLK_EINVAL;
	if (!m && gap(dev, *at, r->gpa) < r->len)
		m = &dev->mem[dev->order[*at]];
	if (m)
		return m->state == MEM_LIVE ? VBLK_EINVAL : VBLK_EBUSY;
	return vblk_mem_full(dev) ? VBLK_ENOSPC : VBLK_OK;
}

int vblk_mem_add(struct vblk *dev, const struct vblk_region *r)
{
	uint32_t at;
	uint16_t id = 0;
	int err = add_check(dev, r, &at);

	if (err != VBLK_OK)
		return err;
	while (dev->mem[id].state != MEM_FREE)
		id++;
	for (uint32_t i = dev->num_mem++; i > at; i--)
		dev->order[i] = dev->order[i - 1u];
	dev->order[at] = id;
	dev->mem[id].r = *r;
	dev->mem[id].used = dev->tick;
	dev->mem[id].state = MEM_LIVE;
	if (r->perm & VBLK_TRANSIENT)
		dev->leaving++;
	return VBLK_OK;
}

static void forget(struct vblk *dev, uint32_t at, struct vblk_region *out)
{
	struct mem *m = &dev->mem[dev->order[at]];

	*out = m->r;
	m->state = MEM_FREE;
	m->r.len = 0;
	dev->num_mem--;
	for (uint32_t i = at; i < dev->num_mem; i++)
		dev->order[i] = dev->order[i + 1u];
}

static bool under_ring(const struct queue *q, const struct mem *m)
{
	for (unsigned k = 0; k < AREAS; k++)
		if (q->attached && overlaps(m, q->area[k].gpa, area_len(q, k)))
			return true;
	return false;
}

int vblk_mem_revoke(struct vblk *dev, vblk_gpa gpa, uint64_t len)
{
	for (uint32_t i = 0; i < dev->num_mem; i++) {
		struct mem *m = &dev->mem[dev->order[i]];

		if (!overlaps(m, gpa, len))
			continue;
		for (uint32_t k = 0; k < dev->cfg.num_queues; k++) {
			struct queue *q = &dev->queue[k];

			if (under_ring(q, m)) {
				vblk_mem_detach(q);
				(void)vblk_distrust(q, "2.7");
			}
		}
		if (m->state == MEM_LIVE && !(m->r.perm & VBLK_TRANSIENT))
			dev->leaving++;
		m->state = MEM_REVOKED;
	}
	return vblk_mem_idle(dev, gpa, len) ? VBLK_OK : VBLK_EBUSY;
}

bool vblk_mem_idle(const struct vblk *dev, vblk_gpa gpa, uint64_t len)
{
	for (uint32_t i = 0; i < dev->num_mem; i++) {
		const struct mem *m = &dev->mem[dev->order[i]];

		if (overlaps(m, gpa, len) && !idle(dev, dev->order[i]))
			return false;
	}
	return true;
}

/* Mapped for a poll that has not come yet. */
static bool promised(const struct vblk *dev, const struct mem *m)
{
	return dev->asking && m->used == dev->tick;
}

void vblk_mem_unpromise(struct vblk *dev)
{
	dev->tick++;
}

/*
 * Give up a region that is idle: one that is leaving, or if none is, the one
 * unused longest.
 */
static bool give_up(struct vblk *dev, bool leaving, struct vblk_region *out)
{
	uint32_t best = VBLK_NONE, age = 0;
	const struct mem *m;

	for (uint32_t i = 0; i < dev->num_mem; i++) {
		bool live;

		m = &dev->mem[dev->order[i]];
		live = m->state == MEM_LIVE;
		if ((leaving ? live && !(m->r.perm & VBLK_TRANSIENT) : !live) ||
		    (live && promised(dev, m)) || !idle(dev, dev->order[i]))
			continue;
		if (best == VBLK_NONE || dev->tick - m->used > age) {
			best = i;
			age = dev->tick - m->used;
		}
		if (leaving)
			break;
	}
	if (best == VBLK_NONE)
		return false;
	m = &dev->mem[dev->order[best]];
	if (m->state != MEM_LIVE || (m->r.perm & VBLK_TRANSIENT))
		dev->leaving--;
	forget(dev, best, out);
	return true;
}

bool vblk_mem_reap(struct vblk *dev, struct vblk_region *out)
{
	return dev->leaving > 0 && give_up(dev, true, out);
}

bool vblk_mem_evict(struct vblk *dev, struct vblk_region *out)
{
	return give_up(dev, false, out);
}

struct gaps { struct vblk_range *out; size_t max, n; };

/* The parts of a range that no region holds, and a promise of those that do. */
static void add_gaps(struct vblk *dev, struct gaps *g, vblk_gpa gpa,
		     uint64_t len, uint32_t perm)
{
	while (len > 0 && g->n < g->max) {
		uint32_t above;
		struct mem *m = holder(dev, gpa, &above);
		uint64_t n = m ? m->r.len - (gpa - m->r.gpa)
			       : gap(dev, above, gpa);

		if (n > len)
			n = len;
		if (m) {
			m->used = dev->tick;
		} else {
			struct vblk_range *r = &g->out[g->n++];

			r->gpa = gpa;
			r->len = n;
			r->perm = perm;
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
	/*
	 * One queue at a time: from here to the poll that gets through, what it
	 * touches is promised to it (used is tick), what others touch is not.
	 */
	if (dev->asking && dev->asking != q)
		return 0;
	if (!dev->asking)
		vblk_mem_unpromise(dev);
	dev->asking = q;
	if (q->parsed != VBLK_NONE) {
		const struct slot *s = &q->slot[q->parsed];

		for (uint32_t i = 0; i < s->num_ranges; i++)
			add_gaps(dev, &g, s->range[i].gpa, s->range[i].len,
				 i < s->num_out ? VBLK_READ : VBLK_WRITE);
		add_gaps(dev, &g, s->status_gpa, 1, VBLK_WRITE);
	} else if (!q->attached) {
		for (unsigned k = 0; k < AREAS; k++)
			add_gaps(dev, &g, q->area[k].gpa, area_len(q, k),
				 area_perm(q, k));
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

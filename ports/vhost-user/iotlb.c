/* SPDX-License-Identifier: BSD-2-Clause */
#include "iotlb.h"

#include <string.h>

#define PAGE 4096u

/* The first entry that ends above iova. */
static unsigned first(const struct iotlb *t, uint64_t iova)
{
	unsigned lo = 0, hi = t->n;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2u;

		if (t->entry[mid].iova + (t->entry[mid].size - 1u) < iova)
			lo = mid + 1u;
		else
			hi = mid;
	}
	return lo;
}

static const struct translation *find(const struct iotlb *t, uint64_t iova)
{
	unsigned i = first(t, iova);

	return i < t->n && t->entry[i].iova <= iova ? &t->entry[i] : NULL;
}

void iotlb_clear(struct iotlb *t)
{
	t->n = 0;
	t->misses = 0;
}

/* Entries that reach into the range go as a whole: they are asked for again. */
void iotlb_invalidate(struct iotlb *t, uint64_t iova, uint64_t size)
{
	uint64_t last = size == 0 || size - 1u > UINT64_MAX - iova
				? UINT64_MAX
				: iova + (size - 1u);
	unsigned from = first(t, iova), to = from;

	while (to < t->n && t->entry[to].iova <= last)
		to++;
	memmove(&t->entry[from], &t->entry[to],
		(t->n - to) * sizeof(t->entry[0]));
	t->n -= to - from;
}

/* The guest's tables changed: what was refused may be asked for again. */
static void forget_refusals(struct iotlb *t)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < t->misses; i++)
		if (!t->miss[i].refused)
			t->miss[kept++] = t->miss[i];
	t->misses = kept;
}

bool iotlb_update(struct iotlb *t, const struct memory *m,
		  const struct msg_iotlb *u)
{
	const struct slot *s = memory_user(m, u->user, u->size);
	unsigned at;

	if (u->size == 0 || u->size - 1u > UINT64_MAX - u->iova || !s ||
	    s->lost || !(u->perm & VBLK_RW) ||
	    (u->iova | u->size | u->user) % PAGE)
		return false;
	iotlb_invalidate(t, u->iova, u->size);
	forget_refusals(t);
	if (t->n == IOTLB_ENTRIES)
		t->n = 0;       /* a cache: the rest is asked for again */
	at = first(t, u->iova);
	memmove(&t->entry[at + 1u], &t->entry[at],
		(t->n - at) * sizeof(t->entry[0]));
	t->n++;
	t->entry[at] = (struct translation){
		.iova = u->iova,
		.size = u->size,
		.gpa = s->gpa + (u->user - s->user),
		.host = s->host + (u->user - s->user),
		.perm = u->perm & (uint32_t)VBLK_RW
	};
	return true;
}

static int miss(struct iotlb *t, uint64_t iova, uint32_t perm, bool *ask)
{
	for (unsigned i = 0; i < t->misses; i++) {
		struct miss *m = &t->miss[i];

		if (m->iova != iova || (m->perm & perm) != perm)
			continue;
		if (!m->refused)
			return VBLK_EUNMAPPED;
		memmove(m, m + 1, (--t->misses - i) * sizeof(*m));
		return VBLK_EGUEST;
	}
	*ask = t->misses < IOTLB_MISSES;
	if (*ask)
		t->miss[t->misses++] = (struct miss){ iova, perm, false };
	return VBLK_EUNMAPPED;
}

void iotlb_answered(struct iotlb *t, bool refused)
{
	for (unsigned i = 0; i < t->misses; i++) {
		if (t->miss[i].refused)
			continue;
		if (refused)
			t->miss[i].refused = true;
		else
			memmove(&t->miss[i], &t->miss[i + 1u],
				(--t->misses - i) * sizeof(t->miss[0]));
		return;
	}
}

/* How far from iova, at most to `to`, both sides go on without a break. */
static uint64_t stretch(const struct iotlb *t, const struct translation *e,
			uint64_t to)
{
	const struct translation *end = &t->entry[t->n];
	uint64_t next = e->iova + e->size;

	while (next < to && e + 1 < end && e[1].iova == next &&
	       e[1].host == e->host + e->size && e[1].perm == e->perm) {
		e++;
		next = e->iova + e->size;
	}
	return next < to ? next : to;
}

int iotlb_map(struct iotlb *t, const struct vblk_range *want, uint64_t window,
	      struct vblk_region *out, bool *ask)
{
	uint64_t from = want->gpa & ~(uint64_t)(PAGE - 1u);
	uint64_t last = (want->gpa + (want->len - 1u)) | (PAGE - 1u);
	const struct translation *e = find(t, from);

	*ask = false;
	if (!e)
		return miss(t, from, want->perm, ask);
	if ((e->perm & want->perm) != want->perm)
		return VBLK_EGUEST;
	if (last > (from | (window - 1u)))
		last = from | (window - 1u);
	out->gpa = from;
	out->len = stretch(t, e, last) - from;
	if (out->gpa + out->len == last)        /* last is inclusive */
		out->len++;
	out->host = e->host + (from - e->iova);
	out->dirty = NULL;
	out->perm = e->perm;
	return VBLK_OK;
}

uint64_t iotlb_gpa(const struct iotlb *t, uint64_t iova)
{
	const struct translation *e = find(t, iova);

	return e ? e->gpa + (iova - e->iova) : 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The packed virtqueue, virtio 1.4, 2.8: descriptor ring to private chain, and
 * used descriptors back into the same ring. A position is an index with the
 * wrap counter in bit 15; from next_used to next_avail the q->out descriptors
 * are ours. The flags of a chain's first descriptor are read once and decide;
 * what is read of a descriptor afterwards goes into a private copy.
 *
 * Used descriptors of a batch are written behind the first one's old flags, so
 * that the driver sees none until publish writes those.
 */
#include "inflight_packed.h"
#include "ring.h"

#define AVAIL_USED (VBLK_DESC_AVAIL | VBLK_DESC_USED)
#define LEN_AT	   (uint32_t)offsetof(struct vblk_packed_desc, len)
#define ID_AT	   (uint32_t)offsetof(struct vblk_packed_desc, id)
#define FLAGS_AT   (uint32_t)offsetof(struct vblk_packed_desc, flags)

/* --- positions ------------------------------------------------------------ */

static uint16_t index_of(uint16_t pos)
{
	return pos & (VBLK_WRAP - 1u);
}

static uint16_t ahead(const struct queue *q, uint16_t pos, uint32_t n)
{
	uint32_t i = index_of(pos) + n;
	uint32_t wrap = pos & VBLK_WRAP;

	if (i >= q->size) {
		i -= q->size;
		wrap ^= VBLK_WRAP;
	}
	return (uint16_t)(i | wrap);
}

/* Descriptors from one position on to another; more than size: nonsense. */
static uint32_t between(const struct queue *q, uint16_t from, uint16_t to)
{
	uint32_t lap = (from ^ to) & VBLK_WRAP ? q->size : 0;

	return lap + index_of(to) - index_of(from);
}

/* What the driver's flags are when a descriptor there is available, 2.8.1. */
static uint16_t fresh_at(uint16_t pos)
{
	return pos & VBLK_WRAP ? VBLK_DESC_AVAIL : VBLK_DESC_USED;
}

bool vblk_packed_valid(const struct queue *q)
{
	return index_of(q->next_used) < q->size &&
	       index_of(q->next_avail) < q->size &&
	       between(q, q->next_used, q->next_avail) <= q->size;
}

/* --- descriptor ring to chain --------------------------------------------- */

static uint16_t flags_at(struct queue *q, uint16_t pos)
{
	return vblk_ring_load16(q, AREA_DESC, 16u * index_of(pos) + FLAGS_AT);
}

static bool available(uint16_t flags, uint16_t pos)
{
	return (flags & AVAIL_USED) == fresh_at(pos);
}

/* flags: those of a chain's first descriptor, which were read already. */
static void first_desc(struct queue *q, uint16_t pos, uint16_t flags,
		       struct vblk_desc *d)
{
	uint8_t *p = vblk_ring_at(q, AREA_DESC, 16u * index_of(pos));

	vblk_snapshot(&d->addr, __builtin_assume_aligned(p, 16), 8);
	d->len = vblk_load32((struct vblk_le32 *)(void *)(p + LEN_AT));
	d->next = vblk_load16((struct vblk_le16 *)(void *)(p + ID_AT));
	d->flags = vblk_le16_make(flags);
}

/*
 * The n-th of the chain, its id in next. False: the log was tampered with.
 */
static bool next_desc(struct queue *q, const struct slot *s, struct chain *c,
		      uint32_t n)
{
	int next = 0;

	if (!c->replay) {
		if (n == 1) {
			first_desc(q, c->at, c->flags, &c->desc);
		} else {
			vblk_ring_desc(q, index_of(c->at), &c->desc);
			desc_unpack(&c->desc);
		}
		c->at = ahead(q, c->at, 1);
	}
	if (log_of(q))
		next = c->replay ? vblk_plog_read(q, c->entry, &c->desc)
				 : vblk_plog_note(q, s, c->entry, n, &c->desc);
	c->entry = (uint16_t)next;
	return next >= 0;
}

/*
 * Every descriptor up to the last, which has the buffer's id, also of a chain
 * that is broken: where the next one begins is known only by walking.
 */
static int walk_ring(struct queue *q, struct slot *s, struct chain *c)
{
	for (uint32_t n = 1; n <= c->most; n++) {
		uint16_t flags;
		int r = VBLK_OK;

		if (!next_desc(q, s, c, n))
			break;
		flags = vblk_le16_get(c->desc.flags);
		s->head = vblk_le16_get(c->desc.next);
		s->descs = (uint16_t)n;
		if (c->broken)
			; /* on to its end */
		else if (!(flags & VBLK_DESC_INDIRECT))
			r = vblk_chain_add(q, s, c);
		else if (!has(q->dev, VBLK_F_INDIRECT_DESC) || n > 1 ||
			 (flags & VBLK_DESC_NEXT))
			c->broken = "2.8.8";
		else
			r = vblk_chain_table(q, s, c);
		if (r == VBLK_EUNMAPPED)
			return r;
		if (!(flags & VBLK_DESC_NEXT))
			return 1;
	}
	return vblk_distrust(q, "2.8.6");
}

int vblk_packed_fetch(struct queue *q, struct slot *s, struct chain *c)
{
	c->at = q->next_avail;
	c->replay = log_of(q) && q->replay > 0;
	if (c->replay) {
		c->entry = s->entry = vblk_log_next(q, false);
		if (s->entry == VBLK_NONE)
			return vblk_distrust(q, "2.8");
		c->most = vblk_plog_length(q, s->entry);
	} else {
		c->most = (uint16_t)(q->size - q->out);
		if (c->most == 0)
			return 0; /* all are ours: no driver may lap us */
		c->flags = flags_at(q, c->at);
		if (!available(c->flags, c->at))
			return 0;
		vblk_rmb(); /* flags before the rest, 2.8.21.1 */
		if (log_of(q))
			c->entry = s->entry = vblk_plog_free(q);
	}
	vblk_chain_begin(s, c, 0);
	return walk_ring(q, s, c);
}

void vblk_packed_take(struct queue *q, struct slot *s)
{
	if (log_of(q) && q->replay > 0) {
		(void)vblk_log_next(q, true);
		return;
	}
	/* first the log: a crash here fetches the chain again */
	if (log_of(q))
		vblk_plog_taken(q, s->entry);
	q->next_avail = ahead(q, q->next_avail, s->descs);
	q->out = (uint16_t)(q->out + s->descs);
}

/* --- used descriptors ----------------------------------------------------- */

static void store_flags(struct queue *q, uint16_t pos, uint32_t flags)
{
	vblk_ring_store16(q, AREA_DESC, 16u * index_of(pos) + FLAGS_AT,
			  (uint16_t)flags);
}

/* 2.8.1, and WRITE if something was written, 2.8.4. */
static void show(struct queue *q, uint16_t pos, bool wrote)
{
	store_flags(q, pos,
		    (pos & VBLK_WRAP ? AVAIL_USED : 0u) |
			    (wrote ? VBLK_DESC_WRITE : 0u));
}

void vblk_packed_put(struct queue *q, struct slot *s, uint32_t len)
{
	uint16_t pos = q->next_used;
	uint32_t off = 16u * index_of(pos);

	if (!q->attached)
		return; /* the ring's memory is gone */
	vblk_ring_store32(q, AREA_DESC, off + LEN_AT, len);
	vblk_ring_store16(q, AREA_DESC, off + ID_AT, s->head);
	if (pos == q->published)
		q->wrote = len > 0; /* its flags show the batch: publish */
	else
		show(q, pos, len > 0);
	if (log_of(q))
		vblk_plog_put(q, s->entry, pos == q->published);
	q->next_used = ahead(q, pos, s->descs);
	q->out = (uint16_t)(q->out - s->descs);
}

/* 2.8.10: did the n descriptors before next_used pass the driver's event? */
static bool wanted(struct queue *q, uint32_t n)
{
	uint8_t *p = vblk_ring_at(q, AREA_AVAIL, 0);
	uint32_t v = vblk_le32_get(vblk_load32((struct vblk_le32 *)(void *)p));
	uint32_t flags = v >> 16 & 3u, after;

	if (flags != VBLK_EVENT_DESC || !has(q->dev, VBLK_F_EVENT_IDX))
		return flags != VBLK_EVENT_DISABLE;
	/* how far next_used is past it, at most one lap */
	after = between(q, (uint16_t)v, q->next_used);
	return after - 1u < n;
}

bool vblk_packed_publish(struct queue *q)
{
	uint16_t old = q->published;

	if (log_of(q))
		vblk_plog_publish(q);
	vblk_wmb(); /* data, status, descriptors before flags */
	show(q, old, q->wrote);
	q->published = q->next_used;
	if (log_of(q))
		vblk_plog_published(q);
	vblk_mb(); /* flags before the driver's wish, 2.8.21.3.1 */
	return wanted(q, between(q, old, q->next_used));
}

/* --- notifications -------------------------------------------------------- */

static void wish(struct queue *q, uint32_t flags, uint16_t pos)
{
	vblk_ring_store32(q, AREA_USED, 0, flags << 16 | pos);
}

void vblk_packed_quiet(struct queue *q)
{
	wish(q, VBLK_EVENT_DISABLE, 0);
}

static bool something(struct queue *q)
{
	return q->out < q->size &&
	       available(flags_at(q, q->next_avail), q->next_avail);
}

bool vblk_packed_arm(struct queue *q)
{
	if (something(q))
		return false;
	if (has(q->dev, VBLK_F_EVENT_IDX))
		wish(q, VBLK_EVENT_DESC, q->next_avail);
	else if (q->quiet)
		wish(q, VBLK_EVENT_ENABLE, 0);
	q->quiet = false;
	vblk_mb(); /* our wish before a last look, 2.8.10 */
	return !something(q);
}

/* --- the beginning -------------------------------------------------------- */

/*
 * The last life wrote used descriptors that it did not publish: the driver must
 * not find them when it gets there, since their chains are executed again.
 */
static void unwrite(struct queue *q)
{
	uint16_t pos = q->next_used;

	for (uint32_t i = 0; i < q->out; i++, pos = ahead(q, pos, 1))
		store_flags(q, pos, fresh_at(pos));
}

int vblk_packed_begin(struct queue *q)
{
	wish(q, VBLK_EVENT_ENABLE, 0);
	q->used_from_ring = false;
	if (log_goes_on(q)) {
		uint16_t old = vblk_plog_used(q);

		/* was the batch of the crash shown to the driver? */
		if (index_of(old) >= q->size ||
		    !vblk_plog_recover(q, !available(flags_at(q, old), old)))
			return vblk_distrust(q, "2.8");
		q->next_avail = ahead(q, q->next_used, q->out);
		unwrite(q);
	} else {
		q->out = (uint16_t)between(q, q->next_used, q->next_avail);
		if (log_of(q))
			vblk_plog_begin(q);
	}
	q->published = q->next_used;
	return VBLK_OK;
}

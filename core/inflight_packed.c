/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The in-flight log of a packed ring. Used descriptors overwrite the available
 * ones, so that the log keeps a copy of each until its chain is given back.
 *
 *     noted      copies into entries from free_head on, last and num in the
 *                first; nothing has happened yet
 *     taken      counter, inflight = 1, then free_head moves past the chain
 *     put        linked into a batch by the last entry of each chain
 *     publish    the batch goes in front of the free entries, used moves
 *     published  after the flags: inflight = 0 along the batch, then the old_
 *                words follow
 *
 * A crash between the last two shows as used != old_used; whether the
 * flags were written decides if the step is finished or taken back.
 */
#include "inflight_packed.h"

#include "inflight.h"

struct packed_log {
	struct vblk_inflight head;
	uint16_t used_idx, old_used_idx;
	uint8_t  used_wrap, old_used_wrap; /* counters, 0 or 1 */
	uint8_t  padding[2];
	/* vhost-user: padding. Index and wrap counter, in words that a crash
	 * cannot tear; those above are for who looks at the log */
	uint16_t used, old_used;
	uint8_t  more_padding[4];
};

struct packed_entry {
	struct log_entry e;
	uint16_t id, flags;     /* our own byte order */
	uint32_t len;
	uint64_t addr;
};

_Static_assert(sizeof(struct packed_log) == 32, "log header");
_Static_assert(sizeof(struct packed_entry) == 32, "log entry");

static struct packed_log *log_of_packed(const struct queue *q)
{
	return (struct packed_log *)(void *)q->log;
}

static struct log_entry *entry(const struct queue *q, uint32_t i)
{
	return log_at(q->log, true, i);
}

static struct packed_entry *whole(const struct queue *q, uint32_t i)
{
	return (struct packed_entry *)(void *)entry(q, i);
}

uint16_t vblk_plog_used(const struct queue *q)
{
	return log_of_packed(q)->old_used;
}

static void set_used(struct packed_log *log, uint16_t pos)
{
	log->used_idx = pos & (VBLK_WRAP - 1u);
	log->used_wrap = (pos & VBLK_WRAP) != 0;
	log->used = pos;
}

static void old_follows(struct packed_log *log)
{
	log->head.old_free_head = log->head.free_head;
	log->old_used_idx = log->used_idx;
	log->old_used_wrap = log->used_wrap;
	in_order();
	log->old_used = log->used;
}

void vblk_plog_begin(struct queue *q)
{
	struct packed_log *log = log_of_packed(q);

	vblk_inflight_reset(&log->head);
	for (uint32_t i = 0; i < q->size; i++)
		entry(q, i)->link = (uint16_t)(i + 1u);
	log->head.free_head = 0;
	set_used(log, q->next_used);
	old_follows(log);
	vblk_log_fresh_start(q);
}

/* --- a chain comes ... ---------------------------------------------------- */

static int next_of(const struct packed_entry *p)
{
	return __atomic_load_n(&p->e.link, __ATOMIC_RELAXED);
}

int vblk_plog_note(struct queue *q, const struct slot *s, uint16_t at,
		   uint32_t n, const struct vblk_desc *d)
{
	struct packed_entry *p;

	if (at >= q->size)      /* the head's, s->entry, is the first of all */
		return VBLK_EGUEST;
	p = whole(q, at);
	p->id = vblk_le16_get(d->next);
	p->flags = vblk_le16_get(d->flags);
	p->len = vblk_le32_get(d->len);
	p->addr = vblk_le64_get(d->addr);
	entry(q, s->entry)->last = at;
	entry(q, s->entry)->num = (uint16_t)n;
	return next_of(p);
}

/*
 * head and last were checked when it was noted; others may write since. While
 * it waited for memory, batches may have come in front of it.
 */
void vblk_plog_taken(struct queue *q, uint16_t head)
{
	uint16_t *word = &q->log->free_head, last, at;

	vblk_log_taken(q, head);
	for (uint32_t n = 0;
	     n < q->size && *word != head && log_names(q, word, &at); n++)
		word = &entry(q, at)->link;
	if (log_names(q, &entry(q, head)->last, &last))
		*word = entry(q, last)->link;
	q->log->old_free_head = q->log->free_head;
	in_order();
}

int vblk_plog_read(const struct queue *q, uint16_t at, struct vblk_desc *d)
{
	const struct packed_entry *p;

	if (at >= q->size)
		return VBLK_EGUEST;
	p = whole(q, at);
	d->addr = vblk_le64_make(p->addr);
	d->len = vblk_le32_make(p->len);
	d->next = vblk_le16_make(p->id);
	d->flags = vblk_le16_make(p->flags);
	return next_of(p);
}

/* --- ... and goes --------------------------------------------------------- */

void vblk_plog_put(struct queue *q, uint16_t head, bool first)
{
	uint16_t last;

	if (!log_names(q, &entry(q, head)->last, &last))
		last = head;
	if (first)
		q->batch_end = last;
	else
		entry(q, last)->link = q->batch;
	q->batch = head;
}

void vblk_plog_publish(struct queue *q)
{
	entry(q, q->batch_end)->link = q->log->free_head;
	in_order();
	q->log->free_head = q->batch;
	in_order();
	set_used(log_of_packed(q), q->next_used);
	in_order();
}

void vblk_plog_published(struct queue *q)
{
	uint16_t head = q->batch, last;

	in_order();
	for (uint32_t n = 0; n < q->size; n++) {
		entry(q, head)->inflight = 0;
		if (!log_names(q, &entry(q, head)->last, &last) ||
		    last == q->batch_end ||
		    !log_names(q, &entry(q, last)->link, &head))
			break;
	}
	in_order();
	old_follows(log_of_packed(q));
	in_order();
}

bool vblk_plog_recover(struct queue *q, bool shown)
{
	struct packed_log *log = log_of_packed(q);
	uint32_t room = q->size;
	uint16_t i;

	if (shown && log->used != log->old_used) {
		old_follows(log);
	} else {
		log->head.free_head = log->head.old_free_head;
		set_used(log, log->old_used);
	}
	for (bool ok = log_names(q, &log->head.free_head, &i); ok;
	     ok = log_names(q, &entry(q, i)->link, &i)) {
		if (room-- == 0)
			return false; /* free entries go round */
		entry(q, i)->inflight = 0;
	}
	in_order();
	q->next_used = log->used;
	/* all the others are those of chains in flight */
	vblk_log_count(q);
	q->out = (uint16_t)room;
	for (i = 0; i < q->size; i++) {
		const struct log_entry *e = entry(q, i);

		if (!e->inflight)
			continue;
		if (e->num == 0 || e->num > room)
			return false;
		room -= e->num;
	}
	return room == 0 && (q->next_used & (VBLK_WRAP - 1u)) < q->size;
}

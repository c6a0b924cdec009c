/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The in-flight log, in the layout and order that vhost-user gives for it, so
 * that a VMM can keep it across a restart of the back end. Of a split ring:
 *
 *     taken      desc[head].counter, then desc[head].inflight = 1
 *     used       desc[head].next = last_batch_head; last_batch_head = head
 *     published  after used->idx: inflight = 0 along the batch, then used_idx
 *
 * A crash between the store of used->idx and the last step shows as
 * used->idx != used_idx: the batch is then walked again.
 */
#include "inflight.h"

#define LOG_VERSION 1u

/* --- both layouts --------------------------------------------------------- */

static bool packed_by(uint64_t features)
{
	return HAS_PACKED && (features & VBLK_F_RING_PACKED);
}

size_t vblk_inflight_size(uint16_t queue_size, uint64_t features)
{
	return (queue_size + 1u) * log_stride(packed_by(features));
}

bool vblk_inflight_empty(const struct vblk_inflight *log, uint16_t queue_size,
			 uint64_t features)
{
	for (uint32_t i = 0; i < queue_size; i++)
		if (log_at(log, packed_by(features), i)->inflight)
			return false;
	return true;
}

void vblk_inflight_reset(struct vblk_inflight *log)
{
	log->version = 0;
	in_order();
}

bool vblk_log_fits(const struct vblk_inflight *log, uint16_t size)
{
	return log->version == LOG_VERSION && log->size == size;
}

/* Empty; the layout's own words are the caller's to write before. */
void vblk_log_fresh_start(struct queue *q)
{
	for (uint32_t i = 0; i < q->size; i++)
		log_at(q->log, is_packed(q), i)->inflight = 0;
	q->log->counter = 0;
	q->log->size = q->size;
	in_order();
	q->log->version = LOG_VERSION;
}

void vblk_log_taken(struct queue *q, uint16_t entry)
{
	struct log_entry *e = log_at(q->log, is_packed(q), entry);

	e->counter = ++q->log->counter;
	in_order();
	e->inflight = 1;
	in_order();
}

/* How many are to be executed again; they come before what is new. */
void vblk_log_count(struct queue *q)
{
	q->replay = 0;
	q->replay_after = 0;
	for (uint32_t i = 0; i < q->size; i++) {
		const struct log_entry *e = log_at(q->log, is_packed(q), i);

		if (!e->inflight)
			continue;
		q->replay++;
		if (e->counter > q->log->counter)
			q->log->counter = e->counter;
	}
}

/* The next to execute again, or VBLK_NONE; taken: it is done with. */
uint16_t vblk_log_next(struct queue *q, bool taken)
{
	uint32_t best = VBLK_NONE;
	uint64_t least = 0;

	for (uint32_t i = 0; i < q->size; i++) {
		const struct log_entry *e = log_at(q->log, is_packed(q), i);

		if (e->inflight && e->counter > q->replay_after &&
		    (best == VBLK_NONE || e->counter < least)) {
			best = i;
			least = e->counter;
		}
	}
	if (taken && best != VBLK_NONE)
		q->replay_after = least;
	if (taken)
		q->replay--;
	return (uint16_t)best;
}

/* --- split ---------------------------------------------------------------- */

void vblk_log_begin(struct queue *q, uint16_t used)
{
	vblk_inflight_reset(q->log);
	q->log->last_batch_head = 0;
	q->log->used_idx = used;
	vblk_log_fresh_start(q);
}

void vblk_log_used(struct vblk_inflight *log, uint16_t head)
{
	log_at(log, false, head)->next = log->last_batch_head;
	in_order();
	log->last_batch_head = head;
	in_order();
}

/*
 * The last n heads given back are in flight no more. False: it does not say
 * which.
 */
static bool settle_batch(struct queue *q, uint16_t n)
{
	const uint16_t *word = &q->log->last_batch_head;
	uint16_t head;

	for (; n > 0; n--) {
		struct log_entry *e;

		if (!log_names(q, word, &head))
			return false;
		e = log_at(q->log, false, head);
		e->inflight = 0;
		word = &e->next;
	}
	in_order();
	return true;
}

void vblk_log_published(struct queue *q, uint16_t from, uint16_t used)
{
	in_order();
	(void)settle_batch(q, (uint16_t)(used - from));
	q->log->used_idx = used;
}

/*
 * used is the driver's used->idx. Afterwards the log says what is still to be
 * done, and the queue stands where the last life left it. EGUEST: log and ring
 * contradict each other.
 */
int vblk_log_recover(struct queue *q, uint16_t used)
{
	uint16_t batch = (uint16_t)(used - q->log->used_idx);

	/* some may be 0 already: a crash in the middle of this very walk */
	if (batch > q->size || !settle_batch(q, batch))
		return vblk_distrust(q, "2.7.8");
	q->log->used_idx = used;
	vblk_log_count(q);
	q->next_used = used;
	q->next_avail = (uint16_t)(used + q->replay);
	return VBLK_OK;
}

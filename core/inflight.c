/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The in-flight log of a split ring, in the layout and order that vhost-user
 * gives for it, so that a VMM can keep it across a restart of the back end.
 *
 *     taken      desc[head].counter, then desc[head].inflight = 1
 *     used       desc[head].next = last_batch_head; last_batch_head = head
 *     published  after used->idx: inflight = 0 along the batch, then used_idx
 *
 * A crash between the store of used->idx and the last step shows as
 * used->idx != used_idx: the batch is then walked again. The log is written by
 * this core but lies in memory that outlives it and that others may share (a
 * VMM), so what is read from it is checked like anything else, at any time.
 */
#include "dev.h"

#define LOG_VERSION 1u

struct log_entry {
	uint8_t  inflight;
	uint8_t  padding[5];
	uint16_t next;
	uint64_t counter;
};

struct vblk_inflight {          /* our own byte order: same host */
	uint64_t counter;       /* vhost-user: features; ours to use */
	uint16_t version;
	uint16_t size;
	uint16_t last_batch_head;
	uint16_t used_idx;
	struct log_entry desc[];
};

_Static_assert(sizeof(struct vblk_inflight) == 16, "log header");
_Static_assert(sizeof(struct log_entry) == 16, "log entry");

/*
 * What another process reads after a crash must be there in program order;
 * compiler order is enough, the kernel or hypervisor orders the rest.
 */
static void in_order(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

size_t vblk_inflight_size(uint16_t queue_size)
{
	return sizeof(struct vblk_inflight) +
	       (size_t)queue_size * sizeof(struct log_entry);
}

bool vblk_log_fresh(const struct vblk_inflight *log)
{
	return log->version == 0;
}

bool vblk_log_fits(const struct vblk_inflight *log, uint16_t size)
{
	return log->version == LOG_VERSION && log->size == size;
}

void vblk_inflight_reset(struct vblk_inflight *log)
{
	log->version = 0;
	in_order();
}

bool vblk_inflight_empty(const struct vblk_inflight *log, uint16_t queue_size)
{
	for (uint16_t i = 0; i < queue_size; i++)
		if (log->desc[i].inflight)
			return false;
	return true;
}

void vblk_log_begin(struct vblk_inflight *log, uint16_t size, uint16_t used)
{
	vblk_inflight_reset(log);
	for (uint16_t i = 0; i < size; i++)
		log->desc[i].inflight = 0;
	log->counter = 0;
	log->last_batch_head = 0;
	log->size = size;
	log->used_idx = used;
	in_order();
	log->version = LOG_VERSION;
}

void vblk_log_taken(struct vblk_inflight *log, uint16_t head)
{
	log->desc[head].counter = ++log->counter;
	in_order();
	log->desc[head].inflight = 1;
	in_order();
}

void vblk_log_used(struct vblk_inflight *log, uint16_t head)
{
	log->desc[head].next = log->last_batch_head;
	in_order();
	log->last_batch_head = head;
	in_order();
}

/* The head that a log word names; a log that names none was tampered with. */
static bool names(const struct queue *q, const uint16_t *word, uint16_t *head)
{
	*head = __atomic_load_n(word, __ATOMIC_RELAXED);
	return *head < q->size;
}

void vblk_log_published(struct queue *q, uint16_t from, uint16_t used)
{
	struct vblk_inflight *log = q->log;
	const uint16_t *word = &log->last_batch_head;
	uint16_t head;

	in_order();
	for (uint16_t i = from; i != used && names(q, word, &head); i++) {
		log->desc[head].inflight = 0;
		word = &log->desc[head].next;
	}
	in_order();
	log->used_idx = used;
}

/*
 * used is the driver's used->idx. Afterwards the log says what is still to be
 * done, and the queue stands where the last life left it. EGUEST: log and ring
 * contradict each other.
 */
int vblk_log_recover(struct vblk *dev, struct queue *q, uint16_t used)
{
	struct vblk_inflight *log = q->log;
	const uint16_t *word = &log->last_batch_head;
	uint16_t head, batch = (uint16_t)(used - log->used_idx);

	if (batch > q->size)
		return vblk_distrust(dev, q, "2.7.8");
	for (uint16_t i = 0; i < batch; i++) {
		if (!names(q, word, &head))
			return vblk_distrust(dev, q, "2.7.8");
		/* may be 0 already: a crash in the middle of this very walk */
		log->desc[head].inflight = 0;
		word = &log->desc[head].next;
	}
	in_order();
	log->used_idx = used;
	q->replay = 0;
	q->replay_after = 0;
	for (uint16_t i = 0; i < q->size; i++)
		if (log->desc[i].inflight) {
			q->replay++;
			if (log->desc[i].counter > log->counter)
				log->counter = log->desc[i].counter;
		}
	q->next_used = used;
	q->next_avail = (uint16_t)(used + q->replay);
	return VBLK_OK;
}

/* The oldest entry after *after, or VBLK_NONE. */
uint16_t vblk_log_next(const struct queue *q, uint64_t *after)
{
	uint16_t best = VBLK_NONE;
	uint64_t least = 0;

	for (uint16_t i = 0; i < q->size; i++) {
		const struct log_entry *e = &q->log->desc[i];

		if (e->inflight && e->counter > *after &&
		    (best == VBLK_NONE || e->counter < least)) {
			best = i;
			least = e->counter;
		}
	}
	if (best != VBLK_NONE)
		*after = least;
	return best;
}

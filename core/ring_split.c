/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The split virtqueue, virtio 1.4, 2.7: available ring to private chain, and
 * used elements back. Each entry, descriptor and index that decides something
 * is read once. The ring's regions are held while the queue is attached, so an
 * access inside an area always finds memory.
 */
#include "inflight.h"
#include "ring.h"

/* --- available ring to chain ---------------------------------------------- */

static int walk(struct queue *q, struct slot *s, struct chain *c, uint16_t head)
{
	uint16_t i = head;

	for (uint32_t n = 0; n < q->size && i < q->size; n++) {
		uint16_t flags;
		int r;

		vblk_ring_desc(q, i, &c->desc);
		flags = vblk_le16_get(c->desc.flags);
		if (flags & VBLK_DESC_INDIRECT) {
			if (!has(q->dev, VBLK_F_INDIRECT_DESC) ||
			    (flags & VBLK_DESC_NEXT))
				break;
			return vblk_chain_table(q, s, c) == VBLK_EUNMAPPED
				       ? VBLK_EUNMAPPED
				       : 1;
		}
		r = vblk_chain_add(q, s, c);
		if (r == VBLK_EUNMAPPED)
			return r;
		if (r != VBLK_OK)
			return 1;
		if (!(flags & VBLK_DESC_NEXT))
			return 1;
		i = vblk_le16_get(c->desc.next);
	}
	/*
	 * a loop, an index outside the table, or INDIRECT where it may not be
	 */
	c->broken = "2.7.5";
	return 1;
}

/* What the last life had taken and not given back comes first. */
static int next_head(struct queue *q, uint16_t *head)
{
	if (log_of(q) && q->replay > 0) {
		*head = vblk_log_next(q, false);
		if (*head != VBLK_NONE)
			return 1;
		q->replay = 0;
	}
	if (q->seen_avail == q->next_avail) {
		uint16_t idx = vblk_ring_load16(q, AREA_AVAIL, VBLK_AVAIL_IDX);

		if (idx == q->next_avail)
			return 0;
		if ((uint16_t)(idx - q->next_avail) > q->size)
			return vblk_distrust(q, "2.7.13.3");
		q->seen_avail = idx;
		vblk_rmb();     /* idx before entries and descriptors */
	}
	*head = vblk_ring_load16(q, AREA_AVAIL,
				 VBLK_AVAIL_RING +
					 2u * (q->next_avail & (q->size - 1u)));
	if (*head >= q->size)
		return vblk_distrust(q, "2.7.6");
	if (bit_get(q->taken, *head))
		return vblk_distrust(q, "2.7.13.1");
	return 1;
}

int vblk_split_fetch(struct queue *q, struct slot *s, struct chain *c)
{
	uint16_t head;
	int r = next_head(q, &head);

	if (r <= 0)
		return r;
	vblk_chain_begin(s, c, head);
	return walk(q, s, c, head);
}

void vblk_split_take(struct queue *q, struct slot *s)
{
	if (log_of(q) && q->replay > 0) {
		(void)vblk_log_next(q, true);
	} else {
		/* first the log: a crash here fetches the chain again */
		if (log_of(q))
			vblk_log_taken(q, s->head);
		q->next_avail++;
	}
	bit_set(q->taken, s->head);
}

/* --- used elements -------------------------------------------------------- */

void vblk_split_put(struct queue *q, struct slot *s, uint32_t len)
{
	uint32_t off = VBLK_USED_RING + 8u * (q->next_used & (q->size - 1u));

	bit_clear(q->taken, s->head);
	if (!q->attached)
		return;         /* the ring's memory is gone */
	vblk_ring_store32(q, AREA_USED, off, s->head);
	vblk_ring_store32(q, AREA_USED, off + 4u, len);
	if (log_of(q))
		vblk_log_used(log_of(q), s->head);
	q->next_used++;
}

bool vblk_split_publish(struct queue *q)
{
	uint16_t old = q->published, now = q->next_used;

	vblk_wmb();             /* data, status, elements before idx */
	vblk_ring_store16(q, AREA_USED, VBLK_USED_IDX, now);
	q->published = now;
	if (log_of(q))
		vblk_log_published(q, old, now);
	vblk_mb();              /* idx before the driver's wish, 2.7.7.2 */
	if (has(q->dev, VBLK_F_EVENT_IDX)) {
		uint16_t event = vblk_ring_load16(
			q, AREA_AVAIL, VBLK_AVAIL_RING + 2u * q->size);

		return (uint16_t)(now - event - 1u) < (uint16_t)(now - old);
	}
	return !(vblk_ring_load16(q, AREA_AVAIL, VBLK_AVAIL_FLAGS) &
		 VBLK_AVAIL_NO_INTERRUPT);
}

/* --- notifications -------------------------------------------------------- */

void vblk_split_quiet(struct queue *q)
{
	vblk_ring_store16(q, AREA_USED, VBLK_USED_FLAGS, VBLK_USED_NO_NOTIFY);
}

bool vblk_split_arm(struct queue *q)
{
	if (q->seen_avail != q->next_avail)
		return false;
	if (has(q->dev, VBLK_F_EVENT_IDX))
		vblk_ring_store16(q, AREA_USED, VBLK_USED_RING + 8u * q->size,
				  q->next_avail);
	else if (q->quiet)
		vblk_ring_store16(q, AREA_USED, VBLK_USED_FLAGS, 0);
	q->quiet = false;
	vblk_mb(); /* our wish before a last look at idx, 2.7.13.4.1 */
	return vblk_ring_load16(q, AREA_AVAIL, VBLK_AVAIL_IDX) == q->next_avail;
}

int vblk_split_begin(struct queue *q)
{
	bool again = log_goes_on(q);
	int r = VBLK_OK;

	if (again || q->used_from_ring) {
		q->next_used = vblk_ring_load16(q, AREA_USED, VBLK_USED_IDX);
		q->used_from_ring = false;
	}
	if (again)
		r = vblk_log_recover(q, q->next_used);
	else if (log_of(q))
		vblk_log_begin(q, q->next_used);
	q->published = q->next_used;
	q->seen_avail = q->next_avail;
	vblk_ring_store16(q, AREA_USED, VBLK_USED_FLAGS, 0);
	return r;
}

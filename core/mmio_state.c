/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The register file as bytes, in front of the device's (state.c). An access
 * that waits for its answer is not in it: the platform delivers it again
 * (SAV-3).
 *
 *      0 "vmmi"   4 status   8 features_sel, driver_features_sel, queue_sel
 *     20 generation   24 driver_features 8   32 flags 1 (suspending,
 *        unannounced), zero 15
 *     48 each queue: desc 8, driver 8, device 8, size 2, flags 1 (ready,
 *        resetting, used_from_ring), zero 1, avail 2, used 2; then
 *        vblk_save's blob
 */
#include "bytes.h"
#include "vblk/arch.h"
#include "vblk/mmio.h"

#define MAGIC 0x696d6d76u
#define HEAD  48u
#define EACH  32u

#define ANY_STATUS (VBLK_STATUS_SETTABLE | VBLK_STATUS_NEEDS_RESET | \
		    VBLK_STATUS_SUSPEND)

static const struct vblk_field head_fields[] = {
	VBLK_FIELD(4, vblk_mmio, status),
	VBLK_FIELD(8, vblk_mmio, features_sel),
	VBLK_FIELD(12, vblk_mmio, driver_features_sel),
	VBLK_FIELD(16, vblk_mmio, queue_sel),
	VBLK_FIELD(20, vblk_mmio, generation),
	VBLK_FIELD(24, vblk_mmio, driver_features),
	{ 0 }
};

static const struct vblk_field queue_fields[] = {
	VBLK_FIELD(0, vblk_mmio_queue, addr.desc),
	VBLK_FIELD(8, vblk_mmio_queue, addr.driver),
	VBLK_FIELD(16, vblk_mmio_queue, addr.device),
	VBLK_FIELD(24, vblk_mmio_queue, addr.size),
	VBLK_FIELD(28, vblk_mmio_queue, avail),
	VBLK_FIELD(30, vblk_mmio_queue, used),
	{ 0 }
};

int vblk_mmio_save(const struct vblk_mmio *m, void *out, size_t size)
{
	size_t n = HEAD + (size_t)EACH * m->num_queues;
	struct vblk_le32 magic = vblk_le32_make(MAGIC);
	const struct vblk_mmio_queue *q = m->queue;
	uint8_t *b = out, *e = b + HEAD;
	int r;

	if (size < n)
		return VBLK_ENOSPC;
	vblk_zero(b, n);
	vblk_copy(b, &magic, 4);
	vblk_pack(b, m, head_fields);
	b[32] = (uint8_t)(m->suspending | m->unannounced << 1);
	for (uint32_t i = 0; i < m->num_queues; i++, q++, e += EACH) {
		vblk_pack(e, q, queue_fields);
		e[26] = (uint8_t)(q->ready | q->resetting << 1 |
				  q->used_from_ring << 2);
	}
	r = vblk_save(m->dev, b + n, size - n);
	return r < 0 ? r : (int)n + r;
}

static void load_registers(struct vblk_mmio_queue *q, const uint8_t *e)
{
	uint8_t flags = e[26];

	vblk_unpack(q, e, queue_fields);
	q->ready = flags & 1u;
	q->resetting = flags & 2u;
	q->used_from_ring = flags & 4u;
	q->stopping = false;
}

/* Do registers and device tell the same story? */
static bool consistent(const struct vblk_mmio *m)
{
	const struct vblk_mmio_queue *q = m->queue;
	uint64_t accepted = vblk_accepted(m->dev);
	bool ok = m->status & VBLK_STATUS_DRIVER_OK;
	bool agreed = m->status & VBLK_STATUS_FEATURES_OK;
	bool suspended = m->status & VBLK_STATUS_SUSPEND;

	if ((m->status & ~ANY_STATUS) || (ok && (!agreed || suspended)) ||
	    (m->suspending && !ok) ||
	    ((m->suspending || suspended) && !(accepted & VBLK_F_SUSPEND)) ||
	    agreed != (accepted != 0))
		return false;
	for (uint16_t i = 0; i < m->num_queues; i++, q++) {
		bool started = vblk_queue_started(m->dev, i);

		if ((started && !(ok && q->ready)) ||
		    (ok && q->ready && !started && !m->suspending) ||
		    (q->resetting && !q->ready) ||
		    (q->ready &&
		     vblk_queue_check(m->dev, i, &q->addr) != VBLK_OK))
			return false;
	}
	return true;
}

int vblk_mmio_load(struct vblk_mmio *m, const void *in, size_t size)
{
	size_t n = HEAD + (size_t)EACH * m->num_queues;
	const uint8_t *b = in, *e = b + HEAD;
	struct vblk_mmio_queue *q = m->queue;
	struct vblk_le32 magic;
	int r;

	if (size < n)
		return VBLK_EINVAL;
	vblk_copy(&magic, b, 4);
	if (vblk_le32_get(magic) != MAGIC)
		return VBLK_EINVAL;
	r = vblk_load(m->dev, b + n, size - n, m->log);
	if (r != VBLK_OK)
		return r;
	vblk_unpack(m, b, head_fields);
	m->suspending = b[32] & 1u;
	m->unannounced = b[32] & 2u;
	for (uint32_t i = 0; i < m->num_queues; i++, q++, e += EACH)
		load_registers(q, e);
	if (!consistent(m)) {
		m->resetting = true;
		(void)vblk_mmio_settle(m); /* nothing is in flight */
		return VBLK_EINVAL;
	}
	if (m->status & VBLK_STATUS_SUSPEND) {
		m->unannounced = true; /* told when it resumes, 3.4 */
		return VBLK_OK;
	}
	q = m->queue;
	for (uint32_t i = 0; i < m->num_queues; i++, q++)
		vblk_shared_store(&q->raised, q->acked + 1u);
	m->changed = m->changed_acked + 1u;
	return VBLK_OK;
}

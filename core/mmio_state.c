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

int vblk_mmio_save(const struct vblk_mmio *m, void *out, size_t size)
{
	size_t n = HEAD + (size_t)EACH * m->num_queues;
	uint8_t *b = out;
	int r;

	if (size < n)
		return VBLK_ENOSPC;
	vblk_zero(b, n);
	vblk_put(b, MAGIC, 4);
	vblk_put(b + 4, m->status, 4);
	vblk_put(b + 8, m->features_sel, 4);
	vblk_put(b + 12, m->driver_features_sel, 4);
	vblk_put(b + 16, m->queue_sel, 4);
	vblk_put(b + 20, m->generation, 4);
	vblk_put(b + 24, m->driver_features, 8);
	b[32] = (uint8_t)(m->suspending | m->unannounced << 1);
	for (uint16_t i = 0; i < m->num_queues; i++) {
		const struct vblk_mmio_queue *q = &m->queue[i];
		uint8_t *e = b + HEAD + (size_t)EACH * i;

		vblk_put(e, q->addr.desc, 8);
		vblk_put(e + 8, q->addr.driver, 8);
		vblk_put(e + 16, q->addr.device, 8);
		vblk_put(e + 24, q->addr.size, 2);
		e[26] = (uint8_t)(q->ready | q->resetting << 1 |
				  q->used_from_ring << 2);
		vblk_put(e + 28, q->avail, 2);
		vblk_put(e + 30, q->used, 2);
	}
	r = vblk_save(m->dev, b + n, size - n);
	return r < 0 ? r : (int)n + r;
}

static void load_registers(struct vblk_mmio_queue *q, const uint8_t *e)
{
	q->addr.desc = vblk_get(e, 8);
	q->addr.driver = vblk_get(e + 8, 8);
	q->addr.device = vblk_get(e + 16, 8);
	q->addr.size = (uint16_t)vblk_get(e + 24, 2);
	q->ready = e[26] & 1u;
	q->resetting = e[26] & 2u;
	q->used_from_ring = e[26] & 4u;
	q->avail = (uint16_t)vblk_get(e + 28, 2);
	q->used = (uint16_t)vblk_get(e + 30, 2);
	q->stopping = false;
}

/* Do registers and device tell the same story? */
static bool consistent(const struct vblk_mmio *m)
{
	bool ok = m->status & VBLK_STATUS_DRIVER_OK;
	bool agreed = m->status & VBLK_STATUS_FEATURES_OK;

	bool suspended = m->status & VBLK_STATUS_SUSPEND;

	if ((m->status & ~ANY_STATUS) || (ok && !agreed) ||
	    (m->suspending && !ok) || (suspended && (ok || !agreed)) ||
	    ((m->suspending || suspended) &&
	     !(vblk_accepted(m->dev) & VBLK_F_SUSPEND)) ||
	    agreed != (vblk_accepted(m->dev) != 0))
		return false;
	for (uint16_t i = 0; i < m->num_queues; i++) {
		const struct vblk_mmio_queue *q = &m->queue[i];

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
	const uint8_t *b = in;
	int r;

	if (size < n || vblk_get(b, 4) != MAGIC)
		return VBLK_EINVAL;
	r = vblk_load(m->dev, b + n, size - n, m->log);
	if (r != VBLK_OK)
		return r;
	m->status = (uint32_t)vblk_get(b + 4, 4);
	m->features_sel = (uint32_t)vblk_get(b + 8, 4);
	m->driver_features_sel = (uint32_t)vblk_get(b + 12, 4);
	m->queue_sel = (uint32_t)vblk_get(b + 16, 4);
	m->generation = (uint32_t)vblk_get(b + 20, 4);
	m->driver_features = vblk_get(b + 24, 8);
	m->suspending = b[32] & 1u;
	m->unannounced = b[32] & 2u;
	for (uint16_t i = 0; i < m->num_queues; i++)
		load_registers(&m->queue[i], b + HEAD + (size_t)EACH * i);
	if (!consistent(m)) {
		m->resetting = true;
		(void)vblk_mmio_settle(m); /* nothing is in flight */
		return VBLK_EINVAL;
	}
	if (m->status & VBLK_STATUS_SUSPEND) {
		m->unannounced = true; /* told when it resumes, 3.4 */
		return VBLK_OK;
	}
	for (uint16_t i = 0; i < m->num_queues; i++)
		vblk_shared_store(&m->queue[i].raised, m->queue[i].acked + 1u);
	m->changed = m->changed_acked + 1u;
	return VBLK_OK;
}

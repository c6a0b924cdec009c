/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-mmio, version 2: virtio 1.4, 4.2.2. Two writes are answered late: 0 to
 * Status and 0 to QueueReady while requests are in flight, since Linux's driver
 * frees its rings as soon as the write returns. Until then Status and
 * QueueReady read as before, and other writes, or those to that queue, are
 * ignored. QueueReset and SUSPEND are polled by the driver and need no such
 * help.
 *
 * Suspended, 3.4: the queues are stopped and keep where they stood; Status has
 * SUSPEND instead of DRIVER_OK. Until DRIVER_OK is set again, only Status is
 * written; what would be announced waits.
 */
#include "vblk/mmio.h"

#include "bytes.h"
#include "groups.h"
#include "vblk/arch.h"

enum reg {
	MAGIC_VALUE = 0x000, VERSION = 0x004, DEVICE_ID = 0x008,
	VENDOR_ID = 0x00c, DEVICE_FEATURES = 0x010,
	DEVICE_FEATURES_SEL = 0x014, DRIVER_FEATURES = 0x020,
	DRIVER_FEATURES_SEL = 0x024, QUEUE_SEL = 0x030,
	QUEUE_SIZE_MAX = 0x034, QUEUE_SIZE = 0x038, QUEUE_READY = 0x044,
	QUEUE_NOTIFY = 0x050, INTERRUPT_STATUS = 0x060,
	INTERRUPT_ACK = 0x064, STATUS = 0x070, QUEUE_DESC_LOW = 0x080,
	QUEUE_DESC_HIGH = 0x084, QUEUE_DRIVER_LOW = 0x090,
	QUEUE_DRIVER_HIGH = 0x094, QUEUE_DEVICE_LOW = 0x0a0,
	QUEUE_DEVICE_HIGH = 0x0a4, SHM_LEN_LOW = 0x0b0, SHM_LEN_HIGH = 0x0b4,
	SHM_BASE_LOW = 0x0b8, SHM_BASE_HIGH = 0x0bc, QUEUE_RESET = 0x0c0,
	CONFIG_GENERATION = 0x0fc, CONFIG = 0x100
};

#define INT_USED   1u           /* InterruptStatus: a used buffer */
#define INT_CONFIG 2u           /* configuration change */

/* Reset state, 4.2.2.1. */
static void clear(struct vblk_mmio *m)
{
	struct vblk_mmio_queue *q = m->queue;

	for (uint32_t i = 0; i < m->num_queues; i++, q++) {
		vblk_zero(&q->addr, sizeof(q->addr));
		q->addr.size = m->queue_size;
		q->ready = q->stopping = q->resetting = false;
		q->acked = vblk_shared_load(&q->raised);
	}
	m->features_sel = m->driver_features_sel = m->queue_sel = 0;
	m->status = 0;
	m->driver_features = 0;
	m->changed_acked = m->changed;
	m->fault_acked = 0;
	m->resetting = m->suspending = m->unannounced = false;
}

void vblk_mmio_init(struct vblk_mmio *m, struct vblk *dev, uint32_t vendor,
		    struct vblk_inflight *const *log)
{
	const struct vblk_config *cfg = vblk_configuration(dev);

	vblk_zero(m, sizeof(*m));
	m->dev = dev;
	m->vendor = vendor;
	m->log = log;
	m->num_queues = cfg->num_queues;
	m->queue_size = cfg->queue_size;
	clear(m);
}

/* The queue that QueueSel names, or NULL. */
static struct vblk_mmio_queue *selected(const struct vblk_mmio *m)
{
	if (m->queue_sel >= m->num_queues)
		return NULL;
	return (struct vblk_mmio_queue *)&m->queue[m->queue_sel];
}

/* 3.4: suspended, or about to be. */
static bool frozen(const struct vblk_mmio *m)
{
	return HAS_SUSPEND &&
	       (m->suspending || (m->status & VBLK_STATUS_SUSPEND));
}

/* --- interrupts ----------------------------------------------------------- */

static uint32_t interrupt_status(const struct vblk_mmio *m)
{
	const struct vblk_mmio_queue *q = m->queue;
	uint32_t v = 0;

	for (uint32_t i = 0; i < m->num_queues; i++, q++)
		if (vblk_shared_load(&q->raised) != q->acked)
			v |= INT_USED;
	/* NEEDS_RESET is announced only to a driver that runs, 2.1.2 */
	if (m->changed != m->changed_acked ||
	    (vblk_needs_reset(m->dev) && !m->fault_acked &&
	     (m->status & VBLK_STATUS_DRIVER_OK)))
		v |= INT_CONFIG;
	return v;
}

static void acknowledge(struct vblk_mmio *m, uint32_t bits)
{
	struct vblk_mmio_queue *q = m->queue;

	for (uint32_t i = 0; (bits & INT_USED) && i < m->num_queues; i++, q++)
		q->acked = vblk_shared_load(&q->raised);
	if (bits & INT_CONFIG) {
		m->changed_acked = m->changed;
		if (vblk_needs_reset(m->dev))
			m->fault_acked = 1;
	}
}

void vblk_mmio_raise(struct vblk_mmio *m, uint16_t queue)
{
	uint32_t *raised;

	if (queue >= m->num_queues)
		return;
	raised = &m->queue[queue].raised;
	vblk_shared_store(raised, *raised + 1u);
}

bool vblk_mmio_config_changed(struct vblk_mmio *m)
{
	m->generation++;
	m->unannounced = frozen(m);
	if (m->unannounced || !(m->status & VBLK_STATUS_DRIVER_OK))
		return false;
	m->changed++;
	return true;
}

bool vblk_mmio_line(const struct vblk_mmio *m)
{
	return interrupt_status(m) != 0;
}

/* --- reads ---------------------------------------------------------------- */

static uint32_t half(uint64_t v, uint32_t sel)
{
	if (sel > 1)
		return 0;
	return (uint32_t)(v >> (32u * sel));
}

static uint32_t read_queue(const struct vblk_mmio *m, uint32_t offset)
{
	const struct vblk_mmio_queue *q = selected(m);

	if (!q)
		return 0;
	switch (offset) {
	case QUEUE_SIZE_MAX: return m->queue_size;
	case QUEUE_READY: return q->ready;
	case QUEUE_RESET: return q->resetting;
	default: return 0;
	}
}

static uint32_t read_register(const struct vblk_mmio *m, uint32_t offset)
{
	switch (offset) {
	case MAGIC_VALUE: return 0x74726976u;
	case VERSION: return 2;
	case DEVICE_ID: return 2;
	case VENDOR_ID: return m->vendor;
	case DEVICE_FEATURES:
		return half(vblk_features(m->dev), m->features_sel);
	case INTERRUPT_STATUS: return interrupt_status(m);
	case STATUS:
		return m->status |
		       (vblk_needs_reset(m->dev) ? VBLK_STATUS_NEEDS_RESET
						 : 0u);
	case SHM_LEN_LOW:
	case SHM_LEN_HIGH:
	case SHM_BASE_LOW:
	case SHM_BASE_HIGH: return UINT32_MAX; /* no region, 4.2.2 */
	case CONFIG_GENERATION: return m->generation;
	default: return read_queue(m, offset);
	}
}

uint64_t vblk_mmio_read(const struct vblk_mmio *m, uint64_t offset,
			unsigned size)
{
	struct vblk_le64 v = { 0 };

	if (offset < CONFIG)    /* 4.2.2.2 allows only aligned 32-bit access */
		return size == 4 && offset % 4u == 0
			       ? read_register(m, (uint32_t)offset)
			       : 0;
	if (offset >= VBLK_MMIO_BYTES || size > sizeof(v))
		return 0;
	vblk_config_read(m->dev, (uint32_t)offset - CONFIG, &v, size);
	return vblk_le64_get(v);
}

/* --- writes --------------------------------------------------------------- */

/*
 * The driver begins anew, whatever the log holds. Was checked when it became
 * ready, and is not started: this succeeds.
 */
static void start_queue(struct vblk_mmio *m, uint16_t i,
			struct vblk_mmio_queue *q)
{
	struct vblk_inflight *log = m->log ? m->log[i] : NULL;

	if (log)
		vblk_inflight_reset(log);
	q->ready = vblk_queue_start(m->dev, i, &q->addr, NULL, log) == VBLK_OK;
}

static unsigned write_ready(struct vblk_mmio *m, struct vblk_mmio_queue *q,
			    bool on)
{
	uint16_t i = (uint16_t)m->queue_sel;

	if (q->stopping || q->resetting)
		return q->stopping && !on ? VBLK_FX_HOLD : 0u;
	if (on == q->ready)
		return 0;
	if (on) {
		if (vblk_queue_check(m->dev, i, &q->addr) != VBLK_OK)
			return 0;
		q->ready = true;
		if (!(m->status & VBLK_STATUS_DRIVER_OK))
			return VBLK_FX_SAVE;
		start_queue(m, i, q);
		return VBLK_FX_SAVE | VBLK_FX_START;
	}
	q->stopping = true;
	return vblk_mmio_settle(m) ? VBLK_FX_SAVE | VBLK_FX_LINE
				   : VBLK_FX_SAVE | VBLK_FX_HOLD;
}

_Static_assert(offsetof(struct vblk_queue_addr, driver) == 8 &&
	       offsetof(struct vblk_queue_addr, device) == 16,
	       "write_area counts in areas");

static void set_half(uint64_t *v, uint32_t high, uint32_t w)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	high = !high;
#endif
	vblk_copy((uint8_t *)v + 4u * high, &w, 4);
}

/* The size and areas of a queue that is not ready, 4.2.2.2. */
static unsigned write_area(struct vblk_mmio_queue *q, uint32_t offset,
			   uint32_t v)
{
	uint32_t word = offset / 4u %
			4u; /* low, high, two that are no register */
	uint32_t area = (offset - QUEUE_DESC_LOW) / 16u;

	if (q->ready)
		return 0;
	if (offset == QUEUE_SIZE)
		/* what does not fit becomes a size that QueueReady refuses */
		q->addr.size = v > UINT16_MAX ? 0 : (uint16_t)v;
	else if (area < 3 && word < 2)
		set_half((uint64_t *)(void *)&q->addr + area, word, v);
	else
		return 0;
	return VBLK_FX_SAVE;
}

static unsigned write_queue(struct vblk_mmio *m, uint32_t offset, uint32_t v)
{
	struct vblk_mmio_queue *q = selected(m);

	if (!q || frozen(m))
		return 0;
	if (offset == QUEUE_READY)
		return v > 1 ? 0 : write_ready(m, q, v == 1);
	if (offset != QUEUE_RESET)
		return write_area(q, offset, v);
	if (v != 1 || !q->ready || q->stopping ||
	    !(vblk_accepted(m->dev) & VBLK_F_RING_RESET))
		return 0;
	q->resetting = true;
	(void)vblk_mmio_settle(m);
	return VBLK_FX_SAVE | VBLK_FX_LINE;
}

/* 3.4: the queues go on where they stood. */
static unsigned resume(struct vblk_mmio *m)
{
	unsigned fx = VBLK_FX_SAVE | VBLK_FX_START;
	struct vblk_mmio_queue *q = m->queue;

	m->status ^= VBLK_STATUS_SUSPEND | VBLK_STATUS_DRIVER_OK;
	for (uint16_t i = 0; i < m->num_queues; i++, q++) {
		struct vblk_queue_pos at = { q->avail, q->used,
					     q->used_from_ring };

		if (q->ready &&
		    vblk_queue_start(m->dev, i, &q->addr, &at,
				     m->log ? m->log[i] : NULL) != VBLK_OK) {
			m->status |= VBLK_STATUS_NEEDS_RESET;
			m->unannounced = true;
		}
	}
	if (m->unannounced) {
		m->unannounced = false;
		m->changed++;
		fx |= VBLK_FX_CHANGED;
	}
	return fx;
}

/* 3.1.1 and 2.1.2: bits only come; all go by a reset. */
static unsigned write_status(struct vblk_mmio *m, uint32_t v)
{
	uint32_t fresh = v & VBLK_STATUS_SETTABLE & ~m->status;
	struct vblk_mmio_queue *q = m->queue;

	if (v == 0) {
		m->resetting = true;
		return vblk_mmio_settle(m) ? VBLK_FX_SAVE | VBLK_FX_LINE
					   : VBLK_FX_SAVE | VBLK_FX_HOLD;
	}
	if (frozen(m)) {
		if (m->suspending || !(v & VBLK_STATUS_DRIVER_OK))
			return 0;
		return resume(m);
	}
	if (HAS_SUSPEND && (v & VBLK_STATUS_SUSPEND) &&
	    (m->status & VBLK_STATUS_DRIVER_OK) &&
	    (vblk_accepted(m->dev) & VBLK_F_SUSPEND)) {
		/* used buffers are announced first: settled later */
		m->suspending = true;
		return VBLK_FX_SAVE;
	}
	if (fresh & VBLK_STATUS_FEATURES_OK) {
		/* VERSION_1 is a must for this transport, 6.2 */
		uint64_t f = m->driver_features;

		if (!(f & VBLK_F_VERSION_1) ||
		    vblk_accept(m->dev, f) != VBLK_OK)
			fresh &= ~VBLK_STATUS_FEATURES_OK;
	}
	if (!((m->status | fresh) & VBLK_STATUS_FEATURES_OK))
		fresh &= ~VBLK_STATUS_DRIVER_OK;
	m->status |= fresh;
	if (!(fresh & VBLK_STATUS_DRIVER_OK))
		return VBLK_FX_SAVE;
	for (uint16_t i = 0; i < m->num_queues; i++, q++)
		if (q->ready)
			start_queue(m, i, q);
	return VBLK_FX_SAVE | VBLK_FX_START;
}

static unsigned write_features(struct vblk_mmio *m, uint32_t v)
{
	if (m->status & VBLK_STATUS_FEATURES_OK)
		return 0;       /* settled, 2.2 */
	if (m->driver_features_sel < 2)
		set_half(&m->driver_features, m->driver_features_sel, v);
	return VBLK_FX_SAVE;
}

/* What more it says, where the driver stands, is not needed. */
uint32_t vblk_mmio_notified(const struct vblk_mmio *m, uint32_t value)
{
	return vblk_accepted(m->dev) & VBLK_F_NOTIFICATION_DATA
		       ? value & UINT16_MAX
		       : value;
}

static unsigned write_register(struct vblk_mmio *m, uint32_t offset, uint32_t v)
{
	/* while a reset waits, only more of it is heard */
	if (m->resetting)
		return offset == STATUS && v == 0 ? VBLK_FX_HOLD : 0u;
	switch (offset) {
	case DEVICE_FEATURES_SEL: m->features_sel = v; return VBLK_FX_SAVE;
	case DRIVER_FEATURES_SEL:
		m->driver_features_sel = v;
		return VBLK_FX_SAVE;
	case QUEUE_SEL: m->queue_sel = v; return VBLK_FX_SAVE;
	case DRIVER_FEATURES: return write_features(m, v);
	case QUEUE_NOTIFY:
		return vblk_kick(m->dev, vblk_mmio_notified(m, v))
			       ? VBLK_FX_KICK
			       : 0u;
	case INTERRUPT_ACK: acknowledge(m, v); return VBLK_FX_LINE;
	case STATUS: return write_status(m, v);
	default: return write_queue(m, offset, v);
	}
}

unsigned vblk_mmio_write(struct vblk_mmio *m, uint64_t offset, unsigned size,
			 uint64_t value)
{
	struct vblk_le64 v = vblk_le64_make(value);

	if (offset < CONFIG)
		return size == 4 && offset % 4u == 0
			       ? write_register(m, (uint32_t)offset,
						(uint32_t)value)
			       : 0;
	if (offset >= VBLK_MMIO_BYTES || size > sizeof(v) || m->resetting ||
	    frozen(m))
		return 0;
	vblk_config_write(m->dev, (uint32_t)offset - CONFIG, &v, size);
	return VBLK_FX_SAVE;
}

/* --- what waited for requests in flight ----------------------------------- */

/* A faulted device stays so until a device reset, 2.1.2. */
static void keep_fault(struct vblk_mmio *m)
{
	if (!vblk_needs_reset(m->dev))
		return;
	m->status |= VBLK_STATUS_NEEDS_RESET;
	if (!m->fault_acked)
		m->changed++;
	m->fault_acked = 1;
}

unsigned vblk_mmio_waits(const struct vblk_mmio *m)
{
	const struct vblk_mmio_queue *q = m->queue;
	unsigned n = m->resetting;

	for (uint32_t i = 0; i < m->num_queues; i++, q++)
		n += q->stopping | q->resetting;
	return HAS_SUSPEND ? n + m->suspending : n;
}

/* All queues are stopped, or wait for requests in flight. */
static VBLK_APART void suspend(struct vblk_mmio *m)
{
	struct vblk_mmio_queue *q = m->queue;
	bool all = true;

	for (uint16_t i = 0; i < m->num_queues; i++, q++) {
		struct vblk_queue_pos at;

		if (!vblk_queue_started(m->dev, i))
			continue;       /* stands where it stood */
		if (vblk_queue_stop(m->dev, i, &at) != VBLK_OK) {
			all = false;
			continue;
		}
		q->avail = at.avail;
		q->used = at.used;
		q->used_from_ring = at.used_from_ring;
	}
	if (!all)
		return;
	m->suspending = false;
	m->status ^= VBLK_STATUS_SUSPEND | VBLK_STATUS_DRIVER_OK;
}

bool vblk_mmio_settle(struct vblk_mmio *m)
{
	struct vblk_mmio_queue *q = m->queue;
	bool done = true;

	if (m->resetting) {
		if (vblk_reset(m->dev) != VBLK_OK)
			return false;
		clear(m);
		return true;
	}
	for (uint16_t i = 0; i < m->num_queues; i++, q++) {
		if (!q->stopping && !q->resetting)
			continue;
		keep_fault(m);
		if (vblk_queue_stop(m->dev, i, NULL) != VBLK_OK) {
			done = done && !q->stopping;
			continue;
		}
		q->ready = q->stopping = q->resetting = false;
	}
	if (HAS_SUSPEND && m->suspending) {
		keep_fault(m);
		suspend(m);
	}
	return done;
}

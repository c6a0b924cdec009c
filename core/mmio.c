/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-mmio, version 2: virtio 1.4, 4.2.2. Two writes are answered late: 0 to
 * Status and 0 to QueueReady while requests are in flight, since Linux's driver
 * frees its rings as soon as the write returns. Until then Status and QueueReady
 * read as before and other writes are ignored. QueueReset is polled by the
 * driver and needs no such help.
 */
#include "vblk/mmio.h"

#include "bytes.h"
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
#define SETTABLE   (VBLK_STATUS_ACKNOWLEDGE | VBLK_STATUS_DRIVER | \
		    VBLK_STATUS_DRIVER_OK | VBLK_STATUS_FEATURES_OK | \
		    VBLK_STATUS_FAILED)

void vblk_mmio_init(struct vblk_mmio *m, struct vblk *dev, uint32_t vendor,
		    struct vblk_inflight *const *log)
{
	vblk_zero(m, sizeof(*m));
	m->dev = dev;
	m->vendor = vendor;
	m->log = log;
	for (uint16_t i = 0; i < VBLK_MAX_QUEUES; i++)
		m->queue[i].addr.size = vblk_configuration(dev)->queue_size;
}

static uint16_t num_queues(const struct vblk_mmio *m)
{
	return vblk_configuration(m->dev)->num_queues;
}

/* The queue that QueueSel names, or NULL. */
static struct vblk_mmio_queue *selected(const struct vblk_mmio *m)
{
	if (m->queue_sel >= num_queues(m))
		return NULL;
	return (struct vblk_mmio_queue *)&m->queue[m->queue_sel];
}

/* --- interrupts ------------------------------------------------------------------ */

static uint32_t interrupt_status(const struct vblk_mmio *m)
{
	uint32_t v = 0;

	for (uint16_t i = 0; i < num_queues(m); i++)
		if (vblk_shared_load(&m->queue[i].raised) != m->queue[i].acked)
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
	for (uint16_t i = 0; (bits & INT_USED) && i < num_queues(m); i++)
		m->queue[i].acked = vblk_shared_load(&m->queue[i].raised);
	if (bits & INT_CONFIG) {
		m->changed_acked = m->changed;
		if (vblk_needs_reset(m->dev))
			m->fault_acked = 1;
	}
}

void vblk_mmio_raise(struct vblk_mmio *m, uint16_t queue)
{
	if (queue < num_queues(m))
		vblk_shared_store(&m->queue[queue].raised,
				  m->queue[queue].raised + 1u);
}

void vblk_mmio_config_changed(struct vblk_mmio *m)
{
	m->generation++;
	if (m->status & VBLK_STATUS_DRIVER_OK)
		m->changed++;
}

bool vblk_mmio_line(const struct vblk_mmio *m)
{
	return interrupt_status(m) != 0;
}

/* --- reads ------------------------------------------------------------------------- */

static uint32_t half(uint64_t v, uint32_t sel)
{
	if (sel > 1)
		return 0;
	return (uint32_t)(v >> (32u * sel));
}

static uint32_t read_queue(const struct vblk_mmio *m, uint64_t offset)
{
	const struct vblk_mmio_queue *q = selected(m);

	if (!q)
		return 0;
	switch (offset) {
	case QUEUE_SIZE_MAX: return vblk_configuration(m->dev)->queue_size;
	case QUEUE_READY: return q->ready;
	case QUEUE_RESET: return q->resetting;
	default: return 0;
	}
}

static uint32_t read_register(const struct vblk_mmio *m, uint64_t offset)
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
		return m->status | (vblk_needs_reset(m->dev)
				    ? VBLK_STATUS_NEEDS_RESET : 0u);
	/* no shared memory region: length and base of all ones, 4.2.2 */
	case SHM_LEN_LOW: case SHM_LEN_HIGH:
	case SHM_BASE_LOW: case SHM_BASE_HIGH: return UINT32_MAX;
	case CONFIG_GENERATION: return m->generation;
	default: return read_queue(m, offset);
	}
}

uint64_t vblk_mmio_read(const struct vblk_mmio *m, uint64_t offset,
			unsigned size)
{
	uint8_t b[8];

	if (size != 1 && size != 2 && size != 4 && size != 8)
		return 0;
	if (offset >= CONFIG) {
		/* any size and alignment; past the end reads 0 */
		vblk_config_read(m->dev, offset - CONFIG > UINT32_MAX - 8u ?
				 UINT32_MAX - 8u : (uint32_t)(offset - CONFIG),
				 b, size);
		return vblk_get(b, size);
	}
	if (size != 4 || offset % 4u != 0)
		return 0;       /* 4.2.2.2 allows only aligned 32-bit access */
	return read_register(m, offset);
}

/* --- writes ------------------------------------------------------------------------ */

static struct vblk_inflight *log_of(const struct vblk_mmio *m, uint16_t i)
{
	return m->log ? m->log[i] : NULL;
}

static void start_queue(struct vblk_mmio *m, uint16_t i)
{
	/* checked when it became ready; cannot be started already */
	if (vblk_queue_start(m->dev, i, &m->queue[i].addr, NULL,
			     log_of(m, i)) != VBLK_OK)
		m->queue[i].ready = false;
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
		start_queue(m, i);
		return VBLK_FX_SAVE | VBLK_FX_START;
	}
	q->stopping = true;
	return vblk_mmio_settle(m) ? VBLK_FX_SAVE | VBLK_FX_LINE
				   : VBLK_FX_SAVE | VBLK_FX_HOLD;
}

static void set_low(uint64_t *v, uint32_t w)
{
	*v = (*v & ~(uint64_t)UINT32_MAX) | w;
}

static void set_high(uint64_t *v, uint32_t w)
{
	*v = (*v & UINT32_MAX) | (uint64_t)w << 32;
}

/* The size and areas of a queue that is not ready, 4.2.2.2. */
static unsigned write_area(struct vblk_mmio_queue *q, uint64_t offset,
			   uint32_t v)
{
	if (q->ready)
		return 0;
	switch (offset) {
	case QUEUE_SIZE:
		/* what does not fit becomes a size that QueueReady refuses */
		q->addr.size = v > UINT16_MAX ? 0 : (uint16_t)v;
		break;
	case QUEUE_DESC_LOW: set_low(&q->addr.desc, v); break;
	case QUEUE_DESC_HIGH: set_high(&q->addr.desc, v); break;
	case QUEUE_DRIVER_LOW: set_low(&q->addr.driver, v); break;
	case QUEUE_DRIVER_HIGH: set_high(&q->addr.driver, v); break;
	case QUEUE_DEVICE_LOW: set_low(&q->addr.device, v); break;
	case QUEUE_DEVICE_HIGH: set_high(&q->addr.device, v); break;
	default: return 0;
	}
	return VBLK_FX_SAVE;
}

static unsigned write_queue(struct vblk_mmio *m, uint64_t offset, uint32_t v)
{
	struct vblk_mmio_queue *q = selected(m);

	if (!q)
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

/* 3.1.1 and 2.1.2: bits only come; all go by a reset. */
static unsigned write_status(struct vblk_mmio *m, uint32_t v)
{
	uint32_t fresh = v & SETTABLE & ~m->status;

	if (v == 0) {
		m->resetting = true;
		return vblk_mmio_settle(m) ? VBLK_FX_SAVE | VBLK_FX_LINE
					   : VBLK_FX_SAVE | VBLK_FX_HOLD;
	}
	if (fresh & VBLK_STATUS_FEATURES_OK) {
		/* VERSION_1 is a must for this transport, 6.2 */
		if (!(m->driver_features & VBLK_F_VERSION_1) ||
		    vblk_accept(m->dev, m->driver_features) != VBLK_OK)
			fresh &= ~VBLK_STATUS_FEATURES_OK;
	}
	if (!((m->status | fresh) & VBLK_STATUS_FEATURES_OK))
		fresh &= ~VBLK_STATUS_DRIVER_OK;
	m->status |= fresh;
	if (!(fresh & VBLK_STATUS_DRIVER_OK))
		return VBLK_FX_SAVE;
	for (uint16_t i = 0; i < num_queues(m); i++)
		if (m->queue[i].ready)
			start_queue(m, i);
	return VBLK_FX_SAVE | VBLK_FX_START;
}

static unsigned write_features(struct vblk_mmio *m, uint32_t v)
{
	if (m->status & VBLK_STATUS_FEATURES_OK)
		return 0;       /* settled, 2.2 */
	if (m->driver_features_sel == 0)
		set_low(&m->driver_features, v);
	else if (m->driver_features_sel == 1)
		set_high(&m->driver_features, v);
	return VBLK_FX_SAVE;
}

static unsigned write_register(struct vblk_mmio *m, uint64_t offset,
			       uint32_t v)
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
		/* without NOTIFICATION_DATA the value is a queue number */
		return v < num_queues(m) && vblk_kick(m->dev, (uint16_t)v)
		       ? VBLK_FX_KICK : 0u;
	case INTERRUPT_ACK: acknowledge(m, v); return VBLK_FX_LINE;
	case STATUS: return write_status(m, v);
	default: return write_queue(m, offset, v);
	}
}

unsigned vblk_mmio_write(struct vblk_mmio *m, uint64_t offset, unsigned size,
			 uint64_t value)
{
	uint8_t b[8];

	if (size != 1 && size != 2 && size != 4 && size != 8)
		return 0;
	if (offset < CONFIG)
		return size != 4 || offset % 4u != 0
		       ? 0u : write_register(m, offset, (uint32_t)value);
	if (m->resetting || offset - CONFIG >= VBLK_CFG_BYTES)
		return 0;
	vblk_put(b, value, size);
	vblk_config_write(m->dev, (uint32_t)(offset - CONFIG), b, size);
	return VBLK_FX_SAVE;
}

/* --- what waited for requests in flight ---------------------------------------------- */

static void clear(struct vblk_mmio *m)
{
	for (uint16_t i = 0; i < num_queues(m); i++) {
		struct vblk_mmio_queue *q = &m->queue[i];

		vblk_zero(&q->addr, sizeof(q->addr));
		q->addr.size = vblk_configuration(m->dev)->queue_size;
		q->ready = q->stopping = q->resetting = false;
		q->acked = vblk_shared_load(&q->raised);
	}
	m->features_sel = m->driver_features_sel = m->queue_sel = 0;
	m->status = 0;
	m->driver_features = 0;
	m->changed_acked = m->changed;
	m->fault_acked = 0;
	m->resetting = false;
}

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

bool vblk_mmio_settle(struct vblk_mmio *m)
{
	bool done = true;

	if (m->resetting) {
		if (vblk_reset(m->dev) != VBLK_OK)
			return false;
		clear(m);
		return true;
	}
	for (uint16_t i = 0; i < num_queues(m); i++) {
		struct vblk_mmio_queue *q = &m->queue[i];

		if (!q->stopping && !q->resetting)
			continue;
		keep_fault(m);
		if (vblk_queue_stop(m->dev, i, NULL) != VBLK_OK) {
			done = done && !q->stopping;
			continue;
		}
		q->ready = q->stopping = q->resetting = false;
	}
	return done;
}

/* --- crash and migration ---------------------------------------------------------------- */

/*
 *  0 "vmmi"  4 status  8 sel 3 x 4  20 generation  24 driver_features 8
 * 32 zero  48 each queue: desc 8, driver 8, device 8, size 2,
 *    flags 1, zero 5; then vblk_save's blob
 */
#define STATE_MAGIC 0x696d6d76u
#define STATE_HEAD  48u
#define STATE_EACH  32u

int vblk_mmio_save(const struct vblk_mmio *m, void *out, size_t size)
{
	size_t n = STATE_HEAD + (size_t)STATE_EACH * num_queues(m);
	uint8_t *b = out;
	int r;

	if (size < n)
		return VBLK_ENOSPC;
	vblk_zero(b, n);
	vblk_put(b, STATE_MAGIC, 4);
	vblk_put(b + 4, m->status, 4);
	vblk_put(b + 8, m->features_sel, 4);
	vblk_put(b + 12, m->driver_features_sel, 4);
	vblk_put(b + 16, m->queue_sel, 4);
	vblk_put(b + 20, m->generation, 4);
	vblk_put(b + 24, m->driver_features, 8);
	for (uint16_t i = 0; i < num_queues(m); i++) {
		const struct vblk_mmio_queue *q = &m->queue[i];
		uint8_t *e = b + STATE_HEAD + (size_t)STATE_EACH * i;

		vblk_put(e, q->addr.desc, 8);
		vblk_put(e + 8, q->addr.driver, 8);
		vblk_put(e + 16, q->addr.device, 8);
		vblk_put(e + 24, q->addr.size, 2);
		e[26] = (uint8_t)(q->ready | q->resetting << 1);
	}
	r = vblk_save(m->dev, b + n, size - n);
	return r < 0 ? r : (int)n + r;
}

static void load_queue(struct vblk_mmio_queue *q, const uint8_t *e)
{
	q->addr.desc = vblk_get(e, 8);
	q->addr.driver = vblk_get(e + 8, 8);
	q->addr.device = vblk_get(e + 16, 8);
	q->addr.size = (uint16_t)vblk_get(e + 24, 2);
	q->ready = e[26] & 1u;
	q->resetting = e[26] & 2u;
	q->stopping = false;
}

/* Do registers and device tell the same story? */
static bool consistent(const struct vblk_mmio *m)
{
	bool ok = m->status & VBLK_STATUS_DRIVER_OK;
	bool agreed = m->status & VBLK_STATUS_FEATURES_OK;

	if ((m->status & ~(SETTABLE | VBLK_STATUS_NEEDS_RESET)) ||
	    (ok && !agreed) || agreed != (vblk_accepted(m->dev) != 0))
		return false;
	for (uint16_t i = 0; i < num_queues(m); i++) {
		const struct vblk_mmio_queue *q = &m->queue[i];

		if ((ok && q->ready) != vblk_queue_started(m->dev, i) ||
		    (q->resetting && !q->ready) ||
		    (q->ready &&
		     vblk_queue_check(m->dev, i, &q->addr) != VBLK_OK))
			return false;
	}
	return true;
}

int vblk_mmio_load(struct vblk_mmio *m, const void *in, size_t size)
{
	size_t n = STATE_HEAD + (size_t)STATE_EACH * num_queues(m);
	const uint8_t *b = in;
	int r;

	if (size < n || vblk_get(b, 4) != STATE_MAGIC)
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
	for (uint16_t i = 0; i < num_queues(m); i++)
		load_queue(&m->queue[i], b + STATE_HEAD + (size_t)STATE_EACH * i);
	if (!consistent(m)) {
		m->resetting = true;
		(void)vblk_mmio_settle(m); /* nothing is in flight */
		return VBLK_EINVAL;
	}
	for (uint16_t i = 0; i < num_queues(m); i++)
		vblk_shared_store(&m->queue[i].raised, m->queue[i].acked + 1u);
	m->changed = m->changed_acked + 1u;
	return VBLK_OK;
}

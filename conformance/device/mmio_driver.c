/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * 4.2.2: control registers by aligned accesses of 32 bits; configuration fields
 * by accesses of their own width, 64-bit ones as two of 32.
 */
#include <string.h>

#include "mmio_driver.h"
#include "virtio.h"

static int get(struct dut *d, uint32_t offset, uint32_t *v)
{
	uint64_t wide = 0;
	int r = d->ops->reg_read(d, offset, 4, &wide);

	*v = (uint32_t)wide;
	return r;
}

static int set(struct dut *d, uint32_t offset, uint32_t v)
{
	return d->ops->reg_write(d, offset, 4, v);
}

int mmio_status_read(struct dut *d, uint32_t *v)
{
	return get(d, REG_STATUS, v);
}

int mmio_status_write(struct dut *d, uint32_t v)
{
	return set(d, REG_STATUS, v);
}

int mmio_features_read(struct dut *d, uint64_t *bits)
{
	uint32_t half[2] = { 0, 0 };
	int r = DUT_OK;

	for (uint32_t i = 0; i < 2 && r == DUT_OK; i++) {
		r = set(d, REG_FEATURES_SEL, i);
		if (r == DUT_OK)
			r = get(d, REG_FEATURES, &half[i]);
	}
	*bits = (uint64_t)half[1] << 32 | half[0];
	return r;
}

int mmio_features_write(struct dut *d, uint64_t bits)
{
	int r = DUT_OK;

	for (uint32_t i = 0; i < 2 && r == DUT_OK; i++) {
		r = set(d, REG_ACCEPT_SEL, i);
		if (r == DUT_OK)
			r = set(d, REG_ACCEPT, (uint32_t)(bits >> (32u * i)));
	}
	return r;
}

/* --- configuration space: width of the field at each offset, 5.2.4 -------- */

static uint32_t width_at(uint32_t offset)
{
	static const struct {
		uint8_t from, width;
	} field[] = { { 0, 4 },	 { 16, 2 }, { 18, 1 }, { 20, 4 }, { 24, 1 },
		      { 26, 2 }, { 28, 4 }, { 32, 1 }, { 34, 2 }, { 36, 4 },
		      { 56, 1 }, { 60, 4 }, { 92, 1 } };
	uint32_t width = 1;

	for (uint32_t i = 0; i < sizeof(field) / sizeof(field[0]); i++)
		if (offset >= field[i].from)
			width = field[i].width;
	return offset < 96 ? width : 1;
}

static uint32_t step_at(uint32_t offset, uint32_t left)
{
	uint32_t w = width_at(offset);

	return w > left || offset % w ? 1 : w;
}

int mmio_config_read(struct dut *d, uint32_t offset, void *to, uint32_t n)
{
	uint8_t *p = to;
	int r = DUT_OK;

	while (n > 0 && r == DUT_OK) {
		uint32_t w = step_at(offset, n);
		uint64_t v = 0;

		r = d->ops->reg_read(d, REG_CONFIG + offset, w, &v);
		for (uint32_t i = 0; i < w; i++)
			*p++ = (uint8_t)(v >> (8u * i));
		offset += w;
		n -= w;
	}
	return r;
}

int mmio_config_write(struct dut *d, uint32_t offset, const void *from,
		      uint32_t n)
{
	const uint8_t *p = from;
	int r = DUT_OK;

	while (n > 0 && r == DUT_OK) {
		uint32_t w = step_at(offset, n);
		uint64_t v = 0;

		for (uint32_t i = 0; i < w; i++)
			v |= (uint64_t)*p++ << (8u * i);
		r = d->ops->reg_write(d, REG_CONFIG + offset, w, v);
		offset += w;
		n -= w;
	}
	return r;
}

int mmio_config_generation(struct dut *d, uint32_t *generation)
{
	return get(d, REG_GENERATION, generation);
}

/* --- queues --------------------------------------------------------------- */

static int select_queue(struct dut *d, uint32_t queue)
{
	return set(d, REG_QUEUE_SEL, queue);
}

static int queue_get(struct dut *d, uint32_t queue, uint32_t offset,
		     uint32_t *v)
{
	int r = select_queue(d, queue);

	return r == DUT_OK ? get(d, offset, v) : r;
}

static int queue_put(struct dut *d, uint32_t queue, uint32_t offset,
		     uint32_t v)
{
	int r = select_queue(d, queue);

	return r == DUT_OK ? set(d, offset, v) : r;
}

int mmio_queue_max(struct dut *d, uint32_t queue, uint32_t *size)
{
	return queue_get(d, queue, REG_QUEUE_MAX, size);
}

int mmio_queue_set(struct dut *d, uint32_t queue, const struct dut_queue *q)
{
	const uint64_t area[3] = { q->desc, q->driver, q->device };
	int r = queue_put(d, queue, REG_QUEUE_SIZE, q->size);

	for (uint32_t i = 0; i < 3 && r == DUT_OK; i++) {
		r = set(d, REG_DESC + 16u * i, (uint32_t)area[i]);
		if (r == DUT_OK)
			r = set(d, REG_DESC + 16u * i + 4u,
				(uint32_t)(area[i] >> 32));
	}
	return r;
}

int mmio_queue_enable(struct dut *d, uint32_t queue)
{
	return queue_put(d, queue, REG_QUEUE_READY, 1);
}

int mmio_queue_ready(struct dut *d, uint32_t queue, bool *ready)
{
	uint32_t v = 0;
	int r = queue_get(d, queue, REG_QUEUE_READY, &v);

	*ready = v != 0;
	return r;
}

int mmio_queue_reset(struct dut *d, uint32_t queue)
{
	return queue_put(d, queue, REG_QUEUE_RESET, 1);
}

int mmio_queue_resetting(struct dut *d, uint32_t queue, bool *ongoing)
{
	uint32_t v = 0;
	int r = queue_get(d, queue, REG_QUEUE_RESET, &v);

	*ongoing = v != 0;
	return r;
}

int mmio_notify(struct dut *d, uint32_t queue)
{
	return set(d, REG_NOTIFY, queue);
}

int mmio_notify_data(struct dut *d, uint32_t queue, uint32_t data)
{
	(void)queue;
	return set(d, REG_NOTIFY, data);
}

/* 4.2.3.4: read what it is, handle it, acknowledge what was handled. */
int mmio_irq_take(struct dut *d, struct dut_irq *irq)
{
	uint32_t v = 0;
	int r = get(d, REG_IRQ_STATUS, &v);

	irq->used = v & REG_IRQ_USED ? UINT32_MAX : 0;
	irq->config = (v & REG_IRQ_CONFIG) != 0;
	irq->error = 0;
	v &= REG_IRQ_USED | REG_IRQ_CONFIG;
	return r == DUT_OK && v ? set(d, REG_IRQ_ACK, v) : r;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the device is: the caller's configuration with its defaults and checks,
 * feature negotiation (virtio 1.4, 2.2), and the configuration space that the
 * driver reads (5.2.4).
 */
#include "bytes.h"
#include "dev.h"

static bool power_of_two(uint32_t v)
{
	return v != 0 && (v & (v - 1u)) == 0;
}

#define DEFAULT(field, value) \
	do { \
		if ((field) == 0) \
			(field) = (value); \
	} while (0)

static void fill(struct vblk_config *c)
{
	DEFAULT(c->block_size, VBLK_SECTOR_SIZE);
	DEFAULT(c->size_max, UINT32_C(1) << 20);
	DEFAULT(c->max_discard_sectors, UINT32_C(1) << 21);
	DEFAULT(c->max_zeroes_sectors, UINT32_C(1) << 21);
	DEFAULT(c->discard_align, 1);
	DEFAULT(c->num_queues, 1);
	DEFAULT(c->queue_size, 128);
	DEFAULT(c->slots, c->queue_size);
	DEFAULT(c->segs, 32);
	DEFAULT(c->seg_max, c->segs);
	DEFAULT(c->regions, 8);
	if (c->cylinders == 0 && c->heads == 0 && c->sectors == 0) {
		uint64_t cylinders = c->capacity / (16u * 63u);

		c->cylinders = cylinders > 65535u ? 65535u
						  : (uint16_t)cylinders;
		c->heads = 16;
		c->sectors = 63;
	}
	c->features |= VBLK_F_VERSION_1;
}

/* Rings, header or table, and one request of all its segments and status. */
static bool regions_suffice(const struct vblk_config *c)
{
	return !c->on_demand ||
	       c->regions >= 3u * c->num_queues + c->segs + 2u;
}

int vblk_config_default(struct vblk_config *c)
{
	fill(c);
	if (c->capacity > UINT64_MAX / VBLK_SECTOR_SIZE ||
	    (c->features & ~(VBLK_ANY_RING | VBLK_ANY_BLK)) ||
	    ((c->features & VBLK_F_CONFIG_WCE) &&
	     !(c->features & VBLK_F_FLUSH)))
		return VBLK_EINVAL;
	if (!power_of_two(c->block_size) || c->block_size < VBLK_SECTOR_SIZE ||
	    c->block_size > 65536u || !power_of_two(c->queue_size) ||
	    c->queue_size > VBLK_MAX_QUEUE_SIZE)
		return VBLK_EINVAL;
	if (c->num_queues > VBLK_MAX_QUEUES || c->slots > c->queue_size ||
	    c->segs > VBLK_MAX_SEGS || c->seg_max > c->segs ||
	    c->regions == VBLK_NONE || c->fault_policy > VBLK_STOP ||
	    !regions_suffice(c))
		return VBLK_EINVAL;
	return VBLK_OK;
}

uint64_t vblk_features(const struct vblk *dev)
{
	return dev->cfg.features;
}

uint64_t vblk_accepted(const struct vblk *dev)
{
	return dev->accepted;
}

int vblk_accept(struct vblk *dev, uint64_t features)
{
	if (features & ~dev->cfg.features)
		return VBLK_EGUEST;
	dev->accepted = features;
	/* 5.2.5.2: without FLUSH the field starts as 0 */
	dev->writeback = (features & VBLK_F_FLUSH) ||
			 !(features & VBLK_F_CONFIG_WCE);
	return VBLK_OK;
}

/* 5.2.6.2: may a write be complete before it is durable? */
bool vblk_write_back(const struct vblk *dev)
{
	if (has(dev, VBLK_F_CONFIG_WCE))
		return dev->writeback;
	return has(dev, VBLK_F_FLUSH);
}

/* --- configuration space ------------------------------------------------------ */

/* Only what is offered; the rest, and all padding, is 0. */
static void image_of(const struct vblk *dev, uint8_t *im)
{
	const struct vblk_config *c = &dev->cfg;
	uint64_t f = c->features;

	vblk_zero(im, VBLK_CFG_BYTES);
	vblk_put(im + VBLK_CFG_CAPACITY, c->capacity, 8);
	if (f & VBLK_F_SIZE_MAX)
		vblk_put(im + VBLK_CFG_SIZE_MAX, c->size_max, 4);
	if (f & VBLK_F_SEG_MAX)
		vblk_put(im + VBLK_CFG_SEG_MAX, c->seg_max, 4);
	if (f & VBLK_F_GEOMETRY) {
		vblk_put(im + VBLK_CFG_CYLINDERS, c->cylinders, 2);
		vblk_put(im + VBLK_CFG_HEADS, c->heads, 1);
		vblk_put(im + VBLK_CFG_SECTORS, c->sectors, 1);
	}
	if (f & VBLK_F_BLK_SIZE)
		vblk_put(im + VBLK_CFG_BLK_SIZE, c->block_size, 4);
	if (f & VBLK_F_TOPOLOGY) {
		vblk_put(im + VBLK_CFG_PHYSICAL_EXP, c->physical_exp, 1);
		vblk_put(im + VBLK_CFG_ALIGN_OFFSET, c->align_offset, 1);
		vblk_put(im + VBLK_CFG_MIN_IO, c->min_io_size, 2);
		vblk_put(im + VBLK_CFG_OPT_IO, c->opt_io_size, 4);
	}
	if (f & VBLK_F_CONFIG_WCE)
		vblk_put(im + VBLK_CFG_WRITEBACK, dev->writeback, 1);
	if (f & VBLK_F_MQ)
		vblk_put(im + VBLK_CFG_NUM_QUEUES, c->num_queues, 2);
	if (f & VBLK_F_DISCARD) {
		vblk_put(im + VBLK_CFG_DISCARD_MAX, c->max_discard_sectors, 4);
		vblk_put(im + VBLK_CFG_DISCARD_SEG, 1, 4);
		vblk_put(im + VBLK_CFG_DISCARD_ALIGN, c->discard_align, 4);
	}
	if (f & VBLK_F_WRITE_ZEROES) {
		vblk_put(im + VBLK_CFG_ZEROES_MAX, c->max_zeroes_sectors, 4);
		vblk_put(im + VBLK_CFG_ZEROES_SEG, 1, 4);
		vblk_put(im + VBLK_CFG_ZEROES_UNMAP, 1, 1);
	}
}

void vblk_config_read(const struct vblk *dev, uint32_t offset, void *out,
		      uint32_t len)
{
	uint8_t im[VBLK_CFG_BYTES];
	uint32_t n = 0;

	image_of(dev, im);
	if (offset < VBLK_CFG_BYTES)
		n = len < VBLK_CFG_BYTES - offset ? len
						  : VBLK_CFG_BYTES - offset;
	vblk_zero(out, len);
	if (n > 0)
		vblk_copy(out, im + offset, n);
}

void vblk_config_write(struct vblk *dev, uint32_t offset, const void *in,
		       uint32_t len)
{
	uint8_t v;

	/* writeback is the one field a driver may write, 5.2.5 */
	if (!has(dev, VBLK_F_CONFIG_WCE) || offset > VBLK_CFG_WRITEBACK ||
	    len <= VBLK_CFG_WRITEBACK - offset)
		return;
	v = ((const uint8_t *)in)[VBLK_CFG_WRITEBACK - offset];
	if (v <= 1)
		dev->writeback = v;
}

void vblk_resize(struct vblk *dev, uint64_t capacity)
{
	dev->cfg.capacity = capacity;
}

const struct vblk_config *vblk_configuration(const struct vblk *dev)
{
	return &dev->cfg;
}

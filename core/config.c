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
	return (v & (v - 1u)) == 0; /* of 0 the default took the place */
}

#define DEFAULT(field, value) \
	do { \
		if ((field) == 0) \
			(field) = (value); \
	} while (0)

#define FIELD32(field, value) { offsetof(struct vblk_config, field), value }

static const struct { uint32_t offset, value; } defaults[] = {
	FIELD32(block_size, VBLK_SECTOR_SIZE),
	FIELD32(size_max, UINT32_C(1) << 20),
	FIELD32(max_discard_sectors, UINT32_C(1) << 21),
	FIELD32(max_zeroes_sectors, UINT32_C(1) << 21),
	FIELD32(max_erase_sectors, UINT32_C(1) << 21),
	FIELD32(discard_align, 1)
};

static void fill(struct vblk_config *c)
{
	for (size_t i = 0; i < sizeof(defaults) / sizeof(*defaults); i++) {
		uint8_t *field = (uint8_t *)c + defaults[i].offset;

		DEFAULT(*(uint32_t *)(void *)field, defaults[i].value);
	}
	DEFAULT(c->num_queues, 1);
	DEFAULT(c->queue_size, 128);
	DEFAULT(c->slots, c->queue_size);
	DEFAULT(c->segs, 32);
	DEFAULT(c->seg_max, c->segs);
	DEFAULT(c->regions, 8);
	c->features |= VBLK_F_VERSION_1;
}

_Static_assert(sizeof(struct vblk_config_space) == VBLK_CFG_BYTES, "5.2.4");
_Static_assert(offsetof(struct vblk_config_space, writeback) ==
	       VBLK_CFG_WRITEBACK, "5.2.4");
_Static_assert(offsetof(struct vblk_config_space, write_zeroes_may_unmap) == 56,
	       "5.2.4");

/* Rings, header or table, and one request of all its segments and status. */
static bool regions_suffice(const struct vblk_config *c)
{
	return !c->on_demand ||
	       (HAS_DEMAND && c->regions >= 3u * c->num_queues + c->segs + 2u);
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
	    c->block_size > 65536u || !power_of_two(c->queue_size))
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

/* --- configuration space -------------------------------------------------- */

#define AT(member)	   offsetof(struct vblk_config_space, member)
#define FIELD(member, ours) VBLK_FIELD(AT(member), vblk_config, ours)

static const struct vblk_field fields[] = {
	FIELD(capacity, capacity),
	FIELD(size_max, size_max),
	FIELD(seg_max, seg_max),
	FIELD(cylinders, cylinders),
	FIELD(heads, heads),
	FIELD(sectors, sectors),
	FIELD(blk_size, block_size),
	FIELD(physical_block_exp, physical_exp),
	FIELD(alignment_offset, align_offset),
	FIELD(min_io_size, min_io_size),
	FIELD(opt_io_size, opt_io_size),
	FIELD(num_queues, num_queues),
	FIELD(max_discard_sectors, max_discard_sectors),
	FIELD(discard_sector_alignment, discard_align),
	FIELD(max_write_zeroes_sectors, max_zeroes_sectors),
	FIELD(max_secure_erase_sectors, max_erase_sectors),
	FIELD(secure_erase_sector_alignment, discard_align),
	{ 0 }
};

void vblk_config_read(const struct vblk *dev, uint32_t offset, void *out,
		      uint32_t len)
{
	uint8_t image[VBLK_CFG_BYTES];
	uint32_t n = 0;

	/* the padding is 0, and so is what follows the known fields */
	vblk_zero(image, sizeof(image));
	vblk_pack(image, &dev->cfg, fields);
	image[AT(writeback)] = dev->writeback;
	image[AT(max_discard_seg)] = 1;
	image[AT(max_write_zeroes_seg)] = 1;
	image[AT(max_secure_erase_seg)] = 1;
	image[AT(write_zeroes_may_unmap)] = 1;
	if (offset < VBLK_CFG_BYTES)
		n = len < VBLK_CFG_BYTES - offset ? len
						  : VBLK_CFG_BYTES - offset;
	vblk_zero(out, len);
	if (n > 0)
		vblk_copy(out, image + offset, n);
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
	/* what was judged by the old size and waits for memory is read again */
	for (uint32_t i = 0; i < dev->cfg.num_queues; i++)
		vblk_unfetch(&dev->queue[i]);
}

const struct vblk_config *vblk_configuration(const struct vblk *dev)
{
	return &dev->cfg;
}

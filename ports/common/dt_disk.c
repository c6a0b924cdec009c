/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One disk: what spec/binding.md says of a virtio,mmio node. What the node
 * refers to is looked up when it is met.
 */
#include "dt_internal.h"

/* A node below virtio,mmio says what device it holds; 2 is a block device */
#define KIND       "virtio,device"
#define KIND_BLOCK "virtio,device2"

static const char *const own[] = {
	"vblk,image", "vblk,serial", "vblk,read-only", "vblk,block-size",
	"vblk,queues", "vblk,queue-size", "vblk,memory", "vblk,guest",
	"vblk,foreign-pages", "vblk,notify",
};

static const char *const regime[] = { "whole", "on-demand", "grants",
				      "window" };

const char *dt_regime_name(enum dt_memory_regime r)
{
	return regime[r];
}

static bool begins(const char *s, const char *with)
{
	return strlen(s) >= strlen(with) && memcmp(s, with, strlen(with)) == 0;
}

/* A property that is not the port's to have: a word misspelt, most likely. */
static int only_known(const struct dt_walk *w)
{
	int at = fdt_first_property_offset(w->blob, dt_here(w));

	for (unsigned i = 0; at >= 0; i++) {
		const char *name;
		bool known;

		if (i == DT_PROPS_MAX)
			return dt_refuse(w, dt_here(w), NULL,
					 "more properties than DT_PROPS_MAX");
		if (!fdt_getprop_by_offset(w->blob, at, &name, NULL))
			return dt_refuse(w, dt_here(w), NULL, "malformed");
		known = !begins(name, "vblk,");
		for (unsigned k = 0; k < sizeof(own) / sizeof(own[0]); k++)
			known = known || dt_same(name, own[k]);
		if (!known)
			return dt_refuse(w, dt_here(w), name, "unknown");
		at = fdt_next_property_offset(w->blob, at);
	}
	return 0;
}

/* --- what it serves ------------------------------------------------------- */

/* Within min..max; a power of two, if it must be. */
static int sized(const struct dt_walk *w, const char *name, bool power,
		 uint32_t min, uint32_t max, uint32_t *out)
{
	uint32_t v;
	int r = dt_u32(w, dt_here(w), name, &v);

	if (r <= 0)
		return r;
	if (v < min || v > max)
		return dt_refuse(w, dt_here(w), name, "out of range");
	if (power && (v & (v - 1u)))
		return dt_refuse(w, dt_here(w), name, "not a power of two");
	*out = v;
	return 1;
}

static int content(const struct dt_walk *w, struct dt_disk *d)
{
	int node = dt_here(w);
	uint32_t queues = 0, size = 0;

	if (dt_string(w, node, "vblk,image", &d->image) < 0 ||
	    dt_string(w, node, "vblk,serial", &d->serial) < 0 ||
	    dt_flag(w, node, "vblk,read-only", &d->read_only) < 0 ||
	    sized(w, "vblk,block-size", true, 512, 65536, &d->block_size) < 0 ||
	    sized(w, "vblk,queues", false, 1, VBLK_MAX_QUEUES, &queues) < 0 ||
	    sized(w, "vblk,queue-size", true, 1, 32768, &size) < 0)
		return -1;
	if (d->serial && strlen(d->serial) > DT_SERIAL_MAX)
		return dt_refuse(w, node, "vblk,serial",
				 "longer than DT_SERIAL_MAX");
	d->queues = (uint16_t)queues;
	d->queue_size = (uint16_t)size;
	return 0;
}

/* --- where its memory is -------------------------------------------------- */

/* iommus: 1 if the guest hands out grants in place of addresses. */
static int grants(const struct dt_walk *w, struct dt_disk *d)
{
	const uint8_t *p;
	int len = dt_bytes(w, dt_here(w), "iommus", &p), r;
	struct dt_walk iommu;
	uint32_t cells = 0;

	if (len < 0)
		return 0;
	if (len != 8)
		return dt_refuse(w, dt_here(w), "iommus",
				 "not a phandle and a domain");
	if (dt_follow(&iommu, w, dt_here(w), "iommus", p) < 0)
		return -1;
	r = dt_compatible(&iommu, dt_here(&iommu), "xen,grant-dma");
	if (r == 0)
		return dt_refuse(w, dt_here(w), "iommus",
				 "not xen,grant-dma: nobody here translates "
				 "for it");
	if (r < 0 ||
	    dt_u32(&iommu, dt_here(&iommu), "#iommu-cells", &cells) < 0)
		return -1;
	if (cells != 1)
		return dt_refuse(w, dt_here(&iommu), "#iommu-cells",
				 "is not 1");
	d->backend = dt_be32(p + 4);
	if (d->backend > DT_DOMAIN_MAX)
		return dt_refuse(w, dt_here(w), "iommus",
				 "no domain has this number");
	return 1;
}

/* memory-region: 1 if there is one. */
static int window(const struct dt_walk *w, struct dt_disk *d)
{
	const uint8_t *p;
	int len = dt_bytes(w, dt_here(w), "memory-region", &p), r;
	struct vblk_range more;
	struct dt_walk at;
	const char *name;

	if (len < 0)
		return 0;
	if (len != 4)
		return dt_refuse(w, dt_here(w), "memory-region",
				 "is not one phandle");
	if (dt_follow(&at, w, dt_here(w), "memory-region", p) < 0)
		return -1;
	name = at.depth == 2 ? fdt_get_name(w->blob, at.up[1], NULL) : NULL;
	if (!name || !dt_same(name, "reserved-memory"))
		return dt_refuse(w, dt_here(w), "memory-region",
				 "not a node of /reserved-memory");
	r = dt_available(&at);
	if (r == 0)
		return dt_refuse(w, dt_here(w), "memory-region",
				 "its node is disabled");
	if (r < 0 || dt_reg(&at, 0, &d->window) < 0)
		return -1;
	r = dt_reg(&at, 1, &more);
	if (r > 0)
		return dt_refuse(w, dt_here(&at), "reg", "more than one range");
	if (r < 0 || dt_whole_pages(&at, &d->window) < 0)
		return -1;
	return 1;
}

/* vblk,memory, or what the standard properties imply. */
static int regime_of(const struct dt_walk *w, struct dt_disk *d)
{
	int granted = grants(w, d), shared = window(w, d), said;
	const char *name = NULL;

	said = dt_string(w, dt_here(w), "vblk,memory", &name);
	if (granted < 0 || shared < 0 || said < 0)
		return -1;
	if (granted && shared)
		return dt_refuse(w, dt_here(w), "memory-region",
				 "beside iommus: an address cannot be both");
	d->memory = granted ? DT_GRANTS : shared ? DT_WINDOW : DT_WHOLE;
	for (unsigned i = 0; name; i++) {
		if (i == sizeof(regime) / sizeof(regime[0]))
			return dt_refuse(w, dt_here(w), "vblk,memory",
					 "not whole, on-demand, grants or "
					 "window");
		if (!dt_same(name, regime[i]))
			continue;
		d->memory = (enum dt_memory_regime)i;
		name = NULL;
	}
	if (granted && d->memory != DT_GRANTS)
		return dt_refuse(w, dt_here(w), "vblk,memory",
				 "iommus says that addresses are grants");
	if (!shared && d->memory == DT_WINDOW)
		return dt_refuse(w, dt_here(w), "vblk,memory",
				 "a window needs memory-region");
	return 0;
}

/* The nearest of what stands on the node and above it. */
static int owner(const struct dt_walk *w, struct dt_disk *d)
{
	for (int i = w->depth; i >= 0; i--) {
		int r = dt_u32(w, w->up[i], "vblk,guest", &d->guest);

		if (r > 0 && d->guest == DT_NOBODY)
			return dt_refuse(w, w->up[i], "vblk,guest",
					 "no domain has this number");
		if (r != 0)
			return r;
	}
	return 0;
}

static bool coherent(const struct dt_walk *w)
{
	const uint8_t *p;

	for (int i = w->depth; i >= 0; i--) {
		if (dt_bytes(w, w->up[i], "dma-coherent", &p) >= 0)
			return true;
		if (dt_bytes(w, w->up[i], "dma-noncoherent", &p) >= 0)
			return false;
	}
	return false;
}

static int memory(const struct dt_walk *w, struct dt_disk *d)
{
	int r;

	if (owner(w, d) < 0 || regime_of(w, d) < 0)
		return -1;
	d->coherent = coherent(w);
	r = sized(w, "vblk,foreign-pages", false, 1, UINT32_MAX,
		  &d->foreign_pages);
	if (r > 0 && d->memory != DT_ON_DEMAND && d->memory != DT_GRANTS)
		return dt_refuse(w, dt_here(w), "vblk,foreign-pages",
				 "for on-demand and grants only");
	return r < 0 ? -1 : 0;
}

/* --- the node ------------------------------------------------------------- */

/* A node below it may say that it holds a network card, say. */
static int holds_disk(const struct dt_walk *w)
{
	int child = fdt_first_subnode(w->blob, dt_here(w));

	for (unsigned i = 0; child >= 0; i++) {
		const char *kind = NULL;
		const uint8_t *p;
		int len = dt_bytes(w, child, "compatible", &p);

		if (i == DT_CHILDREN_MAX)
			return dt_refuse(w, dt_here(w), NULL,
					 "more nodes below it than "
					 "DT_CHILDREN_MAX");
		if (len > 0 && p[len - 1] == 0)
			kind = (const char *)p;
		if (kind && begins(kind, KIND))
			return dt_same(kind, KIND_BLOCK);
		child = fdt_next_subnode(w->blob, child);
	}
	return 1;
}

int dt_is_disk(const struct dt_walk *w)
{
	const uint8_t *p;
	int r = dt_compatible(w, dt_here(w), "virtio,mmio");

	if (r > 0)
		r = dt_available(w);
	if (r <= 0)
		return r;
	r = holds_disk(w);
	if (r == 0 && dt_bytes(w, dt_here(w), "vblk,image", &p) >= 0)
		return dt_refuse(w, dt_here(w), "vblk,image",
				 "of a node that holds another kind of device");
	return r;
}

int dt_read_disk(const struct dt_walk *w, struct dt_disk *out)
{
	*out = (struct dt_disk){ .node = dt_here(w),
				 .name = fdt_get_name(w->blob, dt_here(w),
						      NULL),
				 .guest = DT_NOBODY,
				 .backend = DT_NOBODY };
	if (only_known(w) < 0 || content(w, out) < 0 || memory(w, out) < 0 ||
	    dt_read_notification(w, out) < 0)
		return -1;
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a disk is notified and how it notifies: its registers, its interrupt.
 */
#include "dt_internal.h"
#include "vblk/mmio.h"

/* GIC: an interrupt is three cells, type, number and flags */
#define IRQ_BYTES  12
#define IRQ_CELLS  3u
#define SPI        0u
#define PPI        1u
#define SPI_FIRST  32u
#define PPI_FIRST  16u
#define PPI_LAST   31u
#define EDGE_UP    1u
#define LEVEL_HIGH 4u
#define FLAGS_CPUS 0xff00u      /* which CPUs; writers set it for SPIs too */

static int registers(const struct dt_walk *w, struct dt_disk *d)
{
	struct vblk_range r, more;
	int second;

	if (dt_reg(w, 0, &r) < 0)
		return -1;
	second = dt_reg(w, 1, &more);
	if (second > 0)
		return dt_refuse(w, dt_here(w), "reg", "more than one window");
	if (second < 0)
		return -1;
	if (r.len % VBLK_MMIO_BYTES)
		return dt_refuse(w, dt_here(w), "reg",
				 "its size is not a multiple of 0x200");
	if (r.gpa % 4u)
		return dt_refuse(w, dt_here(w), "reg",
				 "registers are 4 bytes wide and aligned");
	d->base = r.gpa;
	d->bytes = r.len;
	return 0;
}

/* The interrupt controller that the node's interrupts are numbers of. */
static int controller(const struct dt_walk *w, struct dt_walk *gic)
{
	for (int i = w->depth; i >= 0; i--) {
		const uint8_t *p;
		int len = dt_bytes(w, w->up[i], "interrupt-parent", &p);

		if (len < 0)
			continue;
		if (len != 4)
			return dt_refuse(w, w->up[i], "interrupt-parent",
					 "is not one cell");
		return dt_follow(gic, w, w->up[i], "interrupt-parent", p);
	}
	return dt_refuse(w, dt_here(w), "interrupt-parent",
			 "neither here nor above");
}

static int gic_of(const struct dt_walk *w)
{
	struct dt_walk gic;
	uint32_t cells = 0;
	const uint8_t *p;

	if (controller(w, &gic) < 0)
		return -1;
	if (dt_bytes(&gic, dt_here(&gic), "interrupt-controller", &p) < 0)
		return dt_refuse(w, dt_here(&gic), "interrupt-controller",
				 "missing, but it is an interrupt-parent");
	if (dt_u32(&gic, dt_here(&gic), "#interrupt-cells", &cells) < 0)
		return -1;
	return cells == IRQ_CELLS
		       ? 0
		       : dt_refuse(w, dt_here(&gic), "#interrupt-cells",
				   "is not 3: not a GIC");
}

static int interrupt(const struct dt_walk *w, struct dt_disk *d)
{
	const char *wrong = NULL;
	uint32_t type, number, flags;
	const uint8_t *p;

	if (dt_bytes(w, dt_here(w), "interrupts-extended", &p) >= 0)
		return dt_refuse(w, dt_here(w), "interrupts-extended",
				 "not supported, use interrupts");
	if (dt_bytes(w, dt_here(w), "interrupts", &p) != IRQ_BYTES)
		return dt_refuse(w, dt_here(w), "interrupts",
				 "is not one interrupt of three cells");
	type = dt_be32(p);
	number = dt_be32(p + 4);
	flags = dt_be32(p + 8) & ~FLAGS_CPUS;
	if (gic_of(w) < 0)
		return -1;
	if (type != SPI && type != PPI)
		wrong = "its type is neither 0 (SPI) nor 1 (PPI)";
	else if (type == SPI && number > DT_IRQ_MAX - SPI_FIRST)
		wrong = "no SPI has this number";
	else if (type == PPI && number > PPI_LAST - PPI_FIRST)
		wrong = "no PPI has this number";
	else if (flags != EDGE_UP && flags != LEVEL_HIGH)
		wrong = "flags neither 1 (rising edge) nor 4 (high level)";
	if (wrong)
		return dt_refuse(w, dt_here(w), "interrupts", wrong);
	d->irq = number + (type == SPI ? SPI_FIRST : PPI_FIRST);
	d->level = flags == LEVEL_HIGH;
	return 0;
}

int dt_read_notification(const struct dt_walk *w, struct dt_disk *d)
{
	const char *how = "trap";

	if (registers(w, d) < 0 || interrupt(w, d) < 0 ||
	    dt_string(w, dt_here(w), "vblk,notify", &how) < 0)
		return -1;
	d->doorbell = dt_same(how, "doorbell");
	if (!d->doorbell && !dt_same(how, "trap"))
		return dt_refuse(w, dt_here(w), "vblk,notify",
				 "neither trap nor doorbell");
	return 0;
}

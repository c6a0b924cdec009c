/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What holds of any blob at all, for the fuzzer and for the test that mutates:
 * it is refused with a reason, or what comes out keeps to dt.h.
 */
#ifndef DT_CHECK_H
#define DT_CHECK_H

#include "dt_internal.h"
#include "vblk/mmio.h"

static bool dt_inside(const char *s, const void *blob, size_t size)
{
	const char *first = blob;

	return s >= first && s < first + size &&
	       memchr(s, 0, (size_t)(first + size - s));
}

static bool dt_pages(const struct vblk_range *r)
{
	return r->len > 0 && r->gpa % DT_PAGE == 0 && r->len % DT_PAGE == 0 &&
	       r->len - 1u <= ~r->gpa;
}

static const char *dt_check_disk(const struct dt_disk *d, const void *blob,
				 size_t size)
{
	if (!dt_inside(d->name, blob, size) ||
	    (d->image && (!dt_inside(d->image, blob, size) || !*d->image)) ||
	    (d->serial && (!dt_inside(d->serial, blob, size) || !*d->serial ||
			   strlen(d->serial) > DT_SERIAL_MAX)))
		return "strings lie in the blob";
	if (d->bytes < VBLK_MMIO_BYTES || d->bytes % VBLK_MMIO_BYTES ||
	    d->base % 4u || d->bytes - 1u > ~d->base)
		return "registers have an address";
	if (d->irq < 16u || d->irq > DT_IRQ_MAX)
		return "there is such an interrupt";
	if (d->queues > VBLK_MAX_QUEUES || d->queue_size > 32768u ||
	    (d->queue_size & (d->queue_size - 1u)) ||
	    (d->block_size & (d->block_size - 1u)) || d->block_size > 65536u)
		return "sizes are in range";
	if (d->memory > DT_WINDOW || !dt_regime_name(d->memory) ||
	    (d->memory == DT_WINDOW && d->window.len == 0) ||
	    (d->window.len > 0 && !dt_pages(&d->window)))
		return "there is such a regime";
	if (d->backend != DT_NOBODY &&
	    (d->memory != DT_GRANTS || d->backend > DT_DOMAIN_MAX))
		return "there is such a domain";
	return NULL;
}

static const char *dt_check_error(const struct dt_error *why)
{
	char line[DT_LINE];

	if (!why->reason || !memchr(why->path, 0, DT_PATH))
		return "there is a reason";
	if (strlen(dt_strerror(why, line, DT_LINE)) >= DT_LINE - 1u)
		return "DT_LINE suffices";
	for (const char *p = line; *p != '\0'; p++)
		if (*p < ' ' || *p > '~')
			return "an error prints";
	return NULL;
}

/* NULL, or what does not hold. */
static const char *dt_check(const void *blob, size_t size)
{
	struct dt_disk d[DT_DISKS_MAX];
	struct vblk_range r[DT_MEMORY_MAX];
	struct dt_error why;
	const char *wrong = NULL;
	int n = dt_disks(blob, size, d, DT_DISKS_MAX, &why);

	if (n < 0 || n > (int)DT_DISKS_MAX)
		wrong = n == -1 ? dt_check_error(&why) : "a count or -1";
	for (int i = 0; i < n && !wrong; i++) {
		wrong = dt_check_disk(&d[i], blob, size);
		for (int k = 0; k < i && !wrong; k++)
			if (d[i].guest == d[k].guest &&
			    (d[i].irq == d[k].irq ||
			     dt_overlap(d[i].base, d[i].bytes, d[k].base,
					d[k].bytes)))
				wrong = "disks have nothing in common";
	}
	if (wrong)
		return wrong;
	n = dt_memory(blob, size, r, DT_MEMORY_MAX, &why);
	if (n < 0 || n > (int)DT_MEMORY_MAX)
		wrong = n == -1 ? dt_check_error(&why) : "a count or -1";
	for (int i = 0; i < n && !wrong; i++) {
		if (!dt_pages(&r[i]))
			wrong = "RAM is whole pages";
		for (int k = 0; k < i; k++)
			if (dt_overlap(r[i].gpa, r[i].len, r[k].gpa, r[k].len))
				wrong = "RAM is there once";
	}
	return wrong;
}

#endif

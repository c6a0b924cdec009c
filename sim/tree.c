/* SPDX-License-Identifier: BSD-2-Clause */
/* See tree.h. */
#include "tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dt.h"

/* Cannot hold the rings of all queues and a request of each, in large pages. */
static bool cap_small(const struct dt_disk *d)
{
	unsigned queues = d->queues ? d->queues : SIM_QUEUES;

	return d->foreign_pages != 0 &&
	       d->foreign_pages < (8u * queues + 8u) * 4u;
}

/* What there is one of for all disks of a run is the same in each. */
static bool like(const struct dt_disk *a, const struct dt_disk *b)
{
	return a->memory == b->memory && a->queues == b->queues &&
	       a->queue_size == b->queue_size && a->doorbell == b->doorbell &&
	       a->level == b->level && a->foreign_pages == b->foreign_pages &&
	       a->guest == b->guest && a->window.gpa == b->window.gpa &&
	       a->window.len == b->window.len;
}

static const char *not_simulated(const struct dt_disk *d,
				 const struct dt_disk *first)
{
	if (d->queues > SIM_QUEUES)
		return "more than 4 queues";
	if (d->queue_size != 0 &&
	    (d->queue_size < 8u || d->queue_size > SIM_QSIZE))
		return "a queue size outside 8..128";
	if (d->read_only)
		return "vblk,read-only";
	if (d->block_size > SECTOR)
		return "a vblk,block-size other than 512";
	if (!d->coherent)
		return "a device that is not dma-coherent";
	if (cap_small(d))
		return "vblk,foreign-pages below (queues + 1) * 32";
	if (!like(d, first))
		return "a regime, guest, window, cap, queues, queue size, "
		       "notification or trigger that is not the first disk's";
	return NULL;
}

static void take(struct tree *t, const struct dt_disk *d, unsigned n)
{
	t->disks = n;
	t->queues = d->queues;
	t->qsize = d->queue_size;
	t->regime = d->memory == DT_WHOLE    ? WHOLE
		    : d->memory == DT_WINDOW ? WINDOW
					     : DEMAND;
	t->transient = d->memory == DT_GRANTS;
	t->doorbell = d->doorbell;
	t->level = d->level;
	t->machine.cap = d->foreign_pages;
	for (unsigned i = 0; i < n; i++) {
		t->machine.base[i] = d[i].base;
		t->machine.bytes[i] = d[i].bytes;
		t->machine.irq[i] = d[i].irq;
	}
}

/* One piece: grants from reference 0, the window, or the largest RAM. */
static bool place(struct tree *t, const struct dt_disk *d,
		  const struct vblk_range *ram, int n)
{
	t->machine.ram = d->memory == DT_GRANTS ? DT_GRANT : d->window.gpa;
	t->machine.ram_bytes = d->memory == DT_GRANTS ? UINT32_MAX
						      : d->window.len;
	if (d->memory == DT_GRANTS || d->memory == DT_WINDOW)
		return true;
	t->machine.ram_bytes = 0;
	for (int i = 0; i < n; i++) {
		if (ram[i].len <= t->machine.ram_bytes)
			continue;
		t->machine.ram = ram[i].gpa;
		t->machine.ram_bytes = ram[i].len;
	}
	return n > 0;
}

static bool describe(struct tree *t, const void *blob, size_t n, char *why,
		     size_t size)
{
	struct vblk_range ram[DT_MEMORY_MAX];
	struct dt_disk d[DT_DISKS_MAX];
	struct dt_error error;
	char line[DT_LINE];
	int disks = dt_disks(blob, n, d, DT_DISKS_MAX, &error), ranges = -1;

	if (disks >= 0)
		ranges = dt_memory(blob, n, ram, DT_MEMORY_MAX, &error);
	if (ranges < 0) {
		snprintf(why, size, "%s: %s", t->file,
			 dt_strerror(&error, line, sizeof(line)));
		return false;
	}
	if (disks < 1 || disks > (int)MAX_DISKS) {
		snprintf(why, size, "%s: %d disks, not 1 to %u", t->file, disks,
			 MAX_DISKS);
		return false;
	}
	for (int i = 0; i < disks; i++) {
		const char *what = not_simulated(&d[i], &d[0]);

		if (!what)
			continue;
		snprintf(why, size, "%s: %s: not simulated: %s", t->file,
			 d[i].name, what);
		return false;
	}
	take(t, d, (unsigned)disks);
	if (place(t, d, ram, ranges))
		return true;
	snprintf(why, size, "%s: no memory node says where RAM is", t->file);
	return false;
}

bool tree_load(struct tree *t, const char *file, char *why, size_t size)
{
	FILE *f = fopen(file, "rb");
	void *blob = malloc(DT_BLOB_MAX + 1u);
	size_t n = 0;
	bool ok = f && blob;

	t->file = file;
	machine_default(&t->machine);
	if (ok)
		n = fread(blob, 1, DT_BLOB_MAX + 1u, f);
	if (!ok || ferror(f)) {
		snprintf(why, size, "%s: %s", file, strerror(errno));
		ok = false;
	}
	ok = ok && describe(t, blob, n, why, size);
	free(blob);
	if (f)
		fclose(f);
	return ok;
}

void tree_shape(const struct tree *t, struct knobs *k)
{
	k->tree = t;
	k->machine = t->machine;
	k->disks = t->disks;
	k->queues = t->queues ? t->queues : k->queues;
	k->qsize = t->qsize ? t->qsize : k->qsize;
	k->regime = t->regime;
	k->transient = t->transient;
	k->doorbell = t->doorbell;
	k->level = t->level;
}

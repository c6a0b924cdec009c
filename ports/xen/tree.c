/* SPDX-License-Identifier: BSD-2-Clause */
/* A device tree in a file (spec/binding.md, ports/common/dt.c) as a source. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "dt.h"

static int refuse(char *why, size_t size, const char *path, const char *what)
{
	(void)snprintf(why, size, "device-tree=%s: %s", path, what);
	return -1;
}

/* The blob, malloced, or NULL and one line in why. */
static void *load(const char *path, size_t *len, char *why, size_t size)
{
	FILE *f = fopen(path, "rb");
	void *blob = f ? malloc(DT_BLOB_MAX + 1u) : NULL;

	if (!blob) {
		(void)refuse(why, size, path, strerror(errno));
		if (f)
			(void)fclose(f);
		return NULL;
	}
	*len = fread(blob, 1, DT_BLOB_MAX + 1u, f);
	if (ferror(f) || *len > DT_BLOB_MAX) {
		(void)refuse(why, size, path,
			     ferror(f) ? "cannot be read" : "is too large");
		free(blob);
		blob = NULL;
	}
	(void)fclose(f);
	return blob;
}

static enum regime regime_of(const struct disk_config *common,
			     const struct dt_disk *from)
{
	switch (from->memory) {
	case DT_ON_DEMAND: return REGIME_ON_DEMAND;
	case DT_GRANTS: return REGIME_GRANTS;
	case DT_WINDOW:
	case DT_WHOLE:
	default:
		/* the default of a tree: what the operator said may stand */
		return common->memory == REGIME_AUTO ? REGIME_WHOLE
						     : common->memory;
	}
}

/* What the tree says; NULL or what is wrong with it. */
static const char *fill(struct disk_config *d, const struct dt_disk *from)
{
	const char *wrong = NULL;

	if (from->guest != DT_NOBODY)
		d->domain = from->guest;
	d->base = from->base;
	d->bytes = from->bytes;
	d->irq = from->irq;
	d->memory = regime_of(d, from);
	d->read_only = d->read_only || from->read_only;
	if (from->foreign_pages)
		d->cap = from->foreign_pages;
	if (from->queues)
		d->queues = from->queues;
	if (from->queue_size)
		d->queue_size = from->queue_size;
	if (from->block_size)
		d->block_size = from->block_size;
	if (from->serial)
		(void)snprintf(d->serial, sizeof(d->serial), "%s",
			       from->serial);
	if (d->domain == CONFIG_NOBODY)
		return "vblk,guest or --guest must name the domain";
	if (!from->image || strlen(from->image) >= sizeof(d->image))
		return "vblk,image must name a file";
	memcpy(d->image, from->image, strlen(from->image) + 1u);
	if (from->level || from->irq < 32)
		return "Xen injects edges of SPIs only";
	if (from->doorbell)
		return "kicks come as register accesses here";
	if (d->queue_size > 1024u)
		return "vblk,queue-size is at most 1024 here";
	if (from->memory == DT_WINDOW) {
		d->ram[0] = from->window;
		d->banks = 1;
	}
	(void)config_check(d, &wrong);
	return wrong;
}

static int take(struct config *c, const void *blob, size_t len,
		const char *path, char *why, size_t size)
{
	static struct dt_disk found[DT_DISKS_MAX];
	struct vblk_range ram[MEMORY_BANKS];
	char line[DT_LINE + 128u];
	struct dt_error e;
	int banks = dt_memory(blob, len, ram, MEMORY_BANKS, &e);
	int n = banks < 0 ? -1 : dt_disks(blob, len, found, DT_DISKS_MAX, &e);

	if (n < 0)
		return refuse(why, size, path,
			      dt_strerror(&e, line, sizeof(line)));
	if (n == 0)
		return refuse(why, size, path, "has no disk in it");
	for (int i = 0; i < n; i++) {
		struct disk_config *d = &c->disk[c->disks];
		const char *wrong;

		if (c->disks == CONFIG_DISKS)
			return refuse(why, size, path, "too many disks");
		*d = c->common;
		if (banks > 0)
			memcpy(d->ram, ram, (size_t)banks * sizeof(*ram));
		d->banks = (unsigned)banks;
		wrong = fill(d, &found[i]);
		if (wrong) {
			(void)snprintf(line, sizeof(line), "%s: %s",
				       found[i].name, wrong);
			return refuse(why, size, path, line);
		}
		c->disks++;
	}
	return 0;
}

int tree_read(struct config *c, const char *path, char *why, size_t size)
{
	size_t len = 0;
	void *blob = load(path, &len, why, size);
	int r;

	if (!blob)
		return -1;
	r = take(c, blob, len, path, why, size); /* copies what it keeps */
	free(blob);
	return r;
}

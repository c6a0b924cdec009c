/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A tree by spec/binding.md: every disk and every range of RAM in it, and that
 * they do not contradict each other.
 */
#include "dt_internal.h"

/* --- RAM ------------------------------------------------------------------ */

/* A node of the root; device_type is what makes it memory, not its name. */
static int is_memory(const struct dt_walk *w)
{
	const char *type = NULL;

	if (w->depth != 1)
		return 0;
	if (dt_string(w, dt_here(w), "device_type", &type) < 0)
		return -1;
	return type && dt_same(type, "memory") ? dt_available(w) : 0;
}

/* This node's ranges behind the n there are; how many then, or -1. */
static int add_ram(const struct dt_walk *w, struct vblk_range *out, int n,
		   int max)
{
	for (unsigned i = 0; i <= DT_MEMORY_MAX; i++) {
		struct vblk_range new;
		int r = dt_reg(w, i, &new);

		if (r <= 0)
			return r < 0 ? r : n;
		if (dt_whole_pages(w, &new) < 0)
			return -1;
		for (int k = 0; k < n; k++)
			if (dt_overlap(out[k].gpa, out[k].len, new.gpa,
				       new.len))
				return dt_refuse(w, dt_here(w), "reg",
						 "RAM that is there already");
		if (n == max)
			break;
		out[n++] = new;
	}
	return dt_refuse(w, dt_here(w), "reg", "too many ranges of RAM");
}

int dt_memory(const void *blob, size_t size, struct vblk_range *out,
	      size_t max, struct dt_error *why)
{
	int n = 0, room = (int)(max < DT_MEMORY_MAX ? max : DT_MEMORY_MAX);
	struct dt_walk w;
	int r = dt_open(&w, blob, size, why);

	for (unsigned i = 0; r >= 0 && i < DT_NODES_MAX; i++) {
		r = dt_next(&w);
		if (r == 0)
			return n;
		if (r > 0)
			r = is_memory(&w);
		if (r > 0)
			r = n = add_ram(&w, out, n, room);
	}
	return -1;
}

/* --- disks ---------------------------------------------------------------- */

/* Against the disks before it; those of another guest are elsewhere. */
static int alone(const struct dt_walk *w, const struct dt_disk *all, int n)
{
	const struct dt_disk *d = &all[n];

	for (int i = 0; i < n; i++) {
		if (all[i].guest != d->guest)
			continue;
		if (dt_overlap(all[i].base, all[i].bytes, d->base, d->bytes))
			return dt_refuse(w, d->node, "reg",
					 "overlaps another disk's");
		if (all[i].irq == d->irq)
			return dt_refuse(w, d->node, "interrupts",
					 "is another disk's");
	}
	return 0;
}

/* Registers are not RAM, and RAM is that of one guest. */
static int beside_ram(const struct dt_walk *w, const struct dt_disk *all, int n)
{
	for (unsigned e = 0; e <= DT_MEMORY_MAX; e++) {
		struct vblk_range ram;
		int r = dt_reg(w, e, &ram);

		if (r <= 0)
			return r;
		for (int i = 0; i < n; i++) {
			if (dt_overlap(all[i].base, all[i].bytes, ram.gpa,
				       ram.len))
				return dt_refuse(w, all[i].node, "reg",
						 "overlaps RAM");
			if (all[i].guest != all[0].guest)
				return dt_refuse(w, all[i].node, "vblk,guest",
						 "two guests, and one has "
						 "the memory");
		}
	}
	return dt_refuse(w, dt_here(w), "reg", "too many ranges of RAM");
}

static int clear_of_ram(struct dt_walk *w, const struct dt_disk *all, int n)
{
	w->depth = 0;
	for (unsigned i = 0; i < DT_NODES_MAX; i++) {
		int r = dt_next(w);

		if (r <= 0)
			return r;
		r = is_memory(w);
		if (r > 0)
			r = beside_ram(w, all, n);
		if (r < 0)
			return r;
	}
	return 0;
}

int dt_disks(const void *blob, size_t size, struct dt_disk *out, size_t max,
	     struct dt_error *why)
{
	int n = 0, room = (int)(max < DT_DISKS_MAX ? max : DT_DISKS_MAX);
	struct dt_walk w;
	int r = dt_open(&w, blob, size, why);

	for (unsigned i = 0; r >= 0 && i < DT_NODES_MAX; i++) {
		r = dt_next(&w);
		if (r == 0)
			return clear_of_ram(&w, out, n) < 0 ? -1 : n;
		if (r > 0)
			r = dt_is_disk(&w);
		if (r <= 0)
			continue;
		if (n == room)
			return dt_refuse(&w, dt_here(&w), NULL,
					 "more disks than there is room for");
		r = dt_read_disk(&w, &out[n]);
		if (r == 0)
			r = alone(&w, out, n++);
	}
	return -1;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The blob as a whole, before libfdt walks it: what its own check leaves out.
 */
#include "dt_internal.h"

#define TAG 4u                  /* bytes of one, as of a length */

/*
 * libfdt looks for the end of a property's name each time it compares one.
 * Short names keep that cheap, whatever the blob.
 */
static bool names_short(const uint8_t *at, uint32_t n)
{
	uint32_t run = 0;

	for (uint32_t i = 0; i < n; i++) {
		run = at[i] ? run + 1u : 0;
		if (run >= DT_NAME_MAX)
			return false;
	}
	return true;
}

/*
 * Tags and lengths keep to the block and lead to its end. fdt_check_full is to
 * find that out, but that of 1.6.1 adds a length without looking: with
 * 0xfffffff4 it stays where it is, for ever.
 */
static bool structure_sound(const uint8_t *at, uint32_t n)
{
	uint32_t off = 0;

	while (off < n && n - off >= TAG) { /* each round moves on */
		const uint8_t *name;
		uint32_t len = 0;

		switch (dt_be32(at + off)) {
		case FDT_END: return true;
		case FDT_NOP:
		case FDT_END_NODE: break;
		case FDT_BEGIN_NODE:
			name = at + off + TAG;
			name = memchr(name, 0, n - off - TAG);
			if (!name)
				return false;
			len = (uint32_t)(name - at) + 1u - off - TAG;
			break;
		case FDT_PROP:
			if (n - off < sizeof(struct fdt_property))
				return false;
			len = dt_be32(at + off + TAG);
			if (len > n - off - sizeof(struct fdt_property))
				return false;
			len += 8u;      /* length and name */
			break;
		default: return false;
		}
		off += (TAG + len + 3u) & ~3u;
	}
	return false;
}

/* What fdt_check_full takes for granted, or lets pass. */
static const char *header(const void *blob, size_t size)
{
	uint32_t total, off, len;

	if ((uintptr_t)blob % 8u)
		return "the blob does not lie at a multiple of 8";
	if (size < sizeof(struct fdt_header))
		return "truncated";
	if (fdt_magic(blob) != FDT_MAGIC)
		return "wrong magic: not a device tree";
	if (fdt_version(blob) < 17u || fdt_last_comp_version(blob) > 17u)
		return "not of version 17";
	total = fdt_totalsize(blob);
	if (total > size)
		return "truncated";
	if (total > DT_BLOB_MAX)
		return "larger than DT_BLOB_MAX";
	if (fdt_size_dt_struct(blob) > DT_STRUCT_MAX)
		return "larger than DT_STRUCT_MAX";
	if (fdt_off_dt_struct(blob) % 4u || fdt_off_mem_rsvmap(blob) % 8u)
		return "a block is not aligned";
	off = fdt_off_dt_struct(blob);
	len = fdt_size_dt_struct(blob);
	if (off > total || len > total - off)
		return "its structure lies outside it";
	if (!structure_sound((const uint8_t *)blob + off, len))
		return "malformed: a tag or a length in its structure";
	off = fdt_off_dt_strings(blob);
	len = fdt_size_dt_strings(blob);
	if (off > total || len > total - off)
		return "its strings lie outside it";
	if (!names_short((const uint8_t *)blob + off, len))
		return "a property's name is longer than DT_NAME_MAX";
	return NULL;
}

int dt_open(struct dt_walk *w, const void *blob, size_t size,
	    struct dt_error *why)
{
	const char *wrong = header(blob, size);
	int depth = -1;

	*why = (struct dt_error){ .path = "" };
	w->blob = blob;
	w->why = why;
	w->depth = 0;
	w->up[0] = 0;
	if (!wrong && fdt_check_full(blob, size) != 0)
		wrong = "malformed: fdt_check_full refuses it";
	/* libfdt's path functions take the root to be at 0 */
	if (!wrong && fdt_next_node(blob, -1, &depth) != 0)
		wrong = "malformed: the root is not the first thing in it";
	return wrong ? dt_refuse(w, -1, NULL, wrong) : 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "dt.h"
#include "guest.h"

#define MAGIC 0xd00dfeedu

enum token {
	BEGIN_NODE = 1,
	END_NODE = 2,
	PROP = 3,
	NOP = 4
};

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

uint32_t dt_cell(const struct dt_prop *p, uint32_t i)
{
	return i < p->bytes / 4 ? be32(p->value + 4 * i) : 0;
}

static uint64_t cells(const struct dt_prop *p, uint32_t i, uint32_t n)
{
	uint64_t v = 0;

	while (n--)
		v = v << 32 | dt_cell(p, i++);
	return v;
}

const char *dt_open(struct dt_walk *w, const void *blob)
{
	const uint8_t *b = blob;
	uint32_t total, structs, strings;

	memset(w, 0, sizeof(*w));
	if (!b || ((uintptr_t)b & 7))
		return "there is none at an address that is a multiple of 8";
	if (be32(b) != MAGIC)
		return "its magic number is wrong";
	if (be32(b + 20) < 16 || be32(b + 24) > 17)
		return "its version is not 17";
	total = be32(b + 4);
	structs = be32(b + 8);
	strings = be32(b + 12);
	w->string_bytes = be32(b + 32);
	w->struct_bytes = be32(b + 36);
	if (structs > total || w->struct_bytes > total - structs ||
	    strings > total || w->string_bytes > total - strings)
		return "its blocks are not inside it";
	w->structs = b + structs;
	w->strings = (const char *)b + strings;
	return NULL;
}

/* The token at *at, which goes on; 0 at the end. NOPs are passed over. */
static uint32_t token(const struct dt_walk *w, uint32_t *at)
{
	uint32_t t;

	do {
		if (*at > w->struct_bytes || w->struct_bytes - *at < 4)
			return 0;
		t = be32(w->structs + *at);
		*at += 4;
	} while (t == NOP);
	return t;
}

/* A property behind its token. */
static bool property(const struct dt_walk *w, uint32_t *at, const char **name,
		     struct dt_prop *p)
{
	uint32_t string;

	if (*at > w->struct_bytes || w->struct_bytes - *at < 8)
		return false;
	p->bytes = be32(w->structs + *at);
	string = be32(w->structs + *at + 4);
	*at += 8;
	if (p->bytes > w->struct_bytes - *at || string >= w->string_bytes)
		return false;
	*name = w->strings + string;
	p->value = w->structs + *at;
	*at += (p->bytes + 3) & ~3u;
	return true;
}

/* A node's name behind its token. */
static const char *node_name(const struct dt_walk *w, uint32_t *at)
{
	uint32_t end = *at;

	while (end < w->struct_bytes && w->structs[end])
		end++;
	if (end == w->struct_bytes)
		return NULL;
	const char *name = (const char *)w->structs + *at;

	*at = (end + 4) & ~3u;
	return name;
}

bool dt_prop(const struct dt_walk *w, const char *name, struct dt_prop *p)
{
	uint32_t at = w->props;
	const char *n;

	while (token(w, &at) == PROP && property(w, &at, &n, p))
		if (!strcmp(n, name))
			return true;
	*p = (struct dt_prop){ NULL, 0 };
	return false;
}

/* A number of cells; more than four would be nonsense. */
static uint32_t cell_count(const struct dt_walk *w, const char *name,
			   uint32_t otherwise)
{
	struct dt_prop p;
	uint32_t n = dt_prop(w, name, &p) ? dt_cell(&p, 0) : otherwise;

	return n > 4 ? 4 : n;
}

/* Takes up the node whose name was just read. */
static void enter(struct dt_walk *w, const char *name)
{
	struct dt_level *l = &w->level[w->depth];
	uint32_t at = w->depth ? l[-1].path : 0;

	if (w->depth && at < DT_PATH - 1)
		w->path[at++] = '/';
	while (*name && at < DT_PATH - 1)
		w->path[at++] = *name++;
	w->path[at] = '\0';
	l->path = at;
	w->props = w->at;
	l->address_cells = cell_count(w, "#address-cells", 2);
	l->size_cells = cell_count(w, "#size-cells", 1);
	l->has_ranges = dt_prop(w, "ranges", &l->ranges);
}

bool dt_next(struct dt_walk *w)
{
	uint32_t depth = w->started ? w->depth : UINT32_MAX;
	struct dt_prop p;
	const char *name;

	w->started = true;
	for (;;) {
		switch (token(w, &w->at)) {
		case BEGIN_NODE:
			depth++;
			name = node_name(w, &w->at);
			if (!name)
				return false;
			if (depth > DT_DEPTH)
				break;
			w->depth = depth;
			enter(w, name);
			return true;
		case END_NODE:
			if (depth == 0 || depth == UINT32_MAX)
				return false;
			depth--;
			break;
		case PROP:
			if (!property(w, &w->at, &name, &p))
				return false;
			break;
		default: return false;
		}
	}
}

const char *dt_string(const struct dt_walk *w, const char *name)
{
	struct dt_prop p;

	if (!dt_prop(w, name, &p) || !p.bytes || p.value[p.bytes - 1])
		return NULL;
	return (const char *)p.value;
}

bool dt_is(const struct dt_walk *w, const char *compatible)
{
	struct dt_prop p;
	uint32_t at = 0;

	if (!dt_prop(w, "compatible", &p) || !p.bytes || p.value[p.bytes - 1])
		return false;
	while (at < p.bytes) {
		const char *s = (const char *)p.value + at;

		if (!strcmp(s, compatible))
			return true;
		at += (uint32_t)strlen(s) + 1;
	}
	return false;
}

bool dt_enabled(const struct dt_walk *w)
{
	const char *s = dt_string(w, "status");

	return !s || !strcmp(s, "okay") || !strcmp(s, "ok");
}

/* An address of a bus as one of the bus that it is on. */
static bool translate(const struct dt_level *bus, uint64_t *base)
{
	uint32_t own = bus->address_cells, up = bus[-1].address_cells;
	uint32_t one = own + up + bus->size_cells, i;

	if (!bus->has_ranges)
		return false;
	if (!bus->ranges.bytes)
		return true;    /* the same */
	if (!one)
		return false;
	for (i = 0; i + one <= bus->ranges.bytes / 4; i += one) {
		uint64_t from = cells(&bus->ranges, i, own);
		uint64_t bytes = cells(&bus->ranges, i + own + up,
				       bus->size_cells);

		if (*base >= from && *base - from < bytes) {
			*base += cells(&bus->ranges, i + own, up) - from;
			return true;
		}
	}
	return false;
}

bool dt_reg(const struct dt_walk *w, uint32_t i, uint64_t *base,
	    uint64_t *bytes)
{
	const struct dt_level *parent;
	uint32_t address, one, level;
	struct dt_prop p;

	if (!w->depth || !dt_prop(w, "reg", &p))
		return false;
	parent = &w->level[w->depth - 1];
	address = parent->address_cells;
	one = address + parent->size_cells;
	if (!one || (i + 1) > p.bytes / 4 / one)
		return false;
	*base = cells(&p, i * one, address);
	*bytes = cells(&p, i * one + address, parent->size_cells);
	for (level = w->depth - 1; level; level--)
		if (!translate(&w->level[level], base))
			return false;
	return true;
}

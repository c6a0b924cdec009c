/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Device trees in general: a walk that keeps the way from the root, properties
 * by type, addresses through buses. Every length is checked here, before what
 * it measures is used.
 */
#include "dt_internal.h"

#define CELL 4                  /* bytes */

/* --- refusing ------------------------------------------------------------- */

static size_t append(char *to, size_t at, size_t size, const char *s)
{
	while (*s != '\0' && at + 1u < size)
		to[at++] = *s++;
	to[at] = '\0';
	return at;
}

int dt_refuse(const struct dt_walk *w, int node, const char *property,
	      const char *reason)
{
	struct dt_error *e = w->why;
	const char *name;

	e->property = property;
	e->reason = reason;
	e->path[0] = '\0';
	if (node < 0 || fdt_get_path(w->blob, node, e->path, DT_PATH) == 0)
		return -1;
	name = fdt_get_name(w->blob, node, NULL);
	append(e->path, append(e->path, 0, DT_PATH, ".../"), DT_PATH,
	       name ? name : "?");
	return -1;
}

char *dt_strerror(const struct dt_error *why, char *line, size_t size)
{
	size_t at = 0;

	if (size == 0)
		return line;
	at = append(line, at, size, why->path[0] ? why->path : "device tree");
	at = append(line, at, size, ": ");
	if (why->property) {
		at = append(line, at, size, why->property);
		at = append(line, at, size, ": ");
	}
	at = append(line, at, size, why->reason ? why->reason : "accepted");
	for (size_t i = 0; i < at; i++)
		if (line[i] < ' ' || line[i] > '~')
			line[i] = '?';
	return line;
}

/* --- the walk ------------------------------------------------------------- */

int dt_next(struct dt_walk *w)
{
	int depth = w->depth;
	int node = fdt_next_node(w->blob, dt_here(w), &depth);

	if (node < 0 || depth < 0)
		return 0;
	if (depth > (int)DT_DEPTH_MAX)
		return dt_refuse(w, dt_here(w), NULL,
				 "more levels below it than DT_DEPTH_MAX");
	w->depth = depth;
	w->up[depth] = node;
	return 1;
}

int dt_follow(struct dt_walk *to, const struct dt_walk *from, int node,
	      const char *property, const uint8_t *cell)
{
	int target = fdt_node_offset_by_phandle(from->blob, dt_be32(cell)), r;

	if (target < 0)
		return dt_refuse(from, node, property,
				 "no node has this phandle");
	*to = *from;
	to->depth = 0;
	for (unsigned i = 0; i < DT_NODES_MAX && dt_here(to) != target; i++) {
		r = dt_next(to);
		if (r < 0)
			return r;
		if (r == 0)
			break;
	}
	return dt_here(to) == target
		       ? 0
		       : dt_refuse(from, node, property, "cannot be reached");
}

/* --- properties ----------------------------------------------------------- */

int dt_bytes(const struct dt_walk *w, int node, const char *name,
	     const uint8_t **at)
{
	int len;

	*at = fdt_getprop(w->blob, node, name, &len);
	return *at ? len : -1;
}

int dt_u32(const struct dt_walk *w, int node, const char *name, uint32_t *out)
{
	const uint8_t *p;
	int len = dt_bytes(w, node, name, &p);

	if (len < 0)
		return 0;
	if (len != CELL)
		return dt_refuse(w, node, name, "is not one cell");
	*out = dt_be32(p);
	return 1;
}

int dt_flag(const struct dt_walk *w, int node, const char *name, bool *out)
{
	const uint8_t *p;
	int len = dt_bytes(w, node, name, &p);

	if (len < 0)
		return 0;
	/* so that nobody writes <0> and means no */
	if (len > 0)
		return dt_refuse(w, node, name,
				 "has a value: it is yes if it "
				 "is there");
	*out = true;
	return 1;
}

int dt_string(const struct dt_walk *w, int node, const char *name,
	      const char **out)
{
	const uint8_t *p;
	int len = dt_bytes(w, node, name, &p);

	if (len < 0)
		return 0;
	if (len == 0 || p[len - 1] != 0)
		return dt_refuse(w, node, name, "is not a terminated string");
	if (len == 1)
		return dt_refuse(w, node, name, "is an empty string");
	if (memchr(p, 0, (size_t)len) != p + len - 1)
		return dt_refuse(w, node, name, "is more than one string");
	*out = (const char *)p;
	return 1;
}

int dt_compatible(const struct dt_walk *w, int node, const char *name)
{
	const uint8_t *p;
	int len = dt_bytes(w, node, "compatible", &p);

	if (len < 0)
		return 0;
	if (len == 0 || p[len - 1] != 0)
		return dt_refuse(w, node, "compatible",
				 "is not a terminated string");
	return fdt_stringlist_contains((const char *)p, len, name);
}

int dt_available(const struct dt_walk *w)
{
	for (int i = w->depth; i >= 0; i--) {
		const char *status = "okay";

		if (dt_string(w, w->up[i], "status", &status) < 0)
			return -1;
		if (!dt_same(status, "okay") && !dt_same(status, "ok"))
			return 0;
	}
	return 1;
}

/* --- addresses ------------------------------------------------------------ */

static int cells_of(const struct dt_walk *w, int bus, const char *name,
		    uint32_t absent)
{
	uint32_t n = absent;

	if (dt_u32(w, bus, name, &n) < 0)
		return -1;
	if (n < 1 || n > 2)
		return dt_refuse(w, bus, name, "is neither 1 nor 2");
	return (int)n;
}

static int address_cells(const struct dt_walk *w, int bus)
{
	return cells_of(w, bus, "#address-cells", 2);
}

static int size_cells(const struct dt_walk *w, int bus)
{
	return cells_of(w, bus, "#size-cells", 1);
}

static uint64_t number(const uint8_t *p, int cells)
{
	uint64_t v = dt_be32(p);

	return cells == 1 ? v : v << 32 | dt_be32(p + CELL);
}

static bool wraps(const struct vblk_range *r)
{
	return r->len == 0 || r->len - 1u > ~r->gpa;
}

/* *r is an address below the bus up[level]; then one beside it. */
static int climb(const struct dt_walk *w, int level, struct vblk_range *r)
{
	int bus = w->up[level], child = address_cells(w, bus);
	int parent = address_cells(w, w->up[level - 1]);
	int size = size_cells(w, bus), entry = CELL * (child + parent + size);
	const uint8_t *p;
	int len = dt_bytes(w, bus, "ranges", &p);

	if (child < 0 || parent < 0 || size < 0)
		return -1;
	if (len < 0)
		return dt_refuse(w, bus, "ranges",
				 "missing: what is below has no addresses");
	if (len == 0)
		return 0;
	if (len % entry || len / entry > (int)DT_RANGES_MAX)
		return dt_refuse(w, bus, "ranges",
				 "not 1 to DT_RANGES_MAX whole entries");
	for (int i = 0; i < len / entry; i++, p += entry) {
		uint64_t from = number(p, child);
		uint64_t to = number(p + CELL * child, parent);
		uint64_t n = number(p + CELL * (child + parent), size);

		if (r->gpa < from || r->len > n || r->gpa - from > n - r->len)
			continue;
		if (r->gpa - from > ~to)
			return dt_refuse(w, bus, "ranges", "wraps");
		r->gpa = r->gpa - from + to;
		return wraps(r) ? dt_refuse(w, bus, "ranges", "wraps") : 0;
	}
	return dt_refuse(w, dt_here(w), "reg",
			 "not in one of the ranges of a bus above");
}

int dt_reg(const struct dt_walk *w, unsigned entry, struct vblk_range *out)
{
	int bus = w->up[w->depth - 1], a = address_cells(w, bus);
	int s = size_cells(w, bus), step = CELL * (a + s);
	const uint8_t *p;
	int len = dt_bytes(w, dt_here(w), "reg", &p);

	if (a < 0 || s < 0)
		return -1;
	if (len < 0)
		return dt_refuse(w, dt_here(w), "reg", "missing");
	if (len == 0 || len % step)
		return dt_refuse(w, dt_here(w), "reg",
				 "not of #address-cells + #size-cells cells");
	if (entry >= (unsigned)(len / step))
		return 0;
	p += entry * (unsigned)step;
	*out = (struct vblk_range){ number(p, a), number(p + CELL * a, s),
				    VBLK_RW };
	if (wraps(out))
		return dt_refuse(w, dt_here(w), "reg", "is empty or wraps");
	for (int level = w->depth - 1; level > 0; level--)
		if (climb(w, level, out) < 0)
			return -1;
	return 1;
}

int dt_whole_pages(const struct dt_walk *w, const struct vblk_range *r)
{
	if (r->gpa % DT_PAGE || r->len % DT_PAGE)
		return dt_refuse(w, dt_here(w), "reg", "not whole pages");
	return 0;
}

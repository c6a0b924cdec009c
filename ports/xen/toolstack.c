/* SPDX-License-Identifier: BSD-2-Clause */
#include "toolstack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xenstore.h>
#include <xen/io/xs_wire.h>

#include "log.h"

#define TOP     "backend/virtio_disk"
#define NODES   256u            /* of refused ones that are remembered */
#define VALUE   32u             /* digits of a number, with its NUL */

enum { INITIALISING = 1, INIT_WAIT = 2, CLOSING = 5, CLOSED = 6 };

struct toolstack {
	struct xs_handle *h;
	struct guests *all;
	struct disk_config common;
	char *refused[NODES];   /* paths; they are not tried again */
	unsigned refusals;
};

/* --- keys ----------------------------------------------------------------- */

/* malloced, or NULL: not there, or with a NUL inside. */
static char *get(struct toolstack *x, const char *node, const char *key)
{
	char path[XENSTORE_ABS_PATH_MAX + 1];
	unsigned len = 0;
	char *v;

	if (snprintf(path, sizeof(path), "%s/%s", node, key) >=
	    (int)sizeof(path))
		return NULL;
	v = xs_read(x->h, XBT_NULL, path, &len);
	if (v && strlen(v) != len) {
		free(v);
		v = NULL;
	}
	return v;
}

static bool is(struct toolstack *x, const char *node, const char *key,
	       const char *value)
{
	char *v = get(x, node, key);
	bool same = v && strcmp(v, value) == 0;

	free(v);
	return same;
}

static bool parse(const char *v, uint64_t most, uint64_t *out)
{
	char *end;

	errno = 0;
	if (!v || *v < '0' || *v > '9' || strlen(v) >= VALUE)
		return false;
	*out = strtoull(v, &end, v[0] == '0' && (v[1] | 32) == 'x' ? 16 : 10);
	return !*end && !errno && *out <= most;
}

static bool number(struct toolstack *x, const char *node, const char *key,
		   uint64_t most, uint64_t *out)
{
	char *v = get(x, node, key);
	bool ok = parse(v, most, out);

	free(v);
	return ok;
}

static void set_state(struct toolstack *x, const char *node, unsigned state)
{
	char path[XENSTORE_ABS_PATH_MAX + 1];
	char value[VALUE];
	int n = snprintf(value, sizeof(value), "%u", state);

	if (snprintf(path, sizeof(path), "%s/state", node) <
		    (int)sizeof(path) &&
	    !xs_write(x->h, XBT_NULL, path, value, (unsigned)n))
		log_line(LOG_WARNING, node, "state %u cannot be written: %s",
			 state, strerror(errno));
}

/* --- what a node says ----------------------------------------------------- */

static const char *read_image(struct toolstack *x, const char *node,
			      struct disk_config *d)
{
	char *v = get(x, node, "params");
	size_t len = v ? strlen(v) : 0;
	bool ok = len > 0 && len < sizeof(d->image);

	if (ok)
		memcpy(d->image, v, len + 1u);
	free(v);
	return ok ? NULL : "params must name a file";
}

/* NULL: d is filled in. Else what is wrong. */
static const char *read_node(struct toolstack *x, const char *node,
			     uint32_t domain, struct disk_config *d)
{
	const char *wrong = read_image(x, node, d);
	uint64_t n = 0;
	char *v;

	if (wrong)
		return wrong;
	if (!number(x, node, "frontend-id", UINT32_MAX, &n) || n != domain)
		return "frontend-id must be the domain in the path";
	d->domain = domain;
	if (!number(x, node, "base", UINT64_MAX >> 1, &d->base))
		return "base must be an address";
	if (!number(x, node, "irq", UINT32_MAX, &n))
		return "irq must be a number";
	d->irq = (uint32_t)n;
	if (is(x, node, "mode", "r"))
		d->read_only = true;
	else if (!is(x, node, "mode", "w"))
		return "mode must be r or w";
	/* 4.18 and later say whether to use grants; before, libxl gives them to
	 * guests whose back end is not dom0, and so does the device tree */
	if (number(x, node, "grant_usage", 1, &n)) {
		if (n)
			d->memory = REGIME_GRANTS;
		else if (d->memory == REGIME_GRANTS)
			return "grant_usage is 0, and --memory=grants";
	} else if ((v = get(x, node, "grant_usage")) != NULL) {
		free(v);
		return "grant_usage must be 0 or 1";
	}
	(void)config_check(d, &wrong);
	return wrong;
}

static bool refused(const struct toolstack *x, const char *node)
{
	for (unsigned i = 0; i < x->refusals; i++)
		if (strcmp(x->refused[i], node) == 0)
			return true;
	return false;
}

static void refuse(struct toolstack *x, const char *node, const char *why)
{
	log_line(LOG_ERROR, node, "%s", why);
	/* one that is in use may be another process's */
	if (is(x, node, "state", "1"))
		set_state(x, node, CLOSED);
	if (x->refusals < NODES) {
		char *copy = strdup(node);

		if (copy)
			x->refused[x->refusals++] = copy;
	}
}

/* Nodes that are gone may come again. */
static void forget_refused(struct toolstack *x)
{
	for (unsigned i = x->refusals; i-- > 0;) {
		char *v = get(x, x->refused[i], "state"); /* we wrote it */

		if (!v) {
			free(x->refused[i]);
			x->refused[i] = x->refused[--x->refusals];
		}
		free(v);
	}
}

/* --- guests come ---------------------------------------------------------- */

static bool known(const struct guest *g, const char *node)
{
	for (const struct disk *d = g ? g->disks : NULL; d; d = d->next)
		if (d->node && strcmp(d->node, node) == 0)
			return true;
	return false;
}

/* One that asks for a disk that it does not have yet; or has, from a process
 * that is no more. */
static bool wanted(struct toolstack *x, const struct guest *g, const char *node)
{
	uint64_t state = 0;

	return !known(g, node) && !refused(x, node) &&
	       is(x, node, "type", "standalone") &&
	       !is(x, node, "online", "0") &&
	       number(x, node, "state", CLOSED, &state) && state != CLOSING;
}

/* After a crash a node that was served is refused only if it is damaged. */
static void add(struct toolstack *x, struct guest **g, uint32_t domain,
		const char *node)
{
	struct disk_config c = x->common;
	const char *wrong = read_node(x, node, domain, &c);
	char why[CONFIG_LINE];
	struct disk *d = NULL;

	if (wrong) {
		refuse(x, node, wrong);
		return;
	}
	if (!*g)
		*g = guest_open(x->all, domain, c.base, c.bytes, why,
				sizeof(why));
	if (!*g || guest_add(*g, &c, &d, why, sizeof(why))) {
		refuse(x, node, why);
		return;
	}
	d->node = strdup(node);
}

static void start(struct toolstack *x, struct guest *g)
{
	char why[CONFIG_LINE];

	if (guest_start(g, why, sizeof(why))) {
		for (struct disk *d = g->disks; d; d = d->next)
			if (d->node)
				refuse(x, d->node, why);
		guest_close(g, !g->adopted);
		return;
	}
	for (struct disk *d = g->disks; d; d = d->next)
		if (d->node && !is(x, d->node, "state", "2"))
			set_state(x, d->node, INIT_WAIT);
}

/* All disks of a guest first: a vCPU may wait in any of them. */
static void look_at_guest(struct toolstack *x, const char *id)
{
	char path[XENSTORE_ABS_PATH_MAX + 1];
	uint64_t domain = 0;
	struct guest *g;
	unsigned n = 0;
	char **names;

	if (!parse(id, UINT16_MAX, &domain))
		return;
	(void)snprintf(path, sizeof(path), TOP "/%s", id);
	names = xs_directory(x->h, XBT_NULL, path, &n);
	g = guest_find(x->all, (uint32_t)domain);
	for (unsigned i = 0; names && i < n; i++) {
		(void)snprintf(path, sizeof(path), TOP "/%s/%s", id, names[i]);
		if (wanted(x, g, path))
			add(x, &g, (uint32_t)domain, path);
	}
	free(names);
	if (g && !g->disks)
		guest_close(g, !g->adopted);
	else if (g)
		start(x, g);
}

/* --- guests go ------------------------------------------------------------ */

static bool leaves(struct toolstack *x, const struct disk *d)
{
	char *state;
	bool yes;

	if (!d->node)
		return false;
	state = get(x, d->node, "state");
	yes = !state || strcmp(state, "5") == 0 ||
	      is(x, d->node, "online", "0");
	free(state);
	return yes;
}

static void remove_disk(struct toolstack *x, struct guest *g, struct disk *d)
{
	char *node = d->node;
	char *there;

	d->node = NULL;
	log_line(LOG_INFO, d->name, "ends");
	guest_remove(g, d);
	there = get(x, node, "frontend-id");
	if (there)
		set_state(x, node, CLOSED);
	free(there);
	free(node);
}

static void look_for_leavers(struct toolstack *x)
{
	struct guest *next;

	for (struct guest *g = x->all->first; g; g = next) {
		bool some = false;

		next = g->next;
		for (struct disk *d = g->disks, *after; d; d = after) {
			after = d->next;
			if (leaves(x, d)) {
				remove_disk(x, g, d);
				some = true;
			}
		}
		if (some && !g->disks)
			guest_close(g, true);
	}
}

/* A disk that we do not serve, and that libxl wants gone, is gone. */
static void confirm_gone(struct toolstack *x, const char *id)
{
	char path[XENSTORE_ABS_PATH_MAX + 1];
	uint64_t domain = 0;
	const struct guest *g;
	unsigned n = 0;
	char **names;

	if (!parse(id, UINT16_MAX, &domain))
		return;
	g = guest_find(x->all, (uint32_t)domain);

	(void)snprintf(path, sizeof(path), TOP "/%s", id);
	names = xs_directory(x->h, XBT_NULL, path, &n);
	for (unsigned i = 0; names && i < n; i++) {
		(void)snprintf(path, sizeof(path), TOP "/%s/%s", id, names[i]);
		if (!known(g, path) && is(x, path, "type", "standalone") &&
		    is(x, path, "state", "5"))
			set_state(x, path, CLOSED);
	}
	free(names);
}

static void look(struct toolstack *x)
{
	unsigned n = 0;
	char **ids;

	look_for_leavers(x);
	forget_refused(x);
	ids = xs_directory(x->h, XBT_NULL, TOP, &n);
	for (unsigned i = 0; ids && i < n; i++) {
		confirm_gone(x, ids[i]);
		look_at_guest(x, ids[i]);
	}
	free(ids);
}

/* --- life ----------------------------------------------------------------- */

struct toolstack *toolstack_open(struct guests *all,
			       const struct disk_config *common, char *why,
			       size_t size)
{
	struct toolstack *x = calloc(1, sizeof(*x));

	if (x) {
		x->all = all;
		x->common = *common;
		x->h = xs_open(0);
	}
	if (!x || !x->h || !xs_watch(x->h, TOP, "disks")) {
		(void)snprintf(why, size,
			       "Xenstore: %s; is xenstored running? "
			       "Without it name disks by --guest and --disk",
			       strerror(errno));
		toolstack_close(x);
		return NULL;
	}
	return x;
}

int toolstack_fd(const struct toolstack *x)
{
	return xs_fileno(x->h);
}

void toolstack_ready(struct toolstack *x)
{
	bool any = false;
	char **event;

	while ((event = xs_check_watch(x->h)) != NULL) {
		any = true;
		free(event);
	}
	if (any)
		look(x);
}

void toolstack_closed(struct toolstack *x, const struct disk *d)
{
	if (d->node)
		set_state(x, d->node, CLOSED);
}

void toolstack_close(struct toolstack *x)
{
	if (!x)
		return;
	if (x->h)
		xs_close(x->h);
	for (unsigned i = 0; i < x->refusals; i++)
		free(x->refused[i]);
	free(x);
}

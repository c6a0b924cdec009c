/* SPDX-License-Identifier: BSD-2-Clause */
#include "guest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xen/memory.h>

#include "log.h"

#define BUFFERED_OFF 0          /* HVM_IOREQSRV_BUFIOREQ_OFF: Arm has none */
#define SERVERS 8u              /* that a domain can have; their ids */
#define STATE_AT (offsetof(ioreq_t, type) - 1u) /* byte with state and flags */
#define STATE_BITS 0x0fu

/* --- slots ---------------------------------------------------------------- */

/* state is a bit-field; Xen reads it from another CPU. */
static uint8_t *state_byte(ioreq_t *slot)
{
	return (uint8_t *)slot + STATE_AT;
}

static unsigned slot_state(ioreq_t *slot)
{
	return __atomic_load_n(state_byte(slot), __ATOMIC_ACQUIRE) & STATE_BITS;
}

static void slot_become(ioreq_t *slot, unsigned state)
{
	uint8_t b = *state_byte(slot);

	b = (uint8_t)((b & ~STATE_BITS) | state);
	__atomic_store_n(state_byte(slot), b, __ATOMIC_RELEASE);
}

/* Xen does not mask what a small access carries. */
static uint64_t masked(uint64_t v, unsigned size)
{
	return size >= 8 ? v : v & ((UINT64_C(1) << 8u * size) - 1u);
}

static void notify(struct guest *g, unsigned vcpu)
{
	g->all->xen.counts.notifies++;
	(void)xenevtchn_notify(g->all->xen.events, g->port[vcpu]);
}

/* ACC-2: the slot's state is stored last, and the system call orders it. */
void guest_reply(struct guest *g, unsigned vcpu, uint64_t value)
{
	ioreq_t *slot = &g->slot[vcpu];

	slot->data = masked(value, slot->size);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	slot_become(slot, STATE_IORESP_READY);
	notify(g, vcpu);
}

static struct disk *disk_at(const struct guest *g, uint64_t address)
{
	for (struct disk *d = g->disks; d; d = d->next)
		if (address - d->config.base < d->config.bytes)
			return d;
	return NULL;
}

/* READY, or INPROCESS under a process that is no more. */
static void execute(struct guest *g, unsigned vcpu)
{
	const ioreq_t r = g->slot[vcpu];
	struct disk *d = r.type == IOREQ_TYPE_COPY && !r.data_is_ptr &&
					 r.size >= 1 && r.size <= 8
				 ? disk_at(g, r.addr)
				 : NULL;
	struct vblk_access a = { .who = vcpu };

	slot_become(&g->slot[vcpu], STATE_IOREQ_INPROCESS);
	if (!d) {
		/* INVALIDATE wants no more than an answer */
		guest_reply(g, vcpu, UINT64_MAX);
		return;
	}
	g->all->xen.counts.accesses++;
	a.offset = r.addr - d->config.base;
	a.size = (uint8_t)r.size;
	a.write = r.dir == IOREQ_WRITE;
	a.value = a.write ? masked(r.data, r.size) : 0;
	disk_access(d, &a);
}

static void take(struct guest *g, unsigned vcpu)
{
	if (slot_state(&g->slot[vcpu]) == STATE_IOREQ_READY)
		execute(g, vcpu);
}

/* --- event channels ------------------------------------------------------- */

static int own(struct guests *all, evtchn_port_t port, struct guest *g,
	       unsigned vcpu)
{
	if (port >= all->ports) {
		size_t n = ((size_t)port + 64u) / 64u * 64u;
		struct port *more = realloc(all->port, n * sizeof(*more));

		if (!more)
			return -1;
		memset(more + all->ports, 0, (n - all->ports) * sizeof(*more));
		all->port = more;
		all->ports = n;
	}
	all->port[port] = (struct port){ g, vcpu };
	return 0;
}

/*
 * Unmasked before the slot is looked at: an event that comes meanwhile wakes us
 * again.
 */
void guests_take_events(struct guests *all)
{
	for (;;) {
		xenevtchn_port_or_error_t p = xenevtchn_pending(
			all->xen.events);
		const struct port *of;

		if (p < 0)
			return;
		(void)xenevtchn_unmask(all->xen.events, (evtchn_port_t)p);
		all->xen.counts.events++;
		of = (size_t)p < all->ports ? &all->port[p] : NULL;
		if (of && of->guest)
			take(of->guest, of->vcpu);
	}
}

static int bind_vcpus(struct guest *g, char *why, size_t size)
{
	for (unsigned v = 0; v < g->vcpus; v++) {
		xenevtchn_port_or_error_t p = xenevtchn_bind_interdomain(
			g->all->xen.events, g->domain, g->slot[v].vp_eport);

		if (p < 0)
			return xen_failed(why, size,
					  "bind a vCPU's event channel",
					  g->domain);
		g->port[v] = (evtchn_port_t)p;
		if (own(g->all, g->port[v], g, v)) {
			errno = ENOMEM;
			return xen_failed(why, size, "event channels",
					  g->domain);
		}
	}
	return 0;
}

/* --- the server ----------------------------------------------------------- */

static int map_range(struct guest *g, uint64_t base, uint64_t bytes)
{
	return xendevicemodel_map_io_range_to_ioreq_server(
		g->all->xen.model, (domid_t)g->domain, g->server, 1, base,
		base + bytes - 1u);
}

static void unmap_range(struct guest *g, uint64_t base, uint64_t bytes)
{
	(void)xendevicemodel_unmap_io_range_from_ioreq_server(
		g->all->xen.model, (domid_t)g->domain, g->server, 1, base,
		base + bytes - 1u);
}

static int info(const struct guest *g, ioservid_t id)
{
	evtchn_port_t port;

	return xendevicemodel_get_ioreq_server_info(
		g->all->xen.model, (domid_t)g->domain, id, NULL, NULL, &port);
}

/*
 * A server of this domain that has the range already. Nothing lists ranges:
 * that one cannot be added again tells.
 */
static bool find_orphan(struct guest *g, uint64_t base, uint64_t bytes)
{
	for (unsigned id = 0; id < SERVERS; id++) {
		if (info(g, (ioservid_t)id))
			continue;
		g->server = (ioservid_t)id;
		if (map_range(g, base, bytes) == 0)
			unmap_range(g, base, bytes);
		else if (errno == EEXIST)
			return true;
	}
	return false;
}

static int open_server(struct guest *g, uint64_t base, uint64_t bytes,
		       char *why, size_t size)
{
	struct xen *x = &g->all->xen;
	void *page = NULL;

	if (xendevicemodel_nr_vcpus(x->model, (domid_t)g->domain, &g->vcpus))
		return xen_failed(why, size, "count its vCPUs", g->domain);
	if (g->vcpus < 1 || g->vcpus > GUEST_VCPUS) {
		(void)snprintf(why, size,
			       "domain %u: %u vCPUs; at most %zu can"
			       " be served",
			       g->domain, g->vcpus, GUEST_VCPUS);
		return -1;
	}
	g->adopted = find_orphan(g, base, bytes);
	if (!g->adopted &&
	    xendevicemodel_create_ioreq_server(x->model, (domid_t)g->domain,
					       BUFFERED_OFF, &g->server))
		return xen_failed(why, size, "create an IOREQ server",
				  g->domain);
	g->resource = xenforeignmemory_map_resource(
		x->memory, (domid_t)g->domain, XENMEM_resource_ioreq_server,
		g->server, XENMEM_resource_ioreq_server_frame_ioreq(0), 1,
		&page, PROT_READ | PROT_WRITE, 0);
	if (!g->resource)
		return xen_failed(why, size, "map the IOREQ server's page",
				  g->domain);
	g->slot = page;
	/* a lock: what another process serves is not touched */
	return g->adopted ? bind_vcpus(g, why, size) : 0;
}

struct guest *guest_find(const struct guests *all, uint32_t domain)
{
	struct guest *g = all->first;

	while (g && g->domain != domain)
		g = g->next;
	return g;
}

struct guest *guest_open(struct guests *all, uint32_t domain, uint64_t base,
			 uint64_t bytes, char *why, size_t size)
{
	struct guest *g = calloc(1, sizeof(*g));

	if (!g) {
		(void)snprintf(why, size, "domain %u: no memory", domain);
		return NULL;
	}
	g->all = all;
	g->domain = domain;
	g->next = all->first;
	all->first = g;
	if (open_server(g, base, bytes, why, size)) {
		guest_close(g, g->slot && !g->adopted);
		return NULL;
	}
	return g;
}

int guest_add(struct guest *g, const struct disk_config *c, struct disk **out,
	      char *why, size_t size)
{
	struct disk *d = disk_open(g, c, g->adopted && !g->started, why, size);

	if (!d)
		return -1;
	if (map_range(g, c->base, c->bytes) &&
	    !(g->adopted && errno == EEXIST)) {
		(void)xen_failed(why, size, "map the registers' range",
				 g->domain);
		disk_close(d, true);
		return -1;
	}
	d->next = g->disks;
	g->disks = d;
	if (out)
		*out = d;
	return 0;
}

/*
 * First the accesses, then the disks: an InterruptACK that is executed again
 * must not undo the interrupt that tells what was completed meanwhile. A vCPU
 * whose answer was given only wants to hear of it.
 */
static void adopt(struct guest *g)
{
	for (unsigned v = 0; v < g->vcpus; v++) {
		unsigned state = slot_state(&g->slot[v]);

		if (state == STATE_IOREQ_READY ||
		    state == STATE_IOREQ_INPROCESS)
			execute(g, v);
		else
			notify(g, v);
	}
	for (struct disk *d = g->disks; d; d = d->next)
		disk_resume(d);
}

int guest_start(struct guest *g, char *why, size_t size)
{
	if (g->started)
		return 0;
	if (xendevicemodel_set_ioreq_server_state(
		    g->all->xen.model, (domid_t)g->domain, g->server, 1))
		return xen_failed(why, size, "enable the IOREQ server",
				  g->domain);
	if (!g->adopted && bind_vcpus(g, why, size))
		return -1;
	g->started = true;
	if (g->adopted)
		adopt(g);
	return 0;
}

bool guest_alive(const struct guest *g)
{
	return info(g, g->server) == 0;
}

/* --- the end -------------------------------------------------------------- */

static void detach(struct guest *g, struct disk *d)
{
	struct disk **at = &g->disks;

	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
}

/* Who waits for a disk that is gone must not wait for ever. */
static void let_go(struct guest *g)
{
	for (unsigned v = 0; v < g->vcpus; v++) {
		unsigned state = slot_state(&g->slot[v]);

		if ((state == STATE_IOREQ_READY ||
		     state == STATE_IOREQ_INPROCESS) &&
		    !disk_at(g, g->slot[v].addr) && g->port[v])
			guest_reply(g, v, UINT64_MAX);
	}
}

void guest_remove(struct guest *g, struct disk *d)
{
	detach(g, d);
	unmap_range(g, d->config.base, d->config.bytes);
	disk_close(d, true);
	if (g->started)
		let_go(g);
}

static bool waits(struct guest *g)
{
	for (unsigned v = 0; g->slot && v < g->vcpus; v++)
		if (slot_state(&g->slot[v]) != STATE_IOREQ_NONE)
			return true;
	return false;
}

void guest_close(struct guest *g, bool gone)
{
	struct guests *all = g->all;
	struct guest **at = &all->first;

	while (g->disks) {
		struct disk *d = g->disks;

		g->disks = d->next;
		if (gone)
			unmap_range(g, d->config.base, d->config.bytes);
		disk_close(d, gone);
	}
	for (unsigned v = 0; v < g->vcpus && v < GUEST_VCPUS; v++) {
		if (!g->port[v])
			continue;
		all->port[g->port[v]].guest = NULL;
		(void)xenevtchn_unbind(all->xen.events, g->port[v]);
	}
	if (gone && !waits(g))
		(void)xendevicemodel_destroy_ioreq_server(
			all->xen.model, (domid_t)g->domain, g->server);
	if (g->resource)
		(void)xenforeignmemory_unmap_resource(all->xen.memory,
						      g->resource);
	while (*at != g)
		at = &(*at)->next;
	*at = g->next;
	free(g);
}

/* --- work ----------------------------------------------------------------- */

bool guests_work(struct guests *all)
{
	bool more = false;

	for (struct guest *g = all->first; g; g = g->next)
		for (struct disk *d = g->disks; d; d = d->next)
			more = disk_work(d) || more;
	return more;
}

bool guests_busy(const struct guests *all)
{
	for (const struct guest *g = all->first; g; g = g->next)
		for (const struct disk *d = g->disks; d; d = d->next)
			if (d->in_flight > 0)
				return true;
	return false;
}

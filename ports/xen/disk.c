/* SPDX-License-Identifier: BSD-2-Clause */
#include "disk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "guest.h"
#include "log.h"

#define VENDOR   0x6b6c6276u    /* "vblk" */
#define BATCH    64u            /* completions at a time */
#define ROUNDS   16u            /* of work between two looks at the guests */
#define SLOTS    128u           /* requests in flight of a queue, at most */
#define FLUSH_NS UINT64_C(1000000000)
#define LOCK_WAIT_MS 5000u      /* for a predecessor to let go of the image */

/* Segments that the driver is told of, and of ours. Those of one request that
 * lie across two mappings count twice. */
#define WHOLE_SEG_MAX  126u
#define WHOLE_SEGS     128u
#define PIECES_SEG_MAX 126u
#define PIECES_SEGS    (2u * PIECES_SEG_MAX)
#define PIECES_SIZE_MAX 65536u

#define INTERRUPT_ACK 0x064u

/* --- the HAL -------------------------------------------------------------- */

static int hal_submit(void *ctx, const struct vblk_req *req, size_t n)
{
	struct disk *d = ctx;
	int taken = store_submit(d->store, req, n);

	d->submitted = true;
	d->in_flight += (uint32_t)taken;
	return taken;
}

/*
 * An edge. One that the driver has not acknowledged yet stands for all that
 * came since: it looks at the rings after its InterruptACK, which passes here.
 */
static void pulse(struct disk *d)
{
	struct xen *x = &d->guest->all->xen;

	x->counts.interrupts++;
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* SIG-1 */
	(void)xendevicemodel_set_irq_level(x->model, (domid_t)d->guest->domain,
					   d->config.irq, 1);
}

static void hal_signal(void *ctx, uint16_t source, bool up)
{
	struct disk *d = ctx;

	(void)source;
	if (up && !d->raised)
		pulse(d);
	d->raised = up;
}

static void hal_reply(void *ctx, const struct vblk_access *access,
		      uint64_t value)
{
	struct disk *d = ctx;

	guest_reply(d->guest, (unsigned)access->who, value);
}

/* Is it of a ring of some queue? */
static bool in_ring(const struct disk *d, vblk_gpa gpa)
{
	for (unsigned q = 0; q < d->mmio.num_queues; q++) {
		const struct vblk_queue_addr *a = &d->mmio.queue[q].addr;

		if (d->mmio.queue[q].ready &&
		    (gpa - a->desc < 16u * (uint64_t)a->size ||
		     gpa - a->driver < 6u + 2u * (uint64_t)a->size ||
		     gpa - a->device < 6u + 8u * (uint64_t)a->size))
			return true;
	}
	return false;
}

static int hal_map(void *ctx, const struct vblk_range *want,
		   struct vblk_region *out)
{
	struct disk *d = ctx;

	return memory_map(&d->memory, want, in_ring(d, want->gpa), out);
}

static void hal_unmap(void *ctx, const struct vblk_region *region)
{
	struct disk *d = ctx;

	memory_unmap(&d->memory, region);
}

static void hal_save(void *ctx)
{
	struct disk *d = ctx;

	state_save(&d->state, &d->mmio);
}

static const struct vblk_hal hal = {
	.submit = hal_submit, .signal = hal_signal, .reply = hal_reply,
	.map = hal_map, .unmap = hal_unmap, .save = hal_save
};

/* --- events --------------------------------------------------------------- */

void disk_access(struct disk *d, const struct vblk_access *a)
{
	struct vblk_event e = { .kind = VBLK_EV_ACCESS };

	e.u.access = *a;
	(void)vblk_lane_event(&d->lane, &e);
	d->due = true;
	/* acknowledged in part: the rest is a new edge */
	if (a->write && a->offset == INTERRUPT_ACK && d->raised)
		pulse(d);
}

static size_t reap(struct disk *d)
{
	struct store_done done[BATCH];
	int n = d->in_flight ? store_reap(d->store, done, BATCH, 0) : 0;

	for (int i = 0; i < n; i++) {
		struct vblk_event e = { .kind = VBLK_EV_DONE };

		e.u.done.bytes = done[i].bytes;
		e.u.done.queue = done[i].queue;
		e.u.done.tag = done[i].tag;
		e.u.done.status = done[i].status;
		(void)vblk_lane_event(&d->lane, &e);
	}
	d->in_flight -= (uint32_t)n;
	d->guest->all->xen.counts.requests += (uint64_t)n;
	return (size_t)n;
}

bool disk_work(struct disk *d)
{
	bool more = d->due || d->in_flight > 0;

	d->due = false;
	for (unsigned i = 0; i < ROUNDS && more; i++) {
		size_t n = reap(d);

		d->submitted = false;
		more = vblk_lane_drain(&d->lane) || n > 0 || d->submitted;
	}
	d->due = more;
	return more;
}

void disk_resume(struct disk *d)
{
	if (!d->resumed)
		return;
	d->raised = false;      /* whether it was is not known */
	vblk_lane_resume(&d->lane);
	d->due = true;
}

void disk_stop(struct disk *d)
{
	const struct vblk_event stop = { .kind = VBLK_EV_STOP };

	(void)vblk_lane_event(&d->lane, &stop);
	d->due = true;
}

bool disk_stopped(const struct disk *d)
{
	return vblk_lane_stopped(&d->lane) && d->in_flight == 0;
}

void disk_flush(struct disk *d)
{
	struct vblk_req r = { .op = VBLK_OP_FLUSH };
	struct store_done done;

	if (d->config.read_only || store_submit(d->store, &r, 1) != 1)
		return;
	while (store_reap(d->store, &done, 1, FLUSH_NS) == 0)
		;
}

/* --- opening -------------------------------------------------------------- */

static void say(void *ctx, const char *line)
{
	const struct disk *d = ctx;

	log_line(LOG_WARNING, d->name, "%s", line);
}

static int open_store(struct disk *d, char *why, size_t size)
{
	const struct disk_config *c = &d->config;
	const struct store_file_options o = { .path = c->image,
					      .read_only = c->read_only,
					      .direct = c->cache == CACHE_NONE,
					      .engine = c->aio,
					      .block_size = c->block_size,
					      .lock_wait_ms = LOCK_WAIT_MS,
					      .log = say,
					      .log_ctx = d };
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = d };

	if (store_file_open(&d->store, &o, why, size))
		return -1;
	if (store_fd(d->store) < 0 ||
	    epoll_ctl(d->guest->all->epoll, EPOLL_CTL_ADD, store_fd(d->store),
		      &e) == 0)
		return 0;
	(void)snprintf(why, size, "epoll: %s", strerror(errno));
	return -1;
}

static uint64_t offered(const struct disk *d)
{
	uint64_t f = store_features(d->store) | VBLK_F_SEG_MAX |
		     VBLK_F_SIZE_MAX | VBLK_F_EVENT_IDX | VBLK_F_RING_RESET;

	/* a table is one more grant to map and unmap, for each request */
	if (d->memory.regime == REGIME_GRANTS)
		f |= VBLK_F_ACCESS_PLATFORM;
	else
		f |= VBLK_F_INDIRECT_DESC;
	if (d->config.queues > 1)
		f |= VBLK_F_MQ;
	if (d->config.cache == CACHE_WRITETHROUGH)
		f &= ~(VBLK_F_CONFIG_WCE | VBLK_F_FLUSH);
	return f;
}

static struct state_shape shape(const struct disk *d)
{
	bool pieces = d->memory.regime != REGIME_WHOLE;
	uint32_t n = d->config.queue_size;

	return (struct state_shape){ .features = offered(d),
				     .queues = d->config.queues,
				     .queue_size = n,
				     .segs = pieces ? PIECES_SEGS : WHOLE_SEGS,
				     .seg_max = pieces ? PIECES_SEG_MAX
						       : WHOLE_SEG_MAX,
				     .size_max = pieces ? PIECES_SIZE_MAX : 0,
				     .slots = n < SLOTS ? n : SLOTS,
				     .regime = d->memory.regime };
}

/* AUTO, where nothing says grants: whole if there is room for it. */
static int open_memory(struct disk *d, char *why, size_t size)
{
	struct memory *m = &d->memory;
	bool automatic = m->regime == REGIME_AUTO;

	if (automatic)
		m->regime = REGIME_WHOLE;
	if (m->regime == REGIME_GRANTS)
		return xen_open_grants(m->xen, why, size);
	if (m->regime != REGIME_WHOLE || memory_map_all(m, why, size) == 0)
		return 0;
	if (!automatic)
		return -1;
	log_line(LOG_WARNING, d->name, "%s; mapping on demand", why);
	m->regime = REGIME_ON_DEMAND;
	return 0;
}

static int configure(struct disk *d, const struct state_shape *s,
		     struct vblk_config *cfg, char *why, size_t size)
{
	uint32_t least = 0;

	memset(cfg, 0, sizeof(*cfg));
	cfg->capacity = store_sectors(d->store);
	cfg->features = s->features;
	cfg->block_size = store_block_size(d->store);
	cfg->size_max = s->size_max;
	cfg->num_queues = (uint16_t)s->queues;
	cfg->queue_size = (uint16_t)s->queue_size;
	cfg->slots = (uint16_t)s->slots;
	cfg->segs = (uint16_t)s->segs;
	cfg->seg_max = (uint16_t)s->seg_max;
	memcpy(cfg->serial, d->config.serial, strlen(d->config.serial));
	if (d->memory.regime == REGIME_WHOLE) {
		cfg->regions = (uint16_t)d->memory.regions;
		return 0;
	}
	cfg->on_demand = true;
	cfg->regions = memory_plan(&d->memory, s->queues, s->segs, &least);
	if (cfg->regions)
		return 0;
	(void)snprintf(why, size,
		       "foreign-pages=%u is too few for %u queues; "
		       "%u are the least",
		       d->memory.cap, s->queues, least);
	return -1;
}

static int make_device(struct disk *d, const struct vblk_config *cfg,
		       char *why, size_t size)
{
	int r = VBLK_OK;

	d->storage = malloc(vblk_sizeof(cfg));
	if (!d->storage) {
		(void)snprintf(why, size, "no memory for the device");
		return -1;
	}
	r = vblk_init(&d->dev, d->storage, vblk_sizeof(cfg), cfg);
	for (unsigned i = 0; r == VBLK_OK && i < d->memory.regions; i++)
		r = vblk_mem_add(d->dev, &d->memory.region[i]);
	if (r == VBLK_OK) {
		vblk_mmio_init(&d->mmio, d->dev, VENDOR,
			       d->state.file ? d->state.log : NULL);
		r = vblk_lane_init(&d->lane, d->dev, &d->mmio, UINT64_MAX, &hal,
				   d);
	}
	if (r == VBLK_OK)
		return 0;
	(void)snprintf(why, size, "the device: %s", vblk_strerror(r));
	return -1;
}

/* What the guest was told must still hold, whatever the options say now. */
static int inherit(struct disk *d, struct state_shape *s, char *why,
		   size_t size)
{
	if (!state_find(d->guest->all->state_dir, d->guest->domain,
			d->config.base, s, why, size)) {
		if (!*why)
			(void)snprintf(why, size,
				       "its last back end left no "
				       "state in %s; the guest has to be "
				       "destroyed",
				       d->guest->all->state_dir
					       ? d->guest->all->state_dir
					       : "any --state-dir");
		return -1;
	}
	d->memory.regime = (enum regime)(s->regime & 3u);
	d->config.queues = s->queues;
	d->config.queue_size = s->queue_size;
	return 0;
}

static int open_all(struct disk *d, bool take_over, char *why, size_t size)
{
	const char *dir = d->guest->all->state_dir;
	struct state_shape s;
	struct vblk_config cfg;

	if (take_over && inherit(d, &s, why, size))
		return -1;
	if (open_store(d, why, size) || open_memory(d, why, size))
		return -1;
	if (!take_over)
		s = shape(d);
	else if (s.features & ~(offered(d) | VBLK_F_FLUSH | VBLK_F_MQ)) {
		(void)snprintf(why, size,
			       "the guest uses what %s cannot do "
			       "now; is it another image?",
			       d->config.image);
		return -1;
	}
	if (configure(d, &s, &cfg, why, size) ||
	    state_open(&d->state, dir, d->guest->domain, d->config.base, &s,
		       take_over, why, size) ||
	    make_device(d, &cfg, why, size))
		return -1;
	if (!take_over)
		return 0;
	if (state_load(&d->state, &d->mmio) != VBLK_OK) {
		(void)snprintf(why, size, "%s: is damaged", d->state.path);
		return -1;
	}
	d->resumed = true;
	return 0;
}

struct disk *disk_open(struct guest *g, const struct disk_config *c,
		       bool take_over, char *why, size_t size)
{
	struct disk *d = calloc(1, sizeof(*d));
	char reason[CONFIG_LINE];

	if (!d) {
		(void)snprintf(why, size, "no memory");
		return NULL;
	}
	d->guest = g;
	d->config = *c;
	(void)snprintf(d->name, sizeof(d->name),
		       "domain %u, disk at 0x%" PRIx64, g->domain, c->base);
	d->memory.xen = &g->all->xen;
	d->memory.domain = g->domain;
	d->memory.regime = c->memory;
	d->memory.cap = c->cap;
	d->memory.banks = c->banks;
	memcpy(d->memory.ram, c->ram, sizeof(c->ram));
	if (open_all(d, take_over, reason, sizeof(reason)) == 0) {
		log_line(LOG_INFO, d->name, "%s, %" PRIu64 " MiB, %s%s",
			 c->image, store_sectors(d->store) >> 11,
			 regime_names[d->memory.regime],
			 take_over ? ", taken over" : "");
		return d;
	}
	(void)snprintf(why, size, "%s: %s", d->name, reason);
	disk_close(d, !take_over);
	return NULL;
}

/* --- the end -------------------------------------------------------------- */

/*
 * Mappings of the cache go with their regions: whatever is in flight is over
 * once the store is closed.
 */
static void unmap_cache(struct disk *d)
{
	struct vblk_region r;

	if (!d->dev || d->memory.regime == REGIME_WHOLE)
		return;
	for (unsigned q = 0; q < d->mmio.num_queues; q++)
		for (unsigned t = 0; t < SLOTS; t++)
			if (vblk_in_flight(d->dev, (uint16_t)q, (vblk_tag)t))
				(void)vblk_complete(d->dev, (uint16_t)q,
						    (vblk_tag)t, VBLK_S_IOERR,
						    0);
	if (vblk_reset(d->dev) != VBLK_OK)
		return;         /* cannot be: nothing is in flight */
	(void)vblk_mem_revoke(d->dev, 0, UINT64_MAX);
	while (vblk_mem_reap(d->dev, &r))
		memory_unmap(&d->memory, &r);
}

void disk_close(struct disk *d, bool gone)
{
	if (d->store)
		store_close(d->store);
	if (gone)
		unmap_cache(d);
	state_close(&d->state, gone);
	memory_unmap_all(&d->memory);
	free(d->storage);
	free(d->node);
	free(d);
}

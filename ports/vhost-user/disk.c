/* SPDX-License-Identifier: BSD-2-Clause */
#include "disk.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "log.h"

#define SEG_MAX        126u     /* what QEMU's own device offers at 128 */
#define SEGS           160u     /* some lie across two slots */
#define IOMMU_SEG_MAX  14u      /* each in 17 pages at worst */
#define IOMMU_SIZE_MAX 65536u
#define SLOTS          128u     /* requests in flight on a queue */
#define STORE_DEPTH    128u     /* on a lane */
#define LOG_ALIGN      64u      /* of a queue's part of the in-flight region */
#define LOG_SHIFT      15u      /* 8 pages in a byte of the dirty bitmap */
#define PAGE           4096u
#define WINDOW         (UINT64_C(1) << LOG_SHIFT)
#define NO_WINDOW      (UINT64_C(1) << 63)
#define PACKED_FRESH   0x80008000u /* base: both at 0, in the first lap */

/* --- features ------------------------------------------------------------- */

/* Bits that a front end takes by itself and that ask nothing of us. */
#define HARMLESS ((UINT64_C(1) << 24) | (UINT64_C(1) << 27))
#define OF_VHOST (VHOST_F_LOG_ALL | VHOST_USER_F_PROTOCOL_FEATURES)

uint64_t disk_features(const struct disk *d)
{
	return vblk_features(d->dev) | OF_VHOST;
}

bool disk_packed(const struct disk *d)
{
	return d->features & VBLK_F_RING_PACKED;
}

static bool translated(const struct disk *d)
{
	return d->features & VBLK_F_ACCESS_PLATFORM;
}

/* Whole map or on demand: the device is made anew when that changes. */
static bool make_device(struct disk *d, bool on_demand)
{
	struct vblk_config c = d->config;
	int r;

	c.on_demand = on_demand;
	(void)pthread_mutex_lock(&d->lock);
	r = vblk_init(&d->dev, d->storage, d->storage_size, &c);
	(void)pthread_mutex_unlock(&d->lock);
	return r == VBLK_OK;
}

/*
 * A legacy driver takes no VERSION_1: nothing else changes for us. Its ring
 * layout is the front end's work, its byte order ours, since both are little.
 */
bool disk_accept(struct disk *d, uint64_t features)
{
	uint64_t virtio = features & ~(OF_VHOST | HARMLESS);
	bool on_demand = virtio & VBLK_F_ACCESS_PLATFORM;

	if (virtio & ~vblk_features(d->dev))
		return false;
	if (on_demand != vblk_configuration(d->dev)->on_demand &&
	    !make_device(d, on_demand))
		return false;
	if (vblk_accept(d->dev, virtio) != VBLK_OK)
		return false;
	d->features = features;
	return true;
}

/* --- memory to the core --------------------------------------------------- */

static bool logging(const struct disk *d)
{
	return d->log.at && d->features & VHOST_F_LOG_ALL;
}

/* Its byte of the bitmap, or NULL. False: the bitmap ends before the slot. */
static bool dirty_bits(const struct disk *d, const struct slot *s,
		       uint8_t **bits)
{
	*bits = NULL;
	if (!logging(d))
		return true;
	*bits = d->log.at + (s->gpa >> LOG_SHIFT);
	return (s->gpa + (s->size - 1u)) >> LOG_SHIFT < d->log.size;
}

static void drop_regions(struct disk *d)
{
	struct vblk_region gone;

	(void)vblk_mem_revoke(d->dev, 0, UINT64_MAX);
	while (vblk_mem_reap(d->dev, &gone))
		;
}

static void add_regions(struct disk *d)
{
	drop_regions(d);
	for (unsigned i = 0; i < d->memory.n; i++) {
		const struct slot *s = &d->memory.slot[i];
		struct vblk_region r = { .gpa = s->gpa,
					 .len = s->size,
					 .host = s->host,
					 .perm = VBLK_RW };

		if (s->lost)
			continue;
		if (!dirty_bits(d, s, &r.dirty) ||
		    vblk_mem_add(d->dev, &r) != VBLK_OK)
			log_line(LOG_WARNING, d->name,
				 "guest memory at %#llx is not used: the log "
				 "of dirty pages ends before it",
				 (unsigned long long)s->gpa);
	}
}

/* --- memory on demand ----------------------------------------------------- */

/*
 * The bits of a region that is dirtied, by its own addresses, and where those
 * pages are in the log, by the guest's.
 */
static uint8_t *dirty_take(struct disk *d, const struct vblk_region *r)
{
	for (unsigned i = 0; i < DISK_REGIONS; i++) {
		struct window *w = &d->window[i];

		if (w->used)
			continue;
		*w = (struct window){ .used = true };
		for (uint64_t at = 0; at < r->len; at += PAGE) {
			uint64_t iova = r->gpa + at;

			w->gpa[iova / PAGE % 8u] = iotlb_gpa(&d->iotlb, iova);
		}
		return &w->bits;
	}
	return NULL;
}

static void dirty_give(struct disk *d, const struct vblk_region *r)
{
	struct window *w = (void *)(r->dirty - offsetof(struct window, bits));

	w->used = false;
	for (unsigned p = 0; p < 8u && logging(d); p++) {
		uint64_t gpa = w->gpa[p];

		if (w->bits >> p & 1u && gpa >> LOG_SHIFT < d->log.size)
			(void)__atomic_fetch_or(
				&d->log.at[gpa >> LOG_SHIFT],
				(uint8_t)(1u << (gpa / PAGE & 7u)),
				__ATOMIC_RELAXED);
	}
}

/* ctx is the one lane; the disk is behind it. */
static struct disk *of(void *ctx)
{
	return lane_owner(ctx);
}

static int map(void *ctx, const struct vblk_range *want,
	       struct vblk_region *out)
{
	struct disk *d = of(ctx);
	bool ask;
	int r;

	(void)pthread_mutex_lock(&d->lock);
	r = iotlb_map(&d->iotlb, want, logging(d) ? WINDOW : NO_WINDOW, out,
		      &ask);
	if (r == VBLK_OK && logging(d)) {
		out->dirty = dirty_take(d, out);
		if (!out->dirty)
			r = VBLK_EBUSY;
	}
	(void)pthread_mutex_unlock(&d->lock);
	if (ask)
		d->ask(d->ask_ctx, want->gpa & ~(uint64_t)(PAGE - 1u),
		       want->perm);
	return r;
}

static void unmap(void *ctx, const struct vblk_region *r)
{
	if (r->dirty)
		dirty_give(of(ctx), r);
}

static const struct vblk_hal hal_whole = { .submit = lane_submit,
					   .signal = lane_signal };
static const struct vblk_hal hal_demand = { .submit = lane_submit,
					    .signal = lane_signal,
					    .map = map,
					    .unmap = unmap };

/* Paused: every mapping goes, and what it dirtied is logged. */
static void unmap_all(struct disk *d)
{
	struct vblk_region gone;

	(void)vblk_mem_revoke(d->dev, 0, UINT64_MAX);
	while (vblk_mem_reap(d->dev, &gone))
		unmap(d->lane[0], &gone);
}

/* --- rings ---------------------------------------------------------------- */

uint64_t disk_inflight_stride(uint64_t features, uint16_t queue_size)
{
	uint64_t bytes = vblk_inflight_size(queue_size, features);

	return (bytes + LOG_ALIGN - 1u) & ~(uint64_t)(LOG_ALIGN - 1u);
}

static struct vblk_inflight *log_of(const struct disk *d, uint16_t q)
{
	uint64_t each;

	if (!d->inflight.at || q >= d->inflight_queues ||
	    d->ring[q].size > d->inflight_size)
		return NULL;
	/* as the front end divides it, too */
	each = d->inflight.size / d->inflight_queues & ~(uint64_t)7;
	if (each < vblk_inflight_size(d->inflight_size, d->features))
		return NULL; /* made for the other kind of ring */
	return (void *)(d->inflight.at + q * each);
}

static bool ready(const struct ring *r)
{
	return r->started && r->enabled && r->has_addr && r->size > 0 &&
	       !r->faulted;
}

/*
 * Ring addresses are the front end's (or, behind an IOMMU, the driver's): the
 * core wants the guest's.
 */
static bool ring_addr(const struct disk *d, const struct ring *r,
		      struct vblk_queue_addr *out)
{
	const struct msg_vring_addr *a = &r->addr;
	const struct slot *desc, *avail, *used;

	if (r->size > d->config.queue_size)
		return false;
	*out = (struct vblk_queue_addr){ .desc = a->desc,
					 .driver = a->avail,
					 .device = a->used,
					 .size = (uint16_t)r->size };
	if (translated(d))
		return true;
	desc = memory_user(&d->memory, a->desc, 16u * r->size);
	avail = memory_user(&d->memory, a->avail,
			    disk_packed(d) ? 4u : 6u + 2u * r->size);
	used = memory_user(&d->memory, a->used,
			   disk_packed(d) ? 4u : 6u + 8u * r->size);
	if (!desc || !avail || !used)
		return false;
	out->desc = desc->gpa + (a->desc - desc->user);
	out->driver = avail->gpa + (a->avail - avail->user);
	out->device = used->gpa + (a->used - used->user);
	return true;
}

static void ring_fault(struct disk *d, uint16_t q, const char *what)
{
	struct ring *r = &d->ring[q];

	r->faulted = true;
	notify(&d->notify, r->err);
	d->news = true;         /* disk_attend tells the front end */
	if (eventfd_write(d->event, 1))
		return;         /* full: it was told */
	if (!d->told_fault)
		log_line(LOG_WARNING, d->name,
			 "queue %u is stopped: %s; the driver must reset the "
			 "device (further ones are only counted)",
			 q, what);
	d->told_fault = true;
}

/* QEMU's virtio-mmio has queues of 1024 and asks for a log of queue-size. */
static void tell_unlogged(struct disk *d, uint16_t q)
{
	if (!d->inflight.at || log_of(d, q) || d->told_unlogged)
		return;
	d->told_unlogged = true;
	log_line(LOG_WARNING, d->name,
		 "queue %u of %u is larger than the in-flight log of %u that "
		 "the front end gave: what is in flight in a crash is lost; "
		 "raise the queue size of its device",
		 q, d->ring[q].size, d->inflight_size);
}

static bool ring_start(struct disk *d, uint16_t q)
{
	struct ring *r = &d->ring[q];
	struct vblk_queue_pos from = { .avail = (uint16_t)r->base,
				       .used = (uint16_t)(r->base >> 16),
				       .used_from_ring = !disk_packed(d) };
	const struct vblk_queue_pos *begin;
	struct vblk_queue_addr addr;

	if (!ring_addr(d, r, &addr)) {
		ring_fault(d, q,
			   "its rings are outside the guest's memory or "
			   "larger than --queue-size");
		return false;
	}
	/* a packed ring at its beginning has no life behind it */
	begin = r->has_pos				    ? &r->pos
		: disk_packed(d) && r->base == PACKED_FRESH ? NULL
							    : &from;
	if (vblk_queue_start(d->dev, q, &addr, begin, log_of(d, q)) ==
	    VBLK_OK) {
		tell_unlogged(d, q);
		return true;
	}
	ring_fault(d, q,
		   "its size, alignment or base breaks virtio 1.4, 2.7 or "
		   "2.8, or its in-flight log is of another queue");
	return false;
}

static void note_faults(struct disk *d)
{
	char what[80];

	for (uint16_t q = 0; q < d->config.num_queues; q++) {
		const char *section = vblk_queue_fault(d->dev, q);

		if (d->ring[q].faulted || !section)
			continue;
		(void)snprintf(what, sizeof(what),
			       "the guest broke virtio 1.4, %s", section);
		ring_fault(d, q, what);
	}
}

/* --- pause and go --------------------------------------------------------- */

void disk_pause(struct disk *d)
{
	if (!d->running)
		return;
	for (unsigned i = 0; i < d->lanes; i++)
		lane_pause(d->lane[i]);
	for (unsigned i = 0; i < d->lanes; i++)
		lane_paused(d->lane[i]);
	note_faults(d);
	for (uint16_t q = 0; q < d->config.num_queues; q++) {
		struct ring *r = &d->ring[q];

		if (!vblk_queue_started(d->dev, q))
			continue;
		/* the lanes are idle: nothing is in flight */
		if (vblk_queue_stop(d->dev, q, &r->pos) != VBLK_OK)
			abort();
		r->has_pos = true;
	}
	if (translated(d))
		unmap_all(d);
	d->running = false;
}

/* Queue q is served by lane q % lanes; behind an IOMMU by the first. */
static uint64_t share(const struct disk *d, unsigned lane, uint64_t started)
{
	uint64_t mine = 0;

	if (translated(d))
		return lane == 0 ? started : 0;
	for (unsigned q = lane; q < d->config.num_queues; q += d->lanes)
		mine |= UINT64_C(1) << q;
	return started & mine;
}

void disk_go(struct disk *d)
{
	struct lane_queue port[VBLK_MAX_QUEUES];
	uint64_t started = 0, polled = 0;

	if (d->running)
		return;
	if (!translated(d))
		add_regions(d);
	for (uint16_t q = 0; q < d->config.num_queues; q++) {
		const struct ring *r = &d->ring[q];

		port[q] = (struct lane_queue){ r->kick, r->call };
		if (!ready(r) || !ring_start(d, q))
			continue;
		started |= UINT64_C(1) << q;
		if (r->kick < 0)
			polled |= UINT64_C(1) << q;
	}
	for (unsigned i = 0; i < d->lanes; i++)
		lane_go(d->lane[i], d->dev,
			translated(d) ? &hal_demand : &hal_whole, d->lane[i],
			share(d, i, started), polled, port);
	d->running = started != 0;
}

bool disk_translate(struct disk *d, const struct msg_iotlb *u)
{
	bool good;

	(void)pthread_mutex_lock(&d->lock);
	good = iotlb_update(&d->iotlb, &d->memory, u);
	(void)pthread_mutex_unlock(&d->lock);
	if (d->running)
		lane_wake(d->lane[0]);
	return good;
}

void disk_translated(struct disk *d, bool refused)
{
	(void)pthread_mutex_lock(&d->lock);
	iotlb_answered(&d->iotlb, refused);
	(void)pthread_mutex_unlock(&d->lock);
	if (d->running)
		lane_wake(d->lane[0]);
}

void ring_exchange(int *fd, int to)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = to;
}

/* --- the front end's wishes ----------------------------------------------- */

uint32_t disk_stop_ring(struct disk *d, uint16_t q)
{
	struct ring *r = &d->ring[q];
	uint32_t at = r->has_pos ? r->pos.avail : r->base;
	struct vblk_inflight *log = log_of(d, q);

	/*
	 * All is given back: whoever starts it says where. What was stopped
	 * before it replayed everything stays for the next start.
	 */
	if (log && r->has_pos &&
	    vblk_inflight_empty(log, (uint16_t)r->size, d->features))
		vblk_inflight_reset(log);
	if (r->has_pos && disk_packed(d))
		at |= (uint32_t)r->pos.used << 16;
	r->started = false;
	r->faulted = false;
	r->has_pos = false;
	r->base = at;
	return at;
}

void disk_reset(struct disk *d)
{
	for (uint16_t q = 0; q < d->config.num_queues; q++) {
		/*
		 * Where it stood is kept: QEMU 7.2 resets the status and then
		 * asks for it, to migrate or to go on after a pause.
		 */
		(void)disk_stop_ring(d, q);
		d->ring[q].enabled = !(d->features &
				       VHOST_USER_F_PROTOCOL_FEATURES);
	}
	d->told_fault = false;
}

void disk_forget(struct disk *d)
{
	disk_pause(d);
	for (uint16_t q = 0; q < d->config.num_queues; q++) {
		struct ring *r = &d->ring[q];

		ring_exchange(&r->kick, -1);
		ring_exchange(&r->call, -1);
		ring_exchange(&r->err, -1);
		*r = (struct ring){ .kick = -1, .call = -1, .err = -1 };
	}
	if (vblk_reset(d->dev) != VBLK_OK)
		abort();        /* nothing is in flight */
	drop_regions(d);
	memory_clear(&d->memory);
	shared_unmap(&d->log);
	shared_unmap(&d->inflight);
	iotlb_clear(&d->iotlb);
	d->inflight_queues = d->inflight_size = 0;
	d->features = 0;
	d->told_fault = d->told_unlogged = false;
}

bool disk_needs_reset(const struct disk *d)
{
	for (uint16_t q = 0; q < d->config.num_queues; q++)
		if (d->ring[q].faulted)
			return true;
	return false;
}

bool disk_attend(struct disk *d)
{
	bool news;

	note_faults(d);
	if (memory_check(&d->memory)) {
		log_line(LOG_WARNING, d->name,
			 "the front end shrank guest memory that it shares; it "
			 "is not used any more");
		disk_pause(d);
		disk_go(d);
	}
	news = d->news;
	d->news = false;
	return news;
}

bool disk_refresh(struct disk *d)
{
	bool changed = false;

	disk_pause(d);
	for (unsigned i = 0; i < d->lanes; i++)
		changed = store_refresh(lane_store(d->lane[i])) || changed;
	if (changed) {
		d->config.capacity = store_sectors(lane_store(d->lane[0]));
		vblk_resize(d->dev, d->config.capacity);
	}
	disk_go(d);
	return changed;
}

/* --- life ----------------------------------------------------------------- */

static void say(void *ctx, const char *line)
{
	log_line(LOG_WARNING, ctx, "%s", line);
}

static struct store_file_options file_options(struct disk *d)
{
	const struct disk_options *o = d->options;
	struct store_file_options f = { .path = o->blk_file,
					.read_only = o->read_only,
					.direct = o->cache == CACHE_NONE,
					.engine = o->aio,
					.depth = STORE_DEPTH,
					.block_size = o->block_size,
					.lock_wait_ms = DISK_LOCK_WAIT_MS,
					.log = say,
					.log_ctx = d->name };

	return f;
}

static int open_store(struct disk *d, struct store **out, char *why,
		      size_t why_size)
{
	const struct store_file_options f = file_options(d);

	if (f.path)
		return d->lanes == 0
			       ? store_file_open(out, &f, why, why_size)
			       : store_file_share(out, lane_store(d->lane[0]),
						  &f, why, why_size);
	if (store_null_open(out, d->options->null_size, STORE_DEPTH) == 0)
		return 0;
	(void)snprintf(why, why_size,
		       "--null-size: %llu is not a multiple of 512, or there "
		       "is no memory",
		       (unsigned long long)d->options->null_size);
	return -1;
}

static uint64_t features(const struct disk *d, const struct store *s)
{
	const struct disk_options *o = d->options;
	uint64_t f = store_features(s) | VBLK_F_SEG_MAX | VBLK_F_INDIRECT_DESC |
		     VBLK_F_EVENT_IDX;

	if (o->read_only)
		f = (f | VBLK_F_RO) &
		    ~(VBLK_F_CONFIG_WCE | VBLK_F_DISCARD | VBLK_F_WRITE_ZEROES);
	if (o->cache == CACHE_WRITETHROUGH)
		f &= ~(VBLK_F_FLUSH | VBLK_F_CONFIG_WCE);
	if (o->num_queues > 1)
		f |= VBLK_F_MQ;
	if (o->packed)
		f |= VBLK_F_RING_PACKED;
	if (o->in_order)
		f |= VBLK_F_IN_ORDER;
	if (o->iommu)
		f |= VBLK_F_ACCESS_PLATFORM | VBLK_F_SIZE_MAX;
	return f;
}

static void configure(struct disk *d, const struct store *s)
{
	const struct disk_options *o = d->options;
	struct vblk_config *c = &d->config;

	c->capacity = store_sectors(s);
	c->features = features(d, s);
	c->block_size = o->block_size;
	c->num_queues = (uint16_t)o->num_queues;
	c->queue_size = (uint16_t)o->queue_size;
	c->slots = (uint16_t)(o->queue_size < SLOTS ? o->queue_size : SLOTS);
	c->segs = o->iommu ? VBLK_MAX_SEGS : SEGS;
	c->seg_max = o->iommu ? IOMMU_SEG_MAX : SEG_MAX;
	c->size_max = o->iommu ? IOMMU_SIZE_MAX : 0;
	c->regions = DISK_REGIONS;
	if (o->serial)
		memcpy(c->serial, o->serial,
		       strnlen(o->serial, sizeof(c->serial)));
}

static int make(struct disk *d, const struct store *s, char *why,
		size_t why_size)
{
	struct vblk_config demand;

	configure(d, s);
	demand = d->config;
	demand.on_demand = d->options->iommu;
	d->storage_size = vblk_sizeof(&d->config);
	if (d->options->iommu && vblk_sizeof(&demand) > d->storage_size)
		d->storage_size = vblk_sizeof(&demand);
	d->storage = d->storage_size ? malloc(d->storage_size) : NULL;
	if (d->storage && make_device(d, false))
		return 0;
	(void)snprintf(why, why_size, "%s: no memory for %u queues of %u",
		       d->name, d->config.num_queues, d->config.queue_size);
	return -1;
}

static int add_lane(struct disk *d, char *why, size_t why_size)
{
	struct lane_config c = { .queues = (uint16_t)d->options->num_queues,
				 .poll_us = d->options->poll_us,
				 .jitter_us = d->options->jitter_us,
				 .fault_event = d->event,
				 .owner = d };
	const char *what;

	if (open_store(d, &c.store, why, why_size))
		return -1;
	if (!d->dev && make(d, c.store, why, why_size)) {
		store_close(c.store);
		return -1;
	}
	c.slots = d->config.slots;
	d->lane[d->lanes] = lane_start(&c, &what);
	if (!d->lane[d->lanes]) {
		store_close(c.store);
		(void)snprintf(why, why_size, "%s: %s", d->name, what);
		return -1;
	}
	d->lanes++;
	return 0;
}

static void name(struct disk *d)
{
	const char *path = d->options->blk_file;
	const char *slash = path ? strrchr(path, '/') : NULL;

	(void)snprintf(d->name, sizeof(d->name), "%s",
		       slash  ? slash + 1
		       : path ? path
			      : "null");
}

int disk_open(struct disk *d, const struct disk_options *o, char *why,
	      size_t why_size)
{
	unsigned lanes = o->threads && o->threads < o->num_queues
				 ? o->threads
				 : o->num_queues;

	memset(d, 0, sizeof(*d));
	d->options = o;
	name(d);
	(void)pthread_mutex_init(&d->lock, NULL);
	for (unsigned q = 0; q < VBLK_MAX_QUEUES; q++)
		d->ring[q] = (struct ring){ .kick = -1, .call = -1, .err = -1 };
	d->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (d->event < 0) {
		(void)snprintf(why, why_size, "%s: no descriptors left",
			       d->name);
		return -1;
	}
	d->memory.event = d->event;
	d->memory.limit = o->memory_limit;
	for (unsigned i = 0; i < lanes; i++) {
		if (add_lane(d, why, why_size) == 0)
			continue;
		if (d->lanes == 0 || o->cache != CACHE_NONE) {
			disk_close(d);
			return -1;
		}
		log_line(LOG_INFO, d->name, "%s: all queues share it", why);
		break;
	}
	return 0;
}

void disk_close(struct disk *d)
{
	if (d->dev)
		disk_forget(d);
	for (unsigned i = d->lanes; i-- > 0;)
		lane_end(d->lane[i], i == 0 && !d->options->read_only);
	d->lanes = 0;
	if (d->event >= 0)
		(void)close(d->event);
	free(d->storage);
	d->dev = NULL;
	(void)pthread_mutex_destroy(&d->lock);
}

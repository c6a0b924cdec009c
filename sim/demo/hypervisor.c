/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A port in one page: three HAL functions, a loop, memory that is all there. A
 * trapped access goes into the lane as an event and comes back as a reply; what
 * the lane submits goes to the store, and its completions into the lane.
 */
#include "hypervisor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define VENDOR     0x6b6c6276u          /* "vblk" */
#define SEGS       32u
#define REAP_BATCH 32u
#define HELD_WAIT_NS UINT64_C(10000000) /* between two looks at a held access */

/* --- the HAL -------------------------------------------------------------- */

/* Where the byte to be flipped will be, if this is the read that brings it. */
static void aim(struct hypervisor *hv, const struct vblk_req *r)
{
	uint64_t off;

	if (r->op != VBLK_OP_READ || hv->break_sector < r->sector ||
	    hv->break_sector - r->sector >= r->bytes / VBLK_SECTOR_SIZE)
		return;
	off = (hv->break_sector - r->sector) * VBLK_SECTOR_SIZE;
	for (uint16_t i = 0; i < r->num_segs; i++) {
		if (off < r->seg[i].len) {
			hv->break_at = (uint8_t *)r->seg[i].host + off;
			hv->break_queue = r->queue;
			hv->break_tag = r->tag;
			return;
		}
		off -= r->seg[i].len;
	}
}

static int submit(void *ctx, const struct vblk_req *req, size_t n)
{
	struct hypervisor *hv = ctx;
	int taken = store_submit(hv->store, req, n);

	for (int i = 0; i < taken && !hv->broke && !hv->break_at; i++)
		aim(hv, &req[i]);
	return taken;
}

/* One line for all sources: a level, lowered when the guest acknowledges. */
static void signal_guest(void *ctx, uint16_t source, bool up)
{
	struct hypervisor *hv = ctx;

	(void)source;
	hv->line = up;
}

static void reply(void *ctx, const struct vblk_access *access, uint64_t value)
{
	struct hypervisor *hv = ctx;

	(void)access;           /* one CPU: it is the one that waits */
	hv->answer = value;
	hv->answered = true;
}

static const struct vblk_hal hal = {
	.submit = submit, .signal = signal_guest, .reply = reply
};

/* --- the loop ------------------------------------------------------------- */

/* A lane's drain is bounded, and while it runs the guest does not. */
static void drain(struct hypervisor *hv)
{
	while (vblk_lane_drain(&hv->lane))
		;
}

static void done(struct hypervisor *hv, const struct store_done *d)
{
	struct vblk_event e = { .kind = VBLK_EV_DONE };

	if (hv->break_at && d->queue == hv->break_queue &&
	    d->tag == hv->break_tag) {
		*hv->break_at ^= 1u;
		hv->break_at = NULL;
		hv->broke = true;
	}
	e.u.done.queue = d->queue;
	e.u.done.tag = d->tag;
	e.u.done.status = d->status;
	e.u.done.bytes = d->bytes;
	if (vblk_lane_event(&hv->lane, &e) != VBLK_OK) {
		fprintf(stderr,
			"vblk-demo: the store finished tag %u of queue "
			"%u, which is not in flight\n",
			d->tag, d->queue);
		abort();
	}
}

void hv_turn(struct hypervisor *hv, uint64_t wait_ns)
{
	struct store_done d[REAP_BATCH];
	int n;

	drain(hv);
	do {
		n = store_reap(hv->store, d, REAP_BATCH,
			       hv->line ? 0 : wait_ns);
		for (int i = 0; i < n; i++)
			done(hv, &d[i]);
		drain(hv);
	} while (n == (int)REAP_BATCH);
}

/* --- the guest's CPU ------------------------------------------------------ */

static uint64_t trap(struct hypervisor *hv, const struct vblk_access *access)
{
	struct vblk_event e = { .kind = VBLK_EV_ACCESS };

	e.u.access = *access;
	hv->answered = false;
	if (vblk_lane_event(&hv->lane, &e) != VBLK_OK)
		abort();        /* only a lane without registers says so */
	while (!hv->answered)   /* held until what is in flight is done */
		hv_turn(hv, HELD_WAIT_NS);
	return hv->answer;
}

uint64_t hv_read(struct hypervisor *hv, uint64_t offset, unsigned size)
{
	struct vblk_access a = { .offset = offset, .size = (uint8_t)size };

	return trap(hv, &a);
}

void hv_write(struct hypervisor *hv, uint64_t offset, unsigned size,
	      uint64_t value)
{
	struct vblk_access a = { .offset = offset,
				 .value = value,
				 .size = (uint8_t)size,
				 .write = true };

	(void)trap(hv, &a);
}

void *hv_memory(struct hypervisor *hv, vblk_gpa gpa)
{
	return hv->ram + (gpa - HV_RAM_BASE);
}

bool hv_line(const struct hypervisor *hv)
{
	return hv->line;
}

/* --- life ----------------------------------------------------------------- */

static void configure(struct vblk_config *cfg, const struct store *store)
{
	cfg->capacity = store_sectors(store);
	cfg->features = store_features(store) | VBLK_F_SEG_MAX | VBLK_F_MQ |
			VBLK_F_INDIRECT_DESC | VBLK_F_EVENT_IDX;
	cfg->block_size = store_block_size(store);
	cfg->num_queues = HV_QUEUES;
	cfg->queue_size = HV_QUEUE_SIZE;
	cfg->segs = SEGS;
	memcpy(cfg->serial, "vblk-demo-disk", 14);
}

static int make_device(struct hypervisor *hv, const struct vblk_config *cfg)
{
	struct vblk_region all = { .gpa = HV_RAM_BASE,
				   .len = HV_RAM_BYTES,
				   .host = hv->ram,
				   .perm = VBLK_RW };
	int r = vblk_init(&hv->dev, hv->storage, vblk_sizeof(cfg), cfg);

	if (r == VBLK_OK)
		r = vblk_mem_add(hv->dev, &all);
	if (r != VBLK_OK)
		return r;
	vblk_mmio_init(&hv->mmio, hv->dev, VENDOR, NULL);
	return vblk_lane_init(&hv->lane, hv->dev, &hv->mmio, UINT64_MAX, &hal,
			      hv);
}

int hv_open(struct hypervisor *hv, struct store *store, uint64_t break_sector,
	    char *why, size_t why_size)
{
	struct vblk_config cfg = { 0 };
	int r;

	memset(hv, 0, sizeof(*hv));
	hv->store = store;
	hv->break_sector = break_sector;
	configure(&cfg, store);
	hv->ram = mmap(NULL, HV_RAM_BYTES, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (hv->ram == MAP_FAILED)
		hv->ram = NULL;
	hv->storage = malloc(vblk_sizeof(&cfg));
	if (!hv->ram || !hv->storage) {
		snprintf(why, why_size, "no memory for the guest");
		hv_close(hv);
		return -1;
	}
	r = make_device(hv, &cfg);
	if (r != VBLK_OK) {
		snprintf(why, why_size, "the device: %s", vblk_strerror(r));
		hv_close(hv);
		return -1;
	}
	return 0;
}

void hv_close(struct hypervisor *hv)
{
	if (hv->ram)
		(void)munmap(hv->ram, HV_RAM_BYTES);
	free(hv->storage);
	memset(hv, 0, sizeof(*hv));
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A device in this process: the core's register file and lane as a hypervisor
 * has them, on a deterministic disk. Every access traps into the lane and is
 * answered by it; an interrupt is a line that the lane raises, and is looked at
 * as a driver would, through InterruptStatus.
 *
 * Time is steps: a millisecond of waiting is STEPS of them, and one step drains
 * the lane and finishes one operation of the disk.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attach.h"
#include "disk.h"
#include "mmio_driver.h"
#include "vblk/hal.h"

#define RAM_BASE   UINT64_C(0x80000000)
#define RAM_BYTES  (UINT64_C(3) << 20)
#define HIGH_BASE  UINT64_C(0x140000000)        /* a second region */
#define HIGH_BYTES (UINT64_C(1) << 20)
#define BAD_BASE   UINT64_C(0x40000000)
#define BAD_BYTES  (UINT64_C(1) << 20)
#define PAGE       4096u
#define STEPS      4u
#define VENDOR     0x6b6c6276u

struct setup {
	const char *name;
	uint64_t without;       /* features that are not offered */
	bool read_only, on_demand;
	bool platform;          /* ACCESS_PLATFORM: addresses are the same */
	uint16_t queues, queue_size, slots, segs, seg_max;
	uint8_t policy;
};

#define UPPER (UINT64_C(0xffffffff) << 32) /* none of the newer features */

static const struct setup setups[] = {
	{ .name = "one queue", .queues = 1, .queue_size = 256, .segs = 32 },
	{ .name = "four queues, stop", .queues = 4, .queue_size = 64,
	  .segs = 32, .policy = VBLK_STOP },
	/* a segment may lie on two pages */
	{ .name = "on demand, two queues", .on_demand = true,
	  .platform = true, .queues = 2,
	  .queue_size = 128, .segs = 32, .seg_max = 16 },
	{ .name = "read-only", .read_only = true, .queues = 2,
	  .queue_size = 64, .segs = 32 },
	{ .name = "small", .queues = 1, .queue_size = 8, .slots = 2,
	  .segs = 4 },
	{ .name = "plain", .queues = 1, .queue_size = 16, .segs = 32,
	  .policy = VBLK_STOP,
	  .without = UPPER | VBLK_F_EVENT_IDX | VBLK_F_INDIRECT_DESC |
		     VBLK_F_CONFIG_WCE | VBLK_F_DISCARD |
		     VBLK_F_WRITE_ZEROES },
};

struct sim {
	struct dut *dut;
	const struct setup *setup;
	struct vblk_config cfg;
	uint8_t *ram, *high;
	void *storage;
	struct vblk *dev;
	struct vblk_mmio mmio;
	struct vblk_lane lane;
	struct disk disk;
	bool made, line, lost, answered;
	uintptr_t asked;        /* the access that is waited for */
	uint64_t answer;
};

static int lose(struct sim *m, const char *why)
{
	m->lost = true;
	snprintf(m->dut->why, sizeof(m->dut->why), "%s", why);
	return DUT_LOST;
}

/* --- the HAL -------------------------------------------------------------- */

static int submit(void *ctx, const struct vblk_req *req, size_t n)
{
	return disk_submit(&((struct sim *)ctx)->disk, req, n);
}

static void signal_guest(void *ctx, uint16_t source, bool up)
{
	(void)source;
	((struct sim *)ctx)->line = up;
}

static void reply(void *ctx, const struct vblk_access *a, uint64_t value)
{
	struct sim *m = ctx;

	if (a->who != m->asked)
		return;         /* one that was held, and nobody waits for */
	m->answer = value;
	m->answered = true;
}

static uint8_t *host_of(struct sim *m, uint64_t gpa, uint64_t *left)
{
	if (gpa >= RAM_BASE && gpa - RAM_BASE < RAM_BYTES) {
		*left = RAM_BYTES - (gpa - RAM_BASE);
		return m->ram + (gpa - RAM_BASE);
	}
	if (gpa >= HIGH_BASE && gpa - HIGH_BASE < HIGH_BYTES) {
		*left = HIGH_BYTES - (gpa - HIGH_BASE);
		return m->high + (gpa - HIGH_BASE);
	}
	return NULL;
}

/* A page at a time, so that the cache is under pressure. */
static int map(void *ctx, const struct vblk_range *want,
	       struct vblk_region *out)
{
	uint64_t gpa = want->gpa / PAGE * PAGE, left;
	uint8_t *host = host_of(ctx, gpa, &left);

	if (!host)
		return VBLK_EGUEST;
	memset(out, 0, sizeof(*out));
	out->gpa = gpa;
	out->len = PAGE;
	out->host = host;
	out->perm = VBLK_RW;
	return VBLK_OK;
}

static void unmap(void *ctx, const struct vblk_region *r)
{
	(void)ctx;
	(void)r;
}

static const struct vblk_hal hal = { .submit = submit,
				     .signal = signal_guest,
				     .reply = reply,
				     .map = map,
				     .unmap = unmap };

/* --- running -------------------------------------------------------------- */

static int step(struct sim *m)
{
	struct disk_done done;
	unsigned bound = 64;

	if (m->lost)
		return DUT_LOST;
	while (vblk_lane_drain(&m->lane))
		if (--bound == 0)
			break;  /* there is more: the next step's */
	if (disk_step(&m->disk, &done)) {
		struct vblk_event e = { .kind = VBLK_EV_DONE };

		e.u.done.queue = done.queue;
		e.u.done.tag = done.tag;
		e.u.done.status = done.status;
		e.u.done.bytes = done.bytes;
		if (vblk_lane_event(&m->lane, &e) != VBLK_OK)
			return lose(m, "the core does not know a request that "
				       "it had handed out");
		(void)vblk_lane_drain(&m->lane);
	}
	if (m->disk.broken[0])
		return lose(m, m->disk.broken);
	return DUT_OK;
}

static int run(struct dut *d, bool (*ready)(void *arg), void *arg, uint32_t ms,
	       bool *came)
{
	struct sim *m = d->self;

	*came = ready(arg);
	for (uint32_t i = 0; i < ms * STEPS && !*came; i++) {
		int r = step(m);

		if (r != DUT_OK)
			return r;
		*came = ready(arg);
	}
	return DUT_OK;
}

static int settle_sim(struct dut *d)
{
	struct sim *m = d->self;
	int r = step(m);

	for (unsigned i = 0; r == DUT_OK && i < 2u * DISK_DEPTH &&
			     m->disk.waiting && !m->disk.hold;
	     i++)
		r = step(m);
	for (unsigned i = 0; r == DUT_OK && i < 4; i++)
		r = step(m);
	return r;
}

/*
 * An access that is held (a reset while requests are in flight) is not waited
 * for beyond a bound: the guest has other CPUs.
 */
static int trap(struct sim *m, const struct vblk_access *a, bool *answered)
{
	struct vblk_event e = { .kind = VBLK_EV_ACCESS };
	int r = DUT_OK;

	if (m->lost)
		return DUT_LOST;
	e.u.access = *a;
	e.u.access.who = ++m->asked;
	m->answered = false;
	if (vblk_lane_event(&m->lane, &e) != VBLK_OK)
		return lose(m, "the lane refuses an access");
	for (unsigned i = 0; i < 2u * DISK_DEPTH && r == DUT_OK && !m->answered;
	     i++)
		r = step(m);
	*answered = m->answered;
	return r;
}

static int sim_reg_read(struct dut *d, uint32_t offset, uint32_t width,
			uint64_t *value)
{
	struct sim *m = d->self;
	struct vblk_access a = { .offset = offset, .size = (uint8_t)width };
	bool answered;
	int r = trap(m, &a, &answered);

	*value = m->answer;
	if (r == DUT_OK && !answered)
		r = lose(m, "a register was read and no answer came");
	return r;
}

static int sim_reg_write(struct dut *d, uint32_t offset, uint32_t width,
			 uint64_t value)
{
	struct sim *m = d->self;
	struct vblk_access a = { .offset = offset,
				 .value = value,
				 .size = (uint8_t)width,
				 .write = true };
	bool answered;
	int r = trap(m, &a, &answered);

	if (r == DUT_OK && !answered && !m->disk.hold)
		r = lose(m, "a register was written and no answer came");
	return r;
}

static int sim_irq_take(struct dut *d, struct dut_irq *irq)
{
	struct sim *m = d->self;

	if (!m->line) {
		irq->used = irq->error = 0;
		irq->config = false;
		return m->lost ? DUT_LOST : DUT_OK;
	}
	return mmio_irq_take(d, irq);
}

/* --- life ----------------------------------------------------------------- */

/* What this core has: features are tried one by one. */
static uint64_t all_features(void)
{
	struct vblk_config c;
	uint64_t all = 0;

	for (unsigned bit = 0; bit < 64; bit++) {
		memset(&c, 0, sizeof(c));
		c.capacity = DISK_SECTORS;
		c.features = VBLK_F_FLUSH | UINT64_C(1) << bit;
		if (vblk_sizeof(&c) != 0)
			all |= UINT64_C(1) << bit;
	}
	return all & ~(VBLK_F_RO | VBLK_F_ACCESS_PLATFORM);
}

static void configure(struct sim *m)
{
	const struct setup *s = m->setup;
	struct vblk_config *c = &m->cfg;

	memset(c, 0, sizeof(*c));
	c->capacity = DISK_SECTORS;
	c->features = all_features() & ~s->without;
	if (s->read_only)
		c->features |= VBLK_F_RO;
	if (s->platform)
		c->features |= VBLK_F_ACCESS_PLATFORM;
	if (s->queues == 1)
		c->features &= ~VBLK_F_MQ;
	c->size_max = 65536;
	c->max_discard_sectors = c->max_zeroes_sectors = 1024;
	c->opt_io_size = c->min_io_size = 8;
	c->physical_exp = 3;
	c->cylinders = 8;
	c->heads = 16;
	c->sectors = 32;
	c->num_queues = s->queues;
	c->queue_size = s->queue_size;
	c->slots = s->slots;
	c->segs = s->segs;
	c->seg_max = s->seg_max;
	c->regions = s->on_demand ? 64 : 2;
	c->on_demand = s->on_demand;
	c->fault_policy = s->policy;
	memcpy(c->serial, "conformance", 11);
}

static int make(struct sim *m)
{
	struct vblk_region low = { .gpa = RAM_BASE,
				   .len = RAM_BYTES,
				   .host = m->ram,
				   .perm = VBLK_RW };
	struct vblk_region high = { .gpa = HIGH_BASE,
				    .len = HIGH_BYTES,
				    .host = m->high,
				    .perm = VBLK_RW };
	int r;

	memset(m->storage, 0, vblk_sizeof(&m->cfg));
	r = vblk_init(&m->dev, m->storage, vblk_sizeof(&m->cfg), &m->cfg);
	if (r == VBLK_OK && !m->cfg.on_demand) {
		r = vblk_mem_add(m->dev, &low);
		if (r == VBLK_OK)
			r = vblk_mem_add(m->dev, &high);
	}
	if (r != VBLK_OK)
		return r;
	vblk_mmio_init(&m->mmio, m->dev, VENDOR, NULL);
	m->line = m->lost = false;
	m->made = true;
	m->disk.waiting = 0;
	return vblk_lane_init(&m->lane, m->dev, &m->mmio, UINT64_MAX, &hal, m);
}

static void calm(struct sim *m)
{
	m->disk.hold = m->disk.reverse = false;
	m->disk.fail = 0;
}

static bool is_reset(void *arg)
{
	uint64_t v = 1;

	return sim_reg_read(arg, 0x070, 4, &v) != DUT_OK || v == 0;
}

/* The same device after a reset, which it has to survive; if not, a new one. */
static int sim_open(struct dut *d)
{
	struct sim *m = d->self;
	bool came = true;

	calm(m);
	if (m->made && !m->lost) {
		(void)sim_reg_write(d, 0x070, 4, 0);
		(void)run(d, is_reset, d, d->wait_ms, &came);
		if (m->disk.sectors != DISK_SECTORS) {
			m->disk.sectors = DISK_SECTORS;
			vblk_resize(m->dev, DISK_SECTORS);
		}
		if (came && !m->lost)
			return DUT_OK;
		m->made = false;
		return lose(m, "it was not reset after the test before this");
	}
	m->disk.sectors = DISK_SECTORS;
	m->disk.broken[0] = '\0';
	return make(m) == VBLK_OK ? DUT_OK : lose(m, "no device was made");
}

static int sim_event(struct dut *d, enum dut_event e, uint64_t value)
{
	struct sim *m = d->self;

	if (m->lost)
		return DUT_LOST;
	switch (e) {
	case DUT_EVENT_RESIZE:
		m->disk.sectors = value;
		vblk_resize(m->dev, value);
		vblk_mmio_config_changed(&m->mmio);
		m->line = vblk_mmio_line(&m->mmio);
		return DUT_OK;
	case DUT_EVENT_HOLD: m->disk.hold = value != 0; return step(m);
	case DUT_EVENT_CUT:
		calm(m);
		disk_cut(&m->disk);
		return make(m) == VBLK_OK ? DUT_OK
					  : lose(m, "no device was made");
	case DUT_EVENT_STORE_ERROR:
		m->disk.fail = (unsigned)value;
		return DUT_OK;
	case DUT_EVENT_REORDER: m->disk.reverse = value != 0; return DUT_OK;
	}
	return DUT_CANNOT;
}

static struct dut_ops ops = {
	.open = sim_open, .status_read = mmio_status_read,
	.status_write = mmio_status_write,
	.features_read = mmio_features_read,
	.features_write = mmio_features_write,
	.config_read = mmio_config_read, .config_write = mmio_config_write,
	.config_generation = mmio_config_generation,
	.queue_max = mmio_queue_max, .queue_set = mmio_queue_set,
	.queue_enable = mmio_queue_enable, .queue_ready = mmio_queue_ready,
	.queue_reset = mmio_queue_reset,
	.queue_resetting = mmio_queue_resetting, .notify = mmio_notify,
	.notify_data = mmio_notify_data, .irq_take = sim_irq_take,
	.wait = run, .settle = settle_sim, .reg_read = sim_reg_read,
	.reg_write = sim_reg_write, .event = sim_event
};

unsigned sim_configurations(void)
{
	return sizeof(setups) / sizeof(setups[0]);
}

const char *sim_configuration(unsigned i)
{
	return setups[i].name;
}

bool sim_attach(struct dut *d, unsigned configuration, char *why)
{
	struct sim *m = calloc(1, sizeof(*m));
	void (*log)(struct dut *, const char *) = d->ops ? d->ops->log : NULL;

	(void)why;
	memset(d, 0, sizeof(*d));
	ops.log = log;
	d->ops = &ops;
	d->self = m;
	if (!m)
		goto none;
	m->dut = d;
	m->setup = &setups[configuration];
	configure(m);
	m->ram = aligned_alloc(PAGE, RAM_BYTES);
	m->high = aligned_alloc(PAGE, HIGH_BYTES);
	m->storage = malloc(vblk_sizeof(&m->cfg));
	if (disk_open(&m->disk) != 0 || !m->ram || !m->high || !m->storage)
		goto none;
	memset(m->ram, 0, RAM_BYTES);
	memset(m->high, 0, HIGH_BYTES);
	d->name = m->setup->name;
	d->can = DUT_REGS | DUT_STATUS | DUT_GENERATION | DUT_NOTIFY_DATA |
		 DUT_QUEUE_RESET | DUT_QUEUE_READY | DUT_IRQ_CONFIG |
		 DUT_SUSPEND | DUT_RESIZE | DUT_HOLD | DUT_CUT |
		 DUT_STORE_ERROR | DUT_REORDER;
	d->policy = m->cfg.fault_policy == VBLK_STOP ? DUT_POLICY_STOP
						     : DUT_POLICY_CONTAIN;
	d->wait_ms = 1000;
	d->region[0] = (struct dut_region){ m->ram, RAM_BASE, RAM_BYTES };
	d->region[1] = (struct dut_region){ m->high, HIGH_BASE, HIGH_BYTES };
	d->regions = 2;
	d->bad_addr = BAD_BASE;
	d->bad_bytes = BAD_BYTES;
	return true;
none:
	snprintf(why, ATTACH_WHY, "no memory for the simulated machine");
	return false;
}

void sim_detach(struct dut *d)
{
	struct sim *m = d->self;

	if (!m)
		return;
	free(m->ram);
	free(m->high);
	free(m->storage);
	disk_close(&m->disk);
	free(m);
	d->self = NULL;
}

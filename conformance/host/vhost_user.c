/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Another process's device, over vhost-user: this is the monitor, and the test
 * is its guest. The monitor keeps what the protocol has no message for until
 * the driver is ready, as monitors do: features go over with FEATURES_OK,
 * memory and queues with DRIVER_OK. A reset stops every queue. Each test has a
 * connection of its own.
 *
 * Status is the device's own answer only if the daemon has STATUS; else it is
 * the monitor's, and tests that need the device's do not apply.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "attach.h"
#include "front.h"
#include "memory.h"
#include "util.h"
#include "virtio.h"

#define QUEUE_MAX  256u
#define SETTLE_MS  15u
#define SPIN_NS    UINT64_C(200000)
#define SLEEP_NS   UINT64_C(100000)
#define LOOK_NS    UINT64_C(20000000)   /* between looks for a hang-up */
#define CONNECT_NS UINT64_C(1000000000) /* a daemon may need to come back */
#define GIVE_UP    3u                   /* tests in a row without it */
#define BAD_BASE   UINT64_C(0x50000000)
#define BAD_BYTES  (UINT64_C(1) << 20)
#define CONFIG_MAX 96u                  /* bytes of 5.2.4 */
#define PACKED_BASE 0x80008000u         /* both positions 0, both laps 1 */
#define S_FEATURES_OK VIRTIO_S_FEATURES_OK
#define S_DRIVER_OK   VIRTIO_S_DRIVER_OK

static const struct front_region layout[] = {
	{ .gpa = 0x10000000, .size = 4u << 20, .uva = 0x7d1000000000,
	  .offset = 0x3000 },
	{ .gpa = UINT64_C(0x140000000), .size = 1u << 20,
	  .uva = 0x7a2000000000, .offset = 0x1000 },
};

struct queue {
	struct dut_queue at;
	int kick, call, error;
	bool set, on, running;
};

struct peer {
	struct dut *dut;
	const char *path;
	struct front front;
	struct mem mem;
	struct queue queue[DUT_QUEUES];
	uint64_t offered, features;
	uint32_t status, queues, config_bytes;
	bool connected, live, has_back;
	unsigned missed;        /* opens in a row that failed */
};

static int lose(struct peer *p, const char *doing)
{
	if (p->connected)
		front_close(&p->front);
	p->connected = p->live = false;
	snprintf(p->dut->why, sizeof(p->dut->why), "%s: %.110s", doing,
		 p->front.why);
	return DUT_LOST;
}

/* A message that was answered as it should, or the end. */
static int said(struct peer *p, int error, const char *doing)
{
	return error == FRONT_OK ? DUT_OK : lose(p, doing);
}

#define SAY(p, call, doing) \
	do { \
		if (!(p)->connected) \
			return DUT_LOST; \
		int say_ = said((p), (call), (doing)); \
		if (say_ != DUT_OK) \
			return say_; \
	} while (0)

/* --- connection ----------------------------------------------------------- */

static const uint64_t wanted =
	FRONT_PF_MQ | FRONT_PF_REPLY_ACK | FRONT_PF_BACKEND_REQ |
	FRONT_PF_CONFIG | FRONT_PF_RESET_DEVICE | FRONT_PF_STATUS;

static int find_config_size(struct peer *p)
{
	static const uint32_t size[] = { CONFIG_MAX, 72, BLK_CONFIG_BYTES, 36 };
	uint8_t b[CONFIG_MAX];
	int error = FRONT_REFUSED;

	for (unsigned i = 0; i < 4 && error == FRONT_REFUSED; i++) {
		p->config_bytes = size[i];
		error = front_get_config(&p->front, 0, b, size[i]);
	}
	return error;
}

static int greet(struct peer *p)
{
	struct front *f = &p->front;
	uint64_t protocol = 0, n = 1;

	SAY(p, front_get_features(f, &p->offered), "GET_FEATURES");
	if (p->offered & VHOST_F_PROTOCOL) {
		SAY(p, front_get_protocol_features(f, &protocol),
		    "GET_PROTOCOL_FEATURES");
		SAY(p, front_set_protocol_features(f, protocol & wanted),
		    "SET_PROTOCOL_FEATURES");
	}
	f->ask_ack = true;
	if (f->protocol & FRONT_PF_MQ)
		SAY(p, front_get_queue_num(f, &n), "GET_QUEUE_NUM");
	p->queues = n < DUT_QUEUES ? (uint32_t)n : DUT_QUEUES;
	SAY(p, front_set_owner(f), "SET_OWNER");
	if (!(f->protocol & FRONT_PF_CONFIG)) {
		snprintf(f->why, sizeof(f->why),
			 "it has no configuration space (protocol feature "
			 "CONFIG)");
		return lose(p, "not a block device");
	}
	SAY(p, find_config_size(p), "GET_CONFIG");
	p->has_back = f->protocol & FRONT_PF_BACKEND_REQ;
	if (p->has_back)
		SAY(p, front_back_open(f), "SET_BACKEND_REQ_FD");
	return DUT_OK;
}

static void drain_fd(int fd)
{
	uint64_t n;

	if (read(fd, &n, sizeof(n)) < 0)
		return;         /* there was nothing */
}

static int connect_now(struct peer *p)
{
	uint64_t until = now_ns() + (p->missed < GIVE_UP ? CONNECT_NS : 0);
	int error;

	for (;;) {
		error = front_connect(&p->front, p->path, p->dut->wait_ms);
		if (error == FRONT_OK || now_ns() >= until)
			break;
		sleep_ns(20 * NS_PER_MS);
	}
	if (error != FRONT_OK) {
		p->missed++;
		return lose(p, "connecting");
	}
	p->missed = 0;
	p->connected = true;
	return greet(p);
}

static void describe(struct peer *p)
{
	struct dut *d = p->dut;

	d->can = DUT_IRQ_QUEUE | DUT_IRQ_ERROR;
	if (p->front.protocol & FRONT_PF_STATUS)
		d->can |= DUT_STATUS;
	/* else a monitor keeps the bit from its guest's device */
	if ((d->can & DUT_STATUS) && (p->offered & VIRTIO_F_SUSPEND))
		d->can |= DUT_SUSPEND;
	if (p->has_back)
		d->can |= DUT_IRQ_CONFIG;
	if (p->offered & VIRTIO_F_RING_RESET)
		d->can |= DUT_QUEUE_RESET;
}

static int vu_open(struct dut *d)
{
	struct peer *p = d->self;
	int r;

	if (p->connected)
		front_close(&p->front);
	p->connected = p->live = false;
	p->status = 0;
	p->features = 0;
	for (uint32_t i = 0; i < DUT_QUEUES; i++) {
		struct queue *q = &p->queue[i];

		q->set = q->on = q->running = false;
		drain_fd(q->kick);
		drain_fd(q->call);
		drain_fd(q->error);
	}
	r = connect_now(p);
	if (r == DUT_OK)
		describe(p);
	return r;
}

/* --- queues --------------------------------------------------------------- */

static int start_queue(struct peer *p, uint32_t i)
{
	struct front *f = &p->front;
	struct queue *q = &p->queue[i];
	bool packed = p->features & VIRTIO_F_RING_PACKED;
	struct front_vring_addr a = {
		.index = i,
		.desc = mem_uva(&p->mem, q->at.desc, 1),
		.avail = mem_uva(&p->mem, q->at.driver, 1),
		.used = mem_uva(&p->mem, q->at.device, 1)
	};

	SAY(p, front_set_vring_num(f, i, q->at.size), "SET_VRING_NUM");
	SAY(p, front_set_vring_base(f, i, packed ? PACKED_BASE : 0),
	    "SET_VRING_BASE");
	SAY(p, front_set_vring_addr(f, &a), "SET_VRING_ADDR");
	SAY(p, front_set_vring_err(f, i, q->error), "SET_VRING_ERR");
	SAY(p, front_set_vring_kick(f, i, q->kick), "SET_VRING_KICK");
	SAY(p, front_set_vring_call(f, i, q->call), "SET_VRING_CALL");
	if (p->offered & VHOST_F_PROTOCOL)
		SAY(p, front_set_vring_enable(f, i, true), "SET_VRING_ENABLE");
	q->running = true;
	return DUT_OK;
}

static int stop_queue(struct peer *p, uint32_t i)
{
	unsigned base;

	if (!p->queue[i].running)
		return DUT_OK;
	p->queue[i].running = false;
	SAY(p, front_get_vring_base(&p->front, i, &base), "GET_VRING_BASE");
	drain_fd(p->queue[i].kick);
	return DUT_OK;
}

static int go_live(struct peer *p)
{
	struct front_region at[2] = { p->mem.region[0].at,
				      p->mem.region[1].at };
	int fd[2] = { p->mem.region[0].fd, p->mem.region[1].fd };
	int r = DUT_OK;

	SAY(p, front_set_mem_table(&p->front, at, fd, 2), "SET_MEM_TABLE");
	p->live = true;
	for (uint32_t i = 0; i < DUT_QUEUES && r == DUT_OK; i++)
		if (p->queue[i].on)
			r = start_queue(p, i);
	return r;
}

static int vu_queue_max(struct dut *d, uint32_t queue, uint32_t *size)
{
	struct peer *p = d->self;

	*size = queue < p->queues ? QUEUE_MAX : 0;
	return p->connected ? DUT_OK : DUT_LOST;
}

static int vu_queue_set(struct dut *d, uint32_t queue,
			const struct dut_queue *q)
{
	struct peer *p = d->self;

	if (queue >= p->queues)
		return DUT_CANNOT;
	p->queue[queue].at = *q;
	p->queue[queue].set = true;
	return DUT_OK;
}

static int vu_queue_enable(struct dut *d, uint32_t queue)
{
	struct peer *p = d->self;

	if (queue >= p->queues || !p->queue[queue].set)
		return DUT_CANNOT;
	p->queue[queue].on = true;
	return p->live && !p->queue[queue].running ? start_queue(p, queue)
						   : DUT_OK;
}

static int vu_queue_ready(struct dut *d, uint32_t queue, bool *ready)
{
	(void)d;
	(void)queue;
	*ready = false;
	return DUT_CANNOT;
}

static int vu_queue_reset(struct dut *d, uint32_t queue)
{
	struct peer *p = d->self;

	p->queue[queue].on = false;
	return stop_queue(p, queue);
}

/* GET_VRING_BASE answers when nothing is in flight any more. */
static int vu_queue_resetting(struct dut *d, uint32_t queue, bool *ongoing)
{
	(void)queue;
	*ongoing = false;
	return ((struct peer *)d->self)->connected ? DUT_OK : DUT_LOST;
}

static int vu_notify(struct dut *d, uint32_t queue)
{
	struct peer *p = d->self;
	uint64_t one = 1;

	if (!p->connected)
		return DUT_LOST;
	if (queue < p->queues && p->queue[queue].running &&
	    write(p->queue[queue].kick, &one, sizeof(one)) < 0)
		return lose(p, "kicking a queue");
	return DUT_OK;
}

static int vu_notify_data(struct dut *d, uint32_t queue, uint32_t data)
{
	(void)d;
	(void)queue;
	(void)data;
	return DUT_CANNOT;
}

/* --- status, features, configuration -------------------------------------- */

static int vu_status_read(struct dut *d, uint32_t *status)
{
	struct peer *p = d->self;
	uint64_t v = p->status;

	if (p->front.protocol & FRONT_PF_STATUS)
		SAY(p, front_get_status(&p->front, &v), "GET_STATUS");
	*status = (uint32_t)v;
	return p->connected ? DUT_OK : DUT_LOST;
}

static int reset_device(struct peer *p)
{
	int r = DUT_OK;

	for (uint32_t i = 0; i < DUT_QUEUES && r == DUT_OK; i++) {
		r = stop_queue(p, i);
		p->queue[i].on = p->queue[i].set = false;
	}
	p->live = false;
	p->status = 0;
	if (r == DUT_OK && (p->front.protocol & FRONT_PF_RESET_DEVICE))
		SAY(p, front_reset_device(&p->front), "RESET_DEVICE");
	if (r == DUT_OK && (p->front.protocol & FRONT_PF_STATUS))
		SAY(p, front_set_status(&p->front, 0), "SET_STATUS");
	return r;
}

static int vu_status_write(struct dut *d, uint32_t status)
{
	struct peer *p = d->self;
	uint32_t fresh = status & ~p->status;
	int r = DUT_OK, error;

	if (!p->connected)
		return DUT_LOST;
	if (status == 0)
		return reset_device(p);
	if (fresh & S_FEATURES_OK) {
		uint64_t f = p->features | (p->offered & VHOST_F_PROTOCOL);

		error = front_set_features(&p->front, f);
		if (error == FRONT_REFUSED)     /* the guest is to see it */
			status &= ~S_FEATURES_OK;
		else
			SAY(p, error, "SET_FEATURES");
	}
	if ((fresh & S_DRIVER_OK) && !p->live)
		r = go_live(p);
	p->status |= status & 0xffu;
	if (r == DUT_OK && (p->front.protocol & FRONT_PF_STATUS))
		SAY(p, front_set_status(&p->front, status & 0xffu),
		    "SET_STATUS");
	return r;
}

static int vu_features_read(struct dut *d, uint64_t *bits)
{
	struct peer *p = d->self;

	SAY(p, front_get_features(&p->front, &p->offered), "GET_FEATURES");
	/* the protocol's own; and a guest without an IOMMU */
	*bits = p->offered & ~(VHOST_F_PROTOCOL | VHOST_F_LOG_ALL |
			       VIRTIO_F_ACCESS_PLATFORM);
	return DUT_OK;
}

static int vu_features_write(struct dut *d, uint64_t bits)
{
	((struct peer *)d->self)->features = bits;
	return DUT_OK;
}

/* All of it each time: there are daemons that take no notice of an offset. */
static int vu_config_read(struct dut *d, uint32_t offset, void *to, uint32_t n)
{
	struct peer *p = d->self;
	uint8_t b[2 * CONFIG_MAX] = { 0 };

	SAY(p, front_get_config(&p->front, 0, b, p->config_bytes),
	    "GET_CONFIG");
	if (offset > CONFIG_MAX || n > CONFIG_MAX)
		return DUT_CANNOT;
	memcpy(to, b + offset, n);
	return DUT_OK;
}

static int vu_config_write(struct dut *d, uint32_t offset, const void *from,
			   uint32_t n)
{
	struct peer *p = d->self;
	int error;

	if (!p->connected)
		return DUT_LOST;
	error = front_set_config(&p->front, offset, FRONT_CONFIG_WRITABLE, from,
				 n);
	if (error == FRONT_REFUSED)
		return DUT_OK;  /* it is not written: it reads as before */
	return said(p, error, "SET_CONFIG");
}

static int vu_config_generation(struct dut *d, uint32_t *generation)
{
	(void)d;
	*generation = 0;
	return DUT_CANNOT;
}

/* --- waiting -------------------------------------------------------------- */

static bool eventfd_taken(int fd)
{
	uint64_t n;

	return read(fd, &n, sizeof(n)) == (ssize_t)sizeof(n);
}

static bool config_told(struct peer *p)
{
	struct front_message m;
	bool told = false;

	while (p->has_back &&
	       front_back_receive(&p->front, &m, 0) == FRONT_OK) {
		told = told || m.request == FRONT_BACK_CONFIG_CHANGE;
		if (m.flags & FRONT_NEED_REPLY)
			(void)front_back_answer(&p->front, &m, 0);
		front_message_close(&m);
	}
	return told;
}

static int vu_irq_take(struct dut *d, struct dut_irq *irq)
{
	struct peer *p = d->self;

	irq->used = irq->error = 0;
	irq->config = false;
	if (!p->connected)
		return DUT_LOST;
	for (uint32_t i = 0; i < p->queues; i++) {
		if (eventfd_taken(p->queue[i].call))
			irq->used |= 1u << i;
		if (eventfd_taken(p->queue[i].error))
			irq->error |= 1u << i;
	}
	irq->config = config_told(p);
	return DUT_OK;
}

/* What is waited for is often in memory, which cannot be polled for. */
static int vu_wait(struct dut *d, bool (*ready)(void *arg), void *arg,
		   uint32_t ms, bool *came)
{
	struct peer *p = d->self;
	uint64_t began = now_ns(), look = began + LOOK_NS, now = began;

	for (;;) {
		*came = ready(arg);
		if (*came || now - began >= ms * NS_PER_MS)
			return DUT_OK;
		if (!p->connected)
			return DUT_LOST;
		if (now - began < SPIN_NS)
			(void)sched_yield();
		else
			sleep_ns(SLEEP_NS);
		now = now_ns();
		if (now < look)
			continue;
		look = now + LOOK_NS;
		if (front_closed_within(&p->front, 0)) {
			snprintf(p->front.why, sizeof(p->front.why),
				 "the daemon closed the connection");
			return lose(p, "waiting");
		}
	}
}

static int vu_settle(struct dut *d)
{
	struct peer *p = d->self;

	if (!p->connected)
		return DUT_LOST;
	sleep_ns(SETTLE_MS * NS_PER_MS);
	if (!front_closed_within(&p->front, 0))
		return DUT_OK;
	snprintf(p->front.why, sizeof(p->front.why),
		 "the daemon closed the connection");
	return lose(p, "waiting");
}

/* --- what there is not ---------------------------------------------------- */

static int vu_reg_read(struct dut *d, uint32_t offset, uint32_t width,
		       uint64_t *value)
{
	(void)d;
	(void)offset;
	(void)width;
	*value = 0;
	return DUT_CANNOT;
}

static int vu_reg_write(struct dut *d, uint32_t offset, uint32_t width,
			uint64_t value)
{
	(void)d;
	(void)offset;
	(void)width;
	(void)value;
	return DUT_CANNOT;
}

static int vu_event(struct dut *d, enum dut_event e, uint64_t value)
{
	(void)e;
	(void)value;
	return ((struct peer *)d->self)->connected ? DUT_CANNOT : DUT_LOST;
}

static struct dut_ops ops = {
	.open = vu_open, .status_read = vu_status_read,
	.status_write = vu_status_write, .features_read = vu_features_read,
	.features_write = vu_features_write, .config_read = vu_config_read,
	.config_write = vu_config_write,
	.config_generation = vu_config_generation,
	.queue_max = vu_queue_max, .queue_set = vu_queue_set,
	.queue_enable = vu_queue_enable, .queue_ready = vu_queue_ready,
	.queue_reset = vu_queue_reset,
	.queue_resetting = vu_queue_resetting, .notify = vu_notify,
	.notify_data = vu_notify_data, .irq_take = vu_irq_take,
	.wait = vu_wait, .settle = vu_settle, .reg_read = vu_reg_read,
	.reg_write = vu_reg_write, .event = vu_event
};

static bool prepare(struct peer *p)
{
	for (uint32_t i = 0; i < DUT_QUEUES; i++) {
		struct queue *q = &p->queue[i];

		q->kick = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		q->call = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		q->error = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (q->kick < 0 || q->call < 0 || q->error < 0)
			return false;
	}
	for (unsigned i = 0; i < 2; i++) {
		struct mem_region *m;

		if (mem_add(&p->mem, &layout[i]) != 0)
			return false;
		m = &p->mem.region[i];
		p->dut->region[i] = (struct dut_region){ m->host, m->at.gpa,
							 m->at.size };
	}
	p->dut->regions = 2;
	return true;
}

bool vhost_user_attach(struct dut *d, const char *path, unsigned wait_ms,
		       char *why)
{
	struct peer *p = calloc(1, sizeof(*p));

	ops.log = d->ops ? d->ops->log : NULL;
	memset(d, 0, sizeof(*d));
	d->ops = &ops;
	d->self = p;
	d->name = path;
	d->wait_ms = wait_ms;
	d->bad_addr = BAD_BASE;
	d->bad_bytes = BAD_BYTES;
	if (!p) {
		snprintf(why, ATTACH_WHY, "no memory");
		return false;
	}
	p->dut = d;
	p->path = path;
	p->missed = GIVE_UP;    /* no second attempt now */
	if (!prepare(p)) {
		snprintf(why, ATTACH_WHY, "guest memory: %s", strerror(errno));
		return false;
	}
	if (vu_open(d) == DUT_OK)
		return true;
	snprintf(why, ATTACH_WHY, "%.60s: no vhost-user-blk daemon: %.110s",
		 path, d->why);
	return false;
}

void vhost_user_detach(struct dut *d)
{
	struct peer *p = d->self;

	if (!p)
		return;
	if (p->connected)
		front_close(&p->front);
	for (uint32_t i = 0; i < DUT_QUEUES; i++) {
		(void)close(p->queue[i].kick);
		(void)close(p->queue[i].call);
		(void)close(p->queue[i].error);
	}
	mem_free(&p->mem);
	free(p);
	d->self = NULL;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The order of messages is that of QEMU's vhost-user-blk: features, protocol
 * features, queues, owner, configuration when the device is made; the rest when
 * the guest's driver is ready.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "session_internal.h"

int session_fail(struct session *s, int error, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(s->why, sizeof(s->why), format, ap);
	va_end(ap);
	return error;
}

static int fail_in(struct session *s, const char *what, int error)
{
	return session_fail(s, error, "%s: %s", what, s->front.why);
}

uint64_t session_all_features(void)
{
	return BLK_F_SIZE_MAX | BLK_F_SEG_MAX | BLK_F_GEOMETRY | BLK_F_RO |
	       BLK_F_BLK_SIZE | BLK_F_FLUSH | BLK_F_TOPOLOGY |
	       BLK_F_CONFIG_WCE | BLK_F_MQ | BLK_F_DISCARD |
	       BLK_F_WRITE_ZEROES | VHOST_F_PROTOCOL | VIRTIO_F_INDIRECT |
	       VIRTIO_F_EVENT_IDX | VIRTIO_F_VERSION_1 | VIRTIO_F_RING_PACKED;
}

uint64_t session_all_protocol(void)
{
	return FRONT_PF_MQ | FRONT_PF_LOG_SHMFD | FRONT_PF_REPLY_ACK |
	       FRONT_PF_BACKEND_REQ | FRONT_PF_CONFIG |
	       FRONT_PF_INFLIGHT_SHMFD | FRONT_PF_RESET_DEVICE |
	       FRONT_PF_CONFIGURE_MEM_SLOTS | FRONT_PF_STATUS;
}

/* --- connection ----------------------------------------------------------- */

static int negotiate(struct session *s)
{
	struct front *f = &s->front;
	int err;

	err = front_get_features(f, &s->offered);
	if (err)
		return fail_in(s, "GET_FEATURES", err);
	s->features = s->offered & s->options.features;
	if (s->offered & VHOST_F_PROTOCOL) {
		err = front_get_protocol_features(f, &s->offered_protocol);
		if (!err)
			err = front_set_protocol_features(
				f, s->offered_protocol & s->options.protocol);
		if (err)
			return fail_in(s, "protocol features", err);
	}
	if (f->protocol & FRONT_PF_MQ) {
		err = front_get_queue_num(f, &s->max_queues);
		if (err)
			return fail_in(s, "GET_QUEUE_NUM", err);
	}
	err = front_set_owner(f);
	return err ? fail_in(s, "SET_OWNER", err) : FRONT_OK;
}

static int read_config(struct session *s)
{
	uint8_t bytes[BLK_CONFIG_BYTES];
	int err;

	if (!(s->front.protocol & FRONT_PF_CONFIG))
		return session_fail(s, FRONT_REFUSED,
				    "the back end has no CONFIG");
	err = front_get_config(&s->front, 0, bytes, sizeof(bytes));
	if (err)
		return fail_in(s, "GET_CONFIG", err);
	blk_config_parse(&s->config, bytes);
	return FRONT_OK;
}

static int connect_now(struct session *s)
{
	const struct session_options *o = &s->options;
	int err = o->path ? front_connect(&s->front, o->path, o->timeout_ms)
			  : front_adopt(&s->front, o->fd, o->timeout_ms);

	if (err)
		return session_fail(s, err, "%s", s->front.why);
	err = negotiate(s);
	if (!err)
		err = read_config(s);
	if (err)
		front_close(&s->front);
	return err;
}

int session_open(struct session *s, const struct session_options *o)
{
	memset(s, 0, sizeof(*s));
	s->options = *o;
	s->front.fd = s->front.back_fd = -1;
	s->inflight_fd = s->log_fd = -1;
	return connect_now(s);
}

/* The guest has its features and will not negotiate again. */
int session_reconnect(struct session *s)
{
	uint64_t features = s->features;
	int err;

	front_close(&s->front);
	err = connect_now(s);
	if (err)
		return err;
	if (features & ~s->offered)
		return session_fail(
			s, FRONT_REFUSED,
			"features 0x%llx are no longer offered",
			(unsigned long long)(features & ~s->offered));
	s->features = features;
	return FRONT_OK;
}

void session_close(struct session *s)
{
	front_close(&s->front);
	for (unsigned i = 0; s->queue && i < s->options.queues; i++)
		vring_free(&s->queue[i]);
	free(s->queue);
	s->queue = NULL;
	mem_free(&s->mem);
	if (s->log)
		(void)munmap(s->log, s->log_bytes);
	s->log = NULL;
	if (s->log_fd >= 0)
		(void)close(s->log_fd);
	if (s->inflight_fd >= 0)
		(void)close(s->inflight_fd);
	s->log_fd = s->inflight_fd = -1;
}

/* --- starting and stopping ------------------------------------------------ */

int session_set_memory(struct session *s)
{
	struct front_region r[MEM_REGIONS];
	int fd[MEM_REGIONS];
	int err;

	for (unsigned i = 0; i < s->mem.regions; i++) {
		r[i] = s->mem.region[i].at;
		fd[i] = s->mem.region[i].fd;
	}
	err = front_set_mem_table(&s->front, r, fd, s->mem.regions);
	return err ? fail_in(s, "SET_MEM_TABLE", err) : FRONT_OK;
}

/* A ring address is the front end's, or an IOVA. */
static uint64_t ring_addr(const struct session *s, uint64_t addr)
{
	return s->features & VIRTIO_F_ACCESS_PLATFORM
		       ? addr
		       : mem_uva(&s->mem, addr, 1);
}

int session_set_vring_addr(struct session *s, unsigned queue)
{
	const struct vring *q = &s->queue[queue];
	struct front_vring_addr a = { .index = queue,
				      .flags = s->log ? FRONT_VRING_F_LOG : 0,
				      .desc = ring_addr(s, q->part[0].addr),
				      .avail = ring_addr(s, q->part[1].addr),
				      .used = ring_addr(s, q->part[2].addr),
				      .log = s->log ? q->part[2].addr : 0 };
	int err = front_set_vring_addr(&s->front, &a);

	return err ? fail_in(s, "SET_VRING_ADDR", err) : FRONT_OK;
}

static int start_queue(struct session *s, unsigned i)
{
	struct front *f = &s->front;
	struct vring *q = &s->queue[i];
	int err;

	err = front_set_vring_num(f, i, q->size);
	if (!err)
		err = front_set_vring_base(f, i, vring_base(q));
	if (err)
		return fail_in(s, "SET_VRING_NUM or BASE", err);
	err = session_set_vring_addr(s, i);
	if (err)
		return err;
	err = front_set_vring_err(f, i, q->error);
	if (!err)
		err = front_set_vring_kick(f, i, q->kick);
	if (!err)
		err = front_set_vring_call(f, i, q->call);
	return err ? fail_in(s, "SET_VRING_KICK, CALL or ERR", err) : FRONT_OK;
}

static int set_features(struct session *s)
{
	uint64_t bits = s->features | (s->logging ? VHOST_F_LOG_ALL : 0);
	int err = front_set_features(&s->front, bits);

	return err ? fail_in(s, "SET_FEATURES", err) : FRONT_OK;
}

static int announce_log(struct session *s)
{
	int err = front_set_log_base(&s->front, s->log_fd, s->log_bytes, 0);

	return err ? fail_in(s, "SET_LOG_BASE", err) : FRONT_OK;
}

static int start_device(struct session *s)
{
	struct front *f = &s->front;
	int err;

	err = set_features(s);
	if (err)
		return err;
	if (s->inflight_fd >= 0) {
		err = front_set_inflight_fd(f, &s->inflight, s->inflight_fd);
		if (err)
			return fail_in(s, "SET_INFLIGHT_FD", err);
	}
	err = session_set_memory(s);
	return !err && s->logging ? announce_log(s) : err;
}

int session_start_logging(struct session *s)
{
	int err;

	s->logging = true;
	err = announce_log(s);
	if (!err)
		err = set_features(s);
	for (unsigned i = 0; i < s->options.queues && !err; i++)
		err = session_set_vring_addr(s, i);
	return err;
}

int session_start(struct session *s)
{
	unsigned n = s->options.queues;
	int err = start_device(s);

	for (unsigned i = 0; i < n && !err; i++)
		err = start_queue(s, i);
	for (unsigned i = 0; i < n && !err; i++) {
		if (s->features & VHOST_F_PROTOCOL)
			err = front_set_vring_enable(&s->front, i, true);
		if (err)
			return fail_in(s, "SET_VRING_ENABLE", err);
		(void)vring_notify(&s->queue[i]);
	}
	if (!err && (s->front.protocol & FRONT_PF_STATUS)) {
		err = front_set_status(&s->front, VIRTIO_S_ACKNOWLEDGE |
							  VIRTIO_S_DRIVER |
							  VIRTIO_S_FEATURES_OK |
							  VIRTIO_S_DRIVER_OK);
		if (err)
			return fail_in(s, "SET_STATUS", err);
	}
	return err;
}

int session_stop(struct session *s)
{
	unsigned base;
	int err;

	for (unsigned i = 0; i < s->options.queues; i++) {
		const struct vring *q = &s->queue[i];

		err = front_get_vring_base(&s->front, i, &base);
		if (err)
			return fail_in(s, "GET_VRING_BASE", err);
		/* What was taken has been completed: nothing in between. */
		if (base != vring_base(q))
			return session_fail(
				s, FRONT_MALFORMED,
				"queue %u stopped at %#x, its driver at %#x", i,
				base, vring_base(q));
	}
	return FRONT_OK;
}

int session_fresh_inflight(struct session *s)
{
	struct front_inflight io = {
		.queues = (uint16_t)s->options.queues,
		.queue_size = (uint16_t)s->options.ring_size
	};
	int fd, err = front_get_inflight_fd(&s->front, &io, &fd);

	if (err)
		return fail_in(s, "GET_INFLIGHT_FD", err);
	if (s->inflight_fd >= 0)
		(void)close(s->inflight_fd);
	s->inflight_fd = fd;
	s->inflight = io;
	return FRONT_OK;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One call per message. A message that is answered by a number, and one that is
 * answered by nothing or an acknowledgement, are most of them.
 */
#include <assert.h>
#include <string.h>

#include "front_internal.h"

static_assert(sizeof(struct front_region) == 32, "as it is sent");
static_assert(sizeof(struct front_vring_addr) == 40, "as it is sent");
static_assert(sizeof(struct front_inflight) == 24, "as it is sent");
static_assert(sizeof(struct front_iotlb) == 32, "as it is sent");

#define INFLIGHT_BYTES 20u      /* without the padding that some leave out */

struct vring_state {
	uint32_t index, num;
};

struct config {
	uint32_t offset, size, flags;
	uint8_t bytes[FRONT_CONFIG_MAX];
};

#define CONFIG_HEADER 12u

static int take_u64(struct front *f, struct front_message *m, uint64_t *value)
{
	uint32_t size = m->size;

	memcpy(value, m->payload, sizeof(*value));
	front_message_close(m);
	if (size == sizeof(*value))
		return FRONT_OK;
	return front_fail(f, FRONT_MALFORMED,
			  "the reply to %u has %u bytes instead of 8",
			  m->request, size);
}

static int ask_u64(struct front *f, uint32_t request, uint64_t *value)
{
	struct front_message m;
	int err = front_transact(f, request, 0, NULL, 0, NULL, 0, &m);

	return err ? err : take_u64(f, &m, value);
}

static int judge(struct front *f, uint32_t request, struct front_message *m)
{
	uint64_t value;
	int err = take_u64(f, m, &value);

	if (!err && value)
		err = front_fail(f, FRONT_REFUSED,
				 "message %u was answered with %llu", request,
				 (unsigned long long)value);
	return err;
}

int front_command(struct front *f, uint32_t request, const void *payload,
		  size_t size, const int *fd, unsigned fds)
{
	struct front_message m;
	int err;

	if (!f->ask_ack || !(f->protocol & FRONT_PF_REPLY_ACK))
		return front_transact(f, request, 0, payload, size, fd, fds,
				      NULL);
	err = front_transact(f, request, FRONT_NEED_REPLY, payload, size, fd,
			     fds, &m);
	return err ? err : judge(f, request, &m);
}

static int tell_u64(struct front *f, uint32_t request, uint64_t value)
{
	return front_command(f, request, &value, sizeof(value), NULL, 0);
}

static int tell(struct front *f, uint32_t request)
{
	return front_command(f, request, NULL, 0, NULL, 0);
}

/* --- the device ----------------------------------------------------------- */

int front_get_features(struct front *f, uint64_t *bits)
{
	return ask_u64(f, FRONT_GET_FEATURES, bits);
}

int front_set_features(struct front *f, uint64_t bits)
{
	return tell_u64(f, FRONT_SET_FEATURES, bits);
}

int front_get_protocol_features(struct front *f, uint64_t *bits)
{
	return ask_u64(f, FRONT_GET_PROTOCOL_FEATURES, bits);
}

/* No acknowledgement: whether there is such a thing is what this settles. */
int front_set_protocol_features(struct front *f, uint64_t bits)
{
	f->protocol = 0;
	int err = tell_u64(f, FRONT_SET_PROTOCOL_FEATURES, bits);

	if (!err)
		f->protocol = bits;
	return err;
}

int front_set_owner(struct front *f)
{
	return tell(f, FRONT_SET_OWNER);
}

int front_reset_owner(struct front *f)
{
	return tell(f, FRONT_RESET_OWNER);
}

int front_reset_device(struct front *f)
{
	return tell(f, FRONT_RESET_DEVICE);
}

int front_get_queue_num(struct front *f, uint64_t *n)
{
	return ask_u64(f, FRONT_GET_QUEUE_NUM, n);
}

int front_get_status(struct front *f, uint64_t *status)
{
	return ask_u64(f, FRONT_GET_STATUS, status);
}

int front_set_status(struct front *f, uint64_t status)
{
	return tell_u64(f, FRONT_SET_STATUS, status);
}

int front_get_config(struct front *f, uint32_t offset, void *out, uint32_t size)
{
	struct config c = { .offset = offset, .size = size };
	struct front_message m;
	int err;

	if (size > FRONT_CONFIG_MAX)
		return front_fail(f, FRONT_LOCAL, "too much of the config");
	err = front_transact(f, FRONT_GET_CONFIG, 0, &c, CONFIG_HEADER + size,
			     NULL, 0, &m);
	if (err)
		return err;
	front_message_close(&m);
	if (!m.size)
		return front_fail(f, FRONT_REFUSED,
				  "no configuration at %u, %u bytes", offset,
				  size);
	if (m.size != CONFIG_HEADER + size)
		return front_fail(f, FRONT_MALFORMED,
				  "%u bytes of configuration instead of %u",
				  m.size, CONFIG_HEADER + size);
	memcpy(out, m.payload + CONFIG_HEADER, size);
	return FRONT_OK;
}

int front_set_config(struct front *f, uint32_t offset, uint32_t flags,
		     const void *bytes, uint32_t size)
{
	struct config c = { .offset = offset, .size = size, .flags = flags };

	if (size > FRONT_CONFIG_MAX)
		return front_fail(f, FRONT_LOCAL, "too much of the config");
	memcpy(c.bytes, bytes, size);
	return front_command(f, FRONT_SET_CONFIG, &c, CONFIG_HEADER + size,
			     NULL, 0);
}

/* --- memory --------------------------------------------------------------- */

int front_set_mem_table(struct front *f, const struct front_region *r,
			const int *fd, unsigned n)
{
	struct {
		uint32_t regions, padding;
		struct front_region region[FRONT_REGIONS_MAX];
	} table = { .regions = n };

	if (n > FRONT_REGIONS_MAX)
		return front_fail(f, FRONT_LOCAL, "too many regions");
	memcpy(table.region, r, n * sizeof(*r));
	return front_command(f, FRONT_SET_MEM_TABLE, &table, 8 + n * sizeof(*r),
			     fd, n);
}

int front_get_max_mem_slots(struct front *f, uint64_t *n)
{
	return ask_u64(f, FRONT_GET_MAX_MEM_SLOTS, n);
}

static int tell_region(struct front *f, uint32_t request,
		       const struct front_region *r, const int *fd,
		       unsigned fds)
{
	struct {
		uint64_t padding;
		struct front_region region;
	} m = { .region = *r };

	return front_command(f, request, &m, sizeof(m), fd, fds);
}

int front_add_mem_reg(struct front *f, const struct front_region *r, int fd)
{
	return tell_region(f, FRONT_ADD_MEM_REG, r, &fd, 1);
}

int front_rem_mem_reg(struct front *f, const struct front_region *r)
{
	return tell_region(f, FRONT_REM_MEM_REG, r, NULL, 0);
}

/* --- rings ---------------------------------------------------------------- */

static int tell_state(struct front *f, uint32_t request, uint32_t index,
		      uint32_t num)
{
	struct vring_state s = { .index = index, .num = num };

	return front_command(f, request, &s, sizeof(s), NULL, 0);
}

int front_set_vring_num(struct front *f, unsigned queue, unsigned size)
{
	return tell_state(f, FRONT_SET_VRING_NUM, queue, size);
}

int front_set_vring_addr(struct front *f, const struct front_vring_addr *a)
{
	return front_command(f, FRONT_SET_VRING_ADDR, a, sizeof(*a), NULL, 0);
}

int front_set_vring_base(struct front *f, unsigned queue, unsigned base)
{
	return tell_state(f, FRONT_SET_VRING_BASE, queue, base);
}

int front_get_vring_base(struct front *f, unsigned queue, unsigned *base)
{
	struct vring_state s = { .index = queue };
	struct front_message m;
	int err = front_transact(f, FRONT_GET_VRING_BASE, 0, &s, sizeof(s),
				 NULL, 0, &m);

	if (err)
		return err;
	front_message_close(&m);
	memcpy(&s, m.payload, sizeof(s));
	if (m.size != sizeof(s) || s.index != queue)
		return front_fail(f, FRONT_MALFORMED,
				  "GET_VRING_BASE of %u: %u bytes, index %u",
				  queue, m.size, s.index);
	*base = s.num;
	return FRONT_OK;
}

int front_set_vring_enable(struct front *f, unsigned queue, bool on)
{
	return tell_state(f, FRONT_SET_VRING_ENABLE, queue, on);
}

int front_set_vring_endian(struct front *f, unsigned queue, bool big)
{
	return tell_state(f, FRONT_SET_VRING_ENDIAN, queue, big);
}

int front_vring_kick(struct front *f, unsigned queue)
{
	return tell_state(f, FRONT_VRING_KICK, queue, 0);
}

static int tell_file(struct front *f, uint32_t request, unsigned queue, int fd)
{
	uint64_t word = queue | (fd < 0 ? FRONT_NO_FD : 0u);

	return front_command(f, request, &word, sizeof(word), &fd, fd >= 0);
}

int front_set_vring_kick(struct front *f, unsigned queue, int fd)
{
	return tell_file(f, FRONT_SET_VRING_KICK, queue, fd);
}

int front_set_vring_call(struct front *f, unsigned queue, int fd)
{
	return tell_file(f, FRONT_SET_VRING_CALL, queue, fd);
}

int front_set_vring_err(struct front *f, unsigned queue, int fd)
{
	return tell_file(f, FRONT_SET_VRING_ERR, queue, fd);
}

/* --- what outlives the back end ------------------------------------------- */

/* It always has a reply, whose payload back ends disagree on. */
int front_set_log_base(struct front *f, int fd, uint64_t size, uint64_t offset)
{
	uint64_t log[2] = { size, offset };
	struct front_message m;
	int err = front_transact(f, FRONT_SET_LOG_BASE, 0, log, sizeof(log),
				 &fd, 1, &m);

	if (!err)
		front_message_close(&m);
	return err;
}

int front_set_log_fd(struct front *f, int fd)
{
	return front_command(f, FRONT_SET_LOG_FD, NULL, 0, &fd, 1);
}

int front_get_inflight_fd(struct front *f, struct front_inflight *io, int *fd)
{
	struct front_message m;
	int err = front_transact(f, FRONT_GET_INFLIGHT_FD, 0, io, sizeof(*io),
				 NULL, 0, &m);

	if (err)
		return err;
	if (m.fds == 1 && (m.size == INFLIGHT_BYTES || m.size == sizeof(*io))) {
		memset(io, 0, sizeof(*io));
		memcpy(io, m.payload, m.size);
		*fd = m.fd[0];
		return FRONT_OK;
	}
	front_message_close(&m);
	return front_fail(f, FRONT_MALFORMED,
			  "GET_INFLIGHT_FD: %u bytes and %u descriptors",
			  m.size, m.fds);
}

int front_set_inflight_fd(struct front *f, const struct front_inflight *in,
			  int fd)
{
	return front_command(f, FRONT_SET_INFLIGHT_FD, in, sizeof(*in), &fd, 1);
}

/* It has a reply of its own; some back ends send it only if asked to. */
int front_iotlb(struct front *f, const struct front_iotlb *in)
{
	struct front_message m;
	int err = front_transact(f, FRONT_IOTLB_MSG, FRONT_NEED_REPLY, in,
				 sizeof(*in), NULL, 0, &m);

	return err ? err : judge(f, FRONT_IOTLB_MSG, &m);
}

/* --- migration and other devices ------------------------------------------ */

int front_postcopy_advise(struct front *f, int *fd)
{
	struct front_message m;
	int err = front_transact(f, FRONT_POSTCOPY_ADVISE, 0, NULL, 0, NULL, 0,
				 &m);

	if (err)
		return err;
	if (m.fds == 1) {
		*fd = m.fd[0];
		return FRONT_OK;
	}
	front_message_close(&m);
	return front_fail(f, FRONT_REFUSED, "POSTCOPY_ADVISE: no descriptor");
}

int front_postcopy_listen(struct front *f)
{
	return tell(f, FRONT_POSTCOPY_LISTEN);
}

int front_postcopy_end(struct front *f)
{
	struct front_message m;
	int err = front_transact(f, FRONT_POSTCOPY_END, 0, NULL, 0, NULL, 0,
				 &m);

	return err ? err : judge(f, FRONT_POSTCOPY_END, &m);
}

int front_set_device_state_fd(struct front *f, bool load, int fd,
			      uint64_t *answer)
{
	uint32_t transfer[2] = { load, 0 };     /* phase 0: suspended */
	struct front_message m;
	int err = front_transact(f, FRONT_SET_DEVICE_STATE_FD, 0, transfer,
				 sizeof(transfer), &fd, 1, &m);

	return err ? err : take_u64(f, &m, answer);
}

int front_check_device_state(struct front *f, uint64_t *answer)
{
	return ask_u64(f, FRONT_CHECK_DEVICE_STATE, answer);
}

int front_send_rarp(struct front *f, uint64_t value)
{
	return tell_u64(f, FRONT_SEND_RARP, value);
}

int front_net_set_mtu(struct front *f, uint64_t value)
{
	return tell_u64(f, FRONT_NET_SET_MTU, value);
}

int front_close_crypto_session(struct front *f, uint64_t value)
{
	return tell_u64(f, FRONT_CLOSE_CRYPTO_SESSION, value);
}

int front_gpu_set_socket(struct front *f, int fd)
{
	return front_command(f, FRONT_GPU_SET_SOCKET, NULL, 0, &fd, 1);
}

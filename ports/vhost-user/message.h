/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The vhost-user protocol on the wire, as far as a block device speaks it. All
 * integers are in the host's byte order: both ends share the machine.
 */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <stdint.h>

enum request {                  /* front end to back end */
	GET_FEATURES          = 1,
	SET_FEATURES          = 2,
	SET_OWNER             = 3,
	RESET_OWNER           = 4,
	SET_MEM_TABLE         = 5,
	SET_LOG_BASE          = 6,
	SET_VRING_NUM         = 8,
	SET_VRING_ADDR        = 9,
	SET_VRING_BASE        = 10,
	GET_VRING_BASE        = 11,
	SET_VRING_KICK        = 12,
	SET_VRING_CALL        = 13,
	SET_VRING_ERR         = 14,
	GET_PROTOCOL_FEATURES = 15,
	SET_PROTOCOL_FEATURES = 16,
	GET_QUEUE_NUM         = 17,
	SET_VRING_ENABLE      = 18,
	SET_BACKEND_REQ_FD    = 21,
	IOTLB_MSG             = 22,
	GET_CONFIG            = 24,
	SET_CONFIG            = 25,
	GET_INFLIGHT_FD       = 31,
	SET_INFLIGHT_FD       = 32,
	RESET_DEVICE          = 34,
	GET_MAX_MEM_SLOTS     = 36,
	ADD_MEM_REG           = 37,
	REM_MEM_REG           = 38,
	SET_STATUS            = 39,
	GET_STATUS            = 40,
	REQUESTS              = 41
};

enum backend_request {          /* back end to front end */
	BACKEND_IOTLB         = 1,
	BACKEND_CONFIG_CHANGE = 2
};

/* Header flags */
#define MSG_VERSION      1u
#define MSG_VERSION_MASK 3u
#define MSG_REPLY        4u
#define MSG_NEED_REPLY   8u

/* Features beside virtio's, in the same 64 bits */
#define VHOST_F_LOG_ALL                (UINT64_C(1) << 26)
#define VHOST_USER_F_PROTOCOL_FEATURES (UINT64_C(1) << 30)

/* Protocol features */
#define PROTOCOL_MQ             (UINT64_C(1) << 0)
#define PROTOCOL_LOG_SHMFD      (UINT64_C(1) << 1)
#define PROTOCOL_REPLY_ACK      (UINT64_C(1) << 3)
#define PROTOCOL_BACKEND_REQ    (UINT64_C(1) << 5)
#define PROTOCOL_CONFIG         (UINT64_C(1) << 9)
#define PROTOCOL_INFLIGHT_SHMFD (UINT64_C(1) << 12)
#define PROTOCOL_RESET_DEVICE   (UINT64_C(1) << 13)
#define PROTOCOL_MEM_SLOTS      (UINT64_C(1) << 15)
#define PROTOCOL_STATUS         (UINT64_C(1) << 16)

#define MESSAGE_FDS     8u      /* descriptors with one message */
#define TABLE_REGIONS   8u      /* of SET_MEM_TABLE */
#define MEMORY_SLOTS    509u    /* with ADD_MEM_REG */
#define CONFIG_BYTES    256u    /* of GET_CONFIG and SET_CONFIG */
#define NO_FD           0x100u  /* in SET_VRING_KICK, _CALL, _ERR */
#define VRING_INDEX     0xffu

struct header { uint32_t request, flags, size; };

struct msg_vring_state { uint32_t index, num; };

#define VRING_F_LOG 1u
struct msg_vring_addr {
	uint32_t index, flags;
	uint64_t desc, used, avail, log;
};

struct msg_region { uint64_t gpa, size, user, offset; };
struct msg_table {
	uint32_t n, padding;
	struct msg_region region[TABLE_REGIONS];
};
struct msg_slot { uint64_t padding; struct msg_region region; };

struct msg_log { uint64_t size, offset; };

#define CONFIG_HEAD 12u
struct msg_config {
	uint32_t offset, size, flags;
	uint8_t  payload[CONFIG_BYTES];
};

struct msg_inflight {
	uint64_t size, offset;
	uint16_t num_queues, queue_size;
	uint32_t padding;
};
#define INFLIGHT_BYTES 20u      /* on the wire; both lengths are in use */

enum iotlb_type { IOTLB_MISS = 1, IOTLB_UPDATE, IOTLB_INVALIDATE, IOTLB_FAIL };
struct msg_iotlb {
	uint64_t iova, size, user;
	uint8_t  perm;          /* 1: read, 2: write */
	uint8_t  type;
	uint8_t  padding[6];
};

union payload {
	uint64_t u64;
	struct msg_vring_state state;
	struct msg_vring_addr  addr;
	struct msg_table       table;
	struct msg_slot        slot;
	struct msg_log         log;
	struct msg_config      config;
	struct msg_inflight    inflight;
	struct msg_iotlb       iotlb;
};

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The front end of vhost-user: the side of the protocol that a virtual machine
 * monitor has. Written from the protocol's specification (QEMU's
 * docs/interop/vhost-user.rst), for programs that test or load a back end.
 *
 * Every message has a typed call, which sends what the specification asks for
 * and judges the reply. front_send_raw sends any bytes with any descriptors,
 * for what the typed calls refuse to say: wrong sizes, half a message, missing
 * descriptors. Nothing here checks that a message is legal at the time it is
 * sent; that is the caller's business, and so is its absence.
 *
 * A back end is not trusted: it may hang, close, or answer nonsense, and each
 * of these is an error that is returned, after timeout_ms at the latest.
 *
 * Errors are one of enum front_error, with a sentence in front.why.
 *
 * Threads: calls on one front end may come from several threads; a message and
 * its reply are one transaction. The back-end channel (front_back_*) has one
 * reader at a time. Messages are in the byte order of the machine.
 */
#ifndef FRONT_H
#define FRONT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRONT_HEADER      12u   /* bytes: request, flags, size */
#define FRONT_PAYLOAD_MAX 4096u /* of a reply; none is as long */
#define FRONT_FDS_MAX     32u   /* sent or received with one message */
#define FRONT_REGIONS_MAX 8u    /* in one SET_MEM_TABLE */
#define FRONT_CONFIG_MAX  256u  /* bytes in one GET_CONFIG */
#define FRONT_WHY         160u
#define FRONT_LOG_PAGE    4096u /* bytes that a bit of the dirty log covers */

enum front_error {
	FRONT_OK = 0,
	FRONT_TIMEOUT = -1,     /* no answer in time */
	FRONT_CLOSED = -2,      /* the back end closed the connection */
	FRONT_REFUSED = -3,     /* it answered that it could not */
	FRONT_MALFORMED = -4,   /* it answered something else */
	FRONT_LOCAL = -5        /* a system call failed here */
};

enum front_request {
	FRONT_GET_FEATURES = 1,
	FRONT_SET_FEATURES = 2,
	FRONT_SET_OWNER = 3,
	FRONT_RESET_OWNER = 4,
	FRONT_SET_MEM_TABLE = 5,
	FRONT_SET_LOG_BASE = 6,
	FRONT_SET_LOG_FD = 7,
	FRONT_SET_VRING_NUM = 8,
	FRONT_SET_VRING_ADDR = 9,
	FRONT_SET_VRING_BASE = 10,
	FRONT_GET_VRING_BASE = 11,
	FRONT_SET_VRING_KICK = 12,
	FRONT_SET_VRING_CALL = 13,
	FRONT_SET_VRING_ERR = 14,
	FRONT_GET_PROTOCOL_FEATURES = 15,
	FRONT_SET_PROTOCOL_FEATURES = 16,
	FRONT_GET_QUEUE_NUM = 17,
	FRONT_SET_VRING_ENABLE = 18,
	FRONT_SEND_RARP = 19,
	FRONT_NET_SET_MTU = 20,
	FRONT_SET_BACKEND_REQ_FD = 21,
	FRONT_IOTLB_MSG = 22,
	FRONT_SET_VRING_ENDIAN = 23,
	FRONT_GET_CONFIG = 24,
	FRONT_SET_CONFIG = 25,
	FRONT_CREATE_CRYPTO_SESSION = 26,
	FRONT_CLOSE_CRYPTO_SESSION = 27,
	FRONT_POSTCOPY_ADVISE = 28,
	FRONT_POSTCOPY_LISTEN = 29,
	FRONT_POSTCOPY_END = 30,
	FRONT_GET_INFLIGHT_FD = 31,
	FRONT_SET_INFLIGHT_FD = 32,
	FRONT_GPU_SET_SOCKET = 33,
	FRONT_RESET_DEVICE = 34,
	FRONT_VRING_KICK = 35,
	FRONT_GET_MAX_MEM_SLOTS = 36,
	FRONT_ADD_MEM_REG = 37,
	FRONT_REM_MEM_REG = 38,
	FRONT_SET_STATUS = 39,
	FRONT_GET_STATUS = 40,
	FRONT_GET_SHARED_OBJECT = 41,
	FRONT_SET_DEVICE_STATE_FD = 42,
	FRONT_CHECK_DEVICE_STATE = 43,
	FRONT_GET_SHMEM_CONFIG = 44
};

enum front_back_request {       /* from the back end, on its own channel */
	FRONT_BACK_IOTLB_MSG = 1,
	FRONT_BACK_CONFIG_CHANGE = 2,
	FRONT_BACK_HOST_NOTIFIER = 3,
	FRONT_BACK_VRING_CALL = 4,
	FRONT_BACK_VRING_ERR = 5
};

#define FRONT_VERSION    1u     /* of the flags word */
#define FRONT_REPLY      4u
#define FRONT_NEED_REPLY 8u

#define FRONT_PF_MQ                  (UINT64_C(1) << 0)
#define FRONT_PF_LOG_SHMFD           (UINT64_C(1) << 1)
#define FRONT_PF_REPLY_ACK           (UINT64_C(1) << 3)
#define FRONT_PF_BACKEND_REQ         (UINT64_C(1) << 5)
#define FRONT_PF_CONFIG              (UINT64_C(1) << 9)
#define FRONT_PF_BACKEND_SEND_FD     (UINT64_C(1) << 10)
#define FRONT_PF_INFLIGHT_SHMFD      (UINT64_C(1) << 12)
#define FRONT_PF_RESET_DEVICE        (UINT64_C(1) << 13)
#define FRONT_PF_INBAND              (UINT64_C(1) << 14)
#define FRONT_PF_CONFIGURE_MEM_SLOTS (UINT64_C(1) << 15)
#define FRONT_PF_STATUS              (UINT64_C(1) << 16)
#define FRONT_PF_DEVICE_STATE        (UINT64_C(1) << 19)

#define FRONT_VRING_F_LOG     1u        /* flags of SET_VRING_ADDR */
#define FRONT_NO_FD           0x100u    /* in the word of SET_VRING_KICK... */
#define FRONT_CONFIG_WRITABLE 0u        /* flags of SET_CONFIG */
#define FRONT_CONFIG_MIGRATE  1u

struct front {
	int fd;                 /* -1: not connected */
	int back_fd;            /* our end of the back-end channel, or -1 */
	unsigned timeout_ms;    /* for a reply, and for room to send */
	uint64_t protocol;      /* what SET_PROTOCOL_FEATURES said last */
	bool ask_ack;           /* ask for an acknowledgement of what has no
				 * reply, if REPLY_ACK was negotiated */
	char why[FRONT_WHY];
	pthread_mutex_t lock;
};

struct front_message {
	uint32_t request, flags, size;
	uint8_t payload[FRONT_PAYLOAD_MAX];
	int fd[FRONT_FDS_MAX];  /* the receiver's to close */
	unsigned fds;
};

struct front_region {           /* also as it is sent */
	uint64_t gpa;           /* guest address */
	uint64_t size;
	uint64_t uva;           /* front end's address */
	uint64_t offset;        /* of the first byte, in the descriptor */
};

struct front_vring_addr {       /* also as it is sent */
	uint32_t index, flags;
	uint64_t desc, used, avail;
	uint64_t log;           /* guest address of used, for the log */
};

struct front_inflight {         /* also as it is sent, padding and all */
	uint64_t size, offset;
	uint16_t queues, queue_size;
	uint8_t unused[4];
};

#define FRONT_IOTLB_READ  1u    /* permissions */
#define FRONT_IOTLB_WRITE 2u
#define FRONT_IOTLB_MISS       1u
#define FRONT_IOTLB_UPDATE     2u
#define FRONT_IOTLB_INVALIDATE 3u
#define FRONT_IOTLB_FAIL       4u

struct front_iotlb {            /* also as it is sent */
	uint64_t iova, size, uva;
	uint8_t permission, type;
	uint8_t unused[6];
};

const char *front_error_name(int error);

/* --- connection ----------------------------------------------------------- */

/* timeout_ms: f's; one attempt. On an error f is closed. */
int front_connect(struct front *f, const char *path, unsigned timeout_ms);

/* The connected socket becomes f's. */
int front_adopt(struct front *f, int fd, unsigned timeout_ms);

/* Closes what is open; f may be connected again. */
void front_close(struct front *f);

/* --- any message ---------------------------------------------------------- */

/*
 * n bytes, whatever they are, with fds descriptors beside the first of them,
 * which stay the caller's. FRONT_CLOSED if the other side has gone.
 */
int front_send_raw(struct front *f, const void *bytes, size_t n, const int *fd,
		   unsigned fds);

/* The next message, whatever it is. Close its descriptors. */
int front_receive(struct front *f, struct front_message *m);
void front_message_close(struct front_message *m);

/*
 * A well-formed header and the payload, as one transaction. reply, if not NULL,
 * takes the reply, of which the header is checked and nothing else.
 */
int front_transact(struct front *f, uint32_t request, uint32_t flags,
		   const void *payload, size_t size, const int *fd,
		   unsigned fds, struct front_message *reply);

/*
 * A message without a reply of its own. With REPLY_ACK and ask_ack it asks for
 * an acknowledgement: FRONT_REFUSED unless that is zero.
 */
int front_command(struct front *f, uint32_t request, const void *payload,
		  size_t size, const int *fd, unsigned fds);

/* True once the other side has closed; waits at most ms. */
bool front_closed_within(struct front *f, unsigned ms);

/* --- one call per message ------------------------------------------------- */

int front_get_features(struct front *f, uint64_t *bits);
int front_set_features(struct front *f, uint64_t bits);
int front_get_protocol_features(struct front *f, uint64_t *bits);
int front_set_protocol_features(struct front *f, uint64_t bits);
int front_set_owner(struct front *f);
int front_reset_owner(struct front *f);
int front_reset_device(struct front *f);
int front_get_queue_num(struct front *f, uint64_t *n);
int front_get_status(struct front *f, uint64_t *status);
int front_set_status(struct front *f, uint64_t status);

/* size bytes at offset. FRONT_REFUSED: the back end has no such bytes. */
int front_get_config(struct front *f, uint32_t offset, void *out,
		     uint32_t size);
int front_set_config(struct front *f, uint32_t offset, uint32_t flags,
		     const void *bytes, uint32_t size);

/* fd[i] is the memory of r[i]; n up to FRONT_REGIONS_MAX. */
int front_set_mem_table(struct front *f, const struct front_region *r,
			const int *fd, unsigned n);
int front_get_max_mem_slots(struct front *f, uint64_t *n);
int front_add_mem_reg(struct front *f, const struct front_region *r, int fd);
int front_rem_mem_reg(struct front *f, const struct front_region *r);

int front_set_vring_num(struct front *f, unsigned queue, unsigned size);
int front_set_vring_addr(struct front *f, const struct front_vring_addr *a);

/* base: an index; of a packed ring avail's position, and used's << 16. */
int front_set_vring_base(struct front *f, unsigned queue, unsigned base);
int front_get_vring_base(struct front *f, unsigned queue, unsigned *base);
int front_set_vring_enable(struct front *f, unsigned queue, bool on);
int front_set_vring_endian(struct front *f, unsigned queue, bool big);
int front_vring_kick(struct front *f, unsigned queue);  /* in-band */

/* fd -1: no descriptor, and said so. */
int front_set_vring_kick(struct front *f, unsigned queue, int fd);
int front_set_vring_call(struct front *f, unsigned queue, int fd);
int front_set_vring_err(struct front *f, unsigned queue, int fd);

/* With LOG_SHMFD: the log is size bytes at offset of fd. */
int front_set_log_base(struct front *f, int fd, uint64_t size,
		       uint64_t offset);
int front_set_log_fd(struct front *f, int fd);

/* *io says queues and queue_size; the rest and *fd, the caller's, come back. */
int front_get_inflight_fd(struct front *f, struct front_inflight *io, int *fd);
int front_set_inflight_fd(struct front *f, const struct front_inflight *in,
			  int fd);

/* UPDATE or INVALIDATE. FRONT_REFUSED: it could not. */
int front_iotlb(struct front *f, const struct front_iotlb *m);

/* Migration, other devices: for completeness and for back ends that must say
 * no to them. value: as the message's payload. */
int front_postcopy_advise(struct front *f, int *fd);
int front_postcopy_listen(struct front *f);
int front_postcopy_end(struct front *f);
int front_set_device_state_fd(struct front *f, bool load, int fd,
			      uint64_t *answer);
int front_check_device_state(struct front *f, uint64_t *answer);
int front_send_rarp(struct front *f, uint64_t value);
int front_net_set_mtu(struct front *f, uint64_t value);
int front_close_crypto_session(struct front *f, uint64_t value);
int front_gpu_set_socket(struct front *f, int fd);

/* --- the back-end channel ------------------------------------------------- */

/* Makes the channel and hands its other end over (SET_BACKEND_REQ_FD). */
int front_back_open(struct front *f);

/*
 * The next request of the back end, within ms; FRONT_TIMEOUT: none. Answer it
 * if its flags have FRONT_NEED_REPLY.
 */
int front_back_receive(struct front *f, struct front_message *m, unsigned ms);
int front_back_answer(struct front *f, const struct front_message *m,
		      uint64_t value);

#endif

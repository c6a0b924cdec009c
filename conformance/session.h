/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtual machine with one disk, as far as a back end can tell: connection,
 * guest memory, queues. It can stop and start its queues, and connect again to
 * another process that serves the same memory and rings.
 *
 * Guest memory has a region for each use, far apart (see session.c):
 * MEM_DRIVER, that only the driver writes (descriptors of split rings,
 * available rings, headers, data to write); MEM_DEVICE, that the device writes
 * too (used rings, packed rings, data read, status bytes); MEM_SPARE, that no
 * request mentions.
 *
 * Addresses in descriptors come from session_addr. They are guest addresses or,
 * if ACCESS_PLATFORM was negotiated, I/O virtual addresses.
 */
#ifndef SESSION_H
#define SESSION_H

#include "front.h"
#include "memory.h"
#include "vring.h"

#define SESSION_QUEUES_MAX 256u
#define SESSION_TABLE      40u  /* descriptors in an indirect table */
#define SESSION_IOVA       (UINT64_C(1) << 45) /* iova - guest address */
#define SESSION_WHY        256u

enum { MEM_DRIVER, MEM_DEVICE, MEM_SPARE };

struct session_options {
	const char *path;       /* of the socket, or NULL and then */
	int fd;                 /* a connected socket */
	unsigned timeout_ms;
	uint64_t features;      /* those of the offered to accept */
	uint64_t protocol;
	unsigned queues;
	unsigned ring_size;
	unsigned slots;         /* requests that the memory shall have room for,
				 * all queues together */
	uint32_t slot_bytes;    /* of data, each */
};

struct session {
	struct session_options options;
	struct front front;
	uint64_t offered, offered_protocol;
	uint64_t features;      /* accepted */
	uint64_t max_queues;    /* 0: the back end does not say */
	struct blk_config config;
	struct mem mem;
	struct vring *queue;    /* options.queues of them, once made */
	int inflight_fd;        /* -1: none */
	struct front_inflight inflight;
	int log_fd;             /* -1: none */
	uint8_t *log;
	uint64_t log_bytes;
	bool logging;           /* session_start asks for it */
	char why[SESSION_WHY];
};

/* What a driver of this kind understands. */
uint64_t session_all_features(void);
uint64_t session_all_protocol(void);

/*
 * Each returns 0, or one of enum front_error with s->why. After an error of
 * session_open nothing is open; after others, session_close.
 */
int session_open(struct session *s, const struct session_options *o);

/* Guest memory and queues; no message is sent. */
int session_make(struct session *s);

/*
 * SET_FEATURES, the in-flight log and the dirty log if there are any, memory,
 * rings, and a kick for each. Rings go on where used_idx says, which is all a
 * monitor knows of a back end that died.
 */
int session_start(struct session *s);

/* GET_VRING_BASE for each queue; the bases are checked against the rings. */
int session_stop(struct session *s);

/* GET_INFLIGHT_FD; a log that was there is dropped. */
int session_fresh_inflight(struct session *s);

/* A connection instead of the one that was lost; then session_start. */
int session_reconnect(struct session *s);

/*
 * A dirty log of all guest memory; session_start announces it while s->logging.
 * session_start_logging does so while the queues run.
 */
int session_make_log(struct session *s);
int session_start_logging(struct session *s);

/*
 * One request on a queue that nobody else uses, and the wait for it; *status:
 * the byte that came. memory: header, at SESSION_DATA the data, and one byte
 * after them the status, all of which the device sees at memory->addr.
 */
#define SESSION_DATA 512u
int session_request(struct session *s, unsigned queue, uint32_t type,
		    uint64_t sector, const struct vring_part *memory,
		    uint32_t bytes, uint8_t *status);

void session_close(struct session *s);

/* The memory table as it is now. */
int session_set_memory(struct session *s);
int session_set_vring_addr(struct session *s, unsigned queue);

/* gpa as a descriptor shall have it. */
uint64_t session_addr(const struct session *s, uint64_t gpa);

/* Guest memory of a region, zeroed; false: it is full. */
bool session_take(struct session *s, unsigned region, uint64_t bytes,
		  uint64_t align, struct vring_part *out);

/* Configuration space as it came, to host byte order. */
void blk_config_parse(struct blk_config *c, const uint8_t *bytes);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A front end and a guest that break every rule, and the judge of what the back
 * end makes of it. The rule of all tests: whatever was done on a connection,
 * the next one is served, with a write that reads back, within the timeout; and
 * no descriptor has been left behind.
 *
 * A connection of a test (hostile_open, hostile_run) has up to HOSTILE_QUEUES
 * queues. The hostile guest has queue 0, its rings in a region of their own
 * (MEM_RINGS) and its headers, data and status bytes in another (MEM_ARENA), so
 * that they can be taken away; the others are a well-behaved guest's, whose
 * load (hostile_load) must not notice anything. The two share no sector.
 *
 * A test notes its first failure and goes on as it sees fit. The back end is
 * blamed, never this program: a system call that fails here ends it.
 */
#ifndef CLIENT_HOSTILE_H
#define CLIENT_HOSTILE_H

#include "client.h"
#include "util.h"

#define HOSTILE_QUEUES 4u
#define HOSTILE_RING   64u      /* entries of each queue */
#define HOSTILE_WHY    512u
#define HOSTILE_FDS    253u     /* SCM_MAX_FD of the kernel */

#define MEM_RINGS       3u      /* beside those of session.h */
#define MEM_ARENA       4u
#define ARENA_BYTES     (UINT64_C(4) << 20)
#define ARENA_HEADERS   0u              /* where things are in it */
#define ARENA_TABLES    (64u << 10)     /* indirect ones */
#define ARENA_STATUS    (512u << 10)
#define ARENA_DATA      (1u << 20)
#define ARENA_FILL      0xeeu           /* no header, no extent */

/* Guest memory where there is none. */
#define NOWHERE UINT64_C(0x700000000000)

struct hostile;

struct hostile_test {
	const char *name;
	void (*run)(struct hostile *h);
};

struct hostile {
	struct client_options *o;
	struct rng rng;
	struct process process; /* of -- COMMAND */
	int pid;                /* 0: not known */
	unsigned fds;           /* that it has between connections */
	unsigned queues;        /* to use */
	uint64_t offered, offered_protocol;
	uint64_t capacity;
	uint64_t acts;          /* connections that were misused */
	unsigned deaths;
	unsigned timeout_ms;

	/* this test's */
	const struct hostile_test *test;
	uint64_t without;       /* features that it does not accept */
	bool bad;
	char why[HOSTILE_WHY];
	struct session s;
	bool open;
	struct load *load;
	uint16_t next;          /* descriptor of queue 0 */
};

extern const struct hostile_test hostile_frame[], hostile_order[],
	hostile_fds[], hostile_own[], hostile_memory[], hostile_shrink[],
	hostile_log[], hostile_ring[], hostile_load_tests[], hostile_race[],
	hostile_mix[];

/* Made from a list of chains, once. */
#define HOSTILE_CHAINS 100u
extern struct hostile_test hostile_chain[];
void hostile_list_chains(void);

/* --- verdicts ------------------------------------------------------------- */

/* The first counts. Always false. */
bool hostile_fail(struct hostile *h, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* hostile_fail unless good. Returns good. */
bool hostile_check(struct hostile *h, bool good, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* A local failure: no test can go on. */
void hostile_stop(const char *what) __attribute__((noreturn));

/* --- connections ---------------------------------------------------------- */

/* A connected socket, or -1: nobody accepts in time. */
int hostile_connect(struct hostile *h);

/* Connected and negotiated, nothing more. protocol: features to accept. */
bool hostile_open(struct hostile *h);
bool hostile_open_with(struct hostile *h, uint64_t protocol);

/* And memory, queues, back-end channel, DRIVER_OK. */
bool hostile_run(struct hostile *h);

/* hostile_run in two steps, for who wants to change something in between. */
bool hostile_make(struct hostile *h);
bool hostile_start(struct hostile *h);

/* Load on the queues beside 0, if there are any; and the judgement of it. */
bool hostile_load(struct hostile *h);
void hostile_unload(struct hostile *h);

void hostile_close(struct hostile *h);

/*
 * Ends the connection; then the next one must be served, and all descriptors
 * be closed. what: for the report.
 */
bool hostile_over(struct hostile *h, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* --- messages ------------------------------------------------------------- */

enum hostile_answer {
	ANSWER_NONE,            /* in time */
	ANSWER_CLOSED,
	ANSWER_ACK,             /* 8 bytes of zero */
	ANSWER_NAK,             /* 8 other bytes */
	ANSWER_OTHER            /* another reply to this request */
};

struct hostile_message {
	uint32_t request, flags, size; /* as the header has them */
	uint8_t payload[FRONT_PAYLOAD_MAX];
	size_t bytes;           /* of payload */
	int fd[HOSTILE_FDS];
	unsigned fds;
};

/* bytes in pieces of at most piece; descriptors with the first. False: closed.
 */
bool hostile_send(struct hostile *h, const void *bytes, size_t n, size_t piece,
		  const int *fd, unsigned fds);
bool hostile_send_message(struct hostile *h, const struct hostile_message *m);

/* The next reply, which must be to this request. */
enum hostile_answer hostile_answer(struct hostile *h, uint32_t request);
const char *hostile_answer_name(enum hostile_answer a);

/* GET_FEATURES is answered on this connection. */
bool hostile_talks(struct hostile *h);

/*
 * The message must be refused: with an acknowledgement that says so, if one is
 * asked for, after which the connection goes on; else by the connection's end.
 * Opens connections for it if there is none; the last one is left open.
 */
bool hostile_refused(struct hostile *h, struct hostile_message *m,
		     const char *what);

/* The same, of the end of the connection only. */
bool hostile_closes(struct hostile *h, struct hostile_message *m,
		    const char *what);

/* Any of NAK and closed will do, with NEED_REPLY. */
bool hostile_refused_or_closed(struct hostile *h, struct hostile_message *m,
			       const char *what);

/* A well-formed message of this request, to be spoilt. No descriptor of it is
 * to be closed. False: no such request is known to us. */
bool hostile_valid(struct hostile *h, uint32_t request,
		   struct hostile_message *m);

/* The protocol feature that a request takes; 0: none. */
uint64_t hostile_needs(uint32_t request);

void hostile_put(struct hostile_message *m, uint32_t request,
		 const void *payload, size_t bytes);

/* Payload of SET_VRING_NUM and the like. */
void hostile_put_state(struct hostile_message *m, uint32_t request,
		       uint32_t index, uint32_t num);

/* Some memory, for descriptors that must be one. */
int hostile_memfd(uint64_t bytes);

/* --- the hostile guest ---------------------------------------------------- */

struct vring *guest_queue(struct hostile *h);
uint64_t guest_addr(const struct hostile *h, uint64_t in_arena);
void *guest_host(const struct hostile *h, uint64_t in_arena);

/* A header in its slot (from 0) of the arena; its address. */
uint64_t guest_header(struct hostile *h, unsigned slot, uint32_t type,
		      uint64_t sector);

/* A sector that the load does not use. */
uint64_t guest_sector(const struct hostile *h);

/* n descriptors from the next one, linked unless flags say otherwise. */
uint16_t guest_put(struct hostile *h, const struct virtio_desc *d, unsigned n);
void guest_offer(struct hostile *h, uint16_t head);

enum guest_end {
	GUEST_DONE = 1,         /* a completion */
	GUEST_FAULT = 2,        /* the error descriptor */
	GUEST_SILENT = 4,
	GUEST_ODD = 8           /* a completion that makes no sense */
};

/* The next of these, within the timeout. */
enum guest_end guest_wait(struct hostile *h, struct vring_used *u);

/* Queue 0 serves a write and reads it back. */
bool guest_served(struct hostile *h, const char *after);

/*
 * Queue 0 must have faulted: its error descriptor, NEEDS_RESET, a
 * CONFIG_CHANGE, and no more completions.
 */
bool guest_faulted(struct hostile *h, const char *after);

/* NEEDS_RESET was reported by all means there are. */
bool guest_told(struct hostile *h, const char *after);

/* GET_VRING_BASE, and queue 0 from the start with empty rings. */
bool guest_restart(struct hostile *h);

/* A queue's messages, from NUM to ENABLE; GET_VRING_BASE was before. */
bool guest_start_queue(struct hostile *h, unsigned queue, unsigned base);

/* Requests on queue 0, and then a fault, so that all its events are used. */
void hostile_use_events(struct hostile *h);

/* SIGBUS in rings and arena is survived here, too. */
void guest_guard(const struct hostile *h);

#endif

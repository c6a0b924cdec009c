/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes that are no message, or one that nobody would send. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client_hostile.h"

#define REQUESTS  64u           /* numbers to try */
#define FLOOD     (UINT64_C(4) << 20)
#define PIPELINED 200u

/* --- cut off -------------------------------------------------------------- */

static void send_part(struct hostile *h, const struct hostile_message *m,
		      size_t n)
{
	uint8_t bytes[FRONT_HEADER + sizeof(m->payload)];
	const uint32_t header[3] = { m->request, m->flags, m->size };

	memcpy(bytes, header, sizeof(header));
	memcpy(bytes + sizeof(header), m->payload, m->bytes);
	(void)hostile_send(h, bytes, n, SIZE_MAX, m->fd, m->fds);
}

static void cut(struct hostile *h)
{
	struct hostile_message m;

	for (uint32_t r = 0; r < REQUESTS && !h->bad; r++) {
		if (!hostile_open(h) || !hostile_valid(h, r, &m))
			continue;
		const size_t length[] = { 1, FRONT_HEADER - 1, FRONT_HEADER,
					  FRONT_HEADER + m.bytes / 2,
					  FRONT_HEADER + m.bytes - 1 };

		for (unsigned i = 0; i < 5; i++) {
			if (length[i] >= FRONT_HEADER + m.bytes ||
			    (i && length[i] <= length[i - 1]) ||
			    (!h->open && !hostile_open(h)))
				continue;
			send_part(h, &m, length[i]);
			(void)hostile_over(h, "%zu bytes of request %u",
					   length[i], r);
		}
	}
}

/* It will say nothing more, and could still hear. */
static void half_closed(struct hostile *h)
{
	struct hostile_message m;

	for (unsigned i = 0; i < 3 && !h->bad && hostile_open(h); i++) {
		if (!hostile_valid(h, FRONT_SET_MEM_TABLE, &m))
			return;
		send_part(h, &m, i == 0 ? 1 : i == 1 ? 12 : 30);
		(void)shutdown(h->s.front.fd, SHUT_WR);
		(void)hostile_check(
			h, front_closed_within(&h->s.front, h->timeout_ms),
			"half a message and the end of data: not closed");
		(void)hostile_over(h, "half a message and the end of data");
	}
}

/* --- header --------------------------------------------------------------- */

static bool may_be(uint32_t request, uint32_t size)
{
	switch (request) {
	case FRONT_SET_BACKEND_REQ_FD: return size == 8;
	case FRONT_GET_INFLIGHT_FD:
	case FRONT_SET_INFLIGHT_FD: return size == 20;
	default: return false;
	}
}

static void wrong_size(struct hostile *h, const struct hostile_message *good,
		       uint32_t size)
{
	struct hostile_message m = *good;
	enum hostile_answer a;

	m.size = size;
	m.bytes = size < 4096 ? size : good->bytes;
	if (m.bytes > good->bytes)
		memset(m.payload + good->bytes, 0, m.bytes - good->bytes);
	if (m.request != FRONT_GET_CONFIG) {
		(void)hostile_refused_or_closed(h, &m, "a wrong size");
		return;
	}
	/* Its refusal is an answer without a payload. */
	(void)hostile_send_message(h, &m);
	a = hostile_answer(h, m.request);
	(void)hostile_check(h, a == ANSWER_CLOSED || a == ANSWER_OTHER,
			    "GET_CONFIG of %u bytes: %s", size,
			    hostile_answer_name(a));
	(void)hostile_over(h, "GET_CONFIG of %u bytes", size);
}

static void sizes(struct hostile *h)
{
	struct hostile_message m;

	for (uint32_t r = 0; r < REQUESTS && !h->bad; r++) {
		if (!hostile_open(h) || !hostile_valid(h, r, &m))
			continue;
		const uint32_t right = m.size;
		const uint32_t wrong[] = { 0,	      1,	 right - 1,
					   right + 1, right + 8, 300,
					   4095,      1u << 20,	 UINT32_MAX };

		for (unsigned i = 0; i < 9 && !h->bad; i++)
			if (wrong[i] != right && !may_be(r, wrong[i]) &&
			    hostile_open(h))
				wrong_size(h, &m, wrong[i]);
	}
}

/* Whoever says 1 MiB or 4 GiB and then sends it is not listened to. */
static void huge(struct hostile *h)
{
	static const uint32_t size[] = { 4097, 1u << 20, 1u << 31, UINT32_MAX };
	static uint8_t bytes[1 << 16];
	struct hostile_message m;

	for (unsigned i = 0; i < 4 && !h->bad && hostile_open(h); i++) {
		uint64_t sent = 0;

		hostile_put(&m, FRONT_SET_MEM_TABLE, NULL, 0);
		m.size = size[i];
		(void)hostile_send_message(h, &m);
		while (sent < FLOOD &&
		       hostile_send(h, bytes, sizeof(bytes), SIZE_MAX, NULL, 0))
			sent += sizeof(bytes);
		(void)hostile_check(h, sent < FLOOD,
				    "a message of %u bytes is read", size[i]);
		(void)hostile_over(h, "a message of %u bytes", size[i]);
	}
}

static void flags(struct hostile *h)
{
	static const uint32_t wrong[] = {
		0,	     2,
		3,	     FRONT_VERSION | FRONT_REPLY,
		FRONT_REPLY, 2 | FRONT_REPLY
	};
	static const uint32_t request[] = { FRONT_GET_FEATURES, FRONT_SET_OWNER,
					    FRONT_SET_VRING_KICK, 200 };
	struct hostile_message m;

	for (unsigned i = 0; i < 6; i++) {
		for (unsigned k = 0; k < 4 && !h->bad && hostile_open(h); k++) {
			if (!hostile_valid(h, request[k], &m))
				hostile_put(&m, request[k], NULL, 0);
			m.flags = wrong[i];
			(void)hostile_refused_or_closed(h, &m, "wrong flags");
		}
	}
	/* Nobody has said what these mean. */
	for (unsigned bit = 4; bit < 32 && !h->bad && hostile_open(h); bit++) {
		hostile_put(&m, FRONT_GET_FEATURES, NULL, 0);
		m.flags |= 1u << bit;
		(void)hostile_send_message(h, &m);
		(void)hostile_answer(h, m.request);
		(void)hostile_over(h, "flag bit %u", bit);
	}
}

static bool nothing_known(struct hostile *h, uint32_t request)
{
	struct hostile_message m;

	return !hostile_valid(h, request, &m);
}

static void unknown(struct hostile *h)
{
	static const uint32_t odd[] = { 0,	    7,		29,  41,
					42,	    44,		255, 256,
					0x7fffffff, UINT32_MAX, 100, 300,
					1u << 8 };
	struct hostile_message m;
	enum hostile_answer a;

	if (!hostile_open(h))
		return;
	for (uint32_t r = 0; r < 600 && !h->bad; r++) {
		uint32_t request = r < 512 ? r : UINT32_MAX - (r - 512);

		if (!nothing_known(h, request))
			continue;
		hostile_put(&m, request, "12345678", r % 2 * 8);
		m.flags |= FRONT_NEED_REPLY;
		(void)hostile_send_message(h, &m);
		a = hostile_answer(h, request);
		(void)hostile_check(h, a == ANSWER_NAK, "request %u: %s",
				    request, hostile_answer_name(a));
	}
	(void)hostile_over(h, "unknown requests");
	for (unsigned i = 0; i < sizeof(odd) / 4 && !h->bad; i++) {
		hostile_put(&m, odd[i], NULL, 0);
		if (hostile_open(h))
			(void)hostile_closes(h, &m, "an unknown request");
	}
}

/* --- in other pieces ------------------------------------------------------ */

static bool tell_slowly(struct hostile *h, uint32_t request, size_t piece)
{
	const struct vring *q = guest_queue(h);
	struct hostile_message m;
	uint8_t bytes[FRONT_HEADER + sizeof(m.payload)];
	enum hostile_answer a;

	if (!hostile_valid(h, request, &m))
		return false;
	if (request == FRONT_SET_VRING_KICK)
		m.fd[0] = q->kick;
	if (request == FRONT_SET_VRING_CALL)
		m.fd[0] = q->call;
	m.flags |= FRONT_NEED_REPLY;
	const uint32_t header[3] = { m.request, m.flags, m.size };

	memcpy(bytes, header, sizeof(header));
	memcpy(bytes + sizeof(header), m.payload, m.bytes);
	(void)hostile_send(h, bytes, sizeof(header) + m.bytes, piece, m.fd,
			   m.fds);
	a = hostile_answer(h, request);
	return hostile_check(h, a == ANSWER_ACK,
			     "request %u in pieces of %zu: %s", request, piece,
			     hostile_answer_name(a));
}

static void in_pieces(struct hostile *h)
{
	static const uint32_t request[] = {
		FRONT_SET_OWNER,       FRONT_SET_FEATURES,
		FRONT_SET_MEM_TABLE,   FRONT_SET_VRING_NUM,
		FRONT_SET_VRING_BASE,  FRONT_SET_VRING_ADDR,
		FRONT_SET_VRING_KICK,  FRONT_SET_VRING_CALL,
		FRONT_SET_VRING_ENABLE
	};
	static const size_t piece[] = { 1, 3, 11, 13 };

	for (unsigned k = 0; k < 4 && !h->bad && hostile_make(h); k++) {
		for (unsigned i = 0; i < sizeof(request) / 4; i++)
			if (!tell_slowly(h, request[i], piece[k]))
				return;
		(void)guest_served(h, "messages in pieces");
		(void)hostile_over(h, "pieces of %zu bytes", piece[k]);
	}
}

static void pipelined(struct hostile *h)
{
	uint32_t message[PIPELINED][3];
	uint64_t bits, all;

	if (!hostile_open(h))
		return;
	for (unsigned i = 0; i < PIPELINED; i++) {
		message[i][0] = FRONT_GET_FEATURES;
		message[i][1] = FRONT_VERSION;
		message[i][2] = 0;
	}
	all = h->s.offered;
	(void)hostile_send(h, message, sizeof(message), SIZE_MAX, NULL, 0);
	for (unsigned i = 0; i < PIPELINED && !h->bad; i++) {
		struct front_message m;
		int err = front_receive(&h->s.front, &m);

		bits = 0;
		if (!err)
			memcpy(&bits, m.payload, sizeof(bits));
		(void)hostile_check(h, !err && bits == all,
				    "answer %u of %u messages in one write: %s",
				    i, PIPELINED,
				    err ? h->s.front.why : "wrong features");
	}
}

/* Asks and asks, and never reads: it is left after a while. */
static void unread(struct hostile *h)
{
	uint32_t message[4] = { FRONT_GET_CONFIG, FRONT_VERSION, 12, 0 };
	uint8_t bytes[FRONT_HEADER + 12 + FRONT_CONFIG_MAX] = { 0 };
	uint32_t config[3] = { 0, FRONT_CONFIG_MAX, 0 };
	uint64_t end = now_ns() + h->timeout_ms * NS_PER_MS;
	ssize_t n = 0;

	if (!hostile_run(h))
		return;
	message[2] = sizeof(bytes) - FRONT_HEADER;
	memcpy(bytes, message, FRONT_HEADER);
	memcpy(bytes + FRONT_HEADER, config, sizeof(config));
	while (now_ns() < end) {
		n = send(h->s.front.fd, bytes, sizeof(bytes),
			 MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			break;
		if (n < 0)
			sleep_ns(NS_PER_MS);
	}
	(void)hostile_check(h, n < 0 && errno != EAGAIN,
			    "who never reads is waited for");
	(void)hostile_over(h, "answers that nobody reads");
}

const struct hostile_test hostile_frame[] = {
	{ "frame__cut_at_every_length", cut },
	{ "frame__half_a_message_then_end_of_data", half_closed },
	{ "frame__wrong_sizes", sizes },
	{ "frame__huge_sizes_are_not_read", huge },
	{ "frame__wrong_flags", flags },
	{ "frame__unknown_requests", unknown },
	{ "frame__in_pieces_must_work", in_pieces },
	{ "frame__many_in_one_write_must_work", pipelined },
	{ "frame__answers_never_read", unread },
	{ NULL, NULL }
};

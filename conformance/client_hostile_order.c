/* SPDX-License-Identifier: BSD-2-Clause */
/* Well-formed messages at the wrong time, without leave, or too often. */
#include <string.h>

#include "client_hostile.h"

#define REQUESTS 64u
#define ROUNDS   10u
#define A_ROUND  60u            /* messages */
#define STORM    200u

/* Negotiated, or free for all. */
static bool allowed(const struct hostile *h, uint32_t request)
{
	return !(hostile_needs(request) & ~h->s.front.protocol);
}

/* An answer, any; false: none came. */
static bool answered(struct hostile *h, struct hostile_message *m,
		     const char *what)
{
	enum hostile_answer a;

	m->flags |= FRONT_NEED_REPLY;
	(void)hostile_send_message(h, m);
	a = hostile_answer(h, m->request);
	return hostile_check(h, a != ANSWER_NONE && a != ANSWER_CLOSED,
			     "%s, request %u: %s", what, m->request,
			     hostile_answer_name(a));
}

/* --- often ---------------------------------------------------------------- */

static void twice(struct hostile *h)
{
	struct hostile_message m;

	for (uint32_t r = 0; r < REQUESTS && !h->bad; r++) {
		if (!hostile_open(h) || !hostile_valid(h, r, &m) ||
		    !allowed(h, r))
			continue;
		if (!answered(h, &m, "once") || !answered(h, &m, "twice"))
			return;
		(void)hostile_check(h, hostile_talks(h),
				    "after request %u twice: %s", r,
				    h->s.front.why);
		(void)hostile_over(h, "request %u twice", r);
	}
}

/* Asked for or not, there is one answer: the next is that of the next. */
static void random_order(struct hostile *h)
{
	struct hostile_message m;

	for (unsigned i = 0; i < ROUNDS && !h->bad; i++) {
		bool made = rng_below(&h->rng, 2);

		if (!(made ? hostile_make(h) : hostile_open(h)))
			return;
		for (unsigned k = 0; k < A_ROUND && !h->bad; k++) {
			uint32_t r = (uint32_t)rng_below(&h->rng, REQUESTS);

			if (hostile_valid(h, r, &m) && allowed(h, r))
				(void)answered(h, &m, "in random order");
		}
		(void)hostile_over(h, "messages in random order, round %u", i);
	}
}

/* --- early ---------------------------------------------------------------- */

static bool connect_only(struct hostile *h)
{
	int fd;

	hostile_close(h);
	memset(&h->s, 0, sizeof(h->s));
	h->s.inflight_fd = h->s.log_fd = -1;
	fd = hostile_connect(h);
	if (fd < 0)
		return hostile_fail(h, "no connection");
	(void)front_adopt(&h->s.front, fd, h->timeout_ms);
	h->open = true;
	return true;
}

static void first_message(struct hostile *h)
{
	struct hostile_message m;

	for (uint32_t r = 0; r < REQUESTS && !h->bad; r++) {
		if (!connect_only(h) || !hostile_valid(h, r, &m))
			continue;
		m.flags |= r % 2 ? FRONT_NEED_REPLY : 0;
		(void)hostile_send_message(h, &m);
		(void)hostile_over(h, "request %u as the first message", r);
	}
}

static void storm(struct hostile *h)
{
	for (unsigned i = 0; i < STORM && !h->bad; i++) {
		if (connect_only(h) && i % 3 == 0)
			(void)hostile_send(h, &i, 1 + i % 4, 4, NULL, 0);
		hostile_close(h);
	}
	(void)hostile_over(h, "%u connections that say nothing", STORM);
}

/* --- without leave -------------------------------------------------------- */

static void not_negotiated(struct hostile *h)
{
	const uint64_t always = FRONT_PF_REPLY_ACK | FRONT_PF_CONFIG;
	struct hostile_message m;

	for (uint32_t r = 0; r < REQUESTS && !h->bad; r++) {
		enum hostile_answer a;

		if (!(hostile_needs(r) & ~always) ||
		    !hostile_open_with(h, always) || !hostile_valid(h, r, &m))
			continue;
		m.flags |= FRONT_NEED_REPLY;
		(void)hostile_send_message(h, &m);
		a = hostile_answer(h, r);
		(void)hostile_check(h, a == ANSWER_NAK && hostile_talks(h),
				    "request %u without its protocol feature: "
				    "%s",
				    r, hostile_answer_name(a));
		(void)hostile_over(h, "request %u without its feature", r);
		if (hostile_open_with(h, FRONT_PF_CONFIG))
			(void)hostile_closes(h, &m, "without its feature");
	}
}

static void features(struct hostile *h)
{
	/* NOTIFY_ON_EMPTY and ANY_LAYOUT ask for nothing that is not done. */
	const uint64_t harmless = VIRTIO_BIT(24) | VIRTIO_BIT(27);
	struct hostile_message m;

	for (unsigned i = 0; i < 64 && !h->bad; i++) {
		uint64_t bits = h->offered | VIRTIO_BIT(i);

		if ((h->offered | harmless) >> i & 1u)
			continue;
		hostile_put(&m, FRONT_SET_FEATURES, &bits, sizeof(bits));
		(void)hostile_refused(h, &m, "a feature that is not offered");
	}
	for (unsigned i = 0; i < 64 && !h->bad && hostile_open(h); i++) {
		uint64_t bits = h->offered_protocol | VIRTIO_BIT(i);

		if (h->offered_protocol >> i & 1u)
			continue;
		hostile_put(&m, FRONT_SET_PROTOCOL_FEATURES, &bits,
			    sizeof(bits));
		(void)hostile_refused_or_closed(
			h, &m, "a protocol feature that is not offered");
	}
}

/* Every set of two or three of the offered ones, refused or not. */
static void odd_features(struct hostile *h)
{
	for (unsigned i = 0; i < 40 && !h->bad && hostile_run(h); i++) {
		uint64_t bits = h->offered & rng_next(&h->rng);

		if (i % 2)
			bits &= rng_next(&h->rng);
		(void)front_set_features(&h->s.front, bits);
		(void)hostile_check(h, hostile_talks(h),
				    "features 0x%llx of a running device: %s",
				    (unsigned long long)bits, h->s.front.why);
		(void)hostile_over(h, "features 0x%llx of a running device",
				   (unsigned long long)bits);
	}
}

/* --- configuration -------------------------------------------------------- */

static const struct {
	uint32_t offset, size, bytes; /* bytes: that follow the three words */
	bool good;
} configs[] = {
	{ 0, 60, 60, true },
	{ 0, 256, 256, true },
	{ 59, 1, 1, true },
	{ 255, 1, 1, true },
	{ 60, 196, 196, true },
	{ 0, 257, 257, false },
	{ 256, 1, 1, false },
	{ 255, 2, 2, false },
	{ 1, 256, 256, false },
	{ UINT32_MAX, 1, 1, false },
	{ UINT32_MAX, 2, 2, false },
	{ UINT32_MAX - 255, 256, 256, false },
	{ 0, UINT32_MAX, 4, false },
	{ 8, UINT32_MAX - 7, 4, false },
	{ 0, 8, 4, false },
	{ 0, 4, 8, false },
	{ 0, 60, 0, false },
	{ 0x80000000u, 0x80000000u, 4, false }
};

static void config(struct hostile *h)
{
	for (unsigned i = 0; i < sizeof(configs) / sizeof(configs[0]); i++) {
		const uint32_t word[3] = { configs[i].offset, configs[i].size,
					   FRONT_CONFIG_WRITABLE };
		struct hostile_message m;
		uint8_t payload[512] = { 0 };
		enum hostile_answer a;

		memcpy(payload, word, sizeof(word));
		hostile_put(&m, FRONT_GET_CONFIG, payload,
			    sizeof(word) + configs[i].bytes);
		if (h->bad || !hostile_open(h))
			return;
		(void)hostile_send_message(h, &m);
		struct front_message r = { .size = 0 };
		int err = front_receive(&h->s.front, &r);

		(void)hostile_check(h,
				    configs[i].good ? !err && r.size == m.size
						    : err == FRONT_CLOSED ||
							      r.size == 0,
				    "GET_CONFIG of %u at %u: %u bytes",
				    configs[i].size, configs[i].offset, r.size);
		(void)hostile_over(h, "GET_CONFIG of %u at %u", configs[i].size,
				   configs[i].offset);
		m.request = FRONT_SET_CONFIG;
		if (configs[i].good || !hostile_open(h))
			continue;
		m.flags |= FRONT_NEED_REPLY;
		(void)hostile_send_message(h, &m);
		a = hostile_answer(h, m.request);
		(void)hostile_check(h, a == ANSWER_NAK || a == ANSWER_CLOSED,
				    "SET_CONFIG of %u at %u: %s",
				    configs[i].size, configs[i].offset,
				    hostile_answer_name(a));
		(void)hostile_over(h, "SET_CONFIG of %u at %u", configs[i].size,
				   configs[i].offset);
	}
}

static void fixed_config(struct hostile *h)
{
	uint8_t before[BLK_CONFIG_BYTES], ones[BLK_CONFIG_BYTES],
		after[BLK_CONFIG_BYTES];
	struct front *f = &h->s.front;

	memset(ones, 0xff, sizeof(ones));
	if (!hostile_open(h))
		return;
	if (front_get_config(f, 0, before, sizeof(before)))
		(void)hostile_fail(h, "GET_CONFIG: %s", f->why);
	for (uint32_t at = 0; at < sizeof(ones) && !h->bad; at++)
		if (at != BLK_CONFIG_WRITEBACK)
			(void)front_set_config(f, at, FRONT_CONFIG_WRITABLE,
					       ones, 1);
	(void)front_set_config(f, 0, FRONT_CONFIG_MIGRATE, ones, 32);
	(void)front_set_config(f, 33, UINT32_MAX, ones, 27);
	if ((f->fd < 0 || !hostile_talks(h)) && !hostile_open(h))
		return;
	if (front_get_config(f, 0, after, sizeof(after)))
		(void)hostile_fail(h, "GET_CONFIG, again: %s", f->why);
	(void)hostile_check(h, !memcmp(before, after, sizeof(before)),
			    "the driver can write the configuration");
}

/* A back end may keep only the bits that are a driver's to set, 2.1. */
#define DRIVERS_BITS 0x8fu

static void status(struct hostile *h)
{
	uint64_t got = 0, big = 256;
	struct hostile_message m;

	if (!hostile_open(h))
		return;
	if (!(h->s.front.protocol & FRONT_PF_STATUS))
		return;
	for (uint64_t i = 0; i < 256 && !h->bad; i++) {
		if (front_set_status(&h->s.front, i) ||
		    front_get_status(&h->s.front, &got))
			(void)hostile_fail(h, "status %llu: %s",
					   (unsigned long long)i,
					   h->s.front.why);
		(void)hostile_check(h, ((got ^ i) & DRIVERS_BITS) == 0,
				    "status %llu reads as %llu",
				    (unsigned long long)i,
				    (unsigned long long)got);
	}
	(void)hostile_over(h, "every status");
	for (; big && !h->bad; big <<= 11) {
		hostile_put(&m, FRONT_SET_STATUS, &big, sizeof(big));
		(void)hostile_refused(h, &m, "a status of more than 8 bits");
	}
}

const struct hostile_test hostile_order[] = {
	{ "order__every_message_twice", twice },
	{ "order__random", random_order },
	{ "order__each_as_the_first", first_message },
	{ "order__connections_that_say_nothing", storm },
	{ "order__protocol_feature_not_negotiated", not_negotiated },
	{ "order__features_not_offered", features },
	{ "order__features_of_a_running_device", odd_features },
	{ "order__config_ranges", config },
	{ "order__config_is_read_only", fixed_config },
	{ "order__status_values", status },
	{ NULL, NULL }
};

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The operations of a dut as tests use them: an answer or the end of the run.
 * Interrupts are collected here, so that a test may ask for one kind without
 * losing another.
 */
#include <string.h>

#include "lib.h"
#include "lib_internal.h"

bool lib_ok(struct suite *s, int r, const char *doing)
{
	if (r == DUT_OK)
		return true;
	if (r == DUT_CANNOT)
		skip(s, "%s: not with this transport", doing);
	else
		fail(s, "%s: the device is lost: %s", doing, s->d->why);
	return false;
}

bool await(struct suite *s, bool (*ready)(void *arg), void *arg)
{
	bool came = false;

	if (s->over)
		return false;
	return lib_ok(s,
		      s->d->ops->wait(s->d, ready, arg, s->d->wait_ms, &came),
		      "waiting") &&
	       came;
}

void settle(struct suite *s)
{
	if (!s->over)
		(void)lib_ok(s, s->d->ops->settle(s->d), "letting it run");
}

/* --- status --------------------------------------------------------------- */

uint32_t status(struct suite *s)
{
	uint32_t v = 0;

	if (!s->over)
		(void)lib_ok(s, s->d->ops->status_read(s->d, &v),
			     "reading status");
	return v;
}

void set_status(struct suite *s, uint32_t v)
{
	if (s->over)
		return;
	note(s, "status <- %u", v);
	(void)lib_ok(s, s->d->ops->status_write(s->d, v), "writing status");
}

struct want {
	struct suite *s;
	uint32_t mask, want, seen;
};

static bool status_is(void *arg)
{
	struct want *w = arg;

	w->seen = status(w->s);
	return w->s->over || (w->seen & w->mask) == w->want;
}

void await_status(struct suite *s, uint32_t mask, uint32_t want,
		  const char *what)
{
	struct want w = { s, mask, want, 0 };

	if (!await(s, status_is, &w))
		fail(s,
		     "%s: waited %u ms for status %u of bits %u; it reads %u",
		     what, s->d->wait_ms, want, mask, w.seen);
}

void reset(struct suite *s)
{
	set_status(s, 0);
	await_status(s, ~0u, 0, "reset");
	s->features = 0;
}

/* --- configuration space -------------------------------------------------- */

void config(struct suite *s, uint32_t offset, void *to, uint32_t n)
{
	memset(to, 0, n);
	if (!s->over)
		(void)lib_ok(s, s->d->ops->config_read(s->d, offset, to, n),
			     "reading configuration");
}

void set_config(struct suite *s, uint32_t offset, const void *from,
		uint32_t n)
{
	if (s->over)
		return;
	note(s, "configuration at %u: %u bytes written", offset, n);
	(void)lib_ok(s, s->d->ops->config_write(s->d, offset, from, n),
		     "writing configuration");
}

uint16_t config16(struct suite *s, uint32_t offset)
{
	uint16_t v;

	config(s, offset, &v, 2);
	return le16(v);
}

uint32_t config32(struct suite *s, uint32_t offset)
{
	uint32_t v;

	config(s, offset, &v, 4);
	return le32(v);
}

uint64_t config64(struct suite *s, uint32_t offset)
{
	uint64_t v;

	config(s, offset, &v, 8);
	return le64(v);
}

uint64_t capacity(struct suite *s)
{
	return config64(s, 0);
}

/* --- queues, what happens from behind, registers -------------------------- */

uint32_t queue_max(struct suite *s, uint32_t queue)
{
	uint32_t n = 0;

	if (!s->over)
		(void)lib_ok(s, s->d->ops->queue_max(s->d, queue, &n),
			     "asking for a queue");
	return n;
}

void event(struct suite *s, enum dut_event e, uint64_t value)
{
	static const char *const name[] = { "resize", "hold", "power cut",
					    "store error", "reorder" };

	if (s->over)
		return;
	note(s, "from behind: %s %llu", name[e], value + 0ull);
	(void)lib_ok(s, s->d->ops->event(s->d, e, value), name[e]);
}

uint64_t reg_wide(struct suite *s, uint32_t offset, uint32_t width)
{
	uint64_t v = 0;

	if (!s->over)
		(void)lib_ok(s, s->d->ops->reg_read(s->d, offset, width, &v),
			     "reading a register");
	return v;
}

void set_reg_wide(struct suite *s, uint32_t offset, uint32_t width, uint64_t v)
{
	if (s->over)
		return;
	note(s, "register %x (%u bytes) <- %llx", offset, width, v + 0ull);
	(void)lib_ok(s, s->d->ops->reg_write(s->d, offset, width, v),
		     "writing a register");
}

uint32_t reg(struct suite *s, uint32_t offset)
{
	return (uint32_t)reg_wide(s, offset, 4);
}

void set_reg(struct suite *s, uint32_t offset, uint32_t v)
{
	set_reg_wide(s, offset, 4, v);
}

/* --- interrupts ----------------------------------------------------------- */

static void collect(struct suite *s)
{
	struct dut_irq i = { 0, 0, false };

	if (s->over ||
	    !lib_ok(s, s->d->ops->irq_take(s->d, &i), "looking for interrupts"))
		return;
	if (i.used || i.error || i.config)
		note(s, "interrupt:%s%s%s", i.used ? " used" : "",
		     i.config ? " configuration" : "", i.error ? " error" : "");
	s->last_irq_used |= i.used;
	s->last_irq_error |= i.error;
	s->last_irq_config = s->last_irq_config || i.config;
}

bool irq_used(struct suite *s, uint32_t queue)
{
	bool came;

	collect(s);
	if (!(s->d->can & DUT_IRQ_QUEUE)) {
		came = s->last_irq_used != 0;
		s->last_irq_used = 0;
		return came;
	}
	came = s->last_irq_used & (1u << queue);
	s->last_irq_used &= ~(1u << queue);
	return came;
}

bool irq_config(struct suite *s)
{
	bool came;

	collect(s);
	came = s->last_irq_config;
	s->last_irq_config = false;
	return came;
}

bool irq_error(struct suite *s)
{
	bool came;

	collect(s);
	came = s->last_irq_error != 0;
	s->last_irq_error = 0;
	return came;
}

static bool irq_came(void *arg)
{
	struct want *w = arg;

	return (w->want == UINT32_MAX ? irq_config(w->s)
				      : irq_used(w->s, w->want)) ||
	       w->s->over;
}

void await_irq(struct suite *s, uint32_t queue, const char *what)
{
	struct want w = { s, 0, queue, 0 };

	if (!await(s, irq_came, &w))
		fail(s, "%s: waited %u ms for the interrupt of queue %u", what,
		     s->d->wait_ms, queue);
}

void await_config_irq(struct suite *s, const char *what)
{
	struct want w = { s, 0, UINT32_MAX, 0 };

	if (!await(s, irq_came, &w))
		fail(s,
		     "%s: waited %u ms for the notification of a configuration "
		     "change",
		     what, s->d->wait_ms);
}

void forget_irqs(struct suite *s)
{
	collect(s);
	s->last_irq_used = s->last_irq_error = 0;
	s->last_irq_config = false;
}

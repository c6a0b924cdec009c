/* SPDX-License-Identifier: BSD-2-Clause */
/* How a test reaches the fixture, and how it ends when that fails. */
#include <stdarg.h>
#include <stdio.h>

#include "hal.h"

/* --- ending --------------------------------------------------------------- */

void t_fail(struct t *t, const char *format, ...)
{
	va_list ap;

	t->verdict = FAIL;
	va_start(ap, format);
	vsnprintf(t->why, sizeof(t->why), format, ap);
	va_end(ap);
	longjmp(t->out, 1);
}

void t_missing(struct t *t, const char *what)
{
	t->verdict = NOT_IMPLEMENTED;
	snprintf(t->why, sizeof(t->why), "not implemented: %s", what);
	longjmp(t->out, 1);
}

void t_did(struct t *t, int r, const char *what)
{
	switch (r) {
	case FIXTURE_OK: return;
	case FIXTURE_MISSING: t_missing(t, what);
	case FIXTURE_CANNOT:
		t->verdict = NOT_IMPLEMENTED;
		snprintf(t->why, sizeof(t->why),
			 "not implemented: the port cannot do this (%s); if "
			 "its platform has no such thing, its fixture says so "
			 "in by_construction",
			 what);
		longjmp(t->out, 1);
	case FIXTURE_BROKEN:
		t_fail(t, "%s: the back end broke: %s", what, t->f->why);
	default: t_fail(t, "%s returns %d, which is no answer", what, r);
	}
}

/* --- waiting -------------------------------------------------------------- */

static void pump(struct t *t)
{
	if (!t->f->pump)
		t_missing(t, "pump");
	t_did(t, t->f->pump(t->f), "pump");
}

void t_await(struct t *t, bool (*ready)(struct t *t), const char *what)
{
	for (uint32_t i = 0; i < t->f->patience; i++) {
		if (ready(t))
			return;
		pump(t);
	}
	t_check(t, ready(t),
		"awaited in vain: %s (%u of them out, %u in the "
		"store)",
		what, t_out(t), watch_in_flight());
}

void t_settle(struct t *t)
{
	for (uint32_t i = 0; i < t->f->patience / 100u + 4u; i++)
		pump(t);
}

/* --- memory --------------------------------------------------------------- */

void t_read(struct t *t, uint64_t gpa, void *out, uint32_t len)
{
	if (!t->f->guest_read)
		t_missing(t, "guest_read");
	t_did(t, t->f->guest_read(t->f, gpa, out, len), "guest_read");
}

void t_write(struct t *t, uint64_t gpa, const void *in, uint32_t len)
{
	if (!t->f->guest_write)
		t_missing(t, "guest_write");
	t_did(t, t->f->guest_write(t->f, gpa, in, len), "guest_write");
}

/* --- registers ------------------------------------------------------------ */

void t_access_start(struct t *t, unsigned cpu, bool write, uint32_t offset,
		    unsigned size, uint64_t value)
{
	const struct vblk_access a = { .offset = offset,
				       .value = value,
				       .size = (uint8_t)size,
				       .write = write };

	if (!t->f->guest_access_start || !t->f->guest_access_poll)
		t_missing(t, "guest_access_start and _poll");
	t_did(t, t->f->guest_access_start(t->f, cpu, &a), "guest_access_start");
}

bool t_answered(struct t *t, unsigned cpu, uint64_t *value)
{
	int r = t->f->guest_access_poll(t->f, cpu, value);

	if (r == 0 || r == 1)
		return r == 1;
	t_did(t, r, "guest_access_poll");
	return false;
}

uint64_t t_access(struct t *t, unsigned cpu, bool write, uint32_t offset,
		  unsigned size, uint64_t value)
{
	uint64_t got = 0;

	t_access_start(t, cpu, write, offset, size, value);
	for (uint32_t i = 0; i < t->f->patience; i++) {
		if (t_answered(t, cpu, &got))
			return got;
		pump(t);
	}
	t_check(t, t_answered(t, cpu, &got),
		"awaited in vain: an answer to CPU %u's %s of %u bytes at "
		"0x%03x",
		cpu, write ? "write" : "read", size, offset);
	return got;
}

uint32_t t_reg(struct t *t, uint32_t offset)
{
	return (uint32_t)t_access(t, 0, false, offset, 4, 0);
}

void t_set(struct t *t, uint32_t offset, uint32_t value)
{
	(void)t_access(t, 0, true, offset, 4, value);
}

/* --- faults and signals --------------------------------------------------- */

void t_fault(struct t *t, enum fixture_fault what, uint64_t value)
{
	static const char *const name[] = {
		[FIXTURE_HOLD] = "store_fault: HOLD",
		[FIXTURE_DEPTH] = "store_fault: DEPTH",
		[FIXTURE_LAST_FIRST] = "store_fault: LAST_FIRST",
		[FIXTURE_FAIL] = "store_fault: FAIL",
		[FIXTURE_CUT] = "store_fault: CUT"
	};

	if (!t->f->store_fault)
		t_missing(t, "store_fault");
	t_did(t, t->f->store_fault(t->f, what, value), name[what]);
}

void t_platform(struct t *t, enum fixture_event what, uint64_t gpa,
		uint64_t len)
{
	static const char *const name[] = {
		[FIXTURE_STOP] = "platform: STOP",
		[FIXTURE_REVOKE] = "platform: REVOKE",
		[FIXTURE_DIE] = "platform: DIE"
	};

	if (!t->f->platform)
		t_missing(t, "platform");
	t_did(t, t->f->platform(t->f, what, gpa, len), name[what]);
}

void t_die(struct t *t)
{
	watch_died();
	t_platform(t, FIXTURE_DIE, 0, 0);
}

struct fixture_signals t_signals(struct t *t)
{
	struct fixture_signals s = { 0 };

	if (!t->f->guest_signals)
		t_missing(t, "guest_signals");
	t_did(t, t->f->guest_signals(t->f, &s), "guest_signals");
	return s;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The port's side of the HAL tests (conformance/fixture.h): the functions to be
 * written, one after the other. As long as one answers MISSING, the clauses
 * that need it are "not implemented", which fails. A clause of a HAL function
 * that is still to be written stands in unfinished; one that cannot apply to
 * the platform in by_construction, with the reason.
 */
#include "fixture.h"

static int reset(struct fixture *f, uint32_t want)
{
	(void)f;
	(void)want;
	return FIXTURE_MISSING;
}

static int guest_read(struct fixture *f, uint64_t gpa, void *out, uint32_t len)
{
	(void)f;
	(void)gpa;
	(void)out;
	(void)len;
	return FIXTURE_MISSING;
}

static int guest_write(struct fixture *f, uint64_t gpa, const void *in,
		       uint32_t len)
{
	(void)f;
	(void)gpa;
	(void)in;
	(void)len;
	return FIXTURE_MISSING;
}

static int access_start(struct fixture *f, unsigned cpu,
			const struct vblk_access *a)
{
	(void)f;
	(void)cpu;
	(void)a;
	return FIXTURE_MISSING;
}

static int access_poll(struct fixture *f, unsigned cpu, uint64_t *value)
{
	(void)f;
	(void)cpu;
	(void)value;
	return FIXTURE_MISSING;
}

static int signals(struct fixture *f, struct fixture_signals *out)
{
	(void)f;
	(void)out;
	return FIXTURE_MISSING;
}

static int store_fault(struct fixture *f, enum fixture_fault what,
		       uint64_t value)
{
	(void)f;
	(void)what;
	(void)value;
	return FIXTURE_MISSING;
}

static int platform(struct fixture *f, enum fixture_event what, uint64_t gpa,
		    uint64_t len)
{
	(void)f;
	(void)what;
	(void)gpa;
	(void)len;
	return FIXTURE_MISSING;
}

static int pump(struct fixture *f)
{
	(void)f;
	return FIXTURE_MISSING;
}

int fixture_open(struct fixture *f)
{
	*f = (struct fixture){ .name = "template",
			       .can = FIXTURE_REGISTERS,
			       .patience = 1000,
			       .queues = 1,
			       .reset = reset,
			       .guest_read = guest_read,
			       .guest_write = guest_write,
			       .guest_access_start = access_start,
			       .guest_access_poll = access_poll,
			       .guest_signals = signals,
			       .store_fault = store_fault,
			       .platform = platform,
			       .pump = pump };
	return 0;
}

void fixture_close(struct fixture *f)
{
	(void)f;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One test, on each ring it is meant for: open the device, run, look at the
 * guards, leave the device reset.
 */
#include <string.h>

#include "lib.h"
#include "lib_internal.h"
#include "tests.h"

size_t suite_bytes(void)
{
	return sizeof(struct suite);
}

const char *suite_level_name(enum suite_level l)
{
	static const char *const name[] = { "must", "should", "may", "policy" };

	return name[l];
}

const struct suite_test *suite_test(uint32_t i)
{
	for (uint32_t a = 0; a < suite_areas; a++) {
		if (i < *suite_area[a].n)
			return &suite_area[a].test[i];
		i -= *suite_area[a].n;
	}
	return NULL;
}

/* --- one run -------------------------------------------------------------- */

static void look(struct suite *s)
{
	struct dut *d = s->d;

	if (!lib_ok(s, d->ops->features_read(d, &s->offered),
		    "reading features"))
		return;
	note(s, "offered features: %llx", s->offered + 0ull);
}

static const struct {
	uint32_t bit;
	const char *what;
} capability[] = {
	{ DUT_REGS, "has no virtio-mmio registers" },
	{ DUT_STATUS, "does not carry the device's status" },
	{ DUT_GENERATION, "has no configuration generation" },
	{ DUT_NOTIFY_DATA, "cannot notify with data" },
	{ DUT_QUEUE_RESET, "cannot reset one queue" },
	{ DUT_QUEUE_READY, "does not say whether a queue is enabled" },
	{ DUT_IRQ_QUEUE, "does not say which queue interrupts" },
	{ DUT_IRQ_CONFIG, "does not tell of configuration changes" },
	{ DUT_IRQ_ERROR, "has no error descriptors" },
	{ DUT_SUSPEND, "does not carry SUSPEND" },
	{ DUT_RESIZE, "cannot change the capacity from behind" },
	{ DUT_HOLD, "cannot hold requests back from behind" },
	{ DUT_CUT, "cannot cut the power from behind" },
	{ DUT_STORE_ERROR, "cannot make the store fail from behind" },
	{ DUT_REORDER, "cannot reorder completions from behind" },
};

static void check_needs(struct suite *s)
{
	const struct suite_test *t = s->test;
	uint32_t missing = t->can & ~s->d->can;

	for (size_t i = 0; i < sizeof(capability) / sizeof(capability[0]); i++)
		if (missing & capability[i].bit)
			skip(s, "this attachment %s", capability[i].what);
	if (t->features & ~s->offered)
		skip(s, "feature bits %llx are not offered",
		     (t->features & ~s->offered) + 0ull);
	if ((t->flags & SUITE_WRITABLE) && (s->offered & BLK_F_RO))
		skip(s, "the disk is read-only");
	if (t->level == SUITE_POLICY && s->d->policy == DUT_POLICY_UNKNOWN &&
	    !(t->flags & SUITE_ANYBODY))
		skip(s, "a policy of vblk, and this is somebody else's device");
}

static void begin(struct suite *s, struct dut *d, const struct suite_test *t,
		  struct suite_result *r, bool packed)
{
	memset(s, 0, sizeof(*s));
	s->d = d;
	s->test = t;
	s->result = r;
	s->packed = packed;
	s->seed = 1;
	r->verdict = SUITE_PASS;
	r->rings = 0;
	r->why[0] = '\0';
	d->why[0] = '\0';
	note(s, "test %s, %s ring", t->name, packed ? "packed" : "split");
	if (lib_ok(s, d->ops->open(d), "opening the device"))
		look(s);
}

static void end(struct suite *s)
{
	struct dut *d = s->d;

	if (!s->failed && s->parts)
		lib_check_guards(s);
	/* whatever it was left in; open copes with what this does not reach */
	if (d->ops->event(d, DUT_EVENT_HOLD, 0) == DUT_LOST)
		return;
	(void)d->ops->status_write(d, 0);
}

static void run_on(struct suite *s, struct dut *d, const struct suite_test *t,
		   struct suite_result *r, bool packed)
{
	begin(s, d, t, r, packed);
	check_needs(s);
	if (packed && !(s->offered & VIRTIO_F_RING_PACKED))
		skip(s, "packed rings are not offered");
	if (!s->over)
		t->run(s);
	end(s);
	if (r->verdict != SUITE_SKIP)
		r->rings = packed ? SUITE_PACKED : SUITE_SPLIT;
}

void suite_run(struct suite *s, struct dut *d, const struct suite_test *t,
	       struct suite_result *r)
{
	struct suite_result other;
	bool packed = t->flags & SUITE_PACKED;

	if ((t->flags & SUITE_SPLIT) || !packed) {
		run_on(s, d, t, r, false);
		if (!packed || r->verdict != SUITE_PASS)
			return;
		/* the second ring: its skip does not undo the first's pass */
		run_on(s, d, t, &other, true);
		other.rings |= r->rings;
		if (other.verdict == SUITE_FAIL)
			*r = other;
		r->rings = other.rings;
		return;
	}
	run_on(s, d, t, r, true);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "hostile.h"

#include "lib_internal.h"

static bool needs_reset(struct suite *s)
{
	if (s->d->can & DUT_STATUS)
		return status(s) & VIRTIO_S_NEEDS_RESET;
	return irq_error(s);
}

static bool faulted(void *arg)
{
	struct suite *s = arg;

	return s->over || needs_reset(s);
}

static void expect_needs_reset(struct suite *s, const char *what)
{
	if (!await(s, faulted, s))
		fail(s, "%s: waited %u ms for NEEDS_RESET", what,
		     s->d->wait_ms);
}

/* The other queue of the same device, if the test made one. */
static struct ring *other(struct ring *r)
{
	struct suite *s = r->s;

	return s->rings > 1 && r == &s->ring[0] ? &s->ring[1] : NULL;
}

void expect_sane(struct ring *r, const char *what)
{
	struct suite *s = r->s;

	settle(s);
	if (other(r) && s->d->policy != DUT_POLICY_UNKNOWN)
		alive(other(r), what);
	if (s->over)
		return;
	restart(r);
	alive(r, what);
}

void expect_bad_ring(struct ring *r, const char *what)
{
	struct suite *s = r->s;

	/* where nobody carries it to us, it is enough that a reset helps */
	if (s->d->policy != DUT_POLICY_UNKNOWN &&
	    (s->d->can & (DUT_STATUS | DUT_IRQ_ERROR)))
		expect_needs_reset(s, what);
	expect_sane(r, what);
}

void expect_bad_chain(struct ring *r, uint16_t id, const char *what)
{
	struct suite *s = r->s;

	if (s->d->policy == DUT_POLICY_CONTAIN) {
		ring_await(r, id, what);
		expect(s, r->len[id] == 0,
		       "%s: it came back with length %u, not 0", what,
		       r->len[id]);
		if (s->d->can & DUT_STATUS)
			expect(s, !(status(s) & VIRTIO_S_NEEDS_RESET),
			       "%s: the device asks for a reset, where it "
			       "should contain the fault",
			       what);
		alive(r, what);
	} else if (s->d->policy == DUT_POLICY_STOP) {
		expect_needs_reset(s, what);
		expect(s, !ring_done(r, id),
		       "%s: it came back, and the device stopped", what);
	}
	expect_sane(r, what);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the driver wants to be told: 2.7.7 for split rings, 2.8.10 for packed.
 */
#include "lib.h"
#include "lib_internal.h"

static void set_split(struct ring *r, uint32_t flags, uint32_t event)
{
	put16(r->driver.host + 4 + 2u * r->size, event);
	put16(r->driver.host, flags);
}

static void set_packed(struct ring *r, uint32_t flags, uint32_t event)
{
	put16(r->driver.host, event);
	put16(r->driver.host + 2, flags);
}

void ring_quiet(struct ring *r)
{
	if (r->s->over)
		return;
	note(r->s, "queue %u: no interrupts wanted", r->queue);
	if (r->packed)
		set_packed(r, PEVENT_DISABLE, 0);
	else
		/* with EVENT_IDX: an index that is reached in 32768 chains */
		set_split(r, r->event_idx ? 0 : AVAIL_NO_INTERRUPT,
			  r->seen + 0x8000u);
	fence();
}

void ring_loud(struct ring *r)
{
	if (r->s->over)
		return;
	if (r->packed)
		set_packed(r, PEVENT_ENABLE, 0);
	else
		set_split(r, 0, r->seen);
	fence();
}

void ring_event(struct ring *r, uint16_t after)
{
	uint32_t at;
	bool wrap;

	if (r->s->over)
		return;
	note(r->s, "queue %u: an interrupt after %u more", r->queue, after);
	if (!r->packed) {
		set_split(r, 0, r->seen + after - 1u);
		fence();
		return;
	}
	at = r->seen + after - 1u;      /* chains of one descriptor */
	wrap = r->seen_wrap;
	while (at >= r->size) {
		at -= r->size;
		wrap = !wrap;
	}
	set_packed(r, PEVENT_DESC, at | (wrap ? PEVENT_WRAP : 0u));
	fence();
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* See watch.h. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "watch_internal.h"

struct watch_state watch_state;
_Thread_local unsigned watch_inside;

static struct watch_state *const w = &watch_state;

void watch_lock(void)
{
	while (__atomic_test_and_set(&w->locked, __ATOMIC_ACQUIRE))
		;
}

void watch_unlock(void)
{
	__atomic_clear(&w->locked, __ATOMIC_RELEASE);
}

/* --- noting --------------------------------------------------------------- */

void watch_break(const char *clause, const char *format, ...)
{
	va_list ap;

	watch_lock();
	if (!w->is_broken) {
		w->is_broken = true;
		snprintf(w->clause, sizeof(w->clause), "%s", clause);
		va_start(ap, format);
		vsnprintf(w->why, sizeof(w->why), format, ap);
		va_end(ap);
	}
	watch_unlock();
}

void watch_note(struct watch_entry e)
{
	const struct watch_entry *last;
	bool again, full;

	watch_lock();
	last = w->entries > 0 ? &w->entry[w->entries - 1u] : NULL;
	/* a full store that is asked again and again */
	again = last && e.kind == WATCH_SUBMIT && last->kind == WATCH_SUBMIT &&
		e.b == 0 && last->b == 0;
	full = w->entries == WATCH_ENTRIES;
	if (!again && !full)
		w->entry[w->entries++] = e;
	watch_unlock();
	if (full)
		watch_break("watch", "the back end makes more than %u calls",
			    WATCH_ENTRIES);
}

void watch_die_if(enum watch_death where)
{
	bool now;

	watch_lock();
	now = w->death == where && --w->death_in == 0;
	if (now) {
		w->death = WATCH_NO_DEATH;
		w->killed = true;
	}
	watch_unlock();
	if (!now)
		return;
	watch_died();
	(void)w->f->platform(w->f, FIXTURE_DIE, 0, 0);
}

/* --- for tests ------------------------------------------------------------ */

void watch_start(struct fixture *f, uint64_t marker)
{
	watch_lock();
	w->f = f;
	w->lanes = 0;
	w->entries = 0;
	memset(w->seen, 0, sizeof(w->seen));
	w->in_flight = 0;
	w->regions = 0;
	w->marker = marker;
	w->mark = w->expect = false;
	w->marked = w->expected = 0;
	w->on_done = NULL;
	w->death = WATCH_NO_DEATH;
	w->killed = false;
	w->is_broken = false;
	watch_inside = 0;
	watch_unlock();
}

size_t watch_count(void)
{
	size_t n;

	watch_lock();
	n = w->entries;
	watch_unlock();
	return n;
}

bool watch_at(size_t i, struct watch_entry *out)
{
	bool there;

	watch_lock();
	there = i < w->entries;
	if (there)
		*out = w->entry[i];
	watch_unlock();
	return there;
}

size_t watch_find(size_t i, enum watch_kind kind)
{
	struct watch_entry e;

	for (; watch_at(i, &e); i++)
		if (e.kind == kind)
			return i;
	return SIZE_MAX;
}

unsigned watch_sum(size_t i, enum watch_kind kind)
{
	unsigned n = 0;

	while ((i = watch_find(i, kind)) != SIZE_MAX) {
		n++;
		i++;
	}
	return n;
}

unsigned watch_in_flight(void)
{
	unsigned n;

	watch_lock();
	n = w->in_flight;
	watch_unlock();
	return n;
}

bool watch_region(size_t i, struct vblk_region *out)
{
	bool there;

	watch_lock();
	there = i < w->regions;
	if (there)
		*out = w->region[i];
	watch_unlock();
	return there;
}

static const struct vblk_hal *hal(void)
{
	return w->lanes > 0 ? w->lane[0].hal : NULL;
}

bool watch_has_cancel(void)
{
	return hal() && hal()->cancel;
}

bool watch_has_save(void)
{
	return hal() && hal()->save;
}

bool watch_has_unmap(void)
{
	return hal() && hal()->unmap;
}

bool watch_broken(char *clause, size_t clause_size, char *why, size_t why_size)
{
	bool broken;

	watch_lock();
	broken = w->is_broken;
	if (broken) {
		snprintf(clause, clause_size, "%s", w->clause);
		snprintf(why, why_size, "%s", w->why);
	}
	watch_unlock();
	return broken;
}

void watch_mark(bool on, unsigned cpu)
{
	w->cpu = cpu;
	w->mark = on;
}

unsigned watch_marked(void)
{
	return w->marked;
}

void watch_expect(uint32_t v)
{
	w->expect_value = v;
	w->expect = true;
}

unsigned watch_expected(void)
{
	return w->expected;
}

void watch_on_done(void (*look)(void *ctx, const struct vblk_req *req,
				uint8_t status),
		   void *ctx)
{
	w->on_done_ctx = ctx;
	w->on_done = look;
}

void watch_kill(enum watch_death where, unsigned n)
{
	watch_lock();
	w->death = where;
	w->death_in = n;
	w->killed = false;
	watch_unlock();
}

bool watch_killed(void)
{
	return w->killed;
}

void watch_died(void)
{
	watch_lock();
	memset(w->seen, 0, sizeof(w->seen));
	w->in_flight = 0;
	w->regions = 0;
	w->lanes = 0;
	watch_inside = 0;
	watch_unlock();
}

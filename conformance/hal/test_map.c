/* SPDX-License-Identifier: BSD-2-Clause */
/* MAP-1 to MAP-4. What a mapping looks like is checked in watch_hal.c. */
#include "hal.h"

#define PAGE 4096u

static void start(struct t *t, unsigned drive)
{
	t_start(t, FIXTURE_ON_DEMAND, 1, drive);
}

static unsigned mapped_so_far(int with)
{
	struct watch_entry e;
	unsigned n = 0;

	for (size_t i = 0; (i = watch_find(i, WATCH_MAP)) != SIZE_MAX; i++)
		n += watch_at(i, &e) && e.op == (uint8_t)-with;
	return n;
}

/* Reads and writes of n pages' memory, at the given offset in a page. */
static void use_pages(struct t *t, unsigned n, unsigned offset)
{
	for (unsigned i = 0; i < n; i++) {
		uint64_t a = t_data(t, 0, i) + offset;
		unsigned slot;

		(void)t_queue_at(t, 0, T_OUT, 8u * (i % 32u), 8, a);
		t_kick(t, 0);
		t_finish(t, 0);
		slot = t_queue_at(t, 0, T_IN, 8u * (i % 32u), 8, a);
		t_kick(t, 0);
		t_finish(t, 0);
		t_check_data(t, 0, slot);
	}
}

static void covers_what_was_asked(struct t *t)
{
	start(t, DRIVE_FLUSH);
	use_pages(t, 8, 0);
	t_check(t, mapped_so_far(VBLK_OK) > 0, "nothing was mapped on demand");
	/* across a page's end, from anywhere in it */
	use_pages(t, 8, 512);
	use_pages(t, 4, 4080);
	use_pages(t, 4, 2);
}

/* Read first, then written: the page is there with all it allows. */
static void has_every_permission(struct t *t)
{
	unsigned slot;

	start(t, DRIVE_FLUSH);
	for (unsigned i = 0; i < 4; i++) {
		uint64_t a = t_data(t, 0, 40u + i);

		(void)t_queue_at(t, 0, T_OUT, 8u * i, 8, a);
		t_kick(t, 0);
		t_finish(t, 0);
		slot = t_queue_at(t, 0, T_IN, 8u * i, 8, a);
		t_kick(t, 0);
		t_finish(t, 0);
		t_check_data(t, 0, slot);
	}
}

/* --- MAP-2 ---------------------------------------------------------------- */

static void no_such_memory_is_the_guests_fault(struct t *t)
{
	unsigned slot;

	start(t, DRIVE_FLUSH);
	if (t->f->hole_gpa == 0)
		t_missing(t, "hole_gpa: an address without memory");
	t_io(t, T_OUT, 0, 8);
	slot = t_queue(t, 0, T_OUT, 8, 8);
	/* the data of this one moves to where there is nothing */
	{
		uint8_t d[8];

		for (unsigned i = 0; i < 8; i++)
			d[i] = (uint8_t)(t->f->hole_gpa >> (8u * i));
		t_write(t, t->ring[0].desc + 16u * (3u * slot + 1u), d, 8);
	}
	t_kick(t, 0);
	t_finish(t, 1);
	t_check(t, mapped_so_far(VBLK_EGUEST) > 0,
		"map did not answer EGUEST for memory that is not there");
	t_works(t, "an answer after a request in memory that is not there");
}

/* More pages than may be mapped at once, with many in flight. */
static void no_room_is_nobodys_fault(struct t *t)
{
	struct vblk_region r;

	start(t, DRIVE_FLUSH);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < t->ring[0].slots; i++)
			(void)t_queue(t, 0, round == 0 ? T_OUT : T_IN,
				      8u * (i % 32u), 8);
		t_kick(t, 0);
		t_finish(t, 0);
	}
	if (t->f->cap) {
		uint64_t pages = 0;

		for (size_t i = 0; watch_region(i, &r); i++)
			pages += r.len / PAGE;
		t_check(t, pages <= t->f->cap,
			"%llu pages are mapped, the cap is %u",
			(unsigned long long)pages, t->f->cap);
		t_check(t, mapped_so_far(VBLK_EBUSY) > 0,
			"the cap was not reached: raise what this test uses, "
			"or lower the cap");
	}
}

/* --- MAP-3 ---------------------------------------------------------------- */

/* What the guest writes now is what the back end reads there: all mappings. */
static void look_at_mappings(struct t *t, uint32_t round)
{
	struct vblk_region r;

	for (size_t i = 0; watch_region(i, &r); i++) {
		/* data pages only: nothing is in flight there */
		uint64_t from = t->f->ram_gpa + 0x20000u;
		uint64_t at = r.gpa > from ? r.gpa : from;
		uint32_t word = round << 16 | (uint32_t)i;
		const volatile uint32_t *host;

		if (at >= r.gpa + r.len)
			continue;
		t_write(t, at, &word, sizeof(word));
		host = (const void *)((const uint8_t *)r.host + (at - r.gpa));
		t_check(t, *host == word,
			"0x%llx is mapped since some time, and is not the "
			"guest's memory any more: 0x%x where the guest stored "
			"0x%x",
			(unsigned long long)r.gpa, *host, word);
	}
}

static void stays_until_unmap(struct t *t)
{
	start(t, DRIVE_FLUSH);
	for (uint32_t round = 1; round < 24; round++) {
		uint64_t a = t_data(t, 0, round % 60u);

		(void)t_queue_at(t, 0, T_OUT, 8u * (round % 32u), 8, a);
		t_kick(t, 0);
		t_finish(t, 0);
		look_at_mappings(t, round);
	}
	use_pages(t, 8, 0);
}

/* --- MAP-4 ---------------------------------------------------------------- */

static uint64_t revoked;

/* The first entry of a kind that is of the mapping that was taken away. */
static size_t first_there(size_t i, enum watch_kind kind)
{
	struct watch_entry e;

	i = watch_find(i, kind);
	while (watch_at(i, &e) && (e.a > revoked || revoked - e.a >= e.b))
		i = watch_find(i + 1u, kind);
	return i;
}

static unsigned there(enum watch_kind kind)
{
	unsigned n = 0;

	for (size_t i = 0; (i = first_there(i, kind)) != SIZE_MAX; i++)
		n++;
	return n;
}

static size_t last_done(void)
{
	size_t last = 0;

	for (size_t i = 0; (i = watch_find(i, WATCH_DONE)) != SIZE_MAX; i++)
		last = i;
	return last;
}

static bool gone(struct t *t)
{
	(void)t;
	return there(WATCH_GONE) > 0;
}

static bool in_store(struct t *t)
{
	(void)t;
	return watch_in_flight() > 0;
}

static void unmap_after_the_last_request(struct t *t)
{
	start(t, DRIVE_FLUSH);
	t_io(t, T_OUT, 0, 8);
	revoked = t_data(t, 0, 30);
	t_fault(t, FIXTURE_HOLD, 1);
	(void)t_queue_at(t, 0, T_OUT, 16, 8, revoked);
	t_kick(t, 0);
	t_await(t, in_store, "a request in the store");
	t_platform(t, FIXTURE_REVOKE, revoked, PAGE);
	t_settle(t);
	t_check(t, !gone(t) && there(WATCH_UNMAP) == 0,
		"memory that is taken away is unmapped with a request there");
	t_fault(t, FIXTURE_HOLD, 0);
	t_await(t, gone, "unmap of what was taken away");
	t_finish(t, 0);
	t_settle(t);
	/* who stops the lane for it unmaps by itself */
	t_check(t,
		there(WATCH_GONE) == 1 &&
			there(WATCH_UNMAP) == there(WATCH_EV_UNMAP),
		"one mapping: given back %u times, unmap called %u times",
		there(WATCH_GONE), there(WATCH_UNMAP));
	t_check(t, last_done() < first_there(0, WATCH_GONE),
		"the mapping was given back before its request was DONE");
}

const struct test tests_map[] = {
	{ "hal_MAP_1__covers_what_was_asked", 0, covers_what_was_asked },
	{ "hal_MAP_1__has_every_permission", 0, has_every_permission },
	{ "hal_MAP_2__no_such_memory_is_the_guests_fault", 0,
	  no_such_memory_is_the_guests_fault },
	{ "hal_MAP_2__no_room_is_nobodys_fault", 0, no_room_is_nobodys_fault },
	{ "hal_MAP_3__stays_until_unmap", 0, stays_until_unmap },
	{ "hal_MAP_4__unmap_after_the_last_request", 0,
	  unmap_after_the_last_request },
	{ NULL, 0, NULL }
};

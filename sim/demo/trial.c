/* SPDX-License-Identifier: BSD-2-Clause */
#include "trial.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PLACES (TRIAL_FEW + 1u)

struct place {
	uint64_t sector;
	uint32_t sectors;
	uint8_t *saved;         /* guest memory, sectors * 512 */
};

struct trial {
	struct work *w;
	struct place place[PLACES]; /* [0]: the end of the disk */
	unsigned places;
};

/* --- content: what each pass does with the bytes -------------------------- */

static uint64_t word(uint64_t sector, uint32_t i)
{
	uint64_t v = (sector << 6 | i) * 0x9e3779b97f4a7c15u;

	return (v ^ v >> 31) * 0xd6e8feb86659fd93u;
}

static bool differs(struct work *w, uint64_t sector, const char *from)
{
	snprintf(w->why, sizeof(w->why), "sector %" PRIu64 " is not %s", sector,
		 from);
	return false;
}

static bool put_pattern(struct work *w, void *ctx, uint64_t sector,
			uint8_t *data, uint32_t bytes)
{
	(void)w;
	(void)ctx;
	for (uint32_t at = 0; at < bytes; at += 8) {
		uint64_t v = word(sector + at / VBLK_SECTOR_SIZE,
				  at % VBLK_SECTOR_SIZE / 8u);

		memcpy(data + at, &v, 8);
	}
	return true;
}

static bool is_pattern(struct work *w, void *ctx, uint64_t sector,
		       uint8_t *data, uint32_t bytes)
{
	(void)ctx;
	for (uint32_t at = 0; at < bytes; at += 8) {
		uint64_t v = word(sector + at / VBLK_SECTOR_SIZE,
				  at % VBLK_SECTOR_SIZE / 8u);

		if (memcmp(data + at, &v, 8) != 0)
			return differs(w, sector + at / VBLK_SECTOR_SIZE,
				       "what was written");
	}
	return true;
}

static bool is_zero(struct work *w, void *ctx, uint64_t sector, uint8_t *data,
		    uint32_t bytes)
{
	(void)ctx;
	for (uint32_t at = 0; at < bytes; at++)
		if (data[at] != 0)
			return differs(w, sector + at / VBLK_SECTOR_SIZE,
				       "zero after write zeroes");
	return true;
}

static uint8_t *saved_at(const struct place *p, uint64_t sector)
{
	return p->saved + (sector - p->sector) * VBLK_SECTOR_SIZE;
}

static bool save(struct work *w, void *ctx, uint64_t sector, uint8_t *data,
		 uint32_t bytes)
{
	(void)w;
	memcpy(saved_at(ctx, sector), data, bytes);
	return true;
}

static bool put_back(struct work *w, void *ctx, uint64_t sector, uint8_t *data,
		     uint32_t bytes)
{
	(void)w;
	memcpy(data, saved_at(ctx, sector), bytes);
	return true;
}

static bool is_back(struct work *w, void *ctx, uint64_t sector, uint8_t *data,
		    uint32_t bytes)
{
	return memcmp(data, saved_at(ctx, sector), bytes) == 0 ||
	       differs(w, sector, "what it was before");
}

/* --- steps ---------------------------------------------------------------- */

static enum work_result everywhere(struct trial *t, const char *what,
				   uint32_t type, work_bytes fn)
{
	enum work_result r = WORK_OK;

	for (unsigned i = 0; i < t->places && r == WORK_OK; i++)
		r = work_pass(t->w, what, type, t->place[i].sector,
			      t->place[i].sectors, fn, &t->place[i]);
	return r;
}

static enum work_result pattern(struct trial *t)
{
	enum work_result r = everywhere(t, "guest writes a pattern", VBLK_T_OUT,
					put_pattern);

	if (r == WORK_OK)
		r = work_flush(t->w);
	if (r == WORK_OK)
		r = everywhere(t, "guest reads it back", VBLK_T_IN, is_pattern);
	if (r == WORK_OK)
		printf("written, flushed, read back: the same\n");
	return r;
}

/* What a discarded sector reads as is nobody's promise, 5.2.6.2. */
static enum work_result discard(struct trial *t)
{
	enum work_result r = WORK_OK;

	if (!(t->w->driver->features & VBLK_F_DISCARD))
		return WORK_OK;
	for (unsigned i = 0; i < t->places && r == WORK_OK; i++)
		r = work_extent(t->w, VBLK_T_DISCARD, t->place[i].sector,
				t->place[i].sectors, 0);
	if (r == WORK_OK)
		printf("discarded\n");
	return r;
}

/* One half of each place may be deallocated, the other may not. */
static enum work_result zero(struct trial *t, const struct place *p)
{
	uint32_t half = p->sectors / 2u;
	enum work_result r = WORK_OK;

	if (half > 0)
		r = work_extent(t->w, VBLK_T_WRITE_ZEROES, p->sector, half,
				VBLK_EXTENT_UNMAP);
	if (r == WORK_OK)
		r = work_extent(t->w, VBLK_T_WRITE_ZEROES, p->sector + half,
				p->sectors - half, 0);
	return r;
}

static enum work_result zeroes(struct trial *t)
{
	enum work_result r;

	if (!(t->w->driver->features & VBLK_F_WRITE_ZEROES))
		return WORK_OK;
	/* else a disk that ignored discard would have nothing to zero */
	r = everywhere(t, "guest writes a pattern", VBLK_T_OUT, put_pattern);
	for (unsigned i = 0; i < t->places && r == WORK_OK; i++)
		r = zero(t, &t->place[i]);
	if (r == WORK_OK)
		r = everywhere(t, "guest reads zeroes", VBLK_T_IN, is_zero);
	if (r == WORK_OK)
		printf("zeroes written, read back: all zero\n");
	return r;
}

/* Every place, even if one fails: as much as possible is put back. */
static enum work_result restore(struct trial *t)
{
	enum work_result worst = WORK_OK, r;

	for (unsigned i = 0; i < t->places; i++) {
		r = work_pass(t->w, "guest restores", VBLK_T_OUT,
			      t->place[i].sector, t->place[i].sectors, put_back,
			      &t->place[i]);
		if (r != WORK_OK)
			worst = r;
	}
	r = work_flush(t->w);
	if (worst == WORK_OK && r == WORK_OK)
		r = everywhere(t, "guest reads it back", VBLK_T_IN, is_back);
	if (worst == WORK_OK && r == WORK_OK)
		printf("restored, flushed, read back: as before\n");
	return worst == WORK_OK ? r : worst;
}

/* --- all of it ------------------------------------------------------------ */

static bool choose(struct trial *t)
{
	uint64_t all = t->w->driver->capacity, zone;
	struct place *end = &t->place[0];

	end->sectors = TRIAL_BYTES / VBLK_SECTOR_SIZE;
	if (end->sectors > (all + 1u) / 2u)
		end->sectors = (uint32_t)((all + 1u) / 2u);
	end->sector = all - end->sectors;
	t->places = end->sectors > 0;
	zone = end->sector / TRIAL_FEW;
	for (unsigned i = 0; zone > 8u && i < TRIAL_FEW; i++) {
		struct place *p = &t->place[t->places++];
		uint32_t room = zone - 8u > UINT32_MAX ? UINT32_MAX
						       : (uint32_t)(zone - 8u);

		p->sector = zone * i + work_pick(t->w, room);
		p->sectors = 1u + work_pick(t->w, 8);
	}
	for (unsigned i = 0; i < t->places; i++) {
		struct place *p = &t->place[i];
		vblk_gpa at = driver_alloc(
			t->w->driver, (uint64_t)p->sectors * VBLK_SECTOR_SIZE,
			4096);

		if (at == 0)
			return false;
		p->saved = hv_memory(t->w->driver->hv, at);
	}
	return true;
}

static enum work_result put_all_back(struct trial *t)
{
	const volatile sig_atomic_t *stop = t->w->stop;
	enum work_result r;
	char why[WORK_WHY];

	t->w->stop = NULL;
	r = restore(t);
	t->w->stop = stop;
	if (r == WORK_OK)
		return r;
	memcpy(why, t->w->why, sizeof(why));
	snprintf(t->w->why, sizeof(t->w->why),
		 "THE IMAGE WAS NOT RESTORED: %.100s", why);
	return r;
}

enum work_result trial_run(struct work *w)
{
	struct trial t = { .w = w };
	enum work_result r, back;
	char why[WORK_WHY], size[REPORT_SIZE];

	if (!choose(&t)) {
		snprintf(w->why, sizeof(w->why), "no guest memory is left");
		return WORK_FAILED;
	}
	if (t.places == 0)
		return WORK_OK;
	r = everywhere(&t, "guest saves what is there", VBLK_T_IN, save);
	if (r != WORK_OK)
		return r;
	printf("saved the last %s and %u other places\n",
	       report_bytes((uint64_t)t.place[0].sectors * VBLK_SECTOR_SIZE,
			    size),
	       t.places - 1u);
	r = pattern(&t);
	if (r == WORK_OK)
		r = discard(&t);
	if (r == WORK_OK)
		r = zeroes(&t);
	memcpy(why, w->why, sizeof(why));
	back = put_all_back(&t);
	if (back != WORK_OK)
		return back;
	memcpy(w->why, why, sizeof(why));
	return r;
}

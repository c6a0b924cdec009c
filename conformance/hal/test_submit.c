/* SPDX-License-Identifier: BSD-2-Clause */
/* SUB-1 to SUB-6 and CAN-1: the store behind submit. */
#include <string.h>

#include "hal.h"

#define FEW 8u                  /* requests */

/* Sectors of the i-th request: eight each, so that they do not meet. */
static uint32_t at(unsigned i)
{
	return i * 8u % (STAMPS - 8u);
}

static void queue_many(struct t *t, unsigned n, uint32_t type)
{
	for (unsigned i = 0; i < n; i++)
		(void)t_queue(t, 0, type, at(i), 1 + i % 8u);
}

static void check_reads(struct t *t)
{
	for (unsigned q = 0; q < t->queues; q++)
		for (unsigned i = 0; i < t->ring[q].slots; i++)
			if (t->ring[q].slot[i].done &&
			    t->ring[q].slot[i].type == T_IN)
				t_check_data(t, q, i);
}

/* --- SUB-1 ---------------------------------------------------------------- */

static bool refused(struct t *t)
{
	struct watch_entry e;

	(void)t;
	for (size_t i = 0; (i = watch_find(i, WATCH_SUBMIT)) != SIZE_MAX; i++)
		if (watch_at(i, &e) && e.b < e.a)
			return true;
	return false;
}

/* As many as the store takes and more: its depth, or all that fits. */
static unsigned flood(struct t *t, uint32_t type)
{
	unsigned n = 0;
	int r = t->f->store_fault ? t->f->store_fault(t->f, FIXTURE_DEPTH, 3)
				  : FIXTURE_MISSING;

	if (r != FIXTURE_CANNOT)
		t_did(t, r, "store_fault: DEPTH");
	t_fault(t, FIXTURE_HOLD, 1);
	for (unsigned q = 0; q < t->queues; q++) {
		unsigned most = r == FIXTURE_OK ? FEW : t->ring[q].slots;

		for (unsigned i = 0; i < most; i++, n++)
			(void)t_queue(t, q, type, at(n), 1 + n % 8u);
		t_kick(t, q);
	}
	return n;
}

static void accepts_from_the_front(struct t *t)
{
	unsigned n;

	t_start(t, 0, 2, DRIVE_FLUSH);
	n = flood(t, T_OUT);
	t_await(t, refused,
		"a submit that takes less than all: the store's "
		"depth (store_fault: DEPTH lowers it)");
	t_fault(t, FIXTURE_HOLD, 0);
	t_finish(t, 0);
	t_settle(t);
	t_check(t,
		watch_in_flight() == 0 && watch_sum(0, WATCH_ACCEPTED) == n &&
			watch_sum(0, WATCH_DONE) == n,
		"%u requests: %u accepted, %u DONE", n,
		watch_sum(0, WATCH_ACCEPTED), watch_sum(0, WATCH_DONE));
}

static void refused_tail_comes_again_in_order(struct t *t)
{
	struct watch_entry e;
	uint32_t next = 0;

	t_start(t, 0, 1, DRIVE_FLUSH);
	(void)flood(t, T_IN);
	t_settle(t);
	t_fault(t, FIXTURE_HOLD, 0);
	t_finish(t, 0);
	for (size_t i = 0; (i = watch_find(i, WATCH_ACCEPTED)) != SIZE_MAX;
	     i++, next++) {
		(void)watch_at(i, &e);
		t_check(t, e.a == at(next),
			"request %u was accepted with sector %llu, not %u: the "
			"order of the ring is %u, %u, %u ...",
			next, (unsigned long long)e.a, at(next), at(0), at(1),
			at(2));
	}
}

/* --- SUB-2 ---------------------------------------------------------------- */

/* Sectors of what was DONE, in that order. */
static struct { uint64_t sector[FEW]; unsigned n; } finished;

static void note_finished(void *ctx, const struct vblk_req *r, uint8_t status)
{
	(void)ctx;
	(void)status;
	if (finished.n < FEW)
		finished.sector[finished.n++] = r->sector;
}

static void any_order_of_completion(struct t *t)
{
	bool backwards = false;

	t_start(t, 0, 1, DRIVE_FLUSH);
	queue_many(t, FEW, T_OUT);
	t_kick(t, 0);
	t_finish(t, 0);
	t_fault(t, FIXTURE_HOLD, 1);
	t_fault(t, FIXTURE_LAST_FIRST, 1);
	finished.n = 0;
	watch_on_done(note_finished, NULL);
	t->completions = 0;
	queue_many(t, FEW, T_IN);
	t_kick(t, 0);
	t_settle(t);
	t_fault(t, FIXTURE_HOLD, 0);
	t_finish(t, 0);
	check_reads(t);
	for (unsigned i = 0; i < FEW; i++) {
		const struct slot *s = &t->ring[0].slot[i];

		t_check(t,
			s->order - 1u < FEW &&
				finished.sector[s->order - 1u] == s->sector,
			"request %u, at sector %u, comes back as number %u; "
			"the store finished another one then",
			i, s->sector, (unsigned)s->order);
		backwards = backwards ||
			    (i > 0 && s->order < t->ring[0].slot[i - 1].order);
	}
	t_check(t, backwards,
		"the store finished %u requests in the order in which it got "
		"them, though it was to finish the last first",
		FEW);
}

/* --- SUB-3 ---------------------------------------------------------------- */

static void counts(struct t *t)
{
	t_settle(t);
	t_check(t,
		watch_sum(0, WATCH_ACCEPTED) == watch_sum(0, WATCH_DONE) &&
			watch_in_flight() == 0,
		"%u accepted, %u DONE", watch_sum(0, WATCH_ACCEPTED),
		watch_sum(0, WATCH_DONE));
	(void)t_all_back(t);    /* nothing came back again */
}

static void done_exactly_once(struct t *t)
{
	t_start(t, 0, 1, DRIVE_FLUSH);
	for (unsigned round = 0; round < 6; round++) {
		queue_many(t, FEW, round % 2u ? T_IN : T_OUT);
		(void)t_queue(t, 0, T_FLUSH, 0, 0);
		t_kick(t, 0);
		t_finish(t, 0);
		check_reads(t);
	}
	counts(t);
}

static void failed_is_done_too(struct t *t)
{
	unsigned failed = 0;

	t_start(t, 0, 1, DRIVE_FLUSH);
	t_fault(t, FIXTURE_FAIL, 3);
	queue_many(t, FEW, T_OUT);
	t_kick(t, 0);
	t_await_all(t);
	for (unsigned i = 0; i < FEW; i++)
		failed += t->ring[0].slot[i].status == 1;
	t_check(t, failed == 3,
		"%u requests ended with IOERR where the disk "
		"failed 3",
		failed);
	counts(t);
	t_works(t, "an answer after errors of the disk");
}

/* --- SUB-4 ---------------------------------------------------------------- */

static void read_all(struct t *t, unsigned n, const char *when)
{
	for (unsigned i = 0; i < n; i++) {
		unsigned slot = t_queue(t, 0, T_IN, at(i), 8);

		t_kick(t, 0);
		t_finish(t, 0);
		t_check(t, t_data_good(t, &t->ring[0].slot[slot]),
			"%s: sectors %u to %u are not what was written and "
			"flushed before the power loss",
			when, at(i), at(i) + 7u);
	}
}

static void write_all(struct t *t, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		(void)t_queue(t, 0, T_OUT, at(i), 8);
	t_kick(t, 0);
	t_finish(t, 0);
}

static void flush_survives_power_loss(struct t *t)
{
	t_start(t, 0, 1, DRIVE_FLUSH);
	write_all(t, 2u * FEW);
	(void)t_queue(t, 0, T_FLUSH, 0, 0);
	t_kick(t, 0);
	t_finish(t, 0);
	t_fault(t, FIXTURE_CUT, 0);
	watch_died();
	t_start(t, 0, 1, DRIVE_FLUSH);
	read_all(t, 2u * FEW, "a FLUSH was DONE");
}

/* Without FLUSH the driver takes every write to be durable when it is done. */
static void write_through_survives_power_loss(struct t *t)
{
	t_start(t, 0, 1, 0);
	write_all(t, 2u * FEW);
	t_fault(t, FIXTURE_CUT, 0);
	watch_died();
	t_start(t, 0, 1, 0);
	read_all(t, 2u * FEW, "without FLUSH, writes were DONE");
}

/* --- SUB-5, SUB-6 --------------------------------------------------------- */

/* On the thread that delivers DONE, before the core hears of it. */
static void look_at_read(void *ctx, const struct vblk_req *r, uint8_t status)
{
	struct t *t = ctx;
	uint8_t want[SECTOR];
	uint64_t sector = r->sector;
	uint32_t in_sector = 0;

	if (r->op != VBLK_OP_READ || status != VBLK_S_OK)
		return;
	for (uint16_t i = 0; i < r->num_segs; i++) {
		const uint8_t *p = r->seg[i].host;

		for (uint32_t n = 0; n < r->seg[i].len; n++) {
			if (in_sector == 0)
				t_stamp_sector((uint32_t)sector,
					       t->holds[sector], want);
			if (t->holds[sector] != 0 && p[n] != want[in_sector]) {
				watch_break("SUB-5",
					    "DONE of a read of sector %llu "
					    "comes before its data",
					    (unsigned long long)sector);
				return;
			}
			if (++in_sector == SECTOR) {
				in_sector = 0;
				sector++;
			}
		}
	}
}

static void data_before_done(struct t *t)
{
	t_start(t, 0, 1, DRIVE_FLUSH);
	queue_many(t, FEW, T_OUT);
	t_kick(t, 0);
	t_finish(t, 0);
	watch_on_done(look_at_read, t);
	for (unsigned round = 0; round < 4; round++) {
		queue_many(t, FEW, T_IN);
		t_kick(t, 0);
		t_finish(t, 0);
		check_reads(t);
	}
}

static void hands_off_after_done(struct t *t)
{
	static uint8_t mine[DATA_MAX], is[DATA_MAX];

	memset(mine, 0xc3, sizeof(mine));
	t_start(t, 0, 1, DRIVE_FLUSH);
	queue_many(t, FEW, T_OUT);
	t_kick(t, 0);
	t_finish(t, 0);
	queue_many(t, FEW, T_IN);
	t_kick(t, 0);
	t_finish(t, 0);
	/* the driver has its memory back and uses it for something else */
	for (unsigned i = 0; i < FEW; i++)
		t_write(t, t_data(t, 0, i), mine, sizeof(mine));
	/* other requests, of other memory, while the store might still write */
	for (unsigned i = 0; i < FEW; i++)
		(void)t_queue_at(t, 0, T_IN, at(i), 1, t_data(t, 0, FEW));
	t_kick(t, 0);
	t_await_all(t);
	t_settle(t);
	for (unsigned i = 0; i < FEW; i++) {
		t_read(t, t_data(t, 0, i), is, sizeof(is));
		t_check(t, memcmp(is, mine, sizeof(is)) == 0,
			"the buffer of a read was written after the read was "
			"complete");
	}
}

/* --- CAN-1 ---------------------------------------------------------------- */

static bool reset_answered(struct t *t)
{
	uint64_t v;

	return t_answered(t, 0, &v);
}

static void cancelled_is_done_once(struct t *t)
{
	unsigned accepted;

	t_start(t, 0, 1, DRIVE_FLUSH);
	t_fault(t, FIXTURE_HOLD, 1);
	queue_many(t, FEW, T_OUT);
	t_kick(t, 0);
	t_settle(t);
	accepted = watch_in_flight();
	t_check(t, accepted > 0,
		"nothing is in flight in a store that holds "
		"what it has");
	t_access_start(t, 0, true, REG_STATUS, 4, 0);
	t_settle(t);
	t_check(t,
		!watch_has_cancel() || watch_sum(0, WATCH_CANCEL) >= accepted,
		"a reset with %u requests in flight: cancel was called %u "
		"times",
		accepted, watch_sum(0, WATCH_CANCEL));
	t_fault(t, FIXTURE_HOLD, 0);
	t_await(t, reset_answered,
		"the answer to a reset, whose requests were "
		"cancelled or finished");
	t_settle(t);
	t_check(t,
		watch_in_flight() == 0 && watch_sum(0, WATCH_DONE) ==
						  watch_sum(0, WATCH_ACCEPTED),
		"%u accepted, %u DONE", watch_sum(0, WATCH_ACCEPTED),
		watch_sum(0, WATCH_DONE));
	t_bring_up(t, 1, DRIVE_FLUSH);
	t_works(t, "an answer after a reset with cancelled requests");
}

const struct test tests_submit[] = {
	{ "hal_SUB_1__accepts_from_the_front", 0, accepts_from_the_front },
	{ "hal_SUB_1__refused_tail_comes_again_in_order", 0,
	  refused_tail_comes_again_in_order },
	{ "hal_SUB_2__any_order_of_completion", 0, any_order_of_completion },
	{ "hal_SUB_3__done_exactly_once", 0, done_exactly_once },
	{ "hal_SUB_3__failed_is_done_too", 0, failed_is_done_too },
	{ "hal_SUB_4__flush_survives_power_loss", 0,
	  flush_survives_power_loss },
	{ "hal_SUB_4__write_through_survives_power_loss", 0,
	  write_through_survives_power_loss },
	{ "hal_SUB_5__data_before_done", 0, data_before_done },
	{ "hal_SUB_6__hands_off_after_done", 0, hands_off_after_done },
	{ "hal_CAN_1__cancelled_is_done_once", FIXTURE_REGISTERS,
	  cancelled_is_done_once },
	{ NULL, 0, NULL }
};

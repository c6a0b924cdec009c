/* SPDX-License-Identifier: BSD-2-Clause */
/* SAV-1 to SAV-3, EV-1, EV-2, LIFE-1. */
#include "hal.h"

/* --- SAV-1 ---------------------------------------------------------------- */

static void saved_before_the_answer(struct t *t)
{
	static const uint32_t changes[][2] = { { REG_STATUS, 1 },
					       { REG_STATUS, 3 },
					       { REG_QUEUE_NUM, 16 },
					       { REG_QUEUE_READY, 1 } };
	struct watch_entry e;

	t_start(t, 0, 1, DRIVE_FLUSH);
	t_check(t, watch_has_save(),
		"the port has no save: nothing outlives "
		"it; by_construction is the place to say "
		"so");
	t_set(t, REG_STATUS, 0);
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		size_t from = watch_count(), save, answer;

		t_set(t, changes[i][0], changes[i][1]);
		save = watch_find(from, WATCH_SAVE);
		answer = watch_find(from, WATCH_REPLY);
		t_check(t, watch_at(answer, &e) && e.a == changes[i][0],
			"a write at 0x%03x has no answer", changes[i][0]);
		t_check(t, save < answer,
			"a write of %u at 0x%03x was answered before save",
			changes[i][1], changes[i][0]);
	}
}

static bool cpu0_answered(struct t *t)
{
	uint64_t v;

	return t_answered(t, 0, &v);
}

static void held_is_saved_twice(struct t *t)
{
	size_t from, answer;

	t_start(t, 0, 1, DRIVE_FLUSH);
	t_fault(t, FIXTURE_HOLD, 2);
	(void)t_queue(t, 0, T_OUT, 0, 8);
	t_kick(t, 0);
	t_settle(t);
	from = watch_count();
	t_access_start(t, 0, true, REG_STATUS, 4, 0);
	t_settle(t);
	t_check(t, watch_sum(from, WATCH_SAVE) == 1,
		"a reset that is held was saved %u times as it came in",
		watch_sum(from, WATCH_SAVE));
	t_fault(t, FIXTURE_HOLD, 0);
	t_await(t, cpu0_answered, "the answer to a reset");
	answer = watch_find(from, WATCH_REPLY);
	t_check(t,
		watch_sum(from, WATCH_SAVE) - watch_sum(answer, WATCH_SAVE) ==
			2,
		"before a held reset is answered its end is not saved");
}

/* --- SAV-2, SAV-3 --------------------------------------------------------- */

static bool died(struct t *t)
{
	(void)t;
	return watch_killed();
}

static void outlives_the_back_end(struct t *t)
{
	t_start(t, 0, 1, DRIVE_FLUSH);
	for (unsigned i = 0; i < 3; i++) {
		t_works(t, "an answer before a death of the back end");
		t_die(t);
		t_check(t, t_reg(t, REG_STATUS) == STATUS_DRIVER_OK,
			"Status is %u after the back end came back, and was "
			"%u",
			t_reg(t, REG_STATUS), STATUS_DRIVER_OK);
		t_set(t, REG_QUEUE_SEL, 0);
		t_check(t, t_reg(t, REG_QUEUE_READY) == 1,
			"QueueReady is 0 after the back end came back");
		t_works(t, "an answer from the back end that came back");
	}
}

/*
 * It dies with half of a blob stored, at each save in turn of a reset and a
 * bring-up. The access comes again; the driver notices nothing.
 */
static void old_blob_or_new(struct t *t)
{
	unsigned reached = 0;

	t_start(t, 0, 1, DRIVE_FLUSH);
	for (unsigned n = 1; n <= 24; n++) {
		watch_kill(WATCH_IN_SAVE, n);
		t_bring_up(t, 1, DRIVE_FLUSH);
		t_works(t, "an answer after a death in the middle of save");
		reached += watch_killed();
		watch_kill(WATCH_NO_DEATH, 0);
	}
	t_check(t, reached >= 6, "save was reached %u times in a bring-up",
		reached);
}

static void unanswered_comes_again(struct t *t)
{
	uint32_t v;

	t_start(t, 0, 1, DRIVE_FLUSH);
	/* a read, a write, a kick */
	watch_kill(WATCH_AT_ACCESS, 1);
	v = t_reg(t, REG_MAGIC);
	t_await(t, died, "the death that was planned");
	t_check(t, v == 0x74726976u, "MagicValue is 0x%x, read over a death",
		v);
	watch_kill(WATCH_AT_ACCESS, 1);
	t_set(t, REG_STATUS, 0);
	t_check(t, watch_killed() && t_reg(t, REG_STATUS) == 0,
		"a reset over a death: Status is %u", t_reg(t, REG_STATUS));
	t_bring_up(t, 1, DRIVE_FLUSH);
	(void)t_queue(t, 0, T_OUT, 0, 8);
	watch_kill(WATCH_AT_ACCESS, 1);
	t_set(t, REG_NOTIFY, 0);
	t_await_all(t);
	t_check(t, watch_killed(), "the death that was planned did not come");
	t_works(t, "an answer after three deaths");
}

/* --- EV-1, EV-2 ----------------------------------------------------------- */

/* Two CPUs, the first before the second: so they come in. */
static void oldest_first(struct t *t)
{
	struct watch_entry e;
	size_t from, first, second;
	uint64_t v;

	t_start(t, FIXTURE_PULL, 1, DRIVE_FLUSH);
	for (unsigned i = 0; i < 8; i++) {
		from = watch_count();
		t_access_start(t, i % 2u, true, REG_QUEUE_SEL, 4, 0x100u + i);
		t_access_start(t, 1u - i % 2u, true, REG_QUEUE_SEL, 4,
			       0x200u + i);
		t_settle(t);
		t_check(t, t_answered(t, 0, &v) && t_answered(t, 1, &v),
			"two accesses are not both answered");
		first = watch_find(from, WATCH_ACCESS);
		second = watch_find(first + 1u, WATCH_ACCESS);
		t_check(t,
			second != SIZE_MAX && watch_at(first, &e) &&
				e.b == 0x100u + i,
			"the access that was made second comes in first");
	}
	t_works(t, "an answer of a lane that pulls its events");
	t_check(t, watch_sum(0, WATCH_EVENTS) > 0, "events was never called");
}

static void answers_when_the_time_is_over(struct t *t)
{
	struct watch_entry e;
	unsigned none = 0;

	t_start(t, FIXTURE_PULL, 1, DRIVE_FLUSH);
	t_settle(t);
	for (size_t i = 0; (i = watch_find(i, WATCH_EVENTS)) != SIZE_MAX; i++) {
		(void)watch_at(i, &e);
		t_check(t, (int64_t)e.b >= 0,
			"events returns %lld with nothing "
			"wrong",
			(long long)e.b);
		none += e.b == 0;
	}
	t_check(t, none > 0, "events never returned 0 with nothing to do");
	t_works(t, "an answer after some time without events");
}

static void stores_before_the_event(struct t *t)
{
	uint8_t v[4] = { 0 };

	t_start(t, 0, 1, DRIVE_FLUSH);
	t_io(t, T_OUT, 0, 1);
	for (unsigned i = 1; i <= 40; i++) {
		(void)t_queue(t, 0, i % 2u ? T_OUT : T_IN, 8u * (i % 32u), 1);
		v[0] = (uint8_t)i;
		v[1] = 0x77;
		t_write(t, t_marker(t), v, sizeof(v));
		watch_expect(0x7700u | i);
		if (i % 3u == 0 && t_registers(t))
			t_set(t, REG_NOTIFY, 0);
		else
			t_kick(t, 0);
		t_finish(t, 0);
		/* what follows is another event's */
		t_settle(t);
	}
	t_check(t, watch_expected() > 0, "no event was looked at");
}

/* --- LIFE-1 --------------------------------------------------------------- */

static bool stopped(struct t *t)
{
	(void)t;
	return watch_find(0, WATCH_STOP) != SIZE_MAX;
}

static bool store_empty(struct t *t)
{
	(void)t;
	return watch_in_flight() == 0;
}

static bool four_are_out(struct t *t)
{
	(void)t_take(t, 0);
	return t_out(t) <= 4;
}

static unsigned hal_calls(size_t from)
{
	return watch_sum(from, WATCH_SUBMIT) + watch_sum(from, WATCH_SIGNAL) +
	       watch_sum(from, WATCH_REPLY) + watch_sum(from, WATCH_MAP) +
	       watch_sum(from, WATCH_UNMAP) + watch_sum(from, WATCH_CANCEL) +
	       watch_sum(from, WATCH_SAVE);
}

static void silence_after_stop(struct t *t)
{
	unsigned accepted;
	size_t from;

	t_start(t, 0, 1, DRIVE_FLUSH);
	t_works(t, "an answer before the end");
	t_fault(t, FIXTURE_HOLD, 1);
	for (unsigned i = 0; i < 4; i++)
		(void)t_queue(t, 0, T_OUT, 8u * i, 8);
	t_kick(t, 0);
	t_settle(t);
	accepted = watch_in_flight();
	t_check(t, accepted > 0,
		"nothing is in flight in a store that holds "
		"what it has");
	t_platform(t, FIXTURE_STOP, 0, 0);
	t_await(t, stopped, "VBLK_EV_STOP, or that the lane is stopped");
	/* too late for these */
	for (unsigned i = 4; i < 8; i++)
		(void)t_queue(t, 0, T_OUT, 8u * i, 8);
	t_settle(t);
	t_fault(t, FIXTURE_HOLD, 0);
	t_await(t, store_empty, "that what is in flight is finished");
	t_await(t, four_are_out, "that the driver hears of what was finished");
	t_settle(t);
	t_settle(t);
	(void)t_take(t, 0);
	t_check(t, t_out(t) == 4,
		"%u of 4 requests that were in flight are "
		"back",
		8u - t_out(t));
	from = watch_count();
	if (t->f->guest_kick)
		(void)t->f->guest_kick(t->f, 0);
	t_settle(t);
	t_check(t, hal_calls(from) == 0,
		"%u HAL functions were called after the end", hal_calls(from));
}

const struct test tests_life[] = {
	{ "hal_SAV_1__saved_before_the_answer", FIXTURE_REGISTERS,
	  saved_before_the_answer },
	{ "hal_SAV_1__held_is_saved_twice", FIXTURE_REGISTERS,
	  held_is_saved_twice },
	{ "hal_SAV_2__outlives_the_back_end", FIXTURE_REGISTERS,
	  outlives_the_back_end },
	{ "hal_SAV_2__old_blob_or_new", FIXTURE_REGISTERS, old_blob_or_new },
	{ "hal_SAV_3__unanswered_comes_again", FIXTURE_REGISTERS,
	  unanswered_comes_again },
	{ "hal_EV_1__oldest_first", FIXTURE_REGISTERS, oldest_first },
	{ "hal_EV_1__answers_when_the_time_is_over", FIXTURE_REGISTERS,
	  answers_when_the_time_is_over },
	{ "hal_EV_2__stores_before_the_event", 0, stores_before_the_event },
	{ "hal_LIFE_1__silence_after_stop", 0, silence_after_stop },
	{ NULL, 0, NULL }
};

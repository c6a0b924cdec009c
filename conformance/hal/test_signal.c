/* SPDX-License-Identifier: BSD-2-Clause */
/* SIG-1 to SIG-3. */
#include "hal.h"

#define ROUNDS 24u

static uint64_t told(struct t *t)
{
	struct fixture_signals s = t_signals(t);

	return s.queues + s.config;
}

static uint64_t before;

static bool was_told(struct t *t)
{
	return told(t) > before;
}

/* The driver acknowledges what it finds, where that is to be done. */
static void acknowledge(struct t *t)
{
	uint32_t v;

	if (!t_registers(t))
		return;
	v = t_reg(t, REG_INTERRUPT);
	if (v)
		t_set(t, REG_ACK, v);
}

static void stores_before_the_interrupt(struct t *t)
{
	t_start(t, 0, 1, DRIVE_FLUSH);
	watch_mark(true, 0);
	for (unsigned i = 0; i < ROUNDS; i++) {
		before = told(t);
		(void)t_queue(t, 0, i % 2u ? T_IN : T_OUT, 8u * (i % 32u), 2);
		t_kick(t, 0);
		/* told of nothing it may be, and then once more */
		do {
			t_await(t, was_told,
				"that the guest is told of a completion, and "
				"then finds it in the used ring");
			before = told(t);
		} while (t_take(t, 0) == 0);
		acknowledge(t);
	}
	watch_mark(false, 0);
	t_check(t, watch_marked() > 0,
		"no signal was looked at: does guest_signals count at once?");
}

/* --- SIG-2 ---------------------------------------------------------------- */

static unsigned ups(size_t from, uint16_t source)
{
	struct watch_entry e;
	unsigned n = 0;

	for (size_t i = from; (i = watch_find(i, WATCH_SIGNAL)) != SIZE_MAX;
	     i++)
		n += watch_at(i, &e) && e.queue == source && e.a;
	return n;
}

/* The driver acknowledges nothing, and yet is told each time. */
static void up_for_each_obligation(struct t *t)
{
	size_t from;

	t_start(t, 0, 1, DRIVE_FLUSH);
	t_works(t, "an answer to a first request");
	t_settle(t);
	from = watch_count();
	for (unsigned i = 1; i <= 4; i++) {
		before = told(t);
		(void)t_queue(t, 0, T_OUT, 8u * i, 1);
		t_kick(t, 0);
		t_finish(t, 0);
		t_settle(t);
		t_check(t, ups(from, 0) == i,
			"%u requests completed one by one: up was called %u "
			"times for their queue",
			i, ups(from, 0));
		t_check(t, told(t) > before || t->f->can & FIXTURE_LINE,
			"up was called, and the guest was not told");
		t_check(t, !(t->f->can & FIXTURE_LINE) || t_signals(t).line,
			"up was called, and the line is down");
	}
}

static bool config_told(struct t *t)
{
	(void)t;
	return ups(0, VBLK_SOURCE_CONFIG) > 0;
}

/* The available index far ahead: the ring is not to be trusted (2.7.13.3). */
static void fault_is_told_once(struct t *t)
{
	static const uint8_t ahead[2] = { 0x55, 0x55 };
	struct fixture_signals now, first;

	t_start(t, 0, 1, DRIVE_FLUSH);
	first = t_signals(t);
	t_write(t, t->ring[0].avail + 2u, ahead, sizeof(ahead));
	t_kick(t, 0);
	t_await(t, config_told, "a signal that the device needs a reset");
	t_settle(t);
	now = t_signals(t);
	/* with a line of one's own for it, by that */
	t_check(t,
		now.config > first.config ||
			(t_registers(t) && now.queues > first.queues),
		"up was called, and the guest was not told");
	if (t_registers(t))
		t_check(t, t_reg(t, REG_STATUS) & STATUS_NEEDS_RESET,
			"the guest was told, and Status has no "
			"DEVICE_NEEDS_RESET");
	if (t_registers(t))     /* others may refuse to be kicked by now */
		t_kick(t, 0);
	t_settle(t);
	t_check(t, ups(0, VBLK_SOURCE_CONFIG) == 1,
		"one fault: up was called %u times",
		ups(0, VBLK_SOURCE_CONFIG));
}

/* --- SIG-3 ---------------------------------------------------------------- */

static bool went_down(size_t from)
{
	struct watch_entry e;

	for (size_t i = from; (i = watch_find(i, WATCH_SIGNAL)) != SIZE_MAX;
	     i++)
		if (watch_at(i, &e) && e.queue == VBLK_SOURCE_LINE && !e.a)
			return true;
	return false;
}

/* Two reasons for one line: it falls when both are acknowledged. */
static void down_when_all_is_acknowledged(struct t *t)
{
	static const uint8_t ahead[2] = { 0x55, 0x55 };
	bool line = t->f->can & FIXTURE_LINE;
	size_t from;

	t_start(t, 0, 2, DRIVE_FLUSH);
	(void)t_queue(t, 0, T_OUT, 0, 1);
	t_kick(t, 0);
	t_finish(t, 0);
	t_write(t, t->ring[t->queues - 1u].avail + 2u, ahead, sizeof(ahead));
	t_kick(t, t->queues - 1u);
	t_await(t, config_told, "a signal that the device needs a reset");
	t_check(t, t_reg(t, REG_INTERRUPT) == 3,
		"a completion and a fault, and InterruptStatus is %u, not 3",
		t_reg(t, REG_INTERRUPT));
	from = watch_count();
	t_set(t, REG_ACK, 1);
	t_settle(t);
	t_check(t, !went_down(from) && (!line || t_signals(t).line),
		"the line goes down with one of two reasons acknowledged");
	t_set(t, REG_ACK, 2);
	t_settle(t);
	t_check(t, went_down(from),
		"all is acknowledged, and signal was not "
		"called with down");
	t_check(t, !line || !t_signals(t).line,
		"all is acknowledged, and the line is up");
}

const struct test tests_signal[] = {
	{ "hal_SIG_1__stores_before_the_interrupt", 0,
	  stores_before_the_interrupt },
	{ "hal_SIG_2__up_for_each_obligation", 0, up_for_each_obligation },
	{ "hal_SIG_2__fault_is_told_once", 0, fault_is_told_once },
	{ "hal_SIG_3__down_when_all_is_acknowledged", FIXTURE_REGISTERS,
	  down_when_all_is_acknowledged },
	{ NULL, 0, NULL }
};

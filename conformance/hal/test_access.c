/* SPDX-License-Identifier: BSD-2-Clause */
/* ACC-1 to ACC-4. */
#include "hal.h"

#define CPU_OTHER 1u

static bool cpu0_answered(struct t *t)
{
	uint64_t v;

	return t_answered(t, 0, &v);
}

/* A reset with requests in flight; it is in the lane, and not answered. */
static void hold_a_reset(struct t *t)
{
	t_start(t, 0, 1, DRIVE_FLUSH);
	t_fault(t, FIXTURE_HOLD, 2);
	for (unsigned i = 0; i < 4; i++)
		(void)t_queue(t, 0, T_OUT, 8u * i, 8);
	t_kick(t, 0);
	t_settle(t);
	t_check(t, watch_in_flight() > 0,
		"nothing is in flight in a store "
		"that holds what it has");
	t_access_start(t, 0, true, REG_STATUS, 4, 0);
	t_settle(t);
}

static void every_access_once(struct t *t)
{
	static const uint32_t regs[] = { REG_MAGIC,	REG_VERSION,
					 REG_DEVICE,	REG_QUEUE_MAX,
					 REG_INTERRUPT, REG_STATUS,
					 REG_CONFIG,	REG_CONFIG + 4u,
					 0x0fcu };
	const unsigned n = sizeof(regs) / sizeof(regs[0]);
	size_t from;

	t_start(t, 0, 1, DRIVE_FLUSH);
	from = watch_count();
	for (unsigned i = 0; i < n; i++) {
		(void)t_access(t, 0, false, regs[i], 4, 0);
		(void)t_access(t, CPU_OTHER, true, REG_QUEUE_SEL, 4, 0);
	}
	t_settle(t);
	t_check(t,
		watch_sum(from, WATCH_ACCESS) == 2u * n &&
			watch_sum(from, WATCH_REPLY) == 2u * n,
		"the guest made %u accesses: %u came in, %u were answered",
		2u * n, watch_sum(from, WATCH_ACCESS),
		watch_sum(from, WATCH_REPLY));
}

static void held_is_answered_once(struct t *t)
{
	hold_a_reset(t);
	t_check(t, !cpu0_answered(t) || watch_in_flight() == 0,
		"a reset was answered with %u requests in flight",
		watch_in_flight());
	t_fault(t, FIXTURE_HOLD, 0);
	t_await(t, cpu0_answered,
		"the answer to a reset, after the last "
		"request was DONE");
	t_settle(t);
	t_check(t, watch_sum(0, WATCH_ACCESS) == watch_sum(0, WATCH_REPLY),
		"%u accesses came in, %u were answered",
		watch_sum(0, WATCH_ACCESS), watch_sum(0, WATCH_REPLY));
	t_bring_up(t, 1, DRIVE_FLUSH);
	t_works(t, "an answer after a reset that was held");
}

static void value_and_stores_before_the_answer(struct t *t)
{
	uint64_t capacity;

	t_start(t, 0, 1, DRIVE_FLUSH);
	watch_mark(true, 0);
	t_check(t, t_reg(t, REG_MAGIC) == 0x74726976u, "MagicValue is 0x%x",
		t_reg(t, REG_MAGIC));
	t_check(t, t_reg(t, REG_VERSION) == 2 && t_reg(t, REG_DEVICE) == 2,
		"Version and DeviceID are %u and %u, not 2 and 2",
		t_reg(t, REG_VERSION), t_reg(t, REG_DEVICE));
	capacity = (uint64_t)t_reg(t, REG_CONFIG + 4u) << 32;
	capacity |= t_reg(t, REG_CONFIG);
	t_check(t, capacity == t->f->sectors,
		"the capacity reads %llu sectors, the disk has %u",
		(unsigned long long)capacity, t->f->sectors);
	/* single bytes and halves of the same */
	for (unsigned i = 0; i < 4; i++)
		t_check(t,
			t_access(t, 0, false, REG_CONFIG + i, 1, 0) ==
				(capacity >> (8u * i) & 0xffu),
			"byte %u of the capacity reads wrong", i);
	t_check(t,
		t_access(t, 0, false, REG_CONFIG, 2, 0) == (capacity & 0xffffu),
		"the low half of the capacity reads wrong");
	for (unsigned i = 0; i < 16; i++)
		t_set(t, REG_QUEUE_SEL, i % 2u);
	watch_mark(false, 0);
	t_check(t, watch_marked() > 0,
		"no answer was looked at: does guest_access_poll answer "
		"inside reply?");
}

static void held_blocks_no_other(struct t *t)
{
	hold_a_reset(t);
	t_check(t, !cpu0_answered(t), "a reset is not held: nothing to try");
	for (unsigned i = 0; i < 4; i++) {
		/* read as something, whatever; and in time */
		(void)t_access(t, CPU_OTHER, false, REG_STATUS, 4, 0);
		(void)t_access(t, CPU_OTHER, true, REG_QUEUE_SEL, 4, 0);
		t_check(t,
			t_access(t, CPU_OTHER, false, REG_MAGIC, 4, 0) ==
				0x74726976u,
			"another CPU reads a wrong MagicValue while a reset "
			"is held");
	}
	t_check(t, !cpu0_answered(t),
		"the reset was answered with %u "
		"requests in flight",
		watch_in_flight());
	t_fault(t, FIXTURE_HOLD, 0);
	t_await(t, cpu0_answered, "the answer to a reset");
}

static void kick_is_answered_first(struct t *t)
{
	struct watch_entry e;
	size_t kick, answer, submit;

	t_start(t, 0, 1, DRIVE_FLUSH);
	for (unsigned i = 0; i < 8; i++) {
		size_t from = watch_count();

		(void)t_queue(t, 0, T_OUT, 8u * i, 8);
		t_set(t, REG_NOTIFY, 0);
		t_finish(t, 0);
		kick = watch_find(from, WATCH_ACCESS);
		while (kick != SIZE_MAX && watch_at(kick, &e) &&
		       e.a != REG_NOTIFY)
			kick = watch_find(kick + 1u, WATCH_ACCESS);
		answer = watch_find(kick, WATCH_REPLY);
		submit = watch_find(from, WATCH_SUBMIT);
		t_check(t,
			kick != SIZE_MAX && answer != SIZE_MAX &&
				submit != SIZE_MAX,
			"a kick, its answer and a submission were to be seen");
		t_check(t, answer < submit,
			"a kick is answered after its request was submitted");
	}
}

const struct test tests_access[] = {
	{ "hal_ACC_1__every_access_once", FIXTURE_REGISTERS,
	  every_access_once },
	{ "hal_ACC_1__held_is_answered_once", FIXTURE_REGISTERS,
	  held_is_answered_once },
	{ "hal_ACC_2__value_and_stores_before_the_answer", FIXTURE_REGISTERS,
	  value_and_stores_before_the_answer },
	{ "hal_ACC_3__held_blocks_no_other", FIXTURE_REGISTERS,
	  held_blocks_no_other },
	{ "hal_ACC_4__kick_is_answered_first", FIXTURE_REGISTERS,
	  kick_is_answered_first },
	{ NULL, 0, NULL }
};

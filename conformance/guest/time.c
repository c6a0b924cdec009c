/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Time is the virtual counter's. A wait sleeps (WFI) with the virtual timer as
 * alarm clock: a hypervisor then runs somebody else, in an emulator perhaps the
 * back end that is waited for.
 */
#include "guest.h"

static uint64_t counter(void)
{
	uint64_t v;

	__asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(v)::"memory");
	return v;
}

static uint64_t frequency(void)
{
	uint64_t v;

	__asm__ volatile("mrs %0, cntfrq_el0" : "=r"(v));
	return v ? v : 62500000;        /* firmware that forgot it */
}

uint64_t time_us(void)
{
	uint64_t f = frequency(), c = counter();

	return c / f * 1000000 + c % f * 1000000 / f;
}

static void control(uint64_t v)
{
	__asm__ volatile("msr cntv_ctl_el0, %0\n\tisb" ::"r"(v) : "memory");
}

void time_start_cpu(void)
{
	control(0);
	if (platform.timer != NO_INTID)
		gic_enable(platform.timer, false);
}

void time_interrupt(void)
{
	control(0);
}

void time_sleep(uint64_t us)
{
	uint64_t ticks = us * frequency() / 1000000;

	if (!platform.gic || platform.timer == NO_INTID) {
		uint64_t start = counter();

		while (counter() - start < ticks)
			__asm__ volatile("yield");
		return;
	}
	/* Masked until asleep, or the alarm could come before that: WFI ends
	 * for a pending interrupt all the same. */
	__asm__ volatile("msr daifset, #2" ::: "memory");
	__asm__ volatile("msr cntv_tval_el0, %0" ::"r"(ticks));
	control(1);
	__asm__ volatile("dsb sy\n\twfi" ::: "memory");
	__asm__ volatile("msr daifclr, #2\n\tisb" ::: "memory");
	control(0);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exceptions. Interrupts go to gic.c; an access that may fault (start.S) goes
 * on and says so; all else is a failed test.
 */
#include "guest.h"

struct trap_frame {
	uint64_t x[31], elr, spsr, pad;
};

#define KIND_SYNC 0u
#define KIND_IRQ  1u

#define CLASS_DATA_ABORT 0x25u  /* from the same level */

extern char image_start[], guard_page[];
extern char probe_start[], probe_fault[], probe_end[];

bool probe_ld1(uint64_t addr, uint64_t *value);
bool probe_ld2(uint64_t addr, uint64_t *value);
bool probe_ld4(uint64_t addr, uint64_t *value);
bool probe_ld8(uint64_t addr, uint64_t *value);
bool probe_st1(uint64_t addr, uint64_t value);
bool probe_st2(uint64_t addr, uint64_t value);
bool probe_st4(uint64_t addr, uint64_t value);
bool probe_st8(uint64_t addr, uint64_t value);

void trap(struct trap_frame *f, uint32_t kind);

static struct fault last[CPU_MAX];

struct fault fault_last(void)
{
	return last[cpu_number()];
}

bool probe_read(uint64_t addr, uint32_t width, uint64_t *value)
{
	*value = 0;
	switch (width) {
	case 1: return probe_ld1(addr, value);
	case 2: return probe_ld2(addr, value);
	case 4: return probe_ld4(addr, value);
	case 8: return probe_ld8(addr, value);
	default: return false;
	}
}

bool probe_write(uint64_t addr, uint32_t width, uint64_t value)
{
	switch (width) {
	case 1: return probe_st1(addr, value);
	case 2: return probe_st2(addr, value);
	case 4: return probe_st4(addr, value);
	case 8: return probe_st8(addr, value);
	default: return false;
	}
}

void irq_unmask(void)
{
	__asm__ volatile("msr daifclr, #6\n\tisb" ::: "memory");
}

_Noreturn void fatal(const char *words, ...)
{
	static bool again;
	char why[256];
	va_list ap;

	if (again)
		power_off();
	again = true;
	va_start(ap, words);
	format_va(why, sizeof(why), words, ap);
	va_end(ap);
	print("not ok - guest: %s\nBail out! %s\n", why, why);
	power_off();
}

static _Noreturn void unexpected(const struct trap_frame *f, uint32_t kind,
				 const struct fault *at)
{
	static const char *const name[4] = { "exception", "interrupt", "FIQ",
					     "SError" };
	uint64_t sp;

	__asm__ volatile("mrs %0, sp_el0" : "=r"(sp));
	for (uint32_t i = 0; i < 30; i += 3)
		print("# x%-2u %016lx  x%-2u %016lx  x%-2u %016lx\n", i,
		      f->x[i], i + 1, f->x[i + 1], i + 2, f->x[i + 2]);
	print("# lr  %016lx  sp  %016lx  image at %lx\n", f->x[30], sp,
	      (uint64_t)(uintptr_t)image_start);
	if (at->far - (uint64_t)(uintptr_t)guard_page < PAGE)
		print("# the stack is too small\n");
	fatal("unexpected %s%s, CPU %u: ESR %lx, FAR %lx, ELR %lx, image + %lx",
	      name[kind & 3], kind >= 4 ? " in a handler" : "", cpu_number(),
	      at->esr, at->far, f->elr,
	      f->elr - (uint64_t)(uintptr_t)image_start);
}

void trap(struct trap_frame *f, uint32_t kind)
{
	struct fault at;
	uint64_t probe = f->elr - (uint64_t)(uintptr_t)probe_start;

	if (kind == KIND_IRQ) {
		gic_handle();
		return;
	}
	__asm__ volatile("mrs %0, esr_el1" : "=r"(at.esr));
	__asm__ volatile("mrs %0, far_el1" : "=r"(at.far));
	if (kind == KIND_SYNC && (at.esr >> 26 & 0x3f) == CLASS_DATA_ABORT &&
	    probe < (uint64_t)(probe_end - probe_start)) {
		last[cpu_number()] = at;
		f->elr = (uint64_t)(uintptr_t)probe_fault;
		return;
	}
	unexpected(f, kind, &at);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The other CPUs: woken by PSCI, on stacks of their own. */
#include "guest.h"

#define PSCI_CPU_ON 0xc4000003u
#define STACK       (8 * PAGE)
#define TRAP_STACK  (2 * PAGE)
#define PATIENCE    1000000u    /* us */

struct smp_boot {               /* read by smp_enter with the MMU off */
	uint64_t mair, tcr, ttbr, sctlr;
	uint64_t stack, trap_stack, number;
	uint64_t pad;
};

void smp_enter(void);
void smp_main(void);
void mmu_registers(uint64_t reg[4]);

static struct smp_boot boot[CPU_MAX] __attribute__((aligned(64)));
static uint8_t stacks[CPU_MAX][STACK + TRAP_STACK]
	__attribute__((aligned(16)));
static bool up[CPU_MAX];
static void (*run)(uint32_t cpu);

uint32_t cpu_number(void)
{
	uint64_t v;

	__asm__ volatile("mrs %0, tpidr_el1" : "=r"(v));
	return (uint32_t)v;
}

void smp_main(void)
{
	uint32_t cpu = cpu_number();

	gic_start_cpu();
	time_start_cpu();
	irq_unmask();
	__atomic_store_n(&up[cpu], true, __ATOMIC_RELEASE);
	run(cpu);
	for (;;)
		time_sleep(1000000);
}

static bool start_one(uint32_t cpu, uint64_t mpidr)
{
	struct smp_boot *b = &boot[cpu];
	uint64_t reg[4], start;

	mmu_registers(reg);
	*b = (struct smp_boot){
		.mair = reg[0],
		.tcr = reg[1],
		.ttbr = reg[2],
		.sctlr = reg[3],
		.stack = (uint64_t)(uintptr_t)stacks[cpu] + STACK,
		.trap_stack = (uint64_t)(uintptr_t)stacks[cpu] + STACK +
			      TRAP_STACK,
		.number = cpu,
	};
	cache_flush(b, b + 1);
	if (psci(PSCI_CPU_ON, mpidr, (uint64_t)(uintptr_t)smp_enter,
		 (uint64_t)(uintptr_t)b))
		return false;
	start = time_us();
	while (!__atomic_load_n(&up[cpu], __ATOMIC_ACQUIRE))
		if (time_us() - start > PATIENCE)
			fatal("CPU %u (%lx) was started and does not come up",
			      cpu, mpidr);
	return true;
}

uint32_t smp_start(void (*main)(uint32_t cpu))
{
	uint64_t self;
	uint32_t cpu = 1;

	run = main;
	__asm__ volatile("mrs %0, mpidr_el1" : "=r"(self));
	self &= UINT64_C(0xff00ffffff);
	for (uint32_t i = 0; i < platform.cpus && cpu < CPU_MAX; i++)
		if (platform.cpu[i] != self && start_one(cpu, platform.cpu[i]))
			cpu++;
	return cpu;
}

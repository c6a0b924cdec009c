/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conformance-guest: boots, says what it runs on, and runs the tests on each
 * disk, or serves the command page (command.h). docs/conformance-guest.md.
 */
#include "command.h"
#include "parts.h"

#define WATCH_US 100000u
#define STUCK_US 30000000u      /* an access that takes so long is lost */

extern uint8_t arena[], arena_end[];

void guest_main(const void *blob);

void interrupt(uint32_t intid)
{
	if (!command_interrupt(intid))
		tests_interrupt(intid);
}

/* An access that is not answered holds its CPU; only another one can tell. */
static void watch(void)
{
	uint64_t addr, us = disk_busy_us(&addr);

	if (us > STUCK_US)
		fatal("the access to 0x%lx is not answered after %lu s", addr,
		      us / 1000000);
}

static void other(uint32_t cpu)
{
	for (;;) {
		if (command_other(cpu)) {
			time_sleep(COMMAND_TICK);
			continue;
		}
		if (cpu == 1)
			watch();
		time_sleep(WATCH_US);
	}
}

static void introduce(uint32_t cpus)
{
	uint64_t level;

	__asm__ volatile("mrs %0, CurrentEL" : "=r"(level));
	print("# conformance-guest on %s, %u of %u CPUs, EL%u, GICv%u%s\n",
	      platform.model, cpus, platform.cpus, (unsigned)(level >> 2 & 3),
	      platform.gic, platform.xen ? ", Xen" : "");
	for (uint32_t i = 0; i < platform.rams; i++)
		print("# RAM at 0x%lx, %lu MiB\n", platform.ram[i].base,
		      platform.ram[i].bytes >> 20);
	if (platform.slots_left_out)
		print("# %u virtio-mmio nodes are left out: %u are read\n",
		      platform.slots_left_out, DISK_MAX);
	if (!platform.gic)
		print("# no interrupt controller that is known here: "
		      "InterruptStatus stands for interrupts\n");
	if (*platform.bootargs)
		print("# command line: %s\n", platform.bootargs);
}

void guest_main(const void *blob)
{
	const char *why = platform_read(blob), *no_console;
	uint8_t *page = arena, *memory = arena + PAGE;
	char mode[16];
	uint32_t cpus;

	console_start();
	mmu_on();
	no_console = xen_start();
	print("\n# conformance-guest\n");
	if (why)
		fatal("device tree: %s", why);
	gic_start();
	gic_start_cpu();
	time_start_cpu();
	irq_unmask();
	command_start(page, memory, (uint64_t)(arena_end - memory));
	cpus = smp_start(other);
	command_cpus(cpus);
	introduce(cpus);
	if (no_console)
		print("# Xen: %s\n", no_console);
	(void)platform_option("conformance.mode=", mode, sizeof(mode));
	if (!strcmp(mode, "command"))
		command_serve();
	else if (*mode && strcmp(mode, "tests"))
		fatal("conformance.mode=%s: expected tests or command", mode);
	tests_run(memory, (uint64_t)(arena_end - memory));
	power_off();
}

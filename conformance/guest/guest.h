/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine that the conformance guest runs on, as far as it needs one: no
 * operating system, no libc, one address space where virtual is physical.
 *
 * What there is is read from the device tree (platform.c); nothing else is
 * assumed but an arm64 CPU at EL1 or EL2 as a Linux boot loader leaves it. What
 * the machine does wrong ends in fatal(), which prints a failed test and turns
 * the power off; nothing here waits without a bound, but a CPU whose access to
 * a register is not answered: then another CPU tells (smp.c), if there is one.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PAGE        4096u
#define RAM_MAX     16u         /* banks */
#define DISK_MAX    32u         /* virtio-mmio nodes */
#define CPU_MAX     4u
#define NO_INTID    0u          /* a node without interrupt, or without GIC */
#define SPI_FIRST   32u
#define INTID_MAX   1020u

/* --- what the device tree says (platform.c) ------------------------------- */

enum console_kind {
	CONSOLE_NONE,
	CONSOLE_PL011,
	CONSOLE_XEN
};

struct range {
	uint64_t base, bytes;
};

struct slot {                   /* a virtio,mmio node */
	uint64_t base, bytes;
	uint32_t intid;
	bool edge;
};

struct platform {
	struct range ram[RAM_MAX];
	uint32_t rams;
	struct slot slot[DISK_MAX];     /* by ascending address */
	uint32_t slots;
	uint32_t slots_left_out;        /* there were more */

	enum console_kind console;
	uint64_t pl011;
	bool sbsa;                      /* has no control registers */
	bool xen;

	uint32_t gic;                   /* 2, 3, or 0: not known */
	struct range gicd;
	struct range gicr[8];           /* GICv3 */
	uint32_t gicrs;
	struct range gicc;              /* GICv2 */
	uint32_t timer;                 /* INTID of the virtual timer */

	bool psci, psci_smc;            /* by SMC, else by HVC */
	uint64_t cpu[CPU_MAX];          /* MPIDR, as PSCI takes it */
	uint32_t cpus;                  /* 1 at least */

	const char *bootargs;           /* in the blob; "" if there are none */
	const char *model;              /* likewise */
};

extern struct platform platform;

/* Reads it all; NULL, or what is wrong with the blob. */
const char *platform_read(const void *blob);

/* The rest of the word KEY=... on the command line in to, "" if it is not
 * there; false if it is not there or does not fit. */
bool platform_option(const char *key, char *to, size_t bytes);

/* As a number, decimal or 0x; the default if it is not there. */
uint64_t platform_number(const char *key, uint64_t otherwise);

/* --- text and memory (text.c) --------------------------------------------- */

/* %s %c %d %u %x %%, l and ll for 64 bits, a width with 0 or - before it.
 * Always ends to; what does not fit is left out. */
#define FORMAT(a, b) __attribute__((format(printf, a, b)))
void format(char *to, size_t bytes, const char *words, ...) FORMAT(3, 4);
void format_va(char *to, size_t bytes, const char *words, va_list ap)
	FORMAT(3, 0);

/* Does name match a pattern with any number of "*"? */
bool matches(const char *name, const char *pattern);

/* --- console (console.c, xen.c) ------------------------------------------- */

void console_start(void);               /* PL011; before mmu_on */
void console_write(const char *text, size_t bytes);
void print(const char *words, ...) FORMAT(1, 2);
/* What is still under way gets its time. */
void console_drain(void);

const char *xen_start(void);            /* after mmu_on; NULL or what fails */
void xen_write(const char *text, size_t bytes);
void xen_drain(void);

/* --- memory (mmu.c) ------------------------------------------------------- */

void mmu_on(void);
/* Maps what is not mapped as it should be; for pages of Xen's. */
void mmu_map_ram(uint64_t base, uint64_t bytes);
void mmu_map_device(uint64_t base, uint64_t bytes);

void cache_flush(const void *from, const void *to);
void cache_drop(const void *from, const void *to);

#define barrier() __asm__ volatile("dsb sy" ::: "memory")

/* One access of 1, 2, 4 or 8 bytes; false if it faulted: see fault_last. */
bool probe_read(uint64_t addr, uint32_t width, uint64_t *value);
bool probe_write(uint64_t addr, uint32_t width, uint64_t value);

/* --- interrupts (gic.c) and exceptions (trap.c) --------------------------- */

struct fault {
	uint64_t esr, far;
};

struct fault fault_last(void);

void gic_start(void);                   /* the distributor */
void gic_start_cpu(void);               /* of each CPU, itself */
void gic_enable(uint32_t intid, bool edge);
void gic_mask(uint32_t intid, bool masked);
void gic_clear(uint32_t intid);         /* is no longer pending */
/* Runs the handlers of what is pending; called by trap. */
void gic_handle(void);

/* Called with interrupts masked, on the first CPU, for each interrupt of a
 * device. main.c's. */
void interrupt(uint32_t intid);

void irq_unmask(void);

/* --- time (time.c) -------------------------------------------------------- */

void time_start_cpu(void);
void time_interrupt(void);              /* of the timer */
uint64_t time_us(void);                 /* since power-on */
/* Until an interrupt, us at most. */
void time_sleep(uint64_t us);

/* --- power, CPUs (power.c, smp.c) ----------------------------------------- */

_Noreturn void power_off(void);
int64_t psci(uint32_t function, uint64_t a, uint64_t b, uint64_t c);

/* A failed test that says why, then power off. */
_Noreturn void fatal(const char *words, ...) FORMAT(1, 2);

uint32_t cpu_number(void);
/* Starts the others; main(number) runs on each. How many run, all in all. */
uint32_t smp_start(void (*main)(uint32_t cpu));

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* What main.c is put together of, beyond the machine. */
#ifndef PARTS_H
#define PARTS_H

#include "dut.h"
#include "guest.h"

/* --- command.c: the page of command.h ------------------------------------- */

void command_start(void *memory, void *scratch, uint64_t scratch_bytes);
void command_cpus(uint32_t cpus);       /* how many serve */
bool command_wanted(void);              /* by a poke */
void command_serve(void);               /* until COMMAND_TESTS */
bool command_other(uint32_t cpu);       /* a look at its slot; false: not on */
bool command_interrupt(uint32_t intid); /* false: not on */

/* --- attach.c: a struct dut over virtio-mmio registers -------------------- */

struct disk {
	const struct slot *slot;
	volatile bool raised;           /* set by the interrupt */
	uint32_t interrupts, unasked;   /* all; without a reason */
	struct dut_region memory;
	char name[48];
	struct dut dut;
};

/* What is in a slot, by its registers; NULL or what is wrong with them. */
const char *disk_look(const struct slot *s, uint32_t *device,
		      uint32_t *version);

void disk_attach(struct disk *k, const struct slot *s, void *memory,
		 uint64_t bytes);
void disk_detach(struct disk *k);
void disk_interrupt(struct disk *k);

/* The access that a CPU is in: how long, 0 if in none, and which. */
uint64_t disk_busy_us(uint64_t *addr);

/* --- tests.c -------------------------------------------------------------- */

/* All devices, all tests; prints TAP. */
void tests_run(void *memory, uint64_t bytes);
void tests_interrupt(uint32_t intid);
void tests_log(struct dut *d, const char *line); /* told if the test fails */

#endif

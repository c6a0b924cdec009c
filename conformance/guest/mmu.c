/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One map, virtual = physical, 48 bits, 4 KiB pages, with blocks of 1 GiB and
 * 2 MiB where they fit: RAM as normal memory, write-back and inner-shareable,
 * executable only where our code is; the lowest 512 GiB beside it, and what
 * the tree names further up, as Device-nGnRE.
 *
 * Rings in uncached memory would not be coherent with a back end that maps
 * them cacheable: on real hardware, where an emulator shows nothing.
 */
#include "guest.h"

#define TABLES  96u             /* pages of page tables */
#define ENTRIES 512u

#define VALID    (UINT64_C(1) << 0)
#define TABLE    (UINT64_C(1) << 1)     /* or page, at the last level */
#define NORMAL   (UINT64_C(0) << 2)     /* index in MAIR */
#define DEVICE   (UINT64_C(1) << 2)
#define READONLY (UINT64_C(1) << 7)
#define INNER    (UINT64_C(3) << 8)
#define ACCESSED (UINT64_C(1) << 10)
#define PXN      (UINT64_C(1) << 53)
#define UXN      (UINT64_C(1) << 54)
#define ADDRESS  UINT64_C(0x0000fffffffff000)

#define RAM    (VALID | NORMAL | INNER | ACCESSED | PXN | UXN)
#define CODE   (VALID | NORMAL | INNER | ACCESSED | READONLY | UXN)
#define CONST  (RAM | READONLY)
#define IO     (VALID | DEVICE | ACCESSED | PXN | UXN)

#define MAIR (UINT64_C(0xff) | UINT64_C(0x04) << 8) /* write-back; nGnRE */
/* 48 bits below, nothing above, tables write-back and inner-shareable */
#define TCR (UINT64_C(16) | 1u << 8 | 1u << 10 | 3u << 12 | 1u << 23)
#define SCTLR (UINT64_C(0x30d00800) | 1u << 0 | 1u << 2 | 1u << 3 | 1u << 12)

extern char image_start[], text_end[], data_start[], uncached_end[];
extern char image_end[];
extern char guard_page[];

static uint64_t tables[TABLES][ENTRIES] __attribute__((aligned(4096)));
static uint32_t used;

static uint64_t *new_table(void)
{
	if (used == TABLES)
		fatal("more than %u page tables", TABLES);
	return tables[used++];
}

/* The table that an entry of a level points at; a block is divided. */
static uint64_t *below(uint64_t *entry, uint32_t shift)
{
	uint64_t old = *entry, *t;

	if ((old & (VALID | TABLE)) == (VALID | TABLE))
		return (uint64_t *)(uintptr_t)(old & ADDRESS);
	t = new_table();
	if (old & VALID)
		for (uint32_t i = 0; i < ENTRIES; i++)
			t[i] = (old + ((uint64_t)i << (shift - 9))) |
			       (shift - 9 == 12 ? TABLE : 0);
	barrier();
	*entry = (uint64_t)(uintptr_t)t | VALID | TABLE;
	return t;
}

/* attr 0: nothing is mapped */
static void map(uint64_t base, uint64_t bytes, uint64_t attr)
{
	uint64_t at = base & ~(uint64_t)(PAGE - 1), end;

	end = (base + bytes + PAGE - 1) & ~(uint64_t)(PAGE - 1);
	while (at < end) {
		uint64_t *t = tables[0];
		uint32_t shift = 39;

		for (;;) {
			uint64_t *e = &t[at >> shift & (ENTRIES - 1)];
			uint64_t span = UINT64_C(1) << shift;

			if (shift <= 30 && !(at & (span - 1)) &&
			    end - at >= span) {
				*e = attr ? at | attr |
						     (shift == 12 ? TABLE : 0)
					  : 0;
				at += span;
				break;
			}
			t = below(e, shift);
			shift -= 9;
		}
	}
}

static void map_all(void)
{
	uint64_t start = (uint64_t)(uintptr_t)image_start;
	uint64_t text = (uint64_t)(uintptr_t)text_end;
	uint64_t data = (uint64_t)(uintptr_t)data_start;

	used = 1;               /* the first is the root */
	map(0, UINT64_C(1) << 39, IO);
	for (uint32_t i = 0; i < platform.slots; i++)
		map(platform.slot[i].base, platform.slot[i].bytes, IO);
	map(platform.gicd.base, platform.gicd.bytes, IO);
	map(platform.gicc.base, platform.gicc.bytes, IO);
	for (uint32_t i = 0; i < platform.gicrs; i++)
		map(platform.gicr[i].base, platform.gicr[i].bytes, IO);
	if (platform.pl011)
		map(platform.pl011, PAGE, IO);
	if (platform.rams && platform.ram[0].base)
		map(0, PAGE, 0);        /* a null pointer faults */
	for (uint32_t i = 0; i < platform.rams; i++)
		map(platform.ram[i].base, platform.ram[i].bytes, RAM);
	map(data, (uint64_t)(uintptr_t)image_end - data, RAM);
	map(start, text - start, CODE);
	map(text, data - text, CONST);
	map((uint64_t)(uintptr_t)guard_page, PAGE, 0);
}

static void all_old_gone(void)
{
	__asm__ volatile("dsb ishst\n\ttlbi vmalle1is\n\tdsb ish\n\tisb" ::
				 : "memory");
}

/* These two are for single pages that a block has wrong: what is mapped has
 * not been touched before, so it need not be taken away first. */
void mmu_map_ram(uint64_t base, uint64_t bytes)
{
	map(base, bytes, RAM);
	all_old_gone();
}

void mmu_map_device(uint64_t base, uint64_t bytes)
{
	map(base, bytes, IO);
	all_old_gone();
}

/* What smp.c gives to another CPU. */
void mmu_registers(uint64_t reg[4]);

void mmu_registers(uint64_t reg[4])
{
	uint64_t range;

	__asm__ volatile("mrs %0, id_aa64mmfr0_el1" : "=r"(range));
	range &= 15;
	if (range > 5)          /* more than 48 bits need another format */
		range = 5;
	reg[0] = MAIR;
	reg[1] = TCR | range << 32;
	reg[2] = (uint64_t)(uintptr_t)tables[0];
	reg[3] = SCTLR;
}

void mmu_on(void)
{
	uint64_t reg[4];

	map_all();
	mmu_registers(reg);
	/* Nothing that was written with the MMU off may be hidden now. */
	cache_drop(image_start, uncached_end);
	__asm__ volatile("msr mair_el1, %0\n\t"
			 "msr tcr_el1, %1\n\t"
			 "msr ttbr0_el1, %2\n\t"
			 "tlbi vmalle1\n\t"
			 "dsb sy\n\t"
			 "isb\n\t"
			 "msr sctlr_el1, %3\n\t"
			 "isb" ::"r"(reg[0]),
			 "r"(reg[1]), "r"(reg[2]), "r"(reg[3])
			 : "memory");
}

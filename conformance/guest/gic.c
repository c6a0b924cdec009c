/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interrupt controller, GICv2 or GICv3: interrupts of devices go to the
 * first CPU, each CPU has its own timer's. Where the tree names another
 * controller there are no interrupts, and main.c says so.
 */
#include "guest.h"

#define GICD_CTLR       0x0000u
#define GICD_IGROUPR    0x0080u
#define GICD_ISENABLER  0x0100u
#define GICD_ICENABLER  0x0180u
#define GICD_ICPENDR    0x0280u
#define GICD_IPRIORITYR 0x0400u
#define GICD_ITARGETSR  0x0800u
#define GICD_ICFGR      0x0c00u
#define GICD_IROUTER    0x6000u

#define GICC_CTLR 0x00u
#define GICC_PMR  0x04u
#define GICC_IAR  0x0cu
#define GICC_EOIR 0x10u

#define GICR_TYPER 0x0008u
#define GICR_WAKER 0x0014u
#define GICR_SGI   0x10000u     /* the second frame */

#define PRIORITY 0xa0u
#define PATIENCE 1000000u       /* reads */
#define AT_ONCE  64u            /* interrupts of one exception */

static uint64_t redistributor[CPU_MAX];

static uint32_t get(uint64_t base, uint32_t offset)
{
	return *(volatile uint32_t *)(uintptr_t)(base + offset);
}

static void set(uint64_t base, uint32_t offset, uint32_t value)
{
	*(volatile uint32_t *)(uintptr_t)(base + offset) = value;
}

static uint64_t affinity(void)
{
	uint64_t id;

	__asm__ volatile("mrs %0, mpidr_el1" : "=r"(id));
	return id & UINT64_C(0xff00ffffff);
}

/* Where the registers of an interrupt are: SGIs and PPIs are each CPU's. */
static uint64_t bank(uint32_t intid)
{
	if (intid < SPI_FIRST && platform.gic == 3)
		return redistributor[cpu_number()] + GICR_SGI;
	return platform.gicd.base;
}

static void settle(void)
{
	for (uint32_t i = 0;
	     i < PATIENCE && get(platform.gicd.base, GICD_CTLR) >> 31; i++)
		;
}

void gic_start(void)
{
	if (platform.gic == 3) {
		set(platform.gicd.base, GICD_CTLR, 0x10);       /* ARE */
		settle();
		set(platform.gicd.base, GICD_CTLR, 0x12); /* and group 1 */
		settle();
	} else if (platform.gic == 2) {
		set(platform.gicd.base, GICD_CTLR, 1);
	}
}

/* The redistributor whose affinity is ours. */
static uint64_t find_redistributor(void)
{
	uint64_t id = affinity(), aff = (id >> 32) << 24 | (id & 0xffffff);

	for (uint32_t i = 0; i < platform.gicrs; i++) {
		struct range *r = &platform.gicr[i];
		uint64_t at = r->base, step;

		for (; at - r->base < r->bytes; at += step) {
			uint32_t low = get(at, GICR_TYPER);

			if (get(at, GICR_TYPER + 4) == aff)
				return at;
			if (low & (1u << 4)) /* the last */
				break;
			step = low & (1u << 1) ? 0x40000 : 0x20000;
		}
	}
	fatal("no GICv3 redistributor for the CPU %lx", id);
}

static void start_v3(void)
{
	uint64_t gicr = find_redistributor();
	uint32_t i;

	redistributor[cpu_number()] = gicr;
	set(gicr, GICR_WAKER, get(gicr, GICR_WAKER) & ~2u);
	for (i = 0; i < PATIENCE && (get(gicr, GICR_WAKER) & 4); i++)
		;
	if (i == PATIENCE)
		fatal("the GICv3 redistributor does not wake up");
	set(gicr + GICR_SGI, GICD_IGROUPR, UINT32_MAX);
	__asm__ volatile("mrs x9, S3_0_C12_C12_5\n\t" /* ICC_SRE_EL1 */
			 "orr x9, x9, #1\n\t"
			 "msr S3_0_C12_C12_5, x9\n\t"
			 "isb\n\t"
			 "mov x9, #0xff\n\t"
			 "msr S3_0_C4_C6_0, x9\n\t"     /* ICC_PMR_EL1 */
			 "msr S3_0_C12_C12_3, xzr\n\t"  /* ICC_BPR1_EL1 */
			 "msr S3_0_C12_C12_4, xzr\n\t"  /* ICC_CTLR_EL1 */
			 "mov x9, #1\n\t"
			 "msr S3_0_C12_C12_7, x9\n\t"   /* ICC_IGRPEN1_EL1 */
			 "isb" ::
				 : "x9", "memory");
}

void gic_start_cpu(void)
{
	if (platform.gic == 3) {
		start_v3();
	} else if (platform.gic == 2) {
		set(platform.gicc.base, GICC_PMR, 0xff);
		set(platform.gicc.base, GICC_CTLR, 1);
	}
}

void gic_mask(uint32_t intid, bool masked)
{
	if (platform.gic)
		set(bank(intid),
		    (masked ? GICD_ICENABLER : GICD_ISENABLER) + intid / 32 * 4,
		    1u << intid % 32);
}

void gic_clear(uint32_t intid)
{
	if (platform.gic)
		set(bank(intid), GICD_ICPENDR + intid / 32 * 4,
		    1u << intid % 32);
}

void gic_enable(uint32_t intid, bool edge)
{
	uint32_t shift = intid % 16 * 2, at = intid / 16 * 4, word;
	uint64_t base;

	if (!platform.gic)
		return;
	base = bank(intid);
	gic_mask(intid, true);
	if (intid >= SPI_FIRST) {
		word = get(base, GICD_ICFGR + at) & ~(3u << shift);
		set(base, GICD_ICFGR + at, word | (edge ? 2u : 0) << shift);
	}
	*(volatile uint8_t *)(uintptr_t)(base + GICD_IPRIORITYR +
					 intid) = PRIORITY;
	if (platform.gic == 3 && intid >= SPI_FIRST) {
		set(base, GICD_IGROUPR + intid / 32 * 4,
		    get(base, GICD_IGROUPR + intid / 32 * 4) |
			    1u << intid % 32);
		*(volatile uint64_t *)(uintptr_t)(base + GICD_IROUTER +
						  8 * intid) = affinity();
	} else if (intid >= SPI_FIRST) {
		/* The first are read-only and say which CPU reads. */
		*(volatile uint8_t *)(uintptr_t)(base + GICD_ITARGETSR +
						 intid) =
			get(base, GICD_ITARGETSR) & 0xff
				? (uint8_t)get(base, GICD_ITARGETSR)
				: 1;
	}
	gic_mask(intid, false);
}

static uint32_t acknowledge(void)
{
	uint64_t v;

	if (platform.gic == 2)
		return get(platform.gicc.base, GICC_IAR);
	__asm__ volatile("mrs %0, S3_0_C12_C12_0" : "=r"(v)); /* ICC_IAR1_EL1 */
	barrier();
	return (uint32_t)v;
}

static void end(uint32_t acknowledged)
{
	uint64_t v = acknowledged;

	if (platform.gic == 2)
		set(platform.gicc.base, GICC_EOIR, acknowledged);
	else                            /* ICC_EOIR1_EL1 */
		__asm__ volatile("msr S3_0_C12_C12_1, %0\n\tisb" ::"r"(v)
				 : "memory");
}

void gic_handle(void)
{
	for (uint32_t i = 0; i < AT_ONCE; i++) {
		uint32_t a = acknowledge(), intid = a & 0x3ff;

		if (intid >= INTID_MAX) /* none is pending */
			return;
		if (intid == platform.timer)
			time_interrupt();
		else if (intid >= SPI_FIRST)
			interrupt(intid);
		end(a);
	}
}

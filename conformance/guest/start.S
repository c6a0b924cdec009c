/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the machine begins: the header that boot loaders of arm64 Linux look
 * for, the entries of the first CPU and of the others, the exception vectors,
 * and accesses that may fault.
 *
 * The image runs where it was loaded: it is linked at 0 as position-independent
 * code and relocates its pointers itself. Until mmu_on, memory is not cached:
 * what we write then must not be hidden by lines that are in the cache, so the
 * image is cleaned and invalidated first and invalidated again before the MMU
 * goes on (mmu.c).
 *
 * C code runs at EL1 on SP_EL0, exceptions on SP_EL1, so that an overflow of
 * the one stack can be told on the other.
 */

	.section .head, "ax"
	.globl	image_start
	.hidden	image_start
image_start:
	b	enter
	.long	0
	.quad	0			/* load at a multiple of 2 MiB */
	.quad	image_end - . + 16	/* bytes in memory, with .bss */
	.quad	0xa			/* little-endian, 4 KiB pages, anywhere */
	.quad	0, 0, 0
	.ascii	"ARM\x64"
	.long	0

/* --- entries -------------------------------------------------------------- */

	.macro	address, reg, symbol
	adrp	\reg, \symbol
	add	\reg, \reg, :lo12:\symbol
	.endm

	.text

/* To EL1 with interrupts masked, MMU and caches off. Uses x9 and x10. */
	.macro	to_el1
	msr	daifset, #15
	mrs	x9, CurrentEL
	cmp	x9, #(2 << 2)
	b.ne	1f
	mov	x9, #(1 << 31)		/* RW: EL1 is AArch64 */
	msr	hcr_el2, x9
	mov	x9, #3			/* counter and timer are EL1's */
	msr	cnthctl_el2, x9
	msr	cntvoff_el2, xzr
	mov	x9, #0x33ff		/* no traps of floating point */
	msr	cptr_el2, x9
	msr	hstr_el2, xzr
	msr	vttbr_el2, xzr
	mrs	x9, midr_el1
	msr	vpidr_el2, x9
	mrs	x9, mpidr_el1
	msr	vmpidr_el2, x9
	mrs	x9, id_aa64pfr0_el1	/* GICv3's registers, if there */
	ubfx	x9, x9, #24, #4
	cbz	x9, 2f
	mrs	x9, S3_4_C12_C9_5	/* ICC_SRE_EL2 */
	mov	x10, #9			/* SRE, Enable */
	orr	x9, x9, x10
	msr	S3_4_C12_C9_5, x9
	isb
	msr	S3_4_C12_C11_0, xzr	/* ICH_HCR_EL2 */
2:	ldr	x9, =0x30d00800		/* what is reserved as one */
	msr	sctlr_el1, x9
	mov	x9, #0x3c5		/* EL1h, all masked */
	msr	spsr_el2, x9
	adr	x9, 1f
	msr	elr_el2, x9
	eret
1:	ldr	x9, =0x30d00800
	msr	sctlr_el1, x9
	isb
	address	x9, vectors
	msr	vbar_el1, x9
	isb
	.endm

enter:
	mov	x19, x0			/* the device tree */
	to_el1
	address	x0, image_start
	address	x1, uncached_end
	bl	cache_flush
	/* Pointers in the image become what they point at: all relocations are
	 * R_AARCH64_RELATIVE, which the build looks at. */
	address	x0, image_start
	address	x1, rela_start
	address	x2, rela_end
1:	cmp	x1, x2
	b.hs	2f
	ldp	x3, x4, [x1], #16	/* where, type */
	ldr	x5, [x1], #8		/* offset in the image */
	add	x5, x5, x0
	str	x5, [x3, x0]
	b	1b
2:	address	x1, bss_start
	address	x2, bss_end
3:	cmp	x1, x2
	b.hs	4f
	stp	xzr, xzr, [x1], #16
	b	3b
4:	dsb	sy
	ic	iallu
	dsb	sy
	isb
	msr	spsel, #1
	address	x1, trap_stack_end
	mov	sp, x1
	msr	spsel, #0
	address	x1, stack_end
	mov	sp, x1
	msr	tpidr_el1, xzr
	mov	x29, xzr
	mov	x30, xzr
	mov	x0, x19
	bl	guest_main
	b	.

/*
 * Another CPU, woken by PSCI: x0 is a struct smp_boot (smp.c), in memory that
 * was cleaned for it. The page tables are those of the first.
 */
	.globl	smp_enter
	.hidden	smp_enter
smp_enter:
	mov	x19, x0
	to_el1
	ldp	x0, x1, [x19]		/* MAIR, TCR */
	ldp	x2, x3, [x19, #16]	/* TTBR0, SCTLR */
	msr	mair_el1, x0
	msr	tcr_el1, x1
	msr	ttbr0_el1, x2
	tlbi	vmalle1
	ic	iallu
	dsb	sy
	isb
	msr	sctlr_el1, x3
	isb
	ldp	x1, x2, [x19, #32]	/* its two stacks */
	ldr	x0, [x19, #48]		/* its number */
	msr	spsel, #1
	mov	sp, x2
	msr	spsel, #0
	mov	sp, x1
	msr	tpidr_el1, x0
	mov	x29, xzr
	mov	x30, xzr
	bl	smp_main
	b	.

/* --- caches --------------------------------------------------------------- */

/* x3: bytes of the smallest line */
	.macro	line_bytes
	mrs	x3, ctr_el0
	ubfx	x3, x3, #16, #4
	mov	x2, #4
	lsl	x3, x2, x3
	sub	x2, x3, #1
	bic	x0, x0, x2
	.endm

/* cache_flush(from, to): cleans and invalidates, to memory itself */
	.globl	cache_flush
	.hidden	cache_flush
cache_flush:
	line_bytes
1:	dc	civac, x0
	add	x0, x0, x3
	cmp	x0, x1
	b.lo	1b
	dsb	sy
	ret

/* cache_drop(from, to): invalidates what was read ahead while the MMU was off */
	.globl	cache_drop
	.hidden	cache_drop
cache_drop:
	line_bytes
1:	dc	ivac, x0
	add	x0, x0, x3
	cmp	x0, x1
	b.lo	1b
	dsb	sy
	ret

/* --- accesses that may fault ---------------------------------------------- */

/*
 * bool probe_ldN(address, uint64_t *value), bool probe_stN(address, value): one
 * access of N bytes each, of a kind whose syndrome tells a hypervisor all. A
 * data abort in here continues at probe_fault (trap.c), which says false.
 */
	.globl	probe_start, probe_fault, probe_end
	.globl	probe_ld1, probe_ld2, probe_ld4, probe_ld8
	.globl	probe_st1, probe_st2, probe_st4, probe_st8
	.hidden	probe_start, probe_fault, probe_end
	.hidden	probe_ld1, probe_ld2, probe_ld4, probe_ld8
	.hidden	probe_st1, probe_st2, probe_st4, probe_st8
probe_start:
probe_ld1:
	ldrb	w2, [x0]
	b	1f
probe_ld2:
	ldrh	w2, [x0]
	b	1f
probe_ld4:
	ldr	w2, [x0]
	b	1f
probe_ld8:
	ldr	x2, [x0]
1:	dsb	sy			/* here, if it comes late */
	str	x2, [x1]
	mov	w0, #1
	ret
probe_st1:
	strb	w1, [x0]
	b	1f
probe_st2:
	strh	w1, [x0]
	b	1f
probe_st4:
	str	w1, [x0]
	b	1f
probe_st8:
	str	x1, [x0]
1:	dsb	sy
	mov	w0, #1
	ret
probe_fault:
	mov	w0, wzr
	ret
probe_end:

/* --- exceptions ----------------------------------------------------------- */

	.equ	FRAME, 34 * 8		/* struct trap_frame: x0-x30, ELR, SPSR */

	.macro	vector, kind
	.balign	128
	sub	sp, sp, #FRAME
	stp	x0, x1, [sp]
	mov	w1, #\kind
	b	trapped
	.endm

	.balign	2048
vectors:
	vector	0			/* from C code: synchronous */
	vector	1			/* IRQ */
	vector	2			/* FIQ */
	vector	3			/* SError */
	vector	4			/* from a handler: always fatal */
	vector	5
	vector	6
	vector	7
	vector	8			/* from EL0, where nothing runs */
	vector	9
	vector	10
	vector	11
	vector	12
	vector	13
	vector	14
	vector	15

	.balign	128
trapped:
	stp	x2, x3, [sp, #16]
	stp	x4, x5, [sp, #32]
	stp	x6, x7, [sp, #48]
	stp	x8, x9, [sp, #64]
	stp	x10, x11, [sp, #80]
	stp	x12, x13, [sp, #96]
	stp	x14, x15, [sp, #112]
	stp	x16, x17, [sp, #128]
	stp	x18, x19, [sp, #144]
	stp	x20, x21, [sp, #160]
	stp	x22, x23, [sp, #176]
	stp	x24, x25, [sp, #192]
	stp	x26, x27, [sp, #208]
	stp	x28, x29, [sp, #224]
	mrs	x2, elr_el1
	mrs	x3, spsr_el1
	stp	x30, x2, [sp, #240]
	str	x3, [sp, #256]
	mov	x0, sp
	bl	trap
	ldp	x30, x2, [sp, #240]
	ldr	x3, [sp, #256]
	msr	elr_el1, x2
	msr	spsr_el1, x3
	ldp	x28, x29, [sp, #224]
	ldp	x26, x27, [sp, #208]
	ldp	x24, x25, [sp, #192]
	ldp	x22, x23, [sp, #176]
	ldp	x20, x21, [sp, #160]
	ldp	x18, x19, [sp, #144]
	ldp	x16, x17, [sp, #128]
	ldp	x14, x15, [sp, #112]
	ldp	x12, x13, [sp, #96]
	ldp	x10, x11, [sp, #80]
	ldp	x8, x9, [sp, #64]
	ldp	x6, x7, [sp, #48]
	ldp	x4, x5, [sp, #32]
	ldp	x2, x3, [sp, #16]
	ldp	x0, x1, [sp]
	add	sp, sp, #FRAME
	eret

/* --- stacks --------------------------------------------------------------- */

	.section .stack, "aw", %nobits
	.globl	guard_page, stack_end, trap_stack_end
	.hidden	guard_page, stack_end, trap_stack_end
	.balign	4096
trap_stack:
	.skip	4 * 4096
trap_stack_end:
guard_page:				/* mmu.c maps nothing here */
	.skip	4096
stack:
	.skip	16 * 4096
stack_end:

/* --- the arena (main.c) --------------------------------------------------- */

	.section .arena, "aw", %nobits
	.globl	arena, arena_end
	.hidden	arena, arena_end
	.balign	4096
arena:
	.skip	8 << 20
arena_end:

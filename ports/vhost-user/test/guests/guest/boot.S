/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A boot sector that asks the BIOS for more of its disk: reads COUNT sectors at
 * FROM by LBA and by cylinder, head and sector, compares, prints their hash;
 * writes them inverted at TO and reads that back. All answers go to the serial
 * port; port 0x501 is QEMU's isa-debug-exit.
 */
#define FROM	1
#define TO	256
#define COUNT	32
#define BYTES	(COUNT * 512)
#define ONE	0x1000		/* segments of the two buffers */
#define TWO	0x2000
#define PARAMETERS 0x7e00	/* a buffer of 30 bytes, behind this sector */

	.code16
	.globl	start
start:
	ljmp	$0, $1f
1:	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movw	$0x7c00, %sp
	movb	%dl, drive
	cld

	movw	$hello, %si
	call	print

	/* How large it is */
	movb	$0x48, %ah
	movw	$PARAMETERS, %si
	movw	$30, (%si)
	call	bios
	movl	PARAMETERS + 16, %eax
	call	hex

	/* Read by LBA; print the hash */
	movw	$packet, %si
	movb	$0x42, %ah
	call	bios
	movw	$ONE, %ax
	call	hash
	call	hex

	/* Read by cylinder 0, head 0, sector FROM + 1 */
	movw	$TWO, %ax
	movw	%ax, %es
	xorw	%bx, %bx
	movw	$(0x0200 + COUNT), %ax
	movw	$(FROM + 1), %cx
	movb	$0, %dh
	call	bios
	call	compare

	/* Write it inverted, read that back over the other buffer */
	movw	$ONE, %ax
	movw	%ax, %es
	xorw	%di, %di
1:	notb	%es:(%di)
	incw	%di
	cmpw	$BYTES, %di
	jne	1b
	movw	$TO, lba
	movw	$0x4300, %ax
	movw	$packet, %si
	call	bios
	movw	$TWO, segment
	movb	$0x42, %ah
	call	bios
	call	compare
	movw	$TWO, %ax
	call	hash
	call	hex

	movw	$end, %si
	call	print
	movb	$0x10, %al
	jmp	out

bios:				/* INT13 with AH and so on; errors end it */
	movb	drive, %dl
	int	$0x13
	jc	failed
	ret

compare:			/* the buffers are the same */
	pushw	%ds
	movw	$ONE, %ax
	movw	%ax, %ds
	movw	$TWO, %ax
	movw	%ax, %es
	xorw	%si, %si
	xorw	%di, %di
	movw	$BYTES, %cx
	repe cmpsb
	popw	%ds
	jne	failed
	movw	$same, %si
	jmp	print

failed:
	movw	$error, %si
	call	print
	movb	$0x20, %al
out:
	movw	$0x501, %dx
	outb	%al, %dx
1:	hlt
	jmp	1b

hash:				/* FNV-1a of the buffer in segment AX: EAX */
	movw	%ax, %es
	movl	$0x811c9dc5, %eax
	xorw	%di, %di
1:	xorb	%es:(%di), %al
	imull	$16777619, %eax, %eax
	incw	%di
	cmpw	$BYTES, %di
	jne	1b
	ret

hex:				/* EAX and a space */
	movw	$8, %cx
1:	roll	$4, %eax
	pushl	%eax
	andb	$15, %al
	cmpb	$10, %al
	sbbb	$0x69, %al	/* the old trick: '0' to '9', 'A' to 'F' */
	das
	call	put
	popl	%eax
	loop	1b
	movb	$' ', %al
	jmp	put

print:				/* what SI points to */
	lodsb
	testb	%al, %al
	jnz	1f
	ret
1:	call	put
	jmp	print

put:				/* AL, by the first serial port */
	pushw	%dx
	pushw	%ax
	movw	$0x3fd, %dx
1:	inb	%dx, %al
	testb	$0x20, %al
	jz	1b
	movw	$0x3f8, %dx
	popw	%ax
	outb	%al, %dx
	popw	%dx
	ret

hello:	.asciz	"@@ boot "
same:	.asciz	"same "
error:	.asciz	"FAILED\r\n"
end:	.asciz	"end\r\n"
drive:	.byte	0

	.balign	4
packet:	.byte	16, 0
	.word	COUNT, 0
segment:
	.word	ONE
lba:	.quad	FROM

	.org	510
	.word	0xaa55

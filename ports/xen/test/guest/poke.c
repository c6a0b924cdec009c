/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * poke ADDRESS [SEED [COUNT]]: reads and writes the registers of a virtio-mmio
 * disk as no driver would, through /dev/mem: every offset at every size, then
 * COUNT (5000) times at random. The disk's driver must not be bound. Ends with a
 * reset; then the disk still has to say that it is one.
 *
 * The one thing it does not do is to point a queue at this machine's memory: the
 * device would be right to write there.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define WINDOW 0x200u
#define PAGE 0x1000u
#define MAGIC 0x74726976u		/* "virt" */
#define STATUS 0x70u
#define FEW 12u				/* interesting values */

static uint64_t dice, reads, writes, aborts;
static uint8_t *base;
static sigjmp_buf back;

static uint64_t roll(void)
{
	dice ^= dice >> 12;
	dice ^= dice << 25;
	dice ^= dice >> 27;
	return dice * 0x2545f4914f6cdd1du;
}

static uint64_t value(void)
{
	static const uint64_t few[FEW] = {
		0, 1, 2, 3, 0xf, 0x7f, 0x80, 0xff, 0x400, 0x8000, 0x80000000,
		~(uint64_t)0,
	};
	uint64_t r = roll();

	return r & 1 ? roll() : few[(r >> 8) % FEW];
}

static void fault(int number)
{
	(void)number;
	siglongjmp(back, 1);
}

/* One plain instruction each: Xen cannot decode the others for a device */
static uint64_t get(uint32_t at, uint32_t size)
{
	volatile void *p = base + at;
	uint64_t v = 0;

	if (sigsetjmp(back, 1)) {
		aborts++;
		return 0;
	}
	switch (size) {
	case 1: __asm__ volatile("ldrb %w0, [%1]" : "=r"(v) : "r"(p)); break;
	case 2: __asm__ volatile("ldrh %w0, [%1]" : "=r"(v) : "r"(p)); break;
	case 4: __asm__ volatile("ldr %w0, [%1]" : "=r"(v) : "r"(p)); break;
	default: __asm__ volatile("ldr %0, [%1]" : "=r"(v) : "r"(p)); break;
	}
	reads++;
	return v;
}

static void put(uint32_t at, uint32_t size, uint64_t v)
{
	volatile void *p = base + at;

	if (sigsetjmp(back, 1)) {
		aborts++;
		return;
	}
	switch (size) {
	case 1: __asm__ volatile("strb %w0, [%1]" :: "r"(v), "r"(p)); break;
	case 2: __asm__ volatile("strh %w0, [%1]" :: "r"(v), "r"(p)); break;
	case 4: __asm__ volatile("str %w0, [%1]" :: "r"(v), "r"(p)); break;
	default: __asm__ volatile("str %0, [%1]" :: "r"(v), "r"(p)); break;
	}
	writes++;
}

/* Halves of the addresses of a queue's three areas: 0x80-0xa7 */
static bool address(uint32_t at)
{
	return at >= 0x80 && at < 0xa8;
}

static void poke(uint32_t at, uint32_t size)
{
	if (address(at)) {
		/* Above all memory, first; then the lower half may be anything */
		put((at & ~7u) + 4, 4, roll() | 0x100);
		if (at & 4 || size == 8)
			return;
	}
	put(at, size, value());
}

int main(int argc, char **argv)
{
	uint64_t where = argc > 1 ? strtoull(argv[1], NULL, 0) : 0;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	uint64_t count = argc > 3 ? strtoull(argv[3], NULL, 0) : 5000;
	int fd = open("/dev/mem", O_RDWR | O_SYNC);
	struct sigaction on = {.sa_handler = fault};
	uint8_t *map;
	uint64_t magic;

	if (argc < 2) {
		fprintf(stderr, "usage: poke ADDRESS [SEED [COUNT]]\n");
		return 64;
	}
	map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		   (off_t)(where & ~(uint64_t)(PAGE - 1)));
	if (fd < 0 || map == MAP_FAILED) {
		printf("poke: /dev/mem: %s\n", strerror(errno));
		return 2;
	}
	base = map + (where & (PAGE - 1));
	sigaction(SIGBUS, &on, NULL);
	sigaction(SIGSEGV, &on, NULL);
	dice = seed * 0x9e3779b97f4a7c15u | 1;
	printf("poke: seed %" PRIu64 "\n", seed);

	for (uint32_t size = 1; size <= 8; size *= 2)
		for (uint32_t at = 0; at < WINDOW; at += size) {
			get(at, size);
			poke(at, size);
		}
	for (uint64_t i = 0; i < count; i++) {
		uint64_t r = roll();
		uint32_t size = 1u << (r & 3);
		uint32_t at = (uint32_t)(r >> 8) % WINDOW & ~(size - 1);

		if (r & 16)
			size = 4, at &= ~3u;	/* what a driver does, mostly */
		if (r & 32)
			poke(at, size);
		else
			get(at, size);
	}
	put(STATUS, 4, 0);
	magic = get(0, 4);
	printf("poke: %s, %" PRIu64 " reads, %" PRIu64 " writes, %" PRIu64
	       " aborts, magic %" PRIx64 "\n",
	       magic == MAGIC ? "ok" : "FAILED", reads, writes, aborts, magic);
	return magic != MAGIC;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command page: how who serves a guest's devices, or anybody who can read
 * and write the guest's memory, has its CPUs touch a register and hears of the
 * answer. The guest does what it is told and knows nothing of virtio beyond an
 * interrupt count; rings and requests are written by the other side.
 *
 * Finding it. The guest prints, before anything else that matters,
 *
 *	# command page: 0x40219000
 *
 * Who has no console looks at offset 0 of each 4 KiB page of the guest's
 * memory for COMMAND_MAGIC, and believes it if the page's own address is in
 * `self`. All integers are little-endian. `version` is 1; another one is
 * another layout.
 *
 * Entering command mode. With "conformance.mode=command" on the guest's
 * command line it is on from the start. Else, whoever writes COMMAND_POKE into
 * `poke` has it at the end of the test that runs. The guest then writes
 * COMMAND_MODE into `mode`: from then on slots are served. It ends with the
 * power, or with COMMAND_TESTS.
 *
 * A command. Each CPU serves one slot, `cpus` of them, CPU n slot n. The other
 * side owns a slot while done == request. To give a command it
 *
 *	1. writes command, addr, value, width;
 *	2. release barrier; then request = request + 1 (skipping nothing; it
 *	   wraps).
 *
 * The guest looks at its slots each COMMAND_TICK microseconds. On finding a
 * new request it
 *
 *	3. writes taken = request;
 *	4. does what was asked;
 *	5. writes answer, result, syndrome; release barrier; done = request.
 *
 * So an access that the back end holds is seen as taken == request and done !=
 * request for as long as it is held: "started" and "not answered". The other
 * side reads answer, result and syndrome after it has seen done == request,
 * with an acquire barrier in between. A CPU whose access is held does nothing
 * else; a second access meanwhile is another slot's. Interrupts are the first
 * CPU's: what is to be held belongs into slot 1 where interrupts are counted
 * at the same time.
 *
 *	command           addr          value        width    answer
 *	COMMAND_NONE      -             -            -        0
 *	COMMAND_READ      address       -            1 2 4 8  what was read
 *	COMMAND_WRITE     address       what         1 2 4 8  0
 *	COMMAND_KICK      device's base queue        -        0
 *	COMMAND_REARM     device index  -            -        interrupts so far
 *	COMMAND_ACK       device index  -            -        InterruptStatus
 *	COMMAND_OFF       -             -            -        -
 *	COMMAND_PARK      -             -            -        -
 *	COMMAND_TESTS     -             -            -        0
 *
 * READ and WRITE are one access of that width by one load or store, at any
 * address; it may be memory. KICK writes the queue's number to QueueNotify.
 * ACK reads InterruptStatus, writes to InterruptACK what it read, and answers
 * it. REARM allows the next interrupt of a level-triggered device, see below.
 * OFF turns the power off (and is never done). PARK takes this CPU away for
 * good. TESTS leaves command mode and runs the device tests, as without it.
 *
 * result is COMMAND_OK, COMMAND_FAULT (the access was answered by an abort;
 * syndrome is ESR_EL1; nothing was read), or COMMAND_BAD (no such command,
 * width, or device).
 *
 * Interrupts. Device i of `devices`: `base` and `intid` as in the guest's
 * device tree, ascending; `interrupts` counts how often the first CPU took its
 * interrupt. The guest touches no register on an interrupt unless it is told
 * to by ACK. An interrupt that is level-triggered (COMMAND_LEVEL in flags) is
 * masked when it is taken, or it would be taken for ever; REARM unmasks it.
 *
 * scratch is memory of the guest's that nothing but commands touch, for rings
 * and buffers: `scratch_bytes` at guest address `scratch`, a multiple of 4096.
 * The guest's caches are on; it is coherent with whoever maps it cacheable.
 *
 * alive goes up each COMMAND_TICK while the first CPU is not held.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include <stdint.h>

#define COMMAND_MAGIC   UINT64_C(0x31444d434b4c4256) /* "VBLKCMD1" */
#define COMMAND_VERSION 1u
#define COMMAND_POKE    0x656b6f70u     /* "poke" */
#define COMMAND_MODE    0x656b6174u     /* "take" */
#define COMMAND_TICK    200u
#define COMMAND_SLOTS   4u
#define COMMAND_DEVICES 32u

enum command {
	COMMAND_NONE = 0,
	COMMAND_READ = 1,
	COMMAND_WRITE = 2,
	COMMAND_KICK = 3,
	COMMAND_REARM = 4,
	COMMAND_ACK = 5,
	COMMAND_OFF = 6,
	COMMAND_PARK = 7,
	COMMAND_TESTS = 8
};

enum command_result {
	COMMAND_OK = 0,
	COMMAND_FAULT = 1,
	COMMAND_BAD = 2
};

#define COMMAND_LEVEL 1u        /* flags */

struct command_slot {           /* 64 bytes */
	uint32_t request;       /* other side */
	uint32_t taken;         /* guest */
	uint32_t done;          /* guest */
	uint32_t command;       /* other side, as are the next three */
	uint64_t addr;
	uint64_t value;
	uint32_t width;
	uint32_t result;        /* guest, as are the next two */
	uint64_t answer;
	uint64_t syndrome;
	uint64_t pad;
};

struct command_device {         /* 32 bytes */
	uint64_t base;
	uint32_t intid;
	uint32_t flags;
	uint32_t interrupts;
	uint32_t pad[3];
};

struct command_page {           /* 4096 bytes, on a multiple of that */
	uint64_t magic;         /* 0x000 */
	uint32_t version;       /* 0x008 */
	uint32_t cpus;          /* 0x00c */
	uint64_t self;          /* 0x010: guest address of this page */
	uint32_t poke;          /* 0x018: other side */
	uint32_t mode;          /* 0x01c */
	uint64_t scratch;       /* 0x020 */
	uint64_t scratch_bytes; /* 0x028 */
	uint64_t alive;         /* 0x030 */
	uint32_t device_count;  /* 0x038 */
	uint32_t pad0;
	struct command_slot slot[COMMAND_SLOTS];        /* 0x040 */
	struct command_device device[COMMAND_DEVICES];  /* 0x140 */
	uint8_t pad1[4096 - 0x540];
};

#endif

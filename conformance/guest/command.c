/* SPDX-License-Identifier: BSD-2-Clause */
#include "command.h"
#include "parts.h"

#define QUEUE_NOTIFY     0x50u
#define INTERRUPT_STATUS 0x60u
#define INTERRUPT_ACK    0x64u

_Static_assert(sizeof(struct command_slot) == 64, "slot");
_Static_assert(sizeof(struct command_device) == 32, "device");
_Static_assert(offsetof(struct command_page, slot) == 0x40, "slots");
_Static_assert(offsetof(struct command_page, device) == 0x140, "devices");
_Static_assert(sizeof(struct command_page) == 4096, "page");
_Static_assert(COMMAND_SLOTS == CPU_MAX && COMMAND_DEVICES == DISK_MAX,
	       "one slot a CPU, one entry a device");

static volatile struct command_page *page;

void command_start(void *memory, void *scratch, uint64_t scratch_bytes)
{
	page = memory;
	memset(memory, 0, sizeof(*page));
	page->version = COMMAND_VERSION;
	page->self = (uint64_t)(uintptr_t)memory;
	page->cpus = 1;
	page->scratch = (uint64_t)(uintptr_t)scratch;
	page->scratch_bytes = scratch_bytes;
	for (uint32_t i = 0; i < platform.slots; i++) {
		page->device[i].base = platform.slot[i].base;
		page->device[i].intid = platform.slot[i].intid;
		page->device[i].flags = platform.slot[i].edge ? 0
							      : COMMAND_LEVEL;
	}
	page->device_count = platform.slots;
	barrier();
	page->magic = COMMAND_MAGIC;
	print("# command page: 0x%lx\n", page->self);
}

void command_cpus(uint32_t cpus)
{
	page->cpus = cpus;
}

bool command_wanted(void)
{
	return page->poke == COMMAND_POKE;
}

bool command_interrupt(uint32_t intid)
{
	if (page->mode != COMMAND_MODE)
		return false;
	for (uint32_t i = 0; i < platform.slots; i++) {
		if (platform.slot[i].intid != intid)
			continue;
		if (!platform.slot[i].edge)
			gic_mask(intid, true);
		page->device[i].interrupts++;
	}
	return true;
}

static uint32_t access_result(volatile struct command_slot *s, bool good)
{
	if (good)
		return COMMAND_OK;
	s->syndrome = fault_last().esr;
	return COMMAND_FAULT;
}

static bool width_is_good(uint32_t width)
{
	return width == 1 || width == 2 || width == 4 || width == 8;
}

static uint32_t acknowledge(volatile struct command_slot *s, uint64_t base)
{
	uint64_t status = 0;
	bool good = probe_read(base + INTERRUPT_STATUS, 4, &status) &&
		    probe_write(base + INTERRUPT_ACK, 4, status);

	s->answer = status;
	return access_result(s, good);
}

static uint32_t execute(volatile struct command_slot *s)
{
	uint64_t addr = s->addr, value = s->value, read = 0;
	uint32_t width = s->width, command = s->command;
	bool good;

	s->answer = 0;
	s->syndrome = 0;
	switch (command) {
	case COMMAND_NONE:
	case COMMAND_TESTS: return COMMAND_OK;
	case COMMAND_READ:
		if (!width_is_good(width))
			return COMMAND_BAD;
		good = probe_read(addr, width, &read);
		s->answer = read;
		return access_result(s, good);
	case COMMAND_WRITE:
		if (!width_is_good(width))
			return COMMAND_BAD;
		return access_result(s, probe_write(addr, width, value));
	case COMMAND_KICK:
		return access_result(
			s, probe_write(addr + QUEUE_NOTIFY, 4, value));
	case COMMAND_REARM:
		if (addr >= platform.slots)
			return COMMAND_BAD;
		s->answer = page->device[addr].interrupts;
		if (platform.slot[addr].intid != NO_INTID)
			gic_mask(platform.slot[addr].intid, false);
		return COMMAND_OK;
	case COMMAND_ACK:
		if (addr >= platform.slots)
			return COMMAND_BAD;
		return acknowledge(s, platform.slot[addr].base);
	case COMMAND_OFF: power_off();
	case COMMAND_PARK:
		for (;;)
			time_sleep(1000000);
	default: return COMMAND_BAD;
	}
}

/* The command that was done, COMMAND_NONE if there was none. */
static uint32_t serve(volatile struct command_slot *s)
{
	uint32_t request = __atomic_load_n(&s->request, __ATOMIC_ACQUIRE);
	uint32_t command;

	if (request == s->done)
		return COMMAND_NONE;
	__atomic_store_n(&s->taken, request, __ATOMIC_SEQ_CST);
	barrier();
	command = s->command;
	s->result = execute(s);
	__atomic_store_n(&s->done, request, __ATOMIC_RELEASE);
	return command;
}

bool command_other(uint32_t cpu)
{
	if (page->mode != COMMAND_MODE)
		return false;
	(void)serve(&page->slot[cpu]);
	return true;
}

void command_serve(void)
{
	page->poke = 0;
	for (uint32_t i = 0; i < platform.slots; i++)
		if (platform.slot[i].intid != NO_INTID)
			gic_enable(platform.slot[i].intid,
				   platform.slot[i].edge);
	print("# command mode, %u CPUs\n", page->cpus);
	barrier();
	page->mode = COMMAND_MODE;
	while (serve(&page->slot[0]) != COMMAND_TESTS) {
		page->alive++;
		time_sleep(COMMAND_TICK);
	}
	page->mode = 0;
	for (uint32_t i = 0; i < platform.slots; i++)
		if (platform.slot[i].intid != NO_INTID)
			gic_mask(platform.slot[i].intid, true);
}

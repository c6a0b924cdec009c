/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tests of conformance/device on each virtio-mmio disk, one after the
 * other, as TAP: "ok 7 - virtio@a003e00 split.used_len". On the command line,
 * each with its default:
 *
 *	conformance.only=*	names of tests, with "*"
 *	conformance.except=	names of tests that are left out, by commas
 *	conformance.device=	the one device at this address
 *	conformance.long=5	seconds from which a test's time is told
 *	conformance.log=fail	what was done, of tests that failed; all, none,
 *				or live: as it is done
 */
#include "parts.h"
#include "suite.h"

#define BLOCK_DEVICE 2u
#define TEST_MAX     10000u

#define LOG_BYTES    16384u     /* the last lines of a test */

static struct disk current;

static char log_text[LOG_BYTES];
static uint32_t log_put;        /* bytes since the test began */
static bool log_live;

static struct {
	uint32_t tests, passed, failed, skipped;
} count;

void tests_interrupt(uint32_t intid)
{
	if (current.slot && current.slot->intid == intid)
		disk_interrupt(&current);
}

static void result(bool good, const char *device, const char *name,
		   const char *more, const char *why)
{
	count.tests++;
	print("%sok %u - %s %s%s%s\n", good ? "" : "not ", count.tests, device,
	      name, more, why);
}

void tests_log(struct dut *d, const char *line)
{
	(void)d;
	if (log_live) {
		print("#   %s\n", line);
		return;
	}
	for (; *line; line++)
		log_text[log_put++ % LOG_BYTES] = *line;
	log_text[log_put++ % LOG_BYTES] = '\n';
}

static void print_log(bool failed)
{
	char word[8], line[240];
	uint32_t at = log_put > LOG_BYTES ? log_put - LOG_BYTES : 0, n = 0;

	(void)platform_option("conformance.log=", word, sizeof(word));
	if (!strcmp(word, "none") || (!failed && strcmp(word, "all")))
		return;
	if (at)
		print("#   ...\n");
	while (at && at < log_put && log_text[at++ % LOG_BYTES] != '\n')
		;
	for (; at < log_put; at++) {
		line[n] = log_text[at % LOG_BYTES];
		if (line[n] != '\n' && n < sizeof(line) - 1) {
			n++;
			continue;
		}
		line[n] = '\0';
		n = 0;
		print("#   %s\n", line);
	}
}

static void run_one(struct suite *s, const struct suite_test *t)
{
	struct suite_result r = { .verdict = SUITE_FAIL };
	uint64_t start = time_us(), slow;

	log_put = 0;
	suite_run(s, &current.dut, t, &r);
	print_log(r.verdict == SUITE_FAIL);
	switch (r.verdict) {
	case SUITE_PASS:
		count.passed++;
		result(true, current.name, t->name, "", "");
		break;
	case SUITE_FAIL:
		count.failed++;
		print("# %s: %s\n# %s (%s)\n", t->name, r.why, t->words,
		      t->statements);
		result(false, current.name, t->name, "", "");
		break;
	case SUITE_SKIP:
		count.skipped++;
		result(true, current.name, t->name, " # SKIP ", r.why);
		break;
	}
	slow = platform_number("conformance.long=", 5) * 1000000;
	if (time_us() - start >= slow)
		print("# took %lu ms\n", (time_us() - start) / 1000);
}

/* Is a name one of a list with commas between? */
static bool listed(const char *list, const char *name)
{
	size_t n = strlen(name);

	for (; *list; list += *list == ',') {
		if (!strncmp(list, name, n) && (!list[n] || list[n] == ','))
			return true;
		while (*list && *list != ',')
			list++;
	}
	return false;
}

static void run_disk(const struct slot *slot, uint8_t *memory, uint64_t bytes)
{
	struct suite *s = (struct suite *)(void *)memory;
	uint64_t own = (suite_bytes() + PAGE - 1) & ~(uint64_t)(PAGE - 1);
	uint64_t start = time_us();
	const struct suite_test *t;
	char only[96], except[240], log[8];

	if (!platform_option("conformance.except=", except, sizeof(except)) &&
	    *except)
		fatal("conformance.except= is too long");
	(void)platform_option("conformance.log=", log, sizeof(log));
	log_live = !strcmp(log, "live");
	if (bytes < own + (1u << 20))
		fatal("the tests want %lu bytes of their own", own);
	if (!platform_option("conformance.only=", only, sizeof(only)))
		memcpy(only, "*", 2);
	memset(memory, 0, bytes);
	disk_attach(&current, slot, memory + own, bytes - own);
	print("# device %s, INTID %u, %s\n", current.name, slot->intid,
	      slot->edge ? "edge" : "level");
	for (uint32_t i = 0; i < TEST_MAX && (t = suite_test(i)); i++) {
		if (command_wanted())
			command_serve();
		if (!matches(t->name, only))
			continue;
		if (!listed(except, t->name)) {
			run_one(s, t);
			continue;
		}
		count.skipped++;
		result(true, current.name, t->name, " # SKIP ", "left out");
	}
	disk_detach(&current);
	print("# %s: %u interrupts, %u without a reason, %lu ms\n",
	      current.name, current.interrupts, current.unasked,
	      (time_us() - start) / 1000);
	current.slot = NULL;
}

/* A slot with a block device that a driver of version 2 can use? */
static bool is_disk(const struct slot *s)
{
	uint32_t device, version;
	const char *why = disk_look(s, &device, &version);
	char name[48];

	format(name, sizeof(name), "virtio@%lx", s->base);
	if (why) {
		count.failed++;
		result(false, name, "registers: ", why, "");
		return false;
	}
	if (device != BLOCK_DEVICE)
		return false;   /* a slot may be empty */
	if (version == 2)
		return true;
	count.failed++;
	format(name + strlen(name), sizeof(name) - strlen(name), " version %u",
	       version);
	result(false, name, "expected register layout 2; 1 is legacy", "", "");
	return false;
}

void tests_run(void *memory, uint64_t bytes)
{
	uint64_t only = platform_number("conformance.device=", UINT64_MAX);
	uint32_t disks = 0;

	print("TAP version 13\n");
	for (uint32_t i = 0; i < platform.slots; i++) {
		const struct slot *s = &platform.slot[i];

		if (only != UINT64_MAX && s->base != only)
			continue;
		if (!is_disk(s))
			continue;
		disks++;
		run_disk(s, memory, bytes);
	}
	if (!count.tests) {
		count.failed++;
		result(false, "guest",
		       disks ? "no test is called like conformance.only"
			     : "no virtio-mmio block device in the device tree",
		       "", "");
	}
	print("1..%u\n# %u devices: %u passed, %u failed, %u skipped\n",
	      count.tests, disks, count.passed, count.failed, count.skipped);
}

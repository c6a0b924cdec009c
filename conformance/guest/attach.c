/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A struct dut over the registers of virtio-mmio, version 2 (virtio 1.4, 4.2).
 *
 * An interrupt is noted by its handler, which touches no register of the
 * device: InterruptStatus stays as the device left it until irq_take reads and
 * acknowledges it, so that a test may look at the registers itself. What the
 * device sets in InterruptStatus without raising its interrupt is not taken
 * for one.
 */
#include "mmio_driver.h"
#include "parts.h"

#define WAIT_MS   5000u
#define SETTLE_US 30000u
#define SPIN_US   300u          /* before a wait begins to sleep */
#define SLEEP_US  200u

/* --- one access ----------------------------------------------------------- */

static volatile uint64_t busy_since, busy_at;

uint64_t disk_busy_us(uint64_t *addr)
{
	uint64_t since = busy_since;

	*addr = busy_at;
	return since ? time_us() - since : 0;
}

static void enter(uint64_t addr)
{
	busy_at = addr;
	busy_since = time_us() | 1;
}

static int lost(struct dut *d, const char *words, ...) FORMAT(2, 3);

static int lost(struct dut *d, const char *words, ...)
{
	va_list ap;

	va_start(ap, words);
	format_va(d->why, sizeof(d->why), words, ap);
	va_end(ap);
	return DUT_LOST;
}

static struct disk *disk(struct dut *d)
{
	return d->self;
}

static int reg_read(struct dut *d, uint32_t offset, uint32_t width,
		    uint64_t *value)
{
	uint64_t addr = disk(d)->slot->base + offset;
	bool good;

	if (d->why[0])
		return DUT_LOST;
	enter(addr);
	good = probe_read(addr, width, value);
	busy_since = 0;
	if (good)
		return DUT_OK;
	return lost(d, "a read of %u bytes at 0x%03x faulted: ESR 0x%lx", width,
		    offset, fault_last().esr);
}

static int reg_write(struct dut *d, uint32_t offset, uint32_t width,
		    uint64_t value)
{
	uint64_t addr = disk(d)->slot->base + offset;
	bool good;

	if (d->why[0])
		return DUT_LOST;
	barrier();              /* what is in memory is there before */
	enter(addr);
	good = probe_write(addr, width, value);
	busy_since = 0;
	if (good)
		return DUT_OK;
	return lost(d, "a write of %u bytes at 0x%03x faulted: ESR 0x%lx",
		    width, offset, fault_last().esr);
}

/* --- what the device does ------------------------------------------------- */

void disk_interrupt(struct disk *k)
{
	if (!k->slot->edge)     /* or it comes for ever */
		gic_mask(k->slot->intid, true);
	k->interrupts++;
	k->raised = true;
}

/* What was raised before a reset has no reason afterwards. */
static int status_write(struct dut *d, uint32_t status)
{
	int r = mmio_status_write(d, status);

	if (!status)
		disk(d)->raised = false;
	return r;
}

/* Without a GIC that we know, InterruptStatus stands for the interrupt. */
static bool raised(struct disk *k)
{
	if (k->slot->intid == NO_INTID || !platform.gic)
		return true;
	return k->raised;
}

static int irq_take(struct dut *d, struct dut_irq *irq)
{
	struct disk *k = disk(d);
	int r;

	memset(irq, 0, sizeof(*irq));
	if (d->why[0])
		return DUT_LOST;
	if (!raised(k))
		return DUT_OK;
	k->raised = false;      /* before the look: what comes now is new */
	r = mmio_irq_take(d, irq);
	if (!k->slot->edge && k->slot->intid != NO_INTID)
		gic_mask(k->slot->intid, false);
	if (!irq->used && !irq->config)
		k->unasked++;
	return r;
}

static int wait(struct dut *d, bool (*ready)(void *arg), void *arg, uint32_t ms,
		bool *came)
{
	uint64_t start = time_us(), us = (uint64_t)ms * 1000;

	*came = false;
	for (;;) {
		uint64_t passed = time_us() - start;

		if (d->why[0])
			return DUT_LOST;
		*came = ready(arg);
		if (*came || passed > us)
			return DUT_OK;
		if (passed > SPIN_US)
			time_sleep(SLEEP_US);
		barrier();
	}
}

static int settle(struct dut *d)
{
	uint64_t start = time_us();

	if (d->why[0])
		return DUT_LOST;
	while (time_us() - start < SETTLE_US)
		time_sleep(SETTLE_US / 4);
	return DUT_OK;
}

/* --- from behind, for people ---------------------------------------------- */

static int event(struct dut *d, enum dut_event e, uint64_t value)
{
	(void)d;
	(void)e;
	(void)value;
	return DUT_CANNOT;
}

/* --- life ----------------------------------------------------------------- */

static int open(struct dut *d)
{
	struct disk *k = disk(d);
	uint64_t start = time_us();
	struct dut_irq irq;
	uint32_t status = 0;
	int r;

	d->why[0] = '\0';
	r = mmio_status_write(d, 0);
	while (!r) {
		r = mmio_status_read(d, &status);
		if (r || !status)
			break;
		if (time_us() - start > (uint64_t)d->wait_ms * 1000)
			r = lost(d, "Status stays 0x%x after a reset", status);
		else
			time_sleep(SLEEP_US);
	}
	if (r)
		return r;
	/* An edge that came before, or a reason that should have gone */
	r = mmio_irq_take(d, &irq);
	if (k->slot->intid != NO_INTID) {
		gic_mask(k->slot->intid, true);
		gic_clear(k->slot->intid);
		k->raised = false;
		gic_mask(k->slot->intid, false);
	}
	return r;
}

static const struct dut_ops ops = {
	.open = open,
	.status_read = mmio_status_read,
	.status_write = status_write,
	.features_read = mmio_features_read,
	.features_write = mmio_features_write,
	.config_read = mmio_config_read,
	.config_write = mmio_config_write,
	.config_generation = mmio_config_generation,
	.queue_max = mmio_queue_max,
	.queue_set = mmio_queue_set,
	.queue_enable = mmio_queue_enable,
	.queue_ready = mmio_queue_ready,
	.queue_reset = mmio_queue_reset,
	.queue_resetting = mmio_queue_resetting,
	.notify = mmio_notify,
	.notify_data = mmio_notify_data,
	.irq_take = irq_take,
	.wait = wait,
	.settle = settle,
	.reg_read = reg_read,
	.reg_write = reg_write,
	.event = event,
	.log = tests_log,
};

const char *disk_look(const struct slot *s, uint32_t *device, uint32_t *version)
{
	uint64_t magic, v = 0, id = 0;

	*device = *version = 0;
	if (!probe_read(s->base + REG_MAGIC, 4, &magic) ||
	    !probe_read(s->base + REG_VERSION, 4, &v) ||
	    !probe_read(s->base + REG_DEVICE, 4, &id))
		return "its registers fault";
	if (magic != REG_MAGIC_VALUE)
		return "MagicValue is not \"virt\"";
	*device = (uint32_t)id;
	*version = (uint32_t)v;
	return NULL;
}

static enum dut_policy policy(void)
{
	char word[16];

	(void)platform_option("conformance.policy=", word, sizeof(word));
	if (!strcmp(word, "contain"))
		return DUT_POLICY_CONTAIN;
	if (!strcmp(word, "stop"))
		return DUT_POLICY_STOP;
	return DUT_POLICY_UNKNOWN;
}

/* Words of conformance.without=, by commas: what is somebody else's than the
 * device's, where another program answers for it. */
static uint32_t without(void)
{
	static const struct {
		const char *word;
		uint32_t bit;
	} known[] = {
		{ "registers", DUT_REGS },
		{ "status", DUT_STATUS },
		{ "generation", DUT_GENERATION },
		{ "notify-data", DUT_NOTIFY_DATA },
		{ "queue-reset", DUT_QUEUE_RESET },
		{ "queue-ready", DUT_QUEUE_READY },
		{ "config-interrupt", DUT_IRQ_CONFIG },
		{ "suspend", DUT_SUSPEND },
	};
	char words[128], *word = words, *comma;
	uint32_t bits = 0, i;

	(void)platform_option("conformance.without=", words, sizeof(words));
	for (; *word; word = comma + 1) {
		for (comma = word; *comma && *comma != ','; comma++)
			;
		bool last = !*comma;

		*comma = '\0';
		for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			if (!strcmp(known[i].word, word))
				break;
		if (i == sizeof(known) / sizeof(known[0]))
			fatal("conformance.without=%s: there is no such word",
			      word);
		bits |= known[i].bit;
		if (last)
			break;
	}
	return bits;
}

/* Above the last RAM, from the next multiple of 1 GiB. */
static uint64_t beyond(void)
{
	uint64_t end = 0, gib = UINT64_C(1) << 30;

	for (uint32_t i = 0; i < platform.rams; i++)
		if (platform.ram[i].base + platform.ram[i].bytes > end)
			end = platform.ram[i].base + platform.ram[i].bytes;
	return (end + gib) & ~(gib - 1);
}

void disk_attach(struct disk *k, const struct slot *s, void *memory,
		 uint64_t bytes)
{
	memset(k, 0, sizeof(*k));
	k->slot = s;
	format(k->name, sizeof(k->name), "virtio@%lx", s->base);
	k->dut = (struct dut){
		.ops = &ops,
		.self = k,
		.name = k->name,
		.can = (DUT_REGS | DUT_STATUS | DUT_GENERATION |
			DUT_NOTIFY_DATA | DUT_QUEUE_RESET | DUT_QUEUE_READY |
			DUT_IRQ_CONFIG | DUT_SUSPEND) &
		       ~without(),
		.policy = policy(),
		.wait_ms = (uint32_t)platform_number("conformance.wait=",
						     WAIT_MS),
		.region = { { memory, (uint64_t)(uintptr_t)memory, bytes } },
		.regions = 1,
		.bad_addr = platform_number("conformance.bad=", beyond()),
		.bad_bytes = UINT64_C(64) << 20,
	};
	if (s->intid != NO_INTID)
		gic_enable(s->intid, s->edge);
}

void disk_detach(struct disk *k)
{
	if (k->slot->intid != NO_INTID)
		gic_mask(k->slot->intid, true);
}

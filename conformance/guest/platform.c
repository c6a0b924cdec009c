/* SPDX-License-Identifier: BSD-2-Clause */
/* What the guest wants to know of the machine, from its device tree. */
#include "dt.h"
#include "guest.h"

struct platform platform;

/* What is put together when all nodes were seen. */
struct seen {
	const char *stdout_path, *alias;
	uint64_t first_uart;
	bool chosen_uart, first_sbsa;
	uint32_t interrupt_cells;
};

/* Interrupt i of a node: <type number flags>, of the GIC. */
static bool interrupt_of(const struct dt_walk *w, uint32_t cells, uint32_t i,
			 uint32_t *intid, bool *edge)
{
	struct dt_prop p;
	uint32_t type, n;

	if (!dt_prop(w, "interrupts", &p) || cells < 3 ||
	    i >= p.bytes / 4 / cells)
		return false;
	type = dt_cell(&p, i * cells);
	n = dt_cell(&p, i * cells + 1);
	*edge = dt_cell(&p, i * cells + 2) & 3;
	if (type == 0 && n < INTID_MAX - SPI_FIRST)
		*intid = SPI_FIRST + n;
	else if (type == 1 && n < 16)
		*intid = 16 + n;
	else
		return false;
	return true;
}

static void memory_node(const struct dt_walk *w)
{
	const char *type = dt_string(w, "device_type");
	uint64_t base, bytes;

	if (!type || strcmp(type, "memory"))
		return;
	for (uint32_t i = 0; dt_reg(w, i, &base, &bytes); i++)
		if (bytes && platform.rams < RAM_MAX)
			platform.ram[platform.rams++] = (struct range){ base,
									bytes };
}

static void cpu_node(const struct dt_walk *w)
{
	const char *type = dt_string(w, "device_type");
	struct dt_prop p;
	uint64_t id = 0;

	if (!type || strcmp(type, "cpu") || !dt_prop(w, "reg", &p) ||
	    platform.cpus == CPU_MAX)
		return;
	for (uint32_t i = 0; i < p.bytes / 4; i++)
		id = id << 32 | dt_cell(&p, i);
	platform.cpu[platform.cpus++] = id;
}

static void gic_node(const struct dt_walk *w, struct seen *s)
{
	struct dt_prop p;
	uint32_t regions = 1;

	if (dt_is(w, "arm,gic-v3"))
		platform.gic = 3;
	else if (dt_is(w, "arm,gic-400") || dt_is(w, "arm,cortex-a15-gic") ||
		 dt_is(w, "arm,cortex-a7-gic") || dt_is(w, "arm,cortex-a9-gic"))
		platform.gic = 2;
	else
		return;
	if (dt_prop(w, "#interrupt-cells", &p))
		s->interrupt_cells = dt_cell(&p, 0);
	if (!dt_reg(w, 0, &platform.gicd.base, &platform.gicd.bytes)) {
		platform.gic = 0;
		return;
	}
	if (platform.gic == 2) {
		if (!dt_reg(w, 1, &platform.gicc.base, &platform.gicc.bytes))
			platform.gic = 0;
		return;
	}
	if (dt_prop(w, "#redistributor-regions", &p))
		regions = dt_cell(&p, 0);
	for (uint32_t i = 0; i < regions && i < 8; i++)
		if (dt_reg(w, 1 + i, &platform.gicr[i].base,
			   &platform.gicr[i].bytes))
			platform.gicrs = i + 1;
}

static void slot_node(const struct dt_walk *w, const struct seen *s)
{
	struct slot n = { 0, 0, NO_INTID, true };
	uint32_t i;

	if (!dt_reg(w, 0, &n.base, &n.bytes))
		return;
	if (!interrupt_of(w, s->interrupt_cells, 0, &n.intid, &n.edge))
		n.intid = NO_INTID;
	if (platform.slots == DISK_MAX) {
		platform.slots_left_out++;
		return;
	}
	for (i = platform.slots++; i && platform.slot[i - 1].base > n.base; i--)
		platform.slot[i] = platform.slot[i - 1];
	platform.slot[i] = n;
}

static void uart_node(const struct dt_walk *w, struct seen *s)
{
	bool sbsa = dt_is(w, "arm,sbsa-uart");
	uint64_t base, bytes;
	size_t n = 0;

	if (!dt_reg(w, 0, &base, &bytes))
		return;
	if (s->stdout_path)     /* "serial0:115200n8": the rest is for others */
		while (s->stdout_path[n] && s->stdout_path[n] != ':')
			n++;
	if (n && !strncmp(s->stdout_path, w->path, n) && !w->path[n]) {
		platform.pl011 = base;
		platform.sbsa = sbsa;
		s->chosen_uart = true;
	} else if (!s->first_uart) {
		s->first_uart = base;
		s->first_sbsa = sbsa;
	}
}

/* The few nodes that others are read by, wherever they stand. */
static void first_pass(struct dt_walk *w, struct seen *s)
{
	const char *method;

	while (dt_next(w)) {
		if (!w->depth) {
			platform.model = dt_string(w, "model");
		} else if (!strcmp(w->path, "/chosen")) {
			platform.bootargs = dt_string(w, "bootargs");
			s->stdout_path = dt_string(w, "stdout-path");
		} else if (!strcmp(w->path, "/hypervisor")) {
			platform.xen = dt_is(w, "xen,xen");
		} else if (dt_is(w, "arm,psci-0.2") ||
			   dt_is(w, "arm,psci-1.0")) {
			method = dt_string(w, "method");
			platform.psci = method != NULL;
			platform.psci_smc = method && !strcmp(method, "smc");
		} else if (dt_enabled(w)) {
			gic_node(w, s);
			memory_node(w);
			cpu_node(w);
		}
	}
}

/* A path that is the name of an alias becomes what that stands for. */
static void resolve(struct dt_walk *w, struct seen *s)
{
	char name[32];
	size_t n = 0;
	const char *path;

	if (!s->stdout_path || *s->stdout_path == '/')
		return;
	while (s->stdout_path[n] && s->stdout_path[n] != ':' &&
	       n < sizeof(name) - 1) {
		name[n] = s->stdout_path[n];
		n++;
	}
	name[n] = '\0';
	while (dt_next(w)) {
		if (strcmp(w->path, "/aliases"))
			continue;
		path = dt_string(w, name);
		if (path)
			s->stdout_path = path;
		return;
	}
}

static void second_pass(struct dt_walk *w, struct seen *s)
{
	bool edge;

	while (dt_next(w)) {
		if (!dt_enabled(w))
			continue;
		if (dt_is(w, "virtio,mmio"))
			slot_node(w, s);
		else if (dt_is(w, "arm,pl011") || dt_is(w, "arm,sbsa-uart"))
			uart_node(w, s);
		else if ((dt_is(w, "arm,armv8-timer") ||
			  dt_is(w, "arm,armv7-timer")) &&
			 !interrupt_of(w, s->interrupt_cells, 2,
				       &platform.timer, &edge))
			platform.timer = NO_INTID;
	}
}

static void choose_console(const struct seen *s)
{
	if (!s->chosen_uart) {
		platform.pl011 = s->first_uart;
		platform.sbsa = s->first_sbsa;
	}
	if (platform.pl011)
		platform.console = CONSOLE_PL011;
	else if (platform.xen)
		platform.console = CONSOLE_XEN;
}

const char *platform_read(const void *blob)
{
	struct dt_walk w;
	struct seen s = { .interrupt_cells = 3 };
	const char *why = dt_open(&w, blob);

	platform.bootargs = NULL;
	platform.timer = 27;
	if (!why) {
		struct dt_walk again = w;

		first_pass(&w, &s);
		w = again;
		resolve(&w, &s);
		second_pass(&again, &s);
		choose_console(&s);
	}
	if (!platform.bootargs)
		platform.bootargs = "";
	if (!platform.model)
		platform.model = "unnamed";
	if (!platform.cpus)
		platform.cpus = 1;
	return why;
}

bool platform_option(const char *key, char *to, size_t bytes)
{
	const char *s = platform.bootargs;
	size_t n = strlen(key), i;

	to[0] = '\0';
	while (*s) {
		while (*s == ' ')
			s++;
		if (strncmp(s, key, n)) {
			while (*s && *s != ' ')
				s++;
			continue;
		}
		s += n;
		for (i = 0; s[i] && s[i] != ' '; i++) {
			if (i == bytes - 1)
				return false;
			to[i] = s[i];
		}
		to[i] = '\0';
		return true;
	}
	return false;
}

uint64_t platform_number(const char *key, uint64_t otherwise)
{
	char word[32];
	const char *s = word;
	uint32_t base = 10, digit;
	uint64_t v = 0;

	if (!platform_option(key, word, sizeof(word)) || !*s)
		return otherwise;
	if (s[0] == '0' && s[1] == 'x') {
		base = 16;
		s += 2;
	}
	for (; *s; s++) {
		digit = *s >= '0' && *s <= '9'	 ? (uint32_t)(*s - '0')
			: *s >= 'a' && *s <= 'f' ? (uint32_t)(*s - 'a') + 10
						 : 16;
		if (digit >= base)
			return otherwise;
		v = v * base + digit;
	}
	return v;
}

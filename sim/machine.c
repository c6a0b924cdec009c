/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where things are for the guest: which device an address belongs to, which
 * driver an interrupt number.
 */
#include "sim.h"

#define RAM        UINT64_C(0x40000000)
#define REGISTERS  UINT64_C(0x0a000000)
#define WINDOW_EACH 0x1000u
#define IRQ_FIRST  48u

void machine_default(struct machine *m)
{
	*m = (struct machine){ .ram = RAM, .ram_bytes = UINT32_MAX };
	for (unsigned i = 0; i < MAX_DISKS; i++) {
		m->base[i] = REGISTERS + i * WINDOW_EACH;
		m->bytes[i] = WINDOW_EACH;
		m->irq[i] = IRQ_FIRST + i;
	}
}

/* As the hypervisor does on a trap. False: no device is there. */
bool machine_decode(const struct knobs *k, uint64_t address, unsigned *disk,
		    uint64_t *offset)
{
	const struct machine *m = &k->machine;

	for (unsigned i = 0; i < k->disks; i++) {
		if (address < m->base[i] || address - m->base[i] >= m->bytes[i])
			continue;
		*disk = i;
		*offset = address - m->base[i];
		return true;
	}
	return false;
}

struct driver *machine_handler(struct world *w, uint32_t irq)
{
	for (unsigned i = 0; i < w->disks; i++)
		if (w->driver[i].irq_number == irq)
			return &w->driver[i];
	sim_fail("an interrupt has a driver", "interrupt %u", irq);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* PSCI, and how a run ends. */
#include "guest.h"

#define PSCI_SYSTEM_OFF 0x84000008u

int64_t psci(uint32_t function, uint64_t a, uint64_t b, uint64_t c)
{
	register uint64_t x0 __asm__("x0") = function;
	register uint64_t x1 __asm__("x1") = a;
	register uint64_t x2 __asm__("x2") = b;
	register uint64_t x3 __asm__("x3") = c;

	if (!platform.psci)
		return -1;
	if (platform.psci_smc)
		__asm__ volatile("smc #0"
				 : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)
				 :
				 : "x4", "x5", "x6", "x7", "x8", "x9", "x10",
				   "x11", "x12", "x13", "x14", "x15", "x16",
				   "x17", "memory");
	else
		__asm__ volatile("hvc #0"
				 : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)
				 :
				 : "x4", "x5", "x6", "x7", "x8", "x9", "x10",
				   "x11", "x12", "x13", "x14", "x15", "x16",
				   "x17", "memory");
	return (int64_t)x0;
}

_Noreturn void power_off(void)
{
	console_drain();
	(void)psci(PSCI_SYSTEM_OFF, 0, 0, 0);
	print("# cannot turn the power off; the run has ended\n");
	for (;;)
		__asm__ volatile("wfi");
}

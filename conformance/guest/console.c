/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the verdict is printed: a PL011 or its SBSA subset, or Xen's console.
 * A line ends with CR LF, as on a terminal. A PL011 whose FIFO stays full loses
 * characters rather than the run.
 */
#include "guest.h"

#define DR   0x00u
#define FR   0x18u
#define LCRH 0x2cu
#define CR   0x30u

#define FR_BUSY   (1u << 3)
#define FR_FULL   (1u << 5)
#define LCRH_8N1  (3u << 5 | 1u << 4)   /* with the FIFO */
#define CR_ENABLE (1u << 0)
#define CR_SEND   (1u << 8)

#define PATIENCE 100000u        /* reads of FR */

static uint32_t read32(uint32_t offset)
{
	return *(volatile uint32_t *)(uintptr_t)(platform.pl011 + offset);
}

static void write32(uint32_t offset, uint32_t value)
{
	*(volatile uint32_t *)(uintptr_t)(platform.pl011 + offset) = value;
}

void console_start(void)
{
	if (platform.console != CONSOLE_PL011 || platform.sbsa)
		return;
	/* Nobody used it yet? Its rate is what it is. */
	if (!(read32(CR) & CR_ENABLE))
		write32(LCRH, LCRH_8N1);
	write32(CR, read32(CR) | CR_ENABLE | CR_SEND);
}

static void await(uint32_t flag)
{
	for (uint32_t i = 0; i < PATIENCE && (read32(FR) & flag); i++)
		;
}

void console_write(const char *text, size_t bytes)
{
	if (platform.console == CONSOLE_XEN)
		xen_write(text, bytes);
	if (platform.console != CONSOLE_PL011)
		return;
	while (bytes--) {
		await(FR_FULL);
		write32(DR, (uint8_t)*text++);
	}
}

void console_drain(void)
{
	if (platform.console == CONSOLE_XEN)
		xen_drain();
	else if (platform.console == CONSOLE_PL011)
		await(FR_BUSY);
}

void print(const char *words, ...)
{
	char line[512], out[600];
	size_t n = 0;
	va_list ap;

	va_start(ap, words);
	format_va(line, sizeof(line), words, ap);
	va_end(ap);
	for (const char *s = line; *s && n < sizeof(out) - 2; s++) {
		if (*s == '\n')
			out[n++] = '\r';
		out[n++] = *s;
	}
	console_write(out, n);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The console that Xen's toolstack gives to a guest: a ring in a page of the
 * guest's that xenconsoled reads, and an event channel to tell it. Both are
 * told by HVM parameters. Layout and numbers are Xen's public interface
 * (public/io/console.h, hvm/params.h, event_channel.h), written from there.
 *
 * A guest that Xen itself started has no such page; if Xen is built to allow
 * it, what it prints by hypercall is on Xen's own console.
 */
#include "guest.h"

#define XEN_CONSOLE_IO    18u
#define XEN_EVENT_CHANNEL 32u
#define XEN_HVM           34u

#define CONSOLE_IO_WRITE 0u
#define EVENT_SEND       4u
#define HVM_PARAM_GET    1u
#define PARAM_PAGE       17u    /* the ring's frame */
#define PARAM_EVENT      18u

#define SELF     0x7ff0u
#define OUT      2048u
#define PATIENCE 5000000u       /* us for a reader to come */

struct ring {
	char in[1024], out[OUT];
	uint32_t in_taken, in_put;
	uint32_t out_taken, out_put;
};

static volatile struct ring *ring;
static uint32_t event;
static bool by_hypercall, gave_up;

static int64_t hypercall(uint32_t number, uint64_t a, uint64_t b, uint64_t c)
{
	register uint64_t x0 __asm__("x0") = a;
	register uint64_t x1 __asm__("x1") = b;
	register uint64_t x2 __asm__("x2") = c;
	register uint64_t x16 __asm__("x16") = number;

	__asm__ volatile("hvc #0xea1"
			 : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x16)
			 :
			 : "x3", "x4", "memory");
	return (int64_t)x0;
}

static bool parameter(uint32_t index, uint64_t *value)
{
	struct {
		uint16_t domain;
		uint32_t index;
		uint64_t value;
	} p = { SELF, index, 0 };

	if (hypercall(XEN_HVM, HVM_PARAM_GET, (uint64_t)(uintptr_t)&p, 0))
		return false;
	*value = p.value;
	return true;
}

const char *xen_start(void)
{
	uint64_t frame, port;

	if (platform.console != CONSOLE_XEN)
		return NULL;
	if (!parameter(PARAM_PAGE, &frame) || !frame || frame == UINT64_MAX ||
	    !parameter(PARAM_EVENT, &port)) {
		by_hypercall = true;
		return "no console page";
	}
	mmu_map_ram(frame * PAGE, PAGE);
	event = (uint32_t)port;
	ring = (volatile struct ring *)(uintptr_t)(frame * PAGE);
	return NULL;
}

static void notify(void)
{
	uint32_t port = event;

	barrier();
	(void)hypercall(XEN_EVENT_CHANNEL, EVENT_SEND,
			(uint64_t)(uintptr_t)&port, 0);
}

/* Until there is room for so many bytes, or nobody reads. */
static bool room(uint32_t bytes)
{
	uint64_t start = time_us();

	while (OUT - (ring->out_put - ring->out_taken) < bytes) {
		if (gave_up || time_us() - start > PATIENCE) {
			gave_up = true;
			return false;
		}
		notify();
		time_sleep(1000);
	}
	gave_up = false;
	return true;
}

void xen_write(const char *text, size_t bytes)
{
	if (by_hypercall)
		(void)hypercall(XEN_CONSOLE_IO, CONSOLE_IO_WRITE, bytes,
				(uint64_t)(uintptr_t)text);
	if (!ring)
		return;
	for (size_t i = 0; i < bytes; i++) {
		uint32_t put = ring->out_put;

		if (!room(1))
			return;
		ring->out[put & (OUT - 1)] = text[i];
		__asm__ volatile("dmb ish" ::: "memory"); /* then its index */
		ring->out_put = put + 1;
	}
	notify();
}

void xen_drain(void)
{
	if (ring)
		(void)room(OUT);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* See bus.h. */
#include "bus.h"

#include <stdlib.h>
#include <string.h>

#include "sim.h"
#include "sim_arch.h"

struct bus bus;

void bus_make(uint32_t size, uint64_t seed)
{
	memset(&bus, 0, sizeof(bus));
	bus.size = size;
	bus.ram = calloc(1, size);
	bus.seen = calloc(size / 2u, sizeof(*bus.seen));
	bus.packed = calloc(size / 16u, sizeof(*bus.packed));
	for (unsigned i = 0; i < BUS_DEVICES; i++)
		bus.mapped[i] = calloc(size / BUS_PAGE, sizeof(uint16_t));
	bus.rng.s = seed;
	bus.chain = 1;
}

void bus_free(void)
{
	free(bus.ram);
	free(bus.seen);
	free(bus.packed);
	for (unsigned i = 0; i < BUS_DEVICES; i++)
		free(bus.mapped[i]);
	memset(&bus, 0, sizeof(bus));
}

void bus_map(unsigned device, uint32_t off, uint32_t len, int by)
{
	for (uint32_t p = off / BUS_PAGE; p <= (off + len - 1u) / BUS_PAGE; p++)
		bus.mapped[device][p] = (uint16_t)(bus.mapped[device][p] + by);
}

bool bus_mapped(unsigned device, uint32_t off, uint32_t len)
{
	if (len == 0 || off >= bus.size || len > bus.size - off)
		return false;
	for (uint32_t p = off / BUS_PAGE; p <= (off + len - 1u) / BUS_PAGE; p++)
		if (!bus.mapped[device][p])
			return false;
	return true;
}

/* --- the device's CPU ----------------------------------------------------- */

static uint32_t offset(const void *p, uint32_t len)
{
	uintptr_t off = (uintptr_t)p - (uintptr_t)bus.ram;

	if (off >= bus.size || !bus_mapped(bus.device, (uint32_t)off, len))
		sim_fail("a device touches only memory mapped for it",
			 "device %u: "
			 "%u bytes at offset 0x%llx are not mapped",
			 bus.device, len, (unsigned long long)off);
	return (uint32_t)off;
}

static void drain_one(void)
{
	unsigned i, j, n = 0;

	/* the oldest epoch is a prefix */
	while (n < bus.buffered && bus.buffer[n].epoch == bus.buffer[0].epoch)
		n++;
	i = n > 1 ? rng_below(&bus.rng, n) : 0;
	for (j = 0; j < i; j++) /* same place: in order */
		if (bus.buffer[j].off < bus.buffer[i].off + bus.buffer[i].len &&
		    bus.buffer[i].off < bus.buffer[j].off + bus.buffer[j].len)
			i = j;
	memcpy(bus.ram + bus.buffer[i].off, bus.buffer[i].b, bus.buffer[i].len);
	bus.buffered--;
	memmove(&bus.buffer[i], &bus.buffer[i + 1],
		(bus.buffered - i) * sizeof(bus.buffer[0]));
}

void bus_settle(void)
{
	while (bus.buffered > 0)
		drain_one();
}

void bus_forget(void)
{
	bus.stales = 0;
	bus.chain++;
	bus.reads = 0;
}

void bus_ring(uint32_t off, uint32_t len, bool packed)
{
	memset(bus.packed + off / 16u, packed, len / 16u);
	bus.chain++;
	bus.reads = 0;
}

static void guest_runs(void)
{
	if (bus.in_hook)
		return;
	bus.in_hook = true;
	bus.hook(bus.ctx);
	bus.in_hook = false;
}

/* Between two accesses. */
static void step(void)
{
	bus.accesses++;
	if (bus.accesses == bus.kill_at) {
		bus_settle();
		longjmp(*bus.killed, 1);
	}
	if (bus.countdown == 0 || --bus.countdown > 0)
		return;
	bus.countdown = rng_range(&bus.rng, 1, 2u * bus.mean);
	while (bus.buffered > 0 && rng_one_in(&bus.rng, 2))
		drain_one();
	guest_runs();
}

static void store(void *p, const void *src, uint32_t len)
{
	uint32_t off = offset(p, len);

	if (bus.frozen[bus.device])
		sim_fail("a suspended device writes nothing to guest memory",
			 "device %u: %u bytes at offset 0x%x", bus.device, len,
			 off);
	if (bus.packed[off / 16u])
		bus.seen[off / 16u * 8u + 7u] = 0; /* used: may be looked at */
	if (!bus.weak) {
		memcpy(bus.ram + off, src, len);
		return;
	}
	if (bus.buffered == BUS_BUFFER)
		drain_one();
	bus.buffer[bus.buffered].off = off;
	bus.buffer[bus.buffered].len = (uint8_t)len;
	bus.buffer[bus.buffered].epoch = bus.epoch;
	memcpy(bus.buffer[bus.buffered].b, src, len);
	bus.buffered++;
}

/* One word, perhaps as it was before some of the guest's latest stores. */
static void load(void *dst, uint32_t off, uint32_t len)
{
	unsigned back = 0;

	memcpy(dst, bus.ram + off, len);
	if (bus.weak && bus.stales > 0 && rng_one_in(&bus.rng, 4))
		back = rng_range(&bus.rng, 1, bus.stales);
	for (unsigned i = bus.stales; back > 0; back--) {
		uint32_t at = bus.stale[--i].off, n = bus.stale[i].len;

		for (uint32_t k = 0; k < n; k++)
			if (at + k >= off && at + k < off + len)
				((uint8_t *)dst)[at + k - off] =
					bus.stale[i].b[k];
	}
}

static void note(uint32_t off, uint32_t len)
{
	if (bus.replays)
		return;
	if (++bus.reads > BUS_MOST_READS)
		sim_fail("guest reads of one chain are bounded",
			 "read %u at offset 0x%x", bus.reads, off);
	if (!bus.once)
		return;
	for (uint32_t w = off / 2u; w <= (off + len - 1u) / 2u; w++) {
		/* odd bytes share a word with a neighbour that may be read */
		if (bus.seen[w] == bus.chain && len > 1)
			sim_fail("a byte that decides is read once",
				 "offset 0x%x was read again for one chain",
				 w * 2u);
		bus.seen[w] = bus.chain;
	}
}

/*
 * Flags of a packed ring. A device may look at them as often as it likes, but
 * not once it has gone on to the rest of the chain.
 */
static void look(uint32_t off)
{
	if (bus.restarts || bus.reads < 2 || bus.seen[off / 2u] != bus.chain) {
		bus.chain++;
		bus.reads = 0;
	}
	note(off, 2);
}

struct vblk_le16 vblk_load16(const struct vblk_le16 *p)
{
	struct vblk_le16 v;
	uint32_t off = offset(p, 2);

	step();
	if (bus.packed[off / 16u]) {
		if (off % 16u == 14u)
			look(off);
		else
			note(off, 2);
	} else {
		bus.chain++;    /* ring words: a new chain may begin */
		bus.reads = 0;
	}
	load(&v, off, 2);
	return v;
}

struct vblk_le32 vblk_load32(const struct vblk_le32 *p)
{
	struct vblk_le32 v;
	uint32_t off = offset(p, 4);

	step();
	if (bus.packed[off / 16u])
		note(off, 4);
	load(&v, off, 4);
	return v;
}

void vblk_store16(struct vblk_le16 *p, struct vblk_le16 v)
{
	step();
	store(p, &v, 2);
}

void vblk_store32(struct vblk_le32 *p, struct vblk_le32 v)
{
	step();
	store(p, &v, 4);
}

void vblk_store8(uint8_t *p, uint8_t v)
{
	step();
	store(p, &v, 1);
}

void vblk_snapshot(void *dst, const void *src, uint32_t n)
{
	uint32_t off = offset(src, n), at = 0;

	while (at < n) {
		uint32_t len = (off + at) % BUS_WORD == 0 && n - at >= BUS_WORD
				       ? BUS_WORD
				       : 1;

		step();
		note(off + at, len);
		load((uint8_t *)dst + at, off + at, len);
		at += len;
	}
}

void vblk_scatter(void *dst, const void *src, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		step();
		store((uint8_t *)dst + i, (const uint8_t *)src + i, 1);
	}
}

void vblk_rmb(void)
{
	if (!bus.no_rmb)
		bus.stales = 0;
}

void vblk_wmb(void)
{
	if (!bus.no_wmb)
		bus.epoch++;
}

/* The buffer empties store by store, and the guest watches. */
void vblk_mb(void)
{
	if (bus.no_mb)
		return;
	while (bus.buffered > 0) {
		drain_one();
		if (bus.mean != 0 && rng_one_in(&bus.rng, bus.mean))
			guest_runs();
	}
	bus.stales = 0;
}

/* --- the guest ------------------------------------------------------------ */

void bus_write(uint32_t off, const void *src, uint32_t len)
{
	const uint8_t *from = src;

	while (len > 0) {
		uint32_t n = len < BUS_WORD ? len : BUS_WORD;

		if (bus.weak) {
			if (bus.stales == BUS_STALE) {
				bus.stales--;
				memmove(&bus.stale[0], &bus.stale[1],
					bus.stales * sizeof(bus.stale[0]));
			}
			bus.stale[bus.stales].off = off;
			bus.stale[bus.stales].len = (uint8_t)n;
			memcpy(bus.stale[bus.stales].b, bus.ram + off, n);
			bus.stales++;
		}
		memcpy(bus.ram + off, from, n);
		off += n;
		from += n;
		len -= n;
	}
}

void bus_write16(uint32_t off, uint16_t v)
{
	struct vblk_le16 w = vblk_le16_make(v);

	bus_write(off, &w, 2);
}

uint16_t bus_read16(uint32_t off)
{
	struct vblk_le16 w;

	memcpy(&w, bus.ram + off, 2);
	return vblk_le16_get(w);
}

uint32_t bus_read32(uint32_t off)
{
	struct vblk_le32 w;

	memcpy(&w, bus.ram + off, 4);
	return vblk_le32_get(w);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest memory: pieces of region 0, each with guards around it that nobody may
 * write. A device that does is found when the run ends.
 */
#include <string.h>

#include "lib.h"
#include "lib_internal.h"

#define GUARD_BYTE 0x6cu

static const struct part nothing;

struct part take(struct suite *s, uint32_t bytes, uint32_t align)
{
	struct dut_region *m = &s->d->region[0];
	struct part p;
	uint64_t at;

	if (s->over)
		return nothing;
	at = m->addr + s->taken + LIB_GUARD + align - 1u;
	at = at - at % align - m->addr;
	if (at > m->bytes || m->bytes - at < (uint64_t)bytes + LIB_GUARD ||
	    s->parts + 2u > LIB_PARTS) {
		skip(s, "needs more guest memory than there is");
		return nothing;
	}
	p.host = m->host + at;
	p.addr = m->addr + at;
	p.bytes = bytes;
	s->guard[s->parts++] = (uint32_t)at - LIB_GUARD;
	s->guard[s->parts++] = (uint32_t)at + bytes;
	memset(p.host - LIB_GUARD, GUARD_BYTE, LIB_GUARD);
	memset(p.host, LIB_POISON, bytes);
	memset(p.host + bytes, GUARD_BYTE, LIB_GUARD);
	s->taken = at + bytes;
	return p;
}

struct part take_zero(struct suite *s, uint32_t bytes, uint32_t align)
{
	struct part p = take(s, bytes, align);

	if (!s->over)
		memset(p.host, 0, bytes);
	return p;
}

void lib_check_guards(struct suite *s)
{
	struct dut_region *m = &s->d->region[0];

	for (uint32_t i = 0; i < s->parts && !s->failed; i++) {
		const uint8_t *g = m->host + s->guard[i];

		for (uint32_t k = 0; k < LIB_GUARD; k++) {
			if (g[k] == GUARD_BYTE)
				continue;
			s->over = false;
			fail(s,
			     "the device wrote %x at guest address %llx, which "
			     "is outside every buffer it was given",
			     g[k], m->addr + s->guard[i] + k + 0ull);
			return;
		}
	}
}

static uint8_t pattern(uint32_t seed, uint32_t i)
{
	uint32_t v = (seed + 1u) * 2654435761u + (i / 4u) * 40503u;

	return (uint8_t)((v ^ (v >> 15)) >> (8u * (i % 4u)));
}

void fill(const struct part *p, uint32_t seed)
{
	for (uint32_t i = 0; i < p->bytes; i++)
		p->host[i] = pattern(seed, i);
}

bool filled(const struct part *p, uint32_t seed)
{
	for (uint32_t i = 0; i < p->bytes; i++)
		if (p->host[i] != pattern(seed, i))
			return false;
	return true;
}

uint32_t span(const struct part *p, uint8_t v)
{
	uint32_t i = 0;

	while (i < p->bytes && p->host[i] == v)
		i++;
	return i;
}

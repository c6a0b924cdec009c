/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A grant is mapped with just the access that is asked for: the guest gives
 * data it only shows as read-only, and mapping that writable is refused. The
 * rings alone are both read and written, and are tried writable first.
 */
#include "memory.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define CHUNK       4096u       /* pages mapped in one call, WHOLE */
#define GRANT_BIT   (UINT64_C(1) << 63)
#define GRANT_CALL  64u         /* grants mapped in one call */

/* Where Xen puts RAM of an Arm guest; its ABI, public/arch-arm.h */
#define RAM0_BASE  UINT64_C(0x40000000)
#define RAM0_BYTES UINT64_C(0xc0000000)
#define RAM1_BASE  UINT64_C(0x200000000)
#define RAM1_BYTES UINT64_C(0xfe00000000)

const char *const regime_names[4] = { "auto", "whole", "on-demand", "grants" };

/* --- all of it ------------------------------------------------------------ */

static void counted(struct memory *m, uint32_t pages)
{
	m->mapped += pages;
	if (m->mapped > m->most)
		m->most = m->mapped;
}

/*
 * One chunk at a fixed place in our reservation. Returns how many pages are
 * there; bad[i] is not 0 for those that are not. -1: errno.
 */
static int map_chunk(struct memory *m, void *at, uint64_t gfn, uint32_t pages,
		     int *bad)
{
	xen_pfn_t list[CHUNK];
	int there = 0;

	for (uint32_t i = 0; i < pages; i++)
		list[i] = (xen_pfn_t)(gfn + i);
	m->xen->counts.maps++;
	if (!xenforeignmemory_map2(m->xen->memory, m->domain, at,
				   PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_FIXED, pages, list, bad))
		return -1;
	for (uint32_t i = 0; i < pages; i++)
		there += bad[i] == 0;
	return there;
}

/* Pages [from, to) of the chunk at host, gfn are present: a region, or more
 * of the last one. False: too many runs. */
static bool add_run(struct memory *m, uint8_t *host, uint64_t gfn,
		    uint32_t from, uint32_t to)
{
	struct vblk_region *last = m->regions ? &m->region[m->regions - 1u]
					      : NULL;
	vblk_gpa gpa = (gfn + from) << XEN_PAGE_SHIFT;
	uint64_t len = (uint64_t)(to - from) << XEN_PAGE_SHIFT;
	uint8_t *at = host + ((size_t)from << XEN_PAGE_SHIFT);

	if (last && last->gpa + last->len == gpa &&
	    (uint8_t *)last->host + last->len == at) {
		last->len += len;
		return true;
	}
	if (m->regions == MEMORY_REGIONS)
		return false;
	m->region[m->regions++] = (struct vblk_region){
		.gpa = gpa, .len = len, .host = at, .perm = VBLK_RW
	};
	return true;
}

static bool add_chunk(struct memory *m, uint8_t *host, uint64_t gfn,
		      uint32_t pages, const int *bad)
{
	uint32_t i = 0;

	while (i < pages) {
		uint32_t from = i;

		while (i < pages && bad[i] == 0)
			i++;
		if (i > from && !add_run(m, host, gfn, from, i))
			return false;
		while (i < pages && bad[i] != 0)
			i++;
	}
	return true;
}

/*
 * From gfn on, up to most pages; a search ends at the first chunk with no page.
 * Holes stay no memory. Returns pages looked at.
 */
static int64_t map_bank(struct memory *m, uint64_t gfn, uint64_t most,
			bool search)
{
	static int bad[CHUNK];
	uint8_t *host = mmap(NULL, most << XEN_PAGE_SHIFT, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
			     0);
	uint64_t at = 0;

	if (host == MAP_FAILED)
		return -1;
	m->reserved[m->reservations].iov_base = host;
	m->reserved[m->reservations++].iov_len = most << XEN_PAGE_SHIFT;
	while (at < most) {
		uint64_t left = most - at;
		uint32_t pages = left < CHUNK ? (uint32_t)left : CHUNK;
		uint8_t *here = host + (at << XEN_PAGE_SHIFT);
		int there;

		memset(bad, 0, sizeof(bad));
		there = map_chunk(m, here, gfn + at, pages, bad);
		if (there < 0)
			return -1;
		if (there == 0 && search) {
			/* no page, but dom0 gave some of its own for it */
			(void)mmap(here, (size_t)pages << XEN_PAGE_SHIFT,
				   PROT_NONE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
					   MAP_FIXED,
				   -1, 0);
			break;
		}
		counted(m, (uint32_t)there);
		if (!add_chunk(m, here, gfn + at, pages, bad)) {
			errno = E2BIG;
			return -1;
		}
		at += pages;
	}
	return (int64_t)at;
}

/* Where a guest's RAM is, nobody has to say: pages that are not there tell. */
static int search(struct memory *m)
{
	int64_t first = map_bank(m, RAM0_BASE >> XEN_PAGE_SHIFT,
				 RAM0_BYTES >> XEN_PAGE_SHIFT, true);

	if (first < 0)
		return -1;
	if ((uint64_t)first < RAM0_BYTES >> XEN_PAGE_SHIFT)
		return 0;
	return map_bank(m, RAM1_BASE >> XEN_PAGE_SHIFT,
			RAM1_BYTES >> XEN_PAGE_SHIFT, true) < 0
		       ? -1
		       : 0;
}

int memory_map_all(struct memory *m, char *why, size_t size)
{
	int r = m->banks ? 0 : search(m);

	for (unsigned i = 0; r == 0 && i < m->banks; i++)
		if (map_bank(m, m->ram[i].gpa >> XEN_PAGE_SHIFT,
			     m->ram[i].len >> XEN_PAGE_SHIFT, false) < 0)
			r = -1;
	if (r == 0 && m->regions > 0)
		return 0;
	if (r == 0)
		errno = ESRCH;
	(void)xen_failed(why, size, "map the guest's memory", m->domain);
	memory_unmap_all(m);
	return -1;
}

void memory_unmap_all(struct memory *m)
{
	for (unsigned i = 0; i < m->reservations; i++) {
		m->xen->counts.unmaps++;
		(void)munmap(m->reserved[i].iov_base, m->reserved[i].iov_len);
	}
	m->reservations = 0;
	m->regions = 0;
	m->mapped = 0;
}

/* --- on demand ------------------------------------------------------------ */

uint16_t memory_plan(struct memory *m, unsigned queues, unsigned segs,
		     uint32_t *least)
{
	/* vblk_init's bound, and a ring that lies across granules */
	uint32_t need = 6u * queues + segs + 2u;
	uint32_t regions;

	*least = need;
	if (m->cap < need)
		return 0;
	m->granule = m->regime == REGIME_GRANTS ? 1u : MEMORY_GRANULE;
	while (m->granule > 1u && m->cap / m->granule < need)
		m->granule /= 2u;
	regions = m->cap / m->granule;
	return regions < 4096u ? (uint16_t)regions : 4096u;
}

/* What map may answer for a call that failed. */
static int refusal(int error)
{
	switch (error) {
	case ENOMEM:
	case EBUSY:
	case ENOSPC:
	case EAGAIN: return VBLK_EBUSY;
	default: return VBLK_EGUEST;
	}
}

/* Pages that are there from the first on; the rest is unmapped again. */
static int map_pages(struct memory *m, uint64_t gfn, uint32_t pages,
		     uint8_t **host)
{
	xen_pfn_t list[MEMORY_GRANULE];
	int bad[MEMORY_GRANULE] = { 0 };
	uint32_t there = 0;

	for (uint32_t i = 0; i < pages; i++)
		list[i] = (xen_pfn_t)(gfn + i);
	m->xen->counts.maps++;
	*host = xenforeignmemory_map(m->xen->memory, m->domain,
				     PROT_READ | PROT_WRITE, pages, list, bad);
	if (!*host)
		return refusal(errno);
	while (there < pages && bad[there] == 0)
		there++;
	if (there == pages)
		return (int)there;
	m->xen->counts.unmaps++;
	(void)xenforeignmemory_unmap(m->xen->memory,
				     *host + ((size_t)there << XEN_PAGE_SHIFT),
				     pages - there);
	return there ? (int)there : refusal(-bad[0]);
}

/*
 * The granule around the first page, if all of it is there, and the pages that
 * are asked for, up to the granule's end, if not.
 */
static int map_foreign(struct memory *m, const struct vblk_range *want,
		       uint64_t first, struct vblk_region *out)
{
	uint64_t start = first & ~(uint64_t)(m->granule - 1u);
	uint64_t last = (want->gpa + want->len - 1u) >> XEN_PAGE_SHIFT;
	uint8_t *host;
	int n;

	if (m->cap - m->mapped < m->granule)
		return VBLK_EBUSY;
	n = map_pages(m, start, m->granule, &host);
	if (n > 0 && (uint32_t)n < m->granule) {
		/* a piece: RAM ends here, or has a hole */
		m->xen->counts.unmaps++;
		(void)xenforeignmemory_unmap(m->xen->memory, host, (size_t)n);
	}
	if (n != (int)m->granule) {
		uint64_t end = start + m->granule;

		if (n == VBLK_EBUSY)
			return n;
		start = first;
		end = last + 1u < end ? last + 1u : end;
		n = map_pages(m, start, (uint32_t)(end - start), &host);
	}
	if (n < 0)
		return n;
	out->gpa = start << XEN_PAGE_SHIFT;
	out->len = (uint64_t)n << XEN_PAGE_SHIFT;
	out->host = host;
	out->perm = VBLK_RW;
	return VBLK_OK;
}

/* --- grants --------------------------------------------------------------- */

static void *map_refs(struct memory *m, uint32_t *refs, uint32_t n, int prot)
{
	m->xen->counts.grant_maps++;
	return xengnttab_map_domain_grant_refs(m->xen->grants, n, m->domain,
					       refs, prot);
}

static int map_grants(struct memory *m, const struct vblk_range *want,
		      uint64_t first, bool ring, struct vblk_region *out)
{
	uint64_t last = (want->gpa + want->len - 1u) >> XEN_PAGE_SHIFT;
	uint64_t n = last - first + 1u;
	uint64_t ref = first & ~(GRANT_BIT >> XEN_PAGE_SHIFT);
	uint32_t refs[GRANT_CALL];
	int prot = want->perm & VBLK_WRITE || ring ? PROT_READ | PROT_WRITE
						   : PROT_READ;
	void *host;

	if (n > GRANT_CALL)
		n = GRANT_CALL;
	if (n > m->cap - m->mapped)
		return VBLK_EBUSY;
	if (ref + n - 1u > UINT32_MAX)
		return VBLK_EGUEST; /* no such reference */
	for (uint32_t i = 0; i < n; i++)
		refs[i] = (uint32_t)ref + i;
	host = map_refs(m, refs, (uint32_t)n, prot);
	if (!host && ring && !(want->perm & VBLK_WRITE)) {
		prot = PROT_READ;
		host = map_refs(m, refs, (uint32_t)n, prot);
	}
	if (!host)
		return refusal(errno);
	out->gpa = first << XEN_PAGE_SHIFT;
	out->len = n << XEN_PAGE_SHIFT;
	out->host = host;
	out->perm = VBLK_READ | VBLK_TRANSIENT |
		    (prot & PROT_WRITE ? VBLK_WRITE : 0u);
	return VBLK_OK;
}

/* --- the HAL's ------------------------------------------------------------ */

/* A guest with grants shows nothing else, and one without has no bit 63. */
int memory_map(struct memory *m, const struct vblk_range *want, bool ring,
	       struct vblk_region *out)
{
	uint64_t first = want->gpa >> XEN_PAGE_SHIFT;
	bool grant = want->gpa & GRANT_BIT;
	int r;

	memset(out, 0, sizeof(*out));
	if (grant != (m->regime == REGIME_GRANTS))
		return VBLK_EGUEST;
	r = grant ? map_grants(m, want, first, ring, out)
		  : map_foreign(m, want, first, out);
	if (r == VBLK_OK)
		counted(m, (uint32_t)(out->len >> XEN_PAGE_SHIFT));
	assert(m->mapped <= m->cap);
	return r;
}

void memory_unmap(struct memory *m, const struct vblk_region *r)
{
	uint32_t pages = (uint32_t)(r->len >> XEN_PAGE_SHIFT);

	if (m->regime == REGIME_GRANTS) {
		m->xen->counts.grant_unmaps++;
		(void)xengnttab_unmap(m->xen->grants, r->host, pages);
	} else {
		m->xen->counts.unmaps++;
		(void)xenforeignmemory_unmap(m->xen->memory, r->host, pages);
	}
	m->mapped -= pages;
}

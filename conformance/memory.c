/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest memory in memfds. */
#include "memory.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int mem_add(struct mem *m, const struct front_region *at)
{
	struct mem_region *r = &m->region[m->regions];
	void *p;

	if (m->regions == MEM_REGIONS)
		return -1;
	memset(r, 0, sizeof(*r));
	r->at = *at;
	r->fd = memfd_create("guest-memory", MFD_CLOEXEC);
	if (r->fd < 0)
		return -1;
	if (ftruncate(r->fd, (off_t)(at->offset + at->size)))
		goto undo;
	p = mmap(NULL, at->size, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
		 (off_t)at->offset);
	if (p == MAP_FAILED)
		goto undo;
	r->host = p;
	m->regions++;
	return 0;
undo:
	(void)close(r->fd);
	return -1;
}

void mem_free(struct mem *m)
{
	while (m->regions) {
		struct mem_region *r = &m->region[--m->regions];

		(void)munmap(r->host, r->at.size);
		(void)close(r->fd);
	}
}

uint64_t mem_alloc(struct mem *m, unsigned region, uint64_t bytes,
		   uint64_t align)
{
	struct mem_region *r = &m->region[region];
	uint64_t at = (r->used + align - 1) & ~(align - 1);

	if (at > r->at.size || bytes > r->at.size - at)
		return MEM_NONE;
	r->used = at + bytes;
	return r->at.gpa + at;
}

static const struct mem_region *find(const struct mem *m, uint64_t gpa,
				     uint64_t len)
{
	for (unsigned i = 0; i < m->regions; i++) {
		const struct mem_region *r = &m->region[i];

		if (gpa >= r->at.gpa && gpa - r->at.gpa <= r->at.size &&
		    len <= r->at.size - (gpa - r->at.gpa))
			return r;
	}
	return NULL;
}

uint8_t *mem_host(const struct mem *m, uint64_t gpa, uint64_t len)
{
	const struct mem_region *r = find(m, gpa, len);

	return r ? r->host + (gpa - r->at.gpa) : NULL;
}

uint64_t mem_uva(const struct mem *m, uint64_t gpa, uint64_t len)
{
	const struct mem_region *r = find(m, gpa, len);

	return r ? r->at.uva + (gpa - r->at.gpa) : MEM_NONE;
}

uint64_t mem_end(const struct mem *m)
{
	uint64_t end = 0;

	for (unsigned i = 0; i < m->regions; i++) {
		const struct front_region *r = &m->region[i].at;

		if (r->gpa + r->size > end)
			end = r->gpa + r->size;
	}
	return end;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "memory.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vblk/vblk.h"

#define ALIGN_MAX (UINT64_C(1) << 30)   /* of a huge page */

/*
 * What offset and length of a mapping must be multiples of: of a file on
 * hugetlbfs its huge page, which st_blksize tells.
 */
static uint64_t granule(const struct stat *st)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t block = (uint64_t)st->st_blksize;

	if (block > page && block <= ALIGN_MAX && !(block & (block - 1u)))
		return block;
	return page;
}

bool shared_map(struct shared *s, int fd, uint64_t offset, uint64_t size,
		int event, const char **why)
{
	uint64_t unit, skip, len;
	struct stat st;
	void *base;

	if (fstat(fd, &st)) {
		*why = "its descriptor cannot be looked at";
		return false;
	}
	if (size == 0 || size > INT64_MAX || offset > INT64_MAX - size) {
		*why = "its size or offset is out of range";
		return false;
	}
	/* a device that is memory has no size to compare with */
	if (S_ISREG(st.st_mode) && offset + size > (uint64_t)st.st_size) {
		*why = "it reaches beyond the end of its file";
		return false;
	}
	unit = granule(&st);
	skip = offset & (unit - 1u);
	len = (skip + size + unit - 1u) & ~(unit - 1u);
	if (len > SIZE_MAX) {
		*why = "it is larger than the address space";
		return false;
	}
	base = mmap(NULL, (size_t)len, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_NORESERVE, fd, (off_t)(offset - skip));
	if (base == MAP_FAILED) {
		*why = "it cannot be mapped (shared, for reading and writing)";
		return false;
	}
	s->guard = guard_add(base, (size_t)len, (size_t)unit, event);
	if (!s->guard) {
		(void)munmap(base, (size_t)len);
		*why = "there are too many mappings";
		return false;
	}
	(void)madvise(base, (size_t)len, MADV_DONTDUMP);
	s->base = base;
	s->len = (size_t)len;
	s->at = (uint8_t *)base + skip;
	s->size = size;
	return true;
}

void shared_unmap(struct shared *s)
{
	if (s->at) {
		guard_remove(s->guard);
		(void)munmap(s->base, s->len);
	}
	memset(s, 0, sizeof(*s));
}

/* --- slots ---------------------------------------------------------------- */

static bool overlaps(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	return a < b ? b - a < a_len : a - b < b_len;
}

static const char *refused(const struct memory *m, const struct msg_region *r)
{
	if (r->size == 0 || r->size - 1u > UINT64_MAX - r->gpa ||
	    r->size - 1u > UINT64_MAX - r->user)
		return "its size is out of range";
	if ((r->gpa | r->size | r->offset) % VBLK_REGION_ALIGN)
		return "its address, size or offset is not a multiple of 16";
	if (m->n == MEMORY_SLOTS)
		return "all 509 memory slots are taken";
	if (m->limit && (r->size > m->limit || m->bytes > m->limit - r->size))
		return "the memory would exceed --memory-limit";
	for (unsigned i = 0; i < m->n; i++)
		if (overlaps(r->gpa, r->size, m->slot[i].gpa,
			     m->slot[i].size) ||
		    overlaps(r->user, r->size, m->slot[i].user,
			     m->slot[i].size))
			return "it overlaps another one";
	return NULL;
}

bool memory_add(struct memory *m, const struct msg_region *r, int fd,
		const char **why)
{
	struct slot *s = &m->slot[m->n];
	struct shared map;

	*why = refused(m, r);
	if (*why || !shared_map(&map, fd, r->offset, r->size, m->event, why))
		return false;
	*s = (struct slot){ .gpa = r->gpa,
			    .size = r->size,
			    .user = r->user,
			    .host = map.at,
			    .base = map.base,
			    .len = map.len,
			    .guard = map.guard };
	m->bytes += r->size;
	m->n++;
	return true;
}

static void drop(struct memory *m, unsigned i)
{
	struct slot *s = &m->slot[i];

	guard_remove(s->guard);
	(void)munmap(s->base, s->len);
	m->bytes -= s->size;
	*s = m->slot[--m->n];
}

bool memory_remove(struct memory *m, const struct msg_region *r)
{
	for (unsigned i = 0; i < m->n; i++) {
		const struct slot *s = &m->slot[i];

		if (s->gpa == r->gpa && s->size == r->size &&
		    s->user == r->user) {
			drop(m, i);
			return true;
		}
	}
	return false;
}

void memory_clear(struct memory *m)
{
	while (m->n > 0)
		drop(m, m->n - 1u);
}

bool memory_check(struct memory *m)
{
	bool some = false;

	for (unsigned i = 0; i < m->n; i++) {
		struct slot *s = &m->slot[i];

		if (s->lost || !guard_lost(s->guard))
			continue;
		s->lost = true;
		some = true;
	}
	return some;
}

const struct slot *memory_user(const struct memory *m, uint64_t user,
			       uint64_t len)
{
	for (unsigned i = 0; i < m->n; i++) {
		const struct slot *s = &m->slot[i];

		if (user >= s->user && user - s->user < s->size &&
		    len <= s->size - (user - s->user))
			return s;
	}
	return NULL;
}

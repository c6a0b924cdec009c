/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory tables that make no sense, and memory that is taken from a queue. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client_hostile.h"

#define GPA   UINT64_C(0x5500000000)
#define UVA   UINT64_C(0x440000000000)
#define SIZE  (UINT64_C(1) << 20)
#define SLOTS 509u              /* that GET_MAX_MEM_SLOTS may promise at most */

struct table {
	uint32_t regions, padding;
	struct front_region region[FRONT_REGIONS_MAX];
};

struct slot {
	uint64_t padding;
	struct front_region region;
};

/* The file has SIZE bytes. */
static const struct {
	const char *what;
	struct front_region r;
} bad_regions[] = {
	{ "a region of no size", { GPA, 0, UVA, 0 } },
	{ "a guest address that wraps", { UINT64_MAX - 0xfff, SIZE, UVA, 0 } },
	{ "a user address that wraps", { GPA, SIZE, UINT64_MAX - 0xfff, 0 } },
	{ "a guest address that is not aligned", { GPA + 1, SIZE, UVA, 0 } },
	{ "a size that is not aligned", { GPA, SIZE - 1, UVA, 0 } },
	{ "an offset that is not aligned", { GPA, SIZE / 2, UVA, 1 } },
	{ "an offset at the end of the file", { GPA, SIZE, UVA, SIZE } },
	{ "an offset beyond the end of the file",
	  { GPA, 4096, UVA, SIZE + 4096 } },
	{ "a file shorter than the region", { GPA, SIZE * 2, UVA, 0 } },
	{ "a file shorter than the region by 16 bytes",
	  { GPA, SIZE, UVA, 16 } },
	{ "an offset and a size that wrap",
	  { GPA, SIZE, UVA, UINT64_MAX - SIZE + 1 } },
	{ "a negative offset", { GPA, SIZE, UVA, UINT64_C(1) << 63 } },
	{ "a size of 2^63", { 0, UINT64_C(1) << 63, 0, 0 } },
	{ "a size of all but a page", { 0, UINT64_MAX - 0xfff, 0, 0 } },
	{ "a size that is a multiple of 2^32",
	  { GPA, UINT64_C(1) << 32, UVA, 0 } }
};

#define BAD_REGIONS (sizeof(bad_regions) / sizeof(bad_regions[0]))

static void put_table(struct hostile_message *m, const struct front_region *r,
		      const int *fd, unsigned n)
{
	struct table t = { .regions = n };

	memcpy(t.region, r, n * sizeof(*r));
	hostile_put(m, FRONT_SET_MEM_TABLE, &t, 8 + n * sizeof(*r));
	memcpy(m->fd, fd, n * sizeof(*fd));
	m->fds = n;
}

static void put_slot(struct hostile_message *m, uint32_t request,
		     const struct front_region *r, int fd)
{
	struct slot s = { .region = *r };

	hostile_put(m, request, &s, sizeof(s));
	m->fd[0] = fd;
	m->fds = request == FRONT_ADD_MEM_REG;
}

static void regions(struct hostile *h)
{
	int fd = hostile_memfd(SIZE);
	struct hostile_message m;

	for (unsigned i = 0; i < BAD_REGIONS && !h->bad; i++) {
		put_table(&m, &bad_regions[i].r, &fd, 1);
		if (!hostile_refused(h, &m, bad_regions[i].what))
			break;
		put_slot(&m, FRONT_ADD_MEM_REG, &bad_regions[i].r, fd);
		if (h->s.front.protocol & FRONT_PF_CONFIGURE_MEM_SLOTS)
			(void)hostile_refused(h, &m, bad_regions[i].what);
	}
	(void)close(fd);
}

/* --- several -------------------------------------------------------------- */

static const struct {
	const char *what;
	struct front_region r[2];
} overlaps[] = {
	{ "the same region twice", { { GPA, SIZE, UVA, 0 },
				     { GPA, SIZE, UVA, 0 } } },
	{ "guest addresses that overlap",
	  { { GPA, SIZE, UVA, 0 },
	    { GPA + SIZE - 4096, SIZE, UVA + 2 * SIZE, 0 } } },
	{ "user addresses that overlap",
	  { { GPA, SIZE, UVA, 0 },
	    { GPA + 2 * SIZE, SIZE, UVA - SIZE + 4096, 0 } } },
	{ "a guest address inside another region",
	  { { GPA, SIZE, UVA, 0 },
	    { GPA + 4096, 4096, UVA + 2 * SIZE, 0 } } },
	{ "a region around another",
	  { { GPA + 4096, 4096, UVA, 0 }, { GPA, SIZE, UVA + SIZE, 0 } } }
};

static void overlap(struct hostile *h)
{
	int fd[2] = { hostile_memfd(SIZE), hostile_memfd(SIZE) };
	struct hostile_message m;

	for (unsigned i = 0; i < 5 && !h->bad; i++) {
		put_table(&m, overlaps[i].r, fd, 2);
		if (!hostile_refused(h, &m, overlaps[i].what) ||
		    !(h->s.front.protocol & FRONT_PF_CONFIGURE_MEM_SLOTS))
			break;
		if (front_add_mem_reg(&h->s.front, &overlaps[i].r[0], fd[0]))
			(void)hostile_fail(h, "a good region: %s",
					   h->s.front.why);
		put_slot(&m, FRONT_ADD_MEM_REG, &overlaps[i].r[1], fd[1]);
		m.flags |= FRONT_NEED_REPLY;
		(void)hostile_send_message(h, &m);
		(void)hostile_check(
			h, hostile_answer(h, m.request) == ANSWER_NAK,
			"ADD_MEM_REG: %s: not refused", overlaps[i].what);
		(void)hostile_over(h, "%s", overlaps[i].what);
	}
	(void)close(fd[0]);
	(void)close(fd[1]);
}

/* Numbers that do not match; and two regions that only touch, which is fine. */
static void counts(struct hostile *h)
{
	static const uint32_t said[] = { 0, 2,	 3,	      8,
					 9, 255, 0x80000000u, UINT32_MAX };
	int fd[2] = { hostile_memfd(SIZE), hostile_memfd(SIZE) };
	struct front_region r[2] = { { GPA, SIZE, UVA, 0 },
				     { GPA + SIZE, SIZE, UVA + SIZE, 0 } };
	struct hostile_message m;

	for (unsigned i = 0; i < 8 && !h->bad; i++) {
		put_table(&m, r, fd, 1);
		memcpy(m.payload, &said[i], sizeof(said[i]));
		(void)hostile_refused(h, &m, "another number of regions");
		put_table(&m, r, fd, 2);
		memcpy(m.payload, &said[i], sizeof(said[i]));
		m.fds = 1;
		(void)hostile_refused(h, &m, "another number of descriptors");
	}
	if (hostile_open(h) && front_set_mem_table(&h->s.front, r, fd, 2))
		(void)hostile_fail(h, "regions that touch: %s", h->s.front.why);
	(void)close(fd[0]);
	(void)close(fd[1]);
}

/* --- slots ---------------------------------------------------------------- */

static bool all_slots(struct hostile *h, uint64_t n, int fd)
{
	struct front_region r = { GPA, MEM_PAGE, UVA, 0 };
	struct hostile_message m;

	for (uint64_t i = 0; i < n && !h->bad; i++) {
		r.gpa = GPA + i * 2 * MEM_PAGE;
		r.uva = UVA + i * 2 * MEM_PAGE;
		if (front_add_mem_reg(&h->s.front, &r, fd))
			return hostile_fail(h, "slot %llu of %llu: %s",
					    (unsigned long long)i,
					    (unsigned long long)n,
					    h->s.front.why);
	}
	r.gpa += 2 * MEM_PAGE;
	r.uva += 2 * MEM_PAGE;
	put_slot(&m, FRONT_ADD_MEM_REG, &r, fd);
	m.flags |= FRONT_NEED_REPLY;
	(void)hostile_send_message(h, &m);
	return hostile_check(h, hostile_answer(h, m.request) == ANSWER_NAK,
			     "one slot more than %llu: not refused",
			     (unsigned long long)n);
}

static void slots(struct hostile *h)
{
	int fd = hostile_memfd(MEM_PAGE);
	uint64_t n = 0;

	if (!hostile_run(h) ||
	    !(h->s.front.protocol & FRONT_PF_CONFIGURE_MEM_SLOTS))
		return;
	if (front_get_max_mem_slots(&h->s.front, &n) || n > SLOTS)
		(void)hostile_fail(h, "%llu slots", (unsigned long long)n);
	if (n > h->s.mem.regions && !h->bad && hostile_load(h) &&
	    all_slots(h, n - h->s.mem.regions, fd))
		(void)guest_served(h, "all slots");
	hostile_unload(h);
	(void)hostile_over(h, "all slots");
	(void)close(fd);
}

static void remove_nothing(struct hostile *h)
{
	static const struct front_region other[] = {
		{ GPA + 4096, SIZE, UVA, 0 }, { GPA, SIZE, UVA + 4096, 0 },
		{ GPA, SIZE - 4096, UVA, 0 }, { 0, 0, 0, 0 },
		{ GPA, UINT64_MAX, UVA, 0 },  { 0, UINT64_MAX, 0, 0 }
	};
	struct front_region r = { GPA, SIZE, UVA, 0 };
	int fd = hostile_memfd(SIZE);
	struct hostile_message m;

	for (unsigned i = 0; i < 6 && !h->bad && hostile_open(h); i++) {
		if (!(h->s.front.protocol & FRONT_PF_CONFIGURE_MEM_SLOTS))
			break;
		if (front_add_mem_reg(&h->s.front, &r, fd))
			(void)hostile_fail(h, "a good region: %s",
					   h->s.front.why);
		put_slot(&m, FRONT_REM_MEM_REG, &other[i], fd);
		(void)hostile_refused(h, &m, "a region that is not there");
	}
	for (unsigned i = 0; i < 2 && !h->bad && hostile_open(h); i++) {
		put_slot(&m, FRONT_REM_MEM_REG, &r, fd);
		m.fds = i;      /* some front ends send it along */
		(void)hostile_refused(h, &m, "a region that never was");
	}
	(void)close(fd);
}

/* --- from under a queue --------------------------------------------------- */

static bool slots_change(struct hostile *h)
{
	return h->s.front.protocol & FRONT_PF_CONFIGURE_MEM_SLOTS;
}

static void rings_removed(struct hostile *h)
{
	if (!hostile_run(h) || !slots_change(h) || !hostile_load(h))
		return;
	if (front_rem_mem_reg(&h->s.front, &h->s.mem.region[MEM_RINGS].at))
		(void)hostile_fail(h, "REM_MEM_REG: %s", h->s.front.why);
	(void)guest_faulted(h, "its rings were removed");
	if (front_add_mem_reg(&h->s.front, &h->s.mem.region[MEM_RINGS].at,
			      h->s.mem.region[MEM_RINGS].fd))
		(void)hostile_fail(h, "ADD_MEM_REG: %s", h->s.front.why);
	if (!h->bad && guest_restart(h))
		(void)guest_served(h, "its rings came back");
}

/* Status and header are there; the data is not. */
static void data_removed(struct hostile *h)
{
	struct front_region r = { GPA, SIZE, UVA, 0 };
	int fd = hostile_memfd(SIZE);
	struct vring_used u = { 0, 0, 0 };
	uint8_t *status;

	if (!hostile_run(h) || !slots_change(h) || !hostile_load(h))
		return;
	status = guest_host(h, ARENA_STATUS);
	for (unsigned i = 0; i < 20 && !h->bad; i++) {
		struct virtio_desc d[3] = {
			{ guest_header(h, 0, BLK_T_IN, guest_sector(h)), 16, 0,
			  0 },
			{ GPA + 512, 4096, DESC_WRITE, 0 },
			{ guest_addr(h, ARENA_STATUS), 1, DESC_WRITE, 0 }
		};
		bool there = i % 2;

		if (there && front_add_mem_reg(&h->s.front, &r, fd))
			(void)hostile_fail(h, "ADD_MEM_REG: %s",
					   h->s.front.why);
		*status = 0xff;
		guest_offer(h, guest_put(h, d, 3));
		(void)hostile_check(h, guest_wait(h, &u) == GUEST_DONE,
				    "a read without its memory does not "
				    "complete");
		(void)hostile_check(h,
				    *status == (there ? BLK_S_OK : BLK_S_IOERR),
				    "a read %s its memory: status %u",
				    there ? "with" : "without", *status);
		if (there && front_rem_mem_reg(&h->s.front, &r))
			(void)hostile_fail(h, "REM_MEM_REG: %s",
					   h->s.front.why);
	}
	(void)guest_served(h, "memory that comes and goes");
	hostile_unload(h);
	(void)hostile_over(h, "memory that comes and goes");
	(void)close(fd);
}

/* Refused or not, a table may leave nothing to serve; this is a fault. */
static void table_without_rings(struct hostile *h)
{
	struct front_region r[MEM_ARENA];
	int fd[MEM_ARENA];

	if (!hostile_run(h) || !hostile_load(h))
		return;
	for (unsigned i = 0; i < MEM_RINGS; i++) {
		r[i] = h->s.mem.region[i].at;
		fd[i] = h->s.mem.region[i].fd;
	}
	if (front_set_mem_table(&h->s.front, r, fd, MEM_RINGS))
		(void)hostile_fail(h, "a smaller table: %s", h->s.front.why);
	(void)guest_faulted(h, "a table without its rings");
	if (session_set_memory(&h->s))
		(void)hostile_fail(h, "the whole table: %s", h->s.why);
	if (!h->bad && guest_restart(h))
		(void)guest_served(h, "a table without its rings");
}

/* --- files that cannot be written ----------------------------------------- */

static int unwritable(unsigned kind)
{
	int fd = hostile_memfd(SIZE), ro;
	char path[32];

	if (kind == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE))
		hostile_stop("F_SEAL_WRITE");
	if (kind == 1 && fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE))
		hostile_stop("F_SEAL_FUTURE_WRITE");
	if (kind < 2)
		return fd;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ro = open(path, (kind == 2 ? O_RDONLY : O_WRONLY) | O_CLOEXEC);
	if (ro < 0)
		hostile_stop(path);
	(void)close(fd);
	return ro;
}

static void read_only(struct hostile *h)
{
	static const char *const what[] = { "memory sealed against writing",
					    "memory sealed against new writers",
					    "memory that is only read",
					    "memory that is only written" };
	const struct front_region r = { GPA, SIZE, UVA, 0 };
	struct hostile_message m;

	for (unsigned k = 0; k < 4 && !h->bad; k++) {
		int fd = unwritable(k);

		put_table(&m, &r, &fd, 1);
		(void)hostile_refused(h, &m, what[k]);
		for (unsigned i = 0; i < 2 && !h->bad && h->open; i++) {
			uint32_t q = i ? FRONT_SET_INFLIGHT_FD
				       : FRONT_SET_LOG_BASE;

			if (hostile_needs(q) & ~h->s.front.protocol ||
			    !hostile_valid(h, q, &m))
				continue;
			m.fd[0] = fd;
			(void)hostile_refused(h, &m, what[k]);
		}
		(void)close(fd);
	}
}

const struct hostile_test hostile_memory[] = {
	{ "memory__bad_regions", regions },
	{ "memory__overlaps", overlap },
	{ "memory__counts_that_do_not_match", counts },
	{ "memory__one_slot_too_many", slots },
	{ "memory__remove_what_is_not_there", remove_nothing },
	{ "memory__rings_removed_under_load", rings_removed },
	{ "memory__data_comes_and_goes", data_removed },
	{ "memory__table_without_the_rings", table_without_rings },
	{ "memory__that_cannot_be_written", read_only },
	{ NULL, NULL }
};

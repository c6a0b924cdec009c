/* SPDX-License-Identifier: BSD-2-Clause */
/* A session's memory and queues, and what is known of its disk. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "session_internal.h"

#define ROUND    (UINT64_C(2) << 20)    /* region sizes */
#define PER_SLOT (4u * MEM_PAGE)        /* headers, guards, alignment */

/*
 * Sparse, none at its own address, and each uva with a page in it that tells
 * it from a sum of the others. The spare one lies below the device's.
 */
static const struct front_region layout[] = {
	[MEM_DRIVER] = { .gpa = 0, .uva = UINT64_C(0x551000003000),
			 .offset = 0x10000 },
	[MEM_DEVICE] = { .gpa = UINT64_C(0x900000000),
			 .uva = UINT64_C(0x554000005000),
			 .offset = 0x7000 },
	[MEM_SPARE] = { .gpa = UINT64_C(0x400000000),
			.uva = UINT64_C(0x122000001000),
			.offset = 0 },
};

uint64_t session_addr(const struct session *s, uint64_t gpa)
{
	return s->features & VIRTIO_F_ACCESS_PLATFORM ? gpa + SESSION_IOVA
						      : gpa;
}

bool session_take(struct session *s, unsigned region, uint64_t bytes,
		  uint64_t align, struct vring_part *out)
{
	uint64_t gpa = mem_alloc(&s->mem, region, bytes, align);

	if (gpa == MEM_NONE)
		return false;
	out->host = mem_host(&s->mem, gpa, bytes);
	out->addr = session_addr(s, gpa);
	return true;
}

static bool make_queue(struct session *s, struct vring *q)
{
	unsigned size = s->options.ring_size;
	struct vring_options o = {
		.size = (uint16_t)size,
		.packed = s->features & VIRTIO_F_RING_PACKED,
		.event_idx = s->features & VIRTIO_F_EVENT_IDX,
		.table = s->features & VIRTIO_F_INDIRECT ? SESSION_TABLE : 0
	};
	uint64_t tables = (uint64_t)size * SESSION_TABLE *
			  sizeof(struct virtio_desc);
	struct vring_part skip;

	/*
	 * The available ring where nothing but its own alignment puts it; a
	 * packed ring's event suppression takes less room.
	 */
	return session_take(s, o.packed ? MEM_DEVICE : MEM_DRIVER,
			    size * sizeof(struct virtio_desc), 16, &o.desc) &&
	       session_take(s, MEM_DRIVER, 2, 4, &skip) &&
	       session_take(s, MEM_DRIVER, AVAIL_BYTES(size), o.packed ? 4 : 2,
			    &o.avail) &&
	       session_take(s, MEM_DRIVER, tables, 16, &o.tables) &&
	       session_take(s, MEM_DEVICE, USED_BYTES(size), 4, &o.used) &&
	       !vring_init(q, &o);
}

static bool make_memory(struct session *s)
{
	const struct session_options *o = &s->options;
	uint64_t ring = (uint64_t)o->queues * o->ring_size *
			((SESSION_TABLE + 2u) * sizeof(struct virtio_desc));
	uint64_t data = (uint64_t)o->slots * (o->slot_bytes + PER_SLOT);
	uint64_t size = (ring + data + 2 * ROUND) & ~(ROUND - 1);

	for (unsigned i = 0; i < sizeof(layout) / sizeof(layout[0]); i++) {
		struct front_region r = layout[i];

		r.size = size;
		if (mem_add(&s->mem, &r))
			return false;
	}
	/* No guest uses its address 0. */
	return mem_alloc(&s->mem, MEM_DRIVER, MEM_PAGE, MEM_PAGE) != MEM_NONE;
}

int session_make(struct session *s)
{
	unsigned n = s->options.queues;

	if (!make_memory(s))
		return session_fail(s, FRONT_LOCAL, "guest memory: %s",
				    strerror(errno));
	s->queue = calloc(n, sizeof(*s->queue));
	if (!s->queue)
		return session_fail(s, FRONT_LOCAL, "out of memory");
	for (unsigned i = 0; i < n; i++)
		s->queue[i].kick = s->queue[i].call = s->queue[i].error = -1;
	for (unsigned i = 0; i < n; i++)
		if (!make_queue(s, &s->queue[i]))
			return session_fail(s, FRONT_LOCAL,
					    "no room for queue %u", i);
	return FRONT_OK;
}

int session_make_log(struct session *s)
{
	uint64_t pages = mem_end(&s->mem) / FRONT_LOG_PAGE;
	void *p;

	s->log_bytes = (pages / 8 + 2 * MEM_PAGE) & ~(uint64_t)(MEM_PAGE - 1);
	s->log_fd = memfd_create("dirty-log", MFD_CLOEXEC);
	if (s->log_fd < 0 || ftruncate(s->log_fd, (off_t)s->log_bytes))
		return session_fail(s, FRONT_LOCAL, "dirty log: %s",
				    strerror(errno));
	p = mmap(NULL, s->log_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		 s->log_fd, 0);
	if (p == MAP_FAILED)
		return session_fail(s, FRONT_LOCAL, "dirty log: %s",
				    strerror(errno));
	s->log = p;
	return FRONT_OK;
}

/* --- configuration space -------------------------------------------------- */

static uint16_t at16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t at32(const uint8_t *p)
{
	return at16(p) | (uint32_t)at16(p + 2) << 16;
}

void blk_config_parse(struct blk_config *c, const uint8_t *b)
{
	*c = (struct blk_config){ .capacity = at32(b) | (uint64_t)at32(b + 4)
								<< 32,
				  .size_max = at32(b + 8),
				  .seg_max = at32(b + 12),
				  .cylinders = at16(b + 16),
				  .heads = b[18],
				  .sectors = b[19],
				  .blk_size = at32(b + 20),
				  .physical_block_exp = b[24],
				  .alignment_offset = b[25],
				  .min_io_size = at16(b + 26),
				  .opt_io_size = at32(b + 28),
				  .writeback = b[BLK_CONFIG_WRITEBACK],
				  .num_queues = at16(b + 34),
				  .max_discard_sectors = at32(b + 36),
				  .max_discard_seg = at32(b + 40),
				  .discard_sector_alignment = at32(b + 44),
				  .max_write_zeroes_sectors = at32(b + 48),
				  .max_write_zeroes_seg = at32(b + 52),
				  .write_zeroes_may_unmap = b[56] };
}

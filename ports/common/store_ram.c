/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A disk in memory: what a guest's RAM disk, a benchmark and a first boot of a
 * new port need. A request is executed when it is submitted; its completion
 * waits in a ring of depth entries. As durable as the memory is: FLUSH and FUA
 * are true at once. Without memory it keeps nothing: the null store.
 */
#include <stdlib.h>
#include <string.h>

#include "store_internal.h"

struct ram {
	struct store store;
	uint8_t *memory;        /* NULL: keeps nothing */
	unsigned depth;
	unsigned head, used;    /* of done */
	struct store_done done[];
};

static uint64_t copy(uint8_t *at, const struct vblk_req *r, bool to_guest)
{
	uint64_t moved = 0;

	for (unsigned i = 0; i < r->num_segs; i++) {
		uint32_t len = r->seg[i].len;

		/* bytes is what the extent was checked with, not the sum */
		if (len > r->bytes - moved)
			len = (uint32_t)(r->bytes - moved);
		if (!len)
			continue;
		if (to_guest)
			memcpy(r->seg[i].host, at + moved, len);
		else
			memcpy(at + moved, r->seg[i].host, len);
		moved += len;
	}
	return moved;
}

static struct store_done execute(struct ram *ram, const struct vblk_req *r)
{
	struct store_done d = { .queue = r->queue,
				.tag = r->tag,
				.status = VBLK_S_OK };
	uint64_t sectors = r->bytes / VBLK_SECTOR_SIZE;
	uint8_t *at;

	if (r->sector > ram->store.sectors ||
	    sectors > ram->store.sectors - r->sector) {
		d.status = VBLK_S_IOERR;
		return d;
	}
	if (!ram->memory) {
		d.bytes = r->op == VBLK_OP_READ ? r->bytes : 0;
		return d;
	}
	at = ram->memory + r->sector * VBLK_SECTOR_SIZE;
	switch ((enum vblk_op)r->op) {
	case VBLK_OP_READ: d.bytes = copy(at, r, true); return d;
	case VBLK_OP_WRITE: (void)copy(at, r, false); return d;
	case VBLK_OP_FLUSH:
	case VBLK_OP_DISCARD: /* a hint that costs nothing to ignore */
		return d;
	case VBLK_OP_WRITE_ZEROES:
	case VBLK_OP_SECURE_ERASE: memset(at, 0, (size_t)r->bytes); return d;
	}
	d.status = VBLK_S_UNSUPP;
	return d;
}

static int ram_submit(struct store *s, const struct vblk_req *req, size_t n)
{
	struct ram *ram = (struct ram *)s;
	size_t i;

	for (i = 0; i < n && ram->used < ram->depth; i++) {
		unsigned at = (ram->head + ram->used++) % ram->depth;

		ram->done[at] = execute(ram, &req[i]);
	}
	return (int)i;
}

/* Nothing is ever on its way, so there is nothing to wait for. */
static int ram_reap(struct store *s, struct store_done *out, size_t max,
		    uint64_t wait_ns)
{
	struct ram *ram = (struct ram *)s;
	size_t n;

	(void)wait_ns;
	for (n = 0; n < max && ram->used; n++, ram->used--) {
		out[n] = ram->done[ram->head];
		ram->head = (ram->head + 1) % ram->depth;
	}
	return (int)n;
}

static int ram_fd(struct store *s)
{
	(void)s;
	return -1;
}

static void ram_close(struct store *s)
{
	free(s);
}

static const struct store_ops ram_ops = {
	.submit = ram_submit, .reap = ram_reap, .fd = ram_fd,
	.close = ram_close
};

static int open_any(struct store **out, void *memory, uint64_t bytes,
		    unsigned depth)
{
	struct ram *ram;

	if (!depth)
		depth = STORE_DEPTH_DEFAULT;
	if (!bytes || bytes % VBLK_SECTOR_SIZE || depth > STORE_DEPTH_MAX)
		return -1;
	ram = calloc(1, sizeof(*ram) + depth * sizeof(ram->done[0]));
	if (!ram)
		return -1;
	ram->store.ops = &ram_ops;
	ram->store.sectors = bytes / VBLK_SECTOR_SIZE;
	ram->store.features = VBLK_F_BLK_SIZE | VBLK_F_FLUSH |
			      VBLK_F_CONFIG_WCE | VBLK_F_DISCARD |
			      VBLK_F_WRITE_ZEROES;
	ram->store.block_size = STORE_BLOCK_MIN;
	ram->memory = memory;
	ram->depth = depth;
	*out = &ram->store;
	return 0;
}

int store_ram_open(struct store **out, void *memory, uint64_t bytes,
		   unsigned depth)
{
	return memory ? open_any(out, memory, bytes, depth) : -1;
}

int store_null_open(struct store **out, uint64_t bytes, unsigned depth)
{
	return open_any(out, NULL, bytes, depth);
}

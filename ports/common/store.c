/* SPDX-License-Identifier: BSD-2-Clause */
/* What every store has in common: nothing but the way to it. */
#include "store_internal.h"

int store_submit(struct store *s, const struct vblk_req *req, size_t n)
{
	return s->ops->submit(s, req, n);
}

int store_reap(struct store *s, struct store_done *out, size_t max,
	       uint64_t wait_ns)
{
	return s->ops->reap(s, out, max, wait_ns);
}

int store_fd(struct store *s)
{
	return s->ops->fd(s);
}

void store_close(struct store *s)
{
	if (s)
		s->ops->close(s);
}

uint64_t store_sectors(const struct store *s)
{
	return s->sectors;
}

uint64_t store_features(const struct store *s)
{
	return s->features;
}

unsigned store_block_size(const struct store *s)
{
	return s->block_size;
}

bool store_refresh(struct store *s)
{
	return s->ops->refresh && s->ops->refresh(s);
}

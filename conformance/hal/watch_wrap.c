/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the linker puts in the place of the core's functions (--wrap): the
 * observer, then the real one. FIXTURE_WRAPS names them.
 */
#include "watch_wrap.h"

#include <string.h>

int __real_vblk_lane_init(struct vblk_lane *, struct vblk *, struct vblk_mmio *,
			  uint64_t, const struct vblk_hal *, void *);
int __wrap_vblk_lane_init(struct vblk_lane *, struct vblk *, struct vblk_mmio *,
			  uint64_t, const struct vblk_hal *, void *);
int __real_vblk_lane_event(struct vblk_lane *, const struct vblk_event *);
int __wrap_vblk_lane_event(struct vblk_lane *, const struct vblk_event *);
int __real_vblk_mem_add(struct vblk *, const struct vblk_region *);
int __wrap_vblk_mem_add(struct vblk *, const struct vblk_region *);
bool __real_vblk_mem_reap(struct vblk *, struct vblk_region *);
bool __wrap_vblk_mem_reap(struct vblk *, struct vblk_region *);
bool __real_vblk_mem_evict(struct vblk *, struct vblk_region *);
bool __wrap_vblk_mem_evict(struct vblk *, struct vblk_region *);
int __real_vblk_mmio_save(const struct vblk_mmio *, void *, size_t);
int __wrap_vblk_mmio_save(const struct vblk_mmio *, void *, size_t);

int __wrap_vblk_lane_init(struct vblk_lane *lane, struct vblk *dev,
			  struct vblk_mmio *mmio, uint64_t queues,
			  const struct vblk_hal *hal, void *ctx)
{
	int r = __real_vblk_lane_init(lane, dev, mmio, queues, hal, ctx);
	const struct vblk_hal *mine;
	uint64_t my_ctx;

	if (r != VBLK_OK)
		return r;
	mine = watch_lane(lane, &my_ctx);
	if (!mine)
		return VBLK_ENOSPC;
	lane->hal = mine;
	lane->ctx = (void *)(uintptr_t)my_ctx;
	return r;
}

int __wrap_vblk_lane_event(struct vblk_lane *lane, const struct vblk_event *e)
{
	watch_event_in(lane, e);
	return __real_vblk_lane_event(lane, e);
}

int __wrap_vblk_mem_add(struct vblk *dev, const struct vblk_region *region)
{
	int r = __real_vblk_mem_add(dev, region);

	if (r == VBLK_OK)
		watch_mapped(region);
	return r;
}

bool __wrap_vblk_mem_reap(struct vblk *dev, struct vblk_region *out)
{
	bool some = __real_vblk_mem_reap(dev, out);

	if (some)
		watch_unmapped(out);
	return some;
}

bool __wrap_vblk_mem_evict(struct vblk *dev, struct vblk_region *out)
{
	bool some = __real_vblk_mem_evict(dev, out);

	if (some)
		watch_unmapped(out);
	return some;
}

int __wrap_vblk_mmio_save(const struct vblk_mmio *m, void *out, size_t size)
{
	uint8_t blob[VBLK_MMIO_STATE_BYTES];
	int n = __real_vblk_mmio_save(m, blob, sizeof(blob));

	if (n < 0 || (size_t)n > size)
		return __real_vblk_mmio_save(m, out, size);
	if (watch_in_save(out, size, blob, n))
		memcpy(out, blob, (size_t)n);
	return n;
}

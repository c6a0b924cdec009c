/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Initialization as 3.1.1 has it, and the same again after a reset.
 */
#include "lib.h"
#include "lib_internal.h"

#define NEW (VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER)
#define SIZE 32u                /* of a ring that a test does not care about */

/* IN_ORDER and NOTIFICATION_DATA only for who asks: they bind the driver. */
#define UNDERSTOOD \
	(BLK_F_SIZE_MAX | BLK_F_SEG_MAX | BLK_F_GEOMETRY | BLK_F_RO | \
	 BLK_F_BLK_SIZE | BLK_F_FLUSH | BLK_F_TOPOLOGY | BLK_F_CONFIG_WCE | \
	 BLK_F_MQ | BLK_F_DISCARD | BLK_F_WRITE_ZEROES | BLK_F_SECURE_ERASE | \
	 VIRTIO_F_INDIRECT | VIRTIO_F_EVENT_IDX | VIRTIO_F_VERSION_1 | \
	 VIRTIO_F_RING_RESET | VIRTIO_F_SUSPEND)

bool accepts(struct suite *s, uint64_t features)
{
	uint32_t v;

	set_status(s, VIRTIO_S_ACKNOWLEDGE);
	set_status(s, NEW);
	if (s->over)
		return false;
	note(s, "features <- %llx", features + 0ull);
	if (!lib_ok(s, s->d->ops->features_write(s->d, features),
		    "writing features"))
		return false;
	set_status(s, NEW | VIRTIO_S_FEATURES_OK);
	v = status(s);
	s->features = features;
	return (v & VIRTIO_S_FEATURES_OK) != 0;
}

void negotiate(struct suite *s, uint64_t want, uint64_t must)
{
	uint64_t f = want & UNDERSTOOD;

	if (s->over)
		return;
	if (must & ~s->offered) {
		skip(s, "feature bits %llx are not offered",
		     (must & ~s->offered) + 0ull);
		return;
	}
	f = ((f & s->offered) | must | VIRTIO_F_VERSION_1);
	/* what a transport needs beside; a device that offers it may insist */
	f |= s->offered & VIRTIO_F_ACCESS_PLATFORM;
	if (s->packed)
		f |= VIRTIO_F_RING_PACKED;
	else
		f &= ~VIRTIO_F_RING_PACKED;
	expect(s, accepts(s, f),
	       "the device does not keep FEATURES_OK for features %llx of its "
	       "own %llx",
	       f + 0ull, s->offered + 0ull);
}

struct ring *add_ring(struct suite *s, uint32_t queue, uint32_t size)
{
	struct ring *r =
		&s->ring[s->rings < LIB_RINGS - 1u ? s->rings++ : s->rings];
	uint32_t max = queue_max(s, queue);

	r->s = s;
	r->queue = queue;
	if (s->over)
		return r;
	if (max == 0) {
		skip(s, "there is no queue %u", queue);
		return r;
	}
	if (size > max)
		size = max;
	if (size > LIB_RING_MAX)
		size = LIB_RING_MAX;
	r->size = (uint16_t)size;
	r->packed = (s->features & VIRTIO_F_RING_PACKED) != 0;
	r->event_idx = (s->features & VIRTIO_F_EVENT_IDX) != 0;
	r->in_order = (s->features & VIRTIO_F_IN_ORDER) != 0;
	r->data = (s->features & VIRTIO_F_NOTIFY_DATA) != 0;
	r->desc = take(s, 16u * size, 16);
	r->driver = take(s, r->packed ? 4u : 6u + 2u * size, 4);
	r->device = take(s, r->packed ? 4u : 6u + 8u * size, 4);
	if (s->over)
		return r;
	ring_clear(r);
	ring_set(r);
	ring_enable(r);
	return r;
}

void ring_set(struct ring *r)
{
	struct suite *s = r->s;
	struct dut_queue q = { r->size, r->desc.addr, r->driver.addr,
			       r->device.addr };

	if (s->over)
		return;
	note(s, "queue %u: %s ring of %u at %llx, %llx, %llx", r->queue,
	     r->packed ? "packed" : "split", r->size, q.desc + 0ull,
	     q.driver + 0ull, q.device + 0ull);
	(void)lib_ok(s, s->d->ops->queue_set(s->d, r->queue, &q),
		     "setting a queue up");
}

void ring_enable(struct ring *r)
{
	if (!r->s->over)
		(void)lib_ok(r->s,
			     r->s->d->ops->queue_enable(r->s->d, r->queue),
			     "enabling a queue");
}

void driver_ok(struct suite *s)
{
	set_status(s, NEW | VIRTIO_S_FEATURES_OK | VIRTIO_S_DRIVER_OK);
}

struct ring *start(struct suite *s, uint64_t want, uint64_t must)
{
	struct ring *r;

	negotiate(s, want, must);
	r = add_ring(s, 0, SIZE);
	driver_ok(s);
	return r;
}

void restart(struct ring *r)
{
	struct suite *s = r->s;
	uint64_t f = s->features;

	reset(s);
	expect(s, accepts(s, f), "after a reset the same features are refused");
	for (uint32_t i = 0; i < s->rings; i++) {
		ring_clear(&s->ring[i]);
		ring_set(&s->ring[i]);
		ring_enable(&s->ring[i]);
	}
	driver_ok(s);
	forget_irqs(s);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's side: a split virtqueue or two in guest memory, by the fixture's
 * guest_read and guest_write alone, and the bring-up of virtio-mmio. Layout,
 * from the beginning of the guest's memory:
 *
 *	queue q     0x4000 * q      descriptors, available ring, used ring
 *	marker      0x1ff0          of queue 0's pages
 *	requests    0x10000         header and status, 32 bytes each
 *	data        0x20000         a page each
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "hal.h"

#define QUEUE_STEP 0x4000u
#define AVAIL_AT   0x1000u
#define USED_AT    0x1400u
#define MARKER_AT  0x1ff0u
#define HEAD_AT    0x10000u
#define HEAD_STEP  32u
#define STATUS_AT  16u
#define DATA_AT    0x20000u
#define CHAIN      3u           /* descriptors of a request */

#define F_FLUSH     (UINT64_C(1) << 9)
#define F_MQ        (UINT64_C(1) << 12)
#define F_VERSION_1 (UINT64_C(1) << 32)

#define D_NEXT  1u
#define D_WRITE 2u

#define NO_STATUS 0xee

static void put(uint8_t *to, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		to[i] = (uint8_t)(v >> (8 * i));
}

static uint64_t get(const uint8_t *from, unsigned bytes)
{
	uint64_t v = 0;

	for (unsigned i = bytes; i-- > 0;)
		v = v << 8 | from[i];
	return v;
}

static uint64_t base(const struct t *t)
{
	return t->f->ram_gpa;
}

uint64_t t_marker(const struct t *t)
{
	return base(t) + MARKER_AT;
}

/* --- bring-up ------------------------------------------------------------- */

static uint64_t read_features(struct t *t)
{
	uint64_t v;

	t_set(t, REG_FEATURES_SEL, 1);
	v = (uint64_t)t_reg(t, REG_FEATURES) << 32;
	t_set(t, REG_FEATURES_SEL, 0);
	return v | t_reg(t, REG_FEATURES);
}

static void set_address(struct t *t, uint32_t reg, uint64_t gpa)
{
	t_set(t, reg, (uint32_t)gpa);
	t_set(t, reg + 4u, (uint32_t)(gpa >> 32));
}

static void ready_by_register(struct t *t, unsigned q)
{
	struct ring *r = &t->ring[q];
	uint32_t most;

	t_set(t, REG_QUEUE_SEL, q);
	most = t_reg(t, REG_QUEUE_MAX);
	t_check(t, most > 0, "queue %u: QueueNumMax is 0", q);
	if (most < r->size)
		r->size = (uint16_t)most;
	t_set(t, REG_QUEUE_NUM, r->size);
	set_address(t, REG_DESC, r->desc);
	set_address(t, REG_AVAIL, r->avail);
	set_address(t, REG_USED, r->used);
	t_set(t, REG_QUEUE_READY, 1);
}

static void negotiate(struct t *t, unsigned drive)
{
	uint64_t offered;

	t_set(t, REG_STATUS, 0);
	t_check(t, t_reg(t, REG_STATUS) == 0,
		"Status is not 0 after a reset was answered");
	t_set(t, REG_STATUS, 1);
	t_set(t, REG_STATUS, 3);
	offered = read_features(t);
	t->features = offered & (F_VERSION_1 | F_MQ |
				 (drive & DRIVE_FLUSH ? F_FLUSH : 0));
	t_set(t, REG_DRIVER_SEL, 1);
	t_set(t, REG_DRIVER, (uint32_t)(t->features >> 32));
	t_set(t, REG_DRIVER_SEL, 0);
	t_set(t, REG_DRIVER, (uint32_t)t->features);
	t_set(t, REG_STATUS, 11);
	t_check(t, t_reg(t, REG_STATUS) & 8u, "FEATURES_OK does not stick");
}

bool t_registers(const struct t *t)
{
	return t->f->can & FIXTURE_REGISTERS;
}

void t_clear_rings(struct t *t)
{
	static const uint8_t zero[QUEUE_STEP];

	for (unsigned q = 0; q < FIXTURE_QUEUES; q++) {
		struct ring *r = &t->ring[q];
		uint64_t at = base(t) + q * QUEUE_STEP;

		memset(r, 0, sizeof(*r));
		r->size = RING_MAX;
		r->desc = at;
		r->avail = at + AVAIL_AT;
		r->used = at + USED_AT;
		t_write(t, at, zero, sizeof(zero));
	}
}

void t_bring_up(struct t *t, unsigned queues, unsigned drive)
{
	if (queues > t->f->queues)
		queues = t->f->queues;
	t->queues = queues;
	t_clear_rings(t);
	if (t_registers(t))
		negotiate(t, drive);
	for (unsigned q = 0; q < queues; q++) {
		struct ring *r = &t->ring[q];
		struct vblk_queue_addr a = { r->desc, r->avail, r->used,
					     r->size };

		if (t_registers(t))
			ready_by_register(t, q);
		else if (!t->f->guest_queue)
			t_missing(t, "guest_queue");
		else
			t_did(t,
			      t->f->guest_queue(t->f, (uint16_t)q, &a,
						drive & DRIVE_FLUSH),
			      "guest_queue");
		r->slots = (uint16_t)(r->size / CHAIN < SLOTS ? r->size / CHAIN
							      : SLOTS);
	}
	if (t_registers(t))
		t_set(t, REG_STATUS, STATUS_DRIVER_OK);
}

void t_start(struct t *t, uint32_t want, unsigned queues, unsigned drive)
{
	if (!t->f->reset)
		t_missing(t, "reset");
	t->want = want;
	t_did(t, t->f->reset(t->f, want), "reset");
	t_bring_up(t, queues, drive);
}

/* --- requests ------------------------------------------------------------- */

static unsigned index_of(unsigned queue, unsigned slot)
{
	return queue * SLOTS + slot;
}

uint64_t t_data(const struct t *t, unsigned queue, unsigned slot)
{
	return base(t) + DATA_AT + (uint64_t)index_of(queue, slot) * DATA_MAX;
}

void t_stamp_sector(uint32_t sector, uint32_t stamp, uint8_t *out)
{
	for (uint32_t i = 0; i < SECTOR; i += 8)
		put(out + i,
		    ((uint64_t)stamp << 32 | sector << 16 | i) *
			    UINT64_C(0x9e3779b97f4a7c15),
		    8);
}

static void describe(struct t *t, struct ring *r, unsigned at, uint64_t addr,
		     uint32_t len, uint16_t flags, uint16_t next)
{
	uint8_t d[16];

	put(d, addr, 8);
	put(d + 8, len, 4);
	put(d + 12, flags, 2);
	put(d + 14, next, 2);
	t_write(t, r->desc + 16u * at, d, sizeof(d));
}

static void fill(struct t *t, const struct slot *s)
{
	uint8_t data[DATA_MAX];

	memset(data, 0x5a, sizeof(data));
	for (uint32_t i = 0; s->type == T_OUT && i < s->sectors; i++)
		t_stamp_sector(s->sector + i, s->stamp, data + i * SECTOR);
	if (s->sectors > 0 && s->type != T_FLUSH)
		t_write(t, s->data, data, s->sectors * SECTOR);
}

static void chain(struct t *t, unsigned queue, unsigned slot)
{
	struct ring *r = &t->ring[queue];
	struct slot *s = &r->slot[slot];
	uint16_t d = (uint16_t)(slot * CHAIN);
	uint64_t head = base(t) + HEAD_AT + index_of(queue, slot) * HEAD_STEP;
	uint8_t h[STATUS_AT + 1u] = { 0 };
	bool data = s->type != T_FLUSH;

	put(h, s->type, 4);
	put(h + 8, s->sector, 8);
	h[STATUS_AT] = NO_STATUS;
	t_write(t, head, h, sizeof(h));
	describe(t, r, d, head, 16, D_NEXT, (uint16_t)(d + (data ? 1u : 2u)));
	if (data)
		describe(t, r, d + 1u, s->data, s->sectors * SECTOR,
			 (uint16_t)(D_NEXT | (s->type == T_IN ? D_WRITE : 0)),
			 (uint16_t)(d + 2u));
	describe(t, r, d + 2u, head + STATUS_AT, 1, D_WRITE, 0);
}

static void make_available(struct t *t, struct ring *r, uint16_t head)
{
	uint8_t v[2];

	put(v, head, 2);
	t_write(t, r->avail + 4u + 2u * (r->avail_idx % r->size), v, 2);
	put(v, ++r->avail_idx, 2);
	t_write(t, r->avail + 2u, v, 2);
}

unsigned t_queue_at(struct t *t, unsigned queue, uint32_t type, uint32_t sector,
		    uint32_t sectors, uint64_t data)
{
	static uint32_t stamp; /* of no earlier test's: the disk keeps those */
	struct ring *r = &t->ring[queue];
	unsigned slot = 0;

	while (slot < r->slots && r->slot[slot].busy)
		slot++;
	t_check(t, slot < r->slots, "the test queues more than %u requests",
		r->slots);
	r->slot[slot] = (struct slot){ .busy = true,
				       .type = type,
				       .sector = sector,
				       .sectors = sectors,
				       .data = data ? data
						    : t_data(t, queue, slot),
				       .stamp = ++stamp };
	fill(t, &r->slot[slot]);
	chain(t, queue, slot);
	make_available(t, r, (uint16_t)(slot * CHAIN));
	return slot;
}

unsigned t_queue(struct t *t, unsigned queue, uint32_t type, uint32_t sector,
		 uint32_t sectors)
{
	return t_queue_at(t, queue, type, sector, sectors, 0);
}

void t_kick(struct t *t, unsigned queue)
{
	if (t->f->guest_kick)
		t_did(t, t->f->guest_kick(t->f, (uint16_t)queue), "guest_kick");
	else if (t_registers(t))
		t_set(t, REG_NOTIFY, queue);
	else
		t_missing(t, "guest_kick");
}

/* --- completions ---------------------------------------------------------- */

static void came_back(struct t *t, unsigned queue, uint32_t id, uint32_t len)
{
	struct ring *r = &t->ring[queue];
	struct slot *s = &r->slot[id / CHAIN];

	t_check(t, id % CHAIN == 0 && id / CHAIN < r->slots,
		"queue %u: head %u comes back, which the driver never gave",
		queue, id);
	t_check(t, s->busy && !s->done,
		"queue %u: head %u comes back, which is not in flight", queue,
		id);
	s->busy = false;
	s->done = true;
	s->len = len;
	s->order = ++t->completions;
	t_read(t,
	       base(t) + HEAD_AT + index_of(queue, id / CHAIN) * HEAD_STEP +
		       STATUS_AT,
	       &s->status, 1);
	for (uint32_t i = 0; s->type == T_OUT && i < s->sectors; i++)
		t->holds[s->sector + i] = s->status == 0 ? s->stamp : 0;
}

unsigned t_take(struct t *t, unsigned queue)
{
	struct ring *r = &t->ring[queue];
	uint8_t v[8];
	uint16_t used;
	unsigned n = 0;

	t_read(t, r->used + 2u, v, 2);
	used = (uint16_t)get(v, 2);
	t_check(t, (uint16_t)(used - r->used_seen) <= r->size,
		"queue %u: the used index jumps from %u to %u", queue,
		r->used_seen, used);
	for (; r->used_seen != used; r->used_seen++, n++) {
		t_read(t, r->used + 4u + 8u * (r->used_seen % r->size), v, 8);
		came_back(t, queue, (uint32_t)get(v, 4),
			  (uint32_t)get(v + 4, 4));
	}
	return n;
}

unsigned t_out(const struct t *t)
{
	unsigned n = 0;

	for (unsigned q = 0; q < t->queues; q++)
		for (unsigned i = 0; i < t->ring[q].slots; i++)
			n += t->ring[q].slot[i].busy;
	return n;
}

bool t_all_back(struct t *t)
{
	for (unsigned q = 0; q < t->queues; q++)
		(void)t_take(t, q);
	return t_out(t) == 0;
}

void t_await_all(struct t *t)
{
	t_await(t, t_all_back, "that every request comes back");
}

void t_finish(struct t *t, uint8_t status)
{
	t_await_all(t);
	for (unsigned q = 0; q < t->queues; q++)
		for (unsigned i = 0; i < t->ring[q].slots; i++) {
			const struct slot *s = &t->ring[q].slot[i];

			t_check(t, !s->done || s->status == status,
				"queue %u: the request of type %u at sector "
				"%u has status %u, not %u",
				q, s->type, s->sector, s->status, status);
		}
}

bool t_data_good(struct t *t, const struct slot *s)
{
	uint8_t is[DATA_MAX], want[SECTOR];

	t_read(t, s->data, is, s->sectors * SECTOR);
	for (uint32_t i = 0; i < s->sectors; i++) {
		if (t->holds[s->sector + i] == 0)
			continue;
		t_stamp_sector(s->sector + i, t->holds[s->sector + i], want);
		if (memcmp(is + i * SECTOR, want, SECTOR) != 0)
			return false;
	}
	return true;
}

void t_check_data(struct t *t, unsigned queue, unsigned slot)
{
	const struct slot *s = &t->ring[queue].slot[slot];

	t_check(t, t_data_good(t, s),
		"queue %u: the read of %u sectors at %u, which has come back, "
		"does not bring what was written there",
		queue, s->sectors, s->sector);
}

void t_io(struct t *t, uint32_t type, uint32_t sector, uint32_t sectors)
{
	unsigned slot = t_queue(t, 0, type, sector, sectors);

	t_kick(t, 0);
	t_finish(t, 0);
	if (type == T_IN)
		t_check_data(t, 0, slot);
}

void t_forget(struct t *t)
{
	for (unsigned q = 0; q < t->queues; q++)
		for (unsigned i = 0; i < t->ring[q].slots; i++)
			t->ring[q].slot[i].done = false;
}

void t_works(struct t *t, const char *when)
{
	unsigned slot;

	t_forget(t);
	(void)t_queue(t, 0, T_OUT, 8, 8);
	t_kick(t, 0);
	t_await(t, t_all_back, when);
	t_finish(t, 0);
	slot = t_queue(t, 0, T_IN, 8, 8);
	t_kick(t, 0);
	t_await(t, t_all_back, when);
	t_finish(t, 0);
	t_check_data(t, 0, slot);
}

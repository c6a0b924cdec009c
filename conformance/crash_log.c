/* SPDX-License-Identifier: BSD-2-Clause */
/* The in-flight log, read from outside. */
#include "crash_log.h"

#include <string.h>
#include <sys/mman.h>

struct log_queue {              /* the first two are those of both layouts */
	uint64_t features;
	uint16_t version, size;
	uint16_t last_batch_head, used_idx; /* split only */
};

#define VERSION      1u
#define SPLIT_BYTES  16u        /* of the header, and of an entry */
#define PACKED_BYTES 32u
#define PACKED_USED  16u        /* used_idx, old_used_idx */

static size_t unit(const struct crash_log *l)
{
	return l->session->features & VIRTIO_F_RING_PACKED ? PACKED_BYTES
							   : SPLIT_BYTES;
}

void crash_log_open(struct crash_log *l, const struct session *s)
{
	const struct front_inflight *f = &s->inflight;
	void *p;

	l->session = s;
	l->at = NULL;
	l->bytes = f->size;
	l->each = f->queues ? f->size / f->queues : 0;
	if (l->each < (f->queue_size + 1u) * unit(l))
		return;
	p = mmap(NULL, f->size, PROT_READ, MAP_SHARED, s->inflight_fd,
		 (off_t)f->offset);
	if (p != MAP_FAILED)
		l->at = p;
}

void crash_log_close(struct crash_log *l)
{
	if (l->at)
		(void)munmap((void *)(uintptr_t)l->at, l->bytes);
	l->at = NULL;
}

static void head_of(const struct crash_log *l, unsigned queue,
		    struct log_queue *q)
{
	memcpy(q, l->at + queue * l->each, sizeof(*q));
}

static bool in_flight(const struct crash_log *l, unsigned queue, unsigned head)
{
	return l->at[queue * l->each + (head + 1u) * unit(l)] == 1;
}

bool crash_log_known(const struct crash_log *l)
{
	struct log_queue q;

	for (unsigned i = 0; l->at && i < l->session->inflight.queues; i++) {
		head_of(l, i, &q);
		if (q.version != VERSION ||
		    q.size != l->session->inflight.queue_size)
			return false;
	}
	return l->at != NULL;
}

static unsigned count(const struct crash_log *l, unsigned queue)
{
	unsigned n = 0;

	for (unsigned i = 0; i < l->session->inflight.queue_size; i++)
		n += in_flight(l, queue, i);
	return n;
}

unsigned crash_log_fetched(const struct crash_log *l)
{
	unsigned n = 0;

	if (!crash_log_known(l))
		return 0;
	for (unsigned i = 0; i < l->session->inflight.queues; i++)
		n += count(l, i);
	return n;
}

bool crash_log_in_batch(const struct crash_log *l)
{
	struct log_queue q;
	uint16_t used[2];

	if (!crash_log_known(l))
		return false;
	for (unsigned i = 0; i < l->session->inflight.queues; i++) {
		memcpy(used, l->at + i * l->each + PACKED_USED, sizeof(used));
		if (unit(l) == PACKED_BYTES && used[0] != used[1])
			return true;
		if (unit(l) == PACKED_BYTES)
			continue;
		head_of(l, i, &q);
		if (q.used_idx != vring_used_idx(&l->session->queue[i]))
			return true;
	}
	return false;
}

/*
 * Entries of a packed log are taken from a list: whose order is another than
 * that of their counters, were not given back in order.
 */
static bool packed_disordered(const struct crash_log *l, unsigned queue)
{
	uint64_t least = UINT64_MAX, most = 0, n = 0;

	for (unsigned i = 0; i < l->session->inflight.queue_size; i++) {
		uint64_t counter;

		if (!in_flight(l, queue, i))
			continue;
		memcpy(&counter,
		       l->at + queue * l->each + (i + 1u) * PACKED_BYTES + 8u,
		       sizeof(counter));
		least = counter < least ? counter : least;
		most = counter > most ? counter : most;
		n++;
	}
	return n > 0 && most - least >= n;
}

static bool disordered(const struct crash_log *l, unsigned queue)
{
	const struct vring *q = &l->session->queue[queue];
	uint16_t used = vring_used_idx(q);
	unsigned n = count(l, queue);

	if (unit(l) == PACKED_BYTES)
		return packed_disordered(l, queue);
	for (unsigned i = 0; i < n; i++) {
		uint16_t head = vring_avail_entry(q, (uint16_t)(used + i));

		if (head >= q->size || !in_flight(l, queue, head))
			return true;
	}
	return false;
}

bool crash_log_disordered(const struct crash_log *l)
{
	if (!crash_log_known(l) || crash_log_in_batch(l))
		return false;
	for (unsigned i = 0; i < l->session->inflight.queues; i++)
		if (disordered(l, i))
			return true;
	return false;
}

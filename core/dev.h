/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device's private structures, carved out of the caller's storage by
 * vblk_init, and what the core's files call of each other:
 *
 *     ring_split.c   available ring -> chain of guest ranges in a slot
 *     ring_packed.c  descriptor ring -> the same
 *     request.c      chain -> one validated request; and back to a used element
 *     mem.c          guest addresses -> host segments
 *     device.c       slots, poll, complete
 *
 * A queue is touched by the one lane that serves it; the device's own fields
 * change only in control calls, except where a comment says otherwise.
 */
#ifndef VBLK_DEV_H
#define VBLK_DEV_H

#include "groups.h"
#include "vblk/arch.h"
#include "vblk/vblk.h"

#define VBLK_NONE 0xffffu       /* no slot, no region */
#define VBLK_PAGE_SHIFT 12u     /* of dirty bitmaps */

#define VBLK_ANY_RING (VBLK_F_INDIRECT_DESC | VBLK_F_EVENT_IDX | \
		       VBLK_F_RING_RESET | VBLK_F_VERSION_1 | \
		       VBLK_F_ACCESS_PLATFORM | VBLK_F_ORDER_PLATFORM | \
		       VBLK_F_NOTIFICATION_DATA | \
		       (HAS_PACKED ? VBLK_F_RING_PACKED : 0u) | \
		       (HAS_ORDER ? VBLK_F_IN_ORDER : 0u) | \
		       (HAS_SUSPEND ? VBLK_F_SUSPEND : 0u))
#define VBLK_ANY_BLK (VBLK_F_SIZE_MAX | VBLK_F_SEG_MAX | VBLK_F_GEOMETRY | \
		      VBLK_F_RO | VBLK_F_BLK_SIZE | VBLK_F_FLUSH | \
		      VBLK_F_TOPOLOGY | VBLK_F_CONFIG_WCE | VBLK_F_MQ | \
		      VBLK_F_DISCARD | VBLK_F_WRITE_ZEROES | \
		      VBLK_F_SECURE_ERASE)

enum mem_state { MEM_FREE = 0, MEM_LIVE, MEM_REVOKED };

static inline uint8_t *host_at(const struct vblk_region *r, vblk_gpa gpa)
{
	return (uint8_t *)r->host + (gpa - r->gpa);
}

struct mem {                    /* a region the caller added */
	struct vblk_region r;   /* len 0: free */
	uint32_t used;          /* dev->tick of last use, on demand only */
	uint32_t state;         /* enum mem_state */
};

/* A slot's ranges become its segments in place. */
struct range {
	vblk_gpa gpa;
	uint32_t len;
} __attribute__((may_alias));

enum slot_state {
	SLOT_FREE = 0,
	SLOT_PARSED,            /* a request in guest addresses */
	SLOT_BUSY,              /* handed out */
	SLOT_DONE               /* IN_ORDER: earlier ones are not */
};

struct slot {
	uint8_t  state;         /* enum slot_state */
	uint8_t  answer;        /* status to give at once, or ANSWER_ */
	uint16_t num_ranges, num_out; /* data; the first num_out are readable */
	uint16_t head;          /* names the chain: head, or buffer id */
	uint16_t descs;         /* packed: descriptors of the ring it took */
	uint16_t entry;         /* packed: where the log has it */
	uint16_t next;          /* free slot after this one, or DONE after it */
	struct vblk_req req;    /* queue, tag and seg never change */
	union {                 /* cfg.segs + 1; req.seg points there too */
		struct range *range;    /* PARSED: data, then status */
		struct vblk_seg *seg;   /* BUSY */
	};
	uint16_t *region;       /* cfg.segs + 1: of each seg, then of status */
	uint8_t *status;        /* where the status byte goes */
	vblk_gpa status_gpa;
	uint64_t in_bytes;      /* writable before the status byte; DONE: length
				 * for the used element */
};

#define ANSWER_STORE 0xffu      /* the store answers */
#define ANSWER_ID    0xfeu      /* write the serial */

struct chain {                  /* while its descriptors are read */
	/* packed */
	uint16_t at;            /* position of the next */
	uint16_t flags;         /* of the first */
	uint16_t entry;         /* of the log, that keeps the copy */
	uint16_t most;          /* descriptors */
	bool     replay;        /* from the copies */

	bool     too_many;      /* ranges */
	bool     unreadable;    /* part of the header is no memory */
	uint8_t  have;          /* bytes of header */
	const char *broken;     /* section; NULL: a chain with a status byte */
	uint64_t out_bytes;     /* readable after the header */
	struct vblk_header header;
	struct vblk_desc desc;  /* the one at hand */
};

/* Packed: the ring, driver's and device's event suppression, 2.8. */
enum area_kind { AREA_DESC, AREA_AVAIL, AREA_USED, AREAS };

struct area {                   /* descriptor table or a ring */
	vblk_gpa gpa;
	uint8_t *host;          /* its start; NULL: in several regions */
};

enum queue_state { QUEUE_STOPPED = 0, QUEUE_STARTED, QUEUE_STOPPING };

/*
 * Bytes first, then 16-bit fields, here and in struct slot: the shortest
 * instructions reach them there.
 */
struct queue {
	uint8_t  state;         /* enum queue_state */
	uint8_t  attempts;      /* fetches of this chain so far */
	bool     packed;
	bool     attached;      /* rings are mapped and held */
	bool     used_from_ring;
	bool     tell;          /* signal whatever the driver says */
	bool     quiet;         /* used->flags says NO_NOTIFY */
	bool     wrote;         /* packed: flag of the first not published */
	bool     absent;        /* what it misses, the caller cannot map */

	/* ring; a packed ring's positions have the wrap counter in bit 15 */
	uint16_t size;
	uint16_t next_avail;    /* next entry to consume, free-running */
	union {
		uint16_t seen_avail; /* split: avail->idx as last read */
		uint16_t out;   /* packed: descriptors taken, not given back */
	};
	uint16_t next_used;     /* next element to write */
	uint16_t published;     /* used->idx as the driver sees it */
	uint16_t home[AREAS];   /* region of each area that is in one */
	uint16_t replay;        /* logged heads still to execute */
	uint16_t batch;         /* packed: log entry of the last put, if that is
				 * not published; */
	uint16_t batch_end;     /* and where that list of entries ends */

	/* requests */
	uint16_t free;          /* first free slot */
	uint16_t in_flight;
	uint16_t parsed;        /* slot that waits for memory, or VBLK_NONE */
	uint16_t first, last;   /* IN_ORDER: slots not given back, as taken */
	uint16_t hint;          /* region of the last hit */

	/* read by other threads */
	uint32_t faulted;       /* 1: NEEDS_RESET; this lane writes it */

	/* fixed by vblk_init */
	struct vblk *dev;
	struct slot *slot;
	uint32_t *refs;         /* [cfg.regions] uses by this queue */
	uint8_t  *taken;        /* bit head: consumed and not given back */

	struct vblk_inflight *log; /* or NULL */
	const char *section;    /* the guest's last fault */
	struct area area[AREAS];
	struct vblk_range miss; /* being walked; len 0: all is there */
	uint64_t replay_after;  /* log counter of the last head replayed */
	struct vblk_stats stats;
};

struct vblk {
	bool     writeback;     /* config field, 5.2.5.2 */
	bool     stopping;      /* vblk_reset waits */
	uint16_t num_mem;
	uint16_t leaving;       /* regions revoked or TRANSIENT */
	struct vblk_config cfg; /* defaults filled in */
	struct mem *mem;        /* [cfg.regions]; an entry keeps its place */
	uint16_t   *order;      /* [num_mem] entries by address */
	struct queue *queue;
	struct queue *asking;   /* caller of vblk_missing, until its poll */
	uint64_t accepted;
	uint32_t tick;          /* of mappings asked for, on demand */
};

/* mem.c */
struct mem *vblk_mem_search(struct queue *q, vblk_gpa gpa);
int vblk_mem_snapshot(struct queue *q, vblk_gpa gpa, uint32_t len, void *dst);
int vblk_mem_translate(struct queue *q, struct slot *s);
int vblk_mem_status(struct queue *q, struct slot *s);
void vblk_mem_dirty(const struct mem *m, const uint8_t *host, uint64_t len);
int vblk_mem_attach(struct queue *q);
void vblk_mem_detach(struct queue *q);

/* inflight.c: either ring's */
bool vblk_log_fits(const struct vblk_inflight *log, uint16_t size);
uint16_t vblk_log_next(struct queue *q, bool taken);
void vblk_log_count(struct queue *q);
void vblk_log_taken(struct queue *q, uint16_t entry);
/* the split ring's */
void vblk_log_begin(struct queue *q, uint16_t used);
void vblk_log_used(struct vblk_inflight *log, uint16_t head);
void vblk_log_published(struct queue *q, uint16_t from, uint16_t used);
int vblk_log_recover(struct queue *q, uint16_t used);

/* request.c */
void vblk_chain_begin(struct slot *s, struct chain *c, uint16_t head);
int vblk_chain_add(struct queue *q, struct slot *s, struct chain *c);
int vblk_chain_table(struct queue *q, struct slot *s, struct chain *c);
void vblk_chain_parse(struct vblk *dev, struct slot *s, struct chain *c);
int vblk_request_ready(struct queue *q, struct slot *s);
uint32_t vblk_request_finish(struct queue *q, struct slot *s, uint8_t status,
			     uint64_t bytes);

/* device.c */
void vblk_unfetch(struct queue *q);
/* every fault of a ring goes through here */
int vblk_distrust(struct queue *q, const char *section);

/* config.c */
bool vblk_write_back(const struct vblk *dev);
int vblk_config_default(struct vblk_config *c);

static inline struct mem *mem_find(struct queue *q, vblk_gpa gpa)
{
	struct mem *m = &q->dev->mem[q->hint];

	if (gpa - m->r.gpa < m->r.len && m->state == MEM_LIVE)
		return m;
	return vblk_mem_search(q, gpa);
}

/* The queue's log; none in a build without. */
static inline struct vblk_inflight *log_of(const struct queue *q)
{
	return HAS_LOG ? q->log : NULL;
}

/* Is memory that is not there to be asked for? */
static inline bool on_demand(const struct vblk *dev)
{
	return HAS_DEMAND && dev->cfg.on_demand;
}

static inline bool is_packed(const struct queue *q)
{
	return HAS_PACKED && q->packed;
}

/* 2.7, 2.8; event words are part of the rings even if not negotiated. */
static inline uint32_t area_len(const struct queue *q, unsigned kind)
{
	return kind == AREA_DESC    ? 16u * q->size
	       : is_packed(q)	    ? 4u
	       : kind == AREA_AVAIL ? 6u + 2u * q->size
				    : 6u + 8u * q->size;
}

/* We wrote len > 0 bytes there. */
static inline void mem_mark(const struct mem *m, const uint8_t *host,
			    uint64_t len)
{
	if (m->r.dirty)
		vblk_mem_dirty(m, host, len);
}

/* From a packed descriptor's layout to a split one's; its id becomes next. */
static inline void desc_unpack(struct vblk_desc *d)
{
	struct vblk_le16 id = d->flags;

	d->flags = d->next;
	d->next = id;
}

static inline bool has(const struct vblk *dev, uint64_t feature)
{
	return (dev->accepted & feature) != 0;
}

static inline bool bit_get(const uint8_t *map, uint16_t i)
{
	return ((uint32_t)map[i / 8u] >> (i % 8u)) & 1u;
}

static inline void bit_set(uint8_t *map, uint16_t i)
{
	map[i / 8u] = (uint8_t)(map[i / 8u] | 1u << (i % 8u));
}

static inline void bit_clear(uint8_t *map, uint16_t i)
{
	map[i / 8u] = (uint8_t)(map[i / 8u] & ~(1u << (i % 8u)));
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Block requests, virtio 1.4, 5.2.6: from descriptors, in any arrangement
 * (2.7.4), to one validated request, and from its result to a status byte and a
 * length. The first 16 readable bytes are the header, the last writable byte is
 * the status, the rest is data.
 */
#include "dev.h"

/* --- descriptors to ranges ------------------------------------------------ */

void vblk_chain_begin(struct slot *s, struct chain *c, uint16_t head)
{
	c->have = 0;
	c->too_many = false;
	c->unreadable = false;
	c->broken = NULL;
	s->head = head;
	s->num_ranges = 0;
	s->num_out = 0;
	s->req.num_segs = 0;
	c->out_bytes = 0;
	s->in_bytes = 0;
}

/* Neighbours in guest memory count as one, however the driver cut them. */
static void append(struct vblk *dev, struct slot *s, struct chain *c,
		   vblk_gpa gpa, uint32_t len, bool in)
{
	uint16_t n = s->num_ranges;

	if (n > (in ? s->num_out : 0u)) {
		struct range *last = &s->range[n - 1u];

		if (gpa != 0 && last->gpa + last->len == gpa &&
		    last->len + len >= len) {
			last->len += len;
			return;
		}
	}
	if (n > dev->cfg.segs) {
		c->too_many = true;
		return;
	}
	s->range[n].gpa = gpa;
	s->range[n].len = len;
	s->num_ranges++;
	if (!in)
		s->num_out++;
}

/*
 * EUNMAPPED: part of the header waits for memory. EGUEST: c->broken says why no
 * status byte can be found.
 */
int vblk_chain_add(struct queue *q, struct slot *s, struct chain *c)
{
	vblk_gpa gpa = vblk_le64_get(c->desc.addr);
	uint32_t len = vblk_le32_get(c->desc.len);
	uint32_t n = (uint32_t)sizeof(c->header) - c->have;

	if (len == 0)
		return VBLK_OK;
	if (len - 1u > ~gpa) {
		c->broken = "2.7.5";
		return VBLK_EGUEST;
	}
	if (vblk_le16_get(c->desc.flags) & VBLK_DESC_WRITE) {
		append(q->dev, s, c, gpa, len, true);
		s->in_bytes += len;
		s->status_gpa = gpa + (len - 1u);
		return VBLK_OK;
	}
	if (s->in_bytes > 0) {
		c->broken = "2.7.4.2";
		return VBLK_EGUEST;
	}
	if (n > len)
		n = len;
	if (n > 0) {
		int r = vblk_mem_snapshot(q, gpa, n,
					  (uint8_t *)&c->header + c->have);

		if (r == VBLK_EUNMAPPED)
			return r;
		c->unreadable = c->unreadable || r != VBLK_OK;
		c->have = (uint8_t)(c->have + n);
	}
	if (len > n) {
		append(q->dev, s, c, gpa + n, len - n, false);
		c->out_bytes += len - n;
	}
	return VBLK_OK;
}

/*
 * The table that c->desc names. As vblk_chain_add. A split table goes by next,
 * 2.7.5.3; a packed one by order, 2.8.8.
 */
int vblk_chain_table(struct queue *q, struct slot *s, struct chain *c)
{
	vblk_gpa gpa = vblk_le64_get(c->desc.addr);
	uint32_t len = vblk_le32_get(c->desc.len);
	uint32_t count = len / 16u, i = 0;

	if (len % 16u != 0 || count > VBLK_MAX_DESCS || len - 1u > ~gpa)
		count = 0;
	for (uint32_t n = 0; n < count && i < count; n++) {
		uint16_t flags;
		int r = vblk_mem_snapshot(q, gpa + 16u * i, 16, &c->desc);

		if (r == VBLK_EUNMAPPED)
			return r;
		if (is_packed(q))
			desc_unpack(&c->desc);
		flags = vblk_le16_get(c->desc.flags);
		if (r != VBLK_OK ||
		    (!is_packed(q) && (flags & VBLK_DESC_INDIRECT)))
			break;
		r = vblk_chain_add(q, s, c);
		if (r != VBLK_OK)
			return r;
		if (is_packed(q) ? n + 1u == count : !(flags & VBLK_DESC_NEXT))
			return VBLK_OK;
		i = is_packed(q) ? n + 1u : vblk_le16_get(c->desc.next);
	}
	c->broken = is_packed(q) ? "2.8.8" : "2.7.5.3.1";
	return VBLK_EGUEST;
}

/* --- ranges to a request -------------------------------------------------- */

/* 5.2.6: whole sectors, inside the disk; sums cannot wrap. */
static bool inside(const struct vblk *dev, uint64_t sector, uint64_t sectors)
{
	return sector <= dev->cfg.capacity &&
	       sectors <= dev->cfg.capacity - sector;
}

static uint8_t parse_transfer(const struct vblk *dev, struct slot *s,
			      uint64_t out_bytes, bool write)
{
	uint64_t other = write ? s->in_bytes : out_bytes;

	s->req.op = write ? VBLK_OP_WRITE : VBLK_OP_READ;
	s->req.bytes = write ? out_bytes : s->in_bytes;
	if (write && (dev->cfg.features & VBLK_F_RO))
		return VBLK_S_IOERR;    /* offered is enough, 5.2.6.2 */
	if (other != 0 || s->req.bytes % VBLK_SECTOR_SIZE != 0 ||
	    !inside(dev, s->req.sector, s->req.bytes / VBLK_SECTOR_SIZE))
		return VBLK_S_IOERR;
	if (write && !vblk_write_back(dev))
		s->req.flags = VBLK_REQ_FUA;
	return s->req.bytes == 0 ? (uint8_t)VBLK_S_OK : ANSWER_STORE;
}

static uint8_t parse_extent(const struct vblk *dev, struct slot *s,
			    uint64_t out_bytes, uint64_t feature)
{
	if (!has(dev, feature))
		return VBLK_S_UNSUPP;
	if ((dev->cfg.features & VBLK_F_RO) || s->in_bytes != 0 ||
	    out_bytes != sizeof(struct vblk_extent))
		return VBLK_S_IOERR; /* max_discard_seg and the like are 1 */
	return ANSWER_STORE;
}

static uint8_t parse_type(const struct vblk *dev, struct slot *s,
			  const struct chain *c)
{
	uint32_t type = vblk_le32_get(c->header.type);
	uint64_t feature;

	switch (type) {
	case VBLK_T_IN:
	case VBLK_T_OUT:
		return parse_transfer(dev, s, c->out_bytes, type == VBLK_T_OUT);
	case VBLK_T_FLUSH:
		s->req.op = VBLK_OP_FLUSH;
		s->num_ranges = 0; /* has no data; what is there is not ours */
		s->req.sector = 0;
		s->req.bytes = 0;
		return ANSWER_STORE;
	case VBLK_T_GET_ID:
		return c->out_bytes == 0 ? ANSWER_ID : (uint8_t)VBLK_S_IOERR;
	case VBLK_T_DISCARD:
		s->req.op = VBLK_OP_DISCARD;
		feature = VBLK_F_DISCARD;
		break;
	case VBLK_T_WRITE_ZEROES:
		s->req.op = VBLK_OP_WRITE_ZEROES;
		feature = VBLK_F_WRITE_ZEROES;
		break;
	case VBLK_T_SECURE_ERASE:
		s->req.op = VBLK_OP_SECURE_ERASE;
		feature = VBLK_F_SECURE_ERASE;
		break;
	default: return VBLK_S_UNSUPP;
	}
	return parse_extent(dev, s, c->out_bytes, feature);
}

/* The chain is complete: what is asked, and who answers. */
void vblk_chain_parse(struct vblk *dev, struct slot *s, struct chain *c)
{
	if (s->in_bytes == 0 && !c->broken)
		c->broken = "5.2.6";    /* nowhere to put a status */
	if (c->broken)
		return;
	s->in_bytes--;
	if (!c->too_many && --s->range[s->num_ranges - 1u].len == 0)
		s->num_ranges--;
	s->req.op = 0;
	s->req.flags = 0;
	s->req.sector = vblk_le64_get(c->header.sector);
	if (c->too_many || s->num_ranges > dev->cfg.segs || c->unreadable ||
	    c->have < sizeof(c->header))
		s->answer = VBLK_S_IOERR;
	else
		s->answer = parse_type(dev, s, c);
	if (s->answer < ANSWER_ID)
		s->num_ranges = 0;      /* only the status need be mapped */
	if (s->num_out > s->num_ranges)
		s->num_out = s->num_ranges;
}

/* --- a request in host memory --------------------------------------------- */

/* All of it or nothing: what was read before a miss is read anew. */
static int read_extent(struct queue *q, struct slot *s, struct vblk_extent *e)
{
	uint8_t *at = (uint8_t *)e;
	int r = VBLK_OK;

	for (uint32_t i = 0; i < s->num_ranges && r == VBLK_OK; i++) {
		r = vblk_mem_snapshot(q, s->range[i].gpa, s->range[i].len, at);
		at += s->range[i].len;
	}
	return r;
}

/* 5.2.6.2 */
static uint8_t judge_extent(const struct vblk *dev, struct slot *s,
			    const struct vblk_extent *e)
{
	bool zeroes = s->req.op == VBLK_OP_WRITE_ZEROES;
	uint32_t limit = zeroes ? dev->cfg.max_zeroes_sectors
			 : s->req.op == VBLK_OP_DISCARD
				 ? dev->cfg.max_discard_sectors
				 : dev->cfg.max_erase_sectors;
	uint32_t flags = vblk_le32_get(e->flags);
	uint32_t sectors = vblk_le32_get(e->num_sectors);

	s->req.sector = vblk_le64_get(e->sector);
	s->req.bytes = (uint64_t)sectors * VBLK_SECTOR_SIZE;
	if (flags & ~(zeroes ? VBLK_EXTENT_UNMAP : 0u))
		return VBLK_S_UNSUPP;
	if (sectors > limit || !inside(dev, s->req.sector, sectors))
		return VBLK_S_IOERR;
	if (flags)
		s->req.flags |= VBLK_REQ_UNMAP;
	if (!vblk_write_back(dev))
		s->req.flags |= VBLK_REQ_FUA;
	return sectors == 0 ? (uint8_t)VBLK_S_OK : ANSWER_STORE;
}

/*
 * OK: s->answer says who answers. EUNMAPPED: memory is missing; nothing was
 * taken, call again. EGUEST: the status byte is not in writable memory.
 */
int vblk_request_ready(struct queue *q, struct slot *s)
{
	struct vblk_extent e;
	int r = vblk_mem_status(q, s);

	if (r != VBLK_OK)
		return r;
	if (s->answer == ANSWER_STORE && s->req.op >= VBLK_OP_DISCARD) {
		r = read_extent(q, s, &e);
		if (r == VBLK_OK)
			s->answer = judge_extent(q->dev, s, &e);
	} else {
		r = vblk_mem_translate(q, s);
	}
	if (r == VBLK_EUNMAPPED) {
		q->refs[s->region[q->dev->cfg.segs]]--;
		return r;
	}
	if (r != VBLK_OK)
		s->answer = VBLK_S_IOERR;
	return VBLK_OK;
}

/* --- and back ------------------------------------------------------------- */

/* 5.2.6: the serial, NUL-padded, as far as there is room. */
static uint64_t put_serial(struct vblk *dev, struct slot *s)
{
	uint32_t at = 0;

	for (uint32_t i = 0; i < s->req.num_segs && at < VBLK_ID_BYTES; i++) {
		uint32_t n = s->seg[i].len;

		if (n > VBLK_ID_BYTES - at)
			n = VBLK_ID_BYTES - at;
		vblk_scatter(s->seg[i].host, dev->cfg.serial + at, n);
		at += n;
	}
	return at;
}

/*
 * Writes the status byte and lets go of the memory. Returns the length for the
 * used element: the bytes written from the first writable one on (2.7.8.2), so
 * the status byte counts only if all before it was written.
 */
uint32_t vblk_request_finish(struct queue *q, struct slot *s, uint8_t status,
			     uint64_t bytes)
{
	struct vblk *dev = q->dev;
	bool in = s->req.op == VBLK_OP_READ; /* as is GET_ID's */
	uint16_t id = s->region[dev->cfg.segs];
	uint64_t written = 0;

	if (s->answer == ANSWER_ID)
		written = put_serial(dev, s);
	else if (in && s->answer == ANSWER_STORE)
		written = status == VBLK_S_OK || bytes > s->req.bytes
				  ? s->req.bytes
				  : bytes;
	for (uint32_t i = 0; i < s->req.num_segs; i++) {
		if (in)
			mem_mark(&dev->mem[s->region[i]], s->seg[i].host,
				 s->seg[i].len);
		q->refs[s->region[i]]--;
	}
	vblk_store8(s->status, status);
	mem_mark(&dev->mem[id], s->status, 1);
	q->refs[id]--;
	if (written == s->in_bytes)
		written++;
	return written > UINT32_MAX ? UINT32_MAX : (uint32_t)written;
}

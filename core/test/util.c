/* SPDX-License-Identifier: BSD-2-Clause */
#include "util.h"

struct rig rig;

/* --- guest memory -------------------------------------------------------- */

#define BLOCKS 64u

static struct block {
	uint64_t gpa, len;
	uint8_t *host;
} block[BLOCKS];
static unsigned blocks;

uint8_t *ram_new(uint64_t gpa, uint64_t len)
{
	struct block *b = &block[blocks];

	check_that(blocks < BLOCKS, "too many blocks of guest memory");
	b->gpa = gpa;
	b->len = len;
	b->host = aligned_alloc(16, (size_t)len);
	check_that(b->host != NULL, "no host memory");
	memset(b->host, 0, (size_t)len);
	blocks++;
	return b->host;
}

static struct block *block_of(uint64_t gpa)
{
	for (unsigned i = 0; i < blocks; i++)
		if (gpa - block[i].gpa < block[i].len)
			return &block[i];
	return NULL;
}

uint8_t *ram_at(uint64_t gpa)
{
	struct block *b = block_of(gpa);

	check_that(b != NULL, "the test has no memory at 0x%" PRIx64, gpa);
	return b->host + (gpa - b->gpa);
}

uint64_t ram_left(uint64_t gpa)
{
	struct block *b = block_of(gpa);

	return b ? b->len - (gpa - b->gpa) : 0;
}

static void put(uint64_t gpa, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		*ram_at(gpa + i) = (uint8_t)(v >> (8u * i));
}

static uint64_t get(uint64_t gpa, unsigned n)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < n; i++)
		v |= (uint64_t)*ram_at(gpa + i) << (8u * i);
	return v;
}

void put8(uint64_t gpa, uint8_t v) { put(gpa, v, 1); }
void put16(uint64_t gpa, uint16_t v) { put(gpa, v, 2); }
void put32(uint64_t gpa, uint32_t v) { put(gpa, v, 4); }
void put64(uint64_t gpa, uint64_t v) { put(gpa, v, 8); }
uint8_t get8(uint64_t gpa) { return (uint8_t)get(gpa, 1); }
uint16_t get16(uint64_t gpa) { return (uint16_t)get(gpa, 2); }
uint32_t get32(uint64_t gpa) { return (uint32_t)get(gpa, 4); }
uint64_t get64(uint64_t gpa) { return get(gpa, 8); }

void fill(uint64_t gpa, uint8_t v, uint64_t len)
{
	for (uint64_t i = 0; i < len; i++)
		*ram_at(gpa + i) = v;
}

void all_are(uint64_t gpa, uint8_t v, uint64_t len)
{
	for (uint64_t i = 0; i < len; i++)
		check_that(*ram_at(gpa + i) == v,
			   "byte %" PRIu64 " at 0x%" PRIx64
			   ": expected 0x%x, came 0x%x",
			   i, gpa, v, *ram_at(gpa + i));
}

/* --- the device under test ----------------------------------------------- */

struct vblk_config plain(void)
{
	struct vblk_config c;

	memset(&c, 0, sizeof(c));
	c.capacity = 1024;
	c.features = VBLK_F_FLUSH;
	c.queue_size = 16;
	c.segs = 8;
	memcpy(c.serial, "0123456789abcdefghij", 20);
	return c;
}

void rig_again(const struct vblk_config *cfg)
{
	size_t size = vblk_sizeof(cfg);

	free(rig.storage);
	check_that(size > 0, "configuration: expected a size, came 0");
	rig.storage = malloc(size);
	check_that(rig.storage != NULL, "no host memory");
	expect(vblk_init(&rig.dev, rig.storage, size, cfg), VBLK_OK);
}

void rig_open_bare(const struct vblk_config *cfg)
{
	rig_close();
	rig_again(cfg);
	for (unsigned i = 0; i < RIG_QUEUES; i++) {
		struct ring *r = &rig.ring[i];

		r->desc = RAM + 0x8000u * i;
		r->avail = r->desc + 0x4000;
		r->used = r->desc + 0x5000;
		r->size = vblk_configuration(rig.dev)->queue_size;
	}
	rig.next_buf = DATA;
}

void rig_open(const struct vblk_config *cfg)
{
	rig_open_bare(cfg);
	(void)ram_new(RAM, RAM_LEN);
	give(RAM, RAM_LEN);
}

void rig_start(const struct vblk_config *cfg)
{
	rig_open(cfg);
	expect(vblk_accept(rig.dev, vblk_features(rig.dev)), VBLK_OK);
	for (uint16_t i = 0; i < vblk_configuration(rig.dev)->num_queues; i++)
		start_queue(i);
}

void rig_close(void)
{
	while (blocks > 0)
		free(block[--blocks].host);
	free(rig.storage);
	memset(&rig, 0, sizeof(rig));
}

int give_as(uint64_t gpa, uint64_t len, uint32_t perm, uint8_t *dirty)
{
	struct vblk_region r;

	r.gpa = gpa;
	r.len = len;
	r.host = ram_at(gpa);
	r.dirty = dirty;
	r.perm = perm;
	check_that(ram_left(gpa) >= len, "the test's region is too long");
	return vblk_mem_add(rig.dev, &r);
}

void give(uint64_t gpa, uint64_t len)
{
	expect(give_as(gpa, len, VBLK_RW, NULL), VBLK_OK);
}

bool give_missing(uint16_t queue)
{
	struct vblk_range want;
	uint64_t odd;

	if (vblk_missing(rig.dev, queue, &want, 1) != 1)
		return false;
	odd = want.gpa % VBLK_REGION_ALIGN;
	give(want.gpa - odd, (odd + want.len + VBLK_REGION_ALIGN - 1u) &
				     ~(uint64_t)(VBLK_REGION_ALIGN - 1u));
	return true;
}

struct vblk_queue_addr addr_of(uint16_t queue)
{
	const struct ring *r = &rig.ring[queue];
	struct vblk_queue_addr a;

	a.desc = r->desc;
	a.driver = r->avail;
	a.device = r->used;
	a.size = r->size;
	return a;
}

void start_queue(uint16_t queue)
{
	struct vblk_queue_addr a = addr_of(queue);

	expect(vblk_queue_start(rig.dev, queue, &a, NULL, NULL), VBLK_OK);
}

int poll_queue(uint16_t queue)
{
	return vblk_poll(rig.dev, queue, rig.req, RIG_REQS);
}

void done(uint16_t queue, int i, enum vblk_status status)
{
	expect(vblk_complete(rig.dev, queue, rig.req[i].tag, status,
			     rig.req[i].bytes),
	       VBLK_OK);
}

/* --- a driver of rings --------------------------------------------------- */

void put_desc(uint64_t table, uint16_t i, uint64_t gpa, uint32_t len,
	      uint16_t flags, uint16_t next)
{
	uint64_t at = table + 16u * i;

	put64(at, gpa);
	put32(at + 8, len);
	put16(at + 12, flags);
	put16(at + 14, next);
}

static uint16_t desc_next(struct ring *r)
{
	uint16_t i = r->next_desc;

	r->next_desc = (uint16_t)((i + 1u) % r->size);
	return i;
}

uint16_t chain(uint16_t queue, const struct buf *b, size_t n)
{
	struct ring *r = &rig.ring[queue];
	uint16_t head = r->next_desc;

	for (size_t k = 0; k < n; k++) {
		uint16_t i = desc_next(r);
		unsigned more = k + 1 < n ? NEXT : 0u;

		put_desc(r->desc, i, b[k].gpa, b[k].len,
			 (uint16_t)(more | (b[k].in ? WRITE : 0u)),
			 more ? r->next_desc : 0);
	}
	return head;
}

uint16_t chain_indirect(uint16_t queue, uint64_t table, const struct buf *b,
			size_t n)
{
	struct ring *r = &rig.ring[queue];
	uint16_t head = desc_next(r);

	for (size_t k = 0; k < n; k++) {
		unsigned more = k + 1 < n ? NEXT : 0u;

		put_desc(table, (uint16_t)k, b[k].gpa, b[k].len,
			 (uint16_t)(more | (b[k].in ? WRITE : 0u)),
			 more ? (uint16_t)(k + 1u) : 0);
	}
	put_desc(r->desc, head, table, (uint32_t)(16u * n), INDIRECT, 0);
	return head;
}

void offer(uint16_t queue, uint16_t head)
{
	struct ring *r = &rig.ring[queue];

	put16(r->avail + 4u + 2u * (r->avail_idx % r->size), head);
	r->avail_idx++;
	put16(r->avail + 2, r->avail_idx);
}

bool used_next(uint16_t queue, uint32_t *head, uint32_t *len)
{
	struct ring *r = &rig.ring[queue];
	uint64_t at = r->used + 4u + 8u * (r->used_idx % r->size);

	if (get16(r->used + 2) == r->used_idx)
		return false;
	*head = get32(at);
	*len = get32(at + 4);
	r->used_idx++;
	return true;
}

void used_is(uint16_t queue, uint32_t head, uint32_t len)
{
	uint32_t h = 0, n = 0;
	bool some = used_next(queue, &h, &n);

	check_that(some && h == head && n == len,
		   "used element: expected head %u len %u, came %s %u len %u",
		   head, len, some ? "head" : "none,", h, n);
}

void used_none(uint16_t queue)
{
	uint32_t h = 0, n = 0;
	bool some = used_next(queue, &h, &n);

	check_that(!some, "expected no used element, came head %u len %u", h,
		   n);
}

void put_header(uint64_t gpa, uint32_t type, uint64_t sector)
{
	put32(gpa, type);
	put32(gpa + 4, 0);
	put64(gpa + 8, sector);
}

static uint64_t buffer(uint32_t len)
{
	uint64_t at = rig.next_buf;

	rig.next_buf += (len + 31u) & ~15u;     /* never neighbours */
	if (at <= RAM + RAM_LEN && rig.next_buf > RAM + RAM_LEN) {
		at = DATA;
		rig.next_buf = at + ((len + 31u) & ~15u);
	}
	return at;
}

struct op ask(uint16_t queue, uint32_t type, uint64_t sector, uint32_t len)
{
	struct op o;
	struct buf b[3];
	size_t n = 0;

	o.len = len;
	o.header = buffer(16);
	o.data = buffer(len);
	o.status = buffer(1);
	put_header(o.header, type, sector);
	put8(o.status, 0xaa);
	b[n++] = (struct buf)OUT(o.header, 16);
	if (len > 0)
		b[n++] = (struct buf){
			o.data, len, type == VBLK_T_IN || type == VBLK_T_GET_ID
		};
	b[n++] = (struct buf)IN(o.status, 1);
	o.head = chain(queue, b, n);
	offer(queue, o.head);
	return o;
}

struct op ask_extent(uint16_t queue, uint32_t type, uint64_t sector,
		     uint32_t sectors, uint32_t flags)
{
	struct op o = ask(queue, type, 0, 16);

	put64(o.data, sector);
	put32(o.data + 8, sectors);
	put32(o.data + 12, flags);
	return o;
}

/* --- a driver of registers ----------------------------------------------- */

uint32_t rd(uint32_t offset)
{
	uint64_t v = vblk_mmio_read(&rig.mm, offset, 4);

	check_that(v <= UINT32_MAX, "register 0x%x: more than 32 bits", offset);
	return (uint32_t)v;
}

unsigned wr(uint32_t offset, uint32_t value)
{
	return vblk_mmio_write(&rig.mm, offset, 4, value);
}

uint32_t mmio_negotiate(uint64_t features)
{
	(void)wr(0x070, 1);
	(void)wr(0x070, 3);
	for (uint32_t i = 0; i < 2; i++) {
		(void)wr(0x024, i);
		(void)wr(0x020, (uint32_t)(features >> (32u * i)));
	}
	(void)wr(0x070, 11);
	return rd(0x070);
}

void mmio_queue(uint16_t queue)
{
	const struct ring *r = &rig.ring[queue];

	(void)wr(0x030, queue);
	(void)wr(0x038, r->size);
	(void)wr(0x080, (uint32_t)r->desc);
	(void)wr(0x084, (uint32_t)(r->desc >> 32));
	(void)wr(0x090, (uint32_t)r->avail);
	(void)wr(0x094, (uint32_t)(r->avail >> 32));
	(void)wr(0x0a0, (uint32_t)r->used);
	(void)wr(0x0a4, (uint32_t)(r->used >> 32));
	(void)wr(0x044, 1);
}

void mmio_up(const struct vblk_config *cfg)
{
	rig_open(cfg);
	vblk_mmio_init(&rig.mm, rig.dev, 0x74736574, NULL);
	expect(mmio_negotiate(vblk_features(rig.dev)), 11);
	for (uint16_t i = 0; i < vblk_configuration(rig.dev)->num_queues; i++)
		mmio_queue(i);
	(void)wr(0x070, 15);
	expect(rd(0x070), 15);
}

/* --- chance -------------------------------------------------------------- */

uint64_t chance(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	*state = x;
	return x;
}

int run_suite(const char *name, void (*add)(TCase *tc))
{
	Suite *s = suite_create(name);
	TCase *tc = tcase_create(name);
	const char *seconds = getenv("VBLK_TEST_SECONDS"); /* for one test */
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, NULL, rig_close);
	tcase_set_timeout(tc, seconds ? atoi(seconds) : 60);
	add(tc);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

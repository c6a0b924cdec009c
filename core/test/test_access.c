/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the core reads and writes of guest memory, how often and in which order.
 * This program holds a second copy of the core, compiled on probe_arch.h: each
 * access and each fence is written down, and a hostile guest may change bytes
 * the moment they were read.
 */
#undef VBLK_ARCH_H
#define VBLK_ARCH_H "test/probe_arch.h"
#define VBLK_RING_HERE          /* ring.c is in this copy */
#include "probe_names.h"

/* clang-format off */
#include "../config.c"
#include "../device.c"
#include "../inflight.c"
#include "../inflight_packed.c"
#include "../mem.c"
#include "../request.c"
#include "../ring_packed.c"
#include "../ring_split.c"

/* and util.c once more, for that copy */
#define rig p_rig
#define ram_new p_ram_new
#define ram_at p_ram_at
#define ram_left p_ram_left
#define put8 p_put8
#define put16 p_put16
#define put32 p_put32
#define put64 p_put64
#define get8 p_get8
#define get16 p_get16
#define get32 p_get32
#define get64 p_get64
#define fill p_fill
#define all_are p_all_are
#define plain p_plain
#define rig_open_bare p_rig_open_bare
#define rig_open p_rig_open
#define rig_start p_rig_start
#define rig_again p_rig_again
#define rig_close p_rig_close
#define give_as p_give_as
#define give p_give
#define give_missing p_give_missing
#define addr_of p_addr_of
#define start_queue p_start_queue
#define poll_queue p_poll_queue
#define done p_done
#define put_desc p_put_desc
#define chain p_chain
#define chain_indirect p_chain_indirect
#define offer p_offer
#define used_next p_used_next
#define used_is p_used_is
#define used_none p_used_none
#define put_header p_put_header
#define ask p_ask
#define ask_extent p_ask_extent
#define rd p_rd
#define wr p_wr
#define mmio_negotiate p_mmio_negotiate
#define mmio_queue p_mmio_queue
#define mmio_up p_mmio_up
#define chance p_chance
#define run_suite p_run_suite
#include "util.c"
/* clang-format on */

#define SECTOR 512u

/* --- the record ---------------------------------------------------------- */

struct seen {
	enum probe_kind kind;
	uint64_t gpa;
	uint32_t n;
};

static struct seen seen[8192];
static unsigned count;
static bool hostile;
static bool packed_ring;
static uint16_t after;          /* packed: descriptors of the one request */
static uint8_t *reads;          /* of each byte of RAM; NULL: not counted */

static uint64_t gpa_of(const void *p)
{
	for (unsigned i = 0; i < blocks; i++) {
		uintptr_t off = (uintptr_t)p - (uintptr_t)block[i].host;

		if (off < block[i].len)
			return block[i].gpa + off;
	}
	ck_abort_msg("access outside of guest memory: %p", p);
	return 0;
}

/* Index words may be looked at again and again; nothing else may. */
static bool is_index(uint64_t gpa)
{
	const struct ring *r = &rig.ring[0];

	if (packed_ring)        /* events; the flags where a chain may begin */
		return gpa == r->avail || gpa == r->desc + 14 ||
		       gpa == r->desc + 16u * after + 14u;
	return gpa == r->avail || gpa == r->avail + 2 ||
	       gpa == r->avail + 4u + 2u * r->size;
}

void probe(enum probe_kind kind, const void *at, uint32_t n)
{
	struct seen *s = &seen[count % 8192];

	s->kind = kind;
	s->gpa = at ? gpa_of(at) : 0;
	s->n = n;
	count++;
	if (kind != PROBE_LOAD || is_index(s->gpa))
		return;
	for (uint32_t i = 0; i < n && reads; i++)
		reads[s->gpa + i - RAM]++;
	if (hostile)
		memset(ram_at(s->gpa), 0xff, n);
}

/* Index of the first such event from `from` on; fails the test if none. */
static unsigned find(unsigned from, enum probe_kind kind, uint64_t gpa,
		     const char *what)
{
	for (unsigned i = from; i < count; i++)
		if (seen[i].kind == kind && (gpa == 0 || seen[i].gpa == gpa))
			return i;
	ck_abort_msg("expected %s after event %u, came none", what, from);
	return 0;
}

static struct vblk_config everything(void)
{
	struct vblk_config c = plain();

	c.features |= VBLK_F_DISCARD | VBLK_F_WRITE_ZEROES |
		      VBLK_F_INDIRECT_DESC;
	return c;
}

static void begin(uint64_t features)
{
	struct vblk_config c = everything();

	c.features |= features;
	rig_start(&c);
	(void)poll_queue(0);
	count = 0;
	hostile = false;
	packed_ring = features & VBLK_F_RING_PACKED;
	after = 0;
	reads = NULL;
}

/* Requests of all kinds and layouts, one at a time. */
static struct op request(unsigned i)
{
	struct buf b[] = { OUT(DATA, 5), OUT(DATA + 5, 11),
			   OUT(DATA + 0x200, 3), OUT(DATA + 0x300, 13),
			   IN(DATA + 0x400, 1) };
	struct op o = { 0 };

	switch (i) {
	case 0: return ask(0, VBLK_T_IN, 1, 2 * SECTOR);
	case 1: return ask(0, VBLK_T_OUT, 2, SECTOR);
	case 2: return ask(0, VBLK_T_FLUSH, 0, 0);
	case 3: return ask(0, VBLK_T_GET_ID, 0, 20);
	case 4: return ask_extent(0, VBLK_T_DISCARD, 3, 4, 0);
	case 5: return ask_extent(0, VBLK_T_WRITE_ZEROES, 5, 6, 1);
	case 6: return ask(0, 0xbad, 0, 0);
	default: break;
	}
	/* an extent in pieces, header too; in a table, and not */
	put_header(DATA, VBLK_T_WRITE_ZEROES, 0);
	put8(DATA + 0x200, 7);
	put8(DATA + 0x305, 8);
	put8(DATA + 0x400, 0xaa);
	o.status = DATA + 0x400;
	o.head = i == 7 ? chain(0, b, 5)
			: chain_indirect(0, DATA + 0x1008, b, 5);
	offer(0, o.head);
	return o;
}

#define REQUESTS 9

/*
 * The same requests in a packed ring, from its first descriptor on: the split
 * ring's table is turned into one, and so is an indirect table.
 */
static void repack(uint64_t table, uint16_t n, bool ring)
{
	for (uint16_t i = 0; i < n; i++) {
		uint64_t at = table + 16u * i;
		uint16_t flags = get16(at + 12);

		put16(at + 12, 77);     /* the id */
		put16(at + 14, ring ? flags | 0x80u : flags & WRITE);
	}
}

static struct op packed_request(unsigned i)
{
	struct op o = request(i);
	uint64_t desc = rig.ring[0].desc;
	uint16_t n = 1;

	while (get16(desc + 16u * (n - 1u) + 12) & NEXT)
		n++;
	if (get16(desc + 12) & INDIRECT)
		repack(get64(desc), (uint16_t)(get32(desc + 8) / 16u), false);
	repack(desc, n, true);
	put16(rig.ring[0].avail, 0); /* the split ring's index: an event */
	put16(rig.ring[0].avail + 2, 0);
	after = n;
	return o;
}

/* --- read once ----------------------------------------------------------- */

START_TEST(trust__every_byte_is_read_once)
{
	begin(_i < REQUESTS ? 0 : VBLK_F_RING_PACKED);
	if (_i < REQUESTS)
		(void)request((unsigned)_i);
	else
		(void)packed_request((unsigned)_i - REQUESTS);
	reads = calloc(1, RAM_LEN);
	ck_assert_ptr_nonnull(reads);
	if (poll_queue(0) == 1)
		done(0, 0, VBLK_S_OK);
	(void)vblk_irq(rig.dev, 0);
	for (uint64_t i = 0; i < RAM_LEN; i++)
		check_that(reads[i] <= 1,
			   "request %d, byte 0x%" PRIx64
			   ": expected 1 read, came %u",
			   _i, RAM + i, reads[i]);
	free(reads);
	reads = NULL;
}
END_TEST

/* What was read turns to 0xff at once; nothing comes of it. */
START_TEST(trust__what_changes_after_reading_is_not_seen)
{
	static const struct {
		int op;
		uint64_t sector, bytes;
		unsigned flags;
	} want[REQUESTS] = {
		{ VBLK_OP_READ, 1, 1024, 0 },
		{ VBLK_OP_WRITE, 2, 512, 0 },
		{ VBLK_OP_FLUSH, 0, 0, 0 },
		{ -1, 0, VBLK_S_OK, 0 },
		{ VBLK_OP_DISCARD, 3, 2048, 0 },
		{ VBLK_OP_WRITE_ZEROES, 5, 3072, VBLK_REQ_UNMAP },
		{ -1, 0, VBLK_S_UNSUPP, 0 },
		{ VBLK_OP_WRITE_ZEROES, 7, 4096, 0 },
		{ VBLK_OP_WRITE_ZEROES, 7, 4096, 0 },
	};
	struct op o;
	unsigned i = (unsigned)_i % REQUESTS;
	bool is_packed = _i >= REQUESTS;
	uint32_t head, len;

	begin(is_packed ? VBLK_F_RING_PACKED : 0);
	o = is_packed ? packed_request(i) : request(i);
	hostile = true;
	if (want[i].op < 0) {
		expect(poll_queue(0), 0);
	} else {
		expect(poll_queue(0), 1);
		expect(rig.req[0].op, want[i].op);
		if (want[i].op != VBLK_OP_FLUSH)
			expect(rig.req[0].sector, want[i].sector);
		expect(rig.req[0].bytes, want[i].bytes);
		expect(rig.req[0].flags, want[i].flags);
		done(0, 0, VBLK_S_OK);
	}
	(void)vblk_irq(rig.dev, 0);
	hostile = false;
	expect(status_of(o), want[i].op < 0 ? want[i].bytes : VBLK_S_OK);
	if (is_packed) {
		expect(get16(rig.ring[0].desc + 12), 77);
		expect(get16(rig.ring[0].desc + 14) & 0x8080, 0x8080);
		return;
	}
	expect(used_next(0, &head, &len), true);
	expect(head, o.head);
}
END_TEST

START_TEST(spec_2_7_8__used_index_is_never_read)
{
	begin(_i ? VBLK_F_EVENT_IDX : 0);
	for (unsigned i = 0; i < 60; i++) {
		(void)request(i % REQUESTS);
		if (poll_queue(0) == 1)
			done(0, 0, VBLK_S_OK);
		(void)vblk_irq(rig.dev, 0);
		(void)vblk_poll_idle(rig.dev, 0);
	}
	check_that(count < 8192, "expected fewer events");
	for (unsigned i = 0; i < count; i++)
		check_that(seen[i].kind != PROBE_LOAD ||
				   seen[i].gpa - rig.ring[0].used >= 0x1000,
			   "event %u reads the used ring at +%u", i,
			   (unsigned)(seen[i].gpa - rig.ring[0].used));
}
END_TEST

/* --- order --------------------------------------------------------------- */

START_TEST(spec_2_7_13_3__index_then_fence_then_entry)
{
	unsigned idx, fence, entry, desc;

	begin(0);
	(void)request(0);
	expect(poll_queue(0), 1);
	idx = find(0, PROBE_LOAD, rig.ring[0].avail + 2, "avail->idx");
	fence = find(idx, PROBE_RMB, 0, "a read fence");
	entry = find(0, PROBE_LOAD, rig.ring[0].avail + 4, "the entry");
	desc = find(0, PROBE_LOAD, rig.ring[0].desc, "the descriptor");
	check_that(idx < fence && fence < entry && entry < desc,
		   "expected index, fence, entry, descriptor; came %u %u %u "
		   "%u",
		   idx, fence, entry, desc);
}
END_TEST

START_TEST(spec_2_7_13_4__used_after_status)
{
	uint64_t used;
	struct op o;
	unsigned status, id, len, fence, idx, full, wish;

	begin(_i ? VBLK_F_EVENT_IDX : 0);
	used = rig.ring[0].used;
	o = request(0);
	expect(poll_queue(0), 1);
	count = 0;
	done(0, 0, VBLK_S_OK);
	(void)vblk_irq(rig.dev, 0);
	status = find(0, PROBE_STORE, o.status, "the status byte");
	expect(seen[status].n, 1);
	id = find(0, PROBE_STORE, used + 4, "the element's id");
	len = find(0, PROBE_STORE, used + 8, "the element's len");
	fence = find(0, PROBE_WMB, 0, "a write fence");
	idx = find(0, PROBE_STORE, used + 2, "used->idx");
	check_that(status < id && status < len,
		   "expected the status before the element; came %u %u %u",
		   status, id, len);
	check_that(id < fence && len < fence && fence < idx,
		   "expected element, fence, index; came %u %u %u %u", id, len,
		   fence, idx);
	/* 2.7.7.2: then the driver's wish */
	full = find(idx, PROBE_MB, 0, "a full fence");
	wish = find(idx, PROBE_LOAD, rig.ring[0].avail + (_i ? 4u + 32u : 0u),
		    "the driver's wish");
	check_that(full < wish, "expected fence, wish; came %u %u", full, wish);
}
END_TEST

/* Flags, fence, the rest of the descriptor. */
START_TEST(spec_2_8_21_1__flags_then_fence_then_descriptor)
{
	uint64_t desc;
	unsigned flags, fence, addr, len;

	begin(VBLK_F_RING_PACKED);
	desc = rig.ring[0].desc;
	(void)packed_request(0);
	expect(poll_queue(0), 1);
	flags = find(0, PROBE_LOAD, desc + 14, "the flags");
	fence = find(flags, PROBE_RMB, 0, "a read fence");
	addr = find(0, PROBE_LOAD, desc, "the address");
	len = find(0, PROBE_LOAD, desc + 8, "the length");
	check_that(flags < fence && fence < addr && fence < len,
		   "expected flags, fence, address, length; came %u %u %u %u",
		   flags, fence, addr, len);
}
END_TEST

/* The first descriptor of a batch shows it, after everything else. */
START_TEST(spec_2_8_21__flags_after_all_of_the_batch)
{
	uint64_t desc;
	struct op o;
	unsigned status, id, len, fence, flags, full, wish;

	begin(VBLK_F_RING_PACKED | (_i ? VBLK_F_EVENT_IDX : 0));
	desc = rig.ring[0].desc;
	o = packed_request(0);
	expect(poll_queue(0), 1);
	count = 0;
	done(0, 0, VBLK_S_OK);
	(void)vblk_irq(rig.dev, 0);
	status = find(0, PROBE_STORE, o.status, "the status byte");
	len = find(0, PROBE_STORE, desc + 8, "the length");
	id = find(0, PROBE_STORE, desc + 12, "the id");
	fence = find(0, PROBE_WMB, 0, "a write fence");
	flags = find(0, PROBE_STORE, desc + 14, "the flags");
	check_that(status < fence && id < fence && len < fence && fence < flags,
		   "expected status, id, length, fence, flags; came %u %u %u "
		   "%u %u",
		   status, id, len, fence, flags);
	full = find(flags, PROBE_MB, 0, "a full fence");
	wish = find(flags, PROBE_LOAD, rig.ring[0].avail, "the driver's wish");
	check_that(full < wish, "expected fence, wish; came %u %u", full, wish);
}
END_TEST

START_TEST(spec_2_8_10__arm_then_fence_then_look)
{
	unsigned arm, fence, look;

	begin(VBLK_F_RING_PACKED | (_i ? VBLK_F_EVENT_IDX : 0));
	expect(vblk_poll_idle(rig.dev, 0), true);
	arm = find(0, PROBE_STORE, rig.ring[0].used, "the wish");
	fence = find(arm, PROBE_MB, 0, "a full fence");
	look = find(fence, PROBE_LOAD, rig.ring[0].desc + 14, "the flags");
	check_that(arm < fence && fence < look,
		   "expected wish, fence, flags; came %u %u %u", arm, fence,
		   look);
}
END_TEST

START_TEST(spec_2_7_10__arm_then_fence_then_look)
{
	unsigned arm, fence, look;

	begin(_i ? VBLK_F_EVENT_IDX : 0);
	expect(vblk_poll_idle(rig.dev, 0), true);
	arm = find(0, PROBE_STORE, rig.ring[0].used + (_i ? 4u + 8u * 16u : 0u),
		   "the wish");
	fence = find(arm, PROBE_MB, 0, "a full fence");
	look = find(fence, PROBE_LOAD, rig.ring[0].avail + 2, "avail->idx");
	check_that(arm < fence && fence < look,
		   "expected wish, fence, look; came %u %u %u", arm, fence,
		   look);
}
END_TEST

/* --- whole words --------------------------------------------------------- */

START_TEST(spec_2_7_8__ring_words_are_written_whole)
{
	begin(_i ? VBLK_F_EVENT_IDX : 0);
	for (unsigned i = 0; i < 60; i++) {
		(void)request(i % REQUESTS);
		if (poll_queue(0) == 1)
			done(0, 0, VBLK_S_OK);
		(void)vblk_irq(rig.dev, 0);
		(void)vblk_poll_idle(rig.dev, 0);
	}
	for (unsigned i = 0; i < count; i++) {
		uint64_t off = seen[i].gpa - rig.ring[0].used;

		if (seen[i].kind != PROBE_STORE || off >= 0x1000)
			continue;
		check_that(seen[i].n == (off < 4 || off >= 4 + 8 * 16 ? 2 : 4),
			   "used ring + %u: expected a whole word, came %u "
			   "bytes",
			   (unsigned)off, seen[i].n);
	}
}
END_TEST

static void add(TCase *tc)
{
	tcase_add_loop_test(tc, trust__every_byte_is_read_once, 0,
			    2 * REQUESTS);
	tcase_add_loop_test(tc, trust__what_changes_after_reading_is_not_seen,
			    0, 2 * REQUESTS);
	tcase_add_test(tc, spec_2_8_21_1__flags_then_fence_then_descriptor);
	tcase_add_loop_test(tc, spec_2_8_21__flags_after_all_of_the_batch, 0,
			    2);
	tcase_add_loop_test(tc, spec_2_8_10__arm_then_fence_then_look, 0, 2);
	tcase_add_loop_test(tc, spec_2_7_8__used_index_is_never_read, 0, 2);
	tcase_add_test(tc, spec_2_7_13_3__index_then_fence_then_entry);
	tcase_add_loop_test(tc, spec_2_7_13_4__used_after_status, 0, 2);
	tcase_add_loop_test(tc, spec_2_7_10__arm_then_fence_then_look, 0, 2);
	tcase_add_loop_test(tc, spec_2_7_8__ring_words_are_written_whole, 0, 2);
}

int main(void)
{
	return run_suite("access", add);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Control state as bytes, and the in-flight log: what survives a crash. */
#include "util.h"

#define SECTOR 512u

static struct vblk_config two_queues(void)
{
	struct vblk_config c = plain();

	c.num_queues = 2;
	c.features |= VBLK_F_CONFIG_WCE | VBLK_F_RING_RESET;
	return c;
}

/* --- blobs --------------------------------------------------------------- */

static int load(const uint8_t *blob, size_t n)
{
	uint8_t *exact = malloc(n ? n : 1);     /* for a sanitizer */
	int r;

	ck_assert_ptr_nonnull(exact);
	memcpy(exact, blob, n);
	r = vblk_load(rig.dev, exact, n, NULL);
	free(exact);
	return r;
}

static void is_fresh(void)
{
	expect(vblk_accepted(rig.dev), 0);
	expect(vblk_queue_started(rig.dev, 0), false);
	expect(vblk_queue_started(rig.dev, 1), false);
	expect(vblk_needs_reset(rig.dev), false);
}

START_TEST(life__save_and_load)
{
	struct vblk_config c = two_queues();
	uint8_t blob[VBLK_STATE_BYTES], again[VBLK_STATE_BYTES], off = 0;
	static uint8_t ram[RAM_LEN];
	struct ring ring;
	int n;

	rig_open(&c);
	expect(vblk_accept(rig.dev, vblk_features(rig.dev)), VBLK_OK);
	vblk_config_write(rig.dev, 32, &off, 1);
	start_queue(1);
	for (unsigned i = 0; i < 3; i++) {
		(void)ask(1, VBLK_T_FLUSH, 0, 0);
		expect(poll_queue(1), 1);
		done(1, 0, VBLK_S_OK);
		(void)vblk_irq(rig.dev, 1);
	}
	expect(vblk_save(rig.dev, blob, 95), VBLK_ENOSPC);
	n = vblk_save(rig.dev, blob, 96);
	expect(n, 96);
	memcpy(ram, ram_at(RAM), RAM_LEN);
	ring = rig.ring[1];

	rig_open(&c);
	memcpy(ram_at(RAM), ram, RAM_LEN);
	rig.ring[1] = ring;
	rig.next_buf = DATA + 0x1000;
	for (size_t k = 0; k < (size_t)n; k++)
		expect(load(blob, k), VBLK_EINVAL);
	is_fresh();
	expect(load(blob, (size_t)n), VBLK_OK);
	expect(vblk_save(rig.dev, again, sizeof(again)), n);
	ck_assert_mem_eq(blob, again, (size_t)n);
	expect(vblk_accepted(rig.dev), vblk_features(rig.dev));
	vblk_config_read(rig.dev, 32, again, 1);
	expect(again[0], 0);
	expect(vblk_queue_started(rig.dev, 0), false);
	(void)ask(1, VBLK_T_FLUSH, 0, 0);
	expect(poll_queue(1), 1);
	done(1, 0, VBLK_S_OK);
	expect(vblk_irq(rig.dev, 1), true);
	rig.ring[1].used_idx = 3;
	used_is(1, (ring.next_desc) % 16u, 1);
	expect(load(blob, (size_t)n), VBLK_EINVAL);     /* not fresh */
}
END_TEST

/* Each field out of range, one at a time. */
START_TEST(life__bad_fields)
{
	static const struct {
		unsigned at;
		uint8_t v;
	} bad[] = {
		{ 0, 0 },  { 3, 0 },	 { 4, 2 },  { 5, 1 },	 { 6, 1 },
		{ 7, 1 },  { 15, 0x80 }, { 16, 2 }, { 16, 255 }, { 32, 1 },
		{ 40, 1 }, { 48, 1 },	 { 56, 3 }, { 57, 9 },	 { 56, 0 },
	};
	struct vblk_config c = two_queues();
	uint8_t blob[96], b[96];

	rig_start(&c);
	expect(vblk_save(rig.dev, blob, 96), 96);
	rig_open(&c);
	for (unsigned i = 0; i < COUNT(bad); i++) {
		memcpy(b, blob, 96);
		b[bad[i].at] = bad[i].v;
		check_that(load(b, 96) == VBLK_EINVAL,
			   "byte %u = %u: expected EINVAL", bad[i].at,
			   bad[i].v);
		is_fresh();
	}
	/* the second queue bad: the first does not stay started */
	memcpy(b, blob, 96);
	b[64 + 24] = 7;
	expect(load(b, 96), VBLK_EINVAL);
	is_fresh();
	expect(load(blob, 96), VBLK_OK);
}
END_TEST

START_TEST(life__any_bytes_load_to_an_error_or_to_a_state)
{
	struct vblk_config c = two_queues();
	uint8_t blob[VBLK_MMIO_STATE_BYTES], b[VBLK_MMIO_STATE_BYTES];
	uint64_t seed = 0xb10b0000u + (unsigned)_i;
	unsigned good = 0;
	int n;

	mmio_up(&c);
	(void)wr(0x030, 1);
	(void)wr(0x044, 0);
	n = vblk_mmio_save(&rig.mm, blob, sizeof(blob));
	for (unsigned i = 0; i < 3000; i++) {
		uint64_t start = seed;
		unsigned k = (unsigned)(chance(&seed) % 5);
		int r;

		rig_open(&c);
		vblk_mmio_init(&rig.mm, rig.dev, 0, NULL);
		memcpy(b, blob, sizeof(b));
		for (; k > 0; k--) {
			uint64_t v = chance(&seed);

			/* bits, bytes, words */
			uint8_t *at = &b[v % (unsigned)n];

			*at = (uint8_t)(*at ^
					(v >> 40 & 1 ? 1u << (v >> 32 & 7)
						     : (unsigned)(v >> 32)));
		}
		if (i % 64 == 63)
			for (int m = 4; m < n; m++)
				b[m] = (uint8_t)chance(&seed);
		r = i % 2 ? vblk_mmio_load(&rig.mm, b, (size_t)n)
			  : vblk_load(rig.dev, b + 48 + 64, (size_t)n - 112,
				      NULL);
		check_that(r == VBLK_OK || r == VBLK_EINVAL,
			   "seed 0x%" PRIx64 ": came %d", start, r);
		if (r == VBLK_EINVAL) {
			is_fresh();
			check_that(rd(0x070) == 0,
				   "seed 0x%" PRIx64 ": Status 0x%x", start,
				   rd(0x070));
			continue;
		}
		good++;
		/* a state: it serves or faults, and comes to an end */
		for (uint16_t q = 0; q < 2; q++) {
			int m = vblk_poll(rig.dev, q, rig.req, RIG_REQS);

			for (int t = 0; t < m; t++)
				done(q, t, VBLK_S_OK);
			(void)vblk_irq(rig.dev, q);
			(void)vblk_poll_idle(rig.dev, q);
		}
		if (i % 2) {
			for (uint32_t at = 0; at < 0x100; at += 4)
				(void)rd(at);
			(void)wr(0x070, 0);
			check_that(rd(0x070) == 0,
				   "seed 0x%" PRIx64 ": no reset", start);
		}
		expect(vblk_reset(rig.dev), VBLK_OK);
		expect(vblk_mem_idle(rig.dev, RAM, RAM_LEN), true);
	}
	check_that(good > 100, "expected some good blobs, came %u", good);
}
END_TEST

START_TEST(life__registers_save_and_load)
{
	struct vblk_config c = two_queues();
	uint8_t blob[VBLK_MMIO_STATE_BYTES], again[VBLK_MMIO_STATE_BYTES];
	uint32_t generation;
	int n;

	mmio_up(&c);
	vblk_mmio_config_changed(&rig.mm);
	vblk_mmio_config_changed(&rig.mm);
	generation = rd(0x0fc);
	(void)wr(0x014, 1);
	(void)wr(0x030, 1);
	n = vblk_mmio_save(&rig.mm, blob, sizeof(blob));
	expect(n, 48 + 64 + 96);
	expect(vblk_mmio_save(&rig.mm, blob, 111), VBLK_ENOSPC);
	expect(vblk_mmio_save(&rig.mm, blob, 112 + 95), VBLK_ENOSPC);
	expect(vblk_mmio_save(&rig.mm, blob, (size_t)n), n);
	rig_open(&c);
	vblk_mmio_init(&rig.mm, rig.dev, 0, NULL);
	for (size_t k = 0; k < (size_t)n; k++)
		expect(vblk_mmio_load(&rig.mm, blob, k), VBLK_EINVAL);
	expect(vblk_mmio_load(&rig.mm, blob, (size_t)n), VBLK_OK);
	expect(vblk_mmio_save(&rig.mm, again, sizeof(again)), n);
	ck_assert_mem_eq(blob, again, (size_t)n);
	expect(rd(0x070), 15);
	expect(rd(0x0fc), generation);
	expect(rd(0x010), vblk_features(rig.dev) >> 32);
	expect(rd(0x044), 1);
	expect(rd(0x060), 3);           /* every interrupt counts as raised */
	(void)wr(0x064, 3);
	expect(rd(0x060), 0);
	(void)ask(1, VBLK_T_FLUSH, 0, 0);
	expect(poll_queue(1), 1);
}
END_TEST

/* Registers that contradict the device: refused, and all is as fresh. */
START_TEST(life__registers_and_device_agree)
{
	static const struct {
		unsigned at;
		uint8_t v;
		const char *what;
	} bad[] = {
		{ 0, 0, "magic" },
		{ 4, 11, "queues run without DRIVER_OK" },
		{ 4, 7, "DRIVER_OK without FEATURES_OK" },
		{ 4, 3, "features without FEATURES_OK" },
		{ 4, 31, "a status bit that is none" },
		{ 48 + 26, 0, "a queue runs that is not ready" },
		{ 48 + 26, 2, "a reset of a queue that is not ready" },
		{ 48 + 24, 3, "a ready queue of size 3" },
		{ 48 + 32 + 26, 1, "ready, but does not run" },
	};
	struct vblk_config c = two_queues();
	uint8_t blob[VBLK_MMIO_STATE_BYTES], b[VBLK_MMIO_STATE_BYTES];
	int n;

	rig_open(&c);
	vblk_mmio_init(&rig.mm, rig.dev, 0, NULL);
	expect(mmio_negotiate(vblk_features(rig.dev)), 11);
	mmio_queue(0);
	(void)wr(0x070, 15);
	n = vblk_mmio_save(&rig.mm, blob, sizeof(blob));
	rig_open(&c);
	vblk_mmio_init(&rig.mm, rig.dev, 0, NULL);
	for (unsigned i = 0; i < COUNT(bad); i++) {
		memcpy(b, blob, sizeof(b));
		b[bad[i].at] = bad[i].v;
		check_that(vblk_mmio_load(&rig.mm, b, (size_t)n) == VBLK_EINVAL,
			   "%s: expected EINVAL", bad[i].what);
		is_fresh();
		expect(rd(0x070), 0);
	}
	/* a queue reset that was under way ends */
	memcpy(b, blob, sizeof(b));
	b[48 + 26] = 3;
	expect(vblk_mmio_load(&rig.mm, b, (size_t)n), VBLK_OK);
	expect(rd(0x0c0), 1);
	expect(vblk_mmio_settle(&rig.mm), true);
	expect(rd(0x0c0), 0);
	expect(rd(0x044), 0);
}
END_TEST

/* A queue that was started and never polled has not read used->idx. */
START_TEST(life__saved_before_the_used_index_was_read)
{
	struct vblk_config c = two_queues();
	struct vblk_queue_pos at = { .avail = 3, .used_from_ring = true };
	uint8_t blob[VBLK_STATE_BYTES];
	struct vblk_queue_addr a;

	rig_open(&c);
	a = addr_of(1);
	expect(vblk_queue_start(rig.dev, 1, &a, &at, NULL), VBLK_OK);
	expect(vblk_save(rig.dev, blob, sizeof(blob)), 96);
	rig_open(&c);
	put16(a.device + 2, 3);
	put16(a.driver + 2, 3);
	expect(load(blob, 96), VBLK_OK);
	expect(poll_queue(1), 0);
	expect(vblk_queue_stop(rig.dev, 1, &at), VBLK_OK);
	expect(at.avail, 3);
	expect(at.used, 3);
	expect(at.used_from_ring, false);
}
END_TEST

/* --- the log ------------------------------------------------------------- */

struct entry {                  /* vhost-user, split ring */
	uint8_t inflight, padding[5];
	uint16_t next;
	uint64_t counter;
};

static struct {
	uint64_t counter;
	uint16_t version, size, last, used;
	struct entry e[16];
} log_;

#define LOG ((struct vblk_inflight *)(void *)&log_)

static uint8_t saved[RAM_LEN];
static struct op op[8];

static struct vblk_config one_queue(void) { return plain(); }

static void start_with_log(void)
{
	struct vblk_queue_addr a = addr_of(0);

	expect(vblk_queue_start(rig.dev, 0, &a, NULL, LOG), VBLK_OK);
}

/* n reads, sector by sector, in a queue with a log. */
static void first_life(unsigned n)
{
	struct vblk_config c = one_queue();

	memset(&log_, 0, sizeof(log_));
	rig_open(&c);
	start_with_log();
	expect(poll_queue(0), 0);
	for (unsigned i = 0; i < n; i++)
		op[i] = ask(0, VBLK_T_IN, i, SECTOR);
}

/* The process dies: only guest memory and the log are left. */
static void crash(void)
{
	struct vblk_config c = one_queue();
	struct ring ring = rig.ring[0];
	uint64_t next = rig.next_buf;

	memcpy(saved, ram_at(RAM), RAM_LEN);
	rig_open(&c);
	memcpy(ram_at(RAM), saved, RAM_LEN);
	rig.ring[0] = ring;
	rig.next_buf = next;
}

/* The next life executes these sectors in this order, and all heads end. */
static void second_life(const char *sectors, unsigned heads)
{
	char came[32] = "";
	unsigned seen[16] = { 0 };
	uint32_t head, len;
	int n;

	start_with_log();
	n = poll_queue(0);
	for (int i = 0; i < n; i++)
		came[i] = (char)('0' + rig.req[i].sector);
	check_that(strcmp(came, sectors) == 0,
		   "replay: expected sectors %s, came %s (%d)", sectors, came,
		   n);
	for (int i = n - 1; i >= 0; i--)
		done(0, i, VBLK_S_OK);
	expect(vblk_irq(rig.dev, 0), true);     /* lost interrupts, too */
	rig.ring[0].used_idx = 0;
	while (used_next(0, &head, &len))
		seen[head % 16]++;
	for (unsigned i = 0; i < heads; i++)
		check_that(seen[op[i].head] == 1,
			   "head %u: expected 1 used "
			   "element, came %u",
			   op[i].head, seen[op[i].head]);
	for (unsigned i = 0; i < 16; i++)
		expect(log_.e[i].inflight, 0);
	/* and on with new ones */
	op[7] = ask(0, VBLK_T_FLUSH, 0, 0);
	expect(poll_queue(0), 1);
	done(0, 0, VBLK_S_OK);
	(void)vblk_irq(rig.dev, 0);
	used_is(0, op[7].head, 1);
}

START_TEST(life__log_layout)
{
	expect(vblk_inflight_size(16, 0), sizeof(log_));
	expect(vblk_inflight_size(32768, 0), 16 + 32768 * 16);
	first_life(2);
	expect(log_.version, 1);
	expect(log_.size, 16);
	expect(vblk_poll(rig.dev, 0, rig.req, 1), 1);
	expect(log_.e[op[0].head].inflight, 1);
	expect(log_.e[op[1].head].inflight, 0);
	expect(vblk_poll(rig.dev, 0, &rig.req[1], 1), 1);
	expect(log_.e[op[1].head].counter > log_.e[op[0].head].counter, true);
	done(0, 1, VBLK_S_OK);
	expect(log_.last, op[1].head);
	expect(log_.e[op[1].head].inflight, 1);
	expect(log_.used, 0);
	(void)vblk_irq(rig.dev, 0);
	expect(log_.e[op[1].head].inflight, 0);
	expect(log_.used, 1);
	done(0, 0, VBLK_S_OK);
	expect(vblk_queue_stop(rig.dev, 0, NULL), VBLK_OK);
	expect(log_.version, 1);
	for (unsigned i = 0; i < 16; i++)
		expect(log_.e[i].inflight, 0);
	vblk_inflight_reset(LOG);
	expect(log_.version, 0);
}
END_TEST

/* No interrupt for what did not happen, 4.2.2.1; a log alone is no past. */
START_TEST(life__fresh_log_tells_nothing)
{
	first_life(0);
	expect(vblk_irq(rig.dev, 0), false);
	expect(vblk_queue_stop(rig.dev, 0, NULL), VBLK_OK);
	vblk_inflight_reset(LOG);
	start_with_log();
	expect(poll_queue(0), 0);
	expect(vblk_irq(rig.dev, 0), false);
}
END_TEST

START_TEST(life__crash_before_the_poll)
{
	first_life(3);
	crash();
	second_life("012", 3);
}
END_TEST

START_TEST(life__crash_between_counter_and_inflight)
{
	first_life(3);
	expect(vblk_poll(rig.dev, 0, rig.req, 2), 2);
	log_.e[op[1].head].inflight = 0;
	crash();
	second_life("012", 3);
}
END_TEST

START_TEST(life__crash_while_in_flight)
{
	first_life(5);
	expect(vblk_poll(rig.dev, 0, rig.req, 3), 3);
	crash();
	second_life("01234", 5);
}
END_TEST

/* By time, not by number of the head. */
START_TEST(life__replay_in_the_order_of_arrival)
{
	first_life(0);
	rig.ring[0].next_desc = 12;     /* heads 12, 15, 2, 5 */
	for (unsigned i = 0; i < 4; i++)
		op[i] = ask(0, VBLK_T_IN, i, SECTOR);
	expect(vblk_poll(rig.dev, 0, rig.req, 3), 3);
	crash();
	second_life("0123", 4);
}
END_TEST

START_TEST(life__crash_before_used_index)
{
	first_life(4);
	expect(poll_queue(0), 4);
	done(0, 2, VBLK_S_OK);          /* element and log, no index */
	crash();
	second_life("0123", 4);         /* not complete: executed again */
}
END_TEST

/* used->idx moved, the log did not learn of it: a batch of two. */
START_TEST(life__crash_after_used_index)
{
	first_life(4);
	expect(poll_queue(0), 4);
	done(0, 2, VBLK_S_OK);
	done(0, 0, VBLK_S_OK);
	(void)vblk_irq(rig.dev, 0);
	/* as it was before the last step: _i of the two cleared already */
	log_.used = 0;
	log_.e[op[0].head].inflight = _i < 1;
	log_.e[op[2].head].inflight = _i < 2;
	crash();
	second_life("13", 4);
}
END_TEST

START_TEST(life__crash_after_all)
{
	first_life(2);
	expect(poll_queue(0), 2);
	done(0, 1, VBLK_S_OK);
	done(0, 0, VBLK_S_OK);
	(void)vblk_irq(rig.dev, 0);
	crash();
	second_life("", 2);
}
END_TEST

/* An unpublished head stays in the batch list; the next life must not trip. */
START_TEST(life__two_crashes)
{
	first_life(4);
	expect(poll_queue(0), 4);
	done(0, 3, VBLK_S_OK);
	crash();
	start_with_log();
	expect(poll_queue(0), 4);
	expect(rig.req[0].sector, 0);
	done(0, 1, VBLK_S_OK);
	(void)vblk_irq(rig.dev, 0);
	done(0, 0, VBLK_S_OK);
	crash();
	second_life("023", 4);
}
END_TEST

/* Random steps, random crash; each head completes exactly once. */
START_TEST(life__crash_anywhere)
{
	uint64_t seed = 0xc7a50000u + (unsigned)_i;
	unsigned asked = 0, ended[8] = { 0 };

	first_life(0);
	for (unsigned life = 0; life < 6; life++) {
		int tag[8], n = 0;

		for (uint64_t left = chance(&seed) % 12 + 1; left > 0; left--) {
			uint64_t r = chance(&seed);

			if (r % 4 == 0 && asked < 5) {
				op[asked] = ask(0, VBLK_T_IN, asked, SECTOR);
				asked++;
			} else if (r % 4 == 1) {
				int m = vblk_poll(rig.dev, 0, rig.req, 1);

				check_that(m >= 0, "seed 0x%x: poll %d",
					   0xc7a50000u + (unsigned)_i, m);
				if (m == 1 && n < 8)
					tag[n++] = rig.req[0].tag;
			} else if (r % 4 == 2 && n > 0) {
				int k = (int)(r >> 8 & 7) % n;

				expect(vblk_complete(rig.dev, 0,
						     (vblk_tag)tag[k],
						     VBLK_S_OK, 512),
				       VBLK_OK);
				tag[k] = tag[--n];
			} else {
				(void)vblk_irq(rig.dev, 0);
			}
		}
		if (life < 5) {
			crash();
			start_with_log();
		} else {
			int m;

			while (n > 0)
				expect(vblk_complete(rig.dev, 0,
						     (vblk_tag)tag[--n],
						     VBLK_S_OK, 512),
				       VBLK_OK);
			while ((m = poll_queue(0)) > 0)
				while (m > 0)
					done(0, --m, VBLK_S_OK);
			(void)vblk_irq(rig.dev, 0);
		}
	}
	rig.ring[0].used_idx = 0;
	for (uint32_t head, len; used_next(0, &head, &len);)
		for (unsigned i = 0; i < asked; i++)
			ended[i] += head == op[i].head;
	for (unsigned i = 0; i < asked; i++)
		check_that(ended[i] == 1,
			   "seed 0x%x: request %u of %u: "
			   "expected 1 completion, came %u",
			   0xc7a50000u + (unsigned)_i, i, asked, ended[i]);
}
END_TEST

/* --- a log that lies ----------------------------------------------------- */

START_TEST(life__log_that_contradicts_the_ring)
{
	first_life(2);
	expect(poll_queue(0), 2);
	done(0, 0, VBLK_S_OK);
	(void)vblk_irq(rig.dev, 0);
	if (_i == 0) {
		log_.used = (uint16_t)-16;      /* 17 since then */
	} else if (_i == 1) {
		log_.used = 0;
		log_.last = 16;
	} else {
		log_.used = 65535; /* a batch of two, next is bad */
		log_.e[log_.last].next = 0xffff;
	}
	crash();
	start_with_log();
	expect(poll_queue(0), VBLK_EGUEST);
	ck_assert_str_eq(vblk_guest_fault(rig.dev), "2.7.8");
}
END_TEST

/* Who else maps the log may write it at any time; we stay inside it. */
START_TEST(life__log_changed_under_us)
{
	first_life(3);
	expect(poll_queue(0), 3);
	for (unsigned i = 0; i < 3; i++)
		done(0, (int)i, VBLK_S_OK);
	if (_i == 0)
		log_.last = 0xffff;
	else
		log_.e[log_.last].next = 16;
	(void)vblk_irq(rig.dev, 0);
	expect(log_.used, 3);
	used_is(0, op[0].head, SECTOR + 1);
	/* and while it is replayed */
	first_life(3);
	expect(poll_queue(0), 3);
	crash();
	start_with_log();
	expect(vblk_poll(rig.dev, 0, rig.req, 1), 1);
	log_.size = 0xffff;
	expect(poll_queue(0), 2);
}
END_TEST

START_TEST(life__log_of_another_queue)
{
	struct vblk_config c = one_queue();
	struct vblk_queue_addr a;

	first_life(1);
	a = addr_of(0);
	log_.size = 8;
	expect(vblk_queue_stop(rig.dev, 0, NULL), VBLK_OK);
	memset(&log_, 0, sizeof(log_));
	log_.version = 1;
	log_.size = 8;
	expect(vblk_queue_start(rig.dev, 0, &a, NULL, LOG), VBLK_EGUEST);
	log_.size = 16;
	log_.version = 2;
	expect(vblk_queue_start(rig.dev, 0, &a, NULL, LOG), VBLK_EGUEST);
	expect(vblk_queue_started(rig.dev, 0), false);
	log_.version = 1;
	expect(vblk_queue_start(rig.dev, 0, &a, NULL, LOG), VBLK_OK);
	(void)c;
}
END_TEST

/* Entries without an order: they are not handed out twice, and it ends. */
START_TEST(life__log_with_equal_counters)
{
	int n;

	first_life(4);
	expect(poll_queue(0), 4);
	for (unsigned i = 0; i < 4; i++)
		log_.e[op[i].head].counter = 9;
	crash();
	start_with_log();
	n = poll_queue(0);
	check_that(n >= 0 && n <= 4, "expected at most 4, came %d", n);
	for (int i = 0; i < n; i++)
		for (int k = 0; k < i; k++)
			expect(rig.req[i].sector == rig.req[k].sector, false);
	expect(vblk_queue_stop(rig.dev, 0, NULL), n > 0 ? VBLK_EBUSY : VBLK_OK);
}
END_TEST

START_TEST(life__stop_keeps_what_was_not_replayed)
{
	first_life(4);
	expect(poll_queue(0), 4);
	crash();
	/* never polled */
	start_with_log();
	expect(vblk_inflight_empty(LOG, 16, 0), false);
	expect(vblk_queue_stop(rig.dev, 0, NULL), VBLK_OK);
	expect(vblk_inflight_empty(LOG, 16, 0), false);
	/* polled in part: sector 0 ends here */
	start_with_log();
	expect(vblk_poll(rig.dev, 0, rig.req, 1), 1);
	expect(vblk_poll_idle(rig.dev, 0), false);
	done(0, 0, VBLK_S_OK);
	expect(vblk_queue_stop(rig.dev, 0, NULL), VBLK_OK);
	second_life("123", 4);
	expect(vblk_inflight_empty(LOG, 16, 0), true);
	/* where the driver gave up, all is forgotten */
	first_life(4);
	expect(poll_queue(0), 4);
	crash();
	start_with_log();
	expect(vblk_reset(rig.dev), VBLK_OK);
	vblk_inflight_reset(LOG);
	expect(log_.version, 0);
}
END_TEST

/*
 * The back end dies after a reset and before its new state is stored: the next
 * life begins with the old blob, and must not do again what was complete.
 */
START_TEST(life__crash_between_reset_and_save)
{
	first_life(3);
	expect(poll_queue(0), 3);
	for (uint16_t i = 0; i < 3; i++)
		done(0, i, VBLK_S_OK);
	(void)vblk_irq(rig.dev, 0);
	expect(vblk_reset(rig.dev), VBLK_OK);
	crash();
	start_with_log();
	expect(poll_queue(0), 0);
}
END_TEST

/* A log beside a blob: taken over, and not cleared when the load fails. */
START_TEST(life__load_with_a_log)
{
	struct vblk_inflight *logs[2];
	struct vblk_config c = one_queue();
	uint8_t blob[64];

	logs[0] = LOG;
	logs[1] = NULL;
	first_life(3);
	expect(poll_queue(0), 3);
	expect(vblk_save(rig.dev, blob, sizeof(blob)), 64);
	crash();
	blob[32 + 24] = 3;
	expect(vblk_load(rig.dev, blob, 64, logs), VBLK_EINVAL);
	expect(log_.e[op[2].head].inflight, 1);
	blob[32 + 24] = 16;
	expect(vblk_load(rig.dev, blob, 64, logs), VBLK_OK);
	expect(poll_queue(0), 3);
	for (int i = 0; i < 3; i++)
		expect(rig.req[i].sector, i);
	/* a replayed chain that is broken now is contained */
	first_life(2);
	expect(poll_queue(0), 2);
	crash();
	put_desc(rig.ring[0].desc, op[0].head, 0, 16, 0, 0);
	start_with_log();
	expect(poll_queue(0), 1);
	expect(rig.req[0].sector, 1);
	(void)vblk_irq(rig.dev, 0);
	used_is(0, op[0].head, 0);
	(void)c;
}
END_TEST

/* Two queues in a blob, the second one's log does not fit: all is undone. */
START_TEST(life__load_undone_spares_the_log)
{
	struct vblk_inflight *logs[2];
	struct vblk_config c = two_queues();
	uint64_t other[40] = { 0, 0x00080001 };
	uint8_t blob[96];

	logs[0] = LOG;
	logs[1] = (struct vblk_inflight *)(void *)other;
	rig_start(&c);
	expect(vblk_save(rig.dev, blob, 96), 96);
	rig_open(&c);
	memset(&log_, 0, sizeof(log_));
	log_.version = 1;
	log_.size = 16;
	log_.e[3].inflight = 1;
	log_.e[3].counter = 1;
	expect(vblk_load(rig.dev, blob, 96, logs), VBLK_EINVAL);
	is_fresh();
	expect(log_.version, 1);
	expect(log_.e[3].inflight, 1);
}
END_TEST

static void add(TCase *tc)
{
	tcase_add_test(tc, life__save_and_load);
	tcase_add_test(tc, life__bad_fields);
	tcase_add_loop_test(tc, life__any_bytes_load_to_an_error_or_to_a_state,
			    0, 4);
	tcase_add_test(tc, life__registers_save_and_load);
	tcase_add_test(tc, life__registers_and_device_agree);
	tcase_add_test(tc, life__saved_before_the_used_index_was_read);
	tcase_add_test(tc, life__log_layout);
	tcase_add_test(tc, life__fresh_log_tells_nothing);
	tcase_add_test(tc, life__crash_before_the_poll);
	tcase_add_test(tc, life__crash_between_reset_and_save);
	tcase_add_test(tc, life__crash_between_counter_and_inflight);
	tcase_add_test(tc, life__crash_while_in_flight);
	tcase_add_test(tc, life__replay_in_the_order_of_arrival);
	tcase_add_test(tc, life__crash_before_used_index);
	tcase_add_loop_test(tc, life__crash_after_used_index, 0, 3);
	tcase_add_test(tc, life__crash_after_all);
	tcase_add_test(tc, life__two_crashes);
	tcase_add_loop_test(tc, life__crash_anywhere, 0, 200);
	tcase_add_loop_test(tc, life__log_that_contradicts_the_ring, 0, 3);
	tcase_add_loop_test(tc, life__log_changed_under_us, 0, 2);
	tcase_add_test(tc, life__log_of_another_queue);
	tcase_add_test(tc, life__log_with_equal_counters);
	tcase_add_test(tc, life__stop_keeps_what_was_not_replayed);
	tcase_add_test(tc, life__load_with_a_log);
	tcase_add_test(tc, life__load_undone_spares_the_log);
}

int main(void)
{
	return run_suite("state", add);
}

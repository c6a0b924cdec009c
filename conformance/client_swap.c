/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory table changes under load: the same memory in other pieces, in
 * another order, with memory beside it that nobody uses; regions that come,
 * are used by the last queue, and go; and, with the queues stopped for a
 * moment, all of it at other addresses of the front end. (libvhost-user looks
 * up the rings' old addresses in the new table, hence --same-uva.) What the
 * load uses stays where the guest sees it throughout, so it must not notice.
 */
#include <stdio.h>
#include <string.h>

#include "client.h"
#include "stamp.h"
#include "util.h"

#define PROBE_BYTES  8192u
#define PROBE_SIZE   (UINT64_C(1) << 20)        /* of a region that comes */
#define PROBE_GPA    UINT64_C(0x2000000000)
#define PROBE_UVA    UINT64_C(0x300000000000)
#define PAUSE_MS     8u                         /* longest, between changes */

struct swap {
	struct client_options *o;
	struct session session;
	struct load *load;
	struct rng rng;
	uint64_t rings[MEM_REGIONS];    /* bytes at the front of a region that
					 * hold rings: not to be cut apart */
	uint64_t probe_sector;
	unsigned probe_queue;
	uint32_t generation;
	uint64_t tables, regions, restarts;
	char why[SESSION_WHY + 64];
};

static int failed(struct swap *w, int err, const char *what)
{
	if (err && !w->why[0])
		(void)snprintf(w->why, sizeof(w->why), "%s: %s", what,
			       w->session.why);
	return err;
}

/* --- other tables --------------------------------------------------------- */

struct table {
	struct front_region region[FRONT_REGIONS_MAX];
	int fd[FRONT_REGIONS_MAX];
	unsigned n;
};

static void put(struct table *t, const struct mem_region *r, uint64_t from,
		uint64_t to)
{
	t->region[t->n] = (struct front_region){ .gpa = r->at.gpa + from,
						 .size = to - from,
						 .uva = r->at.uva + from,
						 .offset = r->at.offset +
							   from };
	t->fd[t->n++] = r->fd;
}

/* Buffers may lie across the cut. */
static void put_cut(struct swap *w, struct table *t, unsigned i)
{
	const struct mem_region *r = &w->session.mem.region[i];
	uint64_t pages = (r->at.size - w->rings[i]) / MEM_PAGE;
	uint64_t cut = w->rings[i] + rng_below(&w->rng, pages - 1) * MEM_PAGE +
		       MEM_PAGE;

	put(t, r, 0, cut);
	put(t, r, cut, r->at.size);
}

static void reverse(struct table *t)
{
	for (unsigned i = 0; i < t->n / 2; i++) {
		unsigned j = t->n - 1 - i;
		struct front_region r = t->region[i];
		int fd = t->fd[i];

		t->region[i] = t->region[j];
		t->fd[i] = t->fd[j];
		t->region[j] = r;
		t->fd[j] = fd;
	}
}

static int other_table(struct swap *w)
{
	const struct mem *m = &w->session.mem;
	struct table t = { .n = 0 };
	int err;

	for (unsigned i = MEM_DRIVER; i <= MEM_DEVICE; i++) {
		if (rng_below(&w->rng, 2))
			put_cut(w, &t, i);
		else
			put(&t, &m->region[i], 0, m->region[i].at.size);
	}
	if (rng_below(&w->rng, 2))
		put(&t, &m->region[MEM_SPARE], 0, PROBE_SIZE);
	if (rng_below(&w->rng, 2))
		reverse(&t);
	err = front_set_mem_table(&w->session.front, t.region, t.fd, t.n);
	if (err)
		memcpy(w->session.why, w->session.front.why, FRONT_WHY);
	w->tables++;
	return failed(w, err, "SET_MEM_TABLE");
}

/* --- regions that come and go --------------------------------------------- */

/* Writes through the region and reads back through it. */
static int probe(struct swap *w, const struct mem_region *r)
{
	struct vring_part m = { .host = r->host + MEM_PAGE,
				.addr = r->at.gpa + MEM_PAGE };
	uint8_t *data = (uint8_t *)m.host + SESSION_DATA;
	uint64_t sector = w->probe_sector;
	uint8_t status = 0;
	int err;

	w->generation++;
	for (unsigned i = 0; i < PROBE_BYTES / SECTOR; i++)
		stamp_fill(data + i * SECTOR, w->o->seed, sector + i,
			   STAMP_FIRST + w->generation);
	err = session_request(&w->session, w->probe_queue, BLK_T_OUT, sector,
			      &m, PROBE_BYTES, &status);
	if (err || status)
		return err ? err : FRONT_REFUSED;
	memset(data, 0, PROBE_BYTES);
	err = session_request(&w->session, w->probe_queue, BLK_T_IN, sector, &m,
			      PROBE_BYTES, &status);
	for (unsigned i = 0; !err && i < PROBE_BYTES / SECTOR; i++)
		if (!stamp_check(data + i * SECTOR, w->o->seed, sector + i,
				 STAMP_FIRST + w->generation))
			err = FRONT_MALFORMED;
	return err || status ? FRONT_REFUSED : 0;
}

static int come_and_go(struct swap *w)
{
	struct front_region at = {
		.gpa = PROBE_GPA + rng_below(&w->rng, 1000) * PROBE_SIZE,
		.size = PROBE_SIZE,
		.uva = PROBE_UVA + rng_below(&w->rng, 1000) * PROBE_SIZE,
		.offset = rng_below(&w->rng, 16) * MEM_PAGE
	};
	struct front *f = &w->session.front;
	struct mem m = { .regions = 0 };
	int err;

	if (mem_add(&m, &at))
		return failed(w, FRONT_LOCAL, "memory");
	err = front_add_mem_reg(f, &at, m.region[0].fd);
	if (err)
		memcpy(w->session.why, f->why, FRONT_WHY);
	if (!failed(w, err, "ADD_MEM_REG")) {
		(void)strcpy(w->session.why, "wrong data or status");
		err = failed(w, probe(w, &m.region[0]), "a new region");
	}
	if (!err) {
		err = front_rem_mem_reg(f, &at);
		if (err)
			memcpy(w->session.why, f->why, FRONT_WHY);
		(void)failed(w, err, "REM_MEM_REG");
	}
	mem_free(&m);
	w->regions++;
	return err;
}

/* --- all of it elsewhere -------------------------------------------------- */

static int restart(struct swap *w)
{
	struct session *s = &w->session;

	if (failed(w, session_stop(s), "stop"))
		return -1;
	for (unsigned i = 0; i < s->mem.regions && !w->o->same_uva; i++)
		s->mem.region[i].at.uva += (1 + rng_below(&w->rng, 512)) *
					   MEM_PAGE;
	w->restarts++;
	return failed(w, session_start(s), "start again");
}

static int change(struct swap *w)
{
	uint64_t dice = rng_below(&w->rng, 10);

	if (dice == 0)
		return restart(w);
	if (dice < 5 &&
	    w->session.front.protocol & FRONT_PF_CONFIGURE_MEM_SLOTS)
		return come_and_go(w);
	return other_table(w);
}

/* --- the test ------------------------------------------------------------- */

static void run(struct tap *t, struct swap *w)
{
	uint64_t end = now_ns() + w->o->seconds * NS_PER_S;
	int err = load_start(w->load);

	while (!err && !load_failed(w->load) && now_ns() < end) {
		sleep_ns(rng_below(&w->rng, PAUSE_MS * NS_PER_MS));
		err = change(w);
	}
	load_stop(w->load);
	load_sweep(w->load);
	tap_note("%llu tables, %llu regions that came and went, %llu restarts",
		 (unsigned long long)w->tables, (unsigned long long)w->regions,
		 (unsigned long long)w->restarts);
	tap_did(t, err, "the memory table changed under load", w->why);
	if (!(w->session.front.protocol & FRONT_PF_CONFIGURE_MEM_SLOTS))
		tap_skip(t, "ADD_MEM_REG and REM_MEM_REG",
			 "CONFIGURE_MEM_SLOTS is not offered");
	tap_load(t, w->load);
}

static int prepare(struct swap *w)
{
	struct session *s = &w->session;
	struct load_options lo;

	if (s->max_queues && w->o->queues > s->max_queues)
		w->o->queues = s->options.queues = (unsigned)s->max_queues;
	if (w->o->queues < 2) {
		(void)strcpy(s->why, "this takes two queues at least");
		return -1;
	}
	if (session_make(s))
		return -1;
	for (unsigned i = 0; i < s->mem.regions; i++)
		w->rings[i] = (s->mem.region[i].used + MEM_PAGE) &
			      ~(uint64_t)(MEM_PAGE - 1);
	w->probe_queue = (unsigned)w->o->queues - 1;
	lo = client_load(w->o);
	lo.queues = w->probe_queue;
	if (lo.span > s->config.capacity / 2)
		lo.span = s->config.capacity / 2;
	w->probe_sector = s->config.capacity - PROBE_BYTES / SECTOR;
	w->load = load_new(s, &lo);
	return w->load ? 0 : -1;
}

int client_swap(struct client_options *o)
{
	struct swap w = { .o = o, .rng = { .state = mix64(~o->seed) } };
	struct session_options so = client_session(o);
	struct tap t = { 0 };

	client_replay("swap", o);
	if (!tap_did(&t, session_open(&w.session, &so), "connect and negotiate",
		     w.session.why))
		return tap_end(&t);
	if (tap_did(&t, prepare(&w), "memory and queues", w.session.why)) {
		if (tap_did(&t, session_start(&w.session), "start the queues",
			    w.session.why))
			run(&t, &w);
		load_free(w.load);
	}
	session_close(&w.session);
	return tap_end(&t);
}

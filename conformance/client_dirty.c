/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Migration's question: which pages has the back end written? All that the
 * device may write is in one region. Its contents before and after a load, with
 * the queues stopped, are compared: a page that changed must be marked. A log
 * that marks everything would pass, so pages that no request mentions must not
 * be marked, and of those that only the driver writes not all.
 *
 * The driver does write to the device's region, but only to buffers of requests
 * that are then completed, which the device overwrites.
 *
 * Logging is on from the start in one half of the rounds, and turned on under
 * load, as migration does it, in the other.
 */
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "util.h"

#define ROUND_MS 250u

struct dirty {
	struct client_options *o;
	struct session session;
	struct load *load;
	uint8_t *before;
	uint64_t changed, unmarked, first_unmarked;
	uint64_t marked[3], pages;      /* marked: by region, all rounds */
	unsigned rounds;
};

static bool marked(const struct session *s, uint64_t gpa)
{
	uint64_t page = gpa / FRONT_LOG_PAGE;

	return s->log[page / 8] >> page % 8 & 1;
}

static uint64_t count_marked(const struct session *s, unsigned region)
{
	const struct front_region *r = &s->mem.region[region].at;
	uint64_t n = 0;

	for (uint64_t at = 0; at < r->size; at += FRONT_LOG_PAGE)
		n += marked(s, r->gpa + at);
	return n;
}

static void compare(struct dirty *d)
{
	const struct session *s = &d->session;
	const struct mem_region *r = &s->mem.region[MEM_DEVICE];

	for (uint64_t at = 0; at < r->at.size; at += FRONT_LOG_PAGE) {
		if (!memcmp(d->before + at, r->host + at, FRONT_LOG_PAGE))
			continue;
		d->changed++;
		if (marked(s, r->at.gpa + at))
			continue;
		if (!d->unmarked++)
			d->first_unmarked = r->at.gpa + at;
	}
	for (unsigned i = MEM_DRIVER; i <= MEM_SPARE; i++)
		d->marked[i] += count_marked(s, i);
	d->pages += r->at.size / FRONT_LOG_PAGE;
}

/*
 * Under load this races with everybody, and may be torn: then the page changes
 * after it was copied, which is what counts.
 */
static void snapshot(struct dirty *d)
{
	const struct mem_region *r = &d->session.mem.region[MEM_DEVICE];

	memcpy(d->before, r->host, r->at.size);
}

/* 0, or -1 with the session's why. */
static int round_of(struct dirty *d)
{
	struct session *s = &d->session;
	bool later = d->rounds++ % 2;
	int err;

	memset(s->log, 0, s->log_bytes);
	s->logging = !later;
	snapshot(d);
	err = session_start(s);
	if (!err)
		err = load_start(d->load);
	if (!err && later) {
		sleep_ns(ROUND_MS / 2 * NS_PER_MS);
		err = session_start_logging(s);
		/* From here on: what differs in the end was written since. */
		snapshot(d);
	}
	sleep_ns(ROUND_MS * NS_PER_MS);
	load_stop(d->load);
	if (err || load_failed(d->load))
		return -1;
	err = session_stop(s);
	if (!err)
		compare(d);
	return err;
}

static void judge(struct tap *t, struct dirty *d, int err)
{
	tap_note("%u rounds; of %llu pages of the device's region %llu "
		 "changed, %llu were marked; marked elsewhere: %llu that only "
		 "the driver writes, %llu that nobody does",
		 d->rounds, (unsigned long long)d->pages,
		 (unsigned long long)d->changed,
		 (unsigned long long)d->marked[MEM_DEVICE],
		 (unsigned long long)d->marked[MEM_DRIVER],
		 (unsigned long long)d->marked[MEM_SPARE]);
	tap_did(t, err, "queues start and stop, with logging",
		load_failed(d->load) ? load_why(d->load) : d->session.why);
	tap_ok(t, !d->unmarked,
	       "%llu pages that changed are not marked (the first at 0x%llx)",
	       (unsigned long long)d->unmarked,
	       (unsigned long long)d->first_unmarked);
	tap_ok(t, d->changed > d->rounds,
	       "the load was one: %llu pages changed",
	       (unsigned long long)d->changed);
	tap_ok(t, !d->marked[MEM_SPARE],
	       "%llu pages are marked that no request mentions",
	       (unsigned long long)d->marked[MEM_SPARE]);
	tap_ok(t, d->marked[MEM_DRIVER] < d->pages, "not everything is marked");
	tap_load(t, d->load);
}

static int prepare(struct dirty *d)
{
	struct session *s = &d->session;
	struct load_options lo = client_load(d->o);

	lo.guards = false;
	if (session_make(s) || session_make_log(s))
		return -1;
	d->before = malloc(s->mem.region[MEM_DEVICE].at.size);
	d->load = d->before ? load_new(s, &lo) : NULL;
	return d->load ? 0 : -1;
}

static void run(struct tap *t, struct dirty *d)
{
	uint64_t end = now_ns() + d->o->seconds * NS_PER_S;
	int err = 0;

	while (!err && (now_ns() < end || d->rounds < 2))
		err = round_of(d);
	judge(t, d, err);
}

int client_dirty(struct client_options *o)
{
	struct session_options so = client_session(o);
	struct dirty d = { .o = o };
	struct session *s = &d.session;
	struct tap t = { 0 };

	client_replay("dirty", o);
	if (!tap_did(&t, session_open(s, &so), "connect and negotiate", s->why))
		return tap_end(&t);
	if (!(s->offered & VHOST_F_LOG_ALL) ||
	    !(s->front.protocol & FRONT_PF_LOG_SHMFD))
		tap_skip(&t, "dirty log",
			 "LOG_ALL or LOG_SHMFD is not "
			 "offered");
	else if (tap_did(&t, prepare(&d), "memory, queues and log", s->why))
		run(&t, &d);
	if (d.load)
		load_free(d.load);
	free(d.before);
	session_close(s);
	return tap_end(&t);
}

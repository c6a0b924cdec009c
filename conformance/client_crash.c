/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The back end dies under load and another one takes over, again and again. The
 * guest does not notice: its driver goes on filling the same rings in the same
 * memory while nobody is there. What the front end gives the new process is the
 * in-flight log and used_idx, nothing else, since it knows nothing else.
 *
 * With --no-replay the new process gets a fresh log. Requests that were not
 * completed in order are then lost or done twice, which the load must notice:
 * this is how we know that the test can fail.
 */
#include <stdio.h>

#include "client.h"
#include "crash_log.h"
#include "util.h"

#define FEW            8u       /* in flight at a kill: fewer proves little */
#define ENOUGH_PERCENT 90u
#define RUN_MS         60u      /* longest time between recovery and kill */
#define AIM_MS         300u     /* of looking for such a moment */
#define ANY_MOMENT     16u      /* one kill of so many does not look */

/*
 * Where to kill it: anywhere; with requests in flight; with such as were not
 * completed in order; between the used ring's index and the log's.
 */
enum aim { AIM_NONE, AIM_FULL, AIM_DISORDER, AIM_BATCH };

struct crash {
	struct client_options *o;
	struct session session;
	struct process daemon;
	struct load *load;
	struct rng rng;
	unsigned kills, full;   /* full: FEW or more were in flight */
	unsigned least, most;
	uint64_t sum, logged_sum;
	struct crash_log log;
	unsigned hits[AIM_BATCH + 1];
	char why[SESSION_WHY + 64];
};

/* --- the moment ----------------------------------------------------------- */

static void note_available(const struct session *s, uint16_t *idx)
{
	for (unsigned i = 0; i < s->options.queues; i++)
		idx[i] = vring_avail_idx(&s->queue[i]);
}

/*
 * Made available by then and not completed by now. The driver does not stop
 * when the back end does, so what it has added since is not counted.
 */
static unsigned still_open(const struct session *s, const uint16_t *idx)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->options.queues; i++) {
		uint16_t used = vring_used_idx(&s->queue[i]);

		if ((int16_t)(idx[i] - used) > 0)
			n += (uint16_t)(idx[i] - used);
	}
	return n;
}

static bool good(const struct crash *c, enum aim aim, const uint16_t *idx)
{
	if (still_open(&c->session, idx) < FEW)
		return false;
	switch (aim) {
	case AIM_DISORDER: return crash_log_disordered(&c->log);
	case AIM_BATCH: return crash_log_in_batch(&c->log);
	case AIM_FULL:
	case AIM_NONE: break;
	}
	return true;
}

static enum aim choose(const struct crash *c)
{
	static const enum aim turn[] = { AIM_FULL, AIM_DISORDER, AIM_BATCH };

	if (c->o->no_replay)
		return AIM_DISORDER;
	if (c->kills % ANY_MOMENT == ANY_MOMENT - 1)
		return AIM_NONE;
	return turn[c->kills % 3];
}

/*
 * At any moment; but a quick back end is idle half of the time, when its death
 * proves little. So it is mostly stopped first, anywhere, and let go again if
 * it does not stand where we want it. What is not found in time is given up.
 */
static unsigned kill_now(struct crash *c)
{
	uint64_t end = now_ns() + AIM_MS * NS_PER_MS;
	uint16_t idx[SESSION_QUEUES_MAX];
	enum aim aim = choose(c);

	note_available(&c->session, idx);
	while (aim != AIM_NONE && now_ns() < end + AIM_MS * NS_PER_MS) {
		process_stop(&c->daemon);
		if (good(c, aim, idx)) {
			c->hits[aim]++;
			break;
		}
		process_continue(&c->daemon);
		if (now_ns() > end)
			aim = AIM_FULL;
		if (aim != AIM_BATCH)   /* that one is short and rare */
			sleep_ns(rng_below(&c->rng, NS_PER_MS / 4));
		note_available(&c->session, idx);
	}
	process_kill(&c->daemon);
	return still_open(&c->session, idx);
}

static void kill_and_count(struct crash *c)
{
	unsigned rings = kill_now(c), logged = crash_log_fetched(&c->log);

	c->kills++;
	c->full += rings >= FEW;
	c->least = c->kills == 1 || rings < c->least ? rings : c->least;
	c->most = rings > c->most ? rings : c->most;
	c->sum += rings;
	c->logged_sum += logged;
	tap_note("kill %u: %u heads in flight, %u fetched", c->kills, rings,
		 logged);
}

/* --- one round ------------------------------------------------------------ */

static int failed(struct crash *c, const char *what)
{
	(void)snprintf(c->why, sizeof(c->why), "%s: %s", what, c->session.why);
	return -1;
}

static int recover(struct crash *c)
{
	c->daemon.restarts = (unsigned)c->o->restarts;
	if (process_start(&c->daemon, c->o->command))
		return failed(c, "start the back end again");
	if (client_reconnect_patiently(&c->session, &c->daemon))
		return failed(c, "connect again");
	if (c->o->no_replay) {
		if (session_fresh_inflight(&c->session))
			return failed(c, "a fresh in-flight log");
		crash_log_close(&c->log);
		crash_log_open(&c->log, &c->session);
	}
	if (session_start(&c->session))
		return failed(c, "start the queues again");
	return 0;
}

/* Everything that was in flight at the mark, or the load has failed. */
static int wait_past(struct crash *c, const struct load_mark *m)
{
	uint64_t end = now_ns() + 2 * c->o->timeout * NS_PER_S;

	while (!load_passed(c->load, m)) {
		if (load_failed(c->load) || now_ns() > end)
			return -1;
		if (!process_alive(&c->daemon)) {
			(void)snprintf(c->why, sizeof(c->why),
				       "the back end ended by itself");
			return -1;
		}
		sleep_ns(NS_PER_MS / 2);
	}
	return 0;
}

static int round_of(struct crash *c)
{
	struct load_mark mark;

	sleep_ns(rng_below(&c->rng, RUN_MS * NS_PER_MS));
	if (!process_alive(&c->daemon)) {
		(void)snprintf(c->why, sizeof(c->why),
			       "the back end ended by itself");
		return -1;
	}
	kill_and_count(c);
	load_set_mark(c->load, &mark);
	return recover(c) || wait_past(c, &mark) ? -1 : 0;
}

/* --- all of it ------------------------------------------------------------ */

static void judge(struct tap *t, struct crash *c)
{
	tap_note("%u kills; heads in flight: least %u, mean %.1f, most %u; "
		 "fetched: mean %.1f%s",
		 c->kills, c->least, c->kills ? (double)c->sum / c->kills : 0.0,
		 c->most, c->kills ? (double)c->logged_sum / c->kills : 0.0,
		 crash_log_known(&c->log) ? "" : " (the log is not readable)");
	tap_note("%u kills with requests open that were fetched before others "
		 "that are done, %u between the two used indices",
		 c->hits[AIM_DISORDER], c->hits[AIM_BATCH]);
	if (c->daemon.restarted)
		tap_note("%u times the new back end ended and was started "
			 "again",
			 c->daemon.restarted);
	tap_ok(t, !c->why[0] && c->kills == c->o->rounds,
	       "%u of %llu kills survived%s%s", c->kills,
	       (unsigned long long)c->o->rounds, c->why[0] ? ": " : "", c->why);
	tap_ok(t, c->full * 100u >= c->kills * ENOUGH_PERCENT && c->kills,
	       "%u of %u kills found %u heads or more in flight", c->full,
	       c->kills, FEW);
	tap_load(t, c->load);
}

static void rounds(struct tap *t, struct crash *c)
{
	struct load_mark mark;
	uint64_t warm = now_ns() + NS_PER_S / 5;
	int err = 0;

	if (load_start(c->load)) {
		tap_did(t, -1, "start the load", c->session.why);
		return;
	}
	while (now_ns() < warm && !load_failed(c->load))
		sleep_ns(NS_PER_MS);
	for (uint64_t i = 0; i < c->o->rounds && !err; i++)
		err = round_of(c);
	load_set_mark(c->load, &mark);
	if (!err)
		(void)wait_past(c, &mark);
	load_stop(c->load);
	load_sweep(c->load);
	judge(t, c);
	if (!load_failed(c->load) && !err)
		tap_did(t, session_stop(&c->session), "stop the queues",
			c->session.why);
}

static void crash(struct tap *t, struct crash *c)
{
	struct session_options so = client_session(c->o);
	struct load_options lo = client_load(c->o);
	struct session *s = &c->session;
	int err = client_open_patiently(s, &so, &c->daemon);

	if (!tap_did(t, err, "connect and negotiate", s->why))
		return;
	if (!(s->front.protocol & FRONT_PF_INFLIGHT_SHMFD)) {
		tap_skip(t, "recovery", "INFLIGHT_SHMFD is not offered");
		goto done;
	}
	err = session_make(s) || session_fresh_inflight(s);
	c->load = err ? NULL : load_new(s, &lo);
	if (!c->load) {
		tap_did(t, -1, "memory, queues and in-flight log", s->why);
		goto done;
	}
	crash_log_open(&c->log, s);
	if (tap_did(t, session_start(s), "start the queues", s->why))
		rounds(t, c);
	crash_log_close(&c->log);
	load_free(c->load);
done:
	session_close(s);
}

int client_crash(struct client_options *o)
{
	struct crash c = { .o = o, .rng = { .state = mix64(~o->seed) } };
	struct tap t = { 0 };

	client_replay("crash", o);
	if (process_start(&c.daemon, o->command)) {
		tap_did(&t, -1, "start the back end", o->command[0]);
		return tap_end(&t);
	}
	crash(&t, &c);
	if (process_alive(&c.daemon)) {
		int status = process_end(&c.daemon,
					 (unsigned)o->timeout * 1000u);

		tap_ok(&t, status == 0,
		       "the back end ends on SIGTERM with status 0 (%d)",
		       status);
	}
	return tap_end(&t);
}

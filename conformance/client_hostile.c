/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of the hostile tests, and what is judged after each of them. */
#include "client_hostile.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#define SETTLE_MS   2000u
#define DEATHS      3u          /* after which there is no point */
#define RSS_SLACK   65536u      /* KiB: a sanitizer keeps what is freed */

static const struct hostile_test *const groups[] = {
	hostile_frame, hostile_order, hostile_fds, hostile_own, hostile_memory,
	hostile_shrink, hostile_log, hostile_ring, hostile_load_tests,
	hostile_chain, hostile_race, hostile_mix
};

#define GROUPS (sizeof(groups) / sizeof(groups[0]))

static bool wanted(const struct client_options *o, const char *name)
{
	return !o->only || fnmatch(o->only, name, 0) == 0;
}

static int list(const struct client_options *o)
{
	for (size_t g = 0; g < GROUPS; g++)
		for (const struct hostile_test *t = groups[g]; t->name; t++)
			if (wanted(o, t->name))
				printf("%s\n", t->name);
	return 0;
}

/* --- the back end --------------------------------------------------------- */

static bool start(struct hostile *h)
{
	struct session_options so = client_session(h->o);
	struct session s;

	if (h->o->command && process_start(&h->process, h->o->command))
		return false;
	so.timeout_ms = h->timeout_ms;
	if (h->o->command ? client_open_patiently(&s, &so, &h->process) != 0
			  : session_open(&s, &so) != 0)
		return hostile_fail(h, "%s", s.why);
	h->offered = s.offered;
	h->offered_protocol = s.offered_protocol;
	h->capacity = s.config.capacity;
	h->queues = s.max_queues && s.max_queues < HOSTILE_QUEUES
			    ? (unsigned)s.max_queues
			    : HOSTILE_QUEUES;
	if (!s.max_queues)
		h->queues = 1;
	session_close(&s);
	h->pid = h->o->command ? h->process.pid : (int)h->o->pid;
	return true;
}

/* Descriptors when nobody is connected: after two connections were. */
static bool measure(struct hostile *h, struct process_usage *u)
{
	memset(u, 0, sizeof(*u));
	h->fds = 0;
	if (!hostile_over(h, "the first connection") ||
	    !hostile_over(h, "the second connection"))
		return false;
	sleep_ns(100 * NS_PER_MS);
	if (h->pid && !process_usage(h->pid, u))
		return hostile_fail(h, "there is no process %d", h->pid);
	h->fds = u->fds;
	return true;
}

/* It hangs or is dead. False: that is the end of the tests. */
static bool revive(struct hostile *h)
{
	char why[HOSTILE_WHY];
	struct process_usage u;
	bool good;

	if (++h->deaths >= DEATHS && !h->o->command)
		return false;
	if (!h->o->command)
		return true;
	memcpy(why, h->why, sizeof(why));
	process_kill(&h->process);
	good = start(h) && measure(h, &u);
	if (good)
		memcpy(h->why, why, sizeof(why));
	return good;
}

/* --- tests ---------------------------------------------------------------- */

/* False: the back end is lost. */
static bool run(struct hostile *h, struct tap *t, const struct hostile_test *x)
{
	uint64_t from = now_ns(), acts = h->acts;
	bool served;

	h->bad = false;
	h->why[0] = '\0';
	h->rng.state = mix64(h->o->seed);
	h->test = x;
	h->without = 0;
	x->run(h);
	hostile_unload(h);
	served = hostile_over(h, "the test");
	tap_ok(t, !h->bad, "%s%s%s", x->name, h->bad ? ": " : "", h->why);
	if (h->o->verbose)
		tap_note("%llu ms, %llu connections",
			 (unsigned long long)((now_ns() - from) / NS_PER_MS),
			 (unsigned long long)(h->acts - acts));
	return served || revive(h);
}

static bool run_all(struct hostile *h, struct tap *t)
{
	for (size_t g = 0; g < GROUPS; g++) {
		for (const struct hostile_test *x = groups[g]; x->name; x++) {
			if (!wanted(h->o, x->name) || run(h, t, x))
				continue;
			printf("Bail out! The back end serves nobody: %s\n",
			       h->why);
			return false;
		}
	}
	return true;
}

static void leaks(struct hostile *h, struct tap *t,
		  const struct process_usage *before)
{
	struct process_usage now;
	uint64_t end = now_ns() + SETTLE_MS * NS_PER_MS;

	if (!h->pid || h->deaths)
		return;
	do {
		if (!process_usage(h->pid, &now)) {
			tap_ok(t, false, "process %d lives", h->pid);
			return;
		}
		sleep_ns(20 * NS_PER_MS);
	} while (now.fds > before->fds && now_ns() < end);
	tap_ok(t, now.fds <= before->fds, "descriptors: %u, at the end %u",
	       before->fds, now.fds);
	/* The kernel's workers come and go: no test. */
	tap_note("threads: %u, at the end %u", before->threads, now.threads);
	tap_ok(t, now.rss_kb <= before->rss_kb + RSS_SLACK,
	       "resident: %llu KiB, at the end %llu KiB",
	       (unsigned long long)before->rss_kb,
	       (unsigned long long)now.rss_kb);
}

int client_hostile(struct client_options *o)
{
	struct hostile h = { .o = o };
	struct process_usage before;
	struct tap t = { 0 };
	int status = EXIT_TEST;

	hostile_list_chains();
	if (o->list)
		return list(o);
	o->queues = 1;
	o->depth = 4;
	h.timeout_ms = (unsigned)o->timeout * 1000u;
	tap_note("replay: vblk-vhost-user-client hostile --seed=%llu "
		 "--seconds=%llu%s%s",
		 (unsigned long long)o->seed, (unsigned long long)o->seconds,
		 o->only ? " --only=" : "", o->only ? o->only : "");
	if (!tap_did(&t, !start(&h) || !measure(&h, &before),
		     "a good connection is served", h.why)) {
		process_kill(&h.process);
		return tap_end(&t);
	}
	if (run_all(&h, &t)) {
		leaks(&h, &t, &before);
		status = tap_end(&t);
	}
	tap_note("%llu connections were misused", (unsigned long long)h.acts);
	if (h.process.pid)
		(void)process_end(&h.process, h.timeout_ms);
	return status;
}

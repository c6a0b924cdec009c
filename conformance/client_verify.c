/* SPDX-License-Identifier: BSD-2-Clause */
/* The load whose results are known, on an ordinary connection. */
#include "client.h"

static void verify(struct tap *t, struct session *s, struct client_options *o)
{
	struct load_options lo = client_load(o);
	struct load *l;

	if (s->max_queues && o->queues > s->max_queues) {
		tap_ok(t, false, "%llu queues, the back end has %llu",
		       (unsigned long long)o->queues,
		       (unsigned long long)s->max_queues);
		return;
	}
	if (session_make(s) || !(l = load_new(s, &lo))) {
		tap_ok(t, false, "memory and queues: %s", s->why);
		return;
	}
	if (tap_did(t, session_start(s), "start the queues", s->why)) {
		client_run_load(l, o);
		tap_load(t, l);
		if (!load_failed(l))
			tap_did(t, session_stop(s), "stop the queues", s->why);
	}
	load_free(l);
}

int client_verify(struct client_options *o)
{
	struct session_options so = client_session(o);
	struct tap t = { 0 };
	struct session s;
	int err = session_open(&s, &so);

	client_replay("verify", o);
	if (tap_did(&t, err, "connect and negotiate", s.why)) {
		verify(&t, &s, o);
		session_close(&s);
	}
	return tap_end(&t);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The program: which subcommand, and what they have in common. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client.h"
#include "util.h"

const struct client_subcommand client_subcommand[] = {
	{ "info", CLIENT_INFO, client_info,
	  "print features, queues and the configuration space" },
	{ "verify", CLIENT_VERIFY, client_verify,
	  "random requests; all that is read must be what was written" },
	{ "crash", CLIENT_CRASH, client_crash,
	  "kill the back end under load; nothing may be lost or done twice" },
	{ "connects", CLIENT_CONNECTS, client_connects,
	  "many connections, some cut off in the middle of a message" },
	{ "swap", CLIENT_SWAP, client_swap,
	  "change the memory table under load" },
	{ "dirty", CLIENT_DIRTY, client_dirty,
	  "every page that the back end writes must be in the dirty log" },
	{ "iotlb", CLIENT_IOTLB, client_iotlb,
	  "I/O virtual addresses, with misses and invalidations under load" },
	{ "bench", CLIENT_BENCH, client_bench,
	  "requests per second and the back end's CPU time for each" },
	{ "hostile", CLIENT_HOSTILE, client_hostile,
	  "break every rule; the next one must be served (overwrites the "
	  "disk)" },
	{ NULL, 0, NULL, NULL }
};

void client_say(const char *format, ...)
{
	va_list ap;

	fprintf(stderr, "vblk-vhost-user-client: ");
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fprintf(stderr, "\n");
}

struct session_options client_session(const struct client_options *o)
{
	struct session_options s = { .path = o->socket_path,
				     .fd = (int)o->fd,
				     .timeout_ms = (unsigned)o->timeout * 1000u,
				     .features = session_all_features(),
				     .protocol = session_all_protocol(),
				     .queues = (unsigned)o->queues,
				     .ring_size = (unsigned)o->ring_size,
				     .slots = (unsigned)(o->queues * o->depth),
				     .slot_bytes = (uint32_t)o->max_io };

	if (!o->packed)
		s.features &= ~VIRTIO_F_RING_PACKED;
	if (o->no_event_idx)
		s.features &= ~VIRTIO_F_EVENT_IDX;
	if (o->no_indirect)
		s.features &= ~VIRTIO_F_INDIRECT;
	return s;
}

struct load_options client_load(const struct client_options *o)
{
	struct load_options l = { .queues = (unsigned)o->queues,
				  .threads = (unsigned)o->threads,
				  .depth = (unsigned)o->depth,
				  .seed = o->seed,
				  .span = o->span / SECTOR,
				  .max_sectors = (uint32_t)(o->max_io / SECTOR),
				  .timeout_ms = (unsigned)o->timeout * 1000u,
				  .ops = o->ops,
				  .guards = true,
				  .discard = !o->no_discard };

	return l;
}

void client_replay(const char *subcommand, const struct client_options *o)
{
	char where[320], how[160];

	if (o->has_fd)
		(void)snprintf(where, sizeof(where), "--fd=%llu",
			       (unsigned long long)o->fd);
	else
		(void)snprintf(where, sizeof(where), "--socket-path=%s",
			       o->socket_path);
	if (o->ops)
		(void)snprintf(how, sizeof(how), "--ops=%llu",
			       (unsigned long long)o->ops);
	else if (!strcmp(subcommand, "crash"))
		(void)snprintf(how, sizeof(how), "--rounds=%llu%s",
			       (unsigned long long)o->rounds,
			       o->no_replay ? " --no-replay" : "");
	else
		(void)snprintf(how, sizeof(how), "--seconds=%llu",
			       (unsigned long long)o->seconds);
	tap_note("replay: vblk-vhost-user-client %s %s --seed=%llu "
		 "--queues=%llu --threads=%llu --depth=%llu --ring-size=%llu "
		 "--span=%llu --max-io=%llu %s%s%s%s%s%s",
		 subcommand, where, (unsigned long long)o->seed,
		 (unsigned long long)o->queues, (unsigned long long)o->threads,
		 (unsigned long long)o->depth, (unsigned long long)o->ring_size,
		 (unsigned long long)o->span, (unsigned long long)o->max_io,
		 how, o->packed ? " --packed" : "",
		 o->no_discard ? " --no-discard" : "",
		 o->no_event_idx ? " --no-event-idx" : "",
		 o->no_indirect ? " --no-indirect" : "",
		 o->command ? " -- COMMAND" : "");
}

void client_run_load(struct load *l, const struct client_options *o)
{
	uint64_t end = now_ns() + o->seconds * NS_PER_S;

	if (load_start(l))
		return;
	while (!load_failed(l) && !load_finished(l) &&
	       (o->ops || now_ns() < end))
		sleep_ns(5 * NS_PER_MS);
	load_stop(l);
	load_sweep(l);
}

static const struct client_subcommand *find(const char *name)
{
	const struct client_subcommand *c = client_subcommand;

	while (c->name && strcmp(c->name, name) != 0)
		c++;
	return c->name ? c : NULL;
}

int main(int argc, char **argv)
{
	const struct client_subcommand *c;
	struct client_options o;
	int status;

	(void)signal(SIGPIPE, SIG_IGN);
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1 && !strcmp(argv[1], "--help")) {
		client_help(NULL);
		return 0;
	}
	c = argc > 1 ? find(argv[1]) : NULL;
	if (!c) {
		client_say(argc > 1 ? "unknown subcommand: %s; see --help"
				    : "which subcommand?%s See --help",
			   argc > 1 ? argv[1] : "");
		return EXIT_USAGE;
	}
	status = client_parse(c, argc - 2, argv + 2, &o);
	if (status >= 0)
		return status;
	if (!o.has_seed)
		o.seed = mix64(now_ns()) >> 16;
	return c->run(&o);
}

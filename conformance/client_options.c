/* SPDX-License-Identifier: BSD-2-Clause */
/* One table for what an option is called, what it takes, and what it is for. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

#define NAME_WIDTH 24

enum kind { FLAG, NUMBER, TEXT };

struct option {
	const char *name, *value;       /* value: NULL for a flag */
	enum kind kind;
	size_t to, seen;                /* offsets; seen: 0 or of a bool */
	uint64_t low, high, preset;
	unsigned subcommands;
	const char *what;
};

#define TO(field)  offsetof(struct client_options, field)
#define LOADS      (CLIENT_VERIFY | CLIENT_CRASH | CLIENT_SWAP | \
		    CLIENT_DIRTY | CLIENT_IOTLB)
#define QUEUED     (LOADS | CLIENT_BENCH)
#define WORKING    (QUEUED | CLIENT_CONNECTS)
#define KEEPS_ALL  (CLIENT_SWAP | CLIENT_DIRTY | CLIENT_IOTLB | CLIENT_VERIFY)

static const struct option option[] = {
	{ "socket-path", "PATH", TEXT, TO(socket_path), 0, 0, 0, 0, CLIENT_ANY,
	  "the back end's socket" },
	{ "fd", "N", NUMBER, TO(fd), TO(has_fd), 0, 65535, 0,
	  CLIENT_ANY &
		  ~(unsigned)(CLIENT_CONNECTS | CLIENT_CRASH | CLIENT_HOSTILE),
	  "or: a connected socket that was inherited" },
	{ "queues", "N", NUMBER, TO(queues), 0, 1, 256, 1, QUEUED,
	  "queues to use (swap: 5, of which one checks new regions)" },
	{ "threads", "N", NUMBER, TO(threads), 0, 1, 64, 1, QUEUED,
	  "threads that drive them" },
	{ "depth", "N", NUMBER, TO(depth), 0, 1, 1024, 32, QUEUED,
	  "requests in flight per queue" },
	{ "ring-size", "N", NUMBER, TO(ring_size), 0, 2, 32768, 256, WORKING,
	  "descriptors per queue, a power of two" },
	{ "seconds", "N", NUMBER, TO(seconds), 0, 1, 86400, 5,
	  KEEPS_ALL | CLIENT_BENCH | CLIENT_HOSTILE,
	  "how long (hostile: of the random mix)" },
	{ "ops", "N", NUMBER, TO(ops), 0, 0, UINT64_MAX, 0, CLIENT_VERIFY,
	  "or: how many requests" },
	{ "timeout", "SECONDS", NUMBER, TO(timeout), 0, 1, 3600, 10,
	  CLIENT_ANY, "until an answer or a completion counts as lost" },
	{ "seed", "N", NUMBER, TO(seed), TO(has_seed), 0, UINT64_MAX, 0,
	  WORKING | CLIENT_HOSTILE,
	  "of the random choices; default: the clock" },
	{ "span", "BYTES", NUMBER, TO(span), 0, 65536, UINT64_MAX,
	  UINT64_C(64) << 20, QUEUED, "use the disk's first BYTES only" },
	{ "max-io", "BYTES", NUMBER, TO(max_io), 0, 512, 4u << 20, 65536,
	  LOADS, "the largest request" },
	{ "no-discard", NULL, FLAG, TO(no_discard), 0, 0, 0, 0, LOADS,
	  "no discard, after which contents are not known" },
	{ "packed", NULL, FLAG, TO(packed), 0, 0, 0, 0, WORKING,
	  "packed virtqueues, which the back end must offer" },
	{ "no-event-idx", NULL, FLAG, TO(no_event_idx), 0, 0, 0, 0, WORKING,
	  "do not accept EVENT_IDX" },
	{ "no-indirect", NULL, FLAG, TO(no_indirect), 0, 0, 0, 0, WORKING,
	  "do not accept INDIRECT_DESC" },
	{ "rounds", "N", NUMBER, TO(rounds), 0, 1, 1000000, 30, CLIENT_CRASH,
	  "how often to kill the back end" },
	{ "restarts", "N", NUMBER, TO(restarts), 0, 0, 1000000, 0,
	  CLIENT_CRASH, "how often, each time, it may end instead of serving" },
	{ "no-replay", NULL, FLAG, TO(no_replay), 0, 0, 0, 0, CLIENT_CRASH,
	  "do not hand the in-flight log back; this must fail" },
	{ "same-uva", NULL, FLAG, TO(same_uva), 0, 0, 0, 0, CLIENT_SWAP,
	  "keep the front end's addresses when queues restart" },
	{ "count", "N", NUMBER, TO(count), 0, 1, 100000000, 1000,
	  CLIENT_CONNECTS, "connections" },
	{ "pid", "PID", NUMBER, TO(pid), 0, 1, 4194304, 0,
	  CLIENT_CONNECTS | CLIENT_BENCH | CLIENT_HOSTILE,
	  "the back end's process" },
	{ "only", "PATTERN", TEXT, TO(only), 0, 0, 0, 0, CLIENT_HOSTILE,
	  "tests whose name matches, as a shell would" },
	{ "list", NULL, FLAG, TO(list), 0, 0, 0, 0, CLIENT_HOSTILE,
	  "print the names of the tests" },
	{ "verbose", NULL, FLAG, TO(verbose), 0, 0, 0, 0, CLIENT_HOSTILE,
	  "say how long each takes" },
	{ "op", "OP", TEXT, TO(op), 0, 0, 0, 0, CLIENT_BENCH,
	  "randread, randwrite, read128k, idle, or startup" },
	{ "block", "BYTES", NUMBER, TO(block), 0, 512, 1u << 20, 0,
	  CLIENT_BENCH, "size of a request; default: by the operation" },
	{ "warmup-ms", "N", NUMBER, TO(warmup_ms), 0, 0, 60000, 200,
	  CLIENT_BENCH, "before measuring" },
	{ "spin", NULL, FLAG, TO(spin), 0, 0, 0, 0, CLIENT_BENCH,
	  "poll the used rings instead of sleeping" },
	{ "tsv", NULL, FLAG, TO(tsv), 0, 0, 0, 0, CLIENT_BENCH,
	  "one line of fields separated by tabs" },
};

#define OPTIONS (sizeof(option) / sizeof(option[0]))

/* --- help ----------------------------------------------------------------- */

static void help_option(const struct option *p)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "--%s%s%s", p->name,
		       p->value ? "=" : "", p->value ? p->value : "");
	printf("  %-*s %s", NAME_WIDTH, name, p->what);
	if (p->preset)
		printf(" (default %llu)", (unsigned long long)p->preset);
	printf("\n");
}

static void help_all(void)
{
	printf("usage: vblk-vhost-user-client SUBCOMMAND "
	       "--socket-path=PATH [OPTION...]\n\n"
	       "A vhost-user-blk front end that tests or loads a back "
	       "end.\n\nSubcommands:\n");
	for (const struct client_subcommand *c = client_subcommand; c->name;
	     c++)
		printf("  %-10s %s\n", c->name, c->what);
	printf("\nSUBCOMMAND --help lists its options. Sizes take the "
	       "suffixes K, M and G. Tests print\nTAP. Exit status: 0; 1 a "
	       "test failed; 2 the command line is wrong.\n");
}

void client_help(const struct client_subcommand *c)
{
	bool command;

	if (!c) {
		help_all();
		return;
	}
	command = c->bit & (CLIENT_CRASH | CLIENT_BENCH | CLIENT_HOSTILE);
	printf("usage: vblk-vhost-user-client %s --socket-path=PATH "
	       "[OPTION...]%s\n\n%s\n\n",
	       c->name,
	       c->bit == CLIENT_CRASH ? " -- COMMAND [ARGUMENT...]"
	       : command	      ? " [-- COMMAND [ARGUMENT...]]"
				      : "",
	       c->what);
	for (size_t i = 0; i < OPTIONS; i++)
		if (option[i].subcommands & c->bit)
			help_option(&option[i]);
	printf("  %-*s this text\n", NAME_WIDTH, "--help");
	if (command)
		printf("  %-*s starts the back end%s\n", NAME_WIDTH,
		       "-- COMMAND...",
		       c->bit == CLIENT_BENCH	  ? "; of --op=startup"
		       : c->bit == CLIENT_HOSTILE ? ", and again if it dies"
						  : "");
}

/* --- parsing -------------------------------------------------------------- */

static int wrong(const struct client_subcommand *c, const char *what,
		 const char *which)
{
	client_say("%s: %s%s%s; see %s --help", c->name, what,
		   *which ? ": " : "", which, c->name);
	return EXIT_USAGE;
}

static bool parse_number(const char *text, uint64_t *n)
{
	unsigned shift = 0;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*n = strtoull(text, &end, 0);
	if (*end == 'K' || *end == 'k')
		shift = 10;
	else if (*end == 'M' || *end == 'm')
		shift = 20;
	else if (*end == 'G' || *end == 'g')
		shift = 30;
	if (shift)
		end++;
	if (errno || *end || *n > UINT64_MAX >> shift)
		return false;
	*n <<= shift;
	return true;
}

static int set(const struct client_subcommand *c, const struct option *p,
	       const char *text, struct client_options *o)
{
	char *base = (char *)o, message[128];
	uint64_t n;

	if (p->seen)
		*(bool *)(void *)(base + p->seen) = true;
	if (p->kind == FLAG) {
		*(bool *)(void *)(base + p->to) = true;
		return -1;
	}
	if (p->kind == TEXT) {
		*(const char **)(void *)(base + p->to) = text;
		return -1;
	}
	if (!parse_number(text, &n) || n < p->low || n > p->high) {
		(void)snprintf(message, sizeof(message),
			       "--%s takes a number from %llu to %llu, not",
			       p->name, (unsigned long long)p->low,
			       (unsigned long long)p->high);
		return wrong(c, message, text);
	}
	*(uint64_t *)(void *)(base + p->to) = n;
	return -1;
}

static int parse_one(const struct client_subcommand *c, const char *arg,
		     struct client_options *o)
{
	const char *equals = strchr(arg, '=');
	size_t n = equals ? (size_t)(equals - arg) : strlen(arg);

	if (strncmp(arg, "--", 2) != 0)
		return wrong(c, "unexpected argument", arg);
	for (size_t i = 0; i < OPTIONS; i++) {
		const struct option *p = &option[i];

		if (strlen(p->name) != n - 2 ||
		    strncmp(p->name, arg + 2, n - 2) != 0)
			continue;
		if (!(p->subcommands & c->bit))
			return wrong(c, "this subcommand has no such option",
				     arg);
		if (p->value && !equals)
			return wrong(c, "the option needs =VALUE", arg);
		if (!p->value && equals)
			return wrong(c, "the option takes no value", arg);
		return set(c, p, equals ? equals + 1 : "", o);
	}
	return wrong(c, "unknown option", arg);
}

static void preset(const struct client_subcommand *c, struct client_options *o)
{
	memset(o, 0, sizeof(*o));
	for (size_t i = 0; i < OPTIONS; i++)
		if (option[i].kind == NUMBER)
			*(uint64_t *)(void *)((char *)o +
					      option[i].to) = option[i].preset;
	if (c->bit == CLIENT_SWAP)
		o->queues = 5;
}

static int check(const struct client_subcommand *c, struct client_options *o)
{
	if (!o->socket_path && !o->has_fd && !o->list)
		return wrong(c, "--socket-path=PATH is missing", "");
	if (o->socket_path && o->has_fd)
		return wrong(c, "--socket-path and --fd exclude each other",
			     "");
	if (o->ring_size & (o->ring_size - 1))
		return wrong(c, "--ring-size must be a power of two", "");
	if (o->depth > o->ring_size)
		return wrong(c, "--depth is more than --ring-size", "");
	if (o->command &&
	    !(c->bit & (CLIENT_CRASH | CLIENT_BENCH | CLIENT_HOSTILE)))
		return wrong(c, "unexpected argument", "--");
	if (c->bit == CLIENT_CRASH && !o->command)
		return wrong(c, "the back end's command is missing after --",
			     "");
	return -1;
}

int client_parse(const struct client_subcommand *c, int argc, char **argv,
		 struct client_options *o)
{
	int status;

	preset(c, o);
	for (int i = 0; i < argc; i++) {
		if (!strcmp(argv[i], "--help")) {
			client_help(c);
			return 0;
		}
		if (!strcmp(argv[i], "--")) {
			o->command = argv[i + 1] ? argv + i + 1 : NULL;
			break;
		}
		status = parse_one(c, argv[i], o);
		if (status >= 0)
			return status;
	}
	return check(c, o);
}

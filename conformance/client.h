/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vblk-vhost-user-client: its options, its subcommands and how they report.
 *
 * A subcommand returns the exit status: 0, 1 for a test that failed, 2 for a
 * command line that makes no sense.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "load.h"
#include "session.h"

#define EXIT_TEST  1
#define EXIT_USAGE 2

struct client_options {
	const char *socket_path;
	uint64_t fd;            /* valid if has_fd */
	bool has_fd;
	uint64_t queues, threads, depth, ring_size, seconds, timeout, seed;
	bool has_seed;
	uint64_t span, max_io, ops, rounds, restarts, count, pid, block;
	uint64_t warmup_ms;
	const char *op;
	bool packed, no_event_idx, no_indirect, no_discard;
	bool no_replay, spin, tsv, same_uva, list, verbose;
	const char *only;       /* pattern of test names, or NULL */
	char **command;         /* what follows "--", or NULL */
};

struct client_subcommand {
	const char *name;
	unsigned bit;           /* of the options it knows */
	int (*run)(struct client_options *o);
	const char *what;       /* for the help */
};

extern const struct client_subcommand client_subcommand[];

/* What is left out gets its default. -1: go on; else the exit status. */
int client_parse(const struct client_subcommand *c, int argc, char **argv,
		 struct client_options *o);
void client_help(const struct client_subcommand *c);

int client_info(struct client_options *o);
int client_verify(struct client_options *o);
int client_crash(struct client_options *o);
int client_connects(struct client_options *o);
int client_swap(struct client_options *o);
int client_dirty(struct client_options *o);
int client_iotlb(struct client_options *o);
int client_bench(struct client_options *o);
int client_hostile(struct client_options *o);

enum client_bit {
	CLIENT_INFO = 1,
	CLIENT_VERIFY = 2,
	CLIENT_CRASH = 4,
	CLIENT_CONNECTS = 8,
	CLIENT_SWAP = 16,
	CLIENT_DIRTY = 32,
	CLIENT_IOTLB = 64,
	CLIENT_BENCH = 128,
	CLIENT_HOSTILE = 256,
	CLIENT_ANY = 511
};

/* --- common to the subcommands -------------------------------------------- */

/* One line on stderr, with the program's name. */
void client_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The session's options that follow from the command line. */
struct session_options client_session(const struct client_options *o);

/* The load's. */
struct load_options client_load(const struct client_options *o);

/* The command that does this again, as a TAP comment. */
void client_replay(const char *subcommand, const struct client_options *o);

/*
 * Runs the load for o->seconds or o->ops, or until it fails; then stops it and
 * reads everything back.
 */
void client_run_load(struct load *l, const struct client_options *o);

/* --- test results --------------------------------------------------------- */

struct tap {
	unsigned tests, failed;
};

/* Returns good. name: a printf format for "ok 1 - NAME". */
bool tap_ok(struct tap *t, bool good, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* A step that had to succeed; why is printed if it did not. */
bool tap_did(struct tap *t, int error, const char *what, const char *why);
void tap_skip(struct tap *t, const char *name, const char *why);

/* A comment. */
void tap_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* One test per kind of failure that a load can see. */
void tap_load(struct tap *t, const struct load *l);

/* The plan; returns the exit status. */
int tap_end(const struct tap *t);

/* --- another process ------------------------------------------------------ */

struct process {
	int pid;                /* 0: none */
	char **argv;
	unsigned restarts;      /* left, if it ends before it serves */
	unsigned restarted;
};

/* 0, or -1 with errno. Its standard output goes to our standard error. */
int process_start(struct process *p, char **argv);

/* SIGKILL, and wait. */
void process_kill(struct process *p);

/* SIGSTOP, and wait until all of it stands; SIGCONT. */
void process_stop(struct process *p);
void process_continue(struct process *p);

/* SIGTERM, and wait until ms have passed; then SIGKILL. The exit status, as
 * wait has it, or -1. */
int process_end(struct process *p, unsigned ms);
bool process_alive(struct process *p);

struct process_usage {
	uint64_t cpu_ns;        /* of all its threads, past ones too */
	uint64_t switches;      /* context switches of the present threads */
	uint64_t rss_kb;
	unsigned fds, threads;
};

/* False: there is no such process. */
bool process_usage(int pid, struct process_usage *u);

/* Connects again and again until it works or the time is over. */
int client_open_patiently(struct session *s, const struct session_options *o,
			  struct process *p);
int client_reconnect_patiently(struct session *s, struct process *p);

#endif

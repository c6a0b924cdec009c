/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vblk-vhost-user: serves disk images to any VMM that speaks vhost-user.
 *
 *     main.c       life: sockets, sandbox, images, threads; signals
 *     export.c     a disk on its socket, the control thread
 *     session.c    the messages of one front end
 *     disk.c       device, queues and memory: pause, change, go
 *     lane.c       the thread of a queue: kicks in, requests to the store
 *
 * A request passes lane.c, the core, the store, and the same way back.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <poll.h>

#include "export.h"
#include "guard.h"
#include "log.h"
#include "notify.h"
#include "sandbox.h"
#include "stats.h"

#define WHY      1024u
#define FDS_DISK 256u           /* sockets, images; 3 and an epoll a queue */

struct program {
	struct options options;
	struct export *export[DISKS_MAX];
	unsigned n;
	int signals;            /* signalfd */
	int changes;            /* inotify: an image was closed by a writer */
	int watch[DISKS_MAX];   /* of each disk's image */
	char why[WHY];
};

static int fail(struct program *p)
{
	log_line(LOG_ERROR, NULL, "%s", p->why);
	return 1;
}

static void say(const char *line)
{
	log_line(LOG_WARNING, NULL, "%s", line);
}

/* Blocked in every thread; the main one reads them. */
static int take_signals(struct program *p)
{
	sigset_t s;

	(void)sigemptyset(&s);
	(void)sigaddset(&s, SIGTERM);
	(void)sigaddset(&s, SIGINT);
	(void)sigaddset(&s, SIGUSR1);
	(void)sigaddset(&s, SIGHUP);
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR ||
	    signal(SIGXFSZ, SIG_IGN) == SIG_ERR || !guard_install() ||
	    !notify_install() || pthread_sigmask(SIG_BLOCK, &s, NULL))
		return -1;
	p->signals = signalfd(-1, &s, SFD_CLOEXEC | SFD_NONBLOCK);
	return p->signals;
}

static int listen_all(struct program *p)
{
	for (unsigned i = 0; i < p->options.disks; i++) {
		p->export[i] = export_listen(&p->options.disk[i], p->why,
					     sizeof(p->why));
		if (!p->export[i])
			return -1;
		p->n++;
	}
	return 0;
}

/*
 * Who uses an image already is found in /proc, which the sandbox closes: so
 * each one is opened once before.
 */
static int look_at_images(struct program *p)
{
	for (unsigned i = 0; i < p->n; i++) {
		const struct disk_options *o = &p->options.disk[i];
		const struct store_file_options f = {
			.path = o->blk_file,
			.read_only = o->read_only,
			.engine = STORE_INLINE,
			.block_size = o->block_size,
			.lock_wait_ms = DISK_LOCK_WAIT_MS
		};
		struct store *s;

		if (!f.path)
			continue;
		if (store_file_open(&s, &f, p->why, sizeof(p->why)))
			return -1;
		store_close(s);
	}
	return 0;
}

/* The directory of a path; allocated, for the life of the program. */
static const char *dir_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash ? strndup(path, (size_t)(slash - path) + 1u)
			  : strdup(".");

	return dir ? dir : "/";
}

static int enter_files(struct program *p)
{
	struct sandbox_image images[DISKS_MAX];
	const char *dirs[DISKS_MAX];
	struct sandbox_options s = { .images = images,
				     .socket_dirs = dirs,
				     .max_fds = FDS_DISK * p->n,
				     .say = say };

	for (unsigned i = 0; i < p->n; i++) {
		const struct disk_options *o = &p->options.disk[i];

		if (o->blk_file)
			images[s.num_images++] = (struct sandbox_image){
				o->blk_file, o->read_only
			};
		if (o->socket_path)
			dirs[s.num_dirs++] = dir_of(o->socket_path);
	}
	return sandbox_files(&s, p->why, sizeof(p->why));
}

static int enter_calls(struct program *p)
{
	const struct sandbox_options s = { .say = say };

	return sandbox_calls(&s, p->why, sizeof(p->why));
}

/*
 * A program that makes an image larger closes it in the end; our own writes do
 * not raise this event, so watching costs nothing.
 */
static void watch_images(struct program *p)
{
	p->changes = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	for (unsigned i = 0; i < p->n; i++) {
		const char *path = p->options.disk[i].blk_file;

		p->watch[i] = -1;
		if (p->changes >= 0 && path)
			p->watch[i] = inotify_add_watch(p->changes, path,
							IN_CLOSE_WRITE);
	}
}

static int start(struct program *p)
{
	if (take_signals(p) < 0) {
		(void)snprintf(p->why, sizeof(p->why),
			       "signals cannot be set up: %s", strerror(errno));
		return -1;
	}
	if (listen_all(p))
		return -1;
	if (look_at_images(p))
		return -1;
	watch_images(p);
	if (p->options.sandbox && enter_files(p))
		return -1;
	for (unsigned i = 0; i < p->n; i++)
		if (export_open(p->export[i], p -> why, sizeof(p->why)))
			return -1;
	for (unsigned i = 0; i < p->n; i++)
		if (export_run(p->export[i], p -> why, sizeof(p->why)))
			return -1;
	return p->options.sandbox ? enter_calls(p) : 0;
}

/* --- serving -------------------------------------------------------------- */

static void print_all(struct program *p)
{
	for (unsigned i = 0; i < p->n; i++)
		stats_print(p->export[i]);
}

/* False: stop. */
static bool on_signal(struct program *p)
{
	struct signalfd_siginfo s;

	while (read(p->signals, &s, sizeof(s)) == (ssize_t)sizeof(s)) {
		if (s.ssi_signo == SIGTERM || s.ssi_signo == SIGINT)
			return false;
		if (s.ssi_signo == SIGUSR1)
			print_all(p);
		else
			for (unsigned i = 0; i < p->n; i++)
				export_refresh(p->export[i]);
	}
	return true;
}

static void on_change(struct program *p)
{
	union {
		char bytes[4096];
		struct inotify_event align;
	} in;
	ssize_t len;

	while ((len = read(p->changes, in.bytes, sizeof(in.bytes))) > 0)
		for (ssize_t at = 0; at < len;) {
			const struct inotify_event *e =
				(const void *)(in.bytes + at);

			for (unsigned i = 0; i < p->n; i++)
				if (p->watch[i] == e->wd)
					export_refresh(p->export[i]);
			at += (ssize_t)(sizeof(*e) + e->len);
		}
}

static void serve(struct program *p)
{
	int every_ms = p->options.stats_s ? (int)p->options.stats_s * 1000 : -1;

	for (;;) {
		struct pollfd f[] = { { .fd = p->signals, .events = POLLIN },
				      { .fd = p->changes, .events = POLLIN } };
		int n = poll(f, 2, every_ms);

		if (n == 0)
			print_all(p);
		if (n > 0 && f[1].revents)
			on_change(p);
		if (n > 0 && f[0].revents && !on_signal(p))
			return;
	}
}

int main(int argc, char **argv)
{
	static struct program p;
	int status = options_parse(&p.options, argc, argv);

	if (status >= 0)
		return status;
	log_set_program("vblk-vhost-user");
	log_set_level(p.options.level);
	p.signals = p.changes = -1;
	status = start(&p) ? fail(&p) : 0;
	if (status == 0)
		serve(&p);
	for (unsigned i = 0; i < p.n; i++)
		export_quit(p.export[i]);
	for (unsigned i = 0; i < p.n; i++)
		export_end(p.export[i]);
	return status;
}

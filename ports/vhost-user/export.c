/* SPDX-License-Identifier: BSD-2-Clause */
#include "export.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"
#include "session.h"

struct export {
	const struct disk_options *options;
	struct disk disk;
	struct session session;
	bool opened, runs;
	int  listener;          /* -1: the inherited one was a connection */
	int  first;             /* that connection, or -1 */
	bool bound;             /* the socket's file is ours */
	int  dir;               /* of it, to remove it at the end */
	int  event;             /* eventfd: quit or refresh is set */
	atomic_bool quit, refresh;
	pthread_t thread;
};

/* --- the socket ----------------------------------------------------------- */

static int refuse(char *why, size_t size, const char *path, const char *what)
{
	(void)snprintf(why, size, "%s: %s", path, what);
	return -1;
}

/* A socket that nobody listens on is what a killed program leaves. */
static bool stale(const struct sockaddr_un *a)
{
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool dead;

	if (s < 0)
		return false;
	dead = connect(s, (const void *)a, sizeof(*a)) && errno == ECONNREFUSED;
	(void)close(s);
	return dead;
}

static int make_way(const struct sockaddr_un *a, char *why, size_t size)
{
	struct stat st;

	if (lstat(a->sun_path, &st))
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return refuse(why, size, a->sun_path,
			      "exists and is no socket; remove it or choose "
			      "another --socket-path");
	if (!stale(a))
		return refuse(
			why, size, a->sun_path,
			"another program listens there; stop it or choose "
			"another --socket-path");
	(void)unlink(a->sun_path);
	return 0;
}

static int open_dir(const char *path)
{
	const char *slash = strrchr(path, '/');
	char dir[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 2];

	(void)snprintf(dir, sizeof(dir), "%.*s",
		       slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
	return open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static int bind_path(struct export *e, char *why, size_t size)
{
	const char *path = e->options->socket_path;
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(a.sun_path)) {
		(void)snprintf(why, size,
			       "%s: is longer than the %zu bytes of a socket's "
			       "name; choose a shorter --socket-path",
			       path, sizeof(a.sun_path) - 1u);
		return -1;
	}
	memcpy(a.sun_path, path, strlen(path));
	if (make_way(&a, why, size))
		return -1;
	e->listener = socket(AF_UNIX,
			     SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (e->listener < 0 || bind(e->listener, (void *)&a, sizeof(a)))
		return refuse(why, size, path, strerror(errno));
	e->bound = true;
	e->dir = open_dir(path);
	if (listen(e->listener, 8))
		return refuse(why, size, path, strerror(errno));
	return 0;
}

static int inherit(struct export *e, char *why, size_t size)
{
	int fd = e->options->fd, listens = 0, family = 0;
	socklen_t len = sizeof(listens);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len) ||
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) ||
	    family != AF_UNIX) {
		(void)snprintf(why, size,
			       "--fd=%d: is no UNIX socket that was inherited",
			       fd);
		return -1;
	}
	(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	if (listens)
		e->listener = fd;
	else
		e->first = fd;
	return 0;
}

struct export *export_listen(const struct disk_options *o, char *why,
			     size_t size)
{
	struct export *e = calloc(1, sizeof(*e));

	if (!e) {
		(void)snprintf(why, size, "out of memory");
		return NULL;
	}
	e->options = o;
	e->listener = e->first = e->dir = e->event = -1;
	if ((o->socket_path ? bind_path(e, why, size)
			    : inherit(e, why, size)) == 0)
		return e;
	export_end(e);
	return NULL;
}

/* --- the thread ----------------------------------------------------------- */

static void clear_event(int fd)
{
	eventfd_t drop;

	(void)eventfd_read(fd, &drop);
}

static void attend(struct export *e, bool connected)
{
	if (disk_attend(&e->disk) && connected)
		session_config_changed(&e->session);
}

static void refresh(struct export *e, bool connected)
{
	if (!atomic_exchange(&e->refresh, false) || !disk_refresh(&e->disk))
		return;
	log_line(LOG_INFO, e->disk.name, "its size is now %llu sectors",
		 (unsigned long long)e->disk.config.capacity);
	if (connected)
		session_config_changed(&e->session);
}

enum source { FROM_CONTROL, FROM_DISK, FROM_FRONT, FROM_BACK, SOURCES };

/* Until the connection ends. */
static void converse(struct export *e, int fd)
{
	struct session *s = &e->session;
	bool on = true;

	session_open(s, &e->disk, fd);
	while (on && !atomic_load(&e->quit)) {
		struct pollfd p[SOURCES] = {
			[FROM_CONTROL] = { .fd = e->event, .events = POLLIN },
			[FROM_DISK] = { .fd = e->disk.event, .events = POLLIN },
			[FROM_FRONT] = { .fd = s->front.fd, .events = POLLIN },
			[FROM_BACK] = { .fd = s->back.fd, .events = POLLIN }
		};

		if (poll(p, SOURCES, -1) < 0)
			continue;
		if (p[FROM_CONTROL].revents) {
			clear_event(e->event);
			refresh(e, true);
		}
		if (p[FROM_DISK].revents) {
			clear_event(e->disk.event);
			attend(e, true);
		}
		if (p[FROM_BACK].revents)
			session_back(s);
		if (p[FROM_FRONT].revents)
			on = session_front(s);
	}
	session_close(s);
}

static int next_connection(struct export *e)
{
	struct pollfd p[] = { { .fd = e->event, .events = POLLIN },
			      { .fd = e->listener, .events = POLLIN } };
	int fd = e->first;

	e->first = -1;
	if (fd >= 0 || poll(p, 2, -1) < 0)
		return fd;
	if (p[0].revents) {
		clear_event(e->event);
		refresh(e, false);
	}
	if (!p[1].revents)
		return -1;
	fd = accept4(e->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	/* without descriptors left it would be ready again at once */
	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM)) {
		log_line(LOG_ERROR, e->disk.name, "cannot accept: %s",
			 strerror(errno));
		(void)poll(p, 1, 1000);
	}
	return fd;
}

static void *serve(void *arg)
{
	struct export *e = arg;

	if (!notify_open(&e->disk.notify))
		log_line(LOG_WARNING, e->disk.name,
			 "no timer: a front end may hold up its own disk");
	while (!atomic_load(&e->quit)) {
		int fd = next_connection(e);

		if (fd >= 0)
			converse(e, fd);
	}
	/* here: a front end that holds up its disk holds up no other */
	disk_close(&e->disk);
	notify_close(&e->disk.notify);
	return NULL;
}

/* --- life ----------------------------------------------------------------- */

int export_open(struct export *e, char *why, size_t size)
{
	e->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (e->event < 0) {
		(void)snprintf(why, size, "no descriptors left");
		return -1;
	}
	if (disk_open(&e->disk, e->options, why, size))
		return -1;
	e->opened = true;
	return 0;
}

int export_run(struct export *e, char *why, size_t size)
{
	if (pthread_create(&e->thread, NULL, serve, e)) {
		(void)snprintf(why, size, "%s: no thread can be started",
			       e->disk.name);
		return -1;
	}
	e->runs = true;
	return 0;
}

static void tell(struct export *e, atomic_bool *what)
{
	const uint64_t one = 1;

	atomic_store(what, true);
	if (write(e->event, &one, sizeof(one)) < 0)
		return;         /* full: it is awake */
}

void export_refresh(struct export *e)
{
	tell(e, &e->refresh);
}

static void remove_socket(const struct export *e)
{
	const char *path = e->options->socket_path;
	const char *slash = strrchr(path, '/');

	if (e->dir >= 0)
		(void)unlinkat(e->dir, slash ? slash + 1 : path, 0);
}

void export_quit(struct export *e)
{
	if (e->runs)
		tell(e, &e->quit);
}

void export_end(struct export *e)
{
	export_quit(e);
	if (e->runs)
		(void)pthread_join(e->thread, NULL);
	else if (e->opened)
		disk_close(&e->disk);
	if (e->bound)
		remove_socket(e);
	for (unsigned i = 0; i < 4; i++) {
		const int fds[] = { e->listener, e->first, e->dir, e->event };

		if (fds[i] >= 0)
			(void)close(fds[i]);
	}
	free(e);
}

const char *export_name(const struct export *e)
{
	return e->disk.name;
}

static void add(_Atomic(uint64_t) *to, const _Atomic(uint64_t) *from)
{
	atomic_store(to, atomic_load(to) + atomic_load_explicit(
						   from, memory_order_relaxed));
}

void export_stats(struct export *e, struct vblk_stats *out,
		  struct lane_counts *sum)
{
	struct disk *d = &e->disk;

	memset(sum, 0, sizeof(*sum));
	(void)pthread_mutex_lock(&d->lock);
	vblk_stats(d->dev, out);
	(void)pthread_mutex_unlock(&d->lock);
	for (unsigned i = 0; i < d->lanes; i++) {
		const struct lane_counts *c = lane_counts(d->lane[i]);

		for (unsigned b = 0; b < LATENCY_BUCKETS; b++)
			add(&sum->latency[b], &c->latency[b]);
		add(&sum->requests, &c->requests);
		add(&sum->total_ns, &c->total_ns);
		add(&sum->wakeups, &c->wakeups);
	}
}

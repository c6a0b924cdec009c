/* SPDX-License-Identifier: BSD-2-Clause */
/* The back end as a process: started, killed, measured. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "client.h"
#include "util.h"

int process_start(struct process *p, char **argv)
{
	pid_t pid = fork();

	p->pid = 0;
	p->argv = argv;
	if (pid < 0)
		return -1;
	if (!pid) {
		(void)dup2(2, 1);       /* standard output is for results */
		(void)execvp(argv[0], argv);
		(void)fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	p->pid = pid;
	return 0;
}

bool process_alive(struct process *p)
{
	if (p->pid && waitpid(p->pid, NULL, WNOHANG) != 0)
		p->pid = 0;
	return p->pid != 0;
}

void process_kill(struct process *p)
{
	if (!p->pid)
		return;
	(void)kill(p->pid, SIGKILL);
	while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
		;
	p->pid = 0;
}

void process_stop(struct process *p)
{
	int status;

	if (!p->pid || kill(p->pid, SIGSTOP))
		return;
	while (waitpid(p->pid, &status, WUNTRACED) < 0 && errno == EINTR)
		;
	if (!WIFSTOPPED(status))
		p->pid = 0;     /* it has died meanwhile */
}

void process_continue(struct process *p)
{
	if (p->pid)
		(void)kill(p->pid, SIGCONT);
}

int process_end(struct process *p, unsigned ms)
{
	uint64_t end = now_ns() + ms * NS_PER_MS;
	int status;

	if (!p->pid)
		return -1;
	(void)kill(p->pid, SIGTERM);
	while (now_ns() < end) {
		if (waitpid(p->pid, &status, WNOHANG) == p->pid) {
			p->pid = 0;
			return status;
		}
		sleep_ns(NS_PER_MS);
	}
	process_kill(p);
	return -1;
}

static unsigned entries(const char *path)
{
	DIR *d = opendir(path);
	unsigned n = 0;

	if (!d)
		return 0;
	for (struct dirent *e = readdir(d); e; e = readdir(d))
		n += e->d_name[0] != '.';
	(void)closedir(d);
	return n;
}

/* The sum of the numbers that follow this word in /proc/PID/.../status. */
static uint64_t field(const char *path, const char *word)
{
	FILE *f = fopen(path, "r");
	uint64_t sum = 0;
	char line[256];
	size_t n = strlen(word);

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, word, n))
			sum += strtoull(line + n, NULL, 10);
	(void)fclose(f);
	return sum;
}

static uint64_t switches(int pid)
{
	char path[320];
	uint64_t sum = 0;
	DIR *d;

	(void)snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	if (!d)
		return 0;
	for (struct dirent *e = readdir(d); e; e = readdir(d)) {
		if (e->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "/proc/%d/task/%s/status",
			       pid, e->d_name);
		sum += field(path, "voluntary_ctxt_switches:") +
		       field(path, "nonvoluntary_ctxt_switches:");
	}
	(void)closedir(d);
	return sum;
}

bool process_usage(int pid, struct process_usage *u)
{
	struct timespec t;
	clockid_t clock;
	char path[64];

	memset(u, 0, sizeof(*u));
	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t))
		return false;
	u->cpu_ns = (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
	u->switches = switches(pid);
	(void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
	u->rss_kb = field(path, "VmRSS:");
	(void)snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	u->fds = entries(path);
	(void)snprintf(path, sizeof(path), "/proc/%d/task", pid);
	u->threads = entries(path);
	return true;
}

/* --- until it listens ----------------------------------------------------- */

static bool again(struct session *s, struct process *p, uint64_t end)
{
	if (!process_alive(p) && p->restarts) {
		p->restarts--;
		p->restarted++;
		sleep_ns(10 * NS_PER_MS);
		(void)process_start(p, p->argv);
	}
	if (!process_alive(p)) {
		(void)snprintf(s->why, sizeof(s->why),
			       "%s ended before it served", p->argv[0]);
		return false;
	}
	sleep_ns(NS_PER_MS / 5);
	return now_ns() < end;
}

int client_open_patiently(struct session *s, const struct session_options *o,
			  struct process *p)
{
	uint64_t end = now_ns() + o->timeout_ms * NS_PER_MS;
	int err;

	do {
		err = session_open(s, o);
	} while (err && again(s, p, end));
	return err;
}

int client_reconnect_patiently(struct session *s, struct process *p)
{
	uint64_t end = now_ns() + s->options.timeout_ms * NS_PER_MS;
	int err;

	do {
		err = session_reconnect(s);
	} while (err && again(s, p, end));
	return err;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vblk-conformance: the device suite on a device in this process, or on a
 * vhost-user-blk daemon. Its usage is in options.c; exit status 0: every test
 * passed or did not apply; 1: one failed; 2: it could not be run.
 */
#include <errno.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "attach.h"
#include "options.h"
#include "record.h"

#define EXIT_FAILED 1
#define LINES       400u        /* of a log that are kept */

/* --- the log of one test: its last lines ---------------------------------- */

static struct {
	char line[LINES][DUT_WHY + 64];
	unsigned n;
} logged;

static void keep_line(struct dut *d, const char *line)
{
	(void)d;
	snprintf(logged.line[logged.n++ % LINES], sizeof(logged.line[0]), "%s",
		 line);
	if (option.verbose)
		printf("# %s\n", line);
}

static char *kept_log(void)
{
	unsigned n = logged.n < LINES ? logged.n : LINES;
	size_t size = (n + 1u) * sizeof(logged.line[0]), at = 0;
	char *text = malloc(size);

	if (!text)
		return NULL;
	text[0] = '\0';
	if (n < logged.n)
		at = (size_t)snprintf(text, size, "... %u lines before\n",
				      logged.n - n);
	for (unsigned i = logged.n - n; i < logged.n; i++)
		at += (size_t)snprintf(text + at, size - at, "%s\n",
				       logged.line[i % LINES]);
	return text;
}

/* --- a device in this process that does not return ------------------------ */

#define TEST_SECONDS 60u        /* the longest takes one or two */

static struct {
	const char *test, *configuration;
} running;

/* Nothing can be undone: say which, and end. Only write() is safe here. */
static void too_long(int signal_number)
{
	static const char *const part[] = {
		"\nBail out! ", NULL, " on \"", NULL,
		"\": waited 60 s for the device in this process to return\n"
	};

	(void)signal_number;
	for (unsigned i = 0; i < 5; i++) {
		const char *t = i == 1	 ? running.test
				: i == 3 ? running.configuration
					 : part[i];

		if (write(STDOUT_FILENO, t, strlen(t)) < 0)
			break;
	}
	_exit(EXIT_FAILED);
}

static void watch(const char *test, const char *configuration)
{
	running.test = test;
	running.configuration = configuration;
	(void)alarm(TEST_SECONDS);
}

/* --- running -------------------------------------------------------------- */

static double now_s(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void progress(const struct run *u, unsigned configuration, unsigned i)
{
	if (!isatty(STDERR_FILENO) || option.verbose)
		return;
	fprintf(stderr, "\r\033[K%s: %u of %u, %s",
		u->configuration[configuration], i + 1u, u->records,
		u->record[i].test->name);
}

static void progress_end(void)
{
	if (isatty(STDERR_FILENO) && !option.verbose)
		fputs("\r\033[K", stderr);
}

static void run_one(struct suite *s, struct dut *d, struct run *u,
		    unsigned configuration, unsigned i)
{
	struct outcome *o = &u->record[i].on[configuration];
	double began = now_s();

	progress(u, configuration, i);
	logged.n = 0;
	watch(u->record[i].test->name, u->configuration[configuration]);
	suite_run(s, d, u->record[i].test, &o->result);
	(void)alarm(0);
	o->ms = 1e3 * (now_s() - began);
	o->ran = true;
	if (o->result.verdict == SUITE_FAIL)
		o->log = kept_log();
}

static bool attach(struct dut *d, struct run *u, unsigned i, char *why)
{
	static struct dut_ops log_only;

	log_only.log = keep_line;
	memset(d, 0, sizeof(*d));
	d->ops = &log_only;
	if (option.sim) {
		u->configuration[i] = sim_configuration(i);
		return sim_attach(d, i, why);
	}
	u->configuration[i] = option.socket;
	if (!vhost_user_attach(d, option.socket, option.wait_ms, why))
		return false;
	d->policy = option.policy;
	return true;
}

static void run_all(struct run *u)
{
	struct suite *s = aligned_alloc(16, (suite_bytes() + 15u) / 16u * 16u);
	struct dut d;
	char why[ATTACH_WHY];
	double began = now_s();
	bool any = false;

	if (!s)
		refuse("no memory");
	u->configurations = option.sim ? sim_configurations() : 1u;
	for (unsigned c = 0; c < u->configurations; c++) {
		if (!attach(&d, u, c, why))
			refuse("%s", why);
		for (unsigned i = 0; i < u->records; i++) {
			if (option.configuration >= 0 &&
			    (unsigned)option.configuration != c)
				break;
			run_one(s, &d, u, c, i);
			any = true;
		}
		if (option.sim)
			sim_detach(&d);
		else
			vhost_user_detach(&d);
	}
	progress_end();
	free(s);
	if (!any)
		refuse("nothing was run");
	u->seconds = now_s() - began;
}

/* --- preparation ---------------------------------------------------------- */

static bool wanted(const char *name)
{
	for (unsigned i = 0; i < option.onlys; i++)
		if (fnmatch(option.only[i], name, 0) == 0)
			return true;
	return option.onlys == 0;
}

static void choose_tests(struct run *u)
{
	const struct suite_test *t;
	uint32_t n = 0;

	while (suite_test(n))
		n++;
	u->record = calloc(n, sizeof(*u->record));
	if (!u->record)
		refuse("no memory");
	for (uint32_t i = 0; (t = suite_test(i)) != NULL; i++)
		if (wanted(t->name))
			u->record[u->records++].test = t;
	if (u->records == 0)
		refuse("no test matches --only; see --list");
}

static void describe_machine(struct run *u)
{
	struct utsname n;
	time_t t = time(NULL);
	struct tm tm;

	u->version = options_version();
	if (uname(&n) == 0)
		snprintf(u->machine, sizeof(u->machine), "%.60s %.60s, %.60s",
			 n.sysname, n.release, n.machine);
	if (gmtime_r(&t, &tm))
		(void)strftime(u->started, sizeof(u->started),
			       "%Y-%m-%d %H:%M:%S UTC", &tm);
}

static void write_reports(const struct run *u)
{
	if (option.junit && report_junit(option.junit, u) != 0)
		refuse("%s: %s", option.junit, strerror(errno));
	if (option.html && report_html(option.html, u) != 0)
		refuse("%s: %s", option.html, strerror(errno));
}

int main(int argc, char **argv)
{
	static struct run u;
	char why[300];

	options_parse(argc, argv);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGALRM, too_long);
	if (option.list) {
		report_list(stdout);
		return 0;
	}
	if (option.sim == (option.socket != NULL))
		refuse("give --sim or --vhost-user=SOCKET; try --help");
	choose_tests(&u);
	if (option.waivers &&
	    !waivers_read(&u, option.waivers, why, sizeof(why)))
		refuse("%s", why);
	describe_machine(&u);
	u.device = option.sim ? "in-process device" : option.socket;
	run_all(&u);
	for (unsigned i = 0; i < u.records; i++)
		report_tap_line(stdout, &u, i);
	report_tap_plan(stdout, &u);
	write_reports(&u);
	return run_sum(&u).failed ? EXIT_FAILED : 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What came of each test on each configuration of the device, and who prints
 * it. A run fails if a test failed on a configuration and is not waived.
 */
#ifndef RECORD_H
#define RECORD_H

#include <stdio.h>

#include "suite.h"

#define RECORD_CONFIGURATIONS 16u
#define RECORD_REASON         200u

struct outcome {                /* of one test on one configuration */
	struct suite_result result;
	char *log;              /* what it did, if it failed; or NULL */
	double ms;
	bool ran;
};

struct record {                 /* of one test */
	const struct suite_test *test;
	struct outcome on[RECORD_CONFIGURATIONS];
	const char *waiver;     /* its reason, or NULL */
};

struct run {
	const char *device;     /* "in-process device", a socket's path */
	const char *configuration[RECORD_CONFIGURATIONS];
	unsigned configurations;
	struct record *record;
	unsigned records;
	double seconds;
	char started[32];
	char machine[256];      /* kernel and processor */
	const char *version;
	char waiver_file[200];
};

/* Over all configurations: FAIL if one failed, SKIP if all were skipped. */
enum suite_verdict record_verdict(const struct record *r);
/* The first of that verdict; its configuration in *on. */
const struct outcome *record_first(const struct record *r, const struct run *u,
				   enum suite_verdict v, unsigned *on);

struct sum {
	unsigned passed, failed, waived, skipped;
};

struct sum run_sum(const struct run *u);

/* TAP, one line a test, and for a failure what it did; then the plan. */
void report_tap_line(FILE *to, const struct run *u, unsigned i);
void report_tap_plan(FILE *to, const struct run *u);

/* 0, or -1 with errno. */
int report_junit(const char *path, const struct run *u);
int report_html(const char *path, const struct run *u);

/*
 * Lines of a pattern of test names (as --only has it), a tab, a reason; # and
 * empty lines are skipped. False: one line in why.
 */
bool waivers_read(struct run *u, const char *path, char *why, size_t size);

/* --list, and the same for statements that no test can see. */
void report_list(FILE *to);

#endif

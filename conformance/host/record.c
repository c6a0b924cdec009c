/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counting, TAP, waivers, the list of tests.
 */
#include "record.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

enum suite_verdict record_verdict(const struct record *r)
{
	enum suite_verdict v = SUITE_SKIP;

	for (unsigned i = 0; i < RECORD_CONFIGURATIONS; i++) {
		if (!r->on[i].ran || r->on[i].result.verdict == SUITE_SKIP)
			continue;
		if (r->on[i].result.verdict == SUITE_FAIL)
			return SUITE_FAIL;
		v = SUITE_PASS;
	}
	return v;
}

const struct outcome *record_first(const struct record *r, const struct run *u,
				   enum suite_verdict v, unsigned *on)
{
	for (*on = 0; *on < u->configurations; ++*on)
		if (r->on[*on].ran && r->on[*on].result.verdict == v)
			return &r->on[*on];
	return NULL;
}

struct sum run_sum(const struct run *u)
{
	struct sum s = { 0, 0, 0, 0 };

	for (unsigned i = 0; i < u->records; i++) {
		switch (record_verdict(&u->record[i])) {
		case SUITE_PASS: s.passed++; break;
		case SUITE_SKIP: s.skipped++; break;
		case SUITE_FAIL:
			if (u->record[i].waiver)
				s.waived++;
			else
				s.failed++;
			break;
		}
	}
	return s;
}

/* --- TAP ------------------------------------------------------------------ */

static void tap_log(FILE *to, const char *log)
{
	while (log && *log) {
		const char *end = strchr(log, '\n');
		int n = end ? (int)(end - log) : (int)strlen(log);

		fprintf(to, "#     %.*s\n", n, log);
		log = end ? end + 1 : NULL;
	}
}

void report_tap_line(FILE *to, const struct run *u, unsigned i)
{
	const struct record *r = &u->record[i];
	const struct outcome *o;
	unsigned on;
	enum suite_verdict v = record_verdict(r);

	o = record_first(r, u, v, &on);
	fprintf(to, "%sok %u - %s: %s", v == SUITE_FAIL ? "not " : "", i + 1u,
		r->test->name, r->test->words);
	if (v == SUITE_SKIP)
		fprintf(to, " # SKIP %s", o ? o->result.why : "was not run");
	if (v == SUITE_FAIL && r->waiver)
		fprintf(to, " # TODO waived: %s", r->waiver);
	fputc('\n', to);
	if (v != SUITE_FAIL)
		return;
	for (on = 0; on < u->configurations; on++) {
		if (!r->on[on].ran || r->on[on].result.verdict != SUITE_FAIL)
			continue;
		fprintf(to, "#   %s, on \"%s\": %s\n",
			suite_level_name(r->test->level), u->configuration[on],
			r->on[on].result.why);
		fprintf(to, "#   statements: %s\n", r->test->statements);
		tap_log(to, r->on[on].log);
	}
}

void report_tap_plan(FILE *to, const struct run *u)
{
	struct sum s = run_sum(u);

	fprintf(to, "1..%u\n", u->records);
	fprintf(to, "# %u passed, %u failed, %u waived, %u skipped, %.1f s\n",
		s.passed, s.failed, s.waived, s.skipped, u->seconds);
}

void report_list(FILE *to)
{
	const struct suite_test *t;

	for (uint32_t i = 0; (t = suite_test(i)) != NULL; i++) {
		const char *where = t->can & DUT_REGS ? "mmio" : "any";

		if (t->can & (DUT_HOLD | DUT_CUT | DUT_RESIZE |
			      DUT_STORE_ERROR | DUT_REORDER))
			where = "sim";
		fprintf(to, "%s\t%s\t%s\t%s\t%s\n", t->name, t->statements,
			suite_level_name(t->level), where, t->words);
	}
}

/* --- waivers -------------------------------------------------------------- */

static bool waive(struct run *u, char *line, unsigned number, char *why,
		  size_t size)
{
	char *tab = strchr(line, '\t');
	unsigned hits = 0;

	line[strcspn(line, "\r\n")] = '\0';
	if (line[0] == '\0' || line[0] == '#')
		return true;
	if (!tab || tab[1] == '\0') {
		snprintf(why, size,
			 "%s, line %u: a pattern, a tab and a reason are "
			 "needed",
			 u->waiver_file, number);
		return false;
	}
	*tab = '\0';
	for (unsigned i = 0; i < u->records; i++) {
		if (fnmatch(line, u->record[i].test->name, 0) != 0)
			continue;
		hits++;
		u->record[i].waiver = strdup(tab + 1);
	}
	if (hits == 0)
		snprintf(why, size, "%s, line %u: no test is called %s",
			 u->waiver_file, number, line);
	return hits != 0;
}

bool waivers_read(struct run *u, const char *path, char *why, size_t size)
{
	FILE *f = fopen(path, "r");
	char *line = NULL;
	size_t room = 0;
	unsigned number = 0;
	bool good = true;

	snprintf(u->waiver_file, sizeof(u->waiver_file), "%s", path);
	if (!f) {
		snprintf(why, size, "%s: %s", path, strerror(errno));
		return false;
	}
	while (good && getline(&line, &room, f) != -1)
		good = waive(u, line, ++number, why, size);
	free(line);
	fclose(f);
	return good;
}

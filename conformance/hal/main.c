/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vblk-hal-conformance: runs the tests of each clause against the port that it
 * is linked with, and says the verdict as TAP, then a line for each clause.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hal.h"

#define CLAUSE 8u               /* bytes of "LIFE-1" and more */

static const char *const help =
	"usage: vblk-hal-conformance-PORT [--list] [TEST|CLAUSE]...\n"
	"\n"
	"Tests the port it is linked with against the clauses of the HAL\n"
	"(spec/hal.md): all of them, or those that are named, as SUB-3 or as\n"
	"hal_SUB_3__done_exactly_once. Prints TAP, and for each clause its\n"
	"marking and verdict.\n"
	"\n"
	"  --list     clauses, their markings, and their tests; runs nothing\n"
	"  --help     this\n"
	"\n"
	"Markings: tested; ordering: only the simulator shows a breach,\n"
	"elsewhere a pass says little; by construction: holds for every port\n"
	"with core/run.c, or the port says why it cannot apply.\n"
	"\n"
	"Exit status: 0 every clause holds; 1 one is broken or not\n"
	"implemented; 2 wrong usage.\n";

static const char *const markings[] = { [TESTED] = "tested",
					[ORDERING] = "ordering",
					[BY_CONSTRUCTION] = "by construction" };
static const char *const verdicts[] = {
	[PASS] = "holds", [FAIL] = "BROKEN",
	[NOT_IMPLEMENTED] = "not implemented",
	[NOT_APPLICABLE] = "does not apply"
};

static const struct test *const suites[] = { tests_submit, tests_signal,
					     tests_access, tests_map,
					     tests_life };
#define SUITES (sizeof(suites) / sizeof(suites[0]))

static struct fixture fixture;
static struct t t;
static unsigned number, failed;

/* "hal_SUB_3__..." is of clause "SUB-3". */
static bool is_of(const struct test *test, const char *id)
{
	size_t n = strlen(id);
	const char *name = test->name + 4;

	for (size_t i = 0; i < n; i++)
		if (name[i] != (id[i] == '-' ? '_' : id[i]))
			return false;
	return strncmp(name + n, "__", 2) == 0;
}

static const char *why_of(const struct fixture_clause *list, const char *id)
{
	for (; list && list->clause; list++)
		if (strcmp(list->clause, id) == 0)
			return list->why;
	return NULL;
}

/* --- one test ------------------------------------------------------------- */

static void run(const struct test *test)
{
	char clause[16], why[200];

	memset(&t, 0, sizeof(t));
	t.f = &fixture;
	t.verdict = PASS;
	watch_start(&fixture, t_marker(&t));
	if (setjmp(t.out) == 0) {
		if (test->needs & ~fixture.can)
			t_missing(&t, "a register file, or a line that is a "
				      "level (fixture.can)");
		test->run(&t);
	}
	if (t.verdict == NOT_IMPLEMENTED ||
	    !watch_broken(clause, sizeof(clause), why, sizeof(why)))
		return;
	/* what the observer saw says more than what came of it */
	t.verdict = FAIL;
	snprintf(t.why, sizeof(t.why), "%s: %s", clause, why);
}

static void tell(const struct test *test)
{
	bool bad = t.verdict == FAIL || t.verdict == NOT_IMPLEMENTED;

	failed += bad;
	printf("%sok %u - %s%s%s\n", bad ? "not " : "", ++number, test->name,
	       t.verdict == NOT_APPLICABLE ? " # SKIP " : "",
	       t.verdict == NOT_APPLICABLE ? t.why : "");
	if (bad)
		printf("#   %s\n", t.why);
	fflush(stdout);
}

/* --- one clause ----------------------------------------------------------- */

static bool wanted(const struct test *test, const char *id, char **names)
{
	if (!names[0])
		return true;
	for (; *names; names++)
		if (strcmp(*names, id) == 0 || strcmp(*names, test->name) == 0)
			return true;
	return false;
}

/* The verdict on a clause is that on its worst test. */
static enum verdict worse(enum verdict a, enum verdict b)
{
	static const int rank[] = { [NOT_APPLICABLE] = 0,
				    [PASS] = 1,
				    [FAIL] = 3,
				    [NOT_IMPLEMENTED] = 2 };

	return rank[b] > rank[a] ? b : a;
}

static void by_construction(const struct test *test, const char *why)
{
	printf("ok %u - %s: by construction: %s\n", ++number, test->name, why);
}

/* False: none of its tests was asked for. */
static bool clause(const struct clause *c, char **names, enum verdict *v)
{
	const char *never = why_of(fixture.by_construction, c->id);
	const char *undone = why_of(fixture.unfinished, c->id);
	bool some = false;

	*v = NOT_APPLICABLE;
	for (size_t s = 0; s < SUITES; s++)
		for (const struct test *p = suites[s]; p->name; p++) {
			if (!is_of(p, c->id) || !wanted(p, c->id, names))
				continue;
			some = true;
			if (never) {
				by_construction(p, never);
				continue;
			}
			if (undone) {
				t.verdict = NOT_IMPLEMENTED;
				snprintf(t.why, sizeof(t.why),
					 "not implemented: %s", undone);
			} else {
				run(p);
			}
			tell(p);
			*v = worse(*v, t.verdict);
		}
	return some;
}

static int run_all(char **names)
{
	static struct {
		enum verdict v;
		bool ran;
	} result[64];
	unsigned holds = 0, ran = 0;

	for (size_t i = 0; clauses[i].id; i++)
		result[i].ran = clause(&clauses[i], names, &result[i].v);
	printf("1..%u\n", number);
	printf("#\n# port %s, HAL version %u\n", fixture.name,
	       VBLK_HAL_VERSION);
	for (size_t i = 0; clauses[i].id; i++) {
		const char *never = why_of(fixture.by_construction,
					   clauses[i].id);

		if (!result[i].ran)
			continue;
		ran++;
		holds += result[i].v == PASS || result[i].v == NOT_APPLICABLE;
		printf("# %-7s %-15s  %-16s %s\n", clauses[i].id,
		       never ? "by construction" : markings[clauses[i].marking],
		       verdicts[result[i].v], never ? never : clauses[i].words);
	}
	printf("# %u of %u clauses hold or do not apply\n", holds, ran);
	return failed || ran == 0 ? 1 : 0;
}

/* --- the command line ----------------------------------------------------- */

static int list(void)
{
	for (const struct clause *c = clauses; c->id; c++) {
		printf("%-7s %-8s %-15s  %s\n", c->id, c->party,
		       markings[c->marking], c->words);
		for (size_t s = 0; s < SUITES; s++)
			for (const struct test *p = suites[s]; p->name; p++)
				if (is_of(p, c->id))
					printf("        %s\n", p->name);
	}
	return 0;
}

static bool known(const char *name)
{
	for (const struct clause *c = clauses; c->id; c++)
		if (strcmp(name, c->id) == 0)
			return true;
	for (size_t s = 0; s < SUITES; s++)
		for (const struct test *p = suites[s]; p->name; p++)
			if (strcmp(name, p->name) == 0)
				return true;
	return false;
}

int main(int argc, char **argv)
{
	int status;

	(void)argc;
	for (char **a = argv + 1; *a; a++) {
		if (strcmp(*a, "--help") == 0) {
			fputs(help, stdout);
			return 0;
		}
		if (strcmp(*a, "--list") == 0)
			return list();
		if (!known(*a)) {
			fprintf(stderr,
				"%s: %s: no such test or clause; see --list\n",
				argv[0], *a);
			return 2;
		}
	}
	if (fixture_open(&fixture)) {
		fprintf(stderr, "%s: the fixture cannot be opened: %s\n",
			argv[0], fixture.why);
		return 1;
	}
	status = run_all(argv + 1);
	fixture_close(&fixture);
	return status;
}

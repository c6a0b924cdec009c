/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * As much of libcheck's interface as our tests use, in one header, for targets
 * that have no libcheck of their own: a 32-bit build, a cross compiler. Each
 * test runs in a child process with a time limit; the summary line is
 * libcheck's, so that whoever counts need not know the difference.
 *
 * Written from libcheck's documented interface; CK_RUN_CASE, XML logs, tags and
 * floating point are left out.
 */
#ifndef VBLK_MINICHECK_H
#define VBLK_MINICHECK_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	MINICHECK_TESTS = 512,
	MINICHECK_CASES = 64,
	MINICHECK_FIXTURES = 8,
	MINICHECK_SUITES = 16
};

enum print_output { CK_SILENT, CK_MINIMAL, CK_NORMAL, CK_VERBOSE, CK_ENV };
enum fork_status { CK_FORK_GETENV, CK_FORK, CK_NOFORK };

typedef struct {
	const char *name;
	void (*fn)(int);
} TTest;

typedef void (*SFun)(void);

typedef struct {
	const TTest *test;
	int from, to, signal, status;
} mc_entry;

typedef struct {
	const char *name;
	unsigned timeout;
	int num_tests, num_checked, num_unchecked;
	mc_entry test[MINICHECK_TESTS];
	SFun checked[MINICHECK_FIXTURES][2], unchecked[MINICHECK_FIXTURES][2];
} TCase;

typedef struct {
	const char *name;
	int num_cases;
	TCase *tcase[MINICHECK_CASES];
} Suite;

typedef struct {
	int num_suites, checks, failures, errors;
	bool fork;
	Suite *suite[MINICHECK_SUITES];
} SRunner;

/* --- assertions ----------------------------------------------------------- */

__attribute__((noreturn, format(printf, 3, 4)))
static inline void mc_fail(const char *file, int line, const char *format, ...)
{
	__builtin_va_list ap;

	fflush(stdout);
	fprintf(stderr, "%s:%d: ", file, line);
	__builtin_va_start(ap, format);
	vfprintf(stderr, format, ap);
	__builtin_va_end(ap);
	fputc('\n', stderr);
	fflush(NULL);
	_exit(1);
}

#define ck_abort_msg(...) mc_fail(__FILE__, __LINE__, __VA_ARGS__)
#define ck_abort() ck_abort_msg("failed")
#define ck_assert_msg(expr, ...) \
	((expr) ? (void)0 : mc_fail(__FILE__, __LINE__, __VA_ARGS__))
#define ck_assert(expr) ck_assert_msg(expr, "Assertion '%s' failed", #expr)

#define MC_COMPARE(type, format, a, op, b) do { \
	type mc_a = (a); \
	type mc_b = (b); \
	ck_assert_msg(mc_a op mc_b, "Assertion '%s' failed: %s == %" format \
		      ", %s == %" format, #a " " #op " " #b, #a, mc_a, #b, \
		      mc_b); \
} while (0)
#define ck_assert_int_eq(a, b) MC_COMPARE(intmax_t, PRIdMAX, a, ==, b)
#define ck_assert_int_ne(a, b) MC_COMPARE(intmax_t, PRIdMAX, a, !=, b)
#define ck_assert_int_lt(a, b) MC_COMPARE(intmax_t, PRIdMAX, a, <, b)
#define ck_assert_int_le(a, b) MC_COMPARE(intmax_t, PRIdMAX, a, <=, b)
#define ck_assert_int_gt(a, b) MC_COMPARE(intmax_t, PRIdMAX, a, >, b)
#define ck_assert_int_ge(a, b) MC_COMPARE(intmax_t, PRIdMAX, a, >=, b)
#define ck_assert_uint_eq(a, b) MC_COMPARE(uintmax_t, PRIuMAX, a, ==, b)
#define ck_assert_uint_ne(a, b) MC_COMPARE(uintmax_t, PRIuMAX, a, !=, b)
#define ck_assert_uint_lt(a, b) MC_COMPARE(uintmax_t, PRIuMAX, a, <, b)
#define ck_assert_uint_le(a, b) MC_COMPARE(uintmax_t, PRIuMAX, a, <=, b)
#define ck_assert_uint_gt(a, b) MC_COMPARE(uintmax_t, PRIuMAX, a, >, b)
#define ck_assert_uint_ge(a, b) MC_COMPARE(uintmax_t, PRIuMAX, a, >=, b)
#define ck_assert_ptr_eq(a, b) MC_COMPARE(const void *, "p", a, ==, b)
#define ck_assert_ptr_ne(a, b) MC_COMPARE(const void *, "p", a, !=, b)
#define ck_assert_ptr_null(a) ck_assert_ptr_eq(a, NULL)
#define ck_assert_ptr_nonnull(a) ck_assert_ptr_ne(a, NULL)

#define MC_STRING(a, op, b) do { \
	const char *mc_a = (a), *mc_b = (b); \
	ck_assert_msg(mc_a && mc_b && strcmp(mc_a, mc_b) op 0, \
		      "Assertion '%s' failed: %s == \"%s\", %s == \"%s\"", \
		      #a " " #op " " #b, #a, mc_a ? mc_a : "(null)", #b, \
		      mc_b ? mc_b : "(null)"); \
} while (0)
#define ck_assert_str_eq(a, b) MC_STRING(a, ==, b)
#define ck_assert_str_ne(a, b) MC_STRING(a, !=, b)

#define MC_MEMORY(a, op, b, n) \
	ck_assert_msg(memcmp(a, b, n) op 0, "Assertion '%s' failed", \
		      #a " " #op " " #b)
#define ck_assert_mem_eq(a, b, n) MC_MEMORY(a, ==, b, n)
#define ck_assert_mem_ne(a, b, n) MC_MEMORY(a, !=, b, n)

/* --- tests ---------------------------------------------------------------- */

#define START_TEST(name) \
	static void name##_fn(int _i __attribute__((unused))); \
	static const TTest name##_ttest = { #name, name##_fn }; \
	static const TTest *const name = &name##_ttest; \
	static void name##_fn(int _i __attribute__((unused)))
#define END_TEST

static inline void *mc_new(size_t size)
{
	void *p = calloc(1, size);

	if (!p)
		abort();
	return p;
}

static inline void mc_bound(int n, int limit, const char *what)
{
	if (n < limit)
		return;
	fprintf(stderr, "minicheck: more than %d %s\n", limit, what);
	exit(2);
}

static inline Suite *suite_create(const char *name)
{
	Suite *s = mc_new(sizeof(*s));

	s->name = name;
	return s;
}

static inline TCase *tcase_create(const char *name)
{
	TCase *t = mc_new(sizeof(*t));

	t->name = name;
	t->timeout = 4;
	return t;
}

static inline void suite_add_tcase(Suite *s, TCase *t)
{
	mc_bound(s->num_cases, MINICHECK_CASES, "test cases");
	s->tcase[s->num_cases++] = t;
}

static inline void tcase_set_timeout(TCase *t, double seconds)
{
	t->timeout = (unsigned)seconds;
}

static inline void mc_add(TCase *t, const TTest *test, int signal, int status,
			  int from, int to)
{
	mc_bound(t->num_tests, MINICHECK_TESTS, "tests in a case");
	t->test[t->num_tests++] = (mc_entry){ test, from, to, signal, status };
}

#define tcase_add_test(t, f) mc_add(t, f, 0, 0, 0, 1)
#define tcase_add_loop_test(t, f, from, to) mc_add(t, f, 0, 0, from, to)
#define tcase_add_test_raise_signal(t, f, sig) mc_add(t, f, sig, 0, 0, 1)
#define tcase_add_exit_test(t, f, status) mc_add(t, f, 0, status, 0, 1)

static inline void tcase_add_checked_fixture(TCase *t, SFun setup,
					     SFun teardown)
{
	mc_bound(t->num_checked, MINICHECK_FIXTURES, "fixtures");
	t->checked[t->num_checked][0] = setup;
	t->checked[t->num_checked++][1] = teardown;
}

static inline void tcase_add_unchecked_fixture(TCase *t, SFun setup,
					       SFun teardown)
{
	mc_bound(t->num_unchecked, MINICHECK_FIXTURES, "fixtures");
	t->unchecked[t->num_unchecked][0] = setup;
	t->unchecked[t->num_unchecked++][1] = teardown;
}

/* --- running -------------------------------------------------------------- */

static inline void srunner_add_suite(SRunner *r, Suite *s)
{
	mc_bound(r->num_suites, MINICHECK_SUITES, "suites");
	r->suite[r->num_suites++] = s;
}

static inline SRunner *srunner_create(Suite *s)
{
	SRunner *r = mc_new(sizeof(*r));
	const char *env = getenv("CK_FORK");

	r->fork = !env || strcmp(env, "no") != 0;
	if (s)
		srunner_add_suite(r, s);
	return r;
}

static inline void srunner_set_fork_status(SRunner *r, enum fork_status f)
{
	if (f != CK_FORK_GETENV)
		r->fork = f == CK_FORK;
}

/* Fixtures in order, then backwards. */
static inline void mc_fixtures(SFun (*f)[2], int n, int side)
{
	int i;

	for (i = 0; i < n; i++) {
		SFun fn = f[side == 0 ? i : n - 1 - i][side];

		if (fn)
			fn();
	}
}

static inline void mc_child(TCase *t, const mc_entry *e, int i)
{
	mc_fixtures(t->checked, t->num_checked, 0);
	e->test->fn(i);
	mc_fixtures(t->checked, t->num_checked, 1);
}

static inline void mc_run(SRunner *r, TCase *t, const mc_entry *e, int i)
{
	int status;
	pid_t pid;

	r->checks++;
	if (!r->fork) {
		mc_child(t, e, i);
		return;
	}
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		alarm(t->timeout);
		mc_child(t, e, i);
		exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		perror("minicheck");
		exit(2);
	}
	if (WIFSIGNALED(status)
		    ? WTERMSIG(status) == e->signal
		    : e->signal == 0 && WEXITSTATUS(status) == e->status)
		return;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 1)
		r->failures++;
	else
		r->errors++;
	if (WIFSIGNALED(status))
		fprintf(stderr, "%s:%s:%d: signal %d\n", t->name, e->test->name,
			i, WTERMSIG(status));
	else
		fprintf(stderr, "%s:%s:%d: exit status %d\n", t->name,
			e->test->name, i, WEXITSTATUS(status));
}

static inline void srunner_run_all(SRunner *r, enum print_output mode)
{
	int s, c, e, i, good;

	(void)mode;
	for (s = 0; s < r->num_suites; s++)
		for (c = 0; c < r->suite[s]->num_cases; c++) {
			TCase *t = r->suite[s]->tcase[c];

			mc_fixtures(t->unchecked, t->num_unchecked, 0);
			for (e = 0; e < t->num_tests; e++)
				for (i = t->test[e].from; i < t->test[e].to;
				     i++)
					mc_run(r, t, &t->test[e], i);
			mc_fixtures(t->unchecked, t->num_unchecked, 1);
		}
	good = r->checks - r->failures - r->errors;
	printf("%d%%: Checks: %d, Failures: %d, Errors: %d\n",
	       r->checks ? good * 100 / r->checks : 100, r->checks, r->failures,
	       r->errors);
	fflush(stdout);
}

static inline int srunner_ntests_failed(const SRunner *r)
{
	return r->failures + r->errors;
}

static inline int srunner_ntests_run(const SRunner *r)
{
	return r->checks;
}

static inline void srunner_free(SRunner *r)
{
	int s, c;

	for (s = 0; s < r->num_suites; s++) {
		for (c = 0; c < r->suite[s]->num_cases; c++)
			free(r->suite[s]->tcase[c]);
		free(r->suite[s]);
	}
	free(r);
}

#endif

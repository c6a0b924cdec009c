/* SPDX-License-Identifier: BSD-2-Clause */
/* Results as TAP: a line for each test, the plan at the end. */
#include <stdarg.h>
#include <stdio.h>

#include "client.h"

bool tap_ok(struct tap *t, bool good, const char *format, ...)
{
	va_list ap;

	t->tests++;
	if (!good)
		t->failed++;
	printf("%sok %u - ", good ? "" : "not ", t->tests);
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	printf("\n");
	return good;
}

bool tap_did(struct tap *t, int error, const char *what, const char *why)
{
	return tap_ok(t, !error, "%s%s%s", what, error ? ": " : "",
		      error ? why : "");
}

void tap_skip(struct tap *t, const char *name, const char *why)
{
	t->tests++;
	printf("ok %u - %s # SKIP %s\n", t->tests, name, why);
}

void tap_note(const char *format, ...)
{
	va_list ap;

	printf("# ");
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	printf("\n");
}

void tap_load(struct tap *t, const struct load *l)
{
	struct load_counts c;

	load_total(l, &c);
	tap_note("%llu reads, %llu writes, %llu flushes, %llu discards, "
		 "%llu writes of zeroes, %llu ids; %llu sectors compared; "
		 "%llu kicks, %llu waits",
		 (unsigned long long)c.reads, (unsigned long long)c.writes,
		 (unsigned long long)c.flushes, (unsigned long long)c.discards,
		 (unsigned long long)c.zeroes, (unsigned long long)c.ids,
		 (unsigned long long)c.checked, (unsigned long long)c.kicks,
		 (unsigned long long)c.waits);
	if (c.short_len)
		tap_note("%llu completions with a used length less than what "
			 "was written",
			 (unsigned long long)c.short_len);
	if (load_failed(l))
		tap_note("first failure: %s", load_why(l));
	tap_ok(t, !c.mismatches, "data: %llu sectors are wrong",
	       (unsigned long long)c.mismatches);
	tap_ok(t, !c.errors, "status: %llu requests failed",
	       (unsigned long long)c.errors);
	tap_ok(t, !c.broken,
	       "completed once: %llu heads were completed that "
	       "were not in flight",
	       (unsigned long long)c.broken);
	tap_ok(t, !c.lost, "completed at all: %llu requests were lost",
	       (unsigned long long)c.lost);
	tap_ok(t, !c.silent, "notifications: %llu are missing",
	       (unsigned long long)c.silent);
	tap_ok(t, !c.strays, "memory: %llu writes where none was due",
	       (unsigned long long)c.strays);
	if (load_read_only(l))
		tap_ok(t, c.reads > 0, "the load was one: something was read");
	else
		tap_ok(t, c.writes > 0 && c.checked > 0,
		       "the load was one: something was written and compared");
}

int tap_end(const struct tap *t)
{
	printf("1..%u\n", t->tests);
	return t->failed ? EXIT_TEST : 0;
}

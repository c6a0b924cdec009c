/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JUnit XML: a testsuite for each configuration of the device, a testcase for
 * each test.
 */
#include "record.h"

static void escaped(FILE *to, const char *text)
{
	for (; text && *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '<')
			fputs("&lt;", to);
		else if (c == '>')
			fputs("&gt;", to);
		else if (c == '&')
			fputs("&amp;", to);
		else if (c == '"')
			fputs("&quot;", to);
		else if (c >= 32 || c == '\n' || c == '\t')
			fputc(c, to);
	}
}

static void element(FILE *to, const char *name, const char *message,
		    const char *text)
{
	fprintf(to, "<%s message=\"", name);
	escaped(to, message);
	fputs("\">", to);
	escaped(to, text);
	fprintf(to, "</%s>", name);
}

static void testcase(FILE *to, const struct record *r, const struct outcome *o)
{
	fprintf(to, "<testcase classname=\"%s\" name=\"%s\" time=\"%.4f\">",
		r->test->statements, r->test->name, o->ms / 1e3);
	if (o->result.verdict == SUITE_FAIL && !r->waiver)
		element(to, "failure", o->result.why, o->log);
	else if (o->result.verdict == SUITE_FAIL)
		element(to, "skipped", r->waiver, NULL);
	else if (o->result.verdict == SUITE_SKIP)
		element(to, "skipped", o->result.why, NULL);
	fputs("</testcase>\n", to);
}

static void testsuite(FILE *to, const struct run *u, unsigned on)
{
	unsigned tests = 0, failures = 0, skipped = 0;
	double ms = 0;

	for (unsigned i = 0; i < u->records; i++) {
		const struct outcome *o = &u->record[i].on[on];
		bool bad = o->result.verdict == SUITE_FAIL;

		if (!o->ran)
			continue;
		tests++;
		ms += o->ms;
		failures += bad && !u->record[i].waiver;
		skipped += o->result.verdict == SUITE_SKIP ||
			   (bad && u->record[i].waiver);
	}
	if (tests == 0)
		return;
	fputs("<testsuite name=\"", to);
	escaped(to, u->configuration[on]);
	fprintf(to,
		"\" tests=\"%u\" failures=\"%u\" errors=\"0\" skipped=\"%u\" "
		"time=\"%.3f\">\n",
		tests, failures, skipped, ms / 1e3);
	for (unsigned i = 0; i < u->records; i++)
		if (u->record[i].on[on].ran)
			testcase(to, &u->record[i], &u->record[i].on[on]);
	fputs("</testsuite>\n", to);
}

int report_junit(const char *path, const struct run *u)
{
	FILE *to = fopen(path, "w");
	bool bad;

	if (!to)
		return -1;
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	      "<testsuites name=\"vblk-conformance\">\n",
	      to);
	for (unsigned i = 0; i < u->configurations; i++)
		testsuite(to, u, i);
	fputs("</testsuites>\n", to);
	bad = ferror(to) != 0;
	return fclose(to) != 0 || bad ? -1 : 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One page for people, complete in itself: summary, what failed and what it
 * did, a matrix of statements, each test on each configuration, what has to
 * pass, waivers.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "record.h"

#define STATEMENTS 512u
#define ID_BYTES   40u

static const char style[] =
	":root{color-scheme:light dark;--ok:#1a7f37;--bad:#c62828;"
	"--no:#8a8f98;--we:#a15c00;--line:#8884}"
	"body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;"
	"max-width:75rem;padding:0 1rem}"
	"h1{font-size:1.6rem;margin-bottom:.2rem}h2{margin-top:2.2rem}"
	"table{border-collapse:collapse;width:100%}"
	"td,th{border-bottom:1px solid var(--line);padding:.25rem .5rem;"
	"text-align:left;vertical-align:top}"
	"th{position:sticky;top:0;background:Canvas}"
	".sum{display:flex;gap:1rem;flex-wrap:wrap}"
	".sum div{border:1px solid var(--line);border-radius:.5rem;"
	"padding:.6rem 1.2rem;min-width:6rem}"
	".sum b{display:block;font-size:1.7rem}"
	".pass{color:var(--ok)}.fail{color:var(--bad)}.skip{color:var(--no)}"
	".waived{color:var(--we)}"
	".grid{display:flex;flex-wrap:wrap;gap:.3rem}"
	".grid span{color:#fff;border-radius:.25rem;padding:.1rem .45rem;"
	"font-size:.8rem;font-family:ui-monospace,monospace}"
	".grid .pass{background:var(--ok)}.grid .fail{background:var(--bad)}"
	".grid .skip{background:#666c75}.grid .waived{background:var(--we)}"
	"pre{background:#8881;padding:.8rem;overflow-x:auto;max-height:30rem;"
	"font-size:.8rem}code{font-family:ui-monospace,monospace}"
	"details{margin:.4rem 0}summary{cursor:pointer}"
	".dim{color:var(--no)}";

static void escaped(FILE *to, const char *text)
{
	for (; text && *text; text++) {
		if (*text == '<')
			fputs("&lt;", to);
		else if (*text == '>')
			fputs("&gt;", to);
		else if (*text == '&')
			fputs("&amp;", to);
		else if (*text == '"')
			fputs("&quot;", to);
		else
			fputc(*text, to);
	}
}

/* pass, fail, waived or skip: also the name of its colour. */
static const char *class_of(const struct record *r)
{
	switch (record_verdict(r)) {
	case SUITE_PASS: return "pass";
	case SUITE_SKIP: return "skip";
	case SUITE_FAIL: break;
	}
	return r->waiver ? "waived" : "fail";
}

static const char *class_on(const struct record *r, unsigned on)
{
	static const char *const name[] = { "pass", "fail", "skip" };

	if (!r->on[on].ran)
		return "skip";
	if (r->on[on].result.verdict == SUITE_FAIL && r->waiver)
		return "waived";
	return name[r->on[on].result.verdict];
}

static const char *word_on(const struct record *r, unsigned on)
{
	const char *c = class_on(r, on);

	if (!r->on[on].ran)
		return "not run";
	return strcmp(c, "skip") == 0 ? "n/a" : c;
}

/* --- summary -------------------------------------------------------------- */

static void box(FILE *to, unsigned n, const char *what, const char *class)
{
	fprintf(to, "<div class=\"%s\"><b>%u</b>%s</div>", class, n, what);
}

static void summary(FILE *to, const struct run *u)
{
	struct sum s = run_sum(u);
	unsigned by_level[4] = { 0, 0, 0, 0 };
	bool bad;

	for (unsigned i = 0; i < u->records; i++)
		if (strcmp(class_of(&u->record[i]), "fail") == 0)
			by_level[u->record[i].test->level]++;
	bad = by_level[SUITE_MUST] != 0;
	fprintf(to, "<h1>virtio-blk device: <span class=\"%s\">%s</span></h1>",
		bad ? "fail" : "pass", bad ? "does not conform" : "conforms");
	fputs("<p class=\"dim\">", to);
	escaped(to, u->device);
	fprintf(to, " &middot; %s &middot; ", u->started);
	escaped(to, u->machine);
	fprintf(to, " &middot; vblk-conformance %s &middot; %.1f s</p>",
		u->version, u->seconds);
	fputs("<div class=\"sum\">", to);
	box(to, s.passed, "passed", "pass");
	box(to, s.failed, "failed", "fail");
	box(to, s.waived, "waived", "waived");
	box(to, s.skipped, "not applicable", "skip");
	fputs("</div>", to);
	if (s.failed)
		fprintf(to,
			"<p>Failed: %u of what a device must do, %u of what it "
			"should, %u of what it may, %u of our policy for "
			"faults of the guest. The first decide.</p>",
			by_level[SUITE_MUST], by_level[SUITE_SHOULD],
			by_level[SUITE_MAY], by_level[SUITE_POLICY]);
}

/* --- failures ------------------------------------------------------------- */

static void failure(FILE *to, const struct run *u, const struct record *r,
		    unsigned on)
{
	const struct outcome *o = &r->on[on];

	fprintf(to, "<details%s><summary><code class=\"%s\">%s</code> on ",
		r->waiver ? "" : " open", class_of(r), r->test->name);
	escaped(to, u->configuration[on]);
	fputs(": ", to);
	escaped(to, o->result.why);
	fputs("</summary><p>Expected: ", to);
	escaped(to, r->test->words);
	fprintf(to, " (%s; <code>%s</code>)</p>",
		suite_level_name(r->test->level), r->test->statements);
	if (r->waiver) {
		fputs("<p class=\"waived\">Waived: ", to);
		escaped(to, r->waiver);
		fputs("</p>", to);
	}
	if (o->log) {
		fputs("<pre>", to);
		escaped(to, o->log);
		fputs("</pre>", to);
	}
	fputs("</details>\n", to);
}

static void failures(FILE *to, const struct run *u)
{
	bool any = false;

	for (unsigned i = 0; i < u->records; i++) {
		for (unsigned on = 0; on < u->configurations; on++) {
			const struct outcome *o = &u->record[i].on[on];

			if (!o->ran || o->result.verdict != SUITE_FAIL)
				continue;
			if (!any)
				fputs("<h2>Failures</h2>", to);
			any = true;
			failure(to, u, &u->record[i], on);
		}
	}
}

/* --- statements ----------------------------------------------------------- */

struct statement {
	char id[ID_BYTES];
	char class[8];
	unsigned tests;
};

/* fail over waived over pass over skip */
static int weight(const char *class)
{
	return strcmp(class, "fail") == 0     ? 3
	       : strcmp(class, "waived") == 0 ? 2
	       : strcmp(class, "pass") == 0   ? 1
					      : 0;
}

static void count(struct statement *all, unsigned *n, const char *id,
		  size_t length, const char *class)
{
	unsigned i = 0;

	while (i < *n && (strlen(all[i].id) != length ||
			  memcmp(all[i].id, id, length) != 0))
		i++;
	if (i == STATEMENTS || length >= ID_BYTES)
		return;
	if (i == *n) {
		++*n;
		memcpy(all[i].id, id, length);
		all[i].id[length] = '\0';
		strcpy(all[i].class, "skip");
	}
	all[i].tests++;
	if (weight(class) > weight(all[i].class))
		strcpy(all[i].class, class);
}

/* A test of both kinds of ring says nothing of one that it did not run on. */
static const char *class_for(const struct record *r, const char *id)
{
	uint32_t rings = 0, needs = 0;

	if (strncmp(id, "PACKEDRING", 10) == 0 ||
	    strncmp(id, "POL-PACKED", 10) == 0)
		needs = SUITE_PACKED;
	for (unsigned i = 0; i < RECORD_CONFIGURATIONS; i++)
		rings |= r->on[i].ran ? r->on[i].result.rings : 0;
	return (rings & needs) == needs ? class_of(r) : "skip";
}

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct statement *)a)->id,
		      ((const struct statement *)b)->id);
}

static size_t area_length(const char *id)
{
	const char *dash = strchr(id, '-');

	return dash ? (size_t)(dash - id) : strlen(id);
}

static void statements(FILE *to, const struct run *u)
{
	static struct statement all[STATEMENTS];
	unsigned n = 0;

	for (unsigned i = 0; i < u->records; i++) {
		const char *p = u->record[i].test->statements;

		while (*p) {
			size_t length = strcspn(p, " ");

			count(all, &n, p, length, class_for(&u->record[i], p));
			p += length;
			p += strspn(p, " ");
		}
	}
	qsort(all, n, sizeof(all[0]), by_id);
	fputs("<h2>Statements</h2><p class=\"dim\">D: of the device, G: of "
	      "the driver, broken by a test; POL: spec/trust.md. Green: every "
	      "test passes; grey: not applicable here.</p>",
	      to);
	for (unsigned i = 0; i < n; i++) {
		size_t area = area_length(all[i].id);

		if (i == 0 || area_length(all[i - 1].id) != area ||
		    memcmp(all[i].id, all[i - 1].id, area) != 0)
			fprintf(to, "%s<h3>%.*s</h3><div class=\"grid\">",
				i ? "</div>" : "", (int)area, all[i].id);
		fprintf(to, "<span class=\"%s\" title=\"%u tests\">%s</span>",
			all[i].class, all[i].tests, all[i].id);
	}
	fputs("</div>", to);
}

/* --- tests ---------------------------------------------------------------- */

static void why_not(FILE *to, const struct run *u, const struct record *r)
{
	const struct outcome *o;
	unsigned on;

	if (record_verdict(r) == SUITE_PASS)
		return;
	o = record_first(r, u, record_verdict(r), &on);
	if (!o)
		return;
	fprintf(to, "<br><span class=\"%s\">", class_of(r));
	escaped(to, o->result.why);
	fputs("</span>", to);
}

static void tests(FILE *to, const struct run *u)
{
	fputs("<h2>Tests</h2><table><tr><th>test</th><th>level</th>"
	      "<th>expected</th>",
	      to);
	for (unsigned on = 0; on < u->configurations; on++) {
		fputs("<th>", to);
		escaped(to, u->configuration[on]);
		fputs("</th>", to);
	}
	fputs("</tr>\n", to);
	for (unsigned i = 0; i < u->records; i++) {
		const struct record *r = &u->record[i];

		fprintf(to, "<tr><td><code>%s</code></td><td>%s</td><td>",
			r->test->name, suite_level_name(r->test->level));
		escaped(to, r->test->words);
		fprintf(to, "<br><code class=\"dim\">%s</code>",
			r->test->statements);
		why_not(to, u, r);
		fputs("</td>", to);
		for (unsigned on = 0; on < u->configurations; on++)
			fprintf(to, "<td class=\"%s\">%s</td>", class_on(r, on),
				word_on(r, on));
		fputs("</tr>\n", to);
	}
	fputs("</table>", to);
}

static void must_pass(FILE *to, const struct run *u)
{
	fputs("<h2>Must pass</h2><p>A device conforms if each of these passes "
	      "or does not apply:</p><div class=\"grid\">",
	      to);
	for (unsigned i = 0; i < u->records; i++)
		if (u->record[i].test->level == SUITE_MUST)
			fprintf(to, "<span class=\"%s\">%s</span>",
				class_of(&u->record[i]),
				u->record[i].test->name);
	fputs("</div>", to);
}

static void waivers(FILE *to, const struct run *u)
{
	bool any = false;

	fputs("<h2>Waivers</h2>", to);
	for (unsigned i = 0; i < u->records; i++) {
		const struct record *r = &u->record[i];

		if (!r->waiver)
			continue;
		fprintf(to, "%s<tr><td><code>%s</code></td><td>%s</td><td>",
			any ? "" : "<table>", r->test->name, class_of(r));
		escaped(to, r->waiver);
		fputs("</td></tr>", to);
		any = true;
	}
	fputs(any ? "</table>" : "<p>None.</p>", to);
}

int report_html(const char *path, const struct run *u)
{
	FILE *to = fopen(path, "w");
	bool bad;

	if (!to)
		return -1;
	fprintf(to,
		"<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\">"
		"<meta name=\"viewport\" content=\"width=device-width\">"
		"<title>virtio-blk conformance</title><style>%s</style>\n",
		style);
	summary(to, u);
	failures(to, u);
	statements(to, u);
	must_pass(to, u);
	waivers(to, u);
	tests(to, u);
	fputs("</html>\n", to);
	bad = ferror(to) != 0;
	return fclose(to) != 0 || bad ? -1 : 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "report.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "driver.h"

#define REDRAW_NS UINT64_C(100000000)
#define NS_PER_S  1e9
#define BAR       30u

void report_open(struct report *r)
{
	r->terminal = isatty(STDERR_FILENO) == 1;
}

/* --- histogram ------------------------------------------------------------ */

static unsigned bucket_of(uint64_t ns)
{
	unsigned top;

	if (ns < REPORT_SUB)
		return (unsigned)ns;
	top = 63u - (unsigned)__builtin_clzll(ns);      /* at least 5 */
	return (top - 4u) * REPORT_SUB + (unsigned)(ns >> (top - 5u)) -
	       REPORT_SUB;
}

/* The largest value of a bucket. */
static uint64_t value_of(unsigned bucket)
{
	unsigned shift = bucket / REPORT_SUB;

	if (shift == 0)
		return bucket;
	return ((uint64_t)(bucket % REPORT_SUB + REPORT_SUB + 1u)
		<< (shift - 1u)) -
	       1u;
}

void report_request(struct report_class *c, uint64_t bytes,
		    uint64_t latency_ns)
{
	c->requests++;
	c->bytes += bytes;
	c->bucket[bucket_of(latency_ns)]++;
	if (latency_ns > c->max_ns)
		c->max_ns = latency_ns;
}

static uint64_t percentile(const struct report_class *c, unsigned percent)
{
	uint64_t seen = 0;

	for (unsigned i = 0; i < REPORT_BUCKETS; i++) {
		seen += c->bucket[i];
		if (seen * 100u >= c->requests * percent && seen > 0)
			return value_of(i) < c->max_ns ? value_of(i)
						       : c->max_ns;
	}
	return 0;
}

/* --- the bar -------------------------------------------------------------- */

void report_begin(struct report *r)
{
	r->pass_ns = r->drawn_ns = driver_now();
}

void report_progress(struct report *r, const char *what, uint64_t now,
		     uint64_t all)
{
	char bar[BAR + 1u];
	uint64_t t;
	double share = all ? (double)now / (double)all : 1.0;

	if (!r->terminal)
		return;
	t = driver_now();
	if (t - r->drawn_ns < REDRAW_NS)
		return;
	for (unsigned i = 0; i < BAR; i++)
		bar[i] = (double)i < share * BAR ? '#' : '.';
	bar[BAR] = 0;
	fprintf(stderr, "\r%-28s [%s] %3.0f %%  %6.0f MB/s\033[K", what, bar,
		share * 100.0,
		(double)now / 1e6 / ((double)(t - r->pass_ns) / NS_PER_S));
	fflush(stderr);
	r->drawn_ns = t;
	r->shown = true;
}

void report_end(struct report *r)
{
	if (!r->shown)
		return;
	fputs("\r\033[K", stderr);
	fflush(stderr);
	r->shown = false;
}

/* --- the table ------------------------------------------------------------ */

const char *report_bytes(uint64_t bytes, char out[REPORT_SIZE])
{
	static const char unit[] = "KMGTPE";
	double v = (double)bytes / 1024.0;
	unsigned i = 0;

	if (bytes < 1024u) {
		snprintf(out, REPORT_SIZE, "%" PRIu64 " B", bytes);
		return out;
	}
	for (; v >= 1024.0 && i < 5u; i++)
		v /= 1024.0;
	snprintf(out, REPORT_SIZE, "%.1f %ciB", v, unit[i]);
	return out;
}

static const char *span(uint64_t ns, char out[REPORT_SIZE])
{
	if (ns < 10000u)
		snprintf(out, REPORT_SIZE, "%.1f us", (double)ns / 1e3);
	else if (ns < 10000000u)
		snprintf(out, REPORT_SIZE, "%.0f us", (double)ns / 1e3);
	else
		snprintf(out, REPORT_SIZE, "%.0f ms", (double)ns / 1e6);
	return out;
}

static void latency(const struct report *r, const char *name, unsigned percent)
{
	const struct report_class *c[2] = { &r->reads, &r->writes };
	char text[REPORT_SIZE];

	printf("  %-26s", name);
	for (unsigned i = 0; i < 2; i++)
		printf("%14s",
		       c[i]->requests == 0
			       ? "-"
			       : span(percent == 100
					      ? c[i]->max_ns
					      : percentile(c[i], percent),
				      text));
	putchar('\n');
}

static const char *speed(const struct report_class *c, char out[REPORT_SIZE])
{
	if (c->busy_ns == 0)
		return "-";
	snprintf(out, REPORT_SIZE, "%.0f",
		 (double)c->bytes / 1e6 / ((double)c->busy_ns / NS_PER_S));
	return out;
}

void report_table(const struct report *r, const struct report_totals *t)
{
	uint64_t all = r->reads.requests + r->writes.requests + r->others;
	double n = all ? (double)all : 1.0;
	char a[REPORT_SIZE], b[REPORT_SIZE];

	printf("\n  %-26s%14s%14s\n", "", "reads", "writes");
	printf("  %-26s%14" PRIu64 "%14" PRIu64 "\n", "requests",
	       r->reads.requests, r->writes.requests);
	printf("  %-26s%14s%14s\n", "bytes", report_bytes(r->reads.bytes, a),
	       report_bytes(r->writes.bytes, b));
	printf("  %-26s%14s%14s\n", "MB/s, guest's work included",
	       speed(&r->reads, a), speed(&r->writes, b));
	latency(r, "latency p50", 50);
	latency(r, "latency p90", 90);
	latency(r, "latency p99", 99);
	latency(r, "latency max", 100);
	printf("  %-26s%14" PRIu64 "\n", "other requests", r->others);
	printf("  %-26s%14.3f\n", "kicks per request", (double)t->kicks / n);
	printf("  %-26s%14.3f\n", "interrupts per request",
	       (double)t->interrupts / n);
	printf("  %-26s%14" PRIu64 "\n", "register accesses", t->accesses);
	printf("  %-26s%14s\n", "engine", t->engine);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "stats.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TEXT 4096u              /* one disk's */
#define BAR  40u                /* characters of the longest bar */

struct text { char at[TEXT]; size_t len; };

static void put(struct text *t, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void put(struct text *t, const char *format, ...)
{
	size_t left = sizeof(t->at) - t->len;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(t->at + t->len, left, format, ap);
	va_end(ap);
	if (n > 0)
		t->len += (size_t)n < left ? (size_t)n : left - 1u;
}

static void put_latency(struct text *t, const struct lane_counts *c)
{
	uint64_t most = 0;

	for (unsigned b = 0; b < LATENCY_BUCKETS; b++)
		if (c->latency[b] > most)
			most = c->latency[b];
	for (unsigned b = 0; b < LATENCY_BUCKETS && most; b++) {
		char bar[BAR + 1u];
		size_t len = (size_t)(c->latency[b] * BAR / most);

		if (!c->latency[b])
			continue;
		memset(bar, '#', len);
		bar[len] = '\0';
		put(t, "  < %8" PRIu64 " us %12" PRIu64 " %s\n",
		    UINT64_C(1) << b, c->latency[b], bar);
	}
}

void stats_print(struct export *e)
{
	static struct text t;   /* the main thread's */
	struct vblk_stats s;
	struct lane_counts c;
	uint64_t mean;

	export_stats(e, &s, &c);
	mean = c.requests ? c.total_ns / c.requests : 0;
	t.len = 0;
	put(&t,
	    "%s: %" PRIu64 " reads, %" PRIu64 " writes, %" PRIu64
	    " bytes; %" PRIu64 " flushes, %" PRIu64 " discards, %" PRIu64
	    " writes of zeroes\n",
	    export_name(e), s.requests[VBLK_OP_READ], s.requests[VBLK_OP_WRITE],
	    s.bytes, s.requests[VBLK_OP_FLUSH], s.requests[VBLK_OP_DISCARD],
	    s.requests[VBLK_OP_WRITE_ZEROES]);
	put(&t,
	    "  %" PRIu64 " completed, %" PRIu64 " with errors, %" PRIu64
	    " unsupported, %" PRIu64 " malformed\n",
	    s.completed, s.errors, s.unsupported, s.contained);
	put(&t,
	    "  %" PRIu64 " kicks, %" PRIu64 " interrupts, %" PRIu64
	    " sleeps; mean latency %" PRIu64 ".%03" PRIu64 " us\n",
	    s.kicks, s.irqs, c.wakeups, mean / 1000u, mean % 1000u);
	put_latency(&t, &c);
	if (write(STDERR_FILENO, t.at, t.len) < 0)
		return;         /* nobody reads it */
}

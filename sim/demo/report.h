/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a person sees of a run: a progress bar on a terminal, and a table at the
 * end. Latencies go into a histogram of about 3 % steps.
 */
#ifndef DEMO_REPORT_H
#define DEMO_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#define REPORT_SUB     32u      /* steps in each power of two of nanoseconds */
#define REPORT_BUCKETS (64u * REPORT_SUB)

struct report_class {           /* reads, or writes */
	uint64_t requests, bytes;
	uint64_t busy_ns;       /* time of the passes, guest's work included */
	uint64_t max_ns;
	uint64_t bucket[REPORT_BUCKETS];
};

struct report {
	struct report_class reads, writes;
	uint64_t others;        /* flush, discard, write zeroes, GET_ID */
	bool terminal;          /* is stderr one? */
	bool shown;             /* there is a bar on it */
	uint64_t drawn_ns;      /* when it was drawn last */
	uint64_t pass_ns;       /* when this pass began */
};

void report_open(struct report *r);

/* One request of this class took latency_ns. */
void report_request(struct report_class *c, uint64_t bytes,
		    uint64_t latency_ns);

/* A pass begins, goes on, ends: what is it doing, how far is it, in bytes. */
void report_begin(struct report *r);
void report_progress(struct report *r, const char *what, uint64_t now,
		     uint64_t all);
void report_end(struct report *r);

/* 12345678 bytes as "11.8 MiB". */
#define REPORT_SIZE 16u
const char *report_bytes(uint64_t bytes, char out[REPORT_SIZE]);

struct report_totals {
	uint64_t kicks, interrupts, accesses;
	const char *engine;
};

void report_table(const struct report *r, const struct report_totals *t);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tests, and how one is run. A program that has a struct dut needs nothing
 * else:
 *
 *	struct suite *s = memory of suite_bytes(), aligned to 16;
 *	for (i = 0; (t = suite_test(i)) != NULL; i++) {
 *		suite_run(s, &dut, t, &result);
 *		... print result ...
 *	}
 *
 * suite_run opens the device first and leaves it reset. It never hangs as long
 * as the operations of the dut do not. Freestanding, like dut.h.
 */
#ifndef SUITE_H
#define SUITE_H

#include "dut.h"

#define SUITE_WHY 240u          /* bytes, with the end */

enum suite_level {
	SUITE_MUST,
	SUITE_SHOULD,
	SUITE_MAY,
	SUITE_POLICY            /* ours: spec/trust.md */
};

enum suite_verdict {
	SUITE_PASS,
	SUITE_FAIL,
	SUITE_SKIP              /* not applicable, and why */
};

struct suite;

struct suite_test {
	const char *name;       /* "split.used_len", unique */
	const char *statements; /* "SPLITRING-D011 SPLITRING-D012" */
	const char *words;      /* what is expected, in a few words of ours */
	enum suite_level level;
	uint32_t can;           /* DUT_ bits without which it cannot run */
	uint64_t features;      /* that must be offered */
	uint32_t flags;         /* SUITE_ bits */
	void (*run)(struct suite *s);
};

#define SUITE_SPLIT    (1u << 0) /* run on a split ring; with both flags */
#define SUITE_PACKED   (1u << 1) /* on each that is offered, one by one */
#define SUITE_WRITABLE (1u << 2) /* not for a read-only disk */
#define SUITE_ANYBODY  (1u << 3) /* a policy that every device should have */

struct suite_result {
	enum suite_verdict verdict;
	uint32_t rings;         /* SUITE_SPLIT, SUITE_PACKED: where it ran to
				 * its end or to a failure */
	char why[SUITE_WHY];    /* of a failure or a skip */
};

/* In the order to be run; NULL: there are no more. */
const struct suite_test *suite_test(uint32_t i);

size_t suite_bytes(void);

void suite_run(struct suite *s, struct dut *d, const struct suite_test *t,
	       struct suite_result *r);

const char *suite_level_name(enum suite_level l);

#endif

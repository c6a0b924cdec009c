/* SPDX-License-Identifier: BSD-2-Clause */
/*
 *     inject PID [TID [PATH]]
 *
 * Makes a thread of PID (TID, else one that sleeps in a system call) open PATH
 * (else /etc/passwd), and says what came of it. Exit status 0: the call was
 * made; 3: a filter refused it, and the process dies of SIGSYS if that is the
 * filter's way; 1: it could not be tried; 2: usage.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inject.h"

int main(int argc, char **argv)
{
	const char *path = argc > 3 ? argv[3] : "/etc/passwd";
	char why[256];
	long value;
	pid_t tid;

	if (argc < 2 || argc > 4 || atol(argv[1]) <= 0) {
		fprintf(stderr, "usage: inject PID [TID [PATH]]\n");
		return 2;
	}
	tid = argc > 2 ? (pid_t)atol(argv[2])
		       : inject_find((pid_t)atol(argv[1]));
	if (tid <= 0) {
		fprintf(stderr, "inject: no thread of %s sleeps in a call\n",
			argv[1]);
		return 1;
	}
	switch (inject_openat(tid, path, &value, why, sizeof(why))) {
	case INJECT_RAN:
		printf("openat in thread %ld: %ld%s%s\n", (long)tid, value,
		       value < 0 ? ", " : "",
		       value < 0 ? strerror((int)-value) : "");
		return 0;
	case INJECT_REFUSED:
		printf("openat in thread %ld: refused with SIGSYS\n",
		       (long)tid);
		return 3;
	case INJECT_DIED:
		printf("openat in thread %ld: died of signal %ld\n", (long)tid,
		       value);
		return 3;
	case INJECT_FAILED: break;
	}
	fprintf(stderr, "inject: %s\n", why);
	return 1;
}

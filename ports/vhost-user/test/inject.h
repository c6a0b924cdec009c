/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A system call put into another process, as somebody would make it who had
 * taken that process over. With ptrace: a thread that sleeps in a system call
 * is sent through the same instruction again, with other registers, and then
 * goes on where it was.
 *
 * x86-64 and aarch64. Needs the right to trace the process: its user, and with
 * Yama kernel.yama.ptrace_scope=0 or CAP_SYS_PTRACE.
 */
#ifndef INJECT_H
#define INJECT_H

#include <stddef.h>
#include <sys/types.h>

enum inject_result {
	INJECT_RAN,             /* *value: what the call returned, or -errno */
	INJECT_REFUSED,         /* a filter answered with SIGSYS; the process
				 * has it, untraced, when we return */
	INJECT_DIED,            /* the call killed the thread; *value: signal */
	INJECT_FAILED           /* why says what did not work */
};

/* openat(AT_FDCWD, path, O_RDONLY) in one thread: its tid. */
enum inject_result inject_openat(pid_t tid, const char *path, long *value,
				 char *why, size_t why_size);

/* A thread of pid that sleeps in a system call; 0: there is none. */
pid_t inject_find(pid_t pid);

#endif

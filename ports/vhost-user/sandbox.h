/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A process that speaks with a guest through its memory, and with a VMM, gives
 * up what it does not need, so that whoever takes it over gets a disk that he
 * had already. In two steps, because each has its moment:
 *
 *     parse options, bind sockets, connect
 *     sandbox_files      before the first thread: what it does is inherited
 *     open the images, start threads, make rings, timers, epolls
 *     sandbox_calls      after the last one: it reaches all that are there
 *     serve
 *
 * After sandbox_files the process opens no file but the images, gets no new
 * rights, and has limits. After sandbox_calls it makes only those system calls
 * that serving takes: it opens nothing, makes no socket, thread or process, and
 * no memory executable. A call outside the list kills the process by SIGSYS,
 * after one line on standard error with the call's name.
 *
 * io_uring passes by the second step: a ring does what its queue says. So rings
 * have to be made restricted (IORING_REGISTER_RESTRICTIONS) before it; no other
 * ring can be made after it.
 *
 * What looks harmless and is not, after sandbox_calls: localtime (looks at
 * /etc/localtime), sysconf(_SC_NPROCESSORS_ONLN) and qsort of more than 1 KiB
 * (ask the system), pthread_exit and pthread_cancel (load a library; returning
 * is fine), pthread_setname_np. Threads must not block SIGSYS, or they die
 * without the line.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sandbox_image {
	const char *path;       /* not there: no rule, opening it says why */
	bool read_only;
};

struct sandbox_options {
	const struct sandbox_image *images;
	size_t num_images;
	const char *const *socket_dirs; /* where sockets are unlinked at exit */
	size_t num_dirs;
	unsigned max_fds;       /* descriptors; 0: as they are limited now */
	uint64_t max_address_space; /* bytes; 0: no limit */
	void (*say)(const char *line); /* what this kernel lacks, and what is
				 * kept although it should go; NULL: silent */
};

/*
 * Both: 0, or -1 with one line in why. A kernel without Landlock or seccomp is
 * no failure: say hears of it, and the rest is done.
 */

/*
 * Thread: the only one. It drops all capabilities, so a socket that lies in
 * another user's directory stays there at exit. One is kept, and said, if an
 * image cannot be opened otherwise: CAP_DAC_OVERRIDE. Allocations come from one
 * arena afterwards: glibc's others open files in /proc.
 */
int sandbox_files(const struct sandbox_options *o, char *why, size_t why_size)
	__attribute__((warn_unused_result));

/* Thread: any, once. Installs a handler of SIGSYS. */
int sandbox_calls(const struct sandbox_options *o, char *why, size_t why_size)
	__attribute__((warn_unused_result));

#endif

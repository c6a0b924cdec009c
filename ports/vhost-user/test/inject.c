/* SPDX-License-Identifier: BSD-2-Clause */
#include "inject.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>

#define ATTEMPTS  200           /* 10 ms apart, to find one asleep */
#define BELOW     1024          /* of the stack pointer: past any red zone */
#define PATH_ROOM 256
#define CODE_SECCOMP 1          /* SYS_SECCOMP */

/* --- the processor ------------------------------------------------------- */

#if defined(__x86_64__)

typedef struct user_regs_struct registers;

#define INSTRUCTION 0x050fu     /* syscall */
#define INSTRUCTION_MASK 0xffffu
#define INSTRUCTION_SIZE 2u

static unsigned long *counter(registers *r)
{
	return (unsigned long *)&r->rip;
}

static unsigned long stack(const registers *r)
{
	return r->rsp;
}

static long returned(const registers *r)
{
	return (long)r->rax;
}

static void prepare(registers *r, const unsigned long arg[4])
{
	r->orig_rax = ~0ull;    /* it is in no call that has to be restarted */
	r->rax = SYS_openat;
	r->rdi = arg[0];
	r->rsi = arg[1];
	r->rdx = arg[2];
	r->r10 = arg[3];
}

#elif defined(__aarch64__)

typedef struct user_regs_struct registers;

#define INSTRUCTION 0xd4000001u /* svc #0 */
#define INSTRUCTION_MASK 0xffffffffu
#define INSTRUCTION_SIZE 4u

static unsigned long *counter(registers *r)
{
	return (unsigned long *)&r->pc;
}

static unsigned long stack(const registers *r)
{
	return r->sp;
}

static long returned(const registers *r)
{
	return (long)r->regs[0];
}

static void prepare(registers *r, const unsigned long arg[4])
{
	r->regs[8] = SYS_openat;
	for (unsigned i = 0; i < 4; i++)
		r->regs[i] = arg[i];
}

#else
#error "registers of this processor"
#endif

static bool load(pid_t tid, registers *r)
{
	struct iovec v = { r, sizeof(*r) };

	return !ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRSTATUS, &v);
}

static bool store(pid_t tid, registers *r)
{
	struct iovec v = { r, sizeof(*r) };

	return !ptrace(PTRACE_SETREGSET, tid, (void *)NT_PRSTATUS, &v);
}

/*
 * The instruction that made the call lies before the program counter, or at it
 * where the kernel has set it back already to restart the call.
 */
static bool rewind_to_call(pid_t tid, registers *r)
{
	for (unsigned back = INSTRUCTION_SIZE;; back = 0) {
		unsigned long at = *counter(r) - back;
		long word;

		errno = 0;
		word = ptrace(PTRACE_PEEKTEXT, tid, (void *)at, NULL);
		if (!errno &&
		    ((unsigned long)word & INSTRUCTION_MASK) == INSTRUCTION) {
			*counter(r) = at;
			return true;
		}
		if (!back)
			return false;
	}
}

/* --- stops --------------------------------------------------------------- */

enum stop { STOP_CALL, STOP_EVENT, STOP_SIGNAL, STOP_GONE };

/* *number: the signal that is to be delivered, or what it died of */
static enum stop next_stop(pid_t tid, int *number)
{
	int status = 0;

	*number = 0;
	if (waitpid(tid, &status, __WALL) != tid)
		return STOP_GONE;
	if (!WIFSTOPPED(status)) {
		*number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
		return STOP_GONE;
	}
	*number = WSTOPSIG(status);
	if (*number == (SIGTRAP | 0x80))
		return STOP_CALL;
	return status >> 16 == PTRACE_EVENT_STOP ? STOP_EVENT : STOP_SIGNAL;
}

static void resume(pid_t tid, bool to_call, int number)
{
	(void)ptrace(to_call ? PTRACE_SYSCALL : PTRACE_CONT, tid, NULL,
		     (void *)(long)number);
}

/* Goes on until a stop of that kind; signals that come are delivered. */
static enum stop run_to(pid_t tid, enum stop wanted, int *number)
{
	enum stop stop = STOP_EVENT;

	*number = 0;
	do {
		resume(tid, wanted == STOP_CALL,
		       stop == STOP_SIGNAL ? *number : 0);
		stop = next_stop(tid, number);
	} while (stop != wanted && stop != STOP_GONE);
	return stop;
}

static bool stop_thread(pid_t tid)
{
	int number;

	if (ptrace(PTRACE_SEIZE, tid, NULL, (void *)PTRACE_O_TRACESYSGOOD))
		return false;
	if (!ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) &&
	    next_stop(tid, &number) == STOP_EVENT)
		return true;
	(void)ptrace(PTRACE_DETACH, tid, NULL, NULL);
	return false;
}

static bool sigsys_pending(pid_t tid)
{
	struct __ptrace_peeksiginfo_args from = { .nr = 1 };
	siginfo_t info;

	return ptrace(PTRACE_PEEKSIGINFO, tid, &from, &info) == 1 &&
	       info.si_signo == SIGSYS && info.si_code == CODE_SECCOMP;
}

static bool write_path(pid_t tid, unsigned long at, const char *path)
{
	char text[PATH_ROOM] = "";
	long word;

	(void)snprintf(text, sizeof(text), "%s", path);
	for (size_t i = 0; i < sizeof(text); i += sizeof(word)) {
		memcpy(&word, text + i, sizeof(word));
		if (ptrace(PTRACE_POKEDATA, tid, (void *)(at + i), word))
			return false;
	}
	return true;
}

/* --- the call ------------------------------------------------------------ */

/* Through the instruction; then back to where a signal would be looked at. */
static enum inject_result step(pid_t tid, registers *old, long *value)
{
	registers now;
	bool refused;
	int number = 0;

	if (run_to(tid, STOP_CALL, &number) == STOP_GONE ||
	    run_to(tid, STOP_CALL, &number) == STOP_GONE) {
		*value = number;
		return INJECT_DIED;
	}
	refused = sigsys_pending(tid);
	if (!load(tid, &now))
		return INJECT_FAILED;
	*value = returned(&now);
	/* The kernel restarts the old call only from such a stop */
	if (ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) ||
	    run_to(tid, STOP_EVENT, &number) == STOP_GONE) {
		*value = number;
		return INJECT_DIED;
	}
	if (!store(tid, old))
		return INJECT_FAILED;
	return refused ? INJECT_REFUSED : INJECT_RAN;
}

enum inject_result inject_openat(pid_t tid, const char *path, long *value,
				 char *why, size_t why_size)
{
	enum inject_result result = INJECT_FAILED;
	unsigned long arg[4] = { (unsigned long)(long)AT_FDCWD, 0, O_RDONLY,
				 0 };
	registers old, r;

	*value = 0;
	if (!stop_thread(tid)) {
		(void)snprintf(why, why_size, "cannot trace thread %ld: %s",
			       (long)tid, strerror(errno));
		return INJECT_FAILED;
	}
	(void)snprintf(why, why_size, "thread %ld is in no system call",
		       (long)tid);
	if (!load(tid, &old))
		goto out;
	r = old;
	arg[1] = (stack(&r) - BELOW) & ~7ul;
	if (!rewind_to_call(tid, &r))
		goto out;
	prepare(&r, arg);
	if (write_path(tid, arg[1], path) && store(tid, &r))
		result = step(tid, &old, value);
	if (result == INJECT_FAILED)
		(void)snprintf(why, why_size, "thread %ld: %s", (long)tid,
			       strerror(errno));
out:
	if (result != INJECT_DIED)
		(void)ptrace(PTRACE_DETACH, tid, NULL, NULL);
	return result;
}

static bool asleep(pid_t pid, const char *tid)
{
	char path[64], text[16] = "";
	FILE *in;

	(void)snprintf(path, sizeof(path), "/proc/%ld/task/%.20s/syscall",
		       (long)pid, tid);
	in = fopen(path, "re");
	if (!in)
		return false;
	if (!fgets(text, sizeof(text), in))
		*text = '\0';
	(void)fclose(in);
	return *text >= '0' && *text <= '9';    /* else "running", or "-1" */
}

pid_t inject_find(pid_t pid)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	char path[64];
	pid_t found = 0;

	(void)snprintf(path, sizeof(path), "/proc/%ld/task", (long)pid);
	for (int i = 0; !found && i < ATTEMPTS; i++) {
		DIR *dir = opendir(path);
		struct dirent *e;

		if (!dir)
			return 0;
		while (!found && (e = readdir(dir)))
			if (*e->d_name != '.' && asleep(pid, e->d_name))
				found = (pid_t)atol(e->d_name);
		(void)closedir(dir);
		if (!found)
			(void)nanosleep(&pause, NULL);
	}
	return found;
}

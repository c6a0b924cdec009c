/* SPDX-License-Identifier: BSD-2-Clause */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/landlock.h>
#include <malloc.h>
#include <seccomp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define LINE        512
#define CAPS        64          /* bits of a capability set */
#define CALLS       1024        /* numbers whose names are kept */
#define CALL_NAME   48

#define SECCOMP_CODE 1          /* SYS_SECCOMP of siginfo; not in glibc */

/* Newer than the headers this is built with, perhaps */
#define FS_TRUNCATE   (UINT64_C(1) << 14)       /* Landlock ABI 3 */
#define FS_IOCTL_DEV  (UINT64_C(1) << 15)       /* 5 */
#define FS_OF_ABI_1   (FS_TRUNCATE / 2u - 1u)   /* 13 of them */
#define NET_TCP       UINT64_C(3)               /* 4: bind, connect */
#define SCOPED        UINT64_C(3)               /* 6: abstract sockets, kill */

struct ruleset {                /* struct landlock_ruleset_attr, all of it */
	uint64_t fs, net, scoped;
};

struct reason {
	char *text;
	size_t size;
};

static int fail(const struct reason *why, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void say(const struct sandbox_options *o, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int fail(const struct reason *why, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(why->text, why->size, format, ap);
	va_end(ap);
	return -1;
}

static void say(const struct sandbox_options *o, const char *format, ...)
{
	char line[LINE];
	va_list ap;

	if (!o->say)
		return;
	va_start(ap, format);
	(void)vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	o->say(line);
}

/* --- files: Landlock ----------------------------------------------------- */

/* Where nothing can be opened there is nothing to allow. */
static int allow(int ruleset, const char *path, bool dir, uint64_t access,
		 uint64_t if_device, const struct reason *why)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = access };
	int err = 0, fd = open(path, O_PATH | O_CLOEXEC);
	struct stat st = { 0 };

	if (fd < 0 || fstat(fd, &st))
		return 0;
	rule.parent_fd = fd;
	if (S_ISBLK(st.st_mode))
		rule.allowed_access |= if_device;
	if (dir ? S_ISDIR(st.st_mode)
		: S_ISREG(st.st_mode) || S_ISBLK(st.st_mode))
		err = (int)syscall(SYS_landlock_add_rule, ruleset,
				   LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	if (err)
		(void)fail(why, "%s: Landlock: %s", path, strerror(errno));
	(void)close(fd);
	return err;
}

/* Everything this kernel can forbid, the rules excepted. -1: no Landlock. */
static int make_ruleset(const struct sandbox_options *o, struct ruleset *all)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
			   LANDLOCK_CREATE_RULESET_VERSION);
	int fd;

	all->fs = FS_OF_ABI_1;
	if (abi >= 2)
		all->fs |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= 3)
		all->fs |= FS_TRUNCATE;
	if (abi >= 5)
		all->fs |= FS_IOCTL_DEV;
	all->net = abi >= 4 ? NET_TCP : 0;
	all->scoped = abi >= 6 ? SCOPED : 0;
	/* a kernel that knows less of the structure takes it, its end zero */
	fd = abi < 1 ? -1
		     : (int)syscall(SYS_landlock_create_ruleset, all,
				    sizeof(*all), 0);
	if (fd < 0)
		say(o, "no Landlock here (%s): files are not restricted",
		    strerror(errno));
	return fd;
}

/* Truncation is no one's right: a disk is as large as it was made. */
static int fill_ruleset(const struct sandbox_options *o, int ruleset,
			const struct ruleset *all, const struct reason *why)
{
	for (size_t i = 0; i < o->num_images; i++) {
		uint64_t access = LANDLOCK_ACCESS_FS_READ_FILE;

		if (!o->images[i].read_only)
			access |= LANDLOCK_ACCESS_FS_WRITE_FILE;
		if (allow(ruleset, o->images[i].path, false, access,
			  FS_IOCTL_DEV & all->fs, why)) /* its size */
			return -1;
	}
	for (size_t i = 0; i < o->num_dirs; i++)
		if (allow(ruleset, o->socket_dirs[i], true,
			  LANDLOCK_ACCESS_FS_REMOVE_FILE, 0, why))
			return -1;
	return 0;
}

/* --- files: limits and rights -------------------------------------------- */

/* Never RLIMIT_NPROC: the workers of io_uring count as processes. */
static int limit(const struct sandbox_options *o, const struct reason *why)
{
	struct rlimit fds = { o->max_fds, o->max_fds }, now = { 0, 0 };
	struct rlimit space = { (rlim_t)o->max_address_space,
				(rlim_t)o->max_address_space };

	(void)getrlimit(RLIMIT_NOFILE, &now);
	if (o->max_fds && setrlimit(RLIMIT_NOFILE, &fds)) {
		fds.rlim_cur = fds.rlim_max = now.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &fds))
			return fail(why, "limit of %u descriptors: %s",
				    o->max_fds, strerror(errno));
		say(o,
		    "only %llu of %u descriptors may be had: raise their "
		    "limit (ulimit -n, LimitNOFILE=)",
		    (unsigned long long)now.rlim_max, o->max_fds);
	}
	if (o->max_address_space && setrlimit(RLIMIT_AS, &space))
		return fail(why, "limit of address space: %s", strerror(errno));
	return 0;
}

/*
 * This thread's, and those of the threads it makes. Who has none may not be
 * allowed to ask for none (SystemCallFilter= of systemd).
 */
static int set_caps(uint64_t effective, uint64_t permitted)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct set[_LINUX_CAPABILITY_U32S_3], now[2];

	for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		set[i].effective = (uint32_t)(effective >> (32u * i));
		set[i].permitted = (uint32_t)(permitted >> (32u * i));
		set[i].inheritable = 0;
	}
	if (!syscall(SYS_capget, &head, now) && !memcmp(now, set, sizeof(now)))
		return 0;
	return (int)syscall(SYS_capset, &head, set);
}

/*
 * Root without capabilities is a user like others, who may have no right to the
 * image. Then he keeps one of them, which is worth nothing any more once no
 * file can be opened.
 */
static int drop_caps(const struct sandbox_options *o, const struct reason *why)
{
	const uint64_t dac = UINT64_C(1) << CAP_DAC_OVERRIDE;
	uint64_t keep = 0;

	for (unsigned long c = 0; c < CAPS; c++)
		if (prctl(PR_CAPBSET_READ, c, 0, 0, 0) > 0)
			(void)prctl(PR_CAPBSET_DROP, c, 0, 0, 0);
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	/* tried with none in effect; who does not have it cannot keep it */
	for (size_t i = 0; !set_caps(0, dac) && i < o->num_images; i++) {
		const struct sandbox_image *image = &o->images[i];
		int mode = image->read_only ? R_OK : R_OK | W_OK;

		if (keep ||
		    !faccessat(AT_FDCWD, image->path, mode, AT_EACCESS) ||
		    errno != EACCES)
			continue;
		keep = dac;
		say(o,
		    "%s: user %ld has no right to it: CAP_DAC_OVERRIDE is "
		    "kept; better run as its owner",
		    image->path, (long)geteuid());
	}
	if (set_caps(keep, keep))
		return fail(why, "cannot drop capabilities: %s",
			    strerror(errno));
	return 0;
}

static int restrict_self(int ruleset, const struct reason *why)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return fail(why, "no_new_privs: %s", strerror(errno));
	if (ruleset >= 0 && syscall(SYS_landlock_restrict_self, ruleset, 0))
		return fail(why, "Landlock: %s", strerror(errno));
	(void)mallopt(M_ARENA_MAX, 1); /* no glibc, no arenas */
	return 0;
}

int sandbox_files(const struct sandbox_options *o, char *why, size_t why_size)
{
	const struct reason r = { why, why_size };
	struct ruleset all;
	int ruleset = make_ruleset(o, &all);
	int err = ruleset < 0 ? 0 : fill_ruleset(o, ruleset, &all, &r);

	if (!err)
		err = limit(o, &r);
	if (!err)
		err = drop_caps(o, &r);
	if (!err)
		err = restrict_self(ruleset, &r);
	if (ruleset >= 0)
		(void)close(ruleset);
	return err;
}

/* --- calls: what is said of one that is not allowed ----------------------- */

static char named[CALLS][CALL_NAME]; /* "openat (257)"; before the filter */

/*
 * Returning would go on behind a call that was not made. SA_RESETHAND has set
 * the action back to the default, which is to die, and SA_NODEFER lets the
 * signal in at once. If the signal was blocked or another thread is here
 * already, the kernel kills us without asking.
 */
static void refused(int number, siginfo_t *info, void *context)
{
	static const char before[] = "seccomp: system call ";
	static const char after[] = " is not allowed; a defect, or somebody "
				    "broke in: the process ends\n";
	unsigned nr = (unsigned)info->si_syscall;
	const char *name = nr < CALLS ? named[nr] : "of no known number";
	struct iovec line[] = { { (void *)(uintptr_t)before, strlen(before) },
				{ (void *)(uintptr_t)name, strlen(name) },
				{ (void *)(uintptr_t)after, strlen(after) } };

	(void)context;
	if (info->si_code == SECCOMP_CODE)      /* else somebody's kill() */
		(void)!writev(STDERR_FILENO, line, 3);
	(void)syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), number);
	__builtin_trap();
}

static int watch(void)
{
	struct sigaction act = { .sa_sigaction = refused,
				 .sa_flags = SA_SIGINFO | SA_NODEFER |
					     (int)SA_RESETHAND };

	for (int nr = 0; nr < CALLS; nr++) {
		char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE,
							      nr);

		(void)snprintf(named[nr], CALL_NAME, "%s (%d)",
			       name ? name : "unknown", nr);
		free(name);
	}
	sigemptyset(&act.sa_mask);
	return sigaction(SIGSYS, &act, NULL);
}

/* --- calls: the list ------------------------------------------------------ */

#define ANY(call) { SCMP_SYS(call), false, 0, 0, 0 }
#define IF(call, arg, mask, value) \
	{ SCMP_SYS(call), true, arg, mask, (uint32_t)(value) }
#define WORD UINT32_MAX         /* where the kernel reads 32 bits only */

static const struct rule {      /* if checked, (argument & mask) == value */
	int call;
	bool checked;
	unsigned arg;
	uint32_t mask, value;
} rules[] = {
	/* requests */
	ANY(io_uring_enter), ANY(preadv2), ANY(pwritev2), ANY(preadv),
	ANY(pwritev), ANY(pread64), ANY(pwrite64), ANY(fdatasync), ANY(fsync),
	ANY(fallocate), ANY(lseek),
	/* events */
	ANY(epoll_wait), ANY(epoll_pwait), ANY(epoll_pwait2), ANY(epoll_ctl),
	ANY(poll), ANY(ppoll), ANY(eventfd2), ANY(timerfd_settime),
	ANY(timer_create), ANY(timer_settime), ANY(timer_delete),
	ANY(getpeername), ANY(read),
	ANY(readv), ANY(write), ANY(writev), ANY(close),
	/* the front end */
	ANY(accept4), ANY(recvmsg), ANY(sendmsg), ANY(shutdown),
	/* its memory, the in-flight log, malloc: nothing to execute */
	IF(mmap, 2, PROT_EXEC, 0), IF(mprotect, 2, PROT_EXEC, 0), ANY(munmap),
	ANY(mremap), ANY(madvise), ANY(brk), ANY(memfd_create), ANY(ftruncate),
	IF(fcntl, 1, WORD, F_ADD_SEALS), IF(fcntl, 1, WORD, F_GET_SEALS),
	IF(fcntl, 1, WORD, F_GETFL), IF(fcntl, 1, WORD, F_SETFL),
	/* the size of an image; what printf asks of its stream */
	ANY(fstat), IF(newfstatat, 3, WORD, AT_EMPTY_PATH),
	IF(ioctl, 1, WORD, BLKGETSIZE64), IF(ioctl, 1, WORD, TCGETS),
	/* time, threads, signals */
	ANY(clock_gettime), ANY(clock_nanosleep), ANY(nanosleep), ANY(futex),
	ANY(sched_yield), ANY(set_robust_list), ANY(rseq), ANY(getrandom),
	ANY(getpid), ANY(gettid), ANY(rt_sigprocmask), ANY(rt_sigreturn),
	ANY(rt_sigtimedwait), ANY(sigaltstack), ANY(restart_syscall),
	/* the end */
	ANY(exit), ANY(exit_group), ANY(unlink),
	IF(unlinkat, 2, WORD, 0)
};

static int add_rules(scmp_filter_ctx filter)
{
	struct scmp_arg_cmp self = { .op = SCMP_CMP_EQ,
				     .datum_a = (scmp_datum_t)getpid() };
	int err = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW,
					 SCMP_SYS(tgkill), 1, &self);

	for (size_t i = 0; !err && i < sizeof(rules) / sizeof(*rules); i++) {
		const struct rule *r = &rules[i];
		struct scmp_arg_cmp arg = { .arg = r->arg,
					    .op = SCMP_CMP_MASKED_EQ,
					    .datum_a = r->mask,
					    .datum_b = r->value };

		err = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, r->call,
					     r->checked ? 1 : 0, &arg);
	}
	return err;
}

static bool have_seccomp(const struct sandbox_options *o)
{
	uint32_t action = SECCOMP_RET_TRAP;

	if (!syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action))
		return true;
	say(o, "no seccomp here (%s): system calls are not restricted",
	    strerror(errno));
	return false;
}

int sandbox_calls(const struct sandbox_options *o, char *why, size_t why_size)
{
	const struct reason r = { why, why_size };
	scmp_filter_ctx filter;
	int err;

	if (set_caps(0, 0) || watch())
		return fail(&r, "before seccomp: %s", strerror(errno));
	if (!have_seccomp(o))
		return 0;
	filter = seccomp_init(SCMP_ACT_TRAP);
	if (!filter)
		return fail(&r, "seccomp: no memory for a filter");
	err = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (!err) /* another processor mode's numbers, such as int 0x80 */
		err = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH,
				       SCMP_ACT_KILL_PROCESS);
	if (!err) /* a tree: else the last call of the list waits for all */
		err = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (!err)
		err = add_rules(filter);
	if (!err)
		err = seccomp_load(filter);
	seccomp_release(filter);
	return err ? fail(&r, "seccomp: %s", strerror(-err)) : 0;
}

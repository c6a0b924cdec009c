/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sandbox from inside. Each test makes a child that enters it, because
 * there is no way out, and looks at how the child ends and what it says: first
 * that all which serving takes still works, then that nothing else does. Each
 * refusal has a twin without the sandbox, or a call beside it that is allowed,
 * so that a test cannot pass because the call never works.
 *
 * TMPDIR says where images go. Run as root, or the tests of capabilities are
 * skipped; a skip says so on standard error and is counted in the last line.
 */
#include <arpa/inet.h>
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <liburing.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../sandbox.h"
#include "inject.h"
#include "store.h"

#define IMAGE    (UINT64_C(8) << 20)
#define SAID     8192u
#define WAIT_S   20
#define WAIT_NS  (UINT64_C(1000000000) * WAIT_S)
#define MAX_FDS  64u
#define NOBODY   65534u
#define SHARED   65536u         /* bytes of the "guest" memory */
#define VARIANTS 4              /* engine x direct: bit 0, bit 1 */

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

static struct {
	char dir[64], image[96], other[96], run[80], socket[108];
	int listener;
	int variant;
	uint64_t max_address_space;
	struct store *store;
} fx;

static struct sockaddr_un peer; /* an abstract one, of the parent */
static unsigned *skip_count;    /* shared with the tests' processes */

static void skipped(const char *why)
{
	fprintf(stderr, "SKIPPED: sandbox: %s\n", why);
	__atomic_fetch_add(skip_count, 1, __ATOMIC_RELAXED);
}

/* --- the child ------------------------------------------------------------ */

struct child {
	pid_t pid;
	int said_fd, ready_fd;
	int status;
	char said[SAID];
};

static int ready_fd = -1;       /* the child's end */

/* In the child: complains to the parent and ends. */
#define NEED(cond) need((cond), #cond, __LINE__)

static void need(bool holds, const char *what, int line)
{
	if (holds)
		return;
	(void)dprintf(STDERR_FILENO, "line %d: expected %s; errno: %s\n", line,
		      what, strerror(errno));
	_exit(1);
}

static void ready(void)
{
	NEED(write(ready_fd, "r", 1) == 1);
}

static void start(struct child *c, void (*body)(void))
{
	int said[2], rdy[2];

	memset(c, 0, sizeof(*c));
	ck_assert(!pipe2(said, O_CLOEXEC) && !pipe2(rdy, O_CLOEXEC));
	c->pid = fork();
	ck_assert_int_ge(c->pid, 0);
	if (!c->pid) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)dup2(said[1], STDERR_FILENO);
		ready_fd = rdy[1];
		body();
		_exit(0);
	}
	(void)close(said[1]);
	(void)close(rdy[1]);
	c->said_fd = said[0];
	c->ready_fd = rdy[0];
}

/* False: it ended, or took too long. */
static bool is_ready(struct child *c)
{
	struct pollfd p = { .fd = c->ready_fd, .events = POLLIN };
	char byte;

	return poll(&p, 1, WAIT_S * 1000) == 1 &&
	       read(c->ready_fd, &byte, 1) == 1;
}

static void finish(struct child *c)
{
	struct pollfd p = { .fd = c->said_fd, .events = POLLIN };
	size_t len = 0;
	ssize_t n = 1;

	while (n > 0 && len + 1u < SAID) {
		if (poll(&p, 1, WAIT_S * 1000) != 1) {
			(void)kill(c->pid, SIGKILL);
			(void)dprintf(STDERR_FILENO, "a child hangs\n");
			break;
		}
		n = read(c->said_fd, c->said + len, SAID - 1u - len);
		len += n > 0 ? (size_t)n : 0;
	}
	(void)close(c->said_fd);
	(void)close(c->ready_fd);
	ck_assert_int_eq(waitpid(c->pid, &c->status, 0), c->pid);
}

static void must_succeed(struct child *c)
{
	finish(c);
	ck_assert_msg(WIFEXITED(c->status) && !WEXITSTATUS(c->status),
		      "expected success, came status %#x: %s", c->status,
		      c->said);
}

/* said: NULL, or what the line has to contain */
static void must_die(struct child *c, const char *said)
{
	finish(c);
	ck_assert_msg(WIFSIGNALED(c->status) && WTERMSIG(c->status) == SIGSYS,
		      "expected death by SIGSYS, came status %#x: %s",
		      c->status, c->said);
	if (said)
		ck_assert_msg(strstr(c->said, said) != NULL,
			      "expected \"%s\", came: %s", said, c->said);
}

static void run(void (*body)(void))
{
	struct child c;

	start(&c, body);
	must_succeed(&c);
}

/* --- entering ------------------------------------------------------------- */

static void say(const char *line)
{
	(void)dprintf(STDERR_FILENO, "say: %s\n", line);
}

static struct sandbox_options options(bool read_only)
{
	static struct sandbox_image image;
	static const char *dirs[1];
	struct sandbox_options o = { .images = &image,
				     .num_images = 1,
				     .socket_dirs = dirs,
				     .num_dirs = 1,
				     .max_fds = MAX_FDS,
				     .say = say };

	image.path = fx.image;
	image.read_only = read_only;
	dirs[0] = fx.run;
	o.max_address_space = fx.max_address_space;
	return o;
}

static void enter_files_as(bool read_only)
{
	const struct sandbox_options o = options(read_only);
	char why[256] = "";

	if (sandbox_files(&o, why, sizeof(why)))
		(void)dprintf(STDERR_FILENO, "sandbox_files: %s\n", why);
	NEED(!*why);
}

static void enter_files(void)
{
	enter_files_as(false);
}

static void enter_calls(void)
{
	const struct sandbox_options o = options(false);
	char why[256] = "";

	if (SANITIZED) /* threads begin with calls that are not ours */
		(void)usleep(200000);
	if (sandbox_calls(&o, why, sizeof(why)))
		(void)dprintf(STDERR_FILENO, "sandbox_calls: %s\n", why);
	NEED(!*why);
}

static int landlock_abi(void)
{
	return (int)syscall(SYS_landlock_create_ruleset, NULL, 0,
			    LANDLOCK_CREATE_RULESET_VERSION);
}

static bool have_landlock(int abi)
{
	char text[80];

	if (landlock_abi() >= abi)
		return true;
	(void)snprintf(text, sizeof(text), "no Landlock ABI %d here", abi);
	skipped(text);
	return false;
}

static bool have_filters(void)
{
	uint32_t action = SECCOMP_RET_TRAP;

	if (!syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action))
		return true;
	skipped("no seccomp here");
	return false;
}

static void open_store(void)
{
	struct store_file_options o = { .path = fx.image,
					.direct = fx.variant & 2,
					.engine = fx.variant & 1
							  ? STORE_THREADS
							  : STORE_URING };
	char why[STORE_LINE] = "";

	if (store_file_open(&fx.store, &o, why, sizeof(why)))
		(void)dprintf(STDERR_FILENO, "%s\n", why);
	NEED(!*why);
}

/* --- what has to go on ---------------------------------------------------- */

static void request(enum vblk_op op, uint64_t sector, void *data,
		    uint64_t bytes, uint8_t flags)
{
	struct vblk_seg seg = { data, (uint32_t)bytes };
	struct vblk_req req = { .sector = sector,
				.bytes = bytes,
				.seg = &seg,
				.num_segs = data ? 1 : 0,
				.op = (uint8_t)op,
				.flags = flags };
	struct store_done done;

	NEED(store_submit(fx.store, &req, 1) == 1);
	NEED(store_reap(fx.store, &done, 1, WAIT_NS) == 1);
	NEED(done.status == VBLK_S_OK);
}

/* All that a guest can ask for, aligned and not. */
static void use_disk(uint8_t *memory)
{
	const size_t half = SHARED / 2u;

	for (size_t i = 0; i < half; i++)
		memory[i] = (uint8_t)(i * 7u + 1u);
	request(VBLK_OP_WRITE, 8, memory, half, 0);
	request(VBLK_OP_WRITE, 3, memory, 512, VBLK_REQ_FUA);
	request(VBLK_OP_FLUSH, 0, NULL, 0, 0);
	request(VBLK_OP_READ, 8, memory + half, half, 0);
	NEED(!memcmp(memory, memory + half, half));
	request(VBLK_OP_READ, 3, memory + half, 512, 0);
	NEED(!memcmp(memory, memory + half, 512));
	request(VBLK_OP_WRITE_ZEROES, 8, NULL, half, VBLK_REQ_UNMAP);
	request(VBLK_OP_WRITE_ZEROES, 1000, NULL, half, 0);
	request(VBLK_OP_DISCARD, 8, NULL, half, 0);
	request(VBLK_OP_READ, 8, memory + half, 512, 0);
	NEED(!memory[half] && !memory[half + 511u]);
}

static int send_fd(int socket, int fd)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	char byte = 'm';
	struct iovec v = { &byte, 1 };
	struct msghdr h = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };

	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	return sendmsg(socket, &h, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

static int receive_fd(int socket)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	char byte;
	struct iovec v = { &byte, 1 };
	struct msghdr h = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	int fd = -1;

	if (recvmsg(socket, &h, MSG_CMSG_CLOEXEC) == 1 && h.msg_controllen)
		memcpy(&fd, CMSG_DATA(&control.head), sizeof(fd));
	return fd;
}

struct fds {                    /* made before, used after */
	int epoll, timer, signals, inotify;
};

static void open_fds(struct fds *f)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	NEED(!sigprocmask(SIG_BLOCK, &set, NULL));
	f->epoll = epoll_create1(EPOLL_CLOEXEC);
	f->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	f->signals = signalfd(-1, &set, SFD_CLOEXEC);
	f->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	NEED(f->epoll >= 0 && f->timer >= 0 && f->signals >= 0 &&
	     f->inotify >= 0);
	NEED(inotify_add_watch(f->inotify, fx.image, IN_ATTRIB) >= 0);
}

static void use_fds(const struct fds *f)
{
	const struct itimerspec soon = { .it_value = { 0, 1000000 } };
	struct epoll_event e = { .events = EPOLLIN };
	struct signalfd_siginfo info;
	char events[512];
	uint64_t n;
	int kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	NEED(kick >= 0);
	NEED(!epoll_ctl(f->epoll, EPOLL_CTL_ADD, kick, &e));
	NEED(!eventfd_write(kick, 1));
	NEED(epoll_wait(f->epoll, &e, 1, -1) == 1);
	NEED(read(kick, &n, sizeof(n)) == sizeof(n));
	NEED(!timerfd_settime(f->timer, 0, &soon, NULL));
	NEED(!epoll_ctl(f->epoll, EPOLL_CTL_ADD, f->timer, &e));
	NEED(epoll_pwait(f->epoll, &e, 1, -1, NULL) == 1);
	NEED(read(f->timer, &n, sizeof(n)) == sizeof(n));
	NEED(!raise(SIGUSR1));
	NEED(read(f->signals, &info, sizeof(info)) == sizeof(info));
	(void)!read(f->inotify, events, sizeof(events));
	NEED(!epoll_ctl(f->epoll, EPOLL_CTL_DEL, kick, NULL));
	NEED(!close(kick));
}

/* As an in-flight log is made, and memory is allocated. */
static void use_memory(void)
{
	int fd = memfd_create("log", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	char *p, *q;

	NEED(fd >= 0 && !ftruncate(fd, 8192));
	NEED(!fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL));
	NEED(fcntl(fd, F_GET_SEALS) == (F_SEAL_SHRINK | F_SEAL_SEAL));
	NEED(fcntl(fd, F_GETFL) >= 0);
	p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	NEED(p != MAP_FAILED);
	p[8191] = 1;
	NEED(!mprotect(p, 8192, PROT_READ) && !munmap(p, 8192) && !close(fd));
	p = malloc(64);
	q = malloc(1u << 20);
	NEED(p && q);
	memset(q, 1, 1u << 20);
	p = realloc(p, 4096);
	q = realloc(q, 8u << 20);       /* mremap */
	NEED(p && q && q[(1u << 20) - 1u] == 1);
	free(p);
	free(q);
}

static void use_rest(void)
{
	struct timespec t = { 0, 1000 };
	struct pollfd none;
	struct stat st;
	stack_t ss;
	int fd;

	NEED(!clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t));
	t.tv_sec = 0;
	t.tv_nsec = 1000;
	NEED(!nanosleep(&t, NULL));
	NEED(!clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL));
	NEED(!ppoll(&none, 0, &t, NULL) && !poll(&none, 0, 1));
	NEED(!sched_yield() && !sigaltstack(NULL, &ss));
	NEED(getpid() > 0 && syscall(SYS_gettid) > 0);
	NEED(!fstat(STDERR_FILENO, &st));
	fd = store_fd(fx.store);
	NEED(fd >= 0 && fcntl(fd, F_GETFL) >= 0);
	NEED(!isatty(STDERR_FILENO));
}

struct helper {
	int up, go;             /* eventfds: it runs; the sandbox is complete */
	pthread_t thread;
};

/* Allocates out of what would be an arena of its own, and gives it back. */
static void *help(void *arg)
{
	struct helper *h = arg;
	char *block[64];
	eventfd_t n;

	NEED(!eventfd_write(h->up, 1) && !eventfd_read(h->go, &n));
	for (size_t i = 0; i < 64; i++) {
		block[i] = malloc(100000);
		NEED(block[i]);
		memset(block[i], 1, 100000);
	}
	for (size_t i = 64; i-- > 0;)
		free(block[i]);
	return NULL;
}

static void serve(void)
{
	struct helper h = { .up = eventfd(0, EFD_CLOEXEC),
			    .go = eventfd(0, EFD_CLOEXEC) };
	uint8_t *memory;
	eventfd_t n;
	struct fds f;
	int c, fd;

	enter_files();
	open_store();
	open_fds(&f);
	NEED(!pthread_create(&h.thread, NULL, help, &h));
	NEED(!eventfd_read(h.up, &n));
	enter_calls();
	NEED(!eventfd_write(h.go, 1));
	ready();
	c = accept4(fx.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	NEED(c >= 0 && !fcntl(c, F_SETFL, 0));
	fd = receive_fd(c);
	NEED(fd >= 0);
	memory = mmap(NULL, SHARED, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	NEED(memory != MAP_FAILED && !close(fd));
	use_disk(memory);
	use_fds(&f);
	use_memory();
	use_rest();
	NEED(write(c, "d", 1) == 1 && !close(c));
	NEED(!munmap(memory, SHARED));
	NEED(!pthread_join(h.thread, NULL));
	store_close(fx.store);
	NEED(!unlink(fx.socket));
	(void)fprintf(stderr, "said %d\n", 1);
	if (!SANITIZED)         /* which look for leaks, with calls of theirs */
		exit(0);
}

static bool can_serve(int variant)
{
	int fd = open(fx.image, O_RDWR | O_CLOEXEC | O_DIRECT);

	fx.variant = variant;
	if (fd >= 0)
		(void)close(fd);
	else if (variant & 2)
		skipped("no direct I/O on this file system");
	return fd >= 0 || !(variant & 2);
}

START_TEST(sandbox__serving_goes_on)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int memory = memfd_create("guest", MFD_CLOEXEC);
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct child c;
	char byte = 0;

	if (!can_serve(_i))
		return;
	ck_assert(memory >= 0 && s >= 0 && !ftruncate(memory, SHARED));
	(void)fflush(NULL);
	start(&c, serve);
	(void)close(fx.listener);       /* it is the child's alone */
	if (is_ready(&c)) {
		memcpy(at.sun_path, fx.socket, sizeof(at.sun_path));
		if (!connect(s, (struct sockaddr *)&at, sizeof(at)) &&
		    !send_fd(s, memory))
			(void)!read(s, &byte, 1);
	}
	must_succeed(&c);
	ck_assert_int_eq(byte, 'd');
	ck_assert_msg(access(fx.socket, F_OK), "expected the socket gone");
}
END_TEST

/* The rest of the list, which takes no more than not to be fatal. */
static void rarely_called(void)
{
	static const long rare[] = { SYS_preadv,	 SYS_pwritev,
				     SYS_pread64,	 SYS_pwrite64,
				     SYS_fsync,		 SYS_lseek,
				     SYS_epoll_pwait2,	 SYS_readv,
				     SYS_sendmsg,	 SYS_shutdown,
				     SYS_fstat,		 SYS_nanosleep,
				     SYS_rt_sigtimedwait };
	uint64_t bytes;

	enter_files();
	enter_calls();
	for (size_t i = 0; i < sizeof(rare) / sizeof(*rare); i++)
		NEED(syscall(rare[i], -1, 0, 0, 0, 0, 0) == -1);
	NEED(ioctl(-1, BLKGETSIZE64, &bytes) == -1 && errno == EBADF);
	NEED(syscall(SYS_getrandom, &bytes, sizeof(bytes), 0) > 0);
}

START_TEST(sandbox__what_is_rarely_called_is_allowed)
{
	run(rarely_called);
}
END_TEST

static volatile sig_atomic_t caught;

static void note(int number)
{
	caught = number;
}

/* A handler returns (rt_sigreturn), a sleep is resumed (restart_syscall). */
static void interrupted(void)
{
	NEED(signal(SIGUSR2, note) != SIG_ERR);
	enter_files();
	enter_calls();
	NEED(!raise(SIGUSR2) && caught == SIGUSR2);
	ready();
	NEED(!poll(NULL, 0, 600));
}

START_TEST(sandbox__stopped_it_can_be_continued)
{
	struct child c;

	start(&c, interrupted);
	if (is_ready(&c)) {
		(void)usleep(100000);
		ck_assert(!kill(c.pid, SIGSTOP));
		ck_assert_int_eq(waitpid(c.pid, NULL, WUNTRACED), c.pid);
		ck_assert(!kill(c.pid, SIGCONT));
	}
	must_succeed(&c);
}
END_TEST

/* --- what must not go on -------------------------------------------------- */

#define X32_BIT 0x40000000l

/* Pointers are NULL: what is not refused fails, and the child ends in peace. */
static const struct {
	const char *name;       /* "": died before it had one */
	long nr, arg[4];
} forbidden[] = {
	{ "openat", SYS_openat, { AT_FDCWD, 0, O_RDONLY, 0 } },
	{ "openat2", SYS_openat2, { AT_FDCWD, 0, 0, 0 } },
	{ "execve", SYS_execve, { 0, 0, 0, 0 } },
	{ "execveat", SYS_execveat, { -1, 0, 0, 0 } },
	{ "socket", SYS_socket, { AF_UNIX, SOCK_STREAM, 0, 0 } },
	{ "socket", SYS_socket, { AF_INET, SOCK_STREAM, 0, 0 } },
	{ "socketpair", SYS_socketpair, { AF_UNIX, SOCK_STREAM, 0, 0 } },
	{ "connect", SYS_connect, { 0, 0, 0, 0 } },
	{ "bind", SYS_bind, { 0, 0, 0, 0 } },
	{ "sendto", SYS_sendto, { 0, 0, 0, 0 } },
	{ "mmap", SYS_mmap, { 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE } },
	{ "mprotect", SYS_mprotect, { 0, 4096, PROT_EXEC, 0 } },
	{ "pkey_mprotect", SYS_pkey_mprotect, { 0, 4096, 0, 0 } },
	{ "clone", SYS_clone, { CLONE_FS, 0, 0, 0 } },
	{ "clone3", SYS_clone3, { 0, 0, 0, 0 } },
	{ "ptrace", SYS_ptrace, { PTRACE_TRACEME, 0, 0, 0 } },
	{ "process_vm_readv", SYS_process_vm_readv, { 0, 0, 0, 0 } },
	{ "io_uring_setup", SYS_io_uring_setup, { 0, 0, 0, 0 } },
	{ "io_uring_register", SYS_io_uring_register, { -1, 0, 0, 0 } },
	{ "fcntl", SYS_fcntl, { 0, F_DUPFD, 0, 0 } },
	{ "fcntl", SYS_fcntl, { 0, F_SETOWN, 1, 0 } },
	{ "ioctl", SYS_ioctl, { -1, 0x5412, 0, 0 } }, /* TIOCSTI */
	{ "ioctl", SYS_ioctl, { -1, BLKDISCARD, 0, 0 } },
	{ "kill", SYS_kill, { 0, 0, 0, 0 } },
	{ "tgkill", SYS_tgkill, { 1, 1, 0, 0 } },
	{ "newfstatat", SYS_newfstatat, { AT_FDCWD, 0, 0, 0 } },
	{ "unlinkat", SYS_unlinkat, { AT_FDCWD, 0, AT_REMOVEDIR, 0 } },
	{ "renameat2", SYS_renameat2, { AT_FDCWD, 0, AT_FDCWD, 0 } },
	{ "fchmodat", SYS_fchmodat, { AT_FDCWD, 0, 0, 0 } },
	{ "rt_sigaction", SYS_rt_sigaction, { SIGSYS, 0, 0, 8 } },
	{ "prctl", SYS_prctl, { PR_SET_DUMPABLE, 1, 0, 0 } },
	{ "prlimit64", SYS_prlimit64, { 0, RLIMIT_NOFILE, 0, 0 } },
	{ "seccomp", SYS_seccomp, { 0, 0, 0, 0 } },
	{ "bpf", SYS_bpf, { 0, 0, 0, 0 } },
	{ "userfaultfd", SYS_userfaultfd, { 0, 0, 0, 0 } },
	{ "setresuid", SYS_setresuid, { 0, 0, 0, 0 } },
	{ "capset", SYS_capset, { 0, 0, 0, 0 } },
	{ "mount", SYS_mount, { 0, 0, 0, 0 } },
	{ "unshare", SYS_unshare, { CLONE_NEWUSER, 0, 0, 0 } },
	{ "unknown", 1000, { 0, 0, 0, 0 } },
#ifdef __x86_64__
	{ "open", SYS_open, { 0, O_RDONLY, 0, 0 } },
	{ "fork", SYS_fork, { 0, 0, 0, 0 } },
	{ "access", SYS_access, { 0, 0, 0, 0 } },
	{ "", X32_BIT | SYS_getpid, { 0, 0, 0, 0 } },
#endif
};

#define NUM_FORBIDDEN ((int)(sizeof(forbidden) / sizeof(*forbidden)))

static void try_forbidden(void)
{
	const long *a = forbidden[fx.variant].arg;

	(void)syscall(forbidden[fx.variant].nr, a[0], a[1], a[2], a[3], -1, 0);
}

static void forbidden_call(void)
{
	enter_files();
	enter_calls();
	try_forbidden();
}

START_TEST(sandbox__other_calls_are_fatal)
{
	const char *name = forbidden[_i].name;
	struct child c;
	char line[96] = "";

	if (!have_filters())
		return;
	fx.variant = _i;
	start(&c, forbidden_call);
	if (*name)
		(void)snprintf(line, sizeof(line),
			       "seccomp: system call %s (%ld) is not allowed;",
			       name, forbidden[_i].nr);
	must_die(&c, line);
}
END_TEST

/* And by that filter, not by the call itself. */
START_TEST(sandbox__without_it_they_are_not)
{
	if (strstr("fork clone ptrace seccomp", forbidden[_i].name))
		return;         /* they have effects */
	fx.variant = _i;
	run(try_forbidden);
}
END_TEST

static void *try_later(void *arg)
{
	eventfd_t n;

	NEED(!eventfd_read(*(int *)arg, &n));
	(void)socket(AF_UNIX, SOCK_STREAM, 0);
	return NULL;
}

/* variant: the thread blocks SIGSYS. */
static void call_of_a_thread(void)
{
	int go = eventfd(0, EFD_CLOEXEC);
	pthread_t thread;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGSYS);
	if (fx.variant)
		NEED(!pthread_sigmask(SIG_BLOCK, &set, NULL));
	enter_files();
	NEED(!pthread_create(&thread, NULL, try_later, &go));
	enter_calls();
	NEED(!eventfd_write(go, 1));
	(void)pthread_join(thread, NULL);
}

START_TEST(sandbox__threads_that_were_there_are_held_too)
{
	struct child c;

	if (!have_filters())
		return;
	fx.variant = _i;
	start(&c, call_of_a_thread);
	must_die(&c, _i ? NULL : "system call socket (");
	if (_i) /* the kernel does not ask our handler: no line */
		ck_assert_str_eq(c.said, "");
}
END_TEST

static void aborts(void)
{
	const struct rlimit no_core = { 0, 0 };

	NEED(!setrlimit(RLIMIT_CORE, &no_core));
	enter_files();
	enter_calls();
	abort();
}

START_TEST(sandbox__abort_is_an_abort)
{
	struct child c;

	start(&c, aborts);
	finish(&c);
	ck_assert_msg(WIFSIGNALED(c.status) && WTERMSIG(c.status) == SIGABRT,
		      "expected SIGABRT, came status %#x: %s", c.status,
		      c.said);
}
END_TEST

/* --- a call from outside -------------------------------------------------- */

static void sleep_with_store(void)
{
	open_store();
	ready();
	(void)poll(NULL, 0, -1);
}

static void sleep_free(void)
{
	fx.variant = 0;
	sleep_with_store();
}

static void sleep_in_files(void)
{
	fx.variant = 0;
	enter_files();
	sleep_with_store();
}

/* Its main thread in poll, those of the store in futex. */
static void sleep_in_calls(void)
{
	fx.variant = 1;
	enter_files();
	open_store();
	enter_calls();
	ready();
	(void)poll(NULL, 0, -1);
}

static pid_t other_thread(pid_t pid)
{
	char path[64];
	struct dirent *e;
	pid_t tid = 0;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%ld/task", (long)pid);
	dir = opendir(path);
	ck_assert_ptr_nonnull(dir);
	while ((tid == 0 || tid == pid) && (e = readdir(dir)))
		tid = (pid_t)atol(e->d_name);
	(void)closedir(dir);
	ck_assert(tid > 0 && tid != pid);
	return tid;
}

static enum inject_result inject(struct child *c, bool other, long *value)
{
	enum inject_result result = INJECT_FAILED;
	char why[256] = "";
	pid_t tid;

	ck_assert(is_ready(c));
	tid = other ? other_thread(c->pid) : c->pid;
	for (int i = 0; i < 100 && result == INJECT_FAILED; i++) {
		if (i) /* it was just falling asleep */
			(void)usleep(10000);
		result = inject_openat(tid, fx.other, value, why, sizeof(why));
	}
	ck_assert_msg(result != INJECT_FAILED, "%s", why);
	return result;
}

static bool may_trace(void)
{
	FILE *in = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	int scope = 0;

	if (in) {
		if (fscanf(in, "%d", &scope) != 1)
			scope = 0;
		(void)fclose(in);
	}
	if (scope <= 1)         /* our child */
		return true;
	skipped("Yama forbids ptrace");
	return false;
}

static void end(struct child *c)
{
	(void)kill(c->pid, SIGKILL);
	finish(c);
	ck_assert_msg(WIFSIGNALED(c->status) && WTERMSIG(c->status) == SIGKILL,
		      "expected it alive, came status %#x: %s", c->status,
		      c->said);
}

START_TEST(sandbox__injected_openat_works_without)
{
	struct child c;
	long value = 0;

	if (!may_trace())
		return;
	start(&c, sleep_free);
	ck_assert_int_eq(inject(&c, false, &value), INJECT_RAN);
	ck_assert_msg(value >= 0, "expected a descriptor, came %ld", value);
	(void)usleep(50000);
	ck_assert_int_eq(inject_find(c.pid), c.pid); /* asleep again */
	end(&c);
}
END_TEST

START_TEST(sandbox__injected_openat_is_denied_by_landlock)
{
	struct child c;
	long value = 0;

	if (!may_trace() || !have_landlock(1))
		return;
	start(&c, sleep_in_files);
	ck_assert_int_eq(inject(&c, false, &value), INJECT_RAN);
	ck_assert_int_eq(value, -EACCES);
	end(&c);
}
END_TEST

START_TEST(sandbox__injected_openat_is_fatal)
{
	struct child c;
	long value = 0;

	if (!may_trace() || !have_filters())
		return;
	start(&c, sleep_in_calls);
	ck_assert_int_eq(inject(&c, false, &value), INJECT_REFUSED);
	must_die(&c, "seccomp: system call openat (");
}
END_TEST

/* The engine's own threads, which block signals: no line is asked for. */
START_TEST(sandbox__injected_openat_in_a_store_thread_is_fatal)
{
	struct child c;
	long value = 0;

	if (!may_trace() || !have_filters())
		return;
	start(&c, sleep_in_calls);
	ck_assert_int_eq(inject(&c, true, &value), INJECT_REFUSED);
	must_die(&c, NULL);
}
END_TEST

/* --- files ---------------------------------------------------------------- */

static bool denied(int result)
{
	if (result >= 0)
		(void)close(result);
	return result < 0 && errno == EACCES;
}

static void only_the_image(void)
{
	char path[160];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/new", fx.dir);
	fd = open(fx.other, O_RDONLY);  /* all would work without it */
	NEED(fd >= 0 && !close(fd));
	enter_files();
	fd = open(fx.image, O_RDWR);
	NEED(fd >= 0 && !close(fd));
	NEED(denied(open(fx.other, O_RDONLY)));
	NEED(denied(open(fx.other, O_WRONLY)));
	NEED(denied(open("/etc/passwd", O_RDONLY)));
	NEED(denied(open("/proc/self/environ", O_RDONLY)));
	NEED(denied(open(fx.dir, O_RDONLY | O_DIRECTORY)));
	NEED(denied(open(path, O_RDWR | O_CREAT, 0600)));
	(void)snprintf(path, sizeof(path), "%s/new", fx.run);
	NEED(denied(open(path, O_RDWR | O_CREAT, 0600)));
	NEED(denied(mkdir(path, 0700)));
	NEED(denied(unlink(fx.other)));
	NEED(denied(rmdir(fx.run)));
	NEED(denied(execl("/bin/true", "true", (char *)NULL)));
	NEED(!unlink(fx.socket));
}

START_TEST(sandbox__only_the_image_is_opened)
{
	if (have_landlock(1))
		run(only_the_image);
}
END_TEST

static void read_only_image(void)
{
	int fd;

	enter_files_as(true);
	NEED(denied(open(fx.image, O_RDWR)));
	NEED(denied(open(fx.image, O_WRONLY)));
	fd = open(fx.image, O_RDONLY);
	NEED(fd >= 0 && !close(fd));
}

START_TEST(sandbox__a_read_only_image_is_not_written)
{
	if (have_landlock(1))
		run(read_only_image);
}
END_TEST

/* A disk is as large as it was made; a log may still be made. */
static void no_truncation(void)
{
	int fd, log;

	enter_files();
	fd = open(fx.image, O_RDWR);
	log = memfd_create("log", MFD_CLOEXEC);
	NEED(fd >= 0 && log >= 0 && !ftruncate(log, 4096));
	NEED(denied(ftruncate(fd, 0)));
	NEED(denied(truncate(fx.image, 0)));
	NEED(denied(open(fx.image, O_RDWR | O_TRUNC)));
}

START_TEST(sandbox__the_image_is_not_truncated)
{
	if (have_landlock(3))
		run(no_truncation);
}
END_TEST

static void no_tcp(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	int s;

	enter_files();
	s = socket(AF_INET, SOCK_STREAM, 0);
	if (s < 0)              /* no network in here */
		return;
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	NEED(denied(bind(s, (struct sockaddr *)&at, sizeof(at))));
	at.sin_port = htons(9);
	NEED(denied(connect(s, (struct sockaddr *)&at, sizeof(at))));
}

START_TEST(sandbox__no_tcp)
{
	if (have_landlock(4))
		run(no_tcp);
}
END_TEST

static void no_neighbours(void)
{
	int s;

	NEED(!kill(getppid(), 0));
	enter_files();
	NEED(kill(getppid(), 0) && errno == EPERM);
	NEED(!kill(getpid(), 0));
	s = socket(AF_UNIX, SOCK_STREAM, 0);
	NEED(connect(s, (struct sockaddr *)&peer, sizeof(peer)) &&
	     errno == EPERM);
}

START_TEST(sandbox__no_signals_and_abstract_sockets_of_others)
{
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	peer.sun_family = AF_UNIX;
	(void)snprintf(peer.sun_path + 1, sizeof(peer.sun_path) - 1u,
		       "vblk-sandbox-%ld", (long)getpid());
	ck_assert(!bind(s, (struct sockaddr *)&peer, sizeof(peer)) &&
		  !listen(s, 1));
	if (have_landlock(6))
		run(no_neighbours);
}
END_TEST

/* What io_uring opens is asked of Landlock too. */
static void no_opening_by_ring(void)
{
	struct io_uring_cqe *cqe;
	struct io_uring ring;

	enter_files();
	if (io_uring_queue_init(4, &ring, 0))
		return;
	io_uring_prep_openat(io_uring_get_sqe(&ring), AT_FDCWD, fx.other,
			     O_RDONLY, 0);
	NEED(io_uring_submit_and_wait(&ring, 1) == 1);
	NEED(!io_uring_peek_cqe(&ring, &cqe) && cqe->res == -EACCES);
}

START_TEST(sandbox__a_ring_opens_nothing)
{
	if (have_landlock(1))
		run(no_opening_by_ring);
}
END_TEST

/* --- limits and rights ---------------------------------------------------- */

static void few_descriptors(void)
{
	const struct rlimit more = { MAX_FDS + 1u, MAX_FDS + 1u };
	int fd = -1, last;

	enter_files();
	do {
		last = fd;
		fd = dup(STDERR_FILENO);
	} while (fd >= 0);
	NEED(errno == EMFILE && last == (int)MAX_FDS - 1);
	NEED(setrlimit(RLIMIT_NOFILE, &more) && errno == EPERM);
}

START_TEST(sandbox__descriptors_are_limited)
{
	run(few_descriptors);
}
END_TEST

static void few_allowed(void)
{
	const struct rlimit less = { 32, 32 };

	NEED(!setrlimit(RLIMIT_NOFILE, &less));
	if (!geteuid())         /* else root may have more */
		NEED(!setresuid(NOBODY, NOBODY, NOBODY));
	enter_files();
}

START_TEST(sandbox__fewer_descriptors_than_wanted_are_said)
{
	struct child c;

	ck_assert(!chmod(fx.dir, 0755) && !chmod(fx.image, 0666));
	start(&c, few_allowed);
	must_succeed(&c);
	ck_assert_msg(strstr(c.said, "say: only 32 of 64 descriptors") != NULL,
		      "came: %s", c.said);
}
END_TEST

static void little_space(void)
{
	enter_files();
	NEED(mmap(NULL, 2u << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		  0) == MAP_FAILED &&
	     errno == ENOMEM);
	NEED(mmap(NULL, 1u << 28, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		  0) != MAP_FAILED);
}

START_TEST(sandbox__address_space_is_limited)
{
	if (SANITIZED) {
		skipped("a sanitizer needs more address space");
		return;
	}
	fx.max_address_space = UINT64_C(1) << 30;
	run(little_space);
}
END_TEST

static void read_status(char *text, size_t size)
{
	int fd = open("/proc/self/status", O_RDONLY);
	ssize_t n = read(fd, text, size - 1u);

	NEED(n > 0 && !close(fd));
	text[n] = '\0';
}

/* /proc cannot be opened inside: fd is of before. */
static void check_status(int fd, const char *bounding)
{
	char text[4096] = "";

	NEED(pread(fd, text, sizeof(text) - 1u, 0) > 0);
	NEED(strstr(text, "CapPrm:\t0000000000000000"));
	NEED(strstr(text, "CapEff:\t0000000000000000"));
	NEED(strstr(text, "CapInh:\t0000000000000000"));
	NEED(strstr(text, bounding));
	NEED(strstr(text, "NoNewPrivs:\t1"));
}

static void without_rights(void)
{
	char text[4096];
	int fd = open("/proc/self/status", O_RDONLY);

	read_status(text, sizeof(text));
	NEED(!strstr(text, "CapEff:\t0000000000000000"));
	enter_files();
	check_status(fd, "CapBnd:\t0000000000000000");
}

START_TEST(sandbox__root_keeps_no_capability)
{
	struct child c;

	if (geteuid()) {
		skipped("not root: no capabilities to lose");
		return;
	}
	start(&c, without_rights);
	must_succeed(&c);
	ck_assert_msg(!strstr(c.said, "CAP_"), "came: %s", c.said);
}
END_TEST

static void of_another(void)
{
	int fd = open("/proc/self/status", O_RDONLY);
	int image;

	enter_files();
	image = open(fx.image, O_RDWR);
	NEED(image >= 0);
	enter_calls();
	check_status(fd, "CapBnd:\t0000000000000000");
}

START_TEST(sandbox__root_opens_the_image_of_another)
{
	struct child c;

	if (geteuid()) {
		skipped("not root: the image of another stays closed");
		return;
	}
	ck_assert(!chmod(fx.dir, 0755) && !chown(fx.image, NOBODY, NOBODY));
	start(&c, of_another);
	must_succeed(&c);
	ck_assert_msg(strstr(c.said, "CAP_DAC_OVERRIDE is kept") != NULL,
		      "came: %s", c.said);
}
END_TEST

/* --- kernels that have less ----------------------------------------------- */

static void lack(unsigned nr)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(*code),
				      .filter = code };

	NEED(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	NEED(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
}

static void lack_landlock(void)
{
	int fd;

	lack(SYS_landlock_create_ruleset);
	enter_files();
	fd = open(fx.other, O_RDONLY);
	NEED(fd >= 0 && fd < (int)MAX_FDS);
	enter_calls();
	try_forbidden();
}

static void lack_seccomp(void)
{
	lack(SYS_seccomp);
	enter_files();
	enter_calls();
	NEED(socket(AF_UNIX, SOCK_STREAM, 0) >= 0);
	NEED(landlock_abi() < 1 || denied(open(fx.other, O_RDONLY)));
}

/* Under SystemCallFilter=~@privileged: who has no rights need not drop them. */
static void lack_capset(void)
{
	if (!geteuid())
		NEED(!setresuid(NOBODY, NOBODY, NOBODY));
	lack(SYS_capset);
	enter_files();
	enter_calls();
}

START_TEST(sandbox__goes_on_without_capset)
{
	if (!have_filters())
		return;
	ck_assert(!chmod(fx.dir, 0755) && !chmod(fx.image, 0666));
	run(lack_capset);
}
END_TEST

START_TEST(sandbox__goes_on_without_landlock)
{
	struct child c;

	if (!have_filters())
		return;
	start(&c, lack_landlock);
	must_die(&c, "say: no Landlock here (Function not implemented)");
}
END_TEST

START_TEST(sandbox__goes_on_without_seccomp)
{
	struct child c;

	if (!have_filters())
		return;
	start(&c, lack_seccomp);
	must_succeed(&c);
	ck_assert_msg(strstr(c.said, "say: no seccomp here (Function not "
				     "implemented)") != NULL,
		      "came: %s", c.said);
}
END_TEST

/* --- life ----------------------------------------------------------------- */

static void touch(const char *path, uint64_t bytes)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
	ck_assert(!ftruncate(fd, (off_t)bytes) && !close(fd));
}

static void setup(void)
{
	const char *where = getenv("TMPDIR");
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	memset(&fx, 0, sizeof(fx));
	(void)snprintf(fx.dir, sizeof(fx.dir), "%.36s/sandbox-test-XXXXXX",
		       where ? where : "/var/tmp");
	ck_assert_msg(mkdtemp(fx.dir) != NULL, "%s: %s", fx.dir,
		      strerror(errno));
	(void)snprintf(fx.image, sizeof(fx.image), "%s/image", fx.dir);
	(void)snprintf(fx.other, sizeof(fx.other), "%s/other", fx.dir);
	(void)snprintf(fx.run, sizeof(fx.run), "%s/run", fx.dir);
	(void)snprintf(fx.socket, sizeof(fx.socket), "%s/socket", fx.run);
	touch(fx.image, IMAGE);
	touch(fx.other, 1);
	ck_assert(!mkdir(fx.run, 0700));
	memcpy(at.sun_path, fx.socket, sizeof(at.sun_path));
	fx.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert(!bind(fx.listener, (struct sockaddr *)&at, sizeof(at)) &&
		  !listen(fx.listener, 1));
}

static void teardown(void)
{
	char path[160];

	(void)unlink(fx.socket);
	(void)snprintf(path, sizeof(path), "%s/new", fx.run);
	(void)unlink(path);
	(void)rmdir(fx.run);
	(void)unlink(fx.image);
	(void)unlink(fx.other);
	(void)rmdir(fx.dir);
}

static Suite *make_suite(void)
{
	Suite *suite = suite_create("sandbox");
	TCase *t = tcase_create("sandbox");

	suite_add_tcase(suite, t);
	tcase_set_timeout(t, 3 * WAIT_S);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, sandbox__serving_goes_on, 0, VARIANTS);
	tcase_add_test(t, sandbox__what_is_rarely_called_is_allowed);
	tcase_add_test(t, sandbox__stopped_it_can_be_continued);
	tcase_add_loop_test(t, sandbox__other_calls_are_fatal, 0,
			    NUM_FORBIDDEN);
	tcase_add_loop_test(t, sandbox__without_it_they_are_not, 0,
			    NUM_FORBIDDEN);
	tcase_add_loop_test(t, sandbox__threads_that_were_there_are_held_too, 0,
			    2);
	tcase_add_test(t, sandbox__abort_is_an_abort);
	tcase_add_test(t, sandbox__injected_openat_works_without);
	tcase_add_test(t, sandbox__injected_openat_is_denied_by_landlock);
	tcase_add_test(t, sandbox__injected_openat_is_fatal);
	tcase_add_test(t, sandbox__injected_openat_in_a_store_thread_is_fatal);
	tcase_add_test(t, sandbox__only_the_image_is_opened);
	tcase_add_test(t, sandbox__a_read_only_image_is_not_written);
	tcase_add_test(t, sandbox__the_image_is_not_truncated);
	tcase_add_test(t, sandbox__no_tcp);
	tcase_add_test(t, sandbox__no_signals_and_abstract_sockets_of_others);
	tcase_add_test(t, sandbox__a_ring_opens_nothing);
	tcase_add_test(t, sandbox__descriptors_are_limited);
	tcase_add_test(t, sandbox__fewer_descriptors_than_wanted_are_said);
	tcase_add_test(t, sandbox__address_space_is_limited);
	tcase_add_test(t, sandbox__root_keeps_no_capability);
	tcase_add_test(t, sandbox__root_opens_the_image_of_another);
	tcase_add_test(t, sandbox__goes_on_without_capset);
	tcase_add_test(t, sandbox__goes_on_without_landlock);
	tcase_add_test(t, sandbox__goes_on_without_seccomp);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(make_suite());
	int failed, ran;

	skip_count = mmap(NULL, sizeof(*skip_count), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (skip_count == MAP_FAILED) {
		perror("mmap");
		return EXIT_FAILURE;
	}
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	ran = srunner_ntests_run(runner);
	srunner_free(runner);
	printf("sandbox: %d run, %d failed, %u skipped\n", ran, failed,
	       *skip_count);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening an image: what is refused, in which words, and who else has it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/loop.h>
#include <linux/seccomp.h>
#include <liburing.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store_fixture.h"

#define IMAGE  (1u << 20)
#define NOBODY 65534

/* Refused, in one line that names the file and contains part. */
static void must_refuse(const char *part)
{
	unsigned lines = fx.lines;
	int err = store_file_open(&fx.s, &fx.o, fx.why, sizeof(fx.why));

	EXPECT(err == -1, "expected -1 for \"%s\", came %d", part, err);
	EXPECT(strstr(fx.why, part), "expected \"%s\" in the reason, came: %s",
	       part, fx.why);
	EXPECT(strstr(fx.why, fx.o.path ? fx.o.path : "image"),
	       "expected the path in the reason, came: %s", fx.why);
	EXPECT(!strchr(fx.why, '\n'), "expected one line, came: %s", fx.why);
	EXPECT_EQ("lines in the log", lines, fx.lines);
}

START_TEST(store_file__what_is_no_image_is_refused)
{
	variant(_i);
	(void)snprintf(fx.path, sizeof(fx.path), "%s/missing", fx.dir);
	must_refuse("no such file");
	fx.o.path = fx.dir;
	must_refuse("is a directory");
	fx.o.path = "/dev/null";
	must_refuse("neither a regular file nor a block device");
	fx.o.path = fx.path;
	EXPECT(!mkfifo(fx.path, 0600), "mkfifo: %s", strerror(errno));
	must_refuse("neither a regular file nor a block device");
	(void)unlink(fx.path);
	image_make("image", 0);
	must_refuse("is empty");
}
END_TEST

START_TEST(store_file__size_must_be_whole_blocks)
{
	struct stat before, after;

	variant(_i);
	image_make("image", 1000);
	EXPECT(!stat(fx.path, &before), "stat: %s", strerror(errno));
	must_refuse("1000 bytes is not a multiple of the block size of 512");
	EXPECT(!truncate(fx.path, 4096 + 512), "%s", strerror(errno));
	fx.o.block_size = 4096;
	must_refuse("4608 bytes is not a multiple of the block size of 4096");
	EXPECT(!truncate(fx.path, 1000), "%s", strerror(errno));
	EXPECT(!stat(fx.path, &after), "stat: %s", strerror(errno));
	EXPECT_EQ("size", before.st_size, after.st_size);
	EXPECT_EQ("blocks", before.st_blocks, after.st_blocks);
	EXPECT(!truncate(fx.path, 8192), "%s", strerror(errno));
	if (!image_open_or_skip())
		return;
	EXPECT_EQ("sectors", 16, store_sectors(fx.s));
	EXPECT_EQ("block size", 4096, store_block_size(fx.s));
	EXPECT_EQ("features",
		  VBLK_F_BLK_SIZE | VBLK_F_FLUSH | VBLK_F_CONFIG_WCE |
			  VBLK_F_DISCARD | VBLK_F_WRITE_ZEROES,
		  store_features(fx.s));
}
END_TEST

START_TEST(store_file__options_out_of_range_are_refused)
{
	image_make("image", IMAGE);
	fx.o.block_size = 768;
	must_refuse("block_size");
	fx.o.block_size = 131072;
	must_refuse("block_size");
	fx.o.block_size = 0;
	fx.o.depth = STORE_DEPTH_MAX + 1;
	must_refuse("depth");
	fx.o.depth = 0;
	fx.o.threads = STORE_THREADS_MAX + 1;
	must_refuse("threads");
	fx.o.threads = 0;
	fx.o.path = NULL;
	must_refuse("no path");
}
END_TEST

START_TEST(store_file__unreadable_is_refused)
{
	image_make("image", IMAGE);
	if (geteuid()) {
		skipped("not root, cannot become nobody");
		return;
	}
	EXPECT(!chmod(fx.dir, 0755) && !chmod(fx.path, 0444), "chmod: %s",
	       strerror(errno));
	EXPECT(!seteuid(NOBODY), "seteuid: %s", strerror(errno));
	must_refuse("cannot be opened for writing");
	fx.o.read_only = true;
	image_must_open();
	store_close(fx.s);
	fx.s = NULL;
	EXPECT(!seteuid(0) && !chmod(fx.path, 0) && !seteuid(NOBODY), "%s",
	       strerror(errno));
	must_refuse("cannot be opened for reading");
	EXPECT(!seteuid(0), "seteuid: %s", strerror(errno));
}
END_TEST

START_TEST(store_file__no_direct_there_is_refused)
{
	int fd;

	variant(3);
	if (!mount_here("ramfs", "none", NULL))
		return;
	image_make("image", IMAGE);
	fd = open(fx.path, O_RDONLY | O_DIRECT);
	if (fd >= 0) {
		(void)close(fd);
		skipped("ramfs has direct I/O here");
		return;
	}
	must_refuse("use it without direct");
}
END_TEST

START_TEST(store_file__mounted_device_is_refused)
{
	char command[256];

	if (!loop_make(8u << 20, 512, 0))
		return;
	(void)snprintf(command, sizeof(command), "mkfs.ext4 -q -F %s", fx.path);
	if (system(command)) {
		skipped("no mkfs.ext4");
		return;
	}
	if (!mount_here("ext4", fx.path, NULL))
		return;
	must_refuse("is in use, mounted");
	fx.o.read_only = true;
	image_must_open();
}
END_TEST

START_TEST(store_file__read_only_device_is_refused)
{
	variant(_i);
	if (!loop_make(8u << 20, 512, LO_FLAGS_READ_ONLY))
		return;
	must_refuse("use it read-only");
	fx.o.read_only = true;
	image_must_open();
	EXPECT_EQ("sectors", 16384, store_sectors(fx.s));
	must_be_zero(0, 65536);
}
END_TEST

/* --- locks ---------------------------------------------------------------- */

/* A process that does hold and then waits until it is killed. */
static pid_t holder(void (*hold)(void))
{
	int ready[2];
	pid_t pid;
	char c = 0;

	EXPECT(!pipe(ready), "pipe: %s", strerror(errno));
	pid = fork();
	if (!pid) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		hold();
		(void)!write(ready[1], "r", 1);
		for (;;)
			(void)pause();
	}
	(void)close(ready[1]);
	EXPECT(pid > 0 && read(ready[0], &c, 1) == 1,
	       "expected the other process to get its lock, it did not");
	(void)close(ready[0]);
	return pid;
}

static void end(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

static void hold_writer(void)
{
	if (store_file_open(&fx.s, &fx.o, fx.why, sizeof(fx.why)))
		_exit(1);
}

static void hold_reader(void)
{
	fx.o.read_only = true;
	hold_writer();
}

START_TEST(store_file__locked_elsewhere)
{
	char name[32];
	pid_t pid;

	variant(_i);
	image_make("image", IMAGE);
	if (!image_open_or_skip())
		return;
	store_close(fx.s);
	fx.s = NULL;
	pid = holder(hold_writer);
	(void)snprintf(name, sizeof(name), "in use by process %d", (int)pid);
	must_refuse(name);
	fx.o.read_only = true;
	must_refuse(name);
	end(pid);
	pid = holder(hold_reader);
	fx.o.read_only = false;
	(void)snprintf(name, sizeof(name), "in use by process %d", (int)pid);
	must_refuse(name);
	fx.o.read_only = true;
	image_must_open();              /* readers agree */
	store_close(fx.s);
	end(pid);
	fx.o.read_only = false;
	image_must_open();
}
END_TEST

START_TEST(store_file__twice_in_one_process_is_refused)
{
	struct store *first;
	char name[32];

	variant(_i);
	image_make("image", IMAGE);
	if (!image_open_or_skip())
		return;
	first = fx.s;
	(void)snprintf(name, sizeof(name), "in use by process %d",
		       (int)getpid());
	must_refuse(name);
	store_close(first);
	image_must_open();
}
END_TEST

/* The bytes that QEMU locks: 100 + used, 200 + not shared permission. */
static void qemu_bytes(const int *bytes, size_t n)
{
	int fd = open(fx.path, O_RDWR | O_CLOEXEC);

	for (size_t i = 0; i < n; i++) {
		struct flock l = { .l_type = F_RDLCK,
				   .l_start = bytes[i],
				   .l_len = 1 };

		if (fcntl(fd, F_OFD_SETLK, &l))
			_exit(1);
	}
}

static void qemu_guest_writes(void)
{
	static const int bytes[] = { 100, 101, 103, 201, 203 };

	qemu_bytes(bytes, sizeof(bytes) / sizeof(*bytes));
}

static void qemu_img_reads(void)
{
	static const int bytes[] = { 100, 201, 203 };

	qemu_bytes(bytes, sizeof(bytes) / sizeof(*bytes));
}

static void qemu_img_reads_unsafely(void)       /* -U */
{
	static const int bytes[] = { 100 };

	qemu_bytes(bytes, sizeof(bytes) / sizeof(*bytes));
}

START_TEST(store_file__agrees_with_qemu_locks)
{
	pid_t pid;

	image_make("image", IMAGE);
	pid = holder(qemu_guest_writes);
	must_refuse("in use by process");
	fx.o.read_only = true;
	must_refuse("in use by process");
	end(pid);
	pid = holder(qemu_img_reads);
	image_must_open();
	store_close(fx.s);
	fx.o.read_only = false;
	must_refuse("in use by process");
	end(pid);
	pid = holder(qemu_img_reads_unsafely);
	image_must_open();
	end(pid);
}
END_TEST

/* And what QEMU would find when it asks while we have the image. */
START_TEST(store_file__qemu_sees_our_locks)
{
	static const int bytes[] = { 101, 201 };        /* writes, unshared */
	int fd;

	image_make("image", IMAGE);
	image_must_open();
	fd = open(fx.path, O_RDWR | O_CLOEXEC);
	for (unsigned i = 0; i < 2; i++) {
		struct flock l = { .l_type = F_WRLCK,
				   .l_start = bytes[i],
				   .l_len = 1 };

		EXPECT(!fcntl(fd, F_OFD_GETLK, &l) && l.l_type == F_RDLCK,
		       "byte %d: expected a shared lock, came %d", bytes[i],
		       l.l_type);
	}
	(void)close(fd);
}
END_TEST

/* --- engines -------------------------------------------------------------- */

/* As a container's policy does: io_uring_setup gives err. */
static void forbid_io_uring(unsigned err)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(*code),
				      .filter = code };

	EXPECT(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
		       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program),
	       "seccomp: %s", strerror(errno));
}

START_TEST(store_file__falls_back_to_threads)
{
	uint8_t data[512], came[512];

	image_make("image", IMAGE);
	forbid_io_uring(_i ? EPERM : ENOSYS);
	fx.o.engine = STORE_URING;
	must_refuse("cannot start io_uring");
	fx.o.engine = STORE_AUTO;
	image_must_open();
	EXPECT_EQ("lines about it", 1, logged("no io_uring here"));
	fill(data, sizeof(data), seed);
	must(VBLK_OP_WRITE, 5, data, sizeof(data), VBLK_REQ_FUA);
	must(VBLK_OP_READ, 5, came, sizeof(came), 0);
	EXPECT(!memcmp(data, came, sizeof(data)), "expected what was written, "
						  "came something else");
}
END_TEST

START_TEST(store_file__auto_takes_io_uring)
{
	image_make("image", IMAGE);
	image_must_open();
	EXPECT(((struct file *)fx.s)->engine == &engine_uring,
	       "expected io_uring, came %s; log: %s",
	       ((struct file *)fx.s)->engine->name, fx.line[0]);
}
END_TEST

/*
 * The store's ring as somebody sees it who has the process: its queues, mapped
 * by the measures of a twin. Result of one entry.
 */
static int by_its_ring(int fd, void (*prepare)(struct io_uring_sqe *))
{
	struct io_uring_params p = { 0 };
	struct io_uring twin, ring;
	struct io_uring_cqe *cqe;
	int result;

	EXPECT(!io_uring_queue_init_params(STORE_DEPTH_DEFAULT, &twin, &p),
	       "expected a second ring, came none");
	EXPECT(!io_uring_queue_mmap(fd, &p, &ring), "mmap: %s",
	       strerror(errno));
	ring.sq.sqe_head = ring.sq.sqe_tail = *ring.sq.ktail;
	prepare(io_uring_get_sqe(&ring));
	EXPECT_EQ("submitted", 1, io_uring_submit_and_wait(&ring, 1));
	EXPECT(!io_uring_peek_cqe(&ring, &cqe), "expected an answer");
	result = cqe->res;
	io_uring_cqe_seen(&ring, cqe);
	io_uring_queue_exit(&twin);
	return result;
}

static void nop(struct io_uring_sqe *sqe)
{
	io_uring_prep_nop(sqe);
}

static void async_nop(struct io_uring_sqe *sqe)
{
	io_uring_prep_nop(sqe);
	sqe->flags |= IOSQE_ASYNC;
}

static void open_passwd(struct io_uring_sqe *sqe)
{
	io_uring_prep_openat(sqe, AT_FDCWD, "/etc/passwd", O_RDONLY, 0);
}

static void make_socket(struct io_uring_sqe *sqe)
{
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = 45;               /* IORING_OP_SOCKET, of Linux 5.19 */
	sqe->fd = 1;                    /* AF_UNIX */
	sqe->off = 1;                   /* SOCK_STREAM */
}

START_TEST(store_file__its_ring_does_nothing_else)
{
	int fd;

	image_make("image", IMAGE);
	image_must_open();
	fd = store_fd(fx.s);
	EXPECT_EQ("no-op", 0, by_its_ring(fd, nop));
	EXPECT_EQ("openat", -EACCES, by_its_ring(fd, open_passwd));
	EXPECT_EQ("socket", -EACCES, by_its_ring(fd, make_socket));
	EXPECT_EQ("flags", -EACCES, by_its_ring(fd, async_nop));
	EXPECT(syscall(SYS_io_uring_register, fd, IORING_REGISTER_FILES, &fd,
		       1) < 0 &&
		       errno == EACCES,
	       "expected that it registers nothing; errno: %s",
	       strerror(errno));
}
END_TEST

START_TEST(store_ram__arguments_out_of_range_are_refused)
{
	uint8_t memory[512];

	EXPECT_EQ("no memory", -1, store_ram_open(&fx.s, NULL, 512, 0));
	EXPECT_EQ("empty", -1, store_ram_open(&fx.s, memory, 0, 0));
	EXPECT_EQ("odd size", -1, store_ram_open(&fx.s, memory, 511, 0));
	EXPECT_EQ("depth", -1,
		  store_ram_open(&fx.s, memory, 512, STORE_DEPTH_MAX + 1));
	EXPECT_EQ("good", 0, store_ram_open(&fx.s, memory, 512, 0));
	must_fail(VBLK_OP_READ, 1, memory, 512, 0);
	must_fail(VBLK_OP_READ, 2, memory, 512, 0);
	must_fail(VBLK_OP_WRITE, UINT64_MAX, memory, 512, 0);
	must_fail(VBLK_OP_WRITE_ZEROES, 0, NULL, 1024, 0);
	EXPECT_EQ("unknown operation", VBLK_S_UNSUPP,
		  one((enum vblk_op)9, 0, NULL, 0, 0).status);
	EXPECT_EQ("fd", -1, store_fd(fx.s));
	EXPECT_EQ("sectors", 1, store_sectors(fx.s));
}
END_TEST

void add_open_tests(Suite *suite)
{
	TCase *t = tcase_create("open");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, fixture_setup, fixture_teardown);
	tcase_add_loop_test(t, store_file__what_is_no_image_is_refused, 0,
			    VARIANTS);
	tcase_add_loop_test(t, store_file__size_must_be_whole_blocks, 0,
			    VARIANTS);
	tcase_add_test(t, store_file__options_out_of_range_are_refused);
	tcase_add_test(t, store_file__unreadable_is_refused);
	tcase_add_test(t, store_file__no_direct_there_is_refused);
	tcase_add_test(t, store_file__mounted_device_is_refused);
	tcase_add_loop_test(t, store_file__read_only_device_is_refused, 0,
			    VARIANTS);
	tcase_add_loop_test(t, store_file__locked_elsewhere, 0, VARIANTS);
	tcase_add_loop_test(t, store_file__twice_in_one_process_is_refused, 0,
			    VARIANTS);
	tcase_add_test(t, store_file__agrees_with_qemu_locks);
	tcase_add_test(t, store_file__qemu_sees_our_locks);
	tcase_add_loop_test(t, store_file__falls_back_to_threads, 0, 2);
	tcase_add_test(t, store_file__auto_takes_io_uring);
	tcase_add_test(t, store_file__its_ring_does_nothing_else);
	tcase_add_test(t, store_ram__arguments_out_of_range_are_refused);
	suite_add_tcase(suite, t);
}

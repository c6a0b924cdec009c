/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nobody else may write the image, or read it while we write. The locks are
 * QEMU's, since its tools are who else touches disk images: open-file-
 * description locks, each on one byte that stands for one permission.
 *
 *     byte 100 + p   I use permission p
 *     byte 200 + p   I do not want others to use permission p
 *
 *     p 0: read consistent data   1: write   3: resize
 *
 * A user takes shared locks on the bytes of what it uses and does not want,
 * which never fails among users, and then asks for each whether somebody holds
 * the opposite byte. Two that start at once may both be refused, never both
 * accepted. With one exclusive lock on all the file instead, "qemu-img info -U"
 * of a running guest's image would fail, and QEMU's messages would be wrong.
 *
 * flock would be seen neither by QEMU nor over NFS; classic POSIX locks vanish
 * when any descriptor of the file is closed. Programs that take no locks, such
 * as losetup and mount -o loop, are not found out. A mounted block device is,
 * by O_EXCL (store_image.c).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store_internal.h"

#define BYTE_USES   100
#define BYTE_REFUSE 200
#define P_READ   0
#define P_WRITE  1
#define P_RESIZE 3

#define RETRY_MS 20u

#define PROC_PIDS_MAX 65536u    /* processes, and descriptors of one,
				 * that are searched */
#define PROC_FDS_MAX  65536u    /* searched for the holder */
#define PROC_LINE     256u

static struct flock one_byte(int type, off_t byte)
{
	struct flock l = { .l_type = (short)type,
			   .l_whence = SEEK_SET,
			   .l_start = byte,
			   .l_len = 1 };

	return l;
}

/* 0, or errno. */
static int hold(int fd, off_t byte)
{
	struct flock l = one_byte(F_RDLCK, byte);

	return fcntl(fd, F_OFD_SETLK, &l) ? errno : 0;
}

/* Somebody else holds byte. *pid: who, if the kernel says. */
static bool held(int fd, off_t byte, long *pid)
{
	struct flock l = one_byte(F_WRLCK, byte);

	if (fcntl(fd, F_OFD_GETLK, &l) || l.l_type == F_UNLCK)
		return false;
	*pid = l.l_pid;
	return true;
}

/* --- who is it: /proc tells of each descriptor's locks ------------------ */

static bool locks_in(const char *fdinfo)
{
	char line[PROC_LINE];
	bool found = false;
	FILE *in = fopen(fdinfo, "re");

	if (!in)
		return false;
	while (!found && fgets(line, sizeof(line), in))
		found = !strncmp(line, "lock:", 5);
	(void)fclose(in);
	return found;
}

static bool is_number(const char *s)
{
	return *s && strspn(s, "0123456789") == strlen(s);
}

static bool holds(const char *pid, const struct stat *image)
{
	char path[PROC_LINE];
	struct dirent *e;
	struct stat st;
	bool found = false;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
	dir = opendir(path);
	if (!dir)
		return false;
	for (unsigned n = 0; !found && n < PROC_FDS_MAX && (e = readdir(dir));
	     n++) {
		if (!is_number(e->d_name) ||
		    fstatat(dirfd(dir), e->d_name, &st, 0))
			continue;
		if (st.st_dev != image->st_dev || st.st_ino != image->st_ino)
			continue;
		(void)snprintf(path, sizeof(path), "/proc/%.20s/fdinfo/%.20s",
			       pid, e->d_name);
		found = locks_in(path);
	}
	(void)closedir(dir);
	return found;
}

static void read_name(long pid, char *name, size_t size)
{
	char path[PROC_LINE];
	FILE *in;

	*name = '\0';
	(void)snprintf(path, sizeof(path), "/proc/%ld/comm", pid);
	in = fopen(path, "re");
	if (!in)
		return;
	if (!fgets(name, (int)size, in))
		*name = '\0';
	name[strcspn(name, "\n")] = '\0';
	(void)fclose(in);
}

/*
 * The kernel does not say who holds an open-file-description lock, but whose
 * descriptor it came through. 0: not found, or not ours to see. Our own
 * process counts: a second disk on the same image is an easy mistake, and the
 * open that asks has let go of its locks before.
 */
static long holder(int fd)
{
	struct dirent *e;
	struct stat st;
	long pid = 0;
	DIR *dir;

	if (fstat(fd, &st))
		return 0;
	dir = opendir("/proc");
	if (!dir)
		return 0;
	for (unsigned n = 0; !pid && n < PROC_PIDS_MAX && (e = readdir(dir));
	     n++)
		if (is_number(e->d_name) && holds(e->d_name, &st))
			pid = strtol(e->d_name, NULL, 10);
	(void)closedir(dir);
	return pid;
}

static int refuse(int fd, const char *path, bool read_only, long pid,
		  char *why, size_t why_size)
{
	struct flock all = { .l_type = F_UNLCK, .l_whence = SEEK_SET };
	char name[32] = "", who[80] = "another process";

	(void)fcntl(fd, F_OFD_SETLK, &all);
	if (pid <= 0)
		pid = holder(fd);
	if (pid > 0) {
		read_name(pid, name, sizeof(name));
		(void)snprintf(who, sizeof(who), "process %ld (%s)", pid, name);
	}
	(void)snprintf(
		why, why_size, "%s: is in use by %s%s", path, who,
		read_only ? ", which may write it; stop that first"
			  : "; stop that first, or use it read-only if it only "
			    "reads");
	return -1;
}

static int try_lock(int fd, const char *path, bool read_only, bool *unlocked,
	       char *why, size_t why_size)
{
	static const int of_writer[] = { BYTE_USES + P_READ,
					 BYTE_USES + P_WRITE,
					 BYTE_REFUSE + P_WRITE,
					 BYTE_REFUSE + P_RESIZE };
	static const int of_reader[] = { BYTE_USES + P_READ,
					 BYTE_REFUSE + P_WRITE,
					 BYTE_REFUSE + P_RESIZE };
	static const int against[] = { BYTE_USES + P_WRITE,
				       BYTE_USES + P_RESIZE,
				       BYTE_REFUSE + P_READ,
				       BYTE_REFUSE + P_WRITE };
	const int *mine = read_only ? of_reader : of_writer;
	size_t n = read_only ? sizeof(of_reader) / sizeof(*of_reader)
			     : sizeof(of_writer) / sizeof(*of_writer);
	/* the last stands in a reader's way only if the reader writes */
	size_t m = sizeof(against) / sizeof(*against) - (read_only ? 1u : 0u);
	long pid = 0;
	int err;

	*unlocked = false;
	for (size_t i = 0; i < n; i++) {
		err = hold(fd, mine[i]);
		if (err == EAGAIN || err == EACCES)
			return refuse(fd, path, read_only, 0, why, why_size);
		if (err) {              /* ENOLCK, EOPNOTSUPP, ... */
			*unlocked = true;
			return 0;
		}
	}
	for (size_t i = 0; i < m; i++)
		if (held(fd, against[i], &pid))
			return refuse(fd, path, read_only, pid, why, why_size);
	return 0;
}

int image_lock(int fd, const char *path, bool read_only, unsigned wait_ms,
	       bool *unlocked, char *why, size_t why_size)
{
	const struct timespec pause = { .tv_nsec = RETRY_MS * 1000000 };

	for (unsigned waited = 0;; waited += RETRY_MS) {
		if (try_lock(fd, path, read_only, unlocked, why, why_size) == 0)
			return 0;
		if (waited >= wait_ms)
			return -1;
		(void)nanosleep(&pause, NULL);
	}
}

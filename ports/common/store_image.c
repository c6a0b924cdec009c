/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Opening an image: is it something a disk can be made of, nobody else's, and
 * of what size and alignment? Each refusal is one line that names the file,
 * what is wrong and what to do. Nothing is ever written or created here.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "store_internal.h"

#define DIRECT_ALIGN_GUESS 4096u        /* no disk in use asks for more */

struct reason {
	const char *path;
	char *why;
	size_t size;
};

static int refuse(const struct reason *r, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int refuse(const struct reason *r, const char *format, ...)
{
	char text[STORE_LINE];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	(void)snprintf(r->why, r->size, "%s: %s", r->path, text);
	return -1;
}

/* Before it is opened: opening a FIFO would wait, a device might do things. */
static int check_kind(const struct reason *r, struct stat *st)
{
	if (stat(r->path, st)) {
		if (errno == ENOENT)
			return refuse(r, "there is no such file; make an image "
					 "with: truncate -s 1G FILE");
		return refuse(r, "cannot look at it: %s", strerror(errno));
	}
	if (S_ISDIR(st->st_mode))
		return refuse(r, "is a directory; name an image file or a "
				 "block device");
	if (!S_ISREG(st->st_mode) && !S_ISBLK(st->st_mode))
		return refuse(r, "is neither a regular file nor a block "
				 "device");
	return 0;
}

static int refuse_open(const struct reason *r, const struct file *f, int err)
{
	switch (err) {
	case EACCES:
	case EPERM:
	case EROFS:
		return refuse(
			r, "cannot be opened for %s: %s; %s",
			f->read_only ? "reading" : "writing", strerror(err),
			f->read_only
				? "check its permissions"
				: "check its permissions or use it read-only");
	case EBUSY:
		return refuse(r, "is in use, mounted or part of another "
				 "device; unmount it or use it read-only");
	case EINVAL:
		if (f->direct)
			return refuse(r, "its file system has no direct I/O; "
					 "use it without direct");
		break;
	default: break;
	}
	return refuse(r, "cannot be opened: %s", strerror(err));
}

/*
 * Two open files of the same image, see store_op.c (syncs) and store_file.c
 * (requests that direct I/O cannot do). O_EXCL on a block device that will be
 * written refuses one that is mounted; a second O_EXCL would refuse ourselves.
 */
static int open_both(const struct reason *r, struct file *f,
		     const struct stat *st)
{
	int flags = (f->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOCTTY;
	int excl = S_ISBLK(st->st_mode) && !f->read_only ? O_EXCL : 0;
	struct stat main_st, side_st;

	f->fd = open(r->path, flags | excl | (f->direct ? O_DIRECT : 0));
	f->image->fd = f->fd;
	if (f->fd < 0)
		return refuse_open(r, f, errno);
	f->side_fd = open(r->path, flags);
	f->image->side_fd = f->side_fd;
	if (f->side_fd < 0)
		return refuse_open(r, f, errno);
	if (fstat(f->fd, &main_st) || fstat(f->side_fd, &side_st))
		return refuse(r, "cannot look at it: %s", strerror(errno));
	if (main_st.st_dev != side_st.st_dev ||
	    main_st.st_ino != side_st.st_ino || main_st.st_dev != st->st_dev ||
	    main_st.st_ino != st->st_ino)
		return refuse(r, "was replaced while it was opened; try again");
	return 0;
}

uint64_t image_bytes(int fd)
{
	uint64_t bytes = 0;
	struct stat st;

	if (fstat(fd, &st))
		return 0;
	if (!S_ISBLK(st.st_mode))
		return (uint64_t)st.st_size;
	return ioctl(fd, BLKGETSIZE64, &bytes) ? 0 : bytes;
}

bool image_in_memory(int fd)
{
	struct statfs fs;

	return !fstatfs(fd, &fs) &&
	       (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

static int measure(const struct reason *r, struct file *f,
		   const struct stat *st)
{
	unsigned block = f->store.block_size;
	int is_ro = 0;

	if (S_ISBLK(st->st_mode) && ioctl(f->fd, BLKROGET, &is_ro))
		return refuse(r, "does not tell whether it is read-only: %s",
			      strerror(errno));
	if (is_ro && !f->read_only)
		return refuse(r, "is a read-only device; use it read-only");
	f->bytes = image_bytes(f->fd);
	if (!f->bytes)
		return refuse(r, "is empty; give it a size with: truncate -s "
				 "1G FILE");
	if (f->bytes % block)
		return refuse(r,
			      "its size of %" PRIu64 " bytes is not a "
			      "multiple of the block size of %u; enlarge it "
			      "with: truncate -s %%%u FILE",
			      f->bytes, block, block);
	return 0;
}

/*
 * What direct I/O asks of buffer and offset. A file system that does not say
 * (before Linux 6.1) gets what every disk in use is content with.
 */
static void ask_align(struct file *f, const struct stat *st)
{
	int sector = 0;
#ifdef STATX_DIOALIGN
	struct statx sx;

	if (!statx(f->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &sx) &&
	    (sx.stx_mask & STATX_DIOALIGN)) {
		f->mem_align = sx.stx_dio_mem_align;
		f->off_align = sx.stx_dio_offset_align;
		return;
	}
#endif
	f->mem_align = f->off_align = DIRECT_ALIGN_GUESS;
	if (S_ISBLK(st->st_mode) && !ioctl(f->fd, BLKSSZGET, &sector) &&
	    sector > 0)
		f->mem_align = f->off_align = (uint32_t)sector;
}

static bool usable(uint32_t align)
{
	return align && align <= STORE_ALIGN_MAX && !(align & (align - 1u));
}

static int align(const struct reason *r, struct file *f, const struct stat *st)
{
	f->mem_align = f->off_align = 1;
	if (!f->direct)
		return 0;
	ask_align(f, st);
	if (!usable(f->mem_align) || !usable(f->off_align))
		return refuse(r,
			      "direct I/O would need an alignment of %u and "
			      "%u bytes; use it without direct",
			      f->mem_align, f->off_align);
	if (f->off_align > f->store.block_size)
		file_say(f,
			 "%s: direct I/O is in blocks of %u bytes, the "
			 "guest is told %u: requests of other sizes will be "
			 "slow; use block_size %u",
			 f->path, f->off_align, f->store.block_size,
			 f->off_align);
	return 0;
}

int image_open(struct file *f, const struct store_file_options *o, char *why,
	       size_t why_size)
{
	const struct reason r = { o->path, why, why_size };
	bool unlocked = false;
	struct stat st;

	if (check_kind(&r, &st) || open_both(&r, f, &st))
		return -1;
	if (image_lock(f->fd, o->path, f->read_only, o->lock_wait_ms, &unlocked,
		       why, why_size))
		return -1;
	if (unlocked)
		file_say(f,
			 "%s: there are no locks on its file system: take "
			 "care that nobody else writes it",
			 f->path);
	if (measure(&r, f, &st))
		return -1;
	return align(&r, f, &st);
}

/* The last lane closes the files, and the locks go with them. */
void image_close(struct file *f)
{
	struct image *image = f->image;

	if (!image || atomic_fetch_sub(&image->users, 1) > 1)
		return;
	if (image->fd >= 0)
		(void)close(image->fd);
	if (image->side_fd >= 0)
		(void)close(image->side_fd);
	free(image);
}

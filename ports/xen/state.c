/* SPDX-License-Identifier: BSD-2-Clause */
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC   UINT64_C(0x316e65786b6c6276) /* "vblkxen1" */

struct state_file {
	uint64_t magic;
	struct state_shape shape;
	uint32_t current;       /* which blob is in force */
	uint32_t len[2];        /* 0: none was stored yet */
	uint8_t  blob[2][VBLK_MMIO_STATE_BYTES];
	uint64_t logs[];        /* one a queue, each 8-aligned */
};

static size_t log_bytes(const struct state_shape *shape)
{
	/* enough for either ring */
	return (vblk_inflight_size((uint16_t)shape->queue_size,
				   VBLK_F_RING_PACKED) +
		7u) /
	       8u * 8u;
}

static size_t file_bytes(const struct state_shape *shape)
{
	return sizeof(struct state_file) + shape->queues * log_bytes(shape);
}

static void name(char *path, size_t size, const char *dir, uint32_t domain,
		 uint64_t base)
{
	(void)snprintf(path, size, "%s/%" PRIu32 "-%" PRIx64, dir, domain,
		       base);
}

static bool plausible(const struct state_shape *s)
{
	return s->queues >= 1 && s->queues <= VBLK_MAX_QUEUES &&
	       s->queue_size >= 1 && s->queue_size <= 32768u &&
	       !(s->queue_size & (s->queue_size - 1u)) &&
	       s->segs <= VBLK_MAX_SEGS && s->seg_max <= s->segs &&
	       s->slots <= s->queue_size;
}

bool state_find(const char *dir, uint32_t domain, uint64_t base,
		struct state_shape *shape, char *why, size_t size)
{
	struct state_file head;
	char path[256];
	struct stat st;
	ssize_t n;
	int fd;

	why[0] = '\0';
	if (!dir)
		return false;
	name(path, sizeof(path), dir, domain, base);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return false;
	n = read(fd, &head, sizeof(head));
	if (n == (ssize_t)sizeof(head) && head.magic == MAGIC &&
	    plausible(&head.shape) && fstat(fd, &st) == 0 &&
	    (size_t)st.st_size == file_bytes(&head.shape)) {
		*shape = head.shape;
		(void)close(fd);
		return true;
	}
	(void)close(fd);
	(void)snprintf(why, size, "%s: is no state of this version", path);
	return false;
}

static int complain(char *why, size_t size, const char *path)
{
	(void)snprintf(why, size,
		       "state %s: %s; choose another --state-dir, or none",
		       path, strerror(errno));
	return -1;
}

static int open_file(struct state *s, bool take_over)
{
	int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW;
	int fd;

	if (take_over)
		return open(s->path, flags);
	/* a name may be left from a domain that is gone */
	(void)unlink(s->path);
	fd = open(s->path, flags | O_CREAT | O_EXCL, 0600);
	if (fd >= 0 && ftruncate(fd, (off_t)s->bytes)) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

int state_open(struct state *s, const char *dir, uint32_t domain,
	       uint64_t base, const struct state_shape *shape, bool take_over,
	       char *why, size_t size)
{
	void *at;
	int fd;

	memset(s, 0, sizeof(*s));
	if (!dir)
		return 0;
	name(s->path, sizeof(s->path), dir, domain, base);
	s->bytes = file_bytes(shape);
	if (mkdir(dir, 0700) && errno != EEXIST)
		return complain(why, size, dir);
	fd = open_file(s, take_over);
	if (fd < 0)
		return complain(why, size, s->path);
	at = mmap(NULL, s->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	(void)close(fd);
	if (at == MAP_FAILED)
		return complain(why, size, s->path);
	s->file = at;
	for (uint32_t q = 0; q < shape->queues; q++)
		s->log[q] = (void *)((uint8_t *)s->file->logs +
				     q * log_bytes(shape));
	if (!take_over) {
		s->file->shape = *shape;
		/* only now is it one */
		__atomic_store_n(&s->file->magic, MAGIC, __ATOMIC_RELEASE);
	}
	return 0;
}

/* The order of stores is what counts: a kill stops us between two of them. */
void state_save(struct state *s, const struct vblk_mmio *m)
{
	uint32_t next;
	int n;

	if (!s->file)
		return;
	next = !(s->file->current & 1u);
	n = vblk_mmio_save(m, s->file->blob[next], VBLK_MMIO_STATE_BYTES);
	s->file->len[next] = n > 0 ? (uint32_t)n : 0;
	__atomic_store_n(&s->file->current, next, __ATOMIC_RELEASE);
}

int state_load(const struct state *s, struct vblk_mmio *m)
{
	uint32_t now = s->file->current & 1u;

	if (s->file->len[now] == 0)
		return VBLK_OK; /* the driver did nothing yet */
	if (s->file->len[now] > VBLK_MMIO_STATE_BYTES)
		return VBLK_EINVAL;
	return vblk_mmio_load(m, s->file->blob[now], s->file->len[now]);
}

void state_close(struct state *s, bool remove)
{
	if (!s->file)
		return;
	(void)munmap(s->file, s->bytes);
	if (remove)
		(void)unlink(s->path);
	s->file = NULL;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* See slow_disk.h. */
#include "slow_disk.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

ssize_t __real_pread(int, void *, size_t, off_t);
ssize_t __wrap_pread(int, void *, size_t, off_t);
ssize_t __real_pwrite(int, const void *, size_t, off_t);
ssize_t __wrap_pwrite(int, const void *, size_t, off_t);
ssize_t __real_preadv2(int, const struct iovec *, int, off_t, int);
ssize_t __wrap_preadv2(int, const struct iovec *, int, off_t, int);
ssize_t __real_pwritev2(int, const struct iovec *, int, off_t, int);
ssize_t __wrap_pwritev2(int, const struct iovec *, int, off_t, int);
int __real_fdatasync(int);
int __wrap_fdatasync(int);

#define WAITERS 64u             /* threads in here at a time */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int fd;
	uint8_t kept[SLOW_DISK_BYTES]; /* what a power loss leaves */
	bool hold, last_first, busy, cut;
	unsigned fails;
	uint64_t ticket, waiting[WAITERS];
	unsigned waiters;
} d = { .lock = PTHREAD_MUTEX_INITIALIZER,
	.changed = PTHREAD_COND_INITIALIZER };

/* --- the gate ------------------------------------------------------------- */

static bool my_turn(uint64_t mine)
{
	if (d.hold || (d.last_first && d.busy))
		return false;
	for (unsigned i = 0; d.last_first && i < d.waiters; i++)
		if (d.waiting[i] > mine)
			return false;
	return true;
}

/* False: this call fails. */
static bool enter(bool may_fail)
{
	uint64_t mine;
	bool good = true;

	(void)pthread_mutex_lock(&d.lock);
	mine = ++d.ticket;
	if (d.waiters == WAITERS)
		abort();
	d.waiting[d.waiters++] = mine;
	while (!my_turn(mine))
		(void)pthread_cond_wait(&d.changed, &d.lock);
	for (unsigned i = 0; i < d.waiters; i++)
		if (d.waiting[i] == mine)
			d.waiting[i] = d.waiting[--d.waiters];
	d.busy = true;
	if (may_fail && d.fails > 0) {
		d.fails--;
		good = false;
	}
	(void)pthread_mutex_unlock(&d.lock);
	return good;
}

static void leave(void)
{
	(void)pthread_mutex_lock(&d.lock);
	d.busy = false;
	(void)pthread_cond_broadcast(&d.changed);
	(void)pthread_mutex_unlock(&d.lock);
}

/* --- system calls --------------------------------------------------------- */

static ssize_t fail(void)
{
	leave();
	errno = EIO;
	return -1;
}

static ssize_t after(ssize_t n)
{
	int err = errno;

	leave();
	errno = err;
	return n;
}

ssize_t __wrap_pread(int fd, void *to, size_t len, off_t at)
{
	if (!enter(true))
		return fail();
	return after(__real_pread(fd, to, len, at));
}

ssize_t __wrap_preadv2(int fd, const struct iovec *v, int n, off_t at,
		       int flags)
{
	if (!enter(true))
		return fail();
	return after(__real_preadv2(fd, v, n, at, flags));
}

ssize_t __wrap_pwrite(int fd, const void *from, size_t len, off_t at)
{
	if (!enter(true))
		return fail();
	return after(__real_pwrite(fd, from, len, at));
}

static void keep(off_t at, size_t len)
{
	(void)pthread_mutex_lock(&d.lock);
	if (!d.cut && at >= 0 && (size_t)at < SLOW_DISK_BYTES) {
		if (len > SLOW_DISK_BYTES - (size_t)at)
			len = SLOW_DISK_BYTES - (size_t)at;
		if (__real_pread(d.fd, d.kept + at, len, at) != (ssize_t)len)
			abort();
	}
	(void)pthread_mutex_unlock(&d.lock);
}

ssize_t __wrap_pwritev2(int fd, const struct iovec *v, int n, off_t at,
			int flags)
{
	ssize_t r;

	if (!enter(true))
		return fail();
	r = __real_pwritev2(fd, v, n, at, flags);
	if (r > 0 && flags & RWF_DSYNC)
		keep(at, (size_t)r);
	return after(r);
}

/* What was written before the call: a write in the middle may be lost. */
int __wrap_fdatasync(int fd)
{
	int r;

	(void)enter(false);
	r = __real_fdatasync(fd);
	if (r == 0)
		keep(0, SLOW_DISK_BYTES);
	return (int)after(r);
}

/* --- control -------------------------------------------------------------- */

void slow_disk_open(int fd)
{
	d.fd = fd;
	d.hold = d.last_first = d.cut = false;
	d.fails = 0;
	keep(0, SLOW_DISK_BYTES);
}

static void set(bool *what, bool to)
{
	(void)pthread_mutex_lock(&d.lock);
	*what = to;
	(void)pthread_cond_broadcast(&d.changed);
	(void)pthread_mutex_unlock(&d.lock);
}

void slow_disk_hold(bool hold)
{
	set(&d.hold, hold);
}

void slow_disk_last_first(bool on)
{
	set(&d.last_first, on);
}

void slow_disk_fail(unsigned n)
{
	(void)pthread_mutex_lock(&d.lock);
	d.fails = n;
	(void)pthread_mutex_unlock(&d.lock);
}

void slow_disk_cut(void)
{
	set(&d.cut, true);
}

void slow_disk_lose(void)
{
	if (__real_pwrite(d.fd, d.kept, SLOW_DISK_BYTES, 0) !=
	    (ssize_t)SLOW_DISK_BYTES)
		abort();
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * LD_PRELOAD for fio: its one segment of System V shared memory, which the small
 * kernel has not, from mmap. With --thread nobody else attaches it.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/shm.h>

static void *segment;
static size_t bytes;

int shmget(key_t key, size_t size, int flags)
{
	(void)key;
	(void)flags;
	segment = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	bytes = size;
	return segment == MAP_FAILED ? -1 : 0;
}

void *shmat(int id, const void *at, int flags)
{
	(void)id;
	(void)at;
	(void)flags;
	return segment;
}

int shmdt(const void *at)
{
	return munmap((void *)at, bytes);
}

int shmctl(int id, int what, struct shmid_ds *ds)
{
	(void)id;
	(void)what;
	(void)ds;
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vhost-user as a port: an export of the daemon (ports/vhost-user) with its
 * control thread, its lane and its store, as it is, and on the other end of its
 * connection the front end that every test of the daemon uses (front.h), which
 * is the guest. On demand means that the guest has an IOMMU; pump answers the
 * misses, a page each.
 *
 * The disk under the store is slow_disk.h.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fixture.h"
#include "front.h"
#include "memory.h"
#include "slow_disk.h"
#include "util.h"
#include "vhost_export.h"
#include "virtio.h"

#define RAM_GPA    UINT64_C(0x40000000)
#define RAM_UVA    UINT64_C(0x551000003000)
#define RAM_OFFSET UINT64_C(0x10000)
#define HOLE       UINT64_C(0x70000000)
#define REPLY_MS   20000u       /* a pause waits for the store */
#define END_S      20u
#define PAGE       4096u

#define PROTOCOL \
	(FRONT_PF_MQ | FRONT_PF_REPLY_ACK | FRONT_PF_BACKEND_REQ | \
	 FRONT_PF_CONFIG | FRONT_PF_STATUS)

static struct vhu {
	bool serving;
	struct front front;
	struct mem mem;
	char image[32];
	int fd;                 /* of the image */
	bool on_demand, cut;
	int kick[FIXTURE_QUEUES], call[FIXTURE_QUEUES], err[FIXTURE_QUEUES];
	uint64_t told, told_config;     /* shared: any thread counts */

	/* a message whose answer waits for the store */
	pthread_t thread;
	bool running, answered;
	enum fixture_event what;
	uint64_t gpa, len;
} vhu;

static int broken(struct fixture *f, const char *what)
{
	snprintf(f->why, sizeof(f->why), "%s: %s", what, vhu.front.why);
	return FIXTURE_BROKEN;
}

/* --- making and ending ---------------------------------------------------- */

static void never_ends(int sig)
{
	static const char say[] = "Bail out! the back end does not end: it "
				  "waits for a request that is never DONE\n";

	(void)sig;
	if (write(STDOUT_FILENO, say, sizeof(say) - 1u) < 0)
		_exit(1);
	_exit(1);
}

static void drop(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

static void end(void)
{
	if (!vhu.serving)
		return;
	(void)alarm(END_S);
	slow_disk_hold(false);
	if (vhu.running)
		(void)pthread_join(vhu.thread, NULL);
	vhu.running = false;
	front_close(&vhu.front);
	vhost_export_end();
	(void)alarm(0);
	vhu.serving = false;
	mem_free(&vhu.mem);
	for (unsigned q = 0; q < FIXTURE_QUEUES; q++) {
		drop(&vhu.kick[q]);
		drop(&vhu.call[q]);
		drop(&vhu.err[q]);
	}
	if (vhu.cut)
		slow_disk_lose();
	vhu.cut = false;
}

static int greet(struct fixture *f, int socket)
{
	struct front *fr = &vhu.front;
	struct front_region r = { .gpa = RAM_GPA,
				  .size = FIXTURE_RAM,
				  .uva = RAM_UVA,
				  .offset = RAM_OFFSET };
	uint64_t offered;

	if (front_adopt(fr, socket, REPLY_MS) ||
	    front_get_features(fr, &offered) ||
	    front_get_protocol_features(fr, &offered) ||
	    front_set_protocol_features(fr, PROTOCOL & offered) ||
	    front_set_owner(fr) || front_back_open(fr))
		return broken(f, "the connection");
	fr->ask_ack = true;
	if (mem_add(&vhu.mem, &r)) {
		snprintf(f->why, sizeof(f->why), "no memory for a guest");
		return FIXTURE_BROKEN;
	}
	for (unsigned q = 0; q < FIXTURE_QUEUES; q++) {
		vhu.kick[q] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		vhu.call[q] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		vhu.err[q] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	}
	return FIXTURE_OK;
}

static int vhu_reset(struct fixture *f, uint32_t want)
{
	int pair[2];

	if (want & FIXTURE_PULL)
		return FIXTURE_CANNOT;
	end();
	slow_disk_open(vhu.fd);
	vhu.on_demand = want & FIXTURE_ON_DEMAND;
	vhu.told = vhu.told_config = 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
		snprintf(f->why, sizeof(f->why), "no descriptors left");
		return FIXTURE_BROKEN;
	}
	vhu.serving = true;
	if (vhost_export_start(pair[1], vhu.image, vhu.on_demand, f->why,
			       sizeof(f->why)))
		return FIXTURE_BROKEN;
	return greet(f, pair[0]);
}

/* --- the guest ------------------------------------------------------------ */

static int outside(struct fixture *f, uint64_t gpa)
{
	snprintf(f->why, sizeof(f->why), "0x%llx is not in the guest's memory",
		 (unsigned long long)gpa);
	return FIXTURE_BROKEN;
}

/* An index is one access; the rest is copied, before it or after it. */
static int vhu_read(struct fixture *f, uint64_t gpa, void *out, uint32_t len)
{
	uint8_t *host = mem_host(&vhu.mem, gpa, len);

	if (!host)
		return outside(f, gpa);
	if (len == 2 && gpa % 2u == 0) {
		uint16_t v = __atomic_load_n((uint16_t *)(void *)host,
					     __ATOMIC_ACQUIRE);

		memcpy(out, &v, 2);
		return FIXTURE_OK;
	}
	memcpy(out, host, len);
	return FIXTURE_OK;
}

static int vhu_write(struct fixture *f, uint64_t gpa, const void *in,
		     uint32_t len)
{
	uint8_t *host = mem_host(&vhu.mem, gpa, len);
	uint16_t v;

	if (!host)
		return outside(f, gpa);
	if (len == 2 && gpa % 2u == 0) {
		memcpy(&v, in, 2);
		__atomic_store_n((uint16_t *)(void *)host, v, __ATOMIC_RELEASE);
	} else {
		memcpy(host, in, len);
	}
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return FIXTURE_OK;
}

/* As the front end says it; behind an IOMMU the driver's, which is the gpa. */
static uint64_t ring_at(uint64_t gpa)
{
	return vhu.on_demand ? gpa : mem_uva(&vhu.mem, gpa, 1);
}

static int negotiate(bool flush)
{
	struct front *fr = &vhu.front;
	uint64_t bits;
	int r = front_get_features(fr, &bits);

	bits &= VIRTIO_F_VERSION_1 | BLK_F_MQ | VHOST_F_PROTOCOL |
		(flush ? BLK_F_FLUSH : 0) |
		(vhu.on_demand ? VIRTIO_F_ACCESS_PLATFORM : 0);
	if (!r)
		r = front_set_features(fr, bits);
	if (!r)
		r = front_set_mem_table(fr, &vhu.mem.region[0].at,
					&vhu.mem.region[0].fd, 1);
	return r;
}

static int vhu_queue(struct fixture *f, uint16_t q,
		     const struct vblk_queue_addr *a, bool flush)
{
	const struct front_vring_addr v = { .index = q,
					    .desc = ring_at(a->desc),
					    .used = ring_at(a->device),
					    .avail = ring_at(a->driver) };
	struct front *fr = &vhu.front;

	if ((q == 0 && negotiate(flush)) ||
	    front_set_vring_num(fr, q, a->size) ||
	    front_set_vring_base(fr, q, 0) || front_set_vring_addr(fr, &v) ||
	    front_set_vring_call(fr, q, vhu.call[q]) ||
	    front_set_vring_err(fr, q, vhu.err[q]) ||
	    front_set_vring_kick(fr, q, vhu.kick[q]) ||
	    front_set_vring_enable(fr, q, true))
		return broken(f, "starting a queue");
	return FIXTURE_OK;
}

static int vhu_kick(struct fixture *f, uint16_t q)
{
	(void)f;
	return eventfd_write(vhu.kick[q], 1) ? FIXTURE_BROKEN : FIXTURE_OK;
}

static void count(int fd, uint64_t *to)
{
	eventfd_t n;

	if (fd >= 0 && eventfd_read(fd, &n) == 0)
		(void)__atomic_fetch_add(to, n, __ATOMIC_SEQ_CST);
}

static int vhu_signals(struct fixture *f, struct fixture_signals *out)
{
	(void)f;
	for (unsigned q = 0; q < FIXTURE_QUEUES; q++) {
		count(vhu.call[q], &vhu.told);
		count(vhu.err[q], &vhu.told_config);
	}
	out->queues = __atomic_load_n(&vhu.told, __ATOMIC_SEQ_CST);
	out->config = __atomic_load_n(&vhu.told_config, __ATOMIC_SEQ_CST);
	out->line = false;
	return FIXTURE_OK;
}

/* --- faults --------------------------------------------------------------- */

static int vhu_fault(struct fixture *f, enum fixture_fault what,
		     uint64_t value)
{
	(void)f;
	switch (what) {
	case FIXTURE_HOLD: slow_disk_hold(value != 0); return FIXTURE_OK;
	case FIXTURE_DEPTH: return FIXTURE_CANNOT;
	case FIXTURE_LAST_FIRST:
		slow_disk_last_first(value != 0);
		return FIXTURE_OK;
	case FIXTURE_FAIL: slow_disk_fail((unsigned)value); return FIXTURE_OK;
	case FIXTURE_CUT:
		slow_disk_cut();
		vhu.cut = true;
		return FIXTURE_OK;
	}
	return FIXTURE_CANNOT;
}

/* Its answer comes when nothing is in flight any more. */
static void *ask(void *arg)
{
	struct front_iotlb m = { .iova = vhu.gpa,
				 .size = vhu.len,
				 .type = FRONT_IOTLB_INVALIDATE };
	unsigned base;

	(void)arg;
	if (vhu.what == FIXTURE_REVOKE)
		(void)front_iotlb(&vhu.front, &m);
	else
		(void)front_get_vring_base(&vhu.front, 0, &base);
	__atomic_store_n(&vhu.answered, true, __ATOMIC_RELEASE);
	return NULL;
}

static int vhu_platform(struct fixture *f, enum fixture_event what,
			uint64_t gpa, uint64_t len)
{
	if (what == FIXTURE_DIE || vhu.running)
		return FIXTURE_CANNOT;
	vhu.what = what;
	vhu.gpa = gpa;
	vhu.len = len;
	vhu.answered = false;
	vhu.running = pthread_create(&vhu.thread, NULL, ask, NULL) == 0;
	if (vhu.running)
		return FIXTURE_OK;
	snprintf(f->why, sizeof(f->why), "no thread can be started");
	return FIXTURE_BROKEN;
}

/* --- misses --------------------------------------------------------------- */

static int miss(struct fixture *f, const struct front_message *m)
{
	struct front_iotlb e;
	uint64_t page, none = 0;

	memset(&e, 0, sizeof(e));
	memcpy(&e, m->payload, m->size < sizeof(e) ? m->size : sizeof(e));
	page = e.iova / PAGE * PAGE;
	if (mem_host(&vhu.mem, page, PAGE)) {
		e = (struct front_iotlb){ .iova = page,
					  .size = PAGE,
					  .uva = mem_uva(&vhu.mem, page, PAGE),
					  .permission = FRONT_IOTLB_READ |
							FRONT_IOTLB_WRITE,
					  .type = FRONT_IOTLB_UPDATE };
		if (front_iotlb(&vhu.front, &e))
			return broken(f, "an IOTLB update");
	} else {
		none = 1;       /* the guest has no such memory */
	}
	if (m->flags & FRONT_NEED_REPLY &&
	    front_back_answer(&vhu.front, m, none))
		return broken(f, "the answer to a miss");
	return FIXTURE_OK;
}

static int vhu_pump(struct fixture *f)
{
	struct front_message m;
	int r = FIXTURE_OK;

	if (vhu.running) {      /* the connection is the thread's */
		sleep_ns(NS_PER_MS);
		if (!__atomic_load_n(&vhu.answered, __ATOMIC_ACQUIRE))
			return FIXTURE_OK;
		(void)pthread_join(vhu.thread, NULL);
		vhu.running = false;
	}
	switch (front_back_receive(&vhu.front, &m, 1)) {
	case FRONT_OK: break;
	case FRONT_TIMEOUT: return FIXTURE_OK;
	default: return broken(f, "the back end's channel");
	}
	front_message_close(&m);
	if (m.request == FRONT_BACK_CONFIG_CHANGE)
		(void)__atomic_fetch_add(&vhu.told_config, 1, __ATOMIC_SEQ_CST);
	if (m.request == FRONT_BACK_IOTLB_MSG)
		r = miss(f, &m);
	return r;
}

/* --- life ----------------------------------------------------------------- */

static const struct fixture_clause by_construction[] = {
	{ "SIG-3", "no register file: InterruptStatus is the front end's" },
	{ "ACC-1", "no register file: no access ever comes" },
	{ "ACC-2", "no register file: no access ever comes" },
	{ "ACC-3", "no register file: no access ever comes" },
	{ "ACC-4", "no register file: a kick is a write to an eventfd, which "
		   "waits for nobody" },
	{ "CAN-1", "the port leaves cancel out: no request is abandoned" },
	{ "SAV-1", "the front end keeps the control state, and says it again" },
	{ "SAV-2", "the front end keeps the control state, and says it again" },
	{ "SAV-3", "no register file: no access ever comes" },
	{ "EV-1", "the port leaves events out: its thread pushes" },
	{ NULL, NULL }
};

int fixture_open(struct fixture *f)
{
	*f = (struct fixture){ .name = "vhost-user",
			       .patience = 3000,
			       .ram_gpa = RAM_GPA,
			       .ram_bytes = FIXTURE_RAM,
			       .hole_gpa = HOLE,
			       .sectors = SLOW_DISK_BYTES / 512u,
			       .queues = FIXTURE_QUEUES,
			       .by_construction = by_construction,
			       .reset = vhu_reset,
			       .guest_read = vhu_read,
			       .guest_write = vhu_write,
			       .guest_queue = vhu_queue,
			       .guest_kick = vhu_kick,
			       .guest_signals = vhu_signals,
			       .store_fault = vhu_fault,
			       .platform = vhu_platform,
			       .pump = vhu_pump };
	for (unsigned q = 0; q < FIXTURE_QUEUES; q++)
		vhu.kick[q] = vhu.call[q] = vhu.err[q] = -1;
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR ||
	    signal(SIGALRM, never_ends) == SIG_ERR || !vhost_export_install()) {
		snprintf(f->why, sizeof(f->why), "signals cannot be set up");
		return -1;
	}
	vhu.fd = memfd_create("hal-disk", MFD_CLOEXEC);
	if (vhu.fd < 0 || ftruncate(vhu.fd, SLOW_DISK_BYTES)) {
		snprintf(f->why, sizeof(f->why), "no memory for a disk");
		return -1;
	}
	snprintf(vhu.image, sizeof(vhu.image), "/proc/self/fd/%d", vhu.fd);
	return 0;
}

void fixture_close(struct fixture *f)
{
	(void)f;
	end();
	drop(&vhu.fd);
}

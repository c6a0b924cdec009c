/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An empty port: copy this directory and fill in the functions of struct
 * vblk_hal. It links against the core and does nothing: each function gives the
 * answer that claims no work was done, and main says which are to be written.
 * spec/hal.md has the clauses, docs/porting.md the steps.
 *
 * The storage is static and of fixed size. One lane serves all queues on the
 * thread that calls main; memory is a static array in the guest's place.
 */
#include <stdio.h>

#include "vblk/hal.h"

#define VENDOR     0u           /* VendorID register: yours */
#define QUEUES     1u
#define QUEUE_SIZE 128u
#define SLOTS      32u          /* requests in flight on a queue */
#define SEGS       32u
#define REGIONS    4u
#define RAM_GPA    UINT64_C(0x40000000)
#define RAM_BYTES  0x100000u
#define WAIT_NS    UINT64_C(1000000000)

struct port {                   /* ctx of each HAL function */
	struct vblk *dev;
	struct vblk_mmio mmio;
	struct vblk_lane lane;
};

/*
 * Delete a line when its function is written. cancel, save and trace may
 * instead go from the table below; map and unmap too, if all memory is added
 * beforehand; events, if the platform pushes.
 */
static const char *const unfinished[] = {
	"submit    SUB-1 to SUB-6",
	"signal    SIG-1",
	"reply     ACC-2, ACC-3",
	"map       MAP-1 to MAP-3",
	"unmap     MAP-3, MAP-4",
	"cancel    CAN-1",
	"save      SAV-2, SAV-3",
	"events    EV-1, EV-2",
	"trace",
};

/*
 * SUB-1 Accept requests from the front; how many. Here: none.
 * SUB-2 Their order of completion is free.
 * SUB-3 Report each accepted one by a VBLK_EV_DONE, once. Not from here: no HAL
 *       function calls the lane.
 * SUB-4 FLUSH and VBLK_REQ_FUA mean durable.
 * SUB-5 Data read is in the segments before DONE.
 * SUB-6 After DONE the segments are not yours.
 */
static int port_submit(void *ctx, const struct vblk_req *req, size_t n)
{
	(void)ctx;
	(void)req;
	(void)n;
	return 0;
}

/*
 * SIG-1 A release barrier, if the interrupt is no barrier by itself.
 * up: pulse or raise; not up, with VBLK_SOURCE_LINE: lower.
 */
static void port_signal(void *ctx, uint16_t source, bool up)
{
	(void)ctx;
	(void)source;
	(void)up;
}

/*
 * ACC-2 The value into access->who's register, then let that CPU go on.
 * ACC-3 Until this is called only that CPU waits.
 */
static void port_reply(void *ctx, const struct vblk_access *access,
		       uint64_t value)
{
	(void)ctx;
	(void)access;
	(void)value;
}

/*
 * MAP-1 OK: *out covers want.
 * MAP-2 EGUEST: there is no such memory. EBUSY: no room now.
 * MAP-3 Valid until unmap.
 * Here: no room, ever. Not EGUEST, which blames the guest.
 */
static int port_map(void *ctx, const struct vblk_range *want,
		    struct vblk_region *out)
{
	(void)ctx;
	(void)want;
	(void)out;
	return VBLK_EBUSY;
}

/* MAP-4 Nothing uses region any more. */
static void port_unmap(void *ctx, const struct vblk_region *region)
{
	(void)ctx;
	(void)region;
}

/* CAN-1 DONE still follows, once. May be called again for the same request. */
static void port_cancel(void *ctx, uint16_t queue, vblk_tag tag)
{
	(void)ctx;
	(void)queue;
	(void)tag;
}

/*
 * SAV-2 vblk_mmio_save into the blob that is not in force, then switch.
 * SAV-3 is the platform's: unanswered accesses come again after a crash.
 */
static void port_save(void *ctx)
{
	(void)ctx;
}

/*
 * EV-1 Up to max events within wait_ns: how many, or a negative error.
 * EV-2 An acquire barrier, if taking an event is none by itself.
 * Here: an error, so that the loop in main ends.
 */
static int port_events(void *ctx, struct vblk_event *out, size_t max,
		       uint64_t wait_ns)
{
	(void)ctx;
	(void)out;
	(void)max;
	(void)wait_ns;
	return VBLK_EINVAL;
}

static void port_trace(void *ctx, unsigned id, uint64_t a, uint64_t b)
{
	(void)ctx;
	(void)id;
	(void)a;
	(void)b;
}

static const struct vblk_hal hal = {
	.submit = port_submit, .signal = port_signal, .reply = port_reply,
	.map = port_map, .unmap = port_unmap, .cancel = port_cancel,
	.save = port_save, .events = port_events, .trace = port_trace
};

/* --- life ----------------------------------------------------------------- */

static _Alignas(VBLK_STORAGE_ALIGN) uint8_t
	storage[VBLK_STORAGE(QUEUES, QUEUE_SIZE, SLOTS, SEGS, REGIONS)];
static _Alignas(VBLK_REGION_ALIGN) uint8_t ram[RAM_BYTES];
static struct port port;

static const struct vblk_config config = {
	.capacity = 2048,       /* sectors: the size of your store */
	/* what your store can do; FLUSH unless it is always durable */
	.features = VBLK_F_SEG_MAX | VBLK_F_FLUSH | VBLK_F_INDIRECT_DESC |
		    VBLK_F_EVENT_IDX,
	.num_queues = QUEUES,
	.queue_size = QUEUE_SIZE,
	.slots = SLOTS,
	.segs = SEGS,
	.regions = REGIONS,
	.serial = "template"
};

static int start(struct port *p)
{
	struct vblk_region all = {
		.gpa = RAM_GPA, .len = RAM_BYTES, .host = ram, .perm = VBLK_RW
	};
	int r = vblk_init(&p->dev, storage, sizeof(storage), &config);

	if (r == VBLK_OK)
		r = vblk_mem_add(p->dev, &all);
	if (r != VBLK_OK)
		return r;
	/* NULL: no in-flight logs; a crash then loses what was in flight */
	vblk_mmio_init(&p->mmio, p->dev, VENDOR, NULL);
	return vblk_lane_init(&p->lane, p->dev, &p->mmio, UINT64_MAX, &hal, p);
}

int main(void)
{
	const size_t left = sizeof(unfinished) / sizeof(unfinished[0]);
	int r = start(&port);

	while (r >= 0)
		r = vblk_lane_step(&port.lane, WAIT_NS);
	fprintf(stderr, "port: stopped: %s\n", vblk_strerror(r));
	for (size_t i = 0; i < left; i++)
		fprintf(stderr, "port: not implemented: %s\n", unfinished[i]);
	return 1;
}

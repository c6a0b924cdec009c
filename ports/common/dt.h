/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a device tree says to a back end: which disks it serves, where their
 * registers, interrupts and memory are. spec/binding.md is the binding; this
 * reads it, and refuses what it does not allow with node, property and reason.
 *
 * Freestanding, on libfdt: no allocation, no I/O, no state. The blob is not
 * trusted, but it must not change while it is read or while strings of it are
 * in use: a tree that a guest can write to is copied first.
 *
 * Ownership: strings (struct dt_disk) point into the blob and live as long as
 * it does; so does property of struct dt_error. reason is a constant.
 */
#ifndef DT_H
#define DT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vblk/vblk.h"

#ifdef __cplusplus
extern "C" {
#endif

#define DT_BLOB_MAX   (2u << 20) /* bytes: what arm64's boot protocol allows */
#define DT_STRUCT_MAX (256u << 10) /* bytes of it that are the tree itself */
#define DT_NAME_MAX   64u       /* bytes in a property's name, with its NUL */
#define DT_DEPTH_MAX  16u       /* levels below the root */
#define DT_NODES_MAX  (DT_STRUCT_MAX / 8u)
#define DT_PROPS_MAX  128u      /* properties of a disk's node */
#define DT_CHILDREN_MAX 16u     /* nodes below a disk's */
#define DT_RANGES_MAX 64u       /* entries in a bus's ranges */
#define DT_DISKS_MAX  64u       /* in a tree */
#define DT_MEMORY_MAX 64u       /* ranges of RAM in a tree */
#define DT_SERIAL_MAX 20u       /* bytes, 5.2.6: GET_ID */
#define DT_PAGE       4096u     /* RAM and windows are whole pages */
#define DT_IRQ_MAX    1019u     /* the last SPI of a GIC */
#define DT_DOMAIN_MAX 0x7fefu   /* Xen's last domain that is one */
#define DT_GRANT      (UINT64_C(1) << 63) /* in an address: a grant reference
				 * in the bits from 12 up */
#define DT_NOBODY     UINT32_MAX /* the tree names no domain */
#define DT_PATH       128u      /* bytes of a path in an error, with its NUL */
#define DT_LINE       320u      /* bytes that any error fits in, with its NUL */

/* How the back end reaches the memory that queues and requests are in. */
enum dt_memory_regime {
	DT_WHOLE,               /* all of the guest's, mapped beforehand */
	DT_ON_DEMAND,           /* pages of the guest, mapped when missed */
	DT_GRANTS, /* addresses are grants (DT_GRANT), mapped when missed */
	DT_WINDOW               /* one range that guest and back end share */
};

struct dt_disk {
	const char *name;       /* of the node, with its unit address */
	int      node;          /* its offset: for libfdt, to read properties
				 * that are a port's own */

	/* what it serves */
	const char *image;      /* path, or what a port's stores are called;
				 * NULL: the tree does not say */
	const char *serial;     /* 1..DT_SERIAL_MAX bytes; NULL: none */
	bool     read_only;
	uint32_t block_size;    /* logical block in bytes, a power of two,
				 * 512..65536; 0: not said */
	uint16_t queues;        /* 1..VBLK_MAX_QUEUES; 0: not said */
	uint16_t queue_size; /* a power of two, 1..32768; 0: not said */

	/* where its memory is */
	enum dt_memory_regime memory;
	uint32_t guest;         /* whose memory it is, or DT_NOBODY */
	uint32_t backend;       /* iommus: to whom grants are; or DT_NOBODY */
	uint32_t foreign_pages; /* ON_DEMAND, GRANTS: pages mapped at a time, at
				 * most; 0: not said */
	struct vblk_range window; /* memory-region; len 0: none */
	bool     coherent;      /* guest and back end see each other's caches */

	/* how it is notified, and how it notifies */
	uint64_t base, bytes;   /* registers, guest-physical: at least
				 * VBLK_MMIO_BYTES and a multiple of it */
	uint32_t irq;           /* of the GIC: 16..31 PPI, 32..DT_IRQ_MAX SPI */
	bool     level;         /* held up while InterruptStatus is not 0; else
				 * a pulse each time */
	bool     doorbell;      /* QueueNotify comes as a kick, not an access */
};

struct dt_error {               /* why a tree was refused */
	char path[DT_PATH];     /* of the node; cut short if it is longer */
	const char *property;   /* NULL: not one property's fault */
	const char *reason;     /* NULL: nothing was refused */
};

/*
 * The disks of a tree in its order: every node that is compatible with
 * virtio,mmio, is not disabled and does not hold another kind of device. size
 * is that of the memory at blob, which lies at a multiple of 8. Returns how
 * many; or -1 and *why, with out undefined. More than max, or than
 * DT_DISKS_MAX, are an error: no disk is left out silently.
 */
int dt_disks(const void *blob, size_t size, struct dt_disk *out, size_t max,
	     struct dt_error *why) __attribute__((warn_unused_result));

/*
 * The guest's RAM, in the tree's order, VBLK_RW, whole pages, nothing twice.
 * Returns how many ranges; 0: the tree does not say. -1 and *why as above.
 */
int dt_memory(const void *blob, size_t size, struct vblk_range *out,
	      size_t max, struct dt_error *why)
	__attribute__((warn_unused_result));

/*
 * "/soc/virtio@2000000: interrupts: no such interrupt" into line, cut to size,
 * terminated; bytes that do not print become '?'. Returns line.
 */
char *dt_strerror(const struct dt_error *why, char *line, size_t size);

/* The name that vblk,memory has for it. */
const char *dt_regime_name(enum dt_memory_regime regime);

#ifdef __cplusplus
}
#endif
#endif

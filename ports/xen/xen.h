/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Xen's libraries as this daemon uses them: the handles of the process, what
 * was asked of the hypervisor so far, and one way to say what it refused.
 */
#ifndef XEN_H
#define XEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xendevicemodel.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>
#include <xengnttab.h>

#define XEN_PAGE       4096u
#define XEN_PAGE_SHIFT 12u

/* How often each operation of spec/hypercalls.md was used. */
struct xen_counts {
	uint64_t events;        /* event channel events taken in */
	uint64_t accesses;      /* register accesses among them */
	uint64_t notifies;      /* event channel sends: accesses answered */
	uint64_t interrupts;    /* set_irq_level */
	uint64_t maps, unmaps;  /* of foreign pages: calls */
	uint64_t grant_maps, grant_unmaps;
	uint64_t requests;      /* that stores finished */
};

struct xen {
	xendevicemodel_handle *model;
	xenforeignmemory_handle *memory;
	xenevtchn_handle *events;
	xengnttab_handle *grants; /* NULL until a disk wants them */
	struct xentoollog_logger *quiet; /* errno tells, and we say it */
	struct xen_counts counts;
};

/* 0, or -1 with one line in why: which driver is missing. */
int xen_open(struct xen *x, char *why, size_t size)
	__attribute__((warn_unused_result));
int xen_open_grants(struct xen *x, char *why, size_t size)
	__attribute__((warn_unused_result));
void xen_close(struct xen *x);

/*
 * One line in why: the call that failed with errno, the domain, the reason in
 * words, and what to check. Returns -1.
 */
int xen_failed(char *why, size_t size, const char *call, uint32_t domain);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
#include "xen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <xentoollog.h>

/* What an error of a hypercall usually comes of. */
static const char *advice(const char *call, int error)
{
	switch (error) {
	case EPERM:
	case EACCES:
		return "this domain needs to be the guest's device model: "
		       "dom0, or with the guest as its target and xsm=dummy";
	case EOPNOTSUPP:
	case ENOSYS: return "Xen must be built with CONFIG_IOREQ_SERVER=y";
	case ESRCH: return "is there such a domain? see xl list";
	case EBUSY:
	case ENOMEM:
		return strstr(call, "map")
			       ? "no room for foreign pages: give this domain "
				 "more memory, or use --memory=on-demand"
			       : "another back end may serve it";
	case ENOSPC: return "the guest has as many IOREQ servers as it can";
	case EEXIST: return "another back end serves that address; see xl list";
	case EINVAL:
		return strstr(call, "bind")
			       ? "another process serves this guest"
			       : "is it an Arm guest made for virtio-mmio?";
	default: return "see xl dmesg";
	}
}

int xen_failed(char *why, size_t size, const char *call, uint32_t domain)
{
	int error = errno;

	(void)snprintf(why, size, "domain %u: %s: %s; %s", domain, call,
		       strerror(error), advice(call, error));
	return -1;
}

static int missing(char *why, size_t size, const char *node)
{
	(void)snprintf(why, size,
		       "%s: %s; is this a Xen domain with that "
		       "driver (modprobe)?",
		       node, strerror(errno));
	return -1;
}

static int open_quiet(struct xen *x)
{
	FILE *nowhere = fopen("/dev/null", "w");

	x->quiet = nowhere ? (struct xentoollog_logger *)
				     xtl_createlogger_stdiostream(
					     nowhere, XTL_CRITICAL, 0)
			   : NULL;
	return x->quiet ? 0 : -1;
}

int xen_open(struct xen *x, char *why, size_t size)
{
	int fd, flags;

	memset(x, 0, sizeof(*x));
	if (open_quiet(x)) {
		(void)snprintf(why, size, "/dev/null: %s", strerror(errno));
		return -1;
	}
	x->events = xenevtchn_open(x->quiet, 0);
	if (!x->events)
		return missing(why, size, "/dev/xen/evtchn");
	x->model = xendevicemodel_open(x->quiet, 0);
	if (!x->model)
		return missing(why, size, "/dev/xen/privcmd");
	x->memory = xenforeignmemory_open(x->quiet, 0);
	if (!x->memory)
		return missing(why, size, "/dev/xen/privcmd");
	fd = xenevtchn_fd(x->events);
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return missing(why, size, "/dev/xen/evtchn");
	return 0;
}

int xen_open_grants(struct xen *x, char *why, size_t size)
{
	if (!x->grants)
		x->grants = xengnttab_open(x->quiet, 0);
	return x->grants ? 0 : missing(why, size, "/dev/xen/gntdev");
}

void xen_close(struct xen *x)
{
	if (x->grants)
		(void)xengnttab_close(x->grants);
	if (x->memory)
		(void)xenforeignmemory_close(x->memory);
	if (x->model)
		(void)xendevicemodel_close(x->model);
	if (x->events)
		(void)xenevtchn_close(x->events);
	if (x->quiet)
		xtl_logger_destroy(x->quiet);
	memset(x, 0, sizeof(*x));
}

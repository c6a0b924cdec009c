/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon's side of the vhost-user fixture: an export as main.c makes it.
 * Apart from the front end's, because their headers have names in common.
 */
#ifndef VHOST_EXPORT_H
#define VHOST_EXPORT_H

#include <stdbool.h>
#include <stddef.h>

/* Once, before there are threads. False: no handler can be set. */
bool vhost_export_install(void);

/* Serves image on the connected socket, which becomes its own. -1 and why. */
int vhost_export_start(int socket, const char *image, bool iommu, char *why,
		       size_t why_size);

/* Waits for what is in flight. */
void vhost_export_end(void);

#endif

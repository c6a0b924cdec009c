/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Over vhost-user: not yet.
 */
#include "attach.h"

#include <stdio.h>

bool vhost_user_attach(struct dut *d, const char *path, unsigned wait_ms,
		       char *why)
{
	(void)d;
	(void)wait_ms;
	snprintf(why, ATTACH_WHY, "%s: vhost-user is not supported yet", path);
	return false;
}

void vhost_user_detach(struct dut *d)
{
	(void)d;
}

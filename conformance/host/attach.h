/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two ways in which this program reaches a device. An attachment makes one
 * struct dut for each configuration that the suite is to be run on, one at a
 * time. Errors: false, with one line in why.
 */
#ifndef ATTACH_H
#define ATTACH_H

#include "dut.h"

#define ATTACH_WHY 200u

/* --- a device in this process: sim.c -------------------------------------- */

unsigned sim_configurations(void);
const char *sim_configuration(unsigned i);      /* its name */
bool sim_attach(struct dut *d, unsigned configuration, char *why);
void sim_detach(struct dut *d);

/* --- another process: vhost_user.c ---------------------------------------- */

bool vhost_user_attach(struct dut *d, const char *path, unsigned wait_ms,
		       char *why);
void vhost_user_detach(struct dut *d);

#endif

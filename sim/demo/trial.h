/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest writes: on the last 8 MiB of the disk and a few sectors elsewhere,
 * whose content is saved before and put back after, whatever happens between.
 */
#ifndef DEMO_TRIAL_H
#define DEMO_TRIAL_H

#include "work.h"

#define TRIAL_BYTES (8u << 20)  /* at the end of the disk, at most */
#define TRIAL_FEW   4u          /* places elsewhere, of 1 to 8 sectors */

/*
 * Prints a line for each step that went well. The stop flag is heeded between
 * saving and restoring, not while restoring.
 */
enum work_result trial_run(struct work *w);

#endif

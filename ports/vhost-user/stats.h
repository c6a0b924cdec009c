/* SPDX-License-Identifier: BSD-2-Clause */
/* Counters and latencies of a disk as a table a person reads. */
#ifndef STATS_H
#define STATS_H

#include "export.h"

void stats_print(struct export *e);

#endif

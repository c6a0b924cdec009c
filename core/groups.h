/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Groups that a build can leave out: VBLK_WITHOUT_LOG (inflight.c; logs given
 * to vblk_queue_start are refused), VBLK_WITHOUT_DEMAND (mapping on demand),
 * VBLK_WITHOUT_PACKED (ring_packed.c), VBLK_WITHOUT_ORDER (IN_ORDER) and
 * VBLK_WITHOUT_SUSPEND (of mmio.c): a configuration that asks for one of these
 * is refused. Files that nobody calls, as state.c, mmio_state.c and run.c, are
 * simply not linked.
 */
#ifndef VBLK_GROUPS_H
#define VBLK_GROUPS_H

#include <stdbool.h>

#ifdef VBLK_WITHOUT_LOG
#define HAS_LOG false
#else
#define HAS_LOG true
#endif
#ifdef VBLK_WITHOUT_DEMAND
#define HAS_DEMAND false
#else
#define HAS_DEMAND true
#endif
#ifdef VBLK_WITHOUT_PACKED
#define HAS_PACKED false
#else
#define HAS_PACKED true
#endif
#ifdef VBLK_WITHOUT_ORDER
#define HAS_ORDER false
#else
#define HAS_ORDER true
#endif
#ifdef VBLK_WITHOUT_SUSPEND
#define HAS_SUSPEND false
#else
#define HAS_SUSPEND true
#endif

#endif

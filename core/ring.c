/* SPDX-License-Identifier: BSD-2-Clause */
/* What ring.h inlines for speed: one copy, where it is to be small. */
#define VBLK_RING_HERE
#include "ring.h"

/* SPDX-License-Identifier: BSD-2-Clause */
/* What ring.h inlines where code is to be fast, once, where it is to be small. */
#define VBLK_RING_HERE
#include "ring.h"

/* SPDX-License-Identifier: BSD-2-Clause */
/* A packed queue's part of vring.h. */
#ifndef VRING_INTERNAL_H
#define VRING_INTERNAL_H

#include "vring.h"

int packed_init(struct vring *q, const struct vring_options *o);
int packed_build(struct vring *q, const struct vring_buffer *b, unsigned n,
		 bool indirect, uint32_t cookie);
void packed_post(struct vring *q, uint16_t id);
bool packed_publish(struct vring *q);
bool packed_pending(const struct vring *q);
int packed_pop(struct vring *q, struct vring_used *u);
bool packed_arm(struct vring *q);
void packed_disarm(struct vring *q);
uint32_t packed_base(const struct vring *q);

#endif

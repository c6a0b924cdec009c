/* SPDX-License-Identifier: BSD-2-Clause */
/* Structures as images, field by field. */
#include "bytes.h"

/* Byte i of an integer in memory, counted from its lowest. */
static uint32_t place(const struct vblk_field *f, uint32_t i)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	return f->offset + (f->bytes - 1u - i);
#else
	return f->offset + i;
#endif
}

void vblk_pack(uint8_t *image, const void *object, const struct vblk_field *f)
{
	for (; f->bytes != 0; f++)
		for (uint32_t i = 0; i < f->bytes; i++)
			image[f->at + i] = ((
				const uint8_t *)object)[place(f, i)];
}

void vblk_unpack(void *object, const uint8_t *image, const struct vblk_field *f)
{
	for (; f->bytes != 0; f++)
		for (uint32_t i = 0; i < f->bytes; i++)
			((uint8_t *)object)[place(f, i)] = image[f->at + i];
}

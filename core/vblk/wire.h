/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the driver and the device agree on, byte for byte: little-endian
 * integers, the virtqueues (virtio 1.4, 2.7 and 2.8), the block device's
 * request header and configuration space (5.2), feature bits (5.2.3, 6).
 *
 * A wire integer is a structure of one field, so that `v + 1` on one does not
 * compile; vblk_le16_get and friends are the only way in and out. Written from
 * the specification; no other project's header is copied here.
 */
#ifndef VBLK_WIRE_H
#define VBLK_WIRE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct vblk_le16 { uint16_t raw; };
struct vblk_le32 { uint32_t raw; };
struct vblk_le64 { uint64_t raw; };

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define VBLK_SWAP16(x) __builtin_bswap16(x)
#define VBLK_SWAP32(x) __builtin_bswap32(x)
#define VBLK_SWAP64(x) __builtin_bswap64(x)
#else
#define VBLK_SWAP16(x) (x)
#define VBLK_SWAP32(x) (x)
#define VBLK_SWAP64(x) (x)
#endif

static inline uint16_t vblk_le16_get(struct vblk_le16 v)
{
	return VBLK_SWAP16(v.raw);
}

static inline uint32_t vblk_le32_get(struct vblk_le32 v)
{
	return VBLK_SWAP32(v.raw);
}

static inline uint64_t vblk_le64_get(struct vblk_le64 v)
{
	return VBLK_SWAP64(v.raw);
}

static inline struct vblk_le16 vblk_le16_make(uint16_t v)
{
	struct vblk_le16 w;

	w.raw = VBLK_SWAP16(v);
	return w;
}

static inline struct vblk_le32 vblk_le32_make(uint32_t v)
{
	struct vblk_le32 w;

	w.raw = VBLK_SWAP32(v);
	return w;
}

static inline struct vblk_le64 vblk_le64_make(uint64_t v)
{
	struct vblk_le64 w;

	w.raw = VBLK_SWAP64(v);
	return w;
}

/* --- split virtqueue, 2.7 ------------------------------------------------- */

struct vblk_desc {              /* 2.7.5, 16 bytes */
	struct vblk_le64 addr;  /* guest-physical */
	struct vblk_le32 len;   /* bytes */
	struct vblk_le16 flags; /* VBLK_DESC_ */
	struct vblk_le16 next;  /* valid if VBLK_DESC_NEXT */
};

#define VBLK_DESC_NEXT     1u
#define VBLK_DESC_WRITE    2u   /* the device writes this buffer */
#define VBLK_DESC_INDIRECT 4u   /* the buffer is a table of descriptors */

/* Offsets in the driver area (available ring), 2.7.6 */
#define VBLK_AVAIL_FLAGS 0u
#define VBLK_AVAIL_IDX   2u
#define VBLK_AVAIL_RING  4u     /* size entries of 2; then used_event */
#define VBLK_AVAIL_NO_INTERRUPT 1u

/* Offsets in the device area (used ring), 2.7.8 */
#define VBLK_USED_FLAGS 0u
#define VBLK_USED_IDX   2u
#define VBLK_USED_RING  4u      /* size entries of 8; then avail_event */
#define VBLK_USED_NO_NOTIFY 1u

/* --- packed virtqueue, 2.8 ------------------------------------------------ */

struct vblk_packed_desc {       /* 2.8.13, 16 bytes */
	struct vblk_le64 addr;
	struct vblk_le32 len;
	struct vblk_le16 id;    /* of the buffer; in its last descriptor */
	struct vblk_le16 flags; /* VBLK_DESC_ and these */
};

#define VBLK_DESC_AVAIL (1u << 7)
#define VBLK_DESC_USED  (1u << 15)
#define VBLK_WRAP       0x8000u /* in positions and in events */

/*
 * Event suppression structure, 2.8.14, as one little-endian word: offset and
 * wrap counter in the low half, VBLK_EVENT_ in the high one.
 */
#define VBLK_EVENT_ENABLE  0u
#define VBLK_EVENT_DISABLE 1u
#define VBLK_EVENT_DESC    2u   /* at that descriptor; with EVENT_IDX */

/* --- block requests, 5.2.6 ------------------------------------------------ */

struct vblk_header {            /* device-readable, 16 bytes */
	struct vblk_le32 type;  /* VBLK_T_ */
	struct vblk_le32 reserved;
	struct vblk_le64 sector; /* of 512 bytes */
};

#define VBLK_T_IN           0u
#define VBLK_T_OUT          1u
#define VBLK_T_FLUSH        4u
#define VBLK_T_GET_ID       8u
#define VBLK_T_DISCARD      11u
#define VBLK_T_WRITE_ZEROES 13u
#define VBLK_T_SECURE_ERASE 14u

struct vblk_extent {            /* of these last three, 16 bytes */
	struct vblk_le64 sector;
	struct vblk_le32 num_sectors;
	struct vblk_le32 flags;
};

#define VBLK_EXTENT_UNMAP 1u

#define VBLK_SECTOR_SIZE 512u
#define VBLK_ID_BYTES    20u    /* what GET_ID writes */

struct vblk_config_space {      /* 5.2.4 */
	struct vblk_le64 capacity;
	struct vblk_le32 size_max, seg_max;
	struct vblk_le16 cylinders;
	uint8_t heads, sectors;
	struct vblk_le32 blk_size;
	uint8_t physical_block_exp, alignment_offset;
	struct vblk_le16 min_io_size;
	struct vblk_le32 opt_io_size;
	uint8_t writeback, unused0;
	struct vblk_le16 num_queues;
	struct vblk_le32 max_discard_sectors, max_discard_seg;
	struct vblk_le32 discard_sector_alignment;
	struct vblk_le32 max_write_zeroes_sectors, max_write_zeroes_seg;
	uint8_t write_zeroes_may_unmap, unused1[3];
	struct vblk_le32 max_secure_erase_sectors, max_secure_erase_seg;
	struct vblk_le32 secure_erase_sector_alignment;
};

#define VBLK_CFG_WRITEBACK 32u  /* offset of the field a driver may write */
#define VBLK_CFG_BYTES     72u

/* --- features: masks, never bit numbers, 5.2.3 and 6 ---------------------- */

#define VBLK_F_SIZE_MAX        (UINT64_C(1) << 1)
#define VBLK_F_SEG_MAX         (UINT64_C(1) << 2)
#define VBLK_F_GEOMETRY        (UINT64_C(1) << 4)
#define VBLK_F_RO              (UINT64_C(1) << 5)
#define VBLK_F_BLK_SIZE        (UINT64_C(1) << 6)
#define VBLK_F_FLUSH           (UINT64_C(1) << 9)
#define VBLK_F_TOPOLOGY        (UINT64_C(1) << 10)
#define VBLK_F_CONFIG_WCE      (UINT64_C(1) << 11)
#define VBLK_F_MQ              (UINT64_C(1) << 12)
#define VBLK_F_DISCARD         (UINT64_C(1) << 13)
#define VBLK_F_WRITE_ZEROES    (UINT64_C(1) << 14)
#define VBLK_F_SECURE_ERASE    (UINT64_C(1) << 16)
#define VBLK_F_INDIRECT_DESC   (UINT64_C(1) << 28)
#define VBLK_F_EVENT_IDX       (UINT64_C(1) << 29)
#define VBLK_F_VERSION_1       (UINT64_C(1) << 32)
#define VBLK_F_ACCESS_PLATFORM (UINT64_C(1) << 33)
#define VBLK_F_RING_PACKED     (UINT64_C(1) << 34)
#define VBLK_F_IN_ORDER        (UINT64_C(1) << 35)
#define VBLK_F_ORDER_PLATFORM  (UINT64_C(1) << 36)
#define VBLK_F_NOTIFICATION_DATA (UINT64_C(1) << 38)
#define VBLK_F_RING_RESET      (UINT64_C(1) << 40)
#define VBLK_F_SUSPEND         (UINT64_C(1) << 43)

/* --- device status, 2.1 --------------------------------------------------- */

#define VBLK_STATUS_ACKNOWLEDGE 1u
#define VBLK_STATUS_DRIVER      2u
#define VBLK_STATUS_DRIVER_OK   4u
#define VBLK_STATUS_FEATURES_OK 8u
#define VBLK_STATUS_SUSPEND     16u
#define VBLK_STATUS_NEEDS_RESET 64u
#define VBLK_STATUS_FAILED      128u

/* What a driver sets; NEEDS_RESET is the device's. */
#define VBLK_STATUS_SETTABLE (VBLK_STATUS_ACKNOWLEDGE | VBLK_STATUS_DRIVER | \
			      VBLK_STATUS_DRIVER_OK | \
			      VBLK_STATUS_FEATURES_OK | VBLK_STATUS_FAILED)

#ifdef __cplusplus
}
#endif
#endif

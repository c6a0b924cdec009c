/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a virtio-blk driver knows of its device (virtio 1.x): feature bits, the
 * split virtqueue, block requests, the configuration space. Written for the
 * driver's side and from the specification only: it shares nothing with the
 * device under test, so that a wrong constant there is found here.
 *
 * Integers in guest memory and in the configuration space are little-endian;
 * le16, le32 and le64 go both ways.
 */
#ifndef VIRTIO_H
#define VIRTIO_H

#include <stdint.h>

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define LE_SWAP(bits, v) __builtin_bswap##bits(v)
#else
#define LE_SWAP(bits, v) (v)
#endif

static inline uint16_t le16(uint16_t v)
{
	return LE_SWAP(16, v);
}

static inline uint32_t le32(uint32_t v)
{
	return LE_SWAP(32, v);
}

static inline uint64_t le64(uint64_t v)
{
	return LE_SWAP(64, v);
}

#define VIRTIO_BIT(n) (UINT64_C(1) << (n))

/* --- feature bits: 5.2.3, 6, and the two that vhost borrows --------------- */

#define BLK_F_SIZE_MAX     VIRTIO_BIT(1)
#define BLK_F_SEG_MAX      VIRTIO_BIT(2)
#define BLK_F_GEOMETRY     VIRTIO_BIT(4)
#define BLK_F_RO           VIRTIO_BIT(5)
#define BLK_F_BLK_SIZE     VIRTIO_BIT(6)
#define BLK_F_FLUSH        VIRTIO_BIT(9)
#define BLK_F_TOPOLOGY     VIRTIO_BIT(10)
#define BLK_F_CONFIG_WCE   VIRTIO_BIT(11)
#define BLK_F_MQ           VIRTIO_BIT(12)
#define BLK_F_DISCARD      VIRTIO_BIT(13)
#define BLK_F_WRITE_ZEROES VIRTIO_BIT(14)
#define BLK_F_LIFETIME     VIRTIO_BIT(15)
#define BLK_F_SECURE_ERASE VIRTIO_BIT(16)
#define BLK_F_ZONED        VIRTIO_BIT(17)

#define VHOST_F_LOG_ALL    VIRTIO_BIT(26)
#define VHOST_F_PROTOCOL   VIRTIO_BIT(30) /* protocol features exist */

#define VIRTIO_F_INDIRECT        VIRTIO_BIT(28)
#define VIRTIO_F_EVENT_IDX       VIRTIO_BIT(29)
#define VIRTIO_F_VERSION_1       VIRTIO_BIT(32)
#define VIRTIO_F_ACCESS_PLATFORM VIRTIO_BIT(33)
#define VIRTIO_F_RING_PACKED     VIRTIO_BIT(34)
#define VIRTIO_F_IN_ORDER        VIRTIO_BIT(35)
#define VIRTIO_F_ORDER_PLATFORM  VIRTIO_BIT(36)
#define VIRTIO_F_SR_IOV          VIRTIO_BIT(37)
#define VIRTIO_F_NOTIFY_DATA     VIRTIO_BIT(38)
#define VIRTIO_F_NOTIF_CONFIG    VIRTIO_BIT(39)
#define VIRTIO_F_RING_RESET      VIRTIO_BIT(40)
#define VIRTIO_F_ADMIN_VQ        VIRTIO_BIT(41)
#define VIRTIO_F_SUSPEND         VIRTIO_BIT(43)

/* --- device status, 2.1 --------------------------------------------------- */

#define VIRTIO_S_ACKNOWLEDGE 1u
#define VIRTIO_S_DRIVER      2u
#define VIRTIO_S_DRIVER_OK   4u
#define VIRTIO_S_FEATURES_OK 8u
#define VIRTIO_S_SUSPEND     16u
#define VIRTIO_S_NEEDS_RESET 64u
#define VIRTIO_S_FAILED      128u

/* --- split virtqueue, 2.7 ------------------------------------------------- */

struct virtio_desc {            /* 2.7.5; fields are little-endian */
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

#define DESC_NEXT     1u
#define DESC_WRITE    2u        /* the device writes it */
#define DESC_INDIRECT 4u

#define AVAIL_NO_INTERRUPT 1u
#define USED_NO_NOTIFY     1u

#define AVAIL_BYTES(size) (6u + 2u * (size))    /* with used_event */
#define USED_BYTES(size)  (6u + 8u * (size))    /* with avail_event */

/* --- packed virtqueue, 2.8 ------------------------------------------------ */

struct virtio_pdesc {           /* 2.8.13; fields are little-endian */
	uint64_t addr;
	uint32_t len;
	uint16_t id;
	uint16_t flags;         /* DESC_ as above, and */
};

#define PDESC_AVAIL 0x80u
#define PDESC_USED  0x8000u

struct virtio_pevent {          /* 2.8.14, little-endian */
	uint16_t off_wrap;      /* offset, and the wrap counter as bit 15 */
	uint16_t flags;
};

#define PEVENT_ENABLE  0u
#define PEVENT_DISABLE 1u
#define PEVENT_DESC    2u       /* with EVENT_IDX: when off_wrap is reached */
#define PEVENT_WRAP    0x8000u

/* --- block requests, 5.2.6 ------------------------------------------------ */

struct blk_header {             /* little-endian */
	uint32_t type;
	uint32_t reserved;
	uint64_t sector;
};

struct blk_extent {             /* of discard and write zeroes; little-endian */
	uint64_t sector;
	uint32_t sectors;
	uint32_t flags;
};

#define BLK_T_IN           0u
#define BLK_T_OUT          1u
#define BLK_T_FLUSH        4u
#define BLK_T_GET_ID       8u
#define BLK_T_GET_LIFETIME 10u
#define BLK_T_DISCARD      11u
#define BLK_T_WRITE_ZEROES 13u
#define BLK_T_SECURE_ERASE 14u
#define BLK_T_ZONE_APPEND    15u
#define BLK_T_ZONE_REPORT    16u
#define BLK_T_ZONE_OPEN      18u
#define BLK_T_ZONE_CLOSE     20u
#define BLK_T_ZONE_FINISH    22u
#define BLK_T_ZONE_RESET     24u
#define BLK_T_ZONE_RESET_ALL 26u

#define BLK_S_OK     0u
#define BLK_S_IOERR  1u
#define BLK_S_UNSUPP 2u

#define BLK_EXTENT_UNMAP 1u     /* of write zeroes only */
#define BLK_ID_BYTES     20u
#define SECTOR           512u

/* --- configuration space, 5.2.4 ------------------------------------------- */

#define BLK_CONFIG_BYTES     60u /* up to write_zeroes_may_unmap and padding */
#define BLK_CONFIG_WRITEBACK 32u /* offset of the byte a driver may write */

/* In host byte order. A field whose feature is absent is whatever came. */
struct blk_config {
	uint64_t capacity;      /* sectors */
	uint32_t size_max, seg_max;
	uint16_t cylinders;
	uint8_t heads, sectors;
	uint32_t blk_size;
	uint8_t physical_block_exp, alignment_offset;
	uint16_t min_io_size;
	uint32_t opt_io_size;
	uint8_t writeback;
	uint16_t num_queues;
	uint32_t max_discard_sectors, max_discard_seg;
	uint32_t discard_sector_alignment;
	uint32_t max_write_zeroes_sectors, max_write_zeroes_seg;
	uint8_t write_zeroes_may_unmap;
};

#endif

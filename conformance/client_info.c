/* SPDX-License-Identifier: BSD-2-Clause */
/* What a back end offers, for people. */
#include <stdio.h>
#include <string.h>

#include "client.h"

struct name {
	unsigned bit;
	const char *name;
};

static const struct name features[] = {
	{ 1, "SIZE_MAX" }, { 2, "SEG_MAX" }, { 4, "GEOMETRY" }, { 5, "RO" },
	{ 6, "BLK_SIZE" }, { 9, "FLUSH" }, { 10, "TOPOLOGY" },
	{ 11, "CONFIG_WCE" }, { 12, "MQ" }, { 13, "DISCARD" },
	{ 14, "WRITE_ZEROES" }, { 15, "LIFETIME" }, { 16, "SECURE_ERASE" },
	{ 17, "ZONED" }, { 24, "NOTIFY_ON_EMPTY" }, { 26, "LOG_ALL (vhost)" },
	{ 27, "ANY_LAYOUT" }, { 28, "INDIRECT_DESC" }, { 29, "EVENT_IDX" },
	{ 30, "PROTOCOL_FEATURES (vhost-user)" }, { 32, "VERSION_1" },
	{ 33, "ACCESS_PLATFORM" }, { 34, "RING_PACKED" }, { 35, "IN_ORDER" },
	{ 36, "ORDER_PLATFORM" }, { 37, "SR_IOV" },
	{ 38, "NOTIFICATION_DATA" }, { 39, "NOTIF_CONFIG_DATA" },
	{ 40, "RING_RESET" }, { 0, NULL }
};

static const struct name protocol[] = {
	{ 0, "MQ" }, { 1, "LOG_SHMFD" }, { 2, "RARP" }, { 3, "REPLY_ACK" },
	{ 4, "MTU" }, { 5, "BACKEND_REQ" }, { 6, "CROSS_ENDIAN" },
	{ 7, "CRYPTO_SESSION" }, { 8, "PAGEFAULT" }, { 9, "CONFIG" },
	{ 10, "BACKEND_SEND_FD" }, { 11, "HOST_NOTIFIER" },
	{ 12, "INFLIGHT_SHMFD" }, { 13, "RESET_DEVICE" },
	{ 14, "INBAND_NOTIFICATIONS" }, { 15, "CONFIGURE_MEM_SLOTS" },
	{ 16, "STATUS" }, { 17, "XEN_MMAP" }, { 18, "SHARED_OBJECT" },
	{ 19, "DEVICE_STATE" }, { 20, "SHMEM" }, { 0, NULL }
};

static void print_bits(const char *title, uint64_t bits,
		       const struct name *names)
{
	printf("%s: 0x%llx\n", title, (unsigned long long)bits);
	for (unsigned bit = 0; bit < 64; bit++) {
		const struct name *n = names;

		if (!(bits >> bit & 1))
			continue;
		while (n->name && n->bit != bit)
			n++;
		printf("  %2u  %s\n", bit, n->name ? n->name : "unknown");
	}
}

static void row(const char *field, uint64_t value, bool valid, const char *unit)
{
	if (valid)
		printf("  %-26s %12llu  %s\n", field, (unsigned long long)value,
		       unit);
	else
		printf("  %-26s %12s\n", field, "-");
}

static void print_config(const struct session *s)
{
	const struct blk_config *c = &s->config;
	uint64_t has = s->offered;
	bool discard = has & BLK_F_DISCARD, zeroes = has & BLK_F_WRITE_ZEROES;
	bool topology = has & BLK_F_TOPOLOGY, geometry = has & BLK_F_GEOMETRY;

	printf("configuration space:\n");
	row("capacity", c->capacity, true, "sectors of 512");
	row("size_max", c->size_max, has & BLK_F_SIZE_MAX, "bytes");
	row("seg_max", c->seg_max, has & BLK_F_SEG_MAX, "segments");
	row("geometry.cylinders", c->cylinders, geometry, "");
	row("geometry.heads", c->heads, geometry, "");
	row("geometry.sectors", c->sectors, geometry, "");
	row("blk_size", c->blk_size, has & BLK_F_BLK_SIZE, "bytes");
	row("physical_block_exp", c->physical_block_exp, topology, "log2");
	row("alignment_offset", c->alignment_offset, topology, "blocks");
	row("min_io_size", c->min_io_size, topology, "blocks");
	row("opt_io_size", c->opt_io_size, topology, "blocks");
	row("writeback", c->writeback, has & BLK_F_CONFIG_WCE, "");
	row("num_queues", c->num_queues, has & BLK_F_MQ, "");
	row("max_discard_sectors", c->max_discard_sectors, discard, "sectors");
	row("max_discard_seg", c->max_discard_seg, discard, "segments");
	row("discard_sector_alignment", c->discard_sector_alignment, discard,
	    "sectors");
	row("max_write_zeroes_sectors", c->max_write_zeroes_sectors, zeroes,
	    "sectors");
	row("max_write_zeroes_seg", c->max_write_zeroes_seg, zeroes,
	    "segments");
	row("write_zeroes_may_unmap", c->write_zeroes_may_unmap, zeroes, "");
}

int client_info(struct client_options *o)
{
	struct session_options so = client_session(o);
	struct session s;
	uint64_t slots;

	if (session_open(&s, &so)) {
		client_say("%s", s.why);
		return EXIT_TEST;
	}
	print_bits("features", s.offered, features);
	print_bits("protocol features", s.offered_protocol, protocol);
	if (s.front.protocol & FRONT_PF_MQ)
		printf("queues: at most %llu\n",
		       (unsigned long long)s.max_queues);
	else
		printf("queues: the back end does not say\n");
	if (s.front.protocol & FRONT_PF_CONFIGURE_MEM_SLOTS) {
		if (front_get_max_mem_slots(&s.front, &slots))
			printf("memory slots: %s\n", s.front.why);
		else
			printf("memory slots: %llu\n",
			       (unsigned long long)slots);
	}
	print_config(&s);
	session_close(&s);
	return 0;
}

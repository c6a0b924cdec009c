/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Feature bits: 2.2, 5.2.3, 6.
 */
#include "lib.h"
#include "mmio_driver.h"
#include "tests.h"

#define BIT(n) (UINT64_C(1) << (n))

/* What 1.4 gives no meaning to, for a block device: 3, 8, 18-23, 42, 44-63,
 * and what was a legacy device's only: 0, 7, 24, 27. 25, 26, 30 and 31 are
 * left to those that share the word with their own protocols. */
#define NO_MEANING \
	(BIT(3) | BIT(8) | (BIT(24) - BIT(18)) | BIT(42) | ~(BIT(44) - 1u))

/* Bits that a vhost monitor adds to what its guest accepted: two that legacy
 * devices had, and two of the protocol itself. */
#define MONITORS (BIT(24) | BIT(26) | BIT(27) | BIT(30))

static void version_1(struct suite *s)
{
	expect(s, s->offered & VIRTIO_F_VERSION_1,
	       "VERSION_1 is not offered: %llx", s->offered + 0ull);
}

static void reserved_bits(struct suite *s)
{
	expect(s, !(s->offered & NO_MEANING),
	       "bits without a meaning are offered: %llx",
	       (s->offered & NO_MEANING) + 0ull);
}

static void other_transports(struct suite *s)
{
	expect(s, !(s->offered & VIRTIO_F_NOTIF_CONFIG),
	       "NOTIF_CONFIG_DATA is offered; only PCI has it");
	expect(s, !(s->offered & VIRTIO_F_ADMIN_VQ),
	       "ADMIN_VQ is offered; a block device here has none");
	if (!(s->d->can & DUT_NOTIFY_DATA))
		expect(s, !(s->offered & VIRTIO_F_NOTIFY_DATA),
		       "NOTIFICATION_DATA is offered by a transport that "
		       "cannot carry it");
}

static void sr_iov(struct suite *s)
{
	expect(s, !(s->offered & VIRTIO_F_SR_IOV),
	       "SR_IOV is offered, and this is no PCI device");
}

static void dependencies(struct suite *s)
{
	if (s->offered & BLK_F_CONFIG_WCE)
		expect(s, s->offered & BLK_F_FLUSH,
		       "CONFIG_WCE is offered without FLUSH");
	expect(s, s->offered & VIRTIO_F_VERSION_1 || !(s->offered >> 33),
	       "bits above 32 without VERSION_1");
}

static void flush(struct suite *s)
{
	expect(s, s->offered & BLK_F_FLUSH, "FLUSH is not offered");
}

static void upper_words(struct suite *s)
{
	for (uint32_t word = 2; word < 6; word++) {
		set_reg(s, REG_FEATURES_SEL, word);
		expect(s, reg(s, REG_FEATURES) == 0, "feature word %u reads %x",
		       word, reg(s, REG_FEATURES));
	}
}

static bool offered_bit(struct suite *s, uint32_t bit)
{
	return s->offered & BIT(bit) && bit != 32 && bit != 33;
}

/* Valid sets: one feature alone, with what it needs. */
static void each_alone(struct suite *s)
{
	for (uint32_t bit = 0; bit < 64; bit++) {
		uint64_t f = VIRTIO_F_VERSION_1 | BIT(bit) |
			     (s->offered & VIRTIO_F_ACCESS_PLATFORM);

		if (!offered_bit(s, bit))
			continue;
		expect(s, accepts(s, f),
		       "VERSION_1 and bit %u alone are refused", bit);
		reset(s);
	}
	expect(s,
	       accepts(s, VIRTIO_F_VERSION_1 |
				  (s->offered & VIRTIO_F_ACCESS_PLATFORM)),
	       "VERSION_1 alone is refused");
}

static void each_left_out(struct suite *s)
{
	for (uint32_t bit = 0; bit < 64; bit++) {
		uint64_t f = s->offered & ~BIT(bit);

		if (!offered_bit(s, bit))
			continue;
		expect(s, accepts(s, f), "all but bit %u are refused", bit);
		reset(s);
	}
	expect(s, accepts(s, s->offered), "all that is offered is refused");
}

static void not_offered(struct suite *s)
{
	for (uint32_t bit = 0; bit < 64; bit++) {
		uint64_t f = VIRTIO_F_VERSION_1 | BIT(bit);

		if ((s->offered & BIT(bit)) ||
		    (!(s->d->can & DUT_REGS) && (BIT(bit) & MONITORS)))
			continue;
		expect(s, !accepts(s, f),
		       "bit %u is not offered, was accepted by the driver, and "
		       "FEATURES_OK stays",
		       bit);
		reset(s);
	}
	if (!s->over)
		s->features = 0;
	alive(start(s, ALL_FEATURES, 0), "features that were not offered");
}

static void same_again(struct suite *s)
{
	expect(s, accepts(s, s->offered), "all that is offered is refused");
	for (uint32_t i = 0; i < 5; i++) {
		reset(s);
		expect(s, accepts(s, s->offered),
		       "the same features are refused after a reset");
	}
}

static void offer_is_constant(struct suite *s)
{
	uint64_t before = s->offered, after = 0;
	struct ring *r = start(s, ALL_FEATURES, 0);

	alive(r, "before");
	reset(s);
	if (s->over || s->d->ops->features_read(s->d, &after) != DUT_OK)
		return;
	expect(s, after == before, "%llx were offered, and %llx after a reset",
	       before + 0ull, after + 0ull);
}

static void no_version_1(struct suite *s)
{
	bool kept = accepts(
		s, s->offered & ~(VIRTIO_F_VERSION_1 | VIRTIO_F_RING_PACKED));

	note(s, "without VERSION_1 FEATURES_OK %s", kept ? "stays" : "goes");
	reset(s);
	s->features = 0;
	alive(start(s, ALL_FEATURES, 0), "an attempt without VERSION_1");
}

static void order_platform(struct suite *s)
{
	struct ring *r = start(s, ALL_FEATURES & ~VIRTIO_F_ORDER_PLATFORM, 0);

	alive(r, "ORDER_PLATFORM was offered and not accepted");
}

static void access_platform(struct suite *s)
{
	bool kept = accepts(s, s->offered & ~(VIRTIO_F_ACCESS_PLATFORM |
					      VIRTIO_F_RING_PACKED));

	note(s, "without ACCESS_PLATFORM FEATURES_OK %s",
	     kept ? "stays" : "goes");
	reset(s);
	alive(start(s, ALL_FEATURES, 0), "an attempt without ACCESS_PLATFORM");
}

static void lifetime(struct suite *s)
{
	expect(s, !(s->offered & BLK_F_LIFETIME),
	       "LIFETIME is offered for a disk that has no such figures");
}

static void zoned(struct suite *s)
{
	uint8_t z[24];

	expect(s, !(s->offered & BLK_F_ZONED),
	       "ZONED is offered; this suite has no tests for zones");
	config(s, 72, z, sizeof(z));
	for (uint32_t i = 0; i < sizeof(z); i++)
		expect(s, z[i] == 0,
		       "byte %u of the zone fields is %x without ZONED", i,
		       z[i]);
}

/* The least that a driver can take: a read still works. */
static void least(struct suite *s)
{
	struct ring *r = start(s, 0, 0);

	alive(r, "with VERSION_1 alone");
	expect(s, raw_used_flags(r) <= 1, "used flags are %u",
	       raw_used_flags(r));
}

static void settled(struct suite *s)
{
	struct ring *r;
	uint64_t f;

	negotiate(s, VIRTIO_F_EVENT_IDX, 0);
	f = s->features;
	if (s->over)
		return;
	/* no driver may: other features after FEATURES_OK */
	(void)s->d->ops->features_write(s->d, s->offered);
	s->features = f;
	r = add_ring(s, 0, 16);
	driver_ok(s);
	alive(r, "features were written after FEATURES_OK");
	s->features = f;
}

const struct suite_test tests_features[] = {
	{ "features.version_1", "RESERVEDFEATURES-D001",
	  "VERSION_1 is offered", SUITE_MUST, 0, 0, 0, version_1 },
	{ "features.reserved_bits", "CORE-D006",
	  "no bit without a meaning is offered", SUITE_MUST, 0, 0, 0,
	  reserved_bits },
	{ "features.other_transports", "CORE-D006",
	  "nothing is offered that the transport cannot carry", SUITE_MUST, 0,
	  0, 0, other_transports },
	{ "features.sr_iov", "RESERVEDFEATURES-D009",
	  "SR_IOV is not offered outside PCI", SUITE_MUST, 0, 0, 0, sr_iov },
	{ "features.dependencies", "CORE-D004 BLK-D001",
	  "what a feature needs is offered beside it", SUITE_MUST, 0, 0, 0,
	  dependencies },
	{ "features.flush", "BLK-D001", "FLUSH is always offered",
	  SUITE_SHOULD, 0, 0, 0, flush },
	{ "features.upper_words", "CORE-D006 MMIO-G007",
	  "feature words above the second are 0", SUITE_MUST, DUT_REGS, 0, 0,
	  upper_words },
	{ "features.each_alone", "CORE-D005",
	  "each feature alone is a valid subset", SUITE_SHOULD, DUT_STATUS, 0,
	  0, each_alone },
	{ "features.each_left_out", "CORE-D005",
	  "all but one are a valid subset", SUITE_SHOULD, DUT_STATUS, 0, 0,
	  each_left_out },
	{ "features.not_offered", "CORE-D005 CORE-G005 CORE-G007",
	  "a feature that was not offered is refused", SUITE_MUST, DUT_STATUS,
	  0, 0, not_offered },
	{ "features.same_again", "CORE-D007",
	  "what was accepted once is accepted after a reset", SUITE_SHOULD,
	  DUT_STATUS, 0, 0, same_again },
	{ "features.offer_is_constant", "CORE-D007",
	  "a reset does not change the offer", SUITE_SHOULD, 0, 0, 0,
	  offer_is_constant },
	{ "features.no_version_1",
	  "RESERVEDFEATURES-D002 RESERVEDFEATURES-G001",
	  "without VERSION_1 it may stop, and a reset helps", SUITE_MAY,
	  DUT_STATUS, 0, 0, no_version_1 },
	{ "features.order_platform", "RESERVEDFEATURES-D006 "
	  "RESERVEDFEATURES-D007 RESERVEDFEATURES-G006",
	  "ORDER_PLATFORM need not be accepted", SUITE_MAY, 0,
	  VIRTIO_F_ORDER_PLATFORM, 0, order_platform },
	{ "features.access_platform",
	  "RESERVEDFEATURES-D004 RESERVEDFEATURES-G003",
	  "without ACCESS_PLATFORM it may stop, and a reset helps", SUITE_MAY,
	  DUT_STATUS, VIRTIO_F_ACCESS_PLATFORM, 0, access_platform },
	{ "features.lifetime", "BLK-D030 BLK-D031",
	  "LIFETIME is not offered without such figures", SUITE_MUST, 0, 0, 0,
	  lifetime },
	{ "features.zoned", "BLK-D004 BLK-D006 BLK-D017",
	  "ZONED is not offered, and its fields are 0", SUITE_SHOULD, 0, 0, 0,
	  zoned },
	{ "features.least", "CORE-D005 RESERVEDFEATURES-G005",
	  "a driver that takes nothing is served", SUITE_SHOULD, 0, 0, 0,
	  least },
	{ "features.settled", "GENERALINIT-G008",
	  "features written after FEATURES_OK change nothing", SUITE_POLICY,
	  DUT_REGS, 0, SUITE_SPLIT, settled },
};
TESTS(tests_features);

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The clauses of spec/hal.md and what a passed test says of each.
 *
 *   TESTED           a port that breaks it fails
 *   ORDERING         a port that breaks it fails in the simulator, whose memory
 *                    is weakly ordered on any host; on hardware a pass says
 *                    that the order held this time
 *   BY_CONSTRUCTION  holds for any port whose lane is core/run.c; tried all the
 *                    same, through the port's lane
 */
#include "hal.h"

const struct clause clauses[] = {
	{ "SUB-1", "port", TESTED, "how many were accepted" },
	{ "SUB-2", "port may", BY_CONSTRUCTION, "any order, any time" },
	{ "SUB-3", "port", TESTED, "DONE exactly once" },
	{ "SUB-4", "store", TESTED, "durability" },
	{ "SUB-5", "store", TESTED, "data before DONE" },
	{ "SUB-6", "store", TESTED, "hands off after DONE" },
	{ "SIG-1", "port", ORDERING, "stores before the interrupt" },
	{ "SIG-2", "lane", BY_CONSTRUCTION, "up for each obligation" },
	{ "SIG-3", "lane", BY_CONSTRUCTION,
	  "down only when all is acknowledged" },
	{ "ACC-1", "lane", BY_CONSTRUCTION, "one answer an access" },
	{ "ACC-2", "port", ORDERING, "value and stores before the answer" },
	{ "ACC-3", "port", TESTED, "a held access holds one CPU" },
	{ "ACC-4", "lane", BY_CONSTRUCTION, "a kick is answered first" },
	{ "MAP-1", "port", TESTED, "what a mapping covers" },
	{ "MAP-2", "port", TESTED, "what a refusal means" },
	{ "MAP-3", "port", TESTED, "how long a mapping lives" },
	{ "MAP-4", "lane", BY_CONSTRUCTION, "when a mapping is given back" },
	{ "CAN-1", "port", TESTED, "cancelled is not completed" },
	{ "SAV-1", "lane", BY_CONSTRUCTION, "when the blob is stored" },
	{ "SAV-2", "port", TESTED, "the old blob or the new" },
	{ "SAV-3", "port", TESTED, "unanswered accesses come again" },
	{ "EV-1", "port", TESTED, "what events returns" },
	{ "EV-2", "port", ORDERING, "the driver's stores before an event" },
	{ "LIFE-1", "lane", BY_CONSTRUCTION, "the end" },
	{ NULL, NULL, TESTED, NULL }
};

/* SPDX-License-Identifier: BSD-2-Clause */
/* Between client_hostile_chains.c (the list) and client_hostile_chain.c. */
#ifndef CLIENT_HOSTILE_CHAIN_H
#define CLIENT_HOSTILE_CHAIN_H

#include "client_hostile.h"

#define CHAIN_DATA 4096u        /* bytes, of most */
#define CHAIN_MOST 8u           /* descriptors */

enum chain_cost {
	OK, IOERR, UNSUPP,
	CONTAINED,              /* head given back, length 0, no status */
	EITHER                  /* IOERR or UNSUPP */
};

enum chain_sector {             /* on the disk unless */
	ON_DISK, BEYOND, LAST, TOP_BIT, WRAPS_IN_BYTES
};

enum chain_kind { END, HEADER, READ, WRITE, STATUS, INDIRECT };
enum chain_place {              /* in memory unless */
	GOOD, UNMAPPED, WRAPS, EDGE
};

struct hostile_chain {
	const char *name;
	enum chain_cost cost;
	uint32_t type;
	enum chain_sector sector;
	struct {
		enum chain_kind kind;
		uint32_t len;
		enum chain_place place;
		uint16_t flags; /* to be added */
		uint16_t next;  /* with DESC_NEXT: from the head, or none */
	} d[CHAIN_MOST];
	bool table;             /* all of it in an indirect table, */
	uint32_t odd_table;     /* of this length; 0: as it is */
};

extern const struct hostile_chain hostile_chains[];

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the command line says.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "dut.h"

#define OPTIONS_ONLY 256u

struct options {
	bool sim, list, verbose;
	const char *socket, *only[OPTIONS_ONLY], *waivers, *junit, *html;
	unsigned onlys, wait_ms;
	int configuration;      /* -1: all */
	enum dut_policy policy;
};

extern struct options option;

/* Ends the program if it cannot be understood, or after --help. */
void options_parse(int argc, char **argv);

const char *options_version(void);

/* One line on stderr and exit status 2. */
void refuse(const char *format, ...)
	__attribute__((format(printf, 1, 2), noreturn));

#endif

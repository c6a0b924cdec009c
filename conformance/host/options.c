/* SPDX-License-Identifier: BSD-2-Clause */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attach.h"

#ifndef VERSION
#define VERSION "?"
#endif

#define EXIT_USAGE 2

struct options option = { .wait_ms = 2000, .configuration = -1 };

static const char usage[] =
	"usage: vblk-conformance --sim [OPTION...]\n"
	"       vblk-conformance --vhost-user=SOCKET [OPTION...]\n"
	"       vblk-conformance --list\n"
	"\n"
	"Tests a virtio-blk device against virtio 1.4, by statements.\n"
	"What is on the disk is overwritten.\n"
	"\n"
	"  --sim                a device in this process, in several\n"
	"                       configurations\n"
	"  --vhost-user=SOCKET  the daemon that listens on SOCKET\n"
	"  --policy=P           what that daemon promises for faults of the\n"
	"                       guest: unknown (default), contain or stop\n"
	"                       (spec/trust.md)\n"
	"  --wait=MS            how long one answer may take (default 2000)\n"
	"  --only=PATTERN       tests whose name matches, as 'block.*';\n"
	"                       may be given again\n"
	"  --configuration=N    with --sim: this one only, from 0\n"
	"  --waivers=FILE       lines of PATTERN, a tab, REASON: a failure of\n"
	"                       such a test does not count\n"
	"  --junit=FILE         write JUnit XML\n"
	"  --html=FILE          write one HTML page\n"
	"  --list               print the tests: name, statements, level,\n"
	"                       transports, words, with tabs between\n"
	"  --verbose            print what each test does\n"
	"  --help, --version\n"
	"\n"
	"Exit status: 0 all passed, 1 a test failed, 2 could not be run.\n";

void refuse(const char *format, ...)
{
	va_list a;

	va_start(a, format);
	fputs("vblk-conformance: ", stderr);
	vfprintf(stderr, format, a);
	fputs("\n", stderr);
	va_end(a);
	exit(EXIT_USAGE);
}

static unsigned number(const char *text, const char *name, unsigned max)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = strtoul(text, &end, 10);
	if (errno || end == text || *end || v > max || text[0] == '-')
		refuse("--%s=%s: not a number from 0 to %u", name, text, max);
	return (unsigned)v;
}

static void set_policy(const char *text)
{
	if (strcmp(text, "unknown") == 0)
		option.policy = DUT_POLICY_UNKNOWN;
	else if (strcmp(text, "contain") == 0)
		option.policy = DUT_POLICY_CONTAIN;
	else if (strcmp(text, "stop") == 0)
		option.policy = DUT_POLICY_STOP;
	else
		refuse("--policy=%s: not unknown, contain or stop", text);
}

void options_parse(int argc, char **argv)
{
	static const struct option known[] = {
		{ "sim", no_argument, NULL, 's' },
		{ "vhost-user", required_argument, NULL, 'u' },
		{ "policy", required_argument, NULL, 'p' },
		{ "wait", required_argument, NULL, 'w' },
		{ "only", required_argument, NULL, 'o' },
		{ "configuration", required_argument, NULL, 'c' },
		{ "waivers", required_argument, NULL, 'W' },
		{ "junit", required_argument, NULL, 'j' },
		{ "html", required_argument, NULL, 'H' },
		{ "list", no_argument, NULL, 'l' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 }
	};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 's': option.sim = true; break;
		case 'u': option.socket = optarg; break;
		case 'p': set_policy(optarg); break;
		case 'w': option.wait_ms = number(optarg, "wait", 60000); break;
		case 'o':
			if (option.onlys == OPTIONS_ONLY)
				refuse("--only more than %u times",
				       OPTIONS_ONLY);
			option.only[option.onlys++] = optarg;
			break;
		case 'c':
			option.configuration = (int)number(
				optarg, "configuration",
				sim_configurations() - 1u);
			break;
		case 'W': option.waivers = optarg; break;
		case 'j': option.junit = optarg; break;
		case 'H': option.html = optarg; break;
		case 'l': option.list = true; break;
		case 'v': option.verbose = true; break;
		case 'h': fputs(usage, stdout); exit(0);
		case 'V': puts("vblk-conformance " VERSION); exit(0);
		default: /* getopt has said what is wrong */
			fputs("vblk-conformance: try --help\n", stderr);
			exit(EXIT_USAGE);
		}
	}
	if (optind < argc)
		refuse("%s: not an option; try --help", argv[optind]);
}

const char *options_version(void)
{
	return VERSION;
}

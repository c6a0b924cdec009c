/* SPDX-License-Identifier: BSD-2-Clause */
/* vblk-sim: the command line of the simulator. */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "profile.h"
#include "tree.h"

#define SMOKE_SEEDS 100u        /* of each profile */
#define KILL_REQUESTS 1000u

static void usage(FILE *to)
{
	fputs("usage: vblk-sim [--profile NAME] [--seed N] [--steps N] "
	      "[--KNOB N ...] [--trace FILE] [--shrink] [--runs N]\n"
	      "                [--device-tree FILE]\n"
	      "       vblk-sim --smoke | --kill-every | --bench\n\n"
	      "Runs the vblk core in a simulated hypervisor. The same seed, "
	      "options and build give\nthe same run. A failure prints what "
	      "was expected, what came, and the command that\nreplays it. "
	      "Exit status: 0 all was well, 1 a failure, 2 bad usage.\n\n"
	      "  --profile NAME  kind of run (default smooth)\n"
	      "  --seed N        default 1\n"
	      "  --steps N       turns of the scheduler (default: the "
	      "profile's)\n"
	      "  --trace FILE    timeline for Perfetto or chrome://tracing\n"
	      "  --device-tree FILE\n"
	      "                  the machine is what this .dtb says, "
	      "spec/binding.md\n"
	      "  --shrink        after a failure look for a smaller run that "
	      "fails\n"
	      "  --runs N        that many seeds, from the one given\n"
	      "  --smoke         100 seeds of every profile\n"
	      "  --kill-every    kill the back end at every HAL call of a "
	      "run, one after the other,\n"
	      "                  then at every fence of its in-flight logs\n"
	      "  --bench         simulated requests per second, split and "
	      "packed\n"
	      "  --help          this text\n\nprofiles:\n",
	      to);
	for (unsigned i = 0; i < num_profiles; i++)
		fprintf(to, "  %-15s %s\n", profiles[i].name, profiles[i].what);
	fputs("\nknobs, set by the seed unless given:\n", to);
	for (unsigned i = 0; i < num_knobs; i++)
		fprintf(to, "  --%-13s %s\n", knobs[i].name, knobs[i].what);
}

/* --- one run -------------------------------------------------------------- */

/* The command that replays k: what differs from the profile's own. */
static void print_command(const struct knobs *k)
{
	struct knobs plain;

	profile_knobs(profile_find(k->profile), k->seed, k->steps, &plain);
	printf("vblk-sim --profile %s --seed %" PRIu64 " --steps %" PRIu64,
	       k->profile, k->seed, k->steps);
	if (k->tree) {
		tree_shape(k->tree, &plain);
		printf(" --device-tree %s", k->tree->file);
	}
	for (unsigned i = 0; i < num_knobs; i++)
		if (knob_get(k, &knobs[i]) != knob_get(&plain, &knobs[i]))
			printf(" --%s %" PRIu64, knobs[i].name,
			       knob_get(k, &knobs[i]));
	printf("\n");
}

static bool run(const struct knobs *k, struct counts *n, FILE *trace)
{
	char why[512];

	if (world_run(k, n, trace, why, sizeof(why)))
		return true;
	printf("FAILED  profile %s, seed %" PRIu64 ", %s\n  replay    ",
	       k->profile, k->seed, why);
	print_command(k);
	return false;
}

static bool fails(const struct knobs *k)
{
	struct counts n;
	char why[512];

	return !world_run(k, &n, NULL, why, sizeof(why));
}

/* Smaller values of one knob, or fewer acts, as long as it still fails. */
static bool shrink_knob(struct knobs *k, const struct knob *o)
{
	uint64_t now = knob_get(k, o), least = 0;
	bool acts = strcmp(o->name, "acts") == 0, some = false;

	if (strcmp(o->name, "disks") == 0 || strcmp(o->name, "cpus") == 0 ||
	    strcmp(o->name, "queues") == 0 || strcmp(o->name, "depth") == 0 ||
	    strcmp(o->name, "burst") == 0)
		least = 1;
	if (strcmp(o->name, "queue-size") == 0)
		least = 8;
	if (strncmp(o->name, "no-", 3) == 0 || now <= least)
		return false;
	for (unsigned bit = 0; acts && bit < ACTS; bit++) {
		struct knobs less = *k;

		if (!(now >> bit & 1u))
			continue;
		knob_set(&less, o, now & ~(UINT64_C(1) << bit));
		if (fails(&less)) {
			*k = less;
			now = knob_get(k, o);
			some = true;
		}
	}
	if (!acts) {
		struct knobs less = *k;

		knob_set(&less, o, least);
		if (!fails(&less))
			return false;
		*k = less;
		some = true;
	}
	return some;
}

static void shrink(struct knobs *k)
{
	bool some = true;
	struct counts n;
	char why[512];

	printf("shrinking ...\n");
	for (unsigned round = 0; some && round < 4; round++) {
		some = false;
		for (unsigned i = 0; i < num_knobs; i++)
			some = shrink_knob(k, &knobs[i]) || some;
		for (uint64_t cut = k->steps / 2u; cut > 0; cut /= 2u) {
			struct knobs less = *k;

			less.steps -= cut;
			if (less.steps > 0 && fails(&less)) {
				*k = less;
				some = true;
			}
		}
	}
	(void)world_run(k, &n, NULL, why, sizeof(why));
	printf("smallest  %s\n  replay    ", why);
	print_command(k);
}

static void row(const char *name, uint64_t v)
{
	if (v > 0)
		printf("  %-38s %12" PRIu64 "\n", name, v);
}

static void summary(const struct knobs *k, const struct counts *n)
{
	printf("profile %s, seed %" PRIu64 ": %" PRIu64 " steps\n", k->profile,
	       k->seed, n->steps);
	row("requests", n->requests);
	row("  OK", n->ok);
	row("  IOERR", n->ioerr);
	row("  UNSUPP", n->unsupp);
	row("kicks", n->kicks);
	row("interrupts", n->irqs);
	row("register accesses", n->accesses);
	row("HAL calls", n->hal_calls / 2u);
	row("mappings made", n->maps);
	row("mappings given back", n->unmaps);
	row("pages mapped at most", n->most_mapped);
	row("revocations", n->revokes);
	row("resets by the driver", n->resets);
	row("suspensions", n->suspends);
	row("changes of configuration", n->changes);
	row("fences of in-flight logs", n->fences);
	row("NEEDS_RESET seen by a driver", n->faults);
	row("back end killed", n->kills);
	row("host crashed", n->crashes);
	if (n->hostile_done == 0)
		return;
	row("requests of the hostile driver", n->hostile_done);
	printf("  %-38s %11.1f%%\n", "  of them OK",
	       100.0 * (double)n->hostile_ok / (double)n->hostile_done);
	for (unsigned i = 0; i < ACTS; i++)
		if (hostile_applies((enum act)i, k->packed))
			printf("  act: %-40s %5" PRIu64 "\n", act_name[i],
			       n->acts[i]);
}

/* --- many runs ------------------------------------------------------------ */

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int smoke(void)
{
	unsigned bad = 0, seeds = 0;
	bool tty = isatty(2);

	for (unsigned p = 0; p < num_profiles; p++) {
		uint64_t requests = 0;
		double start = seconds();
		unsigned failed = 0;

		for (uint64_t seed = 1; seed <= SMOKE_SEEDS; seed++) {
			struct knobs k;
			struct counts n;

			profile_knobs(&profiles[p], seed,
				      profiles[p].steps > 100000 ? 4000 : 0,
				      &k);
			failed += !run(&k, &n, NULL);
			requests += n.requests;
			seeds++;
			if (tty)
				fprintf(stderr, "\r%-9s %3" PRIu64 "/%u",
					profiles[p].name, seed, SMOKE_SEEDS);
		}
		if (tty)
			fprintf(stderr, "\r\033[K");
		printf("%s %u - sim %s: %u seeds, %" PRIu64 " requests, "
		       "%.1f s\n",
		       failed ? "not ok" : "ok", p + 1u, profiles[p].name,
		       SMOKE_SEEDS, requests, seconds() - start);
		bad += failed;
	}
	printf("1..%u\n# %u seeds, %u failed\n", num_profiles, seeds, bad);
	return bad ? 1 : 0;
}

/* One run with a death in it; past: it may come after the last request. */
static bool killed_once(const struct knobs *k, bool past)
{
	struct counts n;

	if (!run(k, &n, NULL))
		return false;
	if (n.kills == 1 || past)
		return true;
	printf("FAILED  the back end was not killed\n  replay    ");
	print_command(k);
	return false;
}

static void progress(const char *what, uint64_t i, uint64_t n)
{
	if (isatty(2) && i % 64u == 0)
		fprintf(stderr, "\r\033[Kkilled at %s %" PRIu64 " of %" PRIu64,
			what, i, n);
}

/* Before and after each HAL call; at the end a call may come no more. */
static bool kill_every_call(struct knobs k)
{
	struct counts n;

	if (!run(&k, &n, NULL))
		return false;
	for (uint64_t i = 1; i <= n.hal_calls; i++) {
		k.kill_hal = i;
		if (!killed_once(&k, i + 64u >= n.hal_calls))
			return false;
		progress("HAL call", i, n.hal_calls);
	}
	printf("killed before and after each of %" PRIu64 " HAL calls of %u "
	       "requests, and resumed: all heads completed once\n",
	       n.hal_calls / 2u, k.requests);
	return true;
}

/* At each fence of the logs: all stores since the one before lost, or some. */
static bool kill_every_fence(struct knobs k)
{
	struct counts n;

	if (!run(&k, &n, NULL))
		return false;
	for (uint64_t i = 1; i <= n.fences; i++) {
		k.kill_log = i;
		for (unsigned all = 0; all < 2; all++) {
			k.kill_lose = all;
			if (!killed_once(&k, i + 64u >= n.fences))
				return false;
		}
		progress("fence", i, n.fences);
	}
	printf("killed at each of %" PRIu64 " fences of the logs of %u "
	       "requests, twice, and resumed: all heads completed once\n",
	       n.fences, k.requests);
	return n.fences > 0;
}

/*
 * A run of KILL_REQUESTS requests, once for each point at which the back end
 * may die in a HAL call; a quarter of it for those between stores of the logs.
 */
static int kill_every(const struct knobs *base)
{
	struct knobs k = *base;
	bool ok;

	k.requests = k.requests ? k.requests : KILL_REQUESTS;
	k.steps = UINT64_MAX;
	ok = kill_every_call(k);
	k.requests = k.requests / 4u + 1u;
	ok = ok && kill_every_fence(k);
	if (isatty(2))
		fprintf(stderr, "\r\033[K");
	return ok ? 0 : 1;
}

/* The median of five runs, split or packed. False: one failed. */
static bool measure(unsigned packed, double *median)
{
	double best[5];

	for (unsigned i = 0; i < 5; i++) {
		struct knobs k;
		struct counts n;
		double start = seconds();

		profile_knobs(profile_find("fast"), i + 1u, 0, &k);
		k.packed = packed;
		k.steps = UINT64_MAX;
		k.requests = 1000000;
		if (!run(&k, &n, NULL))
			return false;
		best[i] = (double)n.requests / (seconds() - start);
		for (unsigned j = i; j > 0 && best[j] < best[j - 1u]; j--) {
			double t = best[j];

			best[j] = best[j - 1u];
			best[j - 1u] = t;
		}
	}
	*median = best[2];
	return true;
}

static int bench(void)
{
	static const char *const ring[] = { "split", "packed" };

	for (unsigned i = 0; i < 2; i++) {
		double r;

		if (!measure(i, &r))
			return 1;
		printf("simulated requests per second (vblk-sim --bench, "
		       "profile fast, %s ring, median of 5): %.0f\n",
		       ring[i], r);
	}
	return 0;
}

/* --- command line --------------------------------------------------------- */

enum { OPT_PROFILE = 256, OPT_RUNS, OPT_SEED, OPT_STEPS, OPT_TRACE, OPT_TREE,
	OPT_SHRINK, OPT_SMOKE, OPT_KILL, OPT_BENCH, OPT_HELP, OPT_KNOB };

static uint64_t number(const char *name, const char *s)
{
	char *end;
	unsigned long long v = strtoull(s, &end, 0);

	if (*s == '\0' || *end != '\0') {
		fprintf(stderr, "vblk-sim: --%s wants a number, not '%s'\n",
			name, s);
		exit(2);
	}
	return v;
}

/* What the arrays of a world can hold. */
static void check(const struct knobs *k)
{
	const char *bad = NULL;

	if (k->disks < 1 || k->disks > MAX_DISKS)
		bad = "disks";
	else if (k->cpus < 1 || k->cpus > MAX_CPUS)
		bad = "cpus";
	else if (k->queues < 1 || k->queues > SIM_QUEUES)
		bad = "queues";
	else if (k->qsize < 8 || k->qsize > SIM_QSIZE ||
		 (k->qsize & (k->qsize - 1u)))
		bad = "queue-size";
	else if (k->packed > 2)
		bad = "packed";
	else if (k->depth < 1 || k->depth > SIM_DEPTH)
		bad = "depth";
	else if (k->burst < 1 || k->burst > SIM_DEPTH)
		bad = "burst";
	if (bad)
		fprintf(stderr, "vblk-sim: --%s is out of range, see --help\n",
			bad);
	else if (k->revoke != 0 && k->regime != DEMAND)
		fputs("vblk-sim: --revoke wants memory that is mapped on "
		      "demand\n",
		      stderr);
	else if (k->tree && k->disks > k->tree->disks)
		fprintf(stderr, "vblk-sim: --disks %u, but %s has %u\n",
			k->disks, k->tree->file, k->tree->disks);
	else if (k->tree && world_ram(k) > k->machine.ram_bytes)
		fprintf(stderr,
			"vblk-sim: the run takes %u bytes of RAM, %s has "
			"%" PRIu64 " in one piece\n",
			world_ram(k), k->tree->file, k->machine.ram_bytes);
	else
		return;
	exit(2);
}

static void read_tree(struct tree *t, const char *file)
{
	char why[512];

	if (tree_load(t, file, why, sizeof(why)))
		return;
	fprintf(stderr, "vblk-sim: %s\n", why);
	exit(2);
}

int main(int argc, char **argv)
{
	struct option opts[OPT_KNOB - OPT_PROFILE + 48] = {
		{ "profile", required_argument, NULL, OPT_PROFILE },
		{ "runs", required_argument, NULL, OPT_RUNS },
		{ "seed", required_argument, NULL, OPT_SEED },
		{ "steps", required_argument, NULL, OPT_STEPS },
		{ "trace", required_argument, NULL, OPT_TRACE },
		{ "device-tree", required_argument, NULL, OPT_TREE },
		{ "shrink", no_argument, NULL, OPT_SHRINK },
		{ "smoke", no_argument, NULL, OPT_SMOKE },
		{ "kill-every", no_argument, NULL, OPT_KILL },
		{ "bench", no_argument, NULL, OPT_BENCH },
		{ "help", no_argument, NULL, OPT_HELP },
	};
	const struct profile *p = &profiles[0];
	uint64_t seed = 1, steps = 0, runs = 1, value[48] = { 0 };
	bool given[48] = { false }, want_shrink = false, want_kill = false;
	FILE *trace = NULL;
	struct tree tree = { .file = NULL };
	struct knobs k;
	struct counts n;
	bool ok;
	int c;

	for (unsigned i = 0; i < num_knobs; i++)
		opts[OPT_KNOB - OPT_PROFILE + i] = (struct option){
			knobs[i].name, required_argument, NULL,
			OPT_KNOB + (int)i
		};
	while ((c = getopt_long(argc, argv, "", opts, NULL)) != -1) {
		switch (c) {
		case OPT_PROFILE:
			p = profile_find(optarg);
			if (!p) {
				fprintf(stderr,
					"vblk-sim: no profile '%s', "
					"see --help\n",
					optarg);
				return 2;
			}
			break;
		case OPT_RUNS: runs = number("runs", optarg); break;
		case OPT_SEED: seed = number("seed", optarg); break;
		case OPT_STEPS: steps = number("steps", optarg); break;
		case OPT_TRACE:
			trace = fopen(optarg, "w");
			if (!trace) {
				perror(optarg);
				return 2;
			}
			break;
		case OPT_TREE: read_tree(&tree, optarg); break;
		case OPT_SHRINK: want_shrink = true; break;
		case OPT_SMOKE: return smoke();
		case OPT_BENCH: return bench();
		case OPT_KILL: want_kill = true; break;
		case OPT_HELP: usage(stdout); return 0;
		default:
			if (c < OPT_KNOB) {
				usage(stderr);
				return 2;
			}
			given[c - OPT_KNOB] = true;
			value[c - OPT_KNOB] = number(knobs[c - OPT_KNOB].name,
						     optarg);
		}
	}
	if (optind < argc) {
		usage(stderr);
		return 2;
	}
	for (ok = true; ok && runs > 0; runs--) {
		profile_knobs(p, seed++, steps, &k);
		if (tree.file)
			tree_shape(&tree, &k);
		for (unsigned i = 0; i < num_knobs; i++)
			if (given[i])
				knob_set(&k, &knobs[i], value[i]);
		check(&k);
		if (want_kill)
			return kill_every(&k);
		ok = run(&k, &n, trace);
	}
	if (ok)
		summary(&k, &n);
	else if (want_shrink)
		shrink(&k);
	if (trace)
		fclose(trace);
	return ok ? 0 : 1;
}

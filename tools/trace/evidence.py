# SPDX-License-Identifier: BSD-2-Clause
"""Tests by name: where each is written, and what its last run gave.

A reference is KIND:NAME, for unit tests unit:PROGRAM:NAME. What a suite reported
is read from what tools/run-tests and libcheck leave in build/log/:

    build/log/SUITE.log            TAP among other lines
    build/log/SUITE-PROGRAM.tap    libcheck, by CK_TAP_LOG_FILE_NAME
"""
import collections
import glob
import os
import re
import subprocess

from table import Bad, at

LOG = "build/log"
LIST = "build/release/vblk-conformance"     # --list: name, statements, ...

Kind = collections.namedtuple("Kind", "sources pattern suites")

CHECK = r"START_TEST\((\w+)\)"
KINDS = {
    "unit": Kind(["core/test/test_*.c"], CHECK, ["unit-gcc"]),
    "store": Kind(["ports/common/test/test_store*.c"], CHECK,
                  ["store-gcc-san"]),
    "sim": Kind(["sim/test/run_*.sh"],
                r"(?:must_fail|tree_runs|refused|killed|hostile|"
                r"verdict \$\w+|verdict \$\?) (\w+__\w+)", ["sim-run"]),
    "vhost-user": Kind(["conformance/client_hostile*.c",
                        "ports/vhost-user/test/clients"],
                       r"\"(\w+__\w+)\"|^(?:run|killed|pidarg=1 run) (\w+__\w+)",
                       ["vhost-user-clients", "vhost-user-hostile"]),
    "guest": Kind(["ports/vhost-user/test/guests/*.py"], r"^    \"(\w+)\":",
                  ["vhost-user-guests"]),
    "device": Kind([], "", ["conformance-sim"]),
}


def read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


def written():
    """(kind, name) -> where; for unit tests the name is PROGRAM:NAME."""
    found = {}
    for kind, k in KINDS.items():
        for path in (p for pattern in k.sources for p in glob.glob(pattern)):
            for groups in re.findall(k.pattern, read(path), re.M):
                name = groups if isinstance(groups, str) else "".join(groups)
                if kind == "unit":
                    name = os.path.basename(path)[:-2] + ":" + name
                found[kind, name] = path
    return found


def device_tests():
    """name -> statement ids, as the program says; {} where there is none."""
    if not os.path.exists(LIST):
        return {}
    r = subprocess.run([LIST, "--list"], capture_output=True, text=True,
                       check=False, timeout=60)
    tests = {}
    for line in r.stdout.splitlines():
        fields = line.split("\t")
        if len(fields) >= 2 and not line.startswith("#"):
            tests[fields[0]] = fields[1].split()
    if r.returncode != 0 or not tests:
        raise Bad("%s --list: status %d, %d tests" % (
            LIST, r.returncode, len(tests)))
    return tests


TAP = re.compile(r"^(not )?ok\b(?:\s+\d+)?\s*-?\s*(.*)$", re.M)


def verdicts(path):
    """(name, verdict) of each TAP line of a log; libcheck's has a file first."""
    for bad, rest in TAP.findall(read(path)):
        name, _, remark = rest.partition("#")
        m = re.match(r"(\S+\.c):\w+:(\w+):", name)
        if m:
            name = os.path.basename(m[1])[:-2] + ":" + m[2]
        else:
            name = name.split()[0].rstrip(":") if name.split() else ""
        if re.match(r"\s*SKIP", remark, re.I):
            verdict = "skipped"
        elif bad:               # TODO: a failure that is known
            verdict = "waived" if re.match(r"\s*TODO", remark, re.I) \
                else "failed"
        else:
            verdict = "passed"
        yield name, verdict


def logs(suite):
    # a name may be the beginning of another: unit-gcc, unit-gcc-san
    own = [p for p in glob.glob("%s/%s-test_*.tap" % (LOG, suite))]
    log = "%s/%s.log" % (LOG, suite)
    return own + [log] * os.path.exists(log)


# The best of several variants counts, but no failure is outweighed.
RANK = {"skipped": 0, "passed": 1, "waived": 2, "failed": 3}


def results():
    """(kind, name) -> (verdict, when)"""
    found = {}
    for kind, k in KINDS.items():
        for path in (p for suite in k.suites for p in logs(suite)):
            when = os.path.getmtime(path)
            for name, verdict in verdicts(path):
                if kind in ("store", "device", "sim") and ":" in name:
                    name = name.split(":")[-1]
                old = found.get((kind, name), ("skipped", when))
                found[kind, name] = (max(old[0], verdict, key=RANK.get), when)
    return found


def split(reference):
    kind, _, name = reference.partition(":")
    return kind, name


def suites(kind):
    return " or ".join("make " + s for s in KINDS[kind].suites)


class Evidence:
    def __init__(self):
        self.written = written()
        self.device = device_tests()
        self.results = results()
        for name in self.device:
            self.written["device", name] = LIST
        ran = {kind for kind, _ in self.results}
        self.silent = [k for k in KINDS if k not in ran]

    def verdict(self, reference):
        """passed, failed, waived, skipped, 'not run', 'changed since' or
        'no such test'
        """
        key = split(reference)
        if key not in self.written:
            return "no such test"
        verdict, when = self.results.get(key, ("not run", 0))
        source = self.written[key]
        if verdict == "passed" and source != LIST and \
                os.path.getmtime(source) > when:
            return "changed since"
        return verdict

    def check(self, rows):
        for row in rows:
            for reference in row.tests.split():
                if split(reference)[0] not in self.silent:
                    yield from self.check_reference(row, reference)
        yield from self.check_silent(rows)
        yield from self.check_old(rows)
        yield from self.check_named(rows)

    def check_silent(self, rows):
        """Of suites without any result one line in all."""
        for kind in self.silent:
            tests = {t for r in rows for t in r.tests.split()
                     if split(t)[0] == kind}
            if tests:
                yield "no result of %s: %d tests were not run" % (
                    suites(kind), len(tests))

    def check_old(self, rows):
        """Results from before a test was changed, one line a file."""
        old = collections.Counter(
            (self.written[split(t)], split(t)[0])
            for t in {t for r in rows for t in r.tests.split()}
            if self.verdict(t) == "changed since")
        for (source, kind), n in sorted(old.items()):
            yield "%s has changed since the last run of %s: %d tests" % (
                source, suites(kind), n)

    def check_reference(self, row, reference):
        kind = split(reference)[0]
        if kind not in KINDS:
            yield at(row, "no such kind of test: %s; they are: %s" % (
                reference, " ".join(KINDS)))
            return
        verdict = self.verdict(reference)
        if verdict == "no such test":
            yield at(row, "no such test: " + reference)
        elif verdict == "changed since":
            pass                # check_old: one line a file
        elif verdict == "skipped" and "may be skipped" in row.note or \
                verdict == "waived" and row.state == "deviation":
            pass
        elif verdict != "passed":
            yield at(row, "%s: %s in the last run of %s" % (
                reference, verdict, suites(kind)))

    def check_named(self, rows):
        """Each test named after the standard shows some row."""
        used = {t for row in rows for t in row.tests.split()}
        for kind, name in sorted(self.written):
            if kind != "device" and name.split(":")[-1].startswith("spec_") \
                    and "%s:%s" % (kind, name) not in used:
                yield "%s: %s names no row of the table" % (
                    self.written[kind, name], name)
        by_id = {row.id: row for row in rows}
        for name, statements in sorted(self.device.items()):
            reference = "device:" + name
            if not statements and reference not in used:
                yield "%s names no row of the table" % reference
            for s in statements:
                if s not in by_id:
                    yield "%s: no such statement: %s" % (reference, s)
                elif reference not in by_id[s].tests.split():
                    yield at(by_id[s], "%s shows it, the row does not say so; "
                             "tools/requirements --join" % reference)
        for row in rows:
            for kind, name in map(split, row.tests.split()):
                if kind == "device" and row.side != "policy" and \
                        row.id not in self.device.get(name, [row.id]):
                    yield at(row, "device:%s does not name this row" % name)


def needed(rows):
    """Suites that these rows name, and that left no result or an old one."""
    e = Evidence()
    wanted = []
    for reference in (t for row in rows for t in row.tests.split()):
        k = KINDS.get(split(reference)[0])
        if k and e.verdict(reference) in ("not run", "changed since"):
            wanted += k.suites
    return list(dict.fromkeys(wanted))

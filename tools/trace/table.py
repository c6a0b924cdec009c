# SPDX-License-Identifier: BSD-2-Clause
"""spec/requirements.csv as rows, and what is wrong with it by itself."""
import collections
import csv
import os
import re

TABLE = "spec/requirements.csv"
STATEMENTS = "spec/statements.csv"
TRUST = "spec/trust.md"
COLUMNS = ["id", "section", "side", "level", "words", "state", "function",
           "tests", "proof", "note"]
FIXED = ["id", "section", "side", "level"]      # of spec/statements.csv
STATES = {
    "met": "the device does so",
    "driver may break": "a driver that breaks it meets what the test shows",
    "policy": "the standard is silent; the rule is ours, from " + TRUST,
    "deviation": "not so, or not always; the note says what is done instead",
    "transport": "the front end's or the hypervisor's part; the note says whose",
    "not offered": "belongs to a feature or a device that is never offered",
    "cannot be seen": "nothing of it reaches the device",
}
# These may go without function and test, if their note says why.
BARE = ("transport", "cannot be seen")
SIDES = ("device", "driver", "legacy", "text", "policy")
LEVELS = ("MUST", "SHOULD", "MAY", "-")  # -: said without a key word
OWN = ("TEXT-", "POL-")         # rows that are no statement with a key word
WORDS = 120                     # characters, at most

Row = collections.namedtuple("Row", COLUMNS + ["line"])


class Bad(Exception):
    pass


def read_csv(path, columns):
    with open(path, encoding="utf-8", newline="") as f:
        reader = csv.reader(f)
        head = next(reader, [])
        if head != columns:
            raise Bad("%s:1: columns are not %s" % (path, ",".join(columns)))
        for fields in reader:
            if len(fields) != len(columns):
                raise Bad("%s:%d: %d columns, not %d" % (
                    path, reader.line_num, len(fields), len(columns)))
            yield reader.line_num, fields


def read():
    return [Row(*fields, line) for line, fields in read_csv(TABLE, COLUMNS)]


def at(row, text):
    return "%s:%d: %s: %s" % (TABLE, row.line, row.id, text)


# Of a chapter number, so that 2.10 comes after 2.9; what has none comes last.
def order(section):
    return [int(n) for n in section.split(".")] if section else [99]


def check_fields(row):
    if row.side not in SIDES:
        yield at(row, "no such side: " + row.side)
    if row.state not in STATES:
        yield at(row, "no such state: '%s'; they are: %s" % (
            row.state, ", ".join(STATES)))
    if row.level not in LEVELS:
        yield at(row, "no such level: " + row.level)
    if not re.fullmatch(r"(\d+(\.\d+)*)?", row.section):
        yield at(row, "not a section: " + row.section)
    if not row.words:
        yield at(row, "has no words")
    if len(row.words) > WORDS:
        yield at(row, "%d characters of words, at most %d" % (
            len(row.words), WORDS))
    for side, prefix in (("policy", "POL-"), ("text", "TEXT-")):
        if (row.side == side) != row.id.startswith(prefix):
            yield at(row, "rows of %s, and they alone, are %s..." % (
                side, prefix))
    if row.state in BARE + ("deviation",) and not row.note:
        yield at(row, "'%s' needs a note that says why" % row.state)


def check_ids(rows):
    """Every statement once, where and how the standard has it."""
    wanted = {f[0]: f for _, f in read_csv(STATEMENTS, FIXED)}
    seen = {}
    for row in rows:
        if row.id in seen:
            yield at(row, "stands in line %d already" % seen[row.id])
        seen[row.id] = row.line
        if row.id.startswith(OWN):
            continue
        if row.id not in wanted:
            yield at(row, "no such statement in " + STATEMENTS)
            continue
        for name, value in zip(FIXED[1:], wanted[row.id][1:]):
            if getattr(row, name) != value:
                yield at(row, "%s is %s, in %s it is %s" % (
                    name, getattr(row, name) or "empty", STATEMENTS, value))
    for name in wanted:
        if name not in seen:
            yield "%s: no row for %s (%s, %s)" % (
                TABLE, name, wanted[name][1], wanted[name][2])


def read_policy():
    """What a guest's fault costs: (fault, tests) of each row of that table."""
    with open(TRUST, encoding="utf-8") as f:
        text = f.read()
    table = text.partition("| fault | section |")[2].partition("\n\n")[0]
    for line in table.split("\n"):
        cells = [c.strip() for c in line.strip("| ").split("|")]
        if len(cells) < 2 or cells[0].startswith(("**", "--")) or \
                not line.startswith("|"):
            continue
        yield (cells[0].replace("`", ""),
               re.findall(r"`(\w+__\w+)`", cells[-1]))


def check_policy(rows):
    """Each row of spec/trust.md's table is a row here, with its tests."""
    policy = {r.words: r for r in rows if r.side == "policy"}
    found = set()
    for fault, tests in read_policy():
        found.add(fault)
        if fault not in policy:
            yield "%s: no POL- row for '%s' of %s" % (TABLE, fault, TRUST)
            continue
        row = policy[fault]
        names = {t.split(":")[-1] for t in row.tests.split()}
        for test in tests:
            if test not in names:
                yield at(row, "%s names the test %s, this row does not" % (
                    TRUST, test))
    if not found:
        yield TRUST + ": no table of faults found"
    for fault, row in policy.items():
        if fault not in found:
            yield at(row, "no such row in " + TRUST)


COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"", re.S)


def defines(path, name, cache={}):
    """Does this C file define that function?"""
    if path not in cache:
        with open(path, encoding="utf-8") as f:
            cache[path] = COMMENT.sub(" ", f.read())
    return re.search(r"^[A-Za-z_][^\n;{}()]*\b%s\([^;{}]*\)\s*\{" %
                     re.escape(name), cache[path], re.M)


def check_places(row):
    """Functions, and harnesses of proofs: file:name."""
    for what in row.function.split() + row.proof.split():
        path, _, name = what.partition(":")
        if not path.endswith((".c", ".h")) or not re.fullmatch(r"\w+", name):
            yield at(row, "not file:function: " + what)
        elif not os.path.exists(path):
            yield at(row, "no such file: " + path)
        elif not defines(path, name):
            yield at(row, "no function %s in %s" % (name, path))


def check(rows):
    for row in rows:
        yield from check_fields(row)
        yield from check_places(row)
    yield from check_ids(rows)
    yield from check_policy(rows)


def untraced(row):
    """What is missing in a row that is for later, or None."""
    if row.state in BARE:
        return None
    missing = [w for w, v in (("function", row.function), ("test", row.tests))
               if not v]
    return "no " + " and no ".join(missing) if missing else None

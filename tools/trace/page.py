# SPDX-License-Identifier: BSD-2-Clause
"""The table as a page: Markdown for the repository, HTML with the last results.

The Markdown depends on the table alone, so that it can be compared; the HTML is
one file that needs nothing else.
"""
import collections
import html
import itertools

from table import LEVELS, SIDES, STATES, TABLE, order, untraced

CHAPTERS = [
    ("2.1", "Device status"), ("2.2", "Feature bits"), ("2.4", "Device reset"),
    ("2.5", "Device configuration space"), ("2.6", "Virtqueue reset"),
    ("2.7", "Split virtqueues"), ("2.8", "Packed virtqueues"), ("2.9", "Driver notifications"),
    ("2.10", "Shared memory regions"), ("3.1", "Initialization"),
    ("3.3", "Cleanup"), ("3.4", "Suspend"), ("4.2", "virtio over MMIO"),
    ("5.2", "Block device"), ("5.17", "SCMI device"),
    ("6", "Reserved feature bits"),
]
POLICY = "What a guest's fault costs (spec/trust.md)"


def chapter(row):
    if row.side == "policy":
        return POLICY
    parts = row.section.split(".")
    for n in (2, 1):
        for number, title in CHAPTERS:
            if number == ".".join(parts[:n]):
                return "%s %s" % (number, title)
    return row.section


def ordered(rows):
    """(chapter, its rows), policy last."""
    rows = sorted(rows, key=lambda r: (r.side == "policy",
                                       order(r.section)
                                       if r.side != "policy" else [], r.line))
    return [(c, list(g)) for c, g in itertools.groupby(rows, chapter)]


def state_of(row):
    return "untraced" if untraced(row) else row.state


def meaning(state):
    return dict(STATES, untraced="no function or no test named yet").get(
        state, "")


def counts(rows):
    return collections.Counter((r.side, state_of(r)) for r in rows)


def counted(rows):
    """Lines of the summary: state, one number a side, sum."""
    n = counts(rows)
    for state in list(STATES) + ["untraced"]:
        line = [n[side, state] for side in SIDES]
        if sum(line):
            yield state, line + [sum(line)]
    line = [sum(r.side == side for r in rows) for side in SIDES]
    yield "in all", line + [sum(line)]


# --- Markdown -------------------------------------------------------------------

HEAD = """<!-- SPDX-License-Identifier: BSD-2-Clause -->
# Requirements: virtio 1.4, statement by statement

Each statement of virtio 1.4 (Committee Specification 01) that concerns a block
device without PCI, in words of this project: what the device side meets, what a driver
may break and what then happens, what a legacy driver needs over vhost-user; and each
rule of spec/trust.md. Identifiers are ours (area, D device, G driver, L legacy, a
number); sections and levels are the standard's. This page is printed by
`tools/requirements`; the table is `%s`. `make requirements` checks that each function
and test exists and that each test was run and passed, and writes
build/requirements.html, which is easier to read and says what the last run gave.
"""


def code(text):
    return "<br>".join("`%s`" % w for w in text.split())


def cell(text):
    return text.replace("|", "\\|")


def markdown(rows):
    out = [HEAD % TABLE, "\n## Summary\n\n",
           "| state | %s | in all | meaning |\n" % " | ".join(SIDES),
           "|---|%s--:|---|\n" % ("--:|" * len(SIDES))]
    for state, numbers in counted(rows):
        out.append("| %s | %s | %s |\n" % (
            state, " | ".join(map(str, numbers)), meaning(state)))
    late = [r for r in rows if untraced(r)]
    if late:
        out.append("\nUntraced, without a function or a test yet: %d (%s).\n" % (
            len(late), ", ".join(r.id for r in late)))
    deviations = [r for r in rows if r.state == "deviation"]
    out.append("\n## Deviations\n\n| id | section | level | statement | what is "
               "done |\n|---|---|---|---|---|\n")
    for r in deviations:
        out.append("| %s | %s | %s | %s | %s |\n" % (
            r.id, r.section, r.level, cell(r.words), cell(r.note)))
    for title, group in ordered(rows):
        out.append("\n## %s\n\n| id | section | level | statement | state | "
                   "function | tests |\n|---|---|---|---|---|---|---|\n" % title)
        for r in group:
            words = cell(r.words) + ("; *%s*" % cell(r.note) if r.note else "")
            tests = code(r.tests + " " + r.proof)
            out.append("| %s | %s | %s | %s | %s | %s | %s |\n" % (
                r.id, r.section, r.level, words,
                "**untraced**" if untraced(r) else r.state,
                code(r.function), tests))
    return "".join(out)


# --- HTML -----------------------------------------------------------------------

STYLE = """
:root { --line: #d9dee5; --dim: #5b6673; }
* { box-sizing: border-box }
body { font: 14px/1.45 system-ui, "DejaVu Sans", sans-serif; color: #1d2329;
  margin: 0; background: #f6f7f9 }
main { max-width: 1500px; margin: 0 auto; padding: 20px 24px 60px }
h1 { font-size: 24px; margin: 0 0 4px }
h2 { font-size: 17px; margin: 30px 0 8px }
p { margin: 4px 0 12px; max-width: 78em }
table { border-collapse: collapse; width: 100%; background: #fff;
  border: 1px solid var(--line) }
th, td { text-align: left; vertical-align: top; padding: 6px 10px;
  border-top: 1px solid var(--line) }
thead th { background: #eceff3; font-weight: 600; border-top: 0 }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums }
.wide { table-layout: fixed; border-top: 0 }
.wide td { overflow-wrap: anywhere }
.id { white-space: nowrap; font-weight: 600 }
.sub, .note { color: var(--dim); font-size: 12.5px }
.note { display: block; margin-top: 2px }
code { font: 12px/1.5 ui-monospace, "DejaVu Sans Mono", monospace }
.refs code { display: block; padding-left: 1.1em; text-indent: -1.1em }
.dir { color: #8a94a0 }
.s { display: inline-block; border-radius: 4px; padding: 1px 8px;
  font-size: 12.5px; white-space: nowrap; color: #1d2329 }
.met { background: #c9ecd2 } .driver-may-break { background: #cfe3fa }
.policy { background: #ded8f7 } .deviation { background: #ffdcae }
.transport { background: #e2e6ea } .not-offered { background: #e2e6ea }
.cannot-be-seen { background: #eceff3; color: #4c5662 }
.untraced { background: #ff8f8f; font-weight: 600 }
.passed::before { content: "\\2713\\00a0"; color: #187a35 }
.failed, .waived, .skipped, .not-run, .changed-since, .no-such-test { color: #b30000 }
.failed::before, .waived::before, .not-run::before, .changed-since::before,
.no-such-test::before { content: "\\2717\\00a0" }
.skipped::before { content: "\\2013\\00a0" }
#bar { position: sticky; top: 0; background: #f6f7f9; padding: 10px 0;
  border-bottom: 1px solid var(--line); z-index: 1; display: flex; gap: 6px;
  flex-wrap: wrap; align-items: center; margin-top: 22px }
#bar input { font: inherit; padding: 5px 9px; width: 20em;
  border: 1px solid #b8c0ca; border-radius: 5px }
#bar button { font: inherit; font-size: 12.5px; border: 1px solid transparent;
  border-radius: 5px; padding: 4px 9px; cursor: pointer; color: #1d2329 }
#bar button:not([data-state]) { background: #e2e6ea }
#bar:has(.on) button { opacity: .5 }
#bar button.on { opacity: 1; border-color: #1d2329 }
#bar i { border-left: 1px solid #b8c0ca; height: 1.6em; margin: 0 5px }
#shown { color: var(--dim); margin-left: 6px }
.good { color: #187a35 } .bad { color: #b30000 }
section[hidden], tr[hidden] { display: none }
@media print { #bar { display: none } body { background: #fff } }
"""

SCRIPT = """
const bar = document.getElementById('bar'), find = bar.querySelector('input');
const rows = [...document.querySelectorAll('tr[data-state]')];
function chosen(kind) {
  return new Set([...bar.querySelectorAll('.on[data-' + kind + ']')]
    .map(b => b.dataset[kind]));
}
function show() {
  const state = chosen('state'), side = chosen('side'), level = chosen('level');
  const words = find.value.toLowerCase().split(/\\s+/).filter(w => w);
  let n = 0;
  for (const r of rows) {
    const text = r.textContent.toLowerCase();
    const on = (!state.size || state.has(r.dataset.state)) &&
      (!side.size || side.has(r.dataset.side)) &&
      (!level.size || level.has(r.dataset.level)) &&
      words.every(w => text.includes(w));
    r.hidden = !on;
    n += on;
  }
  for (const s of document.querySelectorAll('section'))
    s.hidden = !s.querySelector('tr[data-state]:not([hidden])');
  document.getElementById('shown').textContent = n + ' of ' + rows.length;
}
bar.addEventListener('click', e => {
  if (e.target.tagName === 'BUTTON') { e.target.classList.toggle('on'); show(); }
});
find.addEventListener('input', show);
if (location.hash.length > 1) find.value = decodeURIComponent(
  location.hash.slice(1));
show();
"""

COLUMNS = """<colgroup><col style="width:15.5em"><col>
<col style="width:9.5em"><col style="width:22%"><col style="width:31%">
</colgroup>"""


def name_of(state):
    return state.replace(" ", "-")


def place(what):
    path, _, name = what.partition(":")
    top, _, rest = path.rpartition("/")
    return '<code><span class="dir">%s/</span>%s:<b>%s</b></code>' % (
        html.escape(top), html.escape(rest), html.escape(name))


def result(reference, verdict):
    kind, _, name = reference.partition(":")
    said = "" if verdict == "passed" else " (%s)" % verdict
    return ('<code class="%s" title="%s"><span class="dir">%s:</span>%s%s</code>'
            % (name_of(verdict), verdict, html.escape(kind),
               html.escape(name.replace(":", ": ")), said))


def html_row(r, evidence):
    state = state_of(r)
    note = '<span class="note">%s</span>' % html.escape(r.note) if r.note else ""
    proof = "".join("<code>proof: %s</code>" % html.escape(p)
                    for p in r.proof.split())
    return """<tr data-state="%s" data-side="%s" data-level="%s">
<td><span class="id">%s</span><br><span class="sub">%s%s</span></td><td>%s%s</td>
<td><span class="s %s">%s</span></td>
<td class="refs">%s</td><td class="refs">%s%s</td></tr>
""" % (state, r.side, r.level, r.id,
       r.section and r.section + " ", r.level.replace("-", "") or r.side,
       html.escape(r.words), note, name_of(state), state,
       "".join(map(place, r.function.split())),
       "".join(result(t, evidence.verdict(t)) for t in r.tests.split()), proof)


def summary(rows):
    out = ["<table style=\"width:auto\"><thead><tr><th>state</th>",
           "".join("<th class=n>%s</th>" % s for s in SIDES),
           "<th class=n>in all</th><th>meaning</th></tr></thead>"]
    for state, numbers in counted(rows):
        cells = "".join("<td class=n>%s</td>" % (n or "") for n in numbers)
        label = state if state == "in all" else \
            '<span class="s %s">%s</span>' % (name_of(state), state)
        out.append("<tr><td>%s</td>%s<td>%s</td></tr>" % (
            label, cells, html.escape(meaning(state))))
    out.append("</table>")
    return "".join(out)


def buttons(kind, values):
    return "".join('<button class="%s" data-%s="%s">%s</button>' % (
        name_of(v) if kind == "state" else "", kind, v, v) for v in values)


def tests_line(rows, evidence):
    tests = {t for r in rows for t in r.tests.split()}
    n = collections.Counter(evidence.verdict(t) for t in tests)
    said = ["%d %s" % (n[v], v) for v in sorted(n, key=n.get, reverse=True)]
    return "%d tests named: <b class=%s>%s</b>" % (
        len(tests), "good" if n["passed"] == len(tests) else "bad",
        ", ".join(said))


def page(rows, evidence, defects):
    late = [r for r in rows if untraced(r)]
    states = [s for s in STATES if any(r.state == s for r in rows)]
    out = ["<!DOCTYPE html><html lang=en><meta charset=utf-8>",
           "<!-- SPDX-License-Identifier: BSD-2-Clause -->",
           "<meta name=viewport content=\"width=device-width\">",
           "<title>vblk: requirements</title><style>", STYLE, "</style><main>",
           "<h1>Requirements: virtio 1.4, statement by statement</h1>",
           "<p>Statements of virtio 1.4 (Committee Specification 01) that "
           "concern a block device without PCI, in words of this project, and "
           "the rules of spec/trust.md. Identifiers are ours: area, D device, "
           "G driver, L legacy, POL policy.</p>",
           "<p>", tests_line(rows, evidence), ". <b class=%s>%d rows untraced"
           "</b>, <b class=%s>%d defects</b> of the table.</p>" % (
               "bad" if late else "good", len(late),
               "bad" if defects else "good", len(defects)), summary(rows)]
    if defects:
        out.append("<h2>Defects of the table</h2><ul>%s</ul>" % "".join(
            "<li><code>%s</code>" % html.escape(d) for d in defects))
    out += ["<div id=bar><input placeholder=\"words, section, test ...\" "
            "autocomplete=off>",
            buttons("state", states + ["untraced"] * bool(late)),
            "<i></i>", buttons("side", SIDES),
            "<i></i>", buttons("level", LEVELS[:3]),
            "<span id=shown></span></div>"]
    for title, group in ordered(rows):
        out += ["<section><h2>%s</h2><table class=wide>" % html.escape(title),
                COLUMNS, "<thead><tr><th>id, section, level<th>statement<th>state"
                "<th>function<th>tests</tr></thead><tbody>"]
        out += [html_row(r, evidence) for r in group]
        out.append("</tbody></table></section>")
    out += ["</main><script>", SCRIPT, "</script></html>\n"]
    return "".join(out)

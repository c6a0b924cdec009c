# SPDX-License-Identifier: BSD-2-Clause
"""Empty libraries in the place of some that a program is linked to.

Debian's fio wants the libraries of five cluster file systems and of RDMA, 40 MB
that no test calls. A stub has the same name, symbols and symbol versions; every
function in it is a trap.
"""
import os
import re
import subprocess

COMPILER = {"amd64": "x86_64-linux-gnu-gcc", "arm64": "aarch64-linux-gnu-gcc"}


def _readelf(*args):
    return subprocess.run(["readelf", "-W", *args], check=True, text=True,
                          stdout=subprocess.PIPE).stdout


def needed(path):
    return re.findall(r"\(NEEDED\).*\[(.*)\]", _readelf("-d", path))


def _wanted(program):
    """{library: {version: [function]}}; library "" is any"""
    library, home = "", {}
    for line in _readelf("-V", program).split("\n"):
        if m := re.search(r"Version: \d+ +File: (\S+)", line):
            library = m.group(1)
        elif m := re.search(r"Name: (\S+) +Flags: .*Version: \d+", line):
            home[library, m.group(1)] = True
    lib_of = {}
    for library, version in home:
        lib_of.setdefault(version, library)
    out = {}
    for line in _readelf("--dyn-syms", program).split("\n"):
        m = re.search(r" GLOBAL +DEFAULT +UND ([^@\s]+)(?:@+(\S+))?", line)
        if m:
            version = m.group(2) or ""
            library = lib_of.get(version, "")
            out.setdefault(library, {}).setdefault(version, []) \
                .append(m.group(1))
    return out


def _defined(path):
    return set(re.findall(r" (?:GLOBAL|WEAK) +DEFAULT +\d+ ([^@\s]+)",
                          _readelf("--dyn-syms", path)))


def make(program, arch, have, work):
    """Stubs for the libraries that `program` needs and `have` (name to path)
    lacks: {name: path}, in directory `work`."""
    wanted = _wanted(program)
    missing = [lib for lib in needed(program) if lib not in have]
    there = set().union(*(_defined(p) for p in have.values()))
    loose = [f for f in wanted.get("", {}).get("", []) if f not in there]
    made = {}
    for i, lib in enumerate(missing):
        versions = wanted.get(lib, {})
        names = sum(versions.values(), []) + (loose if i == 0 else [])
        base = os.path.join(work, lib)
        with open(base + ".c", "w") as f:
            f.writelines("void %s(void) { __builtin_trap(); }\n" % n
                         for n in names)
        with open(base + ".map", "w") as f:
            f.writelines("%s { global: %s; };\n" % (v, "; ".join(names))
                         for v, names in versions.items())
        subprocess.run([COMPILER[arch], "-w", "-fno-builtin", "-shared",
                        "-nostdlib", "-fPIC", "-O1",
                        "-Wl,-soname," + lib,
                        *(["-Wl,--version-script," + base + ".map"]
                          if versions else []),
                        "-o", base, base + ".c"], check=True)
        made[lib] = base
    return made


def closure(programs, have):
    """{library: content} of all that the programs are linked to."""
    todo, out = list(programs), {}
    while todo:
        for lib in needed(todo.pop()):
            if lib not in out:
                with open(have[lib], "rb") as f:
                    out[lib] = f.read()
                todo.append(have[lib])
    return out

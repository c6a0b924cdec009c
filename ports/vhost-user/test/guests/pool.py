# SPDX-License-Identifier: BSD-2-Clause
"""Debian packages of any architecture, fetched and never installed.

apt-get gets a state directory of its own, so it needs no root, no foreign
architecture on the host and no recent `apt-get update`; where packages come
from is what the host's own sources say. What was fetched stays: an index
remembers which version a name stood for, and nobody is asked again until the
index goes (`run --refresh`).
"""
import fcntl
import json
import os
import re
import shutil
import subprocess
import tarfile


class Unavailable(Exception):
    """A tool or a package that cannot be had here: the test is skipped."""


def cache_dir():
    base = os.environ.get("XDG_CACHE_HOME") or \
        os.path.join(os.path.expanduser("~"), ".cache")
    path = os.path.join(base, "vblk", "guests")
    os.makedirs(path, exist_ok=True)
    return path


class Locked:
    """One process at a time fetches and builds."""

    def __enter__(self):
        self.file = open(os.path.join(cache_dir(), "lock"), "w")
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *what):
        self.file.close()


class Pool:
    def __init__(self, arch):
        self.arch = arch
        self.dir = os.path.join(cache_dir(), "pool-" + arch)
        self.index = os.path.join(self.dir, "index.json")
        self.updated = False

    def forget(self):
        if os.path.exists(self.index):
            os.remove(self.index)

    def _apt(self, tool, *args, cwd=None):
        state = os.path.join(self.dir, "apt")
        for d in ("lists/partial", "cache/archives/partial"):
            os.makedirs(os.path.join(state, d), exist_ok=True)
        status = os.path.join(state, "status")      # nothing is installed
        open(status, "a").close()
        cmd = [tool, "-q"]
        for option in ("APT::Architecture=" + self.arch,
                       "APT::Architectures::=" + self.arch,
                       "Dir::State::Lists=" + os.path.join(state, "lists"),
                       "Dir::State::status=" + status,
                       "Dir::Cache=" + os.path.join(state, "cache"),
                       "APT::Sandbox::User=root",
                       "Acquire::Languages=none",
                       "Acquire::Retries=3"):
            cmd += ["-o", option]
        try:
            done = subprocess.run(cmd + list(args), cwd=cwd, text=True,
                                  stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, timeout=900)
        except FileNotFoundError:
            raise Unavailable("there is no %s here" % tool) from None
        except subprocess.TimeoutExpired:
            raise Unavailable("%s took over 15 minutes" % tool) from None
        if done.returncode != 0:
            last = re.sub(r"\S+://\S+", "", done.stdout.strip())
            raise Unavailable("%s %s for %s: %s" % (
                tool, " ".join(args), self.arch, last.split("\n")[-1]))
        return done.stdout

    def _update(self):
        if not self.updated:
            self._apt("apt-get", "update")
            self.updated = True

    def _behind(self, package):
        text = self._apt("apt-cache", "show", "--no-all-versions", package)
        m = re.search(r"^Depends: ([^ ,|]+)", text, re.M)
        if not m:
            raise Unavailable(package + " depends on nothing")
        return m.group(1)

    def _fetch(self, package):
        new = os.path.join(self.dir, "new")
        shutil.rmtree(new, ignore_errors=True)
        os.makedirs(new)
        self._apt("apt-get", "download", package, cwd=new)
        found = os.listdir(new)
        if len(found) != 1:
            raise Unavailable("apt-get download %s gave %s" % (package, found))
        os.replace(os.path.join(new, found[0]),
                   os.path.join(self.dir, found[0]))
        return found[0]

    def get(self, packages):
        """{name: path of its .deb}. A name that ends in "!" stands for the
        first package it depends on, as a kernel's does."""
        os.makedirs(self.dir, exist_ok=True)
        try:
            with open(self.index) as f:
                known = json.load(f)
        except (FileNotFoundError, ValueError):
            known = {}
        for p in packages:
            if p in known and os.path.exists(os.path.join(self.dir, known[p])):
                continue
            self._update()
            known[p] = self._fetch(
                self._behind(p[:-1]) if p.endswith("!") else p)
            with open(self.index + ".new", "w") as f:
                json.dump(known, f, indent=1, sort_keys=True)
            os.replace(self.index + ".new", self.index)
        if self.updated:
            for old in os.listdir(self.dir):
                if old.endswith(".deb") and old not in known.values():
                    os.remove(os.path.join(self.dir, old))
        return {p: os.path.join(self.dir, known[p]) for p in packages}


def shared(path):
    """Is it a shared library, and not a plug-in of one?"""
    return re.search(r"(^|/)lib/[^/]+/[^/]+\.so(\.\d+)*$", path) is not None


def members(deb, wanted):
    """[(path, content)] of the files whose path `wanted` likes; a library's
    link has the content of the file in the same directory it names."""
    unpack = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb],
                              stdout=subprocess.PIPE)
    files, links = {}, {}
    with tarfile.open(fileobj=unpack.stdout, mode="r|") as tar:
        for m in tar:
            path = m.name.removeprefix("./")
            if m.isfile() and (wanted(path) or shared(path)):
                files[path] = tar.extractfile(m).read()
            elif m.issym() and wanted(path):
                links[path] = os.path.join(os.path.dirname(path), m.linkname)
    while unpack.stdout.read(1 << 16):
        pass
    if unpack.wait() != 0:
        raise Unavailable("cannot unpack " + os.path.basename(deb))
    out = [(p, c) for p, c in files.items() if wanted(p)]
    return out + [(p, files[to]) for p, to in links.items() if to in files]

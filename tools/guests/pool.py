# SPDX-License-Identifier: BSD-2-Clause
"""Debian packages of any architecture, fetched and never installed.

apt-get gets a state directory of its own, so it needs no root, no foreign
architecture on the host and no recent `apt-get update`; where packages come
from is what the host's own sources say, or another suite of the same mirror.
What was fetched stays: an index remembers which version a name stood for, and
nobody is asked again until the index goes (`--refresh`).
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


def cache_dir(name="guests"):
    base = os.environ.get("XDG_CACHE_HOME") or \
        os.path.join(os.path.expanduser("~"), ".cache")
    path = os.path.join(base, "vblk", name)
    os.makedirs(path, exist_ok=True)
    return path


class Locked:
    """One process at a time fetches and builds."""

    def __init__(self, name="guests"):
        self.name = name

    def __enter__(self):
        self.file = open(os.path.join(cache_dir(self.name), "lock"), "w")
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *what):
        self.file.close()


# A mirror has other suites beside the host's own, which has one of these names
SUITES = ["stable", "testing", "unstable", "bookworm", "trixie", "forky", "sid"]
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def mirror():
    """The address of the Debian mirror the host uses."""
    try:
        done = subprocess.run(
            ["apt-get", "indextargets", "--format",
             "$(REPO_URI) $(RELEASE) $(COMPONENT)",
             "Created-By: Packages"], text=True, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL)
    except FileNotFoundError:
        raise Unavailable("there is no apt-get here") from None
    for line in done.stdout.split("\n"):
        word = line.split()
        if len(word) == 3 and word[1] in SUITES and word[2] == "main":
            return word[0]
    raise Unavailable("apt-get names no Debian mirror among its sources")


class Pool:
    """Packages of one architecture; with `suite`, from that suite of the
    mirror, of which there are sources too."""

    def __init__(self, arch, suite=None, cache="guests"):
        self.arch, self.suite = arch, suite
        self.dir = os.path.join(cache_dir(cache), "-".join(
            ["pool", arch] + ([suite] if suite else [])))
        self.index = os.path.join(self.dir, "index.json")
        self.updated = False

    def forget(self):
        if os.path.exists(self.index):
            os.remove(self.index)

    def _sources(self, state):
        """Options that have apt look at nothing but the suite. A mirror that
        was frozen serves lists past their date; signatures are checked."""
        if not self.suite:
            return []
        parts = os.path.join(state, "sources")
        os.makedirs(parts, exist_ok=True)
        with open(os.path.join(parts, "suite.sources"), "w") as f:
            f.write("Types: deb deb-src\nURIs: %s\nSuites: %s\n"
                    "Components: main\n" % (mirror(), self.suite))
            if os.path.exists(KEYRING):     # else apt's own keys
                f.write("Signed-By: %s\n" % KEYRING)
        return ["Dir::Etc::sourcelist=" + os.path.join(state, "none"),
                "Dir::Etc::sourceparts=" + parts,
                "Acquire::Check-Valid-Until=false"]

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
                       "Acquire::Retries=3", *self._sources(state)):
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
                tool, " ".join(args),
                " ".join([self.suite or "", self.arch]).strip(),
                last.split("\n")[-1]))
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

    def _fetch_all(self, packages):
        """The packages and what they depend on, as apt resolves it"""
        install = ["install", "-y", "--no-install-recommends", *packages]
        uris = self._apt("apt-get", "--print-uris", *install)
        self._apt("apt-get", "-d", *install)
        names = re.findall(r"^'[^']+' (\S+\.deb) ", uris, re.M)
        for name in names:
            os.replace(os.path.join(self.dir, "apt/cache/archives", name),
                       os.path.join(self.dir, name))
        return names

    def _fetch_source(self, package, instead):
        """Its .orig tarball. A mirror may have the index of a version and not
        its files: then `instead`, (path on the mirror, SHA-256) of another."""
        where = os.path.join(self.dir, "src-" + package)
        shutil.rmtree(where, ignore_errors=True)
        os.makedirs(where)
        try:
            self._apt("apt-get", "source", "--download-only", package,
                      cwd=where)
        except Unavailable:
            if not instead:
                raise
            path, digest = instead
            file = os.path.join(where, os.path.basename(path))
            self._apt("/usr/lib/apt/apt-helper", "download-file",
                      mirror().rstrip("/") + "/" + path.replace("+", "%2b"),
                      file, "SHA256:" + digest)
        found = [f for f in os.listdir(where) if ".orig.tar." in f and
                 not f.endswith(".asc")]
        if len(found) != 1:
            raise Unavailable("apt-get source %s gave %s" % (package, found))
        return os.path.join("src-" + package, found[0])

    def _known(self, wanted, fetch):
        """{name: what the index has for it}, fetched where it has nothing: the
        file or list of files that fetch(name) gives."""
        os.makedirs(self.dir, exist_ok=True)
        try:
            with open(self.index) as f:
                known = json.load(f)
        except (FileNotFoundError, ValueError):
            known = {}

        def files(name):
            have = known.get(name, [])
            return have if isinstance(have, list) else [have]

        for p in wanted:
            if p in known and all(os.path.exists(os.path.join(self.dir, f))
                                  for f in files(p)):
                continue
            self._update()
            known[p] = fetch(p)
            with open(self.index + ".new", "w") as f:
                json.dump(known, f, indent=1, sort_keys=True)
            os.replace(self.index + ".new", self.index)
        if self.updated:
            used = sum(map(files, known), [])
            for old in os.listdir(self.dir):
                if old.endswith(".deb") and old not in used:
                    os.remove(os.path.join(self.dir, old))
        return {p: known[p] for p in wanted}

    def get(self, packages):
        """{name: path of its .deb}. A name that ends in "!" stands for the
        first package it depends on, as a kernel's does."""
        known = self._known(packages, lambda p: self._fetch(
            self._behind(p[:-1]) if p.endswith("!") else p))
        return {p: os.path.join(self.dir, known[p]) for p in packages}

    def closure(self, packages):
        """Paths of the .debs of these packages and of all they depend on."""
        name = "closure " + " ".join(sorted(packages))
        known = self._known([name], lambda p: self._fetch_all(packages))
        return [os.path.join(self.dir, f) for f in known[name]]

    def source(self, package, instead=None):
        """Path of the source package's tarball, as upstream released it."""
        name = "source " + package
        known = self._known([name],
                            lambda p: self._fetch_source(package, instead))
        return os.path.join(self.dir, known[name])


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

# SPDX-License-Identifier: BSD-2-Clause
"""The parts of the Xen test bed: hypervisors, kernels, root file systems.

Each is made once and kept in ${XDG_CACHE_HOME:-~/.cache}/vblk/xen, in a
directory named by a hash of what it is made from. All of it is arm64, from
Debian's packages and sources; nothing is installed on this machine.
"""
import glob
import lzma
import os
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, *[".."] * 3)
sys.path.append(os.path.join(ROOT, "tools/guests"))
import cpio                         # noqa: E402
import keep                         # noqa: E402
import pool                         # noqa: E402
import stubs                        # noqa: E402
from pool import Unavailable        # noqa: E402

CACHE = "xen"
SUITE = {"4.17": "bookworm", "4.20": "trixie"}
VERSIONS = sorted(SUITE)
KERNELS = ["small", "distro"]
LINUX = "linux-source-6.12"

# For a mirror that has the index of a newer version and not its source. Newer
# tools of the same branch work on it.
XEN_SOURCE = {
    "4.17": None,
    "4.20": ("pool/main/x/xen/xen_4.20.3+127-gc42374a105.orig.tar.xz",
             "df0831854a55a8f31cb3cb85036f2edc928e2ef098d77f815f5714bfafac68f3"),
}

# What vblk-xen is compiled against: the oldest Xen there is here, whose stable
# libraries are in the newer one, too. libc and the kernel's headers come with
# the cross compiler.
DEVELOPMENT = ["libxen-dev", "liburing-dev", "libfdt-dev", "libseccomp-dev"]
SYSROOT = r"lib(xen|uring|fdt|seccomp|yajl|uuid|ext2fs|com-err)|zlib"

DOM0 = ["xl", "xenstored", "xenconsoled", "xen-init-dom0", "xenstore",
        "xenctx", "xen-diag", "xentop"]
# What vblk-xen is linked to, and what xl loads when it aborts
DOM0_LIBRARIES = ["liburing.so.2", "libfdt.so.1", "libseccomp.so.2",
                  "libgcc_s.so.1", "libxendevicemodel.so.1",
                  "libxenforeignmemory.so.1", "libxenevtchn.so.1",
                  "libxengnttab.so.1", "libxenstore.so.4"]
# Hard links to xenstore, which looks at its name
XENSTORE = ["chmod", "exists", "list", "ls", "read", "rm", "watch", "write"]

GUEST = ["fio", "mke2fs", "blkdiscard", "blkid"]
GUEST_PACKAGES = ["fio", "e2fsprogs", "util-linux", "libc6", "libaio1",
                  "libnuma1", "zlib1g", "libext2fs2", "libcom-err2", "libblkid1",
                  "libuuid1"]

# Modules of Debian's kernel; those they need are found
DOM0_MODULES = ["xen-evtchn", "xen-privcmd", "xen-gntdev", "xen-gntalloc",
                "xenfs", "loop", "crc32c_generic", "ext4"]
GUEST_MODULES = ["virtio_mmio", "virtio_blk", "crc32c_generic", "ext4"]

quiet = False


def progress(text):
    if not quiet:
        print("xen-testbed: " + text, file=sys.stderr, flush=True)


def made(name, what, recipe, build):
    """As keep.kept(), saying what takes time."""
    def timed(work):
        start = time.monotonic()
        progress(what + " ...")
        build(work)
        progress("%s: %d s" % (what, time.monotonic() - start))

    return keep.kept(name, recipe, timed, CACHE)


def debian(suite):
    return pool.Pool("arm64", suite, CACHE)


def fetched(what, get, *args):
    """get(*args), saying so if it takes time."""
    start = time.monotonic()
    got = get(*args)
    if time.monotonic() - start > 2:
        progress("%s: fetched in %d s" % (what, time.monotonic() - start))
    return got


def names(paths):
    return sorted(map(os.path.basename, paths))


def own(name):
    return os.path.join(HERE, name)


def command(what, log, *argv):
    """Runs a script; its output is kept for the one who must find out."""
    with open(log, "w") as out:
        status = subprocess.call(argv, stdin=subprocess.DEVNULL, stdout=out,
                                 stderr=subprocess.STDOUT)
    if status != 0:
        with open(log, errors="replace") as f:
            last = f.read().strip().split("\n")[-1]
        raise RuntimeError("%s failed: %s; all of it: %s" % (what, last, log))


def log_of(name):
    return os.path.join(pool.cache_dir(CACHE), name + ".log")


def sysroot():
    """Where vblk-xen's cross compiler finds headers and libraries."""
    debs = fetched("libraries", debian("bookworm").closure, DEVELOPMENT)
    debs = [d for d in debs if re.match(SYSROOT, os.path.basename(d))]

    def build(work):
        for deb in debs:
            subprocess.run(["dpkg-deb", "-x", deb, work], check=True)
        # Absolute links to libraries in /lib would lead to the host's
        there = os.path.join(work, "usr/lib/aarch64-linux-gnu")
        for link in os.listdir(there):
            path = os.path.join(there, link)
            if os.path.islink(path) and os.readlink(path)[0] == "/":
                to = work + os.readlink(path)
                os.remove(path)
                os.symlink(os.path.relpath(to, there), path)

    return made("sysroot", "sysroot", [SYSROOT, *names(debs)], build)


def hypervisor(version):
    """A directory with xen."""
    tarball = fetched("source of Xen " + version,
                      debian(SUITE[version]).source, "xen", XEN_SOURCE[version])
    name = "xen-" + version

    return made(name, "hypervisor %s from %s" % (
        version, os.path.basename(tarball)),
        [*keep.text(own("hypervisor.sh")), os.path.basename(tarball)],
        lambda work: command(name, log_of(name), own("hypervisor.sh"),
                             tarball, work))


def kernel(which):
    """A directory with Image and, where drivers are modules, the archives
    dom0-modules and guest-modules."""
    return small() if which == "small" else distro()


def small():
    deb = fetched(LINUX, debian("trixie").get, [LINUX])[LINUX]

    def build(work):
        with tempfile.TemporaryDirectory(dir=work) as tmp:
            subprocess.run(["dpkg-deb", "-x", deb, tmp], check=True)
            command("kernel-small", log_of("kernel-small"), own("kernel.sh"),
                    glob.glob(tmp + "/usr/src/*.tar.*")[0],
                    own("small.config"), work)

    return made("kernel-small", "small kernel, 10 minutes of processor",
                [*keep.text(own("kernel.sh"), own("small.config")), *names([deb])],
                build)


def distro():
    package = "linux-image-arm64!"
    deb = fetched("Debian's kernel", debian("trixie").get, [package])[package]

    def build(work):
        found = {}
        for path, data in pool.members(
                deb, lambda p: re.search(r"^boot/vmlinuz-|\.ko(\.xz)?$", p)):
            if path.startswith("boot/"):
                with open(os.path.join(work, "Image"), "wb") as f:
                    f.write(data)
            else:
                found[os.path.basename(path).split(".")[0]] = (path, data)
        for side, wanted in (("dom0", DOM0_MODULES), ("guest", GUEST_MODULES)):
            with open(os.path.join(work, side + "-modules"), "wb") as f:
                f.write(cpio.tree(modules(found, wanted)))

    return made("kernel-distro", "Debian's kernel and its modules",
                [*keep.text(__file__), *names([deb])], build)


def modules(found, wanted):
    """{path: (content, mode)} in an order in which they can be loaded. What is
    not found is in the kernel."""
    loaded, out = [], {}

    def load(name):
        key = name if name in found else name.replace("_", "-")
        if key in loaded or key not in found:
            return
        path, data = found[key]
        if path.endswith(".xz"):
            data = lzma.decompress(data)
        loaded.append(key)
        depends = re.search(rb"\0depends=([^\0]*)\0", data)
        for other in depends.group(1).decode().split(",") if depends else ():
            if other:
                load(other)
        out["modules/%02d-%s.ko" % (len(out), key)] = (data, 0o644)

    for name in wanted:
        load(name)
    return out


def programs(debs, wanted, libraries=(), stub=None):
    """{path: (content, mode)}: /bin has the programs, /lib what they are linked
    to and these libraries. `stub` names the one that gets stubs (stubs.py)."""
    have, out = {}, {}

    def program(path):
        return re.search(r"bin/(%s)$" % "|".join(wanted), path)

    with tempfile.TemporaryDirectory() as tmp:
        for deb in debs:
            for path, data in pool.members(
                    deb, lambda p: pool.shared(p) or program(p)):
                name = os.path.basename(path)
                at = os.path.join(tmp, name)
                if program(path):
                    if data[:4] != b"\x7fELF":
                        continue    # a wrapper that chooses among versions
                    out["bin/" + name] = (data, 0o755)
                else:
                    have[name] = at
                with open(at, "wb") as f:
                    f.write(data)
        lost = [n for n in wanted if "bin/" + n not in out]
        if lost:
            raise Unavailable("the packages have no " + ", ".join(lost))
        if stub:
            have.update(stubs.make(os.path.join(tmp, stub), "arm64", have, tmp))
        linked = stubs.closure([os.path.join(tmp, n) for n in wanted] +
                               [have[n] for n in libraries], have)
        for name in libraries:
            with open(have[name], "rb") as f:
                linked[name] = f.read()
    for name, data in linked.items():
        out["lib/" + name] = (data, 0o755)
    return out


def busybox(debs):
    deb, = [d for d in debs if os.path.basename(d).startswith("busybox-static")]
    return {"bin/busybox": (pool.members(
        deb, lambda p: p.endswith("bin/busybox"))[0][1], 0o755)}


def archive(work, files):
    with open(os.path.join(work, "cpio"), "wb") as f:
        f.write(cpio.tree(files, [("dev/console", (5, 1))]))


SHARED = [cpio.__file__, pool.__file__, stubs.__file__, __file__]


def dom0(version):
    """A directory with cpio: busybox and Xen's tools, without /init."""
    debs = fetched("Xen's tools " + version, debian(SUITE[version]).closure, [
        "xen-utils-" + version, "xenstore-utils", "busybox-static", "liburing2",
        "libfdt1", "libseccomp2"])

    def build(work):
        files = programs(debs, DOM0, DOM0_LIBRARIES)
        for name in XENSTORE:
            files["bin/xenstore-" + name] = files["bin/xenstore"]
        archive(work, {**files, **busybox(debs)})

    return made("dom0-" + version, "root file system of dom0 " + version,
                keep.text(*SHARED) + names(debs), build)


def guest():
    """A directory with cpio: busybox and what loads a disk, without /init."""
    debs = list(fetched("the guest's programs", debian("bookworm").get,
                        GUEST_PACKAGES + ["busybox-static"]).values())

    def build(work):
        archive(work, {**programs(debs, GUEST, stub="fio"), **busybox(debs)})

    return made("guest", "root file system of guests",
                keep.text(*SHARED) + names(debs), build)


PARTS = {
    "sysroot": sysroot,
    **{"dom0-" + v: lambda v=v: dom0(v) for v in VERSIONS},
    "guest": guest,
    "kernel-distro": distro,
    **{"xen-" + v: lambda v=v: hypervisor(v) for v in VERSIONS},
    "kernel-small": small,
}


def get(name):
    """The directory of a part, made if it is not there."""
    with pool.Locked(CACHE):
        return PARTS[name]()

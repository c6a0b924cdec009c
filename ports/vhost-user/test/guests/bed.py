# SPDX-License-Identifier: BSD-2-Clause
"""Test beds: what a guest boots. Made once, then kept in the cache.

A bed is a directory named by a hash of its recipe (this file, the scripts that
go into it, the names and versions of the packages); another recipe makes
another bed, and old ones go a day later.
"""
import os
import re
import subprocess
import tempfile

import cpio
import pool
import stubs
from keep import kept, text

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPTS = os.path.join(HERE, "guest")

# The cloud kernels: half the size of the others, quick to unpack, ext4 inside.
KERNEL = {"amd64": "linux-image-cloud-amd64!",
          "arm64": "linux-image-cloud-arm64!"}
# Those that are modules; the rest is in the kernel.
MODULES = ["virtio", "virtio_ring", "virtio_pci_legacy_dev",
           "virtio_pci_modern_dev", "virtio_pci", "virtio_mmio", "virtio_blk",
           "crc16", "crc32c_generic", "libcrc32c", "mbcache", "jbd2", "ext4"]
TOOLS = {"fio": ["fio"], "e2fsprogs": ["mke2fs"],
         "util-linux": ["blkdiscard", "blkid"]}
LIBRARIES = ["libc6", "libaio1", "libnuma1", "zlib1g", "libext2fs2",
             "libcom-err2", "libblkid1", "libuuid1"]
# Of architecture "all": any pool has them.
FIRMWARE = {
    "ovmf": ["usr/share/OVMF/OVMF_CODE.fd", "usr/share/OVMF/OVMF_VARS.fd"],
    "u-boot-qemu": ["usr/lib/u-boot/qemu-x86/u-boot.rom",
                    "usr/lib/u-boot/qemu_arm64/u-boot.bin"],
}


def _source(name):
    return os.path.join(HERE, name)


def _names(debs):
    return [os.path.basename(p) for p in sorted(debs.values())]


def _initrd(debs, arch, work):
    files, modules, libraries = {}, {}, {}

    def module(path):
        return path.endswith(".ko") and \
            os.path.basename(path)[:-3].replace("-", "_") in MODULES

    for path, data in pool.members(
            debs[KERNEL[arch]],
            lambda p: p.startswith("boot/vmlinuz-") or module(p)):
        if module(path):
            modules[os.path.basename(path)[:-3].replace("-", "_")] = data
        else:
            with open(os.path.join(work, "vmlinuz"), "wb") as f:
                f.write(data)
    for name, data in modules.items():
        files["modules/%s.ko" % name] = (data, 0o644)

    busybox = pool.members(debs["busybox-static"],
                           lambda p: p.endswith("bin/busybox"))
    files["bin/busybox"] = (busybox[0][1], 0o755)
    for package, names in TOOLS.items():
        for path, data in pool.members(
                debs[package],
                lambda p: re.search(r"bin/(%s)$" % "|".join(names), p)):
            files["tools/" + os.path.basename(path)] = (data, 0o755)
    for package in LIBRARIES:
        for path, data in pool.members(debs[package], pool.shared):
            libraries[os.path.basename(path)] = data

    with tempfile.TemporaryDirectory() as tmp:
        for name, data in libraries.items():
            with open(os.path.join(tmp, name), "wb") as f:
                f.write(data)
        have = {name: os.path.join(tmp, name) for name in libraries}
        programs = []
        for path in [p for p in files if p.startswith("tools/")]:
            programs.append(os.path.join(tmp, "program-" +
                                         os.path.basename(path)))
            with open(programs[-1], "wb") as f:
                f.write(files[path][0])
        fio = os.path.join(tmp, "program-fio")
        have.update(stubs.make(fio, arch, have, tmp))
        libraries = stubs.closure(programs, have)
    loader = {"amd64": "lib64/ld-linux-x86-64.so.2",
              "arm64": "lib/ld-linux-aarch64.so.1"}[arch]
    for name, data in libraries.items():
        where = loader if name == os.path.basename(loader) else "lib/" + name
        files[where] = (data, 0o755)
    with open(os.path.join(SCRIPTS, "init"), "rb") as f:
        files["init"] = (f.read(), 0o755)
    with open(os.path.join(work, "initrd"), "wb") as f:
        f.write(cpio.tree(files, [("dev/console", (5, 1))]))


def linux(arch):
    """A directory with vmlinuz and initrd."""
    with pool.Locked():
        debs = pool.Pool(arch).get([KERNEL[arch], "busybox-static", *TOOLS,
                                    *LIBRARIES])
        recipe = text(__file__, stubs.__file__, pool.__file__,
                       cpio.__file__,
                       os.path.join(SCRIPTS, "init"))
        return kept("linux-" + arch, recipe + _names(debs),
                    lambda work: _initrd(debs, arch, work))


def firmware(package):
    """A directory with the files of FIRMWARE[package], without their paths."""
    def build(work):
        for path, data in pool.members(debs[package],
                                       lambda p: p in FIRMWARE[package]):
            with open(os.path.join(work, os.path.basename(path)), "wb") as f:
                f.write(data)

    with pool.Locked():
        debs = pool.Pool("amd64").get([package])
        return kept(package, text(__file__, pool.__file__) + _names(debs),
                    build)


def boot_sector():
    """The path of guest/boot.S as 512 bytes."""
    source = os.path.join(SCRIPTS, "boot.S")

    def build(work):
        obj, out = os.path.join(work, "o"), os.path.join(work, "boot.bin")
        subprocess.run(["gcc", "-m32", "-c", "-o", obj, source], check=True)
        subprocess.run(["ld", "-m", "elf_i386", "-Ttext", "0x7c00", "-e",
                        "start", "--oformat", "binary", "-o", out, obj],
                       check=True)
        if os.path.getsize(out) != 512:
            raise RuntimeError("boot.S is not 512 bytes")

    with pool.Locked():
        return os.path.join(kept("boot", text(__file__, source), build),
                            "boot.bin")

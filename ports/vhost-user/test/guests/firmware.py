# SPDX-License-Identifier: BSD-2-Clause
"""Guests that are firmware: SeaBIOS, OVMF, U-Boot."""
import os
import re
import shutil
import zlib
from functools import partial

import bed
import disk
from disk import MIB, SECTOR
from lab import devices
from linux import VIRTIO_1

PCI = {"transitional": "vhost-user-blk-pci",
       "non_transitional": "vhost-user-blk-pci-non-transitional"}


def fnv1a(data):
    h = 0x811c9dc5
    for byte in data:
        h = (h ^ byte) * 16777619 & 0xffffffff
    return h


def seabios(lab):
    """guest/boot.S: its FROM, TO and COUNT are here, too."""
    start, to, size = 1 * SECTOR, 256 * SECTOR, 32 * SECTOR
    image = lab.path("image")
    total = 4 * MIB + 3 * SECTOR
    data = disk.noise("seabios", total)
    with open(image, "wb") as f:
        f.write(data)
    with open(bed.boot_sector(), "rb") as f:
        sector = f.read()
    disk.write(image, 0, sector)
    source = data[start:start + size]
    inverted = bytes(b ^ 255 for b in source)

    daemon = lab.daemon(image, queues=1)
    console = lab.qemu(
        "qemu-system-x86_64", "-boot", "strict=on",
        "-device", "isa-debug-exit,iobase=0x501,iosize=1",
        *devices(daemon, properties=",bootindex=1"), machine="pc", memory="64M")
    said = console.expect(r"^@@ boot (.*?)\r?\n", 60,
                          "the boot sector to print").group(1)
    status = console.finish(20)
    daemon.stop()
    lab.check("what the boot sector printed",
              "%08X %08X same same %08X end" % (
                  total // SECTOR, fnv1a(source), fnv1a(inverted)), said)
    lab.check("exit status of the guest", 0x10 << 1 | 1, status)
    lab.check("the image", disk.sha256(
        sector + data[SECTOR:to] + inverted + data[to + size:]),
        disk.digest(image))


def ovmf(lab, kind):
    """guest/startup.nsh, run by the UEFI shell; a FAT without partitions."""
    image, size = lab.path("image"), 40 * MIB
    big, gone = disk.noise("big", MIB + 333), disk.noise("gone", 70000)
    disk.blank(image, size)
    with open(os.path.join(bed.SCRIPTS, "startup.nsh"), "rb") as f:
        disk.fat(image, 0, size, {
            "startup.nsh": f.read().replace(b"\n", b"\r\n"), "gone.bin": gone,
            "in.txt": b"written by the host\r\n", "big.bin": big})
    where = bed.firmware("ovmf")
    shutil.copy(os.path.join(where, "OVMF_VARS.fd"), lab.path("vars"))

    daemon = lab.daemon(image, queues=1)
    console = lab.qemu(
        "qemu-system-x86_64", "-cpu", "max",
        "-drive", "if=pflash,format=raw,readonly=on,file=" +
        os.path.join(where, "OVMF_CODE.fd"),
        "-drive", "if=pflash,format=raw,file=" + lab.path("vars"),
        *devices(daemon, PCI[kind]), machine="q35")
    console.expect("written by the host", 120, "startup.nsh to run")
    console.expect("no differences? encountered", 60,
                   "the shell to find both files the same")
    console.finish()
    daemon.stop()

    def agree(name, expected):
        lab.check(name + " in the image", disk.sha256(expected),
                  disk.sha256(disk.fat_read(image, 0, name)))

    agree("big.bin", big)
    agree("copy.bin", big)
    agree("dir/in.txt", b"written by the host\r\n")
    lab.check("out.txt in the image", "written by the guest",
              disk.fat_read(image, 0, "out.txt").decode("utf-16").strip())
    lab.check("gone.bin in the image", False,
              "gone.bin" in disk.fat_names(image, 0))


class Board:
    """A way to run U-Boot. It loads files at `memory`."""

    def __init__(self, program, machine, bios, memory, options, device):
        self.program, self.machine, self.bios = program, machine, bios
        self.memory, self.options, self.device = memory, options, device


def pc(kind):
    return Board("qemu-system-x86_64", "pc", "u-boot.rom", 0x1000000, [],
                 PCI[kind])


def virt(kind):
    mmio = ["-global", "virtio-mmio.force-legacy=false"]
    return Board("qemu-system-aarch64", "virt", "u-boot.bin", 0x42000000,
                 ["-cpu", "cortex-a57"] + (mmio if kind == "mmio" else []),
                 "vhost-user-blk" if kind == "mmio" else PCI[kind])


def uboot(lab, board):
    """The commands that a user types."""
    image = lab.path("image")
    fat, raw = MIB, 40 * MIB
    data = disk.noise("u-boot", MIB + 12345)
    disk.blank(image, 48 * MIB)
    disk.partition(image, [(fat, 36 * MIB, 0x0c), (raw, 8 * MIB, 0x83)])
    disk.fat(image, fat, 36 * MIB, {"data.bin": data})

    daemon = lab.daemon(image, queues=1)
    console = lab.qemu(
        board.program, *board.options, "-bios",
        os.path.join(bed.firmware("u-boot-qemu"), board.bios),
        *devices(daemon, board.device), machine=board.machine)
    console.expect("Hit any key to stop autoboot", 120, "U-Boot to come up")
    console.send("\r")
    console.expect("=> ", 30)

    def command(text, *patterns):
        console.send(text + "\r")
        answer = console.expect(r"([^\0]*?)\n=> ", 60,
                                "an answer to " + repr(text)).group(1)
        for p in patterns:
            if not re.search(p, answer):
                lab.check("answer to " + repr(text), p, answer)

    one, two = board.memory, board.memory + 0x1000000
    blocks = (len(data) + SECTOR - 1) // SECTOR
    crc = "%08x" % zlib.crc32(data)
    command("virtio scan")
    command("virtio info", "Capacity: 48.0 MB")
    command("part list virtio 0", r"1\s+2048\s+73728", r"2\s+81920\s+16384")
    command("ls virtio 0:1", r"%d\s+data\.bin" % len(data))
    command("load virtio 0:1 %x data.bin" % one, "%d bytes read" % len(data))
    command("crc32 %x %x" % (one, len(data)), "==> " + crc)
    command("virtio write %x %x %x" % (one, raw // SECTOR, blocks),
            "%d blocks written: OK" % blocks)
    command("mw.b %x 0 %x" % (two, len(data)))
    command("virtio read %x %x %x" % (two, raw // SECTOR, blocks),
            "%d blocks read: OK" % blocks)
    command("cmp.b %x %x %x" % (one, two, len(data)),
            r"Total of %d byte\(s\) were the same" % len(data))
    command("fatwrite virtio 0:1 %x copy.bin %x" % (two, len(data)),
            "%d bytes written" % len(data))
    console.send("reset\r")            # -no-reboot: the emulator leaves
    console.finish()
    daemon.stop()

    lab.check("what virtio write wrote in the image", disk.sha256(data),
              disk.digest(image, raw, len(data)))
    for name in "data.bin", "copy.bin":
        lab.check(name + " in the image", disk.sha256(data),
                  disk.sha256(disk.fat_read(image, fat, name)))


X86 = ["qemu-system-x86_64", "dpkg-deb", "setpriv"]
ARM = ["qemu-system-aarch64", "dpkg-deb", "setpriv"]
TESTS = {
    "seabios_boot_sector": (seabios, ["qemu-system-x86_64", "setpriv",
                                      "x86_64-linux-gnu-gcc"]),
    "ovmf_transitional": (partial(ovmf, kind="transitional"),
                          X86 + ["mcopy"], VIRTIO_1),
    "ovmf_non_transitional": (partial(ovmf, kind="non_transitional"),
                              X86 + ["mcopy"]),
    "uboot_x86_transitional": (partial(uboot, board=pc("transitional")),
                               X86 + ["mcopy"], VIRTIO_1),
    "uboot_x86_non_transitional": (
        partial(uboot, board=pc("non_transitional")), X86 + ["mcopy"]),
    "uboot_arm64_mmio": (partial(uboot, board=virt("mmio")), ARM + ["mcopy"]),
    "uboot_arm64_pci_transitional": (
        partial(uboot, board=virt("transitional")), ARM + ["mcopy"], VIRTIO_1),
    "uboot_arm64_pci_non_transitional": (
        partial(uboot, board=virt("non_transitional")), ARM + ["mcopy"]),
}

# SPDX-License-Identifier: BSD-2-Clause
"""Guests that run Linux: everything a disk is for, in one boot of each."""
import copy
import os
import time

import bed
import cpio
import disk
from disk import MIB, SECTOR
from lab import devices

SERIAL = "vblk-0123456789ABCDE"     # 20 bytes, all there is room for

# Where the four partitions are: (first byte, bytes, type)
HOST, OURS, RAW, GONE = PARTS = [
    (MIB, 8 * MIB, 0x83), (9 * MIB, 48 * MIB, 0x83),
    (57 * MIB, 16 * MIB, 0x83), (73 * MIB, 16 * MIB, 0x83)]
SIZE = 89 * MIB + 7 * SECTOR        # not a whole number of pages

ARGUMENTS = ("loglevel=4 panic=-1 nokaslr mitigations=off "
             "cryptomgr.notests random.trust_cpu=on ")


class Machine:
    """A way to boot Linux and to attach disks to it."""

    def __init__(self, arch, program, machine, cpu, device, arguments="",
                 extra=(), bus=None):
        self.arch, self.program, self.machine = arch, program, machine
        self.cpu, self.device, self.arguments = cpu, device, arguments
        self.extra, self.bus = list(extra), bus

    def but(self, arguments):
        """With more arguments for the kernel."""
        other = copy.copy(self)
        other.arguments += " " + arguments
        return other

    def disk(self, daemon, number=0, chardev="", properties=""):
        if self.bus:
            properties += ",bus=" + self.bus % number
        return devices(daemon, self.device, number, chardev, properties)


MMIO = ["-global", "virtio-mmio.force-legacy=false"]
# A microvm has nothing to measure its TSC by; a kernel that tries hangs about
# every second time. A wrong frequency only makes its clock run fast or slow.
Q35 = Machine("amd64", "qemu-system-x86_64", "q35", "max",
              "vhost-user-blk-pci", "console=ttyS0 no_timer_check")
MICROVM = Machine("amd64", "qemu-system-x86_64",
                  "microvm,acpi=on,isa-serial=on", "max", "vhost-user-blk",
                  "console=ttyS0 earlyprintk=ttyS0,115200 "
                  "tsc_early_khz=2000000 no_timer_check", MMIO)
ARM64 = Machine("arm64", "qemu-system-aarch64", "virt", "cortex-a57",
                "vhost-user-blk", extra=MMIO,
                bus="virtio-mmio-bus.%d")   # else the first disk is found last


def boot(lab, machine, scripts, disks, cpus=1, extra=(), memory="256M"):
    """A guest that runs these scripts, after guest/lib.sh, with these disks. A
    script with a "=" in its name is a line of shell."""
    text = b""
    for script in ["lib.sh", *scripts]:
        if "=" in script:
            text += script.encode() + b"\n"
            continue
        with open(os.path.join(bed.SCRIPTS, script), "rb") as f:
            text += f.read()
    files = {"test": (text, 0o644)}
    where = bed.linux(machine.arch)
    initrd = lab.path("initrd")
    with open(os.path.join(where, "initrd"), "rb") as f, \
            open(initrd, "wb") as out:
        out.write(f.read())
        out.write(cpio.tree(files))
    return lab.qemu(
        machine.program, "-cpu", machine.cpu,
        "-kernel", os.path.join(where, "vmlinuz"), "-initrd", initrd,
        "-append", ARGUMENTS + machine.arguments,
        *machine.extra, *disks, *extra, machine=machine.machine, cpus=cpus,
        memory=memory)


class Talk:
    """What the guest says, as {name: value} in `said`. `answers` has a function
    for each thing it may ask; what that returns is sent back."""

    LINE = r"^@@ (\w+) ?(.*?)\r?\n"

    def __init__(self, console, answers=None):
        self.console, self.answers = console, answers or {}
        self.said, self.over = {}, False

    def listen(self, seconds):
        """For so long, or until the guest ends; then true."""
        end = time.monotonic() + seconds
        while not self.over and time.monotonic() < end:
            if m := self.console.await_(self.LINE, end - time.monotonic()):
                self._take(*m.groups())
            elif self.console.ended:
                break
        return self.over or self.console.ended

    def one(self, seconds=120):
        """The next line; the guest may be silent for so long."""
        self._take(*self.console.expect(
            self.LINE, seconds, "the guest to go on after %r"
            % (list(self.said) or ["boot"])[-1]).groups())

    def to_the_end(self, seconds=120):
        while not self.over:
            self.one(seconds)
        lab = self.console.lab
        lab.check("exit status of the guest's script", "0", self.said["end"])
        self.console.finish()
        lab.check("errors in the guest's kernel log", "0", self.said["errors"])
        return self.said

    def _take(self, name, value):
        if name == "ask":
            name, _, value = value.partition(" ")
            self.console.send((self.answers[name](value) or "") + "\n")
        self.said[name] = value
        self.over = name == "end"


def full(lab, machine, cpus=4):
    big, small = disk.noise("big", 3 * MIB + 77), disk.noise("small", 1234)
    image, other = lab.path("image"), lab.path("other")
    disk.blank(image, SIZE)
    disk.partition(image, PARTS)
    disk.ext4(image, HOST[0], HOST[1], "from-host",
              {"big": big, "small": small}, lab.dir)
    gone = disk.noise("gone", GONE[1])
    disk.write(image, GONE[0], gone)
    with open(other, "wb") as f:
        f.write(disk.noise("other", MIB))

    first = lab.daemon(image, queues=4, serial=SERIAL)
    second = lab.daemon(other, queues=1, serial="other", read_only=True)
    console = boot(lab, machine, ["full.sh"],
                   machine.disk(first, 0) + machine.disk(second, 1), cpus)
    taken = {}

    def measure(name):
        def answer(_value):
            taken[name] = disk.allocated(image)
        return answer

    said = Talk(console, {n: measure(n) for n in (
        "before_trim", "after_trim", "after_discard")}).to_the_end()
    first.stop()
    second.stop()
    lab.note("cache: %s; driver: %s" % (said["cache"], said["driver"]))

    def agree(name, expected):
        lab.check("in the guest, " + name, expected, said[name])

    agree("sectors", str(SIZE // SECTOR))
    agree("serial", first.serial)
    agree("queues", "4")
    agree("partitions", "4")
    agree("host_label", "from-host")
    agree("host_big", disk.sha256(big))
    agree("host_small", disk.sha256(small))
    agree("vda4", disk.sha256(gone))
    agree("guest_label", "from-guest")
    agree("copy", disk.sha256(big))
    agree("joined", disk.sha256(small + big + small))
    many = b"".join(b"file %d\n" % i for i in sorted(range(100), key=str))
    agree("many", disk.sha256(many))
    agree("zeroed", disk.sha256(bytes(MIB)))
    agree("spared", disk.sha256(gone[-MIB:]))
    # jobs, errors, KiB read (that is, verified), KiB written
    agree("fio", "5 0 16384 16384")
    agree("ro", "1")
    agree("ro_write", "refused")
    agree("vdb", disk.sha256(disk.noise("other", MIB)))

    agree("vda3", disk.digest(image, RAW[0], RAW[1]))
    if not any(disk.read(image, RAW[0], RAW[1])):
        lab.check("the image where fio wrote", "data", "zeros")
    disk.ext4_check(image, OURS[0])
    lab.check("label of the guest's ext4", "from-guest",
              disk.ext4_label(image, OURS[0]))
    lab.check("guest's copy in the image", disk.sha256(big),
              disk.sha256(disk.ext4_read(image, OURS[0], "/copy")))
    lab.check("guest's /joined in the image", disk.sha256(small + big + small),
              disk.sha256(disk.ext4_read(image, OURS[0], "/joined")))
    lab.check("guest's /many/42 in the image", b"file 42\n",
              disk.ext4_read(image, OURS[0], "/many/42"))
    lab.check("1 MiB of zeros in the image", disk.sha256(bytes(MIB)),
              disk.digest(image, GONE[0], MIB))
    lab.check("what was not discarded in the image", disk.sha256(gone[-MIB:]),
              disk.digest(image, GONE[0] + 15 * MIB, MIB))
    lab.check("last sector of the image",
              b"the last sector".ljust(SECTOR, b"\0"),
              disk.read(image, SIZE - SECTOR, SECTOR))
    lab.check("the read-only image", disk.sha256(disk.noise("other", MIB)),
              disk.digest(other))
    shrunk(lab, "fstrim", taken["before_trim"] - taken["after_trim"],
           3 * MIB - 64 * 1024)
    shrunk(lab, "blkdiscard", taken["after_trim"] - taken["after_discard"],
           14 * MIB - 64 * 1024)


def load(mib):
    """guest/load.sh, on so much of a disk."""
    return ["mib=%d" % mib, "load.sh"]


def loaded(lab, image, said):
    """What is to be checked after it on a disk of that size."""
    kib = os.path.getsize(image) // 1024
    lab.check("fio's jobs, errors, KiB read and written",
              "2 0 %d %d" % (kib, kib), said["fio"])
    lab.check("the disk in the guest and the image", disk.digest(image),
              said["vda"])


def shrunk(lab, what, by, least):
    if by < least:
        lab.check("what %s gave back to the host" % what,
                  "at least %d bytes" % least, by)


def q35_pci(lab):
    full(lab, Q35)


def microvm_mmio(lab):
    full(lab, MICROVM)


def arm64_mmio(lab):
    full(lab, ARM64)


VIRTIO_1 = "does not serve a driver that negotiates no VIRTIO_F_VERSION_1"
KERNEL = ["readelf", "mke2fs", "debugfs", "dpkg-deb", "setpriv"]
X86 = ["qemu-system-x86_64", "x86_64-linux-gnu-gcc", *KERNEL]
ARM = ["qemu-system-aarch64", "aarch64-linux-gnu-gcc", *KERNEL]
TESTS = {
    "linux_q35_pci": (q35_pci, X86),
    "linux_microvm_mmio": (microvm_mmio, X86),
    "linux_arm64_mmio": (arm64_mmio, ARM),
}

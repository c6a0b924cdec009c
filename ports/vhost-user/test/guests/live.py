# SPDX-License-Identifier: BSD-2-Clause
"""What may happen to a disk while a guest uses it: its daemon dies, the image
grows, an IOMMU stands before it, the guest moves to another QEMU."""
import signal

import disk
import linux
from disk import MIB, SECTOR

KILLS = 5
JITTER = 10000              # microseconds that a request is held, at most


def reconnect(lab):
    image = lab.path("image")
    disk.blank(image, 32 * MIB)
    # Held back, requests complete out of order: without a log of what is in
    # flight some would be lost in each crash, and the guest wait for ever.
    daemon = lab.daemon(image, options=["--jitter-us=%d" % JITTER])
    console = linux.boot(lab, linux.Q35, linux.load(32),
                         linux.Q35.disk(daemon, chardev=",reconnect=1"), cpus=2)
    kills = 0
    console.expect("^@@ start", 120, "the guest to start its load")
    talk = linux.Talk(console, {
        "pass": lambda _: "more" if kills < KILLS else "stop"})
    while kills < KILLS and not talk.over:
        daemon.connected(lambda: talk.listen(0.1))
        talk.listen(1)              # the load is under way
        daemon.kill()
        kills += 1
        daemon.start()
    said = talk.to_the_end()
    daemon.stop()
    linux.loaded(lab, image, said)


def resize(lab):
    """The image grows twice: by somebody who closes it, and by somebody who
    does not but sends SIGHUP."""
    image = lab.path("image")
    sizes = 8 * MIB, 12 * MIB + SECTOR, 20 * MIB
    data = disk.noise("resize", sizes[0])
    with open(image, "wb") as f:
        f.write(data)
    daemon = lab.daemon(image)
    console = linux.boot(lab, linux.Q35, ["resize.sh"], linux.Q35.disk(daemon))
    with open(image, "r+b") as held:
        def close(_):
            disk.tool("truncate", "-s", str(sizes[1]), image)

        def hangup(_):
            held.truncate(sizes[2])
            daemon.child.process.send_signal(signal.SIGHUP)

        said = linux.Talk(console, {
            "close": close, "hangup": hangup}).to_the_end()
    daemon.stop()

    def agree(name, expected):
        lab.check("in the guest, " + name, expected, said[name])

    agree("before", str(sizes[0] // SECTOR))
    agree("after_close", str(sizes[1] // SECTOR))
    agree("after_hangup", str(sizes[2] // SECTOR))
    agree("all", disk.sha256(data + bytes(sizes[1] - sizes[0])))
    lab.check("the image, with what the guest wrote behind the old end",
              disk.sha256((data + data[:64 * SECTOR]).ljust(sizes[2], b"\0")),
              disk.digest(image))


IOMMU = linux.Machine(
    "amd64", "qemu-system-x86_64", "q35", "max", "vhost-user-blk-pci",
    "console=ttyS0 no_timer_check intel_iommu=on iommu.strict=1",
    ["-device", "intel-iommu,device-iotlb=on,intremap=off"])


def iommu(lab):
    """Addresses in the rings are the IOMMU's: the daemon asks QEMU for each."""
    image = lab.path("image")
    disk.blank(image, 8 * MIB)
    daemon = lab.daemon(image, options=["--iommu=on"])
    console = linux.boot(
        lab, IOMMU, ["features.sh", "iommu.sh", *linux.load(8)],
        IOMMU.disk(daemon, properties=",iommu_platform=on,ats=on,"
                                      "disable-legacy=on"), cpus=2)
    said = linux.Talk(console, {"pass": lambda _: "stop"}).to_the_end()
    daemon.stop()
    lab.check("VIRTIO_F_ACCESS_PLATFORM in the guest", "1",
              said["features"][33])
    lab.check("kind of the guest's IOMMU group", "DMA", said["kind"])
    linux.loaded(lab, image, said)


def legacy(lab):
    """Linux with its driver for devices from before virtio 1.0."""
    image = lab.path("image")
    disk.blank(image, 16 * MIB)
    daemon = lab.daemon(image)
    console = linux.boot(
        lab, linux.Q35, ["features.sh", *linux.load(16)],
        linux.Q35.disk(daemon, properties=",disable-modern=on,"
                                          "disable-legacy=off"), cpus=2)
    said = linux.Talk(console, {"pass": lambda _: "stop"}).to_the_end()
    daemon.stop()
    lab.check("VIRTIO_F_VERSION_1 in the guest", "0", said["features"][32])
    linux.loaded(lab, image, said)


# The last word: what qemu-storage-daemon cannot do
TESTS = {
    "linux_q35_legacy": (legacy, linux.X86, linux.VIRTIO_1),
    "linux_q35_reconnect": (reconnect, linux.X86,
                            "keeps no log of what is in flight"),
    "linux_q35_resize": (resize, linux.X86,
                         "does not look at the size of the image again"),
    "linux_q35_iommu": (iommu, linux.X86, "does not work behind an IOMMU"),
}

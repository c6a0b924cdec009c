# SPDX-License-Identifier: BSD-2-Clause
"""A guest moves to another QEMU while it uses its disk.

Two daemons cannot have one image open for writing: whoever opens it locks it.
A stand-in for the second one, to be exchanged when the guest has stopped, does
not work with QEMU 7.2, which loses a daemon for good that goes before the guest
runs. So the stream of the migration waits in a file until the first QEMU and
its daemon are gone. To the daemon that is the same: the guest runs, and what is
written to its memory has to be logged. (Only data: QEMU takes all of the used
rings for dirty by itself.)
"""
import json
import shlex
import socket
import time

import disk
import linux
from disk import MIB
from child import Failure

SIZE = 24 * MIB

# Linux writes to memory that it takes for its page cache, before the disk does:
# a page that the daemon did not log would be logged nevertheless.
PLAIN = linux.Q35.but("init_on_alloc=0")
# Of what the guest's own processors wrote, QEMU 7.2 loses some when it emulates
# them and memory is a multiple of 256 KiB: its short way to look for dirty
# pages does not tell them that they are clean again. Others go the long way.
MEMORY = "%dk" % (256 * 1024 + 8)
SLOW, FAST = 25 * MIB, 1 << 30      # bytes/s; slow enough for some passes


class Qmp:
    """QEMU's control socket."""

    def __init__(self, lab, path):
        self.lab = lab
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(lab.patience(60))
        end = time.monotonic() + lab.patience(60)
        while True:
            try:
                self.socket.connect(path)
                break
            except OSError:
                if time.monotonic() > end:
                    raise Failure("expected QEMU's control socket") from None
                lab.watch()
                time.sleep(0.05)
        self.stream = self.socket.makefile("r")
        self.stream.readline()          # the greeting
        self.do("qmp_capabilities")

    def do(self, command, **arguments):
        text = json.dumps({"execute": command, "arguments": arguments})
        self.socket.sendall(text.encode())
        while line := self.stream.readline():
            answer = json.loads(line)
            if "error" in answer:
                raise Failure("expected QEMU to %s, it says: %s"
                              % (command, answer["error"]["desc"]))
            if "return" in answer:
                return answer["return"]
        raise Failure("expected QEMU to %s, it is gone" % command)

    def close(self):
        self.stream.close()
        self.socket.close()


def status(qmp, wanted, seconds, talk):
    """Waits for a state of the migration, and listens to the guest."""
    end = time.monotonic() + qmp.lab.patience(seconds)
    while True:
        now = qmp.do("query-migrate").get("status")
        if now == wanted:
            return
        if now in ("failed", "cancelled") or time.monotonic() > end:
            raise Failure("expected the migration to be %s within %d s, it is "
                          "%s" % (wanted, qmp.lab.patience(seconds), now))
        talk.listen(0.1)


def memory(qmp):
    return qmp.do("query-migrate").get("ram", {})


def migrate(lab):
    image = lab.path("image")
    with open(image, "wb") as f:
        f.write(disk.noise("migrate", SIZE))
    stream = "exec:cat %s " + shlex.quote(lab.path("stream"))

    def qemu(daemon, *extra):
        return linux.boot(lab, PLAIN, ["migrate.sh"], PLAIN.disk(daemon),
                          cpus=2, extra=extra, memory=MEMORY)

    old = lab.daemon(image)
    control = lab.path("qmp")
    first = qemu(old, "-qmp", "unix:%s,server=on,wait=off" % control)
    moved, passes = [], []

    def enough(_number):
        passes.append(bool(moved))
        return "stop" if passes.count(True) > 2 else "more"

    talk = linux.Talk(first, {"pass": enough})
    while not passes:
        talk.one()
    qmp = Qmp(lab, control)
    qmp.do("migrate-set-parameters", **{"max-bandwidth": SLOW,
                                        "downtime-limit": 1000})
    qmp.do("migrate", uri=stream % ">")
    while memory(qmp).get("dirty-sync-count", 0) < 2:
        talk.listen(0.1)            # all of it is sent once, slowly
    qmp.do("migrate-set-parameters", **{"max-bandwidth": FAST})
    status(qmp, "completed", 180, talk)
    rounds = memory(qmp)["dirty-sync-count"]
    qmp.do("quit")
    qmp.close()
    first.finish()
    old.stop()
    moved.append(True)

    new = lab.daemon(image)
    second = qemu(new, "-incoming", stream % "<")
    second.take_over(first)
    talk.console = second
    said = talk.to_the_end()
    new.stop()
    lab.note("%d passes before the move, %d after it; memory was looked "
             "through %d times" % (passes.count(False), passes.count(True),
                                   rounds))
    lab.check("pages that were not sent again", "none",
              said.get("stale", "none"))
    lab.check("fio's jobs, errors, KiB read and written", "1 0 4096 4096",
              said["fio"])
    lab.check("the disk in the guest and the image", disk.digest(image),
              said["vda"])


def pause(lab):
    """A guest that is stopped in the midst of its requests goes on."""
    image = lab.path("image")
    disk.blank(image, 32 * MIB)
    daemon = lab.daemon(image, options=["--jitter-us=10000"])
    control = lab.path("qmp")
    console = linux.boot(
        lab, linux.Q35, linux.load(32), linux.Q35.disk(daemon), cpus=2,
        extra=["-qmp", "unix:%s,server=on,wait=off" % control])
    console.expect("^@@ start", 120, "the guest to start its load")
    qmp = Qmp(lab, control)
    talk = linux.Talk(console, {"pass": lambda _: "stop"})
    for _ in range(3):
        talk.listen(1.5)
        qmp.do("stop")
        time.sleep(0.3)
        qmp.do("cont")
    qmp.close()
    said = talk.to_the_end()
    daemon.stop()
    linux.loaded(lab, image, said)


TESTS = {
    "linux_q35_pause": (pause, linux.X86),
    "linux_q35_migrate": (migrate, linux.X86),
}

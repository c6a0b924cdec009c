# SPDX-License-Identifier: BSD-2-Clause
"""What a test is given: a directory, daemons, emulators, checks."""
import os
import shutil
import subprocess

from child import Console, Failure
from machine import Daemon, attached
from pool import Unavailable

COMMANDS = {                        # command: the Debian package that has it
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-system-aarch64": "qemu-system-arm",
    "qemu-storage-daemon": "qemu-system-common",
    "mcopy": "mtools",
    "mke2fs": "e2fsprogs",
    "debugfs": "e2fsprogs",
    "x86_64-linux-gnu-gcc": "gcc",
    "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu",
    "readelf": "binutils",
    "dpkg-deb": "dpkg",
    "setpriv": "util-linux",
}


def have(command):
    return shutil.which(command, path=os.environ.get("PATH", "") +
                        ":/usr/sbin:/sbin")


def missing(commands):
    return sorted({COMMANDS[c] for c in commands if not have(c)})


def provide(commands):
    """Installs what is missing, where that needs no question."""
    packages = missing(commands)
    root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    install = ["install", "-y", "--no-install-recommends", *packages]
    for task in (install, ["update"], install) if packages else ():
        try:
            subprocess.run(
                root + ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get",
                        "-qq", "-o", "DPkg::Lock::Timeout=300", *task],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, timeout=900)
        except (OSError, subprocess.TimeoutExpired):
            break
        if not missing(commands):
            break


def demand(commands):
    if packages := missing(commands):
        raise Unavailable("needs: apt-get install " + " ".join(packages))


class Lab:
    def __init__(self, directory, options):
        self.dir = directory
        self.peer = options.peer == "qemu-storage-daemon"
        self.daemon_path = options.daemon
        self.daemon_options = options.daemon_option
        self.scale = options.patience
        self.daemons, self.consoles = [], []
        self.notes = []

    def path(self, name):
        return os.path.join(self.dir, name)

    def patience(self, seconds):
        return seconds * self.scale

    def note(self, text):
        """A line for the log of a test that passes too."""
        self.notes.append(text)

    def check(self, what, expected, came):
        if expected != came:
            raise Failure("%s: expected %s, came %s"
                          % (what, _short(expected), _short(came)))

    def daemon(self, image, **options):
        return Daemon(self, image, **options).start()

    def qemu(self, program, *args, memory="256M", cpus=1, machine=""):
        """A guest whose serial line is the console, in memory that its disk's
        daemon can map."""
        return Console(self, "qemu%d" % len(self.consoles), [
            program, "-nodefaults", "-display", "none", "-no-reboot",
            "-nic", "none", "-accel", "tcg,thread=multi",
            "-object", "memory-backend-memfd,id=mem,size=%s,share=on"
            % memory,
            "-M", machine + ",memory-backend=mem", "-m", memory,
            "-smp", str(cpus),
            "-chardev", "stdio,id=con,signal=off", "-serial", "chardev:con",
            *args])

    def watch(self):
        """Fails at once where waiting for the guest would fail late."""
        for daemon in self.daemons:
            daemon.alive()
        for console in self.consoles:
            attached(console)

    def close(self):
        for started in self.consoles + self.daemons:
            if started.child:
                started.child.kill()

    def logs(self):
        """The end of what each of them printed."""
        for started in self.consoles:
            yield from _tail(started.console_log, 60)
            yield from _tail(started.log, 15)
        for started in self.daemons:
            yield from _tail(started.log, 30)


def _short(value):
    text = str(value)
    return text if len(text) <= 200 else text[:200] + "..."


def _tail(path, lines):
    if not os.path.exists(path):
        return
    with open(path, errors="replace", newline="\n") as f:
        text = f.read().rstrip().split("\n")
    yield "--- %s" % os.path.basename(path)
    yield from text[-lines:]


def devices(daemon, kind="vhost-user-blk-pci", number=0, chardev="",
            properties=""):
    """QEMU's arguments for a disk that a daemon serves."""
    return ["-chardev", "socket,id=disk%d,path=%s%s" % (
                number, daemon.socket, chardev),
            "-device", "%s,id=blk%d,chardev=disk%d,num-queues=%d%s" % (
                kind, number, number, daemon.queues, properties)]

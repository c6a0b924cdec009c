# SPDX-License-Identifier: BSD-2-Clause
"""Daemons, and what is peculiar to emulators that use them."""
import os
import re
import subprocess
import time

from child import Child, Failure, ending


# No guest here is at fault, and no daemon may be
COMPLAINT = r": refused |the guest broke|Sanitizer|runtime error:"


def listening(path):
    """Is there a socket at this path that takes connections?"""
    with open("/proc/net/unix") as f:
        for line in f:
            w = line.split()
            if len(w) == 8 and w[7] == path and int(w[3], 16) & 0x10000:
                return True
    return False


class Daemon:
    """A vhost-user-blk daemon that serves one image."""

    def __init__(self, lab, image, queues=4, serial="vblk-serial",
                 read_only=False, options=()):
        self.lab, self.image, self.read_only = lab, image, read_only
        self.queues, self.serial = queues, serial
        self.options = list(options)        # of our own daemon
        self.name = "daemon%d" % len(lab.daemons)
        self.socket = os.path.join(lab.dir, self.name + ".sock")
        self.log = os.path.join(lab.dir, self.name + ".log")
        self.child = None
        self.down = True            # it is not meant to run
        lab.daemons.append(self)

    def argv(self):
        if self.lab.peer:
            self.serial = "vhost_user_blk"      # it has no other
            return [
                "qemu-storage-daemon", "--blockdev",
                "driver=file,node-name=n,filename=%s,aio=threads,"
                "cache.direct=off,discard=unmap,read-only=%s" % (
                    self.image, "on" if self.read_only else "off"),
                "--export", "type=vhost-user-blk,id=e,node-name=n,"
                "addr.type=unix,addr.path=%s,num-queues=%d,writable=%s" % (
                    self.socket, self.queues,
                    "off" if self.read_only else "on")]
        return [self.lab.daemon_path, "--socket-path=" + self.socket,
                "--blk-file=" + self.image, "--num-queues=%d" % self.queues,
                "--serial=" + self.serial] + \
            (["--read-only"] if self.read_only else []) + \
            self.options + self.lab.daemon_options

    def start(self):
        self.child = Child(self.name, self.argv(), self.log,
                           stdin=subprocess.DEVNULL)
        self.down = False
        end = time.monotonic() + self.lab.patience(20)
        while not listening(self.socket):
            if self.child.status() is not None:
                raise Failure("expected %s to listen, it ended %s"
                              % (self.name, ending(self.child.wait(1))))
            if time.monotonic() > end:
                raise Failure("expected %s to listen on its socket within "
                              "20 s" % self.name)
            time.sleep(0.02)
        return self

    def connected(self, meanwhile):
        """Our daemon says so when a front end has."""
        end = time.monotonic() + self.lab.patience(30)
        while True:
            with open(self.log) as f:
                if "a front end connected" in f.read().rpartition("\n$ ")[2]:
                    return
            if time.monotonic() > end:
                raise Failure("expected QEMU to connect to %s within 30 s"
                              % self.name)
            if meanwhile():
                return

    def alive(self):
        if not self.down and self.child.status() is not None:
            raise Failure("expected %s to serve on, it ended %s"
                          % (self.name, ending(self.child.wait(1))))
        with open(self.log, errors="replace") as f:
            for line in f:
                if re.search(COMPLAINT, line):
                    raise Failure("expected %s to find no fault, it says: %s"
                                  % (self.name, line.strip()))

    def kill(self):
        """As a crash."""
        self.down = True
        self.child.kill()

    def stop(self):
        self.alive()
        self.down = True
        self.child.terminate()
        status = self.child.wait(self.lab.patience(20))
        self.alive()
        if status != 0:
            raise Failure("expected %s to exit with status 0 on SIGTERM, "
                          "it ended %s" % (self.name, ending(status)))


def attached(console):
    """QEMU goes on when it cannot start a disk; the guest then hangs."""
    with open(console.log, errors="replace") as f:
        for line in f:
            if "vhost start failed" in line:
                raise Failure("expected QEMU to start the disk, it says: "
                              + line.strip())

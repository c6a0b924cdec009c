# SPDX-License-Identifier: BSD-2-Clause
"""The other side of the command page (command.h), for who has the guest's RAM
as a file: all of it is one mapping of that file.

Plain loads and stores of aligned words, in program order; that is enough on
hosts that keep stores in order, x86 among them. Elsewhere use barriers.
"""
import mmap
import time

MAGIC = 0x31444d434b4c4256
VERSION = 1
POKE, MODE = 0x656b6f70, 0x656b6174
NONE, READ, WRITE, KICK, REARM, ACK, OFF, PARK, TESTS = range(9)
OK, FAULT, BAD = range(3)
PAGE = 4096
SLOT, DEVICE = 0x40, 0x140          # offsets in the page


class Timeout(Exception):
    """What did not come, and in how long."""


class Ram:
    """A guest's memory, which begins at a guest address."""

    def __init__(self, path, base):
        with open(path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), 0)
        self.base = base
        self.words = memoryview(self.map).cast("I")

    def read32(self, addr):
        return self.words[(addr - self.base) // 4]

    def write32(self, addr, value):
        self.words[(addr - self.base) // 4] = value & 0xffffffff

    def read64(self, addr):
        return self.read32(addr) | self.read32(addr + 4) << 32

    def write64(self, addr, value):
        self.write32(addr, value)
        self.write32(addr + 4, value >> 32)

    def read(self, addr, n):
        return self.map[addr - self.base:addr - self.base + n]

    def write(self, addr, data):
        self.map[addr - self.base:addr - self.base + len(data)] = data


def await_(what, ready, seconds):
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise Timeout("expected %s within %d s" % (what, seconds))
        time.sleep(0.0005)


class CommandPage:
    """Found by its magic number, without the console."""

    def __init__(self, ram, seconds=20):
        self.ram, self.seconds = ram, seconds
        await_("a command page", self.find, seconds)
        version = ram.read32(self.page + 8)
        if version != VERSION:
            raise ValueError("the command page has version %d, not %d"
                             % (version, VERSION))

    def find(self):
        end = self.ram.base + len(self.ram.map)
        for page in range(self.ram.base, end, PAGE):
            if self.ram.read64(page) == MAGIC and \
                    self.ram.read64(page + 0x10) == page:
                self.page = page
                return True
        return False

    def cpus(self):
        return self.ram.read32(self.page + 0xc)

    def alive(self):
        return self.ram.read64(self.page + 0x30)

    def scratch(self):
        """(guest address, bytes)"""
        return (self.ram.read64(self.page + 0x20),
                self.ram.read64(self.page + 0x28))

    def in_command_mode(self):
        return self.ram.read32(self.page + 0x1c) == MODE

    def poke(self):
        self.ram.write32(self.page + 0x18, POKE)

    def await_mode(self):
        await_("command mode", self.in_command_mode, self.seconds)

    # --- commands

    def start(self, command, addr=0, value=0, width=4, slot=0):
        s = self.page + SLOT + 64 * slot
        self.ram.write32(s + 12, command)
        self.ram.write64(s + 16, addr)
        self.ram.write64(s + 24, value)
        self.ram.write32(s + 32, width)
        self.ram.write32(s, self.ram.read32(s) + 1)

    def started(self, slot=0):
        s = self.page + SLOT + 64 * slot
        return self.ram.read32(s + 4) == self.ram.read32(s)

    def done(self, slot=0):
        s = self.page + SLOT + 64 * slot
        return self.ram.read32(s + 8) == self.ram.read32(s)

    def finish(self, slot=0):
        """(result, answer)"""
        s = self.page + SLOT + 64 * slot
        await_("an answer in slot %d" % slot, lambda: self.done(slot),
               self.seconds)
        return self.ram.read32(s + 36), self.ram.read64(s + 40)

    def syndrome(self, slot=0):
        return self.ram.read64(self.page + SLOT + 64 * slot + 48)

    def do(self, command, addr=0, value=0, width=4, slot=0):
        self.start(command, addr, value, width, slot)
        return self.finish(slot)

    def read(self, addr, width=4, slot=0):
        result, answer = self.do(READ, addr, 0, width, slot)
        if result != OK:
            raise ValueError("a read at %#x faulted" % addr)
        return answer

    def write(self, addr, value, width=4, slot=0):
        result, _ = self.do(WRITE, addr, value, width, slot)
        if result != OK:
            raise ValueError("a write at %#x faulted" % addr)

    # --- devices

    def devices(self):
        """[(base, INTID, flags)]"""
        count = self.ram.read32(self.page + 0x38)
        at = [self.page + DEVICE + 32 * i for i in range(count)]
        return [(self.ram.read64(a), self.ram.read32(a + 8),
                 self.ram.read32(a + 12)) for a in at]

    def interrupts(self, device):
        return self.ram.read32(self.page + DEVICE + 32 * device + 16)

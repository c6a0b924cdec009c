# SPDX-License-Identifier: BSD-2-Clause
"""Images: made before a guest runs, looked into after it."""
import hashlib
import os
import random
import struct
import subprocess

from lab import have
from child import Failure

MIB = 1 << 20
SECTOR = 512


def noise(seed, size):
    """The same bytes for the same seed."""
    return random.Random(seed).randbytes(size)


def tool(*argv, expect=0, data=None):
    """Runs a program of the host; its output."""
    argv = [have(argv[0]) or argv[0]] + list(argv[1:])
    done = subprocess.run(argv, input=data, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE,
                          env=dict(os.environ, MTOOLS_SKIP_CHECK="1"))
    if done.returncode != expect:
        raise Failure("expected `%s` to exit with %d, it was %d: %s" % (
            " ".join(argv), expect, done.returncode,
            done.stderr[-600:].decode(errors="replace")))
    return done.stdout


def blank(path, size):
    with open(path, "wb") as f:
        f.truncate(size)


def write(path, offset, data):
    with open(path, "r+b") as f:
        f.seek(offset)
        f.write(data)


def read(path, offset, size):
    with open(path, "rb") as f:
        f.seek(offset)
        return f.read(size)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def digest(path, offset=0, size=None):
    with open(path, "rb") as f:
        f.seek(offset)
        return sha256(f.read() if size is None else f.read(size))


def allocated(path):
    """Bytes of the host's disk that the image takes."""
    return os.stat(path).st_blocks * 512


def partition(path, parts):
    """An MBR with (first byte, bytes, type)..."""
    table = b"".join(
        struct.pack("<BBBBBBBBII", 0, 0xfe, 0xff, 0xff, kind, 0xfe, 0xff, 0xff,
                    start // SECTOR, size // SECTOR)
        for start, size, kind in parts)
    write(path, 446, table.ljust(64, b"\0") + b"\x55\xaa")


def ext4(path, offset, size, label, files, work):
    """An ext4 made by the host, with {name: content}."""
    tree, fs = os.path.join(work, "tree"), os.path.join(work, "fs")
    os.makedirs(tree)
    for name, data in files.items():
        with open(os.path.join(tree, name), "wb") as f:
            f.write(data)
    blank(fs, size)
    tool("mke2fs", "-q", "-F", "-t", "ext4", "-L", label, "-d", tree, fs)
    write(path, offset, read(fs, 0, size))
    os.remove(fs)


def ext4_check(path, offset):
    tool("e2fsck", "-f", "-n", "%s?offset=%d" % (path, offset))


def ext4_label(path, offset):
    """From the superblock: 16 bytes at 120."""
    return read(path, offset + 1024 + 120, 16).rstrip(b"\0").decode()


def ext4_read(path, offset, name):
    return tool("debugfs", "-R", "cat " + name,
                "%s?offset=%d" % (path, offset))


def fat(path, offset, size, files):
    """A FAT16 or FAT32 with {name: content}."""
    at = "%s@@%d" % (path, offset)
    tool("mformat", "-i", at, "-T", str(size // SECTOR), "-h", "64", "-s", "32",
         "-v", "VBLK", "::")
    for name, data in files.items():
        fat_write(path, offset, name, data)


def fat_write(path, offset, name, data):
    tool("mcopy", "-i", "%s@@%d" % (path, offset), "-", "::" + name, data=data)


def fat_read(path, offset, name):
    return tool("mcopy", "-i", "%s@@%d" % (path, offset), "-n", "::" + name,
                "-")


def fat_names(path, offset):
    """What is in the root directory."""
    listing = tool("mdir", "-b", "-i", "%s@@%d" % (path, offset), "::")
    return [n.removeprefix("::/").lower() for n in listing.decode().split()]

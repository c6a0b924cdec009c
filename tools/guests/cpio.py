# SPDX-License-Identifier: BSD-2-Clause
"""Archives that Linux takes as an initramfs. One may follow another: what a
later one has replaces what an earlier one had."""
import os
import stat


def cpio(entries):
    """A newc archive of (path, mode, content, device)."""
    out = []
    last = ("TRAILER!!!", 0, b"", (0, 0))
    for ino, (path, mode, data, dev) in enumerate(list(entries) + [last], 1):
        name = path.encode() + b"\0"
        fields = (ino, mode, 0, 0, 1, 0, len(data), 0, 0, dev[0], dev[1],
                  len(name), 0)
        head = b"070701" + b"".join(b"%08X" % v for v in fields) + name
        out += [head, bytes(-len(head) % 4), data, bytes(-len(data) % 4)]
    archive = b"".join(out)
    return archive + bytes(-len(archive) % 512)


def tree(files, devices=()):
    """cpio() of {path: (content, mode)} with the directories above them."""
    dirs = set()
    for path in list(files) + [d[0] for d in devices]:
        while path := os.path.dirname(path):
            dirs.add(path)
    entries = [(d, stat.S_IFDIR | 0o755, b"", (0, 0)) for d in sorted(dirs)]
    entries += [(p, stat.S_IFCHR | 0o600, b"", dev) for p, dev in devices]
    entries += [(p, stat.S_IFREG | mode, data, (0, 0))
                for p, (data, mode) in sorted(files.items())]
    return cpio(entries)

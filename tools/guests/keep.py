# SPDX-License-Identifier: BSD-2-Clause
"""What takes long to make is made once, then kept in the cache.

It is a directory named by a hash of its recipe (scripts that make it, names and
versions of what goes into it); another recipe makes another directory, and old
ones go a day later.
"""
import glob
import hashlib
import os
import shutil
import time

import pool

DAY = 24 * 3600


def text(*paths):
    """The content of these files, for a recipe."""
    out = []
    for p in paths:
        with open(p) as f:
            out.append(f.read())
    return out


def place(name, recipe, cache="guests"):
    key = hashlib.sha256("\0".join(recipe).encode()).hexdigest()[:16]
    return os.path.join(pool.cache_dir(cache), "%s-%s" % (name, key))


def kept(name, recipe, build, cache="guests"):
    """The path of the directory, which build(path) fills if there is none."""
    path = place(name, recipe, cache)
    if not os.path.isdir(path):
        work = path + ".new"
        shutil.rmtree(work, ignore_errors=True)
        os.makedirs(work)
        try:
            build(work)
        except BaseException:
            shutil.rmtree(work, ignore_errors=True)
            raise
        stem = os.path.join(pool.cache_dir(cache), name)
        for old in glob.glob(stem + "-" + "[0-9a-f]" * 16):
            if time.time() - os.path.getmtime(old) > DAY:
                shutil.rmtree(old, ignore_errors=True)
        os.rename(work, path)
    return path

# SPDX-License-Identifier: BSD-2-Clause
"""A machine that boots Xen and dom0, and what dom0 is given.

Time in it is counted in instructions (-icount): a run is slow or fast as its
host is, and passes or fails all the same. So a limit is in seconds that the
emulator had a processor, which is less than the clock's on a busy host.
"""
import os
import re
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(HERE, "..", "testbed"))
import parts                        # noqa: E402 finds tools/guests for us
import cpio                         # noqa: E402
import keep                         # noqa: E402
from child import Child, Console    # noqa: E402

CROSS = ["aarch64-linux-gnu-gcc", "-std=gnu11", "-O2", "-static", "-Wall",
         "-Wextra", "-Werror"]
LINE = r"^@@ (\w+) ?(.*?)\r?\n"
# Nothing a case does may make dom0's kernel or Xen complain like this.
COMPLAINT = re.compile(r"^.*(Call trace:|WARNING: CPU|\bBUG:|Xen BUG|Assertion "
                       r"'|Panic on CPU|Kernel panic|Oops).*$", re.M)
# Guests' consoles, which a failed case prints
DUMP = re.compile(r"^@@ log\b.*?(^@@ dumped\b|\Z)", re.M | re.S)
BOOT = 180                          # seconds until dom0 is up
CLOCK = 5                           # times a limit, by the clock: then it hangs
TICK = os.sysconf("SC_CLK_TCK")
CONFORMANCE = os.path.join(parts.ROOT, "build/conformance-guest")


def read(path):
    with open(path, "rb") as f:
        return f.read()


def folder(name):
    """[(name, path)] of the files beside this one in a folder."""
    where = os.path.join(HERE, name)
    return [(n, os.path.join(where, n)) for n in sorted(os.listdir(where))]


def guest_programs():
    """A directory with the programs of guest/*.c."""
    sources = [p for n, p in folder("guest") if n.endswith(".c")]
    libraries = parts.get("sysroot")
    liburing = ["-isystem", os.path.join(libraries, "usr/include"), "-L" +
                os.path.join(libraries, "usr/lib/aarch64-linux-gnu"), "-luring"]

    def build(work):
        for source in sources:
            name = os.path.basename(source)[:-2]
            subprocess.run([*CROSS, "-o", os.path.join(work, name), source,
                            *liburing], check=True)

    return keep.kept("guest-programs", CROSS + liburing + keep.text(*sources),
                     build,
                     parts.CACHE)


def dom0_programs():
    """A directory with the programs of dom0/*.c, for dom0's own libraries."""
    sources = [p for n, p in folder("dom0") if n.endswith(".c")]
    command = [w for w in CROSS if w != "-static"]

    def build(work):
        for source in sources:
            name = os.path.basename(source)[:-2].replace("_", "-")
            subprocess.run([*command, "-o", os.path.join(work, name), source],
                           check=True)

    return keep.kept("dom0-programs", command + keep.text(*sources), build,
                     parts.CACHE)


def guest_cpio(kernel, daemon=None):
    """What a guest boots: the bed's, its drivers, and ours."""
    files = {"init": (read(os.path.join(HERE, "guest/init")), 0o755),
             "lib.sh": (read(os.path.join(HERE, "guest/lib.sh")), 0o644)}
    for name, path in folder("guest"):
        if name.endswith(".sh") and name != "lib.sh":
            files["jobs/" + name] = (read(path), 0o644)
    if daemon:                      # where guests serve guests
        files["bin/vblk-xen"] = (read(daemon), 0o755)
        libraries = os.path.join(parts.get("sysroot"),
                                 "usr/lib/aarch64-linux-gnu")
        # the compiler's, for who ends a thread
        files["xen/libgcc_s.so.1"] = (
            read("/usr/aarch64-linux-gnu/lib/libgcc_s.so.1"), 0o755)
        for name in os.listdir(libraries):
            if re.fullmatch(r"lib(xen|fdt|uring)\w*\.so\.\d", name):
                files["xen/" + name] = (
                    read(os.path.join(libraries, name)), 0o644)
    programs = guest_programs()
    for name in os.listdir(programs):
        files["bin/" + name] = (read(os.path.join(programs, name)), 0o755)
    return read(os.path.join(parts.get("guest"), "cpio")) + \
        modules(kernel, "guest") + cpio.tree(files)


def modules(kernel, side):
    path = os.path.join(kernel, side + "-modules")
    return read(path) if os.path.exists(path) else b""


class Limit:
    """Seconds of an emulator's work; several times as many of the clock."""

    def __init__(self, console, seconds):
        self.seconds, self.pid = seconds, console.child.process.pid
        self.work, self.clock = self.worked(), time.monotonic()

    def worked(self):
        try:
            with open("/proc/%d/stat" % self.pid) as f:
                words = f.read().rpartition(")")[2].split()
        except OSError:
            return 0
        return (int(words[11]) + int(words[12])) / TICK     # utime, stime

    def left(self):
        return min(self.seconds - (self.worked() - self.work),
                   self.seconds * CLOCK - (time.monotonic() - self.clock))


class Boot:
    """One boot of dom0. `plan` is [(case, limit in seconds)]."""

    def __init__(self, directory, options, plan):
        os.makedirs(directory)
        self.dir, self.scale = directory, options.patience
        self.consoles = []          # child.Console wants this, and the below
        kernel = parts.get("kernel-" + options.kernel)
        guest = parts.get("kernel-" + (options.guest_kernel or options.kernel))
        files = {
            "init": (read(os.path.join(HERE, "dom0/init")), 0o755),
            "lib.sh": (read(os.path.join(HERE, "dom0/lib.sh")), 0o644),
            "plan": ("".join("%s %d\n" % p for p in plan).encode(), 0o644),
            "guest/Image": (read(os.path.join(guest, "Image")), 0o644),
            "guest/cpio": (guest_cpio(
                guest, options.daemon
                if "xsm=dummy" in options.xen_arguments else None), 0o644)}
        programs = dom0_programs()
        for name in os.listdir(programs):
            files["bin/" + name] = (read(os.path.join(programs, name)), 0o755)
        for name, path in folder("cases"):
            if name.endswith(".dts"):
                name, content = name[:-1] + "b", subprocess.run(
                    ["dtc", "-q", "-I", "dts", "-O", "dtb", path], check=True,
                    stdout=subprocess.PIPE).stdout
            else:
                content = read(path)
            files["cases/" + name] = (content, 0o644)
        if os.path.exists(CONFORMANCE):
            files["guest/conformance"] = (read(CONFORMANCE), 0o644)
        if os.path.exists(options.daemon):
            files["daemon"] = (read(options.daemon), 0o755)
        initrd = os.path.join(directory, "dom0.cpio")
        with open(initrd, "wb") as f:
            f.write(read(os.path.join(parts.get("dom0-" + options.xen), "cpio")))
            f.write(modules(kernel, "dom0"))
            f.write(cpio.tree(files))
        self.argv = [
            "qemu-system-aarch64", "-machine",
            "virt,virtualization=on,gic-version=3", "-cpu", "cortex-a57",
            "-accel", "tcg,tb-size=256", "-smp", "1",
            "-icount", "shift=1,sleep=off", "-m", str(options.memory),
            "-display", "none", "-no-reboot", "-nic", "none",
            "-kernel", os.path.join(parts.get("xen-" + options.xen), "xen"),
            "-append", "dom0_mem=%dM dom0_max_vcpus=1 console=dtuart "
            "dtuart=/pl011@9000000 %s" % (options.dom0_memory,
                                          options.xen_arguments),
            # Low: further up they are in the way of dom0's memory
            "-device", "guest-loader,addr=0x49000000,kernel=%s,bootargs="
            "console=hvc0 earlycon=xenboot rdinit=/init panic=5 loglevel=4%s" % (
                os.path.join(kernel, "Image"),
                (" shell" if options.shell else "") +
                (" ROUNDS=100" if getattr(options, "long", False) else "")),
            "-device", "guest-loader,addr=0x4c000000,initrd=" + initrd]

    def shell(self):
        return subprocess.call(self.argv + ["-serial", "mon:stdio"])

    def start(self):
        self.console = Console(self, "dom0", self.argv + [
            "-chardev", "stdio,id=con,signal=off", "-serial", "chardev:con"])

    def patience(self, seconds):
        return seconds * self.scale

    def watch(self):
        """Whatever is wrong ends the emulator or a time limit."""

    def limit(self, seconds):
        return Limit(self.console, self.patience(seconds))

    def next(self, limit):
        """(word, value) of dom0's next line, or None if none comes in time."""
        while (left := limit.left()) > 0:
            if m := self.console.await_(LINE, max(left, 0.1)):
                return m[1], m[2].strip()
            if self.console.ended:
                break
        return None

    def dump(self):
        """Dom0 tells what it knows, if it still can."""
        self.console.send("dump\n")
        limit = self.limit(20)
        while line := self.next(limit):
            if line[0] == "dumped":
                break

    def position(self):
        return self.console.at

    def since(self, position):
        """What dom0 printed from there to the last line that was read."""
        with self.console.news:
            return self.console.text[position:]

    def close(self):
        self.console.child.kill()
        self.console.reader.join()

    def forget(self):
        shutil.rmtree(self.dir, ignore_errors=True)


def run(directory, options, plan, report):
    """Runs all of a plan, in as many boots as that takes; report(case, verdict,
    seconds, lines) for each."""
    number = 0
    plan = list(plan)
    while plan:
        boot = Boot(os.path.join(directory, "boot%d" % number), options, plan)
        number += 1
        boot.start()
        try:
            done = _one(boot, plan, report)
        finally:
            boot.close()
        if not options.keep and not boot.failed:
            boot.forget()
        plan = plan[done:]


def _one(boot, plan, report):
    """The number of cases that this boot got through, one at least."""
    start, at = time.monotonic(), boot.position()
    boot.failed = True
    wait = boot.limit(BOOT)
    while (line := boot.next(wait)) and line[0] != "up":
        pass
    if not line:
        report(plan[0][0], "not ok", time.monotonic() - start,
               ["dom0 does not come up", *tail(boot.since(at), 60)])
        return 1
    bad = False
    for done, (name, limit) in enumerate(plan, 1):
        start, at = time.monotonic(), boot.position()
        why, status, wait = [], None, boot.limit(limit)
        while status is None:
            if not (line := boot.next(wait)):
                why.append("the emulator ended" if boot.console.ended else
                           "it takes more than %d s" % wait.seconds)
                boot.dump()
                break
            word, value = line
            if word == "fail":
                why.append(value)
            elif word == "note":
                why.append(value)
            elif word == "end":
                status = value.split()[-1]
        text = boot.since(at)
        notes = why if status == "0" else []
        complaints = COMPLAINT.findall(DUMP.sub("", text))
        if complaints:
            why.append("dom0 or Xen says: %s" % complaints[0])
        ok = status == "0" and not complaints
        bad = bad or not ok
        if status and status != "0" and not why:
            why.append("exit status %s" % status)
        report(name, "ok" if ok else "not ok", time.monotonic() - start,
               notes if ok else why + tail(text, 150))
        if status is None:
            return done
    boot.failed = bad
    boot.next(boot.limit(20))       # over, and the power goes off
    return len(plan)


def tail(text, lines):
    return ["  " + t for t in text.replace("\r", "").strip().split("\n")[-lines:]]


def end_all():
    Child.end_all()

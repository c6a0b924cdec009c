# SPDX-License-Identifier: BSD-2-Clause
"""What a test starts, and the console of a guest.

Everything started is in `Child.live` until it has ended; end_all() ends it, by
process id, and setpriv has the kernel do so if this process is killed.
"""
import os
import re
import signal
import subprocess
import threading
import time


class Failure(Exception):
    """What was expected, and what came instead."""


def ending(status):
    return "by signal %d" % -status if status < 0 else "with status %d" % status


class Child:
    live = set()
    lock = threading.Lock()
    stopping = False

    def __init__(self, name, argv, log, **files):
        self.name, self.log = name, log
        with open(log, "ab") as out:
            out.write(("$ " + " ".join(argv) + "\n").encode())
            files.setdefault("stdout", out)
            with Child.lock:
                if Child.stopping:
                    raise KeyboardInterrupt
                self.process = subprocess.Popen(
                    ["setpriv", "--pdeathsig", "KILL", "--"] + argv,
                    stderr=out, **files)
                Child.live.add(self)

    def status(self):
        """None while it runs."""
        return self.process.poll()

    def wait(self, seconds):
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure("expected %s to end within %d s, it has not"
                          % (self.name, seconds)) from None
        self.gone()
        return status

    def gone(self):
        with Child.lock:
            Child.live.discard(self)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)    # no-op once waited for
        self.process.wait()
        self.gone()

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    @staticmethod
    def end_all():
        with Child.lock:
            Child.stopping = True
            live = list(Child.live)
        for child in live:
            child.kill()


class Console:
    """An emulator with the guest's serial line on our end of two pipes."""

    def __init__(self, lab, name, argv):
        self.lab = lab
        self.log = os.path.join(lab.dir, name + ".log")
        self.console_log = os.path.join(lab.dir, name + ".console")
        self.child = Child(name, argv, self.log, stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE)
        self.text, self.at, self.ended = "", 0, False
        self.news = threading.Condition()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        lab.consoles.append(self)

    def read(self):
        pipe = self.child.process.stdout
        with open(self.console_log, "ab", buffering=0) as log:
            while data := os.read(pipe.fileno(), 65536):
                log.write(data)
                with self.news:
                    self.text += data.decode("latin-1")
                    self.news.notify()
        with self.news:
            self.ended = True
            self.news.notify()

    def await_(self, pattern, seconds):
        """The match of a pattern in what the guest prints from here on, or
        None if it does not come in time."""
        pattern = re.compile(pattern, re.M)
        end = time.monotonic() + seconds
        with self.news:
            while True:
                if m := pattern.search(self.text, self.at):
                    self.at = m.end()
                    return m
                left = end - time.monotonic()
                if self.ended or left <= 0:
                    return None
                self.news.wait(min(left, 1))
                self.lab.watch()

    def expect(self, pattern, seconds, what=None):
        """As await_(), but it has to come."""
        if m := self.await_(pattern, self.lab.patience(seconds)):
            return m
        raise Failure("expected %s, %s" % (
            what or "the guest to print " + repr(pattern),
            "the emulator ended before" if self.ended else
            "it did not come within %d s" % self.lab.patience(seconds)))

    def take_over(self, other):
        """The guest goes on here: the line that it began there, too."""
        with self.news, other.news:
            self.text = other.text[other.at:] + self.text

    def send(self, text):
        try:
            self.child.process.stdin.write(text.encode("latin-1"))
            self.child.process.stdin.flush()
        except BrokenPipeError:
            pass                    # the next expect() finds it has ended

    def finish(self, seconds=60):
        """The guest powers off or leaves in another orderly way."""
        status = self.child.wait(self.lab.patience(seconds))
        self.reader.join()
        return status

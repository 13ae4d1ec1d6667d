"""A program in a terminal of its own: what is typed, and what it shows.

SPDX-License-Identifier: Apache-2.0
"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

from harness import clean_environment

# Cursor movement, colours and modes: what a terminal obeys and does not show.
CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b[=>]|\x07|\x08|\r")


class Terminal:
    """Runs a program on a pseudo terminal of `rows` x `columns`."""

    def __init__(self, arguments, folder, environment=None, rows=40, columns=120):
        self.shown = ""
        self.raw = ""  # with what a terminal obeys
        self.seen = 0
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        full = clean_environment({"TERM": "xterm", "HOME": str(folder), "LC_ALL": "C.UTF-8",
                                  **(environment or {})})
        self.process = subprocess.Popen(
            [str(argument) for argument in arguments], stdin=slave, stdout=slave, stderr=slave,
            cwd=folder, env=full, start_new_session=True, preexec_fn=self._take_terminal)
        os.close(slave)

    @staticmethod
    def _take_terminal():
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def _read(self, seconds):
        ready, _, _ = select.select([self.master], [], [], seconds)
        if not ready:
            return False
        try:
            piece = os.read(self.master, 65536)
        except OSError:
            return False
        text = piece.decode("utf-8", "replace")
        self.raw += text
        self.shown += CONTROLS.sub("", text)
        return bool(piece)

    def read(self):
        """What is shown, with what has come meanwhile."""
        self._read(0.05)
        return self.shown

    def expect(self, text, seconds=20):
        """Waits until `text` is shown, behind what was expected before; returns what stood before it."""
        end = time.monotonic() + seconds
        while text not in self.shown[self.seen:]:
            left = end - time.monotonic()
            assert left > 0, f"{text!r} was not shown; instead: {self.shown[self.seen:]!r}"
            self._read(min(left, 0.5))
        at = self.shown.index(text, self.seen)
        before = self.shown[self.seen:at]
        self.seen = at + len(text)
        return before

    def type(self, text):
        os.write(self.master, text.encode())

    def line(self, text):
        self.type(text + "\n")

    def run(self, text, prompt="volley> "):
        """Types a line and returns what is shown until the next prompt."""
        self.line(text)
        return self.expect("\n" + prompt)

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def wait(self, seconds=20):
        """The exit code; reads meanwhile, so that the program is not held up."""
        end = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < end:
            self._read(0.05)
        return self.process.wait(timeout=max(0.1, end - time.monotonic()))

    def close(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self.master)

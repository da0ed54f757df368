"""A program in a terminal of its own, for what only a whole process can show: start, idling, bytes, memory, its end."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from pathlib import Path

_ESCAPES = re.compile(rb"\x1b(\[[0-9;?<>=]*[$]?[A-Za-z]|\][^\x07]*\x07)")
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Terminal:
    """Starts a program in a pseudo-terminal of 120x40 and reads what it writes.

    Attributes:
        written: bytes that the program has written so far.
        cpu_seconds: of the whole run, user and system; known when it has ended.
        status: its exit status; None until it has ended.
    """

    def __init__(self, argv: list[str], environment: dict[str, str]) -> None:
        self.written, self.cpu_seconds = 0, 0.0
        self._text = b""
        self.status: int | None = None
        self.started = time.perf_counter()
        self._pid, self._fd = pty.fork()
        if self._pid == 0:
            os.execvpe(argv[0], argv, environment)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))

    def read(self, seconds: float) -> bool:
        """Take what is written within so many seconds, at most one chunk; whether there was any."""
        if not select.select([self._fd], [], [], max(0.0, seconds))[0]:
            return False
        try:
            chunk = os.read(self._fd, 1 << 16)
        except OSError:  # it has ended
            return False
        self.written += len(chunk)
        self._text += chunk
        return bool(chunk)

    def wait_for(self, pattern: str, within: float = 20.0) -> float:
        """Seconds until something is written that matches, escape sequences left out; from this call on."""
        began = time.perf_counter()
        while not re.search(pattern.encode(), _ESCAPES.sub(b"", self._text)):
            if time.perf_counter() - began > within:
                raise TimeoutError(f"{pattern!r} was not written within {within} s")
            self.read(0.5)
        return time.perf_counter() - began

    def press(self, key: str) -> None:
        """Press a key; only what is written from now on is waited for."""
        self._text = b""
        os.write(self._fd, key.encode())

    def watch(self, seconds: float) -> tuple[float, float]:
        """Bytes and CPU seconds a second, over so many seconds."""
        written, cpu, end = self.written, self._cpu_until_now(), time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            self.read(left)
        return (self.written - written) / seconds, (self._cpu_until_now() - cpu) / seconds

    @property
    def resident_bytes(self) -> int:
        """Its memory at present."""
        return int(Path(f"/proc/{self._pid}/statm").read_text().split()[1]) * _PAGE_BYTES

    def wait_for_end(self, within: float = 20.0) -> float:
        """Seconds until the program ends by itself, from this call on."""
        began = time.perf_counter()
        while not self._reap(os.WNOHANG):
            if time.perf_counter() - began > within:
                raise TimeoutError(f"it did not end within {within} s")
            self.read(0.005)
        return time.perf_counter() - began

    def end_by(self, number: signal.Signals) -> bytes:
        """What it writes from a signal on to its end, escape sequences and all."""
        self._text = b""
        os.kill(self._pid, number)
        self.wait_for_end()
        return self._text

    def kill(self) -> None:
        """End it at once, if it has not ended."""
        if self.status is None:
            os.kill(self._pid, signal.SIGKILL)
            self._reap(0)

    def _reap(self, options: int) -> bool:
        pid, status, used = os.wait4(self._pid, options)
        if pid:
            self.status = os.waitstatus_to_exitcode(status)
            while self.read(0.0):
                pass
            self.cpu_seconds = used.ru_utime + used.ru_stime
            os.close(self._fd)
        return bool(pid)

    def _cpu_until_now(self) -> float:
        fields = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
        return sum(int(field) for field in fields[11:13]) / _TICKS

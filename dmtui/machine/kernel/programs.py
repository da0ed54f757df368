"""Programs of this host, started without a shell and never waited for without an end."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from dmtui.machine.errors import FileMissingError, MachineError, TimedOutError, machine_error
from dmtui.thinpool.values import frozen

_SANE_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
_PACKAGES = {
    "mkfs.xfs": "xfsprogs",
    "xfs_growfs": "xfsprogs",
    "mkfs.ext4": "e2fsprogs",
    "resize2fs": "e2fsprogs",
    "tune2fs": "e2fsprogs",
    "mkfs.btrfs": "btrfs-progs",
    "dmsetup": "dmsetup",
}
_FAMILIES = {
    "thin_": "thin-provisioning-tools",
    "pv": "lvm2",
    "vg": "lvm2",
    "lv": "lvm2",
}


@frozen
class Ended:
    """How a program ended: its exit status (negative: the signal that killed it) and what it printed."""

    status: int
    output: str
    errors: str

    @property
    def last_words(self) -> str:
        """The last line of standard error that says anything; the exit status or signal where there is none."""
        lines = [line.strip() for line in self.errors.splitlines() if line.strip()]
        if lines:
            return lines[-1]
        if self.status < 0:
            return f"killed by signal {-self.status}"
        return f"exit status {self.status}"


class KernelPrograms:
    """The `Programs` of this host.

    They run in a session of their own, so that a signal to ours is none to them, with nothing to read and with
    messages in English.
    """

    def __init__(self, path: str | None = None) -> None:
        """Search these directories (colons between); by default those of ``PATH`` and the usual ones for root."""
        self._path = path

    def missing(self, names: Sequence[str]) -> tuple[str, ...]:
        """Those of the names that are not in PATH, in the order given."""
        path = self._search_path()
        return tuple(name for name in names if shutil.which(name, path=path) is None)

    def run(self, arguments: Sequence[str], *, seconds: float = 120.0) -> str:
        """Run a program to its end and return what it printed (standard output).

        Raises:
            FileMissingError: there is no such program.
            MachineError: it failed; the message has its last line of standard error.
            TimedOutError: it did not end in time; it was killed, whether it acted is unknown.
        """
        ended = self.finish(arguments, seconds=seconds)
        if ended.status != 0:
            raise MachineError(" ".join(arguments), f"failed: {ended.last_words}")
        return ended.output

    def finish(self, arguments: Sequence[str], *, seconds: float) -> Ended:
        """Run a program to its end and tell how it ended, be it well or badly.

        Raises:
            FileMissingError: there is no such program.
            MachineError: it cannot be started.
            TimedOutError: it did not end in time; it was killed, whether it acted is unknown.
        """
        process = self._start(arguments)
        try:
            output, errors = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            _abandon(process)
            happened = f"has not ended after {seconds:g} s and was killed; whether it acted is unknown"
            raise TimedOutError(
                " ".join(arguments), happened, "look again before repeating it", errno.ETIMEDOUT
            ) from None
        except BaseException:
            _abandon(process)
            raise
        return Ended(process.returncode, output, errors)

    def _start(self, arguments: Sequence[str]) -> subprocess.Popen[str]:
        name = arguments[0]
        path = self._search_path()
        program = shutil.which(name, path=path)
        if program is None:
            raise FileMissingError(name, "there is no such program in PATH", _next_step(name), errno.ENOENT)
        try:
            return subprocess.Popen(
                [program, *arguments[1:]],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, "PATH": path, "LC_ALL": "C"},
                cwd="/",  # a program that hangs must not keep our directory busy
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
        except OSError as error:
            raise machine_error(error.errno or 0, name, "starting it") from None

    def _search_path(self) -> str:
        """Where to look: never relative to the working directory, and with root's directories also for others."""
        if self._path is not None:
            return self._path
        given = [part for part in os.environ.get("PATH", "").split(":") if part.startswith("/")]
        return ":".join(dict.fromkeys((*given, *_SANE_PATH)))


def whole(path: str) -> str:
    """A path as a program needs it: it runs in another directory, and would take a leading hyphen for an option."""
    return str(Path(path).absolute())


def _abandon(process: subprocess.Popen[str]) -> None:
    """Kill a program and all it started, and let a thread wait for it: in the kernel it may outlive its killing."""
    with suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    threading.Thread(target=process.wait, name=f"reaper of {process.pid}", daemon=True).start()


def _next_step(name: str) -> str:
    package = _PACKAGES.get(name) or next((made for start, made in _FAMILIES.items() if name.startswith(start)), "")
    return f"install {package}" if package else "install it or add its directory to PATH"

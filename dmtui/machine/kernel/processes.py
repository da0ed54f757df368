"""Processes of this host, found in ``/proc``."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from dmtui.machine.protocols import Process


class KernelProcesses:
    """The `Processes` of this host."""

    def __init__(self, proc: str = "/proc") -> None:
        """Look processes up under this directory."""
        self._proc = Path(proc)

    def using(self, program: str, directory: str) -> tuple[Process, ...]:
        """Processes of that program with an open file or their working directory below a directory, by number."""
        below = directory.rstrip("/") + "/"
        found: list[Process] = []
        for entry in self._proc.iterdir():
            if not entry.name.isdigit() or _program(entry) != program:
                continue
            if any(target.startswith(below) for target in _held(entry)):
                found.append(Process(int(entry.name), program))
        return tuple(sorted(found, key=lambda process: process.pid))


def _program(entry: Path) -> str:
    with suppress(OSError):
        return (entry / "comm").read_text().strip()
    return ""


def _held(entry: Path) -> list[str]:
    """What a process holds open; what may not be read, or goes while it is read, is passed over."""
    links = [entry / "cwd"]
    with suppress(OSError):
        links += (entry / "fd").iterdir()
    targets: list[str] = []
    for link in links:
        with suppress(OSError):
            targets.append(str(link.readlink()))
    return targets

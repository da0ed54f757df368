"""The floor: device-mapper's ioctls and nothing else, with as many fsyncs as the engine makes."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from struct import Struct

from dmtui.machine.kernel import wire

_CREATE, _REMOVE, _SUSPEND, _LOAD, _MESSAGE = 3, 4, 6, 9, 14
_TARGET = Struct("=QQiI16s")
_COUNT = Struct("=I")
_SECTOR = Struct("=Q")
_COUNT_AT = 20


class Bare:
    """One descriptor of the control node, and a directory to sync files in."""

    def __init__(self, directory: Path):
        self._control = os.open("/dev/mapper/control", os.O_RDWR)
        self._directory = directory
        directory.mkdir(exist_ok=True)

    def message(self, name: str, text: str) -> None:
        self._ask(_MESSAGE, name, _SECTOR.pack(0) + text.encode() + b"\0")

    def create(self, name: str, sectors: int, params: str) -> None:
        """Create, load and resume a thin device."""
        self._ask(_CREATE, name)
        payload = _TARGET.pack(0, sectors, 0, 0, b"thin") + params.encode() + b"\0"
        self._ask(_LOAD, name, payload + bytes(-len(payload) % 8), targets=1)
        self._ask(_SUSPEND, name)

    def remove(self, name: str) -> None:
        self._ask(_REMOVE, name)

    def sync(self, files: int, directories: int) -> None:
        """Replace as many small files and sync as many directories as the engine does."""
        for number in range(files):
            temporary, path = self._directory / "tmp", self._directory / f"file-{number}"
            with temporary.open("wb") as file:
                file.write(b"x" * 100)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        for _ in range(directories):
            descriptor = os.open(self._directory, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)

    def _ask(self, command: int, name: str, payload: bytes = b"", targets: int = 0) -> None:
        buffer = wire.request(4096, name.encode())
        buffer[wire.HEADER_BYTES : wire.HEADER_BYTES + len(payload)] = payload
        _COUNT.pack_into(buffer, _COUNT_AT, targets)
        fcntl.ioctl(self._control, wire.ioctl_number(command), buffer, True)

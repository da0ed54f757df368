"""Writes recordings: one file, JSON lines, a header and then a sample a line, readable whenever the writer is killed.

A name that ends in ``.gz`` is compressed; each sample is pushed out whole, so that a killed writer leaves all but its
last there as well. Nothing is synced: a power cut may lose the newest samples.
"""

from __future__ import annotations

import json
import os
import stat
import zlib
from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from dmtui import __version__
from dmtui.monitor.sample import Sample
from dmtui.thinpool.errors import BadUsageError, DmtuiError, NotPermittedError
from dmtui.thinpool.values import frozen

KIND = "dmtui recording"
"""What the first line says the file is."""
VERSION = 1
"""Version of the form of the file; that of the samples is in each of them."""
_GZIP = 31
"""What zlib calls the form of a gzip file."""


class RecordingError(DmtuiError):
    """A recording cannot be written or read."""


@frozen
class Header:
    """The first line of a recording.

    Attributes:
        dmtui: version of the program that wrote it.
        machine: ``kernel`` or ``emulated``.
        machine_description: a short text for the screen.
        began_at: when it began, seconds since the epoch.
        interval_seconds: between two samples, as it was asked for.
        facts: what the machine is made of, as `MachineFacts` writes it; empty where it was not asked.
    """

    dmtui: str
    machine: str
    machine_description: str
    began_at: float
    interval_seconds: float
    facts: str = ""

    @classmethod
    def of(cls, first: Sample, interval_seconds: float, facts: str = "") -> Header:
        """The header of a recording that begins with that sample."""
        return cls(__version__, first.machine, first.machine_description, first.taken_at, interval_seconds, facts)

    def to_json(self) -> str:
        """The first line."""
        fields = {
            "kind": KIND,
            "version": VERSION,
            "dmtui": self.dmtui,
            "machine": self.machine,
            "machine_description": self.machine_description,
            "began": datetime.fromtimestamp(self.began_at, UTC).isoformat(timespec="milliseconds"),
            "interval_seconds": self.interval_seconds,
            **({"facts": json.loads(self.facts)} if self.facts else {}),
        }
        return json.dumps(fields)


class Recorder:
    """Writes one recording.

    Attributes:
        path: the file.
        count: samples written so far.
    """

    def __init__(self, path: str, header: Header, *, force: bool = False) -> None:
        """Make the file (0600) and write its header.

        Args:
            path: the file; compressed when its name ends in ``.gz``.
            header: its first line.
            force: take the place of a file that is there.

        Raises:
            BadUsageError: there is such a file, or something else of that name.
            RecordingError: it cannot be made.
            NotPermittedError: we may not make it.
        """
        self.path = path
        self.count = 0
        self._packer = zlib.compressobj(wbits=_GZIP) if path.endswith(".gz") else None
        self._descriptor: int | None = _made(path, force=force)
        self._size = 0
        self._put(header.to_json())

    def write(self, sample: Sample) -> None:
        """Add a sample.

        Raises:
            RecordingError: the disk is full, or the like; what was written before stays readable.
        """
        self._put(sample.to_json())
        self.count += 1

    def close(self) -> None:
        """End the file in order; a second call does nothing.

        Raises:
            RecordingError: the end of a compressed file could not be written; the samples can be read all the same.
        """
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        try:
            if self._packer is not None:
                with _told(self.path):
                    _write_all(descriptor, self._packer.flush(zlib.Z_FINISH))
        finally:
            os.close(descriptor)

    def _put(self, line: str) -> None:
        if self._descriptor is None:
            raise RecordingError(self.path, "is closed")
        content = f"{line}\n".encode()
        if self._packer is not None:
            content = self._packer.compress(content) + self._packer.flush(zlib.Z_SYNC_FLUSH)
        try:
            with _told(self.path):
                _write_all(self._descriptor, content)
        except RecordingError:
            descriptor, self._descriptor = self._descriptor, None
            with suppress(OSError):  # half a line is told and passed over by readers
                os.ftruncate(descriptor, self._size)
            os.close(descriptor)
            raise
        self._size += len(content)


def _made(path: str, *, force: bool) -> int:
    if path == "-":
        raise BadUsageError(
            "-", "is no file: a recording is one", "name a file, or `dmtui watch --format json` in pipes"
        )
    with _told(path):
        try:
            found = os.lstat(path)
        except FileNotFoundError:
            found = None
        if found is not None and not stat.S_ISREG(found.st_mode):
            raise BadUsageError(path, "is no regular file", "name a new file")
        if found is not None and not force:
            raise BadUsageError(path, "is there already", "name a new file, or take --force to write over it")
        if found is not None:
            Path(path).unlink()
        try:
            # Whoever makes the name meanwhile, a link included, keeps it.
            return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            raise BadUsageError(path, "is there already", "name a new file") from None


def _write_all(descriptor: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]


@contextmanager
def _told(path: str) -> Generator[None]:
    try:
        yield
    except PermissionError:
        raise NotPermittedError(path, "is not permitted", "name a file where you may write") from None
    except OSError as error:
        raise RecordingError(path, f"cannot be written: {error.strerror}", "name a file on a disk with room") from None

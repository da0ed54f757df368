"""Small files that survive a kill and a power cut: whole or not there, and the lock of their one writer.

Both machines use it: the engine's records are real files, also beside the emulated machine.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from dmtui.machine.errors import MachineError, machine_error
from dmtui.thinpool.errors import DmtuiError

_TEMPORARY = ".tmp-dmtui-"


class InUseError(DmtuiError):
    """Another process holds the lock."""


class Lock:
    """A lock that this process holds until `release`; it goes with the process, however that ends."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        """Let go; a second call does nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class DurableFiles:
    """Reads, replaces and removes small files, synced with their directories."""

    def read(self, path: str) -> bytes:
        """The content of a file; raises `FileMissingError`."""
        with _told(path, "reading it"):
            return Path(path).read_bytes()

    def write(self, path: str, content: bytes) -> None:
        """Replace a file (0600) as a whole; when this returns, it is on disk.

        The original does the same but for the last step: its directory is not synced, so that a power cut may lose it.
        """
        directory, temporary = os.path.dirname(path), f"{os.path.dirname(path)}/{_TEMPORARY}{os.getpid()}"  # noqa: PTH120
        with _told(path, "writing it"):
            try:
                _put(temporary, os.O_CREAT | os.O_TRUNC, content)
                Path(temporary).replace(path)
            except OSError:
                Path(temporary).unlink(missing_ok=True)
                raise
            _sync_directory(directory)

    def append(self, path: str, line: str) -> None:
        """Add a line to a file (0600), made when there is none."""
        with _told(path, "adding to it"):
            _put(path, os.O_CREAT | os.O_APPEND, f"{line}\n".encode())

    def remove(self, path: str) -> None:
        """Remove a file; one that is not there is removed already."""
        with _told(path, "removing it"):
            Path(path).unlink(missing_ok=True)
            _sync_directory(os.path.dirname(path))  # noqa: PTH120

    def names(self, directory: str) -> tuple[str, ...]:
        """Names in a directory, sorted; none where there is no directory."""
        with _told(directory, "listing it"), suppress(FileNotFoundError):
            return tuple(sorted(os.listdir(directory)))  # noqa: PTH208
        return ()

    def lock(self, path: str, note: str) -> Lock:
        """Take the lock of a file and leave a note in it for others (who, since when).

        Raises:
            InUseError: somebody holds it; the message has his note.
        """
        import fcntl  # noqa: PLC0415 - not on every system, and only writers need it

        with _told(path, "opening the lock"):
            descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(descriptor, 200).decode(errors="replace").strip()
            os.close(descriptor)
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise machine_error(error.errno or 0, path, "locking it") from None
            directory = os.path.dirname(path)  # noqa: PTH120
            raise InUseError(
                directory, f"is in use by {holder or 'another process'}", "wait for it or stop it"
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, note.encode())
        return Lock(descriptor)


def is_leftover(name: str) -> bool:
    """Whether a name is a temporary that a killed writer left."""
    return name.startswith(_TEMPORARY)


def _put(path: str, flags: int, content: bytes) -> None:
    """Write all of the content and sync it: a full disk takes a part of a write and says so only by its length."""
    descriptor = os.open(path, flags | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _sync_directory(directory: str) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _told(path: str, doing: str) -> Generator[None]:
    try:
        yield
    except MachineError:
        raise
    except OSError as error:
        raise machine_error(error.errno or 0, path, doing) from None

"""Small files that survive a kill and a power cut: whole or not there, and the lock of their one writer.

Both machines use it: the engine's records are real files, also beside the emulated machine.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from dmtui.machine.errors import ExistsError, MachineError, MachineNotPermittedError, machine_error
from dmtui.thinpool.errors import DmtuiError

_TEMPORARY = ".tmp-dmtui-"
_MOST_NOTED = 200
_IN_ORDER = "let go in order: "


class InUseError(DmtuiError):
    """Another process holds the lock."""


class IrregularFileError(MachineError):
    """What should be a file is something else."""


class Lock:
    """A lock that this process holds until `release`; it goes with the process, however that ends.

    Attributes:
        found: what the last holder left in the file: his note where he was killed, or the mark of his `finish`.
    """

    def __init__(self, descriptor: int, found: str = "") -> None:
        self.found = found
        self._descriptor: int | None = descriptor

    @property
    def earlier(self) -> str:
        """The note of a last holder that was killed; empty where he came to his end in order (`finish`)."""
        return "" if self.found.startswith(_IN_ORDER) else self.found

    def release(self) -> None:
        """Let go; a second call does nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def finish(self) -> str:
        """Let go in order: a mark takes the note's place, so that the next holder knows.

        Returns the mark. No two are alike: who takes the lock again and finds it there knows that nobody had the lock
        in between.
        """
        mark = f"{_IN_ORDER}{os.urandom(16).hex()}"
        if self._descriptor is not None:
            with suppress(OSError):  # he will only look more closely
                os.ftruncate(self._descriptor, os.pwrite(self._descriptor, mark.encode(), 0))
            self.release()
        return mark

    def __del__(self) -> None:
        """Whoever forgets a lock does not keep it."""
        self.release()


class DurableFiles:
    """Reads, replaces and removes small files, synced with their directories."""

    def read(self, path: str) -> bytes:
        """The content of a file.

        Raises:
            FileMissingError: there is none.
            IrregularFileError: it is a directory, a pipe or a device: such are not even opened.
        """
        with _told(path, "reading it"):
            if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116
                raise IrregularFileError(path, "is no regular file", "move it away")
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
        """Add a line to a file (0600), made when there is none; a line that a kill has cut short goes."""
        with _told(path, "adding to it"):
            _end_line(path)
            _put(path, os.O_CREAT | os.O_APPEND, f"{line}\n".encode())

    def remove(self, path: str) -> None:
        """Remove a file; one that is not there is removed already."""
        with _told(path, "removing it"):
            Path(path).unlink(missing_ok=True)
            _sync_directory(os.path.dirname(path))  # noqa: PTH120

    def move(self, path: str, target: str) -> None:
        """Give what has a name another one in the same file system; when this returns, that is on disk.

        Raises:
            FileMissingError: there is nothing of that name.
            ExistsError: the other name is taken.
        """
        with _told(path, f"moving it to {target}"):
            if os.path.lexists(target):
                raise ExistsError(target, "is there already", "choose another name", errno.EEXIST)
            os.rename(path, target)  # noqa: PTH104
            for directory in dict.fromkeys((os.path.dirname(target), os.path.dirname(path))):  # noqa: PTH120
                _sync_directory(directory)

    def names(self, directory: str) -> tuple[str, ...]:
        """Names in a directory, sorted; none where there is no directory."""
        with _told(directory, "listing it"), suppress(FileNotFoundError):
            return tuple(sorted(os.listdir(directory)))  # noqa: PTH208
        return ()

    def lock(self, path: str, note: str | None, *, durable: bool = False) -> Lock:
        """Take the lock of a file and leave a note in it for others (who, since when); None leaves what it says.

        A `durable` note is on disk when this returns, and so is the file's name. It is a line added to what the file
        says, so that a kill never leaves less than there was.

        Raises:
            InUseError: somebody holds it; the message has his note.
        """
        import fcntl  # noqa: PLC0415 - not on every system, and only writers need it

        while True:
            with _told(path, "opening the lock"):
                descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise _not_locked(descriptor, path, error) from None
            if _is_still(path, descriptor):
                break
            os.close(descriptor)  # its last holder has removed it meanwhile
        with _told(path, "noting who holds the lock"):
            found = os.read(descriptor, _MOST_NOTED).decode(errors="replace")
            if note is not None and durable:
                os.lseek(descriptor, 0, os.SEEK_END)
                os.write(descriptor, f"\n{note}\n".encode())  # what stands before may be half a line
                os.fsync(descriptor)
                _sync_directory(os.path.dirname(path))  # noqa: PTH120
            elif note is not None:
                # In this order, so that no kill makes it look as if the last holder had come to his end.
                os.ftruncate(descriptor, os.pwrite(descriptor, note.encode(), 0))
        return Lock(descriptor, found)


def _end_line(path: str) -> None:
    """Cut off the end of a file that is no whole line."""
    with suppress(FileNotFoundError), open(path, "r+b") as file:
        end = file.seek(0, os.SEEK_END)
        if end == 0 or os.pread(file.fileno(), 1, end - 1) == b"\n":
            return
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)


def _not_locked(descriptor: int, path: str, error: OSError) -> DmtuiError:
    """Close a lock that somebody else has, and say who."""
    holder = os.read(descriptor, _MOST_NOTED).decode(errors="replace").strip()
    os.close(descriptor)
    if holder.startswith(_IN_ORDER):  # he has not noted yet who he is
        holder = ""
    if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
        return machine_error(error.errno or 0, path, "locking it")
    directory = os.path.dirname(path)  # noqa: PTH120
    return InUseError(directory, f"is in use by {holder or 'another process'}", "wait for it or stop it")


def _is_still(path: str, descriptor: int) -> bool:
    with suppress(OSError):
        return os.path.samestat(os.stat(path), os.fstat(descriptor))  # noqa: PTH116
    return False


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
        told = machine_error(error.errno or 0, path, doing)
        if isinstance(told, MachineNotPermittedError):
            # Both machines keep their files here: neither another machine nor, as root, another user helps.
            told.next_step = "act as its owner or root" if os.geteuid() else "see what protects it (lsattr, mount)"
        raise told from None

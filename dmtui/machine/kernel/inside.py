"""Files at the top of a mounted file system, which nobody vouches for: no link there is followed."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import PurePath

from dmtui.machine.errors import InvalidError, machine_error

_TOP = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def make_inside(directory: str, name: str, mode: int) -> None:
    """Make a directory of that mode, whatever the umask, below another; an existing one is left as it is.

    Raises:
        FileMissingError: the directory above is missing.
        MachineError: something else has that name, a symbolic link say.
    """
    path = _checked(directory, name)
    with _told(path, "making the directory"), _opened(directory) as top:
        try:
            os.mkdir(name, 0o700, dir_fd=top)
        except FileExistsError:
            if not stat.S_ISDIR(os.stat(name, dir_fd=top, follow_symlinks=False).st_mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None
        else:
            made = os.open(name, _TOP, dir_fd=top)
            try:
                os.fchmod(made, mode)
            finally:
                os.close(made)


def write_inside(directory: str, name: str, text: str) -> None:
    """Write a file (0600) below a directory, all of it or nothing; an existing one is left as it is.

    Raises:
        FileMissingError: the directory is missing.
        NoSpaceError: it does not fit.
        MachineError: something that is no file has that name, a symbolic link say.
    """
    path = _checked(directory, name)
    with _told(path, "writing it"), _opened(directory) as top:
        try:
            file = os.open(name, _NEW, 0o600, dir_fd=top)
        except FileExistsError:
            if not stat.S_ISREG(os.stat(name, dir_fd=top, follow_symlinks=False).st_mode):
                raise
            return
        try:
            with os.fdopen(file, "wb") as writer:
                writer.write(text.encode())
                writer.flush()
                os.fsync(file)
        except OSError:
            with suppress(OSError):
                os.unlink(name, dir_fd=top)
            raise


def names_inside(directory: str) -> tuple[str, ...]:
    """Names below a directory, sorted; raises `FileMissingError`."""
    with _told(directory, "reading it"), _opened(directory) as top:
        return tuple(sorted(os.listdir(top)))  # noqa: PTH208 - an open directory has no path


def _checked(directory: str, name: str) -> str:
    """The whole path; raises `InvalidError` for a name that would lead elsewhere."""
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise InvalidError(directory, f"{name!r} is no name inside it", "check the name", errno.EINVAL)
    return str(PurePath(directory, name))


@contextmanager
def _opened(directory: str) -> Generator[int]:
    top = os.open(directory, _TOP)
    try:
        yield top
    finally:
        os.close(top)


@contextmanager
def _told(path: str, doing: str) -> Generator[None]:
    """Turn the operating system's errors into the machine's."""
    try:
        yield
    except OSError as error:
        raise machine_error(error.errno or 0, path, doing) from None

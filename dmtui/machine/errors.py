"""What a machine can refuse, by errno, each with the operator's next step."""

from __future__ import annotations

import errno
import os

from dmtui.thinpool.errors import DmtuiError, MissingError, NotPermittedError


class MachineError(DmtuiError):
    """The machine refused an operation.

    Attributes:
        errno: the kernel's error number, 0 where there was none.
    """

    def __init__(self, subject: str, happened: str, next_step: str = "", number: int = 0) -> None:
        self.errno = number
        super().__init__(subject, happened, next_step)


class DeviceMissingError(MachineError, MissingError):
    """No device of that name (ENXIO)."""


class DeviceBusyError(MachineError):
    """Somebody holds the device (EBUSY)."""


class ExistsError(MachineError):
    """The thin id is taken (EEXIST)."""


class NoSuchThinIdError(MachineError):
    """The pool does not know the thin id (ENODATA)."""


class PoolRefusesError(MachineError):
    """The pool takes no messages: it is read-only, out of metadata or failed (EOPNOTSUPP)."""


class InvalidError(MachineError):
    """The kernel found the table, message or name wrong (EINVAL)."""


class NoSpaceError(MachineError):
    """No space left (ENOSPC)."""


class MachineNotPermittedError(MachineError, NotPermittedError):
    """We lack the right (EACCES, EPERM)."""


class TimedOutError(MachineError):
    """The machine did not answer in time; whether it acted is unknown."""


class FileMissingError(MachineError):
    """No file of that path (ENOENT)."""


class NoDeviceMapperError(MachineError):
    """This machine has no device-mapper, or it cannot be reached."""


_BY_ERRNO: dict[int, tuple[type[MachineError], str]] = {
    errno.ENXIO: (DeviceMissingError, "`dmsetup ls` lists what there is"),
    errno.EBUSY: (DeviceBusyError, "find who holds it (open count, mounts in other namespaces), then try again"),
    errno.EEXIST: (ExistsError, "take another id or name"),
    errno.ENODATA: (NoSuchThinIdError, "compare with the pool's own list (thin_ls)"),
    errno.EOPNOTSUPP: (PoolRefusesError, "look at the pool's mode: extend or check its metadata first"),
    errno.EINVAL: (InvalidError, "the kernel log says why"),
    errno.ENOSPC: (NoSpaceError, "extend the pool or free space first"),
    errno.EACCES: (MachineNotPermittedError, "run as root, or with --machine emulated"),
    errno.EPERM: (MachineNotPermittedError, "run as root, or with --machine emulated"),
    errno.ETIMEDOUT: (TimedOutError, "look again before repeating it"),
    errno.ENOENT: (FileMissingError, "check the path"),
    errno.ENOTDIR: (MachineError, "check the path: a part of it is a file"),
    errno.EISDIR: (MachineError, "check the path: it is a directory"),
    errno.ELOOP: (MachineError, "check the path: its links go in a circle"),
    errno.ENAMETOOLONG: (MachineError, "choose a shorter path"),
    errno.EIO: (MachineError, "look at the pool's mode and its host's free space (`dmtui info`), and the kernel log"),
    errno.EROFS: (MachineError, "its file system is mounted read-only: mount it writable, or use another"),
    errno.ESRCH: (MachineError, "it has ended already"),
}


def machine_error(number: int, subject: str, doing: str) -> MachineError:
    """The error for an errno met while `doing` something to `subject`."""
    kind, next_step = _BY_ERRNO.get(number, (MachineError, ""))
    name = errno.errorcode.get(number, str(number))
    return kind(subject, f"{doing} failed: {os.strerror(number)} ({name})", next_step, number)

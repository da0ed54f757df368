"""What the programs and the kernel refuse on a file system's behalf, each with the words of the one who refuses."""

from __future__ import annotations

import errno
import re
import sqlite3
from collections.abc import Sequence

from dmtui.machine.emulated import devices, disks, mounted, mountoptions
from dmtui.machine.emulated.files import normal
from dmtui.machine.emulated.host import find
from dmtui.machine.emulated.layouts import KINDS, MkfsRefusesError
from dmtui.machine.emulated.mounted import Entry, Filesystem, MountRow
from dmtui.machine.errors import MachineError, PoolRefusesError, TimedOutError, machine_error
from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.table import THIN
from dmtui.thinpool.units import SECTOR_BYTES
from dmtui.thinpool.values import frozen

_LETTERS = {
    "xfs": re.compile(r"-(?:[CKNfqV]+|[bcdilLmnprs].*)"),
    "ext4": re.compile(r"-(?:[cjnqvDFSV]+|[begimorstdCEGIJLMNOTUz].*)"),
}
"""The options that each mkfs takes; what follows them is not looked at."""


@frozen
class MountRequest:
    """What a mount is asked for; `path` is that of the device."""

    path: str
    directory: str
    kind: str
    options: tuple[str, ...]

    @property
    def doing(self) -> str:
        """What an error says was done."""
        return f"mounting it at {self.directory}"

    @property
    def read_only(self) -> bool:
        """Whether nothing is to be written through it."""
        return "ro" in self.options


def refused(number: int, subject: str, doing: str, reason: str) -> MachineError:
    """The machine's error for an errno, with what the kernel's log or the program says."""
    made = machine_error(number, subject, doing)
    return type(made)(made.subject, f"{made.happened}: {reason}", made.next_step, made.errno)


def no_discards(subject: str) -> PoolRefusesError:
    """The error of a device that does not discard."""
    happened = "does not discard: its pool was made with ignore_discard, or it stands on nothing that discards"
    return PoolRefusesError(subject, happened, "", errno.EOPNOTSUPP)


def device(connection: sqlite3.Connection, path: str, doing: str) -> DeviceNumber:
    """The block device of a path.

    Raises:
        FileMissingError: there is none of that path.
        MachineError: the path is something else (ENOTBLK).
    """
    dev = devices.parse_path(connection, path) if path.startswith("/") else None
    if dev is None and find(connection, path) is not None:
        raise machine_error(errno.ENOTBLK, path, doing)
    if dev is None:
        raise machine_error(errno.ENOENT, path, doing)
    return dev


def readable(connection: sqlite3.Connection, dev: DeviceNumber, path: str, doing: str) -> None:
    """Refuse a device whose first block cannot be read.

    Raises:
        TimedOutError: it is suspended: the reading would wait.
        MachineError: EIO.
    """
    if disks.reads_fail(connection, dev):
        raise machine_error(errno.EIO, path, doing)
    if dev.major != devices.DM_MAJOR:
        return
    found = devices.by_minor(connection, dev.minor)
    if found is None or found.suspended or devices.pool_is_suspended(connection, dev.minor):
        raise TimedOutError(path, f"{doing} would wait: the device is suspended", "resume it", errno.ETIMEDOUT)
    table = devices.targets(connection, dev.minor)
    failed = [
        target
        for target in table
        if target.type == THIN
        and connection.execute(
            "SELECT 1 FROM pools WHERE metadata_id = ? AND mode = 'FAIL'", (target.metadata_id,)
        ).fetchone()
    ]
    if not table or table[0].type == "error" or failed:
        raise machine_error(errno.EIO, path, doing)


def is_in_use(connection: sqlite3.Connection, dev: DeviceNumber) -> bool:
    """Whether anybody has a device open: a mount, another device, a process."""
    found = devices.by_minor(connection, dev.minor) if dev.major == devices.DM_MAJOR else None
    if found is not None:
        return found.open_count > 0
    query = "SELECT 1 FROM uses WHERE used_major = ? AND used_minor = ?"
    used = connection.execute(query, (dev.major, dev.minor)).fetchone()
    return used is not None or bool(mounted.mounts(connection, dev))


def check_making(
    connection: sqlite3.Connection, dev: DeviceNumber, path: str, kind: str, arguments: Sequence[str]
) -> None:
    """Refuse what mkfs does not even begin.

    Raises:
        MkfsRefusesError: it does not know an option, or finds the device in use or, for xfs, not empty.
    """
    for argument in arguments:
        if argument.startswith("-") and not _LETTERS[kind].fullmatch(argument):
            raise MkfsRefusesError(f"invalid option -- '{argument[1:2]}'")
    if is_in_use(connection, dev):
        raise MkfsRefusesError(f"{path} contains a mounted filesystem or is in use by the system")
    found = mounted.filesystem_on(connection, dev)
    if found is not None and kind == "xfs" and "-f" not in arguments:
        holds = f"{path} appears to contain an existing filesystem ({found.kind})."
        raise MkfsRefusesError(f"{holds} Use the -f option to force overwrite.")


def check_directory(connection: sqlite3.Connection, directory: str, doing: str) -> None:
    """Refuse a place to mount at that is no directory.

    Raises:
        FileMissingError: there is nothing.
        MachineError: it is a file (ENOTDIR).
    """
    mount = mounted.mount_over(connection, directory)
    if mount is not None:
        inside = mounted.identity(connection, mount, directory)
        is_directory = inside and inside.is_directory
    else:
        file = find(connection, directory)
        is_directory = file and file.directory
    if not is_directory:
        raise machine_error(errno.ENOENT if is_directory is None else errno.ENOTDIR, directory, doing)


def mountable(connection: sqlite3.Connection, dev: DeviceNumber, asked: MountRequest) -> Filesystem:
    """The file system that is to be mounted.

    Raises:
        DeviceBusyError: the device is suspended, and by that frozen.
        InvalidError: there is none of the kind, it is larger than its device, or does not know an option.
        MachineError: it cannot be read (EIO), or there is no such kind (ENODEV).
        MachineNotPermittedError: the device is read-only.
        TimedOutError: its pool is suspended: the mount would wait.
    """
    below = devices.by_minor(connection, dev.minor) if dev.major == devices.DM_MAJOR else None
    if below is not None and below.suspended:
        raise refused(errno.EBUSY, asked.path, asked.doing, "the device is suspended")
    readable(connection, dev, asked.path, asked.doing)
    if asked.kind not in KINDS:
        raise refused(errno.ENODEV, asked.path, asked.doing, f"unknown filesystem type '{asked.kind}'")
    odd = mountoptions.unknown(asked.kind, asked.options)
    if odd is not None:
        reason = f"{asked.kind}: Unknown parameter '{odd.partition('=')[0]}'"
        raise refused(errno.EINVAL, asked.path, asked.doing, reason)
    found = mounted.filesystem_on(connection, dev)
    if found is None or found.kind != asked.kind:
        reason = "Invalid superblock magic number" if asked.kind == "xfs" else "VFS: Can't find ext4 filesystem"
        raise refused(errno.EINVAL, asked.path, asked.doing, reason)
    size_bytes = (devices.size_sectors(connection, dev) or 0) * SECTOR_BYTES
    if found.size_bytes > size_bytes:
        reason = f"bad geometry: a file system of {found.size_bytes} bytes exceeds its device of {size_bytes} bytes"
        raise refused(errno.EINVAL, asked.path, asked.doing, reason)
    if below is not None and below.read_only and not asked.read_only:
        raise machine_error(errno.EACCES, asked.path, asked.doing)
    return found


def check_others(connection: sqlite3.Connection, dev: DeviceNumber, found: Filesystem, asked: MountRequest) -> None:
    """Refuse what other mounts forbid.

    Raises:
        DeviceBusyError: it is mounted right there, or elsewhere with the other access.
        InvalidError: another xfs of the same uuid is mounted, and neither mount has ``nouuid``.
    """
    here = mounted.mount_at(connection, asked.directory)
    if here is not None and here.dev == dev:
        raise refused(errno.EBUSY, asked.path, asked.doing, f"already mounted on {asked.directory}")
    others = mounted.mounts(connection, dev)
    if any(other.read_only != asked.read_only for other in others):
        raise refused(errno.EBUSY, asked.path, asked.doing, "it is mounted elsewhere with the other access")
    if found.kind != "xfs" or "nouuid" in asked.options or others:
        return
    for other in mounted.mounts(connection):
        made = None if "nouuid" in other.options else mounted.filesystem_on(connection, other.dev)
        if made is not None and made.uuid == found.uuid:
            reason = f"Filesystem has duplicate UUID {found.uuid} - can't mount"
            raise refused(errno.EINVAL, asked.path, asked.doing, reason)


def top(connection: sqlite3.Connection, directory: str, doing: str) -> tuple[MountRow, Filesystem]:
    """The mount at a directory, with its file system.

    Raises:
        FileMissingError: there is no such directory.
        InvalidError: nothing is mounted there.
        MachineError: its device has another table by now (EIO).
    """
    directory = normal(directory)
    mount = mounted.mount_at(connection, directory)
    if mount is None:
        check_directory(connection, directory, doing)
        raise refused(errno.EINVAL, directory, doing, "nothing is mounted there")
    found = mounted.filesystem_on(connection, mount.dev)
    if found is None:
        raise machine_error(errno.EIO, directory, doing)
    return mount, found


def is_there(made: Filesystem, directory: str, name: str, entry: Entry) -> bool:
    """Whether the top of a file system has that very kind of entry already.

    Raises:
        InvalidError: the name leads elsewhere.
        MachineError: something of another kind has the name (ENOTDIR, EEXIST).
    """
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise refused(errno.EINVAL, directory, f"making {name!r} inside", "it is no name")
    found = made.entries.get(name)
    if found is not None and found.directory != entry.directory:
        number = errno.ENOTDIR if entry.directory else errno.EEXIST
        raise machine_error(number, f"{directory}/{name}", "making it")
    return found is not None


def ignores_discards(connection: sqlite3.Connection, dev: DeviceNumber) -> bool:
    """Whether a device is a thin one of a pool that ignores discards."""
    place = mounted.home(connection, dev)
    row = (
        place
        and connection.execute(
            "SELECT 1 FROM pools WHERE metadata_id = ? AND discard = 'ignore_discard'", (place.metadata_id,)
        ).fetchone()
    )
    return bool(row)


def writable(mount: MountRow, subject: str, doing: str) -> None:
    """Refuse to change what is mounted for reading only (EROFS)."""
    if mount.read_only:
        raise machine_error(errno.EROFS, subject, doing)

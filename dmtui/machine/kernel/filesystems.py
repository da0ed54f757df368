"""File systems of the running kernel: made by their programs, mounted by system call, each call with a deadline."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from dmtui.machine.errors import InvalidError, MachineError, machine_error
from dmtui.machine.filesystems import FilesystemFound, Mount
from dmtui.machine.kernel import inside, mounting
from dmtui.machine.kernel.discarding import discard_device, trim_filesystem
from dmtui.machine.kernel.owner import Owners
from dmtui.machine.kernel.programs import KernelPrograms, whole
from dmtui.machine.kernel.superblocks import read_superblock
from dmtui.thinpool.devno import DeviceNumber

_T = TypeVar("_T")
_KINDS = ("xfs", "ext4", "btrfs")


class KernelFilesystems:
    """The `Filesystems` of this kernel.

    Attributes:
        deadline_seconds: how long a mount, an unmount, or reading and writing a little may take.
        long_deadline_seconds: how long making, growing, trimming and discarding may take.
    """

    def __init__(
        self,
        programs: KernelPrograms,
        opened: Callable[[str], int],
        *,
        deadline_seconds: float = 30.0,
        long_deadline_seconds: float = 600.0,
        proc: str = "/proc",
        sysfs: str = "/sys",
    ) -> None:
        """Run these programs and read under these directories; nothing is opened yet.

        `opened` says how often a mapped device of a name is open.
        """
        self.deadline_seconds = deadline_seconds
        self.long_deadline_seconds = long_deadline_seconds
        self._programs = programs
        self._opened = opened
        self._proc = Path(proc)
        self._sysfs = Path(sysfs)
        self._owners = Owners("file systems")

    def close(self) -> None:
        """Let go of the threads."""
        self._owners.close()

    def why_unusable(self, kind: str) -> str:
        """Why file systems of a kind cannot be made and mounted here; empty where they can."""
        if kind not in _KINDS:
            return f"{kind} is none of the kinds that are known here ({', '.join(_KINDS)})"
        program = f"mkfs.{kind}"
        if self._programs.missing([program]):
            return f"{program} is not in PATH"
        if not self._has_kind(kind):
            self._bounded(lambda: mounting.load_kind(kind), kind, "loading its module")
        return "" if self._has_kind(kind) else f"this kernel has no {kind}, nor a module to load"

    def make(self, device: str, kind: str, arguments: Sequence[str]) -> None:
        """Make a file system: ``mkfs.KIND ARGUMENT... DEVICE``; for ext4 without periodic checks (``tune2fs``).

        Raises:
            FileMissingError: the device, or the program, is missing.
            MachineError: with the last words of the program that failed.
        """
        _check_kind(kind)
        self._device_number(device)
        node = whole(device)
        self._programs.run([f"mkfs.{kind}", *arguments, node], seconds=self.long_deadline_seconds)
        if kind == "ext4":
            self._programs.run(["tune2fs", "-c", "-1", "-i", "0", node], seconds=self.long_deadline_seconds)

    def probe(self, device: str) -> FilesystemFound | None:
        """The file system on a device by its magic numbers (xfs, ext4, btrfs); None where there is none of them."""

        def read() -> FilesystemFound | None:
            node = -1
            try:
                node = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
                return read_superblock(node)
            except OSError as error:
                raise machine_error(error.errno or 0, device, "reading it") from None
            finally:
                if node >= 0:
                    os.close(node)

        return self._bounded(read, device, "reading it")

    def grow(self, device: str, kind: str, directory: str) -> None:
        """Let a file system, mounted at a directory, take all of its device: ``xfs_growfs DIRECTORY``, ``resize2fs``.

        Raises:
            FileMissingError: the device, the directory or the program is missing.
            InvalidError: a kind that cannot be grown here.
            MachineError: with the last words of the program that failed.
        """
        commands = {"xfs": ["xfs_growfs", whole(directory)], "ext4": ["resize2fs", whole(device)]}
        if kind not in commands:
            raise InvalidError(device, f"a file system of kind {kind} cannot be grown here", "", errno.EINVAL)
        self._device_number(device)
        _stat(directory)
        self._programs.run(commands[kind], seconds=self.long_deadline_seconds)

    def mount(self, device: str, directory: str, kind: str, options: Sequence[str]) -> None:
        """Mount a device; the options are the usual words, flags and the file system's own mixed.

        Raises:
            MachineError: the kernel refuses; the message ends with the last 256 bytes of its log.
            TimedOutError: it may be mounted later, or not.
        """
        _check_kind(kind)
        self._bounded(lambda: mounting.mount(device, directory, kind, options), device, f"mounting it at {directory}")

    def unmount(self, directory: str) -> None:
        """Unmount lazily (``MNT_DETACH``): gone from the tree now, from the device when its last file is closed.

        Raises:
            InvalidError: nothing is mounted there.
            TimedOutError: it is gone from the tree; the device is still being written.
        """
        self._bounded(lambda: mounting.unmount(directory), directory, "unmounting it")

    def mounts(self) -> tuple[Mount, ...]:
        """Every mount of a block device in this process's mount namespace, in the order of mounting."""
        path = self._proc / "self/mountinfo"
        try:
            text = path.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError as error:
            raise machine_error(error.errno or 0, str(path), "reading it") from None
        return mounting.parse_mounts(text.split("\n"))

    def make_inside(self, directory: str, name: str, mode: int) -> None:
        """Make a directory at the top of a mounted file system; an existing one is left as it is.

        Raises:
            InvalidError: the name has a slash or leads elsewhere.
            MachineError: something else has that name, a symbolic link say.
        """
        self._bounded(lambda: inside.make_inside(directory, name, mode), directory, f"making {name} inside")

    def write_inside(self, directory: str, name: str, text: str) -> None:
        """Write a file (0600) at the top of a mounted file system; an existing one is left as it is.

        Raises:
            InvalidError: the name has a slash or leads elsewhere.
            NoSpaceError: it does not fit.
            MachineError: something that is no file has that name, a symbolic link say.
        """
        self._bounded(lambda: inside.write_inside(directory, name, text), directory, f"writing {name} inside")

    def names_inside(self, directory: str) -> tuple[str, ...]:
        """Names at the top of a mounted file system, sorted."""
        return self._bounded(lambda: inside.names_inside(directory), directory, "reading it")

    def limit_retries(self, device: str, retries: int) -> None:
        """Let a mounted xfs give up after so many tries where there is no space (``max_retries`` for ENOSPC).

        Raises:
            MachineError: this kernel has no such limit, or no xfs is mounted from the device.
        """
        name = self._kernel_name(device)
        limit = self._sysfs / "fs/xfs" / name / "error/metadata/ENOSPC/max_retries"
        doing = f"writing {retries} to {limit}"
        try:
            limit.write_text(f"{retries}\n")
        except FileNotFoundError:
            happened = f"{doing} failed: no xfs is mounted from it, or this kernel has no such limit"
            raise MachineError(device, happened, "mount it first, or do without the limit", errno.ENOENT) from None
        except OSError as error:
            raise machine_error(error.errno or 0, device, doing) from None

    def trim(self, directory: str) -> int:
        """Discard what a mounted file system has free (``fstrim``); returns how many bytes it says.

        Raises:
            PoolRefusesError: its device does not discard.
        """
        seconds = self.long_deadline_seconds
        return self._bounded(lambda: trim_filesystem(directory), directory, "trimming it", seconds)

    def discard(self, device: str) -> None:
        """Discard the whole of a block device, and let that reach the device before returning (``blkdiscard``).

        Raises:
            DeviceBusyError: it is open: nothing is discarded under a user.
            PoolRefusesError: the device does not discard.
        """
        self._device_number(device)
        mapped = self._mapped_name(device)

        def opened() -> int:
            return self._opened(mapped) if mapped else 1

        seconds = self.long_deadline_seconds
        self._bounded(lambda: discard_device(device, opened), device, "discarding it", seconds)

    def _has_kind(self, kind: str) -> bool:
        with suppress(OSError):
            return kind in (self._proc / "filesystems").read_text().split()
        return False

    def _device_number(self, device: str) -> DeviceNumber:
        """Number of the block device that a path is the node of; raises `FileMissingError`."""
        found = _stat(device)
        if not stat.S_ISBLK(found.st_mode):
            raise machine_error(errno.ENOTBLK, device, "opening it")
        return DeviceNumber.unpack(found.st_rdev)

    def _mapped_name(self, device: str) -> str:
        """Device-mapper's name of a device, empty for one that is not mapped."""
        with suppress(OSError):
            name = self._sysfs / "dev/block" / str(self._device_number(device)) / "dm/name"
            return name.read_text().removesuffix("\n")
        return ""

    def _kernel_name(self, device: str) -> str:
        """The kernel's name of a device, such as ``dm-3``."""
        return (self._sysfs / "dev/block" / str(self._device_number(device))).resolve().name

    def _bounded(self, work: Callable[[], _T], subject: str, doing: str, seconds: float | None = None) -> _T:
        return self._owners.call(work, subject, doing, self.deadline_seconds if seconds is None else seconds)


def _stat(path: str) -> os.stat_result:
    try:
        return Path(path).stat()
    except OSError as error:
        raise machine_error(error.errno or 0, path, "looking at it") from None


def _check_kind(kind: str) -> None:
    """Refuse what could not be a file system's name: it becomes part of a program's."""
    if re.fullmatch(r"[a-z0-9_]+", kind) is None:
        raise InvalidError(kind, "is no kind of file system", "take xfs or ext4", errno.EINVAL)

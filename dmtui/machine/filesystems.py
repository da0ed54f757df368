"""What a machine offers above its block devices: file systems on them, mounts, what is inside a mounted one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.values import frozen


@frozen
class FilesystemFound:
    """A file system on a block device: ``xfs``, ``ext4`` or ``btrfs``, and its uuid (lower case, with hyphens)."""

    kind: str
    uuid: str


@frozen
class Mount:
    """A mount as this process's mount namespace has it.

    Attributes:
        mount_id: its number, its own while it lasts; the kernel gives it again afterwards.
        directory: where.
        dev: number of the block device (``st_dev`` of what is inside).
        filesystem: its kind.
        options: as the kernel prints them, those of the mount and those of the file system.
    """

    mount_id: int
    directory: str
    dev: DeviceNumber
    filesystem: str
    options: tuple[str, ...]


class Filesystems(Protocol):
    """File systems. A `device` is the path of a node, such as ``/dev/mapper/NAME``. Every call is bounded in time.

    Every method raises `FileMissingError` where a path is missing, `MachineNotPermittedError` where we lack the
    right, and `TimedOutError` where the machine does not answer in time.
    """

    def why_unusable(self, kind: str) -> str:
        """Why file systems of a kind cannot be made and mounted here; empty where they can.

        Source: the original's test, ``mkfs.KIND`` in PATH and the kind in ``/proc/filesystems`` after its module had
        the chance to load.
        """
        ...

    def make(self, device: str, kind: str, arguments: Sequence[str]) -> None:
        """Make a file system: ``mkfs.KIND ARGUMENT... DEVICE``; for ext4 without periodic checks (``tune2fs``).

        Raises:
            MachineError: with the last words of the program that failed.
        """
        ...

    def probe(self, device: str) -> FilesystemFound | None:
        """The file system on a device by its magic numbers (xfs, ext4, btrfs); None where there is none of them."""
        ...

    def grow(self, device: str, kind: str, directory: str) -> None:
        """Let a file system mounted at a directory take all of its device (``xfs_growfs DIRECTORY``, ``resize2fs``)."""
        ...

    def mount(self, device: str, directory: str, kind: str, options: Sequence[str]) -> None:
        """Mount a device at a directory. Options are words as in fstab, flags and the file system's own mixed.

        Raises:
            MachineError: the kernel refuses; the message ends with the last 256 bytes of its log.
        """
        ...

    def unmount(self, directory: str) -> None:
        """Unmount lazily (``MNT_DETACH``): gone from the tree now, from the device when its last file is closed.

        Raises:
            InvalidError: nothing is mounted there.
        """
        ...

    def mounts(self) -> tuple[Mount, ...]:
        """Every mount of a block device in this process's mount namespace, in the order of mounting."""
        ...

    def make_inside(self, directory: str, name: str, mode: int) -> None:
        """Make a directory at the top of a mounted file system; an existing one is left as it is."""
        ...

    def write_inside(self, directory: str, name: str, text: str) -> None:
        """Write a file (0600) at the top of a mounted file system; an existing one is left as it is."""
        ...

    def names_inside(self, directory: str) -> tuple[str, ...]:
        """Names at the top of a mounted file system, sorted."""
        ...

    def limit_retries(self, device: str, retries: int) -> None:
        """Let a mounted xfs give up after so many tries where there is no space (``max_retries`` for ENOSPC).

        Raises:
            MachineError: this kernel has no such limit.
        """
        ...

    def trim(self, directory: str) -> int:
        """Discard what a mounted file system has free (``fstrim``); returns how many bytes it says."""
        ...

    def discard(self, device: str) -> None:
        """Discard the whole of a block device, and let that reach the device before returning (``blkdiscard``).

        Raises:
            DeviceBusyError: it is open: nothing is discarded under a user.
            PoolRefusesError: the device does not discard.
        """
        ...

"""What a machine offers: device-mapper, loop devices, files. Values in, values out, typed errors.

The floors above the block devices are in `dmtui.machine.filesystems` and `dmtui.machine.tools`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, Protocol

from dmtui.machine.errors import MachineError
from dmtui.machine.filesystems import Filesystems
from dmtui.machine.tools import Programs, ThinTools
from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.table import Target
from dmtui.thinpool.values import frozen


@frozen
class DeviceEntry:
    """One device of the list: its name, number and event counter (None before interface 4.37)."""

    name: str
    dev: DeviceNumber
    event_nr: int | None


@frozen
class DeviceInfo:
    """What the kernel says of any mapped device."""

    name: str
    uuid: str
    dev: DeviceNumber
    open_count: int
    event_nr: int
    suspended: bool = False
    read_only: bool = False
    live_table: bool = True
    inactive_table: bool = False
    deferred_remove: bool = False
    internal_suspend: bool = False


@frozen
class DeviceReading:
    """One answer of the kernel: the device's info and its table or status lines, of the same instant."""

    info: DeviceInfo
    targets: tuple[Target, ...]


@frozen
class Versions:
    """Versions of what stands between us and the disks; None where it cannot be told.

    Attributes:
        driver: device-mapper's interface, such as ``4.47.0``.
        library: libdevmapper's own words, such as ``1.02.185 (2022-05-18)``.
        thin_pool: the thin-pool target's version, None while its module is not loaded.
    """

    driver: str
    library: str | None
    thin_pool: str | None


class DeviceMapper(Protocol):
    """Device-mapper. Names are as the kernel has them. Every call is bounded in time.

    Every method that takes a name raises `DeviceMissingError` where there is no such device, and
    `MachineNotPermittedError` where we lack the right.
    """

    def versions(self) -> Versions:
        """Versions of interface, library and target."""
        ...

    def udev_sync_supported(self) -> bool:
        """Whether device nodes are made in step with udev."""
        ...

    def deferred_removal_supported(self) -> bool:
        """Whether kernel (interface 4.27) and library offer deferred removal."""
        ...

    def no_space_timeout_seconds(self) -> float | None:
        """How long the writers of a full pool wait before they fail; 0 for ever, None where it cannot be told."""
        ...

    def list_devices(self) -> tuple[DeviceEntry, ...]:
        """Every mapped device, in the kernel's order."""
        ...

    def wait_for_event(self, seconds: float) -> bool:
        """Wait until a device's event counter has moved since the last such wait, no longer than so many seconds.

        Returns whether one has. For one thread only, which calls it again and again.

        Raises:
            MachineError: this machine tells of no events (a kernel before 4.14).
        """
        ...

    def info(self, name: str) -> DeviceInfo:
        """State of one device."""
        ...

    def table(self, name: str) -> DeviceReading:
        """Live table of one device."""
        ...

    def status(self, name: str) -> DeviceReading:
        """Status of one device, never committing (no-flush)."""
        ...

    def statuses(self, names: Sequence[str]) -> Iterator[DeviceReading | MachineError]:
        """What `status` answers or raises for each of several devices, in their order; cheaper where they are many."""
        ...

    def status_flush(self, name: str) -> DeviceReading:
        """Status of one device after a commit of its pool's metadata: this changes the pool."""
        ...

    def dependencies(self, name: str) -> tuple[DeviceNumber, ...]:
        """The devices that a device's live table stands on, in no particular order; empty without a live table."""
        ...

    def create(self, name: str, targets: Sequence[Target], *, uuid: str = "", read_only: bool = False) -> DeviceInfo:
        """Create, load and resume; undone as a whole if a step fails."""
        ...

    def load(self, name: str, targets: Sequence[Target], *, read_only: bool = False) -> None:
        """Load an inactive table (a resume makes it live)."""
        ...

    def suspend(self, name: str, *, flush: bool = True, lock_filesystem: bool = True) -> None:
        """Suspend a device."""
        ...

    def resume(self, name: str) -> None:
        """Resume a device, making a loaded table live."""
        ...

    def remove(self, name: str, *, deferred: bool = False) -> None:
        """Remove a device; deferred: as soon as nobody has it open."""
        ...

    def message(self, name: str, text: str) -> str:
        """Send a message to sector 0 and return the answer, mostly empty."""
        ...


@frozen
class FileIdentity:
    """A file, directory or node as stat tells it.

    Attributes:
        dev: the device that holds it.
        allocated_bytes: what it really takes on disk.
        rdev: the device that it is the node of, None for anything but a block device.
    """

    path: str
    dev: DeviceNumber
    inode: int
    size_bytes: int
    allocated_bytes: int
    is_directory: bool = False
    is_block_device: bool = False
    rdev: DeviceNumber | None = None


@frozen
class HostSpace:
    """A host file system, in bytes. `free_bytes` counts what is reserved for root (statfs ``f_bfree``)."""

    total_bytes: int
    free_bytes: int
    available_bytes: int


@frozen
class LoopDevice:
    """A bound loop device.

    Attributes:
        path: its node, ``/dev/loopN``.
        dev: its number.
        backing_dev: device of the backing file, as loop remembers it (``lo_device``).
        backing_inode: inode of the backing file.
        backing_path: current path of the backing file, None where the kernel does not say.
        deleted: the backing file has no name any more.
        offset_bytes: where in the file it starts.
        size_limit_bytes: 0 for no limit.
        size_bytes: size of the loop device itself.
    """

    path: str
    dev: DeviceNumber
    backing_dev: DeviceNumber
    backing_inode: int
    backing_path: str | None
    deleted: bool = False
    offset_bytes: int = 0
    size_limit_bytes: int = 0
    size_bytes: int = 0
    autoclear: bool = False
    read_only: bool = False

    def is_whole(self, file: FileIdentity) -> bool:
        """Whether this loop device presents all of that file (device and inode equal, no offset, no limit)."""
        same = (self.backing_dev, self.backing_inode) == (file.dev, file.inode)
        return same and self.offset_bytes == 0 and self.size_limit_bytes == 0


class LoopDevices(Protocol):
    """Loop devices."""

    def list_bound(self) -> tuple[LoopDevice, ...]:
        """Every bound loop device, by number, gaps and all."""
        ...

    def attach(self, path: str, *, autoclear: bool = True, read_only: bool = False) -> LoopDevice:
        """Bind a file to a free loop device.

        With autoclear the loop device goes when its last user closes it, so until somebody has opened it, it is
        held open by this process (`release`).
        """
        ...

    def release(self, loop: LoopDevice) -> None:
        """Let go of a loop device that `attach` holds open; an autoclear one without another user unbinds."""
        ...

    def detach(self, path: str) -> None:
        """Unbind ``/dev/loopN``; while in use it stays until its last user closes it."""
        ...

    def refresh_capacity(self, path: str) -> None:
        """Let ``/dev/loopN`` take over the present size of its file."""
        ...


class Files(Protocol):
    """Files of the host that back a pool."""

    def identify(self, path: str) -> FileIdentity:
        """Stat a path, following symbolic links; raises `FileMissingError`."""
        ...

    def space(self, path: str) -> HostSpace:
        """Space of the file system that holds a path."""
        ...

    def make_directory(self, path: str, mode: int = 0o700) -> FileIdentity:
        """Make a directory of that mode, and what is missing above it (0700); an existing one is left as it is."""
        ...

    def remove_directory(self, path: str) -> None:
        """Remove an empty directory; raises `FileMissingError`, and `MachineError` where it is not empty or in use."""
        ...

    def make_sparse_file(self, path: str, size_bytes: int) -> FileIdentity:
        """Make a sparse file (0600); raises `MachineError` where the path exists."""
        ...

    def resize_file(self, path: str, size_bytes: int) -> None:
        """Set a file's apparent size."""
        ...

    def remove_file(self, path: str) -> None:
        """Remove a file's name."""
        ...

    def device_size_bytes(self, dev: DeviceNumber) -> int | None:
        """Size of a block device, None if the machine has none of that number."""
        ...

    def device_path(self, dev: DeviceNumber) -> str | None:
        """Node of a block device (``/dev/loop0``, ``/dev/mapper/NAME``, ``/dev/sdb``), None if the machine has none."""
        ...


@frozen
class Process:
    """A running process."""

    pid: int
    program: str


class Processes(Protocol):
    """Who else is at work on the machine."""

    def using(self, program: str, directory: str) -> tuple[Process, ...]:
        """Processes of that program that hold something below a directory open, by number."""
        ...


class Machine(Protocol):
    """One machine."""

    @property
    def kind(self) -> Literal["kernel", "emulated"]:
        """Which of the two it is."""
        ...

    @property
    def description(self) -> str:
        """A short text for the screen, such as ``Linux 6.1.0-56-amd64`` or ``emulated in DIR``."""
        ...

    @property
    def device_mapper(self) -> DeviceMapper:
        """Its device-mapper."""
        ...

    @property
    def loops(self) -> LoopDevices:
        """Its loop devices."""
        ...

    @property
    def files(self) -> Files:
        """Its files."""
        ...

    @property
    def processes(self) -> Processes:
        """Its processes."""
        ...

    @property
    def filesystems(self) -> Filesystems:
        """Its file systems."""
        ...

    @property
    def thin_tools(self) -> ThinTools:
        """Its thin-provisioning-tools."""
        ...

    @property
    def programs(self) -> Programs:
        """Its other programs."""
        ...

    def now(self) -> float:
        """What its clock shows, in seconds since the epoch."""
        ...

    def standstill(self) -> int | None:
        """A number that is the same as before while no answer but the clock's can be another; cheap.

        None where only asking everything tells that, as of a kernel.
        """
        ...

    def close(self) -> None:
        """Let go of what is held open."""
        ...

"""File systems of the emulated machine: made, mounted and grown, with the blocks that this maps."""

from __future__ import annotations

import errno
import sqlite3
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace

from dmtui.machine.emulated import devices, kernellog, mounted, mountoptions
from dmtui.machine.emulated import filesystem_rules as rules
from dmtui.machine.emulated.device_io import DeviceIo
from dmtui.machine.emulated.files import normal
from dmtui.machine.emulated.holders import holding
from dmtui.machine.emulated.host import names_below
from dmtui.machine.emulated.layouts import KINDS, Layout, MkfsRefusesError, layout
from dmtui.machine.emulated.mounted import Entry, Filesystem, Home
from dmtui.machine.emulated.ranges import Range, without
from dmtui.machine.emulated.store import Store, set_setting, setting
from dmtui.machine.emulated.waiting import Waiting
from dmtui.machine.errors import FileMissingError, MachineError, machine_error
from dmtui.machine.filesystems import FilesystemFound, Mount
from dmtui.machine.mountwords import split_words
from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.units import SECTOR_BYTES

_UUIDS = uuid.UUID("6f0b5b8e-2f52-4d0a-9c39-646d74756900")
_WRITE_BYTES = 4096


class EmulatedFilesystems:
    """`Filesystems` of an emulated machine.

    A change is written at once, where a kernel would write it back later: a write that finds no space is an error of
    the very call, and undoes what the call did to the file system, not the blocks that it mapped.
    """

    def __init__(
        self,
        store: Store,
        io: DeviceIo,
        waiting: Waiting,
        open_device: Callable[[str], None],
        close_device: Callable[[str], None],
    ) -> None:
        self._store = store
        self._io = io
        self._waiting = waiting
        self._open_device = open_device
        self._close_device = close_device

    def why_unusable(self, kind: str) -> str:
        """See `Filesystems.why_unusable`."""
        return "" if kind in KINDS else f"mkfs.{kind} is not in PATH: the emulated machine has {' and '.join(KINDS)}"

    def make(self, device: str, kind: str, arguments: Sequence[str]) -> None:
        """See `Filesystems.make`.

        As the real ones do, both discard the device first unless told not to (``nodiscard``, ``-K``), mkfs.xfs wants
        ``-f`` to overwrite a file system, and ext4 leaves its inode tables for later without ``lazy_itable_init=0``.
        """
        if kind not in KINDS:
            raise FileMissingError(f"mkfs.{kind}", self.why_unusable(kind), "take xfs or ext4", errno.ENOENT)
        doing = f"making its {kind}"
        self._waiting.for_device(device, doing)
        with self._store.write() as connection:
            dev = rules.device(connection, device, doing)
            size_bytes = (devices.size_sectors(connection, dev) or 0) * SECTOR_BYTES
            try:
                rules.check_making(connection, dev, device, kind, arguments)
                plan = layout(kind, size_bytes, size_bytes, arguments)
            except MkfsRefusesError as refusal:
                raise MachineError(f"mkfs.{kind} {device}", str(refusal)) from None
            rules.readable(connection, dev, device, doing)
            place = mounted.home(connection, dev)
            if place is None:
                raise machine_error(errno.EIO, device, doing)
            discards = "-K" not in arguments and not any("nodiscard" in argument for argument in arguments)
            if discards:
                self._io.perform(connection, dev, 0, size_bytes, True)
            mounted.drop_filesystem(connection, place)
            stale = self._stale(connection, place, plan)
            error = self._write(connection, dev, plan.regions)
            if not error:
                self._io.sync(connection, dev)
                entries = {"lost+found": Entry(True, 0o700)} if kind == "ext4" else {}
                made = Filesystem(kind, _new_uuid(connection), size_bytes, size_bytes, 0, entries, stale)
                mounted.put_filesystem(connection, place, made)
                mounted.count_own_blocks(connection, place, mounted.held_blocks(connection, place))
        _tell(error, device, doing)

    def probe(self, device: str) -> FilesystemFound | None:
        """See `Filesystems.probe`."""
        doing = "looking for its file system"
        self._waiting.for_device(device, doing)
        with self._store.read() as connection:
            dev = rules.device(connection, device, doing)
            rules.readable(connection, dev, device, doing)
            found = mounted.filesystem_on(connection, dev)
        return found and FilesystemFound(found.kind, found.uuid)

    def grow(self, device: str, kind: str, directory: str) -> None:
        """See `Filesystems.grow`; ext4's new inode tables are written at once."""
        doing = f"growing its {kind}"
        self._waiting.for_device(device, doing)
        with self._store.write() as connection:
            dev = rules.device(connection, device, doing)
            mount = mounted.mount_at(connection, normal(directory))
            found = mounted.filesystem_on(connection, dev)
            if mount is None or mount.dev != dev or found is None or found.kind != kind:
                raise rules.refused(errno.EINVAL, device, doing, f"{directory} is not a mounted {kind} filesystem")
            rules.writable(mount, device, doing)
            size_bytes = (devices.size_sectors(connection, dev) or 0) * SECTOR_BYTES
            if size_bytes <= found.size_bytes:
                return
            plan = layout(kind, found.made_bytes, size_bytes, ("lazy_itable_init=0",))
            regions = [region for region in plan.regions if region[0] >= found.size_bytes]
            error = self._change(connection, dev, replace(found, size_bytes=size_bytes), plan, regions)
        _tell(error, device, doing)

    def mount(self, device: str, directory: str, kind: str, options: Sequence[str]) -> None:
        """See `Filesystems.mount`; unless it is read-only its log is written to, as any mount does."""
        asked = rules.MountRequest(device, normal(directory), kind, split_words(options))
        error: int | MachineError = 0
        self._waiting.for_device(device, asked.doing)
        with self._store.write() as connection:
            dev = rules.device(connection, device, asked.doing)
            rules.check_directory(connection, asked.directory, asked.doing)
            found = rules.mountable(connection, dev, asked)
            rules.check_others(connection, dev, found, asked)
            if not mounted.is_in_use(connection, dev):
                if not asked.read_only:
                    plan = layout(kind, found.made_bytes, found.size_bytes)
                    error = self._change(connection, dev, found, plan)
                if not error and dev.major == devices.DM_MAJOR:
                    self._open_device(_name(connection, dev))
            if not error:
                if not mounted.is_in_use(connection, dev):
                    kernellog.say(connection, *kernellog.of_mount(dev, kind))
                mounted.add_mount(connection, asked.directory, dev, kind, asked.options)
        _tell(error, device, asked.doing)

    def unmount(self, directory: str, *, lazy: bool = True) -> None:
        """See `Filesystems.unmount`: mounts below it go with it, and what a process holds of them lives on.

        Raises:
            DeviceBusyError: not lazy, and a process holds something of it, or something is mounted below.
        """
        directory = normal(directory)
        with self._store.write() as connection:
            mount = mounted.mount_at(connection, directory)
            if mount is None:
                rules.check_directory(connection, directory, "unmounting it")
                raise machine_error(errno.EINVAL, directory, "unmounting what is not mounted there")
            busy = holding(connection, mount.mount_id) or mounted.mounts_below(connection, mount)
            if busy and not lazy:
                raise machine_error(errno.EBUSY, directory, "unmounting it")
            for dev in mounted.end_mount(connection, directory):
                found = mounted.filesystem_on(connection, dev)
                if mounted.is_in_use(connection, dev):
                    continue
                if found is not None:
                    kernellog.say(connection, kernellog.of_unmount(dev, found.kind))
                if dev.major == devices.DM_MAJOR:
                    self._close_device(_name(connection, dev))

    def mounts(self) -> tuple[Mount, ...]:
        """See `Filesystems.mounts`."""
        with self._store.read() as connection:
            rows = mounted.mounts(connection)
        return tuple(
            Mount(row.mount_id, row.directory, row.dev, row.kind, mountoptions.printed(row.kind, row.options))
            for row in rows
        )

    def make_inside(self, directory: str, name: str, mode: int) -> None:
        """See `Filesystems.make_inside`."""
        self._put_inside(directory, name, Entry(True, mode))

    def write_inside(self, directory: str, name: str, text: str) -> None:
        """See `Filesystems.write_inside`."""
        self._put_inside(directory, name, Entry(False, 0o600, text))

    def _put_inside(self, directory: str, name: str, entry: Entry) -> None:
        doing = f"making {name} inside"
        with self._store.write() as connection:
            mount, made = rules.top(connection, directory, doing)
            if rules.is_there(made, directory, name, entry):
                return
            rules.writable(mount, directory, doing)
            plan = layout(made.kind, made.made_bytes, made.size_bytes)
            changed = replace(made, entries={**made.entries, name: entry})
            error = self._change(connection, mount.dev, changed, plan, [(plan.files_offset_bytes, _WRITE_BYTES)])
        _tell(error, directory, doing)

    def names_inside(self, directory: str) -> tuple[str, ...]:
        """See `Filesystems.names_inside`; of a directory where nothing is mounted the names on the host."""
        directory = normal(directory)
        with self._store.read() as connection:
            rules.check_directory(connection, directory, "looking inside")
            mount = mounted.mount_at(connection, directory)
            if mount is None:
                return names_below(connection, directory)
            made = mounted.filesystem_on(connection, mount.dev)
            return tuple(sorted(made.entries)) if made else ()

    def limit_retries(self, device: str, retries: int) -> None:
        """See `Filesystems.limit_retries`; `retry_limit` tells it, nothing else ever comes of it here."""
        doing = "limiting its retries"
        with self._store.write() as connection:
            dev = rules.device(connection, device, doing)
            found = mounted.filesystem_on(connection, dev)
            if found is None or found.kind != "xfs" or not mounted.mounts(connection, dev):
                raise MachineError(device, "is no mounted xfs: it has no limit for retries")
            mounted.set_retries(connection, dev, retries)

    def retry_limit(self, device: str) -> int | None:
        """The limit that `limit_retries` set on a mounted device, None for none."""
        with self._store.read() as connection:
            return mounted.retries(connection, rules.device(connection, device, "asking for its limit of retries"))

    def trim(self, directory: str) -> int:
        """See `Filesystems.trim`.

        The emulated file system knows of no removed files: what was mapped when it was made and written by nobody
        since is unmapped, every other block mapped beside its own writes counts as a file that is there.
        """
        doing = "discarding what its file system has free"
        with self._store.read() as connection:
            dev = rules.top(connection, directory, doing)[0].dev
        self._waiting.for_device(dev, doing)
        with self._store.write() as connection:
            mount, made = rules.top(connection, directory, doing)
            rules.readable(connection, mount.dev, directory, doing)
            if rules.ignores_discards(connection, mount.dev):
                raise rules.no_discards(directory)
            error: int | MachineError = 0
            for offset_bytes, length_bytes in made.stale:
                error = error or self._io.perform(connection, mount.dev, offset_bytes, length_bytes, True)
            free_bytes = mounted.space(connection, mount.dev).free_bytes
        _tell(error, directory, doing)
        return free_bytes

    def discard(self, device: str) -> None:
        """See `Filesystems.discard`."""
        doing = "discarding all of it"
        self._waiting.for_device(device, doing)
        with self._store.write() as connection:
            dev = rules.device(connection, device, doing)
            if rules.is_in_use(connection, dev):
                raise machine_error(errno.EBUSY, device, doing)
            size_bytes = (devices.size_sectors(connection, dev) or 0) * SECTOR_BYTES
            error = self._io.perform(connection, dev, 0, size_bytes, True)
            if not error:
                self._io.sync(connection, dev)
        if error == errno.EOPNOTSUPP:
            raise rules.no_discards(device)
        _tell(error, device, doing)

    def _change(
        self,
        connection: sqlite3.Connection,
        dev: DeviceNumber,
        made: Filesystem,
        plan: Layout,
        regions: Sequence[tuple[int, int]] = (),
    ) -> int | MachineError:
        """Write a change of a file system: first to its log, for ext4 to its superblock too, then what it needs."""
        place = mounted.home(connection, dev)
        assert place is not None  # noqa: S101 - a file system has one
        before = mounted.held_blocks(connection, place)
        journal = [(plan.log_offset_bytes, _WRITE_BYTES), *([(0, _WRITE_BYTES)] if made.kind == "ext4" else [])]
        error = self._write(connection, dev, [*journal, *regions])
        grown = mounted.held_blocks(connection, place) - before
        if not error:
            self._io.sync(connection, dev)  # what is in the log is on disk
            left = mounted.filesystem_on(connection, dev)
            mounted.put_filesystem(connection, place, replace(made, stale=left.stale if left else ()))
        mounted.count_own_blocks(connection, place, grown)
        return error

    def _stale(self, connection: sqlite3.Connection, place: Home, plan: Layout) -> tuple[Range, ...]:
        """What is mapped where a new file system will not write."""
        if not mounted.held_blocks(connection, place):
            return ()
        size = mounted.block_bytes(connection, place)
        stale = self._io.mapped(connection, place)
        for offset, length in plan.regions:
            stale = without(stale, offset // size * size, -(-(offset + length) // size) * size)
        return tuple(stale)

    def _write(
        self, connection: sqlite3.Connection, dev: DeviceNumber, regions: Sequence[tuple[int, int]]
    ) -> int | MachineError:
        for offset_bytes, length_bytes in regions:
            error = self._io.perform(connection, dev, offset_bytes, length_bytes, False)
            if error:
                return error
        return 0


def _tell(error: int | MachineError, subject: str, doing: str) -> None:
    if isinstance(error, MachineError):
        raise error
    if error:
        raise machine_error(error, subject, doing)


def _name(connection: sqlite3.Connection, dev: DeviceNumber) -> str:
    found = devices.by_minor(connection, dev.minor)
    assert found is not None  # noqa: S101 - what is open cannot be removed
    return found.name


def _new_uuid(connection: sqlite3.Connection) -> str:
    """A uuid of its own within the machine, the same in every run."""
    number = setting(connection, "next_filesystem", 1)
    set_setting(connection, "next_filesystem", number + 1)
    return str(uuid.uuid5(_UUIDS, str(number)))

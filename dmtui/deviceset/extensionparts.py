"""The two devices under a pool that is to be extended: what each has, what it is to have, what stands in the way.

Sizes are absolute, in bytes. Our own file is found under the pool by the numbers of devices and inodes, never by a
remembered name: the helper tool of the original takes the pool's loop device for the backing file, looks for a loop
device on top of it and fails.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from dmtui.deviceset.deviceset import DeviceSet
from dmtui.deviceset.plan import Step
from dmtui.deviceset.recognition import is_of_file, recognise
from dmtui.machine.errors import FileMissingError
from dmtui.machine.protocols import HostSpace
from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.errors import BadUsageError, DmtuiError
from dmtui.thinpool.sizes import format_size
from dmtui.thinpool.status import PoolFigures, PoolStatus
from dmtui.thinpool.table import PoolTable, Target
from dmtui.thinpool.units import MAX_METADATA_BLOCKS, METADATA_BLOCK_BYTES, SECTOR_BYTES, sectors_to_bytes
from dmtui.thinpool.values import frozen

What = Literal["data", "metadata"]


@frozen
class PoolFound:
    """A pool as it is before its extension: its live table line, read and unread, and its status."""

    target: Target
    table: PoolTable
    status: PoolStatus
    figures: PoolFigures

    @classmethod
    def look(cls, devices: DeviceSet) -> PoolFound:
        """Look at the pool of a device set.

        Raises:
            PoolAbsentError: it is not active.
            PoolUnusableError: it has failed, or is no thin pool.
        """
        figures, table = devices.pool.figures(), devices.pool.table()
        (target,) = devices.pool.mapper.table(devices.pool.name).targets
        return cls(target, table, devices.pool.status(), figures)

    def blocks(self, what: What) -> int:
        """Blocks that the pool has of data or of metadata."""
        return (self.figures.data if what == "data" else self.figures.metadata).total_blocks

    def block_bytes(self, what: What) -> int:
        """Size of such a block."""
        return self.table.block_bytes if what == "data" else METADATA_BLOCK_BYTES

    def least_bytes(self, what: What) -> int:
        """What the pool has taken of that device."""
        return (
            sectors_to_bytes(self.target.length_sectors) if what == "data" else self.blocks(what) * METADATA_BLOCK_BYTES
        )


@frozen
class Part:
    """One of the two devices on its way to a new size.

    Attributes:
        path: our file, or the block device that was given.
        loop: the loop device of our file, empty for a device that was given.
        size_bytes: of the file or device as it was found: what an undone extension goes back to.
        stale: the loop device has another size than its file is to have.
        present_blocks: what the pool has of it.
        wanted_blocks: what the pool is to have of it.
    """

    what: What
    path: str
    loop: str
    size_bytes: int
    stale: bool
    wanted_bytes: int
    present_blocks: int
    wanted_blocks: int
    notices: tuple[str, ...] = ()

    @property
    def grows(self) -> bool:
        """Whether there is anything to do for the pool."""
        return self.wanted_blocks > self.present_blocks

    def undone_to(self, size_bytes: int | None) -> Part:
        """The same, with the size that its file had before a killed process grew it."""
        known = self.size_bytes if size_bytes is None else min(size_bytes, self.size_bytes)
        return replace(self, size_bytes=known)


def find_part(devices: DeviceSet, found: PoolFound, what: What, asked_bytes: int | None) -> Part | None:
    """What an extension has to do about one device; None for our own file when no size is asked for.

    Raises:
        BadUsageError: the size is below the present one, or none that can be.
        DmtuiError: the pool stands on something else than our file or the device that was given.
    """
    dev = DeviceNumber.parse(found.table.data_device if what == "data" else found.table.metadata_device)
    options = devices.options
    given = options.data_device if what == "data" else options.metadata_device
    if given is None and asked_bytes is None:
        return None
    if asked_bytes is not None:
        _check_size(found, what, asked_bytes)
    under = _given(devices, what, given, dev) if given else _our_file(devices, what, dev)
    wanted_bytes = under.size_bytes if asked_bytes is None else asked_bytes
    if given:
        _check_given(found, what, given, under.size_bytes, wanted_bytes)
    elif wanted_bytes < under.size_bytes:
        raise _shrinks(what, wanted_bytes, under.size_bytes)
    wanted_blocks = wanted_bytes // found.block_bytes(what)
    if what == "metadata":
        wanted_blocks = min(wanted_blocks, MAX_METADATA_BLOCKS)
    stale = bool(under.loop) and devices.machine.files.device_size_bytes(dev) != wanted_bytes
    present_blocks = found.blocks(what)
    part = Part(what, under.path, under.loop, under.size_bytes, stale, wanted_bytes, present_blocks, wanted_blocks)
    return replace(part, notices=_notices(found, part, under))


def enlarging_steps(devices: DeviceSet, part: Part) -> tuple[Step, ...]:
    """Grow our file and let its loop device take over the new size; undone for as long as the pool has not taken it."""
    if not part.loop:
        return ()
    files, loops = devices.machine.files, devices.machine.loops
    steps: list[Step] = []
    if part.size_bytes < part.wanted_bytes:
        steps.append(
            Step(
                f"grow the {part.what} file {part.path} to {format_size(part.wanted_bytes)}",
                lambda: files.resize_file(part.path, part.wanted_bytes),
                f"truncate --size {part.wanted_bytes} {part.path}",
                lambda: give_back(devices, part),
            )
        )
    if part.stale:
        text = f"let {part.loop} take over the new size"
        steps.append(Step(text, lambda: loops.refresh_capacity(part.loop), f"losetup -c {part.loop}"))
    return tuple(steps)


def give_back(devices: DeviceSet, part: Part) -> None:
    """Cut our file to what it was; nothing where it is a device that was given.

    Raises:
        DmtuiError: the pool has taken it.
    """
    if not part.loop:
        return
    if PoolFound.look(devices).blocks(part.what) > part.present_blocks:
        raise DmtuiError(part.path, "stays as large as it is: the pool has taken it")
    devices.machine.files.resize_file(part.path, part.size_bytes)
    devices.machine.loops.refresh_capacity(part.loop)


def enlarge_file(devices: DeviceSet, what: What, size_bytes: int | None) -> bool:
    """Give our file that size while no pool is active, if it is smaller; whether it was."""
    files, loops, options = devices.machine.files, devices.machine.loops, devices.options
    path = devices.graph.data_file if what == "data" else devices.graph.metadata_file
    given = options.data_device if what == "data" else options.metadata_device
    if size_bytes is None or given is not None:
        return False
    try:
        file = files.identify(path)
    except FileMissingError:
        return False
    smaller = file.size_bytes < size_bytes and not file.is_block_device
    if smaller:
        files.resize_file(path, size_bytes)
    for loop in loops.list_bound():
        if is_of_file(loop, file):
            loops.refresh_capacity(loop.path)
    return smaller


@frozen
class _Under:
    """What is under one of the pool's devices, and what is odd about it; `loop` is empty for a device given."""

    path: str
    loop: str
    size_bytes: int
    host: HostSpace | None = None
    finding: str = ""


def _check_size(found: PoolFound, what: What, asked_bytes: int) -> None:
    least = found.least_bytes(what)
    if asked_bytes < least:
        raise _shrinks(what, asked_bytes, least)
    if asked_bytes % SECTOR_BYTES:
        raise BadUsageError(f"{what} size {asked_bytes}", "is no whole number of sectors", "give a multiple of 512")
    most = MAX_METADATA_BLOCKS * METADATA_BLOCK_BYTES
    if what == "metadata" and asked_bytes > most:
        raise BadUsageError(
            f"metadata size {asked_bytes}", "is more than the kernel ever uses of metadata", f"give at most {most}"
        )


def _shrinks(what: What, asked_bytes: int, least_bytes: int) -> BadUsageError:
    least = f"{least_bytes} ({format_size(least_bytes)})"
    return BadUsageError(
        f"{what} size {asked_bytes}", f"is less than it has, {least}: a pool never shrinks", "give at least that"
    )


def _our_file(devices: DeviceSet, what: What, dev: DeviceNumber) -> _Under:
    path = devices.graph.data_file if what == "data" else devices.graph.metadata_file
    known = recognise(devices.machine.files, devices.machine.loops.list_bound(), dev, path, what)
    if known.device is None:
        raise DmtuiError(
            f"pool {devices.pool.name}",
            f"does not stand on the {what} file of this graph directory: {known.finding}",
            f"name the pool's own device with dm.{what}dev, or give the graph directory that it belongs to",
        )
    size_bytes = devices.machine.files.identify(path).size_bytes
    return _Under(path, known.device, size_bytes, known.host, known.finding)


def _given(devices: DeviceSet, what: What, path: str, dev: DeviceNumber) -> _Under:
    try:
        rdev = devices.machine.files.identify(path).rdev
    except FileMissingError:
        raise BadUsageError(f"dm.{what}dev {path}", "does not exist", "give the pool's block device") from None
    if rdev != dev:
        is_another = f"is not the pool's {what} device, which is {dev}"
        raise BadUsageError(f"dm.{what}dev {path}", is_another, "give the pool's own, or leave the option out")
    return _Under(path, "", devices.machine.files.device_size_bytes(dev) or 0)


def _check_given(found: PoolFound, what: What, path: str, size_bytes: int, wanted_bytes: int) -> None:
    least = found.least_bytes(what)
    if size_bytes < least:
        raise DmtuiError(
            f"dm.{what}dev {path}", f"has {size_bytes} bytes, the pool takes {least} of it", "make it that large again"
        )
    if size_bytes != wanted_bytes:
        raise BadUsageError(
            f"dm.{what}dev {path}",
            f"has {size_bytes} bytes, not {wanted_bytes}",
            "change its size by its own tools (lvextend -L SIZE VG/LV) first, then leave the size out here",
        )


def _notices(found: PoolFound, part: Part, under: _Under) -> tuple[str, ...]:
    if not part.grows:
        has = f"has {part.present_blocks} blocks"
        return (f"nothing to do for the {part.what}: the pool {has} already, {part.wanted_bytes} bytes make no more",)
    notices = [under.finding] if under.finding else []
    rest = part.wanted_bytes - part.wanted_blocks * found.block_bytes(part.what)
    if rest:
        notices.append(f"the last {rest} bytes of the {part.what} stay unused: they make no whole block")
    growth = part.wanted_bytes - part.size_bytes
    if under.host is not None and under.host.available_bytes < growth:
        left = format_size(under.host.available_bytes)
        notices.append(
            f"{part.path} is sparse and grows by {format_size(growth)}, its file system has {left} left: it may fill up"
        )
    return tuple(notices)

"""What of a device set is active now, recorded or not, and who beside our own mounts has it open."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from dmtui.deviceset.deviceset import DeviceSet
from dmtui.machine.errors import DeviceMissingError
from dmtui.machine.filesystems import Mount
from dmtui.machine.protocols import DeviceReading
from dmtui.thinpool.values import frozen


@frozen
class Standing:
    """An active device.

    Attributes:
        name: on file, empty for the base device.
        device: its device-mapper name.
        reading: its state and live table.
        mounted: it is mounted at its place of the graph directory.
        held_by: how others hold it, in words; empty where nobody does.
    """

    name: str
    device: str
    reading: DeviceReading
    mounted: bool
    held_by: str


def look(devices: DeviceSet) -> list[Standing]:
    """Every active device of the set by its name: the mounted ones first, the base last."""
    mounts = devices.machine.filesystems.mounts()
    found: list[Standing] = []
    for name in devices.active_names():
        device = devices.device(name)
        with suppress(DeviceMissingError):
            reading = devices.machine.device_mapper.table(device)
            found.append(_standing(devices, name, reading, mounts))
    return sorted(found, key=lambda each: (not each.mounted, not each.name))


def openers(count: int) -> str:
    """How often something is open, in words."""
    return "open once" if count == 1 else f"open {count} times"


def _standing(devices: DeviceSet, name: str, reading: DeviceReading, mounts: Sequence[Mount]) -> Standing:
    ours = devices.mount(name)
    of_device = [mount for mount in mounts if mount.dev == reading.info.dev]
    elsewhere = [mount.directory for mount in of_device if ours is None or mount.mount_id != ours.mount_id]
    # All mounts of one namespace together have a device open once.
    others = reading.info.open_count - bool(of_device)
    held = [*([openers(others) + " by others"] if others > 0 else []), *(f"mounted at {each}" for each in elsewhere)]
    return Standing(name, devices.device(name), reading, ours is not None, " and ".join(held))

"""Activating and deactivating a device: its node in device-mapper. Its data stay in the pool.

Source: activateDeviceIfNeeded, deactivateDevice, cancelDeferredRemoval of the original. Mended: an active node is
compared with its record, and a wait says what it waits for.
"""

from __future__ import annotations

from dmtui.deviceset.deviceset import DeviceSet, title
from dmtui.deviceset.intents import Intent
from dmtui.deviceset.plan import Plan, Step
from dmtui.deviceset.standing import openers
from dmtui.machine.errors import DeviceBusyError, DeviceMissingError
from dmtui.machine.protocols import DeviceInfo
from dmtui.thinpool.errors import DmtuiError
from dmtui.thinpool.names import UUID_PREFIX
from dmtui.thinpool.sizes import format_size
from dmtui.thinpool.table import THIN, ThinTable
from dmtui.thinpool.units import bytes_to_sectors

CANCEL_MESSAGE = "@cancel_deferred_remove"
_CANCEL_SHARE = 0.5
"""The original tries a cancelling half as long as a removal."""
_UDEV_SHARE = 0.1
"""How much of that patience udev gets, which looks at a device whenever a writer has closed it."""


def plan_activate(devices: DeviceSet, name: str) -> Plan:
    """Plan the activation of a device; nothing to do where it is active.

    Raises:
        MissingError: it is not recorded, or its pool is not active.
        DmtuiError: it waits for its deletion, or is active as another thin id than its record says.
    """
    devices.pool.require()
    steps = activation_steps(devices, name)
    return Plan("activate", title(name), steps, () if steps else ("is active already",), (name,), builds_on=(name,))


def plan_deactivate(devices: DeviceSet, name: str, *, deferred: bool = False) -> Plan:
    """Plan the deactivation of a device; nothing to do where it is not active.

    Raises:
        MissingError: it is not recorded.
        DmtuiError: it is mounted at its place in the graph directory.
    """
    devices.record(name)
    info = devices.active(name)
    if info is None:
        return Plan("deactivate", title(name), (), ("is not active",), touches=(name,))
    mount = devices.mount(name)
    if mount is not None:
        raise DmtuiError(
            f"device {title(name)}", f"is mounted at {mount.directory}", f"`dmtui device unmount {title(name)}` first"
        )
    notices = (f"it is {openers(info.open_count)}",) if info.open_count else ()
    step = deactivation_step(devices, name, deferred=deferred)
    return Plan("deactivate", title(name), (step,), notices, (name,), (Intent(name, "deactivate"),))


def activation_steps(
    devices: DeviceSet, name: str, *, size_bytes: int | None = None, even_deleted: bool = False
) -> tuple[Step, ...]:
    """The steps that make a device active, of its recorded size or another; none where it is."""
    record = devices.record(name)
    if record.deleted and not even_deleted:
        raise DmtuiError(f"device {title(name)}", "waits for its deletion", "`dmtui pool reap` tries it now")
    info = devices.active(name)
    if info is not None:
        _check_active(devices, name)
        return (cancel_step(devices, name),) if info.deferred_remove else ()
    return (activate_step(devices, name, size_bytes or record.size_bytes),)


def activate_step(devices: DeviceSet, name: str, size_bytes: int, planned_id: int = 0) -> Step:
    """Make a device active with that size; undone by removing its node.

    `planned_id` is shown for a device that is to be recorded by an earlier step of the same plan.
    """
    device, mapper = devices.device(name), devices.machine.device_mapper
    uuid = f"{UUID_PREFIX}{device}"
    known = devices.state.records.get(name)
    planned = ThinTable(devices.pool.path, known.device_id if known else planned_id).target(
        bytes_to_sectors(size_bytes)
    )

    def act() -> None:
        table = ThinTable(devices.pool.path, devices.record(name).device_id)
        mapper.create(device, [table.target(bytes_to_sectors(size_bytes))], uuid=uuid)

    command = f"dmsetup create {device} --uuid {uuid} --table '{planned}'"
    return Step(f"activate {device}, {format_size(size_bytes)}", act, command, lambda: _remove(devices, name))


def deactivation_step(devices: DeviceSet, name: str, *, deferred: bool) -> Step:
    """Remove a device's node, waiting while it is busy; deferred: as soon as nobody has it open.

    A device that only udev looks at for a moment goes at once in either case: what follows may count on that.
    Undone by activating it again, where it has gone; one that was on its way out before stays so.
    """
    device, info = devices.device(name), devices.active(name)
    text = f"deactivate {device}" + (" as soon as nobody has it open" if deferred else "")
    held, was_going = deferred and _is_held(devices, name), info is not None and info.deferred_remove

    def act() -> None:
        if held:
            _remove(devices, name, deferred=True)
            return
        try:
            _remove(devices, name, share=_UDEV_SHARE if deferred else 1.0)
        except DeviceBusyError:
            if not deferred:
                raise
            _remove(devices, name, deferred=True)

    def undo() -> None:
        for step in () if was_going else activation_steps(devices, name, even_deleted=True):
            step.act()

    command = f"dmsetup remove {'--deferred ' if deferred else ''}{device}"
    return Step(text, act, command, undo, slow=not held)


def cancel_step(devices: DeviceSet, name: str) -> Step:
    """Cancel a deferred removal; undone by asking for it again."""
    device, mapper = devices.device(name), devices.machine.device_mapper

    def cancel() -> None:
        mapper.message(device, CANCEL_MESSAGE)

    return Step(
        f"keep {device}, whose removal is deferred",
        lambda: devices.patience.retry(cancel, lambda: f"{device}, which is being removed", share=_CANCEL_SHARE),
        f"dmsetup message {device} 0 '{CANCEL_MESSAGE}'",
        lambda: mapper.remove(device, deferred=True),
    )


def _is_held(devices: DeviceSet, name: str) -> bool:
    """Whether somebody else than our own mount has a device open."""
    info = devices.active(name)
    return info is not None and info.open_count > (devices.mount(name) is not None)


def _remove(devices: DeviceSet, name: str, *, deferred: bool = False, share: float = 1.0) -> None:
    device, mapper = devices.device(name), devices.machine.device_mapper

    def remove() -> None:
        try:
            mapper.remove(device, deferred=deferred)
        except DeviceMissingError:
            return

    devices.patience.retry(remove, lambda: f"{device}, {_openers(devices.active(name))}", share=share)


def _openers(info: DeviceInfo | None) -> str:
    return "which has just gone" if info is None else openers(info.open_count)


def _check_active(devices: DeviceSet, name: str) -> None:
    """An active node must be the device of the record: the original takes whatever has the name."""
    record = devices.record(name)
    targets = devices.machine.device_mapper.table(devices.device(name)).targets
    if len(targets) != 1 or targets[0].type != THIN or not targets[0].params.split()[1:]:
        return  # a failed pool's thins do not tell
    thin_id = ThinTable.parse(targets[0].params).thin_id
    if thin_id != record.device_id:
        raise DmtuiError(
            f"device {title(name)}",
            f"is active as thin id {thin_id}, its record says {record.device_id}",
            "`dmtui pool reconcile` tells more; deactivate it first",
        )

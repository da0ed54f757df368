"""Creating a device: a snapshot of its parent, or of the base device, of the parent's size or larger.

Source: AddDevice of the original. Mended: a device whose file system cannot be grown to its size is undone, and a
host file system that has less room than the gate asks for is told of.
"""

from __future__ import annotations

from contextlib import suppress

from dmtui.deviceset.activation import cancel_step
from dmtui.deviceset.devicenames import check_new_name
from dmtui.deviceset.deviceset import DeviceSet, title
from dmtui.deviceset.growth import growth_steps
from dmtui.deviceset.intents import Intent
from dmtui.deviceset.plan import Plan, Step
from dmtui.deviceset.records import DeviceRecord
from dmtui.deviceset.transactions import OpenTransaction
from dmtui.machine.errors import DeviceMissingError, MachineError
from dmtui.thinpool.errors import BadUsageError, DmtuiError
from dmtui.thinpool.sizes import format_size
from dmtui.thinpool.units import SECTOR_BYTES

CREATE = "create"
LET_GO = "let go"


class NoRoomError(DmtuiError):
    """The pool has less free space than the gate asks for."""


def plan_create(devices: DeviceSet, name: str, parent: str = "", size_bytes: int | None = None) -> Plan:
    """Plan a snapshot of `parent` (the base device when empty), of the parent's size or larger, in bytes (0: that).

    Raises:
        BadUsageError: a name that cannot be, or a size that is none.
        MissingError: the parent is not recorded.
        PoolUnusableError: the pool takes no messages.
        NoRoomError: less free space than the gate asks for.
        DmtuiError: the name is taken, or the parent waits for its deletion.
    """
    check_new_name(name, devices.graph.prefix)
    origin = devices.record(parent)
    _check(devices, name, origin, size_bytes)
    devices.pool.require_messages()
    size = size_bytes or origin.size_bytes
    record = DeviceRecord(name, devices.state.ids.next_free(), size, 0, False, False)
    made = OpenTransaction(devices, record)
    text = f"make thin id {record.device_id} a snapshot of {origin.device_id} ({title(parent)})"
    snapshot = made.make_step(lambda thin_id: f"create_snap {thin_id} {origin.device_id}", text)
    growth = growth_steps(devices, name, size, record.device_id) if size > origin.size_bytes else ()
    steps = (
        made.open_step(),
        *_around(devices, parent, snapshot),
        made.record_step(parent),
        made.close_step(),
        *growth,
    )
    intents = [Intent(name, CREATE)] if growth else []
    if _is_going(devices, parent):
        intents.append(Intent(parent, LET_GO))
    return Plan(CREATE, name, steps, _host_notice(devices), (name, parent), tuple(intents), (parent,))


def let_go(devices: DeviceSet, name: str) -> None:
    """Ask again for the removal of a device, as soon as nobody has it open; one that has gone is gone."""
    with suppress(DeviceMissingError):
        devices.machine.device_mapper.remove(devices.device(name), deferred=True)


def _is_going(devices: DeviceSet, name: str) -> bool:
    info = devices.active(name)
    return info is not None and info.deferred_remove


def _check(devices: DeviceSet, name: str, origin: DeviceRecord, size_bytes: int | None) -> None:
    known = devices.state.records.get(name)
    if known is not None:
        waiting = " and waits for its deletion" if known.deleted else ""
        raise DmtuiError(f"device {name}", f"exists{waiting}", "choose another name")
    if origin.deleted:
        raise DmtuiError(f"device {title(origin.hash_name)}", "waits for its deletion", "choose another parent")
    if origin.hash_name == "" and not origin.initialized:
        raise DmtuiError("device base", "was never finished", "`dmtui pool create` makes it anew")
    if size_bytes and size_bytes < origin.size_bytes:
        least = f"{origin.size_bytes} bytes ({format_size(origin.size_bytes)})"
        raise BadUsageError(
            f"size {size_bytes}", f"is less than that of its parent, {title(origin.hash_name)}", f"give {least} or more"
        )
    if size_bytes and size_bytes % SECTOR_BYTES:
        raise BadUsageError(f"size {size_bytes}", "is no whole number of sectors", "give a multiple of 512")
    _check_room(devices)


def _check_room(devices: DeviceSet) -> None:
    percent = devices.options.min_free_percent
    if percent == 0:
        return
    figures = devices.pool.figures()
    for what, usage in (("data", figures.data), ("metadata", figures.metadata)):
        needed = max(1, usage.total_blocks * percent // 100)
        if usage.free_blocks < needed:
            raise NoRoomError(
                f"pool {devices.pool.name}",
                f"has {usage.free_blocks} free {what} blocks, the gate asks for {needed}",
                "extend the pool, remove devices, or lower dm.min_free_space",
            )


def _host_notice(devices: DeviceSet) -> tuple[str, ...]:
    """The gate over the host's file system, which a sparse file draws on: the original never looks there."""
    percent, graph = devices.options.min_free_percent, devices.graph
    if percent == 0 or devices.options.data_device or devices.options.external_pool_name:
        return ()
    try:
        available = devices.machine.files.space(graph.data_file).available_bytes
        total = devices.machine.files.identify(graph.data_file).size_bytes
    except MachineError:
        return ()
    needed = total * percent // 100
    if available >= needed:
        return ()
    left, asked = format_size(available), format_size(needed)
    return (f"the file system of {graph.data_file} has {left} left, the gate asks for {asked}",)


def _around(devices: DeviceSet, parent: str, snapshot: Step) -> tuple[Step, ...]:
    """An active origin must be suspended for a consistent image (kernel document), and must not go meanwhile."""
    info = devices.active(parent)
    if info is None:
        return (snapshot,)
    steps = (snapshot,) if info.suspended else _suspended(devices, parent, snapshot)
    if not info.deferred_remove:
        return steps
    device = devices.device(parent)
    text, command = f"let {device} go as before", f"dmsetup remove --deferred {device}"
    again = Step(text, lambda: let_go(devices, parent), command)
    return (cancel_step(devices, parent), *steps, again)


def _suspended(devices: DeviceSet, parent: str, snapshot: Step) -> tuple[Step, ...]:
    device, mapper = devices.device(parent), devices.machine.device_mapper
    suspend = Step(
        f"suspend {device}, so that the image is consistent",
        lambda: mapper.suspend(device),
        f"dmsetup suspend {device}",
        lambda: mapper.resume(device),
        frees=True,
    )
    return (suspend, snapshot, Step(f"resume {device}", lambda: mapper.resume(device), f"dmsetup resume {device}"))

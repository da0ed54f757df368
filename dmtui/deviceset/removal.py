"""Removing a device and its data: at once, or as soon as nobody has it open.

Source: DeleteDevice, deleteDevice and cleanupDeletedDevices of the original. Mended: the discard happens under a
claim that the next start honours, so that a device whose data are gone does not stay behind as if it were whole; a
device mounted by us is not removed under its users.
"""

from __future__ import annotations

from dmtui.deviceset.activation import activate_step, cancel_step, deactivation_step
from dmtui.deviceset.deviceset import DeviceSet, title
from dmtui.deviceset.intents import Intent
from dmtui.deviceset.plan import Plan, Step
from dmtui.deviceset.standing import openers
from dmtui.deviceset.transactions import OpenTransaction
from dmtui.machine.errors import DeviceBusyError, FileMissingError, MachineError
from dmtui.thinpool.errors import DmtuiError

REMOVE = "remove"
_TRANSACTION_STEPS = 3


def plan_remove(devices: DeviceSet, name: str, *, discard: bool | None = None, deferring: bool | None = None) -> Plan:
    """Plan the removal of a device and all its data; its snapshots keep theirs.

    `discard` and `deferring` stand for ``dm.blkdiscard`` and ``dm.use_deferred_deletion`` where they are not None.

    Raises:
        MissingError: it is not recorded.
        PoolUnusableError: the pool takes no messages: its data would be discarded, and its id stay.
        DmtuiError: it is mounted at its place in the graph directory.
    """
    devices.record(name)
    devices.pool.require()
    devices.pool.require_messages()
    mount = devices.mount(name)
    if mount is not None:
        raise DmtuiError(
            f"device {title(name)}", f"is mounted at {mount.directory}", f"`dmtui device unmount {title(name)}` first"
        )
    deferring = devices.ruling.deferred_deletion if deferring is None else deferring
    discarding = devices.ruling.discard_on_delete if discard is None else discard
    steps = removal_steps(devices, name, discard=discarding, deferring=deferring)
    # A transaction alone survives by itself; what is before and after it does not.
    intents = (Intent(name, REMOVE, ends=True),) if len(steps) > _TRANSACTION_STEPS else ()
    return Plan(REMOVE, title(name), steps, _notices(devices, name), (name,), intents)


def removal_steps(devices: DeviceSet, name: str, *, discard: bool, deferring: bool) -> tuple[Step, ...]:
    """The steps of a removal: discard, deactivate, delete in a transaction, remove the mount point."""
    record, info = devices.record(name), devices.active(name)
    steps: list[Step] = []
    if discard and (info is None or info.open_count == 0):
        if info is None:
            steps.append(activate_step(devices, name, record.size_bytes))
        elif info.deferred_remove:
            steps.append(cancel_step(devices, name))
        steps.append(_discard_step(devices, name))
    if info is not None or steps:
        steps.append(deactivation_step(devices, name, deferred=deferring))
    removal = OpenTransaction(devices, record)
    steps += [removal.open_step(), removal.delete_step(deferring=deferring), removal.close_step()]
    point = devices.mount_point(name)
    if name and _is_there(devices, point):
        text = f"remove the mount point {point}"
        steps.append(Step(text, lambda: remove_mount_point(devices, name), f"rmdir {point}"))
    return tuple(steps)


def remove_mount_point(devices: DeviceSet, name: str) -> None:
    """Remove the mount point of a device that is gone; an orphaned one is harmless: the original only warns."""
    try:
        devices.machine.files.remove_directory(devices.mount_point(name))
    except FileMissingError:
        pass
    except MachineError as error:
        devices.patience.tell(f"the mount point stays: {error}")


def flagged(devices: DeviceSet) -> list[str]:
    """The devices that wait for their deferred deletion, by thin id."""
    waiting = [record for record in devices.state.records.values() if record.deleted]
    return [record.hash_name for record in sorted(waiting, key=lambda record: record.device_id)]


def _notices(devices: DeviceSet, name: str) -> tuple[str, ...]:
    children = sorted(child for child, parent in devices.state.parents.items() if parent == name)
    notices = [f"all data of {title(name)} are lost"]
    if not name:
        notices.append("nothing can be made from the base any more: `dmtui pool create` makes another")
    if children:
        notices.append(f"its snapshots stay whole: {', '.join(children)}")
    info = devices.active(name)
    if info is not None and info.open_count:
        then = "its deletion is put off" if devices.ruling.deferred_deletion else "it cannot be removed until then"
        notices.append(f"it is {openers(info.open_count)}: {then}")
    return tuple(notices)


def _discard_step(devices: DeviceSet, name: str) -> Step:
    """Errors are no reason to keep the device: what is not discarded is freed by the deletion all the same."""
    node = devices.node(name)

    def act() -> None:
        try:
            devices.machine.filesystems.discard(node)
        except DeviceBusyError:
            devices.patience.tell(f"{node} was opened meanwhile, so it is not discarded")
        except MachineError as error:
            devices.patience.tell(f"not discarded: {error}")

    return Step(f"discard all of {devices.device(name)}", act, f"blkdiscard {node}", slow=True, irrevocable=True)


def _is_there(devices: DeviceSet, path: str) -> bool:
    try:
        devices.machine.files.identify(path)
    except FileMissingError:
        return False
    return True

"""What becomes of an operation whose process was killed: finished or undone, by its intent on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from dmtui.deviceset.activation import deactivation_step
from dmtui.deviceset.base import GROW_BASE, MAKE_BASE, grow_base_steps, undo_base
from dmtui.deviceset.creation import CREATE, LET_GO, let_go
from dmtui.deviceset.deviceset import DeviceSet, title
from dmtui.deviceset.extension import EXTEND, settle_extension
from dmtui.deviceset.growth import growth_steps, unmount_growing
from dmtui.deviceset.intents import Intent
from dmtui.deviceset.lvmsetup import SET_UP
from dmtui.deviceset.lvmundo import undo_setup
from dmtui.deviceset.mounting import MOUNT, UNMOUNT, mount_is_counted, undo_mount
from dmtui.deviceset.plan import Plan, Step, perform
from dmtui.deviceset.removal import REMOVE, removal_steps, remove_mount_point
from dmtui.deviceset.shutdown import REMOVE_POOL, settle_pool_removal
from dmtui.deviceset.snapshot import READ_METADATA, settle_snapshot
from dmtui.deviceset.startundo import CREATE_POOL, undo_start


def settle(devices: DeviceSet, intent: Intent) -> str | None:
    """Finish or undo an operation that was killed; returns what was done (empty: nothing), None if it must wait.

    Raises:
        DmtuiError: it cannot be done now.
    """
    settling = _SETTLING.get(intent.operation)
    return settling(devices, intent) if settling else ""


def _has_pool(devices: DeviceSet) -> bool:
    return devices.pool.exists() and devices.pool.gives_figures()


def _do(devices: DeviceSet, intent: Intent, steps: Iterable[Step]) -> None:
    perform(Plan(intent.operation, title(intent.name), tuple(steps)), _untold)


def _untold(_: object) -> None:
    """Nobody watches a recovery: its notes tell."""


def _deactivate(devices: DeviceSet, name: str) -> None:
    if devices.active(name) is not None:
        deactivation_step(devices, name, deferred=devices.ruling.deferred_removal).act()


def _finish_growth(devices: DeviceSet, intent: Intent, steps: Callable[[], tuple[Step, ...]]) -> None:
    unmount_growing(devices, intent.name)
    if devices.active(intent.name) is not None:
        deactivation_step(devices, intent.name, deferred=False).act()
    _do(devices, intent, steps())


def _settle_creation(devices: DeviceSet, intent: Intent) -> str | None:
    """The device is there, but was it grown? Growing what is grown changes nothing."""
    name = intent.name
    if name not in devices.state.records:
        return ""
    if not _has_pool(devices):
        return None
    _finish_growth(devices, intent, lambda: growth_steps(devices, name, devices.record(name).size_bytes))
    return f"the creation of {name} was finished"


def _settle_letting_go(devices: DeviceSet, intent: Intent) -> str | None:
    if devices.active(intent.name) is None:
        return ""
    let_go(devices, intent.name)
    return f"{title(intent.name)} goes as soon as nobody has it open, as before"


def _settle_base_growth(devices: DeviceSet, intent: Intent) -> str | None:
    size = intent.details.get("size_bytes")
    if not isinstance(size, int) or "" not in devices.state.records:
        return ""
    if not _has_pool(devices):
        return None
    _finish_growth(devices, intent, lambda: grow_base_steps(devices, size))
    return "the growth of the base device was finished"


def _settle_base_making(devices: DeviceSet, intent: Intent) -> str | None:
    record = devices.state.records.get(intent.name)
    if record is None:
        return ""
    if not _has_pool(devices):
        return None
    if record.initialized:
        _deactivate(devices, intent.name)
        return ""
    undo_base(devices)
    return "the base device was not finished and is undone"


def _settle_removal(devices: DeviceSet, intent: Intent) -> str | None:
    """Its data may be gone already: there is no way back."""
    if intent.name not in devices.state.records:
        if intent.name:
            remove_mount_point(devices, intent.name)
        return ""
    if not _has_pool(devices):
        return None
    deferring = devices.ruling.deferred_deletion
    _do(devices, intent, removal_steps(devices, intent.name, discard=False, deferring=deferring))
    return f"the removal of {title(intent.name)} was finished"


def _settle_mount(devices: DeviceSet, intent: Intent) -> str | None:
    if mount_is_counted(devices, intent.name):
        return ""
    undo_mount(devices, intent.name)
    if intent.details.get("activates"):
        _deactivate(devices, intent.name)
    return f"the mount of {title(intent.name)} was undone"


def _settle_unmount(devices: DeviceSet, intent: Intent) -> str | None:
    if devices.mount(intent.name) is not None:
        return ""  # it had not begun
    undo_mount(devices, intent.name)
    _deactivate(devices, intent.name)
    return f"the unmount of {title(intent.name)} was finished"


_SETTLING: dict[str, Callable[[DeviceSet, Intent], str | None]] = {
    CREATE_POOL: undo_start,
    SET_UP: undo_setup,
    CREATE: _settle_creation,
    LET_GO: _settle_letting_go,
    GROW_BASE: _settle_base_growth,
    MAKE_BASE: _settle_base_making,
    REMOVE: _settle_removal,
    MOUNT: _settle_mount,
    UNMOUNT: _settle_unmount,
    READ_METADATA: settle_snapshot,
    EXTEND: settle_extension,
    REMOVE_POOL: settle_pool_removal,
}

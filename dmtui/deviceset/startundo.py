"""Undoing a start of a device set that was killed in the middle."""

from __future__ import annotations

from contextlib import suppress

from dmtui.deviceset.activation import deactivation_step
from dmtui.deviceset.base import forget_filesystem, undo_base
from dmtui.deviceset.deviceset import DeviceSet
from dmtui.deviceset.intents import Intent
from dmtui.machine.errors import FileMissingError

CREATE_POOL = "create pool"


def undo_start(devices: DeviceSet, intent: Intent) -> str | None:
    """What a killed start left: undone, unless its base device is whole, which it makes last."""
    base = devices.state.records.get("")
    if base is not None and base.initialized:
        return _let_base_rest(devices) if intent.details.get("rests") else ""
    pool = devices.pool
    made = [path for path in intent.details.get("made", []) if isinstance(path, str)]
    if base is not None and not made and pool.exists() and pool.gives_figures():
        undo_base(devices)  # what was given keeps what is on it
    if intent.details.get("pool") and pool.exists():
        if devices.active("") is not None:
            devices.machine.device_mapper.remove(devices.device(""))
        devices.patience.retry(lambda: pool.mapper.remove(pool.name), lambda: f"pool {pool.name}")
    if not made:
        return ""
    for path in made:
        with suppress(FileMissingError):
            devices.machine.files.remove_file(path)
    # The records of the start speak of a pool that is gone.
    devices.store.remove_transaction()
    if base is not None:
        devices.store.remove_record("")
    forget_filesystem(devices)
    devices.reload()
    return f"the start of pool {pool.name} was undone"


def _let_base_rest(devices: DeviceSet) -> str:
    """A start verifies the base device and leaves it as it found it."""
    if devices.active("") is None:
        return ""
    deactivation_step(devices, "", deferred=devices.ruling.deferred_removal).act()
    return "the base device, which a start had activated to verify it, was deactivated"

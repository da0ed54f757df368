"""The pool's one metadata snapshot: reserved for the time of a look at the metadata, and always released.

Source: the kernel's thin-provisioning document (``reserve_metadata_snap``). There is one slot a pool. Somebody else's
snapshot is never released; ours is, also after a kill. The kernel does not say whose it is, so the intent on disk does:
just before the reservation it notes that the slot is free and asked for, just after it the block that holds it. Only
what somebody else reserves between the first note and a kill before the reservation could be taken for ours.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, suppress

from dmtui.deviceset.deviceset import DeviceSet
from dmtui.deviceset.intents import SNAPSHOT, Intent
from dmtui.deviceset.plan import Step
from dmtui.machine.errors import DeviceBusyError, InvalidError
from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.errors import DmtuiError

READ_METADATA = "read the pool's metadata"
RESERVE_MESSAGE = "reserve_metadata_snap"
RELEASE_MESSAGE = "release_metadata_snap"
_ASKED = "asked"
_POOL = "pool"
_BLOCK = "block"


class SnapshotHeldError(DmtuiError):
    """Somebody else holds the pool's metadata snapshot."""


def snapshot_intent() -> Intent:
    """The intent under which the snapshot is reserved."""
    return Intent(SNAPSHOT, READ_METADATA)


def check_slot(devices: DeviceSet) -> None:
    """Raise `SnapshotHeldError` where the slot is taken."""
    held = devices.pool.figures().held_root_block
    if held is not None:
        raise SnapshotHeldError(
            f"pool {devices.pool.name}",
            f"has a metadata snapshot already (block {held}), which is not ours",
            f"whoever made it has to release it; `dmsetup message {devices.pool.name} 0 {RELEASE_MESSAGE}` would",
        )


def snapshot_steps(devices: DeviceSet) -> tuple[Step, Step]:
    """The steps that reserve the snapshot; undone by its release, whatever else fails.

    The first one is undone also where it is unknown whether the second one acted.
    """
    look = f"see that nobody holds the metadata snapshot of pool {devices.pool.name}"
    status = f"dmsetup status {devices.pool.name}"
    reserve = devices.pool.message_command(RESERVE_MESSAGE)
    return (
        Step(look, lambda: _ask(devices), status, lambda: _let_go(devices), frees=True),
        Step("reserve a metadata snapshot", lambda: _reserve(devices), reserve),
    )


def release_step(devices: DeviceSet) -> Step:
    """The step that gives the slot back."""
    command = devices.pool.message_command(RELEASE_MESSAGE)
    return Step("release the metadata snapshot", lambda: _let_go(devices), command)


def release(devices: DeviceSet) -> bool:
    """Give the slot back where it is ours; returns whether there was something to give back.

    Raises:
        PoolUnusableError: the pool has failed.
        MachineError: it takes no messages now.
    """
    noted, held = devices.intents.noted(SNAPSHOT), devices.pool.figures().held_root_block
    if held is None or not noted.get(_ASKED) or noted.get(_BLOCK, held) != held:
        return False
    with suppress(InvalidError):  # somebody else has released it
        devices.pool.message(RELEASE_MESSAGE)
    devices.intents.note(SNAPSHOT, {_ASKED: False})
    return True


def settle_snapshot(devices: DeviceSet, intent: Intent) -> str | None:
    """Release a snapshot of ours after a kill; None while its pool is not active: the snapshot outlives that.

    Raises:
        DmtuiError: it is in another pool, or cannot be released now.
    """
    if not intent.details.get(_ASKED):
        return ""
    pool = intent.details.get(_POOL)
    if pool != devices.pool.name:
        next_step = f"start with dm.thinpooldev={pool}, or without it, once"
        raise DmtuiError(f"pool {pool}", "may hold a metadata snapshot of ours", next_step)
    if not devices.pool.exists() or not devices.pool.gives_figures():
        return None
    return "the pool's metadata snapshot, which was ours, was released" if release(devices) else ""


def _ask(devices: DeviceSet) -> None:
    check_slot(devices)
    devices.intents.note(SNAPSHOT, {_ASKED: True, _POOL: devices.pool.name})


def _reserve(devices: DeviceSet) -> None:
    try:
        devices.pool.message(RESERVE_MESSAGE)
    except DeviceBusyError:
        devices.intents.note(SNAPSHOT, {_ASKED: False})
        check_slot(devices)
        raise
    devices.intents.note(SNAPSHOT, {_BLOCK: devices.pool.figures().held_root_block})


def _let_go(devices: DeviceSet) -> None:
    release(devices)


def metadata_path(devices: DeviceSet) -> str:
    """The node of the pool's metadata device."""
    dev = DeviceNumber.parse(devices.pool.table().metadata_device)
    return devices.machine.files.device_path(dev) or f"/dev/block/{dev}"


@contextmanager
def metadata_snapshot(devices: DeviceSet, since: str) -> Generator[str]:
    """Hold a metadata snapshot; gives the path of the metadata device.

    Raises:
        SnapshotHeldError: somebody else has the slot.
        InUseError: another process of ours has it.
    """
    claim = devices.intents.claim(snapshot_intent(), since)
    try:
        _ask(devices)
        _reserve(devices)
        yield metadata_path(devices)
    finally:
        try:
            release(devices)
        except DmtuiError:
            claim.lock.release()  # the intent stays: the next start releases the snapshot
            raise
        devices.intents.drop(claim)

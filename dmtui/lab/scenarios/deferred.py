"""Deferred removal: a device that is in use goes with its last user, and so does its deletion."""

from __future__ import annotations

from dmtui.deviceset.reaping import reap
from dmtui.lab.reading import size
from dmtui.lab.scenario import Place, Scenario, Step
from dmtui.lab.stage import Stage
from dmtui.machine.errors import DeviceBusyError

_MIB = 1024**2
_AT = 64 * _MIB
_WRITTEN = 250 * _MIB


def _prepare(stage: Stage) -> None:
    stage.start()
    stage.create("web")
    stage.machine.write(stage.device("web"), offset_bytes=_AT, length_bytes=_WRITTEN)


def _hold(stage: Stage) -> None:
    device = stage.device("web")
    stage.commands.append("unshare --mount sleep infinity &    (with the device mounted)")
    stage.machine.leaks.begin(device)
    stage.commands.append(f"dmsetup remove {device}")
    try:
        stage.machine.device_mapper.remove(device)
    except DeviceBusyError as error:
        stage.errors.append(str(error))
    stage.beat()


def _hold_told(stage: Stage) -> str:
    ((pid, device),) = stage.now.holders
    return (
        f"Process {pid} has {device} open, so it is busy. One can try again and again, or ask the kernel to remember."
    )


def _defer(stage: Stage) -> None:
    stage.deactivate("web", deferred=True)


def _flag(stage: Stage) -> str:
    return "set" if stage.machine.device_mapper.info(stage.device("web")).deferred_remove else "not set"


def _defer_told(stage: Stage) -> str:
    return (
        f"The mark is {_flag(stage)}; the device is open {stage.now.open_counts['web']} time and works as "
        "before. It will "
        "go when it is closed, and nobody has to wait."
    )


def _cancel(stage: Stage) -> None:
    stage.activate("web")
    stage.beat()


def _cancel_told(stage: Stage) -> str:
    return f"The mark is {_flag(stage)}: the device stays, whoever closes it."


def _delete(stage: Stage) -> None:
    stage.remove("web")
    stage.beat()


def _delete_told(stage: Stage) -> str:
    before, now = stage.before, stage.now
    waiting = _waiting(stage)
    return (
        f"It cannot be deleted while it is open: {', '.join(waiting)} waits for its deletion, the mark is "
        f"{_flag(stage)}, "
        f"and the pool got {before.used_blocks - now.used_blocks} blocks back so far."
    )


def _waiting(stage: Stage) -> list[str]:
    engine = stage.open_engine(recovering=False)
    return [record.hash_name for record in engine.devices.state.records.values() if record.deleted]


def _close(stage: Stage) -> None:
    for pid, _ in stage.now.holders:
        stage.commands.append(f"kill {pid}")
        stage.machine.leaks.end(pid)
    stage.beat()


def _close_told(stage: Stage) -> str:
    there = stage.device("web") in {entry.name for entry in stage.machine.device_mapper.list_devices()}
    return (
        f"The device is {'still there' if there else 'gone from device-mapper'} with its last user, but its "
        "data are in "
        f"the pool: {size(stage.now.used_bytes)} are used. The deletion is the engine's to do."
    )


def _reap(stage: Stage) -> None:
    stage.commands.append("dmtui pool reap    (w in the dashboard does it every half minute)")
    engine = stage.open_engine()
    try:
        reap(engine)
    finally:
        engine.close()
    stage.beat()


def _reap_told(stage: Stage) -> str:
    before, now = stage.before, stage.now
    return (
        f"{before.used_blocks - now.used_blocks} blocks, {size(before.used_bytes - now.used_bytes)}, are free, and "
        f"{len(_waiting(stage))} devices wait."
    )


SCENARIO = Scenario(
    "deferred",
    "Deferred removal",
    "A busy device is marked and goes with its last user; a busy deletion waits, and is done afterwards.",
    (
        "dm.loopdatasize=4G",
        "dm.loopmetadatasize=8M",
        "dm.basesize=2G",
        "dm.fs=xfs",
        "dm.use_deferred_removal=true",
        "dm.use_deferred_deletion=true",
    ),
    _prepare,
    (
        Step(
            "Busy",
            "A process keeps the device of a container open. Somebody wants to remove it.",
            _hold,
            _hold_told,
            Place.DEVICE,
            "web",
            ("dmsetup info {prefix}-web",),
        ),
        Step(
            "As soon as nobody has it open",
            "The removal is deferred.",
            _defer,
            _defer_told,
            Place.DEVICE,
            "web",
            ("dmsetup info -c -o name,open,deferred_remove {prefix}-web",),
        ),
        Step(
            "Changed our mind",
            "The container starts again before that: its device is activated, which cancels the removal.",
            _cancel,
            _cancel_told,
            Place.DEVICE,
            "web",
            ("dmsetup info -c -o name,open,deferred_remove {prefix}-web",),
        ),
        Step(
            "Deleted while in use",
            "Then the container is deleted, with its data, while the process still holds the device.",
            _delete,
            _delete_told,
            Place.DEVICES,
            "web",
            ("dmtui device list",),
        ),
        Step(
            "The last user goes",
            "The process ends.",
            _close,
            _close_told,
            Place.DEVICES,
            "web",
            ("dmsetup ls", "dmtui device list"),
        ),
        Step(
            "Reaped",
            "What waits for its deletion is tried again.",
            _reap,
            _reap_told,
            Place.POOL,
            "",
            ("dmsetup status {pool}",),
        ),
    ),
    (
        "Deferred removal leaves the device working, and removes it when it is closed for the last time.",
        "The kernel forgets a device, it does not delete its data: the deletion has to be asked for afterwards.",
        "Activating a device again cancels its deferred removal.",
    ),
    (
        "dmsetup remove --deferred NAME; dmsetup info -c -o name,open,deferred_remove",
        "dmsetup message NAME 0 @cancel_deferred_remove",
        "dmtui device deactivate NAME --deferred; dmtui pool reap",
        "dockerd --storage-opt dm.use_deferred_removal=true --storage-opt dm.use_deferred_deletion=true",
    ),
)

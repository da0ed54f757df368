"""Taking a device set down: its mounts, its devices, its pool, its loop devices. No file and no record goes.

Source: Shutdown of the original, which logs what fails and leaves it. Mended: who holds a device is told before
anything is taken down; what fails in the middle is undone, mounts and their counts included; `force` takes down what
can be taken down, and says who keeps the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from dmtui.deviceset.deviceset import DeviceSet
from dmtui.deviceset.intents import POOL, SNAPSHOT, Intent
from dmtui.deviceset.loopfiles import users_of
from dmtui.deviceset.mounting import forget_counts, leaving_steps
from dmtui.deviceset.plan import Plan, PlanFailedError, Step, perform
from dmtui.deviceset.poollink import PoolAbsentError, PoolUnusableError
from dmtui.deviceset.recognition import is_of_file
from dmtui.deviceset.removal import remove_mount_point
from dmtui.deviceset.standing import Standing, look, openers
from dmtui.deviceset.status import read_status
from dmtui.machine.errors import DeviceBusyError, DeviceMissingError, FileMissingError, TimedOutError
from dmtui.machine.protocols import LoopDevice
from dmtui.thinpool.errors import DmtuiError

REMOVE_POOL = "remove pool"
_UDEV_SHARE = 0.05
"""How much of the patience a device gets that only udev may have open, for a moment."""
_SETTLING_SHARE = 0.05
_NEXT_STEP = "find who holds it (its number in /proc/*/mountinfo tells) and let him go"


def plan_remove_pool(devices: DeviceSet, *, force: bool = False) -> Plan:
    """Plan to take a device set down: unmount and deactivate all of it, then remove the pool where it is ours.

    With `force` what others hold is taken down as far as possible: unmounted lazily, deactivated with its last user.
    What was taken down stays down then, also where the pool stays.

    Raises:
        PoolAbsentError: there is nothing to take down.
        PoolUnusableError: the pool's name is that of another device, or it is suspended.
        DeviceBusyError: without `force`: others hold devices or the pool, each named.
        DmtuiError: without `force`: a file of the pool was deleted, and would be lost with it.
    """
    name, there = devices.pool.name, devices.pool.exists()
    _check_pool(devices)
    lost = _lost_with_pool(devices)
    if lost and not force:
        loop = lost[0]
        raise DmtuiError(
            f"file {loop.backing_path}",
            f"was deleted and lives only while {loop.path} holds it: all of it would be lost with the pool",
            f"save it first (`dd if={loop.path} of=FILE bs=1M conv=sparse`); --force takes the pool down all the same",
        )
    active = _check_free(devices) if not force else look(devices)
    steps = _steps(devices, active, force=force, share=1.0)
    notices = _notices(devices, active, force=force)
    if not steps and not there:
        raise PoolAbsentError(f"pool {name}", "is not active, and nothing of it is", "there is nothing to take down")
    touches = {*devices.state.records, *(each.name for each in active)}
    intent = Intent(POOL, REMOVE_POOL, {"force": force})
    return Plan(REMOVE_POOL, name, steps, notices, (*sorted(touches), SNAPSHOT), (intent,) if steps else ())


def settle_pool_removal(devices: DeviceSet, intent: Intent) -> str | None:
    """Finish a removal that was killed, as far as it goes: what others hold by now stays, and the pool with it."""
    name = devices.pool.name
    if devices.pool.exists() and devices.pool.mapper.info(name).suspended:
        return f"the removal of pool {name} was given up: it is suspended"
    force = intent.details.get("force") is True
    active = [each for each in look(devices) if force or not each.held_by]
    steps = _steps(devices, active, force=True, share=_SETTLING_SHARE)
    note = f"the removal of pool {name} was finished" if steps else ""
    try:
        perform(Plan(REMOVE_POOL, name, steps), lambda _: None)
    except PlanFailedError as error:
        note = f"the removal of pool {name} was given up: {error.cause}"
    _remove_empty_mount_points(devices)
    forget_counts(devices)
    return note


def _remove_empty_mount_points(devices: DeviceSet) -> None:
    """A kill came between an unmount and the removal of its mount point."""
    for name in devices.store.durable.names(f"{devices.graph.directory}/mnt"):
        if devices.mount(name) is None:
            remove_mount_point(devices, name)


def _is_ours(devices: DeviceSet) -> bool:
    return devices.options.external_pool_name is None


def _check_pool(devices: DeviceSet) -> None:
    pool = devices.pool
    if not pool.exists():
        return
    info = pool.mapper.info(pool.name)
    if info.live_table:
        pool.table()
    if info.suspended:
        raise PoolUnusableError(
            f"pool {pool.name}",
            "is suspended: its devices cannot be removed until it is resumed",
            f"`dmsetup resume {pool.name}` first",
        )


def _lost_with_pool(devices: DeviceSet) -> list[LoopDevice]:
    """The loop devices under our pool whose files have no name any more."""
    pool = devices.pool
    if not _is_ours(devices) or not pool.exists():
        return []
    below = pool.mapper.dependencies(pool.name)
    return [loop for loop in devices.machine.loops.list_bound() if loop.deleted and loop.dev in below]


def _check_free(devices: DeviceSet) -> list[Standing]:
    """What is active, once nobody else has any of it open; udev, which looks for a moment, is waited for."""
    active: list[Standing] = []

    def check() -> None:
        active[:] = look(devices)
        held = [f"{each.device} ({each.reading.info.dev}) is {each.held_by}" for each in active if each.held_by]
        held += _standing_on_pool(devices, {each.device for each in active})
        if held:
            next_step = f"{_NEXT_STEP}; --force takes down what can be taken down"
            raise DeviceBusyError(f"pool {devices.pool.name}", f"is held by others: {', '.join(held)}", next_step)

    devices.patience.retry(check, lambda: "whoever looks at it for a moment", share=_UDEV_SHARE)
    return active


def _standing_on_pool(devices: DeviceSet, known: set[str]) -> list[str]:
    """Who else than these devices stands on our pool, or has it open."""
    if not _is_ours(devices) or not devices.pool.exists():
        return []
    info = devices.pool.mapper.info(devices.pool.name)
    users = users_of(devices.machine, info.dev)
    held = [f"{user} stands on it" for user in users if user not in known]
    opened = info.open_count - len(users)
    return [*held, f"the pool itself is {openers(opened)}"] if opened > 0 else held


def _notices(devices: DeviceSet, active: Sequence[Standing], *, force: bool) -> tuple[str, ...]:
    name, there = devices.pool.name, devices.pool.exists()
    notices: list[str] = []
    if not _is_ours(devices):
        notices.append(f"pool {name} is not made of our tables: it stays active, only its devices here go")
    elif there:
        if devices.pool.mapper.info(name).live_table:
            notices += read_status(devices.machine, devices.graph, devices.options).findings
        lost = _lost_with_pool(devices)
        notices += [f"{loop.backing_path} was deleted: ALL ITS DATA ARE LOST with the pool" for loop in lost]
        if not lost:
            notices.append("no file and no record goes: `dmtui pool create` activates the pool again")
    mounted = [each.name for each in active if each.mounted]
    if mounted:
        notices.append(f"unmounted under their users: {', '.join(mounted)}")
    in_use = [each.name or "the base device" for each in active]
    if _is_ours(devices) and in_use:
        notices.append(f"when it comes back these stay inactive until they are activated: {', '.join(in_use)}")
    then = "it goes with the last of them" if devices.ruling.deferred_removal else "it stays active"
    notices += [f"{each.device} is {each.held_by}: {then}" for each in active if force and each.held_by]
    if force:
        notices += [f"{other}: the pool stays" for other in _standing_on_pool(devices, {a.device for a in active})]
    return tuple(notices)


def _steps(devices: DeviceSet, active: Sequence[Standing], *, force: bool, share: float) -> tuple[Step, ...]:
    """What takes everything down; with the lock held throughout, so that nobody builds up meanwhile."""
    steps: list[Step] = []
    for each in active:
        if each.mounted:
            leaving = leaving_steps(devices, each.name)
            steps += [_tolerant(devices, step) if force else replace(step, slow=False) for step in leaving]
        steps.append(_tolerant(devices, _down_by_force(devices, each, share)) if force else _down(devices, each))
    if not _is_ours(devices):
        return tuple(steps)
    if devices.pool.exists():
        steps.append(_pool_step(devices, force=force, share=share))
    return (*steps, *_loop_steps(devices))


def _tolerant(devices: DeviceSet, step: Step) -> Step:
    """A step whose failure is told and keeps nothing else from being taken down."""

    def act() -> None:
        try:
            step.act()
        except DmtuiError as error:
            devices.patience.tell(f"not done: {step.text}: {error}")

    return Step(step.text, act, step.command)


def _down(devices: DeviceSet, standing: Standing) -> Step:
    """Remove a device's node; undone by making it again as it was, recorded or not."""
    device, mapper = standing.device, devices.machine.device_mapper

    def undo() -> None:
        info = standing.reading.info
        mapper.create(device, standing.reading.targets, uuid=info.uuid, read_only=info.read_only)

    return Step(f"deactivate {device}", lambda: _remove(devices, device, 1.0), f"dmsetup remove {device}", undo)


def _down_by_force(devices: DeviceSet, standing: Standing, share: float) -> Step:
    """Remove a device's node, at once or with its last user; one that must stay is told."""
    device, deferred = standing.device, devices.ruling.deferred_removal
    mapper = devices.machine.device_mapper

    def act() -> None:
        try:
            _remove(devices, device, 0.0 if standing.held_by else _UDEV_SHARE * share)
        except DeviceBusyError as error:
            if not deferred:
                devices.patience.tell(f"{device} stays active: {error}")
                return
            with suppress(DeviceMissingError):
                mapper.remove(device, deferred=True)
            devices.patience.tell(f"{device} goes as soon as nobody has it open")

    later = deferred and bool(standing.held_by)
    text = f"deactivate {device}" + (" as soon as nobody has it open" if later else "")
    return Step(text, act, f"dmsetup remove {'--deferred ' if later else ''}{device}")


def _remove(devices: DeviceSet, device: str, share: float) -> None:
    mapper = devices.machine.device_mapper

    def remove() -> None:
        try:
            with suppress(DeviceMissingError):
                mapper.remove(device)
        except TimedOutError:
            # It may have gone, udev being slow: what has gone is to be put back should a later step fail.
            if any(entry.name == device for entry in mapper.list_devices()):
                raise

    devices.patience.retry(remove, lambda: f"{device}, {_opened(devices, device)}", share=share)


def _opened(devices: DeviceSet, device: str) -> str:
    try:
        return openers(devices.machine.device_mapper.info(device).open_count)
    except DeviceMissingError:
        return "which has just gone"


def _pool_step(devices: DeviceSet, *, force: bool, share: float) -> Step:
    """Remove the pool's node. There is no way back behind it: what it stood on is let go with it."""
    name = devices.pool.name

    def act() -> None:
        try:
            _remove(devices, name, share)
        except DeviceBusyError as error:
            number = devices.pool.mapper.info(name).dev
            users = [f"{user} ({_opened(devices, user)})" for user in users_of(devices.machine, number)]
            by = f" by {', '.join(users)}" if users else f": {_opened(devices, name)}"
            stays = "; it stays active, and the next start finds it again" if force else ""
            raise DeviceBusyError(f"pool {name}", f"is still in use{by}{stays}", _NEXT_STEP, error.errno) from None

    return Step(f"remove the pool {name}", act, f"dmsetup remove {name}", irrevocable=True)


def _loop_steps(devices: DeviceSet) -> tuple[Step, ...]:
    """Detach the loop devices of our files that do not go by themselves."""
    files, graph = devices.machine.files, devices.graph
    steps: list[Step] = []
    for path in (graph.data_file, graph.metadata_file):
        with suppress(FileMissingError):
            file = files.identify(path)
            loops = [each for each in devices.machine.loops.list_bound() if is_of_file(each, file)]
            steps += [_detach_step(devices, loop, path) for loop in loops if not loop.autoclear]
    return tuple(steps)


def _detach_step(devices: DeviceSet, loop: LoopDevice, path: str) -> Step:
    def act() -> None:
        users = users_of(devices.machine, loop.dev)
        if users:
            devices.patience.tell(f"{loop.path} stays: {', '.join(users)} stands on it")
            return
        with suppress(DeviceMissingError):
            devices.machine.loops.detach(loop.path)

    return Step(f"detach {loop.path} from {path}", act, f"losetup -d {loop.path}")

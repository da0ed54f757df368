"""A mount that has leaked into another namespace keeps a pool alive across a restart; and how it is found again.

The story: at shutdown Docker cannot remove its pool, because a device has leaked into some mount namespace. At the
next start it finds a pool that is there, and must know that it stands on its own loop files to tell the truth of them.
"""

from __future__ import annotations

from dmtui.deviceset.status import read_status
from dmtui.lab.reading import size
from dmtui.lab.scenario import Place, Scenario, Step
from dmtui.lab.stage import Stage

_MIB = 1024**2
_AT = 64 * _MIB
_WRITTEN = 180 * _MIB


def _prepare(stage: Stage) -> None:
    stage.start()
    stage.create("web", active=False)


def _mount(stage: Stage) -> None:
    stage.perform(lambda plans: plans.mount("web"))
    stage.write("web", _AT, _WRITTEN, parts=4)


def _mount_told(stage: Stage) -> str:
    now = stage.now
    return (
        f"It is mounted at {stage.graph_directory}/mnt/web, open {now.open_counts['web']} time, with "
        f"{size(now.mapped['web'])} mapped."
    )


def _leak(stage: Stage) -> None:
    stage.commands.append("unshare --mount sleep infinity &    (any service with a mount namespace of its own will do)")
    stage.machine.leaks.begin(stage.device("web"))
    stage.beat()


def _leak_told(stage: Stage) -> str:
    ((pid, device),) = stage.now.holders
    return (
        f"Process {pid} now has its own copy of the mount table, with {device} in it. The device is open "
        f"{stage.now.open_counts['web']} times, and nobody has asked for that."
    )


def _stop(stage: Stage) -> None:
    stage.perform(lambda plans: plans.unmount("web"))
    stage.refused(lambda: stage.perform(lambda plans: plans.remove_pool()))


def _stop_told(stage: Stage) -> str:
    return (
        f"Our own mount is gone, yet the device stays, open {stage.now.open_counts['web']} time, and the pool "
        "below it. "
        "What is there to do but leave both and exit."
    )


def _restart(stage: Stage) -> None:
    stage.start()
    stage.beat()


def _restart_told(stage: Stage) -> str:
    report = read_status(stage.machine, stage.graph, stage.options)
    files = {loop.path: loop.backing_path for loop in stage.machine.loops.list_bound()}
    bound = {path: (file or "").removeprefix(f"{stage.graph_directory}/") for path, file in files.items()}
    loops = " and ".join(f"{path} (on {bound[path]})" for path in (report.data_file, report.metadata_file) if path)
    return (
        f"The pool was there: its origin is {report.pool_origin}. Whose is it? Its table names {loops}: compared by "
        "device and inode with the files of the graph directory they are the same, so every figure is right again."
    )


def _find(stage: Stage) -> None:
    dev = stage.machine.device_mapper.info(stage.device("web")).dev
    stage.commands.append(f"grep -l ' {dev} ' /proc/[0-9]*/mountinfo")
    stage.beat()


def _find_told(stage: Stage) -> str:
    ((pid, device),) = stage.now.holders
    dev = stage.machine.device_mapper.info(device).dev
    return (
        f"The device's number is {dev}. Of all processes one has it in its mountinfo: {pid}. That is who holds "
        f"{device}."
    )


def _end(stage: Stage) -> None:
    for pid, _ in stage.now.holders:
        stage.commands.append(f"kill {pid}    (or restart its service, or nsenter --mount --target {pid} umount ...)")
        stage.machine.leaks.end(pid)
    stage.beat()
    stage.perform(lambda plans: plans.remove_pool())


def _end_told(stage: Stage) -> str:
    left = len(stage.machine.device_mapper.list_devices())
    return (
        f"With its last holder the device could go, and then the pool and its loop devices: {left} mapped devices are "
        "left. Files and records stay for the next start."
    )


SCENARIO = Scenario(
    "leaked-mount",
    "The leaked mount that keeps a pool alive",
    "A mount leaks into another namespace, the pool survives its owner, and the next start has to recognise it.",
    ("dm.loopdatasize=4G", "dm.loopmetadatasize=8M", "dm.basesize=2G", "dm.fs=xfs"),
    _prepare,
    (
        Step(
            "A container runs",
            "The device of a container is activated, mounted, and written.",
            _mount,
            _mount_told,
            Place.DEVICE,
            "web",
            ("dmsetup info {prefix}-web", "grep {prefix}-web /proc/self/mountinfo"),
        ),
        Step(
            "The leak",
            "Some service starts with a mount namespace of its own. It gets a copy of every mount there is.",
            _leak,
            _leak_told,
            Place.DEVICE,
            "web",
            ("dmsetup info -c -o name,open {prefix}-web",),
        ),
        Step(
            "The daemon stops",
            "The container ends and is unmounted; then the daemon stops and wants to take its pool down.",
            _stop,
            _stop_told,
            Place.DEVICES,
            "web",
            ("dmsetup ls --tree",),
        ),
        Step(
            "The daemon starts again",
            "A pool of the right name is there. Before this was known, docker info took its loop files for unused, and "
            "told wrong figures of them.",
            _restart,
            _restart_told,
            Place.MACHINE,
            "",
            ("dmsetup table {pool}", "losetup --list", "dmtui info"),
        ),
        Step(
            "Who holds it?",
            "The device's number stands in the mount table of whoever has it mounted, each namespace has its own.",
            _find,
            _find_told,
            Place.DEVICE,
            "web",
            ("dmsetup info {prefix}-web",),
        ),
        Step(
            "Let go",
            "The process is ended, and the pool is taken down once more.",
            _end,
            _end_told,
            Place.OVERVIEW,
            "",
            ("dmsetup ls", "losetup --list"),
        ),
    ),
    (
        "A pool that cannot be removed has a device that is open somewhere, mostly in another mount namespace.",
        "lsof and fuser of your own namespace do not see it; /proc/PID/mountinfo of every process does.",
        "A pool is recognised by the devices that it is made of, never by its name.",
    ),
    (
        "dmsetup info -c -o name,major,minor,open",
        "grep -l ' MAJOR:MINOR ' /proc/[0-9]*/mountinfo",
        "nsenter --mount --target PID umount MOUNTPOINT; or restart the service",
        "dmtui pool remove    (again, once nothing holds it)",
    ),
)

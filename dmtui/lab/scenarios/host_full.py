"""A sparse loop file promises its pool more than the host's file system has."""

from __future__ import annotations

from dmtui.lab.reading import size
from dmtui.lab.scenario import Place, Scenario, Step
from dmtui.lab.stage import Stage

_MIB = 1024**2
_AT = 64 * _MIB
_HOST = 900 * _MIB
_FIRST = 300 * _MIB
_OTHERS_LEAVE = 200 * _MIB
_TOO_MUCH = 400 * _MIB
_FREED = 3000 * _MIB


def _prepare(stage: Stage) -> None:
    stage.start()
    stage.create("db")
    stage.machine.set_host_space(_HOST)


def _write(stage: Stage) -> None:
    stage.write("db", _AT, _FIRST, parts=5)


def _write_told(stage: Stage) -> str:
    before, now = stage.before, stage.now
    return (
        f"The file is {size(now.file_size_bytes)} long and takes {size(now.file_bytes)}; the host's free "
        "space went from "
        f"{size(before.host_free_bytes)} to {size(now.host_free_bytes)}. The pool believes that it has "
        f"{size(now.total_bytes - now.used_bytes)} left."
    )


def _others(stage: Stage) -> None:
    stage.commands.append("(somebody else fills the file system: logs, core dumps, a backup)")
    stage.machine.set_host_space(_OTHERS_LEAVE)
    stage.beat()


def _others_told(stage: Stage) -> str:
    now = stage.now
    return (
        f"{size(now.host_free_bytes)} are free on the host. In the pool nothing has changed: mode {now.mode}, "
        f"{now.used_blocks} of {now.total_blocks} blocks used. Look at what dmtui calls available: the "
        "smaller of the two."
    )


def _overfill(stage: Stage) -> None:
    stage.refused(lambda: stage.write("db", _AT + _FIRST, _TOO_MUCH, parts=8))


def _overfill_told(stage: Stage) -> str:
    now = stage.now
    return (
        f"An I/O error, from a pool with {size(now.total_bytes - now.used_bytes)} to spare: the loop device could not "
        "write, and the pool does not even know that space is missing. Its metadata file lies on the same host: the "
        f"commit that failed there makes the mode {now.mode}{', with a check due' if now.needs_check else ''}."
    )


def _free(stage: Stage) -> None:
    stage.commands.append("rm /var/log/huge.log")
    stage.machine.set_host_space(_FREED)
    stage.check_offline()
    stage.activate("db")
    stage.write("db", _AT + _FIRST, _TOO_MUCH, parts=4)


def _free_told(stage: Stage) -> str:
    return (
        f"The check found nothing wrong, the mode is {stage.now.mode}, and the write went through: the file takes "
        f"{size(stage.now.file_bytes)}. The file system on the device is another matter, it has seen write errors."
    )


def _trim(stage: Stage) -> None:
    stage.discard("db", _AT + _FIRST, _TOO_MUCH)


def _trim_told(stage: Stage) -> str:
    before, now = stage.before, stage.now
    return (
        f"The file takes {size(now.file_bytes)} instead of {size(before.file_bytes)}, the host has "
        f"{size(now.host_free_bytes - before.host_free_bytes)} more: the discard went down through the pool "
        "and the loop "
        "device, and became a hole."
    )


SCENARIO = Scenario(
    "host-full",
    "The sparse loop file on a full host",
    "A pool on sparse files is promised space that its host gives away to others; its own figures never tell.",
    ("dm.loopdatasize=20G", "dm.loopmetadatasize=8M", "dm.basesize=4G", "dm.fs=xfs"),
    _prepare,
    (
        Step(
            "A file with holes",
            "The pool's data lie in a sparse file: it has its full length, and takes space as it is written.",
            _write,
            _write_told,
            Place.POOL,
            "db",
            ("du --apparent-size -h {data_file}; du -h {data_file}", "df -h {graph}"),
        ),
        Step(
            "Others live there, too",
            "The host's file system is not the pool's alone.",
            _others,
            _others_told,
            Place.POOL,
            "",
            ("df -h {graph}", "dmsetup status {pool}"),
        ),
        Step(
            "Full",
            "The database writes on.",
            _overfill,
            _overfill_told,
            Place.OVERVIEW,
            "db",
            ("dmesg | grep -e loop -e I/O", "dmsetup status {pool}"),
        ),
        Step(
            "Space on the host",
            "What helps is space on the host, not in the pool. What the pool could not commit there needs a check.",
            _free,
            _free_told,
            Place.POOL,
            "db",
            ("df -h {graph}",),
        ),
        Step(
            "Holes again",
            "The database drops what it wrote last, and its file system discards it.",
            _trim,
            _trim_told,
            Place.POOL,
            "db",
            ("du -h {data_file}",),
        ),
    ),
    (
        "With loop files there are two kinds of full; the pool knows only one of them.",
        "What is available is the smaller of the pool's free space and the host's.",
        "Loop files are for trials: give a pool block devices that nobody else fills.",
    ),
    (
        "df GRAPH; du --apparent-size DATA_FILE; du DATA_FILE",
        "dmtui info    (Data Space Available looks at the host)",
        "fstrim MOUNTPOINT; dmtui pool trim",
    ),
)

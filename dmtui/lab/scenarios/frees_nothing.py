"""Deleting a snapshot gives back only what it alone has: often nothing."""

from __future__ import annotations

from dmtui.lab.reading import size
from dmtui.lab.scenario import Place, Scenario, Step
from dmtui.lab.stage import Stage

_MIB = 1024**2
_AT = 64 * _MIB
_DATABASE = 600 * _MIB
_CHANGED = 350 * _MIB


def _prepare(stage: Stage) -> None:
    stage.start()
    stage.create("db")


def _write(stage: Stage) -> None:
    stage.write("db", _AT, _DATABASE, parts=6)
    stage.create("backup", "db")


def _write_told(stage: Stage) -> str:
    now = stage.now
    return (
        f"Database and backup map {size(now.mapped['db'])} and {size(now.mapped['backup'])}; together they take "
        f"{size(now.used_bytes)} of the pool."
    )


def _delete(stage: Stage) -> None:
    stage.remove("backup")


def _freed(stage: Stage) -> int:
    return stage.before.used_blocks - stage.now.used_blocks


def _delete_told(stage: Stage) -> str:
    return (
        f"The backup mapped {size(stage.before.mapped['backup'])}, and its deletion freed {_freed(stage)} blocks. The "
        "database still needs every one of them."
    )


def _again(stage: Stage) -> None:
    stage.create("backup", "db")
    stage.write("db", _AT, _CHANGED, parts=6)


def _again_told(stage: Stage) -> str:
    before, now = stage.before, stage.now
    return (
        "The database overwrote a part of itself, and the pool grew by "
        f"{size(now.used_bytes - before.used_bytes)}: the "
        "backup keeps the old blocks. A snapshot costs what its origin changes afterwards."
    )


def _delete_again_told(stage: Stage) -> str:
    freed = size(stage.before.used_bytes - stage.now.used_bytes)
    return f"Now it freed {_freed(stage)} blocks, {freed}: exactly those that the database had left behind."


def _origin(stage: Stage) -> None:
    stage.create("clone", "db")
    stage.deactivate("db")
    stage.remove("db")


def _origin_told(stage: Stage) -> str:
    now = stage.now
    return (
        f"The origin is deleted, and {_freed(stage)} blocks are free: the clone has all of them, "
        f"{size(now.mapped['clone'])}. "
        "Parent and snapshot are equals in the pool; the last one that maps a block keeps it."
    )


_LOOKING = ("dmsetup status {pool}",)
SCENARIO = Scenario(
    "frees-nothing",
    "Deleting a snapshot that frees nothing",
    "A deletion gives back the blocks that nobody else maps; for a fresh snapshot that is none.",
    ("dm.loopdatasize=4G", "dm.loopmetadatasize=8M", "dm.basesize=2G", "dm.fs=xfs"),
    _prepare,
    (
        Step(
            "A database and its backup",
            "A database is written, then snapshotted.",
            _write,
            _write_told,
            Place.DEVICES,
            "backup",
            ("dmsetup status --target thin", *_LOOKING),
        ),
        Step(
            "Space is short",
            "Somebody deletes the backup to make room. Watch the gauge.",
            _delete,
            _delete_told,
            Place.POOL,
            "",
            _LOOKING,
        ),
        Step(
            "A backup that ages",
            "Another backup is made, and then the database goes on working.",
            _again,
            _again_told,
            Place.POOL,
            "backup",
            _LOOKING,
        ),
        Step(
            "Deleted once more",
            "The old backup is deleted.",
            _delete,
            _delete_again_told,
            Place.POOL,
            "",
            _LOOKING,
        ),
        Step(
            "Deleting the origin",
            "And the other way round: a clone is made, then the original is deleted.",
            _origin,
            _origin_told,
            Place.DEVICES,
            "clone",
            ("dmsetup status --target thin", *_LOOKING),
        ),
    ),
    (
        "MAPPED of a device is not what its deletion frees; only its exclusive blocks are.",
        "Old snapshots of busy devices are what takes space: delete those first.",
        "Parent and snapshot are equals: deleting either leaves the other whole.",
    ),
    (
        "dmsetup message POOL 0 'delete ID'",
        "dmsetup message POOL 0 reserve_metadata_snap; thin_ls -m -o DEV,MAPPED,EXCLUSIVE METADATA; dmsetup "
        "message POOL"
        " 0 release_metadata_snap",
        "lvs -o name,origin,data_percent VG; dmtui device remove NAME",
    ),
)

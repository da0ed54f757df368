"""Discards: how freed space comes back to the pool, and whether it goes on to what lies beneath."""

from __future__ import annotations

from dataclasses import replace

from dmtui.lab.reading import size
from dmtui.lab.scenario import Place, Scenario, Step
from dmtui.lab.stage import Stage
from dmtui.thinpool.table import PoolTable

_MIB = 1024**2
_AT = 64 * _MIB
_WRITTEN = 400 * _MIB
_PART = 150 * _MIB
_NO_PASSDOWN = "no_discard_passdown"


def _prepare(stage: Stage) -> None:
    stage.start()
    stage.create("web")


def _write(stage: Stage) -> None:
    stage.write("web", _AT, _WRITTEN, parts=6)


def _write_told(stage: Stage) -> str:
    now = stage.now
    return (
        f"The device maps {size(now.mapped['web'])}; the pool uses {size(now.used_bytes)}, and its file takes "
        f"{size(now.file_bytes)} of the host."
    )


def _delete_files(stage: Stage) -> None:
    stage.commands.append("rm -rf MOUNTPOINT/cache    (inside the container)")
    stage.beat()


def _delete_files_told(stage: Stage) -> str:
    before, now = stage.before, stage.now
    return (
        f"Nothing: {size(now.mapped['web'])} mapped, {now.used_blocks - before.used_blocks} blocks of "
        "difference. Only the "
        "file system knows that these blocks are free; a block device is not told."
    )


def _discard(stage: Stage) -> None:
    stage.discard("web", _AT, _PART)


def _discard_told(stage: Stage) -> str:
    before, now = stage.before, stage.now
    return (
        f"The device maps {size(now.mapped['web'])}, the pool got {before.used_blocks - now.used_blocks} "
        "blocks back, and "
        f"the file takes {size(before.file_bytes - now.file_bytes)} less: "
        f"{now.status.discard.value if now.status and now.status.discard else ''} "
        "hands discards on, down to the holes of the file."
    )


def _discard_shared(stage: Stage) -> None:
    stage.create("backup", "web")
    stage.discard("web", _AT + _PART, _PART)


def _discard_shared_told(stage: Stage) -> str:
    before, now = stage.before, stage.now
    return (
        f"The device maps {size(before.mapped['web'] - now.mapped['web'])} less, and the pool got "
        f"{before.used_blocks - now.used_blocks} blocks back: the backup has them all, {size(now.mapped['backup'])}."
    )


def _without(stage: Stage) -> None:
    """Load the pool's table with one feature more, as an operator would."""
    mapper, name = stage.machine.device_mapper, stage.pool_name
    live = mapper.table(name).targets[0]
    table = PoolTable.parse(live.params)
    target = replace(table, features=(*table.features, _NO_PASSDOWN)).target(live.length_sectors)
    stage.commands += [f"dmsetup load {name} --table '{target}'", f"dmsetup suspend {name}", f"dmsetup resume {name}"]
    mapper.load(name, [target])
    mapper.suspend(name)
    mapper.resume(name)
    stage.beat()
    stage.remove("backup")
    stage.beat()


def _without_told(stage: Stage) -> str:
    before, now = stage.before, stage.now
    policy = now.status.discard.value if now.status and now.status.discard else ""
    return (
        f"With {policy}, deleting the backup gave the pool {before.used_blocks - now.used_blocks} blocks "
        "back; the file "
        f"gave {size(before.file_bytes - now.file_bytes)} to the host. The pool uses {size(now.used_bytes)}, the file "
        f"keeps {size(now.file_bytes)}: it will write there again."
    )


_LOOKING = ("dmsetup status {pool}", "du -h {data_file}")
SCENARIO = Scenario(
    "discard",
    "Discard and passdown",
    "What a file system frees is used in the pool until it is discarded, and on the host until that is passed down.",
    ("dm.loopdatasize=4G", "dm.loopmetadatasize=8M", "dm.basesize=2G", "dm.fs=xfs"),
    _prepare,
    (
        Step("Written", "A container fills its cache.", _write, _write_told, Place.POOL, "web", _LOOKING),
        Step(
            "Deleted, but not discarded",
            "The files are deleted. What does the pool get back?",
            _delete_files,
            _delete_files_told,
            Place.POOL,
            "web",
            _LOOKING,
        ),
        Step(
            "Discarded",
            "Now the file system tells the device which blocks are free (fstrim, or the mount option discard).",
            _discard,
            _discard_told,
            Place.POOL,
            "web",
            _LOOKING,
        ),
        Step(
            "Shared blocks",
            "The same, of a part that a snapshot has, too.",
            _discard_shared,
            _discard_shared_told,
            Place.DEVICES,
            "web",
            ("dmsetup status --target thin", *_LOOKING),
        ),
        Step(
            "Without passdown",
            "The pool's table is loaded with one word more, and the backup is deleted.",
            _without,
            _without_told,
            Place.POOL,
            "",
            ("dmsetup table {pool}", *_LOOKING),
        ),
    ),
    (
        "Deleting files gives nothing back to a pool: discard does, with fstrim from time to time.",
        "A discard unmaps whole blocks only, and frees those that nobody else maps.",
        "Passdown hands the discard on: without it the device beneath never learns of it.",
    ),
    (
        "fstrim -v MOUNTPOINT; systemctl enable --now fstrim.timer",
        "blkdiscard /dev/mapper/NAME    (all of it: its data are lost)",
        "lvchange --discards passdown|nopassdown|ignore VG/POOL; dmtui pool trim",
    ),
)

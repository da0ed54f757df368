"""A pool whose metadata are used up while its data are nearly empty, and how it comes back."""

from __future__ import annotations

from dmtui.lab.reading import size
from dmtui.lab.scenario import Place, Scenario, Step
from dmtui.lab.stage import Stage
from dmtui.thinpool.units import METADATA_BLOCK_BYTES

_MIB = 1024**2
_AT = 64 * _MIB
_DATABASE = 768 * _MIB
_STRIDE = 8 * _MIB
_BLOCK = 64 * 1024
_FIRST_ROUNDS, _MOST_ROUNDS = 2, 12
_METADATA = 8 * _MIB


def _prepare(stage: Stage) -> None:
    stage.start()
    stage.create("db")
    stage.machine.write(stage.device("db"), offset_bytes=_AT, length_bytes=_DATABASE)


def _look(stage: Stage) -> None:
    stage.beat()


def _look_told(stage: Stage) -> str:
    now = stage.now
    return (
        f"{size(now.used_bytes)} of data need {now.metadata_used_blocks} of {now.metadata_total_blocks} "
        "metadata blocks, "
        f"{size(METADATA_BLOCK_BYTES)} each; the kernel's hidden reserve is among them. "
        f"{size(now.total_bytes - now.used_bytes)} of data are free."
    )


def _round(stage: Stage, number: int) -> None:
    """A snapshot, and a write here and there: each one copies the node of the tree above it."""
    stage.create(f"backup{number}", "db", active=False)
    for offset_bytes in range(_AT, _AT + _DATABASE, _STRIDE):
        stage.machine.write(stage.device("db"), offset_bytes=offset_bytes, length_bytes=_BLOCK)
    stage.commands.append(
        f"for at in $(seq {_AT // _BLOCK} {_STRIDE // _BLOCK} {(_AT + _DATABASE) // _BLOCK - 1}); do dd if=/dev/urandom"
        f" of=/dev/mapper/{stage.device('db')} bs=64K seek=$at count=1 oflag=direct; done"
    )
    stage.beat()


def _scatter(stage: Stage) -> None:
    for number in range(1, _FIRST_ROUNDS + 1):
        _round(stage, number)


def _scatter_told(stage: Stage) -> str:
    before, now = stage.before, stage.now
    return (
        f"{now.used_blocks - before.used_blocks} data blocks took "
        f"{now.metadata_used_blocks - before.metadata_used_blocks} "
        "metadata blocks: after each snapshot nearly every write copies a node that leads to one block."
    )


def _exhaust(stage: Stage) -> None:
    def all_rounds() -> None:
        for number in range(_FIRST_ROUNDS + 1, _MOST_ROUNDS + 1):
            _round(stage, number)

    stage.refused(all_rounds)


def _exhaust_told(stage: Stage) -> str:
    now = stage.now
    check = " and it wants a check" if now.needs_check else ""
    return (
        f"The mode is {now.mode}{check}: no metadata block is left for the next change, with "
        f"{size(now.total_bytes - now.used_bytes)} of data still free. What the last commit had is there and "
        "can be read."
    )


def _extend(stage: Stage) -> None:
    if stage.before.needs_check:
        stage.check_offline()
        stage.activate("db")
    stage.perform(lambda plans: plans.extend(None, _METADATA))
    stage.write("db", _AT, _STRIDE)


def _extend_told(stage: Stage) -> str:
    before, now = stage.before, stage.now
    checked = "It had to be checked first. " if before.needs_check else ""
    return (
        f"{checked}From {before.metadata_total_blocks} to {now.metadata_total_blocks} metadata blocks; the "
        "mode went from "
        f"{before.mode} to {now.mode}, and a write went through."
    )


def _fewer(stage: Stage) -> None:
    engine = stage.open_engine(recovering=False)
    for name in sorted(engine.devices.state.records):
        if name.startswith("backup"):
            stage.remove(name)


def _fewer_told(stage: Stage) -> str:
    before, now = stage.before, stage.now
    return (
        f"{before.metadata_used_blocks - now.metadata_used_blocks} metadata blocks came back, and only "
        f"{before.used_blocks - now.used_blocks} data blocks: what was full was the maps, not the space."
    )


SCENARIO = Scenario(
    "metadata-full",
    "Metadata exhaustion",
    "Many snapshots and scattered writes use up the metadata while the data are nearly empty; the pool turns "
    "read-only.",
    ("dm.loopdatasize=16G", "dm.loopmetadatasize=2M", "dm.basesize=4G", "dm.fs=xfs", "dm.min_free_space=0%"),
    _prepare,
    (
        Step(
            "Two kinds of space",
            "A pool keeps its data in one place and the maps that lead to them in another, a small one.",
            _look,
            _look_told,
            Place.POOL,
            "db",
            ("dmsetup status {pool}",),
        ),
        Step(
            "Snapshots and scattered writes",
            "A database is snapshotted for its backup, and then written here and there; and once more. Watch metadata.",
            _scatter,
            _scatter_told,
            Place.POOL,
            "db",
            ("dmsetup status {pool}",),
        ),
        Step(
            "Used up",
            "The same again, until something gives way.",
            _exhaust,
            _exhaust_told,
            Place.OVERVIEW,
            "db",
            ("dmsetup status {pool}", "dmesg | grep -i thin"),
        ),
        Step(
            "More room",
            "The metadata are extended, as they should have been before.",
            _extend,
            _extend_told,
            Place.POOL,
            "db",
            ("dmsetup status {pool}",),
        ),
        Step(
            "Fewer snapshots",
            "The old backups are deleted, which is what was wanted all along.",
            _fewer,
            _fewer_told,
            Place.POOL,
            "",
            ("dmsetup status {pool}",),
        ),
    ),
    (
        "Metadata run out by themselves: watch them like data. 16 GiB are the most that a pool can use.",
        "Each snapshot makes the next writes copy tree nodes; many old snapshots are what fills metadata.",
        "Extend metadata in time: a pool that has run out turns read-only, and may come back only through a check.",
    ),
    (
        "dmsetup status POOL    (the third word: metadata blocks used/total)",
        "dmtui pool extend --metadata SIZE; lvextend --poolmetadatasize +SIZE VG/POOL",
        "thin_check METADATA; thin_check --clear-needs-check-flag METADATA; lvconvert --repair VG/POOL",
    ),
)

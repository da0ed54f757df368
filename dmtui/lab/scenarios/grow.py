"""A pool is made larger while it is used: data, then metadata."""

from __future__ import annotations

from dmtui.lab.reading import size
from dmtui.lab.scenario import Place, Scenario, Step
from dmtui.lab.stage import Stage

_MIB = 1024**2
_AT = 64 * _MIB
_FIRST = 700 * _MIB
_MORE = 500 * _MIB
_DATA = 3 * 1024 * _MIB
_METADATA = 16 * _MIB


def _prepare(stage: Stage) -> None:
    stage.start()
    stage.create("db", active=False)
    stage.perform(lambda plans: plans.mount("db"))


def _fill(stage: Stage) -> None:
    stage.write("db", _AT, _FIRST, parts=8)


def _fill_told(stage: Stage) -> str:
    now = stage.now
    return (
        f"{size(now.used_bytes)} of {size(now.total_bytes)} are used, {now.total_blocks - now.used_blocks} "
        "blocks are free. "
        "The device is mounted and in use."
    )


def _data(stage: Stage) -> None:
    stage.perform(lambda plans: plans.extend(_DATA))


def _data_told(stage: Stage) -> str:
    before, now = stage.before, stage.now
    return (
        f"From {size(before.total_bytes)} to {size(now.total_bytes)}. The new table has only another length. "
        "While it was "
        f"taken over, writes waited; the device stayed mounted, open {now.open_counts['db']} time, with "
        f"{size(now.mapped['db'])} mapped as before."
    )


def _data_step(stage: Stage) -> None:
    stage.write("db", _AT + _FIRST, _MORE, parts=6)


def _data_step_told(stage: Stage) -> str:
    before, now = stage.before, stage.now
    return (
        f"{size(now.used_bytes - before.used_bytes)} more, and {size(now.total_bytes - now.used_bytes)} are free. More "
        f"blocks need more maps: {now.metadata_used_blocks} of {now.metadata_total_blocks} metadata blocks are used."
    )


def _metadata(stage: Stage) -> None:
    stage.perform(lambda plans: plans.extend(None, _METADATA))


def _metadata_told(stage: Stage) -> str:
    before, now = stage.before, stage.now
    return (
        f"From {before.metadata_total_blocks} to {now.metadata_total_blocks} blocks. Here no table changed: "
        "the pool looks "
        f"at its metadata device when it is resumed. Used went from {before.metadata_used_blocks} to "
        f"{now.metadata_used_blocks}, as the hidden reserve grows, too."
    )


def _shrink(stage: Stage) -> None:
    stage.refused(lambda: stage.perform(lambda plans: plans.extend(_FIRST)))


def _shrink_told(stage: Stage) -> str:
    return f"Refused. A pool never becomes smaller; it still has {size(stage.now.total_bytes)}."


_LOOKING = ("dmsetup status {pool}", "dmsetup table {pool}")
SCENARIO = Scenario(
    "grow",
    "Growing a pool live",
    "Data and metadata of a pool grow while its devices are mounted and written; neither ever shrinks.",
    ("dm.loopdatasize=1G", "dm.loopmetadatasize=8M", "dm.basesize=2G", "dm.fs=xfs"),
    _prepare,
    (
        Step("It is getting full", "A mounted device is written.", _fill, _fill_told, Place.POOL, "db", _LOOKING),
        Step(
            "More data space",
            "The file under the pool grows, the loop device takes that over, and the pool gets a longer table.",
            _data,
            _data_told,
            Place.POOL,
            "db",
            _LOOKING,
        ),
        Step("Used at once", "The device writes on.", _data_step, _data_step_told, Place.POOL, "db", _LOOKING),
        Step(
            "More metadata space",
            "Metadata grow in their own way.",
            _metadata,
            _metadata_told,
            Place.POOL,
            "db",
            _LOOKING,
        ),
        Step(
            "And back?",
            "Somebody asks for less.",
            _shrink,
            _shrink_told,
            Place.OPERATIONS,
            "",
            ("dmsetup status {pool}",),
        ),
    ),
    (
        "Growing takes a moment, with the pool suspended; nothing has to be unmounted.",
        "Data grow by a longer table, metadata by a resume over a larger device.",
        "Neither ever shrinks: to make a pool smaller, make another one and copy.",
    ),
    (
        "truncate --size SIZE FILE; losetup -c /dev/loopN",
        "dmsetup load POOL --table '0 NEW_SECTORS thin-pool ...'; dmsetup suspend POOL; dmsetup resume POOL",
        "dmtui pool extend --data SIZE --metadata SIZE",
        "lvextend -L +SIZE VG/POOL; lvextend --poolmetadatasize +SIZE VG/POOL",
    ),
)

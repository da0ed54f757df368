"""A metadata write fails: the pool turns read-only and wants a check before it serves again."""

from __future__ import annotations

from dmtui.lab.reading import size
from dmtui.lab.scenario import Place, Scenario, Step
from dmtui.lab.stage import Stage

_MIB = 1024**2
_AT = 64 * _MIB
_WRITTEN = 220 * _MIB
_LITTLE = 24 * _MIB


def _prepare(stage: Stage) -> None:
    stage.start()
    stage.create("db")


def _write(stage: Stage) -> None:
    stage.write("db", _AT, _WRITTEN, parts=5)


def _write_told(stage: Stage) -> str:
    now = stage.now
    return (
        f"Mode {now.mode}, {size(now.mapped['db'])} mapped, {now.metadata_used_blocks} metadata blocks used. All "
        "is well."
    )


def _fail(stage: Stage) -> None:
    stage.commands.append("(the disk under the metadata answers one write with an I/O error)")
    stage.machine.faults.fail_metadata_operation(stage.pool_name)
    stage.beat()
    stage.refused(lambda: stage.write("db", _AT + _WRITTEN, _LITTLE))


def _check_due(stage: Stage) -> str:
    return "needs_check" if stage.now.needs_check else "no check due"


def _fail_told(stage: Stage) -> str:
    return (
        f"Mode {stage.now.mode}, {_check_due(stage)}: the kernel threw the open transaction away and takes no "
        "change any "
        "more. What was committed can be read."
    )


def _in_place(stage: Stage) -> None:
    stage.write("db", _AT, _LITTLE, parts=2)


def _in_place_told(stage: Stage) -> str:
    taken = stage.now.used_blocks - stage.before.used_blocks
    return (
        f"That went through and took {taken} blocks: a block that is mapped and not shared needs no new "
        "metadata. So a pool "
        "in this state may look healthy for hours to whoever has its blocks already."
    )


def _reactivate(stage: Stage) -> None:
    stage.perform(lambda plans: plans.remove_pool())
    stage.start()


def _reactivate_told(stage: Stage) -> str:
    return (
        f"Still mode {stage.now.mode}, {_check_due(stage)}: the mark is in the metadata, and neither a new "
        "activation nor "
        "a reboot takes it away."
    )


def _check(stage: Stage) -> None:
    stage.check_offline()


def _check_told(stage: Stage) -> str:
    return (
        f"Mode {stage.now.mode}, {_check_due(stage)}. thin_check found the metadata sound, so the mark could be "
        "cleared."
    )


def _go_on(stage: Stage) -> None:
    stage.activate("db")
    stage.write("db", _AT + _WRITTEN, _LITTLE, parts=3)


def _go_on_told(stage: Stage) -> str:
    return f"{size(stage.now.mapped['db'])} are mapped: everything from before the failure, and what is new."


_LOOKING = ("dmsetup status {pool}",)
SCENARIO = Scenario(
    "needs-check",
    "A pool that needs a check",
    "One failed metadata write turns a pool read-only; only a check of its metadata brings it back.",
    ("dm.loopdatasize=4G", "dm.loopmetadatasize=8M", "dm.basesize=2G", "dm.fs=xfs"),
    _prepare,
    (
        Step("A healthy pool", "A database is written.", _write, _write_told, Place.OVERVIEW, "db", _LOOKING),
        Step(
            "One bad write",
            "Now the disk under the metadata fails once, in the middle of a commit.",
            _fail,
            _fail_told,
            Place.OVERVIEW,
            "db",
            ("dmesg | grep -i thin", *_LOOKING),
        ),
        Step(
            "And yet it writes",
            "The database overwrites what it has.",
            _in_place,
            _in_place_told,
            Place.DEVICE,
            "db",
            _LOOKING,
        ),
        Step(
            "Does a restart help?",
            "The pool is taken down and activated again.",
            _reactivate,
            _reactivate_told,
            Place.OVERVIEW,
            "",
            _LOOKING,
        ),
        Step(
            "The check",
            "The pool is taken down, its metadata are checked, and the mark is cleared.",
            _check,
            _check_told,
            Place.OVERVIEW,
            "",
            _LOOKING,
        ),
        Step("It serves again", "The database writes on.", _go_on, _go_on_told, Place.POOL, "db", _LOOKING),
    ),
    (
        "Read-only with needs_check means: the last commit is whole, and nothing new is taken.",
        "The mark is in the metadata: it survives reboots and goes only with a check.",
        "Where thin_check finds damage, thin_repair writes sound metadata to another device; never onto the same one.",
    ),
    (
        "dmsetup status POOL    (ro ... needs_check)",
        "thin_check METADATA; thin_check --clear-needs-check-flag METADATA",
        "thin_repair -i METADATA -o OTHER_DEVICE; lvconvert --repair VG/POOL",
        "dmtui pool check",
    ),
)

"""A process is killed in the middle of creating a device; the next one finds what it left, and mends it."""

from __future__ import annotations

from dmtui.lab.scenario import Place, Scenario, Step
from dmtui.lab.stage import Stage

_MIB = 1024**2
_AT = 64 * _MIB
_IMAGE = 120 * _MIB


def _prepare(stage: Stage) -> None:
    stage.start()
    stage.create("image")
    stage.machine.write(stage.device("image"), offset_bytes=_AT, length_bytes=_IMAGE)


def _thin_ids(stage: Stage) -> set[int]:
    """The ids that the pool has, read as thin_ls does through a metadata snapshot."""
    metadata = stage.graph.metadata_file
    pool = stage.machine.device_mapper
    pool.message(stage.pool_name, "reserve_metadata_snap")
    try:
        loop = next(loop for loop in stage.machine.loops.list_bound() if loop.backing_path == metadata)
        entries = stage.machine.thin_tools.list_thins(loop.path, snapshot=True)
    finally:
        pool.message(stage.pool_name, "release_metadata_snap")
    return {entry.thin_id for entry in entries}


def _recorded(stage: Stage) -> dict[int, str]:
    """The ids on file, with their names."""
    engine = stage.open_engine(recovering=False)
    records = engine.devices.state.records.values()
    return {record.device_id: record.hash_name or "base" for record in records}


def _look(stage: Stage) -> None:
    stage.beat()


def _look_told(stage: Stage) -> str:
    names = [f"{name} ({number})" for number, name in sorted(_recorded(stage).items())]
    return (
        f"On file are {' and '.join(names)}, each by its thin id; the pool has {len(_thin_ids(stage))} ids, "
        "the same. Its "
        f"transaction id is {_transaction(stage)}: both sides count it up with each change."
    )


def _transaction(stage: Stage) -> int:
    status = stage.now.status
    return status.figures.transaction_id if status and status.figures else 0


def _kill(stage: Stage) -> None:
    stage.kill_during(lambda plans: plans.create("web", "image"), "close the transaction")


def _kill_told(stage: Stage) -> str:
    ids, recorded = _thin_ids(stage), _recorded(stage)
    new = max(ids)
    name = recorded.get(new, "nobody")
    return (
        f"The pool has {len(ids)} ids, the new one is {new}, recorded for {name}; but the pool's transaction "
        "id is still "
        f"{_transaction(stage)}, so nobody can know whether that device is whole."
    )


def _recover(stage: Stage) -> None:
    stage.perform(lambda plans: plans.activate("image"))


def _recover_told(stage: Stage) -> str:
    ids, recorded = _thin_ids(stage), _recorded(stage)
    same = "the same" if ids == set(recorded) else "not the same"
    return (
        "Before it did anything else, the next command compared the open transaction with the pool's "
        f"{_transaction(stage)} "
        f"and took it back: {len(recorded)} devices on file, {len(ids)} ids in the pool, {same}."
    )


def _kill_suspended(stage: Stage) -> None:
    image = stage.device("image")
    stage.kill_during(lambda plans: plans.create("web", "image"), f"resume {image}")
    stage.refused(lambda: stage.machine.write(image, offset_bytes=_AT, length_bytes=_MIB))


def _kill_suspended_told(stage: Stage) -> str:
    info = stage.machine.device_mapper.info(stage.device("image"))
    state = "suspended" if info.suspended else "running"
    return (
        f"The image was suspended for a consistent snapshot, and is {state} now: whoever writes to it waits, without "
        "an end. That is the worst a kill can leave behind."
    )


def _recover_again(stage: Stage) -> None:
    stage.create("web", "image")


def _recover_again_told(stage: Stage) -> str:
    ids, recorded = _thin_ids(stage), _recorded(stage)
    same = "the same" if ids == set(recorded) else "not the same"
    state = "suspended" if stage.machine.device_mapper.info(stage.device("image")).suspended else "running"
    return (
        f"The image is {state} again, the half-made device is gone, and then web was made: {len(recorded)} on file, "
        f"{len(ids)} in the pool, {same}, at transaction {_transaction(stage)}."
    )


_LOOKING = ("dmtui pool reconcile", "dmsetup status {pool}")
SCENARIO = Scenario(
    "crash",
    "A crash in the middle of creating a device",
    "A process is killed between two steps of a creation, twice; the next one finishes or undoes what it left.",
    ("dm.loopdatasize=4G", "dm.loopmetadatasize=8M", "dm.basesize=2G", "dm.fs=xfs"),
    _prepare,
    (
        Step(
            "Two books",
            "What devices there are stands in two places: in the pool, as numbers, and on file, as names.",
            _look,
            _look_told,
            Place.DEVICES,
            "image",
            _LOOKING,
        ),
        Step(
            "Killed before the end",
            "A snapshot is made, and its maker is killed just before it closes the transaction.",
            _kill,
            _kill_told,
            Place.DEVICES,
            "web",
            ("cat {graph}/metadata/transaction-metadata", *_LOOKING),
        ),
        Step(
            "The next command",
            "Somebody does something else. Whoever comes next, mends first.",
            _recover,
            _recover_told,
            Place.OPERATIONS,
            "",
            ("tail -1 {graph}/dmtui/audit.jsonl", *_LOOKING),
        ),
        Step(
            "Killed at the worst moment",
            "Once more, and now the maker is killed while the parent is suspended.",
            _kill_suspended,
            _kill_suspended_told,
            Place.DEVICES,
            "image",
            ("dmsetup info {prefix}-image", *_LOOKING),
        ),
        Step(
            "Mended, and made",
            "The same creation again, by the next process.",
            _recover_again,
            _recover_again_told,
            Place.DEVICES,
            "web",
            ("dmsetup info {prefix}-image", *_LOOKING),
        ),
    ),
    (
        "The intent is on disk before the pool hears of it, so a kill leaves nothing that cannot be explained.",
        "Half-made devices are taken back, not guessed to be whole; what cannot be taken back is finished.",
        "A suspended parent makes its users hang: after a kill look for SUSPENDED in dmsetup info.",
    ),
    (
        "cat GRAPH/metadata/transaction-metadata; dmsetup status POOL    (its first word is the transaction id)",
        "dmsetup info -c -o name,suspended; dmsetup resume NAME",
        "dmtui pool reconcile    (compares records, pool and active devices)",
    ),
)

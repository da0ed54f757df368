"""The power fails: what a pool has committed is there again, what it has not is gone."""

from __future__ import annotations

from dmtui.lab.reading import size
from dmtui.lab.scenario import Place, Scenario, Step
from dmtui.lab.stage import Stage

_MIB = 1024**2
_AT = 64 * _MIB
_LOG = 96 * _MIB
_BLOCK = 64 * 1024
_BURST = 32 * _MIB
_SYNCED = 24 * _MIB
_DROPPED = 48 * _MIB


def _prepare(stage: Stage) -> None:
    stage.start()
    stage.create("log")


def _write(stage: Stage) -> None:
    stage.write("log", _AT, _LOG, parts=6)


def _write_told(stage: Stage) -> str:
    return (
        f"{size(stage.now.mapped['log'])} are mapped. The pool notes that in its metadata, and commits them: when it "
        "is asked to, and otherwise about once a second."
    )


def _fail_and_start(stage: Stage) -> None:
    stage.cut_power()
    stage.start()
    stage.activate("log")


def _burst(stage: Stage) -> None:
    with stage.within_a_second():
        # The first change after a quiet second is committed at once.
        stage.write("log", _AT + _LOG, _BLOCK)
        stage.write("log", _AT + _LOG + _BLOCK, _BURST)
        _fail_and_start(stage)


def _came(stage: Stage) -> int:
    """Bytes mapped more than before the step."""
    return stage.now.mapped["log"] - stage.before.mapped["log"]


def _burst_told(stage: Stage) -> str:
    lost = _BLOCK + _BURST - _came(stage)
    return (
        f"Both writes had returned to the log. Of {size(_BLOCK + _BURST)} the pool knows {size(_came(stage))}: the "
        f"first write came after a quiet second and was committed at once, the other {size(lost)} were not yet. They "
        "read as they did before, and their blocks are free."
    )


def _synced(stage: Stage) -> None:
    with stage.within_a_second():
        stage.write("log", _AT + _LOG + _BLOCK, _SYNCED, flush=True)
        _fail_and_start(stage)


def _synced_told(stage: Stage) -> str:
    return f"All {size(_came(stage))} are there: a flush of a device that has changed makes the pool commit first."


def _snapshot(stage: Stage) -> None:
    with stage.within_a_second():
        stage.write("log", _AT + _LOG + _BLOCK + _SYNCED, _SYNCED)
        stage.create("kept", "log", active=False)
        _fail_and_start(stage)


def _snapshot_told(stage: Stage) -> str:
    return (
        f"{size(_came(stage))} more, and the snapshot is there, too. Nobody flushed; but every message to a pool that "
        "succeeds (create, delete, a transaction id) is committed before it returns, with all that is open."
    )


def _discard(stage: Stage) -> None:
    with stage.within_a_second():
        stage.write("log", _AT, _BLOCK)
        stage.discard("log", _AT, _DROPPED)
        _fail_and_start(stage)


def _discard_told(stage: Stage) -> str:
    return (
        f"{size(_DROPPED)} were discarded, and {size(-_came(stage))} of them stayed so: the mappings are back as if "
        "nobody had asked. What they hold is another matter: where the discard has gone down to the disk, it is gone."
    )


_LOOKING = ("dmsetup status {pool}", "dmsetup status --target thin")
SCENARIO = Scenario(
    "power-cut",
    "What a power cut takes",
    "A pool commits about once a second; what came later is lost unless somebody flushed.",
    ("dm.loopdatasize=2G", "dm.loopmetadatasize=8M", "dm.basesize=1G", "dm.fs=ext4"),
    _prepare,
    (
        Step("A log grows", "A service appends to its log.", _write, _write_told, Place.DEVICES, "log", _LOOKING),
        Step(
            "The power fails",
            "It writes on without fsync, and within the same second the power fails. The machine boots, the pool is "
            "activated again.",
            _burst,
            _burst_told,
            Place.DEVICES,
            "log",
            _LOOKING,
        ),
        Step(
            "The same with fsync",
            "It writes the same place again, calls fsync, and the power fails.",
            _synced,
            _synced_told,
            Place.DEVICES,
            "log",
            _LOOKING,
        ),
        Step(
            "A snapshot commits, too",
            "It writes without fsync, somebody takes a snapshot, and the power fails.",
            _snapshot,
            _snapshot_told,
            Place.DEVICES,
            "log",
            _LOOKING,
        ),
        Step(
            "Discards are no better",
            "The service writes one block, committed at once after a quiet second, then drops the first half of its "
            "log, and the power fails.",
            _discard,
            _discard_told,
            Place.DEVICES,
            "log",
            _LOOKING,
        ),
    ),
    (
        "A write that returned is safe only after fsync, on thin devices as on any other.",
        "The pool's metadata are always those of a commit: whole, at most a second or two old.",
        "Messages and suspends commit; `dmsetup status` commits unless it is given --noflush.",
    ),
    (
        "dmsetup status --noflush POOL",
        "sync -f FILE; fsfreeze --freeze MOUNTPOINT; dmsetup message POOL 0 'create_snap NEW ORIGIN'",
        "echo b > /proc/sysrq-trigger (boots at once, nothing is written: what a power cut does)",
    ),
)

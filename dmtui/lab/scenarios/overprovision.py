"""A pool that promises more than it has, the queue behind its last block, and the two ways out of it."""

from __future__ import annotations

from dmtui.lab.reading import size
from dmtui.lab.scenario import Place, Scenario, Step
from dmtui.lab.stage import Stage

_MIB = 1024**2
_FREE_AT = 64 * _MIB
_FIRST = 150 * _MIB
_TOO_MUCH = 500 * _MIB
_LITTLE = 16 * _MIB
_EXTENDED = 1024 * _MIB


def _promise(stage: Stage) -> None:
    stage.create("db")
    stage.create("logs")


def _promise_told(stage: Stage) -> str:
    now = stage.now
    return (
        f"The {len(now.sizes)} devices promise {size(sum(now.sizes.values()))} to their users; the pool has "
        f"{size(now.total_bytes)}. That is no mistake: it is what thin provisioning is for. It works as long "
        "as somebody "
        "watches."
    )


def _fill(stage: Stage) -> None:
    stage.write("db", _FREE_AT, _FIRST, parts=6)


def _fill_told(stage: Stage) -> str:
    now = stage.now
    return (
        f"{size(now.used_bytes)} of {size(now.total_bytes)} are used. The kernel raises an event when no more than "
        f"{now.low_water_mark_blocks} blocks are free, once for each resume; the pool has raised {now.event_number} so "
        "far."
    )


def _overfill(stage: Stage) -> None:
    stage.refused(lambda: stage.write("logs", _FREE_AT, _TOO_MUCH, parts=10))


def _overfill_told(stage: Stage) -> str:
    now = stage.now
    waiting = sum(io.bytes_left for _, io in stage.machine.queue.list_waiting())
    return (
        f"{now.used_blocks} of {now.total_blocks} blocks are used, the mode is {now.mode} and the policy "
        f"{now.no_space}: "
        f"{size(waiting)} of the write found no block and wait in the kernel, and whoever wrote hangs. Reading and "
        "writing what is mapped goes on."
    )


def _give_up(stage: Stage) -> None:
    stage.machine.clock.step(stage.machine.clock.no_space_timeout_seconds())
    stage.refused(lambda: stage.write("logs", _FREE_AT + _TOO_MUCH, _LITTLE))


def _give_up_told(stage: Stage) -> str:
    return (
        f"After its wait the pool's policy is {stage.now.no_space}: what waited has failed, and a new write fails at "
        "once. A file system above turns that into lost data, and often goes read-only."
    )


def _extend(stage: Stage) -> None:
    stage.perform(lambda plans: plans.extend(_EXTENDED))


def _extend_told(stage: Stage) -> str:
    before, now = stage.before, stage.now
    return (
        f"The data grew from {size(before.total_bytes)} to {size(now.total_bytes)} under the devices. The "
        "mode went from "
        f"{before.mode} to {now.mode}, and the policy is {now.no_space} again."
    )


def _go_on(stage: Stage) -> None:
    stage.write("logs", _FREE_AT + _TOO_MUCH, _LITTLE, parts=2)


def _go_on_told(stage: Stage) -> str:
    taken = size(stage.now.used_bytes - stage.before.used_bytes)
    return f"Written, {taken}, as if nothing had happened. What failed meanwhile is lost all the same."


_STATUS = ("dmsetup status {pool}",)
SCENARIO = Scenario(
    "overprovision",
    "Over-provisioning, and the queue that waits a minute",
    "A pool promises more than it has; when the last block is gone, writes wait for a minute, and then they fail.",
    ("dm.loopdatasize=512M", "dm.loopmetadatasize=8M", "dm.basesize=2G", "dm.fs=xfs"),
    Stage.start,
    (
        Step(
            "More promised than there is",
            "Two devices are made. Compare what they are with what the pool has.",
            _promise,
            _promise_told,
            Place.POOL,
            "db",
            _STATUS,
        ),
        Step("It fills", "The first device is written. Watch the gauge.", _fill, _fill_told, Place.POOL, "db", _STATUS),
        Step(
            "The last block",
            "The second device is written, more than is left.",
            _overfill,
            _overfill_told,
            Place.OVERVIEW,
            "logs",
            _STATUS,
        ),
        Step(
            "The wait ends",
            "The kernel waits sixty seconds for somebody to extend the pool (no_space_timeout of dm_thin_pool). Here "
            "nobody does, and the clock is put forward.",
            _give_up,
            _give_up_told,
            Place.EVENTS,
            "",
            ("cat /sys/module/dm_thin_pool/parameters/no_space_timeout", *_STATUS),
        ),
        Step(
            "The way out",
            "The pool is extended while it is used. Within the minute, nothing would have been lost.",
            _extend,
            _extend_told,
            Place.POOL,
            "",
            _STATUS,
        ),
        Step("Writing goes on", "The same write again.", _go_on, _go_on_told, Place.OVERVIEW, "logs", _STATUS),
    ),
    (
        "The sum of the promises may be larger than the pool; nothing but watching keeps that safe.",
        "Out of data space is no damage: extend the pool and it serves again. Within the wait nothing is lost.",
        "A file system on a full thin device may shut down or lose data: free space before the last block is gone.",
    ),
    (
        "dmsetup status POOL    (out_of_data_space, queue_if_no_space)",
        "dmtui pool extend --data SIZE",
        "lvextend -L +SIZE VG/POOL    (or thin_pool_autoextend_threshold in lvm.conf, with dmeventd)",
        "echo 0 > /sys/module/dm_thin_pool/parameters/no_space_timeout    (wait for ever)",
    ),
)

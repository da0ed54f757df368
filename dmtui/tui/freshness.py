"""How fresh the figures on the screen are: live, paused, late or failing; an old figure never looks like a new one."""

from __future__ import annotations

import math
from enum import Enum

from dmtui.monitor.poller import PollFailed
from dmtui.monitor.sample import Sample
from dmtui.thinpool.values import frozen

LATE_INTERVALS = 3
"""A poll is late when it has been in flight for so many intervals."""
_LATE_AT_LEAST_SECONDS = 1.0
_LATE_AT_MOST_SECONDS = 10.0


class Flow(Enum):
    """What the stream of samples does."""

    WAITING = "first poll"
    LIVE = "LIVE"
    PAUSED = "PAUSED"
    LATE = "STALE"
    FAILING = "FAILING"
    REPLAY = "REPLAY"


@frozen
class Position:
    """Where in a recording the figures on the screen are.

    Attributes:
        index: number of the sample, from 0.
        count: how many there are.
        began_at: moment of the first.
        ended_at: moment of the last.
    """

    index: int
    count: int
    began_at: float
    ended_at: float


@frozen
class Freshness:
    """The state of the stream at one instant.

    Attributes:
        interval_seconds: between the starts of two polls.
        sample_at: when the sample shown was taken; None before the first.
        age_seconds: its age.
        silent_seconds: how long the machine has not answered, whole seconds.
        error: what the newest poll said instead of a sample.
        position: where in a recording; None where a machine is watched.
        held: a recording that stands still.
        retry_seconds: how long until it is tried again, whole seconds, 0 while it is; None where that is soon anyway.
    """

    flow: Flow
    interval_seconds: float
    sample_at: float | None = None
    age_seconds: int = 0
    silent_seconds: int = 0
    error: str = ""
    position: Position | None = None
    held: bool = False
    retry_seconds: int | None = None

    @property
    def stale(self) -> bool:
        """Whether the figures must be marked as old."""
        return self.flow in (Flow.LATE, Flow.FAILING)


def judge(
    now: float,
    interval_seconds: float,
    *,
    sample: Sample | None,
    failure: PollFailed | None,
    waiting_since: float | None,
    paused: bool,
    position: Position | None = None,
) -> Freshness:
    """The state of the stream: late outranks failing, failing the recording, that paused."""
    sample_at = None if sample is None else sample.taken_at
    age_seconds = 0 if sample is None else max(0, int(now - sample.taken_at))
    late_after = min(_LATE_AT_MOST_SECONDS, max(_LATE_AT_LEAST_SECONDS, LATE_INTERVALS * interval_seconds))
    silent = 0.0 if waiting_since is None else now - waiting_since
    if silent > late_after:
        flow = Flow.LATE
    elif failure is not None:
        flow = Flow.FAILING
    elif position is not None:
        flow = Flow.REPLAY
    elif paused:
        flow = Flow.PAUSED
    elif sample is None:
        flow = Flow.WAITING
    else:
        flow = Flow.LIVE
    error = "" if failure is None else failure.message
    held = paused and position is not None
    retry_at = None if failure is None else failure.retry_at
    retry_seconds = None if retry_at is None else max(0, math.ceil(retry_at - now))
    return Freshness(flow, interval_seconds, sample_at, age_seconds, int(silent), error, position, held, retry_seconds)

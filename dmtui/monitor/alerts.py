"""Alerts as data: what is wrong, since when, how bad at the worst; a pure step from one sample to the next.

The state is a value: the same samples give the same alerts, whether they come from a machine, a recording or a test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from enum import Enum
from operator import attrgetter

from dmtui.monitor.alertrules import Fact, Figure, Rule, read
from dmtui.monitor.forecast import PoolForecast
from dmtui.monitor.nextsteps import NextStep, next_step
from dmtui.monitor.sample import Pool, Sample
from dmtui.monitor.severity import Severity
from dmtui.monitor.thresholds import Thresholds
from dmtui.thinpool.values import frozen

GONE_AFTER_POLLS = 3
"""The alerts of a pool end when so many samples in a row do not have it."""
POOL_IS_GONE = "the pool is gone"
"""The text of an alert that has ended so: nothing has become better."""
_IS_DOWN = "it is down"
_NOT_MENDED = "it is down, not mended so far as is known"
_LEFT_BEHIND = "left behind"
"""The word of an alert whose pool was taken down to be mended and has not come back."""

Key = tuple[str, Rule]
"""What tells one alert from another: the pool's name and the rule."""


@frozen
class Alert:
    """Something is wrong with a pool.

    Attributes:
        rule: what it is about.
        pool: name of the pool.
        severity: how bad it is now: WATCH, WARN or CRIT.
        text: what is wrong, in words.
        began_at: when it began, seconds since the epoch.
        last_at: the newest sample that had it.
        count: how many samples had it.
        value: the figure now, in the rule's unit; None where there is none.
        low: the smallest so far.
        high: the largest so far.
        mean: the mean so far.
        acknowledged: the operator has seen it; it is unseen again when it gets worse.
        word: tells facts of one rule apart.
        next_step: what to do about it; None where that is not known.
        brief: the text in few words; empty where it is short.
    """

    rule: Rule
    pool: str
    severity: Severity
    text: str
    began_at: float
    last_at: float
    count: int = 1
    value: float | None = None
    low: float | None = None
    high: float | None = None
    mean: float | None = None
    acknowledged: bool = False
    word: str = ""
    next_step: NextStep | None = None
    brief: str = ""

    @property
    def key(self) -> Key:
        """What tells it from others."""
        return self.pool, self.rule

    @property
    def is_left_behind(self) -> bool:
        """Whether its pool was taken down to be mended, and is not back: what is left to do is its next step."""
        return self.word == _LEFT_BEHIND

    @property
    def order(self) -> tuple[int, int, float, str, str]:
        """Its place among others: the worst first, of one severity by the rank of its rule, then the longest first."""
        return -self.severity, self.rule.rank, self.began_at, self.pool, self.rule.value

    @property
    def lasted_seconds(self) -> float:
        """From its beginning to the newest sample that had it."""
        return max(0.0, self.last_at - self.began_at)


class ChangeKind(Enum):
    """What became of an alert."""

    BEGAN = "began"
    WORSE = "got worse"
    BETTER = "got better"
    OTHER = "is another now"
    ENDED = "ended"
    ACKNOWLEDGED = "acknowledged"


@frozen
class Change:
    """A change of an alert.

    Attributes:
        kind: what became of it.
        at: when, seconds since the epoch.
        alert: the alert as it is now; as it was last when it ended.
        found: it did not begin now: it was so when the machine was first looked at.
    """

    kind: ChangeKind
    at: float
    alert: Alert
    found: bool = False


@frozen
class _Track:
    """What is known of one rule of one pool: its alert, and a severity that may take over."""

    alert: Alert | None = None
    pending: Severity | None = None
    pending_since: float = 0.0
    pending_polls: int = 0

    @property
    def severity(self) -> Severity:
        return self.alert.severity if self.alert else Severity.INFO


@frozen
class AlertState:
    """All alerts; immutable: `step` and `acknowledge` make the next."""

    _tracks: Mapping[Key, _Track] = field(default_factory=dict[Key, _Track])
    _absent: Mapping[str, int] = field(default_factory=dict[str, int])
    _first_at: float | None = None

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """The alerts that are on, by `Alert.order`."""
        return tuple(sorted((track.alert for track in self._tracks.values() if track.alert), key=_ORDER))

    def of(self, pool: str) -> tuple[Alert, ...]:
        """The alerts of one pool, worst first."""
        return tuple(alert for alert in self.alerts if alert.pool == pool)

    @property
    def left_behind(self) -> tuple[Alert, ...]:
        """The alerts whose pools were taken down to be mended and are not back."""
        return tuple(alert for alert in self.alerts if alert.is_left_behind)

    @property
    def worst(self) -> Severity:
        """The severity of the worst; INFO when there is none."""
        return max((alert.severity for alert in self.alerts), default=Severity.INFO)

    def step(
        self, sample: Sample, forecasts: Mapping[str, PoolForecast], thresholds: Thresholds | None = None
    ) -> tuple[AlertState, tuple[Change, ...]]:
        """The alerts after one more sample, and what has changed.

        Args:
            sample: the sample.
            forecasts: forecasts of its pools, by name; a pool without one has no alerts about the time to come.
            thresholds: when alerts begin and end.
        """
        limits = thresholds or Thresholds()
        tracks, changes = dict(self._tracks), list[Change]()
        first_at = sample.taken_at if self._first_at is None else self._first_at
        for pool in sample.pools:
            for reading in read(pool, forecasts.get(pool.name), limits):
                key = (pool.name, reading.rule)
                before = tracks.get(key, _Track())
                tracks[key], change = _advanced(before, pool, reading, sample, limits.polls)
                if change is not None:
                    held_since = sample.taken_at if before.pending is None else before.pending_since
                    found = change.kind is ChangeKind.BEGAN and held_since <= first_at
                    changes.append(replace(change, found=found))
        absent = {
            name: self._absent.get(name, 0) + 1
            for name in {name for name, _ in tracks}
            if sample.pool(name) is None and not sample.tells_of(name)
        }
        for name in [name for name, polls in absent.items() if polls >= GONE_AFTER_POLLS]:
            changes += _end_of_pool(tracks, name, sample.taken_at)
        at_work = {key: track for key, track in tracks.items() if track != _Track()}
        return AlertState(at_work, absent, first_at), tuple(changes)

    def acknowledge(self, key: Key, at: float) -> tuple[AlertState, tuple[Change, ...]]:
        """Note that the operator has seen an alert; one that has ended or was seen before changes nothing."""
        track = self._tracks.get(key)
        if track is None or track.alert is None or track.alert.acknowledged:
            return self, ()
        seen = replace(track.alert, acknowledged=True)
        tracks = {**self._tracks, key: replace(track, alert=seen)}
        return AlertState(tracks, self._absent, self._first_at), (Change(ChangeKind.ACKNOWLEDGED, at, seen),)


_ORDER = attrgetter("order")


def _end_of_pool(tracks: dict[Key, _Track], pool: str, at: float) -> list[Change]:
    """End the alerts of a pool that is gone; of one that had to be taken down, what is left to do stays, once."""
    tracked = [tracks.pop(key) for key in list(tracks) if key[0] == pool]
    changes = list[Change]()
    for alert in sorted((track.alert for track in tracked if track.alert), key=_ORDER):
        step = alert.next_step
        if alert.is_left_behind:
            tracks[alert.key] = _Track(alert)
        elif step is not None and step.once_down is not None and not any(key[0] == pool for key in tracks):
            left = Alert(alert.rule, pool, Severity.WARN, _NOT_MENDED, alert.began_at, at, word=_LEFT_BEHIND)
            left = replace(left, next_step=step.once_down, brief=_IS_DOWN)
            tracks[alert.key] = _Track(left)
            changes.append(Change(ChangeKind.OTHER, at, left))
        else:
            changes.append(Change(ChangeKind.ENDED, at, replace(alert, text=POOL_IS_GONE)))
    return changes


def _advanced(
    track: _Track, pool: Pool, reading: Figure | Fact, sample: Sample, polls: int
) -> tuple[_Track, Change | None]:
    """A track after one more reading, and what has changed."""
    at, before = sample.taken_at, track.alert
    if isinstance(reading, Figure):
        wanted = reading.ladder.severity(reading.height, track.severity)
        severity, waiting = _settled(track, wanted, at, polls, reading.calm_seconds)
    else:
        severity, waiting = _settled(track, reading.severity, at, reading.polls, 0.0)
    if severity is Severity.INFO:
        return replace(waiting, alert=None), before and Change(ChangeKind.ENDED, at, before)
    passes = isinstance(reading, Figure) and reading.value is None
    step = None if passes else next_step(reading.rule, pool, emulated=sample.machine == "emulated")
    alert = replace(_alert(before, pool, reading, severity, at), next_step=step)
    kind = _kind(before, alert)
    if kind in (ChangeKind.WORSE, ChangeKind.OTHER):
        alert = replace(alert, acknowledged=False)
    return replace(waiting, alert=alert), kind and Change(kind, at, alert)


def _settled(track: _Track, wanted: Severity, at: float, polls: int, calm_seconds: float) -> tuple[Severity, _Track]:
    """The severity that holds now, and the track with what may take over later."""
    present = track.severity
    if wanted is present:
        return present, _Track(track.alert)
    rising = wanted > present
    takes_over, since, seen = wanted, at, 1
    if track.pending is not None and (track.pending > present) is rising:
        # The mildest of a rise and the worst of a fall: what has really held all the time.
        takes_over = min(wanted, track.pending) if rising else max(wanted, track.pending)
        since, seen = track.pending_since, track.pending_polls + 1
    if seen < polls or not (rising or at - since >= calm_seconds):
        return present, _Track(track.alert, takes_over, since, seen)
    if takes_over is wanted:
        return takes_over, _Track(track.alert)
    return takes_over, _Track(track.alert, wanted, at, 1)


def _alert(before: Alert | None, pool: Pool, reading: Figure | Fact, severity: Severity, at: float) -> Alert:
    value = reading.value if isinstance(reading, Figure) else None
    word = "" if isinstance(reading, Figure) else reading.word
    if before is None:
        figures = (value, value, value, value)
        made = Alert(reading.rule, pool.name, severity, reading.text, at, at, 1, *figures, word=word)
        return replace(made, brief=reading.brief)
    after = replace(
        before,
        severity=severity,
        text=reading.text,
        last_at=at,
        count=before.count + 1,
        value=value,
        word=word,
        brief=reading.brief,
    )
    if value is None:
        return after
    if before.low is None or before.high is None or before.mean is None:
        return replace(after, low=value, high=value, mean=value)
    mean = before.mean + (value - before.mean) / after.count
    return replace(after, low=min(before.low, value), high=max(before.high, value), mean=mean)


def _kind(before: Alert | None, after: Alert) -> ChangeKind | None:
    if before is None:
        return ChangeKind.BEGAN
    if after.severity is not before.severity:
        return ChangeKind.WORSE if after.severity > before.severity else ChangeKind.BETTER
    return ChangeKind.OTHER if after.word != before.word else None

"""One timeline: what the kernel did, what the alerts said, what we did ourselves; bounded."""

from __future__ import annotations

from bisect import insort_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum

from dmtui.monitor.alertrules import duration
from dmtui.monitor.alerts import Change, ChangeKind
from dmtui.monitor.severity import Severity
from dmtui.thinpool.sizes import format_share
from dmtui.thinpool.values import frozen

KEPT_EVENTS = 2000
"""The oldest beyond these are forgotten: some 1 MB."""


class Source(Enum):
    """Where an event comes from."""

    KERNEL = "kernel"
    ALERT = "alert"
    OPERATION = "operation"


@frozen
class Event:
    """Something that happened.

    Attributes:
        at: when, seconds since the epoch; for what was seen between two samples, the later one.
        source: where it comes from.
        severity: how bad it is.
        pool: name of the pool; empty when it is about none.
        text: what happened.
    """

    at: float
    source: Source
    severity: Severity
    pool: str
    text: str


@dataclass(slots=True)
class Timeline:
    """The newest events in the order of their time; of one moment, in the order in which they came.

    Attributes:
        limit: how many are kept.
        version: grows with every event that is taken in: whoever shows them sees that there is something new.
    """

    limit: int = KEPT_EVENTS
    version: int = 0
    _events: list[Event] = field(default_factory=list[Event])

    def add(self, events: Iterable[Event]) -> None:
        """Take events in; they may lie between older ones (the audit log is read later than it was written)."""
        for event in events:
            insort_right(self._events, event, key=lambda each: each.at)
            self.version += 1
        del self._events[: max(0, len(self._events) - self.limit)]

    def newest(self, count: int | None = None, wanted: Callable[[Event], bool] = lambda _: True) -> tuple[Event, ...]:
        """The newest so many events of those that are wanted, newest first; without a count all of them."""
        found: list[Event] = []
        for event in reversed(self._events):
            if count is not None and len(found) >= count:
                break
            if wanted(event):
                found.append(event)
        return tuple(found)

    def forget_after(self, at: float) -> None:
        """Forget that moment and everything later, for whoever steps back in time."""
        self._events = [event for event in self._events if event.at < at]
        self.version += 1

    def __len__(self) -> int:
        return len(self._events)


def event_of(change: Change) -> Event:
    """A change of an alert, as an event."""
    alert = change.alert
    if change.kind is ChangeKind.ENDED:
        unit = alert.rule.unit
        highest = "" if alert.high is None or unit != "%" else f", {format_share(alert.high / 100)} at the most"
        text = f"{alert.rule.value}: ended after {duration(alert.lasted_seconds)}{highest} ({alert.text})"
        return Event(change.at, Source.ALERT, Severity.INFO, alert.pool, text)
    if change.kind is ChangeKind.ACKNOWLEDGED:
        return Event(change.at, Source.ALERT, Severity.INFO, alert.pool, f"{alert.rule.value}: acknowledged")
    word = "" if change.kind is ChangeKind.BEGAN else f" {change.kind.value}:"
    return Event(change.at, Source.ALERT, alert.severity, alert.pool, f"{alert.rule.value}:{word} {alert.text}")

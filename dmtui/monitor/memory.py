"""What is remembered of a stream of samples and concluded from it: history, forecasts, alerts, waits, one timeline.

It asks no machine and no clock: fed with the same samples it comes to the same, live, in a replay and in a test.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dmtui.monitor.alerts import AlertState, Change, Key
from dmtui.monitor.events import Event, Timeline, event_of
from dmtui.monitor.forecast import Forecaster, PoolForecast
from dmtui.monitor.history import History
from dmtui.monitor.kernelevents import kernel_events
from dmtui.monitor.nospace import Waits
from dmtui.monitor.sample import Sample
from dmtui.monitor.thresholds import Thresholds


@dataclass(slots=True)
class Memory:
    """Everything that the newest sample and those before it tell.

    Attributes:
        thresholds: when alerts begin and end.
        newest: the newest sample; None before the first.
        history: what the figures were.
        forecasts: when the pools of the newest sample are full, by name.
        alerts: what is wrong.
        waits: the pools whose writers wait for space.
        timeline: what happened.
    """

    thresholds: Thresholds = field(default_factory=Thresholds)
    newest: Sample | None = None
    history: History = field(default_factory=History)
    forecasts: Mapping[str, PoolForecast] = field(default_factory=dict[str, PoolForecast])
    alerts: AlertState = field(default_factory=AlertState)
    waits: Waits = field(default_factory=Waits)
    timeline: Timeline = field(default_factory=Timeline)
    _forecaster: Forecaster | None = None

    def take_in(self, sample: Sample) -> tuple[Change, ...]:
        """Take a sample in; returns what has changed in the alerts. Everything else is read from the attributes.

        A sample older than the newest one (a clock set back, a step into the past) makes it forget what came later.
        """
        before = self.newest
        if before is not None and sample.taken_at < before.taken_at:
            self._forget_after(sample.taken_at)
            before = None
        if self._forecaster is None:
            self._forecaster = Forecaster(self.history)
        self.history.add(sample)
        self.forecasts = self._forecaster.forecast(sample)
        self.waits = self.waits.step(sample)
        self.alerts, changes = self.alerts.step(sample, self.forecasts, self.thresholds)
        self.timeline.add(kernel_events(before, sample))
        self.timeline.add(event_of(change) for change in changes)
        self.newest = sample
        return changes

    def acknowledge(self, key: Key, at: float) -> tuple[Change, ...]:
        """Note that the operator has seen an alert."""
        self.alerts, changes = self.alerts.acknowledge(key, at)
        self.timeline.add(event_of(change) for change in changes)
        return changes

    def note(self, events: Iterable[Event]) -> None:
        """Take in what others tell: the operations of the audit log."""
        self.timeline.add(events)

    def _forget_after(self, at: float) -> None:
        # Alerts do not run backwards: what is wrong at that moment is found out anew within two samples.
        self.history.forget_after(at)
        self.timeline.forget_after(at)
        self.alerts, self.waits, self._forecaster = AlertState(), Waits(), None

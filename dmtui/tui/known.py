"""What the dashboard knows and what the operator chose in it: samples come in, the selection follows them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from dmtui.monitor.alertrules import Rule
from dmtui.monitor.alerts import Alert, Change
from dmtui.monitor.memory import Memory
from dmtui.monitor.poller import PollFailed
from dmtui.monitor.sample import Pool, Sample
from dmtui.monitor.thresholds import Thresholds
from dmtui.tui.actions import Situation
from dmtui.tui.alarms import Notice, notice_of, worst_first
from dmtui.tui.changes import Target
from dmtui.tui.figures import Look
from dmtui.tui.history import DeviceTrail, History
from dmtui.tui.paint.header import TopView
from dmtui.tui.state import Choices, DashboardState
from dmtui.tui.stream import Stream


class Known:
    """Everything that outlives a screen.

    Args:
        stream: of the samples.
        thresholds: from where on a figure is watched, WARN and CRIT.
        choices: what is chosen on the screens.
        pool_name: of the pool that is selected first; None for the worst.

    Attributes:
        stream: of the samples.
        choices: what is chosen on the screens.
        memory: what the samples come to.
        trail: the short history of each pool.
        device_trail: how much of the selected device was mapped.
        pool_name: of the selected pool; None where there is none.
        device_name: of the selected thin device; None where none was selected.
    """

    def __init__(self, stream: Stream, thresholds: Thresholds, choices: Choices, pool_name: str | None) -> None:
        self.stream, self.choices = stream, choices
        self._thresholds = thresholds
        self.forget()
        self.pool_name = pool_name
        self.device_name: str | None = None

    def forget(self) -> None:
        """Forget the past: another machine is watched from now on."""
        self.memory = Memory(self._thresholds)
        self.trail = History()
        self.device_trail = DeviceTrail()

    @property
    def sample(self) -> Sample | None:
        """The newest sample; None before the first."""
        return self.stream.sample

    @property
    def pool(self) -> Pool | None:
        """The selected pool as the newest sample has it."""
        return self.sample.pool(self.pool_name) if self.sample is not None and self.pool_name else None

    @property
    def notice(self) -> Notice | None:
        """The alert to be told first."""
        notice, sample = notice_of(self.memory.alerts.alerts, self.pool_name), self.sample
        wait = self.memory.waits.by_pool.get(notice.alert.pool) if notice is not None else None
        if notice is None or sample is None or wait is None or notice.alert.rule is not Rule.MODE:
            return notice
        now = sample.waited_at
        countdown, brief = wait.text(now, brief=True), wait.brief(now)
        full = "no free data block"
        return notice._replace(texts=(f"{full}: {countdown}", f"{full}: {brief}", f"full: {brief}"))

    def top(self, banner: str, read_only: bool, *, can_change: bool) -> TopView:
        """What the lines at the top show; see `TopView`."""
        view = TopView.of(self.sample, banner, read_only, self.stream.freshness, self.notice)
        return replace(view, can_change=can_change)

    def state(self, top: TopView, look: Look, situation: Situation, **more: Any) -> DashboardState:  # noqa: ANN401
        """Everything that screens draw from; `more` is what is not known from samples, see `DashboardState`."""
        known = (self.sample, self.pool, self.device_name, self.memory, self.trail)
        return DashboardState(*known, top, look, situation, self.choices, device_trail=self.device_trail, **more)

    def situation(self, **more: Any) -> Situation:  # noqa: ANN401
        """What decides which actions are allowed; `more` is what is not known from samples."""
        has_pools = bool(self.sample and self.sample.pools)
        stream = self.stream
        return Situation(paused=stream.paused, replays=stream.replays, has_pools=has_pools, unseen=self.unseen, **more)

    def target(self, device_key: str | None, look: Look, *, marks: bool) -> Target:
        """What an operation is asked for; `marks`: of all devices that are marked."""
        marked = self.choices.marks.of(self.pool_name or "") if marks else frozenset[str]()
        alerts = self.memory.alerts.alerts
        return Target(self.sample, self.pool, device_key or self.device_name, look, marked, alerts)

    @property
    def unseen(self) -> bool:
        """Whether there are alerts to acknowledge."""
        return any(not alert.acknowledged for alert in self._alerts())

    def take_in(self, outcome: Sample | PollFailed) -> tuple[Change, ...]:
        """Take in the outcome of a poll; returns what has changed in the alerts."""
        changes: tuple[Change, ...] = ()
        for sample in self.stream.take_in(outcome):
            self.trail.add(sample)
            changes = self.memory.take_in(sample)
            self.device_trail.add(sample, self.pool_name, self.device_name)
            self.choices.marks.take_in(sample)
        return changes

    def keep_selection(self, sample: Sample) -> tuple[bool, str]:
        """Select the worst pool where the selected one is not there.

        Returns whether the selection is another now, and the name of the pool that is gone, empty where none is.
        """
        if self.pool_name is not None and sample.pool(self.pool_name):
            return False, ""
        gone = self.pool_name or ""
        worst = worst_first(sample.pools, self.memory.alerts, self._thresholds)
        self.pool_name = worst[0].pool.name if worst else None
        return True, gone

    def choose_pool(self, name: str) -> bool:
        """Select a pool; False where it is not there or is selected already."""
        if self.sample is None or name == self.pool_name or not self.sample.pool(name):
            return False
        self.pool_name = name
        return True

    def choose_device(self, name: str) -> None:
        """Select a thin device of the selected pool."""
        self.device_name = name
        if self.sample is not None:
            self.device_trail.add(self.sample, self.pool_name, name)

    def acknowledge(self, at: float) -> None:
        """Note that the alerts of the selected pool, and those of pools that are down, are seen."""
        for alert in self._alerts():
            self.memory.acknowledge(alert.key, at)

    def _alerts(self) -> Iterator[Alert]:
        return (each for each in self.memory.alerts.alerts if each.pool == self.pool_name or each.is_left_behind)

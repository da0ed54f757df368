"""What every screen draws from: one value for each moment, handed down by the app. No screen asks anything else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dmtui.monitor.audit import AuditEntry
from dmtui.monitor.memory import Memory
from dmtui.monitor.sample import Pool, Sample, ThinDevice
from dmtui.thinpool.values import frozen
from dmtui.tui.actions import Situation
from dmtui.tui.facts import Inquiry
from dmtui.tui.figures import Look
from dmtui.tui.history import DeviceTrail, History
from dmtui.tui.marks import Marks
from dmtui.tui.paint.header import TopView
from dmtui.tui.paint.welcome import Welcome
from dmtui.tui.reaching import GROWING
from dmtui.tui.standing import Standing
from dmtui.tui.wrong import Wrong

if TYPE_CHECKING:  # the engine is loaded when an operation is asked for, not at the start
    from dmtui.tui.course import Course


@dataclass(slots=True)
class Choices:
    """What the operator chose on a screen and finds again when coming back to it.

    Attributes:
        span_seconds: how much of the past the charts show, one of `SPANS_SECONDS` or `GROWING`.
        tree: whether devices are shown below their parents.
        filters: of each table, by its id, what its rows must contain.
        marks: the devices that are marked.
    """

    span_seconds: int = GROWING
    tree: bool = False
    filters: dict[str, str] = field(default_factory=dict[str, str])
    marks: Marks = field(default_factory=Marks)


@frozen
class DashboardState:
    """Everything that is known at a moment.

    Attributes:
        pool: the selected pool; None where there is none.
        device_name: the selected thin device, as its pool's sample has it; None where none was chosen.
        memory: history, forecasts, alerts, waits and the timeline.
        trail: the short history of each pool, for one-line trends.
        performing: the operation under way, None while none is.
        choices: what was chosen on the screens; they change it themselves.
        device_trail: how much of the selected device was mapped since it was selected.
        min_free_percent: of a pool's space must be free for something to be created (``dm.min_free_space``).
        finished: the operations of this session, newest first.
        logged: the audit log of the session's graph directory, newest first.
        log_problem: why it cannot be read; empty where it can.
        now: the moment, seconds since the epoch.
        inquiry: what the machine said of itself, and what it has not answered yet.
        hosts: how it stands with each machine that is watched over ssh; empty where this one is watched.
    """

    sample: Sample | None
    pool: Pool | None
    device_name: str | None
    memory: Memory
    trail: History
    top: TopView
    look: Look
    situation: Situation
    choices: Choices = field(default_factory=Choices)
    min_free_percent: int = 10
    device_trail: DeviceTrail = field(default_factory=DeviceTrail)
    performing: Course | None = None
    finished: tuple[Course, ...] = ()
    logged: tuple[AuditEntry, ...] = ()
    log_problem: str = ""
    now: float = 0.0
    inquiry: Inquiry | None = None
    hosts: tuple[Standing, ...] = ()

    @property
    def wrong(self) -> Wrong:
        """What is wrong with the selected pool."""
        return Wrong(self.memory.alerts.of(self.pool.name) if self.pool else (), self.top.can_change)

    @property
    def left_behind(self) -> Wrong:
        """What is left to do for pools that were taken down to be mended."""
        return Wrong(self.memory.alerts.left_behind, self.top.can_change)

    @property
    def welcome(self) -> Welcome:
        """What is said where there is no pool."""
        return Welcome(self.top, self.left_behind)

    @property
    def device(self) -> ThinDevice | None:
        """The selected device as the sample has it; None where it has none of that name (any more)."""
        devices = self.pool.devices if self.pool else ()
        return next((device for device in devices if device.name == self.device_name), None)

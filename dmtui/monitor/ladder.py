"""From a figure to a severity, with a gap between the way up and the way down, so that nothing flaps at a threshold."""

from __future__ import annotations

import math

from dmtui.monitor.severity import Severity
from dmtui.thinpool.values import frozen


@frozen
class Rung:
    """A severity: it begins at `enter` and ends below `leave`, which is lower."""

    severity: Severity
    enter: float
    leave: float


@frozen
class Ladder:
    """The rungs, mildest first."""

    rungs: tuple[Rung, ...]

    @classmethod
    def of_percent(cls, thresholds: tuple[float, float, float], hysteresis_points: float) -> Ladder:
        """Watched, WARN and CRIT from percentages on."""
        severities = (Severity.WATCH, Severity.WARN, Severity.CRIT)
        steps = zip(severities, thresholds, strict=True)
        return cls(tuple(Rung(severity, enter, enter - hysteresis_points) for severity, enter in steps))

    @classmethod
    def of_hours(cls, thresholds: tuple[float, float], slack: float = 1.25) -> Ladder:
        """WARN and CRIT under so many hours, as negative hours; they end when there is `slack` times as much time."""
        steps = zip((Severity.WARN, Severity.CRIT), thresholds, strict=True)
        return cls(tuple(Rung(severity, -hours, -hours * slack) for severity, hours in steps))

    def severity(self, value: float, present: Severity) -> Severity:
        """The severity of a figure when the present one is that."""
        reached = Severity.INFO
        for rung in self.rungs:
            if value >= (rung.leave if rung.severity <= present else rung.enter):
                reached = rung.severity
        return reached


NEVER = -math.inf
"""The height of a figure that is on no rung."""

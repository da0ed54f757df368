"""What is wrong with a pool, and how what to do about it is said where the dashboard has a key for it."""

from __future__ import annotations

from dmtui.monitor.alerts import Alert
from dmtui.monitor.nextsteps import NextStep
from dmtui.thinpool.values import frozen
from dmtui.tui.actions import key_of


@frozen
class Wrong:
    """What is wrong with a pool, or was with pools that are down.

    Attributes:
        alerts: worst first.
        can_change: whether the dashboard's own keys can do something about it.
    """

    alerts: tuple[Alert, ...] = ()
    can_change: bool = False

    def __add__(self, other: Wrong) -> Wrong:
        """Both, this first."""
        return Wrong((*self.alerts, *other.alerts), self.can_change)


def step_words(step: NextStep, can_change: bool) -> str:
    """What to do; where a key of the dashboard does it, that key first."""
    return f"{key_of(step.action)}, {step.text}" if step.action and can_change else step.text

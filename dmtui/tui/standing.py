"""How it stands with each host that is watched, and what of the others is worth a word while one of them is shown."""

from __future__ import annotations

from collections.abc import Iterable

from dmtui.monitor.alerts import Alert
from dmtui.monitor.severity import Severity
from dmtui.thinpool.values import frozen
from dmtui.tui.freshness import Flow, Freshness

_WORDS = {Flow.WAITING: "connecting", Flow.LATE: "no answer", Flow.FAILING: "lost"}


@frozen
class Standing:
    """One host.

    Attributes:
        host: its name.
        shell: what is typed here to have the dashboard there.
        freshness: of its stream.
        description: what it says of itself; empty before its first sample.
        pools: how many it has; None before its first sample.
        alert: the worst that is on; None where nothing is.
        unseen: the worst that nobody has acknowledged.
        alerts: how many are on.
        shown: whether it is the one on the screens.
    """

    host: str
    shell: str
    freshness: Freshness
    description: str = ""
    pools: int | None = None
    alert: Alert | None = None
    unseen: Alert | None = None
    alerts: int = 0
    shown: bool = False

    @property
    def lost(self) -> bool:
        """Whether nothing comes from it at present."""
        return self.freshness.stale

    @property
    def word(self) -> str:
        """The state of its stream."""
        return _WORDS.get(self.freshness.flow, self.freshness.flow.value)

    @property
    def urgency(self) -> float:
        """What to look at first: CRIT, then a host that is lost, then WARN, then the rest."""
        severity = float(self.unseen.severity) if self.unseen is not None else 0.0
        return max(severity, 2.5) if self.lost else severity

    @property
    def rank(self) -> int:
        """Its class in the list, 0 where it is well: above that WARN, then a host that is lost, then CRIT."""
        severity = self.alert.severity if self.alert is not None else Severity.INFO
        if severity >= Severity.CRIT:
            return 3
        return 2 if self.lost else int(severity >= Severity.WARN)


def worst_first(standings: Iterable[Standing]) -> tuple[Standing, ...]:
    """The hosts by their rank, those of one rank as they were named: a row moves only when its rank is another."""
    return tuple(sorted(standings, key=lambda each: -each.rank))


@frozen
class Elsewhere:
    """What is wrong on hosts that are not shown.

    Attributes:
        host: the worst of them.
        word: what it is, the severity of its alert or that it is lost.
        critical: whether it is CRIT.
        others: how many more hosts have something.
    """

    host: str
    word: str
    critical: bool
    others: int = 0


def elsewhere(standings: Iterable[Standing]) -> Elsewhere | None:
    """The worst of the hosts that are not shown; None where they are well."""
    wrong = [each for each in standings if not each.shown and each.urgency >= Severity.WARN]
    if not wrong:
        return None
    worst = max(wrong, key=lambda each: each.urgency)
    critical = worst.urgency >= Severity.CRIT
    alert = worst.unseen
    tells_alert = alert is not None and (critical or not worst.lost)
    word = alert.severity.word if alert is not None and tells_alert else worst.word
    return Elsewhere(worst.host, word, critical, len(wrong) - 1)

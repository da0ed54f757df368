"""The rules of the alerts: what each looks at in a pool, what it makes of it, and how it says so."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

from dmtui.monitor.commitment import host_debts
from dmtui.monitor.forecast import Forecast, PoolForecast
from dmtui.monitor.ladder import NEVER, Ladder
from dmtui.monitor.quantities import Quantity, measure
from dmtui.monitor.sample import Backing, Pool
from dmtui.monitor.severity import Severity
from dmtui.monitor.thresholds import Thresholds
from dmtui.thinpool.sizes import format_share, format_size
from dmtui.thinpool.status import NoSpacePolicy, PoolMode
from dmtui.thinpool.values import frozen

CALM_SECONDS = 120.0
"""A forecast must have kept quiet for so long before its alert ends: a trend comes and goes with every burst."""
_ABOVE = " above the reserve"
_FAR_SECONDS = 2 * 365 * 86400.0


class Rule(Enum):
    """What an alert is about; its value is its name for people."""

    DATA = "data space"
    METADATA = "metadata space"
    DATA_END = "time until the data space is full"
    METADATA_END = "time until the metadata space is full"
    HOST_END = "time until the host file system is full"
    HOST_DEBT = "sparse loop files on their host"
    MODE = "mode"
    NEEDS_CHECK = "needs_check"
    DATA_FILE = "data loop file"
    METADATA_FILE = "metadata loop file"
    SUSPENDED = "suspended"

    @property
    def unit(self) -> str:
        """Unit of its figure: ``%``, ``h`` (hours), or nothing where it has none."""
        if self in (Rule.DATA, Rule.METADATA, Rule.HOST_DEBT):
            return "%"
        return "h" if self in (Rule.DATA_END, Rule.METADATA_END, Rule.HOST_END) else ""

    @property
    def rank(self) -> int:
        """Its place among rules that are as bad: what the kernel says, then how full it is, then what may come."""
        return ("", "%", "h").index(self.unit)


@frozen
class Figure:
    """What a rule with thresholds reads of a pool.

    Attributes:
        value: as it is shown, in the rule's unit; None when there is nothing to show.
        height: as the ladder takes it.
        calm_seconds: how long a milder severity must last before it holds.
        brief: the text in few words; empty where it is short.
    """

    rule: Rule
    value: float | None
    height: float
    ladder: Ladder
    text: str
    calm_seconds: float = 0.0
    brief: str = ""


@frozen
class Fact:
    """What a rule without thresholds reads of a pool; it holds at once.

    Attributes:
        polls: how many polls in a row it must hold.
        word: what tells it from another fact of the same rule.
        brief: the text in few words; empty where it is short.
    """

    rule: Rule
    severity: Severity
    text: str
    word: str = ""
    polls: int = 1
    brief: str = ""


def read(pool: Pool, forecast: PoolForecast | None, thresholds: Thresholds) -> Iterator[Figure | Fact]:
    """What the rules read of a pool. What is unknown is not there: what was known of it before goes on to hold."""
    hysteresis = thresholds.hysteresis_points
    for rule, quantity, steps in (
        (Rule.DATA, Quantity.DATA_USED, thresholds.data_percent),
        (Rule.METADATA, Quantity.METADATA_LIVE, thresholds.metadata_percent),
    ):
        fraction = measure(pool, quantity).fraction
        if fraction is not None:
            ladder = Ladder.of_percent(steps, hysteresis)
            text = _space_text(pool, quantity)
            yield Figure(rule, 100 * fraction, 100 * fraction, ladder, text, brief=text.replace(_ABOVE, ""))
    ends = Ladder.of_hours(thresholds.hours_to_full)
    if forecast is not None:
        for rule, of_quantity in (
            (Rule.DATA_END, forecast.data),
            (Rule.METADATA_END, forecast.metadata),
            (Rule.HOST_END, forecast.host),
        ):
            if of_quantity.free_bytes is not None:
                yield _end(rule, of_quantity, ends)
    debts = Ladder.of_percent(thresholds.host_missing_percent, hysteresis)
    yield from _debt(pool, debts)
    yield from _facts(pool)


def _end(rule: Rule, forecast: Forecast, ladder: Ladder) -> Figure:
    worst = forecast.worst
    if worst is None or not worst.within_reach:
        text = f"{rule.value}: no end in sight any more, over when that lasts {duration(CALM_SECONDS)}"
        return Figure(rule, None, NEVER, ladder, text, CALM_SECONDS, "no end in sight any more")
    hours = worst.likely_seconds / 3600
    likely, bounds = duration(worst.likely_seconds), (duration(worst.soonest_seconds), duration(worst.latest_seconds))
    span = "" if bounds == (likely, likely) else f" ({bounds[0]} to {bounds[1]})"
    what, short = {
        Rule.DATA_END: ("the data space is full", "data full"),
        Rule.METADATA_END: ("the metadata space is full", "metadata full"),
        Rule.HOST_END: ("the file system under the loop file is full", "host fs full"),
    }[rule]
    if worst.likely_seconds < 1:
        return Figure(rule, hours, -hours, ladder, what, CALM_SECONDS, short)
    text = f"{what} in {likely}{span} if the last {worst.window.label} go on"
    return Figure(rule, hours, -hours, ladder, text, CALM_SECONDS, f"{short} in {likely}{span}")


def _debt(pool: Pool, ladder: Ladder) -> Iterator[Figure]:
    debts = host_debts(pool)
    if pool.data_backing.loop_file is None and pool.metadata_backing.loop_file is None:
        yield Figure(Rule.HOST_DEBT, None, NEVER, ladder, "the pool stands on no loop file")
    elif debts:
        worst = max(debts, key=lambda debt: debt.missing_fraction)
        files = " and ".join(worst.files)
        text = (
            f"the {files} file may still ask for {format_size(worst.owed_bytes)}, "
            f"its file system has {format_size(worst.free_bytes)} free"
        )
        missing = 100 * worst.missing_fraction
        short = max(0, worst.owed_bytes - worst.free_bytes)
        brief = f"the host is {format_size(short)} short" if short else f"the host has {format_size(worst.free_bytes)}"
        yield Figure(Rule.HOST_DEBT, max(0.0, missing), missing, ladder, text, brief=brief)


def _facts(pool: Pool) -> Iterator[Fact]:
    if pool.mode is not None:
        usual = pool.mode == PoolMode.READ_WRITE.value
        severity = Severity.INFO if usual else Severity.CRIT
        word = f"{pool.mode} {pool.no_space_policy}"
        yield Fact(Rule.MODE, severity, _mode_text(pool), word, brief=_brief_mode(pool))
    if pool.needs_check is not None:
        severity = Severity.CRIT if pool.needs_check else Severity.INFO
        due = "the metadata must be checked"
        yield Fact(Rule.NEEDS_CHECK, severity, f"{due} before the pool is writable again", brief=due)
    for rule, what, backing in (
        (Rule.DATA_FILE, "data", pool.data_backing),
        (Rule.METADATA_FILE, "metadata", pool.metadata_backing),
    ):
        yield _file(rule, what, backing)
    severity = Severity.WARN if pool.suspended else Severity.INFO
    yield Fact(Rule.SUSPENDED, severity, "the pool is suspended: all its I/O waits", polls=2)


def _mode_text(pool: Pool) -> str:
    if pool.mode == PoolMode.OUT_OF_DATA_SPACE.value:
        queue = pool.no_space_policy == NoSpacePolicy.QUEUE.value
        return f"no free data block: a write that needs one {'waits' if queue else 'fails'} (out_of_data_space)"
    return {
        PoolMode.READ_WRITE.value: "the pool is writable (rw)",
        PoolMode.READ_ONLY.value: "the pool is read-only (ro): writes that need a block fail, deletions too",
        PoolMode.FAIL.value: "the pool failed (Fail): all its I/O fails",
        PoolMode.ERROR.value: "the pool cannot be asked (Error)",
    }.get(pool.mode or "", f"the pool's mode is {pool.mode}")


def _brief_mode(pool: Pool) -> str:
    waits = pool.no_space_policy == NoSpacePolicy.QUEUE.value
    return {
        PoolMode.OUT_OF_DATA_SPACE.value: f"no free data block: writes {'wait' if waits else 'fail'}",
        PoolMode.READ_ONLY.value: "read-only: no new blocks",
        PoolMode.FAIL.value: "failed: all its I/O fails",
    }.get(pool.mode or "", "")


def _file(rule: Rule, what: str, backing: Backing) -> Fact:
    path = backing.loop_file
    if backing.loop_file_deleted:
        text = f"the {what} file {path} was deleted: it lives only while {backing.device} holds it"
        return Fact(rule, Severity.CRIT, text, "deleted", brief=f"the {what} file was deleted")
    if backing.loop_file_missing:
        text = f"the {what} file of {backing.device} is not found at {path}"
        return Fact(rule, Severity.WARN, text, "missing", brief=f"the {what} file is not found")
    if backing.loop_file_also_on:
        others = ", ".join(backing.loop_file_also_on)
        text = f"the {what} file {path} is attached twice: also as {others}"
        return Fact(rule, Severity.WARN, text, others, brief=f"the {what} file is attached twice")
    return Fact(rule, Severity.INFO, f"the {what} file is as it should be")


def _space_text(pool: Pool, quantity: Quantity) -> str:
    now = measure(pool, quantity)
    used, total = now.value_bytes or 0, now.total_bytes or 0
    what = "data" if quantity is Quantity.DATA_USED else f"metadata{_ABOVE}"
    return f"{what} at {format_share(used / total)}, {format_size(max(0, total - used))} free"


def duration(seconds: float) -> str:
    """A time ahead in one or two units: ``40 s``, ``1 h 40 min``, ``3 d 4 h``, ``years``."""
    if seconds >= _FAR_SECONDS:
        return "years"
    for unit, name, below, below_name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min")):
        if seconds >= unit:
            rest = int(seconds % unit // below)
            return f"{int(seconds // unit)} {name} {rest} {below_name}" if rest else f"{int(seconds // unit)} {name}"
    return f"{int(seconds // 60)} min" if seconds >= 60 else f"{int(seconds)} s"

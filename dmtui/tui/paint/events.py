"""The alerts that are on, and the timeline of what happened, as cells of tables."""

from __future__ import annotations

import time

from dmtui.monitor.alerts import Alert
from dmtui.monitor.events import Event, Source
from dmtui.monitor.severity import Severity
from dmtui.thinpool.text import printable
from dmtui.thinpool.values import frozen
from dmtui.tui.figures import Level, Look, age
from dmtui.tui.lines import Line, Span, fit_middle

SOURCE_ROLES = {Source.KERNEL: "accent", Source.ALERT: "text", Source.OPERATION: "ok"}
SEVERITIES = (Severity.INFO, Severity.WARN, Severity.CRIT)
"""The mildest that is shown, in the order in which a key goes through them."""
SEVERITY_WORDS = {Severity.INFO: "all", Severity.WARN: "WARN and CRIT", Severity.CRIT: "CRIT only"}


@frozen
class EventRow:
    """An event with a number of its own: two may be alike."""

    key: str
    event: Event


def rows_of(events: tuple[Event, ...]) -> list[EventRow]:
    """The events, newest first, each with what tells it from all others whatever else comes."""
    counts: dict[Event, int] = {}
    rows: list[EventRow] = []
    for event in reversed(events):
        counts[event] = counts.get(event, 0) + 1
        rows.append(EventRow(f"{event.at} {event.source.value} {event.pool} {event.text} {counts[event]}", event))
    return rows[::-1]


def when(at: float, look: Look, room: int) -> Line:
    """A moment: the time of day, with the date before it where there is room."""
    form = "%Y-%m-%d %H:%M:%S" if room >= 19 else "%H:%M:%S"
    return (Span(time.strftime(form, time.localtime(at)), "muted"),)


def severity(of: Severity, look: Look) -> Line:
    """Sign and word; plain for what is no alert."""
    if of is Severity.INFO:
        return (Span("  info", "muted"),)
    level = Level(int(of))
    return (Span(f"{level.sign(look.glyphs)} {of.word}", level.role),)


def source(event: Event, look: Look, room: int) -> Line:
    """Where it comes from."""
    return (Span(event.source.value, SOURCE_ROLES[event.source]),)


def pool_name(name: str, look: Look, room: int) -> Line:
    """A pool's name; a dash for none."""
    return (Span(fit_middle(printable(name), room, look.glyphs.ellipsis).rstrip() if name else "-", "muted"),)


def event_text(event: Event, look: Look, room: int) -> Line:
    """What happened."""
    return (Span(printable(event.text), "muted" if event.severity is Severity.INFO else "text"),)


def lasted(alert: Alert, look: Look, room: int) -> Line:
    """How long it has been on, in whole minutes, so that it does not change with every sample."""
    seconds = alert.lasted_seconds
    return (Span(age(seconds // 60 * 60) if seconds >= 60 else "new"),)


def figure(value: float | None, alert: Alert, look: Look, room: int) -> Line:
    """A figure of an alert in its rule's unit; nothing where the rule has none."""
    if value is None or not alert.rule.unit:
        return (Span("", "muted"),)
    # Cut, not rounded, as everywhere: only what is full is said to be at 100 %.
    return (Span(f"{int(value * 10) / 10:.1f} {alert.rule.unit}"),)


def seen(alert: Alert, look: Look, room: int) -> Line:
    """Whether the operator has acknowledged it."""
    return (Span("seen", "muted") if alert.acknowledged else Span("new", "strong"),)


def alert_text(alert: Alert, look: Look, room: int) -> Line:
    """What is wrong."""
    return (Span(printable(alert.text), "muted" if alert.acknowledged else "text"),)

"""The tables of the events screen: the alerts that are on, and the timeline below them."""

from __future__ import annotations

from dmtui.monitor.alerts import Alert
from dmtui.tui.paint import events
from dmtui.tui.paint.events import EventRow
from dmtui.tui.widgets.line_table import Column, LineTable

ALERT_COLUMNS: tuple[Column[Alert], ...] = (
    Column("severity", "LEVEL", 7, lambda alert, look, room: events.severity(alert.severity, look)),
    Column("seen", "SEEN", 4, events.seen, lambda alert: alert.acknowledged),
    Column(
        "since",
        "SINCE",
        8,
        lambda alert, look, room: events.when(alert.began_at, look, room),
        lambda alert: alert.began_at,
        wide=(150, 19),
    ),
    Column("lasted", "FOR", 10, events.lasted, lambda alert: alert.lasted_seconds, descending=True, needs=100),
    Column(
        "low", "LOW", 8, lambda alert, look, room: events.figure(alert.low, alert, look, room), None, "right", needs=120
    ),
    Column(
        "high",
        "HIGH",
        8,
        lambda alert, look, room: events.figure(alert.high, alert, look, room),
        lambda alert: -1.0 if alert.high is None else alert.high,
        "right",
        descending=True,
        needs=76,
    ),
    Column(
        "count",
        "POLLS",
        6,
        lambda alert, look, room: ((events.Span(str(alert.count), "muted")),),
        lambda alert: alert.count,
        "right",
        descending=True,
        needs=120,
    ),
    Column(
        "pool",
        "POOL",
        12,
        lambda alert, look, room: events.pool_name(alert.pool, look, room),
        lambda alert: alert.pool,
        wide=(110, 24),
    ),
    Column("text", "WHAT IS WRONG", 16, events.alert_text, grows=True),
)
EVENT_COLUMNS: tuple[Column[EventRow], ...] = (
    Column(
        "when",
        "WHEN",
        8,
        lambda row, look, room: events.when(row.event.at, look, room),
        lambda row: row.event.at,
        wide=(110, 19),
        descending=True,
    ),
    Column(
        "severity",
        "LEVEL",
        7,
        lambda row, look, room: events.severity(row.event.severity, look),
        lambda row: row.event.severity,
        descending=True,
    ),
    Column(
        "source",
        "FROM",
        9,
        lambda row, look, room: events.source(row.event, look, room),
        lambda row: row.event.source.value,
    ),
    Column(
        "pool",
        "POOL",
        12,
        lambda row, look, room: events.pool_name(row.event.pool, look, room),
        lambda row: row.event.pool,
        needs=70,
        wide=(110, 24),
    ),
    Column("text", "WHAT HAPPENED", 20, lambda row, look, room: events.event_text(row.event, look, room), grows=True),
)


class AlertTable(LineTable[Alert]):
    """The alerts that are on, worst first."""

    def __init__(self) -> None:
        super().__init__(
            ALERT_COLUMNS,
            lambda alert: f"{alert.pool} {alert.rule.value}",
            lambda alert: f"{alert.pool} {alert.rule.value} {alert.text}",
            name_of_rows="alert",
            empty="nothing is wrong",
            id="alerts",
        )


class EventTable(LineTable[EventRow]):
    """The timeline, newest first."""

    def __init__(self) -> None:
        super().__init__(
            EVENT_COLUMNS,
            lambda row: row.key,
            lambda row: f"{row.event.source.value} {row.event.severity.word} {row.event.pool} {row.event.text}",
            name_of_rows="event",
            empty="nothing has happened since this is watched",
            id="events",
        )

"""The alerts of a pool, worst first: how bad, since when, and what."""

from __future__ import annotations

from collections.abc import Sequence

from dmtui.monitor.alerts import Alert
from dmtui.thinpool.text import printable
from dmtui.tui.figures import Density, Level, Look, age, moment
from dmtui.tui.lines import Line, Span, crop

MOST_ALERTS = {Density.COMPACT: 2, Density.NORMAL: 4, Density.ROOMY: 8}


def alert_lines(alerts: Sequence[Alert], look: Look, width: int) -> list[Line]:
    """A line an alert; those that do not fit are counted."""
    if not alerts:
        return [(Span(f"{Level.OK.sign(look.glyphs)} ", "ok"), Span("no alert", "muted"))]
    most = MOST_ALERTS[look.density]
    shown = alerts if len(alerts) <= most else alerts[: most - 1]
    lines = [_alert(alert, look, width) for alert in shown]
    if len(shown) < len(alerts):
        lines.append((Span(f"  and {len(alerts) - len(shown)} more", "muted"),))
    return lines


def _alert(alert: Alert, look: Look, width: int) -> Line:
    level = Level(int(alert.severity))
    head = [Span(f"{level.sign(look.glyphs)} {level.word:<5} ", level.role)]
    if look.density is not Density.COMPACT:
        since = f"since {moment(alert.began_at)}, {age(alert.lasted_seconds // 60 * 60) if _old(alert) else 'new'}"
        head.append(Span(f"{since:<26}", "muted"))
    if alert.acknowledged:
        head.append(Span("seen  ", "muted"))
    return crop((*head, Span(printable(alert.text))), width, look.glyphs.ellipsis)


def _old(alert: Alert) -> bool:
    return alert.lasted_seconds >= 60

"""The alerts of a pool, worst first: how bad, since when, what, and what to do about it."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from dmtui.monitor.alerts import Alert
from dmtui.monitor.nextsteps import NextStep
from dmtui.thinpool.text import printable
from dmtui.tui.figures import Density, Level, Look, age, moment
from dmtui.tui.lines import Line, Span, crop, width_of, without_aside
from dmtui.tui.paint.help import entry
from dmtui.tui.wrong import Wrong, step_words

MOST_ALERTS = {Density.COMPACT: 2, Density.NORMAL: 4, Density.ROOMY: 8}
_LABEL_WIDTH = 11
_TITLE_WIDTH = 8


def alert_lines(view: Wrong, look: Look, width: int) -> list[Line]:
    """A line an alert, below them what to do about those; the ones that do not fit are counted."""
    alerts = view.alerts
    if not alerts:
        return [(Span(f"{Level.OK.sign(look.glyphs)} ", "ok"), Span("no alert", "muted"))]
    most = MOST_ALERTS[look.density]
    shown = alerts if len(alerts) <= most else alerts[: most - 1]
    lines = [_alert(alert, look, width) for alert in shown]
    if len(shown) < len(alerts):
        lines.append((Span(f"  and {len(alerts) - len(shown)} more", "muted"),))
    for step in _steps(shown):
        lines += step_lines(step, view.can_change, width)
    return lines


def explained_lines(view: Wrong, look: Look, width: int) -> list[Line]:
    """Each alert in full with what to do about it; nothing where none is on."""
    lines: list[Line] = [(Span("What is wrong, and what to do next", "accent"),)] if view.alerts else []
    for number, alert in enumerate(view.alerts, start=1):
        level = Level(int(alert.severity))
        head = Span(f"{f'{level.sign(look.glyphs)} {level.word}':<{_TITLE_WIDTH}}", level.role)
        lines += entry(head, f"{printable(alert.text)}. Since {moment(alert.began_at)}.", width)
        served = number < len(view.alerts) and view.alerts[number].next_step == alert.next_step  # told with the next
        if alert.next_step is not None and not served:
            lines += step_lines(alert.next_step, view.can_change, width)
    return [*lines, ()] if lines else []


def step_lines(step: NextStep, can_change: bool, width: int) -> list[Line]:
    """What to do, and the commands for it: wrapped, as half a command is none."""
    lines = _labelled("next", (step_words(step, can_change),), width, "text")
    return [*lines, *_labelled("command", step.commands, width, "strong")]


def _labelled(label: str, texts: Sequence[str], width: int, role: str) -> list[Line]:
    lines: list[Line] = []
    room = max(12, width - _LABEL_WIDTH)
    for text in texts:
        for part in textwrap.wrap(printable(text), room, break_on_hyphens=False):
            head = "" if lines else f"  {label}"
            lines.append(crop((Span(f"{head:<{_LABEL_WIDTH}}", "muted"), Span(part, role)), width))
    return lines


def _steps(alerts: Sequence[Alert]) -> list[NextStep]:
    """What to do about them; of what is done by the same commands the first."""
    steps = [alert.next_step for alert in alerts if alert.next_step is not None]
    first = {step.commands: step for step in reversed(steps)}
    return [step for step in dict.fromkeys(steps) if first[step.commands] == step]


def _alert(alert: Alert, look: Look, width: int) -> Line:
    level = Level(int(alert.severity))
    head = [Span(f"{level.sign(look.glyphs)} {level.word:<5} ", level.role)]
    if look.density is not Density.COMPACT:
        since = f"since {moment(alert.began_at)}, {age(alert.lasted_seconds // 60 * 60) if _old(alert) else 'new'}"
        head.append(Span(f"{since:<26}", "muted"))
    if alert.acknowledged:
        head.append(Span("seen  ", "muted"))
    text = without_aside(printable(alert.text), width - width_of(head))
    return crop((*head, Span(text)), width, look.glyphs.ellipsis)


def _old(alert: Alert) -> bool:
    return alert.lasted_seconds >= 60

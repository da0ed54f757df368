"""The alerts of a pool, worst first: how bad, since when, what; below those that need the same, what to do."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from rich.cells import cell_len

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
    """A line an alert, below it what to do; the ones that do not fit are counted."""
    alerts = view.alerts
    if not alerts:
        return [(Span(f"{Level.OK.sign(look.glyphs)} ", "ok"), Span("no alert", "muted"))]
    most = MOST_ALERTS[look.density]
    shown = alerts if len(alerts) <= most else alerts[: most - 1]
    lines: list[Line] = []
    for alike, step in _by_step(shown):
        lines += [_alert(alert, look, width) for alert in alike]
        lines += step_lines(step, view.can_change, width) if step is not None else []
    if len(shown) < len(alerts):
        lines.append((Span(f"and {len(alerts) - len(shown)} more", "muted"),))
    return lines


def explained_lines(view: Wrong, look: Look, width: int) -> list[Line]:
    """Each alert in full with what to do about it; nothing where none is on."""
    lines: list[Line] = [(Span("What is wrong, and what to do next", "accent"),)] if view.alerts else []
    for alike, step in _by_step(view.alerts):
        for alert in alike:
            level = Level(int(alert.severity))
            head = Span(f"{f'{level.sign(look.glyphs)} {level.word}':<{_TITLE_WIDTH}}", level.role)
            which = f"{printable(alert.pool)}: " if alert.is_left_behind else ""
            lines += entry(head, f"{which}{printable(alert.text)}. Since {moment(alert.began_at)}.", width)
        lines += step_lines(step, view.can_change, width) if step is not None else []
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


def _by_step(alerts: Sequence[Alert]) -> list[tuple[list[Alert], NextStep | None]]:
    """Those together that the same commands mend, each group at the place of its worst, with what its worst says."""
    groups: dict[object, tuple[list[Alert], NextStep | None]] = {}
    for alert in alerts:
        step = alert.next_step
        key = (alert.pool, step.commands) if step is not None else alert.key
        groups.setdefault(key, ([], step))[0].append(alert)
    return list(groups.values())


def _alert(alert: Alert, look: Look, width: int) -> Line:
    level = Level(int(alert.severity))
    head = [Span(f"{level.sign(look.glyphs)} {level.word:<5} ", level.role)]
    if look.density is not Density.COMPACT:
        since = f"since {moment(alert.began_at)}, {age(alert.lasted_seconds // 60 * 60) if _old(alert) else 'new'}"
        head.append(Span(f"{since:<26}", "muted"))
    if alert.acknowledged:
        head.append(Span("seen  ", "muted"))
    room, told = width - width_of(head), printable(alert.text)
    texts = (told, without_aside(told, 0), printable(alert.brief or alert.text))
    text = next((text for text in texts if cell_len(text) <= room), texts[-1])
    return crop((*head, Span(text)), width, look.glyphs.ellipsis)


def _old(alert: Alert) -> bool:
    return alert.lasted_seconds >= 60

"""The hosts that are watched, as cells of a table and as lines about one of them."""

from __future__ import annotations

import textwrap

from dmtui.thinpool.text import printable
from dmtui.tui.figures import Level, Look, age, moment
from dmtui.tui.freshness import Flow
from dmtui.tui.lines import Line, Span, crop, fit_middle
from dmtui.tui.standing import Standing

_KEY_WIDTH = 13


def host_name(row: Standing, look: Look, room: int) -> Line:
    """Its name; the one that is shown has a mark."""
    name = fit_middle(row.host, room - 2, look.glyphs.ellipsis).rstrip()
    return (Span(f"{look.glyphs.mark if row.shown else ' '} {name}", "accent" if row.shown else "strong"),)


def host_state(row: Standing, look: Look, room: int) -> Line:
    """Whether its samples come."""
    flow, glyphs = row.freshness.flow, look.glyphs
    sign, role = {
        Flow.LIVE: (glyphs.ok, "ok"),
        Flow.WAITING: (glyphs.unknown, "muted"),
        Flow.PAUSED: (glyphs.off, "warn"),
    }.get(flow, (glyphs.crit, "crit"))
    return (Span(f"{sign} {row.word}", role),)


def host_age(row: Standing, look: Look, room: int) -> Line:
    """How old its figures are."""
    fresh = row.freshness
    if fresh.sample_at is None:
        return (Span("never", "muted"),)
    return (Span(age(fresh.age_seconds), "crit" if row.lost else "text"),)


def host_pools(row: Standing, look: Look, room: int) -> Line:
    """How many pools it has."""
    return (Span("?" if row.pools is None else str(row.pools), "muted" if row.lost else "text"),)


def host_level(row: Standing, look: Look, room: int) -> Line:
    """The worst of its alerts."""
    if row.pools is None:
        return (Span("?", "muted"),)
    level = Level(int(row.alert.severity)) if row.alert else Level.OK
    return (Span(f"{level.sign(look.glyphs)} {level.word}", level.role),)


def host_text(row: Standing, look: Look, room: int) -> Line:
    """The most important thing to say about it: why nothing comes, what is wrong, what it is."""
    fresh = row.freshness
    if fresh.error:
        return (Span(without_host(fresh.error, row.host), "crit"),)
    if row.alert is not None:
        return (Span(_of_alert(row)),)
    return (Span(printable(row.description), "muted"),)


def host_lines(row: Standing | None, look: Look, width: int) -> list[Line]:
    """Everything about one host."""
    if row is None:
        return []
    fresh = row.freshness
    old = "nothing has come yet" if fresh.sample_at is None else f"{age(fresh.age_seconds)} old, of {_when(row)}"
    facts: list[tuple[str, str, str]] = [
        ("connection", f"{row.word}, {_retry(row)}" if _retry(row) else row.word, "crit" if row.lost else "strong"),
    ]
    if fresh.error:
        facts.append(("why", without_host(fresh.error, row.host), "crit"))
    if row.alert is not None:
        level = Level(int(row.alert.severity))
        facts.append(("worst alert", f"{level.sign(look.glyphs)} {level.word} {_of_alert(row)}", level.role))
    facts += [
        ("figures", old, "text"),
        ("machine", printable(row.description) or "?", "text"),
        ("change it", f"{row.shell}   (from here it is only watched)", "text"),
    ]
    lines: list[Line] = []
    for title, text, role in facts:
        parts = textwrap.wrap(text, max(20, width - _KEY_WIDTH), break_on_hyphens=False) or [""]
        for number, part in enumerate(parts):
            head = Span(f"{'' if number else title:<{_KEY_WIDTH}}", "muted")
            lines.append(crop((head, Span(part, role)), width, look.glyphs.ellipsis))
    return lines


def without_host(error: str, host: str) -> str:
    """An error where its host is told beside it."""
    return printable(error).removeprefix(f"host {host}: ")


def _of_alert(row: Standing) -> str:
    if row.alert is None:
        return ""
    more = f" (+{row.alerts - 1} more)" if row.alerts > 1 else ""
    return f"{printable(row.alert.pool)}: {printable(row.alert.text)}{more}"


def _retry(row: Standing) -> str:
    seconds = row.freshness.retry_seconds
    return "" if seconds is None else f"tries again in {age(seconds)}" if seconds else "trying again"


def _when(row: Standing) -> str:
    return moment(row.freshness.sample_at or 0.0)

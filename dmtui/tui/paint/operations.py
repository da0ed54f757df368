"""The screen of operations in lines: the one under way, and everything about one of the past."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from dmtui.thinpool.text import printable
from dmtui.tui.figures import Look
from dmtui.tui.lines import Line, Span, crop, fit
from dmtui.tui.paint.course import CourseView, Verdict, course_lines, hanging, row_head, seconds_text, verdict_lines
from dmtui.tui.paint.verdict import outcome, under_way
from dmtui.tui.past import Past

if TYPE_CHECKING:  # the engine is loaded when an operation is asked for
    from dmtui.monitor.audit import AuditEntry
    from dmtui.tui.course import Course

_DAY_SECONDS = 86400


class Running(NamedTuple):
    """What is under way.

    Attributes:
        rows: how many steps there is room for.
    """

    course: Course | None
    elapsed_seconds: float = 0.0
    rows: int = 8


def running_lines(running: Running, look: Look, width: int) -> list[Line]:
    """Its title, how far it is, and the steps around the one under way."""
    course = running.course
    if course is None:
        return [crop((Span("no operation", "muted"),), width, look.glyphs.ellipsis)]
    title = f"{course.request.operation.title} {printable(course.subject)}".strip()
    lines: list[Line] = [crop((Span(title, "strong"),), width, look.glyphs.ellipsis)]
    lines += verdict_lines(Verdict(under_way(course, running.elapsed_seconds, look), "accent"), look, width)
    ended = sum(row.phase is not None for row in course.rows)
    first = max(0, min(ended - running.rows // 2, len(course.rows) - running.rows))
    for index in range(first, min(len(course.rows), first + running.rows)):
        view = CourseView(course, running.elapsed_seconds)
        lines.append(row_head(index + 1, course.rows[index], view, look, width)[0])
    return lines


def moment_text(at: float, now: float) -> str:
    """A moment of the past: the time of day, before it the day unless it is less than a day ago."""
    form = "%H:%M:%S" if 0 <= now - at < _DAY_SECONDS else "%m-%d %H:%M"
    return time.strftime(form, time.localtime(at))


def past_lines(past: Past, look: Look, width: int) -> list[Line]:
    """Everything about an operation that has ended."""
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(past.at))
    took = "?" if past.seconds is None else seconds_text(past.seconds)
    pid = f" (process {past.entry.pid})" if past.entry is not None and past.entry.pid is not None else ""
    lines: list[Line] = []
    for title, text in (("when", when), ("by", f"{past.who}{pid}"), ("took", took)):
        lines += hanging(text, width, f"{title:<9}", "text")
    lines.append(())
    course = past.course
    if course is not None and course.finished is not None:
        lines += verdict_lines(outcome(course.finished, look), look, width)
        lines.append(())
        return lines + course_lines(CourseView(course, course.finished.seconds), look, width)
    return lines + (_entry_lines(past.entry, past.outcome, look, width) if past.entry is not None else [])


def result_span(word: str, look: Look, room: int) -> Span:
    """The outcome of an operation with its sign."""
    sign, role = {
        "done": (look.glyphs.ok, "ok"),
        "recovered": (look.glyphs.warn, "warn"),
        "partly done": (look.glyphs.warn, "warn"),
        "failed, undone": (look.glyphs.warn, "warn"),
    }.get(word, (look.glyphs.crit, "crit"))
    return Span(fit(f"{sign} {word}", room, ellipsis=look.glyphs.ellipsis), role)


def _entry_lines(entry: AuditEntry, word: str, look: Look, width: int) -> list[Line]:
    lines: list[Line] = [(result_span(word, look, width),)]
    if entry.error:
        lines += hanging(entry.error, width, "", "crit")
    lines += [(), (Span("Steps", "strong"),)]
    for number, step in enumerate(entry.steps, start=1):
        lines += hanging(step, width, f"{number:>4}. ", "text")
    if not entry.steps:
        lines.append((Span("      nothing to do", "muted"),))
    if entry.undone:
        lines += [(), (Span("Undone", "strong"),)]
        for step in entry.undone:
            lines += hanging(step, width, f"    {look.glyphs.warn} ", "text", "warn")
    return lines

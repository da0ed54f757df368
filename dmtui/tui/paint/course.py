"""An operation's plans on the screen: each step with its command line, and with its mark and time once it runs."""

from __future__ import annotations

import textwrap
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from dmtui.thinpool.text import printable
from dmtui.tui.figures import Look
from dmtui.tui.lines import Line, Span, crop, spread, width_of

if TYPE_CHECKING:  # the engine is loaded when an operation is asked for
    from dmtui.tui.course import Course, Row

_INDENT = 6
_TIME_WIDTH = 9
_MOST_UNFOLDED = 8
"""So many plans are shown with all their steps while they run."""
_KEPT_TEXTS = 4096
"""So many texts are kept as they were wrapped: those of a large batch are drawn over and over."""


class CourseView(NamedTuple):
    """What is drawn of an operation.

    Attributes:
        elapsed_seconds: since it began.
    """

    course: Course
    elapsed_seconds: float = 0.0


class Verdict(NamedTuple):
    """What is to be said of an operation in a line or two."""

    text: str
    role: str = "muted"


def course_lines(view: CourseView, look: Look, width: int) -> list[Line]:
    """The plans one below the other; of many that run, the steps of those that are under way or have failed."""
    course, lines = view.course, list[Line]()
    several = len(course.sheets) > 1
    if several and course.began_at is None:
        lines += hanging("Each plan is shown as if it were the first: thin ids and transactions count on.", width, "")
        lines.append(())
    folded = course.began_at is not None and len(course.sheets) > _MOST_UNFOLDED
    by_plan: dict[int, list[Row]] = {}
    for row in course.rows:
        by_plan.setdefault(row.plan, []).append(row)
    for number, sheet in enumerate(course.sheets):
        rows = by_plan.get(number, [])
        state = _state(view, number, rows)
        if number and not folded:
            lines.append(())
        lines.append(_heading(sheet.title, state if several else "", look, width))
        if folded and state not in ("under way", "failed"):
            continue
        for index, row in enumerate(rows, start=1):
            lines += _row_lines(index, row, view, look, width)
        why = _why(view, number)
        if why:
            lines += hanging(why, width, "      ", "crit" if state == "failed" else "warn")
        elif not rows:
            lines.append((Span("      nothing to do", "muted"),))
        for notice in sheet.notices:
            lines += hanging(notice, width, f"    {look.glyphs.warn} ", "text", "warn")
    return lines


def _state(view: CourseView, number: int, rows: list[Row]) -> str:
    """A word for how far one of several plans is; empty while it waits."""
    course = view.course
    if course.sheets[number].refusal:
        return "refused"
    if course.finished is not None and course.finished.parts:
        return "failed" if course.finished.parts[number].error else "done"
    words = {row.phase.value for row in rows if row.phase is not None}
    if words & {"failed", "undone"}:
        return "failed"
    if "begun" in words:
        return "under way"
    return "done" if rows and words == {"done"} and all(row.phase is not None for row in rows) else ""


def _why(view: CourseView, number: int) -> str:
    """Why one of several plans was refused, or failed."""
    course = view.course
    if course.finished is not None and course.finished.parts:
        return course.finished.parts[number].error
    return course.sheets[number].refusal


def _heading(title: str, state: str, look: Look, width: int) -> Line:
    """The title of a plan, at its right how far it is."""
    signs = look.glyphs
    sign, role = {
        "done": (signs.ok, "ok"),
        "failed": (signs.crit, "crit"),
        "refused": (signs.warn, "warn"),
        "under way": (signs.cursor, "accent"),
    }.get(state, ("", ""))
    if not sign:
        return crop((Span(printable(title), "strong"),), width, signs.ellipsis)
    word = (Span(f"{sign} {state}", role),)
    return spread((Span(printable(title), "strong"),), word, width, signs.ellipsis)


def verdict_lines(verdict: Verdict, look: Look, width: int) -> list[Line]:
    """The words, wrapped."""
    return [line for part in verdict.text.split("\n") for line in hanging(part, width, "", verdict.role)]


def hanging(text: str, width: int, head: str, role: str = "muted", head_role: str = "muted") -> list[Line]:
    """A text behind a head, its further lines below its beginning."""
    return list(_hanging(text, width, head, role, head_role))


@lru_cache(_KEPT_TEXTS)
def _hanging(text: str, width: int, head: str, role: str, head_role: str) -> tuple[Line, ...]:
    room = max(10, width - len(head))
    parts = textwrap.wrap(printable(text), room, break_on_hyphens=False) or [""]
    gap = Span(" " * len(head))
    return tuple((gap if number else Span(head, head_role), Span(part, role)) for number, part in enumerate(parts))


def seconds_text(seconds: float) -> str:
    """A short duration as it is read best: ``<1 ms``, ``20 ms``, ``12.4 s``, ``3 min 20 s``."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.001 else "<1 ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"


def row_head(number: int, row: Row, view: CourseView, look: Look, width: int) -> list[Line]:
    """A step's mark, text and time; the text may need further lines."""
    mark, state = _mark(row, view, look)
    running = view.course.began_at is not None
    room = _room(view, width)
    role = "text" if row.phase is not None or not running else "muted"
    text, *rest = hanging(row.text or "...", room, f"{number:>3}. ", role, "muted")
    first: Line = (Span(mark.text[:1] or " ", mark.role), Span(text[0].text[1:], "muted"), text[1])
    if running:
        first = (*first, Span(" " * (room + 1 - width_of(first))), Span(f"{state.text:>{_TIME_WIDTH}}", state.role))
    return [first, *rest]


def _row_lines(number: int, row: Row, view: CourseView, look: Look, width: int) -> list[Line]:
    lines = row_head(number, row, view, look, width)
    if row.command:
        lines += hanging(row.command, _room(view, width), " " * (_INDENT - 1) + "# ")
    return lines


def _room(view: CourseView, width: int) -> int:
    """What a step's text may take: at the right stands its time once it runs."""
    return width - (_TIME_WIDTH + 1 if view.course.began_at is not None else 0)


def _mark(row: Row, view: CourseView, look: Look) -> tuple[Span, Span]:
    """The sign before a step and the word behind it."""
    signs, word = look.glyphs, row.phase.value if row.phase is not None else ""
    took = "" if row.seconds is None else seconds_text(row.seconds)
    if word == "begun":
        if view.course.finished is not None:
            return Span(signs.warn, "warn"), Span("unknown", "warn")
        return Span(signs.cursor, "accent"), Span(f"{int(max(0.0, view.elapsed_seconds - row.began))} s", "accent")
    return {
        "done": (Span(signs.ok, "ok"), Span(took, "muted")),
        "failed": (Span(signs.crit, "crit"), Span("failed", "crit")),
        "undone": (Span(signs.warn, "warn"), Span("undone", "warn")),
    }.get(word, (Span(""), Span("")))

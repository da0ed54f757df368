"""The screen of operations: the one under way with its steps, below those of the past."""

from __future__ import annotations

import textwrap
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.types import CSSPathType

from dmtui.thinpool.text import printable
from dmtui.tui.actions import Scope
from dmtui.tui.figures import Density, Look
from dmtui.tui.lines import Line, Span, fit_middle
from dmtui.tui.look import stylesheet
from dmtui.tui.paint.course import seconds_text
from dmtui.tui.paint.operations import Running, moment_text, result_span, running_lines
from dmtui.tui.past import Past, past_operations
from dmtui.tui.screens.base import DashboardScreen, boxed
from dmtui.tui.screens.steps import StepsScreen
from dmtui.tui.state import DashboardState
from dmtui.tui.widgets.line_table import Column, LineTable
from dmtui.tui.widgets.panel import Panel

_SHOWN_STEPS = {Density.COMPACT: 6, Density.NORMAL: 12, Density.ROOMY: 24}


def _who(past: Past, look: Look, room: int) -> Line:
    return (Span(printable(past.who), "muted"),)


def _what(past: Past, look: Look, room: int) -> Line:
    return (Span(printable(past.what), "strong"),)


def _subject(past: Past, look: Look, room: int) -> Line:
    return (Span(fit_middle(printable(past.subject), room, look.glyphs.ellipsis)),)


def _result(past: Past, look: Look, room: int) -> Line:
    return (result_span(past.outcome, look, room),)


def _took(past: Past, look: Look, room: int) -> Line:
    return (Span("?" if past.seconds is None else seconds_text(past.seconds), "muted"),)


class PastTable(LineTable[Past]):
    """The operations of the past, newest first."""

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(
            (
                Column("when", "WHEN", 12, self._when, lambda past: past.at, descending=True),
                Column("who", "WHO", 13, _who, lambda past: past.who, needs=96),
                Column("what", "OPERATION", 18, _what, lambda past: past.what),
                Column("subject", "ON", 12, _subject, lambda past: past.subject, grows=True),
                Column("result", "RESULT", 16, _result, lambda past: past.outcome),
                Column("took", "TOOK", 10, _took, lambda past: past.seconds or 0.0, align="right", descending=True),
            ),
            lambda past: past.key,
            lambda past: f"{past.what} {past.subject} {past.who} {past.outcome}",
            name_of_rows="past operation",
            empty="",
            id="past",
        )

    def _when(self, past: Past, look: Look, room: int) -> Line:
        return (Span(moment_text(past.at, self.now), "muted"),)


class OperationsScreen(DashboardScreen):
    """Arranges the two panels."""

    SCOPE = Scope.OPERATIONS
    AUTO_FOCUS = "#past"
    CSS_PATH: ClassVar[CSSPathType | None] = stylesheet("operations.tcss")

    def __init__(self) -> None:
        super().__init__()
        self._look = Look()

    def compose_body(self) -> ComposeResult:
        """The running one above, the past below."""
        yield boxed(Panel(running_lines, id="running"))
        yield Panel(_problem_lines, id="log-problem")
        yield boxed(PastTable())

    def show_body(self, state: DashboardState) -> None:
        """Show what is under way and what has ended."""
        look, course = state.look, state.performing
        self._look = look
        compact = look.density is Density.COMPACT
        self.panel("running").entitle(" Under way " if compact else "Under way")
        elapsed = 0.0 if course is None or course.began_at is None else state.now - course.began_at
        self.panel("running").show(Running(course, elapsed, _SHOWN_STEPS[look.density]), look)
        self.panel("log-problem").display = bool(state.log_problem)
        self.panel("log-problem").show(state.log_problem, look)
        table = self.query_one(PastTable)
        table.now = state.now
        recorded = "a recording holds no operations"
        table.say_when_empty(recorded if state.situation.replays else "no operation so far")
        table.show_rows(past_operations(state.logged, state.finished), look)

    @on(LineTable.Chosen, "#past")
    def _show_steps(self, event: LineTable.Chosen) -> None:
        table = self.query_one(PastTable)
        past = next((row for row in table.shown_rows if row.key == event.key), None)
        if past is not None:
            self.post_message(self.OverlayWanted(StepsScreen(past, self._look)))


def _problem_lines(problem: str, look: Look, width: int) -> list[Line]:
    text = f"the audit log cannot be read: {printable(problem)}"
    parts = textwrap.wrap(text, max(20, width - 3), break_on_hyphens=False)
    return [(Span(f" {' ' if number else look.glyphs.warn} {part}", "warn"),) for number, part in enumerate(parts)]

"""The panel of a demonstration: where the story is, what it says, and the commands that would do the same."""

from __future__ import annotations

import textwrap

from dmtui.lab.player import Played
from dmtui.lab.scenario import Scenario, Step
from dmtui.thinpool.text import printable
from dmtui.thinpool.values import frozen
from dmtui.tui.figures import Density, Look
from dmtui.tui.lines import Line, Span, crop, spread

_ROWS = {Density.COMPACT: 6, Density.NORMAL: 7, Density.ROOMY: 8}
"""Rows below the head, whatever stands in them: the screen above must not jump with each step."""
_MOST_GAUGE = 24


@frozen
class Narration:
    """Where the story is.

    Attributes:
        page: 0 is the opening, then the steps, and behind them what to remember.
        step: of the page; None for the first and the last one.
        played: what the step came to; None before that is known.
        working: something is under way.
        playing: it goes on by itself.
        problem: why the story could not be moved; empty where it could.
    """

    scenario: Scenario
    page: int = 0
    step: Step | None = None
    played: Played | None = None
    working: bool = False
    playing: bool = True
    speed: float = 1.0
    problem: str = ""

    @property
    def closing(self) -> bool:
        """Whether the story is at its end."""
        return self.page > len(self.scenario.steps)

    @property
    def text(self) -> str:
        """All that is to be read on the page."""
        if self.step is not None:
            return f"{self.step.intro} {self.played.told if self.played else ''}"
        return " ".join(self.scenario.remember) if self.closing else self.scenario.summary


def narration_lines(view: Narration, look: Look, width: int) -> list[Line]:
    """A line that says where it is, the text, the commands; always as many lines."""
    rows, ellipsis = _ROWS[look.density], look.glyphs.ellipsis
    commands = _commands(view)
    text = _text(view, width, rows - min(len(commands), 1), ellipsis)
    room = rows - len(text)
    shown = commands if len(commands) <= room else commands[: max(0, room - 1)]
    lines = [*text, *(crop((Span(f"# {printable(command)}", "muted"),), width, ellipsis) for command in shown)]
    if len(shown) < len(commands):
        more = len(commands) - len(shown)
        lines.append(
            crop((Span(f"{ellipsis} {more} more: dmtui demo {view.scenario.name} --headless", "faint"),), width)
        )
    lines += [()] * (rows - len(lines))
    return [_head(view, look, width), *lines]


def _head(view: Narration, look: Look, width: int) -> Line:
    count, glyphs = len(view.scenario.steps), look.glyphs
    title = view.step.title if view.step else "Remember" if view.closing else view.scenario.title
    at = min(view.page, count)
    full = round(min(count, _MOST_GAUGE) * at / count)
    gauge = (
        Span(glyphs.thin_full * full, "accent"),
        Span(glyphs.thin_free * (min(count, _MOST_GAUGE) - full), "track"),
    )
    state = "working" if view.working else "the end" if view.closing else "playing" if view.playing else "paused"
    role = "ok" if state in ("working", "playing") else "warn"
    left = (Span(f"{at}/{count} ", "accent"), Span(title, "strong"))
    return spread(left, (*gauge, Span(f" {state} ", role), Span(f"{view.speed:g}x", "muted")), width, glyphs.ellipsis)


def _commands(view: Narration) -> tuple[str, ...]:
    if view.played is not None:
        return (*view.played.commands, *view.played.looking)
    return view.scenario.commands if view.closing else ()


def _text(view: Narration, width: int, rows: int, ellipsis: str) -> list[Line]:
    """As much of the text as there is room for: what came of a step is more than what it was about to do."""
    if view.step is None:
        sentences = view.scenario.remember if view.closing else (view.scenario.summary,)
        return _cut([line for text in sentences for line in _wrapped(text, width, "text")], rows, width, ellipsis)
    intro, told = _wrapped(view.step.intro, width, "muted"), list[Line]()
    refused: list[Line] = []
    if view.played is not None:
        told = _wrapped(view.played.told, width, "text")
        refused = [
            crop((Span("refused ", "warn"), Span(printable(error), "muted")), width, ellipsis)
            for error in view.played.errors
        ]
        refused += [crop((Span(printable(note), "accent"),), width, ellipsis) for note in view.played.notes]
    problem = view.problem or (view.played.failure if view.played else "")
    if problem:
        told += _wrapped(f"This did not work: {problem}; , goes one step back", width, "crit")
    if len(intro) + len(refused) + len(told) > rows:
        intro = [] if told else intro
    if len(refused) + len(told) > rows:
        refused = refused[: max(0, rows - len(told))]
    return _cut([*intro, *refused, *told], rows, width, ellipsis)


def _wrapped(text: str, width: int, role: str) -> list[Line]:
    return [(Span(part, role),) for part in textwrap.wrap(printable(text), max(12, width), break_on_hyphens=False)]


def _cut(lines: list[Line], rows: int, width: int, ellipsis: str) -> list[Line]:
    if len(lines) <= rows:
        return lines
    last = lines[rows - 1]
    return [*lines[: rows - 1], crop((*last, Span(f" {ellipsis}", "muted")), width, ellipsis)]

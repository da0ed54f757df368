"""The panel of a demonstration: where the story is, what it says, and the commands that would do the same."""

from __future__ import annotations

import textwrap

from dmtui.lab.player import Played
from dmtui.lab.scenario import Scenario, Step
from dmtui.thinpool.text import printable
from dmtui.thinpool.values import frozen
from dmtui.tui.actions import key_of
from dmtui.tui.figures import Density, Look
from dmtui.tui.lines import Line, Span, crop, spread, width_of

_ROWS = {Density.COMPACT: 6, Density.NORMAL: 7, Density.ROOMY: 8}
"""Rows below the head, whatever stands in them: the screen above must not jump with each step."""
_MOST_GAUGE = 24
MORE_KEY = key_of("demo_more")


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
        part: which part of all that is to be told is shown; 0 shows what there is always room for.
        room: rows below the head that a part may take.
    """

    scenario: Scenario
    page: int = 0
    step: Step | None = None
    played: Played | None = None
    working: bool = False
    playing: bool = True
    speed: float = 1.0
    problem: str = ""
    part: int = 0
    room: int = 16

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
    """A line that says where it is, the text, the commands; of a step always as many lines until it is unfolded."""
    head = _head(view, look, width)
    if view.part or view.closing:
        return [head, *_part(view, look, width)]
    rows = _ROWS[look.density]
    lines = _folded(view, look, width, rows)
    return [head, *lines, *[()] * (rows - len(lines))]


def next_part(view: Narration, width: int) -> int:
    """Which part comes after the one that is shown: from the last one back to what is shown at first."""
    count = len(_parts(view, width))
    return (view.part + 1) % (count if view.closing else count + 1)


def _folded(view: Narration, look: Look, width: int, rows: int) -> list[Line]:
    """As much as there is room for: what came of a step first; what is left out is said to be there."""
    commands = [Span(f"# {printable(command)}", "muted") for command in _commands(view)]
    text, whole = _text(view, width, rows - min(len(commands), 1), look.glyphs.ellipsis)
    fitting = [command for command in commands[: rows - len(text)] if width_of((command,)) <= width]
    if whole and len(fitting) == len(commands):
        return [*text, *((command,) for command in commands)]
    if not commands:
        text, _ = _text(view, width, rows - 1, look.glyphs.ellipsis)
    shown = commands[: max(0, rows - len(text) - 1)]
    more = len(commands) - len(shown)
    sign = f"{look.glyphs.ellipsis} {f'{more} more: ' if more else ''}{MORE_KEY} shows all of it"
    lines = [crop((command,), width, look.glyphs.ellipsis) for command in shown]
    return [*text, *lines, crop((Span(sign, "accent"),), width)]


def _part(view: Narration, look: Look, width: int) -> list[Line]:
    """All of it, or the part of it that there is room for, and how one goes on."""
    parts = _parts(view, width)
    number = min(max(1, view.part + 1 if view.closing else view.part), len(parts))
    lines = parts[number - 1]
    if len(parts) == 1:
        sign = "" if view.closing else f"{MORE_KEY} folds it"
    else:
        goes_on = "goes on" if number < len(parts) else "is the first again" if view.closing else "folds it"
        sign = f"{look.glyphs.ellipsis} part {number} of {len(parts)}: {MORE_KEY} {goes_on}"
    return [*lines, crop((Span(sign, "accent"),), width)] if sign else lines


def _parts(view: Narration, width: int) -> list[list[Line]]:
    """All that is to be told, nothing cut, in parts that there is room for."""
    lines = _whole(view, width)
    if view.closing and len(lines) <= view.room:
        return [lines]
    rows = max(1, view.room - 1)
    return [lines[start : start + rows] for start in range(0, len(lines), rows)] or [[]]


def _whole(view: Narration, width: int) -> list[Line]:
    commands = [line for each in _commands(view) for line in _wrapped(f"# {each}", width, "muted", indent="  ")]
    if view.step is None:
        sentences = view.scenario.remember if view.closing else (view.scenario.summary,)
        return [*(line for text in sentences for line in _wrapped(text, width, "text")), *commands]
    lines, played = _wrapped(view.step.intro, width, "muted"), view.played
    if played is not None:
        lines += [line for error in played.errors for line in _wrapped(f"refused {error}", width, "warn")]
        lines += [line for note in played.notes for line in _wrapped(note, width, "accent")]
        lines += _wrapped(played.told, width, "text")
    return [*lines, *_problem(view, width), *commands]


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


def _text(view: Narration, width: int, rows: int, ellipsis: str) -> tuple[list[Line], bool]:
    """As much of the text as there is room for, and whether that is all that counts.

    What came of a step is more than what it was about to do, which was to be read while it did.
    """
    if view.step is None:
        return _cut(_wrapped(view.scenario.summary, width, "text"), rows, width, ellipsis)
    intro, told = _wrapped(view.step.intro, width, "muted"), list[Line]()
    refused: list[Line] = []
    whole = True
    if view.played is not None:
        told = _wrapped(view.played.told, width, "text")
        refused = [(Span("refused ", "warn"), Span(printable(error), "muted")) for error in view.played.errors]
        refused += [(Span(printable(note), "accent"),) for note in view.played.notes]
        whole = all(width_of(line) <= width for line in refused)
        refused = [crop(line, width, ellipsis) for line in refused]
    told += _problem(view, width)
    if len(intro) + len(refused) + len(told) > rows:
        intro = [] if told else intro
    if len(refused) + len(told) > rows:
        refused, whole = refused[: max(0, rows - len(told))], False
    lines, uncut = _cut([*intro, *refused, *told], rows, width, ellipsis)
    return lines, whole and uncut


def _problem(view: Narration, width: int) -> list[Line]:
    problem = view.problem or (view.played.failure if view.played else "")
    return _wrapped(f"This did not work: {problem}; , goes one step back", width, "crit") if problem else []


def _wrapped(text: str, width: int, role: str, indent: str = "") -> list[Line]:
    parts = textwrap.wrap(printable(text), max(12, width), subsequent_indent=indent, break_on_hyphens=False)
    return [(Span(part, role),) for part in parts]


def _cut(lines: list[Line], rows: int, width: int, ellipsis: str) -> tuple[list[Line], bool]:
    """So many of the lines, and whether those are all."""
    if len(lines) <= rows:
        return lines, True
    last = lines[rows - 1]
    return [*lines[: rows - 1], crop((*last, Span(f" {ellipsis}", "muted")), width, ellipsis)], False

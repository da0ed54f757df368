"""The texts of the help screen."""

from __future__ import annotations

import textwrap

from dmtui.monitor.thresholds import Thresholds
from dmtui.tui.actions import ACTIONS, Action, Risk, Scope, Situation, allowed
from dmtui.tui.figures import Look
from dmtui.tui.lines import Line, Span, crop

_HERE, _EVERYWHERE, _TABLE = "This screen", "Everywhere", "In a table"
_KEY_WIDTH = 10
_TITLE_WIDTH = 13


def _shares(thresholds: tuple[float, float, float]) -> str:
    watch, warn, crit = thresholds
    return f"Watch from {watch:g} %, WARN from {warn:g} %, CRIT from {crit:g} %."


def figures(thresholds: Thresholds) -> tuple[tuple[str, str], ...]:
    """Each figure and what it means, with the thresholds in force."""
    return (
        (
            "mode",
            "The kernel's word: rw; ro (metadata cannot be changed); out_of_data_space (no free block: writes wait or "
            "fail); Fail (all I/O fails). From the pool's status line.",
        ),
        (
            "needs check",
            "The kernel found its metadata damaged: thin_check is due before the pool can be written. Status line.",
        ),
        ("block size", "Bytes of a block, in which the pool gives out space. From the table."),
        ("transaction", "The owner counts it up with every change. Status line."),
        ("low water", "Free space below which the kernel sends an event. Table."),
        ("when full", "What writes do without a free block: queue (60 s, then they fail) or error at once."),
        ("Data", f"Bytes of blocks in use, of all. {_shares(thresholds.data_percent)} Status line."),
        ("available", "Total less used, or what the host file system under a loop file has free when that is less."),
        (
            "Metadata",
            "Bytes of 4 KiB blocks in use, of all. The kernel counts a hidden reserve as used (a tenth, 16.78 MB at "
            f"the most): drawn apart, at the end. Levels count the rest. {_shares(thresholds.metadata_percent)}",
        ),
        ("history", "Share in use, a cell each 5 s, newest right, always 0 to 100 %."),
        ("file", "Under the loop device. Apparent: its length. Allocated: what it takes of its host."),
        ("host free", "Free bytes of the file system that holds the loop file (statvfs)."),
        ("SIZE", "Virtual size of a thin device: what its user sees. Table."),
        ("MAPPED", "Bytes of it that have a block, shared ones too. USED is MAPPED of SIZE. Status line."),
        ("OPEN", "How often it is open now: mounts, holders, processes."),
        ("?", "Unknown, and never 0: the kernel does not say, or it cannot be read."),
    )


def keys_lines(situation: Situation, look: Look, width: int) -> list[Line]:
    """Every action of the registry with its key: what is possible now first, what is possible elsewhere last."""
    headed: dict[str, list[Action]] = {}
    for action in ACTIONS:
        headed.setdefault(_heading(action, situation), []).append(action)
    lines: list[Line] = []
    for heading in sorted(headed, key=lambda heading: _place(heading, headed[heading], situation)):
        lines += [(), (Span(heading, "accent"),)] if lines else [(Span(heading, "accent"),)]
        for action in headed[heading]:
            risk = "" if action.risk is Risk.LOOK else f" [{action.risk.name.lower()}]"
            key = Span(f"{action.shown_key:<{_KEY_WIDTH}}", "strong")
            lines += entry(key, f"{action.help}{risk}", width)
    return lines


def _heading(action: Action, situation: Situation) -> str:
    if action.only:
        return action.only
    if action.scope is situation.screen:
        return _HERE
    return {Scope.APP: _EVERYWHERE, Scope.TABLE: _TABLE}.get(action.scope, f"On the screen {action.scope.value}")


def _place(heading: str, actions: list[Action], situation: Situation) -> int:
    """Where its keys stand: those that only a recording has, say, come second there, and last where there is none."""
    if actions[0].only:
        return 1 if any(allowed(action.id, situation) for action in actions) else 5
    return {_HERE: 0, _EVERYWHERE: 2, _TABLE: 3}.get(heading, 4)


def figures_lines(_: object, look: Look, width: int) -> list[Line]:
    """Each figure: unit, of what, and from where."""
    lines: list[Line] = []
    for title, text in figures(look.thresholds):
        lines += entry(Span(f"{title:<{_TITLE_WIDTH}}", "strong"), text, width)
    return lines


def entry(head: Span, text: str, width: int) -> list[Line]:
    """A title with its text, which goes on below the text, not below the title."""
    indent = len(head.text)
    # A number is never parted from its per cent.
    kept = text.replace(" %", "\N{NO-BREAK SPACE}%")
    wrapped = [part.replace("\N{NO-BREAK SPACE}", " ") for part in textwrap.wrap(kept, max(12, width - indent))] or [""]
    rest: list[Line] = [crop((Span(" " * indent), Span(part, "muted")), width) for part in wrapped[1:]]
    return [crop((head, Span(wrapped[0], "muted")), width), *rest]

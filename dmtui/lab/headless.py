"""A demonstration as text: every step with its commands, what came of it, and the pool's status lines around it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from dmtui.lab.player import Played, Player
from dmtui.lab.scenario import Scenario

SHOWN_DIRECTORY = "/demo"
"""What stands in the text for the machine's directory, so that each run prints the same bytes."""
_WIDTH = 100
_NO_POOL = "no pool"


def lines(player: Player, directory: Path) -> Iterable[str]:
    """Play a demonstration to its end and tell it, line by line."""
    scenario = player.scenario
    yield from _head(scenario)
    while not player.ended:
        yield from _step(_elsewhere(player.play(), str(directory.absolute())), player.steps)
    yield from closing_lines(scenario)


def _head(scenario: Scenario) -> list[str]:
    return [
        f"{scenario.name}: {scenario.title}",
        *textwrap.wrap(scenario.summary, _WIDTH),
        f"(an emulated machine in a directory of its own, written {SHOWN_DIRECTORY} here)",
        "",
    ]


def _elsewhere(played: Played, directory: str) -> Played:
    """The same with the shown directory instead of the real one; before any line is broken by its length."""

    def shown(text: str) -> str:
        return text.replace(directory, SHOWN_DIRECTORY)

    return replace(
        played,
        told=shown(played.told),
        commands=tuple(map(shown, played.commands)),
        looking=tuple(map(shown, played.looking)),
        errors=tuple(map(shown, played.errors)),
        notes=tuple(map(shown, played.notes)),
        failure=shown(played.failure),
    )


def _step(played: Played, of: int) -> list[str]:
    text = [f"{played.number}/{of} {played.step.title}", *_wrapped(played.step.intro)]
    text += [f"    # {command}" for command in played.commands]
    text += _labelled("refused", played.errors) + _labelled("dmtui says", played.notes)
    text += _wrapped(played.told) + _labelled("this step failed", [played.failure] if played.failure else [])
    text += [f"   before: {played.before or _NO_POOL}", f"   after:  {played.after or _NO_POOL}"]
    return [*text, *(f"   look: # {command}" for command in played.looking), ""]


def closing_lines(scenario: Scenario) -> list[str]:
    """What to remember, and the real commands."""
    text = ["Remember"]
    for sentence in scenario.remember:
        text += textwrap.wrap(sentence, _WIDTH, initial_indent="   - ", subsequent_indent="     ")
    return [*text, "On a real machine", *(f"   # {command}" for command in scenario.commands)]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="   ", subsequent_indent="   ", break_on_hyphens=False)


def _labelled(label: str, texts: Iterable[str]) -> list[str]:
    return [f"   {label}: {text}" for text in texts]

"""What a demonstration is: its steps, what each does, says and shows."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING

from dmtui.thinpool.values import frozen

if TYPE_CHECKING:
    from dmtui.lab.stage import Stage

_WORDS_A_SECOND = 3.3
_LOOKING_SECONDS = 3.0


class Place(Enum):
    """The screen of the dashboard on which a step is seen best, by the dashboard's own word."""

    OVERVIEW = "overview"
    POOL = "pool"
    DEVICES = "devices"
    DEVICE = "device"
    EVENTS = "events"
    OPERATIONS = "operations"
    MACHINE = "machine"


@frozen
class Step:
    """One step of a demonstration.

    Attributes:
        title: a few words.
        intro: what is about to happen, shown while it does; without figures, which only the machine knows.
        act: does it to the stage's machine.
        tell: what came of it, with the machine's own figures; called after the act.
        place: the screen to look at.
        device: the device to look at, by its name on file; empty for none.
        looking: commands that show the same on a real machine; ``{pool}``, ``{graph}``, ``{data_file}`` and
            ``{prefix}`` (of the devices' names) are filled in.
    """

    title: str
    intro: str
    act: Callable[[Stage], None]
    tell: Callable[[Stage], str]
    place: Place = Place.OVERVIEW
    device: str = ""
    looking: tuple[str, ...] = ()


@frozen
class Scenario:
    """A demonstration.

    Attributes:
        name: its word on the command line.
        title: a few words.
        summary: one sentence.
        options: storage options of its device set.
        prepare: what is done before the first step, silently.
        steps: in their order.
        remember: what to remember, a sentence each.
        commands: the real commands for it.
    """

    name: str
    title: str
    summary: str
    options: tuple[str, ...]
    prepare: Callable[[Stage], None]
    steps: tuple[Step, ...]
    remember: tuple[str, ...]
    commands: tuple[str, ...]


def reading_seconds(text: str) -> float:
    """How long a text is shown at normal speed: the time to read it and to look at what it speaks of."""
    return _LOOKING_SECONDS + len(text.split()) / _WORDS_A_SECOND

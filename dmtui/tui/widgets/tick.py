"""A yes or no: a box that space, enter or a click ticks; drawn with signs that every terminal has."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from dmtui.tui.figures import Look
from dmtui.tui.lines import Line, Span
from dmtui.tui.widgets.panel import Panel


def tick_lines(ticked: bool, look: Look, width: int) -> list[Line]:
    """The box."""
    return [(Span("[x] yes" if ticked else "[ ] no", "strong" if ticked else "text"),)]


class Tick(Panel[bool], can_focus=True):
    """Holds a yes or no."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "change", "Change"),
        Binding("enter", "submit", "On"),
    ]
    DEFAULT_CSS = """
    Tick { height: 1; width: 8; }
    """

    class Changed(Message):
        """It was ticked, or no longer is."""

        def __init__(self, tick: Tick) -> None:
            super().__init__()
            self.tick = tick

    class Submitted(Changed):
        """The operator has done with it."""

    def __init__(self, *, id: str | None = None, ticked: bool = False) -> None:  # noqa: A002 - Textual's word
        super().__init__(tick_lines, id=id)
        self.show(ticked, Look())

    def action_change(self) -> None:
        """The other of the two."""
        self.show(not self.value, Look())
        self.post_message(self.Changed(self))

    def action_submit(self) -> None:
        """On to what follows."""
        self.post_message(self.Submitted(self))

    def on_click(self) -> None:
        """A click is a space."""
        self.action_change()

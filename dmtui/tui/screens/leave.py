"""The question that is asked before the dashboard is left while an operation of its own is under way."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Label

from dmtui.tui.overlays import take_off
from dmtui.tui.widgets.top import Top

_CONSEQUENCE = (
    "Leaving is safe: the operation stops where it is. Its intent is on disk, and the next start of dmtui, "
    "or its next command, finishes it or undoes it."
)


class LeaveScreen(ModalScreen[bool]):
    """Ends with whether the dashboard is left.

    Args:
        under_way: says what is under way, empty once it has ended; asked every second.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "stay", "Stay"),
        Binding("left,right", "app.focus_next", "Next"),
    ]
    DEFAULT_CSS = """
    LeaveScreen { align: center middle; background: $background 55%; }
    LeaveScreen #leave {
        width: 90%; max-width: 76; height: auto; padding: 1 2; background: $background; border: round $warning;
        border-title-color: $warning; border-title-style: bold;
    }
    LeaveScreen.-ascii #leave { border: ascii $warning; }
    LeaveScreen Label { width: 100%; height: auto; }
    LeaveScreen #leave-what { text-style: bold; margin-bottom: 1; }
    LeaveScreen Horizontal { height: 1; margin-top: 1; align-horizontal: center; }
    LeaveScreen Button {
        width: auto; min-width: 12; height: 1; margin: 0 1; padding: 0 1; border: none; background: $rule;
        color: $foreground; text-style: bold;
    }
    LeaveScreen Button:focus { background: $primary; color: $background; text-style: bold; }
    App:ansi LeaveScreen Button { background: ansi_default; color: ansi_default; }
    App:ansi LeaveScreen Button:focus { text-style: bold reverse; }
    """

    def __init__(self, under_way: Callable[[], str], ascii_only: bool) -> None:
        super().__init__(classes="-ascii" if ascii_only else "")
        self._under_way = under_way

    def compose(self) -> ComposeResult:
        """What is under way, what leaving means, the two ways."""
        yield Top(over=True)
        with Container(id="leave"):
            yield Label("", id="leave-what", markup=False)
            yield Label(_CONSEQUENCE, id="leave-consequence", markup=False)
            with Horizontal():
                yield Button("Stay", id="stay", compact=True)
                yield Button("Leave", id="go", compact=True)

    def on_mount(self) -> None:
        """Staying is what enter does."""
        self.query_one("#leave").border_title = "Leave?"
        self.query_one("#stay").focus()
        self._tell()
        self.set_interval(1.0, self._tell)

    def action_stay(self) -> None:
        """Back."""
        take_off(self, False)

    @on(Button.Pressed)
    def _decide(self, event: Button.Pressed) -> None:
        take_off(self, event.button.id == "go")

    def _tell(self) -> None:
        text = self._under_way()
        self.query_one("#leave-consequence").display = bool(text)
        self.query_one("#leave-what", Label).update(Content(text or "The operation has ended meanwhile."))

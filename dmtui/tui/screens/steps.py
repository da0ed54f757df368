"""One operation of the past with all its steps, over the screen of operations."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.types import CSSPathType

from dmtui.thinpool.text import printable
from dmtui.tui.copying import copy
from dmtui.tui.figures import Look
from dmtui.tui.glyphs import ASCII
from dmtui.tui.look import stylesheet
from dmtui.tui.overlays import take_off
from dmtui.tui.paint.operations import past_lines
from dmtui.tui.past import Past
from dmtui.tui.widgets.panel import Panel
from dmtui.tui.widgets.top import Top


class StepsScreen(ModalScreen[None]):
    """Shows it until it is closed."""

    CSS_PATH: ClassVar[CSSPathType | None] = stylesheet("operation.tcss")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q", "close", "Close"),
        Binding("y", "copy", "Copy"),
        Binding("down,j", "scroll_by(1)", "Down"),
        Binding("up,k", "scroll_by(-1)", "Up"),
        Binding("pagedown", "scroll_by(10)", "Page down"),
        Binding("pageup", "scroll_by(-10)", "Page up"),
    ]

    def __init__(self, past: Past, look: Look) -> None:
        super().__init__(classes="-ascii" if look.glyphs is ASCII else "")
        self._past, self._look = past, look

    def compose(self) -> ComposeResult:
        """A panel that scrolls."""
        yield Top(over=True)
        with Container(id="dialog"), VerticalScroll(id="past-steps", can_focus=False):
            yield Panel(past_lines, id="past-lines")

    def on_mount(self) -> None:
        """Fill it."""
        dialog = self.query_one("#dialog")
        dialog.border_title = Content(printable(f"{self._past.what} {self._past.subject}".strip()))
        dialog.border_subtitle = "up and down scroll, y copies the commands, esc closes"
        cast("Panel[Past]", self.query_one("#past-lines")).show(self._past, self._look)

    def action_close(self) -> None:
        """Back to the list."""
        take_off(self, None)

    def action_copy(self) -> None:
        """Copy its command lines."""
        app = cast("App[Any]", self.app)  # pyright: ignore[reportUnknownMemberType]
        copy(app, f"commands of {self._past.what}", "\n".join(self._past.commands) or "nothing to do")

    def action_scroll_by(self, lines: int) -> None:
        """Scroll."""
        self.query_one("#past-steps", VerticalScroll).scroll_relative(y=lines, animate=False)

"""What is this? A sheet over the screen: what is wrong and what to do, then the figures, the focused panel's first."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen

from dmtui.tui.copying import copy
from dmtui.tui.figures import Look
from dmtui.tui.glyphs import ASCII
from dmtui.tui.lines import text_of
from dmtui.tui.overlays import take_off
from dmtui.tui.paint.alerts import explained_lines
from dmtui.tui.paint.explain import explain_lines
from dmtui.tui.widgets.panel import Panel
from dmtui.tui.widgets.top import Top
from dmtui.tui.wrong import Wrong


class ExplainScreen(ModalScreen[None]):
    """Closed with the key that opened it, or escape."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,i,enter,q", "close", "Close"),
        Binding("y", "copy", "Copy"),
        Binding("down,j", "scroll_by(1)", "Down"),
        Binding("up,k", "scroll_by(-1)", "Up"),
    ]
    DEFAULT_CSS = """
    ExplainScreen { align: center middle; background: $background 55%; }
    ExplainScreen #explain {
        width: 90%; max-width: 110; height: auto; max-height: 90%; background: $background;
        border: round $primary; border-title-color: $primary; padding: 0 2; scrollbar-size-vertical: 1;
    }
    ExplainScreen.-ascii #explain { border: ascii $primary; scrollbar-size-vertical: 0; }
    """

    def __init__(self, panels: tuple[str, ...], look: Look, wrong: Wrong | None = None) -> None:
        super().__init__(classes="-ascii" if look.glyphs is ASCII else "")
        self._panels, self._look, self._wrong = panels, look, wrong or Wrong()

    def compose(self) -> ComposeResult:
        """One sheet."""
        yield Top(over=True)
        with VerticalScroll(id="explain"):
            yield Panel(explained_lines, id="explain-alerts")
            yield Panel(explain_lines, id="explain-figures")

    def on_mount(self) -> None:
        """Fill it."""
        self.query_one("#explain").border_title = "What is this?   y copies   esc closes"
        for panel, value in zip(self._sheets, (self._wrong, self._panels), strict=True):
            panel.show(value, self._look)

    def action_close(self) -> None:
        """Back to the figures."""
        take_off(self, None)

    def action_copy(self) -> None:
        """Copy the text."""
        text = "\n".join(text_of(panel.lines) for panel in self._sheets).strip()
        copy(cast("App[Any]", self.app), "explanation", text)  # pyright: ignore[reportUnknownMemberType]

    @property
    def _sheets(self) -> tuple[Panel[Any], ...]:
        """What is wrong, and the figures."""
        return tuple(cast("Panel[Any]", self.query_one(f"#explain-{name}")) for name in ("alerts", "figures"))

    def action_scroll_by(self, lines: int) -> None:
        """Scroll."""
        self.query_one("#explain", VerticalScroll).scroll_relative(y=lines, animate=False)

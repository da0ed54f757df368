"""The lines at the top: which machine, how fresh, the worst alert; they go on under a dialog, too."""

from __future__ import annotations

from typing import Any

from textual.app import ComposeResult
from textual.containers import Container
from textual.message import Message
from textual.widget import Widget

from dmtui.tui.figures import Density, Look
from dmtui.tui.paint.header import TopView, header_lines, moment_lines, notice_lines
from dmtui.tui.widgets.panel import Panel


class Top(Widget):
    """Shows a `TopView`.

    Args:
        over: it stands on a screen that lies over another, in whose place it tells what goes on.
    """

    DEFAULT_CSS = """
    Top { height: auto; width: 100%; layout: vertical; }
    """

    class Wanted(Message):
        """It lies over another screen and has nothing to show yet."""

    def __init__(self, *, over: bool = False) -> None:
        super().__init__(id="sight" if over else None)
        self._over = over

    def compose(self) -> ComposeResult:
        """Two panels beside each other, one below."""
        with Container(id="top"):
            yield Panel(header_lines, id="header")
            yield Panel(moment_lines, id="moment")
        yield Panel(notice_lines, id="notice")

    def on_mount(self) -> None:
        """Ask for what is to be shown."""
        if self._over:
            self.post_message(self.Wanted())

    def show(self, view: TopView, look: Look) -> None:
        """Show it; panels paint only what differs from before."""
        panels: list[Panel[Any]] = list(self.query(Panel[Any]))
        for panel in panels:
            panel.show(view, look)
        if self._over:  # in a small terminal a dialog covers the second line but for its ends
            self.query_one("#notice").display = look.density is not Density.COMPACT

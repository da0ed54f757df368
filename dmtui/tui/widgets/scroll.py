"""The body of a screen without a table: scrolls with the keys of a table where the terminal is too small for it."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll


class Scroll(VerticalScroll):
    """Scrolls at once: a terminal over a slow line has no time for animations."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "scroll_lines(1)", "Down", show=False),
        Binding("up,k", "scroll_lines(-1)", "Up", show=False),
        Binding("pagedown,ctrl+f", "scroll_pages(1)", "Page down", show=False),
        Binding("pageup,ctrl+b", "scroll_pages(-1)", "Page up", show=False),
        Binding("home,g", "scroll_pages(-1000)", "First", show=False),
        Binding("end,G", "scroll_pages(1000)", "Last", show=False),
    ]

    def action_scroll_lines(self, count: int) -> None:
        """Scroll by lines."""
        self.scroll_relative(y=count, animate=False)

    def action_scroll_pages(self, count: int) -> None:
        """Scroll by pages."""
        self.scroll_relative(y=count * max(1, self.size.height - 1), animate=False)

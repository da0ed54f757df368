"""A small list over a screen from which the value to be copied is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList

from dmtui.thinpool.text import printable
from dmtui.tui.copying import Entry
from dmtui.tui.figures import Look
from dmtui.tui.glyphs import ASCII
from dmtui.tui.overlays import take_off
from dmtui.tui.widgets.top import Top


class CopyScreen(ModalScreen[Entry | None]):
    """Ends with what was chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "close", "Close"),
        Binding("y", "choose", "Copy"),
        Binding("j", "move(1)", "Down"),
        Binding("k", "move(-1)", "Up"),
    ]
    DEFAULT_CSS = """
    CopyScreen { align: center middle; background: $background 55%; }
    CopyScreen #values {
        width: 90%; max-width: 100; height: auto; max-height: 90%; background: $background; padding: 0 1;
        border: round $primary; border-title-color: $primary; border-subtitle-color: $muted;
        scrollbar-size-vertical: 1;
    }
    CopyScreen.-ascii #values { border: ascii $primary; scrollbar-size-vertical: 0; }
    CopyScreen #values > .option-list--option-highlighted { background: $cursor; color: $foreground; text-style: bold; }
    App:ansi CopyScreen #values > .option-list--option-highlighted {
        background: ansi_default; text-style: bold reverse;
    }
    """

    def __init__(self, entries: Sequence[Entry], look: Look) -> None:
        super().__init__(classes="-ascii" if look.glyphs is ASCII else "")
        self._entries = tuple(entries)

    def compose(self) -> ComposeResult:
        """One list."""
        yield Top(over=True)
        width = max(len(entry.title) for entry in self._entries)
        yield OptionList(
            *(Content(f"{printable(entry.title):<{width}}  {printable(entry.text)}") for entry in self._entries),
            id="values",
        )

    def on_mount(self) -> None:
        """The first is the likeliest."""
        values = self.query_one("#values", OptionList)
        values.border_title = "Copy"
        values.border_subtitle = "enter copies, esc closes"
        values.focus()

    def action_close(self) -> None:
        """Copy nothing."""
        take_off(self, None)

    def action_choose(self) -> None:
        """Copy what is highlighted."""
        self.query_one("#values", OptionList).action_select()

    def action_move(self, rows: int) -> None:
        """Up or down, as everywhere."""
        values = self.query_one("#values", OptionList)
        (values.action_cursor_down if rows > 0 else values.action_cursor_up)()

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        take_off(self, self._entries[event.option_index])

"""The palette: a list of what can be done, narrowed by what is typed.

It takes keys strictly in their order: enter does what was typed before it, and never what an older list had first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.content import Content
from textual.fuzzy import Matcher
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from dmtui.tui.overlays import take_off
from dmtui.tui.widgets.entry import Entry
from dmtui.tui.widgets.top import Top

Command = Callable[[], object]


class PaletteEntry(Entry):
    """What is typed; the keys of the list are its own, or they would overtake letters."""

    AT_ONCE: ClassVar[dict[str, str]] = {
        "enter": "screen.choose",
        "escape": "screen.close",
        "down": "screen.move('cursor_down')",
        "up": "screen.move('cursor_up')",
        "pagedown": "screen.move('page_down')",
        "pageup": "screen.move('page_up')",
    }


class PaletteScreen(ModalScreen[Command | None]):
    """Ends with the command that was chosen.

    Args:
        commands: in the order in which they are shown while nothing is typed.
        title: of the list.
        ascii: draw with ASCII signs only.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", "Close", show=False)]
    AUTO_FOCUS = "PaletteEntry"
    DEFAULT_CSS = """
    PaletteScreen { align: center top; }
    PaletteScreen #palette {
        width: 90%; max-width: 132; height: auto; margin-top: 2; padding: 0 1;
        background: $background; border: round $primary; border-title-color: $primary; border-subtitle-color: $muted;
    }
    PaletteScreen.-ascii #palette { border: ascii $primary; }
    PaletteScreen #commands {
        height: auto; border: none; padding: 0; background: $background; scrollbar-size-vertical: 1;
        text-wrap: nowrap; text-overflow: ellipsis;
    }
    PaletteScreen.-ascii #commands { scrollbar-size-vertical: 0; text-overflow: clip; }
    PaletteScreen #commands > .option-list--option-highlighted {
        background: $cursor; color: $foreground; text-style: bold;
    }
    App:ansi PaletteScreen #commands > .option-list--option-highlighted {
        background: ansi_default; text-style: bold reverse;
    }
    """

    def __init__(self, commands: Sequence[SystemCommand], title: str, *, ascii: bool = False) -> None:  # noqa: A002
        super().__init__(classes="-ascii" if ascii else "")
        self._commands, self._title = tuple(commands), title
        self._widest = max((len(command.title) for command in commands), default=0)
        self._found: list[SystemCommand] = []
        self._sought: str | None = None

    def compose(self) -> ComposeResult:
        """What is typed, and what it finds."""
        yield Top(over=True)
        with Container(id="palette"):
            yield PaletteEntry(placeholder="a part of a name", compact=True)
            yield OptionList(id="commands", markup=False)

    def on_mount(self) -> None:
        """Everything, until something is typed."""
        palette, commands = self.query_one("#palette"), self.query_one(OptionList)
        palette.border_title, palette.border_subtitle = self._title, "enter does it, esc closes"
        commands.can_focus = False
        self.set_focus(self.query_one(PaletteEntry))  # at once: the next key is there already
        self._seek()

    def on_resize(self) -> None:
        """What does not fit is scrolled to."""
        room = max(6, self.size.height - 5)
        self.query_one("#palette").styles.max_height = room
        self.query_one(OptionList).styles.max_height = room - 3  # the frame and what is typed

    def action_close(self) -> None:
        """Do nothing."""
        take_off(self, None)

    def action_choose(self) -> None:
        """Do what is highlighted."""
        self._seek()
        place = self.query_one(OptionList).highlighted
        if place is not None and self._found:
            take_off(self, self._found[place].callback)

    def action_move(self, way: str) -> None:
        """Up or down the list."""
        self._seek()
        commands = self.query_one(OptionList)
        {
            "cursor_down": commands.action_cursor_down,
            "cursor_up": commands.action_cursor_up,
            "page_down": commands.action_page_down,
            "page_up": commands.action_page_up,
        }[way]()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._seek()

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        take_off(self, self._found[event.option_index].callback)

    def _seek(self) -> None:
        """Show what is found by the text as it is now: a key may come before the word that the text has changed."""
        text = self.query_one(PaletteEntry).value.strip()
        if text == self._sought:
            return
        self._sought = text
        matcher = Matcher(text)
        scores = [(matcher.match(command.title) if text else 1.0, command) for command in self._commands]
        found = sorted((each for each in scores if each[0] > 0), key=lambda each: -each[0])
        self._found = [command for _, command in found]
        commands = self.query_one(OptionList)
        commands.clear_options()
        if not self._found:
            commands.add_option(Option("nothing has such a name", disabled=True))
            return
        commands.add_options(self._line(command, matcher if text else None) for command in self._found)
        commands.highlighted = 0

    def _line(self, command: SystemCommand, matcher: Matcher | None) -> Content:
        """Its name, what was typed underlined in it, and what it does."""
        name = matcher.highlight(command.title) if matcher is not None else Content(command.title)
        return Content.assemble(name, " " * (self._widest + 2 - len(command.title)), (command.help, "dim"))

"""Choosing a demonstration: a list of them all, each with its sentence."""

from __future__ import annotations

import os
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.types import CSSPathType
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from dmtui.lab.scenario import Scenario
from dmtui.lab.scenarios import SCENARIOS
from dmtui.tui.look import stylesheet, variable_defaults
from dmtui.tui.themes import THEMES


class ChooserApp(App[Scenario]):
    """Returns the demonstration that was chosen; None where it was left.

    Args:
        last: name of the one that was seen last: the next one is offered first.
        ascii: draw with ASCII signs only.
    """

    TITLE = "dmtui demo"
    ENABLE_COMMAND_PALETTE = False
    CSS_PATH: ClassVar[CSSPathType | None] = [stylesheet("demonstration.tcss")]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,escape,ctrl+q,ctrl+c", "leave", "Leave", show=False),
        Binding("j", "move('cursor_down')", "Down", show=False),
        Binding("k", "move('cursor_up')", "Up", show=False),
    ]

    def __init__(self, last: str = "", *, ascii: bool = False) -> None:  # noqa: A002 - the option's name
        no_color = "NO_COLOR" in os.environ
        super().__init__(ansi_color=True if no_color else None)
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = "ansi-dark" if no_color else THEMES[0].name
        names = [scenario.name for scenario in SCENARIOS]
        self._first = (names.index(last) + 1) % len(names) if last in names else 0
        self._border = "ascii" if ascii else "round"

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """The colours of the dashboard."""
        return variable_defaults(self.current_theme)

    def compose(self) -> ComposeResult:
        """The list."""
        options = (
            Option(Content.assemble((scenario.title, "bold"), "\n", scenario.summary), id=scenario.name)
            for scenario in SCENARIOS
        )
        yield OptionList(*options, id="choices")

    def on_mount(self) -> None:
        """Offer the next one."""
        choices = self.query_one("#choices", OptionList)
        choices.border_title = "Demonstrations on an emulated machine"
        choices.border_subtitle = "enter shows it - q leaves"
        choices.highlighted = self._first
        if self._border == "ascii":
            choices.styles.border = ("ascii", self.theme_variables["foreground"])

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """The operator has chosen."""
        self.exit(SCENARIOS[event.option_index])

    def action_leave(self) -> None:
        """Choose none."""
        self.exit(None)

    def action_move(self, way: str) -> None:
        """Up or down the list."""
        choices = self.query_one("#choices", OptionList)
        (choices.action_cursor_down if way == "cursor_down" else choices.action_cursor_up)()

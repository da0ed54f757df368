"""The help of a screen: every action of the registry, and what each figure means and where it comes from."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.screen import Screen
from textual.types import CSSPathType
from textual.widgets import Label

from dmtui.tui.actions import Situation
from dmtui.tui.copying import copy
from dmtui.tui.figures import Look
from dmtui.tui.glyphs import ASCII
from dmtui.tui.lines import text_of
from dmtui.tui.look import stylesheet
from dmtui.tui.overlays import take_off
from dmtui.tui.paint.help import figures_lines, keys_lines
from dmtui.tui.widgets.panel import Panel


class HelpScreen(Screen[None]):
    """Covers the screen that it explains, which draws nothing meanwhile."""

    CSS_PATH: ClassVar[CSSPathType | None] = stylesheet("help.tcss")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,f1,enter", "close", "Close"),
        Binding("y", "copy", "Copy"),
        Binding("down,j", "scroll_by(1)", "Down"),
        Binding("up,k", "scroll_by(-1)", "Up"),
    ]

    def __init__(self, look: Look, situation: Situation, machine: str = "") -> None:
        super().__init__(classes="-ascii" if look.glyphs is ASCII else "")
        self._look, self._situation = look, situation
        self._machine = " EMULATED machine " if machine == "emulated" else ""

    def compose(self) -> ComposeResult:
        """Two panels that scroll together."""
        with VerticalScroll(id="help"), Container(id="help-columns"):
            yield Panel(keys_lines, id="help-keys", classes="help-box")
            yield Panel(figures_lines, id="help-figures", classes="help-box")
        yield Label(f"{self._machine} esc closes   up and down scroll   y copies", id="help-keys-hint")

    def on_mount(self) -> None:
        """Fill the panels."""
        for name, title in (("keys", "Keys"), ("figures", "What the figures mean")):
            panel = cast("Panel[Situation]", self.query_one(f"#help-{name}"))
            panel.entitle(title)
            panel.show(self._situation, self._look)

    def on_resize(self) -> None:
        """Side by side where there is room."""
        self.set_class(self.size.width >= 110, "-wide")

    def action_close(self) -> None:
        """Back to the screen that it explains."""
        take_off(self, None)

    def action_copy(self) -> None:
        """Copy the text."""
        panels = [cast("Panel[object]", self.query_one(f"#help-{name}")) for name in ("keys", "figures")]
        text = "\n\n".join(text_of(panel.lines) for panel in panels)
        copy(cast("App[Any]", self.app), "help", text)  # pyright: ignore[reportUnknownMemberType]

    def action_scroll_by(self, lines: int) -> None:
        """Scroll."""
        self.query_one("#help", VerticalScroll).scroll_relative(y=lines, animate=False)

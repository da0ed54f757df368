"""A line in which a text is typed that rows of a table must contain; empty and hidden until it is wanted.

It takes keys strictly in their order: what follows enter or escape is for the table, as the text has left it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.containers import Container
from textual.widget import Widget
from textual.widgets import Input, Label

from dmtui.tui.widgets.entry import Entry


class FilterEntry(Entry):
    """What is typed; the keys that end it are its own, or they would be overtaken by those that follow."""

    AT_ONCE: ClassVar[dict[str, str]] = {"enter": "leave(True)", "escape": "leave(False)"}

    def __init__(self, placeholder: str, leave: Callable[[bool], None]) -> None:
        super().__init__(placeholder=placeholder, classes="filter-text", compact=True)
        self._leave = leave

    def action_leave(self, keeps: bool) -> None:
        """End typing."""
        self._leave(keeps)


class FilterBar(Container):
    """Applies every change as it is typed; enter keeps the text, escape takes it away.

    Args:
        placeholder: what stands there while nothing is typed.
        apply: shows only the rows that contain a text.
        table: whose rows they are; it has the focus when the operator is done typing.
    """

    def __init__(self, placeholder: str, apply: Callable[[str], None], table: Callable[[], Widget]) -> None:
        super().__init__(classes="filter-bar")
        self._placeholder, self._apply, self._table = placeholder, apply, table
        self._applied = ""

    @property
    def text(self) -> str:
        """What has been typed."""
        return self._input.value if self.children else ""

    async def open(self) -> None:
        """Let the operator type; the key that comes next is typed already."""
        self.add_class("-open")
        if not self.children:  # most screens close without
            hint = Label(" enter keeps it, esc clears it ")
            entry = FilterEntry(self._placeholder, self._leave)
            await self.mount(Label(" Filter  ", classes="filter-label"), entry, hint)
        self.screen.set_focus(self._input)

    async def resume(self, text: str) -> None:
        """Show a text that was typed before, without asking for another."""
        if text:
            await self.open()
            self._input.value = self._applied = text
            self.screen.set_focus(self._table())
        self.set_class(bool(text), "-open")

    def clear(self) -> None:
        """Take the text away."""
        self._leave(False)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._catch_up()

    def _leave(self, keeps: bool) -> None:
        if self.children and not keeps:
            self._input.value = ""
        self._catch_up()
        self.set_class(bool(self.text), "-open")
        self.screen.set_focus(self._table())

    def _catch_up(self) -> None:
        """Apply the text as it is now: a key may come before the word that the text has changed."""
        if self.text != self._applied:
            self._applied = self.text
            self._apply(self._applied)

    @property
    def _input(self) -> Input:
        return self.query_one(Input)

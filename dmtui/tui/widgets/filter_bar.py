"""A line in which a text is typed that rows of a table must contain; empty and hidden until it is wanted."""

from __future__ import annotations

from textual import on
from textual.containers import Container
from textual.message import Message
from textual.widgets import Input, Label

from dmtui.tui.widgets.entry import Entry


class FilterBar(Container):
    """Tells every change as it is typed; enter keeps the text, `clear` takes it away."""

    class Changed(Message):
        """The text is another."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Left(Message):
        """The operator is done typing."""

    def __init__(self, placeholder: str) -> None:
        super().__init__(classes="filter-bar")
        self._placeholder = placeholder

    @property
    def text(self) -> str:
        """What has been typed."""
        return self._input.value if self.children else ""

    def open(self) -> None:
        """Let the operator type."""
        self.add_class("-open")
        self._input.focus()

    def resume(self, text: str) -> None:
        """Show a text that was typed before, without asking for another."""
        if text != self.text:
            self._input.value = text
        self.set_class(bool(text), "-open")

    def clear(self) -> None:
        """Take the text away."""
        self.resume("")
        self._leave()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Changed(event.value))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._leave()

    def _leave(self) -> None:
        self.set_class(bool(self.text), "-open")
        self.post_message(self.Left())

    @property
    def _input(self) -> Input:
        """What is typed into; made when it is first wanted, as most screens close without."""
        if not self.children:
            text = Entry(placeholder=self._placeholder, classes="filter-text", compact=True)
            hint = Label(" enter keeps it, esc clears it ")
            self.mount(Label(" Filter  ", classes="filter-label"), text, hint)
        return self.query_one(Input)

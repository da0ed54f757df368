"""The fields of an operation: names and sizes to be typed, recorded names suggested, flags to be ticked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Container, Horizontal
from textual.message import Message
from textual.suggester import Suggester
from textual.widget import Widget
from textual.widgets import Input, Label

from dmtui.deviceset.operations import Field, Kind, Operation
from dmtui.tui.widgets.entry import Entry
from dmtui.tui.widgets.tick import Tick


class NameSuggester(Suggester):
    """Completes the last of several words to a recorded name that is not among them yet."""

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._names = tuple(names)

    async def get_suggestion(self, value: str) -> str | None:
        """The value with its last word completed."""
        given, _, word = value.rpartition(" ")
        if not word:
            return None
        others = given.split()
        found = (name for name in self._names if name.startswith(word) and name != word and name not in others)
        rest = next(found, None)
        return None if rest is None else value + rest[len(word) :]


class OperationForm(Container):
    """Asks for an operation's values.

    Args:
        values: what the fields begin with.
        names: the recorded devices.
    """

    DEFAULT_CSS = """
    OperationForm { height: auto; }
    OperationForm .field { height: auto; }
    """
    PREFIX: ClassVar[str] = "field-"

    class Changed(Message):
        """A value is another."""

    class Submitted(Message):
        """The last field was left with enter."""

    def __init__(self, operation: Operation, values: Mapping[str, str], names: Iterable[str]) -> None:
        super().__init__(id="form")
        self._operation, self._begins, self._names = operation, values, tuple(names)

    def compose(self) -> ComposeResult:
        """A line for each field: its title, its place, what it takes."""
        for field in self._operation.fields:
            with Horizontal(classes="field -flag" if field.kind is Kind.FLAG else "field"):
                yield Label(field.title, classes="field-title", markup=False)
                yield self._place(field)
                yield Label(field.help, classes="field-help", markup=False)

    @property
    def values(self) -> Mapping[str, str]:
        """What the fields hold, by their names; empty ones are left out."""
        texts = {field.name: self._text(field) for field in self._operation.fields}
        return {name: text for name, text in texts.items() if text}

    def narrow(self, narrow: bool) -> None:
        """Where there is no room beside the places, what they take stands in the empty ones."""
        self.set_class(narrow, "-narrow")
        for field in self._operation.fields:
            place = self._widget(field)
            if isinstance(place, Input):
                place.placeholder = field.help if narrow else ""

    def focus_first(self) -> bool:
        """Focus the first field that is required and empty, else the first of all; False where there is none."""
        fields = self._operation.fields
        if not fields:
            return False
        wanted = next((field for field in fields if field.required and not self._text(field)), fields[0])
        self._widget(wanted).focus()
        return True

    @on(Input.Changed)
    @on(Tick.Changed)
    def _tell_change(self, event: Message) -> None:
        event.stop()
        self.post_message(self.Changed())

    @on(Input.Submitted)
    @on(Tick.Submitted)
    def _go_on(self, event: Input.Submitted | Tick.Submitted) -> None:
        event.stop()
        place = event.input if isinstance(event, Input.Submitted) else event.tick
        places = [self._widget(field) for field in self._operation.fields]
        if place is places[-1]:
            self.post_message(self.Submitted())
        else:
            places[places.index(place) + 1].focus()

    def _place(self, field: Field) -> Widget:
        begins, name = self._begins.get(field.name, ""), f"{self.PREFIX}{field.name}"
        if field.kind is Kind.FLAG:
            return Tick(id=name, ticked=begins == "yes")
        suggester = NameSuggester(self._names) if field.kind is Kind.DEVICE else None
        return Entry(begins, id=name, compact=True, suggester=suggester)

    def _widget(self, field: Field) -> Widget:
        return self.query_one(f"#{self.PREFIX}{field.name}")

    def _text(self, field: Field) -> str:
        place = self._widget(field)
        if isinstance(place, Input):
            return place.value.strip()
        return "yes" if isinstance(place, Tick) and place.value else ""

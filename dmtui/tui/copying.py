"""What can be copied from the screen: values as they are shown in full, and commands; through the terminal (OSC 52)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from textual.app import App

from dmtui.thinpool.text import printable
from dmtui.tui.glyphs import Glyphs
from dmtui.tui.lines import Line

FULL_WIDTH = 400
"""Cells in which no value has to be shortened."""
_TOLD_CHARACTERS = 60
_LABELS = ("muted", "accent")


class Entry(NamedTuple):
    """Something that can be copied.

    Attributes:
        title: what it is.
        text: what is copied.
    """

    title: str
    text: str


_DRAWN = re.compile("[\u2500\u2504\u254c\u2580-\u259f]{2,}")
"""A piece of a chart or a gauge: no value."""


def entries_of(lines: Iterable[Line], title: str, glyphs: Glyphs) -> list[Entry]:
    """The values in the lines of a panel: one a line, by the label at its beginning, else by the panel's title."""
    entries: list[Entry] = []
    label = title
    for line in lines:
        head, rest = (line[0], line[1:]) if line else (None, ())
        labelled = head is not None and head.role in _LABELS and bool(rest)
        own = head.text.strip() if head is not None and labelled else ""
        label = own or label
        text = value_of("".join(span.text for span in (rest if labelled else line)), glyphs)
        if re.search(r"\w", text) and not _DRAWN.search(text):
            entries.append(Entry(label, text))
    return entries


def value_of(text: str, glyphs: Glyphs) -> str:
    """A text without the signs before it and the gaps in it."""
    text = re.sub(r"\s{2,}", "  ", text.strip())
    signs = (glyphs.ok, glyphs.warn, glyphs.crit, glyphs.cursor, glyphs.off, glyphs.mounted, glyphs.leaving)
    for sign in signs:
        text = text.removeprefix(f"{sign} ").lstrip()
    return text


def copy(app: App[Any], what: str, text: str) -> None:
    """Hand a text to the terminal's clipboard, and say so."""
    app.copy_to_clipboard(text)
    lines = text.count("\n") + 1
    told = text if len(text) <= _TOLD_CHARACTERS and lines == 1 else f"{text[:_TOLD_CHARACTERS].splitlines()[0]} ..."
    more = f" ({lines} lines)" if lines > 1 else ""
    app.notify(printable(told), title=f"Copied: {printable(what)}{more}", markup=False)

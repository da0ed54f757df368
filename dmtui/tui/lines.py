"""Lines of text with roles: what painters make and widgets draw. Names are text here, never markup."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Literal, NamedTuple

from rich.cells import cell_len, set_cell_size

ROLES = (
    "text", "strong", "muted", "faint", "track", "accent", "ok", "warn", "crit", "data", "meta", "reserve",
    "data-area", "meta-area", "warn-area", "crit-area",
    "badge", "badge-host", "badge-live", "badge-warn", "badge-crit", "badge-emulated",
)  # fmt: skip
"""What a piece of text may mean; the stylesheet gives each its look."""

Role = str
Align = Literal["left", "right"]


class Span(NamedTuple):
    """A piece of a line with one role."""

    text: str
    role: Role = "text"


Line = tuple[Span, ...]


def line(*spans: Span | str) -> Line:
    """A line of spans; a bare string has the role ``text``."""
    return tuple(span if isinstance(span, Span) else Span(span) for span in spans)


def width_of(spans: Sequence[Span]) -> int:
    """Cells that the spans take."""
    return sum(cell_len(span.text) for span in spans)


def text_of(lines: Sequence[Line]) -> str:
    """The lines as plain text, for tests and logs."""
    return "\n".join("".join(span.text for span in spans).rstrip() for spans in lines)


def fit(text: str, width: int, align: Align = "left", ellipsis: str = "…") -> str:
    """The text in exactly so many cells; what is too long ends in an ellipsis."""
    length = cell_len(text)
    if length > width:
        return set_cell_size(text, max(0, width - 1)) + ellipsis if width > 0 else ""
    gap = " " * (width - length)
    return gap + text if align == "right" else text + gap


def fit_middle(text: str, width: int, ellipsis: str = "…") -> str:
    """The text in exactly so many cells; what is too long loses its middle, as names differ at both ends."""
    length = cell_len(text)
    if length <= width or width < 5:
        return fit(text, width, ellipsis=ellipsis)
    tail_width = (width - 1) // 2
    return set_cell_size(text, width - 1 - tail_width) + ellipsis + _tail(text, tail_width)


def without_aside(text: str, width: int) -> str:
    """The text; where it is too long for so many cells, without the aside in parentheses at its end."""
    return text[: text.rfind(" (")] if text.endswith(")") and " (" in text and cell_len(text) > width else text


def fit_path(path: str, width: int, ellipsis: str = "…") -> str:
    """A path in exactly so many cells; what is too long loses its beginning."""
    if cell_len(path) <= width or width < 2:
        return fit(path, width, ellipsis=ellipsis)
    tail = _tail(path, width - 1)
    slash = tail.find("/")
    if slash > 0:
        tail = tail[slash:]
    return fit(ellipsis + tail, width)


def spread(left: Sequence[Span], right: Sequence[Span], width: int, ellipsis: str = "…") -> Line:
    """Both groups at the ends of one line; when they do not fit, the left one is shortened."""
    room = width - width_of(right) - 1
    kept = crop(left, max(0, room), ellipsis)
    return (*kept, Span(" " * max(1, width - width_of(kept) - width_of(right))), *right)


def crop(spans: Sequence[Span], width: int, ellipsis: str = "…") -> Line:
    """The spans in at most so many cells."""
    kept: list[Span] = []
    for span in spans:
        length = cell_len(span.text)
        if length > width:
            if width > 0:
                kept.append(Span(fit(span.text, width, ellipsis=ellipsis), span.role))
            break
        kept.append(span)
        width -= length
    return tuple(kept)


def changed_cells(before: Line, after: Line) -> tuple[int, int]:
    """First cell that differs and how many cells on from there may differ: what must be painted again."""
    old = [(char, span.role) for span in before for char in span.text]
    new = [(char, span.role) for span in after for char in span.text]
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))
    start = cell_len("".join(char for char, _ in new[:same]))
    end, old_end = width_of(after), width_of(before)
    if end != old_end:
        return start, max(end, old_end) - start
    rest = zip(reversed(old[same:]), reversed(new[same:]), strict=False)
    tail = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], rest))
    return start, end - start - cell_len("".join(char for char, _ in new[len(new) - tail :]))


def _tail(text: str, width: int) -> str:
    start = len(text)
    while start > 0 and cell_len(text[start - 1 :]) <= width:
        start -= 1
    tail = text[start:]
    return " " * (width - cell_len(tail)) + tail

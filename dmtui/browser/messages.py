"""What a browser says over its socket: textual-serve's messages, checked before anything is done with them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

from dmtui.thinpool.values import frozen

LARGEST_MESSAGE_BYTES = 64 * 1024
"""A paste of that length is one message; more than that ends the session."""

_LARGEST_COLUMNS, _LARGEST_ROWS = 1000, 400
_DEFAULT_SIZE = (80, 24)


class GarbledMessageError(ValueError):
    """No message that our page sends."""


@frozen
class Typed:
    """Keys, mouse and pastes, as a terminal sends them."""

    data: bytes


@frozen
class Resized:
    """The terminal has another size, in cells."""

    columns: int
    rows: int


@frozen
class Pinged:
    """The page asks how long an answer takes."""

    data: str


@frozen
class Focused:
    """The terminal got the focus or lost it."""

    focused: bool


Message = Typed | Resized | Pinged | Focused


def read_message(text: str) -> Message:
    """Read one message.

    Raises:
        GarbledMessageError: it is none of the five that textual-serve's page sends.
    """
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise GarbledMessageError("is no JSON") from error
    parts = cast("list[object]", found) if isinstance(found, list) else []
    match parts:
        case ["stdin", str(data)]:
            # Half a surrogate pair is no character.
            return Typed(data.encode("utf-8", "replace"))
        case ["resize", {"width": int(width), "height": int(height)}]:
            return Resized(*bounded(width, height))
        case ["ping", str(data)]:
            return Pinged(data)
        case ["focus" | "blur" as word]:
            return Focused(word == "focus")
        case _:
            raise GarbledMessageError("is none of stdin, resize, ping, focus, blur")


def read_size(query: Mapping[str, str]) -> tuple[int, int]:
    """Columns and rows that a page asks for with its connection; a terminal's usual ones where it does not."""
    try:
        return bounded(int(query["width"]), int(query["height"]))
    except (KeyError, ValueError):
        return _DEFAULT_SIZE


def bounded(columns: int, rows: int) -> tuple[int, int]:
    """A size that can be drawn, whatever was asked for: the child keeps memory for each cell."""
    return min(max(columns, 1), _LARGEST_COLUMNS), min(max(rows, 1), _LARGEST_ROWS)

"""Names come from whoever made a device: nothing in them may move the terminal's cursor."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""The text with every control or unprintable character spelled out (``\x1b``)."""
    if text.isprintable():  # nearly always, and far cheaper than a look at each character
        return text
    return "".join(char if char.isprintable() else _spelled(char) for char in text)


def _spelled(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")

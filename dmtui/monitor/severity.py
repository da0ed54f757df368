"""How bad something is, for alerts and for the timeline alike."""

from __future__ import annotations

from enum import IntEnum


class Severity(IntEnum):
    """How bad something is, mildest first; INFO is no alert at all."""

    INFO = 0
    WATCH = 1
    WARN = 2
    CRIT = 3

    @property
    def word(self) -> str:
        """The word for it: a severity is never told by colour alone."""
        return ("info", "watch", "WARN", "CRIT")[self]

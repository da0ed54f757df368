"""The ages on the screen: they go on by the second while nothing new comes, and cost nothing while it does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

_PATIENCE_SECONDS = 1.25
"""A pace of one second, and how much later than that its outcome may come: mostly there is nothing to be done then."""
_PACE_SECONDS = 1.0


class Ageing:
    """Calls back each second in which no outcome of a poll came.

    Args:
        grow: is called in the event loop, once for each such second.
    """

    def __init__(self, grow: Callable[[], object]) -> None:
        self._grow = grow
        self._next: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Begin; to be called where the event loop runs."""
        self._after(_PATIENCE_SECONDS)

    def stop(self) -> None:
        """No more of it."""
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def outcome_came(self) -> None:
        """What is shown is new."""
        if self._next is not None:
            self._after(_PATIENCE_SECONDS)

    def _after(self, seconds: float) -> None:
        self.stop()
        self._next = asyncio.get_running_loop().call_later(seconds, self._tick)

    def _tick(self) -> None:
        self._after(_PACE_SECONDS)
        self._grow()

"""What a stream of samples comes from: a poller that asks this machine, or another machine's dmtui over ssh."""

from __future__ import annotations

from typing import Protocol


class Source(Protocol):
    """Delivers samples and failures, from a thread of its own, once it is started."""

    @property
    def interval_seconds(self) -> float:
        """From the start of one poll to the start of the next."""
        ...

    @interval_seconds.setter
    def interval_seconds(self, seconds: float) -> None: ...

    @property
    def paused(self) -> bool:
        """Whether it rests."""
        ...

    @paused.setter
    def paused(self, paused: bool) -> None: ...

    @property
    def waiting_since(self) -> float | None:
        """Since when the answer that is being waited for has been due (seconds since the epoch); None while none is."""
        ...

    def start(self) -> None:
        """Begin; the first sample comes as soon as it can."""
        ...

    def wait_for_first(self, seconds: float) -> None:
        """Wait until something was delivered, no longer than so many seconds."""
        ...

    def stop(self) -> None:
        """Deliver nothing more; returns at once."""
        ...

    def poll_now(self) -> None:
        """Ask now, also while it rests or waits before it tries again."""
        ...

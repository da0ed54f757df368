"""What must not outlive a command whose terminal is closed, or that is told to end."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager


@contextmanager
def tidied(tidy: Callable[[], None], signals: Sequence[signal.Signals] = (signal.SIGHUP,)) -> Generator[None]:
    """When one of the signals comes, tidy up, and then end by it, as a process that knows nothing of it does.

    Not in the dashboard's own way: it would still draw, and wait for a terminal that takes nothing any more. A signal
    that is ignored (nohup) or is somebody's already is left alone.
    """

    def end(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        tidy()
        os.kill(os.getpid(), number)

    with _handled(signals, end):
        yield


@contextmanager
def ended_in_order(signals: Sequence[signal.Signals] = (signal.SIGTERM, signal.SIGHUP)) -> Generator[None]:
    """Take a signal that ends a process for ctrl+c: what is under way comes to an orderly end."""

    def interrupt(_number: int, _: object) -> None:
        raise KeyboardInterrupt

    with _handled(signals, interrupt):
        yield


@contextmanager
def _handled(signals: Sequence[signal.Signals], handler: Callable[[int, object], None]) -> Generator[None]:
    """Handle those that nobody has ignored or taken."""
    ours = [number for number in signals if signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)

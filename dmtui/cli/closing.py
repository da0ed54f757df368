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

    ours = [number for number in signals if signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)

"""The listener: hears of the machine's events, so that what they changed is shown before the next poll is due."""

from __future__ import annotations

import threading
from collections.abc import Callable

from dmtui.machine.errors import MachineError

_WAIT_SECONDS = 5.0
_PAUSE_SECONDS = 0.1
"""After an event it stays deaf for so long: a storm of them is answered as one."""


class Listener:
    """Calls `heard` after events, in a daemon thread of its own; where the machine tells of none, polls go on alone.

    Args:
        wait: waits for an event, no longer than so many seconds; returns whether there was one.
        heard: is told of it, in the listener's thread.
    """

    def __init__(self, wait: Callable[[float], bool], heard: Callable[[], None]) -> None:
        self._wait = wait
        self._heard = heard
        self._stopped = threading.Event()

    def start(self) -> None:
        """Begin to listen."""
        threading.Thread(target=self._run, name="dmtui-listener", daemon=True).start()

    def stop(self) -> None:
        """Listen no more; returns at once, the thread ends within seconds."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                heard = self._wait(_WAIT_SECONDS)
            except MachineError:
                return
            if heard and not self._stopped.is_set():
                self._heard()
                self._stopped.wait(_PAUSE_SECONDS)

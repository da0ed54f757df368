"""Whether an emulated machine stands still: then whoever polls it need not ask everything again."""

from __future__ import annotations

from dmtui.machine.emulated import clock
from dmtui.machine.emulated.outages import HANG
from dmtui.machine.emulated.store import Store

_RESTLESS = "SELECT EXISTS (SELECT 1 FROM loop_holders) OR EXISTS (SELECT 1 FROM faults WHERE kind = ?)"
"""What changes answers with no write before, but for the clock: a holder that dies, a device that hangs."""


class Standstill:
    """Tells by the number of the store's version."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._version = 0
        self._rests = False

    def number(self) -> int | None:
        """See `Machine.standstill`."""
        version = self._store.version()
        if version != self._version:
            with self._store.read() as connection:
                restless = connection.execute(_RESTLESS, (HANG,)).fetchone()[0]
                self._rests = not restless and not clock.will_bring_something(connection)
            self._version = version
        return version if self._rests else None

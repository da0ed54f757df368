"""Processes of the emulated machine: no other program works on its graph directories yet."""

from __future__ import annotations

from dmtui.machine.protocols import Process


class EmulatedProcesses:
    """The `Processes` of an emulated machine."""

    def using(self, program: str, directory: str) -> tuple[Process, ...]:
        """See `Processes.using`: the emulated machine runs no program."""
        return ()

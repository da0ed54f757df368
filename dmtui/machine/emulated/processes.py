"""Processes of the emulated machine as the host's own see them: those that hold something of a mounted file system."""

from __future__ import annotations

from dmtui.machine.emulated.store import Store
from dmtui.machine.protocols import Process


class EmulatedProcesses:
    """The `Processes` of an emulated machine."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def using(self, program: str, directory: str) -> tuple[Process, ...]:
        """See `Processes.using`; what was unmounted under a process has no place below any directory."""
        below = directory.rstrip("/") + "/"
        with self._store.read() as connection:
            rows = connection.execute(
                "SELECT pid, path FROM processes JOIN mounts ON mounts.id = mount_id WHERE command = ? ORDER BY pid",
                (program,),
            ).fetchall()
        return tuple(Process(pid, program) for pid, path in rows if path.startswith(below))

"""Emulated processes that keep a device open: a mount leaked into another mount namespace, as containers leave it."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass

from dmtui.machine.emulated.store import Store, set_setting, setting
from dmtui.machine.errors import machine_error

FIRST_PID = 4242


@dataclass(frozen=True, slots=True)
class Leak:
    """An emulated process that holds a device's mount in a mount namespace of its own."""

    pid: int
    device_name: str


class Leaks:
    """Starts and ends such processes. Their pids are the machine's own and are never used twice."""

    def __init__(self, store: Store, open_device: Callable[[str], None], close_device: Callable[[str], None]) -> None:
        self._store = store
        self._open_device = open_device
        self._close_device = close_device

    def list_held(self) -> tuple[Leak, ...]:
        """Every such process, by pid."""
        with self._store.read() as connection:
            rows = connection.execute("SELECT pid, name FROM leaks JOIN devices USING (minor) ORDER BY pid").fetchall()
        return tuple(Leak(pid, name) for pid, name in rows)

    def begin(self, name: str) -> int:
        """Start a process that holds a device; returns its pid.

        Raises:
            DeviceMissingError: no such device.
        """
        with self._store.write() as connection:
            self._open_device(name)
            pid = setting(connection, "next_pid", FIRST_PID)
            set_setting(connection, "next_pid", pid + 1)
            connection.execute("INSERT INTO leaks SELECT ?, minor FROM devices WHERE name = ?", (pid, name))
        return pid

    def end(self, pid: int) -> None:
        """End such a process; a device marked for removal goes with its last holder.

        Raises:
            MachineError: no such process (ESRCH).
        """
        with self._store.write() as connection:
            row = connection.execute(
                "SELECT name FROM leaks JOIN devices USING (minor) WHERE pid = ?", (pid,)
            ).fetchone()
            if row is None:
                raise machine_error(errno.ESRCH, f"emulated process {pid}", "ending it")
            connection.execute("DELETE FROM leaks WHERE pid = ?", (pid,))
            self._close_device(row[0])

"""Mounts leaked into other mount namespaces, as containers leave them: processes that keep a device open."""

from __future__ import annotations

from dmtui.machine.emulated.holders import LEAK, Holders
from dmtui.thinpool.values import frozen


@frozen
class Leak:
    """An emulated process that holds a device's mount in a mount namespace of its own."""

    pid: int
    device_name: str


class Leaks:
    """Starts and ends such processes, on any device, with a file system or not: each opens the device once more."""

    def __init__(self, holders: Holders) -> None:
        self._holders = holders

    def list_held(self) -> tuple[Leak, ...]:
        """Every such process, by pid."""
        found = self._holders.list_all()
        return tuple(Leak(holder.pid, holder.device_name) for holder in found if holder.how == LEAK)

    def begin(self, name: str) -> int:
        """Start a process that holds a device; returns its pid.

        Raises:
            DeviceMissingError: no such device.
        """
        return self._holders.begin(name, LEAK)

    def end(self, pid: int) -> None:
        """End such a process; a device marked for removal goes with its last holder.

        Raises:
            MachineError: no such process (ESRCH).
        """
        self._holders.end(pid, LEAK)

"""Which machine ``--machine`` leads to, and why, in words for the operator."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from dmtui.machine.errors import MachineNotPermittedError, NoDeviceMapperError
from dmtui.machine.protocols import Machine
from dmtui.thinpool.values import frozen


@frozen
class Choice:
    """A machine, and a line that says which one and why (empty when it was asked for by name)."""

    machine: Machine
    reason: str


def default_emulated_directory() -> Path:
    """Where the emulated machine lives when nothing else is said: the user's data directory (XDG)."""
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base).expanduser() / "dmtui" / "emulated"


def choose_machine(wanted: str, emulated_directory: Path, deadline_seconds: float = 30.0) -> Choice:
    """Open the machine that is wanted: ``kernel``, ``emulated``, or ``auto``.

    Auto takes the kernel where there is device-mapper and the emulated machine where there is none. A machine that
    has device-mapper but refuses us is never answered with an emulated picture of it. A change, and udev after
    it, may each take `deadline_seconds`.

    Raises:
        MachineNotPermittedError: device-mapper is there, but not for us.
        NoDeviceMapperError: the kernel was wanted and has no device-mapper.
    """
    if wanted == "emulated":
        return Choice(_emulated(emulated_directory, deadline_seconds), "")
    if not sys.platform.startswith("linux"):
        reason = f"{sys.platform} has no device-mapper"
        return _without_kernel(wanted, reason, "", emulated_directory, deadline_seconds)
    from dmtui.machine.kernel.probe import Presence, probe  # noqa: PLC0415 - only on Linux

    found = probe()
    if found.presence is Presence.NOT_PERMITTED:
        raise MachineNotPermittedError("device-mapper", found.reason, "run as root, or with --machine emulated")
    if found.presence is Presence.ABSENT:
        return _without_kernel(wanted, found.reason, found.remedy, emulated_directory, deadline_seconds)
    from dmtui.machine.kernel import KernelMachine  # noqa: PLC0415 - only on Linux

    reason = "the kernel's device-mapper answers" if wanted == "auto" else ""
    return Choice(KernelMachine(deadline_seconds), f"kernel machine: {reason}" if reason else "")


def _without_kernel(wanted: str, reason: str, remedy: str, directory: Path, deadline_seconds: float) -> Choice:
    if wanted == "kernel":
        raise NoDeviceMapperError("device-mapper", reason, remedy or "use --machine emulated")
    why = f"{reason}; {remedy}" if remedy else reason
    return Choice(_emulated(directory, deadline_seconds), f"emulated machine, not this one's storage: {why}")


def _emulated(directory: Path, deadline_seconds: float) -> Machine:
    from dmtui.machine.emulated import EmulatedMachine  # noqa: PLC0415 - sqlite3 is loaded only when needed

    return EmulatedMachine.open(directory, deadline_seconds)

"""The real machine, its three parts put together."""

from __future__ import annotations

import os
from typing import Literal

from dmtui.machine.kernel.device_mapper import KernelDeviceMapper
from dmtui.machine.kernel.files import KernelFiles
from dmtui.machine.kernel.loops import KernelLoops
from dmtui.machine.kernel.processes import KernelProcesses


class KernelMachine:
    """The `Machine` this process runs on."""

    def __init__(self, deadline_seconds: float = 30.0) -> None:
        """Open it; a change to a device may take so many seconds.

        Raises:
            NoDeviceMapperError: there is no device-mapper.
            MachineNotPermittedError: it is not for us.
        """
        self._device_mapper = KernelDeviceMapper(deadline_seconds)
        self._loops = KernelLoops()
        self._files = KernelFiles()
        self._processes = KernelProcesses()

    @property
    def kind(self) -> Literal["kernel", "emulated"]:
        """Which of the two machines it is."""
        return "kernel"

    @property
    def description(self) -> str:
        """Such as ``Linux 6.1.0-56-amd64``."""
        return f"Linux {os.uname().release}"

    @property
    def device_mapper(self) -> KernelDeviceMapper:
        """Its device-mapper."""
        return self._device_mapper

    @property
    def loops(self) -> KernelLoops:
        """Its loop devices."""
        return self._loops

    @property
    def files(self) -> KernelFiles:
        """Its files."""
        return self._files

    @property
    def processes(self) -> KernelProcesses:
        """See `Machine.processes`."""
        return self._processes

    def close(self) -> None:
        """Let go of what is held open."""
        self._loops.close()
        self._device_mapper.close()

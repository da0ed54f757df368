"""The real machine, its parts put together."""

from __future__ import annotations

import os
import time
from typing import Literal

from dmtui.machine.kernel.device_mapper import KernelDeviceMapper
from dmtui.machine.kernel.files import KernelFiles
from dmtui.machine.kernel.filesystems import KernelFilesystems
from dmtui.machine.kernel.loops import KernelLoops
from dmtui.machine.kernel.processes import KernelProcesses
from dmtui.machine.kernel.programs import KernelPrograms
from dmtui.machine.kernel.thin_tools import KernelThinTools


class KernelMachine:
    """The `Machine` this process runs on."""

    def __init__(self, deadline_seconds: float = 30.0) -> None:
        """Open it; a change to a device may take so many seconds.

        Raises:
            NoDeviceMapperError: there is no device-mapper.
            MachineNotPermittedError: it is not for us.
        """
        self._device_mapper = KernelDeviceMapper(deadline_seconds, deadline_seconds)
        self._loops = KernelLoops()
        self._files = KernelFiles()
        self._processes = KernelProcesses()
        self._programs = KernelPrograms()
        self._thin_tools = KernelThinTools(self._programs)
        self._filesystems = KernelFilesystems(self._programs, self._opened, deadline_seconds=deadline_seconds)

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

    @property
    def filesystems(self) -> KernelFilesystems:
        """See `Machine.filesystems`."""
        return self._filesystems

    @property
    def thin_tools(self) -> KernelThinTools:
        """See `Machine.thin_tools`."""
        return self._thin_tools

    @property
    def programs(self) -> KernelPrograms:
        """See `Machine.programs`."""
        return self._programs

    def now(self) -> float:
        """See `Machine.now`."""
        return time.time()

    def standstill(self) -> None:
        """See `Machine.standstill`; a kernel tells of events only, and blocks are taken without one."""
        return

    def close(self) -> None:
        """Let go of what is held open."""
        self._filesystems.close()
        self._thin_tools.close()
        self._loops.close()
        self._device_mapper.close()

    def _opened(self, name: str) -> int:
        """How often a mapped device is open."""
        return self._device_mapper.info(name).open_count

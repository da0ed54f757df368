"""A machine that was made once, and is had by each test as it was made: its files, put back into the same directory."""

from __future__ import annotations

import shutil
from pathlib import Path

from dmtui.lab.starter import populate
from dmtui.machine.emulated import EmulatedMachine


class Starter:
    """The populated machine of the first look.

    Attributes:
        directory: of the machine, the same for all tests of a process.
    """

    def __init__(self, above: Path) -> None:
        self.directory = above / "machine"
        self._kept = above / "kept"
        machine = EmulatedMachine.open(self.directory)
        populate(machine, self.graph)
        machine.close()
        self.directory.rename(self._kept)

    @property
    def graph(self) -> str:
        """Its graph directory."""
        return str(self.directory / "devicemapper")

    def put(self) -> None:
        """Let the machine be as it was made, whatever a test has made of it."""
        shutil.rmtree(self.directory, ignore_errors=True)
        shutil.copytree(self._kept, self.directory)

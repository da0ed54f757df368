"""What one call of the command works with: its settings and its machine."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from dmtui.machine.choose import choose_machine, default_emulated_directory
from dmtui.machine.protocols import Machine
from dmtui.settings import Settings, load_settings

_DEFAULT_GRAPH = "/var/lib/dmtui/devicemapper"
_SETTINGS = ("machine", "emulated_dir", "graph", "storage_opt", "read_only", "interval", "busy_timeout", "udev_timeout")


class Session:
    """What one call of the command works with: its settings and, from the first use on, its machine."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        given = {key: getattr(arguments, key, None) for key in _SETTINGS}
        self.settings: Settings = load_settings(os.environ, given)
        emulated_dir = self.settings.emulated_dir
        self.emulated_directory = Path(emulated_dir).expanduser() if emulated_dir else default_emulated_directory()
        self.reason = ""
        self._machine: Machine | None = None

    @property
    def machine(self) -> Machine:
        """The machine, opened on first use; which one and why is said on standard error."""
        if self._machine is None:
            choice = choose_machine(self.settings.machine, self.emulated_directory, self.settings.udev_timeout)
            self._machine, self.reason = choice.machine, choice.reason
            if choice.reason:
                print(f"dmtui: {choice.reason}", file=sys.stderr)
        return self._machine

    @property
    def graph_directory(self) -> str:
        """The graph directory that is meant."""
        if self.settings.graph is not None:
            return str(Path(self.settings.graph).expanduser().absolute())
        if self.machine.kind == "emulated":
            return str(self.emulated_directory.absolute() / "devicemapper")
        return _DEFAULT_GRAPH

    def close(self) -> None:
        """Let go of the machine."""
        if self._machine is not None:
            self._machine.close()
            self._machine = None

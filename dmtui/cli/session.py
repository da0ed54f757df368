"""What one call of the command works with: its settings and its machine."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dmtui.machine.choose import choose_machine, default_emulated_directory
from dmtui.machine.protocols import Machine
from dmtui.settings import Settings, load_settings

if TYPE_CHECKING:
    from dmtui.remote.reach import Reach

_DEFAULT_GRAPH = "/var/lib/dmtui/devicemapper"
_SETTINGS = (
    "machine", "emulated_dir", "graph", "storage_opt", "read_only", "interval", "busy_timeout", "udev_timeout",
    "remote_command",
)  # fmt: skip
_HANDED_ON = ("machine", "emulated_dir", "graph")
"""Options that say which machine and graph directory are meant on a host: what is set here otherwise is for here."""


class Session:
    """What one call of the command works with: its settings and, from the first use on, its machine."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        given = {key: getattr(arguments, key, None) for key in _SETTINGS}
        self.settings: Settings = load_settings(os.environ, given)
        emulated_dir = self.settings.emulated_dir
        self.emulated_directory = Path(emulated_dir).expanduser() if emulated_dir else default_emulated_directory()
        self.reason = ""
        self._machine: Machine | None = None
        self.reaches: tuple[Reach, ...] = ()
        names: tuple[str, ...] = getattr(arguments, "far_hosts", ())
        if names:
            self.reaches = self._reaches(names, arguments)

    @property
    def machine(self) -> Machine:
        """The machine, opened on first use; which one and why is said on standard error."""
        if self.reaches:
            raise AssertionError("a command that watches another machine opens none here")
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

    def _reaches(self, names: tuple[str, ...], arguments: argparse.Namespace) -> tuple[Reach, ...]:
        """How the hosts are reached that are watched instead of this machine."""
        from dmtui.remote.hosts import resolve_hosts  # noqa: PLC0415 - for those who watch from afar
        from dmtui.remote.reach import Reach, program_of  # noqa: PLC0415

        program = program_of(self.settings.remote_command, "remote_command")
        given = {key: getattr(arguments, key, None) for key in _HANDED_ON}
        options = tuple(f"--{key.replace('_', '-')}={value}" for key, value in given.items() if value is not None)
        return tuple(Reach(host, program, options) for host in resolve_hosts(names, self.settings.hosts))

    def close(self) -> None:
        """Let go of the machine."""
        if self._machine is not None:
            self._machine.close()
            self._machine = None

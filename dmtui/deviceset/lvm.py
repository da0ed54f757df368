"""LVM by its own tools: what it knows of a device, of its volume groups and of the volumes in one."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from contextlib import suppress

from dmtui.deviceset.plan import Step
from dmtui.machine.errors import MachineError
from dmtui.machine.protocols import Machine
from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.errors import DmtuiError
from dmtui.thinpool.values import frozen

SECONDS = 300.0
"""How long one of LVM's tools may take: the slowest of them wipes a few signatures and waits for udev."""
PHYSICAL_VOLUME = "LVM2_member"
_TOOLS = ("pvcreate", "vgcreate", "lvcreate", "lvconvert", "lvchange", "pvs", "vgs", "lvs")
_CHECKER = "thin_check"
_COLUMNS = ("--noheadings", "--separator", "|")


def _nothing() -> None:
    """What undoes a step that leaves nothing behind."""


@frozen
class Lvm:
    """The LVM of a machine."""

    machine: Machine

    def check_tools(self) -> None:
        """Raise `DmtuiError`, naming the packages, where a tool is missing."""
        missing = self.machine.programs.missing((*_TOOLS, _CHECKER))
        if not missing:
            return
        packages = [
            package
            for package, tools in (("lvm2", _TOOLS), ("thin-provisioning-tools", (_CHECKER,)))
            if set(tools) & set(missing)
        ]
        raise DmtuiError(
            "direct-lvm",
            f"needs {', '.join(missing)}, which this machine has not in PATH",
            f"install {' and '.join(packages)}, or make the pool otherwise (dm.thinpooldev, dm.datadev)",
        )

    def group_of(self, dev: DeviceNumber) -> str | None:
        """The volume group of a physical volume, empty where it is in none; None for what is no physical volume."""
        for name, group in self._rows("pvs", "pv_name,vg_name"):
            with suppress(MachineError):  # a volume whose device is missing has a stand-in for a name
                if self.machine.files.identify(name).rdev == dev:
                    return group
        return None

    def group_tags(self, name: str) -> frozenset[str] | None:
        """Tags of a volume group; None where there is none of that name."""
        for group, tags in self._rows("vgs", "vg_name,vg_tags"):
            if group == name:
                return frozenset(tags.split(",")) - {""}
        return None

    def volumes(self, group: str) -> frozenset[str]:
        """Names of the logical volumes in a volume group, those that LVM hides left out."""
        return frozenset(name for (name,) in self._rows("lvs", "lv_name", group))

    def is_monitored(self, volume: str) -> bool:
        """Whether LVM's daemon watches a volume (``VG/LV``), so that it is extended in time."""
        return any(word == "monitored" for (word,) in self._rows("lvs", "seg_monitor", volume))

    def signatures(self, device: str) -> list[str]:
        """What a device carries by its magic numbers: file systems, partition tables, members of RAIDs and others.

        The original asks blkid, whose exit status for "nothing found" is also that for "could not look".
        """
        output = self.run(("wipefs", "--noheadings", "--output", "TYPE", device))
        return list(dict.fromkeys(line.strip() for line in output.splitlines() if line.strip()))

    def run(self, arguments: tuple[str, ...]) -> str:
        """Run a tool; raises `MachineError` with its last words."""
        return self.machine.programs.run(arguments, seconds=SECONDS)

    def step(self, text: str, *arguments: str, undo: Callable[[], None] = _nothing) -> Step:
        """A step that runs a tool."""

        def act() -> None:
            self.run(arguments)

        return Step(text, act, shlex.join(arguments), undo)

    def _rows(self, tool: str, columns: str, *arguments: str) -> list[tuple[str, ...]]:
        output = self.run((tool, *_COLUMNS, "--options", columns, *arguments))
        return [tuple(field.strip() for field in line.split("|")) for line in output.splitlines() if line.strip()]

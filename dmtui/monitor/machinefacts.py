"""What a machine is made of: versions, programs and what is missing, loop devices, the graph directory. Asked for once.

Reading only; what cannot be told says why instead of stopping the rest.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from dataclasses import asdict, fields
from importlib import metadata
from typing import Any, TypeVar, cast

from dmtui.deviceset.graph import open_graph
from dmtui.deviceset.options import Options
from dmtui.deviceset.status import read_status
from dmtui.machine.protocols import Machine
from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.errors import DmtuiError
from dmtui.thinpool.values import frozen

FORMAT = 1
"""Version of the JSON form."""
_PROGRAMS: tuple[tuple[str, str, str, str], ...] = (
    ("mkfs.xfs", "makes xfs on the base device", "xfsprogs", "xfsprogs"),
    ("xfs_growfs", "grows xfs", "xfsprogs", "xfsprogs"),
    ("mkfs.ext4", "makes ext4 on the base device", "e2fsprogs", "e2fsprogs"),
    ("resize2fs", "grows ext4", "e2fsprogs", "e2fsprogs"),
    ("tune2fs", "turns periodic checks of ext4 off", "e2fsprogs", "e2fsprogs"),
    ("mkfs.btrfs", "makes btrfs on the base device", "btrfs-progs", "btrfs-progs"),
    ("thin_check", "checks a pool's metadata", "thin-provisioning-tools", "device-mapper-persistent-data"),
    ("thin_ls", "tells what a device has for itself", "thin-provisioning-tools", "device-mapper-persistent-data"),
    ("thin_dump", "prints a pool's metadata", "thin-provisioning-tools", "device-mapper-persistent-data"),
    ("thin_repair", "mends a pool's metadata", "thin-provisioning-tools", "device-mapper-persistent-data"),
    ("thin_trim", "discards what a pool has free", "thin-provisioning-tools", "device-mapper-persistent-data"),
    ("lvm", "makes a pool on a disk (direct-lvm)", "lvm2", "lvm2"),
    ("dmsetup", "does by hand what a plan shows", "dmsetup", "device-mapper"),
    ("fstrim", "gives back what file systems have free", "util-linux", "util-linux"),
)
"""Program, what it is for, its package in Debian, in Fedora."""
Answer = TypeVar("Answer")


@frozen
class ProgramFact:
    """A program that something here uses."""

    name: str
    purpose: str
    present: bool
    debian_package: str
    fedora_package: str


@frozen
class LoopFact:
    """A bound loop device.

    Attributes:
        file: its backing file; None where the kernel does not say.
        holders: the mapped devices that stand on it.
    """

    device: str
    dev: str
    file: str | None
    deleted: bool
    size_bytes: int
    read_only: bool
    autoclear: bool
    holders: tuple[str, ...] = ()


@frozen
class MachineFacts:
    """Everything that was told; None is unknown.

    Attributes:
        asked_at: seconds since the epoch.
        kind: ``kernel`` or ``emulated``.
        why: why this machine was chosen; empty where it was asked for by name.
        thin_pool_version: of the target; None while its module is not loaded.
        graph_state: what the graph directory is to us, in words.
        problems: what could not be told, a line each.
        notes: where they come from, if the machine cannot be asked: titles and what belongs to them.
    """

    asked_at: float
    kind: str
    description: str
    why: str = ""
    dmtui_version: str = ""
    textual_version: str = ""
    python_version: str = ""
    driver_version: str | None = None
    library_version: str | None = None
    thin_pool_version: str | None = None
    udev_sync: bool | None = None
    deferred_removal: bool | None = None
    programs: tuple[ProgramFact, ...] = ()
    loops: tuple[LoopFact, ...] = ()
    graph_directory: str = ""
    graph_state: str = ""
    problems: tuple[str, ...] = ()
    notes: tuple[tuple[str, str], ...] = ()

    @property
    def missing(self) -> tuple[ProgramFact, ...]:
        """The programs that are not there."""
        return tuple(program for program in self.programs if not program.present)

    def to_json(self) -> str:
        """One line of JSON that `from_json` reads back to equal facts."""
        return json.dumps({"format": FORMAT, **asdict(self)}, separators=(",", ":"))

    @classmethod
    def from_json(cls, line: str) -> MachineFacts:
        """Read what `to_json` wrote.

        Raises:
            ValueError: not such facts, or of another format.
        """
        found = json.loads(line)
        if not isinstance(found, dict) or cast("dict[str, Any]", found).pop("format", None) != FORMAT:
            raise ValueError("not the facts of a machine, or of another format")
        given = cast("dict[str, Any]", found)
        try:
            given["programs"] = tuple(_checked(ProgramFact(**each)) for each in given["programs"])
            loops: list[dict[str, Any]] = [{**each, "holders": tuple(each["holders"])} for each in given["loops"]]
            given["loops"] = tuple(_checked(LoopFact(**each)) for each in loops)
            given["problems"] = tuple(given["problems"])
            given["notes"] = tuple((str(title), str(text)) for title, text in given.get("notes", ()))
            return _checked(cls(**given))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not the facts of a machine: {error}") from None


_KINDS: dict[str, tuple[type, ...]] = {
    "float": (float, int),
    "int": (int,),
    "str": (str,),
    "bool": (bool,),
    "str | None": (str, type(None)),
    "bool | None": (bool, type(None)),
}


def _checked(facts: Answer) -> Answer:
    """The facts, if each field is of its kind: a file may be anybody's.

    Raises:
        TypeError: one is not.
    """
    for each in fields(cast("Any", facts)):
        value = getattr(facts, each.name)
        fits = isinstance(value, _KINDS.get(str(each.type), (tuple,)))
        if not fits or (each.type == "tuple[str, ...]" and not all(isinstance(text, str) for text in value)):
            raise TypeError(f"{each.name} cannot be {value!r}")
    return facts


class _Asking:
    """Asks one thing after the other; what fails is noted and leaves the rest alone."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def ask(self, question: Callable[[], Answer]) -> Answer | None:
        try:
            return question()
        except DmtuiError as error:
            self.problems.append(str(error))
            return None


def ask_machine(machine: Machine, graph_directory: str, options: Options, why: str, now: float) -> MachineFacts:
    """Ask a machine; takes as long as the machine does, so nobody calls it in a thread that must answer keys.

    Args:
        machine: the machine.
        graph_directory: of the session.
        options: of the session's device set.
        why: why this machine was chosen.
        now: seconds since the epoch.
    """
    asking, mapper = _Asking(), machine.device_mapper
    versions = asking.ask(mapper.versions)
    return MachineFacts(
        asked_at=now,
        kind=machine.kind,
        description=machine.description,
        why=why,
        dmtui_version=_version("dmtui"),
        textual_version=_version("textual"),
        python_version=platform.python_version(),
        driver_version=versions.driver if versions else None,
        library_version=versions.library if versions else None,
        thin_pool_version=versions.thin_pool if versions else None,
        udev_sync=asking.ask(mapper.udev_sync_supported),
        deferred_removal=asking.ask(mapper.deferred_removal_supported),
        programs=_programs(machine, asking),
        loops=_loops(machine, asking),
        graph_directory=graph_directory,
        graph_state=asking.ask(lambda: _graph_state(machine, graph_directory, options)) or "cannot be read",
        problems=tuple(asking.problems),
    )


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _programs(machine: Machine, asking: _Asking) -> tuple[ProgramFact, ...]:
    missing = asking.ask(lambda: machine.programs.missing([name for name, *_ in _PROGRAMS]))
    if missing is None:
        return ()
    return tuple(ProgramFact(name, why, name not in missing, deb, rpm) for name, why, deb, rpm in _PROGRAMS)


def _loops(machine: Machine, asking: _Asking) -> tuple[LoopFact, ...]:
    bound = asking.ask(machine.loops.list_bound) or ()
    holders: dict[DeviceNumber, list[str]] = {}
    if bound:
        for entry in asking.ask(machine.device_mapper.list_devices) or ():
            for beneath in asking.ask(lambda name=entry.name: machine.device_mapper.dependencies(name)) or ():
                holders.setdefault(beneath, []).append(entry.name)
    return tuple(
        LoopFact(
            loop.path,
            str(loop.dev),
            loop.backing_path,
            loop.deleted,
            loop.size_bytes,
            loop.read_only,
            loop.autoclear,
            tuple(sorted(holders.get(loop.dev, ()))),
        )
        for loop in bound
    )


def _graph_state(machine: Machine, directory: str, options: Options) -> str:
    report = read_status(machine, open_graph(machine.files, directory), options)
    return {
        "created": f"its pool {report.pool_name} is active, made by this device set",
        "existing": f"its pool {report.pool_name} is active",
        "external": f"it uses the pool {report.pool_name} of somebody else",
        "absent": f"its pool {report.pool_name} is not active",
    }.get(report.pool_origin, report.pool_origin)

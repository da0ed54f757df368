"""``dmtui emulator``: what a kernel and its users would do to the emulated machine."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from dmtui.cli.session import Session
from dmtui.thinpool.errors import BadUsageError, DmtuiError, ExitStatus
from dmtui.thinpool.sizes import SizeStyle, format_size, parse_size

if TYPE_CHECKING:
    from dmtui.machine.emulated import EmulatedMachine


def _emulated(session: Session) -> EmulatedMachine:
    from dmtui.machine.emulated import EmulatedMachine  # noqa: PLC0415 - needed by its verbs only

    if session.settings.machine == "kernel":
        raise BadUsageError("dmtui emulator", "drives the emulated machine only", "leave --machine kernel out")
    return EmulatedMachine.open(session.emulated_directory)


def _device_name(session: Session, machine: EmulatedMachine, name: str) -> str:
    """The device-mapper name for a name that may be the one within the graph directory."""
    from dmtui.deviceset.graph import open_graph  # noqa: PLC0415

    if name in {entry.name for entry in machine.device_mapper.list_devices()}:
        return name
    graph = session.settings.graph or str(session.emulated_directory.absolute() / "devicemapper")
    try:
        return open_graph(machine.files, graph).prefix.device_name("" if name == "base" else name)
    except DmtuiError:
        return name


def no_verb(session: Session, arguments: argparse.Namespace) -> int:
    """Say that a verb is missing."""
    raise BadUsageError("dmtui emulator", "needs a verb", "`dmtui emulator --help` lists them")


def write(session: Session, arguments: argparse.Namespace) -> int:
    """Write to an active thin device."""
    machine = _emulated(session)
    name = _device_name(session, machine, arguments.name)
    machine.write(name, offset_bytes=parse_size(arguments.offset), length_bytes=parse_size(arguments.length))
    return int(ExitStatus.DONE)


def discard(session: Session, arguments: argparse.Namespace) -> int:
    """Discard on an active thin device."""
    machine = _emulated(session)
    name = _device_name(session, machine, arguments.name)
    machine.discard(name, offset_bytes=parse_size(arguments.offset), length_bytes=parse_size(arguments.length))
    return int(ExitStatus.DONE)


def host_space(session: Session, arguments: argparse.Namespace) -> int:
    """Set the free space of the emulated host file system."""
    _emulated(session).set_host_space(parse_size(arguments.size))
    return int(ExitStatus.DONE)


def leak(session: Session, arguments: argparse.Namespace) -> int:
    """Let a process hold a device's mount in another mount namespace, and print its pid."""
    machine = _emulated(session)
    print(machine.leaks.begin(_device_name(session, machine, arguments.name)))
    return int(ExitStatus.DONE)


def unleak(session: Session, arguments: argparse.Namespace) -> int:
    """End a process that `leak` started."""
    _emulated(session).leaks.end(arguments.pid)
    return int(ExitStatus.DONE)


def fault(session: Session, arguments: argparse.Namespace) -> int:
    """Cause a trouble of a pool, or mend it."""
    machine = _emulated(session)
    pool = arguments.pool or _device_name(session, machine, "pool")
    if arguments.kind == "clear-needs-check":
        machine.faults.clear_needs_check(arguments.pool or f"{session.graph_directory}/devicemapper/metadata")
    else:
        causes = {
            "fail-metadata-write": machine.faults.fail_metadata_operation,
            "fail-pool": machine.faults.fail_pool,
            "expire-no-space-wait": machine.faults.expire_no_space_wait,
        }
        causes[arguments.kind](pool)
    return int(ExitStatus.DONE)


def reboot(session: Session, arguments: argparse.Namespace) -> int:
    """Forget what a kernel forgets."""
    _emulated(session).reboot()
    return int(ExitStatus.DONE)


def status(session: Session, arguments: argparse.Namespace) -> int:
    """Print what the emulated machine holds."""
    machine = _emulated(session)
    host = machine.host_space
    style = SizeStyle.SPACED
    lines = [
        f"directory: {session.emulated_directory}",
        f"host file system: {format_size(host.free_bytes, style)} free of {format_size(host.total_bytes, style)}",
    ]
    lines += [
        f"loop: {loop.path} on {loop.backing_path}{' (deleted)' if loop.deleted else ''}"
        for loop in machine.loops.list_bound()
    ]
    lines += [f"leak: process {leak.pid} holds {leak.device_name}" for leak in machine.leaks.list_held()]
    for entry in machine.device_mapper.list_devices():
        reading = machine.device_mapper.status(entry.name)
        lines += [f"device: {entry.name} ({entry.dev}) {target}" for target in reading.targets]
    print("\n".join(lines))
    return int(ExitStatus.DONE)

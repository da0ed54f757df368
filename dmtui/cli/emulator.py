"""``dmtui emulator``: what a kernel and its users would do to the emulated machine."""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dmtui.cli.session import Session
from dmtui.machine.errors import (
    DeviceMissingError,
    InvalidError,
    MachineError,
    NoSpaceError,
    TimedOutError,
    machine_error,
)
from dmtui.thinpool.errors import BadUsageError, DmtuiError, ExitStatus
from dmtui.thinpool.sizes import SizeStyle, format_size, parse_size
from dmtui.thinpool.units import SECTOR_BYTES

if TYPE_CHECKING:
    from dmtui.machine.emulated import EmulatedMachine


_PAUSE_SECONDS = 0.2


def emulated(session: Session, deadline_seconds: float | None = None) -> EmulatedMachine:
    """The emulated machine of a session, with the session's deadline unless another is given."""
    from dmtui.machine.emulated import EmulatedMachine  # noqa: PLC0415 - needed by its verbs only

    if session.settings.machine == "kernel":
        raise BadUsageError("dmtui emulator", "drives the emulated machine only", "leave --machine kernel out")
    seconds = session.settings.udev_timeout if deadline_seconds is None else deadline_seconds
    return EmulatedMachine.open(session.emulated_directory, seconds)


def changed(session: Session) -> EmulatedMachine:
    """The emulated machine, to be changed: refused where a session only reads."""
    if session.settings.read_only:
        raise BadUsageError("dmtui emulator", "changes the emulated machine", "leave --read-only out")
    return emulated(session)


def device_name(session: Session, machine: EmulatedMachine, name: str) -> str:
    """The device-mapper name for a name that may be the one within the graph directory.

    Raises:
        DeviceMissingError: no such device is active.
    """
    from dmtui.deviceset.graph import open_graph  # noqa: PLC0415

    active = {entry.name for entry in machine.device_mapper.list_devices()}
    if name in active:
        return name
    graph = session.settings.graph or str(session.emulated_directory.absolute() / "devicemapper")
    with suppress(DmtuiError):
        full = open_graph(machine.files, graph).prefix.device_name("" if name == "base" else name)
        if full in active:
            return full
    step = "`dmtui emulator status` lists what is active, `dmtui device activate` adds one that is recorded"
    raise DeviceMissingError(f"device {name}", "is not active, or there is none of that name", step)


def no_verb(session: Session, arguments: argparse.Namespace) -> int:
    """Say that a verb is missing."""
    raise BadUsageError("dmtui emulator", "needs a verb", "`dmtui emulator --help` lists them")


def read(session: Session, arguments: argparse.Namespace) -> int:
    """Read from an active device, and print how much there was: of content nothing is kept."""
    machine = emulated(session)
    name = device_name(session, machine, arguments.name)
    offset_bytes, length_bytes = _range(arguments)
    _refuse_pool(machine, name)
    got = machine.read(name, offset_bytes=offset_bytes, length_bytes=length_bytes)
    print(f"{format_size(got, SizeStyle.SPACED)} read")
    return int(ExitStatus.DONE)


def write(session: Session, arguments: argparse.Namespace) -> int:
    """Write to an active thin device, and wait for the end of it."""
    return _submit(session, arguments, "write")


def discard(session: Session, arguments: argparse.Namespace) -> int:
    """Discard on an active thin device, and wait for the end of it."""
    return _submit(session, arguments, "discard")


def _submit(session: Session, arguments: argparse.Namespace, kind: str) -> int:
    if not arguments.wait >= 0:
        raise BadUsageError("option --wait", f"does not take {arguments.wait:g}", "it takes a number of seconds from 0")
    machine = changed(session)
    name = device_name(session, machine, arguments.name)
    asked = _range(arguments)
    _refuse_pool(machine, name)
    try:
        held = machine.queue.submit(name, kind, asked)
    except (NoSpaceError, InvalidError) as error:
        raise (_past_the_end(machine, name, kind, asked) or error) from None
    if held is None:
        return int(ExitStatus.DONE)
    number, why = held
    print(f"dmtui: {why}", file=sys.stderr)
    give_up_at = time.monotonic() + arguments.wait
    while (error := machine.queue.ended(number)) is None:
        if time.monotonic() >= give_up_at:
            happened = f"its {kind} number {number} still waits after {arguments.wait:g} s, and goes on by itself"
            raise TimedOutError(f"device {name}", happened, "`dmtui emulator status` tells whether it waits")
        time.sleep(min(_PAUSE_SECONDS, arguments.wait))
    if error:
        raise machine_error(error, f"device {name}", f"its {kind} number {number}, which waited,")
    return int(ExitStatus.DONE)


def _range(arguments: argparse.Namespace) -> tuple[int, int]:
    """Offset and length in bytes.

    Raises:
        BadUsageError: there is nothing between them.
    """
    offset_bytes, length_bytes = parse_size(arguments.offset), parse_size(arguments.length)
    if not length_bytes:
        raise BadUsageError("option --length", f"does not take {arguments.length}", "it takes a size, such as 10M")
    return offset_bytes, length_bytes


def _refuse_pool(machine: EmulatedMachine, name: str) -> None:
    """Refuse a pool, which has no content of its own.

    Raises:
        BadUsageError: it is one.
    """
    if any(target.type == "thin-pool" for target in machine.device_mapper.table(name).targets):
        raise BadUsageError(f"device {name}", "is a pool, which has no content of its own", "name a thin device of it")


def _past_the_end(machine: EmulatedMachine, name: str, kind: str, asked: tuple[int, int]) -> MachineError | None:
    """What is to be said where it ends behind the device; None where it does not."""
    targets = machine.device_mapper.table(name).targets
    size_bytes = sum(target.length_sectors for target in targets) * SECTOR_BYTES
    end_bytes = sum(asked)
    if end_bytes <= size_bytes:
        return None
    size, end = (format_size(each, SizeStyle.SPACED) for each in (size_bytes, end_bytes))
    done = (
        "only what lies before its end can be written"
        if kind == "write" and asked[0] < size_bytes
        else "nothing was done"
    )
    happened = f"has {size} ({size_bytes} bytes), and the {kind} would end at {end} ({end_bytes}); {done}"
    return InvalidError(f"device {name}", happened, f"let --offset and --length together be {size_bytes} at most")


def host_space(session: Session, arguments: argparse.Namespace) -> int:
    """Set the free space of the emulated host file system."""
    changed(session).set_host_space(parse_size(arguments.size))
    return int(ExitStatus.DONE)


def leak(session: Session, arguments: argparse.Namespace) -> int:
    """Let a process hold a device's mount in another mount namespace, and print its pid."""
    machine = changed(session)
    print(machine.leaks.begin(device_name(session, machine, arguments.name)))
    return int(ExitStatus.DONE)


def unleak(session: Session, arguments: argparse.Namespace) -> int:
    """End a process that `leak` started."""
    changed(session).leaks.end(arguments.pid)
    return int(ExitStatus.DONE)


def clock(session: Session, arguments: argparse.Namespace) -> int:
    """Print what the emulated machine's clock shows, or set it."""
    if (arguments.seconds is not None) != (arguments.act == "step"):
        raise BadUsageError("dmtui emulator clock", "takes SECONDS with `step` only", "`clock step 60`, for one")
    if arguments.seconds is not None and not arguments.seconds >= 0:
        raise BadUsageError("argument SECONDS", f"does not take {arguments.seconds:g}", "time only goes forward")
    if arguments.act == "show":
        read = emulated(session).clock.read()
        moment = datetime.fromtimestamp(read.seconds, UTC).isoformat(" ", "milliseconds")
        print(f"{moment}, {'stands still' if read.frozen else 'runs'}")
        return int(ExitStatus.DONE)
    machine = changed(session)
    acts = {
        "step": lambda: machine.clock.step(arguments.seconds),
        "freeze": machine.clock.freeze,
        "run": machine.clock.run,
    }
    acts[arguments.act]()
    return int(ExitStatus.DONE)


def no_space_timeout(session: Session, arguments: argparse.Namespace) -> int:
    """Print how long writers of a full pool wait, or set it."""
    if arguments.seconds is None:
        print(emulated(session).clock.no_space_timeout_seconds())
    elif arguments.seconds < 0:
        raise BadUsageError("argument SECONDS", f"does not take {arguments.seconds}", "0 lets them wait for ever")
    else:
        changed(session).clock.set_no_space_timeout(arguments.seconds)
    return int(ExitStatus.DONE)


def log(session: Session, arguments: argparse.Namespace) -> int:
    """Print what the emulated kernel has said since it booted, as ``dmesg`` does."""
    print("".join(f"{line}\n" for line in emulated(session).kernel_log.read()), end="")
    return int(ExitStatus.DONE)


def hold(session: Session, arguments: argparse.Namespace) -> int:
    """Let a process hold a device, and print its pid."""
    machine = changed(session)
    name = device_name(session, machine, arguments.name)
    print(machine.holders.begin(name, arguments.how, arguments.command_name))
    return int(ExitStatus.DONE)


def release(session: Session, arguments: argparse.Namespace) -> int:
    """End a process that `hold` or `leak` started."""
    changed(session).holders.end(arguments.pid)
    return int(ExitStatus.DONE)


def processes(session: Session, arguments: argparse.Namespace) -> int:
    """Print the processes that hold something."""
    print("".join(f"{holder.text}\n" for holder in emulated(session).holders.list_all()), end="")
    return int(ExitStatus.DONE)


def umount(session: Session, arguments: argparse.Namespace) -> int:
    """Unmount a directory, as somebody on the machine would."""
    changed(session).filesystems.unmount(arguments.directory, lazy=arguments.lazy)
    return int(ExitStatus.DONE)


def reboot(session: Session, arguments: argparse.Namespace) -> int:
    """Forget what a kernel forgets."""
    changed(session).reboot()
    return int(ExitStatus.DONE)


def power_cut(session: Session, arguments: argparse.Namespace) -> int:
    """Forget that, and what no pool has committed."""
    changed(session).power_cut()
    return int(ExitStatus.DONE)


def status(session: Session, arguments: argparse.Namespace) -> int:
    """Print what the emulated machine holds; of a device that hangs, that it does."""
    machine = emulated(session, deadline_seconds=0.0)
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
    lines += [f"fault: {outage.text}" for outage in machine.outages.list_active()]
    lines += [
        f"waiting: {io.kind} number {io.number} of {name}, {format_size(io.bytes_left, style)} left"
        for name, io in machine.queue.list_waiting()
    ]
    lines += [holder.text for holder in machine.holders.list_all()]
    for entry in machine.device_mapper.list_devices():
        try:
            targets = [str(target) for target in machine.device_mapper.status(entry.name).targets]
        except TimedOutError:
            targets = ["hangs"]
        lines += [f"device: {entry.name} ({entry.dev}) {target}" for target in targets]
    print("\n".join(lines))
    return int(ExitStatus.DONE)

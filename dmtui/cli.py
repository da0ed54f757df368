"""The command line: reads the words, opens the machine, prints, and turns errors into one line and a status."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

from dmtui import __version__
from dmtui.machine.choose import choose_machine, default_emulated_directory
from dmtui.machine.protocols import Machine
from dmtui.settings import MACHINES, Settings, load_settings
from dmtui.thinpool.errors import BadUsageError, DmtuiError, ExitStatus
from dmtui.thinpool.sizes import SizeStyle, format_size, parse_size
from dmtui.thinpool.text import printable

if TYPE_CHECKING:
    from dmtui.machine.emulated import EmulatedMachine

_DEFAULT_GRAPH = "/var/lib/dmtui/devicemapper"
_SETTINGS = ("machine", "emulated_dir", "graph", "storage_opt", "read_only", "interval")


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        raise BadUsageError(self.prog, message, f"`{self.prog} --help` lists what there is")


class _Session:
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
            choice = choose_machine(self.settings.machine, self.emulated_directory)
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


def main(words: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status (DESIGN.md section 5)."""
    try:
        arguments = _parser().parse_args(words)
        session = _Session(arguments)
        try:
            command = cast("Callable[[_Session, argparse.Namespace], int]", arguments.command)
            status = command(session, arguments)
        finally:
            session.close()
        sys.stdout.flush()
    except DmtuiError as error:
        print(f"dmtui: {error}", file=sys.stderr)
        return int(error.exit_status)
    except BrokenPipeError:
        # Whoever read us has gone: what is still buffered must not raise again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitStatus.DONE)
    except KeyboardInterrupt:
        return 130
    return status


def _parser() -> argparse.ArgumentParser:
    shared = _Parser(add_help=False)
    unset = argparse.SUPPRESS  # so that an option may stand before or behind the command
    for option, metavar, text in (
        ("--emulated-dir", "DIR", "directory of the emulated machine"),
        ("--graph", "DIR", "graph directory; Docker's is /var/lib/docker/devicemapper"),
    ):
        shared.add_argument(option, metavar=metavar, default=unset, help=text)
    which = "which machine; auto takes the kernel where it has device-mapper"
    shared.add_argument("--machine", choices=MACHINES, default=unset, help=which)
    opt = "storage option in the original's syntax, repeatable"
    shared.add_argument("--storage-opt", metavar="dm.KEY=VALUE", action="append", default=unset, help=opt)
    shared.add_argument("--read-only", action="store_true", default=unset, help="offer no action that changes anything")
    parser = _Parser(
        prog="dmtui",
        description="Dashboard and device-set engine for device-mapper thin pools. Without a command: the dashboard.",
        parents=[shared],
    )
    parser.add_argument("--version", action="version", version=f"dmtui {__version__}")
    parser.add_argument("--interval", type=float, default=argparse.SUPPRESS, help="seconds between polls")
    parser.add_argument("--ascii", action="store_true", help="draw with ASCII signs only")
    parser.set_defaults(command=_dashboard)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=_Parser)

    def command(name: str, run: Callable[[_Session, Any], int], text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text, parents=[shared])
        sub.set_defaults(command=run)
        return sub

    info = command("info", _info, "the status block of the graph directory's pool")
    info.add_argument("--format", choices=("text", "docker", "json"), default="text")
    pools = command("pools", _pools, "every thin pool of the machine, whoever owns it")
    pools.add_argument("--format", choices=("table", "json"), default="table")
    watch = command("watch", _watch, "one line a sample, for pipes, logs and screen readers")
    watch.add_argument("--count", type=int, metavar="N", help="stop after N samples")
    watch.add_argument("--interval", type=float, default=argparse.SUPPRESS, metavar="S", help="seconds between samples")
    watch.add_argument("--format", choices=("text", "json"), default="text")
    _add_emulator(
        command("emulator", _emulator_help, "what a kernel and its users would do to the emulated machine"), shared
    )
    return parser


def _add_emulator(parser: argparse.ArgumentParser, shared: _Parser) -> None:
    verbs = parser.add_subparsers(title="what to do", metavar="VERB", parser_class=_Parser)

    def verb(name: str, run: Callable[[_Session, Any], int], text: str) -> argparse.ArgumentParser:
        sub = verbs.add_parser(name, help=text, description=text, parents=[shared])
        sub.set_defaults(command=run)
        return sub

    for name, run, text in (
        ("write", _emulator_write, "write to an active thin device"),
        ("discard", _emulator_discard, "discard on an active thin device"),
    ):
        sub = verb(name, run, text)
        sub.add_argument("name", metavar="NAME", help="device-mapper name, or the name within the graph directory")
        sub.add_argument("--offset", required=True, metavar="SIZE", help="where to begin, such as 1G")
        sub.add_argument("--length", required=True, metavar="SIZE", help="how much, such as 200M")
    space = verb("host-space", _emulator_host_space, "set the free space of the emulated host file system")
    space.add_argument("size", metavar="SIZE")
    verb("reboot", _emulator_reboot, "forget what a kernel forgets")
    verb("status", _emulator_status, "what the emulated machine holds")


def _dashboard(session: _Session, arguments: argparse.Namespace) -> int:
    # Textual draws on standard error: it needs all three.
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        raise BadUsageError("dashboard", "needs a terminal", "use `dmtui watch` or `dmtui pools` in pipes")
    machine = session.machine
    banner = session.reason
    if machine.kind == "emulated":
        banner = _populate_if_fresh(session, machine) or banner
    # Imported here: the other commands must not pay for the dashboard's start.
    from dmtui.monitor.discover import Discoverer  # noqa: PLC0415
    from dmtui.tui.app import DashboardApp  # noqa: PLC0415

    app = DashboardApp(
        Discoverer(machine).take,
        interval_seconds=session.settings.interval,
        read_only=session.settings.read_only,
        banner=banner,
        ascii=arguments.ascii,
    )
    app.run()
    return app.return_code or int(ExitStatus.DONE)


def _populate_if_fresh(session: _Session, machine: Machine) -> str:
    from dmtui.lab.starter import populate  # noqa: PLC0415
    from dmtui.machine.emulated import EmulatedMachine  # noqa: PLC0415

    if isinstance(machine, EmulatedMachine) and machine.is_new:
        populate(machine, session.graph_directory)
        return session.reason or f"emulated machine, newly made and populated in {session.emulated_directory}"
    return ""


def _info(session: _Session, arguments: argparse.Namespace) -> int:
    from dmtui.deviceset import infoformats  # noqa: PLC0415
    from dmtui.deviceset.graph import open_graph  # noqa: PLC0415
    from dmtui.deviceset.options import parse_options  # noqa: PLC0415
    from dmtui.deviceset.status import absent_error, failed_error, read_status  # noqa: PLC0415

    options = parse_options(session.settings.storage_opt)
    report = read_status(session.machine, open_graph(session.machine.files, session.graph_directory), options)
    forms = {"text": infoformats.format_text, "docker": infoformats.format_docker, "json": infoformats.format_json}
    if report.pool_origin != "absent" or arguments.format == "json":
        sys.stdout.write(forms[arguments.format](report))
    if report.pool_origin == "absent":
        raise absent_error(report)
    if arguments.format != "text":
        for finding in report.findings:
            print(f"dmtui: pool {printable(f'{report.pool_name}: {finding}')}", file=sys.stderr)
    if report.failed:
        raise failed_error(report)
    return int(ExitStatus.DONE)


def _pools(session: _Session, arguments: argparse.Namespace) -> int:
    from dmtui.monitor.discover import Discoverer  # noqa: PLC0415
    from dmtui.monitor.poolformats import pools_json, pools_table  # noqa: PLC0415

    sample = Discoverer(session.machine).take()
    sys.stdout.write(pools_json(sample) if arguments.format == "json" else pools_table(sample))
    for problem in sample.problems:
        print(f"dmtui: {printable(problem)}", file=sys.stderr)
    return int(ExitStatus.FAILED if sample.problems else ExitStatus.DONE)


def _watch(session: _Session, arguments: argparse.Namespace) -> int:
    from dmtui.monitor.discover import Discoverer  # noqa: PLC0415
    from dmtui.monitor.poolformats import watch_line  # noqa: PLC0415

    if arguments.count is not None and arguments.count < 1:
        raise BadUsageError("option --count", f"does not take {arguments.count}", "it takes a number from 1")
    discoverer = Discoverer(session.machine)
    taken = 0
    while arguments.count is None or taken < arguments.count:
        if taken:
            time.sleep(session.settings.interval)
        sample = discoverer.take()
        sys.stdout.write(sample.to_json() + "\n" if arguments.format == "json" else watch_line(sample))
        sys.stdout.flush()
        taken += 1
    return int(ExitStatus.DONE)


def _emulated(session: _Session) -> EmulatedMachine:
    from dmtui.machine.emulated import EmulatedMachine  # noqa: PLC0415 - needed by its verbs only

    if session.settings.machine == "kernel":
        raise BadUsageError("dmtui emulator", "drives the emulated machine only", "leave --machine kernel out")
    return EmulatedMachine.open(session.emulated_directory)


def _device_name(session: _Session, machine: EmulatedMachine, name: str) -> str:
    """The device-mapper name for a name that may be the one within the graph directory."""
    from dmtui.deviceset.graph import open_graph  # noqa: PLC0415

    if name in {entry.name for entry in machine.device_mapper.list_devices()}:
        return name
    graph = session.settings.graph or str(session.emulated_directory.absolute() / "devicemapper")
    try:
        return open_graph(machine.files, graph).prefix.device_name("" if name == "base" else name)
    except DmtuiError:
        return name


def _emulator_help(session: _Session, arguments: argparse.Namespace) -> int:
    raise BadUsageError("dmtui emulator", "needs a verb", "`dmtui emulator --help` lists them")


def _emulator_write(session: _Session, arguments: argparse.Namespace) -> int:
    machine = _emulated(session)
    name = _device_name(session, machine, arguments.name)
    machine.write(name, offset_bytes=parse_size(arguments.offset), length_bytes=parse_size(arguments.length))
    return int(ExitStatus.DONE)


def _emulator_discard(session: _Session, arguments: argparse.Namespace) -> int:
    machine = _emulated(session)
    name = _device_name(session, machine, arguments.name)
    machine.discard(name, offset_bytes=parse_size(arguments.offset), length_bytes=parse_size(arguments.length))
    return int(ExitStatus.DONE)


def _emulator_host_space(session: _Session, arguments: argparse.Namespace) -> int:
    _emulated(session).set_host_space(parse_size(arguments.size))
    return int(ExitStatus.DONE)


def _emulator_reboot(session: _Session, arguments: argparse.Namespace) -> int:
    _emulated(session).reboot()
    return int(ExitStatus.DONE)


def _emulator_status(session: _Session, arguments: argparse.Namespace) -> int:
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
    for entry in machine.device_mapper.list_devices():
        reading = machine.device_mapper.status(entry.name)
        lines += [f"device: {entry.name} ({entry.dev}) {target}" for target in reading.targets]
    print("\n".join(lines))
    return int(ExitStatus.DONE)

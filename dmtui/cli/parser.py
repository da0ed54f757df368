"""The words of the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Sequence
from importlib import import_module
from typing import Any, NamedTuple, NoReturn

from dmtui import __version__
from dmtui.cli import faults
from dmtui.cli.session import Session
from dmtui.settings import MACHINES
from dmtui.thinpool.errors import BadUsageError


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print and exit on."""
        raise BadUsageError(self.prog, message, f"`{self.prog} --help` lists what there is")


class Collect(argparse.Action):
    """Collects the values of an option, those before the command and those behind it (argparse forgets the former)."""

    _collected: tuple[str, ...] = ()

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Add a value."""
        self._collected = (*self._collected, str(values))
        setattr(namespace, self.dest, self._collected)


class CommandAt(NamedTuple):
    """A command by where it is, ``MODULE.NAME`` in this package: read when it runs, as none is to wait for the others.

    Attributes:
        place: where it is.
    """

    place: str

    @property
    def function(self) -> Callable[[Session, argparse.Namespace], int]:
        """What runs."""
        module, _, name = self.place.partition(".")
        return getattr(import_module(f"dmtui.cli.{module}"), name)

    def __call__(self, session: Session, arguments: argparse.Namespace) -> int:
        """Run it; returns the exit status."""
        return self.function(session, arguments)


def build_parser(words: Collection[str] | None = None) -> argparse.ArgumentParser:
    """Every command with its options; each sets `command`, the function that runs it.

    Args:
        words: that will be parsed: only the commands among them get their own verbs (None: all of them do).
    """
    shared = Parser(add_help=False)
    unset = argparse.SUPPRESS  # so that an option may stand before or behind the command
    for option, metavar, text in (
        ("--emulated-dir", "DIR", "directory of the emulated machine"),
        ("--graph", "DIR", "graph directory; Docker's is /var/lib/docker/devicemapper"),
    ):
        shared.add_argument(option, metavar=metavar, default=unset, help=text)
    which = "which machine; auto takes the kernel where it has device-mapper"
    shared.add_argument("--machine", choices=MACHINES, default=unset, help=which)
    opt = "storage option in the original's syntax, repeatable"
    shared.add_argument("--storage-opt", metavar="dm.KEY=VALUE", action=Collect, default=unset, help=opt)
    busy = "how long a busy device is tried (default: 20)"
    shared.add_argument("--busy-timeout", type=float, metavar="SECONDS", default=unset, help=busy)
    udev = "how long device-mapper and udev may take over one change (default: 30)"
    shared.add_argument("--udev-timeout", type=float, metavar="SECONDS", default=unset, help=udev)
    shared.add_argument("--read-only", action="store_true", default=unset, help="offer no action that changes anything")
    far = _far()
    parser = Parser(
        prog="dmtui",
        description="Dashboard and device-set engine for device-mapper thin pools. Without a command: the dashboard.",
        parents=[shared, far],
    )
    parser.add_argument("--version", action="version", version=f"dmtui {__version__}")
    parser.add_argument("--interval", type=float, default=argparse.SUPPRESS, help="seconds between polls")
    parser.add_argument("--ascii", action="store_true", help="draw with ASCII signs only")
    parser.set_defaults(command=CommandAt("reading.dashboard"))
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser)

    def command(name: str, run: str, text: str) -> argparse.ArgumentParser:
        parents = [shared] if name == "serve" else [shared, far]
        sub = commands.add_parser(name, help=text, description=text, parents=parents)
        sub.set_defaults(command=CommandAt(run))
        return sub

    info = command("info", "reading.info", "the status block of the graph directory's pool")
    info.add_argument("--format", choices=("text", "docker", "json"), default="text")
    listing = command("pools", "reading.pools", "every thin pool of the machine, whoever owns it")
    listing.add_argument("--format", choices=("table", "json"), default="table")
    watch = command("watch", "reading.watch", "one line a sample, for pipes, logs and screen readers")
    watch.add_argument("--count", type=int, metavar="N", help="stop after N samples")
    watch.add_argument("--interval", type=float, default=argparse.SUPPRESS, metavar="S", help="seconds between samples")
    watch.add_argument("--format", choices=("text", "json"), default="text")
    recording = command("record", "recordings.record", "samples to a file, until it is interrupted")
    recording.add_argument("file", metavar="FILE", help="compressed when its name ends in .gz")
    recording.add_argument("--count", type=int, metavar="N", help="stop after N samples")
    recording.add_argument("--interval", type=float, default=unset, metavar="S", help="seconds between samples")
    recording.add_argument("--force", action="store_true", help="write over a file that is there")
    playing = command("replay", "recordings.replay", "the dashboard over a recording, or its samples as lines")
    playing.add_argument("file", metavar="FILE")
    playing.add_argument("--format", choices=("text",), help="print a line a sample instead")
    playing.add_argument("--interval", type=float, default=unset, metavar="S", help="seconds between pictures")
    _add_groups(command, Parser(add_help=False, parents=[shared, far]), words)
    return parser


def _far() -> Parser:
    """The options for machines that are watched over ssh; apart, as the server of the browser has its own --host."""
    far, unset = Parser(add_help=False), argparse.SUPPRESS
    host = "watch this machine over ssh, read-only: [USER@]NAME, or @GROUP of the configuration; repeatable"
    far.add_argument("--host", dest="far_hosts", metavar="HOST", action=Collect, default=unset, help=host)
    calls = "what calls dmtui on those machines (default: dmtui), such as 'sudo -n dmtui'"
    far.add_argument("--remote-command", metavar="WORDS", default=unset, help=calls)
    return far


def _add_groups(
    command: Callable[[str, str, str], argparse.ArgumentParser], shared: Parser, words: Collection[str] | None
) -> None:
    """The commands with many options, and those with verbs of their own: forty, which only who uses them waits for."""
    _add_serve(command("serve", "serving.serve", "the dashboard in a browser, read-only unless told otherwise"))
    _add_demo(command("demo", "demo.demo", "a guided demonstration on an emulated machine of its own"))
    for name, run, text, add_verbs in (
        ("device", "devices.no_verb", "the engine, one device", _add_devices),
        ("pool", "pools.no_verb", "the engine, the pool of the graph directory", _add_pool),
        ("emulator", "emulator.no_verb", "what a kernel and its users would do to the emulated machine", _add_emulator),
    ):
        sub = command(name, run, text)
        if words is None or name in words:
            add_verbs(sub, shared)


def _add_serve(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "Prints the address to open; its token lets in one browser, once, and the next address is printed then. From "
        "another machine, use a tunnel: `ssh -L 8000:127.0.0.1:8000 HOST`, and open the printed address there."
    )
    parser.add_argument("--host", default="127.0.0.1", help="where to listen (default: 127.0.0.1); no TLS is spoken")
    parser.add_argument("--port", type=int, default=8000, help="TCP port (default: 8000); 0 takes a free one")
    parser.add_argument("--allow-changes", action="store_true", help="offer the actions that change something, too")
    parser.add_argument("--sessions", type=int, default=8, metavar="N", help="browsers at a time (default: 8)")
    allow = "a further name that browsers call it by, such as a TLS proxy's; repeatable"
    parser.add_argument("--allow-host", metavar="NAME", action="append", default=[], help=allow)
    unset = argparse.SUPPRESS
    parser.add_argument("--interval", type=float, default=unset, metavar="S", help="seconds between polls")
    parser.add_argument("--ascii", action="store_true", default=unset, help="draw with ASCII signs only")


def _add_demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scenario", nargs="?", metavar="SCENARIO", help="which one (default: choose from all)")
    parser.add_argument("--list", action="store_true", help="list them all")
    parser.add_argument("--headless", action="store_true", help="play it to its end and print what happened")
    parser.add_argument("--speed", type=float, default=1.0, metavar="N", help="so many times as fast (default: 1)")
    parser.add_argument("--keep", metavar="DIR", help="make the machine there, in an empty directory, and keep it")


def _add_emulator(parser: argparse.ArgumentParser, shared: Parser) -> None:
    verbs = parser.add_subparsers(title="what to do", metavar="VERB", parser_class=Parser)

    def verb(name: str, run: str, text: str) -> argparse.ArgumentParser:
        sub = verbs.add_parser(name, help=text, description=text, parents=[shared])
        sub.set_defaults(command=CommandAt(run))
        return sub

    for name, run, text in (
        ("write", "emulator.write", "write to an active thin device"),
        ("discard", "emulator.discard", "discard on an active thin device"),
        ("read", "emulator.read", "read from an active device: whether it can be read"),
    ):
        sub = verb(name, run, text)
        sub.add_argument("name", metavar="NAME", help="device-mapper name, or the name within the graph directory")
        sub.add_argument("--offset", required=True, metavar="SIZE", help="where to begin, such as 1G")
        sub.add_argument("--length", required=True, metavar="SIZE", help="how much, such as 200M")
        if name != "read":
            wait = "how long to wait for one that is held: no space, a suspended device (default: 75)"
            sub.add_argument("--wait", type=float, metavar="SECONDS", default=75.0, help=wait)
    space = verb("host-space", "emulator.host_space", "set the free space of the emulated host file system")
    space.add_argument("size", metavar="SIZE")
    leaking = verb("leak", "emulator.leak", "let a process hold a device's mount in another namespace; prints its pid")
    leaking.add_argument("name", metavar="NAME", help="device-mapper name, or the name within the graph directory")
    verb("unleak", "emulator.unleak", "end such a process").add_argument("pid", metavar="PID", type=int)
    holding = verb("hold", "emulator.hold", "let a process hold a device in one of four ways; prints its pid")
    holding.add_argument("name", metavar="NAME", help="device-mapper name, or the name within the graph directory")
    how = "a mount in its own namespace, an open file or its working directory on the mounted device, or the node"
    holding.add_argument("--how", choices=("mount", "file", "cwd", "device"), default="mount", help=how)
    holding.add_argument("--command", dest="command_name", default="sleep", metavar="WORD", help="what it is called")
    verb("release", "emulator.release", "end such a process").add_argument("pid", metavar="PID", type=int)
    verb("processes", "emulator.processes", "the processes that hold something, and how")
    unmounting = verb("umount", "emulator.umount", "unmount a directory; refused while a process holds something of it")
    unmounting.add_argument("directory", metavar="DIRECTORY")
    unmounting.add_argument("--lazy", action="store_true", help="from the tree now, from the device when it is let go")
    failing = verb("fault", "faults.fault", "let something fail once or from now on, mend it, list what fails")
    failing.epilog = faults.HELP
    failing.formatter_class = argparse.RawDescriptionHelpFormatter
    failing.add_argument("kind", choices=faults.KINDS, metavar="KIND", help="one of those below")
    failing.add_argument("subject", nargs="?", metavar="NAME", help="default: the graph directory's pool")
    failing.add_argument("--off", action="store_true", help="mend it; without NAME all of that kind")
    failing.add_argument("--seconds", type=float, metavar="S", help="how long udev takes (default: 5)")
    clock = verb("clock", "emulator.clock", "show the machine's clock, put it forward, stop it or let it run")
    clock.add_argument("act", nargs="?", choices=("show", "step", "freeze", "run"), default="show")
    clock.add_argument("seconds", nargs="?", type=float, metavar="SECONDS", help="how far `step` puts it forward")
    timeout = verb("no-space-timeout", "emulator.no_space_timeout", "how long writers of a full pool wait, or set it")
    timeout.add_argument("seconds", nargs="?", type=int, metavar="SECONDS", help="0 for ever; default: 60")
    verb("log", "emulator.log", "what its kernel has said since it booted, as dmesg prints it")
    verb("reboot", "emulator.reboot", "forget what a kernel forgets")
    verb("power-cut", "emulator.power_cut", "reboot without a shutdown: what no pool has committed is lost, too")
    verb("status", "emulator.status", "what the emulated machine holds")


def _add_devices(parser: argparse.ArgumentParser, shared: Parser) -> None:
    verbs = parser.add_subparsers(title="what to do", metavar="VERB", dest="verb", parser_class=Parser)

    def verb(name: str, run: str, text: str) -> argparse.ArgumentParser:
        sub = verbs.add_parser(name, help=text, description=text, parents=[shared])
        sub.set_defaults(command=CommandAt(run), group="device")
        return sub

    changing = (
        ("create", "devices.create", "create a device, empty from the base or a snapshot of a parent"),
        ("activate", "devices.activate", "activate a device"),
        ("deactivate", "devices.deactivate", "deactivate a device"),
        ("mount", "devices.mount", "mount a device below the graph directory, counted"),
        (
            "unmount",
            "devices.unmount",
            "end one use of a mounted device; the last one unmounts and deactivates it",
        ),
        ("remove", "devices.remove", "remove a device and its data"),
    )
    for name, run, text in changing:
        sub = verb(name, run, text)
        sub.add_argument("name", metavar="NAME", help="name within the graph directory, such as base or web")
        sub.add_argument("--dry-run", action="store_true", help="print the plan and change nothing")
        if name == "create":
            sub.add_argument("--parent", metavar="NAME", help="whose snapshot it becomes (default: the base device)")
            sub.add_argument("--size", metavar="SIZE", help="its size, at least the parent's (default: the parent's)")
        if name == "deactivate":
            sub.add_argument("--deferred", action="store_true", help="as soon as nobody has it open")
    listing = verb("list", "devices.list_devices", "list the recorded devices")
    listing.add_argument("--format", choices=("table", "json"), default="table")
    showing = verb("show", "devices.show", "show one device")
    showing.add_argument("name", metavar="NAME")
    showing.add_argument("--format", choices=("text", "json"), default="text")


def _add_pool(parser: argparse.ArgumentParser, shared: Parser) -> None:
    verbs = parser.add_subparsers(title="what to do", metavar="VERB", dest="verb", parser_class=Parser)

    def verb(name: str, run: str, text: str) -> argparse.ArgumentParser:
        sub = verbs.add_parser(name, help=text, description=text, parents=[shared])
        sub.set_defaults(command=CommandAt(run), group="pool")
        sub.add_argument("--dry-run", action="store_true", help="print the plan and change nothing")
        return sub

    verb("create", "pools.create", "make the pool and its base device, or bring an existing one into use")
    extending = verb("extend", "pools.extend", "more data or metadata space, while the pool is used")
    extending.add_argument("--data", metavar="SIZE", help="data size wanted, in all, such as 200G")
    extending.add_argument("--metadata", metavar="SIZE", help="metadata size wanted, in all, at most 16 GiB")
    verb("trim", "pools.trim", "give back what is free: in mounted devices, or of a pool at rest to its host")
    removing = verb("remove", "pools.remove", "take the pool down; its files and data stay")
    removing.add_argument(
        "--force", action="store_true", help="as far as possible while others hold devices; lose a deleted file"
    )
    checking = verb(
        "check",
        "pools.check",
        "thin_check, of a pool in use through a metadata snapshot; status 1 where it finds harm",
    )
    clear = "of a pool that is down: take the mark needs_check away where all is sound"
    checking.add_argument("--clear-needs-check", action="store_true", help=clear)
    comparing = verb("reconcile", "pools.reconcile", "compare records, the pool's own list and the active devices")
    comparing.add_argument("--apply", action="store_true", help="clear away what is left over, without loss")
    comparing.add_argument("--delete-orphans", action="store_true", help="delete thin ids that no record claims, too")
    comparing.add_argument("--format", choices=("text", "json"), default="text")
    verb("reap", "pools.reap", "try to delete the devices that were busy when they were removed")

"""The words of the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NoReturn

from dmtui import __version__
from dmtui.cli import devices, emulator, reading
from dmtui.cli.session import Session
from dmtui.settings import MACHINES
from dmtui.thinpool.errors import BadUsageError


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print and exit on."""
        raise BadUsageError(self.prog, message, f"`{self.prog} --help` lists what there is")


def build_parser() -> argparse.ArgumentParser:
    """Every command with its options; each sets `command`, the function that runs it."""
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
    shared.add_argument("--storage-opt", metavar="dm.KEY=VALUE", action="append", default=unset, help=opt)
    shared.add_argument("--read-only", action="store_true", default=unset, help="offer no action that changes anything")
    parser = Parser(
        prog="dmtui",
        description="Dashboard and device-set engine for device-mapper thin pools. Without a command: the dashboard.",
        parents=[shared],
    )
    parser.add_argument("--version", action="version", version=f"dmtui {__version__}")
    parser.add_argument("--interval", type=float, default=argparse.SUPPRESS, help="seconds between polls")
    parser.add_argument("--ascii", action="store_true", help="draw with ASCII signs only")
    parser.set_defaults(command=reading.dashboard)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser)

    def command(name: str, run: Callable[[Session, Any], int], text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text, parents=[shared])
        sub.set_defaults(command=run)
        return sub

    info = command("info", reading.info, "the status block of the graph directory's pool")
    info.add_argument("--format", choices=("text", "docker", "json"), default="text")
    pools = command("pools", reading.pools, "every thin pool of the machine, whoever owns it")
    pools.add_argument("--format", choices=("table", "json"), default="table")
    watch = command("watch", reading.watch, "one line a sample, for pipes, logs and screen readers")
    watch.add_argument("--count", type=int, metavar="N", help="stop after N samples")
    watch.add_argument("--interval", type=float, default=argparse.SUPPRESS, metavar="S", help="seconds between samples")
    watch.add_argument("--format", choices=("text", "json"), default="text")
    _add_devices(command("device", devices.no_verb, "the engine, one device"), shared)
    _add_emulator(
        command("emulator", emulator.no_verb, "what a kernel and its users would do to the emulated machine"), shared
    )
    return parser


def _add_emulator(parser: argparse.ArgumentParser, shared: Parser) -> None:
    verbs = parser.add_subparsers(title="what to do", metavar="VERB", parser_class=Parser)

    def verb(name: str, run: Callable[[Session, Any], int], text: str) -> argparse.ArgumentParser:
        sub = verbs.add_parser(name, help=text, description=text, parents=[shared])
        sub.set_defaults(command=run)
        return sub

    for name, run, text in (
        ("write", emulator.write, "write to an active thin device"),
        ("discard", emulator.discard, "discard on an active thin device"),
    ):
        sub = verb(name, run, text)
        sub.add_argument("name", metavar="NAME", help="device-mapper name, or the name within the graph directory")
        sub.add_argument("--offset", required=True, metavar="SIZE", help="where to begin, such as 1G")
        sub.add_argument("--length", required=True, metavar="SIZE", help="how much, such as 200M")
    space = verb("host-space", emulator.host_space, "set the free space of the emulated host file system")
    space.add_argument("size", metavar="SIZE")
    leaking = verb("leak", emulator.leak, "let a process hold a device's mount in another namespace; prints its pid")
    leaking.add_argument("name", metavar="NAME", help="device-mapper name, or the name within the graph directory")
    verb("unleak", emulator.unleak, "end such a process").add_argument("pid", metavar="PID", type=int)
    faults = verb("fault", emulator.fault, "cause a trouble of a pool, or mend it")
    kinds = ("fail-metadata-write", "fail-pool", "expire-no-space-wait", "clear-needs-check")
    faults.add_argument("kind", choices=kinds, help="clear-needs-check takes the path of the metadata file")
    faults.add_argument("pool", nargs="?", metavar="POOL", help="default: the graph directory's pool")
    verb("reboot", emulator.reboot, "forget what a kernel forgets")
    verb("status", emulator.status, "what the emulated machine holds")


def _add_devices(parser: argparse.ArgumentParser, shared: Parser) -> None:
    verbs = parser.add_subparsers(title="what to do", metavar="VERB", dest="verb", parser_class=Parser)

    def verb(name: str, run: Callable[[Session, Any], int], text: str) -> argparse.ArgumentParser:
        sub = verbs.add_parser(name, help=text, description=text, parents=[shared])
        sub.set_defaults(command=run)
        return sub

    changing = (
        ("create", devices.create, "create a device, empty from the base or a snapshot of a parent"),
        ("activate", devices.activate, "activate a device"),
        ("deactivate", devices.deactivate, "deactivate a device"),
        ("remove", devices.remove, "remove a device and its data"),
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
    listing = verb("list", devices.list_devices, "list the recorded devices")
    listing.add_argument("--format", choices=("table", "json"), default="table")
    showing = verb("show", devices.show, "show one device")
    showing.add_argument("name", metavar="NAME")
    showing.add_argument("--format", choices=("text", "json"), default="text")

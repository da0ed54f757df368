"""The commands that only look: info, pools, watch, and the dashboard's start."""

from __future__ import annotations

import argparse
import gc
import os
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from dmtui.browser.attached import end_with_server, is_attached
from dmtui.cli.session import Session
from dmtui.machine.durable import InUseError
from dmtui.machine.protocols import Machine
from dmtui.thinpool.errors import BadUsageError, ExitStatus
from dmtui.thinpool.text import printable

if TYPE_CHECKING:
    from dmtui.deviceset.engine import Engine
    from dmtui.lab.traffic import Traffic
    from dmtui.monitor.machinefacts import MachineFacts
    from dmtui.tui.app import DashboardApp

_FIGURES_FIRST_SECONDS = 1.0
"""The emulated containers begin to write after so long: the dashboard's start has the processor to itself."""

_PATIENCE_SECONDS = 0.2
"""How long the dashboard waits for its first figures before it opens without."""


def dashboard(session: Session, arguments: argparse.Namespace) -> int:
    """Run the dashboard; an emulated machine with nothing on it is populated before."""
    if is_attached(os.environ):
        end_with_server()
    else:
        need_terminal("use `dmtui watch` or `dmtui pools` in pipes")
    with nothing_collected():
        app = _made_app(session, arguments)
    app.stream.start(_PATIENCE_SECONDS)
    with _traffic(session, session.machine), _listening(session.machine, app.stream.heard):
        app.run()
    return app.return_code or int(ExitStatus.DONE)


def _made_app(session: Session, arguments: argparse.Namespace) -> DashboardApp:
    """The dashboard of the session's machine."""
    machine = session.machine
    banner = session.reason
    if machine.kind == "emulated":
        banner = populate_if_fresh(session, machine) or banner
    # Imported here: the other commands must not pay for the dashboard's start.
    from dmtui.deviceset.options import parse_options  # noqa: PLC0415
    from dmtui.monitor.discover import Discoverer  # noqa: PLC0415
    from dmtui.monitor.recorded import RecordReader  # noqa: PLC0415
    from dmtui.tui.app import DashboardApp  # noqa: PLC0415
    from dmtui.tui.kept import Keeper, state_path  # noqa: PLC0415

    return DashboardApp(
        Discoverer(machine, records=RecordReader(machine, session.graph_directory)).take,
        interval_seconds=session.settings.interval,
        read_only=session.settings.read_only,
        banner=banner,
        ascii=arguments.ascii,
        open_engine=partial(_open_engine, session),
        graph_directory=session.graph_directory,
        min_free_percent=parse_options(session.settings.storage_opt).min_free_percent,
        thresholds=session.settings.alerts,
        bell=session.settings.bell,
        keeper=Keeper(state_path(os.environ)),
        ask_facts=partial(ask_facts, session),
    )


@contextmanager
def nothing_collected() -> Generator[None]:
    """Let the garbage collector rest while modules are imported: what they make stays, and it would go through it all.

    Afterwards it leaves alone what there is, which also makes its later rounds short.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def _listening(machine: Machine, heard: Callable[[], None]) -> Generator[None]:
    """Poll at once whenever the machine tells of an event."""
    from dmtui.monitor.listener import Listener  # noqa: PLC0415

    listener = Listener(machine.device_mapper.wait_for_event, heard)
    listener.start()
    try:
        yield
    finally:
        listener.stop()


@contextmanager
def _traffic(session: Session, machine: Machine) -> Generator[None]:
    """Let the containers of a populated emulated machine write while its dashboard is open, unless it only watches."""
    if session.settings.read_only or machine.kind != "emulated":
        yield
        return
    traffic: list[Traffic] = []
    begins = threading.Timer(_FIGURES_FIRST_SECONDS, lambda: traffic.append(_begun_traffic(session, machine)))
    begins.daemon = True
    begins.start()
    try:
        yield
    finally:
        begins.cancel()
        begins.join(1.0)  # one that is just beginning has its end waited for
        for each in traffic:
            each.stop()


def _begun_traffic(session: Session, machine: Machine) -> Traffic:
    from dmtui.lab.traffic import Traffic, kept_plan  # noqa: PLC0415
    from dmtui.machine.emulated import EmulatedMachine  # noqa: PLC0415

    assert isinstance(machine, EmulatedMachine)  # noqa: S101 - that is what its kind says
    flows = kept_plan(session.graph_directory)
    pool = f"{flows[0].device.rpartition('-')[0]}-pool" if flows else ""
    traffic = Traffic(machine, pool, flows)
    traffic.start()
    return traffic


def need_terminal(otherwise: str) -> None:
    """Refuse to draw where there is no terminal.

    Raises:
        BadUsageError: there is none; `otherwise` says what to do then.
    """
    # Textual draws on standard error: it needs all three.
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        raise BadUsageError("dashboard", "needs a terminal", otherwise)


def _open_engine(session: Session, *, recovering: bool, making: bool) -> Engine:
    """The device set of the graph directory, for the dashboard's operations and its deletion worker."""
    from dmtui.deviceset.engine import open_engine  # noqa: PLC0415
    from dmtui.deviceset.options import parse_options  # noqa: PLC0415
    from dmtui.deviceset.patience import Patience  # noqa: PLC0415

    patience = Patience(busy_seconds=session.settings.busy_timeout)
    options = parse_options(session.settings.storage_opt)
    return open_engine(
        session.machine, session.graph_directory, options, recovering=recovering, making=making, patience=patience
    )


def ask_facts(session: Session) -> MachineFacts:
    """What the machine is made of, for the dashboard's screen of it and for recordings."""
    from dmtui.deviceset.options import parse_options  # noqa: PLC0415
    from dmtui.monitor.machinefacts import ask_machine  # noqa: PLC0415

    options = parse_options(session.settings.storage_opt)
    return ask_machine(session.machine, session.graph_directory, options, session.reason, time.time())


def populate_if_fresh(session: Session, machine: Machine) -> str:
    """Give an emulated machine with nothing on it something to show; says so, and nothing where it had something.

    It need not be new: whoever asked it a question before has made it, but nothing on it. One that only watches leaves
    what it finds.
    """
    from dmtui.machine.emulated import EmulatedMachine  # noqa: PLC0415

    changing = not session.settings.read_only
    if isinstance(machine, EmulatedMachine) and (machine.is_new or changing) and machine.is_empty:
        from dmtui.lab.starter import populate  # noqa: PLC0415 - it brings the whole engine

        with suppress(InUseError):  # another dashboard is just at it
            populate(machine, session.graph_directory)
        made = f"emulated machine, newly made in {session.emulated_directory}; its containers write a little meanwhile"
        return session.reason or made
    return ""


def info(session: Session, arguments: argparse.Namespace) -> int:
    """Print the status block of the graph directory's pool."""
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
    if arguments.format != "text" and not report.failed:
        for finding in report.findings:
            print(f"dmtui: pool {printable(f'{report.pool_name}: {finding}')}", file=sys.stderr)
    if report.failed:
        raise failed_error(report)
    return int(ExitStatus.DONE)


def pools(session: Session, arguments: argparse.Namespace) -> int:
    """Print every thin pool of the machine."""
    from dmtui.monitor.discover import Discoverer  # noqa: PLC0415
    from dmtui.monitor.poolformats import pools_json, pools_table  # noqa: PLC0415

    sample = Discoverer(session.machine).take()
    sys.stdout.write(pools_json(sample) if arguments.format == "json" else pools_table(sample))
    for problem in sample.problems:
        print(f"dmtui: {printable(problem)}", file=sys.stderr)
    return int(ExitStatus.FAILED if sample.problems else ExitStatus.DONE)


def check_count(count: int | None) -> None:
    """Refuse a number of samples that is none.

    Raises:
        BadUsageError: it is less than 1.
    """
    if count is not None and count < 1:
        raise BadUsageError("option --count", f"does not take {count}", "it takes a number from 1")


def watch(session: Session, arguments: argparse.Namespace) -> int:
    """Print a line a sample."""
    from dmtui.monitor.discover import Discoverer  # noqa: PLC0415
    from dmtui.monitor.poolformats import watch_line  # noqa: PLC0415
    from dmtui.monitor.recorded import RecordReader  # noqa: PLC0415

    check_count(arguments.count)
    # What a machine is watched by from afar is whole, with the devices that are only recorded.
    records = RecordReader(session.machine, session.graph_directory) if arguments.format == "json" else None
    discoverer = Discoverer(session.machine, records=records)
    taken = 0
    while arguments.count is None or taken < arguments.count:
        if taken:
            time.sleep(session.settings.interval)
        sample = discoverer.take()
        sys.stdout.write(sample.to_json() + "\n" if arguments.format == "json" else watch_line(sample))
        sys.stdout.flush()
        taken += 1
    return int(ExitStatus.DONE)

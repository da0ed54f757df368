"""The commands that only look: info, pools, watch, and the dashboard's start."""

from __future__ import annotations

import argparse
import sys
import time

from dmtui.cli.session import Session
from dmtui.machine.protocols import Machine
from dmtui.thinpool.errors import BadUsageError, ExitStatus
from dmtui.thinpool.text import printable


def dashboard(session: Session, arguments: argparse.Namespace) -> int:
    """Run the dashboard; a fresh emulated machine is populated before."""
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


def _populate_if_fresh(session: Session, machine: Machine) -> str:
    from dmtui.lab.starter import populate  # noqa: PLC0415
    from dmtui.machine.emulated import EmulatedMachine  # noqa: PLC0415

    if isinstance(machine, EmulatedMachine) and machine.is_new:
        populate(machine, session.graph_directory)
        return session.reason or f"emulated machine, newly made and populated in {session.emulated_directory}"
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


def watch(session: Session, arguments: argparse.Namespace) -> int:
    """Print a line a sample."""
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

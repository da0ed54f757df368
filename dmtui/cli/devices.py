"""``dmtui device``: the engine's operations on one device, and what there is of them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dmtui.cli.session import Session
from dmtui.thinpool.errors import BadUsageError, ExitStatus
from dmtui.thinpool.sizes import format_size, parse_size
from dmtui.thinpool.text import printable

if TYPE_CHECKING:
    from dmtui.deviceset.deviceplans import DevicePlans
    from dmtui.deviceset.listing import DeviceView
    from dmtui.deviceset.plan import Plan, Progress

_BASE = "base"


def no_verb(session: Session, arguments: argparse.Namespace) -> int:
    """Say that a verb is missing."""
    raise BadUsageError("dmtui device", "needs a verb", "`dmtui device --help` lists them")


def create(session: Session, arguments: argparse.Namespace) -> int:
    """Create a device: a snapshot of its parent, or of the base device."""
    size_bytes = None if arguments.size is None else parse_size(arguments.size)
    parent = "" if arguments.parent in (None, _BASE) else arguments.parent
    return _change(session, arguments, lambda plans: plans.create(arguments.name, parent, size_bytes))


def activate(session: Session, arguments: argparse.Namespace) -> int:
    """Activate a device."""
    return _change(session, arguments, lambda plans: plans.activate(_recorded(arguments.name)))


def deactivate(session: Session, arguments: argparse.Namespace) -> int:
    """Deactivate a device."""
    return _change(
        session, arguments, lambda plans: plans.deactivate(_recorded(arguments.name), deferred=arguments.deferred)
    )


def remove(session: Session, arguments: argparse.Namespace) -> int:
    """Remove a device and its data."""
    return _change(session, arguments, lambda plans: plans.remove(_recorded(arguments.name)))


def list_devices(session: Session, arguments: argparse.Namespace) -> int:
    """List the recorded devices; nothing is activated for it."""
    views = _views(session)
    if arguments.format == "json":
        print(json.dumps([_fields(view) for view in views], indent=2))
    else:
        sys.stdout.write(_table(views))
    return int(ExitStatus.DONE)


def show(session: Session, arguments: argparse.Namespace) -> int:
    """Show one device."""
    from dmtui.thinpool.errors import MissingError  # noqa: PLC0415

    wanted = _recorded(arguments.name)
    for view in _views(session):
        if view.record.hash_name == wanted:
            fields = _fields(view)
            if arguments.format == "json":
                print(json.dumps(fields, indent=2))
            else:
                sys.stdout.write("".join(f"{key}: {_plain(value)}\n" for key, value in fields.items()))
            return int(ExitStatus.DONE)
    raise MissingError(f"device {arguments.name}", "is not recorded", "`dmtui device list` names all")


def _recorded(name: str) -> str:
    """The name on file: the base device has none."""
    return "" if name == _BASE else name


def _views(session: Session) -> list[DeviceView]:
    from dmtui.deviceset.graph import open_graph  # noqa: PLC0415
    from dmtui.deviceset.listing import list_views  # noqa: PLC0415

    return list_views(session.machine, open_graph(session.machine.files, session.graph_directory))


def _change(session: Session, arguments: argparse.Namespace, make: Callable[[DevicePlans], Plan]) -> int:
    """Make the plan, show it, and unless it is a dry run perform it."""
    from dmtui.deviceset.engine import open_engine  # noqa: PLC0415
    from dmtui.deviceset.options import parse_options  # noqa: PLC0415

    if session.settings.read_only and not arguments.dry_run:
        raise BadUsageError(f"dmtui device {arguments.verb}", "changes something", "leave --read-only out")
    options = parse_options(session.settings.storage_opt)
    engine = open_engine(session.machine, session.graph_directory, options, recovering=not arguments.dry_run)
    try:
        for note in (*engine.recovered, *engine.broken):
            print(f"dmtui: {printable(note)}", file=sys.stderr)
        plan = make(engine.plans)
        print("\n".join(printable(line) for line in plan.lines()))
        if not arguments.dry_run:
            outcome = engine.run(plan, _say)
            print(f"done in {outcome.seconds:.3f} s")
    finally:
        engine.close()
    return int(ExitStatus.DONE)


def _say(progress: Progress) -> None:
    print(f"  [{progress.step}/{progress.of}] {progress.phase.value}: {printable(progress.text)}", flush=True)


def _fields(view: DeviceView) -> dict[str, Any]:
    record = view.record
    return {
        "name": record.hash_name or _BASE,
        "thin_id": record.device_id,
        "size": record.size_bytes,
        "transaction_id": record.transaction_id,
        "initialized": record.initialized,
        "deleted": record.deleted,
        "parent": view.parent,
        "active": view.active,
        "mounted_at": view.mounted_at,
        "mapped": view.mapped_bytes,
        "open_count": view.open_count,
    }


def _plain(value: object) -> str:
    if value is None:
        return "unknown"
    return str(value).lower() if isinstance(value, bool) else printable(str(value))


def _table(views: list[DeviceView]) -> str:
    rows = [("NAME", "ID", "SIZE", "MAPPED", "STATE", "OPEN", "PARENT")]
    for view in views:
        record = view.record
        state = "deleted" if record.deleted else "active" if view.active else "inactive"
        mapped = "-" if view.mapped_bytes is None else format_size(view.mapped_bytes)
        open_count = "-" if view.open_count is None else str(view.open_count)
        name, parent = printable(record.hash_name or _BASE), printable(view.parent or "-")
        rows.append((name, str(record.device_id), format_size(record.size_bytes), mapped, state, open_count, parent))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(lines) + "\n"

"""``dmtui device``: the engine's operations on one device, and what there is of them."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from dmtui.cli.changing import change
from dmtui.cli.session import Session
from dmtui.thinpool.errors import BadUsageError, ExitStatus
from dmtui.thinpool.sizes import format_size, parse_size
from dmtui.thinpool.text import printable

if TYPE_CHECKING:
    from dmtui.deviceset.listing import DeviceView

_BASE = "base"


def no_verb(session: Session, arguments: argparse.Namespace) -> int:
    """Say that a verb is missing."""
    raise BadUsageError("dmtui device", "needs a verb", "`dmtui device --help` lists them")


def create(session: Session, arguments: argparse.Namespace) -> int:
    """Create a device: a snapshot of its parent, or of the base device."""
    size_bytes = None if arguments.size is None else parse_size(arguments.size)
    parent = "" if arguments.parent in (None, _BASE) else arguments.parent
    return change(session, arguments, lambda plans: plans.create(arguments.name, parent, size_bytes))


def activate(session: Session, arguments: argparse.Namespace) -> int:
    """Activate a device."""
    return change(session, arguments, lambda plans: plans.activate(_recorded(arguments.name)))


def deactivate(session: Session, arguments: argparse.Namespace) -> int:
    """Deactivate a device."""
    return change(
        session, arguments, lambda plans: plans.deactivate(_recorded(arguments.name), deferred=arguments.deferred)
    )


def mount(session: Session, arguments: argparse.Namespace) -> int:
    """Mount a device at its place in the graph directory, or count one more user of it."""
    return change(session, arguments, lambda plans: plans.mount(_recorded(arguments.name)))


def unmount(session: Session, arguments: argparse.Namespace) -> int:
    """End one use of a mounted device."""
    return change(session, arguments, lambda plans: plans.unmount(_recorded(arguments.name)))


def remove(session: Session, arguments: argparse.Namespace) -> int:
    """Remove a device and its data."""
    return change(session, arguments, lambda plans: plans.remove(_recorded(arguments.name)))


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
                sys.stdout.write("".join(f"{key}: {_plain(key, value)}\n" for key, value in fields.items()))
            return int(ExitStatus.DONE)
    raise MissingError(f"device {arguments.name}", "is not recorded", "`dmtui device list` names all")


def _recorded(name: str) -> str:
    """The name on file: the base device has none."""
    return "" if name == _BASE else name


def _views(session: Session) -> list[DeviceView]:
    from dmtui.deviceset.graph import open_graph  # noqa: PLC0415
    from dmtui.deviceset.listing import list_views  # noqa: PLC0415

    return list_views(session.machine, open_graph(session.machine.files, session.graph_directory))


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


def _plain(key: str, value: object) -> str:
    if value is None:
        return "nowhere" if key == "mounted_at" else "unknown"
    return str(value).lower() if isinstance(value, bool) else printable(str(value))


def _table(views: list[DeviceView]) -> str:
    rows = [("NAME", "ID", "SIZE", "MAPPED", "STATE", "OPEN", "PARENT")]
    for view in views:
        record = view.record
        active = "mounted" if view.mounted_at else "active" if view.active else "inactive"
        state = "deleted" if record.deleted else active
        mapped = "-" if view.mapped_bytes is None else format_size(view.mapped_bytes)
        open_count = "-" if view.open_count is None else str(view.open_count)
        name, parent = printable(record.hash_name or _BASE), printable(view.parent or "-")
        rows.append((name, str(record.device_id), format_size(record.size_bytes), mapped, state, open_count, parent))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(lines) + "\n"

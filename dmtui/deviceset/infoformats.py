"""The three forms of ``dmtui info``: the README's block, Docker 20.10's block byte for byte, and JSON.

Source: the original's Status for the lines and their order in each release; section 6 of its description for numbers.
"""

from __future__ import annotations

import json
from typing import Any

from dmtui.deviceset.status import SpaceReport, StatusReport, block_size_as_docker_counts
from dmtui.thinpool.sizes import SizeStyle, format_size
from dmtui.thinpool.text import printable

_UNKNOWN = "unknown"


def format_text(report: StatusReport) -> str:
    """The items of the README sample in its order and number style, the later ones in their places, then ours."""
    lines = [
        *_identity(report, SizeStyle.SPACED, report.table.block_bytes if report.table else None),
        *_optional("Data file", report.data_file),
        *_optional("Metadata file", report.metadata_file),
        *_space_lines(report, SizeStyle.SPACED),
        ("Udev Sync Supported", _bool(report.udev_sync_supported)),
        *_deferred_lines(report),
        *_optional("Data loop file", report.data_loop_file),
        *_optional("Metadata loop file", report.metadata_loop_file),
        *_optional("Library Version", report.library_version),
        *_our_lines(report),
    ]
    return "".join(f"{label}: {printable(value)}\n" for label, value in lines)


def format_docker(report: StatusReport) -> str:
    """The driver's block as ``docker info`` 20.10 prints it; lines without a known value are left out."""
    lines = [
        *_identity(report, SizeStyle.ATTACHED, block_size_as_docker_counts(report)),
        ("Udev Sync Supported", _bool(report.udev_sync_supported)),
        *_optional("Data file", report.data_file),
        *_optional("Metadata file", report.metadata_file),
        *_optional("Data loop file", report.data_loop_file),
        *_optional("Metadata loop file", report.metadata_loop_file),
        *_space_lines(report, SizeStyle.ATTACHED),
        *_deferred_lines(report),
        *_optional("Library Version", report.library_version),
    ]
    return "".join(f"  {label}: {printable(value)}\n" for label, value in lines if value != _UNKNOWN)


def format_json(report: StatusReport) -> str:
    """One JSON object; sizes in bytes, null for unknown."""
    status, figures = report.status, report.status.figures if report.status else None
    fields: dict[str, Any] = {
        "pool_name": report.pool_name,
        "pool_blocksize": report.table.block_bytes if report.table else None,
        "base_device_size": report.base_device_size_bytes,
        "backing_filesystem": report.backing_filesystem,
        "data_file": report.data_file,
        "metadata_file": report.metadata_file,
        "data_loop_file": report.data_loop_file,
        "metadata_loop_file": report.metadata_loop_file,
        "data_space": _space_object(report.data),
        "metadata_space": _space_object(report.metadata),
        "thin_pool_minimum_free_space": report.minimum_free_bytes,
        "udev_sync_supported": report.udev_sync_supported,
        "deferred_removal_enabled": report.deferred_removal_enabled,
        "deferred_deletion_enabled": report.deferred_deletion_enabled,
        "deferred_deleted_device_count": report.deferred_deleted_device_count,
        "library_version": report.library_version,
        "driver_version": report.driver_version,
        "mode": status.mode.value if status and status.mode else None,
        "needs_check": status.needs_check if status else None,
        "no_space_policy": status.no_space.value if status and status.no_space else None,
        "discard_passdown": _passdown(report),
        "transaction_id": figures.transaction_id if figures else None,
        "pool_origin": report.pool_origin,
    }
    return json.dumps(fields, indent=2) + "\n"


def _passdown(report: StatusReport) -> bool | None:
    if report.status is None or report.status.discard is None:
        return None
    return report.status.discard.value == "discard_passdown"


def _space_object(space: SpaceReport) -> dict[str, int | None]:
    return {"used": space.used_bytes, "total": space.total_bytes, "available": space.available_bytes}


def _identity(report: StatusReport, style: SizeStyle, block_bytes: int | None) -> list[tuple[str, str]]:
    base_bytes = report.base_device_size_bytes
    return [
        ("Pool Name", report.pool_name),
        ("Pool Blocksize", _size(block_bytes, style)),
        # The original prints 0 and an empty name while there is no base device: here that is what its users read.
        ("Base Device Size", format_size(base_bytes or 0, style)),
        ("Backing Filesystem", report.backing_filesystem or ""),
    ]


def _space_lines(report: StatusReport, style: SizeStyle) -> list[tuple[str, str]]:
    lines = [
        (f"{what} Space {label}", _size(value, style))
        for what, space in (("Data", report.data), ("Metadata", report.metadata))
        for label, value in (
            ("Used", space.used_bytes),
            ("Total", space.total_bytes),
            ("Available", space.available_bytes),
        )
    ]
    return [*lines, ("Thin Pool Minimum Free Space", _size(report.minimum_free_bytes, style))]


def _deferred_lines(report: StatusReport) -> list[tuple[str, str]]:
    return [
        ("Deferred Removal Enabled", _bool(report.deferred_removal_enabled)),
        ("Deferred Deletion Enabled", _bool(report.deferred_deletion_enabled)),
        ("Deferred Deleted Device Count", str(report.deferred_deleted_device_count)),
    ]


def _our_lines(report: StatusReport) -> list[tuple[str, str]]:
    status, figures = report.status, report.status.figures if report.status else None
    known = [
        ("Driver Version", report.driver_version),
        ("Pool Origin", report.pool_origin),
        ("Mode", status.mode.value if status and status.mode else _UNKNOWN),
        ("Needs Check", _UNKNOWN if status is None or status.needs_check is None else _bool(status.needs_check)),
        ("No Space Policy", status.no_space.value if status and status.no_space else _UNKNOWN),
        ("Discard Policy", status.discard.value if status and status.discard else _UNKNOWN),
        ("Transaction Id", str(figures.transaction_id) if figures else _UNKNOWN),
    ]
    if report.table:
        known += [("Data Device", report.table.data_device), ("Metadata Device", report.table.metadata_device)]
    return [*known, *(("Finding", finding) for finding in report.findings)]


def _optional(label: str, value: str | None) -> list[tuple[str, str]]:
    return [(label, value)] if value else []


def _size(size_bytes: int | None, style: SizeStyle) -> str:
    return _UNKNOWN if size_bytes is None else format_size(size_bytes, style)


def _bool(value: bool) -> str:
    return "true" if value else "false"

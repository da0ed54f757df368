"""The two forms of ``dmtui pools`` and the lines of ``dmtui watch``, from a sample."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from dmtui.monitor.sample import Backing, Pool, Sample, Space
from dmtui.thinpool.sizes import format_share, format_size
from dmtui.thinpool.text import printable

_HEADER = ("POOL", "OWNER", "MODE", "BLOCK", "DATA USED", "OF", "%", "META USED", "OF", "%", "TXID", "DEVICES", "ON")


def pools_json(sample: Sample) -> str:
    """Every pool as one JSON list (contract: DESIGN.md section 5); sizes in bytes, null for unknown."""
    return json.dumps([_pool_object(pool) for pool in sample.pools], indent=2) + "\n"


def pools_table(sample: Sample, where: str = "this machine") -> str:
    """Every pool and below it its thin devices, as an aligned table; `where` is said where there is none."""
    if not sample.pools:
        return f"no thin pool on {where}\n"
    rows = [_HEADER, *(_pool_row(pool) for pool in sample.pools)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER))]
    lines: list[str] = []
    for row, pool in zip(rows, (None, *sample.pools), strict=True):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        lines.append("  ".join(cells).rstrip())
        if pool is not None:
            lines.extend(_device_lines(pool))
    return "\n".join(lines) + "\n"


def watch_line(sample: Sample) -> str:
    """One line a sample for logs, pipes and screen readers."""
    moment = datetime.fromtimestamp(sample.taken_at).astimezone().isoformat(timespec="seconds")
    pools = (
        f"{printable(pool.display_name)} {pool.mode or '?'}{' needs_check' if pool.needs_check else ''}"
        f" data {_used(pool.data)} metadata {_used(pool.metadata)}"
        f" devices {len(pool.devices)}"
        for pool in sample.pools
    )
    text = "; ".join([*pools, *(printable(problem) for problem in sample.problems)])
    return f"{moment} {text or 'no thin pool'}\n"


def _pool_object(pool: Pool) -> dict[str, Any]:
    return {
        "name": pool.display_name,
        "dev": pool.dev,
        "uuid": pool.uuid,
        "owner": pool.owner,
        "mode": pool.mode,
        "needs_check": pool.needs_check,
        "block_size": pool.block_size_bytes,
        "data": {"used": pool.data.used_bytes, "total": pool.data.total_bytes},
        "metadata": {"used": pool.metadata.used_bytes, "total": pool.metadata.total_bytes},
        "low_water_mark": pool.low_water_mark_blocks,
        "transaction_id": pool.transaction_id,
        "data_device": _device_text(pool.data_backing, pool.owner),
        "metadata_device": _device_text(pool.metadata_backing, pool.owner),
        "data_loop_file": pool.data_backing.loop_file,
        "metadata_loop_file": pool.metadata_backing.loop_file,
        "open_count": pool.open_count,
        "devices": [
            {
                "name": device.display_name if pool.owner == "lvm" else device.name,
                "dev": device.dev,
                "thin_id": device.thin_id,
                "size": device.size_bytes,
                "mapped": device.mapped_bytes,
                "highest_mapped": device.highest_mapped_sector,
                "open_count": device.open_count,
            }
            for device in pool.devices
        ],
    }


def _device_text(backing: Backing, owner: str) -> str | None:
    """The device under a pool; LVM's helper volumes are passed over for the disks beneath them."""
    if owner == "lvm" and backing.disks:
        return ",".join(backing.disks)
    return backing.device


def _pool_row(pool: Pool) -> tuple[str, ...]:
    backing = pool.data_backing
    on = backing.loop_file if backing.loop_file else _device_text(backing, pool.owner) or backing.dev
    return (
        printable(pool.display_name),
        pool.owner,
        f"{pool.mode or '?'}{' needs_check' if pool.needs_check else ''}",
        format_size(pool.block_size_bytes),
        _size(pool.data.used_bytes),
        _size(pool.data.total_bytes),
        format_share(pool.data.used_fraction),
        _size(pool.metadata.used_bytes),
        _size(pool.metadata.total_bytes),
        format_share(pool.metadata.used_fraction),
        "?" if pool.transaction_id is None else str(pool.transaction_id),
        str(len(pool.devices)),
        f"{printable(on)}{' (deleted)' if backing.loop_file_deleted else ''}",
    )


def _device_lines(pool: Pool) -> list[str]:
    lines: list[str] = []
    for device in pool.devices:
        thin_id = "?" if device.thin_id is None else str(device.thin_id)
        mapped = "failed" if device.failed else f"{_size(device.mapped_bytes)} mapped"
        name, size = printable(device.display_name), format_size(device.size_bytes)
        lines.append(f"  {thin_id:>8}  {name}  {size}, {mapped}, open {device.open_count}")
    return lines


def _used(space: Space) -> str:
    return f"{_size(space.used_bytes)} of {_size(space.total_bytes)} ({format_share(space.used_fraction)})"


def _size(size_bytes: int | None) -> str:
    return "?" if size_bytes is None else format_size(size_bytes)

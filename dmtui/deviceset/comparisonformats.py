"""A reconciliation as text for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dmtui.deviceset.comparison import Bucket, Compared, Reconciliation
from dmtui.deviceset.deviceset import title
from dmtui.thinpool.sizes import format_size


def reconciliation_lines(found: Reconciliation) -> list[str]:
    """A line for the counts, then every device that is not whole, or odd, below its bucket."""
    counts = ", ".join(f"{len(found.of(bucket))} {bucket.value}" for bucket in Bucket)
    where = "" if found.seen.pool_active else " (not active, read offline)"
    return [f"pool {found.seen.pool}{where}: {counts}", *_sections(found)]


def reconciliation_fields(found: Reconciliation) -> dict[str, Any]:
    """All of it as JSON values: sizes in bytes, None for unknown."""
    buckets = {bucket.value.replace(" ", "_"): [_fields(each) for each in found.of(bucket)] for bucket in Bucket}
    return {"pool": found.seen.pool, "pool_active": found.seen.pool_active, **buckets}


def _sections(found: Reconciliation) -> Iterator[str]:
    for bucket in Bucket:
        shown = [each for each in found.of(bucket) if each.findings]
        if shown:
            yield f"{bucket.value}:"
        for each in shown:
            yield f"  {_title(each)}: {'; '.join((*_figures(each), *each.findings))}"


def _title(each: Compared) -> str:
    return f"thin id {each.thin_id}" if each.name is None else title(each.name)


def _figures(each: Compared) -> Iterator[str]:
    if each.name is not None and each.thin_id is not None:
        yield f"thin id {each.thin_id}"
    if each.size_bytes is not None:
        yield format_size(each.size_bytes)
    if each.mapped_bytes is not None:
        yield f"{format_size(each.mapped_bytes)} mapped"


def _fields(each: Compared) -> dict[str, Any]:
    return {
        "name": None if each.name is None else title(each.name),
        "thin_id": each.thin_id,
        "size": each.size_bytes,
        "mapped": each.mapped_bytes,
        "active": each.node is not None,
        "device": each.node.device if each.node else None,
        "open_count": each.node.open_count if each.node else None,
        "finding": "; ".join(each.findings) or None,
    }

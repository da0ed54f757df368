"""Comparing records, the pool's own list and the active devices of one instant: what agrees, what is left over where.

Source: the original's faults that nothing tells of (a record whose thin id is gone stays for ever, a thin id without
a record keeps its space) and the operators' procedure (ids listed by thin_dump that no record claims).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import field
from enum import Enum

from dmtui.deviceset.deviceset import title
from dmtui.deviceset.records import DeviceRecord
from dmtui.deviceset.standing import openers
from dmtui.machine.tools import ThinEntry
from dmtui.thinpool.sizes import format_size
from dmtui.thinpool.values import frozen


class Bucket(Enum):
    """Where a device was found."""

    WHOLE = "whole"
    RECORD_ONLY = "record only"
    POOL_ONLY = "pool only"
    NODE_ONLY = "node only"
    ID_CLASH = "id clash"


@frozen
class Node:
    """An active device with our prefix, or on our pool.

    Attributes:
        device: its device-mapper name.
        name: its name on file by that; None where it has not our prefix.
        thin_id: its id in our pool; None where it is something else.
        otherwise: what else it is; empty where it is a thin device of our pool.
    """

    device: str
    name: str | None
    thin_id: int | None
    size_bytes: int
    open_count: int
    otherwise: str = ""


@frozen
class Seen:
    """What there was at one instant.

    Attributes:
        external: others may use the pool.
        pool_active: False where its metadata were read offline.
        transaction_id, block_bytes: of the pool; None where it is not active.
        quarantined: names of records in quarantine, by the thin id that each claims.
        unreadable: broken files that may be records of any thin id.
    """

    pool: str
    external: bool
    pool_active: bool
    transaction_id: int | None
    block_bytes: int | None
    records: Mapping[str, DeviceRecord]
    nodes: tuple[Node, ...]
    quarantined: Mapping[int, str] = field(default_factory=dict[int, str])
    unreadable: tuple[str, ...] = ()


@frozen
class Compared:
    """A device, with what is known of it; None for what is not.

    Attributes:
        name: its name on file, empty for the base device.
        size_bytes: as recorded, or else as it is active.
        mapped_bytes: bytes with a block behind them, shared ones included, as the pool's metadata have it.
        findings: what is odd about it.
    """

    bucket: Bucket
    name: str | None
    thin_id: int | None
    size_bytes: int | None
    mapped_bytes: int | None
    node: Node | None
    findings: tuple[str, ...]
    record: DeviceRecord | None = None


@frozen
class Reconciliation:
    """All that was compared: recorded devices first, by thin id."""

    seen: Seen
    devices: tuple[Compared, ...]

    def of(self, bucket: Bucket) -> tuple[Compared, ...]:
        """The devices of one bucket."""
        return tuple(each for each in self.devices if each.bucket is bucket)


def compare(seen: Seen, thins: tuple[ThinEntry, ...]) -> Reconciliation:
    """Sort everything that was seen, and the pool's own list of the same instant, into the buckets."""
    known = _Known(seen, {thin.thin_id: thin for thin in thins})
    ordered = sorted(seen.records.values(), key=lambda each: (each.hash_name != "", each.device_id, each.hash_name))
    recorded = [known.recorded(record) for record in ordered]
    unrecorded_nodes = [known.node_only(node) for node in known.unrecorded]
    return Reconciliation(seen, (*recorded, *known.orphans(), *unrecorded_nodes))


class _Known:
    """Everything by name and by thin id."""

    def __init__(self, seen: Seen, pool: dict[int, ThinEntry]) -> None:
        self.seen = seen
        self.pool = pool
        self.claims: defaultdict[int, list[str]] = defaultdict(list)
        for name, record in seen.records.items():
            self.claims[record.device_id].append(name)
        self.by_name = {node.name: node for node in seen.nodes if node.name is not None}
        self.unrecorded = [node for name, node in self.by_name.items() if name not in seen.records]
        self.by_id: defaultdict[int, list[Node]] = defaultdict(list)
        for node in seen.nodes:
            if node.thin_id is not None:
                self.by_id[node.thin_id].append(node)

    def recorded(self, record: DeviceRecord) -> Compared:
        """A record, with its node and its thin id in the pool where it has them."""
        node, thin = self.by_name.get(record.hash_name), self.pool.get(record.device_id)
        clashes, odd = tuple(self._clashes(record, node, thin)), list(self._oddities(record, node))
        if clashes:
            bucket, odd = Bucket.ID_CLASH, [*clashes, *odd]
        elif thin is not None:
            bucket = Bucket.WHOLE
        elif node is not None:
            bucket, odd = Bucket.NODE_ONLY, ["the pool does not have its thin id", *odd]
        else:
            bucket, odd = Bucket.RECORD_ONLY, ["the pool does not have its thin id: its data are gone", *odd]
        mapped = self._mapped(thin)
        return Compared(bucket, record.hash_name, record.device_id, record.size_bytes, mapped, node, tuple(odd), record)

    def orphans(self) -> Iterator[Compared]:
        """The thin ids that no record claims, but for those whose node has our prefix and no record either."""
        unrecorded = {node.thin_id for node in self.unrecorded}
        for thin_id, thin in sorted(self.pool.items()):
            if thin_id in self.claims or thin_id in unrecorded:
                continue
            nodes, odd = self.by_id[thin_id], ["no record claims it"]
            if thin_id in self.seen.quarantined:
                odd.append(f"the record {self.seen.quarantined[thin_id]} in quarantine does")
            odd += [f"is active as {node.device}" for node in nodes]
            if self.seen.external:
                odd.append("may be somebody else's: the pool is external")
            node = nodes[0] if nodes else None
            size = node.size_bytes if node else None
            yield Compared(Bucket.POOL_ONLY, None, thin_id, size, self._mapped(thin), node, tuple(odd))

    def node_only(self, node: Node) -> Compared:
        """An active node of our prefix without a record."""
        thin = None if node.thin_id is None else self.pool.get(node.thin_id)
        claims = [] if node.thin_id is None else self.claims.get(node.thin_id, [])
        if node.otherwise:
            odd = f"has no record and is {node.otherwise}"
        elif claims:
            odd = f"has no record; its thin id is that of {_titles(claims)}"
        elif thin is None:
            odd = "has no record, and the pool does not have its thin id"
        else:
            odd = "has no record: its thin id is an orphan once it is deactivated"
        return Compared(Bucket.NODE_ONLY, node.name, node.thin_id, node.size_bytes, self._mapped(thin), node, (odd,))

    def _clashes(self, record: DeviceRecord, node: Node | None, thin: ThinEntry | None) -> Iterator[str]:
        others = [name for name in self.claims[record.device_id] if name != record.hash_name]
        if others:
            yield f"its thin id is also that of {_titles(others)}"
        if node is not None and node.otherwise:
            yield f"its node {node.device} is {node.otherwise}"
        elif node is not None and node.thin_id != record.device_id:
            yield f"is active as thin id {node.thin_id}"
        current = self.seen.transaction_id
        if current is not None and record.transaction_id > current:
            yield f"was recorded in transaction {record.transaction_id}, the pool is at {current}"
        elif thin is not None and thin.transaction_id + 1 != record.transaction_id:
            # A device is made while its transaction is open, which the pool's id counts when it is closed.
            made = thin.transaction_id + 1
            yield f"was recorded in transaction {record.transaction_id}, its thin id was made in {made}"

    def _oddities(self, record: DeviceRecord, node: Node | None) -> Iterator[str]:
        if record.deleted:
            held = f", {openers(node.open_count)}" if node is not None and node.open_count else ""
            yield f"waits for its deletion{held}"
        if node is not None and not node.otherwise and node.size_bytes != record.size_bytes:
            sizes = f"{format_size(node.size_bytes)}, its record says {format_size(record.size_bytes)}"
            yield f"is active with {sizes}"
        for other in self.by_id[record.device_id]:
            if other is not node:
                yield f"is active as {other.device}, too"

    def _mapped(self, thin: ThinEntry | None) -> int | None:
        if thin is None or self.seen.block_bytes is None:
            return None
        return thin.mapped_blocks * self.seen.block_bytes


def _titles(names: list[str]) -> str:
    return " and ".join(title(name) for name in sorted(names))

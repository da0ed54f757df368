"""The recorded devices of a graph directory with what device-mapper says of the active ones; nothing is activated.

The original activates a device to tell its status, and leaves it active.
"""

from __future__ import annotations

from collections.abc import Sequence

from dmtui.deviceset.graph import Graph
from dmtui.deviceset.records import DeviceRecord, read_records
from dmtui.deviceset.store import RecordStore
from dmtui.machine.durable import DurableFiles
from dmtui.machine.errors import DeviceMissingError
from dmtui.machine.filesystems import Mount
from dmtui.machine.protocols import DeviceReading, Machine
from dmtui.thinpool.status import ThinStatus
from dmtui.thinpool.table import THIN
from dmtui.thinpool.values import frozen


@frozen
class DeviceView:
    """A recorded device.

    Attributes:
        parent: name of its parent, ``base`` for the base device, None where not recorded (made by the original).
        mapped_bytes: bytes with a block behind them; None while it is not active, or failed.
        open_count: None while it is not active.
        mounted_at: where it is mounted, its place under the graph directory first; None where it is not.
    """

    record: DeviceRecord
    parent: str | None
    active: bool
    mapped_bytes: int | None
    open_count: int | None
    mounted_at: str | None = None


def list_views(machine: Machine, graph: Graph) -> list[DeviceView]:
    """Every recorded device, the base first, then by thin id."""
    parents = RecordStore(graph, machine.files, DurableFiles()).read_parents()
    mounts = machine.filesystems.mounts()
    records = read_records(graph.records_directory).devices.values()
    ordered = sorted(records, key=lambda record: (record.hash_name != "", record.device_id))
    return [_view(machine, graph, record, parents, mounts) for record in ordered]


def _view(
    machine: Machine, graph: Graph, record: DeviceRecord, parents: dict[str, str], mounts: Sequence[Mount]
) -> DeviceView:
    recorded = parents.get(record.hash_name)
    parent = None if recorded is None else recorded or "base"
    reading = _status(machine, graph.prefix.device_name(record.hash_name))
    if reading is None:
        return DeviceView(record, parent, False, None, None)
    mapped = [ThinStatus.parse(target.params).mapped_bytes for target in reading.targets if target.type == THIN]
    mounted_at = [mount.directory for mount in mounts if mount.dev == reading.info.dev]
    return DeviceView(
        record,
        parent,
        True,
        mapped[0] if len(mapped) == 1 else None,
        reading.info.open_count,
        # Its own place first, wherever else it may be mounted.
        min(mounted_at, key=lambda directory: not directory.endswith(f"/mnt/{record.hash_name}"), default=None),
    )


def _status(machine: Machine, name: str) -> DeviceReading | None:
    try:
        return machine.device_mapper.status(name)
    except DeviceMissingError:
        return None

"""What a graph directory records of its thin devices, active or not: only read, and only when its files changed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from dmtui.deviceset.graph import Graph, open_graph
from dmtui.deviceset.records import BASE_RECORD, legacy_path, read_records
from dmtui.deviceset.store import RecordStore
from dmtui.machine.durable import DurableFiles
from dmtui.machine.protocols import Machine
from dmtui.monitor.audit import AuditLog
from dmtui.monitor.sample import Pool, RecordedDevice
from dmtui.thinpool.errors import DmtuiError, MissingError
from dmtui.thinpool.values import frozen

_SETTLED_SECONDS = 2.0
"""A file that changed less than so long ago may change again without a new time stamp."""
_CREATE = "create"

_Stamps = tuple[int | None, ...]


@frozen
class Recorded:
    """The records of a graph directory.

    Attributes:
        prefix: what the names of its active devices begin with.
        pool_name: of the pool that its own files make.
        devices: the base device first, then by thin id.
        broken: records that cannot be read, a line each.
    """

    prefix: str
    pool_name: str
    devices: tuple[RecordedDevice, ...]
    broken: tuple[str, ...] = ()


@dataclass(slots=True)
class RecordReader:
    """Reads the records of one graph directory again and again; remembers them while its files stay as they are."""

    machine: Machine
    directory: str
    _kept: Recorded | None = None
    _watched: tuple[Path, ...] = ()
    _stamps: _Stamps | None = None
    _log: AuditLog | None = None
    _created_at: dict[str, float] = field(default_factory=dict[str, float])

    def stand(self) -> bool:
        """Whether the files that were read last are as they were then; not told of files that changed just before."""
        return self._stamps is not None and self._stamps == tuple(map(_stamp, self._watched))

    def read(self) -> Recorded | None:
        """The records as they are now; None where there is no such directory.

        Raises:
            DmtuiError: they may not be read, or what keeps the parents is broken.
        """
        try:
            graph = open_graph(self.machine.files, self.directory)
        except MissingError:
            self._kept = self._stamps = None
            return None
        store = RecordStore(graph, self.machine.files, DurableFiles())
        read = (graph.records_directory, legacy_path(graph.records_directory), store.parents_path, store.audit_path)
        self._watched = tuple(map(Path, read))
        stamps = tuple(map(_stamp, self._watched))
        if self._kept is None or stamps != self._stamps or self._kept.prefix != str(graph.prefix):
            self._kept = self._read(graph, store)
            newest = max((stamp for stamp in stamps if stamp is not None), default=0)
            self._stamps = stamps if time.time() - newest / 1e9 > _SETTLED_SECONDS else None
        return self._kept

    def _read(self, graph: Graph, store: RecordStore) -> Recorded:
        records, parents = read_records(graph.records_directory), store.read_parents()
        self._log = self._log or AuditLog(store.audit_path)
        for entry in self._log.read_new():
            if entry.operation == _CREATE and not entry.failed:
                self._created_at[entry.subject] = entry.began_at
        devices: list[RecordedDevice] = []
        for record in sorted(records.devices.values(), key=lambda each: (each.hash_name != "", each.device_id)):
            parent = parents.get(record.hash_name)
            devices.append(
                RecordedDevice(
                    name=graph.prefix.device_name(record.hash_name),
                    display_name=record.hash_name or BASE_RECORD,
                    thin_id=record.device_id,
                    size_bytes=record.size_bytes,
                    transaction_id=record.transaction_id,
                    initialized=record.initialized,
                    deleted=record.deleted,
                    parent=None if parent is None else parent or BASE_RECORD,
                    created_at=self._created_at.get(record.hash_name or BASE_RECORD),
                )
            )
        return Recorded(str(graph.prefix), graph.prefix.pool_name, tuple(devices), records.broken)


def read_recorded(reader: RecordReader | None) -> tuple[Recorded | None, tuple[str, ...]]:
    """The records of a reader, and why they cannot be read."""
    if reader is None:
        return None, ()
    try:
        return reader.read(), ()
    except DmtuiError as error:
        return None, (str(error),)


def completed(pool: Pool, recorded: Recorded | None, mounts: Mapping[str, Sequence[str]] | None) -> Pool:
    """A pool with the places where its devices are mounted, and with the records of its graph directory.

    Args:
        pool: as device-mapper tells it.
        recorded: of any graph directory.
        mounts: by number of the device; None where they cannot be read.
    """
    devices = pool.devices
    if mounts is not None:
        devices = tuple(replace(device, mounted_at=tuple(mounts.get(device.dev, ()))) for device in devices)
    if recorded is None or not _is_of(pool, recorded):
        return replace(pool, devices=devices)
    broken = tuple(f"not readable: {line}" for line in recorded.broken)
    return replace(pool, devices=devices, recorded=recorded.devices, findings=pool.findings + broken)


def _is_of(pool: Pool, recorded: Recorded) -> bool:
    """Whether the records are of that pool: by its name, or where it was given to the graph by its devices' names."""
    begins = f"{recorded.prefix}-"
    return pool.name == recorded.pool_name or any(device.name.startswith(begins) for device in pool.devices)


def _stamp(path: Path) -> int | None:
    """When a file or directory was changed last, nanoseconds since the epoch; None where there is none."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None

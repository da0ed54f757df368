"""Writing the original's records and our few files beside them, each whole or not at all.

Theirs (``metadata/``): a record a device, ``deviceset-metadata``, ``transaction-metadata``, with the original's keys
in its order. Ours (``dmtui/``, a folder that the original never looks into): the parent of each device, the users of
each mount, the lock, the audit log, and the quarantine of broken files. A broken file reads as if there were none; a
writer puts it away first (`dmtui.deviceset.upkeep`), so that nothing of it is ever written over.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar, cast

from dmtui.deviceset.graph import Graph
from dmtui.deviceset.records import (
    BASE_RECORD,
    SET_RECORD,
    TRANSACTION_RECORD,
    BrokenFileError,
    DeviceRecord,
    number_of,
    parse_object,
    text_of,
)
from dmtui.machine.durable import DurableFiles, IrregularFileError, is_leftover
from dmtui.machine.errors import FileMissingError
from dmtui.machine.protocols import Files
from dmtui.thinpool.units import MAX_THIN_ID
from dmtui.thinpool.values import frozen


@frozen
class SetState:
    """State of the whole set; unknown texts are empty."""

    next_device_id: int = 0
    base_uuid: str = ""
    base_filesystem: str = ""


@frozen
class Transaction:
    """The last opened transaction; its pool's transaction id reaches `open_id` when it is closed."""

    open_id: int
    hash_name: str = ""
    device_id: int = 0


@frozen
class MountCount:
    """How many use a mounted device, and the number of the mount they use."""

    count: int
    mount_id: int


_Parsed = TypeVar("_Parsed")


@frozen
class RecordStore:
    """The files of one graph directory."""

    graph: Graph
    files: Files
    durable: DurableFiles

    @property
    def own_directory(self) -> str:
        """Where our own files are."""
        return f"{self.graph.directory}/dmtui"

    @property
    def lock_path(self) -> str:
        """The lock of the graph directory's one writer."""
        return f"{self.own_directory}/lock"

    @property
    def audit_path(self) -> str:
        """The audit log, a JSON object a line."""
        return f"{self.own_directory}/audit.jsonl"

    @property
    def quarantine_directory(self) -> str:
        """Where broken files and dead records are put away."""
        return f"{self.own_directory}/quarantine"

    @property
    def parents_path(self) -> str:
        """The parent of each device."""
        return f"{self.own_directory}/parents.json"

    @property
    def mounts_path(self) -> str:
        """The users of each mounted device."""
        return f"{self.own_directory}/mounts.json"

    def record_path(self, hash_name: str) -> str:
        """The record of a device."""
        return f"{self.graph.records_directory}/{hash_name or BASE_RECORD}"

    def make_directories(self) -> None:
        """Make what is missing of the records' directory and ours."""
        self.files.make_directory(self.graph.records_directory)
        self.files.make_directory(self.own_directory)

    def remove_leftovers(self) -> None:
        """Remove temporaries of writers that were killed: ours and the original's."""
        for directory in (self.graph.records_directory, self.own_directory):
            for name in self.durable.names(directory):
                if is_leftover(name) or name.startswith(".tmp"):
                    self.durable.remove(f"{directory}/{name}")

    def quarantine(self, path: str) -> str:
        """Put a file away under its name, with a number where that is taken; returns where it is now."""
        self.files.make_directory(self.quarantine_directory)
        target = self.free_path(f"{self.quarantine_directory}/{path.rpartition('/')[2]}")
        self.durable.move(path, target)
        return target

    def free_path(self, path: str) -> str:
        """A path that nothing has yet: this one, or with ``.1``, ``.2`` and so on behind."""
        directory, _, name = path.rpartition("/")
        taken, number, free = self.durable.names(directory), 0, name
        while free in taken:
            number += 1
            free = f"{name}.{number}"
        return f"{directory}/{free}"

    def write_record(self, record: DeviceRecord) -> None:
        """Write a device's record."""
        fields = {
            "device_id": record.device_id,
            "size": record.size_bytes,
            "transaction_id": record.transaction_id,
            "initialized": record.initialized,
            "deleted": record.deleted,
        }
        self._write(self.record_path(record.hash_name), fields)

    def remove_record(self, hash_name: str) -> None:
        """Remove a device's record."""
        self.durable.remove(self.record_path(hash_name))

    def read_transaction(self) -> Transaction | None:
        """The last opened transaction; None where none was."""
        return self._parsed(f"{self.graph.records_directory}/{TRANSACTION_RECORD}", parse_transaction, None)

    def write_transaction(self, transaction: Transaction) -> None:
        """Write the opened (or, with the pool's own id, the closed) transaction."""
        fields = {
            "open_transaction_id": transaction.open_id,
            "device_hash": transaction.hash_name,
            "device_id": transaction.device_id,
        }
        self._write(f"{self.graph.records_directory}/{TRANSACTION_RECORD}", fields)

    def remove_transaction(self) -> None:
        """Forget the last opened transaction: the pool it was of is gone."""
        self.durable.remove(f"{self.graph.records_directory}/{TRANSACTION_RECORD}")

    def read_state(self) -> SetState:
        """State of the set; the defaults where there is none."""
        return self._parsed(f"{self.graph.records_directory}/{SET_RECORD}", parse_state, SetState())

    def write_state(self, state: SetState) -> None:
        """Write the state of the set."""
        fields = {
            "next_device_id": state.next_device_id,
            "BaseDeviceUUID": state.base_uuid,
            "BaseDeviceFilesystem": state.base_filesystem,
        }
        self._write(f"{self.graph.records_directory}/{SET_RECORD}", fields)

    def read_parents(self) -> dict[str, str]:
        """The parent of each device that we made; a device of the original is not in it."""
        return self._parsed(self.parents_path, parse_parents, dict[str, str]())

    def write_parents(self, parents: dict[str, str]) -> None:
        """Write the parents."""
        self._write(self.parents_path, dict(sorted(parents.items())))

    def read_mount_counts(self) -> dict[str, MountCount]:
        """The users of each device that we mounted; one whose mount has another number is void."""
        return self._parsed(self.mounts_path, parse_mount_counts, dict[str, MountCount]())

    def write_mount_counts(self, counts: dict[str, MountCount]) -> None:
        """Write the users of each mounted device."""
        fields = {name: {"count": each.count, "mount_id": each.mount_id} for name, each in sorted(counts.items())}
        self._write(self.mounts_path, fields)

    def audit(self, entry: dict[str, Any]) -> None:
        """Add an entry to the audit log."""
        self.durable.append(self.audit_path, json.dumps(entry, separators=(",", ":")))

    def _write(self, path: str, fields: dict[str, Any]) -> None:
        self.durable.write(path, json.dumps(fields, separators=(",", ":")).encode())

    def _parsed(self, path: str, parse: Callable[[bytes], _Parsed], default: _Parsed) -> _Parsed:
        try:
            return parse(self.durable.read(path))
        except (FileMissingError, IrregularFileError, BrokenFileError):
            return default


def parse_transaction(content: bytes) -> Transaction:
    """Read the last opened transaction; raises `BrokenFileError` where it is broken."""
    fields = parse_object(content)
    device_id = number_of(fields, "device_id")
    if not 0 <= device_id <= MAX_THIN_ID:
        raise BrokenFileError(f"device id {device_id} is out of range")
    return Transaction(number_of(fields, "open_transaction_id"), text_of(fields, "device_hash"), device_id)


def parse_state(content: bytes) -> SetState:
    """Read the state of the set; raises `BrokenFileError` where it is broken."""
    fields = {"next_device_id": 0, **parse_object(content)}
    return SetState(
        number_of(fields, "next_device_id"),
        text_of(fields, "BaseDeviceUUID"),
        text_of(fields, "BaseDeviceFilesystem"),
    )


def parse_parents(content: bytes) -> dict[str, str]:
    """Read the parent of each device; raises `BrokenFileError` where any is broken."""
    parents: dict[str, str] = {}
    for name, parent in parse_object(content).items():
        if not isinstance(parent, str):
            raise BrokenFileError(f"the parent of {name} is no name")
        parents[name] = parent
    return parents


def parse_mount_counts(content: bytes) -> dict[str, MountCount]:
    """Read the users of each mounted device; raises `BrokenFileError` where any are broken."""
    counts: dict[str, MountCount] = {}
    for name, entry in parse_object(content).items():
        if not isinstance(entry, dict):
            raise BrokenFileError(f"{name} has no count")
        fields = cast("dict[str, Any]", entry)
        counts[name] = MountCount(number_of(fields, "count"), number_of(fields, "mount_id"))
    return counts

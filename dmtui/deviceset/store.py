"""Writing the original's records and our few files beside them, each whole or not at all.

Theirs (``metadata/``): a record a device, ``deviceset-metadata``, ``transaction-metadata``, with the original's keys
in its order. Ours (``dmtui/``, a folder that the original never looks into): the parent of each device, the lock, the
audit log.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, cast

from dmtui.deviceset.graph import Graph
from dmtui.deviceset.records import BASE_RECORD, SET_RECORD, TRANSACTION_RECORD, DeviceRecord
from dmtui.machine.durable import DurableFiles, is_leftover
from dmtui.machine.errors import FileMissingError
from dmtui.machine.protocols import Files


@dataclass(frozen=True, slots=True)
class SetState:
    """State of the whole set; unknown texts are empty."""

    next_device_id: int = 0
    base_uuid: str = ""
    base_filesystem: str = ""


@dataclass(frozen=True, slots=True)
class Transaction:
    """The last opened transaction; its pool's transaction id reaches `open_id` when it is closed."""

    open_id: int
    hash_name: str = ""
    device_id: int = 0


@dataclass(frozen=True, slots=True)
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

    def write_record(self, record: DeviceRecord) -> None:
        """Write a device's record."""
        fields = {
            "device_id": record.device_id,
            "size": record.size_bytes,
            "transaction_id": record.transaction_id,
            "initialized": record.initialized,
            "deleted": record.deleted,
        }
        self._write(self._record_path(record.hash_name), fields)

    def remove_record(self, hash_name: str) -> None:
        """Remove a device's record."""
        self.durable.remove(self._record_path(hash_name))

    def read_transaction(self) -> Transaction | None:
        """The last opened transaction; None where none was, or where its file is broken (as the original has it)."""
        fields = self._read(f"{self.graph.records_directory}/{TRANSACTION_RECORD}")
        try:
            return Transaction(int(fields["open_transaction_id"]), str(fields["device_hash"]), int(fields["device_id"]))
        except (KeyError, TypeError, ValueError):
            return None

    def write_transaction(self, transaction: Transaction) -> None:
        """Write the opened (or, with the pool's own id, the closed) transaction."""
        fields = {
            "open_transaction_id": transaction.open_id,
            "device_hash": transaction.hash_name,
            "device_id": transaction.device_id,
        }
        self._write(f"{self.graph.records_directory}/{TRANSACTION_RECORD}", fields)

    def read_state(self) -> SetState | None:
        """State of the set: the defaults where there is none, None where its file is broken and must be left alone."""
        path = f"{self.graph.records_directory}/{SET_RECORD}"
        fields = self._read(path)
        if not fields and SET_RECORD in self.durable.names(self.graph.records_directory):
            return None
        next_id = fields.get("next_device_id", 0)
        return SetState(
            next_id if isinstance(next_id, int) else 0,
            str(fields.get("BaseDeviceUUID", "")),
            str(fields.get("BaseDeviceFilesystem", "")),
        )

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
        fields = self._read(f"{self.own_directory}/parents.json")
        return {name: parent for name, parent in fields.items() if isinstance(parent, str)}

    def write_parents(self, parents: dict[str, str]) -> None:
        """Write the parents."""
        self._write(f"{self.own_directory}/parents.json", dict(sorted(parents.items())))

    def audit(self, entry: dict[str, Any]) -> None:
        """Add an entry to the audit log."""
        self.durable.append(self.audit_path, json.dumps(entry, separators=(",", ":")))

    def _record_path(self, hash_name: str) -> str:
        return f"{self.graph.records_directory}/{hash_name or BASE_RECORD}"

    def _write(self, path: str, fields: dict[str, Any]) -> None:
        self.durable.write(path, json.dumps(fields, separators=(",", ":")).encode())

    def _read(self, path: str) -> dict[str, Any]:
        try:
            fields = json.loads(self.durable.read(path))
        except (FileMissingError, ValueError):
            return {}
        return cast("dict[str, Any]", fields) if isinstance(fields, dict) else {}

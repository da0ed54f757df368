"""Reading the original's records: one JSON file a device, and the state of the whole set. Nothing is written here.

Source: the on-disk layout of the original driver (files ``metadata/<hash>``, ``metadata/deviceset-metadata``). A
record that cannot be read is reported, never fatal: the original aborts its start over one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from dmtui.thinpool.errors import NotPermittedError
from dmtui.thinpool.units import MAX_THIN_ID

BASE_RECORD = "base"
SET_RECORD = "deviceset-metadata"
TRANSACTION_RECORD = "transaction-metadata"


@dataclass(frozen=True, slots=True)
class DeviceRecord:
    """What is recorded of one thin device; `hash_name` is empty for the base device."""

    hash_name: str
    device_id: int
    size_bytes: int
    transaction_id: int
    initialized: bool
    deleted: bool


@dataclass(frozen=True, slots=True)
class Records:
    """All records of a graph directory.

    Attributes:
        devices: by hash; the base device under the empty string.
        base_filesystem: file system of the base device, empty while unknown.
        broken: files that are no record, each with the reason.
    """

    devices: dict[str, DeviceRecord]
    base_filesystem: str
    broken: tuple[str, ...]

    @property
    def base_size_bytes(self) -> int | None:
        """Size of the base device, None while there is none."""
        return self.devices[""].size_bytes if "" in self.devices else None

    @property
    def deleted_count(self) -> int:
        """Devices that wait for their deferred deletion."""
        return sum(record.deleted for record in self.devices.values())


def read_records(directory: str) -> Records:
    """Read every record below a records directory; a missing directory has none.

    Raises:
        NotPermittedError: the directory or a file in it may not be read.
    """
    devices: dict[str, DeviceRecord] = {}
    base_filesystem, broken = "", list[str]()
    for path in _record_files(Path(directory)):
        try:
            fields = _read_object(path)
            if path.name == SET_RECORD:
                base_filesystem = str(fields.get("BaseDeviceFilesystem", ""))
            elif path.name != TRANSACTION_RECORD:
                record = _record("" if path.name == BASE_RECORD else path.name, fields)
                devices[record.hash_name] = record
        except PermissionError as error:
            raise _refused(path) from error
        except FileNotFoundError:
            continue  # removed since the listing: its owner is at work
        except (OSError, ValueError, TypeError, KeyError) as error:
            broken.append(f"record {path.name}: {error or type(error).__name__}")
    return Records(devices, base_filesystem, tuple(broken))


def _record_files(directory: Path) -> list[Path]:
    try:
        names = sorted(directory.iterdir())
    except FileNotFoundError:
        return []
    except NotADirectoryError:
        return []
    except PermissionError as error:
        raise _refused(directory) from error
    return [path for path in names if not path.name.startswith(".") and path.suffix != ".migrated" and path.is_file()]


def _read_object(path: Path) -> dict[str, Any]:
    fields = json.loads(path.read_bytes())
    if not isinstance(fields, dict):
        raise TypeError("is not a JSON object")
    return cast("dict[str, Any]", fields)


def _record(hash_name: str, fields: dict[str, Any]) -> DeviceRecord:
    record = DeviceRecord(
        hash_name,
        int(fields["device_id"]),
        int(fields["size"]),
        int(fields["transaction_id"]),
        bool(fields["initialized"]),
        bool(fields.get("deleted", False)),
    )
    if not 0 <= record.device_id <= MAX_THIN_ID or record.size_bytes < 0:
        raise ValueError(f"device id {record.device_id} or size {record.size_bytes} is out of range")
    return record


def _refused(path: Path) -> NotPermittedError:
    return NotPermittedError(str(path), "may not be read", "run as root")

"""Reading the original's records: one JSON file a device, and the state of the whole set. Nothing is written here.

Source: the on-disk layout of the original driver (files ``metadata/<hash>``, ``metadata/deviceset-metadata``, and
``devicemapper/json``, the one file of all records before 0.12). A record that cannot be read is reported, never fatal:
the original aborts its start over one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from dmtui.thinpool.errors import NotPermittedError
from dmtui.thinpool.sizes import MAX_SIZE_BYTES
from dmtui.thinpool.units import MAX_THIN_ID
from dmtui.thinpool.values import frozen

BASE_RECORD = "base"
SET_RECORD = "deviceset-metadata"
TRANSACTION_RECORD = "transaction-metadata"
_MIGRATED = ".migrated"
_MAX_NAME_BYTES = 255
_MAX_TRANSACTION_ID = 2**64 - 1


class BrokenFileError(ValueError):
    """What a file holds is not what its place asks for; the text says what is wrong, without the file's name."""


@frozen
class DeviceRecord:
    """What is recorded of one thin device; `hash_name` is empty for the base device."""

    hash_name: str
    device_id: int
    size_bytes: int
    transaction_id: int
    initialized: bool
    deleted: bool


@frozen
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


def read_records(directory: str, *, migrated_only: bool = False) -> Records:
    """Read every record below a records directory; a missing directory has none.

    What is still in the one file of an old release counts as recorded, unless a record of its own is newer.
    `migrated_only` leaves that file alone.

    Raises:
        NotPermittedError: the directory or a file in it may not be read.
    """
    devices: dict[str, DeviceRecord] = {}
    base_filesystem, broken = "", list[str]()
    for path in _record_files(Path(directory)):
        try:
            content = _content(path)
            if path.name == SET_RECORD:
                base_filesystem = text_of(parse_object(content), "BaseDeviceFilesystem")
            elif path.name == TRANSACTION_RECORD:
                parse_object(content)
            else:
                record = parse_record("" if path.name == BASE_RECORD else path.name, content)
                devices[record.hash_name] = record
        except PermissionError as error:
            raise _refused(path) from error
        except FileNotFoundError:
            continue  # removed since the listing: its owner is at work
        except (OSError, BrokenFileError) as error:
            broken.append(f"record {path.name}: {error}")
    if not migrated_only:
        devices = _read_legacy(Path(legacy_path(directory)), broken) | devices
    return Records(devices, base_filesystem, tuple(broken))


def _read_legacy(path: Path, broken: list[str]) -> dict[str, DeviceRecord]:
    try:
        return parse_legacy(_content(path))
    except PermissionError as error:
        raise _refused(path) from error
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, BrokenFileError) as error:
        broken.append(f"{path}: {error}")
    return {}


def is_record_file(name: str) -> bool:
    """Whether a file of this name in the records directory counts: temporaries and what was migrated do not."""
    return not name.startswith(".") and not name.endswith(_MIGRATED)


def legacy_path(directory: str) -> str:
    """The one file of all records of releases before 0.12, by the records directory."""
    return f"{Path(directory).parent}/devicemapper/json"


def parse_record(hash_name: str, content: bytes) -> DeviceRecord:
    """Read a record; raises `BrokenFileError` where it is none."""
    return _record(hash_name, parse_object(content))


def parse_legacy(content: bytes) -> dict[str, DeviceRecord]:
    """Read the one file of all records, by hash; raises `BrokenFileError` where any of it is broken."""
    entries = parse_object(content).get("Devices")
    if entries is None:
        return {}
    if not isinstance(entries, dict):
        raise BrokenFileError("its Devices are no JSON object")
    records: dict[str, DeviceRecord] = {}
    for name, fields in cast("dict[str, Any]", entries).items():
        if name and not _can_be_file(name):
            raise BrokenFileError(f"it has a device {name!r}, which cannot be a record of its own")
        if not isinstance(fields, dict):
            raise BrokenFileError(f"its device {name or BASE_RECORD} is no JSON object")
        records[name] = _record(name, cast("dict[str, Any]", fields))
    return records


def parse_object(content: bytes) -> dict[str, Any]:
    """Read a JSON object; raises `BrokenFileError` where it is none."""
    if not content.strip():
        raise BrokenFileError("is empty")
    try:
        fields = json.loads(content)
    except UnicodeDecodeError:
        raise BrokenFileError("is no text") from None
    except ValueError as error:
        raise BrokenFileError(f"is no JSON: {error}") from None
    except RecursionError:
        raise BrokenFileError("is nested too deeply") from None
    if not isinstance(fields, dict):
        raise BrokenFileError("is not a JSON object")
    return cast("dict[str, Any]", fields)


def number_of(fields: dict[str, Any], key: str) -> int:
    """A whole number of a JSON object; raises `BrokenFileError` where it is missing or something else."""
    if key not in fields:
        raise BrokenFileError(f"has no {key}")
    value = fields[key]
    if not isinstance(value, int) or isinstance(value, bool):
        raise BrokenFileError(f"{key} is {value!r}, no whole number")
    return value


def text_of(fields: dict[str, Any], key: str) -> str:
    """A text of a JSON object, empty where missing or null; raises `BrokenFileError` where it is something else."""
    value = fields.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BrokenFileError(f"{key} is {value!r}, no text")
    return value


def _record_files(directory: Path) -> list[Path]:
    """The files that count; a directory is left alone, as the original does, but not in the place of its own files."""
    try:
        paths = sorted(path for path in directory.iterdir() if is_record_file(path.name))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except PermissionError as error:
        raise _refused(directory) from error
    special = (BASE_RECORD, SET_RECORD, TRANSACTION_RECORD)
    return [path for path in paths if path.name in special or not path.is_dir()]


def _content(path: Path) -> bytes:
    """What is in a file; a pipe or device is not even opened."""
    if path.exists() and not path.is_file():
        raise BrokenFileError("is no regular file")
    return path.read_bytes()


def _can_be_file(name: str) -> bool:
    special = (BASE_RECORD, SET_RECORD, TRANSACTION_RECORD)
    signs = "/" not in name and "\0" not in name and len(name.encode(errors="replace")) <= _MAX_NAME_BYTES
    return signs and is_record_file(name) and name not in special


def _record(hash_name: str, fields: dict[str, Any]) -> DeviceRecord:
    if "initialized" not in fields:
        raise BrokenFileError("has no initialized")
    record = DeviceRecord(
        hash_name,
        number_of(fields, "device_id"),
        number_of(fields, "size"),
        number_of(fields, "transaction_id"),
        bool(fields["initialized"]),
        bool(fields.get("deleted", False)),
    )
    if not 0 <= record.device_id <= MAX_THIN_ID:
        raise BrokenFileError(f"device id {record.device_id} is out of range")
    if not 0 <= record.size_bytes <= MAX_SIZE_BYTES:
        raise BrokenFileError(f"size {record.size_bytes} is out of range")
    if not 0 <= record.transaction_id <= _MAX_TRANSACTION_ID:
        raise BrokenFileError(f"transaction id {record.transaction_id} is out of range")
    return record


def _refused(path: Path) -> NotPermittedError:
    return NotPermittedError(str(path), "may not be read", "run as root")

"""Keeping the files of a graph directory in order at the start of a writer, before anything of them is loaded.

Source: migrateOldMetaData and loadMetadata of the original. Mended: a broken file is put away and reported, where the
original does not start at all; an old release's records count as migrated only when all of them are written; what
killed writers left is removed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from dmtui.deviceset.records import (
    BASE_RECORD,
    SET_RECORD,
    TRANSACTION_RECORD,
    BrokenFileError,
    is_record_file,
    legacy_path,
    parse_legacy,
    parse_record,
    read_records,
)
from dmtui.deviceset.store import RecordStore, parse_mount_counts, parse_parents, parse_state, parse_transaction
from dmtui.machine.durable import IrregularFileError
from dmtui.machine.errors import FileMissingError
from dmtui.thinpool.values import frozen

_MIGRATED = ".migrated"
_STATE = re.compile(rf"({SET_RECORD}|{TRANSACTION_RECORD}|parents\.json|mounts\.json)(\.\d+)?")
"""Names in quarantine of what is no record of a device."""
_CONSEQUENCES = {
    TRANSACTION_RECORD: "; what it was about may be left in the pool: `dmtui pool reconcile` tells",
    SET_RECORD: "; file system and uuid of the base device are looked at anew",
    BASE_RECORD: "; without it the base device counts as missing",
}


def tidy(store: RecordStore) -> list[str]:
    """Remove what killed writers left, put broken files away, migrate old records; returns what was done, a line each.

    Raises:
        NotPermittedError: a file may not be read: it is not known to be broken.
        MachineError: the disk fails, or has no room to move or migrate. Whatever was done is done again at the next
            start.
    """
    store.remove_leftovers()
    return [*_quarantine(store), *_migrate(store), *_clashes(store)]


def _quarantine(store: RecordStore) -> Iterator[str]:
    for path, parse in _expected(store):
        reason = _fault(store, path, parse)
        if reason:
            name = path.removeprefix(f"{store.graph.directory}/")
            yield f"{name} {reason}: it was moved to {store.quarantine(path)}{_CONSEQUENCES.get(Path(path).name, '')}"


def _expected(store: RecordStore) -> Iterator[tuple[str, Callable[[bytes], object]]]:
    """Each file that is there, with what reads it."""
    directory = store.graph.records_directory
    special: dict[str, Callable[[bytes], object]] = {
        SET_RECORD: parse_state,
        TRANSACTION_RECORD: parse_transaction,
        BASE_RECORD: partial(parse_record, ""),
    }
    for name in store.durable.names(directory):
        path = f"{directory}/{name}"
        # A directory is not ours, and the original leaves it alone, but for one in the place of a file.
        if name in special or (is_record_file(name) and not Path(path).is_dir()):
            yield path, special.get(name) or partial(parse_record, name)
    there = store.durable.names(store.own_directory)
    for path, parse in ((store.parents_path, parse_parents), (store.mounts_path, parse_mount_counts)):
        if Path(path).name in there:
            yield path, parse


def _fault(store: RecordStore, path: str, parse: Callable[[bytes], object]) -> str:
    """What is wrong with a file that has been listed; empty where nothing is."""
    try:
        parse(store.durable.read(path))
    except FileMissingError:
        return "is a link that leads nowhere"
    except IrregularFileError:
        return "is no regular file"
    except BrokenFileError as error:
        return f"is broken ({error})"
    return ""


def _migrate(store: RecordStore) -> Iterator[str]:
    """Write each entry of an old release's one file as a record of its own.

    All or nothing: were the file to stay with an entry in it, that device would come back after its removal.
    """
    path = legacy_path(store.graph.records_directory)
    try:
        records = parse_legacy(store.durable.read(path))
    except FileMissingError:
        return
    except (IrregularFileError, BrokenFileError) as error:
        yield f"{path}, the records of an old release, is left as it is: {error}"
        return
    known = read_records(store.graph.records_directory, migrated_only=True).devices
    fresh = [record for name, record in records.items() if name not in known]
    for record in fresh:
        store.write_record(record)
    target = store.free_path(f"{path}{_MIGRATED}")
    store.durable.move(path, target)
    newer = len(records) - len(fresh)
    kept = f", {newer} had newer ones" if newer else ""
    yield f"{len(fresh)} records of an old release were migrated{kept}; its file is now {target}"


def _clashes(store: RecordStore) -> Iterator[str]:
    """Two records with one thin id: one of them is of a device that is gone, and nothing on file tells which."""
    claims: defaultdict[int, list[str]] = defaultdict(list)
    for name, record in sorted(read_records(store.graph.records_directory).devices.items()):
        claims[record.device_id].append(name or BASE_RECORD)
    for thin_id, names in sorted(claims.items()):
        if len(names) > 1:
            yield f"thin id {thin_id} is claimed by {' and '.join(names)}: `dmtui pool reconcile` tells more"


@frozen
class Quarantined:
    """What files in quarantine, and others that are broken, say of the pool.

    Attributes:
        claims: names of records, by the thin id that each claims.
        unreadable: files that may be records of any thin id.
    """

    claims: dict[int, str]
    unreadable: tuple[str, ...]


def read_quarantine(store: RecordStore) -> Quarantined:
    """See which thin ids belong to records in quarantine; nothing is changed.

    Raises:
        MachineError: a file cannot be read.
    """
    claims: dict[int, str] = {}
    unreadable = list(read_records(store.graph.records_directory).broken)
    for name in store.durable.names(store.quarantine_directory):
        path = f"{store.quarantine_directory}/{name}"
        if _STATE.fullmatch(name):
            continue
        try:
            claims[parse_record(name, store.durable.read(path)).device_id] = name
        except (FileMissingError, IrregularFileError, BrokenFileError):
            unreadable.append(path)
    return Quarantined(claims, tuple(unreadable))

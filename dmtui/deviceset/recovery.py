"""What a new start finishes or undoes after a kill: the open transaction, suspended parents, leftover temporaries.

Source: processPendingTransaction and rollbackTransaction of the original. Mended: the record goes with the thin id and
no stale entry stays; an id whose deletion fails is never freed but flagged for deferred deletion; the closed state is
written, so that a rollback is not repeated; a parent left suspended by a kill in the middle of a snapshot is resumed.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from dmtui.deviceset.poollink import PoolLink
from dmtui.deviceset.records import DeviceRecord, Records, read_records
from dmtui.deviceset.store import RecordStore, Transaction
from dmtui.machine.errors import DeviceBusyError, DeviceMissingError, NoSuchThinIdError
from dmtui.thinpool.status import PoolStatus
from dmtui.thinpool.table import THIN_POOL


def recover(store: RecordStore, pool: PoolLink) -> list[str]:
    """Bring records and pool together after whatever ended the last writer; returns what was done, a line each.

    Raises:
        MachineError: the pool refuses the change that is needed (read-only, say).
    """
    store.remove_leftovers()
    if not pool.exists() or _gives_no_figures(pool):
        return []  # nothing can be compared; what is open stays open until the pool is back
    notes = _resume_suspended(store, pool)
    transaction, current_id = store.read_transaction(), pool.transaction_id()
    if transaction is None or transaction.open_id == current_id:
        return notes
    if transaction.open_id < current_id:
        notes.append(
            f"the open transaction {transaction.open_id} is older than the pool's {current_id}: "
            "the records were restored from a copy, or somebody else uses the pool"
        )
        return notes
    notes.append(_roll_back(store, pool, transaction))
    store.write_transaction(replace(transaction, open_id=current_id))
    return notes


def _gives_no_figures(pool: PoolLink) -> bool:
    targets = pool.mapper.status(pool.name).targets
    return len(targets) != 1 or targets[0].type != THIN_POOL or PoolStatus.parse(targets[0].params).figures is None


def _roll_back(store: RecordStore, pool: PoolLink, transaction: Transaction) -> str:
    """Delete what the transaction was about: that undoes a creation and finishes a deletion."""
    name = store.graph.prefix.device_name(transaction.hash_name)
    subject = f"transaction {transaction.open_id} on {transaction.hash_name or 'base'} (id {transaction.device_id})"
    records = read_records(store.graph.records_directory)
    clash = next((each for each in records.devices.values() if each.device_id == transaction.device_id), None)
    if clash is not None and clash.hash_name != transaction.hash_name:
        return f"{subject} is not rolled back: {clash.hash_name or 'base'} has that id"
    with suppress(DeviceMissingError, DeviceBusyError):
        pool.mapper.remove(name)  # a busy one makes the deletion fail, which is told apart below
    try:
        pool.message(f"delete {transaction.device_id}")
    except NoSuchThinIdError:
        pass  # the kill came before the pool made it, or after it deleted it
    except DeviceBusyError:
        _flag_deleted(store, records, transaction)
        return f"{subject} waits: the device is busy, its deletion is deferred"
    store.remove_record(transaction.hash_name)
    _forget_parent(store, transaction.hash_name)
    return f"{subject} was rolled back"


def _flag_deleted(store: RecordStore, records: Records, transaction: Transaction) -> None:
    known = records.devices.get(transaction.hash_name)
    fresh = DeviceRecord(transaction.hash_name, transaction.device_id, 0, transaction.open_id, False, True)
    store.write_record(replace(known, deleted=True) if known else fresh)


def _forget_parent(store: RecordStore, hash_name: str) -> None:
    parents = store.read_parents()
    if parents.pop(hash_name, None) is not None:
        store.write_parents(parents)


def _resume_suspended(store: RecordStore, pool: PoolLink) -> list[str]:
    """A snapshot suspends its parent for a moment; a kill in that moment would leave its users hanging for ever."""
    notes: list[str] = []
    prefix = f"{store.graph.prefix}-"
    for entry in pool.mapper.list_devices():
        if not entry.name.startswith(prefix):
            continue
        try:
            if pool.mapper.info(entry.name).suspended:
                pool.mapper.resume(entry.name)
                notes.append(f"{entry.name} was left suspended and is resumed")
        except DeviceMissingError:
            continue
    return notes

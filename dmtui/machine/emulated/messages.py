"""Messages to a pool: create_thin, create_snap, delete and the others, with the kernel's checks in its order."""

from __future__ import annotations

import errno
from collections.abc import Callable

from dmtui.machine.emulated.disks import CommitFailedError
from dmtui.machine.emulated.metadata import MetadataFullError
from dmtui.machine.emulated.pool import Pool
from dmtui.machine.emulated.tables import RefusedError, kernel_number, read_thin_id, split_message


def obey(pool: Pool, text: str, is_active: Callable[[int], bool]) -> None:
    """Do what a message says and commit.

    As in the kernel a commit that fails breaks the pool but not the message, which was carried out.

    `is_active` tells whether any table has a thin id open.

    Raises:
        RefusedError: the kernel would refuse it; no mapping has changed.
        MetadataFullError: not one metadata block is left.
    """
    if not pool.state.mode.serves_messages:
        raise RefusedError(errno.EOPNOTSUPP, "unable to service pool target messages in READ_ONLY or FAIL mode")
    verb, *words = split_message(text)
    known = _VERBS.get(verb.lower())
    if known is None:
        raise RefusedError(errno.EINVAL, f"Unrecognised thin pool target message received: {verb}")
    count, act = known
    if len(words) != count:
        received = f"Message received with {len(words) + 1} arguments instead of {count + 1}."
        raise RefusedError(errno.EINVAL, received)
    try:
        act(pool, words, is_active)
    except MetadataFullError:
        pool.ran_full = True
        raise
    pool.commit()


def _check_readable(readable: bool, failed: str) -> None:
    if not readable:
        raise RefusedError(errno.EIO, failed)


def _knows_thins(pool: Pool) -> bool:
    """Look among the thins: whether it can be told which there are."""
    pool.host.reach.note_details()
    return pool.host.reach.has_details()


def _create_thin(pool: Pool, words: list[str], _: Callable[[int], bool]) -> None:
    thin_id = read_thin_id(words[0])
    readable, known = pool.use(), _knows_thins(pool)
    failed = f"Creation of new thinly-provisioned device with id {thin_id} failed."
    if known and thin_id in pool.metadata.thins:
        raise RefusedError(errno.EEXIST, failed)
    _check_readable(readable and known, failed)
    pool.metadata.create_thin(thin_id)
    pool.host.reach.note(thin_id)


def _create_snap(pool: Pool, words: list[str], _: Callable[[int], bool]) -> None:
    thin_id, origin_id = map(read_thin_id, words)
    readable, known = pool.use(), _knows_thins(pool)
    failed = f"Creation of new snapshot {thin_id} of device {origin_id} failed."
    if known and thin_id in pool.metadata.thins:
        raise RefusedError(errno.EEXIST, failed)
    if known and origin_id not in pool.metadata.thins:
        raise RefusedError(errno.ENODATA, failed)
    _check_readable(readable and known, failed)
    pool.metadata.create_snapshot(thin_id, origin_id)
    pool.host.reach.note_shared(thin_id, origin_id)


def _delete(pool: Pool, words: list[str], is_active: Callable[[int], bool]) -> None:
    thin_id = read_thin_id(words[0])
    readable, known = pool.use(), _knows_thins(pool)
    failed = f"Deletion of thin device {thin_id} failed."
    if known and thin_id not in pool.metadata.thins:
        raise RefusedError(errno.ENODATA, failed)
    if is_active(thin_id):
        raise RefusedError(errno.EBUSY, failed)
    _check_readable(readable and known, failed)
    pool.metadata.delete_thin(thin_id)


def _set_transaction_id(pool: Pool, words: list[str], _: Callable[[int], bool]) -> None:
    old, new = map(kernel_number, words)
    if old is None:
        raise RefusedError(errno.EINVAL, f"set_transaction_id message: Unrecognised id {words[0]}.")
    if new is None:
        raise RefusedError(errno.EINVAL, f"set_transaction_id message: Unrecognised new id {words[1]}.")
    pool.use()
    if old != pool.metadata.superblock.transaction_id:
        raise RefusedError(errno.EINVAL, f"Failed to change transaction id from {old} to {new}.")
    pool.metadata.superblock.transaction_id = new


def _reserve(pool: Pool, _: list[str], __: Callable[[int], bool]) -> None:
    try:
        pool.commit()
    except CommitFailedError as failed:
        pool.refused = 0 if failed.readable else errno.EINVAL  # nothing can be reserved in a pool that has failed
        raise
    readable = pool.use()
    if pool.metadata.superblock.held_block >= 0:
        raise RefusedError(errno.EBUSY, "Pool metadata snapshot already exists: release this before taking another.")
    _check_readable(readable, "reserve_metadata_snap message failed.")
    pool.metadata.hold()


def _release(pool: Pool, _: list[str], __: Callable[[int], bool]) -> None:
    readable = pool.use()
    if pool.metadata.superblock.held_block < 0:
        raise RefusedError(errno.EINVAL, "No pool metadata snapshot found: nothing to release.")
    _check_readable(readable, "release_metadata_snap message failed.")
    pool.metadata.release()


_VERBS: dict[str, tuple[int, Callable[[Pool, list[str], Callable[[int], bool]], None]]] = {
    "create_thin": (1, _create_thin),
    "create_snap": (2, _create_snap),
    "delete": (1, _delete),
    "set_transaction_id": (2, _set_transaction_id),
    "reserve_metadata_snap": (0, _reserve),
    "release_metadata_snap": (0, _release),
}

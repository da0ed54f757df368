"""The status lines of the emulated machine's targets, to the byte those of the kernel (target version 1.22)."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

from dmtui.machine.emulated.devices import LoadedTarget, size_sectors
from dmtui.machine.emulated.poolstate import Mode, load_state, metadata_mark_blocks
from dmtui.machine.emulated.unread import Reach
from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.table import THIN, THIN_POOL, PoolTable, Target
from dmtui.thinpool.units import MAX_METADATA_BLOCKS, METADATA_BLOCK_SECTORS

FAIL = "Fail"
ERROR = "Error"


def status_params(connection: sqlite3.Connection, target: LoadedTarget) -> str:
    """The words behind the type in a target's status line; nothing is committed."""
    if target.type == THIN_POOL:
        return _pool(connection, target)
    if target.type == THIN:
        return _thin(connection, target)
    return ""


def table_line(connection: sqlite3.Connection, target: LoadedTarget) -> Target:
    """A line of the live table; the kernel hides that of a thin device whose pool failed behind its one word."""
    line = target.target()
    if target.type == THIN and _thin(connection, target) == FAIL:
        return replace(line, params=FAIL)
    return line


def _pool(connection: sqlite3.Connection, target: LoadedTarget) -> str:
    row = connection.execute(
        "SELECT transaction_id, used_metadata, total_metadata, used_data, total_data, held_block, mode, discard,"
        " error_if_no_space, needs_check FROM metadata JOIN pools ON pools.metadata_id = metadata.id WHERE id = ?",
        (target.metadata_id,),
    ).fetchone()
    device = DeviceNumber.parse(PoolTable.parse(target.params).metadata_device)
    size_blocks = (size_sectors(connection, device) or 0) // METADATA_BLOCK_SECTORS
    txid, used_metadata, total_metadata, used, total, held, mode, discard, error, needs_check = row
    if mode == Mode.FAIL.name:
        return FAIL
    words = (
        txid,
        f"{used_metadata}/{total_metadata}",
        f"{used}/{total}",
        "-" if held < 0 else held,
        Mode[mode].word,
        discard,
        "error_if_no_space" if error else "queue_if_no_space",
        "needs_check" if needs_check else "-",
        metadata_mark_blocks(min(size_blocks, MAX_METADATA_BLOCKS)),
    )
    return " ".join(map(str, words)) + " "


def _thin(connection: sqlite3.Connection, target: LoadedTarget) -> str:
    row = connection.execute(
        "SELECT coalesce(json_extract(lost, '$.' || json_quote(CAST(thin_id AS TEXT))), mapped), highest, mode,"
        " json_extract(state, '$.superblock.block_sectors') FROM thins"
        " JOIN pools USING (metadata_id) JOIN metadata ON metadata.id = thins.metadata_id"
        " WHERE thins.metadata_id = ? AND thin_id = ?",
        (target.metadata_id, target.thin_id),
    ).fetchone()
    if row is None:
        state = load_state(connection, target.metadata_id) if target.metadata_id is not None else None
        return ERROR if state is not None and state.mode is not Mode.FAIL else FAIL
    if row[2] == Mode.FAIL.name:
        return FAIL
    mapped, highest, _, block_sectors = row
    assert target.metadata_id is not None and target.thin_id is not None  # noqa: S101 - a row was found by them
    if not Reach(connection, target.metadata_id).has_mappings(target.thin_id):
        return ERROR
    return thin_words(mapped, highest, block_sectors)


def thin_words(mapped_blocks: int, highest_block: int, block_sectors: int) -> str:
    """The words of a thin device that works; its highest block is -1 where it has none."""
    highest = (highest_block + 1) * block_sectors - 1 if highest_block >= 0 else "-"
    return f"{mapped_blocks * block_sectors} {highest}"

"""The status lines of the emulated machine's targets, to the byte those of the kernel (target version 1.22)."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

from dmtui.machine.emulated.devices import LoadedTarget
from dmtui.machine.emulated.pool import Mode
from dmtui.thinpool.table import THIN, THIN_POOL, Target

FAIL = "Fail"


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
        min(1024, total_metadata // 4),
    )
    return " ".join(map(str, words)) + " "


def _thin(connection: sqlite3.Connection, target: LoadedTarget) -> str:
    row = connection.execute(
        "SELECT mapped, highest, mode, json_extract(state, '$.superblock.block_sectors') FROM thins"
        " JOIN pools USING (metadata_id) JOIN metadata ON metadata.id = thins.metadata_id"
        " WHERE thins.metadata_id = ? AND thin_id = ?",
        (target.metadata_id, target.thin_id),
    ).fetchone()
    if row is None or row[2] == Mode.FAIL.name:
        return FAIL
    mapped, highest, _, block_sectors = row
    return f"{mapped * block_sectors} {(highest + 1) * block_sectors - 1}" if mapped else "0 -"

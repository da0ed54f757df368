"""Status of all thin devices by one question to the store: ten thousand single ones would take half a second."""

from __future__ import annotations

import json
import sqlite3

from dmtui.machine.emulated.devices import DM_MAJOR
from dmtui.machine.emulated.poolstate import Mode
from dmtui.machine.emulated.statuslines import FAIL, thin_words
from dmtui.machine.emulated.unread import Reach
from dmtui.machine.protocols import DeviceInfo, DeviceReading
from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.table import THIN, Target

_Row = tuple[str, int, str, int, int, int, int, int, int, int, int, int, int, int, int]
_Pool = tuple[str, int, str, int]

_POOLS = """
SELECT metadata_id, mode, suspended, lost, json_extract(state, '$.superblock.block_sectors') FROM pools
    JOIN devices USING (minor) JOIN metadata ON metadata.id = metadata_id"""
_THINS = """
SELECT d.name, d.minor, d.uuid, d.event_nr, d.suspended, d.read_only, d.deferred, d.opened, d.users, t.start_sectors,
    t.length_sectors, t.metadata_id, t.thin_id, mapped, highest FROM targets t JOIN devices d USING (minor)
    JOIN thins USING (metadata_id, thin_id) WHERE t.type = ? AND t.live AND t.number = 0
    AND NOT EXISTS (SELECT 1 FROM targets o WHERE o.minor = t.minor AND (o.number > 0 OR NOT o.live))"""


class ThinReadings:
    """Keeps the readings of thin devices, to be told again while nothing that they depend on has changed."""

    def __init__(self) -> None:
        self._pools: dict[int, _Pool] = {}
        self._kept: dict[str, tuple[_Row, DeviceReading]] = {}

    def read(self, connection: sqlite3.Connection) -> dict[str, DeviceReading]:
        """The reading of each thin device by its name, but of those with several targets or a table that waits."""
        # Each thin may tell something else where the metadata's disk is broken.
        pools = {
            metadata_id: tuple(words)
            for metadata_id, *words in connection.execute(_POOLS).fetchall()
            if Reach(connection, metadata_id).is_whole()
        }
        if pools != self._pools:
            self._pools, self._kept = pools, {}
        lost = {metadata_id: json.loads(pool[2]) for metadata_id, pool in pools.items()}
        before, self._kept = self._kept, {}
        for row in connection.execute(_THINS, (THIN,)):
            kept = before.get(row[0])
            if kept is None or kept[0] != row:
                pool = pools.get(row[11])
                if pool is None:
                    continue
                kept = (row, _reading(row, pool, lost[row[11]]))
            self._kept[row[0]] = kept
        return {name: reading for name, (_, reading) in self._kept.items()}


def _reading(row: _Row, pool: _Pool, lost: dict[str, int]) -> DeviceReading:
    name, minor, uuid, event_nr, suspended, read_only, deferred, opened, users, *rest = row
    start, length, _, thin_id, mapped, highest = rest
    mode, pool_suspended, _, block_sectors = pool
    info = DeviceInfo(
        name=name,
        uuid=uuid,
        dev=DeviceNumber(DM_MAJOR, minor),
        open_count=opened + users,
        event_nr=event_nr,
        suspended=bool(suspended),
        read_only=bool(read_only),
        deferred_remove=bool(deferred),
        internal_suspend=bool(pool_suspended),
    )
    words = thin_words(lost.get(str(thin_id), mapped), highest, block_sectors)
    params = FAIL if mode == Mode.FAIL.name else words
    return DeviceReading(info, (Target(start, length, THIN, params),))

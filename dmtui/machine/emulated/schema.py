"""The tables of the emulated machine's store, as a chain of steps: a store of any older version is led up to ours."""

from __future__ import annotations

import sqlite3

_FIRST = """
CREATE TABLE settings (key TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE files (
    inode INTEGER PRIMARY KEY, path TEXT UNIQUE, old_path TEXT NOT NULL, directory INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL, allocated_bytes INTEGER NOT NULL);
CREATE TABLE file_chunks (
    inode INTEGER NOT NULL, chunk INTEGER NOT NULL, granules BLOB NOT NULL, PRIMARY KEY (inode, chunk));
CREATE TABLE loops (
    number INTEGER PRIMARY KEY, inode INTEGER NOT NULL, size_bytes INTEGER NOT NULL,
    autoclear INTEGER NOT NULL, read_only INTEGER NOT NULL);
CREATE TABLE loop_holders (number INTEGER NOT NULL, pid INTEGER NOT NULL);
CREATE TABLE devices (
    minor INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, uuid TEXT NOT NULL, event_nr INTEGER NOT NULL DEFAULT 0,
    suspended INTEGER NOT NULL DEFAULT 0, read_only INTEGER NOT NULL DEFAULT 0,
    deferred INTEGER NOT NULL DEFAULT 0, opened INTEGER NOT NULL DEFAULT 0, users INTEGER NOT NULL DEFAULT 0);
CREATE INDEX devices_deferred ON devices (minor) WHERE deferred;
CREATE UNIQUE INDEX devices_by_uuid ON devices (uuid) WHERE uuid <> '';
CREATE TABLE targets (
    minor INTEGER NOT NULL, live INTEGER NOT NULL, number INTEGER NOT NULL, read_only INTEGER NOT NULL,
    start_sectors INTEGER NOT NULL, length_sectors INTEGER NOT NULL, type TEXT NOT NULL, params TEXT NOT NULL,
    metadata_id INTEGER, thin_id INTEGER, PRIMARY KEY (minor, live, number)) WITHOUT ROWID;
CREATE INDEX targets_by_thin ON targets (metadata_id, thin_id);
CREATE TABLE uses (
    minor INTEGER NOT NULL, live INTEGER NOT NULL, used_major INTEGER NOT NULL, used_minor INTEGER NOT NULL);
CREATE INDEX uses_by_used ON uses (used_major, used_minor);
CREATE INDEX uses_by_user ON uses (minor, live);
CREATE TRIGGER uses_begin AFTER INSERT ON uses WHEN NEW.used_major = 254 AND (SELECT count(*) FROM uses
    WHERE minor = NEW.minor AND used_major = 254 AND used_minor = NEW.used_minor) = 1
    BEGIN UPDATE devices SET users = users + 1 WHERE minor = NEW.used_minor; END;
CREATE TRIGGER uses_end AFTER DELETE ON uses WHEN OLD.used_major = 254 AND NOT EXISTS (SELECT 1 FROM uses
    WHERE minor = OLD.minor AND used_major = 254 AND used_minor = OLD.used_minor)
    BEGIN UPDATE devices SET users = users - 1 WHERE minor = OLD.used_minor; END;
CREATE TABLE metadata (
    id INTEGER PRIMARY KEY, inode INTEGER NOT NULL, offset_sectors INTEGER NOT NULL, state TEXT NOT NULL,
    used_metadata INTEGER NOT NULL, total_metadata INTEGER NOT NULL, used_data INTEGER NOT NULL,
    total_data INTEGER NOT NULL, transaction_id TEXT NOT NULL, held_block INTEGER NOT NULL,
    needs_check INTEGER NOT NULL, UNIQUE (inode, offset_sectors));
CREATE TABLE pools (
    metadata_id INTEGER PRIMARY KEY, minor INTEGER NOT NULL, mode TEXT NOT NULL, error_if_no_space INTEGER NOT NULL,
    low_water_triggered INTEGER NOT NULL, low_water_blocks TEXT NOT NULL, metadata_low_triggered INTEGER NOT NULL,
    discard TEXT NOT NULL,
    requested TEXT NOT NULL);
CREATE TABLE leaks (pid INTEGER PRIMARY KEY, minor INTEGER NOT NULL);
CREATE TABLE thins (
    metadata_id INTEGER NOT NULL, thin_id INTEGER NOT NULL, mapped INTEGER NOT NULL, highest INTEGER NOT NULL,
    transaction_id TEXT NOT NULL, creation_time INTEGER NOT NULL, snapshotted_time INTEGER NOT NULL,
    PRIMARY KEY (metadata_id, thin_id)) WITHOUT ROWID;
CREATE TABLE nodes (id INTEGER PRIMARY KEY, node BLOB NOT NULL);
CREATE TABLE bitmaps (
    metadata_id INTEGER NOT NULL, space TEXT NOT NULL, bitmap INTEGER NOT NULL, counters BLOB NOT NULL,
    PRIMARY KEY (metadata_id, space, bitmap));
"""

_SECOND = """
CREATE TABLE filesystems (
    metadata_id INTEGER NOT NULL, thin_id INTEGER NOT NULL, kind TEXT NOT NULL, uuid TEXT NOT NULL,
    made_bytes INTEGER NOT NULL, size_bytes INTEGER NOT NULL, own_blocks INTEGER NOT NULL, entries TEXT NOT NULL,
    stale TEXT NOT NULL, PRIMARY KEY (metadata_id, thin_id)) WITHOUT ROWID;
CREATE TABLE mounts (
    id INTEGER PRIMARY KEY AUTOINCREMENT, directory TEXT NOT NULL, major INTEGER NOT NULL, minor INTEGER NOT NULL,
    kind TEXT NOT NULL, options TEXT NOT NULL, retries INTEGER);
CREATE INDEX mounts_by_directory ON mounts (directory);
CREATE TABLE held_thins (
    metadata_id INTEGER NOT NULL, thin_id INTEGER NOT NULL, mapped INTEGER NOT NULL, transaction_id TEXT NOT NULL,
    creation_time INTEGER NOT NULL, snapshotted_time INTEGER NOT NULL,
    PRIMARY KEY (metadata_id, thin_id)) WITHOUT ROWID;
INSERT INTO held_thins SELECT metadata_id, thin_id, mapped, thins.transaction_id, creation_time, snapshotted_time
    FROM thins JOIN metadata ON metadata.id = thins.metadata_id WHERE held_block >= 0;
CREATE TRIGGER thins_end AFTER DELETE ON thins
    BEGIN DELETE FROM filesystems WHERE metadata_id = OLD.metadata_id AND thin_id = OLD.thin_id; END;
CREATE TRIGGER held_begin AFTER UPDATE OF held_block ON metadata WHEN OLD.held_block < 0 AND NEW.held_block >= 0
    BEGIN INSERT INTO held_thins SELECT metadata_id, thin_id, mapped, transaction_id, creation_time, snapshotted_time
    FROM thins WHERE metadata_id = NEW.id; END;
CREATE TRIGGER held_end AFTER UPDATE OF held_block ON metadata WHEN OLD.held_block >= 0 AND NEW.held_block < 0
    BEGIN DELETE FROM held_thins WHERE metadata_id = NEW.id; END;
CREATE TRIGGER metadata_end AFTER DELETE ON metadata
    BEGIN DELETE FROM held_thins WHERE metadata_id = OLD.id; END;
"""

_THIRD = """
ALTER TABLE pools RENAME TO old_pools;
CREATE TABLE pools (
    metadata_id INTEGER PRIMARY KEY, minor INTEGER NOT NULL, mode TEXT NOT NULL, error_if_no_space INTEGER NOT NULL,
    low_water_triggered INTEGER NOT NULL, low_water_blocks TEXT NOT NULL, discard TEXT NOT NULL,
    requested TEXT NOT NULL, metadata_mark INTEGER NOT NULL, metadata_seen_free INTEGER NOT NULL, lost TEXT NOT NULL);
INSERT INTO pools SELECT metadata_id, minor, mode, error_if_no_space, low_water_triggered, low_water_blocks, discard,
    requested, min(1024, total_metadata / 4), -1, '{}' FROM old_pools JOIN metadata ON metadata.id = metadata_id;
DROP TABLE old_pools;
ALTER TABLE uses ADD COLUMN read_only INTEGER NOT NULL DEFAULT 0;
DROP TRIGGER uses_begin;
DROP TRIGGER uses_end;
CREATE TRIGGER uses_begin AFTER INSERT ON uses WHEN NEW.used_major = 254 AND (SELECT count(*) FROM uses
    WHERE minor = NEW.minor AND used_major = 254 AND used_minor = NEW.used_minor AND read_only = NEW.read_only) = 1
    BEGIN UPDATE devices SET users = users + 1 WHERE minor = NEW.used_minor; END;
CREATE TRIGGER uses_end AFTER DELETE ON uses WHEN OLD.used_major = 254 AND NOT EXISTS (SELECT 1 FROM uses
    WHERE minor = OLD.minor AND used_major = 254 AND used_minor = OLD.used_minor AND read_only = OLD.read_only)
    BEGIN UPDATE devices SET users = users - 1 WHERE minor = OLD.used_minor; END;
"""

_FOURTH = """
CREATE TABLE faults (
    kind TEXT NOT NULL, subject TEXT NOT NULL, inode INTEGER, seconds REAL, PRIMARY KEY (kind, subject)) WITHOUT ROWID;
"""

_FIFTH = """
ALTER TABLE pools ADD COLUMN wait_until INTEGER;
CREATE INDEX pools_by_wait ON pools (wait_until) WHERE wait_until IS NOT NULL;
UPDATE pools SET wait_until = 0 WHERE mode = 'OUT_OF_DATA_SPACE' AND NOT error_if_no_space;
"""

_SIXTH = """
CREATE TABLE kernel_log (id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, text TEXT NOT NULL);
"""

_SEVENTH = """
CREATE TABLE processes (
    pid INTEGER PRIMARY KEY, command TEXT NOT NULL, namespace INTEGER NOT NULL, how TEXT NOT NULL,
    minor INTEGER NOT NULL, mount_id INTEGER, path TEXT NOT NULL);
CREATE INDEX processes_by_device ON processes (minor);
INSERT INTO processes SELECT pid, 'sleep', 4026531841 + pid, 'leak', minor, NULL, '/mnt' FROM leaks;
DROP TABLE leaks;
"""

# The signs of addition keep the count from going over all users of a pool instead of the few devices that one user has.
_EIGHTH = """
DROP TRIGGER uses_begin;
DROP TRIGGER uses_end;
CREATE TRIGGER uses_begin AFTER INSERT ON uses WHEN NEW.used_major = 254 AND (SELECT count(*) FROM uses
    WHERE minor = NEW.minor AND +used_major = 254 AND +used_minor = NEW.used_minor AND read_only = NEW.read_only) = 1
    BEGIN UPDATE devices SET users = users + 1 WHERE minor = NEW.used_minor; END;
CREATE TRIGGER uses_end AFTER DELETE ON uses WHEN OLD.used_major = 254 AND NOT EXISTS (SELECT 1 FROM uses
    WHERE minor = OLD.minor AND +used_major = 254 AND +used_minor = OLD.used_minor AND read_only = OLD.read_only)
    BEGIN UPDATE devices SET users = users - 1 WHERE minor = OLD.used_minor; END;
"""

_NINTH = """
CREATE TABLE queued_io (
    number INTEGER PRIMARY KEY AUTOINCREMENT, minor INTEGER NOT NULL, kind TEXT NOT NULL, ranges TEXT NOT NULL,
    error INTEGER);
CREATE INDEX queued_io_waiting ON queued_io (number) WHERE error IS NULL;
"""

_TENTH = """
ALTER TABLE pools ADD COLUMN in_service INTEGER NOT NULL DEFAULT 1;
ALTER TABLE queued_io ADD COLUMN failed INTEGER NOT NULL DEFAULT 0;
CREATE TABLE read_thins (
    metadata_id INTEGER NOT NULL, thin_id INTEGER NOT NULL, PRIMARY KEY (metadata_id, thin_id)) WITHOUT ROWID;
"""

_ELEVENTH = """
ALTER TABLE queued_io ADD COLUMN turn INTEGER NOT NULL DEFAULT 0;
ALTER TABLE queued_io ADD COLUMN aside INTEGER NOT NULL DEFAULT 0;
ALTER TABLE targets ADD COLUMN origin_sectors INTEGER;
"""

_TWELFTH = """
ALTER TABLE pools ADD COLUMN open INTEGER NOT NULL DEFAULT 0;
ALTER TABLE pools ADD COLUMN ticking INTEGER NOT NULL DEFAULT 0;
ALTER TABLE pools ADD COLUMN committed_at INTEGER NOT NULL DEFAULT 0;
CREATE TABLE before_metadata (
    id INTEGER PRIMARY KEY, state TEXT NOT NULL, used_metadata INTEGER NOT NULL, total_metadata INTEGER NOT NULL,
    used_data INTEGER NOT NULL, total_data INTEGER NOT NULL, transaction_id TEXT NOT NULL, held_block INTEGER NOT NULL,
    needs_check INTEGER NOT NULL, taken TEXT);
CREATE TABLE before_nodes (id INTEGER PRIMARY KEY, node BLOB);
CREATE TABLE before_bitmaps (
    metadata_id INTEGER NOT NULL, space TEXT NOT NULL, bitmap INTEGER NOT NULL, counters BLOB,
    PRIMARY KEY (metadata_id, space, bitmap));
CREATE TABLE before_thins (
    metadata_id INTEGER NOT NULL, thin_id INTEGER NOT NULL, mapped INTEGER NOT NULL, highest INTEGER NOT NULL,
    transaction_id TEXT NOT NULL, creation_time INTEGER NOT NULL, snapshotted_time INTEGER NOT NULL,
    PRIMARY KEY (metadata_id, thin_id)) WITHOUT ROWID;
"""

_THIRTEENTH = """
ALTER TABLE queued_io RENAME TO queued_before;
DROP INDEX queued_io_waiting;
CREATE TABLE queued_io (
    number INTEGER PRIMARY KEY AUTOINCREMENT, minor INTEGER NOT NULL, kind TEXT NOT NULL, parts TEXT NOT NULL,
    failed INTEGER NOT NULL DEFAULT 0, aside INTEGER NOT NULL DEFAULT 0, error INTEGER);
INSERT INTO queued_io SELECT number, minor, kind, (
    SELECT json_group_array(json_array(json_extract(value, '$[0]'), json_extract(value, '$[1]'), 'apart', turn))
    FROM json_each(ranges)), failed, aside, error FROM queued_before;
DROP TABLE queued_before;
CREATE INDEX queued_io_waiting ON queued_io (number) WHERE error IS NULL;
"""

_STEPS = (
    *(_FIRST, _SECOND, _THIRD, _FOURTH, _FIFTH, _SIXTH, _SEVENTH),
    *(_EIGHTH, _NINTH, _TENTH, _ELEVENTH, _TWELFTH, _THIRTEENTH),
)
SCHEMA_VERSION = len(_STEPS)


def upgrade(connection: sqlite3.Connection, version: int) -> None:
    """Lead a store of an older version (0: an empty one) up to ours, inside the transaction under way."""
    for step in _STEPS[version:]:
        for statement in step.split(";\n"):
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

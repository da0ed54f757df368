"""A store of an older version is led up to ours as it is opened, and loses nothing."""

import multiprocessing
import sqlite3

import pytest

from dmtui.machine.emulated import EmulatedMachine
from dmtui.machine.emulated.schema import SCHEMA_VERSION
from dmtui.machine.tools import ThinEntry
from tests.machine.emulated.bench import BLOCK, Bench

spawn = multiprocessing.get_context("spawn")

FIRST_SCHEMA = """
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


TABLES = [
    "settings",
    "files",
    "file_chunks",
    "loops",
    "loop_holders",
    "devices",
    "metadata",
    "pools",
    "thins",
    "nodes",
    "bitmaps",
    "targets",
    "uses",
]


OLD_COLUMNS = {
    "pools": "metadata_id, minor, mode, error_if_no_space, low_water_triggered, low_water_blocks, 0, discard,"
    " requested",
    "uses": "minor, live, used_major, used_minor",
    "targets": "minor, live, number, read_only, start_sectors, length_sectors, type, params, metadata_id, thin_id",
}
"""What a new table has of the first version's."""


@pytest.fixture
def old(tmp_path):
    """The directory of a version 1 store with a pool, a thin device written to, and a held metadata snapshot."""
    machine = EmulatedMachine.open(tmp_path / "new")
    bench = Bench(machine)
    bench.thin(1)
    bench.write("t1", 0, 1, 2)
    bench.msg("reserve_metadata_snap")
    machine.close()
    (tmp_path / "old").mkdir(mode=0o700)
    connection = sqlite3.connect(tmp_path / "old" / "machine.sqlite3", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    for statement in FIRST_SCHEMA.split(";\n"):
        connection.execute(statement)
    connection.execute(f"ATTACH '{tmp_path / 'new' / 'machine.sqlite3'}' AS new")
    users = connection.execute("SELECT minor, users FROM new.devices").fetchall()
    for table in TABLES:
        columns = OLD_COLUMNS.get(table, "*")
        connection.execute(f"INSERT INTO main.{table} SELECT {columns} FROM new.{table}")
    connection.executemany("UPDATE main.devices SET users = ? WHERE minor = ?", [(n, minor) for minor, n in users])
    connection.execute("INSERT INTO main.leaks VALUES (4242, 1)")
    connection.execute("PRAGMA main.application_id = 1684894837")
    connection.execute("PRAGMA main.user_version = 1")
    connection.close()
    return tmp_path / "old"


def version(directory) -> int:
    connection = sqlite3.connect(directory / "machine.sqlite3")
    try:
        return connection.execute("PRAGMA user_version").fetchone()[0]
    finally:
        connection.close()


def test_an_old_store_opens_with_all_that_is_in_it(old):
    machine = EmulatedMachine.open(old)
    assert not machine.is_new
    assert str(machine.device_mapper.status("t1").targets[0]) == "0 128000 thin 384 383"
    assert machine.device_mapper.info("p").open_count == 1
    machine.close()
    assert version(old) == SCHEMA_VERSION == 13


def test_a_pool_that_waited_for_space_in_it_has_waited_long_enough(old):
    connection = sqlite3.connect(old / "machine.sqlite3")
    with connection:
        connection.execute("UPDATE pools SET mode = 'OUT_OF_DATA_SPACE'")
    connection.close()
    machine = EmulatedMachine.open(old)
    assert "out_of_data_space discard_passdown error_if_no_space" in str(machine.device_mapper.status("p").targets[0])
    machine.close()


def test_the_process_that_holds_a_device_in_it_goes_on_to(old):
    machine = EmulatedMachine.open(old)
    assert [(leak.pid, leak.device_name) for leak in machine.leaks.list_held()] == [(4242, "t1")]
    machine.leaks.end(4242)
    machine.close()


def test_a_metadata_snapshot_held_in_it_tells_its_thins(old):
    machine = EmulatedMachine.open(old)
    assert machine.thin_tools.list_thins("/dev/loop1", snapshot=True) == (ThinEntry(1, 3, 0, 0, 0),)
    machine.close()


def test_it_takes_file_systems_like_a_new_one(old):
    machine = EmulatedMachine.open(old)
    machine.filesystems.make("/dev/mapper/t1", "ext4", [])
    assert machine.filesystems.probe("/dev/mapper/t1").kind == "ext4"
    machine.device_mapper.remove("t1")
    machine.device_mapper.message("p", "delete 1")
    with machine._store.read() as connection:
        assert connection.execute("SELECT count(*) FROM filesystems").fetchone() == (0,)
    machine.close()


TWELFTH_QUEUE = """
CREATE TABLE queued_io (
    number INTEGER PRIMARY KEY AUTOINCREMENT, minor INTEGER NOT NULL, kind TEXT NOT NULL, ranges TEXT NOT NULL,
    error INTEGER, failed INTEGER NOT NULL DEFAULT 0, turn INTEGER NOT NULL DEFAULT 0,
    aside INTEGER NOT NULL DEFAULT 0);
INSERT INTO queued_io SELECT number, minor, kind, '[[1310720,65536],[2621440,512]]', error, failed, 1, aside FROM now;
DROP TABLE now;
CREATE INDEX queued_io_waiting ON queued_io (number) WHERE error IS NULL;
PRAGMA user_version = 12
"""


def test_what_waits_in_one_of_the_twelfth_version_goes_on_to(tmp_path):
    machine = EmulatedMachine.open(tmp_path / "machine")
    bench = Bench(machine, blocks=8)
    bench.thin(1)
    bench.write("t1", *range(8))
    number, _ = machine.queue.submit("t1", "write", (20 * BLOCK, BLOCK))
    machine.close()
    connection = sqlite3.connect(tmp_path / "machine" / "machine.sqlite3", isolation_level=None)
    connection.execute("ALTER TABLE queued_io RENAME TO now")
    connection.execute("DROP INDEX queued_io_waiting")
    for statement in TWELFTH_QUEUE.split(";\n"):
        connection.execute(statement)
    connection.close()
    machine = EmulatedMachine.open(tmp_path / "machine")
    ((name, waits),) = machine.queue.list_waiting()
    assert (name, waits.number, waits.ranges) == ("t1", number, ((20 * BLOCK, BLOCK), (40 * BLOCK, 512)))
    bench.machine, bench.mapper = machine, machine.device_mapper
    bench.grow_file("/b/data", bench.data, 16 * BLOCK)
    bench.reload(blocks=16)
    assert machine.queue.ended(number) == 0
    assert bench.figures == "10/16 rw queue_if_no_space"
    machine.close()


def test_it_has_the_tables_of_a_new_one(old, tmp_path):
    EmulatedMachine.open(old).close()
    schemas = []
    for directory in (old, tmp_path / "new"):
        connection = sqlite3.connect(directory / "machine.sqlite3")
        schemas.append(sorted(connection.execute("SELECT type, name, sql FROM sqlite_master")))
        connection.close()
    assert schemas[0] == schemas[1]


def test_an_upgrade_that_fails_leaves_the_old_store(old, monkeypatch):
    monkeypatch.setattr("dmtui.machine.emulated.schema._STEPS", ("", "CREATE TABLE more (x);\nbroken"))
    with pytest.raises(Exception, match="cannot be used"):
        EmulatedMachine.open(old)
    connection = sqlite3.connect(old / "machine.sqlite3")
    assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'more'").fetchone() == (0,)
    connection.close()
    assert version(old) == 1


def open_once(directory, results) -> None:
    machine = EmulatedMachine.open(directory)
    results.put(str(machine.device_mapper.status("t1").targets[0]))
    machine.close()


def test_several_processes_may_upgrade_it_at_once(old):
    results = spawn.Queue()
    workers = [spawn.Process(target=open_once, args=(old, results)) for _ in range(3)]
    for worker in workers:
        worker.start()
    assert {results.get(timeout=60) for _ in workers} == {"0 128000 thin 384 383"}
    for worker in workers:
        worker.join(60)

"""The files of a graph directory at the start of a writer: broken ones are put away, an old release's are migrated."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from dmtui.deviceset.engine import open_engine
from dmtui.deviceset.listing import list_views
from dmtui.deviceset.options import Options
from dmtui.deviceset.records import read_records
from dmtui.deviceset.store import RecordStore, SetState
from dmtui.deviceset.upkeep import tidy
from dmtui.machine.durable import DurableFiles
from dmtui.machine.errors import MachineNotPermittedError, NoSpaceError
from tests.deviceset.graphs import MIB, make_graph, write_record
from tests.deviceset.killing import KilledError, Manner, Reaper

LEGACY = {
    "": {"device_id": 1, "size": 16 * MIB, "transaction_id": 1, "initialized": True},
    "old": {"device_id": 2, "size": 16 * MIB, "transaction_id": 2, "initialized": False},
}


@pytest.fixture
def machine_kind():
    """Files only: no kernel would make a difference."""
    return "emulated"


@pytest.fixture
def graph(machine, home):
    return make_graph(machine, home)


@pytest.fixture
def store(machine, graph):
    store = RecordStore(graph, machine.files, DurableFiles())
    store.make_directories()
    return store


@pytest.fixture
def records(graph):
    return Path(graph.records_directory)


def record(graph, name, thin_id=1, **fields):
    write_record(
        graph, name, **({"device_id": thin_id, "size": MIB, "transaction_id": 1, "initialized": False} | fields)
    )


def legacy(graph, content=None) -> Path:
    path = Path(graph.directory) / "devicemapper" / "json"
    path.write_text(json.dumps({"Devices": LEGACY}) if content is None else content)
    return path


def quarantined(store) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(store.quarantine_directory).iterdir()}


# Broken files


def test_what_is_in_order_is_left_as_it_is(graph, store, records):
    record(graph, "base")
    record(graph, "one", 2)
    store.write_parents({"one": ""})
    store.write_state(SetState(2, "u", "xfs"))
    before = {path: path.read_bytes() for path in Path(graph.directory).rglob("*") if path.is_file()}
    assert tidy(store) == []
    assert {path: path.read_bytes() for path in Path(graph.directory).rglob("*") if path.is_file()} == before
    assert not Path(store.quarantine_directory).exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 80,
        b'{"device_id":',
        b"\xff\xfe{}",
        b"[1]",
        b"{}",
        b"[" * 100_000,
        b'{"device_id":1e999,"size":1,"transaction_id":1,"initialized":false}',
        b'{"device_id":16777216,"size":1,"transaction_id":1,"initialized":false}',
        b'{"device_id":1,"size":-1,"transaction_id":1,"initialized":false}',
        b'{"device_id":"1","size":1,"transaction_id":1,"initialized":false}',
        b'{"device_id":1,"size":1,"transaction_id":18446744073709551616,"initialized":false}',
    ],
    ids=lambda content: repr(content[:40]),
)
def test_a_broken_record_is_put_away_and_reported(graph, store, records, content):
    (records / "one").write_bytes(content)
    record(graph, "two")
    (note,) = tidy(store)
    assert note.startswith("metadata/one is broken (")
    assert store.quarantine_directory in note
    assert quarantined(store) == {"one": content}
    assert set(read_records(str(records)).devices) == {"two"}


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (os.mkfifo, "is no regular file"),
        (lambda path: os.symlink("nowhere", path), "is a link that leads nowhere"),
        (lambda path: os.symlink("/dev/zero", path), "is no regular file"),
    ],
)
def test_what_is_no_file_is_put_away_unopened(store, records, make, reason):
    make(records / "one")
    assert read_records(str(records)).devices == {}
    (note,) = tidy(store)
    assert note.startswith(f"metadata/one {reason}")
    assert os.path.lexists(f"{store.quarantine_directory}/one")
    assert list(records.iterdir()) == []


def test_a_directory_among_the_records_is_nobody_s_business(store, records):
    (records / "folder").mkdir()
    assert tidy(store) == []


def test_a_directory_in_the_place_of_a_file_is_put_away(store, records):
    (records / "transaction-metadata").mkdir()
    (note,) = tidy(store)
    assert "`dmtui pool reconcile`" in note
    assert os.path.isdir(f"{store.quarantine_directory}/transaction-metadata")


def test_a_second_broken_file_of_a_name_takes_a_number(store, records):
    for content in (b"first", b"second", b"third"):
        (records / "one").write_bytes(content)
        tidy(store)
    assert quarantined(store) == {"one": b"first", "one.1": b"second", "one.2": b"third"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("metadata/deviceset-metadata", b'{"next_device_id":"two"}'),
        ("metadata/transaction-metadata", b'{"open_transaction_id":7'),
        ("dmtui/parents.json", b'{"one":null}'),
        ("dmtui/mounts.json", b'{"one":{"count":1}}'),
    ],
)
def test_broken_state_is_put_away_and_the_defaults_serve(graph, store, name, content):
    path = Path(graph.directory) / name
    path.write_bytes(content)
    (note,) = tidy(store)
    assert note.startswith(f"{name} is broken")
    assert quarantined(store) == {path.name: content}
    assert store.read_state() == SetState()
    assert store.read_transaction() is None
    assert store.read_parents() == store.read_mount_counts() == {}


def test_an_empty_object_is_a_state_of_defaults(store, records):
    (records / "deviceset-metadata").write_text("{}")
    assert tidy(store) == []
    assert store.read_state() == SetState()


def test_a_file_that_may_not_be_read_is_not_broken(graph, store, monkeypatch):
    record(graph, "one")

    def refuse(self, path):
        raise MachineNotPermittedError(path, "reading it failed")

    monkeypatch.setattr(DurableFiles, "read", refuse)
    with pytest.raises(MachineNotPermittedError):
        tidy(store)
    assert not Path(store.quarantine_directory).exists()


def test_two_records_of_one_thin_id_are_reported_and_stay(graph, store, records):
    record(graph, "one", 7)
    record(graph, "two", 7)
    record(graph, "base", 1)
    (note,) = tidy(store)
    assert note.startswith("thin id 7 is claimed by one and two")
    assert {path.name for path in records.iterdir()} == {"base", "one", "two"}


def test_the_engine_starts_over_broken_files_and_says_so(machine, graph, records):
    (records / "one").write_text("torn")
    (records / "transaction-metadata").write_text("torn")
    engine = open_engine(machine, graph.directory, Options())
    assert [note.split()[0] for note in engine.recovered] == ["metadata/one", "metadata/transaction-metadata"]
    engine.close()


def test_a_dry_run_reads_past_broken_files_and_moves_nothing(machine, graph, records):
    for name in ("one", "transaction-metadata", "deviceset-metadata"):
        (records / name).write_text("torn")
    engine = open_engine(machine, graph.directory, Options(), recovering=False)
    assert engine.plans.state.records == {}
    assert {path.name for path in records.iterdir()} == {"one", "transaction-metadata", "deviceset-metadata"}


# The one file of an old release


def test_an_old_release_s_file_becomes_a_record_each(graph, store, records):
    path = legacy(graph)
    (note,) = tidy(store)
    assert "2 records of an old release were migrated" in note
    assert not path.exists()
    assert json.loads(Path(f"{path}.migrated").read_text()) == {"Devices": LEGACY}
    assert json.loads((records / "base").read_text()) == LEGACY[""] | {"deleted": False}
    assert json.loads((records / "old").read_text()) == LEGACY["old"] | {"deleted": False}
    assert tidy(store) == []


def test_a_record_of_its_own_is_newer_than_an_old_release_s(graph, store, records):
    record(graph, "old", 9)
    legacy(graph)
    (note,) = tidy(store)
    assert "1 had newer ones" in note
    assert read_records(str(records)).devices["old"].device_id == 9


def test_an_earlier_migrated_file_is_not_written_over(graph, store):
    path = legacy(graph)
    Path(f"{path}.migrated").write_text("earlier")
    tidy(store)
    assert Path(f"{path}.migrated").read_text() == "earlier"
    assert Path(f"{path}.migrated.1").exists()


@pytest.mark.parametrize(
    "content",
    [
        "torn",
        '{"Devices":[]}',
        '{"Devices":{"one":3}}',
        json.dumps({"Devices": LEGACY | {"bad": {"device_id": -1}}}),
        *(json.dumps({"Devices": {name: LEGACY["old"]}}) for name in ("../up", ".dot", "base", "deviceset-metadata")),
    ],
)
def test_a_broken_old_file_is_left_whole_and_reported(graph, store, records, content):
    path = legacy(graph, content)
    (note,) = tidy(store)
    assert "is left as it is" in note
    assert path.read_text() == content
    assert list(records.iterdir()) == []


def test_a_write_that_fails_ends_the_migration_and_leaves_the_old_file(graph, store, monkeypatch):
    path, write = legacy(graph), DurableFiles.write

    def full(self, target, content):
        if target.endswith("/old"):
            raise NoSpaceError(target, "writing it failed")
        write(self, target, content)

    monkeypatch.setattr(DurableFiles, "write", full)
    with pytest.raises(NoSpaceError):
        tidy(store)
    assert path.exists()
    monkeypatch.undo()
    tidy(store)
    assert set(read_records(str(Path(graph.records_directory))).devices) == {"", "old"}


def test_an_old_release_s_devices_are_listed_before_they_are_migrated(machine, graph, records):
    legacy(graph)
    record(graph, "old", 9)
    assert [(view.record.hash_name, view.record.device_id) for view in list_views(machine, graph)] == [
        ("", 1),
        ("old", 9),
    ]
    assert [path.name for path in records.iterdir()] == ["old"]


def test_a_broken_old_file_is_a_finding_where_records_are_read(graph):
    path = legacy(graph, "torn")
    (finding,) = read_records(graph.records_directory).broken
    assert finding.startswith(f"{path}: ")


# Killed


@pytest.mark.parametrize("manner", [Manner.BEFORE, Manner.AFTER])
def test_killed_at_any_call_tidying_loses_nothing_and_is_done_again(machine, graph, store, records, manner):
    for at in range(1, 200):
        for path in (*records.iterdir(), *Path(store.own_directory).rglob("*"), Path(f"{legacy(graph)}.migrated")):
            if path.is_file():
                path.unlink()
        record(graph, "new", 5)
        (records / "torn").write_text("torn")
        (records / ".tmp123").write_text("half")
        Path(store.parents_path).write_text("torn too")
        reaper = Reaper(at, manner)
        killed = False
        try:
            tidy(RecordStore(graph, reaper.wrap(machine.files, "files"), reaper.wrap(DurableFiles())))
        except KilledError:
            killed = True
        tidy(store)
        assert {name: each.device_id for name, each in read_records(str(records)).devices.items()} == {
            "": 1,
            "old": 2,
            "new": 5,
        }
        assert quarantined(store) == {"torn": b"torn", "parents.json": b"torn too"}
        assert sorted(path.name for path in records.iterdir()) == ["base", "new", "old"]
        assert not Path(legacy_file := f"{graph.directory}/devicemapper/json").exists()
        assert Path(f"{legacy_file}.migrated").exists()
        if not killed:
            assert at > 10, "the reaper counted no calls"
            return
    raise AssertionError("the tidying never came to its end")

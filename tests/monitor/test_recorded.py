"""What a graph directory records of its devices, in a sample."""

import dataclasses
import os

import pytest

from dmtui.monitor import recorded
from dmtui.monitor.discover import Discoverer
from dmtui.monitor.recorded import RecordReader
from dmtui.monitor.sample import Sample
from tests.deviceset.graphs import MIB, make_graph, make_pool, write_record
from tests.monitor.test_discover import add_thin


@pytest.fixture
def graph(machine, home):
    return make_graph(machine, home)


def record(graph, name: str, thin_id: int, **changes) -> None:
    fields = {"device_id": thin_id, "size": 16 * MIB, "transaction_id": thin_id, "initialized": True}
    write_record(graph, name, **(fields | changes))


def discoverer(machine, graph) -> Discoverer:
    return Discoverer(machine, records=RecordReader(machine, graph.directory))


def pool_of(sample, graph):
    pool = sample.pool(graph.prefix.pool_name)
    assert pool is not None
    return pool


def test_devices_are_told_also_while_they_are_not_active(machine, graph):
    make_pool(machine, graph)
    record(graph, "base", 1)
    record(graph, "web", 2)
    record(graph, "old", 3, deleted=True)
    add_thin(machine, graph, "web", 2)
    sample = discoverer(machine, graph).take()
    pool = pool_of(sample, graph)
    assert [device.display_name for device in pool.devices] == ["web"]
    assert [(each.display_name, each.thin_id, each.deleted) for each in pool.recorded] == [
        ("base", 1, False),
        ("web", 2, False),
        ("old", 3, True),
    ]
    assert pool.recorded[1].name == pool.devices[0].name
    assert Sample.from_json(sample.to_json()) == sample


def test_parents_and_the_time_of_creation_are_told_where_they_are_known(machine, graph):
    make_pool(machine, graph)
    record(graph, "web", 2)
    own = f"{graph.directory}/dmtui"
    os.makedirs(own)
    with open(f"{own}/parents.json", "w") as parents:
        parents.write('{"web": ""}')
    with open(f"{own}/audit.jsonl", "w") as log:
        log.write('{"when":"2026-11-26T02:45:54+00:00","operation":"create","object":"web","result":"done"}\n')
    (web,) = pool_of(discoverer(machine, graph).take(), graph).recorded
    assert (web.parent, web.created_at) == ("base", 1795661154.0)


def test_a_device_without_a_recorded_parent_has_none(machine, graph):
    make_pool(machine, graph)
    record(graph, "web", 2)
    (web,) = pool_of(discoverer(machine, graph).take(), graph).recorded
    assert (web.parent, web.created_at) == (None, None)


def test_without_a_graph_directory_nothing_is_asked_and_nothing_told(machine, graph):
    make_pool(machine, graph)
    add_thin(machine, graph, "web", 2)
    pool = pool_of(Discoverer(machine).take(), graph)
    assert (pool.recorded, pool.devices[0].mounted_at) == (None, None)


def test_a_graph_directory_that_does_not_exist_is_no_problem(machine, graph, home):
    make_pool(machine, graph)
    sample = Discoverer(machine, records=RecordReader(machine, str(home / "none"))).take()
    assert (sample.problems, pool_of(sample, graph).recorded) == ((), None)


def test_the_records_of_another_graph_are_not_this_pools(machine, graph, home):
    make_pool(machine, graph)
    other = home / "other"
    machine.files.make_directory(f"{other}/metadata")
    sample = Discoverer(machine, records=RecordReader(machine, str(other))).take()
    assert pool_of(sample, graph).recorded is None


def test_a_broken_record_is_a_finding(machine, graph):
    make_pool(machine, graph)
    with open(f"{graph.records_directory}/web", "w") as broken:
        broken.write("{")
    pool = pool_of(discoverer(machine, graph).take(), graph)
    assert pool.recorded == ()
    assert any("record web" in finding for finding in pool.findings)


def test_records_are_read_again_only_when_the_directory_has_changed(machine, graph, monkeypatch):
    make_pool(machine, graph)
    record(graph, "web", 2)
    os.utime(graph.records_directory, (1_000_000_000, 1_000_000_000))
    read, really = [], recorded.read_records
    monkeypatch.setattr(recorded, "read_records", lambda directory: read.append(1) or really(directory))
    watching = discoverer(machine, graph)
    first = pool_of(watching.take(), graph)
    assert pool_of(watching.take(), graph).recorded is first.recorded
    assert len(read) == 1
    record(graph, "shop", 3)
    assert [each.display_name for each in pool_of(watching.take(), graph).recorded] == ["web", "shop"]


def test_older_lines_still_load():
    from tests.monitor import made

    sample = made.sample(made.pool(devices=(made.thin(1),)))
    line = sample.to_json()
    for field in (',"recorded":null', ',"mounted_at":null'):
        assert field in line
        line = line.replace(field, "")
    assert Sample.from_json(line) == sample
    known = dataclasses.replace(sample.pools[0], recorded=())
    assert Sample.from_json(dataclasses.replace(sample, pools=(known,)).to_json()).pools[0].recorded == ()


def test_a_record_that_changed_is_seen_while_the_machine_itself_stands_still(machine, graph):
    make_pool(machine, graph)
    record(graph, "web", 2)
    if machine.kind == "emulated":
        machine.loops.release_all()
    os.utime(graph.records_directory, ns=(1, 1))
    discovering = discoverer(machine, graph)
    assert [each.display_name for each in pool_of(discovering.take(), graph).recorded] == ["web"]
    assert discovering.records.stand()
    record(graph, "db", 3)
    assert not discovering.records.stand()
    assert [each.display_name for each in pool_of(discovering.take(), graph).recorded] == ["web", "db"]


def test_files_that_changed_just_now_are_read_again(machine, graph):
    make_pool(machine, graph)
    record(graph, "web", 2)
    reader = RecordReader(machine, graph.directory)
    assert not reader.stand()
    reader.read()
    assert not reader.stand()

"""The engine's device operations: whole, undone, or finished at the next start."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dmtui.deviceset.engine import open_engine
from dmtui.deviceset.options import Options
from dmtui.deviceset.plan import Phase, PlanFailedError
from dmtui.deviceset.records import read_records
from dmtui.machine.durable import InUseError
from dmtui.machine.errors import ExistsError
from dmtui.thinpool.errors import BadUsageError, DmtuiError, MissingError
from tests.deviceset.graphs import MIB, make_graph, make_pool, write_record
from tests.deviceset.troubles import let_fail

BASE_BYTES = 16 * MIB


@pytest.fixture
def machine_kind():
    return "emulated"


@pytest.fixture
def graph(machine, home):
    """A graph directory with a pool and a base device."""
    graph = make_graph(machine, home)
    make_pool(machine, graph)
    machine.device_mapper.message(graph.prefix.pool_name, "create_thin 1")
    machine.device_mapper.message(graph.prefix.pool_name, "set_transaction_id 0 1")
    write_record(graph, "base", device_id=1, size=BASE_BYTES, transaction_id=1, initialized=True, deleted=False)
    write_record(graph, "transaction-metadata", open_transaction_id=1, device_hash="", device_id=1)
    return graph


@pytest.fixture
def engine(machine, graph):
    engine = open_engine(machine, graph.directory, Options())
    yield engine
    engine.close()


def ids_in_pool(machine, graph) -> set[int]:
    """The pool's own list, by asking for each id that could have been given."""
    found = set()
    state = Path(graph.records_directory) / "deviceset-metadata"
    last = json.loads(state.read_text())["next_device_id"] if state.exists() else 0
    for thin_id in range(last + 6):
        try:
            machine.device_mapper.message(graph.prefix.pool_name, f"create_thin {thin_id}")
        except ExistsError:
            found.add(thin_id)
        else:
            machine.device_mapper.message(graph.prefix.pool_name, f"delete {thin_id}")
    return found


def transaction_ids(machine, graph) -> tuple[int, int]:
    """The pool's transaction id and the one on file."""
    line = machine.device_mapper.status(graph.prefix.pool_name).targets[0].params
    file = json.loads((Path(graph.records_directory) / "transaction-metadata").read_text())
    return int(line.split()[0]), file["open_transaction_id"]


def agree(machine, graph) -> None:
    """Pool, records and devices tell the same story."""
    records = read_records(graph.records_directory)
    assert records.broken == ()
    assert {record.device_id for record in records.devices.values()} == ids_in_pool(machine, graph)
    pool_id, file_id = transaction_ids(machine, graph)
    assert pool_id == file_id
    for entry in machine.device_mapper.list_devices():
        assert not machine.device_mapper.info(entry.name).suspended
    leftovers = [path.name for path in Path(graph.directory).rglob("*") if path.name.startswith(".tmp")]
    assert leftovers == []


def test_a_snapshot_of_the_base_is_recorded_with_its_parent(machine, graph, engine):
    engine.run(engine.plans.create("one"))
    engine.run(engine.plans.create("two", parent="one", size_bytes=32 * MIB))
    records = read_records(graph.records_directory).devices
    assert [records[name].device_id for name in ("", "one", "two")] == [1, 2, 3]
    assert records["one"].size_bytes == BASE_BYTES
    assert records["two"].size_bytes == 32 * MIB
    assert engine.store.read_parents() == {"one": "", "two": "one"}
    agree(machine, graph)


def test_an_active_parent_is_suspended_for_the_snapshot_and_resumed(machine, graph, engine):
    engine.run(engine.plans.activate(""))
    plan = engine.plans.create("one")
    assert [step.text.split()[0] for step in plan.steps] == ["note", "suspend", "make", "resume", "record", "close"]
    engine.run(plan)
    agree(machine, graph)


def test_a_parent_whose_suspension_got_no_answer_is_resumed(machine, graph, engine, monkeypatch):
    engine.run(engine.plans.activate(""))
    let_fail(monkeypatch, machine, "device_mapper", "suspend", unanswered=True)
    with pytest.raises(PlanFailedError, match="does not answer"):
        engine.run(engine.plans.create("one"))
    agree(machine, graph)


def test_a_device_is_activated_written_deactivated_and_removed(machine, graph, engine):
    engine.run(engine.plans.create("one"))
    engine.run(engine.plans.activate("one"))
    name = graph.prefix.device_name("one")
    machine.write(name, offset_bytes=0, length_bytes=MIB)
    assert machine.device_mapper.info(name).uuid == f"DMTUI-{name}"
    engine.run(engine.plans.deactivate("one"))
    assert engine.plans.active("one") is None
    engine.run(engine.plans.remove("one"))
    assert "one" not in read_records(graph.records_directory).devices
    agree(machine, graph)


def test_removing_an_active_device_deactivates_it_first(machine, graph, engine):
    engine.run(engine.plans.create("one"))
    engine.run(engine.plans.activate("one"))
    engine.run(engine.plans.remove("one"))
    assert ids_in_pool(machine, graph) == {1}
    agree(machine, graph)


def test_planning_changes_nothing_and_names_the_dmsetup_lines(machine, graph, engine):
    before = {path: path.read_bytes() for path in Path(graph.records_directory).iterdir()}
    text = "\n".join(engine.plans.create("one").lines())
    assert "dmsetup message" in text
    assert "create_snap 2 1" in text
    assert "create_snap 2 1" in "\n".join(engine.plans.create("one").lines())
    assert {path: path.read_bytes() for path in Path(graph.records_directory).iterdir()} == before
    assert ids_in_pool(machine, graph) == {1}


def test_progress_names_every_step_and_the_audit_log_keeps_the_operation(graph, engine):
    seen = []
    engine.run(engine.plans.create("one"), seen.append)
    assert [progress.phase for progress in seen] == [Phase.BEGUN, Phase.DONE] * 4
    entry = json.loads(Path(engine.store.audit_path).read_text())
    assert (entry["operation"], entry["object"], entry["result"]) == ("create", "one", "done")


def test_an_id_that_the_pool_has_already_is_passed_over_and_never_deleted(machine, graph, engine):
    machine.device_mapper.message(graph.prefix.pool_name, "create_thin 2")
    engine.run(engine.plans.create("one"))
    assert read_records(graph.records_directory).devices["one"].device_id == 3
    engine.run(engine.plans.remove("one"))
    assert ids_in_pool(machine, graph) == {1, 2}


def test_a_failing_step_undoes_those_before_it(machine, graph, engine):
    def change_the_pool_before_it_is_closed(progress):
        if (progress.step, progress.phase) == (4, Phase.BEGUN):
            machine.device_mapper.message(graph.prefix.pool_name, "set_transaction_id 1 7")

    with pytest.raises(PlanFailedError) as caught:
        engine.run(engine.plans.create("one"), change_the_pool_before_it_is_closed)
    assert len(caught.value.outcome.undone) == 3
    assert not caught.value.outcome.unfinished
    assert "one" not in read_records(graph.records_directory).devices
    assert ids_in_pool(machine, graph) == {1}
    assert json.loads(Path(engine.store.audit_path).read_text())["result"] == "failed"


def test_a_second_writer_is_told_who_holds_the_graph(machine, graph, engine):
    with pytest.raises(InUseError, match=r"in use by process \d+ since"):
        open_engine(machine, graph.directory, Options())


def test_a_full_pool_has_no_room_for_a_snapshot(machine, graph, engine):
    engine.run(engine.plans.activate(""))
    machine.write(graph.prefix.device_name(""), offset_bytes=0, length_bytes=BASE_BYTES)
    engine.close()
    again = open_engine(machine, graph.directory, Options(min_free_percent=99))
    with pytest.raises(DmtuiError, match="free data blocks, the gate asks for"):
        again.plans.create("one")
    again.close()


@pytest.mark.parametrize("name", ["", "base", "a/b", ".hidden", "a b", "deviceset-metadata", "x" * 120, "a.migrated"])
def test_a_name_that_cannot_be_is_refused(engine, name):
    with pytest.raises(BadUsageError):
        engine.plans.create(name)


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (1, "is less than that of its parent, base; give 16777216 bytes"),
        (BASE_BYTES - 512, "is less than that of its parent, base"),
        (BASE_BYTES + 100, "is no whole number of sectors; give a multiple of 512"),
    ],
)
def test_a_size_that_cannot_be_is_refused(engine, size, words):
    with pytest.raises(BadUsageError, match=words):
        engine.plans.create("one", size_bytes=size)


def test_size_0_is_the_size_of_the_parent_as_in_the_original(engine):
    engine.run(engine.plans.create("one", size_bytes=0))
    assert engine.devices.record("one").size_bytes == BASE_BYTES


def test_what_is_not_recorded_is_missing(engine):
    for plan in (engine.plans.activate, engine.plans.deactivate, engine.plans.remove):
        with pytest.raises(MissingError):
            plan("nobody")
    with pytest.raises(MissingError):
        engine.plans.create("one", parent="nobody")


def test_the_next_id_survives_for_the_original(graph, machine):
    engine = open_engine(machine, graph.directory, Options())
    engine.run(engine.plans.create("one"))
    engine.close()
    state = json.loads((Path(graph.records_directory) / "deviceset-metadata").read_text())
    assert state["next_device_id"] == 2


def test_a_broken_state_file_is_put_away_and_the_defaults_serve(machine, graph):
    state = Path(graph.records_directory) / "deviceset-metadata"
    state.write_text('{"BaseDeviceUUID":"torn')
    engine = open_engine(machine, graph.directory, Options())
    engine.run(engine.plans.create("one"))
    engine.close()
    assert json.loads(state.read_text())["next_device_id"] == 2
    assert (Path(engine.store.quarantine_directory) / state.name).read_text() == '{"BaseDeviceUUID":"torn'
    assert any("deviceset-metadata is broken" in note for note in engine.recovered)

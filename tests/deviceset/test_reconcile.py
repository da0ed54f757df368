"""Reconciling a device set with its pool: what is looked at, what is cleared away, what is never touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dmtui.deviceset.comparison import Bucket
from dmtui.deviceset.engine import open_engine
from dmtui.deviceset.options import Options
from dmtui.deviceset.plan import PlanFailedError
from dmtui.deviceset.records import read_records
from dmtui.deviceset.snapshot import SnapshotHeldError
from dmtui.machine.errors import ExistsError, MachineError
from dmtui.thinpool.errors import DmtuiError
from dmtui.thinpool.table import Target
from tests.deviceset.graphs import make_graph, make_pool
from tests.deviceset.smallsets import (
    SIZE_BYTES,
    activate,
    answering,
    bring_up,
    deaths,
    held_block,
    make_small_set,
    make_thin,
    record,
    take_down,
    with_part,
    work,
)

DEAD, ORPHAN, GHOST = 77, 50, 51


@pytest.fixture
def graph(machine, home):
    return make_small_set(machine, home)


@pytest.fixture
def opened(machine, graph):
    engines = []

    def open_on(altered=None, **options):
        engines.append(open_engine(altered or machine, graph.directory, Options(**options)))
        return engines[-1]

    yield open_on
    for engine in engines:
        engine.close()


def look(engine):
    inspection = engine.plans.inspect()
    engine.run(inspection.plan)
    assert inspection.result is not None
    return inspection.result


def clear(engine, **how):
    """Look and clear away; returns the plan."""
    plan = engine.plans.reconcile(look(engine), **how)
    engine.run(plan)
    return plan


def buckets(found) -> dict[Bucket, list]:
    """Names, or thin ids where there is none, by bucket."""
    named = {
        bucket: [each.thin_id if each.name is None else each.name for each in found.of(bucket)] for bucket in Bucket
    }
    return {bucket: devices for bucket, devices in named.items() if devices}


def has_thin(machine, graph, thin_id: int) -> bool:
    try:
        machine.device_mapper.message(graph.prefix.pool_name, f"create_thin {thin_id}")
    except ExistsError:
        return True
    machine.device_mapper.message(graph.prefix.pool_name, f"delete {thin_id}")
    return False


def active(machine) -> set[str]:
    return {entry.name for entry in machine.device_mapper.list_devices()}


def records(graph) -> set[str]:
    return set(read_records(graph.records_directory).devices)


def quarantine(graph) -> set[str]:
    directory = Path(graph.directory) / "dmtui" / "quarantine"
    return {path.name for path in directory.iterdir()} if directory.exists() else set()


# Looking


def test_what_agrees_is_whole_and_there_is_nothing_to_do(machine, graph, opened):
    engine = opened()
    found = look(engine)
    assert buckets(found) == {Bucket.WHOLE: ["", "one"]}
    assert all(not each.findings for each in found.devices)
    plan = engine.plans.reconcile(found, delete_orphans=True)
    assert (plan.steps, plan.notices) == ((), ())


def test_a_look_reserves_a_metadata_snapshot_and_releases_it(machine, graph, opened):
    engine = opened()
    inspection = engine.plans.inspect()
    assert any("reserves the pool's one metadata snapshot" in line for line in inspection.plan.lines())
    assert (held_block(machine, graph), inspection.result) == (None, None)
    engine.run(inspection.plan)
    assert held_block(machine, graph) is None
    assert work(graph) == []
    entry = json.loads(Path(engine.store.audit_path).read_text().splitlines()[-1])
    assert (entry["operation"], entry["result"]) == ("inspect pool", "done")


def test_a_listing_that_fails_releases_the_snapshot(machine, graph, opened):
    def fail(path, snapshot):
        raise MachineError("thin_ls", "failed: no current metadata snap")

    engine = opened(with_part(machine, "thin_tools", list_thins=fail))
    inspection = engine.plans.inspect()
    with pytest.raises(PlanFailedError):
        engine.run(inspection.plan)
    assert inspection.result is None
    assert held_block(machine, graph) is None


def test_every_bucket_is_found(machine, graph, opened):
    record(graph, "dead", DEAD, transaction_id=2)
    make_thin(machine, graph, ORPHAN)
    make_thin(machine, graph, GHOST)
    activate(machine, graph, graph.prefix.device_name("ghost"), GHOST)
    record(graph, "late", 2, transaction_id=9)
    found = look(opened())
    assert buckets(found) == {
        Bucket.WHOLE: [""],
        Bucket.RECORD_ONLY: ["dead"],
        Bucket.POOL_ONLY: [ORPHAN],
        Bucket.NODE_ONLY: ["ghost"],
        Bucket.ID_CLASH: ["late", "one"],
    }


def test_active_devices_are_known_by_what_their_tables_say(machine, graph, opened):
    make_thin(machine, graph, ORPHAN)
    activate(machine, graph, graph.prefix.device_name(""), 1, SIZE_BYTES * 2)
    activate(machine, graph, "dmtui-test-foreign", ORPHAN)
    machine.device_mapper.create(graph.prefix.device_name("one"), [Target(0, 2048, "error", "")])
    found = look(opened())
    base, one, orphan = found.devices
    assert "is active with 33.55 MB, its record says 16.78 MB" in base.findings
    assert one.findings == (f"its node {graph.prefix.device_name('one')} is no thin device (error)",)
    assert "is active as dmtui-test-foreign" in orphan.findings


def test_what_others_make_during_a_look_is_no_finding(machine, graph, opened):
    tools = machine.thin_tools

    def slow(path, snapshot):
        other = open_engine(machine, graph.directory, Options(min_free_percent=0))
        other.run(other.plans.create("new", parent="one"))
        other.run(other.plans.remove("one"))
        other.close()
        return tools.list_thins(path, snapshot=snapshot)

    engine = opened(with_part(machine, "thin_tools", list_thins=slow))
    found = look(engine)
    assert buckets(found) == {Bucket.WHOLE: ["", "one"]}
    assert engine.plans.reconcile(found, delete_orphans=True).steps == ()


def test_a_pool_that_is_not_active_is_read_in_its_file(machine, graph, opened):
    record(graph, "dead", DEAD, transaction_id=2)
    make_thin(machine, graph, ORPHAN)
    take_down(machine, graph)
    engine = opened()
    assert engine.plans.inspect().plan.steps[-1].command == f"thin_ls {graph.metadata_file}"
    found = look(engine)
    assert buckets(found) == {Bucket.WHOLE: ["", "one"], Bucket.RECORD_ONLY: ["dead"], Bucket.POOL_ONLY: [ORPHAN]}
    plan = clear(engine, delete_orphans=True)
    assert f"thin id {ORPHAN} not deleted: pool {graph.prefix.pool_name} is not active" in plan.notices
    assert (records(graph), quarantine(graph)) == ({"", "one"}, {"dead"})


def test_somebody_else_s_metadata_snapshot_stands_in_the_way(machine, graph, opened):
    machine.device_mapper.message(graph.prefix.pool_name, "reserve_metadata_snap")
    with pytest.raises(SnapshotHeldError):
        opened().plans.inspect()
    assert held_block(machine, graph) is not None


def test_a_failed_pool_is_not_looked_at(machine, graph, opened):
    with pytest.raises(DmtuiError, match="cannot be read while it is active"):
        opened(answering(machine, graph, "Fail")).plans.inspect()


def test_a_missing_program_is_told_with_its_package(machine, opened):
    with pytest.raises(DmtuiError, match=r"thin_ls: .*install thin-provisioning-tools"):
        opened(with_part(machine, "programs", missing=tuple)).plans.inspect()


# Dead records


def test_a_dead_record_is_put_in_quarantine_with_its_parent_forgotten(machine, graph, opened):
    engine = opened()
    engine.store.write_parents({"dead": "one"})
    record(graph, "dead", DEAD, transaction_id=2)
    engine.devices.reload()
    text = (Path(graph.records_directory) / "dead").read_text()
    (step,) = clear(engine).steps
    assert step.command.startswith("mv ")
    assert (Path(engine.store.quarantine_directory) / "dead").read_text() == text
    assert records(graph) == {"", "one"}
    assert "dead" not in engine.plans.state.records
    assert engine.store.read_parents() == {}


def test_the_name_of_a_dead_record_can_be_given_again(machine, graph, opened):
    record(graph, "dead", DEAD, transaction_id=2)
    engine = opened(min_free_percent=0)
    clear(engine)
    engine.run(engine.plans.create("dead"))
    assert buckets(look(engine)) == {Bucket.WHOLE: ["", "one", "dead"]}


def test_a_dead_record_that_has_changed_since_the_look_is_left_alone(machine, graph, opened):
    record(graph, "dead", DEAD, transaction_id=2)
    engine = opened()
    found = look(engine)
    planned = engine.plans.reconcile(found)
    record(graph, "dead", 1, transaction_id=1)
    engine.devices.reload()
    engine.run(planned)
    assert engine.plans.reconcile(found).steps == ()
    assert records(graph) == {"", "one", "dead"}


def test_where_every_record_is_dead_the_pool_is_the_wrong_one_and_none_is_moved(machine, home):
    graph = make_graph(machine, home)
    make_pool(machine, graph)
    for name, thin_id in (("base", 1), ("one", 2)):
        record(graph, name, thin_id, transaction_id=0)
    engine = open_engine(machine, graph.directory, Options())
    plan = clear(engine)
    assert plan.steps == ()
    assert "it may be another pool than last time" in plan.notices[0]
    assert records(graph) == {"", "one"}
    engine.close()


# Nodes without a record


def test_a_node_without_a_record_is_deactivated(machine, graph, opened):
    make_thin(machine, graph, GHOST)
    name = graph.prefix.device_name("ghost")
    activate(machine, graph, name, GHOST)
    engine = opened()
    (step,) = clear(engine).steps
    assert step.command == f"dmsetup remove {name}"
    assert name not in active(machine)
    assert buckets(look(engine))[Bucket.POOL_ONLY] == [GHOST]


def test_an_open_node_without_a_record_stays(machine, graph, opened):
    make_thin(machine, graph, GHOST)
    name = graph.prefix.device_name("ghost")
    activate(machine, graph, name, GHOST)
    machine.device_mapper.create("dmtui-test-above", [Target(0, 2048, "linear", f"/dev/mapper/{name} 0")])
    plan = clear(opened())
    assert (plan.steps, plan.notices) == ((), (f"{name} stays: it is open once",))
    assert name in active(machine)


def test_a_node_opened_since_the_look_stays(machine, graph, opened):
    make_thin(machine, graph, GHOST)
    name = graph.prefix.device_name("ghost")
    activate(machine, graph, name, GHOST)
    engine = opened()
    engine.devices.patience.sleep = lambda seconds: None
    plan = engine.plans.reconcile(look(engine))
    machine.device_mapper.create("dmtui-test-above", [Target(0, 2048, "linear", f"/dev/mapper/{name} 0")])
    engine.run(plan)
    assert name in active(machine)


def test_a_node_of_our_prefix_that_is_no_thin_device_stays(machine, graph, opened):
    name = graph.prefix.device_name("odd")
    machine.device_mapper.create(name, [Target(0, 2048, "error", "")])
    plan = clear(opened())
    assert plan.notices == (f"{name} stays: it is no thin device (error)",)
    assert name in active(machine)


# Orphans


def test_an_orphan_is_deleted_only_when_that_is_asked_for(machine, graph, opened):
    make_thin(machine, graph, ORPHAN)
    engine = opened()
    plan = clear(engine)
    assert plan.steps == ()
    assert plan.notices == (f"thin id {ORPHAN} kept: deleted only when that is asked for",)
    assert has_thin(machine, graph, ORPHAN)


def test_orphans_are_deleted_each_in_a_transaction(machine, graph, opened):
    for thin_id in (ORPHAN, ORPHAN + 1):
        make_thin(machine, graph, thin_id)
    engine = opened()
    before = engine.devices.pool.transaction_id()
    plan = clear(engine, delete_orphans=True)
    assert [step.command.split()[-2:] for step in plan.steps] == [["'delete", "50'"], ["'delete", "51'"]]
    assert not has_thin(machine, graph, ORPHAN)
    assert not has_thin(machine, graph, ORPHAN + 1)
    assert engine.devices.pool.transaction_id() == before + 2
    assert engine.store.read_transaction().open_id == before + 2
    assert records(graph) == {"", "one"}


def test_an_active_orphan_is_never_deleted(machine, graph, opened):
    make_thin(machine, graph, ORPHAN)
    activate(machine, graph, "dmtui-test-foreign", ORPHAN)
    plan = clear(opened(), delete_orphans=True)
    assert plan.notices == (f"thin id {ORPHAN} is not deleted: it is active as dmtui-test-foreign",)
    assert has_thin(machine, graph, ORPHAN)


def test_an_orphan_that_is_activated_after_the_look_is_not_deleted(machine, graph, opened):
    make_thin(machine, graph, ORPHAN)
    engine = opened()
    plan = engine.plans.reconcile(look(engine), delete_orphans=True)
    activate(machine, graph, "dmtui-test-foreign", ORPHAN)
    with pytest.raises(PlanFailedError):
        engine.run(plan)
    assert engine.store.read_transaction().open_id == engine.devices.pool.transaction_id()
    assert has_thin(machine, graph, ORPHAN)


def test_an_orphan_that_has_a_record_since_the_look_is_not_deleted(machine, graph, opened):
    make_thin(machine, graph, ORPHAN)
    engine = opened()
    plan = engine.plans.reconcile(look(engine), delete_orphans=True)
    record(graph, "found", ORPHAN, transaction_id=3)
    engine.devices.reload()
    engine.run(plan)
    assert has_thin(machine, graph, ORPHAN)


def test_in_an_external_pool_no_orphan_is_deleted(machine, graph, opened):
    make_thin(machine, graph, ORPHAN)
    engine = opened(thin_pool_device=f"/dev/mapper/{graph.prefix.pool_name}")
    plan = clear(engine, delete_orphans=True)
    assert plan.steps == ()
    assert "they may be somebody else's" in plan.notices[0]
    assert has_thin(machine, graph, ORPHAN)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            '{"device_id":50,"size":1,"transaction_id":1,"initialized":false}',
            "the record mended in quarantine claims it",
        ),
        ("torn", "they may belong to what cannot be read"),
    ],
)
def test_what_a_record_in_quarantine_may_claim_is_not_deleted(machine, graph, opened, content, told):
    make_thin(machine, graph, ORPHAN)
    engine = opened()
    directory = Path(engine.store.quarantine_directory)
    directory.mkdir()
    (directory / "mended").write_text(content)
    (directory / "parents.json.1").write_text("torn, but no record")
    plan = clear(engine, delete_orphans=True)
    assert plan.steps == ()
    assert told in plan.notices[0]
    assert has_thin(machine, graph, ORPHAN)


def test_the_devices_of_a_broken_old_release_s_file_are_not_deleted(machine, graph, opened):
    (Path(graph.directory) / "devicemapper" / "json").write_text("torn")
    make_thin(machine, graph, ORPHAN)
    clear(opened(), delete_orphans=True)
    assert has_thin(machine, graph, ORPHAN)


# Clashes


def test_a_clash_is_told_and_never_touched(machine, graph, opened):
    record(graph, "twin", 2)
    plan = clear(opened(), delete_orphans=True)
    assert plan.steps == ()
    assert [notice.split(":")[0] for notice in plan.notices] == ["one is left alone", "twin is left alone"]
    assert records(graph) == {"", "one", "twin"}


# Killed


def arrange(machine, graph):
    """Leave over one of each, whatever became of those before."""
    directory = Path(graph.directory) / "dmtui" / "quarantine"
    for name in quarantine(graph):
        (directory / name).unlink()
    record(graph, "dead", DEAD, transaction_id=2)
    for thin_id in (ORPHAN, GHOST):
        make_thin(machine, graph, thin_id)
    ghost = graph.prefix.device_name("ghost")
    if ghost not in active(machine):
        activate(machine, graph, ghost, GHOST)


@pytest.mark.parametrize("machine_kind", ["emulated"])  # the kill matrix takes samples on a kernel
def test_killed_at_any_call_a_look_leaves_no_snapshot(machine, graph):
    arrange(machine, graph)
    for death in deaths(machine, graph, look):
        engine = open_engine(machine, graph.directory, Options())
        assert held_block(machine, graph) is None, death
        assert work(graph) == [], death
        assert len(look(engine).devices) == 5, death
        engine.close()


@pytest.mark.parametrize("machine_kind", ["emulated"])  # the kill matrix takes samples on a kernel
def test_killed_at_any_call_a_clearing_loses_no_record_and_can_be_done_again(machine, graph):
    def perform(engine):
        clear(engine, delete_orphans=True)

    for death in deaths(machine, graph, perform, lambda: arrange(machine, graph)):
        engine = open_engine(machine, graph.directory, Options())
        assert held_block(machine, graph) is None, death
        assert work(graph) == [], death
        assert {"", "one"} <= records(graph), death
        assert ("dead" in records(graph)) != ("dead" in quarantine(graph)), death
        assert engine.store.read_transaction().open_id == engine.devices.pool.transaction_id(), death
        clear(engine, delete_orphans=True)
        clear(engine, delete_orphans=True)  # the node's thin id became an orphan
        assert buckets(look(engine)) == {Bucket.WHOLE: ["", "one"]}, death
        engine.close()


def test_a_look_can_be_taken_again_after_the_pool_was_down(machine, graph, opened):
    take_down(machine, graph)
    bring_up(machine, graph)
    assert buckets(look(opened())) == {Bucket.WHOLE: ["", "one"]}

"""The check of a pool's metadata: live through a metadata snapshot of ours, else offline; never at others' cost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dmtui.deviceset.engine import open_engine
from dmtui.deviceset.options import Options
from dmtui.deviceset.patience import Patience
from dmtui.deviceset.plan import LostLockError, PlanFailedError
from dmtui.deviceset.snapshot import SnapshotHeldError
from dmtui.machine.durable import InUseError
from dmtui.machine.errors import MachineError
from dmtui.machine.tools import CheckResult
from dmtui.thinpool.errors import DmtuiError, MissingError
from tests.deviceset.graphs import make_graph, make_pool
from tests.deviceset.killing import KilledError
from tests.deviceset.smallsets import (
    answering,
    bring_up,
    deaths,
    held_block,
    make_small_set,
    take_down,
    with_part,
    work,
)

SNAPSHOT = "%snapshot"


@pytest.fixture
def graph(machine, home):
    return make_small_set(machine, home)


@pytest.fixture
def pool(graph):
    return graph.prefix.pool_name


@pytest.fixture
def opened(machine, graph):
    """Opens the engine on the machine or on an altered one; closed in the end."""
    engines = []

    def open_on(altered=None, **named):
        engines.append(open_engine(altered or machine, graph.directory, Options(), **named))
        return engines[-1]

    yield open_on
    for engine in engines:
        engine.close()


def leave_intent(graph, **details) -> None:
    """What a killed process leaves of a claim on the metadata snapshot."""
    path = Path(graph.directory) / "dmtui" / "work" / SNAPSHOT
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps({"operation": "read the pool's metadata", "details": details, "pid": 1, "since": "then"})
    )


def die(*arguments, **named):
    raise KilledError


# Live


def test_a_live_pool_is_checked_through_a_metadata_snapshot(machine, graph, opened):
    engine = opened()
    check = engine.plans.check()
    assert [step.command.split()[0] for step in check.plan.steps] == ["dmsetup", "dmsetup", "thin_check", "dmsetup"]
    assert check.result is None
    engine.run(check.plan)
    assert check.result is not None
    assert check.result.sound
    assert held_block(machine, graph) is None
    assert work(graph) == []


def test_a_mark_is_not_taken_away_while_the_pool_is_active(machine, graph, opened):
    with pytest.raises(DmtuiError, match="is active: a mark on its metadata can only be taken away while it is down"):
        opened().plans.check(clears=True)


def test_of_a_pool_that_is_down_the_mark_can_be_taken_away(machine, graph, opened):
    engine = opened()
    engine.run(engine.plans.remove_pool())
    check = engine.plans.check(clears=True)
    (step,) = [step for step in check.plan.steps if "thin_check" in step.command]
    assert step.command == f"thin_check --clear-needs-check-flag {graph.metadata_file}"
    assert check.words == ()
    engine.run(check.plan)
    assert check.words[-2:] == (
        "the metadata are sound",
        "a mark needs_check is taken away: `dmtui pool create` brings the pool back writable",
    )
    plain = engine.plans.check()
    engine.run(plain.plan)
    assert "a mark needs_check stays, if they have it" in plain.words[-1]


def test_planning_a_check_reserves_nothing(machine, graph, opened):
    plan = opened().plans.check().plan
    assert any("reserves the pool's one metadata snapshot" in line for line in plan.lines())
    assert held_block(machine, graph) is None
    assert work(graph) == []


def test_unsound_metadata_are_a_result_and_the_snapshot_is_released(machine, graph, opened):
    unsound = CheckResult(False, "bad checksum in btree node (block 2)")
    engine = opened(with_part(machine, "thin_tools", check=lambda path, snapshot: unsound))
    check = engine.plans.check()
    engine.run(check.plan)
    assert check.result == unsound
    assert held_block(machine, graph) is None


def test_a_check_that_fails_releases_the_snapshot(machine, graph, opened):
    def fail(path, snapshot):
        assert held_block(machine, graph) is not None
        raise MachineError("thin_check", "failed: killed by signal 9")

    engine = opened(with_part(machine, "thin_tools", check=fail))
    check = engine.plans.check()
    with pytest.raises(PlanFailedError, match="killed by signal 9"):
        engine.run(check.plan)
    assert check.result is None
    assert held_block(machine, graph) is None
    assert work(graph) == []


def test_others_work_during_a_check_but_cannot_check(machine, graph, opened):
    told = []

    def check(path, snapshot):
        other = open_engine(machine, graph.directory, Options(min_free_percent=0))
        other.run(other.plans.create("two", parent="one"))
        with pytest.raises((SnapshotHeldError, InUseError)) as caught:
            other.run(other.plans.check().plan)
        told.append(caught.value)
        other.close()
        return CheckResult(True, "")

    engine = opened(with_part(machine, "thin_tools", check=check))
    engine.run(engine.plans.check().plan)
    assert len(told) == 1
    assert "two" in engine.plans.state.records
    assert held_block(machine, graph) is None


def test_the_snapshot_is_released_also_where_the_lock_is_lost(machine, graph, opened):
    others = []

    def check(path, snapshot):
        others.append(open_engine(machine, graph.directory, Options()))
        return CheckResult(True, "")

    engine = opened(with_part(machine, "thin_tools", check=check), patience=Patience(lock_seconds=0.1))
    with pytest.raises(PlanFailedError) as caught:
        engine.run(engine.plans.check().plan)
    assert isinstance(caught.value.cause, LostLockError)
    assert held_block(machine, graph) is None
    others[0].close()
    opened().close()
    assert work(graph) == []


# Somebody else's snapshot


def test_somebody_else_s_snapshot_stands_in_the_way_and_stays(machine, graph, pool, opened):
    machine.device_mapper.message(pool, "reserve_metadata_snap")
    held = held_block(machine, graph)
    with pytest.raises(SnapshotHeldError, match="release_metadata_snap"):
        opened().plans.check()
    assert held_block(machine, graph) == held


@pytest.mark.parametrize("when", ["planned", "looked"])
def test_a_snapshot_that_somebody_takes_before_us_stays(machine, graph, pool, opened, when):
    def message(name, text):
        if text == "reserve_metadata_snap":
            machine.device_mapper.message(name, text)
        return machine.device_mapper.message(name, text)

    engine = opened(with_part(machine, "device_mapper", message=message) if when == "looked" else None)
    plan = engine.plans.check().plan
    if when == "planned":
        machine.device_mapper.message(pool, "reserve_metadata_snap")
    with pytest.raises(PlanFailedError) as caught:
        engine.run(plan)
    assert isinstance(caught.value.cause, SnapshotHeldError)
    assert held_block(machine, graph) is not None
    assert work(graph) == []


# Not live


def test_the_metadata_of_a_pool_that_is_not_active_are_checked_in_their_file(machine, graph, opened):
    take_down(machine, graph)
    engine = opened()
    check = engine.plans.check()
    (step,) = check.plan.steps
    assert step.command == f"thin_check {graph.metadata_file}"
    engine.run(check.plan)
    assert check.result is not None
    assert check.result.sound
    assert work(graph) == []


def test_a_file_without_metadata_is_not_sound(machine, home):
    graph = make_graph(machine, home)
    machine.files.make_sparse_file(graph.metadata_file, 4 << 20)
    engine = open_engine(machine, graph.directory, Options())
    check = engine.plans.check()
    engine.run(check.plan)
    assert check.result is not None
    assert not check.result.sound
    engine.close()


def test_a_file_under_another_pool_is_not_checked(machine, home):
    graph = make_graph(machine, home)
    make_pool(machine, graph, name="dmtui-test-other")
    engine = open_engine(machine, graph.directory, Options())
    with pytest.raises(DmtuiError, match="in use: dmtui-test-other"):
        engine.plans.check()
    engine.close()


def test_without_pool_and_file_there_is_nothing_to_check(machine, home):
    engine = open_engine(machine, make_graph(machine, home).directory, Options())
    with pytest.raises(MissingError):
        engine.plans.check()
    engine.close()


def test_an_external_pool_is_checked_while_it_is_active_only(machine, graph):
    engine = open_engine(machine, graph.directory, Options(thin_pool_device="/dev/mapper/dmtui-test-none"))
    with pytest.raises(MissingError, match="activate it"):
        engine.plans.check()
    engine.close()


def test_a_given_metadata_device_is_checked_when_nothing_stands_on_it(machine, graph):
    take_down(machine, graph)
    data, metadata = (
        machine.loops.attach(path, autoclear=False).path for path in (graph.data_file, graph.metadata_file)
    )
    engine = open_engine(machine, graph.directory, Options(data_device=data, metadata_device=metadata))
    check = engine.plans.check()
    engine.run(check.plan)
    assert check.plan.steps[0].command == f"thin_check {metadata}"
    assert check.result is not None
    assert check.result.sound
    engine.close()


@pytest.mark.parametrize(
    ("line", "told"),
    [("Fail", "cannot be read while it is active"), ("2 11/1024 0/1024 - ro discard_passdown", "takes no metadata")],
)
def test_a_pool_that_takes_no_snapshot_is_refused_with_what_to_do(machine, graph, opened, line, told):
    with pytest.raises(DmtuiError, match=f"{told}.*dmtui pool remove"):
        opened(answering(machine, graph, line)).plans.check()


def test_a_missing_program_is_told_with_its_package(machine, opened):
    altered = with_part(machine, "programs", missing=tuple)
    with pytest.raises(DmtuiError, match=r"thin_check: .*install thin-provisioning-tools"):
        opened(altered).plans.check()


# Killed


@pytest.mark.parametrize("machine_kind", ["emulated"])  # the kill matrix takes samples on a kernel
def test_killed_at_any_call_a_check_leaves_no_snapshot(machine, graph):
    before = {path.name: path.read_bytes() for path in Path(graph.records_directory).iterdir()}
    for death in deaths(machine, graph, lambda engine: engine.run(engine.plans.check().plan)):
        open_engine(machine, graph.directory, Options()).close()
        assert held_block(machine, graph) is None, death
        assert work(graph) == [], death
        after = {path.name: path.read_bytes() for path in Path(graph.records_directory).iterdir()}
        assert after.keys() - {"deviceset-metadata"} == before.keys(), death
        assert all(after[name] == before[name] for name in before), death


@pytest.mark.parametrize("details", [{}, {"asked": False, "pool": "x"}], ids=["not asked yet", "given back"])
def test_a_kill_without_a_snapshot_of_ours_leaves_somebody_else_s(machine, graph, pool, opened, details):
    leave_intent(graph, **details)
    machine.device_mapper.message(pool, "reserve_metadata_snap")
    assert opened().recovered == ()
    assert held_block(machine, graph) is not None
    assert work(graph) == []


def test_a_snapshot_in_another_block_than_ours_was_is_somebody_else_s(machine, graph, pool, opened):
    machine.device_mapper.message(pool, "reserve_metadata_snap")
    held = held_block(machine, graph)
    leave_intent(graph, asked=True, pool=pool, block=held + 1)
    assert opened().recovered == ()
    assert held_block(machine, graph) == held
    assert work(graph) == []


def test_a_snapshot_left_in_a_pool_that_is_down_is_released_when_it_is_up_again(machine, graph, opened):
    with pytest.raises(KilledError):
        engine = opened(with_part(machine, "thin_tools", check=die))
        engine.run(engine.plans.check().plan)
    engine.close()
    take_down(machine, graph)
    opened().close()
    assert work(graph) == [SNAPSHOT]
    bring_up(machine, graph)
    assert held_block(machine, graph) is not None
    assert any("was released" in note for note in opened().recovered)
    assert held_block(machine, graph) is None
    assert work(graph) == []


def test_a_snapshot_left_in_another_pool_is_told_of(machine, graph, pool, opened):
    leave_intent(graph, asked=True, pool="dmtui-test-other", block=7)
    machine.device_mapper.message(pool, "reserve_metadata_snap")
    (note,) = opened().recovered
    assert "pool dmtui-test-other: may hold a metadata snapshot of ours" in note
    assert held_block(machine, graph) is not None


def test_ours_of_before_is_released_before_a_transaction_needs_the_slot(machine, graph, pool, opened):
    with pytest.raises(KilledError):
        engine = opened(with_part(machine, "thin_tools", check=die))
        engine.run(engine.plans.check().plan)
    engine.close()
    foreign = {"open_transaction_id": 3, "device_hash": "two", "device_id": 9}
    (Path(graph.records_directory) / "transaction-metadata").write_text(json.dumps(foreign))
    machine.device_mapper.message(pool, "set_transaction_id 2 1")
    machine.device_mapper.message(pool, "create_thin 9")  # under another transaction than ours
    machine.device_mapper.message(pool, "set_transaction_id 1 2")
    notes = opened().recovered
    assert "was released" in notes[0]
    assert "taken by somebody else" in notes[1]
    assert held_block(machine, graph) is None

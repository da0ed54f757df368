"""An extension that fails or is killed in the middle: all is as before or whole, and the pool never stays suspended."""

from __future__ import annotations

import os

import pytest

from dmtui.deviceset.plan import PlanFailedError
from tests.deviceset.extending import BLOCK, DATA, METADATA, is_as_before, opened, runs, sizes, totals
from tests.deviceset.graphs import MIB
from tests.deviceset.processes import lives_through
from tests.deviceset.troubles import let_fail


@pytest.fixture
def engine(machine, home):
    """A started device set on loop files."""
    engine = opened(machine, home)
    engine.run(engine.plans.start("now"))
    yield engine
    engine.close()


FAILURES = [
    ("files", "resize_file"),
    ("loops", "refresh_capacity"),
    ("device_mapper", "load"),
    ("device_mapper", "suspend"),
    ("device_mapper", "resume"),
]


@pytest.mark.parametrize(("part", "method"), FAILURES, ids=[method for _, method in FAILURES])
def test_when_a_call_fails_all_is_as_before_and_the_pool_is_resumed(machine, engine, monkeypatch, part, method):
    let_fail(monkeypatch, machine, part, method)
    with pytest.raises(PlanFailedError, match="does not want to") as caught:
        engine.run(engine.plans.extend(2 * DATA))
    assert not caught.value.outcome.unfinished
    assert is_as_before(engine)
    engine.run(engine.plans.extend(2 * DATA))
    assert totals(engine)[0] == 2 * DATA


@pytest.mark.parametrize(
    ("part", "method"),
    [each for each in FAILURES if each[1] != "load"],
    ids=[method for _, method in FAILURES if method != "load"],
)
def test_when_a_call_for_the_metadata_fails_all_is_as_before(machine, engine, monkeypatch, part, method):
    let_fail(monkeypatch, machine, part, method)
    with pytest.raises(PlanFailedError, match="does not want to"):
        engine.run(engine.plans.extend(metadata_bytes=2 * METADATA))
    assert is_as_before(engine)


@pytest.mark.parametrize("method", ["load", "suspend"])
def test_what_was_done_without_an_answer_is_put_back_too(machine, engine, monkeypatch, method):
    let_fail(monkeypatch, machine, "device_mapper", method, unanswered=True)
    with pytest.raises(PlanFailedError, match="does not answer"):
        engine.run(engine.plans.extend(2 * DATA))
    assert is_as_before(engine)


def test_a_resume_without_an_answer_that_let_the_pool_grow_is_seen_by_the_next_start(
    machine, home, engine, monkeypatch
):
    let_fail(monkeypatch, machine, "device_mapper", "resume", unanswered=True)
    with pytest.raises(PlanFailedError, match="the next command finishes what is left"):
        engine.run(engine.plans.extend(2 * DATA))
    engine.close()
    again = opened(machine, home)
    assert runs(again)
    assert totals(again) == sizes(again) == (2 * DATA, METADATA)
    assert os.listdir(again.devices.intents.directory) == []
    again.close()


def test_that_the_pool_cannot_be_looked_at_for_a_moment_leaves_it_suspended_no_longer(machine, engine, monkeypatch):
    plan = engine.plans.extend(metadata_bytes=2 * METADATA)
    let_fail(monkeypatch, machine, "device_mapper", "resume")
    let_fail(monkeypatch, machine, "device_mapper", "info")
    with pytest.raises(PlanFailedError):
        engine.run(plan)
    assert is_as_before(engine)


@pytest.mark.parametrize("turns", [(1, 2), (1, 2, 3)])
def test_a_resume_is_tried_again_until_the_pool_runs(machine, engine, monkeypatch, turns):
    let_fail(monkeypatch, machine, "device_mapper", "resume", *turns)
    with pytest.raises(PlanFailedError):
        engine.run(engine.plans.extend(2 * DATA))
    assert runs(engine)


def test_a_table_that_the_pool_does_not_take_is_replaced_by_the_old_one(machine, engine, monkeypatch):
    """A resume that fails leaves the pool suspended with the new table live."""
    mapper, load, loaded = machine.device_mapper, machine.device_mapper.load, []

    def load_what_is_too_short(name, targets):
        loaded.append(name)
        short = engine.devices.pool.table().target(128) if len(loaded) == 1 else targets[0]
        load(name, [short])

    monkeypatch.setattr(mapper, "load", load_what_is_too_short)
    with pytest.raises(PlanFailedError, match="resuming it failed"):
        engine.run(engine.plans.extend(2 * DATA))
    assert len(loaded) == 2
    assert is_as_before(engine)


def test_data_that_fail_behind_their_metadata_are_finished_by_the_next_start(machine, home, engine, monkeypatch):
    """What the pool has taken it never gives back, so there is no way back to before."""
    let_fail(monkeypatch, machine, "device_mapper", "resume", 2)
    with pytest.raises(PlanFailedError, match="the next command finishes what is left"):
        engine.run(engine.plans.extend(2 * DATA, 2 * METADATA))
    assert runs(engine)
    assert totals(engine) == (DATA, 2 * METADATA)
    engine.close()
    again = opened(machine, home)
    assert again.recovered == (f"the extension of pool {again.devices.pool.name} was finished",)
    assert totals(again) == sizes(again) == (2 * DATA, 2 * METADATA)
    again.close()


def test_a_pool_that_says_it_has_not_grown_is_an_error_with_both_numbers(machine, home, engine, monkeypatch):
    load = machine.device_mapper.load
    old = machine.device_mapper.table(engine.devices.pool.name).targets
    monkeypatch.setattr(machine.device_mapper, "load", lambda name, _: load(name, old))
    with pytest.raises(PlanFailedError, match=f"has {DATA // BLOCK} data blocks.*not {2 * DATA // BLOCK}"):
        engine.run(engine.plans.extend(2 * DATA))
    assert runs(engine)
    engine.close()
    again = opened(machine, home)  # which cannot do better
    assert "was given up" in again.recovered[0]
    again.close()
    assert opened(machine, home).recovered == ()
    assert runs(engine)


emulated = pytest.mark.parametrize("machine_kind", ["emulated"])


@emulated
@pytest.mark.parametrize("both", [False, True], ids=["data", "both"])
def test_killed_at_any_call_an_extension_is_whole_or_has_not_begun(machine, home, engine, both):
    directory, options = engine.devices.graph.directory, engine.devices.options
    engine.close()
    for at in range(1, 200):
        before = totals(engine)
        wanted = before[0] + 16 * MIB, before[1] + (MIB if both else 0)

        def extend(process, wanted=wanted):
            process.run(process.plans.extend(wanted[0], wanted[1] if both else None))

        alive = lives_through(home, directory, options, extend, at)
        again = opened(machine, home, making=False)
        assert runs(again)
        assert totals(again) == sizes(again)
        assert totals(again) in (before, wanted)
        assert os.listdir(again.devices.intents.directory) == []
        again.close()
        if alive:
            assert at > 20, "the reaper counted no calls"
            return
    raise AssertionError("the extension never came to its end")


@emulated
def test_after_a_power_cut_in_the_midst_the_next_start_takes_all_of_it_or_nothing(machine, home, engine):
    directory, options = engine.devices.graph.directory, engine.devices.options
    engine.close()
    for at in range(1, 200):
        before = totals(engine)
        wanted = before[0] + 16 * MIB, before[1] + MIB
        alive = lives_through(
            home, directory, options, lambda process, sizes=wanted: process.run(process.plans.extend(*sizes)), at
        )
        machine.reboot()
        again = opened(machine, home)
        again.run(again.plans.start("now"))
        assert totals(again) == sizes(again)
        assert totals(again) in (before, wanted)
        again.close()
        if alive:
            return
    raise AssertionError("the extension never came to its end")


@emulated
def test_an_extension_killed_on_a_pool_that_has_failed_since_is_given_up(machine, home, engine):
    directory, options, pool = engine.devices.graph.directory, engine.devices.options, engine.devices.pool
    engine.close()
    for at in range(1, 200):
        wanted = totals(engine)[0] + MIB
        lives_through(
            home, directory, options, lambda process, size=wanted: process.run(process.plans.extend(size)), at
        )
        if pool.mapper.info(pool.name).suspended:
            break
        opened(machine, home).close()
    machine.faults.fail_pool(pool.name)
    again = opened(machine, home)
    assert "was given up" in again.recovered[-1]
    assert runs(engine)
    again.close()
    assert opened(machine, home).recovered == ()

"""The countdown of a full pool that queues: two bounds, and a word that it is an estimate."""

import dataclasses

import pytest

from dmtui.machine.emulated import EmulatedMachine
from dmtui.machine.errors import NoSpaceError
from dmtui.monitor.discover import Discoverer
from dmtui.monitor.memory import Memory
from dmtui.monitor.nospace import Waits
from tests.machine.emulated.bench import Bench
from tests.monitor import made
from tests.monitor.made import NOW

FULL = made.pool(1.0, mode="out_of_data_space")
FAILING = made.pool(1.0, mode="out_of_data_space", no_space_policy="error_if_no_space")


def after(*taken, timeout_seconds=None):
    waits = Waits()
    for at, pool in taken:
        sample = made.sample(*([pool] if pool else []), at=NOW + at)
        waits = waits.step(dataclasses.replace(sample, no_space_timeout_seconds=timeout_seconds))
    return waits.by_pool.get("p")


def test_it_runs_between_the_last_sample_without_and_the_first_with_it():
    wait = after((0, made.pool()), (2, FULL), (5, FULL))
    assert (wait.least_seconds(NOW + 10), wait.most_seconds(NOW + 10)) == (50, 52)
    assert wait.text(NOW + 10) == "writes fail in about 50 to 52 s (estimate)"


def test_where_nobody_saw_it_begin_it_has_no_lower_bound():
    wait = after((0, FULL), (5, FULL))
    assert wait.least_seconds(NOW + 10) is None
    assert wait.text(NOW + 10) == "writes fail in 50 s or sooner (estimate: it was full before it was watched)"


def test_in_the_end_it_should_be_over():
    wait = after((0, made.pool()), (1, FULL))
    assert wait.text(NOW + 61) == "the wait of its writers should be over (estimate)"
    assert wait.most_seconds(NOW + 1000) == 0


@pytest.mark.parametrize("ending", [FAILING, made.pool(), None], ids=["failing", "writable", "gone"])
def test_it_ends_with_the_state_that_it_counts(ending):
    assert after((0, made.pool()), (1, FULL), (2, ending)) is None


def test_it_begins_anew_when_the_pool_was_writable_between():
    assert after((0, FULL), (50, made.pool()), (51, FULL)).most_seconds(NOW + 51) == 60


def test_more_space_that_is_used_up_again_between_two_samples_begins_it_anew():
    more = dataclasses.replace(FULL, data=dataclasses.replace(FULL.data, total_bytes=FULL.data.total_bytes + 2**30))
    wait = after((0, made.pool()), (1, FULL), (40, FULL), (41, more), (42, more))
    assert (wait.least_seconds(NOW + 42), wait.most_seconds(NOW + 42)) == (58, 59)


def test_a_pool_that_fails_at_once_has_no_countdown():
    assert after((0, FAILING)) is None


def test_another_timeout_and_a_clock_set_back_stay_within_bounds():
    wait = after((0, made.pool()), (1, FULL), timeout_seconds=6)
    assert wait.most_seconds(NOW - 500) == 6
    assert wait.least_seconds(NOW + 4) == 2


def test_a_timeout_of_0_is_no_countdown():
    wait = after((0, made.pool()), (1, FULL), timeout_seconds=0.0)
    assert wait.text(NOW + 500) == "writes wait until there is space: no_space_timeout is 0"


def test_it_goes_by_the_machine_s_own_clock():
    waits = Waits()
    for at, machine_at, pool in ((0, 100, made.pool()), (1, 101, FULL), (2, 141, FULL)):
        waits = waits.step(dataclasses.replace(made.sample(pool, at=NOW + at), machine_at=NOW + machine_at))
    assert waits.by_pool["p"].text(NOW + 141) == "writes fail in about 19 to 20 s (estimate)"
    set_back = dataclasses.replace(made.sample(FULL, at=NOW + 3), machine_at=NOW + 50)
    assert waits.step(set_back).by_pool["p"].most_seconds(NOW + 50) == 60


def test_a_sample_that_could_not_read_the_pool_leaves_it_running():
    waits = Waits().step(made.sample(FULL))
    unread = made.sample(at=NOW + 1, problems=("device p: does not answer",))
    assert waits.step(unread).step(made.sample(FULL, at=NOW + 2)).by_pool["p"].seen_at == NOW


def test_on_the_emulated_machine_it_agrees_with_what_will_happen(tmp_path):
    bench = Bench(EmulatedMachine.open(tmp_path / "machine"), blocks=8)
    bench.machine.clock.freeze()
    bench.machine.clock.set_no_space_timeout(45)
    bench.thin(1)
    bench.write("t1", *range(8))
    discoverer, memory = Discoverer(bench.machine), Memory()
    memory.take_in(discoverer.take())
    with pytest.raises(NoSpaceError):
        bench.write("t1", 20)
    for seconds in (0, 30, 14):
        bench.machine.clock.step(seconds)
        sample = discoverer.take()
        memory.take_in(sample)
    assert memory.waits.by_pool["p"].text(sample.waited_at) == "writes fail in about 1 s (estimate)"
    bench.machine.clock.step(1)
    memory.take_in(discoverer.take())
    assert "p" not in memory.waits.by_pool
    bench.machine.close()

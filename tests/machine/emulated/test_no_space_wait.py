"""A full pool that queues lets writers wait for a minute by the machine's clock, then it fails them."""

import pytest

from dmtui.machine.emulated import EmulatedMachine
from dmtui.machine.errors import InvalidError, NoSpaceError
from tests.machine.emulated.bench import BLOCK, Bench

QUEUES = "8/8 out_of_data_space queue_if_no_space"
FAILS = "8/8 out_of_data_space error_if_no_space"


@pytest.fixture
def full(make_bench):
    """A pool of 8 blocks, out of data space since the moment at which the clock stands."""
    bench = make_bench(blocks=8)
    bench.machine.clock.freeze()
    fill(bench)
    return bench


def fill(bench):
    bench.thin(1)
    bench.write("t1", *range(8))
    overfill(bench)


def overfill(bench):
    with pytest.raises(NoSpaceError):
        bench.write("t1", 20)


def figures(bench) -> str:
    """As `Bench.figures`, without a commit."""
    words = bench.line("p", flush=False).split()
    return f"{words[5]} {words[7]} {words[9]}"


def test_it_lasts_60_seconds(full):
    full.machine.clock.step(59.999)
    assert figures(full) == QUEUES
    full.machine.clock.step(0.001)
    assert figures(full) == FAILS


LOOKS = {
    "status": lambda bench: bench.mapper.status("p").info.event_nr,
    "list": lambda bench: next(entry.event_nr for entry in bench.mapper.list_devices() if entry.name == "p"),
    "info": lambda bench: bench.mapper.info("p").event_nr,
    "table": lambda bench: bench.mapper.table("p").info.event_nr,
    "status with a commit": lambda bench: bench.mapper.status_flush("p").info.event_nr,
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_its_end_is_an_event_for_whoever_looks_first(full, look, monkeypatch):
    before = full.events
    moment = full.machine.clock.now()
    full.machine.clock.run()
    monkeypatch.setattr("time.time_ns", lambda: int((moment + 61) * 1e9))  # nobody steps it: it goes by itself
    assert look(full) == before + 1
    assert (figures(full), full.events) == (FAILS, before + 1)


def test_another_process_sees_it_too(full):
    other = EmulatedMachine.open(full.machine._directory)
    full.machine.clock.step(60)
    other_bench = object.__new__(Bench)
    other_bench.machine, other_bench.mapper = other, other.device_mapper
    assert figures(other_bench) == figures(full) == FAILS
    other.close()


def test_after_it_a_write_fails_at_once(full):
    full.machine.clock.step(60)
    with pytest.raises(NoSpaceError) as caught:
        full.write("t1", 20)
    assert "would wait" not in str(caught.value)
    full.write("t1", 3)


def test_a_pool_that_fails_its_writers_has_none(make_bench):
    bench = make_bench(blocks=8, words="0 1 error_if_no_space")
    fill(bench)
    events = bench.events
    bench.machine.clock.step(1000)
    assert (figures(bench), bench.events) == (FAILS, events)


def test_space_ends_it_for_good_and_gives_the_policy_back(full):
    full.machine.clock.step(60)
    full.grow_file("/b/data", full.data, 16 * BLOCK)
    full.reload(blocks=16)
    assert figures(full) == "8/16 rw queue_if_no_space"
    full.write("t1", *range(8, 16))
    overfill(full)
    full.machine.clock.step(59)
    full.discard("t1", 0, 2)
    assert full.figures == "14/16 rw queue_if_no_space"  # the write that waited comes after this answer
    full.machine.clock.step(1)
    assert figures(full) == "15/16 rw queue_if_no_space"


def test_a_resume_begins_it_anew_and_forgets_that_it_was_over(full):
    full.machine.clock.step(60)
    full.mapper.suspend("p")
    assert figures(full) == FAILS
    full.mapper.resume("p")
    full.machine.clock.step(59)
    assert figures(full) == QUEUES
    full.machine.clock.step(1)
    assert figures(full) == FAILS


def test_it_does_not_go_on_while_the_pool_is_suspended(full):
    full.mapper.suspend("p")
    full.machine.clock.step(1000)
    assert figures(full) == QUEUES
    full.mapper.resume("p")
    assert figures(full) == QUEUES


def test_the_timeout_of_its_beginning_counts(full):
    full.machine.clock.set_no_space_timeout(5)
    full.machine.clock.step(6)
    assert figures(full) == QUEUES
    full.mapper.suspend("p")
    full.mapper.resume("p")
    full.machine.clock.step(5)
    assert figures(full) == FAILS


def test_a_timeout_of_0_lets_them_wait_for_ever(make_bench):
    bench = make_bench(blocks=8)
    bench.machine.clock.set_no_space_timeout(0)
    fill(bench)
    bench.machine.clock.step(10**6)
    assert figures(bench) == QUEUES
    assert bench.mapper.no_space_timeout_seconds() == 0


@pytest.mark.parametrize("seconds", [-1, 1 << 32])
def test_a_timeout_is_a_number_that_the_kernel_takes(emulated, seconds):
    with pytest.raises(InvalidError):
        emulated.clock.set_no_space_timeout(seconds)
    assert emulated.device_mapper.no_space_timeout_seconds() == 60

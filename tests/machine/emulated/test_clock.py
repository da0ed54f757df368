"""The machine's clock: it follows the real one, and can be put forward, stopped and let go again."""

import multiprocessing
import sqlite3
import time
from contextlib import closing

import pytest

from dmtui.machine.emulated import EmulatedMachine, clock
from dmtui.machine.errors import InvalidError

spawn = multiprocessing.get_context("spawn")
MOMENT = 1_436_292_849.0


@pytest.fixture
def real(monkeypatch):
    """The real clock, set by hand: a list of the one number of seconds that it shows."""
    shown = [MOMENT]
    monkeypatch.setattr(time, "time_ns", lambda: int(shown[0] * 1e9))
    return shown


def test_it_shows_the_real_time(emulated, real):
    assert emulated.clock.read() == clock.ClockReading(MOMENT, False)
    real[0] += 5
    assert emulated.clock.now() == MOMENT + 5


def test_put_forward_it_goes_on_from_there(emulated, real):
    emulated.clock.step(60.5)
    real[0] += 1
    assert emulated.clock.read() == clock.ClockReading(MOMENT + 61.5, False)


def test_stopped_it_stands_where_it_was_and_goes_on_from_there(emulated, real):
    emulated.clock.freeze()
    real[0] += 1000
    assert emulated.clock.read() == clock.ClockReading(MOMENT, True)
    emulated.clock.step(60)
    assert emulated.clock.read() == clock.ClockReading(MOMENT + 60, True)
    emulated.clock.run()
    emulated.clock.run()
    real[0] += 1
    assert emulated.clock.read() == clock.ClockReading(MOMENT + 61, False)


def test_it_can_be_stopped_at_any_moment(emulated, real):
    emulated.clock.step(3600)
    emulated.clock.freeze(5.25)
    assert emulated.clock.read() == clock.ClockReading(5.25, True)


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), 2.0**33])
def test_it_is_not_put_back_nor_further_than_it_goes(emulated, real, seconds):
    with pytest.raises(InvalidError, match="putting it forward by"):
        emulated.clock.step(seconds)
    with pytest.raises(InvalidError, match="setting it to"):
        emulated.clock.freeze(seconds * 2)
    assert emulated.clock.read() == clock.ClockReading(MOMENT, False)


def test_it_never_shows_less_than_what_was_noted(emulated, real):
    with emulated._store.write() as connection:
        clock.note(connection)
    real[0] -= 100
    assert emulated.clock.now() == MOMENT
    real[0] += 101
    assert emulated.clock.now() == MOMENT + 1


def show(directory, results) -> None:
    machine = EmulatedMachine.open(directory)
    results.put(machine.clock.read())
    machine.clock.step(60)
    machine.close()


def test_every_process_sees_the_same_time(tmp_path):
    machine = EmulatedMachine.open(tmp_path / "machine")
    machine.clock.freeze(MOMENT)
    results = spawn.Queue()
    other = spawn.Process(target=show, args=(tmp_path / "machine", results))
    other.start()
    assert results.get(timeout=60) == clock.ClockReading(MOMENT, True)
    other.join(60)
    assert machine.clock.now() == MOMENT + 60
    machine.close()


@pytest.mark.parametrize("frozen", [True, False])
def test_a_copy_of_the_machine_goes_on_where_it_was_copied(emulated, real, frozen):
    if frozen:
        emulated.clock.freeze()
    with closing(sqlite3.connect(emulated._store.path)) as connection, connection:
        clock.keep(connection)
    emulated.clock.step(500)
    real[0] += 1000
    with closing(sqlite3.connect(emulated._store.path)) as connection, connection:
        clock.put_back(connection)
    assert emulated.clock.read() == clock.ClockReading(MOMENT, frozen)

"""One writer at a time, and slow work outside the lock: others go on with other devices meanwhile."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from dmtui.deviceset.deviceset import DeviceSet
from dmtui.deviceset.engine import open_engine
from dmtui.deviceset.intents import Intent, UnfinishedError
from dmtui.deviceset.options import parse_options
from dmtui.deviceset.patience import Patience
from dmtui.deviceset.plan import Phase, Plan, PlanFailedError, Step
from dmtui.machine.durable import InUseError
from dmtui.machine.emulated import EmulatedMachine
from dmtui.machine.errors import DeviceBusyError, NoSuchThinIdError
from tests.deviceset.killing import KilledError

MIB = 1024**2
OPTIONS = parse_options(["dm.loopdatasize=256M", "dm.loopmetadatasize=8M", "dm.basesize=64M", "dm.fs=ext4"])


@pytest.fixture
def machine_kind():
    return "emulated"


@pytest.fixture
def graph(machine, home) -> str:
    """A started device set with one device, and nobody at work on it."""
    directory = str(home / "graph")
    engine = open_engine(machine, directory, OPTIONS, making=True)
    engine.run(engine.plans.start("now"))
    engine.run(engine.plans.create("one"))
    engine.close()
    return directory


class Slow:
    """A call of the machine that waits until it is let on."""

    def __init__(self, call):
        self._call = call
        self.begun, self.go_on = threading.Event(), threading.Event()

    def __call__(self, *arguments, **named):
        self.begun.set()
        assert self.go_on.wait(30)
        return self._call(*arguments, **named)


@pytest.fixture
def removing(machine, home, graph, monkeypatch):
    """Another user of the machine in the middle of discarding the device `one`."""
    other = EmulatedMachine.open(home)
    slow = Slow(other.filesystems.discard)
    monkeypatch.setattr(other.filesystems, "discard", slow)
    engine = open_engine(other, graph, OPTIONS)
    failures = []

    def remove() -> None:
        try:
            engine.run(engine.plans.remove("one"))
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=remove, daemon=True)
    thread.start()
    assert slow.begun.wait(30)

    def finish():
        slow.go_on.set()
        thread.join(30)
        assert failures == []
        engine.close()
        return engine

    yield finish
    slow.go_on.set()
    thread.join(30)
    other.close()


def test_others_work_while_a_device_is_discarded(machine, graph, removing):
    mine = open_engine(machine, graph, OPTIONS)
    mine.run(mine.plans.create("two"))
    mine.close()
    theirs = removing()
    assert set(theirs.devices.state.records) == {"", "two"}
    last = open_engine(machine, graph, OPTIONS)
    assert last.recovered == ()
    assert set(last.devices.state.records) == {"", "two"}
    assert last.store.read_transaction().open_id == last.devices.pool.transaction_id()
    last.close()


@pytest.mark.parametrize("another", [False, True])
def test_the_records_are_read_anew_only_where_another_had_the_lock_meanwhile(machine, graph, monkeypatch, another):
    engine, read = open_engine(machine, graph, OPTIONS), []
    reload = DeviceSet.reload
    monkeypatch.setattr(DeviceSet, "reload", lambda devices: (read.append(devices), reload(devices)))

    def act():
        if another:
            other = open_engine(machine, graph, OPTIONS)
            other.run(other.plans.create("two"))
            other.close()

    engine.run(Plan("do something slow", "one", (Step("take its time", act, slow=True),)))
    assert read.count(engine.devices) == another
    assert ("two" in engine.devices.state.records) is another
    engine.close()


def test_what_another_left_when_it_was_killed_meanwhile_is_mended_before_going_on(
    machine, home, graph, removing, monkeypatch
):
    other = EmulatedMachine.open(home)
    message = other.device_mapper.message

    def make_and_die(name, text):
        message(name, text)
        raise KilledError

    victim = open_engine(other, graph, OPTIONS)
    monkeypatch.setattr(other.device_mapper, "message", make_and_die)
    with pytest.raises(KilledError):
        victim.run(victim.plans.create("killed"))
    victim._lock.release()
    other.close()
    theirs = removing()
    assert set(theirs.devices.state.records) == {""}
    assert theirs.store.read_transaction().open_id == theirs.devices.pool.transaction_id()
    with pytest.raises(NoSuchThinIdError):
        machine.device_mapper.message(theirs.devices.pool.name, "delete 3")


@pytest.mark.parametrize("operation", ["activate", "mount", "remove"])
def test_a_device_in_work_is_refused_to_others_who_learn_by_whom_since_when_and_for_what(
    machine, graph, removing, operation
):
    mine = open_engine(machine, graph, OPTIONS)
    with pytest.raises(InUseError, match=r"device one: is in use by process \d+ since \d{4}-.*: remove"):
        mine.run(getattr(mine.plans, operation)("one"))
    with pytest.raises(InUseError):
        mine.run(mine.plans.create("two", parent="one"))
    mine.close()
    removing()


def test_the_lock_is_kept_while_an_operation_is_quick(machine, graph):
    first = open_engine(machine, graph, OPTIONS)
    with pytest.raises(InUseError, match=r"is in use by process \d+ since"):
        open_engine(machine, graph, OPTIONS)
    first.close()
    open_engine(machine, graph, OPTIONS).close()


def test_a_lock_that_does_not_come_back_leaves_everything_to_the_next_start(machine, home, graph, monkeypatch):
    other = EmulatedMachine.open(home)
    holding = []
    discard = other.filesystems.discard

    def discard_and_lose_the_lock(device):
        discard(device)
        holding.append(open_engine(machine, graph, OPTIONS))

    monkeypatch.setattr(other.filesystems, "discard", discard_and_lose_the_lock)
    losing = open_engine(other, graph, OPTIONS, patience=Patience(lock_seconds=0.2))
    with pytest.raises(PlanFailedError, match="is kept by another process"):
        losing.run(losing.plans.remove("one"))
    losing.close()
    other.close()
    holding[0].close()
    last = open_engine(machine, graph, OPTIONS)
    assert last.recovered == ("the removal of one was finished",)
    assert set(last.devices.state.records) == {""}
    last.close()


def test_an_operation_that_could_not_be_finished_is_not_forgotten_by_the_next_on_that_device(machine, graph):
    engine = open_engine(machine, graph, OPTIONS)
    claim = engine.devices.intents.claim(Intent("one", "remove"), "then")
    claim.lock.release()  # its process is gone
    with pytest.raises(UnfinishedError, match="has an unfinished operation: remove"):
        engine.run(engine.plans.mount("one"))
    assert (Path(graph) / "dmtui" / "work" / "one").exists()
    engine.close()


def test_a_wait_for_a_busy_device_is_bounded_and_says_what_for(machine, graph):
    patience = Patience(busy_seconds=2.5, sleep=lambda _: None)
    engine = open_engine(machine, graph, OPTIONS, patience=patience)
    engine.run(engine.plans.activate("one"))
    machine.leaks.begin(engine.devices.device("one"))
    seen = []
    with pytest.raises(PlanFailedError, match=r"waited 2.5 s for docker-.*-one, open once"):
        engine.run(engine.plans.deactivate("one"), seen.append)
    waiting = [progress.text for progress in seen if progress.phase is Phase.NOTED]
    assert len(waiting) == 3  # one a second
    assert waiting[0].endswith("-one, open once, try 1 of 25")
    engine.close()


def test_what_others_wait_for_is_let_go_although_another_undo_fails(machine, graph):
    engine = open_engine(machine, graph, OPTIONS)
    undone = []

    def fail() -> None:
        raise DeviceBusyError("it", "is busy")

    steps = (
        Step("suspend", lambda: None, undo=lambda: undone.append("resumed"), frees=True),
        Step("make", lambda: None, undo=lambda: undone.append("unmade")),
        Step("stick", lambda: None, undo=fail),
        Step("fail", fail),
    )
    with pytest.raises(PlanFailedError, match="the next command finishes what is left"):
        engine.run(Plan("try", "it", steps))
    assert undone == ["resumed"]
    engine.close()

"""What random sequences (`tests.deviceset.test_stateful`) once found, each as a story of its own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dmtui.deviceset.engine import Engine
from dmtui.deviceset.intents import UnfinishedError
from dmtui.deviceset.options import Options
from dmtui.deviceset.plan import LostLockError, Phase, Plan, PlanFailedError
from dmtui.machine.emulated import EmulatedMachine
from dmtui.machine.errors import MachineError
from tests.deviceset.fates import Death, DiedError, Failure, Process
from tests.deviceset.world import Observer

MIB = 1024**2
OPTIONS = Options(
    base_size_bytes=32 * MIB,
    loop_data_size_bytes=256 * MIB,
    loop_metadata_size_bytes=4 * MIB,
    filesystem="ext4",
)
LARGER = replace(OPTIONS, base_size_bytes=40 * MIB)
HASTY = replace(OPTIONS, deferred_removal=False, deferred_deletion=False)
"""Nothing is put off: what is busy is refused."""
KEEPING = replace(OPTIONS, discard_on_delete=False)
"""A removal is a transaction and nothing else."""


class Story:
    """A graph directory, and the processes that work on it one after the other."""

    def __init__(self, home):
        self.machine = EmulatedMachine.open(home)
        self.directory = str(home / "graph")
        self.observer = Observer(self.machine, self.directory, (True, True))
        self.process = Process(self.machine)

    def engine(self, options: Options = OPTIONS) -> Engine:
        """The engine of a new process; the one before has ended."""
        self.process.end()
        self.process = Process(self.machine)
        return self.process.open(self.directory, options, making=True)

    def start(self, options: Options = OPTIONS) -> Engine:
        engine = self.engine(options)
        engine.run(engine.plans.start("now"))
        return engine

    def kill_in(self, plan, text: str, how: str = "before", options: Options = OPTIONS) -> None:
        """Run a plan in a process of its own that dies at the first call of the step with that text."""
        engine = self.engine(options)

        def die_there(progress):
            if text in progress.text and not self.process.course.fates:
                self.process.course.begin(Death(1, how))

        with pytest.raises(DiedError):
            engine.run(plan(engine.plans), die_there)
        self.process.end()

    def fail_in(self, plan: Plan, text: str, at: int = 1, kind: type[Exception] = MachineError) -> None:
        """Run a plan whose step with that text finds its n-th fallible call, or one after it, refused."""

        def fail_there(progress):
            if text in progress.text and progress.phase is Phase.BEGUN:
                self.process.course.begin(Failure(at))

        with pytest.raises(PlanFailedError) as caught:
            self.process.engine.run(plan, fail_there)
        assert isinstance(caught.value.cause, kind)

    def node(self, name: str) -> str:
        return self.observer.prefix.device_name(name)

    @property
    def shown(self):
        """The devices as they are, with nothing odd about them."""
        world = self.observer.look()
        assert not world.oddities
        if world.thins is not None:
            assert sorted(world.thins) == sorted(world.ids.values())
        return world.shown.devices


@pytest.fixture
def story(tmp_path):
    story = Story(tmp_path)
    story.start().close()
    yield story
    story.process.end()
    story.machine.close()


def test_a_base_that_a_kill_and_a_reboot_left_half_removed_is_made_anew_by_the_next_start(story):
    story.kill_in(lambda plans: plans.remove(""), "delete thin id", "after")
    story.machine.reboot()
    story.start()
    assert story.shown[""].size == 32 * MIB


def test_a_start_leaves_a_base_alone_that_somebody_keeps_open_on_its_way_out(story):
    engine = story.engine()
    engine.run(engine.plans.activate(""))
    story.machine.leaks.begin(story.node(""))
    engine.run(engine.plans.deactivate("", deferred=True))
    engine.run(engine.plans.start("now"))
    assert story.shown[""].going


def test_a_removal_that_fails_leaves_a_device_on_its_way_out(story):
    engine = story.engine()
    engine.run(engine.plans.create("one"))
    engine.run(engine.plans.activate("one"))
    story.machine.leaks.begin(story.node("one"))
    engine.run(engine.plans.deactivate("one", deferred=True))
    story.fail_in(engine.plans.remove("one"), "note the transaction")
    assert story.shown["one"].going


def test_a_creation_that_fails_at_its_record_leaves_no_parent_behind(story):
    engine = story.engine()
    story.fail_in(engine.plans.create("one"), "record one", at=2)
    assert "one" not in engine.plans.state.parents
    assert set(story.shown) == {""}


def test_an_engine_that_cannot_take_its_lock_again_touches_nothing_any_more(story):
    engine = story.engine()
    engine.run(engine.plans.create("one"))
    story.fail_in(engine.plans.remove("one"), "discard all", at=2, kind=LostLockError)
    assert story.shown["one"].active  # nothing was undone: the next start finishes it
    assert set(story.start().plans.state.records) == {""}


def test_a_base_whose_file_system_has_grown_is_recorded_larger_though_its_record_could_not_be_written(story):
    engine = story.engine(LARGER)
    story.fail_in(engine.plans.start("now"), "record the base device's size")
    engine.close()
    story.engine()
    assert story.shown[""].size == LARGER.base_size_bytes == story.observer.filesystem_sizes()[1]


def test_nothing_is_built_on_a_device_that_is_half_removed(story):
    engine = story.engine(HASTY)
    engine.run(engine.plans.create("one"))
    engine.close()
    story.kill_in(lambda plans: plans.remove("one"), "deactivate", options=HASTY)
    held = story.machine.leaks.begin(story.node("one"))
    engine = story.engine(HASTY)
    for plan in (engine.plans.activate("one"), engine.plans.mount("one"), engine.plans.create("two", "one")):
        with pytest.raises(UnfinishedError):
            engine.run(plan)
    engine.close()
    story.machine.leaks.end(held)
    assert "one" not in story.engine(HASTY).plans.state.records


def test_a_removal_that_cannot_be_finished_yet_is_not_forgotten_over_a_second_one(story):
    engine = story.engine(HASTY)
    engine.run(engine.plans.create("one"))
    engine.close()
    story.kill_in(lambda plans: plans.remove("one"), "deactivate", options=HASTY)
    held = story.machine.leaks.begin(story.node("one"))
    engine = story.engine(HASTY)
    with pytest.raises(PlanFailedError):
        engine.run(engine.plans.remove("one"))
    engine.close()
    story.machine.leaks.end(held)
    assert "one" not in story.engine(HASTY).plans.state.records


def test_a_device_that_finds_no_room_to_be_grown_after_a_kill_can_be_removed(story):
    story.kill_in(lambda plans: plans.create("one", size_bytes=48 * MIB), "grow its file system")
    story.machine.set_host_space(0)
    engine = story.engine()
    engine.run(engine.plans.remove("one"))
    engine.close()
    assert set(story.shown) == {""}
    assert story.observer.names("dmtui/work") == []


@pytest.mark.parametrize("step", ["delete thin id", "close the transaction"])
def test_a_deletion_that_the_pool_has_done_already_is_finished_by_the_next_start(story, step):
    engine = story.engine(KEEPING)
    engine.run(engine.plans.create("one"))
    story.fail_in(engine.plans.remove("one"), step, at=2 if step.startswith("delete") else 1)
    with pytest.raises(UnfinishedError, match="unfinished operation: remove of one"):
        engine.run(engine.plans.create("two"))
    engine.close()
    story.engine(KEEPING)
    assert set(story.shown) == {""}

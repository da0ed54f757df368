"""The operator: plans and performs in the background, and delivers what came of it."""

from __future__ import annotations

import queue
import time
from unittest.mock import ANY

import pytest

from dmtui.deviceset.engine import open_engine
from dmtui.deviceset.operations import operation
from dmtui.deviceset.options import parse_options
from dmtui.machine.emulated import EmulatedMachine
from dmtui.machine.errors import MachineError
from dmtui.tui.deliveries import Finished, Preview, Request, Step
from dmtui.tui.operator import Operator

SMALL = parse_options(["dm.loopdatasize=256M", "dm.loopmetadatasize=8M", "dm.basesize=64M", "dm.fs=ext4"])


class Setting:
    """An emulated machine, an operator on it, and what it has delivered."""

    def __init__(self, directory):
        self.machine = EmulatedMachine.open(directory)
        self.graph = str(directory / "devicemapper")
        self.delivered = queue.SimpleQueue()
        self.operator = Operator(self.open, self.delivered.put)

    def open(self, *, recovering: bool = True, making: bool = False):
        return open_engine(self.machine, self.graph, SMALL, recovering=recovering, making=making)

    def next(self, kind):
        while True:
            delivery = self.delivered.get(timeout=20)
            if isinstance(delivery, kind):
                return delivery

    def preview(self, identity: str, **values: str) -> Preview:
        self.operator.preview(Request(operation(identity), values))
        return self.next(Preview)

    def perform(self, identity: str, **values: str) -> Finished:
        assert self.operator.perform(self.preview(identity, **values))
        return self.next(Finished)


@pytest.fixture
def setting(tmp_path):
    setting = Setting(tmp_path)
    assert setting.perform("pool create") == Finished(Request(operation("pool create"), {}), ANY)
    yield setting
    setting.machine.close()


def test_a_preview_has_the_exact_plan_and_changes_nothing(setting):
    preview = setting.preview("device create", name="one")
    assert any("create_snap 2 1" in line for line in preview.lines)
    engine = setting.open()
    assert "one" not in engine.devices.state.records
    engine.close()


def test_what_cannot_be_is_refused_by_the_engine_s_own_words(setting):
    assert "is reserved" in setting.preview("device create", name="base").error
    assert "is not recorded" in setting.preview("device activate", name="nobody").error
    assert "is missing" in setting.preview("device create").error


def test_a_performance_tells_each_step_and_ends(setting):
    finished = setting.perform("device create", name="one")
    assert (finished.error, finished.changed, finished.unfinished) == ("", (), False)
    engine = setting.open()
    assert "one" in engine.devices.state.records
    engine.close()


def test_steps_are_delivered_on_the_way(setting):
    setting.operator.perform(setting.preview("device create", name="one"))
    assert setting.next(Step).progress.text.startswith("note the transaction")
    setting.next(Finished)


def test_a_plan_that_is_another_by_now_is_not_performed_but_shown(setting):
    seen = setting.preview("device create", name="one")
    engine = setting.open()
    engine.run(engine.plans.create("other"))
    engine.close()
    setting.operator.perform(seen)
    finished = setting.next(Finished)
    assert any("create_snap 3 1" in line for line in finished.changed)
    engine = setting.open()
    assert "one" not in engine.devices.state.records
    engine.close()


def test_amounts_that_move_while_a_pool_is_used_do_not_keep_its_plan_from_being_run(setting):
    seen = setting.preview("pool check")
    assert any("note: " in line and "kB of metadata" in line for line in seen.lines)
    engine = setting.open()
    for thin_id in range(100, 140):
        engine.devices.pool.message(f"create_thin {thin_id}")
    engine.close()
    assert setting.preview("pool check").lines != seen.lines
    setting.operator.perform(seen)
    finished = setting.next(Finished)
    assert (finished.error, finished.changed) == ("", ())


def test_a_failure_tells_what_was_undone(setting, monkeypatch):
    def fail(*_):
        raise MachineError("resize2fs", "failed", "look")

    monkeypatch.setattr(setting.machine.filesystems, "grow", fail)
    finished = setting.perform("device create", name="one", size="128M")
    assert "resize2fs" in finished.error
    assert finished.undone
    assert not finished.unfinished


def test_one_operation_at_a_time(setting):
    setting.perform("device create", name="one")
    holding = setting.open()
    finished = setting.perform("device activate", name="one")
    assert "is in use by process" in finished.error
    holding.close()


def test_only_the_newest_of_many_previews_counts(setting):
    for number in range(20):
        setting.operator.preview(Request(operation("device create"), {"name": f"one-{number}"}))
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if setting.next(Preview).request.values["name"] == "one-19":
            break
    assert setting.delivered.empty()


def test_a_check_brings_its_result(setting):
    assert setting.perform("pool check").result[-1] == "the metadata are sound"

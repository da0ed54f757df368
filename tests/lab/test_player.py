"""Playing, going back, and what happens when somebody changes the machine meanwhile."""

import time

import pytest

from dmtui.lab.player import Player
from dmtui.lab.scenarios import SCENARIOS, find
from dmtui.monitor.audit import AuditLog
from dmtui.thinpool.errors import DmtuiError


def whole(stage):
    """What there is on a machine: figures, mapped devices, loop devices, files, and what stands on file."""
    machine = stage.machine
    engine = stage.open_engine(recovering=False)
    return (
        stage.look(),
        [
            str(target)
            for entry in machine.device_mapper.list_devices()
            for target in machine.device_mapper.table(entry.name).targets
        ],
        machine.loops.list_bound(),
        machine.filesystems.mounts(),
        machine.host_space,
        engine.devices.state.records,
        engine.devices.state.parents,
        engine.devices.state.whole,
        engine.devices.store.read_transaction(),
    )


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_going_back_restores_the_machine_and_the_same_step_gives_the_same_again(scenario, player):
    played = player(scenario.name)
    while not played.ended:
        before = whole(played.stage)
        first = played.play()
        played.back()
        assert whole(played.stage) == before, first.step.title
        again = played.play()
        assert again == first


def test_going_back_all_the_way_leads_to_the_beginning(player):
    played = player("frees-nothing")
    start = whole(played.stage)
    while not played.ended:
        played.play()
    for _ in range(played.steps + 2):
        played.back()
    assert played.played == []
    assert whole(played.stage) == start
    assert played.upcoming is played.scenario.steps[0]


def test_what_was_done_stays_in_the_audit_log_also_when_it_is_taken_back(player, tmp_path):
    played = player("snapshots", tmp_path / "machine")
    log = tmp_path / "machine" / "devicemapper" / "dmtui" / "audit.jsonl"
    played.play()
    lines = log.read_text().count("\n")
    played.back()
    assert log.read_text().count("\n") == lines


def test_where_somebody_looks_on_what_is_done_is_noted_by_the_clock_on_the_wall(tmp_path):
    played, began = Player(find("snapshots"), tmp_path, frozen_at=None), time.time()
    played.stage.machine.clock.step(3600)
    played.play()
    played.close()
    noted = AuditLog(str(tmp_path / "devicemapper" / "dmtui" / "audit.jsonl")).read_new()
    assert noted
    assert all(began - 1 <= entry.began_at <= time.time() for entry in noted)


def test_a_step_that_fails_is_told_and_can_be_taken_back(player):
    played = player("snapshots")
    played.play()
    played.stage.create("web", "image")  # the watcher was faster
    outcome = played.play()
    assert "device web: exists" in outcome.failure
    assert outcome.told == ""
    played.back()
    assert len(played.played) == 1


def test_a_machine_changed_by_the_watcher_is_put_back_as_it_was_before_the_step(player):
    played = player("grow")
    played.play()
    played.play()
    played.stage.machine.set_host_space(1)
    played.back()
    assert played.stage.machine.host_space.free_bytes > 1


def test_nothing_is_played_after_the_end(player):
    played = player("snapshots")
    while played.upcoming is not None:
        played.play()
    with pytest.raises(IndexError):
        played.play()


def test_a_directory_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(DmtuiError, match="is not empty"):
        Player(find("snapshots"), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_long_act_is_done_in_beats_so_that_figures_move(tmp_path):
    seen = []
    played = Player(find("snapshots"), tmp_path / "machine", lambda: seen.append(played.stage.look().used_blocks))
    assert seen == []
    played.play()
    assert len(set(seen)) >= 6
    assert seen == sorted(seen)
    played.close()

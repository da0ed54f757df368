"""The dashboard over a recording: a badge, a line with the position, steps back and forth, alerts as they were then."""

import pytest

from dmtui.monitor.recorder import Header, Recorder
from dmtui.monitor.recording import Recording
from dmtui.monitor.replay import Replay
from dmtui.monitor.secondhand import facts_of_recording
from dmtui.tui.app import DashboardApp
from dmtui.tui.freshness import Flow
from dmtui.tui.lines import text_of
from dmtui.tui.widgets.panel import Panel
from tests.tui import samples

COUNT = 60


def text(app, panel: str) -> str:
    return text_of(app.screen.query_one(f"#{panel}", Panel).lines)


@pytest.fixture
def recording(tmp_path):
    """A minute in which a pool fills up: CRIT from its 48th second on."""
    recorder = Recorder(str(tmp_path / "r"), Header("1", "kernel", "node7", samples.NOW, 1.0))
    for number in range(COUNT):
        pool = samples.docker_pool(0.68 + 0.005 * number)
        recorder.write(samples.sample(pool, at=samples.NOW + number))
    recorder.close()
    with Recording.open(str(tmp_path / "r")) as found:
        yield found


def playing(recording, interval=60.0):
    """A dashboard that plays, and its player; by itself it goes on once a minute, that is not at all."""
    player = Replay(recording, lambda: app.stream.freshness.interval_seconds, lambda: app.call_later(app.action_pause))
    app = DashboardApp(player.take, interval_seconds=interval, read_only=True, clock=player.clock, player=player)
    return app, player


async def until(pilot, condition):
    for _ in range(200):
        await pilot.pause(0.02)
        if condition():
            return
    raise AssertionError("it did not come to that")


def at(app) -> int | None:
    sample = app.stream.sample
    return None if sample is None else round(sample.taken_at - samples.NOW)


async def test_badge_and_line_tell_the_position(recording):
    app, _ = playing(recording)
    async with app.run_test(size=(140, 40)) as pilot:
        await until(pilot, lambda: at(app) == 0)
        assert app.stream.freshness.flow is Flow.REPLAY
        assert " REPLAY 1/60 " in text(app, "header")
        line = text(app, "timeline")
        assert line.startswith(" 13:33:20 ▶")
        assert "13:34:19  59 s " in line
        assert "space pauses" in line


@pytest.mark.parametrize(
    ("keys", "second"),
    [
        ([")"], COUNT - 1),
        ([")", ","], COUNT - 2),
        ([")", "{"], COUNT - 4),
        (["."], 1),
        ([".", ".", "."], 3),
        (["}"], 3),
        ([")", "("], 0),
        ([","], 0),
    ],
)
async def test_keys_step_through_it_and_hold_it_there(recording, keys, second):
    app, player = playing(recording)
    async with app.run_test(size=(140, 40)) as pilot:
        await until(pilot, lambda: at(app) == 0)
        for key in keys:
            await pilot.press(key)
            await until(pilot, lambda: at(app) == player.index)
        assert at(app) == second
        assert app.stream.freshness.held
        await until(pilot, lambda: f"REPLAY {second + 1}/60 paused" in text(app, "header"))
        assert "space plays" in text(app, "timeline")


async def test_a_leap_brings_the_alerts_of_that_moment_and_a_step_back_takes_them_away(recording):
    app, _ = playing(recording)
    async with app.run_test(size=(140, 40)) as pilot:
        await until(pilot, lambda: at(app) == 0)
        await pilot.press(")")
        await until(pilot, lambda: at(app) == COUNT - 1)
        assert "✖ CRIT" in text(app, "notice")
        assert "since 13:34:00" in text(app, "notice")
        await pilot.press("(")
        await until(pilot, lambda: at(app) == 0)
        assert app.known.memory.alerts.alerts == ()
        assert "CRIT" not in text(app, "notice")


async def test_history_knows_nothing_of_what_is_to_come(recording):
    app, _ = playing(recording)
    async with app.run_test(size=(140, 40)) as pilot:
        await until(pilot, lambda: at(app) == 0)
        for key, second in ((")", COUNT - 1), ("{", COUNT - 4)):
            await pilot.press(key)
            await until(pilot, lambda second=second: at(app) == second)
        newest = app.known.trail.data(samples.docker_pool().name).fractions[-1]
        assert newest == pytest.approx(0.68 + 0.005 * (COUNT - 4), abs=0.001)


async def test_at_its_end_going_on_begins_again(recording):
    app, _ = playing(recording)
    async with app.run_test(size=(140, 40)) as pilot:
        await until(pilot, lambda: at(app) == 0)
        await pilot.press(")")
        await until(pilot, lambda: at(app) == COUNT - 1 and app.stream.paused)
        await pilot.press("space")
        await until(pilot, lambda: at(app) == 0)
        assert not app.stream.paused


async def test_a_dashboard_over_a_machine_has_no_such_keys(dashboard):
    app = dashboard()
    async with app.run_test(size=(140, 40)) as pilot:
        app.feed(samples.sample(samples.docker_pool()))
        await pilot.press(")", ",", ".")
        assert not app.stream.paused
        assert not app.screen.query_one("#timeline").display
        assert "Step back" not in [command.title for command in app.get_system_commands(app.screen)]


def test_a_step_leads_in_with_the_samples_before_it(recording):
    player = Replay(recording, lambda: 1.0)
    assert player.lead_to(player.take()) == ()
    player.seek(50)
    sample = player.take()
    lead = player.lead_to(sample)
    assert [round(each.taken_at - samples.NOW) for each in lead] == list(range(30, 50))
    assert player.lead_to(sample) == ()
    player.seek(51)
    assert player.lead_to(player.take()) == ()


async def test_the_screen_of_the_machine_tells_what_the_recording_knows(recording):
    player = Replay(recording, lambda: 60.0)
    app = DashboardApp(
        player.take,
        interval_seconds=60.0,
        read_only=True,
        clock=player.clock,
        player=player,
        ask_facts=lambda: facts_of_recording(recording),
    )
    async with app.run_test(size=(140, 40)) as pilot:
        await until(pilot, lambda: at(app) == 0)
        await pilot.press("6")
        await until(pilot, lambda: "node7" in text(app, "machine-versions"))
        lines = " ".join(text(app, "machine-versions").split())
        assert "60 samples over 59 s, one every 1 s" in lines
        assert "by dmtui 1" in lines
        assert "/dev/loop0" in text(app, "machine-loops")
        assert text(app, "machine-programs") == "not known"

"""The story of a demonstration in the dashboard, by its keys."""

import dataclasses
import re
import time

import pytest

from dmtui.lab.reading import size
from dmtui.lab.scenarios import SCENARIOS
from dmtui.tui.actions import SCREENS
from dmtui.tui.chooser import ChooserApp
from dmtui.tui.lines import text_of
from dmtui.tui.screens.help import HelpScreen
from dmtui.tui.widgets.panel import Panel
from tests.tui.demonstrating import demonstration, sample_of, settled, step_on, story, until


@pytest.fixture
async def shown(tmp_path, request):
    """A scenario (a parameter tells another one, and options) that is held at its opening: the app and its pilot."""
    name, options = getattr(request, "param", ("snapshots", {}))
    app = demonstration(name, tmp_path / "machine", **options)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.screen.query("#narration") and story(app), "the panel")
        await pilot.press("p")
        yield app, pilot
    app.player.close()


def used(app):
    return app.player.stage.look().used_blocks


async def test_it_opens_with_what_it_is_about(shown):
    app, _ = shown
    assert app.player.scenario.summary in story(app)
    assert "0/6" in story(app)


async def test_the_next_step_is_played_and_told_with_the_figures_of_the_machine(shown):
    app, pilot = shown
    await step_on(pilot, 2)
    mapped = app.player.stage.look().mapped["web"]
    assert "2/6 A snapshot of it" in story(app)
    assert f"The container maps {size(mapped)} from its first moment" in story(app)
    assert "# dmsetup message" in story(app)


BEATING = pytest.mark.parametrize("shown", [("snapshots", {"beats": True, "speed": 0.5})], indirect=True, ids=["beats"])


@BEATING
async def test_while_a_step_is_under_way_its_intention_is_told(shown):
    app, pilot = shown
    await pilot.press("full_stop")
    assert "working" in story(app)
    assert "Watch the data gauge rise" in story(app)
    assert "The image maps" not in story(app)
    await pilot.press("full_stop")
    await settled(pilot)
    assert "The image maps" in story(app)


async def test_a_step_back_puts_the_machine_back_and_holds_the_story(shown):
    app, pilot = shown
    await step_on(pilot, 2)
    before = used(app)
    await step_on(pilot)
    assert used(app) > before
    await pilot.press("p")
    await pilot.press("comma")
    await settled(pilot)
    assert used(app) == before
    assert "2/6 A snapshot of it" in story(app)
    assert "paused" in story(app)


async def test_back_from_the_first_step_is_the_opening_and_no_further(shown):
    app, pilot = shown
    start = used(app)
    await step_on(pilot)
    for _ in range(3):
        await pilot.press("comma")
        await until(pilot, lambda: not app.narration.working)
    assert app.narration.page == 0
    assert used(app) == start


async def test_from_the_start_means_the_machine_as_it_was(shown):
    app, pilot = shown
    start = used(app)
    await step_on(pilot, 3)
    await pilot.press("left_parenthesis", "p")
    await until(pilot, lambda: not app.narration.working)
    assert app.narration.page == 0
    assert used(app) == start


async def test_from_the_start_nothing_is_drawn_of_the_run_before(shown):
    app, pilot = shown
    await step_on(pilot, 3)
    name, before = app.known.pool_name, app.stream.sample.taken_at
    await until(pilot, lambda: app.known.memory.history.known_seconds(name) > 0, "a past")
    await pilot.press("left_parenthesis", "p")
    await settled(pilot)
    await until(pilot, lambda: app.stream.sample.taken_at > before, "the machine as it was")
    began = app.stream.sample.taken_at - app.known.memory.history.known_seconds(name)
    assert began > before


@BEATING
async def test_the_figures_on_the_screen_move_while_a_long_act_lasts(shown):
    app, pilot = shown
    await pilot.press("full_stop")
    seen = set()
    while app.narration.working and len(seen) < 3:
        seen.add(app.stream.sample.pools[0].data.used_bytes)
        await pilot.pause(0.02)
    assert len(seen) == 3
    await pilot.press("full_stop")


@BEATING
async def test_the_key_for_the_next_step_ends_the_pauses_of_this_one(shown):
    app, pilot = shown
    await pilot.press("left_curly_bracket")
    assert app.narration.speed == 0.25
    began = time.monotonic()
    await pilot.press("full_stop", "full_stop")
    await settled(pilot)
    assert time.monotonic() - began < 6  # the pauses alone would take 12 s
    assert app.narration.page == 1


async def test_it_goes_on_by_itself_to_its_end_and_rests_there(tmp_path):
    app = demonstration("frees-nothing", tmp_path / "machine", speed=100.0)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.narration.closing, "the end")
        await pilot.pause()
        assert "the end" in story(app)
        assert app.player.scenario.remember[0] in story(app)
        assert not app.narration.playing
    app.player.close()


@pytest.mark.parametrize("shown", [("snapshots", {"speed": 100.0})], indirect=True, ids=["fast"])
async def test_a_story_that_is_held_does_not_go_on(shown):
    app, pilot = shown
    await settled(pilot)
    page = app.narration.page
    await pilot.pause(0.8)
    assert app.narration.page == page
    await pilot.press("p")
    await until(pilot, lambda: app.narration.page > page, "the next step")


async def test_holding_the_story_does_not_stop_the_polling(shown):
    app, pilot = shown
    assert not app.stream.paused
    taken = app.stream.sample.taken_at
    await until(pilot, lambda: app.stream.sample.taken_at > taken, "a sample")


async def test_the_speed_is_changed_by_key_and_said(shown):
    app, pilot = shown
    await pilot.press("right_curly_bracket")
    assert "paused 2x" in story(app)
    await pilot.press("left_curly_bracket", "left_curly_bracket")
    assert "paused 0.5x" in story(app)
    for _ in range(9):
        await pilot.press("left_curly_bracket")
    assert app.narration.speed == 0.25
    for _ in range(9):
        await pilot.press("right_curly_bracket")
    assert app.narration.speed == 8


async def test_the_screen_goes_to_what_a_step_is_about(shown):
    app, pilot = shown
    places = []
    for step in app.player.scenario.steps:
        await step_on(pilot)
        places.append((app.screen.SCOPE.value, step.place.value))
    assert [shown for shown, _ in places] == [wanted for _, wanted in places]


@pytest.mark.parametrize("shown", [("leaked-mount", {})], indirect=True, ids=["leaked-mount"])
async def test_a_step_about_one_device_shows_that_device(shown):
    app, pilot = shown
    await step_on(pilot)
    assert app.player.stage.device("web") in text_of(app.screen.query_one("#device-facts", Panel).lines)


async def test_the_operator_stays_where_he_went_until_the_next_step(shown):
    app, pilot = shown
    await step_on(pilot)
    await pilot.press("6")
    await pilot.pause(0.6)
    assert app.screen.SCOPE.value == "machine"
    assert "1/6" in story(app)
    await step_on(pilot)
    assert app.screen.SCOPE.value == "devices"


@pytest.mark.parametrize("shown", [("snapshots", {"speed": 100.0})], indirect=True, ids=["fast"])
async def test_the_story_waits_while_something_else_is_read(shown):
    app, pilot = shown
    await settled(pilot)
    page = app.narration.page
    await pilot.press("question_mark")
    assert isinstance(app.screen, HelpScreen)
    await app.action_demo("play")
    await pilot.pause(0.8)
    assert app.narration.page == page
    await pilot.press("escape")
    await until(pilot, lambda: app.narration.page > page, "the next step")
    await settled(pilot)


async def test_every_screen_tells_the_story_and_says_that_the_machine_is_emulated(shown):
    app, pilot = shown
    await step_on(pilot)
    for _, key, scope, _ in SCREENS:
        await pilot.press(key)
        await pilot.pause()
        assert app.screen.SCOPE is scope
        assert "1/6 An image" in story(app)
        assert "EMULATED" in text_of(app.screen.query_one("#header", Panel).lines)


async def test_a_step_that_cannot_be_played_is_told_and_holds_the_story(shown):
    app, pilot = shown
    await step_on(pilot)
    app.player.stage.create("web", "image")
    await pilot.press("p")
    await step_on(pilot)
    assert "This did not work: device web: exists" in story(app)
    assert not app.narration.playing


async def test_the_keys_of_the_story_stand_at_the_bottom_and_those_of_polling_do_not(shown):
    app, _ = shown
    keys = text_of(app.screen.query_one("#keys", Panel).lines)
    assert "Play" in keys
    assert ", . Step" in keys
    assert "Pause" not in keys


async def test_leaving_in_the_middle_of_an_act_is_quick(tmp_path):
    app = demonstration("snapshots", tmp_path / "machine", speed=0.25, beats=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("full_stop")
        await pilot.pause()
        began = time.monotonic()
        await pilot.press("q")
    assert time.monotonic() - began < 3
    app.player.close()


async def test_the_usual_dashboard_has_none_of_these_keys(dashboard):
    app = dashboard()
    async with app.run_test() as pilot:
        await pilot.press("full_stop", "comma", "left_parenthesis", "right_curly_bracket")
        assert not app.screen.query("#narration")


async def test_a_demonstration_is_chosen_from_a_list():
    app = ChooserApp()
    async with app.run_test() as pilot:
        await pilot.press("down", "j", "k", "enter")
    assert app.return_value is SCENARIOS[1]


async def test_after_one_the_next_is_offered():
    app = ChooserApp(SCENARIOS[2].name)
    async with app.run_test() as pilot:
        await pilot.press("enter")
    assert app.return_value is SCENARIOS[3]


@pytest.mark.parametrize("key", ["q", "escape", "ctrl+c"])
async def test_the_list_can_be_left(key):
    app = ChooserApp()
    async with app.run_test() as pilot:
        await pilot.press(key)
    assert app.return_value is None


@pytest.mark.parametrize(("size", "devices"), [((80, 24), 1), ((120, 40), 4), ((200, 60), 20)])
async def test_the_overview_keeps_rows_for_devices_and_all_about_the_pool_in_sight(tmp_path, size, devices):
    app = demonstration("overprovision", tmp_path / "machine")
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: app.screen.query("#narration") and story(app), "the panel")
        await pilot.press("p")
        await step_on(pilot, 3)
        await until(pilot, lambda: app.known.pool.mode == "out_of_data_space" and app.known.pool.findings, "the pool")
        await pilot.pause()
        table, detail = app.screen.query_one("#devices"), app.screen.query_one("#detail")
        rows = table.content_size.height - 1
        assert rows >= devices
        assert detail.max_scroll_y == 0
        assert table.region.bottom <= app.screen.query_one("#narration").region.y
    app.player.close()


@pytest.mark.parametrize("pools", [1, 2])
async def test_in_a_small_terminal_a_table_of_one_pool_makes_room(tmp_path, pools):
    app = demonstration("overprovision", tmp_path / "machine", polls=False)
    async with app.run_test(size=(80, 24)) as pilot:
        sample = sample_of(app)
        other = dataclasses.replace(sample.pools[0], name="other", display_name="other")
        app.feed(dataclasses.replace(sample, pools=(*sample.pools, other)[:pools]))
        await pilot.pause()
        assert app.screen.query_one("#pools").display is (pools > 1)
    app.player.close()


@pytest.mark.parametrize("name", [scenario.name for scenario in SCENARIOS])
async def test_every_page_can_be_read_to_its_last_command_in_a_small_terminal(tmp_path, name):
    """Played to its end: what a page leaves out is shown by a key, above the keys at the bottom; the end at once."""
    app = demonstration(name, tmp_path / "machine", polls=False)
    async with app.run_test(size=(80, 24)) as pilot:
        app.feed(sample_of(app))
        await pilot.press("p")
        for page in range(1, app.player.steps + 2):
            await step_on(pilot)
            panel, keys = app.screen.query_one("#narration", Panel), app.screen.query_one("#keys")
            shown = [story(app)]
            if "; shows all of it" in shown[0]:
                while len(shown) == 1 or "; goes on" in shown[-1]:
                    await pilot.press("semicolon")
                    await pilot.pause()
                    shown.append(story(app))
                    assert panel.size.height == len(panel.lines)
                    assert panel.region.bottom == keys.region.y
                await pilot.press("semicolon")
                assert story(app) == shown[0]
                del shown[0]
            last = page > app.player.steps
            told = app.player.scenario if last else app.player.played[page - 1]
            whole = "".join(re.sub(r"^\d+/\d+ .*? 1x |… part .*", "", part) for part in shown)
            for command in told.commands:
                assert "".join(f"#{command}".split()) in "".join(whole.split())
            for sentence in told.remember if last else ():
                assert sentence in shown[0]
            assert panel.size.height == len(panel.lines)
            assert panel.region.bottom == keys.region.y == 23
    app.player.close()


async def test_the_story_waits_for_who_reads_all_of_it(tmp_path, monkeypatch):
    app = demonstration("snapshots", tmp_path / "machine", polls=False, speed=8.0)
    async with app.run_test(size=(80, 24)) as pilot:
        app.feed(sample_of(app))
        await pilot.press("p")
        await step_on(pilot)
        monkeypatch.setattr(app._narrator, "is_due", lambda: True)
        await pilot.press("semicolon")
        await pilot.pause(0.6)
        assert app.narration.page == 1
        await pilot.press("semicolon")
        await until(pilot, lambda: app.narration.page > 1, "the next page")
    app.player.close()


async def test_alerts_make_no_toast_and_others_stand_above_the_story(tmp_path):
    app = demonstration("overprovision", tmp_path / "machine", polls=False)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        app.feed(sample_of(app))
        await pilot.press("p")
        await step_on(pilot, 3)
        app.feed(sample_of(app))
        await pilot.pause()
        assert app.known.memory.alerts.alerts
        assert list(app._notifications) == []
        app.notify("copied")
        await pilot.pause()
        await pilot.pause()
        (toast,) = app.screen.query("Toast")
        assert toast.region.bottom <= app.screen.query_one("#narration").region.y
        assert toast.region.y >= 2
    app.player.close()

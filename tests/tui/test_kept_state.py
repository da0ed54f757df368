"""What the operator chose is found again: written at once, for the owner only, and never trusted blindly."""

import json
import stat
from pathlib import Path

import pytest

from dmtui.tui.kept import Keeper, Kept, load, save, state_path
from dmtui.tui.lines import text_of
from dmtui.tui.reaching import GROWING
from dmtui.tui.widgets.panel import Panel
from dmtui.tui.widgets.tables import DeviceTable
from tests.tui import samples

SORTED = Kept("dmtui-light", True, False, 3600, {"devices": ("mapped", True)})


async def saved(pilot, path, **wanted):
    for _ in range(100):
        await pilot.pause(0.02)
        if path.is_file() and wanted.items() <= json.loads(path.read_text()).items():
            return
    raise AssertionError(path.read_text() if path.is_file() else "nothing was saved")


def test_the_file_stands_in_the_state_directory():
    assert state_path({"XDG_STATE_HOME": "/x"}) == Path("/x/dmtui/state.json")
    assert state_path({}) == Path("~/.local/state/dmtui/state.json").expanduser()


def test_what_is_saved_is_loaded_and_is_the_owners_alone(tmp_path):
    path = tmp_path / "new" / "state.json"
    save(path, SORTED)
    assert load(path) == (SORTED, "")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["state.json"]


def test_no_file_is_no_fault(tmp_path):
    assert load(tmp_path / "none") == (Kept(), "")


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"theme": 5}', '{"span_seconds": 7}', '{"sorts": {"a": 1}}', '{"bell": 1}', "\x00" * 9]
)
def test_a_broken_file_is_told_of_and_not_used(tmp_path, text):
    path = tmp_path / "state.json"
    path.write_text(text)
    kept, note = load(path)
    assert kept == Kept()
    assert note.startswith(f"{path} is not used: ")


async def test_every_choice_is_saved_as_it_is_made(dashboard, tmp_path):
    path = tmp_path / "state.json"
    app = dashboard(keeper=Keeper(path))
    async with app.run_test(size=(120, 40)) as pilot:
        app.feed(samples.sample(samples.docker_pool()))
        await pilot.pause()
        assert not path.exists()
        await pilot.press("b")
        await saved(pilot, path, binary=True)
        await pilot.press("c")
        await saved(pilot, path, theme="dmtui-light")
        await pilot.press("B", "s")
        app.show_newest()
        await saved(pilot, path, bell=False, sorts={"devices": ["name", False]})
        await pilot.press("2", "]")
        await saved(pilot, path, span_seconds=300)


async def test_a_span_that_was_kept_is_shown_also_at_the_start(dashboard, tmp_path):
    path = tmp_path / "state.json"
    save(path, Kept(span_seconds=3600))
    app = dashboard(keeper=Keeper(path))
    async with app.run_test(size=(120, 40)) as pilot:
        app.feed(samples.sample(samples.docker_pool()))
        await pilot.press("2")
        await pilot.pause()
        assert str(app.screen.query_one("#data-chart").border_title).endswith("last 1 h")


async def test_a_span_that_grows_by_itself_is_no_choice_of_the_operator(dashboard, tmp_path):
    path = tmp_path / "state.json"
    app = dashboard(keeper=Keeper(path))
    async with app.run_test(size=(120, 40)) as pilot:
        app.feed(samples.sample(samples.docker_pool()))
        await pilot.press("2", "b")
        await saved(pilot, path, span_seconds=GROWING)
        assert load(path)[0].span_seconds == GROWING


async def test_a_new_start_finds_it_all_again(dashboard, tmp_path):
    path = tmp_path / "state.json"
    save(path, SORTED)
    app = dashboard(keeper=Keeper(path))
    async with app.run_test(size=(120, 40)) as pilot:
        app.feed(samples.sample(samples.docker_pool()))
        await pilot.pause()
        assert app.theme == "dmtui-light"
        assert not app._alarms.bell
        assert "64 KiB" in text_of(app.screen.query_one("#facts", Panel).lines)
        mapped = [device.mapped_bytes for device in app.screen.query_one(DeviceTable).shown_rows]
        assert mapped == sorted(mapped, reverse=True)


async def test_a_broken_file_is_told_of_once_at_the_start(dashboard, tmp_path):
    path = tmp_path / "state.json"
    path.write_text("{")
    app = dashboard(keeper=Keeper(path))
    async with app.run_test(notifications=True):
        assert [str(path) in note.message for note in app._notifications] == [True]


async def test_without_colours_the_theme_that_was_chosen_stays_chosen(dashboard, tmp_path, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    path = tmp_path / "state.json"
    save(path, SORTED)
    app = dashboard(keeper=Keeper(path))
    async with app.run_test(size=(120, 40)) as pilot:
        assert app.theme == "ansi-dark"
        await pilot.press("b")
        await saved(pilot, path, binary=False, theme="dmtui-light")


async def test_a_place_that_cannot_be_written_costs_the_choices_only(dashboard, tmp_path):
    (tmp_path / "file").write_text("")
    app = dashboard(keeper=Keeper(tmp_path / "file" / "state.json"))
    async with app.run_test() as pilot:
        await pilot.press("b")
        await pilot.pause(0.1)
        assert app.is_running


async def test_a_figure_explains_itself_beginning_with_the_focused_panel(dashboard):
    app = dashboard()
    async with app.run_test(size=(120, 40)) as pilot:
        app.feed(samples.sample(samples.docker_pool()))
        await pilot.press("i")
        await pilot.pause()
        told = text_of(app.screen.query_one("#explain-figures", Panel).lines)
        assert told.startswith("Thin devices\nID")
        assert "Bytes of 4 KiB blocks in use" in told
        await pilot.press("i")
        await pilot.pause()
        assert app.screen.query("#devices")

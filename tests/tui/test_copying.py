"""Copying: any value of a row or a panel, and any command line, through the terminal's clipboard."""

from __future__ import annotations

import pytest

from dmtui.monitor.audit import AuditEntry
from dmtui.tui.copying import Entry, entries_of, value_of
from dmtui.tui.glyphs import UNICODE
from dmtui.tui.lines import Span
from dmtui.tui.screens.copy import CopyScreen
from tests.tui import samples
from tests.tui.operating import fill, opened, performed, ready, told

SIZE = (80, 24)


def offered(app) -> dict[str, str]:
    assert isinstance(app.screen, CopyScreen)
    return {entry.title: entry.text for entry in reversed(app.screen._entries)}


@pytest.fixture
async def running(dashboard):
    app = dashboard()
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        app.feed(samples.sample(samples.recorded_pool()))
        await pilot.pause()
        yield app, pilot


class TestWhatALineHas:
    def test_a_label_names_the_value_behind_it(self):
        lines = [(Span("mode      ", "muted"), Span("● rw", "ok"), Span("  reads and writes", "muted"))]
        assert entries_of(lines, "Pool", UNICODE) == [Entry("mode", "rw  reads and writes")]

    def test_without_a_label_the_panel_names_it(self):
        assert entries_of([(Span("something is wrong"),)], "Findings", UNICODE) == [
            Entry("Findings", "something is wrong")
        ]

    def test_bars_and_empty_lines_are_no_values(self):
        assert entries_of([(), (Span("███───┼──"),)], "Space", UNICODE) == []

    def test_signs_and_gaps_go(self):
        assert value_of(" ◉ mounted      twice ", UNICODE) == "mounted  twice"


async def test_the_row_s_values_are_offered_in_full_and_one_is_copied(running):
    app, pilot = running
    await pilot.press("3", "down")
    await pilot.pause()
    await pilot.press("y")
    await pilot.pause()
    values = offered(app)
    assert values["DEVICE"] == "web-frontend-00"
    assert values["MOUNTED AT"] == "/var/lib/dmtui/devicemapper/mnt/web-frontend-00"
    assert values["command"].startswith("dmsetup status docker-8:1-4718594-web-frontend-00")
    await pilot.press("enter")
    await pilot.pause()
    assert app.clipboard == "web-frontend-00"
    assert any("Copied: DEVICE: web-frontend-00" in line for line in told(app))


@pytest.mark.parametrize(
    ("keys", "title", "text"),
    [
        ("1", "block size", "65.54 kB"),
        ("2", "mode", "rw  reads and writes"),
        ("3", "DEVICE", "base"),
    ],
)
async def test_every_screen_offers_its_values(running, keys, title, text):
    app, pilot = running
    await pilot.press(keys)
    await pilot.pause()
    await pilot.press("y")
    await pilot.pause()
    assert offered(app)[title] == text


async def test_the_device_s_screen_offers_its_table_line(running):
    app, pilot = running
    await pilot.press("3", "down", "enter")
    await pilot.pause()
    await pilot.press("y")
    await pilot.pause()
    assert offered(app)["table"] == "0 20971520 thin 253:0 2"


async def test_of_a_tree_the_name_is_copied_without_its_branch(running):
    app, pilot = running
    await pilot.press("3", "t", "down", "down", "y")
    await pilot.pause()
    offers = offered(app)
    assert offers["PARENT"] == "web-frontend-00"  # so it is drawn behind a branch
    assert offers["DEVICE"] in {record.display_name for record in samples.recorded_pool().recorded or ()}


async def test_escape_copies_nothing(running):
    app, pilot = running
    await pilot.press("y")
    await pilot.pause()
    await pilot.press("j", "k", "escape")
    assert app.clipboard == ""


async def test_where_there_is_nothing_it_says_so(running):
    app, pilot = running
    app.screen.copied_entries = lambda: ()
    await pilot.press("y")
    assert any("nothing to copy" in line for line in told(app))


@pytest.mark.parametrize(("key", "word"), [("question_mark", "available"), ("i", "Status line")])
async def test_help_and_explanations_are_copied_whole(running, key, word):
    app, pilot = running
    await pilot.press(key)
    await pilot.pause()
    await pilot.press("y")
    assert word in app.clipboard
    assert "\n" in app.clipboard


async def test_the_dialog_copies_the_command_lines_of_its_plan(changing):
    app, pilot, _ = changing
    await opened(pilot, "a")
    await fill(pilot, name="db")
    await ready(pilot)
    await pilot.press("ctrl+y")
    assert app.clipboard.startswith("dmsetup create")
    assert any("commands of activate" in line for line in told(app))


async def test_what_has_ended_is_copied_from_the_screen_of_operations(changing):
    app, pilot, _ = changing
    await performed(pilot, "a", name="db")
    await pilot.press("escape", "5")
    await pilot.pause()
    await pilot.press("enter")
    await pilot.pause()
    await pilot.press("y")
    assert app.clipboard.startswith("dmsetup create")


def test_an_entry_of_the_log_has_the_steps_that_it_tells():
    from dmtui.tui.past import past_operations

    entry = AuditEntry(1.0, "root", 7, "remove", "web", ("dmsetup remove web",), False, "", (), False, 0.1)
    assert past_operations((entry,), ())[0].commands == ("dmsetup remove web",)

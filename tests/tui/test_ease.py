"""What makes the screens easy: keys by importance, help in force, every figure explained, choices kept."""

from __future__ import annotations

import pytest

from dmtui.monitor.thresholds import Thresholds
from dmtui.tui.actions import ACTIONS, SCREENS, Scope, Situation
from dmtui.tui.figures import Look
from dmtui.tui.lines import text_of, width_of
from dmtui.tui.paint.explain import MORE_FIGURES, PANELS, explain_lines
from dmtui.tui.paint.help import figures
from dmtui.tui.screens.base import DashboardScreen
from dmtui.tui.screens.palette import PaletteScreen
from dmtui.tui.widgets import key_bar
from dmtui.tui.widgets.all_devices import AllDevicesTable
from dmtui.tui.widgets.filter_bar import FilterBar
from dmtui.tui.widgets.key_bar import KeyBar, fitting_groups, footer_groups, key_lines
from tests.tui import samples

EVERYTHING = {"has_pools": True, "can_reap": True, "unseen": True}


def shown(screen: Scope, width: int, **situation) -> str:
    return text_of(key_lines(Situation(screen=screen, **(EVERYTHING | situation)), Look(), width))


class TestFooter:
    @pytest.mark.parametrize("screen", [scope for scope in Scope if scope not in (Scope.APP, Scope.TABLE)])
    @pytest.mark.parametrize("width", range(20, 201, 20))
    def test_help_is_always_there_and_no_word_is_cut(self, screen, width):
        situation = Situation(screen=screen, **EVERYTHING)
        line = key_lines(situation, Look(), width)[0]
        assert "? Help" in text_of([line])
        assert width_of(line) - 2 <= width
        words = {group[0].group or group[0].title for group in footer_groups(situation)}
        told = text_of([line])
        assert all(part.strip().split(" ")[-1] in " ".join(words) for part in told.split("  ") if part.strip())

    def test_at_80_columns_the_devices_screen_shows_its_own_keys_and_what_changes_something(self):
        line = shown(Scope.DEVICES, 80, unseen=False)
        for words in ("/ Filter", "space Mark", "t Tree", "n a d m u x Device", "esc Back", "q Quit"):
            assert words in line

    @pytest.mark.parametrize(
        ("screen", "words"),
        [(Scope.OVERVIEW, "2-6 Screens"), (Scope.POOL, "1-6 Screens"), (Scope.MACHINE, "1-5 Screens")],
    )
    def test_the_screens_stand_there_as_a_row_of_figures(self, screen, words):
        assert words in shown(screen, 120)

    async def test_a_click_on_that_row_offers_them_in_the_palette(self, dashboard):
        app = dashboard()
        async with app.run_test(size=(120, 40)) as pilot:
            app.feed(samples.sample(samples.recorded_pool()))
            await pilot.pause()
            bar = app.screen.query_one(KeyBar)
            place = text_of(key_lines(bar.value, Look(), 120)).index("2-6")
            await pilot.click(KeyBar, offset=(place + 6, 0))
            await pilot.pause()
            assert isinstance(app.screen, PaletteScreen)

    def test_in_a_replay_steps_are_shown_and_nothing_that_changes(self):
        line = shown(Scope.OVERVIEW, 80, replays=True, can_reap=False)
        assert ", . Step" in line
        assert "Device" not in line

    def test_a_small_one_takes_the_place_of_one_that_does_not_fit(self):
        situation = Situation(screen=Scope.DEVICES, **EVERYTHING)
        every = [group[0].id for group in footer_groups(situation)]
        fitting = [[group[0].id for group in fitting_groups(situation, width)] for width in range(20, 220)]
        assert any(names != every[: len(names)] for names in fitting)
        assert fitting[-1] == every

    def test_every_place_in_the_order_is_an_action_or_a_group(self):
        names = {action.id for action in ACTIONS} | {action.group for action in ACTIONS}
        assert set(key_bar._BY_IMPORTANCE) <= names


class TestExplanations:
    async def test_every_panel_of_every_screen_explains_its_figures(self, dashboard):
        app, known = dashboard(), {name for name, _, _ in PANELS}
        async with app.run_test(size=(200, 60)) as pilot:
            app.feed(samples.sample(samples.recorded_pool()))
            for _, key, scope, _ in SCREENS:
                await pilot.press(key)
                await pilot.pause()
                found = {widget.id for widget in app.screen.query(".box")}
                assert found <= known, scope
            await pilot.press("3", "down", "enter")
            await pilot.pause()
            assert app.screen.SCOPE is Scope.DEVICE
            assert {widget.id for widget in app.screen.query(".box")} <= known

    def test_every_figure_that_is_named_is_explained_and_none_is_explained_for_nothing(self):
        texts = dict(figures(Thresholds())) | dict(MORE_FIGURES)
        named = {figure for _, _, names in PANELS for figure in names}
        assert named <= set(texts)
        assert {name for name, _ in MORE_FIGURES} <= named

    def test_a_panel_has_one_explanation(self):
        names = [name for name, _, _ in PANELS]
        assert len(names) == len(set(names))

    @pytest.mark.parametrize("screen", ["help", "explain"])
    async def test_the_thresholds_in_force_are_told_not_the_usual_ones(self, dashboard, screen):
        thresholds = Thresholds(data_percent=(11, 22, 33))
        app = dashboard(thresholds=thresholds)
        async with app.run_test(size=(120, 40)) as pilot:
            app.feed(samples.sample(samples.docker_pool()))
            await pilot.press({"help": "question_mark", "explain": "i"}[screen])
            await pilot.pause()
            await pilot.press("y")
            assert "Watch from 11 %, WARN from 22 %, CRIT from 33 %" in " ".join(app.clipboard.split())

    async def test_the_help_shows_its_figures(self, dashboard):
        app = dashboard()
        async with app.run_test(size=(120, 40)) as pilot:
            app.feed(samples.sample(samples.docker_pool()))
            await pilot.press("question_mark")
            await pilot.pause()
            assert "needs check" in text_of(app.screen.query_one("#help-figures").lines)

    def test_a_panel_that_has_the_focus_is_explained_first(self):
        text = text_of(explain_lines(("past", "running"), Look(), 100))
        assert text.index("Past operations") < text.index("Under way")


async def test_filter_sorting_tree_and_cursor_of_the_devices_are_found_again(dashboard):
    app = dashboard()
    async with app.run_test(size=(120, 40)) as pilot:
        app.feed(samples.sample(samples.recorded_pool()))
        await pilot.press("3", "s", "slash", *"web", "enter", "down")
        await pilot.pause()
        before = app.screen.query_one(AllDevicesTable)
        names, key = [row.name for row in before.shown_rows], before.cursor_key
        await pilot.press("1", "3")
        await pilot.pause()
        table = app.screen.query_one(AllDevicesTable)
        assert table is not before
        assert (table.filter_text, table.sort_title.strip()) == ("web", "DEVICE")
        assert [row.name for row in table.shown_rows] == names
        assert table.cursor_key == key
        assert app.screen.query_one(FilterBar).has_class("-open")
        assert isinstance(app.screen, DashboardScreen)
        await pilot.press("escape")
        assert table.filter_text == ""


async def test_a_table_without_rows_has_its_title_too(dashboard):
    app = dashboard()
    async with app.run_test(size=(120, 40)) as pilot:
        app.feed(samples.sample(samples.docker_pool()))
        await pilot.press("5")
        await pilot.pause()
        assert "Past operations 0" in str(app.screen.query_one("#past").border_title)


def test_a_number_is_never_parted_from_its_per_cent():
    from dmtui.tui.lines import Span
    from dmtui.tui.paint.help import entry

    for width in range(20, 60):
        assert not any(
            line[-1].text.lstrip().startswith("%") for line in entry(Span("x "), "CRIT from 80 %. " * 6, width)
        )

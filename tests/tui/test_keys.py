"""What each key does."""

import dataclasses

import pytest

from dmtui.tui.lines import text_of
from dmtui.tui.screens.help import HelpScreen
from dmtui.tui.screens.overview import OverviewScreen
from dmtui.tui.widgets.panel import Panel
from dmtui.tui.widgets.tables import DeviceTable, PoolTable
from tests.tui import samples

SIZE = (120, 40)
THREE_POOLS = (samples.docker_pool(), samples.lvm_pool(), samples.containerd_pool())


def text(app, panel: str) -> str:
    return text_of(app.screen.query_one(f"#{panel}", Panel).lines)


@pytest.fixture
async def running(dashboard):
    """A dashboard over three pools and its pilot."""
    app = dashboard()
    async with app.run_test(size=SIZE) as pilot:
        app.feed(samples.sample(*THREE_POOLS))
        await pilot.pause()
        yield app, pilot


@pytest.mark.parametrize("key", ["q", "ctrl+q", "ctrl+c"])
async def test_quit(running, key):
    app, pilot = running
    await pilot.press(key)
    assert app.return_code == 0


@pytest.mark.parametrize("key", ["question_mark", "f1"])
async def test_help_opens_and_closes(running, key):
    app, pilot = running
    await pilot.press(key)
    assert isinstance(app.screen, HelpScreen)
    await pilot.press("j", "k", "escape")
    assert isinstance(app.screen, OverviewScreen)


@pytest.mark.parametrize("key", ["p", "space"])
async def test_pause_and_resume(running, clock, key):
    app, pilot = running
    await pilot.press(key)
    clock.now += 12
    app.show_newest()
    await pilot.pause()
    assert "PAUSED" in text(app, "header")
    assert "figures are 12 s old" in text(app, "notice")
    assert "Resume" in text(app, "keys")
    await pilot.press(key)
    assert "LIVE" in text(app, "header")
    assert "Pause" in text(app, "keys")


@pytest.mark.parametrize(("key", "shown"), [("<", "2 s"), ("-", "2 s"), (">", "0.5 s"), ("+", "0.5 s")])
async def test_slower_and_faster(running, key, shown):
    app, pilot = running
    await pilot.press(key)
    assert f"every {shown}" in text(app, "header")


async def test_pace_has_ends(running):
    app, pilot = running
    await pilot.press(*["<"] * 12)
    assert "every 60 s" in text(app, "header")
    await pilot.press(*[">"] * 12)
    assert "every 0.1 s" in text(app, "header")


async def test_units(running):
    app, pilot = running
    assert "65.54 kB" in text(app, "facts")
    await pilot.press("b")
    assert "64 KiB" in text(app, "facts")
    await pilot.press("b")
    assert "65.54 kB" in text(app, "facts")


async def test_moving_in_a_table(running):
    app, pilot = running
    table = app.screen.query_one(DeviceTable)
    keys = [device.name for device in table.shown_rows]
    for press, index in (("down", 1), ("j", 2), ("up", 1), ("k", 0), ("end", -1), ("home", 0), ("G", -1), ("g", 0)):
        await pilot.press(press)
        assert table.cursor_key == keys[index], press


async def test_pages(dashboard):
    app = dashboard()
    async with app.run_test(size=SIZE) as pilot:
        app.feed(samples.sample(samples.docker_pool(count=200)))
        await pilot.pause()
        table = app.screen.query_one(DeviceTable)
        await pilot.press("pagedown")
        page = [device.name for device in table.shown_rows].index(table.cursor_key)
        assert 5 < page < 40
        await pilot.press("pageup")
        assert table.cursor_key == table.shown_rows[0].name


@pytest.mark.parametrize("key", ["tab", "l", "right", "shift+tab", "h", "left"])
async def test_panels_take_turns(running, key):
    app, pilot = running
    assert app.screen.query_one(DeviceTable).has_focus
    await pilot.press(key)
    assert app.screen.query_one(PoolTable).has_focus
    await pilot.press(key)
    assert app.screen.query_one(DeviceTable).has_focus


async def test_moving_in_the_pools_shows_the_pool_at_once_and_enter_goes_to_its_devices(running):
    app, pilot = running
    await pilot.press("tab", "down", "down")
    await pilot.pause()
    assert app.known.pool_name == "docker-8:1-4718594-pool"
    assert "docker-8:1-4718594-pool" in text(app, "facts")
    await pilot.press("enter")
    assert app.screen.query_one(DeviceTable).has_focus


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("how", ["pause", "silence"])
async def test_in_a_small_terminal_nothing_moves_when_the_figures_are_old(dashboard, how, plain):
    app = dashboard(ascii=plain)
    async with app.run_test(size=(80, 24)) as pilot:
        app.feed(samples.sample(samples.docker_pool(count=6)))
        await pilot.pause()
        ids = ("#pools", "#facts", "#space", "#data-backing", "#metadata-backing", "#devices")
        before = [app.screen.query_one(name).region for name in ids]
        if how == "pause":
            app.action_pause()
        else:
            app.stream.pending_since = app._clock() - 20
        app.show_newest()
        await pilot.pause()
        assert app.screen.has_class("-paused" if how == "pause" else "-stale")
        assert [app.screen.query_one(name).region for name in ids] == before


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
@pytest.mark.parametrize("screen", ["1", "2", "3"])
async def test_what_was_hidden_comes_back_as_it_is_now(dashboard, size, screen):
    def drawn():
        return "\n".join(strip.text for strip in app.screen._compositor.render_strips())

    app = dashboard(toasts=False)
    good = samples.docker_pool(0.3, count=6)
    renamed = tuple(dataclasses.replace(each, display_name=f"other-{each.thin_id}") for each in good.devices)
    good = dataclasses.replace(good, devices=renamed)
    bad = dataclasses.replace(samples.docker_pool(0.95, count=6), mode="ro", needs_check=True, findings=("a", "b"))
    async with app.run_test(size=size) as pilot:
        app.feed(samples.sample(bad))
        await pilot.press(screen)
        await pilot.pause()
        for number, pools in enumerate(((bad,), (), (good,), (good,)), start=1):
            app.feed(samples.sample(*pools, at=samples.NOW + number))
            await pilot.pause(0.1)
        assert app.screen.SCOPE.value == {"1": "overview", "2": "pool", "3": "devices"}[screen]
        shown = drawn()
        app.screen.refresh(layout=True)
        for widget in app.screen.walk_children():
            widget.refresh()
        await pilot.pause(0.1)
        assert shown == drawn()
        assert "other-1" in shown or screen == "2"


async def test_filter_is_typed_kept_and_cleared(running):
    app, pilot = running
    table = app.screen.query_one(DeviceTable)
    await pilot.press("slash", "R", "E", "d", "i", "s")
    assert [device.display_name for device in table.shown_rows] == ["redis-04"]
    await pilot.press("enter")
    assert table.has_focus
    assert table.filter_text == "redis"
    await pilot.press("escape")
    assert len(table.shown_rows) == 6


async def test_filter_that_matches_nothing_says_so(running):
    app, pilot = running
    await pilot.press("slash", "x", "x")
    await pilot.pause()
    assert "no thin device matches the filter" in app.screen.query_one(DeviceTable).render_line(1).text


async def test_sort_goes_through_the_columns_and_back_to_the_order_of_the_kernel(running):
    app, pilot = running
    table = app.screen.query_one(DeviceTable)
    titles = []
    for _ in range(8):
        await pilot.press("s")
        titles.append(table.sort_title.strip())
    assert titles == ["DEVICE", "ID", "SIZE", "MAPPED", "USED", "OPEN", "STATE", ""]


async def test_sort_by_mapped_begins_with_the_greatest_and_a_click_turns_it(running):
    app, pilot = running
    table = app.screen.query_one(DeviceTable)
    await pilot.press("s", "s", "s", "s")
    mapped = [device.mapped_bytes for device in table.shown_rows]
    assert mapped == sorted(mapped, reverse=True)
    header = table.render_line(0).text
    await pilot.click(DeviceTable, offset=(header.index("MAPPED") + 2, 1))
    mapped = [device.mapped_bytes for device in table.shown_rows]
    assert mapped == sorted(mapped)


async def test_a_click_on_a_row_puts_the_cursor_there(running):
    app, pilot = running
    table = app.screen.query_one(DeviceTable)
    await pilot.click(DeviceTable, offset=(8, 4))
    assert table.cursor_key == table.shown_rows[2].name


async def test_a_click_on_the_bottom_line_does_what_it_says(running):
    app, pilot = running
    line = text(app, "keys")
    await pilot.click("#keys", offset=(line.index("Units"), 0))
    assert "64 KiB" in text(app, "facts")


@pytest.mark.parametrize("key", ["ctrl+p", "colon"])
async def test_palette_offers_what_is_allowed_and_runs_it(running, key):
    app, pilot = running
    titles = [command.title for command in app.get_system_commands(app.screen)]
    assert "Pause" in titles
    assert "Resume" not in titles
    await pilot.press(key)
    await pilot.pause()
    await pilot.press(*"units")
    await pilot.pause(0.5)
    await pilot.press("enter")
    await pilot.pause()
    assert "64 KiB" in text(app, "facts")


@pytest.mark.parametrize("screen", ["1", "2", "3", "4", "5", "6"])
async def test_palette_leads_to_every_other_screen_and_offers_nothing_of_theirs(running, screen):
    app, pilot = running
    await pilot.press(screen, "ctrl+p")
    await pilot.pause()
    titles = [command.title for command in app.get_system_commands(app.screen_stack[-2])]
    screens = ["Overview", "Pool", "Devices", "Events", "Operations", "Machine"]
    assert [title for title in screens if title not in titles] == [screens[int(screen) - 1]]
    assert len(titles) == len(set(titles))
    assert ("How bad" in titles) is (screen == "4")


async def test_poll_now_asks_once_also_while_paused():
    from dmtui.tui.app import DashboardApp

    taken = []

    def take():
        taken.append(1)
        return samples.sample(samples.docker_pool())

    app = DashboardApp(take, interval_seconds=60)
    async with app.run_test(size=SIZE) as pilot:
        while not taken:
            await pilot.pause(0.01)
        await pilot.press("p", "r")
        for _ in range(100):
            if len(taken) == 2:
                break
            await pilot.pause(0.02)
        assert len(taken) == 2

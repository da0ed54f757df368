"""What the dashboard does when the world around it changes: errors, silence, vanishing things, hostile names."""

import dataclasses
import re
import threading
import time

import pytest

from dmtui.monitor.poller import PollFailed
from dmtui.monitor.sample import Sample
from dmtui.tui.app import DashboardApp
from dmtui.tui.lines import text_of
from dmtui.tui.polled import Polled
from dmtui.tui.widgets.panel import Panel
from dmtui.tui.widgets.tables import DeviceTable, PoolTable
from tests.tui import samples

SIZE = (120, 40)


def text(app, panel: str) -> str:
    return text_of(app.screen.query_one(f"#{panel}", Panel).lines)


def screen_text(app) -> str:
    width, height = app.size
    grid = [[" "] * width for _ in range(height)]
    for widget in app.screen.query("*"):
        region = widget.region
        if isinstance(widget, Panel | DeviceTable | PoolTable) and region.area:
            content = widget.content_region
            for y in range(min(content.height, height - content.y)):
                for x, char in enumerate(widget.render_line(y).text[: content.width]):
                    grid[content.y + y][content.x + x] = char
    return "\n".join("".join(row) for row in grid)


async def test_an_error_is_shown_and_the_next_sample_takes_it_away(dashboard, clock):
    app = dashboard()
    async with app.run_test(size=SIZE) as pilot:
        app.feed(samples.sample(samples.docker_pool()))
        clock.now += 5
        app.feed(PollFailed(clock.now, "device-mapper: broken"))
        await pilot.pause()
        assert "FAILING" in text(app, "header")
        assert "device-mapper: broken" in text(app, "notice")
        assert "figures are 5 s old" in text(app, "notice")
        assert app.screen.has_class("-stale")
        app.feed(samples.sample(samples.docker_pool(), at=clock.now))
        await pilot.pause()
        assert "LIVE" in text(app, "header")
        assert not app.screen.has_class("-stale")


async def test_silence_is_told_with_its_length_and_the_age_of_the_figures(dashboard, clock):
    app = dashboard()
    async with app.run_test(size=SIZE) as pilot:
        app.feed(samples.sample(samples.docker_pool()))
        app.stream.pending_since = samples.NOW + 1
        for seconds, expected in ((3, None), (13, "no answer for 12 s · figures are 13 s old")):
            clock.now = samples.NOW + seconds
            app.show_newest()
            await pilot.pause()
            assert (expected is None) == ("no answer" not in text(app, "notice"))
            assert expected is None or expected in text(app, "notice")


async def test_the_header_says_loudly_that_a_machine_is_emulated_and_why_it_was_taken(dashboard):
    app = dashboard(banner="no device-mapper here", read_only=True)
    async with app.run_test(size=SIZE) as pilot:
        app.feed(samples.sample(samples.docker_pool(), machine="emulated"))
        await pilot.pause()
        assert "EMULATED" in text(app, "header")
        assert "READ-ONLY" in text(app, "header")
        assert "no device-mapper here" in text(app, "notice")


async def test_problems_of_a_sample_are_shown(dashboard):
    app = dashboard()
    async with app.run_test(size=SIZE) as pilot:
        app.feed(samples.sample(samples.docker_pool(), problems=("vg0-x: cannot be read", "vg0-y: cannot be read")))
        await pilot.pause()
        assert "vg0-x: cannot be read (+1 more)" in text(app, "notice")


async def test_selection_is_kept_while_pools_and_devices_come_and_go(dashboard):
    app = dashboard(initial_pool="docker-8:1-4718594-pool")
    async with app.run_test(size=SIZE) as pilot:
        pool = samples.docker_pool()
        app.feed(samples.sample(pool))
        await pilot.pause()
        await pilot.press("down", "down", "down")
        table = app.screen.query_one(DeviceTable)
        chosen = table.cursor_key
        app.feed(samples.sample(dataclasses.replace(pool, devices=pool.devices[2:]), samples.containerd_pool()))
        await pilot.pause()
        assert table.cursor_key == chosen
        assert app.known.pool_name == pool.name
        assert app.screen.query_one(PoolTable).cursor_key == pool.name


async def test_a_vanished_device_leaves_the_cursor_where_it_was(dashboard):
    app = dashboard()
    async with app.run_test(size=SIZE) as pilot:
        pool = samples.docker_pool()
        app.feed(samples.sample(pool))
        await pilot.pause()
        await pilot.press("end")
        app.feed(samples.sample(dataclasses.replace(pool, devices=pool.devices[:4])))
        await pilot.pause()
        assert app.screen.query_one(DeviceTable).cursor_key == pool.devices[3].name


async def test_a_vanished_pool_is_told_and_another_one_is_shown(dashboard):
    app = dashboard(initial_pool="vg0-thin-tpool")
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        app.feed(samples.sample(samples.docker_pool(), samples.lvm_pool()))
        await pilot.pause()
        app.feed(samples.sample(samples.docker_pool()))
        await pilot.pause()
        assert app.known.pool_name == "docker-8:1-4718594-pool"
        assert "docker-8:1-4718594-pool" in text(app, "facts")


async def test_the_pool_asked_for_is_shown_first(dashboard):
    app = dashboard(initial_pool="vg0-thin-tpool")
    async with app.run_test(size=SIZE) as pilot:
        app.feed(samples.sample(samples.docker_pool(), samples.lvm_pool(), samples.containerd_pool()))
        await pilot.pause()
        assert app.known.pool_name == "vg0-thin-tpool"
        assert app.screen.query_one(PoolTable).cursor_key == "vg0-thin-tpool"


async def test_the_last_pool_may_go_and_come_back(dashboard):
    app = dashboard()
    async with app.run_test(size=SIZE) as pilot:
        for pools in ((samples.docker_pool(),), (), (samples.docker_pool(),)):
            app.feed(samples.sample(*pools))
            await pilot.pause()
            assert app.screen.query_one("#body").display is bool(pools)
            assert ("No thin pool" in text(app, "welcome")) is (not pools) or pools


async def test_nothing_is_repainted_when_nothing_changed(dashboard, monkeypatch):
    app = dashboard()
    async with app.run_test(size=SIZE) as pilot:
        for step in range(82):
            app.feed(samples.sample(samples.docker_pool(), at=samples.NOW + step))
        await pilot.pause()
        painted = []
        original = Panel.render_line
        monkeypatch.setattr(Panel, "render_line", lambda self, y: painted.append((self.id, y)) or original(self, y))
        rows = []
        line = DeviceTable.render_line
        monkeypatch.setattr(DeviceTable, "render_line", lambda self, y: rows.append(y) or line(self, y))
        app.feed(samples.sample(samples.docker_pool(), at=samples.NOW + 83))
        await pilot.pause()
        assert set(painted) <= {("moment", 0)}
        assert rows == []


async def test_only_the_changed_row_of_the_devices_is_repainted(dashboard, monkeypatch):
    app = dashboard()
    async with app.run_test(size=SIZE) as pilot:
        pool = samples.docker_pool()
        app.feed(samples.sample(pool))
        await pilot.pause()
        rows = []
        line = DeviceTable.render_line
        monkeypatch.setattr(DeviceTable, "render_line", lambda self, y: rows.append(y) or line(self, y))
        moved = dataclasses.replace(pool.devices[3], mapped_bytes=9_000_000_000)
        app.feed(samples.sample(dataclasses.replace(pool, devices=(*pool.devices[:3], moved, *pool.devices[4:]))))
        await pilot.pause()
        assert rows == [4]


async def test_samples_that_arrive_under_another_screen_are_drawn_when_it_closes(dashboard):
    app = dashboard()
    async with app.run_test(size=SIZE) as pilot:
        app.feed(samples.sample(samples.docker_pool(0.1)))
        await pilot.press("question_mark")
        app.feed(samples.sample(samples.docker_pool(0.9)))
        await pilot.press("escape")
        await pilot.pause()
        assert "90.0 %" in text(app, "space") or "89.9 %" in text(app, "space")


def test_a_newer_outcome_takes_the_place_of_one_that_waits():
    newer, older = (Polled(samples.sample(at=samples.NOW + step)) for step in (1, 0))
    assert older.can_replace(newer)


HOSTILE = (
    "[bold]x[/]",
    "[/]",
    "[@click=app.quit]quit[/]",
    "n" * 300,
    "日本語のプール名" * 6,
    "e\u0301" * 60,
    "a\tb\nc\x1b[2Jd\x07",
    "\u202eevil",
    "👩‍👩‍👧‍👦 family",
    "",
)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
async def test_hostile_names_never_break_the_screen(dashboard, name, size):
    app = dashboard(banner=name)
    pool = samples.docker_pool()
    pool = dataclasses.replace(
        pool,
        name=name or "empty",
        display_name=name,
        uuid=name,
        findings=(name,) * 12,
        data_backing=dataclasses.replace(pool.data_backing, loop_file=name, device=name, loop_file_deleted=True),
        devices=tuple(dataclasses.replace(d, name=f"{d.name}{name}", display_name=name) for d in pool.devices),
    )
    async with app.run_test(size=size, notifications=True) as pilot:
        app.feed(samples.sample(pool, machine_description=name, problems=(name,)))
        await pilot.pause()
        shown = screen_text(app)
        assert "\x1b" not in shown
        assert "\u202e" not in shown
        if name == "[bold]x[/]":
            assert "[bold]x[/]" in shown
        app.feed(samples.sample())
        app.feed(PollFailed(samples.NOW, name))
        await pilot.pause()
        for widget in app.screen.query(Panel):
            for y in range(widget.content_size.height):
                assert widget.render_line(y).cell_length == widget.content_size.width


@pytest.mark.parametrize("state", ["live", "paused", "failing"])
@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_an_ascii_screen_has_nothing_but_ascii(dashboard, size, state):
    app = dashboard(ascii=True, banner="plain")
    async with app.run_test(size=size) as pilot:
        app.feed(samples.sample(samples.damaged_pool(), samples.docker_pool(count=300, name="b", display_name="b")))
        await pilot.pause()
        if state == "paused":
            await pilot.press("p")
        if state == "failing":
            app.feed(PollFailed(samples.NOW, "broken"))
        await pilot.press("tab")
        await pilot.pause()
        drawn = re.sub(r"&#160;|<[^>]*>", " ", app.export_screenshot().partition("</style>")[2])
        assert drawn.isascii(), set(filter(lambda char: not char.isascii(), drawn))


@pytest.mark.parametrize("over", ["toast", "palette", "help", "explain", "copy"])
async def test_what_lies_over_an_ascii_screen_is_ascii_too(dashboard, over):
    app = dashboard(ascii=True, banner="plain")
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        app.feed(samples.sample(samples.docker_pool()))
        await pilot.pause()
        for severity in ("information", "warning", "error") if over == "toast" else ():
            app.notify("something", severity=severity)
        keys = {"palette": ":", "help": "?", "explain": "i", "copy": "y"}
        await pilot.press(*keys.get(over, ""))
        await pilot.pause(0.5)
        drawn = re.sub(r"&#160;|<[^>]*>", " ", app.export_screenshot().partition("</style>")[2])
        assert drawn.isascii(), set(filter(lambda char: not char.isascii(), drawn))


async def test_without_colours_the_focus_moves_nothing_in_a_small_terminal(dashboard, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    app = dashboard()
    async with app.run_test(size=(80, 24)) as pilot:
        app.feed(samples.sample(samples.docker_pool(), samples.lvm_pool()))
        await pilot.pause()
        before = {box.id: box.content_region for box in app.screen.query(".box")}
        await pilot.press("tab")
        await pilot.pause()
        assert {box.id: box.content_region for box in app.screen.query(".box")} == before


@pytest.mark.parametrize("size", [(20, 6), (40, 12), (60, 20), (100, 30), (300, 80)])
async def test_any_size_is_drawn(dashboard, size):
    app = dashboard()
    async with app.run_test(size=size) as pilot:
        app.feed(samples.sample(samples.docker_pool(), samples.lvm_pool()))
        await pilot.pause()
        await pilot.resize_terminal(120, 40)
        await pilot.pause()
        assert "docker-8:1-4718594-pool" in screen_text(app)


async def test_ten_thousand_devices_load_fast_and_answer_fast(dashboard):
    app = dashboard()
    sample = samples.sample(samples.docker_pool(count=10_000))
    async with app.run_test(size=SIZE) as pilot:
        started = time.perf_counter()
        app.feed(sample)
        await pilot.pause()
        loaded = time.perf_counter() - started
        table = app.screen.query_one(DeviceTable)
        started = time.perf_counter()
        table.cycle_sort()
        table.filter("web")
        table.action_last()
        answered = time.perf_counter() - started
        assert len(table.shown_rows) > 1000
        assert loaded < 1.5  # the budget is 0.3 s; a busy machine gets room
        assert answered < 0.5


async def test_quitting_does_not_wait_for_a_poll_that_hangs():
    release = threading.Event()

    def take() -> Sample:
        release.wait(30)
        return samples.sample()

    app = DashboardApp(take)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        started = time.perf_counter()
        await pilot.press("q")
    assert time.perf_counter() - started < 2
    release.set()


async def test_samples_come_from_the_poller_through_messages():
    app = DashboardApp(lambda: samples.sample(samples.docker_pool(), at=time.time()), interval_seconds=0.1)
    async with app.run_test(size=SIZE) as pilot:
        for _ in range(100):
            await pilot.pause(0.02)
            if app.known.pool_name:
                break
        await pilot.pause(0.1)
        assert "docker-8:1-4718594-pool" in text(app, "facts")
        assert "every 0.1 s" in text(app, "header")


async def test_a_machine_that_is_read_but_refuses_keeps_being_asked():
    from dmtui.thinpool.errors import NotPermittedError

    calls = []

    def take() -> Sample:
        calls.append(1)
        if len(calls) < 3:
            raise NotPermittedError("device-mapper", "not permitted", "run as root")
        return samples.sample(samples.docker_pool(), at=time.time())

    app = DashboardApp(take, interval_seconds=0.1)
    async with app.run_test(size=SIZE) as pilot:
        for _ in range(200):
            await pilot.pause(0.02)
            if app.known.pool_name:
                break
        await pilot.pause(0.05)
        assert app.known.pool_name == "docker-8:1-4718594-pool"
        assert "poll failed" not in text(app, "notice")

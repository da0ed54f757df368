"""The screen of one device: everything that is known of it."""

import dataclasses

import pytest

from dmtui.monitor.events import Event, Source
from dmtui.monitor.severity import Severity
from dmtui.tui.devicerows import Rows
from dmtui.tui.figures import Density, Look
from dmtui.tui.history import DeviceTrail
from dmtui.tui.lines import text_of, width_of
from dmtui.tui.paint.device import DeviceView, device_lines, lineage_lines, mapped_lines, use_lines
from dmtui.tui.screens.device import DeviceScreen
from dmtui.tui.screens.overview import OverviewScreen
from dmtui.tui.widgets.chart import Chart
from dmtui.tui.widgets.panel import Panel
from tests.tui import samples
from tests.tui.pictures import EVERY_SIZE, looks_right

__all__ = ["looks_right"]
LOOK = Look()
PREFIX = "docker-8:1-4718594"


def view_of(name: str, pool=None) -> DeviceView:
    pool = pool or samples.recorded_pool()
    rows = Rows().of(pool, samples.NOW)
    return DeviceView.of(pool, next(row for row in rows if row.display_name == name), rows)


def text(app, panel: str) -> str:
    return text_of(app.screen.query_one(f"#{panel}", Panel).lines)


class TestPainters:
    def test_an_active_device_tells_its_kernel_and_its_record(self):
        shown = text_of(device_lines(view_of("web-frontend-00"), LOOK, 70))
        for words in (
            "state        ◉ mounted",
            f"kernel name  {PREFIX}-web-frontend-00",
            "device       253:1",
            "table        0 20971520 thin 253:0 2",
            "parent       base",
            "created      14 d 1 h ago",
            "deletion     not asked for",
        ):
            assert words in shown

    @pytest.mark.parametrize(("seconds", "words"), [(0.0, "less than 1 min ago"), (60.0, "1 min ago")])
    def test_a_new_device_is_not_said_to_be_of_this_second(self, seconds, words):
        view = view_of("web-frontend-00")
        view = dataclasses.replace(view, row=view.row._replace(age_seconds=seconds))
        assert f"created      {words}\n" in text_of(device_lines(view, LOOK, 70))

    def test_an_inactive_device_has_no_figures_and_no_zero(self):
        view = view_of("web-cache-01")
        assert "none while inactive" in text_of(device_lines(view, LOOK, 70))
        assert "? mapped of 10.74 GB" in text_of(mapped_lines(view, LOOK, 70))
        assert "by nobody: it is not active" in text_of(use_lines(view, LOOK, 70))

    def test_what_is_not_recorded_is_a_question_mark(self):
        shown = text_of(device_lines(view_of("redis-04", samples.docker_pool()), LOOK, 70))
        assert "parent       ?" in shown
        assert "created      ?" in shown
        assert "record       none is known" in shown

    def test_every_mount_has_its_line(self):
        pool = samples.recorded_pool()
        twice = dataclasses.replace(pool.devices[0], mounted_at=("/a", "/b"))
        shown = text_of(use_lines(view_of("web-frontend-00", dataclasses.replace(pool, devices=(twice,))), LOOK, 70))
        assert shown.splitlines()[1:] == ["mounted at   /a", "             /b"]

    def test_lineage_goes_from_the_oldest_to_the_snapshots(self):
        shown = text_of(lineage_lines(view_of("postgres-replica-03"), LOOK, 70)).splitlines()
        assert shown[0] == "base  ○ inactive"
        assert shown[2] == "   └─ ▶ postgres-replica-03"
        assert shown[3].startswith("      ├─ mailhog-09")
        assert shown[4].startswith("      └─ keycloak-10")

    def test_many_snapshots_are_counted(self):
        shown = text_of(lineage_lines(view_of("base", _wide()), Look(density=Density.COMPACT), 70))
        assert shown.splitlines()[-1] == "└─ and 37 more"

    @pytest.mark.parametrize("density", list(Density))
    @pytest.mark.parametrize("width", [40, 54, 76])
    def test_nothing_is_wider_than_the_panel(self, density, width):
        look = Look(density=density)
        for name in ("base", "web-frontend-00", "vault-13"):
            for paint in (device_lines, mapped_lines, use_lines, lineage_lines):
                assert all(width_of(line) <= width for line in paint(view_of(name), look, width))


def _wide():
    pool = samples.recorded_pool(40)
    base, *others = pool.recorded
    return dataclasses.replace(pool, recorded=(base, *(dataclasses.replace(each, parent="base") for each in others)))


class TestTrail:
    def test_it_remembers_one_device_and_begins_anew_with_another(self):
        trail = DeviceTrail()
        for step in range(3):
            trail.add(samples.sample(samples.docker_pool(), at=samples.NOW + step), "docker-8:1-4718594-pool", NAME)
        assert sum(each is not None for each in trail.columns(30, 30, 1)) == 3
        trail.add(samples.sample(samples.docker_pool(), at=samples.NOW + 3), "docker-8:1-4718594-pool", f"{PREFIX}-x")
        assert trail.columns(30, 30, 1) == (None,) * 30

    def test_a_point_stands_for_what_follows_and_no_longer(self):
        trail = DeviceTrail()
        for at in (0, 10):
            trail.add(samples.sample(samples.docker_pool(), at=samples.NOW + at), "docker-8:1-4718594-pool", NAME)
        known = [each is not None for each in trail.columns(11, 11, 3)]
        assert known == [True] * 4 + [False] * 6 + [True]

    def test_a_step_back_in_time_begins_anew(self):
        trail = DeviceTrail()
        for at in (10, 0):
            trail.add(samples.sample(samples.docker_pool(), at=samples.NOW + at), "docker-8:1-4718594-pool", NAME)
        assert trail.newest_at == samples.NOW


NAME = f"{PREFIX}-web-frontend-00"


@pytest.fixture
async def running(dashboard):
    """The screen of the second device, opened from the overview."""
    app = dashboard()
    async with app.run_test(size=(120, 40)) as pilot:
        app.feed(samples.sample(samples.recorded_pool(), at=samples.NOW - 10))
        await pilot.pause()
        await pilot.press("down", "enter")
        await pilot.pause()
        yield app, pilot


async def test_enter_on_a_device_of_the_overview_opens_it_and_escape_leads_back(running):
    app, pilot = running
    assert isinstance(app.screen, DeviceScreen)
    assert "postgres-main-02" in text(app, "device-facts")
    await pilot.press("escape")
    await pilot.pause()
    assert isinstance(app.screen, OverviewScreen)


async def test_the_screen_knows_its_device_for_actions(running):
    app, _ = running
    assert app.screen.device_key == f"{PREFIX}-postgres-main-02"


async def test_its_history_grows_from_the_moment_it_was_chosen(running):
    app, pilot = running
    first = text_of(app.screen.query_one(Chart).lines)
    for step in range(9):
        app.feed(samples.sample(samples.recorded_pool(), at=samples.NOW - 9 + step))
    await pilot.pause()
    assert text_of(app.screen.query_one(Chart).lines) != first


async def test_the_span_of_its_history_grows_with_it_up_to_a_quarter_of_an_hour(running):
    app, pilot = running
    spans = []
    for seconds in (1, 50, 51, 290, 291, 2000):
        app.feed(samples.sample(samples.recorded_pool(), at=samples.NOW + seconds))
        await pilot.pause()
        spans.append(str(app.screen.query_one(Chart).border_title).rpartition("last ")[2])
    growing = ["1 min, all so far", "1 min, all so far", "5 min, all so far", "5 min, all so far"]
    assert spans == [*growing, "15 min", "15 min"]


async def test_its_events_are_those_that_name_it_and_no_other(running):
    app, pilot = running
    pool = f"{PREFIX}-pool"
    texts = ("mount postgres-main-02 in 0.02 s", "mount postgres-main-02x", "postgres-main-02: it failed")
    app.known.memory.note(Event(samples.NOW, Source.OPERATION, Severity.INFO, pool, each) for each in texts)
    app.known.memory.note([Event(samples.NOW, Source.OPERATION, Severity.INFO, "other", texts[0])])
    app.show_newest()
    await pilot.pause()
    lines = text(app, "device-events").splitlines()
    assert [line.partition("● ")[2] for line in lines] == [texts[2], texts[0]]


async def test_a_device_that_goes_is_told_to_be_gone(running):
    app, pilot = running
    app.feed(samples.sample(samples.recorded_pool(1)))
    await pilot.pause()
    assert "is gone" in text(app, "device-gone")
    assert app.screen.device_key is None


async def test_it_scrolls_by_keys_in_a_small_terminal(dashboard):
    app = dashboard()
    async with app.run_test(size=(80, 24)) as pilot:
        app.feed(samples.sample(samples.recorded_pool()))
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()
        body = app.screen.query_one("#device-body")
        await pilot.press("j", "j")
        await pilot.pause()
        assert body.scroll_offset.y == 2
        await pilot.press("G")
        await pilot.pause()
        assert body.scroll_offset.y == body.max_scroll_y


def watched():
    """Samples over a quarter of an hour in which one device grows."""
    pool = samples.recorded_pool()
    made = []
    for step in range(90):
        first = dataclasses.replace(
            pool.devices[0], mapped_bytes=(6 + step // 30) * samples.GIB + step * 8 * samples.MIB
        )
        grown = dataclasses.replace(pool, devices=(first, *pool.devices[1:]))
        made.append(samples.sample(grown, at=samples.NOW - 10 * (89 - step)))
    return made


@EVERY_SIZE
def test_a_mounted_device_that_grows(looks_right, size):
    looks_right(*watched(), size=size, chosen=f"{PREFIX}-web-frontend-00")


@EVERY_SIZE
def test_an_inactive_device(looks_right, size):
    looks_right(samples.sample(samples.recorded_pool()), size=size, press=["3", "down", "down", "enter"])


def test_a_failed_device(looks_right):
    looks_right(samples.sample(samples.failed_pool()), press=["3", "enter"])


def test_ascii(looks_right):
    looks_right(*watched(), ascii=True, chosen=f"{PREFIX}-web-frontend-00")


def test_no_color(looks_right, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    looks_right(*watched(), chosen=f"{PREFIX}-web-frontend-00")

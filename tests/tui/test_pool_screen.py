"""The pool screen: its gauges, its history, its outlook, what it stands on."""

import dataclasses

import pytest

from dmtui.monitor.alertrules import Rule
from dmtui.monitor.memory import Memory
from dmtui.monitor.thresholds import Thresholds
from dmtui.tui.figures import Density, Level, Look
from dmtui.tui.glyphs import ASCII, BLOCKS, UNICODE
from dmtui.tui.lines import text_of, width_of
from dmtui.tui.paint.alerts import alert_lines
from dmtui.tui.paint.capacity import capacity_lines
from dmtui.tui.paint.chart import Guide, Picture, chart_lines, columns_of
from dmtui.tui.paint.footing import footing_lines
from dmtui.tui.paint.outlook import outlook_lines
from dmtui.tui.paint.poolview import PoolView
from dmtui.tui.paint.spans import overlaid
from dmtui.tui.screens.pool import PoolScreen
from dmtui.tui.widgets.chart import Chart
from dmtui.tui.widgets.panel import Panel
from dmtui.tui.wrong import Wrong
from tests.tui import samples
from tests.tui.pictures import EVERY_SIZE, looks_right, past

__all__ = ["looks_right"]
LOOK = Look()
COMPACT = Look(density=Density.COMPACT)
GUIDES = (Guide(0.7, Level.WARN), Guide(0.9, Level.CRIT))


def text(app, panel: str) -> str:
    return text_of(app.screen.query_one(f"#{panel}", Panel).lines)


def chart_text(app, name: str) -> str:
    return text_of(app.screen.query_one(f"#{name}", Chart).lines)


def span_shown(app) -> str:
    return str(app.screen.query_one("#data-chart").border_title).rpartition("last ")[2]


def drawn(fractions, width=20, height=4, glyphs=ASCII, **more):
    return text_of(chart_lines(Picture(fractions, "data", **more), glyphs, width, height))


def view_of(pool, *before):
    memory = Memory()
    for each in (*before, samples.sample(pool)):
        memory.take_in(each)
    return PoolView(
        pool,
        samples.NOW,
        Thresholds(),
        memory.forecasts[pool.name],
        memory.alerts.of(pool.name),
        memory.waits.by_pool.get(pool.name),
    )


class TestChart:
    def test_its_axis_is_fixed_and_the_newest_is_at_the_right(self):
        lines = drawn([0.34, 0.34, 1.0], width=9, height=2).splitlines()
        assert lines == ["100 |   #", "  0 | ==#"]

    def test_a_gap_is_empty_and_not_zero(self):
        assert drawn([1.0, None, 1.0], width=8, height=2).splitlines() == ["100 |# #", "  0 |# #"]

    def test_nothing_at_all_is_said(self):
        assert "nothing known of this span" in drawn([None] * 40, width=45)

    def test_thresholds_are_lines_with_their_number_and_where_there_is_room_their_word(self):
        narrow, wide = (drawn([0.1], width, 10, guides=GUIDES).splitlines() for width in (30, 60))
        assert narrow[0].startswith("100 |-----")
        assert narrow[0].endswith(" 90")
        assert wide[0].endswith(" 90 CRIT")
        assert [line[-8:] for line in wide if "WARN" in line] == [" 70 WARN"]

    def test_what_lies_above_a_threshold_has_the_role_of_it(self):
        lines = chart_lines(Picture([1.0] * 60, "data", GUIDES), UNICODE, 30, 10)
        roles = [line[1].role.removesuffix("-area") for line in lines[:9]]
        assert roles == ["crit", "warn", "warn", "data", "data", "data", "data", "data", "data"]

    def test_braille_has_two_points_and_four_heights_a_cell(self):
        lines = drawn([0.25, 0.5, 0.75, 1.0], width=7, height=1, glyphs=UNICODE)
        assert lines[-2:] == "⣠⣾"
        assert columns_of(7, (), UNICODE) == 4
        assert columns_of(7, (), BLOCKS) == 2
        assert drawn([0.5, 1.0], width=7, height=1, glyphs=BLOCKS)[-2:] == "▄█"

    def test_the_times_stand_below_the_axis(self):
        last = drawn([0.5], width=60, height=5, times=("12:00", "half", "now")).splitlines()[-1]
        assert last.split() == ["+12:00", "half", "now"]

    @pytest.mark.parametrize("width", [12, 33, 80])
    @pytest.mark.parametrize("height", [1, 2, 3, 9])
    def test_it_fills_its_place_exactly(self, width, height):
        lines = chart_lines(Picture([0.5] * 50, "meta", GUIDES), UNICODE, width, height)
        assert len(lines) == height
        assert all(width_of(line) == width for line in lines[: height - 1 if height >= 3 else height])


class TestGauges:
    def test_gate_low_water_and_reserve_are_drawn_in_and_explained(self):
        shown = text_of(capacity_lines(view_of(samples.docker_pool()), Look(glyphs=ASCII), 80))
        assert "G gate 10.74 GB free   L low water 2.147 GB" in shown
        assert "% reserve 16.78 MB   G gate 214.7 MB free" in shown
        data_bar = shown.splitlines()[1]
        assert (data_bar.index("G"), data_bar.index("L")) == (72, 78)

    def test_metadata_counts_what_is_above_its_reserve(self):
        shown = text_of(capacity_lines(view_of(samples.docker_pool(live_metadata=0.5001)), LOOK, 60))
        assert "50.0 %" in shown
        assert "2.131 GB" in shown

    def test_what_the_host_has_promised_beyond_what_it_has_is_told(self):
        shown = text_of(capacity_lines(view_of(samples.docker_pool()), LOOK, 60))
        assert "promised to loop files 64.21 GB  ▲ 16.21 GB short" in shown

    def test_a_pool_on_disks_has_no_host_file_system(self):
        shown = text_of(capacity_lines(view_of(samples.lvm_pool()), LOOK, 60))
        assert "no loop file" in shown
        assert "gate" not in shown

    def test_unknown_is_a_question_mark(self):
        shown = text_of(capacity_lines(view_of(samples.failed_pool()), LOOK, 60))
        assert "? unknown" in shown
        assert "?" * 60 in shown

    @pytest.mark.parametrize("width", [60, 76, 110])
    @pytest.mark.parametrize("look", [LOOK, COMPACT])
    def test_nothing_is_wider_than_the_panel(self, width, look):
        for pool in (samples.docker_pool(0.99), samples.failed_pool(), samples.lvm_pool()):
            assert all(width_of(line) <= width for line in capacity_lines(view_of(pool), look, width))

    def test_a_mark_takes_exactly_one_cell(self):
        from dmtui.tui.lines import Span

        line = overlaid((Span("####", "data"), Span("....", "faint")), 2, Span("G", "accent"))
        assert [tuple(span) for span in line] == [("##", "data"), ("G", "accent"), ("#", "data"), ("....", "faint")]


class TestOutlook:
    def test_a_forecast_has_its_range_and_its_window(self):
        pool = samples.docker_pool()
        shown = text_of(outlook_lines(view_of(pool, *past(pool)[:-1]), LOOK, 90))
        assert "✖ full in 51 min (51 to 52 min), last 10 min   +" in shown

    def test_without_a_trend_it_says_so(self):
        shown = text_of(outlook_lines(view_of(samples.docker_pool()), LOOK, 90))
        assert "no trend yet, needs 5 min" in shown

    def test_over_provisioning_is_told(self):
        assert "128.8 GB to 12 active  ▲ 1.20 x the pool" in text_of(
            outlook_lines(view_of(samples.docker_pool()), LOOK, 90)
        )

    def test_the_countdown_comes_first(self):
        before = samples.sample(samples.docker_pool(0.99), at=samples.NOW - 2)
        shown = text_of(outlook_lines(view_of(samples.full_pool(), before), LOOK, 90))
        assert shown.splitlines()[0] == "writers   ✖ writes fail in about 58 to 60 s (estimate)"

    @pytest.mark.parametrize(("width", "why"), [(90, ": it was full before it was watched"), (76, ""), (54, "")])
    def test_a_countdown_that_nobody_saw_begin_is_told_whole(self, width, why):
        shown = text_of(outlook_lines(view_of(samples.full_pool()), LOOK, width))
        assert shown.splitlines()[0] == f"writers   ✖ writes fail in 60 s or sooner (estimate{why})"


def test_alerts_are_told_worst_first_with_word_time_and_text():
    pool = samples.full_pool()
    view = view_of(pool, *(samples.sample(pool, at=samples.NOW - 600 + 10 * n) for n in range(60)))
    shown = text_of(alert_lines(Wrong(view.alerts), LOOK, 110)).splitlines()
    assert shown[0].startswith("✖ CRIT  since 13:23:20, 10 min")
    assert "no free data block: a write that needs one waits" in "\n".join(shown)
    assert text_of(alert_lines(Wrong(), LOOK, 80)) == "● no alert"


def test_more_alerts_than_fit_are_counted():
    view = view_of(dataclasses.replace(samples.damaged_pool(), suspended=True))
    alerts = view.alerts * 6
    assert text_of(alert_lines(Wrong(alerts), COMPACT, 80)).splitlines()[-1] == f"and {len(alerts) - 1} more"


class TestWhatToDoNext:
    def test_it_stands_below_the_alerts_that_it_is_about(self):
        bad = dataclasses.replace(samples.docker_pool(0.95), suspended=True, owner="dmtui")
        alerts = view_of(bad, *(samples.sample(bad, at=samples.NOW - n) for n in (2, 1))).alerts
        shown = text_of(alert_lines(Wrong(alerts), LOOK, 110)).splitlines()
        rows = [line.split()[1] if line[0] != " " else line.split()[0] for line in shown]
        assert rows == ["CRIT", "next", "command", "WARN", "next", "command"]
        assert "pool extend --data" in shown[2]
        assert "dmsetup resume" in shown[5]

    def test_it_stands_below_the_alerts_once_with_all_its_commands(self):
        full = dataclasses.replace(samples.full_pool(), metadata=samples.docker_pool().metadata)
        alerts = view_of(full, samples.sample(full, at=samples.NOW - 1)).alerts
        assert [alert.rule for alert in alerts] == [Rule.MODE, Rule.DATA]
        shown = text_of(alert_lines(Wrong(alerts[:1]), LOOK, 110)).splitlines()
        assert shown[1:] == [
            "  next     docker system prune, or extend",
            "  command  docker system prune",
            "           systemctl stop docker",
            "           dmtui --graph /var/lib/docker/devicemapper pool extend --data SIZE",
            "           systemctl start docker",
        ]
        assert len(text_of(alert_lines(Wrong(alerts), LOOK, 110)).splitlines()) == len(shown) + 1

    def test_what_the_same_commands_do_is_told_once(self):
        full = dataclasses.replace(samples.full_pool(), metadata=samples.docker_pool().metadata, owner="dmtui")
        alerts = view_of(full, samples.sample(full, at=samples.NOW - 1)).alerts
        assert len({alert.next_step for alert in alerts}) == 2
        assert text_of(alert_lines(Wrong(alerts), LOOK, 110)).count("pool extend --data") == 1

    def test_of_our_own_pool_the_key_is_named_where_it_works(self):
        alerts = view_of(dataclasses.replace(samples.damaged_pool(), owner="dmtui")).alerts
        assert "next     X, take it down, check its metadata\n" in text_of(alert_lines(Wrong(alerts, True), LOOK, 110))
        assert "next     take it down, check its metadata\n" in text_of(alert_lines(Wrong(alerts), LOOK, 110))

    @pytest.mark.parametrize("width", [40, 76, 110])
    def test_commands_are_wrapped_and_never_cut(self, width):
        alerts = view_of(dataclasses.replace(samples.full_pool(), owner="unknown")).alerts
        lines = alert_lines(Wrong(alerts), COMPACT, width)
        assert all(width_of(line) <= width for line in lines)
        words = "".join(text_of(lines).split())
        for command in alerts[0].next_step.commands:
            assert "".join(command.split()) in words

    async def test_the_screen_scrolls_to_all_of_it_in_a_small_terminal(self, dashboard):
        app = dashboard()
        async with app.run_test(size=(80, 24)) as pilot:
            for second in range(3):
                app.feed(samples.sample(samples.damaged_pool(), at=samples.NOW + second))
            await pilot.press("2")
            await pilot.pause()
            await pilot.press("end")
            await pilot.pause()
            card = app.screen.query_one("#pool-alerts", Panel)
            assert "systemctl start docker" in text_of(card.lines)
            assert card.size.height >= len(card.lines)
            assert app.screen.query_one("#pool-body").region.contains_region(card.region)
            assert app.screen.query_one("#data-chart").size.height >= 4

    async def test_the_explanation_begins_with_it(self, dashboard):
        app = dashboard()
        async with app.run_test(size=(80, 24)) as pilot:
            app.feed(samples.sample(samples.damaged_pool()))
            await pilot.press("i")
            await pilot.pause()
            await pilot.press("y")
            text = " ".join(app.clipboard.split())
            assert text.startswith("What is wrong, and what to do next ✖ CRIT the pool is read-only")
            assert "thin_check --clear-needs-check-flag /var/lib/docker/devicemapper/devicemapper/metadata" in text
            assert "From the pool's status line." in text

    async def test_where_nothing_is_wrong_the_explanation_says_nothing_of_it(self, dashboard):
        app = dashboard()
        async with app.run_test(size=(80, 24)) as pilot:
            app.feed(samples.sample(samples.docker_pool()))
            await pilot.press("i")
            await pilot.pause()
            assert app.screen.query_one("#explain-alerts", Panel).size.height == 0


def test_both_devices_are_shown_with_apparent_and_allocated_size():
    shown = text_of(footing_lines(samples.docker_pool(), LOOK, 70))
    assert "107.4 GB apparent, 45.1 GB allocated" in shown
    assert "/dev/loop1" in shown


@pytest.fixture
async def running(dashboard):
    """The pool screen over a past of a quarter of an hour."""
    app = dashboard()
    async with app.run_test(size=(120, 40)) as pilot:
        for outcome in past(samples.docker_pool()):
            app.feed(outcome)
        await pilot.pause()
        await pilot.press("2")
        await pilot.pause()
        yield app, pilot


async def test_the_key_leads_there_and_escape_back(running):
    app, pilot = running
    assert isinstance(app.screen, PoolScreen)
    assert "Span" in text(app, "keys")
    await pilot.press("escape")
    assert not isinstance(app.screen, PoolScreen)


async def test_the_span_grows_and_shrinks_and_has_ends(running):
    app, pilot = running
    titles = []
    for key in ("]", "]", "]", "]", "]", "[", "[", "[", "[", "[", "["):
        await pilot.press(key)
        await pilot.pause()
        titles.append(span_shown(app))
    assert titles == ["1 h", "6 h", "1 d", "7 d", "7 d", "1 d", "6 h", "1 h", "15 min", "5 min", "1 min"]


async def test_below_the_shortest_span_it_grows_by_itself_again(running):
    app, pilot = running
    await pilot.press("[", "[")
    await pilot.pause()
    assert span_shown(app) == "1 min"
    await pilot.press("[")
    await pilot.pause()
    assert span_shown(app) == "15 min"


def young(seconds: int):
    """The samples of the first seconds after a start."""
    return past(samples.docker_pool(), count=seconds + 1, seconds=1.0)


def columns_drawn(app) -> float:
    """The share of the chart that shows anything."""
    rows = [line[:-1] for line in app.screen.query_one("#data-chart", Chart).lines]
    cells = len(text_of([rows[0][1:]]))
    bottom = text_of([rows[-2][1:]])[:cells]
    return sum(cell != " " for cell in bottom) / len(bottom)


@pytest.mark.parametrize(
    ("seconds", "span"),
    [
        (50, "1 min, all so far"),
        (61, "5 min, all so far"),
        (250, "5 min, all so far"),
        (301, "15 min"),
        (1300, "15 min"),
    ],
)
async def test_at_the_start_the_span_is_the_shortest_that_holds_what_is_known(dashboard, seconds, span):
    app = dashboard()
    async with app.run_test(size=(120, 40)) as pilot:
        for outcome in young(seconds):
            app.feed(outcome)
        await pilot.press("2")
        await pilot.pause()
        assert span_shown(app) == span
        assert columns_drawn(app) == pytest.approx(min(1.0, seconds / (60 * int(span.split()[0]))), abs=0.05)


async def test_a_pool_that_is_made_later_has_a_span_of_its_own(dashboard):
    app, made = dashboard(initial_pool="vg0-thin-tpool"), samples.lvm_pool()
    async with app.run_test(size=(120, 40)) as pilot:
        for outcome in young(400):
            age = samples.NOW - outcome.taken_at
            app.feed(dataclasses.replace(outcome, pools=(*outcome.pools, *((made,) if age <= 30 else ()))))
        app.known.choose_pool(made.name)
        await pilot.press("2")
        await pilot.pause()
        assert span_shown(app) == "1 min, all so far"


async def test_a_span_that_was_chosen_is_shown_however_little_is_known(dashboard):
    app = dashboard()
    async with app.run_test(size=(120, 40)) as pilot:
        for outcome in young(20):
            app.feed(outcome)
        await pilot.press("2", "]", "]")
        await pilot.pause()
        assert span_shown(app) == "15 min"


async def test_a_step_back_in_time_shortens_it_again(dashboard):
    app = dashboard()
    async with app.run_test(size=(120, 40)) as pilot:
        for outcome in young(120):
            app.feed(outcome)
        await pilot.press("2")
        app.feed(young(120)[30])
        await pilot.pause()
        assert span_shown(app) == "1 min, all so far"


async def test_the_span_is_kept_while_another_screen_is_shown(running):
    app, pilot = running
    await pilot.press("]", "1", "2")
    await pilot.pause()
    assert "last 1 h" in str(app.screen.query_one("#data-chart").border_title)


async def test_the_chart_follows_new_samples(running):
    app, pilot = running
    before = chart_text(app, "data-chart")
    app.feed(samples.sample(samples.docker_pool(0.97), at=samples.NOW + 20))
    await pilot.pause()
    assert chart_text(app, "data-chart") != before


async def test_nothing_is_painted_when_nothing_has_changed(running, monkeypatch):
    app, _ = running
    painted = []
    monkeypatch.setattr(Panel, "refresh", lambda self, *a, **k: painted.append(self))
    monkeypatch.setattr(Chart, "refresh", lambda self, *a, **k: painted.append(self))
    app.show_newest()
    assert painted == []


async def test_it_follows_the_selected_pool(dashboard):
    app = dashboard(initial_pool="vg0-thin-tpool")
    async with app.run_test(size=(120, 40)) as pilot:
        app.feed(samples.sample(samples.docker_pool(), samples.lvm_pool()))
        await pilot.press("2")
        await pilot.pause()
        assert "vg0/thin" in text(app, "pool-facts")
        app.feed(samples.sample())
        await pilot.pause()
        assert "No thin pool on this machine" in text(app, "welcome")


@EVERY_SIZE
def test_healthy(looks_right, size):
    looks_right(*past(samples.docker_pool()), size=size, press=["2"])


@EVERY_SIZE
def test_full_and_queueing_with_a_countdown(looks_right, size):
    pool = samples.full_pool()
    looks_right(*past(samples.docker_pool(0.99))[:-5], *past(pool, count=4)[3:], size=size, press=["2"])


@EVERY_SIZE
def test_failed(looks_right, size):
    looks_right(samples.sample(samples.failed_pool()), size=size, press=["2"])


@EVERY_SIZE
def test_on_disks(looks_right, size):
    looks_right(*past(samples.lvm_pool()), size=size, press=["2"])


def test_ascii(looks_right):
    looks_right(*past(samples.docker_pool(0.93, 0.75)), press=["2"], ascii=True)


def test_no_color(looks_right, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    looks_right(*past(samples.docker_pool(0.93, 0.75)), press=["2"])

"""Alerts everywhere: the line at the top, toasts, the bell, the window's title, and being seen."""

import dataclasses

import pytest

from dmtui.monitor.poller import PollFailed
from dmtui.monitor.severity import Severity
from dmtui.monitor.thresholds import Thresholds
from dmtui.tui.alarms import MOST_TOASTS, WindowTitle, worst_first
from dmtui.tui.figures import Level, Look
from dmtui.tui.lines import text_of
from dmtui.tui.widgets.panel import Panel
from dmtui.tui.widgets.tables import PoolTable
from tests.tui import samples

DOCKER = "docker-8:1-4718594-pool"


def text(app, panel: str) -> str:
    return text_of(app.screen.query_one(f"#{panel}", Panel).lines)


def told(app) -> list[str]:
    return [f"{notification.title}: {notification.message}" for notification in app._notifications]


@pytest.fixture
def rung(monkeypatch):
    """The times that the bell rang."""
    from dmtui.tui.app import DashboardApp

    times = []
    monkeypatch.setattr(DashboardApp, "bell", lambda app: times.append(1))
    return times


@pytest.fixture
async def running(dashboard):
    app = dashboard()
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        yield app, pilot


async def feed(app, pilot, *pools, times=2, start=0):
    """The same pools so many seconds long: an alert needs two samples."""
    for step in range(times):
        app.feed(samples.sample(*pools, at=samples.NOW + start + step))
    await pilot.pause()


async def test_the_line_at_the_top_tells_the_worst_with_sign_word_pool_text_and_beginning(running):
    app, pilot = running
    await feed(app, pilot, samples.docker_pool(0.955))
    line = text(app, "notice")
    assert line.startswith(" ✖ CRIT  docker-8:1-4718594-pool data at 95.5 %, 4.8")
    assert "since 13:33:21 · A acknowledges" in line


async def test_one_sample_is_no_alert_yet(running):
    app, pilot = running
    await feed(app, pilot, samples.docker_pool(0.95), times=1)
    assert "the kernel has device-mapper" in text(app, "notice")


async def test_the_line_counts_the_others(running):
    app, pilot = running
    await feed(app, pilot, samples.docker_pool(0.95, 0.75), samples.containerd_pool())
    assert "+2 more" in text(app, "notice")


async def test_old_figures_win_over_alerts(running, clock):
    app, pilot = running
    await feed(app, pilot, samples.docker_pool(0.95))
    app.feed(PollFailed(samples.NOW + 2, "device-mapper: the control device does not answer"))
    await pilot.pause()
    assert "poll failed" in text(app, "notice")


async def test_what_is_acknowledged_leaves_the_line_and_stays_an_alert(running, clock):
    app, pilot = running
    await feed(app, pilot, samples.docker_pool(0.95))
    await pilot.press("A")
    assert "CRIT" not in text(app, "notice")
    assert "Acknowledge" not in text(app, "keys")
    assert [alert.acknowledged for alert in app.known.memory.alerts.alerts] == [True]
    assert "data space: acknowledged" in [event.text for event in app.known.memory.timeline.newest()]


async def test_an_alert_of_another_pool_is_not_acknowledged_with_those_of_the_selected(running):
    app, pilot = running
    await feed(app, pilot, samples.docker_pool(0.95), samples.containerd_pool())
    assert app.known.pool_name == DOCKER
    await pilot.press("A")
    assert " ▲ WARN  containerd-pool data at 87.0 %" in text(app, "notice")
    assert "A acknowledges" not in text(app, "notice")


async def test_a_toast_tells_a_new_alert_and_another_its_end(running):
    app, pilot = running
    await feed(app, pilot, samples.docker_pool(0.95))
    assert [line.split(",")[0] for line in told(app)] == [f"✖ CRIT  {DOCKER}: data at 95.0 %"]
    app.clear_notifications()
    await feed(app, pilot, samples.docker_pool(0.5), start=2)
    assert told(app) == [f"● ok  {DOCKER}: data space: over"]


async def test_what_is_only_watched_makes_no_toast(running):
    app, pilot = running
    await feed(app, pilot, samples.docker_pool(0.80))
    assert told(app) == []
    assert " ▲ watch  docker" in text(app, "notice")


async def test_many_alerts_at_once_are_a_few_toasts(running):
    app, pilot = running
    pools = [dataclasses.replace(samples.full_pool(), name=f"p{n}", display_name=f"p{n}") for n in range(6)]
    await feed(app, pilot, *pools, times=1)
    assert len(told(app)) == MOST_TOASTS + 1
    assert told(app)[-1] == "Alerts: and 3 more: see the events"


async def test_the_bell_rings_once_for_a_new_critical(running, rung):
    app, pilot = running
    await feed(app, pilot, samples.docker_pool(0.87))
    assert rung == []
    await feed(app, pilot, samples.docker_pool(0.95), times=6, start=2)
    assert rung == [1]


async def test_a_key_silences_the_bell_and_gives_it_back(running, rung):
    app, pilot = running
    await pilot.press("B")
    await feed(app, pilot, samples.docker_pool(0.95))
    assert rung == []
    assert told(app)[0] == "Bell: the bell is silent"
    await pilot.press("B")
    await feed(app, pilot, samples.docker_pool(0.5), start=2)
    await feed(app, pilot, samples.docker_pool(0.95), start=4)
    assert rung == [1]


async def test_a_configuration_without_a_bell_never_rings(dashboard, rung):
    app = dashboard(bell=False)
    async with app.run_test() as pilot:
        await feed(app, pilot, samples.full_pool())
    assert rung == []


async def test_thresholds_of_the_configuration_hold_for_levels_and_alerts_alike(dashboard):
    app = dashboard(thresholds=Thresholds(data_percent=(10.0, 20.0, 30.0)))
    async with app.run_test(size=(120, 40)) as pilot:
        await feed(app, pilot, samples.docker_pool(0.42))
        assert "✖ CRIT" in text(app, "notice")
        assert "✖ CRIT" in text(app, "space")


async def test_the_overview_lists_the_worst_pool_first_and_shows_it_first(running):
    app, pilot = running
    await feed(app, pilot, samples.docker_pool(0.80), samples.lvm_pool(), samples.containerd_pool())
    rows = app.screen.query_one(PoolTable).shown_rows
    assert [row.pool.display_name for row in rows] == ["containerd-pool", DOCKER, "vg0/thin"]
    assert app.known.pool_name == "containerd-pool"


def test_an_alert_makes_a_pool_as_bad_as_it_is_however_good_its_figures():
    from dmtui.monitor.memory import Memory

    memory, pool = Memory(), samples.deleted_file_pool()
    memory.take_in(samples.sample(pool))
    row = worst_first([pool], memory.alerts, Look().thresholds)[0]
    assert row.level is Level.CRIT


def test_the_windows_title_carries_warn_and_crit_and_is_given_back():
    written = []
    title = WindowTitle(written.append)
    for worst in (Severity.INFO, Severity.INFO, Severity.WATCH, Severity.WARN, Severity.CRIT, Severity.CRIT):
        title.show(worst)
    title.close()
    title.close()
    assert written == [
        "\x1b[22;2t\x1b]2;dmtui\x07",
        "\x1b]2;[WARN] dmtui\x07",
        "\x1b]2;[CRIT] dmtui\x07",
        "\x1b[23;2t",
    ]


async def test_nothing_is_said_by_colour_alone(dashboard, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    app = dashboard(ascii=True)
    async with app.run_test(size=(120, 40)) as pilot:
        await feed(app, pilot, samples.docker_pool(0.95))
        assert text(app, "notice").startswith(" X CRIT ")


async def test_colours_change_by_key(running):
    app, pilot = running
    await pilot.press("c")
    assert app.theme == "dmtui-light"

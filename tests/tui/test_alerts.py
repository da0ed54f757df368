"""Alerts everywhere: the line at the top, toasts, the bell, the window's title, and being seen."""

import dataclasses
from types import SimpleNamespace

import pytest
from textual.notifications import Notification

from dmtui.monitor.alertrules import Rule
from dmtui.monitor.alerts import Alert, Change, ChangeKind
from dmtui.monitor.poller import PollFailed
from dmtui.monitor.severity import Severity
from dmtui.monitor.thresholds import Thresholds
from dmtui.tui.alarms import Alarms, WindowTitle, worst_first
from dmtui.tui.app import DashboardApp
from dmtui.tui.figures import Level, Look
from dmtui.tui.glyphs import UNICODE
from dmtui.tui.lines import text_of
from dmtui.tui.toasts import Toasts
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


def pools(pool, *numbers, name="p"):
    return [dataclasses.replace(pool, name=f"{name}{n}", display_name=f"{name}{n}") for n in numbers]


async def test_the_line_at_the_top_tells_the_worst_with_sign_word_pool_text_and_beginning(running):
    app, pilot = running
    await feed(app, pilot, samples.docker_pool(0.955))
    line = text(app, "notice")
    assert line.startswith(" ✖ CRIT  docker-8:1-4718594-pool data at 95.5 %, 4.8")
    assert line.endswith("since 13:33:21")
    await pilot.resize_terminal(160, 40)
    await pilot.pause()
    assert text(app, "notice").endswith("since 13:33:21 · A acknowledges")


@pytest.mark.parametrize(
    ("before", "countdown"),
    [
        (samples.docker_pool(0.5), "full: writes fail in 57 to 58 s"),
        (samples.full_pool(), "full: writes fail within 57 s"),
    ],
)
async def test_the_countdown_of_a_full_pool_is_whole_in_a_small_terminal(dashboard, before, countdown):
    app = dashboard()
    async with app.run_test(size=(80, 24)) as pilot:
        await feed(app, pilot, *pools(before, *range(12), name=DOCKER), times=1)
        await feed(app, pilot, *pools(samples.full_pool(), *range(12), name=DOCKER), times=3, start=1)
        line = text(app, "notice")
        assert line.startswith(f" ✖ CRIT  docker…pool0 {countdown} ")
        assert "more" in line
        assert "…" not in line.replace("docker…pool0", "")


@pytest.mark.parametrize(
    ("pool", "words"),
    [
        (samples.lvm_pool(), "data at 94.9 %, 110 GB free  next: lvextend --size +SIZE vg0/thin"),
        (samples.docker_pool(), "data at 95.0 %, 5.369 GB free  next: docker system prune"),
    ],
)
async def test_where_there_is_room_the_line_says_what_to_do_next(dashboard, pool, words):
    used = dataclasses.replace(pool.data, used_bytes=int(0.95 * pool.data.total_bytes))
    app = dashboard()
    async with app.run_test(size=(120, 40)) as pilot:
        await feed(app, pilot, dataclasses.replace(pool, data=used))
        assert words in text(app, "notice")
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert "next:" not in text(app, "notice")


async def test_the_line_names_the_key_where_the_pool_is_ours(changing):
    app, pilot, site = changing
    pool = dataclasses.replace(site.sample().pools[0], mode="out_of_data_space")
    app.feed(samples.sample(pool, machine="emulated"))
    await pilot.pause()
    assert "  next: E, extend it while writes wait" in text(app, "notice")


async def test_what_is_so_is_told_before_what_may_come(running):
    app, pilot = running
    for second in range(0, 620, 10):
        await feed(app, pilot, samples.docker_pool(0.4 + second / 1100), times=1, start=second)
    await feed(app, pilot, dataclasses.replace(samples.docker_pool(0.97), needs_check=True), start=621)
    assert Rule.DATA_END in {alert.rule for alert in app.known.memory.alerts.alerts}
    assert "the metadata must be checked" in text(app, "notice")


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


async def test_what_is_on_at_the_first_look_is_told_at_the_top_and_by_the_bell_without_a_toast(running, rung):
    app, pilot = running
    await feed(
        app, pilot, samples.docker_pool(0.95, 0.9), dataclasses.replace(samples.lvm_pool(), mode="Fail"), times=4
    )
    assert told(app) == []
    assert "✖ CRIT" in text(app, "notice")
    assert rung == [1]


async def test_what_is_on_where_a_recording_is_entered_makes_no_toast_either(running):
    app, pilot = running
    await feed(app, pilot, samples.docker_pool(0.5), start=10)
    await feed(app, pilot, samples.docker_pool(0.95), times=4)
    assert told(app) == []


async def test_a_toast_tells_a_new_alert_and_another_its_end(running):
    app, pilot = running
    await feed(app, pilot, samples.docker_pool(0.5), times=1)
    await feed(app, pilot, samples.docker_pool(0.95), start=1)
    assert [line.split(",")[0] for line in told(app)] == [f"✖ CRIT  {DOCKER}: data at 95.0 %"]
    await feed(app, pilot, samples.docker_pool(0.5), start=3)
    assert told(app) == [f"● ok  {DOCKER}: data space: over"]


async def test_what_is_over_is_not_counted_among_the_alerts_that_came(running):
    app, pilot = running
    await feed(app, pilot, samples.docker_pool(0.5), times=1)
    await feed(app, pilot, samples.docker_pool(0.95), start=1)
    await feed(app, pilot, dataclasses.replace(samples.docker_pool(0.5), mode="Fail"), start=3)
    assert told(app) == [f"✖ CRIT  {DOCKER}: the pool failed (Fail): all its I/O fails · 1 over"]


async def test_the_alerts_of_a_pool_that_is_gone_are_not_told_to_be_ok(running):
    app, pilot = running
    await feed(app, pilot, samples.lvm_pool(), dataclasses.replace(samples.docker_pool(0.5), suspended=True))
    await feed(app, pilot, samples.lvm_pool(), times=3, start=3)
    assert f"○ gone  {DOCKER}: suspended: the pool is gone" in told(app)
    assert not any("ok" in line for line in told(app))


async def test_a_pool_that_was_taken_down_to_be_mended_is_told_until_it_is_seen(running):
    app, pilot = running
    await feed(app, pilot, samples.lvm_pool(), dataclasses.replace(samples.docker_pool(0.5), needs_check=True))
    await feed(app, pilot, samples.lvm_pool(), times=3, start=3)
    assert "docker-8:1-4718594-pool it is down" in text(app, "notice")
    assert "next: check its metadata, bring it back" in text(app, "notice")
    await pilot.press("i")
    await pilot.pause()
    explained = text(app, "explain-alerts")
    assert f"{DOCKER}: it is down, not mended" in explained
    assert "systemctl start docker" in explained
    await pilot.press("escape", "A")
    await feed(app, pilot, samples.lvm_pool(), times=1, start=6)
    assert "it is down" not in text(app, "notice")
    assert [alert.acknowledged for alert in app.known.memory.alerts.left_behind] == [True]


async def test_toast_and_top_line_tell_the_same_of_alerts_that_are_as_bad(running):
    app, pilot = running
    await feed(app, pilot, samples.docker_pool(0.5), times=1)
    await feed(app, pilot, dataclasses.replace(samples.docker_pool(0.95), mode="ro", needs_check=True), start=1)
    worst = app.known.memory.alerts.alerts[0]
    assert told(app)[0].startswith(f"✖ CRIT  3 alerts: {DOCKER}: {worst.text}")
    assert worst.brief in text(app, "notice")


async def test_what_is_only_watched_makes_no_toast(running):
    app, pilot = running
    await feed(app, pilot, samples.docker_pool(0.80))
    assert told(app) == []
    assert " ▲ watch  docker" in text(app, "notice")


async def test_many_alerts_at_once_are_one_toast(running):
    app, pilot = running
    await feed(app, pilot, *pools(samples.docker_pool(), *range(6)), times=1)
    await feed(app, pilot, *pools(samples.full_pool(), *range(6)), times=1, start=1)
    assert told(app) == [
        "✖ CRIT  6 alerts: p0: no free data block: a write that needs one waits (out_of_data_space) · and 5 more"
    ]


async def test_an_alert_that_follows_another_is_told_together_with_it(running):
    app, pilot = running
    well, full = samples.docker_pool(), samples.full_pool()
    await feed(app, pilot, *pools(well, 0, 1), times=1)
    await feed(app, pilot, *pools(full, 0), *pools(well, 1), times=1, start=1)
    assert told(app)[0].startswith("✖ CRIT  p0: ")
    await feed(app, pilot, *pools(full, 0, 1), times=1, start=2)
    assert [line.split(":")[0] for line in told(app)] == ["✖ CRIT  3 alerts"]


async def test_a_toast_about_alerts_leaves_one_about_something_else_in_sight(running):
    app, pilot = running
    await feed(app, pilot, samples.docker_pool(), times=1)
    app.notify("failed", title="Extend the pool")
    for second in range(1, 4):
        await feed(app, pilot, samples.full_pool() if second % 2 else samples.docker_pool(), times=1, start=second)
    assert sorted(line.split(": ")[0] for line in told(app)) == ["Extend the pool", f"✖ CRIT  {DOCKER}"]
    assert sorted(toast.render().plain.split("\n")[0] for toast in app.screen.query("Toast")) == [
        "Extend the pool",
        f"✖ CRIT  {DOCKER}",
    ]
    assert len(app.screen.query("ToastHolder")) == 2


async def test_in_a_small_terminal_toasts_never_cover_more_than_four_lines(dashboard):
    app = dashboard()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await feed(app, pilot, *pools(samples.docker_pool(), *range(6)), times=1)
        for second in range(1, 6):
            app.notify("a refusal in many words " * 20, title="Refused", severity="warning")
            await feed(app, pilot, *pools(samples.full_pool(), *range(second)), times=1, start=second)
            await pilot.pause()
            shown = [toast for toast in app.screen.query("Toast") if toast.is_on_screen]
            assert shown
            assert len({y for toast in shown for y in range(toast.region.y, toast.region.bottom)}) <= 4
        assert [line.split(":")[0] for line in told(app)] == ["Refused"]


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
    assert told(app) == ["Bell: the bell is silent"]
    await pilot.press("B")
    await feed(app, pilot, samples.docker_pool(0.5), start=2)
    await feed(app, pilot, samples.docker_pool(0.95), start=4)
    assert rung == [1]


def test_a_bell_that_has_just_rung_does_not_ring_again():
    now, times = [100.0], []
    app = SimpleNamespace(
        bell=lambda: times.append(now[0]), is_headless=True, refresh_bindings=lambda: None, NOTIFICATION_TIMEOUT=5
    )
    alarms = Alarms(True, lambda: now[0])
    alarms.pops_up = False
    change = Change(ChangeKind.BEGAN, 0.0, Alert(Rule.MODE, "p", Severity.CRIT, "full", 0.0, 0.0))
    for now[0] in (100.0, 101.0, 109.0, 111.0):
        alarms.tell(app, (change,), Severity.CRIT, UNICODE)
    assert times == [100.0, 111.0]


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


def test_a_note_that_comes_while_the_dashboard_is_being_left_breaks_nothing():
    toasts, app = Toasts(), DashboardApp(None, interval_seconds=None)
    assert toasts.admit(app, Notification("first", "", "warning"), small=False)
    assert toasts.admit(app, Notification("second", "", "warning"), small=False)  # takes the first one's place

"""The dashboard over hosts: which one is shown, that it is only watched, what is wrong elsewhere, what is lost."""

import dataclasses

import pytest

from dmtui.tui.actions import Scope
from dmtui.tui.app import DashboardApp
from dmtui.tui.freshness import Flow
from dmtui.tui.lines import text_of
from dmtui.tui.screens.hosts import HostsScreen, HostTable
from dmtui.tui.widgets.panel import Panel
from tests.tui import samples
from tests.tui.farhosts import Hosts, dmtui_pool

SIZE = (140, 40)
FULL = 0.97


def text(app, panel: str) -> str:
    return text_of(app.screen.query_one(f"#{panel}", Panel).lines)


def events(app) -> str:
    return "\n".join(row.event.text for row in app.screen.query_one("#events").shown_rows)


def toasts(app) -> list[str]:
    return [f"{note.title}: {note.message}" for note in app._notifications]


@pytest.fixture
async def three(clock):
    """A dashboard over web1 (shown, well), web2 (a full pool) and db1 (well), and its pilot."""
    hosts = Hosts("web1", "web2", "db1", clock=clock)
    async with hosts.app.run_test(size=SIZE, notifications=True) as pilot:
        await pilot.pause()
        for second in range(3):
            hosts.send("web1", samples.docker_pool(), at=samples.NOW + second)
            hosts.send("web2", samples.docker_pool(FULL), at=samples.NOW + second)
            hosts.send("db1", samples.lvm_pool(), at=samples.NOW + second)
            await pilot.pause()
        clock.now = samples.NOW + 2
        hosts.app.show_newest()
        await pilot.pause()
        yield hosts, pilot


async def test_the_top_tells_the_host_that_it_is_read_only_and_what_is_worst_elsewhere(three):
    hosts, _ = three
    line = text(hosts.app, "header")
    assert line.startswith(" dmtui  web1   kernel ")
    assert " READ-ONLY " in line
    assert "✖ web2 CRIT " in line
    assert "LIVE" in line


@pytest.mark.parametrize("width", [80, 100, 140])
async def test_the_top_has_room_for_that_at_every_width(clock, width):
    hosts = Hosts("root@database-1.example.org", "root@database-2.example.org", clock=clock)
    async with hosts.app.run_test(size=(width, 24)) as pilot:
        await pilot.pause()
        for second in range(3):
            hosts.send(
                "root@database-1.example.org", samples.docker_pool(), at=samples.NOW + second, machine="emulated"
            )
            hosts.send("root@database-2.example.org", samples.docker_pool(FULL), at=samples.NOW + second)
            await pilot.pause()
        line = text(hosts.app, "header")
        for words in ("root@d", " EMULATED ", "CRIT", " READ-ONLY ", "LIVE"):
            assert words in line


async def test_what_is_critical_at_the_first_look_at_a_host_makes_no_toast(three):
    hosts, _ = three
    assert toasts(hosts.app) == []


async def test_a_host_that_becomes_critical_unseen_is_told_by_its_name(three, clock):
    hosts, pilot = three
    hosts.send("db1", dataclasses.replace(samples.lvm_pool(), mode="Fail"), at=samples.NOW + 3)
    await pilot.pause()
    (note,) = toasts(hosts.app)
    assert note.startswith("✖ CRIT  vg0-thin-tpool  on db1: the pool failed")


async def test_many_hosts_that_are_critical_at_once_are_one_toast_and_one_bell(clock, monkeypatch):
    rung = []
    monkeypatch.setattr(DashboardApp, "bell", lambda app: rung.append(1))
    names = [f"web{number}" for number in range(12)]
    hosts = Hosts(*names, clock=clock)
    async with hosts.app.run_test(size=SIZE, notifications=True) as pilot:
        await pilot.pause()
        for second in range(3):
            clock.now = samples.NOW + second
            for name in names:
                pool = samples.full_pool() if second and name != "web0" else samples.docker_pool()
                hosts.send(name, pool, at=clock.now)
            await pilot.pause()
        (note,) = toasts(hosts.app)
        title, _, words = note.partition(": ")
        assert title == "✖ CRIT  22 alerts  on 11 hosts"
        assert words.endswith("and 21 more")
        assert rung == [1]


async def test_alerts_and_history_of_hosts_in_the_background_are_kept(three):
    hosts, pilot = three
    await pilot.press("L")
    await pilot.pause()
    assert hosts.app.host == "web2"
    assert "✖ CRIT" in text(hosts.app, "notice")
    assert len(hosts.app.known.trail.data(samples.docker_pool().name).fractions) > 0
    assert "web2 CRIT" not in text(hosts.app, "header")


@pytest.mark.parametrize(
    ("keys", "host"), [("L", "web2"), ("LL", "db1"), ("LLL", "web1"), ("H", "db1"), ("HL", "web1")]
)
async def test_keys_go_round_the_hosts(three, keys, host):
    hosts, pilot = three
    await pilot.press(*keys)
    await pilot.pause()
    assert hosts.app.host == host
    assert f" {host} " in text(hosts.app, "header")


@pytest.mark.parametrize(("key", "scope"), [("1", "overview"), ("2", "pool"), ("3", "devices"), ("4", "events")])
async def test_the_screen_stays_and_shows_the_other_host(three, key, scope):
    hosts, pilot = three
    await pilot.press(key, "L")
    await pilot.pause()
    assert hosts.app.screen.SCOPE.value == scope
    assert hosts.app.known.pool_name == samples.docker_pool().name
    await pilot.press("L")
    await pilot.pause()
    assert hosts.app.screen.SCOPE.value == scope
    assert hosts.app.known.pool_name == samples.lvm_pool().name


async def test_events_are_those_of_the_host_that_is_shown(three):
    hosts, pilot = three
    await pilot.press("4")
    await pilot.pause()
    assert [alert.severity.word for alert in hosts.app.screen.query_one("#alerts").shown_rows] == ["watch"]
    assert "97.0 %" not in events(hosts.app)
    await pilot.press("L")
    await pilot.pause()
    assert "CRIT" in [alert.severity.word for alert in hosts.app.screen.query_one("#alerts").shown_rows]
    assert "97.0 %" in events(hosts.app)
    await pilot.press("L")
    await pilot.pause()
    assert [alert.pool for alert in hosts.app.screen.query_one("#alerts").shown_rows] == [samples.lvm_pool().name]


async def test_the_device_of_another_host_is_not_looked_for_on_this_one(three):
    hosts, pilot = three
    await pilot.press("3", "enter")
    await pilot.pause()
    assert hosts.app.screen.SCOPE is Scope.DEVICE
    await pilot.press("L")
    await pilot.pause()
    assert hosts.app.screen.SCOPE is Scope.OVERVIEW


async def test_the_list_tells_how_it_stands_with_each_and_enter_shows_one(three, clock):
    hosts, pilot = three
    hosts.of["db1"].loses("the connection is gone", samples.NOW + 2)
    await pilot.pause()
    clock.now += 5
    await pilot.press("7")
    await pilot.pause()
    table = hosts.app.screen.query_one(HostTable)
    rows = [table.render_line(line).text for line in (1, 2, 3)]
    assert "web2" in rows[0]
    assert "✖ CRIT" in rows[0]
    assert "✖ lost" in rows[1]
    assert "5 s" in rows[1]
    assert "the connection is gone" in rows[1]
    assert "web1" in rows[2]
    assert "● LIVE" in rows[2]
    assert table.cursor_key == "web1"
    await pilot.press("up")
    await pilot.pause()
    assert "tries again in 3 s" in text(hosts.app, "host")
    assert "enter Show  r Try now" in text(hosts.app, "keys")
    assert "ssh -t db1 dmtui" in text(hosts.app, "host")
    await pilot.press("enter")
    await pilot.pause()
    assert hosts.app.host == "db1"
    assert hosts.app.screen.SCOPE is Scope.OVERVIEW


async def test_the_host_under_the_cursor_is_tried_at_once_not_the_one_that_is_shown(three):
    hosts, pilot = three
    await pilot.press("7", "down", "r")
    await pilot.pause()
    assert {name: source.asked for name, source in hosts.of.items()} == {"web1": 0, "web2": 0, "db1": 1}
    assert hosts.app.host == "web1"


async def test_a_click_on_the_keys_shows_the_host_under_the_cursor(three):
    hosts, pilot = three
    await pilot.press("7", "up")
    await pilot.click("#keys", offset=(text(hosts.app, "keys").index("enter Show"), 0))
    await pilot.pause()
    assert hosts.app.host == "web2"
    assert hosts.app.screen.SCOPE is Scope.OVERVIEW


async def test_what_is_wrong_with_a_host_is_told_before_what_it_is(three):
    hosts, pilot = three
    await pilot.press("7", "up")
    await pilot.pause()
    lines = text(hosts.app, "host").splitlines()
    assert lines[0].split() == ["connection", "LIVE"]
    assert lines[1].startswith("worst alert  ✖ CRIT ")


async def test_the_mouse_leads_to_the_list_and_from_there_to_a_host(three):
    hosts, pilot = three
    await pilot.click("#header", offset=(10, 0))
    await pilot.pause()
    assert isinstance(hosts.app.screen, HostsScreen)
    await pilot.double_click("#hosts", offset=(6, 2))
    await pilot.pause()
    assert hosts.app.host == "web2"


async def test_a_click_on_the_keys_goes_to_the_next_host(three):
    hosts, pilot = three
    line = text(hosts.app, "keys")
    await pilot.click("#keys", offset=(line.index("H L Host") + 2, 0))
    await pilot.pause()
    assert hosts.app.host == "web2"


async def test_the_palette_knows_the_hosts(three):
    hosts, _ = three
    titles = [command.title for command in hosts.app.get_system_commands(hosts.app.screen)]
    assert {"Hosts", "Next host", "Host before"} <= set(titles)
    assert not {"Create a device", "Remove", "Extend the pool", "Reap"} & set(titles)


async def test_the_list_is_ordered_by_its_columns(three):
    _, pilot = three
    table = await sorted_hosts(pilot, "s", "s")
    assert table.shown_rows[0].host == "web2"


async def listed(hosts, pilot) -> list[str]:
    hosts.app.show_newest()
    await pilot.pause()
    return [row.host for row in hosts.app.screen.query_one(HostTable).shown_rows]


async def test_the_worst_are_listed_first_and_a_row_moves_only_with_its_rank(three, clock):
    hosts, pilot = three
    await pilot.press("7")
    assert await listed(hosts, pilot) == ["web2", "web1", "db1"]
    hosts.of["db1"].loses("is away", clock.now)
    await pilot.pause()
    assert await listed(hosts, pilot) == ["web2", "db1", "web1"]
    for second in range(3, 6):
        clock.now = samples.NOW + second
        hosts.send("web1", samples.docker_pool(0.5 + second / 100), at=clock.now)
        hosts.send("web2", samples.docker_pool(0.97 + second / 1000), at=clock.now)
        assert await listed(hosts, pilot) == ["web2", "db1", "web1"]
        assert hosts.app.screen.query_one(HostTable).cursor_key == "web1"
    hosts.send("db1", samples.lvm_pool(), at=clock.now)
    await pilot.pause()
    assert await listed(hosts, pilot) == ["web2", "web1", "db1"]


async def test_an_alert_that_was_acknowledged_keeps_its_place_in_the_list(three):
    hosts, pilot = three
    await pilot.press("L", "A", "7")
    assert (await listed(hosts, pilot))[0] == "web2"


async def test_the_sign_of_the_order_is_seen_in_a_column_as_narrow_as_its_title(three):
    _, pilot = three
    table = await sorted_hosts(pilot, *"ssss")
    assert " POOL▼ " in table.render_line(0).text


async def sorted_hosts(pilot, *keys) -> HostTable:
    await pilot.press("7", *keys)
    await pilot.pause()
    return pilot.app.screen.query_one(HostTable)


async def test_a_lost_host_says_so_with_the_age_of_its_figures_and_the_next_try(three, clock):
    hosts, pilot = three
    hosts.of["web1"].loses("does not let us in: Permission denied (publickey); load a key", samples.NOW + 2)
    clock.now += 6
    hosts.app.show_newest()
    await pilot.pause()
    assert " LOST " in text(hosts.app, "header")
    notice = text(hosts.app, "notice")
    assert notice.startswith(" ▲ figures are 6 s old · tries again in 2 s · does not let us in: Permission denied")
    assert hosts.app.screen.has_class("-stale")
    clock.now += 4
    hosts.app.show_newest()
    await pilot.pause()
    assert "trying again" in text(hosts.app, "notice")
    hosts.send("web1", samples.docker_pool(), at=clock.now)
    await pilot.pause()
    assert "LIVE" in text(hosts.app, "header")
    assert not hosts.app.screen.has_class("-stale")


async def test_a_host_that_is_silent_is_stale(three, clock):
    hosts, pilot = three
    hosts.of["web1"].waiting_since = samples.NOW + 3
    clock.now = samples.NOW + 9
    hosts.app.show_newest()
    await pilot.pause()
    assert hosts.app.stream.freshness.flow is Flow.LATE
    assert "no answer for 6 s · figures are 7 s old" in text(hosts.app, "notice")


async def test_a_lost_host_in_the_background_is_told_at_the_top_before_a_warning(clock):
    hosts = Hosts("web1", "web2", "db1", clock=clock)
    async with hosts.app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        for second in range(3):
            hosts.send("web1", samples.docker_pool(), at=samples.NOW + second)
            hosts.send("web2", samples.docker_pool(0.87), at=samples.NOW + second)
            await pilot.pause()
        assert "▲ web2 WARN " in text(hosts.app, "header")
        hosts.of["db1"].loses("is away", samples.NOW + 2)
        await pilot.pause()
        assert "▲ db1 lost +1 " in text(hosts.app, "header")


async def test_before_anything_has_come_the_error_stands_in_the_middle(clock):
    hosts = Hosts("web1", clock=clock)
    async with hosts.app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "Connecting to web1 ..." in text(hosts.app, "welcome")
        hosts.of["web1"].loses("dmtui: there is none in the PATH; install dmtui there, or " + "say where it is " * 5, 0)
        await pilot.pause()
        shown = text(hosts.app, "welcome")
        assert "Host web1 cannot be watched" in shown
        assert shown.count("say where it is") == 5


async def test_a_host_without_pools_is_told_by_its_name_and_with_no_advice_for_this_machine(clock):
    hosts = Hosts("web1", clock=clock)
    async with hosts.app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        hosts.send("web1", machine="emulated")
        await pilot.pause()
        shown = text(hosts.app, "welcome")
        assert "No thin pool on web1" in shown
        assert "--emulated-dir" not in shown
        assert "To try everything" not in shown


ON_DMTUI = {
    "n": "ssh web1 dmtui --graph /srv/graph device create NAME --parent web-frontend-00",
    "x": "ssh web1 dmtui --graph /srv/graph device remove web-frontend-00",
    "m": "ssh web1 dmtui --graph /srv/graph device mount web-frontend-00",
    "E": "ssh web1 dmtui --graph /srv/graph pool extend",
    "X": "ssh web1 dmtui --graph /srv/graph pool remove",
    "w": "ssh web1 dmtui --graph /srv/graph pool reap",
}


@pytest.mark.parametrize(("key", "typed"), ON_DMTUI.items(), ids=ON_DMTUI)
async def test_keys_that_would_change_something_answer_with_what_to_type(clock, key, typed):
    hosts = Hosts("web1", clock=clock)
    async with hosts.app.run_test(size=SIZE, notifications=True) as pilot:
        await pilot.pause()
        hosts.send("web1", dmtui_pool())
        await pilot.pause()
        await pilot.press(key)
        await pilot.pause()
        assert toasts(hosts.app)[-1] == f"web1 is only watched from here: `{typed}` does it there"
        assert len(hosts.app.screen_stack) == 1


async def test_a_name_of_the_other_machine_is_quoted_for_both_shells(clock):
    pool = dmtui_pool()
    evil = dataclasses.replace(pool.devices[0], display_name="a;$(id)\x1b[2J")
    hosts = Hosts("web1", clock=clock)
    async with hosts.app.run_test(size=SIZE, notifications=True) as pilot:
        await pilot.pause()
        hosts.send("web1", dataclasses.replace(pool, devices=(evil,)))
        await pilot.pause()
        await pilot.press("x")
        await pilot.pause()
        assert r"""''"'"'a;$(id)\x1b[2J'"'"''""" in toasts(hosts.app)[-1]


async def test_pools_of_others_name_what_their_owner_types(three):
    hosts, pilot = three
    await pilot.press("x")
    await pilot.pause()
    assert "belongs to Docker: `docker rm CONTAINER` does it there" in toasts(hosts.app)[-1]


async def test_commands_that_are_copied_go_to_the_host(three):
    hosts, pilot = three
    await pilot.press("y")
    await pilot.pause()
    texts = [entry.text for entry in hosts.app.screen._entries]
    assert f"ssh web1 'dmsetup status {samples.docker_pool().devices[0].name}'" in texts


async def test_what_to_do_about_an_alert_is_copied_for_a_shell_here(three):
    hosts, pilot = three
    hosts.send("web1", samples.failed_pool(), at=samples.NOW + 3)
    await pilot.pause()
    await pilot.press("2")
    await pilot.pause()
    await pilot.press("y")
    await pilot.pause()
    texts = [entry.text for entry in hosts.app.screen._entries]
    assert "ssh web1 'systemctl stop docker'" in texts
    assert "ssh web1 'systemctl start docker'" in texts
    assert "take it down, check its metadata" in texts


async def test_the_machine_and_its_log_are_not_made_up(three):
    hosts, pilot = three
    await pilot.press("6")
    for _ in range(50):
        await pilot.pause(0.02)
        if "sends figures only" in text(hosts.app, "machine-versions"):
            break
    assert "`ssh -t web1 dmtui` shows the rest" in " ".join(text(hosts.app, "machine-versions").split())
    await pilot.press("5")
    await pilot.pause()
    assert "it stays on web1" in text(hosts.app, "log-problem")


async def test_pace_pause_and_poll_are_those_of_the_host_that_is_shown(three):
    hosts, pilot = three
    await pilot.press("<", "p", "r")
    assert (hosts.of["web1"].interval_seconds, hosts.of["web1"].paused, hosts.of["web1"].asked) == (2.0, True, 1)
    assert (hosts.of["web2"].interval_seconds, hosts.of["web2"].paused, hosts.of["web2"].asked) == (1.0, False, 0)


async def test_one_host_has_no_next(clock):
    hosts = Hosts("web1", clock=clock)
    async with hosts.app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        hosts.send("web1", samples.docker_pool())
        await pilot.pause()
        assert "H L Host" not in text(hosts.app, "keys")
        assert "7 Hosts" in text(hosts.app, "keys")
        await pilot.press("L")
        assert hosts.app.host == "web1"


async def test_a_dashboard_over_this_machine_has_no_hosts(dashboard):
    app = dashboard()
    async with app.run_test(size=SIZE) as pilot:
        app.feed(samples.sample(samples.docker_pool()))
        await pilot.press("7", "L", "H")
        assert app.screen.SCOPE is Scope.OVERVIEW
        assert "Hosts" not in [command.title for command in app.get_system_commands(app.screen)]


async def test_every_source_is_started_and_stopped(clock):
    hosts = Hosts("web1", "web2", clock=clock)
    async with hosts.app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        assert all(source.started for source in hosts.of.values())
        await pilot.press("q")
    assert hosts.app.return_code == 0
    assert all(source.stopped for source in hosts.of.values())

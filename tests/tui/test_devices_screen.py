"""The devices screen: every device of a pool, active or recorded, as a table or a tree."""

import dataclasses
import time

import pytest

from dmtui.monitor.sample import RecordedDevice
from dmtui.tui.devicerows import DeviceRow, Rows, Tree, as_tree, lineage, state_of, state_sign
from dmtui.tui.figures import Level, Look
from dmtui.tui.glyphs import ASCII, UNICODE
from dmtui.tui.lines import text_of
from dmtui.tui.paint.devices import summary_lines, summary_of
from dmtui.tui.screens.device import DeviceScreen
from dmtui.tui.screens.devices import DevicesScreen
from dmtui.tui.screens.overview import OverviewScreen
from dmtui.tui.widgets.all_devices import AllDevicesTable, _name
from dmtui.tui.widgets.panel import Panel
from tests.tui import samples
from tests.tui.pictures import EVERY_SIZE, looks_right

__all__ = ["looks_right"]
SIZE = (140, 40)


def recorded(name: str, thin_id: int = 2, parent: str | None = None, **changes) -> RecordedDevice:
    made = RecordedDevice(f"docker-8:1-7-{name}", name, thin_id, samples.GIB, thin_id, True, False, parent)
    return dataclasses.replace(made, **changes)


def rows_of(*records) -> list[DeviceRow]:
    return [DeviceRow(None, record) for record in records]


def drawn(rows) -> list[str]:
    return [row.prefix + row.display_name for row in rows]


class TestRows:
    def test_what_is_recorded_and_what_is_active_are_joined_by_name(self):
        rows = Rows().of(samples.recorded_pool(), samples.NOW)
        assert len(rows) == 15
        assert rows[0].display_name == "base"
        assert {row.display_name: row.device is not None for row in rows}["web-cache-01"] is False
        assert all(row.record is not None for row in rows)

    def test_without_records_only_what_is_active_is_there_and_the_rest_is_unknown(self):
        row = Rows().of(samples.docker_pool(count=1), samples.NOW)[0]
        assert (row.record, row.parent, row.age_seconds, row.mounted_at) == (None, None, None, None)

    def test_the_age_is_in_whole_minutes_so_that_it_changes_seldom(self):
        pool = samples.recorded_pool()
        first, later = (Rows().of(pool, samples.NOW + seconds)[0].age_seconds for seconds in (5, 55))
        assert first == later == 90 * 86400

    @pytest.mark.parametrize(
        ("device", "record", "words", "level"),
        [
            ({}, {}, "active", Level.OK),
            ({"mounted_at": ("/mnt/x",)}, {}, "mounted", Level.OK),
            ({"suspended": True}, {}, "suspended", Level.WARN),
            ({"failed": True, "suspended": True}, {}, "FAILED, suspended", Level.CRIT),
            ({"deferred_remove": True, "mounted_at": ("/mnt/x",)}, {}, "deferred, mounted", Level.WARN),
            ({}, {"deleted": True}, "deleted", Level.WARN),
            (None, {"deleted": True}, "deleted", Level.WARN),
            (None, {}, "inactive", Level.OK),
        ],
    )
    def test_the_state_is_told_in_words(self, device, record, words, level):
        thin = None if device is None else dataclasses.replace(samples.devices(1)[0], **device)
        assert state_of(DeviceRow(thin, recorded("x", **record))) == (words, level)

    def test_each_state_has_a_sign_of_its_own_in_both_sets(self):
        thin = samples.devices(1)[0]
        mounted = dataclasses.replace(thin, mounted_at=("/x",))
        failed = dataclasses.replace(thin, failed=True)
        rows = [DeviceRow(each, None) for each in (thin, mounted, failed)]
        rows += rows_of(recorded("a"), recorded("b", deleted=True))
        for glyphs in (UNICODE, ASCII):
            assert len({state_sign(row, glyphs) for row in rows}) == 5


class TestTree:
    def test_children_stand_below_their_parents_in_the_order_of_the_rows(self):
        rows = rows_of(recorded("base"), recorded("b", 3, "a"), recorded("a", 2, "base"), recorded("c", 4, "a"))
        assert drawn(as_tree(rows, ASCII)) == ["base", "`-a", "  |-b", "  `-c"]

    def test_a_parent_that_is_gone_or_unknown_makes_a_root(self):
        rows = rows_of(recorded("x", 2, "gone"), recorded("y"))
        assert drawn(as_tree(rows, ASCII)) == ["x", "y"]

    def test_a_ring_of_parents_ends(self):
        rows = rows_of(recorded("a", 2, "b"), recorded("b", 3, "a"), recorded("c", 4, "c"))
        assert sorted(row.display_name for row in as_tree(rows, ASCII)) == ["a", "b", "c"]

    def test_what_is_wanted_keeps_all_that_it_descends_from(self):
        rows = rows_of(recorded("base"), recorded("a", 2, "base"), recorded("b", 3, "a"), recorded("c", 4, "base"))
        assert drawn(as_tree(rows, ASCII, {"docker-8:1-7-b"})) == ["base", "`-a", "  `-b"]

    def test_a_chain_of_ten_thousand_is_drawn_in_time_and_space(self):
        rows = rows_of(*(recorded(f"d{n}", n, f"d{n - 1}") for n in range(10_000)))
        began = time.perf_counter()
        tree = as_tree(rows, UNICODE)
        assert time.perf_counter() - began < 2
        assert len(tree) == 10_000
        assert max(len(row.prefix) for row in tree) < 30

    def test_the_name_of_a_deep_device_is_worth_more_room_than_its_place(self):
        rows = as_tree(rows_of(*(recorded(f"frontend-{n}", n, f"frontend-{n - 1}") for n in range(20))), UNICODE)
        drawn = "".join(span.text for span in _name(rows[-1], Look(UNICODE), 26))
        assert drawn.strip().endswith("frontend-19")
        assert drawn.startswith("…")
        assert len(drawn) == 26

    def test_lineage_is_the_chain_to_the_root_and_the_direct_children(self):
        rows = rows_of(recorded("a", 2, "gone"), recorded("b", 3, "a"), recorded("c", 4, "b"), recorded("d", 5, "c"))
        chain, children = lineage(rows, rows[2])
        assert [each if isinstance(each, str) else each.display_name for each in chain] == ["b", "a", "gone"]
        assert [each.display_name for each in children] == ["d"]


def test_the_summary_counts_by_state_and_says_what_is_not_known():
    rows = Rows().of(samples.recorded_pool(), samples.NOW)
    shown = text_of(summary_lines(summary_of(rows, recorded=True, tree=False), Look(), 120))
    assert shown == " ● 1 active   ◉ 6 mounted   ○ 6 inactive   ◌ 2 deleted"
    alone = Rows().of(samples.docker_pool(), samples.NOW)
    shown = text_of(summary_lines(summary_of(alone, recorded=False, tree=True), Look(), 120))
    assert "no graph directory of this pool is known" in shown


def text(app, panel: str) -> str:
    return text_of(app.screen.query_one(f"#{panel}", Panel).lines)


def table(app) -> AllDevicesTable:
    return app.screen.query_one(AllDevicesTable)


def shown(app) -> list[str]:
    return [row.display_name for row in table(app).shown_rows]


@pytest.fixture
async def running(dashboard):
    """The devices screen over a pool with records."""
    app = dashboard()
    async with app.run_test(size=SIZE) as pilot:
        app.feed(samples.sample(samples.recorded_pool()))
        await pilot.press("3")
        await pilot.pause()
        yield app, pilot


async def test_the_key_leads_there_and_escape_back(running):
    app, pilot = running
    assert isinstance(app.screen, DevicesScreen)
    assert len(shown(app)) == 15
    await pilot.press("escape")
    assert isinstance(app.screen, OverviewScreen)


async def test_a_row_tells_everything_in_words(running):
    app, _ = running
    header, first, second = (table(app).render_line(y).text for y in (0, 1, 2))
    assert header.split() == [
        "DEVICE",
        "ID",
        "STATE",
        "SIZE",
        "MAPPED",
        "USED",
        "OPEN",
        "PARENT",
        "MOUNTED",
        "AT",
        "AGE",
    ]
    assert first.split()[1:] == ["base", "1", "○", "inactive", "10.74", "GB", "?", "?", "-", "-", "-", "90", "d"]
    assert second.split()[:4] == ["web-frontend-00", "2", "◉", "mounted"]


async def test_the_tree_is_toggled_and_remembered(running):
    app, pilot = running
    await pilot.press("t")
    await pilot.pause()
    assert shown(app)[:3] == ["base", "web-frontend-00", "postgres-replica-03"]
    assert "├─web-frontend-00" in table(app).render_line(2).text
    assert "tree by parent" in text(app, "device-summary")
    await pilot.press("1", "3")
    await pilot.pause()
    assert table(app).is_tree
    await pilot.press("t")
    await pilot.pause()
    assert not table(app).is_tree


async def test_sorting_leaves_the_tree(running):
    app, pilot = running
    await pilot.press("t", "s")
    await pilot.pause()
    assert shown(app) == sorted(shown(app))
    assert not table(app).is_tree


async def test_sort_goes_through_every_column(running):
    app, pilot = running
    titles = []
    for _ in range(11):
        await pilot.press("s")
        titles.append(table(app).sort_title.strip())
    assert titles == ["DEVICE", "ID", "STATE", "SIZE", "MAPPED", "USED", "OPEN", "PARENT", "MOUNTED AT", "AGE", ""]


async def test_the_filter_is_typed_kept_and_cleared_before_escape_leads_back(running):
    app, pilot = running
    await pilot.press("slash", *"inactive", "enter")
    assert len(shown(app)) == 6
    assert table(app).has_focus
    await pilot.press("escape")
    assert len(shown(app)) == 15
    assert isinstance(app.screen, DevicesScreen)
    await pilot.press("escape")
    assert isinstance(app.screen, OverviewScreen)


async def test_the_filter_in_a_tree_keeps_the_ancestors(running):
    app, pilot = running
    await pilot.press("t", "slash", *"vault", "enter")
    await pilot.pause()
    assert shown(app) == ["base", "web-cache-01", "grafana-05", "vault-13"]


async def test_enter_opens_the_device_and_escape_leads_back_to_the_same_row(running):
    app, pilot = running
    await pilot.press("down", "down", "enter")
    await pilot.pause()
    assert isinstance(app.screen, DeviceScreen)
    await pilot.press("escape")
    await pilot.pause()
    assert isinstance(app.screen, DevicesScreen)
    assert table(app).cursor_key == "docker-8:1-4718594-web-cache-01"


async def test_the_cursor_stays_on_its_device_when_others_come_and_go(running):
    app, pilot = running
    await pilot.press("down", "down", "down")
    key = table(app).cursor_key
    pool = samples.recorded_pool()
    app.feed(
        samples.sample(dataclasses.replace(pool, recorded=(pool.recorded[0], *pool.recorded[2:])), at=samples.NOW + 1)
    )
    await pilot.pause()
    assert table(app).cursor_key == key


async def test_names_are_text_and_no_markup(dashboard):
    app = dashboard()
    pool = samples.recorded_pool(1)
    evil = dataclasses.replace(pool.recorded[1], display_name="[red]x[/]\x1b[31m")
    async with app.run_test(size=SIZE) as pilot:
        app.feed(samples.sample(dataclasses.replace(pool, recorded=(pool.recorded[0], evil))))
        await pilot.press("3")
        await pilot.pause()
        assert "[red]x[/]" in table(app).render_line(2).text
        assert "\x1b" not in table(app).render_line(2).text


async def test_the_side_panel_follows_the_cursor_where_there_is_room(dashboard):
    app = dashboard()
    async with app.run_test(size=(200, 60)) as pilot:
        app.feed(samples.sample(samples.recorded_pool()))
        await pilot.press("3")
        await pilot.pause()
        await pilot.press("down")
        await pilot.pause()
        assert "web-frontend-00" in text(app, "inspect-device")
        assert "postgres-replica-03" in text(app, "inspect-lineage")


@EVERY_SIZE
def test_recorded_devices(looks_right, size):
    looks_right(samples.sample(samples.recorded_pool()), size=size, press=["3", "down", "down"])


@EVERY_SIZE
def test_tree(looks_right, size):
    looks_right(samples.sample(samples.recorded_pool(30)), size=size, press=["3", "t", "down", "down"])


@EVERY_SIZE
def test_only_active_devices_are_known(looks_right, size):
    looks_right(samples.sample(samples.docker_pool()), size=size, press=["3"])


@pytest.mark.parametrize("count", [0, 1, 100])
def test_so_many_devices(looks_right, count):
    looks_right(samples.sample(samples.recorded_pool(count)), size=(80, 24), press=["3", "G"])


def test_failed_devices(looks_right):
    looks_right(samples.sample(samples.failed_pool()), press=["3"])


def test_ascii_tree(looks_right):
    looks_right(samples.sample(samples.recorded_pool()), press=["3", "t"], ascii=True)


def test_no_color(looks_right, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    looks_right(samples.sample(samples.recorded_pool()), press=["3"])


class TestKeptPlaces:
    """What is kept of one sample for the next never shows: rows and tree are those that would be made anew."""

    def variants(self):
        pool = samples.recorded_pool(30)
        moved = tuple(dataclasses.replace(each, mapped_bytes=samples.MIB) for each in pool.devices)
        yield pool
        yield dataclasses.replace(pool, devices=moved)
        yield dataclasses.replace(pool, devices=moved[:-3])
        yield dataclasses.replace(pool, devices=(*moved[1:], dataclasses.replace(moved[0], thin_id=999)))
        yield dataclasses.replace(pool, recorded=pool.recorded[:-5])
        orphan = dataclasses.replace(pool.recorded[7], parent=None)
        yield dataclasses.replace(pool, recorded=(*pool.recorded[:7], orphan, *pool.recorded[8:]))
        yield dataclasses.replace(pool, recorded=None)
        yield pool

    def test_rows(self):
        kept = Rows()
        for pool in self.variants():
            assert kept.of(pool, samples.NOW) == Rows().of(pool, samples.NOW)

    def test_tree(self):
        kept = Tree()
        for pool in self.variants():
            rows = Rows().of(pool, samples.NOW)
            for glyphs in (UNICODE, ASCII):
                assert kept.of(rows, glyphs) == as_tree(rows, glyphs)

"""The screen of events: alerts above, one timeline below; filtered by text, severity and pool."""

import dataclasses

import pytest

from dmtui.monitor.events import Event, Source
from dmtui.monitor.severity import Severity
from dmtui.tui.lines import text_of
from dmtui.tui.screens.events import EventsScreen
from dmtui.tui.screens.overview import OverviewScreen
from dmtui.tui.widgets.event_tables import AlertTable, EventTable
from dmtui.tui.widgets.panel import Panel
from tests.tui import samples
from tests.tui.pictures import EVERY_SIZE, looks_right

__all__ = ["looks_right"]


def history():
    """Two pools, one of which fills up and is extended; samples of two minutes."""
    made = []
    for step in range(120):
        pool = samples.docker_pool(0.80 + step * 0.0012, 0.3, transaction_id=91 + step // 40, event_nr=3 + step // 60)
        other = samples.containerd_pool()
        if step == 100:
            other = dataclasses.replace(other, mode="out_of_data_space")
        made.append(samples.sample(pool, other, at=samples.NOW - 120 + step + 1))
    return made


OPERATION = Event(samples.NOW - 30, Source.OPERATION, Severity.INFO, samples.docker_pool().name, "create web in 0.04 s")


@pytest.fixture
async def running(dashboard):
    app = dashboard(initial_pool=samples.docker_pool().name)
    async with app.run_test(size=(140, 40)) as pilot:
        for sample in history():
            app.feed(sample)
        app.known.memory.note([OPERATION])
        await pilot.press("4")
        await pilot.pause()
        assert isinstance(app.screen, EventsScreen)
        yield app, pilot


def events(app) -> list[Event]:
    return [row.event for row in app.screen.query_one(EventTable).shown_rows]


def row(app, index: int) -> str:
    return app.screen.query_one(AlertTable).render_line(index).text


async def test_everything_that_happened_is_there_newest_first(running):
    app, _ = running
    shown = events(app)
    assert {event.source for event in shown} == set(Source)
    assert [event.at for event in shown] == sorted((event.at for event in shown), reverse=True)
    assert len(shown) == len(app.known.memory.timeline)


async def test_the_alerts_that_are_on_stand_above_with_beginning_extremes_count_and_whether_they_were_seen(running):
    app, pilot = running
    assert "CRIT" in row(app, 1)
    titles = ("LEVEL", "SEEN", "SINCE", "FOR", "LOW", "HIGH", "POLLS", "POOL", "WHAT IS WRONG")
    assert [title for title in titles if title not in row(app, 0)] == []
    assert "94.2 %" in row(app, 1)
    await pilot.press("1", "A", "4")
    await pilot.pause()
    assert "seen" in row(app, 1)


async def test_a_key_goes_from_all_over_warn_to_crit_only_and_back(running):
    app, pilot = running
    counts = []
    for _ in range(3):
        await pilot.press("v")
        await pilot.pause()
        counts.append({event.severity for event in events(app)})
    assert counts[0] == {Severity.WARN, Severity.CRIT}
    assert counts[1] == {Severity.CRIT}
    assert Severity.INFO in counts[2]


async def test_a_key_shows_the_selected_pool_only(running):
    app, pilot = running
    await pilot.press("o")
    await pilot.pause()
    assert {event.pool for event in events(app)} == {samples.docker_pool().name}
    assert "showing docker-8:1-4718594-pool" in text_of(app.screen.query_one("#events-choice", Panel).lines)
    await pilot.press("o")
    await pilot.pause()
    assert len({event.pool for event in events(app)}) == 2


async def test_a_text_narrows_the_timeline_and_escape_widens_it_then_goes_back(running):
    app, pilot = running
    await pilot.press("slash", *"create", "enter")
    await pilot.pause()
    assert [event.text for event in events(app)] == ["create web in 0.04 s"]
    await pilot.press("escape")
    await pilot.pause()
    assert len(events(app)) > 1
    await pilot.press("escape")
    await pilot.pause()
    assert isinstance(app.screen, OverviewScreen)


async def test_what_happens_while_it_is_looked_at_comes_in_and_the_cursor_stays(running):
    app, pilot = running
    table = app.screen.query_one(EventTable)
    await pilot.press("down", "down")
    key = table.cursor_key
    app.known.memory.note([dataclasses.replace(OPERATION, at=samples.NOW + 1, text="remove web in 0.1 s")])
    app.show_newest()
    await pilot.pause()
    assert events(app)[0].text == "remove web in 0.1 s"
    assert table.cursor_key == key


async def test_two_events_that_are_alike_are_two(running):
    app, pilot = running
    app.known.memory.note([OPERATION])
    app.show_newest()
    await pilot.pause()
    keys = [each.key for each in app.screen.query_one(EventTable).shown_rows]
    assert len(keys) == len(set(keys))
    assert [event for event in events(app) if event == OPERATION] == [OPERATION] * 2


async def test_nothing_so_far_says_so(dashboard):
    app = dashboard()
    async with app.run_test(size=(120, 40)) as pilot:
        app.feed(samples.sample())
        await pilot.press("4")
        await pilot.pause()
        assert "nothing is wrong" in row(app, 1)
        assert "nothing has happened" in app.screen.query_one(EventTable).render_line(1).text


@EVERY_SIZE
def test_a_pool_that_filled_up(looks_right, size):
    looks_right(*history(), size=size, press=["4"])

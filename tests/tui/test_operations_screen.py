"""The screen of operations: the one under way, those of this session, those of the audit log."""

from __future__ import annotations

import os

import pytest

from dmtui.deviceset.operations import operation
from dmtui.monitor.audit import AuditEntry
from dmtui.tui.course import Course
from dmtui.tui.deliveries import Finished, Request, Sheet
from dmtui.tui.lines import text_of
from dmtui.tui.paint.course import seconds_text
from dmtui.tui.past import past_operations
from dmtui.tui.screens.operations import OperationsScreen, PastTable
from dmtui.tui.screens.steps import StepsScreen
from dmtui.tui.widgets.panel import Panel
from tests.tui import samples
from tests.tui.operating import SIZE, Gate, ended, fill, opened, ready, until


@pytest.fixture
async def running(changing):
    """The dashboard over a machine with `web` and `db`, and its pilot, on the screen of operations."""
    app, pilot, site = changing
    app._logbook.read()
    await pilot.press("5")
    await pilot.pause()
    return app, pilot, site


def rows(app) -> list[tuple[str, str, str]]:
    return [(past.what, past.subject, past.outcome) for past in app.screen.query_one(PastTable).shown_rows]


def panel(app, name: str) -> str:
    return text_of(app.screen.query_one(f"#{name}", Panel).lines)


async def test_the_log_is_told_newest_first(running):
    app, _, _ = running
    assert isinstance(app.screen, OperationsScreen)
    assert rows(app)[:3] == [("activate", "web", "done"), ("create", "db", "done"), ("create", "web", "done")]
    assert rows(app)[-1][0] == "create pool"
    assert panel(app, "running") == "no operation"


async def test_what_others_do_appears_and_goes_into_the_timeline(running):
    app, pilot, site = running
    site.do(lambda plans: plans.create("other"))
    app._logbook.read()
    await until(pilot, lambda: rows(app)[0] == ("create", "other", "done"))
    events = app.known.memory.timeline.newest()
    assert any(event.text.startswith("create other") and event.pool == site.sample().pools[0].name for event in events)


async def test_an_operation_of_this_session_is_told_once_and_with_its_steps(running):
    app, pilot, _ = running
    await opened(pilot, "a")
    await fill(pilot, name="db")
    await ready(pilot)
    await pilot.press("enter")
    await ended(pilot)
    app._logbook.read()
    await pilot.press("escape")
    await until(pilot, lambda: isinstance(app.screen, OperationsScreen))
    expected = [("activate", "db", "done"), ("activate", "web", "done")]
    await until(pilot, lambda: rows(app)[:2] == expected)
    app.screen.query_one(PastTable).action_first()
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(app.screen, StepsScreen))
    await pilot.pause()
    assert "this session" in panel(app, "past-lines")
    assert "# dmsetup create" in panel(app, "past-lines")
    await pilot.press("escape")
    assert isinstance(app.screen, OperationsScreen)


async def test_enter_shows_the_steps_of_an_entry_of_the_log(running):
    app, pilot, _ = running
    await pilot.press("down", "enter")
    await until(pilot, lambda: isinstance(app.screen, StepsScreen))
    await pilot.pause()
    assert "create_snap 3 1" in panel(app, "past-lines")
    assert f"process {os.getpid()}" in panel(app, "past-lines")


async def test_what_is_under_way_is_shown_with_its_steps_and_seconds(running, monkeypatch):
    app, pilot, site = running
    gate = Gate(monkeypatch, site.machine.filesystems, "grow")
    await opened(pilot, "n")
    await fill(pilot, name="api", size="128M")
    await ready(pilot)
    await pilot.click("#run")
    await until(pilot, gate.reached.is_set)
    await pilot.press("escape")
    await until(pilot, lambda: "under way for" in panel(app, "running"))
    assert "Create a device api" in panel(app, "running")
    assert "▶" in panel(app, "running")
    gate.open.set()
    await until(pilot, lambda: panel(app, "running") == "no operation")
    assert rows(app)[0] == ("create", "api", "done")


async def test_a_log_that_cannot_be_read_says_so(running):
    app, pilot, site = running
    site.log.unlink()
    site.log.mkdir()
    app._logbook.read()
    app.show_newest()
    await pilot.pause()
    assert "is no regular file" in " ".join(panel(app, "log-problem").split())


async def test_without_a_log_there_is_nothing_to_tell(dashboard):
    app = dashboard()
    async with app.run_test(size=SIZE) as pilot:
        app.feed(samples.sample(samples.docker_pool()))
        await pilot.press("5")
        await pilot.pause()
        assert rows(app) == []


def entry(**given) -> AuditEntry:
    return AuditEntry(**({"began_at": 1.0, "who": "root", "pid": 7, "operation": "create", "subject": "web"} | given))


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({}, "done"),
        ({"operation": "recover"}, "recovered"),
        ({"failed": True}, "failed"),
        ({"failed": True, "undone": ("a step",)}, "failed, undone"),
        ({"failed": True, "undone": ("a step",), "unfinished": True}, "unfinished"),
    ],
)
def test_an_outcome_has_its_word(given, word):
    assert past_operations([entry(**given)], [])[0].outcome == word


def test_entries_of_one_moment_are_told_apart():
    assert len({past.key for past in past_operations([entry(), entry(subject="db")], [])}) == 2


def test_a_pool_that_got_its_name_only_when_it_was_made_is_told_by_that():
    request = Request(operation("pool create"), {})
    finished = Finished(request, 1.0)
    course = Course(
        request, (Sheet("create pool docker-8:1-0-pool", ()),), began_at=1.0, finished=finished, ended_at=2.0
    )
    logged = entry(pid=os.getpid(), operation="create pool", subject="docker-8:1-7-pool")
    assert [past.subject for past in past_operations([logged], [course])] == ["docker-8:1-7-pool"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "<1 ms"), (0.0204, "20 ms"), (12.44, "12.4 s"), (200.9, "3 min 20 s")],
)
def test_durations(seconds, text):
    assert seconds_text(seconds) == text


def test_the_engine_is_not_loaded_for_the_list():
    from tests.tui.test_imports import loaded_after

    loaded = loaded_after("import dmtui.tui.app, dmtui.tui.screens.operations, dmtui.tui.screens.steps")
    assert not [name for name in loaded if name.startswith("dmtui.deviceset.")]

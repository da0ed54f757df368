"""A device that hangs holds up what is asked of it; the dashboard goes on answering, and can be left."""

import time

import pytest

from dmtui.tui.app import DashboardApp
from dmtui.tui.freshness import Flow
from tests.tui.operating import Site, ended, fill, opened, ready, until, verdict


@pytest.fixture
def hanging(tmp_path):
    """A machine whose pool hangs, and on which that is given up after a while."""
    site = Site(tmp_path, deadline_seconds=20.0)
    site.set_up("web", active=("web",))
    yield site
    site.machine.close()


async def test_every_key_is_answered_while_a_poll_hangs_and_the_figures_are_said_to_be_old(hanging):
    app = DashboardApp(
        hanging.sample, interval_seconds=0.1, clock=time.time, open_engine=hanging.open, graph_directory=hanging.graph
    )
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.stream.sample is not None, "a first sample")
        hanging.machine.outages.hang(app.stream.sample.pools[0].name)
        await until(pilot, lambda: app.stream.freshness.flow is Flow.LATE, "the word that it is late")
        for key, name in (("3", "devices"), ("4", "events"), ("1", "overview")):
            await pilot.press(key)
            await pilot.pause()
            assert type(app.screen).__name__.lower().startswith(name)
        hanging.machine.outages.end("hang")
        await until(pilot, lambda: app.stream.freshness.flow is Flow.LIVE, "live figures")
        hanging.machine.outages.hang(app.stream.sample.pools[0].name)
        await pilot.press("q")
    assert app.return_code == 0


@pytest.fixture
async def impatient(tmp_path):
    """A dashboard with the dialog of a creation over a machine that waits for next to nothing."""
    site = Site(tmp_path, deadline_seconds=0.2)
    site.set_up("web", active=("web",))
    app = site.app()
    async with app.run_test(size=(120, 40)) as pilot:
        app.feed(site.sample())
        await pilot.pause()
        await opened(pilot, "n")
        yield app, pilot, site
    site.machine.close()


async def test_a_plan_that_cannot_be_made_for_it_says_why(impatient):
    app, pilot, site = impatient
    site.machine.outages.hang(site.sample().pools[0].name)
    await fill(pilot, name="api")
    await until(pilot, lambda: "the device hangs" in verdict(app), "the reason")


async def test_an_operation_on_it_ends_with_the_deadline_says_why_and_can_be_done_later(impatient):
    app, pilot, site = impatient
    await fill(pilot, name="api")
    await ready(pilot)
    site.machine.outages.hang(site.sample().pools[0].name)
    app.screen.query_one("#run").focus()
    await pilot.press("enter")
    await ended(pilot)
    assert "the device hangs" in verdict(app)
    site.machine.outages.end("hang")
    site.do(lambda plans: plans.create("api"))
    assert site.recorded == {"base", "web", "api"}

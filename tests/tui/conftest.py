"""A dashboard without a poller, under a fixed clock, time zone and locale."""

import os
import time

import pytest

from dmtui.tui.app import DashboardApp
from tests.tui import samples


@pytest.fixture(autouse=True)
def fixed_surroundings(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")
    monkeypatch.delenv("NO_COLOR", raising=False)
    time.tzset()
    yield
    os.environ.pop("TZ", None)
    time.tzset()


class Clock:
    """A clock that a test moves."""

    def __init__(self):
        self.now = samples.NOW

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def dashboard(clock):
    """Makes a dashboard without a poller, e.g. ``dashboard(read_only=True)``; a picture has ``toasts=False``."""

    def make(**options) -> DashboardApp:
        options.setdefault("banner", "the kernel has device-mapper (--machine auto)")
        toasts = options.pop("toasts", True)
        app = DashboardApp(interval_seconds=None, clock=clock, **options)
        if not toasts:
            app.NOTIFICATION_TIMEOUT = 0
        return app

    return make


@pytest.fixture
def site(tmp_path):
    """An emulated machine and its graph directory, with nothing on it."""
    from tests.tui.operating import Site

    site = Site(tmp_path)
    yield site
    site.machine.close()


@pytest.fixture
async def changing(site):
    """A dashboard over a machine with the devices `web` (active) and `db`, its pilot, and the machine."""
    site.set_up("web", "db", active=("web",))
    app = site.app()
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        app.feed(site.sample())
        await pilot.pause()
        yield app, pilot, site

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
    """Makes a dashboard without a poller, e.g. ``dashboard(read_only=True)``."""

    def make(**options) -> DashboardApp:
        options.setdefault("banner", "the kernel has device-mapper (--machine auto)")
        return DashboardApp(interval_seconds=None, clock=clock, **options)

    return make

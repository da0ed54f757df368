"""Pictures of the dashboard that are compared with the ones that were approved, and pasts that lead to a pool."""

from __future__ import annotations

import dataclasses

import pytest

from dmtui.tui.screens.base import DashboardScreen
from tests.tui import samples

SIZES = {"80x24": (80, 24), "120x40": (120, 40), "200x60": (200, 60)}
EVERY_SIZE = pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
USUAL = SIZES["120x40"]


def past(pool, count=90, seconds=10.0, start=0.6):
    """Samples that lead to the pool's present, its data growing all the time."""
    made = []
    for step in range(count):
        part = start + (1 - start) * (step + 1) / count
        used = None if pool.data.used_bytes is None else int(pool.data.used_bytes * part)
        space = dataclasses.replace(pool.data, used_bytes=used)
        at = samples.NOW - (count - step - 1) * seconds
        made.append(samples.sample(dataclasses.replace(pool, data=space), at=at))
    return [*made[:-1], samples.sample(pool)]


@pytest.fixture
def looks_right(dashboard, snap_compare):
    """Feeds outcomes, presses keys, and compares the picture with the one that was approved."""

    def compare(*outcomes, size=USUAL, press=(), chosen=None, **options):
        app = dashboard(**{"toasts": False, **options})

        async def prepare(pilot):
            for outcome in outcomes:
                app.feed(outcome)
                if chosen is not None and outcome is outcomes[0]:
                    app.screen.post_message(DashboardScreen.DeviceWanted(chosen, opened=True))
                    await pilot.pause()
            await pilot.pause()
            await pilot.press(*press)
            await pilot.pause()
            await pilot.pause()

        assert snap_compare(app, terminal_size=size, run_before=prepare)

    return compare

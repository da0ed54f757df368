"""Every screen with no device, one, a hundred and ten thousand: all drawn. What it costs `tests.tui.bench` prints."""

from __future__ import annotations

import dataclasses

import pytest

from dmtui.tui.actions import SCREENS, Scope
from dmtui.tui.widgets.all_devices import AllDevicesTable
from tests.tui import samples

MANY = 10_000
PLACES = {scope.value: (key,) for _, key, scope, _ in SCREENS} | {"tree": ("3", "t"), "device": ("3", "down", "enter")}
EVERY_PLACE = pytest.mark.parametrize("place", PLACES)


async def at(app, pilot, pool, place):
    app.feed(samples.sample(pool))
    await pilot.pause()
    for key in PLACES[place]:
        await pilot.press(key)
        await pilot.pause()


@EVERY_PLACE
@pytest.mark.parametrize(
    ("count", "size"),
    [(count, size) for count in (0, 1, 100) for size in ((80, 24), (200, 60))] + [(MANY, (200, 60))],
    ids=lambda value: value if isinstance(value, int) else "x".join(map(str, value)),
)
async def test_the_screen_is_drawn_and_takes_a_newer_sample(dashboard, place, count, size):
    app = dashboard()
    pool = samples.recorded_pool(count)
    async with app.run_test(size=size) as pilot:
        await at(app, pilot, pool, place)
        app.feed(samples.sample(dataclasses.replace(pool, transaction_id=92), at=samples.NOW + 1))
        await pilot.pause()
        lines = [strip.text for strip in app.screen._compositor.render_strips()]
        assert len(lines) == size[1]
        assert all(len(line) >= size[0] - 2 for line in lines)
        assert "? Help" in lines[-1]
        if place in (Scope.DEVICES.value, "tree"):
            assert len(app.screen.query_one(AllDevicesTable).shown_rows) == count + 1

"""What devices cost the dashboard: ``python -m tests.tui.bench`` prints the ratios of ten thousand to a thousand."""

from __future__ import annotations

import asyncio
import dataclasses
import time

from dmtui.tui.app import DashboardApp
from tests.tui import samples
from tests.tui.test_many_devices import PLACES, at

SIZE = (120, 40)
FEW, MANY = 1_000, 10_000


def changed(pool, step):
    """The pool with a tenth of its devices moved."""
    tenth = max(1, len(pool.devices) // 10)
    moved = [dataclasses.replace(each, mapped_bytes=step * samples.MIB) for each in pool.devices[:tenth]]
    return dataclasses.replace(pool, devices=(*moved, *pool.devices[tenth:]))


async def seconds(count, place, work):
    app = DashboardApp(interval_seconds=None, clock=lambda: samples.NOW, open_engine=lambda **_: None)
    pool = samples.recorded_pool(count)
    async with app.run_test(size=SIZE) as pilot:
        await at(app, pilot, pool, place)
        times = []
        for step in range(1, 6):
            sample = samples.sample(changed(pool, step), at=samples.NOW + step)
            began = time.process_time()
            await work(app, pilot, sample)
            times.append(time.process_time() - began)
            await pilot.pause()
        return min(times)


async def feed(app, pilot, sample):
    app.feed(sample)


async def mark(app, pilot, sample):
    await pilot.press("asterisk")
    assert bool(app.known.choices.marks.of(app.selected_pool)) is (round(sample.taken_at - samples.NOW) % 2 == 1)


async def main() -> None:
    for place, work in [*((place, feed) for place in PLACES), ("devices", mark)]:
        few, many = await seconds(FEW, place, work), await seconds(MANY, place, work)
        what = "marking all" if work is mark else place
        print(f"{what}: {few * 1000:.1f} ms for {FEW}, {many * 1000:.1f} ms for {MANY} devices, ratio {many / few:.1f}")


if __name__ == "__main__":
    asyncio.run(main())

"""Make the pictures of the README again, from fixed samples: ``python screenshots/make.py``."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
os.environ.update(TZ="UTC", LC_ALL="C.UTF-8", TERM="xterm-256color", TEXTUAL_ANIMATIONS="none")
os.environ.pop("NO_COLOR", None)
time.tzset()

from dmtui.monitor.sample import Pool, Sample  # noqa: E402 - the path and the surroundings come first
from dmtui.tui.app import DashboardApp  # noqa: E402
from tests.tui import samples  # noqa: E402


def filling(pool: Pool, *others: Pool, machine: str = "kernel", count: int = 120) -> list[Sample]:
    """Two minutes in which the pool fills up to its present state."""
    made: list[Sample] = []
    for step in range(1, count + 1):
        part = 0.72 + 0.28 * (step / count) ** 2
        used = None if pool.data.used_bytes is None else int(pool.data.used_bytes * part)
        live = None if pool.metadata.used_bytes is None else int(pool.metadata.used_bytes * (0.8 + 0.2 * step / count))
        data = dataclasses.replace(pool.data, used_bytes=used)
        metadata = dataclasses.replace(pool.metadata, used_bytes=live)
        earlier = dataclasses.replace(pool, data=data, metadata=metadata)
        made.append(samples.sample(earlier, *others, at=samples.NOW - count + step, machine=machine))
    return [*made[:-1], samples.sample(pool, *others, machine=machine)]


async def shoot(name: str, size: tuple[int, int], outcomes: list[Sample], keys: tuple[str, ...] = ()) -> None:
    """Feed the samples, press the keys, and write the picture."""
    clock: Callable[[], float] = lambda: samples.NOW  # noqa: E731
    app = DashboardApp(interval_seconds=None, clock=clock, initial_pool="docker-8:1-4718594-pool")
    async with app.run_test(size=size) as pilot:
        for outcome in outcomes:
            app.feed(outcome)
        await pilot.pause()
        await pilot.press(*keys)
        await pilot.pause()
        (HERE / f"{name}.svg").write_text(app.export_screenshot(title="dmtui"))
    print(f"{name}.svg {size[0]}x{size[1]}")


async def main() -> None:
    """Every picture."""
    others = (samples.lvm_pool(), samples.containerd_pool())
    healthy = filling(samples.docker_pool(0.58, 0.22, count=24), *others)
    for size in ((80, 24), (120, 40), (200, 60)):
        await shoot(f"overview-{size[0]}x{size[1]}", size, healthy)
    await shoot("trouble", (120, 40), filling(samples.full_pool(), *others))
    await shoot("needs-check", (80, 24), filling(samples.damaged_pool()))
    await shoot("help", (120, 40), healthy, ("question_mark",))


if __name__ == "__main__":
    asyncio.run(main())

"""Make the pictures of the README again, from fixed samples: ``python screenshots/make.py``."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import shutil
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
from tests.tui.demonstrating import demonstration, sample_of, step_on  # noqa: E402
from tests.tui.farhosts import SIX, Hosts, let_come  # noqa: E402
from tests.tui.pictures import past  # noqa: E402
from tests.tui.test_machine_screen import FACTS  # noqa: E402


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


async def shoot_screens() -> None:
    """Every screen of a pool of our own whose records are known."""
    outcomes = past(samples.recorded_pool(count=24))
    keys = {"pool": "2", "devices": "3", "events": "4", "operations": "5"}
    for name, key in keys.items():
        await shoot(f"screen-{name}", (120, 40), outcomes, (key,))
    await shoot("screen-tree", (120, 40), outcomes, ("3", "t"))
    await shoot("screen-device", (120, 40), outcomes, ("3", "down", "down", "enter"))
    for number, theme in enumerate(("light", "high-contrast", "no-red-green", "no-blue-yellow"), start=1):
        await shoot(f"theme-{theme}", (120, 40), outcomes, ("2", *["c"] * number))


async def shoot_machine() -> None:
    """The machine, which is asked in a thread."""
    app = DashboardApp(interval_seconds=None, clock=lambda: samples.NOW, ask_facts=lambda: FACTS)
    async with app.run_test(size=(120, 40)) as pilot:
        app.feed(samples.sample(samples.docker_pool()))
        await pilot.press("6")
        await pilot.pause(0.5)
        (HERE / "screen-machine.svg").write_text(app.export_screenshot(title="dmtui"))
    print("screen-machine.svg 120x40")


async def shoot_hosts() -> None:
    """Six hosts, the cursor on one that does not let us in."""
    hosts = Hosts(*SIX, clock=lambda: samples.NOW + 2)
    hosts.app.NOTIFICATION_TIMEOUT = 0
    async with hosts.app.run_test(size=(120, 40)) as pilot:
        await let_come(hosts, pilot)
        await pilot.press("7", "down", "down")
        await pilot.pause()
        (HERE / "hosts.svg").write_text(hosts.app.export_screenshot(title="dmtui"))
    print("hosts.svg 120x40")


async def play(name: str, size: tuple[int, int], pages: int | None = None) -> list[str]:
    """A picture of each page of a demonstration, up to one of them; its machine is always in the same place."""
    frames: list[str] = []
    directory = Path("/tmp/dmtui-demo")  # noqa: S108 - it is in the picture
    shutil.rmtree(directory, ignore_errors=True)
    app = demonstration(name, directory, polls=False, clock=lambda: samples.NOW)
    async with app.run_test(size=size) as pilot:
        last = len(app.player.scenario.steps) if pages is None else pages
        for page in range(last + 1):
            if page:
                await step_on(pilot)
            app.feed(sample_of(app))
            await pilot.pause()
            frames.append(app.export_screenshot(title=f"dmtui demo {name}"))
    app.player.close()
    shutil.rmtree(directory)
    return frames


async def film(name: str, size: tuple[int, int] = (100, 32), seconds: float = 5.0) -> None:
    """A demonstration from its first page to its last, as one moving picture."""
    frames = await play(name, size)
    (HERE / "demo.svg").write_text(_moving(frames, seconds))
    print(f"demo.svg, {len(frames)} pages")


def _moving(frames: list[str], seconds: float) -> str:
    """The pictures one after the other, for ever: shown by any browser, without a script."""
    box = frames[0].partition('viewBox="')[2].partition('"')[0]
    share, length = 100 / len(frames), seconds * len(frames)
    style = f"@keyframes page {{ 0% {{ visibility: visible }} {share:.3f}%, 100% {{ visibility: hidden }} }}"
    style += f" .page {{ visibility: hidden; animation: page {length}s step-end infinite }}"
    pages = (
        f'<g class="page" style="animation-delay: {number * seconds}s">{frame}</g>'
        for number, frame in enumerate(frames)
    )
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}"><style>{style}</style>{"".join(pages)}</svg>\n'


async def main() -> None:
    """Every picture."""
    await shoot_screens()
    await shoot_machine()
    await shoot_hosts()
    await film("snapshots")
    (HERE / "demo-overprovision.svg").write_text((await play("overprovision", (120, 40), 3))[-1])
    others = (samples.lvm_pool(), samples.containerd_pool())
    healthy = filling(samples.docker_pool(0.58, 0.22, count=24), *others)
    for size in ((80, 24), (120, 40), (200, 60)):
        await shoot(f"overview-{size[0]}x{size[1]}", size, healthy)
    await shoot("trouble", (120, 40), filling(samples.full_pool(), *others))
    await shoot("needs-check", (80, 24), filling(samples.damaged_pool()))
    await shoot("help", (120, 40), healthy, ("question_mark",))


if __name__ == "__main__":
    asyncio.run(main())

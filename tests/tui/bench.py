"""The dashboard's budgets (DESIGN.md, section 4): ``python -m tests.tui.bench`` measures each beside a peer in one run.

The peers are an empty Textual app, one that shows a clock, and, for ten thousand devices, Textual's DataTable with the
same rows. What can be counted without the rest of the machine is processor time; what an operator waits for is told by
the clock, and is longer where others use the processor. About four minutes; ``--quick`` repeats less.
"""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from textual.app import App
from textual.widgets import DataTable

from dmtui.machine.emulated import EmulatedMachine
from dmtui.monitor.discover import Discoverer
from dmtui.tui.app import DashboardApp
from dmtui.tui.widgets.all_devices import AllDevicesTable
from tests.tui import samples
from tests.tui.terminal import Terminal
from tests.tui.test_many_devices import PLACES, at

SIZE = (120, 40)
FEW, MANY = 1_000, 10_000
MB = 1e6
FIGURES = r"-pool[\s\S]*%"
HELLO = """
from textual.app import App
from textual.widgets import Static
class Hello(App):
    def compose(self):
        yield Static("Hello, World!")
Hello().run()
"""
CLOCK = """
import time
from textual.app import App
from textual.widgets import Static
class Clock(App):
    def compose(self):
        yield Static("Hello, World!")
    def on_mount(self):
        self.set_interval(1.0, lambda: self.query_one(Static).update(time.strftime("%H:%M:%S")))
Clock().run()
"""


@dataclasses.dataclass(frozen=True)
class Budget:
    """One line of the bench: what was measured, against what, and the most that it may be."""

    what: str
    measured: float
    most: float
    unit: str = "ms"
    peer: float | None = None

    def __str__(self) -> str:
        ratio = f"{self.measured / self.peer:5.2f} x {self.peer:.4g}" if self.peer else ""
        verdict = "met" if self.measured <= self.most else "MISSED"
        return f"{self.what:<52}{self.measured:>9.4g} {self.unit:<5}{ratio:<17} at most {self.most:<8.4g} {verdict}"


class Place:
    """A home directory with an emulated machine, as a new user has it, and programs started in it."""

    def __init__(self, home: Path, repeats: int) -> None:
        self.repeats = repeats
        self._emulated = home / "emulated"
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("DMTUI_", "XDG_", "PYTHONDONT"))}
        terminal = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
        self._environment = kept | terminal | {"HOME": str(home), "PYTHONPATH": str(Path(__file__).parents[2])}

    def hello(self) -> Terminal:
        return Terminal([sys.executable, "-c", HELLO], self._environment)

    def clock(self) -> Terminal:
        return Terminal([sys.executable, "-c", CLOCK], self._environment)

    def dashboard(self, *options: str) -> Terminal:
        words = ["-m", "dmtui", "--machine", "emulated", "--emulated-dir", str(self._emulated), *options]
        return Terminal([sys.executable, *words], self._environment)

    def machine(self) -> EmulatedMachine:
        return EmulatedMachine.open(self._emulated)


def begun(terminal: Terminal, pattern: str = FIGURES) -> tuple[float, float]:
    """Start-up by the clock and in processor time."""
    terminal.wait_for(pattern)
    took = time.perf_counter() - terminal.started
    terminal.kill()
    return took * 1000, terminal.cpu_seconds * 1000


def starting(place: Place) -> Iterator[Budget]:
    pairs = [(begun(place.hello(), "Hello"), begun(place.dashboard())) for _ in range(place.repeats + 1)][1:]
    for what, index in (("by the clock", 0), ("processor time", 1)):
        hello, ours = (statistics.median(pair[side][index] for pair in pairs) for side in (0, 1))
        yield Budget(f"start to first figures, {what}", ours, 1.5 * hello, peer=hello)


def idling(place: Place) -> Iterator[Budget]:
    seconds = 3.0 * place.repeats
    clock = place.clock()
    clock.wait_for(r"\d\d:\d\d:\d\d")
    clock.watch(4.0)
    bytes_of_clock, cpu_of_clock = clock.watch(seconds)
    clock.kill()
    for what, options, most_bytes, most_cpu in (
        ("nothing changes", ["--read-only"], 150.0, 0.5),
        ("containers write", [], 20_000.0, 4.0),
    ):
        terminal = place.dashboard(*options)
        terminal.wait_for(FIGURES)
        terminal.watch(4.0)
        written, cpu = terminal.watch(seconds)
        yield Budget(f"{what}: written to the terminal", written, most_bytes, "B/s", peer=bytes_of_clock)
        yield Budget(f"{what}: processor", cpu * 100, most_cpu, "%", peer=cpu_of_clock * 100)
        yield Budget(f"{what}: memory", terminal.resident_bytes / MB, 60.0, "MB")
        terminal.kill()


def dialog(place: Place) -> Iterator[Budget]:
    terminal = place.dashboard("--interval", "60")  # so that nothing else is written
    terminal.wait_for(FIGURES)
    terminal.watch(2.0)
    begin = before = terminal.written
    terminal.press("n")
    terminal.wait_for("Create")
    terminal.watch(1.0)
    opened = terminal.written
    terminal.press("\x1b")
    terminal.watch(1.0)
    # The peer is a start, for which Textual writes a whole picture twice; a screen that comes or goes needs one.
    yield Budget("dialog: written to open it", opened - before, 0.75 * begin, "B", peer=begin)
    yield Budget("dialog: written to close it", terminal.written - opened, 0.5 * begin, "B", peer=begin)
    terminal.kill()
    terminal = place.dashboard()  # its containers write meanwhile, and its plan follows
    terminal.wait_for(FIGURES)
    terminal.press("n")
    terminal.wait_for("Create")
    terminal.press("bench")
    terminal.wait_for("steps")
    terminal.watch(4.0)
    held, cpu = terminal.watch(3.0 * place.repeats)
    yield Budget("dialog: written while it is open, containers write", held, 4000.0, "B/s")
    yield Budget("dialog: processor while it is open", cpu * 100, 4.0, "%")
    terminal.kill()


def event(place: Place) -> Iterator[Budget]:
    """A write of the metadata fails: until the dashboard says so. Each time on a new machine, as it is only once."""
    took = []
    for number in range(min(5, place.repeats)):
        with tempfile.TemporaryDirectory() as home:
            fresh = Place(Path(home), 1)
            begun(fresh.dashboard())
            machine = fresh.machine()
            pool = Discoverer(machine).take().pools[0].name
            terminal = fresh.dashboard("--read-only")
            terminal.wait_for(FIGURES)
            terminal.watch(2.0 + number * 0.23)  # at another moment between two polls each time
            terminal.press("")
            machine.faults.fail_metadata_operation(pool)
            took.append(terminal.wait_for("needs_check") * 1000)
            terminal.kill()
            machine.close()
    yield Budget("event in the kernel to changed screen, the longest", max(took), 200.0)


def hanging(place: Place) -> Iterator[Budget]:
    hello = place.hello()
    hello.wait_for("Hello")
    hello.press("\x11")
    usual = hello.wait_for_end() * 1000
    machine = place.machine()
    pool = Discoverer(machine).take().pools[0].name
    terminal = place.dashboard("--read-only")
    terminal.wait_for(FIGURES)
    machine.outages.hang(pool)
    terminal.watch(3.0)
    answers = []
    for key, pattern in (("3", "Mapped"), ("4", "events"), ("1", "Metadata")) * 3:
        terminal.press(key)
        answers.append(terminal.wait_for(f"(?i){pattern}") * 1000)
        terminal.watch(0.5)
    yield Budget("the machine hangs: key press to another screen", statistics.median(answers), 100.0)
    terminal.press("q")
    yield Budget("the machine hangs: to quit", terminal.wait_for_end() * 1000, usual + 1000, peer=usual)
    machine.outages.end("hang")
    machine.close()


class Peer(App[None]):
    """Textual's own table with the same rows."""

    def compose(self):
        yield DataTable(cursor_type="row")

    def load(self, pool) -> None:
        table = self.query_one(DataTable)
        if not table.columns:
            for title in ("Name", "Id", "State", "Size", "Mapped", "Open"):
                table.add_column(title, key=title)
        table.clear()
        for each in pool.devices:
            cells = (each.display_name, each.thin_id, "active", each.size_bytes, each.mapped_bytes, each.open_count)
            table.add_row(*cells, key=each.name)


async def timed(pilot, work: Callable[[], object], repeats: int = 5) -> float:
    """Processor time of some work and of what is drawn because of it, milliseconds; the least of some times."""
    least = float("inf")
    for _ in range(repeats):
        gc.collect()
        began = time.process_time()
        done = work()
        if asyncio.iscoroutine(done):
            await done
        await pilot.pause()
        least = min(least, time.process_time() - began)
    return least * 1000


def plain_app(take=None, **options) -> DashboardApp:
    return DashboardApp(take, interval_seconds=None, clock=lambda: samples.NOW, open_engine=lambda **_: None, **options)


async def many_devices() -> list[Budget]:
    pool = dataclasses.replace(samples.docker_pool(count=MANY), recorded=None)
    made, peers = [], {}
    peer = Peer()
    async with peer.run_test(size=SIZE) as pilot:
        table = peer.query_one(DataTable)
        peers["load"] = await timed(pilot, lambda: peer.load(pool), 1)
        peers["sort"] = await timed(pilot, lambda: table.sort("Mapped", reverse=True), 3)
        peers["move the cursor"] = await timed(pilot, lambda: pilot.press("down"))
        peers["scroll a page"] = await timed(pilot, lambda: pilot.press("pagedown"))
    app = plain_app()
    async with app.run_test(size=SIZE) as pilot:
        await at(app, pilot, dataclasses.replace(pool, devices=()), "devices")
        table = app.screen.query_one(AllDevicesTable)
        figures = [("load", await timed(pilot, lambda: app.feed(samples.sample(pool)), 1), 300.0)]
        figures += [("move the cursor", await timed(pilot, lambda: pilot.press("down")), 100.0)]
        figures += [("sort", await timed(pilot, table.cycle_sort), 100.0)]
        figures += [
            ("filter", await timed(pilot, lambda: table.filter("redis" if not table.shown_rows else "")), 100.0)
        ]
        figures += [("scroll a page", await timed(pilot, lambda: pilot.press("pagedown")), 100.0)]
    for what, took, most in figures:
        made.append(Budget(f"{MANY} devices: {what}", took, most, peer=peers.get(what)))
    return made


def changed(pool, step: int):
    """The pool with a tenth of its devices moved."""
    tenth = max(1, len(pool.devices) // 10)
    moved = [dataclasses.replace(each, mapped_bytes=step * samples.MIB) for each in pool.devices[:tenth]]
    return dataclasses.replace(pool, devices=(*moved, *pool.devices[tenth:]))


async def of_devices(count: int, place: str, work) -> float:
    """Milliseconds of processor time, at a number of devices, on a screen."""
    app, pool, step = plain_app(), samples.recorded_pool(count), 0
    async with app.run_test(size=SIZE) as pilot:
        await at(app, pilot, pool, place)

        def once():
            nonlocal step
            step += 1
            return work(app, pilot, samples.sample(changed(pool, step), at=samples.NOW + step))

        return await timed(pilot, once)


async def growing() -> list[Budget]:
    """A tenfold of devices may cost a tenfold, and a key press nothing more."""
    made = []
    for place in PLACES:
        few, many = [await of_devices(count, place, lambda app, _, sample: app.feed(sample)) for count in (FEW, MANY)]
        made.append(Budget(f"a poll of {MANY} devices taken in: {place}", many, 12 * few, peer=few))
    few, many = [await of_devices(count, "devices", lambda _, pilot, __: pilot.press("down")) for count in (FEW, MANY)]
    made.append(Budget(f"key press to screen: {MANY} devices against {FEW}", many, 100.0, peer=few))
    marking = await of_devices(MANY, "devices", lambda _, pilot, __: pilot.press("asterisk"))
    made.append(Budget(f"marking all of {MANY} devices", marking, 100.0))
    return made


async def lasting(polls: int) -> list[Budget]:
    """Memory over many polls, a second apart: rings take theirs at the start, and nothing else may grow."""
    app = plain_app()
    pool, resident = samples.docker_pool(count=30), {}
    async with app.run_test(size=SIZE) as pilot:
        for step in range(polls):
            app.feed(samples.sample(changed(pool, step), at=samples.NOW + step))
            if step % 10 == 0:
                await pilot.pause()
            if step in (polls // 3, polls - 1):
                gc.collect()
                resident[step] = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    first, last = resident.values()
    return [Budget(f"memory grows in {polls - polls // 3} polls of 30 devices", (last - first) / MB, 1.0, "MB")]


def main() -> None:
    quick = "--quick" in sys.argv
    with tempfile.TemporaryDirectory() as home:
        place = Place(Path(home), 3 if quick else 9)
        begun(place.dashboard())  # the first start makes the machine
        for measure in (starting, idling, dialog, event, hanging):
            for budget in measure(place):
                print(budget, flush=True)
    for made in (many_devices(), growing(), lasting(600 if quick else 3000)):
        for budget in asyncio.run(made):
            print(budget, flush=True)


if __name__ == "__main__":
    main()

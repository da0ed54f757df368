"""A small emulated machine under a dashboard, for tests that change something from the keyboard."""

from __future__ import annotations

import json
import threading
import time

from dmtui.deviceset.engine import open_engine
from dmtui.deviceset.options import parse_options
from dmtui.deviceset.patience import Patience
from dmtui.machine.emulated import EmulatedMachine
from dmtui.monitor.discover import Discoverer
from dmtui.monitor.recorded import RecordReader
from dmtui.tui.app import DashboardApp
from dmtui.tui.lines import text_of
from dmtui.tui.screens.operation import OperationScreen
from dmtui.tui.widgets.panel import Panel

SIZE = (120, 40)
OPTIONS = parse_options(["dm.loopdatasize=256M", "dm.loopmetadatasize=8M", "dm.basesize=64M", "dm.fs=ext4"])


class Site:
    """A machine, its graph directory, and what came of it."""

    def __init__(self, directory, deadline_seconds: float = 30.0):
        self.machine = EmulatedMachine.open(directory, deadline_seconds)
        self.graph = str(directory / "devicemapper")
        self.log = directory / "devicemapper" / "dmtui" / "audit.jsonl"

    def open(self, *, recovering: bool = True, making: bool = False):
        return open_engine(
            self.machine, self.graph, OPTIONS, recovering=recovering, making=making, patience=Patience(busy_seconds=0.2)
        )

    def do(self, make, making: bool = False) -> None:
        engine = self.open(making=making)
        try:
            engine.run(make(engine.plans))
        finally:
            engine.close()

    def set_up(self, *devices: str, active: tuple[str, ...] = ()) -> None:
        self.do(lambda plans: plans.start("the test"), making=True)
        for name in devices:
            self.do(lambda plans, name=name: plans.create(name))
        for name in active:
            self.do(lambda plans, name=name: plans.activate(name))

    @property
    def recorded(self) -> set[str]:
        engine = self.open(recovering=False)
        try:
            return {name or "base" for name in engine.devices.state.records}
        finally:
            engine.close()

    @property
    def audit(self) -> list[dict]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def active(self, name: str) -> bool:
        engine = self.open(recovering=False)
        try:
            return engine.plans.active(name) is not None
        finally:
            engine.close()

    def sample(self):
        return Discoverer(self.machine, records=RecordReader(self.machine, self.graph)).take()

    def app(self, **options) -> DashboardApp:
        options = {"open_engine": self.open, "graph_directory": self.graph, "clock": time.time} | options
        return DashboardApp(interval_seconds=None, **options)


def told(app) -> list[str]:
    return [f"{notification.title}: {notification.message}" for notification in app._notifications]


def verdict(app) -> str:
    """What the dialog says, without its line ends."""
    return " ".join(text_of(app.screen.query_one("#verdict", Panel).lines).split())


def plan(app) -> str:
    return text_of(app.screen.query_one("#course", Panel).lines)


async def until(pilot, condition, what: str = "it") -> None:
    for _ in range(600):
        await pilot.pause(0.02)
        if condition():
            return
    raise AssertionError(f"{what} did not come: {told(pilot.app)}, {verdict(pilot.app) if is_open(pilot.app) else ''}")


def is_open(app) -> bool:
    return isinstance(app.screen, OperationScreen) and app.screen.is_mounted


async def opened(pilot, key: str) -> None:
    """Press the key of an operation and wait for its dialog."""
    await pilot.press(key)
    await until(pilot, lambda: is_open(pilot.app), "the dialog")


async def ready(pilot) -> None:
    """Wait until what the form says is planned and can be run."""
    await until(pilot, lambda: not pilot.app.screen.query_one("#run").disabled, "the plan")


async def ended(pilot) -> None:
    await until(pilot, lambda: verdict(pilot.app)[2:].startswith(("done", "failed")), "the end")


async def fill(pilot, **values: str) -> None:
    for name, text in values.items():
        field = pilot.app.screen.query_one(f"#field-{name}")
        field.focus()
        field.value = text
    await pilot.pause()


async def performed(pilot, key: str, confirm: str = "", **values: str) -> str:
    """Open the dialog of a key, fill it in, run it from the keyboard; what it says in the end."""
    await opened(pilot, key)
    await fill(pilot, **values)
    if confirm:
        pilot.app.screen.query_one("#typed").focus()
        await pilot.press(*confirm)
    await ready(pilot)
    pilot.app.screen.query_one("#run").focus()
    await pilot.press("enter")
    await ended(pilot)
    return verdict(pilot.app)


class Gate:
    """Lets an operation of the machine wait until it is opened."""

    def __init__(self, monkeypatch, target, name):
        self.reached, self.open = threading.Event(), threading.Event()
        original = getattr(target, name)

        def wait(*given, **named):
            self.reached.set()
            self.open.wait(20)
            return original(*given, **named)

        monkeypatch.setattr(target, name, wait)

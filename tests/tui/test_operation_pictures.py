"""How the dialog of an operation and the screen of operations look: deliveries by hand, no threads, no machine."""

from __future__ import annotations

import dataclasses

import pytest

from dmtui.deviceset.plan import Phase, Progress
from dmtui.monitor.audit import AuditEntry
from dmtui.tui.deliveries import Finished, Preview, Sheet, Step, Survey
from tests.tui import samples

SIZES = {"80x24": (80, 24), "120x40": (120, 40)}
BOTH = pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
POOL = dataclasses.replace(samples.docker_pool(count=15), owner="dmtui")
NAMES = ("base", *(device.display_name for device in POOL.devices))
PREFIX = "docker-8:1-4718594"
WEB = f"{PREFIX}-web-frontend-00"
SHEETS = {
    "device create": Sheet(
        "create api",
        (
            ("note the transaction on api, thin id 44", ""),
            (f"suspend {WEB}, so that the image is consistent", f"dmsetup suspend {WEB}"),
            ("make thin id 44 a snapshot of 1 (web)", f"dmsetup message {PREFIX}-pool 0 'create_snap 44 1'"),
            (f"resume {WEB}", f"dmsetup resume {WEB}"),
            ("record api", ""),
            ("close the transaction", f"dmsetup message {PREFIX}-pool 0 'set_transaction_id 91 92'"),
            (
                f"activate {PREFIX}-api, 21.47 GB",
                f"dmsetup create {PREFIX}-api --table '0 41943040 thin /dev/mapper/{PREFIX}-pool 44'",
            ),
            ("grow its file system, xfs", f"xfs_growfs /dev/mapper/{PREFIX}-api"),
        ),
    ),
    "device remove": Sheet(
        "remove web-frontend-00",
        (
            (f"discard all of {WEB}", f"blkdiscard /dev/mapper/{WEB}"),
            (
                f"deactivate {WEB} as soon as nobody has it open",
                f"dmsetup remove --deferred {WEB}",
            ),
            ("note the transaction on web-frontend-00, thin id 1", ""),
            ("delete thin id 1 and its record web-frontend-00", f"dmsetup message {PREFIX}-pool 0 'delete 1'"),
            ("close the transaction", f"dmsetup message {PREFIX}-pool 0 'set_transaction_id 91 92'"),
        ),
        ("all data of web-frontend-00 are lost",),
    ),
    "device deactivate": Sheet(
        "deactivate web-frontend-00",
        ((f"deactivate {WEB} as soon as nobody has it open", f"dmsetup remove --deferred {WEB}"),),
    ),
}  # fmt: skip


class Silent:
    """An operator that delivers nothing by itself."""

    def __init__(self, app):
        self.app, self.error, self.seen = app, "", None

    def survey(self, wanted):
        self.app._changes.take_in(Survey(wanted, POOL.name, NAMES))

    def preview(self, request):
        sheets = () if self.error else (SHEETS[request.operation.id],)
        self.app.call_later(self.app._changes.take_in, Preview(request, ("",), self.error, ("",), sheets))

    def perform(self, seen):
        self.seen = seen
        return True

    def tell(self, number, phase, seconds):
        """A step of the operation under way changes its phase."""
        steps = self.seen.sheets[0].steps
        progress = Progress(number, len(steps), steps[number - 1][0], phase)
        self.app._changes.take_in(Step(self.seen.request, progress, seconds))


@pytest.fixture
def dialog_looks_right(dashboard, snap_compare):
    """Opens the dialog of a key, lets a story happen, and compares the picture with the approved one."""

    def compare(key, *press, size, error="", story=None, **options):
        app = dashboard(open_engine=lambda **_: None, **options)

        async def prepare(pilot):
            operator = Silent(app)
            operator.error = error
            app._changes.use(operator)
            app.feed(samples.sample(POOL))
            await pilot.pause()
            app.known.device_name = POOL.devices[0].name
            await pilot.press("5", key)
            await pilot.pause()
            await pilot.press(*press)
            await pilot.pause(0.2)
            await pilot.pause()
            if story is not None:
                app.screen.query_one("#run").focus()
                await pilot.press("enter")
                await pilot.pause()
                story(app, operator, operator.tell)
                await pilot.pause()
                await pilot.pause()

        assert snap_compare(app, terminal_size=size, run_before=prepare)

    return compare


def done(tell, *steps):
    for number in steps:
        tell(number, Phase.BEGUN, number / 10)
        tell(number, Phase.DONE, number / 10 + 0.08)


def under_way(app, operator, tell):
    done(tell, 1, 2)
    tell(3, Phase.BEGUN, 0.3)
    app._clock.now += 12
    app.show_newest()


def noted(app, operator, tell):
    done(tell, 1, 2)
    tell(3, Phase.BEGUN, 0.3)
    app._clock.now += 12
    waits = Progress(0, 8, "waiting for docker...web-frontend-00, open 1 times, try 12 of 200", Phase.NOTED)
    app._changes.take_in(Step(operator.seen.request, waits, 12.0))
    app.screen._draw()


def failed(app, operator, tell):
    done(tell, *range(1, 8))
    tell(8, Phase.BEGUN, 0.9)
    tell(8, Phase.FAILED, 3.4)
    undone = []
    for number in (7, 6, 3, 2, 1):
        tell(number, Phase.UNDONE, 3.5)
        undone.append(operator.seen.sheets[0].steps[number - 1][0])
    why = "xfs_growfs: failed with exit status 1: device or resource busy; look at dmesg"
    app._changes.take_in(Finished(operator.seen.request, 3.61, why, tuple(undone)))


def ended(app, operator, tell):
    done(tell, *range(1, 9))
    app._changes.take_in(Finished(operator.seen.request, 0.93))


@BOTH
def test_form(dialog_looks_right, size):
    dialog_looks_right("n", *"api", size=size)


@BOTH
def test_refused(dialog_looks_right, size):
    why = "size 1M: is less than the parent's, 10.74 GB; give at least that, or leave it out"
    dialog_looks_right("n", *"api", size=size, error=why)


@BOTH
def test_destroying(dialog_looks_right, size):
    dialog_looks_right("x", size=size)


@BOTH
def test_destroying_with_the_name_typed(dialog_looks_right, size):
    dialog_looks_right("x", "left", *"web-frontend-00", size=size)


@BOTH
def test_under_way(dialog_looks_right, size):
    dialog_looks_right("n", *"api", size=size, story=noted)


@BOTH
def test_failed_and_undone(dialog_looks_right, size):
    dialog_looks_right("n", *"api", size=size, story=failed)


@BOTH
def test_done(dialog_looks_right, size):
    dialog_looks_right("n", *"api", size=size, story=ended)


def test_flags(dialog_looks_right):
    dialog_looks_right("d", "tab", "space", size=SIZES["80x24"])


def test_ascii(dialog_looks_right):
    dialog_looks_right("n", *"api", size=SIZES["80x24"], ascii=True, story=failed)


def test_no_color(dialog_looks_right, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    dialog_looks_right("x", size=SIZES["80x24"])


def entry(ago, operation, subject, seconds, **given):
    steps = (f"dmsetup message {PREFIX}-pool 0 'create_snap 44 1'", "record api")
    return AuditEntry(samples.NOW - ago, "alice", 4711, operation, subject, steps, seconds=seconds, **given)


LOG = (
    entry(90_000, "create pool", POOL.name, 1.93),
    entry(4000, "create", "web-frontend-00", 0.021),
    entry(3900, "mount", "web-frontend-00", 0.118),
    entry(3000, "extend pool", POOL.name, 12.4),
    entry(2000, "remove", "postgres-main-02", 3.6, failed=True, error="the device is busy", undone=("open it again",)),
    entry(1000, "create", "redis-19", 0.5, failed=True, error="no answer", unfinished=True),
    AuditEntry(samples.NOW - 990, "bob", 4800, "recover", POOL.name, ("undo the creation of redis-19",)),
    entry(200, "trim", POOL.name, 221.0),
)


@pytest.fixture
def operations_look_right(dashboard, snap_compare):
    """Goes to the screen of operations, over a log, with or without an operation under way."""

    def compare(*press, size, story=None, log=LOG, **options):
        app = dashboard(open_engine=lambda **_: None, **options)

        async def prepare(pilot):
            operator = Silent(app)
            app._changes.use(operator)
            app.feed(samples.sample(POOL))
            app._logbook.take_in(log, None)
            await pilot.press("5")
            await pilot.pause()
            if story is not None:
                await pilot.press("n", *"api")
                await pilot.pause(0.2)
                app.screen.query_one("#run").focus()
                await pilot.press("enter", "escape")
                app.clear_notifications()
                await pilot.pause()
                story(app, operator, operator.tell)
            await pilot.press(*press)
            await pilot.pause()
            await pilot.pause()

        assert snap_compare(app, terminal_size=size, run_before=prepare)

    return compare


@BOTH
def test_operations(operations_look_right, size):
    operations_look_right(size=size)


@BOTH
def test_operations_with_one_under_way(operations_look_right, size):
    operations_look_right(size=size, story=under_way)


@BOTH
def test_steps_of_a_failure(operations_look_right, size):
    operations_look_right("down", "down", "down", "enter", size=size)


def test_no_operations(operations_look_right):
    operations_look_right(size=SIZES["80x24"], log=())

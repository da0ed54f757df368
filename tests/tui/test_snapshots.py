"""How every state looks, at the three sizes that the dashboard is drawn for."""

import dataclasses

import pytest

from dmtui.monitor.poller import PollFailed
from dmtui.tui.history import POINT_SECONDS
from tests.tui import samples

SIZES = {"80x24": (80, 24), "120x40": (120, 40), "200x60": (200, 60)}
EVERY_SIZE = pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
LARGEST_AND_SMALLEST = pytest.mark.parametrize("size", [SIZES["80x24"], SIZES["120x40"]], ids=["80x24", "120x40"])
USUAL = SIZES["120x40"]


@pytest.fixture
def looks_right(dashboard, snap_compare):
    """Feeds outcomes and compares the picture with the one that was approved."""

    def compare(*outcomes, size=USUAL, press=(), before=lambda app: None, **options):
        app = dashboard(**{"toasts": False, **options})

        async def prepare(pilot):
            for outcome in outcomes:
                app.feed(outcome)
            before(app)
            await pilot.pause()
            await pilot.press(*press)
            await pilot.pause()

        assert snap_compare(app, terminal_size=size, run_before=prepare)

    return compare


def past(pool, count=60):
    """A minute of history that leads to the pool's present."""
    made = []
    for step in range(count):
        part = 0.6 + 0.4 * (step + 1) / count
        used = None if pool.data.used_bytes is None else int(pool.data.used_bytes * part)
        space = dataclasses.replace(pool.data, used_bytes=used)
        made.append(
            samples.sample(dataclasses.replace(pool, data=space), at=samples.NOW - POINT_SECONDS * (count - step - 1))
        )
    return [*made[:-1], samples.sample(pool)]


@EVERY_SIZE
def test_healthy_pool(looks_right, size):
    looks_right(*past(samples.docker_pool()), size=size)


@EVERY_SIZE
def test_pools_of_several_owners(looks_right, size):
    pools = (samples.docker_pool(), samples.lvm_pool(), samples.containerd_pool())
    looks_right(samples.sample(*pools, machine="emulated"), size=size, read_only=True)


@EVERY_SIZE
def test_out_of_data_space(looks_right, size):
    looks_right(*past(samples.full_pool()), size=size)


@LARGEST_AND_SMALLEST
def test_read_only_with_needs_check(looks_right, size):
    looks_right(samples.sample(samples.damaged_pool(), samples.lvm_pool()), size=size)


@LARGEST_AND_SMALLEST
def test_failed_pool_has_question_marks(looks_right, size):
    looks_right(samples.sample(samples.failed_pool()), size=size)


def test_no_answer(looks_right, clock):
    def wait(app):
        clock.now += 13
        app.stream.pending_since = samples.NOW + 1
        app.show_newest()

    looks_right(samples.sample(samples.docker_pool()), before=wait)


@LARGEST_AND_SMALLEST
def test_paused(looks_right, clock, size):
    def wait(app):
        clock.now += 95

    looks_right(samples.sample(samples.docker_pool()), before=wait, press=["p"], size=size)


def test_poll_error_over_old_figures(looks_right, clock):
    clock.now += 4
    error = PollFailed(samples.NOW + 4, "device-mapper: the control device does not answer; look at dmesg")
    looks_right(samples.sample(samples.docker_pool()), error)


def test_poll_error_from_the_start(looks_right):
    looks_right(PollFailed(samples.NOW, "device-mapper: not permitted; run as root or take --machine emulated"))


@LARGEST_AND_SMALLEST
def test_no_pools(looks_right, size):
    looks_right(samples.sample(), size=size)


@LARGEST_AND_SMALLEST
def test_help(looks_right, size):
    looks_right(samples.sample(samples.docker_pool()), press=["question_mark"], size=size)


def test_deleted_loop_file(looks_right):
    looks_right(samples.sample(samples.deleted_file_pool()))


def test_thousand_devices_sorted_and_scrolled(looks_right):
    looks_right(samples.sample(samples.docker_pool(count=1000)), press=["s", "s", "s", "s", "G"])


def test_filter(looks_right):
    looks_right(samples.sample(samples.docker_pool()), press=["slash", "w", "e", "b"])


def test_ascii(looks_right):
    looks_right(*past(samples.docker_pool(0.93, 0.75)), ascii=True)


def test_no_color(looks_right, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    looks_right(*past(samples.docker_pool(0.93, 0.75)))


@pytest.mark.parametrize("presses", [1, 2, 3], ids=["light", "high-contrast", "no-red-green"])
def test_theme(looks_right, presses):
    pools = [past(samples.docker_pool(0.93, 0.75)), past(samples.containerd_pool())]
    both = [samples.sample(a.pools[0], b.pools[0], at=a.taken_at) for a, b in zip(*pools, strict=True)]
    looks_right(*both, press=["c"] * presses)


def test_explanation(looks_right):
    looks_right(samples.sample(samples.docker_pool()), press=["i"])

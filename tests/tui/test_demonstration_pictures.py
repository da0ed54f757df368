"""How demonstrations look. Their machines lie where each run finds them again: the path is in the picture."""

import shutil
from pathlib import Path

import pytest

from dmtui.tui.chooser import ChooserApp
from tests.tui.demonstrating import demonstration, sample_of, step_on
from tests.tui.pictures import EVERY_SIZE, SIZES, USUAL


@pytest.fixture
def looks_right(snap_compare, clock, request):
    """Plays so many pages of a scenario and compares the picture with the one that was approved."""
    number = sum(map(ord, request.node.name)) % 900 + 100
    directory = Path(f"/tmp/dmtui-picture-{number}")
    shutil.rmtree(directory, ignore_errors=True)

    def compare(name, pages, size=USUAL, **options):
        app = demonstration(name, directory, polls=False, clock=clock, **options)
        app.NOTIFICATION_TIMEOUT = 0

        async def prepare(pilot):
            app.feed(sample_of(app))
            await pilot.press("p")
            await step_on(pilot, pages)
            app.feed(sample_of(app))
            for _ in range(3):
                await pilot.pause()

        try:
            assert snap_compare(app, terminal_size=size, run_before=prepare)
        finally:
            app.player.close()
            shutil.rmtree(directory, ignore_errors=True)

    return compare


@EVERY_SIZE
def test_a_step_on_the_pool_screen(looks_right, size):
    looks_right("snapshots", 3, size)


@EVERY_SIZE
def test_a_step_on_the_overview_with_a_full_pool(looks_right, size):
    looks_right("overprovision", 3, size)


@pytest.mark.parametrize("pages", [0, 7], ids=["opening", "closing"])
def test_the_ends_of_a_story_in_a_small_terminal(looks_right, pages):
    looks_right("snapshots", pages, SIZES["80x24"])


def test_a_story_on_a_console_without_unicode(looks_right):
    looks_right("frees-nothing", 2, SIZES["80x24"], ascii=True)


@EVERY_SIZE
def test_the_list_to_choose_from(snap_compare, size):
    assert snap_compare(ChooserApp(), terminal_size=size)
